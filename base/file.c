#include "base/file.h"

#include "base/base_internal.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool pp_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* Opens a regular file. O_NONBLOCK: a pipe without a writer is refused, not waited for. */
static pp_status open_regular(int *fd, size_t *size, const char *path)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return pp_fail_errno(path, NULL);
    struct stat info;
    pp_status status = PP_OK;
    if (fstat(*fd, &info) != 0)
        status = pp_fail_errno(path, NULL);
    else if (!S_ISREG(info.st_mode))
        status = pp_fail(PP_EINVAL, "%s: expected a regular file, found %s", path,
                         S_ISDIR(info.st_mode) ? "a folder" : "a device, pipe or socket");
    if (status != PP_OK) {
        close(*fd);
        return status;
    }
    *size = (size_t)info.st_size;
    return PP_OK;
}

pp_status pp_file_map(pp_file **out, const char *path)
{
    *out = NULL;
    int fd = -1;
    pp_file *file = pp_calloc(1, sizeof *file);
    pp_status status = PP_ENOMEM;
    if (!file || !(file->path = pp_strdup(path)))
        goto done;
    PP_GOTO(done, status, open_regular(&fd, &file->size, path));
    if (file->size > 0) {
        void *data = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = pp_fail_errno(path, "cannot be mapped");
        else
            file->data = data;
    }
    close(fd); /* the map stays */
    if (status != PP_OK)
        goto done;
    *out = file;
    file = NULL;
done:
    pp_file_unmap(file);
    return status;
}

void pp_file_unmap(pp_file *file)
{
    if (!file)
        return;
    if (file->data)
        (void)munmap((void *)(uintptr_t)file->data, file->size);
    free(file->path);
    free(file);
}

/* Reads to the end, so that pipes work as well; at most max + 1 bytes, which shows an excess. */
static pp_status read_all(int fd, const char *path, size_t max, char **text, size_t *size)
{
    size_t room = 0;
    *size = 0;
    for (;;) {
        if (*size + 1 >= room) { /* one byte stays for the NUL */
            room = room == 0 ? 16384 : room * 2;
            char *grown = pp_realloc(*text, room, 1);
            if (!grown)
                return PP_ENOMEM;
            *text = grown;
        }
        const ssize_t got = read(fd, *text + *size, room - *size - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pp_fail_errno(path, NULL);
        if (got == 0)
            break;
        *size += (size_t)got;
        if (*size > max)
            return pp_fail(PP_ERANGE, "%s: larger than %zu bytes", path, max);
    }
    (*text)[*size] = '\0';
    return PP_OK;
}

static pp_status refuse_nul(const char *path, const char *text, size_t size)
{
    const char *nul = memchr(text, '\0', size);
    if (!nul)
        return PP_OK;
    unsigned line = 1;
    for (const char *c = text; c < nul; c++)
        line += *c == '\n';
    return pp_fail_at(PP_EFORMAT, path, line, "expected text, found a NUL byte");
}

pp_status pp_file_read_text(char **out, size_t *size, const char *path, size_t max)
{
    *out = NULL;
    char *text = NULL;
    size_t length = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pp_fail_errno(path, NULL);
    pp_status status = read_all(fd, path, max, &text, &length);
    close(fd);
    if (status == PP_OK)
        status = refuse_nul(path, text, length);
    if (status != PP_OK) {
        free(text);
        return status;
    }
    *out = text;
    if (size)
        *size = length;
    return PP_OK;
}
