/* Routings on products of lines, rings and complete graphs: grids, tori, 5pp, cmesh, flatfly, hypercube, prisms. */
#include "topology/routefn_internal.h"

#include <string.h>

/* ---- Dimensions of a fabric ---- */

static void add_dim(pp_routefn *fn, pp_dim_kind kind, uint32_t n, uint32_t reach)
{
    const pp_dim *last = fn->n_dims > 0 ? &fn->dim[fn->n_dims - 1] : NULL;
    const bool ring = kind == PP_DIM_RING && n > 2;
    fn->dim[fn->n_dims++] = (pp_dim){.n = n,
                                     .stride = last ? last->stride * last->n : 1,
                                     .reach = reach,
                                     .kind = (uint8_t)(kind == PP_DIM_RING && !ring ? PP_DIM_LINE : kind)};
    fn->rings = fn->rings || ring;
}

static bool grid_dims(pp_routefn *fn, const pp_fabric *f)
{
    const pp_dim_kind kind = f->wrap ? PP_DIM_RING : PP_DIM_LINE;
    const bool one_way = f->row_direction != PP_ROWS_BOTH;
    add_dim(fn, kind, f->cols, f->reach);
    fn->dim[0].sign = one_way;
    fn->alternate = f->row_direction == PP_ROWS_ALTERNATE;
    if (one_way && f->wrap && f->cols > 1) {
        fn->dim[0].kind = PP_DIM_RING; /* also two cores close a ring when channels lead one way */
        fn->rings = true;
    }
    add_dim(fn, kind, f->rows, 1);
    return true;
}

static void router_dims(pp_routefn *fn, const pp_fabric *f, pp_dim_kind kind)
{
    fn->base = f->n_cores;
    add_dim(fn, kind, f->shape.cols, 1);
    add_dim(fn, kind, f->shape.rows, 1);
}

bool pp_product_of(pp_routefn *fn)
{
    const pp_fabric *f = fn->f;
    const pp_fabric_shape *s = &f->shape;
    const char *kind = f->kind;
    if (f->rows > 0)
        return grid_dims(fn, f);
    if (strcmp(kind, "cmesh") == 0) {
        router_dims(fn, f, PP_DIM_LINE);
    } else if (strcmp(kind, "flatfly") == 0) {
        router_dims(fn, f, PP_DIM_CLIQUE);
    } else if (strcmp(kind, "mesh3d") == 0 || strcmp(kind, "torus3d") == 0) {
        const pp_dim_kind line = kind[0] == 't' ? PP_DIM_RING : PP_DIM_LINE;
        add_dim(fn, line, s->cols, 1);
        add_dim(fn, line, s->rows, 1);
        add_dim(fn, line, s->planes, 1);
    } else if (strcmp(kind, "express") == 0) {
        add_dim(fn, PP_DIM_EXPRESS, s->cols, s->interval);
        add_dim(fn, PP_DIM_EXPRESS, s->rows, s->interval);
    } else if (strcmp(kind, "k5prism") == 0) {
        add_dim(fn, PP_DIM_LINE, s->cols, 1);
        add_dim(fn, PP_DIM_CLIQUE, s->rows, 1);
    } else if (strcmp(kind, "full") == 0) {
        add_dim(fn, PP_DIM_CLIQUE, f->n_cores, 1);
    } else if (strcmp(kind, "hypercube") == 0) {
        for (uint32_t k = 0; k < s->levels; k++)
            add_dim(fn, PP_DIM_LINE, 2, 1);
    } else {
        return false;
    }
    return true;
}

bool pp_product_minimal(const pp_routefn *fn)
{
    for (uint32_t d = 0; d < fn->n_dims; d++)
        if (fn->dim[d].kind == PP_DIM_EXPRESS && fn->dim[d].reach > 1 && fn->dim[d].n > fn->dim[d].reach)
            return false;
    return !fn->f->shape.express;
}

static uint32_t coordinate(const pp_routefn *fn, uint32_t d, uint32_t vertex)
{
    return (vertex - fn->base) / fn->dim[d].stride % fn->dim[d].n;
}

/* ---- One dimension ---- */

typedef struct span {
    uint32_t up, down; /* positions to go either way; UINT32_MAX: no way */
} span;

/* Way of the channels of dimension d where the head is: 0 both, +1, -1. */
static int sign_of(const pp_routefn *fn, uint32_t d, uint32_t at)
{
    return d == 0 && fn->alternate && coordinate(fn, 1, at) % 2 == 1 ? -1 : fn->dim[d].sign;
}

static span spans(const pp_routefn *fn, uint32_t k, uint32_t at, uint32_t from, uint32_t to)
{
    const pp_dim *d = &fn->dim[k];
    const int sign = sign_of(fn, k, at);
    const bool ring = d->kind == PP_DIM_RING;
    span s = {.up = to > from ? to - from : ring ? d->n - from + to : UINT32_MAX,
              .down = to < from ? from - to : ring ? d->n - to + from : UINT32_MAX};
    if (sign > 0)
        s.down = UINT32_MAX;
    if (sign < 0)
        s.up = UINT32_MAX;
    return s;
}

/* Steps along an express line, always ahead: up to the next interchange, by express channels while the
 * destination is not passed, then on foot. */
static uint32_t express_step(const pp_dim *d, uint32_t from, uint32_t distance)
{
    return from % d->reach == 0 && distance >= d->reach ? d->reach : 1;
}

/* Longest step of a way of `distance` positions from `from`. */
static uint32_t longest_step(const pp_dim *d, uint32_t from, uint32_t distance)
{
    if (d->kind == PP_DIM_CLIQUE)
        return distance;
    if (d->kind == PP_DIM_EXPRESS)
        return express_step(d, from, distance);
    return distance < d->reach ? distance : d->reach;
}

static uint32_t channel_to(const pp_routefn *fn, uint32_t d, uint32_t at, uint32_t from, uint32_t to)
{
    const uint32_t stride = fn->dim[d].stride, n = fn->f->n_cores;
    if (fn->n_dims == 1 && fn->dim[0].kind == PP_DIM_CLIQUE)
        return at * (n - 1) + (to > at ? to - 1 : to); /* full: channels stand in this order */
    return pp_channel_between(fn->f, at, at - from * stride + to * stride);
}

/* Class of a hop in dimension d. Two-way rings: fixed on entering the dimension, 1 when the destination
 * lies below. Then in either class and direction the channels in use do not close the ring: ways are at
 * most half of it, so those of a class that cross its ends leave a gap in the middle, and the others do not
 * cross. One-way rings: 1 from the crossing on. Other dimensions: any class. */
static uint32_t hop_classes(const pp_routefn *fn, const pp_route_head *h, uint32_t d, uint32_t from, uint32_t to,
                            uint32_t next)
{
    if (fn->dim[d].kind != PP_DIM_RING)
        return pp_class_mask(fn->dor_classes);
    const bool inside = h->channel != PP_NO_CHANNEL && h->vc_class < fn->dor_classes &&
                        coordinate(fn, d, fn->f->channel[h->channel].src) != from;
    const int sign = sign_of(fn, d, h->at);
    if (sign != 0)
        return (inside && h->vc_class == 1) || (sign > 0 ? next < from : next > from) ? 2 : 1;
    return 1U << (inside ? h->vc_class : to < from);
}

/* Adds the hop `up` or down by `step`. */
static uint32_t add_hop(const pp_routefn *fn, const pp_route_head *h, uint32_t d, uint32_t to, bool up, uint32_t step,
                        pp_hop *hop)
{
    const uint32_t n = fn->dim[d].n, from = coordinate(fn, d, h->at), next = up ? (from + step) % n : (from + n - step) % n;
    const uint32_t channel = channel_to(fn, d, h->at, from, next);
    if (channel == PP_NO_CHANNEL)
        return 0;
    *hop = (pp_hop){.channel = channel, .classes = hop_classes(fn, h, d, from, to, next)};
    return 1;
}

/* ---- Dimension order ---- */

/* The first dimension in which the head is not there yet; n_dims when there is none. */
static uint32_t first_dim(const pp_routefn *fn, const pp_route_head *h)
{
    for (uint32_t k = 0; k < fn->n_dims; k++) {
        const uint32_t d = fn->reverse ? fn->n_dims - 1 - k : k;
        if (coordinate(fn, d, h->at) != coordinate(fn, d, h->dst))
            return d;
    }
    return fn->n_dims;
}

/* PAPER: dally1987 (rings by classes); sullivan1977 (e-cube). */
uint32_t pp_next_dimension_order(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const uint32_t d = first_dim(fn, h);
    if (d == fn->n_dims)
        return 0;
    const uint32_t from = coordinate(fn, d, h->at), to = coordinate(fn, d, h->dst);
    const span s = spans(fn, d, h->at, from, to);
    uint32_t n = 0;
    if (s.up <= s.down && s.up != UINT32_MAX)
        n += add_hop(fn, h, d, to, true, longest_step(&fn->dim[d], from, s.up), hop);
    if (s.down <= s.up && s.down != UINT32_MAX)
        n += add_hop(fn, h, d, to, false, longest_step(&fn->dim[d], from, s.down), hop + n);
    return n;
}

/* ---- Minimal adaptive ---- */

/* Every step one way that leads nearer: with `reach`, also shorter ones when the last step need not be full. */
static uint32_t add_steps(const pp_routefn *fn, const pp_route_head *h, uint32_t d, uint32_t to, bool up,
                          uint32_t distance, pp_hop *hop)
{
    const pp_dim *dim = &fn->dim[d];
    if (dim->kind == PP_DIM_CLIQUE || dim->kind == PP_DIM_EXPRESS)
        return add_hop(fn, h, d, to, up, longest_step(dim, coordinate(fn, d, h->at), distance), hop);
    const uint32_t steps = (distance + dim->reach - 1) / dim->reach;
    uint32_t n = 0;
    for (uint32_t s = distance < dim->reach ? distance : dim->reach; s > 0 && (distance - s + dim->reach - 1) / dim->reach < steps; s--)
        n += add_hop(fn, h, d, to, up, s, hop + n);
    return n;
}

static uint32_t add_nearer(const pp_routefn *fn, const pp_route_head *h, uint32_t d, pp_hop *hop)
{
    const uint32_t from = coordinate(fn, d, h->at), to = coordinate(fn, d, h->dst);
    const span s = spans(fn, d, h->at, from, to);
    uint32_t n = 0;
    if (from == to)
        return 0;
    if (s.up <= s.down && s.up != UINT32_MAX)
        n += add_steps(fn, h, d, to, true, s.up, hop);
    if (s.down <= s.up && s.down != UINT32_MAX)
        n += add_steps(fn, h, d, to, false, s.down, hop + n);
    return n;
}

/* PAPER: duato1993: the classes of dimension order are the escapes, one more class is free. */
uint32_t pp_next_adaptive(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    uint32_t n = 0;
    for (uint32_t d = 0; d < fn->n_dims; d++)
        n += add_nearer(fn, h, d, hop + n);
    for (uint32_t i = 0; i < n; i++)
        hop[i].classes = 1U << fn->dor_classes;
    const uint32_t escapes = pp_next_dimension_order(fn, h, hop + n);
    for (uint32_t i = n; i < n + escapes; i++)
        hop[i].escape = true;
    return n + escapes;
}

/* ---- Turn models on two lines: x = dimension 0, west = lower x ---- */

/* PAPER: glass1992: no turn leads west, so that a way to the west goes there first. */
uint32_t pp_next_west_first(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const uint32_t x = coordinate(fn, 0, h->at), to = coordinate(fn, 0, h->dst);
    if (to < x)
        return add_hop(fn, h, 0, to, false, longest_step(&fn->dim[0], x, x - to), hop);
    const uint32_t n = add_nearer(fn, h, 0, hop);
    return n + add_nearer(fn, h, 1, hop + n);
}

/* PAPER: chiu2000, function ROUTE: no turn from east to north or south in even columns, none from north or
 * south to west in odd ones. */
uint32_t pp_next_odd_even(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const uint32_t x = coordinate(fn, 0, h->at), to = coordinate(fn, 0, h->dst), first = coordinate(fn, 0, h->src);
    const bool level = coordinate(fn, 1, h->at) == coordinate(fn, 1, h->dst);
    bool along_x = x != to, along_y = !level;
    if (to > x && !level) {
        along_y = x % 2 == 1 || x == first;
        along_x = to % 2 == 1 || to - x != 1;
    } else if (to < x) {
        along_y = !level && x % 2 == 0;
    }
    const uint32_t n = along_x ? add_nearer(fn, h, 0, hop) : 0;
    return n + (along_y ? add_nearer(fn, h, 1, hop + n) : 0);
}

/* ---- Intermediate vertices of romm ---- */

/* A uniform draw below n, n < 2^32, from a word that is replaced by the next one. */
static uint32_t draw(uint64_t *word, uint32_t n)
{
    *word += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *word;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(((z >> 32) * n) >> 32);
}

/* Positions on the way of `distance`: whole steps of `reach` from its begin, and its end. */
static uint32_t draw_step(uint64_t *word, const pp_dim *d, uint32_t distance)
{
    const uint32_t reach = d->kind == PP_DIM_EXPRESS ? 1 : d->reach;
    const uint32_t at = draw(word, (distance + reach - 1) / reach + 1) * reach;
    return at < distance ? at : distance;
}

/* PAPER: nesson1995: in each dimension a position between the two, on the short way. */
uint32_t pp_product_mid(const pp_routefn *fn, uint32_t src, uint32_t dst, uint64_t random)
{
    uint32_t mid = fn->base;
    for (uint32_t d = 0; d < fn->n_dims; d++) {
        const pp_dim *dim = &fn->dim[d];
        const uint32_t from = coordinate(fn, d, src), to = coordinate(fn, d, dst);
        const span s = spans(fn, d, src, from, to);
        uint32_t at = from;
        if (from != to && dim->kind == PP_DIM_CLIQUE)
            at = draw(&random, 2) ? to : from;
        else if (from != to && s.up <= s.down)
            at = (from + draw_step(&random, dim, s.up)) % dim->n;
        else if (from != to)
            at = (from + dim->n - draw_step(&random, dim, s.down)) % dim->n;
        mid += at * dim->stride;
    }
    return mid;
}
