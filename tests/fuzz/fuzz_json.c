/* JSON: the reader, and the verifier of certificates on top of it. */
#include "base/doc.h"
#include "mapper/mapper.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)16 << 20) + 400 * size; /* a certificate that names a network and a fabric has them built */
}

static void as_certificate(const uint8_t *data, size_t size)
{
    bool valid = false;
    char **errors = NULL;
    size_t n = 0;
    const pp_status status = pp_certificate_verify(pp_fuzz_file(".json", data, size), &valid, &errors, &n);
    if (status)
        pp_fuzz_refused(status);
    if (!status && valid != (n == 0))
        __builtin_trap();
    for (size_t i = 0; i < n; i++)
        free(errors[i]);
    free(errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_doc *doc = NULL;
    const pp_status status = pp_doc_parse_json(&doc, "input", (const char *)data, size);
    if (status)
        pp_fuzz_refused(status);
    pp_doc_free(doc);
    as_certificate(data, size);
    return 0;
}
