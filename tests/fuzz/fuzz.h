/* Fuzzing: one function a reader, driven by libFuzzer (clang, -DPP_FUZZ=ON) or by replay.c (any compiler, in ctest).
 *
 * A target reads `size` bytes through the public interface, as a user's file would be read, and uses what came out
 * (walks every node, loads every tensor). It returns 0 whatever the input: a refusal in one line is a success. What
 * counts as a finding: a crash, a sanitizer's report, a hang, a refusal without a text, more memory than
 * pp_fuzz_memory() allows. */
#ifndef PP_TESTS_FUZZ_H
#define PP_TESTS_FUZZ_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes that reading `size` bytes may take from the heap at once: a constant and a multiple, each target's own. The
 * replay checks it where it can count (not under a sanitizer). */
size_t pp_fuzz_memory(size_t size);

/* The bytes as a file, for readers that take a path: one in memory, the same in every call. `ending` (".json") is the
 * end of its name, because some readers go by it. Aborts when the machine gives no file. */
const char *pp_fuzz_file(const char *ending, const uint8_t *data, size_t size);
/* A folder of files that the target writes beside each other; pp_fuzz_put overwrites one. */
const char *pp_fuzz_folder(void);
void pp_fuzz_put(const char *name, const void *data, size_t size);

/* After a failed status: the text must be one line and not empty. */
void pp_fuzz_refused(pp_status status);

#endif
