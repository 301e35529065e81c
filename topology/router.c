/* Grids of routers with several cores each: cmesh (a mesh of them) and flatfly (rows and columns are
 * complete graphs). Core n stands at (n / width, n % width) of the chip; a block of block_rows x block_cols
 * cores shares the router in its middle. Cores come first, then routers row by row. */
#include "topology/topology_internal.h"

void pp_defaults_router(pp_fabric_options *o)
{
    if (o->nodes == 0)
        o->nodes = 4;
}

static pp_status check_routers(const pp_fabric_options *o)
{
    if (o->rows == 0 || o->cols == 0)
        return pp_size_missing(o, "rows=R,cols=C,nodes=N");
    PP_TRY(pp_size_check(o, "rows", o->rows, 1, PP_FABRIC_MAX_CORES));
    PP_TRY(pp_size_check(o, "cols", o->cols, 1, PP_FABRIC_MAX_CORES));
    PP_TRY(pp_size_check(o, "nodes", o->nodes, 1, PP_FABRIC_MAX_RADIX));
    PP_TRY(pp_size_total(o, (uint64_t)(o->rows * o->cols)));
    return pp_size_total(o, (uint64_t)(o->rows * o->cols) * (uint64_t)(o->nodes + 1));
}

/* Sizes of the block: as near to a square as the number allows, not higher than wide. */
static void set_shape(pp_fabric_builder *b)
{
    pp_fabric_shape *s = &b->shape;
    s->rows = (uint32_t)b->options->rows;
    s->cols = (uint32_t)b->options->cols;
    s->nodes = (uint32_t)b->options->nodes;
    s->block_rows = pp_root(s->nodes);
    while (s->nodes % s->block_rows != 0)
        s->block_rows--;
    s->block_cols = s->nodes / s->block_rows;
}

static uint32_t router_of(const pp_fabric_shape *s, uint32_t row, uint32_t col)
{
    return s->rows * s->cols * s->nodes + row / s->block_rows * s->cols + col / s->block_cols;
}

static pp_status add_vertices(pp_fabric_builder *b)
{
    const pp_fabric_shape *s = &b->shape;
    const uint32_t width = s->cols * s->block_cols;
    for (uint32_t n = 0; n < s->rows * s->cols * s->nodes; n++)
        PP_TRY(pp_builder_core(b, PP_VERTEX_CORE, n / width, n % width));
    for (uint32_t r = 0; r < s->rows; r++)
        for (uint32_t c = 0; c < s->cols; c++) {
            const int32_t coord[3] = {(int32_t)r, (int32_t)c, 0};
            PP_TRY(pp_builder_vertex(b, PP_VERTEX_SWITCH, coord, ((float)c + 0.5F) * (float)s->block_cols - 0.5F,
                                     ((float)r + 0.5F) * (float)s->block_rows - 0.5F));
        }
    return PP_OK;
}

static float apart(float a, float b)
{
    return a > b ? a - b : b - a;
}

static pp_status attach_cores(pp_fabric_builder *b)
{
    const pp_fabric_shape *s = &b->shape;
    for (uint32_t n = 0; n < s->rows * s->cols * s->nodes; n++) {
        const pp_vertex *core = &b->vertices.data[n];
        const uint32_t at = router_of(s, (uint32_t)core->coord[0], (uint32_t)core->coord[1]);
        const pp_vertex *router = &b->vertices.data[at];
        PP_TRY(pp_builder_attach(b, n, at, apart(core->x, router->x) + apart(core->y, router->y)));
    }
    return PP_OK;
}

static pp_status begin(pp_fabric_builder *b)
{
    PP_TRY(check_routers(b->options));
    set_shape(b);
    PP_TRY(add_vertices(b));
    return attach_cores(b);
}

/* Express channels join routers i and i + k/2 of each edge of the mesh, i < k/2: they use the ports that
 * the routers of an edge have free. PAPER: balfour2006 sec. 2. */
static pp_status add_express(pp_fabric_builder *b)
{
    const pp_fabric_shape *s = &b->shape;
    const uint32_t first = s->rows * s->cols * s->nodes, wide = s->cols / 2, high = s->rows / 2;
    for (uint32_t i = 0; s->cols >= 4 && i < wide; i++)
        for (uint32_t r = 0; r < s->rows; r += s->rows > 1 ? s->rows - 1 : 1)
            PP_TRY(pp_builder_link(b, first + r * s->cols + i, first + r * s->cols + i + wide,
                                   (float)(wide * s->block_cols)));
    for (uint32_t i = 0; s->rows >= 4 && i < high; i++)
        for (uint32_t c = 0; c < s->cols; c += s->cols > 1 ? s->cols - 1 : 1)
            PP_TRY(pp_builder_link(b, first + i * s->cols + c, first + (i + high) * s->cols + c,
                                   (float)(high * s->block_rows)));
    return PP_OK;
}

pp_status pp_build_cmesh(pp_fabric_builder *b)
{
    PP_TRY(begin(b));
    const pp_fabric_shape *s = &b->shape;
    const uint32_t first = s->rows * s->cols * s->nodes;
    for (uint32_t v = 0; v < s->rows * s->cols; v++) {
        const uint32_t r = v / s->cols, c = v % s->cols;
        if (c + 1 < s->cols)
            PP_TRY(pp_builder_channel(b, first + v, first + v + 1, (float)s->block_cols));
        if (c > 0)
            PP_TRY(pp_builder_channel(b, first + v, first + v - 1, (float)s->block_cols));
        if (r + 1 < s->rows)
            PP_TRY(pp_builder_channel(b, first + v, first + v + s->cols, (float)s->block_rows));
        if (r > 0)
            PP_TRY(pp_builder_channel(b, first + v, first + v - s->cols, (float)s->block_rows));
    }
    b->shape.express = (uint32_t)b->options->express;
    return b->options->express ? add_express(b) : PP_OK;
}

/* PAPER: kim2007 sec. 3. */
pp_status pp_build_flatfly(pp_fabric_builder *b)
{
    PP_TRY(begin(b));
    const pp_fabric_shape *s = &b->shape;
    const uint32_t first = s->rows * s->cols * s->nodes;
    for (uint32_t v = 0; v < s->rows * s->cols; v++) {
        const uint32_t r = v / s->cols, c = v % s->cols;
        for (uint32_t to = 0; to < s->cols; to++)
            if (to != c)
                PP_TRY(pp_builder_channel(b, first + v, first + r * s->cols + to,
                                          (float)((to > c ? to - c : c - to) * s->block_cols)));
        for (uint32_t to = 0; to < s->rows; to++)
            if (to != r)
                PP_TRY(pp_builder_channel(b, first + v, first + to * s->cols + c,
                                          (float)((to > r ? to - r : r - to) * s->block_rows)));
    }
    return PP_OK;
}

/* Near-square grid of routers. */
static pp_status fit_routers(pp_fabric_options *o, uint32_t cores)
{
    const int64_t need = pp_divide_up(cores > 0 ? cores : 1, o->nodes > 0 ? o->nodes : 1);
    if (o->rows == 0)
        o->rows = o->cols > 0 ? pp_divide_up(need, o->cols) : (int64_t)pp_root((uint64_t)need);
    if (o->cols == 0 && o->rows > 0)
        o->cols = pp_divide_up(need, o->rows);
    PP_TRY(check_routers(o));
    return pp_size_holds(o, (uint64_t)(o->rows * o->cols * o->nodes), cores);
}

pp_status pp_fit_cmesh(pp_fabric_options *o, uint32_t cores)
{
    return fit_routers(o, cores);
}

pp_status pp_fit_flatfly(pp_fabric_options *o, uint32_t cores)
{
    return fit_routers(o, cores);
}

/* ---- Bisection widths; the cores of a router stay together ---- */

bool pp_bisection_cmesh(const pp_fabric *f, uint32_t *links)
{
    const pp_fabric routers = {.rows = f->shape.rows, .cols = f->shape.cols};
    return !f->shape.express && pp_bisection_mesh(&routers, links);
}

/* In a product of complete graphs the sets with the fewest links to the rest are the first vertices of
 * the order that fills the larger complete graph first. PAPER: lindsey1964. */
bool pp_bisection_flatfly(const pp_fabric *f, uint32_t *links)
{
    const uint32_t a = f->shape.rows, c = f->shape.cols, large = a > c ? a : c, small = a > c ? c : a;
    const uint32_t half = large * small / 2, full = half / large, rest = half % large;
    /* `full` copies of K_large and `rest` vertices of the next one. */
    *links = rest * (large - rest) + (large - rest) * full * (small - full) + rest * (full + 1) * (small - full - 1);
    return true;
}
