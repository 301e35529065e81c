/* Shapes of streams: what reshapes and transpositions do to them costs nothing as long as no operator has to see it. */
#include "workloads/onnx_net_internal.h"

#include <string.h>

pp_shape pp_net_shape(const pp_onnx_net *v, const pp_onnx_stream *s)
{
    return pp_builder_shape(v->b, s->op);
}

static uint32_t axis_size(pp_shape shape, uint32_t axis)
{
    return axis == PP_ONNX_H ? shape.h : axis == PP_ONNX_W ? shape.w : shape.c;
}

static void append(pp_onnx_stream *s, uint32_t axis, uint32_t size)
{
    if (size > 1)
        s->f[s->n_factors++] = (pp_factor){.axis = (uint8_t)axis, .dim = (uint8_t)s->ndim, .size = size, .stride = 1};
    s->dim[s->ndim++] = size;
}

pp_onnx_stream pp_net_map(const pp_onnx_net *v, uint32_t op, uint32_t rank)
{
    pp_onnx_stream s = {.op = op, .ndim = 1, .dim = {1}};
    pp_shape shape = pp_builder_shape(v->b, op);
    append(&s, PP_ONNX_C, shape.c);
    if (rank > 3)
        append(&s, PP_ONNX_H, shape.h);
    if (rank > 2)
        append(&s, PP_ONNX_W, shape.w);
    return s;
}

/* The only factor of a dimension; NULL: none or several (then *several). */
static const pp_factor *only(const pp_onnx_stream *s, uint32_t d, bool *several)
{
    const pp_factor *found = NULL;
    *several = false;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        if (s->f[i].dim != d)
            continue;
        *several = found != NULL;
        if (found)
            return NULL;
        found = &s->f[i];
    }
    return found;
}

static bool is_axis(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t d, uint32_t axis)
{
    uint32_t size = axis_size(pp_net_shape(v, s), axis);
    bool several;
    const pp_factor *f = only(s, d, &several);
    if (several)
        return false;
    return f ? f->axis == axis && f->size == size && f->stride == 1 : size == 1 && s->dim[d] == 1;
}

bool pp_net_is_map(const pp_onnx_net *v, const pp_onnx_stream *s)
{
    if ((s->ndim != 4 && s->ndim != 3) || s->dim[0] != 1 || !is_axis(v, s, 1, PP_ONNX_C))
        return false;
    if (s->ndim == 3)
        return pp_net_shape(v, s).h == 1 && is_axis(v, s, 2, PP_ONNX_W);
    return is_axis(v, s, 2, PP_ONNX_H) && is_axis(v, s, 3, PP_ONNX_W);
}

uint32_t pp_net_axis_of(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t d)
{
    static const uint32_t natural[2][4] = {{PP_ONNX_AXES, PP_ONNX_C, PP_ONNX_W, PP_ONNX_AXES},
                                           {PP_ONNX_AXES, PP_ONNX_C, PP_ONNX_H, PP_ONNX_W}};
    bool several;
    const pp_factor *f = only(s, d, &several);
    if (f)
        return is_axis(v, s, d, f->axis) ? f->axis : PP_ONNX_AXES;
    if (several || d > 3 || s->ndim > 4)
        return PP_ONNX_AXES;
    uint32_t axis = natural[s->ndim == 4][d];
    if (axis < PP_ONNX_AXES && is_axis(v, s, d, axis))
        return axis;
    return d > 0 && is_axis(v, s, d, PP_ONNX_C) ? PP_ONNX_C : PP_ONNX_AXES; /* the one channel, in another place */
}

bool pp_net_same_layout(const pp_onnx_stream *a, const pp_onnx_stream *b)
{
    if (a->ndim != b->ndim || a->n_factors != b->n_factors || memcmp(a->dim, b->dim, a->ndim * sizeof *a->dim) != 0)
        return false;
    for (uint32_t i = 0; i < a->n_factors; i++) {
        const pp_factor *x = &a->f[i], *y = &b->f[i];
        if (x->axis != y->axis || x->dim != y->dim || x->size != y->size || x->stride != y->stride)
            return false;
    }
    return true;
}

/* Neighbours that continue each other become one. */
static void merge(pp_onnx_stream *s, bool across)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        pp_factor f = s->f[i], *last = n ? &s->f[n - 1] : NULL;
        if (last && last->axis == f.axis && last->stride == f.stride * f.size && (across || last->dim == f.dim)) {
            last->size *= f.size;
            last->stride = f.stride;
        } else {
            s->f[n++] = f;
        }
    }
    s->n_factors = n;
}

bool pp_net_reshape(pp_onnx_stream *s, uint32_t ndim, const uint64_t *dim)
{
    pp_onnx_stream whole = *s, cut = *s;
    merge(&whole, true);
    uint32_t from = 0;
    cut.ndim = ndim;
    cut.n_factors = 0;
    for (uint32_t d = 0; d < ndim; d++) {
        uint64_t left = cut.dim[d] = dim[d];
        while (left > 1) {
            pp_factor *f = &whole.f[from];
            if (from == whole.n_factors || cut.n_factors == PP_ONNX_FACTORS ||
                (left % f->size != 0 && f->size % left != 0))
                return false;
            uint32_t take = left % f->size == 0 ? f->size : (uint32_t)left;
            cut.f[cut.n_factors++] =
                (pp_factor){.axis = f->axis, .dim = (uint8_t)d, .size = take, .stride = f->stride * (f->size / take)};
            f->size /= take; /* what is left is the faster part */
            from += f->size == 1;
            left /= take;
        }
    }
    if (from != whole.n_factors)
        return false;
    *s = cut;
    return true;
}

bool pp_net_transpose(pp_onnx_stream *s, const uint32_t *axis)
{
    pp_onnx_stream old = *s;
    s->n_factors = 0;
    for (uint32_t d = 0; d < old.ndim; d++) {
        s->dim[d] = old.dim[axis[d]];
        for (uint32_t i = 0; i < old.n_factors; i++) {
            if (old.f[i].dim != axis[d])
                continue;
            s->f[s->n_factors] = old.f[i];
            s->f[s->n_factors++].dim = (uint8_t)d;
        }
    }
    merge(s, false);
    return true;
}

/* A dimension that holds C as [fast part][slow part]: the channels were shuffled. */
static pp_status settle_shuffle(pp_onnx_net *v, pp_onnx_stream *s, uint32_t i)
{
    pp_factor *a = &s->f[i], *b = &s->f[i + 1];
    uint32_t op = 0, groups = b->size; /* b is the slow part: `groups` groups of a->size channels */
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_shuffle(v->b, name, s->op, groups, &op));
    a->size *= b->size;
    a->stride = 1;
    for (uint32_t k = i + 1; k + 1 < s->n_factors; k++)
        s->f[k] = s->f[k + 1];
    s->n_factors--;
    s->op = op;
    s->scaled = 0;
    return PP_OK;
}

static bool is_shuffle(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t i)
{
    const pp_factor *a = &s->f[i], *b = &s->f[i + 1];
    return i + 1 < s->n_factors && a->dim == b->dim && a->axis == PP_ONNX_C && b->axis == PP_ONNX_C && a->stride == 1 &&
           b->stride == a->size && a->size * b->size == pp_net_shape(v, s).c;
}

/* H and W hold a part of C each: channels [C][sh][sw], or [sh][sw][C], became pixels. */
static bool is_pixel_shuffle(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t *sh, uint32_t *sw, bool *behind)
{
    pp_shape shape = pp_net_shape(v, s);
    uint32_t k = s->n_factors && s->f[0].dim == 1 ? 1 : 0;
    const pp_factor *c = &s->f[0], *y = &s->f[k];
    if (s->ndim != 4 || s->n_factors != k + 4)
        return false;
    *sh = y[1].size;
    *sw = y[3].size;
    uint32_t n = k ? c->size : 1;
    *behind = k && c->stride == 1;
    uint32_t inner = *behind ? n : 1;
    bool order = y[0].axis == PP_ONNX_H && y[0].dim == 2 && y[1].axis == PP_ONNX_C && y[1].dim == 2 &&
                 y[2].axis == PP_ONNX_W && y[2].dim == 3 && y[3].axis == PP_ONNX_C && y[3].dim == 3;
    return order && y[0].size == shape.h && y[2].size == shape.w && n * *sh * *sw == shape.c &&
           (!k || (c->axis == PP_ONNX_C && c->stride == (*behind ? 1 : *sh * *sw))) && y[1].stride == inner * *sw &&
           y[3].stride == inner;
}

/* Channels [C][sh][sw], or [sh][sw][C], of one pixel that dimensions 1, 2 and 3 (or 1 and 2) hold: a vector that becomes a map. */
static bool is_cut_vector(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t *sh, uint32_t *sw, bool *behind)
{
    const pp_shape shape = pp_net_shape(v, s);
    if ((s->ndim != 3 && s->ndim != 4) || s->dim[0] != 1 || shape.h != 1 || shape.w != 1 || s->n_factors > 3)
        return false;
    const uint32_t size[3] = {(uint32_t)s->dim[1], s->ndim == 4 ? (uint32_t)s->dim[2] : 1, (uint32_t)s->dim[s->ndim - 1]};
    const uint32_t first[2][3] = {{size[1] * size[2], size[2], 1}, {1, size[2] * size[0], size[0]}}; /* strides */
    bool fits[2] = {true, true};
    for (uint32_t i = 0; i < s->n_factors; i++) {
        const pp_factor *f = &s->f[i];
        const uint32_t k = f->dim == 1 ? 0 : f->dim + 1u == s->ndim ? 2 : 1;
        for (uint32_t order = 0; order < 2; order++)
            fits[order] = fits[order] && f->size == size[k] && f->stride == first[order][k];
    }
    *sh = size[1];
    *sw = size[2];
    *behind = !fits[0];
    return size[1] * size[2] > 1 && (fits[0] || fits[1]);
}

static pp_status settle_pixels(pp_onnx_net *v, pp_onnx_stream *s, uint32_t sh, uint32_t sw, bool behind)
{
    uint32_t op = s->op;
    const char *name = pp_net_name(v), *second = behind && name ? pp_net_name(v) : name;
    if (!second)
        return PP_ENOMEM;
    if (behind)
        PP_TRY(pp_build_shuffle(v->b, name, op, sh * sw, &op));
    PP_TRY(pp_build_pixel_shuffle(v->b, second, op, sh, sw, &op));
    *s = pp_net_map(v, op, s->ndim);
    return PP_OK;
}

pp_status pp_net_vector_to_map(pp_onnx_net *v, pp_onnx_stream *s)
{
    uint32_t sh = 1, sw = 1;
    bool behind = false;
    return is_cut_vector(v, s, &sh, &sw, &behind) ? settle_pixels(v, s, sh, sw, behind) : PP_OK;
}

/* All of the map in one dimension, C slowest: a flatten. */
static bool is_flat(const pp_onnx_net *v, const pp_onnx_stream *s)
{
    pp_shape shape = pp_net_shape(v, s);
    uint32_t at = 0;
    if ((uint64_t)shape.h * shape.w == 1 || s->n_factors < 2)
        return false;
    for (uint32_t k = 0; k < 3; k++) {
        static const uint32_t order[] = {PP_ONNX_C, PP_ONNX_H, PP_ONNX_W};
        uint32_t size = axis_size(shape, order[k]);
        if (size == 1)
            continue;
        const pp_factor *f = &s->f[at++];
        if (at > s->n_factors || f->axis != order[k] || f->size != size || f->stride != 1 || f->dim != s->f[0].dim)
            return false;
    }
    return at == s->n_factors;
}

pp_status pp_net_settle(pp_onnx_net *v, pp_onnx_stream *s)
{
    uint32_t sh = 1, sw = 1;
    bool behind = false;
    if (is_pixel_shuffle(v, s, &sh, &sw, &behind))
        return settle_pixels(v, s, sh, sw, behind);
    for (uint32_t i = 0; i < s->n_factors; i++)
        if (is_shuffle(v, s, i))
            PP_TRY(settle_shuffle(v, s, i));
    if (!is_flat(v, s))
        return PP_OK;
    uint32_t op = 0;
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_flatten(v->b, name, s->op, &op));
    s->op = op;
    s->scaled = 0;
    s->n_factors = 1;
    s->f[0] = (pp_factor){.axis = PP_ONNX_C, .dim = s->f[0].dim, .size = pp_builder_shape(v->b, op).c, .stride = 1};
    return PP_OK;
}

pp_onnx_stream pp_net_after(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t op)
{
    pp_onnx_stream out = *s;
    uint32_t c = pp_builder_shape(v->b, op).c;
    out.op = op;
    out.gelu = 0;
    out.shared = false;
    out.scaled = 0;
    for (uint32_t i = 0; i < out.n_factors; i++)
        if (out.f[i].axis == PP_ONNX_C && c != pp_net_shape(v, s).c) {
            out.dim[out.f[i].dim] = c;
            out.f[i].size = c;
        }
    return out;
}

void pp_net_raise(pp_onnx_stream *s, uint32_t ndim)
{
    uint64_t dim[PP_ONNX_DIMS];
    for (uint32_t d = 0; d < ndim; d++)
        dim[d] = d < ndim - s->ndim ? 1 : s->dim[d - (ndim - s->ndim)];
    (void)pp_net_reshape(s, ndim, dim); /* sizes of 1 cut through nothing */
}

void pp_net_place(const pp_onnx_stream *s, uint32_t first, uint64_t i, uint32_t at[PP_ONNX_AXES])
{
    at[0] = at[1] = at[2] = 0;
    for (uint32_t k = s->n_factors; k-- > 0;) {
        const pp_factor *f = &s->f[k];
        if (f->dim < first)
            continue;
        at[f->axis] += (uint32_t)(i % f->size) * f->stride;
        i /= f->size;
    }
}
