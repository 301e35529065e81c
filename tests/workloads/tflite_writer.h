/* Writes small TensorFlow Lite files for tests: tensors and operators from a few words each. */
#ifndef PP_TEST_TFLITE_WRITER_H
#define PP_TEST_TFLITE_WRITER_H

#include "onnx_writer.h"

typedef struct lite_tensor {
    char name[32];
    int32_t dim[8];
    uint32_t ndim, n_scale, n_zero;
    uint8_t type;
    bool open; /* the second and third sizes are left open */
    uint8_t data[4096];
    size_t n;
    float scale[16];
    int64_t zero[16];
    int32_t axis;
} lite_tensor;

typedef struct lite_field {
    uint32_t id;
    char kind; /* i, b, f: a number of 4 bytes, of 1, a float; I: a list of ints */
    char value[64];
} lite_field;

typedef struct lite_op {
    int32_t code, in[16], out[16];
    uint32_t n_in, n_out, n_fields;
    lite_field field[8];
    const char *custom; /* name of an operator that is not builtin */
    int32_t words[4];   /* its options */
} lite_op;

typedef struct lite_file {
    lite_tensor tensor[40];
    lite_op op[24];
    uint32_t n_tensors, n_ops;
} lite_file;

static lite_file lite;

static inline void lite_start(void)
{
    memset(&lite, 0, sizeof lite);
}

static inline lite_tensor *lite_add(const char *name, uint8_t type, const char *dims)
{
    int64_t dim[8];
    assert_true(lite.n_tensors < 40);
    lite_tensor *t = &lite.tensor[lite.n_tensors++];
    snprintf(t->name, sizeof t->name, "%s", name);
    t->type = type;
    t->ndim = read_dims(dims, dim);
    for (uint32_t i = 0; i < t->ndim; i++)
        t->dim[i] = (int32_t)dim[i];
    return t;
}

/* A computed value; type 0 is float, 9 int8. */
static inline lite_tensor *lite_value(const char *name, const char *dims)
{
    return lite_add(name, 0, dims);
}

static inline lite_tensor *lite_floats(const char *name, const char *dims, const char *numbers)
{
    static char copy[4096];
    char *word[512];
    lite_tensor *t = lite_add(name, 0, dims);
    size_t n = split(copy, sizeof copy, numbers, " ", word, 512);
    for (size_t i = 0; i < n; i++) {
        float v = strtof(word[i], NULL);
        memcpy(t->data + 4 * i, &v, 4);
    }
    t->n = 4 * n;
    return t;
}

/* Whole numbers of 1 (int8: type 9, uint8: 3) or 4 bytes (type 2). */
static inline lite_tensor *lite_whole(const char *name, uint8_t type, const char *dims, const char *numbers)
{
    static char copy[4096];
    char *word[512];
    lite_tensor *t = lite_add(name, type, dims);
    size_t n = split(copy, sizeof copy, numbers, " ", word, 512), each = type == 2 ? 4 : 1;
    for (size_t i = 0; i < n; i++) {
        int32_t v = (int32_t)strtol(word[i], NULL, 10);
        memcpy(t->data + each * i, &v, each);
    }
    t->n = each * n;
    return t;
}

static inline void lite_codes(lite_tensor *t, const char *scales, const char *zeros, int32_t axis)
{
    char copy[256], *word[16];
    t->n_scale = (uint32_t)split(copy, sizeof copy, scales, " ", word, 16);
    for (uint32_t i = 0; i < t->n_scale; i++)
        t->scale[i] = strtof(word[i], NULL);
    t->n_zero = (uint32_t)split(copy, sizeof copy, zeros, " ", word, 16);
    for (uint32_t i = 0; i < t->n_zero; i++)
        t->zero[i] = strtoll(word[i], NULL, 10);
    t->axis = axis;
}

static inline uint32_t lite_list(const char *names, int32_t *out)
{
    char copy[256], *word[16];
    uint32_t n = (uint32_t)split(copy, sizeof copy, names, " ", word, 16);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = -1;
        for (uint32_t k = 0; k < lite.n_tensors; k++)
            if (strcmp(lite.tensor[k].name, word[i]) == 0)
                out[i] = (int32_t)k;
        assert_true(out[i] >= 0 || strcmp(word[i], "-") == 0);
    }
    return n;
}

/* lite_node(3, "x w b", "y", "0:b=0 1:i=2 2:i=2 3:b=1"): operator code, tensors, fields of its options. */
static inline lite_op *lite_node(int32_t code, const char *in, const char *out, const char *options)
{
    char copy[256], *word[8];
    assert_true(lite.n_ops < 24);
    lite_op *op = &lite.op[lite.n_ops++];
    op->code = code;
    op->n_in = lite_list(in, op->in);
    op->n_out = lite_list(out, op->out);
    op->n_fields = (uint32_t)split(copy, sizeof copy, options, " ", word, 8);
    for (uint32_t i = 0; i < op->n_fields; i++) {
        char *value = strchr(word[i], '=');
        op->field[i].id = (uint32_t)strtoul(word[i], NULL, 10);
        op->field[i].kind = strchr(word[i], ':')[1];
        snprintf(op->field[i].value, sizeof op->field[i].value, "%s", value + 1);
    }
    return op;
}

/* ---- FlatBuffers: parents first, what they point to behind them ---- */

static inline void flat_u32(bytes *b, size_t at, uint32_t v)
{
    memcpy(b->data + at, &v, 4);
}

/* A table of the fields whose bits are set in `present`, four bytes each; slot[id]: where a field is. Returns its place. */
static inline size_t flat_table(bytes *b, uint32_t present, uint32_t n, size_t *slot)
{
    static const uint8_t zero[4] = {0};
    uint16_t list[64] = {0}, at = 4;
    for (uint32_t id = 0; id < n; id++)
        if (present >> id & 1) {
            list[2 + id] = at;
            at = (uint16_t)(at + 4);
        }
    list[0] = (uint16_t)(4 + 2 * n);
    list[1] = at;
    while (b->len % 4 != (n % 2 ? 2 : 0))
        put(b, zero, 1);
    size_t fields = b->len;
    put(b, list, list[0]);
    size_t table = b->len;
    flat_u32((put(b, zero, 4), b), table, (uint32_t)(table - fields));
    for (uint32_t id = 0; id < n; id++)
        if (present >> id & 1) {
            slot[id] = b->len;
            put(b, zero, 4);
        }
    return table;
}

/* The field in `slot` points to what comes next. */
static inline void flat_here(bytes *b, size_t slot)
{
    static const uint8_t zero[4] = {0};
    while (b->len % 4)
        put(b, zero, 1);
    flat_u32(b, slot, (uint32_t)(b->len - slot));
}

static inline void flat_list(bytes *b, size_t slot, const void *data, uint32_t n, size_t size)
{
    flat_here(b, slot);
    put(b, &n, 4);
    put(b, data, n * size);
}

/* A list of tables: room for n offsets, the first at the place returned. */
static inline size_t flat_tables(bytes *b, size_t slot, uint32_t n)
{
    static const uint8_t zero[4] = {0};
    flat_here(b, slot);
    put(b, &n, 4);
    size_t at = b->len;
    for (uint32_t i = 0; i < n; i++)
        put(b, zero, 4);
    return at;
}

static inline void lite_put_tensor(bytes *b, const lite_tensor *t, size_t from, uint32_t k)
{
    size_t slot[8] = {0}, q[8] = {0};
    flat_u32(b, from, (uint32_t)(flat_table(b, 0x1f | (t->open ? 0x80 : 0), 8, slot) - from));
    b->data[slot[1]] = t->type;
    flat_u32(b, slot[2], t->n ? k + 1 : 0);
    flat_list(b, slot[0], t->dim, t->ndim, 4);
    flat_list(b, slot[3], t->name, (uint32_t)strlen(t->name), 1);
    size_t table = flat_table(b, 0x4c, 7, q);
    flat_u32(b, slot[4], (uint32_t)(table - slot[4]));
    flat_list(b, q[2], t->scale, t->n_scale, 4);
    flat_list(b, q[3], t->zero, t->n_zero, 8);
    flat_u32(b, q[6], (uint32_t)t->axis);
    if (t->open) {
        const int32_t open[4] = {-1, -1, -1, t->dim[3]};
        flat_list(b, slot[7], open, 4, 4);
    }
}

static inline void lite_put_options(bytes *b, const lite_op *op, size_t slot)
{
    size_t at[8] = {0};
    uint32_t present = 0;
    for (uint32_t i = 0; i < op->n_fields; i++)
        present |= 1u << op->field[i].id;
    size_t table = flat_table(b, present, 8, at);
    flat_u32(b, slot, (uint32_t)(table - slot));
    for (uint32_t i = 0; i < op->n_fields; i++) {
        float f = strtof(op->field[i].value, NULL);
        uint32_t v = (uint32_t)strtol(op->field[i].value, NULL, 10);
        memcpy(b->data + at[op->field[i].id], op->field[i].kind == 'f' ? (void *)&f : (void *)&v, 4);
    }
}

static inline void lite_put_op(bytes *b, const lite_op *op, size_t from, uint32_t k)
{
    size_t slot[8] = {0};
    flat_u32(b, from, (uint32_t)(flat_table(b, op->custom ? 0x27 : 0x17, 6, slot) - from));
    flat_u32(b, slot[0], k);
    flat_list(b, slot[1], op->in, op->n_in, 4);
    flat_list(b, slot[2], op->out, op->n_out, 4);
    if (op->custom)
        flat_list(b, slot[5], op->words, 16, 1);
    else
        lite_put_options(b, op, slot[4]);
}

static inline void lite_put_codes(bytes *b, size_t slot)
{
    size_t at = flat_tables(b, slot, lite.n_ops), field[4] = {0};
    for (uint32_t i = 0; i < lite.n_ops; i++) {
        flat_u32(b, at + 4 * i, (uint32_t)(flat_table(b, lite.op[i].custom ? 0xb : 0x9, 4, field) - (at + 4 * i)));
        b->data[field[0]] = (uint8_t)(lite.op[i].code < 127 ? lite.op[i].code : 127);
        flat_u32(b, field[3], (uint32_t)lite.op[i].code);
        if (lite.op[i].custom)
            flat_list(b, field[1], lite.op[i].custom, (uint32_t)strlen(lite.op[i].custom), 1);
    }
}

/* The file in memory: one graph, one buffer a tensor, one code an operator. */
static inline bytes *lite_bytes(const char *inputs, const char *outputs)
{
    static bytes b;
    size_t model[8] = {0}, graph[8] = {0}, field[4] = {0};
    int32_t list[16];
    b.len = 0;
    put(&b, "\0\0\0\0TFL3", 8);
    flat_u32(&b, 0, (uint32_t)flat_table(&b, 0x17, 5, model));
    flat_u32(&b, model[0], 3);
    lite_put_codes(&b, model[1]);
    size_t at = flat_tables(&b, model[2], 1);
    flat_u32(&b, at, (uint32_t)(flat_table(&b, 0xf, 5, graph) - at));
    uint32_t n = lite_list(inputs, list);
    flat_list(&b, graph[1], list, n, 4);
    n = lite_list(outputs, list);
    flat_list(&b, graph[2], list, n, 4);
    at = flat_tables(&b, graph[0], lite.n_tensors);
    for (uint32_t i = 0; i < lite.n_tensors; i++)
        lite_put_tensor(&b, &lite.tensor[i], at + 4 * i, i);
    at = flat_tables(&b, graph[3], lite.n_ops);
    for (uint32_t i = 0; i < lite.n_ops; i++)
        lite_put_op(&b, &lite.op[i], at + 4 * i, i);
    at = flat_tables(&b, model[4], lite.n_tensors + 1);
    for (uint32_t i = 0; i <= lite.n_tensors; i++) {
        flat_u32(&b, at + 4 * i, (uint32_t)(flat_table(&b, i && lite.tensor[i - 1].n ? 1 : 0, 1, field) - (at + 4 * i)));
        if (i && lite.tensor[i - 1].n)
            flat_list(&b, field[0], lite.tensor[i - 1].data, (uint32_t)lite.tensor[i - 1].n, 1);
    }
    return &b;
}

static inline void lite_write(const char *file, const char *inputs, const char *outputs)
{
    const bytes *b = lite_bytes(inputs, outputs);
    write_file(file, b->data, b->len);
}

#endif
