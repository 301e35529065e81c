/* Patches and copies chosen by the mapper: the shortest interval that the cores allow first, then the
 * shortest latency.
 *
 * All stages that fire over maps of one height (a class) share a patch. For a given interval every
 * class has a list of patches that keep it, each with the copies that it needs then and the tiles that
 * this takes; the shortest interval whose cheapest patches fit the budget is found by bisection. Among
 * the combinations that keep it the recurrence picks. docs/mapping.md sec. 2. */
#include "mapper/mapper_internal.h"

#include <stdlib.h>
#include <string.h>

/* Limits of the second step: combinations, and packets plus firings of all recurrences together (some
 * nanoseconds each). Beyond them it goes on one class after the other. */
#define MAX_COMBINATIONS 4096u
#define MAX_STEPS UINT64_C(200000000)

/* What one stage costs with a patch, one copy. */
typedef struct pp_stage_cost {
    uint32_t tiles, positions;
    uint64_t mvm_ps;    /* interval of one firing */
    uint64_t stream_ps; /* its widest slice of the stream, or of sums, on a channel: an inference */
} pp_stage_cost;

typedef struct pp_candidate {
    pp_patch patch;
    pp_stage_cost *cost; /* [stages of the class] */
    uint64_t tiles;      /* at the interval in question */
    bool keeps;          /* that interval */
} pp_candidate;

typedef struct pp_class {
    uint32_t height, n_stages;
    uint32_t *stage;
    pp_choice given; /* by the user */
    PP_VEC(pp_candidate) candidate;
    uint32_t pick;
} pp_class;

typedef struct pp_search {
    const pp_unroll_spec *spec;
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_channel *channel;
    uint32_t header_bits;
    const pp_map_options *options;
    pp_arena *arena;
    pp_tables *tables;
    pp_choice *choice; /* [n_stages] result, and scratch of evaluations */
    pp_class *class_;
    uint32_t n_classes;
    uint64_t budget, interval_ps;
    uint64_t evaluations; /* that may still be made */
    uint64_t best_latency_ps, best_tiles;
} pp_search;

/* ---- costs ---- */

static bool has_consumer(const pp_qnetwork *q, uint32_t stage)
{
    for (uint32_t s = stage + 1; s < q->stages->n; s++)
        for (uint32_t k = 0; k < q->stages->stage[s].n_inputs; k++)
            if (q->stages->stage[s].inputs[k].stream == stage + 1)
                return true;
    return false;
}

/* Channel time of the widest head's slice of the stream, and of one tile's partial sums. */
static uint64_t stream_time(const pp_search *c, uint32_t stage, const pp_tiling *t, pp_patch patch)
{
    const pp_stage *s = &c->q->stages->stage[stage];
    uint64_t out_ps = 0, sum_ps = 0;
    pp_packet_sizes sizes;
    uint32_t channels = s->fire.c;
    if (s->matrix != PP_NONE)
        channels = t->cols_max / t->widen;
    if (has_consumer(c->q, stage)) {
        pp_packet_sizes_of(&sizes, s->out, pp_stage_out_patch(c->q->stages, stage, patch), 0, 1);
        out_ps = pp_packets_ps(&sizes, c->channel, channels * (s->out.c / s->fire.c) * c->q->stream[stage + 1].bits,
                               c->header_bits);
    }
    if (t->row_tiles > 1) {
        pp_packet_sizes_of(&sizes, s->fire, patch, 0, 1);
        sum_ps = pp_packets_ps(&sizes, c->channel, channels * c->q->psum_bits, c->header_bits);
    }
    return out_ps > sum_ps ? out_ps : sum_ps;
}

static bool cost_of(pp_stage_cost *cost, const pp_search *c, uint32_t stage, pp_patch patch)
{
    pp_tiling t;
    patch = pp_patch_clamp(patch, c->q->stages->stage[stage].fire);
    if (!pp_tiling_try(&t, c->q, c->arch, stage, patch))
        return false;
    cost->tiles = t.row_tiles * t.col_tiles;
    cost->positions = pp_positions(c->q->stages->stage[stage].fire, patch);
    cost->mvm_ps = pp_stage_mvm(c->q, c->arch, stage, &t).interval_ps;
    cost->stream_ps = stream_time(c, stage, &t, patch);
    return true;
}

/* Fewest copies that keep `interval_ps`; 0 when none do. */
static uint64_t copies_needed(const pp_search *c, const pp_class *k, uint32_t stage, const pp_stage_cost *cost,
                              uint64_t interval_ps)
{
    bool may = pp_stage_may_copy(&c->q->stages->stage[stage]);
    uint64_t n = may && !c->spec->auto_copies ? k->given.copies : 1;
    if (n > cost->positions)
        n = cost->positions;
    if (cost->mvm_ps > interval_ps)
        return 0;
    if (may && c->spec->auto_copies) {
        uint64_t at_once = cost->mvm_ps ? interval_ps / cost->mvm_ps : cost->positions;
        uint64_t by_core = (cost->positions + at_once - 1) / at_once;
        uint64_t by_channel = (cost->stream_ps + interval_ps - 1) / interval_ps;
        n = by_core > by_channel ? by_core : by_channel;
        return n <= cost->positions ? (n ? n : 1) : 0;
    }
    uint64_t firings = (cost->positions + n - 1) / n;
    return firings * cost->mvm_ps <= interval_ps && cost->stream_ps <= interval_ps * n ? n : 0;
}

/* Marks the candidates that keep the interval, counts their tiles; the fewest of any, UINT64_MAX if none. */
static uint64_t try_class(const pp_search *c, pp_class *k, uint64_t interval_ps)
{
    uint64_t fewest = UINT64_MAX;
    for (size_t i = 0; i < k->candidate.len; i++) {
        pp_candidate *d = &k->candidate.data[i];
        d->tiles = 0;
        d->keeps = true;
        for (uint32_t s = 0; s < k->n_stages && d->keeps; s++) {
            uint64_t n = copies_needed(c, k, k->stage[s], &d->cost[s], interval_ps);
            d->keeps = n > 0;
            d->tiles += n * d->cost[s].tiles;
        }
        if (d->keeps && d->tiles < fewest) {
            fewest = d->tiles;
            k->pick = (uint32_t)i;
        }
    }
    return fewest;
}

static bool keeps(const pp_search *c, uint64_t interval_ps)
{
    uint64_t tiles = 0;
    for (uint32_t i = 0; i < c->n_classes; i++) {
        uint64_t n = try_class(c, &c->class_[i], interval_ps);
        if (n == UINT64_MAX)
            return false;
        tiles += n;
    }
    return tiles <= c->budget;
}

/* ---- candidates ---- */

static pp_status add_candidate(pp_search *c, pp_class *k, pp_patch patch)
{
    pp_candidate d = {.patch = patch};
    d.cost = pp_arena_get(c->arena, k->n_stages, sizeof *d.cost);
    if (!d.cost)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < k->n_stages; s++)
        if (!cost_of(&d.cost[s], c, k->stage[s], patch))
            return PP_OK;
    return pp_push(&k->candidate, d) ? PP_OK : PP_ENOMEM;
}

/* Whether the patch cuts every map of the class into equal parts. */
static bool divides(const pp_search *c, const pp_class *k, pp_patch patch)
{
    for (uint32_t s = 0; s < k->n_stages; s++) {
        pp_shape map = c->q->stages->stage[k->stage[s]].fire;
        if (map.h % patch.y || map.w % patch.x)
            return false;
    }
    return true;
}

/* Flat patches first: where nothing else decides, a patch of one row waits for fewer rows. */
static pp_status list_candidates(pp_search *c, pp_class *k)
{
    pp_shape map = c->q->stages->stage[k->stage[0]].fire;
    if (!c->spec->auto_patch)
        return add_candidate(c, k, k->given.patch);
    for (uint32_t y = 1; y <= map.h; y++)
        for (uint32_t x = 1; x <= map.w; x++)
            if (map.h % y == 0 && map.w % x == 0 && divides(c, k, (pp_patch){y, x}))
                PP_TRY(add_candidate(c, k, (pp_patch){y, x}));
    return PP_OK;
}

static pp_class *class_of_height(pp_search *c, uint32_t height)
{
    for (uint32_t i = 0; i < c->n_classes; i++)
        if (c->class_[i].height == height)
            return &c->class_[i];
    c->class_[c->n_classes] = (pp_class){.height = height, .given = pp_unroll_of(c->spec, height)};
    return &c->class_[c->n_classes++];
}

static pp_status list_classes(pp_search *c)
{
    uint32_t n = c->q->stages->n;
    c->class_ = pp_arena_get(c->arena, n, sizeof *c->class_);
    if (!c->class_)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < n; s++) {
        pp_class *k = class_of_height(c, c->q->stages->stage[s].fire.h);
        if (!k->stage)
            k->stage = pp_arena_get(c->arena, n, sizeof *k->stage);
        if (!k->stage)
            return PP_ENOMEM;
        k->stage[k->n_stages++] = s;
    }
    for (uint32_t i = 0; i < c->n_classes; i++)
        PP_TRY(list_candidates(c, &c->class_[i]));
    return PP_OK;
}

/* ---- budget ---- */

/* Tiles with the given choice of patches and copies (1 where copies are automatic). */
static pp_status count_tiles(const pp_search *c, bool unrolled, uint64_t *tiles)
{
    *tiles = 0;
    for (uint32_t s = 0; s < c->q->stages->n; s++) {
        const pp_stage *stage = &c->q->stages->stage[s];
        pp_choice given = pp_unroll_of(c->spec, stage->fire.h);
        pp_patch patch = pp_patch_clamp(unrolled ? given.patch : (pp_patch){1, 1}, stage->fire);
        uint32_t copies = pp_stage_may_copy(stage) ? given.copies : 1, positions = pp_positions(stage->fire, patch);
        pp_tiling t;
        PP_TRY(pp_tiling_find(&t, c->q, c->arch, s, patch));
        *tiles += (uint64_t)t.row_tiles * t.col_tiles * (copies < positions ? copies : positions);
    }
    return PP_OK;
}

static pp_status set_budget(pp_search *c)
{
    uint64_t plain, given;
    PP_TRY(count_tiles(c, false, &plain));
    PP_TRY(count_tiles(c, true, &given));
    c->budget = (uint64_t)c->options->core_budget;
    if (c->budget == 0)
        c->budget = plain > given ? plain : given;
    if (given > c->budget)
        return pp_fail(PP_EINFEASIBLE, "mapping.core_budget: expected at least %llu, which %s takes, found %llu",
                       (unsigned long long)given, c->q->net->name, (unsigned long long)c->budget);
    return PP_OK;
}

/* ---- first the interval ---- */

/* An interval that everything keeps: the slowest stage of the first candidates with one copy. */
static uint64_t slowest(const pp_search *c)
{
    uint64_t ps = 1;
    for (uint32_t i = 0; i < c->n_classes; i++)
        for (uint32_t s = 0; s < c->class_[i].n_stages; s++) {
            const pp_stage_cost *cost = &c->class_[i].candidate.data[0].cost[s];
            uint64_t core = cost->positions * cost->mvm_ps;
            ps = core > ps ? core : ps;
            ps = cost->stream_ps > ps ? cost->stream_ps : ps;
        }
    return ps;
}

static void find_interval(pp_search *c)
{
    uint64_t low = 0, high = slowest(c); /* low is kept by none, high by some */
    uint64_t feed = pp_feed_pixels(c->q) * pp_feed_pixel_ps(c->q, c->channel);
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (keeps(c, middle))
            high = middle;
        else
            low = middle;
    }
    c->interval_ps = high > feed ? high : feed;
    (void)keeps(c, c->interval_ps); /* leaves every class at its cheapest candidate */
}

/* ---- then the latency ---- */

static void put_choice(pp_search *c)
{
    for (uint32_t i = 0; i < c->n_classes; i++) {
        const pp_class *k = &c->class_[i];
        const pp_candidate *d = &k->candidate.data[k->pick];
        for (uint32_t s = 0; s < k->n_stages; s++)
            c->choice[k->stage[s]] =
                (pp_choice){d->patch, (uint32_t)copies_needed(c, k, k->stage[s], &d->cost[s], c->interval_ps)};
    }
}

static uint64_t tiles_picked(const pp_search *c)
{
    uint64_t tiles = 0;
    for (uint32_t i = 0; i < c->n_classes; i++)
        tiles += c->class_[i].candidate.data[c->class_[i].pick].tiles;
    return tiles;
}

/* Packets and firings that one recurrence of the mapping goes through. */
static uint64_t steps_of(const pp_mapping *m)
{
    uint64_t steps = 1;
    for (uint32_t f = 0; f < m->n_flows; f++)
        steps += m->flow[f].positions;
    for (uint32_t t = 0; t < m->n_tiles; t++)
        steps += m->plan[m->tile[t].stage].positions / m->plan[m->tile[t].stage].copies;
    return steps;
}

/* Latency of what is picked, UINT64_MAX beyond the budget; `steps` may be NULL. */
static pp_status evaluate(pp_search *c, uint64_t *latency_ps, uint64_t *steps)
{
    pp_timing timing = {0};
    pp_mapping *m = NULL;
    *latency_ps = UINT64_MAX;
    if (tiles_picked(c) > c->budget)
        return PP_OK;
    put_choice(c);
    PP_TRY(pp_mapping_build(&m, c->q, c->arch, c->choice, c->options->reduction));
    pp_timing_input in = {.m = m,
                          .q = c->q,
                          .arch = c->arch,
                          .channel = c->channel,
                          .header_bits = c->header_bits,
                          .inferences = 1,
                          .tables = c->tables};
    pp_status status = pp_timing_run(&timing, &in);
    if (steps)
        *steps = steps_of(m);
    pp_mapping_free(m);
    *latency_ps = timing.latency_ps;
    return status;
}

/* Whether what is picked beats the best so far (latency, then tiles). */
static pp_status improves(pp_search *c, bool *better)
{
    uint64_t latency, tiles = tiles_picked(c);
    *better = false;
    if (c->evaluations == 0)
        return PP_OK;
    PP_TRY(evaluate(c, &latency, NULL));
    c->evaluations -= latency != UINT64_MAX;
    *better = latency < c->best_latency_ps || (latency == c->best_latency_ps && tiles < c->best_tiles);
    if (*better) {
        c->best_latency_ps = latency;
        c->best_tiles = tiles;
    }
    return PP_OK;
}

/* Drops the candidates that do not keep the interval; their number of combinations, capped. */
static uint64_t drop_slow(pp_search *c)
{
    uint64_t combinations = 1;
    for (uint32_t i = 0; i < c->n_classes; i++) {
        pp_class *k = &c->class_[i];
        size_t n = 0;
        for (size_t j = 0; j < k->candidate.len; j++) {
            if (!k->candidate.data[j].keeps)
                continue;
            if (j == k->pick)
                k->pick = (uint32_t)n;
            k->candidate.data[n++] = k->candidate.data[j];
        }
        k->candidate.len = n;
        if (combinations <= MAX_COMBINATIONS)
            combinations *= n;
    }
    return combinations;
}

/* Every combination, the last class fastest. */
static pp_status enumerate(pp_search *c, uint32_t *best)
{
    uint32_t i = 0;
    for (uint32_t k = 0; k < c->n_classes; k++)
        c->class_[k].pick = 0;
    for (;;) {
        bool better;
        PP_TRY(improves(c, &better));
        for (uint32_t k = 0; better && k < c->n_classes; k++)
            best[k] = c->class_[k].pick;
        for (i = c->n_classes; i-- > 0;) {
            if (++c->class_[i].pick < c->class_[i].candidate.len)
                break;
            c->class_[i].pick = 0;
        }
        if (i == UINT32_MAX)
            return PP_OK;
    }
}

/* One class after the other to its best candidate, until a whole round changes nothing. */
static pp_status descend(pp_search *c, uint32_t *best)
{
    bool changed = true;
    while (changed && c->evaluations) {
        changed = false;
        for (uint32_t i = 0; i < c->n_classes; i++) {
            pp_class *k = &c->class_[i];
            for (k->pick = 0; k->pick < k->candidate.len; k->pick++) {
                bool better = false;
                if (k->pick != best[i])
                    PP_TRY(improves(c, &better));
                if (better) {
                    best[i] = k->pick;
                    changed = true;
                }
            }
            k->pick = best[i];
        }
    }
    return PP_OK;
}

static pp_status find_latency(pp_search *c)
{
    uint64_t combinations = drop_slow(c), steps = 1;
    uint32_t *best = pp_arena_get(c->arena, c->n_classes, sizeof *best);
    if (!best)
        return PP_ENOMEM;
    if (combinations == 1)
        return PP_OK;
    for (uint32_t k = 0; k < c->n_classes; k++)
        best[k] = c->class_[k].pick;
    PP_TRY(evaluate(c, &c->best_latency_ps, &steps));
    c->best_tiles = tiles_picked(c);
    c->evaluations = MAX_STEPS / steps;
    if (combinations <= MAX_COMBINATIONS && combinations <= c->evaluations)
        PP_TRY(enumerate(c, best));
    else
        PP_TRY(descend(c, best));
    for (uint32_t k = 0; k < c->n_classes; k++)
        c->class_[k].pick = best[k];
    return PP_OK;
}

/* ---- all ---- */

static pp_status search(pp_search *c)
{
    PP_TRY(set_budget(c));
    if (!c->spec->auto_patch && !c->spec->auto_copies) {
        for (uint32_t s = 0; s < c->q->stages->n; s++)
            c->choice[s] = pp_unroll_of(c->spec, c->q->stages->stage[s].fire.h);
        return PP_OK;
    }
    PP_TRY(list_classes(c));
    find_interval(c);
    PP_TRY(find_latency(c));
    put_choice(c);
    return PP_OK;
}

pp_status pp_unroll_search(pp_choice *choice, const pp_unroll_spec *spec, const pp_qnetwork *q, const pp_arch *arch,
                           const pp_channel *channel, uint32_t header_bits, const pp_map_options *options)
{
    pp_search c = {.spec = spec,
                   .q = q,
                   .arch = arch,
                   .channel = channel,
                   .header_bits = header_bits,
                   .options = options,
                   .choice = choice};
    pp_status status;
    PP_GOTO(done, status, pp_arena_new(&c.arena));
    PP_GOTO(done, status, pp_tables_new(&c.tables, q));
    status = search(&c);
done:
    for (uint32_t i = 0; i < c.n_classes; i++)
        free(c.class_[i].candidate.data);
    pp_tables_free(c.tables);
    pp_arena_free(c.arena);
    return status;
}
