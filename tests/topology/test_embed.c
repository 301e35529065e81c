/* The table "Embedding tests" of the published facts on 5PP: which guest graphs have a monomorphism. */
#include "test_topology.h"

#define MAX_EDGES 32

typedef struct guest {
    uint32_t n, n_edges, from[MAX_EDGES], to[MAX_EDGES];
} guest;

static guest make_guest(uint32_t n, uint32_t n_edges, const uint32_t edge[][2])
{
    guest g = {.n = n, .n_edges = n_edges};
    for (uint32_t e = 0; e < n_edges; e++) {
        g.from[e] = edge[e][0];
        g.to[e] = edge[e][1];
    }
    return g;
}

static guest chain(uint32_t n)
{
    guest g = {.n = n, .n_edges = n - 1};
    for (uint32_t e = 0; e + 1 < n; e++) {
        g.from[e] = e;
        g.to[e] = e + 1;
    }
    return g;
}

/* Residual blocks u -> a -> b with u -> b; b is the next block's u. */
static guest basic_blocks(uint32_t blocks)
{
    guest g = {.n = 2 * blocks + 1, .n_edges = 3 * blocks};
    for (uint32_t k = 0; k < blocks; k++) {
        const uint32_t u = 2 * k, e = 3 * k;
        g.from[e] = u, g.to[e] = u + 1;
        g.from[e + 1] = u + 1, g.to[e + 1] = u + 2;
        g.from[e + 2] = u, g.to[e + 2] = u + 2;
    }
    return g;
}

/* Whether the guest embeds; a positive answer is checked edge by edge. */
static bool embeds(const guest *g, const char *fabric)
{
    pp_fabric *f = build(fabric);
    uint32_t core[MAX_EDGES];
    bool found = false, exhausted = false;
    assert_int_equal(pp_graph_embed(f, g->n, g->from, g->to, g->n_edges, NULL, NULL, 60.0, &found, &exhausted, core),
                     PP_OK);
    assert_true(exhausted);
    for (uint32_t e = 0; found && e < g->n_edges; e++)
        assert_int_equal(channels_between(f, f->core_vertex[core[g->from[e]]], f->core_vertex[core[g->to[e]]]), 1);
    for (uint32_t u = 0; found && u < g->n; u++)
        for (uint32_t v = 0; v < u; v++)
            assert_int_not_equal(core[u], core[v]);
    pp_fabric_free(f);
    return found;
}

#define MESH "mesh:rows=8,cols=8"
#define BOTH "5pp:rows=8,cols=8"
#define FORWARD "5pp:rows=8,cols=8,row_direction=forward"

static void assert_row(guest g, bool mesh, bool both, bool forward)
{
    assert_int_equal(embeds(&g, MESH), mesh);
    assert_int_equal(embeds(&g, BOTH), both);
    assert_int_equal(embeds(&g, FORWARD), forward);
}

static void test_chain(void **state)
{
    (void)state;
    assert_row(chain(8), true, true, true);
}

static void test_basic_blocks(void **state)
{
    (void)state;
    assert_row(basic_blocks(3), false, true, true);
}

static void test_downsampling_block(void **state)
{
    (void)state;
    assert_row(make_guest(4, 4, (const uint32_t[][2]){{0, 1}, {1, 2}, {0, 3}, {3, 2}}), true, true, true);
}

static void test_bottleneck_blocks(void **state)
{
    (void)state;
    assert_row(make_guest(7, 8, (const uint32_t[][2]){{0, 1}, {1, 2}, {2, 3}, {0, 3}, {3, 4}, {4, 5}, {5, 6}, {3, 6}}),
               true, true, true);
}

/* Branches of 1, 2, 2 and 1 layers from core 0 to the concatenation core 7. */
static void test_inception_module(void **state)
{
    (void)state;
    assert_row(make_guest(8, 10,
                          (const uint32_t[][2]){{0, 1}, {1, 7}, {0, 2}, {2, 3}, {3, 7}, {0, 4}, {4, 5}, {5, 7}, {0, 6}, {6, 7}}),
               false, true, false);
}

/* A core with eight neighbours: more than any of these has. */
static void test_too_many_neighbours(void **state)
{
    (void)state;
    assert_row(make_guest(9, 8, (const uint32_t[][2]){{1, 0}, {2, 0}, {3, 0}, {4, 0}, {0, 5}, {0, 6}, {0, 7}, {0, 8}}),
               false, false, false);
}

static void test_direction_counts(void **state)
{
    (void)state;
    /* A directed triangle cannot live where rows go one way and columns have no triangles. */
    const guest g = make_guest(3, 3, (const uint32_t[][2]){{0, 1}, {1, 2}, {2, 0}});
    assert_true(embeds(&g, BOTH));
    assert_false(embeds(&g, FORWARD));
}

static void test_domains(void **state)
{
    (void)state;
    pp_fabric *f = build("5pp:rows=1,cols=6");
    const guest g = chain(3);
    const uint32_t last[] = {5}, second[] = {1, 3}, left[] = {0, 1};
    const uint32_t *domain[] = {NULL, second, last};
    uint32_t n_domain[] = {0, 2, 1}, core[3];
    bool found = false, exhausted = false;
    assert_int_equal(pp_graph_embed(f, 3, g.from, g.to, 2, domain, n_domain, 0.0, &found, &exhausted, core), PP_OK);
    assert_true(found && exhausted);
    assert_int_equal(core[2], 5);
    assert_int_equal(core[1], 3);
    domain[1] = left;
    assert_int_equal(pp_graph_embed(f, 3, g.from, g.to, 2, domain, n_domain, 0.0, &found, &exhausted, core), PP_OK);
    assert_true(!found && exhausted);
    pp_fabric_free(f);
}

static void test_edges_of_the_call(void **state)
{
    (void)state;
    pp_fabric *f = build("mesh:rows=1,cols=2");
    uint32_t core[3];
    bool found = false, exhausted = false;
    const guest g = chain(3);
    assert_int_equal(pp_graph_embed(f, 3, g.from, g.to, 2, NULL, NULL, 0.0, &found, &exhausted, core), PP_OK);
    assert_true(!found && exhausted);
    assert_int_equal(pp_graph_embed(f, 0, NULL, NULL, 0, NULL, NULL, 0.0, &found, &exhausted, core), PP_OK);
    assert_true(found && exhausted);
    const uint32_t from[] = {0, 0}, to[] = {1, 1}, loop[] = {0, 0};
    assert_int_equal(pp_graph_embed(f, 2, from, to, 2, NULL, NULL, 0.0, &found, &exhausted, core), PP_OK);
    assert_true(found);
    assert_failed_with(pp_graph_embed(f, 2, from, loop, 1, NULL, NULL, 0.0, &found, &exhausted, core), PP_EINVAL,
                       "edge 0 does not join two of the 2 vertices");
    pp_fabric_free(f);
}

int main(void)
{
    const struct CMUnitTest topology_embed[] = {
        cmocka_unit_test(test_chain),           cmocka_unit_test(test_basic_blocks),
        cmocka_unit_test(test_downsampling_block), cmocka_unit_test(test_bottleneck_blocks),
        cmocka_unit_test(test_inception_module), cmocka_unit_test(test_too_many_neighbours),
        cmocka_unit_test(test_direction_counts), cmocka_unit_test(test_domains),
        cmocka_unit_test(test_edges_of_the_call),
    };
    return cmocka_run_group_tests(topology_embed, NULL, NULL);
}
