/* Chains of convolutions: LeNet-5, AlexNet, VGG, SqueezeNet, ResNet-9. As torchvision has them; where the adaptive pooling before
 * the classifier has nothing to do at the published input size it is left out, and the first linear layer
 * takes the map as it is. */
#include "workloads/maker_internal.h"

/* ---- LeNet-5 ---- */

/* The mean of 2x2 pixels, then a coefficient and a bias a map, both learned. */
static uint32_t trained_pool(pp_maker *mk, const char *scope, uint32_t x)
{
    pp_mk_scope_(mk, "%s.", scope);
    x = pp_mk_avg_(mk, "pool", x, (pp_mk_pool){.k = 2});
    x = pp_mk_act_(mk, "act", pp_mk_scale_(mk, "scale", x), PP_ACT_TANH);
    pp_mk_scope_(mk, "%s", "");
    return x;
}

/* Of the 16 x 6 pairs of maps between S2 and C3, 60 are connected; the output layer compares with given codes
 * that are not learned. PAPER: lecun1998 sec. II.B, table I. */
pp_status pp_net_lenet5_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = pp_mk_conv_(&mk, "C1", 0, (pp_mk_conv){.out = 6, .k = 5, .bias = true, .act = PP_ACT_TANH});
    x = trained_pool(&mk, "S2", x);
    x = pp_mk_conv_(&mk, "C3", x, (pp_mk_conv){.out = 16, .k = 5, .bias = true});
    if (mk.status == PP_OK)
        pp_build_note_weights(mk.b, x, (16 * 6 - 60) * 25, false);
    x = pp_mk_act_(&mk, "C3.act", x, PP_ACT_TANH);
    x = trained_pool(&mk, "S4", x);
    x = pp_mk_conv_(&mk, "C5", x, (pp_mk_conv){.out = 120, .k = 5, .bias = true, .act = PP_ACT_TANH});
    x = pp_mk_linear_(&mk, "F6", x, 84, true, PP_ACT_TANH);
    x = pp_mk_linear_(&mk, "output", x, pp_maker_classes_(m, o), false, PP_ACT_NONE);
    if (mk.status == PP_OK)
        pp_build_note_weights(mk.b, x, 0, true);
    return pp_maker_end_(&mk, out);
}

/* ---- ImageNet ---- */

/* PAPER: krizhevsky2014 (one column). */
pp_status pp_net_alexnet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    const pp_mk_pool pool = {.k = 3, .s = 2};
    uint32_t x = pp_mk_conv_(&mk, "features.0", 0, (pp_mk_conv){.out = 64, .k = 11, .s = 4, .pad = PP_PAD_TWO,
                                                                .bias = true, .act = PP_ACT_RELU});
    x = pp_mk_max_(&mk, "features.2", x, pool);
    x = pp_mk_conv_(&mk, "features.3", x, (pp_mk_conv){.out = 192, .k = 5, .pad = PP_PAD_HALF, .bias = true, .act = PP_ACT_RELU});
    x = pp_mk_max_(&mk, "features.5", x, pool);
    x = pp_mk_conv_(&mk, "features.6", x, (pp_mk_conv){.out = 384, .k = 3, .pad = PP_PAD_HALF, .bias = true, .act = PP_ACT_RELU});
    x = pp_mk_conv_(&mk, "features.8", x, (pp_mk_conv){.out = 256, .k = 3, .pad = PP_PAD_HALF, .bias = true, .act = PP_ACT_RELU});
    x = pp_mk_conv_(&mk, "features.10", x, (pp_mk_conv){.out = 256, .k = 3, .pad = PP_PAD_HALF, .bias = true, .act = PP_ACT_RELU});
    x = pp_mk_max_(&mk, "features.12", x, pool);
    x = pp_mk_linear_(&mk, "classifier.1", x, 4096, true, PP_ACT_RELU);
    x = pp_mk_linear_(&mk, "classifier.4", x, 4096, true, PP_ACT_RELU);
    pp_mk_linear_(&mk, "classifier.6", x, pp_maker_classes_(m, o), true, PP_ACT_NONE);
    return pp_maker_end_(&mk, out);
}

/* Row arguments: depth. PAPER: simonyan2014 table 1, configurations A, B, D, E. */
pp_status pp_net_vgg_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const uint32_t channels[5] = {64, 128, 256, 512, 512};
    const uint32_t deep = m->arg[0] == 19 ? 4 : m->arg[0] == 16 ? 3 : 2, first = m->arg[0] == 11 ? 1 : 2;
    pp_maker mk;
    uint32_t x = 0, index = 0;
    pp_maker_begin_(&mk, name, m, o);
    for (uint32_t block = 0; block < 5; block++) {
        for (uint32_t i = 0; i < (block < 2 ? first : deep); i++, index += 2) {
            pp_mk_scope_(&mk, "features.%u", index);
            x = pp_mk_conv_(&mk, "", x, (pp_mk_conv){.out = channels[block], .k = 3, .pad = PP_PAD_HALF, .bias = true,
                                                     .act = PP_ACT_RELU});
        }
        pp_mk_scope_(&mk, "features.%u", index++);
        x = pp_mk_max_(&mk, "", x, (pp_mk_pool){.k = 2});
    }
    pp_mk_scope_(&mk, "classifier.");
    x = pp_mk_linear_(&mk, "0", x, 4096, true, PP_ACT_RELU);
    x = pp_mk_linear_(&mk, "3", x, 4096, true, PP_ACT_RELU);
    pp_mk_linear_(&mk, "6", x, pp_maker_classes_(m, o), true, PP_ACT_NONE);
    return pp_maker_end_(&mk, out);
}

static uint32_t fire(pp_maker *mk, uint32_t index, uint32_t x, uint32_t squeeze, uint32_t expand)
{
    pp_mk_scope_(mk, "features.%u.", index);
    x = pp_mk_conv_(mk, "squeeze", x, (pp_mk_conv){.out = squeeze, .k = 1, .bias = true, .act = PP_ACT_RELU});
    uint32_t a = pp_mk_conv_(mk, "expand1x1", x, (pp_mk_conv){.out = expand, .k = 1, .bias = true, .act = PP_ACT_RELU});
    uint32_t b = pp_mk_conv_(mk, "expand3x3", x, (pp_mk_conv){.out = expand, .k = 3, .pad = PP_PAD_HALF, .bias = true,
                                                              .act = PP_ACT_RELU});
    return pp_mk_concat_(mk, "cat", 2, (uint32_t[]){a, b});
}

/* SqueezeNet 1.0. PAPER: iandola2016 table 1. */
pp_status pp_net_squeezenet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const struct {
        uint32_t index, squeeze, expand;
        bool pool; /* behind it */
    } fires[] = {{3, 16, 64, false}, {4, 16, 64, false}, {5, 32, 128, true}, {7, 32, 128, false},
                 {8, 48, 192, false}, {9, 48, 192, false}, {10, 64, 256, true}, {12, 64, 256, false}};
    const pp_mk_pool pool = {.k = 3, .s = 2, .ceil = true};
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = pp_mk_conv_(&mk, "features.0", 0, (pp_mk_conv){.out = 96, .k = 7, .s = 2, .bias = true, .act = PP_ACT_RELU});
    x = pp_mk_max_(&mk, "features.2", x, pool);
    for (size_t i = 0; i < sizeof fires / sizeof *fires; i++) {
        x = fire(&mk, fires[i].index, x, fires[i].squeeze, fires[i].expand);
        if (fires[i].pool) {
            pp_mk_scope_(&mk, "features.%u", fires[i].index + 1);
            x = pp_mk_max_(&mk, "", x, pool);
        }
    }
    pp_mk_scope_(&mk, "classifier.");
    x = pp_mk_conv_(&mk, "1", x, (pp_mk_conv){.out = pp_maker_classes_(m, o), .k = 1, .bias = true, .act = PP_ACT_RELU});
    pp_mk_global_(&mk, "3", x);
    return pp_maker_end_(&mk, out);
}

/* ---- ResNet-9 ---- */

static uint32_t conv_relu(pp_maker *mk, const char *name, uint32_t x, uint32_t out)
{
    return pp_mk_conv_(mk, name, x, (pp_mk_conv){.out = out, .k = 3, .pad = PP_PAD_HALF, .bn = true, .act = PP_ACT_RELU});
}

/* The nine-layer ResNet of David Page's "How to train your ResNet" (DAWNBench, 2018): activations stand before
 * the additions, the classifier has no bias. */
pp_status pp_net_resnet9_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = conv_relu(&mk, "prep", 0, 64);
    for (uint32_t i = 1; i <= 3; i++) {
        uint32_t out_c = 64u << i;
        pp_mk_scope_(&mk, "layer%u.", i);
        x = pp_mk_max_(&mk, "pool", conv_relu(&mk, "conv", x, out_c), (pp_mk_pool){.k = 2});
        if (i != 2)
            x = pp_mk_add_(&mk, "add", conv_relu(&mk, "res2", conv_relu(&mk, "res1", x, out_c), out_c), x);
    }
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_max_(&mk, "pool", x, (pp_mk_pool){.k = 4});
    pp_mk_linear_(&mk, "linear", x, pp_maker_classes_(m, o), false, PP_ACT_NONE);
    return pp_maker_end_(&mk, out);
}
