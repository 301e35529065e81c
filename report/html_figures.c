/* Headline figures: the page's title and cards. */
#include "report/html_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const pp_content_column *scalar(const pp_content *c, const char *path)
{
    const pp_content_set *set = pp_content_find(c, path);
    return set != NULL && set->n_rows == 1 && set->scalar ? &set->column[0] : NULL;
}

static double number(const pp_content *c, const char *path)
{
    const pp_content_column *column = scalar(c, path);
    return column != NULL ? pp_content_number(column, 0) : NAN;
}

/* A number as a figure has it; a dash where the report lacks it or holds none. */
static const char *shown(char buffer[32], double v, bool whole)
{
    if (!isfinite(v))
        return "\xE2\x80\x93";
    snprintf(buffer, 32, whole && fabs(v) < 1e15 ? "%.0f" : "%.4g", v);
    return buffer;
}
#define WHOLE(v) shown((char[32]){0}, v, true)
#define FOUR(v) shown((char[32]){0}, v, false)

static const char *plural(double n)
{
    return n == 1 ? "" : "s";
}

static const char *text_of(const pp_content *c, const char *path)
{
    const pp_content_column *column = scalar(c, path);
    return column != NULL ? pp_content_text(column, 0) : "";
}

static const char *named(const pp_content *c, const char *path)
{
    const char *text = text_of(c, path);
    return text[0] != 0 ? text : "\xE2\x80\x93";
}

static size_t rows_of(const pp_content *c, const char *path)
{
    const pp_content_set *set = pp_content_find(c, path);
    return set != NULL && !set->scalar ? set->n_rows : 0;
}

/* Long fabrics may break behind the slash between levels. */
static void put_fabric(FILE *f, const char *fabric, bool breaks)
{
    char level[256];
    for (const char *slash; breaks && (slash = strchr(fabric, '/')) != NULL; fabric = slash + 1) {
        snprintf(level, sizeof level, "%.*s", (int)(slash - fabric) + 1, fabric);
        pp_html_text(f, level);
        fputs("<wbr>", f);
    }
    pp_html_text(f, fabric);
}

void pp_html_title(FILE *f, const pp_content *c, bool breaks)
{
    const char *network = text_of(c, "/workload/network"), *fabric = text_of(c, "/fabric/fabric");
    if (network[0] != 0) {
        pp_html_text(f, network);
        fputs(fabric[0] != 0 ? " on " : "", f);
        put_fabric(f, fabric, breaks);
    } else if (rows_of(c, "/compare/rows") > 0) {
        fputs("Comparison of fabrics", f);
    } else if (pp_content_find(c, "/traffic/points") != NULL) {
        fputs("Latency under load", f);
    } else if (pp_content_find(c, "/sweep/rows") != NULL) {
        fputs("Sweep of ", f);
        pp_html_text(f, text_of(c, "/sweep/model"));
    } else if (pp_content_find(c, "/quantize/methods") != NULL) {
        fputs("Quantization of ", f);
        pp_html_text(f, text_of(c, "/quantize/model"));
    } else {
        fputs("Report", f);
    }
}

/* ---- cards ---- */

/* Reports say "a -> b"; here is room for an arrow that no line breaks. */
static void put_arrows(FILE *f, const char *text)
{
    const char *arrow;
    char part[256];
    while ((arrow = strstr(text, " -> ")) != NULL) {
        snprintf(part, sizeof part, "%.*s", (int)(arrow - text), text);
        pp_html_text(f, part);
        fputs(" \xE2\x86\x92\xC2\xA0", f);
        text = arrow + 4;
    }
    pp_html_text(f, text);
}

static void card(FILE *f, const char *name, const char *value, const char *note)
{
    fputs("<div class=\"card\"><dt>", f);
    pp_html_text(f, name);
    fputs("</dt><dd><b>", f);
    pp_html_text(f, value);
    fputs("</b>", f);
    if (note[0] != 0) {
        fputs("<span>", f);
        put_arrows(f, note);
        fputs("</span>", f);
    }
    fputs("</dd></div>\n", f);
}

static void timing_cards(FILE *f, const pp_content *c)
{
    char value[96], note[192] = "", bound[64];
    double ips = number(c, "/timing/throughput_ips"), interval = number(c, "/timing/initiation_interval_ps");
    if (isnan(ips))
        return;
    const double images = number(c, "/timing/images");
    snprintf(note, sizeof note, "%s inference%s simulated, %.60s switching", WHOLE(images), plural(images), text_of(c, "/timing/switching"));
    pp_html_si(value, sizeof value, ips, "/s");
    card(f, "Throughput", value, note);
    double least = number(c, "/mapping/bound_initiation_interval_ps");
    pp_html_si(value, sizeof value, interval * 1e-12, "s");
    pp_html_si(bound, sizeof bound, least * 1e-12, "s");
    snprintf(note, sizeof note, "bound %s: %.90s", bound, text_of(c, "/mapping/bound_by"));
    card(f, "Initiation interval", value, least > 0 ? note : "");
    pp_html_si(value, sizeof value, number(c, "/timing/latency_first_us") * 1e-6, "s");
    pp_html_si(bound, sizeof bound, number(c, "/mapping/bound_latency_us") * 1e-6, "s");
    snprintf(note, sizeof note, "first inference; bound %s", bound);
    card(f, "Latency", value, note);
}

/* 114,784 with narrow spaces in place of commas. */
static void group_digits(char *buffer, size_t size, double v)
{
    char digits[24];
    if (!isfinite(v)) {
        snprintf(buffer, size, "%s", WHOLE(v));
        return;
    }
    int n = snprintf(digits, sizeof digits, "%.0f", v);
    size_t at = 0;
    if (!(fabs(v) < 1e15))
        n = snprintf(digits, sizeof digits, "%.4g", v);
    for (int i = 0; i < n && at + 5 < size; i++) {
        bool space = i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-' && fabs(v) < 1e15;
        at += (size_t)snprintf(buffer + at, size - at, "%s%c", space ? "\xE2\x80\xAF" : "", digits[i]);
    }
}

/* Every tile, or lockstep and how far off that is. */
static void way_card(FILE *f, const pp_content *c)
{
    char value[96], note[320];
    const char *way = text_of(c, "/timing/model_of_time");
    if (way[0] == 0)
        return;
    const bool sampled = number(c, "/timing/lockstep_tokens") > 0;
    snprintf(value, sizeof value, strcmp(way, "exact") == 0 ? "tile by tile" : sampled ? "lockstep, %+.1f %%" : "lockstep",
             100 * number(c, "/timing/lockstep_deviation"));
    snprintf(note, sizeof note, "%.150s%s%.150s", text_of(c, "/timing/model_of_time_why"), sampled ? "; sample: " : "",
             text_of(c, "/timing/lockstep_sample"));
    card(f, "Model of time", value, note);
}

/* Language models: tokens in place of inferences. */
static void token_cards(FILE *f, const pp_content *c)
{
    char value[96], note[192], part[64], more[64];
    double tokens = number(c, "/timing/throughput_tokens_s"), sequences = number(c, "/workload/sequences");
    if (isnan(tokens))
        return;
    pp_html_si(value, sizeof value, tokens, "token/s");
    pp_html_si(part, sizeof part, number(c, "/timing/prefill_tokens_s"), "");
    pp_html_si(more, sizeof more, number(c, "/timing/decode_tokens_s"), "");
    snprintf(note, sizeof note, "prefill %.40s, decode %.40s token/s; %s sequence%s", part, more, WHOLE(sequences), plural(sequences));
    card(f, "Throughput", value, note);
    pp_html_si(value, sizeof value, number(c, "/timing/time_to_first_token_s"), "s");
    pp_html_si(part, sizeof part, number(c, "/timing/time_to_first_token_p99_s"), "s");
    snprintf(note, sizeof note, "mean; 99th percentile %s", part);
    card(f, "Time to first token", value, note);
    pp_html_si(value, sizeof value, number(c, "/timing/time_per_output_token_s"), "s");
    pp_html_si(part, sizeof part, number(c, "/timing/time_per_output_token_p99_s"), "s");
    snprintf(note, sizeof note, "mean; 99th percentile %s", part);
    card(f, "Time per output token", value, note);
    pp_html_si(value, sizeof value, number(c, "/mapping/bound_initiation_interval_ps") * 1e-12, "s");
    snprintf(note, sizeof note, "bound between tokens: %.90s; %s in flight at most", text_of(c, "/mapping/bound_by"), WHOLE(number(c, "/timing/in_flight_high")));
    card(f, "Interval", value, note);
    way_card(f, c);
    pp_html_si(value, sizeof value, number(c, "/timing/kv_cache_bytes"), "B");
    snprintf(note, sizeof note, "most at once, in %.16s; %s bit", text_of(c, "/timing/kv_tier"), WHOLE(number(c, "/quant/kvbits")));
    card(f, "Keys and values", value, note);
    pp_html_si(value, sizeof value, number(c, "/energy/energy_per_token_nj") * 1e-9, "J");
    pp_html_si(part, sizeof part, number(c, "/energy/power_w"), "W");
    snprintf(note, sizeof note, "a token; %s; %s TOPS/W; boundary %.16s", part, FOUR(number(c, "/energy/tops_per_w")), named(c, "/energy/energy_boundary"));
    card(f, "Energy", value, note);
}

static double tiles_of(const pp_content *c)
{
    double tiles = number(c, "/mapping/n_tiles");
    return isnan(tiles) ? number(c, "/mapping/tiles") : tiles;
}

static void mapping_cards(FILE *f, const pp_content *c)
{
    char value[96], note[192];
    if (!(tiles_of(c) > 0))
        return;
    char used[32], cores[32], tiles[32];
    group_digits(used, sizeof used, number(c, "/mapping/cores_used"));
    group_digits(cores, sizeof cores, number(c, "/fabric/n_cores"));
    group_digits(tiles, sizeof tiles, tiles_of(c));
    snprintf(value, sizeof value, "%s of %s", used, cores);
    const char *copies = WHOLE(number(c, "/mapping/copies_max"));
    if (number(c, "/workload/macs") == 0) /* task graphs have no matrices */
        snprintf(note, sizeof note, "%s task%s; copies of a task: %s at most", tiles, plural(tiles_of(c)), copies);
    else
        snprintf(note, sizeof note, "%s tile%s of %s × %s; copies of a layer: %s at most", tiles, plural(tiles_of(c)), WHOLE(number(c, "/arch/array_rows")), WHOLE(number(c, "/arch/array_cols")), copies);
    card(f, "Cores used", value, note);
    const double flows = number(c, "/mapping/n_flows");
    snprintf(note, sizeof note, "%s of %s flow%s ride one channel; hops at most %s", WHOLE(number(c, "/mapping/single_channel_flows")), WHOLE(flows),
             plural(flows), WHOLE(number(c, "/mapping/max_hops")));
    card(f, "Certificate", text_of(c, "/mapping/certificate"), flows == 0 ? "no flow between cores" : note);
    if (number(c, "/fabric/channel_gbps") == 0) /* a core alone has no channels */
        return;
    pp_html_si(value, sizeof value, number(c, "/bandwidth/max_channel_required_gbps") * 1e9, "bit/s");
    snprintf(note, sizeof note, "busiest channel needs this; it carries %s Gbit/s", FOUR(number(c, "/fabric/channel_gbps")));
    card(f, "Bandwidth", value, note);
}

static void energy_cards(FILE *f, const pp_content *c)
{
    char value[96], note[192], power[64];
    double pj = number(c, "/energy/energy_per_inference_pj");
    if (isnan(pj))
        return;
    pp_html_si(value, sizeof value, pj * 1e-12, "J");
    pp_html_si(power, sizeof power, number(c, "/energy/power_w"), "W");
    const bool simulated = !isnan(number(c, "/timing/throughput_ips"));
    snprintf(note, sizeof note, "an inference; %s%s; boundary %.16s", power, simulated ? "" : " at the bound of the interval", named(c, "/energy/energy_boundary"));
    card(f, "Energy", value, note);
    if (!(number(c, "/energy/tops") > 0)) /* tasks have no multiply-accumulates */
        return;
    snprintf(value, sizeof value, "%s TOPS/W", FOUR(number(c, "/energy/tops_per_w")));
    snprintf(note, sizeof note, "%s of %s TOPS peak", FOUR(number(c, "/energy/tops")), FOUR(number(c, "/energy/tops_peak")));
    card(f, "Efficiency", value, note);
    double area = number(c, "/energy/area_mm2");
    if (isnan(area))
        return;
    snprintf(value, sizeof value, "%s mm²", FOUR(area));
    snprintf(note, sizeof note, "%s TOPS/mm²", FOUR(number(c, "/energy/tops_per_mm2")));
    card(f, "Area", value, note);
}

static void accuracy_cards(FILE *f, const pp_content *c)
{
    static const char *const from[] = {"/accuracy/top1_crossbar", "/accuracy/top1_quant", "/accuracy/top1_float"};
    static const char *const what[] = {"through the crossbars", "quantized", "float"};
    char value[96], note[192] = "";
    size_t first = 0, at = 0;
    while (first < 3 && !isfinite(100 * number(c, from[first])))
        first++;
    if (first == 3)
        return;
    snprintf(value, sizeof value, "%.2f %%", 100 * number(c, from[first]));
    at += (size_t)snprintf(note, sizeof note, "top-1 %s", what[first]);
    for (size_t i = first + 1; i < 3; i++)
        if (isfinite(100 * number(c, from[i])))
            at += (size_t)snprintf(note + at, sizeof note - at, "; %s %.2f %%", what[i], 100 * number(c, from[i]));
    const double images = number(c, "/accuracy/eval_images");
    snprintf(note + at, sizeof note - at, "; %s image%s", WHOLE(images), plural(images));
    card(f, "Accuracy", value, note);
}

static const pp_content_column *column_at(const pp_content *c, const char *path, const char *name)
{
    return pp_content_column_of(pp_content_find(c, path), name);
}

/* Devices that drift: the best of all networks and compensations at the last time. */
static void study_card(FILE *f, const pp_content *c)
{
    static const char path[] = "/accuracy/rows";
    const pp_content_column *mean = column_at(c, path, "mean"), *time = column_at(c, path, "time_s"), *ci = column_at(c, path, "ci95");
    const pp_content_column *model = column_at(c, path, "model"), *how = column_at(c, path, "compensation");
    const pp_content_column *seeds = column_at(c, path, "seeds");
    char value[96], note[256], when[48], interval[48];
    size_t n = rows_of(c, path), best = 0;
    if (n == 0 || mean == NULL || time == NULL || ci == NULL || model == NULL || how == NULL)
        return;
    bool share = true;
    for (size_t i = 0; i < n; i++)
        share = share && pp_content_number(mean, i) <= 1;
    for (size_t i = 1; i < n; i++) {
        double t = pp_content_number(time, i), last = pp_content_number(time, best), m = pp_content_number(mean, i), top = pp_content_number(mean, best);
        best = t > last || (t == last && (share ? m > top : m < top)) ? i : best;
    }
    double k = share ? 100 : 1, s = pp_content_number(time, best);
    snprintf(when, sizeof when, s >= 86400 ? "%.4g d" : "%.4g s", s >= 86400 ? s / 86400 : s);
    snprintf(value, sizeof value, share ? "%.2f %%" : "%.4g bit/byte", k * pp_content_number(mean, best));
    if (!isfinite(s) || !isfinite(k * pp_content_number(mean, best)))
        return;
    const double half = k * pp_content_number(ci, best);
    const bool one = (seeds != NULL && pp_content_number(seeds, best) == 1) || !isfinite(half); /* one draw has no spread */
    snprintf(interval, sizeof interval, one ? "one draw of the devices" : "95 %% interval ± %.2g", half);
    snprintf(note, sizeof note, "best after %s: %.60s, compensation %.16s; %s", when, pp_content_text(model, best), pp_content_text(how, best), interval);
    card(f, "On drifting devices", value, note);
}

static void saturation_card(FILE *f, const pp_content *c)
{
    const pp_content_column *rate = column_at(c, "/traffic/curves", "saturation_rate"), *fabric = column_at(c, "/traffic/curves", "fabric");
    char value[96];
    size_t best = SIZE_MAX;
    for (size_t i = 0; rate != NULL && fabric != NULL && i < rows_of(c, "/traffic/curves"); i++)
        if (isfinite(pp_content_number(rate, i)) && (best == SIZE_MAX || pp_content_number(rate, i) > pp_content_number(rate, best)))
            best = i;
    if (best == SIZE_MAX)
        return;
    snprintf(value, sizeof value, "%.4g flit/core/cycle", pp_content_number(rate, best));
    card(f, rows_of(c, "/traffic/curves") > 1 ? "Latest saturation" : "Saturation", value, pp_content_text(fabric, best));
}

/* The run with the highest throughput, by its settings. */
static void sweep_cards(FILE *f, const pp_content *c)
{
    static const char path[] = "/sweep/rows";
    const pp_content_column *y = column_at(c, path, "throughput_ips"), *tokens = column_at(c, path, "throughput_tokens_s");
    const pp_content_column *name = column_at(c, "/sweep/settings", "name");
    char value[96], note[256] = "";
    size_t best = SIZE_MAX, at = 0;
    snprintf(note, sizeof note, "%s failed", WHOLE(number(c, "/sweep/failed")));
    card(f, "Runs", WHOLE(number(c, "/sweep/points")), note);
    y = y != NULL ? y : tokens;
    for (size_t i = 0; y != NULL && i < rows_of(c, path); i++)
        if (isfinite(pp_content_number(y, i)) && (best == SIZE_MAX || pp_content_number(y, i) > pp_content_number(y, best)))
            best = i;
    if (best == SIZE_MAX || name == NULL)
        return;
    pp_html_si(value, sizeof value, pp_content_number(y, best), y == tokens ? "token/s" : "/s");
    note[0] = 0;
    for (size_t i = 0; i < rows_of(c, "/sweep/settings") && at < sizeof note; i++) {
        const pp_content_column *setting = column_at(c, path, pp_content_text(name, i));
        char cell[96] = "";
        if (setting != NULL)
            pp_content_print(setting, best, cell, sizeof cell);
        at += (size_t)snprintf(note + at, sizeof note - at, "%s%s %s", i > 0 ? ", " : "", pp_content_text(name, i), cell);
    }
    card(f, "Highest throughput", value, note);
}

static void other_cards(FILE *f, const pp_content *c)
{
    char value[96];
    if (rows_of(c, "/sweep/rows") > 0)
        sweep_cards(f, c);
    if (rows_of(c, "/compare/rows") > 0) {
        snprintf(value, sizeof value, "%zu", rows_of(c, "/compare/rows"));
        card(f, "Rows", value, "networks, fabrics, port models, placements");
        card(f, "Held equal", text_of(c, "/compare/normalise"), "for all fabrics");
        card(f, "Reference", text_of(c, "/compare/reference"), "its budget is given to the others");
    }
    if (rows_of(c, "/traffic/curves") > 0) {
        snprintf(value, sizeof value, "%zu", rows_of(c, "/traffic/curves"));
        card(f, "Curves", value, "");
        if (rows_of(c, "/traffic/points") > 0) {
            snprintf(value, sizeof value, "%zu", rows_of(c, "/traffic/points"));
            card(f, "Loads", value, "simulated");
        }
        saturation_card(f, c);
        snprintf(value, sizeof value, "%s × %s", WHOLE(number(c, "/traffic/vcs")), WHOLE(number(c, "/traffic/buffer_flits")));
        card(f, "Buffers", value, "virtual channels a port, flits each");
    }
    const pp_content_set *methods = pp_content_find(c, "/quantize/methods");
    const pp_content_column *bits = pp_content_column_of(methods, "bits_per_byte"), *name = pp_content_column_of(methods, "method");
    if (bits == NULL || name == NULL || methods->n_rows == 0)
        return;
    size_t best = 0;
    for (size_t i = 1; i < methods->n_rows; i++)
        best = pp_content_number(bits, i) < pp_content_number(bits, best) ? i : best;
    snprintf(value, sizeof value, "%.4f bit/byte", pp_content_number(bits, best));
    card(f, "Best method", pp_content_text(name, best), value);
}

void pp_html_figures(FILE *f, const pp_content *c)
{
    fputs("<dl class=\"cards\">\n", f);
    timing_cards(f, c);
    token_cards(f, c);
    accuracy_cards(f, c);
    study_card(f, c);
    energy_cards(f, c);
    mapping_cards(f, c);
    other_cards(f, c);
    fputs("</dl>\n", f);
}
