/* The executor gives every image the same bits, however the work is split. */
#include "test_workloads.h"

static pp_status count_calls(void *payload, uint32_t stream, uint32_t image, const float *data)
{
    uint32_t *calls = payload; /* [image][stream]: no two calls share an element */
    (void)data;
    calls[image * 35 + stream]++;
    return PP_OK;
}

static void threads_and_batches_change_nothing(void **state)
{
    (void)state;
    enum { N = 24 };
    pp_network *net = NULL;
    pp_stages *stages = NULL;
    pp_dataset *data = NULL;
    pp_float_exec *exec = NULL;
    float one[N * 10], many[N * 10], parts[N * 10];
    static uint32_t calls[N * 35];
    assert_ok(pp_model_open(&net, "resnet32-cifar10"));
    assert_ok(pp_stages_build(&stages, net));
    assert_ok(pp_dataset_open(&data, "cifar10-test-1000", N));
    assert_ok(pp_float_exec_new(&exec, net, stages));
    assert_ok(pp_float_exec_run(exec, NULL, data, 0, N, one, NULL, NULL));
    for (unsigned threads = 1; threads <= 4; threads++) {
        pp_pool *pool = NULL;
        assert_ok(pp_pool_new(&pool, threads));
        memset(many, 0, sizeof many);
        memset(calls, 0, sizeof calls);
        assert_ok(pp_float_exec_run(exec, pool, data, 0, N, many, count_calls, calls));
        assert_memory_equal(one, many, sizeof one);
        for (size_t i = 0; i < N * 35; i++)
            assert_int_equal(calls[i], 1);
        pp_pool_free(pool);
    }
    for (uint32_t i = 0; i < N; i += 7)
        assert_ok(pp_float_exec_run(exec, NULL, data, i, N - i < 7 ? N - i : 7, parts + i * 10, NULL, NULL));
    assert_memory_equal(one, parts, sizeof one);
    pp_float_exec_free(exec);
    pp_dataset_free(data);
    pp_stages_free(stages);
    pp_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_and_batches_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
