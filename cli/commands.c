/* The table of commands, and how a command ends. */
#include "cli/commands.h"

#include <string.h>

#include "base/file.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const pp_command *const commands[] = {
    &pp_cmd_run,    &pp_cmd_model,  &pp_cmd_quantize, &pp_cmd_map,     &pp_cmd_simulate,   &pp_cmd_infer, &pp_cmd_compare,
    &pp_cmd_fabric, &pp_cmd_report, &pp_cmd_knobs,    &pp_cmd_traffic, &pp_cmd_sweep, &pp_cmd_completion, &pp_cmd_man,   &pp_cmd_version,
};

const pp_command *pp_command_at(size_t i)
{
    return i < sizeof commands / sizeof *commands ? commands[i] : NULL;
}

const pp_command *pp_command_find(const char *name)
{
    const pp_command *c;
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

/* A reader that has gone away (head) needs no line: the usual death. */
static void end_with_reader(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 0) <= 0 || (out.revents & POLLERR) == 0)
        return;
    (void)signal(SIGPIPE, SIG_DFL);
    (void)raise(SIGPIPE);
}

int pp_finish(pp_status status)
{
    if (status == PP_OK)
        return 0;
    if (status == PP_EIO)
        end_with_reader();
    const char *text = pp_error_text();
    fprintf(stderr, "pentaprism: %s\n", text[0] != 0 ? text : pp_status_text(status));
    return status == PP_EUSAGE ? 2 : 1;
}

pp_status pp_output_check(const char *path, bool force)
{
    pp_output probe;
    const pp_status status = pp_output_begin(&probe, path, force);
    pp_output_abort(&probe);
    return status;
}
