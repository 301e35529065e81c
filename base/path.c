#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

char *pp_path_join(const char *dir, const char *name)
{
    if (!dir || dir[0] == '\0' || name[0] == '/')
        return pp_strdup(name);
    const char *between = dir[strlen(dir) - 1] == '/' ? "" : "/";
    return pp_strf("%s%s%s", dir, between, name);
}

static char *copy_of(const char *text, size_t length)
{
    char *copy = pp_calloc(length + 1, 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

/* Length without trailing slashes; "/" keeps its own. */
static size_t trimmed(const char *path, size_t length)
{
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

/* Where the last component begins. */
static size_t base_start(const char *path, size_t length)
{
    size_t start = length;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return start;
}

char *pp_path_dir(const char *path)
{
    const size_t length = trimmed(path, strlen(path));
    return copy_of(path, trimmed(path, base_start(path, length)));
}

pp_status pp_path_named(char **path, const char *text)
{
    char *name = *path = copy_of(text, strlen(text));
    if (!name)
        return PP_ENOMEM;
    bool found = pp_file_exists(name);
    for (const char *at = strchr(text, ':'); !found && at; at = strchr(at + 1, ':')) {
        name[at - text] = '\0';
        found = pp_file_exists(name);
        if (!found)
            name[at - text] = ':';
    }
    if (!found) {
        free(name);
        *path = NULL;
    }
    return PP_OK;
}

char *pp_path_base(const char *path)
{
    const size_t length = trimmed(path, strlen(path));
    if (length == 1 && path[0] == '/')
        return copy_of(path, 1);
    const size_t start = base_start(path, length);
    return copy_of(path + start, length - start);
}
