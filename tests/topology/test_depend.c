#include "test_topology.h"

/* Length of the cycle found; it must be one: each channel ends where the next begins. */
static uint32_t cycle_length(const char *text, pp_routing routing)
{
    pp_fabric *f = build(text);
    uint32_t *cycle = NULL, n = 99;
    assert_int_equal(pp_route_check(f, routing, &cycle, &n), PP_OK);
    assert_true((n == 0) == (cycle == NULL));
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(f->channel[cycle[i]].dst, f->channel[cycle[(i + 1) % n]].src);
    free(cycle);
    pp_fabric_free(f);
    return n;
}

static void test_dimension_order(void **state)
{
    (void)state;
    assert_int_equal(cycle_length("mesh:rows=4,cols=4", PP_ROUTING_XY), 0);
    assert_int_equal(cycle_length("mesh:rows=3,cols=5", PP_ROUTING_YX), 0);
    assert_int_equal(cycle_length("5pp:rows=4,cols=8", PP_ROUTING_XY), 0);
    assert_int_equal(cycle_length("5pp:rows=4,cols=8,row_direction=alternate", PP_ROUTING_YX), 0);
}

static void test_rings_without_datelines(void **state)
{
    (void)state;
    assert_int_equal(cycle_length("torus:rows=4,cols=4", PP_ROUTING_XY), 4);
    assert_int_equal(cycle_length("ring:cores=8", PP_ROUTING_XY), 8);
    assert_int_equal(cycle_length("ring:cores=8", PP_ROUTING_SHORTEST), 8);
    assert_int_equal(cycle_length("torus:rows=3,cols=3", PP_ROUTING_XY), 0); /* no way has two hops in a ring */
}

static void test_not_a_function(void **state)
{
    (void)state;
    pp_fabric *f = build("mesh:rows=2,cols=2");
    uint32_t *cycle = NULL, n = 0;
    assert_failed_with(pp_route_check(f, PP_ROUTING_BALANCED, &cycle, &n), PP_EINVAL, "chosen by the mapper");
    pp_fabric_free(f);
    f = build("mesh:rows=65,cols=64");
    assert_failed_with(pp_route_check(f, PP_ROUTING_XY, &cycle, &n), PP_EUNSUPPORTED, "at most 4096 cores");
    pp_fabric_free(f);
}

int main(void)
{
    const struct CMUnitTest topology_depend[] = {
        cmocka_unit_test(test_dimension_order),
        cmocka_unit_test(test_rings_without_datelines),
        cmocka_unit_test(test_not_a_function),
    };
    return cmocka_run_group_tests(topology_depend, NULL, NULL);
}
