/* A child process that reads what may crash it. */
#include "report/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* shadow memory takes all of the address space, and findings go to stderr */
#else
#define SANITIZED 0
#endif

/* What the child says at its end. */
typedef struct message {
    uint32_t magic, status;
    uint64_t answer;
    char text[1024];
} message;
#define MAGIC 0x70705250u

pp_guard_limits pp_guard_for(const char *const *paths, size_t n)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        struct stat s;
        if (paths[i] != NULL && stat(paths[i], &s) == 0 && s.st_size > 0)
            bytes += (uint64_t)s.st_size;
    }
    unsigned cpu_s = 60 + (unsigned)(bytes >> 20 < 3600 ? bytes >> 20 : 3600);
    return (pp_guard_limits){.memory_bytes = ((uint64_t)1 << 30) + 12 * bytes, .cpu_s = cpu_s, .wall_s = 10 * cpu_s};
}

/* ---- the child ---- */

static uint64_t mapped_bytes(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%llu", &pages) != 1)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit(int what, uint64_t value)
{
    struct rlimit l;
    if (getrlimit(what, &l) != 0)
        return;
    l.rlim_cur = l.rlim_max == RLIM_INFINITY || value < l.rlim_max ? (rlim_t)value : l.rlim_max;
    setrlimit(what, &l);
}

static void confine(const pp_guard_limits *limits)
{
    static const int deaths[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU};
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, limits->cpu_s);
    uint64_t mapped = mapped_bytes();
    if (SANITIZED)
        return;
    if (mapped > 0)
        limit(RLIMIT_AS, mapped + limits->memory_bytes);
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++)
        signal(deaths[i], SIG_DFL);
    /* libraries that abort say so in lines of their own */
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
}

static void child(int to, const pp_guard_limits *limits, pp_guarded_work work, void *context, FILE *out)
{
    message m = {.magic = MAGIC};
    confine(limits);
    m.status = (uint32_t)work(context, out, &m.answer);
    if (m.status == PP_OK && (fflush(out) != 0 || ferror(out)))
        m.status = (uint32_t)pp_fail(PP_EIO, "the result cannot be kept in a temporary file (disk full?)");
    const char *text = m.status != PP_OK ? pp_error_text() : "";
    memcpy(m.text, text, strnlen(text, sizeof m.text - 1));
    ssize_t n = write(to, &m, sizeof m); /* below PIPE_BUF: whole or not at all */
    _exit(n == (ssize_t)sizeof m ? 0 : 1);
}

/* ---- the parent ---- */

/* True when the whole message came before `wall_s` was over. */
static bool listen_to(int from, unsigned wall_s, message *m, bool *late)
{
    size_t have = 0;
    double end_s = pp_clock_s() + wall_s;
    while (have < sizeof *m) {
        double left_s = end_s - pp_clock_s();
        struct pollfd p = {.fd = from, .events = POLLIN};
        int ready = left_s > 0 ? poll(&p, 1, left_s < 1e6 ? (int)(1e3 * left_s) + 1 : 1000000000) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            *late = ready == 0;
            return false;
        }
        ssize_t n = read(from, (char *)m + have, sizeof *m - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return m->magic == MAGIC && m->status < PP_STATUS_COUNT;
}

static pp_status obituary(const char *name, const pp_guard_limits *limits, int state, bool late)
{
    int by = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    if (late || by == SIGXCPU || by == SIGKILL)
        return pp_fail(PP_EFORMAT, "%s: damaged: reading it was given up after %u s", name, late ? limits->wall_s : limits->cpu_s);
    if (by != 0)
        return pp_fail(PP_EFORMAT, "%s: damaged: the HDF5 library crashed reading it (%s)", name, strsignal(by));
    return pp_fail(PP_EFORMAT, "%s: damaged: reading it ended early (exit status %d)", name, WIFEXITED(state) ? WEXITSTATUS(state) : -1);
}

static pp_status verdict(const char *name, const pp_guard_limits *limits, const message *m)
{
    if (m->status == PP_ENOMEM)
        return pp_fail(PP_ENOMEM, "%s: damaged, or too large: reading it needs more than %" PRIu64 " MiB", name,
                       limits->memory_bytes >> 20);
    return m->status == PP_OK ? PP_OK : pp_fail((pp_status)m->status, "%.*s", (int)sizeof m->text - 1, m->text);
}

static pp_status copy(FILE *from, FILE *to)
{
    char buffer[1 << 14];
    size_t n;
    rewind(from);
    while ((n = fread(buffer, 1, sizeof buffer, from)) > 0)
        if (fwrite(buffer, 1, n, to) != n)
            return pp_fail(PP_EIO, "the result cannot be written (disk full?)");
    return ferror(from) || fflush(to) != 0 ? pp_fail(PP_EIO, "the result cannot be written (disk full?)") : PP_OK;
}

static pp_status run(const char *name, const pp_guard_limits *limits, pp_guarded_work work, void *context, FILE *result,
                     uint64_t *answer)
{
    int ends[2], state = 0;
    message m = {0};
    bool late = false;
    if (pipe(ends) != 0)
        return pp_fail(PP_EIO, "no pipe to a child process: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(ends[1], limits, work, context, result);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pp_fail(PP_EIO, "no child process: %s", strerror(errno));
    }
    bool told = listen_to(ends[0], limits->wall_s, &m, &late);
    close(ends[0]);
    if (!told && late)
        kill(pid, SIGKILL);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        ;
    if (!told || !WIFEXITED(state) || WEXITSTATUS(state) != 0)
        return obituary(name, limits, state, late);
    if (answer != NULL)
        *answer = m.answer;
    return verdict(name, limits, &m);
}

pp_status pp_guard(const char *name, const pp_guard_limits *limits, pp_guarded_work work, void *context,
                   void *stdio_file, uint64_t *answer)
{
    FILE *result = tmpfile();
    if (result == NULL)
        return pp_fail(PP_EIO, "no temporary file: %s", strerror(errno));
    pp_status status = run(name, limits, work, context, result, answer);
    if (status == PP_OK)
        status = copy(result, stdio_file);
    fclose(result);
    return status;
}
