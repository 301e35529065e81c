/* Slices and times against figures computed by hand. */
#include "test_arch.h"

static uint32_t slices(pp_cells cells, int64_t cell_bits, uint32_t wbits)
{
    pp_arch arch = preset("none");
    arch.cells = cells;
    arch.cell_bits = cell_bits;
    return pp_arch_slices(&arch, wbits);
}

static void test_slices(void **state)
{
    (void)state;
    assert_int_equal(slices(PP_CELLS_DIFFERENTIAL, 0, 8), 1); /* analog */
    assert_int_equal(slices(PP_CELLS_DIFFERENTIAL, 1, 4), 3);
    assert_int_equal(slices(PP_CELLS_DIFFERENTIAL, 2, 4), 2);
    assert_int_equal(slices(PP_CELLS_DIFFERENTIAL, 3, 4), 1);
    assert_int_equal(slices(PP_CELLS_DIFFERENTIAL, 4, 1), 1);
    assert_int_equal(slices(PP_CELLS_OFFSET, 2, 16), 8); /* ISAAC */
    assert_int_equal(slices(PP_CELLS_OFFSET, 1, 4), 4);
    assert_int_equal(slices(PP_CELLS_REFERENCE_COLUMN, 3, 4), 2);
}

static void test_parallel(void **state)
{
    (void)state;
    pp_arch arch = preset("none");
    pp_mvm_time t = pp_arch_mvm(&arch, 256, 8, 4);
    assert_int_equal(t.interval_ps, 100000);
    assert_int_equal(t.latency_ps, 100000);
    assert_int_equal(t.reads, 1);
    arch.phases = 4;
    assert_int_equal(pp_arch_mvm(&arch, 256, 8, 4).interval_ps, 400000);
}

/* Shared converters: 100 columns on 8 ADCs take 13 conversions. */
static void test_conversion_overlaps(void **state)
{
    (void)state;
    pp_arch arch = preset("none");
    arch.adcs = 8;
    arch.adc_ps = 5000;
    arch.pipeline_ps = 7;
    pp_mvm_time t = pp_arch_mvm(&arch, 100, 8, 4);
    assert_int_equal(t.read_ps, 100000);
    assert_int_equal(t.convert_ps, 65000);
    assert_int_equal(t.interval_ps, 100000);
    assert_int_equal(t.latency_ps, 100000 + 65000 + 7);
    arch.adc_ps = 10000; /* now the converters are the slower side */
    arch.phases = 2;
    t = pp_arch_mvm(&arch, 100, 8, 4);
    assert_int_equal(t.interval_ps, 2 * 130000);
    assert_int_equal(t.latency_ps, 2 * 130000 + 130000 + 7);
    arch.adcs = 0; /* one a column: one conversion however many columns */
    assert_int_equal(pp_arch_mvm(&arch, 100, 8, 4).convert_ps, 10000);
    assert_int_equal(pp_arch_mvm(&arch, 0, 8, 4).convert_ps, 0);
}

static void test_pulse_widths(void **state)
{
    (void)state;
    pp_arch arch = preset("none");
    arch.input = PP_INPUT_PWM;
    arch.t_lsb_ps = 1000;
    arch.t_fix_ps = 0;
    assert_int_equal(pp_arch_mvm(&arch, 1, 8, 4).read_ps, 127000);
    assert_int_equal(pp_arch_mvm(&arch, 1, 4, 4).read_ps, 7000);
    assert_int_equal(pp_arch_mvm(&arch, 1, 2, 4).read_ps, 1000);
    assert_int_equal(pp_arch_mvm(&arch, 1, 1, 4).read_ps, 1000);
}

static void test_bit_serial(void **state)
{
    (void)state;
    pp_arch arch = preset("none");
    arch.input = PP_INPUT_BIT_SERIAL;
    arch.bit_ps = 10;
    arch.dac_bits = 3;
    const pp_mvm_time t = pp_arch_mvm(&arch, 1, 8, 4);
    assert_int_equal(t.reads, 3); /* 3 + 3 + 2 bits */
    assert_int_equal(t.interval_ps, 30);
}

int main(void)
{
    const struct CMUnitTest arch_mvm[] = {
        cmocka_unit_test(test_slices),       cmocka_unit_test(test_parallel),    cmocka_unit_test(test_conversion_overlaps),
        cmocka_unit_test(test_pulse_widths), cmocka_unit_test(test_bit_serial),
    };
    return cmocka_run_group_tests(arch_mvm, NULL, NULL);
}
