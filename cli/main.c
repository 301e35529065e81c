/* pentaprism: dispatch to the commands. */
#include "cli/commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const pp_command *const commands[] = {
    &pp_cmd_run,   &pp_cmd_model,  &pp_cmd_quantize, &pp_cmd_map,   &pp_cmd_simulate,
    &pp_cmd_infer, &pp_cmd_compare, &pp_cmd_fabric, &pp_cmd_report,   &pp_cmd_knobs, &pp_cmd_traffic, &pp_cmd_version,
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

int pp_finish(pp_status status)
{
    if (status == PP_OK)
        return 0;
    const char *text = pp_error_text();
    fprintf(stderr, "pentaprism: %s\n", text[0] != 0 ? text : pp_status_text(status));
    return status == PP_EUSAGE ? 2 : 1;
}

static void help(FILE *f)
{
    fputs("usage: pentaprism COMMAND [arguments] [options]\n\n"
          "An architecture simulator for in-memory computing: a network is quantized, mapped onto\n"
          "crossbar cores, placed on a fabric and simulated as a pipeline of discrete events.\n\ncommands\n",
          f);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(f, "  %-10s %.*s\n", commands[i]->name, (int)strcspn(commands[i]->text, "\n"), commands[i]->text);
    fputs("\n`pentaprism COMMAND --help` teaches the command. A first run:\n"
          "  pentaprism run examples/resnet32-5pp.yaml -o out.h5\n",
          f);
}

static int unknown(const char *word)
{
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i]->name;
    const char *near = pp_nearest(word, names, N_COMMANDS);
    if (near != NULL)
        return pp_finish(pp_fail(PP_EUSAGE, "unknown command '%s'; did you mean %s?", word, near));
    return pp_finish(pp_fail(PP_EUSAGE, "unknown command '%s' (see pentaprism --help)", word));
}

static int dispatch(const pp_command *command, int argc, char **argv)
{
    pp_parsed parsed;
    int rc = 0;
    pp_status status = pp_args_parse(&parsed, command, argc, argv);
    if (status != PP_OK)
        rc = pp_finish(status);
    else if (pp_args_has(&parsed, "help"))
        pp_command_help(command, stdout);
    else
        rc = command->run(&parsed);
    pp_args_free(&parsed);
    return rc;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write, not a death */
    if (argc < 2)
        return pp_finish(pp_fail(PP_EUSAGE, "expected a command (see pentaprism --help)"));
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        help(stdout);
        return 0;
    }
    const char *word = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i]->name, word) == 0)
            return dispatch(commands[i], argc - 2, argv + 2);
    }
    return unknown(argv[1]);
}
