/* Damaged and hostile ONNX files: one clear line each. */
#include "onnx_writer.h"

#include <unistd.h>

static const char path[] = "bad.onnx";
static bytes g;

static void start(const char *dims)
{
    g.len = 0;
    put_info(&g, 11, "x", dims);
}

static void refused(int64_t opset, const char *says)
{
    pp_network *net = NULL;
    put_info(&g, 12, "y", "0");
    write_model(path, opset, &g);
    assert_fails(pp_network_from_onnx(&net, path), says);
    assert_null(net);
    assert_non_null(strstr(pp_error_text(), path));
}

static void a_good_graph(void)
{
    start("1x2x4x4");
    put_floats(&g, "w", "2x2x3x3", "1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9");
    put_floats(&g, "s", "2", "1 2");
    put_ints(&g, "shape", "2", "1 32");
    put_node(&g, "Conv", "x w", "c", "pads:I=1,1,1,1 strides:I=1,1");
    put_node(&g, "Relu", "c", "r", "");
    put_node(&g, "Reshape", "r shape", "y", "");
    put_info(&g, 12, "y", "1x32");
    write_model(path, 13, &g);
}

/* Every prefix fails or is a graph of its own; every changed byte gives a network or one line. */
static void truncated_and_changed(void **state)
{
    (void)state;
    pp_network *net = NULL;
    pp_file *file = NULL;
    static uint8_t copy[1 << 16];
    a_good_graph();
    assert_ok(pp_network_from_onnx(&net, path));
    pp_network_free(net);
    assert_ok(pp_file_map(&file, path));
    size_t size = file->size;
    memcpy(copy, file->data, size);
    pp_file_unmap(file);
    for (size_t n = 0; n < size; n++) {
        write_file("cut.onnx", copy, n);
        assert_true(pp_network_from_onnx(&net, "cut.onnx") != PP_OK);
        assert_null(net);
        assert_null(strchr(pp_error_text(), '\n'));
    }
    for (size_t at = 0; at < size; at++) {
        uint8_t was = copy[at];
        copy[at] = (uint8_t)(at % 3 == 0 ? 0xff : at % 3 == 1 ? was + 1 : was ^ 0x80);
        write_file("cut.onnx", copy, size);
        if (pp_network_from_onnx(&net, "cut.onnx") != PP_OK)
            assert_null(strchr(pp_error_text(), '\n'));
        pp_network_free(net);
        copy[at] = was;
    }
}

static void wire_errors(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t n;
        const char *says;
    } cases[] = {{"", 0, "empty"},
                 {"\x3a", 1, "truncated"},
                 {"\x3a\x05\x01", 3, "truncated"},
                 {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11, "more than 64 bits"},
                 {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12, "64 bits"},
                 {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "truncated: a field of 18446744073709551615"},
                 {"\x0b", 1, "unknown kind"},
                 {"\x00\x00", 2, "not a protobuf"},
                 {"\x08\x08", 2, "holds no graph"},
                 {"\x38\x08", 2, "wire type"},
                 {"{\"layers\":[]}", 13, "protobuf"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pp_onnx *m = NULL;
        write_file(path, cases[i].data, cases[i].n);
        assert_fails(pp_onnx_open(&m, path), cases[i].says);
        assert_null(m);
    }
    pp_onnx *m = NULL;
    assert_fails(pp_onnx_open(&m, "none.onnx"), "none.onnx");
    assert_fails(pp_onnx_open(&m, "."), "regular file");
}

static void graphs_that_are_none(void **state)
{
    (void)state;
    start("1x4");
    put_node(&g, "Add", "x b", "a", "");
    put_node(&g, "Relu", "a", "b", "");
    put_node(&g, "Relu", "b", "y", "");
    refused(13, "cycle");
    start("1x4");
    put_node(&g, "Gemm", "x w", "y", "");
    refused(13, "node 'Gemm_y' (Gemm): nothing makes its input 'w'; an initialiser is missing");
    start("1x4");
    put_node(&g, "Relu", "x", "z", "");
    refused(13, "nothing makes the graph's output 'y'");
    start("1x4");
    put_node(&g, "Relu", "x", "y", "");
    put_node(&g, "Relu", "x", "y", "");
    refused(13, "'y' is defined twice");
    start("1x4");
    put_node(&g, "Relu", "x", "y", "");
    refused(24, "operator set 24");
    start("1x4");
    put_node(&g, "Einsum", "x", "y", "");
    refused(13, "node 'Einsum_y' (Einsum)");
    start("1x4");
    put_floats(&g, "w", "4x4", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
    put_node(&g, "MatMul", "x w", "m", "");
    put_node(&g, "MatMul", "m m", "y", "");
    refused(13, "node 'MatMul_y' (MatMul): a product of two computed values");
    start("1x4");
    put_node(&g, "LogSoftmax", "x", "s", "");
    put_node(&g, "Relu", "s", "y", "");
    refused(13, "only Softmax over the channels");
}

static void unsorted_nodes_are_sorted(void **state)
{
    (void)state;
    pp_network *net = NULL;
    start("1x4");
    put_node(&g, "Sigmoid", "b", "y", "");
    put_node(&g, "Tanh", "a", "b", "");
    put_node(&g, "Relu", "x", "a", "");
    put_info(&g, 12, "y", "0");
    write_model(path, 13, &g);
    assert_ok(pp_network_from_onnx(&net, path));
    assert_int_equal(net->n_ops, 4);
    assert_int_equal(net->ops[1].act, PP_ACT_RELU);
    assert_int_equal(net->ops[3].act, PP_ACT_SIGMOID);
    pp_network_free(net);
}

static void shapes_that_cannot_be(void **state)
{
    (void)state;
    start("1x4");
    put_floats(&g, "w", "4x-4", "1 2 3 4");
    put_node(&g, "MatMul", "x w", "y", "");
    refused(13, "dimension 1 is -4");
    start("1x4");
    put_floats(&g, "w", "4x4", "1 2 3 4");
    put_node(&g, "MatMul", "x w", "y", "");
    refused(13, "tensor 'w': 16 bytes, its shape [4,4] of FLOAT needs 64");
    start("1x4");
    put_floats(&g, "w", "4x99999999999999", "1 2 3 4");
    put_node(&g, "MatMul", "x w", "y", "");
    refused(13, "tensor 'w': its shape is too large");
    start("1x4");
    put_floats(&g, "w", "0x4611686018427387904x4611686018427387904", "");
    put_node(&g, "MatMul", "x w", "y", "");
    refused(13, "too large");
    start("1x4"); /* a constant of a billion numbers from a file of a few bytes */
    put_ints(&g, "s", "2", "4 250000000");
    put_node(&g, "ConstantOfShape", "s", "w", "");
    put_node(&g, "MatMul", "x w", "y", "");
    refused(13, "node 'ConstantOfShape_w' (ConstantOfShape): its result is too large for a file of this size");
    start("1x4");
    put_ints(&g, "s", "2", "1 5");
    put_node(&g, "Reshape", "x s", "y", "");
    refused(13, "4 elements do not fit its shape");
    start("1x2x4x4");
    put_node(&g, "MaxPool", "x", "y", "kernel_shape:I=5,5");
    refused(13, "kernel of 5 does not fit");
    start("1x2x4x4");
    put_node(&g, "MaxPool", "x", "y", "kernel_shape:I=2");
    refused(13, "kernel_shape must have 2 numbers");
    start("1x2x4x4");
    put_node(&g, "Transpose", "x", "y", "perm:I=0,1,1,2");
    refused(13, "perm names axis 1");
    start("1x1048577");
    put_node(&g, "Relu", "x", "y", "");
    refused(13, "too large");
    start("1x4");
    put_floats(&g, "w", "4x1", "1 nan 3 4");
    put_node(&g, "MatMul", "x w", "y", "");
    refused(13, "NaN");
}

/* Many nodes on one constant: the work is limited, too. */
static void folding_has_a_limit(void **state)
{
    (void)state;
    start("1x4");
    put_ints(&g, "s", "1", "100000");
    put_node(&g, "ConstantOfShape", "s", "c0", "");
    for (int i = 0; i < 400; i++) {
        char in[16], out[16];
        snprintf(in, sizeof in, "c%d", i);
        snprintf(out, sizeof out, "c%d", i + 1);
        put_node(&g, "Relu", in, out, "");
    }
    put_node(&g, "ReduceSum", "c400", "t", "");
    put_node(&g, "Add", "x t", "y", "");
    refused(13, "its result is too large for a file of this size");
}

static void external(const char *location, const char *offset, const char *says)
{
    bytes t = {.len = 0}, e = {.len = 0};
    start("1x2");
    put_int(&t, 1, 2);
    put_int(&t, 1, 1);
    put_int(&t, 2, 1);
    put_text(&t, 8, "w");
    put_text(&e, 1, "location");
    put_text(&e, 2, location);
    put_bytes(&t, 13, e.data, e.len);
    e.len = 0;
    put_text(&e, 1, "offset");
    put_text(&e, 2, offset);
    put_bytes(&t, 13, e.data, e.len);
    put_int(&t, 14, 1);
    put_bytes(&g, 5, t.data, t.len);
    put_node(&g, "MatMul", "x w", "y", "");
    refused(13, says);
}

static void external_data_stay_inside(void **state)
{
    (void)state;
    external("../secret.bin", "0", "must be a path below");
    external("/etc/passwd", "0", "must be a path below");
    external("a/../../b", "0", "must be a path below");
    external("", "0", "must be a path below");
    external("missing.bin", "0", "cannot be found");
    write_file("short.bin", "12345678", 8);
    external("short.bin", "4", "bytes 4 to 12 of 'short.bin', which has 8");
    external("short.bin", "99999999999999999999", "not a number");
    external("short.bin", "-1", "not a number");
    (void)unlink("link.bin");
    assert_int_equal(symlink("/etc/passwd", "link.bin"), 0);
    external("link.bin", "0", "lies outside");
    remove("link.bin");
    remove("short.bin");
}

/* A name with a line break must not break the line of a message. */
static void names_stay_on_one_line(void **state)
{
    (void)state;
    pp_network *net = NULL;
    start("1x4");
    put_node(&g, "Einsum", "x", "a\nb", "");
    put_info(&g, 12, "a\nb", "0");
    write_model(path, 13, &g);
    assert_fails(pp_network_from_onnx(&net, path), "Einsum_a?b");
    start("1x4"); /* nor be no text: the letter before it is one */
    put_node(&g, "Einsum", "x", "\xC3\xA9\xFF" "b\xC3", "");
    put_info(&g, 12, "\xC3\xA9\xFF" "b\xC3", "0");
    write_model(path, 13, &g);
    assert_fails(pp_network_from_onnx(&net, path), "Einsum_\xC3\xA9?b?");
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    pp_network *net = NULL;
    pp_status status = PP_ENOMEM;
    long n = 0;
    a_good_graph();
    for (; n < 1000 && status != PP_OK; n++) {
        pp_alloc_fail_after(n);
        status = pp_network_from_onnx(&net, path);
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK || (status == PP_ENOMEM && !net));
    }
    assert_true(n > 10 && status == PP_OK);
    pp_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_and_changed),     cmocka_unit_test(wire_errors),
        cmocka_unit_test(graphs_that_are_none),      cmocka_unit_test(unsorted_nodes_are_sorted),
        cmocka_unit_test(shapes_that_cannot_be),     cmocka_unit_test(folding_has_a_limit),
        cmocka_unit_test(external_data_stay_inside), cmocka_unit_test(names_stay_on_one_line),
        cmocka_unit_test(any_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
