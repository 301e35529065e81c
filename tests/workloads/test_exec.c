/* The fast executor against the reference, on every kernel that this processor has. */
#include "test_workloads.h"

#include "tests/size.h"
#include "workloads/cpu.h"

#include <math.h>

static const char *const levels[] = {"plain", "avx2", "avx512"};

/* A data set of random bytes that fits the network. */
static void random_data(pp_dataset *d, const pp_network *net, uint32_t n, uint64_t seed)
{
    pp_rng rng = pp_rng_make(seed, 3);
    pp_shape in = net->ops[0].out;
    *d = (pp_dataset){.name = (char *)"random", .n = n, .h = in.h, .w = in.w, .c = in.c, .classes = 5};
    size_t bytes = (size_t)n * in.h * in.w * in.c;
    d->pixels = malloc(bytes);
    d->labels = calloc(n, sizeof *d->labels);
    assert_true(d->pixels && d->labels);
    for (size_t i = 0; i < bytes; i++)
        d->pixels[i] = (uint8_t)pp_rng_below(&rng, 256);
}

typedef struct compare {
    const pp_network *net;
    const pp_stages *stages;
    float **want; /* results of the reference, by operator */
    uint32_t calls;
} compare;

/* Operator whose result is the stream. */
static uint32_t op_of_stream(const compare *c, uint32_t stream)
{
    return stream == 0 ? 0 : c->stages->stage[stream - 1].result;
}

static pp_status compare_stream(void *payload, uint32_t stream, uint32_t image, const float *data)
{
    compare *c = payload;
    uint32_t op = op_of_stream(c, stream);
    pp_shape s = pp_stream_shape(c->net, c->stages, stream);
    size_t n = (size_t)s.h * s.w * s.c;
    double scale = 0;
    assert_int_equal(image, 0);
    assert_int_equal(c->calls, stream); /* streams come in order, each once */
    c->calls++;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)c->want[op][i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)c->want[op][i] - (double)data[i]) <= 1e-4 * scale))
            fail_msg("%s[%zu]: %g, reference %g", c->net->ops[op].name, i, (double)data[i], (double)c->want[op][i]);
    return PP_OK;
}

static void random_networks_equal_the_reference(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 150; seed++) {
        random_net r;
        pp_stages *stages;
        pp_dataset data;
        float in[13 * 13 * 4], logits[5];
        random_net_make(&r, seed);
        assert_ok(pp_stages_build(&stages, r.net));
        random_data(&data, r.net, 1, seed);
        compare c = {.net = r.net, .stages = stages};
        pp_dataset_normalise(&data, r.net, 0, in);
        assert_ok(pp_ref_run(r.net, in, &c.want));
        for (size_t level = 0; level < 3; level++) {
            pp_float_exec *exec = NULL;
            setenv("PENTAPRISM_CPU", levels[level], 1);
            assert_ok(pp_float_exec_new(&exec, r.net, stages));
            for (int again = 0; again < 2; again++) { /* buffers keep nothing of the image before */
                c.calls = 0;
                assert_ok(pp_float_exec_run(exec, NULL, &data, 0, 1, logits, compare_stream, &c));
                assert_int_equal(c.calls, stages->n + 1);
            }
            pp_float_exec_free(exec);
        }
        unsetenv("PENTAPRISM_CPU");
        pp_ref_free(r.net, c.want);
        free(data.pixels);
        free(data.labels);
        pp_stages_free(stages);
        random_net_free(&r);
    }
}

/* Sets single weights by hand: a 1x1 identity shifted by a channel, and a mean. */
static void a_convolution_by_hand(void **state)
{
    (void)state;
    static const float w[4] = {0, 2, 1, 0}, bias[2] = {0.5f, -1};
    static const float fc[2] = {1, 10};
    pp_tensor weight = {.ndim = 4, .dim = {2, 2, 1, 1}, .data = w}, biases = {.ndim = 1, .dim = {2}, .data = bias};
    pp_tensor last = {.ndim = 2, .dim = {1, 2}, .data = fc};
    pp_window one = window(1, 1, 0);
    pp_builder *b = NULL;
    pp_network *net = NULL;
    uint32_t x;
    float in[2] = {3, 0.25f}, **results = NULL;
    assert_ok(pp_builder_new(&b, "n", (pp_shape){1, 1, 2}));
    assert_ok(pp_build_conv(b, "c", 0, 2, &one, 1, true, false, &weight, &biases, &x));
    assert_ok(pp_build_linear(b, "f", x, 1, false, &last, NULL, &x));
    assert_ok(pp_builder_finish(&net, b));
    assert_ok(pp_ref_run(net, in, &results));
    assert_true(results[1][0] == 1.0f && results[1][1] == 2.0f); /* 2 * 0.25 + 0.5; 3 - 1 */
    assert_true(results[2][0] == 21.0f);
    pp_ref_free(net, results);
    pp_network_free(net);
}

/* A linear operator reads a map in C,H,W order, through a flatten or not. */
static void linear_reads_channels_first(void **state)
{
    (void)state;
    float w[12], bytes[12];
    for (size_t i = 0; i < 12; i++)
        w[i] = (float)(1 << i);
    for (int flat = 0; flat < 2; flat++) {
        pp_tensor weight = {.ndim = 2, .dim = {1, 12}, .data = w};
        pp_builder *b = NULL;
        pp_network *net = NULL;
        uint32_t x = 0;
        float **results = NULL, want = 0;
        assert_ok(pp_builder_new(&b, "n", (pp_shape){2, 3, 2}));
        if (flat)
            assert_ok(pp_build_flatten(b, "flat", 0, &x));
        assert_ok(pp_build_linear(b, "f", x, 1, false, &weight, NULL, &x));
        assert_ok(pp_builder_finish(&net, b));
        for (size_t i = 0; i < 12; i++)
            bytes[i] = (float)(i % 5);
        for (size_t c = 0; c < 2; c++)
            for (size_t p = 0; p < 6; p++)
                want += w[c * 6 + p] * bytes[p * 2 + c];
        assert_ok(pp_ref_run(net, bytes, &results));
        assert_true(results[net->output][0] == want);
        pp_ref_free(net, results);
        pp_network_free(net);
    }
}

static float *read_fixture(void)
{
    char *path = NULL;
    float *logits = malloc(10000 * sizeof *logits);
    assert_ok(pp_zoo_path(&path, "resnet32-cifar10.logits.f32"));
    FILE *f = fopen(path, "rb");
    assert_true(f && logits);
    assert_int_equal(fread(logits, sizeof *logits, 10000, f), 10000);
    fclose(f);
    free(path);
    return logits;
}

/* Largest difference to the fixture over the first n images. */
static double largest_error(const float *got, const float *want, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n * 10; i++)
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
    return worst;
}

static void resnet32_reproduces_the_fixture(void **state)
{
    (void)state;
    pp_network *net = NULL;
    pp_stages *stages = NULL;
    pp_dataset *data = NULL;
    float *want = read_fixture(), *got = calloc(10000, sizeof *got);
    assert_non_null(got);
    assert_ok(pp_model_open(&net, "resnet32-cifar10"));
    assert_ok(pp_stages_build(&stages, net));
    assert_ok(pp_dataset_open(&data, "cifar10-test-1000", 0));
    assert_ok(pp_dataset_fits(data, net));
    unsetenv("PENTAPRISM_CPU");
    pp_cpu best = pp_cpu_level() == PP_CPU_PLAIN ? PP_CPU_AVX2 : pp_cpu_level(); /* plain is slow */
    for (size_t level = 0; level < 3; level++) {
        pp_float_exec *exec = NULL;
        setenv("PENTAPRISM_CPU", levels[level], 1);
        const uint32_t all = PP_SMALL_TESTS ? 60 : 1000, n = pp_cpu_level() < best ? all / 50 : all;
        assert_ok(pp_float_exec_new(&exec, net, stages));
        assert_ok(pp_float_exec_run(exec, NULL, data, 0, n, got, NULL, NULL));
        assert_true(largest_error(got, want, n) < 1e-3);
        if (n == 1000)
            assert_true(pp_top1(got, data->labels, n, 10) == 0.943);
        pp_float_exec_free(exec);
    }
    unsetenv("PENTAPRISM_CPU");
    assert_true(pp_top1(want, data->labels, 1000, 10) == 0.943);
    float in[3072], **results = NULL;
    pp_dataset_normalise(data, net, 7, in);
    assert_ok(pp_ref_run(net, in, &results));
    assert_true(largest_error(results[net->output], want + 70, 1) < 1e-3);
    pp_ref_free(net, results);
    pp_dataset_free(data);
    pp_stages_free(stages);
    pp_network_free(net);
    free(want);
    free(got);
}

static pp_status refuse(void *payload, uint32_t stream, uint32_t image, const float *data)
{
    (void)payload;
    (void)data;
    return stream == 5 && image == 1 ? pp_fail(PP_EIO, "enough") : PP_OK;
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    pp_network *net = NULL, *bare = NULL;
    pp_stages *stages = NULL, *bare_stages = NULL;
    pp_dataset *data = NULL;
    pp_float_exec *exec = NULL;
    float logits[30], in[3072] = {0}, **results = NULL;
    assert_ok(pp_model_open(&bare, "resnet20"));
    assert_ok(pp_stages_build(&bare_stages, bare));
    assert_fails(pp_float_exec_new(&exec, bare, bare_stages), "no weights");
    assert_fails(pp_ref_run(bare, in, &results), "no weights");
    assert_ok(pp_model_open(&net, "resnet32-cifar10"));
    assert_ok(pp_stages_build(&stages, net));
    assert_ok(pp_dataset_open(&data, "cifar10-test-1000", 3));
    assert_ok(pp_float_exec_new(&exec, net, stages));
    assert_fails(pp_float_exec_run(exec, NULL, data, 1, 3, logits, NULL, NULL), "it has 3");
    assert_fails(pp_float_exec_run(exec, NULL, data, 4, 0, logits, NULL, NULL), "it has 3");
    assert_fails(pp_float_exec_run(exec, NULL, data, 0, 3, logits, refuse, NULL), "enough");
    data->w = 31;
    assert_fails(pp_float_exec_run(exec, NULL, data, 0, 1, logits, NULL, NULL), "32x31x3");
    pp_float_exec_free(exec);
    pp_dataset_free(data);
    pp_stages_free(stages);
    pp_stages_free(bare_stages);
    pp_network_free(net);
    pp_network_free(bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_equal_the_reference), cmocka_unit_test(a_convolution_by_hand),
        cmocka_unit_test(linear_reads_channels_first),         cmocka_unit_test(resnet32_reproduces_the_fixture),
        cmocka_unit_test(wrong_calls_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
