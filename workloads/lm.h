/* Language models: what a transformer is made of, where its weights are, and the float reference.
 *
 * Three parts that can be used apart:
 *   pp_lm_config   dimensions and variants; made from a name (no weights) or from a model on disk
 *   pp_lm          a model on disk: tensors as views of memory-mapped files, read row by row
 *   pp_lm_exec     float executor; takes weights from any source and shows its activations to hooks
 *
 * Everything is row-major. A linear layer is a matrix [out][in] (y = W x + b) whatever its layout on
 * disk. Activations are [tokens][width]; heads stand one after the other in a row: [tokens][heads][head_dim].
 * Token ids are uint32_t below `vocab`. docs/language-models.md has the whole picture. */
#ifndef PP_WORKLOADS_LM_H
#define PP_WORKLOADS_LM_H

#include "base/base.h"
#include "workloads/network.h"

/* ---- what a model is ---- */

typedef enum pp_lm_norm { PP_LM_NORM_RMS, PP_LM_NORM_LAYER } pp_lm_norm;
typedef enum pp_lm_act {
    PP_LM_ACT_SILU,
    PP_LM_ACT_GELU,      /* x Phi(x) by erf */
    PP_LM_ACT_GELU_TANH, /* its tanh form ("gelu_new", "gelu_pytorch_tanh") */
    PP_LM_ACT_RELU,
    PP_LM_ACT_COUNT
} pp_lm_act;
typedef enum pp_lm_positions {
    PP_LM_POSITIONS_ROPE,
    PP_LM_POSITIONS_LEARNED,
    PP_LM_POSITIONS_ALIBI /* a slope times the distance, added to each score (shapes only) */
} pp_lm_positions;
/* Where a block's norms stand. */
typedef enum pp_lm_norm_place {
    PP_LM_NORMS_BEFORE,  /* in front of attention and feed-forward layer (Llama, GPT-2, ViT) */
    PP_LM_NORMS_AFTER,   /* behind the additions, and one behind the embedding (BERT) */
    PP_LM_NORMS_BRANCH,  /* of what is going to be added: behind o_proj and down_proj (OLMo 2) */
    PP_LM_NORMS_SANDWICH /* before and branch: four a block (Gemma 2) */
} pp_lm_norm_place;
/* Parameters of a LayerNorm. */
typedef enum pp_lm_norm_terms { PP_LM_NORM_GAIN_BIAS, PP_LM_NORM_GAIN, PP_LM_NORM_PLAIN } pp_lm_norm_terms;
typedef enum pp_lm_parallel {
    PP_LM_SERIAL,             /* the feed-forward layer reads what attention was added to */
    PP_LM_PARALLEL,           /* both read the block's input through one norm (GPT-J, Falcon-7B, Phi-2) */
    PP_LM_PARALLEL_TWO_NORMS, /* through a norm each (GPT-NeoX, Falcon-40B) */
} pp_lm_parallel;
typedef enum pp_lm_rope_kind {
    PP_LM_ROPE_PLAIN,
    PP_LM_ROPE_LINEAR,  /* positions / factor */
    PP_LM_ROPE_DYNAMIC, /* NTK: the base grows with windows longer than original_positions */
    PP_LM_ROPE_LLAMA3,  /* low frequencies divided by factor, high ones kept, smooth between */
    PP_LM_ROPE_YARN,
    PP_LM_ROPE_COUNT
} pp_lm_rope_kind;

typedef struct pp_lm_rope {
    pp_lm_rope_kind kind;
    double theta;
    uint32_t rotary_dim; /* first dimensions of a head that are rotated; even, <= head_dim */
    bool interleaved;    /* pairs (0,1) (2,3) ... (llama2.c); else halves (i, i + rotary_dim / 2) */
    double factor;
    double original_positions; /* dynamic, llama3, yarn */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double beta_fast, beta_slow;              /* yarn */
    double attention_factor;                  /* yarn: cos and sin times this */
    bool truncate;                            /* yarn: correction range in whole dimensions */
} pp_lm_rope;

/* Every parameter tensor of a model has a kind; of those below PP_LM_EMBED each layer has its own. */
typedef enum pp_lm_kind {
    PP_LM_ATTN_NORM,      /* [hidden]: before q, k, v */
    PP_LM_ATTN_NORM_BIAS, /* LayerNorm models */
    PP_LM_Q,              /* [heads head_dim][hidden] */
    PP_LM_K,              /* [kv_heads head_dim][hidden] */
    PP_LM_V,
    PP_LM_O,              /* [hidden][heads head_dim] */
    PP_LM_Q_BIAS,
    PP_LM_K_BIAS,
    PP_LM_V_BIAS,
    PP_LM_O_BIAS,
    PP_LM_Q_NORM, /* [head_dim]: RMSNorm of each head of q and k before RoPE (Qwen3); [heads head_dim]: of all (OLMo 2) */
    PP_LM_K_NORM,
    PP_LM_FFN_NORM, /* [hidden] */
    PP_LM_FFN_NORM_BIAS,
    PP_LM_GATE, /* [ffn][hidden]; absent unless gated */
    PP_LM_UP,   /* [ffn][hidden] */
    PP_LM_DOWN, /* [hidden][ffn] */
    PP_LM_GATE_BIAS,
    PP_LM_UP_BIAS,
    PP_LM_DOWN_BIAS,
    PP_LM_EMBED,     /* [vocab][hidden] */
    PP_LM_POSITION,  /* [positions][hidden]: learned positions */
    PP_LM_FINAL_NORM,
    PP_LM_FINAL_NORM_BIAS,
    PP_LM_HEAD, /* [vocab][hidden]; of a tied model the embedding is read; of encoders: that of masked tokens */
    PP_LM_HEAD_BIAS,
    PP_LM_KIND_COUNT
} pp_lm_kind;
#define PP_LM_KIND_BIT(kind) (UINT32_C(1) << (kind))

typedef struct pp_lm_config {
    char name[64];       /* built-in name, or last component of the path */
    char model_type[32]; /* "llama", "qwen2", "gpt2" ... */
    uint32_t layers, hidden, ffn, heads, kv_heads, head_dim, vocab;
    uint32_t positions;  /* longest context that the model was made for */
    pp_lm_norm norm;
    double norm_eps;
    pp_lm_act act;
    bool gated;          /* down(act(gate x) * up x), else down(act(up x)) */
    bool causal;         /* false: encoder (shapes only) */
    bool tied;           /* head shares the embedding */
    pp_lm_positions position_kind;
    pp_lm_rope rope;
    uint32_t biases;     /* PP_LM_KIND_BIT of each *_BIAS tensor of linear layers that is there */
    bool qk_norm;
    uint32_t window;     /* sliding attention: a token sees the last `window` tokens, itself included; 0: all */
    uint32_t window_first_layer; /* layers below it see all */
    uint32_t experts, experts_per_token; /* 0: dense. A layer then has that many gate, up, down and a router */
    uint64_t other_parameters; /* outside the tensors above (pooler, patch embedding ...), shapes only */
    uint32_t patch_values, classes; /* vision encoders: inputs of the patch projection, outputs of the classifier */
    bool pooler;         /* encoders: hidden x hidden and tanh on a sequence's first token (BERT), in front of the classifier */
    bool classify_each;  /* the classifier reads every token; else the first of a sequence alone */
    /* What the executor does not know (shapes only); 0 and false elsewhere. */
    bool shapes_only;    /* weights of this family cannot be read */
    pp_lm_norm_place norm_place;
    pp_lm_norm_terms norm_terms;
    pp_lm_parallel parallel;
    bool embed_norm;     /* a LayerNorm behind the embedding (BLOOM; of models with norms after, always) */
    bool qk_norm_whole;  /* qk_norm over all heads at once */
    bool cap_scores, cap_logits; /* c tanh(x / c) of scores and logits (Gemma 2) */
    uint32_t window_period; /* of so many layers the last sees all tokens (Gemma 2: 2, Gemma 3: 6); 0: window_first_layer alone */
    uint32_t shared_ffn; /* mixtures: width of a gated expert that every token takes; 0: none */
    bool shared_gate;    /* and a sigmoid of one more score that scales it */
    bool shared_layers;  /* parameters of all layers are the same tensors (ALBERT); crossbars hold a copy each */
    uint32_t embed_width; /* of the embedding, in front of a matrix to `hidden`; 0: hidden */
    bool masked_head;    /* encoders: dense, GELU, norm and a vocabulary wide head on every token */
    bool two_classifiers; /* of the class token and the distillation token behind it, averaged (DeiT) */
    bool pooler_relu;    /* ReLU instead of tanh (DistilBERT) */
} pp_lm_config;

/* Invariants (sizes > 0 and below 2^20, heads a multiple of kv_heads, even rotary_dim ...); one line. */
pp_status pp_lm_config_check(const pp_lm_config *config);
/* Rows and columns of a tensor (vectors: rows 1); false and 0 when the model has none. */
bool pp_lm_dims(const pp_lm_config *config, pp_lm_kind kind, uint64_t *rows, uint64_t *cols);
/* q, k, v, o, gate, up, down, head. */
bool pp_lm_is_linear(pp_lm_kind kind);
bool pp_lm_is_global(pp_lm_kind kind);         /* embedding, final norm, head ...: one a model */
const char *pp_lm_kind_name(pp_lm_kind kind);  /* "q_proj", "down_proj.bias", "embed_tokens" ... */
pp_lm_kind pp_lm_bias_of(pp_lm_kind linear);   /* PP_LM_Q -> PP_LM_Q_BIAS */
/* Learned parameters (tied head counted once), multiply-accumulates of the linear layers a token (routed
 * experts only; without attention products), and those of attention for a token with `context` tokens
 * before and including it. */
uint64_t pp_lm_parameters(const pp_lm_config *config);
uint64_t pp_lm_linear_macs(const pp_lm_config *config);
uint64_t pp_lm_attention_macs(const pp_lm_config *config, uint64_t context);
/* Bytes of keys and values of one token in all layers at `bits` a value (scales not counted). */
uint64_t pp_lm_kv_bytes(const pp_lm_config *config, uint32_t bits);

/* Shapes by name, no weights: "llama3-8b", "gpt2" ... PP_ENOTFOUND names the nearest. */
pp_status pp_lm_shape(pp_lm_config *out, const char *name);
const char *pp_lm_shape_name(size_t i, const char **summary); /* NULL past the end */

/* ---- a model on disk ---- */

typedef struct pp_lm pp_lm;

/* MODEL: a built-in name with weights (bytellama-7m, bytellama-odd), a Hugging Face folder (config.json with
 * model.safetensors, or model.safetensors.index.json and its shards), or a llama2.c file (.bin). Every
 * tensor that the architecture needs must be there in its shape; values are not read yet. O(tensors). */
pp_status pp_lm_open(pp_lm **out, const char *model);
void pp_lm_close(pp_lm *lm); /* NULL allowed */
/* Whether MODEL names one of these (a name, a folder with config.json, a .bin file). Opens nothing. */
bool pp_lm_is_model(const char *model);
const pp_lm_config *pp_lm_config_of(const pp_lm *lm);
const char *pp_lm_folder(const pp_lm *lm); /* where tokenizer files would be */
/* SHA-256 over names and hashes of all weight files (reads them all). */
pp_status pp_lm_sha256(const pp_lm *lm, char hex[65]);
/* Configuration from a config.json alone. */
pp_status pp_lm_config_read(pp_lm_config *out, const char *config_json);
/* Built-in names with a word on each, those with weights first; NULL past the end. */
const char *pp_lm_name(size_t i, const char **summary, bool *has_weights);
/* Whether MODEL is a language model at all: pp_lm_is_model (folders that `quantize` wrote, too), the name of a shape,
 * or a path to a config.json, or to a file .json under another name with a key model_type. */
bool pp_lm_is_known(const char *model);
/* Configuration of any of these; has_weights (NULL allowed): pp_lm_open would open it, or pp_lmq_open (quant/lmq.h) the
 * folder that `quantize` wrote. */
pp_status pp_lm_find(pp_lm_config *out, bool *has_weights, const char *model);

/* Rows [first, first + n) of a tensor as float into out[n][cols]; layer is ignored for global kinds.
 * Refuses values that are not finite, naming file and tensor. The mapped pages are given back
 * afterwards, so resident memory stays at what the caller holds. Thread-safe. */
pp_status pp_lm_load_rows(const pp_lm *lm, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out);
pp_status pp_lm_load(const pp_lm *lm, uint32_t layer, pp_lm_kind kind, float *out); /* all rows */
/* Walks all tensors, a layer at a time, and refuses values that are not finite. progress: NULL allowed,
 * one step a layer. */
pp_status pp_lm_check(const pp_lm *lm, pp_progress *progress);

/* ---- float executor ---- */

/* Where weights come from: pp_lm_load_rows of a model, or anything else (rotated, quantized, random).
 * rows [first, first + n) -> out[n][cols]. Called for one tensor at a time, from one thread. */
typedef struct pp_lm_source {
    pp_status (*load)(void *payload, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out);
    void *payload;
} pp_lm_source;
pp_lm_source pp_lm_source_of(const pp_lm *lm);

/* Places where activations can be observed and changed in place, in the order in which a layer comes
 * by them. K and V stand for the values that attention uses: what is written to the KV cache is what
 * is left in x after the *_CACHE site. */
typedef enum pp_lm_site {
    PP_LM_SITE_EMBED,    /* [rows][hidden] residual stream behind the embedding */
    PP_LM_SITE_ATTN_IN,  /* [rows][hidden] after the norm, before q, k, v */
    PP_LM_SITE_Q,        /* [rows][heads][head_dim] after bias, q-norm and RoPE */
    PP_LM_SITE_K,        /* [rows][kv_heads][head_dim] after bias, k-norm and RoPE */
    PP_LM_SITE_V,        /* [rows][kv_heads][head_dim] */
    PP_LM_SITE_K_CACHE,  /* as K, behind it: quantize here */
    PP_LM_SITE_V_CACHE,
    PP_LM_SITE_O_IN,     /* [rows][heads][head_dim] before o_proj */
    PP_LM_SITE_FFN_IN,   /* [rows][hidden] after the norm, before gate and up */
    PP_LM_SITE_DOWN_IN,  /* [rows][ffn] before down_proj */
    PP_LM_SITE_RESIDUAL, /* [rows][hidden] residual stream behind the layer */
    PP_LM_SITE_HEAD_IN,  /* [rows][hidden] after the final norm; layer = layers */
    PP_LM_SITE_COUNT
} pp_lm_site;
#define PP_LM_SITE_BIT(site) (UINT32_C(1) << (site))
const char *pp_lm_site_name(pp_lm_site site); /* "attn_in" ... */

typedef struct pp_lm_activation {
    pp_lm_site site;
    uint32_t layer;
    size_t window;  /* index in the batch */
    size_t row;     /* of x[0] in the batch's rows (pp_lm_batch) */
    unsigned worker;
    uint32_t rows, width;
    uint32_t heads; /* parts of a row: heads, kv_heads, or 1 */
    float *x;       /* [rows][width], may be changed in place */
} pp_lm_activation;

/* All may be left zero. Callbacks come from several workers at once, one window by one worker. */
typedef struct pp_lm_hooks {
    pp_status (*activation)(void *payload, const pp_lm_activation *a);
    uint32_t sites; /* PP_LM_SITE_BIT of those wanted */
    /* y[rows][out] = W x in place of the float product, for the linear kinds wanted; the bias is added
     * by the executor. Weights of these kinds are not loaded. */
    pp_status (*product)(void *payload, uint32_t layer, pp_lm_kind kind, unsigned worker, const float *x,
                         uint32_t rows, float *y);
    uint32_t products; /* PP_LM_KIND_BIT of those wanted */
    void *payload;
} pp_lm_hooks;

/* Windows of tokens, each a sequence of its own that begins at position 0. Hidden states of a batch are
 * [rows][hidden], rows = sum of the windows' lengths, in the order of the windows. */
typedef struct pp_lm_window {
    size_t first; /* index of its first token in `tokens` */
    size_t row;   /* index of its first row: sum of the lengths before */
    uint32_t n;   /* > 0 */
} pp_lm_window;
typedef struct pp_lm_batch {
    const uint32_t *tokens;
    const pp_lm_window *windows;
    size_t n_windows, n_rows;
} pp_lm_batch;

/* Cuts n_tokens into windows of `window` tokens that begin every `stride` tokens; the last may be
 * shorter. New array of *n windows. window >= 2, 1 <= stride <= window. */
pp_status pp_lm_windows(pp_lm_window **out, size_t *n, size_t n_tokens, uint32_t window, uint32_t stride);

typedef struct pp_lm_exec pp_lm_exec;
typedef struct pp_lm_exec_options {
    pp_pool *pool;       /* NULL: one thread. Results do not depend on it */
    size_t weight_bytes; /* weights kept in memory when all layers fit; 0: 2 GiB. Else a layer at a time */
    size_t scratch_bytes; /* of all workers; fewer windows run at once where it is short. At least one. 0: no limit */
    bool stepwise;       /* each token as if it came alone (workloads/lm_step.h): slower, other orders of sums */
} pp_lm_exec_options;

/* The configuration is copied; it may differ from that on disk (norms fused, head untied, biases that
 * folding has made), as long as the source delivers its tensors. hooks, options: NULL allowed. */
pp_status pp_lm_exec_new(pp_lm_exec **out, const pp_lm_config *config, const pp_lm_source *source,
                         const pp_lm_hooks *hooks, const pp_lm_exec_options *options);
void pp_lm_exec_free(pp_lm_exec *exec); /* NULL allowed */
void pp_lm_exec_set_hooks(pp_lm_exec *exec, const pp_lm_hooks *hooks); /* NULL: none; weights stay loaded */
/* Forgets the loaded weights of a layer (layer = layers: the global ones), so that the source is asked
 * again. */
void pp_lm_exec_drop(pp_lm_exec *exec, uint32_t layer);

/* Token ids -> hidden[rows][hidden] (with positions where they are learned). */
pp_status pp_lm_exec_embed(pp_lm_exec *exec, const pp_lm_batch *batch, float *hidden);
/* One layer: in[rows][hidden] -> out, which may be `in`, or NULL to throw the result away (hooks have
 * seen it). Its weights are loaded once for the whole batch. */
pp_status pp_lm_exec_layer(pp_lm_exec *exec, uint32_t layer, const pp_lm_batch *batch, const float *in, float *out);
/* Final norm and head on all rows: logits[rows][vocab]. */
pp_status pp_lm_exec_head(pp_lm_exec *exec, const pp_lm_batch *batch, const float *hidden, float *logits);
/* The same, keeping only nll[rows]: -ln p(next token of the window); 0 for its last row. The head is
 * read slice by slice when it does not fit weight_bytes; that changes no bit. */
pp_status pp_lm_exec_nll(pp_lm_exec *exec, const pp_lm_batch *batch, const float *hidden, double *nll);
/* embed, all layers, head. */
pp_status pp_lm_exec_logits(pp_lm_exec *exec, const pp_lm_batch *batch, float *logits);

/* Slow and obvious: naive loops in double, one window, no hooks. logits[n][vocab]. */
pp_status pp_lm_ref_logits(const pp_lm_config *config, const pp_lm_source *source, const uint32_t *tokens, uint32_t n,
                           float *logits);

/* ---- evaluation ---- */

typedef struct pp_lm_eval_options {
    uint32_t window, stride;   /* tokens; 0: 512 and stride = window */
    size_t hidden_bytes;       /* memory for hidden states; 0: 256 MiB. More: layers are loaded less often */
    pp_progress *progress;     /* NULL allowed; one step a layer and batch of windows */
} pp_lm_eval_options;
typedef struct pp_lm_eval {
    uint64_t tokens, scored_tokens, scored_bytes;
    double nll;           /* sum in nats */
    double perplexity;    /* exp(nll / scored_tokens) */
    double bits_per_byte; /* nll / ln 2 / scored_bytes */
} pp_lm_eval;
/* Each window starts fresh. Its first token is not scored, nor is any token that an earlier window has
 * scored (stride < window). bytes[i]: length of token i in the text; NULL: 1 each. At least 2 tokens. */
pp_status pp_lm_evaluate(pp_lm_eval *out, pp_lm_exec *exec, const uint32_t *tokens, const uint16_t *bytes,
                         size_t n_tokens, const pp_lm_eval_options *options);

#endif
