/* Dimension order on grids as numbers, so that engines compute it in their hot loops: the same as the routing
 * function of net_route.c, which made it. */
#ifndef PP_SIM_NET_GRID_H
#define PP_SIM_NET_GRID_H

#include "sim/net.h"

typedef enum pp_grid_kind { PP_GRID_NONE, PP_GRID_MESH, PP_GRID_WRAP } pp_grid_kind;

enum { PP_WEST, PP_EAST, PP_NORTH, PP_SOUTH }; /* ways: 2 dimension + up */

typedef struct pp_noc_grid {
    pp_grid_kind kind;
    bool y_first;
    uint32_t size[2];            /* columns, rows; vertex y * columns + x */
    const uint32_t *channel_to;  /* [n_vertices][4], PP_NO_CHANNEL at edges; borrowed from the routing */
} pp_noc_grid;

/* Kind PP_GRID_NONE when the routing is something else. */
pp_noc_grid pp_noc_grid_of(const pp_noc_routing *routing);

/* Direction on a ring: the shorter way, a coin at a tie. PAPER: booksim2013 */
static inline bool pp_ring_up(uint32_t n, uint32_t from, uint32_t to, bool coin)
{
    const uint32_t up = to >= from ? to - from : to + n - from;
    return 2 * up < n || (2 * up == n && coin);
}

/* The coin of a packet for a dimension. */
static inline bool pp_ring_coin(uint64_t random, uint32_t dim)
{
    return random >> (32 + dim) & 1;
}

#endif
