/* Normal numbers with AVX2 and FMA: 8 blocks a vector. */
#include "sim/noise_normal_constants_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define NORMALS pp_normals_avx2_
#define TARGET __attribute__((target("avx2,fma")))
#define WIDTH 8
#define VF __m256
#define VU __m256i
#define F_SET _mm256_set1_ps
#define F_FMA _mm256_fmadd_ps
#define F_MUL _mm256_mul_ps
#define F_SUB _mm256_sub_ps
#define F_MAX _mm256_max_ps
#define F_SQRT _mm256_sqrt_ps
#define F_FROM _mm256_cvtepi32_ps
#define F_BITS _mm256_castps_si256
#define F_STORE _mm256_storeu_ps
#define U_FLOAT _mm256_castsi256_ps
#define U_SET(x) _mm256_set1_epi32((int)(x))
#define U_ADD _mm256_add_epi32
#define U_SUB _mm256_sub_epi32
#define U_XOR _mm256_xor_si256
#define U_SHR _mm256_srli_epi32
#define U_SHL _mm256_slli_epi32
#define U_SAR _mm256_srai_epi32
#define U_IOTA() _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)

TARGET static inline __attribute__((always_inline)) void U_MUL(VU a, VU m, VU *hi, VU *lo)
{
    const VU even = _mm256_mul_epu32(a, m), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), m);
    *hi = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    *lo = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

TARGET static inline __attribute__((always_inline)) void F_SWAP(VU quarter, VF c, VF s, VF *x, VF *y)
{
    const VF odd = _mm256_castsi256_ps(_mm256_slli_epi32(quarter, 31)); /* blendv looks at the sign */
    *x = _mm256_blendv_ps(c, s, odd);
    *y = _mm256_blendv_ps(s, c, odd);
}

#include "sim/noise_normal_internal.h"
#else
/* Never chosen here: pp_cpu_level says plain. */
void pp_normals_avx2_(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4])
{
    pp_normals_plain_(out, n, key, counter);
}
#endif
