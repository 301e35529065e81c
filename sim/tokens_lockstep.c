/* Lockstep as the quotient of every tile by operators: an actor a group of an operator's tiles, packets and channels as
 * they are.
 *
 * One token goes through all tiles alone (tokens_lockstep_tiles.c), some instances at a time. What it did gives the times
 * here: a group starts (start_ps) when the last of its tiles does; packets leave, and ask for channels, as long after that
 * as they did then; a packet that came too early to matter may be late by as much. So a token alone takes what it takes
 * tile by tile; a packet that is late by more holds up its whole group, tiles that were ready included, which is what
 * lockstep adds. What it leaves out: channels that are not kept as servers (tokens_lockstep_channels.c).
 *
 * Packets of a group that ask for a channel at about the same time are a run. Runs inside the group, partial sums, stand
 * one behind the other in its tree of hops: a station is where the tree is at some time. Runs that leave it, and what
 * waits for no channel, go on from the last station before them. */
#include "sim/tokens_lockstep_internal.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_CORES 16384

/* ---- trees ---- */

static uint32_t add_node(pp_lockstep *l, uint32_t actor, uint32_t parent, pp_token_hop hop)
{
    const uint32_t n = (uint32_t)l->nodes.len;
    hop.child_first = hop.n_children = 0;
    if (!pp_push(&l->nodes, (pp_lockstep_node){.hop = hop, .child = PP_NONE, .last = PP_NONE, .next = PP_NONE}))
        return PP_NONE;
    uint32_t *first = parent == PP_NONE ? &l->roots.data[actor].first : &l->nodes.data[parent].child;
    uint32_t *last = parent == PP_NONE ? &l->roots.data[actor].last : &l->nodes.data[parent].last;
    if (*last == PP_NONE)
        *first = n;
    else
        l->nodes.data[*last].next = n;
    *last = n;
    return n;
}

/* The node `delay` behind parent (PP_NONE: the actor): one for all that leave then. Behind a channel there is one even for no
 * delay, or what follows would be of the same chain and not wait for it. */
static pp_status delay_node(pp_lockstep *l, uint32_t actor, uint32_t parent, uint64_t delay_ps, uint32_t *out)
{
    *out = parent;
    if (delay_ps == 0 && (parent == PP_NONE || l->nodes.data[parent].hop.server == PP_NONE))
        return PP_OK;
    const uint32_t last = parent == PP_NONE ? l->roots.data[actor].last : l->nodes.data[parent].last;
    if (last != PP_NONE) {
        const pp_token_hop *h = &l->nodes.data[last].hop;
        if (h->server == PP_NONE && h->to == PP_NONE && h->latency_ps == delay_ps) {
            *out = last;
            return PP_OK;
        }
    }
    *out = add_node(l, actor, parent, (pp_token_hop){.latency_ps = delay_ps, .server = PP_NONE, .to = PP_NONE, .expert = PP_NONE});
    return *out != PP_NONE ? PP_OK : PP_ENOMEM;
}

/* An arrival at `to`; of several from the same node the last one counts. */
static pp_status end_node(pp_lockstep *l, uint32_t actor, uint32_t parent, uint32_t to, uint64_t after_ps)
{
    const uint32_t first = parent == PP_NONE ? l->roots.data[actor].first : l->nodes.data[parent].child;
    for (uint32_t n = first; n != PP_NONE; n = l->nodes.data[n].next) {
        pp_token_hop *h = &l->nodes.data[n].hop;
        if (h->server == PP_NONE && h->to == to) {
            h->latency_ps = after_ps > h->latency_ps ? after_ps : h->latency_ps;
            return PP_OK;
        }
    }
    l->actors.data[to].inputs++;
    const pp_token_hop h = {.latency_ps = after_ps, .server = PP_NONE, .to = to, .expert = PP_NONE};
    return add_node(l, actor, parent, h) != PP_NONE ? PP_OK : PP_ENOMEM;
}

/* Actor of the tiles that gets what passes a hop, or the first of them. */
static uint32_t first_end(const pp_lockstep_window *w, uint32_t hop)
{
    const pp_token_hop *h = &w->net->hop[hop];
    return h->to != PP_NONE || h->n_children == 0 ? h->to : first_end(w, h->child_first);
}

static uint32_t server_of(pp_lockstep_window *w, uint32_t hop, uint32_t of)
{
    pp_lockstep *l = w->l;
    const uint32_t channel = w->t.x->server_channel[w->net->hop[hop].server], end = first_end(w, hop);
    uint32_t *server = &l->channel_server[channel];
    if (*server == PP_NONE) {
        *server = l->first_channel + (uint32_t)l->users.len;
        const pp_lockstep_group *from = &l->groups.data[of];
        const pp_lm_channel_user user = {.channel = channel, .instance = l->labels.data[from->actor].instance, .from = from->stage,
                                         .to = end == PP_NONE ? PP_NONE : w->t.owner[end].stage};
        if (!pp_push(&l->users, user))
            return PP_NONE;
    }
    return *server;
}

/* ---- what leaves an operator ---- */

typedef struct leaving {
    uint32_t group, hop;
    uint64_t time_ps, ask_ps; /* its actor is done; it asks for its first channel that matters (PP_LOCKSTEP_NEVER: for none) */
    uint32_t turn;
    bool inside;              /* ends in its own operator */
} leaving;

static void first_ask(const pp_lockstep_window *w, uint32_t hop, uint64_t time_ps, leaving *x)
{
    const pp_token_hop *h = &w->net->hop[hop];
    if (!w->sends_hot[hop])
        return;
    if (h->server != PP_NONE && w->hot[h->server]) {
        if (time_ps < x->ask_ps || (time_ps == x->ask_ps && w->turn[hop] < x->turn)) {
            x->ask_ps = time_ps;
            x->turn = w->turn[hop];
        }
        return;
    }
    const uint64_t got_ps = h->server == PP_NONE ? time_ps : w->got_ps[hop];
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        first_ask(w, c, got_ps + h->latency_ps, x);
}

static int in_order(const void *pa, const void *pb)
{
    const leaving *a = pa, *b = pb;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->ask_ps != b->ask_ps)
        return a->ask_ps < b->ask_ps ? -1 : 1;
    if (a->turn != b->turn)
        return a->turn < b->turn ? -1 : 1;
    return a->hop < b->hop ? -1 : a->hop > b->hop;
}

static uint64_t work_ps(const pp_lockstep *l, uint32_t actor)
{
    const pp_token_actor *d = &l->actors.data[actor];
    return d->work == PP_NONE ? 0 : l->x->net.work_ps[(size_t)d->work * (l->x->net.max_context + 1) + 1];
}

/* ---- runs: what a group asks of a channel, as one ---- */

/* Packets of one group on one channel. Times of the token that is alone. */
typedef struct run {
    uint64_t ask_ps, got_ps, busy_ps;
    uint32_t server, hop;     /* of the tiles: channel, first packet's hop */
    uint32_t turn;            /* in which the first one took its channel, among all */
    uint32_t end;             /* list in run_ends */
} run;

/* A target of a run: what passes the channel matters to it from at_ps on. */
typedef struct run_end {
    uint64_t at_ps;
    uint32_t to, next;        /* lockstep actor */
} run_end;

typedef struct passed {
    const struct passed *before;
    uint32_t run;
} passed;

typedef struct collection {
    pp_lockstep_window *w;
    uint32_t of;
    bool inside;
    PP_VEC(run) runs;
    PP_VEC(run_end) ends;
    uint32_t plain;           /* list in ends: what passes no channel that matters */
} collection;

static pp_status note_end(collection *c, uint32_t *list, uint32_t to, uint64_t at_ps)
{
    for (uint32_t i = *list; i != PP_NONE; i = c->ends.data[i].next) {
        run_end *e = &c->ends.data[i];
        if (e->to == to) {
            e->at_ps = at_ps > e->at_ps ? at_ps : e->at_ps;
            return PP_OK;
        }
    }
    const uint32_t n = (uint32_t)c->ends.len;
    if (!pp_push(&c->ends, (run_end){at_ps, to, *list}))
        return PP_ENOMEM;
    *list = n;
    return PP_OK;
}

static pp_status collect_end(collection *c, uint32_t to, uint64_t arrival_ps, const passed *p)
{
    const pp_lockstep_window *w = c->w;
    pp_lockstep *l = w->l;
    const uint32_t g = w->group[to];
    if (g == c->of)
        return PP_OK;
    if (g == PP_NONE && w->first + w->n < l->m->n_instances)
        return PP_OK;
    uint64_t at_ps = g == PP_NONE ? arrival_ps : pp_lockstep_since(l->groups.data[g].start_ps, pp_lockstep_slack(c->w, to, arrival_ps));
    if (p != NULL && at_ps < c->runs.data[p->run].got_ps)
        at_ps = c->runs.data[p->run].got_ps;
    const uint32_t actor = g == PP_NONE ? l->sink : l->groups.data[g].actor;
    if (p == NULL)
        return note_end(c, &c->plain, actor, at_ps);
    for (; p != NULL; p = p->before)
        PP_TRY(note_end(c, &c->runs.data[p->run].end, actor, at_ps));
    return PP_OK;
}

/* Collects a hop and all below. */
static pp_status collect(collection *c, uint32_t hop, uint64_t time_ps, const passed *before)
{
    pp_lockstep_window *w = c->w;
    const pp_token_hop *h = &w->net->hop[hop];
    const uint64_t got_ps = h->server == PP_NONE ? time_ps : w->got_ps[hop], head_ps = got_ps + h->latency_ps;
    passed here = {before, 0};
    const passed *p = before;
    if (h->server != PP_NONE && w->hot[h->server]) {
        const run r = {.ask_ps = time_ps, .got_ps = got_ps, .busy_ps = h->busy_ps, .server = h->server, .hop = hop,
                       .turn = w->turn[hop], .end = PP_NONE};
        here.run = (uint32_t)c->runs.len;
        if (!pp_push(&c->runs, r))
            return PP_ENOMEM;
        p = &here;
    }
    if (h->to != PP_NONE && !c->inside)
        PP_TRY(collect_end(c, h->to, head_ps + h->tail_ps, p));
    for (uint32_t k = h->child_first; k < h->child_first + h->n_children; k++)
        PP_TRY(collect(c, k, head_ps, p));
    return PP_OK;
}

static int by_ask(const void *pa, const void *pb)
{
    const run *a = pa, *b = pb;
    if (a->ask_ps != b->ask_ps)
        return a->ask_ps < b->ask_ps ? -1 : 1;
    return a->turn < b->turn ? -1 : a->turn > b->turn;
}

static int by_channel(const void *pa, const void *pb)
{
    const run *a = pa, *b = pb;
    return a->server != b->server ? (a->server < b->server ? -1 : 1) : by_ask(pa, pb);
}

/* Packets on one channel that ask within grain_ps of the first are one. */
static pp_status lump(collection *c)
{
    const uint64_t lump_ps = c->w->l->grain.lump_ps;
    size_t kept = 0;
    if (c->runs.len == 0)
        return PP_OK;
    qsort(c->runs.data, c->runs.len, sizeof *c->runs.data, by_channel);
    for (size_t i = 0; i < c->runs.len; i++) {
        const run r = c->runs.data[i];
        run *to = kept > 0 ? &c->runs.data[kept - 1] : NULL;
        if (to == NULL || to->server != r.server || r.ask_ps - to->ask_ps > lump_ps) {
            c->runs.data[kept++] = r;
            continue;
        }
        to->busy_ps += r.busy_ps;
        for (uint32_t e = r.end; e != PP_NONE; e = c->ends.data[e].next)
            PP_TRY(note_end(c, &to->end, c->ends.data[e].to, c->ends.data[e].at_ps));
    }
    c->runs.len = kept;
    qsort(c->runs.data, c->runs.len, sizeof *c->runs.data, by_ask);
    return PP_OK;
}

/* The chain of runs [0, n) behind `parent`, where it is ref_ps: asks at their times, done at done_ps (extra[]: held after got). */
static pp_status put_chain(pp_lockstep_window *w, uint32_t of, uint32_t *parent, uint64_t ref_ps, const run *r, size_t n, const uint64_t *held)
{
    pp_lockstep *l = w->l;
    const uint32_t actor = l->groups.data[of].actor;
    PP_TRY(delay_node(l, actor, *parent, pp_lockstep_since(r[0].ask_ps, ref_ps), parent));
    for (size_t i = 0; i < n; i++) {
        const pp_token_hop h = {.busy_ps = r[i].busy_ps, .tail_ps = held[i], .server = server_of(w, r[i].hop, of), .to = PP_NONE,
                                .expert = PP_NONE, .after_ps = i > 0 ? r[i].ask_ps - r[i - 1].ask_ps : 0};
        *parent = add_node(l, actor, *parent, h);
        if (h.server == PP_NONE || *parent == PP_NONE)
            return PP_ENOMEM;
    }
    return PP_OK;
}

typedef struct station {
    uint32_t node;            /* PP_NONE: the actor itself */
    uint64_t time_ps;
} station;
typedef PP_VEC(station) stations;

static station last_before(const stations *s, uint64_t time_ps)
{
    size_t i = s->len;
    while (i > 1 && s->data[i - 1].time_ps > time_ps)
        i--;
    return s->data[i - 1];
}

static pp_status put_inside(collection *c, stations *s)
{
    uint64_t *held = pp_calloc(c->runs.len, sizeof *held);
    pp_status status = held != NULL ? PP_OK : PP_ENOMEM;
    for (size_t i = 0, n; i < c->runs.len && status == PP_OK; i += n) {
        run *r = &c->runs.data[i];
        uint64_t got = r->got_ps;
        for (n = 1; i + n < c->runs.len && (r[n].ask_ps < got || r[n].ask_ps == r->ask_ps); n++)
            got = r[n].got_ps > got ? r[n].got_ps : got;
        for (size_t k = 0; k < n; k++)
            held[k] = got - r[k].got_ps;
        const station at = s->data[s->len - 1];
        uint32_t node = at.node;
        status = put_chain(c->w, c->of, &node, at.time_ps, r, n, held);
        if (status == PP_OK && !pp_push(s, ((station){node, got})))
            status = PP_ENOMEM;
    }
    free(held);
    return status;
}

static uint64_t last_at(const collection *c, const run *r, size_t n, uint32_t to)
{
    uint64_t at = 0;
    for (size_t k = 0; k < n; k++)
        for (uint32_t e = r[k].end; e != PP_NONE; e = c->ends.data[e].next)
            if (c->ends.data[e].to == to && c->ends.data[e].at_ps > at)
                at = c->ends.data[e].at_ps;
    return at;
}

static uint64_t first_at(const collection *c, const run *r)
{
    uint64_t at = PP_LOCKSTEP_NEVER;
    for (uint32_t e = r->end; e != PP_NONE; e = c->ends.data[e].next)
        at = pp_lockstep_less(at, c->ends.data[e].at_ps);
    return at;
}

static pp_status put_outer_chain(collection *c, const stations *s, const run *r, size_t n)
{
    pp_lockstep *l = c->w->l;
    const uint32_t actor = l->groups.data[c->of].actor;
    uint64_t *held = pp_calloc(n, sizeof *held), done = PP_LOCKSTEP_NEVER;
    if (held == NULL)
        return PP_ENOMEM;
    for (size_t k = 0; k < n; k++)
        for (uint32_t e = r[k].end; e != PP_NONE; e = c->ends.data[e].next)
            done = pp_lockstep_less(done, last_at(c, r, n, c->ends.data[e].to));
    for (size_t k = 0; k < n; k++) {
        uint64_t gap = PP_LOCKSTEP_NEVER;
        for (uint32_t e = r[k].end; e != PP_NONE; e = c->ends.data[e].next)
            gap = pp_lockstep_less(gap, last_at(c, r, n, c->ends.data[e].to) - c->ends.data[e].at_ps);
        held[k] = done == PP_LOCKSTEP_NEVER || gap == PP_LOCKSTEP_NEVER ? 0 : pp_lockstep_since(done, r[k].got_ps + gap);
    }
    const station at = last_before(s, r->ask_ps);
    uint32_t node = at.node;
    pp_status status = put_chain(c->w, c->of, &node, at.time_ps, r, n, held);
    free(held);
    for (size_t k = 0; k < n; k++)
        for (uint32_t e = r[k].end; e != PP_NONE && status == PP_OK; e = c->ends.data[e].next)
            status = end_node(l, actor, node, c->ends.data[e].to, pp_lockstep_since(last_at(c, r, n, c->ends.data[e].to), done));
    return status;
}

static pp_status put_outside(collection *c, const stations *s)
{
    pp_lockstep *l = c->w->l;
    for (size_t i = 0, n; i < c->runs.len; i += n) {
        const run *r = &c->runs.data[i];
        uint64_t got = r->got_ps, at = first_at(c, r);
        for (n = 1; i + n < c->runs.len && r[n].ask_ps == r->ask_ps; n++) {
            const uint64_t g = r[n].got_ps > got ? r[n].got_ps : got, a = pp_lockstep_less(at, first_at(c, &r[n]));
            if (g > a)
                break;
            got = g;
            at = a;
        }
        PP_TRY(put_outer_chain(c, s, r, n));
    }
    for (uint32_t e = c->plain; e != PP_NONE; e = c->ends.data[e].next) {
        const station x = last_before(s, c->ends.data[e].at_ps);
        PP_TRY(end_node(l, l->groups.data[c->of].actor, x.node, c->ends.data[e].to, pp_lockstep_since(c->ends.data[e].at_ps, x.time_ps)));
    }
    return PP_OK;
}

static pp_status collect_all(collection *c, const leaving *x, size_t n)
{
    pp_status status = PP_OK;
    for (size_t i = 0; i < n && status == PP_OK; i++)
        if (x[i].inside == c->inside)
            status = collect(c, x[i].hop, x[i].time_ps, NULL);
    return status == PP_OK ? lump(c) : status;
}

/* When a group's first hop begins, and its actor's latency. */
static uint64_t set_leave(pp_lockstep *l, uint32_t of, const collection *in, const collection *out)
{
    const pp_lockstep_group *g = &l->groups.data[of];
    const uint64_t least = g->start_ps + work_ps(l, g->actor);
    uint64_t first = g->done_ps;
    if (in->runs.len > 0)
        first = pp_lockstep_less(first, in->runs.data[0].ask_ps);
    if (out->runs.len > 0)
        first = pp_lockstep_less(first, out->runs.data[0].ask_ps);
    for (uint32_t e = out->plain; e != PP_NONE; e = out->ends.data[e].next)
        first = pp_lockstep_less(first, out->ends.data[e].at_ps);
    first = first > least ? first : least;
    l->actors.data[g->actor].latency_ps = first - least;
    return first;
}

static pp_status put_group(pp_lockstep_window *w, const leaving *x, size_t n)
{
    collection in = {.w = w, .of = x->group, .inside = true, .plain = PP_NONE};
    collection out = {.w = w, .of = x->group, .plain = PP_NONE};
    stations s = {0};
    pp_status status = collect_all(&in, x, n);
    if (status == PP_OK)
        status = collect_all(&out, x, n);
    if (status == PP_OK && !pp_push(&s, ((station){PP_NONE, set_leave(w->l, x->group, &in, &out)})))
        status = PP_ENOMEM;
    if (status == PP_OK)
        status = put_inside(&in, &s);
    if (status == PP_OK)
        status = put_outside(&out, &s);
    free(in.runs.data);
    free(in.ends.data);
    free(out.runs.data);
    free(out.ends.data);
    free(s.data);
    return status;
}

/* Everything that leaves an actor, ordered by who sends and when it first asks for a channel. */
static pp_status list_leaving(const pp_lockstep_window *w, leaving **out, size_t *n)
{
    PP_VEC(leaving) all = {0};
    bool ok = true;
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        const pp_token_actor *d = &w->net->actor[a];
        if (!pp_lockstep_sends(w, a))
            continue;
        for (uint32_t i = 0; i < d->n_hops && ok; i++) {
            leaving x = {.group = w->group[a], .hop = d->hop_first + i, .time_ps = w->done_ps[a], .ask_ps = PP_LOCKSTEP_NEVER, .turn = PP_NONE};
            x.inside = pp_lockstep_ends_in(w, x.hop, x.group);
            first_ask(w, x.hop, x.time_ps, &x);
            ok = pp_push(&all, x);
        }
    }
    if (all.len > 0)
        qsort(all.data, all.len, sizeof *all.data, in_order);
    *out = all.data;
    *n = all.len;
    return ok ? PP_OK : PP_ENOMEM;
}

/* When what comes for an operator has got its last channel. */
static void note_late(pp_lockstep_window *w, uint32_t hop, uint64_t got_ps, uint32_t of)
{
    const pp_token_hop *h = &w->net->hop[hop];
    if (h->server != PP_NONE && w->hot[h->server])
        got_ps = w->got_ps[hop];
    if (h->to != PP_NONE && w->group[h->to] != PP_NONE && w->group[h->to] != of) {
        pp_lockstep_group *g = &w->l->groups.data[w->group[h->to]];
        g->late_ps = got_ps > g->late_ps ? got_ps : g->late_ps;
    }
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        note_late(w, c, got_ps, of);
}

/* Groups start early enough for the first that they send, if all that comes for them has got its channels by then. */
static void move_starts(pp_lockstep_window *w, const leaving *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pp_lockstep_group *g = &w->l->groups.data[x[i].group];
        g->ask_ps = pp_lockstep_less(g->ask_ps, x[i].ask_ps);
        note_late(w, x[i].hop, 0, x[i].group);
    }
    for (size_t i = 0; i < n; i++) {
        pp_lockstep_group *g = &w->l->groups.data[x[i].group];
        const uint64_t early = pp_lockstep_since(g->ask_ps, work_ps(w->l, g->actor)), at = early > g->late_ps ? early : g->late_ps;
        if (!pp_lockstep_again(w, w->l->labels.data[g->actor].instance))
            g->start_ps = pp_lockstep_less(g->start_ps, at);
    }
}

static pp_status put_groups(pp_lockstep_window *w)
{
    leaving *all = NULL;
    size_t count = 0;
    pp_status status = list_leaving(w, &all, &count);
    if (status == PP_OK)
        move_starts(w, all, count);
    for (size_t i = 0, n; i < count && status == PP_OK; i += n) {
        for (n = 1; i + n < count && all[i + n].group == all[i].group;)
            n++;
        status = put_group(w, &all[i], n);
    }
    free(all);
    return status;
}

/* ---- windows ---- */

static pp_status keep_released(pp_lockstep *l, uint32_t core, uint64_t time_ps)
{
    for (size_t i = 0; i < l->released.len; i++) {
        pp_lm_released *r = &l->released.data[i];
        if (r->core == core) {
            r->time_ps = time_ps > r->time_ps ? time_ps : r->time_ps;
            return PP_OK;
        }
    }
    return pp_push(&l->released, ((pp_lm_released){core, time_ps})) ? PP_OK : PP_ENOMEM;
}

/* The next window begins with the last instance of this one: it needs what comes into it, and who sends its result. */
static pp_status keep_ends(pp_lockstep_window *w)
{
    pp_lockstep *l = w->l;
    const uint32_t last = w->first + w->n - 1;
    l->released.len = l->results.len = 0;
    for (uint32_t a = 0; a < w->net->n_actors && last + 1 < l->m->n_instances; a++) {
        const pp_lm_tile_actor *o = &w->t.owner[a];
        if (o->stage == PP_NONE || o->instance + 1 < last || !pp_lockstep_is_result(l, o->instance, o->stage))
            continue;
        if (o->instance < last)
            PP_TRY(keep_released(l, pp_lockstep_core(w, a), w->done_ps[a]));
        else if (pp_lockstep_begins(w, a) && !pp_push(&l->results, ((pp_lockstep_result){pp_lockstep_core(w, a), w->group[a]})))
            return PP_ENOMEM;
    }
    return PP_OK;
}

/* The way back of a sampled token, channel by channel where it is known: as it is in the tiles, of the channels those that
 * matter. */
static pp_status copy_back(pp_lockstep_window *w, uint32_t parent, uint32_t hop)
{
    pp_lockstep *l = w->l;
    const pp_token_hop *h = &w->net->hop[hop];
    pp_token_hop copy = *h;
    if (h->server != PP_NONE)
        copy.server = l->channel_server[w->t.x->server_channel[h->server]];
    copy.tail_ps = h->to != PP_NONE ? h->tail_ps : 0;
    copy.to = h->to != PP_NONE ? PP_TOKEN_BACK : PP_NONE;
    const uint32_t n = add_node(l, l->sink, parent, copy);
    if (n == PP_NONE)
        return PP_ENOMEM;
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        PP_TRY(copy_back(w, n, c));
    return PP_OK;
}

static pp_status keep_back(pp_lockstep_window *w)
{
    for (uint32_t i = 0; i < w->net->n_back; i++)
        PP_TRY(copy_back(w, PP_NONE, w->net->back_first + i));
    return PP_OK;
}

static pp_status refine(pp_lockstep_window *w)
{
    PP_TRY(pp_lockstep_replay(w));
    PP_TRY(pp_lockstep_choose_channels(w));
    PP_TRY(put_groups(w));
    PP_TRY(keep_back(w));
    return keep_ends(w);
}

/* ---- putting it together ---- */

/* A hop that only a delay follows goes on after it by itself. */
static void join_delays(pp_lockstep *l)
{
    for (size_t i = 0; i < l->nodes.len; i++) {
        pp_lockstep_node *n = &l->nodes.data[i];
        while (n->hop.to == PP_NONE && n->child != PP_NONE && n->child == n->last) {
            const pp_lockstep_node *c = &l->nodes.data[n->child];
            if (c->hop.server != PP_NONE || c->hop.to != PP_NONE || c->hop.latency_ps == 0)
                break;
            n->hop.latency_ps += c->hop.latency_ps;
            n->last = c->last;
            n->child = c->child;
        }
    }
}

/* Children of a node side by side; what stands in `from` is where each came from. */
static pp_status put_siblings(pp_lockstep *l, uint32_t first, uint32_t *at, uint32_t *n)
{
    *at = (uint32_t)l->hops.len;
    for (uint32_t c = first; c != PP_NONE; c = l->nodes.data[c].next) {
        pp_token_hop h = l->nodes.data[c].hop;
        h.child_first = l->nodes.data[c].child; /* a node, until its turn comes */
        if (!pp_push(&l->hops, h))
            return PP_ENOMEM;
    }
    *n = (uint32_t)l->hops.len - *at;
    return PP_OK;
}

static pp_status put_tree(pp_lockstep *l, uint32_t first, uint32_t *at, uint32_t *n)
{
    PP_TRY(put_siblings(l, first, at, n));
    for (uint32_t h = *at; h < l->hops.len; h++) {
        uint32_t child, children;
        PP_TRY(put_siblings(l, l->hops.data[h].child_first, &child, &children));
        l->hops.data[h].child_first = child;
        l->hops.data[h].n_children = children;
    }
    return PP_OK;
}

static pp_status put_trees(pp_lockstep *l)
{
    join_delays(l);
    for (uint32_t a = 0; a < l->actors.len; a++) {
        uint32_t first, n;
        if (a == l->sink)
            continue;
        PP_TRY(put_tree(l, l->roots.data[a].first, &first, &n));
        l->actors.data[a].hop_first = first;
        l->actors.data[a].n_hops = n;
    }
    return PP_OK;
}

/* Operators that nothing feeds begin together, behind a source of no time. */
static pp_status put_source(pp_lockstep *l)
{
    uint32_t source;
    PP_TRY(pp_lockstep_add_actor(l, (pp_token_actor){.work = PP_NONE, .server = PP_NONE}, (pp_lm_actor){0, PP_NONE}, &source));
    l->x->net.source = source;
    for (uint32_t a = 0; a < source; a++) {
        if (l->actors.data[a].inputs == 0)
            PP_TRY(end_node(l, source, PP_NONE, a, 0));
    }
    return PP_OK;
}

/* Where it is not: the slowest way of its edge, nobody on it. */
static pp_status plain_back(pp_lockstep *l)
{
    const pp_lm_instance *first = &l->m->instance[0];
    uint64_t back_ps = 0;
    for (uint32_t e = first->first_in; e < first->first_in + first->n_in; e++) {
        const pp_lm_edge *d = &l->m->edge[e];
        for (uint32_t k = d->first_target; k < d->first_target + d->n_targets; k++)
            back_ps = l->m->target[k].latency_ps > back_ps ? l->m->target[k].latency_ps : back_ps;
    }
    const pp_token_hop h = {.latency_ps = back_ps, .server = PP_NONE, .to = PP_TOKEN_BACK, .expert = PP_NONE};
    return first->n_in == 0 || add_node(l, l->sink, PP_NONE, h) != PP_NONE ? PP_OK : PP_ENOMEM;
}

/* The sink's tree is the way back. */
static pp_status put_back(pp_lockstep *l)
{
    pp_token_net *net = &l->x->net;
    if (l->roots.data[l->sink].first == PP_NONE)
        PP_TRY(plain_back(l));
    return put_tree(l, l->roots.data[l->sink].first, &net->back_first, &net->n_back);
}

/* Joins, source and sink have servers of their own, behind those of the channels. */
static pp_status number_servers(pp_lockstep *l)
{
    pp_token_net *net = &l->x->net;
    uint32_t n = l->first_channel + (uint32_t)l->users.len;
    for (uint32_t a = 0; a < l->actors.len; a++) {
        if (l->actors.data[a].server == PP_NONE)
            l->actors.data[a].server = n++;
    }
    net->n_servers = n;
    free(net->server_copies);
    free(l->x->server_instance);
    net->server_copies = pp_alloc(n, sizeof *net->server_copies);
    l->x->server_instance = pp_calloc(n, sizeof *l->x->server_instance);
    if (net->server_copies == NULL || l->x->server_instance == NULL)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < n; s++) {
        net->server_copies[s] = 1;
        const uint32_t user = s - l->first_channel; /* beyond the channels: actors that are nobody's */
        if (s >= l->first_channel && user < l->users.len)
            l->x->server_instance[s] = l->users.data[user].instance;
    }
    for (uint32_t i = 0; i < l->m->n_instances; i++)
        for (uint32_t s = l->x->first_server[i]; s < l->x->first_server[i + 1]; s++)
            l->x->server_instance[s] = i;
    return PP_OK;
}

static void take_over(pp_lockstep *l)
{
    pp_lm_actors *x = l->x;
    free(x->net.actor);
    free(x->actor);
    x->net.actor = l->actors.data;
    x->net.n_actors = (uint32_t)l->actors.len;
    x->actor = l->labels.data;
    x->net.hop = l->hops.data;
    x->net.n_hops = (uint32_t)l->hops.len;
    x->net.together = true;
    x->user = l->users.data;
    x->first_channel = l->first_channel;
    x->n_channels = (uint32_t)l->users.len;
    l->actors.data = NULL;
    l->labels.data = NULL;
    l->hops.data = NULL;
    l->users.data = NULL;
}

static pp_status begin(pp_lockstep *l)
{
    const uint32_t n = l->first_actor[l->m->n_instances];
    l->channel_server = pp_alloc(l->m->fabric->n_channels, sizeof *l->channel_server);
    if (l->channel_server == NULL)
        return PP_ENOMEM;
    memset(l->channel_server, 0xff, l->m->fabric->n_channels * sizeof *l->channel_server);
    for (uint32_t a = 0; a < n; a++) {
        uint32_t at;
        pp_token_actor actor = l->x->net.actor[a];
        actor.inputs = 0;
        PP_TRY(pp_lockstep_add_actor(l, actor, l->x->actor[a], &at));
    }
    return pp_lockstep_add_actor(l, (pp_token_actor){.work = PP_NONE, .server = PP_NONE}, (pp_lm_actor){l->m->n_instances - 1, PP_NONE}, &l->sink);
}

/* Instances of a window: as many as fit, but two, the first of which was the last one of the window before. */
static uint32_t window_length(const pp_lockstep *l, uint32_t first)
{
    const pp_lm_mapping *m = l->m;
    uint64_t cores = 0;
    for (uint32_t i = first; i < m->n_instances; i++) {
        cores += m->template_[m->instance[i].template_].cores;
        if (cores > l->window_cores && i >= first + 2)
            return i - first;
    }
    return m->n_instances - first;
}

static pp_status one_window(pp_lockstep *l, uint32_t first, uint32_t n)
{
    pp_lockstep_window w = {.l = l, .first = first, .n = n};
    const pp_status status = refine(&w);
    pp_lockstep_window_free(&w);
    return status;
}

static pp_status other_windows(pp_lockstep *l)
{
    uint32_t first = 0, n = window_length(l, 0);
    while (first + n < l->m->n_instances) {
        first += n - 1;
        n = window_length(l, first);
        PP_TRY(one_window(l, first, n));
    }
    return PP_OK;
}

/* ---- how fine ---- */

static void lockstep_free(pp_lockstep *l)
{
    free(l->actors.data);
    free(l->labels.data);
    free(l->roots.data);
    free(l->nodes.data);
    free(l->hops.data);
    free(l->users.data);
    free(l->released.data);
    free(l->channel_server);
    free(l->groups.data);
    free(l->results.data);
}

static pp_lockstep_grain grain_at(const pp_lm_mapping *m, uint32_t level)
{
    const uint64_t interval_ps = m->bounds.interval_ps;
    const pp_lockstep_grain grain[PP_LM_GRAINS] = {{0, 0, 200, true},
                                             {0, 0, 24, true},
                                             {interval_ps / 32, interval_ps / 2, 8, false},
                                             {interval_ps / 32, PP_LOCKSTEP_NEVER, 4, false},
                                             {interval_ps / 8, PP_LOCKSTEP_NEVER, 4, false}};
    return grain[level];
}

/* Hops of all instances, as those of the first window are. */
static double all_hops(const pp_lockstep *l)
{
    const pp_lm_mapping *m = l->m;
    double cores = 0;
    for (uint32_t i = 0; i < window_length(l, 0); i++)
        cores += m->template_[m->instance[i].template_].cores;
    return (double)l->nodes.len * m->cores_used / cores;
}

/* The finest grain with which a token takes so few hops; the first window tells. */
static pp_status choose_grain(pp_lockstep *l, uint64_t hops_most)
{
    for (uint32_t level = 0;; level++) {
        const pp_lockstep fresh = {.m = l->m, .x = l->x, .first_actor = l->first_actor, .first_channel = l->first_channel,
                                   .window_cores = l->window_cores, .grain = grain_at(l->m, level)};
        *l = fresh;
        l->x->grain = level;
        PP_TRY(begin(l));
        PP_TRY(one_window(l, 0, window_length(l, 0)));
        if (level + 1 == PP_LM_GRAINS || hops_most == 0 || all_hops(l) <= (double)hops_most)
            return PP_OK;
        lockstep_free(l);
    }
}

static pp_status make(pp_lockstep *l, uint64_t hops_most)
{
    PP_TRY(choose_grain(l, hops_most));
    PP_TRY(other_windows(l));
    PP_TRY(put_source(l));
    PP_TRY(put_trees(l));
    PP_TRY(put_back(l));
    PP_TRY(number_servers(l));
    l->x->net.sink = l->sink;
    take_over(l);
    return PP_OK;
}

pp_status pp_lm_lockstep(pp_lm_actors *x, const pp_lm_mapping *m, const uint32_t *first_actor, const pp_lm_lockstep_options *options)
{
    pp_lockstep l = {.m = m, .x = x, .first_actor = first_actor, .first_channel = x->first_server[m->n_instances],
                     .window_cores = options->window_cores > 0 ? options->window_cores : WINDOW_CORES};
    const pp_status status = make(&l, options->hops_most);
    lockstep_free(&l);
    return status;
}
