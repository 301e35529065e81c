/* One token through all tiles, alone, and what it says: which tiles work in lockstep, when, and how late inputs may be. In
 * mixtures one token for each expert, which it takes in every block. */
#include "sim/tokens_lockstep_internal.h"

#include <stdlib.h>

#define UNKNOWN UINT64_MAX

/* ---- frames ---- */

uint32_t pp_lockstep_expert(const pp_lockstep *l, uint32_t group)
{
    return l->m->stage[l->groups.data[group].stage].expert;
}

void pp_lockstep_look(pp_lockstep_window *w, uint32_t expert)
{
    w->at = &w->frame[expert == PP_NONE ? 0 : expert];
}

static int64_t shift_ps(const pp_lockstep_window *w, uint32_t group)
{
    return w->at->shift_ps != NULL ? w->at->shift_ps[group - w->first_group] : 0;
}

uint64_t pp_lockstep_own_time(const pp_lockstep_window *w, uint32_t group, uint64_t time_ps)
{
    const int64_t own_ps = (int64_t)time_ps - shift_ps(w, group);
    return own_ps > 0 ? (uint64_t)own_ps : 0;
}

static uint64_t here(const pp_lockstep_window *w, uint32_t group, uint64_t own_ps)
{
    const int64_t time_ps = (int64_t)own_ps + shift_ps(w, group);
    return time_ps > 0 ? (uint64_t)time_ps : 0;
}

uint64_t pp_lockstep_start(const pp_lockstep_window *w, uint32_t group)
{
    return here(w, group, w->l->groups.data[group].start_ps);
}

/* Looks at the frame to which a tile belongs. */
static void look_at_home(pp_lockstep_window *w, uint32_t actor)
{
    const uint32_t stage = w->t.owner[actor].stage;
    pp_lockstep_look(w, stage == PP_NONE ? PP_NONE : w->l->m->stage[stage].expert);
}

static void mark_expert(pp_lockstep_window *w, uint32_t hop, bool is)
{
    const pp_token_hop *h = &w->net->hop[hop];
    w->of_expert[hop] = is || h->expert != PP_NONE;
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        mark_expert(w, c, w->of_expert[hop]);
}

static void mark_experts(pp_lockstep_window *w)
{
    for (uint32_t a = 0; a < w->net->n_actors && w->frames > 1; a++) {
        const uint32_t stage = w->t.owner[a].stage;
        const bool is = stage != PP_NONE && w->l->m->stage[stage].expert != PP_NONE;
        for (uint32_t i = 0; i < w->net->actor[a].n_hops; i++)
            mark_expert(w, w->net->actor[a].hop_first + i, is);
    }
}

/* ---- one token ---- */

/* Frames are this far apart in the one simulation of all: no token takes a second. */
#define APART_PS (UINT64_C(1) << 40)

/* Each token has its one token of context. */
static void saw(void *payload, const pp_token_busy *b)
{
    const pp_lockstep_window *w = payload;
    pp_lockstep_frame *f = &w->frame[b->sequence];
    const uint64_t from_ps = b->sequence * APART_PS, start_ps = b->start_ps - from_ps;
    if (b->actor == PP_NONE) {
        const uint32_t after = w->of_expert[b->hop] ? 2 * f->turns_of_all + 1 : 2 * ++f->turns_of_all;
        f->got_ps[b->hop] = start_ps;
        f->turn[b->hop] = (uint64_t)after << 32 | f->turns++;
        return;
    }
    const pp_token_actor *a = &w->net->actor[b->actor];
    const uint64_t work = a->work == PP_NONE ? 0 : w->net->work_ps[(size_t)a->work * (w->net->max_context + 1) + 1];
    f->ready_ps[b->actor] = b->ready_ps - from_ps;
    f->start_ps[b->actor] = start_ps;
    f->done_ps[b->actor] = start_ps + a->latency_ps + work;
}

static pp_status allocate_frame(const pp_token_net *net, pp_lockstep_frame *f)
{
    const uint32_t a = net->n_actors, h = net->n_hops;
    f->ready_ps = pp_calloc(a, sizeof *f->ready_ps);
    f->start_ps = pp_calloc(a, sizeof *f->start_ps);
    f->done_ps = pp_calloc(a, sizeof *f->done_ps);
    f->slack_ps = pp_alloc(a, sizeof *f->slack_ps);
    f->got_ps = pp_calloc(h, sizeof *f->got_ps);
    f->turn = pp_calloc(h, sizeof *f->turn);
    if (f->ready_ps == NULL || f->start_ps == NULL || f->done_ps == NULL || f->slack_ps == NULL || f->got_ps == NULL || f->turn == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < a; i++)
        f->slack_ps[i] = UNKNOWN;
    return PP_OK;
}

static pp_status allocate(pp_lockstep_window *w)
{
    const uint32_t choices = w->l->m->graph->choices;
    w->frames = choices > 0 ? choices : 1;
    w->group = pp_alloc(w->net->n_actors, sizeof *w->group);
    w->of_expert = pp_calloc(w->net->n_hops, sizeof *w->of_expert);
    w->hot = pp_calloc(w->net->n_servers, sizeof *w->hot);
    w->sends_hot = pp_calloc(w->net->n_hops, sizeof *w->sends_hot);
    w->frame = pp_calloc(w->frames, sizeof *w->frame);
    if (w->group == NULL || w->of_expert == NULL || w->hot == NULL || w->sends_hot == NULL || w->frame == NULL)
        return PP_ENOMEM;
    for (uint32_t e = 0; e < w->frames; e++)
        PP_TRY(allocate_frame(w->net, &w->frame[e]));
    return PP_OK;
}

static void frame_free(pp_lockstep_frame *f)
{
    free(f->ready_ps);
    free(f->start_ps);
    free(f->done_ps);
    free(f->slack_ps);
    free(f->got_ps);
    free(f->turn);
    free(f->shift_ps);
}

void pp_lockstep_window_free(pp_lockstep_window *w)
{
    pp_lm_tile_net_free(&w->t);
    for (uint32_t e = 0; w->frame != NULL && e < w->frames; e++)
        frame_free(&w->frame[e]);
    free(w->frame);
    free(w->group);
    free(w->of_expert);
    free(w->hot);
    free(w->sends_hot);
}

/* A token for each frame, one after the other. */
static pp_status send_all(pp_lockstep_window *w)
{
    pp_token_sequence *one = pp_calloc(w->frames, sizeof *one);
    pp_token_result *r = NULL;
    if (one == NULL)
        return PP_ENOMEM;
    for (uint32_t e = 0; e < w->frames; e++)
        one[e] = (pp_token_sequence){e * APART_PS, 1, 0};
    const pp_token_setup setup = {.sequence = one, .n_sequences = w->frames, .scenario = PP_SCENARIO_PREFILL, .in_flight = 1,
                                  .expert = 1, .exact = true, .watch = saw, .watcher = w, .watch_to = UINT64_MAX};
    const pp_status status = pp_simulate_tokens(&r, w->net, &setup);
    pp_token_result_free(r);
    free(one);
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
    bool adds;                /* an addition behind the operator's work, taken apart from it */
    uint32_t frames;
    const uint64_t *done_ps;  /* [frames] */
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
    for (uint32_t e = 0; e < a->frames; e++)
        if (a->done_ps[e] != b->done_ps[e])
            return a->done_ps[e] < b->done_ps[e] ? -1 : 1;
    return a->root < b->root ? -1 : a->root > b->root;
}

/* When an actor is done in each frame; one of an expert has only its own. */
static void note_done(pp_lockstep_window *w, uint32_t actor, uint64_t *done_ps)
{
    const uint32_t expert = w->l->m->stage[w->t.owner[actor].stage].expert;
    for (uint32_t e = 0; e < w->frames; e++) {
        const uint64_t ps = w->frame[expert == PP_NONE ? e : expert].done_ps[actor];
        done_ps[e] = ps > done_ps[e] ? ps : done_ps[e];
    }
}

/* done_ps: [actors][frames], 0. */
static pp_status list_pieces(pp_lockstep_window *w, uint32_t *up, uint64_t *done_ps, piece **out, size_t *n)
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
            if (!pp_push(&all, (piece){o->instance, o->stage, root, w->l->grain.apart && !pp_lockstep_begins(w, a), w->frames,
                                        &done_ps[(size_t)root * w->frames]})) {
                free(at);
                free(all.data);
                return PP_ENOMEM;
            }
        }
        note_done(w, a, &done_ps[(size_t)root * w->frames]);
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

/* Whether a piece is done when the first one of a group is, in every frame. */
static bool together(const piece *p, const piece *first, uint64_t spread_ps)
{
    for (uint32_t e = 0; e < p->frames; e++) {
        const uint64_t a = p->done_ps[e], b = first->done_ps[e];
        if ((a > b ? a - b : b - a) > spread_ps)
            return false;
    }
    return true;
}

/* Pieces of an operator that are done at nearly the same time fire together. group_of: by root. */
static pp_status make_groups(pp_lockstep_window *w, const piece *p, size_t n, uint32_t *group_of)
{
    uint32_t at = PP_NONE, chunk = 0;
    const piece *first = p;
    for (size_t i = 0; i < n; i++) {
        const bool same = i > 0 && p[i].instance == p[i - 1].instance && p[i].stage == p[i - 1].stage;
        if (!same || p[i].adds != p[i - 1].adds || !together(&p[i], first, w->l->grain.spread_ps)) {
            chunk = same ? chunk + 1 : 0;
            first = &p[i];
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

/* Of an actor that the window before had, too; actors of one core in the order in which they are asked for. */
static uint32_t kept_group(const pp_lockstep_window *w, uint32_t actor)
{
    for (size_t i = 0; i < w->l->results.len; i++) {
        pp_lockstep_result *r = &w->l->results.data[i];
        if (r->core == pp_lockstep_core(w, actor)) {
            r->core = PP_NONE;
            return r->group;
        }
    }
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
    uint64_t *done_ps = pp_calloc((size_t)w->net->n_actors * w->frames, sizeof *done_ps);
    piece *all = NULL;
    size_t n = 0;
    w->first_group = (uint32_t)w->l->groups.len;
    for (size_t i = 0; i < w->l->results.len; i++)
        w->first_group = (uint32_t)pp_lockstep_less(w->first_group, w->l->results.data[i].group);
    pp_status status = up != NULL && group_of != NULL && done_ps != NULL ? list_pieces(w, up, done_ps, &all, &n) : PP_ENOMEM;
    if (n > 0)
        qsort(all, n, sizeof *all, by_operator);
    if (status == PP_OK)
        status = make_groups(w, all, n, group_of);
    for (uint32_t a = 0; a < w->net->n_actors && status == PP_OK; a++) {
        const pp_lm_tile_actor *o = &w->t.owner[a];
        const bool none = o->stage == PP_NONE || o->instance < w->first;
        w->group[a] = none ? PP_NONE : group_of[root_of(up, a)];
        if (!none && pp_lockstep_again(w, o->instance) && pp_lockstep_is_result(w->l, o->instance, o->stage))
            w->group[a] = kept_group(w, a);
    }
    free(all);
    free(done_ps);
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
        look_at_home(w, a);
        if ((pp_lockstep_begins(w, a) || w->l->grain.apart) && w->at->start_ps[a] > g->start_ps)
            g->start_ps = w->at->start_ps[a];
        g->done_ps = w->at->done_ps[a] > g->done_ps ? w->at->done_ps[a] : g->done_ps;
    }
}

/* Latest start of the tiles of each group of every token, in one frame. */
static void latest_starts(const pp_lockstep_window *w, const pp_lockstep_frame *f, int64_t *latest_ps)
{
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        const uint32_t g = w->group[a];
        if (g == PP_NONE || pp_lockstep_expert(w->l, g) != PP_NONE || (!pp_lockstep_begins(w, a) && !w->l->grain.apart))
            continue;
        if ((int64_t)f->start_ps[a] > latest_ps[g - w->first_group])
            latest_ps[g - w->first_group] = (int64_t)f->start_ps[a];
    }
}

static pp_status shift_groups(pp_lockstep_window *w)
{
    const size_t n = w->l->groups.len - w->first_group;
    int64_t *first_ps = pp_calloc(n, sizeof *first_ps);
    if (first_ps == NULL)
        return PP_ENOMEM;
    latest_starts(w, &w->frame[0], first_ps);
    for (uint32_t e = 1; e < w->frames; e++) {
        int64_t *shift = w->frame[e].shift_ps = pp_calloc(n, sizeof *shift);
        if (shift == NULL) {
            free(first_ps);
            return PP_ENOMEM;
        }
        latest_starts(w, &w->frame[e], shift);
        for (size_t g = 0; g < n; g++)
            shift[g] -= first_ps[g]; /* an expert's: neither starts */
    }
    free(first_ps);
    return PP_OK;
}

/* ---- slack ---- */

static uint64_t actor_slack(pp_lockstep_window *w, uint32_t actor);

uint64_t pp_lockstep_slack(pp_lockstep_window *w, uint32_t actor, uint64_t arrival_ps)
{
    return actor_slack(w, actor) + w->at->ready_ps[actor] - arrival_ps;
}

/* Of a hop inside a group that is asked for at time_ps; PP_LOCKSTEP_NEVER: nobody waits for it. What leaves the group, or asks for a
 * channel that others may want, must be in time: *leaves, none. */
static uint64_t hop_slack(pp_lockstep_window *w, uint32_t hop, uint64_t time_ps, uint32_t of, bool *leaves)
{
    const pp_token_hop *h = &w->net->hop[hop];
    const uint64_t got_ps = h->server == PP_NONE ? time_ps : w->at->got_ps[hop], head_ps = got_ps + h->latency_ps;
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
    const pp_lockstep_frame *f = w->at;
    if (f->slack_ps[actor] != UNKNOWN)
        return f->slack_ps[actor];
    uint64_t slack = PP_LOCKSTEP_NEVER;
    for (uint32_t i = 0; i < d->n_hops && slack > 0; i++) {
        bool leaves = false;
        slack = pp_lockstep_less(slack, hop_slack(w, d->hop_first + i, f->done_ps[actor], w->group[actor], &leaves));
    }
    if (slack == PP_LOCKSTEP_NEVER) /* nobody waits for it */
        slack = w->group[actor] == PP_NONE
                    ? 0
                    : pp_lockstep_since(here(w, w->group[actor], w->l->groups.data[w->group[actor]].done_ps), f->done_ps[actor]);
    f->slack_ps[actor] = slack + f->start_ps[actor] - f->ready_ps[actor];
    return f->slack_ps[actor];
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
    mark_experts(w);
    PP_TRY(send_all(w));
    PP_TRY(find_groups(w));
    time_groups(w);
    return shift_groups(w);
}
