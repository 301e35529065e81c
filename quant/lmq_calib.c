/* What the float model shows on the calibration text: a sample of rows at each place, a layer at a time. */
#include "quant/lmq_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t sample_bytes = (size_t)256 << 20;
enum { ROWS_MAX = 8192, DOWN_ROWS_MAX = 1024 };

pp_status pp_lmq_windows_(pp_lm_window **out, size_t *n, const pp_lmq_options *o, size_t n_tokens)
{
    if (n_tokens < 2)
        return pp_fail(PP_EINVAL, "the calibration text is %s: expected at least 2 tokens",
                       n_tokens == 0 ? "empty" : "a single token");
    const size_t length = n_tokens < o->window ? n_tokens : o->window, most = n_tokens / length;
    *n = o->calib_windows < most ? o->calib_windows : most;
    *out = pp_alloc(*n, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = (pp_lm_window){.first = most * i / *n * length, .row = i * length, .n = (uint32_t)length};
    return PP_OK;
}

void pp_lmq_calib_free(pp_lmq_calib *c)
{
    if (c == NULL)
        return;
    for (unsigned p = 0; p < PP_LMQ_PLACES; p++)
        free(c->place[p]);
    free(c->v);
    free(c->most);
    free(c);
}

typedef struct capture {
    pp_lmq_calib *c;
    size_t windows, per_window, down_per_window;
    float *most; /* [windows][hidden] of the place at hand, then folded in order */
} capture;

/* Row i of the sample that a window gives; the same tokens at all places. */
static uint32_t sampled_row(size_t window, size_t i, uint32_t rows)
{
    pp_rng rng = pp_rng_make(0x5a5a, (uint64_t)window << 24 | i);
    return pp_rng_below(&rng, rows);
}

static void keep(float *to, size_t per_window, const pp_lm_activation *a)
{
    for (size_t i = 0; i < per_window; i++)
        memcpy(to + (a->window * per_window + i) * a->width,
               a->x + (size_t)sampled_row(a->window, i, a->rows) * a->width, a->width * sizeof *to);
}

static void channel_most(float *most, const pp_lm_activation *a)
{
    for (size_t r = 0; r < a->rows; r++)
        for (uint32_t i = 0; i < a->width; i++)
            most[i] = fmaxf(most[i], fabsf(a->x[r * a->width + i]));
}

static pp_status hook(void *payload, const pp_lm_activation *a)
{
    const capture *p = payload;
    pp_lmq_calib *c = p->c;
    if (a->site == PP_LM_SITE_V) {
        keep(c->v + (size_t)a->layer * c->rows * a->width, p->per_window, a);
        return PP_OK;
    }
    const unsigned place = a->site == PP_LM_SITE_ATTN_IN  ? 0
                           : a->site == PP_LM_SITE_O_IN   ? 1
                           : a->site == PP_LM_SITE_FFN_IN ? 2
                                                          : 3;
    const size_t rows = place == 3 ? c->down_rows : c->rows;
    keep(c->place[place] + (size_t)a->layer * rows * a->width, place == 3 ? p->down_per_window : p->per_window, a);
    if (place == 0 || place == 2)
        channel_most(p->most + (a->window * 2 + (place == 2)) * c->hidden, a);
    return PP_OK;
}

static pp_status make(pp_lmq_calib *c, const pp_lm_config *f, capture *p)
{
    const size_t widths[PP_LMQ_PLACES] = {c->hidden, (size_t)c->heads * c->head_dim, c->hidden, c->ffn};
    const size_t v = (size_t)c->kv_heads * c->head_dim;
    const size_t row_bytes = (widths[0] + widths[1] + widths[2] + v) * sizeof(float) * c->layers;
    size_t rows = sample_bytes / row_bytes, down = sample_bytes / 4 / (c->ffn * sizeof(float) * c->layers);
    (void)f;
    rows = rows > ROWS_MAX ? ROWS_MAX : rows;
    down = down > DOWN_ROWS_MAX ? DOWN_ROWS_MAX : down;
    p->per_window = rows / p->windows > 0 ? rows / p->windows : 1;
    p->down_per_window = down / p->windows > 0 ? down / p->windows : 1;
    c->rows = p->per_window * p->windows;
    c->down_rows = p->down_per_window * p->windows;
    for (unsigned i = 0; i < PP_LMQ_PLACES; i++)
        if ((c->place[i] = pp_alloc((i == 3 ? c->down_rows : c->rows) * widths[i] * c->layers, sizeof(float))) == NULL)
            return PP_ENOMEM;
    c->v = pp_alloc(c->rows * v * c->layers, sizeof *c->v);
    c->most = pp_calloc((size_t)c->layers * 2 * c->hidden, sizeof *c->most);
    p->most = pp_calloc(p->windows * 2 * c->hidden, sizeof *p->most);
    return c->v != NULL && c->most != NULL && p->most != NULL ? PP_OK : PP_ENOMEM;
}

static void fold_most(const capture *p, uint32_t layer)
{
    float *most = p->c->most + (size_t)layer * 2 * p->c->hidden;
    for (size_t w = 0; w < p->windows; w++)
        for (size_t i = 0; i < 2 * (size_t)p->c->hidden; i++) {
            most[i] = fmaxf(most[i], p->most[w * 2 * p->c->hidden + i]);
            p->most[w * 2 * p->c->hidden + i] = 0;
        }
}

static pp_status run(capture *p, pp_lm_exec *exec, const pp_lm_batch *batch, pp_progress *progress)
{
    pp_lmq_calib *c = p->c;
    float *hidden = pp_alloc(batch->n_rows * c->hidden, sizeof *hidden);
    pp_status status = hidden != NULL ? pp_lm_exec_embed(exec, batch, hidden) : PP_ENOMEM;
    for (uint32_t l = 0; l < c->layers && status == PP_OK; l++) {
        status = pp_lm_exec_layer(exec, l, batch, hidden, hidden);
        fold_most(p, l);
        if (progress != NULL)
            pp_progress_step(progress, 1);
    }
    free(hidden);
    return status;
}

static uint64_t hash_windows(const uint32_t *tokens, const pp_lm_window *w, size_t n)
{
    uint64_t hash = PP_FNV_START;
    for (size_t i = 0; i < n; i++)
        hash = pp_fnv1a(hash, tokens + w[i].first, w[i].n * sizeof *tokens);
    return hash;
}

pp_status pp_lmq_calibrate(pp_lmq_calib **out, const pp_lm *lm, const pp_lmq_options *o, const uint32_t *tokens,
                           size_t n_tokens, pp_pool *pool, pp_progress *progress)
{
    pp_lm_window *windows = NULL;
    pp_lmq *q = NULL;
    pp_lm_exec *exec = NULL;
    capture p = {0};
    pp_lmq_options plain = *o;
    plain.method = PP_LMQ_RTN;
    plain.smooth = 0;
    plain.act_static = false;
    *out = NULL;
    PP_TRY(pp_lmq_windows_(&windows, &p.windows, o, n_tokens));
    pp_status status = pp_lmq_new(&q, lm, &plain, NULL, pool, NULL);
    p.c = pp_calloc(1, sizeof *p.c);
    if (status == PP_OK && p.c == NULL)
        status = PP_ENOMEM;
    if (status == PP_OK) {
        const pp_lm_config *f = &q->config;
        *p.c = (pp_lmq_calib){.layers = f->layers, .hidden = f->hidden, .ffn = f->ffn, .heads = f->heads,
                              .kv_heads = f->kv_heads, .head_dim = f->head_dim};
        p.c->text = hash_windows(tokens, windows, p.windows);
        status = make(p.c, f, &p);
    }
    const pp_lm_hooks hooks = {.activation = hook, .payload = &p,
                               .sites = PP_LM_SITE_BIT(PP_LM_SITE_ATTN_IN) | PP_LM_SITE_BIT(PP_LM_SITE_V) |
                                        PP_LM_SITE_BIT(PP_LM_SITE_O_IN) | PP_LM_SITE_BIT(PP_LM_SITE_FFN_IN) |
                                        PP_LM_SITE_BIT(PP_LM_SITE_DOWN_IN)};
    if (status == PP_OK) {
        const pp_lm_source source = pp_lmq_source(q);
        const pp_lm_exec_options e = pp_lmq_exec_options(pool);
        const pp_lm_batch batch = {tokens, windows, p.windows, p.windows * windows[0].n};
        status = pp_lm_exec_new(&exec, &q->config, &source, &hooks, &e);
        if (status == PP_OK)
            status = run(&p, exec, &batch, progress);
    }
    pp_lm_exec_free(exec);
    pp_lmq_free(q);
    free(windows);
    free(p.most);
    if (status == PP_OK)
        *out = p.c;
    else
        pp_lmq_calib_free(p.c);
    return status;
}
