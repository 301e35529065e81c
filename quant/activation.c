/* Scale of a stream from the histogram of its float values. */
#include "quant/quant_internal.h"

#include <math.h>

enum { SEARCH_STEPS = 90 };

double pp_bin_value(uint32_t bin)
{
    int exponent = (int)(bin >> PP_BIN_MANTISSA) - 31;
    double fraction = ((double)(bin & ((1u << PP_BIN_MANTISSA) - 1)) + 0.5) / (1 << PP_BIN_MANTISSA);
    return ldexp(1 + fraction, exponent);
}

double pp_histogram_kurtosis(const pp_histogram *h)
{
    double n = (double)h->n, sum = 0, m2 = 0, m4 = 0;
    uint64_t seen = 0;
    for (int side = 0; side < 2; side++)
        for (uint32_t b = 0; b < PP_BINS; b++) {
            sum += (side ? -1.0 : 1.0) * h->bin[side][b] * pp_bin_value(b);
            seen += h->bin[side][b];
        }
    double mean = n > 0 ? sum / n : 0, zeros = n - (double)seen;
    for (int side = 0; side < 2; side++)
        for (uint32_t b = 0; b < PP_BINS; b++) {
            double d = (side ? -pp_bin_value(b) : pp_bin_value(b)) - mean;
            m2 += h->bin[side][b] * d * d;
            m4 += h->bin[side][b] * d * d * d * d;
        }
    m2 += zeros * mean * mean;
    m4 += zeros * mean * mean * mean * mean;
    return m2 > 0 ? m4 * n / (m2 * m2) : 0;
}

static double limit_minmax(const pp_histogram *h)
{
    return fmax(fabs((double)h->min), fabs((double)h->max));
}

/* Smallest magnitude that `percentile` of all values (zeros too) do not exceed. */
static double limit_percentile(const pp_histogram *h, double percentile)
{
    double above = (double)h->n * (1 - percentile / 100), count = 0;
    for (uint32_t b = PP_BINS; b-- > 0;) {
        count += (double)h->bin[0][b] + h->bin[1][b];
        if (count > above)
            return fmin(pp_bin_value(b), limit_minmax(h));
    }
    return limit_minmax(h);
}

/* Squared error of one bin's value: rounding and clipping. */
static double bin_error(const pp_qformat *f, double value, double scale)
{
    double code = nearbyint(value / scale);
    double error = value - fmin(fmax(code, f->qmin), f->qmax) * scale;
    return error * error;
}

static double scale_error(const pp_histogram *h, const pp_qformat *f, double scale, double limit)
{
    double sum = 0;
    for (uint32_t b = PP_BINS; b-- > 0 && sum <= limit;) {
        double value = 0;
        if (h->bin[0][b] || h->bin[1][b])
            value = pp_bin_value(b);
        if (h->bin[0][b])
            sum += h->bin[0][b] * bin_error(f, value, scale);
        if (h->bin[1][b])
            sum += h->bin[1][b] * bin_error(f, -value, scale);
    }
    return sum;
}

double pp_activation_scale(const pp_histogram *h, const pp_qformat *f, int method, double percentile)
{
    double most = limit_minmax(h);
    if (!(most > 0x1p-31))
        return 1.0 / f->qmax; /* nothing but zeros */
    if (method == PP_AQUANT_PERCENTILE)
        most = limit_percentile(h, percentile);
    if (method != PP_AQUANT_MSE)
        return most / f->qmax;
    double best = INFINITY, best_scale = 0;
    for (int step = 0; step < SEARCH_STEPS; step++) {
        double scale = most * (1 - step / 100.0) / f->qmax, error = scale_error(h, f, scale, best);
        if (error < best) {
            best = error;
            best_scale = scale;
        }
    }
    return best_scale;
}
