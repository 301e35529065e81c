/* Operators of TensorFlow Lite as ONNX nodes. */
#include "workloads/network_internal.h"
#include "workloads/tflite_internal.h"

#include <math.h>
#include <string.h>

/* ---- windows: strides and padding of convolutions and pools ---- */

/* `padding`: 0 as many outputs as strides fit (SAME), 1 none (VALID). */
static pp_onnx_attr auto_pad(uint8_t padding)
{
    return pp_lite_text("auto_pad", padding == 0 ? "SAME_UPPER" : "VALID");
}

/* Fields y and x of the options. */
static pp_onnx_attr pair(const pp_lite *l, const char *name, uint32_t y, uint32_t x, int64_t *list)
{
    list[0] = pp_flat_i32(&l->options, y, 1);
    list[1] = pp_flat_i32(&l->options, x, 1);
    return pp_lite_numbers(name, list, 2);
}

/* Constant weights [a][kh][kw][b] as [first][second][kh][kw]: the first is b when `turned`, else a. */
static pp_status weights(pp_lite *l, uint32_t k, bool turned, uint32_t *value, const pp_onnx_tensor **out)
{
    pp_lite_tensor *w;
    PP_TRY(pp_lite_input(l, k, &w));
    if (!w->t.data || w->ndim != 4 || !pp_onnx_is_float(w->t.type))
        return pp_lite_fail(l, PP_EUNSUPPORTED, "its weights '%s' must be constant numbers of four dimensions", w->name);
    pp_onnx_tensor *t = pp_lite_get(l, 1, sizeof *t);
    if (!t)
        return l->why;
    *t = w->t;
    t->dim[0] = w->t.dim[turned ? 3 : 0];
    t->dim[1] = w->t.dim[turned ? 0 : 3];
    t->dim[2] = w->t.dim[1];
    t->dim[3] = w->t.dim[2];
    t->transposed = turned;
    t->last = !turned;
    if (w->t.scale && pp_onnx_count(w->t.scale) > 1) {
        static const uint32_t plain[4] = {0, 2, 3, 1}, other[4] = {1, 2, 3, 0};
        t->axis = turned ? other[w->t.axis] : plain[w->t.axis];
    }
    *out = t;
    return pp_lite_value(l, w->name, t, value);
}

static pp_status with_bias(pp_lite *l, uint32_t k, pp_lite_node *n)
{
    pp_lite_tensor *bias;
    if (!pp_lite_has(l, k))
        return PP_OK;
    PP_TRY(pp_lite_input(l, k, &bias));
    n->in[n->n_in++] = l->in[k];
    return PP_OK;
}

static pp_status give_node(pp_lite *l, pp_lite_node *n, bool map, uint8_t act)
{
    PP_TRY(pp_lite_value(l, n->op, NULL, &n->out[0]));
    n->n_out = 1;
    PP_TRY(pp_lite_add(l, n));
    return pp_lite_give(l, 0, n->out[0], map, act);
}

static pp_status run_conv(pp_lite *l)
{
    bool depthwise = strcmp(l->kind, "DEPTHWISE_CONV_2D") == 0;
    pp_lite_node n = {.op = "Conv", .n_in = 2, .n_attrs = 4};
    const pp_onnx_tensor *w;
    pp_lite_tensor *x;
    int64_t stride[2], dilation[2];
    uint32_t extra = depthwise ? 1 : 0; /* depth_multiplier stands before these fields */
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_map(l, l->in[0], &n.in[0]));
    PP_TRY(weights(l, 1, depthwise, &n.in[1], &w));
    PP_TRY(with_bias(l, 2, &n));
    uint64_t channels = x->ndim == 4 ? (uint64_t)x->dim[3] : 0;
    if (w->dim[1] < 1 || channels % w->dim[1] != 0 || (depthwise && w->dim[1] != 1))
        return pp_lite_fail(l, PP_EFORMAT, "weights of %llu channels for a map of %llu", (unsigned long long)w->dim[1],
                            (unsigned long long)channels);
    n.attr[0] = auto_pad(pp_flat_u8(&l->options, 0, 0));
    n.attr[1] = pair(l, "strides", 2, 1, stride);
    n.attr[2] = pair(l, "dilations", 5 + extra, 4 + extra, dilation);
    n.attr[3] = pp_lite_int("group", (int64_t)(channels / w->dim[1]));
    return give_node(l, &n, true, pp_flat_u8(&l->options, 3 + extra, 0));
}

/* A transposed convolution of input x with weights w that gives the result its size. */
static pp_status transposed(pp_lite *l, uint32_t x, uint32_t w, uint32_t bias, const int64_t stride[2], uint8_t act)
{
    pp_lite_node n = {.op = "ConvTranspose", .n_in = 2, .n_attrs = 3};
    const pp_onnx_tensor *t;
    const pp_lite_tensor *to = l->n_out && l->out[0] != PP_NONE ? &l->tensor[l->out[0]] : NULL;
    pp_lite_tensor *from;
    PP_TRY(pp_lite_input(l, x, &from));
    if (!to || to->ndim != 4)
        return pp_lite_fail(l, PP_EFORMAT, "its result is no map");
    PP_TRY(pp_lite_map(l, l->in[x], &n.in[0]));
    PP_TRY(weights(l, w, true, &n.in[1], &t));
    PP_TRY(with_bias(l, bias, &n));
    n.attr[0] = pp_lite_text("auto_pad", "SAME_UPPER");
    n.attr[1] = pp_lite_numbers("strides", stride, 2);
    n.attr[2] = pp_lite_numbers("output_shape", to->dim + 1, 2);
    return give_node(l, &n, true, act);
}

static pp_status run_transpose_conv(pp_lite *l)
{
    int64_t stride[2];
    (void)pair(l, "", 2, 1, stride);
    return transposed(l, 2, 1, 3, stride, pp_flat_u8(&l->options, 3, 0));
}

/* MediaPipe's: input, weights, bias; options: padding, stride_w, stride_h as three words. */
static pp_status run_transpose_bias(pp_lite *l)
{
    if (l->custom.n < 12)
        return pp_lite_fail(l, PP_EFORMAT, "options of %u bytes; expected 12", l->custom.n);
    const int64_t stride[2] = {pp_flat_i32_at(&l->custom, 2), pp_flat_i32_at(&l->custom, 1)};
    return transposed(l, 0, 1, 2, stride, 0);
}

static pp_status run_pool(pp_lite *l)
{
    pp_lite_node n = {.op = *l->kind == 'M' ? "MaxPool" : "AveragePool", .n_in = 1, .n_attrs = 3};
    pp_lite_tensor *x;
    int64_t stride[2], kernel[2];
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_map(l, l->in[0], &n.in[0]));
    n.attr[0] = auto_pad(pp_flat_u8(&l->options, 0, 0));
    n.attr[1] = pair(l, "strides", 2, 1, stride);
    n.attr[2] = pair(l, "kernel_shape", 4, 3, kernel);
    return give_node(l, &n, true, pp_flat_u8(&l->options, 5, 0));
}

/* ---- linear layers ---- */

/* Shape of the result as its file says. */
static pp_status reshaped(pp_lite *l, uint32_t value, uint32_t ndim, const int64_t *dim, uint32_t *out)
{
    uint32_t in[2] = {value};
    PP_TRY(pp_lite_list(l, dim, ndim, &in[1]));
    return pp_lite_apply(l, "Reshape", in, 2, out);
}

/* A matrix [in][out] that is stored [out][in]. */
static pp_status matrix(pp_lite *l, const pp_lite_tensor *w, uint32_t *value)
{
    pp_onnx_tensor *t = pp_lite_get(l, 1, sizeof *t);
    if (!t)
        return l->why;
    *t = w->t;
    t->dim[0] = w->t.dim[1];
    t->dim[1] = w->t.dim[0];
    t->transposed = true;
    t->axis = 1 - w->t.axis;
    return pp_lite_value(l, w->name, t, value);
}

static pp_status run_fully_connected(pp_lite *l)
{
    pp_lite_tensor *x, *w;
    uint32_t value = l->in[0], out;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_input(l, 1, &w));
    if (!w->t.data || w->ndim != 2 || !pp_onnx_is_float(w->t.type))
        return pp_lite_fail(l, PP_EUNSUPPORTED, "its weights '%s' must be a constant matrix of numbers", w->name);
    if (pp_flat_u8(&l->options, 1, 0) != 0)
        return pp_lite_fail(l, PP_EUNSUPPORTED, "weights in a shuffled order");
    const pp_lite_tensor *to = l->out[0] == PP_NONE ? NULL : &l->tensor[l->out[0]];
    uint8_t act = pp_flat_u8(&l->options, 0, 0);
    if (to && x->ndim > 2 && to->ndim == x->ndim && x->dim[x->ndim - 1] == w->dim[1]) { /* of each pixel */
        uint32_t in[2] = {value};
        PP_TRY(matrix(l, w, &in[1]));
        PP_TRY(pp_lite_apply(l, "MatMul", in, 2, &out));
        in[0] = out;
        in[1] = pp_lite_has(l, 2) ? l->in[2] : 0;
        if (pp_lite_has(l, 2))
            PP_TRY(pp_lite_apply(l, "Add", in, 2, &out));
        return pp_lite_give(l, 0, out, false, act);
    }
    const int64_t flat[2] = {-1, w->dim[1]};
    if (x->ndim != 2)
        PP_TRY(reshaped(l, value, 2, flat, &value));
    pp_lite_node n = {.op = "Gemm", .n_in = 2, .n_attrs = 1, .in = {value, l->in[1]}};
    n.attr[0] = pp_lite_int("transB", 1);
    PP_TRY(with_bias(l, 2, &n));
    if (!to || to->ndim == 2)
        return give_node(l, &n, false, act);
    PP_TRY(pp_lite_value(l, n.op, NULL, &n.out[0]));
    n.n_out = 1;
    PP_TRY(pp_lite_add(l, &n));
    PP_TRY(reshaped(l, n.out[0], to->ndim, to->dim, &out));
    return pp_lite_give(l, 0, out, false, act);
}

/* Value `in` of tensor t with its last two dimensions exchanged. */
static pp_status turned(pp_lite *l, const pp_lite_tensor *t, uint32_t *in)
{
    pp_lite_node n = {.op = "Transpose", .n_in = 1, .n_out = 1, .n_attrs = 1};
    int64_t perm[PP_ONNX_DIMS];
    for (uint32_t d = 0; d < t->ndim; d++)
        perm[d] = d + 2 < t->ndim ? d : d + 2 == t->ndim ? (int64_t)d + 1 : (int64_t)d - 1;
    n.attr[0] = pp_lite_numbers("perm", perm, t->ndim);
    n.in[0] = *in;
    PP_TRY(pp_lite_value(l, n.op, NULL, &n.out[0]));
    PP_TRY(pp_lite_add(l, &n));
    *in = n.out[0];
    return PP_OK;
}

static pp_status run_batch_matmul(pp_lite *l)
{
    pp_lite_tensor *x, *y;
    uint32_t in[2] = {l->in[0], l->in[1]}, out;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_input(l, 1, &y));
    if (x->ndim < 2 || y->ndim < 2)
        return pp_lite_fail(l, PP_EUNSUPPORTED, "one of its factors is no matrix");
    if (pp_flat_u8(&l->options, 0, 0))
        PP_TRY(turned(l, x, &in[0]));
    if (pp_flat_u8(&l->options, 1, 0))
        PP_TRY(turned(l, y, &in[1]));
    PP_TRY(pp_lite_apply(l, "MatMul", in, 2, &out));
    return pp_lite_give(l, 0, out, false, 0);
}

/* ---- elementwise ---- */

static const char *const same_name[][2] = {
    {"ADD", "Add"},           {"SUB", "Sub"},         {"MUL", "Mul"},
    {"DIV", "Div"},           {"MAXIMUM", "Max"},     {"MINIMUM", "Min"},
    {"POW", "Pow"},           {"PRELU", "PRelu"},     {"LOGISTIC", "Sigmoid"},
    {"TANH", "Tanh"},         {"RELU", "Relu"},       {"HARD_SWISH", "HardSwish"},
    {"EXP", "Exp"},           {"LOG", "Log"},         {"SQRT", "Sqrt"},
    {"ABS", "Abs"},           {"NEG", "Neg"},         {"FLOOR", "Floor"},
    {"CEIL", "Ceil"},         {"SIN", "Sin"},         {"COS", "Cos"},
    {"ELU", "Elu"},           {"QUANTIZE", "Identity"}, {"DEQUANTIZE", "Identity"},
    {"LOG_SOFTMAX", "LogSoftmax"},
};

static const char *onnx_name(const pp_lite *l)
{
    for (size_t i = 0; i < sizeof same_name / sizeof *same_name; i++)
        if (strcmp(same_name[i][0], l->kind) == 0)
            return same_name[i][1];
    return l->kind;
}

/* Whether every input is a map or a constant that reads as one, so that the operator may work on channels first. */
static bool all_maps(const pp_lite *l, uint32_t n)
{
    bool any = false;
    for (uint32_t k = 0; k < n && k < l->n_in; k++) {
        const pp_lite_tensor *t = pp_lite_has(l, k) ? &l->tensor[l->in[k]] : NULL;
        if (!t || (!pp_lite_is_map(t) && !(t->t.data && t->ndim < 4)))
            return false;
        any |= pp_lite_is_map(t) && !t->t.data;
    }
    return any && l->out[0] != PP_NONE && pp_lite_is_map(&l->tensor[l->out[0]]);
}

/* Inputs 0 ... n - 1, with channels first where all of them are maps. */
static pp_status operands(pp_lite *l, uint32_t n, uint32_t *in, bool *map)
{
    pp_lite_tensor *t;
    *map = all_maps(l, n);
    for (uint32_t k = 0; k < n; k++) {
        PP_TRY(pp_lite_input(l, k, &t));
        in[k] = l->in[k];
        if (*map)
            PP_TRY(pp_lite_map(l, l->in[k], &in[k]));
    }
    return PP_OK;
}

static pp_status elementwise(pp_lite *l, uint32_t n, uint8_t act)
{
    uint32_t in[2], out;
    bool map;
    PP_TRY(operands(l, n, in, &map));
    PP_TRY(pp_lite_apply(l, onnx_name(l), in, n, &out));
    return pp_lite_give(l, 0, out, map, act);
}

static pp_status run_unary(pp_lite *l)
{
    return elementwise(l, 1, 0);
}

static pp_status run_binary(pp_lite *l)
{
    return elementwise(l, 2, 0);
}

static pp_status run_arithmetic(pp_lite *l)
{
    return elementwise(l, 2, pp_flat_u8(&l->options, 0, 0));
}

/* Operators that are an activation of the table that others have behind them, too. */
static pp_status run_activation(pp_lite *l)
{
    uint32_t in[1];
    bool map;
    PP_TRY(operands(l, 1, in, &map));
    return pp_lite_give(l, 0, in[0], map, strcmp(l->kind, "RELU6") == 0 ? 3 : 2);
}

static pp_status run_unit_clip(pp_lite *l)
{
    uint32_t in[3], out;
    bool map;
    PP_TRY(operands(l, 1, in, &map));
    PP_TRY(pp_lite_number(l, 0, &in[1]));
    PP_TRY(pp_lite_number(l, 1, &in[2]));
    PP_TRY(pp_lite_apply(l, "Clip", in, 3, &out));
    return pp_lite_give(l, 0, out, map, 0);
}

static pp_status run_leaky(pp_lite *l)
{
    pp_lite_node n = {.op = "LeakyRelu", .n_in = 1, .n_attrs = 1};
    bool map;
    PP_TRY(operands(l, 1, n.in, &map));
    n.attr[0] = pp_lite_float("alpha", pp_flat_f32(&l->options, 0, 0));
    return give_node(l, &n, map, 0);
}

/* radius, bias, alpha, beta; alpha is that of a square, ONNX has that of their mean. */
static pp_status run_response_norm(pp_lite *l)
{
    pp_lite_node n = {.op = "LRN", .n_in = 1, .n_attrs = 4};
    pp_lite_tensor *x;
    const int64_t radius = pp_flat_i32(&l->options, 0, 0);
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_map(l, l->in[0], &n.in[0]));
    if (radius < 0 || radius >= PP_DIM_MAX / 2)
        return pp_lite_fail(l, PP_ERANGE, "radius %lld, expected 0 to %u", (long long)radius, (unsigned)PP_DIM_MAX / 2 - 1);
    const int64_t size = 2 * radius + 1;
    n.attr[0] = pp_lite_int("size", size);
    n.attr[1] = pp_lite_float("bias", pp_flat_f32(&l->options, 1, 0));
    n.attr[2] = pp_lite_float("alpha", pp_flat_f32(&l->options, 2, 0) * (float)size);
    n.attr[3] = pp_lite_float("beta", pp_flat_f32(&l->options, 3, 0));
    return give_node(l, &n, true, 0);
}

static pp_status run_gelu(pp_lite *l)
{
    pp_lite_node n = {.op = "Gelu", .n_in = 1, .n_attrs = 1};
    bool map;
    PP_TRY(operands(l, 1, n.in, &map));
    n.attr[0] = pp_lite_text("approximate", pp_flat_u8(&l->options, 0, 0) ? "tanh" : "none");
    return give_node(l, &n, map, 0);
}

/* x x, (x - y) (x - y), 1 / sqrt(x). */
static pp_status run_composed(pp_lite *l)
{
    uint32_t in[2], out;
    bool map, root = strcmp(l->kind, "RSQRT") == 0, difference = strcmp(l->kind, "SQUARED_DIFFERENCE") == 0;
    PP_TRY(operands(l, difference ? 2 : 1, in, &map));
    out = in[0];
    if (root || difference)
        PP_TRY(pp_lite_apply(l, root ? "Sqrt" : "Sub", in, root ? 1 : 2, &out));
    in[0] = in[1] = out;
    PP_TRY(pp_lite_apply(l, root ? "Reciprocal" : "Mul", in, root ? 1 : 2, &out));
    return pp_lite_give(l, 0, out, map, 0);
}

static pp_status run_softmax(pp_lite *l)
{
    pp_lite_node n = {.op = "Softmax", .n_in = 1, .n_attrs = 1, .in = {l->in[0]}};
    pp_lite_tensor *x;
    PP_TRY(pp_lite_input(l, 0, &x));
    if (fabs((double)pp_flat_f32(&l->options, 0, 0) - 1) > 1e-6)
        return pp_lite_fail(l, PP_EUNSUPPORTED, "beta %g; only 1 is read", (double)pp_flat_f32(&l->options, 0, 0));
    n.attr[0] = pp_lite_int("axis", -1);
    return give_node(l, &n, false, 0);
}

static pp_status run_cast(pp_lite *l)
{
    pp_lite_node n = {.op = "Cast", .n_in = 1, .n_attrs = 1, .in = {l->in[0]}};
    pp_lite_tensor *x;
    PP_TRY(pp_lite_input(l, 0, &x));
    n.attr[0] = pp_lite_int("to", l->out[0] == PP_NONE ? PP_ONNX_NO_TYPE : l->tensor[l->out[0]].t.type);
    return give_node(l, &n, false, 0);
}

/* Numbers behind codes or half floats: of a constant the same view, of anything else nothing to do. */
static pp_status run_dequantize(pp_lite *l)
{
    pp_lite_tensor *x;
    PP_TRY(pp_lite_input(l, 0, &x));
    if (!x->t.data || !pp_onnx_is_float(x->t.type) || l->out[0] == PP_NONE)
        return elementwise(l, 1, 0);
    pp_lite_tensor *to = &l->tensor[l->out[0]];
    if (to->ndim != x->ndim || memcmp(to->dim, x->dim, x->ndim * sizeof *x->dim) != 0)
        return pp_lite_fail(l, PP_EFORMAT, "its result has another shape than its input");
    to->t = x->t;
    l->value.data[l->out[0]].init = &to->t;
    return PP_OK;
}

/* ---- shapes and parts ---- */

/* Operators whose result is the input under the shape that the file gives it. */
static pp_status run_reshape(pp_lite *l)
{
    pp_lite_tensor *x;
    uint32_t out;
    PP_TRY(pp_lite_input(l, 0, &x));
    if (l->out[0] == PP_NONE)
        return pp_lite_fail(l, PP_EFORMAT, "it has no result");
    const pp_lite_tensor *to = &l->tensor[l->out[0]];
    PP_TRY(reshaped(l, l->in[0], to->ndim, to->dim, &out));
    return pp_lite_give(l, 0, out, false, 0);
}

/* An axis of x, negative from the end; of the map with channels first when `map`. */
static pp_status axis_of(const pp_lite *l, const pp_lite_tensor *x, int64_t axis, bool map, int64_t *out)
{
    axis = axis < 0 ? axis + x->ndim : axis;
    if (axis < 0 || axis >= (int64_t)x->ndim)
        return pp_lite_fail(l, PP_ERANGE, "axis %lld of %u dimensions", (long long)axis, x->ndim);
    *out = map ? pp_lite_axis((uint32_t)axis) : axis;
    return PP_OK;
}

static pp_status run_concat(pp_lite *l)
{
    pp_lite_node n = {.op = "Concat", .n_in = l->n_in, .n_attrs = 1};
    pp_lite_tensor *x;
    int64_t axis = 0;
    bool map;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(operands(l, l->n_in, n.in, &map));
    PP_TRY(axis_of(l, x, pp_flat_i32(&l->options, 0, 0), map, &axis));
    n.attr[0] = pp_lite_int("axis", axis);
    return give_node(l, &n, map, pp_flat_u8(&l->options, 1, 0));
}

static pp_status run_pack(pp_lite *l)
{
    pp_lite_node n = {.op = "Concat", .n_in = l->n_in, .n_attrs = 1};
    int64_t axis = pp_flat_i32(&l->options, 1, 0);
    uint32_t list;
    PP_TRY(pp_lite_list(l, &axis, 1, &list));
    for (uint32_t k = 0; k < l->n_in; k++) {
        pp_lite_tensor *x;
        uint32_t in[2] = {l->in[k], list};
        PP_TRY(pp_lite_input(l, k, &x));
        PP_TRY(pp_lite_apply(l, "Unsqueeze", in, 2, &n.in[k]));
    }
    n.attr[0] = pp_lite_int("axis", axis);
    return give_node(l, &n, false, 0);
}

static pp_status run_gather(pp_lite *l)
{
    pp_lite_node n = {.op = "Gather", .n_in = 2, .n_attrs = 1, .in = {l->in[0], l->in[1]}};
    pp_lite_tensor *x;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_input(l, 1, &x));
    if (pp_flat_i32(&l->options, 1, 0) != 0)
        return pp_lite_fail(l, PP_EUNSUPPORTED, "batch_dims");
    n.attr[0] = pp_lite_int("axis", pp_flat_i32(&l->options, 0, 0));
    return give_node(l, &n, false, 0);
}

static pp_status run_shape(pp_lite *l)
{
    pp_lite_tensor *x;
    uint32_t in[1] = {l->in[0]}, out;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_apply(l, "Shape", in, 1, &out));
    return pp_lite_give(l, 0, out, false, 0);
}

static pp_status run_transpose(pp_lite *l)
{
    pp_lite_node n = {.op = "Transpose", .n_in = 1, .n_attrs = 1, .in = {l->in[0]}};
    pp_lite_tensor *x;
    int64_t perm[PP_ONNX_DIMS];
    uint32_t count;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_ints(l, 1, PP_ONNX_DIMS, perm, &count));
    n.attr[0] = pp_lite_numbers("perm", perm, count);
    return give_node(l, &n, false, 0);
}

/* Axes as the file numbers them: views make it the same. */
static pp_status run_reduce(pp_lite *l)
{
    bool max = strcmp(l->kind, "REDUCE_MAX") == 0;
    pp_lite_node n = {.op = max ? "ReduceMax" : "ReduceMean", .n_in = 1, .n_attrs = 2, .in = {l->in[0]}};
    pp_lite_tensor *x;
    int64_t axes[PP_ONNX_DIMS];
    uint32_t count;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_ints(l, 1, PP_ONNX_DIMS, axes, &count));
    bool keep = pp_flat_u8(&l->options, 0, 0) != 0, pixels = x->ndim == 4 && count == 2;
    for (uint32_t i = 0; i < count; i++)
        PP_TRY(axis_of(l, x, axes[i], false, &axes[i]));
    if (max && pixels && axes[0] + axes[1] == 3 && axes[0] * axes[1] == 2 && l->out[0] != PP_NONE) {
        const pp_lite_tensor *to = &l->tensor[l->out[0]];
        uint32_t in[1], out;
        PP_TRY(pp_lite_map(l, l->in[0], &in[0]));
        PP_TRY(pp_lite_apply(l, "GlobalMaxPool", in, 1, &out));
        if (keep)
            return pp_lite_give(l, 0, out, true, 0);
        PP_TRY(reshaped(l, out, to->ndim, to->dim, &out));
        return pp_lite_give(l, 0, out, false, 0);
    }
    n.attr[0] = pp_lite_numbers("axes", axes, count);
    n.attr[1] = pp_lite_int("keepdims", keep);
    return give_node(l, &n, false, 0);
}

static pp_status run_pad(pp_lite *l)
{
    pp_lite_node n = {.op = "Pad", .n_in = 2};
    pp_lite_tensor *x;
    int64_t pads[2 * PP_ONNX_DIMS], list[2 * PP_ONNX_DIMS];
    uint32_t count;
    bool map;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(operands(l, 1, n.in, &map));
    PP_TRY(pp_lite_ints(l, 1, 2 * PP_ONNX_DIMS, pads, &count));
    if (count != 2 * x->ndim)
        return pp_lite_fail(l, PP_EFORMAT, "%u pads for %u dimensions", count, x->ndim);
    for (uint32_t a = 0; a < x->ndim; a++) {
        uint32_t to = map ? pp_lite_axis(a) : a;
        list[to] = pads[2 * a];
        list[x->ndim + to] = pads[2 * a + 1];
    }
    PP_TRY(pp_lite_list(l, list, count, &n.in[1]));
    if (pp_lite_has(l, 2))
        n.in[n.n_in++] = l->in[2];
    return give_node(l, &n, map, 0);
}

/* Numbers of the axes of x in the order of the map. */
static void by_axis(const pp_lite_tensor *x, bool map, const int64_t *from, int64_t *to)
{
    for (uint32_t a = 0; a < x->ndim; a++)
        to[map ? pp_lite_axis(a) : a] = from[a];
}

static pp_status slice(pp_lite *l, uint32_t n, const int64_t *start, const int64_t *end, const int64_t *step, bool map,
                       uint32_t in, uint32_t *out)
{
    uint32_t list[5] = {in};
    int64_t axes[PP_ONNX_DIMS], in_order[3][PP_ONNX_DIMS];
    for (uint32_t a = 0; a < n; a++) {
        uint32_t to = map ? pp_lite_axis(a) : a;
        axes[a] = a;
        in_order[0][to] = start[a];
        in_order[1][to] = end[a];
        in_order[2][to] = step[a];
    }
    PP_TRY(pp_lite_list(l, in_order[0], n, &list[1]));
    PP_TRY(pp_lite_list(l, in_order[1], n, &list[2]));
    PP_TRY(pp_lite_list(l, axes, n, &list[3]));
    PP_TRY(pp_lite_list(l, in_order[2], n, &list[4]));
    return pp_lite_apply(l, "Slice", list, 5, out);
}

static pp_status run_slice(pp_lite *l)
{
    pp_lite_tensor *x;
    int64_t start[PP_ONNX_DIMS], size[PP_ONNX_DIMS], step[PP_ONNX_DIMS];
    uint32_t n, n_size, in, out;
    bool map;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(operands(l, 1, &in, &map));
    PP_TRY(pp_lite_ints(l, 1, PP_ONNX_DIMS, start, &n));
    PP_TRY(pp_lite_ints(l, 2, PP_ONNX_DIMS, size, &n_size));
    if (n != x->ndim || n_size != n)
        return pp_lite_fail(l, PP_EFORMAT, "%u places and %u sizes for %u dimensions", n, n_size, x->ndim);
    for (uint32_t a = 0; a < n; a++) {
        if (start[a] < 0 || start[a] > INT32_MAX || size[a] < -1 || size[a] > INT32_MAX)
            return pp_lite_fail(l, PP_ERANGE, "place %lld, size %lld", (long long)start[a], (long long)size[a]);
        size[a] = size[a] < 0 ? INT64_MAX : start[a] + size[a];
        step[a] = 1;
    }
    PP_TRY(slice(l, n, start, size, step, map, in, &out));
    return pp_lite_give(l, 0, out, map, 0);
}

/* Bits of begin_mask and end_mask: from the first, to the last; of shrink_axis_mask: one element, whose axis is gone. */
static pp_status run_strided_slice(pp_lite *l)
{
    pp_lite_tensor *x;
    int64_t start[PP_ONNX_DIMS], end[PP_ONNX_DIMS], step[PP_ONNX_DIMS];
    uint32_t n[3], in, out;
    bool map;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_ints(l, 1, PP_ONNX_DIMS, start, &n[0]));
    PP_TRY(pp_lite_ints(l, 2, PP_ONNX_DIMS, end, &n[1]));
    PP_TRY(pp_lite_ints(l, 3, PP_ONNX_DIMS, step, &n[2]));
    int64_t from_first = pp_flat_i32(&l->options, 0, 0), to_last = pp_flat_i32(&l->options, 1, 0);
    int64_t shrink = pp_flat_i32(&l->options, 4, 0);
    if (n[0] > x->ndim || n[1] != n[0] || n[2] != n[0])
        return pp_lite_fail(l, PP_EFORMAT, "begin, end and strides of %u, %u and %u numbers", n[0], n[1], n[2]);
    if (pp_flat_i32(&l->options, 2, 0) || pp_flat_i32(&l->options, 3, 0))
        return pp_lite_fail(l, PP_EUNSUPPORTED, "an ellipsis or new axes");
    for (uint32_t a = 0; a < n[0]; a++) {
        bool one = shrink >> a & 1;
        if (step[a] < 1)
            return pp_lite_fail(l, PP_EUNSUPPORTED, "a stride of %lld", (long long)step[a]);
        start[a] = (from_first >> a & 1) && !one ? 0 : start[a];
        end[a] = one ? start[a] == -1 ? INT64_MAX : start[a] + 1 : to_last >> a & 1 ? INT64_MAX : end[a];
    }
    for (uint32_t a = n[0]; a < x->ndim; a++) {
        start[a] = 0;
        end[a] = INT64_MAX;
        step[a] = 1;
    }
    if (l->out[0] == PP_NONE)
        return pp_lite_fail(l, PP_EFORMAT, "it has no result");
    const pp_lite_tensor *to = &l->tensor[l->out[0]];
    PP_TRY(operands(l, 1, &in, &map));
    PP_TRY(slice(l, x->ndim, start, end, step, map, in, &out));
    if (shrink)
        PP_TRY(reshaped(l, out, to->ndim, to->dim, &out));
    return pp_lite_give(l, 0, out, map && !shrink, 0);
}

/* SPLIT: axis, input; SPLIT_V: input, sizes, axis. */
static pp_status run_split(pp_lite *l)
{
    bool sized = strcmp(l->kind, "SPLIT_V") == 0;
    uint32_t at = sized ? 0 : 1, count;
    pp_lite_node n = {.op = "Split", .n_in = sized ? 2 : 1, .n_out = l->n_out, .n_attrs = 1};
    pp_lite_tensor *x;
    int64_t axis, sizes[PP_LITE_INPUTS];
    PP_TRY(pp_lite_input(l, at, &x));
    PP_TRY(pp_lite_ints(l, sized ? 2 : 0, 1, &axis, &count));
    bool map = pp_lite_is_map(x) && !x->t.data;
    PP_TRY(count == 1 ? axis_of(l, x, axis, map, &axis) : pp_lite_fail(l, PP_EFORMAT, "no axis"));
    n.in[0] = l->in[at];
    if (map)
        PP_TRY(pp_lite_map(l, l->in[at], &n.in[0]));
    if (sized) {
        PP_TRY(pp_lite_ints(l, 1, PP_LITE_INPUTS, sizes, &count));
        PP_TRY(pp_lite_list(l, sizes, count, &n.in[1]));
    }
    n.attr[0] = pp_lite_int("axis", axis);
    for (uint32_t k = 0; k < n.n_out; k++)
        PP_TRY(pp_lite_value(l, "Split", NULL, &n.out[k]));
    PP_TRY(pp_lite_add(l, &n));
    for (uint32_t k = 0; k < n.n_out; k++)
        PP_TRY(pp_lite_give(l, k, n.out[k], map, 0));
    return PP_OK;
}

/* ---- larger maps ---- */

static pp_status run_resize(pp_lite *l)
{
    bool linear = strcmp(l->kind, "RESIZE_BILINEAR") == 0;
    uint32_t first = linear ? 2 : 0; /* two fields of old files stand before these */
    bool corners = pp_flat_u8(&l->options, first, 0) != 0, half = pp_flat_u8(&l->options, first + 1, 0) != 0;
    pp_lite_node n = {.op = "Resize", .n_in = 4, .n_attrs = 3};
    pp_lite_tensor *x;
    PP_TRY(pp_lite_input(l, 0, &x));
    if (l->out[0] == PP_NONE || !pp_lite_is_map(&l->tensor[l->out[0]]) || !pp_lite_is_map(x))
        return pp_lite_fail(l, PP_EUNSUPPORTED, "it resizes what is no map [N,H,W,C]");
    PP_TRY(pp_lite_map(l, l->in[0], &n.in[0]));
    n.in[1] = n.in[2] = PP_NONE;
    int64_t size[PP_ONNX_DIMS];
    by_axis(x, true, l->tensor[l->out[0]].dim, size);
    PP_TRY(pp_lite_list(l, size, 4, &n.in[3]));
    n.attr[0] = pp_lite_text("mode", linear ? "linear" : "nearest");
    n.attr[1] = pp_lite_text("coordinate_transformation_mode",
                             corners ? "align_corners" : half ? "half_pixel" : "asymmetric");
    n.attr[2] = pp_lite_text("nearest_mode", corners || half ? "round_prefer_ceil" : "floor");
    return give_node(l, &n, true, 0);
}

static pp_status run_blocks(pp_lite *l)
{
    pp_lite_node n = {.op = *l->kind == 'D' ? "DepthToSpace" : "SpaceToDepth", .n_in = 1, .n_attrs = 1};
    pp_lite_tensor *x;
    PP_TRY(pp_lite_input(l, 0, &x));
    PP_TRY(pp_lite_map(l, l->in[0], &n.in[0]));
    n.attr[0] = pp_lite_int("blocksize", pp_flat_i32(&l->options, 0, 0));
    return give_node(l, &n, true, 0);
}

/* ---- the table, by code ---- */

typedef struct row {
    uint8_t code;
    const char *name;
    pp_lite_op run;
} row;

static const row rows[] = {
    {0, "ADD", run_arithmetic},
    {1, "AVERAGE_POOL_2D", run_pool},
    {2, "CONCATENATION", run_concat},
    {3, "CONV_2D", run_conv},
    {4, "DEPTHWISE_CONV_2D", run_conv},
    {5, "DEPTH_TO_SPACE", run_blocks},
    {6, "DEQUANTIZE", run_dequantize},
    {7, "EMBEDDING_LOOKUP", NULL},
    {8, "FLOOR", run_unary},
    {9, "FULLY_CONNECTED", run_fully_connected},
    {11, "L2_NORMALIZATION", NULL},
    {13, "LOCAL_RESPONSE_NORMALIZATION", run_response_norm},
    {14, "LOGISTIC", run_unary},
    {16, "LSTM", NULL},
    {17, "MAX_POOL_2D", run_pool},
    {18, "MUL", run_arithmetic},
    {19, "RELU", run_unary},
    {20, "RELU_N1_TO_1", run_activation},
    {21, "RELU6", run_activation},
    {22, "RESHAPE", run_reshape},
    {23, "RESIZE_BILINEAR", run_resize},
    {24, "RNN", NULL},
    {25, "SOFTMAX", run_softmax},
    {26, "SPACE_TO_DEPTH", run_blocks},
    {27, "SVDF", NULL},
    {28, "TANH", run_unary},
    {32, "CUSTOM", NULL},
    {34, "PAD", run_pad},
    {36, "GATHER", run_gather},
    {37, "BATCH_TO_SPACE_ND", NULL},
    {38, "SPACE_TO_BATCH_ND", NULL},
    {39, "TRANSPOSE", run_transpose},
    {40, "MEAN", run_reduce},
    {41, "SUB", run_arithmetic},
    {42, "DIV", run_arithmetic},
    {43, "SQUEEZE", run_reshape},
    {44, "UNIDIRECTIONAL_SEQUENCE_LSTM", NULL},
    {45, "STRIDED_SLICE", run_strided_slice},
    {47, "EXP", run_unary},
    {48, "TOPK_V2", NULL},
    {49, "SPLIT", run_split},
    {50, "LOG_SOFTMAX", run_unary},
    {53, "CAST", run_cast},
    {54, "PRELU", run_binary},
    {55, "MAXIMUM", run_binary},
    {56, "ARG_MAX", NULL},
    {57, "MINIMUM", run_binary},
    {59, "NEG", run_unary},
    {60, "PADV2", run_pad},
    {65, "SLICE", run_slice},
    {67, "TRANSPOSE_CONV", run_transpose_conv},
    {70, "EXPAND_DIMS", run_reshape},
    {73, "LOG", run_unary},
    {74, "SUM", NULL},
    {75, "SQRT", run_unary},
    {76, "RSQRT", run_composed},
    {77, "SHAPE", run_shape},
    {78, "POW", run_binary},
    {82, "REDUCE_MAX", run_reduce},
    {83, "PACK", run_pack},
    {92, "SQUARE", run_composed},
    {97, "RESIZE_NEAREST_NEIGHBOR", run_resize},
    {98, "LEAKY_RELU", run_leaky},
    {99, "SQUARED_DIFFERENCE", run_composed},
    {100, "MIRROR_PAD", NULL},
    {101, "ABS", run_unary},
    {102, "SPLIT_V", run_split},
    {104, "CEIL", run_unary},
    {108, "COS", run_unary},
    {111, "ELU", run_unary},
    {114, "QUANTIZE", run_dequantize},
    {117, "HARD_SWISH", run_unary},
    {118, "IF", NULL},
    {119, "WHILE", NULL},
    {124, "DENSIFY", NULL},
    {126, "BATCH_MATMUL", run_batch_matmul},
    {150, "GELU", run_gelu},
    {152, "RELU_0_TO_1", run_unit_clip},
};

pp_lite_op pp_lite_find(int64_t code, const char **name)
{
    *name = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == code) {
            *name = rows[i].name;
            return rows[i].run;
        }
    return NULL;
}

pp_lite_op pp_lite_find_custom(const char *name)
{
    return strcmp(name, "Convolution2DTransposeBias") == 0 ? run_transpose_bias : NULL;
}
