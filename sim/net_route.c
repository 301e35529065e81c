/* Routing functions: dimension order on meshes and tori, computed here because it stands in the hot loop; the
 * relations of topology/routefn.h for all else. */
#include "sim/net_route.h"

#include "sim/net_grid_internal.h"
#include "topology/routefn.h"

#include <stdlib.h>
#include <string.h>

struct pp_noc_router {
    const pp_fabric *f;
    pp_noc_route_fn fn;
    bool y_first, wrap;
    uint32_t n_classes;
    struct pp_place {
        uint16_t x, y;
    } *place;             /* [n_vertices] */
    uint32_t *channel_to; /* [n_vertices][4]: west, east, north, south */
    pp_routefn *relation;
    uint8_t select;
    bool two_phase;
    const char *name;
};

/* ---- grids ---- */

/* The state word keeps what was decided on entering a dimension: 1 + direction, and the class. */
#define STATE(dim, up, class) (1u + (uint32_t)(dim) * 8 + (uint32_t)(up) * 4 + (uint32_t)(class))
#define STATE_DIM(s) (((s)-1) / 8)
#define STATE_UP(s) (((s)-1) / 4 % 2)
#define STATE_CLASS(s) (((s)-1) % 4)

static uint32_t enter(const pp_noc_router *r, uint32_t dim, uint32_t n, uint32_t from, uint32_t to, uint64_t random)
{
    if (!r->wrap)
        return STATE(dim, to > from, 0);
    return STATE(dim, pp_ring_up(n, from, to, pp_ring_coin(random, dim)), to < from);
}

static uint32_t grid_route(const void *context, const pp_noc_head *head, pp_noc_hop hop[PP_NOC_HOPS_MAX])
{
    const pp_noc_router *r = context;
    const pp_fabric *f = r->f;
    const uint32_t to = f->core_vertex[head->dst_core], at = head->vertex;
    const uint32_t here[2] = {r->place[at].x, r->place[at].y}, there[2] = {r->place[to].x, r->place[to].y};
    const uint32_t size[2] = {f->cols, f->rows};
    const uint32_t first = r->y_first ? 1 : 0;
    const uint32_t dim = here[first] != there[first] ? first : 1 - first;
    if (*head->state == 0 || STATE_DIM(*head->state) != dim || head->in_channel == PP_NO_CHANNEL)
        *head->state = enter(r, dim, size[dim], here[dim], there[dim], head->random);
    const uint32_t way = 2 * dim + STATE_UP(*head->state);
    hop[0] = (pp_noc_hop){.channel = r->channel_to[4 * at + way], .classes = 1u << STATE_CLASS(*head->state)};
    return 1;
}

static void find_channels(pp_noc_router *r)
{
    const pp_fabric *f = r->f;
    for (size_t i = 0; i < (size_t)f->n_vertices * 4; i++)
        r->channel_to[i] = PP_NO_CHANNEL;
    for (uint32_t v = 0; v < f->n_vertices; v++)
        r->place[v] = (struct pp_place){(uint16_t)(v % f->cols), (uint16_t)(v / f->cols)};
    for (uint32_t c = 0; c < f->n_network; c++) {
        const uint32_t s = f->channel[c].src, d = f->channel[c].dst;
        const uint32_t sx = s % f->cols, sy = s / f->cols, dx = d % f->cols, dy = d / f->cols;
        if (sy == dy) {
            if (dx == (sx + 1) % f->cols)
                r->channel_to[4 * s + PP_EAST] = c;
            if (sx == (dx + 1) % f->cols)
                r->channel_to[4 * s + PP_WEST] = c;
        } else {
            if (dy == (sy + 1) % f->rows)
                r->channel_to[4 * s + PP_SOUTH] = c;
            if (sy == (dy + 1) % f->rows)
                r->channel_to[4 * s + PP_NORTH] = c;
        }
    }
}

static bool is_grid(const pp_fabric *f, const char *name)
{
    const bool kind = strcmp(f->kind, "mesh") == 0 || strcmp(f->kind, "torus") == 0 || strcmp(f->kind, "ring") == 0;
    const bool ring = strcmp(f->kind, "ring") == 0 && strcmp(name, "shortest") == 0;
    return kind && f->rows < 65536 && f->cols < 65536 &&
           (ring || strcmp(name, "xy") == 0 || strcmp(name, "yx") == 0 || strcmp(name, "auto") == 0);
}

static pp_status grid_new(pp_noc_router *r, const char *name)
{
    const pp_fabric *f = r->f;
    r->fn = grid_route;
    r->name = strcmp(name, "yx") == 0 ? "yx" : strcmp(name, "shortest") == 0 ? "shortest" : "xy";
    r->y_first = strcmp(name, "yx") == 0;
    r->wrap = f->wrap;
    r->n_classes = f->wrap ? 2 : 1;
    r->channel_to = pp_calloc((size_t)f->n_vertices * 4, sizeof *r->channel_to);
    r->place = pp_calloc(f->n_vertices, sizeof *r->place);
    if (!r->channel_to || !r->place)
        return PP_ENOMEM;
    find_channels(r);
    return PP_OK;
}

/* ---- relations of topology/ ---- */

static uint32_t relation_route(const void *context, const pp_noc_head *head, pp_noc_hop hop[PP_NOC_HOPS_MAX])
{
    const pp_noc_router *r = context;
    pp_route_head h = {.at = head->vertex, .channel = head->in_channel, .vc_class = head->in_class,
                       .src = r->f->core_switch[head->src_core], .dst = r->f->core_switch[head->dst_core]};
    pp_hop candidate[PP_NOC_HOPS_MAX];
    h.mid = r->two_phase ? pp_routefn_mid(r->relation, h.src, h.dst, head->random) : PP_NO_VERTEX;
    uint32_t n = pp_routefn_next(r->relation, &h, candidate), first = 0;
    if (n > 1 && r->select == PP_SELECT_RANDOM)
        first = (uint32_t)(((pp_noc_random_here(head) >> 32) * n) >> 32);
    if (n > 1 && r->select != PP_SELECT_ADAPTIVE)
        n = 1;
    for (uint32_t i = 0; i < n; i++)
        hop[i] = (pp_noc_hop){.channel = candidate[first + i].channel, .classes = candidate[first + i].classes,
                              .escape = candidate[first + i].escape};
    return n;
}

static pp_status relation_new(pp_noc_router *r, const char *name)
{
    PP_TRY(pp_routefn_new(&r->relation, r->f, name));
    const pp_routefn_info *info = pp_routefn_about(r->relation);
    if (info->max_hops > PP_NOC_HOPS_MAX)
        return pp_fail(PP_EUNSUPPORTED, "routing %s on fabric %s: a switch may have %u candidates, at most %u are taken", name,
                       r->f->name, info->max_hops, PP_NOC_HOPS_MAX);
    r->fn = relation_route;
    r->name = info->name;
    r->n_classes = info->classes;
    r->select = info->select;
    r->two_phase = info->two_phase;
    return PP_OK;
}

pp_status pp_noc_router_new(pp_noc_router **out, const pp_fabric *fabric, const char *name)
{
    *out = NULL;
    pp_noc_router *r = pp_calloc(1, sizeof *r);
    if (!r)
        return PP_ENOMEM;
    r->f = fabric;
    const pp_status status = is_grid(fabric, name) ? grid_new(r, name) : relation_new(r, name);
    if (status == PP_OK)
        *out = r;
    else
        pp_noc_router_free(r);
    return status;
}

void pp_noc_router_free(pp_noc_router *r)
{
    if (!r)
        return;
    pp_routefn_free(r->relation);
    free(r->channel_to);
    free(r->place);
    free(r);
}

pp_noc_routing pp_noc_router_function(const pp_noc_router *r)
{
    return (pp_noc_routing){.route = r->fn, .context = r, .n_classes = r->n_classes};
}

pp_noc_grid pp_noc_grid_of(const pp_noc_routing *routing)
{
    if (routing->route != grid_route)
        return (pp_noc_grid){.kind = PP_GRID_NONE};
    const pp_noc_router *r = routing->context;
    return (pp_noc_grid){.kind = r->wrap ? PP_GRID_WRAP : PP_GRID_MESH, .y_first = r->y_first,
                         .size = {r->f->cols, r->f->rows}, .channel_to = r->channel_to};
}

const char *pp_noc_router_name(const pp_noc_router *r)
{
    return r->name;
}
