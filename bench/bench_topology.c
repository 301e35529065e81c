/* Fabrics of 100,000 cores: built, and routed from every core; beside the computed ways, breadth-first searches for
 * some of the same pairs, which must have the same lengths where ways are minimal.
 *
 * usage: pp_bench_topology [CORES [DESTINATIONS]] */
#include "topology/routefn.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define SEARCHES 10
#define HOPS_MAX 200000

static double cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(((*state >> 32) * n) >> 32);
}

typedef struct figures {
    double build_s, route_s, search_s;
    uint64_t ways, hops;
} figures;

/* `each` random destinations from every core. */
static pp_status route_all(const pp_routefn *fn, const pp_fabric *f, uint32_t each, uint32_t *path, figures *g)
{
    uint64_t random = 1;
    for (uint32_t s = 0; s < f->n_cores; s++)
        for (uint32_t i = 0; i < each; i++) {
            size_t n = 0;
            PP_TRY(pp_routefn_path(fn, f->core_vertex[s], f->core_vertex[draw(&random, f->n_cores)], path, HOPS_MAX, &n));
            g->ways++;
            g->hops += n;
        }
    return PP_OK;
}

/* A few of the pairs by search. */
static pp_status search_some(const pp_routefn *fn, const pp_fabric *f, uint32_t *path, figures *g)
{
    uint64_t random = 7;
    for (int i = 0; i < SEARCHES; i++) {
        const uint32_t u = f->core_vertex[draw(&random, f->n_cores)], v = f->core_vertex[draw(&random, f->n_cores)];
        size_t n = 0, m = 0;
        const double start = cpu_s();
        PP_TRY(pp_route(f, PP_ROUTING_SHORTEST, u, v, path, HOPS_MAX, &n));
        g->search_s += cpu_s() - start;
        PP_TRY(pp_routefn_path(fn, u, v, path, HOPS_MAX, &m));
        if (pp_routefn_about(fn)->minimal ? m != n : m < n)
            return pp_fail(PP_EINTERNAL, "%s: %zu hops computed, %zu searched", f->name, m, n);
    }
    return PP_OK;
}

static pp_status run(pp_fabric_options options, const char *kind, uint32_t cores, uint32_t each)
{
    pp_fabric *f = NULL;
    pp_routefn *fn = NULL;
    figures g = {0};
    uint32_t *path = pp_alloc(HOPS_MAX, sizeof *path);
    pp_status status = path ? PP_OK : PP_ENOMEM;
    options.kind = kind;
    double start = cpu_s();
    PP_GOTO(done, status, pp_fabric_fit(&options, cores));
    PP_GOTO(done, status, pp_fabric_build(&f, &options));
    PP_GOTO(done, status, pp_routefn_new(&fn, f, "auto"));
    g.build_s = cpu_s() - start;
    start = cpu_s();
    PP_GOTO(done, status, route_all(fn, f, each, path, &g));
    g.route_s = cpu_s() - start;
    PP_GOTO(done, status, search_some(fn, f, path, &g));
    const double per_way = g.route_s / (double)g.ways, per_search = g.search_s / SEARCHES;
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("%-48s %8u %9u %7.3f %9.3f %9.1f %9.2f %9.0f %7.0f\n", f->name, f->n_cores, f->n_network, g.build_s, g.route_s,
           (double)g.hops / (double)g.ways, per_way * 1e6, per_search / per_way, (double)usage.ru_maxrss / 1024.0);
done:
    pp_routefn_free(fn);
    pp_fabric_free(f);
    free(path);
    return status;
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"5pp:rows=316", "mesh",  "torus",     "cmesh",   "flatfly",  "hypercube", "htree",
                                        "fattree",      "tree",  "k5prism:rows=64", "dragonfly", "express", "mesh3d",
                                        "torus3d",      "kautz", "star",      "hex",     "tri"};
    const uint32_t cores = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
    const uint32_t each = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
    const pp_knob_table table = pp_fabric_knobs();
    pp_config *config = NULL;
    pp_fabric_options options;
    pp_status status = pp_config_new(&config, &table, 1);
    if (status == PP_OK)
        status = pp_config_bind(config, &table, &options);
    printf("%-48s %8s %9s %7s %9s %9s %9s %9s %7s\n", "fabric", "cores", "channels", "built s", "routed s", "hops", "us a way",
           "search/it", "peak MB");
    for (size_t i = 0; status == PP_OK && i < sizeof kinds / sizeof kinds[0]; i++)
        status = run(options, kinds[i], cores, each);
    if (status != PP_OK)
        fprintf(stderr, "pp_bench_topology: %s\n", pp_error_text());
    pp_config_free(config);
    return status != PP_OK;
}
