/* config.json of encoders: BERT and its relatives, and vision transformers; their heads are named by `architectures`. */
#include "workloads/hf_internal.h"

#include <string.h>

/* ---- heads ---- */

static const char *class_of(const pp_node *root)
{
    const pp_node *list = pp_node_get(root, "architectures");
    const char *name = list != NULL && list->kind == PP_DOC_LIST && list->n > 0 ? list->child[0]->text : NULL;
    return name != NULL ? name : "";
}

static bool class_ends(const pp_node *root, const char *ending)
{
    const char *name = class_of(root);
    const size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* num_labels, or as many as id2label names; two where neither stands there. */
static pp_status read_labels(const pp_node *root, uint32_t *out)
{
    const pp_node *names = pp_node_get(root, "id2label");
    *out = names != NULL && names->kind == PP_DOC_MAP && names->n > 0 ? (uint32_t)names->n : 2;
    PP_TRY(pp_hf_u32_(root, "num_labels", false, out));
    return *out <= PP_DIM_MAX ? PP_OK : pp_fail_at(PP_ERANGE, root->file, 0, "num_labels is %u; expected 1 to %u", *out, PP_DIM_MAX);
}

static pp_status refuse_class(const pp_node *root, const char *known)
{
    return pp_fail_at(PP_EUNSUPPORTED, root->file, pp_node_get(root, "architectures")->line,
                      "architectures: '%.60s' is not supported; expected a name that ends in %s", class_of(root), known);
}

static void count_classifier(pp_lm_config *out)
{
    const uint64_t d = out->hidden;
    out->other_parameters += (out->pooler ? d * d + d : 0) + (uint64_t)out->classes * (d + 1) * (out->two_classifiers ? 2 : 1);
}

/* Masked tokens: a matrix, GELU, a norm, and the embedding again with a bias of its own. */
static pp_status read_masked_head(pp_lm_config *out, const pp_node *root)
{
    const uint64_t d = out->hidden, e = out->embed_width > 0 ? out->embed_width : d;
    out->masked_head = out->tied = true;
    out->biases |= PP_LM_KIND_BIT(PP_LM_HEAD_BIAS);
    out->other_parameters += d * e + 3 * e; /* bias, and the norm's two */
    return pp_hf_bool_(root, "tie_word_embeddings", &out->tied);
}

/* What stands on top: a pooler, a classifier of the pooled vector, one of each token, the words behind masks; or the
 * vectors as they are. */
static pp_status read_head(pp_lm_config *out, const pp_node *root, bool pooler)
{
    const bool answers = class_ends(root, "ForQuestionAnswering"), whole = class_ends(root, "ForSequenceClassification");
    PP_TRY(pp_hf_refuse_(root, "is_decoder", true));
    if (class_ends(root, "ForPreTraining")) /* its head of pairs of sentences counts and is no part of the pipeline */
        out->other_parameters += ((uint64_t)out->hidden + 1) * (out->hidden + 2);
    if (class_ends(root, "ForMaskedLM") || class_ends(root, "ForPreTraining"))
        return read_masked_head(out, root);
    out->classify_each = class_ends(root, "ForTokenClassification") || answers;
    if (out->classify_each || whole)
        PP_TRY(read_labels(root, &out->classes));
    else if (*class_of(root) != 0 && !class_ends(root, "Model"))
        return refuse_class(root, "Model, ForMaskedLM, ForPreTraining, ForSequenceClassification, ForTokenClassification or ForQuestionAnswering");
    if (answers)
        out->classes = 2; /* where the answer begins and where it ends */
    out->pooler = !out->classify_each && (pooler || whole);
    count_classifier(out);
    return PP_OK;
}

/* ---- BERT and relatives ---- */

typedef struct keys {
    const char *hidden, *ffn, *layers, *heads, *act; /* ffn NULL: mlp_ratio times hidden */
} keys;
static const keys usual = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act"};
static const keys by_ratio = {"hidden_size", NULL, "num_hidden_layers", "num_attention_heads", "hidden_act"};
static const keys short_names = {"dim", "hidden_dim", "n_layers", "n_heads", "activation"};

static pp_status read_width(pp_lm_config *out, const pp_node *root, const keys *k)
{
    if (k->ffn != NULL)
        return pp_hf_u32_(root, k->ffn, true, &out->ffn);
    uint32_t ratio = 4;
    PP_TRY(pp_hf_u32_(root, "mlp_ratio", false, &ratio));
    if (ratio > PP_DIM_MAX || out->hidden > PP_DIM_MAX || (uint64_t)ratio * out->hidden > PP_DIM_MAX)
        return pp_fail_at(PP_ERANGE, root->file, 0, "mlp_ratio %u of hidden_size %u; at most %u values", ratio, out->hidden, PP_DIM_MAX);
    out->ffn = ratio * out->hidden;
    return PP_OK;
}

static pp_status read_sizes(pp_lm_config *out, const pp_node *root, const keys *k, double eps)
{
    out->norm = PP_LM_NORM_LAYER;
    out->norm_eps = eps;
    out->act = PP_LM_ACT_GELU;
    out->position_kind = PP_LM_POSITIONS_LEARNED;
    out->biases = PP_HF_ATTENTION_BIASES | PP_HF_PLAIN_BIASES;
    PP_TRY(pp_hf_u32_(root, k->hidden, true, &out->hidden));
    PP_TRY(read_width(out, root, k));
    PP_TRY(pp_hf_u32_(root, k->layers, true, &out->layers));
    PP_TRY(pp_hf_u32_(root, k->heads, true, &out->heads));
    PP_TRY(pp_hf_f64_(root, "layer_norm_eps", &out->norm_eps));
    PP_TRY(pp_hf_act_(root, k->act, &out->act));
    out->kv_heads = out->heads;
    return pp_hf_split_heads_(out, root, k->hidden);
}

/* Words, positions and types of tokens; `unused`: rows of the table of positions that stand for none. */
static pp_status read_tables(pp_lm_config *out, const pp_node *root, uint32_t types, uint32_t unused)
{
    const uint64_t e = out->embed_width > 0 ? out->embed_width : out->hidden;
    out->norm_place = PP_LM_NORMS_AFTER;
    out->positions = 512 + unused;
    PP_TRY(pp_hf_u32_(root, "vocab_size", true, &out->vocab));
    PP_TRY(pp_hf_u32_(root, "max_position_embeddings", false, &out->positions));
    if (types > 0)
        PP_TRY(pp_hf_u32_(root, "type_vocab_size", false, &types));
    if (out->positions <= unused)
        return pp_fail_at(PP_ERANGE, root->file, pp_node_get(root, "max_position_embeddings")->line,
                          "max_position_embeddings is %u; expected more than the %u that stand for no position", out->positions, unused);
    out->positions -= unused;
    out->other_parameters = (types + (uint64_t)unused) * e;
    return PP_OK;
}

pp_status pp_hf_bert_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    (void)type;
    PP_TRY(read_sizes(out, root, &usual, 1e-12));
    PP_TRY(read_tables(out, root, 2, 0));
    return read_head(out, root, true);
}

pp_status pp_hf_roberta_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    (void)type;
    PP_TRY(read_sizes(out, root, &usual, 1e-12));
    PP_TRY(read_tables(out, root, 2, 2));
    return read_head(out, root, true);
}

/* No types of tokens and no pooler; a classifier of sequences has a matrix and ReLU in front. */
pp_status pp_hf_distilbert_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    (void)type;
    PP_TRY(read_sizes(out, root, &short_names, 1e-12));
    PP_TRY(read_tables(out, root, 0, 0));
    PP_TRY(read_head(out, root, false));
    out->pooler_relu = out->pooler;
    return PP_OK;
}

static pp_status need_one(const pp_node *root, const char *key)
{
    uint32_t n = 1;
    PP_TRY(pp_hf_u32_(root, key, false, &n));
    return n == 1 ? PP_OK : pp_fail_at(PP_EUNSUPPORTED, root->file, pp_node_get(root, key)->line, "%s %u is not supported; expected 1",
                                       key, n);
}

pp_status pp_hf_albert_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    (void)type;
    PP_TRY(read_sizes(out, root, &usual, 1e-12));
    out->embed_width = 128;
    PP_TRY(pp_hf_u32_(root, "embedding_size", false, &out->embed_width));
    PP_TRY(need_one(root, "num_hidden_groups"));
    PP_TRY(need_one(root, "inner_group_num"));
    out->shared_layers = true;
    PP_TRY(read_tables(out, root, 2, 0));
    out->other_parameters += ((uint64_t)out->embed_width + 1) * out->hidden;
    return read_head(out, root, true);
}

/* ---- vision ---- */

/* A number, or a list of two: height and width. */
static pp_status read_pair(const pp_node *root, const char *key, uint32_t usual_size, uint32_t out[2])
{
    const pp_node *node = pp_node_get(root, key);
    out[0] = out[1] = usual_size;
    if (node == NULL || node->kind != PP_DOC_LIST) {
        PP_TRY(pp_hf_u32_(root, key, false, &out[0]));
        out[1] = out[0];
        return PP_OK;
    }
    if (node->n != 2)
        return pp_fail_at(PP_EFORMAT, root->file, node->line, "%s: expected a number or two, found %zu", key, node->n);
    for (size_t i = 0; i < 2; i++) {
        int64_t value = 0;
        PP_TRY(pp_node_i64(node->child[i], key, 1, INT64_C(1) << 30, &value));
        out[i] = (uint32_t)value;
    }
    return PP_OK;
}

static pp_status too_many_pixels(const pp_node *root, const uint32_t image[2], const uint32_t patch[2], uint32_t channels)
{
    return pp_fail_at(PP_ERANGE, root->file, 0, "image_size %u x %u in patches of %u x %u x %u: at most %u values a patch and 2^30 patches",
                      image[0], image[1], patch[0], patch[1], channels, PP_DIM_MAX);
}

/* Patches of the image, and `extra` tokens of learned content in front of them. */
static pp_status read_patches(pp_lm_config *out, const pp_node *root, uint32_t extra)
{
    uint32_t image[2], patch[2], channels = 3;
    PP_TRY(read_pair(root, "image_size", 224, image));
    PP_TRY(read_pair(root, "patch_size", 16, patch));
    PP_TRY(pp_hf_u32_(root, "num_channels", false, &channels));
    for (size_t i = 0; i < 2; i++)
        if (image[i] % patch[i] != 0)
            return pp_fail_at(PP_EFORMAT, root->file, 0, "image_size %u is not a multiple of patch_size %u", image[i], patch[i]);
    const uint64_t area = (uint64_t)patch[0] * patch[1], patches = (uint64_t)(image[0] / patch[0]) * (image[1] / patch[1]);
    if (area > PP_DIM_MAX || area * channels > PP_DIM_MAX || patches > (UINT64_C(1) << 30) - extra)
        return too_many_pixels(root, image, patch, channels);
    out->patch_values = (uint32_t)(area * channels);
    out->positions = (uint32_t)patches + extra;
    out->other_parameters = ((uint64_t)out->patch_values + 1 + extra) * out->hidden;
    return PP_OK;
}

static pp_status read_body(pp_lm_config *out, const pp_node *root, const keys *k, uint32_t extra)
{
    bool bias = true;
    PP_TRY(read_sizes(out, root, k, 1e-12));
    PP_TRY(pp_hf_bool_(root, "qkv_bias", &bias));
    if (!bias)
        out->biases &= ~PP_HF_QKV_BIASES;
    return read_patches(out, root, extra);
}

static pp_status read_vision(pp_lm_config *out, const pp_node *root, uint32_t extra)
{
    PP_TRY(read_body(out, root, &usual, extra));
    out->two_classifiers = class_ends(root, "ForImageClassificationWithTeacher");
    if (out->two_classifiers || class_ends(root, "ForImageClassification"))
        PP_TRY(read_labels(root, &out->classes));
    else if (*class_of(root) != 0 && !class_ends(root, "Model"))
        return refuse_class(root, extra > 1 ? "Model, ForImageClassification or ForImageClassificationWithTeacher"
                                            : "Model or ForImageClassification");
    out->pooler = out->classes == 0;
    count_classifier(out);
    return PP_OK;
}

pp_status pp_hf_vit_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    (void)type;
    return read_vision(out, root, 1); /* class token */
}

pp_status pp_hf_deit_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    (void)type;
    return read_vision(out, root, 2); /* class and distillation token */
}

/* Gains of what each half of a block adds are scales of the columns of its last matrix. The token that stands for hidden
 * patches counts, too. */
pp_status pp_hf_dinov2_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type)
{
    (void)type;
    PP_TRY(read_body(out, root, &by_ratio, 1));
    PP_TRY(pp_hf_refuse_(root, "use_swiglu_ffn", true));
    if (*class_of(root) != 0 && !class_ends(root, "Model"))
        return refuse_class(root, "Model");
    out->other_parameters += (1 + 2 * (uint64_t)out->layers) * out->hidden;
    return PP_OK;
}
