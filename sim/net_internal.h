/* What the files of the network engines share: ports of the routers, packets, the two engines. */
#ifndef PP_SIM_NET_INTERNAL_H
#define PP_SIM_NET_INTERNAL_H

#include "sim/net.h"

#include <stdatomic.h>

#define PP_NOC_NO UINT32_MAX

/* ---- routers and ports of a fabric (net_graph.c) ---- */

/* A router is a vertex with a switch. Its ports are numbered densely over all routers, input ports "ip",
 * output ports "op". Behind the routers' output ports come the sources: source s (a core's injection
 * port) is op n_op + s. An output port leads to an input port or ejects to a core. */
typedef struct pp_noc_graph {
    const pp_fabric *fabric;
    uint32_t n_routers, n_ip, n_op, n_src, n_cores;
    uint32_t *router_of_vertex, *vertex; /* vertex: [n_routers] */
    uint32_t *ip_first, *op_first;       /* [n_routers + 1] */
    uint32_t *ip_router, *ip_channel;    /* ip_channel: PP_NO_CHANNEL for injection */
    uint32_t *ip_up;                     /* output port that feeds it: op, or n_op + source */
    uint32_t *op_router, *op_channel, *op_ip, *op_core; /* [n_op + n_src]; op_ip NO: ejects to op_core */
    uint32_t *op_of_channel;             /* [n_channels] */
    uint32_t *src_first, *src_channel;   /* sources of a core: CSR [n_cores + 1]; first channel, per_link */
    uint32_t *src_core;
    uint32_t *out_first, *out_op;        /* ejection ports of a core: CSR [n_cores + 1] */
    uint32_t ins_max, outs_max;          /* most ports of a router */
} pp_noc_graph;
pp_status pp_noc_graph_new(pp_noc_graph *g, const pp_fabric *f);
void pp_noc_graph_free(pp_noc_graph *g);
/* Port by which a packet from input port `ip` (NO: at the source) leaves to `core` here; NO: not here. */
uint32_t pp_noc_eject_port(const pp_noc_graph *g, uint32_t router, uint32_t core, uint32_t ip, uint32_t src_core);

/* ---- packets ---- */

typedef struct pp_noc_item {
    uint64_t created, entered, tag, random;
    uint32_t src, dst, flits, tree;
    uint32_t state;         /* routing function's word */
    uint32_t next;          /* in a queue or the free list */
    _Atomic uint32_t left;  /* destinations that still wait for it */
    uint16_t routers;
    uint8_t message_class;
} pp_noc_item;

/* Slots in chunks that never move; several threads take chunks. */
#define PP_NOC_CHUNK 1024u
#define PP_NOC_CHUNKS (1u << 18)
typedef struct pp_noc_items {
    pp_noc_item **chunk;    /* [PP_NOC_CHUNKS] */
    _Atomic uint32_t n;
} pp_noc_items;
static inline pp_noc_item *pp_noc_at(const pp_noc_items *items, uint32_t i)
{
    return &items->chunk[i / PP_NOC_CHUNK][i % PP_NOC_CHUNK];
}
pp_status pp_noc_items_new(pp_noc_items *items);
void pp_noc_items_free(pp_noc_items *items);
/* A slot from the free list at *free, or of a new chunk; NO when memory ran out. */
uint32_t pp_noc_items_take(pp_noc_items *items, uint32_t *free);

/* 64 random bits of a (seed, a, b): a counter-based mixer, cheap enough for every head. */
static inline uint64_t pp_noc_mix(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t x = seed ^ (a * UINT64_C(0x9e3779b97f4a7c15)) ^ (b * UINT64_C(0xc2b2ae3d27d4eb4f));
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* ---- multicast trees (net_tree.c) ---- */

/* Nodes are router visits: node 0 at the source's router. A node's branches are output ports. */
typedef struct pp_noc_tree {
    uint32_t src, n_nodes, n_dst;
    uint32_t inject;        /* port channel that it enters by; PP_NO_CHANNEL: any */
    uint32_t *in_channel;   /* [n_nodes] sorted but for node 0, which is the root */
    uint32_t *first, *op;   /* branches of a node: CSR [n_nodes + 1] */
} pp_noc_tree;
uint32_t pp_noc_tree_node(const pp_noc_tree *t, uint32_t in_channel);
pp_status pp_noc_tree_new(pp_noc_tree *t, const pp_noc_graph *g, uint32_t src_core, const pp_tree *edges,
                          const uint32_t *dst_core, const uint32_t *eject, uint32_t n_dst);
void pp_noc_tree_free(pp_noc_tree *t);

/* ---- the engine's common part ---- */

typedef struct pp_noc_ops {
    pp_status (*inject)(pp_noc *n, const pp_noc_packet *p);
    pp_status (*run)(pp_noc *n, uint64_t until, bool stop);
    uint64_t (*next)(const pp_noc *n);
    void (*open_loop)(pp_noc *n);
    pp_status (*watch)(pp_noc *n); /* NULL: crossings are not told */
    pp_status (*tree)(pp_noc *n); /* trees will be used; NULL: nothing to do */
    void (*stats)(const pp_noc *n, pp_noc_stats *out);
    void (*channel)(const pp_noc *n, uint32_t channel, pp_noc_channel_stats *out);
    void (*free)(pp_noc *n);
} pp_noc_ops;

typedef struct pp_noc_queue {
    pp_noc_delivery *data;
    size_t head, len, cap;
} pp_noc_queue;
pp_status pp_noc_queue_push(pp_noc_queue *q, const pp_noc_delivery *d);

struct pp_noc {
    const pp_noc_ops *ops;
    pp_noc_options o;
    pp_noc_routing routing;
    pp_noc_graph g;
    uint32_t *delay, *period; /* [n_op + n_src]: cycles of the link behind a port, cycles a flit takes */
    pp_noc_items items;
    PP_VEC(pp_noc_tree) trees;
    uint64_t now;
    uint64_t *serial;         /* [n_cores] packets so far: keys of their random numbers */
    pp_noc_queue delivered;   /* closed loop, in order */
    pp_noc_source_fn source;
    pp_noc_sink_fn sink;
    void *context;
    pp_noc_watch_fn watch;
    void *watch_context;
    bool observe, failed;
};

/* Fills a slot from the caller's packet. */
void pp_noc_item_set(pp_noc *n, pp_noc_item *item, const pp_noc_packet *p);
/* Fails when a packet cannot be taken: unknown cores, no flits, too long for the buffers ... */
pp_status pp_noc_packet_check(const pp_noc *n, const pp_noc_packet *p);
/* Source (injection port) of a packet of its core. NO: no way to its destination. */
uint32_t pp_noc_source_of(const pp_noc *n, const pp_noc_item *item);
/* Candidates of an item at a router; in_class of the VC it came on. */
uint32_t pp_noc_candidates(const pp_noc *n, pp_noc_item *item, uint32_t router, uint32_t in_channel,
                           uint8_t in_class, pp_noc_hop hop[PP_NOC_HOPS_MAX]);
pp_status pp_noc_unreachable(const pp_noc *n, const pp_noc_item *item, uint32_t router);

pp_status pp_noc_flit_new(pp_noc **out);   /* allocates the engine around an empty pp_noc */
pp_status pp_noc_flit_start(pp_noc *n);    /* after graph, delays, options */
pp_status pp_noc_packet_new(pp_noc **out);
pp_status pp_noc_packet_start(pp_noc *n);

#endif
