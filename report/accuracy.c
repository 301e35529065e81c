/* A study for people: tables and figures. */
#include "report/accuracy.h"
#include "report/plot.h"
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void time_text(char *text, size_t size, double s)
{
    static const struct {
        double s;
        const char *name;
    } units[] = {{31536000, "year"}, {2592000, "month"}, {86400, "day"}, {3600, "h"}, {60, "min"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (s >= units[i].s * 0.999) {
            snprintf(text, size, "%.4g %s", s / units[i].s, units[i].name);
            return;
        }
    }
    snprintf(text, size, "%.4g s", s);
}

pp_status pp_study_print_rows(const pp_study *st, void *stdio_file)
{
    FILE *f = stdio_file;
    const bool bits = st->bits_per_byte;
    const char *headers[] = {"model", "time", "compensation", bits ? "bits per byte" : "top-1 %", "std", "95 % +-", bits ? "" : "images +-"};
    pp_table *t = NULL;
    PP_TRY(pp_table_new(&t, headers, bits ? 6 : 7));
    pp_status status = PP_OK;
    for (size_t i = 0; i < st->rows.len && status == PP_OK; i++) {
        const pp_study_row *r = &st->rows.data[i];
        const double k = bits ? 1 : 100;
        const int digits = bits ? 4 : 2;
        char time[32], mean[24], std[24], ci[24], images[24];
        time_text(time, sizeof time, r->time_s);
        snprintf(mean, sizeof mean, "%.*f", digits, k * r->mean);
        snprintf(std, sizeof std, r->seeds > 1 ? "%.*f" : "-", digits, k * r->std); /* one draw has no spread */
        snprintf(ci, sizeof ci, r->seeds > 1 ? "%.*f" : "-", digits, k * r->ci95);
        snprintf(images, sizeof images, "%.2f", k * r->images_std);
        const char *cells[] = {r->model, time, r->compensation, mean, std, ci, images};
        status = pp_table_row(t, cells);
    }
    if (status == PP_OK)
        pp_table_print(t, f);
    pp_table_free(t);
    return status;
}

static pp_status print_snr(const pp_study *st, FILE *f)
{
    const char *headers[] = {"model", "layer", "time", "sums dB", "stream dB"};
    pp_table *t = NULL;
    PP_TRY(pp_table_new(&t, headers, 5));
    pp_status status = PP_OK;
    for (size_t i = 0; i < st->snr.len && status == PP_OK; i++) {
        const pp_study_snr *r = &st->snr.data[i];
        char time[32], local[24], total[24];
        time_text(time, sizeof time, r->time_s);
        snprintf(local, sizeof local, "%.2f", r->local_db);
        snprintf(total, sizeof total, "%.2f", r->total_db);
        const char *cells[] = {r->model, r->layer, time, local, total};
        status = pp_table_row(t, cells);
    }
    if (status == PP_OK)
        pp_table_print(t, f);
    pp_table_free(t);
    return status;
}

static pp_status print_leave(const pp_study *st, FILE *f)
{
    const bool bits = st->bits_per_byte;
    const char *headers[] = {"model", "ideal layer", "time", bits ? "bits per byte" : "top-1 %", "gain"};
    pp_table *t = NULL;
    PP_TRY(pp_table_new(&t, headers, 5));
    pp_status status = PP_OK;
    for (size_t i = 0; i < st->leave.len && status == PP_OK; i++) {
        const pp_study_leave *r = &st->leave.data[i];
        char time[32], top1[24], gain[24];
        time_text(time, sizeof time, r->time_s);
        snprintf(top1, sizeof top1, "%.*f", bits ? 4 : 2, (bits ? 1 : 100) * r->top1);
        snprintf(gain, sizeof gain, "%+.*f", bits ? 4 : 2, (bits ? 1 : 100) * r->gain);
        const char *cells[] = {r->model, r->layer, time, top1, gain};
        status = pp_table_row(t, cells);
    }
    if (status == PP_OK)
        pp_table_print(t, f);
    pp_table_free(t);
    return status;
}

pp_status pp_study_print(const pp_study *st, void *stdio_file)
{
    FILE *f = stdio_file;
    if (st->snr.len > 0) {
        PP_TRY(print_snr(st, f));
        fputc('\n', f);
    }
    if (st->leave.len > 0) {
        PP_TRY(print_leave(st, f));
        fputc('\n', f);
    }
    return pp_study_print_rows(st, f);
}

/* ---- figures ---- */

static const pp_study_row *find_row(const pp_study *st, const char *model, size_t time, size_t compensation)
{
    for (size_t i = 0; i < st->rows.len; i++) {
        const pp_study_row *r = &st->rows.data[i];
        if (strcmp(r->model, model) == 0 && r->time_s == st->times_s[time] &&
            strcmp(r->compensation, pp_compensation_name(st->compensations[compensation])) == 0)
            return r;
    }
    return NULL;
}

static pp_status add_curve(pp_plot *plot, const pp_study *st, const char *model, size_t c)
{
    double *v = pp_calloc(4 * st->n_times, sizeof *v);
    char *name = pp_strf("%s, %s", model, pp_compensation_name(st->compensations[c]));
    pp_status status = v != NULL && name != NULL ? PP_OK : PP_ENOMEM;
    const double k = st->bits_per_byte ? 1 : 100;
    for (size_t t = 0; t < st->n_times && status == PP_OK; t++) {
        const pp_study_row *r = find_row(st, model, t, c);
        double *x = v, *y = v + st->n_times, *low = y + st->n_times, *high = low + st->n_times;
        x[t] = st->times_s[t];
        y[t] = r != NULL ? k * r->mean : NAN;
        low[t] = r != NULL ? k * (r->mean - r->ci95) : NAN;
        high[t] = r != NULL ? k * (r->mean + r->ci95) : NAN;
        if (!st->bits_per_byte) {
            low[t] = fmax(low[t], 0);
            high[t] = fmin(high[t], 100);
        }
    }
    if (status == PP_OK)
        status = pp_plot_series(plot, name, PP_PLOT_LINE | PP_PLOT_MARKERS, v, v + st->n_times, v + 2 * st->n_times,
                                v + 3 * st->n_times, st->n_times);
    free(v);
    free(name);
    return status;
}

static pp_status time_axis(pp_plot *plot, const pp_study *st)
{
    char (*text)[32] = pp_calloc(st->n_times, sizeof *text);
    const char **at = pp_calloc(st->n_times, sizeof *at);
    pp_status status = text != NULL && at != NULL ? PP_OK : PP_ENOMEM;
    for (size_t t = 0; t < st->n_times && status == PP_OK; t++) {
        time_text(text[t], sizeof text[t], st->times_s[t]);
        at[t] = text[t];
    }
    if (status == PP_OK)
        status = pp_plot_x_ticks(plot, st->times_s, at, st->n_times);
    free(text);
    free(at);
    pp_plot_x_axis(plot, PP_PLOT_LOG, NAN, NAN);
    return status;
}

pp_status pp_study_plot(const pp_study *st, const char *path, const char *note, bool force)
{
    pp_plot *plot = NULL;
    pp_status status;
    char *title = pp_strf("%s by drift compensation, %u draws, 95 %% bands", st->device, st->seeds);
    PP_GOTO(done, status, title != NULL ? PP_OK : PP_ENOMEM);
    PP_GOTO(done, status, pp_plot_new(&plot, title, "time after programming", st->bits_per_byte ? "bits per byte" : "top-1, %"));
    PP_GOTO(done, status, pp_plot_note(plot, note));
    pp_plot_size(plot, 860, 460);
    PP_GOTO(done, status, time_axis(plot, st));
    for (size_t m = 0; m < st->models.len; m++)
        for (size_t c = 0; c < st->n_compensations; c++)
            PP_GOTO(done, status, add_curve(plot, st, st->models.data[m].model, c));
    PP_GOTO(done, status, pp_plot_write(plot, path, force));
done:
    pp_plot_free(plot);
    free(title);
    return status;
}

static pp_status add_snr_curve(pp_plot *plot, const pp_study *st, const char *model, double time_s)
{
    char text[32], name[48];
    double *v = pp_calloc(2 * st->snr.len, sizeof *v);
    size_t n = 0;
    if (v == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < st->snr.len; i++) {
        const pp_study_snr *r = &st->snr.data[i];
        if (strcmp(r->model, model) != 0 || r->time_s != time_s)
            continue;
        v[n] = (double)n;
        v[st->snr.len + n++] = r->local_db;
    }
    time_text(text, sizeof text, time_s);
    snprintf(name, sizeof name, "after %s", text);
    pp_status status = pp_plot_series(plot, name, PP_PLOT_LINE | PP_PLOT_MARKERS, v, v + st->snr.len, NULL, NULL, n);
    free(v);
    return status;
}

static pp_status layer_axis(pp_plot *plot, const pp_study *st, const char *model)
{
    double *at = pp_calloc(st->snr.len, sizeof *at);
    const char **text = pp_calloc(st->snr.len, sizeof *text);
    size_t n = 0, shown = 0, step;
    pp_status status = at != NULL && text != NULL ? PP_OK : PP_ENOMEM;
    for (size_t i = 0; i < st->snr.len; i++)
        n += strcmp(st->snr.data[i].model, model) == 0 && st->snr.data[i].time_s == st->times_s[0];
    step = n / 4 + 1;
    for (size_t i = 0, k = 0; i < st->snr.len && status == PP_OK; i++) {
        if (strcmp(st->snr.data[i].model, model) != 0 || st->snr.data[i].time_s != st->times_s[0])
            continue;
        if ((k % step == 0 && k + step / 2 < n) || k + 1 == n) {
            at[shown] = (double)k;
            text[shown++] = st->snr.data[i].layer;
        }
        k++;
    }
    if (status == PP_OK)
        status = pp_plot_x_ticks(plot, at, text, shown);
    free(at);
    free(text);
    return status;
}

pp_status pp_study_plot_snr(const pp_study *st, const char *path, const char *note, bool force)
{
    pp_plot *plot = NULL;
    pp_status status;
    if (st->snr.len == 0)
        return pp_fail(PP_EINVAL, "%s: no signal-to-noise ratios were measured (noise.snr)", path);
    const char *model = st->snr.data[0].model;
    char *title = pp_strf("%s on %s: signal to noise of each layer's sums", model, st->device);
    PP_GOTO(done, status, title != NULL ? PP_OK : PP_ENOMEM);
    PP_GOTO(done, status, pp_plot_new(&plot, title, "layer", "signal to noise, dB"));
    PP_GOTO(done, status, pp_plot_note(plot, note));
    pp_plot_size(plot, 1000, 460);
    PP_GOTO(done, status, layer_axis(plot, st, model));
    for (size_t t = 0; t < st->n_times; t++)
        PP_GOTO(done, status, add_snr_curve(plot, st, model, st->times_s[t]));
    PP_GOTO(done, status, pp_plot_write(plot, path, force));
done:
    pp_plot_free(plot);
    free(title);
    return status;
}
