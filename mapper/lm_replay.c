/* The packets of one edge on an idle fabric, in the order in which they really take the channels.
 *
 * Every channel is a first-come first-served server: a packet's head waits for it, takes it for the packet's
 * serialisation, and is at its end a latency later; a packet is complete when the slowest channel of its way has sent it
 * all. A channel that only one packet uses needs no event. O(n log n) in the packets' channels. */
#include "mapper/lm_internal.h"

#include <stdlib.h>

typedef struct event {
    uint64_t time_ps;
    uint32_t order, index;    /* index: way, or n_ways + arrival */
} event;

typedef struct replay {
    const pp_lm_packets *p;
    uint64_t *free_ps;        /* [n_ways] of the channel, kept at its first way */
    uint64_t *slow_ps;        /* [n_ways] largest serialisation so far */
    uint32_t *first_way;      /* [n_ways] first way on the same channel */
    uint32_t *child, *next;   /* [n_ways] trees */
    uint32_t *end, *end_next; /* [n_ways], [n_arrivals] arrivals at a way's end */
    uint32_t *roots;          /* [n_packets] ways without parent */
    uint32_t *here;           /* [n_packets] arrivals in the source's own core */
    uint32_t *missing;        /* [n_nodes] packets that a node waits for */
    uint32_t *sends;          /* [n_nodes] packets that leave a node */
    uint32_t *send_next;      /* [n_packets] */
    uint32_t *adds, *add_next; /* [n_nodes], [n_packets]: packets that a node adds up, in order */
    bool *met;                /* [n_ways] others use its channel, too */
    event *heap;
    size_t n_heap;
    uint32_t order;
} replay;

/* ---- events ---- */

static bool before(const event *a, const event *b)
{
    return a->time_ps != b->time_ps ? a->time_ps < b->time_ps : a->order < b->order;
}

static void push(replay *r, uint64_t time_ps, uint32_t index)
{
    const event e = {time_ps, r->order++, index};
    size_t i = r->n_heap++;
    for (; i > 0 && before(&e, &r->heap[(i - 1) / 2]); i = (i - 1) / 2)
        r->heap[i] = r->heap[(i - 1) / 2];
    r->heap[i] = e;
}

static event pop(replay *r)
{
    const event top = r->heap[0], last = r->heap[--r->n_heap];
    size_t i = 0;
    for (size_t c = 1; c < r->n_heap; i = c, c = 2 * i + 1) {
        c += c + 1 < r->n_heap && before(&r->heap[c + 1], &r->heap[c]);
        if (!before(&r->heap[c], &last))
            break;
        r->heap[i] = r->heap[c];
    }
    r->heap[i] = last;
    return top;
}

/* ---- packets ---- */

static void request(replay *r, uint32_t way, uint64_t time_ps);

static void release(replay *r, uint32_t packet, uint64_t time_ps)
{
    for (uint32_t a = r->here[packet]; a != PP_NONE; a = r->end_next[a])
        push(r, time_ps, (uint32_t)r->p->n_ways + a);
    for (uint32_t w = r->roots[packet]; w != PP_NONE; w = r->next[w])
        request(r, w, time_ps);
}

static void pass(replay *r, uint32_t way, uint64_t time_ps)
{
    const pp_lm_way *w = &r->p->way[way];
    uint64_t *free_ps = &r->free_ps[r->first_way[way]];
    const uint64_t start_ps = time_ps > *free_ps ? time_ps : *free_ps, head_ps = start_ps + w->latency_ps;
    *free_ps = start_ps + w->ser_ps;
    for (uint32_t a = r->end[way]; a != PP_NONE; a = r->end_next[a])
        push(r, head_ps + r->slow_ps[way], (uint32_t)r->p->n_ways + a);
    for (uint32_t c = r->child[way]; c != PP_NONE; c = r->next[c])
        request(r, c, head_ps);
}

static void request(replay *r, uint32_t way, uint64_t time_ps)
{
    if (r->met[way])
        push(r, time_ps, way);
    else
        pass(r, way, time_ps);
}

/* The whole sum of a node: its packets are added one after the other. */
static uint64_t add_up(const replay *r, uint32_t node)
{
    uint64_t ready_ps = 0;
    for (uint32_t k = r->adds[node]; k != PP_NONE; k = r->add_next[k]) {
        pp_lm_packet *p = &r->p->packet[k];
        ready_ps = (p->end_ps > ready_ps ? p->end_ps : ready_ps) + p->add_ps;
        p->end_ps = ready_ps;
    }
    return ready_ps;
}

static void arrived(replay *r, uint32_t arrival, uint64_t time_ps)
{
    pp_lm_arrival *a = &r->p->arrival[arrival];
    pp_lm_packet *p = &r->p->packet[a->packet];
    const uint32_t node = p->dst_node;
    a->time_ps = p->end_ps = time_ps;
    if (node == PP_NONE || --r->missing[node] > 0)
        return;
    const uint64_t ready_ps = add_up(r, node);
    for (uint32_t k = r->sends[node]; k != PP_NONE; k = r->send_next[k])
        release(r, k, ready_ps);
}

/* ---- setting up ---- */

static void find_meetings(replay *r, uint32_t *first_of)
{
    const pp_lm_packets *p = r->p;
    for (size_t i = 0; i < p->n_ways; i++)
        first_of[p->way[i].channel] = PP_NONE;
    for (uint32_t i = 0; i < p->n_ways; i++) {
        uint32_t *first = &first_of[p->way[i].channel];
        if (*first == PP_NONE)
            *first = i;
        else
            r->met[i] = r->met[*first] = true;
        r->first_way[i] = *first;
    }
    for (size_t i = 0; i < p->n_ways; i++)
        first_of[p->way[i].channel] = 0;
}

/* Lists are built from behind, so that they stand in order. */
static void link_ways(replay *r)
{
    const pp_lm_packets *p = r->p;
    for (size_t i = 0; i < p->n_ways; i++) {
        const pp_lm_way *w = &p->way[i];
        const uint64_t slow = w->parent == PP_NONE ? 0 : r->slow_ps[w->parent];
        r->slow_ps[i] = w->ser_ps > slow ? w->ser_ps : slow;
        r->child[i] = r->end[i] = PP_NONE;
    }
    for (size_t i = 0; i < p->n_packets; i++)
        r->roots[i] = r->here[i] = PP_NONE;
    for (uint32_t i = (uint32_t)p->n_ways; i-- > 0;) {
        const pp_lm_way *w = &p->way[i];
        uint32_t *list = w->parent == PP_NONE ? &r->roots[w->packet] : &r->child[w->parent];
        r->next[i] = *list;
        *list = i;
    }
    for (uint32_t a = (uint32_t)p->n_arrivals; a-- > 0;) {
        const pp_lm_arrival *x = &p->arrival[a];
        uint32_t *list = x->way == PP_NONE ? &r->here[x->packet] : &r->end[x->way];
        r->end_next[a] = *list;
        *list = a;
    }
}

static void link_nodes(replay *r)
{
    const pp_lm_packets *p = r->p;
    for (uint32_t n = 0; n < p->n_nodes; n++)
        r->sends[n] = r->adds[n] = PP_NONE;
    for (uint32_t k = (uint32_t)p->n_packets; k-- > 0;) {
        const pp_lm_packet *x = &p->packet[k];
        if (x->src_node != PP_NONE) {
            r->send_next[k] = r->sends[x->src_node];
            r->sends[x->src_node] = k;
        }
        if (x->dst_node != PP_NONE) {
            r->add_next[k] = r->adds[x->dst_node];
            r->adds[x->dst_node] = k;
            r->missing[x->dst_node]++;
        }
    }
}

static bool allocate(replay *r)
{
    const pp_lm_packets *p = r->p;
    r->free_ps = pp_calloc(p->n_ways, sizeof *r->free_ps);
    r->slow_ps = pp_alloc(p->n_ways, sizeof *r->slow_ps);
    r->first_way = pp_alloc(p->n_ways, sizeof *r->first_way);
    r->child = pp_alloc(p->n_ways, sizeof *r->child);
    r->next = pp_alloc(p->n_ways, sizeof *r->next);
    r->end = pp_alloc(p->n_ways, sizeof *r->end);
    r->end_next = pp_alloc(p->n_arrivals, sizeof *r->end_next);
    r->roots = pp_alloc(p->n_packets, sizeof *r->roots);
    r->here = pp_alloc(p->n_packets, sizeof *r->here);
    r->missing = pp_calloc(p->n_nodes, sizeof *r->missing);
    r->sends = pp_alloc(p->n_nodes, sizeof *r->sends);
    r->send_next = pp_alloc(p->n_packets, sizeof *r->send_next);
    r->adds = pp_alloc(p->n_nodes, sizeof *r->adds);
    r->add_next = pp_alloc(p->n_packets, sizeof *r->add_next);
    r->met = pp_calloc(p->n_ways, sizeof *r->met);
    r->heap = pp_alloc(p->n_ways + p->n_arrivals, sizeof *r->heap);
    return r->free_ps && r->slow_ps && r->first_way && r->child && r->next && r->end && r->end_next && r->roots && r->here &&
           r->missing && r->sends && r->send_next && r->adds && r->add_next && r->met && r->heap;
}

static void release_all(replay *r)
{
    free(r->free_ps);
    free(r->slow_ps);
    free(r->first_way);
    free(r->child);
    free(r->next);
    free(r->end);
    free(r->end_next);
    free(r->roots);
    free(r->here);
    free(r->missing);
    free(r->sends);
    free(r->send_next);
    free(r->adds);
    free(r->add_next);
    free(r->met);
    free(r->heap);
}

pp_status pp_lm_replay(const pp_lm_packets *p, uint32_t *by_channel)
{
    replay r = {.p = p};
    if (!allocate(&r)) {
        release_all(&r);
        return PP_ENOMEM;
    }
    link_ways(&r);
    link_nodes(&r);
    find_meetings(&r, by_channel);
    for (uint32_t k = 0; k < p->n_packets; k++)
        if (p->packet[k].src_node == PP_NONE || r.adds[p->packet[k].src_node] == PP_NONE)
            release(&r, k, 0);
    while (r.n_heap > 0) {
        const event e = pop(&r);
        if (e.index < p->n_ways)
            pass(&r, e.index, e.time_ps);
        else
            arrived(&r, e.index - (uint32_t)p->n_ways, e.time_ps);
    }
    release_all(&r);
    return PP_OK;
}
