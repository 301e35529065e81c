/* Task graphs from GraphML. */
#include "tests/fuzz/fuzz.h"
#include "workloads/workloads.h"

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)4 << 20) + 2000 * size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_network *net = NULL;
    const pp_status status = pp_network_from_tasks(&net, pp_fuzz_file(".graphml", data, size));
    if (status)
        pp_fuzz_refused(status);
    else if (pp_network_check(net))
        __builtin_trap();
    pp_network_free(net);
    return 0;
}
