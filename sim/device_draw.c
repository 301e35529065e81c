/* One device: its numbers and what they make of it. */
#include "sim/device.h"

#include <math.h>
#include <string.h>

/* Counter words of a device's numbers: block 0 is the device itself, 1 its read noise at a time, 2 whether it is
 * stuck, 3 and up further programming attempts. */
static void numbers(float *z, int n, uint64_t seed, uint32_t object, uint32_t index, uint32_t block, uint32_t salt)
{
    const uint32_t key[2] = {(uint32_t)seed ^ UINT32_C(0x5bd1e995), (uint32_t)(seed >> 32) ^ salt};
    pp_rng r = {.key = {key[0], key[1]}, .counter = {block, index, object, UINT32_C(0x64657663)}, .used = 4};
    /* Philox of base/rng.h, two Box-Muller pairs. */
    for (int i = 0; i < n; i++)
        z[i] = (float)pp_rng_normal(&r);
}

static double uniform(uint64_t seed, uint32_t object, uint32_t index)
{
    pp_rng r = {.key = {(uint32_t)seed ^ UINT32_C(0x5bd1e995), (uint32_t)(seed >> 32)},
                .counter = {UINT32_MAX, index, object, UINT32_C(0x7374636b)},
                .used = 4};
    return pp_rng_uniform(&r);
}

static double value(double (*f)(const pp_device *, double), const pp_device *d, double g)
{
    return f != NULL ? f(d, g) : 0;
}

/* Programs until the device lies within the window of its target, at most verify_reads times. */
static double program(const pp_device *d, double target, double first, uint64_t seed, uint32_t object, uint32_t index)
{
    const double sigma = value(d->kind->sigma, d, target);
    double p = target + sigma * first;
    float z[4] = {0};
    for (unsigned i = 1; i < d->verify_reads && fabs(p - target) > d->verify_window; i++) {
        if (i % 4 == 1)
            numbers(z, 4, seed, object, index, 16 + (i / 4) * 4, 0);
        p = target + sigma * (double)z[(i - 1) % 4];
    }
    return p > 0 || d->kind->on_weight ? p : 0;
}

double pp_device_read_std(const pp_device *d, double g, double drifted, double t)
{
    const double q = value(d->kind->read, d, g);
    return drifted * q * (d->kind->read_constant ? 1 : sqrt(fmax(log((t + d->t_read_s) / (2 * d->t_read_s)), 0)));
}

void pp_device_state_of(pp_device_state *out, const pp_device *d, uint64_t seed, uint32_t object, uint32_t index,
                        double target, double t)
{
    float z[2], at_time = 0;
    double stuck = -1;
    if (d->stuck_low > 0 || d->stuck_high > 0) {
        const double u = uniform(seed, object, index);
        stuck = u < d->stuck_low ? 0 : u >= 1 - d->stuck_high ? 1 : -1;
    }
    if (stuck >= 0) {
        *out = (pp_device_state){stuck, stuck, stuck, 0};
        return;
    }
    numbers(z, 2, seed, object, index, 0, 0);
    out->programmed = program(d, target, (double)z[0], seed, object, index);
    const double nu = fabs(value(d->kind->nu_mean, d, target) + value(d->kind->nu_std, d, target) * (double)z[1]);
    out->drifted = nu != 0 ? out->programmed * pow(t / d->t0_s, -nu) : out->programmed;
    out->read_std = pp_device_read_std(d, target, out->drifted, t);
    if (out->read_std == 0) {
        out->read = out->drifted;
        return;
    }
    uint64_t bits;
    memcpy(&bits, &t, sizeof bits);
    numbers(&at_time, 1, seed, object, index, 8, (uint32_t)(bits ^ bits >> 32) | 1);
    out->read = fmax(out->drifted + out->read_std * (double)at_time, 0);
}

/* Moments of a normal variable clamped at zero: with a = mean / std, Phi(a) mean + phi(a) std and
 * Phi(a) (mean^2 + std^2) + phi(a) mean std. */
void pp_clamped_normal(double mean, double std, double *clamped_mean, double *clamped_std)
{
    if (!(std > 0)) {
        *clamped_mean = mean > 0 ? mean : 0;
        *clamped_std = 0;
        return;
    }
    const double a = mean / std, phi = exp(-a * a / 2) / 2.5066282746310002, cdf = 0.5 * erfc(-a / 1.4142135623730951);
    const double m = cdf * mean + phi * std, second = cdf * (mean * mean + std * std) + phi * mean * std;
    *clamped_mean = m;
    *clamped_std = sqrt(fmax(second - m * m, 0));
}
