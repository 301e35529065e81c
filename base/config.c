#include "base/base_internal.h"
#include "base/knob.h"
#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who gave the value; a later one wins. */
typedef enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_SET } source;

/* A knob and its present value. Only the value field of the knob's type counts. */
typedef struct entry {
    const pp_knob *knob;
    source from;
    char *text;  /* canonical; also the value of PP_KNOB_TEXT */
    char *place; /* NULL: "default" */
    int64_t integer;
    double real;
    bool truth;
    int choice;
    const pp_node *node; /* of one of the configuration's documents */
} entry;

struct pp_config {
    entry *entries; /* in table order */
    size_t n;
    PP_VEC(pp_doc *) docs; /* that values of PP_KNOB_LIST stand in */
};

/* A value as it was given: a scalar and the words in front of an error about it. */
typedef struct given {
    const char *text; /* NULL: not a scalar */
    bool quoted;      /* then it is not a number or truth value */
    const char *kind; /* "a list" ..., for errors when text is NULL */
    const char *where;
    const pp_node *node; /* PP_KNOB_LIST: the value itself; NULL: none */
    bool echo; /* whether an error repeats the value (`where` of --set has it already) */
} given;

static entry *find(const pp_config *config, const char *section, const char *name)
{
    for (size_t i = 0; i < config->n; i++) {
        const pp_knob *knob = config->entries[i].knob;
        if (strcmp(knob->section, section) == 0 && strcmp(knob->name, name) == 0)
            return &config->entries[i];
    }
    return NULL;
}

/* ---- Values ---- */

static pp_status unexpected(const given *g, pp_status status, const char *expected)
{
    if (!g->text)
        return pp_fail(status, "%s: expected %s, found %s", g->where, expected, g->kind);
    if (g->echo)
        return pp_fail(status, g->quoted ? "%s: expected %s, found \"%.80s\"" : "%s: expected %s, found %.80s",
                       g->where, expected, g->text);
    return pp_fail(status, "%s: expected %s", g->where, expected);
}

/* Bounds of integers are kept as doubles: beyond int64_t they mean its ends. */
static int64_t int_bound(double bound)
{
    if (bound >= 0x1p63)
        return INT64_MAX;
    if (bound <= -0x1p63)
        return INT64_MIN;
    return (int64_t)bound;
}

#define EXPECTED_MAX 128

static void describe_int_range(char text[EXPECTED_MAX], int64_t min, int64_t max)
{
    if (min == INT64_MIN && max == INT64_MAX)
        (void)snprintf(text, EXPECTED_MAX, "an integer");
    else if (max == INT64_MAX)
        (void)snprintf(text, EXPECTED_MAX, "an integer of at least %" PRId64, min);
    else if (min == INT64_MIN)
        (void)snprintf(text, EXPECTED_MAX, "an integer of at most %" PRId64, max);
    else
        (void)snprintf(text, EXPECTED_MAX, "an integer from %" PRId64 " to %" PRId64, min, max);
}

static pp_status parse_int(entry *e, const given *g)
{
    const int64_t min = int_bound(e->knob->min), max = int_bound(e->knob->max);
    int64_t value = 0;
    const bool form = g->text && !g->quoted && pp_parse_i64(g->text, &value);
    if (!form || value < min || value > max) {
        char expected[EXPECTED_MAX];
        describe_int_range(expected, min, max);
        return unexpected(g, form ? PP_ERANGE : PP_EFORMAT, expected);
    }
    e->integer = value;
    e->text = pp_strf("%" PRId64, value);
    return e->text ? PP_OK : PP_ENOMEM;
}

static void describe_real_range(char text[EXPECTED_MAX], double min, double max)
{
    char low[PP_F64_TEXT_MAX], high[PP_F64_TEXT_MAX];
    pp_f64_text(min, low);
    pp_f64_text(max, high);
    if (isinf(min) && isinf(max))
        (void)snprintf(text, EXPECTED_MAX, "a number");
    else if (isinf(max))
        (void)snprintf(text, EXPECTED_MAX, "a number of at least %s", low);
    else if (isinf(min))
        (void)snprintf(text, EXPECTED_MAX, "a number of at most %s", high);
    else
        (void)snprintf(text, EXPECTED_MAX, "a number from %s to %s", low, high);
}

static pp_status parse_real(entry *e, const given *g)
{
    double value = 0.0;
    const bool form = g->text && !g->quoted && pp_parse_f64(g->text, &value);
    if (!form || value < e->knob->min || value > e->knob->max) {
        char expected[EXPECTED_MAX];
        describe_real_range(expected, e->knob->min, e->knob->max);
        return unexpected(g, form ? PP_ERANGE : PP_EFORMAT, expected);
    }
    char text[PP_F64_TEXT_MAX];
    pp_f64_text(value, text);
    e->real = value;
    e->text = pp_strdup(text);
    return e->text ? PP_OK : PP_ENOMEM;
}

static pp_status parse_bool(entry *e, const given *g)
{
    const bool scalar = g->text && !g->quoted;
    const bool yes = scalar && strcmp(g->text, "true") == 0;
    if (!yes && !(scalar && strcmp(g->text, "false") == 0))
        return unexpected(g, PP_EFORMAT, "true or false");
    e->truth = yes;
    e->text = pp_strdup(yes ? "true" : "false");
    return e->text ? PP_OK : PP_ENOMEM;
}

static pp_status parse_text(entry *e, const given *g)
{
    if (!g->text)
        return unexpected(g, PP_EFORMAT, "a text");
    e->text = pp_strdup(g->text);
    return e->text ? PP_OK : PP_ENOMEM;
}

/* "a|b|c" as "a, b or c" behind "expected "; the caller frees it. */
static char *describe_choices(const char *choices)
{
    char *text = pp_calloc(3 * strlen(choices) + 16, 1);
    if (!text)
        return NULL;
    const char *last = strrchr(choices, '|');
    size_t n = 0;
    for (const char *c = choices; *c != '\0'; c++) {
        const char *piece = *c != '|' ? (const char[2]){*c, '\0'} : c == last ? " or " : ", ";
        memcpy(text + n, piece, strlen(piece));
        n += strlen(piece);
    }
    return text;
}

/* Index of `word` in "a|b|c", -1 when it is none of them. */
static int choice_index(const char *choices, const char *word)
{
    const size_t length = strlen(word);
    int index = 0;
    for (const char *c = choices;; index++) {
        const size_t span = strcspn(c, "|");
        if (span == length && memcmp(c, word, length) == 0)
            return index;
        if (c[span] == '\0')
            return -1;
        c += span + 1;
    }
}

/* The line that was recorded, with the nearest choice behind it. */
static pp_status add_hint(pp_status status, const char *text, const char *choices)
{
    char hint[PP_HINT_MAX];
    if (pp_hint(text, choices, hint)[0] == '\0')
        return status;
    char *line = pp_strf("%s%s", pp_error_text(), hint);
    if (!line)
        return PP_ENOMEM;
    (void)pp_fail(status, "%s", line);
    free(line);
    return status;
}

static pp_status parse_choice(entry *e, const given *g)
{
    const int index = g->text ? choice_index(e->knob->choices, g->text) : -1;
    if (index < 0) {
        char *expected = describe_choices(e->knob->choices);
        const pp_status status = expected ? unexpected(g, PP_EFORMAT, expected) : PP_ENOMEM;
        free(expected);
        return status == PP_EFORMAT && g->text ? add_hint(status, g->text, e->knob->choices) : status;
    }
    e->choice = index;
    e->text = pp_strdup(g->text);
    return e->text ? PP_OK : PP_ENOMEM;
}

static pp_status parse_list(entry *e, const given *g)
{
    if (g->node && g->node->kind == PP_DOC_MAP)
        return unexpected(g, PP_EFORMAT, "a list");
    e->node = g->node && g->node->kind != PP_DOC_NULL ? g->node : NULL;
    if (e->node)
        return pp_node_json(&e->text, e->node);
    e->text = pp_strdup("");
    return e->text ? PP_OK : PP_ENOMEM;
}

/* Checks the value and puts it into `e`, unless a stronger source gave one. Takes `place`. */
static pp_status give(entry *e, const given *g, source from, char *place)
{
    static pp_status (*const parse[])(entry *, const given *) = {
        [PP_KNOB_INT] = parse_int,   [PP_KNOB_REAL] = parse_real,     [PP_KNOB_BOOL] = parse_bool,
        [PP_KNOB_TEXT] = parse_text, [PP_KNOB_CHOICE] = parse_choice,
        [PP_KNOB_LIST] = parse_list,
    };
    entry made = {.knob = e->knob, .from = from, .place = place};
    const pp_status status = parse[e->knob->type](&made, g);
    if (status != PP_OK || from < e->from) {
        free(made.text);
        free(place);
        return status;
    }
    free(e->text);
    free(e->place);
    *e = made;
    return PP_OK;
}

/* ---- Defaults ---- */

static pp_status add_default(pp_config *config, const pp_knob *knob)
{
    if (find(config, knob->section, knob->name))
        return pp_fail(PP_EINTERNAL, "knob %s.%s is defined twice", knob->section, knob->name);
    char *where = pp_strf("default of %s.%s", knob->section, knob->name);
    if (!where)
        return PP_ENOMEM;
    entry *e = &config->entries[config->n];
    e->knob = knob;
    const given g = {.text = knob->def, .kind = "nothing", .where = where, .echo = true};
    const pp_status status = give(e, &g, SOURCE_DEFAULT, NULL);
    free(where);
    if (status == PP_OK)
        config->n++;
    return status;
}

pp_status pp_config_new(pp_config **out, const pp_knob_table *tables, size_t n_tables)
{
    *out = NULL;
    size_t total = 0;
    for (size_t t = 0; t < n_tables; t++)
        total += tables[t].n;
    pp_status status = PP_ENOMEM;
    pp_config *config = pp_calloc(1, sizeof *config);
    if (!config || !(config->entries = pp_calloc(total, sizeof *config->entries)))
        goto done;
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t].n; i++)
            PP_GOTO(done, status, add_default(config, &tables[t].knobs[i]));
    *out = config;
    return PP_OK;
done:
    pp_config_free(config);
    return status;
}

void pp_config_free(pp_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->n; i++) {
        free(config->entries[i].text);
        free(config->entries[i].place);
    }
    for (size_t i = 0; i < config->docs.len; i++)
        pp_doc_free(config->docs.data[i]);
    free(config->docs.data);
    free(config->entries);
    free(config);
}

/* ---- Names that are not there ---- */

/* Names of the knobs of `section`, or of all sections when it is NULL. At most config->n; the caller
 * frees the array, not the names. */
static const char **collect_names(const pp_config *config, const char *section, size_t *n)
{
    const char **names = pp_alloc(config->n, sizeof *names);
    *n = 0;
    for (size_t i = 0; names && i < config->n; i++) {
        const pp_knob *knob = config->entries[i].knob;
        if (!section)
            names[(*n)++] = knob->section;
        else if (strcmp(knob->section, section) == 0)
            names[(*n)++] = knob->name;
    }
    return names;
}

static bool has_section(const pp_config *config, const char *section)
{
    for (size_t i = 0; i < config->n; i++)
        if (strcmp(config->entries[i].knob->section, section) == 0)
            return true;
    return false;
}

static pp_status unknown_section(const pp_config *config, const char *where, const char *section)
{
    size_t n = 0;
    const char **names = collect_names(config, NULL, &n);
    if (!names)
        return PP_ENOMEM;
    const char *near = pp_nearest(section, names, n);
    char all[256] = "";
    for (size_t i = 0; i < n; i++) {
        size_t first = 0, used = strlen(all);
        while (strcmp(names[first], names[i]) != 0)
            first++;
        if (first == i)
            (void)snprintf(all + used, sizeof all - used, " %s", names[i]);
    }
    const pp_status status = near ? pp_fail(PP_EFORMAT, "%s: unknown section; did you mean %s?", where, near)
                                  : pp_fail(PP_EFORMAT, "%s: unknown section; expected one of%s", where, all);
    free(names);
    return status;
}

/* A knob of exactly this name in another section: the setting slipped into the wrong one. */
static const pp_knob *find_elsewhere(const pp_config *config, const char *name)
{
    for (size_t i = 0; i < config->n; i++)
        if (strcmp(config->entries[i].knob->name, name) == 0)
            return config->entries[i].knob;
    return NULL;
}

static pp_status unknown_key(const pp_config *config, const char *where, const char *section, const char *name)
{
    size_t n = 0;
    const char **names = collect_names(config, section, &n);
    if (!names)
        return PP_ENOMEM;
    const pp_knob *elsewhere = find_elsewhere(config, name);
    const char *near = elsewhere ? elsewhere->name : pp_nearest(name, names, n);
    const char *near_section = elsewhere ? elsewhere->section : section;
    const pp_status status =
        near ? pp_fail(PP_EFORMAT, "%s: unknown key; did you mean %s.%s?", where, near_section, near)
             : pp_fail(PP_EFORMAT, "%s: unknown key", where);
    free(names);
    return status;
}

/* ---- Run file ---- */

static pp_status load_knob(pp_config *config, const char *section, const char *name, const pp_node *value)
{
    char *where = pp_strf("%s:%u: %s.%s", value->file, value->key_line, section, name);
    char *place = NULL;
    pp_status status = PP_ENOMEM;
    if (!where)
        goto done;
    entry *e = find(config, section, name);
    if (!e) {
        status = unknown_key(config, where, section, name);
        goto done;
    }
    place = pp_strf("%s:%u", value->file, value->key_line);
    if (!place)
        goto done;
    const given g = {
        .text = value->text, .quoted = value->quoted, .kind = pp_node_kind_text(value), .where = where,
        .node = value, .echo = true};
    status = give(e, &g, SOURCE_FILE, place);
done:
    free(where);
    return status;
}

static pp_status load_section(pp_config *config, const char *section, const pp_node *knobs)
{
    if (!has_section(config, section)) {
        char *where = pp_strf("%s:%u: %s", knobs->file, knobs->key_line, section);
        const pp_status status = where ? unknown_section(config, where, section) : PP_ENOMEM;
        free(where);
        return status;
    }
    if (knobs->kind == PP_DOC_NULL)
        return PP_OK; /* a section whose settings are all commented out */
    if (knobs->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, knobs->file, knobs->key_line, "%s: expected a map of settings, found %s", section,
                          pp_node_kind_text(knobs));
    for (size_t i = 0; i < knobs->n; i++)
        PP_TRY(load_knob(config, section, knobs->key[i], knobs->child[i]));
    return PP_OK;
}

static pp_status load_sections(pp_config *config, const pp_node *root)
{
    if (root->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, root->file, root->line, "expected a map of sections, found %s",
                          pp_node_kind_text(root));
    for (size_t i = 0; i < root->n; i++)
        PP_TRY(load_section(config, root->key[i], root->child[i]));
    return PP_OK;
}

/* Takes the document: lists stay where they were read. */
static pp_status keep_doc(pp_config *config, pp_doc *doc)
{
    if (pp_push(&config->docs, doc))
        return PP_OK;
    pp_doc_free(doc);
    return PP_ENOMEM;
}

pp_status pp_config_load(pp_config *config, const char *path)
{
    pp_doc *doc = NULL;
    PP_TRY(pp_doc_read_yaml(&doc, path));
    PP_TRY(keep_doc(config, doc));
    return load_sections(config, pp_doc_root(doc));
}

/* ---- --set ---- */

/* A list on the command line is YAML, too: [{kind: mesh, rows: 4}]. */
static pp_status set_node(pp_config *config, given *g, const char *place, const char *value)
{
    if (value[0] == '\0')
        return PP_OK;
    pp_doc *doc = NULL;
    PP_TRY(pp_doc_parse_yaml(&doc, place, value, strlen(value)));
    PP_TRY(keep_doc(config, doc));
    g->node = pp_doc_root(doc);
    g->kind = pp_node_kind_text(g->node);
    g->text = g->node->text;
    return PP_OK;
}

/* `name` and `value` point into the same text as `section`. */
static pp_status set_knob(pp_config *config, const char *where, const char *section, const char *name,
                          const char *value)
{
    if (!has_section(config, section))
        return unknown_section(config, where, section);
    entry *e = find(config, section, name);
    if (!e)
        return unknown_key(config, where, section, name);
    char *place = pp_strf("--set %s.%s", section, name);
    if (!place)
        return PP_ENOMEM;
    given g = {.text = value, .where = where};
    const pp_status status = e->knob->type == PP_KNOB_LIST ? set_node(config, &g, place, value) : PP_OK;
    if (status == PP_OK)
        return give(e, &g, SOURCE_SET, place);
    free(place);
    return status;
}

pp_status pp_config_set(pp_config *config, const char *assignment)
{
    pp_status status = PP_ENOMEM;
    char *where = pp_strf("--set %s", assignment);
    char *parts = pp_strdup(assignment);
    if (!where || !parts)
        goto done;
    char *equals = strchr(parts, '=');
    if (equals)
        *equals = '\0';
    char *dot = equals ? strchr(parts, '.') : NULL;
    if (!dot || dot == parts || dot[1] == '\0') {
        status = pp_fail(PP_EUSAGE, "%s: expected section.key=value", where);
        goto done;
    }
    *dot = '\0';
    status = set_knob(config, where, parts, dot + 1, equals + 1);
done:
    free(parts);
    free(where);
    return status;
}

/* ---- Results ---- */

static void store(const entry *e, void *options)
{
    unsigned char *field = (unsigned char *)options + e->knob->offset;
    const char *text = e->text;
    switch (e->knob->type) {
    case PP_KNOB_INT:
        memcpy(field, &e->integer, sizeof e->integer);
        break;
    case PP_KNOB_REAL:
        memcpy(field, &e->real, sizeof e->real);
        break;
    case PP_KNOB_BOOL:
        memcpy(field, &e->truth, sizeof e->truth);
        break;
    case PP_KNOB_TEXT:
        memcpy(field, &text, sizeof text);
        break;
    case PP_KNOB_CHOICE:
        memcpy(field, &e->choice, sizeof e->choice);
        break;
    case PP_KNOB_LIST:
        memcpy(field, &e->node, sizeof e->node);
        break;
    }
}

pp_status pp_config_bind(const pp_config *config, const pp_knob_table *table, void *options)
{
    for (size_t i = 0; i < table->n; i++) {
        const pp_knob *knob = &table->knobs[i];
        const entry *e = find(config, knob->section, knob->name);
        if (!e || e->knob->type != knob->type || e->knob->offset != knob->offset)
            return pp_fail(PP_EINTERNAL, "knob %s.%s is not one of this configuration", knob->section, knob->name);
        store(e, options);
    }
    return PP_OK;
}

bool pp_config_is_set(const pp_config *config, const char *section, const char *name)
{
    const entry *e = find(config, section, name);
    return e && e->from != SOURCE_DEFAULT;
}

const char *pp_config_text(const pp_config *config, const char *section, const char *name)
{
    const entry *e = find(config, section, name);
    return e ? e->text : NULL;
}

const char *pp_config_place(const pp_config *config, const char *section, const char *name)
{
    const entry *e = find(config, section, name);
    return e && e->place ? e->place : "default";
}

size_t pp_config_count(const pp_config *config)
{
    return config->n;
}

const pp_knob *pp_config_knob(const pp_config *config, size_t i)
{
    return config->entries[i].knob;
}
