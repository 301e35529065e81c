/* ONNX files: reading, folding, the network and its stages. */
#include "fuzz.h"

#include "workloads/onnx.h"
#include "workloads/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One line that names something, and nothing half-made. */
static void check_failure(const void *made)
{
    const char *text = pp_error_text();
    if (made || !*text || strchr(text, '\n')) {
        fprintf(stderr, "bad failure: '%s'\n", text);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_network *net = NULL;
    pp_stages *stages = NULL;
    const char *path = fuzz_file(".onnx", data, size);
    fuzz_limit(256 * size + ((size_t)4 << 20));
    pp_error_clear();
    if (pp_network_from_onnx(&net, path) != PP_OK)
        check_failure(net);
    else if (pp_stages_build(&stages, net) != PP_OK)
        check_failure(stages);
    pp_stages_free(stages);
    pp_network_free(net);
    fuzz_limit(0);
    (void)unlink(path);
    return 0;
}
