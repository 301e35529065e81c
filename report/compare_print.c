/* A comparison for people: text and heat map. */
#include "report/compare_internal.h"
#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what changes with the normalisation ---- */

/* An order without its figures: every third word ("5pp 0.51 < mesh 1.02": name, figure, sign). */
#define ORDER_MAX sizeof((pp_compare_order *)0)->order

static void names_of(char out[ORDER_MAX], const char *order)
{
    size_t n = 0, word = 0;
    for (const char *c = order; *c != 0 && n < ORDER_MAX - 1; c++) {
        word += *c == ' ';
        if (word % 3 != 1)
            out[n++] = *c;
    }
    out[n] = 0;
}

static bool same_order(const pp_compare_order *a, const pp_compare_order *b)
{
    char x[ORDER_MAX], y[ORDER_MAX];
    names_of(x, a->order);
    names_of(y, b->order);
    return strcmp(x, y) == 0;
}

static bool order_changes(const pp_compare_order *first)
{
    for (uint32_t k = 1; k < PP_NORMALISE_COUNT; k++)
        if (!same_order(first, &first[k]))
            return true;
    return false;
}

static void print_orders(const pp_comparison *c, FILE *f)
{
    for (uint32_t i = 0; i + PP_NORMALISE_COUNT <= c->n_orders; i += PP_NORMALISE_COUNT) {
        const pp_compare_order *o = &c->order[i];
        const bool changes = order_changes(o);
        fprintf(f,
                "%s, %u x %u: the order of the fabrics %s with what is held equal (busiest channel, required / rate)\n",
                o->network, o->array_rows, o->array_cols, changes ? "CHANGES" : "does not change");
        for (uint32_t k = 0; k < (changes ? PP_NORMALISE_COUNT : 1u); k++)
            fprintf(f, "  %-10s %s\n", changes ? o[k].normalise : "all", o[k].order);
    }
    fputc('\n', f);
}

/* ---- tables ---- */

#define CELL 32
typedef char cells[20][CELL];

static pp_status add_row(pp_table *t, cells cell, size_t n)
{
    const char *text[20];
    for (size_t i = 0; i < n; i++)
        text[i] = cell[i];
    return pp_table_row(t, text);
}

#define PUT(i, ...) snprintf(cell[i], CELL, __VA_ARGS__)

static pp_status main_row(pp_table *t, const pp_compare_row *r)
{
    cells cell;
    PUT(0, "%.31s", r->network);
    PUT(1, "%ux%u", r->array_rows, r->array_cols);
    PUT(2, "%.31s", r->fabric);
    PUT(3, "%u", r->cores_used);
    PUT(4, "%.31s", r->certificate);
    PUT(5, "%u/%u", r->single_channel_flows, r->flows);
    PUT(6, "%u", r->max_hops);
    PUT(7, "%.4g", r->channel_gbps);
    PUT(8, "%.4g", r->max_channel_required_gbps);
    PUT(9, "%.3g", r->mean_channel_required_gbps);
    PUT(10, "%.4g", r->lowest_channel_gbps);
    PUT(11, "%.4g", (double)r->initiation_interval_ps * 1e-6);
    PUT(12, "%.4g", r->latency_first_us);
    PUT(13, "%.3g", r->wire_gbit_mm);
    return add_row(t, cell, 14);
}

static const char *const main_headers[] = {
    "network",        "arrays",       "fabric", "cores",       "certificate", "1-channel flows", "hops",
    "channel Gbit/s", "required max", "mean",   "lowest rate", "interval us", "latency us",      "wire Gbit mm"};

static pp_status budget_row(pp_table *t, const pp_compare_row *r)
{
    cells cell;
    PUT(0, "%.31s", r->network);
    PUT(1, "%.31s", r->fabric);
    PUT(2, "%.31s", r->ports);
    PUT(3, "%u", r->radix_max);
    PUT(4, "%u", r->channels);
    PUT(5, "%.4g", r->wire_budget_mm);
    PUT(6, "%.3g", r->pins_per_core);
    PUT(7, "%.4g%s", r->bisection_gbps, r->bisection_exact ? "" : "~");
    PUT(8, "%.3g", r->switch_mm2);
    PUT(9, "%.3g", r->wire_mm2);
    for (int k = 0; k < PP_NORMALISE_COUNT; k++)
        PUT(10 + k, "%.3g", r->factor[k]);
    return add_row(t, cell, 15);
}

static const char *const budget_headers[] = {
    "network",    "fabric",   "ports",          "radix", "channels", "wire bit mm", "pins a core", "bisection Gbit/s",
    "switch mm2", "wire mm2", "width: channel", "pins",  "wire",     "bisection",   "area"};

static pp_status variant_row(pp_table *t, const pp_compare_row *r)
{
    cells cell;
    PUT(0, "%.31s", r->network);
    PUT(1, "%.31s", r->fabric);
    PUT(2, "%.31s", r->ports);
    PUT(3, "%.31s", r->effort);
    PUT(4, "%.31s", r->placement);
    PUT(5, "%.15s", r->routing);
    PUT(6, "%.31s", r->certificate);
    PUT(7, "%.4g", r->max_channel_required_gbps);
    PUT(8, "%.4g", r->max_port_required_gbps);
    PUT(9, "%.4g", (double)r->initiation_interval_ps * 1e-6);
    PUT(10, "%.2f", (double)r->initiation_interval_ps / (double)r->unthrottled_interval_ps);
    PUT(11, "%.4g", r->latency_first_us);
    return add_row(t, cell, 12);
}

static const char *const variant_headers[] = {"network",   "fabric",      "ports",       "effort",
                                              "placement", "routing",     "certificate", "required max",
                                              "port max",  "interval us", "x core",      "latency us"};

typedef pp_status (*row_fn)(pp_table *t, const pp_compare_row *r);

static pp_status print_table(const pp_comparison *c, const char *const *headers, size_t n, row_fn row, bool all,
                             FILE *f)
{
    pp_table *t = NULL;
    PP_TRY(pp_table_new(&t, headers, n));
    pp_status status = PP_OK;
    for (uint32_t i = 0; i < c->n_rows && status == PP_OK; i++)
        if (all || c->row[i].main)
            status = row(t, &c->row[i]);
    if (status == PP_OK)
        pp_table_print(t, f);
    pp_table_free(t);
    return status;
}

pp_status pp_comparison_print(const pp_comparison *c, void *stdio_file)
{
    FILE *f = stdio_file;
    print_orders(c, f);
    fprintf(
        f,
        "own port model, best placement; same %s for all, that of %s; required rates in Gbit/s at the interval of the "
        "busiest core\n",
        c->normalise, c->reference);
    PP_TRY(print_table(c, main_headers, 14, main_row, false, f));
    fputs("\nwhat each fabric spends, and the width of its channels when one of these is held equal (~: bisection not "
          "proved)\n",
          f);
    PP_TRY(print_table(c, budget_headers, 15, budget_row, false, f));
    fputs("\nboth port models, best and naive placement (x core: interval against the busiest core's)\n", f);
    return print_table(c, variant_headers, 12, variant_row, true, f);
}

/* ---- heat map: networks down, fabrics across ---- */

typedef struct grid {
    uint32_t n_rows, n_cols;
    char (*row)[96], (*col)[96];
    double *value;
} grid;

static uint32_t find(char (*list)[96], uint32_t *n, const char *name)
{
    for (uint32_t i = 0; i < *n; i++)
        if (strcmp(list[i], name) == 0)
            return i;
    snprintf(list[*n], 96, "%s", name);
    return (*n)++;
}

static void fill(grid *g, const pp_comparison *c)
{
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t r = pp_compare_next_main(c, 0); r < c->n_rows; r = pp_compare_next_main(c, r + 1)) {
            char name[96], kind[96];
            const pp_compare_row *row = &c->row[r];
            snprintf(name, sizeof name, "%.60s %ux%u", row->network, row->array_rows, row->array_cols);
            snprintf(kind, sizeof kind, "%.*s", (int)strcspn(row->fabric, ":"), row->fabric);
            const uint32_t i = find(g->row, &g->n_rows, name), k = find(g->col, &g->n_cols, kind);
            if (pass == 1)
                g->value[i * g->n_cols + k] = row->max_channel_required_gbps;
        }
    }
}

static pp_status draw(const grid *g, const pp_comparison *c, const char *path, bool force)
{
    pp_plot *p = NULL;
    char note[160];
    const char **names = pp_calloc((size_t)g->n_rows + g->n_cols, sizeof *names);
    pp_status status = names != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; status == PP_OK && i < g->n_rows + g->n_cols; i++)
        names[i] = i < g->n_rows ? g->row[i] : g->col[i - g->n_rows];
    snprintf(note, sizeof note, "at the interval of the busiest core; best placement, own ports; same %s",
             c->normalise);
    if (status == PP_OK)
        status = pp_plot_new(&p, "Busiest channel: required rate, Gbit/s", NULL, NULL);
    if (status == PP_OK)
        status = pp_plot_note(p, note);
    if (status == PP_OK)
        status = pp_plot_heat(p, names, g->n_rows, names + g->n_rows, g->n_cols, g->value, -3, PP_PLOT_LOG);
    if (status == PP_OK)
        status = pp_plot_write(p, path, force);
    pp_plot_free(p);
    free(names);
    return status;
}

pp_status pp_comparison_draw(const pp_comparison *c, const char *path, bool force)
{
    grid g = {0};
    const size_t most = (size_t)c->n_rows + 1;
    pp_status status = PP_ENOMEM;
    g.row = pp_calloc(most, sizeof *g.row);
    g.col = pp_calloc(most, sizeof *g.col);
    g.value = pp_calloc(most * most, sizeof *g.value);
    if (g.row != NULL && g.col != NULL && g.value != NULL) {
        for (size_t i = 0; i < most * most; i++)
            g.value[i] = (double)NAN;
        fill(&g, c);
        status = draw(&g, c, path, force);
    }
    free(g.row);
    free(g.col);
    free(g.value);
    return status;
}
