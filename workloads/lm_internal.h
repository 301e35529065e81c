/* Shared by the files of language models. */
#ifndef PP_WORKLOADS_LM_INTERNAL_H
#define PP_WORKLOADS_LM_INTERNAL_H

#include "workloads/lm.h"
#include "workloads/network_internal.h"
#include "workloads/workloads.h"

#define PP_LM_LAYERS_MAX 4096u

/* ---- tensors on disk ---- */

/* A [rows][cols] matrix inside a mapped file. Row r, column c is element
 * (row0 + r) stride + c, or, transposed (Conv1D of GPT-2), c stride + row0 + r. */
typedef struct pp_lm_view {
    const uint8_t *data; /* NULL: the model has no such tensor */
    const uint8_t *scales; /* llama2.c version 2: a float for each `group` of elements of I8; else NULL */
    uint32_t group;
    pp_dtype dtype;
    bool transposed;
    uint64_t row0, stride, rows, cols;
    const char *name, *file; /* for messages */
} pp_lm_view;

struct pp_lm {
    pp_lm_config config;
    pp_arena *arena;
    char *folder;
    pp_safetensors **shards;
    const char **shard_names;
    size_t n_shards;
    pp_file *bin;      /* llama2.c */
    pp_lm_view *views; /* [layers + 1][PP_LM_KIND_COUNT]; globals in the last row */
};

static inline pp_lm_view *pp_lm_view_(const pp_lm *lm, uint32_t layer, pp_lm_kind kind)
{
    size_t row = pp_lm_is_global(kind) ? lm->config.layers : layer;
    return &lm->views[row * PP_LM_KIND_COUNT + (size_t)kind];
}

/* Elements [first, first + n) of `data` as float; not finite values are passed on. */
void pp_lm_convert_(float *out, const uint8_t *data, pp_dtype dtype, uint64_t first, uint64_t n);
/* Gives the pages that hold [data, data + size) back to the system: they are read again when touched. */
void pp_lm_drop_pages_(const void *data, size_t size);

/* Views of config and files; each fills lm->config and lm->views. */
pp_status pp_lm_open_hf_(pp_lm *lm, const char *folder);
pp_status pp_lm_open_bin_(pp_lm *lm, const char *path);
/* Room for the views of lm->config. */
pp_status pp_lm_make_views_(pp_lm *lm);

/* Reads the values of a config.json; `root` its document. */
pp_status pp_hf_config_(pp_lm_config *out, const pp_node *root);
/* rope_scaling or rope_parameters into out->rope. */
pp_status pp_hf_rope_(pp_lm_config *out, const pp_node *root);

/* ---- executor ---- */

typedef struct pp_lm_simd pp_lm_simd;

/* cos, sin [n][rotary_dim / 2] of positions 0 .. n - 1. */
typedef struct pp_lm_rope_table {
    uint32_t n, half;
    float *cos, *sin;
} pp_lm_rope_table;
/* n: also the length of the window, which dynamic scaling looks at. */
pp_status pp_lm_rope_table_(pp_lm_rope_table *out, const pp_lm_config *config, uint32_t n);
void pp_lm_rope_free_(pp_lm_rope_table *table);
/* x[rows][heads][head_dim] at positions 0 .. rows - 1, in place. */
void pp_lm_rope_apply_(const pp_lm_rope_table *table, const pp_lm_config *config, float *x, uint32_t rows,
                       uint32_t heads);
/* Whether tables differ between window lengths (then a table is good for its own n only). */
bool pp_lm_rope_by_length_(const pp_lm_config *config, uint32_t n);

/* Tensors of one layer, or the global ones, in memory. */
typedef struct pp_lm_weights {
    float *data[PP_LM_KIND_COUNT];
    bool loaded;
} pp_lm_weights;

/* Scratch of one worker, for windows of up to `rows` tokens. */
typedef struct pp_lm_scratch {
    uint32_t rows;
    float *norm, *gate, *up, *scores, *add;
    float *q, *k, *v, *mix; /* inside gate: attention is over when the gate is computed */
    pp_lm_rope_table rope; /* of this window, where tables differ */
} pp_lm_scratch;

struct pp_lm_exec {
    pp_lm_config config;
    pp_lm_source source;
    pp_lm_hooks hooks;
    pp_pool *pool;
    size_t weight_bytes, scratch_bytes;
    bool stepwise;              /* each token as if it came alone */
    bool resident;              /* all layers are kept */
    unsigned lanes;             /* windows that run at once: scratch[0 .. lanes) is in use */
    pp_lm_weights *weights;     /* [layers + 1] */
    pp_lm_scratch *scratch;     /* [threads] */
    pp_lm_rope_table rope;
    const pp_lm_simd *simd;
};

/* Rows of queries that one block of attention takes. */
#define PP_LM_ATTENTION_BLOCK 64u

pp_status pp_lm_load_layer_(pp_lm_exec *exec, uint32_t layer);
pp_status pp_lm_load_globals_(pp_lm_exec *exec, uint32_t kinds);
void pp_lm_weights_free_(pp_lm_weights *w);
/* Room in every worker's scratch, and RoPE tables, for the windows of a batch. */
pp_status pp_lm_prepare_(pp_lm_exec *exec, const pp_lm_batch *batch);
/* One layer on one window, x[n][hidden] in place. */
pp_status pp_lm_block_(pp_lm_exec *exec, uint32_t layer, size_t window, const pp_lm_window *w, unsigned worker,
                       float *x);
/* Causal attention of all heads: mix[n][heads head_dim] from q, k, v; scores: scratch. */
void pp_lm_attention_(const pp_lm_config *config, const pp_lm_simd *simd, uint32_t window, uint32_t n, const float *q, const float *k,
                      const float *v, float *scores, float *mix);
/* The same of queries [begin, begin + rows) alone, whose q and mix come first; k and v begin at token 0. */
void pp_lm_attention_of_(const pp_lm_config *config, const pp_lm_simd *simd, uint32_t window, uint32_t begin, uint32_t rows,
                         const float *q, const float *k, const float *v, float *scores, float *mix);
/* logits[vocab] of one normed row; the globals must be loaded. */
pp_status pp_lm_head_row_(const pp_lm_exec *exec, const float *x, float *logits);
pp_status pp_lm_call_hook_(const pp_lm_exec *exec, pp_lm_site site, uint32_t layer, size_t window,
                           const pp_lm_window *w, unsigned worker, uint32_t width, uint32_t heads, float *x);
/* Window in force in a layer; 0: all tokens. */
uint32_t pp_lm_layer_window_(const pp_lm_config *config, uint32_t layer);

/* ---- kernels ---- */

/* y[rows][out] = x[rows][in] W[out][in]^T, by OpenBLAS, in the calling thread. ldy: row length of y. */
void pp_lm_product_(const float *w, const float *x, uint32_t rows, uint32_t in, uint32_t out, float *y, size_t ldy);
/* Norm of each row; bias may be NULL. out may be x. */
void pp_lm_norm_(const pp_lm_config *config, const float *weight, const float *bias, const float *x, uint32_t rows,
                 uint32_t width, float *out);
void pp_lm_rms_norm_(double eps, const float *weight, const float *x, size_t rows, uint32_t width, float *out);
void pp_lm_add_bias_(const float *bias, float *x, uint32_t rows, uint32_t width);
/* Those that are compiled for each vector unit, equal to the bit. */
struct pp_lm_simd {
    /* x[0 .. n) -> exp(scale (x - max)) / sum. */
    void (*softmax)(float *x, uint32_t n, float scale);
    /* up = act(gate) up, or up = act(up) when gate is NULL. */
    void (*activate)(pp_lm_act act, const float *gate, float *up, size_t n);
};
extern const pp_lm_simd pp_lm_simd_plain_, pp_lm_simd_avx2_, pp_lm_simd_avx512_;
const pp_lm_simd *pp_lm_simd_(pp_cpu level);
/* Running maximum and sum of exp(x - max) over x[n], in double for the sum. */
void pp_lm_log_sum_(const float *x, size_t n, float *max, double *sum);

#endif
