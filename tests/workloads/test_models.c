/* Built-in networks against published counts. Sources: docs/models.md. */
#include "test_workloads.h"

#include <math.h>

/* parameters: exact. gmacs: billions of multiply-accumulates as published, rounded to `step`. */
static const struct {
    const char *name;
    uint64_t parameters;
    double gmacs, step;
} published[] = {
    /* torchvision, documentation of its weights ("num_params" and "GFLOPS", which counts MACs) */
    {"alexnet", 61100840, 0.714, 0.001},
    {"vgg11", 132863336, 7.609, 0.001},
    {"vgg13", 133047848, 11.308, 0.001},
    {"vgg16", 138357544, 15.470, 0.001},
    {"vgg19", 143667240, 19.632, 0.001},
    {"resnet18", 11689512, 1.814, 0.001},
    {"resnet34", 21797672, 3.664, 0.001},
    {"resnet50", 25557032, 4.089, 0.001},
    {"resnet101", 44549160, 7.801, 0.001},
    {"resnet152", 60192808, 11.514, 0.001},
    {"resnext50", 25028904, 4.230, 0.001},
    {"wideresnet50-2", 68883240, 11.398, 0.001},
    {"densenet121", 7978856, 2.834, 0.001},
    {"densenet169", 14149480, 3.360, 0.001},
    {"densenet201", 20013928, 4.291, 0.001},
    {"googlenet", 6624904, 1.498, 0.001},
    {"inception-v3", 23834568, 5.713, 0.001}, /* 27161264 less 3326696 of the auxiliary head */
    {"squeezenet", 1248424, 0.819, 0.001},
    {"mobilenet-v2", 3504872, 0.301, 0.001},
};
#define N_PUBLISHED (sizeof published / sizeof *published)

static void counts_are_those_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PUBLISHED; i++) {
        pp_network *net = NULL;
        assert_ok(pp_model_open(&net, published[i].name));
        uint64_t parameters = pp_network_parameters(net);
        double gmacs = (double)pp_network_macs(net) / 1e9;
        if (parameters != published[i].parameters)
            fail_msg("%s: %llu parameters, published %llu", net->name, (unsigned long long)parameters,
                     (unsigned long long)published[i].parameters);
        if (fabs(gmacs - published[i].gmacs) > 0.5001 * published[i].step)
            fail_msg("%s: %.6f billion MACs, published %.4f", net->name, gmacs, published[i].gmacs);
        assert_false(net->has_weights);
        pp_network_free(net);
    }
}

/* Stages cover the network: every matrix operator is one stage, inputs come from earlier stages, and streams
 * have the shapes of the operators that end them. */
static void stages_of_every_network(void **state)
{
    (void)state;
    const char *name;
    bool weights;
    for (size_t i = 0; (name = pp_model_name(i, NULL, &weights)) != NULL; i++) {
        pp_network *net = NULL;
        pp_stages *stages = NULL;
        if (weights)
            continue;
        assert_ok(pp_model_open(&net, name));
        assert_ok(pp_network_check(net));
        assert_ok(pp_stages_build(&stages, net));
        uint32_t matrices = 0, layers = 0;
        for (uint32_t k = 0; k < net->n_ops; k++)
            layers += net->ops[k].kind == PP_OP_CONV || net->ops[k].kind == PP_OP_LINEAR;
        for (uint32_t s = 0; s < stages->n; s++) {
            const pp_stage *st = &stages->stage[s];
            matrices += st->matrix != PP_NONE;
            assert_int_equal(st->out.c, net->ops[st->result].out.c);
            for (uint32_t k = 0; k < st->n_inputs; k++)
                assert_true(st->inputs[k].stream <= s);
        }
        assert_int_equal(matrices, layers);
        assert_int_equal(stages->output, stages->n - 1);
        pp_stages_free(stages);
        pp_network_free(net);
    }
}

static void input_and_classes_can_be_chosen(void **state)
{
    (void)state;
    pp_network *net = NULL, *again = NULL;
    assert_ok(pp_model_open(&net, "resnet18:input=32x32x3,classes=10"));
    assert_string_equal(net->name, "resnet18:input=32x32x3,classes=10");
    assert_int_equal(net->ops[0].out.h, 32);
    assert_int_equal(net->ops[net->output].out.c, 10);
    assert_int_equal(pp_network_parameters(net), 11689512 - 990 * 513);
    assert_ok(pp_model_open(&again, net->name)); /* a name opens its network again */
    assert_string_equal(again->name, net->name);
    pp_network_free(net);
    pp_network_free(again);
    assert_ok(pp_model_open(&net, "resnet20:input=32x32x3,classes=100"));
    assert_string_equal(net->name, "resnet20:classes=100");
    pp_network_free(net);
    assert_fails(pp_model_open(&net, "resnet18:"), "expected input=HxWxC");
    assert_fails(pp_model_open(&net, "resnet18:input=32x32"), "expected input=HxWxC");
    assert_fails(pp_model_open(&net, "resnet18:input=0x32x3"), "expected input=HxWxC");
    assert_fails(pp_model_open(&net, "resnet18:classes=99999999999"), "expected input=HxWxC");
    assert_fails(pp_model_open(&net, "resnet18:classes=10,classes=10"), "at most once");
    assert_fails(pp_model_open(&net, "resnet18:classes=10,"), "expected input=HxWxC");
    assert_fails(pp_model_open(&net, "resnet18:depth=10"), "expected input=HxWxC");
    assert_fails(pp_model_open(&net, "resnet18:input=1048576x1048576x3"), "too large");
    assert_fails(pp_model_open(&net, "resnet32-cifar10:classes=2"), "has weights");
    assert_fails(pp_model_open(&net, "alexnet:input=32x32x3"), "does not fit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_published),
        cmocka_unit_test(stages_of_every_network),
        cmocka_unit_test(input_and_classes_can_be_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
