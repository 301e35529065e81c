/* Simulated annealing: a tile moves to a free core or changes places with another; the nets that it
 * touches are routed anew at once, so that the energy is that of real routes and not of an estimate.
 * PAPER: kirkpatrick1983 ("Optimization by simulated annealing", Science 220). */
#include "mapper/route_internal.h"

#include <math.h>
#include <stdlib.h>

/* Temperatures in the units of the energy: PP_WEIGHT_FULL is a channel of the heaviest net. Restarts begin
 * at HOT, HOT / 2, HOT / 4 and HOT / 8 in turn: cool ones mend a good start, hot ones leave it. */
#define HOT (2.0 * PP_WEIGHT_FULL)
#define COLD (0.06 * PP_WEIGHT_FULL)

/* Vertices that the moves of a small and of a large task visit at most: moves of tiles on wide multicasts, or
 * across many cores, are dear. */
#define SMALL_WORK UINT64_C(5000000)
#define LARGE_WORK UINT64_C(4000000)

/* Nets that a move ripped up, with what is needed to put them back. */
typedef struct pp_undo {
    uint32_t n;
    uint32_t *net;      /* [n_nets] */
    uint32_t *mark;     /* [n_nets] move that listed the net last */
    pp_net_tree *tree;  /* [n_nets] slot i: old tree of net[i] */
    uint32_t *sink_end; /* [n_sinks], net i's at its own place */
} pp_undo;

static void undo_free(pp_undo *u, uint32_t n_nets)
{
    for (uint32_t n = 0; u->tree && n < n_nets; n++)
        free(u->tree[n].data);
    free(u->net);
    free(u->mark);
    free(u->tree);
    free(u->sink_end);
}

static pp_status undo_init(pp_undo *u, const pp_task *task)
{
    *u = (pp_undo){.net = pp_alloc(task->n_nets, sizeof *u->net),
                   .mark = pp_calloc(task->n_nets, sizeof *u->mark),
                   .tree = pp_calloc(task->n_nets, sizeof *u->tree),
                   .sink_end = pp_alloc(task->n_sinks, sizeof *u->sink_end)};
    return u->net && u->mark && u->tree && u->sink_end ? PP_OK : PP_ENOMEM;
}

/* ---- a move ---- */

static void list_nets(pp_undo *u, const pp_task *task, uint32_t tile, uint32_t mark)
{
    for (uint32_t i = task->touch_first[tile]; i < task->touch_first[tile + 1]; i++) {
        uint32_t net = task->touch[i];
        if (u->mark[net] == mark)
            continue;
        u->mark[net] = mark;
        u->net[u->n++] = net;
    }
}

static void swap_cores(pp_layout *layout, uint32_t a, uint32_t b)
{
    uint32_t ta = layout->tile_of_core[a], tb = layout->tile_of_core[b];
    layout->tile_of_core[a] = tb;
    layout->tile_of_core[b] = ta;
    if (ta != PP_NONE)
        layout->core[ta] = b;
    if (tb != PP_NONE)
        layout->core[tb] = a;
}

static pp_status apply(pp_layout *layout, pp_undo *u, uint32_t a, uint32_t b, uint32_t mark)
{
    const pp_task *task = layout->task;
    uint32_t ta = layout->tile_of_core[a], tb = layout->tile_of_core[b];
    u->n = 0;
    if (ta != PP_NONE)
        list_nets(u, task, ta, mark);
    if (tb != PP_NONE)
        list_nets(u, task, tb, mark);
    for (uint32_t i = 0; i < u->n; i++)
        pp_layout_take(layout, u->net[i], &u->tree[i], &u->sink_end[task->net[u->net[i]].first_sink]);
    swap_cores(layout, a, b);
    for (uint32_t i = 0; i < u->n; i++)
        PP_TRY(pp_layout_route(layout, u->net[i]));
    return PP_OK;
}

static void revert(pp_layout *layout, pp_undo *u, uint32_t a, uint32_t b)
{
    const pp_task *task = layout->task;
    for (uint32_t i = 0; i < u->n; i++)
        pp_layout_rip(layout, u->net[i]);
    swap_cores(layout, a, b);
    for (uint32_t i = u->n; i-- > 0;)
        pp_layout_give(layout, u->net[i], &u->tree[i], &u->sink_end[task->net[u->net[i]].first_sink]);
}

/* A tile that `tile` talks to; itself when there is none. */
static uint32_t partner(const pp_task *task, pp_rng *rng, uint32_t tile)
{
    uint32_t first = task->touch_first[tile], n = task->touch_first[tile + 1] - first;
    if (!n)
        return tile;
    const pp_task_net *net = &task->net[task->touch[first + pp_rng_below(rng, n)]];
    return net->src == tile ? task->sink_tile[net->first_sink + pp_rng_below(rng, net->n_sinks)] : net->src;
}

/* Any core at the vertex. */
static uint32_t core_at(const pp_task *task, pp_rng *rng, uint32_t vertex)
{
    const pp_metric *m = task->metric;
    uint32_t home = m->home_at[vertex];
    if (home == PP_NONE)
        return PP_NONE;
    uint32_t n = m->core_first[home + 1] - m->core_first[home];
    return m->core[m->core_first[home] + (n > 1 ? pp_rng_below(rng, n) : 0)];
}

/* A core near one that `tile` talks to, one to three channels away; on a switch that serves several, now and
 * then another core of its own. */
static uint32_t propose_near(const pp_layout *layout, pp_rng *rng, uint32_t tile)
{
    const pp_task *task = layout->task;
    const pp_fabric *fabric = task->fabric;
    uint32_t other = partner(task, rng, tile);
    if (other == tile)
        return layout->core[tile];
    uint32_t v = task->leave[layout->core[other]];
    for (uint32_t steps = 1 + pp_rng_below(rng, 3); steps; steps--) {
        uint32_t degree = fabric->out_first[v + 1] - fabric->out_first[v];
        if (degree)
            v = fabric->channel[fabric->out_channel[fabric->out_first[v] + pp_rng_below(rng, degree)]].dst;
    }
    uint32_t core = core_at(task, rng, v);
    return core == PP_NONE ? layout->core[tile] : core;
}

/* A core for `tile` to move to: near, or any, the rarer the more there are, for a way across a large fabric
 * is dear to find and not kept. */
static uint32_t propose(const pp_layout *layout, pp_rng *rng, uint32_t tile)
{
    if (layout->task->large)
        return pp_metric_propose(layout->task->metric, rng, layout->core[partner(layout->task, rng, tile)]);
    uint32_t cores = layout->task->fabric->n_cores;
    if (pp_rng_below(rng, cores < 64 ? 2 : 2 + cores / 32) == 0)
        return pp_rng_below(rng, cores);
    return propose_near(layout, rng, tile);
}

static bool accepted(int64_t delta, double temperature, pp_rng *rng)
{
    double u = pp_rng_uniform(rng);
    return delta <= 0 || (u > 0 && (double)delta < -temperature * log(u));
}

/* ---- the schedule ---- */

static bool perfect(const pp_layout *layout)
{
    return layout->score.certificate == PP_CERT_EMBEDDING && !layout->score.unreached;
}

/* One proposal; taken or put back. */
static pp_status step(pp_layout *layout, pp_undo *u, uint32_t number, double temperature, pp_rng *rng)
{
    uint32_t tile = pp_rng_below(rng, layout->task->n_tiles);
    uint32_t from = layout->core[tile], to = propose(layout, rng, tile);
    int64_t energy = layout->energy;
    if (to == from)
        return PP_OK;
    PP_TRY(apply(layout, u, from, to, number));
    if (!accepted(layout->energy - energy, temperature, rng))
        revert(layout, u, from, to);
    return PP_OK;
}

/* Cools from `hot` to COLD; looks every few moves whether this is the best so far, because looking costs
 * as much as a large fabric is large. */
static pp_status anneal(pp_layout *layout, pp_layout *best, pp_undo *u, uint64_t moves, double hot, pp_rng *rng)
{
    const uint64_t epoch = 16 + layout->task->n_tiles / 8;
    const uint64_t begin = layout->scratch->work;
    double temperature = hot;
    int64_t lowest = layout->energy;
    bool over = false;
    uint32_t told = 0;
    for (uint64_t move = 0; move < moves && !over && !perfect(best); move++) {
        PP_TRY(step(layout, u, (uint32_t)(move + 1), temperature, rng));
        if ((move + 1) % epoch != 0 && move + 1 != moves)
            continue;
        double done = (double)(move + 1) / (double)moves;
        double worked = (double)(layout->scratch->work - begin) / (double)(layout->task->large ? LARGE_WORK : SMALL_WORK);
        done = worked > done ? worked : done;
        temperature = hot * pow(COLD / hot, done);
        over = done >= 1;
        pp_task_tick(layout->task, done, &told);
        if (layout->energy >= lowest)
            continue;
        lowest = layout->energy;
        pp_layout_score(layout);
        if (pp_score_compare(&layout->score, &best->score) < 0)
            PP_TRY(pp_layout_copy(best, layout));
    }
    pp_task_tick(layout->task, 1, &told);
    return PP_OK;
}

pp_status pp_layout_anneal(pp_layout *layout, uint64_t moves, uint64_t seed, uint64_t object)
{
    /* In a large task a shared channel is nothing to be sorry for as long as its load is low. */
    const pp_congestion small = {.count_cost = 2 * PP_WEIGHT_FULL, .load_cost = 2, .cap = PP_WEIGHT_FULL};
    const pp_congestion large = {.count_cost = 4, .load_cost = 4, .cap = PP_WEIGHT_FULL};
    const pp_congestion prices = layout->task->large ? large : small;
    const double hot = layout->task->large ? HOT / 8 : HOT;
    const pp_task *task = layout->task;
    pp_rng rng = pp_rng_make(seed, object);
    pp_layout *best = NULL;
    pp_undo undo;
    pp_status status;
    if (moves >= UINT32_MAX) /* moves are numbered in 32 bits */
        moves = UINT32_MAX - 1;
    if (!moves || task->n_tiles == 0 || task->fabric->n_cores < 2)
        return PP_OK;
    PP_GOTO(done, status, undo_init(&undo, task));
    PP_GOTO(done, status, pp_layout_new(&best, task));
    PP_GOTO(done, status, pp_layout_copy(best, layout));
    for (uint32_t c = 0; c < task->fabric->n_network; c++)
        layout->history[c] = 0;
    pp_layout_price(layout, prices);
    PP_GOTO(done, status, anneal(layout, best, &undo, moves, hot / (double)(1u << object % 4), &rng));
    PP_GOTO(done, status, pp_layout_copy(layout, best));
    /* The routes that came with the moves are those of latecomers; all at once may do better. */
    PP_GOTO(done, status, pp_layout_route_all(layout));
    if (pp_score_compare(&best->score, &layout->score) < 0)
        PP_GOTO(done, status, pp_layout_copy(layout, best));
done:
    undo_free(&undo, task->n_nets);
    pp_layout_free(best);
    return status;
}
