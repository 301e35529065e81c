/* A language model for `infer`: opened or quantized here, then studied on its crossbars. */
#include "cli/infer_lm.h"

#include "quant/lmq_integer.h"
#include "workloads/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct lm_infer {
    pp_session *s;
    const char *model;
    pp_lm *lm;              /* NULL: from a folder */
    pp_lmq_calib *calib;
    pp_lmq *q;
    pp_tokenizer *tokenizer;
    pp_tokens calib_text, text;
    double bits_float, bits_quantized;
} lm_infer;

bool pp_infer_is_lm(const char *model)
{
    return pp_lm_is_known(model);
}

/* ---- texts ---- */

/* "auto" and the networks' default: the text that comes with the program. */
static pp_status read_text(const lm_infer *r, const char *given, bool by_default, const char *built_in, pp_tokens *out)
{
    char *path = NULL;
    if (!by_default && strcmp(given, "auto") != 0)
        return pp_tokenizer_encode_file(r->tokenizer, out, given);
    PP_TRY(pp_zoo_path(&path, built_in));
    const pp_status status = pp_tokenizer_encode_file(r->tokenizer, out, path);
    free(path);
    return status;
}

static pp_status read_texts(lm_infer *r)
{
    const pp_session *s = r->s;
    const bool calib_given = pp_config_is_set(s->config, "quant", "calib");
    PP_TRY(read_text(r, s->quant.calib, !calib_given, "text-calib.txt", &r->calib_text));
    PP_TRY(read_text(r, s->workload.data, false, "text-valid.txt", &r->text));
    if ((size_t)s->workload.tokens < r->text.n)
        r->text.n = (size_t)s->workload.tokens;
    return PP_OK;
}

/* ---- the quantized model ---- */

static pp_status bits_of(const pp_session *s, const char *name, int64_t set, uint32_t usual, uint32_t *out)
{
    *out = pp_config_is_set(s->config, "quant", name) ? (uint32_t)set : usual;
    if (*out > 8 && *out < 16)
        return pp_fail(PP_ERANGE, "quant.%s: %u: expected 2 to 8, or 16 for float", name, *out);
    return PP_OK;
}

/* What nobody set is as the quantized model has it. */
static int act_scale(const pp_session *s)
{
    static const int of[] = {[PP_LM_SCALE_STATIC] = PP_ACT_SCALE_STATIC, [PP_LM_SCALE_TILE] = PP_ACT_SCALE_TILE,
                             [PP_LM_SCALE_TOKEN] = PP_ACT_SCALE_TOKEN};
    return pp_config_is_set(s->config, "quant", "activation_scale") ? of[s->lm_graph.act_scale] : PP_ACT_SCALE_AUTO;
}

static pp_status options_of(const pp_session *s, pp_lmq_options *o)
{
    *o = pp_lmq_defaults();
    if (pp_lmq_method_parse(s->lm_quant.method, &o->method, &o->gptq) != PP_OK)
        return pp_fail(PP_EINVAL, "quant.method: '%s': expected rtn, gptq, quarot, kurtail, quarot-gptq or kurtail-gptq",
                       s->lm_quant.method);
    PP_TRY(bits_of(s, "wbits", s->quant.wbits, o->wbits, &o->wbits));
    PP_TRY(bits_of(s, "abits", s->quant.abits, o->abits, &o->abits));
    PP_TRY(bits_of(s, "kvbits", s->lm_graph.kvbits, o->kvbits, &o->kvbits));
    if (s->arch.weights == PP_WEIGHTS_FLOAT) { /* programmed as they are */
        o->wbits = 16;
        o->gptq = false;
    }
    o->act_static = act_scale(s) == PP_ACT_SCALE_STATIC;
    o->learn.steps = s->lm_quant.learn_steps;
    o->seed = (uint64_t)s->run_options.seed;
    return PP_OK;
}

static pp_status quantize(lm_infer *r)
{
    pp_session *s = r->s;
    pp_lmq_options o;
    pp_progress bar;
    pp_status status = PP_OK;
    PP_TRY(options_of(s, &o));
    if (o.method == PP_LMQ_KURTAIL || o.act_static) {
        pp_progress_begin(&bar, "calibration", pp_lm_config_of(r->lm)->layers);
        status = pp_lmq_calibrate(&r->calib, r->lm, &o, r->calib_text.ids, r->calib_text.n, s->pool, &bar);
        pp_progress_end(&bar);
    }
    PP_TRY(status);
    pp_progress_begin(&bar, "learning rotations", pp_lmq_learn_steps(r->lm, &o));
    status = pp_lmq_new(&r->q, r->lm, &o, r->calib, s->pool, &bar);
    pp_progress_end(&bar);
    PP_TRY(status);
    pp_progress_begin(&bar, "quantizing layers", pp_lm_config_of(r->lm)->layers);
    status = pp_lmq_quantize(r->q, r->calib_text.ids, r->calib_text.n, NULL, false, &bar);
    pp_progress_end(&bar);
    return status;
}

static pp_status open_model(lm_infer *r)
{
    if (pp_lmq_is_folder(r->model)) {
        PP_TRY(pp_lmq_open(&r->q, r->model, r->s->pool));
        if (pp_lmq_config(r->q)->vocab != 256)
            return pp_fail(PP_EUNSUPPORTED, "%s: its text needs the tokenizer of the float model", r->model);
        PP_TRY(pp_tokenizer_bytes(&r->tokenizer));
        return read_texts(r);
    }
    if (!pp_lm_is_model(r->model))
        return pp_fail(PP_EINVAL, "infer: %s has a shape only, no weights", r->model);
    PP_TRY(pp_lm_open(&r->lm, r->model));
    PP_TRY(pp_tokenizer_for(&r->tokenizer, r->lm));
    PP_TRY(read_texts(r));
    return quantize(r);
}

/* ---- without crossbars ---- */

static pp_status evaluate(const lm_infer *r, const pp_lm_config *config, pp_lm_source source, const pp_lm_hooks *hooks, double *bits)
{
    pp_lm_exec *exec = NULL;
    pp_lm_eval e;
    const pp_lm_exec_options eo = {.pool = r->s->pool};
    const pp_lm_eval_options o = {.window = (uint32_t)r->s->workload.window};
    PP_TRY(pp_lm_exec_new(&exec, config, &source, hooks, &eo));
    const pp_status status = pp_lm_evaluate(&e, exec, r->text.ids, r->text.bytes, r->text.n, &o);
    pp_lm_exec_free(exec);
    *bits = e.bits_per_byte;
    return status;
}

static pp_status references(lm_infer *r)
{
    const pp_lm_hooks hooks = pp_lmq_hooks(r->q);
    if (r->lm != NULL)
        PP_TRY(evaluate(r, pp_lm_config_of(r->lm), pp_lm_source_of(r->lm), NULL, &r->bits_float));
    return evaluate(r, pp_lmq_config(r->q), pp_lmq_source(r->q), &hooks, &r->bits_quantized);
}

/* ---- the study ---- */

static pp_status study(lm_infer *r, pp_study *st)
{
    const pp_session *s = r->s;
    const char *slash = strrchr(r->model, '/');
    const pp_lm_study_input in = {
        .model = slash != NULL && slash[1] != 0 ? slash + 1 : r->model, .q = r->q, .arch = &s->arch, .device = &s->device,
        .noise = &s->noise, .act_scale = act_scale(s), .calib = r->calib_text.ids, .n_calib = r->calib_text.n,
        .tokens = r->text.ids, .bytes = r->text.bytes, .n_tokens = r->text.n, .window = (uint32_t)s->workload.window,
        .seed = (uint64_t)s->run_options.seed, .pool = s->pool, .bits_float = r->bits_float, .bits_quantized = r->bits_quantized};
    st->bits_per_byte = true;
    st->images = (uint32_t)r->text.n;
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
    lm_infer r = {.s = s, .model = model};
    pp_status status = open_model(&r);
    if (status == PP_OK)
        status = references(&r);
    if (status == PP_OK)
        status = study(&r, st);
    if (status == PP_OK)
        status = keep_shape(s, r.q);
    pp_lmq_free(r.q);
    pp_lmq_calib_free(r.calib);
    pp_tokens_free(&r.calib_text);
    pp_tokens_free(&r.text);
    pp_tokenizer_free(r.tokenizer);
    pp_lm_close(r.lm);
    return status;
}
