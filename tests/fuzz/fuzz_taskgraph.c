/* GraphML task graphs and the XML reader below them. */
#include "fuzz.h"

#include "workloads/stage.h"
#include "workloads/workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_network *net = NULL;
    pp_stages *stages = NULL;
    const char *path = fuzz_file(".graphml", data, size);
    fuzz_limit(256 * size + ((size_t)4 << 20));
    pp_error_clear();
    pp_status status = pp_network_from_tasks(&net, path);
    if (status == PP_OK)
        status = pp_stages_build(&stages, net);
    if (status != PP_OK && (stages || !*pp_error_text() || strchr(pp_error_text(), '\n'))) {
        fprintf(stderr, "bad failure: '%s'\n", pp_error_text());
        abort();
    }
    pp_stages_free(stages);
    pp_network_free(net);
    fuzz_limit(0);
    (void)unlink(path);
    return 0;
}
