/* ResNets for ImageNet, ResNeXt and wide ResNet, as torchvision has them (stride in the 3x3 convolution of a
 * bottleneck). PAPER: he2015 table 1; xie2017 table 1; zagoruyko2016 sec. 2. */
#include "workloads/maker_internal.h"

/* Row arguments: depth, groups, channels of a group in the first stage (64: plain). */
typedef struct shape {
    uint32_t blocks[4];
    bool bottleneck;
    uint32_t groups, base;
} shape;

static shape shape_of(const pp_model *m)
{
    shape s = {.groups = m->arg[1] ? m->arg[1] : 1, .base = m->arg[2] ? m->arg[2] : 64, .bottleneck = m->arg[0] >= 50};
    static const struct {
        uint32_t depth, blocks[4];
    } depths[] = {{18, {2, 2, 2, 2}}, {34, {3, 4, 6, 3}}, {50, {3, 4, 6, 3}}, {101, {3, 4, 23, 3}}, {152, {3, 8, 36, 3}}};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
        for (size_t k = 0; depths[i].depth == m->arg[0] && k < 4; k++)
            s.blocks[k] = depths[i].blocks[k];
    return s;
}

/* The shortcut stands before the last convolution, so that the addition joins that one's stage. */
static uint32_t shortcut(pp_maker *mk, uint32_t x, uint32_t out, uint32_t stride)
{
    if (stride == 1 && pp_mk_shape_(mk, x).c == out)
        return x;
    return pp_mk_conv_(mk, "downsample", x, (pp_mk_conv){.out = out, .k = 1, .s = stride, .bn = true});
}

static uint32_t basic(pp_maker *mk, uint32_t x, uint32_t planes, uint32_t stride)
{
    uint32_t y = pp_mk_conv_(mk, "conv1", x, (pp_mk_conv){.out = planes, .k = 3, .s = stride, .pad = PP_PAD_HALF,
                                                          .bn = true, .act = PP_ACT_RELU});
    uint32_t skip = shortcut(mk, x, planes, stride);
    y = pp_mk_conv_(mk, "conv2", y, (pp_mk_conv){.out = planes, .k = 3, .pad = PP_PAD_HALF, .bn = true});
    return pp_mk_act_(mk, "relu", pp_mk_add_(mk, "add", y, skip), PP_ACT_RELU);
}

static uint32_t bottleneck(pp_maker *mk, const shape *s, uint32_t x, uint32_t planes, uint32_t stride)
{
    uint32_t width = planes * s->base / 64 * s->groups;
    uint32_t y = pp_mk_conv_(mk, "conv1", x, (pp_mk_conv){.out = width, .k = 1, .bn = true, .act = PP_ACT_RELU});
    y = pp_mk_conv_(mk, "conv2", y, (pp_mk_conv){.out = width, .k = 3, .s = stride, .pad = PP_PAD_HALF,
                                                 .groups = s->groups, .bn = true, .act = PP_ACT_RELU});
    uint32_t skip = shortcut(mk, x, 4 * planes, stride);
    y = pp_mk_conv_(mk, "conv3", y, (pp_mk_conv){.out = 4 * planes, .k = 1, .bn = true});
    return pp_mk_act_(mk, "relu", pp_mk_add_(mk, "add", y, skip), PP_ACT_RELU);
}

pp_status pp_net_resnet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    pp_maker mk;
    shape s = shape_of(m);
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = pp_mk_conv_(&mk, "conv1", 0, (pp_mk_conv){.out = 64, .k = 7, .s = 2, .pad = PP_PAD_HALF, .bn = true,
                                                           .act = PP_ACT_RELU});
    x = pp_mk_max_(&mk, "maxpool", x, (pp_mk_pool){.k = 3, .s = 2, .pad = 1});
    for (uint32_t stage = 0; stage < 4; stage++)
        for (uint32_t i = 0; i < s.blocks[stage]; i++) {
            uint32_t stride = stage > 0 && i == 0 ? 2 : 1, planes = 64u << stage;
            pp_mk_scope_(&mk, "layer%u.%u.", stage + 1, i);
            x = s.bottleneck ? bottleneck(&mk, &s, x, planes, stride) : basic(&mk, x, planes, stride);
        }
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_global_(&mk, "avgpool", x);
    pp_mk_linear_(&mk, "fc", x, pp_maker_classes_(m, o), true, PP_ACT_NONE);
    return pp_maker_end_(&mk, out);
}
