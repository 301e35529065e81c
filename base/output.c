#include "base/base_internal.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- temporaries under way ---- */

#define UNDER_WAY_MAX 256
static _Atomic(char *) under_way[UNDER_WAY_MAX]; /* more than these are not removed when a signal comes */

void pp_temporary_add(char *path)
{
    for (size_t i = 0; path != NULL && i < UNDER_WAY_MAX; i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&under_way[i], &none, path))
            return;
    }
}

void pp_temporary_drop(char *path)
{
    for (size_t i = 0; path != NULL && i < UNDER_WAY_MAX; i++) {
        char *own = path;
        if (atomic_compare_exchange_strong(&under_way[i], &own, NULL))
            return;
    }
}

void pp_temporaries_remove(void)
{
    for (size_t i = 0; i < UNDER_WAY_MAX; i++) {
        const char *path = atomic_load(&under_way[i]);
        if (path != NULL)
            (void)unlink(path);
    }
}

/* ---- outputs ---- */

/* lstat: a link is not a regular file either; replacing it would not write where it points. */
static pp_status check_target(const char *path, bool force)
{
    const size_t length = strlen(path);
    if (length == 0 || path[length - 1] == '/')
        return pp_fail(PP_EINVAL, "output '%s': expected the name of a file", path);
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT ? PP_OK : pp_fail_errno(path, "cannot be written");
    if (!S_ISREG(info.st_mode))
        return pp_fail(PP_EEXIST, "%s: exists and is not a regular file, so it is not overwritten", path);
    if (!force)
        return pp_fail(PP_EEXIST, "%s: exists already; --force overwrites it", path);
    return PP_OK;
}

/* The folder of the target must take a new file. */
static pp_status check_folder(const char *path)
{
    char *dir = pp_path_dir(path);
    if (!dir)
        return PP_ENOMEM;
    const char *folder = dir[0] != '\0' ? dir : ".";
    struct stat info;
    pp_status status = PP_OK;
    if (stat(folder, &info) != 0)
        status = pp_fail_errno(path, "the folder of this output cannot be used");
    else if (!S_ISDIR(info.st_mode))
        status = pp_fail(PP_EINVAL, "%s: cannot be written: '%s' is not a folder", path, folder);
    else if (access(folder, W_OK | X_OK) != 0)
        status = pp_fail_errno(path, "the folder of this output cannot be written");
    free(dir);
    return status;
}

pp_status pp_output_begin(pp_output *o, const char *path, bool force)
{
    *o = (pp_output){.force = force};
    PP_TRY(check_target(path, force));
    PP_TRY(check_folder(path));
    o->path = pp_strdup(path);
    o->temporary = pp_strf("%s.%ld.tmp", path, (long)getpid());
    pp_temporary_add(o->temporary);
    if (o->path && o->temporary)
        return PP_OK;
    pp_output_abort(o);
    return PP_ENOMEM;
}

static pp_status sync_file(const char *path, const char *shown)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pp_fail_errno(shown, "the output was not written");
    pp_status status = PP_OK;
    if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        status = pp_fail_errno(shown, "the output was not written");
    close(fd);
    return status;
}

/* Without force a file that came up meanwhile must survive, which rename does not promise and link
 * does. Filesystems without links fall back to rename. */
static pp_status put_in_place(const pp_output *o)
{
    if (!o->force) {
        if (link(o->temporary, o->path) == 0) {
            (void)unlink(o->temporary);
            return PP_OK;
        }
        if (errno == EEXIST)
            return pp_fail(PP_EEXIST, "%s: exists already; --force overwrites it", o->path);
    }
    if (rename(o->temporary, o->path) != 0)
        return pp_fail_errno(o->path, "the output was not written");
    return PP_OK;
}

static void forget(pp_output *o)
{
    pp_temporary_drop(o->temporary);
    free(o->path);
    free(o->temporary);
    o->path = o->temporary = NULL;
}

pp_status pp_output_commit(pp_output *o)
{
    pp_status status = sync_file(o->temporary, o->path);
    if (status == PP_OK)
        status = put_in_place(o);
    if (status != PP_OK) {
        pp_output_abort(o);
        return status;
    }
    o->committed = true;
    forget(o);
    return PP_OK;
}

void pp_output_abort(pp_output *o)
{
    if (!o)
        return;
    if (!o->committed && o->temporary)
        (void)unlink(o->temporary);
    forget(o);
}

/* A new file; what a killed process with our number left behind is removed first. */
static int create_file(const char *path)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    int fd = open(path, flags, 0666);
    if (fd < 0 && errno == EEXIST && unlink(path) == 0)
        fd = open(path, flags, 0666);
    return fd;
}

static pp_status write_all(int fd, const char *shown, const char *data, size_t size)
{
    while (size > 0) {
        const ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return pp_fail_errno(shown, "the output was not written");
        data += done;
        size -= (size_t)done;
    }
    return PP_OK;
}

pp_status pp_output_write(const char *path, const void *data, size_t size, bool force)
{
    pp_output o;
    PP_TRY(pp_output_begin(&o, path, force));
    pp_status status = PP_OK;
    const int fd = create_file(o.temporary);
    if (fd < 0) {
        status = pp_fail_errno(path, "the output cannot be created");
        goto done;
    }
    status = write_all(fd, path, data, size);
    if (close(fd) != 0 && status == PP_OK)
        status = pp_fail_errno(path, "the output was not written");
    if (status == PP_OK)
        status = pp_output_commit(&o);
done:
    pp_output_abort(&o);
    return status;
}
