/* Pictures of a language model's run. */
#include "report/lm_report_internal.h"
#include "report/plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pp_status write_beside(const pp_plot *plot, const char *path, const char *what, bool force)
{
    const char *dot = strrchr(path, '.');
    char *name = pp_strf("%.*s-%s%s", (int)(dot - path), path, what, dot);
    if (name == NULL)
        return PP_ENOMEM;
    const pp_status status = pp_plot_write(plot, name, force);
    free(name);
    return status;
}

/* Columns of doubles, one behind the other. */
static double *columns(size_t n, size_t k)
{
    return pp_calloc(n * k, sizeof(double));
}

static pp_status plot_progress(pp_plot *plot, const pp_lm_tables *t, double *v)
{
    const size_t n = t->n_progress;
    double *time = v, *prompt = v + n, *decoded = v + 2 * n;
    for (size_t i = 0; i < n; i++) {
        const pp_lm_progress_row *r = &t->progress[i];
        const double step_s = r->time_s - (i > 0 ? r[-1].time_s : 2 * r->time_s - r[1].time_s);
        time[i] = r->time_s * 1e3;
        prompt[i] = (double)r->prefill_tokens / step_s * 1e-3;
        decoded[i] = (double)r->decode_tokens / step_s * 1e-3;
    }
    PP_TRY(pp_plot_series(plot, "prompt tokens", PP_PLOT_LINE, time, prompt, NULL, NULL, n));
    return pp_plot_series(plot, "decoded tokens", PP_PLOT_LINE, time, decoded, NULL, NULL, n);
}

static pp_status plot_contexts(pp_plot *plot, const pp_lm_tables *t, double *v)
{
    const size_t n = t->n_contexts;
    double *context = v, *latency = v + n, *interval = v + 2 * n, *attention = v + 3 * n;
    for (size_t i = 0; i < n; i++) {
        context[i] = t->context[i].context;
        latency[i] = (double)t->context[i].latency_ps * 1e-6;
        interval[i] = (double)t->context[i].interval_ps * 1e-6;
        attention[i] = (double)t->context[i].attention_ps * 1e-6;
    }
    pp_plot_x_axis(plot, PP_PLOT_LOG, 1, context[n - 1]);
    pp_plot_y_axis(plot, PP_PLOT_LOG, attention[0] > 0 ? attention[0] / 2 : interval[0] / 2, latency[n - 1] * 2);
    PP_TRY(pp_plot_series(plot, "alone in the pipeline", PP_PLOT_LINE | PP_PLOT_MARKERS, context, latency, NULL, NULL, n));
    PP_TRY(pp_plot_series(plot, "pipeline full", PP_PLOT_LINE | PP_PLOT_MARKERS, context, interval, NULL, NULL, n));
    return pp_plot_series(plot, "attention unit", PP_PLOT_LINE | PP_PLOT_DASHED, context, attention, NULL, NULL, n);
}

/* One figure: what its axes and its file are called, how many rows and columns of numbers `plot` fills and draws. */
typedef struct figure {
    const char *what, *x, *y, *file;
    size_t rows, columns;
    pp_status (*plot)(pp_plot *plot, const pp_lm_tables *t, double *v);
} figure;

static pp_status draw(const figure *f, const pp_lm_summary *s, const pp_lm_tables *t, const char *note, const char *path,
                      bool force)
{
    char title[400];
    snprintf(title, sizeof title, "%s: %s", s->network, f->what);
    pp_plot *plot = NULL;
    double *v = columns(f->rows, f->columns);
    pp_status status = v != NULL ? pp_plot_new(&plot, title, f->x, f->y) : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_plot_note(plot, note);
    if (status == PP_OK)
        status = f->plot(plot, t, v);
    if (status == PP_OK)
        status = write_beside(plot, path, f->file, force);
    pp_plot_free(plot);
    free(v);
    return status;
}

static pp_status draw_progress(const pp_lm_summary *s, const pp_lm_tables *t, const char *path, bool force)
{
    char note[192];
    const figure f = {"tokens that leave the pipeline", "time, ms", "thousand tokens a second", "progress", t->n_progress, 3,
                      plot_progress};
    snprintf(note, sizeof note, "%u sequences, %s, %.100s", s->sequences, s->scenario, s->fabric);
    return draw(&f, s, t, note, path, force);
}

static pp_status draw_contexts(const pp_lm_summary *s, const pp_lm_tables *t, const char *path, bool force)
{
    char note[192];
    const figure f = {"time of a token by its context", "context, tokens", "time, us", "contexts", t->n_contexts, 4,
                      plot_contexts};
    snprintf(note, sizeof note, "bounds; %.150s", s->fabric);
    return draw(&f, s, t, note, path, force);
}

pp_status pp_lm_report_draw(const pp_lm_summary *s, const pp_lm_tables *t, const char *path, bool force)
{
    PP_TRY(pp_plot_check_path(path));
    PP_TRY(draw_progress(s, t, path, force));
    return draw_contexts(s, t, path, force);
}
