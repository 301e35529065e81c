/* What a run that is killed before its folder is complete leaves there for the next: the calibration's sample, and R1 as soon
 * as it is learned. Both are conveniences: where they cannot be written, the run goes on without. Hessians are not kept: those
 * of one layer of 8 billion parameters are half a gigabyte, and a layer is done again in the time it takes to read them. */
#include "quant/lmq_internal.h"
#include "workloads/workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAPTURE "capture.safetensors"
#define LEARNED "learned.safetensors"

/* ---- which model and text ---- */

/* First rows of all tensors of the first and last layer: another checkpoint has others. */
static pp_status add_weights(const pp_lm *lm, uint64_t *hash)
{
    const pp_lm_config *c = pp_lm_config_of(lm);
    const pp_lm_source source = pp_lm_source_of(lm);
    for (pp_lm_kind k = 0; k < PP_LM_EMBED; k++) {
        uint64_t rows, cols;
        if (!pp_lm_dims(c, k, &rows, &cols))
            continue;
        float *row = pp_alloc(cols, sizeof *row);
        pp_status status = row != NULL ? PP_OK : PP_ENOMEM;
        for (uint32_t l = 0; l < 2 && status == PP_OK; l++) {
            status = source.load(source.payload, l * (c->layers - 1), k, 0, 1, row);
            *hash = pp_fnv1a(*hash, row, cols * sizeof *row);
        }
        free(row);
        PP_TRY(status);
    }
    return PP_OK;
}

static pp_status key_of(char key[24], const pp_lm *lm, const pp_lmq_options *o, const uint32_t *tokens, size_t n_tokens)
{
    const pp_lm_config *c = pp_lm_config_of(lm);
    const uint64_t facts[] = {c->layers, c->hidden, c->ffn, c->heads, c->kv_heads, c->head_dim, o->window, o->calib_windows, n_tokens};
    uint64_t hash = pp_fnv1a(PP_FNV_START, facts, sizeof facts);
    hash = pp_fnv1a(hash, tokens, n_tokens * sizeof *tokens);
    PP_TRY(add_weights(lm, &hash));
    snprintf(key, 24, "%016llx", (unsigned long long)hash);
    return PP_OK;
}

static bool has_key(const pp_safetensors *st, const char *key)
{
    const char *there = pp_safetensors_metadata(st, "key");
    return there != NULL && strcmp(there, key) == 0;
}

/* ---- the sample ---- */

enum { PARTS = PP_LMQ_PLACES + 2 };
typedef struct part {
    const char *name;
    float **data;
    size_t count;
} part;

static void parts_of(pp_lmq_calib *c, part list[PARTS])
{
    static const char *const names[PP_LMQ_PLACES] = {"attn_in", "o_in", "ffn_in", "down_in"};
    const size_t width[PP_LMQ_PLACES] = {c->hidden, (size_t)c->heads * c->head_dim, c->hidden, c->ffn};
    for (unsigned i = 0; i < PP_LMQ_PLACES; i++)
        list[i] = (part){names[i], &c->place[i], (i == 3 ? c->down_rows : c->rows) * width[i] * c->layers};
    list[PP_LMQ_PLACES] = (part){"v", &c->v, c->rows * c->kv_heads * c->head_dim * c->layers};
    list[PP_LMQ_PLACES + 1] = (part){"most", &c->most, (size_t)c->layers * 2 * c->hidden};
}

static void write_capture(pp_lmq_calib *c, const char *path, const char *key)
{
    part list[PARTS];
    const char *names[PARTS + 1];
    pp_tensor tensors[PARTS + 1];
    const uint64_t facts[] = {c->layers, c->hidden, c->ffn, c->heads, c->kv_heads, c->head_dim, c->text, c->rows, c->down_rows};
    const char *const metadata[][2] = {{"key", key}};
    parts_of(c, list);
    for (unsigned i = 0; i < PARTS; i++) {
        names[i] = list[i].name;
        tensors[i] = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {list[i].count}, .data = *list[i].data};
    }
    names[PARTS] = "facts";
    tensors[PARTS] = (pp_tensor){.dtype = PP_DTYPE_I64, .ndim = 1, .dim = {sizeof facts / sizeof *facts}, .data = facts};
    (void)pp_safetensors_write(path, names, tensors, PARTS + 1, metadata, 1, true);
}

static pp_status read_part(const pp_safetensors *st, const part *p)
{
    pp_tensor t;
    PP_TRY(pp_safetensors_get(st, p->name, &t));
    if (t.dtype != PP_DTYPE_F32 || pp_tensor_count(&t) != p->count)
        return pp_fail(PP_EFORMAT, "%s: another size than it says", CAPTURE);
    *p->data = pp_alloc(p->count, sizeof(float));
    if (*p->data == NULL)
        return PP_ENOMEM;
    memcpy(*p->data, t.data, p->count * sizeof(float));
    return PP_OK;
}

static pp_status read_parts(pp_lmq_calib *c, const pp_safetensors *st)
{
    uint64_t f[9];
    pp_tensor t;
    part list[PARTS];
    PP_TRY(pp_safetensors_get(st, "facts", &t));
    if (t.dtype != PP_DTYPE_I64 || pp_tensor_count(&t) != 9)
        return pp_fail(PP_EFORMAT, "%s: another size than it says", CAPTURE);
    memcpy(f, t.data, sizeof f);
    *c = (pp_lmq_calib){.layers = (uint32_t)f[0], .hidden = (uint32_t)f[1], .ffn = (uint32_t)f[2], .heads = (uint32_t)f[3],
                        .kv_heads = (uint32_t)f[4], .head_dim = (uint32_t)f[5], .text = f[6], .rows = f[7], .down_rows = f[8]};
    parts_of(c, list);
    for (unsigned i = 0; i < PARTS; i++)
        PP_TRY(read_part(st, &list[i]));
    return PP_OK;
}

/* NULL: there is none that fits. */
static pp_lmq_calib *read_capture(const char *path, const char *key)
{
    pp_safetensors *st = NULL;
    pp_lmq_calib *c = NULL;
    if (!pp_file_exists(path) || pp_safetensors_open(&st, path) != PP_OK)
        return NULL;
    if (has_key(st, key) && (c = pp_calloc(1, sizeof *c)) != NULL && read_parts(c, st) != PP_OK) {
        pp_lmq_calib_free(c);
        c = NULL;
    }
    pp_safetensors_close(st);
    return c;
}

pp_status pp_lmq_calibrate_in(pp_lmq_calib **out, bool *kept, const pp_lm *lm, const pp_lmq_options *o, const uint32_t *tokens,
                              size_t n_tokens, const char *dir, pp_pool *pool, pp_progress *progress)
{
    char key[24];
    *out = NULL;
    *kept = false;
    if (dir == NULL || n_tokens < 2)
        return pp_lmq_calibrate(out, lm, o, tokens, n_tokens, pool, progress);
    PP_TRY(key_of(key, lm, o, tokens, n_tokens));
    char *path = pp_path_join(dir, CAPTURE);
    if (path == NULL)
        return PP_ENOMEM;
    *out = read_capture(path, key);
    *kept = *out != NULL;
    pp_status status = *kept ? PP_OK : pp_lmq_calibrate(out, lm, o, tokens, n_tokens, pool, progress);
    if (status == PP_OK && !*kept) {
        (void)mkdir(dir, 0777);
        write_capture(*out, path, key);
    }
    free(path);
    return status;
}

/* ---- R1 ---- */

/* Settings of the run: what R1 was learned with. */
static pp_status settings_key(char key[24], const pp_lmq *q)
{
    char *text = NULL;
    PP_TRY(pp_lmq_settings_(q, &text));
    snprintf(key, 24, "%016llx", (unsigned long long)pp_fnv1a(PP_FNV_START, text, strlen(text)));
    free(text);
    return PP_OK;
}

void pp_lmq_keep_r1_(const pp_lmq *q)
{
    char key[24], *path = q->o.resume != NULL ? pp_path_join(q->o.resume, LEARNED) : NULL;
    float *dense = NULL;
    if (path != NULL && settings_key(key, q) == PP_OK && pp_rotation_to_dense(q->r1, &dense) == PP_OK) {
        const char *const names[] = {"r1"}, *const metadata[][2] = {{"key", key}};
        const pp_tensor t = {.dtype = PP_DTYPE_F32, .ndim = 2, .dim = {q->r1->n, q->r1->n}, .data = dense};
        (void)mkdir(q->o.resume, 0777);
        (void)pp_safetensors_write(path, names, &t, 1, metadata, 1, true);
    }
    free(dense);
    free(path);
}

pp_status pp_lmq_kept_r1_(pp_lmq *q, bool *taken)
{
    char key[24], *path = q->o.resume != NULL ? pp_path_join(q->o.resume, LEARNED) : NULL;
    pp_safetensors *st = NULL;
    pp_tensor t;
    pp_status status = PP_OK;
    const size_t n = q->config.hidden;
    *taken = path != NULL && pp_file_exists(path) && settings_key(key, q) == PP_OK && pp_safetensors_open(&st, path) == PP_OK &&
             has_key(st, key) && pp_safetensors_get(st, "r1", &t) == PP_OK && t.dtype == PP_DTYPE_F32 && pp_tensor_count(&t) == n * n;
    if (*taken) {
        float *copy = pp_alloc(n * n, sizeof *copy); /* the view may be unaligned */
        status = copy != NULL ? PP_OK : PP_ENOMEM;
        if (status == PP_OK) {
            memcpy(copy, t.data, n * n * sizeof *copy);
            status = pp_rotation_from_dense(&q->r1, q->config.hidden, copy);
        }
        free(copy);
    }
    pp_safetensors_close(st);
    free(path);
    return status;
}

void pp_lmq_forget_kept_(const char *dir, bool all)
{
    const char *const names[] = {LEARNED, CAPTURE};
    for (unsigned i = 0; i < (all ? 2 : 1); i++) {
        char *path = pp_path_join(dir, names[i]);
        if (path != NULL)
            (void)remove(path);
        free(path);
    }
}
