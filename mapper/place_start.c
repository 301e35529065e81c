/* Starts: tiles in their natural order along simple paths through a grid. The order of the tiles is that
 * of the network, row tiles of a layer side by side, so that neighbours on the path talk. */
#include "mapper/place_internal.h"

#include <stdlib.h>

const char *pp_start_name(pp_start start)
{
    static const char *const name[] = {"linear", "snake", "zigzag"};
    return name[start];
}

/* ---- the grid ---- */

/* at[row x cols + col] = core; false when the fabric is not a full grid with one core a place. */
static bool grid_of(const pp_fabric *fabric, uint32_t *at)
{
    uint64_t places = (uint64_t)fabric->rows * fabric->cols;
    if (!places || places != fabric->n_cores)
        return false;
    for (uint32_t c = 0; c < fabric->n_cores; c++)
        at[c] = PP_NONE;
    for (uint32_t c = 0; c < fabric->n_cores; c++) {
        const int32_t *coord = fabric->vertex[fabric->core_vertex[c]].coord;
        if (coord[0] < 0 || coord[1] < 0 || (uint32_t)coord[0] >= fabric->rows || (uint32_t)coord[1] >= fabric->cols)
            return false;
        uint32_t *place = &at[(uint32_t)coord[0] * fabric->cols + (uint32_t)coord[1]];
        if (*place != PP_NONE)
            return false;
        *place = c;
    }
    return true;
}

/* Place of the i-th step of a path, as row x cols + col. */
static uint32_t linear_place(uint32_t cols, uint32_t i)
{
    (void)cols;
    return i;
}

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

bool pp_start_fits(const pp_fabric *fabric, pp_start start, uint32_t shift, uint32_t n_tiles)
{
    if (n_tiles > fabric->n_cores || shift > fabric->n_cores - n_tiles)
        return false;
    return start == PP_START_LINEAR || ((uint64_t)fabric->rows * fabric->cols == fabric->n_cores && fabric->rows > 1);
}

pp_status pp_start_cores(const pp_fabric *fabric, pp_start start, uint32_t shift, uint32_t n_tiles, uint32_t *core)
{
    uint32_t *at = pp_alloc(fabric->n_cores, sizeof *at);
    if (!at)
        return PP_ENOMEM;
    bool grid = grid_of(fabric, at);
    if (!grid && start != PP_START_LINEAR) {
        free(at);
        return pp_fail(PP_EUNSUPPORTED, "placement %s needs a grid with a core at each place, fabric %s is none",
                       pp_start_name(start), fabric->name);
    }
    for (uint32_t t = 0; t < n_tiles; t++) {
        uint32_t i = t + shift;
        uint32_t place = start == PP_START_SNAKE    ? snake_place(fabric->cols, i)
                         : start == PP_START_ZIGZAG ? zigzag_place(fabric->rows, fabric->cols, i)
                                                    : linear_place(fabric->cols, i);
        core[t] = grid ? at[place] : place;
    }
    free(at);
    return PP_OK;
}
