#include "test_base.h"

#include <math.h>

static const char document[] = "{\n\"int\": 42,\n\"big\": 9223372036854775807,\n\"real\": -2.5e-3,\n"
                               "\"yes\": true,\n\"text\": \"42\",\n\"none\": null,\n\"list\": [],\n\"huge\": 1e999}";

static pp_doc *doc;

static int open_document(void **state)
{
    (void)state;
    return pp_doc_parse_json(&doc, "f.json", document, strlen(document)) == PP_OK ? 0 : -1;
}

static int close_document(void **state)
{
    (void)state;
    pp_doc_free(doc);
    return 0;
}

static const pp_node *node(const char *key)
{
    return pp_node_get(pp_doc_root(doc), key);
}

static void integers(void **state)
{
    (void)state;
    int64_t value = 7;
    assert_failed(pp_node_i64(node("int"), "x", 0, 41, &value), PP_EFORMAT,
                  "f.json:2: x: expected an integer from 0 to 41, found 42");
    assert_failed(pp_node_i64(node("int"), "x", 43, INT64_MAX, &value), PP_EFORMAT,
                  "f.json:2: x: expected an integer of at least 43, found 42");
    assert_failed(pp_node_i64(node("real"), "x", INT64_MIN, INT64_MAX, &value), PP_EFORMAT,
                  "f.json:4: x: expected an integer, found -2.5e-3");
    assert_failed(pp_node_i64(node("text"), "x", 0, 100, &value), PP_EFORMAT,
                  "f.json:6: x: expected an integer from 0 to 100, found \"42\"");
    assert_failed(pp_node_i64(node("list"), "x", 0, 1, &value), PP_EFORMAT,
                  "f.json:8: x: expected an integer from 0 to 1, found a list");
    assert_failed(pp_node_i64(NULL, "x", 0, 1, &value), PP_EFORMAT, "x: missing, expected an integer from 0 to 1");
    assert_int_equal(value, 7);
    assert_int_equal(pp_node_i64(node("int"), "x", 42, 42, &value), PP_OK);
    assert_int_equal(value, 42);
    assert_int_equal(pp_node_i64(node("big"), "x", 0, INT64_MAX, &value), PP_OK);
    assert_true(value == INT64_MAX);
}

static void reals_truths_and_texts(void **state)
{
    (void)state;
    double real = 0.0;
    bool truth = false;
    const char *text = NULL;
    assert_int_equal(pp_node_f64(node("real"), "x", &real), PP_OK);
    assert_true(real == -2.5e-3);
    assert_int_equal(pp_node_f64(node("int"), "x", &real), PP_OK);
    assert_true(real == 42.0);
    assert_failed(pp_node_f64(node("huge"), "x", &real), PP_EFORMAT, "f.json:9: x: expected a number, found 1e999");
    assert_failed(pp_node_f64(node("none"), "x", &real), PP_EFORMAT, "f.json:7: x: expected a number, found nothing");
    assert_int_equal(pp_node_bool(node("yes"), "x", &truth), PP_OK);
    assert_true(truth);
    assert_failed(pp_node_bool(node("int"), "x", &truth), PP_EFORMAT, "f.json:2: x: expected true or false, found 42");
    assert_int_equal(pp_node_text(node("text"), "x", &text), PP_OK);
    assert_string_equal(text, "42");
    assert_failed(pp_node_text(node("none"), "x", &text), PP_EFORMAT, "f.json:7: x: expected a text, found nothing");
}

static void needed_children(void **state)
{
    (void)state;
    const pp_node *child = NULL;
    assert_int_equal(pp_node_need(pp_doc_root(doc), "int", &child), PP_OK);
    assert_string_equal(child->text, "42");
    assert_failed(pp_node_need(pp_doc_root(doc), "rows", &child), PP_EFORMAT, "f.json:1: rows: missing");
    assert_failed(pp_node_need(node("list"), "rows", &child), PP_EFORMAT,
                  "f.json:8: expected a map with rows, found a list");
}

static void kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(pp_node_kind_text(node("int")), "a number");
    assert_string_equal(pp_node_kind_text(node("text")), "a text");
    assert_string_equal(pp_node_kind_text(node("none")), "nothing");
    assert_string_equal(pp_node_kind_text(node("list")), "a list");
    assert_string_equal(pp_node_kind_text(pp_doc_root(doc)), "a map");
}

static void whole_integers_only(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "0x10",
                                      "--1",
                                      "+",
                                      "-",
                                      "1_0",
                                      "abc",
                                      "9223372036854775808",
                                      "-9223372036854775809"};
    int64_t value = 5;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(pp_parse_i64(bad[i], &value));
    assert_int_equal(value, 5);
    assert_true(pp_parse_i64("-9223372036854775808", &value));
    assert_true(value == INT64_MIN);
    assert_true(pp_parse_i64("+017", &value));
    assert_int_equal(value, 17);
}

static void whole_finite_reals_only(void **state)
{
    (void)state;
    static const char *const bad[] = {"",  " 1",  "1 ", "nan", "inf",   "-infinity", "0x1p3", "1e",
                                      ".", "1e+", "+",  "1,5", "1e400", "1.2.3",     "e5"};
    double value = 5.0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(pp_parse_f64(bad[i], &value));
    assert_true(value == 5.0);
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0.1", 0.1}, {".5", 0.5}, {"5.", 5.0}, {"-1E+3", -1000.0}, {"1e-400", 0.0}, {"+2", 2.0}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(pp_parse_f64(good[i].text, &value));
        assert_true(value == good[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(reals_truths_and_texts),
        cmocka_unit_test(needed_children),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(whole_integers_only),
        cmocka_unit_test(whole_finite_reals_only),
    };
    return cmocka_run_group_tests(tests, open_document, close_document);
}
