/* Learning on the orthogonal group: gradient by finite differences, and what a step may do. */
#include "quant/rotation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_ok(expr) assert_string_equal(pp_status_text(expr), pp_status_text(PP_OK))

enum { N = 16, ROWS = 150 };

/* Rows with two loud channels, each of the same length, as behind an RMS norm. */
static float *outlier_rows(size_t rows, size_t n)
{
    float *x = malloc(rows * n * sizeof *x);
    pp_rng rng = pp_rng_make(11, 0);
    for (size_t r = 0; r < rows; r++) {
        double squares = 0;
        for (size_t i = 0; i < n; i++) {
            x[r * n + i] = (float)(pp_rng_normal(&rng) * (i % 8 == 3 ? 8 : 1));
            squares += (double)x[r * n + i] * (double)x[r * n + i];
        }
        for (size_t i = 0; i < n; i++)
            x[r * n + i] *= (float)sqrt((double)n / squares);
    }
    return x;
}

static double loss_of(pp_kurtosis_kind kind, const float *z)
{
    float copy[N * ROWS];
    double loss, mean;
    memcpy(copy, z, sizeof copy);
    assert_ok(pp_kurtosis_gradient(kind, 1.8, NULL, copy, ROWS, N, &loss, &mean));
    return loss;
}

static void gradient_equals_finite_differences(void **state)
{
    (void)state;
    float *z = outlier_rows(ROWS, N), g[N * ROWS];
    for (pp_kurtosis_kind kind = PP_KURTOSIS_POOLED; kind <= PP_KURTOSIS_CHANNEL; kind++) {
        double loss, mean, largest = 0;
        memcpy(g, z, sizeof g);
        assert_ok(pp_kurtosis_gradient(kind, 1.8, NULL, g, ROWS, N, &loss, &mean));
        for (size_t i = 0; i < N * ROWS; i++)
            largest = fmax(largest, fabs((double)g[i]));
        for (size_t i = 0; i < N * ROWS; i += 37) {
            const float keep = z[i], h = 0.02f;
            z[i] = keep + h;
            const double up = loss_of(kind, z), dup = (double)z[i];
            z[i] = keep - h;
            const double down = loss_of(kind, z), ddown = (double)z[i];
            z[i] = keep;
            assert_true(fabs((up - down) / (dup - ddown) - (double)g[i]) < 2e-3 * largest + 1e-9);
        }
    }
    free(z);
}

static void kurtosis_of_known_distributions(void **state)
{
    (void)state;
    float x[20000];
    pp_rng rng = pp_rng_make(1, 2);
    for (size_t i = 0; i < 20000; i++)
        x[i] = (float)pp_rng_normal(&rng) + 5;
    assert_true(fabs(pp_kurtosis(x, 20000) - 3) < 0.15);
    for (size_t i = 0; i < 20000; i++)
        x[i] = (float)pp_rng_uniform(&rng);
    assert_true(fabs(pp_kurtosis(x, 20000) - 1.8) < 0.05);
    for (size_t i = 0; i < 20000; i++)
        x[i] = i % 2 ? 1.0f : -1.0f;
    assert_true(fabs(pp_kurtosis(x, 20000) - 1) < 1e-9);
}

static void learned(int learner, int loss, double *before, double *after)
{
    float *x = outlier_rows(2000, 32), *r = NULL, *again = NULL;
    pp_rotation *start;
    pp_learn_options o = pp_learn_defaults();
    pp_learn_result result, second;
    pp_pool *pool;
    o.learner = learner;
    o.loss = loss;
    o.steps = 60;
    o.batch = 1500;
    assert_ok(pp_pool_new(&pool, 3));
    assert_ok(pp_rotation_random_hadamard(&start, 32, 7, 0));
    assert_ok(pp_rotation_to_dense(start, &r));
    assert_ok(pp_rotation_to_dense(start, &again));
    assert_ok(pp_rotation_learn(r, 32, x, 2000, &o, NULL, NULL, &result));
    assert_ok(pp_rotation_learn(again, 32, x, 2000, &o, pool, NULL, &second));
    assert_memory_equal(r, again, 32 * 32 * sizeof *r); /* whatever the number of threads */
    assert_true(result.defect < 1e-5);
    *before = result.loss_before;
    *after = result.loss_after;
    pp_rotation_free(start);
    pp_pool_free(pool);
    free(x);
    free(r);
    free(again);
}

static void every_learner_lowers_the_loss_and_stays_orthogonal(void **state)
{
    (void)state;
    for (int learner = PP_LEARNER_SGD; learner <= PP_LEARNER_QR; learner++)
        for (int loss = PP_KURTOSIS_POOLED; loss <= PP_KURTOSIS_CHANNEL; loss++) {
            double before, after;
            learned(learner, loss, &before, &after);
            if (!(after < 0.9 * before))
                fail_msg("learner %d, loss %d: %g -> %g", learner, loss, before, after);
        }
}

static void useless_rows_are_refused(void **state)
{
    (void)state;
    float r[4] = {1, 0, 0, 1}, zero[4] = {0}, nan[2] = {NAN, 1};
    const pp_learn_options o = pp_learn_defaults();
    assert_int_equal(pp_rotation_learn(r, 2, zero, 0, &o, NULL, NULL, NULL), PP_EINVAL);
    assert_int_equal(pp_rotation_learn(r, 2, zero, 2, &o, NULL, NULL, NULL), PP_EINVAL);
    assert_int_equal(pp_rotation_learn(r, 2, nan, 1, &o, NULL, NULL, NULL), PP_EINVAL);
    assert_non_null(strstr(pp_error_text(), "not finite"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_equals_finite_differences),
        cmocka_unit_test(kurtosis_of_known_distributions),
        cmocka_unit_test(every_learner_lowers_the_loss_and_stays_orthogonal),
        cmocka_unit_test(useless_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
