/* One token through all tiles, alone, and what it says: which tiles work in lockstep, when, and how late inputs may be. */
#include "sim/tokens_lockstep_internal.h"

#include <stdlib.h>

#define UNKNOWN UINT64_MAX

/* ---- one token ---- */

/* The one token that there is has its one token of context. */
static void saw(void *payload, const pp_token_busy *b)
{
    pp_lockstep_window *w = payload;
    if (b->actor == PP_NONE) {
        w->ask_ps[b->hop] = b->ready_ps;
        w->got_ps[b->hop] = b->start_ps;
        w->turn[b->hop] = w->turns++;
        return;
    }
    const pp_token_actor *a = &w->net->actor[b->actor];
    const uint64_t work = a->work == PP_NONE ? 0 : w->net->work_ps[(size_t)a->work * (w->net->max_context + 1) + 1];
    w->ready_ps[b->actor] = b->ready_ps;
    w->start_ps[b->actor] = b->start_ps;
    w->done_ps[b->actor] = b->start_ps + a->latency_ps + work;
}

static pp_status allocate(pp_lockstep_window *w)
{
    const uint32_t a = w->net->n_actors, h = w->net->n_hops;
    w->group = pp_alloc(a, sizeof *w->group);
    w->ready_ps = pp_calloc(a, sizeof *w->ready_ps);
    w->start_ps = pp_calloc(a, sizeof *w->start_ps);
    w->done_ps = pp_calloc(a, sizeof *w->done_ps);
    w->slack_ps = pp_alloc(a, sizeof *w->slack_ps);
    w->ask_ps = pp_calloc(h, sizeof *w->ask_ps);
    w->got_ps = pp_calloc(h, sizeof *w->got_ps);
    w->turn = pp_calloc(h, sizeof *w->turn);
    w->hot = pp_calloc(w->net->n_servers, sizeof *w->hot);
    w->sends_hot = pp_calloc(h, sizeof *w->sends_hot);
    const bool ok = w->group && w->ready_ps && w->start_ps && w->done_ps && w->slack_ps && w->ask_ps && w->got_ps && w->turn &&
                    w->hot && w->sends_hot;
    return ok ? PP_OK : PP_ENOMEM;
}

void pp_lockstep_window_free(pp_lockstep_window *w)
{
    pp_lm_tile_net_free(&w->t);
    free(w->group);
    free(w->ready_ps);
    free(w->start_ps);
    free(w->done_ps);
    free(w->slack_ps);
    free(w->ask_ps);
    free(w->got_ps);
    free(w->turn);
    free(w->hot);
    free(w->sends_hot);
}

static pp_status send_one(pp_lockstep_window *w)
{
    const pp_token_sequence one = {0, 1, 0};
    const pp_token_setup setup = {.sequence = &one, .n_sequences = 1, .scenario = PP_SCENARIO_PREFILL, .in_flight = 1, .exact = true,
                                  .watch = saw, .watcher = w, .watch_to = UINT64_MAX};
    pp_token_result *r = NULL;
    const pp_status status = pp_simulate_tokens(&r, w->net, &setup);
    pp_token_result_free(r);
    return status;
}

/* ---- groups ---- */

pp_status pp_lockstep_add_actor(pp_lockstep *l, pp_token_actor a, pp_lm_actor label, uint32_t *out)
{
    *out = (uint32_t)l->actors.len;
    a.label = *out;
    return pp_push(&l->actors, a) && pp_push(&l->labels, label) && pp_push(&l->roots, ((pp_lockstep_roots){PP_NONE, PP_NONE})) ? PP_OK : PP_ENOMEM;
}

/* What an operator's tiles add up together, or one tile where nothing is added. */
typedef struct piece {
    uint32_t instance, stage, root; /* root: an actor of the tiles */
    uint64_t done_ps;
    bool adds;                /* an addition behind the operator's work, taken apart from it */
} piece;

static uint32_t root_of(uint32_t *up, uint32_t a)
{
    while (up[a] != a)
        a = up[a] = up[up[a]];
    return a;
}

static bool same_operator(const pp_lockstep_window *w, uint32_t a, uint32_t b)
{
    const pp_lm_tile_actor *x = &w->t.owner[a], *y = &w->t.owner[b];
    return x->instance == y->instance && x->stage == y->stage;
}

static void tie(const pp_lockstep_window *w, uint32_t *up, uint32_t actor, uint32_t hop)
{
    const pp_token_hop *h = &w->net->hop[hop];
    if (h->to != PP_NONE && same_operator(w, actor, h->to))
        up[root_of(up, h->to)] = root_of(up, actor);
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        tie(w, up, actor, c);
}

bool pp_lockstep_begins(const pp_lockstep_window *w, uint32_t actor)
{
    return w->t.x->actor[actor].stage != PP_NONE;
}

static int by_operator(const void *pa, const void *pb)
{
    const piece *a = pa, *b = pb;
    if (a->instance != b->instance)
        return a->instance < b->instance ? -1 : 1;
    if (a->stage != b->stage)
        return a->stage < b->stage ? -1 : 1;
    if (a->adds != b->adds)
        return a->adds ? 1 : -1;
    if (a->done_ps != b->done_ps)
        return a->done_ps < b->done_ps ? -1 : 1;
    return a->root < b->root ? -1 : a->root > b->root;
}

static pp_status list_pieces(const pp_lockstep_window *w, uint32_t *up, piece **out, size_t *n)
{
    PP_VEC(piece) all = {0};
    uint32_t *at = pp_alloc(w->net->n_actors, sizeof *at);
    *n = 0;
    if (at == NULL)
        return PP_ENOMEM;
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        up[a] = a;
        at[a] = PP_NONE;
    }
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        for (uint32_t i = 0; i < w->net->actor[a].n_hops && w->t.owner[a].stage != PP_NONE && !w->l->grain.apart; i++)
            tie(w, up, a, w->net->actor[a].hop_first + i);
    }
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        const pp_lm_tile_actor *o = &w->t.owner[a];
        const uint32_t root = root_of(up, a);
        if (o->stage == PP_NONE || o->instance < w->first)
            continue;
        if (at[root] == PP_NONE) {
            at[root] = (uint32_t)all.len;
            if (!pp_push(&all, (piece){o->instance, o->stage, root, 0, w->l->grain.apart && !pp_lockstep_begins(w, a)})) {
                free(at);
                free(all.data);
                return PP_ENOMEM;
            }
        }
        piece *p = &all.data[at[root]];
        p->done_ps = w->done_ps[a] > p->done_ps ? w->done_ps[a] : p->done_ps;
    }
    free(at);
    *out = all.data;
    *n = all.len;
    return PP_OK;
}

static uint32_t stage_actor(const pp_lockstep *l, uint32_t instance, uint32_t stage)
{
    return l->first_actor[instance] + stage - l->m->template_[l->m->instance[instance].template_].first_stage;
}

bool pp_lockstep_again(const pp_lockstep_window *w, uint32_t instance)
{
    return w->first > 0 && instance == w->first; /* was the last one of the window before */
}

static pp_status new_group(pp_lockstep_window *w, const piece *p, uint32_t chunk, uint32_t *out)
{
    pp_lockstep *l = w->l;
    pp_lockstep_group g = {.actor = stage_actor(l, p->instance, p->stage), .stage = p->stage, .ask_ps = PP_LOCKSTEP_NEVER};
    if (pp_lockstep_again(w, p->instance))
        g.actor = PP_NONE;
    else if (chunk > 0) {
        pp_token_actor a = l->actors.data[g.actor];
        pp_lm_actor label = l->labels.data[g.actor];
        a.server = PP_NONE; /* its tiles are others */
        if (p->adds) {
            a.interval_ps = w->net->actor[p->root].interval_ps;
            a.work = PP_NONE;
            label.stage = PP_NONE;
        }
        PP_TRY(pp_lockstep_add_actor(l, a, label, &g.actor));
    }
    *out = (uint32_t)l->groups.len;
    return pp_push(&l->groups, g) ? PP_OK : PP_ENOMEM;
}

/* Pieces of an operator that are done at nearly the same time fire together. group_of: by root. */
static pp_status make_groups(pp_lockstep_window *w, const piece *p, size_t n, uint32_t *group_of)
{
    uint32_t at = PP_NONE, chunk = 0;
    uint64_t first_ps = 0;
    for (size_t i = 0; i < n; i++) {
        const bool same = i > 0 && p[i].instance == p[i - 1].instance && p[i].stage == p[i - 1].stage;
        if (!same || p[i].adds != p[i - 1].adds || p[i].done_ps - first_ps > w->l->grain.spread_ps) {
            chunk = same ? chunk + 1 : 0;
            first_ps = p[i].done_ps;
            PP_TRY(new_group(w, &p[i], chunk, &at));
        }
        group_of[p[i].root] = at;
    }
    return PP_OK;
}

uint32_t pp_lockstep_core(const pp_lockstep_window *w, uint32_t actor)
{
    return w->t.expanded->tile[w->t.owner[actor].tile].core;
}

static uint32_t kept_group(const pp_lockstep_window *w, uint32_t actor)
{
    for (size_t i = 0; i < w->l->results.len; i++)
        if (w->l->results.data[i].core == pp_lockstep_core(w, actor))
            return w->l->results.data[i].group;
    return PP_NONE;
}

bool pp_lockstep_is_result(const pp_lockstep *l, uint32_t instance, uint32_t stage)
{
    const pp_lm_template *t = &l->m->template_[l->m->instance[instance].template_];
    return stage == t->first_stage + l->m->graph->part[t->part].result;
}

static pp_status find_groups(pp_lockstep_window *w)
{
    uint32_t *up = pp_alloc(w->net->n_actors, sizeof *up), *group_of = pp_alloc(w->net->n_actors, sizeof *group_of);
    piece *all = NULL;
    size_t n = 0;
    pp_status status = up != NULL && group_of != NULL ? list_pieces(w, up, &all, &n) : PP_ENOMEM;
    if (n > 0)
        qsort(all, n, sizeof *all, by_operator);
    if (status == PP_OK)
        status = make_groups(w, all, n, group_of);
    for (uint32_t a = 0; a < w->net->n_actors && status == PP_OK; a++) {
        const pp_lm_tile_actor *o = &w->t.owner[a];
        const bool none = o->stage == PP_NONE || o->instance < w->first;
        w->slack_ps[a] = UNKNOWN;
        w->group[a] = none ? PP_NONE : group_of[root_of(up, a)];
        if (!none && pp_lockstep_again(w, o->instance) && pp_lockstep_is_result(w->l, o->instance, o->stage))
            w->group[a] = kept_group(w, a);
    }
    free(all);
    free(up);
    free(group_of);
    return status;
}

/* ---- when groups start and are done ---- */

static void time_groups(pp_lockstep_window *w)
{
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        const pp_lm_tile_actor *o = &w->t.owner[a];
        if (w->group[a] == PP_NONE || (pp_lockstep_again(w, o->instance) && pp_lockstep_is_result(w->l, o->instance, o->stage)))
            continue;
        pp_lockstep_group *g = &w->l->groups.data[w->group[a]];
        if ((pp_lockstep_begins(w, a) || w->l->grain.apart) && w->start_ps[a] > g->start_ps)
            g->start_ps = w->start_ps[a];
        g->done_ps = w->done_ps[a] > g->done_ps ? w->done_ps[a] : g->done_ps;
    }
}

/* ---- slack ---- */

static uint64_t actor_slack(pp_lockstep_window *w, uint32_t actor);

uint64_t pp_lockstep_slack(pp_lockstep_window *w, uint32_t actor, uint64_t arrival_ps)
{
    return actor_slack(w, actor) + w->ready_ps[actor] - arrival_ps;
}

/* Of a hop inside a group that is asked for at time_ps; PP_LOCKSTEP_NEVER: nobody waits for it. What leaves the group, or asks for a
 * channel that others may want, must be in time: *leaves, none. */
static uint64_t hop_slack(pp_lockstep_window *w, uint32_t hop, uint64_t time_ps, uint32_t of, bool *leaves)
{
    const pp_token_hop *h = &w->net->hop[hop];
    const uint64_t got_ps = h->server == PP_NONE ? time_ps : w->got_ps[hop], head_ps = got_ps + h->latency_ps;
    uint64_t slack = PP_LOCKSTEP_NEVER;
    *leaves = (h->server != PP_NONE && w->hot[h->server]) || (h->to != PP_NONE && w->group[h->to] != of);
    if (!*leaves && h->to != PP_NONE)
        slack = pp_lockstep_slack(w, h->to, head_ps + h->tail_ps);
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children && !*leaves; c++)
        slack = pp_lockstep_less(slack, hop_slack(w, c, head_ps, of, leaves));
    return *leaves ? 0 : slack == PP_LOCKSTEP_NEVER ? PP_LOCKSTEP_NEVER : slack + got_ps - time_ps;
}

/* How much later an actor may be ready before what leaves its operator is late. */
static uint64_t actor_slack(pp_lockstep_window *w, uint32_t actor)
{
    const pp_token_actor *d = &w->net->actor[actor];
    if (w->slack_ps[actor] != UNKNOWN)
        return w->slack_ps[actor];
    uint64_t slack = PP_LOCKSTEP_NEVER;
    for (uint32_t i = 0; i < d->n_hops && slack > 0; i++) {
        bool leaves = false;
        slack = pp_lockstep_less(slack, hop_slack(w, d->hop_first + i, w->done_ps[actor], w->group[actor], &leaves));
    }
    if (slack == PP_LOCKSTEP_NEVER) /* nobody waits for it */
        slack = w->group[actor] == PP_NONE ? 0 : w->l->groups.data[w->group[actor]].done_ps - w->done_ps[actor];
    w->slack_ps[actor] = slack + w->start_ps[actor] - w->ready_ps[actor];
    return w->slack_ps[actor];
}

bool pp_lockstep_ends_in(const pp_lockstep_window *w, uint32_t hop, uint32_t g)
{
    const pp_token_hop *h = &w->net->hop[hop];
    if (h->to != PP_NONE)
        return w->group[h->to] == g;
    return h->n_children > 0 && pp_lockstep_ends_in(w, h->child_first, g);
}

bool pp_lockstep_sends(const pp_lockstep_window *w, uint32_t actor)
{
    const pp_lm_tile_actor *o = &w->t.owner[actor];
    if (w->group[actor] == PP_NONE || o->instance < w->first)
        return false;
    const bool result = pp_lockstep_is_result(w->l, o->instance, o->stage);
    if (pp_lockstep_again(w, o->instance))
        return result;
    return !result || o->instance + 1 < w->first + w->n || o->instance + 1 == w->l->m->n_instances;
}

/* ---- the whole ---- */

pp_status pp_lockstep_replay(pp_lockstep_window *w)
{
    PP_TRY(pp_lm_tile_net_new(&w->t, w->l->m, w->first, w->n, w->l->released.data, (uint32_t)w->l->released.len));
    w->net = &w->t.x->net;
    PP_TRY(allocate(w));
    PP_TRY(send_one(w));
    PP_TRY(find_groups(w));
    time_groups(w);
    return PP_OK;
}
