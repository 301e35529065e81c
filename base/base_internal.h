/* What the files of base/ share with each other only. */
#ifndef PP_BASE_BASE_INTERNAL_H
#define PP_BASE_BASE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdint.h>

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define PP_REASON_MAX 128
/* Text of an errno value, made in `buffer` (strerror's own buffer is shared by all threads). */
const char *pp_reason(int error, char buffer[PP_REASON_MAX]);
/* "PATH: WHAT: reason" of the current errno (WHAT may be NULL), with the status that fits it. */
pp_status pp_fail_errno(const char *path, const char *what);

/* Shortest of %.15g, %.16g and %.17g that reads back as `value`, which is finite. */
#define PP_F64_TEXT_MAX 32
void pp_f64_text(double value, char text[PP_F64_TEXT_MAX]);

/* SHA-256 of whole blocks of 64 bytes: plain C, and the processor's instructions (only when it has them). */
extern const uint32_t pp_sha256_constant_[64];
void pp_sha256_plain_(uint32_t state[8], const uint8_t *data, size_t blocks);
bool pp_sha256_has_fast_(void);
void pp_sha256_fast_(uint32_t state[8], const uint8_t *data, size_t blocks);

#endif
