/* Softmax and activations with AVX2. */
#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2")))
#else
#define TARGET /* never chosen here */
#endif
#define TABLE pp_lm_simd_avx2_
#include "workloads/lm_simd_internal.h"
