/* The commands; each in a file of its own (cmd_NAME.c). */
#ifndef PP_CLI_COMMANDS_H
#define PP_CLI_COMMANDS_H

#include "cli/args.h"

extern const pp_command pp_cmd_run, pp_cmd_simulate, pp_cmd_model, pp_cmd_quantize, pp_cmd_map, pp_cmd_infer, pp_cmd_compare,
    pp_cmd_fabric, pp_cmd_report, pp_cmd_knobs, pp_cmd_traffic, pp_cmd_completion, pp_cmd_man, pp_cmd_sweep, pp_cmd_version;
/* All of them, in the order of the help; NULL past the end. */
const pp_command *pp_command_at(size_t i);
const pp_command *pp_command_find(const char *name); /* NULL: no such command */

/* Prints the error line and gives the exit status that goes with it: 0, 1, or 2 for usage. */
int pp_finish(pp_status status);
/* Whether an output may be written there (pp_output_begin): asked before minutes of work, not after. */
pp_status pp_output_check(const char *path, bool force);

#endif
