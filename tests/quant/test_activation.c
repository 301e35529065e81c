#include "nets.h"
#include "quant/quant_internal.h"

#include <math.h>

static pp_histogram make(void)
{
    pp_histogram h = {.min = INFINITY, .max = -INFINITY};
    h.bin[0] = calloc(PP_BINS, sizeof **h.bin);
    h.bin[1] = calloc(PP_BINS, sizeof **h.bin);
    return h;
}

static void done(pp_histogram *h)
{
    free(h->bin[0]);
    free(h->bin[1]);
}

/* The bin by its definition: the one whose middle is nearest. */
static void put(pp_histogram *h, double v, uint32_t times)
{
    h->n += times;
    h->min = fminf(h->min, (float)v);
    h->max = fmaxf(h->max, (float)v);
    if (v == 0)
        return;
    int exponent;
    double f = frexp(fabs(v), &exponent); /* |v| = f 2^e, f in [0.5, 1) */
    uint32_t bin = (uint32_t)(exponent - 1 + 31) << PP_BIN_MANTISSA;
    bin += (uint32_t)((2 * f - 1) * (1 << PP_BIN_MANTISSA));
    assert_true(fabs(pp_bin_value(bin) - fabs(v)) <= fabs(v) / (1 << PP_BIN_MANTISSA));
    h->bin[v < 0][bin] += times;
}

static void ranges(void **state)
{
    (void)state;
    pp_histogram h = make();
    for (int i = 1; i <= 1000; i++)
        put(&h, i == 1000 ? 50.0 : i / 1000.0, 1);
    pp_qformat f;
    pp_format_set(&f, 8, false);
    assert_int_equal(f.qmin, 0);
    assert_int_equal(f.qmax, 255);
    assert_true(fabs(pp_activation_scale(&h, &f, PP_AQUANT_MINMAX, 0) - 50.0 / 255) < 1e-9);
    /* 99.5 % of 1,000 values: all but the five largest */
    assert_true(fabs(pp_activation_scale(&h, &f, PP_AQUANT_PERCENTILE, 99.5) * 255 - 0.995) < 0.002);
    assert_true(fabs(pp_activation_scale(&h, &f, PP_AQUANT_PERCENTILE, 100) - 50.0 / 255) < 1e-3);
    done(&h);
}

/* With 4 bits and a few outliers clipping pays; the error at the chosen scale is the least of the search. */
static void mse_beats_minmax(void **state)
{
    (void)state;
    pp_histogram h = make();
    static double v[5000];
    pp_rng rng = pp_rng_make(5, 5);
    for (int i = 0; i < 5000; i++) {
        v[i] = pp_rng_normal(&rng) * (i % 500 == 0 ? 3 : 1);
        put(&h, v[i], 1);
    }
    pp_qformat f;
    pp_format_set(&f, 4, true);
    assert_int_equal(f.qmin, -7);
    double most = pp_activation_scale(&h, &f, PP_AQUANT_MINMAX, 0), got = pp_activation_scale(&h, &f, PP_AQUANT_MSE, 0);
    double best = INFINITY, at_got = 0;
    for (int step = -1; step < 90; step++) {
        double scale = step < 0 ? got : most * (1 - step / 100.0), sum = 0;
        for (int i = 0; i < 5000; i++) {
            double e = v[i] - fmin(fmax(nearbyint(v[i] / scale), -7), 7) * scale;
            sum += e * e;
        }
        if (step < 0)
            at_got = sum;
        else
            best = fmin(best, sum);
    }
    assert_true(got < most);
    assert_true(at_got <= best * 1.002);
    /* the kurtosis is that of the sample */
    double m1 = 0, m2 = 0, m4 = 0;
    for (int i = 0; i < 5000; i++)
        m1 += v[i] / 5000;
    for (int i = 0; i < 5000; i++) {
        m2 += pow(v[i] - m1, 2) / 5000;
        m4 += pow(v[i] - m1, 4) / 5000;
    }
    assert_true(fabs(pp_histogram_kurtosis(&h) / (m4 / (m2 * m2)) - 1) < 0.01);
    done(&h);
}

static void nothing_but_zeros(void **state)
{
    (void)state;
    pp_histogram h = make();
    put(&h, 0, 100);
    pp_qformat f;
    pp_format_set(&f, 8, false);
    for (int method = PP_AQUANT_MINMAX; method <= PP_AQUANT_MSE; method++)
        assert_true(pp_activation_scale(&h, &f, method, 99.9) == 1.0 / 255);
    assert_true(pp_histogram_kurtosis(&h) == 0);
    done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges), cmocka_unit_test(mse_beats_minmax),
                                       cmocka_unit_test(nothing_but_zeros)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
