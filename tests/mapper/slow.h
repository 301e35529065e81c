/* The recurrence by its definition: each time is a function of others, remembered once known. Slow,
 * with windows computed pixel by pixel from pp_op_reads, and with finite buffers when asked. */
#ifndef PP_TEST_MAPPER_SLOW_H
#define PP_TEST_MAPPER_SLOW_H

#include "fixture.h"

#define SLOW_UNKNOWN UINT64_MAX
#define SLOW_BUSY (UINT64_MAX - 1) /* being computed: asking again is a deadlock */

typedef struct slow {
    const pp_mapping *m;
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_channel *channel;
    uint32_t inferences;
    uint64_t period;
    const uint32_t *capacity; /* [n_flows] NULL or 0: unlimited */
    uint64_t **start, **done; /* [tile][inference x positions of the stage] */
    uint64_t **enter;         /* [flow][packet] */
    bool deadlock;
} slow;

static inline pp_shape slow_shape(const slow *s, uint32_t stream)
{
    return pp_stream_shape(s->q->net, s->q->stages, stream);
}

static inline uint32_t slow_cut(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

/* Position of pixel (y, x) in a map cut into patches. */
static inline uint32_t slow_position(pp_shape map, pp_patch patch, uint32_t y, uint32_t x)
{
    return y / patch.y * slow_cut(map.w, patch.x) + x / patch.x;
}

static inline pp_rect slow_patch(pp_shape map, pp_patch patch, uint32_t p)
{
    uint32_t nx = slow_cut(map.w, patch.x), y = p / nx * patch.y, x = p % nx * patch.x;
    uint32_t y1 = y + patch.y - 1, x1 = x + patch.x - 1;
    return (pp_rect){.y0 = y, .x0 = x, .y1 = y1 < map.h ? y1 : map.h - 1, .x1 = x1 < map.w ? x1 : map.w - 1};
}

static inline pp_patch slow_in_patch(const slow *s, uint32_t stream)
{
    return stream ? s->m->plan[stream - 1].out_patch : (pp_patch){1, 1};
}

/* Positions of input k that firing p itself reads: lowest and highest. */
static inline bool slow_reads(const slow *s, uint32_t stage, uint32_t k, uint32_t p, uint32_t *lo, uint32_t *hi)
{
    const pp_stage *st = &s->q->stages->stage[stage];
    pp_shape map = slow_shape(s, st->inputs[k].stream);
    pp_rect out = slow_patch(st->fire, s->m->plan[stage].patch, p), in = out;
    if (s->q->net->ops[st->first_op].kind == PP_OP_LINEAR) /* the map before the flatten */
        in = (pp_rect){.y1 = map.h - 1, .x1 = map.w - 1};
    else if (st->inputs[k].role != PP_ROLE_ADD && !pp_op_reads(s->q->net, st->first_op, k, out, &in))
        return false;
    pp_patch patch = slow_in_patch(s, st->inputs[k].stream);
    *lo = UINT32_MAX;
    *hi = 0;
    for (uint32_t y = in.y0; y <= in.y1; y++)
        for (uint32_t x = in.x0; x <= in.x1; x++) {
            uint32_t at = slow_position(map, patch, y, x);
            *lo = at < *lo ? at : *lo;
            *hi = at > *hi ? at : *hi;
        }
    return true;
}

static inline uint32_t slow_last(const slow *s, uint32_t stage, uint32_t k, uint32_t p)
{
    uint32_t last = 0, lo, hi;
    for (uint32_t i = 0; i <= p; i++)
        if (slow_reads(s, stage, k, i, &lo, &hi) && hi > last)
            last = hi;
    return last;
}

/* Positions below this are never read again from firing p on; all when p is past the end. */
static inline uint32_t slow_first(const slow *s, uint32_t stage, uint32_t k, uint32_t p)
{
    uint32_t first = UINT32_MAX, lo, hi;
    for (uint32_t i = p; i < s->m->plan[stage].positions; i++)
        if (slow_reads(s, stage, k, i, &lo, &hi) && lo < first)
            first = lo;
    return first;
}

/* Firing after which position e of the stage's stream is complete. */
static inline uint32_t slow_emitter(const slow *s, uint32_t stage, uint32_t e)
{
    const pp_stage *st = &s->q->stages->stage[stage];
    const pp_plan *plan = &s->m->plan[stage];
    uint32_t at = 0;
    if (st->pool == PP_NONE)
        return e;
    for (uint32_t i = 0; i <= e; i++) {
        pp_rect one = {.y0 = i / st->out.w, .x0 = i % st->out.w, .y1 = i / st->out.w, .x1 = i % st->out.w}, in;
        if (!pp_op_reads(s->q->net, st->pool, 0, one, &in))
            continue;
        uint32_t p = slow_position(st->fire, plan->patch, in.y1, in.x1);
        at = p > at ? p : at;
    }
    return at;
}

static inline uint64_t slow_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t slow_done(slow *s, uint32_t tile, uint32_t inference, uint32_t p);
static inline uint64_t slow_start(slow *s, uint32_t tile, uint32_t inference, uint32_t p);

/* Firing of the source tile that makes packet e (within an inference) of a flow, and its pixels. */
static inline uint32_t slow_source_firing(const slow *s, uint32_t flow, uint32_t e, uint32_t *pixels)
{
    const pp_flow *f = &s->m->flow[flow];
    const pp_tile *src = &s->m->tile[f->src];
    const pp_plan *plan = &s->m->plan[src->stage];
    const pp_stage *st = &s->q->stages->stage[src->stage];
    uint32_t position = src->copy + e * plan->copies;
    if (f->kind == PP_FLOW_PSUM) {
        *pixels = pp_patch_pixels(st->fire, plan->patch, position);
        return position;
    }
    *pixels = pp_patch_pixels(st->out, plan->out_patch, position);
    return slow_emitter(s, src->stage, position);
}

/* When packet n (over all inferences) begins to enter its channel, and its serialisation. */
static inline uint64_t slow_enter(slow *s, uint32_t flow, uint64_t n, uint64_t *serial)
{
    const pp_flow *f = &s->m->flow[flow];
    uint32_t pixels, inference = (uint32_t)(n / f->positions);
    uint32_t p = slow_source_firing(s, flow, (uint32_t)(n % f->positions), &pixels);
    *serial = pp_channel_serialise_ps(s->channel, (uint64_t)pixels * f->bits_per_pixel);
    if (s->enter[flow][n] != SLOW_UNKNOWN)
        return s->enter[flow][n];
    uint64_t t = slow_done(s, f->src, inference, p), before;
    if (n > 0) {
        uint64_t enter = slow_enter(s, flow, n - 1, &before);
        t = slow_max(t, enter + before);
    }
    return s->enter[flow][n] = t;
}

static inline uint64_t slow_arrival(slow *s, uint32_t flow, uint64_t n)
{
    uint64_t serial, t = slow_enter(s, flow, n, &serial);
    return t + serial + s->channel->latency_ps;
}

/* When pixel i of an inference has entered. */
static inline uint64_t slow_pixel(const slow *s, uint32_t inference, uint32_t i)
{
    pp_shape in = slow_shape(s, 0);
    uint64_t pixel = pp_channel_serialise_ps(s->channel, (uint64_t)in.c * s->q->stream[0].bits), t = 0;
    for (uint32_t j = 0; j < inference; j++)
        t = slow_max(t, j * s->period) + in.h * in.w * pixel;
    return slow_max(t, inference * s->period) + (i + 1) * pixel;
}

/* When the consumer gives back packet n of a flow: after the first of its firings behind which the packet
 * is not needed. */
static inline uint64_t slow_released(slow *s, uint32_t flow, uint64_t n)
{
    const pp_flow *f = &s->m->flow[flow];
    const pp_tile *dst = &s->m->tile[f->dst], *src = &s->m->tile[f->src];
    const pp_plan *plan = &s->m->plan[dst->stage];
    uint32_t inference = (uint32_t)(n / f->positions), e = (uint32_t)(n % f->positions);
    uint32_t position = src->copy + e * s->m->plan[src->stage].copies, p = dst->copy;
    while (
        p + plan->copies < plan->positions &&
        !(f->kind == PP_FLOW_PSUM ? p >= position : slow_first(s, dst->stage, f->input, p + plan->copies) > position))
        p += plan->copies;
    return f->kind == PP_FLOW_ACTIVATION ? slow_start(s, f->dst, inference, p) + plan->mvm.interval_ps
                                         : slow_done(s, f->dst, inference, p);
}

/* Room in the buffers of all flows that firing p feeds. */
static inline uint64_t slow_room(slow *s, uint32_t tile, uint32_t inference, uint32_t p)
{
    uint64_t t = 0;
    for (uint32_t i = 0; s->capacity && i < s->m->n_flows; i++) {
        const pp_flow *f = &s->m->flow[i];
        uint32_t pixels;
        if (f->src != tile || !s->capacity[i])
            continue;
        for (uint32_t e = 0; e < f->positions; e++) {
            uint64_t n = (uint64_t)inference * f->positions + e;
            if (slow_source_firing(s, i, e, &pixels) == p && n >= s->capacity[i])
                t = slow_max(t, slow_released(s, i, n - s->capacity[i]));
        }
    }
    return t;
}

static inline uint64_t slow_inputs(slow *s, uint32_t tile, uint32_t inference, uint32_t p)
{
    const pp_tile *me = &s->m->tile[tile];
    const pp_stage *st = &s->q->stages->stage[me->stage];
    uint64_t t = 0;
    for (uint32_t k = 0; k < st->n_inputs; k++)
        if (st->inputs[k].stream == 0 && (st->inputs[k].role != PP_ROLE_ADD || me->head))
            t = slow_max(t, slow_pixel(s, inference, slow_last(s, me->stage, k, p)));
    for (uint32_t i = 0; i < s->m->n_flows; i++) {
        const pp_flow *f = &s->m->flow[i];
        if (f->dst != tile || f->kind == PP_FLOW_PSUM)
            continue;
        uint32_t copies = s->m->plan[s->m->tile[f->src].stage].copies, last = slow_last(s, me->stage, f->input, p);
        for (uint32_t e = 0; e < f->positions; e++)
            if (s->m->tile[f->src].copy + e * copies <= last)
                t = slow_max(t, slow_arrival(s, i, (uint64_t)inference * f->positions + e));
    }
    return t;
}

static inline uint64_t *slow_slot(slow *s, uint64_t **table, uint32_t tile, uint32_t inference, uint32_t p)
{
    return &table[tile][(size_t)inference * s->m->plan[s->m->tile[tile].stage].positions + p];
}

static inline uint64_t slow_start(slow *s, uint32_t tile, uint32_t inference, uint32_t p)
{
    const pp_plan *plan = &s->m->plan[s->m->tile[tile].stage];
    uint64_t *slot = slow_slot(s, s->start, tile, inference, p), t = 0;
    uint32_t copy = s->m->tile[tile].copy;
    if (*slot == SLOW_BUSY)
        s->deadlock = true;
    if (s->deadlock)
        return 0;
    if (*slot != SLOW_UNKNOWN)
        return *slot;
    *slot = SLOW_BUSY;
    if (p >= plan->copies)
        t = slow_start(s, tile, inference, p - plan->copies) + plan->mvm.interval_ps;
    else if (inference > 0) {
        uint32_t before = copy + (plan->positions - 1 - copy) / plan->copies * plan->copies;
        t = slow_start(s, tile, inference - 1, before) + plan->mvm.interval_ps;
    }
    t = slow_max(t, slow_inputs(s, tile, inference, p));
    t = slow_max(t, slow_room(s, tile, inference, p));
    return *slot = t;
}

static inline uint64_t slow_done(slow *s, uint32_t tile, uint32_t inference, uint32_t p)
{
    const pp_tile *me = &s->m->tile[tile];
    uint64_t *slot = slow_slot(s, s->done, tile, inference, p);
    if (*slot != SLOW_UNKNOWN)
        return *slot;
    uint64_t t = slow_start(s, tile, inference, p) + s->m->plan[me->stage].mvm.latency_ps;
    for (uint32_t i = 0; i < s->m->n_flows; i++) {
        const pp_flow *f = &s->m->flow[i];
        uint32_t e = (p - me->copy) / s->m->plan[me->stage].copies;
        if (f->dst == tile && f->kind == PP_FLOW_PSUM)
            t = slow_max(t, slow_arrival(s, i, (uint64_t)inference * f->positions + e));
    }
    return *slot = t + (me->head ? (uint64_t)s->arch->digital_ps : 0);
}

/* When the last result of an inference is complete. */
static inline uint64_t slow_finish(slow *s, uint32_t inference)
{
    const pp_plan *plan = &s->m->plan[s->q->stages->output];
    uint64_t t = 0;
    for (uint32_t i = 0; i < plan->n_tiles; i++)
        for (uint32_t p = s->m->tile[plan->first_tile + i].copy; p < plan->positions; p += plan->copies)
            if (s->m->tile[plan->first_tile + i].head)
                t = slow_max(t, slow_done(s, plan->first_tile + i, inference, p));
    return t;
}

static inline int slow_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Most places of a flow's buffer that are taken at once: those whose firing has started and that are not
 * given back. */
static inline uint32_t slow_places(slow *s, uint32_t flow)
{
    const pp_flow *f = &s->m->flow[flow];
    size_t n = (size_t)f->positions * s->inferences;
    uint64_t *back = malloc(n * sizeof *back), *take = malloc(n * sizeof *take);
    uint32_t most = 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t pixels, p = slow_source_firing(s, flow, (uint32_t)(i % f->positions), &pixels);
        take[i] = slow_start(s, f->src, (uint32_t)(i / f->positions), p);
        back[i] = slow_released(s, flow, i);
    }
    qsort(back, n, sizeof *back, slow_order);
    qsort(take, n, sizeof *take, slow_order);
    for (size_t i = 0; i < n; i++) {
        uint32_t held = 0;
        for (size_t j = 0; j < n; j++)
            held += (uint32_t)(take[j] <= take[i]) - (uint32_t)(back[j] <= take[i]);
        most = held > most && held < n + 1 ? held : most;
    }
    free(back);
    free(take);
    return most;
}

static inline void slow_fill(uint64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = SLOW_UNKNOWN;
}

static inline void slow_open(slow *s, const pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch,
                             const pp_channel *channel, uint32_t inferences, uint64_t period, const uint32_t *capacity)
{
    *s = (slow){.m = m,
                .q = q,
                .arch = arch,
                .channel = channel,
                .inferences = inferences,
                .period = period,
                .capacity = capacity};
    s->start = calloc(m->n_tiles, sizeof *s->start);
    s->done = calloc(m->n_tiles, sizeof *s->done);
    s->enter = calloc(m->n_flows + 1u, sizeof *s->enter);
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        size_t n = (size_t)inferences * m->plan[m->tile[t].stage].positions;
        s->start[t] = malloc(n * sizeof **s->start);
        s->done[t] = malloc(n * sizeof **s->done);
        slow_fill(s->start[t], n);
        slow_fill(s->done[t], n);
    }
    for (uint32_t f = 0; f < m->n_flows; f++) {
        size_t n = (size_t)inferences * m->flow[f].positions;
        s->enter[f] = malloc(n * sizeof **s->enter);
        slow_fill(s->enter[f], n);
    }
}

static inline void slow_close(slow *s)
{
    for (uint32_t t = 0; t < s->m->n_tiles; t++) {
        free(s->start[t]);
        free(s->done[t]);
    }
    for (uint32_t f = 0; f < s->m->n_flows; f++)
        free(s->enter[f]);
    free(s->start);
    free(s->done);
    free(s->enter);
}

#endif
