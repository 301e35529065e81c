/* Moments of devices by numerical integration: what draws are compared with (tests and bench). */
#ifndef PP_TEST_SIM_DEVICE_MOMENTS_H
#define PP_TEST_SIM_DEVICE_MOMENTS_H

#include "sim/device.h"

#include <math.h>

static inline double value(double (*f)(const pp_device *, double), const pp_device *d, double g)
{
    return f != NULL ? f(d, g) : 0;
}

#define PI 3.14159265358979323846

typedef struct moments {
    double programmed[2], drifted[2], read[2]; /* mean, second moment */
} moments;

/* By Simpson's rule over both normals: programming error and drift exponent; the read noise is a closed form inside. */
static inline moments integrate(const pp_device *d, double g, double t)
{
    enum { N = 400 };
    const double sigma = value(d->kind->sigma, d, g), mu = value(d->kind->nu_mean, d, g), s = value(d->kind->nu_std, d, g);
    const double span = 8, h = 2 * span / N;
    moments m = {{0}, {0}, {0}};
    for (int i = 0; i <= N; i++) {
        const double n1 = -span + h * i, w1 = (i == 0 || i == N ? 1 : i % 2 ? 4 : 2) * h / 3 * exp(-n1 * n1 / 2) / sqrt(2 * PI);
        const double raw = g + sigma * n1, p = raw > 0 || d->kind->on_weight ? raw : 0;
        m.programmed[0] += w1 * p;
        m.programmed[1] += w1 * p * p;
        for (int j = 0; j <= N; j++) {
            const double n2 = -span + h * j, w2 = w1 * (j == 0 || j == N ? 1 : j % 2 ? 4 : 2) * h / 3 * exp(-n2 * n2 / 2) / sqrt(2 * PI);
            const double drifted = p * pow(t / d->t0_s, -fabs(mu + s * n2));
            double mean, std;
            pp_clamped_normal(drifted, pp_device_read_std(d, g, drifted, t), &mean, &std);
            m.drifted[0] += w2 * drifted;
            m.drifted[1] += w2 * drifted * drifted;
            m.read[0] += w2 * mean;
            m.read[1] += w2 * (std * std + mean * mean);
        }
    }
    return m;
}

#endif
