/* Inception-v4 and Inception-ResNet-v2, as their authors' code has them (and timm after it), no auxiliary heads.
 * PAPER: szegedy2017 figures 3 to 9 and 10 to 18. */
#include "workloads/maker_internal.h"

static uint32_t conv(pp_maker *mk, const char *name, uint32_t x, uint32_t out, uint32_t kh, uint32_t kw)
{
    return pp_mk_conv_(mk, name, x, (pp_mk_conv){.out = out, .kh = kh, .kw = kw, .pad = PP_PAD_HALF, .bn = true,
                                                 .act = PP_ACT_RELU});
}

/* 3x3 without padding. */
static uint32_t valid(pp_maker *mk, const char *name, uint32_t x, uint32_t out, uint32_t stride)
{
    return pp_mk_conv_(mk, name, x, (pp_mk_conv){.out = out, .k = 3, .s = stride, .bn = true, .act = PP_ACT_RELU});
}

static uint32_t max2(pp_maker *mk, const char *name, uint32_t x)
{
    return pp_mk_max_(mk, name, x, (pp_mk_pool){.k = 3, .s = 2});
}

/* The mean leaves padding out. */
static uint32_t pooled(pp_maker *mk, const char *name, uint32_t x, uint32_t out)
{
    x = pp_mk_avg_(mk, "pool", x, (pp_mk_pool){.k = 3, .s = 1, .pad = 1});
    return conv(mk, name, x, out, 1, 1);
}

static uint32_t cat(pp_maker *mk, uint32_t n, const uint32_t *inputs)
{
    return pp_mk_concat_(mk, "cat", n, inputs);
}

/* ---- Inception-v4 ---- */

static uint32_t stem4(pp_maker *mk)
{
    uint32_t x = valid(mk, "features.0", 0, 32, 2), y;
    x = conv(mk, "features.2", valid(mk, "features.1", x, 32, 1), 64, 3, 3);
    pp_mk_scope_(mk, "mixed_3a.");
    y = max2(mk, "maxpool", x);
    x = cat(mk, 2, (uint32_t[]){y, valid(mk, "conv", x, 96, 2)});
    pp_mk_scope_(mk, "mixed_4a.");
    y = conv(mk, "branch1.0", x, 64, 1, 1);
    y = conv(mk, "branch1.2", conv(mk, "branch1.1", y, 64, 1, 7), 64, 7, 1);
    y = valid(mk, "branch1.3", y, 96, 1);
    x = valid(mk, "branch0.1", conv(mk, "branch0.0", x, 64, 1, 1), 96, 1);
    x = cat(mk, 2, (uint32_t[]){x, y});
    pp_mk_scope_(mk, "mixed_5a.");
    y = valid(mk, "conv", x, 192, 2);
    return cat(mk, 2, (uint32_t[]){y, max2(mk, "maxpool", x)});
}

static uint32_t module_a(pp_maker *mk, uint32_t x)
{
    uint32_t b[4];
    b[0] = conv(mk, "branch0", x, 96, 1, 1);
    b[1] = conv(mk, "branch1.1", conv(mk, "branch1.0", x, 64, 1, 1), 96, 3, 3);
    b[2] = conv(mk, "branch2.1", conv(mk, "branch2.0", x, 64, 1, 1), 96, 3, 3);
    b[2] = conv(mk, "branch2.2", b[2], 96, 3, 3);
    b[3] = pooled(mk, "branch3", x, 96);
    return cat(mk, 4, b);
}

static uint32_t reduction_a(pp_maker *mk, uint32_t x, uint32_t r0, uint32_t r1, uint32_t r2)
{
    uint32_t b[3];
    b[0] = valid(mk, "branch0", x, 384, 2);
    b[1] = conv(mk, "branch1.1", conv(mk, "branch1.0", x, r0, 1, 1), r1, 3, 3);
    b[1] = valid(mk, "branch1.2", b[1], r2, 2);
    b[2] = max2(mk, "branch2", x);
    return cat(mk, 3, b);
}

static uint32_t module_b(pp_maker *mk, uint32_t x)
{
    uint32_t b[4];
    b[0] = conv(mk, "branch0", x, 384, 1, 1);
    b[1] = conv(mk, "branch1.1", conv(mk, "branch1.0", x, 192, 1, 1), 224, 1, 7);
    b[1] = conv(mk, "branch1.2", b[1], 256, 7, 1);
    b[2] = conv(mk, "branch2.1", conv(mk, "branch2.0", x, 192, 1, 1), 192, 7, 1);
    b[2] = conv(mk, "branch2.3", conv(mk, "branch2.2", b[2], 224, 1, 7), 224, 7, 1);
    b[2] = conv(mk, "branch2.4", b[2], 256, 1, 7);
    b[3] = pooled(mk, "branch3", x, 128);
    return cat(mk, 4, b);
}

static uint32_t reduction_b(pp_maker *mk, uint32_t x)
{
    uint32_t b[3];
    b[0] = valid(mk, "branch0.1", conv(mk, "branch0.0", x, 192, 1, 1), 192, 2);
    b[1] = conv(mk, "branch1.1", conv(mk, "branch1.0", x, 256, 1, 1), 256, 1, 7);
    b[1] = valid(mk, "branch1.3", conv(mk, "branch1.2", b[1], 320, 7, 1), 320, 2);
    b[2] = max2(mk, "branch2", x);
    return cat(mk, 3, b);
}

static uint32_t module_c(pp_maker *mk, uint32_t x)
{
    uint32_t b[6], y = conv(mk, "branch1.0", x, 384, 1, 1);
    b[0] = conv(mk, "branch0", x, 256, 1, 1);
    b[1] = conv(mk, "branch1.1a", y, 256, 1, 3);
    b[2] = conv(mk, "branch1.1b", y, 256, 3, 1);
    y = conv(mk, "branch2.1", conv(mk, "branch2.0", x, 384, 1, 1), 448, 3, 1);
    y = conv(mk, "branch2.2", y, 512, 1, 3);
    b[3] = conv(mk, "branch2.3a", y, 256, 1, 3);
    b[4] = conv(mk, "branch2.3b", y, 256, 3, 1);
    b[5] = pooled(mk, "branch3", x, 256);
    return cat(mk, 6, b);
}

static pp_status classify(pp_maker *mk, pp_network **out, uint32_t x, uint32_t classes)
{
    pp_mk_scope_(mk, "%s", "");
    x = pp_mk_global_(mk, "avgpool", x);
    pp_mk_linear_(mk, "classifier", x, classes, true, PP_ACT_NONE);
    return pp_maker_end_(mk, out);
}

pp_status pp_net_inception4_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const char modules[] = "AAAArBBBBBBBRCCC";
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = stem4(&mk);
    for (uint32_t i = 0; modules[i]; i++) {
        pp_mk_scope_(&mk, "features.%u.", i + 6);
        switch (modules[i]) {
        case 'A': x = module_a(&mk, x); break;
        case 'r': x = reduction_a(&mk, x, 192, 224, 256); break;
        case 'B': x = module_b(&mk, x); break;
        case 'R': x = reduction_b(&mk, x); break;
        default: x = module_c(&mk, x); break;
        }
    }
    return classify(&mk, out, x, pp_maker_classes_(m, o));
}

/* ---- Inception-ResNet-v2 ---- */

/* The branch is scaled (0.17, 0.1, 0.2) before it is added; that factor goes into its convolution. */
static uint32_t residual(pp_maker *mk, uint32_t x, uint32_t n, const uint32_t *branches, pp_act act)
{
    uint32_t y = cat(mk, n, branches);
    y = pp_mk_conv_(mk, "conv2d", y, (pp_mk_conv){.out = pp_mk_shape_(mk, x).c, .k = 1, .bias = true});
    return pp_mk_act_(mk, "relu", pp_mk_add_(mk, "add", y, x), act);
}

static uint32_t block35(pp_maker *mk, uint32_t x)
{
    uint32_t b[3];
    b[0] = conv(mk, "branch0", x, 32, 1, 1);
    b[1] = conv(mk, "branch1.1", conv(mk, "branch1.0", x, 32, 1, 1), 32, 3, 3);
    b[2] = conv(mk, "branch2.1", conv(mk, "branch2.0", x, 32, 1, 1), 48, 3, 3);
    b[2] = conv(mk, "branch2.2", b[2], 64, 3, 3);
    return residual(mk, x, 3, b, PP_ACT_RELU);
}

static uint32_t block17(pp_maker *mk, uint32_t x)
{
    uint32_t b[2];
    b[0] = conv(mk, "branch0", x, 192, 1, 1);
    b[1] = conv(mk, "branch1.1", conv(mk, "branch1.0", x, 128, 1, 1), 160, 1, 7);
    b[1] = conv(mk, "branch1.2", b[1], 192, 7, 1);
    return residual(mk, x, 2, b, PP_ACT_RELU);
}

static uint32_t block8(pp_maker *mk, uint32_t x, pp_act act)
{
    uint32_t b[2];
    b[0] = conv(mk, "branch0", x, 192, 1, 1);
    b[1] = conv(mk, "branch1.1", conv(mk, "branch1.0", x, 192, 1, 1), 224, 1, 3);
    b[1] = conv(mk, "branch1.2", b[1], 256, 3, 1);
    return residual(mk, x, 2, b, act);
}

static uint32_t mixed_5b(pp_maker *mk, uint32_t x)
{
    uint32_t b[4];
    b[0] = conv(mk, "branch0", x, 96, 1, 1);
    b[1] = conv(mk, "branch1.1", conv(mk, "branch1.0", x, 48, 1, 1), 64, 5, 5);
    b[2] = conv(mk, "branch2.1", conv(mk, "branch2.0", x, 64, 1, 1), 96, 3, 3);
    b[2] = conv(mk, "branch2.2", b[2], 96, 3, 3);
    b[3] = pooled(mk, "branch3", x, 64);
    return cat(mk, 4, b);
}

static uint32_t mixed_7a(pp_maker *mk, uint32_t x)
{
    uint32_t b[4];
    b[0] = valid(mk, "branch0.1", conv(mk, "branch0.0", x, 256, 1, 1), 384, 2);
    b[1] = valid(mk, "branch1.1", conv(mk, "branch1.0", x, 256, 1, 1), 288, 2);
    b[2] = conv(mk, "branch2.1", conv(mk, "branch2.0", x, 256, 1, 1), 288, 3, 3);
    b[2] = valid(mk, "branch2.2", b[2], 320, 2);
    b[3] = max2(mk, "branch3", x);
    return cat(mk, 4, b);
}

static uint32_t stem_resnet(pp_maker *mk)
{
    uint32_t x = valid(mk, "conv2d_2a", valid(mk, "conv2d_1a", 0, 32, 2), 32, 1);
    x = max2(mk, "maxpool_3a", conv(mk, "conv2d_2b", x, 64, 3, 3));
    x = valid(mk, "conv2d_4a", conv(mk, "conv2d_3b", x, 80, 1, 1), 192, 1);
    return max2(mk, "maxpool_5a", x);
}

pp_status pp_net_inception_resnet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = stem_resnet(&mk);
    pp_mk_scope_(&mk, "mixed_5b.");
    x = mixed_5b(&mk, x);
    for (uint32_t i = 0; i < 10; i++) {
        pp_mk_scope_(&mk, "repeat.%u.", i);
        x = block35(&mk, x);
    }
    pp_mk_scope_(&mk, "mixed_6a.");
    x = reduction_a(&mk, x, 256, 256, 384);
    for (uint32_t i = 0; i < 20; i++) {
        pp_mk_scope_(&mk, "repeat_1.%u.", i);
        x = block17(&mk, x);
    }
    pp_mk_scope_(&mk, "mixed_7a.");
    x = mixed_7a(&mk, x);
    for (uint32_t i = 0; i < 10; i++) {
        pp_mk_scope_(&mk, "repeat_2.%u.", i);
        x = block8(&mk, x, i < 9 ? PP_ACT_RELU : PP_ACT_NONE);
    }
    pp_mk_scope_(&mk, "%s", "");
    return classify(&mk, out, conv(&mk, "conv2d_7b", x, 1536, 1, 1), pp_maker_classes_(m, o));
}
