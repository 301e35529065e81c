/* Presets give the figures that their papers print. */
#include "test_arch.h"

static void test_5pp_2019(void **state)
{
    (void)state;
    const pp_arch arch = preset("5pp-2019");
    assert_int_equal(arch.rows, 512);
    assert_int_equal(arch.cols, 512);
    assert_int_equal(pp_arch_mvm(&arch, 512, 8, 4).interval_ps, 100000);
    assert_int_equal(pp_arch_mvm(&arch, 512, 8, 4).latency_ps, 100000);
    assert_string_equal(arch.preset, "5pp-2019");
}

static void test_hermes64(void **state)
{
    (void)state;
    pp_arch arch = preset("hermes64");
    assert_int_equal(arch.rows, 256);
    assert_int_equal(pp_arch_mvm(&arch, 256, 8, 4).interval_ps, 133000);
    assert_int_equal(pp_arch_mvm(&arch, 256, 4, 4).interval_ps, 13000);
    arch.phases = 4; /* published: 520 ns */
    assert_int_equal(pp_arch_mvm(&arch, 256, 8, 4).interval_ps, 532000);
}

static void test_isaac(void **state)
{
    (void)state;
    const pp_arch arch = preset("isaac");
    const uint64_t cycle_ps = 100000;
    assert_int_equal(pp_arch_slices(&arch, 16), 8);
    const pp_mvm_time t = pp_arch_mvm(&arch, 128, 16, 16);
    assert_int_equal(t.reads, 16);
    assert_true(t.convert_ps <= cycle_ps); /* one ADC keeps up with 128 columns */
    assert_int_equal(t.interval_ps, 1600000);
    assert_int_equal(t.latency_ps, 22 * cycle_ps);
}

/* Every value fits its knob: the configuration takes it and says the same. */
static void test_values_are_knobs(void **state)
{
    (void)state;
    const pp_knob_table table = pp_arch_knobs();
    const char *source = NULL;
    size_t seen = 0;
    for (size_t p = 0; pp_arch_preset(p, &source); p++) {
        const char *name = pp_arch_preset(p, NULL), *section = NULL, *knob = NULL, *value = NULL;
        assert_true(strlen(source) > 5);
        pp_config *config = NULL;
        assert_int_equal(pp_config_new(&config, &table, 1), PP_OK);
        for (size_t i = 0; pp_arch_preset_value(name, i, &section, &knob, &value); i++) {
            char set[128];
            (void)snprintf(set, sizeof set, "%s.%s=%s", section, knob, value);
            if (strcmp(section, "arch") != 0) {
                assert_string_equal(section, "fabric");
                continue;
            }
            assert_int_equal(pp_config_set(config, set), PP_OK);
            seen++;
        }
        pp_arch by_config, by_preset = preset(name);
        assert_int_equal(pp_config_bind(config, &table, &by_config), PP_OK);
        by_config.preset = by_preset.preset;
        char *a = NULL, *b = NULL;
        assert_int_equal(pp_arch_dump(&a, &by_config), PP_OK);
        assert_int_equal(pp_arch_dump(&b, &by_preset), PP_OK);
        assert_string_equal(a, b);
        free(a);
        free(b);
        pp_config_free(config);
    }
    assert_true(seen > 20);
    const char *s = NULL;
    assert_false(pp_arch_preset_value("none", 0, &s, &s, &s));
    assert_false(pp_arch_preset_value("isaac", 1000, &s, &s, &s));
}

int main(void)
{
    const struct CMUnitTest arch_presets[] = {
        cmocka_unit_test(test_5pp_2019),
        cmocka_unit_test(test_hermes64),
        cmocka_unit_test(test_isaac),
        cmocka_unit_test(test_values_are_knobs),
    };
    return cmocka_run_group_tests(arch_presets, NULL, NULL);
}
