/* Tables of a FlatBuffer, read where they lie; every offset is checked against the file. Private to this room.
 *
 * Errors stick: after the first, everything reads as absent, 0 or empty, so that readers check pp_flat_status once for
 * several values. PAPER: flatbuffers, "Internals" */
#ifndef PP_WORKLOADS_FLAT_INTERNAL_H
#define PP_WORKLOADS_FLAT_INTERNAL_H

#include "base/base.h"

typedef struct pp_flat {
    const char *file; /* for messages */
    const uint8_t *data;
    size_t size;
    bool bad;
    size_t bad_at;
    const char *says;
} pp_flat;

/* A table; at == 0: there is none, all its fields are absent. */
typedef struct pp_flat_table {
    pp_flat *flat;
    size_t at, fields;       /* of the table, of its list of offsets */
    uint32_t n_fields, size; /* of that list, of the table without what it points to */
} pp_flat_table;

/* Elements of a vector: n of `size` bytes each. */
typedef struct pp_flat_list {
    pp_flat *flat;
    size_t at;
    uint32_t n;
} pp_flat_list;

/* The first error, with the byte where it is; or PP_OK. */
pp_status pp_flat_status(const pp_flat *f);
pp_flat_table pp_flat_root(pp_flat *f);
/* Field `id` of a table: a number (absent: `absent`), a table, a vector of elements of `size` bytes. */
int64_t pp_flat_i32(const pp_flat_table *t, uint32_t id, int32_t absent);
uint64_t pp_flat_u64(const pp_flat_table *t, uint32_t id);
uint8_t pp_flat_u8(const pp_flat_table *t, uint32_t id, uint8_t absent);
float pp_flat_f32(const pp_flat_table *t, uint32_t id, float absent);
pp_flat_table pp_flat_sub(const pp_flat_table *t, uint32_t id);
pp_flat_list pp_flat_vector(const pp_flat_table *t, uint32_t id, uint32_t size);
/* Element i < n. */
pp_flat_table pp_flat_table_at(const pp_flat_list *list, uint32_t i);
int32_t pp_flat_i32_at(const pp_flat_list *list, uint32_t i);
int64_t pp_flat_i64_at(const pp_flat_list *list, uint32_t i);
float pp_flat_f32_at(const pp_flat_list *list, uint32_t i);

#endif
