/* Softmax and activations with AVX-512. */
#include "workloads/cpu.h"

#if defined(__x86_64__)
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl" PP_CPU_WIDE)))
#else
#define TARGET /* never chosen here */
#endif
#define TABLE pp_lm_simd_avx512_
#include "workloads/lm_simd_internal.h"
