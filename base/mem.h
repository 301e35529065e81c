/* Memory: checked allocation, arena, growable arrays. */
#ifndef PP_BASE_MEM_H
#define PP_BASE_MEM_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* malloc/calloc/realloc of `count` elements of `size` bytes with overflow check. On failure they
 * return NULL and record PP_ENOMEM's text. A count of 0 gives a valid, freeable pointer.
 * pp_alloc_aligned: 64-byte aligned, zeroed; freed with free() like the others. */
void *pp_alloc(size_t count, size_t size);
void *pp_calloc(size_t count, size_t size);
void *pp_realloc(void *old, size_t count, size_t size);
void *pp_alloc_aligned(size_t count, size_t size);
char *pp_strdup(const char *text);
/* printf into a new string (caller frees); NULL on failure. */
char *pp_strf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tests only: lets the n-th allocation from now fail (0 = the next one); -1 turns it off. */
void pp_alloc_fail_after(long n);

/* Typed growable array: `PP_VEC(uint32_t) v = {0};`, elements v.data[0 .. v.len). Caller frees
 * v.data with free(). */
#define PP_VEC(T)                                                                                                      \
    struct {                                                                                                           \
        T *data;                                                                                                       \
        size_t len, cap;                                                                                               \
    }

/* Room for one more element than `len`: the data, moved when it had to grow (then *cap is new), or
 * NULL with everything as it was. Used by pp_push. */
void *pp_vec_grow_(void *data, size_t len, size_t *cap, size_t elem_size);
/* Stores `grown` in the T * at `slot`, bytewise because T is not known there; false when NULL. */
bool pp_vec_set_(void *slot, void *grown);

/* Appends `value`, which may read the vector; evaluates to true on success, false when memory ran
 * out (text recorded, vector as it was). `vec`, a pointer to a PP_VEC, is evaluated several times. */
#define pp_push(vec, ...)                                                                                              \
    (((vec)->len < (vec)->cap ||                                                                                       \
      pp_vec_set_((void *)&(vec)->data, pp_vec_grow_((vec)->data, (vec)->len, &(vec)->cap, sizeof *(vec)->data))) &&   \
     ((vec)->data[(vec)->len] = (__VA_ARGS__), (vec)->len++, true))

/* Arena: many small allocations with one lifetime, 16-byte aligned, zeroed. */
typedef struct pp_arena pp_arena;
pp_status pp_arena_new(pp_arena **out);
void *pp_arena_get(pp_arena *arena, size_t count, size_t size); /* NULL on failure */
char *pp_arena_strdup(pp_arena *arena, const char *text);
void pp_arena_free(pp_arena *arena); /* NULL allowed */

#endif
