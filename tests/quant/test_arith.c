#include "nets.h"

#include <math.h>

__extension__ typedef __int128 wide;

/* Definition: floor, then up when above half or at half and odd. */
static int64_t wide_shift(wide v, uint32_t shift)
{
    wide unit = (wide)1 << shift, low = v / unit, rest = v % unit;
    if (rest < 0) {
        low -= 1;
        rest += unit;
    }
    bool up = 2 * rest > unit || (2 * rest == unit && low % 2 != 0);
    return (int64_t)(low + up);
}

static void hand_made_shifts(void **state)
{
    (void)state;
    static const struct {
        int64_t v;
        uint32_t shift;
        int64_t want;
    } c[] = {{5, 1, 2}, {7, 1, 4}, {-5, 1, -2}, {-7, 1, -4}, {3, 1, 2}, {1, 1, 0}, {-1, 1, 0}, {-3, 1, -2},
             {6, 2, 2}, {10, 2, 2}, {-6, 2, -2}, {-10, 2, -2}, {11, 2, 3}, {-11, 2, -3}, {123, 0, 123},
             {INT64_MAX, 62, 2}, {INT64_MIN, 62, -2}, {INT64_C(1) << 61, 62, 0}, {(INT64_C(1) << 61) + 1, 62, 1}};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++)
        assert_int_equal(pp_rshift_even(c[i].v, c[i].shift), c[i].want);
}

static void random_against_128_bits(void **state)
{
    (void)state;
    pp_rng rng = pp_rng_make(1, 1);
    for (int i = 0; i < 200000; i++) {
        int64_t v = (int64_t)pp_rng_u64(&rng) >> (pp_rng_u32(&rng) % 63);
        int64_t mult = (int64_t)(pp_rng_u32(&rng) >> 2);
        uint32_t shift = pp_rng_u32(&rng) % 63;
        assert_int_equal(pp_rshift_even(v, shift), wide_shift(v, shift));
        wide product = (wide)v * mult;
        if (product >> shift > INT64_MAX / 2 || product >> shift < INT64_MIN / 2)
            continue;
        assert_int_equal(pp_rescale(v, mult, shift), wide_shift(product, shift));
    }
}

static void saturation(void **state)
{
    (void)state;
    assert_int_equal(pp_saturate(127, 8), 127);
    assert_int_equal(pp_saturate(128, 8), 127);
    assert_int_equal(pp_saturate(-128, 8), -128);
    assert_int_equal(pp_saturate(-129, 8), -128);
    assert_int_equal(pp_saturate(INT64_MIN, 16), -32768);
}

static void multipliers_are_near_and_normal(void **state)
{
    (void)state;
    const double ratio[] = {0.75, 0.001, 0, 0.9999999999};
    int64_t mult[4];
    uint32_t shift;
    ok(pp_multipliers(ratio, 4, mult, &shift));
    /* 0.9999999999 x 2^30 rounds to 2^30, which is out of the range: one bit less */
    assert_int_equal(shift, 29);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(ldexp((double)mult[i], -(int)shift) - ratio[i]) <= ldexp(0.5, -(int)shift));
    ok(pp_multipliers(ratio, 3, mult, &shift));
    assert_int_equal(shift, 30);
    assert_true(mult[0] >= 1 << 29 && mult[0] < 1 << 30);
    const double small = 0x1p-80, huge = 0x1p31, bad = NAN;
    ok(pp_multipliers(&small, 1, mult, &shift));
    assert_int_equal(shift, 62);
    assert_int_equal(pp_multipliers(&huge, 1, mult, &shift), PP_ERANGE);
    assert_int_equal(pp_multipliers(&bad, 1, mult, &shift), PP_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hand_made_shifts), cmocka_unit_test(random_against_128_bits),
                                       cmocka_unit_test(saturation),
                                       cmocka_unit_test(multipliers_are_near_and_normal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
