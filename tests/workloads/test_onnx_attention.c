/* Transformers as exporters write them: small generated graphs through the evaluator, the network and the fast executor. */
#define PP_TEST_ONNX_FILE "attends.onnx"
#include "onnx_check.h"

static uint64_t seed;

/* A constant of random numbers. */
static void put_random(const char *name, const char *dims, double scale)
{
    static float data[4096];
    int64_t dim[8];
    size_t n = 1;
    uint32_t count = read_dims(dims, dim);
    for (uint32_t i = 0; i < count; i++)
        n *= (size_t)dim[i];
    assert_true(n <= 4096);
    pp_rng rng = pp_rng_make(++seed, 3);
    for (size_t i = 0; i < n; i++)
        data[i] = (float)((pp_rng_uniform(&rng) - 0.5) * scale);
    put_raw(&g, name, 1, dims, data, n * sizeof *data);
}

/* Both parts in one; good until many more are made. */
static const char *name(const char *prefix, const char *rest)
{
    static char text[32][96];
    static uint32_t next;
    char *to = text[next++ % 32];
    assert_true(snprintf(to, sizeof text[0], "%s%s", prefix, rest) < (int)sizeof text[0]);
    return to;
}

/* node(op, "a b", "c"): inputs that begin with '.' and the result get the block's prefix. */
static void node(const char *prefix, const char *op, const char *in, const char *out, const char *attrs)
{
    char full[256] = "", copy[256], *word[8];
    size_t n = split(copy, sizeof copy, in, " ", word, 8);
    for (size_t i = 0; i < n; i++)
        snprintf(full + strlen(full), sizeof full - strlen(full), "%s%s%s", i ? " " : "", *word[i] == '.' ? prefix : "",
                 word[i]);
    put_node(&g, op, full, name(*out == '.' ? prefix : "", out), attrs);
}

static void random_of(const char *prefix, const char *rest, const char *dims, double scale)
{
    put_random(name(prefix, rest), dims, scale);
}

/* Layer norm of `in` (8 channels), whole or in parts. */
static void put_norm(const char *p, bool parts, const char *in, const char *out)
{
    random_of(p, ".s", "8", 2);
    random_of(p, ".t", "8", 1);
    if (!parts) {
        node(p, "LayerNormalization", name(in, " .s .t"), out, "axis:i=-1 epsilon:f=0.00001");
        return;
    }
    put_floats(&g, name(p, ".two"), "", "2");
    put_floats(&g, name(p, ".eps"), "", "0.00001");
    node(p, "ReduceMean", in, ".mean", "axes:I=-1");
    node(p, "Sub", name(in, " .mean"), ".d", "");
    node(p, "Pow", ".d .two", ".sq", "");
    node(p, "ReduceMean", ".sq", ".var", "axes:I=-1");
    node(p, "Add", ".var .eps", ".vare", "");
    node(p, "Sqrt", ".vare", ".sd", "");
    node(p, "Div", ".d .sd", ".n", "");
    node(p, "Mul", ".n .s", ".ns", "");
    node(p, "Add", ".ns .t", out, "");
}

static void put_dense(const char *p, const char *in, const char *w, const char *dims, const char *width, const char *out)
{
    char bias[64], sum[64], inputs[128];
    random_of(p, w, dims, 1);
    snprintf(bias, sizeof bias, "%s.b", w);
    snprintf(sum, sizeof sum, "%s.m", w);
    random_of(p, bias, width, 1);
    snprintf(inputs, sizeof inputs, "%s %s", in, w);
    node(p, "MatMul", inputs, sum, "");
    snprintf(inputs, sizeof inputs, "%s %s", sum, bias);
    node(p, "Add", inputs, out, "");
}

/* One encoder block over 8 channels in 2 heads, `tokens` of them: norm, attention, sum, norm, two layers with GELU, sum.
 * packed: queries, keys and values by one layer, as timm has it; else three, as BERT has it. */
static void put_block(const char *p, uint32_t tokens, bool packed, bool parts, const char *in, const char *out)
{
    char shape[32];
    put_norm(name(p, "1"), parts, in, name(p, ".norm"));
    put_floats(&g, name(p, ".scale"), "", packed ? "0.5" : "2");
    if (packed) {
        put_dense(p, ".norm", ".qkv", "8x24", "24", ".all");
        snprintf(shape, sizeof shape, "1 %u 3 2 4", tokens);
        put_ints(&g, name(p, ".split"), "5", shape);
        put_ints(&g, name(p, ".0"), "", "0");
        put_ints(&g, name(p, ".1"), "", "1");
        put_ints(&g, name(p, ".2"), "", "2");
        node(p, "Reshape", ".all .split", ".five", "");
        node(p, "Transpose", ".five", ".parts", "perm:I=2,0,3,1,4");
        node(p, "Gather", ".parts .0", ".q", "axis:i=0");
        node(p, "Gather", ".parts .1", ".k", "axis:i=0");
        node(p, "Gather", ".parts .2", ".v", "axis:i=0");
        node(p, "Transpose", ".k", ".kt", "perm:I=0,1,3,2");
        node(p, "Mul", ".q .scale", ".qs", "");
        node(p, "MatMul", ".qs .kt", ".scores", "");
        node(p, "Softmax", ".scores", ".soft", "axis:i=-1");
    } else {
        snprintf(shape, sizeof shape, "0 0 2 4");
        put_ints(&g, name(p, ".split"), "4", shape);
        for (uint32_t i = 0; i < 3; i++) {
            static const char *const made[3][3] = {{".wq", ".lq", ".rq"}, {".wk", ".lk", ".rk"}, {".wv", ".lv", ".rv"}};
            put_dense(p, ".norm", made[i][0], "8x8", "8", made[i][1]);
            node(p, "Reshape", name(made[i][1], " .split"), made[i][2], "");
        }
        node(p, "Transpose", ".rq", ".q", "perm:I=0,2,1,3");
        node(p, "Transpose", ".rk", ".kt", "perm:I=0,2,3,1");
        node(p, "Transpose", ".rv", ".v", "perm:I=0,2,1,3");
        node(p, "MatMul", ".q .kt", ".scores", "");
        node(p, "Div", ".scores .scale", ".scaled", "");
        snprintf(shape, sizeof shape, "1x1x1x%u", tokens); /* a mask of keys */
        random_of(p, ".mask", shape, 2);
        node(p, "Add", ".scaled .mask", ".masked", "");
        node(p, "Softmax", ".masked", ".soft", "axis:i=3");
    }
    node(p, "MatMul", ".soft .v", ".context", "");
    node(p, "Transpose", ".context", ".back", "perm:I=0,2,1,3");
    snprintf(shape, sizeof shape, "1 %u 8", tokens);
    put_ints(&g, name(p, ".merge"), "3", shape);
    node(p, "Reshape", ".back .merge", ".merged", "");
    put_dense(p, ".merged", ".o", "8x8", "8", ".attended");
    node(p, "Add", name(".attended ", in), ".sum", "");
    put_norm(name(p, "2"), parts, name(p, ".sum"), name(p, ".norm2"));
    put_dense(p, ".norm2", ".up", "8x16", "16", ".wide");
    if (parts) {
        put_floats(&g, name(p, ".root"), "", "1.41421356");
        put_floats(&g, name(p, ".one"), "", "1");
        put_floats(&g, name(p, ".half"), "", "0.5");
        node(p, "Div", ".wide .root", ".e1", "");
        node(p, "Erf", ".e1", ".e2", "");
        node(p, "Add", ".e2 .one", ".e3", "");
        node(p, "Mul", ".wide .e3", ".e4", "");
        node(p, "Mul", ".e4 .half", ".gelu", "");
    } else {
        put_floats(&g, name(p, ".r"), "", "0.70710678");
        put_floats(&g, name(p, ".one"), "", "1");
        put_floats(&g, name(p, ".half"), "", "0.5");
        node(p, "Mul", ".wide .r", ".e1", "");
        node(p, "Erf", ".e1", ".e2", "");
        node(p, "Add", ".e2 .one", ".e3", "");
        node(p, "Mul", ".wide .half", ".h", "");
        node(p, "Mul", ".h .e3", ".gelu", "");
    }
    put_dense(p, ".gelu", ".down", "16x8", "8", ".narrow");
    node(p, "Add", ".sum .narrow", out, "");
}

/* Patches of an image behind a token of the network's own, embeddings of positions, one block, the token's classes. */
static void vision_transformers(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        const int64_t opset = turn ? 17 : 11;
        seed = 100;
        start("1x3x9x6");
        put_random("w", "8x3x3x3", 1);
        put_random("b", "8", 1);
        put_ints(&g, "flat", "3", "1 8 -1");
        put_random("cls", "1x1x8", 2);
        put_random("pos", "1x7x8", 2);
        put_node(&g, "Conv", "x w b", "patches", "strides:I=3,3");
        put_node(&g, "Reshape", "patches flat", "lines", "");
        put_node(&g, "Transpose", "lines", "tokens", "perm:I=0,2,1");
        put_node(&g, "Concat", "cls tokens", "all", "axis:i=1");
        put_node(&g, "Add", "all pos", "placed", "");
        put_block("a", 7, turn == 0, turn == 0, "placed", "out");
        put_ints(&g, "first", "", "0");
        put_node(&g, "Gather", "out first", "token", "axis:i=1");
        put_random("head", "8x5", 1);
        put_node(&g, "MatMul", "token head", "y", "");
        pp_network *net = check_net(opset, NULL);
        assert_int_equal(count_kind(net, PP_OP_PRODUCT), 2);
        assert_int_equal(count_kind(net, PP_OP_ARRANGE), 1);
        assert_int_equal(count_kind(net, PP_OP_NORM), 2);
        assert_int_equal(count_kind(net, PP_OP_SCALE), 0); /* in weights and products */
        assert_int_equal(count_kind(net, PP_OP_SLICE), 1); /* the class: queries, keys and values have a layer each */
        assert_int_equal(count_kind(net, PP_OP_CONV), 7);
        for (uint32_t i = 0; i < net->n_ops; i++)
            assert_int_equal(net->ops[i].weight.pitch, turn == 0 && strncmp(net->ops[i].name, "Gather_a", 8) == 0 ? 24 : 0);
        for (uint32_t i = 0; i < net->n_ops; i++)
            if (net->ops[i].kind == PP_OP_PRODUCT && net->ops[i].transposed)
                assert_true(net->ops[i].groups == 2 && net->ops[i].out.c == 2 * 7 && fabs(net->ops[i].factor - 0.5) < 1e-9);
        pp_network_free(net);
    }
}

/* Embeddings of tokens [1,T,C] in, two blocks, all tokens out. */
static void encoders(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        seed = 200;
        start("1x5x8");
        put_block("a", 5, false, turn == 0, "x", "between");
        put_block("b", 5, true, turn == 0, "between", "last");
        put_node(&g, "Tanh", "last", "y", "");
        pp_network *net = check_last(turn ? 17 : 12, NULL);
        assert_int_equal(net->ops[0].out.w, 5);
        assert_int_equal(net->ops[0].out.c, 8);
        assert_int_equal(count_kind(net, PP_OP_PRODUCT), 4);
        pp_network_free(net);
    }
}

/* Pixels of a map attend to each other, once with the scores first (values on the right), once turned: values on the left. */
static void maps_that_attend(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        seed = 300;
        start("1x4x3x4");
        put_random("wq", "4x4x1x1", 1);
        put_random("wv", "4x4x1x1", 1);
        put_random("bias", "1x12x12", 1);
        put_ints(&g, "flat", "3", "1 4 12");
        put_ints(&g, "map", "4", "1 4 3 4");
        put_node(&g, "Conv", "x wq", "q", "");
        put_node(&g, "Conv", "x wv", "v", "");
        put_node(&g, "Reshape", "q flat", "qf", "");
        put_node(&g, "Reshape", "x flat", "kf", "");
        put_node(&g, "Reshape", "v flat", "vf", "");
        put_node(&g, "Transpose", "qf", "qt", "perm:I=0,2,1");
        put_node(&g, "MatMul", "qt kf", "energy", "");
        put_node(&g, "Add", "energy bias", "moved", "");
        put_node(&g, "Softmax", "moved", "soft", "axis:i=2");
        if (turn == 0) {
            put_node(&g, "Transpose", "vf", "vt", "perm:I=0,2,1");
            put_node(&g, "MatMul", "soft vt", "mt", "");
            put_node(&g, "Transpose", "mt", "m", "perm:I=0,2,1");
        } else {
            put_node(&g, "Transpose", "soft", "st", "perm:I=0,2,1");
            put_node(&g, "MatMul", "vf st", "m", "");
        }
        put_node(&g, "Reshape", "m map", "mm", "");
        put_node(&g, "Add", "mm x", "y", "");
        pp_network *net = check_net(turn ? 13 : 11, NULL);
        assert_int_equal(count_kind(net, PP_OP_ARRANGE), 0); /* whole maps need not move */
        assert_int_equal(count_kind(net, PP_OP_OFFSET), 1);
        pp_network_free(net);
    }
}

/* Windows of 2x2 pixels of a 4x6 map, moved by one pixel, attend for themselves, and go back to where they were. */
static void windows_of_maps(void **state)
{
    (void)state;
    seed = 400;
    start("1x4x4x6");
    put_random("w", "4x8", 1);
    put_random("bias", "1x1x4x4", 1);
    put_random("kernel", "4x4x3x3", 0.5);
    put_ints(&g, "from1", "1", "1");
    put_ints(&g, "end", "1", "1000");
    put_ints(&g, "zero", "1", "0");
    put_ints(&g, "ax1", "1", "1");
    put_ints(&g, "cut", "6", "1 2 2 3 2 4");
    put_ints(&g, "win", "3", "6 4 4");
    put_ints(&g, "heads", "4", "6 4 2 2");
    put_ints(&g, "uncut", "6", "1 2 3 2 2 4");
    put_ints(&g, "nhwc", "4", "1 4 6 4");
    put_ints(&g, "halves", "2", "4 4");
    put_node(&g, "Transpose", "x", "last", "perm:I=0,2,3,1");
    put_node(&g, "Slice", "last from1 end ax1", "lower", "");
    put_node(&g, "Slice", "last zero from1 ax1", "upper", "");
    put_node(&g, "Concat", "lower upper", "rolled", "axis:i=1");
    put_node(&g, "Reshape", "rolled cut", "six", "");
    put_node(&g, "Transpose", "six", "grouped", "perm:I=0,1,3,2,4,5");
    put_node(&g, "Reshape", "grouped win", "windows", "");
    put_node(&g, "MatMul", "windows w", "qk", "");
    put_node(&g, "Split", "qk halves", "q k", "axis:i=-1");
    put_node(&g, "Reshape", "q heads", "qh", "");
    put_node(&g, "Reshape", "k heads", "kh", "");
    put_node(&g, "Reshape", "windows heads", "vh", "");
    put_node(&g, "Transpose", "qh", "qt", "perm:I=0,2,1,3");
    put_node(&g, "Transpose", "kh", "kt", "perm:I=0,2,3,1");
    put_node(&g, "Transpose", "vh", "vt", "perm:I=0,2,1,3");
    put_node(&g, "MatMul", "qt kt", "scores", "");
    put_node(&g, "Add", "scores bias", "moved", "");
    put_node(&g, "Softmax", "moved", "soft", "axis:i=-1");
    put_node(&g, "MatMul", "soft vt", "context", "");
    put_node(&g, "Transpose", "context", "back", "perm:I=0,2,1,3");
    put_node(&g, "Reshape", "back uncut", "sixb", "");
    put_node(&g, "Transpose", "sixb", "ungrouped", "perm:I=0,1,3,2,4,5");
    put_node(&g, "Reshape", "ungrouped nhwc", "map", "");
    put_node(&g, "Add", "last map", "sum", "");
    put_node(&g, "Transpose", "sum", "first", "perm:I=0,3,1,2");
    put_node(&g, "Conv", "first kernel", "y", "pads:I=1,1,1,1");
    check(13, NULL);
}

/* Every second pixel of each corner, one behind the other, as Swin merges patches; channels stand last. */
static void merged_patches(void **state)
{
    (void)state;
    seed = 450;
    start("1x3x4x6");
    put_random("s", "12", 2);
    put_random("t", "12", 1);
    put_random("w", "12x5", 1);
    put_ints(&g, "z", "1", "0");
    put_ints(&g, "o", "1", "1");
    put_ints(&g, "end", "1", "9000000");
    put_ints(&g, "a1", "1", "1");
    put_ints(&g, "a2", "1", "2");
    put_ints(&g, "two", "1", "2");
    put_node(&g, "Transpose", "x", "last", "perm:I=0,2,3,1");
    put_node(&g, "Slice", "last z end a1 two", "even", "");
    put_node(&g, "Slice", "last o end a1 two", "odd", "");
    put_node(&g, "Slice", "even z end a2 two", "c00", "");
    put_node(&g, "Slice", "odd z end a2 two", "c10", "");
    put_node(&g, "Slice", "even o end a2 two", "c01", "");
    put_node(&g, "Slice", "odd o end a2 two", "c11", "");
    put_node(&g, "Concat", "c00 c10 c01 c11", "wide", "axis:i=-1");
    put_node(&g, "LayerNormalization", "wide s t", "n", "");
    put_node(&g, "MatMul", "n w", "m", "");
    put_node(&g, "Transpose", "m", "y", "perm:I=0,3,1,2");
    check(17, NULL);
}

/* As torchvision exports it: tokens before the batch, heads in the batch. */
static void heads_in_the_batch(void **state)
{
    (void)state;
    seed = 500;
    start("1x4x2x3");
    put_random("w", "12x4", 1);
    put_random("b", "12", 1);
    put_random("o", "4x4", 1);
    put_ints(&g, "flat", "3", "1 4 6");
    put_ints(&g, "three", "4", "6 1 3 4");
    put_ints(&g, "a0", "1", "0");
    put_ints(&g, "am2", "1", "-2");
    put_ints(&g, "i0", "", "0");
    put_ints(&g, "i1", "", "1");
    put_ints(&g, "i2", "", "2");
    put_ints(&g, "heads", "3", "6 2 2");
    put_ints(&g, "four", "4", "1 2 6 2");
    put_ints(&g, "rows", "2", "6 4");
    put_ints(&g, "tnc", "3", "6 1 4");
    put_floats(&g, "scale", "", "0.84089642");
    put_node(&g, "Reshape", "x flat", "lines", "");
    put_node(&g, "Transpose", "lines", "tokens", "perm:I=2,0,1");
    put_node(&g, "Transpose", "w", "wt", "perm:I=1,0");
    put_node(&g, "MatMul", "tokens wt", "m", "");
    put_node(&g, "Add", "b m", "qkv", "");
    put_node(&g, "Reshape", "qkv three", "r", "");
    put_node(&g, "Unsqueeze", "r a0", "u", "");
    put_node(&g, "Transpose", "u", "t", "perm:I=3,1,2,0,4");
    put_node(&g, "Squeeze", "t am2", "s", "");
    put_node(&g, "Gather", "s i0", "q0", "");
    put_node(&g, "Gather", "s i1", "k0", "");
    put_node(&g, "Gather", "s i2", "v0", "");
    for (uint32_t i = 0; i < 3; i++) {
        static const char *const made[3][3] = {{"q0 heads", "q1", "q2"}, {"k0 heads", "k1", "k2"}, {"v0 heads", "v1", "v2"}};
        static const char *const last[3][2] = {{"q2 four", "q"}, {"k2 four", "k"}, {"v2 four", "v"}};
        put_node(&g, "Reshape", made[i][0], made[i][1], "");
        put_node(&g, "Transpose", made[i][1], made[i][2], "perm:I=1,0,2");
        put_node(&g, "Reshape", last[i][0], last[i][1], "");
    }
    put_node(&g, "Transpose", "k", "kt", "perm:I=0,1,3,2");
    put_node(&g, "Mul", "q scale", "qs", "");
    put_node(&g, "Mul", "kt scale", "ks", "");
    put_node(&g, "MatMul", "qs ks", "scores", "");
    put_node(&g, "Softmax", "scores", "soft", "axis:i=-1");
    put_node(&g, "MatMul", "soft v", "context", "");
    put_node(&g, "Transpose", "context", "c1", "perm:I=2,0,1,3");
    put_node(&g, "Reshape", "c1 rows", "c2", "");
    put_node(&g, "Gemm", "c2 o", "c3", "transB:i=1");
    put_node(&g, "Reshape", "c3 tnc", "c4", "");
    put_node(&g, "Transpose", "c4", "c5", "perm:I=1,0,2");
    put_node(&g, "ReduceMean", "c5", "y", "axes:I=1 keepdims:i=0");
    pp_network *net = check_net(14, NULL);
    assert_int_equal(count_kind(net, PP_OP_PRODUCT), 2);
    pp_network_free(net);
}

/* Sums over letters: scores and context of heads that stand in the middle. */
static void einsums(void **state)
{
    (void)state;
    seed = 600;
    start("1x6x4");
    put_random("w", "4x2x2", 1); /* projections of Keras: channels to heads, heads to channels */
    put_random("b", "2x2", 1);
    put_random("o", "2x2x4", 1);
    put_random("n", "4", 1);
    put_ints(&g, "heads", "4", "1 6 2 2");
    put_node(&g, "Einsum", "x w", "q", "equation:s=abc,cde->abde");
    put_node(&g, "Add", "q b", "qh", "");
    put_node(&g, "Reshape", "x heads", "kh", "");
    put_node(&g, "Einsum", "qh kh", "scores", "equation:s=bqhd,bkhd->bhqk");
    put_node(&g, "Softmax", "scores", "shares", "axis:i=-1");
    put_node(&g, "IsNaN", "shares", "nan", ""); /* as newer exporters guard a softmax */
    put_floats(&g, "zero", "", "0");
    put_node(&g, "Where", "nan zero shares", "soft", "");
    put_node(&g, "Einsum", "soft kh", "context", "equation:s=bhqk,bkhd->bqhd");
    put_node(&g, "Einsum", "context o", "m", "equation:s=bqhd,hdc->bqc");
    put_node(&g, "Mul", "m n", "y", "");
    pp_network *net = check_last(13, NULL);
    assert_int_equal(count_kind(net, PP_OP_OFFSET) + count_kind(net, PP_OP_SCALE), 0); /* biases and scales of the layers */
    assert_int_equal(count_kind(net, PP_OP_CONV), 2);
    pp_network_free(net);
}

/* Norms over whole maps: of each channel, of groups by name (one number a group), and as exporters write groups in parts. */
static void norms_of_maps(void **state)
{
    (void)state;
    seed = 800;
    start("1x4x2x3");
    put_random("s4", "4", 2);
    put_random("t4", "4", 1);
    put_random("s1", "4x1x1", 2);
    put_random("t1", "4x1x1", 1);
    put_floats(&g, "ones", "2", "1 1");
    put_floats(&g, "zeros", "2", "0 0");
    put_ints(&g, "cut", "3", "0 2 -1");
    put_ints(&g, "map", "4", "1 4 2 3");
    put_node(&g, "InstanceNormalization", "x s4 t4", "a", "epsilon:f=0.01");
    put_node(&g, "Reshape", "a cut", "b", "");
    put_node(&g, "InstanceNormalization", "b ones zeros", "c", "epsilon:f=0.001");
    put_node(&g, "Reshape", "c map", "d", "");
    put_node(&g, "Mul", "d s1", "e", "");
    put_node(&g, "Add", "e t1", "y", "");
    pp_network *net = check_net(13, NULL);
    assert_int_equal(net->n_ops, 3); /* the scale goes into the norm */
    pp_network_free(net);
    /* (0 .2 .4 .6), (.8 1 0 .2): means .3 and .5, variances .05 and .17. */
    start("1x2x2x2");
    put_floats(&g, "s", "1", "2");
    put_floats(&g, "t", "1", "1");
    put_node(&g, "GroupNormalization", "x s t", "y", "num_groups:i=1 epsilon:f=0");
    write_net(18);
    net = check_model(path, false, NULL);
    float **results, in[8] = {0, .8f, .2f, 1, .4f, 0, .6f, .2f}; /* channels last */
    assert_ok(pp_ref_run(net, in, &results)); /* mean .4, mean square .28, variance .12 */
    assert_true(fabs((double)results[1][0] - (1 - 2 * 0.4 / sqrt(0.12))) < 1e-5);
    assert_true(fabs((double)results[1][3] - (1 + 2 * 0.6 / sqrt(0.12))) < 1e-5);
    pp_ref_free(net, results);
    pp_network_free(net);
}

/* Patches of a map as MobileViT unfolds them: pixels at one place of all 2x2 patches attend to each other. */
static void unfolded_patches(void **state)
{
    (void)state;
    seed = 900;
    start("1x4x4x6");
    put_random("k", "4x4x3x3", 0.5);
    put_ints(&g, "rows", "4", "8 2 3 2");
    put_ints(&g, "cells", "4", "1 4 6 4");
    put_ints(&g, "batch", "3", "4 6 4");
    put_ints(&g, "unbatch", "4", "1 4 6 4");
    put_ints(&g, "unrows", "4", "8 3 2 2");
    put_ints(&g, "map", "4", "1 4 4 6");
    put_node(&g, "Reshape", "x rows", "a", "");
    put_node(&g, "Transpose", "a", "b", "perm:I=0,2,1,3");
    put_node(&g, "Reshape", "b cells", "c", "");
    put_node(&g, "Transpose", "c", "d", "perm:I=0,3,2,1");
    put_node(&g, "Reshape", "d batch", "t", "");
    put_node(&g, "Transpose", "t", "tt", "perm:I=0,2,1");
    put_node(&g, "MatMul", "t tt", "s", "");
    put_node(&g, "Softmax", "s", "p", "axis:i=-1");
    put_node(&g, "MatMul", "p t", "o", "");
    put_node(&g, "Reshape", "o unbatch", "e", "");
    put_node(&g, "Transpose", "e", "f", "perm:I=0,3,2,1");
    put_node(&g, "Reshape", "f unrows", "h", "");
    put_node(&g, "Transpose", "h", "i", "perm:I=0,2,1,3");
    put_node(&g, "Reshape", "i map", "m", "");
    put_node(&g, "Conv", "m k", "y", "pads:I=1,1,1,1");
    check(13, NULL);
}

/* Ids and a mask of keys, as BERT takes them: the network begins behind the embedding, and the mask lets everything through. */
static void embeddings_inside(void **state)
{
    (void)state;
    pp_network *net = NULL;
    seed = 1000;
    g.len = 0;
    put_info(&g, 11, "ids", "1x5");
    put_info(&g, 11, "mask", "0x0");
    put_random("table", "9x8", 1);
    put_random("w", "8x8", 1);
    put_floats(&g, "one", "", "1");
    put_floats(&g, "far", "", "-10000");
    put_ints(&g, "axes", "1", "1");
    put_node(&g, "Cast", "ids", "whole", "to:i=7");
    put_node(&g, "Gather", "table whole", "embedded", "");
    put_node(&g, "Sub", "one mask", "hidden", "");
    put_node(&g, "Mul", "hidden far", "low", "");
    put_node(&g, "Unsqueeze", "low axes", "keys", "");
    put_node(&g, "MatMul", "embedded w", "q", "");
    put_node(&g, "Transpose", "embedded", "kt", "perm:I=0,2,1");
    put_node(&g, "MatMul", "q kt", "scores", "");
    put_node(&g, "Add", "scores keys", "masked", "");
    put_node(&g, "Softmax", "masked", "soft", "axis:i=-1");
    put_node(&g, "MatMul", "soft embedded", "y", "");
    write_net(13);
    assert_fails(pp_network_from_onnx(&net, path), "two inputs, 'ids' and 'mask' (MODEL:ones=NAME fixes one that is a mask)");
    assert_fails(pp_network_from_onnx(&net, "attends.onnx:ones=x"), "two inputs");
    assert_fails(pp_network_from_onnx(&net, "attends.onnx:from=embedded,ones=mask"), "needs the shape of that value");
    assert_fails(pp_network_from_onnx(&net, "attends.onnx:from=nothing,input=1x5x8"), "makes a value 'nothing' to begin with");
    assert_fails(pp_network_from_onnx(&net, "attends.onnx:from=embedded,input=1x5x8"), "'embedded' and 'mask'");
    assert_fails(pp_network_from_onnx(&net, "attends.onnx:from=embedded,input=1x5x8,ones=ids"), "'embedded' and 'mask'");
    assert_fails(pp_network_from_onnx(&net, "attends.onnx:from=embedded,from=q,input=1x5x8"), "each at most once");
    assert_fails(pp_network_from_onnx(&net, "attends.onnx:from=soft,input=1x5x5,ones=mask"), "two inputs, 'soft' and 'ids'");
    assert_ok(pp_network_from_onnx(&net, "attends.onnx:from=embedded,input=1x5x8,ones=mask"));
    assert_int_equal(net->ops[0].out.w, 5);
    assert_int_equal(net->n_ops, 5); /* the mask adds nothing */
    assert_int_equal(count_kind(net, PP_OP_PRODUCT), 2);
    pp_network_free(net);
}

/* A small vision transformer of examples/make_onnx.py. */
static void any_allocation_may_fail(void **state)
{
    (void)state;
    pp_network *net = NULL;
    pp_status status = PP_ENOMEM;
    long n = 0;
    for (; n < 2000 && status != PP_OK; n++) {
        pp_alloc_fail_after(n);
        status = pp_network_from_onnx(&net, PP_TEST_SOURCE_DIR "/tests/fuzz/corpus/onnx/vit.onnx");
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK || (status == PP_ENOMEM && !net));
    }
    assert_true(n > 10 && status == PP_OK);
    assert_int_equal(count_kind(net, PP_OP_PRODUCT), 2);
    pp_network_free(net);
}

/* What of such products has no place: one line, and where to cut. */
static void products_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *op, *in, *attrs, *message;
    } cases[] = {
        {"MatMul", "xt r", "", "sums over the tokens of both"},                 /* channels by channels */
        {"MatMul", "heads one", "", "computed values of different heads or batches"}, /* keys that all heads share */
        {"Einsum", "r xt", "equation:s=abc,adb->adc", "sums over the tokens of both"},
        {"Einsum", "r r", "equation:s=...c,...c->c", "that sums over what both have"},
        {"Softmax", "r", "axis:i=1", "Softmax over the channels, or those of each head"},
    };
    pp_network *net = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start("1x6x4");
        seed = 700;
        put_random("w", "4x4", 1);
        put_random("u", "4x2", 1);
        put_ints(&g, "s", "4", "1 6 2 2");
        put_node(&g, "MatMul", "x w", "r", "");
        put_node(&g, "MatMul", "x u", "narrow", "");
        put_node(&g, "Transpose", "r", "xt", "perm:I=0,2,1");
        put_node(&g, "Transpose", "narrow", "one", "perm:I=0,2,1");
        put_node(&g, "Reshape", "r s", "four", "");
        put_node(&g, "Transpose", "four", "heads", "perm:I=0,2,1,3");
        put_node(&g, cases[i].op, cases[i].in, "p", cases[i].attrs);
        put_node(&g, "Relu", "p", "y", "");
        refuses(13, cases[i].message);
        assert_fails(pp_network_from_onnx(&net, path), "(MODEL:output=r takes the part before it)");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vision_transformers), cmocka_unit_test(encoders),
                                       cmocka_unit_test(maps_that_attend),    cmocka_unit_test(windows_of_maps),
                                       cmocka_unit_test(heads_in_the_batch),  cmocka_unit_test(einsums),
                                       cmocka_unit_test(norms_of_maps),       cmocka_unit_test(unfolded_patches),
                                       cmocka_unit_test(embeddings_inside),   cmocka_unit_test(merged_patches),
                                       cmocka_unit_test(any_allocation_may_fail),
                                       cmocka_unit_test(products_that_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
