/* The transform in vectors of sixteen: up to eight distances (256 values) in one pass over registers, then four
 * a pass; the core by tables of the 16 signed sums of four inputs. While the last pass runs, the next row is
 * fetched, so that memory and arithmetic overlap. */
#include "quant/rotation_internal.h"
#include "workloads/cpu.h"

#include <math.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl" PP_CPU_WIDE)))
#define INLINE TARGET static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { CORE_MAX = 1024, LANES = 16 }; /* larger cores: plain */

/* a + b in the lower of each pair of places, a - b in the upper one: v times +-1, plus its partner. */
INLINE __m512 inside(__m512 v)
{
    const __m512 one = _mm512_set1_ps(1), minus = _mm512_set1_ps(-1);
    v = _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xaaaa, one, minus), _mm512_permute_ps(v, 0xb1));
    v = _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xcccc, one, minus), _mm512_permute_ps(v, 0x4e));
    v = _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xf0f0, one, minus), _mm512_shuffle_f32x4(v, v, 0xb1));
    return _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xff00, one, minus), _mm512_shuffle_f32x4(v, v, 0x4e));
}

INLINE void across(__m512 *v, unsigned n)
{
    UNROLL
    for (unsigned d = 1; d < n; d *= 2) {
        UNROLL
        for (unsigned k = 0; k < n; k++)
            if ((k & d) == 0) {
                const __m512 sum = _mm512_add_ps(v[k], v[k + d]);
                v[k + d] = _mm512_sub_ps(v[k], v[k + d]);
                v[k] = sum;
            }
    }
}

/* Distances up to 8 n: n vectors at a time. */
INLINE void first_pass(float *x, size_t count, __m512 scale, unsigned n)
{
    for (size_t i = 0; i < count; i += LANES * n) {
        __m512 v[16];
        UNROLL
        for (unsigned k = 0; k < n; k++)
            v[k] = inside(_mm512_mul_ps(_mm512_loadu_ps(x + i + LANES * k), scale));
        across(v, n);
        UNROLL
        for (unsigned k = 0; k < n; k++)
            _mm512_storeu_ps(x + i + LANES * k, v[k]);
    }
}

/* Distances h, 2 h ... n h / 2; lines that lie `ahead` floats on are fetched. */
INLINE void pass(float *x, size_t count, size_t h, unsigned n, size_t ahead)
{
    for (size_t i = 0; i < count; i += n * h)
        for (size_t j = i; j < i + h; j += LANES) {
            __m512 v[16];
            UNROLL
            for (unsigned k = 0; k < n; k++)
                v[k] = _mm512_loadu_ps(x + j + k * h);
            if (ahead > 0) {
                UNROLL
                for (unsigned k = 0; k < n; k++)
                    _mm_prefetch((const char *)(x + j + k * h + ahead), _MM_HINT_T0);
            }
            across(v, n);
            UNROLL
            for (unsigned k = 0; k < n; k++)
                _mm512_storeu_ps(x + j + k * h, v[k]);
        }
}

TARGET static void transform(float *x, size_t count, float factor, size_t ahead)
{
    const __m512 scale = _mm512_set1_ps(factor);
    size_t h = count < 256 ? count : 256;
    if (h == 256)
        first_pass(x, count, scale, 16);
    else if (h == 128)
        first_pass(x, count, scale, 8);
    else if (h == 64)
        first_pass(x, count, scale, 4);
    else if (h == 32)
        first_pass(x, count, scale, 2);
    else
        first_pass(x, count, scale, 1);
    for (; count / h > 16; h *= 16)
        pass(x, count, h, 16, 0);
    if (count / h == 16)
        pass(x, count, h, 16, ahead);
    else if (count / h == 8)
        pass(x, count, h, 8, ahead);
    else if (count / h == 4)
        pass(x, count, h, 4, ahead);
    else if (count / h == 2)
        pass(x, count, h, 2, ahead);
}

/* The 16 sums +-x0 +-x1 +-x2 +-x3 of one vector each. */
INLINE void table16(const float *x, size_t chunk, __m512 *t)
{
    const __m512 minus = _mm512_set1_ps(-0.0f);
    const __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + chunk), x2 = _mm512_loadu_ps(x + 2 * chunk),
                 x3 = _mm512_loadu_ps(x + 3 * chunk);
    const __m512 left[2] = {_mm512_add_ps(x0, x1), _mm512_sub_ps(x0, x1)};
    const __m512 right[2] = {_mm512_add_ps(x2, x3), _mm512_sub_ps(x2, x3)};
    UNROLL
    for (unsigned i = 0; i < 2; i++) {
        UNROLL
        for (unsigned j = 0; j < 2; j++) {
            const __m512 sum = _mm512_add_ps(left[i], right[j]), difference = _mm512_sub_ps(left[i], right[j]);
            /* bits: 0 and 1 of the left pair, 2 and 3 of the right one */
            t[2 * i + 8 * j] = sum;
            t[2 * i + (j ? 4u : 12u)] = difference;
            t[(i ? 1u : 3u) + (j ? 4u : 12u)] = _mm512_xor_ps(sum, minus);
            t[(i ? 1u : 3u) + 8 * j] = _mm512_xor_ps(difference, minus);
        }
    }
}

/* One vector of columns: all outputs, four at a time. */
INLINE void mix_columns(const uint8_t *signs, uint32_t k, float *x, size_t chunk, size_t ahead, __m512 *table)
{
    const uint32_t fours = k / 4;
    for (uint32_t g = 0; g < fours; g++)
        table16(x + 4 * g * chunk, chunk, table + 16 * g);
    for (uint32_t to = 0; to < k; to += 4) {
        __m512 sum[4];
        UNROLL
        for (unsigned o = 0; o < 4; o++) {
            sum[o] = _mm512_setzero_ps();
            _mm_prefetch((const char *)(x + (to + o) * chunk + ahead), _MM_HINT_T1);
        }
        for (uint32_t g = 0; g < fours; g++) {
            UNROLL
            for (unsigned o = 0; o < 4; o++)
                sum[o] = _mm512_add_ps(sum[o], table[16 * g + signs[(size_t)(to + o) * fours + g]]);
        }
        UNROLL
        for (unsigned o = 0; o < 4; o++)
            _mm512_storeu_ps(x + (size_t)(to + o) * chunk, sum[o]);
    }
}

TARGET static void mix(const uint8_t *signs, uint32_t k, float *x, size_t chunk, size_t ahead)
{
    __m512 table[CORE_MAX / 4 * 16];
    for (size_t b = 0; b < chunk; b += LANES)
        mix_columns(signs, k, x + b, chunk, ahead, table);
}

TARGET void pp_hadamard_rows_avx512_(const pp_hadamard *h, float *x, size_t rows, bool transposed)
{
    const float scale = (float)(1 / sqrt((double)h->size));
    const uint32_t k = h->core_n;
    const uint8_t *signs = h->signs + (transposed ? (size_t)k * (k / 4) : 0);
    for (size_t b = 0; b < rows * h->blocks; b++, x += h->size) {
        const size_t ahead = b + 1 < rows * h->blocks ? h->size : 0;
        for (uint32_t a = 0; a < k; a++)
            transform(x + (size_t)a * h->chunk, h->chunk, scale, k == 1 ? ahead : 0);
        if (k > 1)
            mix(signs, k, x, h->chunk, ahead);
    }
}

#else

void pp_hadamard_rows_avx512_(const pp_hadamard *h, float *x, size_t rows, bool transposed)
{
    pp_hadamard_apply_plain(h, x, rows, transposed);
}

#endif
