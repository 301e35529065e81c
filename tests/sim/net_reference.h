/* A slow and obvious VC router simulator: structures that look like the hardware, every router visited in
 * every cycle, events in one list. Round robin, output-first separable allocators. */
#ifndef PP_TESTS_NET_REFERENCE_H
#define PP_TESTS_NET_REFERENCE_H

#include "sim/net_internal.h"

#include <stdlib.h>
#include <string.h>

#define REF_PORTS 12
#define REF_VCS 8
#define REF_DEPTH 64

typedef struct ref_flit {
    int packet, head, tail;
} ref_flit;

typedef enum ref_state { REF_IDLE, REF_VA, REF_ACTIVE } ref_state;

typedef struct ref_vc {
    ref_flit buffer[REF_DEPTH];
    int n, state, out, vc, pointer;
    unsigned long long vcs; /* wanted at `out` */
    unsigned long long va_from, sa_from; /* first cycle of each allocation */
    unsigned long long ready[REF_DEPTH]; /* first cycle of switch allocation of each flit */
} ref_vc;

typedef struct ref_out {
    int owner_port[REF_VCS], owner_vc[REF_VCS], credits[REF_VCS], pointer[REF_VCS], grant;
} ref_out;

typedef struct ref_router {
    int ins, outs, last_vc[REF_PORTS], accept[REF_PORTS];
    ref_vc in[REF_PORTS][REF_VCS];
    ref_out out[REF_PORTS];
} ref_router;

typedef struct ref_packet {
    pp_noc_packet p;
    unsigned long long entered, done;
    uint64_t random;
    uint32_t state;
} ref_packet;

typedef struct ref_event {
    unsigned long long time;
    int credit; /* else a flit */
    uint32_t port; /* credit: output port or n_op + source; flit: input port, or -- with eject -- output port */
    int vc, eject;
    ref_flit flit;
} ref_event;

typedef struct ref_source {
    int *queue, n, at, sent, vc, last_vc, credits[REF_VCS];
} ref_source;

typedef struct ref_net {
    const pp_noc_options *o;
    const pp_noc_routing *routing;
    pp_noc_graph g;
    ref_router *router;
    ref_source *source;
    ref_packet *packet;
    int n_packets, delivered, grown;
    ref_event *event;
    size_t n_events, cap;
    unsigned long long t;
} ref_net;

static void ref_post(ref_net *n, ref_event ev)
{
    if (n->n_events == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 256;
        n->event = realloc(n->event, n->cap * sizeof *n->event);
    }
    n->event[n->n_events++] = ev;
}

static int ref_next(int from, int n, const int *set)
{
    for (int i = 0; i < n; i++)
        if (set[(from + i) % n])
            return (from + i) % n;
    return -1;
}

/* A head reaches the front: where to, by which VCs, from when on it asks. */
static void ref_begin(ref_net *n, uint32_t r, int port, int vc, unsigned long long start)
{
    ref_vc *c = &n->router[r].in[port][vc];
    ref_packet *p = &n->packet[c->buffer[0].packet];
    const uint32_t ip = n->g.ip_first[r] + (uint32_t)port;
    uint32_t op = pp_noc_eject_port(&n->g, r, p->p.dst, ip, p->p.src);
    c->vcs = (1ull << n->o->vcs) - 1;
    if (op == PP_NOC_NO) {
        pp_noc_hop hop[PP_NOC_HOPS_MAX];
        const uint32_t classes = n->routing->n_classes;
        const pp_noc_head head = {.vertex = n->g.vertex[r], .src_core = p->p.src, .dst_core = p->p.dst,
                                  .in_channel = n->g.ip_channel[ip],
                                  .in_class = (uint8_t)((uint32_t)vc * classes / n->o->vcs), .random = p->random,
                                  .state = &p->state};
        n->routing->route(n->routing->context, &head, hop);
        op = n->g.op_of_channel[hop[0].channel];
        c->vcs = 0;
        for (uint32_t k = 0; k < classes; k++)
            for (uint32_t v = k * n->o->vcs / classes; v < (k + 1) * n->o->vcs / classes; v++)
                c->vcs |= hop[0].classes >> k & 1 ? 1ull << v : 0;
    }
    c->out = (int)(op - n->g.op_first[r]);
    c->state = REF_VA;
    c->va_from = start + n->o->routing_delay + n->o->vc_alloc_delay - 1;
}

static void ref_arrive(ref_net *n, const ref_event *ev)
{
    const uint32_t r = n->g.ip_router[ev->port];
    const int port = (int)(ev->port - n->g.ip_first[r]);
    ref_vc *c = &n->router[r].in[port][ev->vc];
    c->ready[c->n] = n->t + n->o->sw_alloc_delay - 1;
    c->buffer[c->n++] = ev->flit;
    if (c->n == 1 && ev->flit.head)
        ref_begin(n, r, port, ev->vc, n->t);
}

static void ref_eject(ref_net *n, const ref_event *ev)
{
    const uint32_t op = ev->port;
    ref_post(n, (ref_event){.time = n->t + 1 + n->o->local_delay + n->o->credit_delay, .credit = 1, .port = op, .vc = ev->vc});
    if (!ev->flit.tail)
        return;
    n->packet[ev->flit.packet].done = n->t;
    n->delivered++;
}

static void ref_due(ref_net *n)
{
    size_t kept = 0;
    const size_t count = n->n_events;
    ref_event *all = malloc((count + 1) * sizeof *all);
    if (count > 0)
        memcpy(all, n->event, count * sizeof *all);
    n->n_events = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].time != n->t)
            n->event[kept++] = all[i];
    n->n_events = kept;
    for (size_t i = 0; i < count; i++) {
        const ref_event *ev = &all[i];
        if (ev->time != n->t)
            continue;
        if (ev->credit && ev->port >= n->g.n_op)
            n->source[ev->port - n->g.n_op].credits[ev->vc]++;
        else if (ev->credit)
            n->router[n->g.op_router[ev->port]].out[ev->port - n->g.op_first[n->g.op_router[ev->port]]].credits[ev->vc]++;
        else if (ev->eject)
            ref_eject(n, ev);
        else
            ref_arrive(n, ev);
    }
    free(all);
}

static void ref_send(ref_net *n, uint32_t s)
{
    ref_source *src = &n->source[s];
    if (src->at == src->n || n->packet[src->queue[src->at]].p.time > n->t)
        return;
    ref_packet *p = &n->packet[src->queue[src->at]];
    if (src->sent == 0) {
        int can[REF_VCS];
        for (uint32_t v = 0; v < n->o->vcs; v++)
            can[v] = src->credits[v] > 0;
        const int v = ref_next((src->last_vc + 1) % (int)n->o->vcs, (int)n->o->vcs, can);
        if (v < 0)
            return;
        src->vc = src->last_vc = v;
        p->entered = n->t;
    } else if (src->credits[src->vc] == 0) {
        return;
    }
    src->credits[src->vc]--;
    src->sent++;
    const ref_flit f = {src->queue[src->at], src->sent == 1, src->sent == (int)p->p.flits};
    ref_post(n, (ref_event){.time = n->t + 1 + n->o->local_delay, .port = n->g.op_ip[n->g.n_op + s], .vc = src->vc, .flit = f});
    if (f.tail) {
        src->at++;
        src->sent = 0;
    }
}

/* Switch: winner[i] = 1 + output of input port i, winner_vc[i] its VC. */
static void ref_switch(ref_net *n, ref_router *r, int winner[REF_PORTS], int winner_vc[REF_PORTS])
{
    const int V = (int)n->o->vcs;
    int taken_out[REF_PORTS] = {0};
    memset(winner, 0, sizeof(int) * REF_PORTS);
    for (uint32_t iteration = 0; iteration < n->o->iterations; iteration++) {
        int candidate[REF_PORTS][REF_PORTS], offer[REF_PORTS][REF_PORTS] = {{0}};
        for (int i = 0; i < r->ins; i++)
            for (int o = 0; o < r->outs; o++) {
                int can[REF_VCS];
                for (int v = 0; v < V; v++) {
                    const ref_vc *c = &r->in[i][v];
                    can[v] = c->state == REF_ACTIVE && c->n > 0 && c->out == o && n->t >= c->sa_from && n->t >= c->ready[0] &&
                             r->out[o].credits[c->vc] > 0;
                }
                candidate[i][o] = ref_next(r->last_vc[i], V, can);
            }
        for (int o = 0; o < r->outs; o++) {
            int wants[REF_PORTS];
            for (int i = 0; i < r->ins; i++)
                wants[i] = candidate[i][o] >= 0 && !winner[i] && !taken_out[o];
            const int i = ref_next(r->out[o].grant, r->ins, wants);
            if (i >= 0)
                offer[i][o] = 1;
        }
        for (int i = 0; i < r->ins; i++) {
            const int o = ref_next(r->accept[i], r->outs, offer[i]);
            if (o < 0)
                continue;
            winner[i] = o + 1;
            winner_vc[i] = candidate[i][o];
            taken_out[o] = 1;
            if (iteration == 0) {
                r->out[o].grant = (i + 1) % r->ins;
                r->accept[i] = (o + 1) % r->outs;
            }
        }
        /* the pointer past the VC that won moves after the first iteration's decisions */
        for (int i = 0; iteration == 0 && i < r->ins; i++)
            if (winner[i])
                r->last_vc[i] = (winner_vc[i] + 1) % V;
    }
}

static void ref_allocate(ref_net *n, ref_router *r)
{
    const int V = (int)n->o->vcs, ins = r->ins * V, outs = r->outs * V;
    for (uint32_t iteration = 0; iteration < n->o->iterations; iteration++) {
        int offer[REF_PORTS * REF_VCS][REF_PORTS * REF_VCS] = {{0}};
        for (int o = 0; o < outs; o++) {
            int wants[REF_PORTS * REF_VCS];
            for (int l = 0; l < ins; l++) {
                const ref_vc *c = &r->in[l / V][l % V];
                wants[l] = c->state == REF_VA && n->t >= c->va_from && c->out == o / V && (c->vcs >> (o % V) & 1) &&
                           r->out[o / V].owner_port[o % V] < 0;
            }
            const int l = ref_next(r->out[o / V].pointer[o % V], ins, wants);
            if (l >= 0)
                offer[l][o] = 1;
        }
        for (int l = 0; l < ins; l++) {
            ref_vc *c = &r->in[l / V][l % V];
            const int o = ref_next(c->pointer, outs, offer[l]);
            if (o < 0)
                continue;
            r->out[o / V].owner_port[o % V] = l / V;
            r->out[o / V].owner_vc[o % V] = l % V;
            c->vc = o % V;
            c->state = REF_ACTIVE;
            c->sa_from = n->t + n->o->sw_alloc_delay;
            c->ready[0] = c->sa_from;
            if (iteration == 0) {
                c->pointer = (o + 1) % outs;
                r->out[o / V].pointer[o % V] = (l + 1) % ins;
            }
        }
    }
}

static void ref_depart(ref_net *n, uint32_t r, int i, int v)
{
    ref_router *router = &n->router[r];
    ref_vc *c = &router->in[i][v];
    const ref_flit f = c->buffer[0];
    const uint32_t op = n->g.op_first[r] + (uint32_t)c->out, ip = n->g.ip_first[r] + (uint32_t)i, up = n->g.ip_up[ip];
    const int eject = n->g.op_ip[op] == PP_NOC_NO, source = up >= n->g.n_op;
    memmove(c->buffer, c->buffer + 1, sizeof c->buffer - sizeof c->buffer[0]);
    memmove(c->ready, c->ready + 1, sizeof c->ready - sizeof c->ready[0]);
    c->n--;
    router->out[c->out].credits[c->vc]--;
    ref_post(n, (ref_event){.time = n->t + n->o->switch_delay + 1 + (eject ? n->o->local_delay : n->o->link_delay),
                            .port = eject ? op : n->g.op_ip[op], .vc = c->vc, .eject = eject, .flit = f});
    ref_post(n, (ref_event){.time = n->t + 1 + (source ? n->o->local_delay : n->o->link_delay + n->o->credit_delay), .credit = 1,
                            .port = up, .vc = v});
    if (!f.tail)
        return;
    router->out[c->out].owner_port[c->vc] = -1;
    c->state = REF_IDLE;
    if (c->n > 0)
        ref_begin(n, r, i, v, n->t + 1);
}

static void ref_cycle(ref_net *n)
{
    ref_due(n);
    for (uint32_t s = 0; s < n->g.n_src; s++)
        ref_send(n, s);
    for (uint32_t r = 0; r < n->g.n_routers; r++) {
        int winner[REF_PORTS], vc[REF_PORTS];
        ref_switch(n, &n->router[r], winner, vc);
        ref_allocate(n, &n->router[r]);
        for (int i = 0; i < n->router[r].ins; i++)
            if (winner[i])
                ref_depart(n, r, i, vc[i]);
    }
    n->t++;
}

/* Packets in order of time; the caller reads packet[].entered and .done after ref_run and calls ref_free. */
static void ref_new(ref_net *n, const pp_fabric *f, const pp_noc_options *o, const pp_noc_routing *routing,
                    const pp_noc_packet *packets, int count)
{
    *n = (ref_net){.o = o, .routing = routing, .n_packets = count};
    pp_noc_graph_new(&n->g, f);
    n->router = calloc(n->g.n_routers, sizeof *n->router);
    n->source = calloc(n->g.n_src, sizeof *n->source);
    n->packet = calloc((size_t)count, sizeof *n->packet);
    uint64_t *serial = calloc(f->n_cores, sizeof *serial);
    for (uint32_t r = 0; r < n->g.n_routers; r++) {
        ref_router *router = &n->router[r];
        router->ins = (int)(n->g.ip_first[r + 1] - n->g.ip_first[r]);
        router->outs = (int)(n->g.op_first[r + 1] - n->g.op_first[r]);
        for (int k = 0; k < router->outs; k++)
            for (uint32_t v = 0; v < o->vcs; v++) {
                router->out[k].credits[v] = (int)o->buffer_flits;
                router->out[k].owner_port[v] = -1;
            }
    }
    for (uint32_t s = 0; s < n->g.n_src; s++) {
        n->source[s].queue = calloc((size_t)count, sizeof(int));
        n->source[s].last_vc = (int)o->vcs - 1;
        for (uint32_t v = 0; v < o->vcs; v++)
            n->source[s].credits[v] = (int)o->buffer_flits;
    }
    for (int i = 0; i < count; i++) {
        n->packet[i].p = packets[i];
        n->packet[i].random = pp_noc_mix(o->seed, packets[i].src, ++serial[packets[i].src]);
        ref_source *s = &n->source[n->g.src_first[packets[i].src]];
        s->queue[s->n++] = i;
    }
    free(serial);
}

static void ref_run(ref_net *n, unsigned long long limit)
{
    while (n->delivered < n->n_packets && n->t < limit)
        ref_cycle(n);
}

static void ref_free(ref_net *n)
{
    for (uint32_t s = 0; s < n->g.n_src; s++)
        free(n->source[s].queue);
    pp_noc_graph_free(&n->g);
    free(n->router);
    free(n->source);
    free(n->packet);
    free(n->event);
}

#endif
