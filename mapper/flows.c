/* Logical flows: which tile needs which channels of which stream, and who emits them. */
#include "mapper/mapper_internal.h"
#include "quant/scale_stage.h"

#include <stdlib.h>

void pp_tile_slice(const pp_stage *stage, const pp_tile *tile, uint32_t *lo, uint32_t *hi)
{
    /* A stage that ends in a flatten may turn each fired channel into several stream channels. */
    uint32_t scale = stage->out.c / stage->fire.c;
    *lo = tile->out_lo * scale;
    *hi = tile->out_hi * scale;
}

/* One scale for all row tiles: every one of them must see all of the input channels that it is the largest of. */
static void whole_vector(const pp_qnetwork *q, const pp_tile *tile, uint32_t *lo, uint32_t *hi)
{
    const pp_stage *stage = &q->stages->stage[tile->stage];
    const pp_op *op = &q->net->ops[stage->matrix];
    const uint32_t width = op->kind == PP_OP_CONV ? stage->in.c / op->groups : stage->in.c;
    if (!pp_qrescales(q, tile->stage) || q->options.activation_scale != PP_QSCALE_TOKEN)
        return;
    *lo = *lo / width * width;
    *hi = (*hi + width - 1) / width * width;
}

bool pp_tile_needs(const pp_qnetwork *q, const pp_tile *tile, uint32_t k, uint32_t *lo, uint32_t *hi)
{
    const pp_stage_input *input = &q->stages->stage[tile->stage].inputs[k];
    switch (input->role) {
    case PP_ROLE_MATRIX:
        *lo = tile->in_lo;
        *hi = tile->in_hi;
        whole_vector(q, tile, lo, hi);
        return true;
    case PP_ROLE_ADD:
        *lo = tile->out_lo;
        *hi = tile->out_hi;
        return tile->head;
    case PP_ROLE_DATA: {
        const pp_op *op = &q->net->ops[q->stages->stage[tile->stage].first_op];
        *lo = op->part ? op->part[k][0] : 0;
        *hi = op->part ? op->part[k][1] : pp_stream_shape(q->net, q->stages, input->stream).c;
        return true;
    }
    }
    return false;
}

void pp_flow_cut(const pp_mapping *m, const pp_qnetwork *q, const pp_flow *flow, pp_shape *map, pp_patch *patch)
{
    uint32_t stage = m->tile[flow->src].stage;
    bool psum = flow->kind == PP_FLOW_PSUM;
    *map = psum ? q->stages->stage[stage].fire : q->stages->stage[stage].out;
    *patch = psum ? m->plan[stage].patch : m->plan[stage].out_patch;
}

/* ---- building ---- */

typedef PP_VEC(pp_flow) flow_list;

typedef struct pp_flow_builder {
    const pp_qnetwork *q;
    pp_mapping *m;
    flow_list list;
} pp_flow_builder;

static bool add(pp_flow_builder *b, pp_flow f, uint32_t value_bits)
{
    pp_shape map;
    pp_patch patch;
    pp_packet_sizes sizes;
    const pp_tile *src = &b->m->tile[f.src];
    pp_flow_cut(b->m, b->q, &f, &map, &patch);
    pp_packet_sizes_of(&sizes, map, patch, src->copy, b->m->plan[src->stage].copies);
    f.bits_per_pixel = (f.ch_hi - f.ch_lo) * value_bits;
    f.net = PP_NONE;
    for (uint32_t kind = 0; kind < 4; kind++) {
        f.positions += sizes.count[kind];
        f.bits += (uint64_t)sizes.count[kind] * sizes.pixels[kind] * f.bits_per_pixel;
    }
    return pp_push(&b->list, f);
}

/* Flows of input k into one tile: from every copy, from each column whose slice overlaps. */
static bool add_input(pp_flow_builder *b, uint32_t tile, uint32_t k)
{
    const pp_stage_input *input = &b->q->stages->stage[b->m->tile[tile].stage].inputs[k];
    uint32_t need_lo, need_hi;
    if (input->stream == 0 || !pp_tile_needs(b->q, &b->m->tile[tile], k, &need_lo, &need_hi))
        return true;
    uint32_t producer = input->stream - 1;
    const pp_plan *plan = &b->m->plan[producer];
    for (uint32_t copy = 0; copy < plan->copies; copy++)
        for (uint32_t col = 0; col < plan->col_tiles; col++) {
            uint32_t lo, hi, src = pp_head_tile(plan, copy, col);
            pp_tile_slice(&b->q->stages->stage[producer], &b->m->tile[src], &lo, &hi);
            lo = lo > need_lo ? lo : need_lo;
            hi = hi < need_hi ? hi : need_hi;
            if (lo >= hi)
                continue;
            pp_flow f = {
                .src = src, .dst = tile, .input = (uint8_t)k, .stream = input->stream, .ch_lo = lo, .ch_hi = hi};
            f.kind = input->role == PP_ROLE_ADD ? PP_FLOW_RESIDUAL : PP_FLOW_ACTIVATION;
            if (!add(b, f, b->q->stream[input->stream].bits))
                return false;
        }
    return true;
}

/* Row tile to which row tile `row` of `n` sends its partial sums; the head is n - 1. */
static uint32_t sum_at(uint32_t reduction, uint32_t row, uint32_t n)
{
    if (reduction == PP_REDUCE_STAR)
        return n - 1;
    if (reduction == PP_REDUCE_CHAIN)
        return row + 1;
    /* Binary heap counted from the head: parent of i is (i - 1) / 2. */
    return n - 1 - (n - 1 - row - 1) / 2;
}

static bool add_psums(pp_flow_builder *b, uint32_t tile)
{
    const pp_tile *dst = &b->m->tile[tile];
    const pp_plan *plan = &b->m->plan[dst->stage];
    for (uint32_t row = 0; row < dst->row; row++) {
        if (sum_at(plan->reduction, row, plan->row_tiles) != dst->row)
            continue;
        pp_flow f = {.src = tile - dst->row + row,
                     .dst = tile,
                     .kind = PP_FLOW_PSUM,
                     .stream = dst->stage + 1,
                     .ch_lo = dst->out_lo,
                     .ch_hi = dst->out_hi};
        if (!add(b, f, b->q->psum_bits))
            return false;
    }
    return true;
}

pp_status pp_flows_build(pp_mapping *m, const pp_qnetwork *q)
{
    pp_flow_builder b = {.q = q, .m = m};
    bool ok = true;
    m->flow_of_tile_first = pp_calloc(m->n_tiles + 1u, sizeof *m->flow_of_tile_first);
    if (!m->flow_of_tile_first)
        return PP_ENOMEM;
    for (uint32_t t = 0; t < m->n_tiles && ok; t++) {
        for (uint32_t k = 0; k < q->stages->stage[m->tile[t].stage].n_inputs && ok; k++)
            ok = add_input(&b, t, k);
        ok = ok && add_psums(&b, t);
        m->flow_of_tile_first[t + 1] = (uint32_t)b.list.len;
    }
    m->flow = b.list.data;
    m->n_flows = (uint32_t)b.list.len;
    m->flow_of_tile = ok ? pp_alloc(b.list.len, sizeof *m->flow_of_tile) : NULL;
    if (!m->flow_of_tile)
        return PP_ENOMEM;
    for (uint32_t f = 0; f < m->n_flows; f++)
        m->flow_of_tile[f] = f; /* flows are built in the order of their consumers */
    return PP_OK;
}
