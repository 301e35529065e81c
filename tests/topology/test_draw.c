/* Drawings: what must be in them, and that no link runs over a core. */
#include "test_topology.h"

#include <math.h>

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *c = text; (c = strstr(c, part)) != NULL; c += strlen(part))
        n++;
    return n;
}

/* Not inlined: gcc 12 then takes the text for the local pointer to it and warns that it dangles. */
__attribute__((noinline)) static char *draw(const char *text, pp_status (*write)(const pp_fabric *, const char *, bool), const char *path)
{
    pp_fabric *f = build(text);
    assert_int_equal(write(f, path, true), PP_OK);
    pp_fabric_free(f);
    return get_text(path);
}

static void test_svg(void **state)
{
    (void)state;
    char *svg = draw("5pp:rows=4,cols=8", pp_fabric_write_svg, "5pp.svg");
    assert_int_equal(count(svg, "class=\"core\""), 32);
    assert_int_equal(count(svg, "<path class=\"near\""), 52 + 1); /* 28 + 24, and the legend's */
    assert_int_equal(count(svg, "<path class=\"long\""), 24 + 1);
    assert_int_equal(count(svg, "<path class=\"wrap\""), 0);
    assert_int_equal(count(svg, "marker-end"), 0);
    assert_int_equal(count(svg, ">r3c7<"), 1);
    assert_int_equal(count(svg, "32 cores, 152 channels"), 1);
    assert_int_equal(count(svg, "5PP after the links published for the 64-core chip (legallo2023);"), 1);
    assert_int_equal(count(svg, "the formal definition of dazzi2019 was not at hand"), 1);
    free(svg);
    svg = draw("torus:rows=4,cols=4", pp_fabric_write_svg, "torus.svg");
    assert_int_equal(count(svg, "<path class=\"near\""), 24 + 1);
    assert_int_equal(count(svg, "<path class=\"wrap\""), 8 + 1);
    assert_int_equal(count(svg, "dazzi2019"), 0);
    free(svg);
    svg = draw("5pp:rows=1,cols=4,row_direction=forward", pp_fabric_write_svg, "forward.svg");
    assert_int_equal(count(svg, "marker-end"), 5);
    free(svg);
}

typedef struct box {
    double x, y;
} box;

/* Number behind `pattern` (` key="`) in the element at `c`. */
static double number(const char *c, const char *pattern)
{
    const char *at = strstr(c, pattern);
    assert_non_null(at);
    return strtod(at + strlen(pattern), NULL);
}

/* Corner points of the path: a link's bends are within their hull. Straight pieces are sampled. */
static void assert_clear(const char *path, const box *core, size_t n_cores, double side)
{
    double q[16];
    int n = 0;
    for (const char *c = strstr(path, " d=\"") + 4; *c != '"' && n < 16;) {
        char *end = NULL;
        const double v = strtod(c, &end);
        if (end == c)
            c++;
        else {
            q[n++] = v;
            c = end;
        }
    }
    for (int i = 0; i + 3 < n; i += 2)
        for (int k = 0; k <= 20; k++) {
            const double x = q[i] + (q[i + 2] - q[i]) * k / 20.0, y = q[i + 1] + (q[i + 3] - q[i + 1]) * k / 20.0;
            for (size_t b = 0; b < n_cores; b++)
                assert_false(x > core[b].x + 0.2 && x < core[b].x + side - 0.2 && y > core[b].y + 0.2 &&
                             y < core[b].y + side - 0.2);
        }
}

static void assert_no_link_over_a_core(const char *text)
{
    char *svg = draw(text, pp_fabric_write_svg, "clear.svg");
    box core[256];
    size_t n = 0, links = 0;
    for (const char *c = svg; (c = strstr(c, "<rect class=\"core\"")) != NULL; c++)
        core[n++] = (box){number(c, " x=\""), number(c, " y=\"")};
    const char *first = strstr(svg, "<rect class=\"core\"");
    const double side = number(first, " width=\"");
    for (const char *c = svg; (c = strstr(c, "<path class=")) != NULL && c < first; c++, links++)
        assert_clear(c, core, n, side);
    assert_true(links > 0);
    free(svg);
}

static void test_no_link_over_a_core(void **state)
{
    (void)state;
    assert_no_link_over_a_core("5pp:rows=4,cols=8");
    assert_no_link_over_a_core("5pp:rows=3,cols=9,reach=5");
    assert_no_link_over_a_core("5pp:rows=3,cols=4,row_direction=alternate,wrap=1");
    assert_no_link_over_a_core("mesh:rows=4,cols=4");
    assert_no_link_over_a_core("torus:rows=4,cols=5");
    assert_no_link_over_a_core("ring:cores=8");
    assert_no_link_over_a_core("hypercube:cores=64");
    assert_no_link_over_a_core("k5prism:rows=6,cols=4");
    assert_no_link_over_a_core("express:rows=6,cols=9,interval=3");
    assert_no_link_over_a_core("cmesh:rows=4,cols=4,nodes=4,express=1");
    assert_no_link_over_a_core("flatfly:rows=3,cols=6,nodes=4");
    assert_no_link_over_a_core("htree:levels=6");
    assert_no_link_over_a_core("hex:rows=4,cols=6");
    assert_no_link_over_a_core("tri:rows=4,cols=6");
    assert_no_link_over_a_core("mesh3d:rows=3,cols=3,planes=3");
}

static void test_dot(void **state)
{
    (void)state;
    char *dot = draw("5pp:rows=2,cols=3", pp_fabric_write_dot, "5pp.dot");
    assert_int_equal(count(dot, " -> "), 18);
    assert_int_equal(count(dot, "pos="), 6);
    assert_int_equal(count(dot, "\"r1c2\" [pos=\"144,-72\"];"), 1);
    assert_int_equal(count(dot, "// 5PP after the links published"), 1);
    free(dot);
}

/* Large fabrics are drawn as an excerpt that says so. */
static void test_excerpts(void **state)
{
    (void)state;
    char *svg = draw("mesh:rows=129,cols=128", pp_fabric_write_svg, "large.svg");
    assert_int_equal(count(svg, "class=\"core\""), 60);
    assert_int_equal(count(svg, "Excerpt: the upper left 6 x 10 of 129 x 128 places"), 1);
    free(svg);
    svg = draw("tree:arity=4,levels=5", pp_fabric_write_svg, "large.svg");
    assert_int_equal(count(svg, "class=\"switch\""), 1 + 4 + 16 + 64);
    assert_int_equal(count(svg, "class=\"core\""), 0);
    assert_int_equal(count(svg, "with 16 cores below"), 1);
    free(svg);
    svg = draw("fattree:arity=4,levels=5", pp_fabric_write_svg, "large.svg");
    assert_int_equal(count(svg, "class=\"switch\""), 1 + 4 + 16 + 64);
    assert_int_equal(count(svg, "<path class=\"near\""), 4 + 16 + 64 + 1);
    free(svg);
    svg = draw("full:cores=200", pp_fabric_write_svg, "large.svg");
    assert_int_equal(count(svg, "<path class=\"near\""), 199 + 1);
    assert_int_equal(count(svg, "Only the links of the first"), 1);
    free(svg);
}

/* Every kind has all of its links and cores in its drawing. */
static void test_every_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t cores, switches, links, ports;
    } kinds[] = {
        {"cmesh:rows=4,cols=4", 64, 16, 24, 64},      {"cmesh:rows=4,cols=4,express=1", 64, 16, 32, 64},
        {"flatfly:rows=4,cols=4", 64, 16, 48, 64},    {"hypercube:cores=32", 32, 0, 80, 0},
        {"htree:levels=4", 16, 15, 14, 16},           {"fattree:arity=4,levels=2", 16, 8, 16, 16},
        {"tree:arity=4,levels=3,taper=2", 64, 21, 20, 64}, {"k5prism:cols=4", 20, 0, 55, 0},
        {"dragonfly:nodes=2", 72, 36, 90, 72},        {"express:rows=5,cols=9", 45, 0, 95, 0},
        {"mesh3d:rows=2,cols=3,planes=2", 12, 0, 20, 0}, {"torus3d:rows=3,cols=3,planes=3", 27, 0, 81, 0},
        {"kautz:degree=2,diameter=3", 12, 0, 21, 0},  {"star:cores=9", 9, 1, 9, 0},
        {"full:cores=9", 9, 0, 36, 0},                {"hex:rows=4,cols=6", 24, 0, 29, 0},
        {"tri:rows=3,cols=4", 12, 0, 23, 0},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char *svg = draw(kinds[i].text, pp_fabric_write_svg, "kind.svg");
        size_t legends = 0;
        for (const char *c = svg; (c = strstr(c, "<path class=\"")) != NULL; c++)
            legends += strstr(c, "d=\"M32 ") != NULL && strstr(c, "d=\"M32 ") < strchr(c, '>') && strstr(c, "L60 ") != NULL;
        if (count(svg, "class=\"core\"") != kinds[i].cores || count(svg, "class=\"switch\"") != kinds[i].switches ||
            count(svg, "<path class=\"") - legends != kinds[i].links || count(svg, "class=\"port\"") != kinds[i].ports)
            fail_msg("%s: %zu cores, %zu switches, %zu links, %zu ports", kinds[i].text, count(svg, "class=\"core\""),
                     count(svg, "class=\"switch\""), count(svg, "<path class=\"") - legends, count(svg, "class=\"port\""));
        free(svg);
    }
    char *dot = draw("cmesh:rows=2,cols=2", pp_fabric_write_dot, "cmesh.dot");
    assert_int_equal(count(dot, "style=dotted"), 16);
    free(dot);
}

int main(void)
{
    const struct CMUnitTest topology_draw[] = {
        cmocka_unit_test(test_svg),
        cmocka_unit_test(test_no_link_over_a_core),
        cmocka_unit_test(test_dot),
        cmocka_unit_test(test_excerpts),
        cmocka_unit_test(test_every_kind),
    };
    return cmocka_run_group_tests(topology_draw, NULL, NULL);
}
