#include "base/base_internal.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *pp_reason(int error, char buffer[PP_REASON_MAX])
{
    if (strerror_r(error, buffer, PP_REASON_MAX) != 0)
        (void)snprintf(buffer, PP_REASON_MAX, "error %d", error);
    return buffer;
}

static pp_status status_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return PP_ENOTFOUND;
    case ENOMEM:
        return PP_ENOMEM;
    case EEXIST:
        return PP_EEXIST;
    default:
        return PP_EIO;
    }
}

pp_status pp_fail_errno(const char *path, const char *what)
{
    const int error = errno;
    char reason[PP_REASON_MAX];
    pp_reason(error, reason);
    if (what)
        return pp_fail(status_of(error), "%s: %s: %s", path, what, reason);
    return pp_fail(status_of(error), "%s: %s%s", path, reason,
                   error == ENOENT ? pp_near_file(path, (char[PP_NEAR_FILE_MAX]){0}) : "");
}
