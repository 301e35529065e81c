/* Hop distances by breadth-first search. */
#include "topology/topology_internal.h"

#include <stdlib.h>

uint32_t pp_switch_of(const pp_fabric *f, uint32_t vertex)
{
    const uint32_t core = f->vertex[vertex].core;
    return core == PP_NO_VERTEX ? vertex : f->core_switch[core];
}

void pp_bfs(const pp_fabric *f, uint32_t start, bool reverse, uint32_t until, uint32_t *distance, uint32_t *queue)
{
    const uint32_t *first = reverse ? f->in_first : f->out_first;
    const uint32_t *list = reverse ? f->in_channel : f->out_channel;
    for (uint32_t v = 0; v < f->n_vertices; v++)
        distance[v] = UINT32_MAX;
    size_t head = 0, tail = 0;
    start = pp_switch_of(f, start);
    until = until == PP_NO_VERTEX ? until : pp_switch_of(f, until);
    distance[start] = 0;
    queue[tail++] = start;
    while (head < tail) {
        const uint32_t v = queue[head++];
        if (v == until)
            break;
        if (v != start && f->vertex[v].kind == PP_VERTEX_CORE)
            continue;
        for (uint32_t i = first[v]; i < first[v + 1]; i++) {
            const pp_channel *c = &f->channel[list[i]];
            const uint32_t w = reverse ? c->src : c->dst;
            if (distance[w] == UINT32_MAX) {
                distance[w] = distance[v] + 1;
                queue[tail++] = w;
            }
        }
    }
    for (uint32_t i = 0; i < f->n_cores; i++)
        distance[f->core_vertex[i]] = distance[f->core_switch[i]];
}

pp_status pp_distances(const pp_fabric *fabric, uint32_t src, uint32_t *distance)
{
    uint32_t *queue = pp_alloc(fabric->n_vertices, sizeof *queue);
    if (!queue)
        return PP_ENOMEM;
    pp_bfs(fabric, src, false, PP_NO_VERTEX, distance, queue);
    free(queue);
    return PP_OK;
}
