/* A study of accuracy: models x seeds x times x compensations on analog crossbars. */
#ifndef PP_SIM_NOISE_STUDY_H
#define PP_SIM_NOISE_STUDY_H

#include "sim/crossbar_analog.h"
#include "sim/lm_crossbar.h"

/* One mean over the seeds. */
typedef struct pp_study_row {
    char model[256];
    double time_s;
    char compensation[16];
    uint32_t seeds, images; /* language models: tokens */
    double mean, std;   /* top-1, or bits per byte: over the seeds (std 0 with one seed) */
    double ci95;        /* half width of the 95 % confidence interval of the mean over draws (Student); 0 with one seed */
    double images_std;  /* standard error from the finite number of images; 0 for bits per byte */
} pp_study_row;

typedef struct pp_study_draw {
    uint32_t row;       /* of the rows */
    uint64_t seed;
    double value;
} pp_study_draw;

typedef struct pp_study_snr {
    char model[256], layer[256];
    double time_s;
    double local_db, total_db; /* see pp_analog_snr; of the first seed */
} pp_study_snr;

/* Converters of a layer, as their ranges were chosen before the first draw. */
typedef struct pp_study_clip {
    char model[256], layer[256];
    double clipped_share; /* of conversions on the calibration data */
} pp_study_clip;

/* One layer on ideal devices, the others as they are. Language models: bits per byte; a gain is fewer of them. */
typedef struct pp_study_leave {
    char model[256], layer[256]; /* "none": all layers as they are */
    double time_s, top1, gain; /* gain over "none" */
} pp_study_leave;

typedef struct pp_study_model {
    char model[256];
    double top1_float;  /* float weights and activations; bits per byte for language models */
    double quantized;   /* bits per byte of the quantized executor without crossbars; 0 for networks */
    pp_analog_counts counts;
} pp_study_model;

typedef struct pp_study {
    char device[32];
    bool bits_per_byte;
    double *times_s;
    size_t n_times;
    pp_compensation *compensations;
    size_t n_compensations;
    uint32_t seeds, images; /* language models: tokens */
    PP_VEC(pp_study_row) rows;
    PP_VEC(pp_study_draw) draws;
    PP_VEC(pp_study_snr) snr;
    PP_VEC(pp_study_clip) clip;
    PP_VEC(pp_study_leave) leave;
    PP_VEC(pp_study_model) models;
    PP_VEC(char *) warnings;
    double run_s;       /* wall clock of the noisy inference, never in reports */
    uint64_t run_images;
} pp_study;

/* Times and compensations from the settings, checked against the device. */
pp_status pp_study_begin(pp_study *study, const pp_device *device, const pp_device_options *device_options,
                         const pp_noise_options *noise, uint32_t images);
void pp_study_free(pp_study *study);

typedef struct pp_study_input {
    const char *model; /* name in the rows */
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_mapping *m;
    const pp_device *device;
    const pp_noise_options *noise;
    const pp_dataset *calib, *data;
    uint64_t seed;     /* of the first draw */
    pp_pool *pool;
    double top1_float;
} pp_study_input;
/* Adds a model's rows. Seeds are input->seed, + 1 ...; signal-to-noise ratios and the leave-one-layer-ideal table are of the
 * first seed with the last compensation of the list, the table at the last time. */
pp_status pp_study_model_run(pp_study *study, const pp_study_input *input);
/* The same of a language model. calib: text for converter ranges and drift compensation; tokens: the text that is scored, in
 * windows of `window` tokens without overlap; bytes: of each token. study->bits_per_byte must be set, study->images is
 * the number of tokens. */
typedef struct pp_lm_study_input {
    const char *model;
    const pp_lmq *q;
    const pp_arch *arch;
    const pp_device *device;
    const pp_noise_options *noise;
    int act_scale;           /* pp_act_scale */
    const uint32_t *calib;
    size_t n_calib;
    const uint32_t *tokens;
    const uint16_t *bytes;
    size_t n_tokens;
    uint32_t window;
    uint64_t seed;
    pp_pool *pool;
    double bits_float, bits_quantized;
} pp_lm_study_input;
pp_status pp_lm_study_run(pp_study *study, const pp_lm_study_input *input);

/* Mean, deviation and interval of a row's draws; used by pp_study_model_run. */
void pp_study_statistics(pp_study_row *row, const double *value, size_t n);

#endif
