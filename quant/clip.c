/* Scale of a group of weights by clip search, round to nearest.
 * PAPER: gptq2022, quarot2024: shrink steps p = 1 - i/100, i = 0..79, error norm 2.4. */
#include "quant/number.h"

#include "workloads/cpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 80, LANES = 8, CHUNK = 128 };

/* |e|^norm = 2^(norm log2 |e|); logarithm and exponential by polynomials, relative error below 1e-5: the
 * search compares sums that differ by far more. Plain arithmetic, so all processors agree. */
static inline float power(float e, float norm)
{
    uint32_t bits;
    const float a = fabsf(e) + 1e-30f;
    memcpy(&bits, &a, sizeof bits);
    /* a = m 2^k, m in [2/3, 4/3) */
    const uint32_t shifted = bits - 0x3f2aaaabu;
    const int32_t k = (int32_t)shifted >> 23;
    bits -= (uint32_t)k << 23;
    float m;
    memcpy(&m, &bits, sizeof m);
    const float t = (m - 1) / (m + 1), s = t * t;
    /* log2 m = 2 / ln 2 (t + t^3/3 + t^5/5 + t^7/7) */
    const float log = (float)k + t * (2.885390082f + s * (0.961796694f + s * (0.577078016f + s * 0.412198583f)));
    const float y = norm * log;
    const float whole = (y + 12582912.0f) - 12582912.0f; /* nearest integer */
    const float f = (y - whole) * 0.693147181f;
    float p = 1.0f / 120;
    p = p * f + 1.0f / 24;
    p = p * f + 1.0f / 6;
    p = p * f + 0.5f;
    p = p * f + 1.0f;
    p = p * f + 1.0f;
    const float bound = whole < -126.0f ? -126.0f : whole;
    const uint32_t scale_bits = (uint32_t)((int32_t)bound + 127) << 23;
    float scale;
    memcpy(&scale, &scale_bits, sizeof scale);
    return p * scale;
}

static inline float round_near(float v)
{
    return (v + 12582912.0f) - 12582912.0f; /* halves to even, |v| < 2^22 */
}

/* One vector width for all: lanes are added in a fixed order. */
static inline __attribute__((always_inline)) float int_chunk_(const float *w, size_t n, float scale, float inverse,
                                                              float top, float norm)
{
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (unsigned k = 0; k < LANES; k++) {
            float v = w[i + k] * inverse;
            v = v > top + 1 ? top + 1 : v; /* keeps the rounding trick in range */
            v = v < -top - 1 ? -top - 1 : v;
            v = round_near(v);
            v = v > top ? top : v;
            lane[k] += power(w[i + k] - v * scale, norm);
        }
    for (unsigned k = 0; i < n; i++, k++) {
        float v = w[i] * inverse;
        v = v > top + 1 ? top + 1 : v < -top - 1 ? -top - 1 : v;
        v = round_near(v);
        v = v > top ? top : v;
        lane[k] += power(w[i] - v * scale, norm);
    }
    float sum = 0;
    for (unsigned k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

static float int_chunk_plain(const float *w, size_t n, float scale, float inverse, float top, float norm)
{
    return int_chunk_(w, n, scale, inverse, top, norm);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static float int_chunk_avx2(const float *w, size_t n, float scale, float inverse,
                                                            float top, float norm)
{
    return int_chunk_(w, n, scale, inverse, top, norm);
}
#else
#define int_chunk_avx2 int_chunk_plain
#endif

static double int_error(const float *w, size_t n, float scale, float top, float norm, double limit, bool wide)
{
    const float inverse = 1 / scale;
    double sum = 0;
    for (size_t i = 0; i < n && sum <= limit; i += CHUNK) {
        const size_t m = n - i < CHUNK ? n - i : CHUNK;
        sum += (double)(wide ? int_chunk_avx2 : int_chunk_plain)(w + i, m, scale, inverse, top, norm);
    }
    return sum;
}

static double other_error(pp_number format, const float *w, size_t n, float scale, float norm, double limit)
{
    const float inverse = 1 / scale;
    double sum = 0;
    for (size_t i = 0; i < n && sum <= limit; i++)
        sum += (double)power(w[i] - pp_number_round(format, w[i] * inverse) * scale, norm);
    return sum;
}

double pp_clip_error(pp_number format, const float *w, size_t n, float scale, double norm, double limit)
{
    const pp_number_traits *t = pp_number_traits_of(format);
    if (!t->integer)
        return other_error(format, w, n, scale, (float)norm, limit);
    return int_error(w, n, scale, t->top, (float)norm, limit, pp_cpu_level() >= PP_CPU_AVX2);
}

double pp_clip_error_plain(pp_number format, const float *w, size_t n, float scale, double norm)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pow(fabs((double)w[i] - (double)pp_number_round(format, w[i] / scale) * (double)scale), norm);
    return sum;
}

/* ---- groups ---- */

uint32_t pp_weight_group_size(const pp_weight_options *o, size_t n)
{
    const uint32_t block = pp_number_traits_of(o->format)->block;
    if (block > 0)
        return block;
    return o->group > 0 && o->group < n ? o->group : (uint32_t)n;
}

uint32_t pp_weight_groups(const pp_weight_options *o, size_t n)
{
    const uint32_t size = pp_weight_group_size(o, n);
    return (uint32_t)((n + size - 1) / size);
}

/* A block's power of two: floor(log2(largest)) less the exponent of the format's largest value. */
static float power_scale(const pp_number_traits *t, float most)
{
    return exp2f(floorf(log2f(most)) - floorf(log2f(t->top)));
}

float pp_weight_scale(const pp_weight_options *o, const float *w, size_t n)
{
    const pp_number_traits *t = pp_number_traits_of(o->format);
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(w[i]));
    if (!(most / t->top >= 0x1p-100f)) /* all zero, or too small for a reciprocal */
        return 0;
    if (t->power_of_two)
        return power_scale(t, most);
    const float full = most / t->top;
    if (!o->clip)
        return full;
    const bool wide = pp_cpu_level() >= PP_CPU_AVX2;
    double best = INFINITY;
    float scale = full;
    for (unsigned i = 0; i < STEPS; i++) {
        const float s = full * (1 - (float)i / 100);
        const double e = t->integer ? int_error(w, n, s, t->top, (float)o->norm, best, wide)
                                    : other_error(o->format, w, n, s, (float)o->norm, best);
        if (e < best) {
            best = e;
            scale = s;
        }
    }
    return scale;
}

/* ---- RTN ---- */

typedef struct rtn {
    const pp_weight_options *o;
    const float *w;
    size_t cols, size, groups;
    uint8_t *code;
    float *scale;
} rtn;

static pp_status rtn_row(void *payload, size_t row, unsigned worker)
{
    const rtn *p = payload;
    (void)worker;
    for (size_t g = 0; g < p->groups; g++) {
        const size_t first = g * p->size, n = p->cols - first < p->size ? p->cols - first : p->size;
        const float *w = p->w + row * p->cols + first;
        const float s = pp_weight_scale(p->o, w, n), inverse = s > 0 ? 1 / s : 0;
        p->scale[row * p->groups + g] = s;
        for (size_t i = 0; i < n; i++)
            p->code[row * p->cols + first + i] = (uint8_t)pp_number_encode(p->o->format, w[i] * inverse);
    }
    return PP_OK;
}

pp_status pp_quantize_rtn(const pp_weight_options *o, pp_pool *pool, const float *w, size_t rows, size_t cols,
                          uint8_t *code, float *scale)
{
    rtn p = {o, w, cols, pp_weight_group_size(o, cols), pp_weight_groups(o, cols), code, scale};
    return pp_pool_run(pool, rows, rtn_row, &p);
}

void pp_dequantize(const pp_weight_options *o, size_t rows, size_t cols, const uint8_t *code, const float *scale,
                   float *w)
{
    const size_t size = pp_weight_group_size(o, cols), groups = pp_weight_groups(o, cols);
    const uint32_t bits = pp_number_traits_of(o->format)->bits;
    float value[256];
    for (uint32_t c = 0; c < 1u << bits; c++)
        value[c] = pp_number_decode(o->format, c);
    for (size_t r = 0; r < rows; r++)
        for (size_t g = 0; g < groups; g++) {
            const float s = scale[r * groups + g];
            const size_t end = (g + 1) * size < cols ? (g + 1) * size : cols;
            for (size_t i = g * size; i < end; i++)
                w[r * cols + i] = value[code[r * cols + i]] * s;
        }
}
