/* Studies of networks of images. */
#include "sim/noise_study_internal.h"

#include <stdlib.h>

enum { CHUNK = 128, SNR_IMAGES = 16 };

typedef struct net {
    const pp_study_input *in;
    pp_analog *x;
    float *logits;
} net;

static const char *layer(void *payload, uint32_t stage)
{
    const net *n = payload;
    const pp_stage *s = &n->in->q->stages->stage[stage];
    return s->matrix != PP_NONE ? s->name : NULL;
}

static pp_status settle(void *payload, uint64_t seed, double since_s, pp_compensation c)
{
    net *n = payload;
    const pp_noise_options *o = n->in->noise;
    PP_TRY(pp_analog_program(n->x, seed, since_s, n->in->pool));
    PP_TRY(pp_analog_compensate(n->x, c, n->in->pool));
    if (o->adc_ranges == 1)
        PP_TRY(pp_analog_recalibrate(n->x, n->in->pool));
    return o->batch_norm ? pp_analog_batch_norm(n->x, n->in->pool) : PP_OK;
}

/* Results of one image: the data may have fewer classes. */
static uint32_t results(const pp_study_input *in)
{
    return in->q->net->ops[in->q->net->output].out.c;
}

static pp_status evaluate(void *payload, uint32_t images, pp_progress *bar, double *top1)
{
    net *n = payload;
    const pp_dataset *data = n->in->data;
    for (uint32_t first = 0; first < images; first += CHUNK) {
        const uint32_t count = images - first < CHUNK ? images - first : CHUNK;
        PP_TRY(pp_analog_run(n->x, n->in->pool, data, first, count, n->logits + (size_t)first * results(n->in)));
        pp_progress_step(bar, count);
    }
    *top1 = pp_top1(n->logits, data->labels, images, results(n->in));
    return PP_OK;
}

static pp_status snr(void *payload, pp_analog_snr *out)
{
    net *n = payload;
    return pp_analog_measure_snr(n->x, out, SNR_IMAGES, n->in->pool);
}

static double clipped(void *payload, uint32_t stage)
{
    const net *n = payload;
    return pp_analog_clipped(n->x, stage);
}

static void ideal(void *payload, uint32_t stage)
{
    net *n = payload;
    pp_analog_ideal_stage(n->x, stage);
}

static void count(void *payload, pp_analog_counts *out)
{
    const net *n = payload;
    pp_analog_count(n->x, out);
}

static const char *warning(void *payload, size_t i)
{
    const net *n = payload;
    return pp_analog_warning(n->x, i);
}

pp_status pp_study_model_run(pp_study *study, const pp_study_input *in)
{
    net n = {.in = in};
    const pp_study_engine e = {.payload = &n, .model = in->model, .device = in->device, .noise = in->noise, .seed = in->seed,
                               .value_float = in->top1_float, .layers = in->q->stages->n, .layer = layer, .settle = settle,
                               .evaluate = evaluate, .snr = snr, .clipped = clipped, .ideal = ideal, .count = count, .warning = warning};
    n.logits = pp_calloc((size_t)in->data->n * results(in), sizeof *n.logits);
    pp_status status = n.logits != NULL ? PP_OK : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_analog_new(&n.x, in->q, in->arch, in->m, in->device, in->noise, in->calib, in->pool);
    if (status == PP_OK)
        status = pp_study_engine_run_(study, &e);
    pp_analog_free(n.x);
    free(n.logits);
    return status;
}
