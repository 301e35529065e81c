/* The fused and rotated model: each tensor is made when it is asked for.
 *
 * Rows are output channels, so "W R" acts on rows and "R^T W" on columns of outputs. */
#include "quant/lmq_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const pp_lm_kind pp_lmq_kind_[PP_LMQ_KINDS] = {PP_LM_Q, PP_LM_K, PP_LM_V, PP_LM_O, PP_LM_GATE, PP_LM_UP, PP_LM_DOWN};

int pp_lmq_index_(pp_lm_kind kind)
{
    for (int i = 0; i < PP_LMQ_KINDS; i++)
        if (pp_lmq_kind_[i] == kind)
            return i;
    return -1;
}

unsigned pp_lmq_place_(pp_lm_kind kind)
{
    return kind == PP_LM_O ? 1 : kind == PP_LM_GATE || kind == PP_LM_UP ? 2 : kind == PP_LM_DOWN ? 3 : 0;
}

uint32_t pp_lmq_width_(const pp_lm_config *c, unsigned place)
{
    return place == 1 ? c->heads * c->head_dim : place == 3 ? c->ffn : c->hidden;
}

pp_lm_config pp_lmq_fused_config_(const pp_lm_config *c)
{
    pp_lm_config f = *c;
    f.tied = false;
    if (c->norm == PP_LM_NORM_LAYER) { /* mean folded; the norm's bias becomes one of the matrices behind it */
        f.norm = PP_LM_NORM_RMS;
        f.biases |= PP_LM_KIND_BIT(PP_LM_Q_BIAS) | PP_LM_KIND_BIT(PP_LM_K_BIAS) | PP_LM_KIND_BIT(PP_LM_V_BIAS) |
                    PP_LM_KIND_BIT(PP_LM_UP_BIAS) | PP_LM_KIND_BIT(PP_LM_HEAD_BIAS);
        if (c->gated)
            f.biases |= PP_LM_KIND_BIT(PP_LM_GATE_BIAS);
    }
    return f;
}

/* ---- rows of the float model, in slices that the pool shares ---- */

typedef struct float_rows {
    const pp_lmq *q;
    uint32_t layer;
    pp_lm_kind kind;
    uint64_t first, n, cols, slice;
    float *out;
} float_rows;

static pp_status load_slice(void *payload, size_t item, unsigned worker)
{
    const float_rows *p = payload;
    (void)worker;
    const uint64_t at = item * p->slice, n = p->n - at < p->slice ? p->n - at : p->slice;
    return pp_lm_load_rows(p->q->lm, p->layer, p->kind, p->first + at, n, p->out + at * p->cols);
}

pp_status pp_lmq_float_rows_(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out)
{
    float_rows p = {.q = q, .layer = layer, .kind = kind, .first = first, .n = n, .out = out};
    uint64_t rows;
    if (!pp_lm_dims(&q->source_config, kind, &rows, &p.cols))
        return pp_lm_load_rows(q->lm, layer, kind, first, n, out); /* says what is missing */
    p.slice = ((uint64_t)1 << 22) / p.cols + 1;
    return pp_pool_run(q->pool, (size_t)((n + p.slice - 1) / p.slice), load_slice, &p);
}

static pp_status float_source(void *payload, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out)
{
    return pp_lmq_float_rows_(payload, layer, kind, first, n, out);
}

pp_lm_source pp_lmq_float_source_(const pp_lmq *q)
{
    return (pp_lm_source){float_source, (void *)(uintptr_t)q};
}

static pp_status load_vector(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, uint64_t n, float **out)
{
    uint64_t rows, cols;
    *out = NULL;
    if (!pp_lm_dims(&q->source_config, kind, &rows, &cols))
        return PP_OK;
    *out = pp_alloc(n, sizeof **out);
    return *out != NULL ? pp_lm_load(q->lm, layer, kind, *out) : PP_ENOMEM;
}

static pp_lm_kind norm_of(pp_lm_kind kind)
{
    return kind == PP_LM_HEAD ? PP_LM_FINAL_NORM : pp_lmq_place_(kind) == 0 ? PP_LM_ATTN_NORM : PP_LM_FFN_NORM;
}

static pp_lm_kind norm_bias_of(pp_lm_kind kind)
{
    return kind == PP_LM_HEAD       ? PP_LM_FINAL_NORM_BIAS
           : pp_lmq_place_(kind) == 0 ? PP_LM_ATTN_NORM_BIAS
                                      : PP_LM_FFN_NORM_BIAS;
}

/* ---- folding ---- */

typedef struct norm_fold {
    const float *norm, *smooth;
    float *w;
    uint64_t rows, slice;
    uint32_t d;
} norm_fold;

static pp_status fold_slice(void *payload, size_t item, unsigned worker)
{
    const norm_fold *p = payload;
    (void)worker;
    const uint64_t end = (item + 1) * p->slice < p->rows ? (item + 1) * p->slice : p->rows;
    for (uint64_t r = item * p->slice; r < end; r++)
        for (uint32_t i = 0; i < p->d; i++) {
            const double v = (double)p->w[r * p->d + i] * (double)p->norm[i];
            p->w[r * p->d + i] = (float)(p->smooth != NULL ? v * (double)p->smooth[i] : v);
        }
    return PP_OK;
}

/* w[rows][d] diag(norm), in double; SmoothQuant's scales too. */
static pp_status fuse_norm(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, float *w, uint64_t rows)
{
    const uint32_t d = q->config.hidden;
    float *norm = NULL;
    pp_status status = load_vector(q, layer, norm_of(kind), d, &norm);
    const float *smooth = q->smooth != NULL && kind != PP_LM_HEAD
                              ? q->smooth + ((size_t)layer * 2 + (pp_lmq_place_(kind) == 2)) * d
                              : NULL;
    norm_fold p = {norm, smooth, w, rows, 64, d};
    if (status == PP_OK && norm != NULL)
        status = pp_pool_run(q->pool, (size_t)((rows + p.slice - 1) / p.slice), fold_slice, &p);
    free(norm);
    return status;
}

/* Rows minus the mean over rows: what LayerNorm would subtract behind them. w[rows][cols]. */
static pp_status subtract_mean(const pp_lmq *q, float *w, uint64_t rows, uint64_t cols)
{
    if (q->source_config.norm != PP_LM_NORM_LAYER)
        return PP_OK;
    double *mean = pp_calloc(cols, sizeof *mean);
    if (mean == NULL)
        return PP_ENOMEM;
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < cols; c++)
            mean[c] += (double)w[r * cols + c] / (double)rows;
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < cols; c++)
            w[r * cols + c] = (float)((double)w[r * cols + c] - mean[c]);
    free(mean);
    return PP_OK;
}

/* Residual-stream vectors x[n][d]: mean taken off (LayerNorm), then x R1. */
static pp_status stream_rows(const pp_lmq *q, float *x, uint64_t n)
{
    const uint32_t d = q->config.hidden;
    for (uint64_t r = 0; r < n && q->source_config.norm == PP_LM_NORM_LAYER; r++) {
        double mean = 0;
        for (uint32_t i = 0; i < d; i++)
            mean += (double)x[r * d + i] / d;
        for (uint32_t i = 0; i < d; i++)
            x[r * d + i] = (float)((double)x[r * d + i] - mean);
    }
    return q->r1 != NULL ? pp_rotation_apply(q->r1, q->pool, x, n, false) : PP_OK;
}

static const pp_rotation *r2_of(const pp_lmq *q, uint32_t layer, uint32_t kv_head)
{
    return q->r2 != NULL ? q->r2[(size_t)layer * q->config.kv_heads + kv_head] : NULL;
}

/* v's outputs: rows of each KV head by R2^T (w[heads head_dim][cols]); a bias has cols 1. */
static pp_status rotate_v(const pp_lmq *q, uint32_t layer, float *w, uint64_t cols)
{
    for (uint32_t h = 0; h < q->config.kv_heads && q->r2 != NULL; h++)
        PP_TRY(pp_rotation_apply_left(r2_of(q, layer, h), q->pool, w + (size_t)h * q->config.head_dim * cols, cols));
    return PP_OK;
}

/* o's inputs: query head h lies on the V of KV head h / group, so its block of columns takes that R2. */
static pp_status rotate_o(const pp_lmq *q, uint32_t layer, float *w)
{
    const pp_lm_config *c = &q->config;
    const size_t hd = c->head_dim, width = c->heads * hd;
    if (q->r2 == NULL)
        return PP_OK;
    float *block = pp_alloc(c->hidden * hd, sizeof *block);
    pp_status status = block != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t h = 0; h < c->heads && status == PP_OK; h++) {
        for (size_t r = 0; r < c->hidden; r++)
            memcpy(block + r * hd, w + r * width + h * hd, hd * sizeof *block);
        status = pp_rotation_apply(r2_of(q, layer, h / (c->heads / c->kv_heads)), q->pool, block, c->hidden, false);
        for (size_t r = 0; r < c->hidden; r++)
            memcpy(w + r * width + h * hd, block + r * hd, hd * sizeof *block);
    }
    free(block);
    return status;
}

/* ---- tensors ---- */

static pp_status input_matrix(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, float *w, uint64_t rows)
{
    PP_TRY(fuse_norm(q, layer, kind, w, rows));
    if (q->r1 != NULL)
        PP_TRY(pp_rotation_apply(q->r1, q->pool, w, rows, false));
    return kind == PP_LM_V ? rotate_v(q, layer, w, q->config.hidden) : PP_OK;
}

static pp_status output_matrix(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, float *w)
{
    const uint32_t d = q->config.hidden, width = pp_lmq_width_(&q->config, pp_lmq_place_(kind));
    PP_TRY(subtract_mean(q, w, d, width));
    if (q->r1 != NULL)
        PP_TRY(pp_rotation_apply_left(q->r1, q->pool, w, width));
    if (kind == PP_LM_O)
        return rotate_o(q, layer, w);
    if (q->r4 != NULL)
        pp_hadamard_apply(q->r4, w, d, false);
    return PP_OK;
}

/* Bias of a matrix behind a norm: its own (if any) plus W times the norm's bias. */
static pp_status input_bias(const pp_lmq *q, uint32_t layer, pp_lm_kind bias_kind, pp_lm_kind kind, float *out)
{
    uint64_t rows, cols;
    float *bias = NULL, *norm_bias = NULL, *row = NULL;
    pp_lm_dims(&q->config, kind, &rows, &cols);
    pp_status status = load_vector(q, layer, bias_kind, rows, &bias);
    for (uint64_t r = 0; r < rows && status == PP_OK; r++)
        out[r] = bias != NULL ? bias[r] : 0;
    if (status == PP_OK)
        status = load_vector(q, layer, norm_bias_of(kind), cols, &norm_bias);
    if (status == PP_OK && norm_bias != NULL && (row = pp_alloc(cols, sizeof *row)) == NULL)
        status = PP_ENOMEM;
    for (uint64_t r = 0; r < rows && status == PP_OK && norm_bias != NULL; r++) {
        double sum = 0;
        status = pp_lm_load_rows(q->lm, layer, kind, r, 1, row);
        for (uint64_t c = 0; c < cols && status == PP_OK; c++)
            sum += (double)row[c] * (double)norm_bias[c];
        out[r] = (float)((double)out[r] + sum);
    }
    free(bias);
    free(norm_bias);
    free(row);
    return status == PP_OK && kind == PP_LM_V ? rotate_v(q, layer, out, 1) : status;
}

static pp_status norm_weight(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, float *out)
{
    const float *smooth = q->smooth != NULL && kind != PP_LM_FINAL_NORM
                              ? q->smooth + ((size_t)layer * 2 + (kind == PP_LM_FFN_NORM)) * q->config.hidden
                              : NULL;
    for (uint32_t i = 0; i < q->config.hidden; i++)
        out[i] = smooth != NULL ? 1 / smooth[i] : 1;
    return PP_OK;
}

static pp_status whole(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, float *out)
{
    uint64_t rows, cols;
    pp_lm_dims(&q->config, kind, &rows, &cols);
    switch (kind) {
    case PP_LM_ATTN_NORM:
    case PP_LM_FFN_NORM:
    case PP_LM_FINAL_NORM:
        return norm_weight(q, layer, kind, out);
    case PP_LM_Q_BIAS:
        return input_bias(q, layer, kind, PP_LM_Q, out);
    case PP_LM_K_BIAS:
        return input_bias(q, layer, kind, PP_LM_K, out);
    case PP_LM_V_BIAS:
        return input_bias(q, layer, kind, PP_LM_V, out);
    case PP_LM_GATE_BIAS:
        return input_bias(q, layer, kind, PP_LM_GATE, out);
    case PP_LM_UP_BIAS:
        return input_bias(q, layer, kind, PP_LM_UP, out);
    case PP_LM_HEAD_BIAS:
        return input_bias(q, layer, kind, PP_LM_HEAD, out);
    default:
        break;
    }
    PP_TRY(pp_lmq_float_rows_(q, layer, kind, 0, rows, out));
    if (kind == PP_LM_O || kind == PP_LM_DOWN)
        return output_matrix(q, layer, kind, out);
    if (kind == PP_LM_O_BIAS || kind == PP_LM_DOWN_BIAS)
        return stream_rows(q, out, 1);
    return pp_lmq_index_(kind) >= 0 ? input_matrix(q, layer, kind, out, rows) : PP_OK; /* q, k norms: as they are */
}

/* Rows of embedding, positions, head: independent of each other. */
static pp_status table_rows(const pp_lmq *q, pp_lm_kind kind, uint64_t first, uint64_t n, float *out)
{
    PP_TRY(pp_lmq_float_rows_(q, 0, kind, first, n, out));
    if (kind != PP_LM_HEAD)
        return stream_rows(q, out, n);
    PP_TRY(fuse_norm(q, 0, kind, out, n));
    return q->r1 != NULL ? pp_rotation_apply(q->r1, q->pool, out, n, false) : PP_OK;
}

pp_status pp_lmq_fused_(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out)
{
    uint64_t rows, cols;
    if (!pp_lm_dims(&q->config, kind, &rows, &cols))
        return pp_fail(PP_ENOTFOUND, "%s: the fused model has no tensor %s", q->config.name, pp_lm_kind_name(kind));
    if (kind == PP_LM_EMBED || kind == PP_LM_POSITION || kind == PP_LM_HEAD)
        return table_rows(q, kind, first, n, out);
    if ((first == 0 && n == rows) || rows == 1)
        return whole(q, layer, kind, out);
    float *all = pp_alloc(rows * cols, sizeof *all);
    pp_status status = all != NULL ? whole(q, layer, kind, all) : PP_ENOMEM;
    if (status == PP_OK)
        memcpy(out, all + first * cols, n * cols * sizeof *out);
    free(all);
    return status;
}

static pp_status load(void *payload, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out)
{
    pp_lmq *q = payload;
    const int index = pp_lmq_index_(kind);
    if (index >= 0 && q->dir != NULL && q->tensor[(size_t)layer * PP_LMQ_KINDS + (size_t)index].code == NULL &&
        q->lm == NULL)
        PP_TRY(pp_lmq_read_layer_(q, layer));
    const pp_lmq_tensor *t = index >= 0 ? &q->tensor[(size_t)layer * PP_LMQ_KINDS + (size_t)index] : NULL;
    if ((t == NULL || t->code == NULL) && q->lm == NULL)
        return pp_lmq_folder_float_(q, layer, kind, first, n, out);
    if (t == NULL || t->code == NULL)
        return pp_lmq_fused_(q, layer, kind, first, n, out);
    pp_dequantize(&t->w, n, t->cols, t->code + first * t->cols, t->scale + first * pp_weight_groups(&t->w, t->cols),
                  out);
    if (q->lm == NULL && kind == PP_LM_DOWN) /* last of a layer in the executor's order */
        pp_lmq_forget_layer_(q, layer);
    return PP_OK;
}

pp_lm_source pp_lmq_source(const pp_lmq *q)
{
    return (pp_lm_source){load, (void *)(uintptr_t)q};
}
