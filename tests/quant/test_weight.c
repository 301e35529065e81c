#include "nets.h"
#include "quant/quant_internal.h"

#include <math.h>

enum { N = 60 };

static void random_row(pp_rng *rng, float *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        w[i] = (float)(pp_rng_normal(rng) * (pp_rng_below(rng, 10) == 0 ? 4 : 1));
}

static double row_error(const float *w, size_t n, double scale, int top)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double code = fmin(fmax(nearbyint(w[i] / scale), -top), top);
        sum += pow(fabs(w[i] - code * scale), 2.4);
    }
    return sum;
}

static void clip_search_finds_the_best_of_80(void **state)
{
    (void)state;
    pp_rng rng = pp_rng_make(2, 2);
    for (uint32_t bits = 2; bits <= 8; bits++) {
        float w[N];
        int8_t code[N];
        random_row(&rng, w, N);
        double most = 0, best = INFINITY;
        int top = (1 << (bits - 1)) - 1;
        for (int i = 0; i < N; i++)
            most = fmax(most, fabs((double)w[i]));
        for (int i = 0; i < 80; i++)
            best = fmin(best, row_error(w, N, most / top * (1 - i / 100.0), top));
        double scale = pp_quantize_row(w, N, bits, PP_WQUANT_MSE, 2.4, code), got = 0;
        for (int i = 0; i < N; i++) {
            assert_in_range(code[i] + top, 0, 2 * top);
            got += pow(fabs(w[i] - code[i] * scale), 2.4);
        }
        assert_true(got <= best * (1 + 1e-4));
        assert_true(got >= best * (1 - 1e-4));
        /* the plain maximum is one of the candidates and no better */
        double plain = pp_quantize_row(w, N, bits, PP_WQUANT_MAX, 2.4, code);
        assert_true(fabs(plain - most / top) < 1e-6 * plain);
        assert_true(row_error(w, N, plain, top) >= got * (1 - 1e-4));
    }
}

static void empty_and_tiny_rows(void **state)
{
    (void)state;
    float w[4] = {0, 0, 0, 0};
    int8_t code[4] = {1, 2, 3, 4};
    assert_true(pp_quantize_row(w, 4, 4, PP_WQUANT_MSE, 2.4, code) == 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(code[i], 0);
    w[2] = 1e-40f;
    assert_true(pp_quantize_row(w, 4, 4, PP_WQUANT_MSE, 2.4, code) == 0);
    assert_int_equal(code[2], 0);
}

/* (w - s q)' H (w - s q) */
static double output_error(const double *h, const float *w, size_t n, double scale, const int8_t *code)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            sum += (w[i] - scale * code[i]) * h[i * n + k] * (w[k] - scale * code[k]);
    return sum;
}

/* All codes of 2 bits for 6 weights, each with its best scale. */
static double brute_force(const double *h, const float *w, const double *target)
{
    double best = INFINITY;
    for (int i = 0; i < 729; i++) {
        int8_t code[6];
        double along = 0, square = 0;
        for (int k = 0, v = i; k < 6; k++, v /= 3)
            code[k] = (int8_t)(v % 3 - 1);
        for (int a = 0; a < 6; a++) {
            along += code[a] * target[a];
            for (int b = 0; b < 6; b++)
                square += code[a] * h[a * 6 + b] * code[b];
        }
        if (along > 0 && square > 0)
            best = fmin(best, output_error(h, w, 6, along / square, code));
    }
    return best;
}

static void refinement_lowers_the_output_error(void **state)
{
    (void)state;
    pp_rng rng = pp_rng_make(3, 3);
    int best_found = 0;
    for (int trial = 0; trial < 50; trial++) {
        float w[6];
        double h[36], root[36], target[6] = {0}, work[12];
        int8_t code[6];
        random_row(&rng, w, 6);
        for (int i = 0; i < 36; i++)
            root[i] = pp_rng_normal(&rng);
        for (int a = 0; a < 6; a++)
            for (int b = 0; b < 6; b++) {
                h[a * 6 + b] = a == b ? 0.1 : 0;
                for (int k = 0; k < 6; k++)
                    h[a * 6 + b] += root[a * 6 + k] * root[b * 6 + k];
            }
        for (int a = 0; a < 6; a++)
            for (int b = 0; b < 6; b++)
                target[a] += h[a * 6 + b] * w[b];
        double scale = pp_quantize_row(w, 6, 2, PP_WQUANT_MSE, 2.4, code);
        double before = output_error(h, w, 6, scale, code);
        pp_refine_row(h, target, 6, 2, &scale, code, work);
        double after = output_error(h, w, 6, scale, code), least = brute_force(h, w, target);
        assert_true(after <= before * (1 + 1e-9));
        assert_true(after >= least * (1 - 1e-9));
        best_found += after <= least * (1 + 1e-9);
    }
    assert_true(best_found >= 10); /* coordinate descent is no exhaustive search, but often as good */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clip_search_finds_the_best_of_80),
                                       cmocka_unit_test(empty_and_tiny_rows),
                                       cmocka_unit_test(refinement_lowers_the_output_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
