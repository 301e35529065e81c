/* Hierarchies: ways against the whole graph walked channel by channel, trees against their ways, numbers of
 * channels, and what is refused. */
#include "test_topology.h"

#include "topology/hier.h"

static bench b;
static pp_arena *arena;

static int begin(void **state)
{
    (void)state;
    b = bench_new();
    arena = b.arena;
    return 0;
}

static int end(void **state)
{
    (void)state;
    bench_free(&b);
    return 0;
}

static pp_fabric_options section(const char *text)
{
    pp_fabric_options o = b.options;
    o.kind = text;
    return o;
}

static pp_hier *build_hier(const char *text)
{
    const pp_fabric_options o = section(text);
    pp_hier_options ho;
    pp_hier *h = NULL;
    assert_int_equal(pp_hier_parse(&ho, arena, &o), PP_OK);
    if (pp_hier_build(&h, &ho) != PP_OK)
        fail_msg("%s", pp_error_text());
    assert_int_equal(pp_hier_check(h), PP_OK);
    return h;
}

/* A place: level, group, and the unit's vertex, or the core behind an ejection port. */
typedef struct place {
    uint32_t level, group, at;
} place;

static place core_place(const pp_hier *h, uint32_t core)
{
    const pp_fabric *f = h->level[0].unit;
    return (place){0, core / f->n_cores, f->core_switch[core % f->n_cores]};
}

/* One channel further, asserted to begin where we are. Written from the words of hier.h alone. */
static place step(const pp_hier *h, place p, uint32_t channel, uint32_t *end_core)
{
    const pp_hier_place c = pp_hier_place_of(h, channel);
    const pp_hier_level *v = &h->level[c.level];
    const pp_fabric *f = v->unit;
    *end_core = UINT32_MAX;
    if (c.local < f->n_channels) {
        const pp_channel *k = &f->channel[c.local];
        assert_int_equal(c.level, p.level);
        assert_int_equal(c.group, p.group);
        if (k->kind == PP_CHANNEL_EJECT)
            *end_core = c.group * f->n_cores + f->vertex[k->dst].core;
        assert_int_equal(k->kind == PP_CHANNEL_INJECT ? k->dst : k->src, p.at);
        return (place){c.level, c.group, k->kind == PP_CHANNEL_EJECT ? p.at : k->dst};
    }
    const uint32_t g = (c.local - f->n_channels) % v->gateways;
    const pp_fabric *above = h->level[c.level + 1].unit;
    const place inside = {c.level, c.group, f->core_switch[v->gateway[g]]};
    const place outside = {c.level + 1, c.group / above->n_cores, above->core_switch[c.group % above->n_cores]};
    const bool up = c.local - f->n_channels < v->gateways;
    const place from = up ? inside : outside;
    assert_int_equal(from.level, p.level);
    assert_int_equal(from.group, p.group);
    assert_int_equal(from.at, p.at);
    return up ? outside : inside;
}

static void assert_way(const pp_hier *h, uint32_t src, uint32_t dst)
{
    uint32_t path[512], last = UINT32_MAX;
    size_t n = 0;
    if (pp_hier_route(h, src, dst, path, 512, &n) != PP_OK)
        fail_msg("%s", pp_error_text());
    place p = core_place(h, src);
    for (size_t i = 0; i < n; i++)
        p = step(h, p, path[i], &last);
    const place q = core_place(h, dst);
    assert_true(p.level == 0 && p.group == q.group && p.at == q.at);
    if (h->level[0].unit->ports > 0 && src != dst)
        assert_int_equal(last, dst);
    assert_true(src != dst || n == 0);
}

static void all_ways(const char *text)
{
    pp_hier *h = build_hier(text);
    for (uint32_t a = 0; a < h->n_cores; a++)
        for (uint32_t z = 0; z < h->n_cores; z++)
            assert_way(h, a, z);
    pp_hier_free(h);
}

static void ways_are_chains_of_channels(void **state)
{
    (void)state;
    all_ways("5pp:rows=3,cols=4,gateways=2/mesh:rows=2,cols=2,gateways=3/ring:cores=3");
    all_ways("mesh:rows=3,cols=3/torus:rows=3,cols=3");
    all_ways("flatfly:rows=2,cols=2,nodes=2,gateways=4/star:cores=3/full:cores=2");
    all_ways("tree:arity=2,levels=3/hypercube:cores=4");
    all_ways("mesh:rows=4,cols=5");
}

static void channels_are_numbered_level_by_level(void **state)
{
    (void)state;
    pp_hier *h = build_hier("5pp:rows=3,cols=4,gateways=2/mesh:rows=2,cols=2,gateways=3/ring:cores=3");
    assert_string_equal(h->name, "5pp:rows=3,cols=4,gateways=2/mesh:rows=2,cols=2,gateways=3/ring:cores=3");
    assert_int_equal(h->n_cores, 12 * 4 * 3);
    assert_int_equal(h->level[0].groups, 12);
    assert_int_equal(h->level[1].groups, 3);
    assert_int_equal(h->level[2].groups, 1);
    const uint32_t own[] = {h->level[0].unit->n_channels + 4, h->level[1].unit->n_channels + 6,
                            h->level[2].unit->n_channels};
    assert_int_equal(h->n_channels, 12 * own[0] + 3 * own[1] + own[2]);
    for (uint32_t c = 0; c < h->n_channels; c++) {
        const pp_hier_place p = pp_hier_place_of(h, c);
        assert_int_equal(h->level[p.level].first_channel + p.group * own[p.level] + p.local, c);
    }
    pp_hier_free(h);
}

/* Every core is served by the nearest gateway, and none serves more than twice its part on this symmetric unit. */
static void gateways_share_the_cores(void **state)
{
    (void)state;
    pp_hier *h = build_hier("mesh:rows=8,cols=8,gateways=4/mesh:rows=1,cols=2");
    const pp_hier_level *v = &h->level[0];
    uint32_t served[4] = {0}, distance[256];
    for (uint32_t m = 0; m < 64; m++) {
        assert_int_equal(pp_distances(v->unit, v->unit->core_vertex[m], distance), PP_OK);
        served[v->exit_of[m]]++;
        for (uint32_t g = 0; g < 4; g++)
            assert_true(distance[v->unit->core_vertex[v->gateway[v->exit_of[m]]]] <=
                        distance[v->unit->core_vertex[v->gateway[g]]]);
    }
    for (uint32_t g = 0; g < 4; g++)
        assert_true(served[g] >= 8 && served[g] <= 32);
    pp_hier_free(h);
}

static void trees_hold_each_way_once(void **state)
{
    (void)state;
    pp_hier *h = build_hier("5pp:rows=3,cols=4,gateways=2/mesh:rows=2,cols=2,gateways=3/ring:cores=3");
    pp_hier_tree t = {0};
    uint32_t dst[48], ends[48], last;
    for (uint32_t src = 0; src < h->n_cores; src += 7) {
        for (uint32_t i = 0; i < 48; i++)
            dst[i] = (src + 5 * i) % h->n_cores;
        assert_int_equal(pp_hier_route_tree(&t, h, src, dst, 48, ends), PP_OK);
        for (uint32_t i = 0; i < 48; i++) {
            uint32_t path[64], n = 0;
            for (uint32_t e = ends[i]; e != PP_NO_EDGE; e = t.parent[e])
                path[n++] = t.edge[e];
            place p = core_place(h, src);
            while (n > 0)
                p = step(h, p, path[--n], &last);
            const place q = core_place(h, dst[i]);
            assert_true(p.level == 0 && p.group == q.group && p.at == q.at);
        }
        for (uint32_t e = 0; e < t.n; e++) {
            assert_true(t.parent[e] == PP_NO_EDGE || t.parent[e] < e);
            for (uint32_t k = 0; k < e; k++)
                assert_int_not_equal(t.edge[k], t.edge[e]);
        }
    }
    pp_hier_tree_free(&t);
    pp_hier_free(h);
}

/* A list of maps: every level its own channels, the rest from the section. */
static void levels_have_channels_of_their_own(void **state)
{
    (void)state;
    static const char text[] = "- {kind: mesh, rows: 2, cols: 2, channel: llm, lanes: 2, name: tile}\n"
                               "- {kind: ring, cores: 3, gateways: 1, rate_gbps: 8, header_bits: 16, router_ps: 700}\n"
                               "- {kind: mesh}\n";
    pp_fabric_options o = section("5pp");
    pp_hier_options ho;
    pp_hier *h = NULL;
    pp_doc *doc = NULL;
    o.rows = o.cols = 9; /* of a plain fabric: levels do not have them */
    assert_int_equal(pp_doc_parse_yaml(&doc, "run.yaml", text, sizeof text - 1), PP_OK);
    o.level_list = pp_doc_root(doc);
    assert_true(pp_fabric_is_hier(&o));
    assert_int_equal(pp_hier_parse(&ho, arena, &o), PP_OK);
    assert_int_equal(pp_hier_fit(&ho, 61), PP_OK);
    assert_int_equal(pp_hier_build(&h, &ho), PP_OK);
    assert_string_equal(h->name, "mesh:rows=2,cols=2/ring:cores=3/mesh:rows=2,cols=3");
    assert_string_equal(h->level[0].name, "tile");
    assert_string_equal(h->level[2].name, "board");
    assert_true(pp_channel_rate_gbps(&h->level[0].unit->channel[0]) == 80.0);
    assert_true(pp_channel_rate_gbps(&h->level[0].up) == 8.0);
    assert_true(pp_channel_rate_gbps(&h->level[2].unit->channel[0]) == 5.0);
    assert_int_equal(h->level[0].up.latency_ps, 700);
    assert_int_equal(pp_hier_header_bits(h, h->level[0].unit->n_channels), 16); /* the first gateway's way up */
    assert_int_equal(pp_hier_header_bits(h, 0), 0);
    pp_hier_free(h);
    pp_doc_free(doc);
}

/* Grids take their hops from a table of steps: the same as the routing function's. */
static void steps_are_the_routing_function(void **state)
{
    (void)state;
    static const char *const grids[] = {"mesh:rows=4,cols=7", "5pp:rows=5,cols=9", "5pp:rows=3,cols=11,reach=3", "mesh:rows=1,cols=6"};
    for (size_t g = 0; g < 4; g++) {
        b.options.local_ports = "per_link";
        pp_hier *h = build_hier(grids[g]);
        const pp_fabric *f = h->level[0].unit;
        assert_non_null(h->level[0].step);
        for (uint32_t a = 0; a < f->n_cores; a++)
            for (uint32_t z = 0; z < f->n_cores; z++) {
                uint32_t one[64], other[64];
                size_t n = 0, m = 0;
                assert_int_equal(pp_hier_route(h, a, z, one, 64, &n), PP_OK);
                assert_int_equal(pp_route(f, PP_ROUTING_NATIVE, f->core_vertex[a], f->core_vertex[z], other, 64, &m), PP_OK);
                assert_int_equal(n, m);
                assert_memory_equal(one, other, n * sizeof *one);
            }
        pp_hier_free(h);
    }
}

/* A million cores: nothing is kept for each. */
static void a_million_cores_are_three_small_fabrics(void **state)
{
    (void)state;
    pp_hier *h = build_hier("5pp:rows=16,cols=16,gateways=4/mesh:rows=8,cols=8,gateways=4/mesh:rows=8,cols=8");
    assert_int_equal(h->n_cores, 1048576);
    for (uint32_t i = 0; i < 1000; i++)
        assert_way(h, (i * 7919u) % h->n_cores, (i * 104729u + 17) % h->n_cores);
    pp_hier_free(h);
}

static void refused(const char *yaml, const char *message)
{
    pp_fabric_options o = section("5pp");
    pp_hier_options ho;
    pp_doc *doc = NULL;
    pp_hier *h = NULL;
    if (strchr(yaml, '-') == yaml) {
        assert_int_equal(pp_doc_parse_yaml(&doc, "run.yaml", yaml, strlen(yaml)), PP_OK);
        o.level_list = pp_doc_root(doc);
    } else {
        o.kind = yaml;
    }
    pp_status status = pp_hier_parse(&ho, arena, &o);
    if (status == PP_OK)
        status = pp_hier_build(&h, &ho);
    assert_int_not_equal(status, PP_OK);
    assert_string_equal(pp_error_text(), message);
    pp_doc_free(doc);
}

static void wrong_levels_are_refused(void **state)
{
    (void)state;
    refused("- {kind: mesh, rows: 2, cols: 2}\n- {kind: mseh}\n",
            "run.yaml:2: fabric.levels[1]: fabric mseh: unknown kind; did you mean mesh?");
    refused("- {rows: 2}\n", "run.yaml:1: kind: missing");
    refused("- mesh\n", "run.yaml:1: fabric.levels[0]: expected a map such as {kind: mesh, rows: 4, cols: 4}, found a text");
    refused("- kind: mesh\n  rows: 2\n  cols: x\n",
            "run.yaml:3: fabric.levels[0]: fabric mesh: cols: expected an integer from 1 to 4194304, found x");
    refused("- {kind: mesh, rows: 2, cols: 2, lanes: 0}\n",
            "run.yaml:1: fabric.levels[0]: lanes: expected an integer from 1 to 4096, found 0");
    refused("- {kind: mesh, rows: 2, cols: 2, gateways: 9}\n- {kind: mesh, rows: 1, cols: 2}\n",
            "fabric.levels[0]: 9 gateways, but mesh:rows=2,cols=2 has room for 4");
    refused("mesh:rows=2,cols=2/mesh:rows=2,colz=2",
            "fabric mesh:rows=2,colz=2, level 1: unknown key colz; a level of kind mesh has name, gateways, channel, "
            "rows,cols, and width_bits, clock_hz, rate_gbps, lanes, header_bits, wire_ps, router_ps, local_ports, "
            "local_lanes");
    pp_fabric *f = NULL;
    const pp_fabric_options o = section("mesh:rows=2,cols=2/mesh:rows=2,cols=2");
    assert_int_not_equal(pp_fabric_build(&f, &o), PP_OK);
    assert_string_equal(pp_error_text(), "fabric of several levels: language models alone are laid on it (map, run); "
                                         "give one fabric.kind here");
}

int main(void)
{
#define HIER_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        HIER_TEST(ways_are_chains_of_channels),  HIER_TEST(channels_are_numbered_level_by_level),
        HIER_TEST(gateways_share_the_cores),     HIER_TEST(trees_hold_each_way_once),
        HIER_TEST(levels_have_channels_of_their_own), HIER_TEST(a_million_cores_are_three_small_fabrics),
        HIER_TEST(steps_are_the_routing_function), HIER_TEST(wrong_levels_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
