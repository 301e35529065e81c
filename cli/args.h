/* Argument tables and their parser. One table a command makes parsing, --help and docs. */
#ifndef PP_CLI_ARGS_H
#define PP_CLI_ARGS_H

#include "base/base.h"

/* One option. `value` names its argument in the help ("FILE", or its choices: "rtn|gptq"); NULL: a flag. */
typedef struct pp_arg {
    char letter;       /* 0: none */
    const char *name;  /* without dashes */
    const char *value;
    const char *text;
} pp_arg;

typedef struct pp_parsed pp_parsed;

typedef struct pp_command {
    const char *name;      /* "run" */
    const char *operands;  /* "FILE.yaml", "list | show MODEL": alternatives; words in small letters are verbs. What the
                              capitals mean: cli/completion_words.c */
    unsigned min_operands, max_operands;
    const char *text;      /* first line: one sentence; the rest: what a newcomer needs to know */
    const char *examples;  /* lines, shown as they are */
    const pp_arg *args;    /* own options, ended by name == NULL; the common ones are added */
    int (*run)(const pp_parsed *p);
} pp_command;

struct pp_parsed {
    const pp_command *command;
    const char **operand;
    size_t n_operands;
    /* values in the order given; name as in the table */
    const char **option_name, **option_value;
    size_t n_options;
};

extern const pp_arg pp_common_args[];

/* Fails with PP_EUSAGE and one line. `argv` starts behind the command's name; it must outlive `out`. */
pp_status pp_args_parse(pp_parsed *out, const pp_command *command, int argc, char **argv);
void pp_args_free(pp_parsed *p);
/* Last value given, or NULL; a flag gives "". */
const char *pp_args_get(const pp_parsed *p, const char *name);
bool pp_args_has(const pp_parsed *p, const char *name);
/* Integer option within [min, max], or `def` when it was not given. */
pp_status pp_args_i64(const pp_parsed *p, const char *name, int64_t def, int64_t min, int64_t max, int64_t *out);
/* Verbs that the first operand may be: "list or show"; "" when it may be anything else, too. */
#define PP_VERBS_MAX 128
const char *pp_command_verbs(const pp_command *command, char buffer[PP_VERBS_MAX]);
void pp_command_help(const pp_command *command, void *stdio_file);
/* Options that name files to write. */
bool pp_option_is_output(const char *name);
/* Fails when an output is an input as well, or two outputs are one file (links and ./ seen through), whatever --force says. */
pp_status pp_outputs_check(const pp_parsed *p);
/* The same for one more file that the command reads (NULL, "", what is no file: nothing). */
pp_status pp_output_spares(const pp_parsed *p, const char *input);
/* The command that makes the same result again, in a new string: without outputs, threads and folders. NULL: no memory. */
char *pp_canonical_command(const pp_parsed *p);
/* `text` without the folders of files that it names (FILE, MODEL:output=NAME, file:FILE, lists of these), in a new string.
 * NULL: no memory. */
char *pp_without_folders(const char *text);

#endif
