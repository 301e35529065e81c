/* Operators of modern networks in the integer datapath: gates, batch norms that stand alone, channel shuffles,
 * slices, upsampling, depthwise and asymmetric convolutions, activations that are no clamps. */
#include "nets.h"

#include <math.h>

/* The fast path equals the definition to the bit. */
static void fast_path_equals_the_reference(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        fixture f = fixture_of(seed < 4 ? modern_net(seed) : attention_net(seed), seed, default_options());
        pp_int_exec *exec = NULL;
        float fast[16][5], image[11 * 9 * 3];
        int16_t codes[11 * 9 * 3];
        ok(pp_int_exec_new(&exec, f.q));
        ok(pp_int_exec_run(exec, NULL, f.images, 0, 16, fast[0]));
        for (uint32_t i = 0; i < 16; i++) {
            int16_t **streams = NULL;
            double logits[5];
            pp_dataset_normalise(f.images, f.net, i, image);
            pp_quantize_input(f.q, image, codes);
            ok(pp_qref_run(f.q, NULL, codes, &streams, logits));
            for (int c = 0; c < 5; c++)
                assert_true(fast[i][c] == (float)logits[c]);
            pp_qref_free(f.q, streams);
        }
        pp_int_exec_free(exec);
        free_fixture(&f);
    }
}

/* With eight bits everywhere each stream follows the float network. */
static void values_follow_the_float_network(void **state)
{
    (void)state;
    pp_quant_options o = default_options();
    o.wbits = 8;
    o.activations = PP_AQUANT_MINMAX;
    for (uint64_t seed = 0; seed < 5; seed++) {
        fixture f = fixture_of(seed < 4 ? modern_net(seed) : attention_net(seed), seed, o);
        float image[11 * 9 * 3], **want = NULL;
        int16_t codes[11 * 9 * 3], **streams = NULL;
        double logits[5];
        pp_dataset_normalise(f.images, f.net, 0, image);
        pp_quantize_input(f.q, image, codes);
        ok(pp_ref_run(f.net, image, &want));
        ok(pp_qref_run(f.q, NULL, codes, &streams, logits));
        for (uint32_t s = 0; s + 1 < f.stages->n; s++) {
            const pp_stage *st = &f.stages->stage[s];
            size_t n = (size_t)st->out.h * st->out.w * st->out.c;
            double signal = 0, noise = 0;
            for (size_t i = 0; i < n; i++) {
                double v = want[st->result][i], e = v - streams[s + 1][i] * f.q->stream[s + 1].scale;
                signal += v * v;
                noise += e * e;
            }
            if (noise > 0.02 * signal) /* 17 dB */
                fail_msg("seed %d, stage %s: noise %g of signal %g", (int)seed, st->name, noise, signal);
        }
        pp_qref_free(f.q, streams);
        pp_ref_free(f.net, want);
        free_fixture(&f);
    }
}

/* A gate and a norm by hand: codes 3 and 5 of scales 0.5 and 0.25 are 1.875. */
static void a_product_is_exact(void **state)
{
    (void)state;
    fixture f = fixture_of(modern_net(1), 1, default_options());
    for (uint32_t s = 0; s < f.stages->n; s++) {
        const pp_stage *st = &f.stages->stage[s];
        if (f.net->ops[st->first_op].kind != PP_OP_MUL || st->scale != PP_NONE)
            continue;
        double unit = f.q->stream[st->inputs[0].stream].scale * f.q->stream[st->inputs[1].stream].scale;
        pp_shape a = pp_stream_shape(f.net, f.stages, st->inputs[0].stream);
        int16_t *x = calloc((size_t)a.h * a.w * a.c, sizeof *x), factor[12] = {0};
        int64_t act[12];
        x[(2 * a.w + 1) * a.c + 4] = 3;
        factor[4] = 5;
        pp_qstage_data_pixel(f.q, s, 2, 1, (const int16_t *const[]){x, factor}, act);
        assert_int_equal(act[4], 15);
        assert_true(f.q->stage[s].unit[4] == unit);
        assert_int_equal(act[5], 0);
        free(x);
    }
    free_fixture(&f);
}

static void keeps(pp_network *net)
{
    fixture f = fixture_of(net, 2, default_options());
    pp_qnetwork *again = NULL;
    char *a = NULL, *b = NULL;
    ok(pp_qnetwork_check(f.q));
    ok(pp_qnetwork_write(f.q, "modern.q", true));
    ok(pp_qnetwork_read(&again, f.net, f.stages, "modern.q"));
    ok(pp_qnetwork_dump(&a, f.q));
    ok(pp_qnetwork_dump(&b, again));
    assert_string_equal(a, b);
    free(a);
    free(b);
    pp_qnetwork_free(again);
    free_fixture(&f);
}

static void files_keep_everything(void **state)
{
    (void)state;
    keeps(modern_net(2));
    keeps(attention_net(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_path_equals_the_reference),
        cmocka_unit_test(values_follow_the_float_network),
        cmocka_unit_test(a_product_is_exact),
        cmocka_unit_test(files_keep_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
