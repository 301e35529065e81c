/* Codes made anew in front of the DACs: their rounding, m, the fast path against the definition, files. */
#include "nets.h"
#include "quant/quant_internal.h"
#include "quant/scale_stage.h"

#include <math.h>
#include <unistd.h>

static const char *const levels[] = {"plain", "avx2", "avx512"};

static pp_quant_options scaled(int scale, int64_t abits, int64_t stream_bits)
{
    pp_quant_options o = default_options();
    o.activation_scale = scale;
    o.abits = abits;
    o.stream_bits = stream_bits;
    return o;
}

/* Half to even, clamped: in double precision. */
static void codes_round(void **state)
{
    (void)state;
    for (uint32_t bits = 4; bits <= 8; bits++)
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            pp_qformat f;
            pp_format_set(&f, bits, is_signed);
            const int32_t most = is_signed ? 127 : 255;
            for (int32_t m = 1; m <= most; m += m < 20 ? 1 : 7)
                for (int32_t x = is_signed ? -most : 0; x <= most; x++) {
                    const double want = fmin(fmax(nearbyint((double)x * f.qmax / m), f.qmin), f.qmax);
                    if (pp_qrescale_code(&f, x, (uint32_t)m) != (int32_t)want)
                        fail_msg("%u bits, %d at m %d", bits, x, m);
                }
        }
}

/* Row tiles: cuts after a third and two thirds of the channels of a group; patches of 2 x 3 pixels every other stage. */
typedef struct cut {
    uint32_t n[32], lo[32][4], patch[32][2];
    const uint32_t *each[32];
    pp_row_tiles tiles;
} cut;

static void cut_network(cut *c, const pp_qnetwork *q, bool patches)
{
    assert_true(q->stages->n <= 32);
    for (uint32_t s = 0; s < q->stages->n; s++) {
        const pp_stage *st = &q->stages->stage[s];
        const uint32_t depth = st->matrix == PP_NONE ? 0 : pp_qgeom_of(q->net, st).cin_g;
        c->n[s] = depth >= 3 ? 3 : 1;
        for (uint32_t t = 0; t <= c->n[s]; t++)
            c->lo[s][t] = depth * t / c->n[s];
        c->each[s] = c->lo[s];
        c->patch[s][0] = patches && s % 2 ? 2 : 1;
        c->patch[s][1] = patches && s % 2 ? 3 : 1;
    }
    c->tiles = (pp_row_tiles){.n = c->n, .lo = c->each, .patch = (const uint32_t (*)[2])c->patch};
}

/* Sums of a stage by the fast path, tile by tile, against the reference's stream. */
static void check_stage(const pp_qnetwork *q, const cut *c, uint32_t stage, int16_t *const *ref)
{
    const pp_stage *st = &q->stages->stage[stage];
    const size_t n = pp_shape_count(st->fire), pixels = n / st->fire.c, n_in = pp_shape_count(st->in), n_out = pp_shape_count(st->out);
    const uint32_t k = pp_stage_residual(st), stream = st->inputs[0].stream;
    uint8_t *in = malloc(n_in), *residual = malloc(n_out + n), *out = malloc(n_out);
    int32_t *acc = malloc(n * sizeof *acc), *sum = calloc(n, sizeof *sum);
    pp_codes_to_bytes(&q->stream[stream], ref[stream], in, n_in);
    if (k != PP_NONE)
        pp_codes_to_bytes(&q->stream[st->inputs[k].stream], ref[st->inputs[k].stream], residual, n);
    for (uint32_t t = 0; t < c->n[stage]; t++) {
        pp_qconv *conv;
        ok(pp_qconv_new(&conv, q, stage, c->lo[stage][t], c->lo[stage][t + 1]));
        pp_qconv_patch(conv, c->patch[stage][0], c->patch[stage][1]);
        void *scratch = pp_alloc_aligned(pp_qconv_scratch(conv), 1);
        pp_qconv_run(conv, in, acc, scratch);
        pp_qstage_psum_scaled_map(q, stage, acc, pp_qconv_factors(conv, scratch), pixels);
        for (size_t i = 0; i < n; i++)
            sum[i] += acc[i];
        free(scratch);
        pp_qconv_free(conv);
    }
    for (size_t i = 0; i < n; i++)
        sum[i] = (int32_t)pp_saturate(sum[i], q->psum_bits);
    void *scratch = pp_alloc_aligned(pp_qstage_finish_scratch(q, stage), 1);
    pp_qstage_finish(q, stage, sum, k == PP_NONE ? NULL : residual, out, NULL, scratch);
    const int32_t zero = pp_format_zero(&q->stream[stage + 1]);
    for (size_t i = 0; i < n_out; i++)
        if (out[i] - zero != ref[stage + 1][i])
            fail_msg("stage %u '%s', element %zu: %d, expected %d", stage, st->name, i, out[i] - zero, ref[stage + 1][i]);
    free(scratch);
    free(in);
    free(residual);
    free(out);
    free(acc);
    free(sum);
}

static void check_network(const fixture *f, bool patches)
{
    const pp_qnetwork *q = f->q;
    const size_t n = pp_shape_count(f->net->ops[0].out);
    float *image = malloc(n * sizeof *image);
    int16_t *codes = malloc(n * sizeof *codes), **ref;
    double logits[16];
    cut c;
    cut_network(&c, q, patches);
    pp_dataset_normalise(f->images, f->net, 1, image);
    pp_quantize_input(q, image, codes);
    ok(pp_qref_run(q, &c.tiles, codes, &ref, logits));
    for (uint32_t s = 0; s < q->stages->n; s++)
        if (q->stages->stage[s].matrix != PP_NONE && s != q->stages->output)
            check_stage(q, &c, s, ref);
    pp_qref_free(q, ref);
    free(image);
    free(codes);
}

/* Also without tiles: the whole network by the fast executor. */
static void check_executor(const fixture *f)
{
    const size_t n = pp_shape_count(f->net->ops[0].out);
    float *image = malloc(n * sizeof *image), got[16];
    int16_t *codes = malloc(n * sizeof *codes), **ref;
    double logits[16];
    pp_int_exec *exec;
    pp_dataset_normalise(f->images, f->net, 0, image);
    pp_quantize_input(f->q, image, codes);
    ok(pp_qref_run(f->q, NULL, codes, &ref, logits));
    ok(pp_int_exec_new(&exec, f->q));
    ok(pp_int_exec_run(exec, NULL, f->images, 0, 1, got));
    for (uint32_t c = 0; c < f->images->classes; c++)
        assert_true(got[c] == (float)logits[c]);
    pp_int_exec_free(exec);
    pp_qref_free(f->q, ref);
    free(image);
    free(codes);
}

static void fast_equals_definition(void **state)
{
    (void)state;
    static const struct {
        int scale;
        int64_t abits, stream_bits, wbits;
        bool rotate;
    } cases[] = {{PP_QSCALE_STATIC, 4, 8, 4, false}, {PP_QSCALE_TILE, 4, 0, 4, false},  {PP_QSCALE_TILE, 5, 6, 8, false},
                 {PP_QSCALE_TOKEN, 4, 0, 3, false},  {PP_QSCALE_TOKEN, 8, 8, 4, false}, {PP_QSCALE_TILE, 4, 8, 4, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pp_quant_options o = scaled(cases[i].scale, cases[i].abits, cases[i].stream_bits);
        o.wbits = cases[i].wbits;
        o.weights = i % 2 ? PP_WQUANT_OUTPUT : PP_WQUANT_MSE;
        o.rotate = cases[i].rotate ? PP_ROTATE_INPUT : PP_ROTATE_NONE;
        o.rotation_block = "full";
        fixture f = make_fixture(40 + i, o);
        ok(pp_qnetwork_check(f.q));
        for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
            setenv("PENTAPRISM_CPU", levels[l], 1);
            check_network(&f, false);
            check_network(&f, true);
            check_executor(&f);
        }
        unsetenv("PENTAPRISM_CPU");
        free_fixture(&f);
    }
}

/* m of one tile is at most that of all of them; more row tiles, more scales: streams of 8 bits differ from stage 1 on. */
static void scales_of_tiles_and_tokens(void **state)
{
    (void)state;
    double logits[2][16];
    fixture f = make_fixture(50, scaled(PP_QSCALE_TILE, 4, 8));
    const size_t n = pp_shape_count(f.net->ops[0].out);
    int16_t *codes = malloc(n * sizeof *codes), **ref;
    float *image = malloc(n * sizeof *image);
    cut c;
    cut_network(&c, f.q, false);
    pp_dataset_normalise(f.images, f.net, 0, image);
    pp_quantize_input(f.q, image, codes);
    ok(pp_qref_run(f.q, &c.tiles, codes, &ref, logits[0]));
    pp_qfiring at = pp_qfiring_at(f.q, 0, NULL, 2, 2);
    at.hi = 1;
    const uint32_t one = pp_qrescale_factor(f.q, 0, &at, codes);
    at.hi = f.net->ops[0].out.c;
    assert_true(one <= pp_qrescale_factor(f.q, 0, &at, codes));
    f.q->options.activation_scale = PP_QSCALE_TOKEN;
    at.hi = 1;
    const uint32_t all = pp_qrescale_factor(f.q, 0, &at, codes);
    at.hi = f.net->ops[0].out.c;
    assert_int_equal(all, pp_qrescale_factor(f.q, 0, &at, codes));
    pp_qref_free(f.q, ref);
    ok(pp_qref_run(f.q, &c.tiles, codes, &ref, logits[1]));
    assert_memory_not_equal(logits[0], logits[1], 4 * sizeof **logits);
    pp_qref_free(f.q, ref);
    free(codes);
    free(image);
    free_fixture(&f);
}

static double stream_noise(const pp_qnetwork *q)
{
    double sum = 0;
    for (uint32_t s = 0; s < q->stages->n; s++)
        sum += pow(10, -q->stage[s].out_sqnr_db / 10);
    return sum;
}

static void scales_help(void **state)
{
    (void)state;
    double noise[3];
    for (int scale = 0; scale < 3; scale++) {
        pp_quant_options o = scaled(scale, 4, 8);
        o.wbits = 8;
        fixture f = make_fixture(51, o);
        noise[scale] = stream_noise(f.q);
        free_fixture(&f);
    }
    assert_true(noise[1] < noise[0]);
    assert_true(fabs(noise[1] - noise[2]) <= 1e-12 * noise[2]); /* one row tile: the same */
}

static void read_back(void **state)
{
    (void)state;
    char dir[] = "/tmp/pp_scale_XXXXXX", path[64], *a, *b;
    pp_qnetwork *again;
    assert_non_null(mkdtemp(dir));
    for (int scale = 0; scale < 3; scale++) {
        fixture f = make_fixture(60, scaled(scale, 4, 7));
        snprintf(f.net->weights_sha256, sizeof f.net->weights_sha256, "%064d", 7);
        ok(pp_qnetwork_write(f.q, dir, true));
        ok(pp_qnetwork_read(&again, f.net, f.stages, dir));
        ok(pp_qnetwork_dump(&a, f.q));
        ok(pp_qnetwork_dump(&b, again));
        assert_string_equal(a, b);
        assert_true(again->rescales && again->options.activation_scale == scale && again->options.stream_bits == 7);
        pp_qnetwork_free(again);
        free(a);
        free(b);
        free_fixture(&f);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, i ? "quant.json" : "model.safetensors");
        unlink(path);
    }
    rmdir(dir);
}

static void refusals(void **state)
{
    (void)state;
    pp_qnetwork *q;
    fixture f = make_fixture(61, default_options());
    pp_quant_options o = scaled(PP_QSCALE_TILE, 6, 5);
    assert_int_equal(pp_quantize(&q, f.net, f.stages, &o, f.images, NULL), PP_ERANGE);
    assert_non_null(strstr(pp_error_text(), "quant.stream_bits"));
    free_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_round), cmocka_unit_test(fast_equals_definition), cmocka_unit_test(scales_of_tiles_and_tokens),
        cmocka_unit_test(scales_help), cmocka_unit_test(read_back),              cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
