/* Tiles and flows: the published network by its known figures, odd shapes by hand and by the brute-force
 * check, and that the check notices. */
#include "fixture.h"

static pp_mapping *plan(const fixture *f, const pp_arch *arch, const char *unroll, const char *copies, int reduction)
{
    pp_channel channel = fixture_channel(1);
    pp_map_options options = fixture_options(unroll, copies);
    pp_mapping *m;
    options.reduction = reduction;
    must(pp_map_plan(&m, &f->q, arch, &channel, 0, &options));
    must(pp_mapping_check(m, &f->q, arch, NULL));
    return m;
}

static uint32_t stage_named(const fixture *f, const char *name)
{
    for (uint32_t s = 0; s < f->stages->n; s++)
        if (strcmp(f->stages->stage[s].name, name) == 0)
            return s;
    fail_msg("no stage %s", name);
    return 0;
}

static uint32_t count_kind(const pp_mapping *m, pp_flow_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_flows; i++)
        n += m->flow[i].kind == kind;
    return n;
}

/* PAPER: joshi2020: 31 3x3 convolutions, two 1x1 shortcuts, one linear layer; rows 27, 144, 252, 504. */
static void resnet32_one_layer_a_core(void **state)
{
    (void)state;
    fixture f;
    fixture_resnet32(&f);
    pp_arch arch = fixture_arch(512);
    pp_mapping *m = plan(&f, &arch, "none", "1", PP_REDUCE_AUTO);
    assert_int_equal(m->n_tiles, 34);
    assert_int_equal(m->n_flows, 48);
    assert_int_equal(count_kind(m, PP_FLOW_RESIDUAL), 15);
    assert_int_equal(count_kind(m, PP_FLOW_PSUM), 0);
    uint64_t useful = 0;
    uint32_t most = 0;
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        useful += m->tile[t].cells_useful;
        most = m->tile[t].rows_used > most ? m->tile[t].rows_used : most;
    }
    assert_int_equal(m->tile[0].rows_used, 27);
    assert_int_equal(most, 504);
    assert_int_equal(useful, 361712); /* 361,722 weights with the ten biases of the linear layer */
    assert_int_equal(m->plan[0].busy_ps, 102400000);
    pp_mapping_free(m);
    fixture_free(&f);
}

/* 504 rows: two tiles of 28 channels x 9. */
static void resnet32_row_split(void **state)
{
    (void)state;
    fixture f;
    fixture_resnet32(&f);
    pp_arch arch = fixture_arch(256);
    pp_mapping *m = plan(&f, &arch, "none", "1", PP_REDUCE_AUTO);
    assert_int_equal(m->n_tiles, 43);
    assert_int_equal(count_kind(m, PP_FLOW_PSUM), 9);
    for (uint32_t s = 0; s < m->n_stages; s++) {
        const pp_tile *t = &m->tile[m->plan[s].first_tile];
        if (m->plan[s].row_tiles == 1)
            continue;
        assert_int_equal(m->plan[s].row_tiles, 2);
        assert_int_equal(t[0].rows_used, 252);
        assert_int_equal(t[1].rows_used, 252);
        assert_int_equal(t[0].in_hi, 28);
        assert_int_equal(t[1].in_lo, 28);
        assert_false(t[0].head);
        assert_true(t[1].head);
    }
    pp_mapping_free(m);
    fixture_free(&f);
}

typedef struct rows_case {
    const char *unroll;
    uint32_t height, rows, cols;
} rows_case;

/* Facts of the published case: rows and columns of 16 -> 16 and 28 -> 28 layers with patches. */
static void rows_of_patches(void **state)
{
    (void)state;
    static const rows_case cases[] = {{"32:2x2", 32, 256, 64},
                                      {"32:1x4", 32, 288, 64},
                                      {"32:1x8", 32, 480, 128},
                                      {"16:2x2", 16, 448, 112},
                                      {"16:1x4", 16, 504, 112}};
    fixture f;
    fixture_resnet32(&f);
    pp_arch arch = fixture_arch(512);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pp_mapping *m = plan(&f, &arch, cases[i].unroll, "1", PP_REDUCE_AUTO);
        uint32_t rows = 0, cols = 0;
        for (uint32_t t = 0; t < m->n_tiles; t++)
            if (f.stages->stage[m->tile[t].stage].fire.h == cases[i].height) {
                rows = m->tile[t].rows_used > rows ? m->tile[t].rows_used : rows;
                cols = m->tile[t].cols_used > cols ? m->tile[t].cols_used : cols;
            }
        assert_int_equal(rows, cases[i].rows);
        assert_int_equal(cols, cases[i].cols);
        assert_int_equal(m->n_tiles, 34);
        pp_mapping_free(m);
    }
    fixture_free(&f);
}

/* One convolution of the given window on 12 x 12 x cin, and a linear layer. */
static void one_conv(fixture *f, const pp_window *w, uint32_t cin, uint32_t cout, uint32_t groups)
{
    pp_builder *b;
    uint32_t out;
    must(pp_builder_new(&b, "one", (pp_shape){12, 12, cin}));
    must(pp_build_conv(b, "conv", 0, cout, w, groups, false, false, NULL, NULL, &out));
    must(pp_build_pool(b, "pool", PP_OP_GLOBAL_POOL, out, NULL, &out));
    fixture_head(f, b, out, 3);
}

/* Rows are the pixels that are touched: dilation's holes and a stride beyond the kernel leave some out. */
static void rows_touched(void **state)
{
    (void)state;
    static const struct {
        uint32_t k, stride, dilation, y, x, rows;
    } cases[] = {
        {3, 1, 2, 1, 1, 9},  /* nine taps, two apart */
        {3, 1, 2, 2, 2, 36}, /* the second output fills the holes: 6 lines */
        {3, 1, 2, 3, 1, 21}, /* 7 lines of 3 */
        {1, 2, 1, 2, 2, 4},  /* nobody reads between */
        {3, 2, 1, 2, 2, 25}, {2, 2, 1, 1, 3, 12},
    };
    pp_arch arch = fixture_arch(512);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        pp_window w = fixture_window(cases[i].k, cases[i].stride, 0);
        char unroll[32];
        w.dh = w.dw = cases[i].dilation;
        one_conv(&f, &w, 1, 2, 1);
        snprintf(unroll, sizeof unroll, "%u:%ux%u", f.stages->stage[0].fire.h, cases[i].y, cases[i].x);
        pp_mapping *m = plan(&f, &arch, unroll, "1", PP_REDUCE_AUTO);
        assert_int_equal(m->tile[0].rows_used, cases[i].rows);
        assert_int_equal(m->tile[0].cols_used, 2 * cases[i].y * cases[i].x);
        assert_int_equal(m->tile[0].cells_useful, cases[i].k * cases[i].k * 2 * cases[i].y * cases[i].x);
        pp_mapping_free(m);
        fixture_free(&f);
    }
}

/* Depthwise 3x3 on 60 channels in 256 rows: 28 channels would fit, so three tiles of 20, never dense. */
static void groups_stay_whole(void **state)
{
    (void)state;
    fixture f;
    pp_window w = fixture_window(3, 1, 1);
    pp_arch arch = fixture_arch(256);
    one_conv(&f, &w, 60, 60, 60);
    pp_mapping *m = plan(&f, &arch, "none", "1", PP_REDUCE_AUTO);
    assert_int_equal(m->plan[0].col_tiles, 3);
    assert_int_equal(m->plan[0].row_tiles, 1);
    for (uint32_t t = 0; t < 3; t++) {
        assert_int_equal(m->tile[t].in_lo, 20 * t);
        assert_int_equal(m->tile[t].rows_used, 180);
        assert_int_equal(m->tile[t].cols_used, 20);
        assert_int_equal(m->tile[t].cells_useful, 180);
    }
    pp_mapping_free(m);
    fixture_free(&f);
    /* Two groups of 40 channels: 360 rows each, so each splits into two row tiles of 20 channels. */
    one_conv(&f, &w, 80, 10, 2);
    m = plan(&f, &arch, "none", "1", PP_REDUCE_AUTO);
    assert_int_equal(m->plan[0].col_tiles, 2);
    assert_int_equal(m->plan[0].row_tiles, 2);
    assert_int_equal(m->tile[3].in_lo, 60);
    assert_int_equal(m->tile[3].out_lo, 5);
    pp_row_tiles rows;
    void *owner;
    must(pp_mapping_row_tiles(&rows, &owner, m, &f.q));
    assert_int_equal(rows.n[0], 2);
    assert_int_equal(rows.lo[0][1], 20);
    assert_int_equal(rows.lo[0][2], 40);
    free(owner);
    pp_mapping_free(m);
    fixture_free(&f);
}

/* Row tile -> row tile of the first stage's sums, seven row tiles. */
static void reductions(void **state)
{
    (void)state;
    static const uint32_t to[3][6] = {{6, 6, 6, 6, 6, 6}, {1, 2, 3, 4, 5, 6}, {4, 4, 5, 5, 6, 6}};
    fixture f;
    pp_window w = fixture_window(3, 1, 1);
    pp_arch arch = fixture_arch(64);
    one_conv(&f, &w, 49, 8, 1);
    for (int reduction = PP_REDUCE_STAR; reduction <= PP_REDUCE_AUTO; reduction++) {
        pp_mapping *m = plan(&f, &arch, "none", "1", reduction);
        uint32_t seen = 0;
        assert_int_equal(m->plan[0].row_tiles, 7);
        for (uint32_t i = 0; i < m->n_flows; i++) {
            const pp_flow *flow = &m->flow[i];
            if (flow->kind != PP_FLOW_PSUM)
                continue;
            uint32_t row = reduction == PP_REDUCE_AUTO ? PP_REDUCE_CHAIN : (uint32_t)reduction;
            assert_int_equal(m->tile[flow->dst].row, to[row][m->tile[flow->src].row]);
            assert_int_equal(flow->bits_per_pixel, 8 * 16);
            assert_int_equal(flow->bits, 8 * 16 * 144);
            seen++;
        }
        assert_int_equal(seen, 6);
        pp_mapping_free(m);
    }
    fixture_free(&f);
}

/* A consumer gets the slices that it needs, from every copy that share of the positions. */
static void slices_and_copies(void **state)
{
    (void)state;
    fixture f;
    fixture_inception(&f, (pp_shape){8, 8, 3});
    pp_arch arch = fixture_arch(512);
    arch.cols = 4;
    pp_mapping *m = plan(&f, &arch, "none", "8:3", PP_REDUCE_AUTO);
    uint32_t q1 = stage_named(&f, "q1"), q2 = stage_named(&f, "q2"), cat = stage_named(&f, "cat"),
             d = stage_named(&f, "d");
    assert_int_equal(m->plan[q1].copies, 3);
    assert_int_equal(m->plan[cat].copies, 1); /* no matrix */
    assert_int_equal(m->plan[d].copies, 1);   /* pools */
    assert_int_equal(m->plan[d].col_tiles, 2);
    assert_int_equal(m->copies_max, 3);
    uint32_t into_cat = 0, bits = 0;
    for (uint32_t i = 0; i < m->n_flows; i++) {
        const pp_flow *flow = &m->flow[i];
        uint32_t from = m->tile[flow->src].stage, to = m->tile[flow->dst].stage;
        into_cat += to == cat;
        bits += to == cat ? (uint32_t)flow->bits : 0;
        if (from == q1 && to == q2 && m->tile[flow->src].copy == 0)
            assert_int_equal(flow->positions, 22); /* of 64: 22, 21, 21 */
        if (from == q1 && to == q2 && m->tile[flow->src].copy > 0)
            assert_int_equal(flow->positions, 21);
        if (to == q2) /* two groups: each column tile needs half of the channels */
            assert_int_equal(flow->ch_hi - flow->ch_lo, 2);
    }
    assert_int_equal(into_cat, 3 + 3 * 2); /* p1: 3 copies of one column; q2: 3 copies of two groups */
    assert_int_equal(bits, 64 * 9 * 8);
    pp_mapping_free(m);
    fixture_free(&f);
}

/* Edge patches carry what they have: 7 x 5 in patches of 2 x 3. */
static void partial_patches(void **state)
{
    (void)state;
    fixture f;
    fixture_residual(&f, (pp_shape){7, 5, 3});
    pp_arch arch = fixture_arch(512);
    pp_mapping *m = plan(&f, &arch, "7:2x3", "1", PP_REDUCE_AUTO);
    assert_int_equal(m->plan[0].positions, 4 * 2);
    assert_int_equal(m->flow[0].positions, 8);
    assert_int_equal(m->flow[0].bits, 35 * 4 * 8);
    pp_mapping_free(m);
    m = plan(&f, &arch, "7:9x9", "1", PP_REDUCE_AUTO); /* never larger than the map */
    assert_int_equal(m->plan[0].patch.y, 7);
    assert_int_equal(m->plan[0].patch.x, 5);
    assert_int_equal(m->unroll_max, 35);
    pp_mapping_free(m);
    fixture_free(&f);
}

static void does_not_fit(void **state)
{
    (void)state;
    fixture f;
    fixture_residual(&f, (pp_shape){8, 8, 3});
    pp_arch arch = fixture_arch(512);
    pp_channel channel = fixture_channel(1);
    pp_map_options options = fixture_options("auto", "auto");
    pp_mapping *m;
    arch.rows = 8;
    assert_int_equal(pp_map_plan(&m, &f.q, &arch, &channel, 0, &options), PP_EINFEASIBLE);
    assert_null(m);
    assert_string_equal(pp_error_text(),
                        "layer u: one input channel needs 9 rows at 1x1 output pixels an MVM, arch.rows is 8");
    arch.rows = 512;
    arch.cols = 3;
    options.unroll = "8:2x2";
    assert_int_equal(pp_map_plan(&m, &f.q, &arch, &channel, 0, &options), PP_EINFEASIBLE);
    assert_string_equal(pp_error_text(),
                        "layer u: one output channel needs 4 columns at 2x2 output pixels an MVM, arch.cols is 3");
    fixture_free(&f);
}

/* Sliced weights take neighbouring columns. */
static void slices_of_weights(void **state)
{
    (void)state;
    fixture f;
    fixture_residual(&f, (pp_shape){8, 8, 3});
    pp_arch arch = fixture_arch(512);
    arch.cells = PP_CELLS_DIFFERENTIAL;
    arch.cell_bits = 2; /* 3 bits of magnitude: two slices */
    pp_mapping *m = plan(&f, &arch, "none", "1", PP_REDUCE_AUTO);
    assert_int_equal(m->tile[0].cols_used, 8);
    assert_int_equal(m->tile[0].cells_useful, 27 * 8);
    pp_mapping_free(m);
    fixture_free(&f);
}

/* ---- the check itself ---- */

/* Queries and keys of 16 tokens in 2 heads of 12 channels: 192 products a head and row, 16 scores. */
static void products_of_activations(void **state)
{
    (void)state;
    fixture f;
    pp_builder *b;
    must(pp_builder_new(&b, "attention", (pp_shape){4, 4, 3}));
    const uint32_t q = fixture_conv(b, "q", 0, 24, 1, 1, 1, false), k = fixture_conv(b, "k", 0, 24, 1, 1, 1, false);
    uint32_t x;
    must(pp_build_product(b, "scores", q, k, &(pp_op){.groups = 2, .transposed = true, .whole = true, .factor = 1}, &x));
    must(pp_build_softmax(b, "soft", x, 2, &x));
    fixture_head(&f, b, x, 3);
    pp_arch arch = fixture_arch(512);
    arch.clock_hz = 1e9;
    arch.digital_interval_ps = 1000;
    arch.attention_macs = 100;
    arch.attention_softmax_lanes = 5;
    pp_mapping *m = plan(&f, &arch, "none", "1", PP_REDUCE_AUTO);
    const uint32_t s = stage_named(&f, "scores");
    assert_int_equal(m->plan[s].n_tiles, 1);
    assert_int_equal(m->plan[s].mvm.interval_ps, (2 + 4) * 1000); /* ceil(192 / 100) + ceil(16 / 5) cycles */
    assert_int_equal(m->plan[s].busy_ps, 16 * 6000);
    pp_mapping_free(m);
    m = plan(&f, &arch, "4:1x4", "1", PP_REDUCE_AUTO);
    assert_int_equal(m->plan[s].mvm.interval_ps, 4 * 6000); /* four rows, one after the other */
    pp_mapping_free(m);
    arch.attention_kv_gbps = 100; /* keys of a head: 16 x 12 codes of 8 bits in 15.36 ns, for one row or four */
    m = plan(&f, &arch, "none", "1", PP_REDUCE_AUTO);
    assert_int_equal(m->plan[s].mvm.interval_ps, 15360);
    pp_mapping_free(m);
    arch.attention_kv_bytes = 191;
    pp_channel channel = fixture_channel(1);
    pp_map_options options = fixture_options("none", "1");
    assert_int_equal(pp_map_plan(&m, &f.q, &arch, &channel, 0, &options), PP_EINFEASIBLE);
    assert_non_null(strstr(pp_error_text(), "layer scores: one head of its second operand takes 192 bytes"));
    fixture_free(&f);
}

static void check_notices(void **state)
{
    (void)state;
    fixture f;
    fixture_resnet32(&f);
    pp_arch arch = fixture_arch(256);
    pp_mapping *m = plan(&f, &arch, "none", "1", PP_REDUCE_AUTO);
    uint32_t *const fields[] = {&m->flow[3].ch_hi,         &m->flow[5].positions, &m->flow[7].bits_per_pixel,
                                &m->flow[20].src,          &m->tile[9].in_lo,     &m->tile[9].out_hi,
                                &m->tile[4].rows_used,     &m->plan[2].n_tiles,   &m->tile[40].row,
                                &m->flow_of_tile_first[9], &m->flow[2].stream};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint32_t kept = *fields[i];
        *fields[i] = kept + (fields[i] == &m->tile[4].rows_used ? 999 : 1);
        assert_int_equal(pp_mapping_check(m, &f.q, &arch, NULL), PP_EINTERNAL);
        *fields[i] = kept;
        must(pp_mapping_check(m, &f.q, &arch, NULL));
    }
    pp_mapping_free(m);
    fixture_free(&f);
}

/* No allocation that fails leaks or is taken for a result. */
static void memory_runs_out(void **state)
{
    (void)state;
    fixture f;
    fixture_inception(&f, (pp_shape){8, 8, 3});
    pp_arch arch = fixture_arch(64);
    pp_channel channel = fixture_channel(1);
    pp_map_options options = fixture_options("auto", "auto");
    pp_mapping *m;
    pp_status status = PP_ENOMEM;
    long n = 0;
    for (; status != PP_OK && n < 100000; n++) {
        pp_alloc_fail_after(n);
        status = pp_map_plan(&m, &f.q, &arch, &channel, 0, &options);
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK || (status == PP_ENOMEM && !m));
        if (n > 200)
            n += 97;
    }
    assert_int_equal(status, PP_OK);
    assert_true(n > 10);
    pp_mapping_free(m);
    fixture_free(&f);
}

static void dump_is_stable(void **state)
{
    (void)state;
    fixture f;
    fixture_residual(&f, (pp_shape){8, 8, 3});
    pp_arch arch = fixture_arch(20);
    pp_mapping *a = plan(&f, &arch, "auto", "auto", PP_REDUCE_AUTO),
               *b = plan(&f, &arch, "auto", "auto", PP_REDUCE_AUTO);
    char *x, *y;
    must(pp_mapping_dump(&x, a, NULL));
    must(pp_mapping_dump(&y, b, NULL));
    assert_string_equal(x, y);
    assert_non_null(strstr(x, "psum"));
    free(x);
    free(y);
    pp_mapping_free(a);
    pp_mapping_free(b);
    pp_mapping_free(NULL);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet32_one_layer_a_core),
        cmocka_unit_test(resnet32_row_split),
        cmocka_unit_test(rows_of_patches),
        cmocka_unit_test(rows_touched),
        cmocka_unit_test(groups_stay_whole),
        cmocka_unit_test(reductions),
        cmocka_unit_test(slices_and_copies),
        cmocka_unit_test(partial_patches),
        cmocka_unit_test(does_not_fit),
        cmocka_unit_test(slices_of_weights),
        cmocka_unit_test(products_of_activations),
        cmocka_unit_test(check_notices),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(dump_is_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
