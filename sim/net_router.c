/* The router: VC allocation, switch allocation, switch traversal. Everything is decided on the state at
 * the start of the step: switch requests are served first, VC grants and departures are written after.
 * PAPER: dally2004 ch. 16-19 (VC router, separable allocators), mckeown1999 (iSLIP),
 * booksim2013 (what is modelled alike). */
#include "sim/net_flit_internal.h"

/* ---- arbiters ---- */

/* First set bit at or behind `from`, cyclic; the set is not empty. */
static inline uint32_t pick(const uint64_t *set, uint32_t words, uint32_t from)
{
    if (words == 1)
        return pp_pick(set[0], from);
    uint32_t w = from / 64;
    uint64_t word = set[w] & (~UINT64_C(0) << (from % 64));
    while (!word) {
        w = w + 1 == words ? 0 : w + 1;
        word = set[w];
    }
    return w * 64 + pp_ctz(word);
}

/* Least recently served: what a matrix arbiter does. */
static uint32_t pick_oldest(const uint64_t *set, uint32_t words, const uint32_t *stamp)
{
    uint32_t best = PP_NOC_NO;
    for (uint32_t w = 0; w < words; w++)
        for (uint64_t word = set[w]; word; word &= word - 1) {
            const uint32_t i = w * 64 + pp_ctz(word);
            if (best == PP_NOC_NO || stamp[i] < stamp[best])
                best = i;
        }
    return best;
}

/* A router being served: its numbers once, instead of in every line. */
typedef struct pp_step {
    pp_flit_engine *e;
    pp_part *p;
    uint32_t router, ip0, op0, ins, outs; /* ports */
    uint32_t x, xw, ow, vw;               /* expanded inputs; words of sets of them, of outputs, of input VCs */
    uint32_t stamp;                       /* of this pass, for matrix arbiters */
    uint64_t *va, *sa;
} pp_step;

static inline uint32_t words_of(uint32_t bits)
{
    return (bits + 63) / 64;
}

static inline pp_step begin_step(pp_flit_engine *e, pp_part *p, uint32_t router)
{
    const pp_noc_graph *g = &e->base.g;
    pp_step s = {.e = e, .p = p, .router = router, .ip0 = g->ip_first[router], .op0 = g->op_first[router]};
    s.ins = g->ip_first[router + 1] - s.ip0;
    s.outs = g->op_first[router + 1] - s.op0;
    s.x = s.ins * e->x_per_port;
    s.xw = words_of(s.x);
    s.ow = words_of(s.outs);
    s.vw = words_of(s.ins << e->vs);
    s.va = e->va + e->va_words[router];
    s.sa = e->sa + e->sa_words[router];
    return s;
}

/* ---- switch allocation ---- */

static inline bool link_free(const pp_step *s, uint32_t op)
{
    const pp_flit_engine *e = s->e;
    const uint64_t leaves = s->p->t + e->base.o.switch_delay;
    return e->op_next[op] < leaves + (e->base.o.internal_speedup > 1 ? e->base.o.output_buffer : 1);
}

static inline bool beats(const pp_step *s, uint32_t x, uint32_t ip, uint32_t v, uint32_t against)
{
    const pp_flit_engine *e = s->e;
    if (e->sa_stamp_vc)
        return e->sa_stamp_vc[(ip << e->vs) + v] < e->sa_stamp_vc[(ip << e->vs) + against];
    const uint32_t ptr = e->x_vc[s->ip0 * e->x_per_port + x], n = 1u << e->vs;
    return ((v - ptr) & (n - 1)) < ((against - ptr) & (n - 1));
}

/* VC v of expanded input x asks for output o; of several VCs that want the same output one stands. */
static inline void ask(pp_step *s, uint32_t x, uint32_t ip, uint32_t v, uint32_t o)
{
    pp_part *p = s->p;
    uint64_t *req = p->req + (size_t)o * s->xw;
    uint8_t *candidate = &p->candidate[x * s->outs + o];
    if (!(p->seen_out[o / 64] >> (o % 64) & 1)) {
        pp_set_bit(p->seen_out, o);
        p->list[p->n_asking++] = o;
        for (uint32_t w = 0; w < s->xw; w++)
            req[w] = 0;
    } else if (req[x / 64] >> (x % 64) & 1) {
        if (beats(s, x, ip, v, *candidate))
            *candidate = (uint8_t)v;
        return;
    }
    pp_set_bit(req, x);
    *candidate = (uint8_t)v;
}

/* A packet on a tree asks for every branch that has a VC, a credit and a flit to take. */
static void ask_branches(pp_step *s, uint32_t x, uint32_t ip, uint32_t v)
{
    pp_flit_engine *e = s->e;
    const uint32_t ivc = (ip << e->vs) + v;
    const uint32_t base = s->p->branches.data[e->branch[ivc]].next; /* head record: see net_tree.c */
    const uint32_t sent0 = s->p->branches.data[e->branch[ivc]].sent;
    bool pending = false;
    for (uint32_t b = base; b != PP_NOC_NO; b = s->p->branches.data[b].next) {
        const pp_branch *branch = &s->p->branches.data[b];
        if (branch->ovc == PP_NOC_NO || branch->done || branch->sent - sent0 >= e->len[ivc])
            continue;
        pending = true;
        if (branch->ready <= s->p->t && pp_flit_has_credit(e, branch->ovc) && (!e->gated || link_free(s, branch->op)))
            ask(s, x, ip, v, branch->op - s->op0);
    }
    if (!pending)
        e->ip_request[ip] &= ~(UINT64_C(1) << v);
}

static inline void ask_input(pp_step *s, uint32_t x, uint32_t ip, uint64_t vcs)
{
    pp_flit_engine *e = s->e;
    for (; vcs; vcs &= vcs - 1) {
        const uint32_t v = pp_ctz(vcs), ivc = (ip << e->vs) + v;
        if (e->branch[ivc] != PP_NOC_NO) {
            ask_branches(s, x, ip, v);
            continue;
        }
        const uint32_t ovc = e->ovc[ivc], op = ovc >> e->vs;
        if ((e->gated && !link_free(s, op)) || (e->shared && !pp_flit_has_credit(e, ovc)))
            continue;
        ask(s, x, ip, v, op - s->op0);
    }
}

/* Input first: an input offers one VC only, the next after the last winner. */
static uint64_t one_vc(pp_step *s, uint32_t x, uint32_t ip, uint64_t vcs)
{
    const pp_flit_engine *e = s->e;
    uint64_t can = 0;
    for (uint64_t m = vcs; m; m &= m - 1) {
        const uint32_t v = pp_ctz(m), ivc = (ip << e->vs) + v;
        if (e->branch[ivc] != PP_NOC_NO || ((!e->gated || link_free(s, e->ovc[ivc] >> e->vs)) &&
                                            pp_flit_has_credit(e, e->ovc[ivc])))
            can |= UINT64_C(1) << v;
    }
    if (!can)
        return 0;
    if (e->sa_stamp_vc)
        return UINT64_C(1) << pick_oldest(&can, 1, e->sa_stamp_vc + ((size_t)ip << e->vs));
    return UINT64_C(1) << pick(&can, 1, e->x_vc[s->ip0 * e->x_per_port + x]);
}

static void ask_all(pp_step *s)
{
    pp_flit_engine *e = s->e;
    const bool input_first = e->base.o.allocator == PP_NOC_INPUT_FIRST;
    for (uint32_t w = 0; w < words_of(s->ins); w++)
        for (uint64_t set = s->sa[w]; set; set &= set - 1) {
            const uint32_t il = w * 64 + pp_ctz(set), ip = s->ip0 + il;
            for (uint32_t k = 0; k < e->x_per_port; k++) {
                const uint32_t x = il * e->x_per_port + k;
                const uint64_t vcs = e->ip_request[ip] & e->sub_mask[k];
                ask_input(s, x, ip, input_first && vcs ? one_vc(s, x, ip, vcs) : vcs);
            }
            if (!e->ip_request[ip])
                pp_clear_bit(s->sa, il);
        }
}

static inline uint32_t grant_output(const pp_step *s, uint32_t o, const uint64_t *set)
{
    const pp_flit_engine *e = s->e;
    if (e->sa_stamp_out)
        return pick_oldest(set, s->xw, e->sa_stamp_out + e->sa_stamp_first[s->router] + (size_t)o * s->x);
    return pick(set, s->xw, e->op_in[s->op0 + o]);
}

static inline uint32_t accept_input(const pp_step *s, uint32_t x, const uint64_t *set)
{
    const pp_flit_engine *e = s->e;
    if (e->sa_stamp_in)
        return pick_oldest(set, s->ow, e->sa_stamp_in + e->sa_stamp_first[s->router] + (size_t)x * s->outs);
    return pick(set, s->ow, e->x_out[s->ip0 * e->x_per_port + x]);
}

static inline void win(pp_step *s, uint32_t x, uint32_t o, uint32_t v)
{
    pp_part *p = s->p;
    const uint32_t ip = s->ip0 + x / s->e->x_per_port;
    p->winner_ivc[p->n_winners] = (ip << s->e->vs) + v;
    p->winner_op[p->n_winners++] = s->op0 + o;
}

static inline void move_pointers(pp_step *s, uint32_t x, uint32_t o, uint32_t v)
{
    pp_flit_engine *e = s->e;
    const uint32_t gx = s->ip0 * e->x_per_port + x, op = s->op0 + o;
    e->x_vc[gx] = (uint16_t)((v + 1) & ((1u << e->vs) - 1));
    if (e->sa_stamp_out) {
        e->sa_stamp_out[e->sa_stamp_first[s->router] + (size_t)o * s->x + x] = s->stamp;
        e->sa_stamp_in[e->sa_stamp_first[s->router] + (size_t)x * s->outs + o] = s->stamp;
        e->sa_stamp_vc[((size_t)(gx / e->x_per_port) << e->vs) + v] = s->stamp;
        return;
    }
    e->op_in[op] = (uint16_t)(x + 1 == s->x ? 0 : x + 1);
    e->x_out[gx] = (uint16_t)(o + 1 == s->outs ? 0 : o + 1);
}

static uint32_t flits_sent(const pp_step *s, uint32_t ivc, uint32_t op)
{
    const pp_branch *all = s->p->branches.data;
    for (uint32_t b = all[s->e->branch[ivc]].next; b != PP_NOC_NO; b = all[b].next)
        if (all[b].op == op)
            return all[b].sent;
    return PP_NOC_NO;
}

/* Of the branches that were granted the one that is behind goes first: once all are level, one read of the buffer
 * serves them together. */
static uint32_t branch_behind(const pp_step *s, uint32_t x, uint32_t o, uint32_t v, const uint64_t *offer)
{
    const uint32_t ivc = ((s->ip0 + x / s->e->x_per_port) << s->e->vs) + v;
    if (s->e->branch[ivc] == PP_NOC_NO)
        return o;
    uint32_t least = flits_sent(s, ivc, s->op0 + o);
    for (uint32_t w = 0; w < s->ow; w++)
        for (uint64_t set = offer[w]; set; set &= set - 1) {
            const uint32_t other = w * 64 + pp_ctz(set);
            if (s->p->candidate[x * s->outs + other] != v || flits_sent(s, ivc, s->op0 + other) >= least)
                continue;
            least = flits_sent(s, ivc, s->op0 + other);
            o = other;
        }
    return o;
}

/* The switch copies a flit to every output that granted it in the same pass. */
static void win_copies(pp_step *s, uint32_t x, uint32_t o, uint32_t v, const uint64_t *offer)
{
    const uint32_t ivc = ((s->ip0 + x / s->e->x_per_port) << s->e->vs) + v;
    if (s->e->branch[ivc] == PP_NOC_NO)
        return;
    const uint32_t sent = flits_sent(s, ivc, s->op0 + o);
    for (uint32_t w = 0; w < s->ow; w++)
        for (uint64_t set = offer[w]; set; set &= set - 1) {
            const uint32_t other = w * 64 + pp_ctz(set);
            if (other == o || s->p->candidate[x * s->outs + other] != v || flits_sent(s, ivc, s->op0 + other) != sent)
                continue;
            pp_set_bit(s->p->taken_out, other);
            win(s, x, other, v);
        }
}

/* One iteration: outputs grant, inputs accept. Pointers move in the first one only (iSLIP). */
static bool iterate(pp_step *s, bool first)
{
    pp_part *p = s->p;
    bool any = false;
    for (uint32_t w = 0; w < s->xw; w++)
        p->seen_in[w] = 0;
    for (uint32_t i = 0; i < p->n_asking; i++) {
        const uint32_t o = p->list[i];
        uint64_t *req = p->req + (size_t)o * s->xw;
        if (p->taken_out[o / 64] >> (o % 64) & 1)
            continue;
        uint64_t left = 0;
        for (uint32_t w = 0; w < s->xw; w++)
            left |= req[w] &= ~p->taken_in[w];
        if (!left)
            continue;
        const uint32_t x = grant_output(s, o, req);
        uint64_t *offer = p->offer + (size_t)x * s->ow;
        if (!(p->seen_in[x / 64] >> (x % 64) & 1)) {
            pp_set_bit(p->seen_in, x);
            for (uint32_t w = 0; w < s->ow; w++)
                offer[w] = 0;
        }
        pp_set_bit(offer, o);
        any = true;
    }
    for (uint32_t w = 0; w < s->xw; w++)
        for (uint64_t set = p->seen_in[w]; set; set &= set - 1) {
            const uint32_t x = w * 64 + pp_ctz(set);
            const uint64_t *offer = p->offer + (size_t)x * s->ow;
            uint32_t o = accept_input(s, x, offer);
            const uint32_t v = p->candidate[x * s->outs + o];
            o = branch_behind(s, x, o, v, offer);
            pp_set_bit(p->taken_in, x);
            pp_set_bit(p->taken_out, o);
            win(s, x, o, v);
            win_copies(s, x, o, v, offer);
            if (first)
                move_pointers(s, x, o, v);
        }
    return any;
}

static void clear_taken(pp_step *s)
{
    for (uint32_t w = 0; w < s->xw; w++)
        s->p->taken_in[w] = 0;
    for (uint32_t w = 0; w < s->ow; w++)
        s->p->taken_out[w] = 0;
}

static void clear_asking(pp_step *s)
{
    s->p->n_asking = 0;
    for (uint32_t w = 0; w < s->ow; w++)
        s->p->seen_out[w] = 0;
}

/* A lone request needs no arbitration. */
static bool lone(pp_step *s)
{
    pp_part *p = s->p;
    if (p->n_asking != 1 || s->xw != 1)
        return false;
    const uint32_t o = p->list[0];
    const uint64_t req = p->req[o];
    if (req & (req - 1))
        return false;
    const uint32_t x = pp_ctz(req), v = p->candidate[x * s->outs + o];
    pp_set_bit(p->taken_in, x);
    pp_set_bit(p->taken_out, o);
    win(s, x, o, v);
    move_pointers(s, x, o, v);
    return true;
}

static void allocate_switch(pp_step *s)
{
    clear_asking(s);
    clear_taken(s);
    ask_all(s);
    if (s->p->n_asking == 0 || lone(s))
        return;
    for (uint32_t i = 0; i < s->e->base.o.iterations; i++)
        if (!iterate(s, i == 0))
            return;
}

/* ---- VC allocation ---- */

static inline uint64_t free_vcs(const pp_flit_engine *e, uint32_t op, uint64_t mask)
{
    const uint64_t free = e->op_free[op] & mask;
    return e->op_drained ? free & e->op_drained[op] : free;
}

static uint32_t credits_of(const pp_flit_engine *e, uint32_t op, uint64_t vcs)
{
    uint32_t sum = e->shared ? e->op_shared[op] : 0;
    for (; vcs; vcs &= vcs - 1)
        sum += e->credit[(op << e->vs) + pp_ctz(vcs)];
    return sum;
}

/* Several candidates: of those with a free VC the one with the most credits, the first of equals;
 * escape hops when there is no other. */
static uint64_t best_hop(pp_flit_engine *e, uint32_t router, uint32_t ivc, uint32_t *op)
{
    pp_noc *n = &e->base;
    pp_noc_item *item = pp_noc_at(&n->items, PP_FLIT_ITEM(e->buffer[((size_t)ivc << e->depth_shift) + e->head[ivc]]));
    pp_noc_hop hop[PP_NOC_HOPS_MAX];
    const uint32_t v = ivc & ((1u << e->vs) - 1);
    const uint32_t count = pp_noc_candidates(n, item, router, n->g.ip_channel[ivc >> e->vs],
                                             e->class_of_vc[item->message_class * PP_NOC_VCS_MAX + v], hop);
    uint64_t best = 0;
    uint32_t most = 0;
    for (int escape = 0; escape < 2 && !best; escape++)
        for (uint32_t i = 0; i < count; i++) {
            if (hop[i].escape != (escape != 0))
                continue;
            const uint32_t o = n->g.op_of_channel[hop[i].channel];
            const uint64_t vcs =
                free_vcs(e, o, pp_flit_hop_vcs(e, item->message_class, &hop[i]));
            const uint32_t credits = vcs ? credits_of(e, o, vcs) : 0;
            if (vcs && (!best || credits > most)) {
                best = vcs;
                most = credits;
                *op = o;
            }
        }
    return best;
}

/* The next branch of a packet on a tree that can have a VC. */
static uint64_t best_branch(pp_step *s, uint32_t ivc, uint32_t *op, uint32_t *branch)
{
    const pp_branch *all = s->p->branches.data;
    for (uint32_t b = all[s->e->branch[ivc]].next; b != PP_NOC_NO; b = all[b].next) {
        const uint64_t vcs = all[b].ovc == PP_NOC_NO ? free_vcs(s->e, all[b].op, s->e->route_mask[ivc]) : 0;
        if (vcs) {
            *op = all[b].op;
            *branch = b;
            return vcs;
        }
    }
    return 0;
}

static inline uint64_t wanted_vcs(pp_step *s, uint32_t l, uint32_t ivc)
{
    pp_flit_engine *e = s->e;
    if (e->branch[ivc] != PP_NOC_NO)
        return best_branch(s, ivc, &s->p->va_op[l], &s->p->va_branch[l]);
    if (e->route_op[ivc] == PP_NOC_NO)
        return best_hop(e, s->router, ivc, &s->p->va_op[l]);
    s->p->va_op[l] = e->route_op[ivc];
    return free_vcs(e, e->route_op[ivc], e->route_mask[ivc]);
}

/* First VC of the set at or behind the input's pointer, which runs over all output VCs of the router. */
static inline uint32_t accept_vc(const pp_step *s, uint32_t l, uint32_t ivc, uint64_t set)
{
    const pp_flit_engine *e = s->e;
    const uint32_t base = (s->p->va_op[l] - s->op0) << e->vs, ptr = e->in_pointer[ivc];
    if (e->va_stamp_in)
        return pick_oldest(&set, 1,
                           e->va_stamp_in + e->va_stamp_first[s->router] + (size_t)l * (s->outs << e->vs) + base);
    const uint32_t from = ptr > base && ptr < base + (1u << e->vs) ? ptr - base : 0;
    return pick(&set, 1, from);
}

static void commit_vc(pp_step *s, uint32_t l, uint32_t ivc, uint32_t v, bool first)
{
    pp_flit_engine *e = s->e;
    const uint32_t op = s->p->va_op[l], ovc = (op << e->vs) + v, o = ((op - s->op0) << e->vs) + v;
    const uint32_t n_in = s->ins << e->vs, n_out = s->outs << e->vs;
    e->op_free[op] &= ~(UINT64_C(1) << v);
    e->owner[ovc] = ivc;
    if (first) {
        e->in_pointer[ivc] = o + 1 == n_out ? 0 : o + 1;
        e->out_pointer[ovc] = l + 1 == n_in ? 0 : l + 1;
        if (e->va_stamp_in) {
            e->va_stamp_in[e->va_stamp_first[s->router] + (size_t)l * n_out + o] = s->stamp;
            e->va_stamp_out[e->va_stamp_first[s->router] + (size_t)o * n_in + l] = s->stamp;
        }
    }
    if (e->op_wait) {
        e->op_blocked[op] += s->p->t - e->ivc_ready[ivc];
        if (e->branch[ivc] != PP_NOC_NO) /* else it is counted when the head leaves */
            e->op_wait[op] += s->p->t - e->ivc_ready[ivc];
    }
    if (e->branch[ivc] != PP_NOC_NO) {
        pp_branch *all = s->p->branches.data;
        all[s->p->va_branch[l]].ovc = ovc;
        all[s->p->va_branch[l]].ready = s->p->t + 1 + e->sa_extra;
        bool more = false;
        for (uint32_t b = all[e->branch[ivc]].next; b != PP_NOC_NO; b = all[b].next)
            more |= all[b].ovc == PP_NOC_NO;
        if (!more)
            pp_clear_bit(s->va, l);
        e->state[ivc] = PP_IVC_ACTIVE;
        pp_flit_ask_switch(e, s->p, ivc);
        return;
    }
    pp_clear_bit(s->va, l);
    e->ovc[ivc] = ovc;
    if (e->sa_extra > 0) {
        e->state[ivc] = PP_IVC_WAIT;
        pp_flit_wake(e, s->p, s->p->t + 1 + e->sa_extra, ivc);
        return;
    }
    e->state[ivc] = PP_IVC_ACTIVE;
    if (pp_flit_has_credit(e, ovc))
        pp_flit_ask_switch(e, s->p, ivc);
    else if (e->op_wait)
        e->ivc_stall[ivc] = s->p->t + 1;
}

static inline uint32_t grant_vc(const pp_step *s, uint32_t o)
{
    const pp_flit_engine *e = s->e;
    const uint64_t *set = s->p->req + (size_t)o * s->vw;
    if (e->va_stamp_out)
        return pick_oldest(set, s->vw, e->va_stamp_out + e->va_stamp_first[s->router] + (size_t)o * (s->ins << e->vs));
    return pick(set, s->vw, e->out_pointer[(s->op0 << e->vs) + o]);
}

/* Requests of one iteration; the number of output VCs asked for. Input VCs that could have one are in
 * p->asking. */
static uint32_t ask_vcs(pp_step *s)
{
    pp_flit_engine *e = s->e;
    pp_part *p = s->p;
    uint32_t n = 0;
    p->n_asking = 0;
    for (uint32_t w = 0; w < words_of(s->outs << e->vs); w++)
        p->seen_out[w] = 0;
    for (uint32_t w = 0; w < s->vw; w++)
        for (uint64_t set = s->va[w]; set; set &= set - 1) {
            const uint32_t l = w * 64 + pp_ctz(set), ivc = (s->ip0 << e->vs) + l;
            uint64_t vcs = wanted_vcs(s, l, ivc);
            if (!vcs)
                continue;
            p->asking[p->n_asking++] = l;
            p->va_offer[l] = 0;
            const uint32_t base = (p->va_op[l] - s->op0) << e->vs;
            if (e->base.o.allocator == PP_NOC_INPUT_FIRST)
                vcs = UINT64_C(1) << accept_vc(s, l, ivc, vcs);
            for (; vcs; vcs &= vcs - 1) {
                const uint32_t o = base + pp_ctz(vcs);
                uint64_t *req = p->req + (size_t)o * s->vw;
                if (!(p->seen_out[o / 64] >> (o % 64) & 1)) {
                    pp_set_bit(p->seen_out, o);
                    p->list[n++] = o;
                    for (uint32_t k = 0; k < s->vw; k++)
                        req[k] = 0;
                }
                pp_set_bit(req, l);
            }
        }
    return n;
}

/* The only input VC that asks takes the first VC that its pointer allows. */
static bool lone_vc(pp_step *s)
{
    if (s->vw != 1 || (s->va[0] & (s->va[0] - 1)))
        return false;
    const uint32_t l = pp_ctz(s->va[0]), ivc = (s->ip0 << s->e->vs) + l;
    const uint64_t vcs = wanted_vcs(s, l, ivc);
    s->p->n_asking = 0;
    if (vcs) {
        s->p->asking[s->p->n_asking++] = l;
        commit_vc(s, l, ivc, accept_vc(s, l, ivc, vcs), true);
    }
    s->e->va_live[s->router] = s->va[0] != 0 && vcs != 0;
    return true;
}

static void allocate_vcs(pp_step *s)
{
    pp_flit_engine *e = s->e;
    pp_part *p = s->p;
    uint64_t any = 0;
    for (uint32_t w = 0; w < s->vw; w++)
        any |= s->va[w];
    e->va_live[s->router] = 0;
    p->n_asking = 0;
    if (!any || (!e->base.o.speculative && lone_vc(s)))
        return;
    uint32_t first_asking = 0;
    for (uint32_t i = 0; i < e->base.o.iterations; i++) {
        const uint32_t n = ask_vcs(s);
        if (i == 0)
            first_asking = p->n_asking;
        for (uint32_t k = 0; k < n; k++) {
            const uint32_t o = p->list[k];
            p->va_offer[grant_vc(s, o)] |= UINT64_C(1) << (o & ((1u << e->vs) - 1));
        }
        uint32_t granted = 0;
        for (uint32_t k = 0; k < p->n_asking; k++) {
            const uint32_t l = p->asking[k], ivc = (s->ip0 << e->vs) + l;
            if (!p->va_offer[l])
                continue;
            commit_vc(s, l, ivc, accept_vc(s, l, ivc, p->va_offer[l]), i == 0);
            granted++;
        }
        e->va_live[s->router] = granted < p->n_asking || (granted && i == 0 && first_asking > granted);
        if (granted == 0 || granted == p->n_asking)
            break;
    }
    /* Heads that had to choose another hop, or further branches, look again. */
    for (uint32_t w = 0; w < s->vw && p->n_asking > 0; w++)
        if (s->va[w])
            e->va_live[s->router] = 1;
}

/* ---- speculative switch allocation: heads that ask for a VC ask for the switch, too ---- */

static void ask_speculative(pp_step *s)
{
    pp_flit_engine *e = s->e;
    for (uint32_t i = 0; i < s->p->n_asking; i++) {
        const uint32_t l = s->p->asking[i], ip = s->ip0 + (l >> e->vs), v = l & ((1u << e->vs) - 1);
        const uint32_t x = (l >> e->vs) * e->x_per_port + v % e->x_per_port, o = s->p->va_op[l] - s->op0;
        const bool taken = (s->p->taken_in[x / 64] >> (x % 64) & 1) || (s->p->taken_out[o / 64] >> (o % 64) & 1);
        if (!taken && e->branch[(s->ip0 << e->vs) + l] == PP_NOC_NO && (!e->gated || link_free(s, s->p->va_op[l])))
            s->p->winner_ivc[s->p->n_winners + i] = (x << 8) | v;
        else
            s->p->winner_ivc[s->p->n_winners + i] = PP_NOC_NO;
        (void)ip;
    }
}

/* Non-speculative grants stand; what is left is allocated among the heads, and used by those that got
 * a VC with a credit in the same cycle. PAPER: dally2004 sec. 16.3 */
static void allocate_speculative(pp_step *s)
{
    pp_flit_engine *e = s->e;
    pp_part *p = s->p;
    const uint32_t n = p->n_asking, kept = p->n_winners;
    ask_speculative(s);
    clear_asking(s);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t code = p->winner_ivc[kept + i], l = p->asking[i];
        if (code != PP_NOC_NO)
            ask(s, code >> 8, s->ip0 + (l >> e->vs), code & 255, p->va_op[l] - s->op0);
    }
    if (p->n_asking > 0)
        (void)iterate(s, true);
    uint32_t used = kept;
    for (uint32_t i = kept; i < p->n_winners; i++) {
        const uint32_t ivc = p->winner_ivc[i];
        if (e->state[ivc] != PP_IVC_ACTIVE || !pp_flit_has_credit(e, e->ovc[ivc]))
            continue;
        p->winner_ivc[used] = ivc;
        p->winner_op[used++] = e->ovc[ivc] >> e->vs;
    }
    p->n_winners = used;
}

/* ---- switch traversal ---- */

static void return_credit(pp_step *s, uint32_t ivc)
{
    pp_flit_engine *e = s->e;
    const pp_noc *n = &e->base;
    const uint32_t ip = ivc >> e->vs, up = n->g.ip_up[ip];
    const uint32_t ovc = (up << e->vs) + (ivc & ((1u << e->vs) - 1));
    const uint64_t at = s->p->t + 1 + n->delay[up] + (up < n->g.n_op ? n->o.credit_delay : 0);
    pp_flit_post(e, s->p, e->ip_part[ip], at, ovc, PP_NOC_NO);
}

/* The flit at place `k` of the buffer goes to ovc. Whether it was a tail. */
static bool depart(pp_step *s, uint32_t ivc, uint32_t k, uint32_t ovc, uint64_t ready)
{
    pp_flit_engine *e = s->e;
    pp_part *p = s->p;
    const pp_noc *n = &e->base;
    const uint32_t op = ovc >> e->vs, slot = (e->head[ivc] + k) & ((1u << e->depth_shift) - 1);
    const uint32_t flit = e->buffer[((size_t)ivc << e->depth_shift) + slot];
    uint64_t leaves = p->t + n->o.switch_delay;
    if (e->gated) {
        leaves = e->op_next[op] > leaves ? e->op_next[op] : leaves;
        e->op_next[op] = leaves + n->period[op];
        leaves += n->period[op] - 1;
    }
    if (e->ovc_head)
        pp_flit_tell(e, ovc, flit, ready + n->o.switch_delay, leaves + 1 - n->period[op], leaves + 1);
    const uint32_t ip = n->g.op_ip[op], v = ovc & ((1u << e->vs) - 1);
    const uint32_t to = ip != PP_NOC_NO ? (ip << e->vs) + v : e->n_ivc + ovc;
    uint64_t at = leaves + 1 + n->delay[op];
    if (ip != PP_NOC_NO && !(flit & PP_FLIT_HEAD))
        at += e->body_delay;
    pp_flit_post(e, p, e->op_part[op], at, to, flit);
    (void)pp_flit_take_credit(e, ovc);
    e->op_flits[op]++;
    p->hops++;
    if (flit & PP_FLIT_TAIL) {
        e->op_free[op] |= UINT64_C(1) << v;
        e->owner[ovc] = PP_NOC_NO;
        e->va_live[s->router] = 1;
        pp_router_on(e, p, s->router);
    }
    return (flit & PP_FLIT_TAIL) != 0;
}

/* The front flit leaves the buffer. */
static void pop_flit(pp_step *s, uint32_t ivc)
{
    pp_flit_engine *e = s->e;
    e->head[ivc] = (uint16_t)((e->head[ivc] + 1) & ((1u << e->depth_shift) - 1));
    e->len[ivc]--;
    return_credit(s, ivc);
    if (e->ip_occupancy)
        e->ip_occupancy[ivc >> e->vs] += s->p->t;
}

static void stop_asking(pp_step *s, uint32_t ivc)
{
    pp_flit_engine *e = s->e;
    const uint32_t ip = ivc >> e->vs;
    e->ip_request[ip] &= ~(UINT64_C(1) << (ivc & ((1u << e->vs) - 1)));
    if (!e->ip_request[ip])
        pp_clear_bit(s->sa, ip - s->ip0);
}

static void next_packet(pp_step *s, uint32_t ivc)
{
    stop_asking(s, ivc);
    s->e->state[ivc] = PP_IVC_IDLE;
    if (s->e->len[ivc] > 0)
        pp_flit_begin(s->e, s->p, ivc, s->p->t + 1);
}

/* First cycle in which the front flit of an observed buffer could go through the switch. */
static uint64_t could_go(const pp_flit_engine *e, uint32_t ivc, bool head)
{
    return e->ivc_ready[ivc] + (head && !e->base.o.speculative ? 1 + e->sa_extra : 0);
}

static void observe_departure(pp_step *s, uint32_t ivc, uint32_t op, bool head)
{
    pp_flit_engine *e = s->e;
    const uint64_t least = could_go(e, ivc, head);
    e->op_wait[op] += s->p->t > least ? s->p->t - least : 0;
    e->ivc_ready[ivc] = s->p->t + 1;
}

static void send(pp_step *s, uint32_t ivc)
{
    pp_flit_engine *e = s->e;
    const uint32_t ovc = e->ovc[ivc];
    const uint32_t flit = e->buffer[((size_t)ivc << e->depth_shift) + e->head[ivc]];
    const uint64_t ready = e->ovc_head ? could_go(e, ivc, flit & PP_FLIT_HEAD) : 0;
    if (e->op_wait)
        observe_departure(s, ivc, ovc >> e->vs, flit & PP_FLIT_HEAD);
    (void)depart(s, ivc, 0, ovc, ready);
    pop_flit(s, ivc);
    if (flit & PP_FLIT_TAIL) {
        next_packet(s, ivc);
    } else if (e->len[ivc] == 0 || !pp_flit_has_credit(e, ovc)) {
        stop_asking(s, ivc);
        if (e->op_wait && e->len[ivc] > 0)
            e->ivc_stall[ivc] = s->p->t + 1;
    }
}

/* A flit of a packet on a tree takes one branch; it leaves the buffer when it has taken all. */
static void send_copy(pp_step *s, uint32_t ivc, uint32_t op)
{
    pp_flit_engine *e = s->e;
    pp_part *p = s->p;
    pp_branch *all = p->branches.data, *root = &all[e->branch[ivc]];
    uint32_t least = UINT32_MAX;
    for (uint32_t b = root->next; b != PP_NOC_NO; b = all[b].next) {
        if (all[b].op == op) {
            all[b].done = depart(s, ivc, all[b].sent - root->sent, all[b].ovc, e->ovc_head ? could_go(e, ivc, true) : 0);
            all[b].sent++;
        }
        least = all[b].sent < least ? all[b].sent : least;
    }
    if (least == root->sent) {
        p->copied++;
        return;
    }
    const uint32_t flit = e->buffer[((size_t)ivc << e->depth_shift) + e->head[ivc]];
    root->sent++;
    pop_flit(s, ivc);
    if (!(flit & PP_FLIT_TAIL))
        return;
    uint32_t b = e->branch[ivc];
    e->branch[ivc] = PP_NOC_NO;
    while (b != PP_NOC_NO) {
        const uint32_t next = all[b].next;
        all[b].next = p->branch_free;
        p->branch_free = b;
        b = next;
    }
    next_packet(s, ivc);
}

static void send_winners(pp_step *s)
{
    for (uint32_t i = 0; i < s->p->n_winners; i++) {
        if (s->e->branch[s->p->winner_ivc[i]] == PP_NOC_NO)
            send(s, s->p->winner_ivc[i]);
        else
            send_copy(s, s->p->winner_ivc[i], s->p->winner_op[i]);
    }
}

void pp_flit_router(pp_flit_engine *e, pp_part *p, uint32_t router)
{
    pp_step s = begin_step(e, p, router);
    for (uint32_t pass = 0; pass < e->base.o.internal_speedup; pass++) {
        s.stamp = (uint32_t)(p->t * e->base.o.internal_speedup + pass) + 1;
        p->n_winners = 0;
        allocate_switch(&s);
        p->n_asking = 0;
        if (e->va_live[router])
            allocate_vcs(&s);
        if (e->base.o.speculative && p->n_asking > 0)
            allocate_speculative(&s);
        send_winners(&s);
    }
    uint64_t any = e->va_live[router];
    for (uint32_t w = 0; w < words_of(s.ins); w++)
        any |= s.sa[w];
    if (!any)
        pp_clear_bit(p->active, router - p->router_lo);
}
