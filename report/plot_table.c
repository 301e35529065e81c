/* A figure of two columns of any table of a report: lines, one for each value of the columns that group the rows. */
#include "report/content.h"
#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 200000
#define GROUPS_MAX 64
#define NAMES_MAX 400 /* of an axis of texts */

typedef struct chart {
    const pp_content_set *set;
    const pp_content_column *x, *y, *by[16];
    size_t n_by, n;
    size_t *row;          /* [n] rows with a value */
    double *at;           /* [n] x */
    char **label;         /* [n_groups] */
    size_t *group;        /* [n] */
    size_t n_groups;
    const char **name;    /* [n_names] of an x of texts */
    double *tick;
    size_t n_names;
} chart;

/* ---- which columns ---- */

static pp_status column(const pp_content_column **out, const pp_content_set *set, const char *name, const char *option)
{
    *out = pp_content_column_of(set, name);
    if (*out != NULL)
        return PP_OK;
    const char *names[512];
    size_t n = 0;
    for (; n < set->n_columns && n < 512; n++)
        names[n] = set->column[n].name;
    const char *near = pp_nearest(name, names, n);
    return near != NULL ? pp_fail(PP_EUSAGE, "--%s %s: %s has no such column; did you mean %s?", option, name, set->path, near)
                        : pp_fail(PP_EUSAGE, "--%s %s: %s has no such column", option, name, set->path);
}

/* Settings of a sweep, in its order; NULL past the last. */
static const char *setting(const pp_content *c, size_t i)
{
    const pp_content_set *s = pp_content_find(c, "/sweep/settings");
    const pp_content_column *name = pp_content_column_of(s, "name");
    return name != NULL && i < s->n_rows ? pp_content_text(name, i) : NULL;
}

/* Of a sweep: the first setting with several values, or the first. */
static const char *usual_x(const pp_content *c)
{
    const pp_content_column *values = pp_content_column_of(pp_content_find(c, "/sweep/settings"), "values");
    for (size_t i = 0; values != NULL && setting(c, i) != NULL; i++)
        if (pp_content_number(values, i) > 1)
            return setting(c, i);
    return setting(c, 0);
}

static const char *usual_y(const pp_content_set *set)
{
    static const char *const names[] = {"throughput_ips", "throughput_tokens_s", "top1_crossbar"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (pp_content_column_of(set, names[i]) != NULL)
            return names[i];
    return NULL;
}

static pp_status add_by(chart *h, const char *name)
{
    if (h->n_by == sizeof h->by / sizeof *h->by)
        return pp_fail(PP_EUSAGE, "--by: at most %zu columns", sizeof h->by / sizeof *h->by);
    return column(&h->by[h->n_by++], h->set, name, "by");
}

static pp_status choose_by(chart *h, const pp_content *c, const pp_content_plot *o)
{
    if (o->by == NULL) {
        for (size_t i = 0; setting(c, i) != NULL && strcmp(h->set->path, "/sweep/rows") == 0; i++)
            if (strcmp(setting(c, i), h->x->name) != 0)
                PP_TRY(add_by(h, setting(c, i)));
        return PP_OK;
    }
    char *names = pp_strdup(o->by), *save = NULL;
    pp_status status = names != NULL ? PP_OK : PP_ENOMEM;
    for (char *n = names != NULL ? strtok_r(names, ",", &save) : NULL; n != NULL && status == PP_OK; n = strtok_r(NULL, ",", &save))
        status = add_by(h, n);
    free(names);
    return status;
}

static pp_status choose(chart *h, const pp_content *c, const pp_content_plot *o)
{
    const char *path = pp_content_table_path(o->table != NULL ? o->table : "/sweep/rows");
    h->set = pp_content_find(c, path);
    if (h->set == NULL || h->set->scalar)
        return pp_fail(PP_EUSAGE, o->table != NULL ? "%s is not in this report" : "%s is not in this report: expected the name of a table", path);
    const char *x = o->x != NULL ? o->x : usual_x(c), *y = o->y != NULL ? o->y : usual_y(h->set);
    if (x == NULL || y == NULL)
        return pp_fail(PP_EUSAGE, "expected --x COLUMN and --y COLUMN of %s", path);
    PP_TRY(column(&h->x, h->set, x, "x"));
    PP_TRY(column(&h->y, h->set, y, "y"));
    if (h->y->kind == PP_CELL_TEXT)
        return pp_fail(PP_EUSAGE, "--y %s: a column of texts cannot be drawn", y);
    if (h->set->n_rows > ROWS_MAX)
        return pp_fail(PP_ERANGE, "%s has %zu rows, more than %d cannot be drawn", path, h->set->n_rows, ROWS_MAX);
    return choose_by(h, c, o);
}

/* ---- rows ---- */

static char *group_label(const chart *h, size_t row)
{
    char *text = pp_strdup("");
    for (size_t i = 0; i < h->n_by && text != NULL; i++) {
        char cell[256];
        pp_content_print(h->by[i], row, cell, sizeof cell);
        char *longer = pp_strf("%s%s%s %s", text, i > 0 ? ", " : "", h->by[i]->name, cell);
        free(text);
        text = longer;
    }
    return text;
}

static pp_status put_in_group(chart *h, size_t i)
{
    char *label = group_label(h, h->row[i]);
    if (label == NULL)
        return PP_ENOMEM;
    size_t g = 0;
    while (g < h->n_groups && strcmp(h->label[g], label) != 0)
        g++;
    if (g == GROUPS_MAX) {
        free(label);
        return pp_fail(PP_ERANGE, "more than %d lines: choose the columns that group the rows with --by", GROUPS_MAX);
    }
    if (g == h->n_groups)
        h->label[h->n_groups++] = label;
    else
        free(label);
    h->group[i] = g;
    return PP_OK;
}

static pp_status place(chart *h, size_t i)
{
    if (h->x->kind != PP_CELL_TEXT) {
        h->at[i] = pp_content_number(h->x, h->row[i]);
        return PP_OK;
    }
    const char *text = pp_content_text(h->x, h->row[i]);
    size_t k = 0;
    while (k < h->n_names && strcmp(h->name[k], text) != 0)
        k++;
    if (k == NAMES_MAX)
        return pp_fail(PP_ERANGE, "--x %s: more than %d different texts", h->x->name, NAMES_MAX);
    if (k == h->n_names) {
        h->name[k] = text;
        h->tick[h->n_names++] = (double)k;
    }
    h->at[i] = (double)k;
    return PP_OK;
}

static pp_status collect(chart *h)
{
    const size_t n = h->set->n_rows;
    h->row = pp_alloc(n, sizeof *h->row);
    h->at = pp_alloc(n, sizeof *h->at);
    h->group = pp_alloc(n, sizeof *h->group);
    h->label = pp_calloc(GROUPS_MAX, sizeof *h->label);
    h->name = pp_calloc(NAMES_MAX, sizeof *h->name);
    h->tick = pp_calloc(NAMES_MAX, sizeof *h->tick);
    if (!h->row || !h->at || !h->group || !h->label || !h->name || !h->tick)
        return PP_ENOMEM;
    for (size_t r = 0; r < n; r++) {
        if (!isfinite(pp_content_number(h->y, r)))
            continue;
        h->row[h->n] = r;
        PP_TRY(place(h, h->n));
        PP_TRY(put_in_group(h, h->n));
        h->n++;
    }
    return h->n > 0 ? PP_OK : pp_fail(PP_EINVAL, "%s: column %s has no value", h->set->path, h->y->name);
}

/* ---- drawing ---- */

static char *axis_text(const pp_content_column *c)
{
    return strcmp(c->units, "1") != 0 && c->units[0] != 0 ? pp_strf("%s, %s", c->name, c->units) : pp_strdup(c->name);
}

static pp_status add_lines(const chart *h, pp_plot *plot)
{
    double *v = pp_alloc(2 * h->n, sizeof *v);
    pp_status status = v != NULL ? PP_OK : PP_ENOMEM;
    for (size_t g = 0; g < h->n_groups && status == PP_OK; g++) {
        size_t n = 0;
        for (size_t i = 0; i < h->n; i++)
            if (h->group[i] == g) {
                v[n] = h->at[i];
                v[h->n + n++] = pp_content_number(h->y, h->row[i]);
            }
        status = pp_plot_series(plot, h->n_by > 0 ? h->label[g] : NULL, PP_PLOT_LINE | PP_PLOT_MARKERS, v, v + h->n, NULL, NULL, n);
    }
    free(v);
    return status;
}

static pp_status draw(const chart *h, const pp_content *c, const char *path, bool force)
{
    const pp_content_set *command = pp_content_find(c, "/sweep/command");
    char *x = axis_text(h->x), *y = axis_text(h->y), *title = pp_strf("%s by %s", h->y->name, h->x->name);
    pp_plot *plot = NULL;
    pp_status status = x && y && title ? pp_plot_new(&plot, title, x, y) : PP_ENOMEM;
    if (status == PP_OK && command == NULL)
        command = pp_content_find(c, "/run/command");
    if (status == PP_OK && command != NULL)
        status = pp_plot_note(plot, pp_content_text(&command->column[0], 0));
    if (status == PP_OK && h->n_names > 0)
        pp_plot_x_axis(plot, PP_PLOT_LINEAR, -0.3, (double)h->n_names - 0.7);
    if (status == PP_OK && h->n_names > 0)
        status = pp_plot_x_ticks(plot, h->tick, h->name, h->n_names);
    if (status == PP_OK)
        status = add_lines(h, plot);
    if (status == PP_OK)
        status = pp_plot_write(plot, path, force);
    pp_plot_free(plot);
    free(x);
    free(y);
    free(title);
    return status;
}

pp_status pp_content_draw(const pp_content *c, const pp_content_plot *o, const char *path, bool force)
{
    chart h = {0};
    pp_status status = choose(&h, c, o);
    if (status == PP_OK)
        status = collect(&h);
    if (status == PP_OK)
        status = draw(&h, c, path, force);
    for (size_t g = 0; g < h.n_groups; g++)
        free(h.label[g]);
    free(h.row);
    free(h.at);
    free(h.group);
    free(h.label);
    free(h.name);
    free(h.tick);
    return status;
}
