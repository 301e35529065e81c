/* Operators of modern networks in the integer datapath: gates, batch norms that stand alone, channel shuffles,
 * slices, upsampling, depthwise and asymmetric convolutions, activations that are no clamps. */
#include "nets.h"

#include <math.h>

static uint32_t scale_behind(pp_builder *b, pp_rng *rng, const char *name, uint32_t input)
{
    uint64_t dim[4] = {pp_builder_shape(b, input).c};
    pp_tensor weight = random_tensor(rng, 1, dim, 1.0), bias = random_tensor(rng, 1, dim, 0.3);
    uint32_t out;
    ok(pp_build_scale(b, name, input, &weight, &bias, &out));
    return out;
}

/* 11 x 9 x 3 -> 5. */
static pp_network *modern_net(uint64_t seed)
{
    pp_rng rng = pp_rng_make(seed, 9);
    pp_builder *b;
    pp_network *net;
    uint32_t half, rest, mixed, up, cut;
    ok(pp_builder_new(&b, "modern", (pp_shape){11, 9, 3}));
    uint32_t x = add_act(b, "a.act", add_conv(b, &rng, "a", 0, 3, (conv_shape){3, 1, 1, 1, 1, 12}), PP_ACT_HARD_SWISH);
    uint32_t d = add_act(b, "d.act", add_conv(b, &rng, "d", x, 12, (conv_shape){3, 1, 1, 1, 12, 12}), PP_ACT_SILU);
    uint32_t g = add_pool(b, "gate.pool", PP_OP_GLOBAL_POOL, d, 0, 0, 0, false);
    g = add_act(b, "gate1.act", add_conv(b, &rng, "gate1", g, 12, (conv_shape){1, 1, 1, 0, 1, 4}), PP_ACT_RELU);
    g = add_act(b, "gate2.act", add_conv(b, &rng, "gate2", g, 4, (conv_shape){1, 1, 1, 0, 1, 12}), PP_ACT_SIGMOID);
    d = add_join(b, "gate", PP_OP_MUL, d, g);
    uint32_t cat = add_join(b, "cat", PP_OP_CONCAT, x, d); /* takes norm and activation along */
    uint32_t n = add_act(b, "norm.act", scale_behind(b, &rng, "norm", cat), PP_ACT_RELU);
    ok(pp_build_shuffle(b, "shuffle", n, 2, &mixed));
    ok(pp_build_slice(b, "half", mixed, (pp_shape){0, 0, 0}, (pp_shape){11, 9, 12}, &half));
    ok(pp_build_slice(b, "rest", mixed, (pp_shape){0, 0, 12}, (pp_shape){11, 9, 12}, &rest));
    rest = add_act(b, "e.act", add_conv(b, &rng, "e", rest, 12, (conv_shape){3, 1, 1, 1, 1, 12}), PP_ACT_LEAKY);
    uint32_t same = add_join(b, "product", PP_OP_MUL, half, rest); /* two maps of one shape */
    same = scale_behind(b, &rng, "product.norm", same);
    uint32_t small = add_pool(b, "small", PP_OP_AVG_POOL, same, 2, 2, 0, false);
    ok(pp_build_upsample(b, "up", small, 2, 2, &up));
    ok(pp_build_slice(b, "cut", half, (pp_shape){1, 1, 0}, (pp_shape){10, 8, 12}, &cut));
    uint32_t sum = add_act(b, "sum.act", add_join(b, "sum", PP_OP_ADD, up, cut), PP_ACT_TANH);
    uint32_t f = add_act(b, "f.act", add_conv(b, &rng, "f", sum, 12, (conv_shape){3, 2, 1, 1, 1, 7}), PP_ACT_HARD_SIGMOID);
    f = add_pool(b, "all", PP_OP_GLOBAL_POOL, f, 0, 0, 0, false);
    add_linear(b, &rng, "out", f, 7, 5);
    ok(pp_builder_finish(&net, b));
    return net;
}

static fixture make_modern(uint64_t seed, pp_quant_options o)
{
    fixture f = {.net = modern_net(seed)};
    ok(pp_stages_build(&f.stages, f.net));
    f.images = random_images(f.net, 16, seed);
    ok(pp_quantize(&f.q, f.net, f.stages, &o, f.images, NULL));
    ok(pp_qnetwork_check(f.q));
    return f;
}

/* The fast path equals the definition to the bit. */
static void fast_path_equals_the_reference(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        fixture f = make_modern(seed, default_options());
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
    for (uint64_t seed = 0; seed < 4; seed++) {
        fixture f = make_modern(seed, o);
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
    fixture f = make_modern(1, default_options());
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

static void files_keep_batch_norms(void **state)
{
    (void)state;
    fixture f = make_modern(2, default_options());
    pp_qnetwork *again = NULL;
    char *a = NULL, *b = NULL;
    ok(pp_qnetwork_write(f.q, "modern.q", true));
    ok(pp_qnetwork_read(&again, f.net, f.stages, "modern.q"));
    ok(pp_qnetwork_dump(&a, f.q));
    ok(pp_qnetwork_dump(&b, again));
    assert_string_equal(a, b);
    assert_non_null(strstr(a, "scale_mult"));
    free(a);
    free(b);
    pp_qnetwork_free(again);
    free_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_path_equals_the_reference),
        cmocka_unit_test(values_follow_the_float_network),
        cmocka_unit_test(a_product_is_exact),
        cmocka_unit_test(files_keep_batch_norms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
