/* Placement and routing inside mapper/: the task (what must be connected), a layout (where tiles sit and
 * how nets run), and the passes over it. Nothing here allocates in an inner loop. */
#ifndef PP_MAPPER_PLACE_INTERNAL_H
#define PP_MAPPER_PLACE_INTERNAL_H

#include "base/term.h"
#include "mapper/mapper.h"

/* ---- the task (place_task.c) ---- */

/* Weight of the heaviest edge that any net needs: all others are scaled to it. */
#define PP_WEIGHT_FULL 256

/* One multicast. Its channel ranges are cut into atoms, so that a set of channels is a bit mask. */
typedef struct pp_task_net {
    uint32_t src;                 /* tile */
    uint8_t kind;                 /* pp_flow_kind */
    uint32_t first_flow, n_flows; /* task.net_flow */
    uint32_t first_sink, n_sinks; /* task.sink_*: distinct destination tiles, in tile order */
    uint32_t first_atom, n_atoms; /* task.atom: channels in each atom, at most 64 atoms */
    uint32_t width;               /* bits of a value */
    uint64_t pixels, packets;     /* an inference */
    uint64_t bits;                /* with all its atoms, headers included */
    uint32_t weight;              /* the same, scaled */
} pp_task_net;

/* Distances in network channels (place_metric.c). A home is a vertex at which one or several cores hang. */
#define PP_FAR UINT16_MAX
typedef struct pp_metric {
    const pp_fabric *fabric; /* borrowed */
    uint32_t n_homes, n_vertices, n_near;
    uint32_t *home, *home_at;    /* [n_cores] of a core, [n_vertices] at a vertex or PP_NONE */
    uint32_t *vertex;            /* [n_homes] */
    uint16_t *hops;              /* [n_homes x n_vertices] from a vertex to a home, PP_FAR: no way; NULL: too many */
    uint32_t *core_first, *core; /* cores of a home: CSR */
    uint32_t *near;              /* [n_homes x n_near] nearest homes, itself first; NULL: as hops */
} pp_metric;

typedef struct pp_task {
    const pp_fabric *fabric; /* borrowed */
    pp_metric *metric;       /* with a table when the task is large */
    bool large;              /* placed by distances first */
    pp_routing routing;
    uint32_t n_tiles, n_nets, n_sinks;
    pp_task_net *net;
    uint32_t *net_flow; /* [n_flows] */
    uint32_t *sink_tile;
    uint64_t *sink_mask; /* atoms that the sink needs */
    uint32_t *atom;
    uint32_t *touch_first, *touch; /* nets that begin or end at a tile: CSR */
    uint64_t max_bits;             /* of a net */
    int64_t channel_cost, depth_cost; /* of a channel as such, and of each between a source and a sink */
    uint32_t *leave, *enter;       /* [n_cores] vertex where the core's packets enter and leave the network */
    uint32_t *slow;                /* [n_network] 256 x fastest rate / rate of the channel */
    pp_progress *bar;              /* of the search under way, PP_TASK_TICKS a candidate; NULL: none */
} pp_task;
#define PP_TASK_TICKS 1000u

/* A search has done this share of its work; *told: ticks that the bar has heard of. Any thread. */
static inline void pp_task_tick(const pp_task *task, double share, uint32_t *told)
{
    const uint32_t ticks = (uint32_t)((share < 1 ? share : 1) * PP_TASK_TICKS);
    if (task->bar && ticks > *told)
        pp_progress_step(task->bar, ticks - *told);
    *told = ticks > *told ? ticks : *told;
}

/* Nets of the mapping's flows on `fabric`; fails when there are more tiles than cores. */
pp_status pp_task_new(pp_task **out, const pp_mapping *m, const pp_fabric *fabric);
void pp_task_free(pp_task *task);
/* Homes of the task's fabric, and the table of distances when asked for. */
pp_status pp_metric_new(pp_metric **out, const pp_task *task, bool table);
void pp_metric_free(pp_metric *metric);
/* Channels from core a to core b, or their distance on the chip where no table was made. */
static inline uint32_t pp_metric_hops(const pp_metric *m, uint32_t a, uint32_t b)
{
    uint32_t from = m->home[a], to = m->home[b];
    if (m->hops)
        return m->hops[(size_t)to * m->n_vertices + m->vertex[from]];
    const pp_vertex *u = &m->fabric->vertex[m->vertex[from]], *v = &m->fabric->vertex[m->vertex[to]];
    float dx = u->x > v->x ? u->x - v->x : v->x - u->x, dy = u->y > v->y ? u->y - v->y : v->y - u->y;
    return (uint32_t)(dx + dy + 0.5F);
}
/* A core near `core`, the nearer the likelier, and now and then any. */
uint32_t pp_metric_propose(const pp_metric *m, pp_rng *rng, uint32_t core);
/* Bits an inference on an edge that carries the atoms in `mask`, headers included; and its weight. */
uint64_t pp_task_bits(const pp_task *task, const pp_task_net *net, uint64_t mask);
uint32_t pp_task_weight(const pp_task *task, const pp_task_net *net, uint64_t mask);

/* ---- layouts (route.c) ---- */

typedef struct pp_branch {
    uint32_t channel, parent; /* parent: index in the same tree, PP_NONE at the root */
    uint32_t to;              /* vertex at its far end */
    uint32_t depth;           /* network channels from the source, this one included */
    uint32_t weight;
    uint64_t mask;
} pp_branch;

/* The tree of one net, parents first. */
typedef struct pp_net_tree {
    pp_branch *data;
    size_t len, cap;
    uint32_t unreached; /* sinks without a way */
    int64_t self;       /* energy that does not depend on other nets */
} pp_net_tree;

/* Smaller is better, compared field by field. */
typedef struct pp_score {
    uint32_t unreached;
    uint32_t certificate; /* pp_certificate */
    uint64_t max_load;    /* bits on the busiest network channel, slower channels count more */
    uint64_t flow_hops;   /* network channels, summed over flows: latency and pass-through traffic */
    uint64_t bit_hops;    /* bits x network channels of all trees */
} pp_score;

/* What a shared channel costs. Energy of a channel with `count` nets and `load`:
 * count_cost x count (count - 1) / 2 + load_cost x max(0, load - cap). */
typedef struct pp_congestion {
    int64_t count_cost, load_cost, cap;
} pp_congestion;

typedef struct pp_route_scratch pp_route_scratch;

typedef struct pp_layout {
    const pp_task *task;    /* borrowed */
    uint32_t *core;         /* [n_tiles] */
    uint32_t *tile_of_core; /* [n_cores], PP_NONE when free */
    pp_net_tree *tree;      /* [n_nets] */
    uint32_t *sink_end;     /* [n_sinks] branch at whose far end the sink is; PP_NONE: at the root's vertex */
    int64_t *load;          /* [n_network] weights */
    uint32_t *count;        /* [n_network] nets */
    int64_t *history;       /* [n_network] price of channels that were fought over (negotiation) */
    pp_congestion congestion;
    int64_t energy; /* of everything routed, history left out */
    pp_score score; /* as of the last pp_layout_score */
    pp_route_scratch *scratch;
    uint64_t work_end; /* of scratch's work: where searching ends */
} pp_layout;

/* All tiles unplaced, no net routed. */
pp_status pp_layout_new(pp_layout **out, const pp_task *task);
void pp_layout_free(pp_layout *layout);
/* Copies everything but scratch; both belong to one task. */
pp_status pp_layout_copy(pp_layout *to, const pp_layout *from);
/* Tile t goes to core[t]; routes are forgotten. */
void pp_layout_put(pp_layout *layout, const uint32_t *core);
/* Changes the prices and recomputes the energy. */
void pp_layout_price(pp_layout *layout, pp_congestion congestion);
/* Routes a net that has no route, at the present prices; or takes its route away (the array stays). */
pp_status pp_layout_route(pp_layout *layout, uint32_t net);
void pp_layout_rip(pp_layout *layout, uint32_t net);
/* Puts a tree back that was taken away: `tree` and sink ends as pp_layout_take gave them. */
void pp_layout_take(pp_layout *layout, uint32_t net, pp_net_tree *tree, uint32_t *sink_end);
void pp_layout_give(pp_layout *layout, uint32_t net, pp_net_tree *tree, const uint32_t *sink_end);
/* Computes and keeps the score. */
pp_score pp_layout_score(pp_layout *layout);
int pp_score_compare(const pp_score *a, const pp_score *b);

/* ---- passes ---- */

/* Routes all nets of placed tiles (route_negotiate.c): by the fabric's routing function, or, when that
 * is BALANCED, by negotiation. Ends with the best routes seen and their score. */
pp_status pp_layout_route_all(pp_layout *layout);

/* Starts (place_start.c): core of the i-th tile for a named order; PP_EUNSUPPORTED when the fabric is
 * no grid and the order needs one. `shift` (zigzag): tiles left out at the beginning of the band. */
typedef enum pp_start {
    PP_START_LINEAR,
    PP_START_SNAKE,
    PP_START_ZIGZAG,
    PP_START_BISECTION,
    PP_START_EMBEDDING, /* not one of pp_start_cores: place_embed.c */
    PP_START_COUNT
} pp_start;
const char *pp_start_name(pp_start start);
bool pp_start_fits(const pp_fabric *fabric, pp_start start, uint32_t shift, uint32_t n_tiles);
pp_status pp_start_cores(const pp_fabric *fabric, pp_start start, uint32_t shift, uint32_t n_tiles, uint32_t *core);

/* Embedding by construction (place_embed.c): core[n_tiles] when *found; not found proves nothing. */
pp_status pp_embed(const pp_task *task, uint32_t *core, bool *found);

/* Annealing by distances alone (place_distance.c): core[n_tiles] is a placement before and after, which
 * is not longer then. `heat`: first temperature in mean pulls of a tile. The task has a metric. */
pp_status pp_distance_anneal(const pp_task *task, uint32_t *core, uint64_t moves, double heat, uint64_t seed,
                             uint64_t object);

/* Simulated annealing of a routed layout (anneal.c): `moves` proposals, random numbers keyed by
 * (seed, object). Ends with the best layout seen, which is never worse than the one that came in. */
pp_status pp_layout_anneal(pp_layout *layout, uint64_t moves, uint64_t seed, uint64_t object);

/* Writes the layout into the mapping: cores, nets, edges, hops, ports, loads, certificate (route_commit.c). */
pp_status pp_layout_commit(const pp_layout *layout, pp_mapping *m);

#endif
