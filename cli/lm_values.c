/* Language models with values: texts, and the quantized model. */
#include "cli/lm_values.h"

#include <stdlib.h>
#include <string.h>

/* ---- texts ---- */

/* "auto" and the networks' default: the text that comes with the program. */
static pp_status read_text(const pp_lm_values *r, const char *given, bool by_default, const char *built_in, pp_tokens *out)
{
    char *path = NULL;
    if (!by_default && strcmp(given, "auto") != 0)
        return pp_tokenizer_encode_file(r->tokenizer, out, given);
    PP_TRY(pp_zoo_path(&path, built_in));
    const pp_status status = pp_tokenizer_encode_file(r->tokenizer, out, path);
    free(path);
    return status;
}

static pp_status read_texts(pp_lm_values *r)
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

static pp_status bits_of(const pp_session *s, bool as_timed, const char *name, int64_t set, uint32_t usual, uint32_t *out)
{
    *out = as_timed || pp_config_is_set(s->config, "quant", name) ? (uint32_t)set : usual;
    if (*out > 8 && *out < 16)
        return pp_fail(PP_ERANGE, "quant.%s: %u: expected 2 to 8, or 16 for float", name, *out);
    return PP_OK;
}

/* What nobody set is as the quantized model has it. */
int pp_lm_values_scale(const pp_session *s)
{
    static const int of[] = {[PP_LM_SCALE_STATIC] = PP_ACT_SCALE_STATIC, [PP_LM_SCALE_TILE] = PP_ACT_SCALE_TILE,
                             [PP_LM_SCALE_TOKEN] = PP_ACT_SCALE_TOKEN};
    return pp_config_is_set(s->config, "quant", "activation_scale") ? of[s->lm_graph.act_scale] : PP_ACT_SCALE_AUTO;
}

static pp_status options_of(const pp_session *s, bool as_timed, pp_lmq_options *o)
{
    *o = pp_lmq_defaults();
    if (pp_lmq_method_parse(s->lm_quant.method, &o->method, &o->gptq) != PP_OK)
        return pp_fail(PP_EINVAL, "quant.method: '%s': expected rtn, gptq, quarot, kurtail, quarot-gptq or kurtail-gptq",
                       s->lm_quant.method);
    PP_TRY(bits_of(s, as_timed, "wbits", s->quant.wbits, o->wbits, &o->wbits));
    PP_TRY(bits_of(s, as_timed, "abits", s->quant.abits, o->abits, &o->abits));
    PP_TRY(bits_of(s, as_timed, "kvbits", s->lm_graph.kvbits, o->kvbits, &o->kvbits));
    if (s->arch.weights == PP_WEIGHTS_FLOAT) { /* programmed as they are */
        o->wbits = 16;
        o->gptq = false;
    }
    o->act_static = pp_lm_values_scale(s) == PP_ACT_SCALE_STATIC;
    o->learn.steps = s->lm_quant.learn_steps;
    o->seed = (uint64_t)s->run_options.seed;
    return PP_OK;
}

static pp_status quantize(pp_lm_values *r)
{
    pp_session *s = r->s;
    pp_lmq_options o;
    pp_progress bar;
    pp_status status = PP_OK;
    PP_TRY(options_of(s, r->as_timed, &o));
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

static pp_status open_model(pp_lm_values *r)
{
    if (pp_lmq_is_folder(r->model)) {
        PP_TRY(pp_lmq_open(&r->q, r->model, r->s->pool));
        if (pp_lmq_config(r->q)->vocab != 256)
            return pp_fail(PP_EUNSUPPORTED, "%s: its text needs the tokenizer of the float model", r->model);
        PP_TRY(pp_tokenizer_bytes(&r->tokenizer));
        return read_texts(r);
    }
    if (!pp_lm_is_model(r->model))
        return pp_fail(PP_EINVAL, "%s has a shape only, no weights", r->model);
    PP_TRY(pp_lm_open(&r->lm, r->model));
    PP_TRY(pp_tokenizer_for(&r->tokenizer, r->lm));
    PP_TRY(read_texts(r));
    return quantize(r);
}

pp_status pp_lm_values_open(pp_lm_values *v, pp_session *s, const char *model, bool as_timed)
{
    *v = (pp_lm_values){.s = s, .model = model, .as_timed = as_timed};
    return open_model(v);
}

void pp_lm_values_free(pp_lm_values *v)
{
    pp_lmq_free(v->q);
    pp_lmq_calib_free(v->calib);
    pp_tokens_free(&v->calib_text);
    pp_tokens_free(&v->text);
    pp_tokenizer_free(v->tokenizer);
    pp_lm_close(v->lm);
}
