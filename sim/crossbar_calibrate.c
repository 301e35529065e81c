/* ADC ranges: what full scale each converter gets, from the calibration images.
 *
 * One pass with ideal converters fills a histogram of |accumulator| a column: bins of 1/32 octave, so
 * a percentile is known within 2.2 %. Counts are integers: the result does not depend on threads. A
 * second pass with the chosen ranges measures what they cost. */
#include "sim/crossbar_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OCTAVE = 32, BINS = 30 * OCTAVE };

/* Bin of |acc| >= 0 and the largest value that falls into a bin. */
static uint32_t bin_of(uint32_t a)
{
    if (a == 0)
        return 0;
    uint32_t b = (uint32_t)(log2((double)a) * OCTAVE) + 1;
    return b < BINS ? b : BINS - 1;
}

static double bin_top(uint32_t bin)
{
    return exp2((double)bin / OCTAVE);
}

typedef struct calibration {
    pp_crossbar *x;
    const pp_dataset *data;
    uint32_t n_columns, *first;  /* first[stage]: column index of (stage, row 0, channel 0) */
    uint32_t bin_table[65536];   /* bin_of below 65,536 */
    uint64_t *count;             /* [worker][column][BINS] */
    uint32_t *largest;           /* [worker][column] */
    double *signal, *error;      /* [image][stage row] second pass */
    uint64_t *clipped;           /* [image][stage row] */
    uint32_t n_rows, *row_first; /* row_first[stage] */
} calibration;

static uint32_t column_of(const calibration *k, uint32_t stage, uint32_t row)
{
    return k->first[stage] + row * k->x->q->stage[stage].cout;
}

static void tap_count(void *payload, uint32_t image, unsigned worker, uint32_t stage, uint32_t row, const int32_t *acc,
                      const uint8_t *m, size_t pixels)
{
    calibration *k = payload;
    (void)image;
    (void)m;
    uint32_t cout = k->x->q->stage[stage].cout;
    size_t base = (size_t)worker * k->n_columns + column_of(k, stage, row);
    for (size_t p = 0; p < pixels; p++) {
        for (uint32_t c = 0; c < cout; c++) {
            int32_t v = acc[p * cout + c];
            uint32_t a = v < 0 ? (uint32_t)-v : (uint32_t)v;
            k->count[(base + c) * BINS + (a < 65536 ? k->bin_table[a] : bin_of(a))]++;
            if (a > k->largest[base + c])
                k->largest[base + c] = a;
        }
    }
}

static void tap_error(void *payload, uint32_t image, unsigned worker, uint32_t stage, uint32_t row, const int32_t *acc,
                      const uint8_t *m, size_t pixels)
{
    calibration *k = payload;
    (void)worker;
    const pp_xrow *r = &k->x->stage[stage].row[row];
    const pp_qstage *q = &k->x->q->stage[stage];
    const pp_op *op = &k->x->q->net->ops[k->x->q->stages->stage[stage].matrix];
    const uint32_t groups = op->kind == PP_OP_CONV ? op->groups : 1, each = q->cout / groups;
    double signal = 0, error = 0, unit = exp2(q->psum_shift);
    uint64_t clipped = 0;
    for (size_t p = 0; p < pixels; p++) {
        for (uint32_t c = 0; c < q->cout; c++) {
            int32_t v = acc[p * q->cout + c];
            const uint32_t factor = m != NULL ? m[p * groups + c / each] : 1;
            const double want = (double)v * factor, e = pp_xconvert_one(k->x, stage, r, false, c, v, factor) * unit - want;
            signal += want * want;
            error += e * e;
            clipped += fabsf((float)v) > r->full_scale[c];
        }
    }
    size_t at = (size_t)image * k->n_rows + k->row_first[stage] + row;
    k->signal[at] = signal;
    k->error[at] = error;
    k->clipped[at] = clipped;
}

static pp_status count_image(void *payload, size_t image, unsigned worker)
{
    calibration *k = payload;
    return pp_xrun_image(k->x, worker, k->data, (uint32_t)image, true, k->x->scratch[worker].logits, tap_count, k);
}

static pp_status error_image(void *payload, size_t image, unsigned worker)
{
    calibration *k = payload;
    return pp_xrun_image(k->x, worker, k->data, (uint32_t)image, false, k->x->scratch[worker].logits, tap_error, k);
}

/* Smallest bin top below which `share` of the values lie. */
static double percentile(const uint64_t *count, double share, double largest)
{
    uint64_t total = 0, below = 0;
    for (uint32_t b = 0; b < BINS; b++)
        total += count[b];
    for (uint32_t b = 0; b < BINS; b++) {
        below += count[b];
        if ((double)below >= share * (double)total)
            return fmin(bin_top(b), largest);
    }
    return largest;
}

/* Squared error of a converter of full scale fs: uniform inside, clipped outside. */
static double range_error(const uint64_t *count, double fs, double code_max)
{
    double step = fs / code_max, error = 0;
    for (uint32_t b = 0; b < BINS; b++) {
        if (count[b] == 0)
            continue;
        double v = bin_top(b);
        double e = v > fs ? v - fs : 0;
        error += (double)count[b] * (v > fs ? e * e : step * step / 12);
    }
    return error;
}

static double least_error(const uint64_t *count, double largest, double code_max)
{
    double best = largest, best_error = range_error(count, largest, code_max);
    for (int i = 1; i < 96; i++) {
        double fs = largest * exp2(-(double)i / 16);
        double error = range_error(count, fs, code_max);
        if (error < best_error) {
            best_error = error;
            best = fs;
        }
    }
    return best;
}

static double choose(const pp_crossbar *x, const uint64_t *count, double largest)
{
    double fs = largest;
    if (x->arch->adc_range == PP_ADC_RANGE_PERCENTILE)
        fs = percentile(count, x->arch->adc_percentile / 100, largest);
    else if (x->arch->adc_range == PP_ADC_RANGE_MSE)
        fs = least_error(count, largest, x->code_max);
    return fs > 1 ? fs : 1; /* a column that is always zero */
}

static void set_range(const pp_crossbar *x, uint32_t stage, pp_xrow *row, uint32_t c, double fs)
{
    double step = fs / x->code_max;
    row->full_scale[c] = (float)fs;
    row->inverse[c] = (float)(1 / step);
    row->gain[c] = (float)(step * exp2(-(double)x->q->stage[stage].psum_shift));
}

/* Scope tile: all columns of a column tile take the range of their joint histogram. */
static void range_of_tile(calibration *k, uint32_t stage, uint32_t row, uint32_t lo, uint32_t hi, uint64_t *joint)
{
    uint32_t column = column_of(k, stage, row), largest = 0;
    memset(joint, 0, BINS * sizeof *joint);
    for (uint32_t c = lo; c < hi; c++) {
        for (uint32_t b = 0; b < BINS; b++)
            joint[b] += k->count[(size_t)(column + c) * BINS + b];
        largest = k->largest[column + c] > largest ? k->largest[column + c] : largest;
    }
    double fs = choose(k->x, joint, largest);
    for (uint32_t c = lo; c < hi; c++)
        set_range(k->x, stage, &k->x->stage[stage].row[row], c, fs);
}

static void choose_ranges(calibration *k, uint64_t *joint)
{
    const pp_mapping *m = k->x->m;
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        const pp_tile *tile = &m->tile[t];
        if (k->x->stage[tile->stage].rows == 0 || tile->copy != 0)
            continue;
        if (k->x->arch->adc_scope == PP_ADC_PER_TILE) {
            range_of_tile(k, tile->stage, tile->row, tile->out_lo, tile->out_hi, joint);
            continue;
        }
        for (uint32_t c = tile->out_lo; c < tile->out_hi; c++)
            range_of_tile(k, tile->stage, tile->row, c, c + 1, joint);
    }
}

static void fold_workers(calibration *k, unsigned workers)
{
    for (unsigned w = 1; w < workers; w++) {
        size_t base = (size_t)w * k->n_columns;
        for (uint32_t c = 0; c < k->n_columns; c++) {
            for (uint32_t b = 0; b < BINS; b++)
                k->count[(size_t)c * BINS + b] += k->count[(base + c) * BINS + b];
            if (k->largest[base + c] > k->largest[c])
                k->largest[c] = k->largest[base + c];
        }
    }
}

static void tile_figures(calibration *k)
{
    const pp_mapping *m = k->x->m;
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        const pp_tile *tile = &m->tile[t];
        if (k->x->stage[tile->stage].rows == 0)
            continue;
        const pp_xrow *row = &k->x->stage[tile->stage].row[tile->row];
        pp_tile_adc *adc = &k->x->adc[t];
        adc->full_scale_min = adc->full_scale_max = row->full_scale[tile->out_lo];
        for (uint32_t c = tile->out_lo; c < tile->out_hi; c++) {
            adc->full_scale_min = fmin(adc->full_scale_min, row->full_scale[c]);
            adc->full_scale_max = fmax(adc->full_scale_max, row->full_scale[c]);
        }
        double signal = 0, error = 0;
        uint64_t clipped = 0;
        for (uint32_t i = 0; i < k->data->n; i++) {
            size_t at = (size_t)i * k->n_rows + k->row_first[tile->stage] + tile->row;
            signal += k->signal[at];
            error += k->error[at];
            clipped += k->clipped[at];
        }
        pp_shape map = k->x->q->stages->stage[tile->stage].fire;
        adc->clipped_share = (double)clipped / ((double)k->data->n * map.h * map.w * map.c);
        adc->sqnr_db = error > 0 ? 10 * log10(signal / error) : INFINITY;
    }
}

static void free_calibration(calibration *k)
{
    if (k == NULL)
        return;
    free(k->first);
    free(k->row_first);
    free(k->count);
    free(k->largest);
    free(k->signal);
    free(k->error);
    free(k->clipped);
    free(k);
}

static pp_status new_calibration(calibration **out, pp_crossbar *x, const pp_dataset *data, unsigned workers)
{
    calibration *k = pp_calloc(1, sizeof *k);
    *out = k;
    if (k == NULL)
        return PP_ENOMEM;
    uint32_t n = x->q->stages->n;
    k->x = x;
    k->data = data;
    k->first = pp_calloc(n, sizeof *k->first);
    k->row_first = pp_calloc(n, sizeof *k->row_first);
    if (k->first == NULL || k->row_first == NULL)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < n; s++) {
        k->first[s] = k->n_columns;
        k->row_first[s] = k->n_rows;
        k->n_columns += x->stage[s].rows * (x->stage[s].rows > 0 ? x->q->stage[s].cout : 0);
        k->n_rows += x->stage[s].rows;
    }
    for (uint32_t a = 0; a < 65536; a++)
        k->bin_table[a] = bin_of(a);
    size_t columns = (size_t)workers * k->n_columns, rows = (size_t)data->n * k->n_rows;
    k->count = pp_calloc(columns * BINS, sizeof *k->count);
    k->largest = pp_calloc(columns, sizeof *k->largest);
    k->signal = pp_calloc(rows, sizeof *k->signal);
    k->error = pp_calloc(rows, sizeof *k->error);
    k->clipped = pp_calloc(rows, sizeof *k->clipped);
    bool ok = k->count != NULL && k->largest != NULL && k->signal != NULL && k->error != NULL && k->clipped != NULL;
    return ok ? PP_OK : PP_ENOMEM;
}

pp_status pp_xcalibrate(pp_crossbar *x, const pp_dataset *calib, pp_pool *pool)
{
    unsigned workers = pp_pool_threads(pool);
    calibration *k = NULL;
    uint64_t *joint = NULL;
    pp_status status;
    PP_GOTO(done, status, new_calibration(&k, x, calib, workers));
    joint = pp_calloc(BINS, sizeof *joint);
    PP_GOTO(done, status, joint != NULL ? PP_OK : PP_ENOMEM);
    PP_GOTO(done, status, pp_pool_run(pool, calib->n, count_image, k));
    fold_workers(k, workers);
    choose_ranges(k, joint);
    PP_GOTO(done, status, pp_pool_run(pool, calib->n, error_image, k));
    tile_figures(k);
done:
    free(joint);
    free_calibration(k);
    return status;
}
