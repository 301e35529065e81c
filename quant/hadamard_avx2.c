/* AVX2 kernel of the Hadamard transform: butterflies of distance 1, 2, 4 inside a vector, then three
 * distances a pass over the data; the core by tables of the 16 signed sums of four inputs. */
#include "quant/rotation_internal.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))

enum { CORE_MAX = 1024 }; /* larger cores: plain */

/* a + b in the lower of each pair of places, a - b in the upper one. */
INLINE __m256 inside(__m256 v)
{
    const __m256 s1 = _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1), s2 = _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1);
    const __m256 s4 = _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1);
    v = _mm256_fmadd_ps(v, s1, _mm256_permute_ps(v, 0xb1)); /* a product by +-1 is exact */
    v = _mm256_fmadd_ps(v, s2, _mm256_permute_ps(v, 0x4e));
    return _mm256_fmadd_ps(v, s4, _mm256_permute2f128_ps(v, v, 1));
}

INLINE void butterfly(__m256 *a, __m256 *b)
{
    const __m256 sum = _mm256_add_ps(*a, *b);
    *b = _mm256_sub_ps(*a, *b);
    *a = sum;
}

/* Distances h, 2 h, ... h `n` / 2 at once, n = 2, 4 or 8 vectors; lines that lie `ahead` floats on are fetched. */
INLINE void pass(float *x, size_t count, size_t h, unsigned n, size_t ahead)
{
    for (size_t i = 0; i < count; i += n * h)
        for (size_t j = i; j < i + h; j += 8) {
            __m256 v[8];
            for (unsigned k = 0; k < n; k++)
                v[k] = _mm256_loadu_ps(x + j + k * h);
            for (unsigned k = 0; k < n && ahead > 0 && j % 16 == 0; k++)
                _mm_prefetch((const char *)(x + j + k * h + ahead), _MM_HINT_T0);
            for (unsigned d = 1; d < n; d *= 2)
                for (unsigned k = 0; k < n; k++)
                    if ((k & d) == 0)
                        butterfly(&v[k], &v[k + d]);
            for (unsigned k = 0; k < n; k++)
                _mm256_storeu_ps(x + j + k * h, v[k]);
        }
}

/* The first six distances in one pass: 64 values in eight vectors. */
INLINE void first_pass(float *x, size_t count, __m256 scale)
{
    for (size_t i = 0; i < count; i += 64) {
        __m256 v[8];
        for (unsigned k = 0; k < 8; k++)
            v[k] = inside(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8 * k), scale));
        for (unsigned d = 1; d < 8; d *= 2)
            for (unsigned k = 0; k < 8; k++)
                if ((k & d) == 0)
                    butterfly(&v[k], &v[k + d]);
        for (unsigned k = 0; k < 8; k++)
            _mm256_storeu_ps(x + i + 8 * k, v[k]);
    }
}

TARGET static void transform(float *x, size_t count, float factor, size_t ahead)
{
    const __m256 scale = _mm256_set1_ps(factor);
    size_t h = 64;
    if (count >= 64) {
        first_pass(x, count, scale);
    } else {
        for (size_t i = 0; i < count; i += 8)
            _mm256_storeu_ps(x + i, inside(_mm256_mul_ps(_mm256_loadu_ps(x + i), scale)));
        h = 8;
    }
    for (; count / h > 8; h *= 8)
        pass(x, count, h, 8, 0);
    if (count / h == 8)
        pass(x, count, h, 8, ahead);
    else if (count / h == 4)
        pass(x, count, h, 4, ahead);
    else if (count / h == 2)
        pass(x, count, h, 2, ahead);
}

/* The 16 sums +-x0 +-x1 +-x2 +-x3 of one vector each. */
INLINE void table16(const float *x, size_t chunk, __m256 *t, size_t stride)
{
    const __m256 minus = _mm256_set1_ps(-0.0f);
    const __m256 x0 = _mm256_loadu_ps(x), x1 = _mm256_loadu_ps(x + chunk), x2 = _mm256_loadu_ps(x + 2 * chunk),
                 x3 = _mm256_loadu_ps(x + 3 * chunk);
    const __m256 left[2] = {_mm256_add_ps(x0, x1), _mm256_sub_ps(x0, x1)};
    const __m256 right[2] = {_mm256_add_ps(x2, x3), _mm256_sub_ps(x2, x3)};
    for (unsigned i = 0; i < 2; i++)
        for (unsigned j = 0; j < 2; j++) {
            const __m256 sum = _mm256_add_ps(left[i], right[j]), difference = _mm256_sub_ps(left[i], right[j]);
            /* bits: 0 and 1 of the left pair, 2 and 3 of the right one */
            t[(2 * i + 8 * j) * stride] = sum;
            t[(2 * i + (j ? 4u : 12u)) * stride] = difference;
            t[((i ? 1u : 3u) + (j ? 4u : 12u)) * stride] = _mm256_xor_ps(sum, minus);
            t[((i ? 1u : 3u) + 8 * j) * stride] = _mm256_xor_ps(difference, minus);
        }
}

/* n = 1 or 2 vectors of columns at once. */
INLINE void mix_columns(const uint8_t *signs, uint32_t k, float *x, size_t chunk, __m256 *table, unsigned n)
{
    const uint32_t fours = k / 4;
    for (uint32_t g = 0; g < fours; g++)
        for (unsigned v = 0; v < n; v++)
            table16(x + 4 * g * chunk + 8 * v, chunk, table + 16 * n * g + v, n);
    for (uint32_t to = 0; to < k; to += 4) {
        __m256 sum[4][2];
        for (unsigned o = 0; o < 4; o++)
            for (unsigned v = 0; v < n; v++)
                sum[o][v] = _mm256_setzero_ps();
        for (uint32_t g = 0; g < fours; g++)
            for (unsigned o = 0; o < 4; o++) {
                const __m256 *t = table + 16 * n * g + n * signs[(size_t)(to + o) * fours + g];
                for (unsigned v = 0; v < n; v++)
                    sum[o][v] = _mm256_add_ps(sum[o][v], t[v]);
            }
        for (unsigned o = 0; o < 4; o++)
            for (unsigned v = 0; v < n; v++)
                _mm256_storeu_ps(x + (size_t)(to + o) * chunk + 8 * v, sum[o][v]);
    }
}

TARGET static void mix(const uint8_t *signs, uint32_t k, float *x, size_t chunk)
{
    __m256 table[CORE_MAX / 4 * 32];
    size_t b = 0;
    for (; b + 16 <= chunk; b += 16)
        mix_columns(signs, k, x + b, chunk, table, 2);
    for (; b < chunk; b += 8)
        mix_columns(signs, k, x + b, chunk, table, 1);
}

TARGET void pp_hadamard_rows_avx2_(const pp_hadamard *h, float *x, size_t rows, bool transposed)
{
    const float scale = (float)(1 / sqrt((double)h->size));
    const uint32_t k = h->core_n;
    const uint8_t *signs = h->signs + (transposed ? (size_t)k * (k / 4) : 0);
    for (size_t b = 0; b < rows * h->blocks; b++, x += h->size) {
        const size_t ahead = k == 1 && b + 1 < rows * h->blocks ? h->size : 0;
        for (uint32_t a = 0; a < k; a++)
            transform(x + (size_t)a * h->chunk, h->chunk, scale, ahead);
        if (k > 1)
            mix(signs, k, x, h->chunk);
    }
}

#else

void pp_hadamard_rows_avx2_(const pp_hadamard *h, float *x, size_t rows, bool transposed)
{
    pp_hadamard_apply_plain(h, x, rows, transposed);
}

#endif
