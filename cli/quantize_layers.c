/* Layers of quantize compare: collected, printed, drawn. */
#include "cli/quantize_layers.h"

#include "report/plot.h"
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 18 };

/* ---- collecting ---- */

static pp_status grow(pp_layer_table *t, size_t per_method)
{
    pp_quant_layer *grown = pp_realloc(t->row, (t->methods + 1) * per_method, sizeof *grown);
    if (grown == NULL)
        return PP_ENOMEM;
    t->row = grown;
    t->per_method = per_method;
    memset(t->row + t->methods++ * per_method, 0, per_method * sizeof *grown);
    return PP_OK;
}

static void accumulate(pp_lmq_layer *to, const pp_lmq_layer *l, double part)
{
    to->weight_sqnr_db += l->weight_sqnr_db * part;
    to->weight_error += l->weight_error * part;
    to->kurtosis_before += l->kurtosis_before * part;
    to->kurtosis_after += l->kurtosis_after * part;
    to->max_over_rms_before += l->max_over_rms_before * part;
    to->max_over_rms_after += l->max_over_rms_after * part;
    to->input_sqnr_db += l->input_sqnr_db * part;
}

pp_status pp_layer_table_add(pp_layer_table *t, size_t index, const char *method, uint32_t seeds, const pp_lmq *q)
{
    size_t n;
    const pp_lmq_layer *l = pp_lmq_layers(q, &n);
    if (index >= t->methods)
        PP_TRY(grow(t, n));
    for (size_t i = 0; i < n; i++) {
        pp_quant_layer *to = &t->row[index * n + i];
        snprintf(to->method, sizeof to->method, "%s", method);
        to->mean.layer = l[i].layer;
        memcpy(to->mean.name, l[i].name, sizeof to->mean.name);
        to->mean.bits = l[i].bits;
        accumulate(&to->mean, &l[i], 1.0 / seeds);
    }
    return PP_OK;
}

/* ---- printing ---- */

typedef struct view {
    const char *what;
    size_t before, after; /* offsets in pp_lmq_layer; before SIZE_MAX: none */
    bool inputs;          /* one row for the matrices that share an input */
} view;

static double value(const pp_lmq_layer *l, size_t offset)
{
    double v;
    memcpy(&v, (const char *)l + offset, sizeof v);
    return v;
}

/* q, o, up and down stand for their inputs. */
static bool shown(const pp_lmq_layer *l, bool inputs)
{
    const char *n = l->name;
    if (l->weight_sqnr_db == 0 && l->kurtosis_before == 0)
        return false;
    return !inputs || strcmp(n, "q_proj") == 0 || strcmp(n, "o_proj") == 0 || strcmp(n, "up_proj") == 0 ||
           strcmp(n, "down_proj") == 0;
}

static pp_status row_of(const pp_layer_table *t, size_t i, const view *v, pp_table *out)
{
    char text[COLUMNS_MAX][40];
    const char *cells[COLUMNS_MAX];
    size_t c = 0;
    const pp_lmq_layer *first = &t->row[i].mean;
    snprintf(text[c++], sizeof *text, "%u.%s", first->layer, first->name);
    if (v->before != SIZE_MAX)
        snprintf(text[c++], sizeof *text, "%.2f", value(first, v->before));
    for (size_t m = 0; m < t->methods && c < COLUMNS_MAX; m++)
        snprintf(text[c++], sizeof *text, "%.2f", value(&t->row[m * t->per_method + i].mean, v->after));
    for (size_t k = 0; k < c; k++)
        cells[k] = text[k];
    return pp_table_row(out, cells);
}

static pp_status print_view(const pp_layer_table *t, const view *v)
{
    const char *headers[COLUMNS_MAX];
    pp_table *table = NULL;
    size_t c = 0;
    headers[c++] = v->inputs ? "input of" : "weights of";
    if (v->before != SIZE_MAX)
        headers[c++] = "float";
    for (size_t m = 0; m < t->methods && c < COLUMNS_MAX; m++)
        headers[c++] = t->row[m * t->per_method].method;
    pp_status status = pp_table_new(&table, headers, c);
    for (size_t i = 0; i < t->per_method && status == PP_OK; i++)
        if (shown(&t->row[i].mean, v->inputs))
            status = row_of(t, i, v, table);
    if (status == PP_OK) {
        printf("\n%s\n", v->what);
        pp_table_print(table, stdout);
    }
    pp_table_free(table);
    return status;
}

pp_status pp_layer_table_print(const pp_layer_table *t)
{
    static const view views[] = {
        {"kurtosis of inputs", offsetof(pp_lmq_layer, kurtosis_before), offsetof(pp_lmq_layer, kurtosis_after), true},
        {"max / rms of inputs, mean over tokens", offsetof(pp_lmq_layer, max_over_rms_before),
         offsetof(pp_lmq_layer, max_over_rms_after), true},
        {"signal to rounding noise of inputs, dB", SIZE_MAX, offsetof(pp_lmq_layer, input_sqnr_db), true},
        {"signal to rounding noise of weights, dB", SIZE_MAX, offsetof(pp_lmq_layer, weight_sqnr_db), false}};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        PP_TRY(print_view(t, &views[i]));
    return PP_OK;
}

void pp_layer_table_json(const pp_layer_table *t, size_t index, pp_json *row)
{
    pp_json *list = pp_json_add_list(row, "layers");
    for (size_t i = 0; i < t->per_method; i++) {
        const pp_lmq_layer *l = &t->row[index * t->per_method + i].mean;
        pp_json *j = pp_json_add_object(list, NULL);
        pp_json_add_i64(j, "layer", l->layer);
        pp_json_add_text(j, "name", l->name);
        pp_json_add_i64(j, "bits", l->bits);
        pp_json_add_f64(j, "kurtosis_before", l->kurtosis_before);
        pp_json_add_f64(j, "kurtosis_after", l->kurtosis_after);
        pp_json_add_f64(j, "max_over_rms_before", l->max_over_rms_before);
        pp_json_add_f64(j, "max_over_rms_after", l->max_over_rms_after);
        pp_json_add_f64(j, "input_sqnr_db", l->input_sqnr_db);
        pp_json_add_f64(j, "weight_sqnr_db", l->weight_sqnr_db);
    }
}

/* ---- drawing ---- */

/* Kurtosis of the inputs of method `m` at layer + place / 4. */
static size_t curve(const pp_layer_table *t, size_t m, size_t offset, double *x, double *y)
{
    size_t n = 0;
    for (size_t i = 0; i < t->per_method; i++) {
        const pp_lmq_layer *l = &t->row[m * t->per_method + i].mean;
        if (!shown(l, true))
            continue;
        x[n] = (double)n / 4;
        y[n++] = value(l, offset);
    }
    return n;
}

static pp_status add_curves(const pp_layer_table *t, pp_plot *plot, double *x, double *y)
{
    const unsigned style = PP_PLOT_LINE | PP_PLOT_MARKERS;
    size_t n = curve(t, 0, offsetof(pp_lmq_layer, kurtosis_before), x, y);
    PP_TRY(pp_plot_series(plot, "float", style | PP_PLOT_DASHED, x, y, NULL, NULL, n));
    for (size_t m = 0; m < t->methods; m++) {
        n = curve(t, m, offsetof(pp_lmq_layer, kurtosis_after), x, y);
        PP_TRY(pp_plot_series(plot, t->row[m * t->per_method].method, style, x, y, NULL, NULL, n));
    }
    return PP_OK;
}

/* "table.svg" -> "table-layers.svg" */
static char *beside(const char *path)
{
    const char *dot = strrchr(path, '.');
    return pp_strf("%.*s-layers%s", (int)(dot - path), path, dot);
}

pp_status pp_layer_table_plot(const pp_layer_table *t, const char *model, const char *path, bool force)
{
    pp_plot *plot = NULL;
    char title[128];
    double *x = pp_alloc(2 * t->per_method, sizeof *x), *y = x + t->per_method;
    char *file = x != NULL ? beside(path) : NULL;
    snprintf(title, sizeof title, "%.60s: inputs of linear layers", model);
    pp_status status = file != NULL ? pp_plot_new(&plot, title, "layer (q k v, o, gate up, down)", "kurtosis") : PP_ENOMEM;
    if (status == PP_OK) {
        pp_plot_y_axis(plot, PP_PLOT_LOG, NAN, NAN);
        status = add_curves(t, plot, x, y);
    }
    if (status == PP_OK)
        status = pp_plot_write(plot, file, force);
    pp_plot_free(plot);
    free(file);
    free(x);
    return status;
}
