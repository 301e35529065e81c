/* A quantized language model on crossbars whose devices err, drift and are read with noise.
 *
 * Every linear layer but the head is cut into the mapper's tiles of arch.rows x arch.cols; each tile is an array of the
 * analog engine (sim/crossbar_analog.h), which stands in for the sums of quant/lmq_integer.h through the executor's product
 * hook. A read of an array is one token. With exact devices and ideal converters everything equals quant/lmq_integer.h to
 * the bit. The digital units do the rest in float: norms, RoPE, online Hadamards, attention, the cache at kvbits, the head.
 * docs/devices.md is the page for people. */
#ifndef PP_SIM_LM_CROSSBAR_H
#define PP_SIM_LM_CROSSBAR_H

#include "quant/lmq_integer.h"
#include "sim/crossbar_analog.h"

typedef struct pp_lm_crossbars pp_lm_crossbars;

/* All borrowed for the engine's life. calib: text that chooses the converters' ranges and gives the known inputs of the
 * drift compensation; its first noise->calib_images blocks of PP_LMQ_BLOCK tokens are used (at least one token). */
typedef struct pp_lm_crossbars_input {
    const pp_lmq *q;
    const pp_arch *arch;
    const pp_device *device;
    const pp_noise_options *noise;
    int act_scale;               /* pp_act_scale */
    const uint32_t *calib;
    size_t n_calib;
    uint32_t window;             /* tokens of a window of that text */
    pp_pool *pool;
} pp_lm_crossbars_input;

/* PP_EUNSUPPORTED also for DACs narrower than the activations, and for batch-norm updates (there are none). */
pp_status pp_lm_crossbars_new(pp_lm_crossbars **out, const pp_lm_crossbars_input *in);
void pp_lm_crossbars_free(pp_lm_crossbars *x); /* NULL allowed */

/* The executor of the model on these crossbars; owned by x. */
pp_lm_exec *pp_lm_crossbars_exec(pp_lm_crossbars *x);
const pp_lmq_integer *pp_lm_crossbars_integer(const pp_lm_crossbars *x);
const pp_mapping *pp_lm_crossbars_mapping(const pp_lm_crossbars *x); /* tiles; stage i is matrix i */
const char *pp_lm_crossbars_warning(const pp_lm_crossbars *x, size_t i);

/* Hooks for an executor of one's own on these crossbars, with pp_lmq_source and pp_lmq_config; worker 0 alone. */
pp_lm_hooks pp_lm_crossbars_hooks(pp_lm_crossbars *x);
/* Tokens that come one by one are read with the noise that they have in windows: token t of the batch belongs to window w,
 * first[w] <= t < first[w + 1], and is read as row t - first[w] of it. first[n + 1]: borrowed; NULL: no more. */
void pp_lm_crossbars_tokens(pp_lm_crossbars *x, const size_t *first, uint32_t n);

/* As the functions of sim/crossbar_analog.h. */
pp_status pp_lm_crossbars_program(pp_lm_crossbars *x, uint64_t seed, double t);
pp_status pp_lm_crossbars_compensate(pp_lm_crossbars *x, pp_compensation c);
pp_status pp_lm_crossbars_recalibrate(pp_lm_crossbars *x);
void pp_lm_crossbars_ideal(pp_lm_crossbars *x, uint32_t matrix);
/* Reads by plain loops, one column after the other: reference, to the bit. */
void pp_lm_crossbars_slow(pp_lm_crossbars *x, bool slow);
double pp_lm_crossbars_clipped(const pp_lm_crossbars *x, uint32_t matrix);
/* Reads and conversions are those of a token. */
void pp_lm_crossbars_count(const pp_lm_crossbars *x, pp_analog_counts *out);
/* out[matrices]: of the layer's outputs on the first `tokens` tokens of the calibration text against exact devices; local:
 * from the same inputs, total: behind all layers as they are. */
pp_status pp_lm_crossbars_snr(pp_lm_crossbars *x, pp_analog_snr *out, uint32_t tokens);

#endif
