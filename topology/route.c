/* Routing functions: the first candidates of a relation (routefn.h), or a search. */
#include "topology/routefn_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {[PP_ROUTING_XY] = "xy",
                                    [PP_ROUTING_YX] = "yx",
                                    [PP_ROUTING_SHORTEST] = "shortest",
                                    [PP_ROUTING_NATIVE] = "native",
                                    [PP_ROUTING_BALANCED] = "balanced"};
#define N_NAMES (sizeof names / sizeof names[0])

const char *pp_routing_name(pp_routing routing)
{
    return names[routing];
}

static bool is_dimension_order(pp_routing routing)
{
    return routing == PP_ROUTING_XY || routing == PP_ROUTING_YX;
}

static pp_status check_fits(pp_routing routing, const pp_fabric *fabric)
{
    pp_routefn fn = {.f = fabric};
    if (is_dimension_order(routing) && !pp_routefn_plain(&fn, names[routing]))
        return pp_fail(PP_EINVAL, "fabric.routing: %s needs a grid, and fabric %s is none", names[routing],
                       fabric->name);
    return PP_OK;
}

pp_status pp_routing_parse(pp_routing *out, const char *text, const pp_fabric *fabric)
{
    const char *wanted = strcmp(text, "auto") == 0 ? fabric->routing : text;
    for (size_t i = 0; i < N_NAMES; i++)
        if (strcmp(wanted, names[i]) == 0) {
            PP_TRY(check_fits((pp_routing)i, fabric));
            *out = (pp_routing)i;
            return PP_OK;
        }
    return pp_fail(PP_EINVAL, "fabric.routing: expected auto, xy, yx, shortest, native or balanced, found %.40s%s", text, pp_hint(text, "auto xy yx shortest native balanced", (char[PP_HINT_MAX]){0}));
}

static pp_status no_way(const pp_fabric *f, pp_routing routing, uint32_t src, uint32_t dst)
{
    char from[64], to[64];
    return pp_fail(PP_EINFEASIBLE, "fabric %s: no way from %s to %s by %s routing", f->name,
                   pp_vertex_label(f, src, from, sizeof from), pp_vertex_label(f, dst, to, sizeof to), names[routing]);
}

/* A route in the making. */
typedef struct way {
    const pp_fabric *f;
    uint32_t at;
    uint32_t *path;
    size_t cap, n;
} way;

static pp_status take(way *w, uint32_t channel)
{
    if (w->n >= w->cap)
        return pp_fail(PP_ERANGE, "fabric %s: a route has more than %zu channels", w->f->name, w->cap);
    w->path[w->n++] = channel;
    w->at = w->f->channel[channel].dst;
    return PP_OK;
}

/* Lowest channel out of the present vertex that leads one hop nearer. */
static uint32_t nearer(const way *w, const uint32_t *distance)
{
    const pp_fabric *f = w->f;
    for (uint32_t i = f->out_first[w->at]; i < f->out_first[w->at + 1]; i++) {
        const uint32_t next = f->channel[f->out_channel[i]].dst;
        const bool through = distance[next] == 0 || f->vertex[next].kind != PP_VERTEX_CORE;
        if (through && distance[next] != UINT32_MAX && distance[next] + 1 == distance[w->at])
            return f->out_channel[i];
    }
    return PP_NO_CHANNEL;
}

static pp_status route_shortest(way *w, uint32_t dst)
{
    const pp_fabric *f = w->f;
    const uint32_t src = w->at;
    uint32_t *distance = pp_alloc((size_t)2 * f->n_vertices, sizeof *distance);
    if (!distance)
        return PP_ENOMEM;
    pp_bfs(f, dst, true, src, distance, distance + f->n_vertices);
    pp_status status = distance[src] == UINT32_MAX ? no_way(f, PP_ROUTING_SHORTEST, src, dst) : PP_OK;
    while (status == PP_OK && w->at != dst)
        status = take(w, nearer(w, distance));
    free(distance);
    return status;
}

pp_status pp_route(const pp_fabric *fabric, pp_routing routing, uint32_t src, uint32_t dst, uint32_t *path,
                   size_t cap, size_t *n)
{
    pp_routefn fn = {.f = fabric};
    *n = 0;
    if (routing == PP_ROUTING_BALANCED)
        return pp_fail(PP_EINVAL, "fabric.routing: balanced routes are chosen by the mapper, not by a function");
    if (routing != PP_ROUTING_SHORTEST && pp_routefn_plain(&fn, names[routing]))
        return pp_routefn_walk(&fn, src, dst, path, cap, n);
    PP_TRY(check_fits(routing, fabric));
    way w = {.f = fabric, .at = pp_switch_of(fabric, src), .path = path, .cap = cap};
    dst = pp_switch_of(fabric, dst);
    if (w.at == dst)
        return PP_OK;
    PP_TRY(route_shortest(&w, dst));
    *n = w.n;
    return PP_OK;
}
