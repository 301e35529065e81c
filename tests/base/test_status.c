#include "test_base.h"

#include <pthread.h>

static void every_code_has_a_text(void **state)
{
    (void)state;
    for (int code = 0; code < PP_STATUS_COUNT; code++) {
        assert_non_null(pp_status_text((pp_status)code));
        assert_true(strlen(pp_status_text((pp_status)code)) > 0);
    }
    assert_string_equal(pp_status_text(PP_OK), "done");
    assert_string_equal(pp_status_text(PP_EINFEASIBLE), "does not fit");
    assert_non_null(pp_status_text(PP_STATUS_COUNT));
}

static void texts_are_made_with_and_without_a_place(void **state)
{
    (void)state;
    assert_failed(pp_fail(PP_ERANGE, "%s is %d", "rows", 7), PP_ERANGE, "rows is 7");
    assert_failed(pp_fail_at(PP_EFORMAT, "a.yaml", 12, "bad %c", 'x'), PP_EFORMAT, "a.yaml:12: bad x");
    assert_failed(pp_fail_at(PP_EFORMAT, "a.yaml", 0, "bad"), PP_EFORMAT, "a.yaml: bad");
    assert_failed(pp_fail_in(PP_EFORMAT, "run.yaml:3"), PP_EFORMAT, "run.yaml:3: a.yaml: bad");
    pp_error_clear();
    assert_string_equal(pp_error_text(), "");
    assert_failed(pp_fail_in(PP_ENOMEM, "layer 3"), PP_ENOMEM, "layer 3: out of memory");
}

static void the_old_text_may_be_part_of_the_new_one(void **state)
{
    (void)state;
    (void)pp_fail(PP_EIO, "inner");
    assert_failed(pp_fail(PP_EIO, "outer (%s)", pp_error_text()), PP_EIO, "outer (inner)");
}

static void a_text_stays_one_harmless_line(void **state)
{
    (void)state;
    assert_failed(pp_fail(PP_EFORMAT, "a\nb\x1b[2Jc\r\td\x7f"), PP_EFORMAT, "a?b?[2Jc??d?");
    assert_failed(pp_fail(PP_EFORMAT, "gr\xC3\xBC\xC3\x9F"), PP_EFORMAT, "gr\xC3\xBC\xC3\x9F");
}

static void a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[5001];
    for (size_t shift = 0; shift < 2; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t i = shift; i + 1 < 5000; i += 2)
            memcpy(text + i, "\xC3\xBC", 2);
        text[5000] = '\0';
        (void)pp_fail(PP_EIO, "%s", text);
        const size_t length = strlen(pp_error_text());
        assert_in_range(length, 1000, 4096);
        assert_memory_equal(pp_error_text(), text, length);
        assert_int_equal((unsigned char)pp_error_text()[length - 1], 0xBC);
    }
}

static void *fail_in_a_thread(void *argument)
{
    const bool clean = pp_error_text()[0] == '\0';
    (void)pp_fail(PP_EIO, "of the thread");
    return clean ? argument : NULL;
}

static void each_thread_has_its_own_text(void **state)
{
    (void)state;
    (void)pp_fail(PP_EIO, "of the caller");
    pthread_t thread;
    void *result = NULL;
    int token = 0;
    assert_int_equal(pthread_create(&thread, NULL, fail_in_a_thread, &token), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &token);
    assert_string_equal(pp_error_text(), "of the caller");
}

static pp_status tries(pp_status inner, int *reached)
{
    PP_TRY(inner);
    *reached = 1;
    return PP_OK;
}

static pp_status goes(pp_status inner, int *reached)
{
    pp_status status = PP_OK;
    PP_GOTO(done, status, inner);
    *reached = 1;
done:
    return status;
}

static void the_macros_leave_on_failure_only(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(tries(PP_EIO, &reached), PP_EIO);
    assert_int_equal(goes(PP_ERANGE, &reached), PP_ERANGE);
    assert_int_equal(reached, 0);
    assert_int_equal(tries(PP_OK, &reached), PP_OK);
    assert_int_equal(reached, 1);
    reached = 0;
    assert_int_equal(goes(PP_OK, &reached), PP_OK);
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_text),
        cmocka_unit_test(texts_are_made_with_and_without_a_place),
        cmocka_unit_test(the_old_text_may_be_part_of_the_new_one),
        cmocka_unit_test(a_text_stays_one_harmless_line),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(each_thread_has_its_own_text),
        cmocka_unit_test(the_macros_leave_on_failure_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
