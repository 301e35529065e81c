/* A sweep's table. Columns are not known beforehand: their kinds follow from the values. */
#include "report/sweep.h"

#include "report/lm_report_internal.h"
#include "report/summary_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- kinds ---- */

static bool as_integer(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    *out = v;
    return errno == 0 && end != text && *end == 0 && text[0] != '+' && text[0] != ' ';
}

static bool as_bool(const char *text, int64_t *out)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0;
}

static bool as_number(const char *text, double *out)
{
    return pp_parse_f64(text, out);
}

/* Integers and truths need a value in every row: they have no NaN. */
static pp_h5_kind kind_of(const pp_sweep_column *c, size_t n)
{
    size_t values = 0, integers = 0, truths = 0, numbers = 0;
    int64_t i;
    double v;
    for (size_t r = 0; r < n; r++) {
        const char *text = c->value[r];
        if (text == NULL)
            continue;
        values++;
        integers += as_integer(text, &i);
        truths += as_bool(text, &i);
        numbers += as_number(text, &v);
    }
    if (values == n && n > 0 && integers == n)
        return PP_H5_I64;
    if (values == n && n > 0 && truths == n)
        return PP_H5_BOOL;
    return values > 0 && numbers == values ? PP_H5_F64 : PP_H5_STRING;
}

/* ---- HDF5 ---- */

typedef union cell {
    int64_t i64;
    double f64;
    uint8_t flag;
    const char *text;
} cell;

static void set_cell(cell *to, const char *text, pp_h5_kind kind)
{
    int64_t i = 0;
    memset(to, 0, sizeof *to);
    if (kind == PP_H5_STRING) {
        to->text = text;
    } else if (kind == PP_H5_F64) {
        to->f64 = NAN;
        if (text != NULL)
            (void)as_number(text, &to->f64);
    } else if (kind == PP_H5_BOOL) {
        (void)as_bool(text, &i);
        to->flag = (uint8_t)i;
    } else {
        (void)as_integer(text, &to->i64);
    }
}

/* The report's figure of a name: its unit and meaning. */
static const pp_h5_column *figure_of(const char *name)
{
    for (size_t i = 0; i < pp_summary_n_fields; i++)
        if (strcmp(pp_summary_fields[i].column.name, name) == 0)
            return &pp_summary_fields[i].column;
    for (size_t i = 0; i < pp_lm_n_fields; i++)
        if (strcmp(pp_lm_fields[i].column.name, name) == 0)
            return &pp_lm_fields[i].column;
    return NULL;
}

static void describe(pp_h5_column *to, const pp_sweep_column *from, size_t index, pp_h5_kind kind)
{
    const pp_h5_column *known = from->n_values > 0 ? NULL : figure_of(from->name);
    *to = (pp_h5_column){.name = from->name, .kind = kind, .offset = index * sizeof(cell), .size = kind == PP_H5_STRING ? 1 : 8,
                         .units = from->units != NULL ? from->units : known != NULL ? known->units : "",
                         .description = from->text != NULL ? from->text : known != NULL ? known->description : "as the run printed it"};
}

static pp_status write_rows(hid_t file, const pp_sweep_table *t)
{
    pp_h5_column *columns = pp_calloc(t->n_columns, sizeof *columns);
    cell *rows = pp_calloc(t->n_rows * t->n_columns, sizeof *rows);
    pp_status status = columns != NULL && rows != NULL ? PP_OK : PP_ENOMEM;
    for (size_t c = 0; c < t->n_columns && status == PP_OK; c++) {
        const pp_h5_kind kind = kind_of(&t->column[c], t->n_rows);
        describe(&columns[c], &t->column[c], c, kind);
        for (size_t r = 0; r < t->n_rows; r++)
            set_cell(&rows[r * t->n_columns + c], t->column[c].value[r], kind);
    }
    if (status == PP_OK)
        status = pp_h5_table(file, "/sweep/rows", "one run a row, the last setting fastest", columns, t->n_columns, rows,
                             t->n_columns * sizeof *rows, t->n_rows);
    free(rows);
    free(columns);
    return status;
}

typedef struct setting_row {
    const char *name, *units;
    uint32_t values;
} setting_row;
static const pp_h5_column setting_columns[] = {
    PP_H5_STRING_COLUMN(setting_row, name, 16, "setting of the grid: a column of /sweep/rows"),
    PP_H5_STRING_COLUMN(setting_row, units, 8, "its unit"),
    PP_H5_COLUMN(setting_row, values, PP_H5_U32, "", "different values of it"),
};

static pp_status write_settings(hid_t file, const pp_sweep_table *t)
{
    size_t n = 0;
    while (n < t->n_columns && t->column[n].n_values > 0)
        n++;
    setting_row *rows = pp_calloc(n, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        rows[i] = (setting_row){t->column[i].name, t->column[i].units != NULL ? t->column[i].units : "", t->column[i].n_values};
    const pp_status status = pp_h5_table(file, "/sweep/settings", "settings of the grid", setting_columns, 3, rows, sizeof *rows, n);
    free(rows);
    return status;
}

typedef struct counts {
    uint64_t points, failed;
} counts;
static const pp_h5_column count_columns[] = {
    PP_H5_COLUMN(counts, points, PP_H5_U64, "", "runs of the grid"),
    PP_H5_COLUMN(counts, failed, PP_H5_U64, "", "runs that failed: the column error says why"),
};

static pp_status write_all(hid_t file, const void *what)
{
    const pp_sweep_table *t = what;
    const counts n = {t->n_rows, t->n_failed};
    PP_TRY(pp_h5_text_attribute(file, "schema", "pentaprism-sweep/1"));
    PP_TRY(pp_h5_group(file, "/sweep", "a run file over a grid of settings"));
    PP_TRY(pp_h5_text(file, "/sweep/command", t->command, "command that makes this file again"));
    PP_TRY(pp_h5_text(file, "/sweep/model", t->model, "network of the run file"));
    for (size_t i = 0; i < 2; i++) {
        char path[48];
        (void)snprintf(path, sizeof path, "/sweep/%s", count_columns[i].name);
        PP_TRY(pp_h5_scalar(file, path, &count_columns[i], &n));
    }
    PP_TRY(write_settings(file, t));
    return write_rows(file, t);
}

pp_status pp_sweep_write(const char *path, const pp_sweep_table *t, bool force)
{
    return pp_h5_write(path, force, write_all, t);
}

/* ---- CSV ---- */

static void put_field(FILE *f, const char *text)
{
    const bool quote = strpbrk(text, ",\"\n\r") != NULL;
    if (quote)
        fputc('"', f);
    for (; *text != 0 && *text != '\n'; text++)
        fprintf(f, *text == '"' ? "\"\"" : "%c", *text);
    if (quote)
        fputc('"', f);
}

static void put_csv(FILE *f, const pp_sweep_table *t)
{
    for (size_t c = 0; c < t->n_columns; c++)
        fprintf(f, c > 0 ? ",%s" : "%s", t->column[c].name);
    fputc('\n', f);
    for (size_t r = 0; r < t->n_rows; r++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            if (c > 0)
                fputc(',', f);
            put_field(f, t->column[c].value[r] != NULL ? t->column[c].value[r] : "");
        }
        fputc('\n', f);
    }
}

pp_status pp_sweep_csv(const char *path, const pp_sweep_table *t, bool force)
{
    pp_output o;
    pp_status status = pp_output_begin(&o, path, force);
    FILE *f = status == PP_OK ? fopen(o.temporary, "w") : NULL;
    if (f != NULL) {
        put_csv(f, t);
        const bool bad = ferror(f) != 0;
        status = fclose(f) == 0 && !bad ? pp_output_commit(&o) : pp_fail(PP_EIO, "%s: cannot be written (disk full?)", path);
    } else if (status == PP_OK) {
        status = pp_fail(PP_EIO, "%s: %s", path, strerror(errno));
    }
    pp_output_abort(&o);
    return status;
}
