#include "test_topology.h"

/* A path of n whose i-th vertex is called (i * step) mod n: the order must walk it from the end on
 * vertex 0's side. Exact for small n (dense solver) and large n (sparse one). */
static void assert_path(uint32_t n, uint32_t step)
{
    uint32_t *from = pp_alloc(n, sizeof *from), *to = pp_alloc(n, sizeof *to), *order = pp_alloc(n, sizeof *order);
    uint32_t *place = pp_alloc(n, sizeof *place);
    assert_true(from && to && order && place);
    for (uint32_t i = 0; i + 1 < n; i++) {
        from[i] = (uint32_t)((uint64_t)i * step % n);
        to[i] = (uint32_t)((uint64_t)(i + 1) * step % n);
    }
    assert_int_equal(pp_graph_order(n, from, to, NULL, n - 1, order), PP_OK);
    for (uint32_t i = 0; i < n; i++)
        place[order[i]] = i;
    for (uint32_t i = 0; i + 1 < n; i++) {
        const uint32_t a = place[from[i]], b = place[to[i]];
        assert_int_equal(a > b ? a - b : b - a, 1);
    }
    assert_true(place[0] < n / 2 + 1);
    free(from);
    free(to);
    free(order);
    free(place);
}

static void test_paths(void **state)
{
    (void)state;
    assert_path(3, 1);
    assert_path(10, 3);
    assert_path(101, 17);
    assert_path(700, 1);
    assert_path(701, 100);
}

/* Two cliques joined by one weak edge come out one behind the other. */
static void test_cliques(void **state)
{
    (void)state;
    uint32_t from[64], to[64], order[12], n = 0;
    double weight[64];
    for (uint32_t u = 0; u < 12; u++)
        for (uint32_t v = u + 1; v < 12; v++)
            if (u % 2 == v % 2) {
                from[n] = u, to[n] = v;
                weight[n++] = 2.0;
            }
    from[n] = 4, to[n] = 7;
    weight[n++] = 0.1;
    assert_int_equal(pp_graph_order(12, from, to, weight, n, order), PP_OK);
    for (uint32_t i = 0; i < 12; i++)
        assert_int_equal(order[i] % 2, i < 6 ? 0 : 1);
    assert_int_equal(order[5], 4);
    assert_int_equal(order[6], 7);
}

static void test_components_and_singles(void **state)
{
    (void)state;
    /* 0-5 path over 3, 1 alone, 2-4 a pair */
    const uint32_t from[] = {0, 3, 4}, to[] = {3, 5, 2};
    const uint32_t expected[] = {0, 3, 5, 1, 2, 4};
    uint32_t order[6];
    assert_int_equal(pp_graph_order(6, from, to, NULL, 3, order), PP_OK);
    assert_memory_equal(order, expected, sizeof order);
    assert_int_equal(pp_graph_order(1, NULL, NULL, NULL, 0, order), PP_OK);
    assert_int_equal(order[0], 0);
    assert_int_equal(pp_graph_order(0, NULL, NULL, NULL, 0, order), PP_OK);
}

/* Symmetric graphs have many Fiedler vectors: the same one must come back each time, and every vertex
 * must be there once. */
static void assert_stable(const char *text)
{
    pp_fabric *f = build(text);
    const uint32_t n = f->n_vertices;
    uint32_t *from = pp_alloc(f->n_network, sizeof *from), *to = pp_alloc(f->n_network, sizeof *to);
    uint32_t *a = pp_alloc(n, sizeof *a), *b = pp_alloc(n, sizeof *b);
    uint8_t *seen = pp_calloc(n, 1);
    for (uint32_t c = 0; c < f->n_network; c++) {
        from[c] = f->channel[c].src;
        to[c] = f->channel[c].dst;
    }
    assert_int_equal(pp_graph_order(n, from, to, NULL, f->n_network, a), PP_OK);
    assert_int_equal(pp_graph_order(n, from, to, NULL, f->n_network, b), PP_OK);
    assert_memory_equal(a, b, n * sizeof *a);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(seen[a[i]], 0);
        seen[a[i]] = 1;
    }
    free(from);
    free(to);
    free(a);
    free(b);
    free(seen);
    pp_fabric_free(f);
}

static void test_symmetric_graphs(void **state)
{
    (void)state;
    assert_stable("mesh:rows=6,cols=6");
    assert_stable("torus:rows=5,cols=5");
    assert_stable("torus:rows=24,cols=24");
    assert_stable("ring:cores=500");
}

/* A chain so long that the eigensolver gives up is ordered by search from its far end. */
static void test_long_chain(void **state)
{
    (void)state;
    assert_path(20000, 1);
}

static void test_bad_graphs(void **state)
{
    (void)state;
    const uint32_t from[] = {0}, to[] = {2};
    const double none[] = {0.0};
    uint32_t order[3];
    assert_failed_with(pp_graph_order(2, from, to, NULL, 1, order), PP_EINVAL, "edge 0 does not join");
    assert_failed_with(pp_graph_order(3, from, to, none, 1, order), PP_EINVAL, "edge 0 has a weight that is not positive");
}

int main(void)
{
    const struct CMUnitTest topology_order[] = {
        cmocka_unit_test(test_paths),          cmocka_unit_test(test_cliques),
        cmocka_unit_test(test_components_and_singles), cmocka_unit_test(test_symmetric_graphs),
        cmocka_unit_test(test_long_chain),     cmocka_unit_test(test_bad_graphs),
    };
    return cmocka_run_group_tests(topology_order, NULL, NULL);
}
