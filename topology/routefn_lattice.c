/* Routings on hexagonal and triangular lattices and on 5pp with one-way rows: computed from rows and columns. */
#include "topology/routefn_internal.h"

typedef struct site {
    int64_t r, c;
} site;

static site site_of(const pp_routefn *fn, uint32_t vertex)
{
    const uint32_t cols = fn->f->shape.cols;
    return (site){vertex / cols, vertex % cols};
}

static uint32_t hop_to(const pp_routefn *fn, const pp_route_head *h, int64_t r, int64_t c, uint32_t classes, pp_hop *hop)
{
    const int64_t rows = fn->f->shape.rows, cols = fn->f->shape.cols;
    if (r < 0 || r >= rows || c < 0 || c >= cols)
        return 0;
    const uint32_t channel = pp_channel_between(fn->f, h->at, (uint32_t)(r * cols + c));
    *hop = (pp_hop){.channel = channel, .classes = classes};
    return channel != PP_NO_CHANNEL;
}

static int64_t sign(int64_t x)
{
    return (x > 0) - (x < 0);
}

/* Downwards ways use class 0 and upwards ways class 1. In a class, a way takes at most one channel along each row
 * that it leaves, and a run of one direction in its last row, so that its channels are ordered by row and then along
 * the row. */
static uint32_t hex_class(const pp_route_head *h, int64_t dr)
{
    if (dr != 0)
        return dr > 0 ? 1 : 2;
    return h->channel == PP_NO_CHANNEL ? 3 : 1U << h->vc_class;
}

/* Rows first: where no channel leads on to the next row, one step along the row towards the destination (or, right
 * above or below it, to either side), then the rest of the last row. */
uint32_t pp_next_hex(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const site at = site_of(fn, h->at), to = site_of(fn, h->dst);
    const int64_t dr = to.r - at.r, dc = to.c - at.c, cols = fn->f->shape.cols;
    const bool leads_down = (at.r + at.c) % 2 == 0;
    const uint32_t classes = hex_class(h, dr);
    if (h->at == h->dst)
        return 0;
    if (dr != 0 && leads_down == (dr > 0))
        return hop_to(fn, h, at.r + sign(dr), at.c, classes, hop);
    if (dc != 0)
        return hop_to(fn, h, at.r, at.c + sign(dc), classes, hop);
    return hop_to(fn, h, at.r, at.c + 1 < cols ? at.c + 1 : at.c - 1, classes, hop);
}

/* Rows first, each step to the side where the destination lies, then along the row. A way never turns back up or
 * down, nor from the row to a slanted channel: the channels are ordered. */
uint32_t pp_next_tri(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const site at = site_of(fn, h->at), to = site_of(fn, h->dst);
    const int64_t dr = sign(to.r - at.r), odd = at.r % 2;
    const int64_t side = sign(2 * to.c + to.r % 2 - 2 * at.c - odd); /* half columns between the two */
    if (h->at == h->dst)
        return 0;
    if (dr == 0)
        return hop_to(fn, h, at.r, at.c + sign(to.c - at.c), 1, hop);
    /* To the other row of the same column: right of an even row, left of an odd one. */
    const int64_t beside = odd ? 1 : -1;
    if (side == beside && hop_to(fn, h, at.r + dr, at.c + beside, 1, hop))
        return 1;
    return hop_to(fn, h, at.r + dr, at.c, 1, hop);
}

/* 5pp whose rows lead right and left by turns, without wrap: along this row if it leads the right way, else first
 * one step to a row that does, towards the destination; then along the column. Steps before the row's channels use
 * class 0, those behind it class 1: column, row, column is an order. */
uint32_t pp_next_one_way_rows(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const site at = site_of(fn, h->at), to = site_of(fn, h->dst);
    const int64_t dc = to.c - at.c, dr = to.r - at.r, reach = fn->f->reach, rows = fn->f->shape.rows;
    if (h->at == h->dst)
        return 0;
    if (dc == 0)
        return hop_to(fn, h, at.r + sign(dr), at.c, 2, hop);
    if (sign(dc) == pp_row_sign(PP_ROWS_ALTERNATE, (uint32_t)at.r)) {
        const int64_t far = dc < 0 ? -dc : dc;
        return hop_to(fn, h, at.r, at.c + sign(dc) * (far < reach ? far : reach), 3, hop);
    }
    const int64_t away = dr != 0 ? sign(dr) : at.r + 1 < rows ? 1 : -1;
    return hop_to(fn, h, at.r + away, at.c, 1, hop);
}
