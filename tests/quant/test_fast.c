/* Fast integer path against the slow reference, to the bit, on every level of processor. */
#include "nets.h"
#include "quant/quant_internal.h"

static const char *const levels[] = {"plain", "avx2", "avx512"};

static void codes_equal(const pp_qnetwork *q, uint32_t stream, const int16_t *want, const uint8_t *bytes)
{
    size_t n = pp_shape_count(pp_stream_shape(q->net, q->stages, stream));
    int32_t zero = pp_format_zero(&q->stream[stream]);
    for (size_t i = 0; i < n; i++)
        if (bytes[i] - zero != want[i])
            fail_msg("stream %u, element %zu: %d, expected %d", stream, i, bytes[i] - zero, want[i]);
}

/* One stage from its reference inputs by pp_qconv of each row tile, psum, sum, finish. */
static void tiled_stage(const pp_qnetwork *q, const pp_row_tiles *tiles, uint32_t stage, int16_t *const *ref,
                        const double *want_logits)
{
    const pp_stage *st = &q->stages->stage[stage];
    size_t n = pp_shape_count(st->fire), n_out = pp_shape_count(st->out);
    uint8_t *in[2] = {NULL, NULL}, *out = malloc(n_out);
    int32_t *acc = malloc(n * sizeof *acc);
    int64_t *total = calloc(n, sizeof *total);
    double logits[16];
    for (uint32_t k = 0; k < st->n_inputs; k++) {
        uint32_t stream = st->inputs[k].stream;
        size_t size = pp_shape_count(pp_stream_shape(q->net, q->stages, stream));
        in[k] = malloc(size);
        pp_codes_to_bytes(&q->stream[stream], ref[stream], in[k], size);
    }
    if (st->matrix == PP_NONE) {
        void *scratch = pp_alloc_aligned(pp_qstage_data_scratch(q, stage), 1);
        pp_qstage_data(q, stage, (const uint8_t *const *)in, out, logits, scratch);
        free(scratch);
    } else {
        for (uint32_t t = 0; t < tiles->n[stage]; t++) {
            pp_qconv *conv;
            ok(pp_qconv_new(&conv, q, stage, tiles->lo[stage][t], tiles->lo[stage][t + 1]));
            void *scratch = pp_alloc_aligned(pp_qconv_scratch(conv), 1);
            pp_qconv_run(conv, in[0], acc, scratch);
            pp_qstage_psum_map(q, stage, acc, n);
            for (size_t i = 0; i < n; i++)
                total[i] += acc[i];
            free(scratch);
            pp_qconv_free(conv);
        }
        for (size_t i = 0; i < n; i++)
            acc[i] = (int32_t)pp_saturate(total[i], q->psum_bits);
        void *scratch = pp_alloc_aligned(pp_qstage_finish_scratch(q, stage), 1);
        uint32_t k = pp_stage_residual(st);
        pp_qstage_finish(q, stage, acc, k == PP_NONE ? NULL : in[k], out, logits, scratch);
        free(scratch);
    }
    if (stage == q->stages->output)
        assert_memory_equal(logits, want_logits, n_out * sizeof *logits);
    else
        codes_equal(q, stage + 1, ref[stage + 1], out);
    free(in[0]);
    free(in[1]);
    free(out);
    free(acc);
    free(total);
}

/* Row tiles: one, or cuts after a third and two thirds of the channels of a group. */
static pp_row_tiles make_tiles(const pp_qnetwork *q, bool split)
{
    uint32_t *n = calloc(q->stages->n, sizeof *n), **lo = calloc(q->stages->n, sizeof *lo);
    for (uint32_t s = 0; s < q->stages->n; s++) {
        if (q->stages->stage[s].matrix == PP_NONE)
            continue;
        uint32_t c = pp_qgeom_of(q->net, &q->stages->stage[s]).cin_g;
        n[s] = split && c >= 3 ? 3 : 1;
        lo[s] = calloc(4, sizeof **lo);
        for (uint32_t t = 1; t <= n[s]; t++)
            lo[s][t] = c * t / n[s];
    }
    return (pp_row_tiles){.n = n, .lo = (const uint32_t *const *)lo};
}

static void free_tiles(const pp_qnetwork *q, pp_row_tiles *t)
{
    for (uint32_t s = 0; s < q->stages->n; s++)
        free((void *)(uintptr_t)t->lo[s]);
    free((void *)(uintptr_t)t->lo);
    free((void *)(uintptr_t)t->n);
}

static void check_network(const fixture *f, bool split)
{
    const pp_qnetwork *q = f->q;
    size_t n = pp_shape_count(f->net->ops[0].out);
    float *image = malloc(n * sizeof *image);
    int16_t *codes = malloc(n * sizeof *codes);
    pp_row_tiles tiles = make_tiles(q, split);
    for (uint32_t i = 0; i < 2; i++) {
        int16_t **ref;
        double logits[16] = {0};
        pp_dataset_normalise(f->images, f->net, i, image);
        pp_quantize_input(q, image, codes);
        ok(pp_qref_run(q, &tiles, codes, &ref, logits));
        for (uint32_t s = 0; s < q->stages->n; s++)
            tiled_stage(q, &tiles, s, ref, logits);
        pp_qref_free(q, ref);
        if (split)
            continue;
        pp_int_exec *exec;
        float got[16];
        ok(pp_int_exec_new(&exec, q));
        ok(pp_int_exec_run(exec, NULL, f->images, i, 1, got));
        for (uint32_t c = 0; c < f->images->classes; c++)
            assert_true(got[c] == (float)logits[c]);
        pp_int_exec_free(exec);
    }
    free_tiles(q, &tiles);
    free(image);
    free(codes);
}

static void all_widths_on_all_levels(void **state)
{
    (void)state;
    for (int64_t wbits = 2; wbits <= 8; wbits++) {
        pp_quant_options o = default_options();
        o.wbits = wbits;
        o.abits = 4 + wbits % 5;
        o.weights = wbits % 3 == 0 ? PP_WQUANT_OUTPUT : PP_WQUANT_MSE;
        o.psum_bits = wbits == 8 ? 32 : 16;
        fixture f = make_fixture((uint64_t)wbits, o);
        ok(pp_qnetwork_check(f.q));
        for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
            setenv("PENTAPRISM_CPU", levels[l], 1);
            check_network(&f, false);
            check_network(&f, true);
        }
        unsetenv("PENTAPRISM_CPU");
        free_fixture(&f);
    }
}

/* Rotated inputs: the fast path transforms by butterflies and tables, the reference by dense sums. */
static void rotated_inputs(void **state)
{
    (void)state;
    static const char *const blocks[] = {"full", "array_rows", "4"};
    for (size_t b = 0; b < 3; b++) {
        pp_quant_options o = default_options();
        o.rotate = PP_ROTATE_INPUT;
        o.rotation_block = blocks[b];
        o.rotation_rows = 64;
        o.weights = b == 0 ? PP_WQUANT_OUTPUT : PP_WQUANT_MSE;
        fixture f = make_fixture(90 + b, o);
        ok(pp_qnetwork_check(f.q));
        for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
            setenv("PENTAPRISM_CPU", levels[l], 1);
            check_network(&f, false);
            check_network(&f, true);
        }
        unsetenv("PENTAPRISM_CPU");
        free_fixture(&f);
    }
}

/* 8-bit partial sums: shifts above zero, rounding in every tile, saturation. */
static void narrow_partial_sums(void **state)
{
    (void)state;
    pp_quant_options o = default_options();
    o.psum_bits = 8;
    o.wbits = 8;
    fixture f = make_fixture(21, o);
    uint32_t shifted = 0;
    for (uint32_t s = 0; s < f.stages->n; s++)
        shifted += f.q->stage[s].psum_shift > 0;
    assert_true(shifted >= 4);
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        setenv("PENTAPRISM_CPU", levels[l], 1);
        check_network(&f, true);
    }
    unsetenv("PENTAPRISM_CPU");
    free_fixture(&f);
}

/* Worst case of the 16-bit sums: all codes at their ends, all inputs at 255. */
static void extremes_do_not_saturate(void **state)
{
    (void)state;
    for (int64_t wbits = 2; wbits <= 8; wbits++) {
        pp_quant_options o = default_options();
        o.wbits = wbits;
        fixture f = make_fixture(30 + (uint64_t)wbits, o);
        for (uint32_t s = 0; s < f.stages->n; s++) {
            const pp_stage *st = &f.stages->stage[s];
            if (st->matrix == PP_NONE)
                continue;
            pp_qgeom g = pp_qgeom_of(f.net, st);
            const pp_qformat *in = &f.q->stream[st->inputs[0].stream];
            for (size_t i = 0; i < (size_t)f.q->stage[s].cout * f.q->stage[s].krows; i++)
                f.q->stage[s].code[i] = (int8_t)(i / f.q->stage[s].krows % 2 ? pp_wmax((uint32_t)wbits)
                                                                             : -pp_wmax((uint32_t)wbits));
            size_t n_in = pp_shape_count(st->in), n = pp_shape_count(st->fire);
            uint8_t *x = malloc(n_in);
            memset(x, pp_format_top(in), n_in);
            int32_t *acc[3];
            for (size_t l = 0; l < 3; l++) {
                setenv("PENTAPRISM_CPU", levels[l], 1);
                pp_qconv *conv;
                ok(pp_qconv_new(&conv, f.q, s, 0, g.cin_g));
                void *scratch = pp_alloc_aligned(pp_qconv_scratch(conv), 1);
                acc[l] = calloc(n, sizeof **acc);
                pp_qconv_run(conv, x, acc[l], scratch);
                free(scratch);
                pp_qconv_free(conv);
            }
            /* a pixel whose window lies inside: krows x top x input */
            int32_t most = 0;
            for (size_t i = 0; i < n; i++)
                most = acc[0][i] > most ? acc[0][i] : most;
            assert_int_equal(most, (int32_t)f.q->stage[s].krows * pp_wmax((uint32_t)wbits) * in->qmax);
            assert_memory_equal(acc[0], acc[1], n * sizeof **acc);
            assert_memory_equal(acc[0], acc[2], n * sizeof **acc);
            for (size_t l = 0; l < 3; l++)
                free(acc[l]);
            free(x);
        }
        unsetenv("PENTAPRISM_CPU");
        free_fixture(&f);
    }
}

/* Parameters that the flat loops cannot take go the slow way; both must agree with the definition. */
static void huge_biases_take_the_slow_way(void **state)
{
    (void)state;
    fixture f = make_fixture(40, default_options());
    for (uint32_t s = 0; s < f.stages->n; s++)
        if (f.q->stage[s].bias)
            f.q->stage[s].bias[0] = INT64_C(1) << (30 + s);
    check_network(&f, false);
    free_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_widths_on_all_levels),
                                       cmocka_unit_test(rotated_inputs),
        cmocka_unit_test(narrow_partial_sums),
                                       cmocka_unit_test(extremes_do_not_saturate),
                                       cmocka_unit_test(huge_biases_take_the_slow_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
