/* A file that is not there: which one beside it has nearly its name. */
#include "base/base_internal.h"
#include "base/file.h"
#include "base/knob.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST ((size_t)4096) /* entries of a folder that are looked at */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a folder; a folder that cannot be read has none. Sorted, so that of several near ones it is always the same. */
static size_t list(char **name, const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *e; d != NULL && n < MOST && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && (name[n] = strdup(e->d_name)) != NULL)
            n++;
    if (d != NULL)
        (void)closedir(d);
    if (n > 0)
        qsort(name, n, sizeof *name, by_name);
    return n;
}

const char *pp_near_file(const char *path, char buffer[PP_NEAR_FILE_MAX])
{
    const char *slash = strrchr(path, '/'), *last = slash != NULL ? slash + 1 : path;
    char *folder = pp_path_dir(path), **name = malloc(MOST * sizeof *name);
    const size_t n = folder != NULL && name != NULL ? list(name, folder) : 0;
    const char *near = n > 0 ? pp_nearest(last, (const char *const *)name, n) : NULL;
    buffer[0] = 0;
    /* a path too long for the line is not worth half of one */
    if (near != NULL && (size_t)(last - path) + strlen(near) + sizeof "; did you mean ?" <= PP_NEAR_FILE_MAX)
        (void)snprintf(buffer, PP_NEAR_FILE_MAX, "; did you mean %.*s%s?", (int)(last - path), path, near);
    for (size_t i = 0; i < n; i++)
        free(name[i]);
    free(name);
    free(folder);
    return buffer;
}
