/* What fabrics spend, and channels that make them equal. */
#include "test_topology.h"

#include "topology/normalise.h"

#include <math.h>

#define CLOCK_HZ 625e6 /* 8 bit a channel at 5 Gbit/s */

static pp_fabric_budget budget(const char *text)
{
    pp_fabric *f = build(text);
    pp_fabric_budget b;
    assert_int_equal(pp_fabric_budget_of(&b, f, CLOCK_HZ, 1.0, 0.2), PP_OK);
    pp_fabric_free(f);
    return b;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* facts of the 8 x 8 fabrics, counted by hand: 224 channels of one pitch and degree 4 against 320 channels of 416
 * pitches together and degree 6. */
static void budgets_by_hand(void **state)
{
    (void)state;
    const pp_fabric_budget mesh = budget("mesh:rows=8,cols=8"), prism = budget("5pp:rows=8,cols=8");
    assert_true(near(mesh.wire_bit_mm, 224 * 8));
    assert_true(near(prism.wire_bit_mm, 416 * 8));
    assert_true(near(mesh.pins_per_core, 2 * 4 * 8));
    assert_true(near(prism.pins_per_core, 2 * 6 * 8));
    assert_true(near(mesh.bisection_bits, 16 * 8));
    assert_true(near(mesh.bisection_gbps, 16 * 5));
    assert_true(near(mesh.wire_mm2, 224 * 8 * 0.2e-3));
    assert_int_equal(mesh.radix_max, 5);
    assert_int_equal(prism.radix_max, 12); /* a port for each of six links */
}

static void factors_make_budgets_equal(void **state)
{
    (void)state;
    const pp_fabric_budget mesh = budget("mesh:rows=8,cols=8"), prism = budget("5pp:rows=8,cols=8");
    assert_true(near(pp_normalise_factor(PP_NORMALISE_CHANNEL, &mesh, &prism), 1.0));
    assert_true(near(pp_normalise_factor(PP_NORMALISE_PINS, &mesh, &prism), 1.5));
    assert_true(near(pp_normalise_factor(PP_NORMALISE_WIRE, &mesh, &prism), 416.0 / 224.0));
    assert_true(near(pp_normalise_factor(PP_NORMALISE_BISECTION, &mesh, &prism), prism.bisection_bits / 128.0));
    const double s = pp_normalise_factor(PP_NORMALISE_AREA, &mesh, &prism);
    assert_true(s > 1.0);
    assert_true(near(mesh.switch_mm2 * s * s + mesh.wire_mm2 * s, prism.switch_mm2 + prism.wire_mm2));
    assert_true(near(pp_normalise_factor(PP_NORMALISE_AREA, &prism, &prism), 1.0));
}

/* A scaled fabric, measured again, has the budget that was asked for. */
static void scaling_is_what_it_says(void **state)
{
    (void)state;
    const pp_fabric_budget prism = budget("5pp:rows=4,cols=5");
    for (pp_normalise n = 0; n < PP_NORMALISE_COUNT; n++) {
        pp_fabric *f = build("torus:rows=4,cols=5");
        pp_fabric_budget own, scaled;
        assert_int_equal(pp_fabric_budget_of(&own, f, CLOCK_HZ, 1.0, 0.2), PP_OK);
        const double port = pp_channel_rate_gbps(&f->channel[f->n_channels - 1]);
        pp_fabric_scale_channels(f, pp_normalise_factor(n, &own, &prism));
        assert_int_equal(pp_fabric_budget_of(&scaled, f, CLOCK_HZ, 1.0, 0.2), PP_OK);
        assert_true(near(pp_normalise_factor(n, &scaled, &prism), 1.0));
        assert_true(near(pp_channel_rate_gbps(&f->channel[f->n_channels - 1]), port)); /* a port */
        pp_fabric_free(f);
    }
}

static void empty_budgets_leave_channels_alone(void **state)
{
    (void)state;
    const pp_fabric_budget one = budget("mesh:rows=1,cols=1"), mesh = budget("mesh:rows=4,cols=4");
    for (pp_normalise n = 0; n < PP_NORMALISE_COUNT; n++)
        assert_true(near(pp_normalise_factor(n, &one, &mesh), 1.0));
    pp_normalise n;
    assert_int_equal(pp_normalise_parse(&n, "wire"), PP_OK);
    assert_int_equal(n, PP_NORMALISE_WIRE);
    assert_int_equal(pp_normalise_parse(&n, "pin"), PP_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_by_hand),
        cmocka_unit_test(factors_make_budgets_equal),
        cmocka_unit_test(scaling_is_what_it_says),
        cmocka_unit_test(empty_budgets_leave_channels_alone),
    };
    return cmocka_run_group_tests_name("topology/normalise", tests, NULL, NULL);
}
