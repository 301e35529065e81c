#include "test_base.h"

#include <sys/stat.h>
#include <unistd.h>

#define NAME "test_file.tmp"

static int clean(void **state)
{
    (void)state;
    (void)unlink(NAME);
    (void)rmdir(NAME);
    return 0;
}

static void a_map_shows_the_bytes(void **state)
{
    (void)state;
    pp_file *file = NULL;
    put_file(NAME, "a\0b\n", 4);
    assert_true(pp_file_exists(NAME));
    assert_int_equal(pp_file_map(&file, NAME), PP_OK);
    assert_int_equal(file->size, 4);
    assert_memory_equal(file->data, "a\0b\n", 4);
    assert_string_equal(file->path, NAME);
    pp_file_unmap(file);
    pp_file_unmap(NULL);
}

static void an_empty_file_maps_to_nothing(void **state)
{
    (void)state;
    pp_file *file = NULL;
    put_text(NAME, "");
    assert_int_equal(pp_file_map(&file, NAME), PP_OK);
    assert_int_equal(file->size, 0);
    assert_null(file->data);
    pp_file_unmap(file);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    pp_file *file = NULL;
    assert_false(pp_file_exists(NAME));
    assert_failed(pp_file_map(&file, "nowhere/" NAME), PP_ENOTFOUND, "nowhere/" NAME ": No such file or directory");
    put_text("far-from-others.tmp", "x");
    assert_failed(pp_file_map(&file, "./far-form-other.tmp"), PP_ENOTFOUND,
                  "./far-form-other.tmp: No such file or directory; did you mean ./far-from-others.tmp?");
    (void)unlink("far-from-others.tmp");
    assert_null(file);
    assert_int_equal(mkdir(NAME, 0777), 0);
    assert_failed(pp_file_map(&file, NAME), PP_EINVAL, NAME ": expected a regular file, found a folder");
    char *text = NULL;
    assert_failed(pp_file_read_text(&text, NULL, NAME, 10), PP_EIO, NAME ": Is a directory");
    assert_int_equal(rmdir(NAME), 0);
    assert_int_equal(mkfifo(NAME, 0666), 0); /* must not wait for a writer */
    assert_failed(pp_file_map(&file, NAME), PP_EINVAL,
                  NAME ": expected a regular file, found a device, pipe or socket");
}

static void text_is_read_whole(void **state)
{
    (void)state;
    static char big[100001];
    char *text = NULL;
    size_t size = 0;
    memset(big, 'x', 100000);
    put_text(NAME, big);
    assert_int_equal(pp_file_read_text(&text, &size, NAME, 100000), PP_OK);
    assert_int_equal(size, 100000);
    assert_string_equal(text, big);
    free(text);
    put_text(NAME, "");
    assert_int_equal(pp_file_read_text(&text, NULL, NAME, 0), PP_OK);
    assert_string_equal(text, "");
    free(text);
}

static void text_too_long_or_binary_is_refused(void **state)
{
    (void)state;
    char *text = NULL;
    put_text(NAME, "12345");
    assert_failed(pp_file_read_text(&text, NULL, NAME, 4), PP_ERANGE, NAME ": larger than 4 bytes");
    put_file(NAME, "a\nb\0c", 5);
    assert_failed(pp_file_read_text(&text, NULL, NAME, 100), PP_EFORMAT, NAME ":2: expected text, found a NUL byte");
    assert_null(text);
}

static void allocation_failures_leave_nothing(void **state)
{
    (void)state;
    put_text(NAME, "text");
    pp_file *file = NULL;
    char *text = NULL;
    for (long n = 0; n < 2; n++) {
        pp_alloc_fail_after(n);
        assert_int_equal(pp_file_map(&file, NAME), PP_ENOMEM);
        assert_null(file);
    }
    pp_alloc_fail_after(0);
    assert_int_equal(pp_file_read_text(&text, NULL, NAME, 100), PP_ENOMEM);
    pp_alloc_fail_after(-1);
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_map_shows_the_bytes, clean, clean),
        cmocka_unit_test_setup_teardown(an_empty_file_maps_to_nothing, clean, clean),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, clean, clean),
        cmocka_unit_test_setup_teardown(text_is_read_whole, clean, clean),
        cmocka_unit_test_setup_teardown(text_too_long_or_binary_is_refused, clean, clean),
        cmocka_unit_test_setup_teardown(allocation_failures_leave_nothing, clean, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
