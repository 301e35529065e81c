/* Digital end of a whole map: flat 32-bit loops where every intermediate fits, the definition otherwise. */
#include "quant/rotate_internal.h"

#include <string.h>

enum { CHUNK = 4096, PERIOD_MIN = 128, SHIFT_FLAT_MAX = 61, OUT_SHIFT_MIN = 30 };

static int64_t magnitude(int64_t v)
{
    return v < 0 ? -v : v;
}

/* Whether the flat loops are exact: the activation is a clamp, |sum + bias + residual| fits 32 bits, shifts fit round_shift, and what
 * is left of |act| x 2^30 after out_shift fits 32 bits. */
static bool fits(const pp_qnetwork *q, uint32_t stage)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_qstage *s = &q->stage[stage];
    uint32_t k = pp_stage_residual(st);
    if (!pp_act_is_clamp(st->act))
        return false;
    int64_t code = k == PP_NONE ? 0 : q->stream[st->inputs[k].stream].qmax, worst = 0;
    for (uint32_t c = 0; c < s->cout; c++) {
        if (magnitude(s->bias[c]) > INT32_MAX || (s->add_mult && s->add_mult[c] > INT32_MAX) ||
            (s->out_mult && s->out_mult[c] > 1 << PP_MULT_BITS))
            return false;
        int64_t residual = s->add_mult ? pp_rescale(code, s->add_mult[c], s->add_shift) : 0;
        int64_t v = magnitude(s->bias[c]) + residual;
        worst = v > worst ? v : worst;
    }
    if (worst + (INT64_C(1) << (q->psum_bits - 1)) > INT32_MAX)
        return false;
    if (s->add_mult && (s->add_shift < 1 || s->add_shift > SHIFT_FLAT_MAX))
        return false;
    return !s->out_mult || (s->out_shift >= OUT_SHIFT_MIN && s->out_shift <= SHIFT_FLAT_MAX);
}

/* Channels repeated until a period is long and, where the map is large enough, of whole vectors. */
static size_t flat_period(const pp_stage *st)
{
    size_t pixels = (size_t)st->fire.h * st->fire.w, repeat = 1;
    while (repeat < pixels && (st->fire.c * repeat < PERIOD_MIN || (repeat < 16 && st->fire.c * repeat % 16)))
        repeat++;
    return st->fire.c * repeat;
}

typedef struct space {
    int32_t *param[5], *act;
    int64_t *wide, *sum;
    int16_t *codes, *residual;
} space;

static size_t carve(const pp_qnetwork *q, uint32_t stage, bool flat, bool whole, void *scratch, space *s)
{
    const pp_stage *st = &q->stages->stage[stage];
    size_t n = pp_shape_count(st->fire), period = flat_period(st);
    pp_carve c = {.base = scratch};
    for (int i = 0; flat && i < 5; i++)
        s->param[i] = pp_carve_take(&c, period, sizeof(int32_t));
    if (flat)
        s->act = pp_carve_take(&c, whole ? n : CHUNK + period, sizeof(int32_t));
    if (whole) {
        s->wide = pp_carve_take(&c, n, sizeof(int64_t));
        s->codes = pp_carve_take(&c, pp_shape_count(st->out), sizeof(int16_t));
        s->sum = pp_carve_take(&c, st->fire.c, sizeof(int64_t));
        s->residual = pp_carve_take(&c, st->fire.c, sizeof(int16_t));
    }
    return c.used;
}

/* Pooling, rotations and logits go through the definition's tail, on the whole activated map. */
static bool needs_whole(const pp_qnetwork *q, uint32_t stage, bool flat)
{
    return !flat || q->stage[stage].rotate_out || stage == q->stages->output || pp_stage_tail_pool(q->net, &q->stages->stage[stage]);
}

size_t pp_qstage_finish_scratch(const pp_qnetwork *q, uint32_t stage)
{
    space s;
    bool flat = fits(q, stage);
    return carve(q, stage, flat, needs_whole(q, stage, flat), NULL, &s);
}

static int32_t saturate32(int64_t v)
{
    return v > INT32_MAX ? INT32_MAX : (int32_t)v;
}

static pp_qflat fill_flat(const pp_qnetwork *q, uint32_t stage, const space *sp)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_qstage *s = &q->stage[stage];
    const pp_qformat *out = &q->stream[stage + 1];
    uint32_t k = pp_stage_residual(st);
    size_t period = flat_period(st);
    for (size_t i = 0; i < period; i++) {
        uint32_t c = (uint32_t)(i % s->cout);
        sp->param[0][i] = (int32_t)s->bias[c];
        sp->param[1][i] = s->add_mult ? (int32_t)s->add_mult[c] : 0;
        sp->param[2][i] = st->act == PP_ACT_NONE ? INT32_MIN : 0;
        sp->param[3][i] = saturate32(pp_act_ceiling(st->act, s->unit[c]));
        sp->param[4][i] = s->out_mult ? (int32_t)s->out_mult[c] : 0;
    }
    return (pp_qflat){.period = period, .bias = sp->param[0], .add_mult = sp->param[1], .floor = sp->param[2],
                      .ceiling = sp->param[3], .out_mult = sp->param[4], .add_shift = s->add_shift,
                      .out_shift = s->out_shift,
                      .residual_zero = k == PP_NONE ? 0 : pp_format_zero(&q->stream[st->inputs[k].stream]),
                      .out_zero = pp_format_zero(out), .out_min = out->qmin, .out_max = out->qmax};
}

static void finish_flat(const pp_qnetwork *q, uint32_t stage, const int32_t *sum, const uint8_t *residual, uint8_t *out,
                        const space *sp)
{
    const pp_qfinish_ops *ops = pp_qfinish_ops_get();
    pp_qflat f = fill_flat(q, stage, sp);
    size_t n = pp_shape_count(q->stages->stage[stage].fire), step = (CHUNK + f.period - 1) / f.period * f.period;
    for (size_t at = 0; at < n; at += step) {
        size_t m = n - at < step ? n - at : step;
        ops->act(&f, sum + at, residual ? residual + at : NULL, sp->act, m);
        ops->requant(&f, sp->act, out + at, m);
    }
}

static void act_flat(const pp_qnetwork *q, uint32_t stage, const int32_t *sum, const uint8_t *residual, const space *sp)
{
    pp_qflat f = fill_flat(q, stage, sp);
    size_t n = pp_shape_count(q->stages->stage[stage].fire);
    pp_qfinish_ops_get()->act(&f, sum, residual, sp->act, n);
    for (size_t i = 0; i < n; i++)
        sp->wide[i] = sp->act[i];
}

static void act_slow(const pp_qnetwork *q, uint32_t stage, const int32_t *sum, const uint8_t *residual, const space *sp)
{
    const pp_stage *st = &q->stages->stage[stage];
    uint32_t k = pp_stage_residual(st);
    size_t pixels = (size_t)st->fire.h * st->fire.w;
    for (size_t p = 0; p < pixels; p++) {
        size_t at = p * st->fire.c;
        for (uint32_t c = 0; c < st->fire.c; c++)
            sp->sum[c] = sum[at + c];
        if (residual)
            pp_bytes_to_codes(&q->stream[st->inputs[k].stream], residual + at, sp->residual, st->fire.c);
        pp_qstage_digital_pixel(q, stage, sp->sum, residual ? sp->residual : NULL, sp->wide + at);
    }
}

void pp_qstage_finish(const pp_qnetwork *q, uint32_t stage, const int32_t *sum, const uint8_t *residual, uint8_t *out,
                      double *logits, void *scratch)
{
    space sp;
    bool flat = fits(q, stage), whole = needs_whole(q, stage, flat);
    carve(q, stage, flat, whole, scratch, &sp);
    if (!whole) {
        finish_flat(q, stage, sum, residual, out, &sp);
        return;
    }
    if (flat)
        act_flat(q, stage, sum, residual, &sp);
    else
        act_slow(q, stage, sum, residual, &sp);
    if (stage == q->stages->output) {
        pp_qstage_tail(q, stage, sp.wide, NULL, logits);
        return;
    }
    pp_qstage_tail_by(q, stage, sp.wide, sp.codes, NULL, pp_qrotate_out_fast);
    pp_codes_to_bytes(&q->stream[stage + 1], sp.codes, out, pp_shape_count(q->stages->stage[stage].out));
}

void pp_qstage_psum_map(const pp_qnetwork *q, uint32_t stage, int32_t *acc, size_t n)
{
    const pp_qstage *s = &q->stage[stage];
    if (s->psum_shift > 30) {
        for (size_t i = 0; i < n; i++)
            acc[i] = (int32_t)pp_qstage_psum(q, stage, acc[i]);
        return;
    }
    int32_t top = (int32_t)((INT64_C(1) << (q->psum_bits - 1)) - 1);
    pp_qfinish_ops_get()->psum(acc, n, s->psum_shift, top);
}

void pp_codes_to_bytes(const pp_qformat *f, const int16_t *codes, uint8_t *bytes, size_t n)
{
    int32_t zero = pp_format_zero(f);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(codes[i] + zero);
}

void pp_bytes_to_codes(const pp_qformat *f, const uint8_t *bytes, int16_t *codes, size_t n)
{
    int32_t zero = pp_format_zero(f);
    for (size_t i = 0; i < n; i++)
        codes[i] = (int16_t)(bytes[i] - zero);
}

/* ---- stages without a matrix ---- */

typedef struct data_space {
    int16_t **inputs, *codes;
    int64_t *act;
} data_space;

static size_t carve_data(const pp_qnetwork *q, uint32_t stage, void *scratch, data_space *d)
{
    const pp_stage *st = &q->stages->stage[stage];
    pp_carve c = {.base = scratch};
    d->inputs = pp_carve_take(&c, st->n_inputs, sizeof *d->inputs);
    for (uint32_t k = 0; k < st->n_inputs; k++) {
        size_t n = pp_shape_count(pp_stream_shape(q->net, q->stages, st->inputs[k].stream));
        int16_t *map = pp_carve_take(&c, n, sizeof *map);
        if (scratch)
            d->inputs[k] = map;
    }
    d->codes = pp_carve_take(&c, pp_shape_count(st->out), sizeof *d->codes);
    d->act = pp_carve_take(&c, pp_shape_count(st->fire), sizeof *d->act);
    return c.used;
}

size_t pp_qstage_data_scratch(const pp_qnetwork *q, uint32_t stage)
{
    data_space d;
    return carve_data(q, stage, NULL, &d);
}

void pp_qstage_data(const pp_qnetwork *q, uint32_t stage, const uint8_t *const *inputs, uint8_t *out, double *logits,
                    void *scratch)
{
    const pp_stage *st = &q->stages->stage[stage];
    data_space d;
    carve_data(q, stage, scratch, &d);
    for (uint32_t k = 0; k < st->n_inputs; k++) {
        uint32_t stream = st->inputs[k].stream;
        pp_bytes_to_codes(&q->stream[stream], inputs[k], d.inputs[k],
                          pp_shape_count(pp_stream_shape(q->net, q->stages, stream)));
    }
    pp_qstage_data_map(q, stage, (const int16_t *const *)d.inputs, d.act);
    if (stage == q->stages->output) {
        pp_qstage_tail(q, stage, d.act, NULL, logits);
        return;
    }
    pp_qstage_tail(q, stage, d.act, d.codes, NULL);
    pp_codes_to_bytes(&q->stream[stage + 1], d.codes, out, pp_shape_count(st->out));
}
