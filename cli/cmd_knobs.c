/* knobs: every setting of a run file, from the one table. */
#include "cli/completion.h"
#include "cli/session.h"

#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {"integer", "number", "true|false", "text", "choice", "list"};

static void add_json(pp_json *list, const pp_knob *k)
{
    bool number = k->type == PP_KNOB_INT || k->type == PP_KNOB_REAL;
    char name[96];
    snprintf(name, sizeof name, "%s.%s", k->section, k->name);
    pp_json *o = pp_json_add_object(list, NULL);
    pp_json_add_text(o, "name", name);
    pp_json_add_text(o, "type", k->type == PP_KNOB_CHOICE ? k->choices : type_names[k->type]);
    pp_json_add_text(o, "unit", k->unit);
    pp_json_add_text(o, "default", k->def);
    if (number) {
        pp_json_add_f64(o, "min", k->min);
        pp_json_add_f64(o, "max", k->max);
    } else {
        pp_json_add_text(o, "min", NULL);
        pp_json_add_text(o, "max", NULL);
    }
    pp_json_add_text(o, "text", k->text);
}

static void print_text(const pp_knob *k, const char **section)
{
    if (*section == NULL || strcmp(*section, k->section) != 0) {
        printf("%s%s:\n", *section == NULL ? "" : "\n", k->section);
        *section = k->section;
    }
    char left[96];
    snprintf(left, sizeof left, "%s: %s%s%s", k->name, k->def[0] != 0 ? k->def : "\"\"", k->unit[0] != 0 ? " " : "", k->unit);
    printf("  %-34s %s", left, k->text);
    if (k->type == PP_KNOB_CHOICE)
        printf(" [%s]", k->choices);
    else if (k->type == PP_KNOB_INT || k->type == PP_KNOB_REAL)
        printf(" [%.10g to %.10g]", k->min, k->max);
    putchar('\n');
}

/* Names of all sections, into `list`: "workload quant arch". */
static void list_sections(char *list, size_t size)
{
    const char *last = "";
    const pp_knob *k;
    list[0] = 0;
    for (size_t i = 0; (k = pp_words_knob(i)) != NULL; i++) {
        const size_t used = strlen(list);
        if (strcmp(k->section, last) != 0)
            (void)snprintf(list + used, size - used, "%s%s", used > 0 ? " " : "", k->section);
        last = k->section;
    }
}

static pp_status unknown_section(const char *section)
{
    char list[256];
    list_sections(list, sizeof list);
    return pp_fail(PP_ENOTFOUND, "knobs: no section '%s': expected one of %s%s", section, list,
                   pp_hint(section, list, (char[PP_HINT_MAX]){0}));
}

static pp_status print_all(const pp_parsed *p, const char *section)
{
    size_t shown = 0;
    pp_json *json = pp_args_has(p, "json") ? pp_json_object() : NULL;
    pp_json *list = json != NULL ? pp_json_add_list(json, "knobs") : NULL;
    const char *last = NULL;
    const pp_knob *k;
    for (size_t i = 0; (k = pp_words_knob(i)) != NULL; i++) {
        if (section != NULL && strcmp(section, k->section) != 0)
            continue;
        shown++;
        if (json != NULL)
            add_json(list, k);
        else
            print_text(k, &last);
    }
    if (shown > 0)
        return json != NULL ? pp_print_json(json) : PP_OK;
    if (json != NULL)
        pp_json_free(json);
    return unknown_section(section);
}

static int run(const pp_parsed *p)
{
    return pp_finish(print_all(p, p->n_operands > 0 ? p->operand[0] : pp_args_get(p, "section")));
}

static const pp_arg args[] = {
    {0, "section", "SECTION", "only the settings of one section, as the word alone says, too"},
    {0, NULL, NULL, NULL},
};

const pp_command pp_cmd_knobs = {
    .name = "knobs",
    .operands = "[SECTION]",
    .min_operands = 0,
    .max_operands = 1,
    .text = "list every setting of a run file: default, unit, range and meaning\n\n"
            "Settings stand in a run file as `section: {key: value}` or on the command line as\n"
            "--set section.key=value.",
    .examples = "  pentaprism knobs --section arch\n",
    .args = args,
    .run = run,
};
