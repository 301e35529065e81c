/* Tables of a report as CSV. */
#include "report/content.h"
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_text(const char *text, FILE *f)
{
    bool quote = strpbrk(text, ",\"\n\r") != NULL;
    if (quote)
        fputc('"', f);
    for (; *text != 0; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    if (quote)
        fputc('"', f);
}

static void put_cell(const pp_content_column *column, size_t row, FILE *f)
{
    char number[48];
    if (column->kind == PP_CELL_TEXT) {
        put_text(pp_content_text(column, row), f);
        return;
    }
    pp_content_print(column, row, number, sizeof number);
    fputs(number, f);
}

static const char *path_of(const char *name)
{
    const char *path = NULL, *each;
    for (size_t i = 0; (each = pp_report_table_name(i, NULL, &path)) != NULL; i++)
        if (strcmp(each, name) == 0)
            return path;
    return NULL;
}

const char *pp_content_table_path(const char *name)
{
    const char *path = path_of(name);
    return path != NULL ? path : name;
}

static const char *name_of(const char *path)
{
    const char *where = NULL, *name;
    for (size_t i = 0; (name = pp_report_table_name(i, NULL, &where)) != NULL; i++)
        if (strcmp(where, path) == 0)
            return name;
    return "";
}

static pp_status unknown_table(const char *table)
{
    const char *names[64];
    size_t n = 0;
    while (n < 64 && (names[n] = pp_report_table_name(n, NULL, NULL)) != NULL)
        n++;
    const char *near = pp_nearest(table, names, n);
    if (near != NULL)
        return pp_fail(PP_ENOTFOUND, "report: no table '%s'; did you mean %s?", table, near);
    return pp_fail(PP_ENOTFOUND, "report: no table '%s' (`pentaprism report csv` lists them; a path such as /timing/stages will do)", table);
}

static pp_status not_here(const pp_content *c, const char *path)
{
    const char **names = pp_calloc(c->n_sets + 1, sizeof *names);
    if (names == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < c->n_sets; i++)
        names[i] = c->set[i].path;
    const char *near = pp_nearest(path, names, c->n_sets);
    free(names);
    return pp_fail(PP_ENOTFOUND, near != NULL ? "%s: %s is not in this report; did you mean %s?" : "%s: %s is not in this report", c->path, path, near);
}

pp_status pp_content_csv(const pp_content *c, const char *table, void *stdio_file)
{
    FILE *f = stdio_file;
    const char *path = table[0] == '/' ? table : path_of(table);
    if (path == NULL)
        return unknown_table(table);
    const pp_content_set *set = pp_content_find(c, path);
    if (set == NULL)
        return not_here(c, path);
    for (size_t i = 0; i < set->n_columns; i++) {
        fputs(i > 0 ? "," : "", f);
        put_text(set->column[i].name, f);
    }
    fputc('\n', f);
    for (size_t row = 0; row < set->n_rows; row++)
        for (size_t i = 0; i < set->n_columns; i++) {
            put_cell(&set->column[i], row, f);
            fputc(i + 1 < set->n_columns ? ',' : '\n', f);
        }
    return ferror(f) ? pp_fail(PP_EIO, "the table cannot be written (disk full?)") : PP_OK;
}

pp_status pp_content_list(const pp_content *c, void *stdio_file)
{
    FILE *f = stdio_file;
    for (size_t i = 0; i < c->n_sets; i++)
        if (!c->set[i].scalar)
            fprintf(f, "%-15s %-26s %8zu rows  %s\n", name_of(c->set[i].path), c->set[i].path, c->set[i].n_rows, c->set[i].description);
    return ferror(f) ? pp_fail(PP_EIO, "the list cannot be written (disk full?)") : PP_OK;
}
