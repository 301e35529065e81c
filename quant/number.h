/* quant/number.h: number formats as rows of one table, and the quantizers of weights, activations and
 * KV cache that use them. docs/rotations.md has the whole picture. */
#ifndef PP_QUANT_NUMBER_H
#define PP_QUANT_NUMBER_H

#include "base/base.h"

#include <stddef.h>

/* ---- formats ---- */

typedef enum pp_number {
    PP_INT2, PP_INT3, PP_INT4, PP_INT5, PP_INT6, PP_INT7, PP_INT8, /* two's complement */
    PP_FP4,      /* e2m1 */
    PP_FP8_E4M3, /* OCP: no infinities, largest 448 */
    PP_FP8_E5M2, /* largest finite 57344 */
    PP_NF4,      /* 16 quantiles of a Gaussian. PAPER: qlora2023 */
    PP_MXFP4,    /* e2m1 in blocks of 32 with a power of two each. PAPER: ocpmx2023 */
    PP_NUMBER_COUNT
} pp_number;

typedef struct pp_number_traits {
    const char *name; /* "int4" */
    uint32_t bits;
    bool integer;
    float top;           /* largest magnitude that scales map the largest value to */
    uint32_t block;      /* values that share a scale; 0: a row or a group */
    bool power_of_two;   /* scales are powers of two */
    double budget_db;    /* signal to quantization noise of Gaussian rows of 1,024 at the clip with the
                            least squared error: not below this (tests/quant/test_number.c) */
} pp_number_traits;

const pp_number_traits *pp_number_traits_of(pp_number format);
/* "int4" ...; PP_ENOTFOUND names what there is. */
pp_status pp_number_parse(pp_number *out, const char *name);
/* Integer format of `bits`, 2..8. */
pp_number pp_number_int(uint32_t bits);
/* Value of a code (0 .. 2^bits - 1; integers in two's complement of `bits`), and the code of the value
 * nearest to v (ties to the even code of integers, to the value nearer 0 of others; saturates). */
float pp_number_decode(pp_number format, uint32_t code);
uint32_t pp_number_encode(pp_number format, float v);
/* pp_number_decode(pp_number_encode(v)), faster. */
float pp_number_round(pp_number format, float v);

/* ---- weights: RTN and clip search ---- */

typedef struct pp_weight_options {
    pp_number format;
    uint32_t group;  /* columns that share a scale; 0: a whole row. Formats with blocks have their own */
    bool clip;       /* search the clip p = 1 - i/100, i = 0..79, that minimises sum |error|^norm; else p = 1 */
    double norm;     /* default 2.4 */
} pp_weight_options;
/* Groups of a row of n columns. */
uint32_t pp_weight_groups(const pp_weight_options *o, size_t n);
/* Columns of one group. */
uint32_t pp_weight_group_size(const pp_weight_options *o, size_t n);

/* Scale of one group of n weights. */
float pp_weight_scale(const pp_weight_options *o, const float *w, size_t n);
/* w[rows][cols] -> code[rows][cols] and scale[rows][groups]; value = decode(code) x scale. */
pp_status pp_quantize_rtn(const pp_weight_options *o, pp_pool *pool, const float *w, size_t rows, size_t cols,
                          uint8_t *code, float *scale);
void pp_dequantize(const pp_weight_options *o, size_t rows, size_t cols, const uint8_t *code, const float *scale,
                   float *w);
/* sum |e|^norm of rounding w[n] at `scale`; gives up when it exceeds limit. Fast path and by powf. */
double pp_clip_error(pp_number format, const float *w, size_t n, float scale, double norm, double limit);
double pp_clip_error_plain(pp_number format, const float *w, size_t n, float scale, double norm);

/* ---- weights: GPTQ. PAPER: gptq2022 ---- */

typedef struct pp_gptq_options {
    double damping;      /* share of the mean diagonal, default 0.01; raised tenfold when Cholesky fails */
    bool act_order;      /* columns in the order of falling diagonal */
    bool static_groups;  /* scales of all groups from the original weights; needed by act_order with groups */
    uint32_t block;      /* columns that are updated lazily, default 128 */
} pp_gptq_options;
pp_gptq_options pp_gptq_defaults(void);
/* hessian[cols][cols] (X^T X of the inputs, any factor; overwritten). Dead columns (diagonal 0) become 0.
 * w[rows][cols] is overwritten by the quantized values. O(cols^3 + rows cols^2). */
pp_status pp_quantize_gptq(const pp_weight_options *o, const pp_gptq_options *g, pp_pool *pool, float *w, size_t rows,
                           size_t cols, float *hessian, uint8_t *code, float *scale);

/* ---- activations ---- */

typedef struct pp_act_options {
    uint32_t bits;    /* 0: float */
    bool asymmetric;  /* zero point; else symmetric, codes -2^(b-1) .. 2^(b-1) - 1 */
    uint32_t group;   /* values that share a scale; 0: the row */
    double clip;      /* range is this share of the extremes */
    float static_top; /* > 0: one range for all rows, -top .. top (symmetric only) */
} pp_act_options;
/* x[rows][width] <- its quantized values, a scale for each row and group. */
void pp_quantize_rows(const pp_act_options *o, float *x, size_t rows, size_t width);
/* Codes of one row without groups, symmetric, plus 128; the scale is returned. (code - 128) x scale is what
 * pp_quantize_rows leaves, to the bit. */
float pp_code_row(const pp_act_options *o, const float *x, size_t n, uint8_t *code);
/* One group, asymmetric: its scale and zero point, and the code 0 .. 2^bits - 1 of a value of it. (code - zero) x scale is what
 * pp_quantize_rows leaves, to the bit. */
void pp_group_range(const pp_act_options *o, const float *x, size_t n, float *scale, float *zero);
uint8_t pp_group_code(const pp_act_options *o, float x, float scale, float zero);

#endif
