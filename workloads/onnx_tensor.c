/* Tensors of ONNX files: element types and elements. */
#include "workloads/onnx_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
    bool is_float;
} types[] = {
    [PP_ONNX_NO_TYPE] = {"UNDEFINED", 0, false},
    [PP_ONNX_FLOAT] = {"FLOAT", 4, true},
    [PP_ONNX_UINT8] = {"UINT8", 1, false},
    [PP_ONNX_INT8] = {"INT8", 1, false},
    [PP_ONNX_UINT16] = {"UINT16", 2, false},
    [PP_ONNX_INT16] = {"INT16", 2, false},
    [PP_ONNX_INT32] = {"INT32", 4, false},
    [PP_ONNX_INT64] = {"INT64", 8, false},
    [PP_ONNX_STRING] = {"STRING", 0, false},
    [PP_ONNX_BOOL] = {"BOOL", 1, false},
    [PP_ONNX_FLOAT16] = {"FLOAT16", 2, true},
    [PP_ONNX_DOUBLE] = {"DOUBLE", 8, true},
    [PP_ONNX_UINT32] = {"UINT32", 4, false},
    [PP_ONNX_UINT64] = {"UINT64", 8, false},
    [14] = {"COMPLEX64", 0, false},
    [15] = {"COMPLEX128", 0, false},
    [PP_ONNX_BFLOAT16] = {"BFLOAT16", 2, true},
    [17] = {"FLOAT8E4M3FN", 0, false},
    [18] = {"FLOAT8E4M3FNUZ", 0, false},
    [19] = {"FLOAT8E5M2", 0, false},
    [20] = {"FLOAT8E5M2FNUZ", 0, false},
    [PP_ONNX_UINT4] = {"UINT4", 1, false},
    [PP_ONNX_INT4] = {"INT4", 1, false},
};
#define N_TYPES (sizeof types / sizeof *types)

static bool known(pp_onnx_type type)
{
    return (unsigned)type < N_TYPES && types[type].name;
}

size_t pp_onnx_type_size(pp_onnx_type type)
{
    return known(type) ? types[type].size : 0;
}

const char *pp_onnx_type_name(pp_onnx_type type)
{
    return known(type) ? types[type].name : "of an unknown type";
}

bool pp_onnx_is_float(pp_onnx_type type)
{
    return known(type) && types[type].is_float;
}

uint64_t pp_onnx_count(const pp_onnx_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->ndim; i++)
        n *= t->dim[i];
    return n;
}

void pp_onnx_shape_text(char *text, size_t size, const pp_onnx_tensor *t)
{
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < t->ndim && at < size; i++) {
        int n = snprintf(text + at, size - at, "%s%llu", i ? "," : "[", (unsigned long long)t->dim[i]);
        at += n > 0 ? (size_t)n : 0;
    }
    if (at < size)
        snprintf(text + at, size - at, "%s", t->ndim ? "]" : "[]");
}

/* Little-endian bytes, not aligned. */
#define LOAD(T)                                                                                                        \
    T v;                                                                                                               \
    memcpy(&v, (const uint8_t *)data + i * sizeof v, sizeof v)

static int64_t load_integer(const void *data, pp_onnx_type type, uint64_t i)
{
    const uint8_t *bytes = data;
    switch (type) {
    case PP_ONNX_INT8:
    case PP_ONNX_INT4:
        return bytes[i] < 128 ? bytes[i] : bytes[i] - 256;
    case PP_ONNX_UINT16: {
        LOAD(uint16_t);
        return v;
    }
    case PP_ONNX_INT16: {
        LOAD(int16_t);
        return v;
    }
    case PP_ONNX_INT32: {
        LOAD(int32_t);
        return v;
    }
    case PP_ONNX_UINT32: {
        LOAD(uint32_t);
        return v;
    }
    case PP_ONNX_INT64:
    case PP_ONNX_UINT64: {
        LOAD(int64_t);
        return v;
    }
    default:
        return bytes[i]; /* UINT8, UINT4, BOOL */
    }
}

static double load(const void *data, pp_onnx_type type, uint64_t i)
{
    switch (type) {
    case PP_ONNX_FLOAT: {
        LOAD(float);
        return (double)v;
    }
    case PP_ONNX_DOUBLE: {
        LOAD(double);
        return v;
    }
    case PP_ONNX_FLOAT16:
    case PP_ONNX_BFLOAT16: {
        pp_tensor one = {.dtype = type == PP_ONNX_FLOAT16 ? PP_DTYPE_F16 : PP_DTYPE_BF16, .data = data};
        return (double)pp_tensor_f32(&one, i);
    }
    case PP_ONNX_UINT64: {
        LOAD(uint64_t);
        return (double)v;
    }
    default:
        return (double)load_integer(data, type, i);
    }
}

bool pp_onnx_is_plain(const pp_onnx_tensor *t)
{
    return !t->transposed && !t->last && !t->scale;
}

/* Where element i of [dim[0]][dim[1]][inner] is: in [dim[1]][inner][dim[0]] or [dim[0]][inner][dim[1]]. */
static uint64_t place(const pp_onnx_tensor *t, uint64_t i)
{
    uint64_t inner = 1;
    if (!t->transposed && !t->last)
        return i;
    for (uint32_t d = 2; d < t->ndim; d++)
        inner *= t->dim[d];
    uint64_t row = i / (inner * t->dim[1]), rest = i % (inner * t->dim[1]);
    return t->transposed ? rest * t->dim[0] + row : (row * inner + rest % inner) * t->dim[1] + rest / inner;
}

static double dequantized(const pp_onnx_tensor *t, uint64_t i)
{
    uint64_t inner = 1, slice = 0;
    for (uint32_t d = t->axis + 1; d < t->ndim; d++)
        inner *= t->dim[d];
    if (pp_onnx_count(t->scale) > 1)
        slice = i / inner % t->dim[t->axis];
    double zero = t->zero ? pp_onnx_f64(t->zero, pp_onnx_count(t->zero) > 1 ? slice : 0) : 0;
    return (double)(float)((load(t->data, t->codes, place(t, i)) - zero) * pp_onnx_f64(t->scale, slice));
}

double pp_onnx_f64(const pp_onnx_tensor *t, uint64_t i)
{
    return t->scale ? dequantized(t, i) : load(t->data, t->type, place(t, i));
}

int64_t pp_onnx_i64(const pp_onnx_tensor *t, uint64_t i)
{
    if (!pp_onnx_is_float(t->type))
        return load_integer(t->data, t->type, place(t, i));
    double v = pp_onnx_f64(t, i);
    return !(v > -0x1p63) ? INT64_MIN : v >= 0x1p63 ? INT64_MAX : (int64_t)v;
}

/* ---- storing ---- */

static uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* To the nearest value of binary16, halves to even. */
static uint16_t to_f16(double v)
{
    uint16_t sign = signbit(v) ? 0x8000 : 0;
    double a = fabs(v);
    if (isnan(v))
        return 0x7e00;
    if (a >= 65520)
        return sign | 0x7c00;
    if (a < 0x1p-14)
        return (uint16_t)(sign | (uint16_t)nearbyint(a * 0x1p24));
    int e;
    double fraction = frexp(a, &e); /* [0.5, 1) */
    uint32_t mantissa = (uint32_t)nearbyint(ldexp(fraction, 11));
    return (uint16_t)(sign | (((uint32_t)(e + 14) << 10) + mantissa - 1024));
}

/* bfloat16: the upper half of a float, rounded to even. */
static uint16_t to_bf16(double v)
{
    uint32_t bits = float_bits((float)v);
    if (isnan(v))
        return 0x7fc0;
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static uint64_t to_integer(double v)
{
    if (isnan(v))
        return 0;
    if (v >= 0x1p63)
        return v >= 0x1p64 ? UINT64_MAX : (uint64_t)v;
    return (uint64_t)(v <= -0x1p63 ? INT64_MIN : (int64_t)v);
}

#define STORE(T, value)                                                                                                \
    do {                                                                                                               \
        T stored_ = (value);                                                                                           \
        memcpy((uint8_t *)data + i * sizeof stored_, &stored_, sizeof stored_);                                        \
    } while (0)

void pp_onnx_store(void *data, pp_onnx_type type, uint64_t i, double v)
{
    switch (type) {
    case PP_ONNX_FLOAT:
        STORE(float, (float)v);
        break;
    case PP_ONNX_DOUBLE:
        STORE(double, v);
        break;
    case PP_ONNX_FLOAT16:
        STORE(uint16_t, to_f16(v));
        break;
    case PP_ONNX_BFLOAT16:
        STORE(uint16_t, to_bf16(v));
        break;
    case PP_ONNX_BOOL:
        STORE(uint8_t, v != 0);
        break;
    default: { /* integers wrap: the low bytes of a 64-bit number */
        uint64_t n = to_integer(v);
        size_t size = pp_onnx_type_size(type);
        memcpy((uint8_t *)data + i * size, &n, size);
    }
    }
}
