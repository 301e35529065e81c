/* Operators on elements: activations, scales and shifts, additions and products, quantization steps. */
#include "workloads/onnx_net_internal.h"

#include <math.h>
#include <string.h>

/* Steps of x 0.5 (1 + erf(x / sqrt 2)) and x 0.5 (1 + tanh(.7978846 (x + .044715 x^3))), each one activation of x. */
enum {
    GELU_ERF = 1,    /* erf(x / sqrt 2) */
    GELU_ONE_ERF,    /* 1 + that */
    GELU_CUBE,       /* x^3 */
    GELU_SMALL_CUBE, /* .044715 of that */
    GELU_SUM,        /* x + that */
    GELU_SCALED,     /* .7978846 of that */
    GELU_TANH,       /* its tanh */
    GELU_ONE_TANH,   /* 1 + that */
    IS_NAN           /* of a softmax that may have nothing to share: never here */
};

/* ---- scale and shift ---- */

static bool about(double a, double b)
{
    return fabs(a - b) <= 1e-6 * fmax(1, fabs(b));
}

/* The factor that all channels share, when they do and nothing is added. */
bool pp_net_uniform(const pp_op *op, double *factor, double shift)
{
    if (op->kind != PP_OP_SCALE)
        return false;
    *factor = (double)pp_tensor_f32(&op->weight, 0);
    for (uint32_t c = 0; c < op->out.c; c++)
        if (!about((double)pp_tensor_f32(&op->weight, c), *factor) ||
            !about((double)pp_tensor_f32(&op->bias, c), shift))
            return false;
    return true;
}

static pp_status new_scale(pp_onnx_net *v, uint32_t input, const double *scale, const double *shift, uint32_t *op)
{
    uint32_t n = pp_builder_shape(v->b, input).c;
    float *w = pp_arena_get(v->m->arena, n, sizeof *w), *b = pp_arena_get(v->m->arena, n, sizeof *b);
    const char *name = pp_net_name(v);
    if (!w || !b || !name)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < n; c++) {
        w[c] = (float)scale[c];
        b[c] = (float)shift[c];
    }
    pp_tensor weight = {.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {n}, .data = w}, bias = weight;
    bias.data = b;
    return pp_build_scale(v->b, name, input, &weight, &bias, op);
}

/* The same into the operator that gives several numbers for each channel. */
static pp_status fold_behind(pp_onnx_net *v, const pp_onnx_stream *x, const double *scale, const double *shift)
{
    uint32_t n = pp_net_shape(v, x).c, times = x->scaled_times;
    double *both = pp_arena_get(v->arena, 2 * (size_t)n * times, sizeof *both);
    if (!both)
        return PP_ENOMEM;
    for (size_t i = 0; i < (size_t)n * times; i++) {
        both[i] = scale[i / times];
        both[(size_t)n * times + i] = shift[i / times];
    }
    return pp_builder_fold_(v->b, x->scaled, both, both + (size_t)n * times);
}

/* One number above 0 for all channels, and nothing added. */
static bool is_one_factor(const double *scale, const double *shift, uint32_t n)
{
    for (uint32_t c = 0; c < n; c++)
        if (!about(scale[c], scale[0]) || !about(shift[c], 0))
            return false;
    return scale[0] > 1e-30;
}

pp_status pp_net_scale(pp_onnx_net *v, const pp_onnx_stream *x, bool sole, const double *scale, const double *shift,
                       pp_onnx_stream *out)
{
    const pp_op *op = pp_builder_op_(v->b, x->op);
    uint32_t made = x->op;
    double factor = 0;
    if (sole && op->kind == PP_OP_PRODUCT && is_one_factor(scale, shift, op->out.c)) {
        pp_builder_times_(v->b, x->op, scale[0]);
        *out = *x;
        return PP_OK;
    }
    if (sole && x->scaled) {
        PP_TRY(fold_behind(v, x, scale, shift));
        *out = *x;
        return PP_OK;
    }
    if (sole &&
        (op->kind == PP_OP_CONV || op->kind == PP_OP_LINEAR || op->kind == PP_OP_SCALE || op->kind == PP_OP_NORM ||
         op->kind == PP_OP_GROUP_NORM))
        PP_TRY(pp_builder_fold_(v->b, made, scale, shift));
    else
        PP_TRY(new_scale(v, x->op, scale, shift, &made));
    op = pp_builder_op_(v->b, made);
    bool nothing = pp_net_uniform(op, &factor, 0) && about(factor, 1);
    *out = pp_net_after(v, x, made);
    if (nothing) { /* the operator before it is shared from now on */
        out->op = op->inputs[0];
        out->shared = true;
    }
    return PP_OK;
}

/* The same numbers for all channels. */
static pp_status uniform_scale(pp_onnx_net *v, const pp_onnx_stream *x, bool sole, double scale, double shift,
                               pp_onnx_stream *out)
{
    uint32_t n = pp_net_shape(v, x).c;
    double *both = pp_arena_get(v->arena, 2 * (size_t)n, sizeof *both);
    if (!both)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < n; c++) {
        both[c] = scale;
        both[n + c] = shift;
    }
    return pp_net_scale(v, x, sole, both, both + n, out);
}

/* ---- activations ---- */

static pp_status act_on(pp_onnx_net *v, const pp_onnx_stream *like, uint32_t input, pp_act act, pp_onnx_stream *out)
{
    uint32_t op = 0;
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_act(v->b, name, input, act, &op));
    *out = pp_net_after(v, like, op);
    return PP_OK;
}

static pp_status give_act(pp_onnx_net *v, pp_act act)
{
    const pp_onnx_stream *x;
    pp_onnx_stream out;
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(act_on(v, x, x->op, act, &out));
    return pp_net_give(v, 0, &out);
}

static pp_status convert_relu(pp_onnx_net *v)
{
    return give_act(v, PP_ACT_RELU);
}

static pp_status convert_sigmoid(pp_onnx_net *v)
{
    return give_act(v, PP_ACT_SIGMOID);
}

static pp_status convert_tanh(pp_onnx_net *v)
{
    const pp_onnx_stream *x = pp_net_any(v, 0);
    if (x && x->gelu == GELU_SCALED) {
        pp_onnx_stream out = *x;
        out.gelu = GELU_TANH;
        return pp_net_give(v, 0, &out);
    }
    return give_act(v, PP_ACT_TANH);
}

static pp_status convert_softplus(pp_onnx_net *v)
{
    return give_act(v, PP_ACT_SOFTPLUS);
}

static pp_status convert_mish(pp_onnx_net *v)
{
    return give_act(v, PP_ACT_MISH);
}

static pp_status convert_elu(pp_onnx_net *v)
{
    double alpha = pp_onnx_attr_f(v->node, "alpha", 1);
    return about(alpha, 1) ? give_act(v, PP_ACT_ELU) : pp_net_fail(v, PP_EUNSUPPORTED, "alpha %g; only 1 is supported", alpha);
}

/* The cube of Gelu's approximation. */
static pp_status convert_pow(pp_onnx_net *v)
{
    const pp_onnx_tensor *t = pp_net_constant(v, 1);
    const pp_onnx_stream *x;
    PP_TRY(pp_net_stream(v, 0, &x));
    if (!t || !t->data || pp_onnx_count(t) != 1 || !about(pp_onnx_f64(t, 0), 3))
        return pp_net_fail(v, PP_EUNSUPPORTED, "it is supported as a part of layer norms and of Gelu by tanh only");
    pp_onnx_stream out = *x;
    out.gelu = GELU_CUBE;
    out.base = x->op;
    return pp_net_give(v, 0, &out);
}

static pp_status convert_hard_swish(pp_onnx_net *v)
{
    return give_act(v, PP_ACT_HARD_SWISH);
}

static pp_status convert_gelu(pp_onnx_net *v)
{
    bool is_tanh = strcmp(pp_onnx_attr_s(v->node, "approximate", "none"), "tanh") == 0;
    return give_act(v, is_tanh ? PP_ACT_GELU_TANH : PP_ACT_GELU);
}

/* clamp(alpha x + beta, 0, 1): the network's hard sigmoid has 1/6 and 1/2. */
static pp_status convert_hard_sigmoid(pp_onnx_net *v)
{
    double alpha = pp_onnx_attr_f(v->node, "alpha", 0.2), beta = pp_onnx_attr_f(v->node, "beta", 0.5);
    const pp_onnx_stream *x;
    pp_onnx_stream scaled, out;
    if (about(6 * alpha, 1) && about(beta, 0.5))
        return give_act(v, PP_ACT_HARD_SIGMOID);
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(uniform_scale(v, x, pp_net_sole(v, 0), 6 * alpha, 6 * beta - 3, &scaled));
    PP_TRY(act_on(v, &scaled, scaled.op, PP_ACT_HARD_SIGMOID, &out));
    return pp_net_give(v, 0, &out);
}

static pp_status join_two(pp_onnx_net *v, pp_op_kind kind, const pp_onnx_stream *like, uint32_t a, uint32_t b,
                          pp_onnx_stream *out)
{
    uint32_t op = 0, inputs[2] = {a, b};
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_join(v->b, name, kind, inputs, 2, &op));
    *out = pp_net_after(v, like, op);
    return PP_OK;
}

/* Any slope but those of the network: relu(x) - slope relu(-x). */
static pp_status convert_leaky(pp_onnx_net *v)
{
    double slope = pp_onnx_attr_f(v->node, "alpha", 0.01);
    const pp_onnx_stream *x;
    pp_onnx_stream up, down, out;
    if (about(slope, 0.1) || about(slope, 0.01))
        return give_act(v, about(slope, 0.1) ? PP_ACT_LEAKY : PP_ACT_LEAKY_01);
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(act_on(v, x, x->op, PP_ACT_RELU, &up));
    PP_TRY(uniform_scale(v, x, false, -1, 0, &down));
    PP_TRY(act_on(v, &down, down.op, PP_ACT_RELU, &down));
    PP_TRY(uniform_scale(v, &down, false, -slope, 0, &down));
    PP_TRY(join_two(v, PP_OP_ADD, x, up.op, down.op, &out));
    return pp_net_give(v, 0, &out);
}

static pp_status convert_neg(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    pp_onnx_stream out;
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(uniform_scale(v, x, pp_net_sole(v, 0), -1, 0, &out));
    return pp_net_give(v, 0, &out);
}

/* max(x, lo), min(x, hi) or both, by the activations that there are. */
static pp_status clamp_to(pp_onnx_net *v, const pp_onnx_stream *x, bool sole, double lo, double hi, pp_onnx_stream *out)
{
    bool low = lo > -1e30, high = hi < 1e30;
    double factor = low && high ? 6 / (hi - lo) : high ? -1 : 1, zero = low ? lo : hi;
    if (!low && !high) {
        *out = *x;
        return PP_OK;
    }
    if (!(hi > lo) || !isfinite(factor))
        return pp_net_fail(v, PP_ERANGE, "bounds %g and %g", lo, hi);
    pp_onnx_stream to = *x;
    if (!about(factor, 1) || !about(zero, 0))
        PP_TRY(uniform_scale(v, x, sole, factor, -zero * factor, &to));
    PP_TRY(act_on(v, &to, to.op, low && high ? PP_ACT_RELU6 : PP_ACT_RELU, out));
    if (!about(factor, 1) || !about(zero, 0)) {
        to = *out;
        PP_TRY(uniform_scale(v, &to, false, 1 / factor, zero, out));
    }
    return PP_OK;
}

static pp_status convert_clip(pp_onnx_net *v)
{
    double bound[2] = {pp_onnx_attr_f(v->node, "min", -INFINITY), pp_onnx_attr_f(v->node, "max", INFINITY)};
    const pp_onnx_stream *x;
    pp_onnx_stream out;
    PP_TRY(pp_net_stream(v, 0, &x));
    for (uint32_t k = 1; k < 3 && k < v->node->n_in; k++) {
        const pp_onnx_tensor *t = pp_net_constant(v, k);
        if (v->node->in[k] == PP_NONE)
            continue;
        if (!t || !t->data || pp_onnx_count(t) != 1)
            return pp_net_fail(v, PP_EUNSUPPORTED, "its bounds must be constant numbers");
        bound[k - 1] = pp_onnx_f64(t, 0);
    }
    PP_TRY(clamp_to(v, x, pp_net_sole(v, 0), bound[0], bound[1], &out));
    return bound[0] > -1e30 || bound[1] < 1e30 ? pp_net_give(v, 0, &out) : pp_net_give_view(v, out);
}

/* With one constant number: a bound. */
static pp_status convert_bound(pp_onnx_net *v)
{
    const pp_onnx_tensor *left = pp_net_constant(v, 0), *t = left ? left : pp_net_constant(v, 1);
    const pp_onnx_stream *x;
    pp_onnx_stream out;
    uint32_t k = left ? 1 : 0;
    bool max = v->node->op[1] == 'a';
    if (v->node->n_in != 2 || !t || !t->data || pp_onnx_count(t) != 1)
        return pp_net_fail(v, PP_EUNSUPPORTED, "only with one constant number");
    double bound = pp_onnx_f64(t, 0);
    PP_TRY(pp_net_stream(v, k, &x));
    PP_TRY(clamp_to(v, x, pp_net_sole(v, k), max ? bound : -INFINITY, max ? INFINITY : bound, &out));
    out.shared |= fabs(bound) >= 1e30;
    return pp_net_give(v, 0, &out);
}

bool pp_net_not_negative(const pp_onnx_net *v, uint32_t op)
{
    for (;;) {
        const pp_op *o = pp_builder_op_(v->b, op);
        switch (o->kind) {
        case PP_OP_ACT:
            return !pp_act_is_signed(o->act);
        case PP_OP_MAX_POOL:
        case PP_OP_AVG_POOL:
        case PP_OP_GLOBAL_POOL:
        case PP_OP_SLICE:
        case PP_OP_SHUFFLE:
        case PP_OP_UPSAMPLE:
        case PP_OP_PIXEL_SHUFFLE:
        case PP_OP_FLATTEN:
            op = o->inputs[0];
            break;
        default:
            return false;
        }
    }
}

/* ---- constants that go with channels ---- */

/* Whether t, whose dimensions are the last of x, has one number for each channel: all that hold channels, and no other. */
static bool is_by_channel(const pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *t)
{
    uint64_t covered = 1;
    if (t->ndim > x->ndim)
        return pp_onnx_count(t) == 1;
    for (uint32_t i = 0; i < t->ndim; i++) { /* from the last */
        const uint64_t size = t->dim[t->ndim - 1 - i];
        const uint32_t d = x->ndim - 1 - i;
        if (size != 1 && (size != x->dim[d] || !pp_net_holds_channels(x, d)))
            return false;
        covered *= size;
    }
    return covered == 1 || covered == pp_net_shape(v, x).c;
}

/* Number of constant t for each channel of x; false: it varies along another axis, or not along all channels. */
static bool numbers_by_channel(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *t, double *out)
{
    const uint32_t n = pp_net_shape(v, x).c;
    if (!is_by_channel(v, x, t))
        return false;
    const bool one = pp_onnx_count(t) == 1;
    for (uint64_t i = 0; i < n; i++) { /* channels in the order of the dimensions, which is that of the constant */
        uint64_t rest = i, c = 0;
        for (uint32_t k = x->n_factors; k-- > 0;)
            if (x->f[k].axis == PP_ONNX_C) {
                c += rest % x->f[k].size * x->f[k].stride;
                rest /= x->f[k].size;
            }
        out[c] = pp_onnx_f64(t, one ? 0 : i);
    }
    return true;
}

static pp_status by_channel(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *t, double *out)
{
    if (!t->data)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its constant is %s", pp_onnx_type_name(t->type));
    return numbers_by_channel(v, x, t, out)
               ? PP_OK
               : pp_net_fail(v, PP_EUNSUPPORTED, "its constant must be one number or one for each channel");
}

/* Slopes of a constant, one a channel: relu(x) - slope[c] relu(-x). */
static pp_status convert_prelu(pp_onnx_net *v)
{
    const pp_onnx_tensor *slope = pp_net_constant(v, 1);
    const pp_onnx_stream *given;
    pp_onnx_stream x, up, down, out;
    PP_TRY(pp_net_stream(v, 0, &given));
    if (!slope || !slope->data)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its slopes must be constant");
    x = *given;
    PP_TRY(pp_net_settle(v, &x));
    uint32_t n = pp_net_shape(v, &x).c;
    double *both = pp_arena_get(v->arena, 2 * (size_t)n, sizeof *both);
    if (!both)
        return PP_ENOMEM;
    PP_TRY(by_channel(v, &x, slope, both));
    for (uint32_t c = 0; c < n; c++)
        both[c] = -both[c];
    PP_TRY(act_on(v, &x, x.op, PP_ACT_RELU, &up));
    PP_TRY(uniform_scale(v, &x, false, -1, 0, &down));
    PP_TRY(act_on(v, &down, down.op, PP_ACT_RELU, &down));
    PP_TRY(pp_net_scale(v, &down, false, both, both + n, &down));
    PP_TRY(join_two(v, PP_OP_ADD, &x, up.op, down.op, &out));
    return pp_net_give(v, 0, &out);
}

/* ---- Add, Sub, Mul, Div ---- */

typedef enum kind { ADD, SUB, MUL, DIV } kind;

static kind kind_of(const char *op)
{
    return op[0] == 'A' || strcmp(op, "Sum") == 0 ? ADD : op[0] == 'S' ? SUB : op[0] == 'M' ? MUL : DIV;
}

/* x + 3 clamped to 0 ... 6, times 1/6: one activation of x. */
static bool is_shifted_relu6(const pp_onnx_net *v, uint32_t op, uint32_t *base)
{
    const pp_op *act = pp_builder_op_(v->b, op);
    double factor = 0;
    if (act->kind != PP_OP_ACT || act->act != PP_ACT_RELU6)
        return false;
    const pp_op *scale = pp_builder_op_(v->b, act->inputs[0]);
    if (!pp_net_uniform(scale, &factor, 3) || !about(factor, 1))
        return false;
    *base = scale->inputs[0];
    return true;
}

/* What a step of Gelu becomes behind a number; 0: nothing of that kind. */
static uint32_t gelu_step(uint32_t step, kind op, double number)
{
    if (op == ADD && about(number, 1))
        return step == GELU_ERF ? GELU_ONE_ERF : step == GELU_TANH ? GELU_ONE_TANH : 0;
    if (op == MUL && step == GELU_CUBE && fabs(number - 0.044715) < 1e-5)
        return GELU_SMALL_CUBE;
    return op == MUL && step == GELU_SUM && fabs(number - 0.79788456) < 1e-4 ? GELU_SCALED : 0;
}

static pp_status with_constant(pp_onnx_net *v, uint32_t k, const pp_onnx_tensor *t)
{
    const pp_onnx_stream *given = pp_net_any(v, k);
    kind op = kind_of(v->node->op);
    pp_onnx_stream x, out;
    bool one = t->data && pp_onnx_count(t) == 1;
    uint32_t base = 0;
    if (given && given->gelu && one && gelu_step(given->gelu, op, pp_onnx_f64(t, 0))) {
        x = *given;
        x.gelu = gelu_step(given->gelu, op, pp_onnx_f64(t, 0));
        return pp_net_give(v, 0, &x);
    }
    PP_TRY(pp_net_stream(v, k, &given));
    x = *given;
    PP_TRY(pp_net_settle(v, &x));
    bool sole = pp_net_sole(v, k) && x.op == given->op;
    uint32_t n = pp_net_shape(v, &x).c;
    double *both = pp_arena_get(v->arena, 2 * (size_t)n, sizeof *both), *scale = both, *shift = both + n;
    if (!both)
        return PP_ENOMEM;
    if ((op == ADD || (op == SUB && k == 0)) && t->data && !numbers_by_channel(v, &x, t, scale)) {
        bool done;
        if (t->ndim > x.ndim)
            pp_net_raise(&x, t->ndim);
        PP_TRY(pp_net_offset(v, &x, t, op == ADD ? 1 : -1, &done, &out));
        if (done)
            return pp_net_give(v, 0, &out);
    }
    PP_TRY(by_channel(v, &x, t, scale));
    if (op == DIV && k == 1)
        return pp_net_fail(v, PP_EUNSUPPORTED, "it divides by a computed value");
    double sixth = op == MUL ? scale[0] : op == DIV ? 1 / scale[0] : 0;
    if (one && about(6 * sixth, 1) && is_shifted_relu6(v, x.op, &base)) {
        PP_TRY(act_on(v, &x, base, PP_ACT_HARD_SIGMOID, &out));
        return pp_net_give(v, 0, &out);
    }
    for (uint32_t c = 0; c < n; c++) {
        double number = scale[c];
        scale[c] = op == MUL ? number : op == DIV ? 1 / number : op == SUB && k == 1 ? -1 : 1;
        shift[c] = op == ADD || (op == SUB && k == 1) ? number : op == SUB ? -number : 0;
    }
    PP_TRY(pp_net_scale(v, &x, sole, scale, shift, &out));
    return pp_net_give(v, 0, &out);
}

/* x times a function of x that makes one activation with it. 1: done. */
static pp_status gated(pp_onnx_net *v, const pp_onnx_stream *a, const pp_onnx_stream *b, bool *done)
{
    const pp_op *gate = pp_builder_op_(v->b, b->op), *left = pp_builder_op_(v->b, a->op);
    uint32_t base = 0;
    double factor = 1;
    pp_onnx_stream out;
    *done = true;
    if ((b->gelu == GELU_ONE_ERF || b->gelu == GELU_ONE_TANH) && pp_net_same_layout(a, b) &&
        (a->op == b->base || (pp_net_uniform(left, &factor, 0) && left->inputs[0] == b->base))) {
        PP_TRY(act_on(v, a, b->base, b->gelu == GELU_ONE_ERF ? PP_ACT_GELU : PP_ACT_GELU_TANH, &out));
        PP_TRY(uniform_scale(v, &out, false, a->op == b->base ? 2 : 2 * factor, 0, &out));
        return pp_net_give(v, 0, &out);
    }
    if (b->gelu || a->gelu)
        return *done = false, PP_OK;
    if (gate->kind == PP_OP_ACT && gate->act == PP_ACT_TANH && pp_net_same_layout(a, b)) {
        const pp_op *plus = pp_builder_op_(v->b, gate->inputs[0]);
        if (plus->kind == PP_OP_ACT && plus->act == PP_ACT_SOFTPLUS && plus->inputs[0] == a->op) {
            PP_TRY(act_on(v, a, a->op, PP_ACT_MISH, &out));
            return pp_net_give(v, 0, &out);
        }
    }
    bool same = pp_net_same_layout(a, b) && !a->coded && !b->coded && gate->n_inputs > 0 && gate->inputs[0] == a->op;
    if (same && gate->kind == PP_OP_ACT && (gate->act == PP_ACT_SIGMOID || gate->act == PP_ACT_HARD_SIGMOID)) {
        PP_TRY(act_on(v, a, a->op, gate->act == PP_ACT_SIGMOID ? PP_ACT_SILU : PP_ACT_HARD_SWISH, &out));
        return pp_net_give(v, 0, &out);
    }
    if (pp_net_same_layout(a, b) && is_shifted_relu6(v, b->op, &base) && base == a->op) {
        PP_TRY(act_on(v, a, a->op, PP_ACT_HARD_SWISH, &out));
        PP_TRY(uniform_scale(v, &out, false, 6, 0, &out));
        return pp_net_give(v, 0, &out);
    }
    *done = false;
    return PP_OK;
}

/* One pixel whose channels stand where those of the map do: a number a channel. */
static bool is_pixel_of(const pp_onnx_net *v, const pp_onnx_stream *map, const pp_onnx_stream *pixel)
{
    pp_shape a = pp_net_shape(v, map), b = pp_net_shape(v, pixel);
    if (b.h != 1 || b.w != 1 || a.c != b.c)
        return false;
    for (uint32_t d = 0; d < map->ndim; d++)
        if (pixel->dim[d] != 1 && (pixel->dim[d] != a.c || pp_net_axis_of(v, map, d) != PP_ONNX_C))
            return false;
    return true;
}

/* a op b, maps of one layout, or b one pixel of a. */
static pp_status join(pp_onnx_net *v, kind op, const pp_onnx_stream *a, pp_onnx_stream b, bool *done)
{
    bool same = pp_net_same_layout(a, &b), pixel = !same && is_pixel_of(v, a, &b);
    pp_shape map = pp_net_shape(v, a);
    pp_onnx_stream out;
    *done = same || pixel;
    if (!*done)
        return PP_OK;
    if (op == SUB)
        PP_TRY(uniform_scale(v, &b, false, -1, 0, &b));
    if (pixel && op != MUL && (uint64_t)map.h * map.w > 1) {
        const char *name = pp_net_name(v);
        if (!name)
            return PP_ENOMEM;
        PP_TRY(pp_build_upsample(v->b, name, b.op, map.h, map.w, &b.op));
    }
    PP_TRY(join_two(v, op == MUL ? PP_OP_MUL : PP_OP_ADD, a, a->op, b.op, &out));
    return pp_net_give(v, 0, &out);
}

static pp_status with_stream(pp_onnx_net *v)
{
    kind op = kind_of(v->node->op);
    const pp_onnx_stream *x = pp_net_any(v, 0), *y = pp_net_any(v, 1);
    bool done = false;
    for (uint32_t turn = 0; op == ADD && turn < 2; turn++) {
        const pp_onnx_stream *cube = turn ? x : y, *plain = turn ? y : x;
        if (!cube || !plain || cube->gelu != GELU_SMALL_CUBE || plain->op != cube->base || plain->gelu ||
            !pp_net_same_layout(plain, cube))
            continue;
        pp_onnx_stream sum = *cube;
        sum.gelu = GELU_SUM;
        return pp_net_give(v, 0, &sum);
    }
    for (uint32_t turn = 0; op == MUL && turn < 2 && !done; turn++)
        PP_TRY(gated(v, turn ? y : x, turn ? x : y, &done));
    if (done)
        return PP_OK;
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(pp_net_stream(v, 1, &y));
    if (op == DIV)
        return pp_net_fail(v, PP_EUNSUPPORTED, "it divides by a computed value");
    pp_onnx_stream a = *x, b = *y;
    uint32_t ndim = a.ndim > b.ndim ? a.ndim : b.ndim;
    pp_net_raise(&a, ndim);
    pp_net_raise(&b, ndim);
    if (!pp_net_same_layout(&a, &b)) {
        PP_TRY(pp_net_settle(v, &a));
        PP_TRY(pp_net_settle(v, &b));
    }
    PP_TRY(join(v, op, &a, b, &done));
    if (!done && pp_net_shape(v, &a).c == pp_net_shape(v, &b).c && memcmp(a.dim, b.dim, ndim * sizeof *a.dim) == 0) {
        bool fine = false; /* the same tokens in other places */
        PP_TRY(pp_net_arrange(v, &a, PP_NONE, &fine));
        if (fine)
            PP_TRY(pp_net_arrange(v, &b, PP_NONE, &fine));
        PP_TRY(join(v, op, &a, b, &done));
    }
    if (!done && op == SUB && is_pixel_of(v, &b, &a)) { /* pixel - map = -(map - pixel) */
        PP_TRY(uniform_scale(v, &b, false, -1, 0, &b));
        PP_TRY(join(v, ADD, &b, a, &done));
    } else if (!done && op != SUB) {
        PP_TRY(join(v, op, &b, a, &done));
    }
    return done ? PP_OK
                : pp_net_fail(v, PP_EUNSUPPORTED,
                              "its inputs must be maps of one shape, or one of them one number "
                              "a channel");
}

static pp_status convert_binary(pp_onnx_net *v);

/* One pixel for a whole map, or nothing. */
static pp_status convert_expand(pp_onnx_net *v)
{
    const pp_onnx_stream *given;
    const int64_t *shape;
    uint32_t n, op = 0;
    PP_TRY(pp_net_stream(v, 0, &given));
    PP_TRY(pp_net_ints(v, "shape", 1, &shape, &n));
    pp_onnx_stream x = *given;
    PP_TRY(pp_net_settle(v, &x));
    if (n < x.ndim && n > 0 && n <= PP_ONNX_DIMS) /* missing sizes are 1 */
        return pp_net_fail(v, PP_EUNSUPPORTED, "a shape of %u dimensions for %u", n, x.ndim);
    if (n <= PP_ONNX_DIMS && n > x.ndim)
        pp_net_raise(&x, n);
    bool same = n == x.ndim, map = same && n == 4 && pp_net_is_map(v, &x);
    for (uint32_t d = 0; same && d < n; d++)
        same = shape[d] == 1 || (uint64_t)shape[d] == x.dim[d];
    if (same)
        return x.op == given->op ? pp_net_give_view(v, x) : pp_net_give(v, 0, &x);
    if (!map || shape[0] > 1 || (shape[1] != 1 && (uint64_t)shape[1] != x.dim[1]) || x.dim[2] != 1 || x.dim[3] != 1 ||
        shape[2] < 1 || shape[3] < 1 || shape[2] > PP_DIM_MAX || shape[3] > PP_DIM_MAX)
        return pp_net_fail(v, PP_EUNSUPPORTED, "only one pixel [N,C,1,1] is repeated, over a map");
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_upsample(v->b, name, x.op, (uint32_t)shape[2], (uint32_t)shape[3], &op));
    x = pp_net_map(v, op, 4);
    return pp_net_give(v, 0, &x);
}

/* Maps of one layout, one after the other. */
static pp_status convert_sum(pp_onnx_net *v)
{
    const pp_onnx_stream *x, *y;
    pp_onnx_stream sum;
    if (v->node->n_in == 2)
        return convert_binary(v);
    PP_TRY(pp_net_stream(v, 0, &x));
    sum = *x;
    for (uint32_t k = 1; k < v->node->n_in; k++) {
        PP_TRY(pp_net_stream(v, k, &y));
        if (!pp_net_same_layout(&sum, y))
            return pp_net_fail(v, PP_EUNSUPPORTED, "its inputs must be maps of one shape");
        PP_TRY(join_two(v, PP_OP_ADD, &sum, sum.op, y->op, &sum));
    }
    return v->node->n_in == 1 ? pp_net_give_view(v, sum) : pp_net_give(v, 0, &sum);
}

static pp_status convert_binary(pp_onnx_net *v)
{
    if (v->node->n_in != 2)
        return pp_net_fail(v, PP_EUNSUPPORTED, "%u inputs; expected 2", v->node->n_in);
    if (pp_onnx_attr_find(v->node, "axis"))
        return pp_net_fail(v, PP_EUNSUPPORTED, "broadcasting along an axis, of operator sets below 7");
    const pp_onnx_tensor *left = pp_net_constant(v, 0), *right = pp_net_constant(v, 1);
    if (left || right)
        return with_constant(v, left ? 1 : 0, left ? left : right);
    return with_stream(v);
}

/* erf(x / sqrt 2) may become a part of Gelu. */
static pp_status convert_erf(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    double factor = 0;
    PP_TRY(pp_net_stream(v, 0, &x));
    const pp_op *op = pp_builder_op_(v->b, x->op);
    if (!pp_net_uniform(op, &factor, 0) || !about(factor, 0.70710678118654752440))
        return pp_net_fail(v, PP_EUNSUPPORTED, "it is supported as a part of Gelu only: x 0.5 (1 + erf(x / sqrt 2))");
    pp_onnx_stream out = *x;
    out.gelu = GELU_ERF;
    out.base = op->inputs[0];
    return pp_net_give(v, 0, &out);
}

/* Where(IsNaN(x), 0, x), as newer exporters guard a softmax: x, whose numbers are finite. */
static pp_status convert_is_nan(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    PP_TRY(pp_net_stream(v, 0, &x));
    pp_onnx_stream out = *x;
    out.gelu = IS_NAN;
    out.base = x->op;
    return pp_net_give(v, 0, &out);
}

static pp_status convert_where(pp_onnx_net *v)
{
    const pp_onnx_stream *guard = pp_net_any(v, 0), *x = pp_net_any(v, 2);
    if (!guard || guard->gelu != IS_NAN || !x || x->op != guard->base || !pp_net_constant(v, 1) ||
        !pp_net_same_layout(guard, x))
        return pp_net_refuse(v, "only Where(IsNaN(x), 0, x) of a softmax");
    PP_TRY(pp_net_stream(v, 2, &x));
    pp_onnx_stream out = *x;
    out.shared = true;
    return pp_net_give(v, 0, &out);
}

static pp_status convert_batch_norm(pp_onnx_net *v)
{
    const pp_onnx_stream *given;
    double epsilon = pp_onnx_attr_f(v->node, "epsilon", 1e-5);
    PP_TRY(pp_net_stream(v, 0, &given));
    pp_onnx_stream x = *given, out;
    PP_TRY(pp_net_settle(v, &x));
    uint32_t n = pp_net_shape(v, &x).c;
    if (x.ndim < 2 || pp_net_axis_of(v, &x, 1) != PP_ONNX_C)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its input must be a map [N,C,...]");
    if (pp_onnx_attr_i(v->node, "training_mode", 0))
        return pp_net_fail(v, PP_EUNSUPPORTED, "training mode");
    for (uint32_t k = 1; k < 5; k++)
        if (!pp_net_constant(v, k) || !pp_net_constant(v, k)->data || pp_onnx_count(pp_net_constant(v, k)) != n)
            return pp_net_fail(v, PP_EUNSUPPORTED, "input %u must be constant, one number a channel", k);
    double *scale = pp_arena_get(v->arena, 2 * (size_t)n, sizeof *scale), *shift = scale + n;
    if (!scale)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < n; c++) {
        scale[c] = pp_onnx_f64(pp_net_constant(v, 1), c) / sqrt(pp_onnx_f64(pp_net_constant(v, 4), c) + epsilon);
        shift[c] = pp_onnx_f64(pp_net_constant(v, 2), c) - pp_onnx_f64(pp_net_constant(v, 3), c) * scale[c];
    }
    PP_TRY(pp_net_scale(v, &x, pp_net_sole(v, 0) && x.op == given->op, scale, shift, &out));
    return pp_net_give(v, 0, &out);
}

/* ---- views and quantization steps ---- */

static pp_status convert_identity(pp_onnx_net *v)
{
    const pp_onnx_stream *x = pp_net_any(v, 0);
    int64_t to = pp_onnx_attr_i(v->node, "to", PP_ONNX_FLOAT);
    if (v->node->op[0] == 'C' && (to < 0 || to > 64 || !pp_onnx_is_float((pp_onnx_type)to)))
        return pp_net_fail(v, PP_EUNSUPPORTED, "a cast to %s", pp_onnx_type_name((pp_onnx_type)(to & 63)));
    if (!x)
        return pp_net_fail(v, PP_EUNSUPPORTED, "no input");
    return pp_net_give_view(v, *x);
}

bool pp_net_are_channels(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t first, uint32_t end)
{
    uint64_t covered = 1;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        bool inside = s->f[i].dim >= first && s->f[i].dim < end;
        if (inside != (s->f[i].axis == PP_ONNX_C))
            return false;
        covered *= inside ? s->f[i].size : 1;
    }
    return covered == pp_net_shape(v, s).c;
}

static pp_status axis_of(pp_onnx_net *v, const pp_onnx_stream *x, int64_t axis, uint32_t *out)
{
    if (axis < -(int64_t)x->ndim || axis >= (int64_t)x->ndim)
        return pp_net_fail(v, PP_ERANGE, "axis %lld of %u dimensions", (long long)axis, x->ndim);
    *out = (uint32_t)(axis < 0 ? axis + x->ndim : axis);
    return PP_OK;
}

static bool is_output(const pp_onnx_net *v)
{
    return v->node->out[0] == v->output && v->m->value[v->output].uses == 1;
}

/* Dimension `axis`, the last when `last`, is the fast part of the channels: those of one of *groups heads. */
static bool is_part_of_channels(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t axis, bool last, uint32_t *groups)
{
    const uint32_t c = pp_net_shape(v, s).c;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        if (s->f[i].dim != axis)
            continue;
        if (n++ || s->f[i].axis != PP_ONNX_C || s->f[i].stride != 1 || c % s->f[i].size != 0)
            return false;
        *groups = c / s->f[i].size;
    }
    return n == 1 && (!last || axis + 1 == s->ndim);
}

/* At the end of a network it is left to the reader of the logits. */
static pp_status convert_softmax(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    uint32_t axis = 0, op = 0;
    bool old = v->m->opset < 13;
    PP_TRY(pp_net_stream(v, 0, &x));
    pp_onnx_stream out = *x;
    PP_TRY(axis_of(v, x, pp_onnx_attr_i(v->node, "axis", old ? 1 : -1), &axis));
    if (is_output(v)) {
        out.probabilities = true;
        return pp_net_give_view(v, out);
    }
    uint32_t groups = 1;
    if (v->node->op[0] == 'L' || (!pp_net_are_channels(v, x, axis, old ? x->ndim : axis + 1) &&
                                  !is_part_of_channels(v, x, axis, old, &groups)))
        return pp_net_refuse(v, "inside a network only Softmax over the channels, or those of each head");
    if (groups == 1)
        PP_TRY(pp_net_settle(v, &out));
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_softmax(v->b, name, out.op, groups, &op));
    out = pp_net_after(v, &out, op);
    return pp_net_give(v, 0, &out);
}

/* n numbers of a constant, or `absent` for each. */
static pp_status list_of(pp_onnx_net *v, const pp_onnx_tensor *t, uint32_t n, float absent, pp_tensor *out)
{
    float *list = pp_arena_get(v->m->arena, n, sizeof *list);
    if (!list)
        return PP_ENOMEM;
    if (t && (!t->data || pp_onnx_count(t) != n))
        return pp_net_fail(v, PP_EUNSUPPORTED, "scale and bias must be constant, one number a channel");
    for (uint32_t i = 0; i < n; i++)
        list[i] = t ? (float)pp_onnx_f64(t, i) : absent;
    *out = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {n}, .data = list};
    return PP_OK;
}

pp_status pp_net_give_norm(pp_onnx_net *v, const pp_onnx_stream *x, double epsilon, const pp_onnx_tensor *scale,
                           const pp_onnx_tensor *bias)
{
    pp_tensor w, b;
    uint32_t op = 0, n = pp_net_shape(v, x).c;
    pp_onnx_stream s = *x;
    PP_TRY(pp_net_settle(v, &s));
    PP_TRY(list_of(v, scale, n, 1, &w));
    PP_TRY(list_of(v, bias, n, 0, &b));
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_norm(v->b, name, s.op, epsilon, &w, &b, &op));
    s = pp_net_after(v, &s, op);
    return pp_net_give(v, 0, &s);
}

/* Groups of channels that dimension 1 counts, all else behind it; 0: it is not like that. */
static uint32_t groups_of(const pp_onnx_net *v, const pp_onnx_stream *x)
{
    const uint32_t c = pp_net_shape(v, x).c;
    uint64_t stride = c;
    if (x->ndim < 2 || x->dim[0] != 1 || x->dim[1] > c || c % x->dim[1] != 0)
        return 0;
    for (uint32_t i = 0; i < x->n_factors; i++) {
        if (x->f[i].dim != 1)
            continue;
        stride /= x->f[i].size;
        if (x->f[i].axis != PP_ONNX_C || x->f[i].stride != stride)
            return 0;
    }
    return stride * x->dim[1] == c ? (uint32_t)x->dim[1] : 0;
}

/* InstanceNormalization (also of a map cut into groups: how group norms are exported), GroupNormalization. */
static pp_status convert_group_norm(pp_onnx_net *v)
{
    const bool given = v->node->op[0] == 'G';
    const pp_onnx_tensor *scale = pp_net_constant(v, 1), *bias = pp_net_constant(v, 2);
    const pp_onnx_stream *x;
    pp_tensor w, b;
    uint32_t op = 0;
    PP_TRY(pp_net_stream(v, 0, &x));
    pp_onnx_stream s = *x;
    const int64_t asked = pp_onnx_attr_i(v->node, "num_groups", 0);
    uint32_t n = pp_net_shape(v, &s).c, parts = groups_of(v, &s), groups = parts;
    if (given)
        groups = parts == n && asked > 0 && asked <= n && n % asked == 0 ? (uint32_t)asked : 0;
    if (groups == 0)
        return pp_net_refuse(v, "only of maps [N,C,...], or those cut into groups of channels");
    const uint64_t have = scale && scale->data ? pp_onnx_count(scale) : 0; /* one a channel, or a group */
    if (!bias || !bias->data || have == 0 || n % have != 0 || (have != groups && have != n) || pp_onnx_count(bias) != have)
        return pp_net_fail(v, PP_EUNSUPPORTED, "scale and bias must be constant, one number a channel or group");
    float *list = pp_arena_get(v->m->arena, 2 * (size_t)n, sizeof *list);
    const char *name = pp_net_name(v);
    if (!list || !name)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < n; c++) {
        list[c] = (float)pp_onnx_f64(scale, c / (n / have));
        list[n + c] = (float)pp_onnx_f64(bias, c / (n / have));
    }
    w = b = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {n}, .data = list};
    b.data = list + n;
    PP_TRY(pp_build_group_norm(v->b, name, s.op, groups, pp_onnx_attr_f(v->node, "epsilon", 1e-5), &w, &b, &op));
    s = pp_net_after(v, &s, op);
    return pp_net_give(v, 0, &s);
}

static pp_status convert_layer_norm(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    uint32_t axis = 0;
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(axis_of(v, x, pp_onnx_attr_i(v->node, "axis", -1), &axis));
    if (!pp_net_are_channels(v, x, axis, x->ndim))
        return pp_net_fail(v, PP_EUNSUPPORTED, "only over the channels");
    for (uint32_t k = 1; k < 3; k++)
        if (k < v->node->n_in && v->node->in[k] != PP_NONE && !pp_net_constant(v, k))
            return pp_net_fail(v, PP_EUNSUPPORTED, "scale and bias must be constant");
    for (uint32_t k = 1; k < v->node->n_out; k++)
        if (v->node->out[k] != PP_NONE && v->m->value[v->node->out[k]].uses > 0)
            return pp_net_fail(v, PP_EUNSUPPORTED, "mean and deviation as results");
    return pp_net_give_norm(v, x, pp_onnx_attr_f(v->node, "epsilon", 1e-5), pp_net_constant(v, 1),
                            pp_net_constant(v, 2));
}

/* Rounding to codes is the quantizer's work. What must stay is a range that begins at zero: a ReLU. */
static pp_status convert_quantize(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    const pp_onnx_tensor *zero = pp_net_constant(v, 2);
    PP_TRY(pp_net_stream(v, 0, &x));
    if (!pp_net_constant(v, 1) || (v->node->n_in > 2 && v->node->in[2] != PP_NONE && (!zero || !zero->data)))
        return pp_net_fail(v, PP_EUNSUPPORTED, "its scale and zero point must be constant");
    pp_onnx_stream out = *x;
    pp_onnx_type type = zero ? zero->type : PP_ONNX_UINT8;
    int64_t lowest = type == PP_ONNX_INT8 ? -128 : type == PP_ONNX_INT16 ? -32768 : 0;
    bool from_zero = true;
    for (uint64_t i = 0; zero && i < pp_onnx_count(zero); i++)
        from_zero = from_zero && pp_onnx_i64(zero, i) == lowest;
    bool clamps = from_zero && !pp_net_not_negative(v, x->op) && x->op != 0;
    if (clamps)
        PP_TRY(act_on(v, x, x->op, PP_ACT_RELU, &out));
    out.coded = true;
    return clamps ? pp_net_give(v, 0, &out) : pp_net_give_view(v, out);
}

static pp_status convert_dequantize(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    PP_TRY(pp_net_view(v, 0, &x));
    if (!x->coded)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its input is no code");
    pp_onnx_stream out = *x;
    out.coded = false;
    return pp_net_give_view(v, out);
}

const pp_net_row pp_net_ops_element_[] = {
    {"Relu", convert_relu},
    {"Sigmoid", convert_sigmoid},
    {"Tanh", convert_tanh},
    {"HardSwish", convert_hard_swish},
    {"HardSigmoid", convert_hard_sigmoid},
    {"Gelu", convert_gelu},
    {"LeakyRelu", convert_leaky},
    {"PRelu", convert_prelu},
    {"Neg", convert_neg},
    {"Clip", convert_clip},
    {"Erf", convert_erf},
    {"Pow", convert_pow},
    {"Softplus", convert_softplus},
    {"Mish", convert_mish},
    {"Elu", convert_elu},
    {"Max", convert_bound},
    {"Min", convert_bound},
    {"Add", convert_binary},
    {"Sub", convert_binary},
    {"Mul", convert_binary},
    {"Div", convert_binary},
    {"Sum", convert_sum},
    {"IsNaN", convert_is_nan},
    {"Where", convert_where},
    {"Expand", convert_expand},
    {"BatchNormalization", convert_batch_norm},
    {"LayerNormalization", convert_layer_norm},
    {"InstanceNormalization", convert_group_norm},
    {"GroupNormalization", convert_group_norm},
    {"Identity", convert_identity},
    {"Dropout", convert_identity},
    {"Cast", convert_identity},
    {"Softmax", convert_softmax},
    {"LogSoftmax", convert_softmax},
    {"QuantizeLinear", convert_quantize},
    {"DequantizeLinear", convert_dequantize},
    {NULL, NULL},
};
