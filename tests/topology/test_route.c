#include "test_topology.h"

#define CAP 256

/* The way starts, hangs together and ends where it should. */
static void assert_way(const pp_fabric *f, uint32_t src, uint32_t dst, const uint32_t *path, size_t n)
{
    uint32_t at = src;
    for (size_t i = 0; i < n; i++) {
        assert_true(path[i] < f->n_network);
        assert_int_equal(f->channel[path[i]].src, at);
        at = f->channel[path[i]].dst;
    }
    assert_int_equal(at, dst);
}

/* Vertices of the way as text: "0 2 4 12". */
static void assert_vertices(const pp_fabric *f, pp_routing routing, uint32_t src, uint32_t dst, const char *expected)
{
    uint32_t path[CAP];
    char text[512];
    size_t n = 0;
    assert_int_equal(pp_route(f, routing, src, dst, path, CAP, &n), PP_OK);
    assert_way(f, src, dst, path, n);
    int at = snprintf(text, sizeof text, "%u", src);
    for (size_t i = 0; i < n; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, " %u", f->channel[path[i]].dst);
    assert_string_equal(text, expected);
}

static void test_mesh(void **state)
{
    (void)state;
    pp_fabric *f = build("mesh:rows=3,cols=4");
    assert_vertices(f, PP_ROUTING_XY, 0, 10, "0 1 2 6 10");
    assert_vertices(f, PP_ROUTING_YX, 0, 10, "0 4 8 9 10");
    assert_vertices(f, PP_ROUTING_XY, 11, 0, "11 10 9 8 4 0");
    assert_vertices(f, PP_ROUTING_XY, 5, 5, "5");
    pp_fabric_free(f);
}

static void test_torus_short_way(void **state)
{
    (void)state;
    pp_fabric *f = build("torus:rows=4,cols=5");
    assert_vertices(f, PP_ROUTING_XY, 0, 4, "0 4");
    assert_vertices(f, PP_ROUTING_XY, 0, 3, "0 4 3");
    assert_vertices(f, PP_ROUTING_XY, 4, 1, "4 0 1");
    assert_vertices(f, PP_ROUTING_YX, 0, 10, "0 5 10"); /* two rows either way: upwards */
    assert_vertices(f, PP_ROUTING_YX, 10, 0, "10 15 0");
    assert_vertices(f, PP_ROUTING_XY, 0, 15, "0 15");
    pp_fabric_free(f);
}

static void test_5pp_longest_first(void **state)
{
    (void)state;
    pp_fabric *f = build("5pp:rows=2,cols=8");
    assert_vertices(f, PP_ROUTING_XY, 0, 5, "0 2 4 5");
    assert_vertices(f, PP_ROUTING_XY, 7, 0, "7 5 3 1 0");
    assert_vertices(f, PP_ROUTING_XY, 0, 13, "0 2 4 5 13");
    assert_vertices(f, PP_ROUTING_YX, 0, 13, "0 8 10 12 13");
    pp_fabric_free(f);
    f = build("5pp:rows=1,cols=9,wrap=1");
    assert_vertices(f, PP_ROUTING_XY, 0, 6, "0 7 6");
    assert_vertices(f, PP_ROUTING_XY, 0, 4, "0 2 4");
    pp_fabric_free(f);
}

static void refuse(const pp_fabric *f, pp_routing routing, uint32_t src, uint32_t dst, pp_status status,
                   const char *part)
{
    uint32_t path[CAP];
    size_t n = 99;
    assert_failed_with(pp_route(f, routing, src, dst, path, CAP, &n), status, part);
    assert_int_equal(n, 0);
}

static void test_one_way_rows(void **state)
{
    (void)state;
    pp_fabric *f = build("5pp:rows=2,cols=6,row_direction=alternate");
    assert_vertices(f, PP_ROUTING_XY, 0, 3, "0 2 3");
    assert_vertices(f, PP_ROUTING_XY, 11, 8, "11 9 8");
    refuse(f, PP_ROUTING_XY, 3, 0, PP_EINFEASIBLE, "no way from r0c3 to r0c0 by xy routing");
    assert_vertices(f, PP_ROUTING_YX, 3, 6, "3 9 7 6"); /* row 1 goes backwards */
    assert_vertices(f, PP_ROUTING_SHORTEST, 3, 1, "3 9 7 1");
    pp_fabric_free(f);
    f = build("5pp:rows=1,cols=5,row_direction=forward,wrap=1");
    assert_vertices(f, PP_ROUTING_XY, 3, 2, "3 0 2"); /* only onwards round the ring */
    pp_fabric_free(f);
    f = build("5pp:rows=1,cols=5,row_direction=forward");
    refuse(f, PP_ROUTING_SHORTEST, 3, 2, PP_EINFEASIBLE, "no way from r0c3 to r0c2 by shortest routing");
    pp_fabric_free(f);
}

/* All pairs: ways hang together; shortest ones have the distance's length, and on these grids
 * dimension order is shortest too. */
static void assert_all_pairs(const char *text)
{
    pp_fabric *f = build(text);
    uint32_t *distance = pp_alloc(f->n_vertices, sizeof *distance);
    assert_non_null(distance);
    for (uint32_t u = 0; u < f->n_vertices; u++) {
        assert_int_equal(pp_distances(f, u, distance), PP_OK);
        for (uint32_t v = 0; v < f->n_vertices; v++)
            for (int r = PP_ROUTING_XY; r <= PP_ROUTING_SHORTEST; r++) {
                uint32_t path[CAP];
                size_t n = 0;
                assert_int_equal(pp_route(f, (pp_routing)r, u, v, path, CAP, &n), PP_OK);
                assert_way(f, u, v, path, n);
                assert_int_equal(n, distance[v]);
            }
    }
    free(distance);
    pp_fabric_free(f);
}

static void test_all_pairs(void **state)
{
    (void)state;
    assert_all_pairs("mesh:rows=4,cols=5");
    assert_all_pairs("5pp:rows=3,cols=8");
    assert_all_pairs("5pp:rows=2,cols=9,reach=3,wrap=1");
    assert_all_pairs("torus:rows=4,cols=5");
    assert_all_pairs("torus:rows=2,cols=2");
    assert_all_pairs("ring:cores=9");
}

static void test_shortest_takes_lowest_channel(void **state)
{
    (void)state;
    pp_fabric *f = build("mesh:rows=2,cols=2");
    uint32_t path[2];
    size_t n = 0;
    assert_int_equal(pp_route(f, PP_ROUTING_SHORTEST, 0, 3, path, 2, &n), PP_OK);
    uint32_t lowest = PP_NO_CHANNEL;
    for (uint32_t c = f->n_network; c-- > 0;)
        if (f->channel[c].src == 0)
            lowest = c;
    assert_int_equal(path[0], lowest);
    pp_fabric_free(f);
}

static void test_limits(void **state)
{
    (void)state;
    pp_fabric *f = build("mesh:rows=1,cols=5");
    uint32_t path[2];
    size_t n = 0;
    assert_failed_with(pp_route(f, PP_ROUTING_XY, 0, 4, path, 2, &n), PP_ERANGE, "more than 2 channels");
    refuse(f, PP_ROUTING_BALANCED, 0, 4, PP_EINVAL, "chosen by the mapper");
    pp_routing routing = PP_ROUTING_XY;
    assert_int_equal(pp_routing_parse(&routing, "auto", f), PP_OK);
    assert_int_equal(routing, PP_ROUTING_BALANCED);
    assert_failed_with(pp_routing_parse(&routing, "xz", f), PP_EINVAL, "found xz");
    pp_fabric_free(f);
}

int main(void)
{
    const struct CMUnitTest topology_route[] = {
        cmocka_unit_test(test_mesh),         cmocka_unit_test(test_torus_short_way),
        cmocka_unit_test(test_5pp_longest_first), cmocka_unit_test(test_one_way_rows),
        cmocka_unit_test(test_all_pairs),    cmocka_unit_test(test_shortest_takes_lowest_channel),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(topology_route, NULL, NULL);
}
