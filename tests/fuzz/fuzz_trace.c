/* Traffic by file: a trace of packets (time,src,dst,flits) and a permutation (src,dst), on a mesh of 4 x 4. */
#include "sim/traffic.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)1 << 20) + 200 * size;
}

static const pp_fabric *mesh(void)
{
    static pp_fabric *fabric;
    const pp_knob_table table = pp_fabric_knobs();
    pp_config *config = NULL;
    pp_fabric_options options;
    pp_arena *arena = NULL;
    if (fabric)
        return fabric;
    if (pp_config_new(&config, &table, 1) || pp_config_bind(config, &table, &options) || pp_arena_new(&arena) ||
        pp_fabric_parse(&options, arena, "mesh:rows=4,cols=4") || pp_fabric_build(&fabric, &options))
        __builtin_trap();
    pp_arena_free(arena);
    pp_config_free(config);
    return fabric;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = pp_fuzz_file(".csv", data, size);
    const char *kinds[] = {"trace", "permutation"};
    for (int k = 0; k < 2; k++) {
        char text[160];
        pp_pattern *pattern = NULL;
        (void)snprintf(text, sizeof text, "%s:%s", kinds[k], path);
        const pp_status status = pp_pattern_new(&pattern, mesh(), text, 1);
        if (status)
            pp_fuzz_refused(status);
        pp_pattern_free(pattern);
    }
    return 0;
}
