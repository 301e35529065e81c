/* Multicast trees: router visits with their branches, and the branches of a packet under way. */
#include "sim/net_flit_internal.h"

#include <stdlib.h>

typedef struct pp_tree_arc {
    uint32_t node_channel, op; /* node named by the channel into it; PP_NO_CHANNEL: the root */
} pp_tree_arc;

static int by_node(const void *a, const void *b)
{
    const pp_tree_arc *x = a, *y = b;
    /* The root comes first. */
    const uint32_t i = x->node_channel + 1, j = y->node_channel + 1;
    if (i != j)
        return i < j ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

typedef PP_VEC(pp_tree_arc) pp_tree_arcs;

/* The port asked for, where there is one at a router that the core is on; else `usual`. */
static uint32_t own_port(const pp_noc_graph *g, uint32_t router, const uint32_t *eject, uint32_t k, uint32_t usual)
{
    if (usual == PP_NOC_NO || eject == NULL || eject[k] == PP_NO_CHANNEL)
        return usual;
    const uint32_t op = g->op_of_channel[eject[k]];
    return op != PP_NOC_NO && op < g->n_op && g->op_router[op] == router ? op : usual;
}

static pp_status tree_arcs(pp_tree_arcs *arcs, const pp_noc_graph *g, const pp_tree *edges, uint32_t src_core,
                           const uint32_t *dst, const uint32_t *eject, uint32_t n_dst)
{
    const pp_fabric *f = g->fabric;
    for (uint32_t i = 0; i < edges->n; i++) {
        const uint32_t up = edges->parent[i] == PP_NO_EDGE ? PP_NO_CHANNEL : edges->edge[edges->parent[i]];
        if (edges->edge[i] >= f->n_network || g->op_of_channel[edges->edge[i]] == PP_NOC_NO)
            return pp_fail(PP_EINVAL, "multicast tree: channel %u is not a network channel", edges->edge[i]);
        if (!pp_push(arcs, (pp_tree_arc){up, g->op_of_channel[edges->edge[i]]}))
            return PP_ENOMEM;
    }
    const uint32_t root = g->op_router[g->n_op + g->src_first[src_core]];
    for (uint32_t k = 0; k < n_dst; k++) {
        uint32_t channel = PP_NO_CHANNEL, op = PP_NOC_NO;
        for (uint32_t i = 0; i < edges->n && op == PP_NOC_NO; i++) {
            const uint32_t ip = g->op_ip[g->op_of_channel[edges->edge[i]]];
            channel = edges->edge[i];
            if (ip != PP_NOC_NO)
                op = own_port(g, g->ip_router[ip], eject, k, pp_noc_eject_port(g, g->ip_router[ip], dst[k], ip, src_core));
        }
        if (op == PP_NOC_NO) {
            channel = PP_NO_CHANNEL;
            op = own_port(g, root, eject, k, pp_noc_eject_port(g, root, dst[k], PP_NOC_NO, src_core));
        }
        if (op == PP_NOC_NO)
            return pp_fail(PP_EINVAL, "multicast tree: core %u does not lie on it", dst[k]);
        if (!pp_push(arcs, (pp_tree_arc){channel, op}))
            return PP_ENOMEM;
    }
    return PP_OK;
}

static pp_status tree_nodes(pp_noc_tree *t, const pp_tree_arcs *arcs)
{
    t->in_channel = pp_calloc(arcs->len + 1, sizeof *t->in_channel);
    t->first = pp_calloc(arcs->len + 2, sizeof *t->first);
    t->op = pp_calloc(arcs->len + 1, sizeof *t->op);
    if (!t->in_channel || !t->first || !t->op)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < arcs->len; i++) {
        if (t->n_nodes == 0 || t->in_channel[t->n_nodes - 1] != arcs->data[i].node_channel) {
            t->in_channel[t->n_nodes] = arcs->data[i].node_channel;
            t->first[t->n_nodes++] = i;
        }
        t->op[i] = arcs->data[i].op;
    }
    t->first[t->n_nodes] = (uint32_t)arcs->len;
    return PP_OK;
}

pp_status pp_noc_tree_new(pp_noc_tree *t, const pp_noc_graph *g, uint32_t src_core, const pp_tree *edges,
                          const uint32_t *dst_core, const uint32_t *eject, uint32_t n_dst)
{
    *t = (pp_noc_tree){.src = src_core, .n_dst = n_dst, .inject = PP_NO_CHANNEL};
    pp_tree_arcs arcs = {0};
    pp_status status = tree_arcs(&arcs, g, edges, src_core, dst_core, eject, n_dst);
    if (status == PP_OK && arcs.len == 0)
        status = pp_fail(PP_EINVAL, "multicast tree: no destination");
    if (status == PP_OK) {
        qsort(arcs.data, arcs.len, sizeof *arcs.data, by_node);
        status = tree_nodes(t, &arcs);
    }
    if (status == PP_OK && t->in_channel[0] != PP_NO_CHANNEL)
        status = pp_fail(PP_EINVAL, "multicast tree: no edge begins at its root");
    free(arcs.data);
    if (status != PP_OK)
        pp_noc_tree_free(t);
    return status;
}

void pp_noc_tree_free(pp_noc_tree *t)
{
    free(t->in_channel);
    free(t->first);
    free(t->op);
    *t = (pp_noc_tree){0};
}

uint32_t pp_noc_tree_node(const pp_noc_tree *t, uint32_t in_channel)
{
    uint32_t lo = 1, hi = t->n_nodes;
    if (in_channel == PP_NO_CHANNEL)
        return 0;
    while (lo + 1 < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (t->in_channel[mid] <= in_channel)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static uint32_t take_branch(pp_part *p)
{
    const uint32_t b = p->branch_free;
    if (b != PP_NOC_NO) {
        p->branch_free = p->branches.data[b].next;
        return b;
    }
    if (!pp_push(&p->branches, (pp_branch){0})) {
        p->failed = true;
        return PP_NOC_NO;
    }
    return (uint32_t)p->branches.len - 1;
}

/* A record for the packet (`sent`: flits that took every branch), then one for each branch. */
uint32_t pp_flit_branches(pp_flit_engine *e, pp_part *p, uint32_t ivc, const pp_noc_item *item, uint32_t tree_node)
{
    const pp_noc_tree *t = &e->base.trees.data[item->tree];
    uint32_t next = PP_NOC_NO;
    (void)ivc;
    for (uint32_t i = t->first[tree_node + 1]; i-- > t->first[tree_node];) {
        const uint32_t b = take_branch(p);
        if (b == PP_NOC_NO)
            return next;
        p->branches.data[b] = (pp_branch){.op = t->op[i], .ovc = PP_NOC_NO, .next = next};
        next = b;
    }
    const uint32_t root = take_branch(p);
    if (root == PP_NOC_NO)
        return next;
    p->branches.data[root] = (pp_branch){.ovc = PP_NOC_NO, .next = next};
    return root;
}
