#include "test_workloads.h"

#include <math.h>

static const pp_shape input = {8, 6, 4};

static void shapes_follow_the_definitions(void **state)
{
    (void)state;
    pp_builder *b = NULL;
    pp_network *net = NULL;
    uint32_t conv, pool, linear;
    pp_window w = {.kh = 3, .kw = 2, .sh = 2, .sw = 1, .dh = 2, .dw = 1, .top = 1, .left = 0, .bottom = 2, .right = 1};
    pp_window p = window(2, 2, 0);
    assert_ok(pp_builder_new(&b, "n", input));
    assert_ok(pp_build_conv(b, "conv", 0, 6, &w, 2, true, true, NULL, NULL, &conv));
    assert_ok(pp_build_pool(b, "pool", PP_OP_MAX_POOL, conv, &p, &pool));
    assert_ok(pp_build_linear(b, "fc", pool, 3, true, NULL, NULL, &linear));
    assert_ok(pp_builder_finish(&net, b));
    /* (8 + 1 + 2 - 2 * 2 - 1) / 2 + 1 = 4; (6 + 0 + 1 - 1 - 1) / 1 + 1 = 6 */
    assert_int_equal(net->ops[conv].out.h, 4);
    assert_int_equal(net->ops[conv].out.w, 6);
    assert_int_equal(net->ops[conv].out.c, 6);
    assert_int_equal(net->ops[pool].out.h, 2);
    assert_int_equal(net->ops[pool].out.w, 3);
    assert_int_equal(net->ops[linear].weight.dim[1], 36);
    /* conv: 6 x 2 x 3 x 2 weights, 6 biases, 12 of the batch norm; fc: 36 x 3 + 3 */
    assert_int_equal(pp_op_parameters(&net->ops[conv]), 72 + 6 + 12);
    assert_int_equal(pp_network_parameters(net), 90 + 111);
    assert_int_equal(pp_network_macs(net), 72 * 24 + 108);
    assert_false(net->has_weights);
    pp_network_free(net);
}

static void the_dump_is_stable(void **state)
{
    (void)state;
    pp_builder *b = NULL;
    pp_network *net = NULL;
    uint32_t x;
    char *text = NULL;
    pp_window w = window(3, 1, 1);
    assert_ok(pp_builder_new(&b, "tiny", input));
    assert_ok(pp_build_conv(b, "conv", 0, 4, &w, 1, true, false, NULL, NULL, &x));
    assert_ok(pp_build_join(b, "sum", PP_OP_ADD, (uint32_t[]){x, 0}, 2, &x));
    assert_ok(pp_build_act(b, "relu", x, PP_ACT_RELU, &x));
    assert_ok(pp_builder_finish(&net, b));
    assert_ok(pp_network_dump(&text, net));
    assert_string_equal(text, "network tiny ops 4 output 3 weights none \n"
                              "mean 0 0 0 0 std 1 1 1 1\n"
                              "0 input input -> 8x6x4\n"
                              "1 conv conv <- 0 -> 8x6x4 k3x3 s1x1 d1x1 p1,1,1,1 F32 bias\n"
                              "2 sum add <- 1,0 -> 8x6x4\n"
                              "3 relu act <- 2 -> 8x6x4 relu\n");
    free(text);
    pp_network_free(net);
}

static void wrong_operators_are_named(void **state)
{
    (void)state;
    pp_builder *b = NULL;
    uint32_t x;
    pp_window w = window(3, 1, 1), big = window(9, 1, 0), none = window(3, 0, 1), far = window(2, 1, 5);
    uint64_t dim = 0;
    pp_tensor wrong = {.ndim = 4, .dim = {4, 4, 3, 2}, .data = &dim};
    pp_tensor bytes = {.dtype = PP_DTYPE_I8, .ndim = 4, .dim = {4, 4, 3, 3}, .data = &dim};
    assert_ok(pp_builder_new(&b, "n", input));
    assert_fails(pp_build_conv(b, "a", 0, 4, &big, 1, true, false, NULL, NULL, &x), "'a'");
    assert_fails(pp_build_conv(b, "b", 0, 4, &none, 1, true, false, NULL, NULL, &x), "'b'");
    assert_fails(pp_build_conv(b, "c", 0, 4, &w, 3, true, false, NULL, NULL, &x), "3 groups");
    assert_fails(pp_build_conv(b, "d", 7, 4, &w, 1, true, false, NULL, NULL, &x), "'d'");
    assert_fails(pp_build_conv(b, "e", 0, 4, &w, 1, false, false, &wrong, NULL, &x), "[4,4,3,2]");
    assert_fails(pp_build_conv(b, "e", 0, 4, &w, 1, false, false, &bytes, NULL, &x), "I8");
    assert_fails(pp_build_conv(b, "z", 0, 0, &w, 1, false, false, NULL, NULL, &x), "'z'");
    assert_fails(pp_build_pool(b, "f", PP_OP_MAX_POOL, 0, &far, &x), "padding only");
    assert_fails(pp_build_pool(b, "g", PP_OP_ADD, 0, &w, &x), "not a pooling");
    assert_fails(pp_build_join(b, "h", PP_OP_ADD, (uint32_t[]){0}, 1, &x), "'h'");
    assert_fails(pp_build_subsample(b, "i", 0, 2, 3, &x), "'i'");
    assert_ok(pp_build_conv(b, "j", 0, 5, &w, 1, true, false, NULL, NULL, &x));
    assert_fails(pp_build_join(b, "k", PP_OP_ADD, (uint32_t[]){0, x}, 2, &x), "shapes differ");
    assert_fails(pp_build_act(b, "j", 0, PP_ACT_RELU, &x), "twice");
    pp_builder_free(b);
    assert_fails(pp_builder_new(&b, "n", (pp_shape){0, 3, 3}), "0x3x3");
    assert_fails(pp_builder_new(&b, "n", (pp_shape){1048576, 1048576, 3}), "too large");
}

static void results_must_be_used(void **state)
{
    (void)state;
    pp_builder *b = NULL;
    pp_network *net = NULL;
    pp_window w = window(3, 1, 1);
    assert_ok(pp_builder_new(&b, "n", input));
    assert_ok(pp_build_conv(b, "lost", 0, 4, &w, 1, true, false, NULL, NULL, NULL));
    assert_ok(pp_build_conv(b, "kept", 0, 4, &w, 1, true, false, NULL, NULL, NULL));
    assert_fails(pp_builder_finish(&net, b), "'lost'");
    assert_null(net);
    assert_ok(pp_builder_new(&b, "n", input));
    assert_fails(pp_builder_finish(&net, b), "at least one operator");
}

static void weights_must_be_finite_and_whole(void **state)
{
    (void)state;
    pp_builder *b = NULL;
    pp_network *net = NULL;
    float w[192], bias[1] = {0};
    pp_tensor weight = {.ndim = 2, .dim = {1, 192}, .data = w}, biases = {.ndim = 1, .dim = {1}, .data = bias};
    for (size_t i = 0; i < 192; i++)
        w[i] = 1;
    for (int round = 0; round < 4; round++) {
        static const char *const says[] = {NULL, "weight[17] is NaN", "bias[0] is infinite", NULL};
        w[17] = round == 1 ? NAN : 1;
        bias[0] = round == 2 ? -INFINITY : 1;
        assert_ok(pp_builder_new(&b, "n", input));
        assert_ok(pp_build_linear(b, "fc", 0, 1, true, &weight, round == 3 ? NULL : &biases, NULL));
        if (says[round])
            assert_fails(pp_builder_finish(&net, b), says[round]);
        else
            assert_ok(pp_builder_finish(&net, b));
        if (!says[round]) /* the last round has weights, but no bias values */
            assert_int_equal(net->has_weights, round == 0);
        pp_network_free(net);
        net = NULL;
    }
    assert_ok(pp_builder_new(&b, "n", input));
    uint32_t x;
    pp_tensor one = {.ndim = 2, .dim = {1, 1}, .data = w};
    assert_ok(pp_build_linear(b, "bare", 0, 1, false, NULL, NULL, &x));
    assert_ok(pp_build_linear(b, "full", x, 1, false, &one, NULL, &x));
    assert_fails(pp_builder_finish(&net, b), "'bare' has no weights");
}

static void check_finds_broken_networks(void **state)
{
    (void)state;
    pp_network *net = NULL;
    static const uint32_t widths[3] = {4, 6, 8};
    assert_ok(pp_resnet_cifar(&net, "r", 8, widths, true, true));
    pp_op saved = net->ops[3];
    net->ops[3].out.c++;
    assert_fails(pp_network_check(net), saved.name);
    net->ops[3] = saved;
    net->ops[3].inputs = &net->output; /* reads a later operator: a cycle */
    assert_fails(pp_network_check(net), "does not stand before it");
    net->ops[3] = saved;
    net->ops[3].weight.dim[0] = 3;
    assert_fails(pp_network_check(net), "weight");
    net->ops[3] = saved;
    net->std[0] = 0;
    assert_fails(pp_network_check(net), "std");
    net->std[0] = 1;
    assert_ok(pp_network_check(net));
    pp_network_free(net);
}

static void half_precision_is_exact(void **state)
{
    (void)state;
    /* 1, -2, 65504, 2^-24, 2^-14, 0.333251953125, -0, inf */
    static const uint16_t f16[] = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555, 0x8000, 0x7c00};
    static const float want16[] = {1, -2, 65504, 0x1p-24f, 0x1p-14f, 0.333251953125f, -0.0f, INFINITY};
    static const uint16_t bf16[] = {0x3f80, 0xc000, 0x3eab, 0x7f7f};
    static const float want_bf[] = {1, -2, 0.333984375f, 0x1.fep127f};
    pp_tensor h = {.dtype = PP_DTYPE_F16, .ndim = 1, .dim = {8}, .data = f16};
    pp_tensor g = {.dtype = PP_DTYPE_BF16, .ndim = 1, .dim = {4}, .data = bf16};
    for (uint64_t i = 0; i < 8; i++) {
        float got = pp_tensor_f32(&h, i);
        assert_memory_equal(&got, &want16[i], sizeof got);
    }
    float all[4];
    pp_tensor_read_f32(&g, all);
    assert_memory_equal(all, want_bf, sizeof all);
    static const int8_t i8[] = {-128, 127, -1};
    pp_tensor b = {.dtype = PP_DTYPE_I8, .ndim = 1, .dim = {3}, .data = i8};
    assert_true(pp_tensor_f32(&b, 0) == -128 && pp_tensor_f32(&b, 1) == 127 && pp_tensor_f32(&b, 2) == -1);
}

static void views_may_be_unaligned(void **state)
{
    (void)state;
    uint8_t raw[13];
    float v[3] = {1.5f, -2.25f, 1e-30f}, got[3];
    memcpy(raw + 1, v, sizeof v);
    pp_tensor t = {.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {3}, .data = raw + 1};
    pp_tensor_read_f32(&t, got);
    assert_memory_equal(got, v, sizeof v);
    assert_true(pp_tensor_f32(&t, 2) == v[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_follow_the_definitions), cmocka_unit_test(the_dump_is_stable),
        cmocka_unit_test(wrong_operators_are_named),     cmocka_unit_test(results_must_be_used),
        cmocka_unit_test(weights_must_be_finite_and_whole), cmocka_unit_test(check_finds_broken_networks),
        cmocka_unit_test(half_precision_is_exact),       cmocka_unit_test(views_may_be_unaligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
