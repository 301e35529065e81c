/* config.json of Hugging Face models: the shape alone, and its counts. */
#include "tests/fuzz/fuzz.h"
#include "workloads/lm.h"

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)1 << 20) + 400 * size;
}

static volatile uint64_t sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_lm_config config;
    const pp_status status = pp_lm_config_read(&config, pp_fuzz_file(".json", data, size));
    if (status) {
        pp_fuzz_refused(status);
        return 0;
    }
    if (pp_lm_config_check(&config))
        __builtin_trap();
    sink += pp_lm_parameters(&config) + pp_lm_linear_macs(&config) + pp_lm_attention_macs(&config, 100) +
            pp_lm_kv_bytes(&config, 4);
    return 0;
}
