/* SHA-256 by the processor's own instructions, where it has them. PAPER: FIPS 180-4 sec. 6.2.2, four rounds a step. */
#include "base/base_internal.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static bool ask(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 19 & 1)) /* SSE 4.1 */
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}

/* The question is slow on virtual machines: asked once (twice when two threads come first together). */
bool pp_sha256_has_fast_(void)
{
    static _Atomic int answer; /* 0: not asked, 1: no, 2: yes */
    if (answer == 0)
        answer = ask() ? 2 : 1;
    return answer == 2;
}

/* The instructions keep the state as (a, b, e, f) and (c, d, g, h). */
__attribute__((target("sha,sse4.1"))) void pp_sha256_fast_(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)state), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (; blocks > 0; blocks--, data += 64) {
        const __m128i before0 = abef, before1 = cdgh;
        __m128i w[4];
        for (int i = 0; i < 16; i++) {
            __m128i *now = &w[i & 3];
            if (i < 4)
                *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(data + 16 * i)), order);
            else
                *now = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(i + 1) & 3]),
                                                          _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4)),
                                            w[(i + 3) & 3]);
            const __m128i k = _mm_loadu_si128((const __m128i *)(const void *)(pp_sha256_constant_ + 4 * i));
            const __m128i sum = _mm_add_epi32(*now, k);
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, before0);
        cdgh = _mm_add_epi32(cdgh, before1);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#else
bool pp_sha256_has_fast_(void)
{
    return false;
}

void pp_sha256_fast_(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    pp_sha256_plain_(state, data, blocks);
}
#endif
