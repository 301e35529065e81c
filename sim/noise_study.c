/* Models x seeds x times x compensations. */
#include "sim/noise_study_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(char *field, size_t size, const char *text)
{
    memset(field, 0, size);
    if (snprintf(field, size, "%s", text) >= (int)size)
        memcpy(field + size - 4, "...", 3); /* a cut is seen */
}
#define PUT(field, text) put(field, sizeof(field), text)

pp_status pp_study_begin(pp_study *study, const pp_device *device, const pp_device_options *device_options,
                         const pp_noise_options *noise, uint32_t images)
{
    *study = (pp_study){.seeds = (uint32_t)noise->seeds, .images = images};
    PUT(study->device, device->kind->name);
    PP_TRY(pp_number_list(&study->times_s, &study->n_times, device_options->times_s, "device.times_s"));
    if (study->n_times == 0)
        return pp_fail(PP_EINVAL, "device.times_s: expected at least one time");
    for (size_t i = 0; i < study->n_times; i++) {
        double since;
        PP_TRY(pp_device_time(device, study->times_s[i], &since));
    }
    return pp_compensation_list(&study->compensations, &study->n_compensations, noise->compensation);
}

void pp_study_free(pp_study *study)
{
    free(study->times_s);
    free(study->compensations);
    free(study->rows.data);
    free(study->draws.data);
    free(study->snr.data);
    free(study->clip.data);
    free(study->leave.data);
    free(study->models.data);
    for (size_t i = 0; i < study->warnings.len; i++)
        free(study->warnings.data[i]);
    free(study->warnings.data);
}

/* 97.5 % point of Student's t with n degrees of freedom. The table is exact to its digits; beyond it the expansion in
 * 1/n of Abramowitz and Stegun 26.7.5, first two terms. */
static double student(size_t n)
{
    static const double t[] = {0,     12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                               2.201, 2.179,  2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
    const double z = 1.959964, v = (double)n;
    if (n < sizeof t / sizeof *t)
        return t[n];
    return z + (z * z * z + z) / (4 * v) + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * v * v);
}

void pp_study_statistics(pp_study_row *row, const double *value, size_t n)
{
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        mean += value[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (value[i] - mean) * (value[i] - mean);
    row->seeds = (uint32_t)n;
    row->mean = mean;
    row->std = n > 1 ? sqrt(square / (double)(n - 1)) : 0;
    row->ci95 = n > 1 ? student(n - 1) * row->std / sqrt((double)n) : 0;
}

/* ---- one model ---- */

typedef struct model_run {
    pp_study *study;
    const pp_study_engine *e;
    double *value;       /* [times][compensations][seeds] */
    pp_progress bar;
} model_run;

static pp_status evaluate(model_run *r, uint32_t n, double *value)
{
    const double start = pp_clock_s();
    PP_TRY(r->e->evaluate(r->e->payload, n, &r->bar, value));
    r->study->run_s += pp_clock_s() - start;
    r->study->run_images += n;
    return PP_OK;
}

static pp_status settle(model_run *r, uint64_t seed, double time_s, pp_compensation c)
{
    const pp_study_engine *e = r->e;
    double since;
    PP_TRY(pp_device_time(e->device, time_s, &since));
    return e->settle(e->payload, seed, since, c);
}

static pp_status add_snr(model_run *r, double time_s)
{
    const pp_study_engine *e = r->e;
    pp_analog_snr *snr = pp_calloc(e->layers, sizeof *snr);
    pp_status status = snr != NULL ? e->snr(e->payload, snr) : PP_ENOMEM;
    for (uint32_t s = 0; s < e->layers && status == PP_OK; s++) {
        const char *layer = e->layer(e->payload, s);
        if (layer == NULL)
            continue;
        pp_study_snr row = {.time_s = time_s, .local_db = snr[s].local_db, .total_db = snr[s].total_db};
        PUT(row.model, e->model);
        PUT(row.layer, layer);
        status = pp_push(&r->study->snr, row) ? PP_OK : PP_ENOMEM;
    }
    free(snr);
    return status;
}

static pp_status run_time(model_run *r, uint32_t seed, size_t time)
{
    pp_study *st = r->study;
    for (size_t c = 0; c < st->n_compensations; c++) {
        PP_TRY(settle(r, r->e->seed + seed, st->times_s[time], st->compensations[c]));
        PP_TRY(evaluate(r, st->images, &r->value[(time * st->n_compensations + c) * st->seeds + seed]));
    }
    return seed == 0 && r->e->noise->snr ? add_snr(r, st->times_s[time]) : PP_OK;
}

static uint32_t leave_images(const model_run *r)
{
    const int64_t asked = r->e->noise->leave_one_out;
    return asked < r->study->images ? (uint32_t)asked : r->study->images;
}

static pp_status add_leave(model_run *r, uint32_t layer, double before, double *value)
{
    pp_study *st = r->study;
    const double time_s = st->times_s[st->n_times - 1];
    r->e->ideal(r->e->payload, layer);
    PP_TRY(settle(r, r->e->seed, time_s, st->compensations[st->n_compensations - 1]));
    PP_TRY(evaluate(r, leave_images(r), value));
    const double gain = layer == PP_NONE ? 0 : st->bits_per_byte ? before - *value : *value - before;
    pp_study_leave row = {.time_s = time_s, .top1 = *value, .gain = gain};
    PUT(row.model, r->e->model);
    PUT(row.layer, layer == PP_NONE ? "none" : r->e->layer(r->e->payload, layer));
    return pp_push(&st->leave, row) ? PP_OK : PP_ENOMEM;
}

static pp_status leave_one_out(model_run *r)
{
    double before, value;
    PP_TRY(add_leave(r, PP_NONE, 0, &before));
    for (uint32_t s = 0; s < r->e->layers; s++)
        if (r->e->layer(r->e->payload, s) != NULL)
            PP_TRY(add_leave(r, s, before, &value));
    r->e->ideal(r->e->payload, PP_NONE);
    return PP_OK;
}

static pp_status add_row(model_run *r, size_t time, size_t c)
{
    pp_study *st = r->study;
    const double *value = r->value + (time * st->n_compensations + c) * st->seeds;
    pp_study_row row = {.time_s = st->times_s[time], .images = st->images};
    PUT(row.model, r->e->model);
    PUT(row.compensation, pp_compensation_name(st->compensations[c]));
    pp_study_statistics(&row, value, st->seeds);
    row.images_std = st->bits_per_byte ? 0 : sqrt(row.mean * (1 - row.mean) / st->images);
    for (uint32_t s = 0; s < st->seeds; s++) {
        const pp_study_draw draw = {(uint32_t)st->rows.len, r->e->seed + s, value[s]};
        if (!pp_push(&st->draws, draw))
            return PP_ENOMEM;
    }
    return pp_push(&st->rows, row) ? PP_OK : PP_ENOMEM;
}

static pp_status add_clips(model_run *r)
{
    const pp_study_engine *e = r->e;
    for (uint32_t s = 0; s < e->layers; s++) {
        const char *layer = e->layer(e->payload, s);
        if (layer == NULL)
            continue;
        pp_study_clip row = {.clipped_share = e->clipped(e->payload, s)};
        PUT(row.model, e->model);
        PUT(row.layer, layer);
        if (!pp_push(&r->study->clip, row))
            return PP_ENOMEM;
    }
    return PP_OK;
}

static pp_status add_model(model_run *r)
{
    const pp_study_engine *e = r->e;
    pp_study_model row = {.top1_float = e->value_float, .quantized = e->value_quantized};
    PUT(row.model, e->model);
    e->count(e->payload, &row.counts);
    for (size_t i = 0; e->warning(e->payload, i) != NULL; i++) {
        char *text = pp_strf("%s: %s", e->model, e->warning(e->payload, i));
        if (text == NULL || !pp_push(&r->study->warnings, text))
            return PP_ENOMEM;
    }
    return pp_push(&r->study->models, row) ? add_clips(r) : PP_ENOMEM;
}

static uint64_t all_images(const model_run *r)
{
    const pp_study *st = r->study;
    uint64_t n = (uint64_t)st->seeds * st->n_times * st->n_compensations * st->images;
    if (r->e->noise->leave_one_out > 0)
        n += (uint64_t)leave_images(r) * (r->e->layers + 1);
    return n;
}

pp_status pp_study_engine_run_(pp_study *study, const pp_study_engine *e)
{
    model_run r = {.study = study, .e = e};
    pp_status status = PP_OK;
    r.value = pp_calloc(study->n_times * study->n_compensations * study->seeds, sizeof *r.value);
    if (r.value == NULL)
        return PP_ENOMEM;
    pp_progress_begin(&r.bar, e->model, all_images(&r));
    PP_GOTO(done, status, add_model(&r));
    for (uint32_t s = 0; s < study->seeds; s++)
        for (size_t t = 0; t < study->n_times; t++)
            PP_GOTO(done, status, run_time(&r, s, t));
    for (size_t t = 0; t < study->n_times; t++)
        for (size_t c = 0; c < study->n_compensations; c++)
            PP_GOTO(done, status, add_row(&r, t, c));
    if (e->noise->leave_one_out > 0)
        status = leave_one_out(&r);
done:
    pp_progress_end(&r.bar);
    free(r.value);
    return status;
}
