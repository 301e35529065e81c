/* Hugging Face folders: shards, their index, and which tensor of which name is what. */
#include "workloads/lm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

static pp_status add_shard(pp_lm *lm, const char *name)
{
    pp_safetensors **shards = pp_realloc(lm->shards, lm->n_shards + 1, sizeof *shards);
    if (!shards)
        return PP_ENOMEM;
    lm->shards = shards;
    const char **names = pp_realloc(lm->shard_names, lm->n_shards + 1, sizeof *names);
    if (!names)
        return PP_ENOMEM;
    lm->shard_names = names;
    char *path = pp_path_join(lm->folder, name), *kept = pp_arena_strdup(lm->arena, name);
    pp_status status = path && kept ? pp_safetensors_open(&shards[lm->n_shards], path) : PP_ENOMEM;
    if (status == PP_OK)
        lm->shard_names[lm->n_shards++] = kept;
    free(path);
    return status;
}

static size_t find_shard(const pp_lm *lm, const char *name)
{
    for (size_t i = 0; i < lm->n_shards; i++)
        if (strcmp(lm->shard_names[i], name) == 0)
            return i;
    return SIZE_MAX;
}

static bool is_plain_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/');
}

/* One line of weight_map: the shard must be there and hold the tensor. */
static pp_status read_index_entry(pp_lm *lm, const pp_node *map, size_t i)
{
    const pp_node *node = map->child[i];
    const char *file = NULL;
    PP_TRY(pp_node_text(node, map->key[i], &file));
    if (!is_plain_name(file))
        return pp_fail_at(PP_EFORMAT, map->file, node->line, "shard '%s' is not the name of a file beside it", file);
    size_t at = find_shard(lm, file);
    if (at == SIZE_MAX) {
        char *path = pp_path_join(lm->folder, file);
        if (!path)
            return PP_ENOMEM;
        const bool there = pp_file_exists(path);
        free(path);
        if (!there)
            return pp_fail_at(PP_ENOTFOUND, map->file, node->line, "shard '%s', which holds '%s', is missing", file,
                              map->key[i]);
        PP_TRY(add_shard(lm, file));
        at = lm->n_shards - 1;
    }
    pp_tensor t;
    if (pp_safetensors_get(lm->shards[at], map->key[i], &t) != PP_OK)
        return pp_fail_at(PP_EFORMAT, map->file, node->line, "names tensor '%s', which shard '%s' does not hold",
                          map->key[i], file);
    return PP_OK;
}

static pp_status open_indexed(pp_lm *lm, const char *index)
{
    pp_doc *doc = NULL;
    const pp_node *map = NULL;
    PP_TRY(pp_doc_read_json(&doc, index));
    pp_status status = pp_node_need(pp_doc_root(doc), "weight_map", &map);
    if (status == PP_OK && (map->kind != PP_DOC_MAP || map->n == 0))
        status = pp_fail_at(PP_EFORMAT, index, map->line, "weight_map must be a map from tensors to files");
    for (size_t i = 0; status == PP_OK && i < map->n; i++)
        status = read_index_entry(lm, map, i);
    pp_doc_free(doc);
    return status;
}

static pp_status open_shards(pp_lm *lm, const char *folder)
{
    char *single = pp_path_join(folder, "model.safetensors");
    char *index = pp_path_join(folder, "model.safetensors.index.json");
    pp_status status = PP_ENOMEM;
    if (single && index && pp_file_exists(index))
        status = open_indexed(lm, index);
    else if (single && index && pp_file_exists(single))
        status = add_shard(lm, "model.safetensors");
    else if (single && index)
        status = pp_fail(PP_ENOTFOUND, "%s: holds neither model.safetensors nor model.safetensors.index.json", folder);
    free(single);
    free(index);
    return status;
}

/* ---- tensors ---- */

/* Name of a tensor: prefix, "layers.N." for those of a layer, then this. `parts` > 1: rows
 * [part, part + 1) / parts of a fused tensor. */
typedef struct name_row {
    pp_lm_kind kind;
    const char *name;
    bool conv1d; /* [in][out] on disk */
    uint8_t part, parts;
} name_row;

static const name_row llama_names[] = {
    {PP_LM_ATTN_NORM, "input_layernorm.weight", false, 0, 1},
    {PP_LM_Q, "self_attn.q_proj.weight", false, 0, 1},
    {PP_LM_K, "self_attn.k_proj.weight", false, 0, 1},
    {PP_LM_V, "self_attn.v_proj.weight", false, 0, 1},
    {PP_LM_O, "self_attn.o_proj.weight", false, 0, 1},
    {PP_LM_Q_BIAS, "self_attn.q_proj.bias", false, 0, 1},
    {PP_LM_K_BIAS, "self_attn.k_proj.bias", false, 0, 1},
    {PP_LM_V_BIAS, "self_attn.v_proj.bias", false, 0, 1},
    {PP_LM_O_BIAS, "self_attn.o_proj.bias", false, 0, 1},
    {PP_LM_Q_NORM, "self_attn.q_norm.weight", false, 0, 1},
    {PP_LM_K_NORM, "self_attn.k_norm.weight", false, 0, 1},
    {PP_LM_FFN_NORM, "post_attention_layernorm.weight", false, 0, 1},
    {PP_LM_GATE, "mlp.gate_proj.weight", false, 0, 1},
    {PP_LM_UP, "mlp.up_proj.weight", false, 0, 1},
    {PP_LM_DOWN, "mlp.down_proj.weight", false, 0, 1},
    {PP_LM_GATE_BIAS, "mlp.gate_proj.bias", false, 0, 1},
    {PP_LM_UP_BIAS, "mlp.up_proj.bias", false, 0, 1},
    {PP_LM_DOWN_BIAS, "mlp.down_proj.bias", false, 0, 1},
    {PP_LM_EMBED, "embed_tokens.weight", false, 0, 1},
    {PP_LM_FINAL_NORM, "norm.weight", false, 0, 1},
    {PP_LM_HEAD, "lm_head.weight", false, 0, 1},
};

static const name_row gpt2_names[] = {
    {PP_LM_ATTN_NORM, "ln_1.weight", false, 0, 1},
    {PP_LM_ATTN_NORM_BIAS, "ln_1.bias", false, 0, 1},
    {PP_LM_Q, "attn.c_attn.weight", true, 0, 3},
    {PP_LM_K, "attn.c_attn.weight", true, 1, 3},
    {PP_LM_V, "attn.c_attn.weight", true, 2, 3},
    {PP_LM_O, "attn.c_proj.weight", true, 0, 1},
    {PP_LM_Q_BIAS, "attn.c_attn.bias", false, 0, 3},
    {PP_LM_K_BIAS, "attn.c_attn.bias", false, 1, 3},
    {PP_LM_V_BIAS, "attn.c_attn.bias", false, 2, 3},
    {PP_LM_O_BIAS, "attn.c_proj.bias", false, 0, 1},
    {PP_LM_FFN_NORM, "ln_2.weight", false, 0, 1},
    {PP_LM_FFN_NORM_BIAS, "ln_2.bias", false, 0, 1},
    {PP_LM_UP, "mlp.c_fc.weight", true, 0, 1},
    {PP_LM_UP_BIAS, "mlp.c_fc.bias", false, 0, 1},
    {PP_LM_DOWN, "mlp.c_proj.weight", true, 0, 1},
    {PP_LM_DOWN_BIAS, "mlp.c_proj.bias", false, 0, 1},
    {PP_LM_EMBED, "wte.weight", false, 0, 1},
    {PP_LM_POSITION, "wpe.weight", false, 0, 1},
    {PP_LM_FINAL_NORM, "ln_f.weight", false, 0, 1},
    {PP_LM_FINAL_NORM_BIAS, "ln_f.bias", false, 0, 1},
    {PP_LM_HEAD, "lm_head.weight", false, 0, 1},
};

typedef struct family {
    const char *prefix, *layers; /* "model.", "layers." */
    const name_row *names;
    size_t n;
} family;

static const family llama_family = {"model.", "layers.", llama_names, sizeof llama_names / sizeof *llama_names};
static const family gpt2_family = {"transformer.", "h.", gpt2_names, sizeof gpt2_names / sizeof *gpt2_names};

static bool find(const pp_lm *lm, const char *name, pp_tensor *t, const char **file)
{
    for (size_t i = 0; i < lm->n_shards; i++) {
        if (pp_safetensors_get(lm->shards[i], name, t) == PP_OK) {
            *file = lm->shard_names[i];
            return true;
        }
    }
    return false;
}

static pp_status wrong_shape(const pp_lm *lm, const char *file, const char *name, const pp_tensor *t,
                             const pp_tensor *want)
{
    char found[64], expected[64];
    pp_tensor_shape_text_(found, sizeof found, t);
    pp_tensor_shape_text_(expected, sizeof expected, want);
    return pp_fail(PP_EFORMAT, "%s/%s: tensor '%s' has shape %s; config.json asks for %s", lm->folder, file, name,
                   found, expected);
}

/* The shape on disk, from the shape of the matrix. */
static pp_status check_shape(const pp_lm *lm, const name_row *row, const char *file, const char *name,
                             const pp_tensor *t, uint64_t rows, uint64_t cols)
{
    pp_tensor want = {.ndim = rows == 1 ? 1 : 2};
    if (rows == 1)
        want.dim[0] = cols * row->parts;
    else {
        want.dim[row->conv1d] = rows * row->parts;
        want.dim[!row->conv1d] = cols;
    }
    const bool vector = row->kind != PP_LM_EMBED && row->kind != PP_LM_HEAD && row->kind != PP_LM_POSITION &&
                        !pp_lm_is_linear(row->kind);
    if (!vector && rows == 1) { /* a matrix of one row */
        want.ndim = 2;
        want.dim[row->conv1d] = row->parts;
        want.dim[!row->conv1d] = cols;
    }
    if (t->ndim != want.ndim || memcmp(t->dim, want.dim, want.ndim * sizeof *want.dim) != 0)
        return wrong_shape(lm, file, name, t, &want);
    if (t->dtype != PP_DTYPE_F32 && t->dtype != PP_DTYPE_F16 && t->dtype != PP_DTYPE_BF16)
        return pp_fail(PP_EUNSUPPORTED, "%s/%s: tensor '%s' is %s; expected F32, F16 or BF16", lm->folder, file, name,
                       pp_dtype_name_(t->dtype));
    return PP_OK;
}

static pp_status bind(pp_lm *lm, const name_row *row, uint32_t layer, const char *name)
{
    pp_tensor t;
    const char *file = NULL;
    uint64_t rows, cols;
    pp_lm_dims(&lm->config, row->kind, &rows, &cols);
    if (!find(lm, name, &t, &file))
        return pp_fail(PP_ENOTFOUND, "%s: no file holds tensor '%s', which a %s model of %u layers needs", lm->folder,
                       name, lm->config.model_type, lm->config.layers);
    PP_TRY(check_shape(lm, row, file, name, &t, rows, cols));
    pp_lm_view *v = pp_lm_view_(lm, layer, row->kind);
    *v = (pp_lm_view){.data = t.data, .dtype = t.dtype, .transposed = row->conv1d, .rows = rows, .cols = cols,
                      .file = file, .name = pp_arena_strdup(lm->arena, name)};
    v->stride = row->conv1d ? rows * row->parts : cols;
    v->row0 = row->part * rows; /* of a fused bias: its slice of the vector */
    return v->name ? PP_OK : PP_ENOMEM;
}

static pp_status bind_row(pp_lm *lm, const family *f, const name_row *row, uint32_t layer, const char *prefix)
{
    char name[160];
    uint64_t rows, cols;
    if (!pp_lm_dims(&lm->config, row->kind, &rows, &cols))
        return PP_OK;
    if (row->kind == PP_LM_HEAD && lm->config.tied) {
        *pp_lm_view_(lm, 0, PP_LM_HEAD) = *pp_lm_view_(lm, 0, PP_LM_EMBED);
        return PP_OK;
    }
    if (row->kind == PP_LM_HEAD)
        snprintf(name, sizeof name, "%s", row->name);
    else if (pp_lm_is_global(row->kind))
        snprintf(name, sizeof name, "%s%s", prefix, row->name);
    else
        snprintf(name, sizeof name, "%s%s%u.%s", prefix, f->layers, layer, row->name);
    return bind(lm, row, layer, name);
}

/* Some checkpoints hold the model without the class around it: no prefix. */
static const char *prefix_of(const pp_lm *lm, const family *f)
{
    char name[80];
    pp_tensor t;
    const char *file;
    for (size_t i = 0; i < f->n; i++) {
        if (f->names[i].kind == PP_LM_EMBED) {
            snprintf(name, sizeof name, "%s", f->names[i].name);
            return find(lm, name, &t, &file) ? "" : f->prefix;
        }
    }
    return f->prefix;
}

static pp_status bind_all(pp_lm *lm, const family *f)
{
    const char *prefix = prefix_of(lm, f);
    PP_TRY(pp_lm_make_views_(lm));
    for (size_t i = 0; i < f->n; i++)
        for (uint32_t l = 0; l < (pp_lm_is_global(f->names[i].kind) ? 1 : lm->config.layers); l++)
            PP_TRY(bind_row(lm, f, &f->names[i], l, prefix));
    return PP_OK;
}

/* A config.json that says nothing about tying and has no head of its own means tied. */
static void guess_tying(pp_lm *lm, const pp_node *root)
{
    pp_tensor t;
    const char *file;
    if (!pp_node_get(root, "tie_word_embeddings") && !find(lm, "lm_head.weight", &t, &file))
        lm->config.tied = true;
}

static pp_status open_with_config(pp_lm *lm, const pp_node *root)
{
    PP_TRY(pp_hf_config_(&lm->config, root));
    if (lm->config.shapes_only)
        return pp_fail_at(PP_EUNSUPPORTED, root->file, 0, "weights of a %s model cannot be read, only its shape",
                          lm->config.model_type);
    PP_TRY(open_shards(lm, lm->folder));
    guess_tying(lm, root);
    return bind_all(lm, lm->config.position_kind == PP_LM_POSITIONS_LEARNED ? &gpt2_family : &llama_family);
}

pp_status pp_lm_open_hf_(pp_lm *lm, const char *folder)
{
    pp_doc *doc = NULL;
    char *path = pp_path_join(folder, "config.json");
    if (!path)
        return PP_ENOMEM;
    pp_status status = pp_file_exists(path) ? pp_doc_read_json(&doc, path)
                                            : pp_fail(PP_ENOTFOUND, "%s: holds no config.json", folder);
    if (status == PP_OK)
        status = open_with_config(lm, pp_doc_root(doc));
    pp_doc_free(doc);
    free(path);
    return status;
}
