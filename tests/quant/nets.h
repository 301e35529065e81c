/* Small random networks with weights and random images, for tests of quant/. */
#ifndef PP_TESTS_QUANT_NETS_H
#define PP_TESTS_QUANT_NETS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quant/quant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ok(expr)                                                  \
    do {                                                          \
        pp_status ok_status_ = (expr);                            \
        if (ok_status_ != PP_OK)                                  \
            fail_msg("%s: %s", #expr, pp_error_text());           \
    } while (0)

/* Weights live as long as the program. */
static inline pp_tensor random_tensor(pp_rng *rng, uint32_t ndim, const uint64_t dim[4], double scale)
{
    pp_tensor t = {.dtype = PP_DTYPE_F32, .ndim = ndim};
    uint64_t n = 1;
    for (uint32_t i = 0; i < ndim; i++)
        n *= t.dim[i] = dim[i];
    static float *pool[1024];
    static size_t used;
    assert_true(used < sizeof pool / sizeof *pool);
    float *data = pool[used++] = malloc(n * sizeof *data);
    for (uint64_t i = 0; i < n; i++)
        data[i] = (float)(pp_rng_normal(rng) * scale);
    t.data = data;
    return t;
}

typedef struct conv_shape {
    uint32_t k, stride, dilation, pad, groups, cout;
} conv_shape;

static inline uint32_t add_conv(pp_builder *b, pp_rng *rng, const char *name, uint32_t input, uint32_t cin, conv_shape s)
{
    pp_window w = {.kh = s.k, .kw = s.k, .sh = s.stride, .sw = s.stride, .dh = s.dilation, .dw = s.dilation,
                   .top = s.pad, .left = s.pad, .bottom = s.pad, .right = s.pad};
    uint64_t wd[4] = {s.cout, cin / s.groups, s.k, s.k}, bd[4] = {s.cout};
    pp_tensor weight = random_tensor(rng, 4, wd, 1.0 / (s.k * 2)), bias = random_tensor(rng, 1, bd, 0.2);
    uint32_t out;
    ok(pp_build_conv(b, name, input, s.cout, &w, s.groups, true, false, &weight, &bias, &out));
    return out;
}

static inline uint32_t add_linear(pp_builder *b, pp_rng *rng, const char *name, uint32_t input, uint32_t in,
                                  uint32_t features)
{
    uint64_t wd[4] = {features, in}, bd[4] = {features};
    pp_tensor weight = random_tensor(rng, 2, wd, 0.2), bias = random_tensor(rng, 1, bd, 0.2);
    uint32_t out;
    ok(pp_build_linear(b, name, input, features, true, &weight, &bias, &out));
    return out;
}

static inline uint32_t add_act(pp_builder *b, const char *name, uint32_t input, pp_act act)
{
    uint32_t out;
    ok(pp_build_act(b, name, input, act, &out));
    return out;
}

static inline uint32_t add_join(pp_builder *b, const char *name, pp_op_kind kind, uint32_t a, uint32_t c)
{
    uint32_t out, in[2] = {a, c};
    ok(pp_build_join(b, name, kind, in, 2, &out));
    return out;
}

static inline uint32_t add_pool(pp_builder *b, const char *name, pp_op_kind kind, uint32_t input, uint32_t k,
                                uint32_t stride, uint32_t pad, bool count)
{
    pp_window w = {.kh = k, .kw = k, .sh = stride, .sw = stride, .dh = 1, .dw = 1, .top = pad, .left = pad,
                   .bottom = pad, .right = pad, .count_padding = count};
    uint32_t out;
    ok(pp_build_pool(b, name, kind, input, kind == PP_OP_GLOBAL_POOL ? NULL : &w, &out));
    return out;
}

/* Everything that the datapath knows: signed and unsigned streams, residuals, stride, dilation, groups,
 * pools of all kinds fused and alone, concat, subsample, a flatten read by a linear operator. 11 x 9 x 3
 * input, 5 outputs. */
static inline pp_network *zoo_net(uint64_t seed)
{
    pp_rng rng = pp_rng_make(seed, 7);
    pp_builder *b;
    ok(pp_builder_new(&b, "zoo-net", (pp_shape){11, 9, 3}));
    uint32_t a = add_conv(b, &rng, "a", 0, 3, (conv_shape){3, 1, 1, 1, 1, 12});
    uint32_t ar = add_act(b, "ar", a, PP_ACT_RELU);
    uint32_t c = add_conv(b, &rng, "c", ar, 12, (conv_shape){3, 1, 2, 2, 3, 12}); /* signed stream */
    uint32_t d = add_conv(b, &rng, "d", c, 12, (conv_shape){1, 1, 1, 0, 1, 12});  /* signed input */
    uint32_t r = add_act(b, "dr", add_join(b, "d+", PP_OP_ADD, d, ar), PP_ACT_RELU6);
    uint32_t e = add_conv(b, &rng, "e", r, 12, (conv_shape){3, 2, 1, 1, 1, 20});
    uint32_t er = add_act(b, "er", e, PP_ACT_RELU);
    uint32_t s;
    ok(pp_build_subsample(b, "sub", r, 2, 20, &s));
    uint32_t sum = add_join(b, "sum", PP_OP_ADD, er, s);
    uint32_t cat = add_join(b, "cat", PP_OP_CONCAT, sum, er);
    uint32_t p = add_pool(b, "avg", PP_OP_AVG_POOL, cat, 3, 1, 1, false);
    uint32_t f = add_act(b, "fr", add_conv(b, &rng, "f", p, 40, (conv_shape){3, 1, 1, 1, 1, 17}), PP_ACT_RELU);
    uint32_t m = add_pool(b, "max", PP_OP_MAX_POOL, f, 2, 2, 0, false);
    uint32_t flat;
    ok(pp_build_flatten(b, "flat", m, &flat));
    add_linear(b, &rng, "g", flat, 17 * 3 * 2, 5);
    pp_network *net;
    ok(pp_builder_finish(&net, b));
    net->has_weights = true;
    for (int i = 0; i < 3; i++) {
        net->mean[i] = 0.45f;
        net->std[i] = 0.25f;
    }
    return net;
}

static inline uint32_t scale_behind(pp_builder *b, pp_rng *rng, const char *name, uint32_t input)
{
    uint64_t dim[4] = {pp_builder_shape(b, input).c};
    pp_tensor weight = random_tensor(rng, 1, dim, 1.0), bias = random_tensor(rng, 1, dim, 0.3);
    uint32_t out;
    ok(pp_build_scale(b, name, input, &weight, &bias, &out));
    return out;
}

static inline uint32_t norm_behind(pp_builder *b, pp_rng *rng, const char *name, uint32_t input)
{
    uint64_t dim[4] = {pp_builder_shape(b, input).c};
    pp_tensor weight = random_tensor(rng, 1, dim, 1.0), bias = random_tensor(rng, 1, dim, 0.3);
    uint32_t out;
    ok(pp_build_norm(b, name, input, 1e-5, &weight, &bias, &out));
    return out;
}

/* What newer networks add: layer norms and softmaxes, gates (squeeze and excite), batch norms that stand alone, shuffles, slices,
 * upsampling, depthwise convolutions, smooth activations. 11 x 9 x 3 input, 5 outputs. */
static inline pp_network *modern_net(uint64_t seed)
{
    pp_rng rng = pp_rng_make(seed, 9);
    pp_builder *b;
    pp_network *net;
    uint32_t half, rest, mixed, up, cut;
    ok(pp_builder_new(&b, "modern", (pp_shape){11, 9, 3}));
    uint32_t x = add_act(b, "a.act", add_conv(b, &rng, "a", 0, 3, (conv_shape){3, 1, 1, 1, 1, 12}), PP_ACT_HARD_SWISH);
    uint32_t d = add_act(b, "d.act", add_conv(b, &rng, "d", x, 12, (conv_shape){3, 1, 1, 1, 12, 12}), PP_ACT_SILU);
    uint32_t g = add_pool(b, "gate.pool", PP_OP_GLOBAL_POOL, d, 0, 0, 0, false);
    g = add_act(b, "gate1.act", add_conv(b, &rng, "gate1", g, 12, (conv_shape){1, 1, 1, 0, 1, 4}), PP_ACT_RELU);
    g = add_act(b, "gate2.act", add_conv(b, &rng, "gate2", g, 4, (conv_shape){1, 1, 1, 0, 1, 12}), PP_ACT_SIGMOID);
    d = add_join(b, "gate", PP_OP_MUL, d, g);
    uint32_t cat = add_join(b, "cat", PP_OP_CONCAT, x, d); /* takes norm and activation along */
    uint32_t n = add_act(b, "norm.act", scale_behind(b, &rng, "norm", cat), PP_ACT_RELU);
    ok(pp_build_shuffle(b, "shuffle", n, 2, &mixed));
    ok(pp_build_slice(b, "half", mixed, (pp_shape){0, 0, 0}, (pp_shape){11, 9, 12}, &half));
    ok(pp_build_slice(b, "rest", mixed, (pp_shape){0, 0, 12}, (pp_shape){11, 9, 12}, &rest));
    rest = add_act(b, "e.act", add_conv(b, &rng, "e", rest, 12, (conv_shape){3, 1, 1, 1, 1, 12}), PP_ACT_LEAKY);
    uint32_t same = add_join(b, "product", PP_OP_MUL, half, rest); /* two maps of one shape */
    same = scale_behind(b, &rng, "product.norm", same);
    uint32_t small = add_pool(b, "small", PP_OP_AVG_POOL, same, 2, 2, 0, false);
    ok(pp_build_upsample(b, "up", small, 2, 2, &up));
    uint32_t finer = add_conv(b, &rng, "finer", small, 12, (conv_shape){1, 1, 1, 0, 1, 48}); /* a transposed convolution */
    ok(pp_build_pixel_shuffle(b, "finer.pixels", finer, 2, 2, &finer));
    up = add_join(b, "finer.sum", PP_OP_ADD, up, add_act(b, "finer.act", finer, PP_ACT_RELU));
    ok(pp_build_slice(b, "cut", half, (pp_shape){1, 1, 0}, (pp_shape){10, 8, 12}, &cut));
    uint32_t sum = add_act(b, "sum.act", add_join(b, "sum", PP_OP_ADD, up, cut), PP_ACT_TANH);
    const pp_response response = {.size = 4, .alpha = 2, .beta = 0.75, .bias = 0.5};
    ok(pp_build_response_norm(b, "response", sum, &response, &sum));
    sum = norm_behind(b, &rng, "layer", sum);
    uint32_t share;
    ok(pp_build_softmax(b, "share", sum, 3, &share));
    sum = add_join(b, "weighted", PP_OP_ADD, sum, share);
    uint32_t f = add_act(b, "f.act", add_conv(b, &rng, "f", sum, 12, (conv_shape){3, 2, 1, 1, 1, 7}), PP_ACT_HARD_SIGMOID);
    f = add_pool(b, "all", PP_OP_GLOBAL_POOL, f, 0, 0, 0, false);
    add_linear(b, &rng, "out", f, 7, 5);
    ok(pp_builder_finish(&net, b));
    return net;
}

static inline uint32_t add_product(pp_builder *b, const char *name, uint32_t a, uint32_t c, pp_op like)
{
    uint32_t out;
    ok(pp_build_product(b, name, a, c, &like, &out));
    return out;
}

static inline uint32_t add_offset(pp_builder *b, pp_rng *rng, const char *name, uint32_t input)
{
    const pp_shape s = pp_builder_shape(b, input);
    const uint64_t dim[4] = {(uint64_t)s.h * s.w, s.c};
    pp_tensor weight = random_tensor(rng, 2, dim, 0.5);
    uint32_t out;
    ok(pp_build_offset(b, name, input, &weight, &out));
    return out;
}

/* Attention of all kinds: over the rows of a map, over all of it without a softmax, and a block of a vision transformer: pixels
 * as tokens behind one of the network's own, two heads, numbers added to tokens and to scores. 11 x 9 x 3 input, 5 outputs. */
static inline pp_network *attention_net(uint64_t seed)
{
    pp_rng rng = pp_rng_make(seed, 10);
    const conv_shape point = {1, 1, 1, 0, 1, 8};
    pp_builder *b;
    pp_network *net;
    uint32_t q, kv, k, v, x, part;
    ok(pp_builder_new(&b, "attention", (pp_shape){11, 9, 3}));
    x = add_conv(b, &rng, "patch", 0, 3, (conv_shape){3, 3, 1, 0, 1, 8});
    q = add_conv(b, &rng, "rows.q", x, 8, point);
    part = add_product(b, "rows", q, x, (pp_op){.groups = 2, .transposed = true, .factor = 0.5});
    ok(pp_build_softmax(b, "rows.soft", part, 2, &part));
    uint64_t width[4] = {8};
    pp_tensor gain = random_tensor(&rng, 1, width, 1), shift = random_tensor(&rng, 1, width, 0.3);
    ok(pp_build_group_norm(b, "groups", x, 2, 1e-5, &gain, &shift, &x));
    x = add_join(b, "rows.sum", PP_OP_ADD, x, add_product(b, "rows.mix", part, x, (pp_op){.groups = 2, .factor = 1}));
    part = add_product(b, "map", x, x, (pp_op){.groups = 1, .transposed = true, .whole = true, .factor = 0.125});
    part = add_act(b, "map.act", part, PP_ACT_RELU);
    part = add_product(b, "map.mix", part, x, (pp_op){.groups = 1, .whole = true, .factor = 0.25});
    x = add_join(b, "map.sum", PP_OP_ADD, x, part);
    pp_source from[10] = {{1, 0}};
    for (uint32_t i = 0; i < 9; i++)
        from[1 + i] = (pp_source){0, i};
    pp_tensor own = random_tensor(&rng, 2, (const uint64_t[4]){1, 8}, 1);
    ok(pp_build_arrange(b, "tokens", &x, 1, 1, 10, from, &own, &x));
    x = add_offset(b, &rng, "places", x);
    uint32_t n = norm_behind(b, &rng, "norm", x);
    q = add_conv(b, &rng, "q", n, 8, point);
    kv = add_conv(b, &rng, "kv", n, 8, (conv_shape){1, 1, 1, 0, 1, 16});
    ok(pp_build_slice(b, "k", kv, (pp_shape){0, 0, 0}, (pp_shape){1, 10, 8}, &k));
    ok(pp_build_slice(b, "v", kv, (pp_shape){0, 0, 8}, (pp_shape){1, 10, 8}, &v));
    part = add_product(b, "scores", q, k, (pp_op){.groups = 2, .transposed = true, .factor = 0.5});
    ok(pp_build_softmax(b, "weights", add_offset(b, &rng, "bias", part), 2, &part));
    part = add_product(b, "context", part, v, (pp_op){.groups = 2, .factor = 1});
    x = add_join(b, "sum", PP_OP_ADD, add_conv(b, &rng, "project", part, 8, point), x);
    for (uint32_t i = 0; i < 10; i++)
        from[i].pixel = 9 - i, from[i].input = 0;
    ok(pp_build_arrange(b, "turned", &x, 1, 2, 5, from, NULL, &x));
    add_linear(b, &rng, "out", add_pool(b, "all", PP_OP_GLOBAL_POOL, x, 0, 0, 0, false), 8, 5);
    ok(pp_builder_finish(&net, b));
    return net;
}

static inline pp_dataset *random_images(const pp_network *net, uint32_t n, uint64_t seed)
{
    pp_shape in = net->ops[0].out;
    pp_rng rng = pp_rng_make(seed, 8);
    pp_dataset *d = calloc(1, sizeof *d);
    *d = (pp_dataset){.name = pp_strdup("random"), .sha256 = "none", .n = n, .h = in.h, .w = in.w, .c = in.c,
                      .classes = net->ops[net->output].out.c};
    size_t size = (size_t)n * in.h * in.w * in.c;
    d->pixels = malloc(size);
    d->labels = calloc(n, sizeof *d->labels);
    for (size_t i = 0; i < size; i++)
        d->pixels[i] = (uint8_t)(pp_rng_u32(&rng) >> 24);
    return d;
}

/* Knob defaults. */
static inline pp_quant_options default_options(void)
{
    return (pp_quant_options){.wbits = 4, .abits = 8, .weights = PP_WQUANT_MSE, .activations = PP_AQUANT_MSE,
                              .percentile = 99.99, .calib_images = 16, .calib = "", .bias_correction = true,
                              .psum_bits = 16};
}

/* A network with its stages, images and quantization. */
typedef struct fixture {
    pp_network *net;
    pp_stages *stages;
    pp_dataset *images;
    pp_qnetwork *q;
} fixture;

static inline fixture fixture_of(pp_network *net, uint64_t seed, pp_quant_options o)
{
    fixture f = {.net = net};
    ok(pp_stages_build(&f.stages, f.net));
    f.images = random_images(f.net, 16, seed);
    ok(pp_quantize(&f.q, f.net, f.stages, &o, f.images, NULL));
    return f;
}

static inline fixture make_fixture(uint64_t seed, pp_quant_options o)
{
    return fixture_of(zoo_net(seed), seed, o);
}

static inline void free_fixture(fixture *f)
{
    pp_qnetwork_free(f->q);
    pp_dataset_free(f->images);
    pp_stages_free(f->stages);
    pp_network_free(f->net);
}

#endif
