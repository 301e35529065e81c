/* Hand-made graphs of opsets 11 to 21: results computed by hand, by the evaluator, by the network and by the fast
 * executor agree. */
#include "onnx_check.h"

/* ---- opsets 18 to 21, by hand ---- */

static void opset_18(void **state)
{
    (void)state;
    /* x = 0 .2 .4 .6 .8 1 0 .2 on [1,2,2,2]; means of the two maps: 0.3 and 0.5. Axes are an input since 18. */
    start("1x2x2x2");
    put_ints(&g, "axes", "2", "2 3");
    put_node(&g, "ReduceMean", "x axes", "y", "keepdims:i=0");
    check(18, (const double[]){0.3, 0.5});
    /* Pads of named axes: one column of zeros in front; then a 1x2 sum. */
    start("1x1x1x3");
    put_ints(&g, "pads", "2", "1 0");
    put_ints(&g, "axes", "1", "3");
    put_floats(&g, "w", "1x1x1x2", "1 1");
    put_node(&g, "Pad", "x pads - axes", "p", "");
    put_node(&g, "Conv", "p w", "y", "");
    check(18, (const double[]){0, 0.2, 0.6});
    /* Four channels in parts of 2, 1 and 1, the last in front. */
    start("1x4x1x1");
    put_ints(&g, "sizes", "3", "2 1 1");
    put_node(&g, "Split", "x sizes", "a b c", "axis:i=1");
    put_node(&g, "Concat", "c a b", "y", "axis:i=1");
    check(18, (const double[]){0.6, 0, 0.2, 0.4});
    /* Five channels in two parts by num_outputs: three and two. */
    start("1x5x1x1");
    put_node(&g, "Split", "x", "a b", "axis:i=1 num_outputs:i=2");
    put_node(&g, "Concat", "b a", "y", "axis:i=1");
    check(18, (const double[]){0.6, 0.8, 0, 0.2, 0.4});
}

static void opset_19(void **state)
{
    (void)state;
    /* Nearest pixels, twice as wide and high, by sizes of two axes. */
    start("1x1x2x2");
    put_ints(&g, "sizes", "2", "4 4");
    put_node(&g, "Resize", "x - - sizes", "y",
             "mode:s=nearest axes:I=2,3 coordinate_transformation_mode:s=asymmetric nearest_mode:s=floor");
    check(19, (const double[]){0, 0, .2, .2, 0, 0, .2, .2, .4, .4, .6, .6, .4, .4, .6, .6});
    /* The same by half pixels, whose default rounding gives the same pixels for a factor of 2. */
    start("1x1x2x2");
    put_floats(&g, "scales", "4", "1 1 2 2");
    put_node(&g, "Resize", "x - scales", "y", "mode:s=nearest");
    check(19, (const double[]){0, 0, .2, .2, 0, 0, .2, .2, .4, .4, .6, .6, .4, .4, .6, .6});
    /* An average that counts no padding: corners of a 3x3 window over 2x2 see all four. */
    start("1x1x2x2");
    put_node(&g, "AveragePool", "x", "y", "kernel_shape:I=3,3 pads:I=1,1,1,1");
    check(19, (const double[]){.3, .3, .3, .3});
}

static void opset_20(void **state)
{
    (void)state;
    /* x Phi(x): Phi(.2) = .579260, Phi(.4) = .655422, Phi(.6) = .725747, Phi(.8) = .788145, Phi(1) = .841345. */
    start("1x6");
    put_node(&g, "Gelu", "x", "y", "");
    check(20, (const double[]){0, 0.1158520, 0.2621687, 0.4354482, 0.6305157, 0.8413447});
    /* By tanh: 0.5 (1 + tanh(.7978846 (1 + .044715))) = .8411920 at 1. */
    start("1x6");
    put_node(&g, "Gelu", "x", "y", "approximate:s=tanh");
    pp_network *net = check_net(20, NULL);
    assert_int_equal(net->ops[1].act, PP_ACT_GELU_TANH);
    assert_true(fabs(pp_act_value(PP_ACT_GELU_TANH, 1) - 0.8411920) < 1e-6);
    pp_network_free(net);
}

static void opset_21(void **state)
{
    (void)state;
    /* 4-bit weights [2][3] = (1 -2 3) 0.5 and (-8 7 0) 0.25, two a byte, one scale a row: Gemm on (0, .2, .4) gives
     * (.5 (-.4 + 1.2), .25 (1.4)) = (.4, .35), plus the bias (1, 2). */
    const uint8_t codes[3] = {0x01 | 0xe << 4, 0x03 | 0x8 << 4, 0x07 | 0x0 << 4};
    start("1x3");
    put_raw(&g, "q", 22, "2x3", codes, sizeof codes);
    put_floats(&g, "s", "2", "0.5 0.25");
    put_floats(&g, "b", "2", "1 2");
    put_node(&g, "DequantizeLinear", "q s", "w", "axis:i=0");
    put_node(&g, "Gemm", "x w b", "y", "transB:i=1");
    check(21, (const double[]){1.4, 2.35});
    /* The same codes as unsigned with zero point 2: (-1 12 1) 0.5 -> .5 (2.4 + .4) = 1.4; (6 5 -2) .25 -> .25 (1 - .8).
     */
    start("1x3");
    put_raw(&g, "q", 21, "2x3", codes, sizeof codes);
    put_raw(&g, "z", 21, "2", "\x22", 1);
    put_floats(&g, "s", "2", "0.5 0.25");
    put_node(&g, "DequantizeLinear", "q s z", "w", "axis:i=0");
    put_node(&g, "Gemm", "x w", "y", "transB:i=1");
    check(21, (const double[]){1.4, 0.05});
    /* The codes of above in the list of integers (int32_data), two a number. */
    bytes t = {.len = 0};
    put_int(&t, 1, 2);
    put_int(&t, 1, 3);
    put_int(&t, 2, 22);
    put_text(&t, 8, "q");
    put_bytes(&t, 5, "\xe1\x01\x83\x01\x07", 5); /* 225, 131, 7 */
    start("1x3");
    put_bytes(&g, 5, t.data, t.len);
    put_floats(&g, "s", "2", "0.5 0.25");
    put_node(&g, "DequantizeLinear", "q s", "w", "axis:i=0");
    put_node(&g, "Gemm", "x w", "y", "transB:i=1");
    check(21, (const double[]){0.4, 0.35});
}

/* ---- what is fused and folded ---- */

static void batch_norms_are_folded(void **state)
{
    (void)state;
    start("1x2x2x2");
    put_floats(&g, "w", "2x2x1x1", "1 2 3 4");
    put_floats(&g, "b", "2", "1 -1");
    put_floats(&g, "s", "2", "2 -1");
    put_floats(&g, "t", "2", "0.5 1");
    put_floats(&g, "m", "2", "1 2");
    put_floats(&g, "v", "2", "3.99999 0.24999");
    put_node(&g, "Conv", "x w b", "c", "");
    put_node(&g, "BatchNormalization", "c s t m v", "y", "");
    pp_network *net = check_net(15, NULL);
    assert_int_equal(net->n_ops, 2);
    assert_true(net->ops[1].weight.row_scale != NULL);
    pp_network_free(net);
    /* Two readers of the convolution: nothing may be folded into it. */
    start("1x2x2x2");
    put_floats(&g, "w", "2x2x1x1", "1 2 3 4");
    put_floats(&g, "k", "1", "3");
    put_node(&g, "Conv", "x w", "c", "");
    put_node(&g, "Mul", "c k", "d", "");
    put_node(&g, "Add", "c d", "y", "");
    net = check_net(13, NULL);
    assert_int_equal(count_kind(net, PP_OP_SCALE), 1);
    pp_network_free(net);
    /* Nor when one reader has a view of it. */
    start("1x2x2x2");
    put_floats(&g, "w", "2x2x1x1", "1 2 3 4");
    put_floats(&g, "k", "1", "3");
    put_node(&g, "Conv", "x w", "c", "");
    put_node(&g, "Identity", "c", "i", "");
    put_node(&g, "Mul", "i k", "d", "");
    put_node(&g, "Add", "c d", "y", "");
    check(13, NULL);
}

static void activations_in_parts_become_one(void **state)
{
    (void)state;
    start("1x3x2x2");
    put_node(&g, "Sigmoid", "x", "s", "");
    put_node(&g, "Mul", "x s", "y", "");
    pp_network *net = check_net(11, NULL);
    assert_int_equal(net->n_ops, 2);
    assert_int_equal(net->ops[1].act, PP_ACT_SILU);
    pp_network_free(net);
    /* x clip(x + 3, 0, 6) / 6 */
    start("1x3x2x2");
    put_floats(&g, "three", "1", "3");
    put_floats(&g, "lo", "", "0");
    put_floats(&g, "hi", "", "6");
    put_floats(&g, "six", "1", "6");
    put_node(&g, "Add", "x three", "a", "");
    put_node(&g, "Clip", "a lo hi", "b", "");
    put_node(&g, "Mul", "x b", "c", "");
    put_node(&g, "Div", "c six", "y", "");
    net = check_net(12, NULL);
    assert_int_equal(net->n_ops, 2);
    assert_int_equal(net->ops[1].act, PP_ACT_HARD_SWISH);
    pp_network_free(net);
    start("1x3x2x2"); /* Gelu with the root of a half-precision file */
    put_floats(&g, "root", "", "1.4140625");
    put_floats(&g, "one", "", "1");
    put_floats(&g, "half", "", "0.5");
    put_node(&g, "Div", "x root", "a", "");
    put_node(&g, "Erf", "a", "b", "");
    put_node(&g, "Add", "b one", "c", "");
    put_node(&g, "Mul", "x c", "d", "");
    put_node(&g, "Mul", "d half", "y", "");
    write_net(13);
    assert_ok(pp_network_from_onnx(&net, path));
    assert_int_equal(net->ops[1].act, PP_ACT_GELU);
    pp_network_free(net);
    /* x 0.5 (1 + erf(x / sqrt 2)), the halves last and first */
    for (int turn = 0; turn < 2; turn++) {
        start("1x3x2x2");
        put_floats(&g, "root", "", "1.41421356237");
        put_floats(&g, "one", "", "1");
        put_floats(&g, "half", "", "0.5");
        put_node(&g, "Div", "x root", "a", "");
        put_node(&g, "Erf", "a", "b", "");
        put_node(&g, "Add", "b one", "c", "");
        put_node(&g, "Mul", turn ? "x half" : "x c", "d", "");
        put_node(&g, "Mul", turn ? "d c" : "d half", "y", "");
        net = check_net(13, NULL);
        assert_int_equal(net->n_ops, 2);
        assert_int_equal(net->ops[1].act, PP_ACT_GELU);
        pp_network_free(net);
    }
}

static void bounds_and_slopes(void **state)
{
    (void)state;
    start("1x3x1x1"); /* the upper bound holds where both cross: constants alone go through it */
    put_floats(&g, "c", "1x3x1x1", "0 2 5");
    put_floats(&g, "lo", "", "3");
    put_floats(&g, "hi", "", "1");
    put_node(&g, "Clip", "c lo hi", "one", "");
    put_node(&g, "Add", "x one", "y", "");
    check(13, (const double[]){1, 1.2, 1.4});
    static const struct {
        const char *op, *attrs;
    } cases[] = {{"LeakyRelu", "alpha:f=0.2"},
                 {"LeakyRelu", "alpha:f=0.1"},
                 {"LeakyRelu", ""},
                 {"HardSigmoid", ""},
                 {"HardSigmoid", "alpha:f=0.3 beta:f=0.4"},
                 {"HardSwish", ""},
                 {"Tanh", ""},
                 {"Sigmoid", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start("1x3x2x2");
        put_floats(&g, "half", "1", "0.5");
        put_node(&g, "Sub", "x half", "a", "");
        put_node(&g, cases[i].op, "a", "y", cases[i].attrs);
        check(14, NULL);
    }
    static const char *const bounds[][2] = {
        {"0.1", "0.7"}, {"-0.2", "0.3"}, {"0.3", "1e38"}, {"-1e38", "0.5"}, {"0", "1e38"}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        start("1x3x2x2");
        put_floats(&g, "lo", "", bounds[i][0]);
        put_floats(&g, "hi", "", bounds[i][1]);
        put_node(&g, "Clip", "x lo hi", "y", "");
        check(13, NULL);
    }
}

/* ---- layouts ---- */

static void shuffles_and_views(void **state)
{
    (void)state;
    start("1x4x2x2");
    put_ints(&g, "split", "5", "1 2 2 2 2");
    put_ints(&g, "joined", "4", "1 4 2 2");
    put_node(&g, "Reshape", "x split", "a", "");
    put_node(&g, "Transpose", "a", "b", "perm:I=0,2,1,3,4");
    put_node(&g, "Reshape", "b joined", "c", "");
    put_floats(&g, "w", "2x4x1x1", "1 2 3 4 5 6 7 8");
    put_node(&g, "Conv", "c w", "y", "");
    pp_network *net = check_net(13, NULL);
    assert_int_equal(count_kind(net, PP_OP_SHUFFLE), 1);
    pp_network_free(net);
    /* The shape of x read from the graph, as exporters write a flatten. */
    start("1x2x2x3");
    put_ints(&g, "zero", "", "0");
    put_ints(&g, "first", "1", "0");
    put_ints(&g, "rest", "1", "-1");
    put_floats(&g, "w", "12x2", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24");
    put_node(&g, "Shape", "x", "s", "");
    put_node(&g, "Gather", "s zero", "n", "axis:i=0");
    put_node(&g, "Unsqueeze", "n first", "u", "");
    put_node(&g, "Concat", "u rest", "r", "axis:i=0");
    put_node(&g, "Reshape", "x r", "f", "");
    put_node(&g, "MatMul", "f w", "y", "");
    net = check_net(13, NULL);
    assert_true(net->ops[1].weight.transposed);
    pp_network_free(net);
    /* Flattened in the other order: the columns of the weight move. */
    start("1x2x2x3");
    put_floats(&g, "w", "12x1", "1 2 3 4 5 6 7 8 9 10 11 12");
    put_node(&g, "Transpose", "x", "t", "perm:I=0,2,3,1");
    put_node(&g, "Flatten", "t", "f", "");
    put_node(&g, "MatMul", "f w", "y", "");
    check(13, NULL);
    /* Tokens: [1,C,H,W] -> [1,HW,C], a product for each. */
    start("1x2x2x3");
    put_ints(&g, "tokens", "3", "1 2 6");
    put_floats(&g, "w", "2x3", "1 2 3 4 5 6");
    put_floats(&g, "b", "3", "1 2 3");
    put_node(&g, "Reshape", "x tokens", "a", "");
    put_node(&g, "Transpose", "a", "t", "perm:I=0,2,1");
    put_node(&g, "MatMul", "t w", "m", "");
    put_node(&g, "Add", "m b", "n", "");
    put_node(&g, "Transpose", "n", "y", "perm:I=0,2,1");
    check(13, NULL);
}

static void channels_last(void **state)
{
    (void)state;
    start("1x2x3x2");
    put_floats(&g, "k", "2", "2 3");
    put_floats(&g, "w", "2x2x1x1", "1 2 3 4");
    put_node(&g, "Mul", "x k", "s", "");
    put_node(&g, "Transpose", "s", "t", "perm:I=0,3,1,2");
    put_node(&g, "Conv", "t w", "c", "");
    put_node(&g, "Transpose", "c", "y", "perm:I=0,2,3,1");
    write_net(13);
    pp_network *net = check_model(path, true, NULL);
    assert_int_equal(net->ops[0].out.c, 2);
    assert_int_equal(net->ops[0].out.w, 3);
    pp_network_free(net);
}

static void gates_and_broadcasts(void **state)
{
    (void)state;
    for (int turn = 0; turn < 4; turn++) {
        static const char *const op[] = {"Mul", "Add", "Sub", "Sub"};
        start("1x3x2x2");
        put_floats(&g, "w", "3x3x1x1", "1 2 3 4 5 6 7 8 9");
        put_node(&g, "GlobalAveragePool", "x", "p", "");
        put_node(&g, "Conv", "p w", "q", "");
        put_node(&g, "Sigmoid", "q", "s", "");
        put_node(&g, op[turn], turn % 2 ? "s x" : "x s", "y", "");
        check(13, NULL);
    }
}

static void pools_and_pads(void **state)
{
    (void)state;
    static const struct {
        const char *op, *attrs;
    } cases[] = {{"MaxPool", "kernel_shape:I=2,2 strides:I=2,2 ceil_mode:i=1"},
                 {"MaxPool", "kernel_shape:I=3,3 pads:I=1,1,1,1 strides:I=2,2"},
                 {"MaxPool", "kernel_shape:I=2,2 auto_pad:s=SAME_UPPER"},
                 {"MaxPool", "kernel_shape:I=2,2 auto_pad:s=SAME_LOWER"},
                 {"AveragePool", "kernel_shape:I=2,2 pads:I=1,1,0,0 count_include_pad:i=1"},
                 {"AveragePool", "kernel_shape:I=3,2 strides:I=2,1 ceil_mode:i=1"},
                 {"GlobalMaxPool", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start("1x2x5x5");
        put_node(&g, cases[i].op, "x", "y", cases[i].attrs);
        check(12, NULL);
    }
    start("1x2x5x5"); /* zeros in front of a maximum over what is not negative */
    put_ints(&g, "pads", "8", "0 0 1 1 0 0 1 1");
    put_node(&g, "Relu", "x", "r", "");
    put_node(&g, "Pad", "r pads", "p", "");
    put_node(&g, "MaxPool", "p", "y", "kernel_shape:I=3,3 strides:I=2,2");
    check(12, NULL);
    start("1x2x5x5"); /* parts, every second pixel, channels of zeros: the shortcut of a CIFAR ResNet */
    put_ints(&g, "from", "2", "0 0");
    put_ints(&g, "to", "2", "5 9223372036854775807");
    put_ints(&g, "axes", "2", "2 3");
    put_ints(&g, "steps", "2", "2 2");
    put_ints(&g, "pads", "8", "0 0 0 0 0 2 0 0");
    put_node(&g, "Slice", "x from to axes steps", "s", "");
    put_node(&g, "Pad", "s pads", "y", "");
    check(12, NULL);
    start("1x2x3x5"); /* the shape of a padded map: it has 6 columns */
    put_ints(&g, "pads", "8", "0 0 1 1 0 0 0 0");
    put_ints(&g, "last", "", "3");
    put_node(&g, "Pad", "x pads", "p", "");
    put_node(&g, "Shape", "p", "shape", "");
    put_node(&g, "Gather", "shape last", "n", "");
    put_node(&g, "Cast", "n", "f", "to:i=1");
    put_node(&g, "MaxPool", "x", "m", "kernel_shape:I=2,2");
    put_node(&g, "Mul", "m f", "y", "");
    check(13, NULL);
}

/* Borders that no window takes in: what reads them is no convolution, or they are no zeros. */
static void borders_become_pixels(void **state)
{
    (void)state;
    static const char *const modes[] = {"mode:s=reflect", "mode:s=edge", "mode:s=wrap", ""};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        start("1x2x3x4");
        put_ints(&g, "pads", "8", "0 0 1 2 0 0 2 0");
        put_floats(&g, "fill", "", "0.5");
        put_floats(&g, "w", "1x2x2x2", "1 2 3 4 5 6 7 8");
        put_node(&g, "Pad", *modes[i] ? "x pads" : "x pads fill", "p", modes[i]);
        put_node(&g, "Conv", "p w", "y", "");
        pp_network *net = check_net(19, NULL);
        assert_int_equal(pp_network_parameters(net), 8);
        pp_network_free(net);
    }
    static const char *const readers[][2] = {{"Sigmoid", ""}, {"Neg", ""}, {"GlobalAveragePool", ""}, {"Flatten", ""},
                                             {"MaxPool", "kernel_shape:I=2,2"},
                                             {"AveragePool", "kernel_shape:I=2,2 pads:I=1,0,0,1"}};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        start("1x2x3x3");
        put_ints(&g, "pads", "8", "0 0 1 0 0 0 0 2");
        put_node(&g, "Neg", "x", "n", ""); /* the zeros are the largest */
        put_node(&g, "Pad", "n pads", "p", "");
        put_node(&g, readers[i][0], "p", "y", readers[i][1]);
        check(13, NULL);
    }
    start("1x2x3x3"); /* zeros, and what is around them; nothing reads it */
    put_ints(&g, "pads", "8", "0 0 1 0 0 0 0 2");
    put_node(&g, "Pad", "x pads", "a", "");
    put_node(&g, "Pad", "a pads", "y", "mode:s=edge");
    check(13, NULL);
    start("1x2x3x3");
    put_ints(&g, "pads", "8", "0 0 3 0 0 0 0 0");
    put_node(&g, "Pad", "x pads", "y", "mode:s=reflect");
    refuses(13, "is not reflected");
    start("1x2x3x3");
    put_ints(&g, "pads", "8", "0 0 -1 1 0 0 0 0");
    put_node(&g, "Pad", "x pads", "y", "mode:s=edge");
    refuses(13, "crop nothing");
}

/* A file that was made for several images: sizes in it count all of them. */
static void several_images(void **state)
{
    static const char *const shapes[] = {"4 -1", "4 18", "-1 18", "0 -1"};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        start("4x2x3x3");
        put_ints(&g, "shape", "2", shapes[i]);
        put_node(&g, "Reshape", "x shape", "y", "");
        check(13, NULL);
    }
    start("4x2x3x3");
    put_ints(&g, "sizes", "4", "4 2 6 6");
    put_node(&g, "Resize", "x - - sizes", "y", "coordinate_transformation_mode:s=asymmetric nearest_mode:s=floor");
    check(13, NULL);
    start("4x2x3x3"); /* a size of 1 that is left out; the images' is not */
    put_floats(&g, "w", "2x2", "1 2 3 4");
    put_node(&g, "GlobalAveragePool", "x", "g", "");
    put_node(&g, "Squeeze", "g", "s", "");
    put_node(&g, "Gemm", "s w", "y", "");
    check(13, NULL);
}

/* Results in one dimension come in the order of the file: rows and columns were exchanged before. */
static void turned_maps_are_flattened_in_order(void **state)
{
    static const char *const cases[][2] = {{"1x2x3x4", "perm:I=0,1,3,2"}, {"1x1x3x4", "perm:I=0,1,3,2"}, {"1x1x3x4", "perm:I=0,3,2,1"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start(cases[i][0]);
        put_node(&g, "Transpose", "x", "t", cases[i][1]);
        put_node(&g, "Flatten", "t", "y", "");
        check(13, NULL);
    }
    start("1x2x3x4");
    put_node(&g, "Transpose", "x", "t", "perm:I=0,2,1,3");
    put_node(&g, "Flatten", "t", "y", "");
    refuses(13, "channels between rows and columns");
}

static void quantized_graphs(void **state)
{
    (void)state;
    start("1x2x2x2");
    put_floats(&g, "s", "", "0.0125");
    put_raw(&g, "z", 2, "", "\x10", 1);
    put_raw(&g, "q", 3, "2x2x1x1", "\x01\xfe\x7f\x03", 4);
    put_floats(&g, "qs", "2", "0.01 0.02");
    put_raw(&g, "qz", 3, "2", "\x00\x00", 2);
    put_node(&g, "QuantizeLinear", "x s z", "a", "");
    put_node(&g, "DequantizeLinear", "a s z", "b", "");
    put_node(&g, "DequantizeLinear", "q qs qz", "w", "axis:i=0");
    put_node(&g, "Conv", "b w", "y", "");
    write_net(13);
    /* Pixels are multiples of 0.2 = 16 codes, up to 1 = 80: nothing is rounded and nothing clipped. */
    pp_network *net = check_model(path, false, NULL);
    assert_int_equal(net->ops[1].weight.dtype, PP_DTYPE_I8);
    pp_network_free(net);
    /* Codes that may be below zero are no ReLU: of 4 bits, and of a type that no zero point tells. -1, -.6 ... 1 in 8 steps. */
    for (int i = 0; i < 2; i++) {
        start("1x1x2x3");
        put_floats(&g, "s", "", "0.2");
        put_raw(&g, "z", 22, "", "\x00", 1);
        put_floats(&g, "w", "1x1x1x1", "2");
        put_floats(&g, "b", "1", "-1");
        put_node(&g, "Conv", "x w b", "c", "");
        put_node(&g, "QuantizeLinear", i ? "c s" : "c s z", "q", i ? "output_dtype:i=3" : "");
        put_node(&g, "DequantizeLinear", i ? "q s" : "q s z", "y", "");
        check(21, (const double[]){-1, -0.6, -0.2, 0.2, 0.6, 1});
    }
}

static void a_last_softmax_is_left_out(void **state)
{
    (void)state;
    start("1x3");
    put_floats(&g, "w", "3x2", "1 2 3 4 5 6");
    put_node(&g, "MatMul", "x w", "m", "");
    put_node(&g, "Softmax", "m", "y", "");
    pp_network *net = check_net(13, (const double[]){2.6, 3.2});
    assert_non_null(strstr(net->note, "Softmax"));
    pp_network_free(net);
}

/* A block as ConvNeXt has it: depthwise convolution, channels moved last, layer norm, two products with GELU, a scale,
 * channels back, sum. */
static void blocks_with_layer_norms(void **state)
{
    (void)state;
    start("1x4x3x3");
    put_floats(&g, "d", "4x1x3x3", "1 2 3 4 5 6 7 8 9 9 8 7 6 5 4 3 2 1 1 0 2 0 3 0 4 0 5 -1 -2 -3 -4 -5 -6 -7 -8 -9");
    put_floats(&g, "s", "4", "1 0.5 2 -1");
    put_floats(&g, "t", "4", "0 1 -1 0.5");
    put_floats(&g, "u", "4x6", "1 2 3 4 5 6 -1 -2 -3 1 2 3 0 1 0 1 0 1 2 2 -2 -2 1 1");
    put_floats(&g, "b", "6", "0.1 0.2 0.3 0.4 0.5 0.6");
    put_floats(&g, "v", "6x4", "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 1 1 1 1 -1 -1 1 1");
    put_floats(&g, "gamma", "4", "0.1 0.2 0.3 0.4");
    put_node(&g, "Conv", "x d", "c", "group:i=4 pads:I=1,1,1,1");
    put_node(&g, "Transpose", "c", "l", "perm:I=0,2,3,1");
    put_node(&g, "LayerNormalization", "l s t", "n", "epsilon:f=0.000001");
    put_node(&g, "MatMul", "n u", "m", "");
    put_node(&g, "Add", "m b", "a", "");
    put_node(&g, "Gelu", "a", "e", "");
    put_node(&g, "MatMul", "e v", "o", "");
    put_node(&g, "Mul", "gamma o", "k", "");
    put_node(&g, "Transpose", "k", "f", "perm:I=0,3,1,2");
    put_node(&g, "Add", "f x", "y", "");
    pp_network *net = check_net(20, NULL);
    assert_int_equal(net->n_ops, 7);
    assert_int_equal(count_kind(net, PP_OP_NORM), 1);
    pp_network_free(net);
    /* (0, .2, .4): mean .2, variance .08 / 3; (x - mean) / sqrt(.0266667 + .01) = -/+ 1.0444659, 0 */
    start("1x3");
    put_floats(&g, "s", "3", "1 1 2");
    put_node(&g, "LayerNormalization", "x s", "y", "epsilon:f=0.01");
    check(17, (const double[]){-1.0444659, 0, 2.0889319});
    /* The same in parts, as exporters of opset 16 and below write it. */
    for (int turn = 0; turn < 2; turn++) {
        start("1x3");
        put_floats(&g, "e", "", "0.01");
        put_floats(&g, "s", "3", "1 1 2");
        put_node(&g, "ReduceMean", "x", "m", "axes:I=-1");
        put_node(&g, "Sub", "x m", "d", "");
        put_node(&g, "Constant", "", "two", "value_float:f=2");
        put_node(&g, turn ? "Mul" : "Pow", turn ? "d d" : "d two", "p", "");
        put_node(&g, "ReduceMean", "p", "q", "axes:I=-1");
        put_node(&g, "Cast", "e", "e2", "to:i=1"); /* a constant that is passed on */
        put_node(&g, "Add", turn ? "e q" : "q e2", "a", "");
        put_node(&g, "Sqrt", "a", "r", "");
        put_node(&g, "Div", "d r", "n", "");
        put_node(&g, "Mul", "n s", "y", "");
        net = check_net(13, (const double[]){-1.0444659, 0, 2.0889319});
        assert_int_equal(net->n_ops, 2); /* the scale goes into the norm */
        pp_network_free(net);
    }
    /* Softmax inside, of (0, .2). */
    start("1x2x1x1");
    put_node(&g, "Softmax", "x", "s", "axis:i=1");
    put_node(&g, "Relu", "s", "y", "");
    check(13, (const double[]){.4501660, .5498340});
}

/* As AlexNet and GoogLeNet have it. */
static void local_response_norms(void **state)
{
    (void)state;
    /* Even: the channel and the one behind it. 0, .2, .4 over 1 + (.04, .2, .16) / 2. */
    start("1x3x1x1");
    put_node(&g, "LRN", "x", "y", "size:i=2 alpha:f=1 beta:f=1 bias:f=1");
    check(13, (const double[]){0, .2 / 1.1, .4 / 1.08});
    /* Odd: both neighbours, over sqrt(1/4 + (.04, .2, .2)). */
    start("1x3x1x1");
    put_node(&g, "LRN", "x", "y", "size:i=3 alpha:f=3 beta:f=0.5 bias:f=0.25");
    check(13, (const double[]){0, .2 / sqrt(.45), .4 / sqrt(.45)});
    /* More than there are; of a vector; an exponent below zero: x (1 + .2 / 9). */
    start("1x3");
    put_node(&g, "LRN", "x", "y", "size:i=9 alpha:f=1 beta:f=-1");
    check(13, (const double[]){0, .2 * (1 + .2 / 9), .4 * (1 + .2 / 9)});
    /* What is given by default, between a convolution and a pool; a scale behind it stays an operator. */
    start("1x2x4x4");
    put_floats(&g, "w", "7x2x1x1", "1 2 -3 4 5 -6 7 8 9 10 -1 1 0 3");
    put_floats(&g, "k", "", "3");
    put_node(&g, "Conv", "x w", "c", "");
    put_node(&g, "Relu", "c", "r", "");
    put_node(&g, "LRN", "r", "n", "size:i=5 alpha:f=0.02");
    put_node(&g, "Mul", "n k", "m", "");
    put_node(&g, "MaxPool", "m", "y", "kernel_shape:I=2,2 strides:I=2,2");
    pp_network *net = check_net(13, NULL);
    assert_int_equal(count_kind(net, PP_OP_RESPONSE_NORM), 1);
    assert_int_equal(count_kind(net, PP_OP_SCALE), 1);
    pp_network_free(net);
    /* Channels last, and first again. */
    start("1x2x3x5");
    put_node(&g, "Transpose", "x", "t", "perm:I=0,3,1,2");
    put_node(&g, "LRN", "t", "n", "size:i=3 alpha:f=2");
    put_node(&g, "Transpose", "n", "y", "perm:I=0,2,3,1");
    pp_network_free(check_last(13, NULL));
    start("1x2x3x4");
    put_node(&g, "Transpose", "x", "t", "perm:I=0,2,1,3");
    put_node(&g, "LRN", "t", "y", "size:i=3");
    refuses(13, "(LRN): only over the channels");
    start("1x3x1x1");
    put_node(&g, "LRN", "x", "y", "");
    refuses(13, "size 0, expected 1 to");
    start("1x3x1x1");
    put_node(&g, "LRN", "x", "y", "size:i=3 bias:f=0");
    refuses(13, "bias above 0");
}

static void weights_beside_the_file(void **state)
{
    (void)state;
    const float w[4] = {0, 1, 2, 3}; /* the first is not of the weight */
    bytes t = {.len = 0}, e = {.len = 0};
    static const char *const entry[3][2] = {{"location", "made.bin"}, {"offset", "4"}, {"length", "12"}};
    write_file("made.bin", w, sizeof w);
    start("1x3");
    put_int(&t, 1, 3);
    put_int(&t, 1, 1);
    put_int(&t, 2, 1);
    put_text(&t, 8, "w");
    for (size_t i = 0; i < 3; i++) {
        e.len = 0;
        put_text(&e, 1, entry[i][0]);
        put_text(&e, 2, entry[i][1]);
        put_bytes(&t, 13, e.data, e.len);
    }
    put_int(&t, 14, 1);
    put_bytes(&g, 5, t.data, t.len);
    put_node(&g, "MatMul", "x w", "y", "");
    check(13, (const double[]){0.2 * 2 + 0.4 * 3});
    remove("made.bin");
    pp_network *net = NULL;
    assert_fails(pp_network_from_onnx(&net, path), "made.bin");
}

/* Names of values hold slashes; any of them may be where the network ends. */
static void a_network_up_to_an_inner_value(void **state)
{
    (void)state;
    pp_network *net = NULL;
    start("1x2x2x2");
    put_node(&g, "Relu", "x", "/a/b/Relu_output_0", "");
    put_node(&g, "TopK", "/a/b/Relu_output_0", "y", "");
    refuses(13, "made.onnx: node 'TopK_y' (TopK): sorting is not simulated "
                                                   "(MODEL:output=/a/b/Relu_output_0 takes the part before it)");
    assert_ok(pp_network_from_onnx(&net, "made.onnx:output=/a/b/Relu_output_0"));
    assert_int_equal(net->n_ops, 2);
    pp_network_free(net);
}

static void what_has_no_place_is_named(void **state)
{
    (void)state;
    pp_network *net = NULL;
    static const char *const cases[][3] = {
        {"LSTM", "x w", "recurrent layers are not simulated"},
        {"Loop", "x w", "branches and loops"},
        {"QLinearConv", "x w", "QDQ form"},
        {"MatMulInteger", "x w", "without dynamic quantization"},
        {"NonMaxSuppression", "x w", "boxes"},
        {"Bernoulli", "x", "this operator has no place in a network"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char where[64];
        start("1x1x2x2");
        put_floats(&g, "w", "1", "1");
        put_node(&g, cases[i][0], cases[i][1], "y", "");
        write_net(13);
        snprintf(where, sizeof where, "node '%s_y' (%s)", cases[i][0], cases[i][0]);
        assert_fails(pp_network_from_onnx(&net, path), cases[i][2]);
        assert_fails(pp_network_from_onnx(&net, path), where);
    }
}

/* An input as field 11 of a graph: its TypeProto. */
static void put_typed_input(const void *type, size_t n)
{
    bytes info = {.len = 0};
    put_text(&info, 1, "x");
    put_bytes(&info, 2, type, n);
    put_bytes(&g, 11, info.data, info.len);
}

/* Inputs without a shape, of a type or rank that is no map; functions of a file's own. */
static void inputs_and_operators_of_other_kinds(void **state)
{
    (void)state;
    pp_network *net = NULL;
    g.len = 0;
    put_typed_input("\x0a\x02\x08\x01", 4);
    put_floats(&g, "w", "1x2x1x1", "2 1");
    put_node(&g, "Conv", "x w", "y", "");
    refuses(13, "its input 'x' has no shape; give it: MODEL:input=HxWxC");
    assert_ok(pp_network_from_onnx(&net, "made.onnx:input=3x4x2"));
    assert_int_equal(net->ops[net->output].out.w, 4);
    pp_network_free(net);
    g.len = 0;
    put_typed_input("\x0a\x08\x08\x02\x12\x04\x0a\x02\x08\x05", 10);
    put_node(&g, "Cast", "x", "y", "to:i=1");
    refuses(13, "its input 'x' is a tensor of rank 1, UINT8");
    start("1x4");
    bytes node = {.len = 0}, model = {.len = 0};
    put_text(&node, 1, "x");
    put_text(&node, 2, "y");
    put_text(&node, 4, "Twice");
    put_text(&node, 7, "own");
    put_bytes(&g, 1, node.data, node.len);
    refuses(13, "node 'y' (Twice): operators of 'own' are not known; export the model without an optimiser's");
    put_bytes(&model, 8, "\x10\x0d", 2);
    put_bytes(&model, 7, g.data, g.len);
    put_bytes(&model, 25, "\x0a\x05Twice", 7);
    write_file(path, model.data, model.len);
    assert_fails(pp_network_from_onnx(&net, path), "without functions of its own");
}

static void options_behind_the_colon(void **state)
{
    (void)state;
    pp_network *net = NULL;
    g.len = 0;
    put_info(&g, 11, "x", "0x2x0x0");
    put_node(&g, "Relu", "x", "y", "");
    put_node(&g, "Sigmoid", "x", "z", "");
    put_info(&g, 12, "y", "0");
    put_info(&g, 12, "z", "0");
    write_model(path, 13, &g);
    assert_fails(pp_network_from_onnx(&net, path), "choose one");
    assert_fails(pp_network_from_onnx(&net, "made.onnx:output=y"), "leaves sizes open");
    assert_fails(pp_network_from_onnx(&net, "made.onnx:output=y,input=3x4x3"), "has size 2");
    assert_fails(pp_network_from_onnx(&net, "made.onnx:output=q,input=3x4x2"), "no node of the graph makes a value 'q'");
    assert_fails(pp_network_from_onnx(&net, "made.onnx:inputs=3x4x2"), "behind the colon");
    assert_fails(pp_network_from_onnx(&net, "made.onnx:input=3x4x2,"), "behind the colon");
    assert_ok(pp_network_from_onnx(&net, "made.onnx:output=z,input=3x4x2"));
    assert_int_equal(net->n_ops, 2);
    assert_int_equal(net->ops[1].act, PP_ACT_SIGMOID);
    pp_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(opset_18),
                                       cmocka_unit_test(opset_19),
                                       cmocka_unit_test(opset_20),
                                       cmocka_unit_test(opset_21),
                                       cmocka_unit_test(batch_norms_are_folded),
                                       cmocka_unit_test(activations_in_parts_become_one),
                                       cmocka_unit_test(bounds_and_slopes),
                                       cmocka_unit_test(local_response_norms),
                                       cmocka_unit_test(shuffles_and_views),
                                       cmocka_unit_test(channels_last),
                                       cmocka_unit_test(gates_and_broadcasts),
                                       cmocka_unit_test(pools_and_pads),
                                       cmocka_unit_test(borders_become_pixels),
                                       cmocka_unit_test(several_images),
                                       cmocka_unit_test(turned_maps_are_flattened_in_order),
                                       cmocka_unit_test(quantized_graphs),
                                       cmocka_unit_test(a_last_softmax_is_left_out),
                                       cmocka_unit_test(blocks_with_layer_norms),
                                       cmocka_unit_test(weights_beside_the_file),
                                       cmocka_unit_test(a_network_up_to_an_inner_value),
                                       cmocka_unit_test(what_has_no_place_is_named),
                                       cmocka_unit_test(inputs_and_operators_of_other_kinds),
                                       cmocka_unit_test(options_behind_the_colon)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
