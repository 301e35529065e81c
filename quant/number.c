/* Number formats. */
#include "quant/number.h"

#include <math.h>
#include <string.h>

enum { VALUES_MAX = 256 };

static const float fp4_values[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
/* PAPER: qlora2023 app. E: quantiles of N(0, 1) scaled to [-1, 1], with an exact zero. */
static const float nf4_values[16] = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
    -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f,
    0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};

static const pp_number_traits table[PP_NUMBER_COUNT] = {
    [PP_INT2] = {"int2", 2, true, 1, 0, false, 6.0},
    [PP_INT3] = {"int3", 3, true, 3, 0, false, 13.0},
    [PP_INT4] = {"int4", 4, true, 7, 0, false, 19.0},
    [PP_INT5] = {"int5", 5, true, 15, 0, false, 24.5},
    [PP_INT6] = {"int6", 6, true, 31, 0, false, 30.0},
    [PP_INT7] = {"int7", 7, true, 63, 0, false, 35.5},
    [PP_INT8] = {"int8", 8, true, 127, 0, false, 40.5},
    [PP_FP4] = {"fp4", 4, false, 6, 0, false, 18.0},
    [PP_FP8_E4M3] = {"fp8-e4m3", 8, false, 448, 0, false, 31.0},
    [PP_FP8_E5M2] = {"fp8-e5m2", 8, false, 57344, 0, false, 25.0},
    [PP_NF4] = {"nf4", 4, false, 1, 0, false, 18.5},
    [PP_MXFP4] = {"mxfp4", 4, false, 6, 32, true, 17.5},
};

const pp_number_traits *pp_number_traits_of(pp_number format)
{
    return &table[format];
}

/* Other names that the formats go by. */
static const char *usual_name(const char *name)
{
    static const char *const same[][2] = {{"e2m1", "fp4"}, {"fp4-e2m1", "fp4"}, {"fp8", "fp8-e4m3"}, {"e4m3", "fp8-e4m3"},
                                          {"e5m2", "fp8-e5m2"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (strcmp(same[i][0], name) == 0)
            return same[i][1];
    return name;
}

/* Small letters, '-' for '_'; what does not fit is no name. */
static void plain_letters(const char *name, char to[16])
{
    size_t n = 0;
    for (; name[n] != '\0' && n < 15; n++)
        to[n] = (char)(name[n] >= 'A' && name[n] <= 'Z' ? name[n] - 'A' + 'a' : name[n] == '_' ? '-' : name[n]);
    to[name[n] == '\0' ? n : 0] = '\0';
}

pp_status pp_number_parse(pp_number *out, const char *name)
{
    char letters[16];
    plain_letters(name, letters);
    const char *usual = usual_name(letters);
    for (unsigned i = 0; i < PP_NUMBER_COUNT; i++)
        if (strcmp(table[i].name, usual) == 0) {
            *out = (pp_number)i;
            return PP_OK;
        }
    return pp_fail(PP_ENOTFOUND,
                   "number format '%s': expected int2 to int8, fp4, fp8-e4m3, fp8-e5m2, nf4 or mxfp4%s", name, pp_hint(name, "fp4 fp8-e4m3 fp8-e5m2 nf4 mxfp4", (char[PP_HINT_MAX]){0}));
}

pp_number pp_number_int(uint32_t bits)
{
    return (pp_number)(PP_INT2 + bits - 2);
}

/* ---- 8-bit floats ---- */

static float fp8_value(uint32_t code, unsigned mantissa, int bias)
{
    const uint32_t exponent = (code & 0x7f) >> mantissa, rest = code & ((1u << mantissa) - 1);
    const float m = (float)rest / (float)(1u << mantissa);
    const float v = exponent == 0 ? ldexpf(m, 1 - bias) : ldexpf(1 + m, (int)exponent - bias);
    return code & 0x80 ? -v : v;
}

/* Nearest multiple of the step at the exponent of v; halves to even. */
static float fp8_round(float v, unsigned mantissa, int bias, float top)
{
    const float a = fabsf(v);
    if (!(a < top))
        return copysignf(top, v);
    int e;
    (void)frexpf(a, &e); /* a = f 2^e, f in [1/2, 1) */
    const int lowest = 1 - bias, exponent = e - 1 < lowest ? lowest : e - 1;
    const float step = ldexpf(1, exponent - (int)mantissa);
    const float r = rintf(a / step) * step;
    return copysignf(r > top ? top : r, v);
}

static uint32_t fp8_encode(float v, unsigned mantissa, int bias, float top)
{
    const float r = fabsf(fp8_round(v, mantissa, bias, top));
    const uint32_t sign = signbit(v) ? 0x80 : 0;
    int e;
    if (r == 0)
        return sign;
    (void)frexpf(r, &e);
    const int exponent = e - 1 + bias;
    if (exponent < 1)
        return sign | (uint32_t)lrintf(ldexpf(r, bias - 1 + (int)mantissa));
    const uint32_t rest = (uint32_t)lrintf(ldexpf(r, (int)mantissa - (e - 1))) - (1u << mantissa);
    return sign | (uint32_t)exponent << mantissa | rest;
}

/* ---- codebooks of 16 values ---- */

static const float *codebook(pp_number format)
{
    return format == PP_NF4 ? nf4_values : fp4_values;
}

static uint32_t nearest(const float *values, float v)
{
    uint32_t best = 0;
    float error = INFINITY;
    for (uint32_t i = 0; i < 16; i++) {
        const float e = fabsf(values[i] - v);
        if (e < error || (e == error && fabsf(values[i]) < fabsf(values[best]))) {
            error = e;
            best = i;
        }
    }
    return best;
}

float pp_number_decode(pp_number format, uint32_t code)
{
    const uint32_t bits = table[format].bits;
    if (table[format].integer) {
        const int32_t half = 1 << (bits - 1);
        return (float)((int32_t)(code & ((1u << bits) - 1)) ^ half) - (float)half;
    }
    if (format == PP_FP8_E4M3)
        return fp8_value(code, 3, 7);
    if (format == PP_FP8_E5M2)
        return fp8_value(code, 2, 15);
    return codebook(format)[code & 15];
}

static float round_int(float v, float top)
{
    const float r = rintf(v);
    return r > top ? top : r < -top - 1 ? -top - 1 : r;
}

uint32_t pp_number_encode(pp_number format, float v)
{
    const pp_number_traits *t = &table[format];
    if (t->integer)
        return (uint32_t)(int32_t)round_int(v, t->top) & ((1u << t->bits) - 1);
    if (format == PP_FP8_E4M3)
        return fp8_encode(v, 3, 7, t->top);
    if (format == PP_FP8_E5M2)
        return fp8_encode(v, 2, 15, t->top);
    return nearest(codebook(format), v);
}

float pp_number_round(pp_number format, float v)
{
    const pp_number_traits *t = &table[format];
    if (t->integer)
        return round_int(v, t->top);
    if (format == PP_FP8_E4M3)
        return fp8_round(v, 3, 7, t->top);
    if (format == PP_FP8_E5M2)
        return fp8_round(v, 2, 15, t->top);
    return codebook(format)[nearest(codebook(format), v)];
}
