/* CIFAR ResNets. PAPER: he2015 sec. 4.2: 6n + 2 layers, three stages of n basic blocks on maps of 32,
 * 16 and 8 pixels. */
#include "workloads/maker_internal.h"

#include <stdlib.h>

typedef struct maker {
    pp_builder *b;
    bool projection, batch_norm;
    uint32_t classes;
} maker;

static pp_window square(uint32_t kernel, uint32_t stride)
{
    uint32_t pad = kernel / 2;
    return (pp_window){.kh = kernel, .kw = kernel, .sh = stride, .sw = stride, .dh = 1, .dw = 1,
                       .top = pad, .left = pad, .bottom = pad, .right = pad};
}

/* Adds operator "PREFIX.PART"; `what` picks the builder call. */
typedef struct part {
    enum { CONV, RELU, ADD, SUBSAMPLE } what;
    uint32_t input, other, channels, kernel, stride;
} part;

static pp_status add_part(const maker *m, const char *prefix, const char *name, part p, uint32_t *out)
{
    pp_status status = PP_ENOMEM;
    pp_window w = square(p.kernel ? p.kernel : 1, p.stride ? p.stride : 1);
    char *full = pp_strf("%s%s", prefix, name);
    if (!full)
        return status;
    switch (p.what) {
    case CONV:
        status = pp_build_conv(m->b, full, p.input, p.channels, &w, 1, !m->batch_norm, m->batch_norm, NULL, NULL, out);
        break;
    case RELU:
        status = pp_build_act(m->b, full, p.input, PP_ACT_RELU, out);
        break;
    case ADD:
        status = pp_build_join(m->b, full, PP_OP_ADD, (uint32_t[]){p.input, p.other}, 2, out);
        break;
    case SUBSAMPLE:
        status = pp_build_subsample(m->b, full, p.input, p.stride, p.channels, out);
        break;
    }
    free(full);
    return status;
}

/* The shortcut stands before conv2, which adds it, so that the addition joins conv2's stage. */
static pp_status add_block(const maker *m, const char *prefix, uint32_t cin, uint32_t cout, uint32_t stride,
                           uint32_t *x)
{
    uint32_t y, skip = *x;
    PP_TRY(add_part(m, prefix, "conv1", (part){CONV, .input = *x, .channels = cout, .kernel = 3, .stride = stride}, &y));
    PP_TRY(add_part(m, prefix, "relu1", (part){RELU, .input = y}, &y));
    if (stride != 1 || cin != cout) {
        part p = {m->projection ? CONV : SUBSAMPLE, .input = *x, .channels = cout, .kernel = 1, .stride = stride};
        PP_TRY(add_part(m, prefix, "shortcut", p, &skip));
    }
    PP_TRY(add_part(m, prefix, "conv2", (part){CONV, .input = y, .channels = cout, .kernel = 3, .stride = 1}, &y));
    PP_TRY(add_part(m, prefix, "add", (part){ADD, .input = y, .other = skip}, &y));
    return add_part(m, prefix, "relu2", (part){RELU, .input = y}, x);
}

static pp_status add_blocks(const maker *m, uint32_t blocks, const uint32_t widths[3], uint32_t *x)
{
    uint32_t cin = widths[0];
    for (uint32_t stage = 0; stage < 3; stage++) {
        for (uint32_t block = 0; block < blocks; block++) {
            uint32_t stride = stage > 0 && block == 0 ? 2 : 1;
            char *prefix = pp_strf("stage%u.block%u.", stage + 1, block + 1);
            if (!prefix)
                return PP_ENOMEM;
            pp_status status = add_block(m, prefix, cin, widths[stage], stride, x);
            free(prefix);
            PP_TRY(status);
            cin = widths[stage];
        }
    }
    return PP_OK;
}

static pp_status add_layers(const maker *m, uint32_t blocks, const uint32_t widths[3])
{
    uint32_t x = 0;
    PP_TRY(add_part(m, "", "conv1", (part){CONV, .input = 0, .channels = widths[0], .kernel = 3, .stride = 1}, &x));
    PP_TRY(add_part(m, "", "relu1", (part){RELU, .input = x}, &x));
    PP_TRY(add_blocks(m, blocks, widths, &x));
    PP_TRY(pp_build_pool(m->b, "avgpool", PP_OP_GLOBAL_POOL, x, NULL, &x));
    return pp_build_linear(m->b, "fc", x, m->classes, true, NULL, NULL, NULL);
}

static pp_status build(pp_network **out, const char *name, pp_shape input, uint32_t depth, const uint32_t widths[3],
                       maker m)
{
    *out = NULL;
    if (depth < 8 || depth > 2000 || depth % 6 != 2)
        return pp_fail(PP_ERANGE, "ResNet for CIFAR: depth %u is not 6n + 2 with n from 1 to 333", depth);
    for (int i = 0; i < 3; i++)
        if (widths[i] < 1 || (!m.projection && i > 0 && widths[i] < widths[i - 1]))
            return pp_fail(PP_ERANGE, "ResNet for CIFAR: widths %u-%u-%u must be above 0%s", widths[0], widths[1],
                           widths[2], m.projection ? "" : " and must not fall without projection shortcuts");
    PP_TRY(pp_builder_new(&m.b, name, input));
    pp_status status = add_layers(&m, depth / 6, widths);
    if (status != PP_OK) {
        pp_builder_free(m.b);
        return status;
    }
    return pp_builder_finish(out, m.b);
}

pp_status pp_resnet_cifar(pp_network **out, const char *name, uint32_t depth, const uint32_t widths[3],
                          bool projection, bool batch_norm)
{
    maker m = {.projection = projection, .batch_norm = batch_norm, .classes = 10};
    return build(out, name, (pp_shape){32, 32, 3}, depth, widths, m);
}

/* Option A shortcuts, widths of the paper: the published parameter counts. PAPER: he2015 sec. 4.2. */
pp_status pp_net_resnet_cifar_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const uint32_t widths[3] = {16, 32, 64};
    maker k = {.batch_norm = true, .classes = pp_maker_classes_(m, o)};
    return build(out, name, o->input.h ? o->input : m->input, m->arg[0], widths, k);
}
