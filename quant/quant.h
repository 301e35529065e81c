/* quant/: number formats, calibration, the quantized network and its integer reference.
 *
 * The integer datapath of one stage (hardware model sec. 3; docs/quantization.md is normative):
 *
 *   acc[t][c]  = sum over the rows of row tile t of weight code x input code      exact
 *   psum[t][c] = sat_psum_bits(rshift(ADC(acc[t][c]), psum_shift))
 *   sum[c]     = sat_psum_bits(sum over t of psum[t][c])
 *   pre[c]     = sum[c] + bias[c] + rescale(residual[c], add_mult[c], add_shift)   int64 in digital unit
 *   act        = activation(pre), in psum units of column c; what is more than a clamp goes through double:
 *                round(f(pre x unit) / unit), half to even
 *   pool       = max, or sum over the window (the division is inside out_mult)
 *   out[c]     = saturate(rescale(pool[c], out_mult[c], out_shift))              the one requantization
 *
 * rshift and rescale round half to even. The last stage is not requantized: its result is pre[c], and
 * logit = pre[c] x unit[c]. Without ADC (ideal) and with one row tile this is the integer reference;
 * row tiles change it only through rshift when psum_shift > 0, so the reference takes the row tiles. */
#ifndef PP_QUANT_QUANT_H
#define PP_QUANT_QUANT_H

#include "workloads/workloads.h"

/* MAX: the largest weight is the largest code. MSE: clip search. OUTPUT: starts from MSE, then codes and
 * scale of each channel in turn for the smallest error of the channel's output on the calibration images
 * (second moments of the quantized inputs). */
typedef enum pp_wquant { PP_WQUANT_MAX, PP_WQUANT_MSE, PP_WQUANT_OUTPUT } pp_wquant;
typedef enum pp_aquant { PP_AQUANT_MINMAX, PP_AQUANT_PERCENTILE, PP_AQUANT_MSE } pp_aquant;

/* INPUT: an orthonormal Hadamard transform over the channels in front of the DACs, its inverse in the matrix
 * (quant/rotate_stage.h). */
typedef enum pp_rotate { PP_ROTATE_NONE, PP_ROTATE_INPUT } pp_rotate;
/* CONSUMER: in the cores of the layer that reads, the stream is plain. PRODUCER: in the digital unit of the layer that writes,
 * before its one requantization; the stream is rotated and has one reader. */
typedef enum pp_rotate_at { PP_ROTATE_CONSUMER, PP_ROTATE_PRODUCER } pp_rotate_at;

/* What the DACs' codes are scaled by (quant/scale_stage.h): a constant, the largest input of a firing on a tile's rows, or of
 * a firing on all row tiles. */
typedef enum pp_qscale { PP_QSCALE_STATIC, PP_QSCALE_TILE, PP_QSCALE_TOKEN } pp_qscale;

/* Section "quant" of a run file (knobs: quant/knobs.c). */
typedef struct pp_quant_options {
    int64_t wbits;          /* 2..8, default 4: symmetric per output channel, codes -(2^(b-1)-1) .. +(...) */
    int64_t abits;          /* 4..8, default 8 */
    int weights;            /* pp_wquant, default OUTPUT */
    int activations;        /* pp_aquant, default MSE */
    double percentile;      /* PP_AQUANT_PERCENTILE: 90..100, of all values with zeros */
    int64_t calib_images;   /* default 256 */
    const char *calib;      /* dataset, default cifar10-calib for CIFAR networks */
    bool bias_correction;   /* shift biases by the mean error that quantization causes on the calibration images */
    int64_t psum_bits;      /* default 16; follows arch.psum_bits when that is set */
    int rotate;             /* pp_rotate, default NONE */
    int rotate_at;          /* pp_rotate_at, default CONSUMER */
    const char *rotation_block;  /* full | array_rows (default) | channels of a block */
    const char *rotate_layers;   /* names of stages, comma-separated; "" or NULL: all that can be */
    int64_t rotation_rows;  /* rows of an array, for array_rows; follows arch.rows. 0: no limit */
    int64_t rotation_cols;  /* channels that an array writes, for array_rows at the producer; follows arch.cols. 0: no limit */
    int activation_scale;   /* pp_qscale, default STATIC; its knob is that of language models (workloads/lm_graph.h) */
    int64_t stream_bits;    /* of streams, from abits to 8; 0: abits, with scales a tile or token 8 */
} pp_quant_options;
pp_knob_table pp_quant_knobs(void);

/* Format of a stream: value = code x scale, codes qmin .. qmax. Unsigned when the stream is never
 * negative (ends in ReLU), else symmetric signed. */
typedef struct pp_qformat {
    uint32_t bits;
    bool is_signed;
    int32_t qmin, qmax;
    double scale;
} pp_qformat;

typedef struct pp_qrotate pp_qrotate; /* quant/rotate_stage.h */

/* One stage. Without a matrix code, w_scale, bias and add_mult are NULL, cout is the width of the fired
 * map, and all unit[c] are equal: the largest scale of the inputs / 2^8, times the largest |weight| of a SCALE; NORM and
 * SOFTMAX: the scale of their stream / 2^8 (2^-16 where the network ends). */
typedef struct pp_qstage {
    uint32_t wbits;
    uint32_t cout, krows;      /* krows = (Cin/groups) kh kw, weight row of one output channel */
    int8_t *code;              /* [cout][Cin/groups][kh][kw]; linear on a flattened map: [out][C][H][W] */
    double *w_scale;           /* [cout] */
    double *unit;              /* [cout] value of one psum unit: w_scale x s_in x 2^psum_shift */
    uint32_t psum_shift;
    uint32_t factor;           /* static scale of the DACs' codes where these are made anew (quant/scale_stage.h) */
    int64_t *bias;             /* [cout] psum units */
    int64_t *add_mult;         /* [cout] residual code -> psum units; NULL without a residual */
    uint32_t add_shift;
    int64_t *in_mult;          /* stages without a matrix: [n_inputs] code of input k -> units; else NULL (MUL: all
                                * 1, the unit is the product of both scales) */
    uint32_t in_shift;
    int64_t *scale_mult;       /* stages with a SCALE: [cout], of any sign: units before it -> units; else NULL */
    int64_t *scale_bias;       /* [cout] units */
    uint32_t scale_shift;
    int64_t *out_mult;         /* [cout] psum units -> output code; NULL on the last stage */
    uint32_t out_shift;
    pp_qrotate *rotate;        /* transform in front of the matrix; NULL: none */
    const char *not_rotated;   /* why quant.rotate leaves this matrix's input as it is; NULL: rotated, or not asked for */
    const pp_qrotate *rotate_out; /* the reader's, done here on the way to the stream; NULL: none */
    /* quality */
    double weight_sqnr_db;     /* of the weights */
    double out_sqnr_db;        /* of the stage's stream against float, on the calibration images */
    double kurtosis;           /* of the input stream, float, calibration images */
    double acc_max;            /* largest |acc| seen on the calibration images; codes made anew: |acc m| */
    double acc_rms;            /* root mean square of the same */
} pp_qstage;

typedef struct pp_qnetwork {
    const pp_network *net;     /* borrowed, like stages */
    const pp_stages *stages;
    pp_quant_options options;
    uint32_t psum_bits;
    bool rescales;             /* codes are made anew in front of the DACs (quant/scale_stage.h) */
    pp_qformat *stream;        /* [stages->n + 1] */
    pp_qstage *stage;          /* [stages->n] */
    bool has_values;           /* false: shapes and widths only (no weights here) */
    char calib_name[64], calib_sha256[65];
    uint32_t calib_images;
    const char *model;         /* as the user named what it is made from; NULL: by the network's name. Borrowed */
    void *owner;
} pp_qnetwork;

/* Quantizes. calib NULL (or a network without weights): shapes and widths only, has_values = false. */
pp_status pp_quantize(pp_qnetwork **out, const pp_network *net, const pp_stages *stages,
                      const pp_quant_options *options, const pp_dataset *calib, pp_pool *pool);
void pp_qnetwork_free(pp_qnetwork *q);
pp_status pp_qnetwork_check(const pp_qnetwork *q);
pp_status pp_qnetwork_dump(char **out, const pp_qnetwork *q);
/* Directory DIR: model.safetensors (codes, scales, multipliers, formats) and quant.json
 * (docs/quantization.md is the format). Read back equal to the bit. */
pp_status pp_qnetwork_write(const pp_qnetwork *q, const char *dir, bool force);
/* PP_EEXIST where pp_qnetwork_write would find such files: for those who ask before they quantize. */
pp_status pp_qnetwork_may_write(const char *dir, bool force);
pp_status pp_qnetwork_read(pp_qnetwork **out, const pp_network *net, const pp_stages *stages, const char *dir);
/* Such a folder before its network is open: which model it was made from (a path to a file is absolute) and how. */
typedef struct pp_qfolder {
    const char *model;
    pp_quant_options options;
    char *dir;
    void *owner;
} pp_qfolder;
bool pp_qnetwork_is_folder(const char *path);
pp_status pp_qfolder_open(pp_qfolder **out, const char *dir);
void pp_qfolder_free(pp_qfolder *f); /* NULL allowed */

/* ---- the arithmetic, shared by reference, fast paths and simulator ---- */

/* v / 2^shift, half to even. */
int64_t pp_rshift_even(int64_t v, uint32_t shift);
/* v x mult / 2^shift, half to even (128-bit inside). */
int64_t pp_rescale(int64_t v, int64_t mult, uint32_t shift);
int64_t pp_saturate(int64_t v, uint32_t bits); /* two's complement range of `bits` */
/* Multipliers for ratios (finite, >= 0, not all zero): mult[i] = round(ratio[i] x 2^shift) with the largest
 * in [2^29, 2^30), shift from 0 to 62. PP_ERANGE when the largest ratio is 2^30 or more. */
pp_status pp_multipliers(const double *ratio, size_t n, int64_t *mult, uint32_t *shift);
/* Partial sum of one row tile: rshift, then saturated to psum_bits. */
int64_t pp_qstage_psum(const pp_qnetwork *q, uint32_t stage, int64_t acc);

/* Quantizes one normalised image to stream 0: codes int16 [h][w][c]. */
void pp_quantize_input(const pp_qnetwork *q, const float *image, int16_t *codes);
/* Digital end of the datapath for firing map -> stream: from sums [fire.h][fire.w][cout] (after
 * sat_psum_bits) and the residual codes (NULL without) to out codes [out.h][out.w][c]; on the last
 * stage `logits` [c] instead. Slow, obvious; used by reference and execution-driven simulation. */
void pp_qstage_digital_pixel(const pp_qnetwork *q, uint32_t stage, const int64_t *sum, const int16_t *residual,
                             int64_t *act); /* one fired pixel: sum[cout] -> activated psum units [cout] */
int32_t pp_qstage_requant(const pp_qnetwork *q, uint32_t stage, uint32_t c, int64_t pooled);
/* The same for average pooling whose window holds only `divisor` positions that count: out_mult, made for
 * the full window of `full`, is scaled by full / divisor (half to even). Both: of a stream that is rotated at its producer the
 * word before the transform (quant/rotate_stage.h). */
int32_t pp_qstage_requant_partial(const pp_qnetwork *q, uint32_t stage, uint32_t c, int64_t pooled, uint32_t full,
                                  uint32_t divisor);
/* Stage without a matrix: fired pixel (y, x) from the whole code maps of its inputs [h][w][c], to activated
 * units act[fire.c]. */
void pp_qstage_data_pixel(const pp_qnetwork *q, uint32_t stage, uint32_t y, uint32_t x, const int16_t *const *inputs,
                          int64_t *act);
/* The same of all pixels: act [fire.h][fire.w][fire.c]. What a stage finds out about the whole map is found out once. */
void pp_qstage_data_map(const pp_qnetwork *q, uint32_t stage, const int16_t *const *inputs, int64_t *act);
/* Pooling and requantization of a whole fired map: act [fire.h][fire.w][fire.c] -> codes of the stream
 * [h][w][c], or logits on the last stage (the other is NULL). */
void pp_qstage_tail(const pp_qnetwork *q, uint32_t stage, const int64_t *act, int16_t *codes, double *logits);

/* ---- integer reference executor ---- */

/* Row tiles of each stage: n[stage] tiles; tile t of a stage takes input channels (inside a group)
 * [lo[stage][t], lo[stage][t + 1]). NULL: one tile each.
 * patch[stage]: pixels {y, x} of the firing map that fire together, for scales a firing; NULL: one. */
typedef struct pp_row_tiles {
    const uint32_t *n;
    const uint32_t *const *lo;
    const uint32_t (*patch)[2];
} pp_row_tiles;

/* Slow reference, one image: codes of every stream (streams[s] = new array [h][w][c] of int16) and
 * logits [classes]. */
pp_status pp_qref_run(const pp_qnetwork *q, const pp_row_tiles *tiles, const int16_t *input, int16_t ***streams,
                      double *logits);
void pp_qref_free(const pp_qnetwork *q, int16_t **streams);

/* ---- fast integer path ---- */

/* Packed matrix of a stage restricted to input channels [c_lo, c_hi) of each group: raw accumulators of a
 * whole map. AVX2 (8-bit multiply-add: weights up to 7 bits cannot saturate 16 bits; 8-bit weights take
 * 16-bit multiply-add), AVX-512/VNNI where it was run, plain C otherwise; all equal to the bit. */
typedef struct pp_qconv pp_qconv;
pp_status pp_qconv_new(pp_qconv **out, const pp_qnetwork *q, uint32_t stage, uint32_t c_lo, uint32_t c_hi);
void pp_qconv_free(pp_qconv *conv);
/* Bytes of scratch that pp_qconv_run needs (64-byte aligned). */
size_t pp_qconv_scratch(const pp_qconv *conv);
/* x: codes of the whole input stream as bytes, [h][w][c] (unsigned formats: the code; signed: the
 * code + 128). acc: [fire.h][fire.w][cout], int32. */
void pp_qconv_run(const pp_qconv *conv, const uint8_t *x, int32_t *acc, void *scratch);
/* Codes made anew: pixels {y, x} that fire together (1, 1 unless set), and m [fire.h][fire.w][groups] of the last run,
 * which lies in its scratch; NULL when the stage takes its input's codes. */
void pp_qconv_patch(pp_qconv *conv, uint32_t y, uint32_t x);
const uint8_t *pp_qconv_factors(const pp_qconv *conv, void *scratch);
/* Vectorised digital end for a whole map: sums -> byte codes of the stream (same convention as x), or
 * logits on the last stage. Equal to pp_qstage_digital_pixel + pp_qstage_requant to the bit. */
void pp_qstage_finish(const pp_qnetwork *q, uint32_t stage, const int32_t *sum, const uint8_t *residual,
                      uint8_t *out, double *logits, void *scratch);
size_t pp_qstage_finish_scratch(const pp_qnetwork *q, uint32_t stage);
/* acc[n] (n a multiple of cout or not) -> partial sums in place: pp_qstage_psum of each. */
void pp_qstage_psum_map(const pp_qnetwork *q, uint32_t stage, int32_t *acc, size_t n);
/* Whole stage without a matrix on byte maps (scratch: pp_qstage_data_scratch bytes). */
void pp_qstage_data(const pp_qnetwork *q, uint32_t stage, const uint8_t *const *inputs, uint8_t *out, double *logits,
                    void *scratch);
size_t pp_qstage_data_scratch(const pp_qnetwork *q, uint32_t stage);

/* The whole network without tiles, one image a worker; equal to pp_qref_run to the bit.
 * Images [first, first + n) -> logits[n][classes]. */
typedef struct pp_int_exec pp_int_exec;
pp_status pp_int_exec_new(pp_int_exec **out, const pp_qnetwork *q);
void pp_int_exec_free(pp_int_exec *exec);
pp_status pp_int_exec_run(pp_int_exec *exec, pp_pool *pool, const pp_dataset *data, uint32_t first, uint32_t n,
                          float *logits);

#endif
