#include "test_base.h"

#include <math.h>

static void check_print(const pp_json *json, bool pretty, const char *expected)
{
    char *text = NULL;
    assert_int_equal(pp_json_print(&text, json, pretty), PP_OK);
    assert_string_equal(text, expected);
    free(text);
}

static pp_json *sample(void)
{
    pp_json *root = pp_json_object();
    pp_json_add_text(root, "name", "a\tb\"\n");
    pp_json *rows = pp_json_add_list(root, "rows");
    for (int64_t i = 0; i < 2; i++) {
        pp_json *row = pp_json_add_object(rows, NULL);
        pp_json_add_i64(row, "i", i);
        pp_json_add_bool(row, "ok", i == 0);
    }
    pp_json_add_text(root, "none", NULL);
    pp_json_add_list(root, "empty");
    return root;
}

static void a_tree_is_printed_on_one_line(void **state)
{
    (void)state;
    pp_json *root = sample();
    check_print(root, false,
                "{\"name\":\"a\\tb\\\"\\n\",\"rows\":[{\"i\":0,\"ok\":true},{\"i\":1,\"ok\":false}],"
                "\"none\":null,\"empty\":[]}");
    pp_json_free(root);
}

static void a_tree_is_printed_for_people(void **state)
{
    (void)state;
    pp_json *root = sample();
    check_print(root, true,
                "{\n"
                "  \"name\": \"a\\tb\\\"\\n\",\n"
                "  \"rows\": [{\n"
                "      \"i\": 0,\n"
                "      \"ok\": true\n"
                "    }, {\n"
                "      \"i\": 1,\n"
                "      \"ok\": false\n"
                "    }],\n"
                "  \"none\": null,\n"
                "  \"empty\": []\n"
                "}");
    pp_json_free(root);
}

static void integers_are_exact(void **state)
{
    (void)state;
    pp_json *list = pp_json_list();
    pp_json_add_i64(list, NULL, INT64_MAX);
    pp_json_add_i64(list, NULL, INT64_MIN);
    pp_json_add_i64(list, NULL, INT64_C(9007199254740993)); /* 2^53 + 1: no double */
    check_print(list, false, "[9223372036854775807,-9223372036854775808,9007199254740993]");
    pp_json_free(list);
}

static void reals_are_short_and_come_back(void **state)
{
    (void)state;
    pp_json *list = pp_json_list();
    const double values[] = {0.1, 1.0, -2.5e-7, 1e300, 1.0 / 3.0, 0.1 + 0.2, -0.0, 5e-324, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        pp_json_add_f64(list, NULL, values[i]);
    check_print(
        list, false,
        "[0.1,1,-2.5e-07,1e+300,0.3333333333333333,0.30000000000000004,-0,4.94065645841247e-324,null,null,null]");
    pp_json_free(list);
}

static void random_reals_come_back(void **state)
{
    (void)state;
    pp_rng r = pp_rng_make(3, 3);
    for (int i = 0; i < 2000; i++) {
        const uint64_t bits = pp_rng_u64(&r);
        double value = 0.0, back = 0.0;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        char *text = NULL;
        pp_json *list = pp_json_list();
        pp_json_add_f64(list, NULL, value);
        assert_int_equal(pp_json_print(&text, list, false), PP_OK);
        text[strlen(text) - 1] = '\0';
        assert_true(pp_parse_f64(text + 1, &back));
        assert_memory_equal(&back, &value, sizeof value);
        free(text);
        pp_json_free(list);
    }
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
    (void)state;
    pp_json *root = pp_json_object();
    pp_json_add_text(root, "k\xFF", "a\xC3\xBC\x80z\xE2\x82");
    check_print(root, false, "{\"k\xEF\xBF\xBD\":\"a\xC3\xBC\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\"}");
    pp_json_free(root);
}

/* What is written can be read. */
static void the_reader_takes_it_back(void **state)
{
    (void)state;
    char *text = NULL;
    pp_doc *doc = NULL;
    pp_json *root = sample();
    assert_int_equal(pp_json_print(&text, root, true), PP_OK);
    assert_int_equal(pp_doc_parse_json(&doc, "out", text, strlen(text)), PP_OK);
    assert_string_equal(pp_node_get(pp_doc_root(doc), "name")->text, "a\tb\"\n");
    assert_string_equal(pp_node_get(pp_node_get(pp_doc_root(doc), "rows")->child[1], "i")->text, "1");
    pp_doc_free(doc);
    free(text);
    pp_json_free(root);
}

static void failed_allocations_show_at_the_end(void **state)
{
    (void)state;
    bool done = false;
    for (long n = 0; !done; n++) {
        char *text = NULL;
        pp_alloc_fail_after(n);
        pp_json *root = sample();
        const pp_status status = pp_json_print(&text, root, true);
        pp_alloc_fail_after(-1);
        done = status == PP_OK;
        if (!done) {
            assert_int_equal(status, PP_ENOMEM);
            assert_null(text);
        }
        free(text);
        pp_json_free(root);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_printed_on_one_line),
        cmocka_unit_test(a_tree_is_printed_for_people),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(reals_are_short_and_come_back),
        cmocka_unit_test(random_reals_come_back),
        cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
        cmocka_unit_test(the_reader_takes_it_back),
        cmocka_unit_test(failed_allocations_show_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
