#include "cli/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const pp_arg pp_common_args[] = {
    {'o', "output", "FILE", "where the result goes"},
    {0, "json", NULL, "print one JSON object to stdout and nothing else"},
    {0, "set", "SECTION.KEY=VALUE", "override a setting of the run file (repeatable; see `pentaprism knobs`)"},
    {'j', "threads", "N", "threads, at least 1 (default: all processors); never changes a result"},
    {0, "seed", "N", "seed of everything random (placement search, noise); default 1"},
    {0, "force", NULL, "replace an existing output file"},
    {0, "quiet", NULL, "no progress, no warnings"},
    {'h', "help", NULL, "this text"},
    {0, NULL, NULL, NULL},
};

static const pp_arg *find_in(const pp_arg *table, const char *name, size_t len, char letter)
{
    for (const pp_arg *a = table; a != NULL && a->name != NULL; a++) {
        if (letter != 0 ? a->letter == letter : strlen(a->name) == len && strncmp(a->name, name, len) == 0)
            return a;
    }
    return NULL;
}

static const pp_arg *find(const pp_command *c, const char *name, size_t len, char letter)
{
    const pp_arg *a = find_in(c->args, name, len, letter);
    return a != NULL ? a : find_in(pp_common_args, name, len, letter);
}

/* "--force" where a value should stand: the value was forgotten. */
static bool is_option(const pp_command *c, const char *word)
{
    return strncmp(word, "--", 2) == 0 && find(c, word + 2, strlen(word + 2), 0) != NULL;
}

static pp_status unknown(const pp_command *c, const char *word)
{
    const char *names[64];
    size_t n = 0;
    for (const pp_arg *a = c->args; a != NULL && a->name != NULL && n < 64; a++)
        names[n++] = a->name;
    for (const pp_arg *a = pp_common_args; a->name != NULL && n < 64; a++)
        names[n++] = a->name;
    const char *near = word[1] == '-' ? pp_nearest(word + 2, names, n) : NULL;
    if (near != NULL)
        return pp_fail(PP_EUSAGE, "%s: unknown option '%s'; did you mean --%s?", c->name, word, near);
    return pp_fail(PP_EUSAGE, "%s: unknown option '%s' (see pentaprism %s --help)", c->name, word, c->name);
}

/* Takes one option from argv[*i]; moves *i over a separate value. */
static pp_status take_option(pp_parsed *p, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const pp_arg *a = find(p->command, name, len, is_long ? 0 : name[0]);
    if (a == NULL)
        return unknown(p->command, word);
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (!is_long && name[1] != 0)
        value = name + 1; /* -j4 */
    if (a->value == NULL && value != NULL)
        return pp_fail(PP_EUSAGE, "%s: option '%s' takes no value", p->command->name, word);
    if (a->value != NULL && value == NULL) {
        if (*i + 1 >= argc || is_option(p->command, argv[*i + 1])) /* a value that looks like one goes behind a = */
            return pp_fail(PP_EUSAGE, "%s: option '%s' needs a value (%s)", p->command->name, word, a->value);
        value = argv[++*i];
    }
    p->option_name[p->n_options] = a->name;
    p->option_value[p->n_options++] = value != NULL ? value : "";
    return PP_OK;
}

const char *pp_command_verbs(const pp_command *c, char buffer[PP_VERBS_MAX])
{
    size_t used = 0;
    buffer[0] = 0;
    for (const char *at = c->operands; *at != 0;) {
        const size_t length = strcspn(at, " ");
        const char *next = strstr(at, " | ");
        if (at[0] < 'a' || at[0] > 'z') {
            buffer[0] = 0; /* this alternative begins with something else */
            return buffer;
        }
        used += (size_t)snprintf(buffer + used, PP_VERBS_MAX - used, "%s%.*s", used == 0 ? "" : next != NULL ? ", " : " or ",
                                 (int)length, at);
        at = next != NULL ? next + 3 : "";
    }
    return buffer;
}

/* Where the first operand must be a verb, it is one: whole word of `verbs`. */
static bool is_verb(const char *word, const char *verbs)
{
    const size_t length = strlen(word);
    for (const char *at = verbs; length > 0 && (at = strstr(at, word)) != NULL; at++)
        if ((at == verbs || at[-1] == ' ') && (at[length] == 0 || at[length] == ' ' || at[length] == ','))
            return strcmp(word, "or") != 0;
    return false;
}

static pp_status check_operands(const pp_parsed *p)
{
    const pp_command *c = p->command;
    char verbs[PP_VERBS_MAX], hint[PP_HINT_MAX];
    pp_command_verbs(c, verbs);
    if (verbs[0] != 0 && p->n_operands > 0 && !is_verb(p->operand[0], verbs))
        return pp_fail(PP_EUSAGE, "%s: unknown '%s'; expected %s%s", c->name, p->operand[0], verbs,
                       pp_hint(p->operand[0], verbs, hint));
    if (p->n_operands < c->min_operands)
        return pp_fail(PP_EUSAGE, "%s: expected %s (see pentaprism %s --help)", c->name, c->operands, c->name);
    if (p->n_operands > c->max_operands)
        return pp_fail(PP_EUSAGE, "%s: unexpected argument '%s'", c->name, p->operand[c->max_operands]);
    return PP_OK;
}

pp_status pp_args_parse(pp_parsed *out, const pp_command *command, int argc, char **argv)
{
    *out = (pp_parsed){.command = command};
    size_t cap = (size_t)argc + 1;
    out->operand = pp_calloc(cap, sizeof *out->operand);
    out->option_name = pp_calloc(cap, sizeof *out->option_name);
    out->option_value = pp_calloc(cap, sizeof *out->option_value);
    if (out->operand == NULL || out->option_name == NULL || out->option_value == NULL)
        return PP_ENOMEM;
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (!only_operands && argv[i][0] == '-' && argv[i][1] != 0)
            PP_TRY(take_option(out, argc, argv, &i));
        else
            out->operand[out->n_operands++] = argv[i];
    }
    return pp_args_has(out, "help") ? PP_OK : check_operands(out);
}

void pp_args_free(pp_parsed *p)
{
    free(p->operand);
    free(p->option_name);
    free(p->option_value);
    *p = (pp_parsed){0};
}

const char *pp_args_get(const pp_parsed *p, const char *name)
{
    for (size_t i = p->n_options; i-- > 0;) {
        if (strcmp(p->option_name[i], name) == 0)
            return p->option_value[i];
    }
    return NULL;
}

bool pp_args_has(const pp_parsed *p, const char *name)
{
    return pp_args_get(p, name) != NULL;
}

pp_status pp_args_i64(const pp_parsed *p, const char *name, int64_t def, int64_t min, int64_t max, int64_t *out)
{
    const char *text = pp_args_get(p, name);
    *out = def;
    if (text == NULL)
        return PP_OK;
    if (!pp_parse_i64(text, out) || *out < min || *out > max)
        return pp_fail(PP_EUSAGE, "%s: --%s: expected an integer from %lld to %lld, got '%s'", p->command->name, name,
                       (long long)min, (long long)max, text);
    return PP_OK;
}

static void print_args(const pp_arg *table, FILE *f)
{
    for (const pp_arg *a = table; a != NULL && a->name != NULL; a++) {
        char left[96];
        char letter[8] = "    ";
        if (a->letter != 0)
            snprintf(letter, sizeof letter, "-%c, ", a->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, a->name, a->value != NULL ? " " : "",
                 a->value != NULL ? a->value : "");
        fprintf(f, strlen(left) > 31 ? "  %s\n%34s%s\n" : "  %-31s%s%s\n", left, strlen(left) > 31 ? "" : " ", a->text);
    }
}

void pp_command_help(const pp_command *c, void *stdio_file)
{
    FILE *f = stdio_file;
    fprintf(f, "usage: pentaprism %s%s%s [options]\n\n%s\n", c->name, c->operands[0] != 0 ? " " : "", c->operands,
            c->text);
    if (c->args != NULL && c->args[0].name != NULL) {
        fprintf(f, "\noptions\n");
        print_args(c->args, f);
    }
    fprintf(f, "\ncommon options\n");
    print_args(pp_common_args, f);
    if (c->examples != NULL)
        fprintf(f, "\nexamples\n%s", c->examples);
}
