/* Convolution with AVX-512: 8 pixels by up to 3 vectors of 16 channels. */
#include "workloads/exec_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define KERNEL pp_conv_avx512_
#define TARGET __attribute__((target("avx512f")))
#define VEC __m512
#define LANES 16
#define PIXELS 8
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define ALL _mm512_set1_ps
#define FMA _mm512_fmadd_ps
#define ADD _mm512_add_ps
#define MAX _mm512_max_ps
#define MIN _mm512_min_ps
#include "workloads/conv_kernel_internal.h"
#else
/* Never chosen here: pp_cpu_level says plain. */
void pp_conv_avx512_(const pp_conv_job *job)
{
    pp_conv_plain_(job);
}
#endif
