/* MobileNets, EfficientNet-B0 and ShuffleNet-v2: depthwise separable convolutions. As torchvision has them;
 * MobileNet-v1, which it has not, after its paper. */
#include "workloads/maker_internal.h"

static pp_mk_conv pointwise(uint32_t out, pp_act act)
{
    return (pp_mk_conv){.out = out, .k = 1, .bn = true, .act = act};
}

static pp_mk_conv depthwise(const pp_maker *mk, uint32_t x, uint32_t k, uint32_t stride, pp_act act)
{
    uint32_t c = pp_mk_shape_(mk, x).c;
    return (pp_mk_conv){.out = c, .k = k, .s = stride, .pad = PP_PAD_HALF, .groups = c, .bn = true, .act = act};
}

static uint32_t stem(pp_maker *mk, uint32_t out, pp_act act)
{
    return pp_mk_conv_(mk, "features.0", 0, (pp_mk_conv){.out = out, .k = 3, .s = 2, .pad = PP_PAD_HALF, .bn = true,
                                                         .act = act});
}

/* Squeeze and excite: one factor a channel, from the mean of the map. PAPER: hu2018 sec. 3. */
static uint32_t excite(pp_maker *mk, uint32_t x, uint32_t squeeze, pp_act inner, pp_act gate)
{
    uint32_t c = pp_mk_shape_(mk, x).c, y = pp_mk_global_(mk, "se.avgpool", x);
    y = pp_mk_conv_(mk, "se.fc1", y, (pp_mk_conv){.out = squeeze, .k = 1, .bias = true, .act = inner});
    y = pp_mk_conv_(mk, "se.fc2", y, (pp_mk_conv){.out = c, .k = 1, .bias = true, .act = gate});
    return pp_mk_mul_(mk, "se.mul", x, y);
}

static pp_status head(pp_maker *mk, pp_network **out, uint32_t x, uint32_t classes)
{
    pp_mk_linear_(mk, "classifier", x, classes, true, PP_ACT_NONE);
    return pp_maker_end_(mk, out);
}

/* ---- MobileNet-v1 ---- */

/* PAPER: howard2017 table 1 (its last stride of 2 is 1: the map stays 7x7). */
pp_status pp_net_mobilenet1_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const struct {
        uint32_t out, stride;
    } rows[] = {{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1},
                {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = stem(&mk, 32, PP_ACT_RELU);
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pp_mk_scope_(&mk, "features.%u.", i + 1);
        x = pp_mk_conv_(&mk, "depthwise", x, depthwise(&mk, x, 3, rows[i].stride, PP_ACT_RELU));
        x = pp_mk_conv_(&mk, "pointwise", x, pointwise(rows[i].out, PP_ACT_RELU));
    }
    pp_mk_scope_(&mk, "%s", "");
    return head(&mk, out, pp_mk_global_(&mk, "avgpool", x), pp_maker_classes_(m, o));
}

/* ---- MobileNet-v2, v3, EfficientNet ---- */

/* Inverted residual: widen, filter each channel, gate, narrow. PAPER: sandler2018 sec. 3.3; howard2019 sec. 5.3. */
typedef struct mbconv {
    uint32_t k, hidden, out, stride, squeeze; /* squeeze 0: no gate */
    pp_act act, inner, gate;
} mbconv;

static uint32_t inverted(pp_maker *mk, uint32_t x, mbconv c)
{
    uint32_t in = pp_mk_shape_(mk, x).c, y = x;
    if (c.hidden != in)
        y = pp_mk_conv_(mk, "expand", y, pointwise(c.hidden, c.act));
    y = pp_mk_conv_(mk, "depthwise", y, depthwise(mk, y, c.k, c.stride, c.act));
    if (c.squeeze)
        y = excite(mk, y, c.squeeze, c.inner, c.gate);
    y = pp_mk_conv_(mk, "project", y, pointwise(c.out, PP_ACT_NONE));
    return c.stride == 1 && in == c.out ? pp_mk_add_(mk, "add", y, x) : y;
}

/* PAPER: sandler2018 table 2. */
pp_status pp_net_mobilenet2_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const struct {
        uint32_t expand, out, n, stride;
    } rows[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    pp_maker mk;
    uint32_t index = 1;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = stem(&mk, 32, PP_ACT_RELU6);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint32_t k = 0; k < rows[i].n; k++) {
            pp_mk_scope_(&mk, "features.%u.", index++);
            x = inverted(&mk, x, (mbconv){.k = 3, .hidden = pp_mk_shape_(&mk, x).c * rows[i].expand, .out = rows[i].out,
                                          .stride = k == 0 ? rows[i].stride : 1, .act = PP_ACT_RELU6});
        }
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_conv_(&mk, "features.18", x, pointwise(1280, PP_ACT_RELU6));
    return head(&mk, out, pp_mk_global_(&mk, "avgpool", x), pp_maker_classes_(m, o));
}

/* Widths of gates are multiples of 8, rounded, at most a tenth below. */
static uint32_t divisible(uint32_t v)
{
    uint32_t r = (v + 4) / 8 * 8;
    r = r < 8 ? 8 : r;
    return 10 * r < 9 * v ? r + 8 : r;
}

typedef struct row3 {
    uint8_t k;
    uint16_t hidden, out;
    bool gate, swish;
    uint8_t stride;
} row3;

/* Row arguments: 0 large, 1 small. PAPER: howard2019 tables 1 and 2. */
pp_status pp_net_mobilenet3_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const row3 large[] = {{3, 16, 16, 0, 0, 1},   {3, 64, 24, 0, 0, 2},   {3, 72, 24, 0, 0, 1},
                                 {5, 72, 40, 1, 0, 2},   {5, 120, 40, 1, 0, 1},  {5, 120, 40, 1, 0, 1},
                                 {3, 240, 80, 0, 1, 2},  {3, 200, 80, 0, 1, 1},  {3, 184, 80, 0, 1, 1},
                                 {3, 184, 80, 0, 1, 1},  {3, 480, 112, 1, 1, 1}, {3, 672, 112, 1, 1, 1},
                                 {5, 672, 160, 1, 1, 2}, {5, 960, 160, 1, 1, 1}, {5, 960, 160, 1, 1, 1}};
    static const row3 small[] = {{3, 16, 16, 1, 0, 2},  {3, 72, 24, 0, 0, 2},  {3, 88, 24, 0, 0, 1}, {5, 96, 40, 1, 1, 2},
                                 {5, 240, 40, 1, 1, 1}, {5, 240, 40, 1, 1, 1}, {5, 120, 48, 1, 1, 1}, {5, 144, 48, 1, 1, 1},
                                 {5, 288, 96, 1, 1, 2}, {5, 576, 96, 1, 1, 1}, {5, 576, 96, 1, 1, 1}};
    bool is_small = m->arg[0] == 1;
    const row3 *rows = is_small ? small : large;
    uint32_t n = is_small ? sizeof small / sizeof *small : sizeof large / sizeof *large;
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = stem(&mk, 16, PP_ACT_HARD_SWISH);
    for (uint32_t i = 0; i < n; i++) {
        pp_mk_scope_(&mk, "features.%u.", i + 1);
        x = inverted(&mk, x, (mbconv){.k = rows[i].k, .hidden = rows[i].hidden, .out = rows[i].out, .stride = rows[i].stride,
                                      .squeeze = rows[i].gate ? divisible(rows[i].hidden / 4u) : 0,
                                      .act = rows[i].swish ? PP_ACT_HARD_SWISH : PP_ACT_RELU, .inner = PP_ACT_RELU,
                                      .gate = PP_ACT_HARD_SIGMOID});
    }
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_conv_(&mk, "features.last", x, pointwise(6u * rows[n - 1].out, PP_ACT_HARD_SWISH));
    x = pp_mk_global_(&mk, "avgpool", x);
    x = pp_mk_linear_(&mk, "classifier.0", x, is_small ? 1024 : 1280, true, PP_ACT_HARD_SWISH);
    return head(&mk, out, x, pp_maker_classes_(m, o));
}

/* PAPER: tan2019 table 1. */
pp_status pp_net_efficientnet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const struct {
        uint32_t expand, k, stride, out, n;
    } rows[] = {{1, 3, 1, 16, 1}, {6, 3, 2, 24, 2}, {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = stem(&mk, 32, PP_ACT_SILU);
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint32_t k = 0; k < rows[i].n; k++) {
            uint32_t in = pp_mk_shape_(&mk, x).c;
            pp_mk_scope_(&mk, "features.%u.%u.", i + 1, k);
            x = inverted(&mk, x, (mbconv){.k = rows[i].k, .hidden = in * rows[i].expand, .out = rows[i].out,
                                          .stride = k == 0 ? rows[i].stride : 1, .squeeze = in / 4, .act = PP_ACT_SILU,
                                          .inner = PP_ACT_SILU, .gate = PP_ACT_SIGMOID});
        }
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_conv_(&mk, "features.8", x, pointwise(1280, PP_ACT_SILU));
    return head(&mk, out, pp_mk_global_(&mk, "avgpool", x), pp_maker_classes_(m, o));
}

/* ---- ShuffleNet-v2 ---- */

static uint32_t shuffle_branch(pp_maker *mk, uint32_t x, uint32_t half, uint32_t stride)
{
    x = pp_mk_conv_(mk, "branch2.0", x, pointwise(half, PP_ACT_RELU));
    x = pp_mk_conv_(mk, "branch2.3", x, depthwise(mk, x, 3, stride, PP_ACT_NONE));
    return pp_mk_conv_(mk, "branch2.5", x, pointwise(half, PP_ACT_RELU));
}

/* Half of the channels pass (stride 1) or take a branch of their own (stride 2). PAPER: ma2018 figure 3 c, d. */
static uint32_t shuffle_unit(pp_maker *mk, uint32_t x, uint32_t half, uint32_t stride)
{
    uint32_t a = x, b = x;
    if (stride == 1) {
        pp_shape s = pp_mk_shape_(mk, x);
        a = pp_mk_slice_(mk, "chunk1", x, (pp_shape){0, 0, 0}, (pp_shape){s.h, s.w, half});
        b = pp_mk_slice_(mk, "chunk2", x, (pp_shape){0, 0, half}, (pp_shape){s.h, s.w, half});
    } else {
        a = pp_mk_conv_(mk, "branch1.0", x, depthwise(mk, x, 3, stride, PP_ACT_NONE));
        a = pp_mk_conv_(mk, "branch1.2", a, pointwise(half, PP_ACT_RELU));
    }
    b = shuffle_branch(mk, b, half, stride);
    return pp_mk_shuffle_(mk, "shuffle", pp_mk_concat_(mk, "cat", 2, (uint32_t[]){a, b}), 2);
}

/* Width 1. PAPER: ma2018 table 5. */
pp_status pp_net_shufflenet2_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const uint32_t units[3] = {4, 8, 4}, channels[3] = {116, 232, 464};
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = stem(&mk, 24, PP_ACT_RELU);
    x = pp_mk_max_(&mk, "maxpool", x, (pp_mk_pool){.k = 3, .s = 2, .pad = 1});
    for (uint32_t stage = 0; stage < 3; stage++)
        for (uint32_t i = 0; i < units[stage]; i++) {
            pp_mk_scope_(&mk, "stage%u.%u.", stage + 2, i);
            x = shuffle_unit(&mk, x, channels[stage] / 2, i == 0 ? 2 : 1);
        }
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_conv_(&mk, "conv5", x, pointwise(1024, PP_ACT_RELU));
    return head(&mk, out, pp_mk_global_(&mk, "avgpool", x), pp_maker_classes_(m, o));
}
