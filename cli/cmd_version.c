/* version: of the program and of the libraries that it runs on. */
#include "cli/commands.h"
#include "cli/session.h"

#include <stdio.h>

static pp_status print_version(const pp_parsed *p)
{
    char hdf5[32];
    pp_hdf5_version(hdf5);
    const char *rows[][2] = {{"version", PP_VERSION},
                             {"commit", PP_COMMIT},
                             {"systemc", pp_systemc_version()},
                             {"igraph", pp_igraph_version()},
                             {"hdf5", hdf5},
                             {"openblas", PP_OPENBLAS_VERSION}};
    pp_json *json = pp_args_has(p, "json") ? pp_json_object() : NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (json != NULL)
            pp_json_add_text(json, rows[i][0], rows[i][1]);
        else
            printf("%-10s %s\n", i == 0 ? "pentaprism" : rows[i][0], rows[i][1]);
    }
    return json != NULL ? pp_print_json(json) : PP_OK;
}

static int run(const pp_parsed *p)
{
    return pp_finish(print_version(p));
}

const pp_command pp_cmd_version = {
    .name = "version",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .text = "print the versions of pentaprism and its libraries",
    .examples = "  pentaprism version --json\n",
    .run = run,
};
