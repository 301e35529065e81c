/* Comparisons: orders under each normalisation, HDF5 there and back, CSV and text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pp_compare_row row(uint32_t pair, bool main_row, const char *fabric, double required, double wire_factor)
{
    pp_compare_row r = {.pair = pair, .main = main_row, .array_rows = 256, .array_cols = 256, .channel_gbps = 5.0,
                        .max_channel_required_gbps = required, .unthrottled_interval_ps = 1000,
                        .initiation_interval_ps = 2000};
    snprintf(r.network, sizeof r.network, "net");
    snprintf(r.fabric, sizeof r.fabric, "%s", fabric);
    snprintf(r.ports, sizeof r.ports, "1");
    for (pp_normalise n = 0; n < PP_NORMALISE_COUNT; n++)
        r.factor[n] = n == PP_NORMALISE_WIRE ? wire_factor : 1.0;
    return r;
}

/* b needs more of its channel until wire is held equal; then its channels are three times as wide. */
static void make(pp_comparison *c)
{
    *c = (pp_comparison){.n_rows = 3, .seed = 7};
    snprintf(c->normalise, sizeof c->normalise, "channel");
    snprintf(c->reference, sizeof c->reference, "a");
    c->command = pp_strdup("pentaprism compare");
    assert_non_null(c->command);
    c->row = pp_calloc(3, sizeof *c->row);
    assert_non_null(c->row);
    c->row[0] = row(0, true, "a:rows=1,cols=2", 5.0, 1.0);
    c->row[1] = row(0, false, "a:rows=1,cols=2", 9.0, 1.0);
    c->row[2] = row(1, true, "b", 10.0, 3.0);
    assert_int_equal(pp_comparison_rank(c), PP_OK);
}

static void orders_follow_the_normalisation(void **state)
{
    (void)state;
    pp_comparison c;
    make(&c);
    assert_int_equal(c.n_orders, PP_NORMALISE_COUNT);
    assert_string_equal(c.order[PP_NORMALISE_CHANNEL].order, "a 1 < b 2");
    assert_string_equal(c.order[PP_NORMALISE_WIRE].order, "b 0.667 < a 1");
    assert_string_equal(c.order[PP_NORMALISE_WIRE].normalise, "wire");
    c.row[2].max_channel_required_gbps = 5.0;
    assert_int_equal(pp_comparison_rank(&c), PP_OK);
    assert_string_equal(c.order[PP_NORMALISE_PINS].order, "a 1 = b 1");
    pp_comparison_free(&c);
}

static void contains(pp_comparison *c, const char *what, bool there)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_int_equal(pp_comparison_print(c, f), PP_OK);
    fclose(f);
    assert_true((strstr(text, what) != NULL) == there);
    free(text);
}

static void the_text_says_first_what_changes(void **state)
{
    (void)state;
    pp_comparison c;
    make(&c);
    contains(&c, "the order of the fabrics CHANGES", true);
    contains(&c, "wire       b 0.667 < a 1", true);
    for (pp_normalise n = 0; n < PP_NORMALISE_COUNT; n++)
        c.row[2].factor[n] = 0.9;
    assert_int_equal(pp_comparison_rank(&c), PP_OK);
    c.row[2].factor[0] = 1.0;
    contains(&c, "the order of the fabrics CHANGES", false);
    pp_comparison_free(&c);
}

static void files_give_back_what_was_written(void **state)
{
    (void)state;
    pp_comparison c, back;
    pp_config *config = NULL;
    const pp_knob_table table = pp_fabric_knobs();
    make(&c);
    assert_int_equal(pp_config_new(&config, &table, 1), PP_OK);
    unlink("compare.h5");
    assert_int_equal(pp_comparison_write("compare.h5", &c, config, false), PP_OK);
    assert_int_equal(pp_comparison_write("compare.h5", &c, config, false), PP_EEXIST);
    pp_report *r = NULL;
    assert_int_equal(pp_report_open(&r, "compare.h5"), PP_OK);
    assert_int_equal(pp_comparison_read(&back, r), PP_OK);
    assert_int_equal(back.n_rows, c.n_rows);
    assert_int_equal(back.n_orders, c.n_orders);
    assert_string_equal(back.reference, "a");
    assert_int_equal(back.seed, 7);
    for (uint32_t i = 0; i < c.n_rows; i++)
        assert_memory_equal(&back.row[i], &c.row[i], sizeof c.row[i]);
    for (uint32_t i = 0; i < c.n_orders; i++)
        assert_string_equal(back.order[i].order, c.order[i].order);
    pp_report_close(r);
    pp_comparison_free(&back);
    pp_comparison_free(&c);
    pp_config_free(config);
}

static void csv_has_a_line_a_row(void **state)
{
    (void)state;
    pp_comparison c;
    char *text = NULL;
    size_t size = 0, lines = 0;
    make(&c);
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_int_equal(pp_comparison_csv(&c, f), PP_OK);
    fclose(f);
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, 4);
    assert_non_null(strstr(text, ",\"a:rows=1,cols=2\","));
    free(text);
    pp_comparison_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_follow_the_normalisation),   cmocka_unit_test(the_text_says_first_what_changes),
        cmocka_unit_test(files_give_back_what_was_written), cmocka_unit_test(csv_has_a_line_a_row),
    };
    return cmocka_run_group_tests_name("report/compare", tests, NULL, NULL);
}
