/* Files for fuzz targets: a folder of this process in memory, removed at the end. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

enum { MAX_NAMES = 16 };
static char names[MAX_NAMES][128];
static size_t n_names;

static void die(const char *what)
{
    perror(what);
    abort();
}

static void remove_files(void)
{
    for (size_t i = 0; i < n_names; i++)
        (void)unlink(names[i]);
    (void)rmdir(folder);
}

const char *pp_fuzz_folder(void)
{
    if (!folder[0]) {
        (void)snprintf(folder, sizeof folder, "%s/pp-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(folder))
            die(folder);
        (void)atexit(remove_files);
    }
    return folder;
}

static const char *full_name(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", pp_fuzz_folder(), name);
    for (size_t i = 0; i < n_names; i++)
        if (strcmp(names[i], path) == 0)
            return names[i];
    if (n_names == MAX_NAMES)
        abort();
    memcpy(names[n_names], path, sizeof path);
    return names[n_names++];
}

static const char *put(const char *name, const void *data, size_t size)
{
    const char *path = full_name(name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        die(path);
    return path;
}

void pp_fuzz_put(const char *name, const void *data, size_t size)
{
    (void)put(name, data, size);
}

const char *pp_fuzz_file(const char *ending, const uint8_t *data, size_t size)
{
    char name[64];
    (void)snprintf(name, sizeof name, "input%s", ending);
    return put(name, data, size);
}

void pp_fuzz_refused(pp_status status)
{
    const char *text = pp_error_text();
    if (status == PP_OK || !text || !text[0] || strchr(text, '\n')) {
        (void)fprintf(stderr, "a refusal (status %d) must have a text of one line, found: %s\n", (int)status, text ? text : "none");
        abort();
    }
}
