/* posix_openpt and its kin are of the X/Open part of POSIX. */
#define _XOPEN_SOURCE 700
#include "test_base.h"

#include <fcntl.h>
#include <unistd.h>

static char captured[4096];

/* Runs `act` with stderr going to `fd`. */
static void with_stderr(int fd, void (*act)(void))
{
    (void)fflush(stderr);
    const int old = dup(STDERR_FILENO);
    assert_true(old >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    act();
    (void)fflush(stderr);
    assert_true(dup2(old, STDERR_FILENO) >= 0);
    close(old);
}

static void capture_pipe(void (*act)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    with_stderr(ends[1], act);
    close(ends[1]);
    const ssize_t n = read(ends[0], captured, sizeof captured - 1);
    captured[n > 0 ? n : 0] = '\0';
    close(ends[0]);
}

/* The same on a terminal; "" and false when there is none to be had. */
static bool capture_terminal(void (*act)(void))
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        return false;
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (slave < 0)
        return false;
    with_stderr(slave, act);
    assert_int_equal(write(slave, "$", 1), 1); /* so that there is something to read */
    size_t n = 0;
    while (n + 1 < sizeof captured && (n == 0 || captured[n - 1] != '$')) {
        const ssize_t got = read(master, captured + n, sizeof captured - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    captured[n] = '\0';
    close(slave);
    close(master);
    return true;
}

/* Half done after what looks like 9.5 seconds. */
static void half_a_job(void)
{
    pp_progress p;
    pp_progress_begin(&p, "layers", 200);
    p.start_s -= 9.5; /* so that a slow machine still shows ten seconds */
    p.shown_s -= 9.5;
    pp_progress_step(&p, 100);
    pp_warn("number %d", 7);
    p.shown_s += 100.0;
    pp_progress_step(&p, 100); /* too soon to be drawn again */
    assert_int_equal(p.done, 200);
    pp_progress_end(&p);
}

static void a_short_job(void)
{
    pp_progress p;
    pp_progress_begin(&p, "layers", 2);
    pp_progress_step(&p, 1);
    pp_progress_step(&p, 1);
    pp_progress_end(&p);
}

static void a_job_of_nothing(void)
{
    pp_progress p;
    pp_progress_begin(&p, "none", 0);
    p.start_s -= 10.0;
    p.shown_s -= 10.0;
    pp_progress_step(&p, 0);
    pp_progress_end(&p);
}

static void a_pipe_sees_warnings_only(void **state)
{
    (void)state;
    capture_pipe(half_a_job);
    assert_string_equal(captured, "pentaprism: warning: number 7\n");
}

static void quiet_is_quiet(void **state)
{
    (void)state;
    pp_term_set_quiet(true);
    capture_pipe(half_a_job);
    assert_string_equal(captured, "");
    if (capture_terminal(half_a_job))
        assert_string_equal(captured, "$");
    pp_term_set_quiet(false);
}

static void a_terminal_sees_a_bar_that_is_wiped(void **state)
{
    (void)state;
    if (!capture_terminal(half_a_job)) {
        print_message("skipped: no pseudo-terminal\n");
        skip();
    }
    assert_string_equal(captured, "\r\033[Klayers [###############...............]  50% ETA 0:10"
                                  "\r\033[Kpentaprism: warning: number 7\r\n$");
    assert_true(capture_terminal(a_short_job));
    assert_string_equal(captured, "$");
    assert_true(capture_terminal(a_job_of_nothing));
    assert_string_equal(captured, "\r\033[Knone [##############################] 100% ETA 0:00\r\033[K$");
}

static void clock_and_memory_make_sense(void **state)
{
    (void)state;
    const double before = pp_clock_s();
    assert_true(before > 0.0);
    assert_true(pp_clock_s() >= before);
    assert_true(pp_peak_rss_mb() > 0.1 && pp_peak_rss_mb() < 1e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_sees_warnings_only),
        cmocka_unit_test(quiet_is_quiet),
        cmocka_unit_test(a_terminal_sees_a_bar_that_is_wiped),
        cmocka_unit_test(clock_and_memory_make_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
