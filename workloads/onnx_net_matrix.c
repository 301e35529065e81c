/* Conv, Gemm, MatMul: operators that become crossbars. */
#include "workloads/onnx_net_internal.h"

#include <string.h>

/* ---- weights: views where they can be, else one operator's copy ---- */

static bool view_type(const pp_onnx_tensor *t, pp_dtype *dtype)
{
    pp_onnx_type type = t->scale ? t->codes : t->type;
    *dtype = type == PP_ONNX_FLOAT ? PP_DTYPE_F32 : type == PP_ONNX_FLOAT16 ? PP_DTYPE_F16 : PP_DTYPE_BF16;
    if (type == PP_ONNX_FLOAT || type == PP_ONNX_FLOAT16 || type == PP_ONNX_BFLOAT16)
        return !t->scale;
    *dtype = type == PP_ONNX_INT8 || type == PP_ONNX_INT4 ? PP_DTYPE_I8 : PP_DTYPE_U8;
    return t->scale && (type == PP_ONNX_INT8 || type == PP_ONNX_UINT8 || type == PP_ONNX_INT4 || type == PP_ONNX_UINT4);
}

/* One number for each of `rows` rows of the weight. */
static pp_status rows_of(pp_onnx_net *v, const pp_onnx_tensor *t, uint64_t rows, const float **out)
{
    float *list = pp_arena_get(v->m->arena, rows, sizeof *list);
    if (!list)
        return PP_ENOMEM;
    bool one = pp_onnx_count(t) == 1;
    for (uint64_t r = 0; r < rows; r++)
        list[r] = (float)pp_onnx_f64(t, one ? 0 : r);
    *out = list;
    return PP_OK;
}

static pp_status copy_weight(pp_onnx_net *v, const pp_onnx_tensor *t, bool turned, pp_tensor *out)
{
    uint64_t n = pp_onnx_count(t), rows = out->dim[0], inner = n / rows;
    float *copy = pp_arena_get(v->m->arena, n, sizeof *copy);
    if (!copy)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < n; i++)
        copy[i] = (float)pp_onnx_f64(t, turned ? i % inner * rows + i / inner : i);
    out->data = copy;
    return PP_OK;
}

/* Weight [rows][...] of shape dim from constant t of the same elements; turned: t is [...][rows]. */
static pp_status weight_of(pp_onnx_net *v, const pp_onnx_tensor *t, bool turned, uint32_t ndim, const uint64_t *dim,
                           pp_tensor *out)
{
    if (!t->data || (!t->scale && !pp_onnx_is_float(t->type)))
        return pp_net_fail(v, PP_EUNSUPPORTED, "its weights are %s", pp_onnx_type_name(t->type));
    *out = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = ndim};
    memcpy(out->dim, dim, ndim * sizeof *dim);
    if (pp_onnx_count(t) == 0 || pp_onnx_count(t) != pp_tensor_count(out))
        return pp_net_fail(v, PP_EINVAL, "the shape of its weights does not fit");
    uint32_t row_axis = turned ? t->ndim - 1 : 0;
    pp_dtype dtype;
    bool by_row =
        !t->scale || pp_onnx_count(t->scale) == 1 || (t->axis == row_axis && pp_onnx_count(t->scale) == dim[0]);
    if (!view_type(t, &dtype) || !by_row || (t->last && turned))
        return copy_weight(v, t, turned, out);
    out->dtype = dtype;
    out->data = t->data;
    out->transposed = turned != t->transposed;
    out->last = t->last;
    if (t->scale)
        PP_TRY(rows_of(v, t->scale, dim[0], &out->row_scale));
    if (t->scale && t->zero)
        PP_TRY(rows_of(v, t->zero, dim[0], &out->row_zero));
    return PP_OK;
}

/* n numbers from a constant of n elements (or one, for all); NULL: none. */
static pp_status bias_of(pp_onnx_net *v, const pp_onnx_tensor *t, uint32_t k, uint64_t n, double factor, pp_tensor *out)
{
    bool given = k < v->node->n_in && v->node->in[k] != PP_NONE;
    *out = (pp_tensor){0};
    if (!given)
        return PP_OK;
    if (!t || !t->data)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its bias must be constant");
    uint64_t count = pp_onnx_count(t);
    if (count != n && count != 1)
        return pp_net_fail(v, PP_EINVAL, "%llu biases for %llu channels", (unsigned long long)count,
                           (unsigned long long)n);
    float *list = pp_arena_get(v->m->arena, n, sizeof *list);
    if (!list)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < n; i++)
        list[i] = (float)(factor * pp_onnx_f64(t, count == 1 ? 0 : i));
    *out = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {n}, .data = list};
    return PP_OK;
}

static pp_status times(pp_onnx_net *v, pp_tensor *w, double factor)
{
    if (factor >= 1 && factor <= 1)
        return PP_OK;
    float *rows = pp_arena_get(v->m->arena, w->dim[0], sizeof *rows);
    if (!rows)
        return PP_ENOMEM;
    for (uint64_t r = 0; r < w->dim[0]; r++)
        rows[r] = (float)((w->row_scale ? (double)w->row_scale[r] : 1) * factor);
    w->row_scale = rows;
    return PP_OK;
}

static const pp_tensor *maybe(const pp_tensor *t)
{
    return t->ndim ? t : NULL;
}

/* ---- Conv ---- */

static pp_status convert_conv(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    const pp_onnx_tensor *w = pp_net_constant(v, 1);
    pp_tensor weight, bias;
    pp_window window;
    int64_t kernel[2] = {1, 1};
    uint32_t op = 0;
    PP_TRY(pp_net_padded(v, 0, &x));
    pp_onnx_stream settled = *x;
    if (x->coded)
        return pp_net_stream(v, 0, &x);
    PP_TRY(pp_net_settle(v, &settled));
    PP_TRY(pp_net_to_map(v, &settled));
    if (!w)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its weights must be constant");
    if (!pp_net_is_map(v, &settled) || w->ndim != settled.ndim)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its input must be a map [N,C,H,W] or [N,C,W]");
    if (w->dim[0] > PP_DIM_MAX || w->dim[1] > PP_DIM_MAX)
        return pp_net_fail(v, PP_ERANGE, "its weights are too large");
    for (uint32_t i = 2; i < w->ndim; i++)
        kernel[i - 2] = (int64_t)w->dim[i];
    int64_t groups = pp_onnx_attr_i(v->node, "group", 1);
    if (groups < 1 || groups > PP_DIM_MAX)
        return pp_net_fail(v, PP_ERANGE, "%lld groups", (long long)groups);
    PP_TRY(pp_net_window(v, &settled, kernel, &window));
    uint64_t dim[4] = {w->dim[0], w->dim[1], window.kh, window.kw};
    PP_TRY(weight_of(v, w, false, 4, dim, &weight));
    PP_TRY(bias_of(v, pp_net_constant(v, 2), 2, dim[0], 1, &bias));
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_conv(v->b, name, settled.op, (uint32_t)dim[0], &window, (uint32_t)groups, bias.ndim > 0, false,
                         &weight, maybe(&bias), &op));
    pp_onnx_stream out = pp_net_map(v, op, settled.ndim);
    return pp_net_give(v, 0, &out);
}

/* ---- Gemm, MatMul ---- */

/* Factors of dimensions from `first` on are all of the map, in C,H,W order. */
static bool in_order(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t first)
{
    pp_shape shape = pp_net_shape(v, s);
    const uint32_t size[3] = {shape.c, shape.h, shape.w}, axis[3] = {PP_ONNX_C, PP_ONNX_H, PP_ONNX_W};
    uint32_t k = 0;
    for (uint32_t i = 0; i < 3; i++) {
        if (size[i] == 1)
            continue;
        if (k == s->n_factors || s->f[k].dim < first || s->f[k].axis != axis[i] || s->f[k].size != size[i])
            return false;
        k++;
    }
    return k == s->n_factors;
}

/* Columns of the weight in the order in which the network reads its map: C,H,W. */
static pp_status reorder(pp_onnx_net *v, const pp_onnx_stream *s, pp_tensor *w)
{
    pp_shape shape = pp_net_shape(v, s);
    uint64_t rows = w->dim[0], cols = w->dim[1];
    float *copy = pp_arena_get(v->m->arena, rows * cols, sizeof *copy);
    if (!copy)
        return PP_ENOMEM;
    for (uint64_t k = 0; k < cols; k++) {
        uint32_t at[PP_ONNX_AXES];
        pp_net_place(s, s->ndim - 1, k, at);
        uint64_t to = ((uint64_t)at[PP_ONNX_C] * shape.h + at[PP_ONNX_H]) * shape.w + at[PP_ONNX_W];
        for (uint64_t r = 0; r < rows; r++)
            copy[r * cols + to] = pp_tensor_f32(w, r * cols + k);
    }
    *w = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 2, .dim = {rows, cols}, .data = copy};
    return PP_OK;
}

/* All elements go into each result: one vector. */
static pp_status one_vector(pp_onnx_net *v, const pp_onnx_stream *x, pp_tensor *w, const pp_tensor *bias)
{
    uint32_t op = 0, out_dim = x->ndim - 1;
    if (!in_order(v, x, out_dim))
        PP_TRY(reorder(v, x, w));
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_linear(v->b, name, x->op, (uint32_t)w->dim[0], bias->ndim > 0, w, maybe(bias), &op));
    pp_onnx_stream out = {.op = op, .ndim = x->ndim};
    memcpy(out.dim, x->dim, sizeof out.dim);
    out.dim[out_dim] = w->dim[0];
    if (w->dim[0] > 1)
        out.f[out.n_factors++] =
            (pp_factor){.axis = PP_ONNX_C, .dim = (uint8_t)out_dim, .size = (uint32_t)w->dim[0], .stride = 1};
    return pp_net_give(v, 0, &out);
}

/* One vector for each pixel (a token): a convolution of one pixel. */
static pp_status each_pixel(pp_onnx_net *v, const pp_onnx_stream *x, pp_tensor *w, const pp_tensor *bias)
{
    const pp_window one = {.kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
    uint32_t op = 0, n = 0;
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    w->ndim = 4;
    w->dim[2] = w->dim[3] = 1;
    PP_TRY(pp_build_conv(v->b, name, x->op, (uint32_t)w->dim[0], &one, 1, bias->ndim > 0, false, w, maybe(bias), &op));
    pp_onnx_stream out = *x;
    out.op = op;
    out.scaled = 0;
    out.shared = false;
    for (uint32_t i = 0; i < x->n_factors; i++)
        if (x->f[i].axis != PP_ONNX_C)
            out.f[n++] = x->f[i];
    out.dim[x->ndim - 1] = w->dim[0];
    if (w->dim[0] > 1) /* the last dimension: behind the others */
        out.f[n++] =
            (pp_factor){.axis = PP_ONNX_C, .dim = (uint8_t)(x->ndim - 1), .size = (uint32_t)w->dim[0], .stride = 1};
    out.n_factors = n;
    return pp_net_give(v, 0, &out);
}

/* Product of the last dimension of x with weight [rows][cols]. */
static pp_status product(pp_onnx_net *v, const pp_onnx_stream *x, pp_tensor *w, const pp_tensor *bias)
{
    pp_shape shape = pp_net_shape(v, x);
    uint32_t last = x->ndim - 1;
    bool outside = false;
    if (w->dim[1] != x->dim[last])
        return pp_net_fail(v, PP_EINVAL, "%llu weights a result for %llu elements", (unsigned long long)w->dim[1],
                           (unsigned long long)x->dim[last]);
    for (uint32_t i = 0; i < x->n_factors; i++)
        outside |= x->f[i].dim != last;
    if (!outside)
        return one_vector(v, x, w, bias);
    if (x->dim[last] == 1 && shape.c == 1)
        return each_pixel(v, x, w, bias);
    pp_onnx_stream settled = *x;
    PP_TRY(pp_net_settle(v, &settled)); /* channels that were shuffled */
    x = &settled;
    for (uint32_t i = 0; i < x->n_factors; i++)
        if ((x->f[i].dim == last) != (x->f[i].axis == PP_ONNX_C) || (x->f[i].dim == last && x->f[i].size != shape.c))
            return pp_net_fail(v, PP_EUNSUPPORTED, "it multiplies along an axis that is not the channels");
    if (x->dim[last] == 1)
        return pp_net_fail(v, PP_EUNSUPPORTED, "it multiplies along an axis that is not the channels");
    return each_pixel(v, x, w, bias);
}

static pp_status convert_gemm(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    const pp_onnx_tensor *w = pp_net_constant(v, 1);
    bool turned = pp_onnx_attr_i(v->node, "transB", 0) == 0;
    pp_tensor weight, bias;
    PP_TRY(pp_net_stream(v, 0, &x));
    pp_onnx_stream settled = *x;
    if (!w || w->ndim != 2 || x->ndim != 2 || pp_onnx_attr_i(v->node, "transA", 0) != 0)
        return pp_net_fail(v, PP_EUNSUPPORTED, "needs an input [N,C] that is not transposed and constant weights");
    uint64_t dim[2] = {w->dim[turned ? 1 : 0], w->dim[turned ? 0 : 1]};
    if (dim[0] > PP_DIM_MAX)
        return pp_net_fail(v, PP_ERANGE, "its weights are too large");
    PP_TRY(weight_of(v, w, turned, 2, dim, &weight));
    PP_TRY(times(v, &weight, pp_onnx_attr_f(v->node, "alpha", 1)));
    PP_TRY(bias_of(v, pp_net_constant(v, 2), 2, dim[0], pp_onnx_attr_f(v->node, "beta", 1), &bias));
    return product(v, &settled, &weight, &bias);
}

static pp_status convert_matmul(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    const pp_onnx_tensor *w = pp_net_constant(v, 1);
    if (pp_net_any(v, 0) && pp_net_any(v, 1))
        return pp_net_give_product(v, 0, 1);
    PP_TRY(pp_net_stream(v, 0, &x));
    if (!w)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its weights must be constant");
    return pp_net_give_linear(v, x, w);
}

pp_status pp_net_give_linear(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *w)
{
    pp_tensor weight, none = {0};
    pp_onnx_tensor matrix = *w;
    while (matrix.ndim > 2 && matrix.dim[0] == 1 && !matrix.scale && !matrix.transposed && !matrix.last) {
        matrix.ndim--;
        memmove(matrix.dim, matrix.dim + 1, matrix.ndim * sizeof *matrix.dim);
    }
    if (matrix.ndim != 2)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its weights must be a matrix");
    uint64_t dim[2] = {matrix.dim[1], matrix.dim[0]};
    if (dim[0] > PP_DIM_MAX)
        return pp_net_fail(v, PP_ERANGE, "its weights are too large");
    PP_TRY(weight_of(v, &matrix, true, 2, dim, &weight));
    return product(v, x, &weight, &none);
}

const pp_net_row pp_net_ops_matrix_[] = {
    {"Conv", convert_conv}, {"Gemm", convert_gemm}, {"MatMul", convert_matmul}, {"Einsum", pp_net_einsum}, {NULL, NULL}};
