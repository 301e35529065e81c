/* Xception. PAPER: chollet2017 figure 5; padding and batch norms as in its author's code. */
#include "workloads/maker_internal.h"

#include <stdio.h>

/* A filter for each channel, then a mix of channels; the batch norm stands behind both. */
static uint32_t separable(pp_maker *mk, const char *name, uint32_t x, uint32_t out, pp_act act)
{
    char depth[48];
    snprintf(depth, sizeof depth, "%s.depthwise", name);
    uint32_t c = pp_mk_shape_(mk, x).c;
    x = pp_mk_conv_(mk, depth, x, (pp_mk_conv){.out = c, .k = 3, .pad = PP_PAD_SAME, .groups = c});
    return pp_mk_conv_(mk, name, x, (pp_mk_conv){.out = out, .k = 1, .bn = true, .act = act});
}

/* Two separable convolutions and a pooling beside a strided 1x1 convolution. */
static uint32_t down(pp_maker *mk, uint32_t index, uint32_t x, uint32_t mid, uint32_t out, bool relu_first)
{
    pp_mk_scope_(mk, "block%u.", index);
    uint32_t skip = pp_mk_conv_(mk, "skip", x, (pp_mk_conv){.out = out, .k = 1, .s = 2, .pad = PP_PAD_SAME, .bn = true});
    uint32_t y = relu_first ? pp_mk_act_(mk, "relu", x, PP_ACT_RELU) : x;
    y = separable(mk, "sepconv1", y, mid, PP_ACT_RELU);
    y = separable(mk, "sepconv2", y, out, PP_ACT_NONE);
    y = pp_mk_max_(mk, "pool", y, (pp_mk_pool){.k = 3, .s = 2, .same = true});
    return pp_mk_add_(mk, "add", y, skip);
}

static uint32_t middle(pp_maker *mk, uint32_t index, uint32_t x)
{
    pp_mk_scope_(mk, "block%u.", index);
    uint32_t y = pp_mk_act_(mk, "relu", x, PP_ACT_RELU);
    y = separable(mk, "sepconv1", y, 728, PP_ACT_RELU);
    y = separable(mk, "sepconv2", y, 728, PP_ACT_RELU);
    y = separable(mk, "sepconv3", y, 728, PP_ACT_NONE);
    return pp_mk_add_(mk, "add", y, x);
}

pp_status pp_net_xception_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = pp_mk_conv_(&mk, "block1.conv1", 0, (pp_mk_conv){.out = 32, .k = 3, .s = 2, .bn = true, .act = PP_ACT_RELU});
    x = pp_mk_conv_(&mk, "block1.conv2", x, (pp_mk_conv){.out = 64, .k = 3, .bn = true, .act = PP_ACT_RELU});
    x = down(&mk, 2, x, 128, 128, false);
    x = down(&mk, 3, x, 256, 256, true);
    x = down(&mk, 4, x, 728, 728, true);
    for (uint32_t i = 5; i <= 12; i++)
        x = middle(&mk, i, x);
    x = down(&mk, 13, x, 728, 1024, true);
    pp_mk_scope_(&mk, "block14.");
    x = separable(&mk, "sepconv1", x, 1536, PP_ACT_RELU);
    x = separable(&mk, "sepconv2", x, 2048, PP_ACT_RELU);
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_global_(&mk, "avgpool", x);
    pp_mk_linear_(&mk, "predictions", x, pp_maker_classes_(m, o), true, PP_ACT_NONE);
    return pp_maker_end_(&mk, out);
}
