/* Records of the fast path: what suits it, its memory, and its state as others read it. */
#include "sim/net_fast_internal.h"

#include <stdlib.h>

/* ---- what suits it ---- */

static bool plain_options(const pp_flit_engine *e)
{
    const pp_noc *n = &e->base;
    const pp_noc_options *o = &n->o;
    return o->arbiter == PP_NOC_ROUND_ROBIN && o->allocator == PP_NOC_OUTPUT_FIRST && o->iterations == 1 && !o->speculative &&
           !e->gated && !e->shared && !o->atomic_vcs && o->input_speedup == 1 && e->sa_extra == 0 && !n->observe && !o->general;
}

/* What is kept in few bits fits. */
static bool fits(const pp_flit_engine *e)
{
    const pp_noc *n = &e->base;
    const pp_noc_graph *g = &n->g;
    if (g->ins_max << e->vs > 64 || g->outs_max << e->vs > 64 || e->depth > 255 ||
        n->routing.n_classes > 8 || n->o.message_classes << n->routing.n_classes > 256 || e->wheel_mask >= 4096)
        return false;
    for (uint32_t op = 0; op < g->n_op + g->n_src; op++)
        if ((uint64_t)n->delay[op] + n->o.switch_delay + n->o.credit_delay + 1 > UINT16_MAX)
            return false;
    return true;
}

/* A grid of routers with a core each, at one port. */
static bool is_plain_grid(const pp_flit_engine *e, const pp_noc_grid *grid)
{
    const pp_noc *n = &e->base;
    const pp_noc_graph *g = &n->g;
    const uint64_t size = (uint64_t)grid->size[0] * grid->size[1];
    if (grid->kind == PP_GRID_NONE || n->routing.n_classes != (grid->kind == PP_GRID_WRAP ? 2 : 1) || g->n_routers != size ||
        g->fabric->n_vertices != size || g->n_cores != size || grid->size[0] > PP_FAST_SIDE_MAX ||
        grid->size[1] > PP_FAST_SIDE_MAX)
        return false;
    for (uint32_t c = 0; c < g->n_cores; c++)
        if (e->core_router[c] != g->router_of_vertex[g->fabric->core_vertex[c]] || g->src_first[c + 1] - g->src_first[c] != 1 ||
            g->op_router[g->n_op + g->src_first[c]] != e->core_router[c])
            return false;
    return true;
}

/* ---- records ---- */

static size_t up_to(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* Places in a record: what every hop touches first, buffers behind it. */
static bool lay_out(pp_fast *f, const pp_flit_engine *e)
{
    const pp_noc_graph *g = &e->base.g;
    f->vs = e->vs;
    f->n_l = g->ins_max << e->vs;
    f->slot_mask = (1u << e->depth_shift) - 1;
    f->ovc_at = (uint32_t)(sizeof(pp_fast_router) + f->n_l * sizeof(pp_fast_vc));
    f->in_at = (uint32_t)(f->ovc_at + up_to((size_t)(g->outs_max << e->vs) * sizeof(pp_fast_ovc), 4));
    f->out_at = (uint32_t)up_to(f->in_at + g->ins_max * sizeof(pp_fast_in), 8);
    f->buffer_at = (uint32_t)up_to(f->out_at + g->outs_max * sizeof(pp_fast_out), 64);
    f->stride = up_to(f->buffer_at + ((size_t)f->n_l << e->depth_shift) * sizeof(uint64_t), 64);
    return f->stride * g->n_routers <= UINT32_MAX;
}

#define PP_FAST_LARGE (size_t)(1 << 20) /* bytes a partition: near to what a core has to itself */

static void make_masks(pp_fast *f, const pp_flit_engine *e)
{
    const uint32_t n = e->base.routing.n_classes;
    f->all_classes = (uint8_t)((1u << n) - 1);
    for (uint32_t m = 0; m < e->base.o.message_classes; m++) {
        for (uint32_t set = 0; set < 1u << n; set++)
            for (uint32_t k = 0; k < n; k++)
                f->mask[m << n | set] |= set >> k & 1 ? e->class_mask[m * n + k] : 0;
        for (uint32_t v = 0; v < e->V; v++)
            if (e->message_mask[m] >> v & 1) {
                f->message_of_vc[v] = (uint8_t)(m << n);
                f->class_of_vc[v] = e->class_of_vc[m * PP_NOC_VCS_MAX + v];
            }
    }
}

static pp_fast_router *router_of(const pp_fast *f, uint32_t router)
{
    return pp_fast_at(f, pp_fast_target(f, router, 0));
}

static uint32_t inputs_of(const pp_flit_engine *e, uint32_t router)
{
    return (e->base.g.ip_first[router + 1] - e->base.g.ip_first[router]) << e->vs;
}

static uint16_t where(const pp_flit_engine *e, uint32_t from, uint32_t to)
{
    const uint16_t own = e->part_of_router[from], other = e->part_of_router[to];
    return own == other ? 0 : (uint16_t)(PP_FAST_AWAY + other); /* wheel 0 is that of arrivals and of routers' credits */
}

static void link_inputs(pp_fast *f, const pp_flit_engine *e, uint32_t router)
{
    const pp_noc *n = &e->base;
    const pp_noc_graph *g = &n->g;
    pp_fast_in *in = pp_fast_ins(f, router_of(f, router));
    for (uint32_t ip = g->ip_first[router]; ip < g->ip_first[router + 1]; ip++, in++) {
        const uint32_t up = g->ip_up[ip];
        in->way = PP_FAST_EJECT;
        if (up >= g->n_op) {
            in->credit = (pp_fast_link){up << e->vs, (uint16_t)(1 + n->delay[up]),
                                        (uint16_t)(PP_FAST_SOURCE_CREDIT * f->buckets)};
            continue;
        }
        const uint32_t from = g->op_router[up];
        in->credit = (pp_fast_link){pp_fast_target(f, from, (up - g->op_first[from]) << e->vs),
                                    (uint16_t)(1 + n->delay[up] + n->o.credit_delay),
                                    where(e, router, from)};
        for (uint8_t way = 0; f->grid.kind != PP_GRID_NONE && way < 4; way++)
            if (f->grid.channel_to[4 * g->vertex[from] + way] == g->op_channel[up])
                in->way = way;
    }
}

static void link_outputs(pp_fast *f, const pp_flit_engine *e, uint32_t router)
{
    const pp_noc *n = &e->base;
    const pp_noc_graph *g = &n->g;
    pp_fast_router *r = router_of(f, router);
    pp_fast_out *out = pp_fast_outs(f, r);
    for (uint32_t op = g->op_first[router], o = 0; op < g->op_first[router + 1]; op++, o++, out++) {
        const uint16_t time = (uint16_t)(n->o.switch_delay + 1 + n->delay[op]);
        const uint32_t ip = g->op_ip[op];
        r->free |= e->op_free[op] << (o << e->vs);
        for (uint32_t v = 0; v < e->V; v++)
            pp_fast_ovcs(f, r)[(o << e->vs) + v].credit = (uint8_t)e->depth;
        if (ip == PP_NOC_NO) {
            out->link = (pp_fast_link){pp_fast_target(f, router, o << e->vs), time, (uint16_t)(PP_FAST_LEAVE * f->buckets)};
            continue;
        }
        const uint32_t to = g->ip_router[ip];
        out->link = (pp_fast_link){pp_fast_target(f, to, (ip - g->ip_first[to]) << e->vs), time,
                                   where(e, router, to)};
    }
}

/* Output ports by way, or by the signs of both distances. */
static void set_turns(pp_fast *f, const pp_flit_engine *e, uint32_t router)
{
    const pp_noc_graph *g = &e->base.g;
    pp_fast_router *r = router_of(f, router);
    const uint32_t v = g->vertex[router], first = g->op_first[router];
    uint8_t way[5] = {0};
    r->place = v / f->grid.size[0] << 11 | v % f->grid.size[0];
    for (uint32_t w = 0; w < 4; w++) {
        const uint32_t c = f->grid.channel_to[4 * v + w];
        if (c != PP_NO_CHANNEL) /* else the edge: never asked for */
            way[w] = (uint8_t)(g->op_of_channel[c] - first);
    }
    for (uint32_t op = first; op < g->op_first[router + 1]; op++)
        if (g->op_ip[op] == PP_NOC_NO)
            way[PP_FAST_EJECT] = (uint8_t)(op - first);
    for (int i = 0; i < 5 && f->grid.kind == PP_GRID_WRAP; i++)
        r->turn[i] = way[i];
    for (int i = 0; i < 9 && f->grid.kind == PP_GRID_MESH; i++) {
        const int sign[2] = {i / 3 - 1, i % 3 - 1};
        const int dim = sign[f->grid.y_first] != 0 ? f->grid.y_first : !f->grid.y_first;
        const uint32_t to = (uint32_t)(1 + sign[1]) << 11 | (uint32_t)(1 + sign[0]);
        r->turn[pp_fast_signs(1u << 11 | 1u, to)] = way[sign[dim] == 0 ? (int)PP_FAST_EJECT : 2 * dim + (sign[dim] > 0)];
    }
    for (uint32_t l = 0; l < inputs_of(e, router); l++)
        pp_fast_vcs(r)[l].mask = f->message_of_vc[l & ((1u << e->vs) - 1)] | f->all_classes;
}

static void fill_records(pp_fast *f, const pp_flit_engine *e)
{
    const pp_noc_graph *g = &e->base.g;
    for (uint32_t i = 0; i < g->n_routers; i++) {
        link_inputs(f, e, i);
        link_outputs(f, e, i);
        if (f->grid.kind != PP_GRID_NONE)
            set_turns(f, e, i);
    }
    for (uint32_t c = 0; f->grid.kind != PP_GRID_NONE && c < g->n_cores; c++) {
        const uint32_t v = g->fabric->core_vertex[c];
        f->place[c] = v / f->grid.size[0] << 11 | v % f->grid.size[0];
    }
    for (uint32_t s = 0; s < g->n_src; s++) {
        const uint32_t ip = g->op_ip[g->n_op + s], router = g->ip_router[ip];
        f->src_to[s] = pp_fast_target(f, router, (ip - g->ip_first[router]) << e->vs);
    }
}

/* ---- memory ---- */

pp_status pp_fast_new(pp_fast **out, pp_flit_engine *e)
{
    const pp_noc *n = &e->base;
    *out = NULL;
    if (!plain_options(e) || !fits(e))
        return PP_OK;
    pp_fast *f = pp_calloc(1, sizeof *f);
    if (!f)
        return PP_ENOMEM;
    f->grid = pp_noc_grid_of(&n->routing);
    if (!is_plain_grid(e, &f->grid))
        f->grid.kind = PP_GRID_NONE;
    if (!lay_out(f, e)) {
        free(f);
        return PP_OK;
    }
    f->head_delay = e->head_delay;
    f->large = f->stride * n->g.n_routers > PP_FAST_LARGE * e->n_parts;
    f->buckets = e->wheel_mask + 1;
    f->eject_back = n->o.credit_delay - n->o.switch_delay;
    make_masks(f, e);
    f->record = pp_alloc_aligned(n->g.n_routers, f->stride);
    f->place = pp_calloc(n->g.n_cores, sizeof *f->place);
    f->src_to = pp_calloc(n->g.n_src, sizeof *f->src_to);
    f->part = pp_alloc_aligned(e->n_parts, sizeof *f->part);
    *out = f;
    if (!f->record || !f->place || !f->src_to || !f->part)
        return PP_ENOMEM;
    fill_records(f, e);
    return PP_OK;
}

/* In a cycle a port takes and gives at most one flit and one credit. */
pp_status pp_fast_new_part(pp_fast *f, const pp_flit_engine *e, const pp_part *p)
{
    const pp_noc_graph *g = &e->base.g;
    pp_fast_part *q = &f->part[p->index];
    const uint32_t ins = g->ip_first[p->router_hi] - g->ip_first[p->router_lo];
    const uint32_t outs = g->op_first[p->router_hi] - g->op_first[p->router_lo];
    q->cap = (ins > outs ? ins : outs) + 1;
    q->wake_cap = f->head_delay > 0 ? (ins << f->vs) + 1 : 1;
    q->flits = pp_calloc((size_t)2 * f->buckets * q->cap, sizeof *q->flits);
    q->credits = pp_calloc((size_t)2 * f->buckets * q->cap, sizeof *q->credits);
    q->wakes = pp_calloc((size_t)f->buckets * q->wake_cap, sizeof *q->wakes);
    q->grants = pp_calloc(((size_t)ins << f->vs) + 1, sizeof *q->grants);
    q->flits_end = pp_calloc((size_t)2 * f->buckets, sizeof *q->flits_end);
    q->credits_end = pp_calloc((size_t)2 * f->buckets, sizeof *q->credits_end);
    q->n_wakes = pp_calloc(f->buckets, sizeof *q->n_wakes);
    q->va_set = pp_calloc(p->n_active_words, sizeof *q->va_set);
    q->sw_set = pp_calloc(p->n_active_words, sizeof *q->sw_set);
    for (uint32_t r = p->router_lo; r < p->router_hi; r++)
        router_of(f, r)->local = r - p->router_lo;
    if (!q->flits || !q->credits || !q->wakes || !q->grants || !q->flits_end || !q->credits_end || !q->n_wakes || !q->va_set ||
        !q->sw_set)
        return PP_ENOMEM;
    for (uint32_t b = 0; b < 2 * f->buckets; b++) {
        q->flits_end[b] = pp_fast_flits_of(q, b);
        q->credits_end[b] = pp_fast_credits_of(q, b);
    }
    return PP_OK;
}

void pp_fast_free(pp_fast *f, uint32_t n_parts)
{
    if (!f)
        return;
    for (uint32_t i = 0; f->part && i < n_parts; i++) {
        pp_fast_part *q = &f->part[i];
        void *all[] = {q->flits, q->credits, q->wakes, q->grants, q->flits_end, q->credits_end, q->n_wakes, q->va_set, q->sw_set};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            free(all[k]);
    }
    free(f->record);
    free(f->place);
    free(f->src_to);
    free(f->part);
    free(f);
}

/* ---- as others read it ---- */

static pp_ivc_state state_of(const pp_fast_router *r, uint32_t l, uint32_t len)
{
    if (r->active >> l & 1)
        return PP_IVC_ACTIVE;
    return r->va >> l & 1 ? PP_IVC_VA : len > 0 ? PP_IVC_ROUTE : PP_IVC_IDLE;
}

static void export_input(pp_flit_engine *e, uint32_t router, uint32_t l)
{
    const pp_fast *f = e->fast;
    const pp_noc_graph *g = &e->base.g;
    pp_fast_router *r = router_of(f, router);
    const pp_fast_vc *vc = &pp_fast_vcs(r)[l];
    const uint32_t ivc = (g->ip_first[router] << e->vs) + l, op0 = g->op_first[router];
    e->len[ivc] = vc->len;
    e->head[ivc] = vc->head;
    e->state[ivc] = (uint8_t)state_of(r, l, vc->len);
    e->ovc[ivc] = (op0 << e->vs) + vc->out;
    e->route_op[ivc] = vc->op == PP_FAST_ADAPTIVE ? PP_NOC_NO : op0 + vc->op;
    e->route_mask[ivc] = f->mask[vc->mask];
    for (uint32_t k = 0; k <= f->slot_mask; k++)
        e->buffer[((size_t)ivc << e->depth_shift) + k] = PP_FAST_FLIT(*pp_fast_slot(f, r, l, k));
}

void pp_fast_export(pp_flit_engine *e)
{
    const pp_fast *f = e->fast;
    const pp_noc_graph *g = &e->base.g;
    for (uint32_t i = 0; i < g->n_routers; i++) {
        pp_fast_router *r = router_of(f, i);
        const uint32_t ip0 = g->ip_first[i], op0 = g->op_first[i];
        for (uint32_t l = 0; l < inputs_of(e, i); l++)
            export_input(e, i, l);
        for (uint32_t o = 0; o < (g->op_first[i + 1] - op0) << e->vs; o++) {
            const uint32_t ovc = (op0 << e->vs) + o;
            const bool owned = !(r->free >> o & 1) && (o & ((1u << e->vs) - 1)) < e->V;
            e->credit[ovc] = pp_fast_ovcs(f, r)[o].credit;
            e->owner[ovc] = owned ? (ip0 << e->vs) + pp_fast_ovcs(f, r)[o].owner : PP_NOC_NO;
        }
        for (uint32_t o = 0; o < g->op_first[i + 1] - op0; o++)
            e->op_free[op0 + o] = r->free >> (o << e->vs) & (e->vs == 6 ? UINT64_MAX : pp_bit(1u << e->vs) - 1);
    }
}

uint64_t pp_fast_carried(const pp_flit_engine *e, uint32_t op)
{
    const uint32_t router = e->base.g.op_router[op];
    return pp_fast_outs(e->fast, router_of(e->fast, router))[op - e->base.g.op_first[router]].flits;
}

uint64_t pp_fast_inside(const pp_flit_engine *e, uint64_t *credits)
{
    const pp_fast *f = e->fast;
    uint64_t sum = 0;
    *credits = 0;
    for (uint32_t i = 0; i < e->base.g.n_routers; i++)
        for (uint32_t l = 0; l < inputs_of(e, i); l++)
            sum += pp_fast_vcs(router_of(f, i))[l].len;
    for (uint32_t i = 0; i < e->n_parts; i++)
        for (uint32_t b = 0; b < 2 * f->buckets; b++) {
            sum += (uint64_t)(f->part[i].flits_end[b] - pp_fast_flits_of(&f->part[i], b));
            *credits += (uint64_t)(f->part[i].credits_end[b] - pp_fast_credits_of(&f->part[i], b));
        }
    return sum;
}
