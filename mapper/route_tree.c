/* One net's tree: from the source to the nearest sink that is left, over the cheapest channels, until
 * all are reached. Channels of the own tree are free. Ties go to the lower vertex, so that routes do not
 * depend on anything but the layout.
 *
 * Small tasks look for the sink that is cheapest to reach (PAPER: dijkstra1959); those with a metric take
 * the sinks by their distance from the source and look for each with the way that is left as a guide
 * (PAPER: hart1968), which visits little more than the way itself. */
#include "mapper/route_internal.h"

#include <stdlib.h>

/* A tree that has more grows towards its next sinks from these, not they from it. */
#define MANY_BRANCHES 32u

void pp_route_scratch_free(pp_route_scratch *s)
{
    if (!s)
        return;
    free(s->seen);
    free(s->done);
    free(s->cost);
    free(s->via);
    free(s->in_tree);
    free(s->target);
    free(s->branch);
    free(s->way);
    free(s->order);
    free(s->heap);
    free(s->bits);
    free(s);
}

pp_status pp_route_scratch_new(pp_route_scratch **out, const pp_fabric *fabric)
{
    uint32_t v = fabric->n_vertices;
    pp_route_scratch *s = *out = pp_calloc(1, sizeof *s);
    if (!s)
        return PP_ENOMEM;
    s->seen = pp_calloc(v, sizeof *s->seen);
    s->done = pp_calloc(v, sizeof *s->done);
    s->cost = pp_calloc(v, sizeof *s->cost);
    s->via = pp_calloc(v, sizeof *s->via);
    s->in_tree = pp_calloc(v, sizeof *s->in_tree);
    s->target = pp_calloc(v, sizeof *s->target);
    s->branch = pp_calloc(v, sizeof *s->branch);
    s->way = pp_calloc(v, sizeof *s->way);
    s->order = pp_calloc(v, sizeof *s->order);
    /* A search settles each vertex once, so it pushes each channel and each vertex once at most. */
    s->heap = pp_calloc((size_t)fabric->n_network + v, sizeof *s->heap);
    s->bits = pp_calloc(fabric->n_network, sizeof *s->bits);
    if (s->seen && s->done && s->cost && s->via && s->in_tree && s->target && s->branch && s->way && s->order && s->heap && s->bits)
        return PP_OK;
    pp_route_scratch_free(s);
    *out = NULL;
    return PP_ENOMEM;
}

/* ---- heap ---- */

static bool before(const pp_heap_item *a, const pp_heap_item *b)
{
    return a->cost != b->cost ? a->cost < b->cost : a->vertex < b->vertex;
}

static void heap_push(pp_route_scratch *s, int64_t cost, uint32_t vertex)
{
    pp_heap_item item = {cost, vertex};
    size_t i = s->n_heap++;
    while (i && before(&item, &s->heap[(i - 1) / 2])) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = item;
}

static pp_heap_item heap_pop(pp_route_scratch *s)
{
    pp_heap_item top = s->heap[0], last = s->heap[--s->n_heap];
    size_t i = 0;
    for (size_t child = 1; child < s->n_heap; child = 2 * i + 1) {
        if (child + 1 < s->n_heap && before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

/* ---- search ---- */

/* What is still to pay from here at least; the sinks' own costs rise from 0, so this is consistent. */
static int64_t left(const pp_route_scratch *s, uint32_t vertex)
{
    return s->row ? s->row[vertex] * s->least : 0;
}

static void reach(pp_route_scratch *s, uint32_t vertex, int64_t cost, uint32_t via)
{
    if (s->seen[vertex] == s->stamp && s->cost[vertex] <= cost)
        return;
    if (s->row && s->row[vertex] == PP_FAR)
        return;
    s->seen[vertex] = s->stamp;
    s->cost[vertex] = cost;
    s->via[vertex] = via;
    heap_push(s, cost + left(s, vertex), vertex);
}

/* Vertices of the tree from which a way may branch off. With a guide, those that promise little more than
 * the best one: a tree of hundreds of sinks has as many that do not. */
static void start_search(pp_layout *layout, const pp_net_tree *tree)
{
    pp_route_scratch *s = layout->scratch;
    int64_t depth_cost = layout->task->depth_cost, best = INT64_MAX;
    s->stamp++;
    s->n_heap = 0;
    if (s->row) {
        best = left(s, s->root);
        for (size_t e = 0; e < tree->len; e++) {
            int64_t cost = tree->data[e].depth * depth_cost + left(s, tree->data[e].to);
            best = cost < best ? cost : best;
        }
        best += 4 * s->least;
    }
    if (!s->row || left(s, s->root) <= best)
        reach(s, s->root, 0, PP_NONE);
    for (size_t e = 0; e < tree->len; e++) {
        int64_t cost = tree->data[e].depth * depth_cost;
        if (!s->row || cost + left(s, tree->data[e].to) <= best)
            reach(s, tree->data[e].to, cost, PP_NONE);
    }
}

/* Cheapest target that the tree has not reached, or PP_NONE. */
static uint32_t search(pp_layout *layout, uint32_t weight)
{
    pp_route_scratch *s = layout->scratch;
    const pp_task *task = layout->task;
    const pp_fabric *fabric = task->fabric;
    while (s->n_heap) {
        uint32_t v = heap_pop(s).vertex;
        s->work++;
        if (s->done[v] == s->stamp)
            continue;
        s->done[v] = s->stamp;
        if (s->target[v] == s->net_stamp && s->in_tree[v] != s->net_stamp)
            return v;
        if (fabric->vertex[v].kind == PP_VERTEX_CORE && v != s->root)
            continue; /* a core without a switch passes nothing on */
        for (uint32_t i = fabric->out_first[v]; i < fabric->out_first[v + 1]; i++) {
            uint32_t c = fabric->out_channel[i], w = pp_channel_weight(task, c, weight);
            int64_t step = task->channel_cost + task->depth_cost + w + layout->history[c] +
                           pp_congestion_step(&layout->congestion, layout->count[c], layout->load[c], w);
            if (s->done[fabric->channel[c].dst] != s->stamp)
                reach(s, fabric->channel[c].dst, s->cost[v] + step, c);
        }
    }
    return PP_NONE;
}

static pp_status add_branch(pp_layout *layout, pp_net_tree *tree, uint32_t channel, uint32_t parent)
{
    pp_route_scratch *s = layout->scratch;
    uint32_t to = layout->task->fabric->channel[channel].dst;
    uint32_t depth = parent == PP_NONE ? 1 : tree->data[parent].depth + 1;
    if (!pp_push(tree, (pp_branch){.channel = channel, .parent = parent, .to = to, .depth = depth}))
        return PP_ENOMEM;
    s->in_tree[to] = s->net_stamp;
    s->branch[to] = (uint32_t)(tree->len - 1);
    return PP_OK;
}

static pp_status add_way(pp_layout *layout, pp_net_tree *tree, uint32_t vertex)
{
    pp_route_scratch *s = layout->scratch;
    const pp_fabric *fabric = layout->task->fabric;
    uint32_t n = 0;
    for (; s->in_tree[vertex] != s->net_stamp; vertex = fabric->channel[s->way[n++]].src)
        s->way[n] = s->via[vertex];
    uint32_t parent = s->branch[vertex];
    while (n) {
        PP_TRY(add_branch(layout, tree, s->way[--n], parent));
        parent = (uint32_t)(tree->len - 1);
    }
    return PP_OK;
}

static uint32_t sink_vertex(const pp_layout *layout, uint32_t sink)
{
    return layout->task->enter[layout->core[layout->task->sink_tile[sink]]];
}

static pp_status grow_nearest(pp_layout *layout, const pp_task_net *net, pp_net_tree *tree)
{
    pp_route_scratch *s = layout->scratch;
    s->row = NULL;
    for (;;) {
        bool missing = false;
        for (uint32_t i = 0; i < net->n_sinks && !missing; i++)
            missing = s->in_tree[sink_vertex(layout, net->first_sink + i)] != s->net_stamp;
        if (!missing)
            return PP_OK;
        start_search(layout, tree);
        uint32_t found = search(layout, net->weight);
        if (found == PP_NONE)
            return PP_OK; /* finish() counts the sinks without a way */
        PP_TRY(add_way(layout, tree, found));
    }
}

/* Backwards from a sink to the nearest vertex of the tree: of many sinks most are near it. */
static pp_status join_tree(pp_layout *layout, pp_net_tree *tree, uint32_t sink, uint32_t weight)
{
    pp_route_scratch *s = layout->scratch;
    const pp_task *task = layout->task;
    const pp_fabric *fabric = task->fabric;
    s->row = NULL;
    s->stamp++;
    s->n_heap = 0;
    reach(s, sink, 0, PP_NONE);
    while (s->n_heap) {
        uint32_t v = heap_pop(s).vertex, parent;
        s->work++;
        if (s->done[v] == s->stamp)
            continue;
        s->done[v] = s->stamp;
        if (s->in_tree[v] == s->net_stamp) {
            for (parent = s->branch[v]; v != sink; v = fabric->channel[s->via[v]].dst) {
                PP_TRY(add_branch(layout, tree, s->via[v], parent));
                parent = (uint32_t)(tree->len - 1);
            }
            return PP_OK;
        }
        for (uint32_t i = fabric->in_first[v]; i < fabric->in_first[v + 1]; i++) {
            uint32_t c = fabric->in_channel[i], u = fabric->channel[c].src, w = pp_channel_weight(task, c, weight);
            if (s->done[u] == s->stamp || (fabric->vertex[u].kind == PP_VERTEX_CORE && u != s->root))
                continue;
            reach(s, u,
                  s->cost[v] + task->channel_cost + task->depth_cost + w + layout->history[c] +
                      pp_congestion_step(&layout->congestion, layout->count[c], layout->load[c], w),
                  c);
        }
    }
    return PP_OK; /* finish() counts the sinks without a way */
}

static int compare_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static pp_status grow_guided(pp_layout *layout, const pp_task_net *net, pp_net_tree *tree)
{
    pp_route_scratch *s = layout->scratch;
    const pp_task *task = layout->task;
    const pp_metric *metric = task->metric;
    uint32_t src = layout->core[net->src];
    s->least = task->channel_cost + task->depth_cost + net->weight;
    for (uint32_t i = 0; i < net->n_sinks; i++)
        s->order[i] = (uint64_t)pp_metric_hops(metric, src, layout->core[task->sink_tile[net->first_sink + i]]) << 32 |
                      (net->first_sink + i);
    qsort(s->order, net->n_sinks, sizeof *s->order, compare_order);
    for (uint32_t i = 0; i < net->n_sinks; i++) {
        uint32_t sink = (uint32_t)s->order[i], v = sink_vertex(layout, sink);
        if (s->in_tree[v] == s->net_stamp)
            continue;
        if (tree->len > MANY_BRANCHES) {
            PP_TRY(join_tree(layout, tree, v, net->weight));
            continue;
        }
        s->row = &metric->hops[(size_t)metric->home[layout->core[task->sink_tile[sink]]] * metric->n_vertices];
        s->target[v] = s->net_stamp;
        start_search(layout, tree);
        uint32_t found = search(layout, net->weight);
        s->target[v] = s->net_stamp - 1;
        if (found != PP_NONE)
            PP_TRY(add_way(layout, tree, found));
    }
    return PP_OK;
}

static pp_status grow_fixed(pp_layout *layout, const pp_task_net *net, pp_net_tree *tree, uint32_t root)
{
    const pp_task *task = layout->task;
    uint32_t *dst = layout->scratch->way;
    for (uint32_t i = 0; i < net->n_sinks; i++)
        dst[i] = task->enter[layout->core[task->sink_tile[net->first_sink + i]]];
    pp_tree route = {0};
    pp_status status = pp_route_tree(&route, task->fabric, task->routing, root, dst, net->n_sinks);
    for (uint32_t e = 0; e < route.n && status == PP_OK; e++)
        status = add_branch(layout, tree, route.edge[e], route.parent[e]);
    pp_tree_free(&route);
    return status;
}

/* Where sinks hang, what each branch carries, and the energy that is the net's own. */
static void finish(pp_layout *layout, const pp_task_net *net, pp_net_tree *tree)
{
    const pp_task *task = layout->task;
    pp_route_scratch *s = layout->scratch;
    for (uint32_t i = net->first_sink; i < net->first_sink + net->n_sinks; i++) {
        uint32_t v = task->enter[layout->core[task->sink_tile[i]]];
        if (s->in_tree[v] != s->net_stamp) {
            layout->sink_end[i] = PP_NONE;
            tree->unreached++;
            tree->self += PP_COST_UNREACHED;
            continue;
        }
        layout->sink_end[i] = s->branch[v];
        for (uint32_t e = s->branch[v]; e != PP_NONE; e = tree->data[e].parent)
            tree->data[e].mask |= task->sink_mask[i];
        if (s->branch[v] != PP_NONE)
            tree->self += (int64_t)tree->data[s->branch[v]].depth * task->depth_cost;
    }
    for (size_t e = 0; e < tree->len; e++) {
        pp_branch *b = &tree->data[e];
        b->weight = pp_channel_weight(task, b->channel, pp_task_weight(task, net, b->mask));
        tree->self += task->channel_cost + b->weight;
    }
}

pp_status pp_tree_grow(pp_layout *layout, uint32_t net)
{
    const pp_task *task = layout->task;
    const pp_task_net *n = &task->net[net];
    pp_route_scratch *s = layout->scratch;
    pp_net_tree *tree = &layout->tree[net];
    uint32_t root = task->leave[layout->core[n->src]];
    tree->len = 0;
    tree->unreached = 0;
    tree->self = 0;
    s->net_stamp++;
    s->root = root;
    s->in_tree[root] = s->net_stamp;
    s->branch[root] = PP_NONE;
    bool guided = task->metric->hops != NULL;
    for (uint32_t i = 0; !guided && i < n->n_sinks; i++)
        s->target[sink_vertex(layout, n->first_sink + i)] = s->net_stamp;
    if (task->routing != PP_ROUTING_BALANCED)
        PP_TRY(grow_fixed(layout, n, tree, root));
    else if (guided)
        PP_TRY(grow_guided(layout, n, tree));
    else
        PP_TRY(grow_nearest(layout, n, tree));
    finish(layout, n, tree);
    return PP_OK;
}
