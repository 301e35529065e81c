/* Writes small ONNX files for tests: graphs from a few words each. */
#ifndef PP_TEST_ONNX_WRITER_H
#define PP_TEST_ONNX_WRITER_H

#include "onnx_files.h"

typedef struct bytes {
    uint8_t data[1 << 16];
    size_t len;
} bytes;

static inline void put(bytes *b, const void *data, size_t n)
{
    assert_true(b->len + n <= sizeof b->data);
    memcpy(b->data + b->len, data, n);
    b->len += n;
}

static inline void put_varint(bytes *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        put(b, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
    put(b, &(uint8_t){(uint8_t)v}, 1);
}

static inline void put_int(bytes *b, uint32_t field, int64_t v)
{
    put_varint(b, field << 3);
    put_varint(b, (uint64_t)v);
}

static inline void put_bytes(bytes *b, uint32_t field, const void *data, size_t n)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, n);
    put(b, data, n);
}

static inline void put_text(bytes *b, uint32_t field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

static inline void put_float(bytes *b, uint32_t field, float v)
{
    put_varint(b, field << 3 | 5);
    put(b, &v, sizeof v);
}

/* Words of a text, split at `at`: calls of strtok_r on a copy. */
static inline size_t split(char *copy, size_t size, const char *text, const char *at, char **word, size_t most)
{
    char *rest = NULL;
    size_t n = 0;
    snprintf(copy, size, "%s", text);
    for (char *w = strtok_r(copy, at, &rest); w && n < most; w = strtok_r(NULL, at, &rest))
        word[n++] = w;
    return n;
}

/* "1x3x8x8"; 0: left open. */
static inline uint32_t read_dims(const char *text, int64_t *dim)
{
    char copy[128], *word[8];
    size_t n = split(copy, sizeof copy, text, "x", word, 8);
    for (size_t i = 0; i < n; i++)
        dim[i] = strtoll(word[i], NULL, 10);
    return (uint32_t)n;
}

/* An input or output (field 11, 12) of floats. */
static inline void put_info(bytes *graph, uint32_t field, const char *name, const char *dims)
{
    static bytes shape, tensor, type, info;
    int64_t dim[8];
    uint32_t n = read_dims(dims, dim);
    shape.len = tensor.len = type.len = info.len = 0;
    for (uint32_t i = 0; i < n; i++) {
        bytes d = {.len = 0};
        if (dim[i] > 0)
            put_int(&d, 1, dim[i]);
        else
            put_text(&d, 2, "N");
        put_bytes(&shape, 1, d.data, d.len);
    }
    put_int(&tensor, 1, 1);
    put_bytes(&tensor, 2, shape.data, shape.len);
    put_bytes(&type, 1, tensor.data, tensor.len);
    put_text(&info, 1, name);
    put_bytes(&info, 2, type.data, type.len);
    put_bytes(graph, field, info.data, info.len);
}

/* An initialiser of raw bytes. */
static inline void put_raw(bytes *graph, const char *name, int type, const char *dims, const void *data, size_t n)
{
    static bytes t;
    int64_t dim[8];
    uint32_t count = read_dims(dims, dim);
    t.len = 0;
    for (uint32_t i = 0; i < count; i++)
        put_int(&t, 1, dim[i]);
    put_int(&t, 2, type);
    put_text(&t, 8, name);
    put_bytes(&t, 9, data, n);
    put_bytes(graph, 5, t.data, t.len);
}

/* An initialiser of numbers "1 2.5 3", FLOAT or (in whole) INT64. */
static inline void put_numbers(bytes *graph, const char *name, bool whole, const char *dims, const char *numbers)
{
    static char copy[8192];
    char *word[2048];
    float f[2048];
    int64_t i64[2048];
    size_t n = split(copy, sizeof copy, numbers, " ", word, 2048);
    for (size_t i = 0; i < n; i++) {
        f[i] = strtof(word[i], NULL);
        i64[i] = strtoll(word[i], NULL, 10);
    }
    put_raw(graph, name, whole ? 7 : 1, dims, whole ? (void *)i64 : (void *)f, n * (whole ? 8 : 4));
}

static inline void put_floats(bytes *graph, const char *name, const char *dims, const char *numbers)
{
    put_numbers(graph, name, false, dims, numbers);
}

static inline void put_ints(bytes *graph, const char *name, const char *dims, const char *numbers)
{
    put_numbers(graph, name, true, dims, numbers);
}

/* One attribute "name:i=3", "name:I=1,2" (a list), "name:f=0.5" or "name:s=text". */
static inline void put_attr(bytes *node, char *text)
{
    bytes a = {.len = 0};
    char *colon = strchr(text, ':'), *rest = NULL, *value = colon + 3;
    *colon = '\0';
    put_text(&a, 1, text);
    if (colon[1] == 'i')
        put_int(&a, 3, strtoll(value, NULL, 10));
    else if (colon[1] == 'f')
        put_float(&a, 2, strtof(value, NULL));
    else if (colon[1] == 's')
        put_text(&a, 4, value);
    else
        for (char *w = strtok_r(value, ",", &rest); w; w = strtok_r(NULL, ",", &rest))
            put_int(&a, 8, strtoll(w, NULL, 10));
    put_int(&a, 20, colon[1] == 'i' ? 2 : colon[1] == 'f' ? 1 : colon[1] == 's' ? 3 : 7);
    put_bytes(node, 5, a.data, a.len);
}

/* put_node(g, "Conv", "x w", "y", "pads:I=1,1,1,1 group:i=2"); "-" leaves an input out; the name is the operator's and
 * first result's: "Conv_y". */
static inline void put_node(bytes *graph, const char *op, const char *in, const char *out, const char *attrs)
{
    static bytes node;
    char copy[512], name[128], *word[32];
    node.len = 0;
    size_t n = split(copy, sizeof copy, in, " ", word, 32);
    for (size_t i = 0; i < n; i++)
        put_text(&node, 1, strcmp(word[i], "-") == 0 ? "" : word[i]);
    n = split(copy, sizeof copy, out, " ", word, 32);
    for (size_t i = 0; i < n; i++)
        put_text(&node, 2, word[i]);
    snprintf(name, sizeof name, "%.40s_%.40s", op, word[0]);
    put_text(&node, 3, name);
    put_text(&node, 4, op);
    n = split(copy, sizeof copy, attrs, " ", word, 32);
    for (size_t i = 0; i < n; i++)
        put_attr(&node, word[i]);
    put_bytes(graph, 1, node.data, node.len);
}

static inline void write_model(const char *path, int64_t opset, const bytes *graph)
{
    static bytes model;
    bytes set = {.len = 0};
    model.len = 0;
    put_int(&set, 2, opset);
    put_int(&model, 1, 8);
    put_bytes(&model, 8, set.data, set.len);
    put_bytes(&model, 7, graph->data, graph->len);
    write_file(path, model.data, model.len);
}

#endif
