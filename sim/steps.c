/* From stream functions to what each firing of each tile waits for and lets go. */
#include "sim/pipeline_internal.h"

#include <stdlib.h>

/* Tables of one input of one stage, and the steps cut from them for (consumer copy, source copy). */
typedef struct pp_input_tables {
    uint32_t *last, *first, firings;
    uint32_t copies, sources, positions; /* consumer copies, source copies, positions of the stream */
    pp_sim_step **of;                    /* [copies x sources], made when first asked for */
} pp_input_tables;

pp_patch pp_sim_stream_patch(const pp_sim *s, uint32_t stream)
{
    return stream == 0 ? (pp_patch){1, 1} : s->m->plan[stream - 1].out_patch;
}

static pp_status tables_fill(pp_input_tables *t, const pp_sim *s, uint32_t stage, uint32_t k)
{
    const pp_plan *plan = &s->m->plan[stage];
    uint32_t stream = s->q->stages->stage[stage].inputs[k].stream;
    pp_patch in = pp_sim_stream_patch(s, stream);
    t->firings = plan->positions;
    t->copies = plan->copies;
    t->sources = stream == 0 ? 1 : s->m->plan[stream - 1].copies;
    t->positions = pp_positions(pp_stream_shape(s->q->net, s->q->stages, stream), in);
    t->last = pp_calloc(t->firings, sizeof *t->last);
    t->first = pp_calloc(t->firings, sizeof *t->first);
    t->of = pp_calloc((size_t)t->copies * t->sources, sizeof *t->of);
    if (!t->last || !t->first || !t->of)
        return PP_ENOMEM;
    pp_stage_tables(s->q->net, s->q->stages, stage, k, plan->patch, in, t->last, t->first);
    return PP_OK;
}

static void tables_clear(pp_input_tables *t)
{
    free(t->last);
    free(t->first);
    free(t->of);
    *t = (pp_input_tables){0};
}

/* A firing reads its inputs when it starts, so what no later firing of the tile needs is dropped then. With
 * copies a tile may not need the first packets of an inference at all: the last firing before drops them. */
static pp_sim_step *steps_cut(pp_sim *s, const pp_input_tables *t, uint32_t copy, uint32_t source)
{
    uint32_t own = pp_sim_share(t->firings, copy, t->copies);
    pp_sim_step *step = pp_arena_get(s->arena, own, sizeof *step);
    for (uint32_t j = 0; step && j < own; j++) {
        uint32_t p = copy + j * t->copies;
        bool ends = j + 1 == own;
        step[j].need = pp_sim_share(t->last[p] + 1, source, t->sources);
        step[j].drop = pp_sim_share(t->first[ends ? copy : p + t->copies], source, t->sources);
        if (ends)
            step[j].drop += pp_sim_share(t->positions, source, t->sources);
    }
    return step;
}

static const pp_sim_step *steps_of(pp_sim *s, pp_input_tables *t, uint32_t copy, uint32_t source)
{
    pp_sim_step **slot = &t->of[copy * t->sources + source];
    if (!*slot)
        *slot = steps_cut(s, t, copy, source);
    return *slot;
}

/* Steps of input k for all tiles of the stage that take it. */
static pp_status give_steps(pp_sim *s, pp_input_tables *t, uint32_t stage, uint32_t k)
{
    const pp_plan *plan = &s->m->plan[stage];
    for (uint32_t i = plan->first_tile; i < plan->first_tile + plan->n_tiles; i++)
        for (uint32_t n = 0; n < s->tile[i].n_in; n++) {
            uint32_t flow = s->in_flow[s->tile[i].first_in + n];
            pp_sim_flow *f = &s->flow[flow];
            if (s->m->flow[flow].input != k)
                continue;
            f->step = steps_of(s, t, s->tile[i].copy, s->tile[f->src].copy);
            if (!f->step)
                return PP_ENOMEM;
            f->need = f->step[0].need;
            f->released = pp_sim_share(t->first[s->tile[i].copy], s->tile[f->src].copy, t->sources);
            s->tile[i].missing += f->need > 0;
        }
    return PP_OK;
}

/* Pixels that the tap of a tile holds: room for two of the widest windows, so that a whole window can
 * come in while another is in use. */
static uint32_t tap_room(const pp_sim_step *step, uint32_t own, uint32_t first)
{
    uint32_t widest = 1;
    for (uint32_t j = 0; j < own; j++) {
        uint32_t kept = j ? step[j - 1].drop : first;
        if (step[j].need > kept && step[j].need - kept > widest)
            widest = step[j].need - kept;
    }
    return 2 * widest;
}

static pp_status give_taps(pp_sim *s, pp_input_tables *t, uint32_t stage, uint32_t k, bool limited)
{
    const pp_plan *plan = &s->m->plan[stage];
    bool heads_only = s->q->stages->stage[stage].inputs[k].role == PP_ROLE_ADD;
    for (uint32_t i = plan->first_tile; i < plan->first_tile + plan->n_tiles; i++) {
        pp_sim_tile *tile = &s->tile[i];
        if (heads_only && !tile->head)
            continue;
        pp_sim_tap *tap = &s->feed.tap[tile->first_tap + tile->n_tap++];
        *tap = (pp_sim_tap){.tile = i, .step = steps_of(s, t, tile->copy, 0), .released = t->first[tile->copy]};
        if (!tap->step)
            return PP_ENOMEM;
        uint32_t room = tap_room(tap->step, tile->firings, (uint32_t)tap->released);
        if (limited && room > s->feed.capacity)
            s->feed.capacity = room;
    }
    return PP_OK;
}

static pp_status stage_inputs(pp_sim *s, uint32_t stage, bool limited)
{
    const pp_stage *st = &s->q->stages->stage[stage];
    pp_input_tables t = {0};
    pp_status status = PP_OK;
    for (uint32_t k = 0; k < st->n_inputs && status == PP_OK; k++) {
        status = tables_fill(&t, s, stage, k);
        if (status == PP_OK)
            status = st->inputs[k].stream == 0 ? give_taps(s, &t, stage, k, limited) : give_steps(s, &t, stage, k);
        tables_clear(&t);
    }
    return status;
}

/* Taps stand by tile, as many for each as its stage has inputs from stream 0. */
static pp_status taps_reserve(pp_sim *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->m->n_tiles; i++) {
        const pp_stage *st = &s->q->stages->stage[s->tile[i].stage];
        s->tile[i].first_tap = n;
        for (uint32_t k = 0; k < st->n_inputs; k++)
            n += st->inputs[k].stream == 0 && (st->inputs[k].role != PP_ROLE_ADD || s->tile[i].head);
    }
    s->feed.n_taps = n;
    s->feed.tap = pp_arena_get(s->arena, n, sizeof *s->feed.tap);
    return s->feed.tap ? PP_OK : PP_ENOMEM;
}

static pp_status feed_finish(pp_sim *s)
{
    uint64_t size = 1;
    while (size < s->feed.capacity)
        size *= 2;
    s->feed.mask = size - 1;
    for (uint32_t i = 0; i < s->feed.n_taps; i++)
        if (i == 0 || s->feed.tap[i].released < s->feed.released)
            s->feed.released = s->feed.tap[i].released;
    s->feed.arrival_ps = pp_arena_get(s->arena, size, sizeof *s->feed.arrival_ps);
    return s->feed.arrival_ps ? PP_OK : PP_ENOMEM;
}

/* Positions that each firing of a pooled stage completes. */
static pp_status stage_emission(pp_sim *s, uint32_t stage)
{
    const pp_plan *plan = &s->m->plan[stage];
    if (s->q->stages->stage[stage].pool == PP_NONE)
        return PP_OK;
    if (plan->copies != 1)
        return pp_fail(PP_EINVAL, "stage '%s': pooling behind %u copies, expected one copy",
                       s->q->stages->stage[stage].name, plan->copies);
    uint32_t *emitted = pp_arena_get(s->arena, plan->positions, sizeof *emitted);
    if (!emitted)
        return PP_ENOMEM;
    pp_stage_emission(s->q->net, s->q->stages, stage, plan->patch, emitted);
    for (uint32_t p = plan->positions - 1; p > 0; p--)
        emitted[p] -= emitted[p - 1];
    for (uint32_t i = plan->first_tile; i < plan->first_tile + plan->n_tiles; i++)
        if (s->tile[i].head)
            s->tile[i].emission = emitted;
    return PP_OK;
}

pp_status pp_sim_steps_build(pp_sim *s)
{
    bool limited = false;
    for (uint32_t f = 0; f < s->m->n_flows; f++)
        limited = limited || s->m->flow[f].buffer > 0;
    PP_TRY(taps_reserve(s));
    for (uint32_t i = 0; i < s->m->n_stages; i++) {
        PP_TRY(stage_inputs(s, i, limited));
        PP_TRY(stage_emission(s, i));
    }
    return feed_finish(s);
}
