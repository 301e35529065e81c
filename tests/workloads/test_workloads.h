/* What the tests of this room share: cmocka, files in the working folder, random networks. */
#ifndef PP_TEST_WORKLOADS_H
#define PP_TEST_WORKLOADS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workloads/workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define assert_ok(expr)                                             \
    do {                                                            \
        if ((expr) != PP_OK) {                                      \
            fail_msg("%s: %s", #expr, pp_error_text());             \
        }                                                           \
    } while (0)

/* Fails, and the message holds the text. */
#define assert_fails(expr, text)                                    \
    do {                                                            \
        pp_error_clear();                                           \
        if ((expr) == PP_OK)                                        \
            fail_msg("%s did not fail", #expr);                     \
        if (!strstr(pp_error_text(), (text)))                       \
            fail_msg("'%s' does not say '%s'", pp_error_text(), (text)); \
        assert_null(strchr(pp_error_text(), '\n'));                 \
    } while (0)

static inline void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static inline pp_window window(uint32_t kernel, uint32_t stride, uint32_t pad)
{
    return (pp_window){.kh = kernel, .kw = kernel, .sh = stride, .sw = stride, .dh = 1, .dw = 1,
                       .top = pad, .left = pad, .bottom = pad, .right = pad};
}

/* A random network with weights; the arrays that its tensors point to are kept in it. */
typedef struct random_net {
    pp_network *net;
    float *array[256];
    size_t n_arrays;
} random_net;

static inline void random_net_free(random_net *r)
{
    pp_network_free(r->net);
    for (size_t i = 0; i < r->n_arrays; i++)
        free(r->array[i]);
}

static inline pp_tensor random_tensor(random_net *r, pp_rng *rng, uint32_t ndim, const uint64_t *dim)
{
    pp_tensor t = {.dtype = PP_DTYPE_F32, .ndim = ndim};
    memcpy(t.dim, dim, ndim * sizeof *dim);
    uint64_t n = pp_tensor_count(&t);
    float *a = malloc(n * sizeof *a);
    assert_non_null(a);
    assert_true(r->n_arrays < 256);
    r->array[r->n_arrays++] = a;
    double scale = 1.0 / (double)(n / dim[0] + 1);
    for (uint64_t i = 0; i < n; i++)
        a[i] = (float)((pp_rng_uniform(rng) - 0.4) * 3 * (ndim == 1 ? 0.1 : scale));
    t.data = a;
    return t;
}

static inline pp_status random_conv(random_net *r, pp_rng *rng, pp_builder *b, const pp_window *w, uint32_t cin,
                                    uint32_t cout, uint32_t groups, const char *name, uint32_t *x)
{
    uint64_t dim[4] = {cout, cin / groups, w->kh, w->kw};
    bool bias = pp_rng_below(rng, 4) != 0;
    pp_tensor weight = random_tensor(r, rng, 4, dim), biases = random_tensor(r, rng, 1, dim);
    return pp_build_conv(b, name, *x, cout, w, groups, bias, false, &weight, bias ? &biases : NULL, x);
}

static inline pp_window random_window(pp_rng *rng, uint32_t max_kernel)
{
    pp_window w = {.kh = 1 + pp_rng_below(rng, max_kernel), .kw = 1 + pp_rng_below(rng, max_kernel),
                   .sh = 1 + pp_rng_below(rng, 3), .sw = 1 + pp_rng_below(rng, 3),
                   .dh = 1 + pp_rng_below(rng, 2), .dw = 1 + pp_rng_below(rng, 2),
                   .top = pp_rng_below(rng, 3), .left = pp_rng_below(rng, 3), .bottom = pp_rng_below(rng, 3),
                   .right = pp_rng_below(rng, 3), .count_padding = pp_rng_below(rng, 2) == 0};
    return w;
}

/* One more operator or block behind *x; none when its window does not fit. */
static inline void random_step(random_net *r, pp_rng *rng, pp_builder *b, uint32_t step, uint32_t *x)
{
    static const uint32_t widths[] = {1, 3, 8, 12, 16, 20, 28, 33, 56};
    char name[32], second[32], third[32];
    snprintf(name, sizeof name, "op%u", step);
    snprintf(second, sizeof second, "op%u.b", step);
    snprintf(third, sizeof third, "op%u.c", step);
    uint32_t c = pp_builder_shape(b, *x).c, cout = widths[pp_rng_below(rng, 9)], y = *x, other = *x;
    pp_window w = random_window(rng, 4), same = window(3, 1, 1), one = window(1, 1, 0);
    switch (pp_rng_below(rng, 17)) {
    case 16: { /* attention: over rows, or over the whole map; then pixels in another order, one of them constant */
        const pp_shape s = pp_builder_shape(b, *x);
        const bool whole = pp_rng_below(rng, 2) == 0;
        if (s.h > 6 || s.w > 6)
            break;
        const uint32_t groups = c % 4 == 0 ? 4 : 1, pixels = s.h * s.w;
        const uint64_t width[1] = {c};
        pp_tensor gain = random_tensor(r, rng, 1, width), shift = random_tensor(r, rng, 1, width);
        snprintf(name, sizeof name, "op%u.f", step);
        assert_ok(pp_build_group_norm(b, name, *x, groups, 1e-3, &gain, &shift, x));
        snprintf(name, sizeof name, "op%u", step);
        const pp_response response = {.size = 1 + step % 6, .alpha = 0.5, .beta = 0.75, .bias = 1};
        snprintf(name, sizeof name, "op%u.g", step);
        assert_ok(pp_build_response_norm(b, name, *x, &response, x));
        snprintf(name, sizeof name, "op%u", step);
        pp_op like = {.groups = groups, .transposed = true, .whole = whole, .factor = 0.25};
        assert_ok(pp_build_product(b, name, *x, *x, &like, &y));
        const uint64_t dim[2] = {pixels, pp_builder_shape(b, y).c}, own[2] = {1, c};
        pp_tensor offset = random_tensor(r, rng, 2, dim), token = random_tensor(r, rng, 2, own);
        assert_ok(pp_build_offset(b, second, y, &offset, &y));
        if (pp_rng_below(rng, 2))
            assert_ok(pp_build_softmax(b, third, y, groups, &y));
        like.transposed = false;
        snprintf(name, sizeof name, "op%u.d", step);
        assert_ok(pp_build_product(b, name, y, *x, &like, &y));
        pp_source *from = calloc(pixels, sizeof *from);
        for (uint32_t p = 0; p < pixels; p++)
            from[p] = p == 0 ? (pp_source){1, 0} : (pp_source){0, pixels - 1 - p};
        snprintf(name, sizeof name, "op%u.e", step);
        pp_status status = pp_build_arrange(b, name, &y, 1, s.w, s.h, from, &token, x);
        free(from);
        assert_ok(status);
        break;
    }
    case 10: { /* what reads a stream pixel by pixel, and an activation behind it */
        uint64_t dim[1] = {c};
        pp_tensor weight = random_tensor(r, rng, 1, dim), bias = random_tensor(r, rng, 1, dim);
        assert_ok(pp_build_scale(b, name, *x, &weight, &bias, x));
        assert_ok(pp_build_act(b, second, *x, (pp_act)(1 + pp_rng_below(rng, PP_ACT_COUNT - 1)), x));
        break;
    }
    case 11: /* squeeze and excite: a factor a channel that needs the whole map */
        assert_ok(pp_build_pool(b, name, PP_OP_GLOBAL_POOL, *x, NULL, &y));
        assert_ok(random_conv(r, rng, b, &one, c, c, 1, second, &y));
        assert_ok(pp_build_act(b, third, y, pp_rng_below(rng, 2) ? PP_ACT_SIGMOID : PP_ACT_HARD_SIGMOID, &y));
        snprintf(name, sizeof name, "op%u.d", step);
        assert_ok(pp_build_join(b, name, PP_OP_MUL, (uint32_t[]){*x, y}, 2, x));
        break;
    case 12: { /* a part of the map and of the channels */
        pp_shape s = pp_builder_shape(b, *x), from = {s.h / 3, s.w / 4, c / 3};
        pp_shape size = {s.h - from.h - (s.h > 3), s.w - from.w, c - from.c};
        assert_ok(pp_build_slice(b, name, *x, from, size, x));
        break;
    }
    case 13: /* channels of two streams in turn */
        assert_ok(random_conv(r, rng, b, &same, c, c, 1, name, &y));
        assert_ok(pp_build_join(b, second, PP_OP_CONCAT, (uint32_t[]){*x, y}, 2, &y));
        assert_ok(pp_build_shuffle(b, third, y, 2, x));
        break;
    case 14: {
        pp_shape s = pp_builder_shape(b, *x);
        if (s.h > 16 || s.w > 16)
            break;
        assert_ok(pp_build_upsample(b, name, *x, 1 + pp_rng_below(rng, 2), 1 + pp_rng_below(rng, 3), x));
        pp_shape up = pp_builder_shape(b, *x);
        if (up.h == s.h && up.w == s.w) /* factor 1: two maps of one shape may be multiplied */
            assert_ok(pp_build_join(b, second, PP_OP_MUL, (uint32_t[]){*x, other}, 2, x));
        break;
    }
    case 15: { /* a transposed convolution: channels become pixels */
        pp_shape s = pp_builder_shape(b, *x);
        uint32_t fy = 1 + pp_rng_below(rng, 2), fx = 1 + pp_rng_below(rng, 3);
        if (s.h > 6 || s.w > 6)
            break;
        assert_ok(random_conv(r, rng, b, &same, c, 3 * fy * fx, 1, name, x));
        assert_ok(pp_build_pixel_shuffle(b, second, *x, fy, fx, x));
        break;
    }
    case 0:
    case 1:
        (void)random_conv(r, rng, b, &w, c, cout, 1, name, x);
        break;
    case 2: /* grouped, with more than one output a group */
        assert_ok(random_conv(r, rng, b, &same, c, 2 * c, c, name, x));
        break;
    case 3:
        (void)pp_build_pool(b, name, pp_rng_below(rng, 2) ? PP_OP_MAX_POOL : PP_OP_AVG_POOL, *x, &w, x);
        break;
    case 4:
        assert_ok(pp_build_act(b, name, *x, (pp_act)(1 + pp_rng_below(rng, PP_ACT_COUNT - 1)), x));
        break;
    case 5: /* residual block, activation behind the addition */
        assert_ok(random_conv(r, rng, b, &same, c, c, 1, name, &y));
        assert_ok(pp_build_join(b, second, PP_OP_ADD, (uint32_t[]){other, y}, 2, x));
        assert_ok(pp_build_act(b, third, *x, PP_ACT_RELU, x));
        break;
    case 6: /* two matrix operands, and a pooling that ends the stage */
        assert_ok(random_conv(r, rng, b, &one, c, cout, 1, name, &y));
        assert_ok(random_conv(r, rng, b, &same, c, cout, 1, second, &other));
        assert_ok(pp_build_join(b, third, PP_OP_ADD, (uint32_t[]){y, other}, 2, x));
        break;
    case 7:
        assert_ok(random_conv(r, rng, b, &same, c, cout, 1, name, &y));
        assert_ok(pp_build_join(b, second, PP_OP_CONCAT, (uint32_t[]){y, other, y}, 3, x));
        break;
    case 8: { /* option A shortcut */
        uint32_t stride = 1 + pp_rng_below(rng, 2);
        pp_window down = window(3, stride, 1);
        assert_ok(pp_build_subsample(b, name, *x, stride, c + 5, &other));
        assert_ok(random_conv(r, rng, b, &down, c, c + 5, 1, second, &y));
        assert_ok(pp_build_join(b, third, PP_OP_ADD, (uint32_t[]){y, other}, 2, x));
        break;
    }
    default: /* addition of one stream to itself: stands alone */
        assert_ok(pp_build_join(b, name, PP_OP_ADD, (uint32_t[]){*x, *x}, 2, x));
    }
}

/* Random steps behind an input of at most 13 x 13 x 4, then flatten, global pooling or nothing, then a
 * linear operator of five classes. */
static inline void random_net_make(random_net *r, uint64_t seed)
{
    pp_rng rng = pp_rng_make(seed, 77);
    uint32_t x = 0, steps = 1 + pp_rng_below(&rng, 6);
    pp_shape in = {3 + pp_rng_below(&rng, 11), 3 + pp_rng_below(&rng, 11), 1 + pp_rng_below(&rng, 4)};
    pp_builder *b = NULL;
    *r = (random_net){0};
    assert_ok(pp_builder_new(&b, "random", in));
    for (uint32_t i = 0; i < steps; i++)
        random_step(r, &rng, b, i, &x);
    uint32_t kind = pp_rng_below(&rng, 3);
    if (kind == 0)
        assert_ok(pp_build_pool(b, "global", PP_OP_GLOBAL_POOL, x, NULL, &x));
    if (kind == 1)
        assert_ok(pp_build_flatten(b, "flatten", x, &x));
    pp_shape map = pp_builder_shape(b, x);
    uint64_t dim[2] = {5, (uint64_t)map.h * map.w * map.c};
    pp_tensor weight = random_tensor(r, &rng, 2, dim), bias = random_tensor(r, &rng, 1, dim);
    assert_ok(pp_build_linear(b, "classes", x, 5, true, &weight, &bias, NULL));
    assert_ok(pp_builder_finish(&r->net, b));
}

#endif
