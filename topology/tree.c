/* Multicast trees from unicast routes. */
#include "topology/topology_internal.h"

#include <stdlib.h>

/* Edge that reaches a vertex: open addressing, so that a tree costs its own size and not the fabric's. */
typedef struct reach_map {
    uint32_t *vertex, *edge; /* [mask + 1]; vertex PP_NO_VERTEX: free */
    size_t mask;
} reach_map;

/* Place of the vertex, or the free place where it belongs. */
static size_t map_slot(const reach_map *m, uint32_t vertex)
{
    size_t i = (size_t)(vertex * UINT32_C(2654435761)) & m->mask;
    while (m->vertex[i] != PP_NO_VERTEX && m->vertex[i] != vertex)
        i = (i + 1) & m->mask;
    return i;
}

static bool map_init(reach_map *m, size_t entries)
{
    size_t size = 4;
    while (size < 2 * entries)
        size *= 2;
    m->mask = size - 1;
    m->vertex = pp_alloc(size, sizeof *m->vertex);
    m->edge = pp_alloc(size, sizeof *m->edge);
    for (size_t i = 0; m->vertex && m->edge && i < size; i++)
        m->vertex[i] = PP_NO_VERTEX;
    return m->vertex && m->edge;
}

static void map_put(reach_map *m, uint32_t vertex, uint32_t edge)
{
    const size_t i = map_slot(m, vertex);
    m->vertex[i] = vertex;
    m->edge[i] = edge;
}

/* All unicast routes, one behind the other: route i is channel[first[i] .. first[i + 1]). */
typedef struct routes {
    PP_VEC(uint32_t) channel;
    size_t *first;
} routes;

static pp_status collect(routes *r, const pp_fabric *f, pp_routing routing, uint32_t src, const uint32_t *dst,
                         uint32_t n_dst)
{
    r->first = pp_calloc((size_t)n_dst + 1, sizeof *r->first);
    uint32_t *path = pp_alloc(f->n_vertices, sizeof *path); /* no routing function visits a vertex twice */
    pp_status status = r->first && path ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; status == PP_OK && i < n_dst; i++) {
        size_t n = 0;
        status = pp_route(f, routing, src, dst[i], path, f->n_vertices, &n);
        for (size_t k = 0; status == PP_OK && k < n; k++)
            if (!pp_push(&r->channel, path[k]))
                status = PP_ENOMEM;
        if (status == PP_OK)
            r->first[i + 1] = r->channel.len;
    }
    free(path);
    return status;
}

/* Adds the part of a route behind the last vertex that the tree has already reached: what lies before
 * it would be a branch without a consumer. */
static void add_route(pp_tree *tree, reach_map *reached, const pp_fabric *f, const uint32_t *path, size_t n)
{
    size_t begin = n;
    while (begin > 0 && reached->vertex[map_slot(reached, f->channel[path[begin - 1]].dst)] == PP_NO_VERTEX)
        begin--;
    uint32_t parent = begin > 0 ? reached->edge[map_slot(reached, f->channel[path[begin - 1]].dst)] : PP_NO_EDGE;
    for (size_t i = begin; i < n; i++) {
        tree->edge[tree->n] = path[i];
        tree->parent[tree->n] = parent;
        parent = tree->n++;
        map_put(reached, f->channel[path[i]].dst, parent);
    }
}

pp_status pp_route_tree(pp_tree *out, const pp_fabric *fabric, pp_routing routing, uint32_t src,
                        const uint32_t *dst, uint32_t n_dst)
{
    *out = (pp_tree){0};
    pp_tree tree = {0};
    routes r = {0};
    reach_map reached = {0};
    pp_status status = PP_ENOMEM;
    PP_GOTO(done, status, collect(&r, fabric, routing, src, dst, n_dst));
    tree.edge = pp_alloc(r.channel.len, sizeof *tree.edge);
    tree.parent = pp_alloc(r.channel.len, sizeof *tree.parent);
    if (!tree.edge || !tree.parent || !map_init(&reached, r.channel.len + 1)) {
        status = PP_ENOMEM;
        goto done;
    }
    map_put(&reached, pp_switch_of(fabric, src), PP_NO_EDGE);
    for (uint32_t i = 0; i < n_dst; i++)
        if (r.first[i + 1] > r.first[i])
            add_route(&tree, &reached, fabric, r.channel.data + r.first[i], r.first[i + 1] - r.first[i]);
    *out = tree;
    tree = (pp_tree){0};
done:
    pp_tree_free(&tree);
    free(r.channel.data);
    free(r.first);
    free(reached.vertex);
    free(reached.edge);
    return status;
}

void pp_tree_free(pp_tree *tree)
{
    if (!tree)
        return;
    free(tree->edge);
    free(tree->parent);
    *tree = (pp_tree){0};
}
