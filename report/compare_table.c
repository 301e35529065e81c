/* A comparison as HDF5, CSV and JSON. */
#include "report/compare_internal.h"
#include "report/read_internal.h"
#include "report/tables_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(field, text) PP_H5_COLUMN(pp_compare_row, field, PP_H5_TEXT, "", text)
#define WIDE(field, least, text) PP_H5_TEXT_COLUMN(pp_compare_row, field, least, text)
#define U32(field, units, text) PP_H5_COLUMN(pp_compare_row, field, PP_H5_U32, units, text)
#define U64(field, units, text) PP_H5_COLUMN(pp_compare_row, field, PP_H5_U64, units, text)
#define F64(field, units, text) PP_H5_COLUMN(pp_compare_row, field, PP_H5_F64, units, text)
#define BOOL(field, text) PP_H5_COLUMN(pp_compare_row, field, PP_H5_BOOL, "", text)
#define FACTOR(name_, index, what)                                                                                     \
    {.name = "width_factor_" name_, .kind = PP_H5_F64, .offset = offsetof(pp_compare_row, factor) + (index) * sizeof(double), \
     .size = sizeof(double), .units = "", .description = "width of its channels, relative to given, when all fabrics have the same " what}

const pp_h5_column pp_compare_columns[] = {
    U32(pair, "", "network, array size and fabric; rows of a pair differ in ports and effort"),
    BOOL(main, "1: the pair's row in short tables"),
    WIDE(network, 64, "network"),
    WIDE(fabric, 96, "fabric with its sizes"),
    U32(array_rows, "", "rows of a crossbar"),
    U32(array_cols, "", "columns of a crossbar"),
    TEXT(ports, "ports a core: per_link, or how many"),
    TEXT(effort, "best: placement and routes by search; naive: cores in order or snake, fixed routing"),
    WIDE(placement, 64, "placement chosen"),
    TEXT(routing, "routing"),
    U32(tiles, "", "tiles"),
    U32(cores_used, "", "cores that hold a tile"),
    U32(cores, "", "cores of the fabric"),
    TEXT(certificate, "embedding, disjoint or routed"),
    U32(flows, "", "flows between tiles"),
    U32(single_channel_flows, "", "flows that ride one channel"),
    U32(max_hops, "", "most channels of a flow's way"),
    F64(mean_hops, "", "channels that a bit crosses, mean over all bits; branches of a multicast count"),
    F64(channel_gbps, "Gbit/s", "rate of a network channel, normalised"),
    U32(channels, "", "network channels"),
    U32(radix_max, "", "ports of the largest switch, one way, local ones included"),
    F64(wire_budget_mm, "bit mm", "sum of width x length of the network channels, normalised"),
    F64(pins_per_core, "bit", "bits in and out of a core, normalised"),
    F64(bisection_gbps, "Gbit/s", "rate across the bisection, both ways, normalised"),
    BOOL(bisection_exact, "0: the best of coordinate and spectral halves"),
    F64(switch_mm2, "mm2", "area of the switches, normalised"),
    F64(wire_mm2, "mm2", "area of the wires, normalised"),
    U64(unthrottled_interval_ps, "ps", "busy time of the busiest core: the interval that no fabric can better"),
    F64(max_channel_required_gbps, "Gbit/s",
        "largest rate that a network channel must carry at the unthrottled interval"),
    F64(mean_channel_required_gbps, "Gbit/s", "mean over the network channels"),
    F64(p50_channel_required_gbps, "Gbit/s", "median over the network channels"),
    F64(p95_channel_required_gbps, "Gbit/s", "95th percentile over the network channels"),
    F64(p99_channel_required_gbps, "Gbit/s", "99th percentile over the network channels"),
    F64(max_port_required_gbps, "Gbit/s", "largest rate that a port must carry at the unthrottled interval"),
    F64(lowest_channel_gbps, "Gbit/s",
        "lowest channel rate at which no network channel is busier than the busiest core"),
    U64(bound_initiation_interval_ps, "ps", "bound of the interval at the channel rate given"),
    U64(initiation_interval_ps, "ps", "simulated interval"),
    F64(bound_latency_us, "us", "bound of the first inference's latency"),
    F64(latency_first_us, "us", "simulated latency of the first inference"),
    F64(wire_gbit_mm, "Gbit mm", "bits x length of an inference"),
    F64(wire_energy_uj, "uJ", "energy of that on the wires"),
    FACTOR("channel", PP_NORMALISE_CHANNEL, "channel width"),
    FACTOR("pins", PP_NORMALISE_PINS, "bits in and out of a core"),
    FACTOR("wire", PP_NORMALISE_WIRE, "sum of width x length"),
    FACTOR("bisection", PP_NORMALISE_BISECTION, "bits across the bisection"),
    FACTOR("area", PP_NORMALISE_AREA, "area of switches and wires"),
};
const size_t pp_compare_n_columns = sizeof pp_compare_columns / sizeof *pp_compare_columns;

static const pp_h5_column order_columns[] = {
    PP_H5_TEXT_COLUMN(pp_compare_order, network, 64, "network"),
    PP_H5_COLUMN(pp_compare_order, array_rows, PP_H5_U32, "", "rows of a crossbar"),
    PP_H5_COLUMN(pp_compare_order, array_cols, PP_H5_U32, "", "columns of a crossbar"),
    PP_H5_COLUMN(pp_compare_order, normalise, PP_H5_TEXT, "", "what is the same for all fabrics"),
    PP_H5_TEXT_COLUMN(pp_compare_order, order, 512,
                 "fabrics by the share of its rate that the busiest channel needs"),
};
static const pp_h5_column head_columns[] = {
    PP_H5_COLUMN(pp_comparison, normalise, PP_H5_TEXT, "", "what is the same for all fabrics of this comparison"),
    PP_H5_COLUMN(pp_comparison, reference, PP_H5_TEXT, "", "fabric whose budget the others are brought to"),
    PP_H5_COLUMN(pp_comparison, seed, PP_H5_U64, "", "seed of everything random"),
};
#define N_ORDER (sizeof order_columns / sizeof *order_columns)
#define N_HEAD (sizeof head_columns / sizeof *head_columns)

void pp_comparison_free(pp_comparison *c)
{
    free(c->row);
    free(c->order);
    free(c->command);
    c->row = NULL;
    c->order = NULL;
    c->command = NULL;
    c->n_rows = c->n_orders = 0;
}

/* ---- JSON and CSV: each column by its kind ---- */

static const char *at(const void *row, const pp_h5_column *c)
{
    return (const char *)row + c->offset;
}

static double real(const void *row, const pp_h5_column *c)
{
    double v;
    memcpy(&v, at(row, c), sizeof v);
    return v;
}

static int64_t whole(const void *row, const pp_h5_column *c)
{
    uint64_t v = 0;
    memcpy(&v, at(row, c), c->size < sizeof v ? c->size : sizeof v);
    return (int64_t)v;
}

static void add_field(pp_json *object, const void *row, const pp_h5_column *c)
{
    if (c->kind == PP_H5_TEXT)
        pp_json_add_text(object, c->name, at(row, c));
    else if (c->kind == PP_H5_F64)
        pp_json_add_f64(object, c->name, real(row, c));
    else if (c->kind == PP_H5_BOOL)
        pp_json_add_bool(object, c->name, whole(row, c) != 0);
    else
        pp_json_add_i64(object, c->name, whole(row, c));
}

static void add_row(pp_json *object, const pp_compare_row *row)
{
    for (size_t i = 0; i < pp_compare_n_columns; i++)
        add_field(object, row, &pp_compare_columns[i]);
}

void pp_comparison_json(const pp_comparison *c, pp_json *object)
{
    pp_json_add_text(object, "normalise", c->normalise);
    pp_json_add_text(object, "reference", c->reference);
    pp_json *rows = pp_json_add_list(object, "rows"), *variants = NULL;
    for (uint32_t i = 0; i < c->n_rows; i++) {
        const pp_compare_row *row = &c->row[i];
        pp_json *entry = row->main ? pp_json_add_object(rows, NULL) : pp_json_add_object(variants, NULL);
        add_row(entry, row);
        if (row->main)
            variants = pp_json_add_list(entry, "variants");
    }
    pp_json *orders = pp_json_add_list(object, "orders");
    for (uint32_t i = 0; i < c->n_orders; i++) {
        pp_json *entry = pp_json_add_object(orders, NULL);
        for (size_t k = 0; k < N_ORDER; k++)
            add_field(entry, &c->order[i], &order_columns[k]);
    }
}

static void csv_field(const void *row, const pp_h5_column *c, FILE *f)
{
    if (c->kind == PP_H5_F64)
        fprintf(f, "%.17g", real(row, c));
    else if (c->kind != PP_H5_TEXT)
        fprintf(f, "%" PRId64, whole(row, c));
    else if (strchr(at(row, c), ',') != NULL)
        fprintf(f, "\"%s\"", at(row, c)); /* names of fabrics hold commas, never quotes */
    else
        fputs(at(row, c), f);
}

pp_status pp_comparison_csv(const pp_comparison *c, void *stdio_file)
{
    FILE *f = stdio_file;
    for (size_t i = 0; i < pp_compare_n_columns; i++)
        fprintf(f, "%s%s", i > 0 ? "," : "", pp_compare_columns[i].name);
    fputc('\n', f);
    for (uint32_t r = 0; r < c->n_rows; r++) {
        for (size_t i = 0; i < pp_compare_n_columns; i++) {
            if (i > 0)
                fputc(',', f);
            csv_field(&c->row[r], &pp_compare_columns[i], f);
        }
        fputc('\n', f);
    }
    return ferror(f) ? pp_fail(PP_EIO, "the comparison cannot be written") : PP_OK;
}

/* ---- HDF5 ---- */

typedef struct content {
    const pp_comparison *c;
    const pp_config *config;
} content;

static pp_status write_all(hid_t file, const void *what)
{
    const pp_comparison *c = ((const content *)what)->c;
    const pp_config *config = ((const content *)what)->config;
    const pp_report_input in = {.config = config, .command = c->command, .seed = c->seed};
    PP_TRY(pp_h5_text_attribute(file, "schema", PP_REPORT_SCHEMA));
    PP_TRY(pp_write_groups(file));
    PP_TRY(pp_h5_text(file, "/run/command", c->command, "command that makes this report again"));
    PP_TRY(pp_write_config_table(file, &in));
    for (size_t i = 0; i < N_HEAD; i++) {
        char path[64];
        snprintf(path, sizeof path, "/compare/%s", head_columns[i].name);
        PP_TRY(pp_h5_scalar(file, path, &head_columns[i], c));
    }
    PP_TRY(pp_h5_table(file, "/compare/orders", "order of the fabrics under each normalisation", order_columns, N_ORDER,
                       c->order, sizeof *c->order, c->n_orders));
    return pp_h5_table(file, "/compare/rows", "networks on fabrics, each under both port models, best and naive",
                       pp_compare_columns, pp_compare_n_columns, c->row, sizeof *c->row, c->n_rows);
}

pp_status pp_comparison_write(const char *path, const pp_comparison *c, const pp_config *config, bool force)
{
    const content all = {c, config};
    return pp_h5_write(path, force, write_all, &all);
}

pp_status pp_comparison_read(pp_comparison *out, const pp_report *r)
{
    *out = (pp_comparison){0};
    for (size_t i = 0; i < N_HEAD; i++) {
        char path[64];
        snprintf(path, sizeof path, "/compare/%s", head_columns[i].name);
        if (pp_h5_read_scalar(r->file, path, &head_columns[i], out))
            continue;
        if (i > 0)
            return pp_fail(PP_EFORMAT, "%s: %s is missing or damaged", r->path, path);
        return pp_fail(PP_ENOTFOUND, "%s: holds no comparison", r->path);
    }
    void *rows = NULL, *orders = NULL;
    size_t n_rows = 0, n_orders = 0;
    const bool whole = pp_h5_read_table(r->file, "/compare/rows", pp_compare_columns, pp_compare_n_columns, sizeof *out->row, &rows, &n_rows);
    if (!whole ||
        !pp_h5_read_table(r->file, "/compare/orders", order_columns, N_ORDER, sizeof *out->order, &orders, &n_orders)) {
        free(rows);
        return pp_fail(PP_EFORMAT, "%s: /compare/%s is missing or damaged", r->path, whole ? "orders" : "rows");
    }
    out->row = rows;
    out->order = orders;
    out->n_rows = (uint32_t)n_rows;
    out->n_orders = (uint32_t)n_orders;
    return PP_OK;
}
