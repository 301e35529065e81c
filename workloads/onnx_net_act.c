/* Activations, and what is made of them: bounds, slopes of negative numbers. */
#include "workloads/onnx_net_internal.h"

#include <math.h>
#include <string.h>

pp_status pp_net_act(pp_onnx_net *v, const pp_onnx_stream *like, uint32_t input, pp_act act, pp_onnx_stream *out)
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
    PP_TRY(pp_net_act(v, x, x->op, act, &out));
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
    if (x && x->gelu == PP_NET_GELU_SCALED) {
        pp_onnx_stream out = *x;
        out.gelu = PP_NET_GELU_TANH;
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

/* The cube of Gelu's approximation. */
static pp_status convert_pow(pp_onnx_net *v)
{
    const pp_onnx_tensor *t = pp_net_constant(v, 1);
    const pp_onnx_stream *x;
    PP_TRY(pp_net_stream(v, 0, &x));
    if (!t || !t->data || pp_onnx_count(t) != 1 || !pp_net_about(pp_onnx_f64(t, 0), 3))
        return pp_net_fail(v, PP_EUNSUPPORTED, "it is supported as a part of layer norms and of Gelu by tanh only");
    pp_onnx_stream out = *x;
    out.gelu = PP_NET_GELU_CUBE;
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
    if (pp_net_about(6 * alpha, 1) && pp_net_about(beta, 0.5))
        return give_act(v, PP_ACT_HARD_SIGMOID);
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(pp_net_uniform_scale(v, x, pp_net_sole(v, 0), 6 * alpha, 6 * beta - 3, &scaled));
    PP_TRY(pp_net_act(v, &scaled, scaled.op, PP_ACT_HARD_SIGMOID, &out));
    return pp_net_give(v, 0, &out);
}

/* Any slope but those of the network: relu(x) - slope relu(-x). */
static pp_status convert_leaky(pp_onnx_net *v)
{
    double slope = pp_onnx_attr_f(v->node, "alpha", 0.01);
    const pp_onnx_stream *x;
    pp_onnx_stream up, down, out;
    if (pp_net_about(slope, 0.1) || pp_net_about(slope, 0.01))
        return give_act(v, pp_net_about(slope, 0.1) ? PP_ACT_LEAKY : PP_ACT_LEAKY_01);
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(pp_net_act(v, x, x->op, PP_ACT_RELU, &up));
    PP_TRY(pp_net_uniform_scale(v, x, false, -1, 0, &down));
    PP_TRY(pp_net_act(v, &down, down.op, PP_ACT_RELU, &down));
    PP_TRY(pp_net_uniform_scale(v, &down, false, -slope, 0, &down));
    PP_TRY(pp_net_join_two(v, PP_OP_ADD, x, up.op, down.op, &out));
    return pp_net_give(v, 0, &out);
}

/* gamma (x, or alpha (e^x - 1) below 0) of any alpha: gamma alpha elu(x) + gamma (1 - alpha) relu(x). */
static pp_status scaled_elu(pp_onnx_net *v, double alpha, double gamma)
{
    const pp_onnx_stream *x;
    pp_onnx_stream up, down, out;
    if (pp_net_about(alpha, 1) && pp_net_about(gamma, 1))
        return give_act(v, PP_ACT_ELU);
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(pp_net_act(v, x, x->op, PP_ACT_RELU, &up));
    PP_TRY(pp_net_act(v, x, x->op, PP_ACT_ELU, &down));
    PP_TRY(pp_net_uniform_scale(v, &up, false, gamma * (1 - alpha), 0, &up));
    PP_TRY(pp_net_uniform_scale(v, &down, false, gamma * alpha, 0, &down));
    PP_TRY(pp_net_join_two(v, PP_OP_ADD, x, up.op, down.op, &out));
    return pp_net_give(v, 0, &out);
}

static pp_status convert_elu(pp_onnx_net *v)
{
    return scaled_elu(v, pp_onnx_attr_f(v->node, "alpha", 1), 1);
}

static pp_status convert_selu(pp_onnx_net *v)
{
    return scaled_elu(v, pp_onnx_attr_f(v->node, "alpha", 1.67326319217681884765625),
                      pp_onnx_attr_f(v->node, "gamma", 1.05070102214813232421875));
}

/* alpha elu(x / alpha) */
static pp_status convert_celu(pp_onnx_net *v)
{
    const double alpha = pp_onnx_attr_f(v->node, "alpha", 1);
    const pp_onnx_stream *x;
    pp_onnx_stream out;
    if (pp_net_about(alpha, 1))
        return give_act(v, PP_ACT_ELU);
    if (!(alpha > 0))
        return pp_net_fail(v, PP_ERANGE, "alpha %g", alpha);
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(pp_net_uniform_scale(v, x, pp_net_sole(v, 0), 1 / alpha, 0, &out));
    PP_TRY(pp_net_act(v, &out, out.op, PP_ACT_ELU, &out));
    PP_TRY(pp_net_uniform_scale(v, &out, false, alpha, 0, &out));
    return pp_net_give(v, 0, &out);
}

/* max(x, lo), min(x, hi) or both, by the activations that there are. */
pp_status pp_net_clamp(pp_onnx_net *v, const pp_onnx_stream *x, bool sole, double lo, double hi, pp_onnx_stream *out)
{
    bool low = lo > -1e30, high = hi < 1e30;
    double factor = low && high ? 6 / (hi - lo) : high ? -1 : 1, zero = low ? lo : hi;
    if (!low && !high) {
        *out = *x;
        return PP_OK;
    }
    if (!(hi > lo) || !isfinite(factor))
        return pp_net_fail(v, PP_ERANGE, "its bounds %g and %g leave one number, whatever it reads", lo, hi);
    pp_onnx_stream to = *x;
    if (!pp_net_about(factor, 1) || !pp_net_about(zero, 0))
        PP_TRY(pp_net_uniform_scale(v, x, sole, factor, -zero * factor, &to));
    PP_TRY(pp_net_act(v, &to, to.op, low && high ? PP_ACT_RELU6 : PP_ACT_RELU, out));
    if (!pp_net_about(factor, 1) || !pp_net_about(zero, 0)) {
        to = *out;
        PP_TRY(pp_net_uniform_scale(v, &to, false, 1 / factor, zero, out));
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
    PP_TRY(pp_net_clamp(v, x, pp_net_sole(v, 0), bound[0], bound[1], &out));
    return bound[0] > -1e30 || bound[1] < 1e30 ? pp_net_give(v, 0, &out) : pp_net_give_view(v, out);
}

/* Of two computed values: max(a, b) = b + relu(a - b), min(a, b) = b - relu(b - a). */
static pp_status larger_of_two(pp_onnx_net *v, bool max)
{
    const pp_onnx_stream *a, *b;
    pp_onnx_stream out, less;
    PP_TRY(pp_net_stream(v, 0, &a));
    PP_TRY(pp_net_stream(v, 1, &b));
    if (!pp_net_same_layout(a, b))
        return pp_net_fail(v, PP_EUNSUPPORTED, "its inputs must be maps of one shape, or one of them a constant number");
    PP_TRY(pp_net_uniform_scale(v, max ? b : a, false, -1, 0, &less));
    PP_TRY(pp_net_join_two(v, PP_OP_ADD, a, max ? a->op : b->op, less.op, &out));
    PP_TRY(pp_net_act(v, &out, out.op, PP_ACT_RELU, &out));
    if (!max)
        PP_TRY(pp_net_uniform_scale(v, &out, false, -1, 0, &out));
    PP_TRY(pp_net_join_two(v, PP_OP_ADD, a, b->op, out.op, &out));
    return pp_net_give(v, 0, &out);
}

/* With one constant number: a bound. */
static pp_status convert_bound(pp_onnx_net *v)
{
    const pp_onnx_tensor *left = pp_net_constant(v, 0), *t = left ? left : pp_net_constant(v, 1);
    const pp_onnx_stream *x;
    pp_onnx_stream out;
    uint32_t k = left ? 1 : 0;
    bool max = v->node->op[1] == 'a';
    if (v->node->n_in == 2 && pp_net_any(v, 0) && pp_net_any(v, 1))
        return larger_of_two(v, max);
    if (v->node->n_in != 2 || !t || !t->data || pp_onnx_count(t) != 1)
        return pp_net_refuse(v, "only of two maps, or of one and a constant number");
    double bound = pp_onnx_f64(t, 0);
    PP_TRY(pp_net_stream(v, k, &x));
    PP_TRY(pp_net_clamp(v, x, pp_net_sole(v, k), max ? bound : -INFINITY, max ? INFINITY : bound, &out));
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
    PP_TRY(pp_net_by_channel(v, &x, slope, both));
    for (uint32_t c = 0; c < n; c++)
        both[c] = -both[c];
    PP_TRY(pp_net_act(v, &x, x.op, PP_ACT_RELU, &up));
    PP_TRY(pp_net_uniform_scale(v, &x, false, -1, 0, &down));
    PP_TRY(pp_net_act(v, &down, down.op, PP_ACT_RELU, &down));
    PP_TRY(pp_net_scale(v, &down, false, both, both + n, &down));
    PP_TRY(pp_net_join_two(v, PP_OP_ADD, &x, up.op, down.op, &out));
    return pp_net_give(v, 0, &out);
}

const pp_net_row pp_net_ops_act_[] = {
    {"Relu", convert_relu},
    {"Sigmoid", convert_sigmoid},
    {"Tanh", convert_tanh},
    {"HardSwish", convert_hard_swish},
    {"HardSigmoid", convert_hard_sigmoid},
    {"Gelu", convert_gelu},
    {"LeakyRelu", convert_leaky},
    {"PRelu", convert_prelu},
    {"Clip", convert_clip},
    {"Pow", convert_pow},
    {"Softplus", convert_softplus},
    {"Mish", convert_mish},
    {"Elu", convert_elu},
    {"Selu", convert_selu},
    {"Celu", convert_celu},
    {"Max", convert_bound},
    {"Min", convert_bound},
    {NULL, NULL},
};
