/* The analog engine: ranges of DACs and ADCs, and the known inputs of the drift compensation, from calibration images on
 * exact devices. Histograms are of currents (|acc| in units of a device at g_max) and have 32 bins an octave (3 % apart); counts are integers, so that nothing depends on
 * threads. */
#include "quant/rotate_stage.h"
#include "sim/crossbar_analog_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- histograms of |acc|: the top bits of a float are its logarithm ---- */

#define BIN_SHIFT (23 - 5) /* 32 bins an octave */
#define BIN_BASE (((127u - 16u) << 23) >> BIN_SHIFT)

static uint32_t bin_of(float v)
{
    uint32_t bits;
    v = fabsf(v);
    memcpy(&bits, &v, sizeof bits);
    bits >>= BIN_SHIFT;
    return bits < BIN_BASE ? 0 : bits - BIN_BASE < PP_ABINS ? bits - BIN_BASE : PP_ABINS - 1;
}

static double bin_top(uint32_t bin)
{
    const uint32_t bits = (bin + 1 + BIN_BASE) << BIN_SHIFT;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

void pp_analog_counted_(const pp_analog *x, const pp_aarray *a, uint32_t block, const float *acc, uint32_t firings, unsigned worker)
{
    const size_t columns = (size_t)x->n_blocks * a->padded;
    uint32_t *count = a->count + ((size_t)worker * columns + (size_t)block * a->padded) * PP_ABINS;
    for (uint32_t i = 0; i < PP_AGROUP && i < firings; i++)
        for (uint32_t c = 0; c < a->cols; c++)
            count[(size_t)c * PP_ABINS + bin_of(acc[(size_t)i * a->padded + c] / a->scale[c])]++;
}

/* Known input j is firing (j x 2654435761 mod firings) of calibration image j mod n. */
void pp_analog_known_(const pp_analog *x, const pp_aarray *a, uint32_t plane, const pp_ascratch *w, uint32_t image, uint32_t group)
{
    for (uint32_t j = image; j < x->known && !x->again; j += x->n_calib) {
        const uint32_t firing = (uint32_t)((uint64_t)j * UINT32_C(2654435761) % a->firings);
        if (firing / PP_AGROUP != group)
            continue;
        memcpy(a->known + ((size_t)plane * x->known + j) * a->rows, w->panel + (size_t)(firing % PP_AGROUP) * a->rows,
               a->rows * sizeof *w->panel);
        if (a->known_m != NULL)
            memcpy(a->known_m + (size_t)j * a->padded, w->m_columns + (size_t)(firing % PP_AGROUP) * a->padded,
                   a->padded * sizeof *w->m_columns);
    }
}

/* ---- choosing a range ---- */

static double percentile(const uint64_t *count, double share)
{
    uint64_t total = 0, below = 0;
    uint32_t last = 0;
    for (uint32_t b = 0; b < PP_ABINS; b++) {
        total += count[b];
        last = count[b] > 0 ? b : last;
    }
    for (uint32_t b = 0; b < last; b++) {
        below += count[b];
        if ((double)below >= share * (double)total)
            return bin_top(b);
    }
    return bin_top(last);
}

/* Squared error of a converter of full scale fs: uniform inside, clipped outside. */
static double range_error(const uint64_t *count, double fs, double code_max)
{
    const double step = fs / code_max;
    double error = 0;
    for (uint32_t b = 0; b < PP_ABINS; b++) {
        const double v = bin_top(b), e = v > fs ? v - fs : 0;
        error += (double)count[b] * (v > fs ? e * e : step * step / 12);
    }
    return error;
}

static double least_error(const uint64_t *count, double largest, double code_max)
{
    double best = largest, best_error = range_error(count, largest, code_max);
    for (int i = 1; i < 96; i++) {
        const double fs = largest * exp2(-(double)i / 16), error = range_error(count, fs, code_max);
        if (error < best_error) {
            best_error = error;
            best = fs;
        }
    }
    return best;
}

static double choose(const pp_analog *x, const uint64_t *count)
{
    const double largest = percentile(count, 1);
    if (x->arch->adc_range == PP_ADC_RANGE_PERCENTILE)
        return percentile(count, x->arch->adc_percentile / 100);
    return x->arch->adc_range == PP_ADC_RANGE_MSE ? least_error(count, largest, x->again ? x->choosing_for : x->code_max) : largest;
}

typedef struct ranges {
    pp_analog *x;
    unsigned workers;
    uint32_t lo, hi;    /* arrays */
    uint64_t *joint;    /* [workers of this pass][PP_ABINS] */
    uint64_t *clipped, *total; /* [n_arrays] */
} ranges;

static void add_column(const ranges *r, const pp_aarray *a, uint32_t block, uint32_t c, uint64_t *joint)
{
    const size_t columns = (size_t)r->x->n_blocks * a->padded;
    for (unsigned w = 0; w < r->workers; w++) {
        const uint32_t *count = a->count + ((size_t)w * columns + (size_t)block * a->padded + c) * PP_ABINS;
        for (uint32_t b = 0; b < PP_ABINS; b++)
            joint[b] += count[b];
    }
}

static void set_columns(const ranges *r, const pp_aarray *a, uint32_t block, uint32_t lo, uint32_t hi, uint64_t *joint,
                        size_t array)
{
    memset(joint, 0, PP_ABINS * sizeof *joint);
    for (uint32_t c = lo; c < hi; c++)
        add_column(r, a, block, c, joint);
    double fs = choose(r->x, joint);
    fs = fs > 1e-6 ? fs : 1; /* columns that are always zero */
    for (uint32_t c = lo; c < hi; c++)
        a->full_scale[(size_t)block * a->padded + c] = (float)fs * a->scale[c];
    for (uint32_t b = 0; b < PP_ABINS; b++) {
        r->total[array] += joint[b];
        r->clipped[array] += b > 0 && bin_top(b - 1) >= fs ? joint[b] : 0;
    }
}

static pp_status range_array(void *payload, size_t index, unsigned worker)
{
    const ranges *r = payload;
    const size_t array = r->lo + index;
    const pp_aarray *a = &r->x->array[array];
    uint64_t *joint = r->joint + (size_t)worker * PP_ABINS;
    for (uint32_t b = 0; b < r->x->n_blocks; b++) {
        if (r->x->arch->adc_scope == PP_ADC_PER_TILE) {
            set_columns(r, a, b, 0, a->cols, joint, array);
            continue;
        }
        for (uint32_t c = 0; c < a->cols; c++)
            set_columns(r, a, b, c, c + 1, joint, array);
    }
    return PP_OK;
}

static pp_status warn(pp_analog *x, char *text)
{
    if (text == NULL || !pp_push(&x->warning, text)) {
        free(text);
        return PP_ENOMEM;
    }
    return PP_OK;
}

static pp_status note_clipping(ranges *r)
{
    pp_analog *x = r->x;
    for (uint32_t s = 0; s < x->q->stages->n; s++) {
        pp_astage *st = &x->stage[s];
        uint64_t clipped = 0, total = 0;
        if (!st->matrix || st->first_array < r->lo || st->first_array >= r->hi)
            continue;
        for (uint32_t i = 0; i < st->n_arrays; i++) {
            clipped += r->clipped[st->first_array + i];
            total += r->total[st->first_array + i];
        }
        st->clipped = total > 0 ? (double)clipped / (double)total : 0;
        if (st->clipped > 0.1 && !x->again)
            PP_TRY(warn(x, pp_strf("layer %s: the converters' range clips %.0f %% of its sums on the calibration images",
                                   x->q->stages->stage[s].name, 100 * st->clipped)));
    }
    return PP_OK;
}

static pp_status choose_ranges(pp_analog *x, uint32_t lo, uint32_t hi, unsigned workers, pp_pool *pool)
{
    ranges r = {.x = x, .workers = workers, .lo = lo, .hi = hi};
    r.joint = pp_calloc((size_t)workers * PP_ABINS, sizeof *r.joint);
    r.clipped = pp_calloc(x->n_arrays, sizeof *r.clipped);
    r.total = pp_calloc(x->n_arrays, sizeof *r.total);
    pp_status status = r.joint && r.clipped && r.total ? PP_OK : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_pool_run(pool, hi - lo, range_array, &r);
    if (status == PP_OK)
        status = note_clipping(&r);
    free(r.joint);
    free(r.clipped);
    free(r.total);
    return status;
}

/* ---- DACs narrower than their streams ---- */

typedef struct code_count {
    const pp_analog *x;
    uint64_t *count; /* [worker][stage][256] */
} code_count;

static pp_status count_codes(void *payload, size_t image, unsigned worker)
{
    const code_count *k = payload;
    const pp_analog *x = k->x;
    pp_ascratch *w = &x->scratch[worker];
    pp_analog_input_(x, w, x->calib, (uint32_t)image, &w->slot);
    for (uint32_t s = 0; s < x->q->stages->n; s++) {
        const pp_stage *st = &x->q->stages->stage[s];
        uint64_t *count = k->count + ((size_t)worker * x->q->stages->n + s) * 256;
        const uint8_t *in = w->slot.stream[st->inputs[0].stream];
        if (pp_qrotates_here(x->q, s)) {
            pp_qrotate_map(x->q, s, in, w->rotated, (size_t)st->in.h * st->in.w, w->turn);
            in = w->rotated;
        }
        for (size_t i = 0; x->stage[s].matrix && i < (size_t)st->in.h * st->in.w * st->in.c; i++)
            count[in[i]]++;
        pp_analog_stage_(x, s, w, &w->slot, (uint32_t)image, worker, w->logits);
    }
    return PP_OK;
}

static pp_status set_dac(pp_analog *x, uint32_t stage, const uint64_t *count, unsigned workers)
{
    const pp_qformat *f = pp_qstage_input(x->q, stage);
    uint64_t magnitude[256] = {0}, total = 0, below = 0, clipped = 0;
    for (unsigned w = 0; w < workers; w++) {
        for (int b = 0; b < 256; b++) {
            const int code = f->is_signed ? abs(b - 128) : b;
            magnitude[code < 256 ? code : 255] += count[((size_t)w * x->q->stages->n + stage) * 256 + (size_t)b];
        }
    }
    for (int m = 0; m < 256; m++)
        total += magnitude[m];
    int top = 1;
    for (int m = 0; m < 256; m++) {
        below += magnitude[m];
        if ((double)below >= x->arch->dac_percentile / 100 * (double)total) {
            top = m > 1 ? m : 1;
            clipped = total - below;
            break;
        }
    }
    const double most = ldexp(1, (int)x->arch->dac_levels_bits - (f->is_signed ? 1 : 0)) - 1;
    if (most < 1)
        return pp_fail(PP_EINVAL, "layer %s: a DAC of %lld bits has no level for signed inputs (arch.dac_levels_bits)",
                       x->q->stages->stage[stage].name, (long long)x->arch->dac_levels_bits);
    x->stage[stage].dac_step = (float)(top / most);
    pp_analog_planes_(x, stage);
    if ((double)clipped > 0.1 * (double)total)
        return warn(x, pp_strf("layer %s: the DACs' range clips %.0f %% of its inputs on the calibration images",
                               x->q->stages->stage[stage].name, 100.0 * (double)clipped / (double)total));
    return PP_OK;
}

static pp_status calibrate_dacs(pp_analog *x, unsigned workers, pp_pool *pool)
{
    if (x->arch->dac_levels_bits == 0 || x->arch->input == PP_INPUT_BIT_SERIAL)
        return PP_OK;
    for (uint32_t s = 0; s < x->q->stages->n; s++)
        if (x->stage[s].rescales)
            return pp_fail(PP_EUNSUPPORTED, "layer %s: arch.dac_levels_bits: codes that are made anew have quant.abits (%lld)",
                           x->q->stages->stage[s].name, (long long)x->q->options.abits);
    code_count k = {x, pp_calloc((size_t)workers * x->q->stages->n * 256, sizeof *k.count)};
    if (k.count == NULL)
        return PP_ENOMEM;
    pp_status status = pp_pool_run(pool, x->n_calib, count_codes, &k);
    for (uint32_t s = 0; s < x->q->stages->n && status == PP_OK; s++)
        if (x->stage[s].matrix)
            status = set_dac(x, s, k.count, workers);
    free(k.count);
    return status;
}

/* ---- the passes ---- */

static pp_status count_image(void *payload, size_t image, unsigned worker)
{
    const pp_analog *x = payload;
    pp_ascratch *w = &x->scratch[worker];
    pp_analog_input_(x, w, x->calib, (uint32_t)image, &w->slot);
    for (uint32_t s = 0; s < x->q->stages->n; s++)
        pp_analog_stage_(x, s, w, &w->slot, (uint32_t)image, worker, w->logits);
    return PP_OK;
}

static pp_status new_counts(pp_analog *x, uint32_t lo, uint32_t hi, unsigned workers)
{
    for (uint32_t i = lo; i < hi; i++) {
        pp_aarray *a = &x->array[i];
        free(a->count);
        a->count = pp_calloc((size_t)workers * x->n_blocks * a->padded * PP_ABINS, sizeof *a->count);
        if (a->count == NULL)
            return PP_ENOMEM;
    }
    return PP_OK;
}

pp_status pp_analog_ranges_(pp_analog *x, uint32_t lo, uint32_t hi, pp_status (*pass)(void *, size_t, unsigned), void *payload,
                            size_t items, pp_pool *pool)
{
    const unsigned workers = pp_pool_threads(pool);
    pp_status status = new_counts(x, lo, hi, workers);
    x->counting = true;
    if (status == PP_OK)
        status = pp_pool_run(pool, items, pass, payload);
    x->counting = false;
    if (status == PP_OK)
        status = choose_ranges(x, lo, hi, workers, pool);
    for (uint32_t i = lo; i < hi; i++) {
        free(x->array[i].count);
        x->array[i].count = NULL;
    }
    return status;
}

pp_status pp_analog_calibrate_(pp_analog *x, pp_pool *pool)
{
    const unsigned workers = pp_pool_threads(pool);
    PP_TRY(pp_analog_scratch_(x, workers));
    PP_TRY(calibrate_dacs(x, workers, pool));
    return pp_analog_ranges_(x, 0, x->n_arrays, count_image, x, x->n_calib, pool);
}

static pp_status keep_ranges(pp_analog *x)
{
    for (uint32_t i = 0; i < x->n_arrays; i++) {
        pp_aarray *a = &x->array[i];
        const size_t n = (size_t)x->n_blocks * a->padded;
        if (a->first_scale != NULL)
            continue;
        a->first_scale = pp_alloc(n, sizeof *a->first_scale);
        if (a->first_scale == NULL)
            return PP_ENOMEM;
        memcpy(a->first_scale, a->full_scale, n * sizeof *a->first_scale);
    }
    return PP_OK;
}

void pp_analog_first_ranges_(pp_analog *x)
{
    for (uint32_t i = 0; i < x->n_arrays; i++) {
        pp_aarray *a = &x->array[i];
        if (a->first_scale != NULL)
            memcpy(a->full_scale, a->first_scale, (size_t)x->n_blocks * a->padded * sizeof *a->first_scale);
    }
}

/* On the devices as they are, behind their drift factors, without fresh noise and through ideal converters. */
pp_status pp_analog_again_begin_(pp_analog *x, pp_analog_again *saved)
{
    *saved = (pp_analog_again){x->code_max, x->fresh};
    PP_TRY(pp_analog_scratch_(x, 1));
    PP_TRY(keep_ranges(x));
    x->choosing_for = x->code_max;
    x->code_max = 0;
    x->fresh = false;
    x->again = true;
    pp_analog_gains_(x);
    return PP_OK;
}

void pp_analog_again_end_(pp_analog *x, const pp_analog_again *saved)
{
    x->code_max = saved->code_max;
    x->fresh = saved->fresh;
    x->again = false;
    pp_analog_gains_(x);
}

pp_status pp_analog_recalibrate(pp_analog *x, pp_pool *pool)
{
    pp_analog_again saved;
    if (x->code_max == 0)
        return PP_OK;
    PP_TRY(pp_analog_scratch_(x, pp_pool_threads(pool)));
    PP_TRY(pp_analog_again_begin_(x, &saved));
    const pp_status status = pp_analog_ranges_(x, 0, x->n_arrays, count_image, x, x->n_calib, pool);
    pp_analog_again_end_(x, &saved);
    return status;
}

/* ---- converters ---- */

static void column_gain(const pp_analog *x, pp_aarray *a, uint32_t block, uint32_t c)
{
    const size_t at = (size_t)block * a->padded + c;
    const pp_astage *s = &x->stage[a->stage];
    const uint32_t key[2] = {(uint32_t)x->seed, (uint32_t)(x->seed >> 32)};
    const uint32_t counter[4] = {0, block, a->tile, UINT32_C(0x61646373)};
    const bool ideal = x->ideal_stage == a->stage;
    const double gain_error = ideal ? 0 : x->noise->adc_gain_std, offset = ideal ? 0 : x->noise->adc_offset_lsb;
    const double step = x->code_max > 0 ? (double)a->full_scale[at] / (double)x->code_max : 0;
    const double whole = x->cell_levels == 0 && x->arch->cells != PP_CELLS_DIFFERENTIAL ? 2 : 1;
    const double out = x->noise->out_std * whole * (double)a->scale[c] * (double)s->full_input;
    const double lsb = x->noise->adc_noise_lsb * step;
    double spread = 1, shift = 0;
    if (gain_error > 0)
        spread += gain_error * (double)pp_normal_at(2 * (uint64_t)c, key, counter);
    if (offset > 0)
        shift = offset * (double)pp_normal_at(2 * (uint64_t)c + 1, key, counter);
    a->extra[at] = (float)(out * out + lsb * lsb);
    if (x->code_max > 0) {
        const double psum = step * exp2(-(double)x->q->stage[a->stage].psum_shift);
        a->inverse[at] = (float)(spread / step);
        a->offset[at] = (float)shift;
        a->gain[at] = (float)psum * x->block[block].weight * a->factor[c];
    } else {
        a->gain[at] = x->block[block].weight * a->factor[c];
    }
}

void pp_analog_gains_(pp_analog *x)
{
    for (uint32_t i = 0; i < x->n_arrays; i++)
        for (uint32_t b = 0; b < x->n_blocks; b++)
            for (uint32_t c = 0; c < x->array[i].cols; c++)
                column_gain(x, &x->array[i], b, c);
}
