/* Operators on elements: scales and shifts, additions and products, with constants and of two streams. */
#include "workloads/onnx_net_internal.h"

#include <math.h>
#include <string.h>

/* ---- scale and shift ---- */

/* The factor that all channels share, when they do and nothing is added. */
bool pp_net_uniform(const pp_op *op, double *factor, double shift)
{
    if (op->kind != PP_OP_SCALE)
        return false;
    *factor = (double)pp_tensor_f32(&op->weight, 0);
    for (uint32_t c = 0; c < op->out.c; c++)
        if (!pp_net_about((double)pp_tensor_f32(&op->weight, c), *factor) ||
            !pp_net_about((double)pp_tensor_f32(&op->bias, c), shift))
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
        if (!pp_net_about(scale[c], scale[0]) || !pp_net_about(shift[c], 0))
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
    bool nothing = pp_net_uniform(op, &factor, 0) && pp_net_about(factor, 1);
    *out = pp_net_after(v, x, made);
    if (nothing) { /* the operator before it is shared from now on */
        out->op = op->inputs[0];
        out->shared = true;
    }
    return PP_OK;
}

/* The same numbers for all channels. */
pp_status pp_net_uniform_scale(pp_onnx_net *v, const pp_onnx_stream *x, bool sole, double scale, double shift,
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

pp_status pp_net_join_two(pp_onnx_net *v, pp_op_kind kind, const pp_onnx_stream *like, uint32_t a, uint32_t b,
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

static pp_status convert_neg(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    pp_onnx_stream out;
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(pp_net_uniform_scale(v, x, pp_net_sole(v, 0), -1, 0, &out));
    return pp_net_give(v, 0, &out);
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

pp_status pp_net_by_channel(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *t, double *out)
{
    if (!t->data)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its constant is %s", pp_onnx_type_name(t->type));
    return numbers_by_channel(v, x, t, out)
               ? PP_OK
               : pp_net_fail(v, PP_EUNSUPPORTED, "its constant must be one number or one for each channel");
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
    if (!pp_net_uniform(scale, &factor, 3) || !pp_net_about(factor, 1))
        return false;
    *base = scale->inputs[0];
    return true;
}

/* Constants of Gelu, which may come from half precision. */
static bool nearly(double a, double b)
{
    return fabs(a - b) <= 5e-4 * b;
}

/* What a step of Gelu becomes behind a number; 0: nothing of that kind. */
static uint32_t gelu_step(uint32_t step, kind op, double number)
{
    if (op == ADD && pp_net_about(number, 1))
        return step == PP_NET_GELU_ERF ? PP_NET_GELU_ONE_ERF : step == PP_NET_GELU_TANH ? PP_NET_GELU_ONE_TANH : 0;
    if (op == MUL && step == PP_NET_GELU_CUBE && nearly(number, 0.044715))
        return PP_NET_GELU_SMALL_CUBE;
    return op == MUL && step == PP_NET_GELU_SUM && nearly(number, 0.79788456) ? PP_NET_GELU_SCALED : 0;
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
    PP_TRY(pp_net_by_channel(v, &x, t, scale));
    if (op == DIV && k == 1)
        return pp_net_fail(v, PP_EUNSUPPORTED, "it divides by a computed value");
    double sixth = op == MUL ? scale[0] : op == DIV ? 1 / scale[0] : 0;
    if (one && pp_net_about(6 * sixth, 1) && is_shifted_relu6(v, x.op, &base)) {
        PP_TRY(pp_net_act(v, &x, base, PP_ACT_HARD_SIGMOID, &out));
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
    if ((b->gelu == PP_NET_GELU_ONE_ERF || b->gelu == PP_NET_GELU_ONE_TANH) && pp_net_same_layout(a, b) &&
        (a->op == b->base || (pp_net_uniform(left, &factor, 0) && left->inputs[0] == b->base))) {
        PP_TRY(pp_net_act(v, a, b->base, b->gelu == PP_NET_GELU_ONE_ERF ? PP_ACT_GELU : PP_ACT_GELU_TANH, &out));
        PP_TRY(pp_net_uniform_scale(v, &out, false, a->op == b->base ? 2 : 2 * factor, 0, &out));
        return pp_net_give(v, 0, &out);
    }
    if (b->gelu || a->gelu)
        return *done = false, PP_OK;
    if (gate->kind == PP_OP_ACT && gate->act == PP_ACT_TANH && pp_net_same_layout(a, b)) {
        const pp_op *plus = pp_builder_op_(v->b, gate->inputs[0]);
        if (plus->kind == PP_OP_ACT && plus->act == PP_ACT_SOFTPLUS && plus->inputs[0] == a->op) {
            PP_TRY(pp_net_act(v, a, a->op, PP_ACT_MISH, &out));
            return pp_net_give(v, 0, &out);
        }
    }
    bool same = pp_net_same_layout(a, b) && !a->coded && !b->coded && gate->n_inputs > 0 && gate->inputs[0] == a->op;
    if (same && gate->kind == PP_OP_ACT && (gate->act == PP_ACT_SIGMOID || gate->act == PP_ACT_HARD_SIGMOID)) {
        PP_TRY(pp_net_act(v, a, a->op, gate->act == PP_ACT_SIGMOID ? PP_ACT_SILU : PP_ACT_HARD_SWISH, &out));
        return pp_net_give(v, 0, &out);
    }
    if (pp_net_same_layout(a, b) && is_shifted_relu6(v, b->op, &base) && base == a->op) {
        PP_TRY(pp_net_act(v, a, a->op, PP_ACT_HARD_SWISH, &out));
        PP_TRY(pp_net_uniform_scale(v, &out, false, 6, 0, &out));
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
        PP_TRY(pp_net_uniform_scale(v, &b, false, -1, 0, &b));
    if (pixel && op != MUL && (uint64_t)map.h * map.w > 1) {
        const char *name = pp_net_name(v);
        if (!name)
            return PP_ENOMEM;
        PP_TRY(pp_build_upsample(v->b, name, b.op, map.h, map.w, &b.op));
    }
    PP_TRY(pp_net_join_two(v, op == MUL ? PP_OP_MUL : PP_OP_ADD, a, a->op, b.op, &out));
    return pp_net_give(v, 0, &out);
}

static pp_status with_stream(pp_onnx_net *v)
{
    kind op = kind_of(v->node->op);
    const pp_onnx_stream *x = pp_net_any(v, 0), *y = pp_net_any(v, 1);
    bool done = false;
    for (uint32_t turn = 0; op == ADD && turn < 2; turn++) {
        const pp_onnx_stream *cube = turn ? x : y, *plain = turn ? y : x;
        if (!cube || !plain || cube->gelu != PP_NET_GELU_SMALL_CUBE || plain->op != cube->base || plain->gelu ||
            !pp_net_same_layout(plain, cube))
            continue;
        pp_onnx_stream sum = *cube;
        sum.gelu = PP_NET_GELU_SUM;
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
        PP_TRY(pp_net_uniform_scale(v, &b, false, -1, 0, &b));
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
        PP_TRY(pp_net_join_two(v, PP_OP_ADD, &sum, sum.op, y->op, &sum));
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
    if (!pp_net_uniform(op, &factor, 0) || !nearly(factor, 0.70710678118654752440))
        return pp_net_fail(v, PP_EUNSUPPORTED, "it is supported as a part of Gelu only: x 0.5 (1 + erf(x / sqrt 2))");
    pp_onnx_stream out = *x;
    out.gelu = PP_NET_GELU_ERF;
    out.base = op->inputs[0];
    return pp_net_give(v, 0, &out);
}

/* Where(IsNaN(x), 0, x), as newer exporters guard a softmax: x, whose numbers are finite. */
static pp_status convert_is_nan(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    PP_TRY(pp_net_stream(v, 0, &x));
    pp_onnx_stream out = *x;
    out.gelu = PP_NET_IS_NAN;
    out.base = x->op;
    return pp_net_give(v, 0, &out);
}

static pp_status convert_where(pp_onnx_net *v)
{
    const pp_onnx_stream *guard = pp_net_any(v, 0), *x = pp_net_any(v, 2);
    if (!guard || guard->gelu != PP_NET_IS_NAN || !x || x->op != guard->base || !pp_net_constant(v, 1) ||
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
    if (x.ndim > 2 && pp_net_axis_of(v, &x, 1) != PP_ONNX_C)
        PP_TRY(pp_net_to_map(v, &x));
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

const pp_net_row pp_net_ops_element_[] = {
    {"Neg", convert_neg},
    {"Erf", convert_erf},
    {"Add", convert_binary},
    {"Sub", convert_binary},
    {"Mul", convert_binary},
    {"Div", convert_binary},
    {"Sum", convert_sum},
    {"IsNaN", convert_is_nan},
    {"Where", convert_where},
    {"Expand", convert_expand},
    {"BatchNormalization", convert_batch_norm},
    {NULL, NULL},
};
