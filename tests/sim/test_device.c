/* Devices: conductances over many devices against moments that are integrated here; wrong settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/device_moments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pp_device_options defaults(const char *model)
{
    return (pp_device_options){.model = model, .times_s = "25", .sigma = 0.038, .read_sigma = 0.02, .program_poly = "",
                               .nu_mean_poly = "", .nu_std_poly = "", .read_poly = "", .yield = 1, .verify_reads = 1,
                               .verify_window = 0.01};
}

static pp_device make(const char *model)
{
    pp_device d;
    const pp_device_options o = defaults(model);
    assert_int_equal(pp_device_resolve(&d, &o), PP_OK);
    return d;
}

static void same(double got_mean, double got_square, const double *want, uint32_t n, const char *what, double g)
{
    const double variance = want[1] - want[0] * want[0], got = got_square - got_mean * got_mean;
    const double error = sqrt(fmax(variance, 1e-12) / n);
    if (fabs(got_mean - want[0]) > 5 * error + 1e-9)
        fail_msg("%s at g %g: mean %g, expected %g +- %g", what, g, got_mean, want[0], error);
    if (variance > 1e-9 && fabs(got / variance - 1) > 12 / sqrt(n))
        fail_msg("%s at g %g: variance %g, expected %g", what, g, got, variance);
}

static void check_kind(const char *model, double g, double since)
{
    enum { N = 20000 };
    const pp_device d = make(model);
    const double t = d.t0_s + since;
    const moments want = integrate(&d, g, t);
    double p[2] = {0}, a[2] = {0}, r[2] = {0};
    for (uint32_t i = 0; i < N; i++) {
        pp_device_state s;
        pp_device_state_of(&s, &d, 7, 3, i, g, t);
        p[0] += s.programmed / N;
        p[1] += s.programmed * s.programmed / N;
        a[0] += s.drifted / N;
        a[1] += s.drifted * s.drifted / N;
        r[0] += s.read / N;
        r[1] += s.read * s.read / N;
    }
    same(p[0], p[1], want.programmed, N, "programmed", g);
    same(a[0], a[1], want.drifted, N, "drifted", g);
    same(r[0], r[1], want.read, N, "read", g);
}

static void test_moments(void **state)
{
    static const char *const models[] = {"aihwkit-pcm", "hermes", "hermes-1", "rram", "rram-state"};
    (void)state;
    for (size_t m = 0; m < 5; m++)
        for (int g = 0; g <= 10; g += 5)
            check_kind(models[m], g / 10.0, 86400);
    check_kind("aihwkit-pcm", 0.3, 31536000);
}

/* Values worked out by hand from the published coefficients. */
static void test_coefficients(void **state)
{
    const pp_device pcm = make("aihwkit-pcm"), two = make("hermes"), one = make("hermes-1");
    (void)state;
    assert_true(fabs(pcm.kind->sigma(&pcm, 1) - (0.26348 + 1.9650 - 1.1731) / 25) < 1e-12);
    assert_true(fabs(pcm.kind->nu_mean(&pcm, 1) - 0.049) < 1e-12); /* clipped from 0.0244 */
    assert_true(fabs(pcm.kind->nu_std(&pcm, 0) - 0.045) < 1e-12);
    assert_true(fabs(pcm.kind->read(&pcm, 1) - 0.0088) < 1e-12);
    assert_true(fabs(pcm.kind->read(&pcm, 0) - 0.2) < 1e-12);
    assert_true(fabs(two.kind->sigma(&two, 0) - 0.16603222 / 20.7) < 1e-12);
    assert_true(fabs(one.kind->nu_mean(&one, 0.5) - (0.0736 - 0.0063 - 0.0109)) < 1e-12);
    assert_true(fabs(one.kind->read(&one, 0.2) - (0.0088 + 0.0768 * 0.2 - 0.1352 * 0.04 + 0.0664 * 0.008)) < 1e-12);
    assert_true(two.t0_s == 300 && one.t0_s == 200 && pcm.t0_s == 20);
}

static void test_stuck_and_yield(void **state)
{
    enum { N = 20000 };
    pp_device_options o = defaults("ideal");
    pp_device d;
    uint32_t low = 0, high = 0;
    (void)state;
    o.stuck_low = 0.1;
    o.yield = 0.95;
    o.stuck_high = 0.05;
    assert_int_equal(pp_device_resolve(&d, &o), PP_OK);
    assert_false(pp_device_is_ideal(&d));
    for (uint32_t i = 0; i < N; i++) {
        pp_device_state s;
        pp_device_state_of(&s, &d, 1, 1, i, 0.5, 1);
        low += s.read == 0;
        high += s.read == 1;
        assert_true(s.read == 0 || s.read == 1 || s.read == 0.5);
    }
    assert_true(fabs(low / (double)N - 0.15) < 0.01 && fabs(high / (double)N - 0.05) < 0.006);
}

/* Attempts within the window stop: the error is that of a truncated normal variable, or of the last attempt. */
static void test_write_verify(void **state)
{
    enum { N = 20000 };
    pp_device_options o = defaults("rram");
    pp_device d;
    uint32_t outside = 0;
    (void)state;
    o.sigma = 0.05;
    o.verify_reads = 4;
    o.verify_window = 0.05;
    assert_int_equal(pp_device_resolve(&d, &o), PP_OK);
    for (uint32_t i = 0; i < N; i++) {
        pp_device_state s;
        pp_device_state_of(&s, &d, 1, 1, i, 0.5, 1);
        outside += fabs(s.programmed - 0.5) > 0.05;
    }
    const double want = pow(erfc(1 / sqrt(2)), 4); /* four misses in a row */
    assert_true(fabs(outside / (double)N - want) < 5 * sqrt(want / N));
}

static void test_custom_equals_the_kind_it_copies(void **state)
{
    pp_device_options o = defaults("custom");
    pp_device custom;
    const pp_device pcm = make("aihwkit-pcm");
    (void)state;
    o.program_poly = "0.26348, 1.9650, -1.1731";
    o.nu_mean_poly = "0.05";
    assert_int_equal(pp_device_resolve(&custom, &o), PP_OK);
    for (int i = 0; i <= 10; i++) {
        pp_device_state a, b;
        pp_device_state_of(&a, &custom, 1, 2, (uint32_t)i, i / 10.0, 1000);
        pp_device_state_of(&b, &pcm, 1, 2, (uint32_t)i, i / 10.0, 1000);
        assert_true(fabs(a.programmed - b.programmed) < 1e-12);
        assert_true(fabs(a.drifted - a.programmed * pow(1000 / 20.0, -0.05)) < 1e-12);
    }
}

static void refused(const pp_device_options *o, const char *word)
{
    pp_device d;
    assert_int_not_equal(pp_device_resolve(&d, o), PP_OK);
    if (strstr(pp_error_text(), word) == NULL)
        fail_msg("'%s' does not name %s", pp_error_text(), word);
}

static void test_bad_settings(void **state)
{
    pp_device_options o = defaults("aihwkit-pmc");
    double since;
    (void)state;
    refused(&o, "aihwkit-pcm");
    o = defaults("custom");
    refused(&o, "program_poly");
    o.program_poly = "1, -2";
    refused(&o, "device.program_poly");
    o.program_poly = "1, two";
    refused(&o, "device.program_poly");
    o.program_poly = "1 1 1 1 1 1 1 1 1";
    refused(&o, "at most 8");
    o = defaults("ideal");
    o.stuck_low = o.stuck_high = 0.6;
    refused(&o, "at most 1");
    pp_device d = make("hermes");
    assert_int_equal(pp_device_time(&d, 25, &since), PP_OK);
    assert_true(since == 325);
    assert_int_equal(pp_device_time(&d, -1, &since), PP_ERANGE);
    d.from_programming = true;
    assert_int_equal(pp_device_time(&d, 25, &since), PP_ERANGE);
    assert_non_null(strstr(pp_error_text(), "t0 = 300"));
}

static void test_lists(void **state)
{
    double *v;
    pp_compensation *c;
    size_t n;
    (void)state;
    assert_int_equal(pp_number_list(&v, &n, "[25, 86400 1e7]", "x"), PP_OK);
    assert_true(n == 3 && v[0] == 25 && v[2] == 1e7);
    free(v);
    assert_int_equal(pp_compensation_list(&c, &n, "none, tile,column"), PP_OK);
    assert_true(n == 3 && c[0] == PP_COMPENSATE_NONE && c[2] == PP_COMPENSATE_COLUMN);
    free(c);
    assert_int_not_equal(pp_compensation_list(&c, &n, "none, tiles"), PP_OK);
    assert_int_not_equal(pp_compensation_list(&c, &n, ""), PP_OK);
    assert_int_not_equal(pp_number_list(&v, &n, "25, nan", "x"), PP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_coefficients),
        cmocka_unit_test(test_stuck_and_yield),
        cmocka_unit_test(test_write_verify),
        cmocka_unit_test(test_custom_equals_the_kind_it_copies),
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
