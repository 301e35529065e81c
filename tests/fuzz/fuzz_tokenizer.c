/* tokenizer.json: read, then a text there and back. */
#include "tests/fuzz/fuzz.h"
#include "workloads/tokenizer.h"

#include <stdlib.h>
#include <string.h>

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)8 << 20) + 600 * size;
}

static const char words[] = "Hello world's 1234 na\xc3\xafve \xe4\xbd\xa0\xe5\xa5\xbd\n\n  tabs\tand \xf0\x9f\x98\x80 <s> \xff!";

static void use(const pp_tokenizer *t)
{
    pp_tokens tokens;
    char *text = NULL;
    size_t size = 0;
    pp_status status = pp_tokenizer_encode(t, &tokens, words, sizeof words - 1);
    if (status) {
        pp_fuzz_refused(status);
        return;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < tokens.n; i++) {
        if (tokens.ids[i] >= pp_tokenizer_size(t))
            __builtin_trap();
        bytes += tokens.bytes[i];
    }
    if (bytes != sizeof words - 1)
        __builtin_trap();
    status = pp_tokenizer_decode(t, &text, &size, tokens.ids, tokens.n);
    if (status)
        pp_fuzz_refused(status);
    free(text);
    pp_tokens_free(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_tokenizer *t = NULL;
    const pp_status status = pp_tokenizer_open(&t, pp_fuzz_file(".json", data, size));
    if (status)
        pp_fuzz_refused(status);
    else
        use(t);
    pp_tokenizer_free(t);
    return 0;
}
