/* What the processor can do, for code that picks its kernel at run time. */
#ifndef PP_WORKLOADS_CPU_H
#define PP_WORKLOADS_CPU_H

/* Each level includes those before it. PP_CPU_AVX2: AVX2 and FMA. PP_CPU_AVX512: F, BW, DQ and VL. */
typedef enum pp_cpu { PP_CPU_PLAIN, PP_CPU_AVX2, PP_CPU_AVX512 } pp_cpu;

/* Highest level that this processor has and the environment allows: PENTAPRISM_CPU=plain|avx2|avx512
 * lowers it (never raises it; other values are ignored). Reads the environment at every call, so ask
 * once, when an engine is made. */
pp_cpu pp_cpu_level(void);
/* "plain", "avx2", "avx512". */
const char *pp_cpu_name(pp_cpu level);

/* Behind the features of a target attribute: vectors of 512 bits, which GCC otherwise avoids. Clang has no such word and
 * would ignore the whole attribute. */
#ifdef __clang__
#define PP_CPU_WIDE ""
#else
#define PP_CPU_WIDE ",prefer-vector-width=512"
#endif

#endif
