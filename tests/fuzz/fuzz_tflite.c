/* TensorFlow Lite files. */
#include "tests/fuzz/fuzz_network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return pp_fuzz_network(".tflite", data, size);
}
