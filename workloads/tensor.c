/* Tensor views: element sizes and conversion to float. */
#include "workloads/network_internal.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name; /* as in safetensors headers */
    size_t size;
} dtypes[] = {
    [PP_DTYPE_F32] = {"F32", 4}, [PP_DTYPE_F16] = {"F16", 2}, [PP_DTYPE_BF16] = {"BF16", 2}, [PP_DTYPE_I8] = {"I8", 1},
    [PP_DTYPE_U8] = {"U8", 1},   [PP_DTYPE_I32] = {"I32", 4}, [PP_DTYPE_I64] = {"I64", 8},
};

uint64_t pp_tensor_count(const pp_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->ndim; i++)
        n *= t->dim[i];
    return n;
}

size_t pp_dtype_size(pp_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *pp_dtype_name_(pp_dtype dtype)
{
    return dtypes[dtype].name;
}

bool pp_dtype_find_(const char *name, pp_dtype *out)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *out = (pp_dtype)i;
            return true;
        }
    }
    return false;
}

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* PAPER: IEEE 754-2008 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static float from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exponent = (h >> 10) & 0x1fu, fraction = h & 0x3ffu;
    if (exponent == 0x1f)
        return from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0)
        return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float tiny = (float)fraction * 0x1p-24f; /* subnormal: exact in float */
    return sign ? -tiny : tiny;
}

static float datum(const pp_tensor *t, uint64_t i)
{
    const uint8_t *at = (const uint8_t *)t->data + i * dtypes[t->dtype].size;
    uint16_t u16;
    int32_t i32;
    int64_t i64;
    float f;
    switch (t->dtype) {
    case PP_DTYPE_F32:
        memcpy(&f, at, sizeof f);
        return f;
    case PP_DTYPE_F16:
        memcpy(&u16, at, sizeof u16);
        return from_f16(u16);
    case PP_DTYPE_BF16:
        memcpy(&u16, at, sizeof u16);
        return from_bits((uint32_t)u16 << 16);
    case PP_DTYPE_I8:
        return (float)(*at < 128 ? *at : *at - 256);
    case PP_DTYPE_U8:
        return (float)*at;
    case PP_DTYPE_I32:
        memcpy(&i32, at, sizeof i32);
        return (float)i32;
    case PP_DTYPE_I64:
        memcpy(&i64, at, sizeof i64);
        return (float)i64;
    }
    return 0;
}

/* Through the order and the scale of the rows. */
static float row_datum(const pp_tensor *t, uint64_t i)
{
    uint64_t inner = 1;
    for (uint32_t d = 1; d < t->ndim; d++)
        inner *= t->dim[d];
    uint64_t row = i / inner, rest = i % inner, pixels = t->last ? inner / t->dim[1] : 1, at = i;
    if (t->transposed)
        at = rest * (t->pitch ? t->pitch : t->dim[0]) + row;
    else if (t->last)
        at = row * inner + rest % pixels * t->dim[1] + rest / pixels;
    float v = datum(t, at);
    if (t->row_zero)
        v -= t->row_zero[row];
    return t->row_scale ? v * t->row_scale[row] : v;
}

float pp_tensor_f32(const pp_tensor *t, uint64_t i)
{
    return t->transposed || t->last || t->row_scale ? row_datum(t, i) : datum(t, i);
}

pp_tensor pp_tensor_rows_(const pp_tensor *t, uint64_t first, uint64_t n)
{
    pp_tensor part = *t;
    uint64_t inner = 1;
    for (uint32_t d = 1; d < t->ndim; d++)
        inner *= t->dim[d];
    part.dim[0] = n;
    if (t->transposed)
        part.pitch = t->pitch ? t->pitch : t->dim[0];
    if (t->data)
        part.data = (const uint8_t *)t->data + (t->transposed ? first : first * inner) * dtypes[t->dtype].size;
    part.row_scale = t->row_scale ? t->row_scale + first : NULL;
    part.row_zero = t->row_zero ? t->row_zero + first : NULL;
    return part;
}

bool pp_tensor_is_real_(const pp_tensor *t)
{
    return t->row_scale || t->dtype == PP_DTYPE_F32 || t->dtype == PP_DTYPE_F16 || t->dtype == PP_DTYPE_BF16;
}

void pp_tensor_read_f32(const pp_tensor *t, float *out)
{
    uint64_t n = pp_tensor_count(t);
    if (t->dtype == PP_DTYPE_F32 && !t->transposed && !t->last && !t->row_scale && n > 0)
        memcpy(out, t->data, n * sizeof *out);
    else
        for (uint64_t i = 0; i < n; i++)
            out[i] = pp_tensor_f32(t, i);
}

void pp_tensor_shape_text_(char *text, size_t size, const pp_tensor *t)
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
