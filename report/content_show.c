/* A report of any kind as text for people or as JSON: its scalars, its small tables, the names of the others. */
#include "report/content.h"
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 40 /* rows of a table that is printed */

/* Cells as people read them: floats with five digits. */
static char *cell_text(const pp_content_column *c, size_t row)
{
    char text[64];
    if (c->kind == PP_CELL_TEXT)
        return pp_strdup(pp_content_text(c, row));
    if (c->kind == PP_CELL_F64)
        snprintf(text, sizeof text, isnan(c->f64[row]) ? "-" : "%.5g", c->f64[row]);
    else
        pp_content_print(c, row, text, sizeof text);
    return pp_strdup(text);
}

static pp_status add_row(pp_table *t, const pp_content_set *set, size_t row, char **cells)
{
    bool whole = true;
    for (size_t i = 0; i < set->n_columns; i++) {
        cells[i] = cell_text(&set->column[i], row);
        whole = whole && cells[i] != NULL;
    }
    pp_status status = whole ? pp_table_row(t, (const char *const *)cells) : PP_ENOMEM;
    for (size_t i = 0; i < set->n_columns; i++)
        free(cells[i]);
    return status;
}

static pp_status show_table(const pp_content_set *set, FILE *f)
{
    const char **names = pp_alloc(set->n_columns, sizeof *names);
    char **cells = pp_alloc(set->n_columns, sizeof *cells);
    pp_table *t = NULL;
    pp_status status = names != NULL && cells != NULL ? PP_OK : PP_ENOMEM;
    for (size_t i = 0; status == PP_OK && i < set->n_columns; i++)
        names[i] = set->column[i].name;
    if (status == PP_OK)
        status = pp_table_new(&t, names, set->n_columns);
    for (size_t row = 0; status == PP_OK && row < set->n_rows; row++)
        status = add_row(t, set, row, cells);
    if (status == PP_OK) {
        fprintf(f, "\n%s%s%s\n", set->path, set->description[0] != 0 ? ": " : "", set->description);
        pp_table_print(t, f);
    }
    pp_table_free(t);
    free(names);
    free(cells);
    return status;
}

pp_status pp_content_show(const pp_content *c, void *stdio_file)
{
    FILE *f = stdio_file;
    char text[160];
    for (size_t i = 0; i < c->n_sets; i++) {
        const pp_content_set *set = &c->set[i];
        if (!set->scalar)
            continue;
        pp_content_print(&set->column[0], 0, text, sizeof text);
        const char *units = strcmp(set->column[0].units, "1") == 0 ? "" : set->column[0].units;
        fprintf(f, "%-26s %s%s%s\n", set->path, text, units[0] != 0 ? " " : "", units);
    }
    for (size_t i = 0; i < c->n_sets; i++) {
        const pp_content_set *set = &c->set[i];
        if (set->scalar)
            continue;
        if (set->n_rows <= SMALL)
            PP_TRY(show_table(set, f));
        else
            fprintf(f, "\n%s: %zu rows (`pentaprism report csv`)\n", set->path, set->n_rows);
    }
    return ferror(f) ? pp_fail(PP_EIO, "the report cannot be written (disk full?)") : PP_OK;
}

static void add_cell(pp_json *to, const char *key, const pp_content_column *c, size_t row)
{
    if (c->kind == PP_CELL_TEXT)
        pp_json_add_text(to, key, pp_content_text(c, row));
    else if (c->kind == PP_CELL_F64 || (c->kind == PP_CELL_U64 && c->u64[row] > INT64_MAX))
        pp_json_add_f64(to, key, pp_content_number(c, row));
    else
        pp_json_add_i64(to, key, c->i64[row]);
}

void pp_content_json(const pp_content *c, pp_json *object)
{
    pp_json_add_text(object, "schema", c->schema);
    for (size_t i = 0; i < c->n_sets; i++) {
        const pp_content_set *set = &c->set[i];
        if (set->scalar) {
            add_cell(object, set->path, &set->column[0], 0);
            continue;
        }
        pp_json *rows = pp_json_add_list(object, set->path);
        for (size_t row = 0; row < set->n_rows; row++) {
            pp_json *o = pp_json_add_object(rows, NULL);
            for (size_t k = 0; k < set->n_columns; k++)
                add_cell(o, set->column[k].name, &set->column[k], row);
        }
    }
}
