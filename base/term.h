/* What people see while something runs: progress bar with ETA and warnings, both on stderr. */
#ifndef PP_BASE_TERM_H
#define PP_BASE_TERM_H

#include <stdbool.h>
#include <stddef.h>

/* --quiet: no progress, no warnings. */
void pp_term_set_quiet(bool quiet);
/* Whether stdout may be coloured: it is a terminal that can, and NO_COLOR is not set (or empty). */
bool pp_term_colour(void);
/* One warning line: "pentaprism: warning: ...". Thread-safe. */
void pp_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A progress bar is drawn only on a TTY, only when the work has lasted 0.5 s, at most ten times a
 * second; inside of another one it stays silent. pp_progress_step is thread-safe. The object belongs to the caller; no allocation. */
typedef struct pp_progress {
    const char *label; /* borrowed */
    size_t total, done;
    double start_s, shown_s;
    bool live; /* stderr is a TTY and the run is not quiet */
    bool drawn;
} pp_progress;
void pp_progress_begin(pp_progress *p, const char *label, size_t total);
void pp_progress_step(pp_progress *p, size_t items);
void pp_progress_end(pp_progress *p); /* wipes the bar */

/* Monotonic wall clock in seconds (figures on the terminal and in --json only, never in reports). */
double pp_clock_s(void);
/* Peak resident memory of this process in MiB. */
double pp_peak_rss_mb(void);

#endif
