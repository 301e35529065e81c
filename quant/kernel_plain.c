/* Plain C kernel: the other kernels' layout, one product after the other. */
#include "quant/quant_internal.h"

enum { VECTOR = 8, LANE = 4 };

static void one_vector(const pp_qpack *pack, const int8_t *weight, const uint8_t *x, int32_t sum[VECTOR])
{
    for (uint32_t s = 0; s < pack->steps; s++) {
        const uint8_t *in = x + pack->offset[s];
        const int8_t *w = weight + (size_t)s * VECTOR * LANE;
        for (uint32_t c = 0; c < VECTOR; c++)
            sum[c] += w[c * LANE] * in[0] + w[c * LANE + 1] * in[1] + w[c * LANE + 2] * in[2] + w[c * LANE + 3] * in[3];
    }
}

void pp_qkernel_plain(const pp_qpack *pack, const uint8_t *x, size_t stride, uint32_t pixels, int32_t *acc,
                      size_t pitch)
{
    for (uint32_t p = 0; p < pixels; p++) {
        for (uint32_t v = 0; v < pack->padded; v += VECTOR) {
            int32_t sum[VECTOR];
            for (uint32_t c = 0; c < VECTOR; c++)
                sum[c] = pack->start[v + c];
            one_vector(pack, (const int8_t *)pack->weight + (size_t)v * pack->steps * LANE, x + p * stride, sum);
            for (uint32_t c = 0; c < VECTOR && v + c < pack->cout; c++)
                acc[p * pitch + v + c] = sum[c];
        }
    }
}
