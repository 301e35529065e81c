/* The folder of a quantized language model, written layer by layer.
 *
 *   settings.json             what is made: model, options, seeds; first, so that a run can be taken up again
 *   rotations.safetensors     R1, R2, online operators, SmoothQuant and static ranges
 *   layer-NNNNN.safetensors   codes, scales, norms and biases of a layer
 *   tables-NNNNN.safetensors  embedding, positions, head: slices of rows, fused and rotated
 *   quant.json                last: the folder is whole */
#include "quant/lmq_internal.h"

#include "workloads/workloads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TABLE_BYTES ((size_t)64 << 20)

static pp_status write_text(const char *dir, const char *name, const char *text, bool force)
{
    char *path = pp_path_join(dir, name);
    if (path == NULL)
        return PP_ENOMEM;
    const pp_status status = pp_output_write(path, text, strlen(text), force);
    free(path);
    return status;
}

/* ---- settings ---- */

static void add_config(pp_json *root, const pp_lm_config *c)
{
    pp_json *j = pp_json_add_object(root, "config");
    pp_json_add_text(j, "name", c->name);
    pp_json_add_text(j, "model_type", c->model_type);
    const struct { const char *name; uint32_t v; } whole[] = {
        {"layers", c->layers}, {"hidden", c->hidden}, {"ffn", c->ffn}, {"heads", c->heads},
        {"kv_heads", c->kv_heads}, {"head_dim", c->head_dim}, {"vocab", c->vocab}, {"positions", c->positions},
        {"norm", (uint32_t)c->norm}, {"act", (uint32_t)c->act}, {"position_kind", (uint32_t)c->position_kind},
        {"biases", c->biases}, {"window", c->window}, {"window_first_layer", c->window_first_layer},
        {"rope_kind", (uint32_t)c->rope.kind}, {"rotary_dim", c->rope.rotary_dim}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        pp_json_add_i64(j, whole[i].name, whole[i].v);
    pp_json_add_bool(j, "gated", c->gated);
    pp_json_add_bool(j, "qk_norm", c->qk_norm);
    pp_json_add_bool(j, "rope_interleaved", c->rope.interleaved);
    pp_json_add_bool(j, "rope_truncate", c->rope.truncate);
    const struct { const char *name; double v; } real[] = {
        {"norm_eps", c->norm_eps}, {"rope_theta", c->rope.theta}, {"rope_factor", c->rope.factor},
        {"rope_original_positions", c->rope.original_positions}, {"rope_low_freq_factor", c->rope.low_freq_factor},
        {"rope_high_freq_factor", c->rope.high_freq_factor}, {"rope_beta_fast", c->rope.beta_fast},
        {"rope_beta_slow", c->rope.beta_slow}, {"rope_attention_factor", c->rope.attention_factor}};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        pp_json_add_f64(j, real[i].name, real[i].v);
}

static void add_options(pp_json *root, const pp_lmq_options *o)
{
    static const char *const methods[] = {"rtn", "quarot", "kurtail"};
    pp_json *j = pp_json_add_object(root, "options");
    pp_json_add_text(j, "method", methods[o->method]);
    pp_json_add_text(j, "weights", o->gptq ? "gptq" : "rtn");
    pp_json_add_text(j, "format", o->format);
    const struct { const char *name; int64_t v; } whole[] = {
        {"wbits", o->wbits}, {"abits", o->abits}, {"kvbits", o->kvbits}, {"wgroup", o->wgroup},
        {"agroup", o->agroup}, {"kvgroup", o->kvgroup}, {"seed", (int64_t)o->seed}, {"window", o->window},
        {"calib_windows", o->calib_windows}, {"learner", o->learn.learner}, {"loss", o->learn.loss},
        {"steps", o->learn.steps}, {"batch", o->learn.batch}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        pp_json_add_i64(j, whole[i].name, whole[i].v);
    pp_json_add_bool(j, "online", o->online);
    pp_json_add_bool(j, "clip", o->clip);
    pp_json_add_bool(j, "act_asymmetric", o->act_asymmetric);
    pp_json_add_bool(j, "act_static", o->act_static);
    pp_json_add_bool(j, "act_order", o->act_order);
    pp_json_add_bool(j, "static_groups", o->static_groups);
    const struct { const char *name; double v; } real[] = {
        {"act_clip", o->act_clip}, {"kv_clip", o->kv_clip}, {"smooth", o->smooth}, {"rate", o->learn.rate},
        {"momentum", o->learn.momentum}, {"target", o->learn.target}};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        pp_json_add_f64(j, real[i].name, real[i].v);
}

pp_status pp_lmq_settings_(const pp_lmq *q, char **out)
{
    pp_json *root = pp_json_object();
    pp_json_add_text(root, "format", "pentaprism quantized language model, 1");
    add_config(root, &q->config);
    add_options(root, &q->o);
    char text[24] = "";
    if (q->calib != NULL)
        snprintf(text, sizeof text, "%016llx", (unsigned long long)q->calib->text);
    pp_json_add_text(root, "calibration_text", text);
    pp_json_add_text(root, "r3", q->r3 != NULL ? q->r3->how : NULL);
    pp_json_add_text(root, "r4", q->r4 != NULL ? q->r4->how : NULL);
    const pp_status status = pp_json_print(out, root, true);
    pp_json_free(root);
    return status;
}

/* ---- tensors ---- */

typedef struct bundle {
    char *name[64];
    pp_tensor tensor[64];
    void *owned[64];
    size_t n;
} bundle;

/* Takes `data` when owned. */
static pp_status add(bundle *b, char *name, pp_dtype dtype, const void *data, uint64_t rows, uint64_t cols, bool owned)
{
    if (name == NULL) {
        if (owned)
            free((void *)(uintptr_t)data);
        return PP_ENOMEM;
    }
    b->name[b->n] = name;
    b->owned[b->n] = owned ? (void *)(uintptr_t)data : NULL;
    b->tensor[b->n] = (pp_tensor){.dtype = dtype, .ndim = 2, .dim = {rows, cols}, .data = data};
    b->n++;
    return PP_OK;
}

static pp_status write_bundle(bundle *b, const char *path, bool force)
{
    return pp_safetensors_write(path, (const char *const *)b->name, b->tensor, b->n, NULL, 0, force);
}

static void free_bundle(bundle *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->name[i]);
        free(b->owned[i]);
    }
    b->n = 0;
}

static pp_status add_rotation(bundle *b, char *name, const pp_rotation *r)
{
    float *dense = NULL;
    const pp_status status = pp_rotation_to_dense(r, &dense);
    if (status != PP_OK) {
        free(name);
        return status;
    }
    return add(b, name, PP_DTYPE_F32, dense, r->n, r->n, true);
}

static pp_status write_rotations(const pp_lmq *q)
{
    const pp_lm_config *c = &q->config;
    const size_t heads = (size_t)c->layers * c->kv_heads, hd = c->head_dim;
    bundle b = {0};
    pp_status status = PP_OK;
    if (q->r1 != NULL)
        status = add_rotation(&b, pp_strdup("r1"), q->r1);
    if (status == PP_OK && q->r2 != NULL) {
        float *all = pp_alloc(heads * hd * hd, sizeof *all);
        status = all != NULL ? PP_OK : PP_ENOMEM;
        for (size_t i = 0; i < heads && status == PP_OK; i++) {
            float *one = NULL;
            status = pp_rotation_to_dense(q->r2[i], &one);
            if (status == PP_OK)
                memcpy(all + i * hd * hd, one, hd * hd * sizeof *all);
            free(one);
        }
        if (status == PP_OK)
            status = add(&b, pp_strdup("r2"), PP_DTYPE_F32, all, heads * hd, hd, true);
        else
            free(all);
    }
    if (status == PP_OK && q->static_top != NULL)
        status = add(&b, pp_strdup("static_top"), PP_DTYPE_F32, q->static_top, c->layers, PP_LMQ_PLACES, false);
    const double k[2] = {q->kurtosis_before, q->kurtosis_after};
    const float kurtosis[2] = {(float)k[0], (float)k[1]};
    if (status == PP_OK)
        status = add(&b, pp_strdup("kurtosis"), PP_DTYPE_F32, kurtosis, 1, 2, false);
    char *path = pp_path_join(q->dir, "rotations.safetensors");
    if (status == PP_OK)
        status = path != NULL ? write_bundle(&b, path, true) : PP_ENOMEM;
    free(path);
    free_bundle(&b);
    return status;
}

/* Two codes a byte, the lower half first; 8-bit codes as they are. Rows begin at whole bytes. */
static uint8_t *pack(const pp_lmq_tensor *t, uint32_t bits, size_t *row_bytes)
{
    const bool halves = bits <= 4;
    *row_bytes = halves ? (t->cols + 1) / 2 : t->cols;
    uint8_t *out = pp_calloc(t->rows * *row_bytes, 1);
    for (size_t r = 0; out != NULL && r < t->rows; r++) {
        const uint8_t *code = t->code + r * t->cols;
        uint8_t *row = out + r * *row_bytes;
        for (size_t c = 0; c < t->cols / 2 && halves; c++)
            row[c] = (uint8_t)(code[2 * c] | code[2 * c + 1] << 4);
        if (halves && t->cols % 2 != 0)
            row[t->cols / 2] = code[t->cols - 1];
        if (!halves)
            memcpy(row, code, t->cols);
    }
    return out;
}

static pp_status add_codes(bundle *b, const pp_lmq_tensor *t, const char *name)
{
    size_t row_bytes;
    uint8_t *packed = pack(t, pp_number_traits_of(t->w.format)->bits, &row_bytes);
    if (packed == NULL)
        return PP_ENOMEM;
    PP_TRY(add(b, pp_strf("%s.codes.%s", name, pp_number_traits_of(t->w.format)->name), PP_DTYPE_U8, packed, t->rows,
               row_bytes, true));
    return add(b, pp_strf("%s.scales", name), PP_DTYPE_F32, t->scale, t->rows, pp_weight_groups(&t->w, t->cols), false);
}

static pp_status add_float(const pp_lmq *q, bundle *b, uint32_t layer, pp_lm_kind kind)
{
    uint64_t rows, cols;
    if (!pp_lm_dims(&q->config, kind, &rows, &cols))
        return PP_OK;
    float *w = pp_alloc(rows * cols, sizeof *w);
    const pp_status status = w != NULL ? pp_lmq_fused_(q, layer, kind, 0, rows, w) : PP_ENOMEM;
    if (status != PP_OK) {
        free(w);
        return status;
    }
    return add(b, pp_strdup(pp_lm_kind_name(kind)), PP_DTYPE_F32, w, rows, cols, true);
}

pp_status pp_lmq_layer_path_(const pp_lmq *q, uint32_t layer, char **path)
{
    char *name = pp_strf("layer-%05u.safetensors", layer);
    *path = name != NULL ? pp_path_join(q->dir, name) : NULL;
    free(name);
    return *path != NULL ? PP_OK : PP_ENOMEM;
}

pp_status pp_lmq_write_layer_(pp_lmq *q, uint32_t layer)
{
    bundle b = {0};
    pp_status status = PP_OK;
    for (pp_lm_kind k = 0; k < PP_LM_EMBED && status == PP_OK; k++) {
        const int index = pp_lmq_index_(k);
        const pp_lmq_tensor *t = index >= 0 ? &q->tensor[(size_t)layer * PP_LMQ_KINDS + (size_t)index] : NULL;
        if (t != NULL && t->code != NULL)
            status = add_codes(&b, t, pp_lm_kind_name(k));
        else
            status = add_float(q, &b, layer, k);
    }
    if (status == PP_OK)
        status = add(&b, pp_strdup("quality"), PP_DTYPE_U8, &q->quality[(size_t)layer * PP_LMQ_KINDS], PP_LMQ_KINDS,
                     sizeof *q->quality, false);
    char *path = NULL;
    if (status == PP_OK)
        status = pp_lmq_layer_path_(q, layer, &path);
    if (status == PP_OK)
        status = write_bundle(&b, path, true);
    free(path);
    free_bundle(&b);
    return status;
}

/* ---- tables ---- */

static pp_status write_slice(const pp_lmq *q, pp_lm_kind kind, uint64_t first, uint64_t n, uint64_t cols, uint32_t index)
{
    bundle b = {0};
    char *name = pp_strf("tables-%05u.safetensors", index), *path = name != NULL ? pp_path_join(q->dir, name) : NULL;
    free(name);
    float *w = path != NULL ? pp_alloc(n * cols, sizeof *w) : NULL;
    pp_status status = PP_ENOMEM;
    if (w != NULL && pp_file_exists(path)) /* of an earlier run */
        status = PP_OK;
    else if (w != NULL) {
        status = pp_lmq_fused_(q, q->config.layers, kind, first, n, w);
        if (status == PP_OK)
            status = add(&b, pp_strf("%s.%llu", pp_lm_kind_name(kind), (unsigned long long)first), PP_DTYPE_F32, w, n,
                         cols, false);
        if (status == PP_OK)
            status = write_bundle(&b, path, true);
    }
    free_bundle(&b);
    free(w);
    free(path);
    return status;
}

/* Rows of a global tensor that stand in one file; 0: the model has none. */
static uint64_t slice_rows(const pp_lmq *q, pp_lm_kind kind, uint64_t *rows, uint64_t *cols)
{
    if (!pp_lm_dims(&q->config, kind, rows, cols))
        return 0;
    const uint64_t slice = TABLE_BYTES / sizeof(float) / *cols + 1;
    return kind == PP_LM_HEAD_BIAS || *rows < slice ? *rows : slice;
}

static pp_status write_tables(const pp_lmq *q, pp_progress *progress)
{
    uint32_t index = 0;
    for (pp_lm_kind k = PP_LM_EMBED; k < PP_LM_KIND_COUNT; k++) {
        uint64_t rows, cols;
        const uint64_t slice = slice_rows(q, k, &rows, &cols);
        for (uint64_t r = 0; slice > 0 && r < rows; r += slice, index++) {
            PP_TRY(write_slice(q, k, r, rows - r < slice ? rows - r : slice, cols, index));
            if (progress != NULL)
                pp_progress_step(progress, 1);
        }
    }
    return PP_OK;
}

size_t pp_lmq_quantize_steps(const pp_lmq *q, bool folder)
{
    size_t n = q->config.layers;
    for (pp_lm_kind k = PP_LM_EMBED; folder && k < PP_LM_KIND_COUNT; k++) {
        uint64_t rows, cols;
        const uint64_t slice = slice_rows(q, k, &rows, &cols);
        n += slice > 0 ? (rows + slice - 1) / slice : 0;
    }
    return n;
}

/* ---- the folder ---- */

static pp_status same_settings(const char *path, const char *text)
{
    char *old = NULL;
    size_t size;
    PP_TRY(pp_file_read_text(&old, &size, path, (size_t)1 << 20));
    const bool same = strcmp(old, text) == 0;
    free(old);
    return same ? PP_OK
                : pp_fail(PP_EEXIST, "%s: holds a run with other settings: choose another folder or pass --force", path);
}

pp_status pp_lmq_check_dir_(const pp_lmq *q, const char *dir)
{
    char *path = pp_path_join(dir, "settings.json"), *text = NULL;
    pp_status status = path != NULL ? PP_OK : PP_ENOMEM;
    if (status == PP_OK && pp_file_exists(path)) {
        status = pp_lmq_settings_(q, &text);
        if (status == PP_OK)
            status = same_settings(path, text);
    }
    free(path);
    free(text);
    return status;
}

/* Removes layers and tables of other settings. */
static void clear(const pp_lmq *q)
{
    for (uint32_t i = 0; i < 100000; i++) {
        bool any = false;
        for (unsigned kind = 0; kind < 2; kind++) {
            char *name = pp_strf(kind == 0 ? "layer-%05u.safetensors" : "tables-%05u.safetensors", i);
            char *path = name != NULL ? pp_path_join(q->dir, name) : NULL;
            any = (path != NULL && remove(path) == 0) || any;
            free(name);
            free(path);
        }
        if (!any && i >= q->config.layers)
            return;
    }
}

pp_status pp_lmq_begin_dir_(pp_lmq *q, const char *dir, bool force)
{
    char *text = NULL, *settings = NULL, *whole = NULL;
    char *own = pp_strdup(dir);
    if (own == NULL)
        return PP_ENOMEM;
    free(q->dir); /* of a run before */
    q->dir = own;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return pp_fail(PP_EIO, "%s: cannot make the folder: %s", dir, strerror(errno));
    settings = pp_path_join(dir, "settings.json");
    whole = pp_path_join(dir, "quant.json");
    pp_status status = settings != NULL && whole != NULL ? pp_lmq_settings_(q, &text) : PP_ENOMEM;
    if (status == PP_OK && pp_file_exists(whole) && !force)
        status = pp_fail(PP_EEXIST, "%s: a finished quantized model is there already; --force makes it anew", dir);
    if (status == PP_OK && force) {
        (void)remove(whole);
        clear(q);
    } else if (status == PP_OK && pp_file_exists(settings)) {
        status = same_settings(settings, text);
    }
    if (status == PP_OK)
        status = write_text(dir, "settings.json", text, true);
    if (status == PP_OK)
        status = write_rotations(q);
    if (status == PP_OK)
        pp_lmq_forget_kept_(dir, false);
    free(text);
    free(settings);
    free(whole);
    return status;
}

pp_status pp_lmq_finish_dir_(pp_lmq *q, pp_progress *progress)
{
    char *text = NULL;
    PP_TRY(write_tables(q, progress));
    PP_TRY(pp_lmq_settings_(q, &text));
    const pp_status status = write_text(q->dir, "quant.json", text, true);
    if (status == PP_OK)
        pp_lmq_forget_kept_(q->dir, true);
    free(text);
    return status;
}
