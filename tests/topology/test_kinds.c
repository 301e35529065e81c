/* Every kind: sizes, channels, distances by formula, and what is refused. */
#include "test_topology.h"

#include <math.h>

/* Vertices, cores, channels, diameter of a FABRIC. Counts come from the definitions. */
static void assert_size(const char *text, uint32_t cores, uint32_t vertices, uint32_t channels, uint32_t diameter)
{
    pp_fabric *f = build(text);
    pp_fabric_metrics m;
    assert_int_equal(pp_fabric_measure(f, &m), PP_OK);
    if (m.cores != cores || f->n_vertices != vertices || m.channels != channels || m.diameter != diameter)
        fail_msg("%s: %u cores, %u vertices, %u channels, diameter %u", text, m.cores, f->n_vertices, m.channels,
                 m.diameter);
    assert_int_equal(m.unreachable, 0);
    pp_fabric_free(f);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_size("cmesh:rows=4,cols=4,nodes=4", 64, 80, 48, 6);
    assert_size("cmesh:rows=4,cols=6,nodes=4,express=1", 96, 120, 2 * (4 * 5 + 6 * 3) + 4 * (3 + 2), 5);
    assert_size("flatfly:rows=4,cols=4,nodes=4", 64, 80, 4 * 4 * 6, 2);
    assert_size("hypercube:cores=64", 64, 64, 384, 6);
    assert_size("htree:levels=6", 64, 127, 2 * 62, 10);
    assert_size("fattree:arity=4,levels=3", 64, 64 + 48, 2 * 128, 4);
    assert_size("tree:arity=4,levels=3", 64, 64 + 21, 2 * 20, 4);
    assert_size("tree:arity=3,levels=2", 9, 9 + 4, 6, 2);
    assert_size("k5prism:cols=8", 40, 40, 2 * (5 * 7 + 8 * 10), 8);
    assert_size("k5prism:rows=3,cols=4", 12, 12, 2 * (3 * 3 + 4 * 3), 4);
    assert_size("dragonfly:nodes=2", 72, 108, 9 * 4 * 3 + 9 * 8, 3);
    assert_size("dragonfly:nodes=2,groups=5", 40, 60, 5 * 4 * 3 + 5 * 8, 3);
    assert_size("express:rows=8,cols=8", 64, 64, 224 + 2 * 8 * 2, 10);
    assert_size("mesh3d:rows=3,cols=4,planes=2", 24, 24, 2 * (3 * 3 * 2 + 2 * 4 * 2 + 12), 6);
    assert_size("torus3d:rows=3,cols=4,planes=2", 24, 24, 24 * 4 + 24, 4);
    assert_size("kautz:degree=3,diameter=3", 36, 36, 108, 3);
    assert_size("kautz:degree=2,diameter=4", 24, 24, 48, 4);
    assert_size("star:cores=16", 16, 17, 32, 2);
    assert_size("full:cores=16", 16, 16, 240, 1);
    assert_size("hex:rows=2,cols=5", 10, 10, 2 * (8 + 3), 5);
    assert_size("tri:rows=3,cols=4", 12, 12, 2 * (9 + 8 + 6), 4);
}

int main(void)
{
    const struct CMUnitTest topology_kinds[] = {
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(topology_kinds, NULL, NULL);
}
