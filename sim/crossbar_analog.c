/* The analog engine: making one, what it tells about itself, signal-to-noise ratios. */
#include "sim/crossbar_analog.h"
#include "sim/crossbar_analog_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pp_status check(const pp_qnetwork *q, const pp_arch *arch, const pp_dataset *calib)
{
    if (!q->has_values)
        return pp_fail(PP_EINVAL, "%s: the crossbars need weights, the network has shapes only", q->net->name);
    if (calib == NULL || calib->n == 0)
        return pp_fail(PP_EINVAL, "%s: the crossbars need at least one calibration image", q->net->name);
    if (arch->cell_bits > 0 && arch->weights == PP_WEIGHTS_FLOAT)
        return pp_fail(PP_EINVAL, "arch.weights: float weights need analog devices (arch.cell_bits 0, not %lld)",
                       (long long)arch->cell_bits);
    return PP_OK;
}

static void set_noise(pp_analog *x)
{
    const pp_noise_options *n = x->noise;
    const bool fresh_read = n->read == PP_READ_PER_READ || n->read == PP_READ_BOTH;
    x->ideal_devices = pp_device_is_ideal(x->device);
    x->fresh_devices = (fresh_read && x->device->kind->read != NULL) || n->read_std > 0;
    x->fresh = x->fresh_devices || n->out_std > 0 || (n->adc_noise_lsb > 0 && x->code_max > 0);
}

pp_status pp_analog_begin_(pp_analog **out, const pp_qnetwork *q, const pp_arch *arch, const pp_mapping *m,
                           const pp_device *device, const pp_noise_options *noise, uint32_t n_calib, pp_pool *pool)
{
    pp_analog *x = pp_calloc(1, sizeof *x);
    *out = x;
    if (x == NULL)
        return PP_ENOMEM;
    *x = (pp_analog){.q = q, .arch = arch, .m = m, .device = device, .noise = noise, .n_calib = n_calib, .ideal_stage = PP_NONE};
    x->known = (uint32_t)(noise->compensation_reads + PP_AGROUP - 1) / PP_AGROUP * PP_AGROUP;
    x->kernel = pp_akernel_choose();
    x->code_max = arch->adc_bits > 0 ? (float)((UINT64_C(1) << (arch->adc_bits - 1)) - 1) : 0;
    x->code_max = arch->adc_bits == 1 ? 1 : x->code_max;
    x->psum_max = (float)((UINT64_C(1) << (q->psum_bits - 1)) - 1);
    set_noise(x);
    PP_TRY(pp_analog_build_(x));
    PP_TRY(pp_analog_targets_(x));
    x->exact = true;
    PP_TRY(pp_analog_scratch_(x, pp_pool_threads(pool)));
    pp_analog_gains_(x);
    return PP_OK;
}

pp_status pp_analog_new(pp_analog **out, const pp_qnetwork *q, const pp_arch *arch, const pp_mapping *m,
                        const pp_device *device, const pp_noise_options *noise, const pp_dataset *calib, pp_pool *pool)
{
    pp_analog *x = NULL;
    *out = NULL;
    PP_TRY(check(q, arch, calib));
    const uint32_t n = noise->calib_images < calib->n ? (uint32_t)noise->calib_images : calib->n;
    pp_status status = pp_analog_begin_(&x, q, arch, m, device, noise, n, pool);
    if (status == PP_OK) {
        x->calib = calib;
        status = pp_analog_calibrate_(x, pool);
    }
    if (status == PP_OK) {
        x->exact = false;
        status = pp_analog_program(x, 1, device->t0_s, pool);
    }
    if (status == PP_OK)
        *out = x;
    else
        pp_analog_free(x);
    return status;
}

const char *pp_analog_warning(const pp_analog *x, size_t i)
{
    return i < x->warning.len ? x->warning.data[i] : NULL;
}

void pp_analog_ideal_stage(pp_analog *x, uint32_t stage)
{
    const uint32_t both[] = {x->ideal_stage, stage};
    for (size_t k = 0; k < 2 && both[0] != both[1]; k++) {
        const pp_astage *s = both[k] != PP_NONE ? &x->stage[both[k]] : NULL;
        for (uint32_t i = 0; s != NULL && i < s->n_arrays; i++)
            x->array[s->first_array + i].stale = true;
    }
    x->ideal_stage = stage;
}

double pp_analog_factor(const pp_analog *x, uint32_t tile)
{
    const uint32_t i = x->array_of_tile[tile];
    double sum = 0;
    for (uint32_t c = 0; i != PP_NONE && c < x->array[i].cols; c++)
        sum += (double)x->array[i].factor[c];
    return i != PP_NONE ? sum / x->array[i].cols : 1;
}

double pp_analog_clipped(const pp_analog *x, uint32_t stage)
{
    return x->stage[stage].clipped;
}

static void count_array(const pp_analog *x, const pp_aarray *a, pp_analog_counts *n)
{
    const uint64_t cells = (uint64_t)a->rows * a->cols, planes = x->stage[a->stage].n_planes;
    const uint64_t slices = x->block[x->n_blocks - 1].slice + 1;
    const bool pair = x->arch->cells == PP_CELLS_DIFFERENTIAL;
    n->arrays++;
    n->useful_cells += x->m->tile[a->tile].cells_useful / slices;
    n->cells += cells;
    n->devices += cells * slices * (pair ? 2 : 1) +
                  (x->arch->cells == PP_CELLS_REFERENCE_COLUMN ? (uint64_t)a->rows * slices : 0);
    n->reads += (uint64_t)a->firings * planes;
    n->conversions += (uint64_t)a->firings * planes * x->n_blocks * a->cols;
    n->compensation_reads += (uint64_t)x->known * planes;
}

void pp_analog_count(const pp_analog *x, pp_analog_counts *out)
{
    *out = (pp_analog_counts){0};
    for (uint32_t i = 0; i < x->n_arrays; i++)
        count_array(x, &x->array[i], out);
}

/* ---- signal-to-noise ratios ---- */

typedef struct power {
    double signal[2], error[2]; /* local, total */
} power;

typedef struct snr_run {
    pp_analog *x;
    const pp_analog *exact;
    pp_aslot *clean;     /* [workers] streams of exact devices */
    int32_t **sum;       /* [workers] exact sums of a stage */
    double **logits;     /* [workers] of exact devices */
    power *power;        /* [image][stage] */
} snr_run;

static void add_error(power *p, int which, double want, double got)
{
    p->signal[which] += want * want;
    p->error[which] += (got - want) * (got - want);
}

static void local_power(const snr_run *r, uint32_t stage, pp_ascratch *w, unsigned worker, uint32_t image, power *p)
{
    const pp_stage *s = &r->x->q->stages->stage[stage];
    const uint32_t cout = r->x->q->stage[stage].cout;
    const size_t n = (size_t)s->fire.h * s->fire.w * cout;
    const uint8_t *in = r->clean[worker].stream[s->inputs[0].stream];
    pp_analog_sums_(r->exact, stage, w, in, image, worker);
    memcpy(r->sum[worker], w->sum, n * sizeof *w->sum);
    pp_analog_sums_(r->x, stage, w, in, image, worker);
    for (size_t i = 0; i < n; i++) {
        const double unit = r->x->q->stage[stage].unit[i % cout];
        add_error(p, 0, unit * r->sum[worker][i], unit * w->sum[i]);
    }
    memcpy(w->sum, r->sum[worker], n * sizeof *w->sum);
}

static pp_status snr_image(void *payload, size_t index, unsigned worker)
{
    const snr_run *r = payload;
    const pp_analog *x = r->x;
    pp_ascratch *w = &x->scratch[worker];
    const uint32_t image = (uint32_t)index;
    pp_analog_input_(x, w, x->calib, image, &w->slot);
    pp_analog_input_(x, w, x->calib, image, &r->clean[worker]);
    for (uint32_t s = 0; s < x->q->stages->n; s++) {
        power *p = &r->power[index * x->q->stages->n + s];
        const pp_shape out = x->q->stages->stage[s].out;
        const int zero = x->q->stream[s + 1].is_signed ? 128 : 0;
        if (x->stage[s].matrix)
            local_power(r, s, w, worker, image, p);
        pp_analog_finish_(r->exact, s, w, &r->clean[worker], w->logits);
        if (s == x->q->stages->output) {
            const size_t n = (size_t)out.h * out.w * out.c;
            memcpy(r->logits[worker], w->logits, n * sizeof *w->logits);
            pp_analog_stage_(x, s, w, &w->slot, image, worker, w->logits);
            for (size_t c = 0; c < n; c++)
                add_error(p, 1, r->logits[worker][c], w->logits[c]);
            continue;
        }
        pp_analog_stage_(x, s, w, &w->slot, image, worker, w->logits);
        for (size_t i = 0; i < (size_t)out.h * out.w * out.c; i++)
            add_error(p, 1, (int)r->clean[worker].stream[s + 1][i] - zero, (int)w->slot.stream[s + 1][i] - zero);
    }
    return PP_OK;
}

static double decibel(double signal, double error)
{
    return error > 0 && signal > 0 ? 10 * log10(signal / error) : error > 0 ? 0 : 200;
}

static pp_status new_snr(snr_run *r, unsigned workers, uint32_t images)
{
    const pp_analog *x = r->x;
    size_t most = 1;
    for (uint32_t s = 0; s < x->q->stages->n; s++) {
        const pp_shape f = x->q->stages->stage[s].fire;
        const size_t n = (size_t)f.h * f.w * f.c;
        most = n > most ? n : most;
    }
    r->clean = pp_calloc(workers, sizeof *r->clean);
    r->sum = pp_calloc(workers, sizeof *r->sum);
    r->logits = pp_calloc(workers, sizeof *r->logits);
    r->power = pp_calloc((size_t)images * x->q->stages->n, sizeof *r->power);
    if (r->clean == NULL || r->sum == NULL || r->logits == NULL || r->power == NULL)
        return PP_ENOMEM;
    for (unsigned w = 0; w < workers; w++) {
        PP_TRY(pp_aslot_new_(x, &r->clean[w]));
        r->sum[w] = pp_calloc(most, sizeof **r->sum);
        r->logits[w] = pp_calloc(most, sizeof **r->logits);
        if (r->sum[w] == NULL || r->logits[w] == NULL)
            return PP_ENOMEM;
    }
    return PP_OK;
}

pp_status pp_analog_measure_snr(pp_analog *x, pp_analog_snr *out, uint32_t images, pp_pool *pool)
{
    const unsigned workers = pp_pool_threads(pool);
    pp_analog exact = *x;
    exact.exact = true;
    snr_run r = {.x = x, .exact = &exact};
    images = images < x->n_calib ? images : x->n_calib;
    PP_TRY(pp_analog_scratch_(x, workers));
    exact.scratch = x->scratch;
    pp_status status = new_snr(&r, workers, images);
    if (status == PP_OK)
        status = pp_pool_run(pool, images, snr_image, &r);
    for (uint32_t s = 0; s < x->q->stages->n && status == PP_OK; s++) {
        power p = {{0, 0}, {0, 0}};
        for (uint32_t i = 0; i < images; i++) {
            for (int k = 0; k < 2; k++) {
                p.signal[k] += r.power[(size_t)i * x->q->stages->n + s].signal[k];
                p.error[k] += r.power[(size_t)i * x->q->stages->n + s].error[k];
            }
        }
        out[s] = (pp_analog_snr){decibel(p.signal[0], p.error[0]), decibel(p.signal[1], p.error[1])};
    }
    for (unsigned w = 0; w < workers; w++) {
        if (r.clean != NULL)
            pp_aslot_free_(x, &r.clean[w]);
        if (r.sum != NULL)
            free(r.sum[w]);
        if (r.logits != NULL)
            free(r.logits[w]);
    }
    free(r.clean);
    free(r.sum);
    free(r.logits);
    free(r.power);
    return status;
}
