/* What fuzz targets share. */
#ifndef PP_TEST_FUZZ_H
#define PP_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From here on at most `bytes` may be allocated at once, beyond what is; the program stops otherwise. 0: no limit. */
void fuzz_limit(size_t bytes);
/* Most that was allocated at once since the limit was set. */
size_t fuzz_peak(void);
/* Path of a file in the working folder that holds the bytes; the same file every time. */
const char *fuzz_file(const char *end, const uint8_t *data, size_t size);

#endif
