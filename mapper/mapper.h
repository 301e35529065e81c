/* mapper/: from a quantized network to tiles on cores, flows on channels, and bounds.
 *
 * Three steps: plan (tile, unroll, copy; the logical flows between tiles), place (tiles on cores,
 * nets on channels), analyse (required bandwidth, bounds, buffers). Each fills its part of one
 * pp_mapping; pp_map does all three and picks the fabric's size where it is free. */
#ifndef PP_MAPPER_MAPPER_H
#define PP_MAPPER_MAPPER_H

#include "arch/arch.h"
#include "quant/quant.h"
#include "topology/topology.h"

typedef enum pp_reduction { PP_REDUCE_STAR, PP_REDUCE_CHAIN, PP_REDUCE_TREE, PP_REDUCE_AUTO } pp_reduction;

/* Section "mapping" of a run file (knobs: mapper/knobs.c). */
typedef struct pp_map_options {
    const char *placement;  /* auto | linear | snake | zigzag | search */
    const char *unroll;     /* auto | none | patches by height of the output map "32:1x4,16:1x1" */
    const char *copies;     /* auto | N | by height "32:2,16:1"; 1 when unroll is set and copies is not */
    int64_t core_budget;    /* cores that unrolling and copies may use; 0 = the cores that the network
                               needs at one pixel an MVM and one copy */
    int reduction;          /* pp_reduction */
    const char *buffers;    /* auto | unlimited | N positions a flow */
    int64_t effort;         /* annealing moves a tile (times tiles), default in knobs.c; 0 = starts only */
    int64_t psum_window;    /* firings that a row tile may be ahead of its unfinished sums; 0 = unlimited */
} pp_map_options;
pp_knob_table pp_map_knobs(void);

/* How one stage is laid out. Tile (copy, col, row) of the stage has index
 * first_tile + (copy x col_tiles + col) x row_tiles + row. The head of a (copy, col) is the tile with
 * row = row_tiles - 1: it sums, adds bias and residual, activates, pools and emits the stream slice. */
typedef struct pp_plan {
    const char *name;          /* of the stage, for messages; borrowed from the stages; may be NULL */
    pp_patch patch;            /* output pixels of the firing map that one MVM computes */
    uint32_t copies;           /* firing p is done by copy p mod copies */
    uint32_t row_tiles, col_tiles;
    uint32_t first_tile, n_tiles;
    uint32_t positions;        /* firings an inference, all copies together */
    pp_patch out_patch;        /* in which its stream leaves */
    uint32_t out_positions;    /* positions of its stream an inference */
    uint32_t reduction;        /* pp_reduction, resolved (chain when row_tiles == 1) */
    pp_mvm_time mvm;           /* of its largest tile; interval = digital interval for stages without matrix */
    uint64_t busy_ps;          /* of one core, one inference: interval x its firings */
} pp_plan;

/* One crossbar (or one digital stage's share) on one core. Rows: input channels [in_lo, in_hi) of the
 * matrix input, each with the whole unrolled window; columns: output channels [out_lo, out_hi), each
 * for all pixels of the patch. Grouped convolutions: whole groups, block-diagonal. */
typedef struct pp_tile {
    uint32_t stage, copy, col, row;
    uint32_t in_lo, in_hi, out_lo, out_hi;
    uint32_t rows_used, cols_used;
    uint64_t cells_useful;     /* cells that hold a weight (unrolling leaves others at zero) */
    bool head;
    uint32_t core;             /* set by placement; PP_NONE before */
} pp_tile;

typedef enum pp_flow_kind { PP_FLOW_ACTIVATION, PP_FLOW_RESIDUAL, PP_FLOW_PSUM } pp_flow_kind;

/* One source tile's data to one consumer tile. A flow of activations carries channels [ch_lo, ch_hi)
 * of `stream` (inside the source's slice); with copies, the positions that its source copy emits,
 * all of them to every consumer. A psum flow carries the columns [ch_lo, ch_hi) of the partial sums of
 * every firing of its copy. A packet is one position. */
typedef struct pp_flow {
    uint32_t src, dst;         /* tiles */
    uint8_t kind;              /* pp_flow_kind */
    uint8_t input;             /* index into the consumer stage's inputs; psum: 0 */
    uint32_t stream;           /* stream that it carries; psum: stream of its stage */
    uint32_t ch_lo, ch_hi;
    uint32_t bits_per_pixel;   /* (ch_hi - ch_lo) x width of a value; header not included */
    uint32_t positions;        /* packets an inference */
    uint64_t bits;             /* payload bits an inference (edge patches counted as they are) */
    uint32_t net;
    uint32_t first_hop, hops;  /* network channels of its way: hop[first_hop .. +hops) */
    uint32_t buffer_min;       /* positions that its buffer must hold: with these no order of events deadlocks */
    uint32_t buffer;           /* capacity given; 0 = unlimited. A place is taken when the firing that makes the
                                  packet starts, so that a firing needs room for all that it emits */
} pp_flow;

/* Flows of one source tile that carry one stream (or one psum flow): one multicast. A packet enters
 * once and is copied where its tree branches; each edge carries the union of the channels needed
 * below it. Edges stand parents first. Includes the port channels when the fabric has ports. */
typedef struct pp_net {
    uint32_t src;              /* tile */
    uint8_t kind;              /* pp_flow_kind of its flows (activation when mixed with residual) */
    uint32_t first_flow, n_flows; /* net_flow[first_flow ..] lists its flows */
    uint32_t first_edge, n_edges;
    uint64_t packets;          /* an inference */
} pp_net;

typedef struct pp_net_edge {
    uint32_t channel;
    uint32_t parent;           /* index in edge[], PP_NONE at the root */
    uint32_t bits_per_pixel;   /* payload */
    uint64_t bits;             /* payload + headers, an inference */
    uint32_t first_end, n_end; /* flows that end at this edge's far side: edge_end[first_end ..] */
} pp_net_edge;

typedef enum pp_certificate { PP_CERT_EMBEDDING, PP_CERT_DISJOINT, PP_CERT_ROUTED } pp_certificate;
const char *pp_certificate_name(pp_certificate c); /* "embedding" "disjoint" "routed" */

/* Bounds and static analysis; all per inference, computed before any simulation. */
typedef struct pp_bounds {
    uint64_t interval_ps;      /* max of the four below */
    uint64_t core_ps, channel_ps, port_ps, input_ps; /* busiest core, network channel, port, input feed */
    uint32_t core_tile, channel, port;               /* which; PP_NONE when there is none */
    uint64_t latency_ps;       /* first inference alone, no sharing: longest weighted path */
    double max_channel_gbps, mean_channel_gbps;      /* at interval_ps; mean over all network channels */
    double max_port_gbps;      /* ports; with per_link the traffic that ends at one link's receiver */
    double max_channel_utilisation;
    double wire_bit_pitches;   /* sum of bits x length */
} pp_bounds;

/* How the required bandwidth is spread, over all network channels. */
typedef struct pp_traffic {
    uint32_t channels_used;
    double p50_gbps, p95_gbps, p99_gbps; /* the least value that this share of the channels does not exceed */
    double mean_hops;                    /* network channels of a flow */
    double wire_bit_pitches;             /* sum of bits x length, an inference */
} pp_traffic;

typedef struct pp_mapping {
    uint32_t n_stages, n_tiles, n_flows, n_nets, n_edges, n_hops, n_edge_ends, n_channels;
    pp_plan *plan;             /* [n_stages] */
    pp_tile *tile;
    pp_flow *flow;
    uint32_t *flow_of_tile_first, *flow_of_tile; /* incoming flows of a tile: CSR, [n_tiles + 1] */
    uint32_t *net_of_tile_first, *net_of_tile;   /* outgoing nets of a tile: CSR */
    pp_net *net;
    uint32_t *net_flow;
    pp_net_edge *edge;
    uint32_t *edge_end;
    uint32_t *hop;
    uint64_t *channel_bits;    /* [n_channels] bits an inference over each channel, headers included */
    uint32_t *channel_flows;   /* [n_channels] nets on each channel */
    uint32_t cores_used, unroll_max, copies_max, max_hops, single_channel_flows;
    pp_certificate certificate;
    pp_bounds bounds;
    char *placement;           /* what was chosen, in words: "linear", "snake 6x6 + search" */
} pp_mapping;

void pp_mapping_free(pp_mapping *m);
/* All invariants: channel ranges cover what consumers need, every flow has a way that starts and ends
 * at its tiles' cores, trees are trees, one tile a core, loads add up (brute-force sum over packets).
 * fabric NULL: plan, tiles and flows only. Slow. */
pp_status pp_mapping_check(const pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric);
pp_status pp_mapping_dump(char **out, const pp_mapping *m, const pp_fabric *fabric);

/* Plan and tiles alone, every stage at one pixel an MVM and one copy: matrices that stand by themselves. No flows, no
 * placement. */
pp_status pp_map_tiles(pp_mapping **out, const pp_qnetwork *q, const pp_arch *arch);

/* Plan, fit the fabric (rows, cols of `fabric_options` that are 0 are filled), place, analyse. */
pp_status pp_map(pp_mapping **out, pp_fabric **out_fabric, const pp_qnetwork *q, const pp_arch *arch,
                 pp_fabric_options *fabric_options, const pp_map_options *options, uint64_t seed, pp_pool *pool);

/* The smallest fabric of `fabric_options` for a plan: builds it, and fills the sizes that are 0. A 5pp with
 * free rows and columns is one row where the tiles embed in it in their order, and near square elsewhere. */
pp_status pp_map_fabric(pp_fabric **out, pp_fabric_options *fabric_options, const pp_mapping *m);

/* The three steps, for tests and other front ends. `channel` is a network channel as the fabric will
 * have it (lanes, rate): unrolling is chosen against its rate. pp_map_analyse fills bounds and buffers
 * of a placed mapping; pixels enter at the rate of the fabric's first channel. */
pp_status pp_map_plan(pp_mapping **out, const pp_qnetwork *q, const pp_arch *arch, const pp_channel *channel,
                      uint32_t header_bits, const pp_map_options *options);
pp_status pp_map_place(pp_mapping *m, const pp_fabric *fabric, const pp_map_options *options, uint64_t seed,
                       pp_pool *pool);
pp_status pp_map_analyse(pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric,
                         const pp_map_options *options);

/* Of an analysed mapping, at its bound of the interval. */
pp_status pp_mapping_traffic(pp_traffic *out, const pp_mapping *m, const pp_fabric *fabric);

/* ---- the recurrence: the pipeline by max-plus algebra, no sharing, no events ----
 *
 * A firing starts when its inputs have arrived and its core is free; a packet leaves in order and
 * arrives after serialisation on the slowest channel of its way plus latencies. Buffers are unlimited.
 * Pixels enter one by one at the rate of `channel`. Equations: docs/mapping.md sec. 4. The simulation
 * without sharing must equal it. */
typedef struct pp_recurrence_result {
    uint64_t latency_ps;       /* last result of the output stage is complete, first inference */
    uint64_t interval_ps;      /* between the last two inferences; 0 when there is one */
    uint32_t *buffer;          /* [n_flows] most places of its buffer taken at once: from the start of the
                                  firing that makes a packet until the consumer has read it; caller frees */
} pp_recurrence_result;
/* inferences >= 1; period_ps > 0: inference i enters not before i x period_ps. fabric NULL: every flow
 * has one channel like `channel` to itself and packets have no headers. With a placed mapping and its
 * fabric `channel` is that of the pixels alone (NULL: as the fabric's first). */
pp_status pp_recurrence(pp_recurrence_result *out, const pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch,
                        const pp_fabric *fabric, const pp_channel *channel, uint32_t inferences, uint64_t period_ps);

/* Stream channels of input k that a tile needs; false when it needs none (residuals go to heads). */
bool pp_tile_needs(const pp_qnetwork *q, const pp_tile *tile, uint32_t k, uint32_t *lo, uint32_t *hi);
/* Row tiles of each stage in the form of the integer reference (arrays owned by *owner; free with free). */
pp_status pp_mapping_row_tiles(pp_row_tiles *out, void **owner, const pp_mapping *m, const pp_qnetwork *q);

/* ---- certificate ---- */

/* JSON (docs/certificate.md): network, arrays, patches and copies, fabric, tiles with cores, flows with
 * the vertices of their way. Holds nothing that the verifier does not check. */
pp_status pp_certificate_write(const char *path, const pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch,
                               const pp_fabric *fabric, bool force);
/* The same for what was not opened by its built-in name: `model` is what pp_model_open takes, `fabric_text`
 * what pp_fabric_parse takes (a path in either is seen from the certificate's folder, else from the
 * working folder). NULL: the network's own name, the fabric's canonical one. */
pp_status pp_certificate_write_as(const char *path, const char *model, const char *fabric_text, const pp_mapping *m,
                                  const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric, bool force);
/* Independent of the mapper: rebuilds the required flows from network and tiling rules, the fabric from
 * its name, and checks every line. *valid, and the reasons (errors[n_errors], caller frees each and the
 * list). A file that cannot be read at all is a status. */
pp_status pp_certificate_verify(const char *path, bool *valid, char ***errors, size_t *n_errors);

#endif
