/* Networks whose result is a map: U-Net and tiny YOLO. */
#include "workloads/maker_internal.h"

/* ---- U-Net ---- */

static uint32_t double_conv(pp_maker *mk, uint32_t x, uint32_t out)
{
    for (int i = 0; i < 2; i++)
        x = pp_mk_conv_(mk, i ? "conv2" : "conv1", x, (pp_mk_conv){.out = out, .k = 3, .bias = true, .act = PP_ACT_RELU});
    return x;
}

/* Middle of the encoder's map, cut to the decoder's. */
static uint32_t crop(pp_maker *mk, uint32_t x, pp_shape to)
{
    pp_shape s = pp_mk_shape_(mk, x);
    if (mk->status == PP_OK && (s.h < to.h || s.w < to.w))
        mk->status = pp_fail(PP_ERANGE, "U-Net: a map of %ux%u cannot be cut to %ux%u", s.h, s.w, to.h, to.w);
    if (mk->status != PP_OK || (s.h == to.h && s.w == to.w))
        return x;
    pp_shape offset = {(s.h - to.h) / 2, (s.w - to.w) / 2, 0};
    return pp_mk_slice_(mk, "crop", x, offset, (pp_shape){to.h, to.w, s.c});
}

/* Convolutions without padding, so that the result is smaller than the image (572 -> 388). Upward: each pixel
 * fourfold, then a 2x2 convolution that halves the channels. PAPER: ronneberger2015 sec. 2, figure 1. */
pp_status pp_net_unet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    pp_maker mk;
    uint32_t skip[4], x = 0;
    pp_maker_begin_(&mk, name, m, o);
    for (uint32_t level = 0; level < 5; level++) {
        pp_mk_scope_(&mk, "down%u.", level);
        if (level > 0)
            x = pp_mk_max_(&mk, "pool", x, (pp_mk_pool){.k = 2});
        x = double_conv(&mk, x, 64u << level);
        if (level < 4)
            skip[level] = x;
    }
    for (uint32_t level = 4; level-- > 0;) {
        pp_mk_scope_(&mk, "up%u.", level);
        x = pp_mk_upsample_(&mk, "upsample", x, 2);
        x = pp_mk_conv_(&mk, "conv", x, (pp_mk_conv){.out = 64u << level, .k = 2, .pad = PP_PAD_SAME, .bias = true});
        uint32_t left = crop(&mk, skip[level], pp_mk_shape_(&mk, x));
        x = double_conv(&mk, pp_mk_concat_(&mk, "cat", 2, (uint32_t[]){left, x}), 64u << level);
    }
    pp_mk_scope_(&mk, "%s", "");
    pp_mk_conv_(&mk, "out", x, (pp_mk_conv){.out = pp_maker_classes_(m, o), .k = 1, .bias = true});
    return pp_maker_end_(&mk, out);
}

/* ---- tiny YOLO ---- */

/* Tiny YOLO-v2 for VOC: five boxes a cell, each with place, size, confidence and classes.
 * PAPER: redmon2016 sec. 2, and the authors' tiny-yolo-voc configuration. */
pp_status pp_net_yolo_tiny_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    pp_maker mk;
    uint32_t x = 0;
    pp_maker_begin_(&mk, name, m, o);
    for (uint32_t i = 0; i < 8; i++) {
        pp_mk_scope_(&mk, "layer%u.", i + 1);
        x = pp_mk_conv_(&mk, "conv", x, (pp_mk_conv){.out = i < 7 ? 16u << i : 1024, .k = 3, .pad = PP_PAD_HALF, .bn = true,
                                                     .act = PP_ACT_LEAKY});
        if (i < 6)
            x = pp_mk_max_(&mk, "pool", x, (pp_mk_pool){.k = 2, .s = i < 5 ? 2 : 1, .same = true});
    }
    pp_mk_scope_(&mk, "%s", "");
    pp_mk_conv_(&mk, "detect", x, (pp_mk_conv){.out = 5 * (5 + pp_maker_classes_(m, o)), .k = 1, .bias = true});
    return pp_maker_end_(&mk, out);
}
