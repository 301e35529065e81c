/* One large mesh cut into partitions on threads: wall time for each number of threads, uniform traffic of single flits.
 *   net_threads [K RATE CYCLES THREADS...]     default: 64 and 128 with 1, 2, 4, 8, 16 threads
 * Fails when a figure of the simulation depends on the number of threads. */
#include "bench/booksim_common.h"

#define MAX_COUNTS 16

typedef struct mesh_case {
    unsigned k;
    double rate;
    unsigned cycles;
} mesh_case;

static pp_traffic_point run(const mesh_case *c, unsigned threads)
{
    char text[128];
    bench_net b;
    pp_traffic_point p = {0};
    snprintf(text, sizeof text, "mesh:rows=%u,cols=%u --router booksim --routing xy", c->k, c->k);
    pp_status status = bench_open(&b, text);
    b.traffic.booksim = false;
    b.traffic.rate = c->rate;
    b.traffic.warmup = 0;
    b.traffic.period = c->cycles;
    b.traffic.max_cycles = c->cycles;
    b.traffic.seeds = 1;
    b.network.threads = threads;
    if (status == PP_OK)
        status = pp_traffic_run(&p, b.fabric, &b.network, &b.routing, b.pattern, &b.traffic, NULL);
    bench_close(&b);
    if (status != PP_OK) {
        fprintf(stderr, "net_threads: %s\n", pp_error_text());
        exit(1);
    }
    return p;
}

/* Whether all runs gave the same figures. */
static bool sweep(const mesh_case *c, const unsigned *threads, size_t n)
{
    pp_traffic_point one = {0};
    bool same = true;
    for (size_t i = 0; i < n; i++) {
        const pp_traffic_point p = run(c, threads[i]);
        if (i == 0)
            one = p;
        same &= p.packets == one.packets && p.flit_hops == one.flit_hops && p.packet_latency == one.packet_latency;
        printf("%3ux%-5u %-6g %7u %9.3f %12.3g %8.2f\n", c->k, c->k, c->rate, threads[i], p.wall_s,
               (double)p.flit_hops / p.wall_s, one.wall_s / p.wall_s);
        fflush(stdout);
    }
    return same;
}

int main(int argc, char **argv)
{
    static const mesh_case defaults[] = {{64, 0.02, 4000}, {128, 0.01, 1500}};
    unsigned threads[MAX_COUNTS] = {1, 2, 4, 8, 16};
    size_t n = 5;
    bool same = true;
    printf("mesh      rate   threads    wall s  flit-hops/s  speed-up\n");
    if (argc < 5) {
        for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
            same &= sweep(&defaults[i], threads, n);
    } else {
        const mesh_case c = {(unsigned)atoi(argv[1]), atof(argv[2]), (unsigned)atoi(argv[3])};
        for (n = 0; n + 4 < (size_t)argc && n < MAX_COUNTS; n++)
            threads[n] = (unsigned)atoi(argv[n + 4]);
        same = sweep(&c, threads, n);
    }
    if (!same)
        fprintf(stderr, "net_threads: results depend on the number of threads\n");
    return !same;
}
