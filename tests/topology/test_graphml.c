#include "test_topology.h"

/* Reads a GraphML file with the options of `b`. */
static pp_fabric *read_back(bench *b, const char *path)
{
    char text[256];
    (void)snprintf(text, sizeof text, "file:%s", path);
    return bench_build(b, text);
}

static void assert_equal_fabrics(const pp_fabric *a, const pp_fabric *b)
{
    assert_int_equal(a->n_vertices, b->n_vertices);
    assert_int_equal(a->n_cores, b->n_cores);
    assert_int_equal(a->n_network, b->n_network);
    assert_int_equal(a->n_channels, b->n_channels);
    assert_int_equal(a->ports, b->ports);
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->cols, b->cols);
    assert_int_equal(a->reach, b->reach);
    assert_int_equal(a->wrap, b->wrap);
    assert_int_equal(a->row_direction, b->row_direction);
    for (uint32_t v = 0; v < a->n_vertices; v++) {
        const pp_vertex *p = &a->vertex[v], *q = &b->vertex[v];
        char x[64], y[64];
        assert_int_equal(p->core, q->core);
        assert_int_equal(p->kind, q->kind);
        assert_memory_equal(p->coord, q->coord, sizeof p->coord);
        assert_true(p->x == q->x && p->y == q->y);
        assert_string_equal(pp_vertex_label(a, v, x, sizeof x), pp_vertex_label(b, v, y, sizeof y));
    }
    for (uint32_t c = 0; c < a->n_channels; c++) {
        const pp_channel *p = &a->channel[c], *q = &b->channel[c];
        assert_int_equal(p->src, q->src);
        assert_int_equal(p->dst, q->dst);
        assert_int_equal(p->kind, q->kind);
        assert_int_equal(p->port, q->port);
        assert_int_equal(p->lanes, q->lanes);
        assert_int_equal(p->latency_ps, q->latency_ps);
        assert_true(p->lane_gbps == q->lane_gbps && p->length == q->length);
    }
    assert_memory_equal(a->out_channel, b->out_channel, a->n_network * sizeof *a->out_channel);
    assert_memory_equal(a->in_first, b->in_first, (a->n_vertices + 1) * sizeof *a->in_first);
}

static void round_trip(const char *text)
{
    const char *path = "round_trip.graphml";
    bench b = bench_new();
    b.options.rate_gbps = 2.7;
    b.options.lanes = 3;
    b.options.wire_ps = 17;
    pp_fabric *f = bench_build(&b, text);
    assert_int_equal(pp_fabric_write_graphml(f, path, true), PP_OK);
    pp_fabric *back = read_back(&b, path);
    assert_equal_fabrics(f, back);
    assert_string_equal(back->kind, "file");
    assert_string_equal(back->name, "file:round_trip.graphml");
    assert_int_equal(strlen(back->source_sha256), 64);
    /* Written again, it differs in its name only. */
    assert_int_equal(pp_fabric_write_graphml(back, "again.graphml", true), PP_OK);
    pp_fabric *twice = read_back(&b, "again.graphml");
    assert_equal_fabrics(f, twice);
    pp_fabric_free(f);
    pp_fabric_free(back);
    pp_fabric_free(twice);
    bench_free(&b);
}

static void test_round_trips(void **state)
{
    (void)state;
    round_trip("5pp:rows=3,cols=5");
    round_trip("5pp:rows=3,cols=5,row_direction=alternate,wrap=1");
    round_trip("mesh:rows=2,cols=3");
    round_trip("cmesh:rows=2,cols=3,nodes=4");
    round_trip("fattree:arity=3,levels=2");
    round_trip("tree:arity=2,levels=3,taper=3");
    round_trip("dragonfly:nodes=1");
    round_trip("mesh3d:rows=2,cols=3,planes=2");
    round_trip("kautz:degree=2,diameter=2");
    round_trip("torus:rows=3,cols=4");
    round_trip("ring:cores=7");
    round_trip("torus:rows=1,cols=1");
}

/* Labels are one line in whole characters, whatever a file calls its vertices. */
static void test_labels_are_one_line(void **state)
{
    (void)state;
    char label[8], name[] = "a\r\x1b\xC3\xA9\xC3\xA9\xC3\xA9";
    pp_vertex vertex = {.name = name};
    const pp_fabric f = {.vertex = &vertex, .n_vertices = 1};
    assert_string_equal(pp_vertex_label(&f, 0, label, sizeof label), "a??\xC3\xA9\xC3\xA9");
    assert_string_equal(pp_vertex_label(&f, 0, label, 7), "a??\xC3\xA9");
}

/* Dimension order works on a grid that came from a file. */
static void test_routes_on_a_file(void **state)
{
    (void)state;
    bench b = bench_new();
    pp_fabric *f = bench_build(&b, "5pp:rows=2,cols=6");
    assert_int_equal(pp_fabric_write_graphml(f, "routes.graphml", true), PP_OK);
    pp_fabric *back = read_back(&b, "routes.graphml");
    uint32_t path[8], same[8];
    size_t n = 0, m = 0;
    assert_int_equal(pp_route(f, PP_ROUTING_XY, 0, 11, path, 8, &n), PP_OK);
    assert_int_equal(pp_route(back, PP_ROUTING_XY, 0, 11, same, 8, &m), PP_OK);
    assert_int_equal(n, m);
    assert_memory_equal(path, same, n * sizeof *path);
    pp_fabric_free(f);
    pp_fabric_free(back);
    bench_free(&b);
}

#define HEAD                                                                                     \
    "<?xml version=\"1.0\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n"       \
    "<key id=\"k\" for=\"node\" attr.name=\"kind\" attr.type=\"string\"/>\n"                     \
    "<key id=\"r\" for=\"edge\" attr.name=\"lane_gbps\" attr.type=\"double\"/>\n"                \
    "<key id=\"l\" for=\"edge\" attr.name=\"lanes\" attr.type=\"int\"/>\n"
#define DIRECTED "<graph edgedefault=\"directed\">\n"
#define TAIL "</graph></graphml>\n"
#define NODE(id, kind) "<node id=\"" id "\"><data key=\"k\">" kind "</data></node>\n"
#define EDGE(u, v, data) "<edge source=\"" u "\" target=\"" v "\">" data "</edge>\n"

/* Two cores behind two switches; what is not given comes from the options. */
static void test_defaults_and_switches(void **state)
{
    (void)state;
    put_text("switches.graphml", HEAD DIRECTED NODE("a", "core") NODE("s", "switch") NODE("t", "switch")
             NODE("b&amp;&lt;", "core") EDGE("a", "s", "") EDGE("s", "t", "") EDGE("t", "b&amp;&lt;", "") TAIL);
    bench b = bench_new();
    b.options.rate_gbps = 1.5;
    b.options.lanes = 2;
    b.options.router_ps = 9;
    pp_fabric *f = read_back(&b, "switches.graphml");
    assert_int_equal(f->n_vertices, 4);
    assert_int_equal(f->n_cores, 2);
    assert_int_equal(f->core_vertex[1], 3);
    assert_int_equal(f->vertex[1].core, PP_NO_VERTEX);
    assert_string_equal(f->vertex[3].name, "b&<");
    assert_true(f->channel[0].lane_gbps == 1.5);
    assert_int_equal(f->channel[0].lanes, 2);
    assert_int_equal(f->channel[0].latency_ps, 9);
    assert_true(f->channel[0].length == 1.0F);
    assert_int_equal(f->ports, 0);
    assert_int_equal(f->rows, 0);
    pp_routing routing = PP_ROUTING_XY;
    assert_failed_with(pp_routing_parse(&routing, "xy", f), PP_EINVAL, "xy needs a grid");
    assert_int_equal(pp_fabric_write_graphml(f, "switches2.graphml", true), PP_OK);
    pp_fabric *back = read_back(&b, "switches2.graphml");
    assert_equal_fabrics(f, back);
    pp_fabric_free(back);
    pp_fabric_free(f);
    bench_free(&b);
}

/* A way must not lead through a vertex that is a core only. */
static void test_no_way_through_a_core(void **state)
{
    (void)state;
    put_text("through.graphml", HEAD DIRECTED NODE("a", "both") NODE("b", "core") NODE("c", "both") NODE("s", "switch")
             EDGE("a", "b", "") EDGE("b", "c", "") EDGE("a", "s", "") EDGE("s", "b", "") TAIL);
    bench b = bench_new();
    pp_fabric *f = read_back(&b, "through.graphml");
    uint32_t path[4], distance[4];
    size_t n = 0;
    assert_failed_with(pp_route(f, PP_ROUTING_SHORTEST, 0, 2, path, 4, &n), PP_EINFEASIBLE, "no way from a to c");
    assert_int_equal(pp_route(f, PP_ROUTING_SHORTEST, 0, 1, path, 4, &n), PP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(pp_distances(f, 0, distance), PP_OK);
    assert_int_equal(distance[2], UINT32_MAX);
    pp_fabric_free(f);
    bench_free(&b);
}

static void test_undirected_is_both_ways(void **state)
{
    (void)state;
    put_text("undirected.graphml", HEAD "<graph edgedefault=\"undirected\">\n" NODE("a", "both") NODE("b", "both")
             EDGE("a", "b", "<data key=\"r\">4</data>") TAIL);
    bench b = bench_new();
    pp_fabric *f = read_back(&b, "undirected.graphml");
    assert_int_equal(f->n_network, 2);
    assert_int_equal(channels_between(f, 0, 1), 1);
    assert_int_equal(channels_between(f, 1, 0), 1);
    assert_true(f->channel[1].lane_gbps == 4.0);
    pp_fabric_free(f);
    bench_free(&b);
}

static void refuse_file(const char *path, pp_status status, const char *part)
{
    bench b = bench_new();
    pp_fabric *f = NULL;
    b.options.kind = "file";
    b.options.file = path;
    const pp_status got = pp_fabric_build(&f, &b.options);
    assert_failed_with(got, status, part);
    assert_null(f);
    assert_null(strchr(pp_error_text(), '\n'));
    assert_non_null(strstr(pp_error_text(), path));
    bench_free(&b);
}

static void refuse(const char *text, pp_status status, const char *part)
{
    put_text("bad.graphml", text);
    refuse_file("bad.graphml", status, part);
}

#define EDGE_KEY(name) "<key id=\"q\" for=\"edge\" attr.name=\"" name "\" attr.type=\"double\"/>"
#define ODD_EDGE "<edge source=\"a\" target=\"b\"><data key=\"q\">2</data></edge>"

static void test_attributes_that_are_nearly_right(void **state)
{
    (void)state;
    static const char *const odd[][2] = {{"lenght", "length"}, {"lengh", "length"}, {"Length", "length"}, {"LENGTH", "length"},
                                         {"lanse", "lanes"}, {"lanegbps", "lane_gbps"}, {"latency_us", "latency_ps"}};
    char text[1024], want[96];
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        (void)snprintf(text, sizeof text, HEAD EDGE_KEY("%s") DIRECTED NODE("a", "both") NODE("b", "both") ODD_EDGE TAIL, odd[i][0]);
        (void)snprintf(want, sizeof want, "edge attribute %s: unknown; did you mean %s?", odd[i][0], odd[i][1]);
        refuse(text, PP_EFORMAT, want);
    }
    bench b = bench_new(); /* what is not near is the file's own business */
    pp_fabric *f = NULL;
    put_text("own.graphml", HEAD EDGE_KEY("lane") DIRECTED NODE("a", "both") NODE("b", "both") ODD_EDGE TAIL);
    b.options.kind = "file";
    b.options.file = "own.graphml";
    assert_int_equal(pp_fabric_build(&f, &b.options), PP_OK);
    pp_fabric_free(f);
    bench_free(&b);
    (void)remove("own.graphml");
}

static void test_unreadable(void **state)
{
    (void)state;
    refuse_file("nowhere.graphml", PP_ENOTFOUND, "No such file");
    refuse("", PP_EFORMAT, "empty file");
    refuse("hello\n", PP_EFORMAT, "bad.graphml:1: expected GraphML");
    refuse("<html><body/></html>", PP_EFORMAT, "expected GraphML with a graph");
    refuse(HEAD "</graphml>", PP_EFORMAT, "expected GraphML with a graph");
    refuse(HEAD DIRECTED NODE("a", "both"), PP_EFORMAT, "expected GraphML");
    refuse(HEAD DIRECTED TAIL, PP_EFORMAT, "the graph has no vertices");
    refuse(HEAD DIRECTED NODE("a", "switch") TAIL, PP_EINVAL, "no vertex is a core");
    refuse("<?xml version=\"1.0\"?><!DOCTYPE g [<!ENTITY x SYSTEM \"bad.graphml\">]><graphml "
           "xmlns=\"http://graphml.graphdrawing.org/xmlns\"><graph><node id=\"&x;\"/></graph></graphml>",
           PP_EFORMAT, "expected GraphML");
}

#define AB NODE("a", "both") NODE("b", "both")

static void test_bad_attributes(void **state)
{
    (void)state;
    refuse(HEAD DIRECTED "<node id=\"a\"/>" TAIL, PP_EFORMAT, "vertex a: kind is missing");
    refuse(HEAD DIRECTED NODE("a", "cor") TAIL, PP_EFORMAT, "vertex a: kind: expected core, switch or both, found cor");
    refuse(HEAD DIRECTED AB EDGE("a", "b", "<data key=\"r\">5</data>") EDGE("b", "a", "") TAIL, PP_EFORMAT,
           "edge 1 (b -> a): lane_gbps is missing");
    refuse(HEAD DIRECTED AB EDGE("a", "b", "<data key=\"r\">0</data>") TAIL, PP_ERANGE,
           "edge 0 (a -> b): lane_gbps: expected a number above 0");
    refuse(HEAD DIRECTED AB EDGE("a", "b", "<data key=\"r\">-5</data>") TAIL, PP_ERANGE, "lane_gbps");
    refuse(HEAD DIRECTED AB EDGE("a", "b", "<data key=\"l\">0</data>") TAIL, PP_ERANGE,
           "edge 0 (a -> b): lanes: expected an integer from 1");
    refuse(HEAD DIRECTED AB EDGE("a", "b", "<data key=\"l\">1.5</data>") TAIL, PP_ERANGE, "lanes: expected an integer");
    refuse(HEAD DIRECTED AB EDGE("a", "b", "<data key=\"r\">fast</data>") TAIL, PP_EFORMAT, "numbers");
    refuse(HEAD DIRECTED AB EDGE("a", "a", "") TAIL, PP_EFORMAT, "an edge must lead to another vertex");
    refuse(HEAD DIRECTED AB EDGE("a", "c", "") TAIL, PP_EFORMAT, "vertex c: kind is missing");
    refuse(HEAD "<key id=\"x\" for=\"edge\" attr.name=\"length\" attr.type=\"string\"/>" DIRECTED AB
           EDGE("a", "b", "<data key=\"x\">1</data>") TAIL, PP_EFORMAT,
           "attribute length: expected a number type (int, double)");
    refuse(HEAD "<key id=\"x\" for=\"node\" attr.name=\"switch\" attr.type=\"double\"/>" DIRECTED AB TAIL, PP_EFORMAT,
           "attribute switch: expected type string");
    refuse("<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\"><key id=\"k\" for=\"node\" attr.name=\"kind\" "
           "attr.type=\"int\"/><graph edgedefault=\"directed\"><node id=\"a\"><data key=\"k\">1</data></node></graph></graphml>",
           PP_EFORMAT, "attribute kind: expected type string");
    refuse("<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\"><key id=\"k\" for=\"node\" attr.name=\"id\" "
           "attr.type=\"int\"/><graph edgedefault=\"directed\"><node id=\"a\"><data key=\"k\">1</data></node></graph></graphml>",
           PP_EFORMAT, "attribute ");
    refuse(HEAD "<key id=\"x\" for=\"graph\" attr.name=\"rows\" attr.type=\"int\"/><key id=\"y\" for=\"graph\" attr.name=\"cols\" "
           "attr.type=\"int\"/><key id=\"d\" for=\"graph\" attr.name=\"row_direction\" attr.type=\"int\"/>" DIRECTED
           "<data key=\"x\">1</data><data key=\"y\">2</data><data key=\"d\">1</data>" AB TAIL, PP_EFORMAT,
           "attribute row_direction: expected type string");
    refuse(HEAD "<key id=\"x\" for=\"graph\" attr.name=\"rows\" attr.type=\"int\"/>"
           "<key id=\"y\" for=\"graph\" attr.name=\"cols\" attr.type=\"int\"/>" DIRECTED
           "<data key=\"x\">1</data><data key=\"y\">3</data>" AB TAIL, PP_EFORMAT, "1 rows and 3 cols, but 2 vertices");
}

static void test_outputs_are_kept(void **state)
{
    (void)state;
    pp_fabric *f = build("mesh:rows=1,cols=2");
    put_text("kept.graphml", "old");
    assert_int_equal(pp_fabric_write_graphml(f, "kept.graphml", false), PP_EEXIST);
    char *text = get_text("kept.graphml");
    assert_string_equal(text, "old");
    free(text);
    assert_int_not_equal(pp_fabric_write_graphml(f, "no/such/folder.graphml", true), PP_OK);
    pp_fabric_free(f);
}

/* Cores that name their switch have ports in place of edges. */
#define SWITCHED(core, more)                                                                                            \
    "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">"                                                          \
    "<key id=\"k\" for=\"node\" attr.name=\"kind\" attr.type=\"string\"/>"                                               \
    "<key id=\"s\" for=\"node\" attr.name=\"switch\" attr.type=\"string\"/><graph edgedefault=\"directed\">"            \
    "<node id=\"a\">" core "</node><node id=\"b\"><data key=\"k\">core</data><data key=\"s\">t</data></node>"          \
    "<node id=\"s\"><data key=\"k\">switch</data></node><node id=\"t\"><data key=\"k\">switch</data></node>"            \
    "<edge source=\"s\" target=\"t\"/>" more "</graph></graphml>"
#define ON_S "<data key=\"k\">core</data><data key=\"s\">s</data>"

static void refuse_switch(const char *text, const char *part)
{
    bench b = bench_new();
    pp_fabric *f = NULL;
    put_text("switched.graphml", text);
    assert_int_equal(pp_fabric_parse(&b.options, b.arena, "file:switched.graphml"), PP_OK);
    assert_failed_with(pp_fabric_build(&f, &b.options), PP_EFORMAT, part);
    assert_null(f);
    bench_free(&b);
}

static void test_cores_on_switches(void **state)
{
    (void)state;
    bench b = bench_new();
    put_text("switched.graphml", SWITCHED(ON_S, ""));
    pp_fabric *f = read_back(&b, "switched.graphml");
    assert_int_equal(f->n_cores, 2);
    assert_int_equal(f->core_switch[0], 2);
    assert_int_equal(f->core_switch[1], 3);
    assert_int_equal(f->ports, 1); /* auto of files is a port for each link: one here */
    uint32_t path[4];
    size_t n = 0;
    assert_int_equal(pp_route(f, PP_ROUTING_SHORTEST, 0, 1, path, 4, &n), PP_OK);
    assert_int_equal(n, 1);
    /* One way only: nothing leads back. */
    assert_failed_with(pp_route(f, PP_ROUTING_NATIVE, 1, 0, path, 4, &n), PP_EINFEASIBLE, "no way from t to s");
    pp_fabric_free(f);
    bench_free(&b);
    refuse_switch(SWITCHED("<data key=\"k\">core</data><data key=\"s\">u</data>", ""), "vertex a: switch: expected the id of a switch, found u");
    refuse_switch(SWITCHED("<data key=\"k\">core</data><data key=\"s\">b</data>", ""), "vertex a: switch: expected the id of a switch");
    refuse_switch(SWITCHED("<data key=\"k\">both</data><data key=\"s\">s</data>", ""), "vertex a: only a vertex of kind core");
    refuse_switch(SWITCHED(ON_S, "<edge source=\"t\" target=\"a\"/>"), "vertex a: a core with a switch has no edges");
}

int main(void)
{
    const struct CMUnitTest topology_graphml[] = {
        cmocka_unit_test(test_cores_on_switches),
        cmocka_unit_test(test_round_trips),          cmocka_unit_test(test_labels_are_one_line),
        cmocka_unit_test(test_routes_on_a_file),
        cmocka_unit_test(test_defaults_and_switches), cmocka_unit_test(test_no_way_through_a_core),
        cmocka_unit_test(test_undirected_is_both_ways), cmocka_unit_test(test_attributes_that_are_nearly_right), cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_bad_attributes),       cmocka_unit_test(test_outputs_are_kept),
    };
    return cmocka_run_group_tests(topology_graphml, NULL, NULL);
}
