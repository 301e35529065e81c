/* The router of net_router.c for the usual case: round-robin separable allocators with one iteration, a link
 * that is free every cycle, private buffers, no copies, at most 64 VCs on its input and output ports. Request
 * sets are single words. The same decisions, bit for bit; tests compare the two. */
#include "sim/net_flit_internal.h"

/* A router being served. */
typedef struct pp_fast {
    uint32_t router, ip0, op0, n_x, n_o, vs;
    uint32_t winner[64], n_winners;
} pp_fast;

static inline bool single(uint64_t set)
{
    return (set & (set - 1)) == 0;
}

static inline uint64_t bit(uint32_t i)
{
    return UINT64_C(1) << i;
}

/* ---- switch allocation ---- */

static inline void win(pp_flit_engine *e, pp_fast *f, uint32_t x, uint32_t o, uint32_t v)
{
    f->winner[f->n_winners++] = ((f->ip0 + x) << f->vs) + v;
    e->x_vc[f->ip0 + x] = (uint16_t)((v + 1) & ((1u << f->vs) - 1));
    e->op_in[f->op0 + o] = (uint16_t)(x + 1 == f->n_x ? 0 : x + 1);
    e->x_out[f->ip0 + x] = (uint16_t)(o + 1 == f->n_o ? 0 : o + 1);
}

static inline uint32_t output_of(const pp_flit_engine *e, const pp_fast *f, uint32_t ivc)
{
    return (e->ovc[ivc] >> f->vs) - f->op0;
}

/* Requests: req[o] inputs that want output o; candidate[x][o] the VC that stands for input x there. */
static inline uint64_t ask_switch(const pp_flit_engine *e, const pp_fast *f, uint64_t inputs, uint64_t req[64],
                                  uint8_t candidate[64][64])
{
    uint64_t wanted = 0;
    const uint32_t n = (1u << f->vs) - 1;
    for (; inputs; inputs &= inputs - 1) {
        const uint32_t x = pp_ctz(inputs), ptr = e->x_vc[f->ip0 + x];
        for (uint64_t vcs = e->ip_request[f->ip0 + x]; vcs; vcs &= vcs - 1) {
            const uint32_t v = pp_ctz(vcs), o = output_of(e, f, ((f->ip0 + x) << f->vs) + v);
            if (!(wanted & bit(o))) {
                wanted |= bit(o);
                req[o] = bit(x);
                candidate[x][o] = (uint8_t)v;
            } else if (!(req[o] & bit(x))) {
                req[o] |= bit(x);
                candidate[x][o] = (uint8_t)v;
            } else if (((v - ptr) & n) < ((candidate[x][o] - ptr) & n)) {
                candidate[x][o] = (uint8_t)v;
            }
        }
    }
    return wanted;
}

static inline void allocate_switch(pp_flit_engine *e, pp_fast *f, uint64_t inputs)
{
    uint64_t req[64], offer[64], offered = 0;
    uint8_t candidate[64][64];
    const uint32_t first = pp_ctz(inputs);
    if (single(inputs) && single(e->ip_request[f->ip0 + first])) {
        const uint32_t v = pp_ctz(e->ip_request[f->ip0 + first]);
        win(e, f, first, output_of(e, f, ((f->ip0 + first) << f->vs) + v), v);
        return;
    }
    for (uint64_t wanted = ask_switch(e, f, inputs, req, candidate); wanted; wanted &= wanted - 1) {
        const uint32_t o = pp_ctz(wanted), x = single(req[o]) ? pp_ctz(req[o]) : pp_pick(req[o], e->op_in[f->op0 + o]);
        offer[x] = offered & bit(x) ? offer[x] | bit(o) : bit(o);
        offered |= bit(x);
    }
    for (; offered; offered &= offered - 1) {
        const uint32_t x = pp_ctz(offered);
        const uint32_t o = single(offer[x]) ? pp_ctz(offer[x]) : pp_pick(offer[x], e->x_out[f->ip0 + x]);
        win(e, f, x, o, candidate[x][o]);
    }
}

/* ---- VC allocation; o is an output VC of the router here ---- */

static inline void commit(pp_flit_engine *e, pp_part *p, pp_fast *f, uint32_t l, uint32_t o)
{
    const uint32_t ivc = (f->ip0 << f->vs) + l, ovc = (f->op0 << f->vs) + o;
    e->op_free[ovc >> f->vs] &= ~bit(o & ((1u << f->vs) - 1));
    e->owner[ovc] = ivc;
    e->in_pointer[ivc] = o + 1 == f->n_o << f->vs ? 0 : o + 1;
    e->out_pointer[ovc] = l + 1 == f->n_x << f->vs ? 0 : l + 1;
    e->ovc[ivc] = ovc;
    e->state[ivc] = PP_IVC_ACTIVE;
    p->moved++;
    e->va[e->va_words[f->router]] &= ~bit(l);
    if (e->credit[ovc] > 0) {
        e->ip_request[ivc >> f->vs] |= bit(l & ((1u << f->vs) - 1));
        e->sa[e->sa_words[f->router]] |= bit(l >> f->vs);
    }
}

/* VCs that input VC l could have, as output VCs of the router. */
static inline uint64_t wanted_vcs(pp_flit_engine *e, const pp_fast *f, uint32_t l)
{
    const uint32_t ivc = (f->ip0 << f->vs) + l;
    uint32_t op = e->route_op[ivc];
    uint64_t vcs;
    if (op == PP_NOC_NO) {
        vcs = pp_flit_best_hop(e, f->router, ivc, &op);
        if (!vcs)
            return 0;
    } else {
        vcs = e->op_free[op] & e->route_mask[ivc];
    }
    return vcs << ((op - f->op0) << f->vs);
}

/* Outputs that two heads want at once are arbitrated; where a head is alone it takes what its pointer says. */
static inline void allocate_conflicts(pp_flit_engine *e, pp_part *p, pp_fast *f, uint64_t asking, const uint64_t *want)
{
    uint64_t req[64], offer[64], wanted = 0, offered = 0;
    for (; asking; asking &= asking - 1) {
        const uint32_t l = pp_ctz(asking);
        for (uint64_t set = want[l]; set; set &= set - 1) {
            const uint32_t o = pp_ctz(set);
            req[o] = wanted & bit(o) ? req[o] | bit(l) : bit(l);
            wanted |= bit(o);
        }
    }
    for (; wanted; wanted &= wanted - 1) {
        const uint32_t o = pp_ctz(wanted);
        const uint32_t l = single(req[o]) ? pp_ctz(req[o]) : pp_pick(req[o], e->out_pointer[(f->op0 << f->vs) + o]);
        offer[l] = offered & bit(l) ? offer[l] | bit(o) : bit(o);
        offered |= bit(l);
    }
    for (; offered; offered &= offered - 1) {
        const uint32_t l = pp_ctz(offered);
        commit(e, p, f, l, pp_pick(offer[l], e->in_pointer[(f->ip0 << f->vs) + l]));
    }
}

static inline void allocate_vcs(pp_flit_engine *e, pp_part *p, pp_fast *f)
{
    uint64_t *va = &e->va[e->va_words[f->router]], want[64], asking = 0, all = 0, twice = 0, conflict = 0;
    if (single(*va)) {
        if (!*va) {
            e->va_live[f->router] = 0;
            return;
        }
        const uint32_t l = pp_ctz(*va);
        const uint64_t vcs = wanted_vcs(e, f, l);
        e->va_live[f->router] = 0;
        if (vcs)
            commit(e, p, f, l, pp_pick(vcs, e->in_pointer[(f->ip0 << f->vs) + l]));
        return;
    }
    for (uint64_t set = *va; set; set &= set - 1) {
        const uint32_t l = pp_ctz(set);
        want[l] = wanted_vcs(e, f, l);
        if (want[l]) {
            asking |= bit(l);
            twice |= all & want[l];
            all |= want[l];
        }
    }
    for (uint64_t set = asking; set; set &= set - 1) {
        const uint32_t l = pp_ctz(set);
        if (want[l] & twice)
            conflict |= bit(l);
        else
            commit(e, p, f, l, pp_pick(want[l], e->in_pointer[(f->ip0 << f->vs) + l]));
    }
    if (conflict)
        allocate_conflicts(e, p, f, conflict, want);
    e->va_live[f->router] = (*va & asking) != 0;
}

/* ---- switch traversal ---- */

static inline void send(pp_flit_engine *e, pp_part *p, const pp_fast *f, uint32_t ivc)
{
    const uint32_t ovc = e->ovc[ivc], op = ovc >> f->vs, v = ovc & ((1u << f->vs) - 1), ip = ivc >> f->vs;
    const uint32_t flit = e->buffer[((size_t)ivc << e->depth_shift) + e->head[ivc]];
    const uint64_t at = p->t + e->op_time[op], back = p->t + e->ip_time[ip];
    const uint32_t credit = e->ip_credit[ip] + (ivc & ((1u << f->vs) - 1));
    if (e->op_part[op] == p->index)
        pp_flit_push(e, p, at, e->op_to[op] + v, flit);
    else
        pp_flit_post(e, p, e->op_part[op], at, e->op_to[op] + v, flit);
    if (e->ip_part[ip] == p->index)
        pp_flit_push_credit(e, p, back, credit);
    else
        pp_flit_post(e, p, e->ip_part[ip], back, credit, PP_NOC_NO);
    e->head[ivc] = (uint16_t)((e->head[ivc] + 1) & ((1u << e->depth_shift) - 1));
    const uint32_t left = --e->len[ivc], credits = --e->credit[ovc];
    e->op_flits[op]++;
    p->hops++;
    p->moved++;
    if (left > 0 && credits > 0 && !(flit & PP_FLIT_TAIL))
        return;
    e->ip_request[ip] &= ~bit(ivc & ((1u << f->vs) - 1));
    if (!e->ip_request[ip])
        e->sa[e->sa_words[f->router]] &= ~bit(ip - f->ip0);
    if (!(flit & PP_FLIT_TAIL))
        return;
    e->op_free[op] |= bit(v);
    e->owner[ovc] = PP_NOC_NO;
    e->state[ivc] = PP_IVC_IDLE;
    if (e->va[e->va_words[f->router]])
        e->va_live[f->router] = 1;
    if (left > 0)
        pp_flit_begin(e, p, ivc, p->t + 1);
}

void pp_flit_router_fast(pp_flit_engine *e, pp_part *p, uint32_t router)
{
    const pp_noc_graph *g = &e->base.g;
    pp_fast f;
    f.router = router;
    f.ip0 = g->ip_first[router];
    f.op0 = g->op_first[router];
    f.n_x = g->ip_first[router + 1] - f.ip0;
    f.n_o = g->op_first[router + 1] - f.op0;
    f.vs = e->vs;
    f.n_winners = 0;
    const uint64_t inputs = e->sa[e->sa_words[router]];
    if (inputs)
        allocate_switch(e, &f, inputs);
    if (e->va_live[router])
        allocate_vcs(e, p, &f);
    for (uint32_t i = 0; i < f.n_winners; i++)
        send(e, p, &f, f.winner[i]);
    if (!e->va_live[router] && !e->sa[e->sa_words[router]])
        pp_clear_bit(p->active, router - p->router_lo);
}
