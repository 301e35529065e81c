/* The float executor: weights in memory, scratch of the workers. */
#include "workloads/blas.h"
#include "workloads/lm_internal.h"

#include <stdlib.h>

#define WEIGHT_BYTES_DEFAULT ((size_t)2 << 30)

static uint64_t layer_floats(const pp_lm_config *c)
{
    uint64_t n = 0, rows, cols;
    for (pp_lm_kind k = 0; k < PP_LM_EMBED; k++) {
        pp_lm_dims(c, k, &rows, &cols);
        n += rows * cols;
    }
    return n;
}

static pp_status check_runnable(const pp_lm_config *c)
{
    PP_TRY(pp_lm_config_check(c));
    if (!c->causal || c->vocab == 0)
        return pp_fail(PP_EUNSUPPORTED, "%s: the executor runs decoders only", c->name);
    if (c->experts > 0)
        return pp_fail(PP_EUNSUPPORTED, "%s: the executor does not run mixtures of experts", c->name);
    if (c->shapes_only || c->norm_place != PP_LM_NORMS_BEFORE || c->norm_terms != PP_LM_NORM_GAIN_BIAS || c->parallel != PP_LM_SERIAL || c->position_kind == PP_LM_POSITIONS_ALIBI)
        return pp_fail(PP_EUNSUPPORTED, "%s: the executor does not run %s models", c->name, c->model_type);
    return PP_OK;
}

pp_status pp_lm_exec_new(pp_lm_exec **out, const pp_lm_config *config, const pp_lm_source *source,
                         const pp_lm_hooks *hooks, const pp_lm_exec_options *options)
{
    *out = NULL;
    PP_TRY(check_runnable(config));
    pp_lm_exec *e = pp_calloc(1, sizeof *e);
    if (!e)
        return PP_ENOMEM;
    /* Parallelism is over windows: one BLAS thread in each worker, so that results cannot depend on it. */
    pp_blas_prepare();
    e->simd = pp_lm_simd_(pp_cpu_level());
    e->config = *config;
    e->source = *source;
    e->pool = options ? options->pool : NULL;
    e->weight_bytes = options && options->weight_bytes > 0 ? options->weight_bytes : WEIGHT_BYTES_DEFAULT;
    e->scratch_bytes = options && options->scratch_bytes > 0 ? options->scratch_bytes : SIZE_MAX;
    e->stepwise = options != NULL && options->stepwise;
    e->resident = layer_floats(config) * config->layers <= e->weight_bytes / sizeof(float);
    e->weights = pp_calloc(config->layers + 1, sizeof *e->weights);
    e->scratch = pp_calloc(pp_pool_threads(e->pool), sizeof *e->scratch);
    if (!e->weights || !e->scratch) {
        pp_lm_exec_free(e);
        return PP_ENOMEM;
    }
    pp_lm_exec_set_hooks(e, hooks);
    *out = e;
    return PP_OK;
}

static void free_scratch(pp_lm_scratch *s)
{
    free(s->norm);
    free(s->gate);
    free(s->up);
    free(s->scores);
    free(s->add);
    pp_lm_rope_free_(&s->rope);
    *s = (pp_lm_scratch){0};
}

void pp_lm_weights_free_(pp_lm_weights *w)
{
    for (pp_lm_kind k = 0; k < PP_LM_KIND_COUNT; k++) {
        free(w->data[k]);
        w->data[k] = NULL;
    }
    w->loaded = false;
}

void pp_lm_exec_free(pp_lm_exec *e)
{
    if (!e)
        return;
    for (uint32_t l = 0; e->weights && l <= e->config.layers; l++)
        pp_lm_weights_free_(&e->weights[l]);
    for (unsigned t = 0; e->scratch && t < pp_pool_threads(e->pool); t++)
        free_scratch(&e->scratch[t]);
    pp_lm_rope_free_(&e->rope);
    free(e->weights);
    free(e->scratch);
    free(e);
}

void pp_lm_exec_set_hooks(pp_lm_exec *e, const pp_lm_hooks *hooks)
{
    const uint32_t before = e->hooks.products;
    e->hooks = hooks ? *hooks : (pp_lm_hooks){0};
    if (!e->hooks.activation)
        e->hooks.sites = 0;
    for (pp_lm_kind k = 0; k < PP_LM_KIND_COUNT; k++)
        if (!e->hooks.product || !pp_lm_is_linear(k))
            e->hooks.products &= ~PP_LM_KIND_BIT(k);
    /* Weights that a product stood in for were not loaded. */
    for (uint32_t l = 0; l <= e->config.layers && (before & ~e->hooks.products) != 0; l++)
        pp_lm_exec_drop(e, l);
}

void pp_lm_exec_drop(pp_lm_exec *e, uint32_t layer)
{
    if (layer <= e->config.layers)
        pp_lm_weights_free_(&e->weights[layer]);
}

static pp_status load_tensor(pp_lm_exec *e, uint32_t layer, pp_lm_kind kind)
{
    pp_lm_weights *w = &e->weights[pp_lm_is_global(kind) ? e->config.layers : layer];
    uint64_t rows, cols;
    if (w->data[kind] || (e->hooks.products & PP_LM_KIND_BIT(kind)) || !pp_lm_dims(&e->config, kind, &rows, &cols))
        return PP_OK;
    float *data = pp_alloc_aligned(rows * cols, sizeof *data);
    if (!data)
        return PP_ENOMEM;
    pp_status status = e->source.load(e->source.payload, layer, kind, 0, rows, data);
    if (status == PP_OK)
        w->data[kind] = data;
    else
        free(data);
    return status;
}

pp_status pp_lm_load_layer_(pp_lm_exec *e, uint32_t layer)
{
    pp_lm_weights *w = &e->weights[layer];
    if (w->loaded)
        return PP_OK;
    for (uint32_t l = 0; l < e->config.layers && !e->resident; l++)
        if (l != layer)
            pp_lm_weights_free_(&e->weights[l]);
    for (pp_lm_kind k = 0; k < PP_LM_EMBED; k++)
        PP_TRY(load_tensor(e, layer, k));
    w->loaded = true;
    return PP_OK;
}

pp_status pp_lm_load_globals_(pp_lm_exec *e, uint32_t kinds)
{
    for (pp_lm_kind k = PP_LM_EMBED; k < PP_LM_KIND_COUNT; k++)
        if (kinds & PP_LM_KIND_BIT(k))
            PP_TRY(load_tensor(e, e->config.layers, k));
    return PP_OK;
}

/* ---- scratch ---- */

static bool get(float **p, uint64_t rows, uint64_t cols)
{
    *p = pp_alloc_aligned(rows * cols, sizeof **p);
    return *p != NULL;
}

/* Values a row of what holds q, k, v, mix during attention and the gate behind it. */
static uint64_t shared_width(const pp_lm_config *c)
{
    const uint64_t attention = 2 * (uint64_t)c->head_dim * (c->heads + c->kv_heads);
    return c->gated && c->ffn > attention ? c->ffn : attention;
}

/* Bytes of one worker's scratch: what make_scratch asks for. */
static uint64_t scratch_size(const pp_lm_config *c, uint64_t rows)
{
    return rows * (2 * (uint64_t)c->hidden + shared_width(c) + c->ffn + PP_LM_ATTENTION_BLOCK) * sizeof(float);
}

static unsigned lanes_for(const pp_lm_exec *e, size_t windows, uint32_t rows)
{
    const unsigned pool = pp_pool_threads(e->pool), threads = windows < pool ? (unsigned)windows : pool;
    const uint64_t most = e->scratch_bytes / scratch_size(&e->config, rows);
    return most < 1 ? 1 : most < threads ? (unsigned)most : threads;
}

static pp_status make_scratch(pp_lm_scratch *s, const pp_lm_config *c, uint32_t rows)
{
    const uint64_t q = (uint64_t)c->heads * c->head_dim, kv = (uint64_t)c->kv_heads * c->head_dim;
    if (s->rows >= rows)
        return PP_OK;
    free_scratch(s);
    if (!get(&s->norm, rows, c->hidden) || !get(&s->gate, rows, shared_width(c)) || !get(&s->up, rows, c->ffn) ||
        !get(&s->add, rows, c->hidden) || !get(&s->scores, PP_LM_ATTENTION_BLOCK, rows))
        return PP_ENOMEM;
    s->q = s->gate;
    s->mix = s->q + rows * q;
    s->k = s->mix + rows * q;
    s->v = s->k + rows * kv;
    s->rows = rows;
    return PP_OK;
}

static pp_status check_window(const pp_lm_exec *e, const pp_lm_batch *b, size_t i, size_t row)
{
    const pp_lm_window *w = &b->windows[i];
    const pp_lm_config *c = &e->config;
    if (w->n == 0 || w->row != row)
        return pp_fail(PP_EINVAL, "window %zu of a batch is empty or out of place", i);
    if (c->position_kind == PP_LM_POSITIONS_LEARNED && w->n > c->positions)
        return pp_fail(PP_ERANGE, "%s: a window of %u tokens is longer than the model's %u positions", c->name, w->n,
                       c->positions);
    for (uint32_t t = 0; t < w->n; t++)
        if (b->tokens[w->first + t] >= c->vocab)
            return pp_fail(PP_ERANGE, "token %u at position %zu is outside the vocabulary of %s, which has %u",
                           b->tokens[w->first + t], w->first + t, c->name, c->vocab);
    return PP_OK;
}

pp_status pp_lm_prepare_(pp_lm_exec *e, const pp_lm_batch *b)
{
    uint32_t longest = 0;
    size_t row = 0;
    for (size_t i = 0; i < b->n_windows; i++) {
        PP_TRY(check_window(e, b, i, row));
        row += b->windows[i].n;
        longest = b->windows[i].n > longest ? b->windows[i].n : longest;
    }
    if (row != b->n_rows)
        return pp_fail(PP_EINVAL, "a batch of %zu rows has windows of %zu", b->n_rows, row);
    e->lanes = lanes_for(e, b->n_windows, longest > 0 ? longest : 1);
    for (unsigned t = 0; t < pp_pool_threads(e->pool); t++)
        if (t < e->lanes)
            PP_TRY(make_scratch(&e->scratch[t], &e->config, longest));
        else
            free_scratch(&e->scratch[t]);
    if (e->config.position_kind != PP_LM_POSITIONS_ROPE || e->rope.n >= longest)
        return PP_OK;
    uint32_t n = longest;
    if (pp_lm_rope_by_length_(&e->config, longest)) /* longer windows make their own */
        n = (uint32_t)e->config.rope.original_positions;
    return e->rope.n >= n ? PP_OK : pp_lm_rope_table_(&e->rope, &e->config, n);
}
