/* Shapes of published language models: what their config.json says. */
#include "workloads/lm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The keys that matter of each config.json, as YAML; macros for those that a family shares, in the order layers, hidden,
 * feed-forward, heads. */
#define SIZES(type, n, d, f, h, v, p)                                                                                  \
    "model_type: " type ", num_hidden_layers: " #n ", hidden_size: " #d ", intermediate_size: " #f                     \
    ", num_attention_heads: " #h ", vocab_size: " #v ", max_position_embeddings: " #p
#define GROUPED(type, n, d, f, h, kv, v, p) SIZES(type, n, d, f, h, v, p) ", num_key_value_heads: " #kv
#define LLAMA3_ROPE(factor)                                                                                            \
    ", rope_theta: 500000, rope_scaling: {rope_type: llama3, low_freq_factor: 1, high_freq_factor: 4, "                \
    "original_max_position_embeddings: 8192, factor: " #factor "}"
#define GPT2(n, d, h) "model_type: gpt2, vocab_size: 50257, n_positions: 1024, n_layer: " #n ", n_embd: " #d ", n_head: " #h
#define OPT(n, d, f, h)                                                                                                \
    "model_type: opt, vocab_size: 50272, max_position_embeddings: 2048, num_hidden_layers: " #n ", hidden_size: " #d   \
    ", ffn_dim: " #f ", num_attention_heads: " #h
#define BLOOM(n, d, h) "model_type: bloom, vocab_size: 250880, n_layer: " #n ", hidden_size: " #d ", n_head: " #h
#define VISION(type, top, n, d, f, h, patch)                                                                           \
    "model_type: " type ", architectures: [" top "], num_labels: 1000, image_size: 224, layer_norm_eps: 1e-6, "        \
    "num_hidden_layers: " #n ", hidden_size: " #d ", intermediate_size: " #f ", num_attention_heads: " #h              \
    ", patch_size: " #patch
#define VIT(n, d, f, h, patch) VISION("vit", "ViTForImageClassification", n, d, f, h, patch)
#define EPS5 ", rms_norm_eps: 1e-5"
#define EPS6 ", rms_norm_eps: 1e-6"
#define TIED ", tie_word_embeddings: true"
#define ROPE_1M ", rope_theta: 1000000"

static const struct {
    const char *name, *summary, *config;
} shapes[] = {
    {"llama2-7b", "Llama 2 7B", GROUPED("llama", 32, 4096, 11008, 32, 32, 32000, 4096) EPS5},
    {"llama2-13b", "Llama 2 13B", GROUPED("llama", 40, 5120, 13824, 40, 40, 32000, 4096) EPS5},
    {"llama2-70b", "Llama 2 70B", GROUPED("llama", 80, 8192, 28672, 64, 8, 32000, 4096) EPS5},
    {"llama3-8b", "Llama 3 8B", GROUPED("llama", 32, 4096, 14336, 32, 8, 128256, 8192) EPS5 ", rope_theta: 500000"},
    {"llama3-70b", "Llama 3 70B", GROUPED("llama", 80, 8192, 28672, 64, 8, 128256, 8192) EPS5 ", rope_theta: 500000"},
    {"llama3.1-8b", "Llama 3.1 8B", GROUPED("llama", 32, 4096, 14336, 32, 8, 128256, 131072) EPS5 LLAMA3_ROPE(8)},
    {"llama3.1-70b", "Llama 3.1 70B", GROUPED("llama", 80, 8192, 28672, 64, 8, 128256, 131072) EPS5 LLAMA3_ROPE(8)},
    {"llama3.1-405b", "Llama 3.1 405B",
     GROUPED("llama", 126, 16384, 53248, 128, 8, 128256, 131072) EPS5 LLAMA3_ROPE(8)},
    {"llama3.2-1b", "Llama 3.2 1B, tied embedding",
     GROUPED("llama", 16, 2048, 8192, 32, 8, 128256, 131072) EPS5 TIED LLAMA3_ROPE(32)},
    {"llama3.2-3b", "Llama 3.2 3B, tied embedding",
     GROUPED("llama", 28, 3072, 8192, 24, 8, 128256, 131072) EPS5 TIED LLAMA3_ROPE(32)},
    {"tinyllama-1.1b", "TinyLlama 1.1B", GROUPED("llama", 22, 2048, 5632, 32, 4, 32000, 2048) EPS5},
    {"smollm2-135m", "SmolLM2 135M, tied embedding",
     GROUPED("llama", 30, 576, 1536, 9, 3, 49152, 8192) EPS5 TIED ", rope_theta: 100000"},
    {"smollm2-360m", "SmolLM2 360M, tied embedding",
     GROUPED("llama", 32, 960, 2560, 15, 5, 49152, 8192) EPS5 TIED ", rope_theta: 100000"},
    {"smollm2-1.7b", "SmolLM2 1.7B, tied embedding",
     GROUPED("llama", 24, 2048, 8192, 32, 32, 49152, 8192) EPS5 TIED ", rope_theta: 130000"},
    {"mistral-7b", "Mistral 7B v0.1, sliding window of 4,096",
     GROUPED("mistral", 32, 4096, 14336, 32, 8, 32000, 32768) EPS5 ", sliding_window: 4096"},
    {"mistral-nemo-12b", "Mistral NeMo 12B, heads of 128",
     GROUPED("mistral", 40, 5120, 14336, 32, 8, 131072, 131072) EPS5 ROPE_1M ", head_dim: 128, sliding_window: null"},
    {"mixtral-8x7b", "Mixtral 8x7B, two of eight experts a token",
     GROUPED("mixtral", 32, 4096, 14336, 32, 8, 32000, 32768)
     EPS5 ROPE_1M ", num_local_experts: 8, num_experts_per_tok: 2"},
    {"mixtral-8x22b", "Mixtral 8x22B, two of eight experts a token",
     GROUPED("mixtral", 56, 6144, 16384, 48, 8, 32000, 65536)
     EPS5 ROPE_1M ", num_local_experts: 8, num_experts_per_tok: 2"},
    {"qwen2.5-0.5b", "Qwen 2.5 0.5B, biases of q, k, v",
     GROUPED("qwen2", 24, 896, 4864, 14, 2, 151936, 32768) EPS6 TIED ROPE_1M},
    {"qwen2.5-1.5b", "Qwen 2.5 1.5B, biases of q, k, v",
     GROUPED("qwen2", 28, 1536, 8960, 12, 2, 151936, 131072) EPS6 TIED ROPE_1M},
    {"qwen2.5-3b", "Qwen 2.5 3B, biases of q, k, v",
     GROUPED("qwen2", 36, 2048, 11008, 16, 2, 151936, 32768) EPS6 TIED ROPE_1M},
    {"qwen2.5-7b", "Qwen 2.5 7B, biases of q, k, v",
     GROUPED("qwen2", 28, 3584, 18944, 28, 4, 152064, 131072) EPS6 ROPE_1M},
    {"qwen2.5-14b", "Qwen 2.5 14B, biases of q, k, v",
     GROUPED("qwen2", 48, 5120, 13824, 40, 8, 152064, 131072) EPS6 ROPE_1M},
    {"qwen2.5-32b", "Qwen 2.5 32B, biases of q, k, v",
     GROUPED("qwen2", 64, 5120, 27648, 40, 8, 152064, 131072) EPS6 ROPE_1M},
    {"qwen2.5-72b", "Qwen 2.5 72B, biases of q, k, v",
     GROUPED("qwen2", 80, 8192, 29568, 64, 8, 152064, 131072) EPS6 ROPE_1M},
    {"qwen3-0.6b", "Qwen 3 0.6B, norms of heads",
     GROUPED("qwen3", 28, 1024, 3072, 16, 8, 151936, 40960) EPS6 TIED ROPE_1M ", head_dim: 128"},
    {"qwen3-1.7b", "Qwen 3 1.7B, norms of heads",
     GROUPED("qwen3", 28, 2048, 6144, 16, 8, 151936, 40960) EPS6 TIED ROPE_1M ", head_dim: 128"},
    {"qwen3-4b", "Qwen 3 4B, norms of heads",
     GROUPED("qwen3", 36, 2560, 9728, 32, 8, 151936, 40960) EPS6 TIED ROPE_1M ", head_dim: 128"},
    {"qwen3-8b", "Qwen 3 8B, norms of heads",
     GROUPED("qwen3", 36, 4096, 12288, 32, 8, 151936, 40960) EPS6 ROPE_1M ", head_dim: 128"},
    {"qwen3-14b", "Qwen 3 14B, norms of heads",
     GROUPED("qwen3", 40, 5120, 17408, 40, 8, 151936, 40960) EPS6 ROPE_1M ", head_dim: 128"},
    {"qwen3-32b", "Qwen 3 32B, norms of heads",
     GROUPED("qwen3", 64, 5120, 25600, 64, 8, 151936, 40960) EPS6 ROPE_1M ", head_dim: 128"},
    {"qwen1.5-moe-a2.7b", "Qwen 1.5 MoE, four of 60 experts a token and a shared one",
     GROUPED("qwen2_moe", 24, 2048, 5632, 16, 16, 151936, 8192)
     EPS6 ROPE_1M ", moe_intermediate_size: 1408, shared_expert_intermediate_size: 5632, num_experts: 60, num_experts_per_tok: 4"},
    {"qwen3-30b-a3b", "Qwen 3 30B-A3B, eight of 128 experts a token",
     GROUPED("qwen3_moe", 48, 2048, 6144, 32, 4, 151936, 40960)
     EPS6 ROPE_1M ", head_dim: 128, moe_intermediate_size: 768, num_experts: 128, num_experts_per_tok: 8"},
    {"olmoe-1b-7b", "OLMoE, eight of 64 experts a token",
     GROUPED("olmoe", 16, 2048, 1024, 16, 16, 50304, 4096) EPS5 ", num_experts: 64, num_experts_per_tok: 8"},
    {"olmo2-1b", "OLMo 2 1B, norms of what is added",
     GROUPED("olmo2", 16, 2048, 8192, 16, 16, 100352, 4096) EPS6 ", rope_theta: 500000"},
    {"olmo2-7b", "OLMo 2 7B, norms of what is added",
     GROUPED("olmo2", 32, 4096, 11008, 32, 32, 100352, 4096) EPS6 ", rope_theta: 500000"},
    {"olmo2-13b", "OLMo 2 13B, norms of what is added",
     GROUPED("olmo2", 40, 5120, 13824, 40, 40, 100352, 4096) EPS6 ", rope_theta: 500000"},
    {"granite3-2b", "Granite 3.0 2B, tied embedding",
     GROUPED("granite", 40, 2048, 8192, 32, 8, 49155, 4096) EPS5 TIED},
    {"phi3-mini", "Phi-3 mini, 3.8B",
     GROUPED("phi3", 32, 3072, 8192, 32, 32, 32064, 4096) EPS5 ", sliding_window: 2047"},
    {"phi3-medium", "Phi-3 medium, 14B",
     GROUPED("phi3", 40, 5120, 17920, 40, 10, 32064, 4096) EPS5 ", sliding_window: 2047"},
    {"phi4", "Phi-4, 14B",
     GROUPED("phi3", 40, 5120, 17920, 40, 10, 100352, 16384) EPS5 ", rope_theta: 250000, sliding_window: null"},
    {"phi4-mini", "Phi-4 mini, 3.8B, tied embedding",
     GROUPED("phi3", 32, 3072, 8192, 24, 8, 200064, 131072) EPS5 TIED ", partial_rotary_factor: 0.75"},
    {"gemma-2b", "Gemma 2B, one key and value head of 256",
     GROUPED("gemma", 18, 2048, 16384, 8, 1, 256000, 8192) EPS6 ", hidden_act: gelu_pytorch_tanh, head_dim: 256"},
    {"gemma-7b", "Gemma 7B",
     GROUPED("gemma", 28, 3072, 24576, 16, 16, 256000, 8192) EPS6 ", hidden_act: gelu_pytorch_tanh, head_dim: 256"},
    {"gemma2-2b", "Gemma 2 2B, every other layer with a window of 4,096",
     GROUPED("gemma2", 26, 2304, 9216, 8, 4, 256000, 8192) EPS6 ", hidden_act: gelu_pytorch_tanh, head_dim: 256"},
    {"gemma2-9b", "Gemma 2 9B, every other layer with a window of 4,096",
     GROUPED("gemma2", 42, 3584, 14336, 16, 8, 256000, 8192) EPS6 ", hidden_act: gelu_pytorch_tanh, head_dim: 256"},
    {"gemma2-27b", "Gemma 2 27B, every other layer with a window of 4,096",
     GROUPED("gemma2", 46, 4608, 36864, 32, 16, 256000, 8192) EPS6 ", hidden_act: gelu_pytorch_tanh, head_dim: 128"},
    {"gemma3-1b", "Gemma 3 1B, five of six layers with a window of 512",
     GROUPED("gemma3_text", 26, 1152, 6912, 4, 1, 262144, 32768)
     EPS6 ", hidden_act: gelu_pytorch_tanh, head_dim: 256, sliding_window: 512"},
    {"gpt2", "GPT-2, 124 M parameters", GPT2(12, 768, 12)},
    {"gpt2-medium", "GPT-2 medium, 355 M parameters", GPT2(24, 1024, 16)},
    {"gpt2-large", "GPT-2 large, 774 M parameters", GPT2(36, 1280, 20)},
    {"gpt2-xl", "GPT-2 XL, 1.6 B parameters", GPT2(48, 1600, 25)},
    {"starcoder-15b", "StarCoder 15B, one key and value head",
     "model_type: gpt_bigcode, n_layer: 40, n_embd: 6144, n_inner: 24576, n_head: 48, vocab_size: 49152, n_positions: 8192"},
    {"gpt-j-6b", "GPT-J 6B, attention and feed-forward side by side",
     "model_type: gptj, n_layer: 28, n_embd: 4096, n_head: 16, rotary_dim: 64, vocab_size: 50400, "
     "n_positions: 2048, tie_word_embeddings: false"},
    {"gpt-neox-20b", "GPT-NeoX 20B, attention and feed-forward side by side",
     SIZES("gpt_neox", 44, 6144, 24576, 64, 50432, 2048)},
    {"pythia-160m", "Pythia 160M, attention and feed-forward side by side",
     SIZES("gpt_neox", 12, 768, 3072, 12, 50304, 2048)},
    {"pythia-410m", "Pythia 410M, attention and feed-forward side by side",
     SIZES("gpt_neox", 24, 1024, 4096, 16, 50304, 2048)},
    {"pythia-1b", "Pythia 1B, attention and feed-forward side by side",
     SIZES("gpt_neox", 16, 2048, 8192, 8, 50304, 2048)},
    {"pythia-1.4b", "Pythia 1.4B, attention and feed-forward side by side",
     SIZES("gpt_neox", 24, 2048, 8192, 16, 50304, 2048)},
    {"pythia-2.8b", "Pythia 2.8B, attention and feed-forward side by side",
     SIZES("gpt_neox", 32, 2560, 10240, 32, 50304, 2048)},
    {"pythia-6.9b", "Pythia 6.9B, attention and feed-forward side by side",
     SIZES("gpt_neox", 32, 4096, 16384, 32, 50432, 2048)},
    {"pythia-12b", "Pythia 12B, attention and feed-forward side by side",
     SIZES("gpt_neox", 36, 5120, 20480, 40, 50688, 2048)},
    {"opt-125m", "OPT 125M, ReLU", OPT(12, 768, 3072, 12)},
    {"opt-1.3b", "OPT 1.3B, ReLU", OPT(24, 2048, 8192, 32)},
    {"opt-2.7b", "OPT 2.7B, ReLU", OPT(32, 2560, 10240, 32)},
    {"opt-6.7b", "OPT 6.7B, ReLU", OPT(32, 4096, 16384, 32)},
    {"opt-13b", "OPT 13B, ReLU", OPT(40, 5120, 20480, 40)},
    {"opt-30b", "OPT 30B, ReLU", OPT(48, 7168, 28672, 56)},
    {"falcon-7b", "Falcon 7B, one key and value head, attention and feed-forward side by side",
     "model_type: falcon, num_hidden_layers: 32, hidden_size: 4544, num_attention_heads: 71, "
     "vocab_size: 65024, multi_query: true, parallel_attn: true"},
    {"falcon-40b", "Falcon 40B, attention and feed-forward side by side",
     "model_type: falcon, num_hidden_layers: 60, hidden_size: 8192, num_attention_heads: 128, "
     "num_kv_heads: 8, vocab_size: 65024, new_decoder_architecture: true"},
    {"bloom-560m", "BLOOM 560M, ALiBi", BLOOM(24, 1024, 16)},
    {"bloom-1b1", "BLOOM 1B1, ALiBi", BLOOM(24, 1536, 16)},
    {"bloom-3b", "BLOOM 3B, ALiBi", BLOOM(30, 2560, 32)},
    {"bloom-7b1", "BLOOM 7B1, ALiBi", BLOOM(30, 4096, 32)},
    {"bloom-176b", "BLOOM 176B, ALiBi", BLOOM(70, 14336, 112)},
    {"mpt-7b", "MPT 7B, ALiBi, no biases",
     "model_type: mpt, n_layers: 32, d_model: 4096, n_heads: 32, vocab_size: 50432, max_seq_len: 2048, attn_config: {alibi: true}"},
    {"command-r-35b", "Command R 35B, attention and feed-forward side by side",
     SIZES("cohere", 40, 8192, 22528, 64, 256000, 131072) ", rope_theta: 8000000"},
    {"olmo-7b", "OLMo 7B, norms without parameters", SIZES("olmo", 32, 4096, 11008, 32, 50304, 2048)},
    {"phi2", "Phi-2, 2.8B, attention and feed-forward side by side",
     SIZES("phi", 32, 2560, 10240, 32, 51200, 2048) ", partial_rotary_factor: 0.4"},
    {"stablelm-3b", "StableLM 3B", SIZES("stablelm", 32, 2560, 6912, 32, 50304, 4096)},
    {"stablelm2-1.6b", "Stable LM 2 1.6B, biases of q, k, v",
     SIZES("stablelm", 24, 2048, 5632, 32, 100352, 4096) ", use_qkv_bias: true"},
    {"starcoder2-3b", "StarCoder2 3B, sliding window of 4,096",
     GROUPED("starcoder2", 30, 3072, 12288, 24, 2, 49152, 16384) ", sliding_window: 4096"},
    {"starcoder2-7b", "StarCoder2 7B, sliding window of 4,096",
     GROUPED("starcoder2", 32, 4608, 18432, 36, 4, 49152, 16384) ", sliding_window: 4096"},
    {"starcoder2-15b", "StarCoder2 15B, sliding window of 4,096",
     GROUPED("starcoder2", 40, 6144, 24576, 48, 4, 49152, 16384) ", sliding_window: 4096, tie_word_embeddings: false"},
    {"bert-base", "BERT base, encoder", SIZES("bert", 12, 768, 3072, 12, 30522, 512)},
    {"bert-large", "BERT large, encoder", SIZES("bert", 24, 1024, 4096, 16, 30522, 512)},
    {"roberta-base", "RoBERTa base, encoder",
     SIZES("roberta", 12, 768, 3072, 12, 50265, 514) ", type_vocab_size: 1, layer_norm_eps: 1e-5"},
    {"roberta-large", "RoBERTa large, encoder",
     SIZES("roberta", 24, 1024, 4096, 16, 50265, 514) ", type_vocab_size: 1, layer_norm_eps: 1e-5"},
    {"xlm-roberta-base", "XLM-RoBERTa base, encoder",
     SIZES("xlm-roberta", 12, 768, 3072, 12, 250002, 514) ", type_vocab_size: 1, layer_norm_eps: 1e-5"},
    {"xlm-roberta-large", "XLM-RoBERTa large, encoder",
     SIZES("xlm-roberta", 24, 1024, 4096, 16, 250002, 514) ", type_vocab_size: 1, layer_norm_eps: 1e-5"},
    {"camembert-base", "CamemBERT base, encoder",
     SIZES("camembert", 12, 768, 3072, 12, 32005, 514) ", type_vocab_size: 1, layer_norm_eps: 1e-5"},
    {"distilbert-base", "DistilBERT base, encoder",
     "model_type: distilbert, n_layers: 6, dim: 768, hidden_dim: 3072, n_heads: 12, vocab_size: 30522, "
     "max_position_embeddings: 512"},
    {"albert-base", "ALBERT base v2, encoder, layers share their parameters",
     SIZES("albert", 12, 768, 3072, 12, 30000, 512) ", embedding_size: 128, hidden_act: gelu_new"},
    {"vit-b16", "ViT-B/16, encoder of 14 x 14 patches and a class token", VIT(12, 768, 3072, 12, 16)},
    {"vit-b32", "ViT-B/32, encoder of 7 x 7 patches and a class token", VIT(12, 768, 3072, 12, 32)},
    {"vit-l16", "ViT-L/16, encoder of 14 x 14 patches and a class token", VIT(24, 1024, 4096, 16, 16)},
    {"vit-h14", "ViT-H/14, encoder of 16 x 16 patches and a class token", VIT(32, 1280, 5120, 16, 14)},
    {"dinov2-base", "DINOv2 base, encoder of 37 x 37 patches and a class token",
     "model_type: dinov2, num_hidden_layers: 12, hidden_size: 768, num_attention_heads: 12, image_size: 518, patch_size: 14"},
    {"deit-tiny", "DeiT-Ti/16, encoder of 14 x 14 patches and a class token", VIT(12, 192, 768, 3, 16)},
    {"deit-small", "DeiT-S/16, encoder of 14 x 14 patches and a class token", VIT(12, 384, 1536, 6, 16)},
    {"deit-base", "DeiT-B/16, encoder of 14 x 14 patches and a class token", VIT(12, 768, 3072, 12, 16)},
    {"deit-base-distilled", "DeiT-B/16 with a distillation token, two classifiers",
     VISION("deit", "DeiTForImageClassificationWithTeacher", 12, 768, 3072, 12, 16)},
};
#define N_SHAPES (sizeof shapes / sizeof *shapes)

const char *pp_lm_shape_name(size_t i, const char **summary)
{
    if (i >= N_SHAPES)
        return NULL;
    if (summary)
        *summary = shapes[i].summary;
    return shapes[i].name;
}

static pp_status read_shape(pp_lm_config *out, size_t i)
{
    pp_doc *doc = NULL;
    pp_lm_config config = {0};
    char *text = pp_strf("{%s}", shapes[i].config);
    if (!text)
        return PP_ENOMEM;
    snprintf(config.name, sizeof config.name, "%s", shapes[i].name);
    pp_status status = pp_doc_parse_yaml(&doc, shapes[i].name, text, strlen(text));
    if (status == PP_OK)
        status = pp_hf_config_(&config, pp_doc_root(doc));
    pp_doc_free(doc);
    free(text);
    if (status == PP_OK)
        *out = config;
    return status;
}

pp_status pp_lm_shape(pp_lm_config *out, const char *name)
{
    const char *names[N_SHAPES];
    for (size_t i = 0; i < N_SHAPES; i++) {
        names[i] = shapes[i].name;
        if (strcmp(names[i], name) == 0)
            return read_shape(out, i);
    }
    const char *near = pp_nearest(name, names, N_SHAPES);
    if (near)
        return pp_fail(PP_ENOTFOUND, "language model '%s' is not known; did you mean '%s'?", name, near);
    return pp_fail(PP_ENOTFOUND, "language model '%s' is not known; `pentaprism model list` shows those that are", name);
}
