/* Execution-driven mode: values that moved through the simulated buffers equal the integer reference to
 * the bit, and a buffer that misbehaves is an error that names the position. */
#include "tests/quant/nets.h"

#include "sim/execute_buffer_internal.h"
#include "sim/sim.h"

typedef struct setting {
    int64_t rows, cols;
    const char *unroll, *copies, *buffers;
    int reduction, switching;
    uint32_t fifo;
} setting;

typedef struct mapped {
    fixture f;
    pp_arch arch;
    pp_mapping *m;
    pp_fabric *fabric;
} mapped;

static const char *rotation; /* blocks of rotated inputs; NULL: none */
static int scale_of;         /* pp_qscale: codes made anew, of 5 bits */
static int rotate_at;        /* PRODUCER: those of d and g, whose streams have one reader */

static void map_net(mapped *x, pp_network *net, uint64_t seed, const setting *s)
{
    pp_quant_options q = default_options();
    q.psum_bits = 12; /* rounding of partial sums shows */
    q.activation_scale = scale_of;
    q.abits = scale_of != PP_QSCALE_STATIC ? 5 : q.abits;
    q.rotate = rotation ? PP_ROTATE_INPUT : PP_ROTATE_NONE;
    q.rotation_block = rotation;
    q.rotate_at = rotate_at;
    q.rotate_layers = rotate_at == PP_ROTATE_PRODUCER ? "d,g" : "";
    q.rotation_rows = s->rows;
    x->f = fixture_of(net, seed, q);
    ok(pp_arch_from_preset(&x->arch, "none"));
    x->arch.rows = s->rows;
    x->arch.cols = s->cols;
    x->arch.digital_ps = 5000;
    pp_map_options o = {.placement = "auto",
                        .unroll = s->unroll,
                        .copies = s->copies,
                        .reduction = s->reduction,
                        .buffers = s->buffers,
                        .effort = 1};
    pp_fabric_options fabric = {.kind = "mesh",
                                .file = "",
                                .rows = 14,
                                .cols = 14,
                                .reach = 2,
                                .row_direction = "both",
                                .width_bits = 8,
                                .clock_hz = 625e6,
                                .lanes = 1,
                                .fifo_packets = s->fifo,
                                .local_ports = "auto",
                                .routing = "auto"};
    ok(pp_map(&x->m, &x->fabric, x->f.q, &x->arch, &fabric, &o, 1, NULL));
}

static void map_it(mapped *x, uint64_t seed, const setting *s)
{
    map_net(x, zoo_net(seed), seed, s);
}

static void unmap(mapped *x)
{
    pp_mapping_free(x->m);
    pp_fabric_free(x->fabric);
    free_fixture(&x->f);
}

static void equals_reference(const mapped *x, const pp_run_result *r)
{
    pp_row_tiles tiles;
    void *owner;
    float image[11 * 9 * 3];
    int16_t codes[11 * 9 * 3], **streams;
    double logits[5];
    ok(pp_mapping_row_tiles(&tiles, &owner, x->m, x->f.q));
    for (uint32_t i = 0; i < r->executed; i++) {
        pp_dataset_normalise(x->f.images, x->f.net, i, image);
        pp_quantize_input(x->f.q, image, codes);
        ok(pp_qref_run(x->f.q, &tiles, codes, &streams, logits));
        assert_memory_equal(logits, r->logits + (size_t)i * r->classes, sizeof logits);
        pp_qref_free(x->f.q, streams);
    }
    free(owner);
}

static const setting settings[] = {
    {512, 512, "none", "1", "unlimited", PP_REDUCE_AUTO, PP_SWITCH_VCT, 0},
    {512, 512, "none", "1", "auto", PP_REDUCE_AUTO, PP_SWITCH_VCT, 2},
    {512, 512, "11:1x3,6:2x2", "1", "auto", PP_REDUCE_AUTO, PP_SWITCH_SAF, 0},
    {512, 512, "11:2x2,6:1x2", "2", "auto", PP_REDUCE_AUTO, PP_SWITCH_VCT, 0},
    {40, 512, "none", "1", "auto", PP_REDUCE_CHAIN, PP_SWITCH_VCT, 0},
    {40, 7, "none", "2", "auto", PP_REDUCE_STAR, PP_SWITCH_IDEAL, 0},
    {30, 9, "none", "1", "auto", PP_REDUCE_TREE, PP_SWITCH_SAF, 3},
};

static void check_settings(size_t step)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i += step) {
        mapped x;
        map_it(&x, 10 + i, &settings[i]);
        pp_sim_options o = {.images = 5, .execute = 3, .switching = settings[i].switching, .exact = true};
        pp_run_result *r, *dry;
        ok(pp_simulate(&r, x.f.q, &x.arch, x.fabric, x.m, &o, x.f.images, NULL, NULL));
        assert_int_equal(r->executed, 3);
        assert_int_equal(r->classes, 5);
        equals_reference(&x, r);
        o.execute = 0;
        ok(pp_simulate(&dry, x.f.q, &x.arch, x.fabric, x.m, &o, NULL, NULL, NULL));
        assert_null(dry->logits);
        assert_int_equal(dry->trace_hash, r->trace_hash); /* values change no time */
        pp_run_result_free(r);
        pp_run_result_free(dry);
        unmap(&x);
    }
}

/* Gates that wait for a whole map, norms, shuffles, slices, upsampling, depthwise convolutions. */
static void reference(void **state)
{
    (void)state;
    check_settings(1);
}

/* Patches of pixels, row tiles, trees of sums. */
static void scales_of_firings(void **state)
{
    (void)state;
    for (scale_of = PP_QSCALE_TILE; scale_of <= PP_QSCALE_TOKEN; scale_of++)
        check_settings(2);
    scale_of = PP_QSCALE_STATIC;
}

static void modern_operators(void **state)
{
    (void)state;
    static const setting cases[] = {
        {512, 512, "none", "1", "auto", PP_REDUCE_AUTO, PP_SWITCH_VCT, 2},
        {512, 512, "11:1x3,10:2x2", "1", "auto", PP_REDUCE_AUTO, PP_SWITCH_SAF, 0},
        {512, 512, "11:2x2,5:1x2", "2", "auto", PP_REDUCE_AUTO, PP_SWITCH_VCT, 0},
        {40, 512, "none", "1", "auto", PP_REDUCE_CHAIN, PP_SWITCH_VCT, 0},
        {30, 9, "none", "1", "auto", PP_REDUCE_TREE, PP_SWITCH_IDEAL, 3},
    };
    const size_t n = sizeof cases / sizeof cases[0];
    for (size_t k = 0; k < n + 2; k++) { /* gates and norms, then products of activations in patches and row tiles */
        const size_t i = k < n ? k : 2 * (k - n + 1);
        mapped x;
        setting s = cases[i];
        if (k >= n && strcmp(s.unroll, "none") != 0)
            s.unroll = "3:2x2,1:1x2";
        map_net(&x, k < n ? modern_net(i) : attention_net(i), i, &s);
        pp_sim_options o = {.images = 4, .execute = 3, .switching = cases[i].switching, .exact = true};
        pp_run_result *r;
        ok(pp_simulate(&r, x.f.q, &x.arch, x.fabric, x.m, &o, x.f.images, NULL, NULL));
        equals_reference(&x, r);
        for (uint32_t p = 0; p < x.f.stages->n; p++) /* the right factor is whole before the first row */
            if (x.f.net->ops[x.f.stages->stage[p].first_op].kind == PP_OP_PRODUCT &&
                (x.f.net->ops[x.f.stages->stage[p].first_op].whole || x.f.stages->stage[p].fire.h == 1))
                assert_true(r->span[p].first_fire_ps > r->span[x.f.stages->stage[p].inputs[1].stream - 1].last_done_ps);
        pp_run_result_free(r);
        unmap(&x);
    }
}

/* Every core transforms the channels of its rows itself. */
static void rotated_inputs(void **state)
{
    (void)state;
    static const size_t cases[] = {0, 4, 5, 6}; /* one pixel an MVM */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mapped x;
        rotation = "array_rows";
        map_it(&x, 20 + i, &settings[cases[i]]);
        rotation = NULL;
        pp_sim_options o = {.images = 3, .execute = 2, .switching = settings[cases[i]].switching, .exact = true};
        pp_run_result *r;
        ok(pp_simulate(&r, x.f.q, &x.arch, x.fabric, x.m, &o, x.f.images, NULL, NULL));
        equals_reference(&x, r);
        pp_run_result_free(r);
        unmap(&x);
    }
}

/* The heads of c and f transform what they write: a plain map and a pooled one. Patches, copies and row tiles of the readers
 * are free. */
static void rotated_at_the_producer(void **state)
{
    (void)state;
    static const struct {
        const char *block;
        setting s;
    } cases[] = {
        {"full", {512, 512, "none", "1", "auto", PP_REDUCE_AUTO, PP_SWITCH_VCT, 2}},
        {"4", {512, 512, "none", "2", "auto", PP_REDUCE_AUTO, PP_SWITCH_SAF, 0}},
        {"4", {40, 512, "none", "1", "auto", PP_REDUCE_CHAIN, PP_SWITCH_VCT, 0}},
        {"4", {512, 512, "11:2x2,6:1x2", "1", "auto", PP_REDUCE_AUTO, PP_SWITCH_VCT, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mapped x;
        rotation = cases[i].block;
        rotate_at = PP_ROTATE_PRODUCER;
        map_it(&x, 40 + i, &cases[i].s);
        rotation = NULL;
        rotate_at = PP_ROTATE_CONSUMER;
        pp_sim_options o = {.images = 3, .execute = 2, .switching = cases[i].s.switching, .exact = true};
        pp_run_result *r;
        ok(pp_simulate(&r, x.f.q, &x.arch, x.fabric, x.m, &o, x.f.images, NULL, NULL));
        equals_reference(&x, r);
        pp_run_result_free(r);
        unmap(&x);
    }
}

/* The smallest buffers: every position is used to the last moment. */
static void smallest_buffers(void **state)
{
    (void)state;
    mapped x;
    map_it(&x, 3, &settings[2]);
    for (uint32_t f = 0; f < x.m->n_flows; f++)
        x.m->flow[f].buffer = x.m->flow[f].buffer_min;
    pp_sim_options o = {.images = 4, .execute = 4, .switching = PP_SWITCH_VCT, .exact = true};
    pp_run_result *r;
    ok(pp_simulate(&r, x.f.q, &x.arch, x.fabric, x.m, &o, x.f.images, NULL, NULL));
    equals_reference(&x, r);
    pp_run_result_free(r);
    unmap(&x);
}

/* A run that jumps over repeated inferences has executed the first ones all the same. */
static void extrapolated(void **state)
{
    (void)state;
    mapped x;
    map_it(&x, 4, &settings[1]);
    pp_sim_options o = {.images = 60, .execute = 2, .switching = PP_SWITCH_VCT};
    pp_run_result *r;
    ok(pp_simulate(&r, x.f.q, &x.arch, x.fabric, x.m, &o, x.f.images, NULL, NULL));
    equals_reference(&x, r);
    pp_run_result_free(r);
    unmap(&x);
}

/* Flow 0 of a model that never ran: packets that leave, arrive, are released and asked for by hand. */
static void buffers(void **state)
{
    (void)state;
    mapped x;
    map_it(&x, 5, &settings[0]);
    pp_sim_options o = {.images = 2};
    pp_sim s = {.q = x.f.q, .arch = &x.arch, .fabric = x.fabric, .m = x.m, .options = &o, .images = 2};
    pp_exec_buffers *b;
    int64_t values[12];
    const int64_t *held;
    for (int64_t i = 0; i < 12; i++)
        values[i] = 100 + i;
    ok(pp_sim_build(&s));
    ok(pp_exec_buffers_new(&b, &s, x.f.images, 1));
    assert_int_equal(x.m->flow[0].ch_hi - x.m->flow[0].ch_lo, 12);
    s.flow[0].capacity = 1;
    assert_int_equal(pp_exec_buffers_arrive(b, 0), PP_EINTERNAL);
    assert_non_null(strstr(pp_error_text(), "position 0 of inference 0 arrives before it has left"));
    ok(pp_exec_depart(b, 0, values, 12, 0, 1));
    ok(pp_exec_depart(b, 0, values, 12, 0, 1));
    assert_int_equal(pp_exec_read(b, 0, 0, &held), PP_EINTERNAL);
    assert_non_null(strstr(pp_error_text(), "position 0 of inference 0 is read before it has arrived"));
    ok(pp_exec_buffers_arrive(b, 0));
    ok(pp_exec_read(b, 0, 0, &held));
    assert_memory_equal(held, values, sizeof values);
    assert_int_equal(pp_exec_buffers_arrive(b, 0), PP_EINTERNAL);
    assert_non_null(strstr(pp_error_text(), "position 1 of inference 0 arrives at a full buffer"));
    pp_exec_buffers_release(b, 0, 1);
    assert_int_equal(pp_exec_read(b, 0, 0, &held), PP_EINTERNAL);
    assert_non_null(strstr(pp_error_text(), "position 0 of inference 0 is read after its release"));
    pp_exec_buffers_free(b);
    pp_sim_release(&s);
    unmap(&x);
}

static void bad_options(void **state)
{
    (void)state;
    mapped x;
    map_it(&x, 6, &settings[0]);
    pp_sim_options o = {.images = 100, .execute = 17, .switching = PP_SWITCH_VCT};
    pp_run_result *r;
    assert_int_equal(pp_simulate(&r, x.f.q, &x.arch, x.fabric, x.m, &o, x.f.images, NULL, NULL), PP_ERANGE);
    assert_non_null(strstr(pp_error_text(), "16 images"));
    o.execute = 101;
    assert_int_equal(pp_simulate(&r, x.f.q, &x.arch, x.fabric, x.m, &o, x.f.images, NULL, NULL), PP_ERANGE);
    o.execute = 1;
    assert_int_equal(pp_simulate(&r, x.f.q, &x.arch, x.fabric, x.m, &o, NULL, NULL, NULL), PP_EINVAL);
    unmap(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference), cmocka_unit_test(scales_of_firings), cmocka_unit_test(modern_operators), cmocka_unit_test(rotated_inputs), cmocka_unit_test(rotated_at_the_producer), cmocka_unit_test(smallest_buffers), cmocka_unit_test(extrapolated),
        cmocka_unit_test(buffers),   cmocka_unit_test(bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
