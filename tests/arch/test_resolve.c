#include "test_arch.h"

static pp_config *config_with(const char *const *set, size_t n)
{
    const pp_knob_table table = pp_arch_knobs();
    pp_config *config = NULL;
    assert_int_equal(pp_config_new(&config, &table, 1), PP_OK);
    for (size_t i = 0; i < n; i++)
        if (pp_config_set(config, set[i]) != PP_OK)
            fail_msg("%s", pp_error_text());
    return config;
}

#define RESOLVE(arch, ...)                                                          \
    do {                                                                            \
        const char *const set_[] = {__VA_ARGS__};                                   \
        pp_config *config_ = config_with(set_, sizeof set_ / sizeof set_[0]);       \
        if (pp_arch_resolve(arch, config_) != PP_OK)                                \
            fail_msg("%s", pp_error_text());                                        \
        pp_config_free(config_);                                                    \
    } while (0)

static void refuse(const char *const *set, size_t n, const char *part)
{
    pp_config *config = config_with(set, n);
    pp_arch arch = {.rows = 77};
    assert_failed_with(pp_arch_resolve(&arch, config), PP_EINVAL, part);
    assert_int_equal(arch.rows, 77);
    pp_config_free(config);
}

static void test_defaults(void **state)
{
    (void)state;
    pp_arch arch;
    RESOLVE(&arch, "arch.rows=256");
    assert_string_equal(arch.preset, "none");
    assert_int_equal(arch.cols, 256);
    assert_int_equal(arch.mvm_ps, 100000);
    assert_int_equal(arch.input, PP_INPUT_PARALLEL);
    assert_int_equal(arch.adc_bits, 8);
    assert_int_equal(arch.psum_bits, 16);
    assert_int_equal(arch.digital_ps, 0);
    assert_int_equal(arch.adc_range, PP_ADC_RANGE_PERCENTILE);
    assert_true(arch.adc_percentile == 99.995);
}

/* What is set wins over the preset, and the preset over the defaults, in any order. */
static void test_preset_lies_below_what_is_set(void **state)
{
    (void)state;
    pp_arch arch;
    RESOLVE(&arch, "arch.rows=64", "arch.preset=isaac", "arch.input=pwm");
    assert_int_equal(arch.rows, 64);
    assert_int_equal(arch.cols, 128);
    assert_int_equal(arch.input, PP_INPUT_PWM);
    assert_int_equal(arch.cells, PP_CELLS_OFFSET);
    assert_true(arch.clock_hz == 1e7);
    RESOLVE(&arch, "arch.preset=5pp-2019", "arch.rows=256");
    assert_int_equal(arch.rows, 256); /* set to the knob's own default, and still set */
    assert_int_equal(arch.cols, 512);
}

/* A room of its own with a section of which presets know: text, integer, real, and one that is set. */
typedef struct other {
    const char *kind;
    int64_t lanes, width_bits, rows;
    double clock_hz;
} other;
static const pp_knob other_knobs[] = {
    {"fabric", "kind", PP_KNOB_TEXT, "", "mesh", 0, 0, NULL, "Kind.", offsetof(other, kind)},
    {"fabric", "lanes", PP_KNOB_INT, "", "1", 1, 100, NULL, "Lanes.", offsetof(other, lanes)},
    {"fabric", "width_bits", PP_KNOB_INT, "", "3", 1, 100, NULL, "Width.", offsetof(other, width_bits)},
    {"fabric", "rows", PP_KNOB_INT, "", "0", 0, 100, NULL, "Rows.", offsetof(other, rows)},
    {"fabric", "clock_hz", PP_KNOB_REAL, "", "1", 0, 1e12, NULL, "Clock.", offsetof(other, clock_hz)},
};

static void test_preset_of_another_section(void **state)
{
    (void)state;
    const pp_knob_table table = {other_knobs, sizeof other_knobs / sizeof other_knobs[0]};
    pp_config *config = NULL;
    other o;
    assert_int_equal(pp_config_new(&config, &table, 1), PP_OK);
    assert_int_equal(pp_config_set(config, "fabric.rows=5"), PP_OK);
    assert_int_equal(pp_config_bind(config, &table, &o), PP_OK);
    assert_int_equal(pp_arch_preset_apply("hermes64", config, &table, &o), PP_OK);
    assert_string_equal(o.kind, "5pp");
    assert_int_equal(o.rows, 5);
    assert_int_equal(o.width_bits, 8);
    assert_true(o.clock_hz == 4e8);
    assert_int_equal(pp_config_bind(config, &table, &o), PP_OK);
    assert_int_equal(pp_arch_preset_apply("5pp-2019", config, &table, &o), PP_OK);
    assert_int_equal(o.lanes, 4);
    assert_true((double)o.width_bits * o.clock_hz == 5e9);
    assert_int_equal(pp_arch_preset_apply("none", config, &table, &o), PP_OK);
    assert_failed_with(pp_arch_preset_apply("nothing", config, &table, &o), PP_EINVAL, "unknown preset nothing");
    pp_config_free(config);
}

static void test_contradictions(void **state)
{
    (void)state;
    refuse((const char *const[]){"arch.preset=isac"}, 1, "--set arch.preset: unknown preset isac; did you mean isaac?");
    refuse((const char *const[]){"arch.preset=something-else"}, 1, "expected none, 5pp-2019, hermes64, hermes64-4phase, bruschi2023 or isaac");
    refuse((const char *const[]){"arch.weights=float", "arch.cell_bits=2"}, 2,
           "--set arch.weights: arch.weights: float weights need analog devices");
    refuse((const char *const[]){"arch.adc_bits=12", "arch.psum_bits=10"}, 2,
           "codes of 12 bits do not fit partial sums of 10");
    pp_arch arch;
    assert_failed_with(pp_arch_from_preset(&arch, "hermes"), PP_EINVAL, "unknown preset hermes");
}

static void test_ranges(void **state)
{
    (void)state;
    pp_config *config = config_with(NULL, 0);
    assert_failed_with(pp_config_set(config, "arch.rows=0"), PP_ERANGE, "arch.rows=0: expected an integer from 1 to 65536");
    assert_failed_with(pp_config_set(config, "arch.cell_bits=9"), PP_ERANGE, "from 0 to 8");
    assert_failed_with(pp_config_set(config, "arch.input=serial"), PP_EFORMAT, "expected parallel, pwm or bit_serial");
    assert_failed_with(pp_config_set(config, "arch.rowz=4"), PP_EFORMAT, "did you mean arch.rows?");
    pp_config_free(config);
}

static void test_dump(void **state)
{
    (void)state;
    const pp_arch arch = preset("hermes64");
    char *text = NULL;
    assert_int_equal(pp_arch_dump(&text, &arch), PP_OK);
    assert_non_null(strstr(text, "preset = hermes64\nrows = 256\n"));
    assert_non_null(strstr(text, "\ninput = pwm\n"));
    assert_non_null(strstr(text, "\nadc_percentile = 99.995"));
    size_t lines = 0;
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, pp_arch_knobs().n);
    free(text);
}

int main(void)
{
    const struct CMUnitTest arch_resolve[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_preset_lies_below_what_is_set),
        cmocka_unit_test(test_preset_of_another_section), cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_ranges),         cmocka_unit_test(test_dump),
    };
    return cmocka_run_group_tests(arch_resolve, NULL, NULL);
}
