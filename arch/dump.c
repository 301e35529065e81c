#include "arch/arch_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The `index`-th word of "a|b|c", into text[size]. */
static void choice_text(const char *choices, int index, char *text, size_t size)
{
    const char *c = choices;
    for (int i = 0; i < index && *c != '\0'; i++) {
        c += strcspn(c, "|");
        c += *c == '|';
    }
    (void)snprintf(text, size, "%.*s", (int)strcspn(c, "|"), c);
}

/* Value of the knob's field as text. */
static void field_text(const pp_knob *knob, const pp_arch *arch, char *text, size_t size)
{
    const char *field = (const char *)arch + knob->offset;
    int64_t integer = 0;
    double real = 0.0;
    int choice = 0;
    const char *word = NULL;
    switch (knob->type) {
    case PP_KNOB_INT:
        memcpy(&integer, field, sizeof integer);
        (void)snprintf(text, size, "%" PRId64, integer);
        return;
    case PP_KNOB_REAL:
        memcpy(&real, field, sizeof real);
        (void)snprintf(text, size, "%.17g", real);
        return;
    case PP_KNOB_CHOICE:
        memcpy(&choice, field, sizeof choice);
        choice_text(knob->choices, choice, text, size);
        return;
    default:
        memcpy(&word, field, sizeof word);
        (void)snprintf(text, size, "%s", word);
        return;
    }
}

pp_status pp_arch_dump(char **out, const pp_arch *arch)
{
    const pp_knob_table table = pp_arch_knobs();
    char *all = pp_strdup("");
    for (size_t i = 0; all && i < table.n; i++) {
        char value[128];
        field_text(&table.knobs[i], arch, value, sizeof value);
        char *longer = pp_strf("%s%s = %s\n", all, table.knobs[i].name, value);
        free(all);
        all = longer;
    }
    *out = all;
    return all ? PP_OK : PP_ENOMEM;
}
