/* Networks with widths but without weights, quantization and arrays written down by hand, so that mapper
 * tests depend on no other room's choices. */
#ifndef PP_TEST_MAPPER_FIXTURE_H
#define PP_TEST_MAPPER_FIXTURE_H

#include "mapper/mapper.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define must(expr) assert_int_equal_text((expr), PP_OK)

/* Like assert_int_equal, with the library's own words on a failure. */
#define assert_int_equal_text(got, want)                                                                               \
    do {                                                                                                               \
        pp_status status_ = (got);                                                                                     \
        if (status_ != (want))                                                                                         \
            print_error("%s: %s\n", #got, pp_error_text());                                                            \
        assert_int_equal(status_, (want));                                                                             \
    } while (0)

typedef struct fixture {
    pp_network *net;
    pp_stages *stages;
    pp_qnetwork q;
} fixture;

/* 4-bit weights, 8-bit streams, 16-bit sums; takes the network. */
static inline void fixture_quantize(fixture *f, pp_network *net)
{
    memset(f, 0, sizeof *f);
    f->net = net;
    must(pp_stages_build(&f->stages, net));
    f->q = (pp_qnetwork){.net = net, .stages = f->stages, .psum_bits = 16};
    f->q.stream = calloc(f->stages->n + 1u, sizeof *f->q.stream);
    f->q.stage = calloc(f->stages->n, sizeof *f->q.stage);
    for (uint32_t s = 0; s <= f->stages->n; s++)
        f->q.stream[s].bits = 8;
    for (uint32_t s = 0; s < f->stages->n; s++)
        f->q.stage[s].wbits = 4;
}

static inline void fixture_free(fixture *f)
{
    free(f->q.stream);
    free(f->q.stage);
    pp_stages_free(f->stages);
    pp_network_free(f->net);
}

/* PAPER: joshi2020 fig. 5: widths 16-28-56, 1x1 convolutions in the shortcuts of new widths. */
static inline void fixture_resnet32(fixture *f)
{
    pp_network *net;
    const uint32_t widths[3] = {16, 28, 56};
    must(pp_resnet_cifar(&net, "resnet32", 32, widths, true, true));
    fixture_quantize(f, net);
}

static inline pp_window fixture_window(uint32_t k, uint32_t stride, uint32_t pad)
{
    return (pp_window){.kh = k,
                       .kw = k,
                       .sh = stride,
                       .sw = stride,
                       .dh = 1,
                       .dw = 1,
                       .top = pad,
                       .left = pad,
                       .bottom = pad,
                       .right = pad};
}

/* Convolution k x k with "same" padding, then ReLU when asked; no values. */
static inline uint32_t fixture_conv(pp_builder *b, const char *name, uint32_t in, uint32_t cout, uint32_t k,
                                    uint32_t stride, uint32_t groups, bool relu)
{
    pp_window w = fixture_window(k, stride, k / 2);
    uint32_t out;
    char act[64];
    must(pp_build_conv(b, name, in, cout, &w, groups, true, false, NULL, NULL, &out));
    snprintf(act, sizeof act, "%s_relu", name);
    if (relu)
        must(pp_build_act(b, act, out, PP_ACT_RELU, &out));
    return out;
}

static inline void fixture_head(fixture *f, pp_builder *b, uint32_t in, uint32_t classes)
{
    pp_network *net;
    must(pp_build_flatten(b, "flat", in, &in));
    must(pp_build_linear(b, "fc", in, classes, true, NULL, NULL, NULL));
    must(pp_builder_finish(&net, b));
    fixture_quantize(f, net);
}

/* One residual block, global pooling: stages u, a, b (with the add and the pooling), fc. */
static inline void fixture_residual(fixture *f, pp_shape input)
{
    pp_builder *b;
    must(pp_builder_new(&b, "residual", input));
    uint32_t u = fixture_conv(b, "u", 0, 4, 3, 1, 1, true);
    uint32_t a = fixture_conv(b, "a", u, 6, 3, 1, 1, true), sum;
    uint32_t c = fixture_conv(b, "b", a, 4, 3, 1, 1, false), both[2] = {c, u};
    must(pp_build_join(b, "sum", PP_OP_ADD, both, 2, &sum));
    must(pp_build_act(b, "sum_relu", sum, PP_ACT_RELU, &sum));
    must(pp_build_pool(b, "pool", PP_OP_GLOBAL_POOL, sum, NULL, &sum));
    fixture_head(f, b, sum, 5);
}

/* Pixels attend to each other in two heads: stages q, k, v, scores (with the softmax), context, fc. */
static inline void fixture_attention(fixture *f, pp_shape input)
{
    pp_builder *b;
    must(pp_builder_new(&b, "attention", input));
    const uint32_t q = fixture_conv(b, "q", 0, 8, 3, 2, 1, false), k = fixture_conv(b, "k", 0, 8, 3, 4, 1, false);
    const uint32_t v = fixture_conv(b, "v", 0, 6, 3, 4, 1, false);
    uint32_t x;
    pp_op like = {.groups = 2, .transposed = true, .whole = true, .factor = 0.5};
    must(pp_build_product(b, "scores", q, k, &like, &x));
    must(pp_build_softmax(b, "soft", x, 2, &x));
    like.transposed = false;
    must(pp_build_product(b, "context", x, v, &like, &x));
    fixture_head(f, b, x, 5);
}

/* Branches of different depth that meet in a concatenation, strides, fused maximum pooling, a linear layer
 * on a map. Stages u, p1, q1, q2, cat, d, fc. */
static inline void fixture_inception(fixture *f, pp_shape input)
{
    pp_builder *b;
    pp_window pool = fixture_window(2, 2, 0);
    must(pp_builder_new(&b, "inception", input));
    uint32_t u = fixture_conv(b, "u", 0, 4, 3, 1, 1, true);
    uint32_t p1 = fixture_conv(b, "p1", u, 3, 1, 1, 1, true);
    uint32_t q1 = fixture_conv(b, "q1", u, 4, 3, 1, 1, true);
    uint32_t q2 = fixture_conv(b, "q2", q1, 6, 3, 1, 2, true), both[2] = {p1, q2}, cat;
    must(pp_build_join(b, "cat", PP_OP_CONCAT, both, 2, &cat));
    uint32_t d = fixture_conv(b, "d", cat, 8, 3, 1, 1, true);
    must(pp_build_pool(b, "dpool", PP_OP_MAX_POOL, d, &pool, &d));
    uint32_t e = fixture_conv(b, "e", d, 6, 3, 2, 1, true);
    fixture_head(f, b, e, 7);
}

/* PAPER: joshi2020 p. 11: 100 ns whatever the size, no digital delay. */
static inline pp_arch fixture_arch(int64_t size)
{
    return (pp_arch){.preset = "none",
                     .rows = size,
                     .cols = size,
                     .mvm_ps = 100000,
                     .dac_bits = 8,
                     .phases = 1,
                     .psum_bits = 16,
                     .core_pitch_mm = 1,
                     .clock_hz = 1e9};
}

static inline pp_channel fixture_channel(uint32_t lanes)
{
    return (pp_channel){.lanes = lanes, .lane_gbps = 5, .length = 1};
}

static inline pp_map_options fixture_options(const char *unroll, const char *copies)
{
    return (pp_map_options){.placement = "auto",
                            .unroll = unroll,
                            .copies = copies,
                            .reduction = PP_REDUCE_AUTO,
                            .buffers = "auto",
                            .effort = 20};
}

#endif
