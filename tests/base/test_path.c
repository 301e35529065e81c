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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(paths_join), cmocka_unit_test(paths_split)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
