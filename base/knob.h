/* Knobs: every setting of a run lives in one row of one table.
 *
 * Each room owns a table (name, type, unit, default, range, one sentence) and an options struct; the
 * rows carry the offset of their field. The configuration collects the tables, reads a run file and
 * --set overrides over the defaults, checks every value, and fills the structs. Unknown keys name
 * the nearest valid one. */
#ifndef PP_BASE_KNOB_H
#define PP_BASE_KNOB_H

#include "base/doc.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum pp_knob_type {
    PP_KNOB_INT,   /* int64_t */
    PP_KNOB_REAL,  /* double */
    PP_KNOB_BOOL,  /* bool */
    PP_KNOB_TEXT,  /* const char *, owned by the configuration, never NULL */
    PP_KNOB_CHOICE, /* int: index into `choices` ("a|b|c") */
    PP_KNOB_LIST    /* const pp_node *: a list (or a scalar) as it stands in the run file, with lines; NULL when
                       empty. Owned by the configuration; its room reads what is inside */
} pp_knob_type;

typedef struct pp_knob {
    const char *section, *name;
    pp_knob_type type;
    const char *unit;    /* "ps", "bit", "" ... */
    const char *def;     /* default, as text */
    double min, max;     /* numbers: inclusive range; infinite (integers: beyond int64_t): no bound */
    const char *choices; /* PP_KNOB_CHOICE: "native|systemc" */
    const char *text;    /* one sentence for people */
    size_t offset;       /* of the field in the section's options struct */
} pp_knob;

typedef struct pp_knob_table {
    const pp_knob *knobs;
    size_t n;
} pp_knob_table;

typedef struct pp_config pp_config;

/* Defaults of all tables (several tables may share a section, not a knob). The tables must outlive it.
 * PP_EINTERNAL when a knob is there twice; a default out of range is an error, too. */
pp_status pp_config_new(pp_config **out, const pp_knob_table *tables, size_t n_tables);
void pp_config_free(pp_config *config);
/* Reads a run file: a map of sections of knobs. All errors name file and line; PP_ERANGE when a number
 * is out of its range, else PP_EFORMAT. After an error the values read before it stay. */
pp_status pp_config_load(pp_config *config, const char *path);
/* "section.key=value" (--set): later calls win over earlier ones and, in any order, over the file.
 * PP_EUSAGE when it has not this form, else as pp_config_load. An empty value is an empty text. */
pp_status pp_config_set(pp_config *config, const char *assignment);
/* Fills the options struct of one table from its knobs; a field that none of them fills keeps its value, so
 * begin with zeros. Text fields stay owned by the config, until the next load or set. PP_EINTERNAL when the table is not one of the configuration's. */
pp_status pp_config_bind(const pp_config *config, const pp_knob_table *table, void *options);
/* Whether file or --set gave the value (rather than the default). */
bool pp_config_is_set(const pp_config *config, const char *section, const char *name);
/* Resolved value as canonical text; NULL for an unknown knob. */
const char *pp_config_text(const pp_config *config, const char *section, const char *name);
/* "FILE:LINE" or "--set SECTION.NAME" or "default" of a knob, for messages of later checks. */
const char *pp_config_place(const pp_config *config, const char *section, const char *name);
/* All knobs in table order. */
size_t pp_config_count(const pp_config *config);
const pp_knob *pp_config_knob(const pp_config *config, size_t i);
/* The candidate with the smallest edit distance to `word`, the first of several; NULL when none is
 * near (more than 3 edits, or than half the letters of `word`). */
const char *pp_nearest(const char *word, const char *const *candidates, size_t n);
/* For the end of an error line: "; did you mean X?" when a word of `list` ("a, b or c", "a|b|c") is near to `word`,
 * else "". At most 64 words count. Returns `buffer`. */
#define PP_HINT_MAX 96
const char *pp_hint(const char *word, const char *list, char buffer[PP_HINT_MAX]);

#endif
