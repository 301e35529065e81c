/* The fast path's cycle: events that are due, VC allocation, switch allocation and traversal. Each phase runs over all
 * routers that take part in it, so that the processor can overlap them; what a phase decides is seen by another only in
 * the next cycle, as in net_router.c. */
#include "sim/net_fast_internal.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* What every function here needs, as copies that no store can change: never hand out its address, or the compiler
 * reads all of it again after every write to a record. `vs` is a constant where it is used. */
typedef struct pp_fast_step {
    pp_flit_engine *e;
    pp_fast *f;
    pp_part *p;
    pp_fast_part *q;
    unsigned char *record, *own; /* all records; those of this partition */
    pp_fast_event **flits_end;
    uint32_t **credits_end;
    uint64_t *va_set, *sw_set;
    uint64_t t;
    size_t stride;
    uint32_t vs, n_l, slot_mask, ovc_at, in_at, out_at, buffer_at, buckets, head_delay;
    pp_grid_kind grid;
    bool large;
} pp_fast_step;

static inline pp_fast_step step_of(pp_flit_engine *e, pp_part *p, uint32_t vs)
{
    pp_fast *f = e->fast;
    pp_fast_part *q = &f->part[p->index];
    return (pp_fast_step){.e = e, .f = f, .p = p, .q = q, .record = f->record,
                          .own = f->record + p->router_lo * f->stride, .flits_end = q->flits_end,
                          .credits_end = q->credits_end, .va_set = q->va_set, .sw_set = q->sw_set, .t = p->t,
                          .stride = f->stride, .vs = vs, .n_l = f->n_l, .slot_mask = f->slot_mask, .ovc_at = f->ovc_at,
                          .in_at = f->in_at, .out_at = f->out_at, .buffer_at = f->buffer_at, .buckets = f->buckets,
                          .head_delay = f->head_delay, .grid = f->grid.kind, .large = f->large};
}

ALWAYS_INLINE pp_fast_router *at(const pp_fast_step *s, uint32_t to)
{
    return (pp_fast_router *)(void *)(s->record + (to & ~UINT32_C(63)));
}

ALWAYS_INLINE pp_fast_ovc *ovcs_of(const pp_fast_step *s, pp_fast_router *r)
{
    return (pp_fast_ovc *)(void *)((unsigned char *)r + s->ovc_at);
}

ALWAYS_INLINE pp_fast_in *ins_of(const pp_fast_step *s, pp_fast_router *r)
{
    return (pp_fast_in *)(void *)((unsigned char *)r + s->in_at);
}

ALWAYS_INLINE pp_fast_out *outs_of(const pp_fast_step *s, pp_fast_router *r)
{
    return (pp_fast_out *)(void *)((unsigned char *)r + s->out_at);
}

ALWAYS_INLINE uint64_t *slot_of(const pp_fast_step *s, pp_fast_router *r, uint32_t l, uint32_t slot)
{
    return (uint64_t *)(void *)((unsigned char *)r + s->buffer_at) + slot * s->n_l + l;
}

/* Target of the record itself with l or o. */
ALWAYS_INLINE uint32_t target(const pp_fast_step *s, const pp_fast_router *r, uint32_t lo)
{
    return (uint32_t)((const unsigned char *)r - s->record) | lo;
}

ALWAYS_INLINE bool single(uint64_t set)
{
    return (set & (set - 1)) == 0;
}

ALWAYS_INLINE void set_bit(uint64_t *words, uint32_t i)
{
    words[i / 64] |= pp_bit(i % 64);
}

/* ---- routing ---- */

/* The route of any other function, through the packet's slot. False: nowhere. */
static __attribute__((noinline)) bool ask_route(pp_flit_engine *e, pp_part *p, pp_fast_router *r, uint32_t l, uint64_t word)
{
    const pp_fast *f = e->fast;
    pp_noc *n = &e->base;
    pp_noc_item *item = pp_noc_at(&n->items, PP_FLIT_ITEM(PP_FAST_FLIT(word)));
    const uint32_t v = l & ((1u << f->vs) - 1), router = p->router_lo + r->local, ip = n->g.ip_first[router] + (l >> f->vs);
    pp_fast_vc *vc = &pp_fast_vcs(r)[l];
    const uint32_t eject = pp_noc_eject_port(&n->g, router, item->dst, ip, item->src);
    vc->mask = f->message_of_vc[v] | f->all_classes;
    vc->op = (uint8_t)(eject - n->g.op_first[router]);
    item->routers++;
    if (eject != PP_NOC_NO)
        return true;
    pp_noc_hop hop[PP_NOC_HOPS_MAX];
    const uint32_t count = pp_noc_candidates(n, item, router, n->g.ip_channel[ip], f->class_of_vc[v], hop);
    if (count == 0) {
        p->lost_item = PP_FLIT_ITEM(PP_FAST_FLIT(word));
        p->lost_router = router;
        return false;
    }
    vc->op = PP_FAST_ADAPTIVE;
    if (count == 1) {
        vc->op = (uint8_t)(n->g.op_of_channel[hop[0].channel] - n->g.op_first[router]);
        vc->mask = (uint8_t)(f->message_of_vc[v] | hop[0].classes);
    }
    return true;
}

/* Dimension order without wrap links: the signs of both distances say it. The set of VCs is always the same. */
ALWAYS_INLINE void mesh_route(const pp_fast_router *r, pp_fast_vc *vc, uint64_t word)
{
    vc->op = r->turn[pp_fast_signs(r->place, PP_FAST_PLACE(word))];
}

/* With wrap links: a packet keeps the direction and the class that it got on entering a dimension. */
ALWAYS_INLINE void wrap_route(const pp_fast_step *s, pp_fast_router *r, pp_fast_vc *vc, uint32_t l, uint64_t word)
{
    const pp_fast *f = s->f;
    const pp_noc_items *items = &s->e->base.items;
    const uint32_t v = l & ((1u << s->vs) - 1), here[2] = {r->place & (PP_FAST_SIDE_MAX - 1), r->place >> 11}, there[2] = {PP_FAST_X(word), PP_FAST_Y(word)};
    const uint32_t first = f->grid.y_first, dim = here[first] != there[first] ? first : 1 - first;
    const uint32_t from = here[dim], to = there[dim], n = f->grid.size[dim], way = ins_of(s, r)[l >> s->vs].way;
    if (from == to) {
        vc->op = r->turn[PP_FAST_EJECT];
        vc->mask = f->message_of_vc[v] | f->all_classes;
        return;
    }
    bool up = way & 1;
    uint32_t class = f->class_of_vc[v];
    if (way == PP_FAST_EJECT || way / 2 != dim) {
        const bool tie = 2 * (to > from ? to - from : from - to) == n;
        up = pp_ring_up(n, from, to, tie && pp_ring_coin(pp_noc_at(items, PP_FLIT_ITEM(PP_FAST_FLIT(word)))->random, dim));
        class = to < from;
    }
    vc->op = r->turn[2 * dim + up];
    vc->mask = (uint8_t)(f->message_of_vc[v] | 1u << class);
}

/* The head at the front of an idle input VC begins its way through the router in cycle `start`. */
ALWAYS_INLINE void begin(const pp_fast_step *s, pp_fast_router *r, uint32_t l, uint64_t word, uint64_t start)
{
    pp_fast_part *q = s->q;
    if (s->grid == PP_GRID_MESH)
        mesh_route(r, &pp_fast_vcs(r)[l], word);
    else if (s->grid == PP_GRID_WRAP)
        wrap_route(s, r, &pp_fast_vcs(r)[l], l, word);
    else if (!ask_route(s->e, s->p, r, l, word))
        return;
    if (s->head_delay == 0) {
        r->va |= pp_bit(l);
        set_bit(s->va_set, r->local);
        return;
    }
    const uint32_t bucket = (uint32_t)(start + s->head_delay) & (s->buckets - 1);
    q->wakes[(size_t)bucket * q->wake_cap + q->n_wakes[bucket]++] = target(s, r, l);
}

/* ---- events ---- */

ALWAYS_INLINE void ask_switch(const pp_fast_step *s, pp_fast_router *r, uint32_t l)
{
    r->sw |= pp_bit(l);
    set_bit(s->sw_set, r->local);
}

ALWAYS_INLINE void arrive(const pp_fast_step *s, uint32_t to, uint64_t word)
{
    pp_fast_router *r = at(s, to);
    const uint32_t l = to & 63;
    pp_fast_vc *vc = &pp_fast_vcs(r)[l];
    const uint32_t len = vc->len;
    *slot_of(s, r, l, (vc->head + len) & s->slot_mask) = word;
    vc->len = (uint8_t)(len + 1);
    if (len > 0)
        return;
    if (!(r->active & pp_bit(l)))
        begin(s, r, l, word, s->t);
    else if (ovcs_of(s, r)[vc->out].credit > 0)
        ask_switch(s, r, l);
    else
        r->starved |= pp_bit(vc->out);
}

ALWAYS_INLINE void take_credit(const pp_fast_step *s, uint32_t to)
{
    pp_fast_router *r = at(s, to);
    const uint32_t o = to & 63;
    pp_fast_ovc *ovc = &ovcs_of(s, r)[o];
    ovc->credit++;
    if (r->starved & pp_bit(o)) {
        r->starved &= ~pp_bit(o);
        ask_switch(s, r, ovc->owner);
    }
}

ALWAYS_INLINE void leave(const pp_fast_step *s, uint32_t to, uint64_t word)
{
    const pp_fast *f = s->f;
    const pp_fast_out *out = &outs_of(s, at(s, to))[(to & 63) >> s->vs];
    pp_fast_push_credit(f, s->q, PP_FAST_ROUTER_CREDIT, s->t + (uint32_t)(out->link.time + f->eject_back), to);
    s->p->ejected++;
    if (word & PP_FLIT_TAIL) /* on grids the slot counts no routers */
        pp_flit_deliver(s->e, s->p, PP_FLIT_ITEM(PP_FAST_FLIT(word)), PP_NOC_NO,
                        s->grid != PP_GRID_NONE ? PP_FAST_HOPS(word) : 0);
}

#define AHEAD 6 /* events between a prefetch and its use */

/* What an arrival touches, and a credit. */
ALWAYS_INLINE void fetch_input(const pp_fast_step *s, uint32_t to)
{
    const unsigned char *r = s->record + (to & ~UINT32_C(63));
    __builtin_prefetch(r, 1);
    __builtin_prefetch(r + sizeof(pp_fast_router) + (to & 63) * sizeof(pp_fast_vc), 1);
    __builtin_prefetch(r + s->buffer_at + (to & 63) * sizeof(uint64_t), 1);
}

ALWAYS_INLINE void fetch_output(const pp_fast_step *s, uint32_t to)
{
    const unsigned char *r = s->record + (to & ~UINT32_C(63));
    __builtin_prefetch(r, 1);
    __builtin_prefetch(r + s->ovc_at + (to & 63) * sizeof(pp_fast_ovc), 1);
}

ALWAYS_INLINE void due_credits(const pp_fast_step *s, uint32_t bucket)
{
    const uint32_t *c = pp_fast_credits_of(s->q, bucket), *end = s->credits_end[bucket];
    for (; s->large && end - c > AHEAD; c++) {
        fetch_output(s, c[AHEAD]);
        take_credit(s, *c);
    }
    for (; c < end; c++)
        take_credit(s, *c);
    s->credits_end[bucket] = pp_fast_credits_of(s->q, bucket);
    const uint32_t source = bucket + s->buckets;
    end = s->credits_end[source];
    for (c = pp_fast_credits_of(s->q, source); c < end; c++)
        pp_flit_source_credit(s->e, s->p, *c);
    s->credits_end[source] = pp_fast_credits_of(s->q, source);
}

ALWAYS_INLINE void due_flits(const pp_fast_step *s, uint32_t bucket)
{
    const pp_fast_event *v = pp_fast_flits_of(s->q, bucket), *end = s->flits_end[bucket];
    for (; s->large && end - v > AHEAD; v++) {
        fetch_input(s, v[AHEAD].to);
        arrive(s, v->to, v->word);
    }
    for (; v < end; v++)
        arrive(s, v->to, v->word);
    s->flits_end[bucket] = pp_fast_flits_of(s->q, bucket);
    const uint32_t gone = bucket + s->buckets;
    end = s->flits_end[gone];
    for (v = pp_fast_flits_of(s->q, gone); v < end; v++)
        leave(s, v->to, v->word);
    s->flits_end[gone] = pp_fast_flits_of(s->q, gone);
}

ALWAYS_INLINE void due(const pp_fast_step *s)
{
    pp_fast_part *q = s->q;
    const uint32_t bucket = (uint32_t)s->t & (s->buckets - 1);
    for (uint32_t i = 0; i < q->n_grants; i++)
        ask_switch(s, at(s, q->grants[i]), q->grants[i] & 63);
    q->n_grants = 0;
    due_credits(s, bucket);
    due_flits(s, bucket);
    for (uint32_t i = 0; i < q->n_wakes[bucket]; i++) {
        const uint32_t to = q->wakes[(size_t)bucket * q->wake_cap + i];
        pp_fast_router *r = at(s, to);
        r->va |= pp_bit(to & 63);
        set_bit(s->va_set, r->local);
    }
    q->n_wakes[bucket] = 0;
}

/* ---- VC allocation ---- */

/* Several candidates: of those with a free VC the one with the most credits, the first of equals; escape hops when
 * there is no other. */
static __attribute__((noinline)) uint64_t best_hop(pp_flit_engine *e, const pp_part *p, pp_fast_router *r, uint32_t l)
{
    const pp_fast *f = e->fast;
    const pp_noc *n = &e->base;
    const uint32_t v = l & ((1u << f->vs) - 1), router = p->router_lo + r->local;
    const uint64_t word = *pp_fast_slot(f, r, l, pp_fast_vcs(r)[l].head);
    const pp_fast_ovc *ovcs = pp_fast_ovcs(f, r);
    pp_noc_hop hop[PP_NOC_HOPS_MAX];
    const uint32_t count = pp_noc_candidates(n, pp_noc_at(&n->items, PP_FLIT_ITEM(PP_FAST_FLIT(word))), router,
                                             n->g.ip_channel[n->g.ip_first[router] + (l >> f->vs)], f->class_of_vc[v], hop);
    uint64_t best = 0;
    uint32_t most = 0;
    for (int escape = 0; escape < 2 && !best; escape++)
        for (uint32_t i = 0; i < count; i++) {
            if (hop[i].escape != (escape != 0))
                continue;
            const uint32_t o = n->g.op_of_channel[hop[i].channel] - n->g.op_first[router];
            const uint64_t vcs = r->free & f->mask[f->message_of_vc[v] | hop[i].classes] << (o << f->vs);
            uint32_t credits = 0;
            for (uint64_t set = vcs; set; set &= set - 1)
                credits += ovcs[pp_ctz(set)].credit;
            if (vcs && (!best || credits > most)) {
                best = vcs;
                most = credits;
            }
        }
    return best;
}

/* Output VCs that input VC l could have. */
ALWAYS_INLINE uint64_t wanted_vcs(const pp_fast_step *s, pp_fast_router *r, uint32_t l)
{
    const pp_fast_vc *vc = &pp_fast_vcs(r)[l];
    if (__builtin_expect(vc->op == PP_FAST_ADAPTIVE, 0))
        return best_hop(s->e, s->p, r, l);
    return s->f->mask[vc->mask] << ((uint32_t)vc->op << s->vs) & r->free;
}

ALWAYS_INLINE void commit(const pp_fast_step *s, pp_fast_router *r, uint32_t l, uint64_t vcs)
{
    pp_fast_vc *vc = &pp_fast_vcs(r)[l];
    const uint32_t o = pp_pick(vcs, vc->accept);
    pp_fast_ovc *ovc = &ovcs_of(s, r)[o];
    r->free &= ~pp_bit(o);
    r->va &= ~pp_bit(l);
    r->active |= pp_bit(l);
    ovc->owner = (uint8_t)l;
    ovc->grant = (l + 1) & 63;
    vc->accept = (o + 1) & 63;
    vc->out = (uint8_t)o;
    if (ovc->credit > 0)
        s->q->grants[s->q->n_grants++] = target(s, r, l);
    else
        r->starved |= pp_bit(o);
}

/* Outputs that two heads want at once are arbitrated. */
ALWAYS_INLINE void allocate_conflicts(const pp_fast_step *s, pp_fast_router *r, uint64_t asking, const uint64_t *want)
{
    const pp_fast_ovc *ovcs = ovcs_of(s, r);
    uint64_t req[64], offer[64], wanted = 0, offered = 0;
    for (; asking; asking &= asking - 1) {
        const uint32_t l = pp_ctz(asking);
        for (uint64_t set = want[l]; set; set &= set - 1) {
            const uint32_t o = pp_ctz(set);
            req[o] = wanted & pp_bit(o) ? req[o] | pp_bit(l) : pp_bit(l);
            wanted |= pp_bit(o);
        }
    }
    for (; wanted; wanted &= wanted - 1) {
        const uint32_t o = pp_ctz(wanted), l = pp_pick(req[o], ovcs[o].grant);
        offer[l] = offered & pp_bit(l) ? offer[l] | pp_bit(o) : pp_bit(o);
        offered |= pp_bit(l);
    }
    for (; offered; offered &= offered - 1)
        commit(s, r, pp_ctz(offered), offer[pp_ctz(offered)]);
}

/* Several heads: where one is alone it takes what its pointer says. True: some lost, and ask again at once. */
ALWAYS_INLINE bool allocate_several(const pp_fast_step *s, pp_fast_router *r)
{
    uint64_t want[64], asking = 0, all = 0, twice = 0, conflict = 0;
    for (uint64_t set = r->va; set; set &= set - 1) {
        const uint32_t l = pp_ctz(set);
        want[l] = wanted_vcs(s, r, l);
        if (want[l]) {
            asking |= pp_bit(l);
            twice |= all & want[l];
            all |= want[l];
        }
    }
    for (uint64_t set = asking; set; set &= set - 1) {
        const uint32_t l = pp_ctz(set);
        if (want[l] & twice)
            conflict |= pp_bit(l);
        else
            commit(s, r, l, want[l]);
    }
    if (conflict)
        allocate_conflicts(s, r, conflict, want);
    return (r->va & asking) != 0;
}

/* A head that finds no VC looks again when a tail has left. */
ALWAYS_INLINE bool allocate_vcs(const pp_fast_step *s, pp_fast_router *r)
{
    if (!single(r->va))
        return allocate_several(s, r);
    if (!r->va)
        return false;
    const uint32_t l = pp_ctz(r->va);
    const uint64_t vcs = wanted_vcs(s, r, l);
    if (vcs)
        commit(s, r, l, vcs);
    return false;
}

/* ---- switch allocation and traversal ---- */

ALWAYS_INLINE void forward(const pp_fast_step *s, const pp_fast_link *to, uint32_t vc, uint64_t word)
{
    if (__builtin_expect(to->where < PP_FAST_AWAY, 1))
        *s->flits_end[to->where + (((uint32_t)s->t + to->time) & (s->buckets - 1))]++ = (pp_fast_event){word, to->to + vc, 0};
    else
        pp_flit_mail(s->p, to->where - PP_FAST_AWAY, s->t + to->time, to->to + vc, word);
}

ALWAYS_INLINE void give_back(const pp_fast_step *s, const pp_fast_link *to, uint32_t vc)
{
    if (__builtin_expect(to->where < PP_FAST_AWAY, 1))
        *s->credits_end[to->where + (((uint32_t)s->t + to->time) & (s->buckets - 1))]++ = to->to + vc;
    else
        pp_flit_mail(s->p, to->where - PP_FAST_AWAY, s->t + to->time, to->to + vc, PP_MAIL_CREDIT);
}

/* A tail gives up its VC; the next packet in the buffer begins. */
ALWAYS_INLINE void end_packet(const pp_fast_step *s, pp_fast_router *r, uint32_t l, pp_fast_vc *vc)
{
    r->free |= pp_bit(vc->out);
    r->active &= ~pp_bit(l);
    if (r->va)
        set_bit(s->va_set, r->local);
    if (vc->len > 0)
        begin(s, r, l, *slot_of(s, r, l, vc->head), s->t + 1);
}

/* Input VC l has won output o. */
ALWAYS_INLINE void send(const pp_fast_step *s, pp_fast_router *r, uint32_t l)
{
    pp_fast_vc *vc = &pp_fast_vcs(r)[l];
    pp_fast_ovc *ovc = &ovcs_of(s, r)[vc->out];
    const uint32_t v_mask = (1u << s->vs) - 1, x = l >> s->vs, o = (uint32_t)vc->out >> s->vs;
    pp_fast_in *in = &ins_of(s, r)[x];
    pp_fast_out *out = &outs_of(s, r)[o];
    in->vc = (uint8_t)((l + 1) & v_mask);
    in->accept = (o + 1) & 63;
    out->grant = (x + 1) & 63;
    const uint64_t word = *slot_of(s, r, l, vc->head);
    forward(s, &out->link, vc->out & v_mask, word + PP_FAST_HOP);
    give_back(s, &in->credit, l & v_mask);
    out->flits++;
    vc->len--;
    vc->head = (uint8_t)(vc->len == 0 ? 0 : (vc->head + 1) & s->slot_mask); /* an empty one starts in its first line */
    ovc->credit--;
    if (vc->len > 0 && ovc->credit > 0 && !(word & PP_FLIT_TAIL))
        return;
    r->sw &= ~pp_bit(l);
    if (word & PP_FLIT_TAIL)
        end_packet(s, r, l, vc);
    else if (vc->len > 0)
        r->starved |= pp_bit(vc->out);
}

/* Whether two requests want one output or come from one input. */
ALWAYS_INLINE bool clash(const pp_fast_step *s, pp_fast_router *r, uint64_t requests)
{
    const pp_fast_vc *vcs = pp_fast_vcs(r);
    uint64_t inputs = 0, outputs = 0, twice = 0;
    for (uint64_t set = requests; set; set &= set - 1) {
        const uint32_t l = pp_ctz(set);
        const uint64_t x = pp_bit(l >> s->vs), o = pp_bit((uint32_t)vcs[l].out >> s->vs);
        twice |= (inputs & x) | (outputs & o);
        inputs |= x;
        outputs |= o;
    }
    return twice != 0;
}

/* Outputs grant, inputs accept. Of the VCs of an input that want the same output the next after the last winner stands. */
ALWAYS_INLINE void arbitrate(const pp_fast_step *s, pp_fast_router *r)
{
    const pp_fast_vc *vcs = pp_fast_vcs(r);
    const pp_fast_in *ins = ins_of(s, r);
    const pp_fast_out *outs = outs_of(s, r);
    const uint32_t v_mask = (1u << s->vs) - 1;
    uint64_t req[64], offer[64], wanted = 0, offered = 0;
    uint8_t candidate[64 * 64];
    for (uint64_t set = r->sw; set; set &= set - 1) {
        const uint32_t l = pp_ctz(set), x = l >> s->vs, o = (uint32_t)vcs[l].out >> s->vs;
        uint8_t *stands = &candidate[o << 6 | x];
        if (!(wanted & pp_bit(o))) {
            wanted |= pp_bit(o);
            req[o] = 0;
        }
        if (!(req[o] & pp_bit(x)) || ((l - ins[x].vc) & v_mask) < ((*stands - ins[x].vc) & v_mask))
            *stands = (uint8_t)l;
        req[o] |= pp_bit(x);
    }
    for (; wanted; wanted &= wanted - 1) {
        const uint32_t o = pp_ctz(wanted), x = pp_pick(req[o], outs[o].grant);
        offer[x] = offered & pp_bit(x) ? offer[x] | pp_bit(o) : pp_bit(o);
        offered |= pp_bit(x);
    }
    for (; offered; offered &= offered - 1) {
        const uint32_t x = pp_ctz(offered), o = pp_pick(offer[x], ins[x].accept);
        send(s, r, candidate[o << 6 | x]);
        s->p->hops++;
    }
}

/* False: nothing asks any more. */
ALWAYS_INLINE bool serve_switch(const pp_fast_step *s, pp_fast_router *r)
{
    const uint64_t requests = r->sw;
    if (!single(requests) && clash(s, r, requests)) {
        arbitrate(s, r);
        return r->sw != 0;
    }
    for (uint64_t set = requests; set; set &= set - 1) {
        send(s, r, pp_ctz(set));
        s->p->hops++;
    }
    return r->sw != 0;
}

/* ---- cycle ---- */

ALWAYS_INLINE pp_fast_router *router_at(const pp_fast_step *s, uint32_t local)
{
    return (pp_fast_router *)(void *)(s->own + local * s->stride);
}

/* Brings in what the switch of a router may touch. */
ALWAYS_INLINE void fetch_router(const pp_fast_step *s, uint32_t local)
{
    const unsigned char *r = (const unsigned char *)router_at(s, local);
    for (uint32_t line = 0; line < 512; line += 64)
        __builtin_prefetch(r + line, 1);
}

ALWAYS_INLINE void allocate(const pp_fast_step *s, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++)
        for (uint64_t set = s->va_set[w]; set; set &= set - 1)
            if (!allocate_vcs(s, router_at(s, w * 64 + pp_ctz(set))))
                s->va_set[w] &= ~(set & -set);
}

ALWAYS_INLINE void switch_all(const pp_fast_step *s, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++) {
        uint64_t ahead = s->large ? s->sw_set[w] : 0;
        for (int i = 0; i < 3 && ahead; i++, ahead &= ahead - 1)
            fetch_router(s, w * 64 + pp_ctz(ahead));
        for (uint64_t set = s->sw_set[w]; set; set &= set - 1) {
            if (ahead)
                fetch_router(s, w * 64 + pp_ctz(ahead));
            ahead &= ahead - 1;
            if (!serve_switch(s, router_at(s, w * 64 + pp_ctz(set))))
                s->sw_set[w] &= ~(set & -set);
        }
    }
}

ALWAYS_INLINE void cycle(pp_flit_engine *e, pp_part *p, uint32_t vs)
{
    const pp_fast_step s = step_of(e, p, vs);
    due(&s);
    pp_flit_sources(e, p);
    allocate(&s, p->n_active_words);
    switch_all(&s, p->n_active_words);
}

void pp_fast_cycle(pp_flit_engine *e, pp_part *p)
{
    switch (e->fast->vs) { /* compiled once for each usual number of VCs */
    case 1:
        cycle(e, p, 1);
        break;
    case 2:
        cycle(e, p, 2);
        break;
    case 3:
        cycle(e, p, 3);
        break;
    default:
        cycle(e, p, e->fast->vs);
        break;
    }
}

static bool bucket_used(const pp_fast *f, const pp_fast_part *q, uint32_t b)
{
    const uint32_t other = b + f->buckets;
    return q->flits_end[b] != pp_fast_flits_of(q, b) || q->flits_end[other] != pp_fast_flits_of(q, other) ||
           q->credits_end[b] != pp_fast_credits_of(q, b) || q->credits_end[other] != pp_fast_credits_of(q, other) ||
           q->n_wakes[b] > 0;
}

uint64_t pp_fast_next(const pp_flit_engine *e, const pp_part *p, uint64_t from)
{
    const pp_fast *f = e->fast;
    const pp_fast_part *q = &f->part[p->index];
    uint64_t any = q->n_grants;
    for (uint32_t w = 0; w < p->n_active_words && !any; w++)
        any = q->va_set[w] | q->sw_set[w];
    if (any)
        return from;
    for (uint64_t t = from; t < from + f->buckets; t++)
        if (bucket_used(f, q, (uint32_t)t & (f->buckets - 1)))
            return t;
    return PP_NOC_NEVER;
}
