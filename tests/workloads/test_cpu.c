#include "test_workloads.h"

#include "workloads/cpu.h"

static void the_environment_lowers_and_never_raises(void **state)
{
    (void)state;
    unsetenv("PENTAPRISM_CPU");
    pp_cpu top = pp_cpu_level();
    setenv("PENTAPRISM_CPU", "plain", 1);
    assert_int_equal(pp_cpu_level(), PP_CPU_PLAIN);
    setenv("PENTAPRISM_CPU", "avx2", 1);
    assert_int_equal(pp_cpu_level(), top < PP_CPU_AVX2 ? top : PP_CPU_AVX2);
    setenv("PENTAPRISM_CPU", "avx512", 1);
    assert_int_equal(pp_cpu_level(), top);
    setenv("PENTAPRISM_CPU", "quantum", 1);
    assert_int_equal(pp_cpu_level(), top);
    unsetenv("PENTAPRISM_CPU");
    assert_string_equal(pp_cpu_name(PP_CPU_AVX2), "avx2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_environment_lowers_and_never_raises)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
