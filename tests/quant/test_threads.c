/* Quantizing and the integer executor give the same bits for any number of threads. */
#include "nets.h"

static void quantizing_is_the_same_for_any_threads(void **state)
{
    (void)state;
    pp_quant_options o = default_options();
    o.weights = PP_WQUANT_OUTPUT;
    fixture f = make_fixture(50, o);
    char *one, *many;
    ok(pp_qnetwork_dump(&one, f.q));
    for (unsigned threads = 2; threads <= 5; threads += 3) {
        pp_pool *pool;
        pp_qnetwork *q;
        ok(pp_pool_new(&pool, threads));
        ok(pp_quantize(&q, f.net, f.stages, &o, f.images, pool));
        ok(pp_qnetwork_dump(&many, q));
        assert_string_equal(one, many);
        free(many);
        pp_qnetwork_free(q);
        pp_pool_free(pool);
    }
    free(one);
    free_fixture(&f);
}

static void running_is_the_same_for_any_threads(void **state)
{
    (void)state;
    fixture f = make_fixture(51, default_options());
    pp_int_exec *exec;
    const uint32_t n = f.images->n;
    const size_t outputs = (size_t)n * f.images->classes;
    float *one = malloc(outputs * sizeof *one), *many = malloc(outputs * sizeof *many);
    assert_non_null(one);
    assert_non_null(many);
    ok(pp_int_exec_new(&exec, f.q));
    ok(pp_int_exec_run(exec, NULL, f.images, 0, n, one));
    for (unsigned threads = 2; threads <= 5; threads += 3) {
        pp_pool *pool;
        ok(pp_pool_new(&pool, threads));
        memset(many, 0, outputs * sizeof *many);
        ok(pp_int_exec_run(exec, pool, f.images, 0, n, many));
        assert_memory_equal(one, many, outputs * sizeof *one);
        pp_pool_free(pool);
    }
    pp_int_exec_free(exec);
    free(one);
    free(many);
    free_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantizing_is_the_same_for_any_threads),
        cmocka_unit_test(running_is_the_same_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
