/* Pages of mapped files are given back as soon as a tensor has been read, so that walking a checkpoint
 * larger than memory keeps one tensor resident, not the file. */
#define _DEFAULT_SOURCE /* madvise: posix_madvise(POSIX_MADV_DONTNEED) does nothing in glibc */
#include "workloads/lm_internal.h"

#include <sys/mman.h>
#include <unistd.h>

void pp_lm_drop_pages_(const void *data, size_t size)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = (uintptr_t)data / page * page;
    const uintptr_t end = ((uintptr_t)data + size + page - 1) / page * page;
    /* Only advice: neighbours on the first and last page are read again when they are needed. */
    if (size > 0)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}
