/* The float reference: every operator by its definition, sums in double, nothing fused. */
#include "workloads/network_internal.h"
#include "workloads/workloads.h"

#include <math.h>
#include <stdlib.h>

typedef struct ref_op {
    const pp_op *op;
    const float *const *in; /* results of its inputs */
    const pp_shape *in_shape;
    float *out;
} ref_op;

static size_t at(pp_shape s, size_t y, size_t x, size_t c)
{
    return (y * s.w + x) * s.c + c;
}

/* Input coordinate of tap k of output o; false when it is padding. */
static bool tap(uint32_t o, uint32_t k, uint32_t stride, uint32_t dilation, uint32_t pad, uint32_t size, size_t *coord)
{
    int64_t i = (int64_t)o * stride + (int64_t)k * dilation - pad;
    *coord = i < 0 ? 0 : (size_t)i;
    return i >= 0 && i < size;
}

static float conv_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t co)
{
    const pp_op *op = r->op;
    const pp_window *w = &op->window;
    uint32_t cin = op->in.c / op->groups, c0 = co / (op->out.c / op->groups) * cin;
    double sum = op->bias.ndim ? (double)pp_tensor_f32(&op->bias, co) : 0;
    for (uint32_t ci = 0; ci < cin; ci++)
        for (uint32_t ky = 0; ky < w->kh; ky++)
            for (uint32_t kx = 0; kx < w->kw; kx++) {
                size_t iy, ix;
                if (!tap(y, ky, w->sh, w->dh, w->top, op->in.h, &iy) || !tap(x, kx, w->sw, w->dw, w->left, op->in.w, &ix))
                    continue;
                uint64_t i = (((uint64_t)co * cin + ci) * w->kh + ky) * w->kw + kx;
                sum += (double)pp_tensor_f32(&op->weight, i) * (double)r->in[0][at(op->in, iy, ix, c0 + ci)];
            }
    return (float)sum;
}

static float linear_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t co)
{
    (void)y;
    (void)x;
    const pp_op *op = r->op;
    double sum = op->bias.ndim ? (double)pp_tensor_f32(&op->bias, co) : 0;
    uint64_t i = (uint64_t)co * op->in.c * op->in.h * op->in.w;
    for (uint32_t c = 0; c < op->in.c; c++)
        for (uint32_t iy = 0; iy < op->in.h; iy++)
            for (uint32_t ix = 0; ix < op->in.w; ix++)
                sum += (double)pp_tensor_f32(&op->weight, i++) * (double)r->in[0][at(op->in, iy, ix, c)];
    return (float)sum;
}

static float max_pool_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const pp_window *w = &r->op->window;
    float best = -INFINITY;
    for (uint32_t ky = 0; ky < w->kh; ky++)
        for (uint32_t kx = 0; kx < w->kw; kx++) {
            size_t iy, ix;
            if (tap(y, ky, w->sh, w->dh, w->top, r->op->in.h, &iy) && tap(x, kx, w->sw, w->dw, w->left, r->op->in.w, &ix))
                best = fmaxf(best, r->in[0][at(r->op->in, iy, ix, c)]);
        }
    return best;
}

static float avg_pool_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const pp_window *w = &r->op->window;
    double sum = 0, count = 0;
    for (uint32_t ky = 0; ky < w->kh; ky++)
        for (uint32_t kx = 0; kx < w->kw; kx++) {
            size_t iy, ix;
            bool inside = tap(y, ky, w->sh, w->dh, w->top, r->op->in.h, &iy) &&
                          tap(x, kx, w->sw, w->dw, w->left, r->op->in.w, &ix);
            sum += inside ? (double)r->in[0][at(r->op->in, iy, ix, c)] : 0;
            count += inside || w->count_padding ? 1 : 0;
        }
    return (float)(sum / count);
}

static float global_pool_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    pp_shape in = r->op->in;
    double sum = 0;
    (void)y;
    (void)x;
    for (size_t p = 0; p < (size_t)in.h * in.w; p++)
        sum += (double)r->in[0][p * in.c + c];
    return (float)(sum / ((double)in.h * in.w));
}

static float add_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    size_t i = at(r->op->out, y, x, c);
    return r->in[0][i] + r->in[1][i];
}

static float concat_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    uint32_t k = 0;
    while (c >= r->in_shape[k].c)
        c -= r->in_shape[k++].c;
    return r->in[k][at(r->in_shape[k], y, x, c)];
}

static float flatten_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t i)
{
    pp_shape in = r->op->in;
    (void)y;
    (void)x;
    return r->in[0][at(in, i / in.w % in.h, i % in.w, i / in.w / in.h)];
}

static float act_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    return (float)pp_act_value(r->op->act, (double)r->in[0][at(r->op->out, y, x, c)]);
}

static float subsample_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const pp_window *w = &r->op->window;
    return c < r->op->in.c ? r->in[0][at(r->op->in, (size_t)y * w->sh, (size_t)x * w->sw, c)] : 0;
}

static float scale_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    double v = (double)r->in[0][at(r->op->out, y, x, c)];
    return (float)(v * (double)pp_tensor_f32(&r->op->weight, c) + (double)pp_tensor_f32(&r->op->bias, c));
}

static float mul_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    bool pixel = r->in_shape[1].h == 1 && r->in_shape[1].w == 1;
    return r->in[0][at(r->op->out, y, x, c)] * r->in[1][pixel ? c : at(r->in_shape[1], y, x, c)];
}

static float norm_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const float *pixel = r->in[0] + at(r->op->out, y, x, 0);
    double n = r->op->out.c, mean = 0, square = 0;
    for (uint32_t k = 0; k < r->op->out.c; k++)
        mean += (double)pixel[k] / n;
    for (uint32_t k = 0; k < r->op->out.c; k++)
        square += ((double)pixel[k] - mean) * ((double)pixel[k] - mean) / n;
    double v = ((double)pixel[c] - mean) / sqrt(square + r->op->epsilon);
    return (float)(v * (double)pp_tensor_f32(&r->op->weight, c) + (double)pp_tensor_f32(&r->op->bias, c));
}

static float group_norm_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const pp_shape s = r->op->out;
    const uint32_t each = s.c / r->op->groups, first = c / each * each;
    const size_t pixels = (size_t)s.h * s.w;
    double n = (double)pixels * each, mean = 0, square = 0;
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t k = first; k < first + each; k++)
            mean += (double)r->in[0][p * s.c + k] / n;
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t k = first; k < first + each; k++)
            square += ((double)r->in[0][p * s.c + k] - mean) * ((double)r->in[0][p * s.c + k] - mean) / n;
    double v = ((double)r->in[0][at(s, y, x, c)] - mean) / sqrt(square + r->op->epsilon);
    return (float)(v * (double)pp_tensor_f32(&r->op->weight, c) + (double)pp_tensor_f32(&r->op->bias, c));
}

static float response_norm_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const float *pixel = r->in[0] + at(r->op->out, y, x, 0);
    uint32_t from, to;
    double sum = 0;
    pp_response_window(&r->op->response, c, r->op->out.c, &from, &to);
    for (uint32_t k = from; k < to; k++)
        sum += (double)pixel[k] * (double)pixel[k];
    return (float)((double)pixel[c] * pp_response_factor(&r->op->response, sum));
}

static float softmax_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const uint32_t n = r->op->out.c / r->op->groups;
    const float *part = r->in[0] + at(r->op->out, y, x, c / n * n);
    double top = -INFINITY, sum = 0;
    for (uint32_t k = 0; k < n; k++)
        top = fmax(top, (double)part[k]);
    for (uint32_t k = 0; k < n; k++)
        sum += exp((double)part[k] - top);
    return (float)(exp((double)part[c % n] - top) / sum);
}

static float product_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const pp_op *op = r->op;
    const pp_shape a = r->in_shape[0], b = r->in_shape[1];
    const uint32_t inner = a.c / op->groups, n = op->out.c / op->groups, g = c / n;
    double sum = 0;
    for (uint32_t k = 0; k < inner; k++) {
        const size_t t = op->transposed ? c % n : k, pixel = op->whole ? t : (size_t)y * b.w + t;
        const float right = r->in[1][pixel * b.c + (op->transposed ? g * inner + k : c)];
        sum += (double)r->in[0][at(a, y, x, g * inner + k)] * (double)right;
    }
    return (float)(sum * op->factor);
}

static float offset_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    size_t i = at(r->op->out, y, x, c);
    return r->in[0][i] + pp_tensor_f32(&r->op->weight, i);
}

static float arrange_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const pp_source *s = &r->op->from[(size_t)y * r->op->out.w + x];
    const size_t i = (size_t)s->pixel * r->op->out.c + c;
    return s->input < r->op->n_inputs ? r->in[s->input][i] : pp_tensor_f32(&r->op->weight, i);
}

static float shuffle_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    uint32_t groups = r->op->groups, n = r->op->in.c / groups;
    return r->in[0][at(r->op->in, y, x, c % groups * n + c / groups)];
}

static float slice_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const pp_shape *o = &r->op->offset;
    return r->in[0][at(r->op->in, (size_t)y + o->h, (size_t)x + o->w, (size_t)c + o->c)];
}

static float upsample_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    return r->in[0][at(r->op->in, y / r->op->window.sh, x / r->op->window.sw, c)];
}

static float pixel_shuffle_at(const ref_op *r, uint32_t y, uint32_t x, uint32_t c)
{
    const pp_window *w = &r->op->window;
    size_t from = ((size_t)c * w->sh + y % w->sh) * w->sw + x % w->sw;
    return r->in[0][at(r->op->in, y / w->sh, x / w->sw, from)];
}

/* One element of the result. */
static float (*const element[PP_OP_KIND_COUNT])(const ref_op *r, uint32_t y, uint32_t x, uint32_t c) = {
    [PP_OP_CONV] = conv_at,         [PP_OP_LINEAR] = linear_at,   [PP_OP_MAX_POOL] = max_pool_at,
    [PP_OP_AVG_POOL] = avg_pool_at, [PP_OP_GLOBAL_POOL] = global_pool_at, [PP_OP_ADD] = add_at,
    [PP_OP_CONCAT] = concat_at,     [PP_OP_FLATTEN] = flatten_at, [PP_OP_ACT] = act_at,
    [PP_OP_SUBSAMPLE] = subsample_at, [PP_OP_SCALE] = scale_at,   [PP_OP_MUL] = mul_at,
    [PP_OP_SHUFFLE] = shuffle_at,   [PP_OP_SLICE] = slice_at,     [PP_OP_UPSAMPLE] = upsample_at,
    [PP_OP_NORM] = norm_at,         [PP_OP_SOFTMAX] = softmax_at, [PP_OP_PIXEL_SHUFFLE] = pixel_shuffle_at,
    [PP_OP_GROUP_NORM] = group_norm_at, [PP_OP_RESPONSE_NORM] = response_norm_at,
    [PP_OP_PRODUCT] = product_at,   [PP_OP_OFFSET] = offset_at,   [PP_OP_ARRANGE] = arrange_at,
};

static void run_op(const ref_op *r)
{
    pp_shape out = r->op->out;
    for (uint32_t y = 0; y < out.h; y++)
        for (uint32_t x = 0; x < out.w; x++)
            for (uint32_t c = 0; c < out.c; c++)
                r->out[at(out, y, x, c)] = element[r->op->kind](r, y, x, c);
}

static pp_status run(const pp_network *net, const float *in, float **results)
{
    for (uint32_t i = 0; i < net->n_ops; i++) {
        const pp_op *op = &net->ops[i];
        size_t count = (size_t)op->out.h * op->out.w * op->out.c;
        results[i] = pp_alloc(count, sizeof **results);
        const float **inputs = pp_calloc(op->n_inputs, sizeof *inputs);
        pp_shape *shapes = pp_calloc(op->n_inputs, sizeof *shapes);
        bool ok = results[i] && inputs && shapes;
        for (uint32_t k = 0; ok && k < op->n_inputs; k++) {
            inputs[k] = results[op->inputs[k]];
            shapes[k] = net->ops[op->inputs[k]].out;
        }
        if (ok && op->kind == PP_OP_INPUT)
            for (size_t e = 0; e < count; e++)
                results[i][e] = in[e];
        else if (ok)
            run_op(&(ref_op){op, inputs, shapes, results[i]});
        free(inputs);
        free(shapes);
        if (!ok)
            return PP_ENOMEM;
    }
    return PP_OK;
}

pp_status pp_ref_run(const pp_network *net, const float *in, float ***results)
{
    *results = NULL;
    if (!net->has_weights)
        return pp_fail(PP_EINVAL, "network '%s' has no weights to run with", net->name);
    float **list = pp_calloc(net->n_ops, sizeof *list);
    if (!list)
        return PP_ENOMEM;
    pp_status status = run(net, in, list);
    if (status == PP_OK)
        *results = list;
    else
        pp_ref_free(net, list);
    return status;
}

void pp_ref_free(const pp_network *net, float **results)
{
    if (!results)
        return;
    for (uint32_t i = 0; i < net->n_ops; i++)
        free(results[i]);
    free(results);
}
