/* The flit engine's cycle: events that are due, sources, routers with work; partitions on threads. */
#include "sim/net_fast_internal.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* ---- events ---- */

void pp_flit_mail(pp_part *p, uint32_t part, uint64_t time, uint32_t to, uint64_t word)
{
    p->mail_time = time < p->mail_time ? time : p->mail_time;
    if (!pp_push(&p->mail[part], (pp_mail){time, word, to}))
        p->failed = true;
}

void pp_flit_post(pp_flit_engine *e, pp_part *p, uint32_t part, uint64_t time, uint32_t to, uint32_t flit)
{
    if (part != p->index)
        pp_flit_mail(p, part, time, to, flit == PP_NOC_NO ? PP_MAIL_CREDIT : flit);
    else if (flit == PP_NOC_NO)
        pp_flit_push_credit(e, p, time, to);
    else
        pp_flit_push(e, p, time, to, flit);
}

void pp_flit_wake(pp_flit_engine *e, pp_part *p, uint64_t time, uint32_t ivc)
{
    const uint32_t bucket = (uint32_t)time & e->wheel_mask;
    p->pending++;
    p->wakes[(size_t)bucket * p->wakes_cap + p->wakes_n[bucket]++] = ivc;
}

/* ---- credits ---- */

/* A flit goes to ovc: false when there is no room. */
bool pp_flit_take_credit(pp_flit_engine *e, uint32_t ovc)
{
    const uint32_t op = ovc >> e->vs;
    if (e->op_drained)
        e->op_drained[op] &= ~(UINT64_C(1) << (ovc & ((1u << e->vs) - 1)));
    if (e->credit[ovc] > 0) {
        e->credit[ovc]--;
        return true;
    }
    if (!e->shared || e->op_shared[op] == 0)
        return false;
    e->op_shared[op]--;
    e->debt[ovc]++;
    return true;
}

static void put_credit(pp_flit_engine *e, uint32_t ovc)
{
    const uint32_t op = ovc >> e->vs;
    if (e->shared && e->debt[ovc] > 0) {
        e->debt[ovc]--;
        e->op_shared[op]++;
    } else {
        e->credit[ovc]++;
    }
    const uint32_t full = e->shared ? 1 : e->depth;
    if (e->op_drained && e->credit[ovc] == full && (!e->shared || e->debt[ovc] == 0))
        e->op_drained[op] |= UINT64_C(1) << (ovc & ((1u << e->vs) - 1));
}

/* Whoever stands still for want of this credit goes on. */
void pp_flit_credit(pp_flit_engine *e, pp_part *p, uint32_t ovc)
{
    const pp_noc_graph *g = &e->base.g;
    const uint32_t op = ovc >> e->vs;
    put_credit(e, ovc);
    if (op >= g->n_op) {
        pp_flit_source_on(p, op - g->n_op);
        return;
    }
    if (e->op_drained) {
        e->va_live[g->op_router[op]] = 1;
        pp_router_on(e, p, g->op_router[op]);
    }
    if (e->shared) {
        pp_router_on(e, p, g->op_router[op]); /* its requests stand; room may be for another VC */
        for (uint32_t v = 0; v < e->V; v++) {
            const uint32_t ivc = e->owner[(op << e->vs) + v];
            if (ivc != PP_NOC_NO && e->len[ivc] > 0 && e->state[ivc] == PP_IVC_ACTIVE)
                pp_flit_ask_switch(e, p, ivc);
        }
        return;
    }
    const uint32_t ivc = e->owner[ovc];
    if (ivc == PP_NOC_NO || e->len[ivc] == 0 || e->state[ivc] != PP_IVC_ACTIVE)
        return;
    if (e->op_wait && e->ivc_stall[ivc]) {
        e->op_blocked[op] += p->t > e->ivc_stall[ivc] ? p->t - e->ivc_stall[ivc] : 0;
        e->ivc_stall[ivc] = 0;
    }
    pp_flit_ask_switch(e, p, ivc);
}

/* ---- arrivals ---- */

static pp_noc_item *front_item(pp_flit_engine *e, uint32_t ivc)
{
    return pp_noc_at(&e->base.items, PP_FLIT_ITEM(e->buffer[((size_t)ivc << e->depth_shift) + e->head[ivc]]));
}

/* Where the head at the front wants to go: an ejection port, one hop, or several (asked again at each
 * try), or the branches of a tree. */
void pp_flit_route(pp_flit_engine *e, pp_part *p, uint32_t ivc)
{
    pp_noc *n = &e->base;
    pp_noc_item *item = front_item(e, ivc);
    const uint32_t ip = ivc >> e->vs, router = n->g.ip_router[ip];
    e->route_mask[ivc] = e->message_mask[item->message_class];
    if (item->tree != PP_NOC_TREE_NONE) {
        const pp_noc_tree *tree = &n->trees.data[item->tree];
        e->branch[ivc] = pp_flit_branches(e, p, ivc, item, pp_noc_tree_node(tree, n->g.ip_channel[ip]));
        return;
    }
    item->routers++;
    if (e->core_router[item->dst] == router)
        e->route_op[ivc] = e->core_eject[item->dst];
    else
        e->route_op[ivc] = e->core_router[item->dst] == PP_NOC_NO
                               ? pp_noc_eject_port(&n->g, router, item->dst, ip, item->src)
                               : PP_NOC_NO;
    if (e->route_op[ivc] != PP_NOC_NO)
        return;
    pp_noc_hop hop[PP_NOC_HOPS_MAX];
    const uint8_t in_class = e->class_of_vc[item->message_class * PP_NOC_VCS_MAX + (ivc & ((1u << e->vs) - 1))];
    const uint32_t count = pp_noc_candidates(n, item, router, n->g.ip_channel[ip], in_class, hop);
    if (count == 0) {
        p->lost_item = PP_FLIT_ITEM(e->buffer[((size_t)ivc << e->depth_shift) + e->head[ivc]]);
        p->lost_router = router;
        return;
    }
    if (count == 1) {
        e->route_op[ivc] = n->g.op_of_channel[hop[0].channel];
        e->route_mask[ivc] = pp_flit_hop_vcs(e, item->message_class, &hop[0]);
    }
}

void pp_flit_begin(pp_flit_engine *e, pp_part *p, uint32_t ivc, uint64_t start)
{
    pp_flit_route(e, p, ivc);
    if (e->op_wait)
        e->ivc_ready[ivc] = start + e->head_delay;
    if (e->head_delay == 0) {
        pp_flit_ask_vc(e, p, ivc);
        return;
    }
    e->state[ivc] = PP_IVC_ROUTE;
    pp_flit_wake(e, p, start + e->head_delay, ivc);
}

static void arrive(pp_flit_engine *e, pp_part *p, uint32_t ivc, uint32_t flit)
{
    const uint32_t slot = (e->head[ivc] + e->len[ivc]) & ((1u << e->depth_shift) - 1);
    e->buffer[((size_t)ivc << e->depth_shift) + slot] = flit;
    e->len[ivc]++;
    if (e->ip_occupancy) {
        e->ip_occupancy[ivc >> e->vs] -= p->t;
        e->ivc_high[ivc] = e->len[ivc] > e->ivc_high[ivc] ? e->len[ivc] : e->ivc_high[ivc];
        if (e->len[ivc] == 1)
            e->ivc_ready[ivc] = p->t;
    }
    if (e->len[ivc] > 1) {
        if (e->branch[ivc] != PP_NOC_NO)
            pp_flit_ask_switch(e, p, ivc);
        return;
    }
    if (e->state[ivc] == PP_IVC_IDLE) {
        pp_flit_begin(e, p, ivc, p->t);
    } else if (e->state[ivc] == PP_IVC_ACTIVE) {
        if (e->branch[ivc] != PP_NOC_NO || pp_flit_has_credit(e, e->ovc[ivc]))
            pp_flit_ask_switch(e, p, ivc);
        else if (e->op_wait)
            e->ivc_stall[ivc] = p->t;
    }
}

void pp_flit_deliver(pp_flit_engine *e, pp_part *p, uint32_t index, uint32_t dst, uint32_t routers)
{
    pp_noc *n = &e->base;
    pp_noc_item *item = pp_noc_at(&n->items, index);
    const bool tree = item->tree != PP_NOC_TREE_NONE;
    const pp_noc_delivery d = {.time = p->t, .created = item->created, .entered = item->entered, .tag = item->tag,
                               .src = item->src, .dst = tree ? dst : item->dst, .flits = item->flits,
                               .routers = tree ? 0 : item->routers + routers};
    p->packets_out++;
    if (n->sink)
        n->sink(n->context, p->index, &d);
    else if (!pp_push(&p->done, d))
        p->failed = true;
    if (!tree || atomic_fetch_sub_explicit(&item->left, 1, memory_order_acq_rel) == 1) {
        item->next = p->item_free;
        p->item_free = index;
    }
}

static void eject(pp_flit_engine *e, pp_part *p, uint32_t ovc, uint32_t flit)
{
    const uint32_t op = ovc >> e->vs;
    pp_flit_post(e, p, p->index, p->t + 1 + e->base.delay[op] + e->base.o.credit_delay, ovc, PP_NOC_NO);
    p->ejected++;
    if (flit & PP_FLIT_TAIL)
        pp_flit_deliver(e, p, PP_FLIT_ITEM(flit), e->base.g.op_core[op], 0);
}

static void wake_up(pp_flit_engine *e, pp_part *p, uint32_t ivc)
{
    if (e->state[ivc] == PP_IVC_ROUTE) {
        pp_flit_ask_vc(e, p, ivc);
    } else if (e->state[ivc] == PP_IVC_WAIT) {
        e->state[ivc] = PP_IVC_ACTIVE;
        if (pp_flit_has_credit(e, e->ovc[ivc]))
            pp_flit_ask_switch(e, p, ivc);
        else if (e->op_wait)
            e->ivc_stall[ivc] = p->t;
    }
}

static void due_events(pp_flit_engine *e, pp_part *p)
{
    const uint32_t bucket = (uint32_t)p->t & e->wheel_mask;
    const uint32_t credits = p->credits_n[bucket], flits = p->flits_n[bucket], wakes = p->wakes_n[bucket];
    for (uint32_t i = 0; i < credits; i++)
        pp_flit_credit(e, p, p->credits[(size_t)bucket * p->credits_cap + i]);
    for (uint32_t i = 0; i < flits; i++) {
        const pp_event ev = p->flits[(size_t)bucket * p->flits_cap + i];
        if (ev.to < e->n_ivc)
            arrive(e, p, ev.to, ev.flit);
        else
            eject(e, p, ev.to - e->n_ivc, ev.flit);
    }
    for (uint32_t i = 0; i < wakes; i++)
        wake_up(e, p, p->wakes[(size_t)bucket * p->wakes_cap + i]);
    p->credits_n[bucket] = p->flits_n[bucket] = p->wakes_n[bucket] = 0;
    p->pending -= (uint64_t)credits + flits + wakes;
}

/* ---- cycles ---- */

static void run_routers(pp_flit_engine *e, pp_part *p)
{
    for (uint32_t w = 0; w < p->n_active_words; w++)
        for (uint64_t set = p->active[w]; set; set &= set - 1)
            pp_flit_router(e, p, p->router_lo + w * 64 + pp_ctz(set));
}

static void run_cycle(pp_flit_engine *e, pp_part *p, uint64_t t)
{
    p->t = t;
    if (e->fast) {
        pp_fast_cycle(e, p);
        return;
    }
    due_events(e, p);
    pp_flit_sources(e, p);
    run_routers(e, p);
}

static bool any_bit(const uint64_t *words, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (words[i])
            return true;
    return false;
}

/* Next cycle, before `least`, in which a sleeping core or source wakes. */
static uint64_t next_wake(const pp_part *p, uint64_t from, uint64_t least)
{
    for (uint64_t t = from; p->waiting_cores > 0 && t < from + PP_CORE_SLOTS && t < least; t++) {
        const uint32_t slot = (uint32_t)t & (PP_CORE_SLOTS - 1);
        if (slot % 64 == 0 && !p->wake_bits[slot / 64])
            t += 63;
        else if (p->wake_bits[slot / 64] >> (slot % 64) & 1)
            return t;
    }
    return least;
}

/* Next cycle in which this partition has something to do, from `from` on. */
static uint64_t part_next(const pp_flit_engine *e, const pp_part *p, uint64_t from)
{
    if (any_bit(p->active, p->n_active_words) || any_bit(p->sending, p->n_sending_words))
        return from;
    uint64_t next = e->fast ? pp_fast_next(e, p, from) : PP_NOC_NEVER;
    for (uint64_t t = from; p->pending > 0 && t <= from + e->wheel_mask; t++) {
        const uint32_t bucket = (uint32_t)t & e->wheel_mask;
        if (p->flits_n[bucket] + p->credits_n[bucket] + p->wakes_n[bucket] > 0) {
            next = t;
            break;
        }
    }
    return next_wake(p, from, next);
}

static uint64_t next_cycle(const pp_flit_engine *e)
{
    uint64_t next = PP_NOC_NEVER;
    for (uint32_t i = 0; i < e->n_parts; i++) {
        const uint64_t t = part_next(e, &e->part[i], e->now);
        next = t < next ? t : next;
    }
    return next;
}

/* ---- partitions ---- */

/* Threads meet here after every round of `lookahead` cycles: a round is far shorter than what a sleeping thread takes
 * to wake, so they spin; with fewer processors than threads they let the others on. */
static void meet(pp_meeting *m, uint32_t n)
{
    const uint32_t round = atomic_load_explicit(&m->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&m->here, 1, memory_order_acq_rel) + 1 == n) {
        atomic_store_explicit(&m->here, 0, memory_order_relaxed);
        atomic_store_explicit(&m->round, round + 1, memory_order_release);
        return;
    }
    for (uint32_t spins = 0; atomic_load_explicit(&m->round, memory_order_acquire) == round; spins++) {
        if (spins >= m->patience)
            (void)sched_yield();
#if defined(__x86_64__)
        else
            __builtin_ia32_pause();
#endif
    }
}

/* Takes what the others sent in the round of `parity`. */
static void read_mail(pp_flit_engine *e, pp_part *p, unsigned parity)
{
    for (uint32_t from = 0; from < e->n_parts; from++) {
        pp_mails *mails = &e->part[from].out[parity][p->index];
        for (size_t i = 0; i < mails->len; i++) {
            const pp_mail *m = &mails->data[i];
            if (e->fast && m->word == PP_MAIL_CREDIT)
                pp_fast_push_credit(e->fast, &e->fast->part[p->index], PP_FAST_ROUTER_CREDIT, m->time, m->to);
            else if (e->fast)
                pp_fast_push(e->fast, &e->fast->part[p->index], PP_FAST_ARRIVE, m->time, m->to, m->word);
            else if (m->word == PP_MAIL_CREDIT)
                pp_flit_push_credit(e, p, m->time, m->to);
            else
                pp_flit_push(e, p, m->time, m->to, (uint32_t)m->word);
        }
        mails->len = 0;
    }
}

/* One partition's share of the cycles [now, until), or up to the cycle before which all have nothing to do. After each
 * round everybody knows everybody's next cycle, so that all take the same steps. */
static pp_status run_part(void *payload, size_t index, unsigned worker)
{
    pp_flit_engine *e = payload;
    pp_part *p = &e->part[index];
    uint64_t t = e->now;
    (void)worker;
    for (unsigned round = 0;; round++) {
        const uint64_t end = t + e->lookahead < e->until ? t + e->lookahead : e->until;
        p->mail = p->out[round & 1];
        p->mail_time = PP_NOC_NEVER;
        for (; t < end; t++)
            run_cycle(e, p, t);
        const uint64_t own = part_next(e, p, t);
        p->next[round & 1] = p->failed || p->lost_item != PP_NOC_NO ? 0 : own < p->mail_time ? own : p->mail_time;
        meet(&e->meeting, e->n_parts);
        read_mail(e, p, round & 1);
        uint64_t next = PP_NOC_NEVER;
        for (uint32_t i = 0; i < e->n_parts; i++)
            next = e->part[i].next[round & 1] < next ? e->part[i].next[round & 1] : next;
        if (t >= e->until || next < t || next >= e->until)
            break;
        t = next;
    }
    p->t = t;
    return PP_OK;
}

static int by_time(const void *a, const void *b)
{
    const pp_noc_delivery *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->dst != y->dst)
        return x->dst < y->dst ? -1 : 1;
    if (x->src != y->src)
        return x->src < y->src ? -1 : 1;
    return x->entered < y->entered ? -1 : x->entered > y->entered;
}

static pp_status collect(pp_flit_engine *e)
{
    pp_noc *n = &e->base;
    const size_t before = n->delivered.len;
    for (uint32_t i = 0; i < e->n_parts; i++) {
        pp_part *p = &e->part[i];
        for (size_t k = 0; k < p->done.len; k++)
            PP_TRY(pp_noc_queue_push(&n->delivered, &p->done.data[k]));
        p->done.len = 0;
        if (p->failed)
            return PP_ENOMEM;
        if (p->lost_item != PP_NOC_NO)
            return pp_noc_unreachable(n, pp_noc_at(&n->items, p->lost_item), p->lost_router);
    }
    if (n->delivered.len > before + 1)
        qsort(n->delivered.data + n->delivered.head + before, n->delivered.len - before, sizeof *n->delivered.data,
              by_time);
    return PP_OK;
}

static bool anything_inside(const pp_flit_engine *e)
{
    uint64_t in = 0, out = 0;
    for (uint32_t i = 0; i < e->n_parts; i++) {
        in += e->part[i].injected + e->part[i].copied;
        out += e->part[i].ejected;
    }
    return in != out;
}

static pp_status find_deadlock(pp_flit_engine *e)
{
    if (e->fast)
        pp_fast_export(e);
    return pp_flit_deadlock(e);
}

static pp_status check_deadlock(pp_flit_engine *e)
{
    const uint64_t every = e->base.o.watchdog;
    if (every == 0 || e->now < e->last_check + every)
        return PP_OK;
    e->last_check = e->now;
    return anything_inside(e) ? find_deadlock(e) : PP_OK;
}

/* Cycles [now, end): one partition or a caller that wants to stop runs cycle by cycle. */
static pp_status run_serial(pp_flit_engine *e, uint64_t end, bool stop)
{
    while (e->now < end) {
        for (uint32_t i = 0; i < e->n_parts; i++)
            run_cycle(e, &e->part[i], e->now);
        for (uint32_t i = 0; i < e->n_parts && e->n_parts > 1; i++)
            read_mail(e, &e->part[i], 0);
        e->now++;
        bool hit = false, failed = false;
        for (uint32_t i = 0; i < e->n_parts; i++) {
            hit |= e->part[i].done.len > 0;
            failed |= e->part[i].failed || e->part[i].lost_item != PP_NOC_NO;
        }
        if (failed || (hit && stop))
            return PP_OK;
        if (next_cycle(e) > e->now)
            return PP_OK;
    }
    return PP_OK;
}

static pp_status run_parallel(pp_flit_engine *e, uint64_t end)
{
    e->until = end;
    PP_TRY(pp_pool_run(e->pool, e->n_parts, run_part, e));
    for (uint32_t i = 0; i < e->n_parts; i++)
        e->part[i].mail = e->part[i].out[0];
    e->now = e->part[0].t;
    return PP_OK;
}

static pp_status flit_run(pp_noc *n, uint64_t until, bool stop)
{
    pp_flit_engine *e = (pp_flit_engine *)n;
    const size_t before = n->delivered.len;
    while (e->now < until) {
        const uint64_t next = next_cycle(e);
        if (next == PP_NOC_NEVER && n->o.watchdog > 0 && anything_inside(e))
            PP_TRY(find_deadlock(e));
        if (next >= until) {
            e->now = until == PP_NOC_NEVER ? e->now : until;
            break;
        }
        e->now = next;
        uint64_t end = until;
        if (n->o.watchdog > 0 && end > e->last_check + n->o.watchdog)
            end = e->last_check + n->o.watchdog > e->now ? e->last_check + n->o.watchdog : e->now + 1;
        if (e->n_parts == 1 || stop)
            PP_TRY(run_serial(e, end, stop));
        else
            PP_TRY(run_parallel(e, end));
        PP_TRY(collect(e));
        PP_TRY(check_deadlock(e));
        if (stop && n->delivered.len > before)
            break;
    }
    n->now = e->now;
    return PP_OK;
}

static uint64_t flit_next(const pp_noc *n)
{
    return next_cycle((const pp_flit_engine *)n);
}

static pp_status flit_inject(pp_noc *n, const pp_noc_packet *packet)
{
    pp_flit_engine *e = (pp_flit_engine *)n;
    pp_part *p = &e->part[e->part_of_core[packet->src]];
    if (pp_flit_queue(e, p, packet))
        return PP_OK;
    if (p->failed)
        return PP_ENOMEM;
    const uint32_t lost = p->lost_item;
    p->lost_item = PP_NOC_NO;
    return pp_noc_unreachable(n, pp_noc_at(&n->items, lost), p->lost_router);
}

/* The first packets; cores ask again themselves. */
static void flit_open_loop(pp_noc *n)
{
    pp_flit_engine *e = (pp_flit_engine *)n;
    for (uint32_t c = 0; c < n->g.n_cores; c++)
        pp_flit_source_start(e, c);
}

/* Multicast is for the general router. */
static pp_status flit_tree(pp_noc *n)
{
    pp_flit_engine *e = (pp_flit_engine *)n;
    for (uint32_t i = 0; i < e->n_parts; i++)
        if (e->part[i].packets_in > 0)
            return pp_fail(PP_EINVAL, "multicast tree: trees are added before the first packet");
    pp_fast_free(e->fast, e->n_parts);
    e->fast = NULL;
    return PP_OK;
}

/* ---- counters ---- */

static uint64_t count_inside(const pp_flit_engine *e, uint64_t *credits)
{
    uint64_t sum = 0;
    *credits = 0;
    if (e->fast)
        return pp_fast_inside(e, credits);
    for (uint32_t i = 0; i < e->n_ivc; i++)
        sum += e->len[i];
    for (uint32_t i = 0; i < e->n_parts; i++)
        for (uint32_t b = 0; b <= e->wheel_mask; b++) {
            sum += e->part[i].flits_n[b];
            *credits += e->part[i].credits_n[b];
        }
    return sum;
}

static void flit_stats(const pp_noc *n, pp_noc_stats *out)
{
    const pp_flit_engine *e = (const pp_flit_engine *)n;
    *out = (pp_noc_stats){0};
    out->flits_inside = count_inside(e, &out->credits_inside);
    for (uint32_t i = 0; i < e->n_parts; i++) {
        const pp_part *p = &e->part[i];
        out->injected_flits += p->injected;
        out->ejected_flits += p->ejected;
        out->copied_flits += p->copied;
        out->packets_in += p->packets_in;
        out->packets_out += p->packets_out;
        out->flit_hops += p->hops;
    }
}

static void flit_channel(const pp_noc *n, uint32_t channel, pp_noc_channel_stats *out)
{
    const pp_flit_engine *e = (const pp_flit_engine *)n;
    const uint32_t op = n->g.op_of_channel[channel];
    *out = (pp_noc_channel_stats){0};
    if (op == PP_NOC_NO)
        return;
    out->flits = e->fast && op < n->g.n_op ? pp_fast_carried(e, op) : e->op_flits[op];
    if (!e->op_wait)
        return;
    out->wait_cycles = op < n->g.n_op ? e->op_wait[op] : 0;
    out->blocked_cycles = op < n->g.n_op ? e->op_blocked[op] : 0;
    const uint32_t ip = n->g.op_ip[op];
    if (ip == PP_NOC_NO)
        return;
    uint64_t held = e->ip_occupancy[ip];
    for (uint32_t v = 0; v < e->V; v++) {
        const uint32_t ivc = (ip << e->vs) + v;
        held += (uint64_t)e->len[ivc] * e->now;
        out->vc_high = e->ivc_high[ivc] > out->vc_high ? e->ivc_high[ivc] : out->vc_high;
    }
    out->vc_mean = e->now > 0 ? (double)held / (double)e->now : 0;
}

static void part_free(pp_part *p, uint32_t n_parts)
{
    void *all[] = {p->flits, p->flits_n, p->credits, p->credits_n, p->wakes, p->wakes_n, p->active, p->sending,
                   p->wake_bits, p->wake_head, p->req, p->offer, p->list, p->asking, p->winner_ivc, p->winner_op,
                   p->candidate, p->seen_out, p->seen_in, p->taken_in, p->taken_out, p->va_op, p->va_branch,
                   p->va_offer, p->branches.data, p->done.data};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    for (uint32_t k = 0; k < 2; k++) {
        for (uint32_t i = 0; p->out[k] && i < n_parts; i++)
            free(p->out[k][i].data);
        free(p->out[k]);
    }
}

static void flit_free(pp_noc *n)
{
    pp_flit_engine *e = (pp_flit_engine *)n;
    pp_fast_free(e->fast, e->n_parts);
    for (uint32_t i = 0; e->part && i < e->n_parts; i++)
        part_free(&e->part[i], e->n_parts);
    void *all[] = {e->class_mask, e->message_mask, e->class_of_vc, e->buffer, e->len, e->head, e->state, e->ovc,
                   e->route_op, e->route_mask, e->in_pointer, e->branch, e->credit, e->debt, e->owner, e->out_pointer,
                   e->ip_request, e->x_vc, e->x_out, e->op_in, e->op_free, e->op_drained, e->op_shared, e->op_next,
                   e->op_part, e->ip_part, e->op_flits,
                   e->core_router, e->core_eject, e->va_live, e->va, e->sa, e->va_words, e->sa_words,
                   e->va_stamp_in, e->va_stamp_out, e->sa_stamp_in, e->sa_stamp_out, e->sa_stamp_vc, e->va_stamp_first,
                   e->sa_stamp_first, e->src, e->core,
                   e->part_of_router, e->part_of_core, e->ip_occupancy, e->op_wait,
                   e->op_blocked, e->ovc_ready, e->ovc_head, e->ivc_high, e->ivc_ready, e->ivc_stall, e->part};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    pp_pool_free(e->pool);
    free(e);
}

static pp_status flit_watch(pp_noc *n)
{
    pp_flit_engine *e = (pp_flit_engine *)n;
    const size_t n_ovc = ((size_t)n->g.n_op + n->g.n_src) << e->vs;
    if (e->ovc_ready)
        return PP_OK;
    e->ovc_ready = pp_calloc(n_ovc, sizeof *e->ovc_ready);
    e->ovc_head = pp_calloc(n_ovc, sizeof *e->ovc_head);
    return e->ovc_ready && e->ovc_head ? PP_OK : PP_ENOMEM;
}

static const pp_noc_ops flit_ops = {.inject = flit_inject, .run = flit_run, .next = flit_next,
                                    .open_loop = flit_open_loop, .tree = flit_tree, .watch = flit_watch, .stats = flit_stats, .channel = flit_channel,
                                    .free = flit_free};

pp_status pp_noc_flit_new(pp_noc **out)
{
    pp_flit_engine *e = pp_calloc(1, sizeof *e);
    if (!e)
        return PP_ENOMEM;
    e->base.ops = &flit_ops;
    *out = &e->base;
    return PP_OK;
}
