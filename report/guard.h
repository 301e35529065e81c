/* report/guard.h: reading files that may be damaged. libhdf5 can crash or run away on a corrupt file, so the work is
 * done in a child process with limits; whatever happens there is one status and one line here. */
#ifndef PP_REPORT_GUARD_H
#define PP_REPORT_GUARD_H

#include "base/base.h"

typedef struct pp_guard_limits {
    uint64_t memory_bytes; /* on top of what the process has mapped; not under sanitizers */
    unsigned cpu_s, wall_s;
} pp_guard_limits;

/* For reading these files (NULL entries allowed): 1 GiB and 12 bytes a byte of file; a minute and a second a MiB. */
pp_guard_limits pp_guard_for(const char *const *paths, size_t n);

/* What the child does: reads, and writes its result to the stream. *answer comes back to the caller. */
typedef pp_status (*pp_guarded_work)(void *context, void *stdio_file, uint64_t *answer);

/* Runs `work` in a child. When it succeeds, what it wrote is copied to `stdio_file` and *answer is set (NULL allowed);
 * otherwise nothing is written. A child that dies is PP_EFORMAT: "NAME: damaged: ...". The child never returns into
 * the caller's code; call it while no other thread of the process holds a lock. */
pp_status pp_guard(const char *name, const pp_guard_limits *limits, pp_guarded_work work, void *context,
                   void *stdio_file, uint64_t *answer);

#endif
