/* topology/: fabrics. igraph is seen nowhere else.
 *
 * A fabric is a directed graph. Vertices are cores, switches, or both (on direct fabrics every vertex
 * is a core with its own switch). Edges are channels; ports between a core and its switch are
 * channels too (kind PORT). Indices are dense; arrays are owned by the fabric; const once built. */
#ifndef PP_TOPOLOGY_TOPOLOGY_H
#define PP_TOPOLOGY_TOPOLOGY_H

#include "base/base.h"

#define PP_NO_VERTEX UINT32_MAX
#define PP_NO_CHANNEL UINT32_MAX
#define PP_NO_EDGE UINT32_MAX

typedef enum pp_vertex_kind { PP_VERTEX_BOTH, PP_VERTEX_CORE, PP_VERTEX_SWITCH } pp_vertex_kind;
/* Which way the channels along a row lead: both ways, to higher columns, or even rows to higher and odd
 * rows to lower columns. */
typedef enum pp_row_direction { PP_ROWS_BOTH, PP_ROWS_FORWARD, PP_ROWS_ALTERNATE } pp_row_direction;
typedef enum pp_channel_kind { PP_CHANNEL_NETWORK, PP_CHANNEL_INJECT, PP_CHANNEL_EJECT } pp_channel_kind;

typedef struct pp_vertex {
    uint32_t core;     /* core index, or PP_NO_VERTEX for a pure switch */
    uint8_t kind;      /* pp_vertex_kind */
    int32_t coord[3];  /* cores: row, column, plane of the place on the chip; switches: docs/fabrics.md */
    float x, y;        /* drawing, in core pitches */
    const char *name;  /* GraphML id, or NULL: named by coordinates */
} pp_vertex;

typedef struct pp_channel {
    uint32_t src, dst;   /* vertices; INJECT leads from a core to its switch, EJECT back: src == dst where they are one */
    uint8_t kind;        /* pp_channel_kind */
    uint8_t port;        /* port number at the core, for INJECT and EJECT */
    uint32_t lanes;
    double lane_gbps;    /* rate of a lane: width_bits x clock_hz, or rate_gbps */
    uint32_t latency_ps; /* wire and router latency of the head */
    float length;        /* core pitches */
} pp_channel;

/* Section "fabric" of a run file (knob table: topology/knobs.c). */
typedef struct pp_fabric_options {
    const char *kind;        /* "5pp", "mesh", "torus", "file:x.graphml" or a whole FABRIC string */
    const char *file;        /* GraphML when kind is "file" */
    int64_t rows, cols;      /* of cores, or of routers (cmesh, flatfly); 0 = the mapper picks */
    int64_t cores;           /* ring, hypercube, star, full; 0 = the mapper picks */
    int64_t planes;          /* mesh3d, torus3d; 0 = the mapper picks */
    int64_t nodes;           /* cores a router: cmesh, flatfly (0 = 4), dragonfly (0 = the mapper picks) */
    int64_t arity, levels;   /* tree, fattree (arity 0 = 4), htree; levels 0 = the mapper picks */
    const pp_node *level_list; /* knob fabric.levels: a number is `levels`; a list: levels of a hierarchy (hier.h) */
    int64_t taper;           /* tree, htree: factor of lanes from level to level towards the root; 0 = 1 */
    int64_t interval;        /* express: hops that an express channel spans; 0 = 4 */
    int64_t express;         /* cmesh: 1 = express channels along the edges */
    int64_t routers, global; /* dragonfly: routers a group, global links a router; 0 = 2 nodes, nodes */
    int64_t groups;          /* dragonfly; 0 = the mapper picks */
    int64_t degree, diameter; /* kautz; degree 0 = 3, diameter 0 = the mapper picks */
    int64_t reach;           /* 5pp: farthest column reached, default 2 */
    const char *row_direction; /* 5pp: both | forward | alternate */
    bool wrap;               /* 5pp */
    int channel;             /* pp_channel_preset: width and clock of channels in one word */
    int64_t width_bits;      /* of a lane */
    double clock_hz;
    double rate_gbps;        /* 0 = width x clock */
    int64_t lanes;
    int64_t header_bits;     /* added to every packet */
    int64_t wire_ps;         /* latency a pitch of wire */
    int64_t router_ps;       /* latency of a hop through a switch */
    int64_t fifo_packets;    /* FIFO behind each network channel, packets; 0 = unlimited */
    int64_t credit_ps;       /* credit return delay */
    const char *local_ports; /* auto (per_link for 5pp and direct links, 1 for router fabrics) | per_link | N */
    int64_t local_lanes;     /* lanes of a port; 0 = as the channels */
    const char *normalise;   /* compare: channel | pins | wire | bisection | area (topology/normalise.h) */
    double wire_pitch_um;    /* of the wires of channels and switches */
    const char *routing;     /* auto | xy | yx | shortest | native | balanced */
} pp_fabric_options;
pp_knob_table pp_fabric_knobs(void);

/* fabric.channel: 5g is 8 bit x 625 MHz = 5 Gbit/s; llm is 64 bit x 625 MHz = 40 Gbit/s, on which 256 sums of 16
 * bits take about as long as an MVM of 100 ns. Its i-th value as knob name and text; NULL past the end. */
typedef enum pp_channel_preset { PP_CHANNEL_CUSTOM, PP_CHANNEL_5G, PP_CHANNEL_LLM } pp_channel_preset;
const char *pp_channel_preset_value(pp_channel_preset preset, size_t i, const char **value);

/* Parses FABRIC ("kind[:key=value,...]", "file:PATH") over `options` (text is copied into `config`-like
 * storage `arena`). Unknown kinds and keys name the nearest one. */
pp_status pp_fabric_parse(pp_fabric_options *options, pp_arena *arena, const char *text);

/* The sizes a fabric was built with, defaults filled in; 0 where the kind has no such size. */
typedef struct pp_fabric_shape {
    uint32_t rows, cols, planes; /* grids of cores or routers; k5prism: rows = order of the complete graph */
    uint32_t nodes;              /* cores a router, */
    uint32_t block_rows, block_cols; /* which stand in a block of this size */
    uint32_t arity, levels, taper;
    uint32_t interval, express;
    uint32_t routers, global, groups;
    uint32_t degree, diameter;
} pp_fabric_shape;

typedef struct pp_fabric {
    char *kind;              /* "5pp" */
    char *name;              /* canonical FABRIC string: "5pp:rows=8,cols=8" */
    uint32_t n_vertices, n_cores, n_channels, n_network; /* network channels come first */
    pp_vertex *vertex;
    uint32_t *core_vertex;   /* [n_cores] */
    uint32_t *core_switch;   /* [n_cores] vertex whose network channels serve the core: core_vertex on direct fabrics */
    pp_channel *channel;
    uint32_t *out_first, *out_channel; /* CSR by source vertex, network channels only: out_first[n_vertices + 1] */
    uint32_t *in_first, *in_channel;   /* CSR by destination vertex, network channels only */
    uint32_t ports;          /* N injection and N ejection channels a core; 0: a port for each link (per_link), no channels */
    uint32_t *inject, *eject;/* [n_cores * ports] channel of (core, port); NULL when per_link */
    pp_fabric_shape shape;
    uint32_t core_rows, core_cols; /* places of the cores: coord[0] < core_rows, coord[1] < core_cols; 0: unknown (files) */
    uint32_t rows, cols;     /* line grids (vertex = row x cols + col; a ring is one row); 0 otherwise */
    uint32_t reach;          /* grids: longest step along a row; steps along a column are 1 */
    uint8_t row_direction;   /* grids: pp_row_direction */
    bool wrap;               /* grids: lines close to rings */
    uint32_t header_bits, fifo_packets, credit_ps;
    const char *routing;     /* resolved: how routes are chosen by default ("balanced", "xy" ...); static */
    char source_sha256[65];  /* GraphML content, or "" */
    char *names;             /* storage of the vertices' names; NULL when they have none */
} pp_fabric;

/* Builds; options must have sizes (rows, cols > 0 where the kind needs them). */
pp_status pp_fabric_build(pp_fabric **out, const pp_fabric_options *options);
void pp_fabric_free(pp_fabric *fabric);
pp_status pp_fabric_check(const pp_fabric *fabric);
/* Kinds that can be built: name, one sentence, NULL past the end. Smallest sizes of a kind that hold
 * `cores` (grid: near square; with free rows 5pp takes one row). Fields that are set stay. */
const char *pp_fabric_kind(size_t i, const char **text);
pp_status pp_fabric_fit(pp_fabric_options *options, uint32_t cores);

/* "r3c5" or the GraphML id; into buffer[size]. */
const char *pp_vertex_label(const pp_fabric *fabric, uint32_t vertex, char *buffer, size_t size);

/* ---- time on a channel ---- */

/* Serialisation of a packet: bits are striped over the lanes, the fullest lane decides:
 * ceil(bits / lanes) bits at lane_gbps, rounded up to a picosecond. Header bits are not added here. */
uint64_t pp_channel_serialise_ps(const pp_channel *channel, uint64_t bits);
double pp_channel_rate_gbps(const pp_channel *channel); /* all lanes */

/* ---- routes ---- */

typedef enum pp_routing {
    PP_ROUTING_XY,       /* dimension order: along the row (columns) first, then along the column */
    PP_ROUTING_YX,
    PP_ROUTING_SHORTEST, /* fewest channels, ties by lowest channel index */
    PP_ROUTING_NATIVE,   /* the kind's own: first candidates of pp_routefn "auto" (routefn.h); files: shortest */
    PP_ROUTING_BALANCED  /* the mapper chooses routes by load (mapper/route.c) */
} pp_routing;
/* "xy", "yx", "shortest", "native", "balanced": static. Parse also takes "auto": the fabric's own. */
const char *pp_routing_name(pp_routing routing);
pp_status pp_routing_parse(pp_routing *out, const char *text, const pp_fabric *fabric);

/* Network channels from vertex src to dst (a core stands for its switch) by the routing function (not BALANCED): at
 * most `cap` into path, count in *n. Fails when unreachable or the routing does not fit the fabric. XY and YX on a torus
 * go the short way (ties towards higher coordinates) and on 5pp take the longest steps first. Only SHORTEST searches,
 * the others compute each hop. */
pp_status pp_route(const pp_fabric *fabric, pp_routing routing, uint32_t src, uint32_t dst, uint32_t *path,
                   size_t cap, size_t *n);
/* Hops (network channels) from vertex src to all, [n_vertices], UINT32_MAX when unreachable. A core stands for its
 * switch, so that cores of one router are 0 apart. */
pp_status pp_distances(const pp_fabric *fabric, uint32_t src, uint32_t *distance);

/* Multicast tree: union of the unicast routes made a tree (a vertex reached twice keeps the first
 * way). edges[i] = channel, parent[i] = index of the edge before it or PP_NO_EDGE at the root; edges
 * come in an order in which parents stand before children. Caller frees both arrays. */
typedef struct pp_tree {
    uint32_t n;
    uint32_t *edge, *parent;
} pp_tree;
pp_status pp_route_tree(pp_tree *out, const pp_fabric *fabric, pp_routing routing, uint32_t src,
                        const uint32_t *dst, uint32_t n_dst);
void pp_tree_free(pp_tree *tree);

/* Whether the routing function's channel dependency graph has a cycle; on a cycle *n_cycle > 0
 * channels in cycle (caller frees). PAPER: dally1987. */
pp_status pp_route_check(const pp_fabric *fabric, pp_routing routing, uint32_t **cycle, uint32_t *n_cycle);

/* ---- metrics, files, drawings ---- */

typedef struct pp_fabric_metrics {
    uint32_t cores, channels;        /* channels: of the network */
    uint32_t degree_min, degree_max; /* network channels that leave a core's switch */
    uint32_t diameter;               /* of the pairs that have a way */
    uint32_t bisection_channels;     /* both ways across the cut; the cores of a switch stay together, and the
                                        halves differ by at most one switch's cores */
    bool bisection_exact;            /* by formula, by trying all halves, or the best cut found meets a lower bound;
                                        false: best of coordinate and spectral halves */
    double bisection_gbps;           /* rate of these channels */
    uint32_t radix_max;              /* ports of the largest switch one way: network channels and its cores' ports */
    double longest_pitches;          /* of a network channel */
    bool sampled;                    /* distances from a subset of cores (fixed stride) */
    uint64_t unreachable;            /* ordered pairs of cores without a way, of those looked at */
    double mean_distance;            /* over ordered pairs of different cores that have a way */
    double wire_pitches;             /* sum of lengths of the network channels */
} pp_fabric_metrics;
pp_status pp_fabric_measure(const pp_fabric *fabric, pp_fabric_metrics *out);

/* GraphML with every attribute needed to read it back (docs/fabrics.md). Reader: vertex attributes
 * kind (core|switch|both), row, col, plane, x, y; edge attributes lanes, lane_gbps, latency_ps, length;
 * directed edges. A missing attribute takes the value of `options`, except those that the page calls
 * required: one line naming vertex or edge. */
pp_status pp_fabric_write_graphml(const pp_fabric *fabric, const char *path, bool force);
pp_status pp_fabric_write_dot(const pp_fabric *fabric, const char *path, bool force);
pp_status pp_fabric_write_svg(const pp_fabric *fabric, const char *path, bool force);

/* ---- for the mapper ---- */

/* Subgraph monomorphism by igraph's LAD: guest of n vertices, edges (from[i] -> to[i]), into the cores
 * of the fabric by network channels, at most 4096 cores. domain (NULL: every core is allowed): domain[v]
 * lists the n_domain[v] allowed cores of v; domain[v] = NULL: all. *found and core[n] on success; *exhausted: the
 * search ended (so not found is a proof). time_s (processor time, rounded up to a second) 0: no limit. */
pp_status pp_graph_embed(const pp_fabric *fabric, uint32_t n, const uint32_t *from, const uint32_t *to,
                         uint32_t n_edges, const uint32_t *const *domain, const uint32_t *n_domain, double time_s,
                         bool *found, bool *exhausted, uint32_t *core);
/* Spectral order of a weighted undirected graph: order[n] lists the vertices by their entry in the
 * Fiedler vector, ties by index, so that vertex 0's side comes first; component after component.
 * weight NULL: 1 each; weights are positive. Large graphs on which the eigensolver does not settle are
 * ordered by breadth-first search from a far end instead. */
pp_status pp_graph_order(uint32_t n, const uint32_t *from, const uint32_t *to, const double *weight,
                         uint32_t n_edges, uint32_t *order);

/* Version of igraph ("0.10.2"). */
const char *pp_igraph_version(void);

#endif
