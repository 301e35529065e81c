/* Packets that can never move again, exactly: everything that might still move is struck off until
 * nothing changes; what is left waits on itself.
 * PAPER: dally2004 sec. 14.1 (a deadlock is a cycle of agents and resources). */
#include "sim/net_flit_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pp_hunt {
    const pp_flit_engine *e;
    uint8_t *live;      /* [n_ivc] may still move */
    uint32_t *waits_on; /* [n_ivc] one that it waits for, when it is not live */
} pp_hunt;

static bool in_flight(const pp_flit_engine *e, uint32_t ovc, uint32_t ivc)
{
    if (e->shared)
        return (uint32_t)(1 - e->credit[ovc]) + e->debt[ovc] != e->len[ivc];
    return e->depth - e->credit[ovc] != e->len[ivc];
}

/* Whether a packet that holds or wants ovc can go on there: room, or the buffer behind it moves. */
static bool room_behind(pp_hunt *h, uint32_t ivc, uint32_t ovc)
{
    const pp_flit_engine *e = h->e;
    const uint32_t ip = e->base.g.op_ip[ovc >> e->vs];
    if (ip == PP_NOC_NO || pp_flit_has_credit(e, ovc))
        return true;
    const uint32_t next = (ip << e->vs) + (ovc & ((1u << e->vs) - 1));
    h->waits_on[ivc] = next;
    if (e->shared) /* any VC of the port can make room */
        for (uint32_t v = 0; v < e->V; v++)
            if (h->live[(ip << e->vs) + v])
                return true;
    return h->live[next] || in_flight(e, ovc, next);
}

/* Whether a VC of the set at op is free or its owner moves. */
static bool vc_comes_free(pp_hunt *h, uint32_t ivc, uint32_t op, uint64_t vcs)
{
    const pp_flit_engine *e = h->e;
    const uint64_t drained = e->op_drained ? e->op_drained[op] : UINT64_MAX;
    if (vcs & e->op_free[op] & drained)
        return true;
    for (; vcs; vcs &= vcs - 1) {
        const uint32_t v = pp_ctz(vcs), owner = e->owner[(op << e->vs) + v], ip = e->base.g.op_ip[op];
        if (owner == PP_NOC_NO) { /* free but not drained */
            if (ip == PP_NOC_NO || h->live[(ip << e->vs) + v] || in_flight(e, (op << e->vs) + v, (ip << e->vs) + v))
                return true;
            h->waits_on[ivc] = (ip << e->vs) + v;
            continue;
        }
        if (h->live[owner])
            return true;
        h->waits_on[ivc] = owner;
    }
    return false;
}

static bool hop_comes_free(pp_hunt *h, uint32_t ivc)
{
    const pp_flit_engine *e = h->e;
    const pp_noc *n = &e->base;
    pp_noc_item copy =
        *pp_noc_at(&n->items, PP_FLIT_ITEM(e->buffer[((size_t)ivc << e->depth_shift) + e->head[ivc]]));
    if (e->route_op[ivc] != PP_NOC_NO)
        return vc_comes_free(h, ivc, e->route_op[ivc], e->route_mask[ivc]);
    pp_noc_hop hop[PP_NOC_HOPS_MAX];
    const uint32_t ip = ivc >> e->vs, v = ivc & ((1u << e->vs) - 1);
    const uint32_t count = pp_noc_candidates(n, &copy, n->g.ip_router[ip], n->g.ip_channel[ip],
                                             e->class_of_vc[copy.message_class * PP_NOC_VCS_MAX + v], hop);
    for (uint32_t i = 0; i < count; i++)
        if (vc_comes_free(h, ivc, n->g.op_of_channel[hop[i].channel],
                          pp_flit_hop_vcs(e, copy.message_class, &hop[i])))
            return true;
    return false;
}

/* A packet on a tree moves when one of its branches does. */
static bool branch_moves(pp_hunt *h, uint32_t ivc)
{
    const pp_flit_engine *e = h->e;
    const pp_part *p = &e->part[e->part_of_router[e->base.g.ip_router[ivc >> e->vs]]];
    const pp_branch *all = p->branches.data, *root = &all[e->branch[ivc]];
    for (uint32_t b = root->next; b != PP_NOC_NO; b = all[b].next) {
        if (all[b].ovc == PP_NOC_NO ? vc_comes_free(h, ivc, all[b].op, e->route_mask[ivc])
                                    : !all[b].done && all[b].sent - root->sent < e->len[ivc] &&
                                          room_behind(h, ivc, all[b].ovc))
            return true;
    }
    return false;
}

/* An input VC that owns an output VC but is empty waits for its upstream. */
static bool flits_come(pp_hunt *h, uint32_t ivc)
{
    const pp_flit_engine *e = h->e;
    const uint32_t up = e->base.g.ip_up[ivc >> e->vs], ovc = (up << e->vs) + (ivc & ((1u << e->vs) - 1));
    if (up >= e->base.g.n_op || in_flight(e, ovc, ivc) || e->owner[ovc] == PP_NOC_NO)
        return true;
    h->waits_on[ivc] = e->owner[ovc];
    return h->live[e->owner[ovc]];
}

static bool may_move(pp_hunt *h, uint32_t ivc)
{
    const pp_flit_engine *e = h->e;
    if (e->branch[ivc] != PP_NOC_NO)
        return e->len[ivc] == 0 ? flits_come(h, ivc) : branch_moves(h, ivc);
    switch ((pp_ivc_state)e->state[ivc]) {
    case PP_IVC_VA:
        return hop_comes_free(h, ivc);
    case PP_IVC_ACTIVE:
        return e->len[ivc] == 0 ? flits_come(h, ivc) : room_behind(h, ivc, e->ovc[ivc]);
    case PP_IVC_IDLE:
    case PP_IVC_ROUTE:
    case PP_IVC_WAIT:
        break;
    }
    return true;
}

static bool strike(pp_hunt *h)
{
    bool changed = false;
    for (uint32_t i = 0; i < h->e->n_ivc; i++)
        if (!h->live[i] && may_move(h, i)) {
            h->live[i] = 1;
            changed = true;
        }
    return changed;
}

static const pp_noc_item *holder(const pp_flit_engine *e, uint32_t ivc)
{
    if (e->len[ivc] == 0)
        return NULL;
    return pp_noc_at(&e->base.items, PP_FLIT_ITEM(e->buffer[((size_t)ivc << e->depth_shift) + e->head[ivc]]));
}

/* Follows who waits on whom into the cycle and names its packets. */
static pp_status name_cycle(const pp_hunt *h, uint32_t first)
{
    const pp_flit_engine *e = h->e;
    char text[640], at[48];
    size_t used = 0;
    uint32_t ivc = first, named = 0, length = 0;
    for (uint32_t i = 0; i < e->n_ivc; i++)
        ivc = h->waits_on[ivc];
    const uint32_t begin = ivc;
    const pp_noc_item *last = NULL;
    do {
        const pp_noc_item *item = holder(e, ivc);
        if (item == last) /* one packet in several routers */
            item = NULL;
        last = item ? item : last;
        length += item != NULL;
        if (item && named < 8) {
            const uint32_t v = e->base.g.vertex[e->base.g.ip_router[ivc >> e->vs]];
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%u->%u at %s", named ? ", " : "", item->src,
                                     item->dst, pp_vertex_label(e->base.g.fabric, v, at, sizeof at));
            named++;
        }
        ivc = h->waits_on[ivc];
    } while (ivc != begin);
    return pp_fail(PP_EDEADLOCK, "network deadlocked before cycle %llu: a cycle of %u packets, each waiting for the next: %s%s",
                   (unsigned long long)e->now, length, text, length > named ? " ..." : "");
}

pp_status pp_flit_deadlock(const pp_flit_engine *e)
{
    pp_hunt h = {.e = e, .live = pp_calloc(e->n_ivc, 1), .waits_on = pp_calloc(e->n_ivc, sizeof *h.waits_on)};
    pp_status status = h.live && h.waits_on ? PP_OK : PP_ENOMEM;
    if (status == PP_OK) {
        while (strike(&h))
            ;
        for (uint32_t i = 0; status == PP_OK && i < e->n_ivc; i++)
            if (!h.live[i])
                status = name_cycle(&h, i);
    }
    free(h.live);
    free(h.waits_on);
    return status;
}
