/* Completion: what may stand where, from the tables of commands, options, knobs, models and fabrics; one printer a
 * shell. Private to cli/. */
#ifndef PP_CLI_COMPLETION_H
#define PP_CLI_COMPLETION_H

#include "cli/commands.h"

#include <stdio.h>

/* What completes a word of the usage. */
typedef enum pp_words_kind {
    PP_WORDS_NONE,    /* a number or a text: nothing */
    PP_WORDS_FILE,    /* files, with `endings` */
    PP_WORDS_FOLDER,
    PP_WORDS_LIST,    /* one of `list`, separated by blanks */
    PP_WORDS_MODEL,   /* built-in models, and files */
    PP_WORDS_FABRIC,  /* kinds of fabrics; "file:" and sizes go on behind */
    PP_WORDS_SETTING  /* SECTION.KEY=VALUE */
} pp_words_kind;

typedef struct pp_words {
    pp_words_kind kind;
    char list[512]; /* FILE: endings with the dot ("" any); LIST: the words */
} pp_words;

/* Meaning of an operand or an option's value: "FILE.yaml", "MODEL,...", "rtn|gptq", "N". */
void pp_words_of(pp_words *out, const char *usage);

/* Alternatives of a command's operands: calls `each` with the verb ("" where there is none) and the word behind it
 * (NULL: nothing). `position` counts the operands from 0. */
typedef void (*pp_operand_fn)(void *context, const char *verb, unsigned position, const char *usage);
void pp_operands_each(const pp_command *c, pp_operand_fn each, void *context);

/* Names, one call each; NULL past the end. Knobs come section by section, whichever room's table they stand in. */
const char *pp_words_model(size_t i);
const char *pp_words_fabric(size_t i);
const pp_knob *pp_words_knob(size_t i);

/* i-th value that a setting may have, where these can be listed; NULL past the end. `buffer` is room for it. */
#define PP_SETTING_VALUE_MAX 64
const char *pp_words_setting(const pp_knob *k, size_t i, char buffer[PP_SETTING_VALUE_MAX]);

/* First line of a command's text. */
int pp_first_line(const char *text);

void pp_completion_bash(FILE *f);
void pp_completion_zsh(FILE *f);
void pp_completion_fish(FILE *f);

#endif
