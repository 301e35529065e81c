/* The analog engine's loops in plain C, and the choice between all versions. */
#include "sim/crossbar_analog_internal.h"
#include "workloads/cpu.h"

#include <math.h>

#define TARGET
#define NAME(x) x##plain

extern const pp_akernel pp_akernel_plain, pp_akernel_avx2, pp_akernel_avx512;

static void PRODUCT(float *out, const float *x, const float *w, uint32_t rows, uint32_t vectors)
{
    for (uint32_t i = 0; i < PP_AGROUP; i++) {
        for (uint32_t v = 0; v < vectors; v++) {
            float sum[PP_ALANES] = {0};
            for (uint32_t k = 0; k < rows; k++)
                for (uint32_t c = 0; c < PP_ALANES; c++)
                    sum[c] = fmaf(x[(size_t)i * rows + k], w[((size_t)v * rows + k) * PP_ALANES + c], sum[c]);
            for (uint32_t c = 0; c < PP_ALANES; c++)
                out[((size_t)i * vectors + v) * PP_ALANES + c] = sum[c];
        }
    }
}

#include "sim/crossbar_analog_kernel_internal.h"

pp_akernel pp_akernel_choose(void)
{
    const pp_cpu level = pp_cpu_level();
    pp_akernel k = level >= PP_CPU_AVX512 ? pp_akernel_avx512 : level >= PP_CPU_AVX2 ? pp_akernel_avx2 : pp_akernel_plain;
    k.normals = pp_normals_choose();
    return k;
}
