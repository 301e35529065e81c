/* The analog engine in plain loops: array by array, firing by firing, column by column, row by row. Inputs are found by their
 * coordinates, noise one number at a time, the digital end pixel by pixel; what the fast path must equal to the bit. */
#include "quant/rotate_stage.h"
#include "quant/scale_stage.h"
#include "sim/crossbar_analog_internal.h"

#include <math.h>
#include <stdlib.h>

typedef struct layer {
    const pp_analog *x;
    uint32_t stage, image;
    const pp_stage *st;
    const pp_astage *s;
    const int16_t *in;  /* codes [h][w][c] */
    int64_t *sum;       /* [fire.h][fire.w][cout] */
    uint32_t *m;        /* [groups] scales of the present firing, where codes are made anew */
} layer;

/* Value on a row of an array at a firing, for one slice of the input. */
static float input_at(const layer *l, const pp_aarray *a, uint32_t firing, uint32_t row, uint32_t plane)
{
    const pp_astage *s = l->s;
    const uint32_t width = a->in_hi - a->in_lo, run = row / width, channel = a->in_lo + row % width;
    const int64_t y = (int64_t)(firing / s->grid_w) * s->patch.y * s->window.sh + s->line_y[run / s->n_lines_x] - s->window.top;
    const int64_t x = (int64_t)(firing % s->grid_w) * s->patch.x * s->window.sw + s->line_x[run % s->n_lines_x] - s->window.left;
    if (y < 0 || x < 0 || y >= l->st->in.h || x >= l->st->in.w)
        return 0;
    const int in = l->in[((size_t)y * l->st->in.w + (size_t)x) * l->st->in.c + channel];
    const pp_qformat dac = pp_qstage_dac(l->x->q, l->stage);
    const int code = s->rescales ? pp_qrescale_code(&dac, in, l->m[channel / s->cin_g]) : in;
    return s->plane[plane].lut[code + (dac.is_signed ? 128 : 0)];
}

static float column(const layer *l, const pp_aarray *a, uint32_t firing, uint32_t plane, uint32_t block, uint32_t c)
{
    const pp_analog *x = l->x;
    float acc = 0, var = 0;
    for (uint32_t r = 0; r < a->rows; r++) {
        const float v = input_at(l, a, firing, r, plane);
        acc = fmaf(v, a->w[pp_apacked(a, block, r, c)], acc);
        if (a->s2 != NULL)
            var = fmaf(v * v, a->s2[pp_apacked(a, block, r, c)], var);
    }
    if (!x->fresh || x->ideal_stage == a->stage)
        return acc;
    uint32_t key[2], counter[4];
    const uint32_t index = (firing - a->copy) / l->s->copies;
    const pp_aread read = {l->image, index / PP_AGROUP, -1};
    pp_analog_counter_(x, a, &read, plane * x->n_blocks + block, key, counter);
    const float z = pp_normal_at((uint64_t)(index % PP_AGROUP) * a->padded + c, key, counter);
    return fmaf(sqrtf(var + a->extra[(size_t)block * a->padded + c]), z, acc);
}

static float clamp(float v, float low, float high)
{
    return v > high ? high : v < low ? low : v;
}

/* Partial sum of one column of one firing: all slices of inputs and weights. */
static int64_t partial_sum(const layer *l, const pp_aarray *a, uint32_t firing, uint32_t c)
{
    const pp_analog *x = l->x;
    const float high = x->psum_max, low = -high - 1;
    const double unit = exp2(-(double)x->q->stage[l->stage].psum_shift);
    const uint32_t couts = a->out_hi - a->out_lo;
    const float m = l->s->rescales ? (float)l->m[(a->out_lo + c % couts) / l->s->cout_g] : 1;
    int64_t sum = 0;
    float ideal = 0, inputs = 0;
    for (uint32_t k = 0; k < l->s->n_planes; k++) {
        const float weight = l->s->plane[k].weight;
        float total = 0;
        for (uint32_t r = 0; r < a->rows; r++)
            total += input_at(l, a, firing, r, k);
        inputs += total * weight;
        for (uint32_t b = 0; b < x->n_blocks; b++) {
            const size_t at = (size_t)b * a->padded + c;
            const float acc = column(l, a, firing, k, b, c);
            if (x->code_max == 0) {
                ideal += acc * (a->gain[at] * weight);
                continue;
            }
            const float code = rintf(clamp(acc * a->inverse[at] + a->offset[at], -x->code_max, x->code_max));
            sum += (int32_t)rintf(clamp(code * (a->gain[at] * weight) * m, low, high));
        }
    }
    if (x->code_max == 0) {
        ideal -= a->digital != NULL ? a->digital[c] * inputs : 0;
        return (int32_t)clamp((float)rint((double)ideal * unit * (double)m), low, high);
    }
    return sum - (a->digital != NULL ? (int32_t)nearbyint((double)(a->digital[c] * inputs) * unit * (double)m) : 0);
}

int64_t pp_analog_partial_sum_(const pp_analog *x, const pp_aarray *a, const int16_t *in, uint32_t image, uint32_t firing,
                               uint32_t c)
{
    const layer l = {x, a->stage, image, &x->q->stages->stage[a->stage], &x->stage[a->stage], in, NULL, NULL};
    return partial_sum(&l, a, firing, c);
}

/* m of the groups that an array has rows of. */
static void find_scales(const layer *l, const pp_aarray *a, uint32_t firing)
{
    const pp_astage *s = l->s;
    const uint32_t patch[2] = {s->patch.y, s->patch.x};
    if (!s->rescales)
        return;
    pp_qfiring f = pp_qfiring_at(l->x->q, l->stage, patch, firing / s->grid_w * s->patch.y, firing % s->grid_w * s->patch.x);
    for (f.group = a->in_lo / s->cin_g; f.group * s->cin_g < a->in_hi; f.group++) {
        const uint32_t first = f.group * s->cin_g;
        f.lo = a->in_lo > first ? a->in_lo - first : 0;
        f.hi = a->in_hi < first + s->cin_g ? a->in_hi - first : s->cin_g;
        l->m[f.group] = pp_qrescale_factor(l->x->q, l->stage, &f, l->in);
    }
}

static void add_array(const layer *l, const pp_aarray *a)
{
    const pp_astage *s = l->s;
    const uint32_t couts = a->out_hi - a->out_lo;
    for (uint32_t i = 0; i < a->firings; i++) {
        const uint32_t firing = a->copy + i * s->copies;
        find_scales(l, a, firing);
        for (uint32_t c = 0; c < a->cols; c++) {
            const uint32_t u = c / couts;
            const uint32_t y = firing / s->grid_w * s->patch.y + u / s->patch.x;
            const uint32_t x = firing % s->grid_w * s->patch.x + u % s->patch.x;
            if (y < l->st->fire.h && x < l->st->fire.w)
                l->sum[((size_t)y * l->st->fire.w + x) * l->st->fire.c + a->out_lo + c % couts] += partial_sum(l, a, firing, c);
        }
    }
}

static void settle(const layer *l, const int16_t *residual, int64_t *act)
{
    const pp_analog *x = l->x;
    const uint32_t cout = x->q->stage[l->stage].cout;
    for (size_t p = 0; p < (size_t)l->st->fire.h * l->st->fire.w; p++) {
        for (uint32_t c = 0; c < cout; c++) {
            int64_t v = pp_saturate(l->sum[p * cout + c], x->q->psum_bits);
            if (l->s->a != NULL)
                v = (int64_t)clamp(rintf((float)v * l->s->a[c] + l->s->b[c]), -x->psum_max - 1, x->psum_max);
            l->sum[p * cout + c] = v;
        }
        pp_qstage_digital_pixel(x->q, l->stage, l->sum + p * cout, residual != NULL ? residual + p * cout : NULL, act + p * cout);
    }
}

static pp_status run_stage(const pp_analog *x, uint32_t stage, uint32_t image, int16_t **streams, double *logits)
{
    const pp_stage *st = &x->q->stages->stage[stage];
    const size_t pixels = (size_t)st->fire.h * st->fire.w;
    int64_t *sum = pp_calloc(pixels * st->fire.c, sizeof *sum), *act = pp_calloc(pixels * st->fire.c, sizeof *act);
    const int16_t **in = pp_calloc(st->n_inputs, sizeof *in), *residual = NULL;
    int16_t *rotated = NULL;
    uint32_t *m = pp_calloc(st->in.c, sizeof *m);
    pp_status status = sum != NULL && act != NULL && in != NULL && m != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t k = 0; k < st->n_inputs && status == PP_OK; k++) {
        in[k] = streams[st->inputs[k].stream];
        residual = st->inputs[k].role == PP_ROLE_ADD ? in[k] : residual;
    }
    if (status == PP_OK && pp_qrotates_here(x->q, stage))
        status = pp_qrotate_reference(x->q, stage, in[0], (size_t)st->in.h * st->in.w, &rotated);
    if (status == PP_OK) {
        layer l = {x, stage, image, st, &x->stage[stage], rotated != NULL ? rotated : in[0], sum, m};
        for (uint32_t i = 0; i < l.s->n_arrays; i++)
            add_array(&l, &x->array[l.s->first_array + i]);
        if (l.s->matrix)
            settle(&l, residual, act);
        for (uint32_t p = 0; !l.s->matrix && p < pixels; p++)
            pp_qstage_data_pixel(x->q, stage, p / st->fire.w, p % st->fire.w, in, act + (size_t)p * st->fire.c);
        const bool last = stage == x->q->stages->output;
        pp_qstage_tail(x->q, stage, act, last ? NULL : streams[stage + 1], last ? logits : NULL);
    }
    free(sum);
    free(act);
    free(in);
    free(rotated);
    free(m);
    return status;
}

static pp_status input_codes(const pp_analog *x, const pp_dataset *data, uint32_t image, int16_t *codes)
{
    const pp_shape in = x->q->net->ops[0].out;
    float *pixels = pp_calloc((size_t)in.h * in.w * in.c, sizeof *pixels);
    if (pixels == NULL)
        return PP_ENOMEM;
    pp_dataset_normalise(data, x->q->net, image, pixels);
    pp_quantize_input(x->q, pixels, codes);
    free(pixels);
    return PP_OK;
}

pp_status pp_analog_reference(const pp_analog *x, const pp_dataset *data, uint32_t image, float *logits)
{
    const uint32_t n = x->q->stages->n;
    const pp_shape out = x->q->stages->stage[x->q->stages->output].out;
    int16_t **streams = pp_calloc(n + 1, sizeof *streams);
    double *result = pp_calloc((size_t)out.h * out.w * out.c, sizeof *result);
    pp_status status = streams != NULL && result != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t s = 0; s <= n && status == PP_OK; s++) {
        const pp_shape shape = pp_stream_shape(x->q->net, x->q->stages, s);
        streams[s] = pp_calloc((size_t)shape.h * shape.w * shape.c, sizeof **streams);
        status = streams[s] != NULL ? PP_OK : PP_ENOMEM;
    }
    if (status == PP_OK)
        status = input_codes(x, data, image, streams[0]);
    for (uint32_t s = 0; s < n && status == PP_OK; s++)
        status = run_stage(x, s, image, streams, result);
    for (size_t c = 0; status == PP_OK && c < (size_t)out.h * out.w * out.c; c++)
        logits[c] = (float)result[c];
    for (uint32_t s = 0; streams != NULL && s <= n; s++)
        free(streams[s]);
    free(streams);
    free(result);
    return status;
}
