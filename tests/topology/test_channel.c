#include "test_topology.h"

static uint64_t serialise(uint32_t lanes, double lane_gbps, uint64_t bits)
{
    const pp_channel c = {.lanes = lanes, .lane_gbps = lane_gbps};
    return pp_channel_serialise_ps(&c, bits);
}

static void test_exact_times(void **state)
{
    (void)state;
    assert_int_equal(serialise(1, 5.0, 1), 200);
    assert_int_equal(serialise(1, 5.0, 131072), 26214400);   /* a 32 x 32 x 16 map of bytes: 26.2 us */
    assert_int_equal(serialise(1, 5.0, 56 * 8), 89600);      /* facts: 89.6 ns */
    assert_int_equal(serialise(1, 5.0, 2 * 56 * 8), 179200);
    assert_int_equal(serialise(4, 5.0, 512), 25600);
    assert_int_equal(serialise(4, 5.0, 513), 25800);         /* the fullest lane has 129 bits */
    assert_int_equal(serialise(4, 5.0, 1), 200);
    assert_int_equal(serialise(1, 5.0, 0), 0);
    assert_int_equal(serialise(1, 3.2, 1), 313);             /* 312.5, rounded up */
    assert_int_equal(serialise(1, 3.2, 2), 625);
    assert_int_equal(serialise(1, 3.2, 1000001), 312500313);
    assert_int_equal(serialise(1, 3.0, 3), 1000);            /* not whole femtoseconds */
    assert_int_equal(serialise(1, 3.0, 4), 1334);
    assert_int_equal(serialise(1, 0.7, 7), 10000);
    assert_int_equal(serialise(1, 40.0, 3), 75);
    assert_int_equal(serialise(1, 1000.0, 12345), 12345);
}

static void test_never_overflows(void **state)
{
    (void)state;
    assert_true(serialise(1, 5.0, UINT64_MAX) == UINT64_MAX);
    assert_true(serialise(UINT32_MAX, 1000.0, UINT64_MAX) >= UINT64_MAX / UINT32_MAX);
    uint64_t last = 0;
    for (unsigned shift = 0; shift < 64; shift++) {
        const uint64_t now = serialise(3, 2.7, UINT64_C(1) << shift);
        assert_true(now >= last);
        last = now;
    }
}

static void test_rate(void **state)
{
    (void)state;
    const pp_channel c = {.lanes = 4, .lane_gbps = 5.0};
    assert_true(pp_channel_rate_gbps(&c) == 20.0);
}

int main(void)
{
    const struct CMUnitTest topology_channel[] = {
        cmocka_unit_test(test_exact_times),
        cmocka_unit_test(test_never_overflows),
        cmocka_unit_test(test_rate),
    };
    return cmocka_run_group_tests(topology_channel, NULL, NULL);
}
