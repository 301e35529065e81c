/* Channels with finite FIFOs behind them: a packet starts when the channel is free and a slot at its
 * far side is; the slot is free again when the packet's tail has gone on everywhere, and the channel
 * learns of it credit_ps later. */
#include "sim/pipeline_internal.h"

static pp_sim_slot *slot_of(pp_sim *s, uint32_t edge, uint64_t packet)
{
    uint32_t depth = s->fifo_packets;
    return &s->slot[(size_t)edge * depth + packet % depth];
}

static pp_status free_slot(pp_sim *s, uint32_t edge, uint64_t tail_ps)
{
    return pp_sim_schedule(s, tail_ps + s->fabric->credit_ps, PP_SIM_EV_CREDIT, s->edge[edge].channel, 0);
}

/* A branch of the packet that lies behind `edge` has taken it on; its tail leaves at tail_ps. */
static pp_status leave_slot(pp_sim *s, uint32_t edge, uint64_t packet, uint64_t tail_ps)
{
    pp_sim_slot *slot = slot_of(s, edge, packet);
    slot->tail_ps = tail_ps > slot->tail_ps ? tail_ps : slot->tail_ps;
    return --slot->branches ? PP_OK : free_slot(s, edge, slot->tail_ps);
}

static pp_status start(pp_sim *s, pp_sim_channel *c, const pp_sim_waiting *w)
{
    pp_sim_edge *e = &s->edge[w->edge];
    uint64_t packet = e->sent, tail_out;
    c->credits--;
    c->wait_ps += s->now_ps - w->time_ps;
    e->waited_ps += s->now_ps - w->time_ps;
    c->serving = w->edge;
    s->tile[s->net[e->net].src].out_bytes -= w->out_bytes;
    PP_TRY(pp_sim_ride(s, w->edge, w->time_ps, s->now_ps, w->tail_ps, &tail_out));
    if (e->parent != PP_NONE)
        PP_TRY(leave_slot(s, e->parent, packet, tail_out));
    uint64_t there = tail_out + c->latency_ps;
    if (!e->n_child)
        return free_slot(s, w->edge, there);
    *slot_of(s, w->edge, packet) = (pp_sim_slot){e->n_child, e->n_end ? there : 0};
    return PP_OK;
}

static pp_status pump(pp_sim *s, uint32_t channel)
{
    pp_sim_channel *c = &s->channel[channel];
    pp_sim_charge(s, c);
    while (c->queue.head < c->queue.tail && c->credits) {
        if (c->free_ps > s->now_ps) {
            if (c->wake_ps == c->free_ps)
                return PP_OK;
            c->wake_ps = c->free_ps;
            return pp_sim_schedule(s, c->free_ps, PP_SIM_EV_CHANNEL, channel, 0);
        }
        pp_sim_waiting w = *(const pp_sim_waiting *)pp_sim_ring_at(&c->queue, c->queue.head++);
        PP_TRY(start(s, c, &w));
    }
    return PP_OK;
}

pp_status pp_sim_fifo_request(pp_sim *s, uint32_t edge, uint64_t tail_in)
{
    pp_sim_edge *e = &s->edge[edge];
    pp_sim_channel *c = &s->channel[e->channel];
    pp_sim_waiting w = {.time_ps = s->now_ps, .tail_ps = tail_in, .edge = edge};
    if (e->parent == PP_NONE)
        w.out_bytes = (e->bits[0] + 7) / 8;
    pp_sim_charge(s, c);
    if (pp_sim_ring_full(&c->queue))
        PP_TRY(pp_sim_ring_grow(&c->queue));
    *(pp_sim_waiting *)pp_sim_ring_at(&c->queue, c->queue.tail++) = w;
    s->tile[s->net[e->net].src].out_bytes += w.out_bytes;
    PP_TRY(pump(s, e->channel));
    uint64_t waiting = c->queue.tail - c->queue.head;
    c->queue_high = waiting > c->queue_high ? (uint32_t)waiting : c->queue_high;
    return PP_OK;
}

pp_status pp_sim_on_channel(void *model, pp_kernel *k, uint32_t channel, uint64_t payload)
{
    pp_sim *s = model;
    (void)payload;
    s->now_ps = pp_kernel_now(k);
    return pump(s, channel);
}

pp_status pp_sim_on_credit(void *model, pp_kernel *k, uint32_t channel, uint64_t payload)
{
    pp_sim *s = model;
    (void)payload;
    s->now_ps = pp_kernel_now(k);
    s->channel[channel].credits++;
    return pump(s, channel);
}
