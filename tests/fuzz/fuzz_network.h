/* Files that hold a network: reading, folding, the network and its stages. */
#ifndef PP_TESTS_FUZZ_NETWORK_H
#define PP_TESTS_FUZZ_NETWORK_H

#include "tests/fuzz/fuzz.h"
#include "workloads/onnx.h"
#include "workloads/stage.h"

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)4 << 20) + 256 * size;
}

static inline int pp_fuzz_network(const char *ending, const uint8_t *data, size_t size)
{
    pp_network *net = NULL;
    pp_stages *stages = NULL;
    pp_status status = pp_network_from_onnx(&net, pp_fuzz_file(ending, data, size));
    if (!status)
        status = pp_stages_build(&stages, net);
    if (status)
        pp_fuzz_refused(status);
    pp_stages_free(stages);
    pp_network_free(net);
    return 0;
}

#endif
