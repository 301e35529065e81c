/* Safetensors: header, then every byte of every tensor that it promises. */
#include "tests/fuzz/fuzz.h"
#include "workloads/workloads.h"

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)1 << 20) + 400 * size; /* the header is JSON: see fuzz_yaml.c */
}

static volatile uint64_t sink;

static void use(const pp_safetensors *st)
{
    for (size_t i = 0; i < pp_safetensors_count(st); i++) {
        pp_tensor t;
        if (pp_safetensors_get(st, pp_safetensors_name(st, i), &t))
            __builtin_trap();
        const unsigned char *bytes = t.data;
        uint64_t sum = 0;
        for (size_t k = 0; k < pp_tensor_count(&t) * pp_dtype_size(t.dtype); k++)
            sum += bytes[k];
        sink += sum;
    }
    (void)pp_safetensors_metadata(st, "format");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_safetensors *st = NULL;
    const pp_status status = pp_safetensors_open(&st, pp_fuzz_file(".safetensors", data, size));
    if (status)
        pp_fuzz_refused(status);
    else
        use(st);
    pp_safetensors_close(st);
    return 0;
}
