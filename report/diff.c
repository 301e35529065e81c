/* What differs between two reports, told in words and units or as JSON. */
#include "report/diff_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct differ {
    const pp_content *a, *b;
    const pp_diff_options *o;
    FILE *f;                  /* text; NULL when json is set */
    pp_json *json, *list;     /* list: where the next differences go */
    const char *heading;      /* printed before the next line; NULL: is there */
    size_t figures, tables;   /* compared */
    bool equal;
} differ;

/* ---- telling ---- */

static void heading(differ *d)
{
    d->equal = false;
    if (d->heading != NULL && d->f != NULL)
        fprintf(d->f, "\n%s\n", d->heading);
    d->heading = NULL;
}

static void begin_part(differ *d, const char *text, const char *key)
{
    d->heading = text;
    if (d->json != NULL)
        d->list = pp_json_add_list(d->json, key);
}

static bool is_pure(const char *units)
{
    return units[0] == 0 || strcmp(units, "1") == 0;
}

/* One value, cut to a line. */
static void print_value(const pp_content_column *c, size_t row, char *buffer, size_t size)
{
    pp_content_print(c, row, buffer, size);
    size_t n = strcspn(buffer, "\n");
    if (c->kind == PP_CELL_TEXT && (buffer[n] != 0 || strlen(pp_content_text(c, row)) >= size)) {
        n = n > size - 4 ? size - 4 : n;
        memcpy(buffer + n, "...", 4);
    }
    if (buffer[0] == 0)
        snprintf(buffer, size, "(empty)");
}

/* Seven digits where these tell the two apart. */
static void shorten(double a, double b, char *x, char *y, size_t size)
{
    char p[32], q[32];
    snprintf(p, sizeof p, "%.7g", a);
    snprintf(q, sizeof q, "%.7g", b);
    if (strcmp(p, q) == 0)
        return;
    snprintf(x, size, "%s", p);
    snprintf(y, size, "%s", q);
}

/* " (+12.5 %)", or "" for texts. */
static void print_change(const pp_content_column *a, size_t i, const pp_content_column *b, size_t j, char *buffer, size_t size)
{
    double x = pp_content_number(a, i), y = pp_content_number(b, j);
    buffer[0] = 0;
    if (a->kind == PP_CELL_TEXT || b->kind == PP_CELL_TEXT || !isfinite(x) || !isfinite(y) || x == 0)
        return;
    double percent = 100 * (y - x) / fabs(x);
    if (fabs(percent) >= 1000)
        snprintf(buffer, size, " (%.3g times)", y / x);
    else
        snprintf(buffer, size, " (%+.3g %%)", percent);
}

/* Texts that are cut before they part: from the word in which they do. */
static void print_parting(FILE *f, const char *a, const char *b)
{
    size_t word = 0;
    for (size_t i = 0; a[i] != 0 && a[i] == b[i]; i++)
        if (a[i] == ' ')
            word = i + 1;
    fprintf(f, "... %.90s -> ... %.90s", a[word] != 0 ? a + word : "(no more)", b[word] != 0 ? b + word : "(no more)");
}

/* A channel's name has an arrow of its own. */
static void put_value(FILE *f, const char *text, const char *before)
{
    const char *quote = strstr(text, " -> ") != NULL ? "'" : "";
    fprintf(f, "%s%s%s%s", before, quote, text, quote);
}

/* "4 -> 2 Gbit/s (-50 %)" */
static void print_pair(FILE *f, const pp_content_column *a, size_t i, const pp_content_column *b, size_t j)
{
    char x[96], y[96], change[48];
    print_value(a, i, x, sizeof x);
    print_value(b, j, y, sizeof y);
    if (a->kind == PP_CELL_TEXT && b->kind == PP_CELL_TEXT && strcmp(x, y) == 0) {
        print_parting(f, pp_content_text(a, i), pp_content_text(b, j));
        return;
    }
    if (a->kind == PP_CELL_F64 && b->kind == PP_CELL_F64)
        shorten(a->f64[i], b->f64[j], x, y, sizeof x);
    print_change(a, i, b, j, change, sizeof change);
    put_value(f, x, "");
    put_value(f, y, " -> ");
    fprintf(f, "%s%s%s", is_pure(a->units) ? "" : " ", is_pure(a->units) ? "" : a->units, change);
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

static void add_pair(pp_json *to, const pp_content_column *a, size_t i, const pp_content_column *b, size_t j)
{
    add_cell(to, "a", a, i);
    add_cell(to, "b", b, j);
    pp_json_add_f64(to, "difference", pp_diff_distance(a, i, b, j));
}

/* ---- figures ---- */

/* Long texts: the first line in which they part. */
static void tell_text(FILE *f, const char *a, const char *b)
{
    size_t line = 1, start = 0, i = 0;
    for (; a[i] != 0 && a[i] == b[i]; i++)
        if (a[i] == '\n') {
            line++;
            start = i + 1;
        }
    fprintf(f, "from line %zu: '%.*s' -> '%.*s'", line, (int)strcspn(a + start, "\n"), a + start, (int)strcspn(b + start, "\n"), b + start);
}

/* "/timing/cores, what each core did" */
static void print_set(FILE *f, const pp_content_set *set)
{
    fprintf(f, "  %s%s%s", set->path, set->description[0] != 0 ? ", " : "", set->description);
}

static void tell_figure(differ *d, const pp_content_set *a, const pp_content_set *b)
{
    const pp_content_column *x = &a->column[0], *y = &b->column[0];
    const bool two = b->description[0] != 0 && strcmp(a->description, b->description) != 0; /* networks count inferences, language models tokens */
    heading(d);
    if (d->json != NULL) {
        pp_json *o = pp_json_add_object(d->list, NULL);
        pp_json_add_text(o, "path", a->path);
        pp_json_add_text(o, "units", x->units);
        pp_json_add_text(o, "meaning", a->description);
        if (two)
            pp_json_add_text(o, "meaning_b", b->description);
        add_pair(o, x, 0, y, 0);
        return;
    }
    print_set(d->f, a);
    if (two)
        fprintf(d->f, " (B: %s)", b->description);
    fputs(": ", d->f);
    if (x->kind == PP_CELL_TEXT && y->kind == PP_CELL_TEXT && strchr(pp_content_text(x, 0), '\n') != NULL)
        tell_text(d->f, pp_content_text(x, 0), pp_content_text(y, 0));
    else
        print_pair(d->f, x, 0, y, 0);
    if (strcmp(x->units, y->units) != 0)
        fprintf(d->f, " (units: %s -> %s)", x->units, y->units);
    fputc('\n', d->f);
}

static void diff_figures(differ *d)
{
    begin_part(d, "Figures", "figures");
    for (size_t i = 0; i < d->a->n_sets; i++) {
        const pp_content_set *a = &d->a->set[i], *b = pp_content_find(d->b, a->path);
        if (b == NULL || !a->scalar || !b->scalar)
            continue;
        d->figures++;
        if (pp_diff_differs(&a->column[0], 0, &b->column[0], 0, pp_diff_limits_of(d->o, a->path, NULL)) || strcmp(a->column[0].units, b->column[0].units) != 0)
            tell_figure(d, a, b);
    }
}

/* ---- configuration ---- */

static void tell_setting(differ *d, const pp_content_set *a, const pp_content_set *b, pp_row_pair p)
{
    const pp_content_set *own = p.a != PP_DIFF_NONE ? a : b;
    size_t row = p.a != PP_DIFF_NONE ? p.a : p.b;
    const char *section = pp_content_text(&own->column[0], row), *name = pp_content_text(&own->column[1], row);
    const pp_content_column *x = pp_content_column_of(a, "value"), *y = pp_content_column_of(b, "value"), *unit = pp_content_column_of(own, "unit");
    char from[96] = "(no such setting)", to[96] = "(no such setting)";
    heading(d);
    if (d->json != NULL) {
        pp_json *o = pp_json_add_object(d->list, NULL);
        char setting[64];
        snprintf(setting, sizeof setting, "%.20s.%.40s", section, name);
        pp_json_add_text(o, "setting", setting);
        pp_json_add_text(o, "a", p.a != PP_DIFF_NONE ? pp_content_text(x, p.a) : NULL);
        pp_json_add_text(o, "b", p.b != PP_DIFF_NONE ? pp_content_text(y, p.b) : NULL);
        return;
    }
    if (p.a != PP_DIFF_NONE)
        print_value(x, p.a, from, sizeof from);
    if (p.b != PP_DIFF_NONE)
        print_value(y, p.b, to, sizeof to);
    const char *units = unit != NULL ? pp_content_text(unit, row) : "";
    fprintf(d->f, "  %s.%s: %s -> %s%s%s\n", section, name, from, to, is_pure(units) ? "" : " ", is_pure(units) ? "" : units);
}

/* False: not of the form that settings have; then they are a table like others. */
static bool has_settings(const pp_content_set *set)
{
    const pp_content_column *value = pp_content_column_of(set, "value");
    return set != NULL && !set->scalar && set->n_columns >= 3 && value != NULL && value->kind == PP_CELL_TEXT &&
           set->column[0].kind == PP_CELL_TEXT && set->column[1].kind == PP_CELL_TEXT;
}

static pp_status diff_settings(differ *d)
{
    const pp_content_set *a = pp_content_find(d->a, "/run/config"), *b = pp_content_find(d->b, "/run/config");
    begin_part(d, "Configuration", "config");
    if (!has_settings(a) || !has_settings(b))
        return PP_OK;
    pp_row_match m;
    PP_TRY(pp_diff_match(&m, a, b));
    const pp_content_column *x = pp_content_column_of(a, "value"), *y = pp_content_column_of(b, "value");
    for (size_t i = 0; i < m.n; i++) {
        pp_row_pair p = m.pair[i];
        if (p.a == PP_DIFF_NONE || p.b == PP_DIFF_NONE || strcmp(pp_content_text(x, p.a), pp_content_text(y, p.b)) != 0)
            tell_setting(d, a, b, p);
    }
    free(m.pair);
    return PP_OK;
}

/* ---- tables ---- */

typedef struct worst {
    pp_row_pair pair;
    double distance;
} worst;

typedef struct column_diff {
    const pp_content_column *a, *b;
    size_t compared, differing, n_worst;
    worst *w; /* [max_rows + 1], largest first */
} column_diff;

static void keep_worst(column_diff *c, size_t most, pp_row_pair pair, double distance)
{
    size_t at = c->n_worst;
    while (at > 0 && c->w[at - 1].distance < distance)
        at--;
    if (at >= most)
        return;
    size_t n = c->n_worst < most ? c->n_worst : most - 1;
    memmove(&c->w[at + 1], &c->w[at], (n - at) * sizeof *c->w);
    c->w[at] = (worst){pair, distance};
    c->n_worst = n + 1;
}

static void compare_column(differ *d, const char *path, column_diff *c, const pp_row_match *m)
{
    const pp_diff_limits limits = pp_diff_limits_of(d->o, path, c->a->name);
    size_t most = d->o->max_rows > 0 ? d->o->max_rows : 1;
    for (size_t i = 0; i < m->n; i++) {
        pp_row_pair p = m->pair[i];
        if (p.a == PP_DIFF_NONE || p.b == PP_DIFF_NONE)
            continue;
        c->compared++;
        if (!pp_diff_differs(c->a, p.a, c->b, p.b, limits))
            continue;
        c->differing++;
        keep_worst(c, most, p, pp_diff_distance(c->a, p.a, c->b, p.b));
    }
}

static void tell_column(differ *d, const column_diff *c, const pp_content_set *a, const pp_row_match *m, pp_json *columns)
{
    pp_json *o = NULL, *rows = NULL;
    char name[200], meaning[160];
    if (columns != NULL) {
        o = pp_json_add_object(columns, NULL);
        pp_json_add_text(o, "name", c->a->name);
        pp_json_add_text(o, "units", c->a->units);
        pp_json_add_text(o, "meaning", c->a->description);
        pp_json_add_i64(o, "compared", (int64_t)c->compared);
        pp_json_add_i64(o, "differing", (int64_t)c->differing);
        rows = pp_json_add_list(o, "rows");
    } else {
        const bool said = c->a->description[0] != 0 && strcmp(c->a->description, c->a->name) != 0;
        fprintf(d->f, "    %s%s%s: %zu of %zu rows differ%s\n", c->a->name, said ? ", " : "", said ? c->a->description : "", c->differing, c->compared,
                strcmp(c->a->units, c->b->units) != 0 ? ", and the units do" : "");
    }
    for (size_t i = 0; i < c->n_worst && i < d->o->max_rows; i++) {
        pp_row_pair p = c->w[i].pair;
        pp_diff_row_name(a, m->keys, p.a, name, sizeof name);
        if (rows != NULL) {
            pp_json *row = pp_json_add_object(rows, NULL);
            pp_json_add_text(row, "row", name);
            add_pair(row, c->a, p.a, c->b, p.b);
            continue;
        }
        pp_diff_row_meaning(d->a, a, m->keys, p.a, meaning, sizeof meaning);
        fprintf(d->f, "      %s%s: ", name, meaning);
        print_pair(d->f, c->a, p.a, c->b, p.b);
        fputc('\n', d->f);
    }
}

static void tell_alone(differ *d, const pp_content_set *set, const pp_row_match *m, bool of_a, pp_json *o)
{
    pp_json *list = o != NULL ? pp_json_add_list(o, of_a ? "rows_only_a" : "rows_only_b") : NULL;
    size_t n = 0;
    char name[200], meaning[160];
    for (size_t i = 0; i < m->n; i++) {
        size_t own = of_a ? m->pair[i].a : m->pair[i].b, other = of_a ? m->pair[i].b : m->pair[i].a;
        if (own == PP_DIFF_NONE || other != PP_DIFF_NONE || n++ >= d->o->max_rows)
            continue;
        pp_diff_row_name(set, m->keys, own, name, sizeof name);
        if (list != NULL)
            pp_json_add_text(list, NULL, name);
        else {
            pp_diff_row_meaning(of_a ? d->a : d->b, set, m->keys, own, meaning, sizeof meaning);
            fprintf(d->f, "    only in %s: %s%s\n", of_a ? "A" : "B", name, meaning);
        }
    }
    if (list == NULL && n > d->o->max_rows)
        fprintf(d->f, "    only in %s: %zu rows%s\n", of_a ? "A" : "B", n, d->o->max_rows > 0 ? " in all" : "");
}

/* Columns of B that A lacks, or the other way round. */
static size_t count_other_columns(const pp_content_set *a, const pp_content_set *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_columns; i++)
        n += pp_content_column_of(b, a->column[i].name) == NULL ? 1 : 0;
    return n;
}

static void tell_columns_alone(differ *d, const pp_content_set *a, const pp_content_set *b, bool of_a, pp_json *o)
{
    pp_json *list = o != NULL ? pp_json_add_list(o, of_a ? "columns_only_a" : "columns_only_b") : NULL;
    for (size_t i = 0; i < a->n_columns; i++) {
        if (pp_content_column_of(b, a->column[i].name) != NULL)
            continue;
        if (list != NULL)
            pp_json_add_text(list, NULL, a->column[i].name);
        else
            fprintf(d->f, "    column %s: only in %s\n", a->column[i].name, of_a ? "A" : "B");
    }
}

static void tell_table(differ *d, const pp_content_set *a, const pp_content_set *b, const pp_row_match *m, const column_diff *c, size_t n)
{
    pp_json *o = NULL, *columns = NULL;
    heading(d);
    if (d->json != NULL) {
        o = pp_json_add_object(d->list, NULL);
        pp_json_add_text(o, "path", a->path);
        pp_json_add_i64(o, "rows_a", (int64_t)a->n_rows);
        pp_json_add_i64(o, "rows_b", (int64_t)b->n_rows);
        columns = pp_json_add_list(o, "columns");
    } else {
        print_set(d->f, a);
        if (a->n_rows != b->n_rows)
            fprintf(d->f, ": %zu -> %zu rows\n", a->n_rows, b->n_rows);
        else
            fprintf(d->f, ": %zu rows\n", a->n_rows);
    }
    for (size_t i = 0; i < n; i++)
        if (c[i].differing > 0)
            tell_column(d, &c[i], a, m, columns);
    tell_alone(d, a, m, true, o);
    tell_alone(d, b, m, false, o);
    tell_columns_alone(d, a, b, true, o);
    tell_columns_alone(d, b, a, false, o);
}

static size_t count_alone(const pp_row_match *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        n += m->pair[i].a == PP_DIFF_NONE || m->pair[i].b == PP_DIFF_NONE ? 1 : 0;
    return n;
}

static pp_status compare_columns(differ *d, const pp_content_set *a, const pp_content_set *b, const pp_row_match *m)
{
    column_diff *c = pp_calloc(a->n_columns, sizeof *c);
    pp_status status = c != NULL ? PP_OK : PP_ENOMEM;
    size_t n = 0, differing = count_alone(m) + count_other_columns(a, b) + count_other_columns(b, a);
    for (size_t i = 0; status == PP_OK && i < a->n_columns; i++) {
        const pp_content_column *other = pp_content_column_of(b, a->column[i].name);
        if (other == NULL)
            continue;
        c[n] = (column_diff){.a = &a->column[i], .b = other, .w = pp_alloc(d->o->max_rows + 2, sizeof(worst))};
        status = c[n].w != NULL ? PP_OK : PP_ENOMEM;
        if (status == PP_OK)
            compare_column(d, a->path, &c[n], m);
        differing += c[n++].differing;
    }
    if (status == PP_OK && differing > 0)
        tell_table(d, a, b, m, c, n);
    for (size_t i = 0; i < n; i++)
        free(c[i].w);
    free(c);
    return status;
}

static pp_status diff_tables(differ *d)
{
    begin_part(d, "Tables", "tables");
    for (size_t i = 0; i < d->a->n_sets; i++) {
        const pp_content_set *a = &d->a->set[i], *b = pp_content_find(d->b, a->path);
        if (b == NULL || a->scalar || b->scalar || (strcmp(a->path, "/run/config") == 0 && has_settings(a) && has_settings(b)))
            continue;
        pp_row_match m;
        d->tables++;
        PP_TRY(pp_diff_match(&m, a, b));
        pp_status status = compare_columns(d, a, b, &m);
        free(m.pair);
        PP_TRY(status);
    }
    return PP_OK;
}

/* ---- what one of them lacks ---- */

static void tell_missing(FILE *f, const pp_content_set *set)
{
    print_set(f, set);
    if (!set->scalar)
        fprintf(f, ": %zu rows", set->n_rows);
    fputc('\n', f);
}

static void diff_missing(differ *d, const pp_content *own, const pp_content *other, const char *text, const char *key)
{
    begin_part(d, text, key);
    for (size_t i = 0; i < own->n_sets; i++) {
        const pp_content_set *set = &own->set[i], *there = pp_content_find(other, set->path);
        if (there != NULL && there->scalar == set->scalar)
            continue;
        heading(d);
        if (d->json != NULL)
            pp_json_add_text(d->list, NULL, set->path);
        else
            tell_missing(d->f, set);
    }
}

static const char *schema_of(const pp_content *c)
{
    return c->schema[0] != 0 ? c->schema : "no schema";
}

static void tell_names(differ *d)
{
    if (d->json != NULL) {
        pp_json_add_text(d->json, "a", d->a->path);
        pp_json_add_text(d->json, "b", d->b->path);
        pp_json_add_f64(d->json, "tolerance", d->o->limits.relative);
        pp_json_add_f64(d->json, "absolute", d->o->limits.absolute);
        return;
    }
    fprintf(d->f, "A  %s  (%s)\nB  %s  (%s)\n", d->a->path, schema_of(d->a), d->b->path, schema_of(d->b));
    if (strcmp(schema_of(d->a), schema_of(d->b)) != 0)
        fputs("A and B are reports of different kinds: only what both have is compared.\n", d->f);
}

static void tell_equal(const differ *d)
{
    fprintf(d->f, "\nequal: %zu figures and %zu tables, relative tolerance %g", d->figures, d->tables, d->o->limits.relative);
    if (d->o->limits.absolute > 0)
        fprintf(d->f, ", absolute %g", d->o->limits.absolute);
    fputs(d->o->n_of > 0 ? ", of some another\n" : "\n", d->f);
}

pp_status pp_report_diff(const pp_content *a, const pp_content *b, const pp_diff_options *options, void *stdio_file, pp_json *json,
                         bool *equal)
{
    differ d = {.a = a, .b = b, .o = options, .f = json == NULL ? stdio_file : NULL, .json = json, .equal = true};
    PP_TRY(pp_diff_check_tolerances(options, a, b));
    tell_names(&d);
    PP_TRY(diff_settings(&d));
    diff_figures(&d);
    PP_TRY(diff_tables(&d));
    diff_missing(&d, a, b, "Only in A", "only_a");
    diff_missing(&d, b, a, "Only in B", "only_b");
    *equal = d.equal;
    if (json != NULL)
        pp_json_add_bool(json, "equal", d.equal);
    else if (d.equal)
        tell_equal(&d);
    return d.f != NULL && ferror(d.f) ? pp_fail(PP_EIO, "the differences cannot be written (disk full?)") : PP_OK;
}
