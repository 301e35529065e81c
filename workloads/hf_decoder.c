/* config.json of decoders with LayerNorms: GPT-2 and what came after it. */
#include "workloads/hf_internal.h"

#define PLAIN (PP_HF_ATTENTION_BIASES | PP_HF_PLAIN_BIASES)

static void decoder(pp_lm_config *out, pp_lm_act act)
{
    out->norm = PP_LM_NORM_LAYER;
    out->norm_eps = 1e-5;
    out->act = act;
    out->causal = true;
}

/* The keys that most of them share. */
static pp_status read_sizes(pp_lm_config *out, const pp_node *root)
{
    PP_TRY(pp_hf_u32_(root, "hidden_size", true, &out->hidden));
    PP_TRY(pp_hf_u32_(root, "num_hidden_layers", true, &out->layers));
    PP_TRY(pp_hf_u32_(root, "num_attention_heads", true, &out->heads));
    PP_TRY(pp_hf_u32_(root, "vocab_size", true, &out->vocab));
    out->positions = 2048;
    PP_TRY(pp_hf_u32_(root, "max_position_embeddings", false, &out->positions));
    out->kv_heads = out->heads;
    return pp_hf_split_heads_(out, root, "hidden_size");
}

static pp_status read_tied(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    out->tied = type->tied;
    return pp_hf_bool_(root, "tie_word_embeddings", &out->tied);
}

/* GPT-2 and GPT-J name their sizes alike. */
static pp_status read_gpt(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    decoder(out, PP_LM_ACT_GELU_TANH);
    PP_TRY(pp_hf_u32_(root, "n_embd", true, &out->hidden));
    PP_TRY(pp_hf_u32_(root, "n_layer", true, &out->layers));
    PP_TRY(pp_hf_u32_(root, "n_head", true, &out->heads));
    PP_TRY(pp_hf_u32_(root, "vocab_size", true, &out->vocab));
    PP_TRY(pp_hf_u32_(root, "n_positions", true, &out->positions));
    out->ffn = 4 * out->hidden;
    PP_TRY(pp_hf_u32_(root, "n_inner", false, &out->ffn));
    PP_TRY(pp_hf_f64_(root, "layer_norm_epsilon", &out->norm_eps));
    PP_TRY(pp_hf_act_(root, "activation_function", &out->act));
    PP_TRY(read_tied(out, root, type));
    out->kv_heads = out->heads;
    return pp_hf_split_heads_(out, root, "n_embd");
}

pp_status pp_hf_gpt2_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    out->position_kind = PP_LM_POSITIONS_LEARNED;
    out->biases = PLAIN;
    PP_TRY(read_gpt(out, root, type));
    return pp_hf_refuse_(root, "scale_attn_by_inverse_layer_idx", true);
}

/* StarCoder: GPT-2 with one key and value head. */
pp_status pp_hf_bigcode_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    bool one = true;
    out->position_kind = PP_LM_POSITIONS_LEARNED;
    out->biases = PLAIN;
    PP_TRY(read_gpt(out, root, type));
    PP_TRY(pp_hf_bool_(root, "multi_query", &one));
    out->kv_heads = one ? 1 : out->heads;
    return PP_OK;
}

pp_status pp_hf_gptj_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    out->biases = PP_HF_PLAIN_BIASES | PP_LM_KIND_BIT(PP_LM_HEAD_BIAS);
    out->parallel = PP_LM_PARALLEL;
    PP_TRY(read_gpt(out, root, type));
    PP_TRY(pp_hf_turn_(out, root, "partial_rotary_factor", 1));
    out->rope.rotary_dim = 64;
    return pp_hf_u32_(root, "rotary_dim", false, &out->rope.rotary_dim);
}

pp_status pp_hf_neox_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    bool parallel = true, bias = true;
    decoder(out, PP_LM_ACT_GELU);
    PP_TRY(read_sizes(out, root));
    PP_TRY(pp_hf_u32_(root, "intermediate_size", true, &out->ffn));
    PP_TRY(pp_hf_f64_(root, "layer_norm_eps", &out->norm_eps));
    PP_TRY(pp_hf_act_(root, "hidden_act", &out->act));
    PP_TRY(pp_hf_bool_(root, "use_parallel_residual", &parallel));
    PP_TRY(pp_hf_bool_(root, "attention_bias", &bias));
    PP_TRY(read_tied(out, root, type));
    out->parallel = parallel ? PP_LM_PARALLEL_TWO_NORMS : PP_LM_SERIAL;
    out->biases = PP_HF_PLAIN_BIASES | (bias ? PP_HF_ATTENTION_BIASES : 0);
    return pp_hf_turn_(out, root, "rotary_pct", 0.25);
}

/* The first two rows of the table of positions stand for no position. */
pp_status pp_hf_opt_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    bool bias = true;
    uint32_t width = 0;
    decoder(out, PP_LM_ACT_RELU);
    PP_TRY(read_sizes(out, root));
    PP_TRY(pp_hf_u32_(root, "ffn_dim", true, &out->ffn));
    PP_TRY(pp_hf_act_(root, "activation_function", &out->act));
    PP_TRY(pp_hf_bool_(root, "enable_bias", &bias));
    PP_TRY(pp_hf_refuse_(root, "do_layer_norm_before", false));
    PP_TRY(pp_hf_refuse_(root, "layer_norm_elementwise_affine", false));
    width = out->hidden;
    PP_TRY(pp_hf_u32_(root, "word_embed_proj_dim", false, &width));
    if (width != out->hidden)
        return pp_fail_at(PP_EUNSUPPORTED, root->file, pp_node_get(root, "word_embed_proj_dim")->line,
                          "word_embed_proj_dim %u is not supported; expected the hidden_size, %u", width, out->hidden);
    out->position_kind = PP_LM_POSITIONS_LEARNED;
    out->other_parameters = 2 * (uint64_t)out->hidden;
    out->biases = bias ? PLAIN : 0;
    return read_tied(out, root, type);
}

static pp_status falcon_heads(pp_lm_config *out, const pp_node *root)
{
    bool many = false, one = true, parallel = true;
    uint32_t norms = 2;
    PP_TRY(pp_hf_bool_(root, "new_decoder_architecture", &many));
    PP_TRY(pp_hf_bool_(root, "multi_query", &one));
    PP_TRY(pp_hf_bool_(root, "parallel_attn", &parallel));
    PP_TRY(pp_hf_u32_(root, "num_ln_in_parallel_attn", false, &norms));
    if (many)
        PP_TRY(pp_hf_u32_(root, "num_kv_heads", false, &out->kv_heads));
    else
        out->kv_heads = one ? 1 : out->heads;
    out->parallel = many && norms > 1 ? PP_LM_PARALLEL_TWO_NORMS : many || parallel ? PP_LM_PARALLEL : PP_LM_SERIAL;
    return PP_OK;
}

pp_status pp_hf_falcon_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    bool bias = false, alibi = false;
    decoder(out, PP_LM_ACT_GELU);
    PP_TRY(pp_hf_u32_(root, "hidden_size", true, &out->hidden));
    PP_TRY(pp_hf_u32_of_(root, "num_hidden_layers", "n_layer", &out->layers));
    PP_TRY(pp_hf_u32_of_(root, "num_attention_heads", "n_head", &out->heads));
    PP_TRY(pp_hf_u32_(root, "vocab_size", true, &out->vocab));
    out->positions = 2048;
    PP_TRY(pp_hf_u32_(root, "max_position_embeddings", false, &out->positions));
    out->kv_heads = out->heads;
    PP_TRY(pp_hf_split_heads_(out, root, "hidden_size"));
    PP_TRY(falcon_heads(out, root));
    out->ffn = 4 * out->hidden;
    PP_TRY(pp_hf_u32_(root, "ffn_hidden_size", false, &out->ffn));
    PP_TRY(pp_hf_f64_(root, "layer_norm_epsilon", &out->norm_eps));
    PP_TRY(pp_hf_act_(root, "activation", &out->act));
    PP_TRY(pp_hf_bool_(root, "bias", &bias));
    PP_TRY(pp_hf_bool_(root, "alibi", &alibi));
    PP_TRY(read_tied(out, root, type));
    out->biases = bias ? PLAIN : 0;
    PP_TRY(pp_hf_turn_(out, root, "partial_rotary_factor", 1));
    out->position_kind = alibi ? PP_LM_POSITIONS_ALIBI : PP_LM_POSITIONS_ROPE;
    return PP_OK;
}

pp_status pp_hf_bloom_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    decoder(out, PP_LM_ACT_GELU_TANH);
    PP_TRY(pp_hf_u32_of_(root, "hidden_size", "n_embed", &out->hidden));
    PP_TRY(pp_hf_u32_of_(root, "n_layer", "num_hidden_layers", &out->layers));
    PP_TRY(pp_hf_u32_of_(root, "n_head", "num_attention_heads", &out->heads));
    PP_TRY(pp_hf_u32_(root, "vocab_size", true, &out->vocab));
    out->positions = 2048; /* trained on; ALiBi itself has no end */
    PP_TRY(pp_hf_u32_(root, "seq_length", false, &out->positions));
    PP_TRY(pp_hf_f64_(root, "layer_norm_epsilon", &out->norm_eps));
    PP_TRY(pp_hf_refuse_(root, "apply_residual_connection_post_layernorm", true));
    PP_TRY(read_tied(out, root, type));
    out->ffn = 4 * out->hidden;
    out->kv_heads = out->heads;
    out->embed_norm = true;
    out->biases = PLAIN;
    out->position_kind = PP_LM_POSITIONS_ALIBI;
    return pp_hf_split_heads_(out, root, "hidden_size");
}

pp_status pp_hf_phi_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    decoder(out, PP_LM_ACT_GELU_TANH);
    PP_TRY(read_sizes(out, root));
    PP_TRY(pp_hf_u32_(root, "intermediate_size", true, &out->ffn));
    PP_TRY(pp_hf_u32_(root, "num_key_value_heads", false, &out->kv_heads));
    PP_TRY(pp_hf_f64_(root, "layer_norm_eps", &out->norm_eps));
    PP_TRY(pp_hf_act_(root, "hidden_act", &out->act));
    PP_TRY(pp_hf_refuse_(root, "qk_layernorm", true));
    PP_TRY(read_tied(out, root, type));
    out->parallel = PP_LM_PARALLEL;
    out->biases = PLAIN | PP_LM_KIND_BIT(PP_LM_HEAD_BIAS);
    return pp_hf_turn_(out, root, "partial_rotary_factor", 0.5);
}

/* Gated, without biases; LayerNorms with a gain alone, or with nothing. */
static pp_status read_gated(pp_lm_config *out, const pp_node *root, const pp_hf_type *type, pp_lm_norm_terms terms)
{
    bool bias = false;
    decoder(out, PP_LM_ACT_SILU);
    out->gated = true;
    out->norm_terms = terms;
    PP_TRY(read_sizes(out, root));
    PP_TRY(pp_hf_u32_(root, "intermediate_size", true, &out->ffn));
    PP_TRY(pp_hf_u32_(root, "num_key_value_heads", false, &out->kv_heads));
    PP_TRY(pp_hf_f64_(root, "layer_norm_eps", &out->norm_eps));
    PP_TRY(pp_hf_act_(root, "hidden_act", &out->act));
    PP_TRY(pp_hf_bool_(root, "attention_bias", &bias));
    PP_TRY(read_tied(out, root, type));
    out->biases = bias ? PP_HF_ATTENTION_BIASES : 0;
    return pp_hf_turn_(out, root, "partial_rotary_factor", 1);
}

pp_status pp_hf_cohere_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    PP_TRY(read_gated(out, root, type, PP_LM_NORM_GAIN));
    out->parallel = PP_LM_PARALLEL;
    return pp_hf_refuse_(root, "use_qk_norm", true);
}

pp_status pp_hf_olmo_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    return read_gated(out, root, type, PP_LM_NORM_PLAIN);
}

pp_status pp_hf_mpt_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    const pp_node *attention = pp_node_get(root, "attn_config");
    uint32_t ratio = 4;
    bool alibi = false, plain = true;
    decoder(out, PP_LM_ACT_GELU);
    PP_TRY(pp_hf_u32_(root, "d_model", true, &out->hidden));
    PP_TRY(pp_hf_u32_(root, "n_layers", true, &out->layers));
    PP_TRY(pp_hf_u32_(root, "n_heads", true, &out->heads));
    PP_TRY(pp_hf_u32_(root, "vocab_size", true, &out->vocab));
    PP_TRY(pp_hf_u32_(root, "max_seq_len", true, &out->positions));
    PP_TRY(pp_hf_u32_(root, "expansion_ratio", false, &ratio));
    PP_TRY(pp_hf_bool_(root, "no_bias", &plain));
    PP_TRY(read_tied(out, root, type));
    if (attention != NULL && attention->kind == PP_DOC_MAP) {
        PP_TRY(pp_hf_bool_(attention, "alibi", &alibi));
        PP_TRY(pp_hf_refuse_(attention, "qk_ln", true));
    }
    if (ratio > PP_DIM_MAX || out->hidden > PP_DIM_MAX || (uint64_t)ratio * out->hidden > PP_DIM_MAX)
        return pp_fail_at(PP_ERANGE, root->file, 0, "expansion_ratio %u of d_model %u; at most %u values", ratio, out->hidden, PP_DIM_MAX);
    out->ffn = ratio * out->hidden;
    out->kv_heads = out->heads;
    out->biases = plain ? 0 : PLAIN;
    out->norm_terms = plain ? PP_LM_NORM_GAIN : PP_LM_NORM_GAIN_BIAS;
    out->position_kind = alibi ? PP_LM_POSITIONS_ALIBI : PP_LM_POSITIONS_LEARNED;
    return pp_hf_split_heads_(out, root, "d_model");
}

pp_status pp_hf_stablelm_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    bool bias = false, parallel = false;
    decoder(out, PP_LM_ACT_SILU);
    out->gated = true;
    PP_TRY(read_sizes(out, root));
    PP_TRY(pp_hf_u32_(root, "intermediate_size", true, &out->ffn));
    PP_TRY(pp_hf_u32_(root, "num_key_value_heads", false, &out->kv_heads));
    PP_TRY(pp_hf_f64_(root, "layer_norm_eps", &out->norm_eps));
    PP_TRY(pp_hf_act_(root, "hidden_act", &out->act));
    PP_TRY(pp_hf_bool_(root, "use_qkv_bias", &bias));
    PP_TRY(pp_hf_bool_(root, "use_parallel_residual", &parallel));
    PP_TRY(pp_hf_refuse_(root, "qk_layernorm", true));
    PP_TRY(read_tied(out, root, type));
    out->parallel = parallel ? PP_LM_PARALLEL : PP_LM_SERIAL;
    out->biases = bias ? PP_HF_QKV_BIASES : 0;
    return pp_hf_turn_(out, root, "partial_rotary_factor", 0.25);
}

pp_status pp_hf_starcoder2_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    bool bias = true;
    decoder(out, PP_LM_ACT_GELU_TANH);
    PP_TRY(read_sizes(out, root));
    PP_TRY(pp_hf_u32_(root, "intermediate_size", true, &out->ffn));
    out->kv_heads = type->kv_heads;
    PP_TRY(pp_hf_u32_(root, "num_key_value_heads", false, &out->kv_heads));
    PP_TRY(pp_hf_f64_(root, "norm_epsilon", &out->norm_eps));
    PP_TRY(pp_hf_act_(root, "hidden_act", &out->act));
    PP_TRY(pp_hf_bool_(root, "use_bias", &bias));
    PP_TRY(pp_hf_u32_(root, "sliding_window", false, &out->window));
    PP_TRY(read_tied(out, root, type));
    out->biases = bias ? PLAIN : 0;
    return pp_hf_turn_(out, root, "partial_rotary_factor", 1);
}
