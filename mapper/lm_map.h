/* A language model on cores: stages of each block, edges between them, and what they cost.
 *
 * An 8B model is some twenty stages a block, not thousands of tiles. A *template* holds the stages and edges of
 * one block (or of the embedding, or of the end) as it lies on the fabric; instances that lie alike share one.
 * All tiles of a stage work in lockstep: a stage starts a token when the last of its inputs is there.
 *
 * What happens to a token in stage s of an instance (times in ps, everything a first-come first-served server):
 *
 *   start  = when all its input edges have arrived and server s.server is free;
 *            the server is taken for s.interval_ps (attention: pp_lm_attention_work)
 *   result = start + s.latency_ps; a stage with row tiles then has its partial sums on edge s.psum_edge
 *   edge e (psum edges too): for each share of e: grant = max(ready, free[share]), free[share] = grant + share.busy_ps;
 *            begin = the latest grant
 *   target k of e sees the token at begin + target[k].latency_ps
 *
 * Scalars that commute with a matrix (RMSNorm) go to the digital stage behind it. Edges with an expert carry only
 * tokens that this expert serves; the ADD stage behind the experts waits for those that the token chose. A stage
 * whose kind is ATTENTION also waits, in encoders, for the keys and values of the whole sequence.
 *
 * With `exact`, no two packets of the block ever meet on a channel of that edge: then lockstep is exact. Else
 * shares and latencies stand for more: latency_ps holds every wait behind packets of the same edge.
 *
 * Stages of copies > 1: copy (token mod copies) does the work: the server may take `copies` tokens at once, each
 * for interval_ps. Share times are means over the copies.
 *
 * docs/llm-mapping.md derives the figures of a two-layer model by hand. */
#ifndef PP_MAPPER_LM_MAP_H
#define PP_MAPPER_LM_MAP_H

#include "mapper/mapper.h"
#include "topology/hier.h"
#include "workloads/lm_graph.h"

/* ---- attention units ---- */

typedef struct pp_lm_attention {
    uint32_t units;             /* cores: `split` a key and value head */
    uint32_t split;             /* units of a head, each with every split-th token of the context; 0 is 1 */
    uint32_t group;             /* query heads of a unit */
    uint32_t head_dim;
    uint32_t window;            /* 0: all tokens before */
    bool causal;                /* false: a token sees the whole sequence, and waits for it */
    uint32_t macs;              /* a clock cycle and unit */
    uint32_t softmax_lanes;     /* scores a cycle and unit */
    uint32_t score_passes;      /* of a score through the lanes: softmax; soft caps and ALiBi take one each more. 0 is 1 */
    double clock_hz;
    double kv_gbps;             /* bandwidth of a unit's KV memory */
    uint64_t kv_bytes;          /* capacity of a unit's KV memory */
    uint32_t kv_bits_token;     /* keys and values of a token in one unit */
    const char *tier;           /* "sram" "edram" "dram"; static */
    double kv_fj_bit;           /* energy of a bit read or written */
} pp_lm_attention;

/* Time of one unit for a step of `queries` new tokens, the last of which sees `context` tokens (itself included;
 * causal: query i of n sees context - n + 1 + i; a window caps each):
 *   compute = cycles of QK^T + softmax + AV;  memory = bits of the keys and values read once / bandwidth
 *   total = max(compute, memory).
 * cycles QK^T = cycles AV = sum over queries of ceil(group x head_dim x seen / macs), softmax: ceil(passes x group x
 * seen / lanes). With a split of s a unit has the keys and values of every s-th token: `seen` and the tokens read are those of
 * the fullest one, ceil(seen / s). O(1) for one query; O(queries) else. */
typedef struct pp_lm_attention_time {
    uint64_t total_ps, compute_ps, memory_ps;
    uint64_t macs, scores;      /* of the fullest unit; a score counts once a pass */
    uint64_t kv_bits;           /* read by it */
} pp_lm_attention_time;
pp_lm_attention_time pp_lm_attention_work(const pp_lm_attention *a, uint64_t context, uint32_t queries);
/* The units of each head taken as one, without a split: products, scores and bits of a step times heads are those of
 * all units together. */
pp_lm_attention pp_lm_attention_whole(const pp_lm_attention *a);
/* Last context >= context with the same total_ps for one query (work is a step function); UINT64_MAX when it no
 * longer grows (window). */
uint64_t pp_lm_attention_step(const pp_lm_attention *a, uint64_t context);

/* ---- stages and edges ---- */

typedef enum pp_lm_binding {
    PP_LM_BIND_MVM, PP_LM_BIND_ADC, PP_LM_BIND_CHANNEL, PP_LM_BIND_PORT, PP_LM_BIND_DIGITAL,
    PP_LM_BIND_ATTENTION, PP_LM_BIND_KV
} pp_lm_binding;
const char *pp_lm_binding_name(pp_lm_binding b); /* "mvm" "adc" "channel" "port" "digital" "attention" "kv_bandwidth" */

typedef struct pp_lm_stage {
    const char *name;           /* of its operator; borrowed from the graph in the mapping */
    uint32_t op;                /* in mapping.graph->op[] */
    uint8_t kind;               /* pp_lm_op_kind */
    uint8_t reduction;          /* pp_reduction, resolved */
    uint8_t binding;            /* pp_lm_binding: what bounds bound_interval_ps */
    uint32_t expert;            /* PP_NONE: every token */
    double share;               /* of the tokens that come by (experts), else 1 */
    uint32_t row_tiles, col_tiles, copies; /* attention whose context is split: units of a head, heads */
    uint32_t tiles;             /* crossbars: row_tiles x col_tiles x copies; 0 when digital */
    uint32_t units;             /* cores that work on one token together: digital stages, attention */
    uint32_t cores;             /* of its own; 0: computed in cores of stage `at` */
    uint32_t at;                /* stage index in the mapping whose output cores it uses; PP_NONE */
    uint32_t server;            /* in the template: [0, n_servers) */
    uint32_t psum_edge;         /* index in edge[]; PP_NONE */
    uint64_t interval_ps;       /* server taken for a token; attention: 0, see attention */
    uint64_t latency_ps;        /* from start to result (before psum_edge); attention: 0 */
    uint64_t digital_ops;       /* a token, all units (additions of partial sums included) */
    uint64_t macs;              /* useful, a token */
    uint64_t merge_ops;         /* attention whose context is split: of one partial result that is merged with another;
                                   0: a sum's packet takes one operation a value */
    uint64_t bound_interval_ps; /* least time between tokens: own server, its incoming, psum and outgoing channels;
                                   attention at attention_context tokens */
    pp_mvm_time mvm;            /* LINEAR: of its largest tile */
} pp_lm_stage;

typedef struct pp_lm_target {
    uint32_t stage;             /* index in stage[] */
    uint32_t hops;              /* network channels of the longest way */
    uint64_t latency_ps;        /* from the sending to the last packet complete: wires, routers, serialisation, waits
                                   behind packets of the same edge, additions on the way of partial sums */
    uint64_t least_ps;          /* no packet of the edge is quicker; partial sums: no column, all tiles done at once,
                                   is whole sooner */
} pp_lm_target;

/* One server that an edge passes: a channel (or several that are equally loaded). */
typedef struct pp_lm_share {
    uint32_t server;            /* in the template: [0, n_servers), stages' servers included */
    bool previous;              /* server belongs to the instance before (edges between instances) */
    uint64_t busy_ps;           /* a token */
} pp_lm_share;

typedef struct pp_lm_edge {
    uint32_t from;              /* stage[]; of the instance before when it stands in an instance's in-edges */
    uint32_t link;              /* in graph->link[]; PP_NONE: partial sums of `from` (one target: itself) */
    uint32_t first_target, n_targets; /* target[] */
    uint32_t first_share, n_shares;   /* share[] */
    uint32_t expert;            /* PP_NONE: every token */
    uint32_t packets;           /* nets a token */
    uint64_t bits;              /* payload a token */
    uint64_t serialisation_ps;  /* on its most loaded channel, 0 when source and targets share their cores */
    uint32_t channel;           /* that channel (in the first instance of the template); PP_NONE */
    bool exact;
} pp_lm_edge;

typedef struct pp_lm_template {
    uint32_t part;              /* in graph->part[] */
    uint32_t first_stage, n_stages; /* stage[]; stage k of the template is operator k of the part */
    uint32_t first_edge, n_edges;   /* edges inside, partial sums included */
    uint32_t n_servers;
    uint32_t cores;             /* cores used by an instance */
    uint32_t instances;         /* that share it */
    uint64_t latency_ps;        /* of one token, nothing else under way: longest path, attention at
                                   attention_context; from the arrival of its in-edges to its result */
} pp_lm_template;

typedef struct pp_lm_instance {
    uint32_t part, template_;
    uint32_t layer;             /* of a block; PP_NONE */
    uint32_t first_place;       /* places [first_place, + n_places) in placement order; place p is core order[p] */
    uint32_t n_places;
    uint32_t first_in, n_in;    /* edges from the instance before: edge[first_in ..]; of instance 0: the token that
                                   comes back from the end (decoding), else none */
} pp_lm_instance;

/* ---- the mapping ---- */

typedef struct pp_lm_level_load {
    uint32_t channels_used;
    double max_bits, mean_bits; /* a token, over the channels used */
    double max_ps;              /* most loaded channel: time a token */
    uint32_t max_channel;
    double up_bits;             /* a token through gateways upwards, all groups */
} pp_lm_level_load;

typedef struct pp_lm_bounds {
    uint64_t interval_ps;       /* prefill, without attention: most loaded stage or channel, a token */
    uint64_t stage_ps, channel_ps, port_ps;
    uint32_t stage;             /* stage[] of stage_ps */
    uint32_t channel, port;     /* most loaded network channel (gateways included) and port; PP_NONE */
    uint64_t attention_ps;      /* slowest attention stage at attention_context, one query */
    uint64_t latency_ps;        /* no token, tiles in lockstep or one by one, is sooner through all instances, at
                                   attention_context */
    uint64_t alone_ps;          /* a token alone, in lockstep: what its waits for itself add */
    uint64_t attention_context;
} pp_lm_bounds;

typedef struct pp_lm_mapping {
    pp_lm_graph *graph;         /* owned */
    pp_hier *fabric;            /* owned */
    uint32_t n_templates, n_stages, n_edges, n_targets, n_shares, n_instances, n_attention, n_places;
    pp_lm_template *template_;
    pp_lm_stage *stage;
    pp_lm_edge *edge;
    pp_lm_target *target;
    pp_lm_share *share;
    pp_lm_instance *instance;
    pp_lm_attention *attention; /* [n_parts]; units 0 when the part has none */
    uint32_t *order;            /* [n_places] core of each place */
    double *load;               /* [fabric->n_channels] bits a token, headers included, means over copies and experts */
    pp_lm_level_load level[PP_HIER_MAX_LEVELS];
    pp_lm_bounds bounds;
    uint64_t tiles, tiles_head; /* crossbars in all, of these the head's */
    uint32_t cores_used, groups_used[PP_HIER_MAX_LEVELS]; /* groups of a level with at least one used core */
    uint64_t flows, single_channel_flows; /* source tile to target tile; on one network channel at most */
    uint32_t max_hops, copies_max;
    pp_certificate certificate; /* embedding: every flow has one channel; disjoint: exact edges only; else routed */
    double cut_bits;            /* bits a token over chip boundaries (up at the level below the top), as placed */
    double cut_bits_filled;     /* the same when chips are filled to the last core */
    char *placement;            /* what was chosen, in words */
    struct pp_lm_store *store;  /* the mapper's own: what expanding needs */
} pp_lm_mapping;

/* Columns of a matrix follow each other along a walk through the cores of a group: row by row from the left, or back
 * and forth. Auto lays out a block both ways and keeps the one whose busiest channel carries less. */
typedef enum pp_lm_walk { PP_LM_WALK_AUTO, PP_LM_WALK_RASTER, PP_LM_WALK_SNAKE } pp_lm_walk;
/* Where a group below the top level ends: at the places that the least traffic crosses, or when it is full. */
typedef enum pp_lm_chip_cut { PP_LM_CUT_TRAFFIC, PP_LM_CUT_FILLED } pp_lm_chip_cut;

/* Knobs of section mapping that concern language models alone (mapper/lm_knobs.c). */
typedef struct pp_lm_map_options {
    int walk;                   /* pp_lm_walk, mapping.walk: how tiles walk through the cores of a group */
    int chip_cut;               /* pp_lm_chip_cut, mapping.chip_cut */
    int64_t attention_context;  /* mapping.attention_context: tokens at which bounds and the budget take attention */
    const char *attention_split; /* mapping.attention_split: auto (NULL), or units of a key and value head */
} pp_lm_map_options;
pp_knob_table pp_lm_map_knobs(void);

typedef struct pp_lm_map_input {
    const pp_lm_config *config;
    const pp_arch *arch;
    const pp_quant_options *quant;        /* wbits, abits, psum_bits */
    pp_lm_graph_options graph;            /* abits and slice are filled in by pp_lm_map */
    const pp_fabric_options *fabric;      /* plain or hierarchical; free sizes are fitted */
    const pp_map_options *map;            /* reduction, core_budget */
    pp_lm_map_options lm;
    uint64_t longest;                     /* tokens of the run's longest sequence, if the budget shall take attention there
                                             where that is more than lm.attention_context; 0 */
    uint64_t seed;
    pp_progress *progress;                /* NULL allowed; one step an instance */
} pp_lm_map_input;

pp_status pp_lm_map(pp_lm_mapping **out, const pp_lm_map_input *input);
void pp_lm_mapping_free(pp_lm_mapping *m);
/* All invariants; with brute force (expand) on small models. */
pp_status pp_lm_mapping_check(const pp_lm_mapping *m);
pp_status pp_lm_mapping_dump(char **out, const pp_lm_mapping *m);

/* One token through all instances with `context` tokens to attend to: a bound of every simulation, lockstep or tile by
 * tile (no tile starts or is done sooner: each edge by its quickest packet, sums
 * by the first that is whole), and the time in lockstep with nothing else under way. */
pp_status pp_lm_latency(uint64_t *bound_ps, uint64_t *alone_ps, const pp_lm_mapping *m, uint64_t context);

/* What the mapping was made with; borrowed. */
const pp_arch *pp_lm_mapping_arch(const pp_lm_mapping *m);
uint32_t pp_lm_mapping_psum_bits(const pp_lm_mapping *m);

/* What lies on each core of an instance's places: operator of its part (index in the part) by place, PP_NONE where
 * a place is left free. out[n_places of the instance]. */
pp_status pp_lm_mapping_operators(const pp_lm_mapping *m, uint32_t instance, uint32_t *out);

/* ---- who loads which channel ---- */

typedef struct pp_lm_flow {
    uint32_t edge, instance;    /* edge[]; the instance that receives */
} pp_lm_flow;
typedef struct pp_lm_flow_use {
    uint32_t flow, channel;
    double bits;                /* a token, headers included, means over copies and experts: a part of load[channel] */
} pp_lm_flow_use;
typedef struct pp_lm_traffic {
    uint32_t n_flows;
    size_t n_uses;
    pp_lm_flow *flow;
    pp_lm_flow_use *use;        /* flow by flow, each channel of a flow once */
} pp_lm_traffic;
/* The edges of one instance, those from the instance before and those to the one behind included. Routes them again:
 * O(hops of its packets). */
pp_status pp_lm_mapping_traffic(pp_lm_traffic **out, const pp_lm_mapping *m, uint32_t instance);
void pp_lm_traffic_free(pp_lm_traffic *t); /* NULL allowed */

/* ---- every tile, for small models ---- */

typedef struct pp_lm_tile {
    uint32_t instance, stage;   /* stage[] */
    uint32_t copy, col, row;    /* digital stages with cores of their own: col = unit */
    uint32_t core;
    uint32_t in_lo, in_hi, out_lo, out_hi; /* values */
} pp_lm_tile;
/* One packet a token: values of one source tile to the tiles that need them, along a tree of channels. */
typedef struct pp_lm_net {
    uint32_t instance;          /* that owns the edge (the receiver of edges between instances) */
    uint32_t edge;              /* edge[] */
    uint32_t phase, phases;     /* goes with tokens whose number mod phases is phase (copies); else 0 and 1 */
    uint32_t src;               /* tile; of digital stages: the tile whose core they use */
    uint32_t bits;              /* payload */
    uint32_t first_hop, n_hops; /* hop[]: parents first */
    uint32_t first_end, n_ends; /* end[] */
    bool sum;                   /* inside a stage: leaves when the nets of the same edge and phase that end at tile src
                                   have come (those stand before it) */
} pp_lm_net;
typedef struct pp_lm_hop {
    uint32_t channel, parent;   /* parent: index in hop[], PP_NONE at the root */
} pp_lm_hop;
typedef struct pp_lm_end {
    uint32_t tile;              /* that receives */
    uint32_t hop;               /* by which; PP_NONE: same core */
    uint32_t stage;             /* for which stage (a tile may serve several) */
} pp_lm_end;
typedef struct pp_lm_expanded {
    uint32_t n_tiles, n_nets, n_hops, n_ends;
    pp_lm_tile *tile;
    pp_lm_net *net;
    pp_lm_hop *hop;
    pp_lm_end *end;
    uint32_t *tile_first;       /* [instances x stages_max]: first tile of stage k of an instance; PP_NONE: has none */
    uint32_t stages_max;
} pp_lm_expanded;
/* PP_ERANGE beyond `max_tiles` (0: 262,144). */
pp_status pp_lm_mapping_expand(pp_lm_expanded **out, const pp_lm_mapping *m, uint64_t max_tiles);
/* Instances [first, first + n) alone, of any size, with their edges from the instance before (its tiles are listed, too);
 * what comes back from the end only when all are asked for. */
pp_status pp_lm_mapping_expand_some(pp_lm_expanded **out, const pp_lm_mapping *m, uint32_t first, uint32_t n);
void pp_lm_expanded_free(pp_lm_expanded *x);
/* Tile (copy, col, row) of stage k (of its template) of an instance. */
uint32_t pp_lm_expanded_tile(const pp_lm_expanded *x, const pp_lm_mapping *m, uint32_t instance, uint32_t k,
                             uint32_t copy, uint32_t col, uint32_t row);

#endif
