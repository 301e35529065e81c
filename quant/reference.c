/* Integer reference executor: every sum by its definition. Slow and obvious. */
#include "quant/rotate_internal.h"
#include "quant/scale_stage.h"

#include <stdlib.h>

void pp_quantize_input(const pp_qnetwork *q, const float *image, int16_t *codes)
{
    size_t n = pp_shape_count(q->net->ops[0].out);
    for (size_t i = 0; i < n; i++)
        codes[i] = (int16_t)pp_quantize_value(&q->stream[0], image[i]);
}

/* Scale of the codes that a firing puts on rows; dac NULL: the input's codes as they are. */
typedef struct rescale {
    const pp_qformat *dac;
    uint32_t m;
} rescale;

/* Sum over the rows of input channels [c_lo, c_hi) (inside the group) for output channel `out` at (y, x). */
static int64_t sum_rows(const pp_qgeom *g, const int8_t *code, const int16_t *in, uint32_t y, uint32_t x, uint32_t out,
                        uint32_t c_lo, uint32_t c_hi, rescale r)
{
    int64_t sum = 0;
    const int8_t *row = code + (size_t)out * g->cin_g * g->win.kh * g->win.kw;
    uint32_t group = out / g->cout_g;
    for (uint32_t c = c_lo; c < c_hi; c++) {
        for (uint32_t ky = 0; ky < g->win.kh; ky++) {
            for (uint32_t kx = 0; kx < g->win.kw; kx++) {
                int64_t iy = (int64_t)y * g->win.sh + (int64_t)ky * g->win.dh - g->win.top;
                int64_t ix = (int64_t)x * g->win.sw + (int64_t)kx * g->win.dw - g->win.left;
                if (iy < 0 || ix < 0 || iy >= g->in.h || ix >= g->in.w)
                    continue;
                size_t at = ((size_t)iy * g->in.w + (size_t)ix) * g->in.c + group * g->cin_g + c;
                const int32_t value = r.dac ? pp_qrescale_code(r.dac, in[at], r.m) : in[at];
                sum += (int64_t)row[((size_t)c * g->win.kh + ky) * g->win.kw + kx] * value;
            }
        }
    }
    return sum;
}

/* Partial sum of one output on one row tile. */
static int64_t sum_tile(const pp_qnetwork *q, uint32_t stage, const pp_qgeom *g, const pp_row_tiles *tiles,
                        const int16_t *in, uint32_t y, uint32_t x, uint32_t out, uint32_t lo, uint32_t hi)
{
    const int8_t *code = q->stage[stage].code;
    if (!pp_qrescales(q, stage))
        return pp_qstage_psum(q, stage, sum_rows(g, code, in, y, x, out, lo, hi, (rescale){0}));
    const pp_qformat dac = pp_qstage_dac(q, stage);
    pp_qfiring f = pp_qfiring_at(q, stage, tiles && tiles->patch ? tiles->patch[stage] : NULL, y, x);
    f.group = out / g->cout_g;
    f.lo = lo;
    f.hi = hi;
    const uint32_t m = pp_qrescale_factor(q, stage, &f, in);
    return pp_qstage_psum_scaled(q, stage, sum_rows(g, code, in, y, x, out, lo, hi, (rescale){&dac, m}), m);
}

/* Sum of one output over the row tiles of its stage, as it enters the digital end. */
static int64_t sum_tiles(const pp_qnetwork *q, uint32_t stage, const pp_qgeom *g, const pp_row_tiles *tiles,
                         const int16_t *in, uint32_t y, uint32_t x, uint32_t out)
{
    if (!tiles)
        return sum_tile(q, stage, g, NULL, in, y, x, out, 0, g->cin_g);
    int64_t sum = 0;
    for (uint32_t t = 0; t < tiles->n[stage]; t++) {
        const uint32_t *lo = tiles->lo[stage] + t;
        sum += sum_tile(q, stage, g, tiles, in, y, x, out, lo[0], lo[1]);
    }
    return pp_saturate(sum, q->psum_bits);
}

static pp_status run_matrix(const pp_qnetwork *q, uint32_t stage, const pp_row_tiles *tiles, int16_t *const *streams,
                            int64_t *sum, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    pp_qgeom g = pp_qgeom_of(q->net, st);
    uint32_t k = pp_stage_residual(st);
    const int16_t *in = streams[st->inputs[0].stream];
    const int16_t *residual = k == PP_NONE ? NULL : streams[st->inputs[k].stream];
    int16_t *rotated = NULL;
    if (pp_qrotates_here(q, stage)) {
        PP_TRY(pp_qrotate_reference(q, stage, in, (size_t)g.in.h * g.in.w, &rotated));
        in = rotated;
    }
    for (uint32_t y = 0; y < g.fire.h; y++) {
        for (uint32_t x = 0; x < g.fire.w; x++) {
            size_t at = ((size_t)y * g.fire.w + x) * g.fire.c;
            for (uint32_t c = 0; c < g.fire.c; c++)
                sum[c] = sum_tiles(q, stage, &g, tiles, in, y, x, c);
            pp_qstage_digital_pixel(q, stage, sum, residual ? residual + at : NULL, act + at);
        }
    }
    free(rotated);
    return PP_OK;
}

static pp_status run_data(const pp_qnetwork *q, uint32_t stage, int16_t *const *streams, int64_t *act)
{
    const pp_stage *st = &q->stages->stage[stage];
    const int16_t **inputs = pp_alloc(st->n_inputs, sizeof *inputs);
    if (!inputs)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < st->n_inputs; k++)
        inputs[k] = streams[st->inputs[k].stream];
    for (uint32_t y = 0; y < st->fire.h; y++)
        for (uint32_t x = 0; x < st->fire.w; x++)
            pp_qstage_data_pixel(q, stage, y, x, inputs, act + ((size_t)y * st->fire.w + x) * st->fire.c);
    free(inputs);
    return PP_OK;
}

static pp_status run_stage(const pp_qnetwork *q, uint32_t stage, const pp_row_tiles *tiles, int16_t **streams,
                           double *logits)
{
    const pp_stage *st = &q->stages->stage[stage];
    pp_status status = PP_ENOMEM;
    int64_t *act = pp_alloc(pp_shape_count(st->fire), sizeof *act);
    int64_t *sum = pp_alloc(st->fire.c, sizeof *sum);
    if (!act || !sum)
        goto done;
    status = PP_OK;
    if (st->matrix != PP_NONE)
        PP_GOTO(done, status, run_matrix(q, stage, tiles, streams, sum, act));
    else
        PP_GOTO(done, status, run_data(q, stage, streams, act));
    if (stage == q->stages->output) {
        pp_qstage_tail(q, stage, act, NULL, logits);
        goto done;
    }
    status = PP_ENOMEM;
    if (!(streams[stage + 1] = pp_alloc(pp_shape_count(st->out), sizeof **streams)))
        goto done;
    status = PP_OK;
    pp_qstage_tail(q, stage, act, streams[stage + 1], NULL);
done:
    free(act);
    free(sum);
    return status;
}

pp_status pp_qref_run(const pp_qnetwork *q, const pp_row_tiles *tiles, const int16_t *input, int16_t ***streams,
                      double *logits)
{
    *streams = NULL;
    if (!q->has_values)
        return pp_fail(PP_EINVAL, "network '%s' was quantized without values", q->net->name);
    size_t n = pp_shape_count(q->net->ops[0].out);
    pp_status status = PP_ENOMEM;
    int16_t **all = pp_calloc((size_t)q->stages->n + 1, sizeof *all);
    if (!all || !(all[0] = pp_alloc(n, sizeof *all[0])))
        goto done;
    for (size_t i = 0; i < n; i++)
        all[0][i] = input[i];
    for (uint32_t s = 0; s < q->stages->n; s++)
        PP_GOTO(done, status, run_stage(q, s, tiles, all, logits));
    *streams = all;
    all = NULL;
    status = PP_OK;
done:
    pp_qref_free(q, all);
    return status;
}

void pp_qref_free(const pp_qnetwork *q, int16_t **streams)
{
    if (!streams)
        return;
    for (uint32_t i = 0; i <= q->stages->n; i++)
        free(streams[i]);
    free(streams);
}
