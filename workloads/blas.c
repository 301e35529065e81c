/* Which kernels OpenBLAS uses. */
#include "workloads/blas.h"

#include "workloads/cpu.h"

#include <cblas.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Exported by builds that choose at run time (Debian's); absent from others. */
extern void gotoblas_dynamic_init(void) __attribute__((weak));
extern void gotoblas_dynamic_quit(void) __attribute__((weak));

/* Kernels without AVX. */
static bool is_old(const char *name)
{
    static const char *const old[] = {"Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Katmai", "Coppermine",
                                      "Northwood", "Banias", "Atom"};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (strcmp(old[i], name) == 0)
            return true;
    return false;
}

static void choose(void)
{
    const pp_cpu level = pp_cpu_level();
    if (level == PP_CPU_PLAIN || getenv("OPENBLAS_CORETYPE") || !is_old(openblas_get_corename()) ||
        !gotoblas_dynamic_init || !gotoblas_dynamic_quit)
        return;
    if (setenv("OPENBLAS_CORETYPE", level == PP_CPU_AVX512 ? "SkylakeX" : "Haswell", 1) != 0)
        return;
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
    unsetenv("OPENBLAS_CORETYPE");
}

const char *pp_blas_prepare(void)
{
    static atomic_int state; /* 0: nobody was here, 1: somebody is, 2: done */
    int expected = 0;
    if (atomic_compare_exchange_strong(&state, &expected, 1)) {
        choose();
        openblas_set_num_threads(1);
        atomic_store(&state, 2);
    }
    while (atomic_load(&state) != 2)
        sched_yield();
    return openblas_get_corename();
}
