/* Images: decoded, and brought to another size. */
#include "tests/fuzz/fuzz.h"
#include "workloads/image_internal.h"

size_t pp_fuzz_memory(size_t size)
{
    /* Deflate packs 1032 to 1, and a bit of a palette becomes three bytes. */
    return ((size_t)4 << 20) + 26000 * size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_image image;
    pp_status status = pp_image_read_(&image, pp_fuzz_file(".png", data, size));
    if (!status)
        status = pp_image_resize_(&image, 7, 5);
    if (status)
        pp_fuzz_refused(status);
    pp_image_free_(&image);
    return 0;
}
