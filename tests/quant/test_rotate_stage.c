/* Rotations in front of a stage's matrix: the float function stays, fast equals slow, files, wrong settings. */
#include "nets.h"
#include "quant/rotate_internal.h"

#include <math.h>
#include <unistd.h>

static const char *const blocks[] = {"full", "array_rows", "4"};

static fixture rotated(uint64_t seed, const char *block, int64_t bits)
{
    pp_quant_options o = default_options();
    o.wbits = bits;
    o.rotate = PP_ROTATE_INPUT;
    o.rotation_block = block;
    o.rotation_rows = 64;
    return make_fixture(seed, o);
}

/* x H / sqrt(size) by the entries of the matrices. */
static void turn(const pp_qrotate *r, const double *x, double *out)
{
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        const pp_hadamard *h = r->order[r->block[i].order].h;
        uint32_t at = r->block[i].first;
        for (uint32_t j = 0; j < h->n; j++) {
            out[at + j] = 0;
            for (uint32_t c = 0; c < h->n; c++)
                out[at + j] += x[at + c] * pp_hadamard_at(h, c, j) / sqrt(h->n);
        }
    }
}

/* Sums of all output channels at one window, plain weights on plain inputs against rotated on rotated. */
static uint32_t same_sums(const fixture *f, uint32_t stage)
{
    const pp_stage *st = &f->stages->stage[stage];
    const pp_qrotate *r = f->q->stage[stage].rotate;
    if (!r)
        return 0;
    pp_qgeom g = pp_qgeom_of(f->net, st);
    uint32_t taps = g.win.kh * g.win.kw, n = r->channels;
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y), *diff = calloc(st->fire.c, sizeof *diff);
    pp_rng rng = pp_rng_make(stage, 3);
    for (uint32_t t = 0; t < taps; t++) {
        for (uint32_t c = 0; c < n; c++)
            x[c] = pp_rng_normal(&rng);
        turn(r, x, y);
        for (uint32_t out = 0; out < st->fire.c; out++)
            for (uint32_t c = 0; c < n; c++) {
                size_t at = ((size_t)out * n + c) * taps + t;
                diff[out] += (double)pp_tensor_f32(&f->net->ops[st->matrix].weight, at) * x[c] - (double)r->weight[at] * y[c];
            }
    }
    for (uint32_t out = 0; out < st->fire.c; out++)
        assert_true(fabs(diff[out]) < 1e-5);
    free(x);
    free(y);
    free(diff);
    return 1;
}

static void float_function_stays(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        fixture f = rotated(50 + b, blocks[b], 4);
        uint32_t n = 0;
        for (uint32_t s = 0; s < f.stages->n; s++)
            n += same_sums(&f, s);
        assert_int_equal(n, 4); /* d, e, f, g; a has 3 channels, c groups */
        free_fixture(&f);
    }
}

static void logits_of(const fixture *f, float *logits)
{
    pp_int_exec *exec;
    ok(pp_int_exec_new(&exec, f->q));
    ok(pp_int_exec_run(exec, NULL, f->images, 0, 16, logits));
    pp_int_exec_free(exec);
}

/* With 8 bits everywhere the integer networks with and without rotation nearly agree. */
static void network_stays(void **state)
{
    (void)state;
    pp_quant_options o = default_options();
    o.wbits = 8;
    fixture plain = make_fixture(60, o);
    float want[16 * 5], got[16 * 5];
    logits_of(&plain, want);
    for (size_t b = 0; b < 3; b++) {
        fixture f = rotated(60, blocks[b], 8);
        double signal = 0, error = 0;
        logits_of(&f, got);
        for (size_t i = 0; i < 16 * 5; i++) {
            signal += (double)want[i] * (double)want[i];
            error += pow((double)want[i] - (double)got[i], 2);
        }
        assert_true(error < 0.01 * signal);
        assert_true(error > 0);
        free_fixture(&f);
    }
    free_fixture(&plain);
}

/* Codes of a random map: table and butterflies against dense sums; a span of whole blocks against both. */
static void fast_equals_definition(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        fixture f = rotated(70 + b, blocks[b], 4);
        for (uint32_t s = 0; s < f.stages->n; s++) {
            const pp_qrotate *r = f.q->stage[s].rotate;
            if (!r)
                continue;
            const pp_qformat *in = &f.q->stream[f.stages->stage[s].inputs[0].stream];
            size_t pixels = 50, n = pixels * r->channels;
            int16_t *codes = malloc(n * sizeof *codes), *want;
            uint8_t *bytes = malloc(n), *out = malloc(n);
            int64_t *wide = malloc(n * sizeof *wide);
            int32_t *work = malloc(2 * r->channels * sizeof *work);
            pp_rng rng = pp_rng_make(s, 4);
            for (size_t i = 0; i < n; i++) {
                uint32_t range = (uint32_t)(in->qmax - in->qmin + 1);
                codes[i] = (int16_t)(i < r->channels ? in->qmax : in->qmin + (int32_t)pp_rng_below(&rng, range));
                wide[i] = codes[i];
            }
            pp_codes_to_bytes(in, codes, bytes, n);
            ok(pp_qrotate_reference(f.q, s, codes, pixels, &want));
            pp_qrotate_map(f.q, s, bytes, out, pixels, work);
            ok(pp_qrotate_span(f.q, s, 0, r->channels, wide, pixels));
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(out[i] - 128, want[i]);
                assert_int_equal(wide[i], want[i]);
            }
            free(codes);
            free(want);
            free(bytes);
            free(out);
            free(wide);
            free(work);
        }
        free_fixture(&f);
    }
}

/* ---- blocks ---- */

static void cut(const char *how, uint32_t channels, uint32_t taps, uint32_t rows, uint32_t n, const uint32_t *want)
{
    uint32_t *sizes, got;
    ok(pp_qrotate_blocks(how, channels, taps, rows, &sizes, &got));
    assert_int_equal(got, n);
    assert_memory_equal(sizes, want, n * sizeof *want);
    free(sizes);
}

static void block_sizes(void **state)
{
    (void)state;
    cut("full", 64, 9, 256, 1, (uint32_t[]){64});
    cut("full", 56, 9, 256, 1, (uint32_t[]){56});
    cut("full", 28, 9, 256, 1, (uint32_t[]){28});
    cut("full", 17, 9, 256, 2, (uint32_t[]){16, 1});
    cut("array_rows", 16, 9, 256, 1, (uint32_t[]){16});
    cut("array_rows", 64, 9, 256, 6, (uint32_t[]){20, 1, 20, 1, 20, 2}); /* tiles of 21, 21, 22 */
    cut("16", 40, 9, 256, 3, (uint32_t[]){16, 16, 8});
    cut("6", 16, 1, 256, 4, (uint32_t[]){4, 4, 4, 4});
    for (size_t i = 0; i < 4; i++) {
        uint32_t *sizes, n;
        const char *bad[] = {"some", "1", "", "8x"};
        assert_int_equal(pp_qrotate_blocks(bad[i], 16, 9, 256, &sizes, &n), PP_EINVAL);
        assert_non_null(strstr(pp_error_text(), "quant.rotation_block"));
    }
}

static void cost_and_fit(void **state)
{
    (void)state;
    fixture f = rotated(80, "4", 4);
    const pp_qrotate *r = f.q->stage[2].rotate; /* d: 12 channels, three blocks of 4 */
    assert_non_null(r);
    assert_int_equal(pp_qrotate_adds(r, 0, 12), 12 * 2);
    assert_int_equal(pp_qrotate_adds(r, 4, 8), 4 * 2);
    assert_true(pp_qrotate_fits(r, 4, 8));
    assert_false(pp_qrotate_fits(r, 0, 6));
    int64_t x[6] = {0};
    assert_int_equal(pp_qrotate_span(f.q, 2, 0, 6, x, 1), PP_EINVAL);
    free_fixture(&f);
}

static void layers_by_name(void **state)
{
    (void)state;
    pp_quant_options o = default_options();
    o.rotate = PP_ROTATE_INPUT;
    o.rotation_block = "full";
    o.rotate_layers = "f,d";
    fixture f = make_fixture(81, o);
    for (uint32_t s = 0; s < f.stages->n; s++) {
        const char *name = f.stages->stage[s].name;
        assert_int_equal(f.q->stage[s].rotate != NULL, strcmp(name, "f") == 0 || strcmp(name, "d") == 0);
    }
    free_fixture(&f);
}

/* ---- at the producer ---- */

static fixture at_producer(uint64_t seed, const char *block, int64_t bits)
{
    pp_quant_options o = default_options();
    o.wbits = bits;
    o.rotate = PP_ROTATE_INPUT;
    o.rotate_at = PP_ROTATE_PRODUCER;
    o.rotation_block = block;
    o.rotation_rows = 64;
    o.rotate_layers = "d,g";
    return make_fixture(seed, o);
}

/* The streams of c and f carry signed rotated codes; nothing is done at the readers, whose matrices hold the inverse. */
static void producer_writes_rotated_codes(void **state)
{
    (void)state;
    fixture f = at_producer(90, "full", 4);
    uint32_t n = 0;
    for (uint32_t s = 0; s < f.stages->n; s++) {
        const pp_qrotate *r = f.q->stage[s].rotate;
        if (!r)
            continue;
        const uint32_t stream = f.stages->stage[s].inputs[0].stream;
        assert_true(r->at_producer && !pp_qrotates_here(f.q, s));
        assert_ptr_equal(f.q->stage[stream - 1].rotate_out, r);
        assert_true(f.q->stream[stream].is_signed);
        assert_memory_equal(&f.q->stream[stream], &r->format, sizeof r->format);
        assert_true(r->rotated_sqnr_db > 20 && f.q->stage[stream - 1].out_sqnr_db > 10);
        n += same_sums(&f, s);
    }
    assert_int_equal(n, 2);
    free_fixture(&f);
}

/* Random words: butterflies against dense sums, whole and in a span of blocks, and against the real transform. */
static void producer_fast_equals_definition(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        fixture f = at_producer(91 + b, blocks[b], 4);
        for (uint32_t s = 0; s < f.stages->n; s++) {
            const pp_qrotate *r = f.q->stage[s].rotate_out;
            int64_t slow[32], fast[32];
            double x[32], y[32];
            pp_rng rng = pp_rng_make(s, 5);
            for (uint32_t t = 0; r && t < 50; t++) {
                for (uint32_t c = 0; c < r->channels; c++) {
                    slow[c] = fast[c] = t == 0 ? -(1 << 23) : (int64_t)pp_rng_below(&rng, 1 << 14) - (1 << 13);
                    x[c] = (double)slow[c] / 256;
                }
                turn(r, x, y);
                pp_qrotate_out(f.q, s, 0, r->channels, slow);
                pp_qrotate_out_fast(f.q, s, 0, r->channels, fast);
                assert_memory_equal(slow, fast, r->channels * sizeof *slow);
                for (uint32_t c = 0; c < r->channels; c++)
                    assert_true(fabs(fmax(r->format.qmin, fmin(r->format.qmax, y[c])) - (double)slow[c]) < 0.501);
            }
        }
        free_fixture(&f);
    }
}

/* Integer reference and fast executor, all streams' last word: the logits. */
static void check_fast(const fixture *f)
{
    float fast[16 * 5], image[11 * 9 * 3];
    int16_t codes[11 * 9 * 3], **streams;
    logits_of(f, fast);
    for (uint32_t i = 0; i < 3; i++) {
        double logits[5];
        pp_dataset_normalise(f->images, f->net, i, image);
        pp_quantize_input(f->q, image, codes);
        ok(pp_qref_run(f->q, NULL, codes, &streams, logits));
        for (uint32_t c = 0; c < 5; c++)
            assert_true(fast[i * 5 + c] == (float)logits[c]);
        pp_qref_free(f->q, streams);
    }
}

static void producer_reference_equals_fast(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        fixture f = at_producer(95 + b, blocks[b], 4);
        check_fast(&f);
        free_fixture(&f);
    }
}

static void producer_network_stays(void **state)
{
    (void)state;
    pp_quant_options o = default_options();
    o.wbits = 8;
    fixture plain = make_fixture(60, o), f = at_producer(60, "full", 8);
    float want[16 * 5], got[16 * 5];
    double signal = 0, error = 0;
    logits_of(&plain, want);
    logits_of(&f, got);
    for (size_t i = 0; i < 16 * 5; i++) {
        signal += (double)want[i] * (double)want[i];
        error += pow((double)want[i] - (double)got[i], 2);
    }
    assert_true(error > 0 && error < 0.01 * signal);
    free_fixture(&plain);
    free_fixture(&f);
}

static void refused_at_producer(const fixture *f, const char *layers, const char *word, const char *other)
{
    pp_quant_options o = default_options();
    pp_qnetwork *q;
    o.rotate = PP_ROTATE_INPUT;
    o.rotate_at = PP_ROTATE_PRODUCER;
    o.rotation_block = "full";
    o.rotate_layers = layers;
    assert_int_equal(pp_quantize(&q, f->net, f->stages, &o, f->images, NULL), PP_EUNSUPPORTED);
    if (!strstr(pp_error_text(), word) || !strstr(pp_error_text(), other))
        fail_msg("%s and %s expected in: %s", word, other, pp_error_text());
}

/* Without names every layer that can be is rotated; the others say why. */
static void producer_takes_what_it_can(void **state)
{
    (void)state;
    pp_quant_options o = default_options();
    o.rotate = PP_ROTATE_INPUT;
    o.rotate_at = PP_ROTATE_PRODUCER;
    o.rotation_block = "array_rows";
    o.rotation_cols = 6; /* blocks of 4 and 2 at most */
    fixture f = make_fixture(98, o);
    uint32_t rotated = 0, left = 0;
    ok(pp_qnetwork_check(f.q));
    for (uint32_t s = 0; s < f.stages->n; s++) {
        const pp_qstage *q = &f.q->stage[s];
        assert_true(f.stages->stage[s].matrix == PP_NONE ? !q->rotate && !q->not_rotated : !q->rotate == (q->not_rotated != NULL));
        rotated += q->rotate != NULL;
        left += q->not_rotated != NULL;
        for (uint32_t b = 0; q->rotate && b < q->rotate->n_blocks; b++)
            assert_true(q->rotate->order[q->rotate->block[b].order].h->n <= 6);
        if (strcmp(f.stages->stage[s].name, "a") == 0)
            assert_non_null(strstr(q->not_rotated, "fewer than 4"));
        if (strcmp(f.stages->stage[s].name, "e") == 0)
            assert_non_null(strstr(q->not_rotated, "not alone"));
    }
    assert_true(rotated >= 2 && left >= 2);
    check_fast(&f);
    free_fixture(&f);
}

static void names_are_checked(void **state)
{
    (void)state;
    pp_qnetwork *q;
    fixture f = make_fixture(97, default_options());
    pp_quant_options o = default_options();
    o.rotate = PP_ROTATE_INPUT;
    o.rotation_block = "full";
    o.rotate_layers = "d,nobody";
    assert_int_equal(pp_quantize(&q, f.net, f.stages, &o, f.images, NULL), PP_EINVAL);
    assert_non_null(strstr(pp_error_text(), "'nobody'"));
    o.rotate_layers = "a";
    assert_int_equal(pp_quantize(&q, f.net, f.stages, &o, f.images, NULL), PP_EUNSUPPORTED);
    assert_non_null(strstr(pp_error_text(), "'a'"));
    free_fixture(&f);
}

/* Another reader, and an operator in between, are named. */
static void producer_refusals(void **state)
{
    (void)state;
    fixture f = make_fixture(99, default_options());
    refused_at_producer(&f, "e", "'e'", "'sub'");
    refused_at_producer(&f, "d,f", "'cat'", "concat");
    free_fixture(&f);
}

/* ---- files ---- */

static void read_back(fixture f)
{
    char dir[] = "/tmp/pp_rotate_XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(f.net->weights_sha256, sizeof f.net->weights_sha256, "%064d", 7);
    ok(pp_qnetwork_write(f.q, dir, true));
    pp_qnetwork *again;
    char *a, *b;
    ok(pp_qnetwork_read(&again, f.net, f.stages, dir));
    ok(pp_qnetwork_dump(&a, f.q));
    ok(pp_qnetwork_dump(&b, again));
    assert_string_equal(a, b);
    float want[16 * 5], got[16 * 5];
    logits_of(&f, want);
    pp_qnetwork *kept = f.q;
    f.q = again;
    logits_of(&f, got);
    assert_memory_equal(want, got, sizeof want);
    f.q = kept;
    pp_qnetwork_free(again);
    free(a);
    free(b);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, i ? "quant.json" : "model.safetensors");
        unlink(path);
    }
    rmdir(dir);
    free_fixture(&f);
}

static void reads_back(void **state)
{
    (void)state;
    read_back(rotated(82, "array_rows", 4));
    read_back(at_producer(83, "full", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_function_stays), cmocka_unit_test(network_stays), cmocka_unit_test(fast_equals_definition),
        cmocka_unit_test(block_sizes),          cmocka_unit_test(cost_and_fit),  cmocka_unit_test(layers_by_name),
        cmocka_unit_test(reads_back),           cmocka_unit_test(producer_writes_rotated_codes),
        cmocka_unit_test(producer_fast_equals_definition), cmocka_unit_test(producer_reference_equals_fast),
        cmocka_unit_test(producer_network_stays), cmocka_unit_test(producer_refusals),
        cmocka_unit_test(producer_takes_what_it_can),      cmocka_unit_test(names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
