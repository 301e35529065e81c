/* FlatBuffers: offsets forward from where they stand, tables with a list of the places of their fields. */
#include "workloads/flat_internal.h"

#include <string.h>

static bool fail(pp_flat *f, size_t at, const char *says)
{
    if (!f->bad) {
        f->bad = true;
        f->bad_at = at;
        f->says = says;
    }
    return false;
}

pp_status pp_flat_status(const pp_flat *f)
{
    return f->bad ? pp_fail_at(PP_EFORMAT, f->file, 0, "at byte %zu: %s", f->bad_at, f->says) : PP_OK;
}

static bool inside(pp_flat *f, size_t at, size_t bytes)
{
    return !f->bad && at <= f->size && bytes <= f->size - at ? true
           : f->bad                                          ? false
                                                             : fail(f, at, "truncated: something ends behind the file");
}

static uint64_t number(pp_flat *f, size_t at, unsigned bytes)
{
    uint64_t v = 0;
    if (!inside(f, at, bytes))
        return 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)f->data[at + i] << (8 * i);
    return v;
}

/* Where the offset at `at` points; 0: nowhere. */
static size_t follow(pp_flat *f, size_t at)
{
    uint64_t offset = number(f, at, 4);
    if (f->bad || offset == 0 || offset >= f->size - at) {
        (void)(f->bad || fail(f, at, "an offset that leaves the file"));
        return 0;
    }
    return at + (size_t)offset;
}

static pp_flat_table table_at(pp_flat *f, size_t at)
{
    const pp_flat_table none = {.flat = f};
    if (f->bad || at == 0)
        return none;
    int64_t back = (int32_t)(uint32_t)number(f, at, 4), fields = (int64_t)at - back;
    if (f->bad || fields < 0 || !inside(f, (size_t)fields, 4))
        return (void)(f->bad || fail(f, at, "a table whose fields are outside of the file")), none;
    uint32_t length = (uint32_t)number(f, (size_t)fields, 2), size = (uint32_t)number(f, (size_t)fields + 2, 2);
    if (length < 4 || length % 2 || size < 4 || !inside(f, (size_t)fields, length) || !inside(f, at, size))
        return (void)(f->bad || fail(f, at, "a table of a wrong size")), none;
    return (pp_flat_table){.flat = f, .at = at, .fields = (size_t)fields, .n_fields = (length - 4) / 2, .size = size};
}

pp_flat_table pp_flat_root(pp_flat *f)
{
    return table_at(f, follow(f, 0));
}

/* Place of a field of `bytes` bytes; 0: absent. */
static size_t field(const pp_flat_table *t, uint32_t id, uint32_t bytes)
{
    if (t->flat->bad || t->at == 0 || id >= t->n_fields)
        return 0;
    uint32_t offset = (uint32_t)number(t->flat, t->fields + 4 + 2 * (size_t)id, 2);
    if (offset == 0)
        return 0;
    if (offset < 4 || offset > t->size || bytes > t->size - offset)
        return fail(t->flat, t->at, "a field outside of its table");
    return t->at + offset;
}

int64_t pp_flat_i32(const pp_flat_table *t, uint32_t id, int32_t absent)
{
    size_t at = field(t, id, 4);
    return at ? (int32_t)(uint32_t)number(t->flat, at, 4) : absent;
}

uint64_t pp_flat_u64(const pp_flat_table *t, uint32_t id)
{
    size_t at = field(t, id, 8);
    return at ? number(t->flat, at, 8) : 0;
}

uint8_t pp_flat_u8(const pp_flat_table *t, uint32_t id, uint8_t absent)
{
    size_t at = field(t, id, 1);
    return at ? (uint8_t)number(t->flat, at, 1) : absent;
}

static float float_at(pp_flat *f, size_t at)
{
    uint32_t bits = (uint32_t)number(f, at, 4);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

float pp_flat_f32(const pp_flat_table *t, uint32_t id, float absent)
{
    size_t at = field(t, id, 4);
    return at ? float_at(t->flat, at) : absent;
}

pp_flat_table pp_flat_sub(const pp_flat_table *t, uint32_t id)
{
    size_t at = field(t, id, 4);
    return table_at(t->flat, at ? follow(t->flat, at) : 0);
}

pp_flat_list pp_flat_vector(const pp_flat_table *t, uint32_t id, uint32_t size)
{
    pp_flat_list list = {.flat = t->flat};
    size_t at = field(t, id, 4), start = at ? follow(t->flat, at) : 0;
    uint64_t n = start ? number(t->flat, start, 4) : 0;
    if (t->flat->bad || !start)
        return list;
    if (n * size > t->flat->size - start - 4)
        return (void)fail(t->flat, start, "truncated: a list ends behind the file"), list;
    list.at = start + 4;
    list.n = (uint32_t)n;
    return list;
}

pp_flat_table pp_flat_table_at(const pp_flat_list *list, uint32_t i)
{
    return table_at(list->flat, list->flat->bad ? 0 : follow(list->flat, list->at + 4 * (size_t)i));
}

int32_t pp_flat_i32_at(const pp_flat_list *list, uint32_t i)
{
    return (int32_t)(uint32_t)number(list->flat, list->at + 4 * (size_t)i, 4);
}

int64_t pp_flat_i64_at(const pp_flat_list *list, uint32_t i)
{
    return (int64_t)number(list->flat, list->at + 8 * (size_t)i, 8);
}

float pp_flat_f32_at(const pp_flat_list *list, uint32_t i)
{
    return float_at(list->flat, list->at + 4 * (size_t)i);
}
