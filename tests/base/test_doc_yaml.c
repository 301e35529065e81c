#include "test_base.h"

#include <unistd.h>

static pp_status parse(pp_doc **doc, const char *text)
{
    return pp_doc_parse_yaml(doc, "f.yaml", text, strlen(text));
}

static void check_refused(const char *text, const char *message)
{
    pp_doc *doc = NULL;
    assert_failed(parse(&doc, text), PP_EFORMAT, message);
    assert_null(doc);
}

static void a_tree_is_read_with_its_lines(void **state)
{
    (void)state;
    pp_doc *doc = NULL;
    assert_int_equal(parse(&doc, "# a comment\n"
                                 "arch:\n"
                                 "  rows: 256\n"
                                 "  name: \"3\"\n"
                                 "list:\n"
                                 "  - a\n"
                                 "  - [1, 2]\n"
                                 "\n"
                                 "  - {x: y}\n"),
                     PP_OK);
    const pp_node *root = pp_doc_root(doc);
    assert_int_equal(root->kind, PP_DOC_MAP);
    assert_int_equal(root->n, 2);
    assert_int_equal(root->line, 2);
    assert_string_equal(root->file, "f.yaml");
    assert_string_equal(root->key[0], "arch");
    assert_string_equal(root->key[1], "list");

    const pp_node *arch = pp_node_get(root, "arch");
    assert_int_equal(arch->kind, PP_DOC_MAP);
    assert_int_equal(arch->key_line, 2);
    assert_int_equal(arch->line, 3);
    const pp_node *rows = pp_node_get(arch, "rows"), *name = pp_node_get(arch, "name");
    assert_string_equal(rows->text, "256");
    assert_false(rows->quoted);
    assert_int_equal(rows->line, 3);
    assert_string_equal(name->text, "3");
    assert_true(name->quoted);
    assert_int_equal(name->line, 4);
    assert_null(pp_node_get(arch, "columns"));
    assert_null(pp_node_get(rows, "rows"));
    assert_null(pp_node_get(NULL, "rows"));

    const pp_node *list = pp_node_get(root, "list");
    assert_int_equal(list->kind, PP_DOC_LIST);
    assert_int_equal(list->n, 3);
    assert_string_equal(list->child[0]->text, "a");
    assert_int_equal(list->child[1]->n, 2);
    assert_string_equal(list->child[1]->child[1]->text, "2");
    assert_int_equal(list->child[2]->line, 9);
    assert_string_equal(pp_node_get(list->child[2], "x")->text, "y");
    pp_doc_free(doc);
    pp_doc_free(NULL);
}

static void plain_null_is_nothing_and_quoted_null_is_text(void **state)
{
    (void)state;
    pp_doc *doc = NULL;
    assert_int_equal(parse(&doc, "[null, ~, Null, NULL, 'null', \"\", nul]"), PP_OK);
    const pp_node *root = pp_doc_root(doc);
    for (size_t i = 0; i < root->n; i++)
        assert_int_equal(root->child[i]->kind, i < 4 ? PP_DOC_NULL : PP_DOC_SCALAR);
    assert_null(root->child[0]->text);
    pp_doc_free(doc);
    assert_int_equal(parse(&doc, "a:\nb: 1\n"), PP_OK);
    assert_int_equal(pp_node_get(pp_doc_root(doc), "a")->kind, PP_DOC_NULL);
    pp_doc_free(doc);
}

static void empty_containers_and_long_texts(void **state)
{
    (void)state;
    pp_doc *doc = NULL;
    assert_int_equal(parse(&doc, "a: {}\nb: []\nc: |\n  two\n  lines\n"), PP_OK);
    const pp_node *root = pp_doc_root(doc);
    assert_int_equal(root->child[0]->kind, PP_DOC_MAP);
    assert_int_equal(root->child[0]->n, 0);
    assert_null(pp_node_get(root->child[0], "a"));
    assert_int_equal(root->child[1]->kind, PP_DOC_LIST);
    assert_string_equal(root->child[2]->text, "two\nlines\n");
    pp_doc_free(doc);
}

static void nothing_is_an_error(void **state)
{
    (void)state;
    check_refused("", "f.yaml:1: expected a YAML document, found nothing");
    check_refused("# only a comment\n", "f.yaml:1: expected a YAML document, found nothing");
}

static void what_we_do_not_take_is_refused_with_its_line(void **state)
{
    (void)state;
    check_refused("a: 1\nb: &x 2\n", "f.yaml:2: anchors are not supported");
    check_refused("a: &x [1]\n", "f.yaml:1: anchors are not supported");
    check_refused("a: 1\nb: *x\n", "f.yaml:2: aliases are not supported");
    check_refused("a: 1\n\nb: !!str 2\n", "f.yaml:3: tags are not supported");
    check_refused("a: !x {b: 1}\n", "f.yaml:1: tags are not supported");
    check_refused("a: 1\n---\nb: 2\n", "f.yaml:2: expected one document, found a second one");
    check_refused("[1]: 2\n", "f.yaml:1: expected a word as key");
    check_refused("? \n: 2\n", "f.yaml:1: expected a key before ':'");
    check_refused("a: \"x\\0y\"\n", "f.yaml:1: texts with a NUL character are not supported");
}

static void keys_given_twice_are_refused(void **state)
{
    (void)state;
    check_refused("a: 1\nb: 2\n\na: 3\n", "f.yaml:4: a: given twice (first on line 1)");
    check_refused("x:\n  c: 1\n  b: 1\n  b: 2\n  c: 2\n", "f.yaml:4: b: given twice (first on line 3)");
    check_refused("a: 1\n\"a\": 1\na: 1\n", "f.yaml:2: a: given twice (first on line 1)");
}

static void syntax_errors_are_one_line_with_a_place(void **state)
{
    (void)state;
    static const char *const texts[] = {"a: [1, 2\nb: 3\n", "a: 1\n b: 2\n", "\"unfinished",           "a:\n\t- x\n",
                                        "a: \x01\n",        "a: \xFF\xFE\n", "%YAML 9.9\n---\na: 1\n", "}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        pp_doc *doc = NULL;
        unsigned line = 0;
        assert_int_equal(parse(&doc, texts[i]), PP_EFORMAT);
        assert_int_equal(sscanf(pp_error_text(), "f.yaml:%u: ", &line), 1);
        assert_in_range(line, 1, 3);
        assert_null(strpbrk(pp_error_text(), "\n\r\t"));
    }
    check_refused("a: 1\nb: 2\nc: \x01\n", "f.yaml:3: control characters are not allowed");
}

/* Every length of random bytes must end in a tree or in one line of text. */
static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    static const char alphabet[] = "ab:- \n[]{},'\"#&*!|>%@`~\\\t\x01\xC3\xBC\xFF";
    pp_rng r = pp_rng_make(1, 1);
    for (int round = 0; round < 3000; round++) {
        char text[64];
        const size_t size = pp_rng_below(&r, sizeof text);
        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[pp_rng_below(&r, sizeof alphabet)]; /* NUL as well */
        pp_doc *doc = NULL;
        pp_error_clear();
        if (pp_doc_parse_yaml(&doc, "f.yaml", text, size) == PP_OK)
            assert_non_null(pp_doc_root(doc));
        else
            assert_int_equal(strncmp(pp_error_text(), "f.yaml:", 7), 0);
        assert_null(strchr(pp_error_text(), '\n'));
        pp_doc_free(doc);
    }
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
    check_refused(text, "f.yaml:1: nested too deeply");
}

static void files_are_read(void **state)
{
    (void)state;
    pp_doc *doc = NULL;
    put_text("test_doc.yaml", "a: 1\nb: [\n");
    assert_int_equal(pp_doc_read_yaml(&doc, "test_doc.yaml"), PP_EFORMAT);
    assert_int_equal(strncmp(pp_error_text(), "test_doc.yaml:3: ", 17), 0);
    put_text("test_doc.yaml", "a: 1\n");
    assert_int_equal(pp_doc_read_yaml(&doc, "test_doc.yaml"), PP_OK);
    assert_string_equal(pp_node_get(pp_doc_root(doc), "a")->text, "1");
    pp_doc_free(doc);
    (void)unlink("test_doc.yaml");
    assert_failed(pp_doc_read_yaml(&doc, "nowhere/test_doc.yaml"), PP_ENOTFOUND, "nowhere/test_doc.yaml: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_read_with_its_lines),
        cmocka_unit_test(plain_null_is_nothing_and_quoted_null_is_text),
        cmocka_unit_test(empty_containers_and_long_texts),
        cmocka_unit_test(nothing_is_an_error),
        cmocka_unit_test(what_we_do_not_take_is_refused_with_its_line),
        cmocka_unit_test(keys_given_twice_are_refused),
        cmocka_unit_test(syntax_errors_are_one_line_with_a_place),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
