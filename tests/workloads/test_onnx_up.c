/* Transposed convolutions, pixels from channels, resized maps: by hand, by the evaluator, by both executors. */
#define PP_TEST_ONNX_FILE "up.onnx"
#include "onnx_check.h"

/* A kernel of `n` numbers 1, -2, 3, -4 ... */
static void put_kernel(const char *name, const char *dims, size_t n)
{
    static char text[4096];
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%ld", i ? " " : "", i % 2 ? -(long)(i + 1) : (long)(i + 1));
    assert_true(at < sizeof text);
    put_floats(&g, name, dims, text);
}

static void transposed_by_hand(void **state)
{
    (void)state;
    /* x = 0 .2 / .4 .6; each pixel becomes itself times (1 2 / 3 4), plus 1. */
    start("1x1x2x2");
    put_floats(&g, "w", "1x1x2x2", "1 2 3 4");
    put_floats(&g, "b", "1", "1");
    put_node(&g, "ConvTranspose", "x w b", "y", "strides:I=2,2 kernel_shape:I=2,2");
    pp_network *net = check_net(11, (const double[]){1, 1, 1.2, 1.4, 1, 1, 1.6, 1.8, 1.4, 1.8, 1.6, 2.2, 2.2, 2.6, 2.8, 3.4});
    assert_int_equal(net->n_ops, 3); /* one MVM a pixel of the small map, and its channels as pixels */
    assert_int_equal(pp_network_parameters(net), 8); /* the bias once for each pixel */
    assert_int_equal(pp_network_macs(net), 16);
    pp_network_free(net);
    /* x = 0 .2 .4, three taps two apart: 0 0 0 | .2 .4 .6 | .4 .8 1.2 laid down at 0, 2, 4, cut by one on both sides:
     * what is left of 0 0 (0+.2) .4 (.6+.4) .8 1.2. */
    start("1x1x3");
    put_floats(&g, "w", "1x1x3", "1 2 3");
    put_node(&g, "ConvTranspose", "x w", "y", "strides:I=2 pads:I=1,1");
    net = check_net(13, (const double[]){0, .2, .4, 1, .8});
    assert_int_equal(pp_network_parameters(net), 3); /* the tap that no pixel needs is no weight */
    pp_network_free(net);
    /* Stride 1: a convolution with the kernel turned round. */
    start("1x1x1x3");
    put_floats(&g, "w", "1x1x1x2", "1 10");
    put_node(&g, "ConvTranspose", "x w", "y", "");
    net = check_net(13, (const double[]){0, .2, 2.4, 4});
    assert_int_equal(net->n_ops, 2);
    pp_network_free(net);
}

/* Every size, stride, dilation, padding and grouping against the definition (the evaluator). */
static void transposed_of_all_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *x, *w, *attrs;
        size_t n;
    } cases[] = {
        {"1x2x3x4", "2x3x3x3", "strides:I=2,2 pads:I=1,1,1,1 output_padding:I=1,1", 54},
        {"1x2x3x4", "2x3x4x4", "strides:I=2,2 pads:I=1,1,1,1", 96},
        {"1x3x2x2", "3x2x3x2", "strides:I=3,1 pads:I=0,1,1,0", 36},
        {"1x4x3x2", "4x2x3x3", "strides:I=2,3 group:i=2 dilations:I=2,1", 72},
        {"1x4x3x3", "4x1x5x5", "strides:I=2,2 group:i=4 pads:I=2,2,2,2 output_padding:I=1,1", 100},
        {"1x2x3x3", "2x2x2x2", "strides:I=3,3", 16},
        {"1x1x3x3", "1x2x3x3", "strides:I=3,2 auto_pad:s=SAME_UPPER", 18},
        {"1x1x3x3", "1x2x3x3", "strides:I=3,2 auto_pad:s=SAME_LOWER", 18},
        {"1x1x3x3", "1x2x3x3", "strides:I=3,2 output_shape:I=10,8", 18},
        {"1x2x4x4", "2x2x3x3", "pads:I=1,1,1,1 dilations:I=2,2", 36},
        {"1x1x2x2", "1x1x1x1", "strides:I=4,4 output_padding:I=3,1", 1},
        {"1x1x4x4", "1x1x2x2", "strides:I=2,2 pads:I=3,2,1,4", 4},
        {"1x2x5", "2x2x4", "strides:I=2 pads:I=1,1", 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start(cases[i].x);
        put_kernel("w", cases[i].w, cases[i].n);
        put_node(&g, "ConvTranspose", "x w", "y", cases[i].attrs);
        check(13, NULL);
    }
}

static void scales_behind_go_into_it(void **state)
{
    (void)state;
    start("1x2x2x2");
    put_kernel("w", "2x2x3x3", 36);
    put_floats(&g, "b", "1x2x1x1", "0.5 -1");
    put_floats(&g, "s", "2", "2 -1");
    put_floats(&g, "t", "2", "0.5 1");
    put_floats(&g, "m", "2", "1 2");
    put_floats(&g, "v", "2", "3.99999 0.24999");
    put_node(&g, "ConvTranspose", "x w", "c", "strides:I=2,2 pads:I=1,1,1,1");
    put_node(&g, "Add", "c b", "a", "");
    put_node(&g, "BatchNormalization", "a s t m v", "n", "");
    put_node(&g, "Relu", "n", "y", "");
    pp_network *net = check_net(15, NULL);
    assert_int_equal(net->n_ops, 5); /* input, convolution, pixels, cut, activation */
    assert_int_equal(count_kind(net, PP_OP_SCALE), 0);
    pp_network_free(net);
    /* Not when something else reads it. */
    start("1x2x2x2");
    put_kernel("w", "2x2x2x2", 16);
    put_floats(&g, "k", "1", "3");
    put_node(&g, "ConvTranspose", "x w", "c", "strides:I=2,2");
    put_node(&g, "Mul", "c k", "d", "");
    put_node(&g, "Add", "c d", "y", "");
    net = check_net(13, NULL);
    assert_int_equal(count_kind(net, PP_OP_SCALE), 1);
    pp_network_free(net);
}

static void pixels_from_channels_and_back(void **state)
{
    (void)state;
    /* Four channels 0 .2 .4 .6 of one pixel, both orders: one channel of 2x2 is the same in both. */
    for (int turn = 0; turn < 2; turn++) {
        start("1x4x1x1");
        put_node(&g, "DepthToSpace", "x", "y", turn ? "blocksize:i=2 mode:s=CRD" : "blocksize:i=2");
        check(13, (const double[]){0, .2, .4, .6});
        start("1x8x2x3");
        put_node(&g, "DepthToSpace", "x", "y", turn ? "blocksize:i=2 mode:s=CRD" : "blocksize:i=2");
        check(13, NULL);
    }
    start("1x3x4x6");
    put_node(&g, "SpaceToDepth", "x", "y", "blocksize:i=2");
    check(13, NULL);
    /* The same in slices of one axis at a time, as slices with steps are exported. */
    start("1x2x4x6");
    put_ints(&g, "0", "1", "0");
    put_ints(&g, "1", "1", "1");
    put_ints(&g, "2", "1", "2");
    put_ints(&g, "3", "1", "3");
    put_ints(&g, "end", "1", "9223372036854775807");
    put_node(&g, "Slice", "x 0 end 2 2", "a", "");
    put_node(&g, "Slice", "a 1 end 3 2", "b", "");
    put_node(&g, "Slice", "x 1 end 2 2", "c", "");
    put_node(&g, "Slice", "c 0 end 3 2", "d", "");
    put_node(&g, "Concat", "b d", "y", "axis:i=1");
    check(13, NULL);
}

static void maps_resized_in_straight_lines(void **state)
{
    (void)state;
    /* 0 .2 at half pixels, twice as wide: 0, .25 of the way, .75, .2. */
    start("1x1x1x2");
    put_floats(&g, "s", "4", "1 1 1 2");
    put_node(&g, "Resize", "x - s", "y", "mode:s=linear");
    check(13, (const double[]){0, .05, .15, .2});
    /* By corners: 0, .1, .2, and the border again. */
    start("1x1x1x2");
    put_floats(&g, "s", "4", "1 1 1 2");
    put_node(&g, "Resize", "x - s", "y", "mode:s=linear coordinate_transformation_mode:s=asymmetric");
    check(13, (const double[]){0, .1, .2, .2});
    static const char *const factors[] = {"1 1 2 2", "1 1 3 3", "1 1 4 2", "1 1 5 8", "1 1 1 6"};
    static const char *const modes[] = {"half_pixel", "pytorch_half_pixel", "asymmetric"};
    for (size_t i = 0; i < 15; i++) {
        char attrs[128];
        snprintf(attrs, sizeof attrs, "mode:s=linear coordinate_transformation_mode:s=%s", modes[i % 3]);
        start("1x2x3x4");
        put_floats(&g, "s", "4", factors[i / 3]);
        put_node(&g, "Resize", "x - s", "y", attrs);
        check(13, NULL);
    }
    start("1x1x2x2");
    put_floats(&g, "s", "4", "1 1 2 2");
    put_node(&g, "Resize", "x - s", "y", "mode:s=linear coordinate_transformation_mode:s=align_corners");
    refuses(13, "coordinates 'align_corners'");
}

/* Nearest pixels of factors that are not whole, smaller maps, and 10 x 1.3 = 13 pixels. */
static void nearest_pixels_of_any_factor(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"1 1 1.3 2.4", ""},
                                           {"1 1 0.7 1.5", "nearest_mode:s=ceil"},
                                           {"1 1 0.5 0.5", "coordinate_transformation_mode:s=asymmetric nearest_mode:s=floor"},
                                           {"1 1 1.3 1", "coordinate_transformation_mode:s=pytorch_half_pixel"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start("1x2x10x5");
        put_floats(&g, "s", "4", cases[i][0]);
        put_node(&g, "Resize", "x - s", "y", cases[i][1]);
        pp_network *net = check_net(13, NULL);
        assert_int_equal(net->ops[net->output].out.h, i == 1 ? 7 : i == 2 ? 5 : 13);
        pp_network_free(net);
    }
    start("1x1x4x4");
    put_ints(&g, "s", "4", "1 1 3 7");
    put_node(&g, "Resize", "x - - s", "y", "coordinate_transformation_mode:s=align_corners");
    check(13, NULL);
    start("1x1x5x5");
    put_floats(&g, "s", "4", "1 1 1.5 1");
    put_node(&g, "Resize", "x - s", "y", "coordinate_transformation_mode:s=align_corners");
    refuses(13, "give sizes");
}

static void channels_of_zeros_and_slopes(void **state)
{
    (void)state;
    /* Zeros of a Concat, as converters write a Pad of channels. */
    start("1x2x1x2");
    put_ints(&g, "n", "4", "1 1 1 2");
    put_node(&g, "Neg", "x", "m", "");
    put_node(&g, "ConstantOfShape", "n", "z", "");
    put_node(&g, "Concat", "x z", "p", "axis:i=1");
    put_node(&g, "Concat", "p m z", "y", "axis:i=1");
    check(13, (const double[]){0, .2, .4, .6, 0, 0, 0, -.2, -.4, -.6, 0, 0});
    /* Slopes below zero: 0.5 and 2. */
    start("1x2x1x2");
    put_floats(&g, "k", "1", "-1");
    put_floats(&g, "s", "2x1x1", "0.5 2");
    put_node(&g, "Mul", "x k", "m", "");
    put_node(&g, "PRelu", "m s", "y", "");
    check(13, (const double[]){0, -.1, -.8, -1.2});
}

static void pixels_from_channels_by_views(void **state)
{
    (void)state;
    /* As PixelShuffle is exported, and in the order of TensorFlow. */
    static const char *const shapes[] = {"1 2 2 2 3 4", "1 2 2 2 3 4"}, *const perms[] = {"perm:I=0,1,4,2,5,3", "perm:I=0,3,4,1,5,2"};
    for (int turn = 0; turn < 2; turn++) {
        start("1x8x3x4");
        put_ints(&g, "a", "6", shapes[turn]);
        put_ints(&g, "b", "4", "1 2 6 8");
        put_node(&g, "Reshape", "x a", "r", "");
        put_node(&g, "Transpose", "r", "t", perms[turn]);
        put_node(&g, "Reshape", "t b", "s", "");
        put_node(&g, "Relu", "s", "y", "");
        pp_network *net = check_net(13, NULL);
        assert_int_equal(count_kind(net, PP_OP_PIXEL_SHUFFLE), 1);
        assert_int_equal(count_kind(net, PP_OP_SHUFFLE), turn);
        pp_network_free(net);
    }
}

static void activations_of_detectors_and_transformers(void **state)
{
    (void)state;
    /* Gelu by tanh in parts: one activation and the factors 2 and 1/2. */
    start("1x3x2x2");
    put_floats(&g, "two", "1", "-2");
    put_floats(&g, "three", "", "3");
    put_floats(&g, "c", "", "0.044715");
    put_floats(&g, "k", "", "0.7978845608");
    put_floats(&g, "one", "", "1");
    put_floats(&g, "h", "", "0.5");
    put_node(&g, "Mul", "x two", "z", "");
    put_node(&g, "Pow", "z three", "p", "");
    put_node(&g, "Mul", "p c", "q", "");
    put_node(&g, "Add", "z q", "s", "");
    put_node(&g, "Mul", "s k", "t", "");
    put_node(&g, "Tanh", "t", "u", "");
    put_node(&g, "Add", "u one", "v", "");
    put_node(&g, "Mul", "z h", "w", "");
    put_node(&g, "Mul", "w v", "y", "");
    pp_network *net = check_net(13, NULL);
    assert_int_equal(count_kind(net, PP_OP_ACT), 1);
    pp_network_free(net);
    /* Mish in parts; ELU: exp(-1) - 1 = -.6321206 at -1. */
    start("1x1x1x6");
    put_node(&g, "Softplus", "x", "s", "");
    put_node(&g, "Tanh", "s", "t", "");
    put_node(&g, "Mul", "x t", "y", "");
    net = check_net(13, NULL);
    assert_int_equal(net->ops[net->output].act, PP_ACT_MISH);
    pp_network_free(net);
    start("1x1x1x6");
    put_node(&g, "Neg", "x", "n", "");
    put_node(&g, "Elu", "n", "y", "");
    check(13, (const double[]){0, -.1812692, -.3296800, -.4511884, -.5506710, -.6321206});
}

static void sums_means_and_maxima(void **state)
{
    (void)state;
    /* Rows 0 .2 .4 / .6 .8 1: mean and maximum over one axis, over both. */
    start("1x1x2x3");
    put_node(&g, "ReduceMean", "x", "y", "axes:I=2 keepdims:i=0");
    check(13, (const double[]){.3, .5, .7});
    start("1x1x2x3");
    put_node(&g, "ReduceMax", "x", "y", "axes:I=-1");
    check(13, (const double[]){.4, 1});
    start("1x1x2x3");
    put_node(&g, "ReduceMax", "x", "y", "axes:I=2,3");
    check(13, (const double[]){1});
    start("1x1x1x3");
    put_node(&g, "Sum", "x x x", "y", "");
    check(13, (const double[]){0, .6, 1.2});
    /* A gate that is written out over the map; the mean of .2 and .4 is that of .6 and .8 less .4. */
    start("1x2x1x2");
    put_ints(&g, "s", "4", "1 2 1 2");
    put_node(&g, "GlobalAveragePool", "x", "m", "");
    put_node(&g, "Expand", "m s", "e", "");
    put_node(&g, "Sub", "x e", "y", "");
    check(13, (const double[]){-.1, .1, -.1, .1});
    /* A file for four images at once. */
    pp_network *net = NULL;
    start("4x1x2x2");
    put_ints(&g, "s", "2", "4 4");
    put_floats(&g, "w", "1x4", "1 2 3 4");
    put_node(&g, "Reshape", "x s", "f", "");
    put_node(&g, "Gemm", "f w", "y", "transB:i=1");
    write_net(13);
    assert_ok(pp_network_from_onnx(&net, path));
    assert_int_equal(pp_network_macs(net), 4);
    pp_network_free(net);
}

/* As decoders begin: a linear layer whose results are cut into a map, channels first and last. */
static void vectors_become_maps(void **state)
{
    (void)state;
    static const char *const shapes[] = {"0 3 2 2", "1 2 2 3", "-1 3 1 4", "1 3 4"};
    for (int turn = 0; turn < 4; turn++) {
        start("1x4");
        put_ints(&g, "shape", turn == 3 ? "3" : "4", shapes[turn]);
        put_kernel("w", "12x4", 48);
        put_kernel("k", turn == 3 ? "3x2x2" : "3x2x2x2", turn == 3 ? 12 : 24);
        put_floats(&g, "s", "3", "1 2 3");
        put_floats(&g, "t", "3", "0 0.5 -1");
        put_node(&g, "Gemm", "x w", "v", "transB:i=1");
        put_node(&g, "Reshape", "v shape", turn == 1 ? "last" : "m", "");
        if (turn == 1)
            put_node(&g, "Transpose", "last", "m", "perm:I=0,3,1,2");
        put_node(&g, "BatchNormalization", "m s t t s", "n", "");
        put_node(&g, "Relu", "n", "r", "");
        put_node(&g, "ConvTranspose", "r k", "y", turn == 3 ? "strides:I=2" : "strides:I=2,2");
        pp_network *net = check_net(13, NULL);
        assert_int_equal(count_kind(net, PP_OP_SHUFFLE), turn == 1);
        pp_network_free(net);
    }
    start("1x3x1x1"); /* a number for each of three tokens, and the only channel behind them */
    put_floats(&g, "w", "1x2", "2 3");
    put_ints(&g, "shape", "3", "1 3 1");
    put_node(&g, "Relu", "x", "a", "");
    put_node(&g, "Reshape", "a shape", "b", "");
    put_node(&g, "Transpose", "b", "c", "perm:I=0,2,1");
    put_node(&g, "MaxPool", "c", "d", "kernel_shape:I=1");
    put_node(&g, "Transpose", "d", "e", "perm:I=0,2,1");
    put_node(&g, "MatMul", "e w", "f", "");
    put_node(&g, "Transpose", "f", "y", "perm:I=0,2,1");
    check(13, (const double[]){0, .4, .8, 0, .6, 1.2});
}

/* Channels in another order, the larger of two maps, sums over a map. */
static void channels_picked_and_maps_compared(void **state)
{
    (void)state;
    start("1x3x1x1"); /* 0 .2 .4 */
    put_ints(&g, "bgr", "3", "2 1 -3");
    put_node(&g, "Gather", "x bgr", "y", "axis:i=1");
    check(13, (const double[]){.4, .2, 0});
    start("1x5x1x1"); /* 0 .2 .4 .6 .8: from the last, every second; then but for the first */
    put_ints(&g, "from", "1", "-1");
    put_ints(&g, "to", "1", "-9223372036854775808");
    put_ints(&g, "axis", "1", "1");
    put_ints(&g, "step", "1", "-2");
    put_ints(&g, "one", "1", "1");
    put_ints(&g, "many", "1", "99");
    put_node(&g, "Slice", "x from to axis step", "s", "");
    put_node(&g, "Slice", "s one many axis one", "y", "");
    check(13, (const double[]){.4, 0});
    start("1x20x1x1");
    put_ints(&g, "from", "1", "-1");
    put_ints(&g, "to", "1", "-21");
    put_ints(&g, "one", "1", "1");
    put_ints(&g, "step", "1", "-1");
    put_node(&g, "Slice", "x from to one step", "y", "");
    refuses(13, "20 channels taken in more than 16 runs");
    for (int i = 0; i < 2; i++) { /* .6 - x and x */
        start("1x1x1x6");
        put_floats(&g, "c", "", "0.6");
        put_node(&g, "Sub", "c x", "a", "");
        put_node(&g, i ? "Min" : "Max", "a x", "y", "");
        check(13, i ? (const double[]){0, .2, .2, 0, -.2, -.4} : (const double[]){.6, .4, .4, .6, .8, 1});
    }
    static const char *const elus[][2] = {{"Elu", "alpha:f=0.5"}, {"Selu", ""}, {"Celu", "alpha:f=2"}, {"Celu", ""}};
    for (size_t i = 0; i < sizeof elus / sizeof *elus; i++) { /* -.5 to .5 */
        start("1x1x1x6");
        put_floats(&g, "c", "", "0.5");
        put_node(&g, "Sub", "x c", "a", "");
        put_node(&g, elus[i][0], "a", "y", elus[i][1]);
        check(13, NULL);
    }
    start("1x2x1x3");
    put_ints(&g, "axes", "2", "2 3");
    put_node(&g, "ReduceSum", "x axes", "y", "keepdims:i=0");
    check(13, (const double[]){.6, 2.4});
    start("1x2x1x3");
    put_node(&g, "Relu", "x", "r", "");
    put_node(&g, "ReduceMean", "r", "y", "noop_with_empty_axes:i=1");
    check(18, (const double[]){0, .2, .4, .6, .8, 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transposed_by_hand),       cmocka_unit_test(transposed_of_all_kinds),
        cmocka_unit_test(scales_behind_go_into_it), cmocka_unit_test(pixels_from_channels_and_back),
        cmocka_unit_test(maps_resized_in_straight_lines), cmocka_unit_test(channels_of_zeros_and_slopes),
        cmocka_unit_test(pixels_from_channels_by_views),  cmocka_unit_test(activations_of_detectors_and_transformers),
        cmocka_unit_test(sums_means_and_maxima), cmocka_unit_test(vectors_become_maps), cmocka_unit_test(nearest_pixels_of_any_factor),
        cmocka_unit_test(channels_picked_and_maps_compared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
