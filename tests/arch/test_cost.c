/* The cost table: prices by hand, published chips as peaks, overrides, and what is refused. */
#include "test_arch.h"

#include "arch/cost.h"

#include <math.h>

static pp_cost cost_of(const char *name, const pp_arch *arch)
{
    pp_cost cost;
    if (pp_cost_from_preset(&cost, name, arch) != PP_OK)
        fail_msg("%s: %s", name, pp_error_text());
    return cost;
}

/* Rounded to the digits that the source prints. */
#define assert_about(got, want, tolerance) assert_true(fabs((got) / (want) - 1) <= (tolerance))

/* legallo2023: 63.1 TOPS and 9.76 TOPS/W with all 64 cores, MVM only; 13.44 nJ an MVM, 0.86 uJ for 64. Throughput
 * follows from 133 ns, efficiency from 13.44 nJ: neither is written down here. */
static void test_legallo2023(void **state)
{
    (void)state;
    pp_arch arch = preset("hermes64");
    const pp_cost cost = cost_of("auto", &arch);
    assert_string_equal(cost.preset, "legallo2023");
    assert_int_equal(cost.boundary, PP_BOUNDARY_MVM);
    const pp_peak p = pp_cost_peak(&cost, &arch, 8, 4, 64);
    assert_about(p.tops, 63.1, 1e-3);
    assert_about(p.tops_per_w, 9.76, 1e-3);
    assert_about(p.mvm_fj, 13.44e6, 1e-12);
    assert_about(64 * p.mvm_fj, 0.86e9, 1e-3);
    assert_true(p.area_mm2 == 0 && p.tops_per_mm2 == 0); /* not published where we looked */
}

/* Four phases: 520 ns give 16.1 TOPS; the energy is derived from the published 2.48 TOPS/W, so that it comes back. */
static void test_legallo2023_four_phases(void **state)
{
    (void)state;
    const pp_arch arch = preset("hermes64-4phase");
    const pp_cost cost = cost_of("auto", &arch);
    assert_string_equal(cost.preset, "legallo2023-4phase");
    const pp_peak p = pp_cost_peak(&cost, &arch, 8, 4, 64);
    assert_int_equal(pp_arch_mvm(&arch, 256, 8, 4).interval_ps, 520000);
    assert_about(p.tops, 16.1, 3e-3);
    assert_about(p.tops_per_w, 2.48, 1e-9);
    /* Four one-phase reads would be 53.76 nJ: within 2 %. */
    assert_about(p.mvm_fj, 4 * 13.44e6, 0.02);
}

/* ISAAC: 168 tiles of 12 x 8 arrays: 65.8 W, 85.4 mm2, ADCs 58 % of a tile; 41.3 TOPS, 483 GOPS/mm2, 627 GOPS/W. */
static void test_isaac2016(void **state)
{
    (void)state;
    const pp_arch arch = preset("isaac");
    const pp_cost cost = cost_of("auto", &arch);
    assert_string_equal(cost.preset, "isaac2016");
    const pp_peak p = pp_cost_peak(&cost, &arch, 16, 16, 168 * 96);
    assert_about(p.watt, 65.8, 1e-3);
    assert_about(p.area_mm2, 85.4, 1e-3);
    assert_about(p.tops, 41.3, 1e-3);
    assert_about(1e3 * p.tops_per_w, 627, 2e-3);
    assert_about(1e3 * p.tops_per_mm2, 483, 2e-3);
    const double tile_w = (p.watt - p.watt_of[PP_ACTION_STATIC_CHIP]) / 168;
    assert_about(tile_w, 0.330, 2e-3);
    assert_about(p.watt_of[PP_ACTION_ADC] / 168 / tile_w, 0.58, 5e-3);
}

/* bruschi2023: 480 mm2 for 512 clusters; its array does 10.5 TOPS/W and 1.59 TOPS/mm2 (khaddam2022). Published for
 * ResNet-18: 20.2 TOPS, that is 42 GOPS/mm2 of the whole chip. */
static void test_bruschi2023(void **state)
{
    (void)state;
    const pp_arch arch = preset("bruschi2023");
    const pp_cost cost = cost_of("auto", &arch);
    assert_string_equal(cost.preset, "bruschi2023");
    const pp_peak p = pp_cost_peak(&cost, &arch, 8, 4, 512);
    assert_about(p.area_mm2, 480, 1e-9);
    assert_about(p.tops_per_w, 10.5, 1e-9);
    assert_about(p.tops / 512 * 1e6 / cost.area[PP_COMPONENT_MVM].value, 1.59, 1e-9);
    assert_about(1e3 * 20.2 / p.area_mm2, 42, 5e-3);
    /* The published figures agree with each other when 15 mJ is a batch of 16 and time is 16 / 3303 s. */
    assert_about(20.2 / 6.5, 15e-3 / (16 / 3303.0), 5e-3);
    /* Peak of 512 arrays: the published 20.2 TOPS are 3.9 % of it. */
    assert_about(20.2 / p.tops, 0.039, 0.01);
}

/* A read of a 256 x 256 array of which 100 x 30 are used, two input slices. */
static void test_prices_by_hand(void **state)
{
    (void)state;
    pp_arch arch = preset("isaac");
    arch.rows = arch.cols = 256;
    arch.dac_bits = 4; /* 8-bit inputs: 2 reads */
    pp_cost cost = {.boundary = PP_BOUNDARY_MVM, .scope = PP_SCOPE_USED};
    cost.energy[PP_ACTION_ARRAY].value = 2;
    cost.energy[PP_ACTION_DAC].value = 3;
    cost.energy[PP_ACTION_ADC].value = 5;
    cost.energy[PP_ACTION_SHIFT_ADD].value = 7;
    cost.energy[PP_ACTION_WIRE].value = 1000; /* outside the boundary */
    double count[PP_ACTION_COUNT] = {[PP_ACTION_WIRE] = 10};
    pp_cost_count_mvm(count, &cost, &arch, 100, 30, 8, 4, 10);
    assert_true(count[PP_ACTION_ARRAY] == 10 * 2 * 3000 && count[PP_ACTION_DAC] == 10 * 2 * 100);
    assert_true(count[PP_ACTION_ADC] == 10 * 2 * 30 && count[PP_ACTION_SHIFT_ADD] == 10 * 2 * 30);
    assert_true(count[PP_ACTION_MVM] == 20 * (3000.0 / 65536));
    assert_true(pp_cost_price_fj(&cost, count) == 20 * (2 * 3000.0 + 3 * 100 + 5 * 30 + 7 * 30));
    cost.boundary = PP_BOUNDARY_CHIP;
    assert_true(pp_cost_price_fj(&cost, count) == 20 * (2 * 3000.0 + 3 * 100 + 5 * 30 + 7 * 30) + 10000);
    cost.scope = PP_SCOPE_WHOLE;
    memset(count, 0, sizeof count);
    pp_cost_count_mvm(count, &cost, &arch, 100, 30, 8, 4, 1);
    assert_true(count[PP_ACTION_MVM] == 2 && count[PP_ACTION_ARRAY] == 2 * 65536.0 && count[PP_ACTION_ADC] == 512);
    /* One read of whole weights: nothing to shift. */
    const pp_arch hermes = preset("hermes64");
    memset(count, 0, sizeof count);
    pp_cost_count_mvm(count, &cost, &hermes, 100, 30, 8, 4, 1);
    assert_true(count[PP_ACTION_SHIFT_ADD] == 0 && count[PP_ACTION_ADC] == 256);
}

static void test_areas_by_hand(void **state)
{
    (void)state;
    const pp_arch arch = preset("isaac"); /* one ADC for 128 columns */
    pp_cost cost = {0};
    assert_false(pp_cost_has_area(&cost));
    cost.area[PP_COMPONENT_CELL].value = 1;
    cost.area[PP_COMPONENT_DAC].value = 10;
    cost.area[PP_COMPONENT_ADC].value = 100;
    cost.area[PP_COMPONENT_ROUTER].value = 1000;
    cost.area[PP_COMPONENT_CHIP].value = 5;
    assert_true(pp_cost_has_area(&cost));
    assert_true(pp_cost_area_um2(&cost, &arch, 3) == 3 * (16384 + 1280 + 100 + 1000) + 5);
}

/* Whatever a preset prices has a source, and an MVM is never priced twice. */
static void test_every_figure_has_a_source(void **state)
{
    (void)state;
    const char *source = NULL;
    size_t priced = 0;
    for (size_t i = 0; pp_cost_preset(i, &source) != NULL; i++) {
        const pp_arch arch = preset("hermes64");
        const pp_cost cost = cost_of(pp_cost_preset(i, NULL), &arch);
        assert_true(strlen(source) > 5);
        for (int a = 0; a < PP_ACTION_COUNT; a++) {
            assert_true(isfinite(cost.energy[a].value) && cost.energy[a].value >= 0);
            assert_int_equal(cost.energy[a].value > 0, cost.energy[a].source != NULL);
            priced += cost.energy[a].source != NULL;
        }
        for (int c = 0; c < PP_COMPONENT_COUNT; c++)
            assert_int_equal(cost.area[c].value > 0, cost.area[c].source != NULL);
        assert_false(cost.energy[PP_ACTION_MVM].value > 0 && cost.energy[PP_ACTION_ADC].value > 0);
        assert_false(cost.area[PP_COMPONENT_MVM].value > 0 && cost.area[PP_COMPONENT_ADC].value > 0);
    }
    assert_true(priced > 20);
}

/* ---- settings ---- */

static pp_status resolve(pp_cost *out, const pp_arch *arch, const char *const *set, size_t n)
{
    const pp_knob_table table = pp_cost_knobs();
    pp_config *config = NULL;
    pp_status status = pp_config_new(&config, &table, 1);
    for (size_t i = 0; i < n && status == PP_OK; i++)
        status = pp_config_set(config, set[i]);
    if (status == PP_OK)
        status = pp_cost_resolve(out, config, arch);
    pp_config_free(config);
    return status;
}
#define RESOLVE(out, arch, ...)                                                                                        \
    resolve(out, arch, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void test_overrides(void **state)
{
    (void)state;
    const pp_arch arch = preset("hermes64"), other = preset("5pp-2019");
    pp_cost cost;
    assert_int_equal(RESOLVE(&cost, &arch, "cost.mvm_fj=5", "cost.boundary=chip", "cost.scope=used", "cost.chip_um2=9"),
                     PP_OK);
    assert_string_equal(cost.preset, "legallo2023");
    assert_true(cost.energy[PP_ACTION_MVM].value == 5 && cost.energy[PP_ACTION_MVM].year == 0);
    assert_string_equal(cost.energy[PP_ACTION_MVM].source, "run file");
    assert_int_equal(cost.boundary, PP_BOUNDARY_CHIP);
    assert_int_equal(cost.scope, PP_SCOPE_USED);
    assert_true(cost.area[PP_COMPONENT_CHIP].value == 9);
    /* Parts in place of the whole. */
    assert_int_equal(RESOLVE(&cost, &arch, "cost.mvm_fj=0", "cost.adc_fj=3"), PP_OK);
    assert_true(cost.energy[PP_ACTION_MVM].value == 0 && cost.energy[PP_ACTION_ADC].value == 3);
    /* An array of another size takes no lumped figure by itself. */
    assert_int_equal(RESOLVE(&cost, &other, "cost.scope=auto"), PP_OK);
    assert_string_equal(cost.preset, "generic");
    pp_arch grown = arch;
    grown.rows = 512;
    assert_int_equal(RESOLVE(&cost, &grown, "cost.scope=auto"), PP_OK);
    assert_string_equal(cost.preset, "generic");
    assert_int_equal(RESOLVE(&cost, &grown, "cost.preset=legallo2023", "cost.mvm_fj=3e7"), PP_OK);
    assert_true(cost.energy[PP_ACTION_MVM].value == 3e7);
}

/* The converter's figure follows arch.adc_bits, by two a bit; a figure that is set does not. */
static void test_converter_by_bits(void **state)
{
    (void)state;
    pp_arch arch = preset("5pp-2019");
    const double at_8 = cost_of("generic", &arch).energy[PP_ACTION_ADC].value;
    arch.adc_bits = 5;
    assert_about(cost_of("generic", &arch).energy[PP_ACTION_ADC].value, at_8 / 8, 1e-12);
    arch.adc_bits = 10;
    assert_about(cost_of("generic", &arch).energy[PP_ACTION_ADC].value, at_8 * 4, 1e-12);
    arch.adc_bits = 0; /* ideal: the 8-bit figure */
    assert_about(cost_of("generic", &arch).energy[PP_ACTION_ADC].value, at_8, 1e-12);
    pp_cost cost;
    arch.adc_bits = 10;
    assert_int_equal(RESOLVE(&cost, &arch, "cost.adc_fj=7"), PP_OK);
    assert_true(cost.energy[PP_ACTION_ADC].value == 7);
}

static void test_refused(void **state)
{
    (void)state;
    const pp_arch hermes = preset("hermes64"), isaac = preset("isaac");
    pp_cost cost;
    assert_failed_with(RESOLVE(&cost, &hermes, "cost.adc_fj=3"), PP_EINVAL,
                       "--set cost.adc_fj: cost.adc_fj beside cost.mvm_fj (legallo2023)");
    assert_failed_with(RESOLVE(&cost, &isaac, "cost.mvm_fj=3"), PP_EINVAL,
                       "--set cost.mvm_fj: cost.mvm_fj beside cost.array_fj (isaac2016)");
    assert_failed_with(RESOLVE(&cost, &hermes, "cost.preset=none", "cost.mvm_fj=3", "cost.dac_fj=1"), PP_EINVAL,
                       "(also set)");
    assert_failed_with(RESOLVE(&cost, &isaac, "cost.mvm_um2=3"), PP_EINVAL, "the area of an MVM");
    assert_failed_with(RESOLVE(&cost, &isaac, "cost.preset=legallo2023"), PP_EINVAL,
                       "arrays of 256 x 256, arch.rows x arch.cols is 128 x 128");
    assert_failed_with(RESOLVE(&cost, &isaac, "cost.preset=isac2016"), PP_EINVAL, "did you mean isaac2016?");
    assert_failed_with(RESOLVE(&cost, &isaac, "cost.preset=somebody"), PP_EINVAL, "expected auto, none, generic");
    assert_failed_with(RESOLVE(&cost, &isaac, "cost.adc_fj=-1"), PP_ERANGE, "cost.adc_fj=-1: expected a number from 0");
    assert_failed_with(RESOLVE(&cost, &isaac, "cost.adc_pj=1"), PP_EFORMAT, "did you mean cost.adc_fj?");
    assert_failed_with(RESOLVE(&cost, &isaac, "cost.boundary=wafer"), PP_EFORMAT, "wafer");
}

int main(void)
{
    const struct CMUnitTest cost[] = {
        cmocka_unit_test(test_legallo2023),   cmocka_unit_test(test_legallo2023_four_phases),
        cmocka_unit_test(test_isaac2016),     cmocka_unit_test(test_bruschi2023),
        cmocka_unit_test(test_prices_by_hand), cmocka_unit_test(test_areas_by_hand),
        cmocka_unit_test(test_every_figure_has_a_source),
        cmocka_unit_test(test_overrides),     cmocka_unit_test(test_converter_by_bits),
           cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(cost, NULL, NULL);
}
