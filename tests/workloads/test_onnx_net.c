/* Networks made from ONNX files: a trained one against its stored logits. */
#include "onnx_files.h"

/* resnet32-cifar10.onnx of the shared files, 100 images, the fast executor. */
static void resnet32_gives_its_logits(void **state)
{
    (void)state;
    const char *model = PP_TEST_SHARED_DIR "/models/resnet32-cifar10.onnx";
    const char *stored = PP_TEST_SHARED_DIR "/data/resnet32-cifar10.logits.f32";
    if (!pp_file_exists(model) || !pp_file_exists(stored)) {
        print_message("skipped: %s is not there\n", model);
        skip();
    }
    enum { IMAGES = 100 };
    pp_network *net = NULL;
    pp_stages *stages = NULL;
    pp_float_exec *exec = NULL;
    pp_dataset *data = NULL;
    pp_file *want = NULL;
    static float logits[IMAGES * 10];
    assert_ok(pp_model_open(&net, model));
    assert_ok(pp_stages_build(&stages, net));
    assert_ok(pp_float_exec_new(&exec, net, stages));
    assert_ok(pp_dataset_open(&data, "cifar10-test-1000", IMAGES));
    assert_ok(pp_file_map(&want, stored));
    assert_ok(pp_float_exec_run(exec, NULL, data, 0, IMAGES, logits, NULL, NULL));
    double worst = 0;
    for (size_t i = 0; i < IMAGES * 10; i++) {
        float v;
        memcpy(&v, want->data + i * sizeof v, sizeof v);
        worst = fmax(worst, fabs((double)logits[i] - (double)v));
    }
    print_message("largest difference of %d logits: %g\n", IMAGES * 10, worst);
    assert_true(worst < 1e-4);
    pp_file_unmap(want);
    pp_dataset_free(data);
    pp_float_exec_free(exec);
    pp_stages_free(stages);
    pp_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(resnet32_gives_its_logits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
