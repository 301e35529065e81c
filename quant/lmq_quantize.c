/* Codes of all linear layers, a layer at a time: rounding, or GPTQ on the inputs that the layers quantized
 * before give. */
#include "quant/lmq_internal.h"

#include "workloads/dense.h"

#include <stdlib.h>
#include <string.h>

/* Rows of inputs that are held at once. */
enum { CHUNK_ROWS = 2048 };

typedef struct hessians {
    const pp_lmq *q;
    size_t rows;                 /* of a chunk */
    float *x[PP_LMQ_PLACES];     /* [rows][width] */
    float *h[PP_LMQ_PLACES];     /* [width][width], the upper triangle until a matrix needs it */
} hessians;

static pp_status keep_inputs(void *payload, const pp_lm_activation *a)
{
    hessians *p = payload;
    const pp_lm_hooks rotate = pp_lmq_hooks_(p->q, false);
    PP_TRY(rotate.activation(rotate.payload, a));
    unsigned place;
    switch (a->site) {
    case PP_LM_SITE_ATTN_IN:
        place = 0;
        break;
    case PP_LM_SITE_O_IN:
        place = 1;
        break;
    case PP_LM_SITE_FFN_IN:
        place = 2;
        break;
    case PP_LM_SITE_DOWN_IN:
        place = 3;
        break;
    default:
        return PP_OK;
    }
    memcpy(p->x[place] + a->row * a->width, a->x, (size_t)a->rows * a->width * sizeof(float));
    return PP_OK;
}

/* Nobody looks at what a layer gives while its inputs are collected: its last matrix, the largest, stays on the disk. */
static pp_status no_product(void *payload, uint32_t layer, pp_lm_kind kind, unsigned worker, const float *x, uint32_t rows, float *y)
{
    const hessians *p = payload;
    uint64_t out = 0, in;
    (void)layer;
    (void)worker;
    (void)x;
    if (pp_lm_dims(&p->q->config, kind, &out, &in))
        memset(y, 0, rows * out * sizeof *y);
    return PP_OK;
}

static void free_inputs(hessians *p)
{
    for (unsigned i = 0; i < PP_LMQ_PLACES; i++) {
        free(p->x[i]);
        p->x[i] = NULL;
    }
}

static void free_hessians(hessians *p)
{
    free_inputs(p);
    for (unsigned i = 0; i < PP_LMQ_PLACES; i++) {
        free(p->h[i]);
        p->h[i] = NULL;
    }
}

/* Of one layer: they live from its forward pass to the last matrix that reads each. */
static pp_status make_hessians(hessians *p)
{
    free_hessians(p);
    for (unsigned i = 0; i < PP_LMQ_PLACES; i++) {
        const size_t width = pp_lmq_width_(&p->q->config, i);
        p->x[i] = pp_alloc(p->rows * width, sizeof(float));
        p->h[i] = pp_alloc(width * width, sizeof(float));
        if (p->x[i] == NULL || p->h[i] == NULL)
            return PP_ENOMEM;
    }
    return PP_OK;
}

typedef struct job {
    pp_lmq *q;
    pp_lm_exec *exec;       /* NULL without GPTQ */
    const uint32_t *tokens;
    pp_lm_window *windows;
    size_t n_windows, chunk; /* windows of a chunk */
    float *hidden;
    hessians hessian;
} job;

/* Windows [first, first + chunk) as a batch of their own, whose rows begin at 0. */
static pp_lm_batch chunk_of(const job *j, size_t first, pp_lm_window *windows)
{
    const size_t n = j->n_windows - first < j->chunk ? j->n_windows - first : j->chunk;
    for (size_t i = 0; i < n; i++) {
        windows[i] = j->windows[first + i];
        windows[i].row -= j->windows[first].row;
    }
    return (pp_lm_batch){j->tokens, windows, n, n * j->windows[0].n};
}

static pp_status each_chunk(job *j, uint32_t layer, bool collect)
{
    pp_lm_window *windows = pp_alloc(j->chunk, sizeof *windows);
    pp_status status = windows != NULL ? PP_OK : PP_ENOMEM;
    for (size_t first = 0; first < j->n_windows && status == PP_OK; first += j->chunk) {
        const pp_lm_batch batch = chunk_of(j, first, windows);
        float *hidden = j->hidden + j->windows[first].row * j->q->config.hidden;
        status = pp_lm_exec_layer(j->exec, layer, &batch, hidden, collect ? NULL : hidden);
        for (unsigned p = 0; p < PP_LMQ_PLACES && collect && status == PP_OK; p++) {
            const size_t w = pp_lmq_width_(&j->q->config, p);
            status = pp_dense_gram(j->q->pool, j->hessian.x[p], batch.n_rows, w, 2.0f, first == 0 ? 0.0f : 1.0f, j->hessian.h[p]);
        }
    }
    free(windows);
    return status;
}

static pp_status collect(job *j, uint32_t layer)
{
    pp_lm_hooks hooks = pp_lmq_hooks_(j->q, false);
    hooks.activation = keep_inputs;
    hooks.product = no_product;
    hooks.products = PP_LM_KIND_BIT(PP_LM_DOWN);
    hooks.payload = &j->hessian;
    hooks.sites |= PP_LM_SITE_BIT(PP_LM_SITE_ATTN_IN) | PP_LM_SITE_BIT(PP_LM_SITE_O_IN) |
                   PP_LM_SITE_BIT(PP_LM_SITE_FFN_IN);
    pp_lm_exec_set_hooks(j->exec, &hooks);
    PP_TRY(make_hessians(&j->hessian));
    const pp_status status = each_chunk(j, layer, true);
    free_inputs(&j->hessian);
    pp_lm_exec_drop(j->exec, layer); /* float weights: memory for what follows */
    return status;
}

static pp_status propagate(job *j, uint32_t layer)
{
    const pp_lm_hooks hooks = pp_lmq_hooks_(j->q, false); /* activations are not rounded meanwhile */
    pp_lm_exec_drop(j->exec, layer);
    pp_lm_exec_set_hooks(j->exec, &hooks);
    return each_chunk(j, layer, false);
}

/* ---- one matrix ---- */

/* Whether no later matrix of the layer reads the inputs of kind k. */
static bool last_of_place(const pp_lmq *q, uint32_t layer, unsigned k)
{
    for (unsigned i = k + 1; i < PP_LMQ_KINDS; i++)
        if (q->tensor[(size_t)layer * PP_LMQ_KINDS + i].rows > 0 && pp_lmq_place_(pp_lmq_kind_[i]) == pp_lmq_place_(pp_lmq_kind_[k]))
            return false;
    return true;
}

/* The last matrix of a place (down_proj, whose Hessian is the largest, is alone) destroys its Hessian in place. */
static pp_status gptq(job *j, unsigned place, bool last, const pp_lmq_tensor *t, float *w)
{
    const size_t n = t->cols;
    pp_gptq_options g = pp_gptq_defaults();
    g.act_order = j->q->o.act_order;
    g.static_groups = j->q->o.static_groups || g.act_order;
    float *h = last ? j->hessian.h[place] : pp_alloc(n * n, sizeof *h);
    if (h == NULL)
        return PP_ENOMEM;
    if (!last)
        memcpy(h, j->hessian.h[place], n * n * sizeof *h);
    pp_dense_mirror(h, n);
    const pp_status status = pp_quantize_gptq(&t->w, &g, j->q->pool, w, t->rows, n, h, t->code, t->scale);
    free(h);
    if (last)
        j->hessian.h[place] = NULL;
    return status;
}

static pp_status quantize_matrix(job *j, uint32_t layer, unsigned k)
{
    pp_lmq *q = j->q;
    pp_lmq_tensor *t = &q->tensor[(size_t)layer * PP_LMQ_KINDS + k];
    const pp_lm_kind kind = pp_lmq_kind_[k];
    if (t->rows == 0 || !pp_lmq_weight_options_(q, kind, &t->w))
        return PP_OK;
    const size_t count = t->rows * t->cols;
    float *w = pp_alloc(count, sizeof *w), *copy = NULL;
    pp_status status = w != NULL ? pp_lmq_fused_(q, layer, kind, 0, t->rows, w) : PP_ENOMEM;
    uint8_t *code = pp_alloc(count, 1);
    float *scale = pp_alloc(t->rows * pp_weight_groups(&t->w, t->cols), sizeof *scale);
    if (status == PP_OK && (code == NULL || scale == NULL))
        status = PP_ENOMEM;
    t->code = code;
    t->scale = scale;
    if (status == PP_OK && j->exec != NULL) {
        copy = pp_alloc(count, sizeof *copy);
        status = copy != NULL ? PP_OK : PP_ENOMEM;
        if (status == PP_OK) {
            memcpy(copy, w, count * sizeof *copy);
            status = gptq(j, pp_lmq_place_(kind), last_of_place(q, layer, k), t, copy);
        }
    } else if (status == PP_OK) {
        status = pp_quantize_rtn(&t->w, q->pool, w, t->rows, t->cols, code, scale);
    }
    if (status == PP_OK)
        status = pp_lmq_weight_quality_(q, layer, k, w);
    free(w);
    free(copy);
    return status;
}

/* ---- layers ---- */

static pp_status quantize_layer(job *j, uint32_t layer)
{
    pp_lmq *q = j->q;
    if (j->exec != NULL)
        PP_TRY(collect(j, layer));
    for (unsigned k = 0; k < PP_LMQ_KINDS; k++)
        PP_TRY(quantize_matrix(j, layer, k));
    PP_TRY(pp_lmq_input_quality_(q, layer));
    return q->dir != NULL ? pp_lmq_write_layer_(q, layer) : PP_OK;
}

/* Whether an earlier run has left this layer; its codes are read back when GPTQ needs to go on from them. */
static pp_status resume(job *j, uint32_t layer, bool *done)
{
    char *path = NULL;
    *done = false;
    if (j->q->dir == NULL)
        return PP_OK;
    PP_TRY(pp_lmq_layer_path_(j->q, layer, &path));
    *done = pp_file_exists(path);
    free(path);
    return *done ? pp_lmq_read_layer_(j->q, layer) : PP_OK;
}

static pp_status layers(job *j, pp_progress *progress)
{
    pp_lmq *q = j->q;
    for (uint32_t l = 0; l < q->config.layers; l++) {
        bool done;
        PP_TRY(resume(j, l, &done));
        if (!done)
            PP_TRY(quantize_layer(j, l));
        if (j->exec != NULL && l + 1 < q->config.layers)
            PP_TRY(propagate(j, l));
        if (q->dir != NULL)
            pp_lmq_forget_layer_(q, l);
        if (progress != NULL)
            pp_progress_step(progress, 1);
    }
    return PP_OK;
}

static pp_status prepare_gptq(job *j, size_t n_tokens)
{
    pp_lmq *q = j->q;
    const pp_lm_source source = pp_lmq_source(q);
    const pp_lm_hooks hooks = pp_lmq_hooks_(q, false);
    const pp_lm_exec_options e = pp_lmq_exec_options(q->pool);
    PP_TRY(pp_lmq_windows_(&j->windows, &j->n_windows, &q->o, n_tokens));
    const size_t length = j->windows[0].n, rows = j->n_windows * length;
    j->chunk = CHUNK_ROWS / length > 0 ? CHUNK_ROWS / length : 1;
    j->hessian.q = q;
    j->hessian.rows = j->chunk * length;
    PP_TRY(pp_lm_exec_new(&j->exec, &q->config, &source, &hooks, &e));
    j->hidden = pp_alloc(rows * q->config.hidden, sizeof *j->hidden);
    const pp_lm_batch batch = {j->tokens, j->windows, j->n_windows, rows};
    return j->hidden != NULL ? pp_lm_exec_embed(j->exec, &batch, j->hidden) : PP_ENOMEM;
}

pp_status pp_lmq_quantize(pp_lmq *q, const uint32_t *calib_tokens, size_t n_tokens, const char *dir, bool force,
                          pp_progress *progress)
{
    job j = {.q = q, .tokens = calib_tokens};
    pp_status status = dir != NULL ? pp_lmq_begin_dir_(q, dir, force) : PP_OK;
    if (status == PP_OK && q->o.gptq)
        status = prepare_gptq(&j, n_tokens);
    if (status == PP_OK)
        status = layers(&j, progress);
    if (status == PP_OK && dir != NULL)
        status = pp_lmq_finish_dir_(q, progress);
    pp_lm_exec_free(j.exec);
    free_hessians(&j.hessian);
    free(j.windows);
    free(j.hidden);
    return status;
}
