/* Hand-made graphs: results computed by hand, by the evaluator, by the network and by the fast executor agree. */
#ifndef PP_TEST_ONNX_CHECK_H
#define PP_TEST_ONNX_CHECK_H

#include "onnx_writer.h"
#include "workloads/tflite.h"

/* A file for each program: they run side by side. */
#ifndef PP_TEST_ONNX_FILE
#define PP_TEST_ONNX_FILE "made.onnx"
#endif
static const char path[] = PP_TEST_ONNX_FILE;
static bytes g;

static inline void start(const char *dims)
{
    g.len = 0;
    put_info(&g, 11, "x", dims);
}

/* What the fast executor gives for pixels of bytes. */
static inline void run_fast(const pp_network *net, const uint8_t *pixels, float *out)
{
    pp_shape s = net->ops[0].out;
    pp_stages *stages = NULL;
    pp_float_exec *exec = NULL;
    uint16_t label = 0;
    pp_dataset data = {.name = (char *)(uintptr_t) "bytes",
                       .n = 1,
                       .h = s.h,
                       .w = s.w,
                       .c = s.c,
                       .classes = 1,
                       .pixels = (uint8_t *)(uintptr_t)pixels,
                       .labels = &label};
    assert_ok(pp_stages_build(&stages, net));
    assert_ok(pp_float_exec_new(&exec, net, stages));
    assert_ok(pp_float_exec_run(exec, NULL, &data, 0, 1, out, NULL, NULL));
    pp_float_exec_free(exec);
    pp_stages_free(stages);
}

/* Element (h, w, c) of a shape in the order of the file. */
static inline size_t place(pp_shape s, bool last, size_t h, size_t w, size_t c)
{
    return last ? (h * s.w + w) * s.c + c : (c * s.h + h) * s.w + w;
}

/* Pixel i is the byte 51 (i mod 6): numbers 0, 0.2 ... 1 in the order of the file. Expected results in that order, too;
 * NULL: the evaluator's. */
static inline pp_network *check_file(const char *file, const char *model, bool last, const double *expected)
{
    pp_network *net = NULL;
    pp_onnx *m = NULL;
    pp_onnx_run *run = NULL;
    pp_onnx_array have;
    float **results = NULL;
    if ((strstr(file, ".tflite") ? pp_tflite_open(&m, file) : pp_onnx_open(&m, file)) != PP_OK)
        fail_msg("%s", pp_error_text());
    if (pp_model_open(&net, model) != PP_OK)
        fail_msg("%s", pp_error_text());
    assert_string_equal(net->weights_file, file);
    pp_shape s = net->ops[0].out, o = net->ops[net->output].out;
    size_t n = (size_t)s.h * s.w * s.c, n_out = (size_t)o.h * o.w * o.c;
    float in[1024], mapped[1024], fast[1024];
    uint8_t pixels[1024];
    assert_true(n <= 1024 && n_out <= 1024);
    for (size_t i = 0; i < 1024; i++) /* of all the images that the file is made for; the first one is compared */
        in[i] = (float)(51 * (i % 6)) / 255.0f;
    for (size_t h = 0, i = 0; h < s.h; h++)
        for (size_t w = 0; w < s.w; w++)
            for (size_t c = 0; c < s.c; c++, i++) {
                mapped[i] = in[place(s, last, h, w, c)];
                pixels[i] = (uint8_t)(51 * (place(s, last, h, w, c) % 6));
            }
    pp_onnx_array x = {.type = 1, .ndim = m->input[0].ndim, .data = in};
    for (uint32_t d = 0; d < x.ndim; d++)
        x.dim[d] = m->input[0].dim[d] > 0 ? (uint64_t)m->input[0].dim[d] : 1;
    assert_true(x.dim[0] * n <= 1024);
    assert_ok(pp_onnx_run_new(&run, m, &x, 1, 1 << 24));
    assert_true(pp_onnx_run_output(run, 0, &have));
    assert_ok(pp_ref_run(net, mapped, &results));
    if (s.c <= 4)
        run_fast(net, pixels, fast);
    for (size_t h = 0, i = 0; h < o.h; h++)
        for (size_t w = 0; w < o.w; w++)
            for (size_t c = 0; c < o.c; c++, i++) {
                size_t at = place(o, last, h, w, c);
                float evaluated;
                memcpy(&evaluated, (const float *)have.data + at, sizeof evaluated);
                double want = expected ? expected[at] : (double)evaluated;
                if (!close_to((double)results[net->output][i], want, 1e-5, 1e-5) ||
                    (net->note[0] == '\0' && !close_to((double)evaluated, want, 1e-5, 1e-5)) ||
                    (s.c <= 4 && !close_to((double)fast[i], want, 1e-5, 1e-5)))
                    fail_msg("element %zu: network %g, fast %g, evaluator %g, expected %g", at,
                             (double)results[net->output][i], s.c <= 4 ? (double)fast[i] : 0.0, (double)evaluated,
                             want);
            }
    pp_ref_free(net, results);
    pp_onnx_run_free(run);
    pp_onnx_close(m);
    return net;
}

static inline pp_network *check_model(const char *model, bool last, const double *expected)
{
    return check_file(path, model, last, expected);
}

/* Writes the graph with output y; checked, or refused with that in the message. */
static inline void write_net(int64_t opset)
{
    put_info(&g, 12, "y", "0");
    write_model(path, opset, &g);
}

static inline pp_network *check_last(int64_t opset, const double *expected)
{
    write_net(opset);
    return check_model(path, true, expected);
}

static inline void refuses(int64_t opset, const char *says)
{
    pp_network *net = NULL;
    write_net(opset);
    assert_fails(pp_network_from_onnx(&net, path), says);
}

/* Writes the graph with output y and checks it. */
static inline pp_network *check_net(int64_t opset, const double *expected)
{
    write_net(opset);
    return check_model(path, false, expected);
}

static inline void check(int64_t opset, const double *expected)
{
    pp_network_free(check_net(opset, expected));
}

static inline uint32_t count_kind(const pp_network *net, pp_op_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < net->n_ops; i++)
        n += net->ops[i].kind == kind;
    return n;
}

#endif
