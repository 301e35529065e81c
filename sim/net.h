/* Network engines: packets and flits over a fabric, cycle by cycle. docs/network.md
 *
 * One interface, four models. PP_NOC_FLIT is cycle-accurate: input-queued routers with virtual
 * channels (VCs), credits, allocators. PP_NOC_VCT, PP_NOC_SAF and PP_NOC_IDEAL move whole packets by
 * events. A packet goes from one core to another, or along a tree to several; it is a row of flits,
 * and a channel carries a flit a cycle. Time is in cycles of the channels' clock.
 *
 * An engine runs open loop (a source hands out packets, a sink takes them: sim/traffic.h) or closed
 * loop (inject, run, pop; a pipeline drives it). Same input, same results, for any number of threads.
 *
 * The name is noc because pp_net is a multicast of the mapper. */
#ifndef PP_SIM_NET_H
#define PP_SIM_NET_H

#include "topology/topology.h"

#define PP_NOC_NEVER UINT64_MAX
#define PP_NOC_VCS_MAX 64u
#define PP_NOC_TREE_NONE UINT32_MAX

typedef struct pp_noc pp_noc;

typedef enum pp_noc_switching {
    PP_NOC_IDEAL, /* contention-free: a packet never waits for another */
    PP_NOC_SAF,   /* store and forward: a hop starts when the whole packet is there */
    PP_NOC_VCT,   /* virtual cut-through: a hop starts when the head is there and the channel is free */
    PP_NOC_FLIT   /* wormhole with virtual channels */
} pp_noc_switching;
const char *pp_noc_switching_name(pp_noc_switching s); /* "ideal" "saf" "vct" "flit" */

typedef enum pp_noc_arbiter {
    PP_NOC_ROUND_ROBIN, /* the next one after the last winner whose grant was used */
    PP_NOC_MATRIX       /* least recently served */
} pp_noc_arbiter;

typedef enum pp_noc_allocator {
    PP_NOC_OUTPUT_FIRST, /* separable, outputs grant and inputs accept; more iterations: iSLIP */
    PP_NOC_INPUT_FIRST   /* separable, inputs offer one request and outputs choose */
} pp_noc_allocator;

/* What a head asks for at a router: a channel out of it and the VCs that it may use there. */
typedef struct pp_noc_hop {
    uint32_t channel;
    uint32_t classes; /* mask of the routing's n_classes; class k has the VCs [k V / n, (k + 1) V / n) */
    bool escape;      /* asked for only when no hop without this flag can be had */
} pp_noc_hop;
#define PP_NOC_HOPS_MAX 64u

/* What a routing function sees. `state` is the packet's own word, 0 at its source. */
typedef struct pp_noc_head {
    uint32_t vertex, src_core, dst_core;
    uint32_t in_channel; /* PP_NO_CHANNEL at the source */
    uint8_t in_class;    /* class of the VC it came on */
    uint64_t random;     /* of this packet: the same at every vertex */
    uint32_t *state;
} pp_noc_head;
/* 64 random bits of the packet at this vertex: the same whenever it is asked. */
uint64_t pp_noc_random_here(const pp_noc_head *head);

/* A routing function: candidates in order of preference, at most PP_NOC_HOPS_MAX; 0: cannot reach.
 * Never called where the destination core can be ejected. Adaptive functions give several hops without
 * `escape`; the router takes the one with the most credits. Pure but for *state; called by several threads. */
typedef uint32_t (*pp_noc_route_fn)(const void *context, const pp_noc_head *head, pp_noc_hop hop[PP_NOC_HOPS_MAX]);
typedef struct pp_noc_routing {
    pp_noc_route_fn route;
    const void *context;
    uint32_t n_classes; /* VC classes; at least as many VCs are needed */
} pp_noc_routing;

typedef struct pp_noc_options {
    pp_noc_switching switching;
    uint32_t vcs;            /* a port, 1 to 64 */
    uint32_t buffer_flits;   /* of a VC */
    bool shared_buffer;      /* the VCs of a port share vcs x buffer_flits; each keeps one flit for itself */
    bool atomic_vcs;         /* a VC takes a new packet only when it has drained; false: packets queue in it */
    /* Stage delays, cycles. A head needs routing + vc_alloc + sw_alloc + switch + link a router. */
    uint32_t routing_delay;  /* 0: computed one hop ahead */
    uint32_t vc_alloc_delay, sw_alloc_delay, switch_delay; /* at least 1 each */
    uint32_t link_delay;     /* at least 1, added to what channel_delay gives */
    uint32_t local_delay;    /* link between a core and its own router, at least 1 */
    uint32_t credit_delay;   /* credit arrived -> usable; 0: in the same cycle */
    const uint32_t *channel_delay; /* [n_channels] extra cycles of each channel; NULL: none. Copied */
    const uint32_t *channel_period;/* [n_channels] cycles a flit takes on it; NULL: 1. Copied */
    pp_noc_arbiter arbiter;
    pp_noc_allocator allocator;
    uint32_t iterations;     /* of both allocators */
    bool speculative;        /* heads ask for the switch while they ask for a VC */
    uint32_t input_speedup;  /* flits that an input port can send a cycle, from different VCs */
    uint32_t internal_speedup; /* allocations a cycle; above 1 an output queues flits */
    uint32_t output_buffer;  /* room of that queue, flits */
    uint32_t message_classes;/* packets of different classes never share VCs (request-reply: 2) */
    uint64_t watchdog;       /* cycles without any movement that count as deadlock; 0: off */
    uint64_t seed;           /* of routing choices */
    bool observe;            /* waits and buffer occupancy of each channel; costs some time */
    bool general;            /* tests: the general allocator also where the fast one would do */
    unsigned threads;        /* partitions of the flit engine */
} pp_noc_options;
/* Router of the reference curves: 4 VCs x 8 flits, all stage delays 1 but routing (0), round robin. */
void pp_noc_defaults(pp_noc_options *o);
/* "booksim", "booksim:rd=1,cd=2,..." over `o`; keys: rd va sa st link local cd spec iters arbiter alloc insp intsp
 * outbuf atomic shared. */
pp_status pp_noc_preset(pp_noc_options *o, const char *text);

/* Fails in one line when options do not fit (zero VCs, VCT buffers below a packet are checked at inject).
 * Fabric must outlive the engine; routing's context, too. */
pp_status pp_noc_new(pp_noc **out, const pp_fabric *fabric, const pp_noc_options *options,
                     const pp_noc_routing *routing);
void pp_noc_free(pp_noc *n);

/* ---- closed loop ---- */

typedef struct pp_noc_packet {
    uint64_t time;      /* cycle in which it is ready, not before the last one of its source */
    uint64_t tag;       /* the caller's */
    uint32_t src, dst;  /* cores; dst is ignored with a tree */
    uint32_t tree;      /* PP_NOC_TREE_NONE: to dst alone */
    uint32_t flits;
    uint8_t message_class;
} pp_noc_packet;

typedef struct pp_noc_delivery {
    uint64_t time;      /* cycle in which the tail left the network */
    uint64_t created, entered; /* ready; head left the source */
    uint64_t tag;
    uint32_t src, dst, flits;
    uint32_t routers;   /* that it went through (trees: 0) */
} pp_noc_delivery;

/* A multicast tree from src's core: network channels as pp_route_tree gives them, and the cores that
 * take the packet (vertices on the tree). Packets along it are copied where it branches. The flit engine
 * needs buffers of a whole packet then (a blocked branch must not hold the others). Where cores have several ports:
 * `inject` is the port channel that it enters by, eject[i] the one at which dst_core[i] takes it; PP_NO_CHANNEL (or
 * eject NULL): the engine chooses. Before the first packet. */
pp_status pp_noc_add_tree(pp_noc *n, uint32_t *tree, uint32_t src_core, uint32_t inject, const pp_tree *edges,
                          const uint32_t *dst_core, const uint32_t *eject, uint32_t n_dst);
pp_status pp_noc_inject(pp_noc *n, const pp_noc_packet *p);
/* Simulates the cycles before `until`, or up to and with the first cycle in which a packet is delivered
 * when `stop` is set. PP_EDEADLOCK when the watchdog bites: the text names the packets in the cycle. */
pp_status pp_noc_run(pp_noc *n, uint64_t until, bool stop);
/* Deliveries in order of (time, core); false: none is left. */
bool pp_noc_pop(pp_noc *n, pp_noc_delivery *out);
/* First cycle that is not simulated yet. */
uint64_t pp_noc_now(const pp_noc *n);
/* Next cycle in which anything can happen; PP_NOC_NEVER when nothing is under way or waiting. */
uint64_t pp_noc_next(const pp_noc *n);

/* ---- open loop ---- */

/* Asked for the next packet of a core when it has none: true and *p (time may lie ahead), false: no more.
 * Called by the thread of the core's partition, in order for each core. */
typedef bool (*pp_noc_source_fn)(void *context, uint32_t core, pp_noc_packet *p);
/* Takes each delivery in place of the queue of pp_noc_pop; `part` is the partition (below threads). In order of
 * time for each core. It may inject at the core that the packet reached (d->dst) by pp_noc_reply. */
typedef void (*pp_noc_sink_fn)(void *context, uint32_t part, const pp_noc_delivery *d);
void pp_noc_open_loop(pp_noc *n, pp_noc_source_fn source, pp_noc_sink_fn sink, void *context);
/* From a sink only: a packet from the core at which the sink is called. */
pp_status pp_noc_reply(pp_noc *n, const pp_noc_packet *p);

/* ---- watching ---- */

/* A packet (or one of its copies) has crossed a channel, ports included. */
typedef struct pp_noc_crossing {
    uint64_t tag;           /* the packet's */
    uint64_t ready;         /* cycle in which its head could have left: routed, in front of its buffer; ports: created */
    uint64_t head, tail;    /* cycles in which its head went onto the channel and its tail had left it: [head, tail) */
    uint32_t channel, vc;   /* a VC carries one packet after the other; packets of several VCs take turns flit by flit */
} pp_noc_crossing;
typedef void (*pp_noc_watch_fn)(void *context, const pp_noc_crossing *c);
/* Calls `watch` for each of them, in the order of the cycles in which tails leave. Flit engine, one thread, `observe` set,
 * before the first packet; else PP_EUNSUPPORTED. */
pp_status pp_noc_watch(pp_noc *n, pp_noc_watch_fn watch, void *context);

/* ---- counters ---- */

typedef struct pp_noc_stats {
    uint64_t injected_flits, ejected_flits; /* entered their first router's link; left the network */
    uint64_t copied_flits;  /* made by branching */
    uint64_t flits_inside;  /* in buffers and on links, counted one by one; O(size) */
    uint64_t packets_in, packets_out;
    uint64_t flit_hops;     /* switch traversals: a flit through a router counts one */
    uint64_t credits_inside;/* on their way, counted one by one */
} pp_noc_stats;
void pp_noc_get_stats(const pp_noc *n, pp_noc_stats *out);

typedef struct pp_noc_channel_stats {
    uint64_t flits;          /* carried */
    uint64_t wait_cycles;    /* that flits at the front of a VC waited for it, summed */
    uint64_t blocked_cycles; /* of these: head-of-line, no credit or no VC behind it */
    uint32_t vc_high;        /* most flits in one VC at its far end */
    double vc_mean;          /* mean flits in the buffers at its far end */
} pp_noc_channel_stats;
/* Flits alone unless pp_noc_options.observe was set. */
pp_status pp_noc_get_channel(const pp_noc *n, uint32_t channel, pp_noc_channel_stats *out);

#endif
