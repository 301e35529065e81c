#include "test_topology.h"

/* A tree rooted at src: parents first and joined end to start, no vertex twice, all of dst reached,
 * and every leaf is a destination. */
static void assert_tree(const pp_fabric *f, const pp_tree *t, uint32_t src, const uint32_t *dst, uint32_t n_dst)
{
    uint8_t *reached = pp_calloc(f->n_vertices, 1), *has_child = pp_calloc((size_t)t->n + 1, 1);
    assert_true(reached && has_child);
    reached[src] = 1;
    for (uint32_t i = 0; i < t->n; i++) {
        const pp_channel *c = &f->channel[t->edge[i]];
        assert_true(t->parent[i] == PP_NO_EDGE || t->parent[i] < i);
        assert_int_equal(c->src, t->parent[i] == PP_NO_EDGE ? src : f->channel[t->edge[t->parent[i]]].dst);
        assert_int_equal(reached[c->dst], 0);
        reached[c->dst] = 1;
        if (t->parent[i] != PP_NO_EDGE)
            has_child[t->parent[i]] = 1;
    }
    for (uint32_t i = 0; i < n_dst; i++)
        assert_int_equal(reached[dst[i]], 1);
    for (uint32_t i = 0; i < t->n; i++) {
        bool wanted = has_child[i];
        for (uint32_t k = 0; k < n_dst; k++)
            wanted = wanted || f->channel[t->edge[i]].dst == dst[k];
        assert_true(wanted);
    }
    free(reached);
    free(has_child);
}

static uint32_t tree_size(const pp_fabric *f, pp_routing routing, uint32_t src, const uint32_t *dst, uint32_t n_dst)
{
    pp_tree t;
    assert_int_equal(pp_route_tree(&t, f, routing, src, dst, n_dst), PP_OK);
    assert_tree(f, &t, src, dst, n_dst);
    const uint32_t n = t.n;
    pp_tree_free(&t);
    return n;
}

static void test_shared_ways(void **state)
{
    (void)state;
    pp_fabric *f = build("mesh:rows=3,cols=4");
    assert_int_equal(tree_size(f, PP_ROUTING_XY, 0, (const uint32_t[]){3, 2, 7}, 3), 4); /* 0 1 2 3, 3 -> 7 */
    assert_int_equal(tree_size(f, PP_ROUTING_XY, 0, (const uint32_t[]){7, 3, 3, 0}, 4), 4);
    assert_int_equal(tree_size(f, PP_ROUTING_XY, 5, (const uint32_t[]){5}, 1), 0);
    assert_int_equal(tree_size(f, PP_ROUTING_XY, 5, NULL, 0), 0);
    pp_fabric_free(f);
}

/* 5pp: the way to column 3 is 0 2 3, the one to column 1 is 0 1; two edges from the root. */
static void test_5pp_branches(void **state)
{
    (void)state;
    pp_fabric *f = build("5pp:rows=2,cols=6");
    assert_int_equal(tree_size(f, PP_ROUTING_XY, 0, (const uint32_t[]){3, 1, 9}, 3), 4);
    pp_fabric_free(f);
}

/* Many random trees: routes of dimension order from one root always make a tree of the right form. */
static void test_random_trees(void **state)
{
    (void)state;
    const char *const fabrics[] = {"5pp:rows=4,cols=7", "torus:rows=5,cols=4", "ring:cores=11"};
    pp_rng rng = pp_rng_make(1, 1);
    for (size_t i = 0; i < 3; i++) {
        pp_fabric *f = build(fabrics[i]);
        for (int round = 0; round < 200; round++) {
            uint32_t dst[12];
            const uint32_t n = pp_rng_below(&rng, 12), src = pp_rng_below(&rng, f->n_vertices);
            for (uint32_t k = 0; k < n; k++)
                dst[k] = pp_rng_below(&rng, f->n_vertices);
            (void)tree_size(f, (pp_routing)pp_rng_below(&rng, 3), src, dst, n);
        }
        pp_fabric_free(f);
    }
}

static void test_unreachable(void **state)
{
    (void)state;
    pp_fabric *f = build("5pp:rows=1,cols=4,row_direction=forward");
    pp_tree t;
    assert_failed_with(pp_route_tree(&t, f, PP_ROUTING_SHORTEST, 2, (const uint32_t[]){3, 0}, 2), PP_EINFEASIBLE,
                       "no way from r0c2 to r0c0");
    assert_null(t.edge);
    pp_fabric_free(f);
}

int main(void)
{
    const struct CMUnitTest topology_tree[] = {
        cmocka_unit_test(test_shared_ways),
        cmocka_unit_test(test_5pp_branches),
        cmocka_unit_test(test_random_trees),
        cmocka_unit_test(test_unreachable),
    };
    return cmocka_run_group_tests(topology_tree, NULL, NULL);
}
