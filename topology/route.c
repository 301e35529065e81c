/* Routing functions. On grids a route is computed step by step, without tables. */
#include "topology/topology_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {[PP_ROUTING_XY] = "xy",
                                    [PP_ROUTING_YX] = "yx",
                                    [PP_ROUTING_SHORTEST] = "shortest",
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
    if (is_dimension_order(routing) && fabric->rows == 0)
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
    return pp_fail(PP_EINVAL, "fabric.routing: expected auto, xy, yx, shortest or balanced, found %.40s", text);
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

/* First channel u -> v; PP_NO_CHANNEL when there is none. A vertex has few channels. */
static uint32_t channel_between(const pp_fabric *f, uint32_t u, uint32_t v)
{
    for (uint32_t i = f->out_first[u]; i < f->out_first[u + 1]; i++)
        if (f->channel[f->out_channel[i]].dst == v)
            return f->out_channel[i];
    return PP_NO_CHANNEL;
}

/* Goes along the row (or the column) to column (or row) `to`. *ok: there is a way. */
static pp_status walk_line(way *w, bool row, uint32_t to, bool *ok)
{
    const pp_fabric *f = w->f;
    for (;;) {
        const uint32_t r = w->at / f->cols, c = w->at % f->cols, from = row ? c : r;
        uint32_t next = 0;
        if (from == to)
            return PP_OK;
        *ok = row ? pp_line_step(f->cols, f->reach, f->wrap, pp_row_sign((pp_row_direction)f->row_direction, r), from,
                                 to, &next)
                  : pp_line_step(f->rows, 1, f->wrap, 0, from, to, &next);
        const uint32_t channel =
            *ok ? channel_between(f, w->at, row ? r * f->cols + next : next * f->cols + c) : PP_NO_CHANNEL;
        *ok = channel != PP_NO_CHANNEL;
        if (!*ok)
            return PP_OK;
        PP_TRY(take(w, channel));
    }
}

static pp_status route_grid(way *w, pp_routing routing, uint32_t dst)
{
    const pp_fabric *f = w->f;
    const uint32_t src = w->at, col = dst % f->cols, row = dst / f->cols;
    const bool row_first = routing == PP_ROUTING_XY;
    bool ok = true;
    PP_TRY(walk_line(w, row_first, row_first ? col : row, &ok));
    if (ok)
        PP_TRY(walk_line(w, !row_first, row_first ? row : col, &ok));
    return ok ? PP_OK : no_way(f, routing, src, dst);
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
    src = pp_switch_of(fabric, src);
    dst = pp_switch_of(fabric, dst);
    way w = {.f = fabric, .at = src, .path = path, .cap = cap};
    *n = 0;
    if (routing == PP_ROUTING_BALANCED)
        return pp_fail(PP_EINVAL, "fabric.routing: balanced routes are chosen by the mapper, not by a function");
    PP_TRY(check_fits(routing, fabric));
    if (src == dst)
        return PP_OK;
    PP_TRY(is_dimension_order(routing) ? route_grid(&w, routing, dst) : route_shortest(&w, dst));
    *n = w.n;
    return PP_OK;
}
