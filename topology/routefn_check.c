/* Freedom from deadlock of a routing relation: all packets are enumerated, the dependencies of (channel, class) are
 * collected, and a cycle is looked for.
 * PAPER: dally1987 theorem 1: without a cycle there is no deadlock. duato1993 theorem 1: with adaptive hops it is
 * enough that the escapes, offered everywhere, have none, dependencies over other hops included. */
#include "topology/routefn_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STEPS UINT64_C(1000000000)

/* ---- Set of dependencies: open addressing on (from, to) ---- */

typedef struct pair_set {
    uint64_t *slot; /* from << 32 | to, or EMPTY */
    size_t n, mask;
} pair_set;
#define EMPTY UINT64_MAX

static size_t slot_of(const pair_set *set, uint64_t pair)
{
    size_t i = (size_t)((pair * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & set->mask;
    while (set->slot[i] != EMPTY && set->slot[i] != pair)
        i = (i + 1) & set->mask;
    return i;
}

static bool grow(pair_set *set)
{
    const size_t size = set->slot ? 2 * (set->mask + 1) : 1024, old_size = set->slot ? set->mask + 1 : 0;
    uint64_t *old = set->slot, *slot = pp_alloc(size, sizeof *slot);
    if (!slot)
        return false;
    memset(slot, 0xff, size * sizeof *slot);
    set->slot = slot;
    set->mask = size - 1;
    for (size_t i = 0; i < old_size; i++)
        if (old[i] != EMPTY)
            slot[slot_of(set, old[i])] = old[i];
    free(old);
    return true;
}

static bool add_pair(pair_set *set, uint32_t from, uint32_t to)
{
    if ((!set->slot || 2 * set->n > set->mask) && !grow(set))
        return false;
    const uint64_t pair = (uint64_t)from << 32 | to;
    const size_t i = slot_of(set, pair);
    set->n += set->slot[i] == EMPTY;
    set->slot[i] = pair;
    return true;
}

/* ---- Enumeration ---- */

typedef struct enumeration {
    const pp_routefn *fn;
    uint32_t classes;
    bool one_class; /* dependencies are noted by channel alone */
    uint64_t steps;
    pair_set pairs;
    pp_route_head packet; /* src, dst, mid of the packets looked at */
    uint32_t *stamp;      /* [states] of the round that reached the state */
    uint32_t *far_stamp;  /* [states] the same for the search between escapes */
    uint8_t *escape;      /* [states] the state was entered by an escape hop in this round */
    uint32_t round, far_round;
    PP_VEC(uint32_t) stack;
    PP_VEC(uint32_t) far_stack;
    pp_hop *hop;
} enumeration;

static bool add_dependency(enumeration *e, uint32_t from, uint32_t to)
{
    const uint32_t c = e->one_class ? e->classes : 1;
    return add_pair(&e->pairs, from / c * c, to / c * c);
}

static pp_route_head head_in(const enumeration *e, uint32_t state)
{
    pp_route_head h = e->packet;
    h.channel = state / e->classes;
    h.vc_class = state % e->classes;
    h.at = e->fn->f->channel[h.channel].dst;
    return h;
}

static pp_status stuck(const enumeration *e, const pp_route_head *h, const char *what)
{
    const pp_fabric *f = e->fn->f;
    char at[64], dst[64];
    return pp_fail(PP_EINTERNAL, "routing %s on %s: no %s at %s for a packet to %s", e->fn->info.name, f->name, what,
                   pp_vertex_label(f, h->at, at, sizeof at), pp_vertex_label(f, h->dst, dst, sizeof dst));
}

/* Candidates of a head; a way that has begun must go on, and escapes must be offered everywhere. */
static pp_status candidates(enumeration *e, const pp_route_head *h, uint32_t *n)
{
    bool escape = false;
    *n = pp_routefn_next(e->fn, h, e->hop);
    e->steps += 1 + *n;
    for (uint32_t i = 0; i < *n; i++)
        escape = escape || e->hop[i].escape;
    if (h->at != h->dst && *n == 0 && h->channel != PP_NO_CHANNEL)
        return stuck(e, h, "channel");
    if (e->fn->info.has_escape && *n > 0 && !escape)
        return stuck(e, h, "escape");
    return e->steps > MAX_STEPS ? pp_fail(PP_EUNSUPPORTED, "fabric %s: too large for the dependency check",
                                          e->fn->f->name)
                                : PP_OK;
}

/* Calls visit for each state that a candidate leads to. */
#define EACH_STATE(e, n, state, hop_index)                                                   \
    for (uint32_t hop_index = 0; hop_index < (n); hop_index++)                                 \
        for (uint32_t class_ = 0; class_ < (e)->classes; class_++)                             \
            if ((e)->hop[hop_index].classes >> class_ & 1U)                                    \
                for (uint32_t state = (e)->hop[hop_index].channel * (e)->classes + class_, once_ = 1; once_; once_ = 0)

/* From an escape over other hops to the next escapes. */
static pp_status add_far(enumeration *e, uint32_t from)
{
    e->far_round++;
    e->far_stack.len = 0;
    uint32_t at = from, n = 0;
    for (;;) {
        const pp_route_head h = head_in(e, at);
        PP_TRY(candidates(e, &h, &n));
        EACH_STATE(e, n, state, i) {
            if (e->hop[i].escape) {
                if (!add_dependency(e, from, state))
                    return PP_ENOMEM;
            } else if (e->far_stamp[state] != e->far_round) {
                e->far_stamp[state] = e->far_round;
                if (!pp_push(&e->far_stack, state))
                    return PP_ENOMEM;
            }
        }
        if (e->far_stack.len == 0)
            return PP_OK;
        at = e->far_stack.data[--e->far_stack.len];
    }
}

/* States that the candidates of `h` lead to: new ones go on the stack; `from`: the state that depends on them. */
static pp_status add_next(enumeration *e, const pp_route_head *h, uint32_t from)
{
    uint32_t n = 0;
    const bool all = !e->fn->info.has_escape;
    PP_TRY(candidates(e, h, &n));
    EACH_STATE(e, n, state, i) {
        if (all && from != UINT32_MAX && !add_dependency(e, from, state))
            return PP_ENOMEM;
        const bool seen = e->stamp[state] == e->round;
        if (!seen || (e->hop[i].escape && !e->escape[state])) {
            e->stamp[state] = e->round;
            e->escape[state] = e->hop[i].escape || (seen && e->escape[state]);
            if (!pp_push(&e->stack, state))
                return PP_ENOMEM;
        }
    }
    return PP_OK;
}

/* All packets from `src` on in the present round. */
static pp_status add_packets(enumeration *e, uint32_t src)
{
    pp_route_head h = e->packet;
    h.at = src;
    h.channel = PP_NO_CHANNEL;
    h.vc_class = 0;
    PP_TRY(add_next(e, &h, UINT32_MAX));
    while (e->stack.len > 0) {
        const uint32_t state = e->stack.data[--e->stack.len];
        h = head_in(e, state);
        if (e->fn->info.has_escape && e->escape[state])
            PP_TRY(add_far(e, state));
        PP_TRY(add_next(e, &h, state));
    }
    return PP_OK;
}

/* A round for each destination (and source, and intermediate vertex, where the relation looks at them): within one
 * every state is looked at once. */
static pp_status add_all(enumeration *e)
{
    const pp_routefn *fn = e->fn;
    const uint32_t n = fn->n_ends, mids = fn->info.two_phase ? n : 1;
    for (uint32_t t = 0; t < n; t++)
        for (uint32_t m = 0; m < mids; m++) {
            e->round++;
            for (uint32_t s = 0; s < n; s++) {
                e->round += fn->info.uses_source;
                e->packet = (pp_route_head){.src = fn->end[s], .dst = fn->end[t],
                                            .mid = fn->info.two_phase ? fn->end[m] : PP_NO_VERTEX};
                PP_TRY(add_packets(e, fn->end[s]));
            }
        }
    return PP_OK;
}

/* ---- Cycle ---- */

static int by_pair(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

typedef struct search {
    const uint64_t *pair; /* sorted */
    size_t *first;        /* [states + 1] */
    uint8_t *colour;      /* 0 new, 1 on the stack, 2 done */
    uint32_t *stack;
    size_t *next;
    size_t depth;
} search;

/* Depth-first from `root`; true when the top of the stack depends on *back, which stands on it. */
static bool search_from(search *s, uint32_t root, uint32_t *back)
{
    s->depth = 1;
    s->stack[0] = root;
    s->colour[root] = 1;
    s->next[root] = s->first[root];
    while (s->depth > 0) {
        const uint32_t at = s->stack[s->depth - 1];
        if (s->next[at] == s->first[at + 1]) {
            s->colour[at] = 2;
            s->depth--;
            continue;
        }
        const uint32_t to = (uint32_t)s->pair[s->next[at]++];
        if (s->colour[to] == 1) {
            *back = to;
            return true;
        }
        if (s->colour[to] == 0) {
            s->colour[to] = 1;
            s->next[to] = s->first[to];
            s->stack[s->depth++] = to;
        }
    }
    return false;
}

static pp_status copy_cycle(const search *s, uint32_t back, uint32_t classes, pp_route_state **cycle, uint32_t *n_cycle)
{
    size_t begin = s->depth - 1;
    while (s->stack[begin] != back)
        begin--;
    *cycle = pp_alloc(s->depth - begin, sizeof **cycle);
    if (!*cycle)
        return PP_ENOMEM;
    for (size_t i = begin; i < s->depth; i++)
        (*cycle)[i - begin] = (pp_route_state){s->stack[i] / classes, s->stack[i] % classes};
    *n_cycle = (uint32_t)(s->depth - begin);
    return PP_OK;
}

static pp_status find_cycle(enumeration *e, uint32_t states, pp_route_state **cycle, uint32_t *n_cycle)
{
    size_t n = 0;
    for (size_t i = 0; e->pairs.slot && i <= e->pairs.mask; i++)
        if (e->pairs.slot[i] != EMPTY)
            e->pairs.slot[n++] = e->pairs.slot[i];
    if (n > 0)
        qsort(e->pairs.slot, n, sizeof *e->pairs.slot, by_pair);
    search s = {.pair = e->pairs.slot,
                .first = pp_calloc((size_t)states + 1, sizeof *s.first),
                .colour = pp_calloc(states, 1),
                .stack = pp_alloc(states, sizeof *s.stack),
                .next = pp_alloc(states, sizeof *s.next)};
    pp_status status = s.first && s.colour && s.stack && s.next ? PP_OK : PP_ENOMEM;
    if (status == PP_OK) {
        for (size_t i = 0; i < n; i++)
            s.first[(s.pair[i] >> 32) + 1]++;
        for (uint32_t v = 0; v < states; v++)
            s.first[v + 1] += s.first[v];
        uint32_t back = UINT32_MAX;
        for (uint32_t v = 0; back == UINT32_MAX && v < states; v++)
            if (s.colour[v] == 0 && search_from(&s, v, &back))
                status = copy_cycle(&s, back, e->classes, cycle, n_cycle);
    }
    free(s.first);
    free(s.colour);
    free(s.stack);
    free(s.next);
    return status;
}

pp_status pp_routefn_check(const pp_routefn *fn, bool one_class, pp_route_state **cycle, uint32_t *n_cycle)
{
    *cycle = NULL;
    *n_cycle = 0;
    if (one_class && fn->info.has_escape)
        return pp_fail(PP_EINVAL, "routing %s has escapes: its classes cannot be one", fn->info.name);
    const uint64_t states = (uint64_t)fn->f->n_network * fn->info.classes;
    if (states >= UINT32_MAX)
        return pp_fail(PP_EUNSUPPORTED, "fabric %s: too large for the dependency check", fn->f->name);
    enumeration e = {.fn = fn,
                     .classes = fn->info.classes,
                     .one_class = one_class,
                     .stamp = pp_calloc(states, sizeof *e.stamp),
                     .far_stamp = pp_calloc(states, sizeof *e.far_stamp),
                     .escape = pp_calloc(states, sizeof *e.escape),
                     .hop = pp_alloc(fn->info.max_hops, sizeof *e.hop)};
    pp_status status = e.stamp && e.far_stamp && e.escape && e.hop ? PP_OK : PP_ENOMEM;
    if (status == PP_OK)
        status = add_all(&e);
    if (status == PP_OK)
        status = find_cycle(&e, (uint32_t)states, cycle, n_cycle);
    free(e.pairs.slot);
    free(e.stamp);
    free(e.far_stamp);
    free(e.escape);
    free(e.hop);
    free(e.stack.data);
    free(e.far_stack.data);
    return status;
}
