/* Shared by the files of the numeric path (sim/crossbar*.c). */
#ifndef PP_SIM_CROSSBAR_INTERNAL_H
#define PP_SIM_CROSSBAR_INTERNAL_H

#include "sim/sim.h"

/* Converters of one row tile of a stage, one entry an output channel: the copies of a column that
 * unrolling makes share its range, and so do the columns of a tile when the scope is the tile. */
typedef struct pp_xrow {
    uint32_t lo, hi;      /* input channels [lo, hi) */
    pp_qconv *conv;
    float *inverse;       /* [cout] accumulator -> ADC code */
    float *gain;          /* [cout] ADC code -> psum units (psum_shift included) */
    float *full_scale;    /* [cout] accumulator units */
} pp_xrow;

typedef struct pp_xstage {
    uint32_t rows;        /* row tiles; 0 for a stage without a matrix */
    pp_xrow *row;
} pp_xstage;

/* What one worker needs; allocated once. */
typedef struct pp_xscratch {
    uint8_t **stream;     /* [n_streams] byte codes */
    int32_t *acc, *sum;
    void *conv, *finish;
    float *image;
    int16_t *input;
    const uint8_t **in;   /* inputs of one stage */
    double *logits;
} pp_xscratch;

struct pp_crossbar {
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_mapping *m;
    pp_xstage *stage;
    float code_max;       /* 2^(adc_bits - 1) - 1; 0: ideal converters */
    float psum_max;       /* 2^(psum_bits - 1) - 1 */
    pp_tile_adc *adc;     /* [n_tiles] */
    pp_xscratch *scratch; /* [n_scratch] */
    uint32_t n_scratch;
};

/* Called with the raw accumulators of row tile `row` of a stage, before the converter, and m[pixels][groups] (NULL:
 * the codes were not made anew). */
typedef void (*pp_xtap)(void *payload, uint32_t image, unsigned worker, uint32_t stage, uint32_t row,
                        const int32_t *acc, const uint8_t *m, size_t pixels);

/* Converter and scaling of a map of row tile `row`: sum[i] += psum(acc[i]), both [pixels][cout]. Ideal
 * converters overwrite acc with the partial sums. m as for pp_xtap. */
void pp_xconvert(const pp_crossbar *x, uint32_t stage, const pp_xrow *row, bool ideal, int32_t *acc, const uint8_t *m,
                 int32_t *sum, size_t pixels);
/* The same for one value (m 1: the codes were not made anew): what reference and fast path agree on. */
int32_t pp_xconvert_one(const pp_crossbar *x, uint32_t stage, const pp_xrow *row, bool ideal, uint32_t c, int32_t acc, uint32_t m);

/* Makes the scratch of `workers` workers. */
pp_status pp_xscratch_grow(pp_crossbar *x, unsigned workers);
/* One image through all stages; ideal: converters bypassed. logits[classes]. */
pp_status pp_xrun_image(pp_crossbar *x, unsigned worker, const pp_dataset *data, uint32_t image, bool ideal,
                        double *logits, pp_xtap tap, void *payload);
/* Ranges from the calibration images (crossbar_calibrate.c). */
pp_status pp_xcalibrate(pp_crossbar *x, const pp_dataset *calib, pp_pool *pool);

#endif
