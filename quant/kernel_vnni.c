/* AVX-512 VNNI kernel: vpdpbusd adds four products of unsigned and signed bytes to a 32-bit sum, exactly. */
#include "quant/quant_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE TARGET static inline __attribute__((always_inline))

enum { VECTOR = 16, BLOCK = 8, VECTORS = 2 };

INLINE __m512i broadcast(const uint8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}

/* Sums of `np` pixels x `nv` vectors; both are constants where it is called, so the arrays are registers. */
INLINE void block(const pp_qpack *pack, const uint8_t *x, size_t stride, int32_t *acc, size_t pitch, uint32_t first,
                  uint32_t np, uint32_t nv)
{
    __m512i sum[BLOCK][VECTORS];
    const __m512i *weight = (const __m512i *)pack->weight + (size_t)first / VECTOR * pack->steps;
    for (uint32_t p = 0; p < np; p++)
        for (uint32_t v = 0; v < nv; v++)
            sum[p][v] = _mm512_load_si512(pack->start + first + v * VECTOR);
    for (uint32_t s = 0; s < pack->steps; s++) {
        __m512i w[VECTORS];
        const uint8_t *at = x + pack->offset[s];
        for (uint32_t v = 0; v < nv; v++)
            w[v] = _mm512_load_si512(weight + (size_t)v * pack->steps + s);
        for (uint32_t p = 0; p < np; p++) {
            __m512i in = broadcast(at + p * stride);
            for (uint32_t v = 0; v < nv; v++)
                sum[p][v] = _mm512_dpbusd_epi32(sum[p][v], in, w[v]);
        }
    }
    for (uint32_t v = 0; v < nv; v++) {
        uint32_t left = pack->cout - (first + v * VECTOR);
        __mmask16 mask = (__mmask16)(left >= VECTOR ? 0xffff : (1u << left) - 1);
        for (uint32_t p = 0; p < np; p++)
            _mm512_mask_storeu_epi32(acc + p * pitch + first + v * VECTOR, mask, sum[p][v]);
    }
}

INLINE void columns(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc, size_t pitch,
                    uint32_t first, uint32_t nv)
{
    uint32_t p = 0;
    for (; p + BLOCK <= pixels; p += BLOCK)
        block(pack, x + p * stride, stride, acc + p * pitch, pitch, first, BLOCK, nv);
    for (; p < pixels; p++)
        block(pack, x + p * stride, stride, acc + p * pitch, pitch, first, 1, nv);
}

TARGET void pp_qkernel_vnni(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                            size_t pitch)
{
    uint32_t first = 0;
    for (; first + VECTORS * VECTOR <= pack->padded; first += VECTORS * VECTOR)
        columns(pack, x, stride, pixels, acc, pitch, first, VECTORS);
    if (first < pack->padded)
        columns(pack, x, stride, pixels, acc, pitch, first, 1);
}

#else
typedef int pp_no_vnni; /* ISO C wants a declaration in every file */
#endif
