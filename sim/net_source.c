/* Injection ports of the flit engine: queues of packets, cores that wait for their next open-loop packet, and the
 * flits that leave. */
#include "sim/net_fast_internal.h"

/* ---- waiting ---- */

/* Sleepers are cores that wait for their next open-loop packet, and behind them sources whose first queued
 * packet lies ahead (n_cores + s). Each sleeps once at most. */
static uint32_t *next_sleeper(pp_flit_engine *e, uint32_t sleeper)
{
    const uint32_t cores = e->base.g.n_cores;
    return sleeper < cores ? &e->core[sleeper].next_sleeper : &e->src[sleeper - cores].next_sleeper;
}

static void sleep_until(pp_flit_engine *e, pp_part *p, uint32_t sleeper, uint64_t time)
{
    const uint32_t slot = (uint32_t)time & (PP_CORE_SLOTS - 1);
    *next_sleeper(e, sleeper) = p->wake_head[slot];
    p->wake_head[slot] = sleeper;
    pp_set_bit(p->wake_bits, slot);
    p->waiting_cores++;
}

/* Open loop: fetches the core's next packet and waits for its time; one that is due is seen by whoever asks. */
static void fetch(pp_flit_engine *e, pp_part *p, uint32_t core)
{
    pp_noc *n = &e->base;
    pp_flit_core *c = &e->core[core];
    c->has_packet = n->source && n->source(n->context, core, &c->packet);
    if (c->has_packet && c->packet.time > p->t)
        sleep_until(e, p, core, c->packet.time);
}

void pp_flit_source_start(pp_flit_engine *e, uint32_t core)
{
    pp_noc *n = &e->base;
    pp_part *p = &e->part[e->part_of_core[core]];
    pp_flit_core *c = &e->core[core];
    p->t = e->now;
    c->has_packet = n->source && n->source(n->context, core, &c->packet);
    if (c->has_packet)
        sleep_until(e, p, core, c->packet.time > e->now ? c->packet.time : e->now);
}

/* ---- queues ---- */

static uint32_t new_item(pp_flit_engine *e, pp_part *p, const pp_noc_packet *packet)
{
    pp_noc *n = &e->base;
    const uint32_t index = pp_noc_items_take(&n->items, &p->item_free);
    if (index == PP_NOC_NO)
        p->failed = true;
    else
        pp_noc_item_set(n, pp_noc_at(&n->items, index), packet);
    return index;
}

bool pp_flit_queue(pp_flit_engine *e, pp_part *p, const pp_noc_packet *packet)
{
    pp_noc *n = &e->base;
    const uint32_t index = new_item(e, p, packet);
    if (index == PP_NOC_NO)
        return false;
    const uint32_t s = pp_noc_source_of(n, pp_noc_at(&n->items, index));
    if (s == PP_NOC_NO) {
        p->lost_item = index;
        p->lost_router = n->g.op_router[n->g.n_op + n->g.src_first[packet->src]];
        return false;
    }
    pp_flit_src *src = &e->src[s];
    if (src->first == PP_NOC_NO)
        src->first = index;
    else
        pp_noc_at(&n->items, src->last)->next = index;
    src->last = index;
    p->packets_in++;
    pp_flit_source_on(p, s);
    return true;
}

/* Cores with several injection ports hand each packet to its port when it is created; a core with one
 * hands it over when the port is free, so that a long source queue costs no memory. */
static void serve_core(pp_flit_engine *e, pp_part *p, uint32_t core)
{
    pp_flit_core *c = &e->core[core];
    if (c->alone) {
        pp_flit_source_on(p, c->src);
        return;
    }
    while (c->has_packet && c->packet.time <= p->t) {
        if (!pp_flit_queue(e, p, &c->packet))
            return;
        fetch(e, p, core);
    }
}

static void wake_cores(pp_flit_engine *e, pp_part *p)
{
    const uint32_t slot = (uint32_t)p->t & (PP_CORE_SLOTS - 1), cores = e->base.g.n_cores;
    if (!(p->wake_bits[slot / 64] >> (slot % 64) & 1))
        return;
    uint32_t sleeper = p->wake_head[slot];
    p->wake_head[slot] = PP_NOC_NO;
    pp_clear_bit(p->wake_bits, slot);
    while (sleeper != PP_NOC_NO) {
        const uint32_t next = *next_sleeper(e, sleeper);
        p->waiting_cores--;
        if (sleeper >= cores) {
            e->src[sleeper - cores].asleep = false;
            pp_flit_source_on(p, sleeper - cores);
        } else if (e->core[sleeper].packet.time > p->t) {
            sleep_until(e, p, sleeper, e->core[sleeper].packet.time);
        } else {
            serve_core(e, p, sleeper);
        }
        sleeper = next;
    }
}

/* Whether the core's stream has a packet for its only port by now. */
static bool stream_waits(const pp_flit_core *c, uint64_t now)
{
    return c->alone && c->has_packet && c->packet.time <= now;
}

/* Next packet of a source: of its queue, or of the core's open-loop stream, the earlier one. */
static bool take_packet(pp_flit_engine *e, pp_part *p, uint32_t s)
{
    pp_noc *n = &e->base;
    pp_flit_src *src = &e->src[s];
    pp_flit_core *c = &e->core[src->core];
    const uint32_t first = src->first;
    const bool queued = first != PP_NOC_NO && pp_noc_at(&n->items, first)->created <= p->t;
    if (stream_waits(c, p->t) && (!queued || c->packet.time < pp_noc_at(&n->items, first)->created)) {
        src->item = new_item(e, p, &c->packet);
        if (src->item == PP_NOC_NO)
            return false;
        p->packets_in++;
        fetch(e, p, src->core);
    } else if (queued) {
        src->item = first;
        src->first = pp_noc_at(&n->items, first)->next;
    } else {
        if (first != PP_NOC_NO && !src->asleep) {
            src->asleep = true;
            sleep_until(e, p, n->g.n_cores + s, pp_noc_at(&n->items, first)->created);
        }
        return false;
    }
    const pp_noc_item *item = pp_noc_at(&n->items, src->item);
    src->sent = 0;
    src->flits = item->flits;
    src->place = e->fast ? e->fast->place[item->dst] : 0;
    src->message_class = item->message_class;
    return true;
}

/* ---- flits ---- */

void pp_flit_source_credit(pp_flit_engine *e, pp_part *p, uint32_t ovc)
{
    const uint32_t s = (ovc >> e->vs) - e->base.g.n_op;
    e->credit[ovc]++;
    e->src[s].can |= pp_bit(ovc & ((1u << e->vs) - 1));
    if (e->src[s].item != PP_NOC_NO)
        pp_flit_source_on(p, s);
}

/* VC for a new packet: the next after the last used that has a credit; NO: none. */
static uint32_t source_vc(const pp_flit_engine *e, uint32_t op, const pp_flit_src *src)
{
    uint64_t can = e->fast ? src->can & e->message_mask[src->message_class] : 0;
    for (uint64_t m = e->fast ? 0 : e->message_mask[src->message_class]; m; m &= m - 1) {
        const uint32_t v = pp_ctz(m);
        if (pp_flit_has_credit(e, (op << e->vs) + v) && (!e->op_drained || e->op_drained[op] >> v & 1))
            can |= UINT64_C(1) << v;
    }
    return can ? pp_pick(can, src->vc + 1 < 64 ? src->vc + 1 : 0) : PP_NOC_NO;
}

static void put_on_link(pp_flit_engine *e, pp_part *p, uint32_t s, uint32_t flags)
{
    const pp_noc *n = &e->base;
    pp_flit_src *src = &e->src[s];
    const uint32_t op = n->g.n_op + s, flit = PP_FLIT_MAKE(src->item, flags);
    if (e->fast) {
        pp_fast_push(e->fast, &e->fast->part[p->index], PP_FAST_ARRIVE, p->t + src->link_time, e->fast->src_to[s] + src->vc,
                     (uint64_t)src->place << 30 | flit);
        if (--e->credit[(op << e->vs) + src->vc] == 0)
            src->can &= ~pp_bit(src->vc);
        return;
    }
    (void)pp_flit_take_credit(e, (op << e->vs) + src->vc);
    const uint64_t last = p->t + n->period[op] - 1;
    if (e->ovc_head)
        pp_flit_tell(e, (op << e->vs) + src->vc, flit, pp_noc_at(&e->base.items, src->item)->created, p->t, last + 1);
    e->op_next[op] = last + 1;
    const uint64_t at = last + src->link_time + (flags & PP_FLIT_HEAD ? 0 : e->body_delay);
    pp_flit_push(e, p, at, (n->g.op_ip[op] << e->vs) + src->vc, flit);
}

/* False: the source has nothing to do until a credit or a packet comes. */
static bool send_from(pp_flit_engine *e, pp_part *p, uint32_t s)
{
    pp_flit_src *src = &e->src[s];
    const uint32_t op = e->base.g.n_op + s;
    if (src->item == PP_NOC_NO && !take_packet(e, p, s))
        return false;
    if (e->gated && e->op_next[op] > p->t)
        return true;
    uint32_t flags = 0;
    if (src->sent == 0) {
        const uint32_t v = source_vc(e, op, src);
        if (v == PP_NOC_NO)
            return false;
        src->vc = v;
        pp_noc_at(&e->base.items, src->item)->entered = p->t;
        flags |= PP_FLIT_HEAD;
    } else if (!pp_flit_has_credit(e, (op << e->vs) + src->vc)) {
        return false;
    }
    flags |= ++src->sent == src->flits ? PP_FLIT_TAIL : 0;
    put_on_link(e, p, s, flags);
    e->op_flits[op]++;
    p->injected++;
    if (!(flags & PP_FLIT_TAIL))
        return true;
    src->item = PP_NOC_NO;
    return src->first != PP_NOC_NO || stream_waits(&e->core[src->core], p->t);
}

void pp_flit_sources(pp_flit_engine *e, pp_part *p)
{
    wake_cores(e, p);
    for (uint32_t w = 0; w < p->n_sending_words; w++)
        for (uint64_t set = p->sending[w]; set; set &= set - 1) {
            const uint32_t i = w * 64 + pp_ctz(set);
            if (!send_from(e, p, p->src_lo + i))
                p->sending[w] &= ~(UINT64_C(1) << (i % 64));
        }
}
