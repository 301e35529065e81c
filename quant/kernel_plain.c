/* Plain C kernel: 16-bit inputs and weights, one input a step, in the form that compilers vectorise. */
#include "quant/quant_internal.h"

enum { VECTOR = 64 };

static int16_t input(const pp_qpack *pack, const uint8_t *x, uint32_t step)
{
    return (int16_t)*(const uint16_t *)(const void *)(x + pack->offset[step]);
}

/* Four steps at a time (their number is a multiple of 4), since the sums live in memory. A trip count that
 * is not a constant keeps the compiler from unrolling the loop into scalars. */
static void one_vector(const pp_qpack *pack, const int16_t *restrict w, const uint8_t *x, int32_t *restrict sum,
                       uint32_t n)
{
    for (uint32_t s = 0; s < pack->steps; s += 4, w += 4 * VECTOR) {
        const int16_t a = input(pack, x, s), b = input(pack, x, s + 1);
        const int16_t c = input(pack, x, s + 2), d = input(pack, x, s + 3);
        for (uint32_t i = 0; i < n; i++)
            sum[i] += w[i] * a + w[VECTOR + i] * b + w[2 * VECTOR + i] * c + w[3 * VECTOR + i] * d;
    }
}

void pp_qkernel_plain(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                      size_t pitch)
{
    for (uint32_t v = 0; v < pack->cout; v += VECTOR) {
        uint32_t n = pack->cout - v < VECTOR ? pack->cout - v : VECTOR;
        const int16_t *weight = (const int16_t *)pack->weight + (size_t)v * pack->steps;
        for (uint32_t p = 0; p < pixels; p++) {
            int32_t *sum = acc + p * pitch + v;
            for (uint32_t c = 0; c < n; c++)
                sum[c] = pack->start[v + c];
            one_vector(pack, weight, x + p * stride, sum, n);
        }
    }
}
