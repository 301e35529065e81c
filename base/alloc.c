#include "base/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE ((size_t)64)

/* Allocations until one fails on purpose; negative: none will. */
static atomic_long fail_countdown = -1;

void pp_alloc_fail_after(long n)
{
    atomic_store(&fail_countdown, n);
}

static bool fails_on_purpose(void)
{
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) < 0)
        return false;
    return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

/* Bytes of `count` elements, at least 1 so that the result is a pointer; false when too many. */
static bool bytes_of(size_t count, size_t size, size_t *bytes)
{
    if (size != 0 && count > (PTRDIFF_MAX - CACHE_LINE) / size)
        return false;
    *bytes = count * size;
    if (*bytes == 0)
        *bytes = 1;
    return true;
}

static void *checked(void *memory, size_t count, size_t size)
{
    if (!memory)
        (void)pp_fail(PP_ENOMEM, "out of memory (%zu elements of %zu bytes)", count, size);
    return memory;
}

void *pp_alloc(size_t count, size_t size)
{
    size_t bytes = 0;
    const bool possible = bytes_of(count, size, &bytes) && !fails_on_purpose();
    return checked(possible ? malloc(bytes) : NULL, count, size);
}

void *pp_calloc(size_t count, size_t size)
{
    size_t bytes = 0;
    const bool possible = bytes_of(count, size, &bytes) && !fails_on_purpose();
    return checked(possible ? calloc(1, bytes) : NULL, count, size);
}

void *pp_realloc(void *old, size_t count, size_t size)
{
    size_t bytes = 0;
    const bool possible = bytes_of(count, size, &bytes) && !fails_on_purpose();
    return checked(possible ? realloc(old, bytes) : NULL, count, size);
}

void *pp_alloc_aligned(size_t count, size_t size)
{
    size_t bytes = 0;
    if (!bytes_of(count, size, &bytes) || fails_on_purpose())
        return checked(NULL, count, size);
    bytes = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    void *memory = aligned_alloc(CACHE_LINE, bytes);
    if (memory)
        memset(memory, 0, bytes);
    return checked(memory, count, size);
}

char *pp_strdup(const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = pp_alloc(bytes, 1);
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

char *pp_strf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        (void)pp_fail(PP_EINTERNAL, "text cannot be formatted");
        return NULL;
    }
    char *text = pp_alloc((size_t)length + 1, 1);
    if (!text)
        return NULL;
    va_start(args, format);
    (void)vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void *pp_vec_grow_(void *data, size_t len, size_t *cap, size_t elem_size)
{
    if (len < *cap)
        return data;
    const size_t grown = *cap < 8 ? 8 : *cap > SIZE_MAX / 2 ? SIZE_MAX : *cap * 2;
    void *moved = pp_realloc(data, grown, elem_size);
    if (moved)
        *cap = grown;
    return moved;
}

bool pp_vec_set_(void *slot, void *grown)
{
    if (!grown)
        return false;
    memcpy(slot, &grown, sizeof grown);
    return true;
}
