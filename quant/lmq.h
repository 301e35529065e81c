/* quant/lmq.h: language models in 4 bits: norms fused, rotations in place, weights as codes, activations and
 * KV cache rounded as the executor runs.
 *
 *   pp_lm (float)  ->  pp_lmq  ->  pp_lm_source + pp_lm_hooks for pp_lm_exec
 *
 * Placement (PAPER: quarot2024, spinquant2024, kurtail2025): R1 on the residual stream, R2 of each KV head
 * between v and o, R3 (Hadamard, online) on q and k after RoPE, R4 (Hadamard, online) in front of down_proj.
 * R1 and R2 are folded into the weights, as are norm scales (in double) and LayerNorm's mean; the head is
 * untied from the embedding. docs/rotations.md has the whole picture. */
#ifndef PP_QUANT_LMQ_H
#define PP_QUANT_LMQ_H

#include "quant/number.h"
#include "quant/rotation.h"
#include "workloads/lm.h"

typedef enum pp_lmq_method { PP_LMQ_RTN, PP_LMQ_QUAROT, PP_LMQ_KURTAIL } pp_lmq_method;

typedef struct pp_lmq_options {
    int method;             /* pp_lmq_method: no rotation, random Hadamard, learned */
    bool gptq;              /* weights by GPTQ, else round to nearest */
    bool online;            /* R3 and R4; false: neither, and down_proj keeps 8 bits of weights and activations */
    uint32_t wbits, abits, kvbits; /* 2..8; 16: float */
    const char *format;     /* number format of weights; NULL: integers of wbits */
    uint32_t wgroup, agroup;       /* columns that share a scale; 0: a row / a token */
    uint32_t kvgroup;              /* 0: head_dim */
    bool clip;              /* clip search of weights, default true */
    bool act_asymmetric;    /* default false */
    bool act_static;        /* one range a layer and place, from the calibration text */
    double act_clip, kv_clip;      /* 0.9, 0.95 */
    double smooth;          /* > 0: SmoothQuant's alpha, without rotation only. PAPER: smoothquant2022 */
    bool act_order, static_groups;
    uint64_t seed;
    pp_learn_options learn;
    uint32_t window;         /* tokens of a calibration window, 512 */
    uint32_t calib_windows;  /* spread over the text, 64 */
    const char *resume;      /* folder of an earlier run of the same settings: its learned rotations are taken.
                                Not part of the settings; NULL, or a folder that may be absent */
} pp_lmq_options;
pp_lmq_options pp_lmq_defaults(void);
/* Whether a model can be quantized so: for those who work before pp_lmq_new, which asks it too. */
pp_status pp_lmq_check(const pp_lm_config *config, const pp_lmq_options *o);
/* Executors that run beside quantization: at most 1 GiB of weights and 640 MiB of scratch, so that the whole stays
 * below 3 GB on models of 8 billion parameters whatever the number of threads. */
pp_lm_exec_options pp_lmq_exec_options(pp_pool *pool);

/* "quarot-gptq" -> method and whether weights go through GPTQ; PP_EUSAGE lists what there is. */
pp_status pp_lmq_method_parse(const char *text, int *method, bool *gptq);

/* Settings of section "quant" that say how language models are quantized. */
typedef struct pp_lmq_settings {
    const char *method;
    int64_t learn_steps;
} pp_lmq_settings;
pp_knob_table pp_lmq_knobs(void);

/* Quality of one linear layer. */
typedef struct pp_lmq_layer {
    uint32_t layer;
    char name[24];
    uint32_t bits;
    double weight_sqnr_db;
    double weight_error;                 /* sum of squared errors */
    double kurtosis_before, kurtosis_after;     /* of its input, before and after rotation */
    double max_over_rms_before, max_over_rms_after;
    double input_sqnr_db;                /* of its quantized input */
} pp_lmq_layer;

/* What calibration saw of the float model with fused norms; shared by all methods and seeds. */
typedef struct pp_lmq_calib pp_lmq_calib;
typedef struct pp_lmq pp_lmq;

/* Runs the float model a layer at a time over calib_windows windows of the text and keeps a sample of rows
 * of each block's inputs, of v, and of the inputs of o_proj and down_proj: at most about 256 MiB. Needs at
 * least one window of 2 tokens. progress: one step a layer. */
pp_status pp_lmq_calibrate(pp_lmq_calib **out, const pp_lm *lm, const pp_lmq_options *o, const uint32_t *tokens,
                           size_t n_tokens, pp_pool *pool, pp_progress *progress);
/* The same beside a folder to be written: kept there as long as it is not finished, and taken from there (*kept, no step of
 * progress) when model, text and windows are the same. dir NULL: as above. */
pp_status pp_lmq_calibrate_in(pp_lmq_calib **out, bool *kept, const pp_lm *lm, const pp_lmq_options *o, const uint32_t *tokens,
                              size_t n_tokens, const char *dir, pp_pool *pool, pp_progress *progress);
void pp_lmq_calib_free(pp_lmq_calib *calib);

/* Fused and rotated model without codes. lm, calib: borrowed; calib may be NULL unless method KURTAIL, smooth
 * or statistics need it. progress: one step each step of learning. */
pp_status pp_lmq_new(pp_lmq **out, const pp_lm *lm, const pp_lmq_options *o, const pp_lmq_calib *calib,
                     pp_pool *pool, pp_progress *progress);
void pp_lmq_free(pp_lmq *q);
/* Steps of progress that pp_lmq_new and pp_lmq_quantize take. */
size_t pp_lmq_learn_steps(const pp_lm *lm, const pp_lmq_options *o);
/* max |difference| / max |logit| of the float logits before and after all rotations, on the first `n` tokens.
 * progress (NULL allowed): two steps a layer. */
pp_status pp_lmq_invariance(pp_lmq *q, const uint32_t *tokens, uint32_t n, pp_progress *progress, double *error);

/* Codes of all linear layers but the head. dir NULL: kept in memory. Else each layer is written to
 * dir/layer-NNNNN.safetensors as soon as it is done, whole or not at all, and forgotten; layers that are
 * there from an earlier run of the same settings are not done again. progress: pp_lmq_quantize_steps. */
pp_status pp_lmq_quantize(pp_lmq *q, const uint32_t *calib_tokens, size_t n_tokens, const char *dir, bool force,
                          pp_progress *progress);
/* A step a layer, and one each file of embedding and head. */
size_t pp_lmq_quantize_steps(const pp_lmq *q, bool folder);
/* A folder that pp_lmq_quantize has finished. */
pp_status pp_lmq_open(pp_lmq **out, const char *dir, pp_pool *pool);
bool pp_lmq_is_folder(const char *path);
/* Widths of such a folder from its settings alone (16: float); online (NULL allowed): R3 and R4 at run time. */
pp_status pp_lmq_bits(const char *dir, uint32_t *wbits, uint32_t *abits, uint32_t *kvbits, bool *online);

const pp_lm_config *pp_lmq_config(const pp_lmq *q);
const pp_lmq_options *pp_lmq_options_of(const pp_lmq *q);
/* Dequantized weights and the online operators with their quantizers. Valid while q lives. */
pp_lm_source pp_lmq_source(const pp_lmq *q);
pp_lm_hooks pp_lmq_hooks(const pp_lmq *q);
/* Keys and values as codes of kvbits, packed, each head (or kvgroup of it) with a scale and a zero point: what the hooks
 * leave, to the bit. bytes 0 where kvbits is 16. */
struct pp_lm_cache_codec;
void pp_lmq_cache_codec(const pp_lmq *q, struct pp_lm_cache_codec *out);
/* Rows of quality; pooled kurtosis of all block inputs before and after R1. */
const pp_lmq_layer *pp_lmq_layers(const pp_lmq *q, size_t *n);
void pp_lmq_kurtosis(const pp_lmq *q, double *before, double *after);
/* "Paley I, q = 27; x 2^4" of the online transforms; "" without. */
const char *pp_lmq_online(const pp_lmq *q, int which); /* 3 or 4 */

#endif
