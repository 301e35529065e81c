/* ONNX operators that make shapes, constants and views. */
#include "workloads/onnx_internal.h"

#include <math.h>
#include <string.h>

/* Output 0 is input 0 under another shape of the same size. */
static pp_status view(pp_onnx_call *c, uint32_t ndim, const uint64_t *dim)
{
    pp_onnx_tensor *out = &c->out[0];
    const pp_onnx_tensor *x = c->in[0];
    *out = *x;
    out->ndim = ndim;
    memcpy(out->dim, dim, ndim * sizeof *dim);
    if (pp_onnx_is_plain(x))
        return PP_OK;
    void *data = NULL; /* a view with an order of its own is written out */
    PP_TRY(pp_onnx_result(c, 0, x->type, ndim, dim, &data));
    uint64_t n = pp_onnx_count(x);
    for (uint64_t i = 0; i < n; i++)
        pp_onnx_store(data, x->type, i, pp_onnx_f64(x, i));
    return PP_OK;
}

static pp_status need_input(pp_onnx_call *c)
{
    return pp_onnx_in(c, 0) ? PP_OK : pp_onnx_fail(c->path, c->node, PP_EFORMAT, "no input");
}

static pp_status run_reshape(pp_onnx_call *c)
{
    const int64_t *shape;
    uint32_t n, open = PP_NONE;
    uint64_t dim[PP_ONNX_DIMS], known = 1;
    PP_TRY(need_input(c));
    PP_TRY(pp_onnx_ints(c, "shape", 1, &shape, &n));
    if (n > PP_ONNX_DIMS)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "a shape of %u dimensions", n);
    uint64_t count = pp_onnx_count(c->in[0]);
    for (uint32_t i = 0; i < n; i++) {
        bool copy = shape[i] == 0 && !pp_onnx_attr_i(c->node, "allowzero", 0);
        if (shape[i] < -1 || (shape[i] == -1 && open != PP_NONE) || (copy && i >= c->in[0]->ndim))
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "its shape has %lld at %u", (long long)shape[i], i);
        dim[i] = copy ? c->in[0]->dim[i] : shape[i] == -1 ? 1 : (uint64_t)shape[i];
        open = shape[i] == -1 ? i : open;
        if (dim[i] && known > (UINT64_C(1) << 48) / dim[i])
            return pp_onnx_fail(c->path, c->node, PP_ERANGE, "its shape is too large");
        known *= dim[i];
    }
    if (open != PP_NONE && known)
        dim[open] = count / known;
    for (uint32_t i = 0, k = open; k != PP_NONE && i < 1; i++)
        known *= dim[k];
    if (known != count)
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "%llu elements do not fit its shape",
                            (unsigned long long)count);
    return view(c, n, dim);
}

static pp_status run_flatten(pp_onnx_call *c)
{
    PP_TRY(need_input(c));
    const pp_onnx_tensor *x = c->in[0];
    uint64_t dim[2] = {1, 1};
    int64_t axis = pp_onnx_attr_i(c->node, "axis", 1);
    axis = axis < 0 ? axis + x->ndim : axis;
    if (axis < 0 || axis > x->ndim)
        return pp_onnx_fail(c->path, c->node, PP_ERANGE, "axis %lld of %u dimensions", (long long)axis, x->ndim);
    for (uint32_t d = 0; d < x->ndim; d++)
        dim[d >= axis] *= x->dim[d];
    return view(c, 2, dim);
}

static pp_status run_squeeze(pp_onnx_call *c)
{
    const int64_t *axes;
    uint32_t n, axis = 0, ndim = 0;
    bool drop[PP_ONNX_DIMS] = {0};
    uint64_t dim[PP_ONNX_DIMS];
    PP_TRY(need_input(c));
    PP_TRY(pp_onnx_ints(c, "axes", 1, &axes, &n));
    const pp_onnx_tensor *x = c->in[0];
    for (uint32_t d = 0; d < x->ndim; d++)
        drop[d] = n == 0 && x->dim[d] == 1;
    for (uint32_t i = 0; i < n; i++) {
        PP_TRY(pp_onnx_axis(c, axes[i], x->ndim, &axis));
        if (x->dim[axis] != 1)
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "axis %u has %llu elements", axis,
                                (unsigned long long)x->dim[axis]);
        drop[axis] = true;
    }
    for (uint32_t d = 0; d < x->ndim; d++)
        if (!drop[d])
            dim[ndim++] = x->dim[d];
    return view(c, ndim, dim);
}

static pp_status run_unsqueeze(pp_onnx_call *c)
{
    const int64_t *axes;
    uint32_t n, axis = 0, from = 0;
    bool add[PP_ONNX_DIMS] = {0};
    uint64_t dim[PP_ONNX_DIMS];
    PP_TRY(need_input(c));
    PP_TRY(pp_onnx_ints(c, "axes", 1, &axes, &n));
    const pp_onnx_tensor *x = c->in[0];
    if (x->ndim + n > PP_ONNX_DIMS)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "more than %u dimensions", PP_ONNX_DIMS);
    for (uint32_t i = 0; i < n; i++) {
        PP_TRY(pp_onnx_axis(c, axes[i], x->ndim + n, &axis));
        if (add[axis])
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "axis %u twice", axis);
        add[axis] = true;
    }
    for (uint32_t d = 0; d < x->ndim + n; d++)
        dim[d] = add[d] ? 1 : x->dim[from++];
    return view(c, x->ndim + n, dim);
}

static pp_status run_shape(pp_onnx_call *c)
{
    void *data = NULL;
    PP_TRY(need_input(c));
    const pp_onnx_tensor *x = c->in[0];
    int64_t n = x->ndim, start = pp_onnx_attr_i(c->node, "start", 0), end = pp_onnx_attr_i(c->node, "end", n);
    start = start < 0 ? start + n : start;
    end = end < 0 ? end + n : end;
    start = start < 0 ? 0 : start > n ? n : start;
    end = end < start ? start : end > n ? n : end;
    uint64_t dim[1] = {(uint64_t)(end - start)};
    PP_TRY(pp_onnx_result(c, 0, PP_ONNX_INT64, 1, dim, &data));
    for (int64_t i = start; i < end; i++)
        pp_onnx_store(data, PP_ONNX_INT64, (uint64_t)(i - start), (double)x->dim[i]);
    return PP_OK;
}

static pp_status run_size(pp_onnx_call *c)
{
    void *data = NULL;
    PP_TRY(need_input(c));
    PP_TRY(pp_onnx_result(c, 0, PP_ONNX_INT64, 0, NULL, &data));
    pp_onnx_store(data, PP_ONNX_INT64, 0, (double)pp_onnx_count(c->in[0]));
    return PP_OK;
}

static pp_status run_constant(pp_onnx_call *c)
{
    const pp_onnx_attr *a = c->node->n_attrs ? &c->node->attr[0] : NULL;
    uint64_t dim[1] = {a ? a->n : 0};
    void *data = NULL;
    if (!a)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "no value");
    if (strcmp(a->name, "value") == 0 && a->t) {
        c->out[0] = *a->t;
        if (!a->t->data)
            return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "a value of type %s", pp_onnx_type_name(a->t->type));
        return PP_OK;
    }
    bool is_float = strncmp(a->name, "value_float", 11) == 0,
         list = strcmp(a->name, "value_floats") == 0 || strcmp(a->name, "value_ints") == 0;
    if (!is_float && strncmp(a->name, "value_int", 9) != 0)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "a constant given by '%s'", a->name);
    PP_TRY(pp_onnx_result(c, 0, is_float ? PP_ONNX_FLOAT : PP_ONNX_INT64, list ? 1 : 0, dim, &data));
    if (list && a->n)
        memcpy(data, is_float ? (const void *)a->floats : (const void *)a->ints,
               a->n * (is_float ? sizeof(float) : sizeof(int64_t)));
    else if (!list && is_float)
        memcpy(data, &a->f, sizeof a->f);
    else if (!list)
        memcpy(data, &a->i, sizeof a->i);
    return PP_OK;
}

static pp_status dims_of(pp_onnx_call *c, uint32_t k, uint32_t *n, uint64_t *dim)
{
    const int64_t *list;
    if (!pp_onnx_in(c, k))
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "no shape");
    PP_TRY(pp_onnx_ints(c, "shape", k, &list, n));
    if (*n > PP_ONNX_DIMS)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "a shape of %u dimensions", *n);
    for (uint32_t i = 0; i < *n; i++) {
        if (list[i] < 0 || list[i] > INT64_C(1) << 40)
            return pp_onnx_fail(c->path, c->node, PP_ERANGE, "its shape has %lld", (long long)list[i]);
        dim[i] = (uint64_t)list[i];
    }
    return PP_OK;
}

static pp_status run_constant_of_shape(pp_onnx_call *c)
{
    const pp_onnx_attr *a = pp_onnx_attr_find(c->node, "value");
    const pp_onnx_tensor *value = a ? a->t : NULL;
    uint64_t dim[PP_ONNX_DIMS];
    uint32_t n = 0;
    void *data = NULL;
    if (value && (!value->data || pp_onnx_count(value) != 1))
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "its value must be one number");
    PP_TRY(dims_of(c, 0, &n, dim));
    PP_TRY(pp_onnx_result(c, 0, value ? value->type : PP_ONNX_FLOAT, n, dim, &data));
    uint64_t count = pp_onnx_count(&c->out[0]);
    for (uint64_t i = 0; i < count && value; i++)
        pp_onnx_store(data, value->type, i, pp_onnx_f64(value, 0));
    return PP_OK;
}

static pp_status run_range(pp_onnx_call *c)
{
    void *data = NULL;
    for (uint32_t k = 0; k < 3; k++)
        if (!pp_onnx_in(c, k) || pp_onnx_count(c->in[k]) != 1)
            return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "needs start, limit and step");
    double start = pp_onnx_f64(c->in[0], 0), step = pp_onnx_f64(c->in[2], 0);
    double n = ceil((pp_onnx_f64(c->in[1], 0) - start) / step);
    if (!(n < 0x1p40))
        return pp_onnx_fail(c->path, c->node, PP_ERANGE, "too many elements");
    uint64_t dim[1] = {n > 0 ? (uint64_t)n : 0};
    PP_TRY(pp_onnx_result(c, 0, c->in[0]->type, 1, dim, &data));
    for (uint64_t i = 0; i < dim[0]; i++)
        pp_onnx_store(data, c->in[0]->type, i, start + (double)i * step);
    return PP_OK;
}

/* Only shapes are broadcast: sizes of 1 are repeated. */
static pp_status run_expand(pp_onnx_call *c)
{
    uint64_t want[PP_ONNX_DIMS], dim[PP_ONNX_DIMS];
    uint32_t n = 0;
    void *data = NULL;
    PP_TRY(need_input(c));
    PP_TRY(dims_of(c, 1, &n, want));
    const pp_onnx_tensor *x = c->in[0];
    uint32_t ndim = x->ndim > n ? x->ndim : n;
    for (uint32_t i = 0; i < ndim; i++) {
        uint64_t a = i < x->ndim ? x->dim[x->ndim - 1 - i] : 1, b = i < n ? want[n - 1 - i] : 1;
        if (a != b && a != 1 && b != 1)
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "sizes %llu and %llu do not go together",
                                (unsigned long long)a, (unsigned long long)b);
        dim[ndim - 1 - i] = a == 1 ? b : a;
    }
    PP_TRY(pp_onnx_result(c, 0, x->type, ndim, dim, &data));
    uint64_t count = pp_onnx_count(&c->out[0]);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t rest = i, at = 0, stride = 1;
        for (uint32_t d = 0; d < x->ndim; d++) {
            uint64_t size = x->dim[x->ndim - 1 - d], whole = dim[ndim - 1 - d];
            at += size > 1 ? rest % whole * stride : 0;
            stride *= size;
            rest /= whole;
        }
        pp_onnx_store(data, x->type, i, pp_onnx_f64(x, at));
    }
    return PP_OK;
}

const pp_onnx_row pp_onnx_ops_shape_[] = {
    {"Reshape", run_reshape},
    {"Flatten", run_flatten},
    {"Squeeze", run_squeeze},
    {"Unsqueeze", run_unsqueeze},
    {"Shape", run_shape},
    {"Size", run_size},
    {"Constant", run_constant},
    {"ConstantOfShape", run_constant_of_shape},
    {"Range", run_range},
    {"Expand", run_expand},
    {NULL, NULL},
};
