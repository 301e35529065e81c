/* Fields of protocol buffers. */
#include "workloads/onnx_wire_internal.h"

#include <string.h>

pp_status pp_wire_fail(const pp_wire *w, const char *says)
{
    return pp_fail_at(PP_EFORMAT, w->file, 0, "at byte %llu: %s", (unsigned long long)(w->at - w->base), says);
}

pp_status pp_wire_varint(pp_wire *w, uint64_t *value)
{
    uint64_t v = 0;
    const uint8_t *at = w->at;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (at == w->end)
            return pp_wire_fail(w, "truncated: a number ends behind the message that holds it");
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            return pp_wire_fail(w, "a number of more than 64 bits");
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            w->at = at;
            *value = v;
            return PP_OK;
        }
    }
    return pp_wire_fail(w, "a number of more than 10 bytes");
}

static pp_status read_fixed(pp_wire *w, unsigned bytes, uint64_t *value)
{
    if (pp_wire_left(w) < bytes)
        return pp_wire_fail(w, "truncated: a number ends behind the message that holds it");
    *value = 0;
    for (unsigned i = 0; i < bytes; i++)
        *value |= (uint64_t)w->at[i] << (8 * i);
    w->at += bytes;
    return PP_OK;
}

static pp_status read_bytes(pp_wire *w, pp_wire *bytes)
{
    uint64_t size = 0;
    pp_wire before = *w;
    PP_TRY(pp_wire_varint(w, &size));
    if (size > pp_wire_left(w))
        return pp_fail_at(PP_EFORMAT, w->file, 0, "at byte %llu: truncated: a field of %llu bytes, %zu follow",
                          (unsigned long long)(before.at - before.base), (unsigned long long)size, pp_wire_left(w));
    *bytes = (pp_wire){.file = w->file, .base = w->base, .at = w->at, .end = w->at + size};
    w->at += size;
    return PP_OK;
}

pp_status pp_wire_next(pp_wire *w, pp_field *f, bool *more)
{
    uint64_t tag = 0;
    *more = w->at != w->end;
    *f = (pp_field){0};
    if (!*more)
        return PP_OK;
    pp_wire before = *w;
    PP_TRY(pp_wire_varint(w, &tag));
    f->number = (uint32_t)(tag >> 3);
    f->type = (pp_wire_type)(tag & 7);
    f->bytes = before;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return pp_wire_fail(&before, "no field number; not a protobuf message");
    switch (f->type) {
    case PP_WIRE_VARINT:
        return pp_wire_varint(w, &f->value);
    case PP_WIRE_64:
        return read_fixed(w, 8, &f->value);
    case PP_WIRE_32:
        return read_fixed(w, 4, &f->value);
    case PP_WIRE_BYTES:
        return read_bytes(w, &f->bytes);
    }
    return pp_wire_fail(&before, "a field of an unknown kind; not a protobuf message");
}

pp_status pp_wire_expect(const pp_field *f, pp_wire_type type, const char *what)
{
    if (f->type == type)
        return PP_OK;
    return pp_fail_at(PP_EFORMAT, f->bytes.file, 0, "field %s (number %u) near byte %llu has wire type %u; expected %u",
                      what, f->number, (unsigned long long)(f->bytes.at - f->bytes.base), (unsigned)f->type,
                      (unsigned)type);
}

float pp_wire_float(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof f);
    return f;
}
