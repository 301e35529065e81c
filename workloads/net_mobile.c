/* Networks of depthwise separable convolutions, as torchvision has them. PAPER: sandler2018 table 2. */
#include "workloads/maker_internal.h"

/* Inverted residual: widen, filter each channel, narrow. PAPER: sandler2018 sec. 3.3. */
static uint32_t inverted(pp_maker *mk, uint32_t x, uint32_t expand, uint32_t out, uint32_t stride)
{
    uint32_t in = pp_mk_shape_(mk, x).c, hidden = in * expand, y = x;
    if (expand != 1)
        y = pp_mk_conv_(mk, "expand", y, (pp_mk_conv){.out = hidden, .k = 1, .bn = true, .act = PP_ACT_RELU6});
    y = pp_mk_conv_(mk, "depthwise", y, (pp_mk_conv){.out = hidden, .k = 3, .s = stride, .pad = PP_PAD_HALF,
                                                     .groups = hidden, .bn = true, .act = PP_ACT_RELU6});
    y = pp_mk_conv_(mk, "project", y, (pp_mk_conv){.out = out, .k = 1, .bn = true});
    return stride == 1 && in == out ? pp_mk_add_(mk, "add", y, x) : y;
}

pp_status pp_net_mobilenet2_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const struct {
        uint32_t expand, out, n, stride;
    } rows[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    pp_maker mk;
    uint32_t index = 1;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = pp_mk_conv_(&mk, "features.0", 0, (pp_mk_conv){.out = 32, .k = 3, .s = 2, .pad = PP_PAD_HALF,
                                                                .bn = true, .act = PP_ACT_RELU6});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint32_t k = 0; k < rows[i].n; k++) {
            pp_mk_scope_(&mk, "features.%u.", index++);
            x = inverted(&mk, x, rows[i].expand, rows[i].out, k == 0 ? rows[i].stride : 1);
        }
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_conv_(&mk, "features.18", x, (pp_mk_conv){.out = 1280, .k = 1, .bn = true, .act = PP_ACT_RELU6});
    x = pp_mk_global_(&mk, "avgpool", x);
    pp_mk_linear_(&mk, "classifier", x, pp_maker_classes_(m, o), true, PP_ACT_NONE);
    return pp_maker_end_(&mk, out);
}
