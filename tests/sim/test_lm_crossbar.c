/* Language models on crossbars: exact devices equal the integer reference to the bit, codes are those of the float executor's
 * quantizers, the fast path equals plain loops with all noises on, threads, tiles, drift and compensation, refusals. */
#include "../workloads/test_lm_models.h"

#include "sim/lm_crossbar.h"

enum { TOKENS = 90, WINDOW = 40 };

typedef struct fixture {
    pp_lm *lm;
    pp_lmq_options o;
    pp_lmq_calib *calib;
    pp_lmq *q;
    pp_arch arch;
    pp_device device;
    pp_device_options device_options;
    pp_noise_options noise;
    int act_scale;
    pp_pool *pool;
    uint32_t tokens[TOKENS];
    pp_lm_crossbars *x;
} fixture;

static void write_model(void)
{
    lm_tensors t = {0};
    pp_lm_config c = small_llama("llama");
    char *json = lm_llama_json(&c, "");
    lm_llama_tensors(&t, &c, PP_DTYPE_F32, "model.");
    lm_write("lm_crossbar_model", json, &t, 1);
    lm_tensors_free(&t);
    free(json);
}

static void begin(fixture *f)
{
    *f = (fixture){.o = pp_lmq_defaults()};
    f->o.method = PP_LMQ_QUAROT;
    f->o.window = 32;
    f->o.calib_windows = 4;
    f->noise = (pp_noise_options){.seeds = 1, .read = PP_READ_ACCUMULATED, .compensation = "none", .compensation_reads = 16,
                                  .calib_images = 2};
    f->device_options = (pp_device_options){.model = "ideal", .times_s = "25", .yield = 1, .sigma = 0.038, .verify_reads = 1,
                                            .verify_window = 0.01, .program_poly = "", .nu_mean_poly = "", .nu_std_poly = "", .read_poly = ""};
    assert_ok(pp_arch_from_preset(&f->arch, "none"));
    f->arch.rows = 16;
    f->arch.cols = 12;
    f->arch.psum_bits = 16;
    f->arch.adc_bits = 0;
    pp_rng rng = pp_rng_make(3, 3);
    for (uint32_t i = 0; i < TOKENS; i++)
        f->tokens[i] = pp_rng_below(&rng, 19);
    write_model();
    assert_ok(pp_lm_open(&f->lm, "lm_crossbar_model"));
}

static void quantize(fixture *f)
{
    if (f->o.act_static)
        assert_ok(pp_lmq_calibrate(&f->calib, f->lm, &f->o, f->tokens, TOKENS, NULL, NULL));
    assert_ok(pp_lmq_new(&f->q, f->lm, &f->o, f->calib, NULL, NULL));
    assert_ok(pp_lmq_quantize(f->q, f->tokens, TOKENS, NULL, false, NULL));
}

static pp_status crossbars(fixture *f, pp_lm_crossbars **out)
{
    assert_ok(pp_device_resolve(&f->device, &f->device_options));
    const pp_lm_crossbars_input in = {.q = f->q, .arch = &f->arch, .device = &f->device, .noise = &f->noise, .act_scale = f->act_scale,
                                      .calib = f->tokens, .n_calib = TOKENS, .window = WINDOW, .pool = f->pool};
    return pp_lm_crossbars_new(out, &in);
}

static void end(fixture *f)
{
    pp_lm_crossbars_free(f->x);
    pp_lmq_free(f->q);
    pp_lmq_calib_free(f->calib);
    pp_lm_close(f->lm);
    pp_pool_free(f->pool);
    remove_in("lm_crossbar_model", "model.safetensors");
    remove_in("lm_crossbar_model", "config.json");
    (void)rmdir("lm_crossbar_model");
}

/* Logits of all tokens in windows; new array. */
static float *logits_of(pp_lm_exec *exec, const uint32_t *tokens)
{
    pp_lm_window *windows = NULL;
    size_t n;
    float *out = malloc(TOKENS * 19 * sizeof *out);
    assert_ok(pp_lm_windows(&windows, &n, TOKENS, WINDOW, WINDOW));
    const pp_lm_batch batch = {tokens, windows, n, TOKENS};
    assert_ok(pp_lm_exec_logits(exec, &batch, out));
    free(windows);
    return out;
}

static float *reference_logits(const fixture *f, const pp_lm_hooks *hooks)
{
    pp_lm_exec *exec = NULL;
    const pp_lm_source source = pp_lmq_source(f->q);
    assert_ok(pp_lm_exec_new(&exec, pp_lmq_config(f->q), &source, hooks, NULL));
    float *out = logits_of(exec, f->tokens);
    pp_lm_exec_free(exec);
    return out;
}

static float *integer_logits(const fixture *f)
{
    pp_lmq_integer *integer = NULL;
    const pp_lmq_integer_options o = {.rows = (uint32_t)f->arch.rows, .psum_bits = (uint32_t)f->arch.psum_bits, .act_scale = f->act_scale};
    assert_ok(pp_lmq_integer_new(&integer, f->q, &o, 1));
    const pp_lm_hooks hooks = pp_lmq_integer_hooks(integer);
    float *out = reference_logits(f, &hooks);
    pp_lmq_integer_free(integer);
    return out;
}

static double relative(const float *a, const float *b)
{
    double error = 0, signal = 0;
    for (size_t i = 0; i < TOKENS * 19; i++) {
        error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        signal += (double)b[i] * (double)b[i];
    }
    return sqrt(error / signal);
}

/* ---- exact devices ---- */

static void equal_to_the_bit(fixture *f, const char *what)
{
    quantize(f);
    assert_ok(crossbars(f, &f->x));
    float *want = integer_logits(f), *got = logits_of(pp_lm_crossbars_exec(f->x), f->tokens);
    if (memcmp(want, got, TOKENS * 19 * sizeof *want) != 0)
        fail_msg("%s: logits differ from the integer reference by %g", what, relative(got, want));
    free(want);
    free(got);
    end(f);
}

static void exact_devices_equal_the_integer_reference(void **state)
{
    (void)state;
    fixture f;
    for (int scale = PP_ACT_SCALE_AUTO; scale <= PP_ACT_SCALE_TOKEN; scale++) {
        begin(&f);
        f.act_scale = scale;
        f.o.act_static = scale == PP_ACT_SCALE_STATIC;
        equal_to_the_bit(&f, "scales");
    }
    begin(&f);
    f.arch.psum_bits = 9; /* sums are shifted */
    equal_to_the_bit(&f, "narrow partial sums");
    begin(&f);
    f.o.online = false; /* down_proj has 8 bits */
    equal_to_the_bit(&f, "without online rotations");
    begin(&f);
    f.arch.cells = PP_CELLS_OFFSET;
    f.arch.rows = 9;
    equal_to_the_bit(&f, "offset cells");
    begin(&f);
    f.arch.cell_bits = 2;
    f.arch.input = PP_INPUT_BIT_SERIAL;
    f.arch.dac_bits = 1;
    equal_to_the_bit(&f, "slices of weights and inputs");
    begin(&f);
    f.o.gptq = true;
    f.o.abits = 8;
    f.o.kvbits = 16;
    f.arch.phases = 4;
    equal_to_the_bit(&f, "four phases");
}

/* Tiles are those of the mapper, and scales of row tiles follow them. */
static void tiles_are_the_mappers(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    quantize(&f);
    assert_ok(crossbars(&f, &f.x));
    const pp_mapping *m = pp_lm_crossbars_mapping(f.x);
    const pp_lmq_integer *integer = pp_lm_crossbars_integer(f.x);
    uint64_t cells = 0;
    assert_int_equal(m->n_stages, pp_lmq_integer_n(integer));
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        const pp_tile *tile = &m->tile[t];
        const pp_lmq_matrix *x = pp_lmq_integer_matrix(integer, tile->stage);
        assert_int_equal(tile->in_lo, x->edge[tile->row]);
        assert_int_equal(tile->in_hi, x->edge[tile->row + 1]);
        assert_true(tile->rows_used <= 16 && tile->cols_used <= 12);
        cells += tile->cells_useful;
    }
    assert_int_equal(cells, pp_lm_linear_macs(pp_lm_config_of(f.lm)) - 19 * 24); /* the head is digital */
    end(&f);
}

/* W x of the rounded x, in double. */
static pp_status compare_product(void *payload, const pp_lmq_block *b)
{
    const pp_lmq_matrix *m = b->matrix;
    double *worst = payload;
    for (uint32_t r = 0; r < b->rows; r++) {
        double top = 0, ratio = 0, scale = 0;
        for (uint32_t pass = 0; pass < 2; pass++) {
            for (uint32_t c = 0; c < m->out; c++) {
                double sum = 0;
                for (uint32_t k = 0; k < m->in; k++)
                    sum += m->scale[c] * m->code[(size_t)c * m->in + k] * (b->codes[(size_t)r * m->in + k] - 128);
                const double y = (double)b->y[(size_t)r * m->out + c];
                if (pass == 0 && fabs(sum) > top) {
                    top = fabs(sum);
                    scale = y / sum; /* the token's: from its largest output */
                }
                ratio = pass == 1 ? fmax(ratio, fabs(y - scale * sum) / fabs(scale * top)) : 0;
            }
        }
        *worst = fmax(*worst, ratio);
    }
    return PP_OK;
}

/* With one scale a token each product is that scale times W code. */
static void products_are_those_of_the_codes(void **state)
{
    (void)state;
    fixture f;
    pp_lmq_integer *integer = NULL;
    double worst = 0;
    begin(&f);
    quantize(&f);
    const pp_lmq_integer_options o = {.rows = 16, .psum_bits = 16};
    assert_ok(pp_lmq_integer_new(&integer, f.q, &o, 1));
    pp_lmq_integer_set(integer, NULL, compare_product, &worst);
    const pp_lm_hooks hooks = pp_lmq_integer_hooks(integer);
    free(reference_logits(&f, &hooks));
    assert_true(worst < 1e-6);
    pp_lmq_integer_free(integer);
    end(&f);
}

/* The float executor rounds the same inputs and weights; only the order of float sums differs, and a code here and there
 * that falls the other way for it. */
static void integers_are_what_the_quantized_executor_computes(void **state)
{
    (void)state;
    fixture f;
    for (int online = 0; online < 2; online++) {
        begin(&f);
        f.o.abits = 8;
        f.o.kvbits = 16;
        f.o.online = online == 1;
        quantize(&f);
        const pp_lm_hooks hooks = pp_lmq_hooks(f.q);
        float *want = reference_logits(&f, &hooks), *got = integer_logits(&f);
        assert_true(relative(got, want) < 3e-2);
        free(want);
        free(got);
        end(&f);
    }
}

/* ---- codes ---- */

static void codes_are_the_quantizers(void **state)
{
    (void)state;
    float x[37], rounded[37];
    uint8_t code[37];
    pp_rng rng = pp_rng_make(1, 2);
    for (uint32_t bits = 2; bits <= 8; bits++) {
        for (int ranged = 0; ranged < 2; ranged++) {
            const pp_act_options o = {.bits = bits, .clip = 0.9, .static_top = ranged ? 1.1f : 0};
            for (int i = 0; i < 37; i++)
                rounded[i] = x[i] = (float)pp_rng_normal(&rng);
            pp_quantize_rows(&o, rounded, 1, 37);
            const float scale = pp_code_row(&o, x, 37, code);
            for (int i = 0; i < 37; i++)
                assert_true((float)(code[i] - 128) * scale == rounded[i]);
        }
    }
}

/* ---- devices ---- */

static void all_noises(fixture *f)
{
    f->device_options.model = "aihwkit-pcm";
    f->noise.read = PP_READ_BOTH;
    f->noise.out_std = 0.04;
    f->noise.adc_noise_lsb = 0.5;
    f->noise.adc_gain_std = 0.02;
    f->noise.adc_offset_lsb = 0.3;
    f->arch.adc_bits = 8;
}

static void fast_path_equals_plain_loops(void **state)
{
    (void)state;
    fixture f;
    for (int scale = PP_ACT_SCALE_TILE; scale <= PP_ACT_SCALE_TOKEN; scale++) {
        begin(&f);
        all_noises(&f);
        f.act_scale = scale;
        quantize(&f);
        assert_ok(crossbars(&f, &f.x));
        assert_ok(pp_lm_crossbars_program(f.x, 7, 86420));
        assert_ok(pp_lm_crossbars_compensate(f.x, PP_COMPENSATE_COLUMN));
        float *fast = logits_of(pp_lm_crossbars_exec(f.x), f.tokens);
        pp_lm_crossbars_slow(f.x, true);
        float *slow = logits_of(pp_lm_crossbars_exec(f.x), f.tokens);
        assert_memory_equal(fast, slow, TOKENS * 19 * sizeof *fast);
        free(fast);
        free(slow);
        end(&f);
    }
}

static float *with_threads(unsigned threads, pp_analog_snr *snr)
{
    fixture f;
    begin(&f);
    all_noises(&f);
    quantize(&f);
    if (threads > 1)
        assert_ok(pp_pool_new(&f.pool, threads));
    assert_ok(crossbars(&f, &f.x));
    assert_ok(pp_lm_crossbars_program(f.x, 2, 3620));
    assert_ok(pp_lm_crossbars_compensate(f.x, PP_COMPENSATE_TILE));
    assert_ok(pp_lm_crossbars_recalibrate(f.x));
    float *out = logits_of(pp_lm_crossbars_exec(f.x), f.tokens);
    assert_ok(pp_lm_crossbars_snr(f.x, snr, 50));
    end(&f);
    return out;
}

static void threads_change_nothing(void **state)
{
    (void)state;
    pp_analog_snr a[14] = {{0}}, b[14] = {{0}};
    float *one = with_threads(1, a), *three = with_threads(3, b);
    assert_memory_equal(one, three, TOKENS * 19 * sizeof *one);
    assert_memory_equal(a, b, sizeof a);
    for (int i = 0; i < 14; i++)
        assert_true(a[i].local_db > 0 && a[i].local_db < 60);
    free(one);
    free(three);
}

/* Distance to the exact network. */
static double error_of(fixture *f, const float *exact, double t, pp_compensation c, bool again)
{
    assert_ok(pp_lm_crossbars_program(f->x, 5, t));
    assert_ok(pp_lm_crossbars_compensate(f->x, c));
    if (again)
        assert_ok(pp_lm_crossbars_recalibrate(f->x));
    float *got = logits_of(pp_lm_crossbars_exec(f->x), f->tokens);
    const double e = relative(got, exact);
    free(got);
    return e;
}

static void drift_is_compensated(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    f.device_options.model = "custom"; /* drift alone */
    f.device_options.program_poly = "0";
    f.device_options.nu_mean_poly = "0.06";
    f.device_options.nu_std_poly = "0";
    f.device_options.read_poly = "0";
    f.o.abits = 8;
    quantize(&f);
    assert_ok(crossbars(&f, &f.x));
    float *exact = integer_logits(&f);
    const double fresh = error_of(&f, exact, f.device.t0_s, PP_COMPENSATE_NONE, false);
    const double drifted = error_of(&f, exact, 3e7, PP_COMPENSATE_NONE, false);
    const double tile = error_of(&f, exact, 3e7, PP_COMPENSATE_TILE, false);
    assert_true(fresh < 1e-2 && drifted > 0.2 && tile < 0.1 * drifted);
    /* With converters the drifted currents use less of the range; ranges chosen anew give it back. */
    pp_lm_crossbars_free(f.x);
    f.arch.adc_bits = 5;
    assert_ok(crossbars(&f, &f.x));
    const double fixed = error_of(&f, exact, 3e7, PP_COMPENSATE_TILE, false);
    const double again = error_of(&f, exact, 3e7, PP_COMPENSATE_TILE, true);
    const double first = error_of(&f, exact, f.device.t0_s, PP_COMPENSATE_TILE, false);
    assert_true(again < 0.85 * fixed);
    assert_true(again < 1.3 * first && first < 1.3 * again);
    /* A layer on ideal devices has no noise of its own. */
    pp_analog_snr snr[14];
    pp_lm_crossbars_ideal(f.x, 0);
    assert_ok(pp_lm_crossbars_program(f.x, 5, 3e7));
    assert_ok(pp_lm_crossbars_compensate(f.x, PP_COMPENSATE_NONE));
    assert_ok(pp_lm_crossbars_snr(f.x, snr, 50));
    assert_true(snr[0].local_db > snr[1].local_db + 10);
    free(exact);
    end(&f);
}

static void float_weights_are_programmed_as_they_are(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    f.o.wbits = 16;
    f.o.abits = 8;
    f.arch.weights = PP_WEIGHTS_FLOAT;
    quantize(&f);
    assert_ok(crossbars(&f, &f.x));
    const pp_lm_hooks hooks = pp_lmq_hooks(f.q);
    float *want = reference_logits(&f, &hooks), *got = logits_of(pp_lm_crossbars_exec(f.x), f.tokens);
    assert_true(relative(got, want) < 5e-2);
    free(want);
    free(got);
    end(&f);
}

/* ---- refusals ---- */

static void refused(fixture *f, pp_status status, const char *word)
{
    pp_lm_crossbars *x = NULL;
    quantize(f);
    assert_int_equal(crossbars(f, &x), status);
    assert_null(x);
    if (strstr(pp_error_text(), word) == NULL)
        fail_msg("'%s' does not say '%s'", pp_error_text(), word);
    end(f);
}

static void what_arrays_cannot_do_is_refused(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    f.o.abits = 16;
    refused(&f, PP_EUNSUPPORTED, "abits");
    begin(&f);
    f.o.wbits = 16;
    refused(&f, PP_EUNSUPPORTED, "16 bits");
    begin(&f);
    f.o.wgroup = 8;
    refused(&f, PP_EUNSUPPORTED, "scales a row");
    begin(&f);
    f.o.format = "nf4";
    refused(&f, PP_EUNSUPPORTED, "nf4");
    begin(&f);
    f.o.act_asymmetric = true;
    refused(&f, PP_EUNSUPPORTED, "zero point");
    begin(&f);
    f.o.agroup = 8;
    refused(&f, PP_EUNSUPPORTED, "activation_scale");
    begin(&f);
    f.act_scale = PP_ACT_SCALE_STATIC;
    refused(&f, PP_EINVAL, "static");
    begin(&f);
    f.arch.weights = PP_WEIGHTS_FLOAT;
    refused(&f, PP_EINVAL, "codes");
    begin(&f);
    f.noise.batch_norm = true;
    refused(&f, PP_EUNSUPPORTED, "batch_norm");
    begin(&f);
    f.arch.dac_levels_bits = 3;
    refused(&f, PP_EUNSUPPORTED, "dac_levels_bits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_devices_equal_the_integer_reference),
        cmocka_unit_test(tiles_are_the_mappers),
        cmocka_unit_test(integers_are_what_the_quantized_executor_computes),
        cmocka_unit_test(products_are_those_of_the_codes),
        cmocka_unit_test(codes_are_the_quantizers),
        cmocka_unit_test(fast_path_equals_plain_loops),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(drift_is_compensated),
        cmocka_unit_test(float_weights_are_programmed_as_they_are),
        cmocka_unit_test(what_arrays_cannot_do_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
