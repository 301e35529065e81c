/* topology/routefn.h: routing relations with virtual-channel classes, for flit-level networks and for proofs of
 * freedom from deadlock.
 *
 * A relation maps the head of a packet (where it stands, how it came there, where it goes) to the channels that
 * it may take next, each with the classes of virtual channels allowed on it. It holds no state and draws no random
 * numbers: whatever a packet must remember is its last channel and class and, for routings in two phases, the
 * intermediate vertex that it carries. So one relation serves any number of threads, and the dependencies of its
 * channels can be enumerated.
 *
 * Vertices here are those whose network channels are used: fabric->core_switch[core], never a core that hangs at a
 * switch. Injection and ejection ports are not part of a relation; on them every virtual channel may be used.
 *
 *   head.at = head.src = core_switch[s];  head.dst = core_switch[d];  head.channel = PP_NO_CHANNEL;
 *   head.mid = pp_routefn_mid(fn, head.src, head.dst, random);
 *   while ((n = pp_routefn_next(fn, &head, hop)) > 0) {
 *       choose a hop and a class out of its mask;
 *       pp_route_take(fn, &head, hop[i].channel, class);
 *   }                                        then eject: head.at == head.dst */
#ifndef PP_TOPOLOGY_ROUTEFN_H
#define PP_TOPOLOGY_ROUTEFN_H

#include "topology/topology.h"

#define PP_ROUTE_MAX_CLASSES 32 /* bits of a mask */

/* How the next hop is chosen among the candidates. */
typedef enum pp_route_select {
    PP_SELECT_FIRST,    /* there is one candidate, or the first one counts */
    PP_SELECT_RANDOM,   /* uniformly, whatever their load: ties of rings, up ports of fat trees */
    PP_SELECT_ADAPTIVE  /* by load: any that is not an escape; an escape when no other can be had */
} pp_route_select;

typedef struct pp_routefn pp_routefn;

typedef struct pp_routefn_info {
    const char *name;   /* "xy" */
    const char *text;   /* one sentence: which way it takes */
    const char *proof;  /* one sentence: why no cycle of waiting can close */
    uint32_t classes;   /* of virtual channels that a network needs at least; class k of n has the k-th n-th of the VCs */
    uint32_t max_hops;  /* candidates that pp_routefn_next gives at most */
    uint8_t select;     /* pp_route_select */
    bool minimal;       /* no way is longer than the shortest */
    bool table_free;    /* next hops are computed; else a table of n_switches^2 entries stands behind them */
    bool two_phase;     /* goes by an intermediate vertex (head.mid) */
    bool uses_source;   /* candidates depend on head.src */
    bool has_escape;    /* some candidates are escapes: only their channels need be free of cycles (duato1993) */
} pp_routefn_info;

/* The relation `name` on the fabric, which must outlive it:
 *   auto        the kind's own deterministic one (fabrics from files: shortest)
 *   xy, yx      dimension order, from the first or from the last dimension (grids, tori, rings, 5pp, cmesh, flatfly,
 *               hypercube, k5prism, express, full); on rings the short way, both ways when they are equally long
 *   minimal     the kind's own shortest ways, computed (all kinds but files)
 *   shortest    fewest channels; by table where the kind has no rule of its own
 *   updown      up*-down* over a breadth-first tree, any fabric whose channels go both ways
 *   nca, dmodk  trees: up to the nearest common ancestor; fat trees: any up port, or the one given by the destination
 *   west_first, odd_even   turn models (mesh, cmesh; west_first also on 5pp)
 *   adaptive    any channel that leads nearer, with dimension order as escape
 *   valiant, romm   by a random vertex (of all; inside the box between source and destination)
 * Fails with PP_EINVAL when the name is unknown or does not fit the fabric. */
pp_status pp_routefn_new(pp_routefn **out, const pp_fabric *fabric, const char *name);
void pp_routefn_free(pp_routefn *fn); /* NULL allowed */
const pp_routefn_info *pp_routefn_about(const pp_routefn *fn);
/* Names that pp_routefn_new knows, NULL past the end. */
const char *pp_routefn_name(size_t i);

/* Head of a packet under way. */
typedef struct pp_route_head {
    uint32_t at;      /* vertex */
    uint32_t channel; /* by which it came; PP_NO_CHANNEL where it was injected */
    uint32_t vc_class; /* in which it came */
    uint32_t src, dst; /* vertices */
    uint32_t mid;     /* two_phase: intermediate vertex; else PP_NO_VERTEX */
} pp_route_head;

typedef struct pp_hop {
    uint32_t channel;
    uint32_t classes; /* mask of the classes allowed */
    bool escape;
} pp_hop;

/* Candidates from the head's place, hop[max_hops]. 0 at the destination, and where no way leads on. O(1) on regular
 * fabrics but for a scan of the vertex's channels. */
uint32_t pp_routefn_next(const pp_routefn *fn, const pp_route_head *head, pp_hop *hop);
/* Moves the head over a channel. */
void pp_route_take(const pp_routefn *fn, pp_route_head *head, uint32_t channel, uint32_t vc_class);
/* Intermediate vertex of a packet, drawn by 64 random bits; PP_NO_VERTEX when the relation has none. */
uint32_t pp_routefn_mid(const pp_routefn *fn, uint32_t src, uint32_t dst, uint64_t random);

/* The way of the first candidates from vertex src to dst (cores stand for their switches): channels into path[cap],
 * count in *n. PP_EINFEASIBLE when there is none. Two-phase relations go straight (mid = src). */
pp_status pp_routefn_path(const pp_routefn *fn, uint32_t src, uint32_t dst, uint32_t *path, size_t cap, size_t *n);
/* Every core reaches every other one; else PP_EINFEASIBLE with the first pair that does not. Up to 4,096 switches. */
pp_status pp_routefn_connected(const pp_routefn *fn);

/* A node of the channel dependency graph. */
typedef struct pp_route_state {
    uint32_t channel, vc_class;
} pp_route_state;
/* Enumerates all packets (sources, destinations, intermediate vertices, choices) and looks for a cycle among the
 * dependencies of (channel, class); with escapes: among those of the escapes, over any number of other hops between
 * two of them. *n_cycle = 0: there is none, the relation is free from deadlock. one_class: as in a network that does
 * not keep the classes apart (then a torus has a cycle; not for relations with escapes). Caller frees *cycle. Refused
 * beyond about 10^9 steps. PAPER: dally1987 (theorem 1); duato1993 (theorem 1). */
pp_status pp_routefn_check(const pp_routefn *fn, bool one_class, pp_route_state **cycle, uint32_t *n_cycle);

#endif
