/* Activations and KV cache: a range for each row and group, rounded to nearest. */
#include "quant/number.h"

#include "workloads/cpu.h"

#include <math.h>

static inline float round_near(float v)
{
    return (v + 12582912.0f) - 12582912.0f; /* halves to even, |v| < 2^22 */
}

#define INLINE static inline __attribute__((always_inline))

INLINE float largest(const float *x, size_t n)
{
    float lane[8] = {0}, most = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (unsigned k = 0; k < 8; k++) {
            const float a = fabsf(x[i + k]);
            lane[k] = a > lane[k] ? a : lane[k];
        }
    for (; i < n; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    for (unsigned k = 0; k < 8; k++)
        most = lane[k] > most ? lane[k] : most;
    return most;
}

INLINE void symmetric(float *x, size_t n, float top, float range)
{
    float s = range / top;
    s = s < 1e-12f ? 1e-12f : s;
    const float high = top, low = -top - 1;
    for (size_t i = 0; i < n; i++) {
        float v = x[i] / s;
        v = v > high + 1 ? high + 1 : v;
        v = v < low ? low : v;
        v = round_near(v);
        v = v > high ? high : v;
        x[i] = v * s;
    }
}

INLINE void asymmetric(float *x, size_t n, float steps, float clip)
{
    float lo = x[0], hi = x[0];
    for (size_t i = 1; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    lo *= clip;
    hi *= clip;
    float s = (hi - lo) / steps;
    s = s < 1e-12f ? 1e-12f : s;
    const float z = rintf(-lo / s);
    for (size_t i = 0; i < n; i++) {
        float v = rintf(x[i] / s) + z;
        v = v < 0 ? 0 : v;
        v = v > steps ? steps : v;
        x[i] = (v - z) * s;
    }
}

INLINE void rows_(const pp_act_options *o, float *x, size_t rows, size_t width)
{
    const size_t group = o->group > 0 && o->group < width ? o->group : width;
    const float top = (float)((1 << (o->bits - 1)) - 1), clip = (float)o->clip;
    for (size_t r = 0; r < rows; r++, x += width)
        for (size_t g = 0; g < width; g += group) {
            const size_t n = width - g < group ? width - g : group;
            if (o->asymmetric)
                asymmetric(x + g, n, 2 * top + 1, clip);
            else
                symmetric(x + g, n, top, o->static_top > 0 ? o->static_top : largest(x + g, n) * clip);
        }
}

INLINE float code_row(const pp_act_options *o, const float *x, size_t n, uint8_t *code)
{
    const float top = (float)((1 << (o->bits - 1)) - 1), low = -top - 1;
    float s = (o->static_top > 0 ? o->static_top : largest(x, n) * (float)o->clip) / top;
    s = s < 1e-12f ? 1e-12f : s;
    for (size_t i = 0; i < n; i++) {
        float v = x[i] / s;
        v = v > top + 1 ? top + 1 : v;
        v = v < low ? low : v;
        v = round_near(v);
        v = v > top ? top : v;
        code[i] = (uint8_t)((int)v + 128);
    }
    return s;
}

void pp_group_range(const pp_act_options *o, const float *x, size_t n, float *scale, float *zero)
{
    const float steps = (float)((1 << o->bits) - 1), clip = (float)o->clip;
    float lo = x[0], hi = x[0];
    for (size_t i = 1; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    lo *= clip;
    hi *= clip;
    const float s = (hi - lo) / steps;
    *scale = s < 1e-12f ? 1e-12f : s;
    *zero = rintf(-lo / *scale);
}

uint8_t pp_group_code(const pp_act_options *o, float x, float scale, float zero)
{
    const float steps = (float)((1 << o->bits) - 1), v = rintf(x / scale) + zero;
    return (uint8_t)(v < 0 ? 0 : v > steps ? steps : v);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static float code_avx2(const pp_act_options *o, const float *x, size_t n, uint8_t *code)
{
    return code_row(o, x, n, code);
}
#else
#define code_avx2 code_row
#endif

float pp_code_row(const pp_act_options *o, const float *x, size_t n, uint8_t *code)
{
    return pp_cpu_level() >= PP_CPU_AVX2 ? code_avx2(o, x, n, code) : code_row(o, x, n, code);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void rows_avx2(const pp_act_options *o, float *x, size_t rows, size_t width)
{
    rows_(o, x, rows, width);
}
#else
#define rows_avx2 rows_
#endif

void pp_quantize_rows(const pp_act_options *o, float *x, size_t rows, size_t width)
{
    if (o->bits == 0 || width == 0)
        return;
    if (pp_cpu_level() >= PP_CPU_AVX2)
        rows_avx2(o, x, rows, width);
    else
        rows_(o, x, rows, width);
}
