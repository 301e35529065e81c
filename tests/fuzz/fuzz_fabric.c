/* FABRIC as typed: "kind[:key=value,...]". Only small fabrics are built. */
#include "tests/fuzz/fuzz.h"
#include "topology/topology.h"

#include <stdlib.h>
#include <string.h>

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)16 << 20) + 64 * size;
}

/* Sizes beyond this are legal and slow. */
static bool is_small(const char *text)
{
    size_t digits = 0, product = 1;
    for (const char *p = text; *p;) {
        char *end = NULL;
        if (*p < '0' || *p > '9') {
            p++;
            continue;
        }
        const unsigned long v = strtoul(p, &end, 10);
        digits = (size_t)(end - p);
        if (digits > 3 || v > 64 || (product *= v ? v : 1) > 4096)
            return false;
        p = end;
    }
    return !strstr(text, "file:");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const pp_knob_table table = pp_fabric_knobs();
    pp_config *config = NULL;
    pp_fabric_options options;
    pp_arena *arena = NULL;
    pp_fabric *fabric = NULL;
    char text[256] = "";
    memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
    if (pp_config_new(&config, &table, 1) || pp_config_bind(config, &table, &options) || pp_arena_new(&arena))
        __builtin_trap();
    pp_status status = pp_fabric_parse(&options, arena, text);
    if (!status && is_small(text)) {
        status = pp_fabric_fit(&options, 16);
        status = status ? status : pp_fabric_build(&fabric, &options);
        if (!status && pp_fabric_check(fabric))
            __builtin_trap();
    }
    if (status)
        pp_fuzz_refused(status);
    pp_fabric_free(fabric);
    pp_arena_free(arena);
    pp_config_free(config);
    return 0;
}
