/* Fabrics made of complete graphs and stars: k5prism (K_n x path), full, star. */
#include "topology/topology_internal.h"

/* ---- k5prism: vertex (r, c) has index r x cols + c; the rows of a column are all linked, and each row is
 * a path ---- */

void pp_defaults_k5prism(pp_fabric_options *o)
{
    if (o->rows == 0)
        o->rows = 5;
}

static pp_status check_prism(const pp_fabric_options *o)
{
    if (o->cols == 0)
        return pp_size_missing(o, "rows=N,cols=L (K_N x path of L)");
    PP_TRY(pp_size_check(o, "rows", o->rows, 1, PP_FABRIC_MAX_RADIX));
    PP_TRY(pp_size_check(o, "cols", o->cols, 1, PP_FABRIC_MAX_CORES));
    return pp_size_total(o, (uint64_t)o->rows * (uint64_t)o->cols);
}

pp_status pp_build_k5prism(pp_fabric_builder *b)
{
    PP_TRY(check_prism(b->options));
    const uint32_t rows = b->shape.rows = (uint32_t)b->options->rows, cols = b->shape.cols = (uint32_t)b->options->cols;
    for (uint32_t v = 0; v < rows * cols; v++)
        PP_TRY(pp_builder_core(b, PP_VERTEX_BOTH, v / cols, v % cols));
    for (uint32_t v = 0; v < rows * cols; v++) {
        const uint32_t r = v / cols, c = v % cols;
        if (c + 1 < cols)
            PP_TRY(pp_builder_channel(b, v, v + 1, 1.0F));
        if (c > 0)
            PP_TRY(pp_builder_channel(b, v, v - 1, 1.0F));
        for (uint32_t to = 0; to < rows; to++)
            if (to != r)
                PP_TRY(pp_builder_channel(b, v, to * cols + c, (float)(to > r ? to - r : r - to)));
    }
    return PP_OK;
}

pp_status pp_fit_k5prism(pp_fabric_options *o, uint32_t cores)
{
    if (o->cols == 0 && o->rows > 0)
        o->cols = pp_divide_up(cores > 0 ? cores : 1, o->rows);
    PP_TRY(check_prism(o));
    return pp_size_holds(o, (uint64_t)(o->rows * o->cols), cores);
}

/* An even number of columns is halved between two of them: n links. No balanced cut is smaller: one that
 * splits no column cuts n links of the paths at least; two split columns cut n - 1 each; one split column
 * cuts n - 1 of its own and a link to a neighbour. */
bool pp_bisection_k5prism(const pp_fabric *f, uint32_t *links)
{
    *links = f->shape.rows;
    return f->shape.cols % 2 == 0;
}

/* ---- full and star ---- */

static pp_status check_cores(const pp_fabric_options *o, int64_t most)
{
    if (o->cores == 0)
        return pp_size_missing(o, "cores=N");
    return pp_size_check(o, "cores", o->cores, 1, most);
}

static float distance(const pp_fabric_builder *b, uint32_t u, uint32_t v)
{
    const pp_vertex *p = &b->vertices.data[u], *q = &b->vertices.data[v];
    const float dx = p->x > q->x ? p->x - q->x : q->x - p->x, dy = p->y > q->y ? p->y - q->y : q->y - p->y;
    return dx + dy;
}

#define FULL_MAX 8192 /* n x n channels */

pp_status pp_build_full(pp_fabric_builder *b)
{
    PP_TRY(check_cores(b->options, FULL_MAX));
    const uint32_t n = (uint32_t)b->options->cores;
    PP_TRY(pp_builder_square(b, PP_VERTEX_BOTH, n));
    for (uint32_t u = 0; u < n; u++)
        for (uint32_t v = 0; v < n; v++)
            if (u != v)
                PP_TRY(pp_builder_channel(b, u, v, distance(b, u, v)));
    return PP_OK;
}

static pp_status fit_cores(pp_fabric_options *o, uint32_t cores, int64_t most)
{
    if (o->cores == 0)
        o->cores = cores > 0 ? cores : 1;
    PP_TRY(check_cores(o, most));
    return pp_size_holds(o, (uint64_t)o->cores, cores);
}

pp_status pp_fit_full(pp_fabric_options *o, uint32_t cores)
{
    return fit_cores(o, cores, FULL_MAX);
}

/* Cores 0 .. n-1 and the hub, a switch in the middle of the chip. */
pp_status pp_build_star(pp_fabric_builder *b)
{
    PP_TRY(check_cores(b->options, PP_FABRIC_MAX_CORES - 1));
    const uint32_t n = (uint32_t)b->options->cores;
    PP_TRY(pp_builder_square(b, PP_VERTEX_BOTH, n));
    const int32_t coord[3] = {0, 0, 0};
    PP_TRY(pp_builder_vertex(b, PP_VERTEX_SWITCH, coord, (float)(b->core_cols - 1) / 2, (float)(b->core_rows - 1) / 2));
    for (uint32_t u = 0; u < n; u++)
        PP_TRY(pp_builder_link(b, u, n, distance(b, u, n)));
    return PP_OK;
}

pp_status pp_fit_star(pp_fabric_options *o, uint32_t cores)
{
    return fit_cores(o, cores, PP_FABRIC_MAX_CORES - 1);
}

bool pp_bisection_full(const pp_fabric *f, uint32_t *links)
{
    *links = f->n_cores / 2 * ((f->n_cores + 1) / 2);
    return true;
}

/* The links of the half without the hub. */
bool pp_bisection_star(const pp_fabric *f, uint32_t *links)
{
    *links = f->n_cores / 2;
    return true;
}
