/* Figures: what stands in the SVG, the scales, and that outputs appear whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/plot_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        n++;
    return n;
}

static void svg_of(pp_plot *p, char **text)
{
    size_t size = 0;
    assert_int_equal(pp_plot_svg(p, text, &size), PP_OK);
    assert_int_equal(size, strlen(*text));
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void ticks_are_round_numbers_inside(void **state)
{
    (void)state;
    plot_tick tick[PLOT_MAX_TICKS];
    const plot_scale s = {.low = -0.3, .high = 9.7, .from = 0, .to = 100};
    assert_int_equal(pp_plot_ticks(&s, 5, tick), 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(near(tick[i].at, 2.0 * (double)i));
    assert_string_equal(tick[1].text, "2");
    const plot_scale d = {.log = true, .low = 0.0, .high = 3.0, .from = 0, .to = 300};
    const size_t n = pp_plot_ticks(&d, 6, tick);
    size_t decades = 0;
    for (size_t i = 0; i < n; i++)
        decades += !tick[i].minor;
    assert_int_equal(decades, 4); /* 1 10 100 1000 */
    assert_true(near(pp_plot_pixel(&d, 100.0), 200.0));
    assert_false(pp_plot_shown(&d, 0.0));
    assert_false(pp_plot_shown(&d, (double)NAN));
}

/* The fitted limits hold all data, also when it is one point, nothing, or huge. */
static void limits_hold_the_data(void **state)
{
    (void)state;
    const struct {
        double low, high;
    } c[] = {{3, 3}, {INFINITY, -INFINITY}, {-5, 7}, {0, 0}, {1e300, 2e300}, {1e-300, 2e-300}};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        for (int log = 0; log < 2; log++) {
            const plot_axis a = {
                .scale = log != 0 ? PP_PLOT_LOG : PP_PLOT_LINEAR, .low = (double)NAN, .high = (double)NAN};
            if (log != 0 && c[i].low <= 0.0)
                continue;
            const plot_scale s = pp_plot_scale_of(&a, c[i].low, c[i].high, false);
            assert_true(s.high > s.low);
            if (c[i].low <= c[i].high) {
                assert_true(s.low <= (log != 0 ? log10(c[i].low) : c[i].low));
                assert_true(s.high >= (log != 0 ? log10(c[i].high) : c[i].high));
            }
        }
    }
}

static void gaps_split_a_line(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, 5}, y[] = {1, 2, (double)NAN, 3, 1}, lo[] = {0, 1, 1, 2, 0}, hi[] = {2, 3, 3, 4, 2};
    pp_plot *p = NULL;
    assert_int_equal(pp_plot_new(&p, "a < b & c", "load", "latency, cycles"), PP_OK);
    assert_int_equal(pp_plot_note(p, "seed 1"), PP_OK);
    assert_int_equal(pp_plot_series(p, "mesh", PP_PLOT_LINE | PP_PLOT_MARKERS, x, y, lo, hi, 5), PP_OK);
    assert_int_equal(pp_plot_series(p, "bound", PP_PLOT_DASHED | PP_PLOT_SAME, x, lo, NULL, NULL, 5), PP_OK);
    char *text = NULL, *again = NULL;
    svg_of(p, &text);
    svg_of(p, &again);
    assert_string_equal(text, again);
    assert_int_equal(count(text, "<polygon"), 2);         /* one band a run */
    assert_int_equal(count(text, "stroke-dasharray"), 2); /* the line and its legend */
    assert_int_equal(count(text, "<circle"), 5);          /* four points and the legend's */
    assert_non_null(strstr(text, "a &lt; b &amp; c"));
    assert_non_null(strstr(text, ">latency, cycles<"));
    assert_int_equal(count(text, "<svg"), count(text, "</svg>"));
    free(text);
    free(again);
    pp_plot_free(p);
}

/* More points than one piece: every point is there, and the pieces meet. */
static void long_series_are_whole(void **state)
{
    (void)state;
    enum { N = 2000 };
    double *x = pp_alloc(N, sizeof *x), *y = pp_alloc(N, sizeof *y);
    for (size_t i = 0; i < N; i++) {
        x[i] = (double)i;
        y[i] = (double)(i % 7);
    }
    pp_plot *p = NULL;
    assert_int_equal(pp_plot_new(&p, NULL, NULL, NULL), PP_OK);
    assert_int_equal(pp_plot_series(p, NULL, PP_PLOT_LINE, x, y, NULL, NULL, N), PP_OK);
    char *text = NULL;
    svg_of(p, &text);
    size_t coordinates = 0;
    for (const char *at = strstr(text, "stroke-width=\"2\""); at != NULL; at = strstr(at + 1, "stroke-width=\"2\"")) {
        const char *from = at;
        while (strncmp(from, "points=\"", 8) != 0)
            from--;
        for (; from < at; from++)
            coordinates += *from == ',';
    }
    assert_int_equal(coordinates, N + 3); /* four pieces, three points drawn twice */
    free(text);
    free(x);
    free(y);
    pp_plot_free(p);
}

static void bars_and_cells_are_counted(void **state)
{
    (void)state;
    const char *group[] = {"conv1", "conv2", "a layer of a very long name indeed"}, *series[] = {"before", "after"};
    const double v[] = {1, 2, 3, 2, (double)NAN, 1}, e[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
    pp_plot *p = NULL;
    assert_int_equal(pp_plot_new(&p, "kurtosis", NULL, "kurtosis"), PP_OK);
    assert_int_equal(pp_plot_bars(p, group, 3, series, 2, v, e), PP_OK);
    char *text = NULL;
    svg_of(p, &text);
    assert_int_equal(count(text, "<polygon"), 5 + 2); /* bars and the legend's */
    free(text);
    assert_int_equal(pp_plot_heat(p, series, 2, group, 3, v, 1, PP_PLOT_LOG), PP_OK);
    svg_of(p, &text);
    assert_int_equal(count(text, "<polygon"), 5);
    assert_non_null(strstr(text, ">3.0<"));
    free(text);
    pp_plot_free(p);
}

static void files_are_whole_and_kept(void **state)
{
    (void)state;
    const double x[] = {0.1, 0.2}, y[] = {10, 20};
    pp_plot *p = NULL;
    assert_int_equal(pp_plot_new(&p, "t", "x", "y"), PP_OK);
    pp_plot_x_axis(p, PP_PLOT_LOG, (double)NAN, (double)NAN);
    assert_int_equal(pp_plot_series(p, "s", PP_PLOT_MARKERS, x, y, x, y, 2), PP_OK);
    unlink("figure.svg");
    unlink("figure.png");
    assert_int_equal(pp_plot_write(p, "figure.svg", false), PP_OK);
    assert_int_equal(pp_plot_write(p, "figure.svg", false), PP_EEXIST);
    assert_int_equal(pp_plot_write(p, "figure.svg", true), PP_OK);
    assert_int_equal(pp_plot_write(p, "figure.png", false), PP_OK);
    unsigned char head[8] = {0};
    FILE *f = fopen("figure.png", "rb");
    assert_non_null(f);
    assert_int_equal(fread(head, 1, 8, f), 8);
    fclose(f);
    assert_memory_equal(head, "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal(pp_plot_write(p, "figure.pdf", false), PP_EINVAL);
    assert_false(pp_file_exists("figure.pdf"));
    assert_int_not_equal(pp_plot_write(p, "no/such/folder.png", false), PP_OK);
    pp_plot_free(p);
}

static void out_of_memory_leaves_nothing(void **state)
{
    (void)state;
    const double x[] = {1, 2}, y[] = {1, 2};
    for (long fail = 0;; fail++) {
        pp_plot *p = NULL;
        pp_alloc_fail_after(fail);
        pp_status status = pp_plot_new(&p, "t", "x", "y");
        if (status == PP_OK)
            status = pp_plot_series(p, "s", PP_PLOT_LINE, x, y, x, y, 2);
        pp_alloc_fail_after(-1);
        pp_plot_free(p);
        if (status == PP_OK)
            break;
        assert_int_equal(status, PP_ENOMEM);
        assert_true(fail < 100);
    }
}

/* Many long names below the axis: slanted, shortened at their beginning, some for all; nothing is wider than the figure. */
static void long_names_have_room(void **state)
{
    (void)state;
    enum { N = 300 };
    double at[N];
    char names[N][80], note[600];
    const char *name[N];
    for (size_t i = 0; i < N; i++) {
        at[i] = (double)i;
        snprintf(names[i], sizeof names[i], "a/very/long/path/of/modules/\xC3\xA9\xC3\xA9/conv%zu", i);
        name[i] = names[i];
    }
    memset(note, 'x', sizeof note - 1);
    note[sizeof note - 1] = 0;
    pp_plot *p = NULL;
    char *text = NULL;
    assert_int_equal(pp_plot_new(&p, note, NULL, NULL), PP_OK);
    assert_int_equal(pp_plot_note(p, note), PP_OK);
    assert_int_equal(pp_plot_series(p, note, PP_PLOT_LINE, at, at, NULL, NULL, N), PP_OK);
    assert_int_equal(pp_plot_x_ticks(p, at, name, N), PP_OK);
    svg_of(p, &text);
    assert_true(count(text, "/conv") > 10 && count(text, "/conv") < 60);
    assert_int_equal(count(text, "rotate(-40"), count(text, "/conv"));
    assert_null(strstr(text, "a/very/long"));
    assert_null(strstr(text, note));
    free(text);
    pp_plot_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_round_numbers_inside),
        cmocka_unit_test(limits_hold_the_data),
        cmocka_unit_test(gaps_split_a_line),
        cmocka_unit_test(long_series_are_whole),
        cmocka_unit_test(bars_and_cells_are_counted),
        cmocka_unit_test(long_names_have_room),
        cmocka_unit_test(files_are_whole_and_kept),
        cmocka_unit_test(out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests_name("report/plot", tests, NULL, NULL);
}
