/* ONNX operators that work element by element. */
#include "workloads/onnx_internal.h"

#include <math.h>
#include <string.h>

/* ---- two operands, broadcast ---- */

/* Shape of a joint result; fails when two sizes differ and neither is 1. */
static pp_status broadcast(pp_onnx_call *c, const pp_onnx_tensor *t, uint32_t *ndim, uint64_t *dim)
{
    uint32_t n = t->ndim > *ndim ? t->ndim : *ndim;
    uint64_t out[PP_ONNX_DIMS];
    for (uint32_t i = 0; i < n; i++) { /* i counts from the last */
        uint64_t a = i < *ndim ? dim[*ndim - 1 - i] : 1, b = i < t->ndim ? t->dim[t->ndim - 1 - i] : 1;
        if (a != b && a != 1 && b != 1)
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "sizes %llu and %llu of its inputs do not go together",
                                (unsigned long long)a, (unsigned long long)b);
        out[n - 1 - i] = a == 1 ? b : a;
    }
    *ndim = n;
    memcpy(dim, out, n * sizeof *out);
    return PP_OK;
}

/* Element of `t` that stands where element i of the broadcast shape does. */
static uint64_t source(const pp_onnx_tensor *t, uint32_t ndim, const uint64_t *dim, uint64_t i)
{
    uint64_t at = 0, stride = 1;
    for (uint32_t d = 0; d < t->ndim; d++) {
        uint64_t size = t->dim[t->ndim - 1 - d], whole = dim[ndim - 1 - d];
        if (size != 1)
            at += i % whole * stride;
        i /= whole;
        stride *= size;
    }
    return at;
}

typedef double (*binary)(double a, double b, bool integer);

static double add2(double a, double b, bool integer)
{
    (void)integer;
    return a + b;
}

static double sub2(double a, double b, bool integer)
{
    (void)integer;
    return a - b;
}

static double mul2(double a, double b, bool integer)
{
    (void)integer;
    return a * b;
}

static double div2(double a, double b, bool integer)
{
    return integer && b == 0 ? 0 : integer ? trunc(a / b) : a / b;
}

static double pow2(double a, double b, bool integer)
{
    (void)integer;
    return pow(a, b);
}

static double max2(double a, double b, bool integer)
{
    (void)integer;
    return isnan(a) || a > b ? a : b;
}

static double min2(double a, double b, bool integer)
{
    (void)integer;
    return isnan(a) || a < b ? a : b;
}

static double prelu2(double a, double b, bool integer)
{
    (void)integer;
    return a < 0 ? a * b : a;
}

static double equal2(double a, double b, bool integer)
{
    (void)integer;
    return a == b;
}

static double greater2(double a, double b, bool integer)
{
    (void)integer;
    return a > b;
}

static double greater_equal2(double a, double b, bool integer)
{
    (void)integer;
    return a >= b;
}

static double less2(double a, double b, bool integer)
{
    (void)integer;
    return a < b;
}

static double less_equal2(double a, double b, bool integer)
{
    (void)integer;
    return a <= b;
}

static double and2(double a, double b, bool integer)
{
    (void)integer;
    return a != 0 && b != 0;
}

static double or2(double a, double b, bool integer)
{
    (void)integer;
    return a != 0 || b != 0;
}

static double xor2(double a, double b, bool integer)
{
    (void)integer;
    return (a != 0) != (b != 0);
}

static const struct {
    const char *op;
    binary f;
    bool truth; /* result is BOOL */
    bool variadic;
} binaries[] = {{"Add", add2, false, false},
                {"Sub", sub2, false, false},
                {"Mul", mul2, false, false},
                {"Div", div2, false, false},
                {"Pow", pow2, false, false},
                {"Max", max2, false, true},
                {"Min", min2, false, true},
                {"Sum", add2, false, true},
                {"Mean", add2, false, true},
                {"PRelu", prelu2, false, false},
                {"Equal", equal2, true, false},
                {"Greater", greater2, true, false},
                {"Less", less2, true, false},
                {"GreaterOrEqual", greater_equal2, true, false},
                {"LessOrEqual", less_equal2, true, false},
                {"And", and2, true, false},
                {"Or", or2, true, false},
                {"Xor", xor2, true, false}};

static pp_status joint_shape(pp_onnx_call *c, uint32_t *ndim, uint64_t *dim)
{
    *ndim = 0;
    for (uint32_t k = 0; k < c->node->n_in; k++) {
        if (!c->in[k])
            return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "input %u is left out", k);
        PP_TRY(broadcast(c, c->in[k], ndim, dim));
    }
    return PP_OK;
}

static pp_status run_binary(pp_onnx_call *c)
{
    size_t row = 0;
    uint32_t ndim = 0;
    uint64_t dim[PP_ONNX_DIMS];
    void *data = NULL;
    while (strcmp(binaries[row].op, c->node->op) != 0)
        row++;
    if (c->node->n_in < 1 || (!binaries[row].variadic && c->node->n_in != 2))
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "%u inputs", c->node->n_in);
    if (pp_onnx_attr_find(c->node, "axis"))
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "broadcasting along an axis, of operator sets below 7");
    PP_TRY(joint_shape(c, &ndim, dim));
    pp_onnx_type type = c->in[0]->type;
    PP_TRY(pp_onnx_result(c, 0, binaries[row].truth ? PP_ONNX_BOOL : type, ndim, dim, &data));
    bool integer = !pp_onnx_is_float(type), mean = strcmp(c->node->op, "Mean") == 0;
    uint64_t n = pp_onnx_count(&c->out[0]);
    PP_TRY(pp_onnx_charge(c, n * c->node->n_in));
    for (uint64_t i = 0; i < n; i++) {
        double v = pp_onnx_f64(c->in[0], source(c->in[0], ndim, dim, i));
        for (uint32_t k = 1; k < c->node->n_in; k++)
            v = binaries[row].f(v, pp_onnx_f64(c->in[k], source(c->in[k], ndim, dim, i)), integer);
        pp_onnx_store(data, c->out[0].type, i, mean ? v / c->node->n_in : v);
    }
    return PP_OK;
}

static pp_status run_where(pp_onnx_call *c)
{
    uint32_t ndim = 0;
    uint64_t dim[PP_ONNX_DIMS];
    void *data = NULL;
    if (c->node->n_in != 3)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "%u inputs", c->node->n_in);
    PP_TRY(joint_shape(c, &ndim, dim));
    PP_TRY(pp_onnx_result(c, 0, c->in[1]->type, ndim, dim, &data));
    uint64_t n = pp_onnx_count(&c->out[0]);
    for (uint64_t i = 0; i < n; i++) {
        bool first = pp_onnx_f64(c->in[0], source(c->in[0], ndim, dim, i)) != 0;
        const pp_onnx_tensor *t = c->in[first ? 1 : 2];
        pp_onnx_store(data, c->out[0].type, i, pp_onnx_f64(t, source(t, ndim, dim, i)));
    }
    return PP_OK;
}

/* ---- one operand ---- */

/* a, b: the operator's numbers, see `unaries`. */
typedef double (*unary)(double x, double a, double b);

#define UNARY(name, expr)                                                                                              \
    static double name(double x, double a, double b)                                                                   \
    {                                                                                                                  \
        (void)a;                                                                                                       \
        (void)b;                                                                                                       \
        return expr;                                                                                                   \
    }

/* The upper bound holds where it is below the lower one, as Clip has it. */
static double clamp(double x, double lo, double hi)
{
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}

UNARY(relu1, x > 0 ? x : isnan(x) ? x : 0)
UNARY(sigmoid1, 1 / (1 + exp(-x)))
UNARY(tanh1, tanh(x))
UNARY(hard_sigmoid1, clamp(a *x + b, 0, 1))
UNARY(hard_swish1, x *clamp(x / 6 + 0.5, 0, 1))
UNARY(leaky1, x < 0 ? a * x : x)
UNARY(elu1, x < 0 ? a * expm1(x) : x)
UNARY(selu1, x > 0 ? b * x : b * a * expm1(x))
UNARY(celu1, (x > 0 ? x : 0) + (x < 0 ? a * expm1(x / a) : 0))
UNARY(softplus1, x > 30 ? x : log1p(exp(x)))
UNARY(softsign1, x / (1 + fabs(x)))
UNARY(thresholded1, x > a ? x : 0)
UNARY(erf1, erf(x))
UNARY(exp1, exp(x))
UNARY(log1, log(x))
UNARY(sqrt1, sqrt(x))
UNARY(abs1, fabs(x))
UNARY(neg1, -x)
UNARY(ceil1, ceil(x))
UNARY(floor1, floor(x))
UNARY(round1, nearbyint(x))
UNARY(reciprocal1, 1 / x)
UNARY(sign1, (x > 0) - (x < 0))
UNARY(sin1, sin(x))
UNARY(cos1, cos(x))
UNARY(not1, x == 0)
UNARY(same1, x)
UNARY(gelu1, 0.5 * x * (1 + erf(x * 0.70710678118654752440)))
UNARY(gelu_tanh1, 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))))
UNARY(mish1, x *tanh(x > 30 ? x : log1p(exp(x))))

static const struct {
    const char *op;
    unary f;
    double alpha, beta; /* defaults of attributes alpha, beta (Selu: gamma) */
} unaries[] = {{"Relu", relu1, 0, 0},
               {"Sigmoid", sigmoid1, 0, 0},
               {"Tanh", tanh1, 0, 0},
               {"HardSigmoid", hard_sigmoid1, 0.2, 0.5},
               {"HardSwish", hard_swish1, 0, 0},
               {"LeakyRelu", leaky1, 0.01, 0},
               {"Elu", elu1, 1, 0},
               {"Selu", selu1, 1.67326319217681884765625, 1.05070102214813232421875},
               {"Celu", celu1, 1, 0},
               {"Softplus", softplus1, 0, 0},
               {"Softsign", softsign1, 0, 0},
               {"ThresholdedRelu", thresholded1, 1, 0},
               {"Erf", erf1, 0, 0},
               {"Exp", exp1, 0, 0},
               {"Log", log1, 0, 0},
               {"Sqrt", sqrt1, 0, 0},
               {"Abs", abs1, 0, 0},
               {"Neg", neg1, 0, 0},
               {"Ceil", ceil1, 0, 0},
               {"Floor", floor1, 0, 0},
               {"Round", round1, 0, 0},
               {"Reciprocal", reciprocal1, 0, 0},
               {"Sign", sign1, 0, 0},
               {"Sin", sin1, 0, 0},
               {"Cos", cos1, 0, 0},
               {"Not", not1, 0, 0},
               {"Mish", mish1, 0, 0},
               {"Gelu", gelu1, 0, 0}};

static pp_status map(pp_onnx_call *c, pp_onnx_type type, unary f, double a, double b)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0);
    void *data = NULL;
    if (!x)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "no input");
    PP_TRY(pp_onnx_result(c, 0, type ? type : x->type, x->ndim, x->dim, &data));
    uint64_t n = pp_onnx_count(x);
    for (uint64_t i = 0; i < n; i++)
        pp_onnx_store(data, c->out[0].type, i, f(pp_onnx_f64(x, i), a, b));
    return PP_OK;
}

static pp_status run_unary(pp_onnx_call *c)
{
    size_t row = 0;
    while (strcmp(unaries[row].op, c->node->op) != 0)
        row++;
    unary f = unaries[row].f;
    if (f == gelu1 && strcmp(pp_onnx_attr_s(c->node, "approximate", "none"), "tanh") == 0)
        f = gelu_tanh1;
    double beta = pp_onnx_attr_f(c->node, f == selu1 ? "gamma" : "beta", unaries[row].beta);
    return map(c, PP_ONNX_NO_TYPE, f, pp_onnx_attr_f(c->node, "alpha", unaries[row].alpha), beta);
}

static double is_nan1(double x, double a, double b)
{
    (void)a;
    (void)b;
    return isnan(x) ? 1 : 0;
}

static pp_status run_is_nan(pp_onnx_call *c)
{
    return map(c, PP_ONNX_BOOL, is_nan1, 0, 0);
}

static pp_status run_clip(pp_onnx_call *c)
{
    double lo = pp_onnx_attr_f(c->node, "min", -INFINITY), hi = pp_onnx_attr_f(c->node, "max", INFINITY);
    const pp_onnx_tensor *low = pp_onnx_in(c, 1), *high = pp_onnx_in(c, 2);
    if ((low && pp_onnx_count(low) != 1) || (high && pp_onnx_count(high) != 1))
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "its bounds must be single numbers");
    lo = low ? pp_onnx_f64(low, 0) : lo;
    hi = high ? pp_onnx_f64(high, 0) : hi;
    return map(c, PP_ONNX_NO_TYPE, clamp, lo, hi);
}

static pp_status run_cast(pp_onnx_call *c)
{
    const pp_onnx_attr *to = pp_onnx_attr_find(c->node, "to");
    const pp_onnx_tensor *like = strcmp(c->node->op, "CastLike") == 0 ? pp_onnx_in(c, 1) : NULL;
    pp_onnx_type type = like ? like->type : to && to->i > 0 && to->i < 64 ? (pp_onnx_type)to->i : PP_ONNX_NO_TYPE;
    if (pp_onnx_type_size(type) == 0 || type == PP_ONNX_INT4 || type == PP_ONNX_UINT4)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "a cast to %s", pp_onnx_type_name(type));
    return map(c, type, same1, 0, 0);
}

/* Views: the same elements. Dropout has a mask, too. */
static pp_status run_same(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0),
                         *training = strcmp(c->node->op, "Dropout") == 0 ? pp_onnx_in(c, 2) : NULL;
    void *mask = NULL;
    if (!x)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "no input");
    if (training && pp_onnx_f64(training, 0) != 0)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "training mode");
    c->out[0] = *x;
    if (c->node->n_out < 2 || strcmp(c->node->op, "Dropout") != 0)
        return PP_OK;
    PP_TRY(pp_onnx_result(c, 1, PP_ONNX_BOOL, x->ndim, x->dim, &mask));
    memset(mask, 1, pp_onnx_count(x));
    return PP_OK;
}

/* ---- quantization ---- */

/* scale and zero point: one number, or one a slice along `axis`. */
static pp_status check_scale(pp_onnx_call *c, uint32_t *axis)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0), *scale = pp_onnx_in(c, 1), *zero = pp_onnx_in(c, 2);
    *axis = 0;
    if (!x || !scale)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "needs a value and a scale");
    if (pp_onnx_attr_i(c->node, "block_size", 0) != 0)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "scales of blocks");
    if (scale->ndim > 1 || (zero && pp_onnx_count(zero) != pp_onnx_count(scale)) || pp_onnx_count(scale) == 0)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "scale and zero point must be one number, or one a channel");
    if (pp_onnx_count(scale) == 1)
        return PP_OK;
    PP_TRY(pp_onnx_axis(c, pp_onnx_attr_i(c->node, "axis", 1), x->ndim, axis));
    if (x->dim[*axis] != pp_onnx_count(scale))
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "%llu scales for %llu channels",
                            (unsigned long long)pp_onnx_count(scale), (unsigned long long)x->dim[*axis]);
    return PP_OK;
}

/* No copy: the elements stay codes and are scaled when they are read. */
static pp_status run_dequantize(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0);
    uint32_t axis = 0;
    PP_TRY(check_scale(c, &axis));
    if (x->scale || pp_onnx_is_float(x->type) || ((x->transposed || x->last) && pp_onnx_count(c->in[1]) > 1))
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "its input is %s, not codes",
                            pp_onnx_type_name(x->type));
    c->out[0] = *x;
    c->out[0].codes = x->type;
    c->out[0].type = c->in[1]->type;
    c->out[0].axis = axis;
    c->out[0].scale = c->in[1];
    c->out[0].zero = pp_onnx_in(c, 2);
    return PP_OK;
}

static void code_range(pp_onnx_type type, double *lo, double *hi)
{
    bool is_signed = type == PP_ONNX_INT8 || type == PP_ONNX_INT16 || type == PP_ONNX_INT4;
    int bits = type == PP_ONNX_INT4 || type == PP_ONNX_UINT4 ? 4 : (int)pp_onnx_type_size(type) * 8;
    *lo = is_signed ? -ldexp(1, bits - 1) : 0;
    *hi = ldexp(1, is_signed ? bits - 1 : bits) - 1;
}

static pp_status run_quantize(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0), *scale = pp_onnx_in(c, 1), *zero = pp_onnx_in(c, 2);
    uint32_t axis = 0;
    uint64_t inner = 1;
    double lo, hi;
    void *data = NULL;
    PP_TRY(check_scale(c, &axis));
    int64_t wanted = pp_onnx_attr_i(c->node, "output_dtype", 0);
    pp_onnx_type type = zero ? zero->type : wanted > 0 && wanted < 64 ? (pp_onnx_type)wanted : PP_ONNX_UINT8;
    if (pp_onnx_type_size(type) == 0 || pp_onnx_is_float(type))
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "codes of type %s", pp_onnx_type_name(type));
    PP_TRY(pp_onnx_result(c, 0, type, x->ndim, x->dim, &data));
    for (uint32_t d = axis + 1; d < x->ndim; d++)
        inner *= x->dim[d];
    code_range(type, &lo, &hi);
    uint64_t n = pp_onnx_count(x), scales = pp_onnx_count(scale);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t slice = scales > 1 ? i / inner % scales : 0;
        double code = nearbyint((double)((float)pp_onnx_f64(x, i) / (float)pp_onnx_f64(scale, slice)));
        pp_onnx_store(data, type, i, clamp(code + (zero ? pp_onnx_f64(zero, slice) : 0), lo, hi));
    }
    return PP_OK;
}

const pp_onnx_row pp_onnx_ops_math_[] = {
    {"Add", run_binary},
    {"Sub", run_binary},
    {"Mul", run_binary},
    {"Div", run_binary},
    {"Pow", run_binary},
    {"Max", run_binary},
    {"Min", run_binary},
    {"Sum", run_binary},
    {"Mean", run_binary},
    {"PRelu", run_binary},
    {"Equal", run_binary},
    {"Greater", run_binary},
    {"Less", run_binary},
    {"GreaterOrEqual", run_binary},
    {"LessOrEqual", run_binary},
    {"And", run_binary},
    {"Or", run_binary},
    {"Xor", run_binary},
    {"Where", run_where},
    {"IsNaN", run_is_nan},
    {"Relu", run_unary},
    {"Sigmoid", run_unary},
    {"Tanh", run_unary},
    {"HardSigmoid", run_unary},
    {"HardSwish", run_unary},
    {"LeakyRelu", run_unary},
    {"Elu", run_unary},
    {"Selu", run_unary},
    {"Celu", run_unary},
    {"Softplus", run_unary},
    {"Softsign", run_unary},
    {"ThresholdedRelu", run_unary},
    {"Erf", run_unary},
    {"Exp", run_unary},
    {"Log", run_unary},
    {"Sqrt", run_unary},
    {"Abs", run_unary},
    {"Neg", run_unary},
    {"Ceil", run_unary},
    {"Floor", run_unary},
    {"Round", run_unary},
    {"Reciprocal", run_unary},
    {"Sign", run_unary},
    {"Sin", run_unary},
    {"Cos", run_unary},
    {"Not", run_unary},
    {"Mish", run_unary},
    {"Gelu", run_unary},
    {"Clip", run_clip},
    {"Cast", run_cast},
    {"CastLike", run_cast},
    {"Identity", run_same},
    {"Dropout", run_same},
    {"DequantizeLinear", run_dequantize},
    {"QuantizeLinear", run_quantize},
    {NULL, NULL},
};
