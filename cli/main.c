/* pentaprism: dispatch to the commands. */
#include "cli/commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
        rc = (status = pp_outputs_check(&parsed)) == PP_OK ? command->run(&parsed) : pp_finish(status);
    pp_args_free(&parsed);
    return rc;
}

/* Told to end: nothing half-written stays, and the shell sees which signal it was. */
static void on_end(int number)
{
    static const char plain[] = "pentaprism: interrupted\n", wiped[] = "\r\033[Kpentaprism: interrupted\n"; /* a bar may stand there */
    pp_temporaries_remove();
    const ssize_t told = isatty(STDERR_FILENO) ? write(STDERR_FILENO, wiped, sizeof wiped - 1) : write(STDERR_FILENO, plain, sizeof plain - 1);
    (void)told;
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void watch_signals(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write, not a death */
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct sigaction old, now = {.sa_handler = on_end, .sa_flags = SA_RESTART};
        sigemptyset(&now.sa_mask);
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup stays in force */
            (void)sigaction(ends[i], &now, NULL);
    }
}

/* Results that did not reach stdout are a failure. */
static int end(int rc)
{
    const bool bad = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (!bad || rc != 0)
        return rc;
    return pp_finish(pp_fail(PP_EIO, "stdout: cannot be written (disk full?)"));
}

int main(int argc, char **argv)
{
    watch_signals();
    if (argc < 2)
        return pp_finish(pp_fail(PP_EUSAGE, "expected a command (see pentaprism --help)"));
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        if (argc == 2)
            help(stdout);
        else if (pp_command_find(argv[2]) != NULL) /* help COMMAND */
            pp_command_help(pp_command_find(argv[2]), stdout);
        else
            return unknown(argv[2]);
        return end(0);
    }
    const pp_command *c = pp_command_find(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
    return c != NULL ? end(dispatch(c, argc - 2, argv + 2)) : unknown(argv[1]);
}
