/* Routing relations: every name on every fabric that takes it is free from cycles of waiting, reaches everything,
 * and is minimal where it says so. */
#include "test_topology.h"

#include "topology/routefn.h"

static const char *const fabrics[] = {
    "5pp:rows=3,cols=6",
    "5pp:rows=1,cols=9",
    "5pp:rows=3,cols=7,reach=3",
    "5pp:rows=3,cols=6,wrap=1",
    "5pp:rows=2,cols=11,reach=3,wrap=1",
    "5pp:rows=4,cols=6,row_direction=alternate",
    "5pp:rows=4,cols=6,row_direction=alternate,wrap=1",
    "5pp:rows=3,cols=6,row_direction=forward,wrap=1",
    "5pp:rows=1,cols=2,row_direction=forward,wrap=1",
    "mesh:rows=4,cols=5",
    "torus:rows=4,cols=5",
    "torus:rows=2,cols=6",
    "ring:cores=8",
    "ring:cores=9",
    "cmesh:rows=3,cols=4,nodes=2",
    "cmesh:rows=4,cols=4,nodes=1,express=1",
    "flatfly:rows=3,cols=4,nodes=2",
    "hypercube:cores=16",
    "htree:levels=4",
    "fattree:arity=3,levels=3",
    "fattree:arity=4,levels=2",
    "tree:arity=3,levels=3",
    "k5prism:cols=4",
    "dragonfly:nodes=1",
    "dragonfly:nodes=2,routers=4,global=2,groups=3",
    "express:rows=5,cols=9",
    "mesh3d:rows=3,cols=2,planes=3",
    "torus3d:rows=3,cols=2,planes=4",
    "kautz:degree=2,diameter=3",
    "kautz:degree=3,diameter=2",
    "star:cores=7",
    "full:cores=7",
    "hex:rows=4,cols=5",
    "hex:rows=1,cols=4",
    "tri:rows=4,cols=5",
};
#define N_FABRICS (sizeof fabrics / sizeof fabrics[0])

static pp_routefn *relation(const pp_fabric *f, const char *name)
{
    pp_routefn *fn = NULL;
    if (pp_routefn_new(&fn, f, name) != PP_OK)
        fail_msg("%s: %s", f->name, pp_error_text());
    return fn;
}

/* Length of the cycle found; it must be one. */
static uint32_t cycle_length(const pp_routefn *fn, const pp_fabric *f, bool one_class)
{
    pp_route_state *cycle = NULL;
    uint32_t n = 99;
    if (pp_routefn_check(fn, one_class, &cycle, &n) != PP_OK)
        fail_msg("%s", pp_error_text());
    for (uint32_t i = 0; !pp_routefn_about(fn)->has_escape && i < n; i++)
        assert_int_equal(f->channel[cycle[i].channel].dst, f->channel[cycle[(i + 1) % n].channel].src);
    free(cycle);
    return n;
}

/* One packet by pseudo-random choices; hops taken. */
static uint32_t travel(const pp_routefn *fn, const pp_fabric *f, uint32_t src, uint32_t dst, uint64_t random)
{
    const pp_routefn_info *info = pp_routefn_about(fn);
    pp_route_head h = {.at = src, .channel = PP_NO_CHANNEL, .src = src, .dst = dst};
    pp_hop hop[64];
    uint32_t hops = 0, n = 0;
    assert_true(info->max_hops <= 64);
    h.mid = pp_routefn_mid(fn, src, dst, random);
    while ((n = pp_routefn_next(fn, &h, hop)) > 0) {
        assert_true(n <= info->max_hops);
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
        const pp_hop *taken = &hop[(random >> 33) % n];
        assert_true(taken->channel < f->n_network);
        assert_int_equal(f->channel[taken->channel].src, h.at);
        assert_true(taken->classes != 0 && (uint64_t)taken->classes < UINT64_C(1) << info->classes);
        uint32_t k = 0;
        while (!(taken->classes >> k & 1U))
            k++;
        pp_route_take(fn, &h, taken->channel, k);
        assert_true(++hops < 4 * f->n_vertices);
    }
    if (h.at != dst)
        fail_msg("%s: %s from %u to %u ends at %u", f->name, info->name, src, dst, h.at);
    return hops;
}

static void check_ways(const pp_routefn *fn, const pp_fabric *f)
{
    const pp_routefn_info *info = pp_routefn_about(fn);
    uint32_t *distance = pp_alloc(f->n_vertices, sizeof *distance);
    for (uint32_t s = 0; s < f->n_cores; s++) {
        assert_int_equal(pp_distances(f, f->core_switch[s], distance), PP_OK);
        for (uint32_t t = 0; t < f->n_cores; t++)
            for (uint64_t random = 1; random < (info->select == PP_SELECT_FIRST && !info->two_phase ? 2 : 5); random++) {
                const uint32_t u = f->core_switch[s], v = f->core_switch[t];
                const uint32_t hops = travel(fn, f, u, v, random * UINT64_C(0x9e3779b97f4a7c15));
                if (hops < distance[v] || (info->minimal && hops != distance[v]))
                    fail_msg("%s: %s from %u to %u takes %u hops, %u would do", f->name, info->name, u, v, hops,
                             distance[v]);
            }
    }
    free(distance);
}

static void test_every_pair(void **state)
{
    (void)state;
    size_t pairs = 0;
    for (size_t i = 0; i < N_FABRICS; i++) {
        pp_fabric *f = build(fabrics[i]);
        const char *name = "auto";
        for (size_t k = 0; name; name = pp_routefn_name(k++)) {
            pp_routefn *fn = NULL;
            if (pp_routefn_new(&fn, f, name) != PP_OK)
                continue;
            if (pp_routefn_connected(fn) != PP_OK) {
                pp_routefn_free(fn);
                continue;
            }
            const uint32_t n = cycle_length(fn, f, false);
            if (n != 0)
                fail_msg("%s: %s has a cycle of %u", f->name, name, n);
            check_ways(fn, f);
            pairs++;
            pp_routefn_free(fn);
        }
        pp_fabric_free(f);
    }
    assert_true(pairs > 150);
}

/* Names that must fit, with their classes. */
static void fits(const char *fabric, const char *name, uint32_t classes)
{
    pp_fabric *f = build(fabric);
    pp_routefn *fn = relation(f, name);
    assert_int_equal(pp_routefn_connected(fn), PP_OK);
    assert_int_equal(pp_routefn_about(fn)->classes, classes);
    pp_routefn_free(fn);
    pp_fabric_free(f);
}

static void test_what_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_FABRICS; i++) {
        pp_fabric *f = build(fabrics[i]);
        pp_routefn *fn = relation(f, "auto");
        assert_int_equal(pp_routefn_connected(fn), PP_OK);
        pp_routefn_free(fn);
        fn = relation(f, "shortest");
        assert_true(pp_routefn_about(fn)->minimal);
        assert_int_equal(pp_routefn_connected(fn), PP_OK);
        pp_routefn_free(fn);
        pp_fabric_free(f);
    }
    fits("mesh:rows=4,cols=5", "xy", 1);
    fits("mesh:rows=4,cols=5", "odd_even", 1);
    fits("mesh:rows=4,cols=5", "west_first", 1);
    fits("mesh:rows=4,cols=5", "adaptive", 2);
    fits("mesh:rows=4,cols=5", "valiant", 2);
    fits("mesh:rows=4,cols=5", "romm", 2);
    fits("torus:rows=4,cols=5", "xy", 2);
    fits("torus:rows=4,cols=5", "adaptive", 3);
    fits("torus:rows=4,cols=5", "valiant", 4);
    fits("ring:cores=16", "shortest", 2);
    fits("cmesh:rows=4,cols=4,nodes=4", "xy", 1);
    fits("flatfly:rows=4,cols=4,nodes=4", "xy", 1);
    fits("flatfly:rows=4,cols=4,nodes=4", "adaptive", 2);
    fits("fattree:arity=4,levels=3", "nca", 1);
    fits("fattree:arity=4,levels=3", "dmodk", 1);
    fits("tree:arity=4,levels=3", "nca", 1);
    fits("5pp:rows=8,cols=8", "xy", 1);
    fits("5pp:rows=4,cols=6", "west_first", 1);
    fits("5pp:rows=4,cols=6", "updown", 1);
    fits("dragonfly:nodes=2", "minimal", 2);
    fits("dragonfly:nodes=1", "valiant", 4);
    fits("kautz:degree=3,diameter=3", "minimal", 2);
}

/* Without its classes the relation has a cycle of n. */
static void cycle_without_classes(const char *fabric, const char *name, uint32_t n)
{
    pp_fabric *f = build(fabric);
    pp_routefn *fn = relation(f, name);
    assert_int_equal(cycle_length(fn, f, false), 0);
    const uint32_t found = cycle_length(fn, f, true);
    if (n > 0 ? found != n : found < 2)
        fail_msg("%s: %s: cycle of %u", fabric, name, found);
    pp_routefn_free(fn);
    pp_fabric_free(f);
}

/* The classes are needed: the check finds what happens without them. */
static void test_cycles_without_classes(void **state)
{
    (void)state;
    cycle_without_classes("torus:rows=4,cols=4", "xy", 4);
    cycle_without_classes("ring:cores=8", "shortest", 8);
    cycle_without_classes("torus3d:rows=4,cols=2,planes=2", "xy", 4);
    cycle_without_classes("mesh:rows=3,cols=3", "valiant", 0);
    cycle_without_classes("mesh:rows=3,cols=3", "romm", 0);
    cycle_without_classes("dragonfly:nodes=2", "minimal", 0);
    cycle_without_classes("kautz:degree=2,diameter=3", "minimal", 0);
    cycle_without_classes("hex:rows=4,cols=5", "minimal", 0);
    cycle_without_classes("5pp:rows=4,cols=6,row_direction=alternate", "minimal", 0);
    pp_fabric *f = build("mesh:rows=3,cols=3");
    pp_routefn *fn = relation(f, "adaptive");
    pp_route_state *cycle = NULL;
    uint32_t n = 0;
    assert_failed_with(pp_routefn_check(fn, true, &cycle, &n), PP_EINVAL, "has escapes");
    pp_routefn_free(fn);
    pp_fabric_free(f);
}

/* ---- Rules stated for tori: class on entering a dimension, kept inside it; ties go both ways ---- */

static void test_torus_classes(void **state)
{
    (void)state;
    pp_fabric *f = build("torus:rows=8,cols=8");
    pp_routefn *fn = relation(f, "xy");
    assert_int_equal(pp_routefn_about(fn)->select, PP_SELECT_RANDOM);
    for (uint32_t s = 0; s < 64; s++)
        for (uint32_t t = 0; t < 64; t++) {
            pp_route_head h = {.at = s, .channel = PP_NO_CHANNEL, .src = s, .dst = t};
            pp_hop hop[2];
            uint32_t n = 0;
            int was = -1, wanted = 0; /* dimension of the last hop, class in it */
            while ((n = pp_routefn_next(fn, &h, hop)) > 0) {
                const uint32_t x = h.at % 8, y = h.at / 8, to_x = t % 8, to_y = t / 8;
                const int dim = x == to_x;
                const uint32_t from = dim ? y : x, to = dim ? to_y : to_x, up = (to + 8 - from) % 8;
                if (dim != was)
                    wanted = to < from;
                was = dim;
                assert_int_equal(n, up == 4 ? 2 : 1);
                for (uint32_t i = 0; i < n; i++) {
                    const uint32_t next = f->channel[hop[i].channel].dst, at = dim ? next / 8 : next % 8;
                    assert_int_equal(hop[i].classes, 1U << wanted);
                    assert_int_equal(at, (i == 0 && up <= 4) ? (from + 1) % 8 : (from + 7) % 8);
                }
                pp_route_take(fn, &h, hop[n - 1].channel, (uint32_t)wanted);
            }
            assert_int_equal(h.at, t);
        }
    pp_routefn_free(fn);
    pp_fabric_free(f);
}

/* Up ports of a fat tree are all candidates; of the whole way, 3 levels up give 4 x 4 choices. */
static void test_fattree_choices(void **state)
{
    (void)state;
    pp_fabric *f = build("fattree:arity=4,levels=3");
    pp_routefn *fn = relation(f, "nca");
    pp_hop hop[4];
    pp_route_head h = {.at = f->core_switch[0], .channel = PP_NO_CHANNEL, .dst = f->core_switch[63]};
    assert_int_equal(pp_routefn_next(fn, &h, hop), 4);
    pp_route_take(fn, &h, hop[2].channel, 0);
    assert_int_equal(pp_routefn_next(fn, &h, hop), 4);
    pp_route_take(fn, &h, hop[1].channel, 0);
    assert_int_equal(pp_routefn_next(fn, &h, hop), 1);
    h.dst = f->core_switch[3]; /* a core below the same leaf as the first */
    h.at = f->core_switch[0];
    assert_int_equal(pp_routefn_next(fn, &h, hop), 0);
    pp_routefn_free(fn);
    pp_fabric_free(f);
}

/* Intermediate vertices: anywhere, or inside the box. */
static void test_intermediates(void **state)
{
    (void)state;
    pp_fabric *f = build("cmesh:rows=4,cols=4,nodes=4");
    pp_routefn *any = relation(f, "valiant"), *box = relation(f, "romm"), *plain = relation(f, "xy");
    bool seen[16] = {false};
    for (uint64_t i = 0; i < 2000; i++) {
        const uint64_t random = i * UINT64_C(0x9e3779b97f4a7c15) + 12345;
        const uint32_t src = f->core_switch[0], dst = f->core_switch[27]; /* routers (0, 0) and (1, 1) */
        const uint32_t mid = pp_routefn_mid(any, src, dst, random), near = pp_routefn_mid(box, src, dst, random);
        assert_true(mid >= 64 && mid < 80);
        seen[mid - 64] = true;
        assert_true(f->vertex[near].coord[0] <= 1 && f->vertex[near].coord[1] <= 1);
        assert_int_equal(pp_routefn_mid(plain, src, dst, random), PP_NO_VERTEX);
    }
    for (int i = 0; i < 16; i++)
        assert_true(seen[i]);
    pp_routefn_free(any);
    pp_routefn_free(box);
    pp_routefn_free(plain);
    pp_fabric_free(f);
}

/* Graphs without a rule: one way only, or in two parts. */
static void test_files(void **state)
{
    (void)state;
    pp_fabric *f = build("tri:rows=3,cols=4"), *back = NULL;
    assert_int_equal(pp_fabric_write_graphml(f, "tri.graphml", true), PP_OK);
    pp_fabric_free(f);
    back = build("file:tri.graphml");
    for (int i = 0; i < 2; i++) {
        pp_routefn *fn = relation(back, i == 0 ? "auto" : "updown");
        assert_int_equal(pp_routefn_connected(fn), PP_OK);
        assert_int_equal(cycle_length(fn, back, false), 0);
        check_ways(fn, back);
        pp_routefn_free(fn);
    }
    pp_fabric_free(back);
    f = build("5pp:rows=1,cols=5,row_direction=forward");
    pp_routefn *fn = relation(f, "shortest");
    assert_failed_with(pp_routefn_connected(fn), PP_EINFEASIBLE, "no way from r0c1 to r0c0 by shortest routing");
    assert_int_equal(cycle_length(fn, f, false), 0);
    pp_routefn_free(fn);
    pp_fabric_free(f);
}

static void refuse(const char *fabric, const char *name, pp_status status, const char *part)
{
    pp_fabric *f = build(fabric);
    pp_routefn *fn = (pp_routefn *)f;
    assert_failed_with(pp_routefn_new(&fn, f, name), status, part);
    assert_null(fn);
    pp_fabric_free(f);
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    refuse("mesh:rows=4,cols=5", "xz", PP_EINVAL, "did you mean");
    refuse("mesh:rows=4,cols=5", "balanced", PP_EINVAL, "routing balanced: unknown");
    refuse("torus:rows=4,cols=5", "odd_even", PP_EINVAL, "odd_even does not fit fabric torus");
    refuse("kautz:degree=2,diameter=3", "xy", PP_EINVAL, "does not fit");
    refuse("mesh:rows=4,cols=5", "nca", PP_EINVAL, "does not fit");
    refuse("5pp:rows=3,cols=6,row_direction=forward,wrap=1", "adaptive", PP_EINVAL, "does not fit");
    refuse("mesh:rows=128,cols=128", "updown", PP_EUNSUPPORTED, "at most 8192");
}

/* ---- Every allocation in turn fails ---- */

static pp_status everything(const pp_fabric_options *options, const char *routing)
{
    pp_fabric *f = NULL;
    pp_routefn *fn = NULL;
    pp_route_state *cycle = NULL;
    pp_fabric_metrics m;
    uint32_t n_cycle = 0, path[32];
    size_t n = 0;
    pp_status status = pp_fabric_build(&f, options);
    if (status == PP_OK)
        status = pp_routefn_new(&fn, f, routing);
    if (status == PP_OK)
        status = pp_routefn_check(fn, false, &cycle, &n_cycle);
    if (status == PP_OK)
        status = pp_routefn_path(fn, 0, 1, path, 32, &n);
    if (status == PP_OK)
        status = pp_routefn_connected(fn);
    if (status == PP_OK)
        status = pp_fabric_measure(f, &m);
    if (status == PP_OK)
        status = pp_fabric_write_svg(f, "memory.svg", true);
    free(cycle);
    pp_routefn_free(fn);
    pp_fabric_free(f);
    return status;
}

static void fail_each(const char *fabric, const char *routing)
{
    bench b = bench_new();
    b.options.kind = fabric;
    b.options.local_ports = "per_link";
    pp_status status = PP_ENOMEM;
    long n = 0;
    for (; status != PP_OK && n < 4000; n++) {
        pp_alloc_fail_after(n);
        status = everything(&b.options, routing);
        pp_alloc_fail_after(-1);
        if (status != PP_OK && status != PP_ENOMEM)
            fail_msg("%s: allocation %ld: %s", fabric, n, pp_error_text());
    }
    assert_true(n > 20 && n < 4000);
    bench_free(&b);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    fail_each("cmesh:rows=2,cols=2,nodes=2", "adaptive");
    fail_each("tree:arity=2,levels=3", "updown");
    fail_each("dragonfly:nodes=1,groups=2", "valiant");
    fail_each("kautz:degree=2,diameter=2", "shortest");
    fail_each("express:rows=1,cols=5,interval=2", "shortest");
}

int main(void)
{
    const struct CMUnitTest topology_routefn[] = {
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_what_fits),
        cmocka_unit_test(test_cycles_without_classes),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_torus_classes),
        cmocka_unit_test(test_fattree_choices),
        cmocka_unit_test(test_intermediates),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(topology_routefn, NULL, NULL);
}
