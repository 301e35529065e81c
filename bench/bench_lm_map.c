/* Mapping of language models: tiles a second, against taking every instance apart tile by tile. */
#include "mapper/lm_map.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* one thread: wall clock of an idle machine */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Defaults of all tables; `fabric` is a FABRIC string. */
static pp_status map(pp_lm_mapping **out, const char *model, const char *fabric, pp_config *config, pp_arena *arena)
{
    pp_arch arch;
    pp_quant_options quant;
    pp_fabric_options f;
    pp_map_options options;
    pp_lm_map_input input = {0};
    pp_lm_config shape;
    const pp_knob_table tables[] = {pp_quant_knobs(), pp_fabric_knobs(), pp_map_knobs(), pp_lm_graph_knobs(), pp_lm_map_knobs()};
    void *const fields[] = {&quant, &f, &options, &input.graph, &input.lm};
    PP_TRY(pp_lm_shape(&shape, model));
    PP_TRY(pp_arch_resolve(&arch, config));
    for (size_t i = 0; i < 5; i++)
        PP_TRY(pp_config_bind(config, &tables[i], fields[i]));
    PP_TRY(pp_fabric_parse(&f, arena, fabric));
    f.width_bits = 64; /* fabric.channel: llm */
    input.config = &shape;
    input.arch = &arch;
    input.quant = &quant;
    input.fabric = &f;
    input.map = &options;
    return pp_lm_map(out, &input);
}

static pp_status run(const char *model, const char *fabric, bool apart, pp_config *config, pp_arena *arena)
{
    pp_lm_mapping *m = NULL;
    pp_lm_expanded *x = NULL;
    struct rusage used;
    double start = now_s();
    PP_TRY(map(&m, model, fabric, config, arena));
    const double map_s = now_s() - start;
    start = now_s();
    if (apart)
        PP_TRY(pp_lm_mapping_expand(&x, m, UINT32_MAX));
    const double apart_s = now_s() - start;
    (void)getrusage(RUSAGE_SELF, &used);
    printf("%-12s %-62s %8llu %5u %8.2f %10.0f ", model, fabric, (unsigned long long)m->tiles, m->n_templates, map_s,
           (double)m->tiles / map_s);
    if (apart)
        printf("%8.2f %6.2f", apart_s, apart_s / map_s);
    else
        printf("%8s %6s", "-", "-");
    printf(" %6ld\n", used.ru_maxrss / 1024);
    pp_lm_expanded_free(x);
    pp_lm_mapping_free(m);
    return PP_OK;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *model, *fabric;
        bool apart, large;
    } cases[] = {
        {"llama3-8b", "5pp:rows=16,cols=16,gateways=16/mesh:rows=4,cols=4,gateways=8/mesh", true, false},
        {"llama3-8b", "mesh:rows=16,cols=16,gateways=16/mesh:rows=8,cols=8,gateways=8/mesh", true, false},
        {"llama3-8b", "5pp", true, false},
        {"llama3-8b", "mesh", true, false},
        {"llama3-70b", "5pp:rows=16,cols=16,gateways=16/mesh:rows=8,cols=8,gateways=8/mesh", false, false},
        {"llama3-70b", "5pp", false, true},
    };
    const pp_knob_table tables[] = {pp_arch_knobs(), pp_quant_knobs(), pp_fabric_knobs(), pp_map_knobs(), pp_lm_graph_knobs(),
                                    pp_lm_map_knobs()};
    const bool all = argc > 1 && strcmp(argv[1], "--large") == 0;
    pp_config *config = NULL;
    pp_arena *arena = NULL;
    pp_status status = pp_config_new(&config, tables, 6);
    if (status == PP_OK)
        status = pp_arena_new(&arena);
    printf("%-12s %-62s %8s %5s %8s %10s %8s %6s %6s\n", "model", "fabric", "tiles", "templ", "map s", "tiles/s", "apart s", "ratio",
           "MB");
    for (size_t i = 0; status == PP_OK && i < sizeof cases / sizeof *cases; i++)
        if (all || !cases[i].large)
            status = run(cases[i].model, cases[i].fabric, cases[i].apart, config, arena);
    if (status != PP_OK)
        fprintf(stderr, "%s\n", pp_error_text());
    pp_arena_free(arena);
    pp_config_free(config);
    return status == PP_OK ? 0 : 1;
}
