/* Softmax and activations for any processor. */
#define TARGET
#define TABLE pp_lm_simd_plain_
#include "workloads/lm_simd_internal.h"
