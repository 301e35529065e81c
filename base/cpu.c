/* sched_getaffinity is Linux's own; this file alone asks for it. */
#define _GNU_SOURCE
#include "base/pool.h"

#include <sched.h>
#include <unistd.h>

unsigned pp_cpu_count(void)
{
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    long count = 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        count = CPU_COUNT(&allowed);
    else /* more processors than cpu_set_t has bits */
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}
