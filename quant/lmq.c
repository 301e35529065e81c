/* A quantized language model: options, rotations, what belongs to it. */
#include "quant/lmq_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Objects of random numbers. */
enum { OBJECT_R1 = 0x521, OBJECT_R2 = 0x5220000 };

pp_lmq_options pp_lmq_defaults(void)
{
    return (pp_lmq_options){.method = PP_LMQ_KURTAIL, .online = true, .wbits = 4, .abits = 4, .kvbits = 4, .clip = true,
                            .act_clip = 0.9, .kv_clip = 0.95, .learn = pp_learn_defaults(), .window = 512,
                            .calib_windows = 64};
}

pp_status pp_lmq_method_parse(const char *text, int *method, bool *gptq)
{
    static const struct { const char *name; int method; bool gptq; } known[] = {
        {"rtn", PP_LMQ_RTN, false}, {"gptq", PP_LMQ_RTN, true}, {"quarot", PP_LMQ_QUAROT, false},
        {"quarot-rtn", PP_LMQ_QUAROT, false}, {"quarot-gptq", PP_LMQ_QUAROT, true}, {"kurtail", PP_LMQ_KURTAIL, false},
        {"kurtail-rtn", PP_LMQ_KURTAIL, false}, {"kurtail-gptq", PP_LMQ_KURTAIL, true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].name) == 0) {
            *method = known[i].method;
            *gptq = known[i].gptq;
            return PP_OK;
        }
    return pp_fail(PP_EUSAGE, "quantize: method '%s': expected rtn, gptq, quarot, kurtail, quarot-gptq or kurtail-gptq%s", text,
                   pp_hint(text, "rtn gptq quarot kurtail quarot-gptq kurtail-gptq", (char[PP_HINT_MAX]){0}));
}

pp_lm_exec_options pp_lmq_exec_options(pp_pool *pool)
{
    return (pp_lm_exec_options){.pool = pool, .weight_bytes = (size_t)1 << 30, .scratch_bytes = (size_t)640 << 20};
}

void pp_lmq_free(pp_lmq *q)
{
    if (q == NULL)
        return;
    pp_rotation_free(q->r1);
    for (size_t i = 0; q->r2 != NULL && i < (size_t)q->config.layers * q->config.kv_heads; i++)
        pp_rotation_free(q->r2[i]);
    free(q->r2);
    pp_hadamard_free(q->r3);
    pp_hadamard_free(q->r4);
    free(q->smooth);
    free(q->static_top);
    for (uint32_t l = 0; q->tensor != NULL && l < q->config.layers; l++)
        pp_lmq_forget_layer_(q, l);
    free(q->tensor);
    free(q->quality);
    free(q->dir);
    free(q->format);
    free(q);
}

void pp_lmq_forget_layer_(pp_lmq *q, uint32_t layer)
{
    for (unsigned k = 0; k < PP_LMQ_KINDS; k++) {
        pp_lmq_tensor *t = &q->tensor[(size_t)layer * PP_LMQ_KINDS + k];
        free(t->code);
        free(t->scale);
        t->code = NULL;
        t->scale = NULL;
    }
}

/* ---- options ---- */

static bool bits_ok(uint32_t bits)
{
    return (bits >= 2 && bits <= 8) || bits == 16;
}

static pp_status check_options(const pp_lmq_options *o)
{
    pp_number ignored;
    if (!bits_ok(o->wbits) || !bits_ok(o->abits) || !bits_ok(o->kvbits))
        return pp_fail(PP_ERANGE, "quantize: W%uA%uKV%u: expected 2 to 8 bits, or 16 for float", o->wbits, o->abits,
                       o->kvbits);
    if (o->format != NULL)
        PP_TRY(pp_number_parse(&ignored, o->format));
    if (o->smooth > 0 && o->method != PP_LMQ_RTN)
        return pp_fail(PP_EINVAL, "quantize: SmoothQuant scales need a method without rotation");
    if (o->act_static && o->act_asymmetric)
        return pp_fail(PP_EINVAL, "quantize: static activation ranges are symmetric only");
    if (o->window < 2 || o->calib_windows < 1)
        return pp_fail(PP_ERANGE, "quantize: calibration needs windows of at least 2 tokens, and one of them");
    return PP_OK;
}

static pp_status check_model(const pp_lm_config *c, const pp_lmq_options *o)
{
    if (c->experts > 0)
        return pp_fail(PP_EUNSUPPORTED, "quantize: %s: mixtures of experts are not quantized", c->name);
    if (o->method != PP_LMQ_RTN && c->norm == PP_LM_NORM_RMS && (c->biases & PP_LM_KIND_BIT(PP_LM_FINAL_NORM_BIAS)))
        return pp_fail(PP_EUNSUPPORTED, "quantize: %s: an RMS norm with a bias", c->name);
    return PP_OK;
}

pp_status pp_lmq_check(const pp_lm_config *c, const pp_lmq_options *o)
{
    PP_TRY(check_options(o));
    return check_model(c, o);
}

bool pp_lmq_weight_options_(const pp_lmq *q, pp_lm_kind kind, pp_weight_options *out)
{
    const pp_lmq_options *o = &q->o;
    uint32_t bits = o->wbits;
    *out = (pp_weight_options){.group = o->wgroup, .clip = o->clip, .norm = 2.4};
    if (bits == 16 && o->format == NULL)
        return false;
    if (kind == PP_LM_DOWN && !o->online && o->method != PP_LMQ_RTN)
        bits = 8;
    else if (o->format != NULL)
        return pp_number_parse(&out->format, o->format) == PP_OK;
    out->format = pp_number_int(bits);
    return true;
}

/* ---- rotations ---- */

static pp_status online_hadamard(pp_hadamard **out, uint32_t n, const char *what)
{
    PP_TRY(pp_hadamard_new_blocks(out, n));
    if ((*out)->blocks > 1)
        pp_warn("%s: no Hadamard matrix of order %u is known here: %u blocks of %u are used (padding to %u would mix all)",
                what, n, (*out)->blocks, (*out)->size, pp_hadamard_padded(n));
    return PP_OK;
}

static pp_status learn_rotation(pp_lmq *q, pp_rotation **r, const float *x, size_t rows, uint64_t object,
                                pp_progress *progress, pp_learn_result *result)
{
    float *dense = NULL;
    pp_learn_options o = q->o.learn;
    pp_rotation *learned = NULL;
    o.seed = q->o.seed;
    o.object = object;
    pp_status status = pp_rotation_to_dense(*r, &dense);
    if (status == PP_OK)
        status = pp_rotation_learn(dense, (*r)->n, x, rows, &o, q->pool, progress, result);
    if (status == PP_OK)
        status = pp_rotation_from_dense(&learned, (*r)->n, dense);
    if (status == PP_OK) {
        pp_rotation_free(*r);
        *r = learned;
    }
    free(dense);
    return status;
}

/* Inputs of attention and feed-forward blocks of all layers, one behind the other. */
static pp_status pool_rows(const pp_lmq_calib *c, float **out, size_t *rows)
{
    const size_t one = (size_t)c->layers * c->rows;
    *rows = 2 * one;
    *out = pp_alloc(2 * one * c->hidden, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    memcpy(*out, c->place[0], one * c->hidden * sizeof **out);
    memcpy(*out + one * c->hidden, c->place[2], one * c->hidden * sizeof **out);
    return PP_OK;
}

static pp_status learn_r1(pp_lmq *q, pp_progress *progress)
{
    float *x = NULL;
    size_t rows;
    PP_TRY(pool_rows(q->calib, &x, &rows));
    const pp_status status = learn_rotation(q, &q->r1, x, rows, OBJECT_R1, progress, &q->learned);
    free(x);
    return status;
}

/* What R2 of a KV head acts on: its values, as they are cached, and the attention outputs of its query heads. */
static size_t head_rows(const pp_lmq_calib *c, uint32_t layer, uint32_t head, float *out)
{
    const size_t hd = c->head_dim, vw = c->kv_heads * hd, ow = c->heads * hd, group = c->heads / c->kv_heads;
    const float *v = c->v + (size_t)layer * c->rows * vw + head * hd;
    const float *o = c->place[1] + (size_t)layer * c->rows * ow + head * group * hd;
    size_t n = 0;
    for (size_t r = 0; r < c->rows; r++)
        memcpy(out + n++ * hd, v + r * vw, hd * sizeof *out);
    for (size_t r = 0; r < c->rows; r++)
        for (size_t g = 0; g < group; g++)
            memcpy(out + n++ * hd, o + r * ow + g * hd, hd * sizeof *out);
    return n;
}

static pp_status learn_r2(pp_lmq *q, uint32_t layer, uint32_t head, float *x, pp_progress *progress)
{
    const size_t index = (size_t)layer * q->config.kv_heads + head;
    const size_t rows = head_rows(q->calib, layer, head, x);
    return learn_rotation(q, &q->r2[index], x, rows, OBJECT_R2 + index, progress, NULL);
}

static pp_status make_r2(pp_lmq *q, pp_progress *progress)
{
    const pp_lm_config *c = &q->config;
    const bool learn = q->o.method == PP_LMQ_KURTAIL;
    const size_t n = (size_t)c->layers * c->kv_heads;
    float *x = pp_alloc(learn ? q->calib->rows * (1 + c->heads / c->kv_heads) * c->head_dim : 0, sizeof *x);
    q->r2 = pp_calloc(n, sizeof(pp_rotation *));
    pp_status status = q->r2 != NULL && x != NULL ? PP_OK : PP_ENOMEM;
    for (size_t i = 0; i < n && status == PP_OK; i++) {
        status = pp_rotation_random_hadamard(&q->r2[i], c->head_dim, q->o.seed, OBJECT_R2 + i);
        if (status == PP_OK && learn)
            status = learn_r2(q, (uint32_t)(i / c->kv_heads), (uint32_t)(i % c->kv_heads), x, progress);
    }
    free(x);
    return status;
}

static pp_status rotations(pp_lmq *q, pp_progress *progress)
{
    if (q->o.method == PP_LMQ_RTN)
        return PP_OK;
    bool taken = false;
    if (q->o.online) {
        PP_TRY(online_hadamard(&q->r3, q->config.head_dim, "q and k"));
        PP_TRY(online_hadamard(&q->r4, q->config.ffn, "down_proj"));
    }
    if (q->o.resume != NULL)
        PP_TRY(pp_lmq_check_dir_(q, q->o.resume));
    if (q->o.resume != NULL && q->o.method == PP_LMQ_KURTAIL)
        PP_TRY(pp_lmq_resume_rotations_(q, q->o.resume, &taken));
    if (taken)
        return PP_OK;
    if (q->o.method == PP_LMQ_KURTAIL)
        PP_TRY(pp_lmq_kept_r1_(q, &taken));
    if (!taken)
        PP_TRY(pp_rotation_random_hadamard(&q->r1, q->config.hidden, q->o.seed, OBJECT_R1));
    if (q->o.method == PP_LMQ_KURTAIL && !taken) {
        PP_TRY(learn_r1(q, progress));
        pp_lmq_keep_r1_(q);
    }
    return make_r2(q, progress);
}

size_t pp_lmq_learn_steps(const pp_lm *lm, const pp_lmq_options *o)
{
    const pp_lm_config *c = pp_lm_config_of(lm);
    return o->method == PP_LMQ_KURTAIL ? (size_t)o->learn.steps * (1 + (size_t)c->layers * c->kv_heads) : 0;
}

/* ---- SmoothQuant ---- */

/* s_j = max |X_j|^alpha / max |W_j|^(1 - alpha), over the matrices that read the place. */
static pp_status smooth_place(pp_lmq *q, uint32_t layer, unsigned place, float *out)
{
    const uint32_t d = q->config.hidden;
    const float *most = q->calib->most + ((size_t)layer * 2 + (place == 2)) * d;
    float *weight = pp_calloc(d, sizeof *weight);
    pp_status status = weight != NULL ? PP_OK : PP_ENOMEM;
    for (unsigned k = 0; k < PP_LMQ_KINDS && status == PP_OK; k++) {
        uint64_t rows, cols;
        if (pp_lmq_place_(pp_lmq_kind_[k]) != place || !pp_lm_dims(&q->config, pp_lmq_kind_[k], &rows, &cols))
            continue;
        float *w = pp_alloc(rows * cols, sizeof *w);
        status = w != NULL ? pp_lmq_fused_(q, layer, pp_lmq_kind_[k], 0, rows, w) : PP_ENOMEM;
        for (uint64_t i = 0; i < rows * cols && status == PP_OK; i++)
            weight[i % cols] = fmaxf(weight[i % cols], fabsf(w[i]));
        free(w);
    }
    for (uint32_t i = 0; i < d && status == PP_OK; i++) {
        const double s = pow((double)fmaxf(most[i], 1e-5f), q->o.smooth) /
                         pow((double)fmaxf(weight[i], 1e-5f), 1 - q->o.smooth);
        out[i] = (float)fmax(s, 1e-5);
    }
    free(weight);
    return status;
}

static pp_status smooth_all(pp_lmq *q)
{
    const uint32_t d = q->config.hidden;
    if (!(q->o.smooth > 0))
        return PP_OK;
    float *s = pp_alloc((size_t)q->config.layers * 2 * d, sizeof *s);
    pp_status status = s != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t l = 0; l < q->config.layers && status == PP_OK; l++)
        for (unsigned b = 0; b < 2 && status == PP_OK; b++)
            status = smooth_place(q, l, 2 * b, s + ((size_t)l * 2 + b) * d);
    q->smooth = s; /* only now: the tensors above were asked for without it */
    return status;
}

/* ---- quality and static ranges ---- */

static void pooled_kurtosis(pp_lmq *q)
{
    float *x = NULL;
    size_t rows;
    if (q->calib == NULL || pool_rows(q->calib, &x, &rows) != PP_OK)
        return;
    q->kurtosis_before = q->kurtosis_after = pp_kurtosis(x, rows * q->config.hidden);
    if (q->r1 != NULL && pp_rotation_apply(q->r1, q->pool, x, rows, false) == PP_OK)
        q->kurtosis_after = pp_kurtosis(x, rows * q->config.hidden);
    free(x);
}

/* Sampled rows of a place, rotated as online. New array. */
static pp_status rotated_sample(const pp_lmq *q, uint32_t layer, unsigned place, float **out, size_t *rows)
{
    const pp_lmq_calib *c = q->calib;
    const size_t width = pp_lmq_width_(&q->config, place);
    *rows = place == 3 ? c->down_rows : c->rows;
    *out = pp_alloc(*rows * width, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    memcpy(*out, c->place[place] + (size_t)layer * *rows * width, *rows * width * sizeof **out);
    return pp_lmq_rotate_place_(q, layer, place, *out, *rows);
}

static pp_status static_ranges(pp_lmq *q)
{
    if (!q->o.act_static)
        return PP_OK;
    float *top = pp_calloc((size_t)q->config.layers * PP_LMQ_PLACES, sizeof *top);
    pp_status status = top != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t l = 0; l < q->config.layers && status == PP_OK; l++)
        for (unsigned p = 0; p < PP_LMQ_PLACES && status == PP_OK; p++) {
            float *x = NULL, most = 1e-12f;
            size_t rows;
            status = rotated_sample(q, l, p, &x, &rows);
            for (size_t i = 0; status == PP_OK && i < rows * pp_lmq_width_(&q->config, p); i++)
                most = fmaxf(most, fabsf(x[i]));
            if (status == PP_OK)
                top[(size_t)l * PP_LMQ_PLACES + p] = most;
            free(x);
        }
    q->static_top = top;
    return status;
}

static double sqnr_db(double signal, double error)
{
    return error > 0 ? 10 * log10(signal / error) : INFINITY;
}

static double rounding_sqnr(const pp_lmq *q, uint32_t layer, unsigned place, float *x, size_t rows)
{
    const size_t n = rows * pp_lmq_width_(&q->config, place);
    float *copy = pp_alloc(n, sizeof *copy);
    double signal = 0, error = 0;
    if (copy == NULL)
        return NAN;
    memcpy(copy, x, n * sizeof *x);
    pp_lmq_quantize_place_(q, layer, place, x, rows);
    for (size_t i = 0; i < n; i++) {
        const double e = (double)copy[i] - (double)x[i];
        signal += (double)copy[i] * (double)copy[i];
        error += e * e;
    }
    free(copy);
    return sqnr_db(signal, error);
}

pp_status pp_lmq_input_quality_(pp_lmq *q, uint32_t layer)
{
    const pp_lmq_calib *c = q->calib;
    for (unsigned p = 0; p < PP_LMQ_PLACES && c != NULL; p++) {
        const size_t width = pp_lmq_width_(&q->config, p), n = p == 3 ? c->down_rows : c->rows;
        const float *before = c->place[p] + (size_t)layer * n * width;
        float *x = NULL;
        size_t rows;
        pp_status status = rotated_sample(q, layer, p, &x, &rows);
        pp_lmq_layer r = {0};
        if (status == PP_OK) {
            r.kurtosis_before = pp_kurtosis(before, n * width);
            r.max_over_rms_before = pp_max_over_rms(before, n, width);
            r.kurtosis_after = pp_kurtosis(x, n * width);
            r.max_over_rms_after = pp_max_over_rms(x, n, width);
            r.input_sqnr_db = rounding_sqnr(q, layer, p, x, rows);
        }
        free(x);
        PP_TRY(status);
        for (unsigned k = 0; k < PP_LMQ_KINDS; k++) {
            pp_lmq_layer *to = &q->quality[(size_t)layer * PP_LMQ_KINDS + k];
            if (pp_lmq_place_(pp_lmq_kind_[k]) != p)
                continue;
            to->kurtosis_before = r.kurtosis_before;
            to->kurtosis_after = r.kurtosis_after;
            to->max_over_rms_before = r.max_over_rms_before;
            to->max_over_rms_after = r.max_over_rms_after;
            to->input_sqnr_db = r.input_sqnr_db;
        }
    }
    return PP_OK;
}

typedef struct weight_errors {
    const pp_lmq_tensor *t;
    const float *w;
    double *sum; /* [rows][2]: squares of weights and of errors */
} weight_errors;

static pp_status row_errors(void *payload, size_t i, unsigned worker)
{
    const weight_errors *p = payload;
    const pp_lmq_tensor *t = p->t;
    (void)worker;
    float *row = pp_alloc(t->cols, sizeof *row);
    if (row == NULL)
        return PP_ENOMEM;
    pp_dequantize(&t->w, 1, t->cols, t->code + i * t->cols, t->scale + i * pp_weight_groups(&t->w, t->cols), row);
    double signal = 0, error = 0;
    for (uint64_t j = 0; j < t->cols; j++) {
        const double v = (double)p->w[i * t->cols + j], e = v - (double)row[j];
        signal += v * v;
        error += e * e;
    }
    p->sum[2 * i] = signal;
    p->sum[2 * i + 1] = error;
    free(row);
    return PP_OK;
}

pp_status pp_lmq_weight_quality_(pp_lmq *q, uint32_t layer, unsigned index, const float *w)
{
    const pp_lmq_tensor *t = &q->tensor[(size_t)layer * PP_LMQ_KINDS + index];
    pp_lmq_layer *r = &q->quality[(size_t)layer * PP_LMQ_KINDS + index];
    weight_errors p = {t, w, pp_alloc(2 * t->rows, sizeof *p.sum)};
    double signal = 0, error = 0;
    const pp_status status = p.sum != NULL ? pp_pool_run(q->pool, t->rows, row_errors, &p) : PP_ENOMEM;
    for (uint64_t i = 0; i < t->rows && status == PP_OK; i++) {
        signal += p.sum[2 * i];
        error += p.sum[2 * i + 1];
    }
    free(p.sum);
    r->weight_error = error;
    r->weight_sqnr_db = sqnr_db(signal, error);
    r->bits = pp_number_traits_of(t->w.format)->bits;
    return status;
}

/* ---- making one ---- */

pp_status pp_lmq_allocate_(pp_lmq *q)
{
    const size_t n = (size_t)q->config.layers * PP_LMQ_KINDS;
    q->tensor = pp_calloc(n, sizeof *q->tensor);
    q->quality = pp_calloc(n, sizeof *q->quality);
    if (q->tensor == NULL || q->quality == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const pp_lm_kind kind = pp_lmq_kind_[i % PP_LMQ_KINDS];
        pp_lmq_layer *r = &q->quality[i];
        r->layer = (uint32_t)(i / PP_LMQ_KINDS);
        strncpy(r->name, pp_lm_kind_name(kind), sizeof r->name - 1);
        r->bits = 16;
        if (!pp_lm_dims(&q->config, kind, &q->tensor[i].rows, &q->tensor[i].cols))
            q->tensor[i].rows = q->tensor[i].cols = 0;
    }
    return PP_OK;
}

pp_status pp_lmq_new(pp_lmq **out, const pp_lm *lm, const pp_lmq_options *o, const pp_lmq_calib *calib,
                     pp_pool *pool, pp_progress *progress)
{
    *out = NULL;
    PP_TRY(pp_lmq_check(pp_lm_config_of(lm), o));
    if (calib == NULL && (o->method == PP_LMQ_KURTAIL || o->smooth > 0 || o->act_static))
        return pp_fail(PP_EINVAL, "quantize: this method needs a calibration text");
    pp_lmq *q = pp_calloc(1, sizeof *q);
    if (q == NULL)
        return PP_ENOMEM;
    q->lm = lm;
    q->o = *o;
    q->pool = pool;
    q->calib = calib;
    q->source_config = *pp_lm_config_of(lm);
    q->config = pp_lmq_fused_config_(&q->source_config);
    pp_status status = pp_lmq_allocate_(q);
    if (status == PP_OK && o->format != NULL) {
        q->format = pp_strdup(o->format);
        q->o.format = q->format;
        status = q->format != NULL ? PP_OK : PP_ENOMEM;
    }
    if (status == PP_OK)
        status = rotations(q, progress);
    if (status == PP_OK)
        status = smooth_all(q);
    if (status == PP_OK)
        status = static_ranges(q);
    if (status == PP_OK)
        pooled_kurtosis(q);
    if (status == PP_OK && o->resume != NULL && o->method == PP_LMQ_KURTAIL)
        status = pp_lmq_begin_dir_(q, o->resume, false); /* what was learned is safe from here on */
    free(q->dir); /* holds no layers yet */
    q->dir = NULL;
    if (status == PP_OK)
        *out = q;
    else
        pp_lmq_free(q);
    return status;
}

const pp_lm_config *pp_lmq_config(const pp_lmq *q)
{
    return &q->config;
}

const pp_lmq_options *pp_lmq_options_of(const pp_lmq *q)
{
    return &q->o;
}

const pp_lmq_layer *pp_lmq_layers(const pp_lmq *q, size_t *n)
{
    *n = (size_t)q->config.layers * PP_LMQ_KINDS;
    return q->quality;
}

void pp_lmq_kurtosis(const pp_lmq *q, double *before, double *after)
{
    *before = q->kurtosis_before;
    *after = q->kurtosis_after;
}

const char *pp_lmq_online(const pp_lmq *q, int which)
{
    const pp_hadamard *h = which == 3 ? q->r3 : q->r4;
    return h != NULL ? h->how : "";
}

/* ---- invariance ---- */

static pp_status run_layers(pp_lm_exec *exec, uint32_t layers, const pp_lm_batch *batch, float *hidden,
                            pp_progress *progress)
{
    PP_TRY(pp_lm_exec_embed(exec, batch, hidden));
    for (uint32_t l = 0; l < layers; l++) {
        PP_TRY(pp_lm_exec_layer(exec, l, batch, hidden, hidden));
        if (progress != NULL)
            pp_progress_step(progress, 1);
    }
    return PP_OK;
}

static pp_status logits_of(const pp_lm_config *config, pp_lm_source source, const pp_lm_hooks *hooks, pp_pool *pool,
                           const pp_lm_batch *batch, pp_progress *progress, float *logits)
{
    pp_lm_exec *exec = NULL;
    const pp_lm_exec_options e = pp_lmq_exec_options(pool);
    float *hidden = pp_alloc(batch->n_rows * config->hidden, sizeof *hidden);
    pp_status status = hidden != NULL ? pp_lm_exec_new(&exec, config, &source, hooks, &e) : PP_ENOMEM;
    if (status == PP_OK)
        status = run_layers(exec, config->layers, batch, hidden, progress);
    if (status == PP_OK)
        status = pp_lm_exec_head(exec, batch, hidden, logits);
    pp_lm_exec_free(exec);
    free(hidden);
    return status;
}

pp_status pp_lmq_invariance(pp_lmq *q, const uint32_t *tokens, uint32_t n, pp_progress *progress, double *error)
{
    enum { WINDOW = 32 }; /* so that the pool has something to share */
    const uint32_t windows = n / WINDOW > 0 ? n / WINDOW : 1;
    pp_lm_window *w = pp_alloc(windows, sizeof *w);
    if (w == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < windows; i++)
        w[i] = (pp_lm_window){i * WINDOW, i * WINDOW, i + 1 < windows ? WINDOW : n - i * WINDOW};
    const pp_lm_batch batch = {tokens, w, windows, n};
    const size_t count = (size_t)n * q->config.vocab;
    float *before = pp_alloc(count, sizeof *before), *after = pp_alloc(count, sizeof *after);
    const pp_lm_hooks hooks = pp_lmq_hooks_(q, false);
    const pp_lm_source fused = pp_lmq_source(q);
    pp_status status = before != NULL && after != NULL ? PP_OK : PP_ENOMEM;
    if (status == PP_OK)
        status = logits_of(&q->source_config, pp_lmq_float_source_(q), NULL, q->pool, &batch, progress, before);
    if (status == PP_OK)
        status = logits_of(&q->config, fused, &hooks, q->pool, &batch, progress, after);
    double most = 0, worst = 0;
    for (size_t i = 0; i < count && status == PP_OK; i++) {
        most = fmax(most, fabs((double)before[i]));
        worst = fmax(worst, fabs((double)before[i] - (double)after[i]));
    }
    *error = most > 0 ? worst / most : worst;
    free(w);
    free(before);
    free(after);
    return status;
}
