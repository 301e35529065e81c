/* GoogLeNet and Inception-v3, as torchvision has them (batch norms, no auxiliary heads; GoogLeNet's "5x5"
 * branches are 3x3 there). PAPER: szegedy2015 table 1; szegedy2016 table 1, figures 5 to 7. */
#include "workloads/maker_internal.h"

static uint32_t conv(pp_maker *mk, const char *name, uint32_t x, uint32_t out, uint32_t kh, uint32_t kw, uint32_t s,
                     int pad)
{
    return pp_mk_conv_(mk, name, x, (pp_mk_conv){.out = out, .kh = kh, .kw = kw, .s = s, .pad = pad, .bn = true,
                                                 .act = PP_ACT_RELU});
}

/* Square, stride 1, map kept. */
static uint32_t keep(pp_maker *mk, const char *name, uint32_t x, uint32_t out, uint32_t k)
{
    return conv(mk, name, x, out, k, k, 1, PP_PAD_HALF);
}

/* ---- GoogLeNet ---- */

typedef struct module {
    const char *name;
    uint32_t c1, c3r, c3, c5r, c5, pool;
} module;

static uint32_t inception(pp_maker *mk, const module *m, uint32_t x)
{
    uint32_t branch[4];
    pp_mk_scope_(mk, "inception%s.", m->name);
    branch[0] = keep(mk, "branch1", x, m->c1, 1);
    branch[1] = keep(mk, "branch2.1", keep(mk, "branch2.0", x, m->c3r, 1), m->c3, 3);
    branch[2] = keep(mk, "branch3.1", keep(mk, "branch3.0", x, m->c5r, 1), m->c5, 3);
    branch[3] = pp_mk_max_(mk, "branch4.0", x, (pp_mk_pool){.k = 3, .s = 1, .pad = 1});
    branch[3] = keep(mk, "branch4.1", branch[3], m->pool, 1);
    x = pp_mk_concat_(mk, "cat", 4, branch);
    pp_mk_scope_(mk, "%s", "");
    return x;
}

pp_status pp_net_googlenet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const module modules[] = {
        {"3a", 64, 96, 128, 16, 32, 32},     {"3b", 128, 128, 192, 32, 96, 64},   {"4a", 192, 96, 208, 16, 48, 64},
        {"4b", 160, 112, 224, 24, 64, 64},   {"4c", 128, 128, 256, 24, 64, 64},   {"4d", 112, 144, 288, 32, 64, 64},
        {"4e", 256, 160, 320, 32, 128, 128}, {"5a", 256, 160, 320, 32, 128, 128}, {"5b", 384, 192, 384, 48, 128, 128}};
    const pp_mk_pool pool = {.k = 3, .s = 2, .ceil = true};
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = conv(&mk, "conv1", 0, 64, 7, 7, 2, PP_PAD_HALF);
    x = pp_mk_max_(&mk, "maxpool1", x, pool);
    x = keep(&mk, "conv3", keep(&mk, "conv2", x, 64, 1), 192, 3);
    x = pp_mk_max_(&mk, "maxpool2", x, pool);
    for (size_t i = 0; i < 9; i++) {
        x = inception(&mk, &modules[i], x);
        if (i == 1)
            x = pp_mk_max_(&mk, "maxpool3", x, pool);
        if (i == 6)
            x = pp_mk_max_(&mk, "maxpool4", x, (pp_mk_pool){.k = 2, .s = 2, .ceil = true});
    }
    x = pp_mk_global_(&mk, "avgpool", x);
    pp_mk_linear_(&mk, "fc", x, pp_maker_classes_(m, o), true, PP_ACT_NONE);
    return pp_maker_end_(&mk, out);
}

/* ---- Inception-v3 ---- */

static uint32_t pool_branch(pp_maker *mk, uint32_t x, uint32_t out)
{
    x = pp_mk_avg_(mk, "branch_pool.0", x, (pp_mk_pool){.k = 3, .s = 1, .pad = 1, .count_padding = true});
    return keep(mk, "branch_pool", x, out, 1);
}

static uint32_t max_branch(pp_maker *mk, uint32_t x)
{
    return pp_mk_max_(mk, "branch_pool", x, (pp_mk_pool){.k = 3, .s = 2});
}

static uint32_t module_a(pp_maker *mk, uint32_t x, uint32_t pool)
{
    uint32_t branch[4];
    branch[0] = keep(mk, "branch1x1", x, 64, 1);
    branch[1] = keep(mk, "branch5x5_2", keep(mk, "branch5x5_1", x, 48, 1), 64, 5);
    branch[2] = keep(mk, "branch3x3dbl_2", keep(mk, "branch3x3dbl_1", x, 64, 1), 96, 3);
    branch[2] = keep(mk, "branch3x3dbl_3", branch[2], 96, 3);
    branch[3] = pool_branch(mk, x, pool);
    return pp_mk_concat_(mk, "cat", 4, branch);
}

static uint32_t module_b(pp_maker *mk, uint32_t x)
{
    uint32_t branch[3];
    branch[0] = conv(mk, "branch3x3", x, 384, 3, 3, 2, PP_PAD_NONE);
    branch[1] = keep(mk, "branch3x3dbl_2", keep(mk, "branch3x3dbl_1", x, 64, 1), 96, 3);
    branch[1] = conv(mk, "branch3x3dbl_3", branch[1], 96, 3, 3, 2, PP_PAD_NONE);
    branch[2] = max_branch(mk, x);
    return pp_mk_concat_(mk, "cat", 3, branch);
}

static uint32_t row7(pp_maker *mk, const char *name, uint32_t x, uint32_t out)
{
    return conv(mk, name, x, out, 1, 7, 1, PP_PAD_HALF);
}

static uint32_t column7(pp_maker *mk, const char *name, uint32_t x, uint32_t out)
{
    return conv(mk, name, x, out, 7, 1, 1, PP_PAD_HALF);
}

static uint32_t module_c(pp_maker *mk, uint32_t x, uint32_t c)
{
    uint32_t branch[4], y;
    branch[0] = keep(mk, "branch1x1", x, 192, 1);
    y = row7(mk, "branch7x7_2", keep(mk, "branch7x7_1", x, c, 1), c);
    branch[1] = column7(mk, "branch7x7_3", y, 192);
    y = column7(mk, "branch7x7dbl_2", keep(mk, "branch7x7dbl_1", x, c, 1), c);
    y = column7(mk, "branch7x7dbl_4", row7(mk, "branch7x7dbl_3", y, c), c);
    branch[2] = row7(mk, "branch7x7dbl_5", y, 192);
    branch[3] = pool_branch(mk, x, 192);
    return pp_mk_concat_(mk, "cat", 4, branch);
}

static uint32_t module_d(pp_maker *mk, uint32_t x)
{
    uint32_t branch[3];
    branch[0] = keep(mk, "branch3x3_1", x, 192, 1);
    branch[0] = conv(mk, "branch3x3_2", branch[0], 320, 3, 3, 2, PP_PAD_NONE);
    branch[1] = row7(mk, "branch7x7x3_2", keep(mk, "branch7x7x3_1", x, 192, 1), 192);
    branch[1] = column7(mk, "branch7x7x3_3", branch[1], 192);
    branch[1] = conv(mk, "branch7x7x3_4", branch[1], 192, 3, 3, 2, PP_PAD_NONE);
    branch[2] = max_branch(mk, x);
    return pp_mk_concat_(mk, "cat", 3, branch);
}

/* The two halves of a split 3x3 are joined with everything else: one concatenation of six. */
static uint32_t module_e(pp_maker *mk, uint32_t x)
{
    uint32_t branch[6], y;
    branch[0] = keep(mk, "branch1x1", x, 320, 1);
    y = keep(mk, "branch3x3_1", x, 384, 1);
    branch[1] = conv(mk, "branch3x3_2a", y, 384, 1, 3, 1, PP_PAD_HALF);
    branch[2] = conv(mk, "branch3x3_2b", y, 384, 3, 1, 1, PP_PAD_HALF);
    y = keep(mk, "branch3x3dbl_2", keep(mk, "branch3x3dbl_1", x, 448, 1), 384, 3);
    branch[3] = conv(mk, "branch3x3dbl_3a", y, 384, 1, 3, 1, PP_PAD_HALF);
    branch[4] = conv(mk, "branch3x3dbl_3b", y, 384, 3, 1, 1, PP_PAD_HALF);
    branch[5] = pool_branch(mk, x, 192);
    return pp_mk_concat_(mk, "cat", 6, branch);
}

static uint32_t stem3(pp_maker *mk)
{
    uint32_t x = conv(mk, "Conv2d_1a_3x3", 0, 32, 3, 3, 2, PP_PAD_NONE);
    x = conv(mk, "Conv2d_2a_3x3", x, 32, 3, 3, 1, PP_PAD_NONE);
    x = pp_mk_max_(mk, "maxpool1", keep(mk, "Conv2d_2b_3x3", x, 64, 3), (pp_mk_pool){.k = 3, .s = 2});
    x = conv(mk, "Conv2d_4a_3x3", keep(mk, "Conv2d_3b_1x1", x, 80, 1), 192, 3, 3, 1, PP_PAD_NONE);
    return pp_mk_max_(mk, "maxpool2", x, (pp_mk_pool){.k = 3, .s = 2});
}

pp_status pp_net_inception3_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o)
{
    static const struct {
        const char *name;
        char kind;
        uint32_t arg;
    } modules[] = {{"5b", 'A', 32},  {"5c", 'A', 64},  {"5d", 'A', 64},  {"6a", 'B', 0}, {"6b", 'C', 128}, {"6c", 'C', 160},
                   {"6d", 'C', 160}, {"6e", 'C', 192}, {"7a", 'D', 0},   {"7b", 'E', 0}, {"7c", 'E', 0}};
    pp_maker mk;
    pp_maker_begin_(&mk, name, m, o);
    uint32_t x = stem3(&mk);
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        pp_mk_scope_(&mk, "Mixed_%s.", modules[i].name);
        switch (modules[i].kind) {
        case 'A': x = module_a(&mk, x, modules[i].arg); break;
        case 'B': x = module_b(&mk, x); break;
        case 'C': x = module_c(&mk, x, modules[i].arg); break;
        case 'D': x = module_d(&mk, x); break;
        default: x = module_e(&mk, x); break;
        }
    }
    pp_mk_scope_(&mk, "%s", "");
    x = pp_mk_global_(&mk, "avgpool", x);
    pp_mk_linear_(&mk, "fc", x, pp_maker_classes_(m, o), true, PP_ACT_NONE);
    return pp_maker_end_(&mk, out);
}
