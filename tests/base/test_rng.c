#include "test_base.h"

#include <math.h>

/* The known answers of the Random123 distribution (kat_vectors, philox4x32 10). */
static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t out[4];
        pp_philox(out, known[i].counter, known[i].key);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

/* The n-th number of a stream, straight from the definition. */
static uint32_t nth(uint64_t seed, uint64_t object, uint64_t n)
{
    const uint64_t block = n / 4;
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)object, (uint32_t)(object >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    pp_philox(out, counter, key);
    return out[n % 4];
}

static void a_stream_is_its_blocks_in_order(void **state)
{
    (void)state;
    const uint64_t seed = UINT64_C(0x123456789abcdef0), object = UINT64_C(0xfedcba9876543210);
    pp_rng r = pp_rng_make(seed, object);
    for (uint64_t n = 0; n < 50; n++)
        assert_int_equal(pp_rng_u32(&r), nth(seed, object, n));
    r.counter[0] = UINT32_MAX; /* the block number carries into its upper word */
    r.used = 4;
    for (uint64_t n = 0; n < 8; n++)
        assert_int_equal(pp_rng_u32(&r), nth(seed, object, 4 * (uint64_t)UINT32_MAX + n));
}

static void sixty_four_bits_are_two_numbers_low_first(void **state)
{
    (void)state;
    pp_rng r = pp_rng_make(5, 6);
    const uint64_t expected = (uint64_t)nth(5, 6, 1) << 32 | nth(5, 6, 0);
    assert_true(pp_rng_u64(&r) == expected);
}

static void streams_do_not_touch_each_other(void **state)
{
    (void)state;
    pp_rng a = pp_rng_make(1, 10), b = pp_rng_make(1, 11);
    uint32_t mixed[2][20];
    for (int i = 0; i < 20; i++) {
        mixed[0][i] = pp_rng_u32(&a);
        mixed[1][i] = pp_rng_u32(&b);
    }
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(mixed[0][i], nth(1, 10, i));
        assert_int_equal(mixed[1][i], nth(1, 11, i));
        assert_int_not_equal(mixed[0][i], mixed[1][i]);
    }
}

/* Chi-square with 6 degrees of freedom: above 30 has a probability under 5e-5; the seed is fixed. */
static void below_is_even_over_its_range(void **state)
{
    (void)state;
    enum { N = 7, DRAWS = 70000 };
    pp_rng r = pp_rng_make(42, 0);
    unsigned seen[N] = {0};
    for (int i = 0; i < DRAWS; i++) {
        const uint32_t value = pp_rng_below(&r, N);
        assert_true(value < N);
        seen[value]++;
    }
    double chi = 0.0;
    for (int i = 0; i < N; i++)
        chi += (seen[i] - 10000.0) * (seen[i] - 10000.0) / 10000.0;
    assert_true(chi < 30.0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(pp_rng_below(&r, 1), 0);
}

/* With n = 3 * 2^30 a plain product would hit one residue mod 3 of the range twice as often. */
static void below_has_no_bias_for_large_ranges(void **state)
{
    (void)state;
    const uint32_t n = UINT32_C(3) << 30;
    pp_rng r = pp_rng_make(43, 0);
    unsigned seen[3] = {0};
    for (int i = 0; i < 30000; i++)
        seen[pp_rng_below(&r, n) % 3]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(seen[i], 9500, 10500);
}

/* Tolerances are five standard errors. */
static void uniform_and_normal_have_their_moments(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    pp_rng r = pp_rng_make(7, 3);
    double uniform = 0.0, mean = 0.0, square = 0.0, fourth = 0.0;
    for (int i = 0; i < DRAWS; i++) {
        const double u = pp_rng_uniform(&r);
        assert_true(u >= 0.0 && u < 1.0);
        uniform += u;
    }
    for (int i = 0; i < DRAWS; i++) {
        const double x = pp_rng_normal(&r);
        assert_true(isfinite(x));
        mean += x;
        square += x * x;
        fourth += x * x * x * x;
    }
    assert_true(fabs(uniform / DRAWS - 0.5) < 5.0 * sqrt(1.0 / 12.0 / DRAWS));
    assert_true(fabs(mean / DRAWS) < 5.0 * sqrt(1.0 / DRAWS));
    assert_true(fabs(square / DRAWS - 1.0) < 5.0 * sqrt(2.0 / DRAWS));
    assert_true(fabs(fourth / DRAWS - 3.0) < 5.0 * sqrt(96.0 / DRAWS));
}

/* Box and Muller's pair from two uniforms of the same stream. */
static void normals_come_in_pairs(void **state)
{
    (void)state;
    pp_rng r = pp_rng_make(9, 9), s = r;
    const double u = 1.0 - pp_rng_uniform(&s), angle = 6.283185307179586 * pp_rng_uniform(&s);
    assert_true(fabs(pp_rng_normal(&r) - sqrt(-2.0 * log(u)) * cos(angle)) < 1e-12);
    assert_true(fabs(pp_rng_normal(&r) - sqrt(-2.0 * log(u)) * sin(angle)) < 1e-12);
    assert_int_equal(pp_rng_u32(&r), pp_rng_u32(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(a_stream_is_its_blocks_in_order),
        cmocka_unit_test(sixty_four_bits_are_two_numbers_low_first),
        cmocka_unit_test(streams_do_not_touch_each_other),
        cmocka_unit_test(below_is_even_over_its_range),
        cmocka_unit_test(below_has_no_bias_for_large_ranges),
        cmocka_unit_test(uniform_and_normal_have_their_moments),
        cmocka_unit_test(normals_come_in_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
