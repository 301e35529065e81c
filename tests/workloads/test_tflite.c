/* Hand-made TensorFlow Lite graphs: results computed by hand, by the evaluator, by the network and by the fast executor
 * agree; damaged files are refused. */
#include "onnx_check.h"
#include "tflite_writer.h"

#define FILE_NAME "made.tflite"

static pp_network *check_lite(const double *expected)
{
    lite_write(FILE_NAME, "x", "y");
    return check_file(FILE_NAME, FILE_NAME, true, expected);
}

static void checked(const double *expected)
{
    pp_network_free(check_lite(expected));
}

static void refused(const char *says)
{
    pp_network *net = NULL;
    lite_write(FILE_NAME, "x", "y");
    assert_fails(pp_network_from_onnx(&net, FILE_NAME), says);
}

/* x: 0 .2 .4 .6 .8 1 0 .2 ... in the order [H][W][C]. */
static void convolutions_by_hand(void **state)
{
    (void)state;
    /* 1x2x2, SAME, 2x2 kernel of one output: tap (0,0) has (1, 2), (0,1) (3, 4), (1,0) (5, 6), (1,1) (7, 8). The map is
     * (0 .2)(.4 .6) / (.8 1)(0 .2); padding is behind. */
    lite_start();
    lite_value("x", "1x2x2x2");
    lite_value("y", "1x2x2x1");
    lite_floats("w", "1x2x2x2", "1 2 3 4 5 6 7 8");
    lite_floats("b", "1", "0.5");
    lite_node(3, "x w b", "y", "1:i=1 2:i=1");
    checked((const double[]){0.5 + .4 + 3.6 + 10 + 1.6, 0.5 + 1.6 + 1.2, 0.5 + 2.8 + 0.8, 0.5 + 0.4});
    /* The same with stride 2 and ReLU6: one pixel, 16.1 before it. */
    lite_start();
    lite_value("x", "1x2x2x2");
    lite_value("y", "1x1x1x1");
    lite_floats("w", "1x2x2x2", "1 2 3 4 5 6 7 8");
    lite_floats("b", "1", "0.5");
    lite_node(3, "x w b", "y", "0:b=1 1:i=2 2:i=2 3:b=3");
    checked((const double[]){6});
    /* Depthwise, two outputs a channel: 1x1 kernels 1, 2 of the first and 3, 4 of the second. */
    lite_start();
    lite_value("x", "1x1x2x2");
    lite_value("y", "1x1x2x4");
    lite_floats("w", "1x1x1x4", "1 2 3 4");
    lite_node(4, "x w", "y", "0:b=1 1:i=1 2:i=1 3:i=2");
    checked((const double[]){0, 0, .6, .8, .4, .8, 1.8, 2.4});
    /* Depthwise 1x2 over three pixels of one channel. */
    lite_start();
    lite_value("x", "1x1x3x1");
    lite_value("y", "1x1x2x1");
    lite_floats("w", "1x1x2x1", "1 10");
    lite_node(4, "x w", "y", "0:b=1 1:i=1 2:i=1 3:i=1 4:b=1");
    checked((const double[]){2, 4.2});
}

static void convolutions_against_the_definition(void **state)
{
    (void)state;
    static const struct {
        int32_t code;
        const char *x, *y, *w, *options;
        size_t n;
    } cases[] = {
        {3, "1x5x6x2", "1x3x3x3", "3x3x3x2", "0:b=0 1:i=2 2:i=2 3:b=1", 54},
        {3, "1x5x6x4", "1x3x4x2", "2x3x3x2", "0:b=1 1:i=1 2:i=1", 36}, /* two groups */
        {3, "1x7x7x1", "1x7x7x2", "2x3x3x1", "0:b=0 1:i=1 2:i=1 4:i=2 5:i=2", 18},
        {4, "1x6x5x3", "1x3x3x3", "1x3x3x3", "0:b=0 1:i=2 2:i=2 3:i=1 4:b=3", 27},
        {4, "1x4x4x2", "1x4x4x4", "1x3x2x4", "0:b=0 1:i=1 2:i=1 3:i=2", 24},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char numbers[1024];
        size_t at = 0;
        for (size_t k = 0; k < cases[i].n; k++)
            at += (size_t)snprintf(numbers + at, sizeof numbers - at, "%g ", (double)(k % 7) / 4 - 0.6);
        lite_start();
        lite_value("x", cases[i].x);
        lite_value("y", cases[i].y);
        lite_floats("w", cases[i].w, numbers);
        lite_node(cases[i].code, "x w", "y", cases[i].options);
        checked(NULL);
    }
}

static void weights_in_codes(void **state)
{
    (void)state;
    /* int8, a scale for each of two outputs: (2 -4) 0.5 and (-8 8) 0.25 on (0, .2). */
    lite_start();
    lite_value("x", "1x1x1x2");
    lite_value("y", "1x1x1x2");
    lite_codes(lite_whole("w", 9, "2x1x1x2", "2 -4 -8 8"), "0.5 0.25", "0 0", 0);
    lite_codes(lite_whole("b", 2, "2", "10 -4"), "0.1 0.25", "0 0", 0);
    lite_node(3, "x w b", "y", "0:b=1 1:i=1 2:i=1");
    pp_network *net = check_lite((const double[]){1 - .4, -1 + .4});
    assert_int_equal(net->ops[1].weight.dtype, PP_DTYPE_I8); /* a view of the file */
    assert_non_null(net->ops[1].weight.row_scale);
    pp_network_free(net);
    /* uint8 with one scale and zero point 128; the axis of a depthwise convolution is the last. */
    lite_start();
    lite_value("x", "1x1x1x2");
    lite_value("y", "1x2");
    lite_codes(lite_whole("d", 9, "1x1x1x2", "3 5"), "1 2", "0 0", 3);
    lite_codes(lite_whole("w", 3, "2x2", "129 130 126 128"), "0.5", "128", 0);
    lite_value("a", "1x1x1x2");
    lite_value("f", "1x2");
    lite_node(4, "x d", "a", "0:b=1 1:i=1 2:i=1 3:i=1"); /* 0, 2 */
    lite_node(22, "a", "f", "");
    lite_node(9, "f w", "y", "");
    checked((const double[]){2, 0});
    /* 4 bits, two codes a byte: 1, -8 and 7, 0. */
    lite_start();
    lite_value("x", "1x2");
    lite_value("y", "1x2");
    lite_tensor *t = lite_add("w", 17, "2x2");
    memcpy(t->data, "\x81\x07", 2);
    t->n = 2;
    lite_codes(t, "0.5", "0", 0);
    lite_node(9, "x w", "y", "");
    checked((const double[]){-0.8, 0});
    /* Half floats behind a Dequantize: 1, 2 / -1, 0.5. */
    lite_start();
    lite_value("x", "1x2");
    lite_value("y", "1x2");
    t = lite_add("h", 1, "2x2");
    memcpy(t->data, "\0\x3c\0\x40\0\xbc\0\x38", 8);
    t->n = 8;
    lite_value("w", "2x2");
    lite_node(6, "h", "w", "");
    lite_node(9, "x w", "y", "0:b=1");
    net = check_lite((const double[]){.4, .1});
    assert_int_equal(net->ops[1].weight.dtype, PP_DTYPE_F16);
    pp_network_free(net);
    /* Quantized activations are numbers: int8 in and out, with steps between. */
    lite_start();
    lite_codes(lite_add("x", 9, "1x1x2x1"), "0.0039215686", "-128", 0);
    lite_codes(lite_add("y", 9, "1x1x2x1"), "0.02", "0", 0);
    lite_codes(lite_whole("w", 9, "1x1x1x1", "4"), "0.5", "0", 0);
    lite_node(3, "x w", "y", "0:b=1 1:i=1 2:i=1");
    checked((const double[]){0, .4});
}

static void linear_layers_and_views(void **state)
{
    (void)state;
    /* A map flattened in its own order, [H][W][C]: (0 .2 .4 .6) (1 2 3 4) = 4, -> relu(4 - 5). */
    lite_start();
    lite_value("x", "1x2x1x2");
    lite_value("f", "1x4");
    lite_value("y", "1x2");
    lite_floats("w", "2x4", "1 2 3 4 -1 -2 -3 -4");
    lite_floats("b", "2", "-3 1");
    lite_node(22, "x", "f", "");
    lite_node(9, "f w b", "y", "0:b=1");
    checked((const double[]){1, 0});
    /* The same without the reshape. */
    lite_start();
    lite_value("x", "1x2x1x2");
    lite_value("y", "1x1");
    lite_floats("w", "1x4", "1 2 3 4");
    lite_node(9, "x w", "y", "");
    checked((const double[]){4});
    /* Of each token; mean over tokens; softmax at the end, which is left out. */
    lite_start();
    lite_value("x", "1x2x3");
    lite_value("t", "1x2x2");
    lite_value("m", "1x2");
    lite_value("y", "1x2");
    lite_floats("w", "2x3", "1 0 0 0 1 1");
    lite_floats("b", "2", "0.5 0");
    lite_whole("a", 2, "1", "1");
    lite_node(9, "x w b", "t", "0:b=0 2:b=1");
    lite_node(40, "t a", "m", "0:b=0");
    lite_node(25, "m", "y", "0:f=1");
    pp_network *net = check_lite((const double[]){.8, 1.2});
    assert_true(net->note[0] != '\0');
    pp_network_free(net);
    /* Global mean of a map, kept as one pixel. */
    lite_start();
    lite_value("x", "1x1x3x2");
    lite_value("y", "1x1x1x2");
    lite_whole("a", 2, "2", "1 2");
    lite_node(40, "x a", "y", "0:b=1");
    checked((const double[]){.4, .6});
}

static void elementwise_operators(void **state)
{
    (void)state;
    /* Numbers for each channel, a gate, two maps. */
    lite_start();
    lite_value("x", "1x1x2x2");
    lite_value("a", "1x1x2x2");
    lite_value("g", "1x1x1x2");
    lite_value("m", "1x1x2x2");
    lite_value("y", "1x1x2x2");
    lite_floats("c", "2", "1 -1");
    lite_whole("axes", 2, "2", "1 2");
    lite_node(0, "x c", "a", "0:b=1");      /* 1 0, 1.4 0 */
    lite_node(40, "x axes", "g", "0:b=1");  /* .2 .4 */
    lite_node(18, "a g", "m", "");          /* .2 0 .28 0 */
    lite_node(41, "x m", "y", "0:b=0");
    checked((const double[]){-.2, .2, .12, .6});
    /* Each activation on x - 0.5, against the evaluator. */
    static const struct {
        int32_t code;
        const char *options;
    } acts[] = {{14, ""}, {19, ""}, {20, ""}, {21, ""}, {28, ""}, {59, ""}, {98, "0:f=0.3"}, {117, ""}, {150, "0:b=1"},
                {152, ""}};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        lite_start();
        lite_value("x", "1x2x2x3");
        lite_value("d", "1x2x2x3");
        lite_value("y", "1x2x2x3");
        lite_floats("c", "", "0.5");
        lite_node(41, "x c", "d", "");
        lite_node(acts[i].code, "d", "y", acts[i].options);
        checked(NULL);
    }
    /* Slopes of two channels below zero, and bounds. */
    lite_start();
    lite_value("x", "1x1x2x2");
    lite_value("n", "1x1x2x2");
    lite_value("p", "1x1x2x2");
    lite_value("y", "1x1x2x2");
    lite_floats("s", "1x1x2", "0.5 2");
    lite_floats("k", "1", "-0.3");
    lite_node(59, "x", "n", "");
    lite_node(54, "n s", "p", "");
    lite_node(55, "p k", "y", "");
    checked((const double[]){0, -.3, -.2, -.3});
}

/* x / sqrt(1/4 + squares of the channel and its neighbours): 0, .2 and .4 have (.04, .2, .2). */
static void response_norm_of_a_map(void **state)
{
    (void)state;
    lite_start();
    lite_value("x", "1x1x1x3");
    lite_value("y", "1x1x1x3");
    lite_node(13, "x", "y", "0:i=1 1:f=0.25 2:f=1 3:f=0.5");
    checked((const double[]){0, .2 / sqrt(.45), .4 / sqrt(.45)});
    lite_start();
    lite_value("x", "1x2x2x9");
    lite_value("y", "1x2x2x9");
    lite_node(13, "x", "y", "0:i=2 1:f=1 2:f=0.7 3:f=0.75");
    checked(NULL);
    lite_start();
    lite_value("x", "1x1x1x3");
    lite_value("y", "1x1x1x3");
    lite_node(13, "x", "y", "0:i=-1 1:f=1");
    refused("radius -1");
}

static void layer_norm_with_rsqrt(void **state)
{
    (void)state;
    /* (0, .2, .4): mean .2, variance .08 / 3; (x - mean) / sqrt(.0266667 + .01). */
    lite_start();
    lite_value("x", "1x3");
    lite_value("m", "1x1");
    lite_value("d", "1x3");
    lite_value("q", "1x3");
    lite_value("v", "1x1");
    lite_value("e", "1x1");
    lite_value("r", "1x1");
    lite_value("y", "1x3");
    lite_whole("a", 2, "1", "-1");
    lite_floats("eps", "", "0.01");
    lite_node(40, "x a", "m", "0:b=1");
    lite_node(41, "x m", "d", "");
    lite_node(18, "d d", "q", "");
    lite_node(40, "q a", "v", "0:b=1");
    lite_node(0, "v eps", "e", "");
    lite_node(76, "e", "r", "");
    lite_node(18, "d r", "y", "");
    pp_network *net = check_lite((const double[]){-1.0444659, 0, 1.0444659});
    assert_int_equal(count_kind(net, PP_OP_NORM), 1);
    pp_network_free(net);
}

/* Tokens in two heads: scores with their keys turned, weights turned by the left flag, values. */
static void attention(void **state)
{
    (void)state;
    lite_start();
    lite_value("x", "1x3x4");
    lite_value("h", "1x3x2x2");
    lite_value("q", "1x2x3x2");
    lite_value("s", "1x2x3x3");
    lite_value("p", "1x2x3x3");
    lite_value("t", "1x2x3x3");
    lite_value("c", "1x2x3x2");
    lite_value("b", "1x3x2x2");
    lite_value("y", "1x3x4");
    lite_whole("heads", 2, "4", "1 3 2 2");
    lite_whole("turn", 2, "4", "0 2 1 3");
    lite_whole("swap", 2, "4", "0 1 3 2");
    lite_whole("merge", 2, "3", "1 3 4");
    lite_node(22, "x heads", "h", "");
    lite_node(39, "h turn", "q", "");
    lite_node(126, "q q", "s", "1:b=1");
    lite_node(25, "s", "p", "0:f=1");
    lite_node(39, "p swap", "t", "");
    lite_node(126, "t q", "c", "0:b=1");
    lite_node(39, "c turn", "b", "");
    lite_node(22, "b merge", "y", "");
    pp_network *net = check_lite(NULL);
    assert_int_equal(count_kind(net, PP_OP_PRODUCT), 2);
    pp_network_free(net);
}

static void pools_pads_and_parts(void **state)
{
    (void)state;
    /* SAME averages divide by what is inside: 2x2 over 1x3. */
    lite_start();
    lite_value("x", "1x1x3x1");
    lite_value("y", "1x1x3x1");
    lite_node(1, "x", "y", "0:b=0 1:i=1 2:i=1 3:i=2 4:i=2");
    checked((const double[]){.1, .3, .4});
    lite_start();
    lite_value("x", "1x4x4x3");
    lite_value("y", "1x2x2x3");
    lite_node(17, "x", "y", "0:b=1 1:i=2 2:i=2 3:i=2 4:i=2");
    checked(NULL);
    /* Zeros around the map, in front of a sum of two; then channels of zeros behind. */
    lite_start();
    lite_value("x", "1x1x2x1");
    lite_value("p", "1x1x3x1");
    lite_value("c", "1x1x2x1");
    lite_value("y", "1x1x2x3");
    lite_whole("pads", 2, "4x2", "0 0 0 0 1 0 0 0");
    lite_whole("more", 2, "4x2", "0 0 0 0 0 0 0 2");
    lite_floats("w", "1x1x2x1", "1 1");
    lite_node(34, "x pads", "p", "");
    lite_node(3, "p w", "c", "0:b=1 1:i=1 2:i=1");
    lite_node(34, "c more", "y", "");
    checked((const double[]){0, 0, 0, .2, 0, 0});
    /* Channels in two parts, joined the other way round; every second column; the second row alone. */
    lite_start();
    lite_value("x", "1x1x2x4");
    lite_value("a", "1x1x2x2");
    lite_value("b", "1x1x2x2");
    lite_value("y", "1x1x2x4");
    lite_whole("axis", 2, "", "3");
    lite_node(49, "axis x", "a b", "0:i=2");
    lite_node(2, "b a", "y", "0:i=-1");
    checked((const double[]){.4, .6, 0, .2, 0, .2, .8, 1});
    lite_start();
    lite_value("x", "1x2x4x1");
    lite_value("y", "1x2x2x1");
    lite_whole("from", 2, "4", "0 0 1 0");
    lite_whole("to", 2, "4", "0 0 9 0");
    lite_whole("step", 2, "4", "1 1 2 1");
    lite_node(45, "x from to step", "y", "0:i=3 1:i=11");
    checked((const double[]){.2, .6, 1, .2});
    lite_start();
    lite_value("x", "1x2x2x2");
    lite_value("y", "1x2x2");
    lite_whole("from", 2, "2", "0 1");
    lite_whole("to", 2, "2", "0 2");
    lite_whole("step", 2, "2", "1 1");
    lite_node(45, "x from to step", "y", "0:i=1 1:i=1 4:i=2");
    checked(NULL);
    lite_start();
    lite_value("x", "1x2x3x2");
    lite_value("y", "1x1x2x2");
    lite_whole("from", 2, "4", "0 1 0 0");
    lite_whole("size", 2, "4", "1 1 2 -1");
    lite_node(65, "x from size", "y", "");
    checked((const double[]){0, .2, .4, .6});
}

static void larger_maps(void **state)
{
    (void)state;
    static const struct {
        int32_t code;
        const char *x, *y, *options;
    } cases[] = {
        {23, "1x2x3x2", "1x4x6x2", "3:b=1"}, {23, "1x2x3x2", "1x6x9x2", "2:b=0"}, {97, "1x2x3x2", "1x4x9x2", "1:b=1"},
        {97, "1x2x3x2", "1x4x6x2", ""},      {5, "1x2x2x8", "1x4x4x2", "0:i=2"},  {26, "1x4x4x2", "1x2x2x8", "0:i=2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool blocks = cases[i].code == 5 || cases[i].code == 26;
        lite_start();
        lite_value("x", cases[i].x);
        lite_value("y", cases[i].y);
        lite_whole("size", 2, "2", "0 0"); /* the result's own shape counts */
        lite_node(cases[i].code, blocks ? "x" : "x size", "y", cases[i].options);
        checked(NULL);
    }
    /* Transposed: x = 0 .2 (one row), kernel 1x2 (1 2), stride 2: 0 0 .2 .4, plus 1. */
    for (int custom = 0; custom < 2; custom++) {
        lite_start();
        lite_value("x", "1x1x2x1");
        lite_value("y", "1x2x4x1");
        lite_floats("w", "1x2x2x1", "1 2 3 4");
        lite_floats("b", "1", "1");
        lite_whole("shape", 2, "4", "1 2 4 1");
        lite_op *op = lite_node(custom ? 32 : 67, custom ? "x w b" : "shape w x b", "y", "0:b=0 1:i=2 2:i=2");
        op->custom = custom ? "Convolution2DTransposeBias" : NULL;
        memcpy(op->words, (const int32_t[]){1, 2, 2, 0}, sizeof op->words);
        checked((const double[]){1, 1, 1.2, 1.4, 1, 1, 1.6, 1.8});
    }
    /* More than one channel on both sides, 3x3 of stride 2. */
    lite_start();
    lite_value("x", "1x3x2x2");
    lite_value("y", "1x6x4x3");
    lite_floats("w", "3x3x3x2", "1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 -1 2 -3 4 -5 6 -7 8 -9 1 -2 3 -4 5 -6 7 -8 9 "
                                "1 -2 3 -4 5 -6 7 -8 9 -1 2 -3 4 -5 6 -7 8 -9");
    lite_whole("shape", 2, "4", "1 6 4 3");
    lite_node(67, "shape w x", "y", "0:b=0 1:i=2 2:i=2");
    checked(NULL);
}

static void sizes_left_open(void **state)
{
    (void)state;
    pp_network *net = NULL;
    lite_start();
    lite_value("x", "1x1x1x3")->open = true;
    lite_value("y", "1x1x1x3");
    lite_node(19, "x", "y", "");
    lite_write(FILE_NAME, "x", "y");
    assert_fails(pp_network_from_onnx(&net, FILE_NAME), "leaves sizes open");
    assert_ok(pp_network_from_onnx(&net, FILE_NAME ":input=4x5x3"));
    assert_true(net->ops[0].out.h == 4 && net->ops[0].out.w == 5 && net->ops[0].out.c == 3);
    assert_string_equal(net->name, "made");
    pp_network_free(net);
}

static void refusals(void **state)
{
    (void)state;
    lite_start();
    lite_value("x", "1x1x2x2");
    lite_value("y", "1x1x2x2");
    lite_node(16, "x", "y", "");
    refused(FILE_NAME ": node 'y' (LSTM): recurrent layers are not simulated");
    lite.op[0].code = 143;
    refused("node 'y' (BUILTIN_143): this operator has no place in a network");
    lite.op[0].code = 32;
    lite.op[0].custom = "TFLite_Detection_PostProcess";
    refused("(TFLite_Detection_PostProcess): the search for boxes");
    lite_start();
    lite_value("x", "1x1x2x2");
    lite_value("w", "1x1x1x2");
    lite_value("y", "1x1x2x1");
    lite_node(3, "x w", "y", "0:b=1");
    refused("operator 0 'y' (CONV_2D): its input 'w' has neither data nor an operator before this one");
    lite.n_tensors = 0;
    lite_value("x", "1x1x2x2");
    lite_floats("w", "1x1x1x3", "1 2 3");
    lite_value("y", "1x1x2x1");
    refused("weights of 3 channels for a map of 2");
    lite.tensor[1].n = 8;
    refused("tensor 'w': the size of its data is not that of its shape");
    lite.tensor[1].n = 12;
    lite_codes(&lite.tensor[1], "1 2", "0 0", 0);
    lite.tensor[1].type = 9;
    refused("tensor 'w': as many scales as no axis has elements");
    lite_start();
    lite_value("x", "1x4x2x3");
    lite_value("q", "1x4x6");
    lite_value("k", "1x4x6");
    lite_value("y", "1x6x6");
    lite_node(22, "x", "q", "");
    lite_node(19, "q", "k", "");
    lite_node(126, "q k", "y", "0:b=1");
    refused("a product of two computed values");
    lite_start();
    lite_value("x", "1x2");
    lite_value("y", "1x2");
    lite_node(25, "x", "y", "0:f=2");
    refused("operator 0 'y' (SOFTMAX): beta 2; only 1 is read");
    write_file(FILE_NAME, "\x10\0\0\0TFL2", 8);
    pp_network *net = NULL;
    assert_fails(pp_network_from_onnx(&net, FILE_NAME), "not a TensorFlow Lite file");
    assert_fails(pp_network_from_onnx(&net, "absent.tflite"), "absent.tflite");
}

static void open_damaged(const uint8_t *data, size_t n)
{
    pp_network *net = NULL;
    remove(FILE_NAME); /* a truncated file is flushed by some file systems, a new one is not */
    write_file(FILE_NAME, data, n);
    pp_status status = pp_network_from_onnx(&net, FILE_NAME);
    if (status != PP_OK) {
        assert_null(net);
        assert_true(strlen(pp_error_text()) > 0 && !strchr(pp_error_text(), '\n'));
    }
    pp_network_free(net);
}

/* Every prefix, and every byte as 0, 1, 127, 128, 255 and with one bit turned. */
static void damaged_files(void **state)
{
    (void)state;
    static bytes copy;
    lite_start();
    lite_value("x", "1x2x2x2");
    lite_value("c", "1x2x2x1");
    lite_value("y", "1x1");
    lite_codes(lite_whole("w", 9, "1x1x1x2", "3 -5"), "0.5", "0", 0);
    lite_whole("a", 2, "2", "1 2");
    lite_node(3, "x w", "c", "0:b=0 1:i=1 2:i=1 3:b=1");
    lite_node(40, "c a", "y", "");
    copy = *lite_bytes("x", "y");
    for (size_t n = 0; n < copy.len; n += 3)
        open_damaged(copy.data, n);
    for (size_t i = 0; i < copy.len; i++) {
        const uint8_t was = copy.data[i], to[] = {0, 127, 255, (uint8_t)(was ^ 4)};
        for (size_t k = 0; k < sizeof to; k++) {
            copy.data[i] = to[k];
            open_damaged(copy.data, copy.len);
        }
        copy.data[i] = was;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(convolutions_by_hand),
                                       cmocka_unit_test(convolutions_against_the_definition),
                                       cmocka_unit_test(weights_in_codes),
                                       cmocka_unit_test(linear_layers_and_views),
                                       cmocka_unit_test(elementwise_operators),
                                       cmocka_unit_test(response_norm_of_a_map), cmocka_unit_test(layer_norm_with_rsqrt), cmocka_unit_test(attention),
                                       cmocka_unit_test(pools_pads_and_parts),
                                       cmocka_unit_test(larger_maps),
                                       cmocka_unit_test(sizes_left_open),
                                       cmocka_unit_test(refusals),
                                       cmocka_unit_test(damaged_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
