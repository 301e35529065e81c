/* Noise of the numeric path: normal numbers by counter, and the settings of sections `device` and `noise`. */
#ifndef PP_SIM_NOISE_H
#define PP_SIM_NOISE_H

#include "base/base.h"

/* ---- normal numbers ---- */

/* n standard normal numbers; out has room for n rounded up to 64 (all of it is written). The i-th number depends on
 * key, counter and i alone: Philox blocks counter + (0, 1, ...) in the first word, 16 blocks to 64 numbers. Same bits on
 * every processor. About 1 ns a number with AVX-512 (bench_accuracy). */
void pp_normals(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4]);
/* Number `index` of that sequence alone; slow. */
float pp_normal_at(uint64_t index, const uint32_t key[2], const uint32_t counter[4]);
/* What pp_normals would call now: for loops that ask the processor once. */
typedef void (*pp_normal_source)(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4]);
pp_normal_source pp_normals_choose(void);

/* ---- settings ---- */

/* Which read noise (the term of the device's model) is drawn when: docs/devices.md. */
typedef enum pp_read_noise {
    PP_READ_NONE,
    PP_READ_ACCUMULATED, /* once a (seed, time): the 1/f noise since programming, frozen in the weights */
    PP_READ_PER_READ,    /* in every read anew */
    PP_READ_BOTH         /* frozen, and once more in every read */
} pp_read_noise;

typedef enum pp_compensation {
    PP_COMPENSATE_NONE,
    PP_COMPENSATE_GLOBAL, /* one factor for the network */
    PP_COMPENSATE_TILE,   /* one a crossbar, at its output. PAPER: joshi2020 Methods */
    PP_COMPENSATE_LAYER,
    PP_COMPENSATE_COLUMN
} pp_compensation;
const char *pp_compensation_name(pp_compensation c); /* "none" "global" ... */

/* Section "device" (knobs: sim/noise_knobs.c). Lists and polynomials are texts. */
typedef struct pp_device_options {
    const char *model;       /* a kind of sim/device.h */
    const char *times_s;     /* "25, 86400" */
    int time_origin;         /* 0: from t0 (time 0 is t0), 1: from programming (times before t0 are errors) */
    double g_max_us, t0_s, t_read_s; /* 0: of the model */
    double sigma;            /* programming error of model gaussian and rram, share of the maximum */
    double read_sigma;       /* rram: read noise, share of the conductance */
    const char *program_poly, *nu_mean_poly, *nu_std_poly, *read_poly; /* model custom; coefficients from g^0 up */
    double stuck_low, stuck_high; /* share of devices stuck at 0 and at g_max */
    double yield;            /* share of devices that work; the others conduct nothing */
    int64_t verify_reads;    /* write-verify: most programming attempts, 1 = none */
    double verify_window;    /* a device within this share of g_max of its target is left alone */
} pp_device_options;

/* Section "noise". */
typedef struct pp_noise_options {
    int64_t seeds;           /* draws of the devices: seeds simulate.seed, + 1, ... */
    int read;                /* pp_read_noise */
    double read_std;         /* extra short-term noise of every device in every read, share of g_max */
    double out_std;          /* noise of a column's output: share of what one device at g_max gives at full input */
    double adc_noise_lsb, adc_offset_lsb, adc_gain_std; /* noise a conversion; spread of the converters */
    const char *compensation; /* list: "none, tile" */
    int64_t compensation_reads; /* known inputs a crossbar */
    int adc_ranges;          /* 0: those of the exact devices for ever; 1: chosen anew at each time */
    bool batch_norm;         /* scale and offset of each channel re-estimated at each time (AdaBS) */
    int64_t calib_images;    /* for ranges, compensation and batch-norm statistics */
    bool snr;                /* signal-to-noise ratio of each layer */
    int64_t leave_one_out;   /* images of the leave-one-layer-ideal table; 0: none */
} pp_noise_options;
pp_knob_table pp_device_knobs(void);
pp_knob_table pp_noise_knobs(void);

/* Numbers of a list "a, b c" (commas or spaces) into a new array of *n; `what` names the knob in errors. */
pp_status pp_number_list(double **out, size_t *n, const char *text, const char *what);
/* The same of compensations. */
pp_status pp_compensation_list(pp_compensation **out, size_t *n, const char *text);

#endif
