/* Reading the folder of a quantized language model. */
#include "quant/lmq_internal.h"

#include "workloads/settings.h"
#include "workloads/workloads.h"

#include <stdlib.h>
#include <string.h>

bool pp_lmq_is_folder(const char *path)
{
    char *settings = pp_path_join(path, "settings.json");
    const bool is = settings != NULL && pp_file_exists(settings);
    free(settings);
    return is;
}

/* ---- layers ---- */

static void unpack(const uint8_t *packed, uint32_t bits, const pp_lmq_tensor *t)
{
    const size_t row_bytes = bits <= 4 ? (t->cols + 1) / 2 : t->cols;
    for (size_t r = 0; r < t->rows; r++)
        for (size_t c = 0; c < t->cols; c++) {
            const uint8_t byte = packed[r * row_bytes + (bits <= 4 ? c / 2 : c)];
            t->code[r * t->cols + c] = bits > 4 ? byte : c % 2 ? byte >> 4 : byte & 15;
        }
}

static pp_status read_codes(const pp_safetensors *st, const char *path, const char *kind, pp_lmq_tensor *t)
{
    pp_tensor codes, scales;
    char *scale_name = pp_strf("%s.scales", kind);
    if (scale_name == NULL)
        return PP_ENOMEM;
    pp_status status = pp_safetensors_get(st, scale_name, &scales);
    free(scale_name);
    PP_TRY(status);
    char *name = pp_strf("%s.codes.%s", kind, pp_number_traits_of(t->w.format)->name);
    if (name == NULL)
        return PP_ENOMEM;
    status = pp_safetensors_get(st, name, &codes);
    free(name);
    PP_TRY(status);
    const uint32_t bits = pp_number_traits_of(t->w.format)->bits, groups = pp_weight_groups(&t->w, t->cols);
    const uint64_t row_bytes = bits <= 4 ? (t->cols + 1) / 2 : t->cols;
    if (codes.ndim != 2 || codes.dim[0] != t->rows || codes.dim[1] != row_bytes || codes.dtype != PP_DTYPE_U8 ||
        scales.ndim != 2 || scales.dim[0] != t->rows || scales.dim[1] != groups || scales.dtype != PP_DTYPE_F32)
        return pp_fail(PP_EFORMAT, "%s: codes or scales of %s have another shape than the settings say", path, kind);
    t->code = pp_alloc(t->rows * t->cols, 1);
    t->scale = pp_alloc(t->rows * groups, sizeof *t->scale);
    if (t->code == NULL || t->scale == NULL)
        return PP_ENOMEM;
    unpack(codes.data, bits, t);
    memcpy(t->scale, scales.data, t->rows * groups * sizeof *t->scale);
    return PP_OK;
}

pp_status pp_lmq_read_layer_(pp_lmq *q, uint32_t layer)
{
    char *path = NULL;
    pp_safetensors *st = NULL;
    pp_tensor quality;
    PP_TRY(pp_lmq_layer_path_(q, layer, &path));
    pp_status status = pp_safetensors_open(&st, path);
    for (unsigned k = 0; k < PP_LMQ_KINDS && status == PP_OK; k++) {
        pp_lmq_tensor *t = &q->tensor[(size_t)layer * PP_LMQ_KINDS + k];
        if (t->rows > 0 && t->code == NULL && pp_lmq_weight_options_(q, pp_lmq_kind_[k], &t->w))
            status = read_codes(st, path, pp_lm_kind_name(pp_lmq_kind_[k]), t);
    }
    if (status == PP_OK)
        status = pp_safetensors_get(st, "quality", &quality);
    if (status == PP_OK && quality.ndim == 2 && quality.dim[0] * quality.dim[1] == PP_LMQ_KINDS * sizeof *q->quality) {
        pp_lmq_layer *to = &q->quality[(size_t)layer * PP_LMQ_KINDS];
        memcpy(to, quality.data, PP_LMQ_KINDS * sizeof *to);
        for (unsigned k = 0; k < PP_LMQ_KINDS; k++)
            to[k].name[sizeof to[k].name - 1] = '\0';
    }
    pp_safetensors_close(st);
    free(path);
    return status;
}

/* ---- float tensors of a folder ---- */

static pp_status layer_float(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, uint64_t cols,
                             float *out)
{
    char *path = NULL;
    pp_safetensors *st = NULL;
    pp_tensor t;
    PP_TRY(pp_lmq_layer_path_(q, layer, &path));
    pp_status status = pp_safetensors_open(&st, path);
    if (status == PP_OK)
        status = pp_safetensors_get(st, pp_lm_kind_name(kind), &t);
    if (status == PP_OK && (t.dtype != PP_DTYPE_F32 || t.ndim != 2 || t.dim[1] != cols || t.dim[0] < first + n))
        status = pp_fail(PP_EFORMAT, "%s: %s has another shape than the settings say", path, pp_lm_kind_name(kind));
    if (status == PP_OK)
        memcpy(out, (const uint8_t *)t.data + first * cols * sizeof *out, n * cols * sizeof *out);
    pp_safetensors_close(st);
    free(path);
    return status;
}

/* Copies what a table file holds of rows [first, first + n) of `kind`; found counts rows. */
static pp_status table_part(const pp_lmq *q, uint32_t index, pp_lm_kind kind, uint64_t first, uint64_t n, uint64_t cols,
                            float *out, uint64_t *found, bool *exists)
{
    pp_safetensors *st = NULL;
    pp_tensor t;
    char *name = pp_strf("tables-%05u.safetensors", index), *path = name != NULL ? pp_path_join(q->dir, name) : NULL;
    free(name);
    if (path == NULL)
        return PP_ENOMEM;
    *exists = pp_file_exists(path);
    pp_status status = *exists ? pp_safetensors_open(&st, path) : PP_OK;
    const char *tensor = status == PP_OK && *exists ? pp_safetensors_name(st, 0) : NULL;
    const size_t length = strlen(pp_lm_kind_name(kind));
    int64_t at = -1;
    if (tensor != NULL && strncmp(tensor, pp_lm_kind_name(kind), length) == 0 && tensor[length] == '.' &&
        pp_parse_i64(tensor + length + 1, &at) && at >= 0 && pp_safetensors_get(st, tensor, &t) == PP_OK) {
        if (t.dtype != PP_DTYPE_F32 || t.ndim != 2 || t.dim[1] != cols)
            status = pp_fail(PP_EFORMAT, "%s: %s has another shape than the settings say", path, tensor);
        const uint64_t lo = (uint64_t)at > first ? (uint64_t)at : first;
        const uint64_t end = (uint64_t)at + t.dim[0], hi = end < first + n ? end : first + n;
        if (status == PP_OK && lo < hi) {
            memcpy(out + (lo - first) * cols, (const uint8_t *)t.data + (lo - (uint64_t)at) * cols * sizeof *out,
                   (hi - lo) * cols * sizeof *out);
            *found += hi - lo;
        }
    }
    pp_safetensors_close(st);
    free(path);
    return status;
}

static pp_status table_float(const pp_lmq *q, pp_lm_kind kind, uint64_t first, uint64_t n, uint64_t cols, float *out)
{
    uint64_t found = 0;
    bool exists = true;
    for (uint32_t i = 0; exists && found < n; i++)
        PP_TRY(table_part(q, i, kind, first, n, cols, out, &found, &exists));
    return found == n ? PP_OK : pp_fail(PP_ENOTFOUND, "%s: rows of %s are missing", q->dir, pp_lm_kind_name(kind));
}

pp_status pp_lmq_folder_float_(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out)
{
    uint64_t rows, cols;
    if (!pp_lm_dims(&q->config, kind, &rows, &cols))
        return pp_fail(PP_ENOTFOUND, "%s: the model has no tensor %s", q->dir, pp_lm_kind_name(kind));
    return pp_lm_is_global(kind) ? table_float(q, kind, first, n, cols, out)
                                 : layer_float(q, layer, kind, first, n, cols, out);
}

/* ---- settings ---- */

static uint32_t bits(pp_settings *r, const char *key)
{
    const int64_t b = pp_settings_whole(r, key, 16);
    if (r->status == PP_OK && b != 16 && (b < 2 || b > 8))
        r->status = pp_fail(PP_ERANGE, "%s: %lld bits: expected 2 to 8, or 16", key, (long long)b);
    return (uint32_t)b;
}

static pp_status read_options(pp_lmq_options *o, char **kept, const pp_node *node)
{
    pp_settings r = {node, PP_OK};
    char method[16] = "", weights[16] = "", format[24] = "";
    pp_number ignored;
    pp_settings_text(&r, "method", method, sizeof method);
    pp_settings_text(&r, "weights", weights, sizeof weights);
    pp_settings_text(&r, "format", format, sizeof format);
    *o = pp_lmq_defaults();
    o->method = strcmp(method, "kurtail") == 0 ? PP_LMQ_KURTAIL : strcmp(method, "quarot") == 0 ? PP_LMQ_QUAROT : PP_LMQ_RTN;
    o->gptq = strcmp(weights, "gptq") == 0;
    o->wbits = bits(&r, "wbits");
    o->abits = bits(&r, "abits");
    o->kvbits = bits(&r, "kvbits");
    o->wgroup = (uint32_t)pp_settings_whole(&r, "wgroup", 1 << 20);
    o->agroup = (uint32_t)pp_settings_whole(&r, "agroup", 1 << 20);
    o->kvgroup = (uint32_t)pp_settings_whole(&r, "kvgroup", 1 << 20);
    o->window = (uint32_t)pp_settings_whole(&r, "window", 1 << 16);
    if (r.status == PP_OK && o->window < 2)
        return pp_fail(PP_ERANGE, "window: %u tokens: expected at least 2", o->window);
    o->seed = (uint64_t)pp_settings_whole(&r, "seed", INT64_MAX);
    o->online = pp_settings_truth(&r, "online");
    o->act_asymmetric = pp_settings_truth(&r, "act_asymmetric");
    o->act_static = pp_settings_truth(&r, "act_static");
    o->act_clip = pp_settings_real(&r, "act_clip");
    o->kv_clip = pp_settings_real(&r, "kv_clip");
    PP_TRY(r.status);
    if (format[0] != '\0') {
        PP_TRY(pp_number_parse(&ignored, format));
        *kept = pp_strdup(format);
        o->format = *kept;
    }
    return PP_OK;
}

static pp_status read_rotations(pp_lmq *q)
{
    char *path = pp_path_join(q->dir, "rotations.safetensors");
    pp_safetensors *st = NULL;
    pp_tensor t;
    const size_t tops = (size_t)q->config.layers * PP_LMQ_PLACES;
    pp_status status = path != NULL ? pp_safetensors_open(&st, path) : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_safetensors_get(st, "kurtosis", &t);
    if (status == PP_OK && t.ndim == 2 && t.dim[0] == 1 && t.dim[1] == 2) {
        float k[2];
        memcpy(k, t.data, sizeof k);
        q->kurtosis_before = (double)k[0];
        q->kurtosis_after = (double)k[1];
    }
    if (status == PP_OK && q->o.act_static) {
        status = pp_safetensors_get(st, "static_top", &t);
        if (status == PP_OK && (t.ndim != 2 || t.dim[0] * t.dim[1] != tops))
            status = pp_fail(PP_EFORMAT, "%s: static_top has another shape than the settings say", path);
        if (status == PP_OK && (q->static_top = pp_alloc(tops, sizeof(float))) == NULL)
            status = PP_ENOMEM;
        if (status == PP_OK)
            memcpy(q->static_top, t.data, tops * sizeof(float));
    }
    pp_safetensors_close(st);
    free(path);
    return status;
}

/* ---- rotations of an earlier run ---- */

static bool same_settings(const pp_lmq *q, const char *dir)
{
    char *path = pp_path_join(dir, "settings.json"), *now = NULL, *then = NULL;
    size_t size;
    const bool same = path != NULL && pp_file_exists(path) && pp_lmq_settings_(q, &now) == PP_OK &&
                      pp_file_read_text(&then, &size, path, (size_t)1 << 20) == PP_OK && strcmp(now, then) == 0;
    free(path);
    free(now);
    free(then);
    return same;
}

static pp_status take_rotations(pp_lmq *q, const pp_safetensors *st)
{
    const pp_lm_config *c = &q->config;
    const size_t heads = (size_t)c->layers * c->kv_heads, hd = c->head_dim;
    pp_tensor r1, r2;
    PP_TRY(pp_safetensors_get(st, "r1", &r1));
    PP_TRY(pp_safetensors_get(st, "r2", &r2));
    if (r1.ndim != 2 || r1.dim[0] != c->hidden || r1.dim[1] != c->hidden || r1.dtype != PP_DTYPE_F32 || r2.ndim != 2 ||
        r2.dim[0] != heads * hd || r2.dim[1] != hd || r2.dtype != PP_DTYPE_F32)
        return pp_fail(PP_EFORMAT, "rotations.safetensors: r1 or r2 has another shape than the model");
    float *copy = pp_alloc((size_t)c->hidden * c->hidden + heads * hd * hd, sizeof *copy);
    float *heads_copy = copy + (size_t)c->hidden * c->hidden;
    q->r2 = pp_calloc(heads, sizeof(pp_rotation *));
    pp_status status = copy != NULL && q->r2 != NULL ? PP_OK : PP_ENOMEM;
    if (status == PP_OK) {
        memcpy(copy, r1.data, (size_t)c->hidden * c->hidden * sizeof *copy);
        memcpy(heads_copy, r2.data, heads * hd * hd * sizeof *copy);
        status = pp_rotation_from_dense(&q->r1, c->hidden, copy);
    }
    for (size_t i = 0; i < heads && status == PP_OK; i++)
        status = pp_rotation_from_dense(&q->r2[i], c->head_dim, heads_copy + i * hd * hd);
    free(copy);
    return status;
}

pp_status pp_lmq_resume_rotations_(pp_lmq *q, const char *dir, bool *taken)
{
    char *path = pp_path_join(dir, "rotations.safetensors");
    pp_safetensors *st = NULL;
    pp_status status = path != NULL ? PP_OK : PP_ENOMEM;
    *taken = path != NULL && pp_file_exists(path) && same_settings(q, dir);
    if (*taken)
        status = pp_safetensors_open(&st, path);
    if (*taken && status == PP_OK)
        status = take_rotations(q, st);
    pp_safetensors_close(st);
    free(path);
    return status;
}

static pp_status read_settings(pp_lm_config *config, pp_lmq_options *o, char **format, const char *path)
{
    pp_doc *doc = NULL;
    const pp_node *c = NULL, *options = NULL;
    PP_TRY(pp_doc_read_json(&doc, path));
    pp_status status = pp_node_need(pp_doc_root(doc), "config", &c);
    if (status == PP_OK)
        status = pp_node_need(pp_doc_root(doc), "options", &options);
    if (status == PP_OK)
        status = pp_lm_config_parse(config, c);
    if (status == PP_OK)
        status = read_options(o, format, options);
    pp_doc_free(doc);
    return status;
}

/* quant.json of a finished folder; new string. */
static pp_status finished(char **path, const char *dir)
{
    *path = pp_path_join(dir, "quant.json");
    if (*path == NULL)
        return PP_ENOMEM;
    if (pp_file_exists(*path))
        return PP_OK;
    free(*path);
    *path = NULL;
    return pp_fail(PP_ENOTFOUND, "%s: the quantized model is not finished (no quant.json): run quantize again with the same settings", dir);
}

pp_status pp_lmq_bits(const char *dir, uint32_t *wbits, uint32_t *abits, uint32_t *kvbits, bool *online)
{
    pp_lm_config config = {0};
    pp_lmq_options o;
    char *path = NULL, *format = NULL;
    PP_TRY(finished(&path, dir));
    const pp_status status = read_settings(&config, &o, &format, path);
    if (status == PP_OK) {
        *wbits = o.wbits;
        *abits = o.abits;
        *kvbits = o.kvbits;
        if (online != NULL)
            *online = o.online && o.method != PP_LMQ_RTN;
    }
    free(format);
    free(path);
    return status;
}

pp_status pp_lmq_open(pp_lmq **out, const char *dir, pp_pool *pool)
{
    *out = NULL;
    pp_lmq *q = pp_calloc(1, sizeof *q);
    char *path = NULL;
    pp_status status = q != NULL ? finished(&path, dir) : PP_ENOMEM;
    if (status == PP_OK) {
        q->pool = pool;
        q->dir = pp_strdup(dir);
        status = q->dir != NULL ? read_settings(&q->config, &q->o, &q->format, path) : PP_ENOMEM;
    }
    if (status == PP_OK)
        status = pp_lmq_allocate_(q);
    if (q != NULL)
        q->source_config = q->config;
    if (status == PP_OK)
        status = read_rotations(q);
    if (status == PP_OK && q->o.method != PP_LMQ_RTN && q->o.online) {
        status = pp_hadamard_new_blocks(&q->r3, q->config.head_dim);
        if (status == PP_OK)
            status = pp_hadamard_new_blocks(&q->r4, q->config.ffn);
    }
    free(path);
    if (status == PP_OK)
        *out = q;
    else
        pp_lmq_free(q);
    return status;
}
