/* pentaprism as a library: map a network on a fabric, simulate it, print what came out.
 *
 *   cc embed.c $(pkg-config --cflags --libs pentaprism) -o embed
 *   ./embed resnet32-cifar10 5pp
 *   ./embed resnet32-cifar10 mesh:rows=6,cols=6
 *
 * Every step takes what the one before it made and is freed in reverse order; each fails with a status
 * and one line of text. */
#include "sim/sim.h"

#include <stdio.h>

/* What the steps make. Options hold texts that the configuration and the arena own. */
typedef struct example {
    pp_config *config;
    pp_arena *arena;
    pp_network *net;
    pp_stages *stages;
    pp_qnetwork *q;
    pp_fabric *fabric;
    pp_mapping *mapping;
    pp_run_result *result;
} example;

/* All settings at their defaults, but for the hardware of joshi2020. */
static pp_status configure(example *e)
{
    const pp_knob_table tables[] = {pp_quant_knobs(), pp_arch_knobs(), pp_fabric_knobs(), pp_map_knobs(),
                                    pp_sim_knobs()};
    PP_TRY(pp_config_new(&e->config, tables, sizeof tables / sizeof *tables));
    PP_TRY(pp_config_set(e->config, "arch.preset=5pp-2019"));
    PP_TRY(pp_config_set(e->config, "fabric.lanes=4")); /* stands here to show a setting: the preset says so, too */
    return pp_config_set(e->config, "simulate.images=20");
}

/* From settings to a simulated pipeline. */
static pp_status simulate(example *e, const char *model, const char *fabric)
{
    pp_quant_options quant = {0}; /* zeros first: some fields have no setting in their table */
    pp_fabric_options fabric_options = {0};
    pp_map_options map_options = {0};
    pp_sim_options sim_options = {0};
    pp_arch arch;
    pp_knob_table table = pp_quant_knobs();
    PP_TRY(pp_config_bind(e->config, &table, &quant));
    table = pp_fabric_knobs();
    PP_TRY(pp_config_bind(e->config, &table, &fabric_options));
    table = pp_map_knobs();
    PP_TRY(pp_config_bind(e->config, &table, &map_options));
    table = pp_sim_knobs();
    PP_TRY(pp_config_bind(e->config, &table, &sim_options));
    PP_TRY(pp_arch_resolve(&arch, e->config));
    PP_TRY(pp_fabric_parse(&fabric_options, e->arena, fabric));

    PP_TRY(pp_model_open(&e->net, model));
    PP_TRY(pp_stages_build(&e->stages, e->net));
    /* Without calibration data: widths only, which is all that time depends on. */
    PP_TRY(pp_quantize(&e->q, e->net, e->stages, &quant, NULL, NULL));
    PP_TRY(pp_map(&e->mapping, &e->fabric, e->q, &arch, &fabric_options, &map_options, 1, NULL));
    return pp_simulate(&e->result, e->q, &arch, e->fabric, e->mapping, &sim_options, NULL, NULL, NULL);
}

static void print(const example *e)
{
    const pp_mapping *m = e->mapping;
    const pp_run_result *r = e->result;
    printf("%s on %s: %u cores, certificate %s\n", e->net->name, e->fabric->name, m->cores_used,
           pp_certificate_name(m->certificate));
    printf("%.0f images/s (one every %.3f us, bound %.3f us), first image after %.2f us\n", r->throughput_ips,
           (double)r->interval_ps * 1e-6, (double)m->bounds.interval_ps * 1e-6, (double)r->latency_first_ps * 1e-6);
}

static void release(example *e)
{
    pp_run_result_free(e->result);
    pp_mapping_free(e->mapping);
    pp_fabric_free(e->fabric);
    pp_qnetwork_free(e->q);
    pp_stages_free(e->stages);
    pp_network_free(e->net);
    pp_arena_free(e->arena);
    pp_config_free(e->config);
}

int main(int argc, char **argv)
{
    example e = {0};
    pp_status status = pp_arena_new(&e.arena);
    if (status == PP_OK)
        status = configure(&e);
    if (status == PP_OK)
        status = simulate(&e, argc > 1 ? argv[1] : "resnet32-cifar10", argc > 2 ? argv[2] : "5pp");
    if (status == PP_OK)
        print(&e);
    else
        fprintf(stderr, "embed: %s\n", pp_error_text());
    release(&e);
    return status == PP_OK ? 0 : 1;
}
