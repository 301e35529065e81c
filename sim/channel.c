/* Packets over channels: private paths, or a FIFO server a channel with unlimited room behind it. */
#include "sim/pipeline_internal.h"

#include <stdlib.h>

/* ---- rings ---- */

void pp_sim_ring_init(pp_sim_ring *r, size_t size)
{
    *r = (pp_sim_ring){.size = size};
}

pp_status pp_sim_ring_grow(pp_sim_ring *r)
{
    uint64_t old = r->data ? r->mask + 1 : 0, grown = old ? 2 * old : 16;
    char *data = pp_alloc(grown, r->size);
    if (!data)
        return PP_ENOMEM;
    for (uint64_t i = r->head; i < r->tail; i++) {
        const char *from = pp_sim_ring_at(r, i);
        char *to = data + (i & (grown - 1)) * r->size;
        for (size_t b = 0; b < r->size; b++)
            to[b] = from[b];
    }
    free(r->data);
    r->data = data;
    r->mask = grown - 1;
    return PP_OK;
}

/* ---- one packet on one channel ---- */

uint32_t pp_sim_kind_of(const pp_sim *s, const pp_sim_edge *e)
{
    const uint8_t *kind = s->net[e->net].kind;
    return kind ? kind[pp_sim_edge_position(s, e)] : 0;
}

void pp_sim_count_packet(pp_sim *s, pp_sim_edge *e, uint32_t kind, uint64_t busy_ps)
{
    pp_sim_channel *c = &s->channel[e->channel];
    c->packets++;
    c->bits += e->bits[kind];
    c->busy_ps += busy_ps;
    e->sent++;
    if (++e->next == e->packets)
        e->next = 0;
}

static void show_packet(const pp_sim *s, const pp_sim_edge *e, uint64_t ready, uint64_t start, uint64_t end)
{
    s->trace->packet(s->sink, &(pp_trace_event){.ready_ps = ready,
                                                .start_ps = start,
                                                .end_ps = end,
                                                .object = e->channel,
                                                .net = e->net,
                                                .inference = (uint32_t)(e->sent / e->packets),
                                                .position = pp_sim_edge_position(s, e)});
}

pp_status pp_sim_ride(pp_sim *s, uint32_t edge, uint64_t ready, uint64_t start, uint64_t tail_in, uint64_t *tail_out)
{
    pp_sim_edge *e = &s->edge[edge];
    pp_sim_channel *c = &s->channel[e->channel];
    uint32_t kind = pp_sim_kind_of(s, e);
    /* The last bit cannot leave before it has come: a slow channel before a fast one holds the fast one. */
    uint64_t end = start + e->serialise_ps[kind];
    end = end > tail_in ? end : tail_in;
    c->free_ps = *tail_out = end;
    if (s->trace)
        show_packet(s, e, ready, start, end);
    pp_sim_count_packet(s, e, kind, end - start);
    if (e->n_child && s->options->switching == PP_SWITCH_VCT)
        PP_TRY(pp_sim_schedule(s, start + c->latency_ps, PP_SIM_EV_HEAD, edge, end - start));
    if (e->n_child && s->options->switching == PP_SWITCH_SAF)
        PP_TRY(pp_sim_schedule(s, end + c->latency_ps, PP_SIM_EV_HEAD, edge, 0));
    return e->n_end ? pp_sim_schedule(s, end + c->latency_ps, PP_SIM_EV_TAIL, edge, 0) : PP_OK;
}

/* Every waiting packet waits for the one that is served: time passes from since_ps to `until`. */
static void charge_until(pp_sim *s, pp_sim_channel *c, uint64_t until)
{
    uint64_t waiting = c->queue.tail - c->queue.head;
    if (waiting && until > c->since_ps) {
        uint64_t busy_to = c->free_ps < until ? c->free_ps : until;
        uint64_t busy_ps = busy_to > c->since_ps ? busy_to - c->since_ps : 0;
        if (c->serving != PP_NONE)
            s->edge[c->serving].caused_ps += waiting * busy_ps;
        c->blocked_ps += waiting * (until - c->since_ps - busy_ps);
    }
    c->since_ps = until > c->since_ps ? until : c->since_ps;
}

/* Packets that have started by now wait no longer. */
static void drain(pp_sim *s, pp_sim_channel *c)
{
    while (c->queue.head < c->queue.tail) {
        const pp_sim_waiting *w = pp_sim_ring_at(&c->queue, c->queue.head);
        if (w->time_ps > s->now_ps)
            break;
        charge_until(s, c, w->time_ps);
        c->serving = w->edge;
        if (w->out_bytes)
            s->tile[s->net[s->edge[w->edge].net].src].out_bytes -= w->out_bytes;
        c->queue.head++;
    }
    charge_until(s, c, s->now_ps);
}

void pp_sim_charge(pp_sim *s, pp_sim_channel *c)
{
    if (s->fifo_packets)
        charge_until(s, c, s->now_ps);
    else
        drain(s, c);
}

void pp_sim_charge_all(pp_sim *s)
{
    for (uint32_t i = 0; i < s->fabric->n_channels; i++)
        pp_sim_charge(s, &s->channel[i]);
}

/* Bytes of a waiting packet in the memory of the core that sends it; 0 when it only passes by. */
static uint32_t source_bytes(const pp_sim *s, const pp_sim_edge *e)
{
    return e->parent == PP_NONE ? (e->bits[pp_sim_kind_of(s, e)] + 7) / 8 : 0;
}

static pp_status wait_for(pp_sim *s, uint32_t edge, uint64_t start)
{
    pp_sim_edge *e = &s->edge[edge];
    pp_sim_channel *c = &s->channel[e->channel];
    pp_sim_waiting w = {.time_ps = start, .edge = edge, .out_bytes = source_bytes(s, e)};
    drain(s, c);
    if (pp_sim_ring_full(&c->queue))
        PP_TRY(pp_sim_ring_grow(&c->queue));
    *(pp_sim_waiting *)pp_sim_ring_at(&c->queue, c->queue.tail++) = w;
    s->tile[s->net[e->net].src].out_bytes += w.out_bytes;
    uint64_t waiting = c->queue.tail - c->queue.head;
    c->queue_high = waiting > c->queue_high ? (uint32_t)waiting : c->queue_high;
    c->wait_ps += start - s->now_ps;
    e->waited_ps += start - s->now_ps;
    return PP_OK;
}

/* Nothing limits what lies behind a channel, so the start of a packet is known as soon as it comes. */
static pp_status request(pp_sim *s, uint32_t edge, uint64_t tail_in)
{
    if (s->fifo_packets)
        return pp_sim_fifo_request(s, edge, tail_in);
    pp_sim_channel *c = &s->channel[s->edge[edge].channel];
    uint64_t start = c->free_ps, tail_out;
    if (start > s->now_ps) {
        PP_TRY(wait_for(s, edge, start));
    } else {
        drain(s, c);
        c->serving = edge;
        start = s->now_ps;
    }
    return pp_sim_ride(s, edge, s->now_ps, start, tail_in, &tail_out);
}

void pp_sim_flush_outputs(pp_sim *s, pp_sim_tile *t)
{
    if (!t->out_bytes || s->fifo_packets)
        return; /* with finite FIFOs a packet leaves by an event, so out_bytes is exact */
    for (uint32_t n = 0; n < t->n_net; n++) {
        const pp_sim_net *net = &s->net[s->m->net_of_tile[t->first_net + n]];
        for (uint32_t r = 0; r < net->n_root; r++)
            drain(s, &s->channel[s->edge[s->edge_list[net->first_root + r]].channel]);
    }
}

/* ---- a packet is ready ---- */

/* A transfer over a flow's own path: its source sends in [start, end), the target has all of it the path's latency later. */
static void show_transfer(const pp_sim *s, uint32_t net, uint32_t flow, uint64_t start, uint64_t end)
{
    const pp_sim_net *n = &s->net[net];
    const uint64_t number = n->emitted - 1;
    const uint32_t packets = (uint32_t)s->m->net[net].packets;
    s->trace->packet(s->sink, &(pp_trace_event){.ready_ps = s->now_ps, .start_ps = start, .end_ps = end, .object = flow, .net = net,
                                                .flow = true, .inference = (uint32_t)(number / packets),
                                                .position = n->copy + (uint32_t)(number % packets) * n->copies});
}

static pp_status send_private(pp_sim *s, uint32_t index)
{
    const pp_net *n = &s->m->net[index];
    uint32_t kind = 0;
    for (uint32_t i = 0; i < n->n_edges; i++) {
        pp_sim_edge *e = &s->edge[n->first_edge + i];
        kind = pp_sim_kind_of(s, e);
        pp_sim_count_packet(s, e, kind, e->serialise_ps[kind]);
    }
    for (uint32_t i = 0; i < n->n_flows; i++) {
        uint32_t flow = s->m->net_flow[n->first_flow + i];
        pp_sim_flow *f = &s->flow[flow];
        uint64_t start = f->path_free_ps > s->now_ps ? f->path_free_ps : s->now_ps;
        f->path_free_ps = start + f->path_serialise_ps[kind];
        if (s->trace)
            show_transfer(s, index, flow, start, f->path_free_ps);
        PP_TRY(pp_sim_schedule(s, f->path_free_ps + f->path_ps, PP_SIM_EV_FLOW, flow, 0));
    }
    return PP_OK;
}

/* Packets that every flow of the net has delivered need no time of their own any more. */
static pp_status note_ready(pp_sim *s, uint32_t index)
{
    pp_sim_ring *ready = &s->net[index].ready;
    const pp_net *n = &s->m->net[index];
    if (pp_sim_ring_full(ready)) {
        uint64_t least = ready->tail;
        for (uint32_t i = 0; i < n->n_flows; i++) {
            uint64_t arrived = s->flow[s->m->net_flow[n->first_flow + i]].arrived;
            least = arrived < least ? arrived : least;
        }
        ready->head = least;
        if (pp_sim_ring_full(ready))
            PP_TRY(pp_sim_ring_grow(ready));
    }
    *(uint64_t *)pp_sim_ring_at(ready, ready->tail++) = s->now_ps;
    return PP_OK;
}

static void note_memory(pp_sim *s, pp_sim_tile *t)
{
    if (t->in_bytes + t->out_bytes <= t->high_bytes)
        return;
    pp_sim_flush_outputs(s, t);
    uint64_t bytes = t->in_bytes + t->out_bytes;
    t->high_bytes = bytes > t->high_bytes ? bytes : t->high_bytes;
}

pp_status pp_sim_send(pp_sim *s, uint32_t index)
{
    pp_sim_net *net = &s->net[index];
    PP_TRY(note_ready(s, index));
    net->emitted++;
    if (s->options->switching == PP_SWITCH_IDEAL)
        return send_private(s, index);
    if (s->flits)
        return pp_flits_send(s, index);
    for (uint32_t i = 0; i < net->n_root; i++)
        PP_TRY(request(s, s->edge_list[net->first_root + i], s->now_ps));
    note_memory(s, &s->tile[net->src]);
    return PP_OK;
}

/* ---- events ---- */

pp_status pp_sim_on_head(void *model, pp_kernel *k, uint32_t edge, uint64_t lag_ps)
{
    pp_sim *s = model;
    const pp_sim_edge *e = &s->edge[edge];
    s->now_ps = pp_kernel_now(k);
    for (uint32_t i = 0; i < e->n_child; i++)
        PP_TRY(request(s, s->edge_list[e->first_child + i], s->now_ps + lag_ps));
    return PP_OK;
}

pp_status pp_sim_on_tail(void *model, pp_kernel *k, uint32_t edge, uint64_t payload)
{
    pp_sim *s = model;
    const pp_sim_edge *e = &s->edge[edge];
    (void)payload;
    s->now_ps = pp_kernel_now(k);
    for (uint32_t i = 0; i < e->n_end; i++)
        PP_TRY(pp_sim_deliver(s, s->m->edge_end[e->first_end + i]));
    return pp_sim_settle(s);
}

pp_status pp_sim_on_flow(void *model, pp_kernel *k, uint32_t flow, uint64_t payload)
{
    pp_sim *s = model;
    (void)payload;
    s->now_ps = pp_kernel_now(k);
    PP_TRY(pp_sim_deliver(s, flow));
    return pp_sim_settle(s);
}
