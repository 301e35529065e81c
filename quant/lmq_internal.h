/* Shared by the files of quantized language models. */
#ifndef PP_QUANT_LMQ_INTERNAL_H
#define PP_QUANT_LMQ_INTERNAL_H

#include "quant/lmq.h"

enum { PP_LMQ_KINDS = 7, PP_LMQ_PLACES = 4 }; /* places: inputs of q k v; o; gate up; down */

/* Codes of one matrix. */
typedef struct pp_lmq_tensor {
    uint64_t rows, cols;
    pp_weight_options w;
    uint8_t *code;  /* [rows][cols]; NULL: float */
    float *scale;   /* [rows][groups] */
} pp_lmq_tensor;

struct pp_lmq_calib {
    uint32_t layers, hidden, ffn, heads, kv_heads, head_dim;
    uint64_t text;      /* of the tokens of all windows: a run is taken up with the same text only */
    size_t rows;        /* sampled rows of each place */
    float *place[PP_LMQ_PLACES]; /* [layers][rows][width]; down_proj: fewer rows */
    size_t down_rows;
    float *v;           /* [layers][rows][kv_heads head_dim] */
    float *most;        /* [layers][2][hidden] largest magnitude of each channel, for SmoothQuant */
};

struct pp_lmq {
    const pp_lm *lm;      /* borrowed; NULL: from a folder */
    pp_lm_config source_config, config;
    pp_lmq_options o;
    pp_pool *pool;
    pp_rotation *r1;      /* NULL: identity */
    pp_rotation **r2;     /* [layers][kv_heads]; NULL: identity */
    pp_hadamard *r3, *r4;
    float *smooth;        /* [layers][2][hidden] or NULL */
    float *static_top;    /* [layers][PP_LMQ_PLACES] or NULL */
    pp_lmq_tensor *tensor; /* [layers][PP_LMQ_KINDS] */
    pp_lmq_layer *quality; /* [layers][PP_LMQ_KINDS] */
    double kurtosis_before, kurtosis_after;
    pp_learn_result learned;
    const pp_lmq_calib *calib;
    char *dir;            /* folder that holds the layers, or NULL */
    char *format;
};

/* Before the work: PP_EEXIST when the folder holds a run with other settings. */
pp_status pp_lmq_check_dir_(const pp_lmq *q, const char *dir);
/* Beside a folder that is not finished (o.resume names it): R1 as learned, for a run of the same settings; kept where it can be.
 * Forgotten when all rotations are written, the calibration's sample (`all`) when the folder is complete. */
void pp_lmq_keep_r1_(const pp_lmq *q);
pp_status pp_lmq_kept_r1_(pp_lmq *q, bool *taken);
void pp_lmq_forget_kept_(const char *dir, bool all);

extern const pp_lm_kind pp_lmq_kind_[PP_LMQ_KINDS];
/* Index of a linear kind, or -1. */
int pp_lmq_index_(pp_lm_kind kind);
/* Which input a linear kind reads. */
unsigned pp_lmq_place_(pp_lm_kind kind);
uint32_t pp_lmq_width_(const pp_lm_config *c, unsigned place);

/* The configuration that is left when norms are fused and the head is untied. */
pp_lm_config pp_lmq_fused_config_(const pp_lm_config *c);
/* Whole tensor (or rows of a global one), fused and rotated, float. */
pp_status pp_lmq_fused_(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out);
/* Rows of the float model as they are on disk, read by the whole pool; and a source of them. */
pp_status pp_lmq_float_rows_(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out);
pp_lm_source pp_lmq_float_source_(const pp_lmq *q);
/* Hooks with rotations only (float), or with quantizers too. */
pp_lm_hooks pp_lmq_hooks_(const pp_lmq *q, bool quantizers);
pp_status pp_lmq_rotate_place_(const pp_lmq *q, uint32_t layer, unsigned place, float *x, size_t rows);
void pp_lmq_quantize_place_(const pp_lmq *q, uint32_t layer, unsigned place, float *x, size_t rows);
/* Quantizer of the inputs of a place; of keys and values before they are cached. */
pp_act_options pp_lmq_act_options_(const pp_lmq *q, uint32_t layer, unsigned place);
void pp_lmq_cache_(const pp_lmq *q, const pp_lm_activation *a);
/* Quantizer of weights of a kind; bits 16: false. */
bool pp_lmq_weight_options_(const pp_lmq *q, pp_lm_kind kind, pp_weight_options *out);
/* Windows of the calibration text, spread evenly. */
pp_status pp_lmq_windows_(pp_lm_window **out, size_t *n, const pp_lmq_options *o, size_t n_tokens);
/* Kurtosis and the like of one place before and after, and codes' errors. */
pp_status pp_lmq_input_quality_(pp_lmq *q, uint32_t layer);
pp_status pp_lmq_weight_quality_(pp_lmq *q, uint32_t layer, unsigned index, const float *w);

/* Files (lmq_write.c, lmq_read.c). */
pp_status pp_lmq_begin_dir_(pp_lmq *q, const char *dir, bool force);
pp_status pp_lmq_layer_path_(const pp_lmq *q, uint32_t layer, char **path);
pp_status pp_lmq_write_layer_(pp_lmq *q, uint32_t layer);
pp_status pp_lmq_finish_dir_(pp_lmq *q, pp_progress *progress); /* a step each file of tables */
/* Learned R1 and R2 of a folder with the settings of q; taken: false when it has none. */
pp_status pp_lmq_resume_rotations_(pp_lmq *q, const char *dir, bool *taken);
/* Settings as they stand in settings.json. */
pp_status pp_lmq_settings_(const pp_lmq *q, char **out);
/* Codes of a finished layer back into q->tensor. */
pp_status pp_lmq_read_layer_(pp_lmq *q, uint32_t layer);
void pp_lmq_forget_layer_(pp_lmq *q, uint32_t layer);
pp_status pp_lmq_folder_float_(const pp_lmq *q, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out);
/* Tensors and rows of quality of q->config. */
pp_status pp_lmq_allocate_(pp_lmq *q);

#endif
