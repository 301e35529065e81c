/* What may stand where a usage line has a word. */
#include "cli/completion.h"
#include "arch/cost.h"
#include "cli/session.h"
#include "topology/routefn.h"
#include "workloads/lm.h"

#include <string.h>

/* First letters of the usage word, and what completes it. Numbers (N, X, US ...) are not here: nothing does. */
static const struct {
    const char *word;
    pp_words_kind kind;
    const char *list;
} meanings[] = {
    {"FILE.yaml", PP_WORDS_FILE, ".yaml .yml"},
    {"FILE.h5", PP_WORDS_FILE, ".h5"},
    {"A.h5", PP_WORDS_FILE, ".h5"},
    {"B.h5", PP_WORDS_FILE, ".h5"},
    {"C.json", PP_WORDS_FILE, ".json"},
    {"F.", PP_WORDS_FILE, ""},
    {"FILE", PP_WORDS_FILE, ""},
    {"DATA", PP_WORDS_FILE, ""},
    {"DIR", PP_WORDS_FOLDER, ""},
    {"MODEL", PP_WORDS_MODEL, ""},
    {"FABRIC", PP_WORDS_FABRIC, ""},
    {"SECTION.KEY=", PP_WORDS_SETTING, ""},
    {"PATTERN", PP_WORDS_LIST, "uniform transpose bitcomp bitrev shuffle tornado neighbor hotspot1 hotspot4 random-permutation"},
    {"PRESET", PP_WORDS_LIST, "booksim"},
};

static void list_tables(pp_words *out)
{
    const char *name;
    out->kind = PP_WORDS_LIST;
    for (size_t i = 0; (name = pp_report_table_name(i, NULL, NULL)) != NULL; i++) {
        const size_t used = strlen(out->list);
        (void)snprintf(out->list + used, sizeof out->list - used, "%s%s", used > 0 ? " " : "", name);
    }
}

static void list_sections(pp_words *out)
{
    const char *last = "";
    out->kind = PP_WORDS_LIST;
    const pp_knob *k;
    for (size_t i = 0; (k = pp_words_knob(i)) != NULL; i++) {
        const size_t used = strlen(out->list);
        if (strcmp(k->section, last) != 0)
            (void)snprintf(out->list + used, sizeof out->list - used, "%s%s", used > 0 ? " " : "", k->section);
        last = k->section;
    }
}

/* Pages of the manual: commands, and settings. */
static void list_pages(pp_words *out)
{
    const pp_command *c;
    out->kind = PP_WORDS_LIST;
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++) {
        const size_t used = strlen(out->list);
        (void)snprintf(out->list + used, sizeof out->list - used, "%s ", c->name);
    }
    const size_t used = strlen(out->list);
    (void)snprintf(out->list + used, sizeof out->list - used, "settings");
}

static void list_routings(pp_words *out)
{
    const char *name;
    out->kind = PP_WORDS_LIST;
    (void)snprintf(out->list, sizeof out->list, "auto");
    for (size_t i = 0; (name = pp_routefn_name(i)) != NULL; i++) {
        const size_t used = strlen(out->list);
        (void)snprintf(out->list + used, sizeof out->list - used, " %s", name);
    }
}

void pp_words_of(pp_words *out, const char *usage)
{
    *out = (pp_words){.kind = PP_WORDS_NONE};
    if (usage[0] == '[')
        usage++;
    if (strncmp(usage, "TABLE", 5) == 0)
        list_tables(out);
    else if (strncmp(usage, "SECTION", 7) == 0 && usage[7] != '.')
        list_sections(out);
    else if (strncmp(usage, "COMMAND", 7) == 0)
        list_pages(out);
    else if (strcmp(usage, "ROUTING") == 0)
        list_routings(out);
    else if (strchr(usage, '|') != NULL) {
        out->kind = PP_WORDS_LIST;
        (void)snprintf(out->list, sizeof out->list, "%s", usage);
        for (char *c = out->list; *c != 0; c++)
            *c = *c == '|' ? ' ' : *c;
    }
    for (size_t i = 0; out->kind == PP_WORDS_NONE && i < sizeof meanings / sizeof *meanings; i++) {
        if (strncmp(usage, meanings[i].word, strlen(meanings[i].word)) != 0)
            continue;
        out->kind = meanings[i].kind;
        (void)snprintf(out->list, sizeof out->list, "%s", meanings[i].list);
    }
}

void pp_operands_each(const pp_command *c, pp_operand_fn each, void *context)
{
    char copy[256];
    (void)snprintf(copy, sizeof copy, "%s", c->operands);
    for (char *way = copy; way != NULL && *way != 0;) {
        char *next = strstr(way, " | "), *save = NULL;
        if (next != NULL)
            *next = 0;
        const char *verb = "";
        unsigned position = 0;
        for (char *w = strtok_r(way, " ", &save); w != NULL && w[0] != '-'; w = strtok_r(NULL, " ", &save)) {
            const bool is_verb = position == 0 && w[0] >= 'a' && w[0] <= 'z' && strchr(w, '|') == NULL;
            if (is_verb)
                verb = w;
            each(context, verb, position, is_verb ? NULL : w);
            position++;
        }
        way = next != NULL ? next + 3 : NULL;
    }
}

const char *pp_words_model(size_t i)
{
    size_t n = 0;
    while (pp_model_name(n, NULL, NULL) != NULL)
        n++;
    return i < n ? pp_model_name(i, NULL, NULL) : pp_lm_name(i - n, NULL, NULL);
}

const char *pp_words_fabric(size_t i)
{
    const char *text;
    return pp_fabric_kind(i, &text);
}

/* Knob `i` in the order of the tables. */
static const pp_knob *knob_at(size_t i)
{
    size_t n;
    const pp_knob_table *tables = pp_all_knobs(&n);
    for (size_t t = 0; t < n; t++) {
        if (i < tables[t].n)
            return &tables[t].knobs[i];
        i -= tables[t].n;
    }
    return NULL;
}

/* Whether a knob in front of `i` is of its section. */
static bool seen(size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (strcmp(knob_at(before)->section, knob_at(i)->section) == 0)
            return true;
    return false;
}

const pp_knob *pp_words_knob(size_t i)
{
    for (size_t first = 0; knob_at(first) != NULL; first++) {
        if (seen(first))
            continue;
        const pp_knob *k;
        for (size_t j = first; (k = knob_at(j)) != NULL; j++)
            if (strcmp(k->section, knob_at(first)->section) == 0 && i-- == 0)
                return k;
    }
    return NULL;
}

static const char *preset(const char *name, size_t i)
{
    if (strcmp(name, "arch.preset") == 0)
        return i == 0 ? "none" : pp_arch_preset(i - 1, NULL);
    if (strcmp(name, "cost.preset") == 0)
        return i == 0 ? "auto" : pp_cost_preset(i - 1, NULL);
    if (strcmp(name, "fabric.kind") == 0)
        return pp_words_fabric(i);
    return strcmp(name, "workload.model") == 0 ? pp_words_model(i) : NULL;
}

const char *pp_words_setting(const pp_knob *k, size_t i, char buffer[PP_SETTING_VALUE_MAX])
{
    const char *choice = k->type == PP_KNOB_CHOICE ? k->choices : k->type == PP_KNOB_BOOL ? "true|false" : NULL;
    (void)snprintf(buffer, PP_SETTING_VALUE_MAX, "%s.%s", k->section, k->name);
    if (choice == NULL)
        return preset(buffer, i);
    for (; i > 0 && choice != NULL; i--) {
        choice = strchr(choice, '|');
        choice = choice != NULL ? choice + 1 : NULL;
    }
    if (choice == NULL)
        return NULL;
    (void)snprintf(buffer, PP_SETTING_VALUE_MAX, "%.*s", (int)strcspn(choice, "|"), choice);
    return buffer;
}

int pp_first_line(const char *text)
{
    return (int)strcspn(text, "\n");
}
