/* quantize MODEL, quantize compare MODEL for language models. */
#include "cli/quantize_lm.h"
#include "cli/commands.h"
#include "cli/quantize_layers.h"
#include "cli/session.h"

#include "quant/lmq.h"
#include "report/plot.h"
#include "report/tables_quant.h"
#include "workloads/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METHODS_MAX = 16 };

typedef struct lm_run {
    const pp_parsed *args;
    const char *model;
    double start_s;
    pp_pool *pool;
    pp_lm *lm;
    pp_tokenizer *tokenizer;
    pp_tokens calib_text, eval_text;
    pp_lmq_calib *calib;
    pp_lmq_options o;
    int64_t eval_tokens;
    bool evaluate;
    pp_lm_eval plain; /* of the float model */
} lm_run;

bool pp_quantize_is_lm(const char *model)
{
    return pp_lm_is_known(model) || pp_lmq_is_folder(model);
}

/* ---- options ---- */

static pp_status choice(const pp_parsed *p, const char *name, const char *const *words, int *out)
{
    const char *text = pp_args_get(p, name);
    char list[128] = "";
    for (int i = 0; text != NULL && words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return PP_OK;
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? ", " : "", words[i]);
    }
    return text == NULL ? PP_OK : pp_fail(PP_EUSAGE, "quantize: --%s %s: expected one of %s%s", name, text, list, 
                                                       pp_hint(text, list, (char[PP_HINT_MAX]){0}));
}

static pp_status u32_option(const pp_parsed *p, const char *name, int64_t min, int64_t max, uint32_t *out)
{
    int64_t v;
    PP_TRY(pp_args_i64(p, name, *out, min, max, &v));
    *out = (uint32_t)v;
    return PP_OK;
}

static pp_status f64_option(const pp_parsed *p, const char *name, double min, double max, double *out)
{
    const char *text = pp_args_get(p, name);
    double v;
    if (text == NULL)
        return PP_OK;
    if (!pp_parse_f64(text, &v) || v < min || v > max)
        return pp_fail(PP_EUSAGE, "quantize: --%s %s: expected a number from %g to %g", name, text, min, max);
    *out = v;
    return PP_OK;
}

static pp_status bits_option(const pp_parsed *p, const char *name, uint32_t *out)
{
    PP_TRY(u32_option(p, name, 2, 16, out));
    return *out <= 8 || *out == 16 ? PP_OK
                                   : pp_fail(PP_EUSAGE, "quantize: --%s %u: expected 2 to 8, or 16 for float", name, *out);
}

static pp_status parse_options(lm_run *r)
{
    const pp_parsed *p = r->args;
    pp_lmq_options *o = &r->o;
    static const char *const weights[] = {"rtn", "gptq", NULL}, *const learners[] = {"sgd", "cayley", "qr", NULL};
    static const char *const losses[] = {"pooled", "token", "channel", NULL};
    int64_t seed;
    *o = pp_lmq_defaults();
    PP_TRY(pp_lmq_method_parse(pp_args_get(p, "method") != NULL ? pp_args_get(p, "method") : "kurtail", &o->method, &o->gptq));
    if (pp_args_has(p, "weights")) {
        int gptq = 0;
        PP_TRY(choice(p, "weights", weights, &gptq));
        o->gptq = gptq == 1;
    }
    PP_TRY(bits_option(p, "wbits", &o->wbits));
    PP_TRY(bits_option(p, "abits", &o->abits));
    PP_TRY(bits_option(p, "kvbits", &o->kvbits));
    PP_TRY(u32_option(p, "wgroup", 0, 1 << 20, &o->wgroup));
    PP_TRY(u32_option(p, "agroup", 0, 1 << 20, &o->agroup));
    PP_TRY(u32_option(p, "calib-windows", 1, 1 << 16, &o->calib_windows));
    PP_TRY(u32_option(p, "window", 2, 1 << 16, &o->window));
    PP_TRY(choice(p, "learner", learners, &o->learn.learner));
    PP_TRY(choice(p, "loss", losses, &o->learn.loss));
    PP_TRY(pp_args_i64(p, "steps", o->learn.steps, 0, 1000000, &o->learn.steps));
    PP_TRY(f64_option(p, "rate", 1e-6, 10, &o->learn.rate));
    PP_TRY(f64_option(p, "act-clip", 0.01, 1, &o->act_clip));
    PP_TRY(f64_option(p, "kv-clip", 0.01, 1, &o->kv_clip));
    PP_TRY(f64_option(p, "smooth", 0, 1, &o->smooth));
    PP_TRY(pp_args_i64(p, "seed", 1, 0, INT64_MAX, &seed));
    PP_TRY(pp_args_i64(p, "eval-tokens", 0, 0, INT64_MAX, &r->eval_tokens));
    o->seed = (uint64_t)seed;
    o->format = pp_args_get(p, "format");
    o->act_asymmetric = pp_args_has(p, "act-asymmetric");
    o->act_static = pp_args_has(p, "act-static");
    o->act_order = pp_args_has(p, "act-order");
    o->static_groups = pp_args_has(p, "static-groups");
    o->online = !pp_args_has(p, "no-online");
    return PP_OK;
}

/* ---- texts ---- */

static pp_status read_text(const lm_run *r, const char *option, const char *built_in, pp_tokens *out)
{
    const char *given = pp_args_get(r->args, option);
    char *path = NULL;
    if (given != NULL)
        return pp_tokenizer_encode_file(r->tokenizer, out, given);
    PP_TRY(pp_zoo_path(&path, built_in));
    const pp_status status = pp_tokenizer_encode_file(r->tokenizer, out, path);
    free(path);
    return status;
}

static void limit(pp_tokens *t, int64_t n)
{
    if (n > 0 && (size_t)n < t->n)
        t->n = (size_t)n;
}

/* Stand-in for a text where there is no tokenizer: sizes and times can be tried, bits mean nothing. */
static pp_status random_tokens(lm_run *r)
{
    int64_t n;
    PP_TRY(pp_args_i64(r->args, "random-tokens", 0, 2, 1 << 26, &n));
    pp_tokens *texts[2] = {&r->calib_text, &r->eval_text};
    for (unsigned t = 0; t < 2; t++) {
        pp_rng rng = pp_rng_make(r->o.seed, 0x70c0 + t);
        texts[t]->ids = pp_alloc((size_t)n, sizeof *texts[t]->ids);
        texts[t]->bytes = pp_alloc((size_t)n, sizeof *texts[t]->bytes);
        if (texts[t]->ids == NULL || texts[t]->bytes == NULL)
            return PP_ENOMEM;
        texts[t]->n = (size_t)n;
        for (int64_t i = 0; i < n; i++) {
            texts[t]->ids[i] = pp_rng_below(&rng, pp_lm_config_of(r->lm)->vocab);
            texts[t]->bytes[i] = 1;
        }
    }
    return PP_OK;
}

static pp_status open_run(lm_run *r)
{
    int64_t threads;
    r->start_s = pp_clock_s();
    PP_TRY(parse_options(r));
    PP_TRY(pp_args_i64(r->args, "threads", pp_cpu_count(), 1, PP_POOL_MAX, &threads));
    PP_TRY(pp_pool_new(&r->pool, (unsigned)threads));
    r->evaluate = !pp_args_has(r->args, "no-eval");
    if (pp_lmq_is_folder(r->model))
        return PP_OK;
    PP_TRY(pp_lm_open(&r->lm, r->model));
    if (pp_args_has(r->args, "random-tokens"))
        return random_tokens(r);
    PP_TRY(pp_tokenizer_for(&r->tokenizer, r->lm));
    PP_TRY(read_text(r, "calib", "text-calib.txt", &r->calib_text));
    PP_TRY(read_text(r, "eval", "text-valid.txt", &r->eval_text));
    limit(&r->eval_text, r->eval_tokens);
    return PP_OK;
}

static void close_run(lm_run *r)
{
    pp_lmq_calib_free(r->calib);
    pp_tokens_free(&r->calib_text);
    pp_tokens_free(&r->eval_text);
    pp_tokenizer_free(r->tokenizer);
    pp_lm_close(r->lm);
    pp_pool_free(r->pool);
}

/* ---- steps ---- */

static pp_status evaluate(lm_run *r, const pp_lm_config *config, pp_lm_source source, const pp_lm_hooks *hooks,
                          const char *label, pp_lm_eval *out)
{
    pp_lm_exec *exec = NULL;
    pp_progress progress;
    const pp_lm_exec_options e = pp_lmq_exec_options(r->pool);
    const pp_lm_eval_options eo = {.window = r->o.window, .progress = &progress};
    PP_TRY(pp_lm_exec_new(&exec, config, &source, hooks, &e));
    pp_progress_begin(&progress, label, (size_t)config->layers * (1 + r->eval_text.n * config->hidden / ((size_t)64 << 20)));
    const pp_status status = pp_lm_evaluate(out, exec, r->eval_text.ids, r->eval_text.bytes, r->eval_text.n, &eo);
    pp_progress_end(&progress);
    pp_lm_exec_free(exec);
    return status;
}

static pp_status evaluate_float(lm_run *r)
{
    return r->evaluate ? evaluate(r, pp_lm_config_of(r->lm), pp_lm_source_of(r->lm), NULL, "float model", &r->plain)
                       : PP_OK;
}

/* A sample is worth its file (at most 320 MiB until the folder is finished) where a pass over the text takes minutes. */
#define KEPT_PARAMETERS 1e8

static double parameters_of(const pp_lm_config *c)
{
    double n = 0;
    uint64_t rows, cols;
    for (pp_lm_kind k = 0; k < PP_LM_EMBED; k++)
        n += pp_lm_dims(c, k, &rows, &cols) ? (double)rows * (double)cols * c->layers : 0;
    return n;
}

/* dir: the folder that is made; NULL: none. */
static pp_status calibrate(lm_run *r, const char *dir)
{
    if (pp_args_has(r->args, "force") || parameters_of(pp_lm_config_of(r->lm)) < KEPT_PARAMETERS)
        dir = NULL;
    pp_progress progress;
    pp_progress_begin(&progress, "calibration", pp_lm_config_of(r->lm)->layers);
    bool kept;
    const pp_status status = pp_lmq_calibrate_in(&r->calib, &kept, r->lm, &r->o, r->calib_text.ids, r->calib_text.n, dir, r->pool, &progress);
    pp_progress_end(&progress);
    return status;
}

/* One method and seed. */
typedef struct outcome {
    pp_lm_eval eval;
    double invariance, kurtosis_before, kurtosis_after;
    pp_lmq *q;
} outcome;

static pp_status check_invariance(lm_run *r, outcome *out)
{
    pp_progress progress;
    const uint32_t n = (uint32_t)(r->eval_text.n < 128 ? r->eval_text.n : 128);
    pp_progress_begin(&progress, "invariance", 2 * (size_t)pp_lm_config_of(r->lm)->layers);
    const pp_status status = pp_lmq_invariance(out->q, r->eval_text.ids, n, &progress, &out->invariance);
    pp_progress_end(&progress);
    return status;
}

static pp_status make_model(lm_run *r, const pp_lmq_options *o, const char *dir, outcome *out)
{
    pp_progress progress;
    pp_progress_begin(&progress, "learning rotations", pp_lmq_learn_steps(r->lm, o));
    pp_status status = pp_lmq_new(&out->q, r->lm, o, r->calib, r->pool, &progress);
    pp_progress_end(&progress);
    PP_TRY(status);
    pp_lmq_kurtosis(out->q, &out->kurtosis_before, &out->kurtosis_after);
    if (o->method != PP_LMQ_RTN)
        PP_TRY(check_invariance(r, out));
    if (out->invariance > 1e-3)
        pp_warn("rotations change the float logits by %.2g of the largest (expected below 1e-3)", out->invariance);
    pp_progress_begin(&progress, "quantizing layers", pp_lmq_quantize_steps(out->q, dir != NULL));
    status = pp_lmq_quantize(out->q, r->calib_text.ids, r->calib_text.n, dir, pp_args_has(r->args, "force"), &progress);
    pp_progress_end(&progress);
    return status;
}

static pp_status evaluate_model(lm_run *r, pp_lmq *q, pp_lm_eval *out)
{
    const pp_lm_hooks hooks = pp_lmq_hooks(q);
    return evaluate(r, pp_lmq_config(q), pp_lmq_source(q), &hooks, "quantized model", out);
}

/* From the folder when there is one, so that what was written is what is measured. */
static pp_status one(lm_run *r, const pp_lmq_options *o, const char *dir, outcome *out)
{
    pp_lmq_options with = *o;
    with.resume = pp_args_has(r->args, "force") ? NULL : dir;
    PP_TRY(make_model(r, &with, dir, out));
    if (dir != NULL) {
        pp_lmq *folder = NULL;
        PP_TRY(pp_lmq_open(&folder, dir, r->pool));
        const pp_status status = r->evaluate ? evaluate_model(r, folder, &out->eval) : PP_OK;
        pp_lmq_free(folder);
        return status;
    }
    return r->evaluate ? evaluate_model(r, out->q, &out->eval) : PP_OK;
}

/* ---- printing ---- */

static const char *method_name(const pp_lmq_options *o)
{
    static const char *const names[3][2] = {{"rtn", "gptq"}, {"quarot", "quarot-gptq"}, {"kurtail", "kurtail-gptq"}};
    return names[o->method][o->gptq];
}

static void add_settings(pp_json *j, const char *method, const pp_lmq_options *o)
{
    pp_json_add_text(j, "method", method);
    pp_json_add_text(j, "weights", o->gptq ? "gptq" : "rtn");
    pp_json_add_i64(j, "wbits", o->wbits);
    pp_json_add_i64(j, "abits", o->abits);
    pp_json_add_i64(j, "kvbits", o->kvbits);
    pp_json_add_text(j, "format", o->format);
    pp_json_add_i64(j, "wgroup", o->wgroup);
    pp_json_add_f64(j, "act_clip", o->act_clip);
    pp_json_add_f64(j, "kv_clip", o->kv_clip);
    pp_json_add_bool(j, "act_asymmetric", o->act_asymmetric);
    pp_json_add_bool(j, "act_static", o->act_static);
    pp_json_add_bool(j, "online_rotations", o->online && o->method != PP_LMQ_RTN);
    pp_json_add_i64(j, "window", o->window);
}

static void add_layers(pp_json *root, const pp_lmq *q)
{
    size_t n;
    const pp_lmq_layer *l = pp_lmq_layers(q, &n);
    pp_json *list = pp_json_add_list(root, "layers");
    for (size_t i = 0; i < n; i++) {
        pp_json *j = pp_json_add_object(list, NULL);
        pp_json_add_i64(j, "layer", l[i].layer);
        pp_json_add_text(j, "name", l[i].name);
        pp_json_add_i64(j, "bits", l[i].bits);
        pp_json_add_f64(j, "kurtosis_before", l[i].kurtosis_before);
        pp_json_add_f64(j, "kurtosis_after", l[i].kurtosis_after);
        pp_json_add_f64(j, "max_over_rms_before", l[i].max_over_rms_before);
        pp_json_add_f64(j, "max_over_rms_after", l[i].max_over_rms_after);
        pp_json_add_f64(j, "input_sqnr_db", l[i].input_sqnr_db);
        pp_json_add_f64(j, "weight_sqnr_db", l[i].weight_sqnr_db);
    }
}

static pp_status print_one_json(const lm_run *r, const outcome *x)
{
    pp_json *j = pp_json_object();
    pp_json_add_text(j, "network", r->model);
    add_settings(j, method_name(&r->o), &r->o);
    pp_json_add_i64(j, "seed", (int64_t)r->o.seed);
    pp_json_add_f64(j, "invariance_error", x->invariance);
    pp_json_add_f64(j, "kurtosis_before", x->kurtosis_before);
    pp_json_add_f64(j, "kurtosis_after", x->kurtosis_after);
    if (r->evaluate) {
        if (r->lm != NULL) {
            pp_json_add_f64(j, "bits_per_byte_float", r->plain.bits_per_byte);
            pp_json_add_f64(j, "perplexity_float", r->plain.perplexity);
        }
        pp_json_add_f64(j, "bits_per_byte", x->eval.bits_per_byte);
        pp_json_add_f64(j, "perplexity", x->eval.perplexity);
        pp_json_add_i64(j, "scored_tokens", (int64_t)x->eval.scored_tokens);
    }
    add_layers(j, x->q);
    pp_json_add_f64(j, "wall_s", pp_clock_s() - r->start_s);
    pp_json_add_f64(j, "peak_rss_mb", pp_peak_rss_mb());
    return pp_print_json(j);
}

static pp_status layer_line(pp_table *t, const pp_lmq_layer *l)
{
    char c[8][32];
    snprintf(c[0], sizeof c[0], "%u.%.20s", l->layer, l->name);
    snprintf(c[1], sizeof c[1], "%u", l->bits);
    snprintf(c[2], sizeof c[2], "%.2f", l->kurtosis_before);
    snprintf(c[3], sizeof c[3], "%.2f", l->kurtosis_after);
    snprintf(c[4], sizeof c[4], "%.2f", l->max_over_rms_before);
    snprintf(c[5], sizeof c[5], "%.2f", l->max_over_rms_after);
    snprintf(c[6], sizeof c[6], "%.2f", l->input_sqnr_db);
    snprintf(c[7], sizeof c[7], "%.2f", l->weight_sqnr_db);
    const char *cells[] = {c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]};
    return pp_table_row(t, cells);
}

static pp_status print_one_text(const lm_run *r, const outcome *x)
{
    const char *headers[] = {"layer", "bits", "kurtosis", "rotated", "max/rms", "rotated", "input dB", "weights dB"};
    pp_table *t = NULL;
    size_t n;
    const pp_lmq_layer *l = pp_lmq_layers(x->q, &n);
    pp_status status = pp_table_new(&t, headers, 8);
    for (size_t i = 0; i < n && status == PP_OK; i++)
        if (l[i].weight_sqnr_db != 0)
            status = layer_line(t, &l[i]);
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    printf("\n%s W%uA%uKV%u, seed %llu: pooled kurtosis %.3f -> %.3f, invariance error %.2g\n", method_name(&r->o),
           r->o.wbits, r->o.abits, r->o.kvbits, (unsigned long long)r->o.seed, x->kurtosis_before, x->kurtosis_after,
           x->invariance);
    if (r->evaluate && r->lm != NULL)
        printf("bits per byte %.4f, float %.4f (windows of %u without overlap, %llu tokens scored)\n",
               x->eval.bits_per_byte, r->plain.bits_per_byte, r->o.window, (unsigned long long)x->eval.scored_tokens);
    else if (r->evaluate)
        printf("bits per byte %.4f\n", x->eval.bits_per_byte);
    return status;
}

/* ---- quantize MODEL ---- */

/* A folder made before: evaluated as it is. */
static pp_status from_folder(lm_run *r, outcome *x)
{
    static const char *const made_with[] = {"output", "method", "weights", "wbits", "abits", "kvbits"};
    for (size_t i = 0; i < sizeof made_with / sizeof *made_with; i++)
        if (pp_args_has(r->args, made_with[i]))
            return pp_fail(PP_EUSAGE, "quantize: %s is quantized already: it is evaluated as it is, without --%s", r->model, made_with[i]);
    PP_TRY(pp_lmq_open(&x->q, r->model, r->pool));
    r->o = *pp_lmq_options_of(x->q); /* windows as it was made with, unless said */
    PP_TRY(u32_option(r->args, "window", 2, 1 << 16, &r->o.window));
    pp_lmq_kurtosis(x->q, &x->kurtosis_before, &x->kurtosis_after);
    if (pp_lmq_config(x->q)->vocab != 256)
        return pp_fail(PP_EUNSUPPORTED, "%s: its text needs the tokenizer of the float model", r->model);
    PP_TRY(pp_tokenizer_bytes(&r->tokenizer));
    PP_TRY(read_text(r, "eval", "text-valid.txt", &r->eval_text));
    limit(&r->eval_text, r->eval_tokens);
    return r->evaluate ? evaluate_model(r, x->q, &x->eval) : PP_OK;
}

/* Before the work: methods that cannot be, files that may not be written. */
static pp_status check_compare(const lm_run *r, const pp_lmq_options *o, size_t n)
{
    static const char *const names[] = {"output", "plot"};
    for (size_t i = 0; i < n; i++)
        PP_TRY(pp_lmq_check(pp_lm_config_of(r->lm), &o[i]));
    for (size_t i = 0; i < 2; i++)
        if (pp_args_get(r->args, names[i]) != NULL)
            PP_TRY(pp_output_check(pp_args_get(r->args, names[i]), pp_args_has(r->args, "force")));
    return PP_OK;
}

/* Before the work: a finished folder is not made again. */
static pp_status check_folder(const lm_run *r)
{
    const char *dir = pp_args_get(r->args, "output");
    char *whole = dir != NULL ? pp_path_join(dir, "quant.json") : NULL;
    const bool there = whole != NULL && pp_file_exists(whole) && !pp_args_has(r->args, "force");
    free(whole);
    return there ? pp_fail(PP_EEXIST, "%s: a finished quantized model is there already; --force makes it anew", dir)
                 : PP_OK;
}

static pp_status quantize_one(lm_run *r, outcome *x)
{
    PP_TRY(open_run(r));
    if (r->lm == NULL)
        return from_folder(r, x);
    PP_TRY(pp_lmq_check(pp_lm_config_of(r->lm), &r->o));
    PP_TRY(check_folder(r));
    PP_TRY(evaluate_float(r));
    PP_TRY(calibrate(r, pp_args_get(r->args, "output")));
    return one(r, &r->o, pp_args_get(r->args, "output"), x);
}

pp_status pp_quantize_lm(const pp_parsed *p, const char *model)
{
    lm_run r = {.args = p, .model = model};
    outcome x = {0};
    pp_status status = quantize_one(&r, &x);
    if (status == PP_OK)
        status = pp_args_has(p, "json") ? print_one_json(&r, &x) : print_one_text(&r, &x);
    pp_lmq_free(x.q);
    close_run(&r);
    return status;
}

/* ---- quantize compare MODEL ---- */

static pp_status parse_methods(const lm_run *r, pp_lmq_options *o, pp_quant_row *rows, size_t *n)
{
    const char *text = pp_args_get(r->args, "methods");
    *n = 0;
    for (text = text != NULL ? text : "rtn,gptq,quarot,quarot-gptq,kurtail,kurtail-gptq"; *text != '\0';) {
        char name[24] = "";
        const size_t length = strcspn(text, ",");
        if (length == 0 || length >= sizeof name || *n == METHODS_MAX)
            return pp_fail(PP_EUSAGE, "quantize compare: --methods %s: expected names with commas between", text);
        memcpy(name, text, length);
        o[*n] = r->o;
        PP_TRY(pp_lmq_method_parse(name, &o[*n].method, &o[*n].gptq));
        rows[*n] = (pp_quant_row){.wbits = r->o.wbits, .abits = r->o.abits, .kvbits = r->o.kvbits};
        snprintf(rows[*n].method, sizeof rows[*n].method, "%s", name);
        (*n)++;
        text += length + (text[length] == ',');
    }
    return PP_OK;
}

/* Mean and standard deviation over seeds (of a sample). */
static void spread(const double *v, size_t n, double *mean, double *std)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    *mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (v[i] - *mean) * (v[i] - *mean);
    *std = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
}

static pp_status run_method(lm_run *r, pp_lmq_options *o, pp_quant_row *row, uint32_t seeds, pp_layer_table *layers,
                            size_t index)
{
    double bpb[64], after[64], perplexity[64];
    const uint32_t n = o->method == PP_LMQ_RTN ? 1 : seeds; /* nothing random without rotation */
    for (uint32_t s = 0; s < n; s++) {
        outcome x = {0};
        o->seed = r->o.seed + s;
        pp_status status = one(r, o, NULL, &x);
        if (status == PP_OK)
            status = pp_layer_table_add(layers, index, row->method, n, x.q);
        bpb[s] = x.eval.bits_per_byte;
        perplexity[s] = x.eval.perplexity;
        after[s] = x.kurtosis_after;
        row->kurtosis_before = x.kurtosis_before;
        row->invariance_error = fmax(row->invariance_error, x.invariance);
        pp_lmq_free(x.q);
        PP_TRY(status);
        if (!pp_args_has(r->args, "json") && !pp_args_has(r->args, "quiet"))
            fprintf(stderr, "%s seed %llu: %.4f bits per byte\n", row->method, (unsigned long long)o->seed, bpb[s]);
        row->bits_per_byte_min = s == 0 ? bpb[s] : fmin(row->bits_per_byte_min, bpb[s]);
        row->bits_per_byte_max = s == 0 ? bpb[s] : fmax(row->bits_per_byte_max, bpb[s]);
    }
    row->seeds = n;
    spread(bpb, n, &row->bits_per_byte, &row->bits_per_byte_std);
    spread(perplexity, n, &row->perplexity, &row->perplexity_std);
    double ignored;
    spread(after, n, &row->kurtosis_after, &ignored);
    row->bits_per_byte_float = r->plain.bits_per_byte;
    row->perplexity_float = r->plain.perplexity;
    return PP_OK;
}

static pp_status print_rows_json(const lm_run *r, const pp_lmq_options *o, const pp_quant_row *rows, size_t n,
                                 const pp_layer_table *layers)
{
    pp_json *j = pp_json_object();
    pp_json_add_text(j, "network", r->model);
    pp_json *list = pp_json_add_list(j, "rows");
    for (size_t i = 0; i < n; i++) {
        pp_json *x = pp_json_add_object(list, NULL);
        add_settings(x, rows[i].method, &o[i]);
        pp_json_add_i64(x, "seed", (int64_t)r->o.seed);
        pp_json_add_i64(x, "seeds", rows[i].seeds);
        pp_json_add_f64(x, "invariance_error", rows[i].invariance_error);
        pp_json_add_f64(x, "kurtosis_before", rows[i].kurtosis_before);
        pp_json_add_f64(x, "kurtosis_after", rows[i].kurtosis_after);
        pp_json_add_f64(x, "bits_per_byte_float", rows[i].bits_per_byte_float);
        pp_json_add_f64(x, "bits_per_byte", rows[i].bits_per_byte);
        pp_json_add_f64(x, "bits_per_byte_mean", rows[i].bits_per_byte);
        pp_json_add_f64(x, "bits_per_byte_std", rows[i].bits_per_byte_std);
        pp_json_add_f64(x, "bits_per_byte_min", rows[i].bits_per_byte_min);
        pp_json_add_f64(x, "bits_per_byte_max", rows[i].bits_per_byte_max);
        pp_json_add_f64(x, "perplexity_float", rows[i].perplexity_float);
        pp_json_add_f64(x, "perplexity", rows[i].perplexity);
        pp_json_add_f64(x, "perplexity_std", rows[i].perplexity_std);
        pp_layer_table_json(layers, i, x);
    }
    pp_json_add_f64(j, "wall_s", pp_clock_s() - r->start_s);
    pp_json_add_f64(j, "peak_rss_mb", pp_peak_rss_mb());
    return pp_print_json(j);
}

static pp_status print_rows_text(const pp_quant_row *rows, size_t n)
{
    const char *headers[] = {"method", "seeds", "bits/byte", "std", "min", "max", "kurtosis", "rotated", "invariance"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 9);
    for (size_t i = 0; i < n && status == PP_OK; i++) {
        const pp_quant_row *r = &rows[i];
        char c[8][24];
        snprintf(c[0], 24, "%u", r->seeds);
        snprintf(c[1], 24, "%.4f", r->bits_per_byte);
        snprintf(c[2], 24, "%.4f", r->bits_per_byte_std);
        snprintf(c[3], 24, "%.4f", r->bits_per_byte_min);
        snprintf(c[4], 24, "%.4f", r->bits_per_byte_max);
        snprintf(c[5], 24, "%.3f", r->kurtosis_before);
        snprintf(c[6], 24, "%.3f", r->kurtosis_after);
        snprintf(c[7], 24, "%.2g", r->invariance_error);
        const char *cells[] = {r->method, c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]};
        status = pp_table_row(t, cells);
    }
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    if (n > 0)
        printf("\nfloat: %.4f bits per byte\n", rows[0].bits_per_byte_float);
    return status;
}

static pp_status draw(const lm_run *r, const pp_quant_row *rows, size_t n, const char *path)
{
    const char *names[METHODS_MAX], *series[] = {"bits per byte"};
    double value[METHODS_MAX], error[METHODS_MAX];
    pp_plot *plot = NULL;
    char title[128];
    snprintf(title, sizeof title, "%.60s, W%uA%uKV%u", r->model, rows[0].wbits, rows[0].abits, rows[0].kvbits);
    for (size_t i = 0; i < n; i++) {
        names[i] = rows[i].method;
        value[i] = rows[i].bits_per_byte - rows[i].bits_per_byte_float;
        error[i] = rows[i].bits_per_byte_std;
    }
    pp_status status = pp_plot_new(&plot, title, NULL, "bits per byte above float");
    if (status == PP_OK)
        status = pp_plot_bars(plot, names, n, series, 1, value, error);
    if (status == PP_OK)
        status = pp_plot_write(plot, path, pp_args_has(r->args, "force"));
    pp_plot_free(plot);
    return status;
}

static pp_status show(const lm_run *r, const pp_lmq_options *o, const pp_quant_row *rows, size_t n,
                      const pp_layer_table *layers)
{
    const char *figure = pp_args_get(r->args, "plot"), *report = pp_args_get(r->args, "output");
    const bool force = pp_args_has(r->args, "force");
    if (report != NULL) {
        char *command = pp_canonical_command(r->args);
        pp_status status = command != NULL ? pp_quant_report_write(report, command, r->model, rows, n, layers->row,
                                                                   layers->methods * layers->per_method, force)
                                           : PP_ENOMEM;
        free(command);
        PP_TRY(status);
    }
    if (figure != NULL)
        PP_TRY(draw(r, rows, n, figure));
    if (figure != NULL)
        PP_TRY(pp_layer_table_plot(layers, r->model, figure, force));
    if (pp_args_has(r->args, "json"))
        return print_rows_json(r, o, rows, n, layers);
    PP_TRY(print_rows_text(rows, n));
    return pp_layer_table_print(layers);
}

static pp_status compare(lm_run *r, pp_layer_table *layers)
{
    pp_lmq_options o[METHODS_MAX];
    pp_quant_row rows[METHODS_MAX];
    size_t n;
    int64_t seeds;
    const char *figure = pp_args_get(r->args, "plot");
    PP_TRY(pp_args_i64(r->args, "seeds", 3, 1, 64, &seeds));
    if (figure != NULL)
        PP_TRY(pp_plot_check_path(figure));
    PP_TRY(open_run(r));
    if (r->lm == NULL)
        return pp_fail(PP_EINVAL, "quantize compare: %s is quantized already", r->model);
    r->evaluate = true;
    PP_TRY(parse_methods(r, o, rows, &n));
    PP_TRY(check_compare(r, o, n));
    PP_TRY(evaluate_float(r));
    PP_TRY(calibrate(r, NULL));
    for (size_t i = 0; i < n; i++)
        PP_TRY(run_method(r, &o[i], &rows[i], (uint32_t)seeds, layers, i));
    return show(r, o, rows, n, layers);
}

pp_status pp_quantize_lm_compare(const pp_parsed *p, const char *model)
{
    lm_run r = {.args = p, .model = model};
    pp_layer_table layers = {0};
    const pp_status status = compare(&r, &layers);
    free(layers.row);
    close_run(&r);
    return status;
}
