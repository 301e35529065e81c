/* Grids: 5pp, mesh, torus and ring are one family. Vertex (r, c) has index r x cols + c; lines along
 * rows have steps up to `reach`, lines along columns steps of 1. */
#include "topology/topology_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const directions[] = {
    [PP_ROWS_BOTH] = "both", [PP_ROWS_FORWARD] = "forward", [PP_ROWS_ALTERNATE] = "alternate"};
#define N_DIRECTIONS (sizeof directions / sizeof directions[0])

pp_status pp_row_direction_parse(pp_row_direction *out, const char *text)
{
    for (size_t i = 0; i < N_DIRECTIONS; i++)
        if (strcmp(text, directions[i]) == 0) {
            *out = (pp_row_direction)i;
            return PP_OK;
        }
    return pp_fail(PP_EINVAL, "fabric row_direction: expected both, forward or alternate, found %.40s%s", text, pp_hint(text, "both forward alternate", (char[PP_HINT_MAX]){0}));
}

const char *pp_row_direction_name(pp_row_direction d)
{
    return directions[d];
}

int pp_row_sign(pp_row_direction d, uint32_t row)
{
    if (d == PP_ROWS_BOTH)
        return 0;
    return d == PP_ROWS_ALTERNATE && row % 2 == 1 ? -1 : 1;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Longest steps upwards and downwards of a line. On a ring of n a step of n/2 up and one down end at
 * the same place: the one upwards is kept, so that no pair of vertices has two channels one way. */
static void longest_steps(uint32_t n, uint32_t reach, bool wrap, int sign, uint32_t *up, uint32_t *down)
{
    *up = sign >= 0 ? smaller(reach, wrap && sign == 0 ? n / 2 : n - 1) : 0;
    *down = sign <= 0 ? smaller(reach, wrap && sign == 0 ? (n - 1) / 2 : n - 1) : 0;
}

/* A line that closes to a ring is laid out folded: neighbours are 2 pitches apart, and no wire is
 * longer than the line. */
static float pitches(uint32_t n, bool wrap, uint32_t step)
{
    return (float)(wrap ? smaller(2 * step, n - 1) : step);
}

/* Length of a ring's link on its loop of two rows (positions as drawn). */
static float loop_pitches(const pp_fabric_builder *b, uint32_t from, uint32_t to)
{
    const pp_vertex *u = &b->vertices.data[from], *v = &b->vertices.data[to];
    const float dx = u->x > v->x ? u->x - v->x : v->x - u->x;
    const float dy = u->y > v->y ? u->y - v->y : v->y - u->y;
    return dx + dy;
}

/* A line of the grid: its n vertices are first, first + stride, ... */
typedef struct line {
    uint32_t first, stride, n, reach;
    bool wrap, loop;
    int sign;
} line;

static pp_status add_step(pp_fabric_builder *b, const line *l, uint32_t at, uint32_t to, uint32_t step)
{
    const uint32_t u = l->first + at * l->stride, v = l->first + to * l->stride;
    return pp_builder_channel(b, u, v, l->loop ? loop_pitches(b, u, v) : pitches(l->n, l->wrap, step));
}

/* Channels of the line that leave its position `at`. */
static pp_status add_steps(pp_fabric_builder *b, const line *l, uint32_t at)
{
    uint32_t up = 0, down = 0;
    longest_steps(l->n, l->reach, l->wrap, l->sign, &up, &down);
    for (uint32_t s = 1; s <= up && (l->wrap || at + s < l->n); s++)
        PP_TRY(add_step(b, l, at, (at + s) % l->n, s));
    for (uint32_t s = 1; s <= down && (l->wrap || s <= at); s++)
        PP_TRY(add_step(b, l, at, (at + l->n - s) % l->n, s));
    return PP_OK;
}

static pp_status add_channels(pp_fabric_builder *b, bool loop)
{
    const pp_grid *g = &b->grid;
    for (uint32_t r = 0; r < g->rows; r++)
        for (uint32_t c = 0; c < g->cols; c++) {
            const line along_row = {.first = r * g->cols, .stride = 1, .n = g->cols, .reach = g->reach,
                                    .wrap = g->wrap, .loop = loop, .sign = pp_row_sign(g->row_direction, r)};
            const line along_col = {.first = c, .stride = g->cols, .n = g->rows, .reach = 1, .wrap = g->wrap};
            PP_TRY(add_steps(b, &along_row, c));
            PP_TRY(add_steps(b, &along_col, r));
        }
    return PP_OK;
}

static pp_status check_sizes(const pp_fabric_options *o)
{
    if (o->rows < 1 || o->cols < 1)
        return pp_fail(PP_EINVAL, "fabric %s: no size given; expected %s:rows=R,cols=C", o->kind, o->kind);
    if (o->rows > PP_FABRIC_MAX_CORES || o->cols > PP_FABRIC_MAX_CORES / o->rows)
        return pp_fail(PP_ERANGE, "fabric %s: %lld x %lld cores are more than the %d that can be built", o->kind,
                       (long long)o->rows, (long long)o->cols, PP_FABRIC_MAX_CORES);
    return PP_OK;
}

static pp_status build_grid(pp_fabric_builder *b, uint32_t reach, pp_row_direction direction, bool wrap)
{
    PP_TRY(check_sizes(b->options));
    b->shape.rows = b->core_rows = (uint32_t)b->options->rows;
    b->shape.cols = b->core_cols = (uint32_t)b->options->cols;
    b->grid = (pp_grid){.rows = (uint32_t)b->options->rows,
                        .cols = (uint32_t)b->options->cols,
                        .reach = reach,
                        .row_direction = direction,
                        .wrap = wrap};
    for (uint32_t r = 0; r < b->grid.rows; r++)
        for (uint32_t c = 0; c < b->grid.cols; c++) {
            const int32_t coord[3] = {(int32_t)r, (int32_t)c, 0};
            PP_TRY(pp_builder_vertex(b, PP_VERTEX_BOTH, coord, (float)c, (float)r));
        }
    return add_channels(b, false);
}

pp_status pp_build_5pp(pp_fabric_builder *b)
{
    /* PAPER: legallo2023, links drawn for cores (3,5) and (4,5): neighbours of (r, c) are (r, c+-1),
     * (r, c+-2), (r+-1, c). dazzi2019's own definition may differ. */
    const pp_fabric_options *o = b->options;
    pp_row_direction direction = PP_ROWS_BOTH;
    PP_TRY(pp_row_direction_parse(&direction, o->row_direction));
    if (o->reach < 1 || o->reach > PP_FABRIC_MAX_REACH)
        return pp_fail(PP_ERANGE, "fabric 5pp: reach: expected an integer from 1 to %d", PP_FABRIC_MAX_REACH);
    return build_grid(b, (uint32_t)o->reach, direction, o->wrap);
}

pp_status pp_build_mesh(pp_fabric_builder *b)
{
    return build_grid(b, 1, PP_ROWS_BOTH, false);
}

pp_status pp_build_torus(pp_fabric_builder *b)
{
    return build_grid(b, 1, PP_ROWS_BOTH, true);
}

pp_status pp_build_ring(pp_fabric_builder *b)
{
    const int64_t cores = b->options->cores;
    if (cores < 1)
        return pp_fail(PP_EINVAL, "fabric ring: no size given; expected ring:cores=N");
    if (cores > PP_FABRIC_MAX_CORES)
        return pp_fail(PP_ERANGE, "fabric ring: %lld cores are more than the %d that can be built", (long long)cores,
                       PP_FABRIC_MAX_CORES);
    const uint32_t n = (uint32_t)cores, half = (n + 1) / 2;
    b->grid = (pp_grid){.rows = 1, .cols = n, .reach = 1, .row_direction = PP_ROWS_BOTH, .wrap = true};
    for (uint32_t c = 0; c < n; c++) {
        const int32_t coord[3] = {0, (int32_t)c, 0};
        b->core_rows = 1;
        b->core_cols = n;
        PP_TRY(pp_builder_vertex(b, PP_VERTEX_BOTH, coord, (float)(c < half ? c : n - 1 - c), c < half ? 0.0F : 1.0F));
    }
    return add_channels(b, true);
}

/* ---- Sizes ---- */

/* Fills what is free of rows and cols; `rows` is taken when both are. */
static pp_status fit_rows_cols(pp_fabric_options *o, int64_t cores, int64_t rows)
{
    if (o->rows == 0 && o->cols == 0)
        o->rows = rows;
    if (o->rows == 0)
        o->rows = pp_divide_up(cores, o->cols);
    if (o->cols == 0)
        o->cols = pp_divide_up(cores, o->rows);
    PP_TRY(check_sizes(o));
    if (o->rows * o->cols < cores)
        return pp_fail(PP_EINFEASIBLE, "fabric %s:rows=%lld,cols=%lld has %lld cores, %lld are needed", o->kind,
                       (long long)o->rows, (long long)o->cols, (long long)(o->rows * o->cols), (long long)cores);
    return PP_OK;
}

/* One row: there alone a chain of residual blocks embeds without turning a corner. */
pp_status pp_fit_5pp(pp_fabric_options *options, uint32_t cores)
{
    return fit_rows_cols(options, cores > 0 ? cores : 1, 1);
}

pp_status pp_fit_grid(pp_fabric_options *options, uint32_t cores)
{
    const int64_t need = cores > 0 ? cores : 1;
    int64_t root = 1;
    while ((root + 1) * (root + 1) <= need)
        root++;
    return fit_rows_cols(options, need, root);
}

pp_status pp_fit_ring(pp_fabric_options *options, uint32_t cores)
{
    if (options->cores == 0)
        options->cores = cores > 0 ? cores : 1;
    if (options->cores < cores)
        return pp_fail(PP_EINFEASIBLE, "fabric ring:cores=%lld has %lld cores, %u are needed",
                       (long long)options->cores, (long long)options->cores, cores);
    return PP_OK;
}

/* ---- Bisection widths ---- */

/* PAPER: leighton1992 sec. 1.9: the longer side even: a straight cut across it. efe2007: k x k with k
 * odd: k + 1. A path is cut anywhere. Other odd sizes: not claimed. */
bool pp_bisection_mesh(const pp_fabric *f, uint32_t *links)
{
    const uint32_t a = f->rows > f->cols ? f->rows : f->cols, b = smaller(f->rows, f->cols);
    if (b == 1)
        *links = a > 1;
    else if (a % 2 == 0)
        *links = b;
    else if (a == b)
        *links = b + 1;
    else
        return false;
    return true;
}

/* A ring is cut twice, and so is each ring of a torus whose longer side is even (dally2004 sec. 3.2).
 * Lines of 2 have one link. */
bool pp_bisection_torus(const pp_fabric *f, uint32_t *links)
{
    const uint32_t a = f->rows > f->cols ? f->rows : f->cols, b = smaller(f->rows, f->cols);
    if (a <= 2)
        return pp_bisection_mesh(f, links);
    if (b != 1 && (b == 2 || a % 2 == 1))
        return false;
    *links = 2 * b;
    return true;
}

/* 5pp holds the mesh of its size, so that no cut is smaller than the mesh's; where rows are many and
 * even, the cut between two rows attains that. One row of reach 2, at least 4 long: 3. A half that ends in one
 * place cuts a link of a step and two of two steps. One that ends in two places cuts two links of a step, and
 * beside each place a link of two steps, unless a single core lies between the places; one that ends in three or
 * more cuts as many links of a step. */
bool pp_bisection_5pp(const pp_fabric *f, uint32_t *links)
{
    if (!f->wrap && f->row_direction == PP_ROWS_BOTH && f->rows == 1 && f->reach == 2 && f->cols >= 4) {
        *links = 3;
        return true;
    }
    if (f->wrap || f->row_direction != PP_ROWS_BOTH || f->rows < f->cols || f->rows % 2 == 1)
        return false;
    *links = f->cols;
    return true;
}
