/* Latency-load curves as HDF5. */
#include "report/tables_internal.h"
#include "report/traffic.h"

#include <stdlib.h>

typedef struct curve_row {
    const char *fabric, *routing, *pattern;
    uint32_t points;
    double saturation_rate;
} curve_row;

static const pp_h5_column curve_columns[] = {
    PP_H5_STRING_COLUMN(curve_row, fabric, 96, "fabric"),
    PP_H5_STRING_COLUMN(curve_row, routing, 16, "routing function"),
    PP_H5_STRING_COLUMN(curve_row, pattern, 64, "traffic pattern"),
    PP_H5_COLUMN(curve_row, points, PP_H5_U32, "", "loads"),
    PP_H5_COLUMN(curve_row, saturation_rate, PP_H5_F64, "flit/core/cycle", "highest load that is stable; NaN: not looked for"),
};

typedef struct point_row {
    uint32_t curve;
    double rate, packet_latency, ci95, network_latency, p50, p95, p99, accepted, hops, max_channel_load;
    uint64_t packets, cycles, warmup_cycles;
    bool saturated;
} point_row;

static const pp_h5_column point_columns[] = {
    PP_H5_COLUMN(point_row, curve, PP_H5_U32, "", "row of /traffic/curves"),
    PP_H5_COLUMN(point_row, rate, PP_H5_F64, "flit/core/cycle", "offered load"),
    PP_H5_COLUMN(point_row, packet_latency, PP_H5_F64, "cycle", "mean from creation to the tail's ejection"),
    PP_H5_COLUMN(point_row, ci95, PP_H5_F64, "cycle", "half width of its 95 % interval"),
    PP_H5_COLUMN(point_row, network_latency, PP_H5_F64, "cycle", "mean from leaving the source to the tail's ejection"),
    PP_H5_COLUMN(point_row, p50, PP_H5_F64, "cycle", "median of the packet latency"),
    PP_H5_COLUMN(point_row, p95, PP_H5_F64, "cycle", "95 % quantile"),
    PP_H5_COLUMN(point_row, p99, PP_H5_F64, "cycle", "99 % quantile"),
    PP_H5_COLUMN(point_row, accepted, PP_H5_F64, "flit/core/cycle", "flits ejected"),
    PP_H5_COLUMN(point_row, hops, PP_H5_F64, "", "mean channels between routers"),
    PP_H5_COLUMN(point_row, max_channel_load, PP_H5_F64, "flit/cycle", "busiest network channel, whole run"),
    PP_H5_COLUMN(point_row, packets, PP_H5_U64, "", "packets measured"),
    PP_H5_COLUMN(point_row, cycles, PP_H5_U64, "cycle", "simulated, all seeds"),
    PP_H5_COLUMN(point_row, warmup_cycles, PP_H5_U64, "cycle", "left out at the start"),
    PP_H5_COLUMN(point_row, saturated, PP_H5_BOOL, "", "latency above the limit: no steady state"),
};

typedef struct setting_row {
    uint64_t seed;
    uint32_t seeds, vcs, buffer_flits;
} setting_row;
static const pp_h5_column setting_columns[] = {
    PP_H5_COLUMN(setting_row, seed, PP_H5_U64, "", "first seed"),
    PP_H5_COLUMN(setting_row, seeds, PP_H5_U32, "", "seeds averaged"),
    PP_H5_COLUMN(setting_row, vcs, PP_H5_U32, "", "virtual channels a port"),
    PP_H5_COLUMN(setting_row, buffer_flits, PP_H5_U32, "flit", "buffer of a virtual channel"),
};

static pp_status write_points(hid_t file, const pp_traffic_curve *curves, size_t n)
{
    PP_VEC(point_row) rows = {0};
    pp_status status = PP_OK;
    for (size_t c = 0; status == PP_OK && c < n; c++)
        for (size_t i = 0; status == PP_OK && i < curves[c].n; i++) {
            const pp_traffic_point *p = &curves[c].point[i];
            const point_row row = {.curve = (uint32_t)c, .rate = p->rate, .packet_latency = p->packet_latency,
                                   .ci95 = p->ci95, .network_latency = p->network_latency, .p50 = p->p50, .p95 = p->p95,
                                   .p99 = p->p99, .accepted = p->accepted, .hops = p->routers - 1,
                                   .max_channel_load = p->max_channel_load, .packets = p->packets,
                                   .cycles = p->cycles, .warmup_cycles = p->warmup_cycles, .saturated = p->saturated};
            status = pp_push(&rows, row) ? PP_OK : PP_ENOMEM;
        }
    if (status == PP_OK)
        status = pp_h5_table(file, "/traffic/points", "one load on one fabric", point_columns,
                             sizeof point_columns / sizeof *point_columns, rows.data, sizeof *rows.data, rows.len);
    free(rows.data);
    return status;
}

static pp_status write_curves(hid_t file, const pp_traffic_curve *curves, size_t n)
{
    curve_row *rows = pp_calloc(n, sizeof *rows);
    if (!rows)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        rows[i].points = (uint32_t)curves[i].n;
        rows[i].saturation_rate = curves[i].saturation;
        rows[i].fabric = curves[i].fabric;
        rows[i].routing = curves[i].routing;
        rows[i].pattern = curves[i].pattern;
    }
    const pp_status status = pp_h5_table(file, "/traffic/curves", "one fabric each", curve_columns,
                                         sizeof curve_columns / sizeof *curve_columns, rows, sizeof *rows, n);
    free(rows);
    return status;
}

typedef struct content {
    const char *command;
    setting_row setting;
    const pp_traffic_curve *curves;
    size_t n;
} content;

static pp_status write_all(hid_t file, const void *what)
{
    const content *c = what;
    PP_TRY(pp_h5_text_attribute(file, "schema", "pentaprism-traffic/1"));
    PP_TRY(pp_h5_group(file, "/traffic", "latency and throughput under offered load"));
    PP_TRY(pp_h5_text(file, "/traffic/command", c->command, "command that makes this file again"));
    for (size_t i = 0; i < sizeof setting_columns / sizeof *setting_columns; i++) {
        char path[64] = "/traffic/";
        for (size_t k = 9, j = 0; setting_columns[i].name[j] && k + 1 < sizeof path; k++, j++)
            path[k] = setting_columns[i].name[j];
        PP_TRY(pp_h5_scalar(file, path, &setting_columns[i], &c->setting));
    }
    PP_TRY(write_curves(file, c->curves, c->n));
    return write_points(file, c->curves, c->n);
}

pp_status pp_traffic_report(const char *path, bool force, const char *command, const pp_traffic_options *traffic,
                            const pp_noc_options *network, const pp_traffic_curve *curves, size_t n)
{
    const content all = {.command = command, .curves = curves, .n = n,
                         .setting = {.seed = traffic->seed, .seeds = traffic->seeds, .vcs = network->vcs,
                                     .buffer_flits = network->buffer_flits}};
    return pp_h5_write(path, force, write_all, &all);
}
