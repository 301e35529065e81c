/* quant/lmq_integer.h: a quantized language model in integers: what crossbars compute, and their reference.
 *
 * Each linear layer but the head, for one token:
 *
 *   code[k]    = round(x[k] / s), saturated         s: one scale a layer (static), a token, or a token and row tile (tile)
 *   psum[t][c] = sat(rshift(sum over the inputs k of row tile t of weight[c][k] code[k]))       width psum_bits
 *   token, static:  y[c] = sat(sum over t of psum[t][c]) x unit[c] x s
 *   tile:           y[c] = (sum over t, ascending, of psum[t][c] x s[t]) x unit[c]              scales travel as float
 *
 * unit[c] is the value of one psum unit (weight scale x 2^shift); products and sums behind psum are double, y float.
 * The shift is the least at which no sum of these weights and inputs saturates. Row tiles are those of the mapper:
 * ceil(in / rows) parts, equal to one. Everything else (norms, RoPE, online Hadamards, attention, the cache, the head)
 * is that of the float executor with pp_lmq_hooks. */
#ifndef PP_QUANT_LMQ_INTEGER_H
#define PP_QUANT_LMQ_INTEGER_H

#include "quant/lmq.h"

typedef enum pp_act_scale { PP_ACT_SCALE_AUTO, PP_ACT_SCALE_STATIC, PP_ACT_SCALE_TILE, PP_ACT_SCALE_TOKEN } pp_act_scale;

enum { PP_LMQ_BLOCK = 32 }; /* tokens that go through a matrix together */

typedef struct pp_lmq_integer_options {
    uint32_t rows;       /* rows of an array; 0: one row tile */
    uint32_t psum_bits;  /* 8..32 */
    int act_scale;       /* pp_act_scale; AUTO: static when the model has static ranges, else token */
    bool float_weights;  /* weights as they are (the model must not have codes), in steps of 1/127 of a row's largest */
} pp_lmq_integer_options;

/* One linear layer. Borrowed from the pp_lmq_integer. */
typedef struct pp_lmq_matrix {
    uint32_t layer;
    pp_lm_kind kind;
    char name[48];       /* "3.down_proj" */
    uint32_t in, out, wbits, abits;
    int8_t *code;        /* [out][in]; NULL with float weights */
    float *weight;       /* [out][in] values; NULL with codes */
    double *scale;       /* [out] value of one code */
    double *unit;        /* [out] value of one psum unit: scale x 2^psum_shift */
    uint32_t psum_shift;
    uint32_t tiles, *edge; /* row tile t reads inputs [edge[t], edge[t + 1]) */
} pp_lmq_matrix;

/* Up to PP_LMQ_BLOCK tokens at one matrix. */
typedef struct pp_lmq_block {
    const pp_lmq_matrix *matrix;
    uint32_t index;        /* of the matrix */
    uint32_t rows;
    size_t first;          /* of its rows in the batch */
    const uint8_t *codes;  /* [PP_LMQ_BLOCK][in] code + 128; rows from `rows` on are zero (128) */
    unsigned worker;
    int32_t *psum;         /* out: [tiles][PP_LMQ_BLOCK][out] */
    const float *y;        /* [rows][out], for who sees the block afterwards */
} pp_lmq_block;
typedef pp_status (*pp_lmq_sums)(void *payload, const pp_lmq_block *block);

typedef struct pp_lmq_integer pp_lmq_integer;

/* q is borrowed. workers: of the pool that the executor will run on. PP_EUNSUPPORTED names what integers cannot do:
 * weights in other formats or with several scales a row, activations that are float, asymmetric or in groups. */
pp_status pp_lmq_integer_new(pp_lmq_integer **out, const pp_lmq *q, const pp_lmq_integer_options *o, unsigned workers);
void pp_lmq_integer_free(pp_lmq_integer *x); /* NULL allowed */
size_t pp_lmq_integer_n(const pp_lmq_integer *x);
const pp_lmq_matrix *pp_lmq_integer_matrix(const pp_lmq_integer *x, size_t i);
int pp_lmq_integer_scale(const pp_lmq_integer *x); /* pp_act_scale, resolved */
uint32_t pp_lmq_integer_psum_bits(const pp_lmq_integer *x);
/* Stands in for the plain loops; NULL: these again. `see` (NULL: nobody) is shown every block with its results.
 * Both are called from the workers, a window by one. */
void pp_lmq_integer_set(pp_lmq_integer *x, pp_lmq_sums sums, pp_lmq_sums see, void *payload);
/* For pp_lm_exec with pp_lmq_source and pp_lmq_config: all linear layers but the head in integers. */
pp_lm_hooks pp_lmq_integer_hooks(pp_lmq_integer *x);

#endif
