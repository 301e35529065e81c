/* A language model for `infer`: opened or quantized here, then studied on its crossbars. */
#include "cli/infer_lm.h"
#include "cli/lm_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct lm_infer {
    pp_lm_values v;
    double bits_float, bits_quantized;
} lm_infer;

bool pp_infer_is_lm(const char *model)
{
    return pp_lm_is_known(model);
}

/* ---- without crossbars ---- */

static pp_status evaluate(const lm_infer *r, const pp_lm_config *config, pp_lm_source source, const pp_lm_hooks *hooks, double *bits)
{
    pp_lm_exec *exec = NULL;
    pp_lm_eval e;
    const pp_lm_exec_options eo = {.pool = r->v.s->pool};
    const pp_lm_eval_options o = {.window = (uint32_t)r->v.s->workload.window};
    PP_TRY(pp_lm_exec_new(&exec, config, &source, hooks, &eo));
    const pp_status status = pp_lm_evaluate(&e, exec, r->v.text.ids, r->v.text.bytes, r->v.text.n, &o);
    pp_lm_exec_free(exec);
    *bits = e.bits_per_byte;
    return status;
}

static pp_status references(lm_infer *r)
{
    const pp_lm_hooks hooks = pp_lmq_hooks(r->v.q);
    if (r->v.lm != NULL)
        PP_TRY(evaluate(r, pp_lm_config_of(r->v.lm), pp_lm_source_of(r->v.lm), NULL, &r->bits_float));
    return evaluate(r, pp_lmq_config(r->v.q), pp_lmq_source(r->v.q), &hooks, &r->bits_quantized);
}

/* ---- the study ---- */

static pp_status study(lm_infer *r, pp_study *st)
{
    const pp_session *s = r->v.s;
    const char *slash = strrchr(r->v.model, '/');
    const pp_lm_study_input in = {
        .model = slash != NULL && slash[1] != 0 ? slash + 1 : r->v.model, .q = r->v.q, .arch = &s->arch, .device = &s->device,
        .noise = &s->noise, .act_scale = pp_lm_values_scale(s), .calib = r->v.calib_text.ids, .n_calib = r->v.calib_text.n,
        .tokens = r->v.text.ids, .bytes = r->v.text.bytes, .n_tokens = r->v.text.n, .window = (uint32_t)s->workload.window,
        .seed = (uint64_t)s->run_options.seed, .pool = s->pool, .bits_float = r->bits_float, .bits_quantized = r->bits_quantized};
    st->bits_per_byte = true;
    st->images = (uint32_t)r->v.text.n;
    return pp_lm_study_run(st, &in);
}

static pp_status keep_shape(pp_session *s, const pp_lmq *q)
{
    s->lm_config = *pp_lmq_config(q);
    s->lm_wbits = pp_lmq_options_of(q)->wbits;
    s->lm_abits = pp_lmq_options_of(q)->abits;
    return PP_OK;
}

pp_status pp_infer_lm(pp_session *s, pp_study *st, const char *model)
{
    lm_infer r = {0};
    pp_status status = pp_lm_values_open(&r.v, s, model, false);
    if (status == PP_OK)
        status = references(&r);
    if (status == PP_OK)
        status = study(&r, st);
    if (status == PP_OK)
        status = keep_shape(s, r.v.q);
    pp_lm_values_free(&r.v);
    return status;
}
