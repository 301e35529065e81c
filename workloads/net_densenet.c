/* DenseNet. PAPER: huang2017 table 1 (k = 32, bottleneck, compression one half), as torchvision has it.
 *
 * A dense layer reads the channels of all layers before it in its block. They are joined one layer at a time:
 * each concatenation adds 32 channels to the one before, so that no core reads more than two streams. The batch
 * norm in front of a layer belongs to that layer alone and cannot be folded: it is a scale of its own. */
#include "workloads/maker_internal.h"

enum { GROWTH = 32, BOTTLENECK = 4 * GROWTH };

static uint32_t dense_layer(pp_maker *mk, uint32_t block, uint32_t layer, uint32_t x)
{
    pp_mk_scope_(mk, "denseblock%u.denselayer%u.", block, layer);
    uint32_t y = pp_mk_act_(mk, "relu1", pp_mk_scale_(mk, "norm1", x), PP_ACT_RELU);
    y = pp_mk_conv_(mk, "conv1", y, (pp_mk_conv){.out = BOTTLENECK, .k = 1, .bn = true, .act = PP_ACT_RELU});
    y = pp_mk_conv_(mk, "conv2", y, (pp_mk_conv){.out = GROWTH, .k = 3, .pad = PP_PAD_HALF});
    return pp_mk_concat_(mk, "cat", 2, (uint32_t[]){x, y});
}

static uint32_t transition(pp_maker *mk, uint32_t block, uint32_t x)
{
    pp_mk_scope_(mk, "transition%u.", block);
    uint32_t half = pp_mk_shape_(mk, x).c / 2;
    x = pp_mk_act_(mk, "relu", pp_mk_scale_(mk, "norm", x), PP_ACT_RELU);
    x = pp_mk_conv_(mk, "conv", x, (pp_mk_conv){.out = half, .k = 1});
    return pp_mk_avg_(mk, "pool", x, (pp_mk_pool){.k = 2});
}

/* Row arguments: layers of the four blocks. */
pp_status pp_net_densenet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = pp_mk_conv_(&mk, "conv0", 0, (pp_mk_conv){.out = 64, .k = 7, .s = 2, .pad = PP_PAD_HALF, .bn = true,
                                                           .act = PP_ACT_RELU});
    x = pp_mk_max_(&mk, "pool0", x, (pp_mk_pool){.k = 3, .s = 2, .pad = 1});
    for (uint32_t block = 1; block <= 4; block++) {
        for (uint32_t layer = 1; layer <= m->arg[block - 1]; layer++)
            x = dense_layer(&mk, block, layer, x);
        if (block < 4)
            x = transition(&mk, block, x);
    }
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_act_(&mk, "relu5", pp_mk_scale_(&mk, "norm5", x), PP_ACT_RELU);
    x = pp_mk_global_(&mk, "avgpool", x);
    pp_mk_linear_(&mk, "classifier", x, pp_maker_classes_(m, o), true, PP_ACT_NONE);
    return pp_maker_end_(&mk, out);
}
