/* The digital end of the datapath by its definition (docs/quantization.md). Slow and obvious. */
#include "quant/rotate_internal.h"

#include <assert.h>
#include <math.h>

int64_t pp_qstage_psum(const pp_qnetwork *q, uint32_t stage, int64_t acc)
{
    return pp_saturate(pp_rshift_even(acc, q->stage[stage].psum_shift), q->psum_bits);
}

static int64_t clamp64(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static int64_t activate(const pp_qnetwork *q, uint32_t stage, uint32_t c, int64_t pre)
{
    pp_act act = q->stages->stage[stage].act;
    if (!pp_act_is_clamp(act))
        return pp_act_units(act, pre, q->stage[stage].unit[c]);
    return act == PP_ACT_NONE ? pre : clamp64(pre, 0, pp_act_ceiling(act, q->stage[stage].unit[c]));
}

void pp_qstage_digital_pixel(const pp_qnetwork *q, uint32_t stage, const int64_t *sum, const int16_t *residual,
                             int64_t *act)
{
    const pp_qstage *s = &q->stage[stage];
    assert(s->code && (residual != NULL) == (s->add_mult != NULL));
    for (uint32_t c = 0; c < s->cout; c++) {
        int64_t pre = sum[c] + s->bias[c];
        if (residual)
            pre += pp_rescale(residual[c], s->add_mult[c], s->add_shift);
        act[c] = activate(q, stage, c, pre);
    }
}

int32_t pp_quantize_value(const pp_qformat *f, double value)
{
    double code = nearbyint(value / f->scale);
    return code <= f->qmin ? f->qmin : code >= f->qmax ? f->qmax : (int32_t)code;
}

/* Code of the stage's stream, or the word that a rotation of it takes. */
static int32_t to_stream(const pp_qnetwork *q, uint32_t stage, int64_t v)
{
    const pp_qformat *f = &q->stream[stage + 1];
    if (q->stage[stage].rotate_out)
        return (int32_t)pp_saturate(v, PP_ROTATE_WORD);
    return (int32_t)clamp64(v, f->qmin, f->qmax);
}

int32_t pp_qstage_requant(const pp_qnetwork *q, uint32_t stage, uint32_t c, int64_t pooled)
{
    const pp_qstage *s = &q->stage[stage];
    return to_stream(q, stage, pp_rescale(pooled, s->out_mult[c], s->out_shift));
}

/* a x full / divisor, half to even, for a, full >= 0. */
static int64_t scale_multiplier(int64_t mult, uint32_t full, uint32_t divisor)
{
    int64_t a = mult * full, low = a / divisor, rest = a % divisor;
    return low + (2 * rest > divisor || (2 * rest == divisor && (low & 1)));
}

int32_t pp_qstage_requant_partial(const pp_qnetwork *q, uint32_t stage, uint32_t c, int64_t pooled, uint32_t full,
                                  uint32_t divisor)
{
    const pp_qstage *s = &q->stage[stage];
    if (divisor == full || divisor == 0)
        return pp_qstage_requant(q, stage, c, pooled);
    int64_t mult = scale_multiplier(s->out_mult[c], full, divisor);
    return to_stream(q, stage, pp_rescale(pooled, mult, s->out_shift));
}

int64_t pp_pool_reduce(const pp_op *pool, const pp_qwindow *w, pp_shape map, const int64_t *at)
{
    bool max = pool->kind == PP_OP_MAX_POOL;
    if (w->valid == 0)
        return 0;
    int64_t result = max ? INT64_MIN : 0;
    for (uint32_t y = w->y0; y < w->y1; y += w->step_y) {
        for (uint32_t x = w->x0; x < w->x1; x += w->step_x) {
            int64_t v = at[((size_t)y * map.w + x) * map.c];
            result = max ? (v > result ? v : result) : result + v;
        }
    }
    return result;
}

/* ---- stages without a matrix ---- */

static int64_t data_value(const pp_qstage *s, uint32_t k, const int16_t *map, size_t at)
{
    return pp_rescale(map[at], s->in_mult[k], s->in_shift);
}

static void data_pool(const pp_qnetwork *q, uint32_t stage, uint32_t y, uint32_t x, const int16_t *map, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_op *pool = &q->net->ops[st->first_op];
    pp_qwindow w = pp_pool_window(pool, st->in, y, x);
    bool max = pool->kind == PP_OP_MAX_POOL;
    for (uint32_t c = 0; c < st->in.c; c++) {
        act[c] = max && w.valid ? INT64_MIN : 0;
        for (uint32_t iy = w.y0; iy < w.y1; iy += w.step_y) {
            for (uint32_t ix = w.x0; ix < w.x1; ix += w.step_x) {
                int64_t v = data_value(&q->stage[stage], 0, map, ((size_t)iy * st->in.w + ix) * st->in.c + c);
                act[c] = !max ? act[c] + v : v > act[c] ? v : act[c];
            }
        }
    }
}

static void data_join(const pp_qnetwork *q, uint32_t stage, size_t pixel, const int16_t *const *inputs, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    bool concat = q->net->ops[st->first_op].kind == PP_OP_CONCAT;
    uint32_t first = 0;
    for (uint32_t k = 0; k < st->n_inputs; k++) {
        uint32_t width = pp_stream_shape(q->net, q->stages, st->inputs[k].stream).c;
        for (uint32_t c = 0; c < width; c++) {
            int64_t v = data_value(&q->stage[stage], k, inputs[k], pixel * width + c);
            act[first + c] = concat || k == 0 ? v : act[first + c] + v;
        }
        first += concat ? width : 0;
    }
}

/* The second input may be one pixel. */
static void data_mul(const pp_qnetwork *q, uint32_t stage, size_t pixel, const int16_t *const *inputs, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    pp_shape factor = pp_stream_shape(q->net, q->stages, st->inputs[1].stream);
    size_t other = factor.h == 1 && factor.w == 1 ? 0 : pixel;
    for (uint32_t c = 0; c < st->fire.c; c++)
        act[c] = (int64_t)inputs[0][pixel * st->in.c + c] * inputs[1][other * st->in.c + c];
}

/* One pixel of the only input, its channels in another order or a part of them. */
static void data_pick(const pp_qnetwork *q, uint32_t stage, uint32_t y, uint32_t x, const int16_t *map, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_op *op = &q->net->ops[st->first_op];
    uint32_t n = st->in.c / op->groups, sh = op->window.sh, sw = op->window.sw, corner = y % sh * sw + x % sw;
    if (op->kind == PP_OP_SLICE) {
        y += op->offset.h;
        x += op->offset.w;
    } else if (op->kind == PP_OP_UPSAMPLE || op->kind == PP_OP_PIXEL_SHUFFLE) {
        y /= sh;
        x /= sw;
    }
    for (uint32_t c = 0; c < st->fire.c; c++) {
        uint32_t from = op->kind == PP_OP_SHUFFLE         ? c % op->groups * n + c / op->groups
                        : op->kind == PP_OP_PIXEL_SHUFFLE ? c * sh * sw + corner
                                                          : c + op->offset.c;
        act[c] = data_value(&q->stage[stage], 0, map, ((size_t)y * st->in.w + x) * st->in.c + from);
    }
}

/* value / unit, half to even, within 2^52. */
static int64_t to_units(double value, double unit)
{
    const double v = nearbyint(value / unit);
    return v > 0x1p52 ? INT64_C(1) << 52 : v < -0x1p52 ? -(INT64_C(1) << 52) : v <= 0x1p52 ? (int64_t)v : 0;
}

/* Parts whose sum fits 32 bits, which compilers do many of at a time. */
static int64_t dot(const int16_t *a, const int16_t *b, uint32_t n)
{
    enum { PART = 32768 }; /* x 255 x 255 < 2^31 */
    int64_t sum = 0;
    for (uint32_t at = 0; at < n; at += PART) {
        const uint32_t end = n - at < PART ? n : at + PART;
        int32_t part = 0;
        for (uint32_t k = at; k < end; k++)
            part += a[k] * b[k];
        sum += part;
    }
    return sum;
}

/* Sums of products of codes, exact: of one fired pixel with the pixels of a sequence, head by head. */
static void data_product(const pp_qnetwork *q, uint32_t stage, uint32_t y, size_t pixel, const int16_t *const *inputs,
                         int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_op *op = &q->net->ops[st->first_op];
    const pp_shape b = pp_stream_shape(q->net, q->stages, st->inputs[1].stream);
    const uint32_t inner = st->in.c / op->groups, n = st->fire.c / op->groups, tokens = op->transposed ? n : inner;
    const int16_t *sequence = inputs[1] + (op->whole ? 0 : (size_t)y * b.w * b.c);
    for (uint32_t c = 0; c < st->fire.c; c++)
        act[c] = 0;
    for (uint32_t g = 0; g < op->groups; g++) {
        const int16_t *left = inputs[0] + pixel * st->in.c + (size_t)g * inner;
        for (uint32_t t = 0; t < tokens; t++) {
            const int16_t *right = sequence + (size_t)t * b.c + (size_t)g * (op->transposed ? inner : n);
            if (op->transposed)
                act[g * n + t] = dot(left, right, inner);
            else
                for (uint32_t c = 0; c < n; c++)
                    act[g * n + c] += left[t] * right[c];
        }
    }
}

/* A pixel of one of the inputs, or one of its own. */
static void data_arrange(const pp_qnetwork *q, uint32_t stage, size_t pixel, const int16_t *const *inputs, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_op *op = &q->net->ops[st->first_op];
    const pp_source s = op->from[pixel];
    const double unit = pp_qstage_first_unit(q, st);
    for (uint32_t c = 0; c < st->fire.c; c++) {
        const size_t at = (size_t)s.pixel * st->fire.c + c;
        act[c] = s.input < op->n_inputs ? data_value(&q->stage[stage], s.input, inputs[s.input], at)
                                        : to_units((double)pp_tensor_f32(&op->weight, at), unit);
    }
}

/* Numbers that never change, in the units of what is before them. */
static void add_offset(const pp_qnetwork *q, uint32_t stage, size_t pixel, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_tensor *w = &q->net->ops[st->offset].weight;
    const double unit = pp_qstage_first_unit(q, st);
    for (uint32_t c = 0; c < st->fire.c; c++)
        act[c] += to_units((double)pp_tensor_f32(w, pixel * st->fire.c + c), unit);
}

/* Softmax of each head's scores, from the units of a product to those of the stage. */
static void soften(const pp_qnetwork *q, uint32_t stage, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const uint32_t groups = q->net->ops[st->softmax].groups, n = st->fire.c / groups;
    const double unit = pp_qstage_first_unit(q, st);
    for (uint32_t g = 0; g < groups; g++, act += n) {
        int64_t top = act[0];
        double sum = 0;
        for (uint32_t c = 1; c < n; c++)
            top = act[c] > top ? act[c] : top;
        for (uint32_t c = 0; c < n; c++)
            sum += exp((double)(act[c] - top) * unit);
        for (uint32_t c = 0; c < n; c++)
            act[c] = to_units(exp((double)(act[c] - top) * unit) / sum, q->stage[stage].unit[g * n + c]);
    }
}

/* Layer norm and softmax by their definition, in double on the codes' values; results in the stage's units. */
static void data_normalise(const pp_qnetwork *q, uint32_t stage, const int16_t *codes, uint32_t lo, uint32_t hi,
                           int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_op *op = &q->net->ops[st->first_op];
    const bool norm = op->kind == PP_OP_NORM;
    double scale = q->stream[st->inputs[0].stream].scale, n = hi - lo, first = 0, second = 0;
    for (uint32_t c = lo; c < hi; c++) /* mean, or the largest */
        first = norm ? first + codes[c] * scale / n : c == lo || codes[c] * scale > first ? codes[c] * scale : first;
    for (uint32_t c = lo; c < hi; c++) { /* variance, or the sum */
        double v = codes[c] * scale - first;
        second += norm ? v * v / n : exp(v);
    }
    double inverse = norm ? 1 / sqrt(second + op->epsilon) : 1 / second;
    for (uint32_t c = lo; c < hi; c++) {
        double v = codes[c] * scale - first;
        v = norm ? v * inverse * (double)pp_tensor_f32(&op->weight, c) + (double)pp_tensor_f32(&op->bias, c) : exp(v) * inverse;
        act[c] = to_units(v, q->stage[stage].unit[c]);
    }
}

/* Mean and 1 / deviation of a group of channels over the whole map, in codes: sums of integers, exact. */
typedef struct moments {
    double mean, inverse;
} moments;

static moments moments_of(const pp_qnetwork *q, uint32_t stage, const int16_t *map, uint32_t group)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_op *op = &q->net->ops[st->first_op];
    const uint32_t each = st->in.c / op->groups;
    const size_t pixels = (size_t)st->in.h * st->in.w;
    const double scale = q->stream[st->inputs[0].stream].scale, n = (double)pixels * each;
    int64_t sum = 0, square = 0;
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t c = group * each; c < (group + 1) * each; c++) {
            sum += map[p * st->in.c + c];
            square += (int64_t)map[p * st->in.c + c] * map[p * st->in.c + c];
        }
    const double mean = (double)sum / n, variance = fmax((double)square / n - mean * mean, 0);
    return (moments){mean, 1 / sqrt(variance * scale * scale + op->epsilon)};
}

static void data_group(const pp_qnetwork *q, uint32_t stage, size_t pixel, const int16_t *map, uint32_t group, moments m,
                       int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_op *op = &q->net->ops[st->first_op];
    const uint32_t each = st->in.c / op->groups;
    const double scale = q->stream[st->inputs[0].stream].scale;
    for (uint32_t c = group * each; c < (group + 1) * each; c++) {
        const double v = (map[pixel * st->in.c + c] - m.mean) * scale * m.inverse;
        act[c] = to_units(v * (double)pp_tensor_f32(&op->weight, c) + (double)pp_tensor_f32(&op->bias, c), q->stage[stage].unit[c]);
    }
}

/* Squares of codes are summed as integers, exact. */
static void data_response(const pp_qnetwork *q, uint32_t stage, const int16_t *codes, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_response *r = &q->net->ops[st->first_op].response;
    const double scale = q->stream[st->inputs[0].stream].scale;
    for (uint32_t c = 0; c < st->in.c; c++) {
        uint32_t from, to;
        int64_t squares = 0;
        pp_response_window(r, c, st->in.c, &from, &to);
        for (uint32_t k = from; k < to; k++)
            squares += (int64_t)codes[k] * codes[k];
        act[c] = to_units(codes[c] * scale * pp_response_factor(r, (double)squares * scale * scale), q->stage[stage].unit[c]);
    }
}

/* The channels of a pixel; of a softmax each part for itself. */
static void data_normalise_pixel(const pp_qnetwork *q, uint32_t stage, size_t pixel, const int16_t *map, int64_t *act)
{
    const uint32_t c = q->stages->stage[stage].in.c, part = c / q->net->ops[q->stages->stage[stage].first_op].groups;
    for (uint32_t lo = 0; lo < c; lo += part)
        data_normalise(q, stage, map + pixel * c, lo, lo + part, act);
}

/* The batch norm of a stage without a matrix. */
static int64_t scaled(const pp_qstage *s, uint32_t c, int64_t v)
{
    int64_t mult = s->scale_mult[c];
    return (mult < 0 ? -pp_rescale(v, -mult, s->scale_shift) : pp_rescale(v, mult, s->scale_shift)) + s->scale_bias[c];
}

static void data_subsample(const pp_qnetwork *q, uint32_t stage, uint32_t y, uint32_t x, const int16_t *map,
                           int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_window *w = &q->net->ops[st->first_op].window;
    size_t pixel = (size_t)y * w->sh * st->in.w + (size_t)x * w->sw;
    for (uint32_t c = 0; c < st->fire.c; c++)
        act[c] = c < st->in.c ? data_value(&q->stage[stage], 0, map, pixel * st->in.c + c) : 0;
}

/* Map [H][W][C] to one pixel in C,H,W order. */
static void data_flatten(const pp_qnetwork *q, uint32_t stage, const int16_t *map, int64_t *act)
{
    pp_shape in = q->stages->stage[stage].in;
    size_t pixels = (size_t)in.h * in.w;
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t c = 0; c < in.c; c++)
            act[c * pixels + p] = data_value(&q->stage[stage], 0, map, p * in.c + c);
}

void pp_qstage_data_pixel(const pp_qnetwork *q, uint32_t stage, uint32_t y, uint32_t x, const int16_t *const *inputs,
                          int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    assert(st->matrix == PP_NONE);
    switch (q->net->ops[st->first_op].kind) {
    case PP_OP_MAX_POOL:
    case PP_OP_AVG_POOL:
    case PP_OP_GLOBAL_POOL:
        data_pool(q, stage, y, x, inputs[0], act);
        break;
    case PP_OP_SUBSAMPLE:
        data_subsample(q, stage, y, x, inputs[0], act);
        break;
    case PP_OP_FLATTEN:
        data_flatten(q, stage, inputs[0], act);
        break;
    case PP_OP_MUL:
        data_mul(q, stage, (size_t)y * st->fire.w + x, inputs, act);
        break;
    case PP_OP_NORM:
    case PP_OP_SOFTMAX:
        data_normalise_pixel(q, stage, (size_t)y * st->fire.w + x, inputs[0], act);
        break;
    case PP_OP_RESPONSE_NORM:
        data_response(q, stage, inputs[0] + ((size_t)y * st->fire.w + x) * st->in.c, act);
        break;
    case PP_OP_GROUP_NORM:
        for (uint32_t g = 0; g < q->net->ops[st->first_op].groups; g++)
            data_group(q, stage, (size_t)y * st->fire.w + x, inputs[0], g, moments_of(q, stage, inputs[0], g), act);
        break;
    case PP_OP_PRODUCT:
        data_product(q, stage, y, (size_t)y * st->fire.w + x, inputs, act);
        break;
    case PP_OP_ARRANGE:
        data_arrange(q, stage, (size_t)y * st->fire.w + x, inputs, act);
        break;
    case PP_OP_SHUFFLE:
    case PP_OP_SLICE:
    case PP_OP_UPSAMPLE:
    case PP_OP_PIXEL_SHUFFLE:
        data_pick(q, stage, y, x, inputs[0], act);
        break;
    default: /* add, concat, scale, offset, activation: same pixel of every input */
        data_join(q, stage, (size_t)y * st->fire.w + x, inputs, act);
        break;
    }
    if (st->offset != PP_NONE)
        add_offset(q, stage, (size_t)y * st->fire.w + x, act);
    if (st->softmax != PP_NONE)
        soften(q, stage, act);
    for (uint32_t c = 0; c < st->fire.c && q->stage[stage].scale_mult; c++)
        act[c] = scaled(&q->stage[stage], c, act[c]);
    for (uint32_t c = 0; c < st->fire.c; c++)
        act[c] = activate(q, stage, c, act[c]);
}

void pp_qstage_data_map(const pp_qnetwork *q, uint32_t stage, const int16_t *const *inputs, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_op *op = &q->net->ops[st->first_op];
    const size_t pixels = (size_t)st->fire.h * st->fire.w;
    if (op->kind != PP_OP_GROUP_NORM) {
        for (size_t p = 0; p < pixels; p++)
            pp_qstage_data_pixel(q, stage, (uint32_t)(p / st->fire.w), (uint32_t)(p % st->fire.w), inputs, act + p * st->fire.c);
        return;
    }
    for (uint32_t g = 0; g < op->groups; g++) {
        const moments m = moments_of(q, stage, inputs[0], g);
        for (size_t p = 0; p < pixels; p++)
            data_group(q, stage, p, inputs[0], g, m, act + p * st->fire.c);
    }
}

/* ---- pooling and requantization ---- */

void pp_qstage_tail(const pp_qnetwork *q, uint32_t stage, const int64_t *act, int16_t *codes, double *logits)
{
    pp_qstage_tail_by(q, stage, act, codes, logits, pp_qrotate_out);
}

void pp_qstage_tail_by(const pp_qnetwork *q, uint32_t stage, const int64_t *act, int16_t *codes, double *logits,
                       pp_qrotate_out_fn *rotate)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_qstage *s = &q->stage[stage];
    const pp_op *tail = pp_stage_tail_pool(q->net, st), *pool = pp_stage_any_pool(q->net, st);
    uint32_t full = pool ? pp_pool_full(pool) : 1;
    int64_t word[PP_ROTATE_OUT_MAX]; /* of a pixel that is rotated */
    for (uint32_t y = 0; y < st->out.h; y++) {
        for (uint32_t x = 0; x < st->out.w; x++) {
            pp_qwindow w = pool ? pp_pool_window(pool, tail ? st->fire : st->in, y, x) : (pp_qwindow){.divisor = 1};
            uint32_t divisor = pool && pool->kind != PP_OP_MAX_POOL && w.divisor ? w.divisor : full;
            const size_t pixel = ((size_t)y * st->out.w + x) * st->out.c;
            for (uint32_t c = 0; c < st->out.c; c++) {
                int64_t v = tail ? pp_pool_reduce(pool, &w, st->fire, act + c) : act[pixel + c];
                if (!codes)
                    logits[pixel + c] = (double)v * s->unit[c] / divisor;
                else if (s->rotate_out)
                    word[c] = pp_qstage_requant_partial(q, stage, c, v, full, divisor);
                else
                    codes[pixel + c] = (int16_t)pp_qstage_requant_partial(q, stage, c, v, full, divisor);
            }
            if (codes && s->rotate_out)
                rotate(q, stage, 0, st->out.c, word);
            for (uint32_t c = 0; codes && s->rotate_out && c < st->out.c; c++)
                codes[pixel + c] = (int16_t)word[c];
        }
    }
}
