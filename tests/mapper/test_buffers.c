/* Buffers: the smallest ones do not deadlock and one place less does; automatic ones keep the interval.
 * Both by the slow definition with finite buffers. */
#include "mapper/mapper_internal.h"
#include "slow.h"

enum { INFERENCES = 9 };

typedef struct bench {
    fixture f;
    pp_arch arch;
    pp_channel channel;
    pp_tables *tables;
    pp_mapping *m;
} bench;

/* Interval that cores, flows on channels of their own, and the feed allow. */
static uint64_t bound(const bench *b)
{
    uint64_t most = pp_feed_pixels(&b->f.q) * pp_feed_pixel_ps(&b->f.q, &b->channel);
    for (uint32_t s = 0; s < b->m->n_stages; s++)
        most = slow_max(most, b->m->plan[s].busy_ps);
    for (uint32_t i = 0; i < b->m->n_flows; i++) {
        const pp_tile *src = &b->m->tile[b->m->flow[i].src];
        pp_shape map;
        pp_patch patch;
        pp_packet_sizes sizes;
        pp_flow_cut(b->m, &b->f.q, &b->m->flow[i], &map, &patch);
        pp_packet_sizes_of(&sizes, map, patch, src->copy, b->m->plan[src->stage].copies);
        most = slow_max(most, pp_packets_ps(&sizes, &b->channel, b->m->flow[i].bits_per_pixel, 0));
    }
    return most;
}

static void open_bench(bench *b, bool inception, const char *unroll, const char *copies, int64_t rows,
                       const char *buffers)
{
    (inception ? fixture_inception : fixture_residual)(&b->f, (pp_shape){8, 8, 3});
    b->arch = fixture_arch(512);
    b->arch.rows = rows;
    b->arch.mvm_ps = 30000;
    b->arch.digital_ps = 5000;
    b->channel = (pp_channel){.lanes = 1, .lane_gbps = 4, .latency_ps = 1500, .length = 1};
    pp_map_options options = fixture_options(unroll, copies);
    must(pp_map_plan(&b->m, &b->f.q, &b->arch, &b->channel, 0, &options));
    must(pp_tables_new(&b->tables, &b->f.q));
    pp_timing_input in = {
        .m = b->m, .q = &b->f.q, .arch = &b->arch, .channel = &b->channel, .inferences = 1, .tables = b->tables};
    pp_timing timing = {0};
    must(pp_timing_run(&timing, &in));
    b->m->bounds.latency_ps = timing.latency_ps;
    b->m->bounds.interval_ps = bound(b);
    must(pp_buffers_fill(b->m, &in, buffers));
}

static void close_bench(bench *b)
{
    pp_tables_free(b->tables);
    pp_mapping_free(b->m);
    fixture_free(&b->f);
}

/* Interval at the end of a run with these capacities; 0: deadlock. */
static uint64_t run(const bench *b, const uint32_t *capacity)
{
    slow s;
    slow_open(&s, b->m, &b->f.q, &b->arch, &b->channel, INFERENCES, 0, capacity);
    uint64_t last = 0, before = 0;
    for (uint32_t i = 0; i < INFERENCES; i++) {
        before = last;
        last = slow_finish(&s, i);
    }
    bool deadlock = s.deadlock;
    slow_close(&s);
    return deadlock ? 0 : last - before;
}

static uint32_t *capacities(const bench *b, bool smallest)
{
    uint32_t *c = calloc(b->m->n_flows + 1u, sizeof *c);
    for (uint32_t i = 0; i < b->m->n_flows; i++)
        c[i] = smallest ? b->m->flow[i].buffer_min : b->m->flow[i].buffer;
    return c;
}

typedef struct setting {
    bool inception;
    const char *unroll, *copies;
    int64_t rows;
} setting;

static const setting settings[] = {
    {false, "none", "1", 512}, {false, "8:1x4", "1", 512}, {false, "8:2x2", "2", 512}, {false, "none", "3", 20},
    {true, "none", "1", 512},  {true, "8:1x2", "1", 40},   {true, "8:2x4", "2", 512},
};

static void automatic_keeps_interval(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        bench b;
        open_bench(&b, settings[i].inception, settings[i].unroll, settings[i].copies, settings[i].rows, "auto");
        uint32_t *c = capacities(&b, false);
        assert_int_equal(run(&b, c), b.m->bounds.interval_ps);
        free(c);
        close_bench(&b);
    }
}

/* Psum flows are capped, others keep what they had; a cap above the buffer and 0 change nothing. */
static void window_caps_psums(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, false, "none", "1", 20, "6");
    uint32_t psums = 0;
    pp_buffers_limit_psums(b.m, 0);
    pp_buffers_limit_psums(b.m, 9);
    for (uint32_t i = 0; i < b.m->n_flows; i++)
        assert_int_equal(b.m->flow[i].buffer, 6);
    pp_buffers_limit_psums(b.m, 2);
    for (uint32_t i = 0; i < b.m->n_flows; i++) {
        bool psum = b.m->flow[i].kind == PP_FLOW_PSUM;
        psums += psum;
        assert_int_equal(b.m->flow[i].buffer, psum ? 2 : 6);
    }
    assert_true(psums > 0);
    close_bench(&b);
}

static void smallest_does_not_deadlock(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        bench b;
        open_bench(&b, settings[i].inception, settings[i].unroll, settings[i].copies, settings[i].rows, "unlimited");
        uint32_t *c = capacities(&b, true);
        assert_true(run(&b, c) > 0);
        for (uint32_t f = 0; f < b.m->n_flows; f++)
            assert_int_equal(b.m->flow[f].buffer, 0);
        free(c);
        close_bench(&b);
    }
}

static void one_place_less_deadlocks(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, false, "none", "1", 512, "1");
    uint32_t tried = 0;
    for (uint32_t f = 0; f < b.m->n_flows; f++) {
        uint32_t *c = capacities(&b, true);
        assert_int_equal(b.m->flow[f].buffer, 1);
        if (--c[f] > 0) {
            assert_int_equal(run(&b, c), 0);
            tried++;
        }
        free(c);
    }
    assert_int_equal(tried, 3); /* u -> a, a -> b, u -> b; one position comes out of the pooling */
    close_bench(&b);
}

/* By hand: 3x3 on 8x8 pixels reads from one row and one pixel back to one row and one pixel ahead, 2 x 8 + 3
 * positions. The skip of a block waits for two such windows ahead, 2 x (8 + 1), and holds its own. */
static void smallest_by_hand(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, false, "none", "1", 512, "auto");
    for (uint32_t i = 0; i < b.m->n_flows; i++) {
        const pp_flow *f = &b.m->flow[i];
        uint32_t want = b.m->tile[f->dst].stage == 3 ? 1 : 19; /* 3: the linear layer behind the pooling */
        assert_int_equal(f->buffer_min, want);
        assert_true(f->buffer >= want);
    }
    close_bench(&b);
}

static void bad_words(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "0", "-1", "many", "3.5", "auto "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pp_buffers_check(bad[i]), PP_EINVAL);
        assert_non_null(strstr(pp_error_text(), "mapping.buffers: expected auto, unlimited or a number"));
    }
    must(pp_buffers_check("17"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(automatic_keeps_interval),
        cmocka_unit_test(smallest_does_not_deadlock),
        cmocka_unit_test(window_caps_psums),
        cmocka_unit_test(one_place_less_deadlocks),
        cmocka_unit_test(smallest_by_hand),
        cmocka_unit_test(bad_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
