/* Operators that move elements: views of streams, concatenations, parts, repeated pixels. */
#include "workloads/onnx_net_internal.h"

#include <math.h>
#include <string.h>

/* ---- views ---- */

static pp_status reshape_to(pp_onnx_net *v, const pp_onnx_stream *x, uint32_t ndim, const uint64_t *dim)
{
    pp_onnx_stream s = *x;
    if (!pp_net_reshape(&s, ndim, dim)) {
        s = *x;
        PP_TRY(pp_net_settle(v, &s));
        if (!pp_net_reshape(&s, ndim, dim))
            return pp_net_fail(v, PP_EUNSUPPORTED, "its result cuts through the axes of a map");
    }
    if (s.op != x->op)
        return pp_net_give(v, 0, &s);
    return pp_net_give_view(v, s);
}

static uint64_t elements(const pp_onnx_stream *x)
{
    uint64_t n = 1;
    for (uint32_t d = 0; d < x->ndim; d++)
        n *= x->dim[d];
    return n;
}

static pp_status convert_reshape(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    const int64_t *shape;
    uint32_t n, open = PP_NONE;
    uint64_t dim[PP_ONNX_DIMS], known = 1;
    PP_TRY(pp_net_view(v, 0, &x));
    PP_TRY(pp_net_ints(v, "shape", 1, &shape, &n));
    if (n > PP_ONNX_DIMS)
        return pp_net_fail(v, PP_EUNSUPPORTED, "a shape of %u dimensions", n);
    bool counted = false; /* the file counts all the images that it was made for, beside a size that is left open */
    for (uint32_t i = 1; i < n; i++)
        counted |= shape[i] == -1 && v->images > 1 && (uint64_t)shape[0] == v->images && x->dim[0] == 1;
    for (uint32_t i = 0; i < n; i++) {
        bool copy = shape[i] == 0 && !pp_onnx_attr_i(v->node, "allowzero", 0);
        if (shape[i] < -1 || shape[i] > INT64_C(1) << 40 || (shape[i] == -1 && open != PP_NONE) ||
            (copy && i >= x->ndim))
            return pp_net_fail(v, PP_EINVAL, "its shape has %lld at %u", (long long)shape[i], i);
        dim[i] = copy ? x->dim[i] : shape[i] == -1 || (i == 0 && counted) ? 1 : (uint64_t)shape[i];
        open = shape[i] == -1 ? i : open;
        if (dim[i] == 0 || known > (UINT64_C(1) << 40) / dim[i])
            return pp_net_fail(v, PP_ERANGE, "its shape is empty or too large");
        known *= dim[i];
    }
    if (open != PP_NONE && elements(x) % known == 0) {
        dim[open] = elements(x) / known;
        known *= dim[open];
    }
    if (v->images > 1 && n > 0 && dim[0] == v->images && known == elements(x) * v->images) {
        dim[0] = 1; /* the file counts all the images that it was made for */
        known /= v->images;
    }
    if (known != elements(x))
        return pp_net_fail(v, PP_EINVAL, "%llu elements do not fit its shape", (unsigned long long)elements(x));
    return reshape_to(v, x, n, dim);
}

static pp_status convert_flatten(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    uint64_t dim[2] = {1, 1};
    int64_t axis = pp_onnx_attr_i(v->node, "axis", 1);
    PP_TRY(pp_net_view(v, 0, &x));
    axis = axis < 0 ? axis + x->ndim : axis;
    for (uint32_t d = 0; d < x->ndim; d++)
        dim[d >= axis] *= x->dim[d];
    return reshape_to(v, x, 2, dim);
}

static pp_status named_axes(pp_onnx_net *v, uint32_t extra, uint32_t ndim, bool *named, uint32_t *n)
{
    const int64_t *axes;
    PP_TRY(pp_net_ints(v, "axes", v->m->opset >= 13 ? 1 : PP_NONE, &axes, n));
    ndim += extra ? *n : 0;
    if (ndim > PP_ONNX_DIMS)
        return pp_net_fail(v, PP_EUNSUPPORTED, "more than %u dimensions", PP_ONNX_DIMS);
    for (uint32_t i = 0; i < *n; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + ndim : axes[i];
        if (axis < 0 || axis >= ndim || named[axis])
            return pp_net_fail(v, PP_ERANGE, "axis %lld of %u dimensions", (long long)axes[i], ndim);
        named[axis] = true;
    }
    return PP_OK;
}

static pp_status convert_squeeze(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    bool named[PP_ONNX_DIMS] = {0};
    uint64_t dim[PP_ONNX_DIMS];
    uint32_t n, ndim = 0;
    PP_TRY(pp_net_view(v, 0, &x));
    PP_TRY(named_axes(v, 0, x->ndim, named, &n));
    for (uint32_t d = 0; d < x->ndim; d++) {
        bool drop = n ? named[d] : x->dim[d] == 1 && (d > 0 || v->images < 2);
        if (drop && x->dim[d] != 1)
            return pp_net_fail(v, PP_EINVAL, "axis %u has %llu elements", d, (unsigned long long)x->dim[d]);
        if (!drop)
            dim[ndim++] = x->dim[d];
    }
    return reshape_to(v, x, ndim, dim);
}

static pp_status convert_unsqueeze(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    bool named[PP_ONNX_DIMS] = {0};
    uint64_t dim[PP_ONNX_DIMS];
    uint32_t n, from = 0;
    PP_TRY(pp_net_view(v, 0, &x));
    PP_TRY(named_axes(v, 1, x->ndim, named, &n));
    for (uint32_t d = 0; d < x->ndim + n; d++)
        dim[d] = named[d] ? 1 : x->dim[from++];
    return reshape_to(v, x, x->ndim + n, dim);
}

static pp_status convert_transpose(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    const pp_onnx_attr *perm = pp_onnx_attr_find(v->node, "perm");
    uint32_t axis[PP_ONNX_DIMS];
    bool seen[PP_ONNX_DIMS] = {0};
    PP_TRY(pp_net_view(v, 0, &x));
    if (perm && perm->n && (perm->n != x->ndim || !perm->ints))
        return pp_net_fail(v, PP_EINVAL, "perm has %u numbers for %u dimensions", perm->n, x->ndim);
    for (uint32_t d = 0; d < x->ndim; d++) {
        int64_t a = perm && perm->n ? perm->ints[d] : (int64_t)x->ndim - 1 - d;
        if (a < 0 || a >= x->ndim || seen[a])
            return pp_net_fail(v, PP_EINVAL, "perm names axis %lld", (long long)a);
        seen[a] = true;
        axis[d] = (uint32_t)a;
    }
    pp_onnx_stream s = *x;
    pp_net_transpose(&s, axis);
    return pp_net_give_view(v, s);
}

/* ---- Concat ---- */

static pp_status concat_input(pp_onnx_net *v, uint32_t k, uint32_t axis, pp_onnx_stream *s, const pp_onnx_stream *first)
{
    const pp_onnx_stream *x;
    if (pp_net_constant(v, k))
        return pp_net_fail(v, PP_EUNSUPPORTED, "a constant among computed values: among channels only zeros behind the last");
    PP_TRY(pp_net_stream(v, k, &x));
    *s = *x;
    PP_TRY(pp_net_settle(v, s));
    if (axis >= s->ndim || pp_net_axis_of(v, s, axis) != PP_ONNX_C)
        return pp_net_fail(v, PP_EUNSUPPORTED, "it joins along another axis than the channels; MODEL:output=NAME chooses one of its inputs");
    for (uint32_t d = 0; first && d < s->ndim; d++)
        if (s->ndim != first->ndim ||
            (d != axis && (pp_net_axis_of(v, s, d) != pp_net_axis_of(v, first, d) || s->dim[d] != first->dim[d])))
            return pp_net_refuse(v, "its inputs have different shapes or orders");
    return PP_OK;
}

/* Channels of zeros behind the last computed ones: how many inputs hold them, and how many channels they are. */
static uint32_t zeros_behind(const pp_onnx_net *v, uint32_t axis, uint64_t *channels)
{
    uint32_t n = 0;
    *channels = 0;
    for (uint32_t k = v->node->n_in; k-- > 0; n++) {
        const pp_onnx_tensor *t = pp_net_constant(v, k);
        if (!t || !t->data || axis >= t->ndim || !pp_onnx_is_float(t->type))
            return n;
        for (uint64_t i = 0; i < pp_onnx_count(t); i++)
            if (fabs(pp_onnx_f64(t, i)) > 0)
                return n;
        *channels += t->dim[axis];
    }
    return n;
}

static pp_status concat_of(pp_onnx_net *v, const uint32_t *inputs, uint32_t n, uint64_t zeros, uint32_t *op)
{
    const char *name = pp_net_name(v);
    *op = inputs[0];
    if (!name)
        return PP_ENOMEM;
    if (n > 1)
        PP_TRY(pp_build_join(v->b, name, PP_OP_CONCAT, inputs, n, op));
    if (zeros == 0)
        return PP_OK;
    uint64_t c = pp_builder_shape(v->b, *op).c + zeros;
    if (c > PP_DIM_MAX)
        return pp_net_fail(v, PP_ERANGE, "%llu channels", (unsigned long long)c);
    if (n > 1 && !(name = pp_net_name(v)))
        return PP_ENOMEM;
    return pp_build_subsample(v->b, name, *op, 1, (uint32_t)c, op);
}

/* Layout of operator `op`, whose channels are dimension `axis`, all else as in x; they may have had no factor there. */
static pp_onnx_stream with_channels(const pp_onnx_net *v, const pp_onnx_stream *x, uint32_t axis, uint32_t op)
{
    const uint32_t c = pp_builder_shape(v->b, op).c;
    pp_onnx_stream out = {.op = op, .ndim = x->ndim};
    for (uint32_t d = 0; d < x->ndim; d++) {
        out.dim[d] = d == axis ? c : x->dim[d];
        if (d == axis && c > 1)
            out.f[out.n_factors++] = (pp_factor){.axis = PP_ONNX_C, .dim = (uint8_t)d, .size = c, .stride = 1};
        for (uint32_t i = 0; d != axis && i < x->n_factors; i++)
            if (x->f[i].dim == d)
                out.f[out.n_factors++] = x->f[i];
    }
    return out;
}

static pp_status convert_concat(pp_onnx_net *v)
{
    uint32_t n = v->node->n_in, op = 0;
    uint64_t zeros = 0;
    uint32_t *inputs = pp_arena_get(v->arena, n, sizeof *inputs);
    const pp_onnx_stream *x = NULL;
    pp_onnx_stream first, s;
    int64_t axis = pp_onnx_attr_i(v->node, "axis", 1);
    for (uint32_t k = 0; k < n && !x; k++)
        x = pp_net_any(v, k);
    if (!inputs || !x)
        return PP_ENOMEM;
    axis = axis < 0 ? axis + x->ndim : axis;
    if (axis < 0 || axis >= x->ndim)
        return pp_net_fail(v, PP_ERANGE, "axis %lld of %u dimensions", (long long)axis, x->ndim);
    if (!pp_net_holds_channels(x, (uint32_t)axis) && pp_net_axis_of(v, x, (uint32_t)axis) != PP_ONNX_C)
        return pp_net_join_tokens(v, (uint32_t)axis, x);
    n -= zeros_behind(v, (uint32_t)axis, &zeros);
    for (uint32_t k = 0; k < n; k++) {
        PP_TRY(concat_input(v, k, (uint32_t)axis, &s, k ? &first : NULL));
        inputs[k] = s.op;
        first = k ? first : s;
    }
    if (n == 1 && zeros == 0)
        return pp_net_give_view(v, first);
    PP_TRY(concat_of(v, inputs, n, zeros, &op));
    s = with_channels(v, &first, (uint32_t)axis, op);
    return pp_net_give(v, 0, &s);
}

/* ---- Slice, Split ---- */

/* Channels that an element of dimension d is, when it is the slowest part of them (queries, keys, values); 0: it is not. */
static uint32_t slow_channels(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t d)
{
    uint32_t n = 0, stride = 0;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        if (s->f[i].dim != d)
            continue;
        if (n++ || s->f[i].axis != PP_ONNX_C || (uint64_t)s->f[i].size * s->f[i].stride != pp_net_shape(v, s).c)
            return 0;
        stride = s->f[i].stride;
    }
    return stride;
}

/* Elements [start, start + size) of the axis that dimension d is. */
static pp_status part(pp_onnx_net *v, const pp_onnx_stream *x, uint32_t d, uint32_t start, uint32_t size,
                      pp_onnx_stream *out)
{
    uint32_t axis = pp_net_axis_of(v, x, d), op = 0, at[3] = {0, 0, 0};
    pp_shape shape = pp_net_shape(v, x);
    uint32_t want[3] = {shape.h, shape.w, shape.c};
    *out = *x;
    if (start == 0 && size == x->dim[d])
        return PP_OK;
    uint32_t step = axis == PP_ONNX_AXES ? slow_channels(v, x, d) : 1;
    if (step == 0)
        return pp_net_tokens_part(v, x, d, start, size, out);
    axis = axis == PP_ONNX_AXES ? PP_ONNX_C : axis;
    at[axis] = start * step;
    want[axis] = size * step;
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(
        pp_build_slice(v->b, name, x->op, (pp_shape){at[0], at[1], at[2]}, (pp_shape){want[0], want[1], want[2]}, &op));
    out->op = op;
    out->shared = false;
    out->scaled = 0;
    out->dim[d] = size;
    out->n_factors = 0;
    for (uint32_t i = 0; i < x->n_factors; i++) {
        if (x->f[i].dim == d && size == 1)
            continue;
        out->f[out->n_factors] = x->f[i];
        if (x->f[i].dim == d)
            out->f[out->n_factors].size = size;
        out->n_factors++;
    }
    return PP_OK;
}

/* Every second pixel and such. */
static pp_status every(pp_onnx_net *v, pp_onnx_stream *x, const uint32_t step[3])
{
    uint32_t op = 0;
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    /* A maximum of one pixel is that pixel. */
    const pp_window w = {.kh = 1, .kw = 1, .sh = step[PP_ONNX_H], .sw = step[PP_ONNX_W], .dh = 1, .dw = 1};
    if (step[PP_ONNX_H] == step[PP_ONNX_W])
        PP_TRY(pp_build_subsample(v->b, name, x->op, step[PP_ONNX_H], pp_net_shape(v, x).c, &op));
    else
        PP_TRY(pp_build_pool(v->b, name, PP_OP_MAX_POOL, x->op, &w, &op));
    const pp_shape s = pp_builder_shape(v->b, op);
    uint32_t n = 0;
    for (uint32_t i = 0; i < x->n_factors; i++) { /* dimensions that are stepped over are axes */
        pp_factor f = x->f[i];
        if (f.axis != PP_ONNX_C && step[f.axis] > 1)
            x->dim[f.dim] = f.size = f.axis == PP_ONNX_H ? s.h : s.w;
        if (f.size > 1)
            x->f[n++] = f;
    }
    x->n_factors = n;
    x->op = op;
    x->shared = false;
    x->scaled = 0;
    return PP_OK;
}

enum { MOST_RUNS = 16 };

/* Channels that are dimension d, in another order: runs of neighbours, one behind the other. */
static pp_status pick_channels(pp_onnx_net *v, pp_onnx_stream *x, uint32_t d, const int64_t *index, uint64_t n)
{
    const pp_shape shape = pp_net_shape(v, x);
    uint32_t part[MOST_RUNS], runs = 0, op = 0;
    for (uint64_t i = 0, size = 1; i < n; i += size, size = 1) {
        while (i + size < n && index[i + size] == index[i] + (int64_t)size)
            size++;
        if (index[i] < 0 || index[i] + (int64_t)size > shape.c || runs == MOST_RUNS)
            return pp_net_fail(v, PP_EUNSUPPORTED, "%u channels taken in more than %u runs of neighbours, or beyond the last",
                               shape.c, (unsigned)MOST_RUNS);
        const char *name = pp_net_name(v);
        if (!name)
            return PP_ENOMEM;
        PP_TRY(pp_build_slice(v->b, name, x->op, (pp_shape){0, 0, (uint32_t)index[i]},
                              (pp_shape){shape.h, shape.w, (uint32_t)size}, &part[runs++]));
    }
    op = part[0];
    const char *name = runs > 1 ? pp_net_name(v) : NULL;
    if (runs > 1 && !name)
        return PP_ENOMEM;
    if (runs > 1)
        PP_TRY(pp_build_join(v->b, name, PP_OP_CONCAT, part, runs, &op));
    *x = with_channels(v, x, d, op);
    return PP_OK;
}

/* Every second channel and such, backwards, too. */
static pp_status step_channels(pp_onnx_net *v, pp_onnx_stream *x, uint32_t d, int64_t start, int64_t end, int64_t step)
{
    const int64_t size = (int64_t)x->dim[d], low = step < 0 ? -1 : 0, high = step < 0 ? size - 1 : size;
    int64_t index[MOST_RUNS + 1];
    uint32_t n = 0; /* each a run of its own: one too many is refused */
    start = start < 0 && start > -(INT64_C(1) << 50) ? start + size : start;
    end = end < 0 && end > -(INT64_C(1) << 50) ? end + size : end;
    start = start < 0 ? (step < 0 ? low : 0) : start > high ? high : start;
    end = end < low ? low : end > size ? size : end;
    for (int64_t at = start; (step < 0 ? at > end : at < end) && at >= 0 && at < size && n <= MOST_RUNS; at += step)
        index[n++] = at;
    if (n == 0)
        return pp_net_fail(v, PP_ERANGE, "it leaves nothing of dimension %u", d);
    return pick_channels(v, x, d, index, n);
}

static int64_t bounded(int64_t at, int64_t size)
{
    at = at < 0 && at > -(INT64_C(1) << 50) ? at + size : at;
    return at < 0 ? 0 : at > size ? size : at;
}

static pp_status convert_slice(pp_onnx_net *v)
{
    const int64_t *starts, *ends, *axes, *steps;
    uint32_t n, n_ends, n_axes, n_steps, step[3] = {1, 1, 1};
    const pp_onnx_stream *given;
    PP_TRY(pp_net_stream(v, 0, &given));
    PP_TRY(pp_net_ints(v, "starts", 1, &starts, &n));
    PP_TRY(pp_net_ints(v, "ends", 2, &ends, &n_ends));
    PP_TRY(pp_net_ints(v, "axes", 3, &axes, &n_axes));
    PP_TRY(pp_net_ints(v, "steps", 4, &steps, &n_steps));
    if (n != n_ends || (axes && n_axes != n) || (steps && n_steps != n))
        return pp_net_fail(v, PP_EINVAL, "starts, ends, axes and steps differ in number");
    pp_onnx_stream x = *given, next;
    PP_TRY(pp_net_settle(v, &x));
    for (uint32_t i = 0; i < n; i++) {
        int64_t d = axes ? axes[i] : i, width = steps ? steps[i] : 1;
        d = d < 0 ? d + x.ndim : d;
        if (d < 0 || d >= x.ndim || width == 0 || width < -(int64_t)PP_DIM_MAX || width > PP_DIM_MAX)
            return pp_net_fail(v, PP_EUNSUPPORTED, "axis %lld, step %lld", (long long)d, (long long)width);
        if (width != 1 && x.dim[d] > 1 && pp_net_axis_of(v, &x, (uint32_t)d) == PP_ONNX_C) {
            PP_TRY(step_channels(v, &x, (uint32_t)d, starts[i], ends[i], width));
            continue;
        }
        if (width < 1)
            return pp_net_fail(v, PP_EUNSUPPORTED, "steps of %lld along dimension %lld; only channels are taken backwards",
                               (long long)width, (long long)d);
        int64_t size = (int64_t)x.dim[d], start = bounded(starts[i], size), end = bounded(ends[i], size);
        if (end <= start)
            return pp_net_fail(v, PP_ERANGE, "it leaves nothing of dimension %lld", (long long)d);
        uint32_t axis = pp_net_axis_of(v, &x, (uint32_t)d);
        bool fine;
        if (width > 1 && axis == PP_ONNX_AXES && pp_net_holds_pixels(&x, (uint32_t)d)) {
            PP_TRY(pp_net_arrange(v, &x, PP_NONE, &fine));
            axis = pp_net_axis_of(v, &x, (uint32_t)d);
        }
        if (width > 1 && axis == PP_ONNX_AXES && size > 1)
            return pp_net_fail(v, PP_EUNSUPPORTED, "steps along dimension %lld, which is no axis of a map",
                               (long long)d);
        if (width > 1 && size > 1)
            step[axis] = (uint32_t)width;
        PP_TRY(part(v, &x, (uint32_t)d, (uint32_t)start, (uint32_t)(end - start), &next));
        x = next;
    }
    if (step[0] != 1 || step[1] != 1 || step[2] != 1)
        PP_TRY(every(v, &x, step));
    return x.op == given->op ? pp_net_give_view(v, x) : pp_net_give(v, 0, &x);
}

static pp_status convert_split(pp_onnx_net *v)
{
    const int64_t *parts;
    uint32_t n, n_out = v->node->n_out;
    const pp_onnx_stream *given;
    PP_TRY(pp_net_stream(v, 0, &given));
    PP_TRY(pp_net_ints(v, "split", v->m->opset >= 13 ? 1 : PP_NONE, &parts, &n));
    pp_onnx_stream x = *given, out;
    PP_TRY(pp_net_settle(v, &x));
    int64_t d = pp_onnx_attr_i(v->node, "axis", 0), at = 0;
    d = d < 0 ? d + x.ndim : d;
    if (d < 0 || d >= x.ndim || (parts && n != n_out))
        return pp_net_fail(v, PP_EINVAL, "axis %lld, %u parts for %u results", (long long)d, n, n_out);
    int64_t size = (int64_t)x.dim[d], equal = (size + n_out - 1) / n_out;
    for (uint32_t i = 0; i < n_out; i++) {
        int64_t take = parts ? parts[i] : at + equal > size ? size - at : equal;
        if (take < 1 || take > size - at)
            return pp_net_fail(v, PP_ERANGE, "its parts are not those of %lld elements", (long long)size);
        PP_TRY(part(v, &x, (uint32_t)d, (uint32_t)at, (uint32_t)take, &out));
        out.shared = out.shared || out.op == x.op;
        PP_TRY(pp_net_give(v, i, &out));
        at += take;
    }
    return PP_OK;
}

/* A list of channels. */
static pp_status gather_channels(pp_onnx_net *v, const pp_onnx_stream *given, uint32_t d, const pp_onnx_tensor *list)
{
    pp_onnx_stream x = *given;
    const uint64_t n = pp_onnx_count(list);
    int64_t *index = pp_arena_get(v->arena, n, sizeof *index);
    if (!index)
        return PP_ENOMEM;
    PP_TRY(pp_net_settle(v, &x));
    if (pp_net_axis_of(v, &x, d) != PP_ONNX_C)
        return pp_net_fail(v, PP_EUNSUPPORTED, "a list of indices along dimension %u, which is not the channels", d);
    for (uint64_t i = 0; i < n; i++) {
        index[i] = pp_onnx_i64(list, i);
        index[i] += index[i] < 0 ? (int64_t)x.dim[d] : 0;
    }
    PP_TRY(pick_channels(v, &x, d, index, n));
    return pp_net_give(v, 0, &x);
}

/* One element of an axis, which is gone then. */
static pp_status convert_gather(pp_onnx_net *v)
{
    const pp_onnx_tensor *index = pp_net_constant(v, 1);
    const pp_onnx_stream *given;
    PP_TRY(pp_net_stream(v, 0, &given));
    int64_t d = pp_onnx_attr_i(v->node, "axis", 0);
    d = d < 0 ? d + given->ndim : d;
    if (index && index->data && index->ndim == 1 && pp_onnx_count(index) > 1 && !pp_onnx_is_float(index->type) && d >= 0 &&
        d < given->ndim)
        return gather_channels(v, given, (uint32_t)d, index);
    if (!index || !index->data || pp_onnx_count(index) != 1 || index->ndim > 1 || pp_onnx_is_float(index->type) || d < 0 || d >= given->ndim)
        return pp_net_fail(v, PP_EUNSUPPORTED, "only one constant index, or a list of channels, is taken from a computed value");
    pp_onnx_stream x = *given, out;
    PP_TRY(pp_net_settle(v, &x));
    int64_t at = pp_onnx_i64(index, 0), size = (int64_t)x.dim[d];
    at = at < 0 && at >= -size ? at + size : at;
    if (at < 0 || at >= size)
        return pp_net_fail(v, PP_ERANGE, "index %lld of %lld", (long long)at, (long long)size);
    PP_TRY(part(v, &x, (uint32_t)d, (uint32_t)at, 1, &out));
    uint64_t dim[PP_ONNX_DIMS];
    uint32_t ndim = 0;
    for (uint32_t k = 0; k < out.ndim; k++)
        if (k != d || index->ndim == 1)
            dim[ndim++] = out.dim[k];
    if (!pp_net_reshape(&out, ndim, dim))
        return pp_net_fail(v, PP_EUNSUPPORTED, "its result cuts through the axes of a map");
    out.shared = out.op == given->op && !pp_net_sole(v, 0);
    return pp_net_give(v, 0, &out);
}

const pp_net_row pp_net_ops_move_[] = {
    {"Reshape", convert_reshape},     {"Flatten", convert_flatten},     {"Squeeze", convert_squeeze},
    {"Unsqueeze", convert_unsqueeze}, {"Transpose", convert_transpose}, {"Concat", convert_concat},
    {"Slice", convert_slice},         {"Split", convert_split},         {"Gather", convert_gather},
    {NULL, NULL},
};
