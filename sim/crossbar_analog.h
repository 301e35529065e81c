/* The network on crossbars whose devices err, drift and are read with noise.
 *
 * One array for each tile of the mapping: rows are the pixels and channels that a firing reads, columns the output
 * channels of every pixel of its patch; copies and repetitions have devices of their own. One read of an array:
 *
 *   x     DAC(input codes)            [rows]; bit_serial: one slice of the bits after the other
 *   acc   sum_k x[k] w[k][c]          w: programmed, drifted, read (frozen); float, k in ascending order, fused
 *   acc  += sqrt(sum_k x[k]^2 s[k][c]^2 + out^2 + adc^2) z       z: one normal number a column and read (fresh)
 *   code  = clamp(round(acc / step (1 + gain error) + offset))
 *   psum += clamp(round(code x step x factor x 2^(slice) / 2^psum_shift))
 *
 * and the sums of row tiles go through the digital end of quant/ like those of exact crossbars. Weights and inputs are
 * in units of codes, so that with ideal devices acc is the integer of the reference (exact below 2^24) and everything
 * behind it the same to the bit. Numbers depend on (seed, time, array, image, firing) alone, never on threads or on the
 * processor. docs/devices.md is the page for people. */
#ifndef PP_SIM_CROSSBAR_ANALOG_H
#define PP_SIM_CROSSBAR_ANALOG_H

#include "sim/device.h"
#include "sim/sim.h"

typedef struct pp_analog pp_analog;

/* All borrowed for the engine's life. calib: at least one image; ranges of DACs and ADCs and the known inputs of the drift
 * compensation come from it, on devices that are what they should be. Float weights (arch.weights) need the network's
 * values, codes the quantized network's. A converter range that clips more than a tenth of its layer's values on
 * the calibration images is told through pp_analog_warning. */
pp_status pp_analog_new(pp_analog **out, const pp_qnetwork *q, const pp_arch *arch, const pp_mapping *m,
                        const pp_device *device, const pp_noise_options *noise, const pp_dataset *calib, pp_pool *pool);
void pp_analog_free(pp_analog *x); /* NULL allowed */
/* The i-th warning of building (one line, borrowed), NULL past the end. */
const char *pp_analog_warning(const pp_analog *x, size_t i);

/* Programs all devices under `seed` and lets them age to `t` seconds since programming; a new seed is first read at t0,
 * where the compensation's reference is taken. No drift factors, no batch-norm update afterwards. */
pp_status pp_analog_program(pp_analog *x, uint64_t seed, double t, pp_pool *pool);
/* Drift factors of the programmed state. Known inputs go through the same noisy converters. */
pp_status pp_analog_compensate(pp_analog *x, pp_compensation c, pp_pool *pool);
/* Ranges of the converters chosen once more, from the calibration images on the devices as they are now, behind their drift
 * factors; the next pp_analog_program takes those of the exact devices again. */
pp_status pp_analog_recalibrate(pp_analog *x, pp_pool *pool);
/* Scale and offset of each channel of each layer, so that mean and spread of its sums on the calibration images are those
 * of exact devices. PAPER: joshi2020 (AdaBS: statistics of the batch norms, which are folded here). */
pp_status pp_analog_batch_norm(pp_analog *x, pp_pool *pool);
/* Makes the arrays of one stage ideal from now on (PP_NONE: none) until the next call; pp_analog_program keeps it. */
void pp_analog_ideal_stage(pp_analog *x, uint32_t stage);

/* Images [first, first + n) -> logits[n][classes]; any thread count the same bits. Image i of the data draws its own noise. */
pp_status pp_analog_run(pp_analog *x, pp_pool *pool, const pp_dataset *data, uint32_t first, uint32_t n, float *logits);
/* The same for one image in plain loops: reference. */
pp_status pp_analog_reference(const pp_analog *x, const pp_dataset *data, uint32_t image, float *logits);

/* Signal-to-noise ratio of a stage, dB, on the first `images` calibration images against exact devices: `local` of the
 * sums when the stage's inputs are exact, `total` of its stream with all layers before it as they are. */
typedef struct pp_analog_snr {
    double local_db, total_db;
} pp_analog_snr;
pp_status pp_analog_measure_snr(pp_analog *x, pp_analog_snr *out, uint32_t images, pp_pool *pool); /* out[stages->n] */

/* Counts for reports. */
typedef struct pp_analog_counts {
    uint64_t arrays, cells, useful_cells, devices; /* cells: rows x columns programmed; devices of all slices and sides */
    uint64_t reads; /* of arrays, an inference (planes counted) */
    uint64_t conversions;
    uint64_t compensation_reads; /* at each time */
} pp_analog_counts;
void pp_analog_count(const pp_analog *x, pp_analog_counts *out);
/* Drift factor of tile i: mean over its columns (1 before compensation). */
double pp_analog_factor(const pp_analog *x, uint32_t tile);
/* Share of conversions of a stage that clip, on the calibration images. */
double pp_analog_clipped(const pp_analog *x, uint32_t stage);


#endif
