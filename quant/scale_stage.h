/* quant/scale_stage.h: codes that are made anew in front of a stage's DACs.
 *
 * Streams (and rotated inputs) have quant.stream_bits, DACs quant.abits. Of the codes x that one firing puts on the rows
 * of a tile,
 *
 *   m    = max |x|, at least 1
 *   code = clamp(round(x top / m))                                   half to even; top: largest code of abits
 *   psum = sat_psum_bits(rshift(ADC(acc) m, psum_shift))             instead of rshift(ADC(acc), psum_shift)
 *
 * so that a code stands for m / top codes of the stream: m is the scale, a number of stream_bits, and 1 / top lies in
 * unit[c]. quant.activation_scale says what m is the largest of:
 *
 *   static   of nothing: a constant of the stage, from the calibration images
 *   tile     the firing's input channels on the rows of the tile; each group of a grouped convolution has its own
 *   token    the firing's input channels on all row tiles, which every core of the stage therefore receives
 *
 * A firing is one pixel of the firing map, or the patch of pixels that the mapping unrolls into one array (clipped to the
 * map; positions that none of its pixels reads do not count). Padding is 0. Hardware model sec. 7 and 8. */
#ifndef PP_QUANT_SCALE_STAGE_H
#define PP_QUANT_SCALE_STAGE_H

#include "quant/quant.h"

/* Whether the stage's codes are made anew: it has a matrix, and scales are found at run time or streams are wider. */
bool pp_qrescales(const pp_qnetwork *q, uint32_t stage);
/* Format of the codes that the DACs take. scale: the value of a code at m = 1 where they are made anew. */
pp_qformat pp_qstage_dac(const pp_qnetwork *q, uint32_t stage);
/* round(x top / m), clamped to the format. 1 <= m <= 255, |x| <= 255. */
int32_t pp_qrescale_code(const pp_qformat *dac, int32_t x, uint32_t m);
/* The same as a table: byte of x -> byte of the code (signed: + 128). */
const uint8_t *pp_qrescale_table(const pp_qnetwork *q, uint32_t stage, uint32_t m);
/* sat_psum_bits(rshift(acc m, psum_shift)). */
int64_t pp_qstage_psum_scaled(const pp_qnetwork *q, uint32_t stage, int64_t acc, uint32_t m);

/* One firing's rows: pixels [y0, y1) x [x0, x1) of the firing map, channels [lo, hi) of a group. */
typedef struct pp_qfiring {
    uint32_t y0, y1, x0, x1, group, lo, hi;
} pp_qfiring;
/* The firing that pixel (y, x) belongs to. patch: {y, x}, NULL: one pixel. */
pp_qfiring pp_qfiring_at(const pp_qnetwork *q, uint32_t stage, const uint32_t *patch, uint32_t y, uint32_t x);
/* m from codes in[h][w][c] of the stage's input (rotated where it is), by its definition. */
uint32_t pp_qrescale_factor(const pp_qnetwork *q, uint32_t stage, const pp_qfiring *f, const int16_t *in);
/* m of all firings: x: bytes [h][w][c]; largest: scratch [h][w][groups]; out[fire.h][fire.w][groups], the pixels of a
 * patch alike. The fast path. */
void pp_qrescale_factors(const pp_qnetwork *q, uint32_t stage, const uint32_t *patch, uint32_t lo, uint32_t hi,
                         const uint8_t *x, uint8_t *largest, uint8_t *out);
/* acc[pixels][cout] -> partial sums in place; m[pixels][groups]. */
void pp_qstage_psum_scaled_map(const pp_qnetwork *q, uint32_t stage, int32_t *acc, const uint8_t *m, size_t pixels);

/* Operations of the digital units for one firing of a tile with `rows` rows and `cols` columns of one slice: `searched`
 * values for the maximum (0: static), a product and a rounding a row, a product a column. */
typedef struct pp_qrescale_work {
    uint64_t compared, rescaled, scaled;
} pp_qrescale_work;
pp_qrescale_work pp_qrescale_count(const pp_qnetwork *q, uint32_t stage, uint32_t rows, uint32_t row_channels, uint32_t cols);

#endif
