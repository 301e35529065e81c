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

/* ---- Distances by formula ---- */

static double mean_of(const char *text)
{
    pp_fabric *f = build(text);
    pp_fabric_metrics m;
    assert_int_equal(pp_fabric_measure(f, &m), PP_OK);
    pp_fabric_free(f);
    return m.mean_distance;
}

static void assert_mean(const char *text, double expected)
{
    const double found = mean_of(text);
    if (fabs(found - expected) > 1e-12 * expected)
        fail_msg("%s: mean distance %.15g, expected %.15g", text, found, expected);
}

static void test_mean_distances(void **state)
{
    (void)state;
    assert_mean("hypercube:cores=64", 6.0 * 32 / 63); /* each bit differs in half of the pairs */
    /* A line of 4: mean 5/4 over all pairs of positions; 16 routers x 4 cores. */
    assert_mean("cmesh:rows=4,cols=4,nodes=4", 2 * 1.25 * 64 / 63);
    assert_mean("flatfly:rows=4,cols=4,nodes=4", 2 * 0.75 * 64 / 63);
    /* Of the 63 others 3 hang at the same switch, 12 at 2 hops, 48 at 4. */
    assert_mean("fattree:arity=4,levels=3", (12 * 2 + 48 * 4) / 63.0);
    assert_mean("tree:arity=4,levels=3", (12 * 2 + 48 * 4) / 63.0);
    assert_mean("htree:levels=4", (2 * 2 + 4 * 4 + 8 * 6) / 15.0);
    assert_mean("star:cores=9", 2.0);
    assert_mean("full:cores=9", 1.0);
    /* K_5 x path of 8: 4/5 + 21/8 over all pairs. */
    assert_mean("k5prism:cols=8", (0.8 + 2.625) * 40 / 39);
    assert_mean("mesh3d:rows=4,cols=4,planes=4", 3 * 1.25 * 64 / 63);
    assert_mean("torus3d:rows=4,cols=4,planes=4", 3 * 64.0 / 63);
    /* Kautz: of 36 - 1 others, 3 at one hop, 9 at two, 27 at three, less those met before. */
    assert_true(mean_of("kautz:degree=3,diameter=3") < 3.0);
}

/* ---- Node places as in the flit simulator whose curves we compare with ---- */

static void test_node_places(void **state)
{
    (void)state;
    pp_fabric *f = build("cmesh:rows=4,cols=4,nodes=4");
    for (uint32_t n = 0; n < 64; n++) {
        const uint32_t x = n % 8, y = n / 8;
        const pp_vertex *at = &f->vertex[f->core_switch[n]];
        assert_int_equal(f->vertex[f->core_vertex[n]].coord[0], y);
        assert_int_equal(f->vertex[f->core_vertex[n]].coord[1], x);
        assert_int_equal(at->coord[0], y / 2);
        assert_int_equal(at->coord[1], x / 2);
        assert_int_equal(f->core_switch[n], 64 + y / 2 * 4 + x / 2);
        const pp_channel *inject = &f->channel[f->inject[n]], *eject = &f->channel[f->eject[n]];
        assert_int_equal(inject->src, n);
        assert_int_equal(inject->dst, f->core_switch[n]);
        assert_int_equal(eject->src, f->core_switch[n]);
        assert_true(inject->length == 1.0F);
    }
    pp_fabric_free(f);
    f = build("fattree:arity=4,levels=3");
    const uint32_t leaf = 64, middle = 80, top = 96;
    for (uint32_t n = 0; n < 64; n++)
        assert_int_equal(f->core_switch[n], leaf + n / 4);
    for (uint32_t i = 0; i < 16; i++)
        for (uint32_t p = 0; p < 4; p++) {
            const uint32_t g = i / 4;
            const uint32_t *down = f->out_channel + f->out_first[middle + i], *far = f->out_channel + f->out_first[top + i];
            assert_int_equal(f->channel[down[p]].dst, leaf + 4 * g + p);
            assert_int_equal(f->channel[f->out_channel[f->out_first[leaf + 4 * g + p] + i % 4]].dst, middle + i);
            assert_int_equal(f->channel[far[p]].dst, middle + 4 * p + i % 4);
            assert_int_equal(f->channel[f->out_channel[f->out_first[middle + 4 * p + i % 4] + 4 + i / 4]].dst, top + i);
        }
    pp_fabric_free(f);
}

/* ---- Wires ---- */

static void assert_wire(const char *text, double pitches, double longest)
{
    pp_fabric *f = build(text);
    pp_fabric_metrics m;
    assert_int_equal(pp_fabric_measure(f, &m), PP_OK);
    if (fabs(m.wire_pitches - pitches) > 1e-6 || fabs(m.longest_pitches - longest) > 1e-6)
        fail_msg("%s: %g pitches, longest %g", text, m.wire_pitches, m.longest_pitches);
    pp_fabric_free(f);
}

static void test_wires(void **state)
{
    (void)state;
    assert_wire("cmesh:rows=4,cols=4,nodes=4", 48 * 2, 2);
    assert_wire("flatfly:rows=4,cols=4,nodes=4", 8 * 2 * (3 * 2 + 2 * 4 + 1 * 6), 6);
    assert_wire("hypercube:cores=16", 16 * (1 + 2 + 1 + 2), 2);
    assert_wire("k5prism:rows=5,cols=2", 2 * 5 + 2 * 2 * (4 + 2 * 3 + 3 * 2 + 4), 4);
    /* 4 leaf switches, each 1 + 1 pitches from the middle of the 4 x 4 cores. */
    assert_wire("tree:arity=4,levels=2", 4 * 2 * 2, 2);
    assert_wire("fattree:arity=4,levels=2", 16 * 2 * 2, 2);
    assert_wire("htree:levels=3", 2 * (4 * 0.5 + 2 * 1), 1);
    assert_wire("torus3d:rows=4,cols=4,planes=4", 2 * 64 * (2 + 2) + 64 * (4 + 4), 4);
    assert_wire("hex:rows=2,cols=5", 22, 1);
    assert_wire("tri:rows=2,cols=2", 2 * 2 + 6 * 1.5, 1.5);
    assert_wire("star:cores=4", 8 * 1, 1);
}

static void test_taper(void **state)
{
    (void)state;
    pp_fabric *f = build("tree:arity=4,levels=4,taper=2");
    for (uint32_t c = 0; c < f->n_network; c++) {
        const pp_channel *ch = &f->channel[c];
        const int32_t a = f->vertex[ch->src].coord[0], b = f->vertex[ch->dst].coord[0];
        assert_int_equal(ch->lanes, 1U << (a > b ? a : b));
    }
    pp_fabric_metrics m;
    assert_int_equal(pp_fabric_measure(f, &m), PP_OK);
    assert_int_equal(m.bisection_channels, 4);
    assert_true(m.bisection_gbps == 4 * 8 * 5.0);
    pp_fabric_free(f);
}

/* ---- Ports ---- */

static void test_ports_per_link(void **state)
{
    (void)state;
    bench b = bench_new();
    b.options.local_ports = "per_link";
    pp_fabric *f = bench_build(&b, "cmesh:rows=4,cols=4,nodes=4");
    assert_int_equal(f->ports, 4 + 3); /* links of an inner router, and the cores beside */
    assert_int_equal(f->n_channels, 48 + 64 * 14);
    pp_fabric_free(f);
    f = bench_build(&b, "tree:arity=4,levels=2");
    assert_int_equal(f->ports, 1 + 3);
    pp_fabric_free(f);
    f = bench_build(&b, "hypercube:cores=16");
    assert_int_equal(f->ports, 0);
    pp_fabric_free(f);
    pp_fabric *none = NULL;
    assert_int_equal(pp_fabric_parse(&b.options, b.arena, "flatfly:rows=32,cols=40,nodes=4"), PP_OK);
    assert_failed_with(pp_fabric_build(&none, &b.options), PP_ERANGE, "a port for each of 73 links; at most 64");
    bench_free(&b);
}

/* ---- Sizes that fit ---- */

static void assert_fit(const char *kind, uint32_t cores, const char *name)
{
    bench b = bench_new();
    pp_fabric *f = NULL;
    b.options.kind = kind;
    if (pp_fabric_fit(&b.options, cores) != PP_OK || pp_fabric_build(&f, &b.options) != PP_OK)
        fail_msg("%s for %u: %s", kind, cores, pp_error_text());
    assert_string_equal(f->name, name);
    assert_true(f->n_cores >= cores);
    pp_fabric_free(f);
    bench_free(&b);
}

static void test_fit(void **state)
{
    (void)state;
    assert_fit("cmesh", 34, "cmesh:rows=3,cols=3,nodes=4");
    assert_fit("cmesh:nodes=2", 34, "cmesh:rows=4,cols=5,nodes=2");
    assert_fit("flatfly", 65, "flatfly:rows=4,cols=5,nodes=4");
    assert_fit("hypercube", 34, "hypercube:cores=64");
    assert_fit("hypercube", 1, "hypercube:cores=1");
    assert_fit("htree", 34, "htree:levels=6");
    assert_fit("fattree", 65, "fattree:arity=4,levels=4");
    assert_fit("fattree:arity=6", 36, "fattree:arity=6,levels=2");
    assert_fit("tree:taper=2", 16, "tree:arity=4,levels=2,taper=2");
    assert_fit("k5prism", 34, "k5prism:rows=5,cols=7");
    assert_fit("k5prism:rows=3", 34, "k5prism:rows=3,cols=12");
    assert_fit("dragonfly", 34, "dragonfly:nodes=2,routers=4,global=2,groups=5");
    assert_fit("express", 36, "express:rows=6,cols=6,interval=4");
    assert_fit("mesh3d", 34, "mesh3d:rows=3,cols=4,planes=3");
    assert_fit("torus3d:planes=2", 34, "torus3d:rows=4,cols=5,planes=2");
    assert_fit("kautz", 37, "kautz:degree=3,diameter=4");
    assert_fit("star", 5, "star:cores=5");
    assert_fit("full", 5, "full:cores=5");
    assert_fit("hex", 34, "hex:rows=5,cols=7");
    assert_fit("tri", 34, "tri:rows=5,cols=7");
}

/* ---- What is refused ---- */

static void refuse(const char *text, pp_status status, const char *part)
{
    bench b = bench_new();
    pp_fabric *f = NULL;
    pp_status found = pp_fabric_parse(&b.options, b.arena, text);
    if (found == PP_OK)
        found = pp_fabric_build(&f, &b.options);
    if (found != status || !strstr(pp_error_text(), part))
        fail_msg("%s: %s", text, pp_error_text());
    assert_null(strchr(pp_error_text(), '\n'));
    assert_null(f);
    bench_free(&b);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("hypercube:cores=48", PP_EINVAL, "cores: expected a power of 2, found 48");
    refuse("hypercube", PP_EINVAL, "no size given; expected hypercube:cores=N");
    refuse("hypercube:cores=1000000000", PP_ERANGE, "cores: expected an integer from 1 to 4194304");
    refuse("cmesh:rows=0,cols=4", PP_ERANGE, "rows: expected an integer from 1");
    refuse("cmesh:rows=4,cols=4,nodes=0", PP_ERANGE, "nodes: expected an integer from 1 to 4096, found 0");
    refuse("cmesh:rows=4,cols=4,express=2", PP_ERANGE, "express: expected an integer from 0 to 1, found 2");
    refuse("cmesh:rows=4000000,cols=4000000", PP_ERANGE, "more than the 4194304 vertices");
    refuse("flatfly:rows=1024,cols=1024,nodes=4096", PP_ERANGE, "more than the 4194304 vertices");
    refuse("fattree:arity=1,levels=3", PP_ERANGE, "arity: expected an integer from 2 to 4096, found 1");
    refuse("fattree:arity=4096,levels=22", PP_ERANGE, "more than the 4194304 vertices");
    refuse("tree:arity=4", PP_EINVAL, "expected tree:arity=K,levels=L");
    refuse("tree:arity=2,levels=20,taper=4096", PP_ERANGE, "taper: too many lanes at the root");
    refuse("htree:levels=23", PP_ERANGE, "levels: expected an integer from 1 to 22");
    refuse("htree:arity=2", PP_EINVAL, "unknown key arity");
    refuse("k5prism:rows=5,cols=0", PP_ERANGE, "cols: expected an integer from 1");
    refuse("dragonfly:nodes=2,groups=10", PP_ERANGE, "groups: expected an integer from 1 to 9, found 10");
    refuse("dragonfly", PP_EINVAL, "no size given");
    refuse("mesh3d:rows=2,cols=2", PP_EINVAL, "expected mesh3d:rows=R,cols=C,planes=P");
    refuse("torus3d:rows=4000,cols=4000,planes=4000", PP_ERANGE, "more than the 4194304 vertices");
    refuse("kautz:degree=4096,diameter=3", PP_ERANGE, "more than the 4194304 vertices");
    refuse("kautz:degree=3", PP_EINVAL, "no size given");
    refuse("full:cores=8193", PP_ERANGE, "cores: expected an integer from 1 to 8192");
    refuse("star:cores=0", PP_ERANGE, "cores: expected an integer from 1");
    refuse("hex:rows=3,cols=1", PP_EINVAL, "needs at least 2 columns");
    refuse("express:rows=3,cols=3,interval=65", PP_ERANGE, "interval: expected an integer from 1 to 64");
    refuse("tri:rows=3", PP_EINVAL, "no size given");
}

static void refuse_fit(const char *kind, uint32_t cores, const char *part)
{
    bench b = bench_new();
    b.options.kind = kind;
    assert_failed_with(pp_fabric_fit(&b.options, cores), PP_EINFEASIBLE, part);
    bench_free(&b);
}

static void test_too_small(void **state)
{
    (void)state;
    refuse_fit("cmesh:rows=2,cols=2", 17, "have 16 cores, 17 are needed");
    refuse_fit("hypercube:cores=16", 17, "have 16 cores");
    refuse_fit("fattree:levels=2", 17, "have 16 cores");
    refuse_fit("k5prism:cols=3", 16, "have 15 cores");
    refuse_fit("dragonfly:nodes=1", 7, "have 6 cores");
    refuse_fit("star:cores=3", 4, "have 3 cores");
    refuse_fit("kautz:diameter=1", 5, "have 4 cores");
    refuse_fit("mesh3d:rows=2,cols=2,planes=2", 9, "have 8 cores");
}

/* ---- Bisection against all halves of the switches ---- */

static void assert_bisection(const char *text)
{
    pp_fabric *f = build(text);
    pp_fabric_metrics m;
    uint32_t best = UINT32_MAX, n = f->n_vertices, cores[32] = {0}, most = 0;
    assert_int_equal(pp_fabric_measure(f, &m), PP_OK);
    const uint32_t first = f->core_switch[0] == f->core_vertex[0] ? 0 : f->n_cores;
    n -= first;
    assert_true(n <= 20);
    for (uint32_t i = 0; i < f->n_cores; i++)
        cores[f->core_switch[i] - first]++;
    for (uint32_t v = 0; v < n; v++)
        most = cores[v] > most ? cores[v] : most;
    for (uint32_t set = 0; set < UINT32_C(1) << n; set++) {
        uint32_t size = 0, cut = 0;
        for (uint32_t v = 0; v < n; v++)
            size += set >> v & 1U ? cores[v] : 0;
        const uint32_t other = f->n_cores - size;
        if ((size > other ? size - other : other - size) >= 2 * most)
            continue; /* could be more even */
        for (uint32_t c = 0; c < f->n_network; c++)
            cut += (set >> (f->channel[c].src - first) & 1U) != (set >> (f->channel[c].dst - first) & 1U);
        const bool even = size > other ? size - other <= most : other - size <= most;
        best = even && cut < best ? cut : best;
    }
    if (m.bisection_exact ? m.bisection_channels != best : m.bisection_channels < best)
        fail_msg("%s: bisection %u%s, brute force finds %u", text, m.bisection_channels,
                 m.bisection_exact ? "" : " (not claimed)", best);
    pp_fabric_free(f);
}

static void test_bisections(void **state)
{
    (void)state;
    assert_bisection("cmesh:rows=4,cols=3,nodes=2");
    assert_bisection("cmesh:rows=3,cols=3,nodes=2");
    assert_bisection("cmesh:rows=4,cols=4,nodes=1,express=1");
    assert_bisection("flatfly:rows=3,cols=4,nodes=2");
    assert_bisection("flatfly:rows=3,cols=3,nodes=2");
    assert_bisection("flatfly:rows=2,cols=7,nodes=1");
    assert_bisection("flatfly:rows=3,cols=5,nodes=1");
    assert_bisection("hypercube:cores=16");
    assert_bisection("htree:levels=4");
    assert_bisection("fattree:arity=2,levels=3");
    assert_bisection("fattree:arity=4,levels=2");
    assert_bisection("fattree:arity=3,levels=2");
    assert_bisection("tree:arity=3,levels=3");
    assert_bisection("tree:arity=4,levels=2");
    assert_bisection("tree:arity=5,levels=2");
    assert_bisection("k5prism:cols=2");
    assert_bisection("k5prism:rows=3,cols=6");
    assert_bisection("k5prism:rows=4,cols=3");
    assert_bisection("dragonfly:nodes=1");
    assert_bisection("mesh3d:rows=2,cols=4,planes=2");
    assert_bisection("torus3d:rows=2,cols=4,planes=2");
    assert_bisection("mesh3d:rows=3,cols=2,planes=2");
    assert_bisection("kautz:degree=2,diameter=3");
    assert_bisection("star:cores=9");
    assert_bisection("full:cores=7");
    assert_bisection("hex:rows=4,cols=4");
    assert_bisection("tri:rows=4,cols=4");
    assert_bisection("express:rows=2,cols=9");
}

/* ---- Native routes through pp_route ---- */

static void test_native_routes(void **state)
{
    (void)state;
    static const char *const kinds[] = {"cmesh:rows=3,cols=3", "fattree:arity=3,levels=3", "hypercube:cores=8",
                                        "kautz:degree=2,diameter=3", "tri:rows=3,cols=4"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        pp_fabric *f = build(kinds[i]);
        uint32_t *distance = pp_alloc(f->n_vertices, sizeof *distance), path[64];
        for (uint32_t s = 0; s < f->n_cores; s++) {
            assert_int_equal(pp_distances(f, f->core_vertex[s], distance), PP_OK);
            for (uint32_t t = 0; t < f->n_cores; t++) {
                size_t n = 99;
                assert_int_equal(pp_route(f, PP_ROUTING_NATIVE, f->core_vertex[s], f->core_vertex[t], path, 64, &n), PP_OK);
                assert_int_equal(n, distance[f->core_vertex[t]]);
                assert_int_equal(n > 0 ? f->channel[path[0]].src : f->core_switch[t], f->core_switch[s]);
                assert_int_equal(n > 0 ? f->channel[path[n - 1]].dst : f->core_switch[s], f->core_switch[t]);
            }
        }
        free(distance);
        pp_tree tree;
        const uint32_t dst[3] = {f->core_vertex[1], f->core_vertex[f->n_cores - 1], f->core_vertex[f->n_cores / 2]};
        assert_int_equal(pp_route_tree(&tree, f, PP_ROUTING_NATIVE, f->core_vertex[0], dst, 3), PP_OK);
        assert_true(tree.n > 0);
        pp_tree_free(&tree);
        pp_fabric_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest topology_kinds[] = {
        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_mean_distances), cmocka_unit_test(test_node_places),
        cmocka_unit_test(test_wires),         cmocka_unit_test(test_taper),          cmocka_unit_test(test_ports_per_link),
        cmocka_unit_test(test_fit),           cmocka_unit_test(test_refused),        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_bisections),    cmocka_unit_test(test_native_routes),
    };
    return cmocka_run_group_tests(topology_kinds, NULL, NULL);
}
