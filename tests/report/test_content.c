/* Reading any report, the child process that does it, rows that belong together, and the page's escaping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/diff_internal.h"
#include "report/guard.h"
#include "report/h5_internal.h"
#include "report/html_internal.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct row {
    char name[16];
    uint32_t index;
    double value;
    int64_t whole;
} row;

static const pp_h5_column columns[] = {
    PP_H5_COLUMN(row, name, PP_H5_TEXT, "", "its name"),
    PP_H5_COLUMN(row, index, PP_H5_U32, "", "its number"),
    PP_H5_COLUMN(row, value, PP_H5_F64, "ps", "a time: long; with signs"),
    PP_H5_COLUMN(row, whole, PP_H5_I64, "bit", "bits"),
};

static void write_file(const char *path, const row *rows, size_t n, const char *note)
{
    hid_t file;
    pp_h5_quiet();
    assert_int_equal(pp_h5_create(&file, path), PP_OK);
    assert_int_equal(pp_h5_text_attribute(file, "schema", "pentaprism-report/1"), PP_OK);
    assert_int_equal(pp_h5_group(file, "/run", "run"), PP_OK);
    assert_int_equal(pp_h5_group(file, "/tokens", "of a later version"), PP_OK);
    assert_int_equal(pp_h5_text(file, "/run/command", note, "a command"), PP_OK);
    assert_int_equal(pp_h5_table(file, "/tokens/rows", "rows nobody knows", columns, 4, rows, sizeof *rows, n), PP_OK);
    assert_int_equal(pp_h5_close(file, path), PP_OK);
}

static void fresh(char path[64])
{
    snprintf(path, 64, "content-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static pp_content *content_of(const row *rows, size_t n, const char *note)
{
    char path[64];
    pp_content *c = NULL;
    fresh(path);
    write_file(path, rows, n, note);
    assert_int_equal(pp_content_read(&c, path), PP_OK);
    unlink(path);
    return c;
}

static char *captured(FILE *f)
{
    long size = ftell(f);
    char *text = calloc((size_t)size + 1, 1);
    assert_non_null(text);
    rewind(f);
    assert_int_equal(fread(text, 1, (size_t)size, f), size);
    fclose(f);
    return text;
}

static void reads_what_it_does_not_know(void **state)
{
    (void)state;
    const row rows[] = {{"one", 1, 0.5, -3}, {"two", 4294967295u, NAN, INT64_MIN}};
    pp_content *c = content_of(rows, 2, "pentaprism run");
    assert_string_equal(c->schema, "pentaprism-report/1");
    assert_int_equal(c->n_sets, 2);
    const pp_content_set *set = pp_content_find(c, "/tokens/rows");
    assert_non_null(set);
    assert_string_equal(set->description, "rows nobody knows");
    assert_int_equal(set->n_columns, 4);
    const pp_content_column *value = pp_content_column_of(set, "value");
    assert_string_equal(value->units, "ps");
    assert_string_equal(value->description, "a time: long; with signs");
    assert_true(pp_content_number(value, 0) == 0.5 && isnan(pp_content_number(value, 1)));
    char text[32];
    pp_content_print(pp_content_column_of(set, "whole"), 1, text, sizeof text);
    assert_string_equal(text, "-9223372036854775808");
    pp_content_print(pp_content_column_of(set, "index"), 1, text, sizeof text);
    assert_string_equal(text, "4294967295");
    assert_null(pp_content_column_of(set, "nothing"));
    assert_null(pp_content_column_of(pp_content_find(c, "/nothing"), "x"));
    pp_content_free(c);
    pp_content_free(NULL);
}

/* ---- the child ---- */

typedef enum deed { SUCCEED, FAIL, CRASH, SPIN, HOARD, LEAVE } deed;

static pp_status do_it(void *context, void *out, uint64_t *answer)
{
    volatile uint64_t spins = 0;
    fprintf(out, "some output\n");
    switch (*(deed *)context) {
    case SUCCEED:
        *answer = 7;
        return PP_OK;
    case FAIL:
        return pp_fail(PP_EFORMAT, "x.h5: the reason");
    case CRASH:
        raise(SIGSEGV);
        break;
    case SPIN:
        for (;;)
            spins++;
    case HOARD:
        return pp_alloc((size_t)1 << 34, 1) == NULL ? PP_ENOMEM : PP_OK;
    case LEAVE:
        _exit(3);
    }
    return PP_OK;
}

static pp_status guard(deed what, char **text, uint64_t *answer)
{
    const pp_guard_limits limits = {.memory_bytes = (uint64_t)1 << 30, .cpu_s = 1, .wall_s = 3};
    FILE *out = tmpfile();
    assert_non_null(out);
    pp_status status = pp_guard("x.h5", &limits, do_it, &what, out, answer);
    *text = captured(out);
    return status;
}

static void a_child_tells_its_end(void **state)
{
    (void)state;
    char *text;
    uint64_t answer = 0;
    assert_int_equal(guard(SUCCEED, &text, &answer), PP_OK);
    assert_string_equal(text, "some output\n");
    assert_int_equal(answer, 7);
    free(text);
    static const struct {
        deed what;
        pp_status status;
        const char *word;
    } ends[] = {{FAIL, PP_EFORMAT, "x.h5: the reason"}, {CRASH, PP_EFORMAT, "damaged"}, {SPIN, PP_EFORMAT, "given up"}, {LEAVE, PP_EFORMAT, "exit status 3"}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        assert_int_equal(guard(ends[i].what, &text, NULL), ends[i].status);
        assert_non_null(strstr(pp_error_text(), ends[i].word));
        assert_non_null(strstr(pp_error_text(), "x.h5"));
        assert_string_equal(text, ""); /* nothing of a failure */
        free(text);
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_int_equal(guard(HOARD, &text, NULL), PP_ENOMEM);
    assert_non_null(strstr(pp_error_text(), "1024 MiB"));
    free(text);
#endif
}

/* ---- differences ---- */

static char *diff_of(const pp_content *a, const pp_content *b, pp_diff_limits limits, bool *equal)
{
    const pp_diff_options o = {.limits = limits, .max_rows = 2};
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(pp_report_diff(a, b, &o, f, NULL, equal), PP_OK);
    return captured(f);
}

static void rows_are_joined_by_their_names(void **state)
{
    (void)state;
    const row one[] = {{"a", 1, 1, 0}, {"b", 2, 2, 0}, {"b", 3, 3, 0}, {"c", 1, NAN, 0}};
    const row two[] = {{"c", 1, NAN, 0}, {"b", 3, 3.3, 0}, {"b", 2, 2, 0}, {"d", 1, 1, 0}};
    pp_content *a = content_of(one, 4, "run"), *b = content_of(two, 4, "run");
    pp_row_match m;
    assert_int_equal(pp_diff_match(&m, pp_content_find(a, "/tokens/rows"), pp_content_find(b, "/tokens/rows")), PP_OK);
    assert_int_equal(m.keys, 3); /* the first two columns */
    assert_int_equal(m.n, 5);
    static const pp_row_pair want[] = {{0, PP_DIFF_NONE}, {1, 2}, {2, 1}, {3, 0}, {PP_DIFF_NONE, 3}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(m.pair[i].a, want[i].a);
        assert_int_equal(m.pair[i].b, want[i].b);
    }
    free(m.pair);
    bool equal = true;
    char *text = diff_of(a, b, (pp_diff_limits){0.01, 0}, &equal);
    assert_false(equal);
    assert_non_null(strstr(text, "value, a time: long; with signs: 1 of 3 rows differ"));
    assert_non_null(strstr(text, "b, index 3: 3 -> 3.3 ps (+10 %)"));
    assert_non_null(strstr(text, "only in A: a, index 1"));
    assert_non_null(strstr(text, "only in B: d, index 1"));
    free(text);
    pp_content_free(a);
    pp_content_free(b);
}

static void tolerances_are_relative_or_absolute(void **state)
{
    (void)state;
    const row one[] = {{"a", 1, 100, 0}}, two[] = {{"a", 1, 101, 0}};
    pp_content *a = content_of(one, 1, "run"), *b = content_of(two, 1, "run"), *c = content_of(one, 1, "other");
    bool equal;
    free(diff_of(a, b, (pp_diff_limits){0.0099, 0}, &equal));
    assert_false(equal);
    free(diff_of(a, b, (pp_diff_limits){0.01, 0}, &equal));
    assert_true(equal);
    free(diff_of(a, c, (pp_diff_limits){1, 1}, &equal)); /* a text has no tolerance */
    assert_false(equal);
    free(diff_of(a, b, (pp_diff_limits){0, 0.99}, &equal));
    assert_false(equal);
    char *text = diff_of(a, b, (pp_diff_limits){0, 1}, &equal);
    assert_true(equal);
    assert_non_null(strstr(text, "absolute 1"));
    free(text);
    pp_content_free(a);
    pp_content_free(b);
    pp_content_free(c);
}

/* Where doubles cannot tell them apart, and no limit lets them pass. */
static void large_integers_differ(void **state)
{
    (void)state;
    const row one[] = {{"a", 1, 1, (1LL << 53)}}, two[] = {{"a", 1, 1, (1LL << 53) + 1}};
    pp_content *a = content_of(one, 1, "run"), *b = content_of(two, 1, "run");
    bool equal;
    free(diff_of(a, b, (pp_diff_limits){0, 0}, &equal));
    assert_false(equal);
    free(diff_of(a, b, (pp_diff_limits){0, 1}, &equal));
    assert_true(equal);
    pp_content_free(a);
    pp_content_free(b);
}

static void rows_without_names_are_joined_by_number(void **state)
{
    (void)state;
    const row one[] = {{"a", 1, 1, 0}, {"a", 1, 1, 0}}, two[] = {{"a", 1, 1, 0}};
    pp_content *a = content_of(one, 2, "run"), *b = content_of(two, 1, "run");
    bool equal;
    char *text = diff_of(a, b, (pp_diff_limits){0, 0}, &equal);
    assert_false(equal);
    assert_non_null(strstr(text, "2 -> 1 rows"));
    assert_non_null(strstr(text, "only in A: row 1"));
    free(text);
    pp_content_free(a);
    pp_content_free(b);
}

/* ---- the page ---- */

static void texts_of_a_report_are_harmless(void **state)
{
    (void)state;
    FILE *f = tmpfile();
    assert_non_null(f);
    pp_html_text(f, "<b a=\"x\" b='y'>&\x01\xff\xc0\xaf\xed\xa0\x80\xc3\xa9");
    char *text = captured(f);
    assert_string_equal(text, "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp; \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9");
    free(text);
    f = tmpfile();
    assert_non_null(f);
    pp_html_json_text(f, "</script>\"\\\n\xff\xc3\xa9");
    text = captured(f);
    assert_string_equal(text, "\"\\u003c/script\\u003e\\u0022\\u005c\\u000a\\ufffd\xC3\xA9\"");
    free(text);
}

static void a_page_escapes_names(void **state)
{
    (void)state;
    const row rows[] = {{"<script>x()", 1, 1, INT64_C(9007199254740993)}, {"</script>", 2, INFINITY, 0}, {"<!--", 3, NAN, 0}};
    pp_content *c = content_of(rows, 3, "run \"</code><script>alert(1)</script>");
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(pp_report_html(c, f), PP_OK);
    char *text = captured(f);
    pp_content_free(c);
    assert_null(strstr(text, "<script>x()"));
    assert_null(strstr(text, "<script>alert"));
    assert_null(strstr(text, "<!--"));
    assert_non_null(strstr(text, "&lt;script&gt;alert(1)"));
    assert_non_null(strstr(text, "\\u003cscript\\u003ex()"));
    assert_non_null(strstr(text, "\"9007199254740993\"")); /* doubles do not hold it */
    assert_non_null(strstr(text, "[1,\"inf\",null]"));
    free(text);
}

static void columns_take_short_forms(void **state)
{
    (void)state;
    row rows[40];
    memset(rows, 0, sizeof rows);
    for (uint32_t i = 0; i < 40; i++) {
        rows[i] = (row){.index = 5 + 3 * i, .value = i < 30 ? 2.5 : 4, .whole = 8};
        strcpy(rows[i].name, i % 2 ? "odd" : "even");
    }
    pp_content *c = content_of(rows, 40, "run");
    FILE *f = tmpfile();
    assert_non_null(f);
    pp_html_data(f, c);
    char *text = captured(f);
    pp_content_free(c);
    assert_non_null(strstr(text, "\"d\":{\"s\":5,\"d\":3}"));
    assert_non_null(strstr(text, "\"d\":{\"r\":[2.5,30,4,10],\"m\":4}"));
    assert_non_null(strstr(text, "\"d\":{\"c\":8}"));
    assert_non_null(strstr(text, "\"d\":{\"k\":[\"even\",\"odd\"],\"i\":{\"z\":\"ACACAC"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_does_not_know),  cmocka_unit_test(a_child_tells_its_end),
        cmocka_unit_test(rows_are_joined_by_their_names), cmocka_unit_test(tolerances_are_relative_or_absolute), cmocka_unit_test(large_integers_differ),
        cmocka_unit_test(rows_without_names_are_joined_by_number), cmocka_unit_test(texts_of_a_report_are_harmless),
        cmocka_unit_test(a_page_escapes_names), cmocka_unit_test(columns_take_short_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
