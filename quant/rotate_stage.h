/* quant/rotate_stage.h: an online Hadamard transform in front of the DACs of a stage.
 *
 * The vector x of codes of each position (pixel) of the stage's input becomes, before windowing,
 *
 *   code'[j] = saturate(rescale(sum over i of x[i] H[i][j], mult, shift))      signed, abits
 *
 * where H is block-diagonal over the channels, entries +-1, and the blocks' 1 / sqrt(size) are in the multipliers. The
 * matrix that is programmed is W H / sqrt(size) on the input channels of every kernel position, so that the float
 * function stays what it was: H H^T = size I. PAPER: quarot2024, sec. 3; hardware model sec. 7.
 *
 * At the consumer (quant.rotate_at, default) channels carry the plain stream, and every core of the stage transforms the
 * channels that its rows take. So no block may reach beyond a row tile (pp_qrotate_fits).
 *
 * At the producer the stage that writes the stream transforms what its digital end leaves, before its one
 * requantization. Channels have units of their own there, so out_mult first takes each to 2^-8 steps of the stream:
 *
 *   v[i]    = saturate(rescale(pool[i], out_mult[i], out_shift))       24 bits
 *   code[j] = saturate(rescale(sum over i of v[i] H[i][j], mult, shift))
 *
 * The cores that have these output channels do it, so no block may reach beyond a column tile. */
#ifndef PP_QUANT_ROTATE_STAGE_H
#define PP_QUANT_ROTATE_STAGE_H

#include "quant/quant.h"
#include "quant/rotation.h"

/* One order that the stage uses; its multiplier and the table sum -> byte. */
typedef struct pp_qorder {
    pp_hadamard *h;
    int64_t mult;
    int32_t top;    /* largest |sum| */
    uint8_t *byte;  /* [2 top + 1]: code + 128 of sum - top; NULL before the scale is known */
} pp_qorder;

typedef struct pp_qblock {
    uint32_t first, order; /* first channel; index into order[] */
} pp_qblock;

struct pp_qrotate {
    uint32_t channels;
    uint32_t n_orders, n_blocks;
    pp_qorder *order;
    pp_qblock *block;
    uint32_t stage;         /* whose matrix holds the inverse */
    bool at_producer, plain_signed; /* transformed by the stage that writes the stream; sign of the plain stream */
    pp_qformat format;      /* of the rotated codes, signed; at the producer that of the stream */
    uint32_t shift;
    float *weight;          /* [cout][krows] rotated float weights; NULL without values */
    /* quality, calibration images; plain: the stage's float input, rotated: its quantized input transformed */
    double plain_max_rms, rotated_max_rms, rotated_kurtosis; /* plain kurtosis: pp_qstage.kurtosis */
    double plain_sqnr_db, rotated_sqnr_db;                   /* of the one quantization to each format */
};

/* Whether the stage's own cores transform what they read: it is rotated, and not at its producer. */
static inline bool pp_qrotates_here(const pp_qnetwork *q, uint32_t stage)
{
    return q->stage[stage].rotate && !q->stage[stage].rotate->at_producer;
}

/* Format of the codes that a matrix stage's DACs take: the rotated one, or its stream's. */
const pp_qformat *pp_qstage_input(const pp_qnetwork *q, uint32_t stage);

/* The blocks that quant.rotation_block cuts `channels` into, in order: new array of sizes. `full`: as few as possible;
 * `array_rows`: no block reaches beyond a row tile of an array of `rows` rows when a channel takes `taps` of them;
 * a number: blocks of that many channels. What has no Hadamard matrix is cut into the largest orders that have one,
 * a rest of 1 is passed on as it is. PP_EINVAL: not one of these. */
pp_status pp_qrotate_blocks(const char *how, uint32_t channels, uint32_t taps, uint32_t rows, uint32_t **sizes,
                            uint32_t *n);

/* x[pixels][channels] bytes of the stage's stream -> bytes of rotated codes (+ 128). In place allowed; work: int32
 * [channels]. The fast path. */
void pp_qrotate_map(const pp_qnetwork *q, uint32_t stage, const uint8_t *x, uint8_t *out, size_t pixels, int32_t *work);
/* The same on codes by the definition: sums over the dense matrix. New array [pixels][channels]. */
pp_status pp_qrotate_reference(const pp_qnetwork *q, uint32_t stage, const int16_t *x, size_t pixels, int16_t **out);
/* In place on channels [lo, hi) alone, as a core has them: x[pixels][hi - lo] codes. By the definition. */
pp_status pp_qrotate_span(const pp_qnetwork *q, uint32_t stage, uint32_t lo, uint32_t hi, int64_t *x, size_t pixels);
/* weight[cout][channels][taps] <- weight H / sqrt(size) on the channels, in double. */
pp_status pp_qrotate_weights(const struct pp_qrotate *r, float *weight, uint32_t cout, uint32_t taps);

/* At the producer: x[hi - lo] words of one position of `stage`, which has rotate_out, -> codes in place. No block may
 * be cut. By the definition, and with butterflies. */
void pp_qrotate_out(const pp_qnetwork *q, uint32_t stage, uint32_t lo, uint32_t hi, int64_t *x);
void pp_qrotate_out_fast(const pp_qnetwork *q, uint32_t stage, uint32_t lo, uint32_t hi, int64_t *x);

/* Additions (and subtractions) that the blocks inside channels [lo, hi) take for one position. A block of core x
 * 2^m channels: core - 1 + m a channel. */
uint64_t pp_qrotate_adds(const struct pp_qrotate *r, uint32_t lo, uint32_t hi);
/* Whether [lo, hi) cuts no block. */
bool pp_qrotate_fits(const struct pp_qrotate *r, uint32_t lo, uint32_t hi);

#endif
