#include "workloads/cpu.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {[PP_CPU_PLAIN] = "plain", [PP_CPU_AVX2] = "avx2", [PP_CPU_AVX512] = "avx512"};

const char *pp_cpu_name(pp_cpu level)
{
    return names[level];
}

static pp_cpu hardware_level(void)
{
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return PP_CPU_PLAIN;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return PP_CPU_AVX512;
    return PP_CPU_AVX2;
#else
    return PP_CPU_PLAIN;
#endif
}

pp_cpu pp_cpu_level(void)
{
    pp_cpu level = hardware_level();
    const char *wish = getenv("PENTAPRISM_CPU");
    for (int i = PP_CPU_PLAIN; wish && i < (int)level; i++)
        if (strcmp(wish, names[i]) == 0)
            return (pp_cpu)i;
    return level;
}
