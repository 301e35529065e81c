#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT ((size_t)16)
#define CHUNK_BYTES ((size_t)64 * 1024)

typedef struct chunk {
    struct chunk *next;
    size_t used, size; /* bytes of the payload */
} chunk;

/* Payloads begin a whole number of alignments after the chunk (malloc aligns the chunk itself). */
#define HEADER_BYTES ((sizeof(chunk) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

/* The first chunk is the one being filled; larger requests get chunks of their own behind it. */
struct pp_arena {
    chunk *first;
};

pp_status pp_arena_new(pp_arena **out)
{
    *out = pp_calloc(1, sizeof **out);
    return *out ? PP_OK : PP_ENOMEM;
}

static chunk *chunk_new(size_t payload)
{
    chunk *c = pp_calloc(HEADER_BYTES + payload, 1);
    if (c)
        c->size = payload;
    return c;
}

static void *chunk_take(chunk *c, size_t bytes)
{
    void *memory = (unsigned char *)c + HEADER_BYTES + c->used;
    c->used += bytes;
    return memory;
}

static void *take_own_chunk(pp_arena *arena, size_t bytes)
{
    chunk *c = chunk_new(bytes);
    if (!c)
        return NULL;
    if (arena->first) {
        c->next = arena->first->next;
        arena->first->next = c;
    } else {
        arena->first = c;
    }
    return chunk_take(c, bytes);
}

void *pp_arena_get(pp_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > (PTRDIFF_MAX - CHUNK_BYTES) / size) {
        (void)pp_fail(PP_ENOMEM, "out of memory (%zu elements of %zu bytes)", count, size);
        return NULL;
    }
    const size_t wanted = count * size > 0 ? count * size : 1;
    const size_t bytes = (wanted + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (arena->first && bytes <= arena->first->size - arena->first->used)
        return chunk_take(arena->first, bytes);
    if (bytes > CHUNK_BYTES / 4)
        return take_own_chunk(arena, bytes);
    chunk *c = chunk_new(CHUNK_BYTES);
    if (!c)
        return NULL;
    c->next = arena->first;
    arena->first = c;
    return chunk_take(c, bytes);
}

char *pp_arena_strdup(pp_arena *arena, const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = pp_arena_get(arena, bytes, 1);
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

void pp_arena_free(pp_arena *arena)
{
    if (!arena)
        return;
    while (arena->first) {
        chunk *next = arena->first->next;
        free(arena->first);
        arena->first = next;
    }
    free(arena);
}
