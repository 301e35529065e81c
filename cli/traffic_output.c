/* Figures of `traffic` as text, JSON, CSV and curves. */
#include "cli/traffic_output.h"
#include "cli/session.h"
#include "report/plot.h"
#include "report/traffic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON ---- */

static void add_point(pp_json *j, const pp_traffic_point *p, const pp_traffic_study *s)
{
    pp_json_add_f64(j, "rate", p->rate);
    pp_json_add_f64(j, "packet_latency_cycles", p->packet_latency);
    pp_json_add_f64(j, "network_latency_cycles", p->network_latency);
    pp_json_add_f64(j, "ci95_cycles", p->ci95);
    pp_json_add_f64(j, "latency_p50_cycles", p->p50);
    pp_json_add_f64(j, "latency_p95_cycles", p->p95);
    pp_json_add_f64(j, "latency_p99_cycles", p->p99);
    pp_json_add_f64(j, "latency_min_cycles", p->latency_min);
    pp_json_add_f64(j, "latency_max_cycles", p->latency_max);
    pp_json_add_f64(j, "accepted_rate", p->accepted);
    pp_json_add_f64(j, "hops_mean", p->routers - 1);
    pp_json_add_f64(j, "routers_mean", p->routers);
    pp_json_add_f64(j, "max_channel_load", p->max_channel_load);
    pp_json_add_i64(j, "packets", (int64_t)p->packets);
    pp_json_add_i64(j, "warmup_cycles", (int64_t)p->warmup_cycles);
    pp_json_add_i64(j, "batches", p->batches);
    pp_json_add_i64(j, "seeds", s->traffic->seeds);
    pp_json_add_i64(j, "cycles", (int64_t)p->cycles);
    pp_json_add_i64(j, "flit_hops", (int64_t)p->flit_hops);
    pp_json_add_f64(j, "wall_s", p->wall_s);
    pp_json_add_bool(j, "saturated", p->saturated);
}

static void add_result(pp_json *j, const pp_traffic_result *r, const pp_traffic_study *s)
{
    pp_json_add_text(j, "fabric", r->fabric);
    pp_json_add_text(j, "pattern", s->pattern);
    pp_json_add_text(j, "routing", r->routing);
    pp_json_add_text(j, "switching", pp_noc_switching_name(s->network->switching));
    if (!isnan(r->saturation))
        pp_json_add_f64(j, "saturation_rate", r->saturation);
    if (!s->sweep && r->n == 1)
        add_point(j, &r->point[0], s);
    if (!s->sweep)
        return;
    pp_json *rows = pp_json_add_list(j, "rows");
    for (size_t i = 0; i < r->n; i++)
        add_point(pp_json_add_object(rows, NULL), &r->point[i], s);
}

pp_status pp_traffic_print_json(const pp_traffic_study *s)
{
    pp_json *json = pp_json_object();
    if (s->n == 1) {
        add_result(json, &s->result[0], s);
        return pp_print_json(json);
    }
    pp_json *list = pp_json_add_list(json, "networks");
    for (size_t i = 0; i < s->n; i++)
        add_result(pp_json_add_object(list, NULL), &s->result[i], s);
    return pp_print_json(json);
}

/* ---- text ---- */

static pp_status add_row(pp_table *t, const pp_traffic_result *r, const pp_traffic_point *p)
{
    char text[9][32];
    snprintf(text[0], 32, "%.4g", p->rate);
    snprintf(text[1], 32, "%.2f", p->packet_latency);
    snprintf(text[2], 32, "%.2f", p->ci95);
    snprintf(text[3], 32, "%.2f", p->network_latency);
    snprintf(text[4], 32, "%.1f", p->p99);
    snprintf(text[5], 32, "%.4f", p->accepted);
    snprintf(text[6], 32, "%.3f", p->routers - 1);
    snprintf(text[7], 32, "%.3f", p->max_channel_load);
    snprintf(text[8], 32, "%s", p->saturated ? "yes" : "");
    const char *cells[] = {r->fabric, text[0], text[1], text[2], text[3], text[4], text[5], text[6], text[7], text[8]};
    return pp_table_row(t, cells);
}

pp_status pp_traffic_print(const pp_traffic_study *s)
{
    const char *headers[] = {"fabric", "rate", "latency", "+-95%", "network", "p99", "accepted", "hops", "busiest", "saturated"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 10);
    for (size_t i = 0; status == PP_OK && i < s->n; i++)
        for (size_t k = 0; status == PP_OK && k < s->result[i].n; k++)
            status = add_row(t, &s->result[i], &s->result[i].point[k]);
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    for (size_t i = 0; status == PP_OK && i < s->n; i++)
        if (!isnan(s->result[i].saturation))
            printf("%s: saturation at %.4g flits a core and cycle\n", s->result[i].fabric, s->result[i].saturation);
    return status;
}

/* ---- files ---- */

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

pp_status pp_traffic_check_path(const char *path)
{
    if (ends_with(path, ".csv") || ends_with(path, ".h5") || ends_with(path, ".svg") || ends_with(path, ".png"))
        return PP_OK;
    return pp_fail(PP_EUSAGE, "traffic: %.200s: expected a name that ends in .csv, .h5, .svg or .png", path);
}

static pp_status write_csv(const pp_traffic_study *s, const char *path, bool force)
{
    pp_output o = {0};
    PP_TRY(pp_output_begin(&o, path, force));
    FILE *f = fopen(o.temporary, "w");
    if (!f) {
        pp_output_abort(&o);
        return pp_fail(PP_EIO, "%s: cannot be written", path);
    }
    fprintf(f, "# %s\n", s->command);
    fputs("fabric,pattern,rate,packet_latency_cycles,ci95_cycles,network_latency_cycles,latency_p50_cycles,"
          "latency_p95_cycles,latency_p99_cycles,accepted_rate,hops_mean,max_channel_load,packets,saturated\n", f);
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->result[i].n; k++) {
            const pp_traffic_point *p = &s->result[i].point[k];
            fprintf(f, "\"%s\",\"%s\",%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%llu,%d\n", s->result[i].fabric,
                    s->pattern, p->rate, p->packet_latency, p->ci95, p->network_latency, p->p50, p->p95, p->p99,
                    p->accepted, p->routers - 1, p->max_channel_load, (unsigned long long)p->packets, p->saturated);
        }
    const bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        pp_output_abort(&o);
        return pp_fail(PP_EIO, "%s: writing failed", path);
    }
    return pp_output_commit(&o);
}

/* Latency against rate; saturated points end the curve. */
static pp_status add_curve(pp_plot *plot, const pp_traffic_result *r, double *most)
{
    double *x = pp_alloc(4 * r->n, sizeof *x), *y = x ? x + r->n : NULL;
    size_t n = 0;
    if (!x)
        return PP_ENOMEM;
    double *low = y + r->n, *high = low + r->n;
    for (size_t i = 0; i < r->n; i++) {
        const pp_traffic_point *p = &r->point[i];
        if (p->saturated || !isfinite(p->packet_latency))
            continue;
        x[n] = p->rate;
        y[n] = p->packet_latency;
        low[n] = p->packet_latency - (isfinite(p->ci95) ? p->ci95 : 0);
        high[n++] = p->packet_latency + (isfinite(p->ci95) ? p->ci95 : 0);
    }
    if (n > 0)
        *most = fmax(*most, 6 * y[0]);
    const pp_status status =
        n > 0 ? pp_plot_series(plot, r->fabric, PP_PLOT_LINE | PP_PLOT_MARKERS, x, y, low, high, n) : PP_OK;
    free(x);
    return status;
}

static pp_status write_plot(const pp_traffic_study *s, const char *path, bool force)
{
    pp_plot *plot = NULL;
    double most = 0;
    char title[128];
    snprintf(title, sizeof title, "Latency under load, %.80s traffic", s->pattern);
    pp_status status = pp_plot_new(&plot, title, "offered load, flits a core and cycle", "packet latency, cycles");
    if (status == PP_OK)
        status = pp_plot_note(plot, s->command);
    for (size_t i = 0; status == PP_OK && i < s->n; i++)
        status = add_curve(plot, &s->result[i], &most);
    if (status == PP_OK) {
        pp_plot_x_axis(plot, PP_PLOT_LINEAR, 0, NAN);
        pp_plot_y_axis(plot, PP_PLOT_LINEAR, 0, most > 0 ? most : NAN);
        status = pp_plot_write(plot, path, force);
    }
    pp_plot_free(plot);
    return status;
}

static pp_status write_h5(const pp_traffic_study *s, const char *path, bool force)
{
    pp_traffic_curve *curves = pp_calloc(s->n, sizeof *curves);
    if (!curves)
        return PP_ENOMEM;
    for (size_t i = 0; i < s->n; i++)
        curves[i] = (pp_traffic_curve){.fabric = s->result[i].fabric, .routing = s->result[i].routing,
                                       .pattern = s->pattern, .n = s->result[i].n, .point = s->result[i].point,
                                       .saturation = s->result[i].saturation};
    const pp_status status = pp_traffic_report(path, force, s->command, s->traffic, s->network, curves, s->n);
    free(curves);
    return status;
}

pp_status pp_traffic_write(const pp_traffic_study *s, const char *path, bool force)
{
    if (ends_with(path, ".csv"))
        return write_csv(s, path, force);
    return ends_with(path, ".h5") ? write_h5(s, path, force) : write_plot(s, path, force);
}
