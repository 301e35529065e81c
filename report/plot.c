/* Figures: what they hold. Drawing is elsewhere. */
#include "report/plot_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLOT_COLOURS 8u

static pp_status copy_text(char **out, const char *text)
{
    if (text == NULL)
        return PP_OK;
    *out = pp_strdup(text);
    return *out != NULL ? PP_OK : PP_ENOMEM;
}

static pp_status copy_values(double **out, const double *v, size_t n)
{
    if (v == NULL)
        return PP_OK;
    *out = pp_alloc(n, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    if (n > 0)
        memcpy(*out, v, n * sizeof *v);
    return PP_OK;
}

static pp_status copy_names(char ***out, const char *const *name, size_t n)
{
    *out = pp_calloc(n, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        PP_TRY(copy_text(&(*out)[i], name[i] != NULL ? name[i] : ""));
    return PP_OK;
}

static void free_names(char **name, size_t n)
{
    for (size_t i = 0; name != NULL && i < n; i++)
        free(name[i]);
    free(name);
}

static void free_series(plot_series *s)
{
    free(s->name);
    free(s->x);
    free(s->y);
    free(s->low);
    free(s->high);
}

static void free_matrix(plot_matrix *m)
{
    free_names(m->row, m->n_rows);
    free_names(m->col, m->n_cols);
    free(m->value);
    free(m->error);
    *m = (plot_matrix){0};
}

static void free_axis(plot_axis *a)
{
    free_names(a->named_text, a->n_named);
    free(a->named_at);
    a->named_text = NULL;
    a->named_at = NULL;
    a->n_named = 0;
}

pp_status pp_plot_new(pp_plot **out, const char *title, const char *x_label, const char *y_label)
{
    *out = NULL;
    pp_plot *p = pp_calloc(1, sizeof *p);
    if (p == NULL)
        return PP_ENOMEM;
    p->width = 760.0;
    p->height = 480.0;
    p->x.low = p->x.high = p->y.low = p->y.high = (double)NAN;
    pp_status status;
    PP_GOTO(fail, status, copy_text(&p->title, title));
    PP_GOTO(fail, status, copy_text(&p->x_label, x_label));
    PP_GOTO(fail, status, copy_text(&p->y_label, y_label));
    *out = p;
    return PP_OK;
fail:
    pp_plot_free(p);
    return status;
}

void pp_plot_free(pp_plot *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->series.len; i++)
        free_series(&p->series.data[i]);
    free(p->series.data);
    free_matrix(&p->bars);
    free_matrix(&p->heat);
    free_axis(&p->x);
    free_axis(&p->y);
    free(p->title);
    free(p->note);
    free(p->x_label);
    free(p->y_label);
    free(p);
}

pp_status pp_plot_note(pp_plot *p, const char *text)
{
    free(p->note);
    p->note = NULL;
    return copy_text(&p->note, text);
}

static double clamp_size(unsigned pixels)
{
    return fmin(4000.0, fmax(200.0, (double)pixels));
}

void pp_plot_size(pp_plot *p, unsigned width, unsigned height)
{
    p->width = clamp_size(width);
    p->height = clamp_size(height);
}

static void set_axis(plot_axis *a, pp_plot_scale scale, double low, double high)
{
    a->scale = scale;
    a->low = low;
    a->high = high;
}

void pp_plot_x_axis(pp_plot *p, pp_plot_scale scale, double low, double high)
{
    set_axis(&p->x, scale, low, high);
}

void pp_plot_y_axis(pp_plot *p, pp_plot_scale scale, double low, double high)
{
    set_axis(&p->y, scale, low, high);
}

pp_status pp_plot_x_ticks(pp_plot *p, const double *at, const char *const *text, size_t n)
{
    free_axis(&p->x);
    PP_TRY(copy_values(&p->x.named_at, at, n));
    p->x.n_named = n;
    return copy_names(&p->x.named_text, text, n);
}

/* Each series takes the next colour, unless it belongs to the one before it. */
static unsigned next_colour(const pp_plot *p, unsigned style)
{
    if (p->series.len == 0)
        return 0;
    const unsigned last = p->series.data[p->series.len - 1].colour;
    return (style & PP_PLOT_SAME) != 0 ? last : (last + 1) % PLOT_COLOURS;
}

pp_status pp_plot_series(pp_plot *p, const char *name, unsigned style, const double *x, const double *y,
                         const double *low, const double *high, size_t n)
{
    plot_series s = {.style = style, .n = n, .colour = next_colour(p, style)};
    const bool band = low != NULL && high != NULL;
    pp_status status;
    PP_GOTO(fail, status, copy_text(&s.name, name));
    PP_GOTO(fail, status, copy_values(&s.x, x, n));
    PP_GOTO(fail, status, copy_values(&s.y, y, n));
    PP_GOTO(fail, status, copy_values(&s.low, band ? low : NULL, n));
    PP_GOTO(fail, status, copy_values(&s.high, band ? high : NULL, n));
    if (pp_push(&p->series, s))
        return PP_OK;
    status = PP_ENOMEM;
fail:
    free_series(&s);
    return status;
}

static pp_status set_matrix(plot_matrix *m, const char *const *row, size_t n_rows, const char *const *col,
                            size_t n_cols, const double *value, const double *error)
{
    free_matrix(m);
    m->n_rows = n_rows;
    m->n_cols = n_cols;
    pp_status status;
    PP_GOTO(fail, status, copy_names(&m->row, row, n_rows));
    PP_GOTO(fail, status, copy_names(&m->col, col, n_cols));
    PP_GOTO(fail, status, copy_values(&m->value, value, n_rows * n_cols));
    PP_GOTO(fail, status, copy_values(&m->error, error, n_rows * n_cols));
    return PP_OK;
fail:
    free_matrix(m);
    return status;
}

pp_status pp_plot_bars(pp_plot *p, const char *const *group, size_t n_groups, const char *const *series,
                       size_t n_series, const double *value, const double *error)
{
    return set_matrix(&p->bars, series, n_series, group, n_groups, value, error);
}

pp_status pp_plot_heat(pp_plot *p, const char *const *row, size_t n_rows, const char *const *col, size_t n_cols,
                       const double *value, int decimals, pp_plot_scale colour)
{
    PP_TRY(set_matrix(&p->heat, row, n_rows, col, n_cols, value, NULL));
    p->heat.decimals = decimals;
    p->heat.colour = colour;
    return PP_OK;
}

static bool ends_in(const char *path, const char *ending)
{
    const size_t n = strlen(path), e = strlen(ending);
    return n > e && strcmp(path + n - e, ending) == 0;
}

static void draw_plot(const void *plot, canvas *c)
{
    pp_plot_draw(plot, c);
}

static canvas_drawing drawing_of(const pp_plot *p)
{
    canvas_drawing d = {.draw = draw_plot, .payload = p};
    pp_plot_extent(p, &d.width, &d.height);
    return d;
}

pp_status pp_plot_svg(const pp_plot *p, char **out, size_t *size)
{
    const canvas_drawing d = drawing_of(p);
    return pp_canvas_svg(&d, out, size);
}

static pp_status write_svg(const canvas_drawing *d, const char *path, bool force)
{
    char *text = NULL;
    size_t size = 0;
    PP_TRY(pp_canvas_svg(d, &text, &size));
    const pp_status status = pp_output_write(path, text, size, force);
    free(text);
    return status;
}

static pp_status write_png(const canvas_drawing *d, const char *path, bool force)
{
    pp_output o = {0};
    pp_status status;
    PP_GOTO(done, status, pp_output_begin(&o, path, force));
    PP_GOTO(done, status, pp_canvas_png(d, o.temporary));
    status = pp_output_commit(&o);
done:
    pp_output_abort(&o);
    return status;
}

pp_status pp_plot_check_path(const char *path)
{
    return ends_in(path, ".svg") || ends_in(path, ".png")
               ? PP_OK
               : pp_fail(PP_EINVAL, "%s: a figure ends in .svg or .png", path);
}

pp_status pp_drawing_write(const canvas_drawing *d, const char *path, bool force)
{
    PP_TRY(pp_plot_check_path(path));
    return ends_in(path, ".svg") ? write_svg(d, path, force) : write_png(d, path, force);
}

pp_status pp_plot_write(const pp_plot *p, const char *path, bool force)
{
    const canvas_drawing d = drawing_of(p);
    return pp_drawing_write(&d, path, force);
}
