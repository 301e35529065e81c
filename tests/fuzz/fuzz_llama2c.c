/* llama2.c checkpoints (.bin): opened, then every value loaded. */
#include "tests/fuzz/fuzz.h"
#include "workloads/lm.h"

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)32 << 20) + 64 * size; /* values are walked in slices of at most 16 MiB */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_lm *lm = NULL;
    pp_status status = pp_lm_open(&lm, pp_fuzz_file(".bin", data, size));
    if (!status)
        status = pp_lm_check(lm, NULL);
    if (status)
        pp_fuzz_refused(status);
    pp_lm_close(lm);
    return 0;
}
