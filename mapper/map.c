/* Plan, fabric, placement, analysis in one go; and the life of a mapping. */
#include "mapper/mapper_internal.h"

#include <stdlib.h>
#include <string.h>

void pp_mapping_free(pp_mapping *m)
{
    if (!m)
        return;
    free(m->plan);
    free(m->tile);
    free(m->flow);
    free(m->flow_of_tile_first);
    free(m->flow_of_tile);
    pp_mapping_clear_routes(m);
    free(m);
}

/* A channel of one pitch as the fabric's generator makes it. */
static pp_channel channel_of(const pp_fabric_options *o)
{
    double gbps = o->rate_gbps > 0 ? o->rate_gbps : (double)o->width_bits * o->clock_hz * 1e-9;
    return (pp_channel){.kind = PP_CHANNEL_NETWORK,
                        .lanes = (uint32_t)o->lanes,
                        .lane_gbps = gbps,
                        .latency_ps = (uint32_t)(o->wire_ps + o->router_ps),
                        .length = 1};
}

/* The plan needs a channel before there is a fabric, and a generated fabric its size from the plan. A
 * fabric from a file is there at once. */
static pp_status plan_and_build(pp_mapping **m, pp_fabric **fabric, const pp_qnetwork *q, const pp_arch *arch,
                                pp_fabric_options *fabric_options, const pp_map_options *options)
{
    pp_channel channel = channel_of(fabric_options);
    bool file = strncmp(fabric_options->kind, "file", 4) == 0;
    if (file) {
        PP_TRY(pp_fabric_build(fabric, fabric_options));
        if ((*fabric)->n_network)
            channel = (*fabric)->channel[0];
    }
    PP_TRY(pp_map_plan(m, q, arch, &channel, (uint32_t)fabric_options->header_bits, options));
    if (!file) {
        PP_TRY(pp_fabric_fit(fabric_options, (*m)->n_tiles));
        PP_TRY(pp_fabric_build(fabric, fabric_options));
    }
    if ((*fabric)->n_cores < (*m)->n_tiles)
        return pp_fail(PP_EINFEASIBLE, "fabric %s has %u cores, %s takes %u", (*fabric)->name, (*fabric)->n_cores,
                       q->net->name, (*m)->n_tiles);
    return PP_OK;
}

pp_status pp_map(pp_mapping **out, pp_fabric **out_fabric, const pp_qnetwork *q, const pp_arch *arch,
                 pp_fabric_options *fabric_options, const pp_map_options *options, uint64_t seed, pp_pool *pool)
{
    pp_mapping *m = NULL;
    pp_fabric *fabric = NULL;
    pp_status status;
    *out = NULL;
    *out_fabric = NULL;
    PP_GOTO(done, status, plan_and_build(&m, &fabric, q, arch, fabric_options, options));
    PP_GOTO(done, status, pp_map_place(m, fabric, options, seed, pool));
    PP_GOTO(done, status, pp_map_analyse(m, q, arch, fabric, options));
    *out = m;
    *out_fabric = fabric;
    m = NULL;
    fabric = NULL;
done:
    pp_mapping_free(m);
    pp_fabric_free(fabric);
    return status;
}
