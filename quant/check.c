/* Invariants and text dump of a quantized network. */
#include "quant/rotate_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static pp_status check_format(const pp_qformat *f, uint32_t stream, bool values)
{
    pp_qformat want;
    if (f->bits < 4 || f->bits > 8)
        return pp_fail(PP_ERANGE, "stream %u has %u bits, expected 4 to 8", stream, f->bits);
    pp_format_set(&want, f->bits, f->is_signed);
    if (f->qmin != want.qmin || f->qmax != want.qmax)
        return pp_fail(PP_ERANGE, "stream %u has codes %d to %d, expected %d to %d", stream, f->qmin, f->qmax, want.qmin,
                       want.qmax);
    if (values && !(f->scale > 0 && isfinite(f->scale)))
        return pp_fail(PP_ERANGE, "stream %u has scale %g, expected a positive number", stream, f->scale);
    return PP_OK;
}

static pp_status check_multipliers(const char *name, const char *what, const int64_t *mult, uint32_t n, uint32_t shift)
{
    if (shift > PP_SHIFT_MAX)
        return pp_fail(PP_ERANGE, "stage '%s': %s_shift is %u, expected 0 to %d", name, what, shift, PP_SHIFT_MAX);
    for (uint32_t c = 0; c < n; c++)
        if (mult[c] < 0 || mult[c] >= INT64_C(1) << PP_MULT_BITS)
            return pp_fail(PP_ERANGE, "stage '%s': %s_mult[%u] is %" PRId64 ", expected 0 to 2^%d", name, what, c,
                           mult[c], PP_MULT_BITS);
    return PP_OK;
}

static pp_status check_matrix(const pp_qnetwork *q, uint32_t index)
{
    const pp_qstage *s = &q->stage[index];
    const char *name = q->stages->stage[index].name;
    int32_t top = pp_wmax(s->wbits);
    for (size_t i = 0; i < (size_t)s->cout * s->krows; i++)
        if (s->code[i] < -top || s->code[i] > top)
            return pp_fail(PP_ERANGE, "stage '%s': code %zu is %d, expected -%d to %d", name, i, s->code[i], top, top);
    for (uint32_t c = 0; c < s->cout; c++) {
        if (!(s->w_scale[c] > 0 && isfinite(s->w_scale[c])))
            return pp_fail(PP_ERANGE, "stage '%s': scale of channel %u is %g, expected a positive number", name, c,
                           s->w_scale[c]);
        if (s->bias[c] > INT64_C(1) << 52 || s->bias[c] < -(INT64_C(1) << 52))
            return pp_fail(PP_ERANGE, "stage '%s': bias of channel %u is beyond 2^52", name, c);
    }
    if (q->rescales && (s->factor < 1 || s->factor > (uint32_t)pp_qstage_input(q, index)->qmax))
        return pp_fail(PP_ERANGE, "stage '%s': factor is %u, expected 1 to %d", name, s->factor, pp_qstage_input(q, index)->qmax);
    if (s->psum_shift > 31)
        return pp_fail(PP_ERANGE, "stage '%s': psum_shift is %u, expected 0 to 31", name, s->psum_shift);
    return s->add_mult ? check_multipliers(name, "add", s->add_mult, s->cout, s->add_shift) : PP_OK;
}

static pp_status check_scale(const char *name, const pp_qstage *s)
{
    const int64_t top = INT64_C(1) << PP_MULT_BITS, most = INT64_C(1) << 52;
    if (s->scale_shift > PP_SHIFT_MAX)
        return pp_fail(PP_ERANGE, "stage '%s': scale_shift is %u, expected 0 to %d", name, s->scale_shift, PP_SHIFT_MAX);
    for (uint32_t c = 0; c < s->cout; c++) {
        if (s->scale_mult[c] <= -top || s->scale_mult[c] >= top)
            return pp_fail(PP_ERANGE, "stage '%s': scale_mult[%u] is %" PRId64 ", expected less than 2^%d", name, c,
                           s->scale_mult[c], PP_MULT_BITS);
        if (s->scale_bias[c] > most || s->scale_bias[c] < -most)
            return pp_fail(PP_ERANGE, "stage '%s': scale_bias of channel %u is beyond 2^52", name, c);
    }
    return PP_OK;
}

static pp_status check_stage(const pp_qnetwork *q, uint32_t index)
{
    const pp_stage *st = &q->stages->stage[index];
    const pp_qstage *s = &q->stage[index];
    if (s->cout != st->fire.c)
        return pp_fail(PP_EINVAL, "stage '%s' has %u channels, expected %u", st->name, s->cout, st->fire.c);
    if (st->matrix != PP_NONE) {
        pp_qgeom g = pp_qgeom_of(q->net, st);
        if (s->wbits < 2 || s->wbits > 8)
            return pp_fail(PP_ERANGE, "stage '%s' has %u-bit weights, expected 2 to 8", st->name, s->wbits);
        if (s->krows != g.cin_g * g.win.kh * g.win.kw)
            return pp_fail(PP_EINVAL, "stage '%s' has %u rows, expected %u", st->name, s->krows,
                           g.cin_g * g.win.kh * g.win.kw);
    }
    if (!q->has_values)
        return PP_OK;
    for (uint32_t c = 0; c < s->cout; c++)
        if (!(s->unit[c] > 0 && isfinite(s->unit[c])))
            return pp_fail(PP_ERANGE, "stage '%s': unit of channel %u is %g, expected a positive number", st->name, c,
                           s->unit[c]);
    if (st->matrix != PP_NONE)
        PP_TRY(check_matrix(q, index));
    else
        PP_TRY(check_multipliers(st->name, "in", s->in_mult, st->n_inputs, s->in_shift));
    if (s->scale_mult)
        PP_TRY(check_scale(st->name, s));
    if (s->rotate_out && (q->stream[index + 1].scale < s->rotate_out->format.scale || q->stream[index + 1].scale > s->rotate_out->format.scale ||
                          !q->stream[index + 1].is_signed || q->stream[index + 1].qmax != s->rotate_out->format.qmax))
        return pp_fail(PP_EINVAL, "stage '%s': its stream is rotated but has another format than the rotation", st->name);
    return s->out_mult ? check_multipliers(st->name, "out", s->out_mult, s->cout, s->out_shift) : PP_OK;
}

pp_status pp_qnetwork_check(const pp_qnetwork *q)
{
    if (q->psum_bits < 8 || q->psum_bits > 32)
        return pp_fail(PP_ERANGE, "psum_bits is %u, expected 8 to 32", q->psum_bits);
    for (uint32_t i = 0; i <= q->stages->n; i++)
        PP_TRY(check_format(&q->stream[i], i, q->has_values));
    for (uint32_t i = 0; i < q->stages->n; i++)
        PP_TRY(check_stage(q, i));
    return PP_OK;
}

/* ---- dump ---- */

/* Text that grows; `failed` stays set. */
typedef struct text {
    char *data;
    size_t len;
    bool failed;
} text;

static void append(text *t, char *line)
{
    size_t n = line ? strlen(line) : 0;
    char *grown = line && !t->failed ? pp_realloc(t->data, t->len + n + 1, 1) : NULL;
    if (grown) {
        memcpy(grown + t->len, line, n + 1);
        t->data = grown;
        t->len += n;
    } else {
        t->failed = true;
    }
    free(line);
}

static uint64_t hash_of(const void *data, size_t size)
{
    return data ? pp_fnv1a(PP_FNV_START, data, size) : 0;
}

static void dump_stage(text *t, const pp_qnetwork *q, uint32_t index)
{
    const pp_qstage *s = &q->stage[index];
    append(t, pp_strf("stage %u %s: wbits %u, %u x %u, shifts psum %u add %u in %u out %u\n", index,
                      q->stages->stage[index].name, s->wbits, s->cout, s->krows, s->psum_shift, s->add_shift,
                      s->in_shift, s->out_shift));
    if (!q->has_values)
        return;
    if (q->rescales && s->code)
        append(t, pp_strf("  codes made anew (%s), factor %u\n", pp_qscale_name(q->options.activation_scale), s->factor));
    size_t n = s->cout;
    append(t, pp_strf("  code %016" PRIx64 " w_scale %016" PRIx64 " unit %016" PRIx64 " bias %016" PRIx64 "\n",
                      hash_of(s->code, n * s->krows), hash_of(s->w_scale, n * sizeof *s->w_scale),
                      hash_of(s->unit, n * sizeof *s->unit), hash_of(s->bias, n * sizeof *s->bias)));
    append(t, pp_strf("  add_mult %016" PRIx64 " in_mult %016" PRIx64 " out_mult %016" PRIx64 "\n",
                      hash_of(s->add_mult, n * sizeof *s->add_mult),
                      hash_of(s->in_mult, q->stages->stage[index].n_inputs * sizeof *s->in_mult),
                      hash_of(s->out_mult, n * sizeof *s->out_mult)));
    if (s->scale_mult)
        append(t, pp_strf("  scale_mult %016" PRIx64 " scale_bias %016" PRIx64 " shift %u\n",
                          hash_of(s->scale_mult, n * sizeof *s->scale_mult),
                          hash_of(s->scale_bias, n * sizeof *s->scale_bias), s->scale_shift));
    if (s->rotate)
        append(t, pp_strf("  rotated%s: %u blocks, scale %.17g, shift %u, kurtosis %.17g\n",
                          s->rotate->at_producer ? " at the producer" : "", s->rotate->n_blocks,
                          s->rotate->format.scale, s->rotate->shift, s->rotate->rotated_kurtosis));
    append(t, pp_strf("  weight_sqnr_db %.17g out_sqnr_db %.17g kurtosis %.17g acc_max %.17g\n", s->weight_sqnr_db,
                      s->out_sqnr_db, s->kurtosis, s->acc_max));
}

pp_status pp_qnetwork_dump(char **out, const pp_qnetwork *q)
{
    text t = {0};
    append(&t, pp_strf("network %s: psum_bits %u, values %d, calibration '%s' %s x %u\n", q->net->name, q->psum_bits,
                       q->has_values, q->calib_name, q->calib_sha256, q->calib_images));
    for (uint32_t i = 0; i <= q->stages->n; i++)
        append(&t, pp_strf("stream %u: %u bits, codes %d to %d, scale %.17g\n", i, q->stream[i].bits, q->stream[i].qmin,
                           q->stream[i].qmax, q->stream[i].scale));
    for (uint32_t i = 0; i < q->stages->n; i++)
        dump_stage(&t, q, i);
    *out = NULL;
    if (t.failed) {
        free(t.data);
        return PP_ENOMEM;
    }
    *out = t.data;
    return PP_OK;
}
