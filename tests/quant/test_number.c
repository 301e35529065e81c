/* Number formats, clip search, activations, GPTQ against obvious code. */
#include "quant/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_ok(expr) assert_string_equal(pp_status_text(expr), pp_status_text(PP_OK))

static float *gaussian(size_t n, uint64_t object)
{
    float *x = malloc(n * sizeof *x);
    pp_rng rng = pp_rng_make(2, object);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)pp_rng_normal(&rng);
    return x;
}

static void codes_are_the_nearest_values(void **state)
{
    (void)state;
    for (pp_number f = PP_INT2; f < PP_NUMBER_COUNT; f++) {
        const pp_number_traits *t = pp_number_traits_of(f);
        pp_number parsed;
        assert_ok(pp_number_parse(&parsed, t->name));
        assert_int_equal(parsed, f);
        pp_rng rng = pp_rng_make(4, (uint64_t)f);
        for (unsigned i = 0; i < 3000; i++) {
            const float v = (float)(pp_rng_normal(&rng) * (double)t->top * (i % 2 ? 0.4 : 0.01));
            float best = INFINITY;
            for (uint32_t c = 0; c < 1u << t->bits; c++) {
                const float value = pp_number_decode(f, c);
                if (isfinite(value) && fabsf(value) <= t->top + 1 && fabsf(value - v) < best) /* not the NaN codes */
                    best = fabsf(value - v);
            }
            const uint32_t code = pp_number_encode(f, v);
            assert_true(code < 1u << t->bits);
            assert_true(fabsf(pp_number_decode(f, code) - v) <= best);
            assert_true(pp_number_decode(f, code) == pp_number_round(f, v));
        }
    }
    pp_number ignored;
    assert_int_equal(pp_number_parse(&ignored, "int9"), PP_ENOTFOUND);
    assert_int_equal(pp_number_parse(&ignored, "a name that is far too long"), PP_ENOTFOUND);
    static const struct { const char *name; pp_number number; } same[] = {{"NF4", PP_NF4}, {"e2m1", PP_FP4}, {"fp8", PP_FP8_E4M3},
                                                                         {"FP8_E5M2", PP_FP8_E5M2}, {"MXFP4", PP_MXFP4}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_ok(pp_number_parse(&ignored, same[i].name));
        assert_int_equal(ignored, same[i].number);
    }
}

static double sqnr(const float *x, const float *q, size_t n)
{
    double s = 0, e = 0;
    for (size_t i = 0; i < n; i++) {
        s += (double)x[i] * (double)x[i];
        e += ((double)x[i] - (double)q[i]) * ((double)x[i] - (double)q[i]);
    }
    return 10 * log10(s / e);
}

static void error_budgets_hold(void **state)
{
    (void)state;
    enum { R = 8, C = 1024 };
    float *w = gaussian(R * C, 1), *q = malloc(R * C * sizeof *q), scale[R * C / 32];
    uint8_t *code = malloc(R * C);
    for (pp_number f = PP_INT2; f < PP_NUMBER_COUNT; f++) {
        const pp_weight_options o = {.format = f, .clip = true, .norm = 2};
        assert_ok(pp_quantize_rtn(&o, NULL, w, R, C, code, scale));
        pp_dequantize(&o, R, C, code, scale, q);
        const double got = sqnr(w, q, R * C), budget = pp_number_traits_of(f)->budget_db;
        if (got < budget || got > budget + 3)
            fail_msg("%s: %.2f dB, budget %.2f", pp_number_traits_of(f)->name, got, budget);
    }
    free(w);
    free(q);
    free(code);
}

static void clip_search_finds_the_best_step(void **state)
{
    (void)state;
    float *w = gaussian(300, 7);
    w[17] = 9;
    const pp_weight_options o = {.format = PP_INT4, .clip = true, .norm = 2.4};
    double best = INFINITY;
    const float full = 9.0f / 7, got = pp_weight_scale(&o, w, 300);
    for (unsigned i = 0; i < 80; i++)
        best = fmin(best, pp_clip_error_plain(PP_INT4, w, 300, full * (1 - (float)i / 100), 2.4));
    const double error = pp_clip_error_plain(PP_INT4, w, 300, got, 2.4);
    assert_true(error <= best * (1 + 1e-4));
    const double fast = pp_clip_error(PP_INT4, w, 300, got, 2.4, INFINITY);
    assert_true(fabs(fast - error) < 1e-4 * error);
    memset(w, 0, 300 * sizeof *w);
    assert_true(pp_weight_scale(&o, w, 300) == 0);
    free(w);
}

static void groups_have_their_own_scales(void **state)
{
    (void)state;
    float w[10] = {1, 2, 3, 7, 10, 20, 30, 70, 0.1f, 0.7f}, scale[3], q[10];
    uint8_t code[10];
    const pp_weight_options o = {.format = PP_INT4, .group = 4};
    assert_int_equal(pp_weight_groups(&o, 10), 3);
    assert_ok(pp_quantize_rtn(&o, NULL, w, 1, 10, code, scale));
    pp_dequantize(&o, 1, 10, code, scale, q);
    for (unsigned i = 0; i < 10; i++)
        assert_true(fabsf(q[i] - w[i]) < 1e-5f * 70);
    assert_true(fabsf(scale[0] - 1) < 1e-6f && fabsf(scale[1] - 10) < 1e-5f && fabsf(scale[2] - 0.1f) < 1e-7f);
}

static void activations_by_hand(void **state)
{
    (void)state;
    const pp_act_options s = {.bits = 4, .clip = 1}, a = {.bits = 4, .asymmetric = true, .clip = 1};
    const pp_act_options fixed = {.bits = 4, .static_top = 7}, none = {.bits = 0};
    float x[4] = {-7, 3.4f, 0.4f, 7}, y[4] = {1, 2, 16, 8.4f}, z[4] = {100, -100, 2.6f, 0}, keep[2] = {0.123f, 9};
    pp_quantize_rows(&s, x, 1, 4);
    assert_true(x[0] == -7 && x[1] == 3 && x[2] == 0 && x[3] == 7);
    pp_quantize_rows(&a, y, 1, 4); /* lo 1, hi 16, step 1, zero -1 */
    assert_true(y[0] == 1 && y[1] == 2 && y[2] == 16 && y[3] == 8);
    pp_quantize_rows(&fixed, z, 1, 4);
    assert_true(z[0] == 7 && z[1] == -8 && z[2] == 3 && z[3] == 0);
    pp_quantize_rows(&none, keep, 1, 2);
    assert_true(keep[0] == 0.123f && keep[1] == 9);
    float w[2] = {0, 0};
    pp_quantize_rows(&a, w, 1, 2);
    assert_true(w[0] == 0 && w[1] == 0);
}

/* ---- GPTQ ---- */

/* The algorithm as it is told: after each column, all columns behind move by the error times the row of the
 * inverse Hessian, which then loses that column. Double precision, one row of weights. */
static void gptq_slow(const float *w, size_t n, const double *h, double damping, float scale, float *q)
{
    double *inverse = calloc(n * n, sizeof *inverse), *a = malloc(n * n * sizeof *a), *v = malloc(n * sizeof *v), mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += h[i * n + i] / (double)n;
    for (size_t i = 0; i < n * n; i++)
        a[i] = h[i] + (i % (n + 1) == 0 ? damping * mean : 0);
    for (size_t i = 0; i < n; i++)
        inverse[i * n + i] = 1;
    for (size_t c = 0; c < n; c++) { /* Gauss-Jordan */
        const double p = a[c * n + c];
        for (size_t j = 0; j < n; j++) {
            a[c * n + j] /= p;
            inverse[c * n + j] /= p;
        }
        for (size_t r = 0; r < n; r++) {
            const double f = a[r * n + c];
            for (size_t j = 0; r != c && j < n; j++) {
                a[r * n + j] -= f * a[c * n + j];
                inverse[r * n + j] -= f * inverse[c * n + j];
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        v[i] = (double)w[i];
    for (size_t c = 0; c < n; c++) {
        const double d = inverse[c * n + c];
        q[c] = pp_number_round(PP_INT4, (float)v[c] / scale) * scale;
        const double e = (v[c] - (double)q[c]) / d;
        for (size_t j = c; j < n; j++)
            v[j] -= e * inverse[c * n + j];
        double *row = malloc(n * sizeof *row);
        memcpy(row, inverse + c * n, n * sizeof *row);
        for (size_t i = c; i < n; i++) {
            const double f = inverse[i * n + c] / d;
            for (size_t j = c; j < n; j++)
                inverse[i * n + j] -= f * row[j];
        }
        free(row);
    }
    free(inverse);
    free(a);
    free(v);
}

enum { COLS = 96, OUTS = 20, SAMPLES = 400 };

static double *hessian_from(float **x, float correlation, size_t samples)
{
    double *h = calloc(COLS * COLS, sizeof *h);
    float *g = gaussian(SAMPLES * COLS, 5);
    for (size_t r = 0; r < SAMPLES; r++)
        for (size_t i = 1; i < COLS; i++)
            g[r * COLS + i] += correlation * g[r * COLS + i - 1]; /* correlated inputs */
    for (size_t r = 0; r < samples; r++)
        for (size_t i = 0; i < COLS; i++)
            for (size_t j = 0; j < COLS; j++)
                h[i * COLS + j] += (double)g[r * COLS + i] * (double)g[r * COLS + j];
    *x = g;
    return h;
}

static double *hessian_of(float **x)
{
    return hessian_from(x, 0.8f, SAMPLES);
}

static void to_float(const double *h, float *f)
{
    for (size_t i = 0; i < COLS * COLS; i++)
        f[i] = (float)h[i];
}

static double output_error(const float *x, const float *w, const float *q)
{
    double e = 0;
    for (size_t r = 0; r < SAMPLES; r++)
        for (size_t o = 0; o < OUTS; o++) {
            double d = 0;
            for (size_t i = 0; i < COLS; i++)
                d += (double)x[r * COLS + i] * ((double)w[o * COLS + i] - (double)q[o * COLS + i]);
            e += d * d;
        }
    return e;
}

static void gptq_equals_the_slow_algorithm(void **state)
{
    (void)state;
    float *x, *w = gaussian(OUTS * COLS, 6), *q = malloc(OUTS * COLS * sizeof *q), *h = malloc(COLS * COLS * sizeof *h);
    float scale[OUTS], slow[COLS];
    uint8_t *code = malloc(OUTS * COLS);
    double *hessian = hessian_of(&x);
    const pp_weight_options o = {.format = PP_INT4, .clip = true, .norm = 2.4};
    pp_gptq_options g = pp_gptq_defaults();
    g.block = 32;
    to_float(hessian, h);
    memcpy(q, w, OUTS * COLS * sizeof *q);
    assert_ok(pp_quantize_gptq(&o, &g, NULL, q, OUTS, COLS, h, code, scale));
    size_t different = 0;
    for (size_t r = 0; r < OUTS; r++) {
        gptq_slow(w + r * COLS, COLS, hessian, g.damping, scale[r], slow);
        for (size_t i = 0; i < COLS; i++)
            different += fabsf(slow[i] - q[r * COLS + i]) > 1e-5f;
    }
    assert_true(different <= OUTS * COLS / 100); /* ties of rounding aside */
    free(x);
    free(w);
    free(q);
    free(h);
    free(code);
    free(hessian);
}

/* Single precision in one buffer against the definition in double, also where H has no inverse but for the damping: the same
 * error of the outputs, whatever few codes differ. */
static void gptq_in_single_precision(void **state)
{
    (void)state;
    const float correlation[] = {0, 0.8f, 0.99f, 0.9f};
    const size_t samples[] = {SAMPLES, SAMPLES, SAMPLES, COLS / 3};
    for (size_t k = 0; k < 4; k++) {
        float *x, *w = gaussian(OUTS * COLS, 16 + k), *q = malloc(OUTS * COLS * sizeof *q), *h = malloc(COLS * COLS * sizeof *h);
        float scale[OUTS], *slow = malloc(OUTS * COLS * sizeof *slow);
        uint8_t *code = malloc(OUTS * COLS);
        double *hessian = hessian_from(&x, correlation[k], samples[k]);
        const pp_weight_options o = {.format = PP_INT4, .clip = true, .norm = 2.4};
        const pp_gptq_options g = pp_gptq_defaults();
        to_float(hessian, h);
        memcpy(q, w, OUTS * COLS * sizeof *q);
        assert_ok(pp_quantize_gptq(&o, &g, NULL, q, OUTS, COLS, h, code, scale));
        for (size_t r = 0; r < OUTS; r++)
            gptq_slow(w + r * COLS, COLS, hessian, g.damping, scale[r], slow + r * COLS);
        const double ratio = output_error(x, w, q) / output_error(x, w, slow);
        if (!(ratio > 0.98 && ratio < 1.02))
            fail_msg("case %zu: error %g times that in double", k, ratio);
        free(x);
        free(w);
        free(q);
        free(h);
        free(slow);
        free(code);
        free(hessian);
    }
}

static void gptq_beats_rounding_with_every_option(void **state)
{
    (void)state;
    float *x, *w = gaussian(OUTS * COLS, 8), *q = malloc(OUTS * COLS * sizeof *q), *h = malloc(COLS * COLS * sizeof *h);
    float scale[OUTS * 3];
    uint8_t *code = malloc(OUTS * COLS);
    double *hessian = hessian_of(&x);
    for (unsigned c = 0; c < 4; c++) {
        const pp_weight_options o = {.format = PP_INT3, .clip = true, .norm = 2.4, .group = c >= 2 ? 32 : 0};
        pp_gptq_options g = pp_gptq_defaults();
        g.act_order = c % 2 == 1;
        g.static_groups = c == 3;
        g.block = 32;
        assert_ok(pp_quantize_rtn(&o, NULL, w, OUTS, COLS, code, scale));
        pp_dequantize(&o, OUTS, COLS, code, scale, q);
        const double rtn = output_error(x, w, q);
        to_float(hessian, h);
        memcpy(q, w, OUTS * COLS * sizeof *q);
        assert_ok(pp_quantize_gptq(&o, &g, NULL, q, OUTS, COLS, h, code, scale));
        const double gptq = output_error(x, w, q);
        if (!(gptq < 0.8 * rtn))
            fail_msg("case %u: %g against %g", c, gptq, rtn);
    }
    pp_gptq_options g = pp_gptq_defaults();
    const pp_weight_options o = {.format = PP_INT4, .group = 32};
    g.act_order = true;
    to_float(hessian, h);
    assert_int_equal(pp_quantize_gptq(&o, &g, NULL, q, OUTS, COLS, h, code, scale), PP_EINVAL);
    free(x);
    free(w);
    free(q);
    free(h);
    free(code);
    free(hessian);
}

static void dead_columns_become_zero(void **state)
{
    (void)state;
    float w[8] = {1, 2, 3, 4, 5, 6, 7, 8}, h[16] = {0}, scale[2];
    uint8_t code[8];
    h[0] = h[5] = h[15] = 2; /* column 2 never moves */
    const pp_weight_options o = {.format = PP_INT8};
    const pp_gptq_options g = pp_gptq_defaults();
    assert_ok(pp_quantize_gptq(&o, &g, NULL, w, 2, 4, h, code, scale));
    assert_true(w[2] == 0 && w[6] == 0 && fabsf(w[3] - 4) < 0.05f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_the_nearest_values),   cmocka_unit_test(error_budgets_hold),
        cmocka_unit_test(clip_search_finds_the_best_step), cmocka_unit_test(groups_have_their_own_scales),
        cmocka_unit_test(activations_by_hand),            cmocka_unit_test(gptq_equals_the_slow_algorithm), cmocka_unit_test(gptq_in_single_precision),
        cmocka_unit_test(gptq_beats_rounding_with_every_option), cmocka_unit_test(dead_columns_become_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
