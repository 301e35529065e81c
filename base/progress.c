#include "base/term.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH 30
#define FIRST_SHOWN_S 0.5
#define REDRAW_S 0.1
#define WIPE_LINE "\r\033[K"

/* The terminal is one for the whole process, hence this state, guarded by the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool line_in_use; /* a bar stands on the current line */
static bool one_lives;   /* a bar may draw: bars that begin before it ends are parts of its work */
static atomic_bool quiet;

void pp_term_set_quiet(bool value)
{
    atomic_store(&quiet, value);
}

double pp_clock_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double pp_peak_rss_mb(void)
{
    struct rusage usage = {0};
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0.0;
    return (double)usage.ru_maxrss / 1024.0; /* Linux counts KiB */
}

bool pp_term_colour(void)
{
    const char *off = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (!off || off[0] == '\0') && (!term || strcmp(term, "dumb") != 0);
}

static void wipe(void)
{
    if (line_in_use)
        fputs(WIPE_LINE, stderr);
    line_in_use = false;
}

void pp_warn(const char *format, ...)
{
    if (atomic_load(&quiet))
        return;
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&lock);
    wipe(); /* the next step draws the bar again below the warning */
    fputs("pentaprism: warning: ", stderr);
    (void)vfprintf(stderr, format, args);
    fputc('\n', stderr);
    pthread_mutex_unlock(&lock);
    va_end(args);
}

void pp_progress_begin(pp_progress *p, const char *label, size_t total)
{
    *p = (pp_progress){.label = label, .total = total, .start_s = pp_clock_s()};
    p->shown_s = p->start_s;
    pthread_mutex_lock(&lock);
    p->live = !one_lives && !atomic_load(&quiet) && isatty(STDERR_FILENO) == 1;
    one_lives = one_lives || p->live;
    pthread_mutex_unlock(&lock);
}

/* "1:02:03", "2:03"; `text` holds 32 bytes. */
static void format_eta(double seconds, char text[32])
{
    const unsigned long s = seconds < 3.6e6 ? (unsigned long)ceil(seconds) : 3600000UL;
    if (s >= 3600)
        (void)snprintf(text, 32, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        (void)snprintf(text, 32, "%lu:%02lu", s / 60, s % 60);
}

static void draw(pp_progress *p, double now)
{
    const double share = p->total > 0 && p->done < p->total ? (double)p->done / (double)p->total : 1.0;
    char bar[BAR_WIDTH + 1], eta[32] = "-:--";
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < (int)(share * BAR_WIDTH) ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    if (share > 0.0)
        format_eta((now - p->start_s) * (1.0 - share) / share, eta);
    (void)fprintf(stderr, WIPE_LINE "%s [%s] %3d%% ETA %s", p->label, bar, (int)(share * 100.0), eta);
    (void)fflush(stderr);
    p->shown_s = now;
    p->drawn = line_in_use = true;
}

void pp_progress_step(pp_progress *p, size_t items)
{
    pthread_mutex_lock(&lock);
    p->done += items;
    if (p->live) {
        const double now = pp_clock_s();
        if (now - p->start_s >= FIRST_SHOWN_S && now - p->shown_s >= REDRAW_S)
            draw(p, now);
    }
    pthread_mutex_unlock(&lock);
}

void pp_progress_end(pp_progress *p)
{
    pthread_mutex_lock(&lock);
    if (p->drawn)
        wipe();
    one_lives = one_lives && !p->live;
    p->drawn = p->live = false;
    pthread_mutex_unlock(&lock);
}
