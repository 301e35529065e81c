/* Placement: starts, judged by their routes; a search from the best of them where that can help; the best
 * of all by certificate, then load of the busiest channel, then bits times channels. */
#include "mapper/place_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CANDIDATES = 16, RESTARTS = 4 };

/* Moves of the annealing by distances are so cheap that a tile gets this many times `effort`; moves that
 * route anew are dear, and a large task gets this share of `effort` of them, up to a limit. */
#define DISTANCE_MOVES 10u
#define DISTANCE_MOST UINT64_C(600000)
#define REFINE_SHARE 20u
#define REFINE_MOST 8000u

/* A placement that was tried, and how it came about. */
typedef struct pp_candidate {
    pp_start start;
    uint32_t shift;
    bool searched;
    pp_layout *layout;
} pp_candidate;

typedef struct pp_placer {
    const pp_task *task;
    pp_candidate candidate[MAX_CANDIDATES]; /* starts, then restarts */
    uint32_t n_starts, n;
    uint64_t moves, seed;
} pp_placer;

/* ---- starts ---- */

static bool wanted(const char *placement, pp_start start)
{
    return strcmp(placement, pp_start_name(start)) == 0 || strcmp(placement, "auto") == 0 ||
           strcmp(placement, "search") == 0;
}

/* A placement asked for by name is tried even where it does not fit, for its message. */
static void list_starts(pp_placer *p, const char *placement)
{
    const pp_fabric *fabric = p->task->fabric;
    for (pp_start s = 0; s < PP_START_EMBEDDING; s++)
        for (uint32_t shift = 0; shift <= (s == PP_START_ZIGZAG); shift++) {
            bool named = shift == 0 && strcmp(placement, pp_start_name(s)) == 0;
            if (wanted(placement, s) && (named || pp_start_fits(fabric, s, shift, p->task->n_tiles)))
                p->candidate[p->n_starts++] = (pp_candidate){.start = s, .shift = shift};
        }
    p->n = p->n_starts;
}

static pp_status try_start(void *payload, size_t index, unsigned worker)
{
    pp_placer *p = payload;
    pp_candidate *c = &p->candidate[index];
    (void)worker;
    uint32_t *core = pp_alloc(p->task->n_tiles, sizeof *core);
    pp_status status = core ? PP_OK : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_start_cores(p->task->fabric, c->start, c->shift, p->task->n_tiles, core);
    if (status == PP_OK)
        status = pp_layout_new(&c->layout, p->task);
    if (status == PP_OK) {
        pp_layout_put(c->layout, core);
        status = pp_layout_route_all(c->layout);
    }
    free(core);
    return status;
}

static pp_status try_later_start(void *payload, size_t index, unsigned worker)
{
    return try_start(payload, index + 1, worker);
}

static bool is_embedding(const pp_candidate *c)
{
    return !c->layout->score.unreached && c->layout->score.certificate == PP_CERT_EMBEDDING;
}

/* An embedding takes the first candidate's place. */
static pp_status try_embedding(pp_placer *p)
{
    bool found;
    pp_layout *layout = p->candidate[0].layout;
    uint32_t *core = pp_alloc(p->task->n_tiles, sizeof *core);
    if (!core)
        return PP_ENOMEM;
    pp_status status = pp_embed(p->task, core, &found);
    if (status == PP_OK && found) {
        pp_layout_put(layout, core);
        status = pp_layout_route_all(layout);
        p->candidate[0].start = PP_START_EMBEDDING;
    }
    free(core);
    return status;
}

/* Linear comes first and alone: on one row of a 5pp it may be the embedding, and nothing can beat that. The
 * next to try is a constructed one. */
static pp_status try_starts(pp_placer *p, bool embed, pp_pool *pool)
{
    PP_TRY(try_start(p, 0, 0));
    if (!is_embedding(&p->candidate[0]) && embed && p->task->routing == PP_ROUTING_BALANCED)
        PP_TRY(try_embedding(p));
    if (is_embedding(&p->candidate[0])) {
        p->n = p->n_starts = 1;
        return PP_OK;
    }
    return pp_pool_run(pool, p->n_starts - 1u, try_later_start, p);
}

static uint32_t best_of(const pp_placer *p, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (pp_score_compare(&p->candidate[i].layout->score, &p->candidate[best].layout->score) < 0)
            best = i;
    return best;
}

/* ---- search ---- */

static pp_status try_search(void *payload, size_t index, unsigned worker)
{
    pp_placer *p = payload;
    (void)worker;
    return pp_layout_anneal(p->candidate[p->n_starts + index].layout, p->moves, p->seed, index);
}

/* One more candidate, a copy of `from` that is to be searched. */
static pp_status add_copy(pp_placer *p, uint32_t from)
{
    pp_candidate *c = &p->candidate[p->n];
    *c = (pp_candidate){.start = p->candidate[from].start, .searched = true};
    PP_TRY(pp_layout_new(&c->layout, p->task));
    p->n++;
    return pp_layout_copy(c->layout, p->candidate[from].layout);
}

/* Large tasks: by distances alone, then all routes. Restarts come from the shortest start and from the
 * bisection in turn, the later the hotter. */
static pp_status try_distance(void *payload, size_t index, unsigned worker)
{
    pp_placer *p = payload;
    pp_layout *layout = p->candidate[p->n_starts + index].layout;
    const uint32_t n = p->task->n_tiles;
    const double heat[RESTARTS] = {0.02, 0.1, 0.1, 0.5};
    (void)worker;
    uint32_t *core = pp_alloc(n, sizeof *core);
    if (!core)
        return PP_ENOMEM;
    for (uint32_t t = 0; t < n; t++)
        core[t] = layout->core[t];
    uint64_t moves = DISTANCE_MOVES * p->moves < DISTANCE_MOST ? DISTANCE_MOVES * p->moves : DISTANCE_MOST;
    pp_status status = pp_distance_anneal(p->task, core, moves, heat[index % RESTARTS], p->seed, index);
    if (status == PP_OK) {
        pp_layout_put(layout, core);
        status = pp_layout_route_all(layout);
    }
    free(core);
    return status;
}

static pp_status search_distances(pp_placer *p, pp_pool *pool)
{
    uint32_t from = best_of(p, p->n_starts), bisection = from;
    for (uint32_t i = 0; i < p->n_starts; i++)
        if (p->candidate[i].start == PP_START_BISECTION)
            bisection = i;
    for (uint32_t i = 0; i < RESTARTS; i++)
        PP_TRY(add_copy(p, i % 2 ? bisection : from));
    return pp_pool_run(pool, RESTARTS, try_distance, p);
}

/* Restarts differ by their random numbers and by how hot they begin (anneal.c), and all come from the
 * best candidate so far. */
static pp_status search(pp_placer *p, pp_pool *pool)
{
    if (p->task->large)
        PP_TRY(search_distances(p, pool));
    if (p->task->large && p->task->routing != PP_ROUTING_BALANCED)
        return PP_OK; /* routes by a function cost too much to be found anew at each move */
    if (p->task->large)
        p->moves = p->moves / REFINE_SHARE < REFINE_MOST ? p->moves / REFINE_SHARE : REFINE_MOST;
    uint32_t from = best_of(p, p->n);
    p->n_starts = p->n; /* what comes now is searched */
    for (uint32_t i = 0; i < (p->task->large ? RESTARTS / 2 : RESTARTS); i++)
        PP_TRY(add_copy(p, from));
    return pp_pool_run(pool, p->n - p->n_starts, try_search, p);
}

/* An embedding cannot be bettered; anything else may be, by fewer hops if not by its certificate. */
static bool worth_searching(const pp_placer *p, const pp_map_options *options)
{
    bool asked = strcmp(options->placement, "search") == 0 || strcmp(options->placement, "auto") == 0;
    return asked && p->moves && !is_embedding(&p->candidate[best_of(p, p->n_starts)]);
}

/* ---- result ---- */

static const char *stage_name(const pp_mapping *m, uint32_t tile)
{
    const char *name = m->plan != NULL ? m->plan[m->tile[tile].stage].name : NULL;
    return name != NULL ? name : "(unnamed)";
}

static pp_status unreachable(const pp_task *task, const pp_layout *layout, const pp_mapping *m)
{
    for (uint32_t n = 0; n < task->n_nets; n++) {
        const pp_task_net *net = &task->net[n];
        const pp_net_tree *tree = &layout->tree[n];
        for (uint32_t s = 0; tree->unreached && s < net->n_sinks; s++) {
            uint32_t tile = task->sink_tile[net->first_sink + s], end = layout->sink_end[net->first_sink + s];
            char from[64], to[64];
            if (end != PP_NONE || task->leave[layout->core[net->src]] == task->enter[layout->core[tile]])
                continue;
            pp_vertex_label(task->fabric, task->leave[layout->core[net->src]], from, sizeof from);
            pp_vertex_label(task->fabric, task->enter[layout->core[tile]], to, sizeof to);
            return pp_fail(PP_EINFEASIBLE, "fabric %s has no way from %s to %s for the flow '%s' -> '%s'",
                           task->fabric->name, from, to, stage_name(m, net->src), stage_name(m, tile));
        }
    }
    return pp_fail(PP_EINTERNAL, "a flow without a way was not found again");
}

static pp_status keep(const pp_placer *p, pp_mapping *m)
{
    const pp_candidate *best = &p->candidate[best_of(p, p->n)];
    if (best->layout->score.unreached)
        return unreachable(p->task, best->layout, m);
    PP_TRY(pp_layout_commit(best->layout, m));
    m->placement = pp_strf("%s%s", pp_start_name(best->start), best->searched ? " + search" : "");
    return m->placement ? PP_OK : PP_ENOMEM;
}

pp_status pp_map_place(pp_mapping *m, const pp_fabric *fabric, const pp_map_options *options, uint64_t seed,
                       pp_pool *pool)
{
    pp_task *task = NULL;
    pp_status status;
    PP_TRY(pp_task_new(&task, m, fabric));
    pp_placer p = {.task = task, .seed = seed};
    if (options->effort > 0)
        p.moves = (uint64_t)options->effort * task->n_tiles;
    list_starts(&p, options->placement);
    if (!p.n_starts) {
        status = pp_fail(PP_EINVAL, "mapping.placement is '%s', expected auto, linear, snake, zigzag, bisection or search%s",
                         options->placement,
                         pp_hint(options->placement, "auto linear snake zigzag bisection search", (char[PP_HINT_MAX]){0}));
        goto done;
    }
    bool embed = strcmp(options->placement, "auto") == 0 || strcmp(options->placement, "search") == 0;
    PP_GOTO(done, status, try_starts(&p, embed, pool));
    if (worth_searching(&p, options)) {
        pp_progress bar;
        pp_progress_begin(&bar, "placing", (size_t)(task->large ? RESTARTS + RESTARTS / 2 : RESTARTS) * PP_TASK_TICKS);
        task->bar = &bar;
        status = search(&p, pool);
        pp_progress_end(&bar);
        if (status != PP_OK)
            goto done;
    }
    status = keep(&p, m);
done:
    for (uint32_t i = 0; i < MAX_CANDIDATES; i++)
        pp_layout_free(p.candidate[i].layout);
    pp_task_free(task);
    return status;
}
