/* AVX2 kernels. The narrow one multiplies unsigned bytes by signed bytes (vpmaddubsw) and adds in 16 bits
 * for pack->safe steps before it widens; the wide one multiplies 16-bit numbers (vpmaddwd). */
#include "quant/quant_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))

enum { VECTOR = 8, BLOCK = 4, VECTORS = 2 };

INLINE __m256i broadcast(const uint8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}

INLINE __m256i store_mask(uint32_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Sums of `np` pixels x `nv` vectors; both are constants where it is called, so the arrays are registers. */
INLINE void block(const pp_qpack *pack, const uint8_t *x, size_t stride, int32_t *acc, size_t pitch, uint32_t first,
                  uint32_t np, uint32_t nv, bool wide)
{
    __m256i sum[BLOCK][VECTORS], part[BLOCK][VECTORS];
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i *weight = (const __m256i *)pack->weight + (size_t)first / VECTOR * pack->steps;
    for (uint32_t p = 0; p < np; p++)
        for (uint32_t v = 0; v < nv; v++)
            sum[p][v] = _mm256_load_si256((const __m256i *)(const void *)(pack->start + first + v * VECTOR));
    for (uint32_t s = 0; s < pack->steps;) {
        uint32_t end = wide || pack->steps - s <= pack->safe ? pack->steps : s + pack->safe;
        for (uint32_t p = 0; p < np; p++)
            for (uint32_t v = 0; v < nv; v++)
                part[p][v] = _mm256_setzero_si256();
        for (; s < end; s++) {
            __m256i w[VECTORS];
            for (uint32_t v = 0; v < nv; v++)
                w[v] = _mm256_load_si256(weight + (size_t)v * pack->steps + s);
            for (uint32_t p = 0; p < np; p++) {
                __m256i in = broadcast(x + p * stride + pack->offset[s]);
                for (uint32_t v = 0; v < nv; v++)
                    part[p][v] = wide ? _mm256_add_epi32(part[p][v], _mm256_madd_epi16(in, w[v]))
                                      : _mm256_add_epi16(part[p][v], _mm256_maddubs_epi16(in, w[v]));
            }
        }
        for (uint32_t p = 0; p < np; p++)
            for (uint32_t v = 0; v < nv; v++)
                sum[p][v] = _mm256_add_epi32(sum[p][v], wide ? part[p][v] : _mm256_madd_epi16(part[p][v], ones));
    }
    for (uint32_t p = 0; p < np; p++) {
        for (uint32_t v = 0; v < nv; v++) {
            uint32_t at = first + v * VECTOR, left = pack->cout - at;
            int32_t *to = acc + p * pitch + at;
            if (left >= VECTOR)
                _mm256_storeu_si256((__m256i *)(void *)to, sum[p][v]);
            else
                _mm256_maskstore_epi32(to, store_mask(left), sum[p][v]);
        }
    }
}

INLINE void columns(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc, size_t pitch,
                    uint32_t first, uint32_t nv, bool wide)
{
    uint32_t p = 0;
    for (; p + BLOCK <= pixels; p += BLOCK)
        block(pack, x + p * stride, stride, acc + p * pitch, pitch, first, BLOCK, nv, wide);
    for (; p < pixels; p++)
        block(pack, x + p * stride, stride, acc + p * pitch, pitch, first, 1, nv, wide);
}

INLINE void run(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc, size_t pitch,
                bool wide)
{
    uint32_t first = 0;
    for (; first + VECTORS * VECTOR <= pack->padded; first += VECTORS * VECTOR)
        columns(pack, x, stride, pixels, acc, pitch, first, VECTORS, wide);
    if (first < pack->padded)
        columns(pack, x, stride, pixels, acc, pitch, first, 1, wide);
}

TARGET void pp_qkernel_avx2(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                            size_t pitch)
{
    run(pack, x, stride, pixels, acc, pitch, false);
}

TARGET void pp_qkernel_avx2_wide(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                                 size_t pitch)
{
    run(pack, x, stride, pixels, acc, pitch, true);
}

#else
typedef int pp_no_avx2; /* ISO C wants a declaration in every file */
#endif
