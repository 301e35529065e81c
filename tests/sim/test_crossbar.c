/* The numeric path: fast against the plain reference, ideal converters against the integer reference,
 * threads against one thread. Random weights on a small network with row tiles, column tiles, a
 * residual, a signed input and pooling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    pp_network *net;
    pp_stages *stages;
    pp_dataset data;
    pp_qnetwork *q;
    pp_arch arch;
    pp_mapping *m;
    pp_channel channel;
    float weights[4][3000];
    float bias[16];
} fixture;

enum { IMAGES = 24, SIDE = 8 };

static pp_tensor tensor(const void *data, uint32_t ndim, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = ndim, .dim = {a, b, c, d}, .data = data};
}

static void conv(pp_builder *b, fixture *f, int i, const char *name, uint32_t input, uint32_t cin, uint32_t cout,
                 uint32_t k, uint32_t *out)
{
    pp_window w = {.kh = k, .kw = k, .sh = 1, .sw = 1, .dh = 1, .dw = 1, .top = k / 2, .left = k / 2, .bottom = k / 2, .right = k / 2};
    pp_tensor weight = tensor(f->weights[i], 4, cout, cin, k, k), bias = tensor(f->bias, 1, cout, 0, 0, 0);
    assert_int_equal(pp_build_conv(b, name, input, cout, &w, 1, true, false, &weight, &bias, out), PP_OK);
}

/* input 8x8x3 -> a 3x3x12 -> b 3x3x12 + a -> c 1x1x10 -> mean over the map */
static void build_network(fixture *f)
{
    pp_builder *b = NULL;
    uint32_t a, a2, c, sum, sum2, d, pool;
    assert_int_equal(pp_builder_new(&b, "small", (pp_shape){SIDE, SIDE, 3}), PP_OK);
    conv(b, f, 0, "a", 0, 3, 12, 3, &a);
    assert_int_equal(pp_build_act(b, "a.relu", a, PP_ACT_RELU, &a2), PP_OK);
    conv(b, f, 1, "b", a2, 12, 12, 3, &c);
    uint32_t both[] = {c, a2};
    assert_int_equal(pp_build_join(b, "b.add", PP_OP_ADD, both, 2, &sum), PP_OK);
    assert_int_equal(pp_build_act(b, "b.relu", sum, PP_ACT_RELU, &sum2), PP_OK);
    conv(b, f, 2, "c", sum2, 12, 10, 1, &d);
    assert_int_equal(pp_build_pool(b, "mean", PP_OP_GLOBAL_POOL, d, NULL, &pool), PP_OK);
    assert_int_equal(pp_builder_finish(&f->net, b), PP_OK);
}

static void fill(fixture *f)
{
    pp_rng r = pp_rng_make(7, 1);
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 3000; k++)
            f->weights[i][k] = (float)(0.2 * pp_rng_normal(&r));
    }
    for (int i = 0; i < 16; i++)
        f->bias[i] = (float)(0.1 * pp_rng_normal(&r));
    f->data = (pp_dataset){.name = "noise", .n = IMAGES, .h = SIDE, .w = SIDE, .c = 3, .classes = 10};
    f->data.pixels = calloc(IMAGES, SIDE * SIDE * 3);
    f->data.labels = calloc(IMAGES, sizeof *f->data.labels);
    for (size_t i = 0; i < IMAGES * SIDE * SIDE * 3; i++)
        f->data.pixels[i] = (uint8_t)pp_rng_below(&r, 256);
}

static bool rotate; /* inputs of b and c, whole blocks on a row tile each */
static int rotate_at;
static int scale_of; /* pp_qscale: codes made anew */

static void setup_with(fixture *f, int64_t rows, int64_t cols, int64_t adc_bits)
{
    memset(f, 0, sizeof *f);
    fill(f);
    build_network(f);
    for (int i = 0; i < 4; i++) {
        f->net->mean[i] = 0.5f;
        f->net->std[i] = 0.25f;
    }
    assert_int_equal(pp_stages_build(&f->stages, f->net), PP_OK);
    pp_quant_options o = {.wbits = 4, .abits = scale_of != PP_QSCALE_STATIC ? 4 : 8, .activation_scale = scale_of, .weights = PP_WQUANT_MSE, .activations = PP_AQUANT_MINMAX,
                          .percentile = 99.99, .calib_images = IMAGES, .calib = "", .psum_bits = 16,
                          .rotate = rotate ? PP_ROTATE_INPUT : PP_ROTATE_NONE, .rotation_block = rotate_at == PP_ROTATE_PRODUCER ? "4" : "array_rows", .rotation_rows = rows,
                          .rotate_at = rotate_at, .rotate_layers = rotate_at == PP_ROTATE_PRODUCER ? "c" : ""};
    assert_int_equal(pp_quantize(&f->q, f->net, f->stages, &o, &f->data, NULL), PP_OK);
    assert_int_equal(pp_arch_from_preset(&f->arch, "none"), PP_OK);
    f->arch.rows = rows;
    f->arch.cols = cols;
    f->arch.adc_bits = adc_bits;
    f->channel = (pp_channel){.lanes = 1, .lane_gbps = 5};
    pp_map_options mo = {.placement = "auto", .unroll = "none", .copies = "1", .buffers = "unlimited", .reduction = PP_REDUCE_CHAIN};
    assert_int_equal(pp_map_plan(&f->m, f->q, &f->arch, &f->channel, 0, &mo), PP_OK);
}

static void teardown_of(fixture *f)
{
    pp_mapping_free(f->m);
    pp_qnetwork_free(f->q);
    pp_stages_free(f->stages);
    pp_network_free(f->net);
    free(f->data.pixels);
    free(f->data.labels);
}

static void input_codes(const fixture *f, uint32_t image, int16_t *codes)
{
    float pixels[SIDE * SIDE * 3];
    pp_dataset_normalise(&f->data, f->net, image, pixels);
    pp_quantize_input(f->q, pixels, codes);
}

static void compare_with_plain(fixture *f, pp_crossbar *x)
{
    float fast[IMAGES * 10];
    assert_int_equal(pp_crossbar_run(x, NULL, &f->data, 0, IMAGES, fast), PP_OK);
    for (uint32_t i = 0; i < 4; i++) {
        int16_t codes[SIDE * SIDE * 3];
        double slow[10];
        input_codes(f, i, codes);
        assert_int_equal(pp_crossbar_reference(x, codes, slow), PP_OK);
        for (int c = 0; c < 10; c++)
            assert_true(fast[i * 10 + (uint32_t)c] == (float)slow[c]);
    }
}

static void fast_equals_plain(void **state)
{
    (void)state;
    const int64_t bits[] = {4, 6, 8, 12};
    for (int range = PP_ADC_RANGE_MAX; range <= PP_ADC_RANGE_MSE; range++) {
        for (int scope = PP_ADC_PER_TILE; scope <= PP_ADC_PER_COLUMN; scope++) {
            fixture f;
            setup_with(&f, 48, 5, bits[(range + scope) % 4]); /* b: 108 rows on 3 row tiles, 3 column tiles */
            f.arch.adc_range = range;
            f.arch.adc_scope = scope;
            assert_true(f.m->plan[1].row_tiles >= 3 && f.m->plan[1].col_tiles >= 3);
            pp_crossbar *x = NULL;
            assert_int_equal(pp_crossbar_new(&x, f.q, &f.arch, f.m, &f.data, NULL), PP_OK);
            compare_with_plain(&f, x);
            pp_crossbar_free(x);
            teardown_of(&f);
        }
    }
}

static void ideal_equals_integer_reference(void **state)
{
    (void)state;
    fixture f;
    setup_with(&f, 48, 256, 0);
    pp_crossbar *x = NULL;
    assert_int_equal(pp_crossbar_new(&x, f.q, &f.arch, f.m, &f.data, NULL), PP_OK);
    pp_row_tiles tiles;
    void *owner = NULL;
    assert_int_equal(pp_mapping_row_tiles(&tiles, &owner, f.m, f.q), PP_OK);
    float fast[IMAGES * 10];
    assert_int_equal(pp_crossbar_run(x, NULL, &f.data, 0, IMAGES, fast), PP_OK);
    for (uint32_t i = 0; i < IMAGES; i++) {
        int16_t codes[SIDE * SIDE * 3], **streams = NULL;
        double logits[10];
        input_codes(&f, i, codes);
        assert_int_equal(pp_qref_run(f.q, &tiles, codes, &streams, logits), PP_OK);
        for (int c = 0; c < 10; c++)
            assert_true(fast[i * 10 + (uint32_t)c] == (float)logits[c]);
        pp_qref_free(f.q, streams);
    }
    free(owner);
    pp_crossbar_free(x);
    teardown_of(&f);
}

static void rotated_inputs(void **state)
{
    rotate = true;
    fast_equals_plain(state);
    ideal_equals_integer_reference(state);
    rotate = false;
}

/* The input of c at b; that of b has two readers. */
static void rotated_at_the_producer(void **state)
{
    rotate_at = PP_ROTATE_PRODUCER;
    rotated_inputs(state);
    rotate_at = PP_ROTATE_CONSUMER;
}

static void scales_of_firings(void **state)
{
    for (scale_of = PP_QSCALE_TILE; scale_of <= PP_QSCALE_TOKEN; scale_of++) {
        ideal_equals_integer_reference(state);
        fast_equals_plain(state);
        rotate = true;
        ideal_equals_integer_reference(state);
        rotate = false;
    }
    scale_of = PP_QSCALE_STATIC;
}

static void threads_change_nothing(void **state)
{
    (void)state;
    fixture f;
    float one[IMAGES * 10], three[IMAGES * 10];
    setup_with(&f, 48, 256, 6);
    pp_pool *pool = NULL;
    assert_int_equal(pp_pool_new(&pool, 3), PP_OK);
    pp_crossbar *a = NULL, *b = NULL;
    assert_int_equal(pp_crossbar_new(&a, f.q, &f.arch, f.m, &f.data, NULL), PP_OK);
    assert_int_equal(pp_crossbar_new(&b, f.q, &f.arch, f.m, &f.data, pool), PP_OK);
    assert_int_equal(pp_crossbar_run(a, NULL, &f.data, 0, IMAGES, one), PP_OK);
    assert_int_equal(pp_crossbar_run(b, pool, &f.data, 0, IMAGES, three), PP_OK);
    assert_memory_equal(one, three, sizeof one);
    assert_true(pp_crossbar_adc(a, 0)->sqnr_db == pp_crossbar_adc(b, 0)->sqnr_db);
    pp_crossbar_free(a);
    pp_crossbar_free(b);
    pp_pool_free(pool);
    teardown_of(&f);
}

/* More bits must bring the partial sums closer: about 6 dB a bit. */
static void sqnr_grows_with_bits(void **state)
{
    (void)state;
    double before = 0;
    for (int64_t bits = 5; bits <= 9; bits += 2) {
        fixture f;
        setup_with(&f, 256, 256, bits);
        f.arch.adc_range = PP_ADC_RANGE_MAX;
        pp_crossbar *x = NULL;
        assert_int_equal(pp_crossbar_new(&x, f.q, &f.arch, f.m, &f.data, NULL), PP_OK);
        double db = pp_crossbar_adc(x, 1)->sqnr_db;
        /* The first layer sees the same codes as in calibration: a range of its maximum clips nothing. */
        assert_true(pp_crossbar_adc(x, 0)->clipped_share == 0);
        if (bits > 5)
            assert_true(db - before > 10 && db - before < 14);
        before = db;
        pp_crossbar_free(x);
        teardown_of(&f);
    }
}

int main(void)
{
    const struct CMUnitTest crossbar[] = {
        cmocka_unit_test(fast_equals_plain),
        cmocka_unit_test(ideal_equals_integer_reference),
        cmocka_unit_test(rotated_inputs), cmocka_unit_test(rotated_at_the_producer), cmocka_unit_test(scales_of_firings), cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(sqnr_grows_with_bits),
    };
    return cmocka_run_group_tests(crossbar, NULL, NULL);
}
