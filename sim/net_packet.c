/* Whole packets by events: ideal, store and forward, virtual cut-through.
 *
 * An output port serves packets in order of arrival; one of P flits holds it for P flit times. The head needs the
 * same pipeline as in the flit engine, so both agree at zero load. Behind a port a packet needs room for all its
 * flits, in the buffers of its routing class: V / n VCs together. */
#include "sim/net_internal.h"

#include <stdio.h>
#include <stdlib.h>

typedef enum pp_packet_event { EV_ASK, EV_FREE, EV_ROOM, EV_DONE, EV_CORE } pp_packet_event;

typedef struct pp_heap_event {
    uint64_t time, order; /* order: events of one cycle fire as they were made */
    uint32_t kind, index;
} pp_heap_event;

/* A packet at a router (or at its source): it holds buffer room until all its branches have gone. */
typedef struct pp_visit {
    uint32_t item, router, ip; /* ip NO: at the source */
    uint32_t op, next;         /* port asked for; next in the port's queue */
    uint32_t hold;             /* visit that holds the room (its own, or the one it branched from) */
    uint32_t branches;         /* of a holder: those that have not gone yet */
    uint8_t vc_class;          /* of the room held */
    uint8_t next_class;        /* of the room wanted behind op */
    uint32_t flits;            /* room held */
    uint64_t tail;             /* cycle in which the tail is here */
    uint64_t asked;            /* cycle in which it joined a queue */
} pp_visit;

typedef struct pp_packet_engine {
    pp_noc base;
    PP_VEC(pp_heap_event) heap;
    uint64_t order;
    PP_VEC(pp_visit) visits;
    uint32_t visit_free, item_free;
    uint32_t *queue_head, *queue_tail; /* [n_op + n_src] visits that wait for a port */
    uint64_t *free_at;                 /* [n_op + n_src] */
    int64_t *room;                     /* [n_ip][classes] flits; injection ports: class 0 has all */
    uint64_t *flits;                   /* [n_op + n_src] carried */
    uint64_t *wait;
    pp_noc_packet *pending;            /* [n_cores] */
    uint8_t *has_pending, *on_way;     /* a packet is waiting; its event is in the heap */
    uint64_t injected, ejected, copied, packets_in, packets_out, hops;
    uint32_t lost_item, lost_router;
    bool failed;
} pp_packet_engine;

/* ---- heap ---- */

static bool before(const pp_heap_event *a, const pp_heap_event *b)
{
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static void schedule(pp_packet_engine *e, uint64_t time, pp_packet_event kind, uint32_t index)
{
    const pp_heap_event ev = {.time = time, .order = e->order++, .kind = kind, .index = index};
    if (!pp_push(&e->heap, ev)) {
        e->failed = true;
        return;
    }
    size_t at = e->heap.len - 1;
    while (at > 0 && before(&ev, &e->heap.data[(at - 1) / 2])) {
        e->heap.data[at] = e->heap.data[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    e->heap.data[at] = ev;
}

static pp_heap_event pop(pp_packet_engine *e)
{
    const pp_heap_event top = e->heap.data[0], last = e->heap.data[--e->heap.len];
    const size_t n = e->heap.len;
    size_t at = 0;
    while (2 * at + 1 < n) {
        size_t child = 2 * at + 1;
        if (child + 1 < n && before(&e->heap.data[child + 1], &e->heap.data[child]))
            child++;
        if (!before(&e->heap.data[child], &last))
            break;
        e->heap.data[at] = e->heap.data[child];
        at = child;
    }
    if (n > 0)
        e->heap.data[at] = last;
    return top;
}

/* ---- visits ---- */

static uint32_t new_visit(pp_packet_engine *e)
{
    uint32_t v = e->visit_free;
    if (v != PP_NOC_NO) {
        e->visit_free = e->visits.data[v].next;
    } else if (pp_push(&e->visits, (pp_visit){0})) {
        v = (uint32_t)e->visits.len - 1;
    } else {
        e->failed = true;
        return PP_NOC_NO;
    }
    e->visits.data[v] = (pp_visit){.next = PP_NOC_NO, .hold = v, .branches = 1};
    return v;
}

static void free_visit(pp_packet_engine *e, uint32_t v)
{
    e->visits.data[v].next = e->visit_free;
    e->visit_free = v;
}

static bool unlimited(const pp_packet_engine *e)
{
    return e->base.o.switching == PP_NOC_IDEAL;
}

static int64_t *room_at(pp_packet_engine *e, uint32_t ip, uint8_t vc_class)
{
    return &e->room[(size_t)ip * e->base.routing.n_classes + vc_class];
}

/* ---- ports ---- */

static bool fits(pp_packet_engine *e, const pp_visit *v)
{
    const uint32_t ip = e->base.g.op_ip[v->op];
    if (unlimited(e) || ip == PP_NOC_NO)
        return true;
    const uint32_t flits = pp_noc_at(&e->base.items, v->item)->flits;
    return *room_at(e, ip, v->next_class) >= (int64_t)flits;
}

/* The next packet of the port: the first that fits, those of one class in order. */
static uint32_t take_first(pp_packet_engine *e, uint32_t op)
{
    uint32_t last = PP_NOC_NO, blocked = 0;
    for (uint32_t v = e->queue_head[op]; v != PP_NOC_NO; v = e->visits.data[v].next) {
        const pp_visit *visit = &e->visits.data[v];
        if (!(blocked >> visit->next_class & 1) && fits(e, visit)) {
            if (last == PP_NOC_NO)
                e->queue_head[op] = visit->next;
            else
                e->visits.data[last].next = visit->next;
            if (e->queue_tail[op] == v)
                e->queue_tail[op] = last;
            return v;
        }
        blocked |= 1u << visit->next_class;
        last = v;
    }
    return PP_NOC_NO;
}

static void fetch(pp_packet_engine *e, uint32_t core)
{
    pp_noc *n = &e->base;
    e->has_pending[core] = n->source && n->source(n->context, core, &e->pending[core]);
    if (!e->has_pending[core])
        return;
    e->on_way[core] = 1;
    schedule(e, e->pending[core].time > n->now ? e->pending[core].time : n->now, EV_CORE, core);
}

/* The tail leaves in cycle `gone`: its room comes back upstream when the last branch has gone. */
static void let_go(pp_packet_engine *e, uint32_t v, uint64_t gone)
{
    const uint32_t hold = e->visits.data[v].hold;
    if (hold != v)
        free_visit(e, v);
    if (--e->visits.data[hold].branches > 0)
        return;
    const uint32_t ip = e->visits.data[hold].ip;
    if (ip == PP_NOC_NO || unlimited(e)) {
        free_visit(e, hold);
        return;
    }
    const uint32_t up = e->base.g.ip_up[ip];
    schedule(e, gone + 1 + e->base.delay[up] + (up < e->base.g.n_op ? e->base.o.credit_delay : 0), EV_ROOM, hold);
}

static uint64_t pipeline(const pp_noc *n)
{
    return (uint64_t)n->o.routing_delay + n->o.vc_alloc_delay + n->o.sw_alloc_delay - 1;
}

/* The head takes the port in cycle `t`. */
static void grant(pp_packet_engine *e, uint32_t v, uint64_t t)
{
    pp_noc *n = &e->base;
    const pp_visit visit = e->visits.data[v];
    const uint32_t op = visit.op, index = visit.item, ip = n->g.op_ip[op];
    pp_noc_item *item = pp_noc_at(&n->items, index);
    const uint64_t busy = (uint64_t)item->flits * n->period[op];
    const bool source = op >= n->g.n_op;
    /* A tail cannot leave before it has come. */
    uint64_t last = t + busy - 1;
    last = visit.tail > last ? visit.tail : last;
    if (!unlimited(e)) {
        e->free_at[op] = last + 1;
        schedule(e, last + 1, EV_FREE, op);
    }
    if (ip != PP_NOC_NO && !unlimited(e))
        *room_at(e, ip, visit.next_class) -= (int64_t)item->flits;
    e->flits[op] += item->flits;
    e->wait[op] += t - visit.asked;
    const uint64_t head = t + (source ? 0 : n->o.switch_delay) + n->period[op] + n->delay[op];
    const uint64_t tail = last + (source ? 0 : n->o.switch_delay) + 1 + n->delay[op];
    if (source) {
        item->entered = t;
        e->injected += item->flits;
    } else {
        e->hops += item->flits;
    }
    let_go(e, v, last);
    if (ip == PP_NOC_NO) {
        const uint32_t done = new_visit(e);
        if (done == PP_NOC_NO)
            return;
        e->visits.data[done] = (pp_visit){.item = index, .op = op};
        schedule(e, tail, EV_DONE, done);
        return;
    }
    const uint32_t here = new_visit(e);
    if (here == PP_NOC_NO)
        return;
    e->visits.data[here] = (pp_visit){.item = index, .router = n->g.ip_router[ip], .ip = ip, .next = PP_NOC_NO, .hold = here,
                                      .branches = 1, .vc_class = visit.next_class, .flits = item->flits,
                                      .tail = tail, .op = PP_NOC_NO};
    const uint64_t ready = n->o.switching == PP_NOC_SAF ? tail : head;
    schedule(e, ready + pipeline(n), EV_ASK, here);
}

static void serve(pp_packet_engine *e, uint32_t op)
{
    pp_noc *n = &e->base;
    if (e->queue_head[op] == PP_NOC_NO || (!unlimited(e) && e->free_at[op] > n->now))
        return;
    const uint32_t v = take_first(e, op);
    if (v == PP_NOC_NO)
        return;
    grant(e, v, n->now);
    if (op >= n->g.n_op && e->queue_head[op] == PP_NOC_NO) {
        const uint32_t core = n->g.src_core[op - n->g.n_op];
        if (n->source && !e->on_way[core])
            fetch(e, core);
    }
    if (unlimited(e))
        serve(e, op);
}

static void queue(pp_packet_engine *e, uint32_t op, uint32_t v)
{
    e->visits.data[v].op = op;
    e->visits.data[v].next = PP_NOC_NO;
    e->visits.data[v].asked = e->base.now;
    if (e->queue_head[op] == PP_NOC_NO)
        e->queue_head[op] = v;
    else
        e->visits.data[e->queue_tail[op]].next = v;
    e->queue_tail[op] = v;
    serve(e, op);
}

/* ---- routing ---- */

static uint32_t lowest(uint32_t mask)
{
    return (uint32_t)__builtin_ctz(mask);
}

/* Of several hops the one whose port is free first; escapes when no other has room. */
static uint32_t choose(pp_packet_engine *e, const pp_noc_item *item, const pp_noc_hop *hop, uint32_t n, uint8_t *vc_class)
{
    uint32_t best = PP_NOC_NO;
    for (int escape = 0; escape < 2 && best == PP_NOC_NO; escape++)
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t op = e->base.g.op_of_channel[hop[i].channel], ip = e->base.g.op_ip[op];
            const uint8_t k = (uint8_t)lowest(hop[i].classes);
            const bool room = ip == PP_NOC_NO || unlimited(e) || *room_at(e, ip, k) >= (int64_t)item->flits;
            if (hop[i].escape != (escape != 0) || (!room && !escape && n > 1) ||
                (best != PP_NOC_NO && e->free_at[op] >= e->free_at[best]))
                continue;
            best = op;
            *vc_class = k;
        }
    if (best == PP_NOC_NO) { /* nothing has room: wait for the first */
        best = e->base.g.op_of_channel[hop[0].channel];
        *vc_class = (uint8_t)lowest(hop[0].classes);
    }
    return best;
}

static void ask_branches(pp_packet_engine *e, uint32_t v, const pp_noc_item *item)
{
    pp_noc *n = &e->base;
    const pp_visit visit = e->visits.data[v];
    const pp_noc_tree *t = &n->trees.data[item->tree];
    const uint32_t node = pp_noc_tree_node(t, n->g.ip_channel[visit.ip]);
    const uint32_t first = t->first[node], count = t->first[node + 1] - first;
    e->visits.data[v].branches = count;
    e->copied += (uint64_t)(count - 1) * item->flits;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t b = new_visit(e);
        if (b == PP_NOC_NO)
            return;
        e->visits.data[b] = visit;
        e->visits.data[b].hold = v;
        queue(e, t->op[first + i], b);
    }
}

static void ask(pp_packet_engine *e, uint32_t v)
{
    pp_noc *n = &e->base;
    const pp_visit visit = e->visits.data[v];
    pp_noc_item *item = pp_noc_at(&n->items, visit.item);
    if (item->tree != PP_NOC_TREE_NONE) {
        ask_branches(e, v, item);
        return;
    }
    item->routers++;
    uint32_t op = pp_noc_eject_port(&n->g, visit.router, item->dst, visit.ip, item->src);
    uint8_t vc_class = 0;
    if (op == PP_NOC_NO) {
        pp_noc_hop hop[PP_NOC_HOPS_MAX];
        const uint32_t count = pp_noc_candidates(n, item, visit.router, n->g.ip_channel[visit.ip], visit.vc_class, hop);
        if (count == 0) {
            e->lost_item = visit.item;
            e->lost_router = visit.router;
            return;
        }
        op = choose(e, item, hop, count, &vc_class);
    }
    e->visits.data[v].next_class = vc_class;
    queue(e, op, v);
}

/* ---- cores ---- */

static bool queue_packet(pp_packet_engine *e, const pp_noc_packet *packet)
{
    pp_noc *n = &e->base;
    const uint32_t index = pp_noc_items_take(&n->items, &e->item_free), v = new_visit(e);
    if (index == PP_NOC_NO || v == PP_NOC_NO) {
        e->failed = true;
        return false;
    }
    pp_noc_item *item = pp_noc_at(&n->items, index);
    pp_noc_item_set(n, item, packet);
    const uint32_t s = pp_noc_source_of(n, item);
    if (s == PP_NOC_NO) {
        e->lost_item = index;
        e->lost_router = n->g.op_router[n->g.n_op + n->g.src_first[packet->src]];
        return false;
    }
    e->packets_in++;
    e->visits.data[v] = (pp_visit){.item = index, .ip = PP_NOC_NO, .op = n->g.n_op + s, .next = PP_NOC_NO, .hold = v,
                                   .branches = 1};
    if (packet->time > n->now)
        schedule(e, packet->time, EV_ASK, v);
    else
        queue(e, n->g.n_op + s, v);
    return true;
}

static void core_ready(pp_packet_engine *e, uint32_t core)
{
    pp_noc *n = &e->base;
    e->on_way[core] = 0;
    if (!queue_packet(e, &e->pending[core]))
        return;
    const uint32_t s = n->g.src_first[core];
    const bool single = n->g.src_first[core + 1] - s == 1;
    if (!e->on_way[core] && (!single || e->queue_head[n->g.n_op + s] == PP_NOC_NO))
        fetch(e, core);
}

static void done(pp_packet_engine *e, uint32_t v)
{
    pp_noc *n = &e->base;
    const pp_visit visit = e->visits.data[v];
    pp_noc_item *item = pp_noc_at(&n->items, visit.item);
    const pp_noc_delivery d = {.time = n->now, .created = item->created, .entered = item->entered, .tag = item->tag,
                               .src = item->src, .dst = n->g.op_core[visit.op], .flits = item->flits,
                               .routers = item->tree == PP_NOC_TREE_NONE ? item->routers : 0};
    free_visit(e, v);
    e->ejected += item->flits;
    e->packets_out++;
    if (atomic_fetch_sub_explicit(&item->left, 1, memory_order_relaxed) == 1) {
        item->next = e->item_free;
        e->item_free = visit.item;
    }
    if (n->sink)
        n->sink(n->context, 0, &d);
    else if (pp_noc_queue_push(&n->delivered, &d) != PP_OK)
        e->failed = true;
}

/* ---- events ---- */

static void room_back(pp_packet_engine *e, uint32_t v)
{
    const pp_visit visit = e->visits.data[v];
    *room_at(e, visit.ip, visit.vc_class) += visit.flits;
    free_visit(e, v);
    serve(e, e->base.g.ip_up[visit.ip]);
}

static void fire(pp_packet_engine *e, const pp_heap_event *ev)
{
    switch ((pp_packet_event)ev->kind) {
    case EV_ASK:
        if (e->visits.data[ev->index].ip == PP_NOC_NO)
            queue(e, e->visits.data[ev->index].op, ev->index);
        else
            ask(e, ev->index);
        break;
    case EV_FREE:
        serve(e, ev->index);
        break;
    case EV_ROOM:
        room_back(e, ev->index);
        break;
    case EV_DONE:
        done(e, ev->index);
        break;
    case EV_CORE:
        core_ready(e, ev->index);
        break;
    }
}

static pp_status blocked(const pp_packet_engine *e)
{
    char text[400];
    size_t used = 0;
    uint32_t named = 0;
    for (uint32_t op = 0; op < e->base.g.n_op && named < 8; op++)
        for (uint32_t v = e->queue_head[op]; v != PP_NOC_NO && named < 8; v = e->visits.data[v].next, named++) {
            const pp_noc_item *item = pp_noc_at(&e->base.items, e->visits.data[v].item);
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%u->%u", named ? ", " : "", item->src, item->dst);
        }
    return pp_fail(PP_EDEADLOCK, "network deadlocked in cycle %llu: packets wait for room behind each other: %.380s",
                   (unsigned long long)e->base.now, named ? text : "?");
}

static pp_status packet_run(pp_noc *n, uint64_t until, bool stop)
{
    pp_packet_engine *e = (pp_packet_engine *)n;
    const size_t had = n->delivered.len;
    while (e->heap.len > 0 && e->heap.data[0].time < until) {
        if (stop && n->delivered.len > had && e->heap.data[0].time > n->now)
            break;
        const pp_heap_event ev = pop(e);
        n->now = ev.time;
        fire(e, &ev);
        if (e->failed)
            return PP_ENOMEM;
        if (e->lost_item != PP_NOC_NO)
            return pp_noc_unreachable(n, pp_noc_at(&n->items, e->lost_item), e->lost_router);
    }
    if (e->heap.len == 0 && n->o.watchdog > 0 && e->injected + e->copied != e->ejected)
        return blocked(e);
    if (stop && n->delivered.len > had)
        n->now++;
    else if (until != PP_NOC_NEVER)
        n->now = until;
    return PP_OK;
}

static uint64_t packet_next(const pp_noc *n)
{
    const pp_packet_engine *e = (const pp_packet_engine *)n;
    return e->heap.len > 0 ? e->heap.data[0].time : PP_NOC_NEVER;
}

static pp_status packet_inject(pp_noc *n, const pp_noc_packet *p)
{
    pp_packet_engine *e = (pp_packet_engine *)n;
    if (queue_packet(e, p))
        return PP_OK;
    if (e->failed)
        return PP_ENOMEM;
    const uint32_t lost = e->lost_item;
    e->lost_item = PP_NOC_NO;
    return pp_noc_unreachable(n, pp_noc_at(&n->items, lost), e->lost_router);
}

static void packet_open_loop(pp_noc *n)
{
    for (uint32_t c = 0; c < n->g.n_cores; c++)
        fetch((pp_packet_engine *)n, c);
}

static void packet_stats(const pp_noc *n, pp_noc_stats *out)
{
    const pp_packet_engine *e = (const pp_packet_engine *)n;
    *out = (pp_noc_stats){.injected_flits = e->injected, .ejected_flits = e->ejected, .copied_flits = e->copied,
                          .flits_inside = e->injected + e->copied - e->ejected, .packets_in = e->packets_in,
                          .packets_out = e->packets_out, .flit_hops = e->hops};
}

static void packet_channel(const pp_noc *n, uint32_t channel, pp_noc_channel_stats *out)
{
    const pp_packet_engine *e = (const pp_packet_engine *)n;
    const uint32_t op = n->g.op_of_channel[channel];
    *out = (pp_noc_channel_stats){0};
    if (op != PP_NOC_NO) {
        out->flits = e->flits[op];
        out->wait_cycles = e->wait[op];
    }
}

static void packet_free(pp_noc *n)
{
    pp_packet_engine *e = (pp_packet_engine *)n;
    void *all[] = {e->heap.data, e->visits.data, e->queue_head, e->queue_tail, e->free_at, e->room, e->flits, e->wait,
                   e->pending, e->has_pending, e->on_way};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(e);
}

static const pp_noc_ops packet_ops = {.inject = packet_inject, .run = packet_run, .next = packet_next,
                                      .open_loop = packet_open_loop, .stats = packet_stats, .channel = packet_channel,
                                      .free = packet_free};

pp_status pp_noc_packet_new(pp_noc **out)
{
    pp_packet_engine *e = pp_calloc(1, sizeof *e);
    if (!e)
        return PP_ENOMEM;
    e->base.ops = &packet_ops;
    e->visit_free = e->item_free = e->lost_item = PP_NOC_NO;
    *out = &e->base;
    return PP_OK;
}

static void fill_room(pp_packet_engine *e)
{
    const pp_noc *n = &e->base;
    const uint32_t k = n->routing.n_classes;
    for (uint32_t ip = 0; ip < n->g.n_ip; ip++)
        for (uint32_t c = 0; c < k; c++) {
            const bool source = n->g.ip_up[ip] >= n->g.n_op;
            const uint32_t vcs = source ? n->o.vcs : (c + 1) * n->o.vcs / k - c * n->o.vcs / k;
            *room_at(e, ip, (uint8_t)c) = (int64_t)(vcs > 0 ? vcs : 1) * n->o.buffer_flits;
        }
}

pp_status pp_noc_packet_start(pp_noc *n)
{
    pp_packet_engine *e = (pp_packet_engine *)n;
    const size_t ports = (size_t)n->g.n_op + n->g.n_src;
    e->queue_head = pp_alloc(ports, sizeof *e->queue_head);
    e->queue_tail = pp_alloc(ports, sizeof *e->queue_tail);
    e->free_at = pp_calloc(ports, sizeof *e->free_at);
    e->flits = pp_calloc(ports, sizeof *e->flits);
    e->wait = pp_calloc(ports, sizeof *e->wait);
    e->room = pp_calloc((size_t)n->g.n_ip * n->routing.n_classes, sizeof *e->room);
    e->pending = pp_calloc(n->g.n_cores, sizeof *e->pending);
    e->has_pending = pp_calloc(n->g.n_cores, 1);
    e->on_way = pp_calloc(n->g.n_cores, 1);
    if (!e->queue_head || !e->queue_tail || !e->free_at || !e->flits || !e->wait || !e->room || !e->pending ||
        !e->has_pending || !e->on_way)
        return PP_ENOMEM;
    for (size_t i = 0; i < ports; i++)
        e->queue_head[i] = e->queue_tail[i] = PP_NOC_NO;
    fill_room(e);
    return PP_OK;
}
