#include "test_topology.h"

#include <igraph.h>
#include <math.h>

static pp_fabric_metrics measure(const char *text)
{
    pp_fabric *f = build(text);
    pp_fabric_metrics m;
    assert_int_equal(pp_fabric_measure(f, &m), PP_OK);
    pp_fabric_free(f);
    return m;
}

static void assert_figures(const char *text, uint32_t cores, uint32_t channels, uint32_t diameter, double mean)
{
    const pp_fabric_metrics m = measure(text);
    assert_int_equal(m.cores, cores);
    assert_int_equal(m.channels, channels);
    assert_int_equal(m.diameter, diameter);
    assert_true(fabs(m.mean_distance - mean) < 1e-12 * mean);
    assert_false(m.sampled);
    assert_int_equal(m.unreachable, 0);
}

/* Published or hand-computed: mean of a mesh k x k is 2/3 k, over different pairs. 8 x 8 torus: a ring
 * of 8 has mean 2 over all pairs, so 4 x 64/63. 5pp: ceil(column distance / 2) + row distance. */
static void test_known_figures(void **state)
{
    (void)state;
    assert_figures("mesh:rows=8,cols=8", 64, 224, 14, 16.0 / 3.0);
    assert_figures("torus:rows=8,cols=8", 64, 256, 8, 256.0 / 63.0);
    assert_figures("ring:cores=16", 16, 32, 8, 64.0 / 15.0);
    double sum = 0.0;
    for (int u = 0; u < 64; u++)
        for (int v = 0; v < 64; v++)
            sum += ceil(abs(u % 8 - v % 8) / 2.0) + abs(u / 8 - v / 8);
    assert_figures("5pp:rows=8,cols=8", 64, 320, 11, sum / (64.0 * 63.0));
    const pp_fabric_metrics m = measure("5pp:rows=8,cols=8");
    assert_int_equal(m.degree_min, 3);
    assert_int_equal(m.degree_max, 6);
    assert_true(m.wire_pitches == 416.0);
    assert_true(measure("mesh:rows=8,cols=8").wire_pitches == 224.0);
    assert_true(measure("torus:rows=8,cols=8").wire_pitches == 512.0);
}

/* Distances of all pairs against igraph's. */
static void assert_like_igraph(const char *text)
{
    pp_fabric *f = build(text);
    igraph_t g;
    igraph_matrix_t far;
    assert_int_equal(igraph_empty(&g, (igraph_integer_t)f->n_vertices, IGRAPH_DIRECTED), IGRAPH_SUCCESS);
    for (uint32_t c = 0; c < f->n_network; c++)
        assert_int_equal(igraph_add_edge(&g, f->channel[c].src, f->channel[c].dst), IGRAPH_SUCCESS);
    assert_int_equal(igraph_matrix_init(&far, 0, 0), IGRAPH_SUCCESS);
    assert_int_equal(igraph_distances(&g, &far, igraph_vss_all(), igraph_vss_all(), IGRAPH_OUT), IGRAPH_SUCCESS);
    uint32_t *distance = pp_alloc(f->n_vertices, sizeof *distance);
    uint64_t unreachable = 0;
    double diameter = 0.0;
    for (uint32_t u = 0; u < f->n_vertices; u++) {
        assert_int_equal(pp_distances(f, u, distance), PP_OK);
        for (uint32_t v = 0; v < f->n_vertices; v++) {
            const double expected = MATRIX(far, u, v);
            assert_true(isinf(expected) ? distance[v] == UINT32_MAX : (double)distance[v] == expected);
            unreachable += isinf(expected) ? 1 : 0;
            diameter = isfinite(expected) && expected > diameter ? expected : diameter;
        }
    }
    pp_fabric_metrics m;
    assert_int_equal(pp_fabric_measure(f, &m), PP_OK);
    assert_int_equal(m.unreachable, unreachable);
    assert_true((double)m.diameter == diameter);
    free(distance);
    igraph_matrix_destroy(&far);
    igraph_destroy(&g);
    pp_fabric_free(f);
}

static void test_distances(void **state)
{
    (void)state;
    assert_like_igraph("5pp:rows=5,cols=7");
    assert_like_igraph("5pp:rows=3,cols=6,row_direction=alternate");
    assert_like_igraph("5pp:rows=1,cols=6,row_direction=forward"); /* half of the pairs have no way */
    assert_like_igraph("5pp:rows=4,cols=7,wrap=1,reach=3");
    assert_like_igraph("torus:rows=6,cols=5");
}

/* Smallest cut over all balanced halves, by trying them all. */
static uint32_t brute_bisection(const pp_fabric *f)
{
    const uint32_t n = f->n_cores;
    uint32_t best = UINT32_MAX;
    for (uint32_t set = 0; set < UINT32_C(1) << n; set++) {
        uint32_t size = 0, cut = 0;
        for (uint32_t v = 0; v < n; v++)
            size += set >> v & 1;
        if (size != n / 2)
            continue;
        for (uint32_t c = 0; c < f->n_network; c++)
            cut += (set >> f->channel[c].src & 1) != (set >> f->channel[c].dst & 1);
        best = cut < best ? cut : best;
    }
    return best;
}

static void assert_bisection(const char *text, bool exact)
{
    pp_fabric *f = build(text);
    pp_fabric_metrics m;
    assert_int_equal(pp_fabric_measure(f, &m), PP_OK);
    const uint32_t least = brute_bisection(f);
    assert_int_equal(m.bisection_exact, exact);
    if (exact ? m.bisection_channels != least : m.bisection_channels < least)
        fail_msg("%s: bisection %u, brute force finds %u", text, m.bisection_channels, least);
    pp_fabric_free(f);
}

static void test_bisection(void **state)
{
    (void)state;
    assert_bisection("mesh:rows=4,cols=4", true);
    assert_bisection("mesh:rows=3,cols=3", true);
    assert_bisection("mesh:rows=2,cols=5", true);
    assert_bisection("mesh:rows=3,cols=4", true);
    assert_bisection("mesh:rows=1,cols=7", true);
    assert_bisection("mesh:rows=1,cols=1", true);
    assert_bisection("torus:rows=4,cols=4", true);
    assert_bisection("torus:rows=4,cols=3", true);
    assert_bisection("torus:rows=3,cols=3", true);
    assert_bisection("torus:rows=2,cols=6", true);
    assert_bisection("torus:rows=2,cols=2", true);
    assert_bisection("ring:cores=9", true);
    assert_bisection("ring:cores=2", true);
    assert_bisection("ring:cores=1", true);
    assert_bisection("5pp:rows=4,cols=4", true);
    assert_bisection("5pp:rows=4,cols=3", true);
    assert_bisection("5pp:rows=2,cols=2", true);
    assert_bisection("5pp:rows=2,cols=6", true);
    assert_bisection("5pp:rows=1,cols=10", true);
    assert_bisection("5pp:rows=1,cols=4", true);
    assert_bisection("5pp:rows=1,cols=11", true);
    assert_bisection("5pp:rows=1,cols=15", true);
    assert_bisection("5pp:rows=3,cols=4,row_direction=forward", true);
}

static void test_large_is_sampled(void **state)
{
    (void)state;
    const pp_fabric_metrics m = measure("mesh:rows=128,cols=128");
    assert_int_equal(m.cores, 16384);
    assert_true(m.sampled);
    assert_int_equal(m.diameter, 254); /* core 0 is always looked at */
    assert_true(m.bisection_exact);
    assert_int_equal(m.bisection_channels, 256);
}

int main(void)
{
    const struct CMUnitTest topology_measure[] = {
        cmocka_unit_test(test_known_figures),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_bisection),
        cmocka_unit_test(test_large_is_sampled),
    };
    return cmocka_run_group_tests(topology_measure, NULL, NULL);
}
