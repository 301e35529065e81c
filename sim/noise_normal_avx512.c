/* Normal numbers with AVX-512: 16 blocks a vector. */
#include "sim/noise_normal_constants_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define NORMALS pp_normals_avx512_
#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))
#define WIDTH 16
#define VF __m512
#define VU __m512i
#define F_SET _mm512_set1_ps
#define F_FMA _mm512_fmadd_ps
#define F_MUL _mm512_mul_ps
#define F_SUB _mm512_sub_ps
#define F_MAX _mm512_max_ps
#define F_SQRT _mm512_sqrt_ps
#define F_FROM _mm512_cvtepi32_ps
#define F_BITS _mm512_castps_si512
#define F_STORE _mm512_storeu_ps
#define U_FLOAT _mm512_castsi512_ps
#define U_SET(x) _mm512_set1_epi32((int)(x))
#define U_ADD _mm512_add_epi32
#define U_SUB _mm512_sub_epi32
#define U_XOR _mm512_xor_si512
#define U_SHR _mm512_srli_epi32
#define U_SHL _mm512_slli_epi32
#define U_SAR _mm512_srai_epi32
#define U_IOTA() _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* 32 x 32 -> 64 bits: products of even and of odd lanes, put together again. */
TARGET static inline __attribute__((always_inline)) void U_MUL(VU a, VU m, VU *hi, VU *lo)
{
    const VU even = _mm512_mul_epu32(a, m), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), m);
    *hi = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
    *lo = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}

TARGET static inline __attribute__((always_inline)) void F_SWAP(VU quarter, VF c, VF s, VF *x, VF *y)
{
    const __mmask16 odd = _mm512_test_epi32_mask(quarter, _mm512_set1_epi32(1));
    *x = _mm512_mask_blend_ps(odd, c, s);
    *y = _mm512_mask_blend_ps(odd, s, c);
}

#include "sim/noise_normal_internal.h"
#else
/* Never chosen here: pp_cpu_level says plain. */
void pp_normals_avx512_(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4])
{
    pp_normals_plain_(out, n, key, counter);
}
#endif
