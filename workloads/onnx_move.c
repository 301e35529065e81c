/* ONNX operators that put elements elsewhere: each element of the result is one of the input (or a given value). */
#include "workloads/onnx_internal.h"

#include <math.h>
#include <string.h>

/* Copies element `from` of x to element `to`; integers stay exact. */
static void move(void *data, const pp_onnx_tensor *x, uint64_t to, uint64_t from)
{
    size_t size = pp_onnx_type_size(x->type);
    if (!pp_onnx_is_plain(x))
        pp_onnx_store(data, x->type, to, pp_onnx_f64(x, from));
    else
        memcpy((uint8_t *)data + to * size, (const uint8_t *)x->data + from * size, size);
}

static void digits(uint64_t i, uint32_t n, const uint64_t *base, uint64_t *out)
{
    for (uint32_t d = n; d-- > 0;) {
        out[d] = i % base[d];
        i /= base[d];
    }
}

static uint64_t place(uint32_t n, const uint64_t *base, const uint64_t *digit)
{
    uint64_t at = 0;
    for (uint32_t d = 0; d < n; d++)
        at = at * base[d] + digit[d];
    return at;
}

static pp_status need_input(pp_onnx_call *c)
{
    return pp_onnx_in(c, 0) ? PP_OK : pp_onnx_fail(c->path, c->node, PP_EFORMAT, "no input");
}

static pp_status run_transpose(pp_onnx_call *c)
{
    PP_TRY(need_input(c));
    const pp_onnx_tensor *x = c->in[0];
    const pp_onnx_attr *perm = pp_onnx_attr_find(c->node, "perm");
    uint64_t dim[PP_ONNX_DIMS], from[PP_ONNX_DIMS], to[PP_ONNX_DIMS];
    uint32_t axis[PP_ONNX_DIMS];
    bool seen[PP_ONNX_DIMS] = {0};
    void *data = NULL;
    if (perm && perm->n && (perm->n != x->ndim || !perm->ints))
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "perm has %u numbers for %u dimensions", perm->n, x->ndim);
    for (uint32_t d = 0; d < x->ndim; d++) {
        PP_TRY(pp_onnx_axis(c, perm && perm->n ? perm->ints[d] : (int64_t)x->ndim - 1 - d, x->ndim, &axis[d]));
        if (seen[axis[d]])
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "perm names axis %u twice", axis[d]);
        seen[axis[d]] = true;
        dim[d] = x->dim[axis[d]];
    }
    if (x->ndim == 2 && axis[0] == 1 && pp_onnx_is_plain(x)) { /* no copy: matrices may be large */
        c->out[0] = *x;
        c->out[0].dim[0] = dim[0];
        c->out[0].dim[1] = dim[1];
        c->out[0].transposed = true;
        return PP_OK;
    }
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, dim, &data));
    uint64_t n = pp_onnx_count(x);
    for (uint64_t i = 0; i < n; i++) {
        digits(i, x->ndim, dim, to);
        for (uint32_t d = 0; d < x->ndim; d++)
            from[axis[d]] = to[d];
        move(data, x, i, place(x->ndim, x->dim, from));
    }
    return PP_OK;
}

static pp_status run_concat(pp_onnx_call *c)
{
    PP_TRY(need_input(c));
    uint64_t dim[PP_ONNX_DIMS], inner = 1;
    uint32_t axis = 0, ndim = c->in[0]->ndim;
    void *data = NULL;
    PP_TRY(pp_onnx_axis(c, pp_onnx_attr_i(c->node, "axis", c->opset < 4 ? 1 : 0), ndim, &axis));
    memcpy(dim, c->in[0]->dim, sizeof dim);
    dim[axis] = 0;
    for (uint32_t k = 0; k < c->node->n_in; k++) {
        const pp_onnx_tensor *x = pp_onnx_in(c, k);
        if (!x || x->ndim != ndim || x->type != c->in[0]->type)
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "input %u has another type or number of dimensions", k);
        for (uint32_t d = 0; d < ndim; d++)
            if (d != axis && x->dim[d] != dim[d])
                return pp_onnx_fail(c->path, c->node, PP_EINVAL, "input %u has another size along axis %u", k, d);
        dim[axis] += x->dim[axis];
    }
    PP_TRY(pp_onnx_result(c, 0, c->in[0]->type, ndim, dim, &data));
    for (uint32_t d = axis + 1; d < ndim; d++)
        inner *= dim[d];
    uint64_t before = 0;
    for (uint32_t k = 0; k < c->node->n_in; k++) {
        uint64_t n = pp_onnx_count(c->in[k]), line = c->in[k]->dim[axis] * inner;
        for (uint64_t i = 0; i < n; i++)
            move(data, c->in[k], i / line * dim[axis] * inner + before + i % line, i);
        before += line;
    }
    return PP_OK;
}

static pp_status run_gather(pp_onnx_call *c)
{
    PP_TRY(need_input(c));
    const pp_onnx_tensor *x = c->in[0], *index = pp_onnx_in(c, 1);
    uint64_t dim[2 * PP_ONNX_DIMS], inner = 1;
    uint32_t axis = 0, ndim = 0;
    void *data = NULL;
    if (!index || pp_onnx_is_float(index->type))
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "needs indices");
    PP_TRY(pp_onnx_axis(c, pp_onnx_attr_i(c->node, "axis", 0), x->ndim, &axis));
    for (uint32_t d = 0; d < axis; d++)
        dim[ndim++] = x->dim[d];
    for (uint32_t d = 0; d < index->ndim; d++)
        dim[ndim++] = index->dim[d];
    for (uint32_t d = axis + 1; d < x->ndim; d++) {
        dim[ndim++] = x->dim[d];
        inner *= x->dim[d];
    }
    PP_TRY(pp_onnx_result(c, 0, x->type, ndim, dim, &data));
    uint64_t n = pp_onnx_count(&c->out[0]), picks = pp_onnx_count(index), size = x->dim[axis];
    for (uint64_t i = 0; i < n; i++) {
        int64_t at = pp_onnx_i64(index, i / inner % picks);
        at = at < 0 ? at + (int64_t)size : at;
        if (at < 0 || at >= (int64_t)size)
            return pp_onnx_fail(c->path, c->node, PP_ERANGE, "an index leaves the %llu elements of axis %u",
                                (unsigned long long)size, axis);
        move(data, x, i, (i / inner / picks * size + (uint64_t)at) * inner + i % inner);
    }
    return PP_OK;
}

/* ---- Slice, Split ---- */

typedef struct cut {
    int64_t start[PP_ONNX_DIMS], step[PP_ONNX_DIMS];
    uint64_t dim[PP_ONNX_DIMS];
} cut;

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static pp_status cut_axis(pp_onnx_call *c, cut *k, uint32_t axis, int64_t start, int64_t end, int64_t step)
{
    int64_t size = (int64_t)c->in[0]->dim[axis];
    if (step == 0 || step == INT64_MIN)
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "a step of %lld", (long long)step);
    start = start < 0 && start > INT64_MIN + size ? start + size : start;
    end = end < 0 && end > INT64_MIN + size ? end + size : end;
    start = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
    end = step > 0 ? clamp(end, 0, size) : clamp(end, -1, size - 1);
    int64_t span = step > 0 ? end - start : start - end, width = step > 0 ? step : -step;
    k->start[axis] = start;
    k->step[axis] = step;
    k->dim[axis] = span > 0 ? (uint64_t)((span - 1) / width + 1) : 0;
    return PP_OK;
}

static pp_status take_cut(pp_onnx_call *c, uint32_t out, const cut *k)
{
    const pp_onnx_tensor *x = c->in[0];
    uint64_t to[PP_ONNX_DIMS];
    void *data = NULL;
    PP_TRY(pp_onnx_result(c, out, x->type, x->ndim, k->dim, &data));
    uint64_t n = pp_onnx_count(&c->out[out]);
    for (uint64_t i = 0; i < n; i++) {
        digits(i, x->ndim, k->dim, to);
        for (uint32_t d = 0; d < x->ndim; d++)
            to[d] = (uint64_t)(k->start[d] + (int64_t)to[d] * k->step[d]);
        move(data, x, i, place(x->ndim, x->dim, to));
    }
    return PP_OK;
}

static cut whole(const pp_onnx_tensor *x)
{
    cut k = {0};
    for (uint32_t d = 0; d < x->ndim; d++) {
        k.step[d] = 1;
        k.dim[d] = x->dim[d];
    }
    return k;
}

static pp_status run_slice(pp_onnx_call *c)
{
    const int64_t *starts, *ends, *axes, *steps;
    uint32_t n, n_ends, n_axes, n_steps, axis = 0;
    PP_TRY(need_input(c));
    PP_TRY(pp_onnx_ints(c, "starts", 1, &starts, &n));
    PP_TRY(pp_onnx_ints(c, "ends", 2, &ends, &n_ends));
    PP_TRY(pp_onnx_ints(c, "axes", 3, &axes, &n_axes));
    PP_TRY(pp_onnx_ints(c, "steps", 4, &steps, &n_steps));
    if (n != n_ends || (axes && n_axes != n) || (steps && n_steps != n))
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "starts, ends, axes and steps differ in number");
    cut k = whole(c->in[0]);
    for (uint32_t i = 0; i < n; i++) {
        PP_TRY(pp_onnx_axis(c, axes ? axes[i] : i, c->in[0]->ndim, &axis));
        PP_TRY(cut_axis(c, &k, axis, starts[i], ends[i], steps ? steps[i] : 1));
    }
    return take_cut(c, 0, &k);
}

static pp_status run_split(pp_onnx_call *c)
{
    const int64_t *parts;
    uint32_t n, axis = 0;
    int64_t at = 0;
    PP_TRY(need_input(c));
    PP_TRY(pp_onnx_ints(c, "split", 1, &parts, &n));
    PP_TRY(pp_onnx_axis(c, pp_onnx_attr_i(c->node, "axis", 0), c->in[0]->ndim, &axis));
    int64_t size = (int64_t)c->in[0]->dim[axis], outs = c->node->n_out, equal = (size + outs - 1) / outs;
    if (parts && n != c->node->n_out)
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "%u parts for %u results", n, c->node->n_out);
    for (uint32_t i = 0; i < c->node->n_out; i++) {
        int64_t part = parts ? parts[i] : at + equal > size ? size - at : equal;
        cut k = whole(c->in[0]);
        if (part < 0 || part > size - at)
            return pp_onnx_fail(c->path, c->node, PP_ERANGE, "its parts are not those of %lld elements",
                                (long long)size);
        PP_TRY(cut_axis(c, &k, axis, at, at + part, 1));
        PP_TRY(take_cut(c, i, &k));
        at += part;
    }
    return at == size
               ? PP_OK
               : pp_onnx_fail(c->path, c->node, PP_ERANGE, "its parts leave some of %lld elements", (long long)size);
}

static pp_status run_tile(pp_onnx_call *c)
{
    const int64_t *repeats;
    uint32_t n;
    uint64_t dim[PP_ONNX_DIMS], to[PP_ONNX_DIMS];
    void *data = NULL;
    PP_TRY(need_input(c));
    PP_TRY(pp_onnx_ints(c, "repeats", 1, &repeats, &n));
    const pp_onnx_tensor *x = c->in[0];
    if (n != x->ndim)
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "%u repeats for %u dimensions", n, x->ndim);
    for (uint32_t d = 0; d < n; d++) {
        if (repeats[d] < 0 || repeats[d] > INT64_C(1) << 30 || x->dim[d] > UINT64_C(1) << 30)
            return pp_onnx_fail(c->path, c->node, PP_ERANGE, "%lld repeats", (long long)repeats[d]);
        dim[d] = x->dim[d] * (uint64_t)repeats[d];
    }
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, dim, &data));
    uint64_t count = pp_onnx_count(&c->out[0]);
    for (uint64_t i = 0; i < count; i++) {
        digits(i, x->ndim, dim, to);
        for (uint32_t d = 0; d < x->ndim; d++)
            to[d] %= x->dim[d];
        move(data, x, i, place(x->ndim, x->dim, to));
    }
    return PP_OK;
}

/* ---- Pad ---- */

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } pad_mode;

/* Coordinate inside [0, size) that `at` shows; false: the constant. */
static bool padded(pad_mode mode, int64_t at, int64_t size, uint64_t *out)
{
    int64_t period = size > 1 ? 2 * (size - 1) : 1;
    if (mode == PAD_CONSTANT && (at < 0 || at >= size))
        return false;
    if (mode == PAD_EDGE)
        at = clamp(at, 0, size - 1);
    if (mode == PAD_WRAP)
        at = (at % size + size) % size;
    if (mode == PAD_REFLECT) {
        at = (at % period + period) % period;
        at = at >= size ? period - at : at;
    }
    *out = (uint64_t)at;
    return true;
}

/* before[d], after[d] from attribute (opset below 11) or inputs 1 and 3. */
static pp_status read_pads(pp_onnx_call *c, int64_t *before, int64_t *after)
{
    const int64_t *pads, *axes;
    uint32_t n, n_axes, axis = 0, ndim = c->in[0]->ndim;
    PP_TRY(pp_onnx_ints(c, "pads", c->opset >= 11 ? 1 : PP_NONE, &pads, &n));
    PP_TRY(pp_onnx_ints(c, "axes", c->opset >= 18 ? 3 : PP_NONE, &axes, &n_axes));
    uint32_t each = axes ? n_axes : ndim;
    if (n != 2 * each)
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "%u pads for %u axes", n, each);
    for (uint32_t i = 0; i < each; i++) {
        PP_TRY(pp_onnx_axis(c, axes ? axes[i] : i, ndim, &axis));
        before[axis] = pads[i];
        after[axis] = pads[each + i];
        if (before[axis] < -(INT64_C(1) << 30) || after[axis] < -(INT64_C(1) << 30) ||
            before[axis] > INT64_C(1) << 30 || after[axis] > INT64_C(1) << 30 ||
            c->in[0]->dim[axis] > UINT64_C(1) << 40)
            return pp_onnx_fail(c->path, c->node, PP_ERANGE, "pads of %lld and %lld", (long long)before[axis],
                                (long long)after[axis]);
    }
    return PP_OK;
}

static pp_status run_pad(pp_onnx_call *c)
{
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    int64_t before[PP_ONNX_DIMS] = {0}, after[PP_ONNX_DIMS] = {0};
    uint64_t dim[PP_ONNX_DIMS], to[PP_ONNX_DIMS];
    const char *name = pp_onnx_attr_s(c->node, "mode", "constant");
    uint32_t mode = 0;
    void *data = NULL;
    PP_TRY(need_input(c));
    const pp_onnx_tensor *x = c->in[0], *value = c->opset >= 11 ? pp_onnx_in(c, 2) : NULL;
    while (mode < 4 && strcmp(name, modes[mode]) != 0)
        mode++;
    if (mode == 4 || (value && pp_onnx_count(value) != 1))
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "mode '%s'", name);
    PP_TRY(read_pads(c, before, after));
    for (uint32_t d = 0; d < x->ndim; d++) {
        int64_t size = (int64_t)x->dim[d] + before[d] + after[d];
        if (size < 0 || (mode != PAD_CONSTANT && size > 0 && x->dim[d] == 0))
            return pp_onnx_fail(c->path, c->node, PP_ERANGE, "a size of %lld", (long long)size);
        dim[d] = (uint64_t)size;
    }
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, dim, &data));
    double fill = value ? pp_onnx_f64(value, 0) : pp_onnx_attr_f(c->node, "value", 0);
    uint64_t n = pp_onnx_count(&c->out[0]);
    for (uint64_t i = 0; i < n; i++) {
        bool inside = true;
        digits(i, x->ndim, dim, to);
        for (uint32_t d = 0; d < x->ndim; d++)
            inside = padded((pad_mode)mode, (int64_t)to[d] - before[d], (int64_t)x->dim[d], &to[d]) && inside;
        if (inside)
            move(data, x, i, place(x->ndim, x->dim, to));
        else
            pp_onnx_store(data, x->type, i, fill);
    }
    return PP_OK;
}

/* ---- DepthToSpace, SpaceToDepth ---- */

static pp_status run_depth(pp_onnx_call *c)
{
    PP_TRY(need_input(c));
    const pp_onnx_tensor *x = c->in[0];
    bool to_space = strcmp(c->node->op, "DepthToSpace") == 0;
    bool crd = strcmp(pp_onnx_attr_s(c->node, "mode", "DCR"), "CRD") == 0;
    int64_t size = pp_onnx_attr_i(c->node, "blocksize", 0);
    void *data = NULL;
    if (x->ndim != 4 || size < 1 || size > 4096)
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "needs a map [N,C,H,W] and a block size");
    uint64_t b = (uint64_t)size, small[4], big[4] = {x->dim[0], x->dim[1], x->dim[2], x->dim[3]};
    memcpy(small, big, sizeof small);
    uint64_t *deep = to_space ? small : big; /* shape of the deeper map: the input or the result */
    if (to_space ? x->dim[1] % (b * b) != 0 : x->dim[2] % b != 0 || x->dim[3] % b != 0)
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "blocks of %lld do not fit its input", (long long)size);
    uint64_t out[4] = {x->dim[0], to_space ? x->dim[1] / (b * b) : x->dim[1] * b * b,
                       to_space ? x->dim[2] * b : x->dim[2] / b, to_space ? x->dim[3] * b : x->dim[3] / b};
    PP_TRY(pp_onnx_result(c, 0, x->type, 4, out, &data));
    if (!to_space)
        deep = out;
    const uint64_t *flat = to_space ? out : x->dim;
    uint64_t n = pp_onnx_count(x), channels = flat[1], at[4];
    for (uint64_t i = 0; i < n; i++) { /* i runs over the flat map */
        digits(i, 4, flat, at);
        uint64_t block = at[2] % b * b + at[3] % b;
        uint64_t from[4] = {at[0], crd ? at[1] * b * b + block : block * channels + at[1], at[2] / b, at[3] / b};
        if (to_space)
            move(data, x, i, place(4, deep, from));
        else
            move(data, x, place(4, deep, from), i);
    }
    return PP_OK;
}

/* ---- Resize ---- */

static pp_status resize_scales(const char *path, const pp_onnx_node *node, const pp_onnx_tensor *scales,
                               const pp_onnx_tensor *sizes, const int64_t *axes, uint32_t n_axes, pp_onnx_resize *r)
{
    const pp_onnx_tensor *t = sizes ? sizes : scales;
    if (pp_onnx_count(t) != n_axes || !t->data)
        return pp_onnx_fail(path, node, PP_EINVAL, "%llu scales or sizes for %u axes",
                            (unsigned long long)pp_onnx_count(t), n_axes);
    for (uint32_t i = 0; i < n_axes; i++) {
        int64_t axis = axes ? axes[i] : i;
        axis = axis < 0 ? axis + r->ndim : axis;
        if (axis < 0 || axis >= r->ndim)
            return pp_onnx_fail(path, node, PP_ERANGE, "axis %lld", (long long)axis);
        double v = pp_onnx_f64(t, i);
        double out = sizes ? v : floor((double)((float)r->in[axis] * (float)v)); /* 10 x 1.3 are 13, as in float */
        if (!(v > 0) || !(out >= 1) || out > 0x1p30 || r->in[axis] == 0)
            return pp_onnx_fail(path, node, PP_ERANGE, "a scale or size of %g", v);
        r->out[axis] = (uint64_t)out;
        r->scale[axis] = sizes ? out / (double)r->in[axis] : v;
    }
    return PP_OK;
}

pp_status pp_onnx_resize_of(const char *path, const pp_onnx_node *node, int64_t opset, const pp_onnx_tensor *const *in,
                            uint32_t ndim, const uint64_t *dim, pp_onnx_resize *r)
{
    bool old = opset < 11 || strcmp(node->op, "Upsample") == 0;
    const pp_onnx_tensor *scales = NULL, *sizes = NULL;
    const pp_onnx_attr *axes = pp_onnx_attr_find(node, "axes"), *given = pp_onnx_attr_find(node, "scales");
    *r = (pp_onnx_resize){.mode = pp_onnx_attr_s(node, "mode", "nearest"),
                          .ndim = ndim,
                          .coordinates =
                              pp_onnx_attr_s(node, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
                          .nearest = pp_onnx_attr_s(node, "nearest_mode", old ? "floor" : "round_prefer_floor"),
                          .cubic = pp_onnx_attr_f(node, "cubic_coeff_a", -0.75)};
    for (uint32_t d = 0; d < ndim; d++) {
        r->in[d] = r->out[d] = dim[d];
        r->scale[d] = 1;
    }
    scales = node->n_in > (old ? 1u : 2u) ? in[old ? 1 : 2] : NULL;
    sizes = !old && node->n_in > 3 ? in[3] : NULL;
    if (scales && pp_onnx_count(scales) == 0)
        scales = NULL;
    if (sizes && pp_onnx_count(sizes) == 0)
        sizes = NULL;
    if (given || (!scales && !sizes) || (scales && sizes) ||
        strcmp(pp_onnx_attr_s(node, "keep_aspect_ratio_policy", "stretch"), "stretch") != 0 ||
        pp_onnx_attr_i(node, "antialias", 0) != 0 || pp_onnx_attr_i(node, "exclude_outside", 0) != 0 ||
        strcmp(r->coordinates, "tf_crop_and_resize") == 0)
        return pp_onnx_fail(path, node, PP_EUNSUPPORTED,
                            "needs either scales or sizes, no aspect policy, no antialiasing, "
                            "no excluded outside, no crop");
    return resize_scales(path, node, scales, sizes, axes ? axes->ints : NULL, axes ? axes->n : ndim, r);
}

/* In float: files hold scales as such, and what lies half between two pixels must lie there. */
double pp_onnx_resize_at(const pp_onnx_resize *r, uint32_t axis, uint64_t o)
{
    const float x = (float)o, scale = (float)r->scale[axis], in = (float)r->in[axis], out = (float)r->out[axis];
    const float whole = scale * in; /* the output's size before it was rounded down */
    if (strcmp(r->coordinates, "asymmetric") == 0)
        return (double)(x / scale);
    if (strcmp(r->coordinates, "align_corners") == 0)
        return out > 1 ? (double)(x * (in - 1) / (whole - 1)) : 0;
    if (strcmp(r->coordinates, "pytorch_half_pixel") == 0)
        return out > 1 ? (double)((x + 0.5f) / scale - 0.5f) : 0;
    if (strcmp(r->coordinates, "tf_half_pixel_for_nn") == 0)
        return (double)((x + 0.5f) / scale);
    if (strcmp(r->coordinates, "half_pixel_symmetric") == 0)
        return (double)(in / 2 * (1 - out / whole) + (x + 0.5f) / scale - 0.5f);
    return (double)((x + 0.5f) / scale - 0.5f);
}

static uint64_t bounded(double v, uint64_t size)
{
    return v <= 0 ? 0 : v >= (double)(size - 1) ? size - 1 : (uint64_t)v;
}

uint64_t pp_onnx_resize_nearest(const pp_onnx_resize *r, uint32_t axis, uint64_t o)
{
    double x = pp_onnx_resize_at(r, axis, o);
    if (strcmp(r->nearest, "floor") == 0)
        x = floor(x);
    else if (strcmp(r->nearest, "ceil") == 0)
        x = ceil(x);
    else if (strcmp(r->nearest, "round_prefer_ceil") == 0)
        x = floor(x + 0.5);
    else
        x = ceil(x - 0.5);
    return bounded(x, r->in[axis]);
}

/* Weight of neighbour k of a position with that fraction: 2 for linear, 4 (from -1 on) for cubic. */
static double neighbour(const pp_onnx_resize *r, bool cubic, double fraction, int k)
{
    double a = r->cubic, x = fabs(fraction - k);
    if (!cubic)
        return k == 0 ? 1 - fraction : fraction;
    if (x <= 1)
        return (a + 2) * x * x * x - (a + 3) * x * x + 1;
    return a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a;
}

/* Sum over the neighbours of one element along axis d and those behind it. */
static double interpolate(const pp_onnx_resize *r, const pp_onnx_tensor *x, bool cubic, const uint64_t *to, uint32_t d,
                          uint64_t at)
{
    if (d == r->ndim)
        return pp_onnx_f64(x, at);
    if (r->in[d] == r->out[d] && r->scale[d] >= 1 && r->scale[d] <= 1)
        return interpolate(r, x, cubic, to, d + 1, at * r->in[d] + to[d]);
    double place_at = pp_onnx_resize_at(r, d, to[d]), low = floor(place_at), sum = 0;
    for (int k = cubic ? -1 : 0; k <= (cubic ? 2 : 1); k++)
        sum += neighbour(r, cubic, place_at - low, k) *
               interpolate(r, x, cubic, to, d + 1, at * r->in[d] + bounded(low + k, r->in[d]));
    return sum;
}

static pp_status run_resize(pp_onnx_call *c)
{
    pp_onnx_resize r;
    uint64_t to[PP_ONNX_DIMS];
    void *data = NULL;
    PP_TRY(need_input(c));
    const pp_onnx_tensor *x = c->in[0];
    PP_TRY(pp_onnx_resize_of(c->path, c->node, c->opset, c->in, x->ndim, x->dim, &r));
    bool nearest = strcmp(r.mode, "nearest") == 0, cubic = strcmp(r.mode, "cubic") == 0;
    if (!nearest && !cubic && strcmp(r.mode, "linear") != 0 && strcmp(r.mode, "bilinear") != 0)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "mode '%s'", r.mode);
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, r.out, &data));
    uint64_t n = pp_onnx_count(&c->out[0]);
    PP_TRY(pp_onnx_charge(c, nearest ? n : n << (cubic ? 2 * x->ndim : x->ndim)));
    for (uint64_t i = 0; i < n; i++) {
        digits(i, x->ndim, r.out, to);
        if (!nearest) {
            pp_onnx_store(data, x->type, i, interpolate(&r, x, cubic, to, 0, 0));
            continue;
        }
        for (uint32_t d = 0; d < x->ndim; d++)
            to[d] = pp_onnx_resize_nearest(&r, d, to[d]);
        move(data, x, i, place(x->ndim, x->dim, to));
    }
    return PP_OK;
}

const pp_onnx_row pp_onnx_ops_move_[] = {
    {"Transpose", run_transpose}, {"Concat", run_concat}, {"Gather", run_gather},   {"Slice", run_slice},
    {"Split", run_split},         {"Tile", run_tile},     {"Pad", run_pad},         {"DepthToSpace", run_depth},
    {"SpaceToDepth", run_depth},  {"Resize", run_resize}, {"Upsample", run_resize}, {NULL, NULL},
};
