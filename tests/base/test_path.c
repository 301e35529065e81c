#include "test_base.h"

static void check(char *got, const char *expected)
{
    assert_non_null(got);
    assert_string_equal(got, expected);
    free(got);
}

static void paths_join(void **state)
{
    (void)state;
    check(pp_path_join("a", "b"), "a/b");
    check(pp_path_join("a/", "b"), "a/b");
    check(pp_path_join("/", "b"), "/b");
    check(pp_path_join("", "b"), "b");
    check(pp_path_join(NULL, "b/c"), "b/c");
    check(pp_path_join("a", "/b"), "/b");
}

static void paths_split(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"a/b/c.txt", "a/b", "c.txt"},
        {"c.txt", "", "c.txt"},
        {"/c", "/", "c"},
        {"a/b/", "a", "b"},
        {"a//b", "a", "b"},
        {"/", "/", "/"},
        {"//", "/", "/"},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check(pp_path_dir(rows[i][0]), rows[i][1]);
        check(pp_path_base(rows[i][0]), rows[i][2]);
    }
}

static void named(const char *text, const char *expected)
{
    char *path;
    assert_int_equal(pp_path_named(&path, text), PP_OK);
    if (expected)
        check(path, expected);
    else
        assert_null(path);
}

static void options_are_behind_a_file(void **state)
{
    (void)state;
    static const char *const files[] = {"path-net.onnx", "path-net.onnx:odd"};
    for (size_t i = 0; i < 2; i++) {
        FILE *f = fopen(files[i], "w");
        assert_non_null(f);
        fclose(f);
    }
    named("path-net.onnx", "path-net.onnx");
    named("path-net.onnx:output=/layer1/Relu:0", "path-net.onnx"); /* names with slashes and colons */
    named("./path-net.onnx:input=1x1x1", "./path-net.onnx");
    named("path-net.onnx:odd", "path-net.onnx:odd");
    named("path-net.onnx:", "path-net.onnx");
    named("path-none.onnx:output=a", NULL);
    named("", NULL);
    named(":", NULL);
    for (size_t i = 0; i < 2; i++)
        remove(files[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(paths_join), cmocka_unit_test(paths_split), cmocka_unit_test(options_are_behind_a_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
