/* Fast Walsh-Hadamard transform: butterflies over 2^m inside each of core_n chunks, then the core across
 * chunks. Every value goes through the same additions in the same order in both kernels. */
#include "quant/rotation_internal.h"

#include "workloads/cpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void butterflies(float *x, uint32_t n)
{
    for (uint32_t h = 1; h < n; h *= 2)
        for (uint32_t i = 0; i < n; i += 2 * h)
            for (uint32_t j = i; j < i + h; j++) {
                const float a = x[j], b = x[j + h];
                x[j] = a + b;
                x[j + h] = a - b;
            }
}

/* y[to] = sum over a of +-x[a], chunk values apart: in fours, (x0 +- x1) +- (x2 +- x3), then four by four. */
static void mix(const pp_hadamard *h, const uint8_t *signs, float *x, float *tmp)
{
    const uint32_t k = h->core_n, fours = k / 4;
    const size_t chunk = h->chunk;
    for (size_t b = 0; b < chunk; b++) {
        for (uint32_t to = 0; to < k; to++) {
            float sum = 0;
            for (uint32_t g = 0; g < fours; g++) {
                const uint8_t s = signs[(size_t)to * fours + g];
                const float *in = x + 4 * g * chunk + b;
                const float a = s & 1 ? -in[0] : in[0], c = s & 2 ? -in[chunk] : in[chunk];
                const float d = s & 4 ? -in[2 * chunk] : in[2 * chunk], e = s & 8 ? -in[3 * chunk] : in[3 * chunk];
                sum += (a + c) + (d + e);
            }
            tmp[to] = sum;
        }
        for (uint32_t a = 0; a < k; a++)
            x[a * chunk + b] = tmp[a];
    }
}

static void transform_block(const pp_hadamard *h, const uint8_t *signs, float scale, float *x)
{
    float tmp[4096];
    for (uint32_t i = 0; i < h->size; i++)
        x[i] *= scale;
    for (uint32_t a = 0; a < h->core_n; a++)
        butterflies(x + (size_t)a * h->chunk, h->chunk);
    if (h->core_n > 1)
        mix(h, signs, x, tmp);
}

void pp_hadamard_apply_plain(const pp_hadamard *h, float *x, size_t rows, bool transposed)
{
    const float scale = (float)(1 / sqrt((double)h->size));
    const uint8_t *signs = h->signs + (transposed ? (size_t)h->core_n * (h->core_n / 4) : 0);
    for (size_t b = 0; b < rows * h->blocks; b++)
        transform_block(h, signs, scale, x + b * h->size);
}

void pp_hadamard_apply(const pp_hadamard *h, float *x, size_t rows, bool transposed)
{
    if (h->chunk >= 16 && h->core_n <= 1024 && h->level >= (int)PP_CPU_AVX512)
        pp_hadamard_rows_avx512_(h, x, rows, transposed);
    else if (h->chunk >= 8 && h->core_n <= 1024 && h->level >= (int)PP_CPU_AVX2)
        pp_hadamard_rows_avx2_(h, x, rows, transposed);
    else
        pp_hadamard_apply_plain(h, x, rows, transposed);
}

pp_status pp_hadamard_apply_dense(const pp_hadamard *h, float *x, size_t rows, bool transposed)
{
    double *y = pp_alloc(h->n, sizeof *y);
    if (y == NULL)
        return PP_ENOMEM;
    for (size_t r = 0; r < rows; r++, x += h->n) {
        for (uint32_t j = 0; j < h->n; j++) {
            y[j] = 0;
            for (uint32_t i = 0; i < h->n; i++)
                y[j] += (double)x[i] * (transposed ? pp_hadamard_at(h, j, i) : pp_hadamard_at(h, i, j));
        }
        for (uint32_t j = 0; j < h->n; j++)
            x[j] = (float)(y[j] / sqrt((double)h->size));
    }
    free(y);
    return PP_OK;
}
