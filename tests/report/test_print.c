/* Aligned tables, compared with what they must look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/report.h"

#include <stdio.h>
#include <string.h>

static void prints(const pp_table *t, const char *want)
{
    char text[1024];
    FILE *f = tmpfile();
    assert_non_null(f);
    pp_table_print(t, f);
    rewind(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fclose(f);
    assert_string_equal(text, want);
}

static void numbers_stand_right(void **state)
{
    (void)state;
    const char *headers[] = {"name", "count", "what it is"};
    const char *first[] = {"a", "7", "short"}, *second[] = {"longer", "12345", "a longer text"};
    pp_table *t = NULL;
    assert_int_equal(pp_table_new(&t, headers, 3), PP_OK);
    prints(t, "name  count  what it is\n");
    assert_int_equal(pp_table_row(t, first), PP_OK);
    assert_int_equal(pp_table_row(t, second), PP_OK);
    prints(t, "name    count  what it is\n"
              "a           7  short\n"
              "longer  12345  a longer text\n");
    pp_table_free(t);
}

/* Widths are characters, not bytes, and one long name does not push all numbers out of sight. */
static void names_of_any_kind(void **state)
{
    (void)state;
    const char *headers[] = {"name", "count"}, *plain[] = {"a", "7"}, *accents[] = {"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", "12"};
    char name[301] = "", line[256];
    memset(name, 'x', 300);
    memcpy(name + 296, "end", 4);
    const char *much[] = {name, "3"};
    pp_table *t = NULL;
    assert_int_equal(pp_table_new(&t, headers, 2), PP_OK);
    assert_int_equal(pp_table_row(t, plain), PP_OK);
    assert_int_equal(pp_table_row(t, accents), PP_OK);
    prints(t, "name   count\na          7\n\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9     12\n");
    pp_table_free(t);
    assert_int_equal(pp_table_new(&t, headers, 2), PP_OK);
    assert_int_equal(pp_table_row(t, much), PP_OK);
    snprintf(line, sizeof line, "%-64s  count\n...%s      3\n", "name", name + 299 - 61);
    prints(t, line);
    pp_table_free(t);
}

static void many_rows(void **state)
{
    (void)state;
    const char *headers[] = {"i"};
    pp_table *t = NULL;
    assert_int_equal(pp_table_new(&t, headers, 1), PP_OK);
    for (int i = 0; i < 1000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i); /* cells are copied */
        const char *cells[] = {text};
        assert_int_equal(pp_table_row(t, cells), PP_OK);
    }
    FILE *f = tmpfile();
    assert_non_null(f);
    pp_table_print(t, f);
    assert_int_equal(ftell(f), 1001 * 4); /* width 3 and the end of the line */
    fclose(f);
    pp_table_free(t);
    pp_table_free(NULL);
}

static void memory_that_runs_out(void **state)
{
    (void)state;
    const char *headers[] = {"a", "b"};
    for (long n = 0; n < 40; n++) {
        pp_table *t = NULL;
        pp_alloc_fail_after(n);
        pp_status status = pp_table_new(&t, headers, 2);
        for (int i = 0; i < 20 && status == PP_OK; i++)
            status = pp_table_row(t, headers);
        pp_alloc_fail_after(-1);
        assert_int_equal(status, PP_ENOMEM);
        pp_table_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stand_right),
        cmocka_unit_test(names_of_any_kind),
        cmocka_unit_test(many_rows),
        cmocka_unit_test(memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
