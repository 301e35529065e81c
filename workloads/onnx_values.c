/* TensorProto: shape, type, and where its elements are. */
#include "workloads/onnx_internal.h"

#include <string.h>

/* Fields of one TensorProto as they come by. */
typedef struct proto {
    pp_onnx_tensor *t;
    pp_wire whole;
    bool has_raw, external;
    pp_wire raw;
    uint32_t listed; /* field number of a list of elements; 0: none */
    bool strings, segment;
    const char *location;
    uint64_t offset, length;
} proto;

static pp_status add_dim(proto *p, uint64_t v, uint64_t *count)
{
    pp_onnx_tensor *t = p->t;
    if ((int64_t)v < 0)
        return pp_fail_at(PP_EFORMAT, p->whole.file, 0, "tensor '%s': dimension %u is %lld", t->name, t->ndim,
                          (long long)v);
    if (t->ndim == PP_ONNX_DIMS)
        return pp_fail_at(PP_EUNSUPPORTED, p->whole.file, 0, "tensor '%s': more than %u dimensions", t->name,
                          PP_ONNX_DIMS);
    if (v > 0 && *count > (UINT64_C(1) << 48) / v)
        return pp_fail_at(PP_ERANGE, p->whole.file, 0, "tensor '%s': its shape is too large", t->name);
    *count *= v ? v : 1; /* sizes beside a 0 are bounded, too */
    t->dim[t->ndim++] = v;
    return PP_OK;
}

static pp_status read_dims(proto *p, const pp_field *f, uint64_t *count)
{
    if (f->type == PP_WIRE_VARINT)
        return add_dim(p, f->value, count);
    PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, "dims"));
    for (pp_wire list = f->bytes; pp_wire_left(&list) > 0;) {
        uint64_t v = 0;
        PP_TRY(pp_wire_varint(&list, &v));
        PP_TRY(add_dim(p, v, count));
    }
    return PP_OK;
}

static bool same(const pp_wire *w, const char *text)
{
    return pp_wire_left(w) == strlen(text) && memcmp(w->at, text, pp_wire_left(w)) == 0;
}

static pp_status read_number(const proto *p, const char *key, const pp_wire *text, uint64_t *out)
{
    uint64_t v = 0;
    bool good = pp_wire_left(text) > 0 && pp_wire_left(text) < 19;
    for (const uint8_t *c = text->at; good && c < text->end; c++) {
        good = *c >= '0' && *c <= '9';
        v = v * 10 + (uint64_t)(*c - '0');
    }
    *out = v;
    return good ? PP_OK
                : pp_fail_at(PP_EFORMAT, p->whole.file, 0, "tensor '%s': %s of its external data is not a number",
                             p->t->name, key);
}

/* One StringStringEntryProto of external_data. */
static pp_status read_external(proto *p, pp_onnx *m, const pp_field *f)
{
    pp_wire w = f->bytes, key = {0}, value = {0};
    bool more;
    pp_field g;
    PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, "external_data"));
    for (;;) {
        PP_TRY(pp_wire_next(&w, &g, &more));
        if (!more)
            break;
        if (g.number <= 2)
            PP_TRY(pp_wire_expect(&g, PP_WIRE_BYTES, "external_data"));
        if (g.number == 1)
            key = g.bytes;
        else if (g.number == 2)
            value = g.bytes;
    }
    if (same(&key, "location"))
        return (p->location = pp_onnx_text_(m->arena, &value)) ? PP_OK : PP_ENOMEM;
    if (same(&key, "offset"))
        return read_number(p, "offset", &value, &p->offset);
    if (same(&key, "length"))
        return read_number(p, "length", &value, &p->length);
    return PP_OK; /* checksum and what others add */
}

static pp_status read_field(proto *p, pp_onnx *m, const pp_field *f, uint64_t *count)
{
    switch (f->number) {
    case 1:
        return read_dims(p, f, count);
    case 2:
        p->t->type = f->value < 1024 ? (pp_onnx_type)f->value : (pp_onnx_type)1023;
        return pp_wire_expect(f, PP_WIRE_VARINT, "data_type");
    case 3:
        p->segment = true;
        return PP_OK;
    case 4:
    case 5:
    case 7:
    case 10:
    case 11:
        if (p->listed && p->listed != f->number)
            return pp_fail_at(PP_EFORMAT, p->whole.file, 0, "tensor '%s': elements in two fields", p->t->name);
        p->listed = f->number;
        return PP_OK;
    case 6:
        p->strings = true;
        return PP_OK;
    case 9:
        p->has_raw = true;
        p->raw = f->bytes;
        return pp_wire_expect(f, PP_WIRE_BYTES, "raw_data");
    case 13:
        return read_external(p, m, f);
    case 14:
        p->external = f->value == 1;
        return pp_wire_expect(f, PP_WIRE_VARINT, "data_location");
    default:
        return PP_OK;
    }
}

/* The name comes first so that messages have it. */
static pp_status read_name(pp_onnx *m, pp_wire w, pp_onnx_tensor *t)
{
    bool more;
    pp_field f;
    t->name = "";
    for (;;) {
        PP_TRY(pp_wire_next(&w, &f, &more));
        if (!more)
            return PP_OK;
        if (f.number != 8)
            continue;
        PP_TRY(pp_wire_expect(&f, PP_WIRE_BYTES, "name"));
        if (!(t->name = pp_onnx_text_(m->arena, &f.bytes)))
            return PP_ENOMEM;
    }
}

/* ---- where the elements are ---- */

static bool is_nibbles(const pp_onnx_tensor *t)
{
    return t->type == PP_ONNX_INT4 || t->type == PP_ONNX_UINT4;
}

/* Bytes of an element as files store it: 4-bit types hold two a byte. */
static uint64_t stored_bytes(const pp_onnx_tensor *t, uint64_t count)
{
    return is_nibbles(t) ? (count + 1) / 2 : count * pp_onnx_type_size(t->type);
}

static pp_status unpack_nibbles(pp_onnx *m, pp_onnx_tensor *t, uint64_t count, const uint8_t *from)
{
    uint8_t *to = pp_arena_get(m->arena, count ? count : 1, 1);
    if (!to)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < count; i++) {
        uint8_t v = i % 2 ? from[i / 2] >> 4 : from[i / 2] & 15;
        to[i] = t->type == PP_ONNX_INT4 && v >= 8 ? (uint8_t)(v | 0xf0) : v;
    }
    t->data = to;
    return PP_OK;
}

static pp_status take_bytes(pp_onnx *m, pp_onnx_tensor *t, uint64_t count, const uint8_t *bytes, uint64_t size)
{
    static const uint8_t none[1] = {0};
    uint64_t want = stored_bytes(t, count);
    if (size != want) {
        char shape[128];
        pp_onnx_shape_text(shape, sizeof shape, t);
        return pp_fail_at(PP_EFORMAT, m->path, 0, "tensor '%s': %llu bytes, its shape %s of %s needs %llu", t->name,
                          (unsigned long long)size, shape, pp_onnx_type_name(t->type), (unsigned long long)want);
    }
    t->data = size ? bytes : none;
    if (size && is_nibbles(t))
        return unpack_nibbles(m, t, count, bytes);
    return PP_OK;
}

/* Which list field holds elements of a type. */
static uint32_t list_field(pp_onnx_type type)
{
    switch (type) {
    case PP_ONNX_FLOAT:
        return 4;
    case PP_ONNX_INT64:
        return 7;
    case PP_ONNX_DOUBLE:
        return 10;
    case PP_ONNX_UINT32:
    case PP_ONNX_UINT64:
        return 11;
    default:
        return 5;
    }
}

typedef struct list {
    uint64_t n;           /* elements seen */
    uint64_t pieces;      /* fields that hold them */
    const uint8_t *first; /* of the first packed piece */
} list;

static pp_status count_piece(const pp_field *f, bool fixed, size_t size, list *l)
{
    l->pieces++;
    if (f->type != PP_WIRE_BYTES) {
        l->n++;
        return pp_wire_expect(f, !fixed ? PP_WIRE_VARINT : size == 4 ? PP_WIRE_32 : PP_WIRE_64, "elements");
    }
    if (!l->first)
        l->first = f->bytes.at;
    if (fixed && pp_wire_left(&f->bytes) % size != 0)
        return pp_wire_fail(&f->bytes, "a packed list of numbers is truncated");
    if (fixed)
        l->n += pp_wire_left(&f->bytes) / size;
    else
        for (const uint8_t *b = f->bytes.at; b < f->bytes.end; b++)
            l->n += *b < 0x80;
    return PP_OK;
}

static void put_bits(uint8_t *to, size_t size, uint64_t i, uint64_t bits)
{
    memcpy(to + i * size, &bits, size); /* little-endian: the low bytes */
}

/* Elements of one field into to[*at ...]; count_piece has seen that they fit. */
static pp_status copy_piece(const pp_field *f, bool fixed, size_t size, uint8_t *to, uint64_t *at)
{
    if (f->type != PP_WIRE_BYTES) {
        put_bits(to, size, (*at)++, f->value);
        return PP_OK;
    }
    pp_wire w = f->bytes;
    if (fixed) {
        memcpy(to + *at * size, w.at, pp_wire_left(&w));
        *at += pp_wire_left(&w) / size;
        return PP_OK;
    }
    while (pp_wire_left(&w) > 0) {
        uint64_t v = 0;
        PP_TRY(pp_wire_varint(&w, &v));
        put_bits(to, size, (*at)++, v);
    }
    return PP_OK;
}

/* Walks over the pieces of the list: counts (to NULL) or copies. */
static pp_status walk_list(const proto *p, bool fixed, list *l, uint8_t *to)
{
    pp_wire w = p->whole;
    uint64_t at = 0;
    size_t size = pp_onnx_type_size(p->t->type);
    bool more;
    pp_field f;
    for (;;) {
        PP_TRY(pp_wire_next(&w, &f, &more));
        if (!more)
            return PP_OK;
        if (f.number != p->listed)
            continue;
        PP_TRY(to ? copy_piece(&f, fixed, size, to, &at) : count_piece(&f, fixed, size, l));
    }
}

static pp_status read_list(const proto *p, pp_onnx *m, uint64_t count)
{
    pp_onnx_tensor *t = p->t;
    list l = {0};
    bool fixed = p->listed == 4 || p->listed == 10;
    const uint64_t want = is_nibbles(t) ? (count + 1) / 2 : count; /* two of 4 bits in one number */
    if (p->listed != list_field(t->type))
        return pp_fail_at(PP_EFORMAT, m->path, 0, "tensor '%s': its elements stand in a field that does not hold %s",
                          t->name, pp_onnx_type_name(t->type));
    PP_TRY(walk_list(p, fixed, &l, NULL));
    if (l.n != want)
        return pp_fail_at(PP_EFORMAT, m->path, 0, "tensor '%s': %llu elements, its shape needs %llu", t->name,
                          (unsigned long long)l.n, (unsigned long long)want);
    if (fixed && l.pieces == 1 && l.first) {
        t->data = l.first;
        return PP_OK;
    }
    uint8_t *to = pp_arena_get(m->arena, count ? count : 1, pp_onnx_type_size(t->type));
    if (!to)
        return PP_ENOMEM;
    t->data = to;
    PP_TRY(walk_list(p, fixed, &l, to));
    return is_nibbles(t) ? unpack_nibbles(m, t, count, to) : PP_OK;
}

static pp_status find_elements(const proto *p, pp_onnx *m, uint64_t count)
{
    pp_onnx_tensor *t = p->t;
    if (p->segment || p->strings || pp_onnx_type_size(t->type) == 0) {
        t->data = NULL; /* refused by whoever reads it */
        return PP_OK;
    }
    if (p->external) {
        const uint8_t *bytes = NULL;
        uint64_t length = p->length;
        if (!p->location)
            return pp_fail_at(PP_EFORMAT, m->path, 0, "tensor '%s': external data without a location", t->name);
        if (length == UINT64_MAX)
            length = stored_bytes(t, count);
        PP_TRY(pp_onnx_external_(m, t->name, p->location, p->offset, &length, &bytes));
        return take_bytes(m, t, count, bytes, length);
    }
    if (p->has_raw)
        return take_bytes(m, t, count, p->raw.at, pp_wire_left(&p->raw));
    if (p->listed)
        return read_list(p, m, count);
    return take_bytes(m, t, count, NULL, 0);
}

pp_status pp_onnx_read_tensor_(pp_onnx *m, pp_wire w, pp_onnx_tensor *t)
{
    proto p = {.t = t, .whole = w, .length = UINT64_MAX};
    uint64_t count = 1;
    bool more;
    pp_field f;
    *t = (pp_onnx_tensor){0};
    PP_TRY(read_name(m, w, t));
    for (;;) {
        PP_TRY(pp_wire_next(&w, &f, &more));
        if (!more)
            break;
        PP_TRY(read_field(&p, m, &f, &count));
    }
    return find_elements(&p, m, pp_onnx_count(t));
}
