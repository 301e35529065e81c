/* What a study asks of an engine: of images (noise_study_net.c) and of language models (noise_study_lm.c). */
#ifndef PP_SIM_NOISE_STUDY_INTERNAL_H
#define PP_SIM_NOISE_STUDY_INTERNAL_H

#include "sim/noise_study.h"

typedef struct pp_study_engine {
    void *payload;
    const char *model;
    const pp_device *device;
    const pp_noise_options *noise;
    uint64_t seed;
    double value_float, value_quantized;
    uint32_t layers;
    const char *(*layer)(void *payload, uint32_t layer); /* NULL: nothing on arrays */
    pp_status (*settle)(void *payload, uint64_t seed, double since_s, pp_compensation c);
    pp_status (*evaluate)(void *payload, uint32_t n, pp_progress *bar, double *value); /* first n images or tokens */
    pp_status (*snr)(void *payload, pp_analog_snr *out); /* out[layers] */
    double (*clipped)(void *payload, uint32_t layer);    /* share of conversions, on the calibration data */
    void (*ideal)(void *payload, uint32_t layer);        /* PP_NONE: none */
    void (*count)(void *payload, pp_analog_counts *out);
    const char *(*warning)(void *payload, size_t i);
} pp_study_engine;

pp_status pp_study_engine_run_(pp_study *study, const pp_study_engine *e);

#endif
