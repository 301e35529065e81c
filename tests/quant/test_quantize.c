#include "nets.h"

#include "tests/size.h"

static pp_quant_options from_knobs(void)
{
    pp_knob_table table = pp_quant_knobs();
    pp_config *config;
    static pp_quant_options o;
    ok(pp_config_new(&config, &table, 1));
    ok(pp_config_bind(config, &table, &o));
    o.calib = o.rotate_layers = ""; /* texts belong to the configuration */
    assert_string_equal(o.rotation_block, "array_rows");
    o.rotation_block = "array_rows";
    pp_config_free(config);
    return o;
}

static void knob_defaults(void **state)
{
    (void)state;
    pp_quant_options o = from_knobs();
    assert_int_equal(o.wbits, 4);
    assert_int_equal(o.abits, 8);
    assert_int_equal(o.calib_images, 256);
    assert_int_equal(o.psum_bits, 16);
    assert_true(o.bias_correction);
}

static void resnet32_keeps_its_accuracy(void **state)
{
    (void)state;
    pp_network *net;
    pp_stages *stages;
    pp_dataset *calib, *test;
    pp_qnetwork *q;
    pp_int_exec *exec;
    pp_quant_options o = from_knobs();
    pp_pool *pool;
    ok(pp_model_open(&net, "resnet32-cifar10"));
    ok(pp_stages_build(&stages, net));
    ok(pp_dataset_open(&calib, "cifar10-calib", 0));
    ok(pp_dataset_open(&test, "cifar10-test-1000", 0));
    ok(pp_pool_new(&pool, 2));
    const uint32_t images = PP_SMALL_TESTS ? 100 : 1000, repeated = images / 10;
    o.calib_images = PP_SMALL_TESTS ? 8 : 64;
    ok(pp_quantize(&q, net, stages, &o, calib, pool));
    ok(pp_qnetwork_check(q));
    for (uint32_t s = 0; s < stages->n; s++) {
        assert_true(q->stage[s].weight_sqnr_db > (PP_SMALL_TESTS ? 8 : 12) && q->stage[s].weight_sqnr_db < 30);
        assert_true(q->stage[s].out_sqnr_db > 5);
        assert_true(2 * q->stage[s].acc_max <= 32767.0 * (1 << q->stage[s].psum_shift));
    }
    float *logits = malloc(1000 * 10 * sizeof *logits), *again = malloc(100 * 10 * sizeof *logits);
    ok(pp_int_exec_new(&exec, q));
    ok(pp_int_exec_run(exec, pool, test, 0, images, logits));
    ok(pp_int_exec_run(exec, NULL, test, 0, repeated, again));
    assert_memory_equal(logits, again, (size_t)repeated * 10 * sizeof *logits);
    double top1 = pp_top1(logits, test->labels, images, 10);
    print_message("W4A8, %lld calibration images: top-1 %.1f %% of %u images\n", (long long)o.calib_images, 100 * top1, images);
    assert_true(top1 >= (PP_SMALL_TESTS ? 0.9 : 0.925)); /* the job's bound is 0.913; docs/quantization.md says what it reaches */
    assert_int_equal(pp_int_exec_run(exec, pool, test, 990, 11, logits), PP_ERANGE);
    pp_int_exec_free(exec);
    pp_qnetwork_free(q);
    pp_pool_free(pool);
    pp_dataset_free(calib);
    pp_dataset_free(test);
    pp_stages_free(stages);
    pp_network_free(net);
    free(logits);
    free(again);
}

/* The mean error of what leaves a stage without activation is what bias correction removes. */
static void bias_correction_removes_the_mean_error(void **state)
{
    (void)state;
    double mean[2];
    for (int on = 0; on < 2; on++) {
        pp_quant_options o = default_options();
        o.bias_correction = on;
        o.wbits = 3;
        fixture f = make_fixture(60, o);
        float *want = malloc(16 * 5 * sizeof *want), *got = malloc(16 * 5 * sizeof *got);
        pp_float_exec *exact;
        pp_int_exec *exec;
        ok(pp_float_exec_new(&exact, f.net, f.stages));
        ok(pp_float_exec_run(exact, NULL, f.images, 0, 16, want, NULL, NULL));
        ok(pp_int_exec_new(&exec, f.q));
        ok(pp_int_exec_run(exec, NULL, f.images, 0, 16, got));
        mean[on] = 0;
        for (int c = 0; c < 5; c++) {
            double error = 0;
            for (int i = 0; i < 16; i++)
                error += (double)got[i * 5 + c] - want[i * 5 + c];
            mean[on] += error * error;
            if (on) /* half a unit of the bias is left, and rounding of the mean map */
                assert_true(error / 16 < f.q->stage[f.stages->output].unit[c] &&
                            error / 16 > -f.q->stage[f.stages->output].unit[c]);
        }
        pp_float_exec_free(exact);
        pp_int_exec_free(exec);
        free(want);
        free(got);
        free_fixture(&f);
    }
    assert_true(mean[1] < mean[0] / 10);
}

static void shapes_only(void **state)
{
    (void)state;
    pp_network *net;
    pp_stages *stages;
    pp_qnetwork *q;
    const uint32_t widths[3] = {16, 32, 64};
    pp_quant_options o = default_options();
    ok(pp_resnet_cifar(&net, "r20", 20, widths, false, true));
    ok(pp_stages_build(&stages, net));
    ok(pp_quantize(&q, net, stages, &o, NULL, NULL));
    assert_false(q->has_values);
    ok(pp_qnetwork_check(q));
    assert_int_equal(q->stage[0].wbits, 4);
    assert_int_equal(q->stage[0].krows, 27);
    assert_null(q->stage[0].code);
    assert_true(q->stream[0].is_signed == false); /* mean 0: not set for a network without a card */
    assert_int_equal(q->stream[1].qmax, 255);
    pp_int_exec *exec;
    assert_int_equal(pp_int_exec_new(&exec, q), PP_EINVAL);
    int16_t **streams;
    assert_int_equal(pp_qref_run(q, NULL, NULL, &streams, NULL), PP_EINVAL);
    pp_qnetwork_free(q);
    pp_stages_free(stages);
    pp_network_free(net);
}

static void bad_options_and_data(void **state)
{
    (void)state;
    fixture f = make_fixture(70, default_options());
    pp_qnetwork *q;
    pp_quant_options o = default_options();
    o.wbits = 9;
    assert_int_equal(pp_quantize(&q, f.net, f.stages, &o, f.images, NULL), PP_ERANGE);
    assert_null(q);
    o = default_options();
    o.abits = 3;
    assert_int_equal(pp_quantize(&q, f.net, f.stages, &o, f.images, NULL), PP_ERANGE);
    o = default_options();
    o.psum_bits = 40;
    assert_int_equal(pp_quantize(&q, f.net, f.stages, &o, f.images, NULL), PP_ERANGE);
    o = default_options();
    pp_network *other;
    ok(pp_model_open(&other, "resnet32-cifar10"));
    pp_stages *stages;
    ok(pp_stages_build(&stages, other));
    assert_int_not_equal(pp_quantize(&q, other, stages, &o, f.images, NULL), PP_OK);
    assert_null(q);
    pp_stages_free(stages);
    pp_network_free(other);
    free_fixture(&f);
}

static void memory_runs_out(void **state)
{
    (void)state;
    fixture f = make_fixture(80, default_options());
    pp_quant_options o = default_options();
    o.weights = PP_WQUANT_OUTPUT;
    o.calib_images = 2;
    pp_status status = PP_ENOMEM;
    long n = 0;
    for (; status != PP_OK; n += 13) {
        pp_qnetwork *q;
        pp_alloc_fail_after(n);
        status = pp_quantize(&q, f.net, f.stages, &o, f.images, NULL);
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK || (status == PP_ENOMEM && !q));
        pp_qnetwork_free(q);
    }
    assert_true(n > 100);
    free_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knob_defaults),          cmocka_unit_test(resnet32_keeps_its_accuracy),
 cmocka_unit_test(bias_correction_removes_the_mean_error),
        cmocka_unit_test(shapes_only),            cmocka_unit_test(bad_options_and_data),
        cmocka_unit_test(memory_runs_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
