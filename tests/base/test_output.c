#include "test_base.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY "test_output.dir"
#define NAME DIRECTORY "/out"

/* Number of files in the folder; `remove_them`: and removes them. */
static int files(bool remove_them)
{
    int n = 0;
    DIR *dir = opendir(DIRECTORY);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        n++;
        char path[512];
        (void)snprintf(path, sizeof path, DIRECTORY "/%.250s", e->d_name);
        if (remove_them && unlink(path) != 0)
            assert_int_equal(rmdir(path), 0);
    }
    closedir(dir);
    return n;
}

static int begin(void **state)
{
    (void)state;
    (void)mkdir(DIRECTORY, 0777);
    (void)files(true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    (void)chmod(DIRECTORY, 0777);
    (void)files(true);
    return rmdir(DIRECTORY);
}

static void a_file_appears_whole(void **state)
{
    (void)state;
    assert_int_equal(pp_output_write(NAME, "hello", 5, false), PP_OK);
    assert_file_text(NAME, "hello");
    assert_int_equal(files(false), 1);
}

static void an_existing_file_needs_force(void **state)
{
    (void)state;
    put_text(NAME, "old");
    assert_failed(pp_output_write(NAME, "new", 3, false), PP_EEXIST, NAME ": exists already; --force overwrites it");
    assert_file_text(NAME, "old");
    assert_int_equal(pp_output_write(NAME, "new", 3, true), PP_OK);
    assert_file_text(NAME, "new");
    assert_int_equal(files(false), 1);
}

static void what_is_no_regular_file_is_never_replaced(void **state)
{
    (void)state;
    const char *text = NAME ": exists and is not a regular file, so it is not overwritten";
    assert_int_equal(mkdir(NAME, 0777), 0);
    assert_failed(pp_output_write(NAME, "x", 1, true), PP_EEXIST, text);
    assert_int_equal(rmdir(NAME), 0);
    assert_int_equal(symlink("nowhere", NAME), 0);
    assert_failed(pp_output_write(NAME, "x", 1, true), PP_EEXIST, text);
    assert_int_equal(unlink(NAME), 0);
    assert_int_equal(mkfifo(NAME, 0666), 0);
    assert_failed(pp_output_write(NAME, "x", 1, false), PP_EEXIST, text);
}

static void impossible_places_are_refused(void **state)
{
    (void)state;
    pp_output o;
    assert_failed(pp_output_begin(&o, "", true), PP_EINVAL, "output '': expected the name of a file");
    assert_failed(pp_output_begin(&o, DIRECTORY "/", true), PP_EINVAL,
                  "output '" DIRECTORY "/': expected the name of a file");
    assert_failed(pp_output_begin(&o, DIRECTORY "/none/out", false), PP_ENOTFOUND,
                  DIRECTORY "/none/out: the folder of this output cannot be used: No such file or directory");
    pp_output_abort(&o);
    put_text(NAME, "a file");
    assert_int_equal(pp_output_begin(&o, NAME "/out", false), PP_ENOTFOUND);
    pp_output_abort(&o);
}

static void a_folder_that_cannot_be_written_is_refused(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        print_message("skipped: root may write everywhere\n");
        skip();
    }
    assert_int_equal(chmod(DIRECTORY, 0555), 0);
    assert_failed(pp_output_write(NAME, "x", 1, false), PP_EIO,
                  NAME ": the folder of this output cannot be written: Permission denied");
}

static void an_aborted_output_leaves_nothing(void **state)
{
    (void)state;
    pp_output o;
    assert_int_equal(pp_output_begin(&o, NAME, false), PP_OK);
    assert_int_equal(strncmp(o.temporary, NAME ".", strlen(NAME) + 1), 0);
    put_text(o.temporary, "half");
    assert_int_equal(files(false), 1);
    pp_output_abort(&o);
    pp_output_abort(&o);
    pp_output_abort(NULL);
    assert_int_equal(files(false), 0);
}

static void abort_after_commit_has_no_effect(void **state)
{
    (void)state;
    pp_output o;
    assert_int_equal(pp_output_begin(&o, NAME, false), PP_OK);
    put_text(o.temporary, "whole");
    assert_int_equal(pp_output_commit(&o), PP_OK);
    pp_output_abort(&o);
    assert_file_text(NAME, "whole");
    assert_int_equal(files(false), 1);
}

static void a_file_that_came_up_meanwhile_is_kept(void **state)
{
    (void)state;
    pp_output o;
    assert_int_equal(pp_output_begin(&o, NAME, false), PP_OK);
    put_text(o.temporary, "ours");
    put_text(NAME, "theirs");
    assert_failed(pp_output_commit(&o), PP_EEXIST, NAME ": exists already; --force overwrites it");
    assert_file_text(NAME, "theirs");
    assert_int_equal(files(false), 1);
}

static void a_commit_without_the_file_fails(void **state)
{
    (void)state;
    pp_output o;
    assert_int_equal(pp_output_begin(&o, NAME, false), PP_OK);
    assert_failed(pp_output_commit(&o), PP_ENOTFOUND, NAME ": the output was not written: No such file or directory");
    assert_int_equal(files(false), 0);
}

static void what_a_killed_run_left_is_no_obstacle(void **state)
{
    (void)state;
    pp_output o;
    assert_int_equal(pp_output_begin(&o, NAME, false), PP_OK);
    put_text(o.temporary, "left over, and longer");
    assert_int_equal(pp_output_write(NAME, "new", 3, false), PP_OK);
    assert_file_text(NAME, "new");
    assert_int_equal(files(false), 1);
    pp_output_abort(&o);
}

/* A limit on file size stands in for a full disk. */
static void a_failed_write_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit old, small;
    static char data[100000];
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 50000;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const pp_status status = pp_output_write(NAME, data, sizeof data, false);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_failed(status, PP_EIO, NAME ": the output was not written: File too large");
    assert_int_equal(files(false), 0);
}

static void allocation_failures_are_reported(void **state)
{
    (void)state;
    for (long n = 0; n < 3; n++) {
        pp_alloc_fail_after(n);
        const pp_status status = pp_output_write(NAME, "x", 1, false);
        pp_alloc_fail_after(-1);
        assert_int_equal(status, PP_ENOMEM);
        assert_int_equal(files(false), 0);
    }
}

int main(void)
{
#define OUTPUT_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        OUTPUT_TEST(a_file_appears_whole),
        OUTPUT_TEST(an_existing_file_needs_force),
        OUTPUT_TEST(what_is_no_regular_file_is_never_replaced),
        OUTPUT_TEST(impossible_places_are_refused),
        OUTPUT_TEST(a_folder_that_cannot_be_written_is_refused),
        OUTPUT_TEST(an_aborted_output_leaves_nothing),
        OUTPUT_TEST(abort_after_commit_has_no_effect),
        OUTPUT_TEST(a_file_that_came_up_meanwhile_is_kept),
        OUTPUT_TEST(a_commit_without_the_file_fails),
        OUTPUT_TEST(what_a_killed_run_left_is_no_obstacle),
        OUTPUT_TEST(a_failed_write_leaves_nothing),
        OUTPUT_TEST(allocation_failures_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
