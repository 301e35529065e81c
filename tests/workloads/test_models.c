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
    {"mobilenet-v3-small", 2542856, 0.057, 0.001},
    {"mobilenet-v3-large", 5483032, 0.217, 0.001},
    {"efficientnet-b0", 5288548, 0.386, 0.001},
    {"shufflenet-v2", 2278604, 0.145, 0.001},
    /* lecun1998 sec. II.B: 60,000 parameters; its 340,908 connections: below */
    {"lenet5", 60000, 0.000326520, 1e-9},
    /* howard2017 table 8: 569 million mult-adds, 4.2 million parameters (exact count: Keras, trainable) */
    {"mobilenet-v1", 4231976, 0.569, 0.001},
    /* Keras, trainable parameters; MACs: timm, which counts half a percent more (its batch norms) */
    {"xception", 22855952, 8.40, 0.1},
    /* timm */
    {"inception-v4", 42679816, 12.28, 0.1},
    {"inception-resnet-v2", 55843464, 13.18, 0.1},
    /* darknet: tiny-yolo-voc.weights holds 15,867,885 numbers, 6,112 of them means and variances; 6.97 GFLOP */
    {"yolo-tiny", 15867885 - 6112, 3.485, 0.005},
    /* no count published: sum over the layers that the sources print, below */
    {"resnet9", 6573120, 0.379261952, 1e-9},
    {"unet", 31030658, 167.322556672, 1e-9},
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

/* The paper counts biases and the inputs of subsampling maps as connections. PAPER: lecun1998 sec. II.B. */
static void connections_of_lenet5(void **state)
{
    (void)state;
    pp_network *net = NULL;
    assert_ok(pp_model_open(&net, "lenet5"));
    uint64_t connections = pp_network_macs(net);
    for (uint32_t i = 0; i < net->n_ops; i++) {
        const pp_op *op = &net->ops[i];
        uint64_t results = (uint64_t)op->out.h * op->out.w * op->out.c;
        if (op->kind == PP_OP_AVG_POOL)
            connections += 4 * results;
        if (op->bias.ndim)
            connections += results;
    }
    assert_int_equal(connections, 340908);
    pp_network_free(net);
}

/* U-Net layer by layer, from the figure alone. PAPER: ronneberger2015 figure 1. */
static void unet_from_its_figure(void **state)
{
    (void)state;
    uint64_t parameters = 0, macs = 0, size = 572, c = 1;
    for (uint64_t level = 0, width = 64; level < 5; level++, width *= 2) {
        size = level ? size / 2 : size;
        for (int i = 0; i < 2; i++, c = width) {
            size -= 2;
            parameters += (9 * c + 1) * width;
            macs += 9 * c * width * size * size;
        }
    }
    for (uint64_t width = 512; width >= 64; width /= 2) {
        size *= 2;
        parameters += (4 * c + 1) * width;
        macs += 4 * c * width * size * size;
        c = 2 * width;
        for (int i = 0; i < 2; i++, c = width) {
            size -= 2;
            parameters += (9 * c + 1) * width;
            macs += 9 * c * width * size * size;
        }
    }
    assert_int_equal(size, 388);
    parameters += 2 * (c + 1);
    macs += 2 * c * size * size;
    pp_network *net = NULL;
    assert_ok(pp_model_open(&net, "unet"));
    assert_int_equal(pp_network_parameters(net), parameters);
    assert_int_equal(pp_network_macs(net), macs);
    pp_network_free(net);
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
        cmocka_unit_test(connections_of_lenet5),
        cmocka_unit_test(unet_from_its_figure),
        cmocka_unit_test(stages_of_every_network),
        cmocka_unit_test(input_and_classes_can_be_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
