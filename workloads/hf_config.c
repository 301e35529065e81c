/* config.json of Hugging Face models: one row a model type, and the readers of the Llama family. */
#include "workloads/hf_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- the Llama family: RMS norms, rotary positions, a gated feed-forward layer ---- */

static pp_status read_sizes(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    PP_TRY(pp_hf_u32_(root, "hidden_size", true, &out->hidden));
    PP_TRY(pp_hf_u32_(root, "intermediate_size", true, &out->ffn));
    PP_TRY(pp_hf_u32_(root, "num_hidden_layers", true, &out->layers));
    PP_TRY(pp_hf_u32_(root, "num_attention_heads", true, &out->heads));
    PP_TRY(pp_hf_u32_(root, "vocab_size", true, &out->vocab));
    out->positions = 2048;
    PP_TRY(pp_hf_u32_(root, "max_position_embeddings", false, &out->positions));
    out->kv_heads = type->kv_heads > 0 ? type->kv_heads : out->heads;
    PP_TRY(pp_hf_u32_(root, "num_key_value_heads", false, &out->kv_heads));
    out->head_dim = type->head_dim;
    PP_TRY(pp_hf_u32_(root, "head_dim", false, &out->head_dim));
    if (out->head_dim == 0 && out->hidden % out->heads != 0)
        return pp_fail_at(PP_EFORMAT, root->file, 0, "hidden_size %u is not a multiple of %u heads and there is no "
                          "head_dim", out->hidden, out->heads);
    if (out->head_dim == 0)
        out->head_dim = out->hidden / out->heads;
    return PP_OK;
}

static pp_status read_window(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    bool use = !type->window_switch;
    const pp_node *node = pp_node_get(root, "sliding_window");
    out->window = node ? 0 : type->window; /* null: none */
    PP_TRY(pp_hf_bool_(root, "use_sliding_window", &use));
    PP_TRY(pp_hf_u32_(root, "sliding_window", false, &out->window));
    if (!use || (type->window == 0 && !type->window_switch && !type->window_key))
        out->window = 0;
    if (out->window > 0 && type->window_switch)
        PP_TRY(pp_hf_u32_(root, "max_window_layers", true, &out->window_first_layer));
    out->window_period = out->window > 0 ? type->window_period : 0;
    return PP_OK;
}

static pp_status read_biases(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    bool attention = false, ffn = false;
    if (type->bias_key) {
        PP_TRY(pp_hf_bool_(root, "attention_bias", &attention));
        PP_TRY(pp_hf_bool_(root, "mlp_bias", &ffn));
    }
    out->biases = type->biases | (attention ? PP_HF_ATTENTION_BIASES : 0) | (ffn ? PP_HF_GATED_BIASES : 0);
    return PP_OK;
}

static pp_status read_llama(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    out->norm = PP_LM_NORM_RMS;
    out->norm_eps = 1e-6;
    out->norm_place = type->norm_place;
    out->act = PP_LM_ACT_SILU;
    out->gated = out->causal = true;
    out->qk_norm = type->qk_norm || type->qk_norm_whole;
    out->qk_norm_whole = type->qk_norm_whole;
    out->tied = type->tied;
    PP_TRY(read_sizes(out, root, type));
    PP_TRY(pp_hf_f64_(root, "rms_norm_eps", &out->norm_eps));
    PP_TRY(pp_hf_act_(root, "hidden_act", &out->act));
    PP_TRY(pp_hf_act_(root, "hidden_activation", &out->act));
    PP_TRY(pp_hf_bool_(root, "tie_word_embeddings", &out->tied));
    PP_TRY(read_window(out, root, type));
    PP_TRY(read_biases(out, root, type));
    out->position_kind = PP_LM_POSITIONS_ROPE;
    return type->weights ? pp_hf_rope_(out, root) : pp_hf_turn_(out, root, "partial_rotary_factor", 1);
}

/* Soft caps: a number, or null for none. */
static pp_status read_cap(const pp_node *root, const char *key, double usual, bool *out)
{
    const pp_node *node = pp_node_get(root, key);
    double cap = node == NULL ? usual : 0;
    PP_TRY(pp_hf_f64_(root, key, &cap));
    if (!(cap >= 0))
        return pp_fail_at(PP_EFORMAT, root->file, node->line, "%s is %g; expected a positive number or null", key, cap);
    *out = cap > 0;
    return PP_OK;
}

static pp_status read_gemma2(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    PP_TRY(read_llama(out, root, type));
    PP_TRY(read_cap(root, "attn_logit_softcapping", 50, &out->cap_scores));
    return read_cap(root, "final_logit_softcapping", 30, &out->cap_logits);
}

static pp_status read_gemma3(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    PP_TRY(read_llama(out, root, type));
    PP_TRY(read_cap(root, "attn_logit_softcapping", 0, &out->cap_scores));
    PP_TRY(read_cap(root, "final_logit_softcapping", 0, &out->cap_logits));
    return out->window > 0 ? pp_hf_u32_(root, "sliding_window_pattern", false, &out->window_period) : PP_OK;
}

/* ---- mixtures of experts ---- */

static pp_status read_mixtral(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    PP_TRY(read_llama(out, root, type));
    out->experts = 8;
    out->experts_per_token = 2;
    PP_TRY(pp_hf_u32_(root, "num_local_experts", false, &out->experts));
    return pp_hf_u32_(root, "num_experts_per_tok", false, &out->experts_per_token);
}

/* Dense layers among the others have no place in the graph, whose blocks differ by their windows alone. */
static pp_status refuse_dense_layers(const pp_node *root)
{
    const pp_node *dense = pp_node_get(root, "mlp_only_layers");
    uint32_t step = 1;
    PP_TRY(pp_hf_u32_(root, "decoder_sparse_step", false, &step));
    if (step != 1)
        return pp_fail_at(PP_EUNSUPPORTED, root->file, pp_node_get(root, "decoder_sparse_step")->line,
                          "decoder_sparse_step %u is not supported; expected 1: experts in every layer", step);
    if (dense != NULL && dense->kind != PP_DOC_NULL && dense->n > 0)
        return pp_fail_at(PP_EUNSUPPORTED, root->file, dense->line, "mlp_only_layers is not supported; expected an empty list: "
                          "experts in every layer");
    return PP_OK;
}

static pp_status read_qwen_moe(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    PP_TRY(read_llama(out, root, type));
    PP_TRY(refuse_dense_layers(root));
    PP_TRY(pp_hf_u32_(root, "num_experts", true, &out->experts));
    PP_TRY(pp_hf_u32_(root, "num_experts_per_tok", true, &out->experts_per_token));
    return pp_hf_u32_(root, "moe_intermediate_size", true, &out->ffn);
}

static pp_status read_qwen2_moe(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    PP_TRY(read_qwen_moe(out, root, type));
    out->shared_gate = true;
    return pp_hf_u32_(root, "shared_expert_intermediate_size", true, &out->shared_ffn);
}

static pp_status read_olmoe(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    PP_TRY(read_llama(out, root, type));
    PP_TRY(pp_hf_u32_(root, "num_experts", true, &out->experts));
    return pp_hf_u32_(root, "num_experts_per_tok", true, &out->experts_per_token);
}

/* ---- the table ---- */

static const pp_hf_type types[] = {
    {.model_type = "llama", .read = read_llama, .bias_key = true, .weights = true},
    {.model_type = "mistral", .read = read_llama, .kv_heads = 8, .window = 4096, .weights = true},
    {.model_type = "qwen2", .read = read_llama, .biases = PP_HF_QKV_BIASES, .window_switch = true, .weights = true},
    {.model_type = "qwen3", .read = read_llama, .head_dim = 128, .bias_key = true, .qk_norm = true, .window_switch = true,
     .weights = true},
    {.model_type = "mixtral", .read = read_mixtral, .kv_heads = 8},
    {.model_type = "qwen2_moe", .read = read_qwen2_moe, .biases = PP_HF_QKV_BIASES, .window_switch = true},
    {.model_type = "qwen3_moe", .read = read_qwen_moe, .bias_key = true, .qk_norm = true, .window_switch = true},
    {.model_type = "olmo2", .read = read_llama, .bias_key = true, .qk_norm_whole = true, .norm_place = PP_LM_NORMS_BRANCH},
    {.model_type = "olmoe", .read = read_olmoe, .bias_key = true, .qk_norm_whole = true},
    {.model_type = "granite", .read = read_llama, .bias_key = true, .tied = true},
    {.model_type = "phi3", .read = read_llama, .window_key = true},
    {.model_type = "gemma", .read = read_llama, .head_dim = 256, .bias_key = true, .tied = true},
    {.model_type = "gemma2", .read = read_gemma2, .kv_heads = 4, .head_dim = 256, .bias_key = true, .tied = true, .window = 4096,
     .window_period = 2, .norm_place = PP_LM_NORMS_SANDWICH},
    {.model_type = "gemma3_text", .read = read_gemma3, .kv_heads = 4, .head_dim = 256, .bias_key = true, .tied = true,
     .window = 4096, .window_period = 6, .norm_place = PP_LM_NORMS_SANDWICH, .qk_norm = true},
    {.model_type = "gpt2", .read = pp_hf_gpt2_, .tied = true, .weights = true},
    {.model_type = "gpt_bigcode", .read = pp_hf_bigcode_, .tied = true},
    {.model_type = "gptj", .read = pp_hf_gptj_},
    {.model_type = "gpt_neox", .read = pp_hf_neox_},
    {.model_type = "opt", .read = pp_hf_opt_, .tied = true},
    {.model_type = "falcon", .read = pp_hf_falcon_, .tied = true},
    {.model_type = "bloom", .read = pp_hf_bloom_, .tied = true},
    {.model_type = "mpt", .read = pp_hf_mpt_, .tied = true},
    {.model_type = "cohere", .read = pp_hf_cohere_, .tied = true},
    {.model_type = "olmo", .read = pp_hf_olmo_},
    {.model_type = "phi", .read = pp_hf_phi_},
    {.model_type = "stablelm", .read = pp_hf_stablelm_},
    {.model_type = "starcoder2", .read = pp_hf_starcoder2_, .kv_heads = 2, .tied = true, .window_key = true},
    {.model_type = "bert", .read = pp_hf_bert_},
    {.model_type = "roberta", .read = pp_hf_roberta_},
    {.model_type = "xlm-roberta", .read = pp_hf_roberta_},
    {.model_type = "camembert", .read = pp_hf_roberta_},
    {.model_type = "distilbert", .read = pp_hf_distilbert_},
    {.model_type = "albert", .read = pp_hf_albert_},
    {.model_type = "vit", .read = pp_hf_vit_},
    {.model_type = "deit", .read = pp_hf_deit_},
    {.model_type = "dinov2", .read = pp_hf_dinov2_},
};
#define N_TYPES (sizeof types / sizeof *types)

static pp_status unsupported(const pp_node *root, unsigned line, const char *name)
{
    char known[800] = "";
    const char *names[N_TYPES];
    size_t at = 0;
    for (size_t i = 0; i < N_TYPES; i++) {
        names[i] = types[i].model_type;
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = pp_nearest(name, names, N_TYPES);
    return pp_fail_at(PP_EUNSUPPORTED, root->file, line, "architecture '%.60s' is not supported; %s%s%sexpected one of %s", name,
                      near ? "did you mean '" : "", near ? near : "", near ? "'? " : "", known);
}

/* model_type decides. */
pp_status pp_hf_config_(pp_lm_config *out, const pp_node *root)
{
    const pp_node *node = NULL;
    const char *name = NULL;
    if (root->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, root->file, root->line, "expected a map, found %s", pp_node_kind_text(root));
    PP_TRY(pp_node_need(root, "model_type", &node));
    PP_TRY(pp_node_text(node, "model_type", &name));
    for (size_t i = 0; i < N_TYPES; i++) {
        if (strcmp(types[i].model_type, name) == 0) {
            snprintf(out->model_type, sizeof out->model_type, "%s", name);
            out->shapes_only = !types[i].weights;
            PP_TRY(types[i].read(out, root, &types[i]));
            pp_status status = pp_lm_config_check(out);
            return status == PP_OK ? PP_OK : pp_fail_in(status, root->file);
        }
    }
    return unsupported(root, node->line, name);
}

pp_status pp_lm_config_read(pp_lm_config *out, const char *config_json)
{
    pp_doc *doc = NULL;
    pp_lm_config config = {0};
    snprintf(config.name, sizeof config.name, "%.63s", config_json);
    PP_TRY(pp_doc_read_json(&doc, config_json));
    pp_status status = pp_hf_config_(&config, pp_doc_root(doc));
    pp_doc_free(doc);
    if (status == PP_OK)
        *out = config;
    return status;
}
