/* topology/hier.h: fabrics of fabrics: cores in clusters, clusters in chips, chips on a board.
 *
 * Level 0 connects cores; level l > 0 connects groups of level l - 1. All groups of a level are alike, so
 * that one pp_fabric a level describes them: nothing here grows with the number of groups. A level may be any
 * kind of fabric with channels of its own. A plain fabric is a hierarchy of one level.
 *
 * A packet climbs to the lowest level whose group holds both ends and comes down again. It leaves a group by
 * the gateway nearest to where it stands and comes into others by one that the source's number picks: all its
 * copies enter a group once, and sources spread over the gateways. Inside a group it goes as the level's own
 * routing function says. No table has more entries than a group has members.
 *
 * Cores are numbered group by group: core = ((top member x size of level top-1) + ...) x size of level 0 +
 * member of level 0. Channels: level by level, group by group, inside a group the unit's channels (network,
 * injection, ejection), then its gateways' ways up, then their ways down. */
#ifndef PP_TOPOLOGY_HIER_H
#define PP_TOPOLOGY_HIER_H

#include "topology/topology.h"

#define PP_HIER_MAX_LEVELS 8
#define PP_HIER_MAX_CORES (UINT32_C(1) << 28)
#define PP_HIER_MAX_CHANNELS (UINT32_C(1) << 31)

typedef struct pp_hier_level {
    char *name;              /* "cluster", "chip", "board", or as given */
    pp_fabric *unit;         /* the fabric inside one group; its cores are the members */
    uint32_t size;           /* members of a group */
    uint32_t groups;         /* of this level, in all */
    uint64_t cores;          /* of one group */
    uint32_t gateways;       /* ways up of a group; 0 on the top level */
    uint32_t *gateway;       /* [gateways] member where each stands */
    uint32_t *exit_of;       /* [size] gateway by which each member leaves: the nearest; NULL on the top level */
    pp_channel up, down;     /* a gateway's channels to and from the level above (rate of that level) */
    uint32_t header_bits;    /* of a packet on its channels */
    uint8_t routing;         /* pp_routing inside a group; never balanced */
    uint32_t *step;          /* open grids: the channel of each step, [vertices x (2 reach + 2)]: right by 1 .. reach, left
                                by 1 .. reach, down, up; NULL: every hop by the routing function */
    uint32_t first_channel;  /* id of the level's first channel */
    uint32_t channels;       /* of one group: unit->n_channels + 2 x gateways */
} pp_hier_level;

typedef struct pp_hier {
    char *name;              /* canonical: "5pp:rows=16,cols=16,gateways=4/mesh:rows=4,cols=4" */
    uint32_t n_levels, n_cores, n_channels;
    pp_hier_level level[PP_HIER_MAX_LEVELS];
} pp_hier;

/* What one level is made from: its fabric and its ways up. */
typedef struct pp_hier_options {
    uint32_t n_levels;
    char *name[PP_HIER_MAX_LEVELS];               /* NULL: by position */
    pp_fabric_options level[PP_HIER_MAX_LEVELS];
    int64_t gateways[PP_HIER_MAX_LEVELS];         /* ways up; 0: 1 */
} pp_hier_options;

/* The levels of `options`: fabric.levels when it is a list, a FABRIC string with levels set apart by "/"
 * ("5pp:rows=16,cols=16,gateways=4/mesh:rows=4,cols=4"), or the plain fabric. What a level does not set it has
 * from `options`. Texts live in `arena`. Errors name file, line and level. */
pp_status pp_hier_parse(pp_hier_options *out, pp_arena *arena, const pp_fabric_options *options);
/* Whether `options` describe more than one level. */
bool pp_fabric_is_hier(const pp_fabric_options *options);
/* Sizes that are free on the top level grow until `cores` fit; levels below must have theirs. */
pp_status pp_hier_fit(pp_hier_options *options, uint64_t cores);
pp_status pp_hier_build(pp_hier **out, const pp_hier_options *options);
void pp_hier_free(pp_hier *hier); /* NULL allowed */
pp_status pp_hier_check(const pp_hier *hier);

/* Where a channel belongs: level, group of that level, and its number inside the group. */
typedef struct pp_hier_place {
    uint32_t level, group, local;
} pp_hier_place;
pp_hier_place pp_hier_place_of(const pp_hier *hier, uint32_t channel);
/* Its properties. src and dst are vertices of the unit; PP_NO_VERTEX for a gateway's, which joins two levels. */
const pp_channel *pp_hier_channel(const pp_hier *hier, uint32_t channel);
/* Header bits that a packet carries on it. */
uint32_t pp_hier_header_bits(const pp_hier *hier, uint32_t channel);
/* Group of `level` that holds the core. */
uint32_t pp_hier_group(const pp_hier *hier, uint32_t level, uint32_t core);

/* Channels from core src to core dst, ports included (port k of n is chosen by the other end); *n of at most
 * cap. src == dst: none. O(hops). Thread-safe. */
pp_status pp_hier_route(const pp_hier *hier, uint32_t src, uint32_t dst, uint32_t *path, size_t cap, size_t *n);
/* The same for a set of destinations: parents stand before children, a vertex reached twice keeps the first
 * way, edge[] holds channels. end[i]: index of the edge by which dst[i] is reached, PP_NO_EDGE when it is src.
 * Caller frees by pp_hier_tree_free. */
typedef struct pp_hier_tree {
    uint32_t n, cap;
    uint32_t *edge, *parent;
} pp_hier_tree;
pp_status pp_hier_route_tree(pp_hier_tree *tree, const pp_hier *hier, uint32_t src, const uint32_t *dst,
                             uint32_t n_dst, uint32_t *end);
void pp_hier_tree_free(pp_hier_tree *tree);
/* "cluster 3 r2c5 -> r2c6", "chip 1 gateway 0 up" into buffer. */
const char *pp_hier_channel_label(const pp_hier *hier, uint32_t channel, char *buffer, size_t size);

#endif
