/* Plan, fabric, placement, analysis in one go; and the life of a mapping. */
#include "mapper/mapper_internal.h"
#include "mapper/place_internal.h"

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

/* Whether tile t on core t needs no channel twice and no second hop. */
static bool embeds_in_order(const pp_fabric *fabric, const pp_mapping *m)
{
    pp_map_options options = {.placement = "linear"};
    pp_mapping trial = {.n_stages = m->n_stages,
                        .n_tiles = m->n_tiles,
                        .n_flows = m->n_flows,
                        .plan = m->plan,
                        .tile = pp_alloc(m->n_tiles, sizeof *trial.tile),
                        .flow = pp_alloc(m->n_flows, sizeof *trial.flow)};
    bool fits = trial.tile && trial.flow;
    if (fits) {
        memcpy(trial.tile, m->tile, m->n_tiles * sizeof *m->tile);
        if (m->n_flows)
            memcpy(trial.flow, m->flow, m->n_flows * sizeof *m->flow);
        fits = pp_map_place(&trial, fabric, &options, 0, NULL) == PP_OK && trial.certificate == PP_CERT_EMBEDDING;
    }
    pp_mapping_clear_routes(&trial);
    free(trial.tile);
    free(trial.flow);
    return fits;
}

/* Columns that an embedding in `rows` rows takes, 0: none was found. A long row first, then what is used. */
static pp_status embedding_cols(uint32_t *cols, const pp_fabric_options *asked, int64_t rows, const pp_mapping *m)
{
    pp_fabric_options o = *asked;
    pp_fabric *fabric = NULL;
    pp_task *task = NULL;
    bool found = false;
    pp_status status;
    uint32_t *core = pp_alloc(m->n_tiles, sizeof *core);
    *cols = 0;
    if (!core)
        return PP_ENOMEM;
    o.rows = rows;
    o.cols = 2 * m->n_tiles / rows + 8;
    PP_GOTO(done, status, pp_fabric_build(&fabric, &o));
    PP_GOTO(done, status, pp_task_new(&task, m, fabric));
    PP_GOTO(done, status, pp_embed(task, core, &found));
    for (uint32_t t = 0; found && t < m->n_tiles; t++) {
        uint32_t end = (uint32_t)fabric->vertex[fabric->core_vertex[core[t]]].coord[1] + 1;
        *cols = end > *cols ? end : *cols;
    }
done:
    pp_task_free(task);
    pp_fabric_free(fabric);
    free(core);
    return status;
}

enum { EMBEDDING_ROWS = 8 };

/* Networks of blocks embed in few long rows: the number of rows that takes the fewest cores. */
static pp_status embed_in_rows(pp_fabric **out, pp_fabric_options *options, const pp_fabric_options *asked,
                               const pp_mapping *m)
{
    uint64_t fewest = UINT64_MAX;
    for (int64_t rows = 2; rows <= EMBEDDING_ROWS; rows++) {
        uint32_t cols;
        PP_TRY(embedding_cols(&cols, asked, rows, m));
        if (!cols || (uint64_t)rows * cols >= fewest)
            continue;
        fewest = (uint64_t)rows * cols;
        *options = *asked;
        options->rows = rows;
        options->cols = cols;
    }
    return fewest == UINT64_MAX ? PP_OK : pp_fabric_build(out, options);
}

static int64_t root_of(int64_t n)
{
    int64_t r = 1;
    while ((r + 1) * (r + 1) <= n)
        r++;
    return r;
}

/* A flow longer than `reach` is no embedding; looking at them costs less than a trial. */
static bool may_embed_in_order(const pp_fabric *fabric, const pp_mapping *m)
{
    bool may = fabric->rows == 1;
    for (uint32_t f = 0; f < m->n_flows && may; f++) {
        uint32_t a = m->flow[f].src, b = m->flow[f].dst;
        may = (a > b ? a - b : b - a) <= fabric->reach || fabric->wrap;
    }
    return may;
}

pp_status pp_map_fabric(pp_fabric **out, pp_fabric_options *fabric_options, const pp_mapping *m)
{
    bool free_rows = fabric_options->rows == 0 && fabric_options->cols == 0;
    pp_fabric_options asked = *fabric_options;
    *out = NULL;
    PP_TRY(pp_fabric_fit(fabric_options, m->n_tiles));
    PP_TRY(pp_fabric_build(out, fabric_options));
    bool row = free_rows && fabric_options->rows == 1 && m->n_tiles > 8;
    if (!row || (may_embed_in_order(*out, m) && embeds_in_order(*out, m)))
        return PP_OK;
    pp_fabric_free(*out);
    *out = NULL;
    PP_TRY(embed_in_rows(out, fabric_options, &asked, m));
    if (*out)
        return PP_OK;
    *fabric_options = asked;
    fabric_options->rows = root_of(m->n_tiles);
    PP_TRY(pp_fabric_fit(fabric_options, m->n_tiles));
    return pp_fabric_build(out, fabric_options);
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
    if (!file)
        PP_TRY(pp_map_fabric(fabric, fabric_options, *m));
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
