#include "test_workloads.h"

static void published_parameter_counts(void **state)
{
    (void)state;
    /* Option A shortcuts. PAPER: he2015 table 6 gives 0.27, 0.46, 0.66, 0.85 and 1.7 million. */
    static const struct {
        const char *name;
        uint64_t parameters, macs;
    } want[] = {
        {"resnet20", 269722, 40551040},   {"resnet32", 464154, 68862592},   {"resnet44", 658586, 97174144},
        {"resnet56", 853018, 125485696}, {"resnet110", 1727962, 252887680},
    };
    for (size_t i = 0; i < 5; i++) {
        pp_network *net = NULL;
        assert_ok(pp_model_open(&net, want[i].name));
        assert_string_equal(net->name, want[i].name);
        assert_int_equal(pp_network_parameters(net), want[i].parameters);
        assert_int_equal(pp_network_macs(net), want[i].macs);
        assert_false(net->has_weights);
        assert_ok(pp_network_check(net));
        pp_network_free(net);
    }
}

static void projection_shortcuts_of_the_published_case(void **state)
{
    (void)state;
    static const uint32_t widths[3] = {16, 28, 56};
    pp_network *net = NULL;
    assert_ok(pp_resnet_cifar(&net, "joshi", 32, widths, true, false));
    /* 361,712 weights (PAPER: joshi2020 says 361,722, with the classifier's 10 biases) and 1,110 biases. */
    assert_int_equal(pp_network_parameters(net), 361712 + 1110);
    uint32_t convolutions = 0;
    for (uint32_t i = 0; i < net->n_ops; i++)
        convolutions += net->ops[i].kind == PP_OP_CONV;
    assert_int_equal(convolutions, 33);
    pp_network_free(net);
}

static void impossible_depths_and_widths(void **state)
{
    (void)state;
    static const uint32_t good[3] = {16, 32, 64}, zero[3] = {16, 0, 64}, falling[3] = {16, 12, 8};
    pp_network *net = NULL;
    assert_fails(pp_resnet_cifar(&net, "r", 33, good, false, true), "6n + 2");
    assert_fails(pp_resnet_cifar(&net, "r", 2, good, false, true), "6n + 2");
    assert_fails(pp_resnet_cifar(&net, "r", 20, zero, true, true), "above 0");
    assert_fails(pp_resnet_cifar(&net, "r", 20, falling, false, true), "must not fall");
    assert_ok(pp_resnet_cifar(&net, "r", 20, falling, true, true));
    pp_network_free(net);
}

static void names_and_near_names(void **state)
{
    (void)state;
    pp_network *net = NULL;
    const char *summary = NULL, *name;
    bool weights = false;
    size_t n = 0, with = 0;
    while ((name = pp_model_name(n, &summary, &weights)) != NULL) {
        assert_ok(pp_model_open(&net, name));
        assert_int_equal(net->has_weights, weights);
        assert_string_equal(net->name, name);
        assert_true(strlen(summary) > 0);
        with += weights;
        n++;
        pp_network_free(net);
    }
    assert_true(n > with && with > 0);
    assert_fails(pp_model_open(&net, "resnet23"), "did you mean 'resnet2");
    assert_fails(pp_model_open(&net, "a-network-of-another-house"), "neither");
    assert_fails(pp_model_open(&net, "missing.safetensors"), "missing.safetensors");
    assert_fails(pp_model_open(&net, "missing.json"), "missing.json");
}

static void the_shipped_model_is_the_published_case(void **state)
{
    (void)state;
    pp_network *net = NULL;
    pp_stages *stages = NULL;
    assert_ok(pp_model_open(&net, "resnet32-cifar10"));
    assert_int_equal(pp_network_parameters(net), 361712 + 1110);
    assert_int_equal(pp_network_macs(net), 58700336);
    assert_string_equal(net->weights_file, "resnet32-cifar10.safetensors");
    assert_int_equal(strlen(net->weights_sha256), 64);
    assert_true(net->mean[1] == 0.4822f && net->std[2] == 0.2616f);
    assert_ok(pp_stages_build(&stages, net));
    assert_int_equal(stages->n, 34);
    pp_stages_free(stages);
    pp_network_free(net);
}

static void the_environment_names_the_zoo(void **state)
{
    (void)state;
    char *path = NULL;
    setenv("PENTAPRISM_ZOO", "/some/where", 1);
    assert_ok(pp_zoo_path(&path, "x.json"));
    assert_string_equal(path, "/some/where/x.json");
    free(path);
    unsetenv("PENTAPRISM_ZOO");
    assert_ok(pp_zoo_path(&path, "resnet32-cifar10.json"));
    assert_true(pp_file_exists(path));
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_parameter_counts),
        cmocka_unit_test(projection_shortcuts_of_the_published_case),
        cmocka_unit_test(impossible_depths_and_widths),
        cmocka_unit_test(names_and_near_names),
        cmocka_unit_test(the_shipped_model_is_the_published_case),
        cmocka_unit_test(the_environment_names_the_zoo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
