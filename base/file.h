/* Files: memory maps, whole-file reads, atomic outputs, content hashes, paths. */
#ifndef PP_BASE_FILE_H
#define PP_BASE_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A read-only map of a regular file. An empty file gives data = NULL, size = 0. The file must not
 * shrink while it is mapped. */
typedef struct pp_file {
    char *path;
    const uint8_t *data;
    size_t size;
} pp_file;
pp_status pp_file_map(pp_file **out, const char *path);
void pp_file_unmap(pp_file *file); /* NULL allowed */

/* Whole text file (or pipe) into a new NUL-terminated buffer; refuses NUL bytes inside (PP_EFORMAT)
 * and files > max bytes (PP_ERANGE). `size` (bytes without the NUL) may be NULL. */
pp_status pp_file_read_text(char **out, size_t *size, const char *path, size_t max);

bool pp_file_exists(const char *path);
/* For the end of a line about a file that is not there: "; did you mean FOLDER/NAME?" when its folder holds a nearly
 * equal name, else "". Returns `buffer`. */
#define PP_NEAR_FILE_MAX 256
const char *pp_near_file(const char *path, char buffer[PP_NEAR_FILE_MAX]);

/* An output that appears whole or not at all. pp_output_begin checks that `path` may be written (an
 * existing regular file only with `force`; anything else that exists never, links included; the
 * folder must exist and be writable) and makes the name of a temporary file beside it, from the path
 * and the process number. The caller writes that file. pp_output_commit brings it to the disk and
 * gives it its name; without `force` a file that came up meanwhile is kept and the commit fails.
 * pp_output_abort removes the temporary. Commit (whatever it returns) and abort leave nothing to be
 * freed; abort may be called at any time, also after a failed begin and after commit (no effect). */
typedef struct pp_output {
    char *path, *temporary; /* owned; NULL after commit and abort */
    bool force, committed;
} pp_output;
pp_status pp_output_begin(pp_output *o, const char *path, bool force);
pp_status pp_output_commit(pp_output *o);
void pp_output_abort(pp_output *o);
/* For a process that is told to end: removes the temporaries of all outputs under way. Async-signal-safe. A file that
 * stands beside such a temporary is removed, too, between pp_temporary_add and pp_temporary_drop of its name (borrowed). */
void pp_temporaries_remove(void);
void pp_temporary_add(char *path);
void pp_temporary_drop(char *path);
/* begin + write + commit of `size` bytes. */
pp_status pp_output_write(const char *path, const void *data, size_t size, bool force);

/* SHA-256 as 64 hex digits and NUL. PAPER: FIPS 180-4. */
typedef struct pp_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} pp_sha256;
void pp_sha256_begin(pp_sha256 *h);
void pp_sha256_add(pp_sha256 *h, const void *data, size_t size);
void pp_sha256_end(pp_sha256 *h, char hex[65]);
/* 64-bit FNV-1a, for traces and tables, not for content identity. Start with PP_FNV_START. */
#define PP_FNV_START UINT64_C(0xcbf29ce484222325)
uint64_t pp_fnv1a(uint64_t hash, const void *data, size_t size);

/* "DIR/NAME" in a new string; name alone when it is absolute or dir is NULL or "". */
char *pp_path_join(const char *dir, const char *name);
/* Folder part of a path ("" when it has none), and the last component; new strings. */
char *pp_path_dir(const char *path);
char *pp_path_base(const char *path);
/* The file or folder that FILE or FILE:options names (options may hold slashes and colons), a new string: the whole text
 * when there is such a file, else what stands in front of the first colon that makes one; NULL: there is none. */
pp_status pp_path_named(char **path, const char *text);

#endif
