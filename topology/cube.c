/* Grids of three dimensions and hypercubes. Vertex (r, c, p) of a grid has index (p x rows + r) x cols + c;
 * its planes lie side by side on the chip. */
#include "topology/topology_internal.h"

#include <stdlib.h>

/* ---- mesh3d and torus3d ---- */

static pp_status check_cube(const pp_fabric_options *o)
{
    if (o->rows < 1 || o->cols < 1 || o->planes < 1)
        return pp_size_missing(o, "rows=R,cols=C,planes=P");
    PP_TRY(pp_size_check(o, "rows", o->rows, 1, PP_FABRIC_MAX_CORES));
    PP_TRY(pp_size_check(o, "cols", o->cols, 1, PP_FABRIC_MAX_CORES));
    PP_TRY(pp_size_check(o, "planes", o->planes, 1, PP_FABRIC_MAX_CORES));
    PP_TRY(pp_size_total(o, (uint64_t)(o->rows * o->cols)));
    return pp_size_total(o, (uint64_t)(o->rows * o->cols) * (uint64_t)o->planes);
}

/* Planes stand in a near-square block, row by row, right and left by turns, so that neighbours are neighbours. */
static void plane_place(uint32_t planes, uint32_t p, uint32_t *row, uint32_t *col)
{
    const uint32_t down = pp_root(planes), across = (planes + down - 1) / down;
    *row = p / across;
    *col = *row % 2 == 0 ? p % across : across - 1 - p % across;
}

static pp_status add_cube_cores(pp_fabric_builder *b)
{
    const pp_fabric_shape *s = &b->shape;
    for (uint32_t i = 0; i < s->rows * s->cols * s->planes; i++) {
        const uint32_t c = i % s->cols, r = i / s->cols % s->rows, p = i / (s->cols * s->rows);
        uint32_t row = 0, col = 0;
        plane_place(s->planes, p, &row, &col);
        PP_TRY(pp_builder_core(b, PP_VERTEX_BOTH, row * s->rows + r, col * s->cols + c));
        pp_vertex *v = &b->vertices.data[i];
        v->coord[0] = (int32_t)r;
        v->coord[1] = (int32_t)c;
        v->coord[2] = (int32_t)p;
    }
    b->core_rows = s->rows;
    b->core_cols = s->cols;
    return PP_OK;
}

/* Pitches between planes p and q: the way between the blocks where they lie. */
static float plane_distance(const pp_fabric_shape *s, uint32_t p, uint32_t q)
{
    uint32_t row[2], col[2];
    plane_place(s->planes, p, &row[0], &col[0]);
    plane_place(s->planes, q, &row[1], &col[1]);
    const int64_t down = (int64_t)row[0] - (int64_t)row[1], side = (int64_t)col[0] - (int64_t)col[1];
    return (float)(llabs(down) * s->rows + llabs(side) * s->cols);
}

/* Channels up and down from position `at` of a line of n vertices, `stride` apart. */
static pp_status add_neighbours(pp_fabric_builder *b, uint32_t v, uint32_t stride, uint32_t n, bool wrap, bool planes)
{
    const uint32_t at = v / stride % n;
    const bool ring = wrap && n > 2;
    for (int way = 0; way < 2; way++) {
        if (!ring && (way == 0 ? at + 1 == n : at == 0))
            continue;
        const uint32_t to = way == 0 ? (at + 1) % n : (at + n - 1) % n;
        const float flat = ring ? 2.0F : 1.0F; /* rings are folded */
        const float length = planes ? plane_distance(&b->shape, at, to) : flat;
        PP_TRY(pp_builder_channel(b, v, v - at * stride + to * stride, length));
    }
    return PP_OK;
}

static pp_status build_cube(pp_fabric_builder *b, bool wrap)
{
    const pp_fabric_options *o = b->options;
    PP_TRY(check_cube(o));
    b->shape = (pp_fabric_shape){.rows = (uint32_t)o->rows, .cols = (uint32_t)o->cols, .planes = (uint32_t)o->planes};
    const pp_fabric_shape s = b->shape;
    PP_TRY(add_cube_cores(b));
    for (uint32_t v = 0; v < s.rows * s.cols * s.planes; v++) {
        PP_TRY(add_neighbours(b, v, 1, s.cols, wrap, false));
        PP_TRY(add_neighbours(b, v, s.cols, s.rows, wrap, false));
        PP_TRY(add_neighbours(b, v, s.cols * s.rows, s.planes, wrap, true));
    }
    return PP_OK;
}

pp_status pp_build_mesh3d(pp_fabric_builder *b)
{
    return build_cube(b, false);
}

pp_status pp_build_torus3d(pp_fabric_builder *b)
{
    return build_cube(b, true);
}

static uint32_t cube_root(uint32_t n)
{
    uint32_t root = 1;
    while ((uint64_t)(root + 1) * (root + 1) * (root + 1) <= n)
        root++;
    return root;
}

/* Near a cube; what is set stays. */
static pp_status fit_cube(pp_fabric_options *o, uint32_t cores)
{
    const int64_t need = cores > 0 ? cores : 1;
    int64_t set = 1;
    const int64_t sizes[] = {o->planes, o->rows, o->cols};
    for (int i = 0; i < 3; i++)
        set *= sizes[i] > 0 && sizes[i] <= PP_FABRIC_MAX_CORES && set <= PP_FABRIC_MAX_CORES ? sizes[i] : 1;
    int64_t rest = pp_divide_up(need, set);
    const int free_sizes = (o->planes == 0) + (o->rows == 0) + (o->cols == 0);
    if (o->planes == 0) {
        o->planes = free_sizes == 3 ? cube_root((uint32_t)rest) : free_sizes == 2 ? pp_root((uint64_t)rest) : rest;
        rest = pp_divide_up(rest, o->planes);
    }
    if (o->rows == 0) {
        o->rows = o->cols == 0 ? pp_root((uint64_t)rest) : rest;
        rest = pp_divide_up(rest, o->rows);
    }
    if (o->cols == 0)
        o->cols = rest;
    PP_TRY(check_cube(o));
    return pp_size_holds(o, (uint64_t)(o->rows * o->cols * o->planes), (uint64_t)need);
}

pp_status pp_fit_mesh3d(pp_fabric_options *o, uint32_t cores)
{
    return fit_cube(o, cores);
}

pp_status pp_fit_torus3d(pp_fabric_options *o, uint32_t cores)
{
    return fit_cube(o, cores);
}

/* ---- hypercube ---- */

static uint32_t log2_of(uint64_t n)
{
    uint32_t bits = 0;
    while ((UINT64_C(1) << bits) < n)
        bits++;
    return bits;
}

static pp_status check_hypercube(const pp_fabric_options *o)
{
    if (o->cores == 0)
        return pp_size_missing(o, "cores=N");
    PP_TRY(pp_size_check(o, "cores", o->cores, 1, PP_FABRIC_MAX_CORES));
    if ((o->cores & (o->cores - 1)) != 0)
        return pp_fail(PP_EINVAL, "fabric hypercube: cores: expected a power of 2, found %lld", (long long)o->cores);
    return PP_OK;
}

/* Core i stands in the column given by its lower bits and the row given by its upper ones; the link of
 * dimension k is 2^k pitches long along the row, 2^(k - column bits) along the column. */
pp_status pp_build_hypercube(pp_fabric_builder *b)
{
    PP_TRY(check_hypercube(b->options));
    const uint32_t n = (uint32_t)b->options->cores, bits = log2_of(n), wide = (bits + 1) / 2;
    b->shape.rows = 1U << (bits - wide);
    b->shape.cols = 1U << wide;
    b->shape.levels = bits;
    for (uint32_t i = 0; i < n; i++)
        PP_TRY(pp_builder_core(b, PP_VERTEX_BOTH, i >> wide, i & ((1U << wide) - 1)));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < bits; k++)
            PP_TRY(pp_builder_channel(b, i, i ^ (1U << k), (float)(1U << (k < wide ? k : k - wide))));
    return PP_OK;
}

pp_status pp_fit_hypercube(pp_fabric_options *o, uint32_t cores)
{
    if (o->cores == 0)
        o->cores = (int64_t)1 << log2_of(cores);
    PP_TRY(check_hypercube(o));
    return pp_size_holds(o, (uint64_t)o->cores, cores);
}

/* ---- Bisection widths ---- */

/* The longest side L even: a straight cut of N / L links (twice that on rings). No cut is smaller:
 * dimension-order routes of all N^2 ordered pairs, ties split, load no link of a mesh with more than
 * N L / 2 of them and no link of a ring with more than N L / 4, and N^2 / 2 pairs must cross.
 * PAPER: leighton1992 sec. 1.9 (the argument). */
bool pp_bisection_cube(const pp_fabric *f, uint32_t *links)
{
    const pp_fabric_shape *s = &f->shape;
    const bool torus = f->kind[0] == 't';
    uint32_t longest = s->rows > s->cols ? s->rows : s->cols;
    longest = s->planes > longest ? s->planes : longest;
    if (longest % 2 == 1 || (torus && longest == 2))
        return false;
    /* A side of 2 is one link, not a ring: its links carry N, too many when rings are short. */
    if (torus && longest < 4)
        return false;
    *links = (torus ? 2 : 1) * (f->n_cores / longest);
    return true;
}

/* Splitting one dimension cuts N / 2 links, and e-cube routes of all pairs load each link with N. */
bool pp_bisection_hypercube(const pp_fabric *f, uint32_t *links)
{
    *links = f->n_cores / 2;
    return true;
}
