/* One token, one operator at a time. */
#include "workloads/lm_step.h"

#include "workloads/lm_internal.h"

#include <stdlib.h>
#include <string.h>

struct pp_lm_cache {
    uint32_t layers, room;
    size_t width;   /* kv_heads head_dim */
    uint32_t *n;    /* [layers] tokens that are there */
    float *k, *v;   /* [layers][room][width]; with a codec [room][width], of the block that attends */
    pp_lm_cache_codec codec; /* bytes 0: none */
    uint8_t *code;  /* [layers][2][room][codec.bytes] keys, then values */
};

struct pp_lm_token {
    uint32_t id, sequence, position, layer; /* layer: block whose input x is, or that it is in */
    size_t row;
    uint32_t done;  /* steps of that block, as bits */
    float *x, *norm, *q, *k, *v, *mix, *o, *gate, *up, *down, *scores, *logits;
    bool has_logits;
};

#define BIT(step) (UINT32_C(1) << (step))

static const struct {
    const char *name;
    uint32_t needs; /* of the same block */
} steps[PP_LM_STEP_COUNT] = {
    [PP_LM_STEP_EMBED] = {"embed_tokens", 0},
    [PP_LM_STEP_Q] = {"q_proj", 0},
    [PP_LM_STEP_K] = {"k_proj", 0},
    [PP_LM_STEP_V] = {"v_proj", 0},
    [PP_LM_STEP_ATTENTION] = {"attention", BIT(PP_LM_STEP_Q) | BIT(PP_LM_STEP_K) | BIT(PP_LM_STEP_V)},
    [PP_LM_STEP_O] = {"o_proj", BIT(PP_LM_STEP_ATTENTION)},
    [PP_LM_STEP_ATTN_ADD] = {"attn_add", BIT(PP_LM_STEP_O)},
    [PP_LM_STEP_GATE] = {"gate_proj", BIT(PP_LM_STEP_ATTN_ADD)},
    [PP_LM_STEP_UP] = {"up_proj", BIT(PP_LM_STEP_ATTN_ADD)},
    [PP_LM_STEP_ACT] = {"activation", BIT(PP_LM_STEP_UP)},
    [PP_LM_STEP_DOWN] = {"down_proj", BIT(PP_LM_STEP_ACT)},
    [PP_LM_STEP_FFN_ADD] = {"ffn_add", BIT(PP_LM_STEP_DOWN)},
    [PP_LM_STEP_HEAD] = {"lm_head", 0},
};

const char *pp_lm_step_name(pp_lm_step step)
{
    return steps[step].name;
}

/* ---- cache and token ---- */

pp_status pp_lm_cache_new(pp_lm_cache **out, const pp_lm_config *c, uint32_t tokens, const pp_lm_cache_codec *codec)
{
    pp_lm_cache *x = pp_calloc(1, sizeof *x);
    *out = NULL;
    if (x == NULL)
        return PP_ENOMEM;
    *x = (pp_lm_cache){.layers = c->layers, .room = tokens, .width = (size_t)c->kv_heads * c->head_dim};
    if (codec != NULL)
        x->codec = *codec;
    const size_t values = (codec != NULL ? 1 : c->layers) * (size_t)tokens * x->width;
    x->n = pp_calloc(c->layers, sizeof *x->n);
    x->k = pp_calloc(values, sizeof *x->k);
    x->v = pp_calloc(values, sizeof *x->v);
    x->code = pp_calloc(2 * (size_t)c->layers * tokens, x->codec.bytes);
    if (x->n == NULL || x->k == NULL || x->v == NULL || x->code == NULL) {
        pp_lm_cache_free(x);
        return PP_ENOMEM;
    }
    *out = x;
    return PP_OK;
}

void pp_lm_cache_free(pp_lm_cache *x)
{
    if (x == NULL)
        return;
    free(x->n);
    free(x->k);
    free(x->v);
    free(x->code);
    free(x);
}

size_t pp_lm_cache_code_bytes(const pp_lm_cache *x, uint32_t tokens)
{
    return 2 * (size_t)x->layers * tokens * x->codec.code_bytes;
}

pp_status pp_lm_token_new(pp_lm_token **out, const pp_lm_exec *e, uint32_t id, uint32_t sequence, uint32_t position, size_t row)
{
    const pp_lm_config *c = &e->config;
    const size_t q = (size_t)c->heads * c->head_dim, kv = (size_t)c->kv_heads * c->head_dim;
    *out = NULL;
    if (id >= c->vocab)
        return pp_fail(PP_ERANGE, "token %u is outside the vocabulary of %s, which has %u", id, c->name, c->vocab);
    pp_lm_token *t = pp_calloc(1, sizeof *t);
    if (t == NULL)
        return PP_ENOMEM;
    *t = (pp_lm_token){.id = id, .sequence = sequence, .position = position, .row = row, .layer = PP_NONE};
    float **const part[] = {&t->x, &t->norm, &t->q, &t->k, &t->v, &t->mix, &t->o, &t->gate, &t->up, &t->down, &t->scores, &t->logits};
    const size_t size[] = {c->hidden, c->hidden, q, kv, kv, q, c->hidden, c->ffn, c->ffn, c->hidden, (size_t)position + 1, c->vocab};
    pp_status status = PP_OK;
    for (size_t i = 0; i < sizeof part / sizeof *part && status == PP_OK; i++) {
        *part[i] = pp_alloc_aligned(size[i], sizeof(float));
        status = *part[i] != NULL ? PP_OK : PP_ENOMEM;
    }
    if (status != PP_OK) {
        pp_lm_token_free(t);
        return status;
    }
    *out = t;
    return PP_OK;
}

void pp_lm_token_free(pp_lm_token *t)
{
    if (t == NULL)
        return;
    float *const part[] = {t->x, t->norm, t->q, t->k, t->v, t->mix, t->o, t->gate, t->up, t->down, t->scores, t->logits};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        free(part[i]);
    free(t);
}

const float *pp_lm_token_logits(const pp_lm_token *t)
{
    return t->has_logits ? t->logits : NULL;
}

/* ---- order ---- */

static pp_status too_early(const pp_lm_token *t, uint32_t layer, pp_lm_step step, const char *missing)
{
    return pp_fail(PP_EINTERNAL, "%s of block %u, token %u of sequence %u: %s is missing", steps[step].name, layer, t->position,
                   t->sequence, missing);
}

static pp_status check(const pp_lm_exec *e, const pp_lm_token *t, uint32_t layer, pp_lm_step step)
{
    if (step == PP_LM_STEP_EMBED)
        return t->layer == PP_NONE ? PP_OK : too_early(t, 0, step, "a token that has not begun");
    if (t->layer != layer)
        return too_early(t, layer, step, "the result of the block before");
    uint32_t missing = steps[step].needs & ~t->done;
    if (step == PP_LM_STEP_ACT && e->config.gated)
        missing |= BIT(PP_LM_STEP_GATE) & ~t->done;
    for (int s = 0; s < PP_LM_STEP_COUNT; s++)
        if (missing & BIT(s))
            return too_early(t, layer, step, steps[s].name);
    if (t->done & BIT(step))
        return too_early(t, layer, step, "a first time (it fired twice)");
    return PP_OK;
}

/* ---- operators ---- */

static pp_status hook(const pp_lm_exec *e, const pp_lm_token *t, pp_lm_site site, uint32_t layer, uint32_t width, uint32_t heads,
                      float *x)
{
    const pp_lm_window w = {.row = t->row, .n = 1};
    return pp_lm_call_hook_(e, site, layer, t->sequence, &w, 0, width, heads, x);
}

/* Weights, and RoPE for positions up to this one. */
static pp_status prepare(pp_lm_exec *e, uint32_t layer, uint32_t position)
{
    if (!e->resident)
        return pp_fail(PP_EUNSUPPORTED, "%s: its weights do not stay in memory, and tokens in a pipeline need all blocks", e->config.name);
    if (e->config.position_kind == PP_LM_POSITIONS_ROPE && e->config.rope.kind == PP_LM_ROPE_DYNAMIC)
        return pp_fail(PP_EUNSUPPORTED, "%s: RoPE that depends on the length of the window cannot be decoded token by token", e->config.name);
    if (e->config.position_kind == PP_LM_POSITIONS_ROPE && e->rope.n <= position)
        PP_TRY(pp_lm_rope_table_(&e->rope, &e->config, 2 * position + 64));
    return layer < e->config.layers ? pp_lm_load_layer_(e, layer)
                                    : pp_lm_load_globals_(e, ~UINT32_C(0) & ~PP_LM_KIND_BIT(PP_LM_POSITION));
}

static pp_status embed(pp_lm_exec *e, pp_lm_token *t)
{
    const uint32_t d = e->config.hidden;
    const pp_lm_weights *g = &e->weights[e->config.layers];
    PP_TRY(pp_lm_load_globals_(e, PP_LM_KIND_BIT(PP_LM_POSITION) | PP_LM_KIND_BIT(PP_LM_EMBED)));
    if (g->data[PP_LM_POSITION] != NULL && t->position >= e->config.positions)
        return pp_fail(PP_ERANGE, "%s: token %u lies beyond the model's %u positions", e->config.name, t->position, e->config.positions);
    memcpy(t->x, g->data[PP_LM_EMBED] + (size_t)t->id * d, d * sizeof *t->x);
    for (uint32_t i = 0; g->data[PP_LM_POSITION] != NULL && i < d; i++)
        t->x[i] += g->data[PP_LM_POSITION][(size_t)t->position * d + i];
    t->layer = 0;
    t->done = 0;
    return hook(e, t, PP_LM_SITE_EMBED, 0, d, 1, t->x);
}

static pp_status matrix(const pp_lm_exec *e, const pp_lm_token *t, uint32_t layer, pp_lm_kind kind, const float *x, float *y)
{
    uint64_t out, in;
    const pp_lm_weights *w = &e->weights[pp_lm_is_global(kind) ? e->config.layers : layer];
    pp_lm_dims(&e->config, kind, &out, &in);
    if (e->hooks.products & PP_LM_KIND_BIT(kind))
        PP_TRY(e->hooks.product(e->hooks.payload, layer, kind, 0, x, 1, y));
    else
        pp_lm_product_(w->data[kind], x, 1, (uint32_t)in, (uint32_t)out, y, out);
    if (w->data[pp_lm_bias_of(kind)] != NULL)
        pp_lm_add_bias_(w->data[pp_lm_bias_of(kind)], y, 1, (uint32_t)out);
    (void)t;
    return PP_OK;
}

/* A matrix behind a norm: the norm's scalar commutes with it, so that each matrix may take it when it fires. */
static pp_status behind_norm(const pp_lm_exec *e, pp_lm_token *t, uint32_t layer, pp_lm_kind kind, pp_lm_kind norm,
                             pp_lm_kind norm_bias, pp_lm_site site, float *y)
{
    const pp_lm_weights *w = &e->weights[layer];
    pp_lm_norm_(&e->config, w->data[norm], w->data[norm_bias], t->x, 1, e->config.hidden, t->norm);
    PP_TRY(hook(e, t, site, layer, e->config.hidden, 1, t->norm));
    return matrix(e, t, layer, kind, t->norm, y);
}

static void rotate(const pp_lm_exec *e, pp_lm_token *t, uint32_t layer)
{
    const pp_lm_config *c = &e->config;
    const pp_lm_weights *w = &e->weights[layer];
    if (c->qk_norm) {
        pp_lm_rms_norm_(c->norm_eps, w->data[PP_LM_Q_NORM], t->q, c->heads, c->head_dim, t->q);
        pp_lm_rms_norm_(c->norm_eps, w->data[PP_LM_K_NORM], t->k, c->kv_heads, c->head_dim, t->k);
    }
    if (c->position_kind != PP_LM_POSITIONS_ROPE)
        return;
    const size_t at = (size_t)t->position * e->rope.half;
    const pp_lm_rope_table here = {1, e->rope.half, e->rope.cos + at, e->rope.sin + at};
    pp_lm_rope_apply_(&here, c, t->q, 1, c->heads);
    pp_lm_rope_apply_(&here, c, t->k, 1, c->kv_heads);
}

static uint8_t *code_at(const pp_lm_cache *x, uint32_t layer, int values, uint32_t position)
{
    return x->code + ((2 * (size_t)layer + (size_t)values) * x->room + position) * x->codec.bytes;
}

/* Codes of the token to those before it; all of them as values, which attention reads. */
static void cache_codes(pp_lm_cache *x, const pp_lm_token *t, uint32_t layer)
{
    x->codec.encode(x->codec.payload, t->k, code_at(x, layer, 0, t->position));
    x->codec.encode(x->codec.payload, t->v, code_at(x, layer, 1, t->position));
    for (uint32_t p = 0; p <= t->position; p++) {
        x->codec.decode(x->codec.payload, code_at(x, layer, 0, p), x->k + p * x->width);
        x->codec.decode(x->codec.payload, code_at(x, layer, 1, p), x->v + p * x->width);
    }
}

static pp_status cache(pp_lm_cache *x, const pp_lm_token *t, uint32_t layer)
{
    if (x->n[layer] != t->position)
        return too_early(t, layer, PP_LM_STEP_ATTENTION, "a token before it in the cache");
    if (x->n[layer] == x->room)
        return pp_fail(PP_ERANGE, "sequence %u has more than the %u tokens that its cache holds", t->sequence, x->room);
    x->n[layer]++;
    if (x->codec.bytes > 0) {
        cache_codes(x, t, layer);
        return PP_OK;
    }
    const size_t at = ((size_t)layer * x->room + t->position) * x->width;
    memcpy(x->k + at, t->k, x->width * sizeof *x->k);
    memcpy(x->v + at, t->v, x->width * sizeof *x->v);
    return PP_OK;
}

static pp_status attention(const pp_lm_exec *e, pp_lm_token *t, pp_lm_cache *x, uint32_t layer)
{
    const pp_lm_config *c = &e->config;
    const uint32_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    rotate(e, t, layer);
    PP_TRY(hook(e, t, PP_LM_SITE_Q, layer, q, c->heads, t->q));
    PP_TRY(hook(e, t, PP_LM_SITE_K, layer, kv, c->kv_heads, t->k));
    PP_TRY(hook(e, t, PP_LM_SITE_V, layer, kv, c->kv_heads, t->v));
    if (x->codec.bytes == 0) {
        PP_TRY(hook(e, t, PP_LM_SITE_K_CACHE, layer, kv, c->kv_heads, t->k));
        PP_TRY(hook(e, t, PP_LM_SITE_V_CACHE, layer, kv, c->kv_heads, t->v));
    }
    PP_TRY(cache(x, t, layer));
    const size_t at = x->codec.bytes > 0 ? 0 : (size_t)layer * x->room * x->width;
    pp_lm_attention_of_(c, e->simd, pp_lm_layer_window_(c, layer), t->position, 1, t->q, x->k + at, x->v + at, t->scores, t->mix);
    return PP_OK;
}

static void add(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static pp_status head(const pp_lm_exec *e, pp_lm_token *t)
{
    const pp_lm_config *c = &e->config;
    const pp_lm_weights *g = &e->weights[c->layers];
    pp_lm_norm_(c, g->data[PP_LM_FINAL_NORM], g->data[PP_LM_FINAL_NORM_BIAS], t->x, 1, c->hidden, t->norm);
    PP_TRY(hook(e, t, PP_LM_SITE_HEAD_IN, c->layers, c->hidden, 1, t->norm));
    PP_TRY(pp_lm_head_row_(e, t->norm, t->logits));
    t->has_logits = true;
    return PP_OK;
}

static pp_status operate(pp_lm_exec *e, pp_lm_token *t, pp_lm_cache *x, uint32_t layer, pp_lm_step step)
{
    const pp_lm_config *c = &e->config;
    switch (step) {
    case PP_LM_STEP_Q:
        return behind_norm(e, t, layer, PP_LM_Q, PP_LM_ATTN_NORM, PP_LM_ATTN_NORM_BIAS, PP_LM_SITE_ATTN_IN, t->q);
    case PP_LM_STEP_K:
        return behind_norm(e, t, layer, PP_LM_K, PP_LM_ATTN_NORM, PP_LM_ATTN_NORM_BIAS, PP_LM_SITE_ATTN_IN, t->k);
    case PP_LM_STEP_V:
        return behind_norm(e, t, layer, PP_LM_V, PP_LM_ATTN_NORM, PP_LM_ATTN_NORM_BIAS, PP_LM_SITE_ATTN_IN, t->v);
    case PP_LM_STEP_ATTENTION:
        return attention(e, t, x, layer);
    case PP_LM_STEP_O:
        PP_TRY(hook(e, t, PP_LM_SITE_O_IN, layer, c->heads * c->head_dim, c->heads, t->mix));
        return matrix(e, t, layer, PP_LM_O, t->mix, t->o);
    case PP_LM_STEP_ATTN_ADD:
        add(t->x, t->o, c->hidden);
        return PP_OK;
    case PP_LM_STEP_GATE:
        return behind_norm(e, t, layer, PP_LM_GATE, PP_LM_FFN_NORM, PP_LM_FFN_NORM_BIAS, PP_LM_SITE_FFN_IN, t->gate);
    case PP_LM_STEP_UP:
        return behind_norm(e, t, layer, PP_LM_UP, PP_LM_FFN_NORM, PP_LM_FFN_NORM_BIAS, PP_LM_SITE_FFN_IN, t->up);
    case PP_LM_STEP_ACT:
        e->simd->activate(c->act, c->gated ? t->gate : NULL, t->up, c->ffn);
        return PP_OK;
    case PP_LM_STEP_DOWN:
        PP_TRY(hook(e, t, PP_LM_SITE_DOWN_IN, layer, c->ffn, 1, t->up));
        return matrix(e, t, layer, PP_LM_DOWN, t->up, t->down);
    case PP_LM_STEP_FFN_ADD:
        add(t->x, t->down, c->hidden);
        return hook(e, t, PP_LM_SITE_RESIDUAL, layer, c->hidden, 1, t->x);
    default:
        return head(e, t);
    }
}

pp_status pp_lm_token_step(pp_lm_exec *e, pp_lm_token *t, pp_lm_cache *x, uint32_t layer, pp_lm_step step)
{
    layer = step == PP_LM_STEP_HEAD ? e->config.layers : step == PP_LM_STEP_EMBED ? 0 : layer;
    PP_TRY(check(e, t, layer, step));
    if (step == PP_LM_STEP_EMBED)
        return embed(e, t);
    PP_TRY(prepare(e, layer, t->position));
    PP_TRY(operate(e, t, x, layer, step));
    t->done |= BIT(step);
    if (step == PP_LM_STEP_FFN_ADD) {
        t->layer++;
        t->done = 0;
    }
    return PP_OK;
}
