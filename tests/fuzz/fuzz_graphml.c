/* Fabrics from GraphML: read, checked, and all routes of small ones asked for. */
#include "tests/fuzz/fuzz.h"
#include "topology/topology.h"

#include <stdio.h>

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)2 << 20) + 2000 * size; /* igraph keeps attributes of an element in several vectors */
}

static void use(const pp_fabric *fabric)
{
    uint32_t path[64];
    if (pp_fabric_check(fabric))
        __builtin_trap();
    for (uint32_t a = 0; a < fabric->n_cores && a < 8; a++)
        for (uint32_t b = 0; b < fabric->n_cores && b < 8; b++) {
            size_t n = 0;
            const pp_status status = pp_route(fabric, PP_ROUTING_SHORTEST, fabric->core_vertex[a],
                                              fabric->core_vertex[b], path, 64, &n);
            if (status)
                pp_fuzz_refused(status);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = 1;
    const pp_knob_table table = pp_fabric_knobs();
    pp_config *config = NULL;
    pp_fabric_options options;
    if (pp_config_new(&config, &table, n) || pp_config_bind(config, &table, &options))
        __builtin_trap();
    pp_arena *arena = NULL;
    pp_fabric *fabric = NULL;
    char text[160];
    if (pp_arena_new(&arena))
        __builtin_trap();
    (void)snprintf(text, sizeof text, "file:%s", pp_fuzz_file(".graphml", data, size));
    pp_status status = pp_fabric_parse(&options, arena, text);
    status = status ? status : pp_fabric_build(&fabric, &options);
    if (status)
        pp_fuzz_refused(status);
    else
        use(fabric);
    pp_fabric_free(fabric);
    pp_arena_free(arena);
    pp_config_free(config);
    return 0;
}
