#include "test_base.h"

#include <unistd.h>

static pp_status parse(pp_doc **doc, const char *text)
{
    return pp_doc_parse_json(doc, "f.json", text, strlen(text));
}

static void check_refused(const char *text, const char *message)
{
    pp_doc *doc = NULL;
    assert_failed(parse(&doc, text), PP_EFORMAT, message);
    assert_null(doc);
}

static void a_tree_is_read_with_exact_lines(void **state)
{
    (void)state;
    pp_doc *doc = NULL;
    assert_int_equal(parse(&doc, "{\n"
                                 "  \"a\": 1.50,\n"
                                 "  \"b\":\n"
                                 "    [true, false,\r\n"
                                 "     null, \"x\\ny\"],\n"
                                 "  \"c\": {}, \"d\": [ ]\n"
                                 "}\n"),
                     PP_OK);
    const pp_node *root = pp_doc_root(doc);
    assert_int_equal(root->kind, PP_DOC_MAP);
    assert_int_equal(root->n, 4);
    assert_int_equal(root->line, 1);
    const pp_node *a = pp_node_get(root, "a"), *b = pp_node_get(root, "b");
    assert_string_equal(a->text, "1.50");
    assert_false(a->quoted);
    assert_int_equal(a->line, 2);
    assert_int_equal(b->kind, PP_DOC_LIST);
    assert_int_equal(b->key_line, 3);
    assert_int_equal(b->line, 4);
    assert_string_equal(b->child[0]->text, "true");
    assert_string_equal(b->child[1]->text, "false");
    assert_int_equal(b->child[2]->kind, PP_DOC_NULL);
    assert_int_equal(b->child[2]->line, 5);
    assert_string_equal(b->child[3]->text, "x\ny");
    assert_true(b->child[3]->quoted);
    assert_int_equal(pp_node_get(root, "c")->kind, PP_DOC_MAP);
    assert_int_equal(pp_node_get(root, "c")->line, 6);
    assert_int_equal(pp_node_get(root, "d")->n, 0);
    pp_doc_free(doc);
}

static void check_text(const char *json, const char *expected)
{
    pp_doc *doc = NULL;
    assert_int_equal(parse(&doc, json), PP_OK);
    assert_string_equal(pp_doc_root(doc)->text, expected);
    pp_doc_free(doc);
}

static void escapes_become_utf8(void **state)
{
    (void)state;
    check_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
    check_text("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    check_text("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    check_text("\"\\u0001\\uD7FF\\uE000\\uffff\"", "\x01\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF");
    check_text("\"\\uDBFF\\uDFFF\"", "\xF4\x8F\xBF\xBF");
    check_text("\"\"", "");
    check_text("\"ends in a backslash \\\\\"", "ends in a backslash \\");
}

static void broken_texts_are_refused(void **state)
{
    (void)state;
    check_refused("\"\\u0000\"", "f.json:1: texts with a NUL character are not supported");
    check_refused("\n\"\\ud83d\"", "f.json:2: half of a surrogate pair");
    check_refused("\"\\ud83d\\u0041\"", "f.json:1: half of a surrogate pair");
    check_refused("\"\\ude00\\ud83d\"", "f.json:1: half of a surrogate pair");
    check_refused("\"\\u12g4\"", "f.json:1: expected four hexadecimal digits after \\u");
    check_refused("\"\\u12\"", "f.json:1: expected four hexadecimal digits after \\u");
    check_refused("\"\\x\"", "f.json:1: unknown escape in a text");
    check_refused("\"a\nb\"", "f.json:1: control character in a text");
    check_refused("[\n\"abc]", "f.json:2: a text that does not end");
    check_refused("\"abc\\\"", "f.json:1: a text that does not end");
    check_refused("\"abc\\", "f.json:1: a text that does not end");
}

/* One byte string for each way to be malformed (Unicode table 3-7). */
static void malformed_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\"\x80\"",         "\"\xC3\"",         "\"\xC0\xAF\"",         "\"\xC1\xBF\"",         "\"\xE0\x9F\xBF\"",
        "\"\xED\xA0\x80\"", "\"\xE2\x82\"",     "\"\xF0\x8F\xBF\xBF\"", "\"\xF4\x90\x80\x80\"", "\"\xF5\x80\x80\x80\"",
        "\"\xE2\x28\xA1\"", "\"\xF0\x9F\x98\"", "{\"\xFF\": 1}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_refused(texts[i], "f.json:1: malformed UTF-8 in a text");
    check_refused("\xEF\xBB\xBF{}", "f.json:1: expected a value, found byte 0xEF");
    char clean[16];
    pp_utf8_clean(clean, (const unsigned char *)"a\n\xC3\xA9\xFF\x7F\xE2\x82", 8);
    assert_string_equal(clean, "a?\xC3\xA9????");
    pp_utf8_clean(clean, (const unsigned char *)"\xE2\x80\xAE" "a\xE2\x80\xA6", 7); /* right to left; dots */
    assert_string_equal(clean, "???a\xE2\x80\xA6");
}

static void numbers_keep_their_text(void **state)
{
    (void)state;
    static const char *const good[] = {"0",   "-0",    "12",     "-7.25",
                                       "1e5", "1E+05", "0.5e-3", "123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        check_text(good[i], good[i]);
    check_refused("01", "f.json:1: a number with leading zeros");
    check_refused("-", "f.json:1: expected a digit, found the end of the text");
    check_refused("1.", "f.json:1: expected a digit, found the end of the text");
    check_refused("[1.e5]", "f.json:1: expected a digit, found 'e'");
    check_refused("[1e]", "f.json:1: expected a digit, found ']'");
    check_refused(".5", "f.json:1: expected a value, found '.'");
    check_refused("+1", "f.json:1: expected a value, found '+'");
    check_refused("NaN", "f.json:1: expected a value, found 'N'");
    check_refused("0x10", "f.json:1: expected the end of the text, found 'x'");
}

static void syntax_errors_have_their_line(void **state)
{
    (void)state;
    check_refused("", "f.json:1: expected a value, found the end of the text");
    check_refused("\n\n", "f.json:3: expected a value, found the end of the text");
    check_refused("{\n\"a\": 1,\n}", "f.json:3: expected a key in quotes, found '}'");
    check_refused("[1,\n2,]", "f.json:2: expected a value, found ']'");
    check_refused("[1 2]", "f.json:1: expected ',' or ']', found '2'");
    check_refused("{\"a\" 1}", "f.json:1: expected ':' after the key, found '1'");
    check_refused("{\"a\": 1;}", "f.json:1: expected ',' or '}', found ';'");
    check_refused("{a: 1}", "f.json:1: expected a key in quotes, found 'a'");
    check_refused("{} {}", "f.json:1: expected the end of the text, found '{'");
    check_refused("[\n1", "f.json:2: expected ',' or ']', found the end of the text");
    check_refused("tru", "f.json:1: expected a value, found 't'");
    check_refused("truefalse", "f.json:1: expected the end of the text, found 'f'");
    check_refused("// no\n1", "f.json:1: expected a value, found '/'");
}

static void a_nul_byte_is_no_end(void **state)
{
    (void)state;
    pp_doc *doc = NULL;
    assert_failed(pp_doc_parse_json(&doc, "f.json", "1\0", 2), PP_EFORMAT,
                  "f.json:1: expected the end of the text, found byte 0x00");
    assert_failed(pp_doc_parse_json(&doc, "f.json", "\"\\\0\"", 4), PP_EFORMAT, "f.json:1: unknown escape in a text");
}

static void keys_given_twice_are_refused(void **state)
{
    (void)state;
    check_refused("{\"a\": 1,\n \"b\": {\"x\": 1,\n\"x\": 2}}", "f.json:3: x: given twice (first on line 2)");
    check_refused("{\"a\":1,\n\"\\u0061\":2}", "f.json:2: a: given twice (first on line 1)");
}

static void large_maps_find_all_their_keys(void **state)
{
    (void)state;
    enum { N = 20000 };
    char *text = malloc(N * 24 + 8), key[16];
    assert_non_null(text);
    size_t at = 0;
    text[at++] = '{';
    for (unsigned i = 0; i < N; i++)
        at += (size_t)sprintf(text + at, "%s\"k%u\":%u", i ? ",\n" : "", i * 7919 % N, i);
    text[at++] = '}';
    pp_doc *doc = NULL;
    assert_int_equal(pp_doc_parse_json(&doc, "f.json", text, at), PP_OK);
    for (unsigned i = 0; i < N; i++) {
        int64_t value = -1;
        (void)sprintf(key, "k%u", i * 7919 % N);
        const pp_node *node = pp_node_get(pp_doc_root(doc), key);
        assert_non_null(node);
        assert_int_equal(node->line, i + 1);
        assert_int_equal(pp_node_i64(node, key, 0, N, &value), PP_OK);
        assert_int_equal(value, i);
    }
    assert_null(pp_node_get(pp_doc_root(doc), "k"));
    assert_null(pp_node_get(pp_doc_root(doc), "k20000"));
    pp_doc_free(doc);
    free(text);
}

static void depth_is_limited(void **state)
{
    (void)state;
    char text[200] = "";
    pp_doc *doc = NULL;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_int_equal(parse(&doc, text), PP_OK);
    pp_doc_free(doc);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    check_refused(text, "f.json:1: nested too deeply");
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]:,\"\\u0123ed.-+tfn \n\xC3\xA9\xFF";
    pp_rng r = pp_rng_make(1, 2);
    for (int round = 0; round < 5000; round++) {
        char *text = malloc(40); /* of its own, so that reading too far is seen */
        const size_t size = pp_rng_below(&r, 40);
        assert_non_null(text);
        char *exact = realloc(text, size > 0 ? size : 1);
        assert_non_null(exact);
        for (size_t i = 0; i < size; i++)
            exact[i] = alphabet[pp_rng_below(&r, sizeof alphabet)];
        pp_doc *doc = NULL;
        if (pp_doc_parse_json(&doc, "f.json", exact, size) != PP_OK)
            assert_int_equal(strncmp(pp_error_text(), "f.json:", 7), 0);
        pp_doc_free(doc);
        free(exact);
    }
}

static void files_are_read(void **state)
{
    (void)state;
    pp_doc *doc = NULL;
    put_text("test_doc.json", "{\"a\":\n [1, 2}\n");
    assert_failed(pp_doc_read_json(&doc, "test_doc.json"), PP_EFORMAT,
                  "test_doc.json:2: expected ',' or ']', found '}'");
    put_text("test_doc.json", "{\"a\": 1}\n");
    assert_int_equal(pp_doc_read_json(&doc, "test_doc.json"), PP_OK);
    assert_string_equal(pp_doc_root(doc)->file, "test_doc.json");
    pp_doc_free(doc);
    (void)unlink("test_doc.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_read_with_exact_lines),
        cmocka_unit_test(escapes_become_utf8),
        cmocka_unit_test(broken_texts_are_refused),
        cmocka_unit_test(malformed_utf8_is_refused),
        cmocka_unit_test(numbers_keep_their_text),
        cmocka_unit_test(syntax_errors_have_their_line),
        cmocka_unit_test(a_nul_byte_is_no_end),
        cmocka_unit_test(keys_given_twice_are_refused),
        cmocka_unit_test(large_maps_find_all_their_keys),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
