/* The analog engine's loops with AVX-512: 8 firings by up to 3 vectors of 16 columns. */
#include "sim/crossbar_analog_internal.h"
#include "workloads/cpu.h"

#include <math.h>

extern const pp_akernel pp_akernel_avx512;

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma" PP_CPU_WIDE)))
#define NAME(x) x##avx512

TARGET static inline __attribute__((always_inline)) void tile(float *out, size_t ld, const float *x, const float *w,
                                                              uint32_t rows, const int v)
{
    __m512 sum[PP_AGROUP][3];
    const size_t next = (size_t)rows * PP_ALANES;
    _Pragma("GCC unroll 8") for (int i = 0; i < PP_AGROUP; i++)
    {
        _Pragma("GCC unroll 3") for (int j = 0; j < v; j++) sum[i][j] = _mm512_setzero_ps();
    }
    for (uint32_t k = 0; k < rows; k++, w += PP_ALANES) {
        __m512 b[3];
        _Pragma("GCC unroll 3") for (int j = 0; j < v; j++) b[j] = _mm512_load_ps(w + (size_t)j * next);
        _Pragma("GCC unroll 8") for (int i = 0; i < PP_AGROUP; i++)
        {
            const __m512 a = _mm512_set1_ps(x[(size_t)i * rows + k]);
            _Pragma("GCC unroll 3") for (int j = 0; j < v; j++) sum[i][j] = _mm512_fmadd_ps(a, b[j], sum[i][j]);
        }
    }
    _Pragma("GCC unroll 8") for (int i = 0; i < PP_AGROUP; i++)
    {
        _Pragma("GCC unroll 3") for (int j = 0; j < v; j++)
            _mm512_store_ps(out + (size_t)i * ld + (size_t)j * PP_ALANES, sum[i][j]);
    }
}

TARGET static void tile_1(float *out, size_t ld, const float *x, const float *w, uint32_t rows)
{
    tile(out, ld, x, w, rows, 1);
}
TARGET static void tile_2(float *out, size_t ld, const float *x, const float *w, uint32_t rows)
{
    tile(out, ld, x, w, rows, 2);
}
TARGET static void tile_3(float *out, size_t ld, const float *x, const float *w, uint32_t rows)
{
    tile(out, ld, x, w, rows, 3);
}

/* Vectors in threes; four that are left go as two and two. */
static inline void PRODUCT(float *out, const float *x, const float *w, uint32_t rows, uint32_t vectors)
{
    const size_t ld = (size_t)vectors * PP_ALANES, step = (size_t)rows * PP_ALANES;
    for (uint32_t v = 0; v < vectors;) {
        const uint32_t left = vectors - v, n = left == 4 ? 2 : left < 3 ? left : 3;
        (n == 3 ? tile_3 : n == 2 ? tile_2 : tile_1)(out + (size_t)v * PP_ALANES, ld, x, w + v * step, rows);
        v += n;
    }
}

#include "sim/crossbar_analog_kernel_internal.h"
#else
/* Never chosen here: pp_cpu_level says plain. */
const pp_akernel pp_akernel_avx512 = {0};
#endif
