/* The summary and tables as people read them. */
#include "report/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void heading(FILE *f, const char *text, bool colour)
{
    fprintf(f, colour ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

static void print_accuracy(const pp_summary *s, FILE *f, bool colour)
{
    heading(f, "accuracy", colour);
    fprintf(f, "  top-1 float        %6.2f %%   %u images of %s\n", 100 * s->top1_float, s->eval_images, s->data);
    if (s->has_quant)
        fprintf(f, "  top-1 quantized    %6.2f %%   weights %d bit, activations %d bit\n", 100 * s->top1_quant,
                (int)s->wbits, (int)s->abits);
    if (s->has_crossbar && s->adc_bits > 0)
        fprintf(f, "  top-1 crossbars    %6.2f %%   tiled, %d-bit ADC\n", 100 * s->top1_crossbar, (int)s->adc_bits);
    else if (s->has_crossbar)
        fprintf(f, "  top-1 crossbars    %6.2f %%   tiled, ideal ADC\n", 100 * s->top1_crossbar);
}

/* A figure in micro-units as it is, or in the unit that suits it where micro-units would hide its digits. */
typedef struct figure {
    double v;
    char unit[4];
} figure;

static figure suited(double micro, const char *unit)
{
    static const char *const prefix[] = {"f", "p", "n", "u", "m", "", "k"};
    int k = 3;
    double v = micro;
    if (v != 0 && (fabs(v) < 0.05 || fabs(v) >= 1e6)) {
        for (; fabs(v) >= 999.9995 && k < 6; k++)
            v /= 1000;
        for (; fabs(v) < 0.9999995 && k > 0; k--)
            v *= 1000;
    }
    figure s = {.v = v};
    snprintf(s.unit, sizeof s.unit, "%s%s", prefix[k], unit);
    return s;
}

/* Busy shares are measured between the completions at a quarter and at three quarters of the inferences
 * (docs/timing.md): in a pipeline that holds more of them than that, its first layers are done by then. */
static void print_unfilled(const pp_summary *s, FILE *f)
{
    const double needed = 1e6 * s->latency_first_us / (double)s->initiation_interval_ps;
    if (s->images > 1 && s->initiation_interval_ps > 0 && needed > s->images / 4)
        fprintf(f, "  busy shares     of a pipeline that is not full: %u inferences were simulated, %.0f would show it so\n", s->images,
                4 * ceil(needed));
}

static void print_timing(const pp_summary *s, FILE *f, bool colour)
{
    heading(f, "timing", colour);
    fprintf(f, s->throughput_ips >= 1000 ? "  throughput      %12.0f" : "  throughput      %12.4g", s->throughput_ips);
    fprintf(f, " inferences/s   %u simulated, switching %s\n", s->images, s->switching);
    figure got = suited((double)s->initiation_interval_ps * 1e-6, "s"), bound = suited((double)s->bound_initiation_interval_ps * 1e-6, "s");
    fprintf(f, "  interval        %12.3f %-2s             bound %.3f %s, set by %s\n", got.v, got.unit, bound.v, bound.unit, s->bound_by);
    got = suited(s->latency_first_us, "s");
    bound = suited(s->bound_latency_us, "s");
    fprintf(f, "  first latency   %12.3f %-2s             bound %.3f %s\n", got.v, got.unit, bound.v, bound.unit);
    fprintf(f, "  busiest stage   %s; busiest channel %.1f %% busy; %" PRIu64 " events\n", s->slowest_stage,
            100 * s->max_channel_utilisation, s->events);
    print_unfilled(s, f);
    got = suited(s->congested_wait_us, "s");
    if (s->congested_channel[0] != 0)
        fprintf(f, "  waiting         %.3f %s an inference for %s; it served %s\n", got.v, got.unit, s->congested_channel,
                s->congested_by[0] != 0 ? s->congested_by : "nobody: no room behind it");
    if (s->executed > 0)
        fprintf(f, "  executed        %u inference%s with real values: equal to the integer reference to the bit\n",
                s->executed, s->executed == 1 ? "" : "s");
}

/* "mvm 61 %, digital 12 %": classes with a share, the largest first. */
static void print_shares(const pp_summary *s, FILE *f)
{
    const double pj[PP_CLASS_COUNT] = {s->mvm_pj, s->digital_pj, s->buffer_pj, s->router_pj, s->wire_pj, s->static_pj, s->dram_pj};
    bool done[PP_CLASS_COUNT] = {false};
    const char *comma = "";
    for (int n = 0; n < PP_CLASS_COUNT; n++) {
        int best = -1;
        for (int k = 0; k < PP_CLASS_COUNT; k++)
            if (!done[k] && pj[k] > 0 && (best < 0 || pj[k] > pj[best]))
                best = k;
        if (best < 0)
            return;
        done[best] = true;
        fprintf(f, "%s%s %.1f %%", comma, pp_energy_class_name((pp_energy_class)best), 100 * pj[best] / s->energy_per_inference_pj);
        comma = ", ";
    }
}

static void print_efficiency(const pp_summary *s, FILE *f)
{
    fprintf(f, "  efficiency      %12.4g TOPS/W         %.4g W; %.4g TOPS of useful multiply-accumulates, peak %.4g\n",
            s->tops_per_w, s->power_w, s->tops, s->tops_peak);
    fprintf(f, "  arrays          %12.2f %%              useful share of the arrays that MVMs ran over\n", 100 * s->array_utilisation);
    if (s->has_area)
        fprintf(f, "  area            %12.4g mm2            %.4g TOPS/mm2, %u core%s\n", s->area_mm2, s->tops_per_mm2, s->n_cores, s->n_cores == 1 ? "" : "s");
}

static void print_energy(const pp_summary *s, FILE *f, bool colour)
{
    heading(f, "energy", colour);
    const figure e = suited(s->energy_per_inference_pj * 1e-6, "J");
    fprintf(f, "  an inference    %12.3f %-2s             boundary %s, costs of %s: ", e.v, e.unit, s->energy_boundary, s->cost_preset);
    print_shares(s, f);
    fputc('\n', f);
    if (s->macs == 0) { /* task graphs compute nothing that TOPS would count */
        fprintf(f, "  power           %12.4g W\n", s->power_w);
        if (s->has_area)
            fprintf(f, "  area            %12.4g mm2            %u core%s\n", s->area_mm2, s->n_cores, s->n_cores == 1 ? "" : "s");
    } else
        print_efficiency(s, f);
    if (s->energy_unpriced[0] != 0)
        fprintf(f, "  not priced      %s\n", s->energy_unpriced);
}

/* A study of a language model alone: it has no stages. Its rows are the table /accuracy/rows. */
static void print_model(const pp_summary *s, FILE *f, bool colour)
{
    fprintf(f, colour ? "\033[1m%s\033[0m\n" : "%s\n", s->network);
    heading(f, "model", colour);
    fprintf(f, "  language model  %" PRIu64 " parameters, %.1f M multiply-accumulates a token, W%dA%d\n", s->parameters,
            (double)s->macs * 1e-6, (int)s->wbits, (int)s->abits);
    fprintf(f, "  crossbars       %d x %d, ADC %d bits\n", (int)s->array_rows, (int)s->array_cols, (int)s->adc_bits);
}

/* What there is, and where it lies. Task graphs have no matrices, so nothing of theirs is a crossbar. */
static void print_network(const pp_summary *s, FILE *f)
{
    const char *copies = s->copies_max == 1 ? "copy" : "copies";
    if (s->macs == 0 && s->parameters == 0) {
        fprintf(f, "  tasks           %u, none with a matrix\n", s->n_stages);
        fprintf(f, "  cores           %u of %u used, %u %s\n", s->cores_used, s->n_cores, s->copies_max, copies);
        return;
    }
    fprintf(f, "  network         %" PRIu64 " parameters, ", s->parameters);
    fprintf(f, s->macs < 1000000 ? "%.0f" : "%.1f M", (double)s->macs * (s->macs < 1000000 ? 1 : 1e-6));
    fprintf(f, " multiply-accumulates, %u stage%s\n", s->n_stages, s->n_stages == 1 ? "" : "s");
    fprintf(f, "  cores           %u of %u used, crossbars %d x %d, up to %u pixel%s an MVM, %u %s\n", s->cores_used,
            s->n_cores, (int)s->array_rows, (int)s->array_cols, s->unroll_max, s->unroll_max == 1 ? "" : "s", s->copies_max, copies);
}

/* Three decimals, or three digits where these would be zeros. */
static const char *rate(char buffer[24], double gbps)
{
    snprintf(buffer, 24, gbps != 0 && fabs(gbps) < 0.01 ? "%.3g" : "%.3f", gbps);
    return buffer;
}
#define RATE(gbps) rate((char[24]){0}, gbps)

void pp_summary_print(const pp_summary *s, void *stdio_file, bool colour)
{
    FILE *f = stdio_file;
    if (s->n_stages == 0 && s->fabric[0] == 0) {
        print_model(s, f, colour);
        return;
    }
    fprintf(f, colour ? "\033[1m%s\033[0m on %s\n" : "%s on %s\n", s->network, s->fabric);
    heading(f, "mapping", colour);
    print_network(s, f);
    fprintf(f, "  certificate     %s: %u of %u flows on one channel, at most %u (%s)\n", s->certificate,
            s->single_channel_flows, s->n_flows, s->max_hops, s->placement);
    fprintf(f, "  channels        %.4g Gbit/s (%d lane%s); required: busiest %s, mean %s, busiest port %s Gbit/s\n", s->channel_gbps, (int)s->lanes,
            s->lanes == 1 ? "" : "s", RATE(s->max_channel_required_gbps), RATE(s->mean_channel_required_gbps), RATE(s->max_port_required_gbps));
    if (s->has_timing)
        print_timing(s, f, colour);
    if (s->has_energy)
        print_energy(s, f, colour);
    if (s->has_float)
        print_accuracy(s, f, colour);
    if (strncmp(s->fabric, "5pp", 3) == 0)
        fprintf(f, "\n5pp: after the links published for the 64-core chip (legallo2023).\n");
}

/* ---- aligned tables ---- */

struct pp_table {
    size_t columns, rows, cap;
    char **cell; /* [rows + 1][columns]; row 0: headers */
    int *width;
};

/* Characters of UTF-8: what follows the first byte of one takes no room. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text != 0; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

#define WIDEST 64 /* of a column that is not the last: names beyond it keep their end, which tells them apart */
static char *shortened(const char *text)
{
    int n = width_of(text);
    if (n <= WIDEST)
        return pp_strdup(text);
    for (; n > WIDEST - 3 || ((unsigned char)*text & 0xc0) == 0x80; text++)
        n -= ((unsigned char)*text & 0xc0) != 0x80;
    return pp_strf("...%s", text);
}

static pp_status add_row(pp_table *t, const char *const *cells)
{
    if (t->rows == t->cap) {
        size_t cap = t->cap * 2 + 16;
        char **grown = pp_realloc(t->cell, cap * t->columns, sizeof *grown);
        if (grown == NULL)
            return PP_ENOMEM;
        t->cell = grown;
        t->cap = cap;
    }
    char **row = t->cell + t->rows * t->columns;
    memset(row, 0, t->columns * sizeof *row);
    t->rows++;
    for (size_t c = 0; c < t->columns; c++) {
        row[c] = c + 1 < t->columns ? shortened(cells[c]) : pp_strdup(cells[c]);
        if (row[c] == NULL)
            return PP_ENOMEM;
        int width = width_of(row[c]);
        t->width[c] = width > t->width[c] ? width : t->width[c];
    }
    return PP_OK;
}

pp_status pp_table_new(pp_table **out, const char *const *headers, size_t n_columns)
{
    pp_table *t = pp_calloc(1, sizeof *t);
    *out = t;
    if (t == NULL)
        return PP_ENOMEM;
    t->columns = n_columns;
    t->width = pp_calloc(n_columns, sizeof *t->width);
    return t->width != NULL ? add_row(t, headers) : PP_ENOMEM;
}

pp_status pp_table_row(pp_table *t, const char *const *cells)
{
    return add_row(t, cells);
}

/* A column of numbers reads best flush right. */
static bool is_numeric(const pp_table *t, size_t column)
{
    for (size_t r = 1; r < t->rows; r++) {
        const char *text = t->cell[r * t->columns + column];
        if (text[0] != 0 && strspn(text, "0123456789.+-einfa%") != strlen(text))
            return false;
    }
    return t->rows > 1;
}

void pp_table_print(const pp_table *t, void *stdio_file)
{
    FILE *f = stdio_file;
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            int width = c + 1 == t->columns && !is_numeric(t, c) ? 0 : t->width[c];
            const char *text = t->cell[r * t->columns + c];
            const int spaces = width > width_of(text) ? width - width_of(text) : 0;
            fputs(c > 0 ? "  " : "", f);
            if (is_numeric(t, c))
                fprintf(f, "%*s%s", spaces, "", text);
            else
                fprintf(f, "%s%*s", text, spaces, "");
        }
        fputc('\n', f);
    }
}

void pp_table_free(pp_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->rows * t->columns; i++)
        free(t->cell[i]);
    free(t->cell);
    free(t->width);
    free(t);
}
