/* Lattices beside the plain grids: express mesh, hexagonal (degree 3) and triangular (degree 6). Vertex
 * (r, c) has index r x cols + c. */
#include "topology/topology_internal.h"

static pp_status begin(pp_fabric_builder *b)
{
    const pp_fabric_options *o = b->options;
    if (o->rows == 0 || o->cols == 0)
        return pp_size_missing(o, "rows=R,cols=C");
    PP_TRY(pp_size_check(o, "rows", o->rows, 1, PP_FABRIC_MAX_CORES));
    PP_TRY(pp_size_check(o, "cols", o->cols, 1, PP_FABRIC_MAX_CORES));
    PP_TRY(pp_size_total(o, (uint64_t)o->rows * (uint64_t)o->cols));
    b->shape.rows = (uint32_t)o->rows;
    b->shape.cols = (uint32_t)o->cols;
    for (uint32_t v = 0; v < b->shape.rows * b->shape.cols; v++)
        PP_TRY(pp_builder_core(b, PP_VERTEX_BOTH, v / b->shape.cols, v % b->shape.cols));
    return PP_OK;
}

/* ---- express mesh ---- */

void pp_defaults_express(pp_fabric_options *o)
{
    if (o->interval == 0)
        o->interval = 4;
}

/* Channels along a line of n positions, `stride` apart, from position `at`: to the neighbours, and between
 * interchanges (each interval-th position). */
static pp_status add_line(pp_fabric_builder *b, uint32_t v, uint32_t stride, uint32_t at, uint32_t n, uint32_t interval)
{
    const uint32_t steps[2] = {1, interval};
    for (int k = 0; k < 2; k++) {
        if (k == 1 && (interval == 1 || at % interval != 0))
            continue;
        if (at + steps[k] < n)
            PP_TRY(pp_builder_channel(b, v, v + stride * steps[k], (float)steps[k]));
        if (at >= steps[k])
            PP_TRY(pp_builder_channel(b, v, v - stride * steps[k], (float)steps[k]));
    }
    return PP_OK;
}

/* PAPER: dally1991: express channels; each interchange is a router with a core here. */
pp_status pp_build_express(pp_fabric_builder *b)
{
    PP_TRY(begin(b));
    PP_TRY(pp_size_check(b->options, "interval", b->options->interval, 1, PP_FABRIC_MAX_REACH));
    const uint32_t cols = b->shape.cols, interval = b->shape.interval = (uint32_t)b->options->interval;
    for (uint32_t v = 0; v < b->shape.rows * cols; v++) {
        PP_TRY(add_line(b, v, 1, v % cols, cols, interval));
        PP_TRY(add_line(b, v, cols, v / cols, b->shape.rows, interval));
    }
    return PP_OK;
}

/* ---- hexagonal ---- */

/* A wall of bricks: rows are paths, and (r, c) with r + c even reaches (r + 1, c). Drawn as honeycombs. */
pp_status pp_build_hex(pp_fabric_builder *b)
{
    PP_TRY(begin(b));
    const uint32_t rows = b->shape.rows, cols = b->shape.cols;
    if (rows > 1 && cols == 1)
        return pp_fail(PP_EINVAL, "fabric hex: cols: a lattice of several rows needs at least 2 columns");
    for (uint32_t v = 0; v < rows * cols; v++) {
        const uint32_t r = v / cols, c = v % cols;
        const bool down = (r + c) % 2 == 0;
        b->vertices.data[v].x = 0.8660254F * (float)c;
        b->vertices.data[v].y = 1.5F * (float)r + (down ? 0.25F : -0.25F);
        if (c + 1 < cols)
            PP_TRY(pp_builder_channel(b, v, v + 1, 1.0F));
        if (c > 0)
            PP_TRY(pp_builder_channel(b, v, v - 1, 1.0F));
        if (down && r + 1 < rows)
            PP_TRY(pp_builder_channel(b, v, v + cols, 1.0F));
        if (!down && r > 0)
            PP_TRY(pp_builder_channel(b, v, v - cols, 1.0F));
    }
    return PP_OK;
}

/* ---- triangular ---- */

/* Odd rows are shifted right by half a pitch, so that (r, c) touches (r +- 1, c) and the place beside it:
 * one to the left in even rows, to the right in odd ones. A slanted wire is 1 + 1/2 pitches long. */
pp_status pp_build_tri(pp_fabric_builder *b)
{
    PP_TRY(begin(b));
    const uint32_t rows = b->shape.rows, cols = b->shape.cols;
    for (uint32_t v = 0; v < rows * cols; v++) {
        const uint32_t r = v / cols, c = v % cols;
        const bool odd = r % 2 == 1;
        b->vertices.data[v].x = (float)c + (odd ? 0.5F : 0.0F);
        b->vertices.data[v].y = 0.8660254F * (float)r;
        if (c + 1 < cols)
            PP_TRY(pp_builder_channel(b, v, v + 1, 1.0F));
        if (c > 0)
            PP_TRY(pp_builder_channel(b, v, v - 1, 1.0F));
        const bool beside = odd ? c + 1 < cols : c > 0;
        const uint32_t shift = odd ? 1 : UINT32_MAX; /* modulo 2^32: one to the left */
        for (int way = 0; way < 2; way++) {
            if (way == 0 ? r + 1 == rows : r == 0)
                continue;
            const uint32_t to = way == 0 ? v + cols : v - cols;
            PP_TRY(pp_builder_channel(b, v, to, 1.5F));
            if (beside)
                PP_TRY(pp_builder_channel(b, v, to + shift, 1.5F));
        }
    }
    return PP_OK;
}

pp_status pp_fit_express(pp_fabric_options *o, uint32_t cores)
{
    return pp_fit_grid(o, cores);
}

pp_status pp_fit_hex(pp_fabric_options *o, uint32_t cores)
{
    return pp_fit_grid(o, cores);
}

pp_status pp_fit_tri(pp_fabric_options *o, uint32_t cores)
{
    return pp_fit_grid(o, cores);
}
