/* The recurrence against the published case's table and against its own definition, computed slowly. */
#include "slow.h"

#include <math.h>

typedef struct table_row {
    uint32_t lanes;
    const char *unroll;
    double latency_us, interval_us;
} table_row;

/* PAPER: joshi2020 p. 11 (38,600 images/s, 52 us) and an independent recurrence under its conditions:
 * 512 x 512 arrays, 100 ns, 8 bit, 5 Gbit/s a lane, one layer a core, no digital delay. */
static const table_row table[] = {
    {1, "none", 163.69, 102.400},        {1, "32:2x2", 72.91, 26.2144},        {1, "32:2x2,16:2x2", 73.47, 26.2144},
    {1, "32:1x4", 65.36, 26.2144},       {1, "32:1x4,16:1x4", 58.85, 26.2144}, {1, "32:1x4,16:1x2", 57.82, 26.2144},
    {4, "32:1x4,16:1x4", 51.70, 25.600}, {4, "32:1x8,16:1x4", 35.18, 12.800},
};

static void published_case(void **state)
{
    (void)state;
    fixture f;
    fixture_resnet32(&f);
    pp_arch arch = fixture_arch(512);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        pp_channel channel = fixture_channel(table[i].lanes);
        pp_map_options options = fixture_options(table[i].unroll, "1");
        pp_mapping *m;
        pp_recurrence_result r;
        must(pp_map_plan(&m, &f.q, &arch, &channel, 0, &options));
        must(pp_recurrence(&r, m, &f.q, &arch, NULL, &channel, 4, 0));
        assert_true(fabs((double)r.latency_ps * 1e-6 - table[i].latency_us) < 0.005); /* its last digit */
        assert_true(fabs((double)r.interval_ps * 1e-6 - table[i].interval_us) < 1e-9);
        free(r.buffer);
        pp_mapping_free(m);
    }
    fixture_free(&f);
}

/* Exact picoseconds of one row, so that a change of rounding or order shows. */
static void published_case_exact(void **state)
{
    (void)state;
    fixture f;
    fixture_resnet32(&f);
    pp_arch arch = fixture_arch(512);
    pp_channel channel = fixture_channel(4);
    pp_map_options options = fixture_options("32:1x4,16:1x4", "1");
    pp_mapping *m;
    pp_recurrence_result r;
    must(pp_map_plan(&m, &f.q, &arch, &channel, 0, &options));
    must(pp_recurrence(&r, m, &f.q, &arch, NULL, &channel, 3, 0));
    assert_int_equal(r.interval_ps, 25600000);
    assert_int_equal(r.latency_ps, 51698000);
    free(r.buffer);
    pp_mapping_free(m);
    fixture_free(&f);
}

/* ---- against the definition ---- */

typedef struct small_case {
    bool inception;
    pp_shape input;
    int64_t rows, cols;
    const char *unroll, *copies;
    int reduction;
} small_case;

static const small_case cases[] = {
    {false, {8, 8, 3}, 512, 512, "none", "1", PP_REDUCE_AUTO},
    {false, {8, 8, 3}, 20, 4, "none", "1", PP_REDUCE_CHAIN},
    {false, {8, 8, 3}, 20, 3, "none", "2", PP_REDUCE_STAR},
    {false, {7, 5, 3}, 10, 64, "none", "3", PP_REDUCE_TREE},
    {false, {8, 8, 3}, 512, 512, "8:1x4", "1", PP_REDUCE_AUTO},
    {false, {7, 5, 3}, 64, 64, "7:2x3", "2", PP_REDUCE_AUTO},
    {true, {8, 8, 3}, 512, 512, "none", "1", PP_REDUCE_AUTO},
    {true, {8, 8, 3}, 24, 8, "8:1x2,2:2x1", "1", PP_REDUCE_TREE},
    {true, {9, 7, 2}, 30, 64, "9:2x2", "2", PP_REDUCE_CHAIN},
    {true, {8, 8, 3}, 512, 512, "8:3x3,2:1x2", "8:2", PP_REDUCE_AUTO},
};

static pp_arch small_arch(const small_case *c)
{
    pp_arch arch = fixture_arch(512);
    arch.rows = c->rows;
    arch.cols = c->cols;
    arch.adcs = 4;
    arch.adc_ps = 9000;
    arch.pipeline_ps = 13000;
    arch.mvm_ps = 20000;
    arch.digital_ps = 7000;
    arch.digital_interval_ps = 11000;
    return arch;
}

static void compare_case(const small_case *c, uint64_t period)
{
    fixture f;
    (c->inception ? fixture_inception : fixture_residual)(&f, c->input);
    pp_arch arch = small_arch(c);
    pp_channel channel = {.lanes = 2, .lane_gbps = 1.5, .latency_ps = 900, .length = 1};
    pp_map_options options = fixture_options(c->unroll, c->copies);
    pp_mapping *m;
    pp_recurrence_result r;
    slow s;
    options.reduction = c->reduction;
    must(pp_map_plan(&m, &f.q, &arch, &channel, 0, &options));
    must(pp_mapping_check(m, &f.q, &arch, NULL));
    must(pp_recurrence(&r, m, &f.q, &arch, NULL, &channel, 4, period));
    slow_open(&s, m, &f.q, &arch, &channel, 4, period, NULL);
    assert_int_equal(r.latency_ps, slow_finish(&s, 0));
    assert_int_equal(r.interval_ps, slow_finish(&s, 3) - slow_finish(&s, 2));
    for (uint32_t i = 0; i < m->n_flows; i++)
        assert_int_equal(r.buffer[i], slow_places(&s, i));
    slow_close(&s);
    free(r.buffer);
    pp_mapping_free(m);
    fixture_free(&f);
}

static void definition(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        compare_case(&cases[i], 0);
        compare_case(&cases[i], 5000000);
    }
}

static void bad_arguments(void **state)
{
    (void)state;
    fixture f;
    fixture_residual(&f, (pp_shape){8, 8, 3});
    pp_arch arch = fixture_arch(512);
    pp_channel channel = fixture_channel(1);
    pp_map_options options = fixture_options("none", "1");
    pp_mapping *m;
    pp_recurrence_result r;
    must(pp_map_plan(&m, &f.q, &arch, &channel, 0, &options));
    assert_int_equal(pp_recurrence(&r, m, &f.q, &arch, NULL, &channel, 0, 0), PP_EINVAL);
    assert_null(r.buffer);
    pp_mapping_free(m);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_case),
        cmocka_unit_test(published_case_exact),
        cmocka_unit_test(definition),
        cmocka_unit_test(bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
