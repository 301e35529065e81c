/* Between route.c and route_tree.c: the buffers of tree growing, and the prices both agree on. */
#ifndef PP_MAPPER_ROUTE_INTERNAL_H
#define PP_MAPPER_ROUTE_INTERNAL_H

#include "mapper/place_internal.h"

/* Price of a sink without a way, in units of 1 / PP_WEIGHT_FULL of the heaviest net's edge. */
#define PP_COST_UNREACHED 1000000

typedef struct pp_heap_item {
    int64_t cost;
    uint32_t vertex;
} pp_heap_item;

/* Marks are stamps, so that a search costs what it visits and not the size of the fabric. */
struct pp_route_scratch {
    uint32_t stamp;
    uint32_t *seen, *done; /* [n_vertices] stamp of the search that reached, that settled it */
    int64_t *cost;         /* [n_vertices] */
    uint32_t *via;         /* [n_vertices] channel that reached it, PP_NONE on the tree */
    uint32_t net_stamp;
    uint32_t *in_tree, *target; /* [n_vertices] net stamp */
    uint32_t *branch;           /* [n_vertices] branch that ends there, PP_NONE at the root */
    uint32_t *way;              /* [n_vertices] channels of one way, backwards; also destinations */
    uint64_t *order;            /* [n_vertices] sinks by distance */
    const uint16_t *row;        /* hops to the sink that is looked for; NULL: any sink, distances unknown */
    int64_t least;              /* cost of a hop at least */
    uint32_t root;
    pp_heap_item *heap;
    size_t n_heap;
    uint64_t work;  /* vertices visited so far: what searching costs, whatever the machine */
    uint64_t *bits; /* [n_network] for scores */
};

pp_status pp_route_scratch_new(pp_route_scratch **out, const pp_fabric *fabric);
void pp_route_scratch_free(pp_route_scratch *s);

static inline uint32_t pp_channel_weight(const pp_task *task, uint32_t channel, uint32_t weight)
{
    uint64_t w = (uint64_t)weight * task->slow[channel] / 256;
    return w > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)w;
}

/* Energy that a net of `weight` adds to a channel that has `count` nets and `load`. */
static inline int64_t pp_congestion_step(const pp_congestion *g, uint32_t count, int64_t load, int64_t weight)
{
    int64_t before = load > g->cap ? load - g->cap : 0;
    int64_t after = load + weight > g->cap ? load + weight - g->cap : 0;
    return g->count_cost * count + g->load_cost * (after - before);
}

/* Grows the tree of `net` into layout->tree[net] and layout->sink_end, masks and weights included, at
 * the layout's prices or by the fabric's routing function; loads are left alone. */
pp_status pp_tree_grow(pp_layout *layout, uint32_t net);

#endif
