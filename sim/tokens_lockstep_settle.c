/* A token alone takes what it takes tile by tile, whatever the grain.
 *
 * Packets that are taken together keep a channel busy without the gaps that they have, so that other groups' packets wait
 * which found it free tile by tile. One token goes through the lockstep model alone; where a chain of channels is passed later
 * than it was in the tiles, it is held, and followed, by as much less: all chains by the share of that with which the token
 * is through when it was in the tiles, as nearly as can be. What is late by more than that stays late. */
#include "sim/tokens_lockstep_internal.h"

#include <stdlib.h>

enum { ROUNDS = 8 };          /* what is mended moves what waits behind it */
enum { SHARES = 64 };

typedef struct settling {
    pp_lockstep *l;
    pp_token_net *net;
    uint64_t *due_ps;         /* [actors] start in the tiles; NEVER: nobody's */
    uint64_t *start_ps;       /* [actors] here */
    uint64_t *got_ps;         /* [hops] here */
    uint64_t *tail_ps, *latency_ps; /* [hops] as made */
    uint64_t *cut_ps;         /* [hops] of chains that begin there: less than made */
} settling;

static void saw(void *payload, const pp_token_busy *b)
{
    settling *s = payload;
    if (b->actor == PP_NONE)
        s->got_ps[b->hop] = b->start_ps;
    else
        s->start_ps[b->actor] = b->start_ps;
}

static pp_status send_one(settling *s)
{
    const pp_token_sequence one = {0, 1, 0};
    const pp_token_setup setup = {.sequence = &one, .n_sequences = 1, .scenario = PP_SCENARIO_PREFILL, .in_flight = 1, .exact = true,
                                  .watch = saw, .watcher = s, .watch_to = UINT64_MAX};
    pp_token_result *r = NULL;
    const pp_status status = pp_simulate_tokens(&r, s->net, &setup);
    pp_token_result_free(r);
    return status;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A chain of channels, and the latest of what it has got here. */
typedef struct chain {
    uint32_t first, last, latest;
    uint64_t due_ps;          /* passed in the tiles */
    uint64_t done_ps;         /* here */
} chain;

static chain chain_of(const settling *s, uint32_t first)
{
    chain c = {.first = first, .last = first, .latest = first};
    for (uint32_t h = first;; h = s->net->hop[h].child_first) {
        c.due_ps = most(c.due_ps, s->l->hop_got.data[h] + s->tail_ps[h]);
        c.done_ps = most(c.done_ps, s->got_ps[h] + s->net->hop[h].tail_ps);
        c.latest = s->got_ps[h] > s->got_ps[c.latest] ? h : c.latest;
        c.last = h;
        if (!pp_token_chained(s->net, &s->net->hop[h]))
            return c;
    }
}

/* Held by cut_ps less, and what that is too much for followed by it. */
static void cut_chain(settling *s, const chain *c, uint64_t cut_ps)
{
    for (uint32_t h = c->first;; h = s->net->hop[h].child_first) {
        s->net->hop[h].tail_ps = pp_lockstep_since(s->tail_ps[h], cut_ps);
        if (h == c->last)
            break;
    }
    pp_token_hop *end = &s->net->hop[c->last];
    uint64_t rest_ps = pp_lockstep_since(cut_ps, s->tail_ps[c->latest]);
    end->latency_ps = pp_lockstep_since(s->latency_ps[c->last], rest_ps);
    rest_ps = pp_lockstep_since(rest_ps, s->latency_ps[c->last]);
    for (uint32_t k = end->child_first; k < end->child_first + end->n_children; k++)
        if (s->net->hop[k].server == PP_NONE)
            s->net->hop[k].latency_ps = pp_lockstep_since(s->latency_ps[k], rest_ps);
}

/* Half of what it is late by, or early: the others are mended, too, and it may wait for them no longer. */
static uint32_t settle_chain(settling *s, uint32_t first, int64_t shift_ps)
{
    const chain c = chain_of(s, first);
    const int64_t done_ps = (int64_t)c.done_ps - (int64_t)(s->latency_ps[c.last] - s->net->hop[c.last].latency_ps);
    const int64_t cut_ps = (int64_t)s->cut_ps[first] + (done_ps - (int64_t)c.due_ps - shift_ps) / 2;
    s->cut_ps[first] = cut_ps > 0 ? (uint64_t)cut_ps : 0;
    cut_chain(s, &c, s->cut_ps[first]);
    return c.last;
}

static void settle(settling *s, uint32_t hop, int64_t shift_ps)
{
    if (s->net->hop[hop].server != PP_NONE)
        hop = settle_chain(s, hop, shift_ps);
    const pp_token_hop *h = &s->net->hop[hop];
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        settle(s, c, shift_ps);
}

static pp_status settle_all(settling *s)
{
    PP_TRY(send_one(s));
    for (uint32_t a = 0; a < s->net->n_actors; a++) {
        const pp_token_actor *d = &s->net->actor[a];
        for (uint32_t i = 0; i < d->n_hops && s->due_ps[a] != PP_LOCKSTEP_NEVER; i++)
            settle(s, d->hop_first + i, (int64_t)(s->start_ps[a] - s->due_ps[a]));
    }
    return PP_OK;
}

static pp_status prepare(settling *s)
{
    const uint32_t a = s->net->n_actors, h = s->net->n_hops;
    s->due_ps = pp_alloc(a, sizeof *s->due_ps);
    s->start_ps = pp_calloc(a, sizeof *s->start_ps);
    s->got_ps = pp_calloc(h, sizeof *s->got_ps);
    s->tail_ps = pp_calloc(h, sizeof *s->tail_ps);
    s->latency_ps = pp_calloc(h, sizeof *s->latency_ps);
    s->cut_ps = pp_calloc(h, sizeof *s->cut_ps);
    if (s->cut_ps == NULL || s->due_ps == NULL || s->start_ps == NULL || s->got_ps == NULL || s->tail_ps == NULL || s->latency_ps == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < a; i++)
        s->due_ps[i] = PP_LOCKSTEP_NEVER;
    for (size_t g = 0; g < s->l->groups.len; g++)
        if (s->l->groups.data[g].actor != PP_NONE)
            s->due_ps[s->l->groups.data[g].actor] = s->l->groups.data[g].start_ps;
    for (uint32_t i = 0; i < h; i++) {
        s->tail_ps[i] = s->net->hop[i].tail_ps;
        s->latency_ps[i] = s->net->hop[i].latency_ps;
    }
    return PP_OK;
}

/* All chains with `share` 64ths of their cuts; how late the token is behind that of the tiles then. */
static pp_status try_share(settling *s, uint64_t share, int64_t *late_ps)
{
    for (uint32_t h = 0; h < s->net->n_hops; h++) {
        if (s->cut_ps[h] == 0)
            continue;
        const chain c = chain_of(s, h);
        cut_chain(s, &c, s->cut_ps[h] / SHARES * share);
    }
    PP_TRY(send_one(s));
    *late_ps = (int64_t)(s->start_ps[s->net->sink] - s->l->alone_ps);
    return PP_OK;
}

/* The most of the cuts with which the token is not early. */
static pp_status find_share(settling *s)
{
    uint64_t low = 0, high = SHARES;
    int64_t late_ps;
    PP_TRY(try_share(s, high, &late_ps));
    if (late_ps >= 0)
        return PP_OK;
    while (high - low > 1) {
        const uint64_t at = (low + high) / 2;
        PP_TRY(try_share(s, at, &late_ps));
        if (late_ps >= 0)
            low = at;
        else
            high = at;
    }
    return try_share(s, low, &late_ps);
}

static pp_status settle_late(settling *s)
{
    int64_t late_ps;
    PP_TRY(try_share(s, 0, &late_ps));
    if (late_ps <= (int64_t)(s->l->alone_ps / 1000))
        return PP_OK;
    for (int k = 0; k < ROUNDS; k++)
        PP_TRY(settle_all(s));
    return find_share(s);
}

pp_status pp_lockstep_settle(pp_lockstep *l)
{
    settling s = {.l = l, .net = &l->x->net};
    pp_status status = prepare(&s);
    if (status == PP_OK)
        status = settle_late(&s);
    free(s.due_ps);
    free(s.start_ps);
    free(s.got_ps);
    free(s.tail_ps);
    free(s.latency_ps);
    free(s.cut_ps);
    return status;
}
