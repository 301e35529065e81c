/* Shared by the files of quant/. */
#ifndef PP_QUANT_INTERNAL_H
#define PP_QUANT_INTERNAL_H

#include "quant/quant.h"

/* Multipliers lie below 2^PP_MULT_BITS; shifts are at most PP_SHIFT_MAX, so that a shift of a 64-bit number
 * by it is defined and 2^62 can be added to a product (finish.c). */
enum { PP_MULT_BITS = 30, PP_SHIFT_MAX = 62 };
/* Fraction bits of the unit of a stage without a matrix, below the coarsest input's code. */
enum { PP_DATA_FRACTION = 8 };
/* Zero byte of signed formats. */
enum { PP_ZERO_BYTE = 128 };

/* Private part of a pp_qnetwork: everything that it owns lies in the arena. */
typedef struct pp_qowner {
    pp_arena *arena;
    uint8_t *rescale[2]; /* of unsigned and signed inputs: [m][byte] -> byte of the DACs' code; NULL without */
} pp_qowner;
/* Fills them. */
pp_status pp_qrescale_tables(pp_qnetwork *q);

/* Matrix of a stage as a convolution. A linear operator is one: with a 1x1 window when its input width
 * is the channel count, else with the whole map as its window. */
typedef struct pp_qgeom {
    pp_shape in, fire;
    pp_window win;
    uint32_t groups, cin_g, cout_g; /* channels of one group */
} pp_qgeom;
pp_qgeom pp_qgeom_of(const pp_network *net, const pp_stage *stage);

/* Elements of a map. */
static inline size_t pp_shape_count(pp_shape s)
{
    return (size_t)s.h * s.w * s.c;
}

/* Byte that stands for code 0. */
static inline int32_t pp_format_zero(const pp_qformat *f)
{
    return f->is_signed ? PP_ZERO_BYTE : 0;
}

/* Largest byte of a format (see pp_qconv_run). */
static inline int32_t pp_format_top(const pp_qformat *f)
{
    return f->qmax + pp_format_zero(f);
}

/* Input k with role ADD, or PP_NONE. */
uint32_t pp_stage_residual(const pp_stage *stage);
/* Pooling operator of the tail (after the activation), or NULL. */
const pp_op *pp_stage_tail_pool(const pp_network *net, const pp_stage *stage);
/* The same, or the pooling operator that is the stage itself. */
const pp_op *pp_stage_any_pool(const pp_network *net, const pp_stage *stage);
/* Whether every value of the stage's stream is a value of its only input or zero: it takes its format. */
bool pp_stage_selects(const pp_network *net, const pp_stage *stage);

/* Pooling window clipped to the map: input rectangle [y0, y1) x [x0, x1) of output (y, x). */
typedef struct pp_qwindow {
    uint32_t y0, y1, x0, x1, step_y, step_x;
    uint32_t valid, divisor; /* positions inside the map; positions that an average divides by */
} pp_qwindow;
pp_qwindow pp_pool_window(const pp_op *pool, pp_shape map, uint32_t y, uint32_t x);
/* Divisor of a full window (1 for max). */
uint32_t pp_pool_full(const pp_op *pool);
/* Maximum or sum over a window of one channel; at: [map.h][map.w][map.c] + channel. An empty window is 0. */
int64_t pp_pool_reduce(const pp_op *pool, const pp_qwindow *w, pp_shape map, const int64_t *at);
/* Code (half to even, saturated to qmin .. qmax) of a value. */
int32_t pp_quantize_value(const pp_qformat *f, double value);

/* Largest code of symmetric weights. */
static inline int32_t pp_wmax(uint32_t bits)
{
    return (1 << (bits - 1)) - 1;
}

/* Upper clamp of the activation in units, INT64_MAX for none; *floor: 0 or INT64_MIN. */
int64_t pp_act_ceiling(pp_act act, double unit);
/* An activation that is no clamp, in units: through double, half to even. */
int64_t pp_act_units(pp_act act, int64_t pre, double unit);

/* Names of choices, for quant.json. */
const char *pp_wquant_name(int weights);
const char *pp_aquant_name(int activations);
const char *pp_rotate_name(int rotate);
const char *pp_qscale_name(int scale);
const char *pp_rotate_at_name(int at);

/* ---- building a network (layout.c) ---- */

/* Formats without scales, shapes of stages; arrays of values are allocated when `values`. */
pp_status pp_qnetwork_layout(pp_qnetwork **out, const pp_network *net, const pp_stages *stages,
                             const pp_quant_options *options, bool values);
void pp_format_set(pp_qformat *f, uint32_t bits, bool is_signed);
/* Value of a unit behind the first operator of a stage without a matrix (NORM and SOFTMAX: not used). */
double pp_qstage_first_unit(const pp_qnetwork *q, const pp_stage *stage);
/* unit from scales and psum_shift; the same with add_mult, in_mult, out_mult and their shifts. */
void pp_qstage_units(pp_qnetwork *q, uint32_t stage);
pp_status pp_qstage_multipliers(pp_qnetwork *q, uint32_t stage);

/* ---- calibration (calib.c) ---- */

/* Magnitudes fall in bins by the top bits of their float: PP_BIN_MANTISSA bits of mantissa, exponents
 * 2^-31 .. 2^32; smaller ones count as zero. Integer counts, so any order of adding gives the same. */
enum { PP_BIN_MANTISSA = 10, PP_BIN_OCTAVES = 63, PP_BINS = PP_BIN_OCTAVES << PP_BIN_MANTISSA };

typedef struct pp_histogram {
    uint32_t *bin[2]; /* [PP_BINS] of positive, negative values */
    uint64_t n;       /* values, zeros included */
    float min, max;
} pp_histogram;
/* Middle of a bin. */
double pp_bin_value(uint32_t bin);
double pp_histogram_kurtosis(const pp_histogram *h);
pp_status pp_histogram_make(pp_histogram *h); /* of zeroed memory; free with pp_histograms_free, also on failure */
void pp_histograms_free(pp_histogram *h, uint32_t n);
void pp_histogram_merge(pp_histogram *to, const pp_histogram *from);
void pp_histogram_add(pp_histogram *h, float v); /* |v| < 2^31 */

typedef struct pp_calibration {
    uint32_t n_streams, images;
    pp_histogram *stream;   /* [n_streams] */
    double **mean;          /* [n_streams][h][w][c] mean map */
    uint32_t kept;          /* images whose float streams are kept */
    float ***keep;          /* [kept][n_streams][h][w][c] */
} pp_calibration;
/* Runs the float network on the first `images` of `data`. */
pp_status pp_calibrate(pp_calibration **out, const pp_network *net, const pp_stages *stages, const pp_dataset *data,
                       uint32_t images, pp_pool *pool);
void pp_calibration_free(pp_calibration *c);

/* Scale of a stream's format from its histogram. */
/* Static scale of codes that are made anew: the best range of the DACs' format, in codes of the input. h: of its values. */
void pp_qrescale_choose(pp_qnetwork *q, uint32_t stage, const pp_histogram *h);
double pp_activation_scale(const pp_histogram *h, const pp_qformat *f, int method, double percentile);

/* ---- weights (weight.c, refine.c) ---- */

/* Symmetric quantization of one output channel of n weights: codes and scale (0 when all are zero).
 * method MAX or MSE (clip 1 - i/100, i = 0..79, error norm `norm`). */
double pp_quantize_row(const float *w, size_t n, uint32_t bits, int method, double norm, int8_t *code);
/* Improves code and *scale of one channel: smallest w' H w - 2 w' target, w = scale code (H symmetric
 * [n][n], target = H x the float weights). work: [2 n]. */
void pp_refine_row(const double *moment, const double *target, size_t n, uint32_t bits, double *scale, int8_t *code,
                   double *work);
/* Largest matrix row that method OUTPUT takes (its second moments are n x n). */
enum { PP_REFINE_ROWS = 4608 };

/* Byte streams of the calibration images while the network is quantized stage by stage. */
typedef struct pp_qrun {
    pp_qnetwork *q;
    const pp_dataset *data;
    pp_pool *pool;
    pp_calibration *calib;
    uint32_t images;
    uint8_t ***stream;      /* [streams][images] or NULL when not made yet or no longer needed */
} pp_qrun;
/* Refines all rows of a stage's matrix by the second moments of its inputs. */
pp_status pp_refine_stage(const pp_qrun *run, uint32_t stage, const float *weight);

/* ---- fast path (qconv.c and friends) ---- */

typedef enum pp_qkernel { PP_QKERNEL_PLAIN, PP_QKERNEL_AVX2, PP_QKERNEL_AVX2_WIDE, PP_QKERNEL_VNNI } pp_qkernel;

/* What a kernel needs for one group: `steps` multiply-adds of `lane` inputs each (4 bytes; 2 or 1 of 16 bits
 * in the wide and plain kernels), at byte offsets from the first input of a pixel's window. */
typedef struct pp_qpack {
    uint32_t steps, safe;      /* safe: steps that a 16-bit sum holds (AVX2) */
    uint32_t cout, padded;     /* outputs of the group, and rounded up to a vector */
    const uint32_t *offset;    /* [steps] */
    const void *weight;        /* [padded / vector][steps][vector][lane] */
    const int32_t *start;      /* [padded] first value of the sums: takes the zero byte out */
} pp_qpack;
/* Sums of `pixels` windows, `stride` bytes apart, into acc[pixel x pitch + c]. */
typedef void (*pp_qkernel_fn)(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                              size_t pitch);
void pp_qkernel_plain(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                      size_t pitch);
#if defined(__x86_64__)
void pp_qkernel_avx2(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                     size_t pitch);
void pp_qkernel_avx2_wide(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                          size_t pitch);
void pp_qkernel_vnni(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                     size_t pitch);
#endif

/* Parameters of the digital end, the channels' repeated to a longer period, so that loops run over flat
 * arrays in long blocks. Holds only where every intermediate fits (finish.c, `fits`). */
typedef struct pp_qflat {
    size_t period;
    const int32_t *bias, *add_mult, *floor, *ceiling, *out_mult; /* [period] */
    uint32_t add_shift, out_shift;
    int32_t residual_zero, out_zero, out_min, out_max;
} pp_qflat;
typedef struct pp_qfinish_ops {
    /* act[n] = clamp(sum + bias + rescale(residual code)); residual may be NULL */
    void (*act)(const pp_qflat *f, const int32_t *sum, const uint8_t *residual, int32_t *act, size_t n);
    /* out[n] = saturated rescale(act) + zero byte */
    void (*requant)(const pp_qflat *f, const int32_t *act, uint8_t *out, size_t n);
    /* acc[n] = sat(rshift(acc, shift)) to -top-1 .. top; shift < 31 */
    void (*psum)(int32_t *acc, size_t n, uint32_t shift, int32_t top);
} pp_qfinish_ops;
/* The fastest that this processor may run (pp_cpu_level). */
const pp_qfinish_ops *pp_qfinish_ops_get(void);

/* One stage on byte maps: matrix (conv of all channels, psum, finish) or data. */
pp_status pp_qengine_convs(const pp_qnetwork *q, pp_qconv ***convs);
void pp_qengine_convs_free(const pp_qnetwork *q, pp_qconv **convs);
/* Largest scratch of any stage, for the conv and the digital end, and of sums. */
size_t pp_qengine_scratch(const pp_qnetwork *q, pp_qconv *const *convs);
size_t pp_qengine_sums(const pp_qnetwork *q);
void pp_qengine_stage(const pp_qnetwork *q, uint32_t stage, const pp_qconv *conv, const uint8_t *const *inputs,
                      int32_t *acc, uint8_t *out, double *logits, void *scratch);
/* Image i of a dataset to the bytes of stream 0; scratch: floats and codes of one image. */
void pp_qengine_input(const pp_qnetwork *q, const pp_dataset *data, uint32_t i, uint8_t *out, float *image,
                      int16_t *codes);

/* Bytes <-> codes of a format. */
void pp_codes_to_bytes(const pp_qformat *f, const int16_t *codes, uint8_t *bytes, size_t n);
void pp_bytes_to_codes(const pp_qformat *f, const uint8_t *bytes, int16_t *codes, size_t n);

/* Takes 64-byte aligned parts from a block of scratch. With base NULL it only counts: used == size. */
typedef struct pp_carve {
    uint8_t *base;
    size_t used;
} pp_carve;
static inline void *pp_carve_take(pp_carve *c, size_t count, size_t size)
{
    uint8_t *at = c->base ? c->base + c->used : NULL;
    c->used += (count * size + 63) / 64 * 64;
    return at;
}

#endif
