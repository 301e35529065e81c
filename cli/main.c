/* pentaprism: dispatch to the commands. */
#include "cli/commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void help(FILE *f)
{
    fputs("usage: pentaprism COMMAND [arguments] [options]\n\n"
          "An architecture simulator for in-memory computing: a network is quantized, mapped onto\n"
          "crossbar cores, placed on a fabric and simulated as a pipeline of discrete events.\n\ncommands\n",
          f);
    const pp_command *c;
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++)
        fprintf(f, "  %-10s %.*s\n", c->name, (int)strcspn(c->text, "\n"), c->text);
    fputs("\n`pentaprism COMMAND --help` teaches the command. A first run:\n"
          "  pentaprism run examples/resnet32-5pp.yaml -o out.h5\n",
          f);
}

static int unknown(const char *word)
{
    const char *names[64];
    size_t n = 0;
    for (const pp_command *c; n < 64 && (c = pp_command_at(n)) != NULL; n++)
        names[n] = c->name;
    const char *near = pp_nearest(word, names, n);
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
    const pp_command *c;
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++) {
        if (strcmp(c->name, word) == 0)
            return dispatch(c, argc - 2, argv + 2);
    }
    return unknown(argv[1]);
}
