/* Shapes of published language models, from their config.json or paper. */
#include "workloads/lm_internal.h"

#include <stdio.h>
#include <string.h>

#define BIT(kind) PP_LM_KIND_BIT(kind)
#define QKV (BIT(PP_LM_Q_BIAS) | BIT(PP_LM_K_BIAS) | BIT(PP_LM_V_BIAS))
#define ALL (QKV | BIT(PP_LM_O_BIAS) | BIT(PP_LM_UP_BIAS) | BIT(PP_LM_DOWN_BIAS))

/* A decoder of the Llama family. */
#define LLAMA(label, type, text, n, d, f, h, kv, hd, v, p, eps, base)                                                  \
    .summary = text,                                                                                                   \
    .config = {.name = label, .model_type = type, .layers = n, .hidden = d, .ffn = f, .heads = h, .kv_heads = kv,      \
               .head_dim = hd, .vocab = v, .positions = p, .norm_eps = eps, .gated = true, .causal = true,             \
               .rope.theta = base, .rope.rotary_dim = hd, .rope.attention_factor = 1

/* Rope of Llama 3.2. */
#define LLAMA32                                                                                                        \
    .rope.kind = PP_LM_ROPE_LLAMA3, .rope.factor = 32, .rope.low_freq_factor = 1, .rope.high_freq_factor = 4,          \
    .rope.original_positions = 8192, .tied = true

static const struct {
    const char *summary;
    pp_lm_config config;
} shapes[] = {
    {LLAMA("llama2-7b", "llama", "Llama 2 7B", 32, 4096, 11008, 32, 32, 128, 32000, 4096, 1e-5, 1e4)}},
    {LLAMA("llama2-13b", "llama", "Llama 2 13B", 40, 5120, 13824, 40, 40, 128, 32000, 4096, 1e-5, 1e4)}},
    {LLAMA("llama2-70b", "llama", "Llama 2 70B", 80, 8192, 28672, 64, 8, 128, 32000, 4096, 1e-5, 1e4)}},
    {LLAMA("llama3.2-1b", "llama", "Llama 3.2 1B, tied embedding", 16, 2048, 8192, 32, 8, 64, 128256, 131072, 1e-5,
           5e5), LLAMA32}},
    {LLAMA("llama3.2-3b", "llama", "Llama 3.2 3B, tied embedding", 28, 3072, 8192, 24, 8, 128, 128256, 131072, 1e-5,
           5e5), LLAMA32}},
    {LLAMA("llama3-8b", "llama", "Llama 3 8B", 32, 4096, 14336, 32, 8, 128, 128256, 8192, 1e-5, 5e5)}},
    {LLAMA("llama3-70b", "llama", "Llama 3 70B", 80, 8192, 28672, 64, 8, 128, 128256, 8192, 1e-5, 5e5)}},
    {LLAMA("mistral-7b", "mistral", "Mistral 7B v0.1, sliding window of 4,096", 32, 4096, 14336, 32, 8, 128, 32000,
           32768, 1e-5, 1e4), .window = 4096}},
    {LLAMA("qwen2.5-7b", "qwen2", "Qwen 2.5 7B, biases of q, k, v", 28, 3584, 18944, 28, 4, 128, 152064, 131072, 1e-6,
           1e6), .biases = QKV}},
    {LLAMA("mixtral-8x7b", "mixtral", "Mixtral 8x7B, two of eight experts a token", 32, 4096, 14336, 32, 8, 128, 32000,
           32768, 1e-5, 1e6), .experts = 8, .experts_per_token = 2}},
    {"GPT-2, 124 M parameters",
     {.name = "gpt2", .model_type = "gpt2", .layers = 12, .hidden = 768, .ffn = 3072, .heads = 12, .kv_heads = 12,
      .head_dim = 64, .vocab = 50257, .positions = 1024, .norm = PP_LM_NORM_LAYER, .norm_eps = 1e-5,
      .act = PP_LM_ACT_GELU_TANH, .causal = true, .tied = true, .position_kind = PP_LM_POSITIONS_LEARNED,
      .biases = ALL}},
    {"BERT base, encoder",
     {.name = "bert-base", .model_type = "bert", .layers = 12, .hidden = 768, .ffn = 3072, .heads = 12, .kv_heads = 12,
      .head_dim = 64, .vocab = 30522, .positions = 512, .norm = PP_LM_NORM_LAYER, .norm_eps = 1e-12,
      .act = PP_LM_ACT_GELU, .position_kind = PP_LM_POSITIONS_LEARNED, .biases = ALL,
      .other_parameters = 2 * 768 + 768 * 768 + 768, .pooler = true}}, /* token types, pooler */
    {"ViT-B/16, encoder of 14 x 14 patches and a class token",
     {.name = "vit-b16", .model_type = "vit", .layers = 12, .hidden = 768, .ffn = 3072, .heads = 12, .kv_heads = 12,
      .head_dim = 64, .positions = 197, .norm = PP_LM_NORM_LAYER, .norm_eps = 1e-6, .act = PP_LM_ACT_GELU,
      .position_kind = PP_LM_POSITIONS_LEARNED, .biases = ALL,
      .other_parameters = 768 * (3 * 16 * 16 + 1) + 768 + 1000 * 768 + 1000, .patch_values = 3 * 16 * 16,
      .classes = 1000}}, /* patches, class token, classifier */
};
#define N_SHAPES (sizeof shapes / sizeof *shapes)

const char *pp_lm_shape_name(size_t i, const char **summary)
{
    if (i >= N_SHAPES)
        return NULL;
    if (summary)
        *summary = shapes[i].summary;
    return shapes[i].config.name;
}

pp_status pp_lm_shape(pp_lm_config *out, const char *name)
{
    const char *names[N_SHAPES];
    for (size_t i = 0; i < N_SHAPES; i++) {
        names[i] = shapes[i].config.name;
        if (strcmp(names[i], name) == 0) {
            *out = shapes[i].config;
            if (out->rope.factor < 1)
                out->rope.factor = 1;
            return PP_OK;
        }
    }
    const char *near = pp_nearest(name, names, N_SHAPES);
    if (near)
        return pp_fail(PP_ENOTFOUND, "language model '%s' is not known; did you mean '%s'?", name, near);
    return pp_fail(PP_ENOTFOUND, "language model '%s' is not known; `pentaprism model list` shows those that are", name);
}
