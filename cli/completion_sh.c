/* Completion for bash and zsh. Both read the same tables, written as case statements that both understand; what
 * differs is how a shell is told the words, the functions _pp_... in front. */
#include "cli/completion.h"

#include <string.h>

/* ---- what differs ---- */

static const char bash_head[] =
    "# bash completion for pentaprism, made by `pentaprism completion bash`\n"
    "_pp_reply() {\n"
    "    local word cut=\n"
    "    # bash breaks words at = and :, and wants what is behind the last break\n"
    "    local breaks=\n"
    "    [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='\n"
    "    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'\n"
    "    [[ -n $breaks && $_pp_word == *[$breaks]* ]] && cut=${_pp_word%\"${_pp_word##*[$breaks]}\"}\n"
    "    for word in \"$@\"; do\n"
    "        [[ $word == \"$_pp_cur\"* ]] || continue\n"
    "        word=$_pp_prefix$word\n"
    "        COMPREPLY+=(\"${word#\"$cut\"}\")\n"
    "    done\n"
    "}\n"
    "_pp_list() { local IFS=$' \\n'; _pp_reply $1; }\n"
    "_pp_stay() { compopt -o nospace 2>/dev/null; local IFS=$' \\n'; _pp_reply $1; }\n"
    "_pp_describe() { local d; for d in \"$@\"; do _pp_reply \"${d%%:*}\"; done; }\n"
    "_pp_files() {\n"
    "    local file ending\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    while IFS= read -r file; do\n"
    "        if [[ -d $file || -z $1 ]]; then _pp_reply \"$file\"; continue; fi\n"
    "        for ending in $1; do [[ $file == *\"$ending\" ]] && _pp_reply \"$file\"; done\n"
    "    done < <(compgen -f -- \"$_pp_cur\")\n"
    "}\n"
    "_pp_folders() {\n"
    "    local file\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    while IFS= read -r file; do _pp_reply \"$file\"; done < <(compgen -d -- \"$_pp_cur\")\n"
    "}\n"
    "_pp_behind_file() { # PREFIX: files behind it\n"
    "    _pp_prefix=$_pp_prefix$1; _pp_cur=${_pp_cur#\"$1\"}; _pp_files \"$2\"\n"
    "}\n"
    "_pp_behind_comma() { # a list: the last of its words\n"
    "    [[ $_pp_cur == *,* ]] || return 0\n"
    "    _pp_prefix=$_pp_prefix${_pp_cur%,*},; _pp_cur=${_pp_cur##*,}\n"
    "}\n";

static const char bash_tail[] =
    "_pentaprism() {\n"
    "    local _pp_cur _pp_word _pp_prefix= command verb= previous i at=0\n"
    "    local -a words=()\n"
    "    read -ra words <<<\"${COMP_LINE:0:COMP_POINT}\"\n"
    "    [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=(\"\")\n"
    "    COMPREPLY=()\n"
    "    _pp_word=${words[-1]}; _pp_cur=$_pp_word\n"
    "    command=${words[1]}; previous=${words[${#words[@]} - 2]}\n"
    "    if ((${#words[@]} <= 2)); then _pp_commands; return 0; fi\n"
    "    for ((i = 2; i < ${#words[@]} - 1; i++)); do\n"
    "        if _pp_takes_value \"$command\" \"${words[i]}\"; then ((i++)); continue; fi\n"
    "        [[ ${words[i]} == -* ]] && continue\n"
    "        ((at == 0)) && verb=${words[i]}\n"
    "        ((at++))\n"
    "    done\n"
    "    if [[ $_pp_cur == --*=* ]]; then\n"
    "        previous=${_pp_cur%%=*}; _pp_prefix=$previous=; _pp_cur=${_pp_cur#*=}\n"
    "        _pp_value \"$command\" \"$previous\"\n"
    "    elif _pp_takes_value \"$command\" \"$previous\"; then _pp_value \"$command\" \"$previous\"\n"
    "    elif [[ $_pp_cur == -* ]]; then _pp_options \"$command\"\n"
    "    else _pp_operand \"$command\" \"$at\" \"$verb\"\n"
    "    fi\n"
    "    return 0\n"
    "}\n"
    "complete -F _pentaprism pentaprism\n";

static const char zsh_head[] =
    "#compdef pentaprism\n"
    "# zsh completion for pentaprism, made by `pentaprism completion zsh`\n"
    "_pp_list() { compadd -- ${=1} }\n"
    "_pp_stay() { compadd -S '' -- ${=1} }\n"
    "_pp_describe() { local -a all; all=(\"$@\"); _describe 'pentaprism' all }\n"
    "_pp_files() {\n"
    "    local -a endings; endings=(${=1})\n"
    "    if (( $#endings )); then _files -g \"*(${(j:|:)endings})\"; else _files; fi\n"
    "}\n"
    "_pp_folders() { _files -/ }\n"
    "_pp_behind_file() { compset -P \"$1\" && _pp_files \"$2\" }\n"
    "_pp_behind_comma() { compset -P '*,'; _pp_cur=${_pp_cur##*,} }\n";

static const char zsh_tail[] =
    "_pentaprism() {\n"
    "    local _pp_cur=${words[CURRENT]} command=${words[2]} verb= previous=${words[CURRENT - 1]}\n"
    "    integer i at=0\n"
    "    if (( CURRENT == 2 )); then _pp_commands; return; fi\n"
    "    for (( i = 3; i < CURRENT; i++ )); do\n"
    "        if _pp_takes_value \"$command\" \"${words[i]}\"; then (( i++ )); continue; fi\n"
    "        [[ ${words[i]} == -* ]] && continue\n"
    "        (( at == 0 )) && verb=${words[i]}\n"
    "        (( at += 1 ))\n"
    "    done\n"
    "    if [[ $_pp_cur == --*=* ]]; then\n"
    "        previous=${_pp_cur%%=*}; compset -P '[^=]#='; _pp_cur=${_pp_cur#*=}\n"
    "        _pp_value \"$command\" \"$previous\"\n"
    "    elif _pp_takes_value \"$command\" \"$previous\"; then _pp_value \"$command\" \"$previous\"\n"
    "    elif [[ $_pp_cur == -* ]]; then _pp_options \"$command\"\n"
    "    else _pp_operand \"$command\" \"$at\" \"$verb\"\n"
    "    fi\n"
    "}\n"
    "if [ \"$funcstack[1]\" = \"_pentaprism\" ]; then _pentaprism \"$@\"; else compdef _pentaprism pentaprism; fi\n";

/* ---- what is the same ---- */

/* Text between single quotes of a shell. */
static void put_quoted(FILE *f, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'')
            fputs("'\\''", f);
        else
            fputc(text[i], f);
    }
}

/* " 'name:what it does'" */
static void put_described(FILE *f, const char *dashes, const char *name, const char *text)
{
    fprintf(f, " '%s%s:", dashes, name);
    put_quoted(f, text, (size_t)pp_first_line(text));
    fputs("'", f);
}

static void put_commands(FILE *f)
{
    const pp_command *c;
    fputs("_pp_commands() {\n    _pp_describe", f);
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++)
        put_described(f, "", c->name, c->text);
    fputs(" '--help:what there is' '--version:versions of pentaprism and its libraries'\n}\n", f);
}

static void put_options_of(FILE *f, const pp_arg *args)
{
    for (const pp_arg *a = args; a != NULL && a->name != NULL; a++)
        put_described(f, "--", a->name, a->text);
}

static void put_options(FILE *f)
{
    const pp_command *c;
    fputs("_pp_options() {\n    case $1 in\n", f);
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++) {
        if (c->args == NULL || c->args[0].name == NULL)
            continue;
        fprintf(f, "    %s) _pp_describe", c->name);
        put_options_of(f, c->args);
        fputs(" ;;\n", f);
    }
    fputs("    esac\n    _pp_describe", f);
    put_options_of(f, pp_common_args);
    fputs("\n}\n", f);
}

/* Calls `put` for each option with a value of all commands ("*": the common ones). */
static void each_value(FILE *f, void (*put)(FILE *f, const char *command, const pp_arg *a))
{
    const pp_command *c;
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++)
        for (const pp_arg *a = c->args; a != NULL && a->name != NULL; a++)
            if (a->value != NULL)
                put(f, c->name, a);
    for (const pp_arg *a = pp_common_args; a->name != NULL; a++)
        if (a->value != NULL)
            put(f, "*", a);
}

static void put_pattern(FILE *f, const char *command, const pp_arg *a)
{
    fprintf(f, "    %s:--%s", command, a->name);
    if (a->letter != 0)
        fprintf(f, "|%s:-%c", command, a->letter);
    fputs(")", f);
}

static void put_takes(FILE *f, const char *command, const pp_arg *a)
{
    put_pattern(f, command, a);
    fputs(" return 0 ;;\n", f);
}

static void put_action(FILE *f, const char *usage)
{
    pp_words w;
    pp_words_of(&w, usage);
    if (strstr(usage, ",...") != NULL && w.kind != PP_WORDS_SETTING)
        fputs(" _pp_behind_comma;", f);
    switch (w.kind) {
    case PP_WORDS_NONE:
        fputs(" :", f);
        break;
    case PP_WORDS_FILE:
        fprintf(f, " _pp_files '%s'", w.list);
        break;
    case PP_WORDS_FOLDER:
        fputs(" _pp_folders", f);
        break;
    case PP_WORDS_LIST:
        fprintf(f, " _pp_list '%s'", w.list);
        break;
    case PP_WORDS_MODEL:
        fputs(" _pp_models", f);
        break;
    case PP_WORDS_FABRIC:
        fputs(" _pp_fabrics", f);
        break;
    case PP_WORDS_SETTING:
        fputs(" _pp_settings", f);
        break;
    }
}

static void put_value(FILE *f, const char *command, const pp_arg *a)
{
    put_pattern(f, command, a);
    put_action(f, a->value);
    fputs(" ;;\n", f);
}

static void put_values(FILE *f)
{
    fputs("_pp_takes_value() {\n    case $1:$2 in\n", f);
    each_value(f, put_takes);
    fputs("    esac\n    return 1\n}\n_pp_value() {\n    case $1:$2 in\n", f);
    each_value(f, put_value);
    fputs("    esac\n}\n", f);
}

typedef struct operand_place {
    FILE *f;
    unsigned position;
    bool first; /* of the operands: verbs and what needs none */
} operand_place;

static void put_first(void *context, const char *verb, unsigned position, const char *usage)
{
    const operand_place *p = context;
    if (position != 0)
        return;
    if (usage == NULL)
        fprintf(p->f, " _pp_list '%s';", verb);
    else {
        put_action(p->f, usage);
        fputs(";", p->f);
    }
}

static void put_later(void *context, const char *verb, unsigned position, const char *usage)
{
    const operand_place *p = context;
    if (position == 0 || usage == NULL)
        return;
    fprintf(p->f, "    %u:%s)", position, verb);
    put_action(p->f, usage);
    fputs(" ;;\n", p->f);
}

static void put_operands(FILE *f)
{
    const pp_command *c;
    fputs("_pp_operand() {\n    case $1 in\n", f);
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++) {
        operand_place place = {.f = f};
        if (c->operands[0] == 0)
            continue;
        const bool repeats = strstr(c->operands, "...") != NULL;
        fprintf(f, "    %s) case $2:$3 in\n    %s)", c->name, repeats ? "*" : "0:");
        pp_operands_each(c, put_first, &place);
        fputs(" ;;\n", f);
        if (!repeats)
            pp_operands_each(c, put_later, &place);
        fputs("    esac ;;\n", f);
    }
    fputs("    esac\n}\n", f);
}

static void put_models(FILE *f)
{
    const char *name;
    fputs("_pp_models() {\n    _pp_list '", f);
    for (size_t i = 0; (name = pp_words_model(i)) != NULL; i++)
        fprintf(f, "%s%s", i > 0 ? " " : "", name);
    fputs("'\n    _pp_files '.safetensors .json .onnx .tflite .graphml .bin'\n}\n", f);
}

static void put_fabrics(FILE *f)
{
    const char *name;
    fputs("_pp_fabrics() {\n    case $_pp_cur in\n    file:*) _pp_behind_file file: '.graphml .xml' ;;\n    *) _pp_stay '", f);
    for (size_t i = 0; (name = pp_words_fabric(i)) != NULL; i++)
        fprintf(f, "%s%s", i > 0 ? " " : "", strcmp(name, "file") == 0 ? "file:" : name);
    fputs("' ;;\n    esac\n}\n", f);
}

/* "section.key=" until the = is there, then the values. */
static void put_settings(FILE *f)
{
    const pp_knob *k;
    const char *value;
    char buffer[PP_SETTING_VALUE_MAX];
    fputs("_pp_settings() {\n    case $_pp_cur in\n", f);
    for (size_t i = 0; (k = pp_words_knob(i)) != NULL; i++) {
        if (pp_words_setting(k, 0, buffer) == NULL)
            continue;
        fprintf(f, "    %s.%s=*) _pp_list '", k->section, k->name);
        for (size_t v = 0; (value = pp_words_setting(k, v, buffer)) != NULL; v++)
            fprintf(f, "%s%s.%s=%s", v > 0 ? " " : "", k->section, k->name, value);
        fputs("' ;;\n", f);
    }
    fputs("    *=*) : ;;\n    *) _pp_stay '", f);
    for (size_t i = 0; (k = pp_words_knob(i)) != NULL; i++)
        fprintf(f, "%s%s.%s=", i > 0 ? " " : "", k->section, k->name);
    fputs("' ;;\n    esac\n}\n", f);
}

static void put_tables(FILE *f)
{
    put_commands(f);
    put_options(f);
    put_values(f);
    put_operands(f);
    put_models(f);
    put_fabrics(f);
    put_settings(f);
}

void pp_completion_bash(FILE *f)
{
    fputs(bash_head, f);
    put_tables(f);
    fputs(bash_tail, f);
}

void pp_completion_zsh(FILE *f)
{
    fputs(zsh_head, f);
    put_tables(f);
    fputs(zsh_tail, f);
}
