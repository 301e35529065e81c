/* Memory of the flit engine: everything is allocated here, nothing in the loop. */
#include "sim/net_fast_internal.h"

#include <stdlib.h>

/* ---- VC classes ---- */

/* VCs [lo, hi) of part k of n. */
static uint64_t vc_range(uint32_t first, uint32_t size, uint32_t k, uint32_t n)
{
    const uint32_t lo = first + k * size / n, hi = first + (k + 1) * size / n;
    uint64_t mask = 0;
    for (uint32_t v = lo; v < hi; v++)
        mask |= UINT64_C(1) << v;
    return mask;
}

static pp_status make_classes(pp_flit_engine *e)
{
    const uint32_t m = e->base.o.message_classes, n = e->base.routing.n_classes;
    e->message_mask = pp_calloc(m, sizeof *e->message_mask);
    e->class_mask = pp_calloc((size_t)m * n, sizeof *e->class_mask);
    e->class_of_vc = pp_calloc((size_t)m * PP_NOC_VCS_MAX, 1);
    if (!e->message_mask || !e->class_mask || !e->class_of_vc)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < m; i++) {
        const uint32_t lo = i * e->V / m, size = (i + 1) * e->V / m - lo;
        e->message_mask[i] = vc_range(lo, size, 0, 1);
        for (uint32_t k = 0; k < n; k++) {
            e->class_mask[i * n + k] = vc_range(lo, size, k, n);
            for (uint32_t v = 0; v < e->V; v++)
                if (e->class_mask[i * n + k] >> v & 1)
                    e->class_of_vc[i * PP_NOC_VCS_MAX + v] = (uint8_t)k;
        }
    }
    for (uint32_t v = 0; v < e->V; v++)
        e->sub_mask[v % e->x_per_port] |= UINT64_C(1) << v;
    return PP_OK;
}

/* ---- sizes ---- */

static uint32_t shift_for(uint32_t n)
{
    uint32_t s = 0;
    while ((UINT32_C(1) << s) < n)
        s++;
    return s;
}

static pp_status set_sizes(pp_flit_engine *e)
{
    const pp_noc_options *o = &e->base.o;
    const pp_noc_graph *g = &e->base.g;
    e->V = o->vcs;
    e->vs = shift_for(e->V);
    e->depth = o->buffer_flits;
    const uint64_t room = o->shared_buffer ? (uint64_t)e->depth * e->V : e->depth;
    if (room > 32768)
        return pp_fail(PP_ERANGE, "buffers of %llu flits: at most 32768 fit", (unsigned long long)room);
    e->depth_shift = shift_for((uint32_t)room);
    e->shared = o->shared_buffer;
    const uint64_t ivcs = (uint64_t)g->n_ip << e->vs, ovcs = ((uint64_t)g->n_op + g->n_src) << e->vs;
    if (ivcs + ovcs >= UINT32_MAX || ((uint64_t)ivcs << e->depth_shift) > (UINT64_C(1) << 36))
        return pp_fail(PP_ERANGE, "fabric %s: too many VCs and buffers", g->fabric->name);
    if (((uint64_t)g->ins_max << e->vs) > 65535 || ((uint64_t)g->outs_max << e->vs) > 65535)
        return pp_fail(PP_ERANGE, "fabric %s: a router of %u ports with %u VCs is too large", g->fabric->name,
                       g->ins_max > g->outs_max ? g->ins_max : g->outs_max, e->V);
    e->n_ivc = (uint32_t)ivcs;
    e->n_ovc = (uint32_t)ovcs;
    e->x_per_port = o->input_speedup;
    e->head_delay = o->routing_delay + o->vc_alloc_delay - 1;
    e->body_delay = e->sa_extra = o->sw_alloc_delay - 1;
    e->gated = o->internal_speedup > 1;
    for (uint32_t op = 0; op < g->n_op + g->n_src; op++)
        e->gated |= e->base.period[op] > 1;
    return PP_OK;
}

static void fill(uint32_t *a, size_t n)
{
    for (size_t i = 0; a && i < n; i++)
        a[i] = PP_NOC_NO;
}

#define NEW(field, count) (e->field = pp_calloc((size_t)(count), sizeof *e->field), ok = ok && e->field)

static pp_status new_inputs(pp_flit_engine *e)
{
    bool ok = true;
    e->buffer = pp_alloc((size_t)e->n_ivc << e->depth_shift, sizeof *e->buffer);
    ok = e->buffer != NULL;
    NEW(len, e->n_ivc);
    NEW(head, e->n_ivc);
    NEW(state, e->n_ivc);
    NEW(ovc, e->n_ivc);
    NEW(route_op, e->n_ivc);
    NEW(route_mask, e->n_ivc);
    NEW(in_pointer, e->n_ivc);
    NEW(branch, e->n_ivc);
    NEW(ip_request, e->base.g.n_ip);
    NEW(ip_part, e->base.g.n_ip);
    NEW(x_vc, e->base.g.n_ip * (size_t)e->x_per_port);
    NEW(x_out, e->base.g.n_ip * (size_t)e->x_per_port);
    fill(e->branch, e->n_ivc);
    return ok ? PP_OK : PP_ENOMEM;
}

static pp_status new_outputs(pp_flit_engine *e)
{
    const pp_noc_graph *g = &e->base.g;
    const uint32_t n = g->n_op + g->n_src;
    bool ok = true;
    NEW(credit, e->n_ovc);
    NEW(debt, e->n_ovc);
    NEW(owner, e->n_ovc);
    NEW(out_pointer, e->n_ovc);
    NEW(op_free, n);
    NEW(op_in, n);
    NEW(op_next, n);
    NEW(op_part, n);
    NEW(op_flits, n);
    if (e->shared)
        NEW(op_shared, n);
    if (e->base.o.atomic_vcs)
        NEW(op_drained, n);
    if (!ok)
        return PP_ENOMEM;
    fill(e->owner, e->n_ovc);
    const uint64_t all = e->V == 64 ? UINT64_MAX : (UINT64_C(1) << e->V) - 1;
    for (uint32_t op = 0; op < n; op++) {
        e->op_free[op] = all;
        if (e->op_drained)
            e->op_drained[op] = all;
        if (e->shared)
            e->op_shared[op] = e->V * e->depth - e->V;
        for (uint32_t v = 0; v < e->V; v++)
            e->credit[(op << e->vs) + v] = (uint16_t)(e->shared ? 1 : e->depth);
    }
    return PP_OK;
}

static pp_status new_routers(pp_flit_engine *e)
{
    const pp_noc_graph *g = &e->base.g;
    bool ok = true;
    NEW(va_live, g->n_routers);
    NEW(va_words, g->n_routers + 1);
    NEW(sa_words, g->n_routers + 1);
    NEW(va_stamp_first, g->n_routers + 1);
    NEW(sa_stamp_first, g->n_routers + 1);
    if (!ok)
        return PP_ENOMEM;
    for (uint32_t r = 0; r < g->n_routers; r++) {
        const uint32_t ins = g->ip_first[r + 1] - g->ip_first[r], outs = g->op_first[r + 1] - g->op_first[r];
        e->va_words[r + 1] = e->va_words[r] + ((ins << e->vs) + 63) / 64;
        e->sa_words[r + 1] = e->sa_words[r] + (ins + 63) / 64;
        e->va_stamp_first[r + 1] = e->va_stamp_first[r] + (size_t)(ins << e->vs) * (outs << e->vs);
        e->sa_stamp_first[r + 1] = e->sa_stamp_first[r] + (size_t)ins * e->x_per_port * outs;
    }
    NEW(va, e->va_words[g->n_routers]);
    NEW(sa, e->sa_words[g->n_routers]);
    if (e->base.o.arbiter == PP_NOC_MATRIX) {
        NEW(va_stamp_in, e->va_stamp_first[g->n_routers]);
        NEW(va_stamp_out, e->va_stamp_first[g->n_routers]);
        NEW(sa_stamp_in, e->sa_stamp_first[g->n_routers]);
        NEW(sa_stamp_out, e->sa_stamp_first[g->n_routers]);
        NEW(sa_stamp_vc, e->n_ivc);
    }
    return ok ? PP_OK : PP_ENOMEM;
}

static pp_status new_sources(pp_flit_engine *e)
{
    const pp_noc_graph *g = &e->base.g;
    bool ok = true;
    NEW(src, g->n_src);
    NEW(core, g->n_cores);
    NEW(part_of_router, g->n_routers);
    NEW(part_of_core, g->n_cores);
    for (uint32_t s = 0; ok && s < g->n_src; s++) {
        e->src[s] = (pp_flit_src){.item = PP_NOC_NO, .first = PP_NOC_NO, .last = PP_NOC_NO, .core = g->src_core[s],
                                  .vc = e->V - 1, /* the first packet takes VC 0 */
                                  .link_time = e->base.delay[g->n_op + s] + 1,
                                  .can = e->V == 64 ? UINT64_MAX : (UINT64_C(1) << e->V) - 1};
    }
    for (uint32_t c = 0; ok && c < g->n_cores; c++)
        e->core[c] = (pp_flit_core){.src = g->src_first[c], .alone = g->src_first[c + 1] - g->src_first[c] == 1};
    return ok ? PP_OK : PP_ENOMEM;
}

static pp_status new_observation(pp_flit_engine *e)
{
    const pp_noc_graph *g = &e->base.g;
    bool ok = true;
    NEW(ip_occupancy, g->n_ip);
    NEW(op_wait, g->n_op + g->n_src);
    NEW(op_blocked, g->n_op + g->n_src);
    NEW(ivc_high, e->n_ivc);
    NEW(ivc_ready, e->n_ivc);
    NEW(ivc_stall, e->n_ivc);
    return ok ? PP_OK : PP_ENOMEM;
}

/* ---- partitions ---- */

/* Routers in the fabric's order, cut into even runs; a core goes with the router of its first port. */
static bool assign_parts(pp_flit_engine *e)
{
    const pp_noc_graph *g = &e->base.g;
    bool together = true;
    for (uint32_t r = 0; r < g->n_routers; r++)
        e->part_of_router[r] = (uint16_t)((uint64_t)r * e->n_parts / g->n_routers);
    for (uint32_t c = 0; c < g->n_cores; c++) {
        const uint32_t s0 = g->src_first[c];
        e->part_of_core[c] = e->part_of_router[g->op_router[g->n_op + s0]];
        for (uint32_t s = s0; s < g->src_first[c + 1]; s++)
            together &= e->part_of_router[g->op_router[g->n_op + s]] == e->part_of_core[c];
        for (uint32_t i = g->out_first[c]; i < g->out_first[c + 1]; i++)
            together &= e->part_of_router[g->op_router[g->out_op[i]]] == e->part_of_core[c];
    }
    return together;
}

/* Which partition is at the other end of a port; how far partitions may run apart. */
static void link_parts(pp_flit_engine *e)
{
    const pp_noc *n = &e->base;
    const pp_noc_graph *g = &n->g;
    uint64_t ahead = 1024;
    for (uint32_t op = 0; op < g->n_op + g->n_src; op++) {
        const uint16_t own = e->part_of_router[g->op_router[op]];
        e->op_part[op] = own;
        if (g->op_ip[op] == PP_NOC_NO)
            continue;
        e->op_part[op] = e->part_of_router[g->ip_router[g->op_ip[op]]];
        e->ip_part[g->op_ip[op]] = own;
        if (e->op_part[op] == own)
            continue;
        const uint64_t flit = (uint64_t)n->o.switch_delay + 1 + n->delay[op];
        const uint64_t credit = (uint64_t)1 + n->delay[op] + n->o.credit_delay;
        ahead = flit < ahead ? flit : ahead;
        ahead = credit < ahead ? credit : ahead;
    }
    e->lookahead = (uint32_t)ahead;
}

/* What the hot loops look up, added up beforehand. */
static pp_status precompute(pp_flit_engine *e)
{
    const pp_noc *n = &e->base;
    const pp_noc_graph *g = &n->g;
    bool ok = true;
    NEW(core_router, g->n_cores);
    NEW(core_eject, g->n_cores);
    if (!ok)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < g->n_cores; c++) {
        const bool one = g->out_first[c + 1] - g->out_first[c] == 1;
        e->core_eject[c] = one ? g->out_op[g->out_first[c]] : PP_NOC_NO;
        e->core_router[c] = one ? g->op_router[e->core_eject[c]] : PP_NOC_NO;
    }
    return PP_OK;
}

static uint64_t longest_delay(const pp_flit_engine *e)
{
    const pp_noc *n = &e->base;
    uint64_t most = e->head_delay + 2;
    for (uint32_t op = 0; op < n->g.n_op + n->g.n_src; op++) {
        const uint64_t queue = e->gated ? (uint64_t)(n->o.output_buffer + 1) * n->period[op] : 0;
        uint64_t d = (uint64_t)n->o.switch_delay + n->delay[op] + 2 + e->body_delay + queue;
        const uint64_t c = (uint64_t)2 + n->delay[op] + n->o.credit_delay;
        d = c > d ? c : d;
        most = d > most ? d : most;
    }
    return most;
}

#undef NEW
#define NEW(field, count) (p->field = pp_calloc((size_t)(count), sizeof *p->field), ok = ok && p->field)

static pp_status new_wheels(pp_flit_engine *e, pp_part *p, uint32_t ips, uint32_t ops, uint32_t srcs)
{
    const size_t buckets = (size_t)e->wheel_mask + 1;
    bool ok = true;
    p->flits_cap = 2 * ips + ops + 4;
    p->credits_cap = (ops + srcs) * e->x_per_port * e->base.o.internal_speedup + 4;
    p->wakes_cap = e->head_delay > 0 || e->sa_extra > 0 ? (ips << e->vs) + 1 : 1;
    NEW(flits, p->flits_cap * buckets);
    NEW(credits, p->credits_cap * buckets);
    NEW(wakes, p->wakes_cap * buckets);
    NEW(flits_n, buckets);
    NEW(credits_n, buckets);
    NEW(wakes_n, buckets);
    return ok ? PP_OK : PP_ENOMEM;
}

static pp_status new_scratch(pp_flit_engine *e, pp_part *p)
{
    const pp_noc_graph *g = &e->base.g;
    const size_t ins = (size_t)g->ins_max << e->vs, outs = (size_t)g->outs_max << e->vs;
    const size_t x = (size_t)g->ins_max * e->x_per_port, most = ins > outs ? ins : outs;
    const size_t in_words = (ins + 63) / 64 + 1, out_words = (outs + 63) / 64 + 1, x_words = (x + 63) / 64 + 1;
    const size_t va_req = outs * in_words, sa_req = g->outs_max * x_words;
    bool ok = true;
    NEW(req, va_req > sa_req ? va_req : sa_req);
    NEW(offer, x * ((g->outs_max + 63) / 64 + 1));
    NEW(list, most + 1);
    NEW(asking, ins + 1);
    NEW(winner_ivc, 2 * (ins + outs) + 2);
    NEW(winner_op, 2 * (ins + outs) + 2);
    NEW(candidate, x * g->outs_max + 1);
    NEW(seen_out, out_words + x_words);
    NEW(seen_in, out_words + x_words);
    NEW(taken_in, out_words + x_words);
    NEW(taken_out, out_words + x_words);
    NEW(va_op, ins + 1);
    NEW(va_branch, ins + 1);
    NEW(va_offer, ins + 1);
    return ok ? PP_OK : PP_ENOMEM;
}

/* Range of routers, ports and sources of a partition. */
static pp_status new_part(pp_flit_engine *e, uint32_t index)
{
    const pp_noc_graph *g = &e->base.g;
    pp_part *p = &e->part[index];
    bool ok = true;
    *p = (pp_part){.noc = &e->base, .e = e, .index = index, .branch_free = PP_NOC_NO, .item_free = PP_NOC_NO,
                   .lost_item = PP_NOC_NO, .src_lo = PP_NOC_NO};
    p->router_lo = PP_NOC_NO;
    for (uint32_t r = 0; r < g->n_routers; r++)
        if (e->part_of_router[r] == index) {
            p->router_lo = r < p->router_lo ? r : p->router_lo;
            p->router_hi = r + 1;
        }
    uint32_t srcs = 0;
    for (uint32_t s = 0; s < g->n_src; s++)
        if (e->part_of_core[g->src_core[s]] == index) {
            p->src_lo = s < p->src_lo ? s : p->src_lo;
            p->src_hi = s + 1;
            srcs++;
        }
    const uint32_t ips = g->ip_first[p->router_hi] - g->ip_first[p->router_lo];
    const uint32_t ops = g->op_first[p->router_hi] - g->op_first[p->router_lo];
    p->n_active_words = (p->router_hi - p->router_lo + 63) / 64;
    p->n_sending_words = srcs > 0 ? (p->src_hi - p->src_lo + 63) / 64 : 0;
    NEW(active, p->n_active_words);
    NEW(sending, p->n_sending_words + 1);
    NEW(wake_bits, PP_CORE_SLOTS / 64);
    NEW(wake_head, PP_CORE_SLOTS);
    NEW(out[0], e->n_parts);
    NEW(out[1], e->n_parts);
    p->mail = p->out[0];
    fill(p->wake_head, PP_CORE_SLOTS);
    PP_TRY(new_wheels(e, p, ips, ops, srcs));
    PP_TRY(new_scratch(e, p));
    return ok ? PP_OK : PP_ENOMEM;
}

static pp_status new_parts(pp_flit_engine *e)
{
    const uint32_t routers = e->base.g.n_routers;
    e->n_parts = e->base.o.threads < routers ? e->base.o.threads : routers;
    if (!assign_parts(e)) {
        e->n_parts = 1; /* cores on several routers stay with one thread */
        (void)assign_parts(e);
    }
    link_parts(e);
    const uint64_t wheel = longest_delay(e) + 2;
    if (wheel > 1u << 20)
        return pp_fail(PP_ERANGE, "network: a delay of more than a million cycles");
    e->wheel_mask = (UINT32_C(1) << shift_for((uint32_t)wheel)) - 1;
    e->part = pp_alloc_aligned(e->n_parts, sizeof *e->part);
    if (!e->part)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < e->n_parts; i++)
        PP_TRY(new_part(e, i));
    PP_TRY(pp_fast_new(&e->fast, e));
    for (uint32_t i = 0; i < e->n_parts && e->fast; i++)
        PP_TRY(pp_fast_new_part(e->fast, e, &e->part[i]));
    e->meeting.patience = e->n_parts <= pp_cpu_count() ? 20000 : 0;
    return e->n_parts > 1 ? pp_pool_new(&e->pool, e->n_parts) : PP_OK;
}

pp_status pp_noc_flit_start(pp_noc *n)
{
    pp_flit_engine *e = (pp_flit_engine *)n;
    PP_TRY(set_sizes(e));
    PP_TRY(make_classes(e));
    PP_TRY(new_inputs(e));
    PP_TRY(new_outputs(e));
    PP_TRY(new_routers(e));
    PP_TRY(new_sources(e));
    PP_TRY(precompute(e));
    PP_TRY(new_parts(e));
    return n->observe ? new_observation(e) : PP_OK;
}
