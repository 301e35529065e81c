/* Allocations, counted at the linker's --wrap: how much is held at once. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void __wrap_free(void *p);

static size_t held, most, limit;

static void *took(void *p, size_t size)
{
    held += p ? malloc_usable_size(p) : 0;
    most = held > most ? held : most;
    if (limit && (held > limit || size > limit)) {
        fprintf(stderr, "%zu bytes asked for, %zu held: more than this input may take (%zu)\n", size, held, limit);
        abort();
    }
    return p;
}

void *__wrap_malloc(size_t size)
{
    return took(__real_malloc(size), size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return took(__real_calloc(count, size), count * size);
}

void *__wrap_realloc(void *old, size_t size)
{
    held -= old ? malloc_usable_size(old) : 0;
    return took(__real_realloc(old, size), size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return took(__real_aligned_alloc(align, size), size);
}

void __wrap_free(void *p)
{
    size_t size = p ? malloc_usable_size(p) : 0;
    held -= size < held ? size : held;
    __real_free(p);
}

void fuzz_limit(size_t bytes)
{
    held = most = 0;
    limit = bytes;
}

size_t fuzz_peak(void)
{
    return most;
}

const char *fuzz_file(const char *end, const uint8_t *data, size_t size)
{
    static char path[64];
    snprintf(path, sizeof path, "fuzz-%ld%.20s", (long)getpid(), end);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
        perror(path);
        exit(2);
    }
    return path;
}
