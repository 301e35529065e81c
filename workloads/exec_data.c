/* Operators without weights, on padded buffers. */
#include "workloads/exec_internal.h"

#include <math.h>

static float *pixel_of(pp_view v, size_t y, size_t x)
{
    return v.at + y * v.row + x * v.pixel;
}

/* Taps of outputs `o` along one axis that are inside the map: kernel positions [*k0, *k1). */
static void inside(uint32_t o, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t pad, uint32_t size,
                   uint32_t *k0, uint32_t *k1)
{
    *k0 = 0;
    *k1 = kernel;
    while (*k0 < kernel && (int64_t)o * stride + (int64_t)*k0 * dilation < pad)
        ++*k0;
    while (*k1 > *k0 && (int64_t)o * stride + (int64_t)(*k1 - 1) * dilation - pad >= size)
        --*k1;
}

typedef struct taps {
    uint32_t y0, y1, x0, x1; /* kernel positions inside the map */
} taps;

static taps taps_of(const pp_op *op, pp_shape in, uint32_t y, uint32_t x)
{
    const pp_window *w = &op->window;
    taps t;
    inside(y, w->kh, w->sh, w->dh, w->top, in.h, &t.y0, &t.y1);
    inside(x, w->kw, w->sw, w->dw, w->left, in.w, &t.x0, &t.x1);
    return t;
}

static const float *tap_at(const pp_op *op, pp_view in, uint32_t y, uint32_t x, uint32_t ky, uint32_t kx)
{
    const pp_window *w = &op->window;
    return pixel_of(in, (size_t)y * w->sh + (size_t)ky * w->dh - w->top, (size_t)x * w->sw + (size_t)kx * w->dw - w->left);
}

static void max_pool(const pp_op *op, const pp_view *in, pp_view out)
{
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++) {
            taps t = taps_of(op, in->shape, y, x);
            float *to = pixel_of(out, y, x);
            for (uint32_t c = 0; c < out.shape.c; c++)
                to[c] = tap_at(op, *in, y, x, t.y0, t.x0)[c];
            for (uint32_t ky = t.y0; ky < t.y1; ky++)
                for (uint32_t kx = t.x0; kx < t.x1; kx++) {
                    const float *from = tap_at(op, *in, y, x, ky, kx);
                    for (uint32_t c = 0; c < out.shape.c; c++)
                        to[c] = from[c] > to[c] ? from[c] : to[c];
                }
        }
}

static void clear(float *to, uint32_t n)
{
    for (uint32_t c = 0; c < n; c++)
        to[c] = 0;
}

static void avg_pool(const pp_op *op, const pp_view *in, pp_view out)
{
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++) {
            taps t = taps_of(op, in->shape, y, x);
            float *to = pixel_of(out, y, x);
            float count = op->window.count_padding ? (float)op->window.kh * (float)op->window.kw
                                                   : (float)(t.y1 - t.y0) * (float)(t.x1 - t.x0);
            clear(to, out.shape.c);
            for (uint32_t ky = t.y0; ky < t.y1; ky++)
                for (uint32_t kx = t.x0; kx < t.x1; kx++) {
                    const float *from = tap_at(op, *in, y, x, ky, kx);
                    for (uint32_t c = 0; c < out.shape.c; c++)
                        to[c] += from[c];
                }
            for (uint32_t c = 0; c < out.shape.c; c++)
                to[c] /= count;
        }
}

static void global_pool(const pp_op *op, const pp_view *in, pp_view out)
{
    (void)op;
    clear(out.at, out.shape.c);
    for (uint32_t y = 0; y < in->shape.h; y++)
        for (uint32_t x = 0; x < in->shape.w; x++)
            for (uint32_t c = 0; c < out.shape.c; c++)
                out.at[c] += pixel_of(*in, y, x)[c];
    for (uint32_t c = 0; c < out.shape.c; c++)
        out.at[c] /= (float)in->shape.h * (float)in->shape.w;
}

static void add(const pp_op *op, const pp_view *in, pp_view out)
{
    (void)op;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++)
            for (uint32_t c = 0; c < out.shape.c; c++)
                pixel_of(out, y, x)[c] = pixel_of(in[0], y, x)[c] + pixel_of(in[1], y, x)[c];
}

static void concat(const pp_op *op, const pp_view *in, pp_view out)
{
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++) {
            float *to = pixel_of(out, y, x);
            for (uint32_t k = 0; k < op->n_inputs; k++)
                for (uint32_t c = 0; c < in[k].shape.c; c++)
                    *to++ = pixel_of(in[k], y, x)[c];
        }
}

static void flatten(const pp_op *op, const pp_view *in, pp_view out)
{
    float *to = out.at;
    (void)op;
    for (uint32_t c = 0; c < in->shape.c; c++)
        for (uint32_t y = 0; y < in->shape.h; y++)
            for (uint32_t x = 0; x < in->shape.w; x++)
                *to++ = pixel_of(*in, y, x)[c];
}

void pp_act_run_(pp_act act, pp_view in, pp_view out)
{
    const bool clamp = pp_act_is_clamp(act);
    const float lo = act == PP_ACT_NONE ? -INFINITY : 0, hi = act == PP_ACT_RELU6 ? 6 : INFINITY;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++)
            for (uint32_t c = 0; c < out.shape.c; c++) {
                float v = pixel_of(in, y, x)[c];
                if (clamp)
                    v = v < lo ? lo : v > hi ? hi : v;
                else
                    v = (float)pp_act_value(act, (double)v);
                pixel_of(out, y, x)[c] = v;
            }
}

static void act(const pp_op *op, const pp_view *in, pp_view out)
{
    pp_act_run_(op->act, *in, out);
}

static void scale(const pp_op *op, const pp_view *in, pp_view out)
{
    for (uint32_t c = 0; c < out.shape.c; c++) {
        float weight = pp_tensor_f32(&op->weight, c), bias = pp_tensor_f32(&op->bias, c);
        for (uint32_t y = 0; y < out.shape.h; y++)
            for (uint32_t x = 0; x < out.shape.w; x++)
                pixel_of(out, y, x)[c] = pixel_of(*in, y, x)[c] * weight + bias;
    }
}

static void norm(const pp_op *op, const pp_view *in, pp_view out)
{
    const uint32_t n = out.shape.c;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++) {
            const float *from = pixel_of(*in, y, x);
            float *to = pixel_of(out, y, x);
            double sum = 0, square = 0;
            for (uint32_t c = 0; c < n; c++)
                sum += (double)from[c];
            const float mean = (float)(sum / n);
            for (uint32_t c = 0; c < n; c++)
                square += (double)(from[c] - mean) * (double)(from[c] - mean);
            const float inverse = (float)(1 / sqrt(square / n + op->epsilon));
            for (uint32_t c = 0; c < n; c++)
                to[c] = (from[c] - mean) * inverse * pp_tensor_f32(&op->weight, c) + pp_tensor_f32(&op->bias, c);
        }
}

/* Sum over the map of one group of f(x): x, or (x - mean)^2. */
static double group_sum(pp_view in, uint32_t first, uint32_t each, bool squares, float mean)
{
    double sum = 0;
    for (uint32_t y = 0; y < in.shape.h; y++)
        for (uint32_t x = 0; x < in.shape.w; x++) {
            const float *from = pixel_of(in, y, x) + first;
            for (uint32_t c = 0; c < each; c++)
                sum += squares ? (double)(from[c] - mean) * (double)(from[c] - mean) : (double)from[c];
        }
    return sum;
}

static void group_norm(const pp_op *op, const pp_view *in, pp_view out)
{
    const uint32_t each = out.shape.c / op->groups;
    const double n = (double)out.shape.h * out.shape.w * each;
    for (uint32_t first = 0; first < out.shape.c; first += each) {
        const float mean = (float)(group_sum(*in, first, each, false, 0) / n);
        const float inverse = (float)(1 / sqrt(group_sum(*in, first, each, true, mean) / n + op->epsilon));
        for (uint32_t y = 0; y < out.shape.h; y++)
            for (uint32_t x = 0; x < out.shape.w; x++)
                for (uint32_t c = first; c < first + each; c++)
                    pixel_of(out, y, x)[c] = (pixel_of(*in, y, x)[c] - mean) * inverse * pp_tensor_f32(&op->weight, c) +
                                             pp_tensor_f32(&op->bias, c);
    }
}

static void response_norm(const pp_op *op, const pp_view *in, pp_view out)
{
    const uint32_t n = out.shape.c;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++) {
            const float *at = pixel_of(*in, y, x);
            float *to = pixel_of(out, y, x);
            for (uint32_t c = 0; c < n; c++) {
                uint32_t first, end;
                double sum = 0;
                pp_response_window(&op->response, c, n, &first, &end);
                for (uint32_t k = first; k < end; k++)
                    sum += (double)at[k] * (double)at[k];
                to[c] = (float)((double)at[c] * pp_response_factor(&op->response, sum));
            }
        }
}

static void softmax_part(const float *from, float *to, uint32_t n)
{
    float top = from[0];
    double sum = 0;
    for (uint32_t c = 1; c < n; c++)
        top = from[c] > top ? from[c] : top;
    for (uint32_t c = 0; c < n; c++) {
        to[c] = expf(from[c] - top);
        sum += (double)to[c];
    }
    for (uint32_t c = 0; c < n; c++)
        to[c] /= (float)sum;
}

static void softmax(const pp_op *op, const pp_view *in, pp_view out)
{
    const uint32_t n = out.shape.c / op->groups;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++)
            for (uint32_t g = 0; g < op->groups; g++)
                softmax_part(pixel_of(*in, y, x) + (size_t)g * n, pixel_of(out, y, x) + (size_t)g * n, n);
}

/* Eight sums side by side: the order of additions is always the same. */
static float dot(const float *a, const float *b, uint32_t n)
{
    float lane[8] = {0}, sum = 0;
    uint32_t k = 0;
    for (; k + 8 <= n; k += 8)
        for (uint32_t i = 0; i < 8; i++)
            lane[i] += a[k + i] * b[k + i];
    for (; k < n; k++)
        sum += a[k] * b[k];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7])) + sum;
}

/* One head of one pixel: `left` times the sequence from token 0 on. */
static void product_head(const pp_op *op, const float *left, pp_view b, uint32_t y, uint32_t g, float *to)
{
    const uint32_t inner = op->in.c / op->groups, n = op->out.c / op->groups, tokens = op->transposed ? n : inner;
    const float factor = (float)op->factor;
    for (uint32_t c = 0; c < n; c++)
        to[c] = 0;
    for (uint32_t t = 0; t < tokens; t++) {
        const float *right = pixel_of(b, op->whole ? t / b.shape.w : y, op->whole ? t % b.shape.w : t);
        if (op->transposed) {
            to[t] = dot(left, right + (size_t)g * inner, inner);
            continue;
        }
        for (uint32_t c = 0; c < n; c++)
            to[c] += left[t] * right[(size_t)g * n + c];
    }
    for (uint32_t c = 0; c < n; c++)
        to[c] *= factor;
}

static void product(const pp_op *op, const pp_view *in, pp_view out)
{
    const size_t inner = op->in.c / op->groups, n = op->out.c / op->groups;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++)
            for (uint32_t g = 0; g < op->groups; g++)
                product_head(op, pixel_of(in[0], y, x) + g * inner, in[1], y, g, pixel_of(out, y, x) + g * n);
}

static void offset(const pp_op *op, const pp_view *in, pp_view out)
{
    for (uint32_t y = 0, i = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++)
            for (uint32_t c = 0; c < out.shape.c; c++, i++)
                pixel_of(out, y, x)[c] = pixel_of(*in, y, x)[c] + pp_tensor_f32(&op->weight, i);
}

static void arrange(const pp_op *op, const pp_view *in, pp_view out)
{
    const pp_source *s = op->from;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++, s++) {
            const bool own = s->input == op->n_inputs;
            const uint32_t w = own ? 1 : in[s->input].shape.w;
            const float *from = own ? NULL : pixel_of(in[s->input], s->pixel / w, s->pixel % w);
            for (uint32_t c = 0; c < out.shape.c; c++)
                pixel_of(out, y, x)[c] = own ? pp_tensor_f32(&op->weight, (uint64_t)s->pixel * out.shape.c + c) : from[c];
        }
}

static void mul(const pp_op *op, const pp_view *in, pp_view out)
{
    bool pixel = in[1].shape.h == 1 && in[1].shape.w == 1;
    (void)op;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++) {
            const float *from = pixel_of(in[0], y, x), *factor = pixel ? in[1].at : pixel_of(in[1], y, x);
            for (uint32_t c = 0; c < out.shape.c; c++)
                pixel_of(out, y, x)[c] = from[c] * factor[c];
        }
}

static void shuffle(const pp_op *op, const pp_view *in, pp_view out)
{
    uint32_t n = out.shape.c / op->groups;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++) {
            const float *from = pixel_of(*in, y, x);
            float *to = pixel_of(out, y, x);
            for (uint32_t g = 0; g < op->groups; g++)
                for (uint32_t i = 0; i < n; i++)
                    to[i * op->groups + g] = *from++;
        }
}

static void slice(const pp_op *op, const pp_view *in, pp_view out)
{
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++) {
            const float *from = pixel_of(*in, (size_t)y + op->offset.h, (size_t)x + op->offset.w) + op->offset.c;
            for (uint32_t c = 0; c < out.shape.c; c++)
                pixel_of(out, y, x)[c] = from[c];
        }
}

static void upsample(const pp_op *op, const pp_view *in, pp_view out)
{
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++)
            for (uint32_t c = 0; c < out.shape.c; c++)
                pixel_of(out, y, x)[c] = pixel_of(*in, y / op->window.sh, x / op->window.sw)[c];
}

static void pixel_shuffle(const pp_op *op, const pp_view *in, pp_view out)
{
    uint32_t sh = op->window.sh, sw = op->window.sw;
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++) {
            const float *from = pixel_of(*in, y / sh, x / sw) + y % sh * sw + x % sw;
            for (uint32_t c = 0; c < out.shape.c; c++)
                pixel_of(out, y, x)[c] = from[(size_t)c * sh * sw];
        }
}

static void subsample(const pp_op *op, const pp_view *in, pp_view out)
{
    for (uint32_t y = 0; y < out.shape.h; y++)
        for (uint32_t x = 0; x < out.shape.w; x++)
            for (uint32_t c = 0; c < out.shape.c; c++)
                pixel_of(out, y, x)[c] =
                    c < in->shape.c ? pixel_of(*in, (size_t)y * op->window.sh, (size_t)x * op->window.sw)[c] : 0;
}

static void (*const run[PP_OP_KIND_COUNT])(const pp_op *op, const pp_view *in, pp_view out) = {
    [PP_OP_MAX_POOL] = max_pool, [PP_OP_AVG_POOL] = avg_pool, [PP_OP_GLOBAL_POOL] = global_pool, [PP_OP_ADD] = add,
    [PP_OP_CONCAT] = concat,     [PP_OP_FLATTEN] = flatten,   [PP_OP_ACT] = act, [PP_OP_SUBSAMPLE] = subsample,
    [PP_OP_SCALE] = scale,       [PP_OP_MUL] = mul,           [PP_OP_SHUFFLE] = shuffle,
    [PP_OP_SLICE] = slice,       [PP_OP_UPSAMPLE] = upsample, [PP_OP_NORM] = norm,
    [PP_OP_SOFTMAX] = softmax,   [PP_OP_PIXEL_SHUFFLE] = pixel_shuffle,
    [PP_OP_GROUP_NORM] = group_norm, [PP_OP_RESPONSE_NORM] = response_norm,
    [PP_OP_PRODUCT] = product,   [PP_OP_OFFSET] = offset,     [PP_OP_ARRANGE] = arrange,
};

void pp_data_run_(const pp_op *op, const pp_view *in, pp_view out)
{
    run[op->kind](op, in, out);
}
