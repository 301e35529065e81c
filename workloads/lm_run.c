/* Passes of the executor over a batch of windows: embedding, one layer, head. Windows are the items of
 * the pool, so a window's result is made by one worker whatever the number of workers. */
#include "workloads/lm_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of the head that are multiplied at a time. */
#define HEAD_SLICE UINT64_C(8192)

static bool fits(const pp_lm_exec *e)
{
    return (uint64_t)e->config.vocab * e->config.hidden * sizeof(float) <= e->weight_bytes / 4;
}

/* ---- embedding ---- */

typedef struct embedding {
    pp_lm_exec *exec;
    const pp_lm_batch *batch;
    float *hidden;
} embedding;

static pp_status embed_window(void *payload, size_t i, unsigned worker)
{
    const embedding *p = payload;
    const pp_lm_exec *e = p->exec;
    const pp_lm_window *w = &p->batch->windows[i];
    const uint32_t d = e->config.hidden;
    const pp_lm_weights *g = &e->weights[e->config.layers];
    float *x = p->hidden + w->row * d;
    for (uint32_t t = 0; t < w->n && g->data[PP_LM_EMBED]; t++)
        memcpy(x + (size_t)t * d, g->data[PP_LM_EMBED] + (size_t)p->batch->tokens[w->first + t] * d, d * sizeof *x);
    if (g->data[PP_LM_POSITION])
        for (size_t k = 0; k < (size_t)w->n * d; k++)
            x[k] += g->data[PP_LM_POSITION][k];
    return pp_lm_call_hook_(e, PP_LM_SITE_EMBED, 0, i, w, worker, d, 1, x);
}

/* Row by row from the source, for tables too large to hold. */
static pp_status gather(pp_lm_exec *e, const pp_lm_batch *b, float *hidden)
{
    const uint32_t d = e->config.hidden;
    for (size_t i = 0; i < b->n_windows; i++)
        for (uint32_t t = 0; t < b->windows[i].n; t++)
            PP_TRY(e->source.load(e->source.payload, e->config.layers, PP_LM_EMBED,
                                  b->tokens[b->windows[i].first + t], 1, hidden + (b->windows[i].row + t) * d));
    return PP_OK;
}

pp_status pp_lm_exec_embed(pp_lm_exec *e, const pp_lm_batch *batch, float *hidden)
{
    embedding p = {e, batch, hidden};
    PP_TRY(pp_lm_prepare_(e, batch));
    PP_TRY(pp_lm_load_globals_(e, PP_LM_KIND_BIT(PP_LM_POSITION) | (fits(e) ? PP_LM_KIND_BIT(PP_LM_EMBED) : 0)));
    if (!fits(e))
        PP_TRY(gather(e, batch, hidden));
    return pp_pool_run(e->pool, batch->n_windows, embed_window, &p);
}

/* ---- layer ---- */

typedef struct layer_pass {
    pp_lm_exec *exec;
    uint32_t layer;
    const pp_lm_batch *batch;
    const float *in;
    float *out;
    size_t first; /* window of item 0 */
} layer_pass;

static pp_status layer_window(void *payload, size_t item, unsigned worker)
{
    const layer_pass *p = payload;
    const size_t i = p->first + item;
    if (p->exec->lanes < pp_pool_threads(p->exec->pool))
        worker = (unsigned)item; /* as many items as lanes: each has its own scratch */
    const pp_lm_window *w = &p->batch->windows[i];
    const size_t d = p->exec->config.hidden, count = w->n * d;
    float *x = p->out ? p->out + w->row * d : pp_alloc(count, sizeof *x);
    if (!x)
        return PP_ENOMEM;
    if (p->out != p->in)
        memcpy(x, p->in + w->row * d, count * sizeof *x);
    pp_status status = pp_lm_block_(p->exec, p->layer, i, w, worker, x);
    if (!p->out)
        free(x);
    return status;
}

pp_status pp_lm_exec_layer(pp_lm_exec *e, uint32_t layer, const pp_lm_batch *batch, const float *in, float *out)
{
    layer_pass p = {e, layer, batch, in, out, 0};
    if (layer >= e->config.layers)
        return pp_fail(PP_EINVAL, "%s: no layer %u; there are %u", e->config.name, layer, e->config.layers);
    PP_TRY(pp_lm_prepare_(e, batch));
    PP_TRY(pp_lm_load_layer_(e, layer));
    if (e->lanes >= pp_pool_threads(e->pool))
        return pp_pool_run(e->pool, batch->n_windows, layer_window, &p);
    for (; p.first < batch->n_windows; p.first += e->lanes) {
        const size_t left = batch->n_windows - p.first;
        PP_TRY(pp_pool_run(e->pool, left < e->lanes ? left : e->lanes, layer_window, &p));
    }
    return PP_OK;
}

/* ---- head ---- */

/* Rows [first, first + n) of the head, W[n][hidden]. */
typedef struct head_pass {
    pp_lm_exec *exec;
    const pp_lm_batch *batch;
    const float *normed; /* [rows][hidden] */
    const float *weights, *bias;
    uint64_t first;
    uint32_t n;
    float *logits;         /* [rows][vocab]; NULL: the three below */
    float *max;            /* [rows] */
    double *total;         /* [rows] */
    float *target;         /* [rows]: logit of the next token */
} head_pass;

typedef struct norm_pass {
    pp_lm_exec *exec;
    const pp_lm_batch *batch;
    const float *hidden;
    float *normed;
} norm_pass;

static pp_status norm_window(void *payload, size_t i, unsigned worker)
{
    const norm_pass *p = payload;
    const pp_lm_exec *e = p->exec;
    const pp_lm_config *c = &e->config;
    const pp_lm_weights *g = &e->weights[c->layers];
    const pp_lm_window *w = &p->batch->windows[i];
    float *x = p->normed + w->row * c->hidden;
    pp_lm_norm_(c, g->data[PP_LM_FINAL_NORM], g->data[PP_LM_FINAL_NORM_BIAS], p->hidden + w->row * c->hidden, w->n,
                c->hidden, x);
    return pp_lm_call_hook_(e, PP_LM_SITE_HEAD_IN, c->layers, i, w, worker, c->hidden, 1, x);
}

static pp_status norm_all(pp_lm_exec *e, const pp_lm_batch *batch, const float *hidden, float **normed)
{
    PP_TRY(pp_lm_prepare_(e, batch));
    PP_TRY(pp_lm_load_globals_(e, PP_LM_KIND_BIT(PP_LM_FINAL_NORM) | PP_LM_KIND_BIT(PP_LM_FINAL_NORM_BIAS) |
                                      PP_LM_KIND_BIT(PP_LM_HEAD_BIAS)));
    *normed = pp_alloc(batch->n_rows * e->config.hidden, sizeof **normed);
    if (!*normed)
        return PP_ENOMEM;
    norm_pass p = {e, batch, hidden, *normed};
    return pp_pool_run(e->pool, batch->n_windows, norm_window, &p);
}

/* y[rows][n] with row length ld. */
static pp_status head_product(const head_pass *p, unsigned worker, const float *x, uint32_t rows, float *y, size_t ld)
{
    const pp_lm_exec *e = p->exec;
    if (e->hooks.products & PP_LM_KIND_BIT(PP_LM_HEAD)) /* the whole head at once: ld = n = vocab */
        PP_TRY(e->hooks.product(e->hooks.payload, e->config.layers, PP_LM_HEAD, worker, x, rows, y));
    else
        for (uint32_t r = 0, n = e->stepwise ? 1 : rows; r < rows; r += n)
            pp_lm_product_(p->weights, x + (size_t)r * e->config.hidden, n, e->config.hidden, p->n, y + r * ld, ld);
    for (uint32_t r = 0; p->bias && r < rows; r++)
        for (uint32_t i = 0; i < p->n; i++)
            y[r * ld + i] += p->bias[p->first + i];
    return PP_OK;
}

static void score_row(const head_pass *p, const pp_lm_window *w, uint32_t t, const float *logits)
{
    const size_t row = w->row + t;
    if (t + 1 >= w->n)
        return;
    const uint32_t next = p->batch->tokens[w->first + t + 1];
    pp_lm_log_sum_(logits, p->n, &p->max[row], &p->total[row]);
    if (next >= p->first && next - p->first < p->n)
        p->target[row] = logits[next - p->first];
}

/* In blocks of rows, so that the logits of a large vocabulary stay small. */
static pp_status head_window(void *payload, size_t i, unsigned worker)
{
    const head_pass *p = payload;
    const pp_lm_window *w = &p->batch->windows[i];
    const size_t d = p->exec->config.hidden, vocab = p->exec->config.vocab;
    if (p->logits)
        return head_product(p, worker, p->normed + w->row * d, w->n, p->logits + w->row * vocab + p->first, vocab);
    const uint32_t block = 128;
    float *y = pp_alloc((size_t)block * p->n, sizeof *y);
    pp_status status = y ? PP_OK : PP_ENOMEM;
    for (uint32_t t = 0; t < w->n && status == PP_OK; t += block) {
        const uint32_t rows = w->n - t < block ? w->n - t : block;
        status = head_product(p, worker, p->normed + (w->row + t) * d, rows, y, p->n);
        for (uint32_t r = 0; r < rows && status == PP_OK; r++)
            score_row(p, w, t + r, y + (size_t)r * p->n);
    }
    free(y);
    return status;
}

static pp_status load_slice(pp_lm_exec *e, const head_pass *p, float *slice)
{
    return e->source.load(e->source.payload, e->config.layers, PP_LM_HEAD, p->first, p->n, slice);
}

/* The head is used in slices of the vocabulary, always the same ones, so that it makes no difference
 * whether it is kept in memory or loaded slice by slice. */
static pp_status run_slices(head_pass *p)
{
    pp_lm_exec *e = p->exec;
    const uint64_t vocab = e->config.vocab, d = e->config.hidden;
    const float *whole = e->weights[e->config.layers].data[PP_LM_HEAD];
    float *slice = whole ? NULL : pp_alloc_aligned(HEAD_SLICE * d, sizeof *slice);
    pp_status status = whole || slice ? PP_OK : PP_ENOMEM;
    for (p->first = 0; p->first < vocab && status == PP_OK; p->first += HEAD_SLICE) {
        p->n = (uint32_t)(vocab - p->first < HEAD_SLICE ? vocab - p->first : HEAD_SLICE);
        p->weights = whole ? whole + p->first * d : slice;
        if (!whole)
            status = load_slice(e, p, slice);
        if (status == PP_OK)
            status = pp_pool_run(e->pool, p->batch->n_windows, head_window, p);
    }
    free(slice);
    return status;
}

static pp_status run_head(head_pass *p)
{
    pp_lm_exec *e = p->exec;
    p->bias = e->weights[e->config.layers].data[PP_LM_HEAD_BIAS];
    if (e->hooks.products & PP_LM_KIND_BIT(PP_LM_HEAD)) {
        p->n = e->config.vocab;
        return pp_pool_run(e->pool, p->batch->n_windows, head_window, p);
    }
    if (fits(e))
        PP_TRY(pp_lm_load_globals_(e, PP_LM_KIND_BIT(PP_LM_HEAD)));
    return run_slices(p);
}

pp_status pp_lm_head_row_(const pp_lm_exec *e, const float *x, float *logits)
{
    const uint64_t vocab = e->config.vocab, d = e->config.hidden;
    const pp_lm_weights *g = &e->weights[e->config.layers];
    head_pass p = {.exec = (pp_lm_exec *)(uintptr_t)e, .bias = g->data[PP_LM_HEAD_BIAS], .n = (uint32_t)vocab};
    if (e->hooks.products & PP_LM_KIND_BIT(PP_LM_HEAD))
        return head_product(&p, 0, x, 1, logits, vocab);
    for (p.first = 0; p.first < vocab; p.first += HEAD_SLICE) {
        p.n = (uint32_t)(vocab - p.first < HEAD_SLICE ? vocab - p.first : HEAD_SLICE);
        p.weights = g->data[PP_LM_HEAD] + p.first * d;
        PP_TRY(head_product(&p, 0, x, 1, logits + p.first, vocab));
    }
    return PP_OK;
}

pp_status pp_lm_exec_head(pp_lm_exec *e, const pp_lm_batch *batch, const float *hidden, float *logits)
{
    float *normed = NULL;
    pp_status status = norm_all(e, batch, hidden, &normed);
    head_pass p = {.exec = e, .batch = batch, .normed = normed, .logits = logits};
    if (status == PP_OK)
        status = run_head(&p);
    free(normed);
    return status;
}

static pp_status make_scores(head_pass *p)
{
    const size_t rows = p->batch->n_rows;
    p->max = pp_alloc(rows, sizeof *p->max);
    p->total = pp_calloc(rows, sizeof *p->total);
    p->target = pp_calloc(rows, sizeof *p->target);
    if (!p->max || !p->total || !p->target)
        return PP_ENOMEM;
    for (size_t r = 0; r < rows; r++)
        p->max[r] = -INFINITY;
    return PP_OK;
}

pp_status pp_lm_exec_nll(pp_lm_exec *e, const pp_lm_batch *batch, const float *hidden, double *nll)
{
    float *normed = NULL;
    head_pass p = {.exec = e, .batch = batch};
    pp_status status;
    PP_GOTO(done, status, norm_all(e, batch, hidden, &normed));
    p.normed = normed;
    PP_GOTO(done, status, make_scores(&p));
    PP_GOTO(done, status, run_head(&p));
    for (size_t i = 0; i < batch->n_windows; i++) {
        const pp_lm_window *w = &batch->windows[i];
        for (size_t r = w->row; r + 1 < w->row + w->n; r++)
            nll[r] = (double)p.max[r] + log(p.total[r]) - (double)p.target[r];
        nll[w->row + w->n - 1] = 0;
    }
done:
    free(p.max);
    free(p.total);
    free(p.target);
    free(normed);
    return status;
}

pp_status pp_lm_exec_logits(pp_lm_exec *e, const pp_lm_batch *batch, float *logits)
{
    float *hidden = pp_alloc(batch->n_rows * e->config.hidden, sizeof *hidden);
    pp_status status;
    if (!hidden)
        return PP_ENOMEM;
    PP_GOTO(done, status, pp_lm_exec_embed(e, batch, hidden));
    for (uint32_t l = 0; l < e->config.layers; l++)
        PP_GOTO(done, status, pp_lm_exec_layer(e, l, batch, hidden, hidden));
    status = pp_lm_exec_head(e, batch, hidden, logits);
done:
    free(hidden);
    return status;
}
