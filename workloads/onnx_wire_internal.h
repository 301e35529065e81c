/* The wire format of protocol buffers: a cursor over the fields of one message. Nothing is copied; a field of
 * bytes is a view. PAPER: protobuf encoding: varints, wire types 0, 1, 2 and 5. */
#ifndef PP_WORKLOADS_ONNX_WIRE_H
#define PP_WORKLOADS_ONNX_WIRE_H

#include "base/base.h"

typedef enum pp_wire_type { PP_WIRE_VARINT = 0, PP_WIRE_64 = 1, PP_WIRE_BYTES = 2, PP_WIRE_32 = 5 } pp_wire_type;

/* Bytes of one message; `file` begins at `base`, so that errors can say where. */
typedef struct pp_wire {
    const char *file;
    const uint8_t *base, *at, *end;
} pp_wire;

typedef struct pp_field {
    uint32_t number;
    pp_wire_type type;
    uint64_t value; /* varint, 32 and 64 bits */
    pp_wire bytes;  /* PP_WIRE_BYTES */
} pp_field;

/* The next field; *more = false at the end of the message. Fails (PP_EFORMAT, with file and offset) on a truncated
 * field, a varint of more than 10 bytes or 64 bits, a field number of 0, groups and unknown wire types. */
pp_status pp_wire_next(pp_wire *w, pp_field *f, bool *more);
/* One varint at the cursor (elements of packed fields). */
pp_status pp_wire_varint(pp_wire *w, uint64_t *value);
/* Wire type of a field that the caller knows; fails with the offset. `what` names the field. */
pp_status pp_wire_expect(const pp_field *f, pp_wire_type type, const char *what);
static inline size_t pp_wire_left(const pp_wire *w)
{
    return (size_t)(w->end - w->at);
}
float pp_wire_float(uint64_t bits); /* of a PP_WIRE_32 value */
/* Fails at the cursor. */
pp_status pp_wire_fail(const pp_wire *w, const char *says);

#endif
