/* Packets of a group that ask for a channel at about the same time are a run. Runs inside the group, partial sums, stand
 * one behind the other in its tree of hops: a station is where the tree is at some time. Runs that leave it, and what
 * waits for no channel, go on from the last station before them. */
#include "sim/tokens_lockstep_internal.h"

#include <stdlib.h>
#include <string.h>

/* Actor of the tiles that gets what passes a hop, or the first of them. */
static uint32_t first_end(const pp_lockstep_window *w, uint32_t hop)
{
    const pp_token_hop *h = &w->net->hop[hop];
    return h->to != PP_NONE || h->n_children == 0 ? h->to : first_end(w, h->child_first);
}

/* Turns to the frame of what passes a hop below `parent` (PP_NONE: actor): when the hop is asked for there, where that is
 * time_ps in the frame that was looked at. Who calls turns back. */
static uint64_t turn_to(pp_lockstep_window *w, uint32_t actor, uint32_t parent, uint32_t hop, uint64_t time_ps)
{
    const pp_token_hop *h = &w->net->hop[hop];
    const pp_lockstep_frame *was = w->at;
    if (h->expert == PP_NONE)
        return time_ps;
    pp_lockstep_look(w, h->expert);
    if (w->at == was)
        return time_ps;
    return parent == PP_NONE ? w->at->done_ps[actor] : w->at->got_ps[parent] + w->net->hop[parent].latency_ps;
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
    uint32_t group, hop, actor;
    uint64_t time_ps, ask_ps; /* its actor is done (in the group's frame); it asks for its first channel that matters (PP_LOCKSTEP_NEVER: for none) */
    uint64_t turn;
    bool inside;              /* ends in its own operator */
} leaving;

static void first_ask(pp_lockstep_window *w, uint32_t parent, uint32_t hop, uint64_t time_ps, leaving *x)
{
    const pp_token_hop *h = &w->net->hop[hop];
    pp_lockstep_frame *was = w->at;
    if (!w->sends_hot[hop])
        return;
    time_ps = turn_to(w, x->actor, parent, hop, time_ps);
    if (h->server != PP_NONE && w->hot[h->server]) {
        const uint64_t own_ps = pp_lockstep_own_time(w, x->group, time_ps);
        if (own_ps < x->ask_ps || (own_ps == x->ask_ps && w->at->turn[hop] < x->turn)) {
            x->ask_ps = own_ps;
            x->turn = w->at->turn[hop];
        }
    } else {
        const uint64_t got_ps = h->server == PP_NONE ? time_ps : w->at->got_ps[hop];
        for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
            first_ask(w, hop, c, got_ps + h->latency_ps, x);
    }
    w->at = was;
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

/* Packets of one group on one channel. Times of the token that is alone, in the group's frame. */
typedef struct run {
    uint64_t ask_ps, got_ps, busy_ps;
    uint32_t server, hop;     /* of the tiles: channel, first packet's hop */
    uint64_t turn;            /* in which the first one took its channel, among all */
    uint32_t end;             /* list in run_ends */
    uint32_t number, behind;  /* as collected: its own; that of the run whose packet goes on here, PP_NONE: none */
    pp_lockstep_label label;
} run;

/* A target of a run: what passes the channel matters to it from at_ps on. */
typedef struct run_end {
    uint64_t at_ps;
    uint32_t to, next;        /* lockstep actor */
    pp_lockstep_label label;  /* one for each actor that gets it */
} run_end;

typedef struct passed {
    const struct passed *before;
    uint32_t run;
} passed;

typedef struct station {
    uint32_t node;            /* PP_NONE: the actor itself */
    uint64_t time_ps;
} station;
typedef PP_VEC(station) stations;

typedef struct collection {
    pp_lockstep_window *w;
    uint32_t of, actor;       /* actor: of the tiles */
    bool inside;
    pp_lockstep_label label;  /* of what is looked at */
    PP_VEC(run) runs;
    PP_VEC(run_end) ends;
    PP_VEC(uint32_t) part_of; /* [runs collected] number of the one that it has become part of, in mixtures */
    stations way;             /* [runs collected] where the tree is behind it */
    uint32_t plain;           /* list in ends: what passes no channel that matters */
} collection;

/* In mixtures packets ask for a channel when they have got the one before: which experts' packets meet is another thing with
 * every token. Elsewhere they ask when the token alone did, whoever is late: it is alone each time in the same way. */
static bool one_by_one(const pp_lockstep_window *w)
{
    return w->l->m->graph->config.experts > 0;
}

static pp_status note_end(collection *c, uint32_t *list, uint32_t to, uint64_t at_ps, pp_lockstep_label label)
{
    for (uint32_t i = *list; i != PP_NONE; i = c->ends.data[i].next) {
        run_end *e = &c->ends.data[i];
        if (e->to == to) {
            e->at_ps = at_ps > e->at_ps ? at_ps : e->at_ps;
            return PP_OK;
        }
    }
    const uint32_t n = (uint32_t)c->ends.len;
    if (!pp_push(&c->ends, (run_end){at_ps, to, *list, label}))
        return PP_ENOMEM;
    *list = n;
    return PP_OK;
}

static pp_status collect_end(collection *c, uint32_t to, uint64_t arrival_ps, const passed *p)
{
    pp_lockstep_window *w = c->w;
    pp_lockstep *l = w->l;
    const uint32_t g = w->group[to];
    if (g == c->of)
        return PP_OK;
    if (g == PP_NONE && w->first + w->n < l->m->n_instances)
        return PP_OK;
    uint64_t at_ps = g == PP_NONE ? arrival_ps : pp_lockstep_since(pp_lockstep_start(w, g), pp_lockstep_slack(w, to, arrival_ps));
    at_ps = pp_lockstep_own_time(w, c->of, at_ps);
    if (p != NULL && at_ps < c->runs.data[p->run].got_ps)
        at_ps = c->runs.data[p->run].got_ps;
    uint32_t actor = g == PP_NONE ? l->sink : l->groups.data[g].actor;
    if (c->label.expert != PP_NONE && (g == PP_NONE || pp_lockstep_expert(l, g) == PP_NONE))
        PP_TRY(pp_lockstep_join_of(l, c->label, actor, &actor));
    if (p == NULL)
        return note_end(c, &c->plain, actor, at_ps, c->label);
    for (; p != NULL; p = one_by_one(w) ? NULL : p->before) /* behind the last one stands what the others have delayed */
        PP_TRY(note_end(c, &c->runs.data[p->run].end, actor, at_ps, c->label));
    return PP_OK;
}

static pp_status collect(collection *c, uint32_t parent, uint32_t hop, uint64_t time_ps, const passed *before);

/* A hop in the frame of what passes it. */
static pp_status collect_here(collection *c, uint32_t hop, uint64_t time_ps, const passed *before)
{
    pp_lockstep_window *w = c->w;
    const pp_token_hop *h = &w->net->hop[hop];
    const uint64_t got_ps = h->server == PP_NONE ? time_ps : w->at->got_ps[hop], head_ps = got_ps + h->latency_ps;
    passed here = {before, 0};
    const passed *p = before;
    if (h->server != PP_NONE && w->hot[h->server]) {
        const run r = {.ask_ps = pp_lockstep_own_time(w, c->of, time_ps), .got_ps = pp_lockstep_own_time(w, c->of, got_ps),
                       .busy_ps = h->busy_ps, .server = h->server, .hop = hop, .turn = w->at->turn[hop], .end = PP_NONE,
                       .label = c->label, .number = (uint32_t)c->runs.len, .behind = before != NULL ? before->run : PP_NONE};
        here.run = (uint32_t)c->runs.len;
        if (!pp_push(&c->runs, r))
            return PP_ENOMEM;
        p = &here;
    }
    if (h->to != PP_NONE && !c->inside)
        PP_TRY(collect_end(c, h->to, head_ps + h->tail_ps, p));
    for (uint32_t k = h->child_first; k < h->child_first + h->n_children; k++)
        PP_TRY(collect(c, hop, k, head_ps, p));
    return PP_OK;
}

/* Collects a hop and all below. */
static pp_status collect(collection *c, uint32_t parent, uint32_t hop, uint64_t time_ps, const passed *before)
{
    const pp_token_hop *h = &c->w->net->hop[hop];
    const pp_lockstep_label was = c->label;
    pp_lockstep_frame *at = c->w->at;
    time_ps = turn_to(c->w, c->actor, parent, hop, time_ps);
    if (h->expert != PP_NONE)
        c->label = (pp_lockstep_label){h->expert, h->block};
    const pp_status status = collect_here(c, hop, time_ps, before);
    c->label = was;
    c->w->at = at;
    return status;
}

static int by_ask(const void *pa, const void *pb)
{
    const run *a = pa, *b = pb;
    if (a->ask_ps != b->ask_ps)
        return a->ask_ps < b->ask_ps ? -1 : 1;
    if (a->turn >> 32 != b->turn >> 32)
        return a->turn >> 32 < b->turn >> 32 ? -1 : 1;
    if (a->label.expert != b->label.expert)
        return a->label.expert < b->label.expert ? -1 : 1;
    return a->turn < b->turn ? -1 : a->turn > b->turn;
}

static int by_channel(const void *pa, const void *pb)
{
    const run *a = pa, *b = pb;
    if (a->server != b->server)
        return a->server < b->server ? -1 : 1;
    if (a->label.expert != b->label.expert)
        return a->label.expert < b->label.expert ? -1 : 1;
    return by_ask(pa, pb);
}

/* Packets on one channel, for the same expert, that ask within grain_ps of the first are one. */
static pp_status lump(collection *c)
{
    const uint64_t lump_ps = c->w->l->grain.lump_ps;
    size_t kept = 0;
    if (c->runs.len == 0)
        return PP_OK;
    for (uint32_t i = 0; i < c->runs.len && one_by_one(c->w); i++)
        if (!pp_push(&c->part_of, i) || !pp_push(&c->way, ((station){PP_NONE, 0})))
            return PP_ENOMEM;
    qsort(c->runs.data, c->runs.len, sizeof *c->runs.data, by_channel);
    for (size_t i = 0; i < c->runs.len; i++) {
        const run r = c->runs.data[i];
        run *to = kept > 0 ? &c->runs.data[kept - 1] : NULL;
        if (to == NULL || to->server != r.server || to->label.expert != r.label.expert || r.ask_ps - to->ask_ps > lump_ps) {
            c->runs.data[kept++] = r;
            continue;
        }
        to->busy_ps += r.busy_ps;
        if (one_by_one(c->w))
            c->part_of.data[r.number] = to->number;
        for (uint32_t e = r.end; e != PP_NONE; e = c->ends.data[e].next)
            PP_TRY(note_end(c, &to->end, c->ends.data[e].to, c->ends.data[e].at_ps, c->ends.data[e].label));
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
    PP_TRY(pp_lockstep_delay_node(l, actor, *parent, pp_lockstep_since(r[0].ask_ps, ref_ps), parent));
    for (size_t i = 0; i < n; i++) {
        const pp_token_hop h = {.busy_ps = r[i].busy_ps, .tail_ps = held[i], .server = server_of(w, r[i].hop, of), .to = PP_NONE,
                                .expert = r[i].label.expert, .block = r[i].label.block, .after_ps = i > 0 ? r[i].ask_ps - r[i - 1].ask_ps : 0};
        *parent = pp_lockstep_add_node(l, actor, *parent, h);
        if (h.server == PP_NONE || *parent == PP_NONE)
            return PP_ENOMEM;
        l->nodes.data[*parent].got_ps = r[i].got_ps;
    }
    return PP_OK;
}

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
            status = pp_lockstep_end_node(l, actor, node, c->ends.data[e].to, pp_lockstep_since(last_at(c, r, n, c->ends.data[e].to), done),
                                          c->ends.data[e].label);
    return status;
}

/* A run of its own: it asks for its channel as long after the one before on its packet's way has been got. */
static pp_status put_behind(collection *c, const stations *s, const run *r)
{
    pp_lockstep *l = c->w->l;
    const uint32_t actor = l->groups.data[c->of].actor;
    const uint64_t none = 0;
    station at = last_before(s, r->ask_ps);
    if (r->behind != PP_NONE && c->way.data[c->part_of.data[r->behind]].node != PP_NONE)
        at = c->way.data[c->part_of.data[r->behind]];
    PP_TRY(put_chain(c->w, c->of, &at.node, at.time_ps, r, 1, &none));
    at.time_ps = r->got_ps;
    c->way.data[r->number] = at;
    for (uint32_t e = r->end; e != PP_NONE; e = c->ends.data[e].next)
        PP_TRY(pp_lockstep_end_node(l, actor, at.node, c->ends.data[e].to, pp_lockstep_since(c->ends.data[e].at_ps, r->got_ps),
                                    c->ends.data[e].label));
    return PP_OK;
}

/* How many of the runs from r on ask together, each got before any of them matters. */
static size_t side_by_side(const collection *c, const run *r, size_t n)
{
    uint64_t got = r->got_ps, at = first_at(c, r);
    size_t k = 1;
    for (; k < n && r[k].ask_ps == r->ask_ps && r[k].label.expert == r->label.expert; k++) {
        const uint64_t g = r[k].got_ps > got ? r[k].got_ps : got, a = pp_lockstep_less(at, first_at(c, &r[k]));
        if (g > a)
            break;
        got = g;
        at = a;
    }
    return k;
}

static pp_status put_outside(collection *c, const stations *s)
{
    pp_lockstep *l = c->w->l;
    for (size_t i = 0, n; i < c->runs.len; i += n) {
        const run *r = &c->runs.data[i];
        n = one_by_one(c->w) ? 1 : side_by_side(c, r, c->runs.len - i);
        PP_TRY(one_by_one(c->w) ? put_behind(c, s, r) : put_outer_chain(c, s, r, n));
    }
    for (uint32_t e = c->plain; e != PP_NONE; e = c->ends.data[e].next) {
        const station x = last_before(s, c->ends.data[e].at_ps);
        PP_TRY(pp_lockstep_end_node(l, l->groups.data[c->of].actor, x.node, c->ends.data[e].to, pp_lockstep_since(c->ends.data[e].at_ps, x.time_ps),
                                    c->ends.data[e].label));
    }
    return PP_OK;
}

static pp_status collect_all(collection *c, const leaving *x, size_t n)
{
    const pp_lockstep *l = c->w->l;
    pp_status status = PP_OK;
    pp_lockstep_look(c->w, pp_lockstep_expert(l, c->of));
    c->label = (pp_lockstep_label){pp_lockstep_expert(l, c->of), l->labels.data[l->groups.data[c->of].actor].instance};
    for (size_t i = 0; i < n && status == PP_OK; i++) {
        c->actor = x[i].actor;
        if (x[i].inside == c->inside)
            status = collect(c, PP_NONE, x[i].hop, x[i].time_ps, NULL);
    }
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
    free(in.part_of.data);
    free(out.part_of.data);
    free(in.way.data);
    free(out.way.data);
    free(s.data);
    return status;
}

/* Everything that leaves an actor, ordered by who sends and when it first asks for a channel. */
static pp_status list_leaving(pp_lockstep_window *w, leaving **out, size_t *n)
{
    PP_VEC(leaving) all = {0};
    bool ok = true;
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        const pp_token_actor *d = &w->net->actor[a];
        if (!pp_lockstep_sends(w, a))
            continue;
        pp_lockstep_look(w, pp_lockstep_expert(w->l, w->group[a]));
        for (uint32_t i = 0; i < d->n_hops && ok; i++) {
            leaving x = {.group = w->group[a], .hop = d->hop_first + i, .actor = a, .time_ps = w->at->done_ps[a],
                         .ask_ps = PP_LOCKSTEP_NEVER, .turn = UINT64_MAX};
            x.inside = pp_lockstep_ends_in(w, x.hop, x.group);
            first_ask(w, PP_NONE, x.hop, x.time_ps, &x);
            ok = pp_push(&all, x);
        }
    }
    if (all.len > 0)
        qsort(all.data, all.len, sizeof *all.data, in_order);
    *out = all.data;
    *n = all.len;
    return ok ? PP_OK : PP_ENOMEM;
}

/* When what comes for an operator has got its last channel; that of hop `got`, or none. */
static void note_late(pp_lockstep_window *w, uint32_t hop, uint32_t got, uint32_t of)
{
    const pp_token_hop *h = &w->net->hop[hop];
    pp_lockstep_frame *was = w->at;
    if (h->expert != PP_NONE)
        pp_lockstep_look(w, h->expert);
    if (h->server != PP_NONE && w->hot[h->server])
        got = hop;
    if (h->to != PP_NONE && w->group[h->to] != PP_NONE && w->group[h->to] != of) {
        pp_lockstep_group *g = &w->l->groups.data[w->group[h->to]];
        const uint64_t got_ps = got == PP_NONE ? 0 : pp_lockstep_own_time(w, w->group[h->to], w->at->got_ps[got]);
        g->late_ps = got_ps > g->late_ps ? got_ps : g->late_ps;
    }
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        note_late(w, c, got, of);
    w->at = was;
}

/* Groups start early enough for the first that they send, if all that comes for them has got its channels by then. */
static void move_starts(pp_lockstep_window *w, const leaving *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pp_lockstep_group *g = &w->l->groups.data[x[i].group];
        g->ask_ps = pp_lockstep_less(g->ask_ps, x[i].ask_ps);
        pp_lockstep_look(w, pp_lockstep_expert(w->l, x[i].group));
        note_late(w, x[i].hop, PP_NONE, x[i].group);
    }
    for (size_t i = 0; i < n; i++) {
        pp_lockstep_group *g = &w->l->groups.data[x[i].group];
        const uint64_t early = pp_lockstep_since(g->ask_ps, work_ps(w->l, g->actor)), at = early > g->late_ps ? early : g->late_ps;
        if (!pp_lockstep_again(w, w->l->labels.data[g->actor].instance))
            g->start_ps = pp_lockstep_less(g->start_ps, at);
    }
}

pp_status pp_lockstep_put_groups(pp_lockstep_window *w)
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
