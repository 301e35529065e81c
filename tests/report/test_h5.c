/* The HDF5 layer: what is written reads back, the same bytes each time, and as CSV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/content.h"
#include "report/h5_internal.h"
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct all_kinds {
    uint32_t small;
    int64_t whole;
    uint64_t large;
    double real;
    uint8_t flag;
    char word[12];
} all_kinds;

static const pp_h5_column columns[] = {
    PP_H5_COLUMN(all_kinds, small, PP_H5_U32, "", "a small number"),
    PP_H5_COLUMN(all_kinds, whole, PP_H5_I64, "ps", "a signed number"),
    PP_H5_COLUMN(all_kinds, large, PP_H5_U64, "bit", "a large number"),
    PP_H5_COLUMN(all_kinds, real, PP_H5_F64, "us", "a real number"),
    PP_H5_COLUMN(all_kinds, flag, PP_H5_BOOL, "", "a flag"),
    PP_H5_COLUMN(all_kinds, word, PP_H5_TEXT, "", "a text"),
};
#define N_COLUMNS (sizeof columns / sizeof *columns)

static const all_kinds rows[] = {
    {1, -2, 3, 0.5, 1, "plain"},
    {4294967295u, INT64_MIN, UINT64_MAX, -1e300, 0, "with, comma"},
    {0, INT64_MAX, 0, 0.1, 255, "\"quoted\""},
};

static void fresh(char path[64])
{
    strcpy(path, "report-h5-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

/* A file that the reader takes for a report, with our table in the place of a known one. */
static void write_file(const char *path, const char *schema, size_t n)
{
    hid_t file;
    pp_h5_quiet();
    assert_int_equal(pp_h5_create(&file, path), PP_OK);
    assert_int_equal(pp_h5_text_attribute(file, "schema", schema), PP_OK);
    assert_int_equal(pp_h5_group(file, "/workload", "the network"), PP_OK);
    assert_int_equal(pp_h5_table(file, "/workload/stages", "rows of all kinds", columns, N_COLUMNS, rows, sizeof *rows, n),
                     PP_OK);
    for (size_t c = 0; c < N_COLUMNS; c++) {
        char name[64];
        snprintf(name, sizeof name, "/workload/%s", columns[c].name);
        assert_int_equal(pp_h5_scalar(file, name, &columns[c], &rows[1]), PP_OK);
    }
    assert_int_equal(pp_h5_text(file, "/workload/long", "a text of any length", "a long text"), PP_OK);
    assert_int_equal(pp_h5_close(file, path), PP_OK);
}

static void scalars_read_back(void **state)
{
    (void)state;
    char path[64];
    fresh(path);
    write_file(path, PP_REPORT_SCHEMA, 3);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    all_kinds got;
    memset(&got, 0, sizeof got);
    for (size_t c = 0; c < N_COLUMNS; c++) {
        char name[64];
        snprintf(name, sizeof name, "/workload/%s", columns[c].name);
        assert_true(pp_h5_read_scalar(file, name, &columns[c], &got));
    }
    assert_int_equal(got.small, rows[1].small);
    assert_int_equal(got.whole, rows[1].whole);
    assert_int_equal(got.large, rows[1].large);
    assert_true(got.real == rows[1].real);
    assert_int_equal(got.flag, rows[1].flag);
    assert_string_equal(got.word, rows[1].word);
    assert_false(pp_h5_read_scalar(file, "/workload/nothing", &columns[0], &got));
    assert_false(pp_h5_read_scalar(file, "/workload/stages", &columns[0], &got)); /* a table is no scalar */
    H5Fclose(file);
    unlink(path);
}

static char *csv_of(const char *path, const char *table)
{
    pp_content *c = NULL;
    assert_int_equal(pp_content_read(&c, path), PP_OK);
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(pp_content_csv(c, table, f), PP_OK);
    pp_content_free(c);
    long size = ftell(f);
    rewind(f);
    char *text = calloc((size_t)size + 1, 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, f), size);
    fclose(f);
    return text;
}

static void tables_as_csv(void **state)
{
    (void)state;
    char path[64];
    fresh(path);
    write_file(path, PP_REPORT_SCHEMA, 3);
    char *text = csv_of(path, "layers");
    assert_string_equal(text, "small,whole,large,real,flag,word\n"
                              "1,-2,3,0.5,1,plain\n"
                              "4294967295,-9223372036854775808,18446744073709551615,-1e+300,0,\"with, comma\"\n"
                              "0,9223372036854775807,0,0.1,255,\"\"\"quoted\"\"\"\n");
    free(text);
    write_file(path, PP_REPORT_SCHEMA, 0);
    text = csv_of(path, "layers");
    assert_string_equal(text, "small,whole,large,real,flag,word\n");
    free(text);
    unlink(path);
}

static size_t read_all(const char *path, char *buffer, size_t size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(buffer, 1, size, f);
    fclose(f);
    assert_true(n < size);
    return n;
}

static void same_bytes_each_time(void **state)
{
    (void)state;
    static char first[1 << 16], second[1 << 16];
    char path[64];
    fresh(path);
    write_file(path, PP_REPORT_SCHEMA, 3);
    size_t n = read_all(path, first, sizeof first);
    sleep(1); /* a time stamp anywhere would show */
    write_file(path, PP_REPORT_SCHEMA, 3);
    assert_int_equal(read_all(path, second, sizeof second), n);
    assert_memory_equal(first, second, n);
    unlink(path);
}

static void attribute_is(hid_t set, const char *name, const char *want)
{
    char text[512] = "";
    hid_t attribute = H5Aopen(set, name, H5P_DEFAULT);
    assert_true(attribute >= 0);
    hid_t type = H5Aget_type(attribute);
    assert_true(H5Tget_size(type) < sizeof text);
    assert_true(H5Aread(attribute, type, text) >= 0);
    assert_string_equal(text, want);
    H5Tclose(type);
    H5Aclose(attribute);
}

static void every_dataset_is_described(void **state)
{
    (void)state;
    char path[64];
    fresh(path);
    write_file(path, PP_REPORT_SCHEMA, 3);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, "/workload/stages", H5P_DEFAULT);
    attribute_is(set, "units", "small: 1; whole: ps; large: bit; real: us; flag: 1; word: 1");
    attribute_is(set, "description",
                 "rows of all kinds\nsmall: a small number\nwhole: a signed number\nlarge: a large number\n"
                 "real: a real number\nflag: a flag\nword: a text");
    H5Dclose(set);
    set = H5Dopen2(file, "/workload/whole", H5P_DEFAULT);
    attribute_is(set, "units", "ps");
    attribute_is(set, "description", "a signed number");
    H5Dclose(set);
    H5Fclose(file);
    unlink(path);
}

typedef struct named {
    uint32_t number;
    const char *word;
} named;
static const pp_h5_column named_columns[] = {
    PP_H5_COLUMN(named, number, PP_H5_U32, "", "a number"),
    PP_H5_STRING_COLUMN(named, word, 4, "a text of any length"),
};

static void texts_are_as_wide_as_they_need(void **state)
{
    (void)state;
    char path[64], word[301];
    hid_t file;
    pp_content *c = NULL;
    memset(word, 'w', 300);
    word[300] = 0;
    const named list[] = {{1, "a"}, {2, word}, {3, NULL}, {4, ""}};
    fresh(path);
    assert_int_equal(pp_h5_create(&file, path), PP_OK);
    assert_int_equal(pp_h5_text_attribute(file, "schema", PP_REPORT_SCHEMA), PP_OK);
    assert_int_equal(pp_h5_table(file, "/named", "names", named_columns, 2, list, sizeof *list, 4), PP_OK);
    assert_int_equal(pp_h5_table(file, "/nobody", "no names", named_columns, 2, NULL, sizeof *list, 0), PP_OK);
    assert_int_equal(pp_h5_close(file, path), PP_OK);
    assert_int_equal(pp_content_read(&c, path), PP_OK);
    const pp_content_column *text = pp_content_column_of(pp_content_find(c, "/named"), "word");
    const pp_content_column *number = pp_content_column_of(pp_content_find(c, "/named"), "number");
    assert_non_null(text);
    assert_string_equal(pp_content_text(text, 0), "a");
    assert_string_equal(pp_content_text(text, 1), word);
    assert_string_equal(pp_content_text(text, 2), "");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(number->u64[i], i + 1);
    assert_int_equal(pp_content_find(c, "/nobody")->n_rows, 0);
    pp_content_free(c);
    unlink(path);
}

/* Any byte that is not 0, as a damaged file may have it, is true. */
static void flags_are_flags(void **state)
{
    (void)state;
    char path[64];
    void *read = NULL;
    size_t n = 0;
    fresh(path);
    write_file(path, PP_REPORT_SCHEMA, 3);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(pp_h5_read_table(file, "/workload/stages", columns, N_COLUMNS, sizeof *rows, &read, &n));
    const all_kinds *got = read;
    assert_int_equal(n, 3);
    assert_true(got[0].flag == 1 && got[1].flag == 0 && got[2].flag == 1);
    assert_int_equal(got[2].whole, INT64_MAX);
    free(read);
    H5Fclose(file);
    unlink(path);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    char path[64];
    pp_report *r = NULL;
    fresh(path);
    assert_int_equal(pp_report_open(&r, path), PP_EFORMAT); /* empty */
    assert_null(r);
    write_file(path, "pentaprism-report/9", 1);
    assert_int_equal(pp_report_open(&r, path), PP_EFORMAT);
    assert_non_null(strstr(pp_error_text(), path));
    assert_non_null(strstr(pp_error_text(), PP_REPORT_SCHEMA));
    write_file(path, PP_REPORT_SCHEMA, 1);
    assert_int_equal(pp_report_open(&r, path), PP_OK);
    pp_summary s;
    assert_int_equal(pp_summary_read(&s, r), PP_EFORMAT); /* its figures are missing */
    assert_non_null(strstr(pp_error_text(), "/workload/network"));
    pp_report_close(r);
    pp_content *c = NULL;
    assert_int_equal(pp_content_read(&c, path), PP_OK);
    assert_int_equal(pp_content_csv(c, "nosuch", stdout), PP_ENOTFOUND);
    assert_int_equal(pp_content_csv(c, "tiles", stdout), PP_ENOTFOUND);
    pp_content_free(c);
    pp_report_close(NULL);
    unlink(path);
    assert_int_equal(pp_report_open(&r, path), PP_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_read_back),       cmocka_unit_test(tables_as_csv),
        cmocka_unit_test(same_bytes_each_time),    cmocka_unit_test(every_dataset_is_described),
        cmocka_unit_test(other_files_are_refused), cmocka_unit_test(texts_are_as_wide_as_they_need),
        cmocka_unit_test(flags_are_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
