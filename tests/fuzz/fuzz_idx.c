/* Datasets: an IDX pair, images first (4 bytes of their size, little-endian, in front) and the labels behind them; and
 * the same bytes as a CIFAR-10 batch. */
#include "tests/fuzz/fuzz.h"
#include "workloads/workloads.h"

#include <stdio.h>
#include <string.h>

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)1 << 20) + 4 * size;
}

static void open_data(const char *path)
{
    pp_dataset *data = NULL;
    const pp_status status = pp_dataset_open(&data, path, 0);
    if (status)
        pp_fuzz_refused(status);
    pp_dataset_free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[128];
    uint32_t images = 0;
    if (size < sizeof images)
        return 0;
    memcpy(&images, data, sizeof images);
    data += sizeof images;
    size -= sizeof images;
    images = images < size ? images : (uint32_t)size;
    pp_fuzz_put("x-images-idx3-ubyte", data, images);
    pp_fuzz_put("x-labels-idx1-ubyte", data + images, size - images);
    (void)snprintf(path, sizeof path, "%s/x-images-idx3-ubyte", pp_fuzz_folder());
    open_data(path);
    open_data(pp_fuzz_file(".bin", data, size));
    return 0;
}
