/* One transformer layer on one window: norm, q k v, attention, o; norm, gate and up, down. */
#include "workloads/lm_internal.h"

typedef struct block {
    pp_lm_exec *exec;
    const pp_lm_weights *weights;
    pp_lm_scratch *s;
    uint32_t layer, rows;
    size_t window;
    const pp_lm_window *w;
    unsigned worker;
} block;

pp_status pp_lm_call_hook_(const pp_lm_exec *e, pp_lm_site site, uint32_t layer, size_t window,
                           const pp_lm_window *w, unsigned worker, uint32_t width, uint32_t heads, float *x)
{
    if (!(e->hooks.sites & PP_LM_SITE_BIT(site)))
        return PP_OK;
    const pp_lm_activation a = {.site = site, .layer = layer, .window = window, .row = w->row, .worker = worker,
                                .rows = w->n, .width = width, .heads = heads, .x = x};
    return e->hooks.activation(e->hooks.payload, &a);
}

static pp_status hook(const block *b, pp_lm_site site, uint32_t width, uint32_t heads, float *x)
{
    return pp_lm_call_hook_(b->exec, site, b->layer, b->window, b->w, b->worker, width, heads, x);
}

/* Products of one row and of many may differ in the order of sums. */
static uint32_t rows_at_once(const block *b)
{
    return b->exec->stepwise ? 1 : b->rows;
}

static void attend(const block *b)
{
    const pp_lm_config *c = &b->exec->config;
    const pp_lm_scratch *s = b->s;
    const uint32_t window = pp_lm_layer_window_(c, b->layer);
    const size_t width = (size_t)c->heads * c->head_dim;
    if (!b->exec->stepwise)
        pp_lm_attention_(c, b->exec->simd, window, b->rows, s->q, s->k, s->v, s->scores, s->mix);
    for (uint32_t r = 0; b->exec->stepwise && r < b->rows; r++)
        pp_lm_attention_of_(c, b->exec->simd, window, r, 1, s->q + r * width, s->k, s->v, s->scores, s->mix + r * width);
}

static void activate(const block *b)
{
    const pp_lm_config *c = &b->exec->config;
    const uint32_t rows = rows_at_once(b);
    for (uint32_t r = 0; r < b->rows; r += rows)
        b->exec->simd->activate(c->act, c->gated ? b->s->gate + (size_t)r * c->ffn : NULL, b->s->up + (size_t)r * c->ffn,
                                (size_t)rows * c->ffn);
}

/* y = W x + b. */
static pp_status linear(const block *b, pp_lm_kind kind, const float *x, float *y)
{
    const pp_lm_hooks *hooks = &b->exec->hooks;
    uint64_t out, in;
    pp_lm_dims(&b->exec->config, kind, &out, &in);
    if (hooks->products & PP_LM_KIND_BIT(kind))
        PP_TRY(hooks->product(hooks->payload, b->layer, kind, b->worker, x, b->rows, y));
    else
        for (uint32_t r = 0; r < b->rows; r += rows_at_once(b))
            pp_lm_product_(b->weights->data[kind], x + r * in, rows_at_once(b), (uint32_t)in, (uint32_t)out, y + r * out, out);
    const float *bias = b->weights->data[pp_lm_bias_of(kind)];
    if (bias)
        pp_lm_add_bias_(bias, y, b->rows, (uint32_t)out);
    return PP_OK;
}

static void add(const float *y, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static pp_status rotate(const block *b)
{
    const pp_lm_config *c = &b->exec->config;
    const pp_lm_rope_table *table = &b->exec->rope;
    if (c->qk_norm) {
        const size_t rows = b->rows;
        pp_lm_rms_norm_(c->norm_eps, b->weights->data[PP_LM_Q_NORM], b->s->q, rows * c->heads, c->head_dim, b->s->q);
        pp_lm_rms_norm_(c->norm_eps, b->weights->data[PP_LM_K_NORM], b->s->k, rows * c->kv_heads, c->head_dim,
                        b->s->k);
    }
    if (c->position_kind != PP_LM_POSITIONS_ROPE)
        return PP_OK;
    if (pp_lm_rope_by_length_(c, b->rows)) {
        table = &b->s->rope;
        if (table->n != b->rows)
            PP_TRY(pp_lm_rope_table_(&b->s->rope, c, b->rows));
    }
    pp_lm_rope_apply_(table, c, b->s->q, b->rows, c->heads);
    pp_lm_rope_apply_(table, c, b->s->k, b->rows, c->kv_heads);
    return PP_OK;
}

static pp_status project(const block *b)
{
    const pp_lm_config *c = &b->exec->config;
    pp_lm_scratch *s = b->s;
    const uint32_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    PP_TRY(hook(b, PP_LM_SITE_ATTN_IN, c->hidden, 1, s->norm));
    PP_TRY(linear(b, PP_LM_Q, s->norm, s->q));
    PP_TRY(linear(b, PP_LM_K, s->norm, s->k));
    PP_TRY(linear(b, PP_LM_V, s->norm, s->v));
    PP_TRY(rotate(b));
    PP_TRY(hook(b, PP_LM_SITE_Q, q, c->heads, s->q));
    PP_TRY(hook(b, PP_LM_SITE_K, kv, c->kv_heads, s->k));
    PP_TRY(hook(b, PP_LM_SITE_V, kv, c->kv_heads, s->v));
    PP_TRY(hook(b, PP_LM_SITE_K_CACHE, kv, c->kv_heads, s->k));
    return hook(b, PP_LM_SITE_V_CACHE, kv, c->kv_heads, s->v);
}

static pp_status attention(const block *b, float *x)
{
    const pp_lm_config *c = &b->exec->config;
    pp_lm_scratch *s = b->s;
    pp_lm_norm_(c, b->weights->data[PP_LM_ATTN_NORM], b->weights->data[PP_LM_ATTN_NORM_BIAS], x, b->rows, c->hidden,
                s->norm);
    PP_TRY(project(b));
    attend(b);
    PP_TRY(hook(b, PP_LM_SITE_O_IN, c->heads * c->head_dim, c->heads, s->mix));
    PP_TRY(linear(b, PP_LM_O, s->mix, s->add));
    add(s->add, x, (size_t)b->rows * c->hidden);
    return PP_OK;
}

static pp_status feed_forward(const block *b, float *x)
{
    const pp_lm_config *c = &b->exec->config;
    pp_lm_scratch *s = b->s;
    pp_lm_norm_(c, b->weights->data[PP_LM_FFN_NORM], b->weights->data[PP_LM_FFN_NORM_BIAS], x, b->rows, c->hidden,
                s->norm);
    PP_TRY(hook(b, PP_LM_SITE_FFN_IN, c->hidden, 1, s->norm));
    if (c->gated)
        PP_TRY(linear(b, PP_LM_GATE, s->norm, s->gate));
    PP_TRY(linear(b, PP_LM_UP, s->norm, s->up));
    activate(b);
    PP_TRY(hook(b, PP_LM_SITE_DOWN_IN, c->ffn, 1, s->up));
    PP_TRY(linear(b, PP_LM_DOWN, s->up, s->add));
    add(s->add, x, (size_t)b->rows * c->hidden);
    return PP_OK;
}

pp_status pp_lm_block_(pp_lm_exec *e, uint32_t layer, size_t window, const pp_lm_window *w, unsigned worker, float *x)
{
    const block b = {.exec = e, .weights = &e->weights[layer], .s = &e->scratch[worker], .layer = layer, .rows = w->n,
                     .window = window, .w = w, .worker = worker};
    PP_TRY(attention(&b, x));
    PP_TRY(feed_forward(&b, x));
    return hook(&b, PP_LM_SITE_RESIDUAL, e->config.hidden, 1, x);
}
