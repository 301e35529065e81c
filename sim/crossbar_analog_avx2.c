/* The analog engine's loops with AVX2 and FMA: 4 firings by 2 vectors of 8 columns, twice. */
#include "sim/crossbar_analog_internal.h"

#include <math.h>

extern const pp_akernel pp_akernel_avx2;

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(x) x##avx2

TARGET static void tile(float *out, size_t ld, const float *x, const float *w, uint32_t rows)
{
    __m256 sum[4][2];
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) sum[i][0] = sum[i][1] = _mm256_setzero_ps();
    for (uint32_t k = 0; k < rows; k++, w += PP_ALANES) {
        const __m256 b0 = _mm256_load_ps(w), b1 = _mm256_load_ps(w + 8);
        _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
        {
            const __m256 a = _mm256_broadcast_ss(x + (size_t)i * rows + k);
            sum[i][0] = _mm256_fmadd_ps(a, b0, sum[i][0]);
            sum[i][1] = _mm256_fmadd_ps(a, b1, sum[i][1]);
        }
    }
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
    {
        _mm256_store_ps(out + (size_t)i * ld, sum[i][0]);
        _mm256_store_ps(out + (size_t)i * ld + 8, sum[i][1]);
    }
}

static inline void PRODUCT(float *out, const float *x, const float *w, uint32_t rows, uint32_t vectors)
{
    const size_t ld = (size_t)vectors * PP_ALANES, step = (size_t)rows * PP_ALANES;
    for (uint32_t v = 0; v < vectors; v++)
        for (uint32_t half = 0; half < PP_AGROUP; half += 4)
            tile(out + (size_t)v * PP_ALANES + half * ld, ld, x + (size_t)half * rows, w + v * step, rows);
}

#include "sim/crossbar_analog_kernel_internal.h"
#else
/* Never chosen here: pp_cpu_level says plain. */
const pp_akernel pp_akernel_avx2 = {0};
#endif
