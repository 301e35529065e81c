/* llama2.c checkpoints (.bin): a header of 32-bit integers, then tensors kind by kind, all layers of a
 * kind together. Version 0 has no magic number; version 1 is float as well; version 2 holds groups of
 * int8 with one float scale each. Pairs of RoPE stand side by side in all of them. */
#include "workloads/lm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x616b3432u /* "ak42" */
#define HEADER_BYTES 256u /* versions 1 and 2 */

typedef struct reader {
    pp_lm *lm;
    uint64_t at;
    uint32_t group; /* version 2; else 0 */
} reader;

static int32_t read_i32(const pp_file *f, uint64_t at)
{
    int32_t value;
    memcpy(&value, f->data + at, sizeof value);
    return value;
}

static pp_status truncated(const pp_lm *lm, uint64_t need)
{
    return pp_fail(PP_EFORMAT, "%s: %zu bytes; a llama2.c checkpoint of its header needs %llu", lm->bin->path,
                   lm->bin->size, (unsigned long long)need);
}

static pp_status read_tensor(reader *r, uint32_t layer, pp_lm_kind kind, const char *name, bool quantized)
{
    pp_lm_view *v = pp_lm_view_(r->lm, layer, kind);
    uint64_t rows, cols;
    pp_lm_dims(&r->lm->config, kind, &rows, &cols);
    const uint64_t count = rows * cols, codes = quantized ? count : count * sizeof(float);
    const uint64_t scales = quantized ? count / r->group * sizeof(float) : 0;
    if (r->lm->bin->size < r->at || r->lm->bin->size - r->at < codes + scales)
        return truncated(r->lm, r->at + codes + scales);
    *v = (pp_lm_view){.data = r->lm->bin->data + r->at, .dtype = quantized ? PP_DTYPE_I8 : PP_DTYPE_F32,
                      .stride = cols, .rows = rows, .cols = cols, .name = name, .file = r->lm->bin->path};
    if (quantized) {
        v->scales = v->data + codes;
        v->group = r->group;
    }
    r->at += codes + scales;
    return PP_OK;
}

static pp_status read_kind(reader *r, pp_lm_kind kind, const char *name, bool quantized)
{
    const uint32_t n = pp_lm_is_global(kind) ? 1 : r->lm->config.layers;
    for (uint32_t l = 0; l < n; l++)
        PP_TRY(read_tensor(r, l, kind, name, quantized));
    return PP_OK;
}

static const struct {
    pp_lm_kind kind;
    const char *name;
} matrices[] = {{PP_LM_Q, "wq"}, {PP_LM_K, "wk"},   {PP_LM_V, "wv"},  {PP_LM_O, "wo"},
                {PP_LM_GATE, "w1"}, {PP_LM_DOWN, "w2"}, {PP_LM_UP, "w3"}};
#define N_MATRICES (sizeof matrices / sizeof *matrices)

static pp_status read_matrices(reader *r, size_t first, size_t end, bool quantized)
{
    for (size_t i = first; i < end; i++)
        PP_TRY(read_kind(r, matrices[i].kind, matrices[i].name, quantized));
    return PP_OK;
}

static pp_status read_head(reader *r, bool quantized)
{
    if (!r->lm->config.tied)
        return read_kind(r, PP_LM_HEAD, "wcls", quantized);
    *pp_lm_view_(r->lm, 0, PP_LM_HEAD) = *pp_lm_view_(r->lm, 0, PP_LM_EMBED);
    return PP_OK;
}

/* Norms stand between the matrices, and tables of cosines and sines before the head. */
static pp_status read_version0(reader *r)
{
    const pp_lm_config *c = &r->lm->config;
    PP_TRY(read_kind(r, PP_LM_EMBED, "token_embedding_table", false));
    PP_TRY(read_kind(r, PP_LM_ATTN_NORM, "rms_att_weight", false));
    PP_TRY(read_matrices(r, 0, 4, false));
    PP_TRY(read_kind(r, PP_LM_FFN_NORM, "rms_ffn_weight", false));
    PP_TRY(read_matrices(r, 4, N_MATRICES, false));
    PP_TRY(read_kind(r, PP_LM_FINAL_NORM, "rms_final_weight", false));
    r->at += (uint64_t)c->positions * c->head_dim * sizeof(float);
    if (r->at > r->lm->bin->size)
        return truncated(r->lm, r->at);
    return read_head(r, false);
}

static pp_status read_later(reader *r)
{
    const bool quantized = r->group > 0;
    PP_TRY(read_kind(r, PP_LM_ATTN_NORM, "attention_norm", false));
    PP_TRY(read_kind(r, PP_LM_FFN_NORM, "ffn_norm", false));
    PP_TRY(read_kind(r, PP_LM_FINAL_NORM, "norm", false));
    PP_TRY(read_kind(r, PP_LM_EMBED, "tok_embeddings", quantized));
    PP_TRY(read_matrices(r, 0, N_MATRICES, quantized));
    return read_head(r, quantized);
}

/* dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, max_seq_len. */
static pp_status read_sizes(pp_lm *lm, uint64_t at)
{
    pp_lm_config *c = &lm->config;
    int32_t h[7];
    for (unsigned i = 0; i < 7; i++)
        h[i] = read_i32(lm->bin, at + 4 * i);
    c->tied = h[5] > 0; /* version 0: a negative vocabulary has a head of its own */
    h[5] = h[5] < 0 && at == 0 && h[5] > INT32_MIN ? -h[5] : h[5];
    for (unsigned i = 0; i < 7; i++)
        if (h[i] < 1 || h[i] > (1 << 24))
            return pp_fail(PP_EFORMAT, "%s: not a llama2.c checkpoint: size %u of its header is %d", lm->bin->path, i,
                           (int)h[i]);
    c->hidden = (uint32_t)h[0];
    c->ffn = (uint32_t)h[1];
    c->layers = (uint32_t)h[2];
    c->heads = (uint32_t)h[3];
    c->kv_heads = (uint32_t)h[4];
    c->vocab = (uint32_t)h[5];
    c->positions = (uint32_t)h[6];
    c->head_dim = c->hidden / c->heads;
    if (c->hidden % c->heads != 0)
        return pp_fail(PP_EFORMAT, "%s: width %u is not a multiple of %u heads", lm->bin->path, c->hidden, c->heads);
    snprintf(c->model_type, sizeof c->model_type, "llama2.c");
    c->norm_eps = 1e-5;
    c->gated = c->causal = true;
    c->rope = (pp_lm_rope){.theta = 10000, .rotary_dim = c->head_dim, .interleaved = true, .factor = 1,
                           .attention_factor = 1};
    pp_status status = pp_lm_config_check(c);
    return status == PP_OK ? PP_OK : pp_fail_in(status, lm->bin->path);
}

static pp_status check_group(const pp_lm *lm, int32_t group)
{
    const pp_lm_config *c = &lm->config;
    if (group < 1 || c->hidden % (uint32_t)group != 0 || c->ffn % (uint32_t)group != 0)
        return pp_fail(PP_EFORMAT, "%s: groups of %d do not divide width %u and feed-forward size %u", lm->bin->path,
                       (int)group, c->hidden, c->ffn);
    return PP_OK;
}

static pp_status read_header(reader *r)
{
    pp_lm *lm = r->lm;
    if (lm->bin->size < HEADER_BYTES)
        return pp_fail(PP_EFORMAT, "%s: %zu bytes, too short for a llama2.c checkpoint", lm->bin->path, lm->bin->size);
    if ((uint32_t)read_i32(lm->bin, 0) == MAGIC) {
        const int32_t version = read_i32(lm->bin, 4);
        if (version != 1 && version != 2)
            return pp_fail(PP_EUNSUPPORTED, "%s: llama2.c version %d is not supported; expected 1 or 2",
                           lm->bin->path, (int)version);
        PP_TRY(read_sizes(lm, 8));
        lm->config.tied = lm->bin->data[36] != 0;
        r->at = HEADER_BYTES;
        if (version == 1)
            return PP_OK;
        const int32_t group = read_i32(lm->bin, 37);
        r->group = (uint32_t)group;
        return check_group(lm, group);
    }
    r->at = 7 * sizeof(int32_t);
    return read_sizes(lm, 0);
}

pp_status pp_lm_open_bin_(pp_lm *lm, const char *path)
{
    reader r = {.lm = lm};
    PP_TRY(pp_file_map(&lm->bin, path));
    PP_TRY(read_header(&r));
    PP_TRY(pp_lm_make_views_(lm));
    pp_status status = r.at == HEADER_BYTES ? read_later(&r) : read_version0(&r);
    if (status == PP_OK && r.at != lm->bin->size)
        return pp_fail(PP_EFORMAT, "%s: %llu bytes after the last tensor", path,
                       (unsigned long long)(lm->bin->size - r.at));
    return status;
}
