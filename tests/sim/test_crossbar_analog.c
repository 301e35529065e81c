/* The analog engine: exact devices against the integer reference and the integer crossbars, the fast path against plain loops
 * with all noises on, noise drawn at the column against device by device, threads, processors, compensation, slices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/crossbar_analog_internal.h"

#include <math.h>
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
    pp_device device;
    pp_device_options device_options;
    pp_noise_options noise;
    int64_t rows, cols, adc_bits, cell_bits, dac_bits, phases; /* before setup */
    int cells, subtract, input, rotate, rotate_at, weights_of, scale;
    float weights[4][3000];
    float bias[16];
} fixture;

enum { IMAGES = 12, SIDE = 8 };

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

static void setup(fixture *f, const char *unroll, const char *copies)
{
    fill(f);
    build_network(f);
    for (int i = 0; i < 4; i++) {
        f->net->mean[i] = 0.5f;
        f->net->std[i] = 0.25f;
    }
    assert_int_equal(pp_stages_build(&f->stages, f->net), PP_OK);
    pp_quant_options o = {.wbits = 4, .abits = f->scale != PP_QSCALE_STATIC ? 5 : 8, .activation_scale = f->scale, .weights = PP_WQUANT_MSE, .activations = PP_AQUANT_MINMAX,
                          .percentile = 99.99, .calib_images = IMAGES, .calib = "", .psum_bits = 16,
                          .rotate = f->rotate, .rotate_at = f->rotate_at,
                          .rotate_layers = f->rotate_at == PP_ROTATE_PRODUCER ? "c" : "", .rotation_block = "array_rows", .rotation_rows = f->rows > 0 ? f->rows : 48};
    assert_int_equal(pp_quantize(&f->q, f->net, f->stages, &o, &f->data, NULL), PP_OK);
    assert_int_equal(pp_arch_from_preset(&f->arch, "none"), PP_OK);
    f->arch.rows = f->rows > 0 ? f->rows : 48;
    f->arch.cols = f->cols > 0 ? f->cols : 5;
    f->arch.cells = f->cells;
    f->arch.weights = f->weights_of;
    f->arch.cell_bits = f->cell_bits;
    f->arch.subtract = f->subtract;
    f->arch.adc_bits = f->adc_bits;
    f->arch.input = f->input;
    f->arch.dac_bits = f->dac_bits > 0 ? f->dac_bits : 1;
    f->arch.phases = f->phases > 0 ? f->phases : 1;
    f->channel = (pp_channel){.lanes = 1, .lane_gbps = 5};
    pp_map_options mo = {.placement = "auto", .unroll = unroll, .copies = copies, .buffers = "unlimited", .reduction = PP_REDUCE_CHAIN};
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


static void choose_device(fixture *f, const char *model)
{
    f->device_options = (pp_device_options){.model = model, .times_s = "25", .sigma = 0.038, .read_sigma = 0.02, .program_poly = "",
                                            .nu_mean_poly = "", .nu_std_poly = "", .read_poly = "", .yield = 1,
                                            .verify_reads = 1, .verify_window = 0.01};
    assert_int_equal(pp_device_resolve(&f->device, &f->device_options), PP_OK);
    f->noise = (pp_noise_options){.seeds = 1, .read = PP_READ_ACCUMULATED, .compensation = "tile", .compensation_reads = 16,
                                  .calib_images = IMAGES, .snr = true};
}

static pp_analog *make(fixture *f, pp_pool *pool)
{
    pp_analog *x = NULL;
    if (pp_analog_new(&x, f->q, &f->arch, f->m, &f->device, &f->noise, &f->data, pool) != PP_OK)
        fail_msg("%s", pp_error_text());
    return x;
}

static void run(pp_analog *x, fixture *f, float *logits, pp_pool *pool)
{
    assert_int_equal(pp_analog_run(x, pool, &f->data, 0, IMAGES, logits), PP_OK);
}

/* ---- exact devices ---- */

static void integer_reference(fixture *f, float *logits)
{
    pp_crossbar *x = NULL;
    pp_arch ideal = f->arch;
    ideal.adc_bits = 0;
    assert_int_equal(pp_crossbar_new(&x, f->q, &ideal, f->m, &f->data, NULL), PP_OK);
    assert_int_equal(pp_crossbar_run(x, NULL, &f->data, 0, IMAGES, logits), PP_OK);
    pp_crossbar_free(x);
}

/* Ideal converters: whatever slices inputs and weights, the sums are those of the integers. */
static int rotate_exact, rotate_exact_at; /* pp_rotate and pp_rotate_at of the exact cases */
static int scale_exact;                   /* pp_qscale */

static void exact_case(int cells, int64_t cell_bits, int subtract, int input, int64_t dac_bits, int64_t phases, const char *unroll,
                       const char *copies)
{
    fixture f = {.cells = cells, .cell_bits = cell_bits, .subtract = subtract, .input = input, .dac_bits = dac_bits,
                 .phases = phases, .rows = 64, .cols = 40, .rotate = rotate_exact, .rotate_at = rotate_exact_at, .scale = scale_exact};
    float want[IMAGES * 10], got[IMAGES * 10];
    setup(&f, unroll, copies);
    choose_device(&f, "ideal");
    integer_reference(&f, want);
    pp_analog *x = make(&f, NULL);
    run(x, &f, got, NULL);
    for (int i = 0; i < IMAGES * 10; i++)
        if (want[i] != got[i])
            fail_msg("cells %d bits %lld subtract %d input %d phases %lld unroll %s: logit %d is %g, integers say %g", cells,
                     (long long)cell_bits, subtract, input, (long long)phases, unroll, i, (double)got[i], (double)want[i]);
    pp_analog_free(x);
    teardown_of(&f);
}

static void exact_devices_equal_the_integers(void **state)
{
    (void)state;
    exact_case(PP_CELLS_DIFFERENTIAL, 0, PP_SUBTRACT_ANALOG, PP_INPUT_PARALLEL, 1, 1, "none", "1");
    exact_case(PP_CELLS_DIFFERENTIAL, 0, PP_SUBTRACT_DIGITAL, PP_INPUT_PARALLEL, 1, 2, "none", "3");
    exact_case(PP_CELLS_DIFFERENTIAL, 1, PP_SUBTRACT_ANALOG, PP_INPUT_BIT_SERIAL, 1, 1, "none", "1");
    exact_case(PP_CELLS_DIFFERENTIAL, 2, PP_SUBTRACT_DIGITAL, PP_INPUT_BIT_SERIAL, 3, 2, "none", "1");
    exact_case(PP_CELLS_OFFSET, 2, PP_SUBTRACT_ANALOG, PP_INPUT_BIT_SERIAL, 2, 1, "none", "1");
    exact_case(PP_CELLS_REFERENCE_COLUMN, 2, PP_SUBTRACT_ANALOG, PP_INPUT_PWM, 1, 1, "none", "1");
    exact_case(PP_CELLS_DIFFERENTIAL, 0, PP_SUBTRACT_ANALOG, PP_INPUT_PARALLEL, 1, 1, "8:1x2", "1");
}

/* Signed inputs behind a rotation, in two phases or one. */
static void exact_devices_behind_rotations(void **state)
{
    (void)state;
    rotate_exact = PP_ROTATE_INPUT;
    exact_case(PP_CELLS_DIFFERENTIAL, 0, PP_SUBTRACT_ANALOG, PP_INPUT_PARALLEL, 1, 1, "none", "1");
    exact_case(PP_CELLS_DIFFERENTIAL, 2, PP_SUBTRACT_DIGITAL, PP_INPUT_BIT_SERIAL, 3, 2, "none", "1");
    exact_case(PP_CELLS_OFFSET, 2, PP_SUBTRACT_ANALOG, PP_INPUT_BIT_SERIAL, 2, 1, "none", "3");
    rotate_exact_at = PP_ROTATE_PRODUCER;
    exact_case(PP_CELLS_DIFFERENTIAL, 2, PP_SUBTRACT_DIGITAL, PP_INPUT_BIT_SERIAL, 3, 2, "none", "1");
    exact_case(PP_CELLS_OFFSET, 2, PP_SUBTRACT_ANALOG, PP_INPUT_BIT_SERIAL, 2, 1, "none", "3");
    rotate_exact_at = PP_ROTATE_CONSUMER;
    rotate_exact = PP_ROTATE_NONE;
}

/* Codes made anew for each firing. */
static void exact_devices_with_scales(void **state)
{
    (void)state;
    for (scale_exact = PP_QSCALE_TILE; scale_exact <= PP_QSCALE_TOKEN; scale_exact++) {
        exact_case(PP_CELLS_DIFFERENTIAL, 0, PP_SUBTRACT_ANALOG, PP_INPUT_PARALLEL, 1, 1, "none", "3");
        exact_case(PP_CELLS_DIFFERENTIAL, 2, PP_SUBTRACT_DIGITAL, PP_INPUT_BIT_SERIAL, 3, 2, "none", "1");
        exact_case(PP_CELLS_OFFSET, 2, PP_SUBTRACT_ANALOG, PP_INPUT_BIT_SERIAL, 2, 1, "none", "1");
        exact_case(PP_CELLS_DIFFERENTIAL, 0, PP_SUBTRACT_ANALOG, PP_INPUT_PARALLEL, 1, 1, "8:1x2", "1");
        rotate_exact = PP_ROTATE_INPUT;
        exact_case(PP_CELLS_DIFFERENTIAL, 2, PP_SUBTRACT_DIGITAL, PP_INPUT_BIT_SERIAL, 3, 2, "none", "1");
        rotate_exact = PP_ROTATE_NONE;
    }
    scale_exact = PP_QSCALE_STATIC;
}

/* Ranges of all of each column: the converters of the integer crossbars. */
static void exact_devices_with_converters(void **state)
{
    fixture f = {.adc_bits = 6};
    float want[IMAGES * 10], got[IMAGES * 10];
    (void)state;
    setup(&f, "none", "1");
    choose_device(&f, "sram");
    pp_analog *x = make(&f, NULL);
    run(x, &f, got, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(pp_analog_reference(x, &f.data, i, want), PP_OK);
        assert_memory_equal(want, got + i * 10, 10 * sizeof *want);
    }
    pp_analog_free(x);
    teardown_of(&f);
}

/* ---- everything on ---- */

static void all_noises(fixture *f)
{
    choose_device(f, "aihwkit-pcm");
    f->noise.read = PP_READ_BOTH;
    f->noise.read_std = 0.0175;
    f->noise.out_std = 0.04;
    f->noise.adc_noise_lsb = 0.5;
    f->noise.adc_offset_lsb = 0.5;
    f->noise.adc_gain_std = 0.01;
}

static void noisy_case(fixture *f, const char *unroll, const char *copies)
{
    static const char *const levels[] = {"plain", "avx2", "avx512"};
    float want[10], got[IMAGES * 10], again[IMAGES * 10];
    setup(f, unroll, copies);
    all_noises(f);
    for (int level = 0; level < 3; level++) {
        setenv("PENTAPRISM_CPU", levels[level], 1);
        pp_analog *x = make(f, NULL);
        assert_int_equal(pp_analog_program(x, 5, 86400, NULL), PP_OK);
        assert_int_equal(pp_analog_compensate(x, PP_COMPENSATE_TILE, NULL), PP_OK);
        run(x, f, got, NULL);
        if (level > 0)
            assert_memory_equal(got, again, sizeof got);
        memcpy(again, got, sizeof got);
        for (uint32_t i = 0; i < 2 && level == 0; i++) {
            assert_int_equal(pp_analog_reference(x, &f->data, i, want), PP_OK);
            assert_memory_equal(want, got + i * 10, sizeof want);
        }
        pp_analog_free(x);
    }
    unsetenv("PENTAPRISM_CPU");
    teardown_of(f);
}

static void fast_equals_plain(void **state)
{
    (void)state;
    noisy_case(&(fixture){.adc_bits = 8}, "none", "1");
    noisy_case(&(fixture){.adc_bits = 8, .rotate = PP_ROTATE_INPUT, .weights_of = PP_WEIGHTS_FLOAT}, "none", "1");
    noisy_case(&(fixture){.adc_bits = 8, .cols = 40, .rotate = PP_ROTATE_INPUT, .rotate_at = PP_ROTATE_PRODUCER, .weights_of = PP_WEIGHTS_FLOAT}, "none", "1");
    noisy_case(&(fixture){.adc_bits = 6, .cell_bits = 2, .subtract = PP_SUBTRACT_DIGITAL, .cols = 12}, "none", "2");
    noisy_case(&(fixture){.adc_bits = 7, .cells = PP_CELLS_OFFSET, .cell_bits = 2, .input = PP_INPUT_BIT_SERIAL, .dac_bits = 4, .cols = 12},
               "none", "1");
    noisy_case(&(fixture){.adc_bits = 8, .cells = PP_CELLS_REFERENCE_COLUMN, .rows = 64, .cols = 40}, "8:1x2", "1");
}

static void fast_equals_plain_with_scales(void **state)
{
    (void)state;
    noisy_case(&(fixture){.adc_bits = 8, .scale = PP_QSCALE_TILE}, "none", "1");
    noisy_case(&(fixture){.adc_bits = 7, .cells = PP_CELLS_OFFSET, .cell_bits = 2, .input = PP_INPUT_BIT_SERIAL, .dac_bits = 2, .cols = 12,
                          .scale = PP_QSCALE_TOKEN}, "none", "2");
    noisy_case(&(fixture){.adc_bits = 8, .rows = 64, .cols = 40, .scale = PP_QSCALE_TILE}, "8:1x2", "1");
}

static void threads_and_batches_do_not_matter(void **state)
{
    fixture f = {.adc_bits = 8};
    float one[IMAGES * 10], two[IMAGES * 10], part[4 * 10];
    pp_pool *pool = NULL;
    (void)state;
    setup(&f, "none", "1");
    all_noises(&f);
    f.noise.batch_norm = true;
    assert_int_equal(pp_pool_new(&pool, 3), PP_OK);
    for (int threads = 0; threads < 2; threads++) {
        pp_pool *p = threads ? pool : NULL;
        pp_analog *x = make(&f, p);
        assert_int_equal(pp_analog_program(x, 2, 1e6, p), PP_OK);
        assert_int_equal(pp_analog_compensate(x, PP_COMPENSATE_COLUMN, p), PP_OK);
        assert_int_equal(pp_analog_batch_norm(x, p), PP_OK);
        run(x, &f, threads ? two : one, p);
        assert_int_equal(pp_analog_run(x, p, &f.data, 5, 4, part), PP_OK);
        assert_memory_equal(part, one + 50, sizeof part);
        pp_analog_free(x);
    }
    assert_memory_equal(one, two, sizeof one);
    pp_pool_free(pool);
    teardown_of(&f);
}

/* ---- noise at the column against noise of every device ---- */

static void column_noise_equals_device_noise(void **state)
{
    enum { READS = 4000, COLUMN = 3 };
    fixture f = {.adc_bits = 0, .cols = 16, .rows = 256};
    (void)state;
    setup(&f, "none", "1");
    choose_device(&f, "aihwkit-pcm");
    f.noise.read = PP_READ_PER_READ;
    pp_analog *x = make(&f, NULL);
    pp_aarray *a = &x->array[x->stage[1].first_array];
    assert_int_equal(pp_analog_scratch_(x, 1), PP_OK);
    pp_ascratch *w = &x->scratch[0];
    pp_rng r = pp_rng_make(3, 3);
    double mean[2] = {0}, square[2] = {0}, exact = 0, variance = 0;
    for (uint32_t i = 0; i < PP_AGROUP; i++)
        for (uint32_t k = 0; k < a->rows; k++)
            w->panel[i * a->rows + k] = w->square[i * a->rows + k] = (float)(k * 7 % 200);
    for (size_t i = 0; i < PP_AGROUP * a->rows; i++)
        w->square[i] *= w->square[i];
    for (uint32_t k = 0; k < a->rows; k++) {
        exact += (double)w->panel[k] * (double)a->w[pp_apacked(a, 0, k, COLUMN)];
        variance += (double)w->square[k] * (double)a->s2[pp_apacked(a, 0, k, COLUMN)];
    }
    for (int n = 0; n < READS; n++) {
        uint32_t key[2], counter[4];
        double sum = 0;
        for (uint32_t k = 0; k < a->rows; k++)
            sum += (double)w->panel[k] * ((double)a->w[pp_apacked(a, 0, k, COLUMN)] +
                                          sqrt((double)a->s2[pp_apacked(a, 0, k, COLUMN)]) * pp_rng_normal(&r));
        const pp_aread read = {(uint32_t)n, 0, -1};
        x->kernel.product(w->acc, w->panel, a->w, a->rows, a->vectors);
        x->kernel.product(w->var, w->square, a->s2, a->rows, a->vectors);
        pp_analog_counter_(x, a, &read, 0, key, counter);
        x->kernel.normals(w->z, (size_t)PP_AGROUP * a->padded, key, counter);
        x->kernel.add_noise(w->acc, w->var, a->extra, w->z, a->padded);
        const double both[] = {sum, (double)w->acc[COLUMN]};
        for (int i = 0; i < 2; i++) {
            mean[i] += both[i] / READS;
            square[i] += (both[i] - exact) * (both[i] - exact) / READS;
        }
    }
    for (int i = 0; i < 2; i++) {
        assert_true(fabs(mean[i] - exact) < 5 * sqrt(variance / READS));
        assert_true(fabs(square[i] / variance - 1) < 5 * sqrt(2.0 / READS));
    }
    pp_analog_free(x);
    teardown_of(&f);
}

/* ---- time ---- */

static double distance(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < IMAGES * 10; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

static void compensation_brings_back_what_drift_takes(void **state)
{
    fixture f = {.adc_bits = 8, .scale = scale_exact};
    float clean[IMAGES * 10], none[IMAGES * 10], got[IMAGES * 10];
    (void)state;
    setup(&f, "none", "1");
    choose_device(&f, "ideal");
    pp_analog *x = make(&f, NULL);
    run(x, &f, clean, NULL);
    pp_analog_free(x);
    choose_device(&f, "aihwkit-pcm");
    x = make(&f, NULL);
    assert_int_equal(pp_analog_program(x, 4, 3e7, NULL), PP_OK);
    run(x, &f, none, NULL);
    assert_true(pp_analog_factor(x, 0) == 1);
    for (int c = PP_COMPENSATE_GLOBAL; c <= PP_COMPENSATE_COLUMN; c++) {
        assert_int_equal(pp_analog_compensate(x, (pp_compensation)c, NULL), PP_OK);
        /* nu of 0.05 to 0.1: between (1.5e6)^0.04 and (1.5e6)^0.11 */
        assert_true(pp_analog_factor(x, 0) > 1.5 && pp_analog_factor(x, 0) < 5);
        run(x, &f, got, NULL);
        assert_true(distance(got, clean) < 0.5 * distance(none, clean));
    }
    assert_int_equal(pp_analog_batch_norm(x, NULL), PP_OK);
    run(x, &f, got, NULL);
    assert_true(distance(got, clean) < 0.5 * distance(none, clean));
    assert_int_equal(pp_analog_compensate(x, PP_COMPENSATE_NONE, NULL), PP_OK);
    run(x, &f, got, NULL);
    assert_memory_equal(got, none, sizeof got);
    pp_analog_free(x);
    teardown_of(&f);
}

/* Known inputs keep their scales. */
static void compensation_with_scales(void **state)
{
    scale_exact = PP_QSCALE_TILE;
    compensation_brings_back_what_drift_takes(state);
    scale_exact = PP_QSCALE_STATIC;
}

static void ideal_layers_have_no_error(void **state)
{
    fixture f = {.adc_bits = 0};
    pp_analog_snr snr[8];
    (void)state;
    setup(&f, "none", "1");
    choose_device(&f, "gaussian");
    pp_analog *x = make(&f, NULL);
    assert_true(f.stages->n <= 8);
    assert_int_equal(pp_analog_measure_snr(x, snr, 4, NULL), PP_OK);
    assert_true(snr[1].local_db > 5 && snr[1].local_db < 40);
    pp_analog_ideal_stage(x, 1);
    assert_int_equal(pp_analog_program(x, 1, 25, NULL), PP_OK);
    assert_int_equal(pp_analog_measure_snr(x, snr, 4, NULL), PP_OK);
    assert_true(snr[1].local_db == 200 && snr[0].local_db < 40 && snr[1].total_db < 40);
    pp_analog_free(x);
    teardown_of(&f);
}

static void copies_have_devices_of_their_own(void **state)
{
    fixture f = {.adc_bits = 8, .rows = 256, .cols = 64};
    pp_analog_counts n;
    (void)state;
    setup(&f, "8:1x2", "2");
    choose_device(&f, "aihwkit-pcm");
    pp_analog *x = make(&f, NULL);
    const pp_astage *s = &x->stage[0];
    const pp_aarray *a = &x->array[s->first_array], *b = &x->array[s->first_array + s->n_arrays / 2];
    assert_int_equal(s->copies, 2);
    assert_int_equal(a->rows, 3 * 4 * 3);
    assert_int_equal(a->cols, 24);
    bool exists;
    assert_true(pp_analog_weight_(x, a, 0, 0, &exists) == pp_analog_weight_(x, b, 0, 0, &exists) && exists);
    assert_true(a->w[pp_apacked(a, 0, 0, 0)] != b->w[pp_apacked(b, 0, 0, 0)]);
    (void)pp_analog_weight_(x, a, 9, 0, &exists); /* the last input column is outside the left pixel's window */
    assert_false(exists);
    assert_true(a->w[pp_apacked(a, 0, 9, 0)] != 0);
    pp_analog_count(x, &n);
    assert_true(n.useful_cells < n.cells && n.devices == 2 * n.cells);
    pp_analog_free(x);
    f.arch.zero_cells = PP_ZERO_UNPROGRAMMED;
    x = make(&f, NULL);
    assert_true(x->array[0].w[pp_apacked(&x->array[0], 0, 9, 0)] == 0);
    pp_analog_free(x);
    teardown_of(&f);
}

static void narrow_dacs_and_ranges(void **state)
{
    fixture f = {.adc_bits = 8};
    float fine[IMAGES * 10], coarse[IMAGES * 10];
    (void)state;
    setup(&f, "none", "1");
    choose_device(&f, "ideal");
    pp_analog *x = make(&f, NULL);
    run(x, &f, fine, NULL);
    assert_null(pp_analog_warning(x, 0));
    pp_analog_free(x);
    f.arch.dac_levels_bits = 3;
    f.q->rescales = true; /* codes made anew have widths of their own */
    x = NULL;
    assert_int_equal(pp_analog_new(&x, f.q, &f.arch, f.m, &f.device, &f.noise, &f.data, NULL), PP_EUNSUPPORTED);
    assert_non_null(strstr(pp_error_text(), "dac_levels_bits"));
    f.q->rescales = false;
    f.arch.adc_range = PP_ADC_RANGE_PERCENTILE;
    f.arch.adc_percentile = 50;
    x = make(&f, NULL);
    run(x, &f, coarse, NULL);
    assert_true(distance(fine, coarse) > 0);
    assert_non_null(pp_analog_warning(x, 0));
    assert_non_null(strstr(pp_analog_warning(x, 0), "layer a"));
    pp_analog_free(x);
    teardown_of(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_devices_equal_the_integers),
        cmocka_unit_test(exact_devices_with_scales),       cmocka_unit_test(fast_equals_plain_with_scales),
        cmocka_unit_test(compensation_with_scales),
        cmocka_unit_test(exact_devices_behind_rotations), cmocka_unit_test(exact_devices_with_converters),
        cmocka_unit_test(fast_equals_plain),
        cmocka_unit_test(threads_and_batches_do_not_matter),
        cmocka_unit_test(column_noise_equals_device_noise),
        cmocka_unit_test(compensation_brings_back_what_drift_takes),
        cmocka_unit_test(ideal_layers_have_no_error),
        cmocka_unit_test(copies_have_devices_of_their_own),
        cmocka_unit_test(narrow_dacs_and_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
