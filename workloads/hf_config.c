/* config.json of Hugging Face models: one row a model type, keys by name. */
#include "workloads/lm_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define QKV_BIASES (PP_LM_KIND_BIT(PP_LM_Q_BIAS) | PP_LM_KIND_BIT(PP_LM_K_BIAS) | PP_LM_KIND_BIT(PP_LM_V_BIAS))
#define ATTENTION_BIASES (QKV_BIASES | PP_LM_KIND_BIT(PP_LM_O_BIAS))
#define FFN_BIASES                                                                                                     \
    (PP_LM_KIND_BIT(PP_LM_GATE_BIAS) | PP_LM_KIND_BIT(PP_LM_UP_BIAS) | PP_LM_KIND_BIT(PP_LM_DOWN_BIAS))

/* What the model's code has that its config.json may leave out. */
typedef struct type_row {
    const char *model_type;
    pp_status (*read)(pp_lm_config *out, const pp_node *root, const struct type_row *row);
    uint32_t kv_heads;   /* when the key is absent; 0: one for each head */
    uint32_t head_dim;   /* the same; 0: hidden / heads */
    uint32_t biases;     /* always there */
    bool bias_key;       /* attention_bias and mlp_bias are looked at */
    bool qk_norm;
    uint32_t window;     /* sliding_window when the key is absent */
    bool window_switch;  /* needs use_sliding_window */
} type_row;

static pp_status read_u32(const pp_node *root, const char *key, bool required, uint32_t *out)
{
    const pp_node *node = pp_node_get(root, key);
    int64_t value = 0;
    if (!node || node->kind == PP_DOC_NULL)
        return required ? pp_node_need(root, key, &node) == PP_OK ? pp_fail_at(PP_EFORMAT, root->file, node->line,
                                                                              "'%s' is null; expected a number", key)
                                                                  : PP_EFORMAT
                        : PP_OK;
    PP_TRY(pp_node_i64(node, key, 1, INT64_C(1) << 30, &value));
    *out = (uint32_t)value;
    return PP_OK;
}

static pp_status read_f64(const pp_node *root, const char *key, double *out)
{
    const pp_node *node = pp_node_get(root, key);
    return !node || node->kind == PP_DOC_NULL ? PP_OK : pp_node_f64(node, key, out);
}

static pp_status read_bool(const pp_node *root, const char *key, bool *out)
{
    const pp_node *node = pp_node_get(root, key);
    return !node || node->kind == PP_DOC_NULL ? PP_OK : pp_node_bool(node, key, out);
}

static pp_status read_act(const pp_node *root, const char *key, pp_lm_act *out)
{
    static const struct {
        const char *name;
        pp_lm_act act;
    } acts[] = {{"silu", PP_LM_ACT_SILU},          {"swish", PP_LM_ACT_SILU},
                {"gelu", PP_LM_ACT_GELU},          {"gelu_new", PP_LM_ACT_GELU_TANH},
                {"gelu_pytorch_tanh", PP_LM_ACT_GELU_TANH}, {"relu", PP_LM_ACT_RELU}};
    const pp_node *node = pp_node_get(root, key);
    const char *text = NULL;
    if (!node)
        return PP_OK;
    PP_TRY(pp_node_text(node, key, &text));
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(acts[i].name, text) == 0) {
            *out = acts[i].act;
            return PP_OK;
        }
    }
    return pp_fail_at(PP_EUNSUPPORTED, root->file, node->line,
                      "%s '%s' is not supported; expected silu, gelu, gelu_new, gelu_pytorch_tanh or relu", key, text);
}

static pp_status read_sizes(pp_lm_config *out, const pp_node *root, const type_row *row)
{
    PP_TRY(read_u32(root, "hidden_size", true, &out->hidden));
    PP_TRY(read_u32(root, "intermediate_size", true, &out->ffn));
    PP_TRY(read_u32(root, "num_hidden_layers", true, &out->layers));
    PP_TRY(read_u32(root, "num_attention_heads", true, &out->heads));
    PP_TRY(read_u32(root, "vocab_size", true, &out->vocab));
    out->positions = 2048;
    PP_TRY(read_u32(root, "max_position_embeddings", false, &out->positions));
    out->kv_heads = row->kv_heads > 0 ? row->kv_heads : out->heads;
    PP_TRY(read_u32(root, "num_key_value_heads", false, &out->kv_heads));
    out->head_dim = row->head_dim;
    PP_TRY(read_u32(root, "head_dim", false, &out->head_dim));
    if (out->head_dim == 0 && out->hidden % out->heads != 0)
        return pp_fail_at(PP_EFORMAT, root->file, 0, "hidden_size %u is not a multiple of %u heads and there is no "
                          "head_dim", out->hidden, out->heads);
    if (out->head_dim == 0)
        out->head_dim = out->hidden / out->heads;
    return PP_OK;
}

static pp_status read_window(pp_lm_config *out, const pp_node *root, const type_row *row)
{
    bool use = !row->window_switch;
    const pp_node *node = pp_node_get(root, "sliding_window");
    out->window = node ? 0 : row->window; /* null: none */
    PP_TRY(read_bool(root, "use_sliding_window", &use));
    PP_TRY(read_u32(root, "sliding_window", false, &out->window));
    if (!use || (row->window == 0 && !row->window_switch))
        out->window = 0;
    if (out->window > 0 && row->window_switch)
        PP_TRY(read_u32(root, "max_window_layers", true, &out->window_first_layer));
    return PP_OK;
}

static pp_status read_biases(pp_lm_config *out, const pp_node *root, const type_row *row)
{
    bool attention = false, ffn = false;
    if (row->bias_key) {
        PP_TRY(read_bool(root, "attention_bias", &attention));
        PP_TRY(read_bool(root, "mlp_bias", &ffn));
    }
    out->biases = row->biases | (attention ? ATTENTION_BIASES : 0) | (ffn ? FFN_BIASES : 0);
    return PP_OK;
}

static pp_status read_llama(pp_lm_config *out, const pp_node *root, const type_row *row)
{
    out->norm = PP_LM_NORM_RMS;
    out->norm_eps = 1e-6;
    out->act = PP_LM_ACT_SILU;
    out->gated = out->causal = true;
    out->qk_norm = row->qk_norm;
    PP_TRY(read_sizes(out, root, row));
    PP_TRY(read_f64(root, "rms_norm_eps", &out->norm_eps));
    PP_TRY(read_act(root, "hidden_act", &out->act));
    PP_TRY(read_bool(root, "tie_word_embeddings", &out->tied));
    PP_TRY(read_window(out, root, row));
    PP_TRY(read_biases(out, root, row));
    out->position_kind = PP_LM_POSITIONS_ROPE;
    return pp_hf_rope_(out, root);
}

static pp_status read_mixtral(pp_lm_config *out, const pp_node *root, const type_row *row)
{
    PP_TRY(read_llama(out, root, row));
    out->experts = 8;
    out->experts_per_token = 2;
    PP_TRY(read_u32(root, "num_local_experts", false, &out->experts));
    return read_u32(root, "num_experts_per_tok", false, &out->experts_per_token);
}

static pp_status refuse_flag(const pp_node *root, const char *key)
{
    bool set = false;
    PP_TRY(read_bool(root, key, &set));
    return set ? pp_fail_at(PP_EUNSUPPORTED, root->file, pp_node_get(root, key)->line, "%s is not supported", key)
               : PP_OK;
}

static pp_status read_gpt2(pp_lm_config *out, const pp_node *root, const type_row *row)
{
    (void)row;
    out->norm = PP_LM_NORM_LAYER;
    out->norm_eps = 1e-5;
    out->act = PP_LM_ACT_GELU_TANH;
    out->causal = out->tied = true;
    out->position_kind = PP_LM_POSITIONS_LEARNED;
    out->biases = (ATTENTION_BIASES | FFN_BIASES) & ~PP_LM_KIND_BIT(PP_LM_GATE_BIAS);
    PP_TRY(read_u32(root, "n_embd", true, &out->hidden));
    PP_TRY(read_u32(root, "n_layer", true, &out->layers));
    PP_TRY(read_u32(root, "n_head", true, &out->heads));
    PP_TRY(read_u32(root, "vocab_size", true, &out->vocab));
    PP_TRY(read_u32(root, "n_positions", true, &out->positions));
    out->ffn = 4 * out->hidden;
    PP_TRY(read_u32(root, "n_inner", false, &out->ffn));
    PP_TRY(read_f64(root, "layer_norm_epsilon", &out->norm_eps));
    PP_TRY(read_act(root, "activation_function", &out->act));
    PP_TRY(read_bool(root, "tie_word_embeddings", &out->tied));
    PP_TRY(refuse_flag(root, "scale_attn_by_inverse_layer_idx"));
    out->kv_heads = out->heads;
    if (out->hidden % out->heads != 0)
        return pp_fail_at(PP_EFORMAT, root->file, 0, "n_embd %u is not a multiple of %u heads", out->hidden,
                          out->heads);
    out->head_dim = out->hidden / out->heads;
    return PP_OK;
}

/* ---- encoders and their heads ---- */

static bool class_ends(const pp_node *root, const char *ending)
{
    const pp_node *list = pp_node_get(root, "architectures");
    const char *name = list != NULL && list->kind == PP_DOC_LIST && list->n > 0 ? list->child[0]->text : NULL;
    const size_t n = name != NULL ? strlen(name) : 0, m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* num_labels, or as many as id2label names; two where neither stands there. */
static pp_status read_labels(const pp_node *root, uint32_t *out)
{
    const pp_node *names = pp_node_get(root, "id2label");
    *out = names != NULL && names->kind == PP_DOC_MAP && names->n > 0 ? (uint32_t)names->n : 2;
    return read_u32(root, "num_labels", false, out);
}

/* What stands on top: a pooler, a classifier of the pooled vector, one of each token; or the vectors as they are. The
 * head of a masked language model counts, but is no matrix of the pipeline. */
static pp_status read_bert_head(pp_lm_config *out, const pp_node *root)
{
    const uint64_t d = out->hidden;
    out->classify_each = class_ends(root, "ForTokenClassification") || class_ends(root, "ForQuestionAnswering");
    if (out->classify_each || class_ends(root, "ForSequenceClassification"))
        PP_TRY(read_labels(root, &out->classes));
    if (class_ends(root, "ForQuestionAnswering"))
        out->classes = 2; /* where the answer begins and where it ends */
    if (class_ends(root, "ForMaskedLM")) {
        out->other_parameters += d * d + 3 * d + out->vocab; /* dense, norm, bias of the tied output */
        return PP_OK;
    }
    out->pooler = !out->classify_each;
    out->other_parameters += (out->pooler ? d * d + d : 0) + (out->classes > 0 ? out->classes * (d + 1) : 0);
    return PP_OK;
}

static pp_status read_bert(pp_lm_config *out, const pp_node *root, const type_row *row)
{
    uint32_t types = 2;
    out->norm = PP_LM_NORM_LAYER;
    out->norm_eps = 1e-12;
    out->act = PP_LM_ACT_GELU;
    out->position_kind = PP_LM_POSITIONS_LEARNED;
    out->biases = (ATTENTION_BIASES | FFN_BIASES) & ~PP_LM_KIND_BIT(PP_LM_GATE_BIAS);
    PP_TRY(read_sizes(out, root, row));
    PP_TRY(read_f64(root, "layer_norm_eps", &out->norm_eps));
    PP_TRY(read_act(root, "hidden_act", &out->act));
    PP_TRY(read_u32(root, "type_vocab_size", false, &types));
    out->other_parameters = (uint64_t)types * out->hidden;
    return read_bert_head(out, root);
}

static const type_row types[] = {
    {.model_type = "llama", .read = read_llama, .bias_key = true},
    {.model_type = "mistral", .read = read_llama, .kv_heads = 8, .window = 4096},
    {.model_type = "qwen2", .read = read_llama, .biases = QKV_BIASES, .window_switch = true},
    {.model_type = "qwen3", .read = read_llama, .head_dim = 128, .bias_key = true, .qk_norm = true,
     .window_switch = true},
    {.model_type = "mixtral", .read = read_mixtral, .kv_heads = 8, .window = 0},
    {.model_type = "gpt2", .read = read_gpt2},
    {.model_type = "bert", .read = read_bert},
};

static pp_status unsupported(const pp_node *root, unsigned line, const char *name)
{
    char known[160] = "";
    size_t at = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", types[i].model_type);
    return pp_fail_at(PP_EUNSUPPORTED, root->file, line, "architecture '%s' is not supported; expected one of %s", name,
                      known);
}

/* model_type decides. A type that we do not know is named by the class of `architectures`, if any. */
pp_status pp_hf_config_(pp_lm_config *out, const pp_node *root)
{
    const pp_node *node = NULL;
    const char *type = NULL;
    if (root->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, root->file, root->line, "expected a map, found %s", pp_node_kind_text(root));
    PP_TRY(pp_node_need(root, "model_type", &node));
    PP_TRY(pp_node_text(node, "model_type", &type));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].model_type, type) == 0) {
            snprintf(out->model_type, sizeof out->model_type, "%s", type);
            PP_TRY(types[i].read(out, root, &types[i]));
            pp_status status = pp_lm_config_check(out);
            return status == PP_OK ? PP_OK : pp_fail_in(status, root->file);
        }
    }
    return unsupported(root, node->line, type);
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
