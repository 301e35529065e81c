#include "test_base.h"

static void the_nearest_name_is_found(void **state)
{
    (void)state;
    static const char *const names[] = {"rows", "columns", "cell_bits", "read_noise", "drift"};
    const struct {
        const char *word, *near;
    } rows[] = {
        {"rowz", "rows"}, {"row", "rows"},       {"coulmns", "columns"},     {"cellbits", "cell_bits"},
        {"noise", NULL},  {"rows", "rows"},      {"readnois", "read_noise"}, {"xyz", NULL},
        {"", NULL},       {"temperature", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got = pp_nearest(rows[i].word, names, 5);
        if (rows[i].near)
            assert_string_equal(got, rows[i].near);
        else
            assert_null(got);
    }
}

static void ties_go_to_the_first_and_none_is_no_answer(void **state)
{
    (void)state;
    static const char *const names[] = {"abcd1", "abcd2"};
    assert_ptr_equal(pp_nearest("abcd3", names, 2), names[0]);
    assert_null(pp_nearest("abcd3", names, 0));
}

static void three_edits_are_near_and_four_are_not(void **state)
{
    (void)state;
    static const char *const names[] = {"abcdefgh"};
    assert_non_null(pp_nearest("xyzdefgh", names, 1));
    assert_null(pp_nearest("wxyzefgh", names, 1));
}

static void words_of_any_length_are_safe(void **state)
{
    (void)state;
    char word[300];
    memset(word, 'a', sizeof word);
    word[299] = '\0';
    const char *const names[] = {word, "rows"};
    assert_null(pp_nearest(word, names, 2));
    assert_string_equal(pp_nearest("rowz", names, 2), "rows");
    word[64] = '\0';
    assert_ptr_equal(pp_nearest(word, names, 2), word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_name_is_found),
        cmocka_unit_test(ties_go_to_the_first_and_none_is_no_answer),
        cmocka_unit_test(three_edits_are_near_and_four_are_not),
        cmocka_unit_test(words_of_any_length_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
