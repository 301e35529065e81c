/* Small random language models on disk: values keyed by (layer, kind), exact in every float type. */
#ifndef PP_TEST_LM_MODELS_H
#define PP_TEST_LM_MODELS_H

#include "test_workloads.h"

#include "workloads/lm.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

/* k / 64 times a power of two, |k| < 128: 7 bits of fraction. Matrices come out with a spread of about
 * 1 / sqrt(columns), norms near 1. */
static inline pp_status random_load(void *payload, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n,
                                    float *out)
{
    const pp_lm_config *c = payload;
    uint64_t rows, cols;
    if (kind == PP_LM_HEAD && c->tied)
        kind = PP_LM_EMBED;
    if (pp_lm_is_global(kind))
        layer = 1000;
    assert_true(pp_lm_dims(c, kind, &rows, &cols));
    const bool norm = kind == PP_LM_ATTN_NORM || kind == PP_LM_FFN_NORM || kind == PP_LM_FINAL_NORM ||
                      kind == PP_LM_Q_NORM || kind == PP_LM_K_NORM;
    const int power = rows == 1 ? -2 : -(int)lround(log2(sqrt((double)cols)));
    pp_rng rng = pp_rng_make(5, layer * 64 + (uint64_t)kind);
    for (uint64_t i = 0; i < (first + n) * cols; i++) {
        const int k = (int)pp_rng_below(&rng, 255) - 127;
        if (i >= first * cols)
            out[i - first * cols] = norm ? (float)(64 + k / 4) / 64 : ldexpf((float)k / 64, power);
    }
    return PP_OK;
}

typedef struct lm_tensors {
    size_t n;
    char *name[256];
    pp_tensor tensor[256];
    void *data[256];
} lm_tensors;

static inline void lm_tensors_free(lm_tensors *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->name[i]);
        free(t->data[i]);
    }
    t->n = 0;
}

static inline uint16_t to_f16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u, exponent = bits >> 23 & 0xffu;
    if (exponent == 0)
        return (uint16_t)sign;
    assert_true(exponent > 112 && exponent < 143 && (bits & 0x1fff) == 0);
    return (uint16_t)(sign | (exponent - 112) << 10 | (bits & 0x7fffff) >> 13);
}

static inline uint16_t to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    assert_true((bits & 0xffff) == 0);
    return (uint16_t)(bits >> 16);
}

/* Takes x[rows][cols]; vectors have rows 1. */
static inline void lm_add(lm_tensors *t, pp_dtype dtype, char *name, const float *x, uint64_t rows, uint64_t cols,
                          bool vector)
{
    assert_true(t->n < 256);
    uint8_t *data = malloc(rows * cols * pp_dtype_size(dtype));
    assert_non_null(data);
    for (uint64_t i = 0; i < rows * cols; i++) {
        const uint16_t half = dtype == PP_DTYPE_F16 ? to_f16(x[i]) : dtype == PP_DTYPE_BF16 ? to_bf16(x[i]) : 0;
        if (dtype == PP_DTYPE_F32)
            memcpy(data + 4 * i, &x[i], 4);
        else
            memcpy(data + 2 * i, &half, 2);
    }
    t->name[t->n] = name;
    t->data[t->n] = data;
    t->tensor[t->n] = (pp_tensor){.dtype = dtype, .ndim = vector ? 1 : 2, .dim = {vector ? cols : rows, cols},
                                  .data = data};
    t->n++;
}

static inline float *lm_values(const pp_lm_config *c, uint32_t layer, pp_lm_kind kind)
{
    uint64_t rows, cols;
    assert_true(pp_lm_dims(c, kind, &rows, &cols));
    float *x = malloc(rows * cols * sizeof *x);
    assert_non_null(x);
    assert_ok(random_load((void *)(uintptr_t)c, layer, kind, 0, rows, x));
    return x;
}

static inline void lm_add_llama(lm_tensors *t, const pp_lm_config *c, pp_dtype dtype, const char *prefix,
                                uint32_t layer, pp_lm_kind kind, const char *name)
{
    uint64_t rows, cols;
    if (!pp_lm_dims(c, kind, &rows, &cols) || (kind == PP_LM_HEAD && c->tied))
        return;
    float *x = lm_values(c, layer, kind);
    char *full = kind == PP_LM_HEAD     ? pp_strf("%s", name)
                 : pp_lm_is_global(kind) ? pp_strf("%s%s", prefix, name)
                                         : pp_strf("%slayers.%u.%s", prefix, layer, name);
    lm_add(t, dtype, full, x, rows, cols, !pp_lm_is_linear(kind) && kind != PP_LM_EMBED);
    free(x);
}

static inline void lm_llama_tensors(lm_tensors *t, const pp_lm_config *c, pp_dtype dtype, const char *prefix)
{
    static const struct {
        pp_lm_kind kind;
        const char *name;
    } names[] = {
        {PP_LM_ATTN_NORM, "input_layernorm.weight"}, {PP_LM_Q, "self_attn.q_proj.weight"},
        {PP_LM_K, "self_attn.k_proj.weight"},        {PP_LM_V, "self_attn.v_proj.weight"},
        {PP_LM_O, "self_attn.o_proj.weight"},        {PP_LM_Q_BIAS, "self_attn.q_proj.bias"},
        {PP_LM_K_BIAS, "self_attn.k_proj.bias"},     {PP_LM_V_BIAS, "self_attn.v_proj.bias"},
        {PP_LM_O_BIAS, "self_attn.o_proj.bias"},     {PP_LM_Q_NORM, "self_attn.q_norm.weight"},
        {PP_LM_K_NORM, "self_attn.k_norm.weight"},   {PP_LM_FFN_NORM, "post_attention_layernorm.weight"},
        {PP_LM_GATE, "mlp.gate_proj.weight"},        {PP_LM_UP, "mlp.up_proj.weight"},
        {PP_LM_DOWN, "mlp.down_proj.weight"},        {PP_LM_GATE_BIAS, "mlp.gate_proj.bias"},
        {PP_LM_UP_BIAS, "mlp.up_proj.bias"},         {PP_LM_DOWN_BIAS, "mlp.down_proj.bias"},
        {PP_LM_EMBED, "embed_tokens.weight"},        {PP_LM_FINAL_NORM, "norm.weight"},
        {PP_LM_HEAD, "lm_head.weight"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (uint32_t l = 0; l < (pp_lm_is_global(names[i].kind) ? 1 : c->layers); l++)
            lm_add_llama(t, c, dtype, prefix, l, names[i].kind, names[i].name);
}

/* ---- GPT-2: matrices [in][out], q k v side by side ---- */

static inline void lm_add_conv1d(lm_tensors *t, const pp_lm_config *c, pp_dtype dtype, uint32_t layer,
                                 const pp_lm_kind *kinds, size_t n, const char *name)
{
    uint64_t rows, cols, all;
    pp_lm_dims(c, kinds[0], &rows, &cols);
    all = rows * n;
    float *y = malloc(cols * all * sizeof *y), *z = malloc(all * sizeof *z);
    assert_non_null(y);
    assert_non_null(z);
    for (size_t p = 0; p < n; p++) {
        float *x = lm_values(c, layer, kinds[p]), *b = lm_values(c, layer, pp_lm_bias_of(kinds[p]));
        for (uint64_t i = 0; i < cols; i++)
            for (uint64_t o = 0; o < rows; o++)
                y[i * all + p * rows + o] = x[o * cols + i];
        memcpy(z + p * rows, b, rows * sizeof *z);
        free(x);
        free(b);
    }
    lm_add(t, dtype, pp_strf("transformer.h.%u.%s.weight", layer, name), y, cols, all, false);
    lm_add(t, dtype, pp_strf("transformer.h.%u.%s.bias", layer, name), z, 1, all, true);
    free(y);
    free(z);
}

static inline void lm_add_gpt2(lm_tensors *t, const pp_lm_config *c, pp_dtype dtype, uint32_t layer, pp_lm_kind kind,
                               char *name, bool vector)
{
    uint64_t rows, cols;
    pp_lm_dims(c, kind, &rows, &cols);
    float *x = lm_values(c, layer, kind);
    lm_add(t, dtype, name, x, rows, cols, vector);
    free(x);
}

static inline void lm_gpt2_tensors(lm_tensors *t, const pp_lm_config *c, pp_dtype dtype)
{
    static const pp_lm_kind qkv[] = {PP_LM_Q, PP_LM_K, PP_LM_V}, o[] = {PP_LM_O}, up[] = {PP_LM_UP}, down[] = {PP_LM_DOWN};
    lm_add_gpt2(t, c, dtype, 0, PP_LM_EMBED, pp_strf("transformer.wte.weight"), false);
    lm_add_gpt2(t, c, dtype, 0, PP_LM_POSITION, pp_strf("transformer.wpe.weight"), false);
    lm_add_gpt2(t, c, dtype, 0, PP_LM_FINAL_NORM, pp_strf("transformer.ln_f.weight"), true);
    lm_add_gpt2(t, c, dtype, 0, PP_LM_FINAL_NORM_BIAS, pp_strf("transformer.ln_f.bias"), true);
    for (uint32_t l = 0; l < c->layers; l++) {
        lm_add_gpt2(t, c, dtype, l, PP_LM_ATTN_NORM, pp_strf("transformer.h.%u.ln_1.weight", l), true);
        lm_add_gpt2(t, c, dtype, l, PP_LM_ATTN_NORM_BIAS, pp_strf("transformer.h.%u.ln_1.bias", l), true);
        lm_add_gpt2(t, c, dtype, l, PP_LM_FFN_NORM, pp_strf("transformer.h.%u.ln_2.weight", l), true);
        lm_add_gpt2(t, c, dtype, l, PP_LM_FFN_NORM_BIAS, pp_strf("transformer.h.%u.ln_2.bias", l), true);
        lm_add_conv1d(t, c, dtype, l, qkv, 3, "attn.c_attn");
        lm_add_conv1d(t, c, dtype, l, o, 1, "attn.c_proj");
        lm_add_conv1d(t, c, dtype, l, up, 1, "mlp.c_fc");
        lm_add_conv1d(t, c, dtype, l, down, 1, "mlp.c_proj");
    }
}

/* ---- config.json ---- */

static inline const char *lm_act_name(pp_lm_act act)
{
    static const char *const names[] = {"silu", "gelu", "gelu_new", "relu"};
    return names[act];
}

/* `more`: further lines of the map, each ended by a comma. */
static inline char *lm_llama_json(const pp_lm_config *c, const char *more)
{
    return pp_strf("{\"architectures\":[\"X\"],%s\"model_type\":\"%s\",\"hidden_size\":%u,\"intermediate_size\":%u,"
                   "\"num_hidden_layers\":%u,\"num_attention_heads\":%u,\"num_key_value_heads\":%u,\"head_dim\":%u,"
                   "\"vocab_size\":%u,\"max_position_embeddings\":%u,\"rms_norm_eps\":%g,\"rope_theta\":%g,"
                   "\"hidden_act\":\"%s\",\"tie_word_embeddings\":%s}\n",
                   more, c->model_type, c->hidden, c->ffn, c->layers, c->heads, c->kv_heads, c->head_dim, c->vocab,
                   c->positions, c->norm_eps, c->rope.theta, lm_act_name(c->act), c->tied ? "true" : "false");
}

static inline char *lm_gpt2_json(const pp_lm_config *c)
{
    return pp_strf("{\"model_type\":\"gpt2\",\"n_embd\":%u,\"n_layer\":%u,\"n_head\":%u,\"n_positions\":%u,"
                   "\"n_inner\":%u,\"vocab_size\":%u,\"layer_norm_epsilon\":%g,\"activation_function\":\"%s\"}\n",
                   c->hidden, c->layers, c->heads, c->positions, c->ffn, c->vocab, c->norm_eps, lm_act_name(c->act));
}

/* ---- folders ---- */

static inline void write_in(const char *folder, const char *name, const char *text)
{
    char *path = pp_path_join(folder, name);
    write_file(path, text, strlen(text));
    free(path);
}

static inline void remove_in(const char *folder, const char *name)
{
    char *path = pp_path_join(folder, name);
    remove(path);
    free(path);
}

/* Tensors dealt out to `shards` files; 1: model.safetensors without an index. */
static inline void lm_write(const char *folder, const char *config, const lm_tensors *t, size_t shards)
{
    char *index = pp_strf("{\"metadata\":{},\"weight_map\":{");
    (void)mkdir(folder, 0777);
    remove_in(folder, "model.safetensors.index.json");
    remove_in(folder, "model.safetensors");
    write_in(folder, "config.json", config);
    for (size_t s = 0; s < shards; s++) {
        const char *names[256];
        pp_tensor tensors[256];
        size_t n = 0;
        char *file = shards == 1 ? pp_strf("model.safetensors") : pp_strf("model-%zu.safetensors", s);
        for (size_t i = s; i < t->n; i += shards) {
            char *longer = pp_strf("%s%s\"%s\":\"%s\"", index, i == 0 ? "" : ",", t->name[i], file);
            names[n] = t->name[i];
            tensors[n++] = t->tensor[i];
            free(index);
            index = longer;
        }
        char *path = pp_path_join(folder, file);
        assert_ok(pp_safetensors_write(path, names, tensors, n, NULL, 0, true));
        free(path);
        free(file);
    }
    if (shards > 1) {
        char *all = pp_strf("%s}}\n", index);
        write_in(folder, "model.safetensors.index.json", all);
        free(all);
    }
    free(index);
}

/* ---- configurations ---- */

static inline pp_lm_config small_llama(const char *type)
{
    pp_lm_config c = {.layers = 2, .hidden = 24, .ffn = 40, .heads = 4, .kv_heads = 2, .head_dim = 6, .vocab = 19,
                      .positions = 128, .norm_eps = 1e-5, .gated = true, .causal = true,
                      .rope = {.theta = 10000, .rotary_dim = 6, .factor = 1, .attention_factor = 1}};
    snprintf(c.model_type, sizeof c.model_type, "%s", type);
    snprintf(c.name, sizeof c.name, "small");
    return c;
}

static inline pp_lm_config small_gpt2(void)
{
    pp_lm_config c = small_llama("gpt2");
    c.kv_heads = c.heads;
    c.norm = PP_LM_NORM_LAYER;
    c.act = PP_LM_ACT_GELU_TANH;
    c.gated = false;
    c.tied = true;
    c.position_kind = PP_LM_POSITIONS_LEARNED;
    c.ffn = 96;
    c.biases = PP_LM_KIND_BIT(PP_LM_Q_BIAS) | PP_LM_KIND_BIT(PP_LM_K_BIAS) | PP_LM_KIND_BIT(PP_LM_V_BIAS) |
               PP_LM_KIND_BIT(PP_LM_O_BIAS) | PP_LM_KIND_BIT(PP_LM_UP_BIAS) | PP_LM_KIND_BIT(PP_LM_DOWN_BIAS);
    return c;
}

#endif
