/* Completion for fish: a `complete` line a thing. */
#include "cli/completion.h"

#include <string.h>

static void put_quoted(FILE *f, const char *text, size_t length)
{
    fputc('\'', f);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'' || text[i] == '\\')
            fputc('\\', f);
        fputc(text[i], f);
    }
    fputc('\'', f);
}

/* " -r -a WORDS": what an option's value or an operand may be. */
static void put_words(FILE *f, const char *usage)
{
    pp_words w;
    pp_words_of(&w, usage);
    switch (w.kind) {
    case PP_WORDS_NONE:
        fputs(" -f", f);
        break;
    case PP_WORDS_FILE:
        if (w.list[0] == 0)
            fputs(" -F", f);
        else
            fprintf(f, " -f -k -a '(__fish_complete_suffix %.*s)'", (int)strcspn(w.list, " "), w.list);
        break;
    case PP_WORDS_FOLDER:
        fputs(" -f -a '(__fish_complete_directories)'", f);
        break;
    case PP_WORDS_LIST:
        fprintf(f, " -f -a '%s'", w.list);
        break;
    case PP_WORDS_MODEL:
        fputs(" -F -a '(__pentaprism_models)'", f);
        break;
    case PP_WORDS_FABRIC:
        fputs(" -f -a '(__pentaprism_fabrics)'", f);
        break;
    case PP_WORDS_SETTING:
        fputs(" -f -a '(__pentaprism_settings)'", f);
        break;
    }
}

static void put_options(FILE *f, const char *command, const pp_arg *args)
{
    for (const pp_arg *a = args; a != NULL && a->name != NULL; a++) {
        fprintf(f, "complete -c pentaprism -n '%s%s'", command != NULL ? "__fish_seen_subcommand_from " : "not __fish_use_subcommand",
                command != NULL ? command : "");
        if (a->letter != 0)
            fprintf(f, " -s %c", a->letter);
        fprintf(f, " -l %s -d ", a->name);
        put_quoted(f, a->text, strlen(a->text));
        if (a->value != NULL) {
            fputs(" -r", f);
            put_words(f, a->value);
        }
        fputs("\n", f);
    }
}

typedef struct place {
    FILE *f;
    const pp_command *command;
} place;

/* Verbs stand first; what needs a verb stands behind it. */
static void put_operand(void *context, const char *verb, unsigned position, const char *usage)
{
    const place *p = context;
    char verbs[PP_VERBS_MAX];
    if (usage == NULL) {
        fprintf(p->f, "complete -c pentaprism -n '__pentaprism_at %s %u' -a '%s'\n", p->command->name, position, verb);
        return;
    }
    (void)pp_command_verbs(p->command, verbs);
    const bool repeats = strstr(usage, "...") != NULL;
    fprintf(p->f, "complete -c pentaprism -n '__pentaprism_at %s ", p->command->name);
    if (repeats)
        fputs("any", p->f);
    else
        fprintf(p->f, "%u", position);
    if (verb[0] != 0)
        fprintf(p->f, " %s", verb);
    fputs("'", p->f);
    put_words(p->f, usage);
    fputs("\n", p->f);
}

static void put_functions(FILE *f)
{
    const char *name;
    const pp_knob *k;
    char buffer[PP_SETTING_VALUE_MAX];
    fputs("function __pentaprism_models\n    printf '%s\\n'", f);
    for (size_t i = 0; (name = pp_words_model(i)) != NULL; i++)
        fprintf(f, " %s", name);
    fputs("\nend\nfunction __pentaprism_fabrics\n    printf '%s\\n'", f);
    for (size_t i = 0; (name = pp_words_fabric(i)) != NULL; i++)
        fprintf(f, " %s", strcmp(name, "file") == 0 ? "file:" : name);
    fputs("\nend\nfunction __pentaprism_settings\n", f);
    for (size_t i = 0; (k = pp_words_knob(i)) != NULL; i++) {
        const char *value = pp_words_setting(k, 0, buffer);
        size_t v = 0;
        do {
            fprintf(f, "    printf '%%s\\t%%s\\n' %s.%s=%s ", k->section, k->name, value != NULL ? value : "");
            put_quoted(f, k->text, strlen(k->text));
            fputs("\n", f);
        } while (value != NULL && (value = pp_words_setting(k, ++v, buffer)) != NULL);
    }
    fputs("end\n"
          "# COMMAND POSITION [VERB]: whether an operand at this place is being written\n"
          "function __pentaprism_at\n"
          "    set -l words (commandline -opc)\n"
          "    test (count $words) -ge 2; and test $words[2] = $argv[1]; or return 1\n"
          "    set -l operands\n"
          "    set -l skip 0\n"
          "    for w in $words[3..-1]\n"
          "        if test $skip = 1\n"
          "            set skip 0\n"
          "        else if __pentaprism_takes_value $argv[1] $w\n"
          "            set skip 1\n"
          "        else if not string match -q -- '-*' $w\n"
          "            set -a operands $w\n"
          "        end\n"
          "    end\n"
          "    if test $argv[2] != any; and test (count $operands) -ne $argv[2]\n"
          "        return 1\n"
          "    end\n"
          "    test (count $argv) -lt 3; or test \"$operands[1]\" = $argv[3]\n"
          "end\n",
          f);
}

static void put_value_names(FILE *f, const char *command, const pp_arg *args)
{
    fprintf(f, "        case '%s'\n            switch $argv[2]\n                case", command);
    bool any = false;
    for (const pp_arg *a = args; a != NULL && a->name != NULL; a++) {
        if (a->value == NULL)
            continue;
        fprintf(f, " --%s", a->name);
        if (a->letter != 0)
            fprintf(f, " -%c", a->letter);
        any = true;
    }
    fprintf(f, "%s\n                    return 0\n            end\n", any ? "" : " ''");
}

static void put_takes_value(FILE *f)
{
    const pp_command *c;
    fputs("# COMMAND OPTION: whether the option needs a value\nfunction __pentaprism_takes_value\n    switch $argv[1]\n", f);
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++)
        put_value_names(f, c->name, c->args);
    fputs("    end\n    switch ''\n", f);
    put_value_names(f, "", pp_common_args);
    fputs("    end\n    return 1\nend\n", f);
}

void pp_completion_fish(FILE *f)
{
    const pp_command *c;
    fputs("# fish completion for pentaprism, made by `pentaprism completion fish`\n", f);
    put_functions(f);
    put_takes_value(f);
    fputs("complete -c pentaprism -f\n", f);
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++) {
        fprintf(f, "complete -c pentaprism -n __fish_use_subcommand -a %s -d ", c->name);
        put_quoted(f, c->text, (size_t)pp_first_line(c->text));
        fputs("\n", f);
        put_options(f, c->name, c->args);
        place p = {f, c};
        pp_operands_each(c, put_operand, &p);
    }
    put_options(f, NULL, pp_common_args);
}
