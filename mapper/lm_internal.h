/* Shared by the files of mapper/ that lay out language models.
 *
 * A *place* is a number in the order in which tiles are laid down; the layout of a part gives every tile its place
 * relative to the instance's first, and order[] turns places into cores. */
#ifndef PP_MAPPER_LM_INTERNAL_H
#define PP_MAPPER_LM_INTERNAL_H

#include "mapper/lm_map.h"

/* Sizes of one operator (index as in graph->op[]). */
typedef struct pp_lm_op_plan {
    uint32_t row_tiles, col_tiles, copies; /* digital with cores of its own: 1, units, 1 (attention: split, heads, 1);
                             else 0 */
    uint32_t tiles;       /* cores of its own */
    uint32_t host;        /* operator of the part whose cores are used (itself when it has its own) */
    bool at_inputs;       /* at the host's inputs (its row tiles) instead of its outputs */
    uint32_t units;       /* cores that work on a token together */
    uint32_t slot_width;  /* values of an output slot; 0: spread evenly over the slots */
    uint32_t first_place; /* of its tiles in the layout's place[] */
    uint32_t reduction;   /* pp_reduction, resolved */
} pp_lm_op_plan;

/* Places of a part's tiles, in the order (copy x col_tiles + col) x row_tiles + row of each operator. */
typedef struct pp_lm_layout {
    uint32_t n_tiles, length; /* length: places, those left free included */
    uint32_t *place;
} pp_lm_layout;

typedef struct pp_lm_ctx {
    const pp_lm_map_input *in;
    const pp_lm_graph *graph;
    uint32_t slice;           /* outputs of a crossbar */
    uint32_t psum_bits;
    pp_lm_op_plan *plan;      /* [graph->n_ops] */
    pp_lm_layout *layout;     /* [graph->n_parts] */
    uint32_t align;           /* a column of tiles begins at a multiple of this place where it fits; 1: anywhere */
} pp_lm_ctx;

static inline const pp_lm_op *pp_lm_op_of(const pp_lm_ctx *x, uint32_t part, uint32_t k)
{
    return &x->graph->op[x->graph->part[part].first_op + k];
}
static inline pp_lm_op_plan *pp_lm_plan_of(const pp_lm_ctx *x, uint32_t part, uint32_t k)
{
    return &x->plan[x->graph->part[part].first_op + k];
}

/* lm_plan.c: tiles of every operator. */
pp_status pp_lm_plan_ops(pp_lm_ctx *x);
pp_mvm_time pp_lm_op_mvm(const pp_lm_ctx *x, const pp_lm_op *op, const pp_lm_op_plan *plan);
/* Cores of the whole model. */
uint64_t pp_lm_cores(const pp_lm_ctx *x);
void pp_lm_ctx_free(pp_lm_ctx *x);

/* ---- copies (lm_copies.c) ---- */

#define PP_LM_COPIES_MAX 64
#define PP_LM_PHASES_MAX 4096

typedef struct pp_lm_copy {
    uint32_t op, copies;
    double token_ps;          /* of one copy: time between tokens */
    double merge_ps;          /* attention: of one step of the tree that merges the results of its units; else 0 */
    uint64_t cores;           /* that one more copy takes, in all instances */
} pp_lm_copy;
/* Time between tokens: the copies take turns; the units of attention share the context, and merge what they found. */
double pp_lm_copy_ps(const pp_lm_copy *c);
/* One copy more of every matrix that is as slow as the slowest, twice the units of attention that is; attention that merging
 * keeps from getting quicker is left out. Step by step these are the fewest copies with which the
 * slowest takes the time that it does, so that the last step within the budget has the least time of all choices.
 * false, and nothing changed: the budget or PP_LM_COPIES_MAX does not allow it. O(n). */
bool pp_lm_copy_slowest(pp_lm_copy *c, uint32_t n, uint64_t *cores, uint64_t budget);
/* Copies of all matrices (mapping.copies, mapping.core_budget), after the tiles of one copy. */
pp_status pp_lm_plan_copies(pp_lm_ctx *x);
/* Tokens after which those who take part in a link are the same copies again: the least common multiple, or something
 * beyond PP_LM_PHASES_MAX. `previous`: part of the instance before. */
uint64_t pp_lm_phases(const pp_lm_ctx *x, uint32_t part, uint32_t previous, const pp_lm_link *link);

/* ---- attention whose context is split (lm_attention.c) ---- */

bool pp_lm_is_split(const pp_lm_op *op, const pp_lm_op_plan *plan);
/* Of the attention of a part: what it takes to merge two partial results of a head (maximum, sum and the weighted values of
 * each query head), and the bits of one. */
uint64_t pp_lm_merge_ops(const pp_lm_graph *graph);
uint32_t pp_lm_merge_bits(const pp_lm_graph *graph);
/* The attention units of a part, with a split of `split`. */
pp_lm_attention pp_lm_attention_of(const pp_lm_ctx *x, uint32_t part, uint32_t split);

/* lm_layout.c: places of every part's tiles. */
pp_status pp_lm_layout_parts(pp_lm_ctx *x);
/* Members of a fabric in the order of a walk; grids are walked in blocks of block x block. New array. */
pp_status pp_lm_walk_members(uint32_t **out, const pp_fabric *f, pp_lm_walk walk, uint32_t block);

/* ---- lm_order.c ---- */

/* Places of all instances and, on several levels, where the groups below the top end: needs sizes of the levels
 * below the top only. */
typedef struct pp_lm_cuts {
    uint64_t *at;             /* places at which a new group begins, ascending; NULL: none */
    uint64_t n;
    double bits, filled_bits;
    uint64_t n_places;
    uint64_t *first;          /* [n_instances + 1] */
} pp_lm_cuts;
/* group_cores 0: one level, no cuts. groups_max 0: as many as it takes; with fewer than the best cuts need, groups are
 * filled to the last core. */
pp_status pp_lm_find_cuts(pp_lm_cuts *out, const pp_lm_ctx *x, uint64_t group_cores, uint64_t groups_max, bool filled);
void pp_lm_cuts_free(pp_lm_cuts *c);
pp_status pp_lm_order_cores(uint32_t **out, const pp_lm_cuts *cuts, const pp_hier *h, pp_lm_walk walk, uint32_t block);

/* ---- nets (lm_nets.c) ---- */

/* Instances between which nets run: `part` with its first place, and the one before. */
typedef struct pp_lm_where {
    uint32_t part, previous;  /* parts; previous PP_NONE: none */
    uint64_t first, first_previous;
} pp_lm_where;

typedef struct pp_lm_net_end {
    uint64_t place;
    uint32_t op, tile;        /* operator of the part; its tile, or slot for those in other cores */
} pp_lm_net_end;

/* One packet of one token. Edges of a part are numbered: its links first, then the internal edge of operator k as
 * n_links + k. */
typedef struct pp_lm_net_view {
    uint32_t edge;
    uint32_t phase, phases;   /* tokens with number mod phases = phase */
    uint32_t bits;
    uint64_t src;             /* place */
    uint32_t src_node;        /* internal edges: node (tile or slot) that sends, PP_NONE else */
    uint32_t dst_node;        /* and that adds up; PP_NONE: the result is spread */
    uint32_t n_ends;
    const pp_lm_net_end *end;
} pp_lm_net_view;
typedef pp_status (*pp_lm_net_fn)(void *payload, const pp_lm_net_view *net);

/* Nets of edge `edge`, phase by phase; those of an internal edge so that a node has received before it sends. */
pp_status pp_lm_visit_edge(const pp_lm_ctx *x, const pp_lm_where *w, uint32_t edge, pp_lm_net_fn fn, void *payload);
/* Number of edges of a part (links and internal ones, those that are empty included). */
uint32_t pp_lm_edges(const pp_lm_ctx *x, uint32_t part);
bool pp_lm_edge_is_in(const pp_lm_ctx *x, uint32_t part, uint32_t edge); /* from the instance before */
/* Of a finished mapping (lm_expand.c): where an instance's nets run, and the index in edge[] of an edge of its part
 * (link, or sums of operator k; PP_NONE: empty). */
pp_lm_where pp_lm_where_in(const pp_lm_mapping *m, uint32_t instance);
uint32_t pp_lm_edge_index(const pp_lm_mapping *m, uint32_t instance, uint32_t edge);

/* ---- routes and loads of an edge (lm_routes.c) ---- */

/* What the nets of one edge put on one channel, a token. */
typedef struct pp_lm_usage {
    uint32_t channel, edge;
    uint32_t packets;         /* at most in one phase */
    uint64_t busy_ps;         /* mean over the phases */
    double bits;              /* headers included; times the share of the tokens that take the edge */
} pp_lm_usage;
typedef PP_VEC(pp_lm_usage) pp_lm_usages;

typedef struct pp_lm_reach {
    uint32_t op;              /* target */
    uint32_t hops;
    uint64_t total_ps;        /* from the sending to the last arrival */
    uint64_t least_ps;        /* of the quickest packet, when none waits; sums: of the first that is whole */
} pp_lm_reach;

typedef struct pp_lm_edge_times {
    uint64_t serialisation_ps;
    uint32_t channel;         /* most loaded; PP_NONE */
    uint32_t packets, n_reach, max_hops;
    uint64_t bits, flows, single;
    uint64_t adder_ps;        /* partial sums: time of the additions of the busiest core */
    pp_lm_reach *reach;       /* [n_reach], owned by the router */
} pp_lm_edge_times;

/* ---- packets of an edge on an idle fabric (lm_replay.c) ---- */

typedef struct pp_lm_way {
    uint32_t channel, parent; /* parent: index in way[], before this one; PP_NONE */
    uint32_t packet;
    uint32_t latency_ps, bits; /* bits: header included */
    uint64_t ser_ps;
} pp_lm_way;

typedef struct pp_lm_arrival {
    uint32_t packet, op, way; /* way PP_NONE: same core */
    uint64_t time_ps;         /* out: the packet is complete */
} pp_lm_arrival;

typedef struct pp_lm_packet {
    uint32_t src_node, dst_node, bits; /* leaves when src_node has all that it adds up; PP_NONE: at once */
    uint64_t add_ps;          /* at dst_node; such a packet has one arrival */
    uint64_t end_ps;          /* out: last arrival, added */
} pp_lm_packet;

typedef struct pp_lm_packets {
    const pp_lm_way *way;
    pp_lm_arrival *arrival;
    pp_lm_packet *packet;
    size_t n_ways, n_arrivals, n_packets;
    uint32_t n_nodes;
} pp_lm_packets;
/* Fills in the times. `by_channel` [channels of the fabric]: scratch, zero before and after. */
pp_status pp_lm_replay(const pp_lm_packets *p, uint32_t *by_channel);

typedef struct pp_lm_router pp_lm_router;
pp_status pp_lm_router_new(pp_lm_router **out, const pp_lm_ctx *x, const pp_hier *h, const uint32_t *order);
void pp_lm_router_free(pp_lm_router *r);
/* Routes all nets of an edge; its usage is appended to `usages`. */
pp_status pp_lm_route_edge(pp_lm_router *r, const pp_lm_where *w, uint32_t edge, pp_lm_usages *usages,
                           pp_lm_edge_times *out);

/* ---- servers (lm_servers.c) ---- */

/* Busy time of one edge on one channel, for the search of servers. Edges are any small numbers. */
typedef struct pp_lm_demand {
    uint32_t channel, edge;
    uint64_t busy_ps;
} pp_lm_demand;
/* One server of the result: what each edge asks of it. */
typedef struct pp_lm_server_use {
    uint32_t server, edge;
    uint64_t busy_ps;
} pp_lm_server_use;
/* The channels that matter: one whose demands are all at most those of another is left out, equal ones count once.
 * With more than `most` left, those that the same edges share become one, with the largest of each demand. Sorts
 * `demand`. Uses come server by server, servers from 0. */
pp_status pp_lm_find_servers(pp_lm_server_use **out, uint32_t *n_out, uint32_t *n_servers, pp_lm_demand *demand, size_t n,
                             uint32_t most);

/* ---- the mapping in the making (lm_map.c, lm_template.c, lm_bounds.c) ---- */

/* How a template came to be. Its frame is the smallest group that holds the first instance: another instance is like
 * it when its cores are the same relative to its own such group. */
typedef struct pp_lm_frame {
    uint32_t level, group, instance;
    uint64_t flows, single;   /* of one instance, edges from the one before not counted */
    pp_lm_usages own;         /* channels of the first instance, edges of the part */
    uint32_t *edge_at;        /* [edges of the part] index in edge[]; PP_NONE: empty, or from the instance before */
} pp_lm_frame;

/* Kept with a mapping: plan and layout, and copies of the options that nets are made from. */
struct pp_lm_store {
    pp_arch arch;
    pp_quant_options quant;
    pp_map_options map;
    pp_lm_map_input in;       /* points into the copies above */
    pp_lm_ctx x;
};

typedef struct pp_lm_build {
    pp_lm_ctx x;
    pp_lm_mapping *m;
    pp_lm_cuts cuts;
    pp_lm_router *router;
    PP_VEC(pp_lm_template) templates;
    PP_VEC(pp_lm_frame) frames;
    PP_VEC(pp_lm_stage) stages;
    PP_VEC(pp_lm_edge) edges;
    PP_VEC(pp_lm_target) targets;
    PP_VEC(pp_lm_share) shares;
    pp_lm_usages *in;         /* [n_instances] of the edges from the instance before */
    uint32_t *in_local;       /* local number of the edges of instances: by index in edge[] */
    uint16_t *packets;        /* [n_channels] packets a token, of everybody */
    double chain_ps;          /* interval with chains everywhere, of what was looked at for mapping.reduction auto; 0 */
} pp_lm_build;

/* Channel of the frame's first instance as the same channel of an instance that is `delta` groups further. */
uint32_t pp_lm_translate(const pp_hier *h, const pp_lm_frame *f, int64_t delta, uint32_t channel);
int64_t pp_lm_delta(const pp_lm_build *b, uint32_t instance);
pp_lm_where pp_lm_where_of(const pp_lm_build *b, uint32_t instance);
/* Appends an edge with its targets; PP_NONE when nothing is sent. */
pp_status pp_lm_append_edge(pp_lm_build *b, uint32_t part, uint32_t first_stage, uint32_t from, uint32_t local,
                            const pp_lm_edge_times *t, uint32_t *index);

/* lm_reduction.c: mapping.reduction auto; the tiles lie where they will. */
pp_status pp_lm_choose_reductions(pp_lm_build *b);

/* lm_template.c */
pp_status pp_lm_make_template(pp_lm_build *b, uint32_t instance, uint32_t level, uint32_t group);
/* lm_shares.c: loads, exactness, servers and shares of all edges. */
pp_status pp_lm_make_shares(pp_lm_build *b);
/* lm_bounds.c: bounds of stages and of the whole; levels' loads. */
pp_status pp_lm_make_bounds(pp_lm_build *b);

#endif
