/* report/content.h: everything that stands in a report, read without knowing its schema, and what is made of it: the
 * HTML page and the list of differences. Any HDF5 file of this program will do (runs, comparisons, traffic,
 * quantization); datasets that nobody knows are read like the others. */
#ifndef PP_REPORT_CONTENT_H
#define PP_REPORT_CONTENT_H

#include "base/base.h"

typedef enum pp_cell_kind { PP_CELL_U64, PP_CELL_I64, PP_CELL_F64, PP_CELL_TEXT } pp_cell_kind;

typedef struct pp_content_column {
    char *name, *units, *description; /* "1" for a pure number, a count or a text */
    pp_cell_kind kind;
    size_t size; /* of a text's field, its NUL included */
    union {
        uint64_t *u64;
        int64_t *i64;
        double *f64;
        char *text; /* [n_rows x size] */
        void *data;
    };
} pp_content_column;

/* A scalar is a table of one row and one column, named by the last part of its path. */
typedef struct pp_content_set {
    char *path, *description;
    bool scalar;
    size_t n_rows, n_columns;
    pp_content_column *column;
} pp_content_set;

typedef struct pp_content {
    char *path, *schema; /* of the file; "" when it names none */
    size_t n_sets;
    pp_content_set *set;  /* by path */
    size_t n_skipped;     /* datasets of a form that this program does not write */
    char **skipped;       /* their paths */
} pp_content;

/* Files that are not HDF5, or damaged, or from elsewhere: PP_EFORMAT. Reads at most PP_CONTENT_MAX_BYTES of values.
 * libhdf5 need not survive a damaged file: report/guard.h. */
#define PP_CONTENT_MAX_BYTES ((uint64_t)2 << 30)
pp_status pp_content_read(pp_content **out, const char *path);
void pp_content_free(pp_content *c); /* NULL allowed */

const pp_content_set *pp_content_find(const pp_content *c, const char *path); /* NULL: not there */
const pp_content_column *pp_content_column_of(const pp_content_set *set, const char *name); /* set may be NULL */
const char *pp_content_text(const pp_content_column *column, size_t row);
/* Any number as a double; a text is NAN. */
double pp_content_number(const pp_content_column *column, size_t row);
/* Exact text of a cell: integers whole, floats as short as reads back the same. */
void pp_content_print(const pp_content_column *column, size_t row, char *buffer, size_t size);

/* ---- what is made of it ---- */

/* A table, by its short name or its path, as CSV; and the tables that there are, one a line. */
pp_status pp_content_csv(const pp_content *c, const char *table, void *stdio_file);
pp_status pp_content_list(const pp_content *c, void *stdio_file);

/* Scalars and small tables for people; everything as JSON, keys are the paths. */
pp_status pp_content_show(const pp_content *c, void *stdio_file);
void pp_content_json(const pp_content *c, pp_json *object);

/* Path of a table by its short name; a name that is none stays as it is. */
const char *pp_content_table_path(const char *name);

/* A figure of one column of a table against another, .svg or .png: a line for each value of the columns `by` (with commas
 * between; NULL: of a sweep the other settings, else none). NULL of a sweep: its rows, its first setting with several
 * values, its throughput. An x of texts stands in the order of the rows. */
typedef struct pp_content_plot {
    const char *table, *x, *y, *by;
} pp_content_plot;
pp_status pp_content_draw(const pp_content *c, const pp_content_plot *o, const char *path, bool force);

/* The whole report as one HTML page without outside parts (docs/report-html.md). */
pp_status pp_report_html(const pp_content *c, void *stdio_file);

/* What passes as equal. */
typedef struct pp_diff_limits {
    double relative; /* |a - b| <= relative x max(|a|, |b|) is equal, */
    double absolute; /* and so is |a - b| <= absolute, in the figure's own units */
} pp_diff_limits;

typedef struct pp_diff_tolerance {
    const char *name; /* a group, a dataset, a column of a dataset (path/column), or a column of any; [name_length] */
    size_t name_length;
    bool absolute; /* which of the two limits */
    double value;
} pp_diff_tolerance;

typedef struct pp_diff_options {
    pp_diff_limits limits;
    const pp_diff_tolerance *of; /* [n_of] in its place for some; the last of its kind that names a figure counts */
    size_t n_of;
    size_t max_rows;  /* rows that are named one by one, for each table */
} pp_diff_options;
/* Differences beyond tolerances, in words (docs/report-html.md); json: NULL, or an object that takes them in place of
 * the text. *equal: none found. PP_EUSAGE: a tolerance names nothing. */
pp_status pp_report_diff(const pp_content *a, const pp_content *b, const pp_diff_options *options, void *stdio_file,
                         pp_json *json, bool *equal);

#endif
