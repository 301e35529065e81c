/* Dragonfly: groups of fully connected routers, the groups fully connected by global links. Core n hangs at
 * router n / nodes; router i is number i mod routers of group i / routers. Cores come first, then routers.
 * PAPER: kim2008 sec. 3. */
#include "topology/topology_internal.h"

/* The balanced dragonfly: two routers a group for each global link and node of a router. */
void pp_defaults_dragonfly(pp_fabric_options *o)
{
    if (o->nodes > 0 && o->routers == 0)
        o->routers = 2 * o->nodes;
    if (o->nodes > 0 && o->global == 0)
        o->global = o->nodes;
    if (o->groups == 0 && o->nodes > 0 && o->routers <= PP_FABRIC_MAX_CORES && o->global <= PP_FABRIC_MAX_CORES)
        o->groups = o->routers * o->global + 1;
}

static pp_status check(const pp_fabric_options *o)
{
    if (o->nodes == 0)
        return pp_size_missing(o, "nodes=N,routers=A,global=H,groups=G");
    PP_TRY(pp_size_check(o, "nodes", o->nodes, 1, PP_FABRIC_MAX_RADIX));
    PP_TRY(pp_size_check(o, "routers", o->routers, 1, PP_FABRIC_MAX_RADIX));
    PP_TRY(pp_size_check(o, "global", o->global, 1, PP_FABRIC_MAX_RADIX));
    PP_TRY(pp_size_check(o, "groups", o->groups, 1, o->routers * o->global + 1));
    PP_TRY(pp_size_total(o, (uint64_t)o->routers * (uint64_t)o->groups));
    return pp_size_total(o, (uint64_t)(o->routers * o->groups) * (uint64_t)(o->nodes + 1));
}

/* n places as a near-square rectangle. */
typedef struct rectangle {
    uint32_t rows, cols;
} rectangle;

static rectangle square(uint32_t n)
{
    const uint32_t rows = pp_root(n);
    return (rectangle){rows, (n + rows - 1) / rows};
}

/* A router's cores form a block, a group's blocks a larger one, and the groups the chip. */
static pp_status add_vertices(pp_fabric_builder *b)
{
    const pp_fabric_shape *s = &b->shape;
    const rectangle core = square(s->nodes), block = square(s->routers), chip = square(s->groups);
    const uint32_t routers = s->routers * s->groups;
    for (uint32_t n = 0; n < routers * s->nodes; n++) {
        const uint32_t i = n % s->nodes, r = n / s->nodes % s->routers, g = n / s->nodes / s->routers;
        const uint32_t row = (g / chip.cols * block.rows + r / block.cols) * core.rows + i / core.cols;
        const uint32_t col = (g % chip.cols * block.cols + r % block.cols) * core.cols + i % core.cols;
        PP_TRY(pp_builder_core(b, PP_VERTEX_CORE, row, col));
    }
    for (uint32_t i = 0; i < routers; i++) {
        const uint32_t r = i % s->routers, g = i / s->routers;
        const int32_t coord[3] = {(int32_t)g, (int32_t)r, 0};
        const uint32_t row = g / chip.cols * block.rows + r / block.cols;
        const uint32_t col = g % chip.cols * block.cols + r % block.cols;
        PP_TRY(pp_builder_vertex(b, PP_VERTEX_SWITCH, coord, ((float)col + 0.5F) * (float)core.cols - 0.5F,
                                 ((float)row + 0.5F) * (float)core.rows - 0.5F));
    }
    return PP_OK;
}

static float distance(const pp_fabric_builder *b, uint32_t u, uint32_t v)
{
    const pp_vertex *p = &b->vertices.data[u], *q = &b->vertices.data[v];
    const float dx = p->x > q->x ? p->x - q->x : q->x - p->x, dy = p->y > q->y ? p->y - q->y : q->y - p->y;
    return dx + dy;
}

uint32_t pp_dragonfly_links(const pp_fabric_shape *s)
{
    return s->groups > 1 ? s->routers * s->global / (s->groups - 1) : 0;
}

/* Global port `copy` of a group towards another: copies of the list of the other groups stand one behind
 * the other; port k belongs to router k / global. */
uint32_t pp_dragonfly_router(const pp_fabric_shape *s, uint32_t group, uint32_t to, uint32_t copy)
{
    const uint32_t port = copy * (s->groups - 1) + (to < group ? to : to - 1);
    return group * s->routers + port / s->global;
}

pp_status pp_build_dragonfly(pp_fabric_builder *b)
{
    const pp_fabric_options *o = b->options;
    PP_TRY(check(o));
    b->shape.nodes = (uint32_t)o->nodes;
    b->shape.routers = (uint32_t)o->routers;
    b->shape.global = (uint32_t)o->global;
    b->shape.groups = (uint32_t)o->groups;
    const pp_fabric_shape *s = &b->shape;
    PP_TRY(add_vertices(b));
    const uint32_t first = s->nodes * s->routers * s->groups;
    for (uint32_t n = 0; n < first; n++)
        PP_TRY(pp_builder_attach(b, n, first + n / s->nodes, distance(b, n, first + n / s->nodes)));
    for (uint32_t i = 0; i < s->routers * s->groups; i++)
        for (uint32_t k = i / s->routers * s->routers; k < (i / s->routers + 1) * s->routers; k++)
            if (k != i)
                PP_TRY(pp_builder_channel(b, first + i, first + k, distance(b, first + i, first + k)));
    for (uint32_t g = 0; g < s->groups; g++)
        for (uint32_t to = g + 1; to < s->groups; to++)
            for (uint32_t copy = 0; copy < pp_dragonfly_links(s); copy++) {
                const uint32_t u = first + pp_dragonfly_router(s, g, to, copy);
                const uint32_t v = first + pp_dragonfly_router(s, to, g, copy);
                PP_TRY(pp_builder_link(b, u, v, distance(b, u, v)));
            }
    return PP_OK;
}

/* The smallest balanced dragonfly that reaches far enough, with as few groups as do. */
pp_status pp_fit_dragonfly(pp_fabric_options *o, uint32_t cores)
{
    const bool free_groups = o->groups == 0;
    const int64_t need = cores > 0 ? cores : 1;
    if (o->nodes == 0)
        for (o->nodes = 1; o->nodes < 64; o->nodes++) {
            const int64_t routers = o->routers > 0 ? o->routers : 2 * o->nodes;
            const int64_t global = o->global > 0 ? o->global : o->nodes;
            const int64_t groups = free_groups ? routers * global + 1 : o->groups;
            if (o->nodes * routers * groups >= need)
                break;
        }
    pp_defaults_dragonfly(o);
    if (free_groups && o->nodes > 0 && o->routers > 0) {
        const int64_t fewest = pp_divide_up(need, o->nodes * o->routers);
        o->groups = fewest < o->groups ? fewest : o->groups;
    }
    PP_TRY(check(o));
    return pp_size_holds(o, (uint64_t)(o->nodes * o->routers * o->groups), cores);
}
