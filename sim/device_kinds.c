/* The table of device kinds. Every coefficient has its source beside it. */
#include "sim/device.h"

#include <math.h>

static double clip(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static double poly(double g, const double *c, unsigned n)
{
    double v = 0;
    while (n > 0)
        v = v * g + c[--n];
    return v;
}
#define POLY(g, ...) poly(g, (const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static double safe_log(double g)
{
    return log(g > 1e-12 ? g : 1e-12);
}

/* ---- PCM of 90 nm. PAPER: nandakumar2019, joshi2020; coefficients as in aihwkit (inference/noise/pcm.py) ---- */

#define PCM_MAX_US 25.0

static double pcm_sigma(const pp_device *d, double g)
{
    (void)d;
    return clip(POLY(g, 0.26348, 1.9650, -1.1731), 0, HUGE_VAL) / PCM_MAX_US;
}

static double pcm_nu_mean(const pp_device *d, double g)
{
    (void)d;
    return clip(-0.0155 * safe_log(g) + 0.0244, 0.049, 0.1);
}

static double pcm_nu_std(const pp_device *d, double g)
{
    (void)d;
    return clip(-0.0125 * safe_log(g) - 0.0059, 0.008, 0.045);
}

static double pcm_read(const pp_device *d, double g)
{
    (void)d;
    return fmin(0.0088 / fmax(pow(g, 0.65), 1e-3), 0.2);
}

/* ---- the 64-core chip. PAPER: legallo2023; coefficients as in aihwkit (inference/noise/hermes.py) ---- */

#define HERMES_1_MAX_US 10.35
#define HERMES_MAX_US 20.7

static double hermes_1_sigma(const pp_device *d, double g)
{
    (void)d;
    return clip(POLY(g, 0.15781817, 2.32443916, -2.16310839, 0.68841818), 0, HUGE_VAL) / HERMES_1_MAX_US;
}

static double hermes_sigma(const pp_device *d, double g)
{
    (void)d;
    return clip(POLY(g, 0.16603222, 4.71806468, -8.48101252, 4.68961419), 0, HUGE_VAL) / HERMES_MAX_US;
}

static double hermes_nu_mean(const pp_device *d, double g)
{
    (void)d;
    return g < 0.0945 ? clip(-0.0387 * safe_log(g) - 0.0182, 0.0720, 0.13) : POLY(g, 0.0736, -0.0126, -0.0436);
}

static double hermes_1_nu_std(const pp_device *d, double g)
{
    (void)d;
    return g < 0.3039 ? clip(-0.0120 * safe_log(g) - 0.0023, 0.0124, 0.04) : POLY(g, 0.0104, 0.0116, -0.0165);
}

static double hermes_nu_std(const pp_device *d, double g)
{
    (void)d;
    return g < 0.3055 ? clip(-0.0117 * safe_log(g) - 0.0057, 0.0091, 0.04) : POLY(g, 0.0073, 0.0093, -0.0118);
}

static double hermes_1_read(const pp_device *d, double g)
{
    (void)d;
    return g < 0.1591 ? clip(-0.0078 * safe_log(g) + 0.0038, 0.0179, 0.04) : POLY(g, 0.0088, 0.0768, -0.1352, 0.0664);
}

static double hermes_read(const pp_device *d, double g)
{
    (void)d;
    return g < 0.16 ? clip(-0.0117 * safe_log(g) - 0.0069, 0.015, 0.04) : POLY(g, 0.0123, 0.0211, -0.0280, 0.0069);
}

/* ---- models whose figures are settings ---- */

static double flat_sigma(const pp_device *d, double g)
{
    (void)g;
    return d->sigma;
}

static double flat_read(const pp_device *d, double g)
{
    (void)g;
    return d->read_sigma;
}

/* Widest in the middle of the range, a fifth of that at its ends: the shape of filamentary devices between two
 * well-defined states. The shape is ours; the height is device.sigma. */
static double middle_sigma(const pp_device *d, double g)
{
    return d->sigma * (0.2 + 3.2 * g * (1 - g));
}

static double custom_sigma(const pp_device *d, double g)
{
    return poly(g, d->program.c, d->program.n) / d->g_max_us;
}

static double custom_nu_mean(const pp_device *d, double g)
{
    return poly(g, d->nu_mean.c, d->nu_mean.n);
}

static double custom_nu_std(const pp_device *d, double g)
{
    return poly(g, d->nu_std.c, d->nu_std.n);
}

static double custom_read(const pp_device *d, double g)
{
    return poly(g, d->read.c, d->read.n);
}

static const pp_device_kind kinds[] = {
    {.name = "ideal", .text = "every conductance is what it should be, for ever", .source = "none", .g_max_us = 25, .t0_s = 1, .t_read_s = 1e-6},
    {.name = "aihwkit-pcm", .text = "phase-change memory of 90 nm: programming error, drift, 1/f noise", .source = "nandakumar2019",
     .g_max_us = PCM_MAX_US, .t0_s = 20, .t_read_s = 250e-9,
     .sigma = pcm_sigma, .nu_mean = pcm_nu_mean, .nu_std = pcm_nu_std, .read = pcm_read},
    {.name = "hermes", .text = "phase-change memory of the 64-core chip, two devices for each side of a weight", .source = "legallo2023",
     .g_max_us = HERMES_MAX_US, .t0_s = 300, .t_read_s = 512e-9,
     .sigma = hermes_sigma, .nu_mean = hermes_nu_mean, .nu_std = hermes_nu_std, .read = hermes_read},
    {.name = "hermes-1", .text = "the same with one device for each side of a weight", .source = "legallo2023",
     .g_max_us = HERMES_1_MAX_US, .t0_s = 200, .t_read_s = 512e-9,
     .sigma = hermes_1_sigma, .nu_mean = hermes_nu_mean, .nu_std = hermes_1_nu_std, .read = hermes_1_read},
    {.name = "rram", .text = "resistive memory: Gaussian error on the conductance (device.sigma), read noise (device.read_sigma)",
     .source = "settings", .g_max_us = 40, .t0_s = 1, .t_read_s = 1e-6,
     .sigma = flat_sigma, .read = flat_read, .read_constant = true},
    {.name = "rram-state", .text = "the same with an error that depends on the state, widest in the middle of the range",
     .source = "settings", .g_max_us = 40, .t0_s = 1, .t_read_s = 1e-6,
     .sigma = middle_sigma, .read = flat_read, .read_constant = true},
    {.name = "sram", .text = "digital cells: exact", .source = "none", .g_max_us = 25, .t0_s = 1, .t_read_s = 1e-6},
    {.name = "gaussian", .text = "Gaussian error on each weight (device.sigma of the largest), as networks are trained with",
     .source = "joshi2020", .g_max_us = 25, .t0_s = 1, .t_read_s = 1e-6, .sigma = flat_sigma, .on_weight = true},
    {.name = "custom", .text = "polynomials of the normalised target: device.program_poly, nu_mean_poly, nu_std_poly, read_poly",
     .source = "settings", .g_max_us = 25, .t0_s = 20, .t_read_s = 250e-9,
     .sigma = custom_sigma, .nu_mean = custom_nu_mean, .nu_std = custom_nu_std, .read = custom_read},
};

const pp_device_kind *pp_device_kind_at(size_t i)
{
    return i < sizeof kinds / sizeof *kinds ? &kinds[i] : NULL;
}
