/* Devices: what becomes of a conductance when it is programmed, ages and is read.
 *
 * Everything is normalised: g = conductance / g_max, target in [0, 1]. For a target g at time t (seconds since
 * programming, t0 the time of the first read):
 *   programmed  p = max(g + sigma(g) n1, 0)                write-verify repeats it until |p - g| is small
 *   drifted     d = p (t / t0)^-nu, nu = |mu(g) + s(g) n2|
 *   read        r = max(d + d Q(g) sqrt(ln((t + t_r) / (2 t_r))) n3, 0)
 * n1, n2, n3 are standard normal and belong to the device, n3 to the time as well. Kinds differ in sigma, mu, s, Q and
 * the times; docs/devices.md has the table with sources. */
#ifndef PP_SIM_DEVICE_H
#define PP_SIM_DEVICE_H

#include "sim/noise.h"

#define PP_DEVICE_POLY 8 /* most coefficients of a polynomial */

typedef struct pp_poly {
    unsigned n;
    double c[PP_DEVICE_POLY]; /* of g^0, g^1 ... */
} pp_poly;

typedef struct pp_device pp_device;

/* A row of the table of kinds. Functions take the normalised target; all may be NULL: zero. */
typedef struct pp_device_kind {
    const char *name, *text, *source;
    double g_max_us, t0_s, t_read_s;
    double (*sigma)(const pp_device *d, double g);
    double (*nu_mean)(const pp_device *d, double g);
    double (*nu_std)(const pp_device *d, double g);
    double (*read)(const pp_device *d, double g); /* Q */
    bool read_constant; /* Q is the noise itself: no growth with time */
    bool on_weight;     /* noise belongs to the weight, not to a device of a pair: never clamped at zero */
} pp_device_kind;
/* Kind `i`; NULL past the end. */
const pp_device_kind *pp_device_kind_at(size_t i);

/* A resolved model. Copyable. */
struct pp_device {
    const pp_device_kind *kind;
    double g_max_us, t0_s, t_read_s;
    double sigma, read_sigma;
    pp_poly program, nu_mean, nu_std, read;
    double stuck_low, stuck_high;  /* shares; devices that do not yield are among stuck_low */
    unsigned verify_reads;
    double verify_window;
    bool from_programming;         /* times count from programming */
};

/* From the settings; PP_EINVAL with one line for unknown models (nearest named), polynomials that give a
 * negative standard deviation somewhere in [0, 1], times that are not positive. */
pp_status pp_device_resolve(pp_device *out, const pp_device_options *options);
/* Seconds since programming of a time of the settings; PP_ERANGE before t0. */
pp_status pp_device_time(const pp_device *d, double time_s, double *since_programming_s);
bool pp_device_is_ideal(const pp_device *d); /* every conductance is its target, for ever */

/* State of one device at a time. */
typedef struct pp_device_state {
    double programmed, drifted, read; /* normalised */
    double read_std; /* standard deviation of the read term, before clamping */
} pp_device_state;
/* Device `index` of array `object` under `seed`, at `t` seconds since programming. Pure. */
void pp_device_state_of(pp_device_state *out, const pp_device *d, uint64_t seed, uint32_t object, uint32_t index,
                        double target, double t);
/* Mean and standard deviation of max(mean + std n, 0). */
void pp_clamped_normal(double mean, double std, double *clamped_mean, double *clamped_std);
/* Standard deviation of the read term of a conductance `drifted` whose target is g. */
double pp_device_read_std(const pp_device *d, double g, double drifted, double t);

#endif
