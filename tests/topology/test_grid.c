/* Generators against the definition of their neighbourhoods, pair by pair. */
#include "test_topology.h"

/* Whether a line of n has a channel from -> to. sign: 0 both ways, else the only way. */
static bool line_joins(int n, int reach, bool wrap, int sign, int from, int to)
{
    for (int step = 1; step <= reach; step++)
        for (int way = -1; way <= 1; way += 2) {
            if (sign != 0 && way != sign)
                continue;
            int at = from + way * step;
            if (wrap)
                at = (at % n + n) % n;
            if (at == to && at != from && at >= 0 && at < n)
                return true;
        }
    return false;
}

static void assert_grid(const char *text, int rows, int cols, int reach, bool wrap, const char *direction)
{
    pp_fabric *f = build(text);
    assert_int_equal(f->n_cores, rows * cols);
    for (int u = 0; u < rows * cols; u++)
        for (int v = 0; v < rows * cols; v++) {
            const int r = u / cols, c = u % cols, q = v / cols, d = v % cols;
            const int sign = strcmp(direction, "both") == 0      ? 0
                             : strcmp(direction, "forward") == 0 ? 1
                             : r % 2 == 0                        ? 1
                                                                 : -1;
            const bool joined = (r == q && line_joins(cols, reach, wrap, sign, c, d)) ||
                                (c == d && line_joins(rows, 1, wrap, 0, r, q));
            if (channels_between(f, (uint32_t)u, (uint32_t)v) != (uint32_t)joined)
                fail_msg("%s: %u channels r%dc%d -> r%dc%d, expected %d", text,
                         channels_between(f, (uint32_t)u, (uint32_t)v), r, c, q, d, joined);
        }
    pp_fabric_free(f);
}

static void test_neighbourhoods(void **state)
{
    (void)state;
    assert_grid("5pp:rows=4,cols=6", 4, 6, 2, false, "both");
    assert_grid("5pp:rows=1,cols=9", 1, 9, 2, false, "both");
    assert_grid("5pp:rows=3,cols=2", 3, 2, 2, false, "both");
    assert_grid("5pp:rows=3,cols=1", 3, 1, 2, false, "both");
    assert_grid("5pp:rows=3,cols=7,reach=4", 3, 7, 4, false, "both");
    assert_grid("5pp:rows=3,cols=5,row_direction=forward", 3, 5, 2, false, "forward");
    assert_grid("5pp:rows=4,cols=5,row_direction=alternate", 4, 5, 2, false, "alternate");
    assert_grid("5pp:rows=3,cols=7,wrap=1", 3, 7, 2, true, "both");
    assert_grid("5pp:rows=3,cols=4,wrap=1", 3, 4, 2, true, "both");
    assert_grid("5pp:rows=2,cols=3,wrap=1", 2, 3, 2, true, "both");
    assert_grid("5pp:rows=2,cols=5,wrap=1,row_direction=alternate", 2, 5, 2, true, "alternate");
    assert_grid("5pp:rows=2,cols=2,wrap=1,row_direction=forward", 2, 2, 2, true, "forward");
    assert_grid("mesh:rows=4,cols=5", 4, 5, 1, false, "both");
    assert_grid("mesh:rows=1,cols=1", 1, 1, 1, false, "both");
    assert_grid("torus:rows=4,cols=5", 4, 5, 1, true, "both");
    assert_grid("torus:rows=2,cols=3", 2, 3, 1, true, "both");
    assert_grid("torus:rows=1,cols=2", 1, 2, 1, true, "both");
    assert_grid("torus:rows=1,cols=1", 1, 1, 1, true, "both");
    assert_grid("ring:cores=7", 1, 7, 1, true, "both");
    assert_grid("ring:cores=2", 1, 2, 1, true, "both");
    assert_grid("ring:cores=1", 1, 1, 1, true, "both");
}

/* PAPER: legallo2023: the links drawn for cores (3,5) and (4,5), counted from 0 here. */
static void test_published_neighbours(void **state)
{
    (void)state;
    pp_fabric *f = build("5pp:rows=8,cols=8");
    const int neighbours[6][2] = {{2, 5}, {3, 3}, {3, 4}, {3, 6}, {3, 7}, {4, 5}};
    const uint32_t core = 3 * 8 + 5;
    assert_int_equal(f->out_first[core + 1] - f->out_first[core], 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(channels_between(f, core, (uint32_t)(neighbours[i][0] * 8 + neighbours[i][1])), 1);
    pp_fabric_free(f);
}

static float length_between(const pp_fabric *f, uint32_t u, uint32_t v)
{
    for (uint32_t c = 0; c < f->n_network; c++)
        if (f->channel[c].src == u && f->channel[c].dst == v)
            return f->channel[c].length;
    return -1.0F;
}

static void assert_length(const char *text, uint32_t u, uint32_t v, float length)
{
    pp_fabric *f = build(text);
    assert_float_equal(length_between(f, u, v), length, 0.0);
    pp_fabric_free(f);
}

static void test_lengths(void **state)
{
    (void)state;
    assert_length("5pp:rows=2,cols=5", 0, 1, 1.0F);
    assert_length("5pp:rows=2,cols=5", 0, 2, 2.0F);
    assert_length("5pp:rows=2,cols=5", 0, 5, 1.0F);
    /* Folded: neighbours on a ring are 2 pitches apart; a line of two needs only one. */
    assert_length("torus:rows=4,cols=4", 0, 1, 2.0F);
    assert_length("torus:rows=4,cols=4", 0, 3, 2.0F);
    assert_length("torus:rows=2,cols=4", 0, 4, 1.0F);
    assert_length("torus:rows=3,cols=3", 0, 6, 2.0F);
    /* Loop of two rows: 0 1 2 over 4 3: the links that turn the corner are longer when it is odd. */
    assert_length("ring:cores=6", 2, 3, 1.0F);
    assert_length("ring:cores=6", 5, 0, 1.0F);
    assert_length("ring:cores=5", 0, 1, 1.0F);
    assert_length("ring:cores=5", 2, 3, 2.0F);
    assert_length("ring:cores=2", 0, 1, 1.0F);
}

static void refuse(const char *text, pp_status status, const char *part)
{
    bench b = bench_new();
    pp_fabric *f = NULL;
    assert_int_equal(pp_fabric_parse(&b.options, b.arena, text), PP_OK);
    assert_failed_with(pp_fabric_build(&f, &b.options), status, part);
    assert_null(f);
    bench_free(&b);
}

static void test_sizes_that_cannot_be(void **state)
{
    (void)state;
    refuse("5pp", PP_EINVAL, "no size given; expected 5pp:rows=R,cols=C");
    refuse("mesh:rows=3", PP_EINVAL, "no size given; expected mesh:rows=R,cols=C");
    refuse("ring", PP_EINVAL, "expected ring:cores=N");
    refuse("torus:rows=4194304,cols=4194304", PP_ERANGE, "are more than the 4194304 that can be built");
}

int main(void)
{
    const struct CMUnitTest topology_grid[] = {
        cmocka_unit_test(test_neighbourhoods),
        cmocka_unit_test(test_published_neighbours),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_sizes_that_cannot_be),
    };
    return cmocka_run_group_tests(topology_grid, NULL, NULL);
}
