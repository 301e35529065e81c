/* Every allocation of the room fails once: an error comes back, nothing leaks (AddressSanitizer). */
#include "test_workloads.h"

/* The whole way from a model to logits; stops at the first error. */
static pp_status everything(void)
{
    static const uint32_t widths[3] = {2, 3, 4};
    pp_network *net = NULL, *shape = NULL;
    pp_stages *stages = NULL;
    pp_dataset *data = NULL;
    pp_float_exec *exec = NULL;
    char *text = NULL;
    float logits[10];
    pp_status status;
    PP_GOTO(done, status, pp_resnet_cifar(&shape, "r", 8, widths, false, true));
    PP_GOTO(done, status, pp_network_dump(&text, shape));
    PP_GOTO(done, status, pp_model_open(&net, "resnet32-cifar10"));
    PP_GOTO(done, status, pp_stages_build(&stages, net));
    PP_GOTO(done, status, pp_dataset_open(&data, "cifar10-test-1000", 1));
    PP_GOTO(done, status, pp_float_exec_new(&exec, net, stages));
    status = pp_float_exec_run(exec, NULL, data, 0, 1, logits, NULL, NULL);
done:
    free(text);
    pp_float_exec_free(exec);
    pp_dataset_free(data);
    pp_stages_free(stages);
    pp_network_free(net);
    pp_network_free(shape);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    long n = 0;
    pp_status status = PP_ENOMEM;
    for (; status != PP_OK && n < 100000; n += n < 600 ? 1 : 37) {
        pp_alloc_fail_after(n);
        status = everything();
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK || status == PP_ENOMEM);
    }
    assert_int_equal(status, PP_OK);
    assert_true(n > 300); /* it did fail that often */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
