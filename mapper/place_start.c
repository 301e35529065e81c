/* Starts: tiles in their natural order along simple paths through a grid. The order of the tiles is that
 * of the network, row tiles of a layer side by side, so that neighbours on the path talk. */
#include "mapper/place_internal.h"

#include <stdlib.h>

const char *pp_start_name(pp_start start)
{
    static const char *const name[] = {"linear", "snake", "zigzag", "bisection", "embedding"};
    return name[start];
}

/* ---- the grid ---- */

/* Size of the grid of places that the cores fill; a ring is one row. */
static void grid_size(const pp_fabric *fabric, uint32_t *rows, uint32_t *cols)
{
    uint32_t r = 0, c = 0;
    for (uint32_t i = 0; i < fabric->n_cores; i++) {
        const int32_t *coord = fabric->vertex[fabric->core_vertex[i]].coord;
        r = coord[0] >= 0 && (uint32_t)coord[0] >= r ? (uint32_t)coord[0] + 1 : r;
        c = coord[1] >= 0 && (uint32_t)coord[1] >= c ? (uint32_t)coord[1] + 1 : c;
    }
    *rows = r;
    *cols = c;
}

/* at[row x cols + col] = core; false when the cores do not fill a grid, one core a place. */
static bool grid_of(const pp_fabric *fabric, uint32_t cols, uint32_t *at)
{
    for (uint32_t c = 0; c < fabric->n_cores; c++)
        at[c] = PP_NONE;
    for (uint32_t c = 0; c < fabric->n_cores; c++) {
        const int32_t *coord = fabric->vertex[fabric->core_vertex[c]].coord;
        if (coord[0] < 0 || coord[1] < 0)
            return false;
        uint32_t *place = &at[(uint32_t)coord[0] * cols + (uint32_t)coord[1]];
        if (*place != PP_NONE)
            return false;
        *place = c;
    }
    return true;
}

/* Place of the i-th step of a path, as row x cols + col. */
static uint32_t snake_place(uint32_t cols, uint32_t i)
{
    uint32_t row = i / cols, col = i % cols;
    return row * cols + (row % 2 ? cols - 1 - col : col);
}

/* Bands of two rows, each a square wave of one column a half-period: (0,0) (1,0) (1,1) (0,1) (0,2) ...;
 * the next band comes back. A last single row is run along. Each block's three tiles then stand on
 * the corners of a square, whose fourth corner offers the shortcut two channels that the path leaves free. */
static uint32_t zigzag_place(uint32_t rows, uint32_t cols, uint32_t i)
{
    uint32_t band = i / (2 * cols), j = i % (2 * cols);
    bool single = 2 * band + 1 == rows;
    uint32_t col = single ? j : j / 2;
    uint32_t row = 2 * band + (single ? 0 : (j + col) % 2);
    return row * cols + (band % 2 ? cols - 1 - col : col);
}

/* ---- recursive bisection ---- */

/* A core at its place in the drawing. */
typedef struct pp_spot {
    float along, across; /* the longer side of the part that it is in, and the other one */
    uint32_t core;
} pp_spot;

static int by_spot(const void *a, const void *b)
{
    const pp_spot *p = a, *q = b;
    if (p->along < q->along || p->along > q->along)
        return p->along < q->along ? -1 : 1;
    if (p->across < q->across || p->across > q->across)
        return p->across < q->across ? -1 : 1;
    return (p->core > q->core) - (p->core < q->core);
}

/* Halves a part of the chip across its longer side, and each half again: the first half of the tiles, in
 * their order, goes to the first half of the cores, so that few flows cross any cut. */
static void halve(const pp_fabric *fabric, pp_spot *spot, uint32_t n)
{
    if (n < 2)
        return;
    float low[2] = {0}, high[2] = {0};
    for (uint32_t i = 0; i < n; i++) {
        const pp_vertex *v = &fabric->vertex[fabric->core_vertex[spot[i].core]];
        const float at[2] = {v->x, v->y};
        for (int d = 0; d < 2; d++) {
            low[d] = i == 0 || at[d] < low[d] ? at[d] : low[d];
            high[d] = i == 0 || at[d] > high[d] ? at[d] : high[d];
        }
    }
    bool wide = high[0] - low[0] >= high[1] - low[1];
    for (uint32_t i = 0; i < n; i++) {
        const pp_vertex *v = &fabric->vertex[fabric->core_vertex[spot[i].core]];
        spot[i].along = wide ? v->x : v->y;
        spot[i].across = wide ? v->y : v->x;
    }
    qsort(spot, n, sizeof *spot, by_spot);
    halve(fabric, spot, n / 2);
    halve(fabric, spot + n / 2, n - n / 2);
}

static pp_status bisect(const pp_fabric *fabric, uint32_t n_tiles, uint32_t *core)
{
    pp_spot *spot = pp_calloc(fabric->n_cores, sizeof *spot);
    if (!spot)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < fabric->n_cores; c++)
        spot[c].core = c;
    halve(fabric, spot, fabric->n_cores);
    for (uint32_t t = 0; t < n_tiles; t++)
        core[t] = spot[t].core;
    free(spot);
    return PP_OK;
}

/* ---- all of them ---- */

bool pp_start_fits(const pp_fabric *fabric, pp_start start, uint32_t shift, uint32_t n_tiles)
{
    uint32_t rows, cols;
    if (start == PP_START_EMBEDDING)
        return false;
    if (n_tiles > fabric->n_cores || shift > fabric->n_cores - n_tiles)
        return false;
    if (start == PP_START_LINEAR || start == PP_START_BISECTION)
        return true;
    grid_size(fabric, &rows, &cols);
    return (uint64_t)rows * cols == fabric->n_cores && rows > 1;
}

static uint32_t place_of(pp_start start, uint32_t rows, uint32_t cols, uint32_t i)
{
    if (start == PP_START_SNAKE)
        return snake_place(cols, i);
    return start == PP_START_ZIGZAG ? zigzag_place(rows, cols, i) : i;
}

pp_status pp_start_cores(const pp_fabric *fabric, pp_start start, uint32_t shift, uint32_t n_tiles, uint32_t *core)
{
    uint32_t rows, cols, *at = NULL;
    if (start == PP_START_BISECTION)
        return bisect(fabric, n_tiles, core);
    grid_size(fabric, &rows, &cols);
    at = pp_alloc(fabric->n_cores, sizeof *at);
    if (!at)
        return PP_ENOMEM;
    bool grid = (uint64_t)rows * cols == fabric->n_cores && grid_of(fabric, cols, at);
    if (!grid && start != PP_START_LINEAR) {
        free(at);
        return pp_fail(PP_EUNSUPPORTED, "placement %s needs a grid with a core at each place, fabric %s is none",
                       pp_start_name(start), fabric->name);
    }
    for (uint32_t t = 0; t < n_tiles; t++) {
        uint32_t place = place_of(start, rows, cols, t + shift);
        core[t] = grid ? at[place] : place;
    }
    free(at);
    return PP_OK;
}
