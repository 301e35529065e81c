/* Studies of language models: bits per byte. */
#include "sim/noise_study_internal.h"

#include <stdint.h>

enum { SNR_TOKENS = 128 };

typedef struct model {
    const pp_lm_study_input *in;
    pp_lm_crossbars *x;
} model;

static const char *layer(void *payload, uint32_t matrix)
{
    const model *m = payload;
    return pp_lmq_integer_matrix(pp_lm_crossbars_integer(m->x), matrix)->name;
}

static pp_status settle(void *payload, uint64_t seed, double since_s, pp_compensation c)
{
    model *m = payload;
    PP_TRY(pp_lm_crossbars_program(m->x, seed, since_s));
    PP_TRY(pp_lm_crossbars_compensate(m->x, c));
    return m->in->noise->adc_ranges == 1 ? pp_lm_crossbars_recalibrate(m->x) : PP_OK;
}

/* All windows are one batch, so that a token's row, by which its noise is drawn, is its place in the text. */
static pp_status evaluate(void *payload, uint32_t tokens, pp_progress *bar, double *bits)
{
    model *m = payload;
    pp_lm_eval e;
    const pp_lm_eval_options o = {.window = m->in->window, .hidden_bytes = SIZE_MAX};
    PP_TRY(pp_lm_evaluate(&e, pp_lm_crossbars_exec(m->x), m->in->tokens, m->in->bytes, tokens, &o));
    pp_progress_step(bar, tokens);
    *bits = e.bits_per_byte;
    return PP_OK;
}

static pp_status snr(void *payload, pp_analog_snr *out)
{
    model *m = payload;
    return pp_lm_crossbars_snr(m->x, out, SNR_TOKENS);
}

static double clipped(void *payload, uint32_t matrix)
{
    const model *m = payload;
    return pp_lm_crossbars_clipped(m->x, matrix);
}

static void ideal(void *payload, uint32_t matrix)
{
    model *m = payload;
    pp_lm_crossbars_ideal(m->x, matrix);
}

static void count(void *payload, pp_analog_counts *out)
{
    const model *m = payload;
    pp_lm_crossbars_count(m->x, out);
}

static const char *warning(void *payload, size_t i)
{
    const model *m = payload;
    return pp_lm_crossbars_warning(m->x, i);
}

pp_status pp_lm_study_run(pp_study *study, const pp_lm_study_input *in)
{
    model m = {.in = in};
    const pp_lm_crossbars_input c = {.q = in->q, .arch = in->arch, .device = in->device, .noise = in->noise,
                                     .act_scale = in->act_scale, .calib = in->calib, .n_calib = in->n_calib,
                                     .window = in->window, .pool = in->pool};
    PP_TRY(pp_lm_crossbars_new(&m.x, &c));
    const pp_study_engine e = {.payload = &m, .model = in->model, .device = in->device, .noise = in->noise, .seed = in->seed,
                               .value_float = in->bits_float, .value_quantized = in->bits_quantized,
                               .layers = (uint32_t)pp_lmq_integer_n(pp_lm_crossbars_integer(m.x)), .layer = layer,
                               .settle = settle, .evaluate = evaluate, .snr = snr, .clipped = clipped, .ideal = ideal, .count = count,
                               .warning = warning};
    const pp_status status = pp_study_engine_run_(study, &e);
    pp_lm_crossbars_free(m.x);
    return status;
}
