/* Scale of rotated codes, and what the rotation does to the values, from the calibration images. */
#include "quant/rotate_internal.h"

#include <math.h>
#include <stdlib.h>

typedef struct job {
    const pp_qrun *run;
    uint32_t stage;
    pp_histogram *part; /* [workers] */
    int32_t **work;     /* [workers][2 channels] */
} job;

/* One block of one position: sums to values, into the histogram. */
static void count_block(const job *j, pp_histogram *h, const pp_hadamard *had, const uint8_t *x, int32_t *work)
{
    const pp_qnetwork *q = j->run->q;
    const pp_qformat *f = &q->stream[q->stages->stage[j->stage].inputs[0].stream];
    int32_t zero = pp_format_zero(f);
    double unit = f->scale / sqrt((double)had->n);
    for (uint32_t c = 0; c < had->n; c++)
        work[c] = x[c] - zero;
    const int32_t *sum = pp_qrotate_sums(had, work, work + q->stage[j->stage].rotate->channels);
    for (uint32_t c = 0; c < had->n; c++)
        pp_histogram_add(h, (float)(sum[c] * unit));
}

static pp_status count_image(void *payload, size_t image, unsigned worker)
{
    const job *j = payload;
    const pp_stage *st = &j->run->q->stages->stage[j->stage];
    const pp_qrotate *r = j->run->q->stage[j->stage].rotate;
    const uint8_t *x = j->run->stream[st->inputs[0].stream][image];
    for (size_t p = 0; p < (size_t)st->in.h * st->in.w; p++)
        for (uint32_t i = 0; i < r->n_blocks; i++)
            count_block(j, &j->part[worker], r->order[r->block[i].order].h, x + p * r->channels + r->block[i].first,
                        j->work[worker]);
    return PP_OK;
}

/* max |v| / rms, and signal to noise of codes of format f. */
static void measure(const pp_histogram *h, const pp_qformat *f, double *max_rms, double *sqnr_db)
{
    double square = 0, error = 0;
    for (int side = 0; side < 2; side++)
        for (uint32_t b = 0; b < PP_BINS; b++) {
            if (h->bin[side][b] == 0)
                continue;
            double v = side ? -pp_bin_value(b) : pp_bin_value(b), e = v - pp_quantize_value(f, v) * f->scale;
            square += h->bin[side][b] * v * v;
            error += h->bin[side][b] * e * e;
        }
    double top = fmax(fabs((double)h->min), fabs((double)h->max));
    *max_rms = square > 0 ? top / sqrt(square / (double)h->n) : 0;
    *sqnr_db = error > 0 && square > 0 ? 10 * log10(square / error) : 0;
}

static pp_status make_job(job *j)
{
    unsigned n = pp_pool_threads(j->run->pool);
    uint32_t channels = j->run->q->stage[j->stage].rotate->channels;
    j->part = pp_calloc(n, sizeof *j->part);
    j->work = pp_calloc(n, sizeof *j->work);
    if (!j->part || !j->work)
        return PP_ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        PP_TRY(pp_histogram_make(&j->part[i]));
        if (!(j->work[i] = pp_alloc(2 * (size_t)channels, sizeof **j->work)))
            return PP_ENOMEM;
    }
    return PP_OK;
}

static void free_job(job *j)
{
    unsigned n = pp_pool_threads(j->run->pool);
    for (unsigned i = 0; j->work && i < n; i++)
        free(j->work[i]);
    free(j->work);
    pp_histograms_free(j->part, n);
}

pp_status pp_qrotate_calibrate(const pp_qrun *run, uint32_t stage)
{
    const pp_qnetwork *q = run->q;
    const uint32_t stream = q->stages->stage[stage].inputs[0].stream;
    pp_qrotate *r = q->stage[stage].rotate;
    job j = {.run = run, .stage = stage};
    pp_status status;
    PP_GOTO(done, status, make_job(&j));
    PP_GOTO(done, status, pp_pool_run(run->pool, run->images, count_image, &j));
    for (unsigned i = 1; i < pp_pool_threads(run->pool); i++)
        pp_histogram_merge(&j.part[0], &j.part[i]);
    double scale = pp_activation_scale(&j.part[0], &r->format, q->options.activations, q->options.percentile);
    PP_GOTO(done, status, pp_qrotate_scale(q, stage, scale));
    pp_qrescale_choose(run->q, stage, &j.part[0]);
    measure(&run->calib->stream[stream], &q->stream[stream], &r->plain_max_rms, &r->plain_sqnr_db);
    measure(&j.part[0], &r->format, &r->rotated_max_rms, &r->rotated_sqnr_db);
    r->rotated_kurtosis = pp_histogram_kurtosis(&j.part[0]);
done:
    free_job(&j);
    return status;
}

/* ---- at the producer ---- */

/* One position of a float stream -> x H / sqrt(size), into the histogram. */
static void turn_position(const pp_qrotate *r, float *x, double *line, pp_histogram *h)
{
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        const pp_hadamard *had = r->order[r->block[i].order].h;
        float *at = x + r->block[i].first;
        for (uint32_t j = 0; j < had->n; j++) {
            line[j] = 0;
            for (uint32_t c = 0; c < had->n; c++)
                line[j] += (double)at[c] * pp_hadamard_at(had, c, j);
        }
        for (uint32_t j = 0; j < had->n; j++) {
            at[j] = (float)(line[j] / sqrt((double)had->n));
            pp_histogram_add(h, at[j]);
        }
    }
}

pp_status pp_qrotate_calibrate_out(const pp_qrun *run, uint32_t stage)
{
    const pp_qnetwork *q = run->q;
    const pp_shape out = q->stages->stage[stage].out;
    pp_qrotate *r = q->stage[q->stage[stage].rotate_out->stage].rotate;
    pp_histogram *all = pp_calloc(1, sizeof *all);
    double *line = pp_alloc(out.c, sizeof *line);
    pp_status status = PP_ENOMEM;
    pp_qformat plain;
    if (!all || !line)
        goto done;
    PP_GOTO(done, status, pp_histogram_make(all));
    for (uint32_t k = 0; k < run->calib->kept; k++)
        for (size_t p = 0; p < (size_t)out.h * out.w; p++)
            turn_position(r, run->calib->keep[k][stage + 1] + p * out.c, line, all);
    PP_GOTO(done, status, pp_qrotate_scale(q, r->stage, pp_activation_scale(all, &r->format, q->options.activations, q->options.percentile)));
    run->q->stream[stage + 1] = r->format;
    pp_qrescale_choose(run->q, r->stage, all);
    pp_format_set(&plain, r->format.bits, r->plain_signed);
    plain.scale = pp_activation_scale(&run->calib->stream[stage + 1], &plain, q->options.activations, q->options.percentile);
    measure(&run->calib->stream[stage + 1], &plain, &r->plain_max_rms, &r->plain_sqnr_db);
    measure(all, &r->format, &r->rotated_max_rms, &r->rotated_sqnr_db);
    r->rotated_kurtosis = pp_histogram_kurtosis(all);
done:
    pp_histograms_free(all, 1);
    free(line);
    return status;
}
