/* Normal numbers by counter: moments, tails, independence of the processor, single numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/noise.h"
#include "workloads/cpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1 << 18 };
static float z[N], other[N];
static const uint32_t key[2] = {11, 22}, counter[4] = {0, 1, 2, 3};

static void test_moments(void **state)
{
    double m[5] = {0}, product = 0;
    uint32_t tail = 0;
    (void)state;
    pp_normals(z, N, key, counter);
    for (uint32_t i = 0; i < N; i++) {
        const double v = z[i];
        m[1] += v / N;
        m[2] += v * v / N;
        m[3] += v * v * v / N;
        m[4] += v * v * v * v / N;
        product += v * (double)z[(i + 1) % N] / N;
        tail += fabs(v) > 3;
    }
    const double e = 1 / sqrt(N);
    assert_true(fabs(m[1]) < 4 * e && fabs(m[2] - 1) < 4 * e * sqrt(2));
    assert_true(fabs(m[3]) < 4 * e * sqrt(15) && fabs(m[4] - 3) < 4 * e * sqrt(96));
    assert_true(fabs(product) < 4 * e);
    const double want = erfc(3 / sqrt(2)) * N;
    assert_true(fabs(tail - want) < 4 * sqrt(want));
}

static void test_distribution(void **state)
{
    double worst = 0;
    (void)state;
    pp_normals(z, N, key, counter);
    for (double at = -3; at <= 3; at += 0.25) {
        uint32_t below = 0;
        for (uint32_t i = 0; i < N; i++)
            below += (double)z[i] < at;
        worst = fmax(worst, fabs(below / (double)N - 0.5 * erfc(-at / sqrt(2))));
    }
    assert_true(worst < 1.95 / sqrt(N)); /* Kolmogorov-Smirnov, 0.1 % */
}

static void test_every_processor(void **state)
{
    static const char *const levels[] = {"plain", "avx2", "avx512"};
    (void)state;
    pp_normals(z, 4096, key, counter);
    for (int i = 0; i < 3; i++) {
        setenv("PENTAPRISM_CPU", levels[i], 1);
        pp_normals(other, 4096, key, counter);
        assert_memory_equal(z, other, 4096 * sizeof *z);
    }
    unsetenv("PENTAPRISM_CPU");
    for (uint32_t i = 0; i < 4096; i += 37)
        assert_true(pp_normal_at(i, key, counter) == z[i]);
}

static void test_counters_and_keys_differ(void **state)
{
    const uint32_t key2[2] = {11, 23}, counter2[4] = {0, 1, 2, 4};
    (void)state;
    pp_normals(z, 64, key, counter);
    pp_normals(other, 64, key2, counter);
    assert_memory_not_equal(z, other, 64 * sizeof *z);
    pp_normals(other, 64, key, counter2);
    assert_memory_not_equal(z, other, 64 * sizeof *z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_every_processor),
        cmocka_unit_test(test_counters_and_keys_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
