/* Convolution with AVX2 and FMA: 4 pixels by up to 3 vectors of 8 channels. */
#include "workloads/exec_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define KERNEL pp_conv_avx2_
#define TARGET __attribute__((target("avx2,fma")))
#define VEC __m256
#define LANES 8
#define PIXELS 4
#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define ALL _mm256_set1_ps
#define FMA _mm256_fmadd_ps
#define ADD _mm256_add_ps
#define MAX _mm256_max_ps
#define MIN _mm256_min_ps
#include "workloads/conv_kernel_internal.h"
#else
/* Never chosen here: pp_cpu_level says plain. */
void pp_conv_avx2_(const pp_conv_job *job)
{
    pp_conv_plain_(job);
}
#endif
