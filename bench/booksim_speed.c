/* Simulated cycles a second against BookSim2, one thread each, by processor time (so that a busy machine does
 * not decide).
 *   booksim_speed [--booksim EXECUTABLE]
 * The executable is the user's own. Without it only our figures are printed. */
#include "bench/booksim_common.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct speed_case {
    unsigned k, period;
    double rate, wanted;
} speed_case;

static const speed_case cases[] = {{8, 2000, 0.1, 20}, {8, 2000, 0.3, 20}, {16, 1000, 0.1, 0}, {32, 500, 0.05, 60}, {64, 250, 0.02, 0}};

static double cpu_s(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec * 1e-6;
}

/* The settings of the reference curves on a k x k mesh with single-flit packets. */
static bool write_config(const char *path, const speed_case *c)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return false;
    fprintf(f, "topology = mesh;\nk = %u;\nn = 2;\nrouting_function = dor;\nnum_vcs = 4;\nvc_buf_size = 8;\n"
               "traffic = uniform;\npacket_size = 1;\nrouting_delay = 0;\ncredit_delay = 1;\nvc_alloc_delay = 1;\n"
               "sw_alloc_delay = 1;\nst_prepare_delay = 0;\nst_final_delay = 1;\nspeculative = 0;\ninput_speedup = 1;\n"
               "output_speedup = 1;\ninternal_speedup = 1.0;\nvc_allocator = islip;\nsw_allocator = islip;\nalloc_iters = 1;\n"
               "wait_for_tail_credit = 0;\nuse_noc_latency = 0;\ninjection_rate_uses_flits = 1;\ninjection_rate = %g;\n"
               "sample_period = %u;\nwarmup_periods = 3;\nmax_samples = 10;\nsim_type = latency;\nsim_count = 1;\nseed = 1;\n",
            c->k, c->rate, c->period);
    return fclose(f) == 0;
}

/* Cycles a second of processor time of the other program; 0 when it did not say. */
static double other_speed(const char *program, const speed_case *c)
{
    char path[] = "/tmp/pp_speed_XXXXXX", line[512];
    const int fd = mkstemp(path);
    int to[2];
    double cycles = 0;
    if (fd < 0 || !write_config(path, c) || pipe(to) != 0)
        return 0;
    close(fd);
    const double before = cpu_s(RUSAGE_CHILDREN);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(to[1], 1);
        close(to[0]);
        execl(program, program, path, (char *)NULL);
        _exit(127);
    }
    close(to[1]);
    FILE *out = fdopen(to[0], "r");
    while (out && fgets(line, sizeof line, out))
        if (strncmp(line, "Time taken is ", 14) == 0)
            cycles = strtod(line + 14, NULL);
    if (out)
        fclose(out);
    waitpid(pid, NULL, 0);
    remove(path);
    return cycles / (cpu_s(RUSAGE_CHILDREN) - before);
}

static double own_speed(const speed_case *c, double *flit_hops)
{
    char text[128];
    bench_net b;
    pp_traffic_point p = {0};
    snprintf(text, sizeof text, "mesh:rows=%u,cols=%u --router booksim --routing xy", c->k, c->k);
    pp_status status = bench_open(&b, text);
    b.traffic.rate = c->rate;
    b.traffic.period = 8 * c->period; /* as much processor time as it takes to be measured */
    b.traffic.seeds = 1;
    const double before = cpu_s(RUSAGE_SELF);
    if (status == PP_OK)
        status = pp_traffic_run(&p, b.fabric, &b.network, &b.routing, b.pattern, &b.traffic, NULL);
    const double spent = cpu_s(RUSAGE_SELF) - before;
    bench_close(&b);
    if (status != PP_OK) {
        fprintf(stderr, "booksim_speed: %s\n", pp_error_text());
        exit(1);
    }
    *flit_hops = (double)p.flit_hops / spent;
    return (double)p.cycles / spent;
}

int main(int argc, char **argv)
{
    const char *program = argc == 3 && strcmp(argv[1], "--booksim") == 0 ? argv[2] : NULL;
    int bad = 0;
    printf("mesh    rate   cycles/s  flit-hops/s   BookSim2 cycles/s  ratio  wanted\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const speed_case *c = &cases[i];
        double hops;
        const double own = own_speed(c, &hops), other = program ? other_speed(program, c) : 0;
        printf("%2ux%-4u %-5g %10.0f %12.3g", c->k, c->k, c->rate, own, hops);
        if (other > 0)
            printf("   %17.1f %6.1f", other, own / other);
        if (other > 0 && c->wanted > 0) {
            printf("  %6.0f", c->wanted);
            bad += own / other < c->wanted;
        }
        printf("\n");
        fflush(stdout);
    }
    return bad > 0;
}
