/* Tables of /fabric, /mapping and /bandwidth. */
#include "report/tables_internal.h"

#include <stdlib.h>

typedef struct core_row {
    const char *label;
    uint32_t core, vertex;
    int64_t row, column, plane;
} core_row;

static const pp_h5_column core_columns[] = {
    PP_H5_STRING_COLUMN(core_row, label, 32, "name of the core's vertex"),
    PP_H5_COLUMN(core_row, core, PP_H5_U32, "", "core"),
    PP_H5_COLUMN(core_row, vertex, PP_H5_U32, "", "vertex of the fabric"),
    PP_H5_COLUMN(core_row, row, PP_H5_I64, "core pitch", "row"),
    PP_H5_COLUMN(core_row, column, PP_H5_I64, "core pitch", "column"),
    PP_H5_COLUMN(core_row, plane, PP_H5_I64, "core pitch", "plane"),
};

static pp_status write_cores(hid_t file, const pp_fabric *f)
{
    core_row *rows = pp_calloc(f->n_cores, sizeof *rows);
    char (*place)[32] = pp_calloc(f->n_cores, sizeof *place); /* names made of coordinates; a file's own may be longer */
    if (rows == NULL || place == NULL) {
        free(rows);
        free(place);
        return PP_ENOMEM;
    }
    for (uint32_t i = 0; i < f->n_cores; i++) {
        const pp_vertex *v = &f->vertex[f->core_vertex[i]];
        rows[i] = (core_row){.core = i, .vertex = f->core_vertex[i], .row = v->coord[0], .column = v->coord[1], .plane = v->coord[2]};
        rows[i].label = v->name != NULL ? v->name : pp_vertex_label(f, f->core_vertex[i], place[i], sizeof place[i]);
    }
    pp_status status = pp_h5_table(file, "/fabric/cores", "cores of the fabric", core_columns,
                                   sizeof core_columns / sizeof *core_columns, rows, sizeof *rows, f->n_cores);
    free(place);
    free(rows);
    return status;
}

typedef struct channel_row {
    uint32_t channel, src, dst, lanes, latency_ps;
    char kind[8];
    double rate_gbps, length;
} channel_row;

static const pp_h5_column channel_columns[] = {
    PP_H5_COLUMN(channel_row, channel, PP_H5_U32, "", "channel"),
    PP_H5_COLUMN(channel_row, src, PP_H5_U32, "", "vertex where it starts"),
    PP_H5_COLUMN(channel_row, dst, PP_H5_U32, "", "vertex where it ends"),
    PP_H5_COLUMN(channel_row, lanes, PP_H5_U32, "", "parallel lanes"),
    PP_H5_COLUMN(channel_row, latency_ps, PP_H5_U32, "ps", "latency of a packet's head"),
    PP_H5_COLUMN(channel_row, kind, PP_H5_TEXT, "", "network, inject or eject"),
    PP_H5_COLUMN(channel_row, rate_gbps, PP_H5_F64, "Gbit/s", "rate, all lanes"),
    PP_H5_COLUMN(channel_row, length, PP_H5_F64, "core pitch", "wire length"),
};

static pp_status write_channels(hid_t file, const pp_fabric *f)
{
    static const char *const kinds[] = {"network", "inject", "eject"};
    channel_row *rows = pp_calloc(f->n_channels, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < f->n_channels; i++) {
        const pp_channel *c = &f->channel[i];
        rows[i] = (channel_row){.channel = i, .src = c->src, .dst = c->dst, .lanes = c->lanes, .latency_ps = c->latency_ps,
                                .rate_gbps = pp_channel_rate_gbps(c), .length = (double)c->length};
        PP_PUT(rows[i].kind, kinds[c->kind]);
    }
    pp_status status = pp_h5_table(file, "/fabric/channels", "directed channels and ports", channel_columns,
                                   sizeof channel_columns / sizeof *channel_columns, rows, sizeof *rows, f->n_channels);
    free(rows);
    return status;
}

typedef struct vertex_row {
    uint32_t vertex;
    int64_t core;
    double x, y;
} vertex_row;

static const pp_h5_column vertex_columns[] = {
    PP_H5_COLUMN(vertex_row, vertex, PP_H5_U32, "", "vertex"),
    PP_H5_COLUMN(vertex_row, core, PP_H5_I64, "", "its core; -1: a switch without one"),
    PP_H5_COLUMN(vertex_row, x, PP_H5_F64, "core pitch", "place in drawings, to the right"),
    PP_H5_COLUMN(vertex_row, y, PP_H5_F64, "core pitch", "place in drawings, downwards"),
};

static pp_status write_vertices(hid_t file, const pp_fabric *f)
{
    vertex_row *rows = pp_calloc(f->n_vertices, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < f->n_vertices; i++) {
        const pp_vertex *v = &f->vertex[i];
        rows[i] = (vertex_row){i, v->core == PP_NO_VERTEX ? -1 : (int64_t)v->core, (double)v->x, (double)v->y};
    }
    pp_status status = pp_h5_table(file, "/fabric/vertices", "cores and switches as they are drawn", vertex_columns,
                                   sizeof vertex_columns / sizeof *vertex_columns, rows, sizeof *rows, f->n_vertices);
    free(rows);
    return status;
}

pp_status pp_write_fabric_tables(hid_t file, const pp_report_input *in)
{
    PP_TRY(pp_h5_text(file, "/fabric/source_sha256", in->fabric->source_sha256, "SHA-256 of the GraphML file, if any"));
    PP_TRY(write_cores(file, in->fabric));
    PP_TRY(write_vertices(file, in->fabric));
    return write_channels(file, in->fabric);
}

/* ---- /mapping ---- */

typedef struct plan_row {
    const char *stage, *reduction;
    uint32_t patch_y, patch_x, copies, row_tiles, col_tiles, first_tile, n_tiles, positions, out_positions, reads;
    uint64_t mvm_interval_ps, mvm_latency_ps, busy_ps;
} plan_row;

static const pp_h5_column plan_columns[] = {
    PP_H5_STRING_COLUMN(plan_row, stage, 64, "stage"),
    PP_H5_STRING_COLUMN(plan_row, reduction, 8, "how partial sums are added"),
    PP_H5_COLUMN(plan_row, patch_y, PP_H5_U32, "pixel", "height of the patch that one MVM computes"),
    PP_H5_COLUMN(plan_row, patch_x, PP_H5_U32, "pixel", "width of that patch"),
    PP_H5_COLUMN(plan_row, copies, PP_H5_U32, "", "copies that share the positions"),
    PP_H5_COLUMN(plan_row, row_tiles, PP_H5_U32, "", "tiles along the rows"),
    PP_H5_COLUMN(plan_row, col_tiles, PP_H5_U32, "", "tiles along the columns"),
    PP_H5_COLUMN(plan_row, first_tile, PP_H5_U32, "", "its first row in /mapping/tiles"),
    PP_H5_COLUMN(plan_row, n_tiles, PP_H5_U32, "", "its tiles"),
    PP_H5_COLUMN(plan_row, positions, PP_H5_U32, "", "firings an inference, all copies"),
    PP_H5_COLUMN(plan_row, out_positions, PP_H5_U32, "", "positions of its stream an inference"),
    PP_H5_COLUMN(plan_row, reads, PP_H5_U32, "", "reads of the array an MVM"),
    PP_H5_COLUMN(plan_row, mvm_interval_ps, PP_H5_U64, "ps", "time between two MVMs"),
    PP_H5_COLUMN(plan_row, mvm_latency_ps, PP_H5_U64, "ps", "start of an MVM to its result"),
    PP_H5_COLUMN(plan_row, busy_ps, PP_H5_U64, "ps", "busy time of one core an inference"),
};

static pp_status write_plan(hid_t file, const pp_report_input *in)
{
    static const char *const reductions[] = {"star", "chain", "tree", "auto"};
    const pp_mapping *m = in->mapping;
    plan_row *rows = pp_calloc(m->n_stages, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < m->n_stages; i++) {
        const pp_plan *p = &m->plan[i];
        rows[i] = (plan_row){.patch_y = p->patch.y, .patch_x = p->patch.x, .copies = p->copies, .row_tiles = p->row_tiles,
                             .col_tiles = p->col_tiles, .first_tile = p->first_tile, .n_tiles = p->n_tiles,
                             .positions = p->positions, .out_positions = p->out_positions, .reads = p->mvm.reads,
                             .mvm_interval_ps = p->mvm.interval_ps, .mvm_latency_ps = p->mvm.latency_ps, .busy_ps = p->busy_ps};
        rows[i].stage = in->stages->stage[i].name;
        rows[i].reduction = p->row_tiles > 1 ? reductions[p->reduction] : "none";
    }
    pp_status status = pp_h5_table(file, "/mapping/plan", "how each stage is laid out", plan_columns,
                                   sizeof plan_columns / sizeof *plan_columns, rows, sizeof *rows, m->n_stages);
    free(rows);
    return status;
}

typedef struct tile_row {
    uint32_t tile, stage, copy, col, row, in_lo, in_hi, out_lo, out_hi, rows_used, cols_used, core;
    uint64_t cells_useful;
    uint8_t head;
} tile_row;

static const pp_h5_column tile_columns[] = {
    PP_H5_COLUMN(tile_row, tile, PP_H5_U32, "", "tile"),
    PP_H5_COLUMN(tile_row, stage, PP_H5_U32, "", "stage (row of /workload/stages)"),
    PP_H5_COLUMN(tile_row, copy, PP_H5_U32, "", "copy"),
    PP_H5_COLUMN(tile_row, col, PP_H5_U32, "", "column tile"),
    PP_H5_COLUMN(tile_row, row, PP_H5_U32, "", "row tile"),
    PP_H5_COLUMN(tile_row, in_lo, PP_H5_U32, "channel", "first input channel"),
    PP_H5_COLUMN(tile_row, in_hi, PP_H5_U32, "channel", "behind the last input channel"),
    PP_H5_COLUMN(tile_row, out_lo, PP_H5_U32, "channel", "first output channel"),
    PP_H5_COLUMN(tile_row, out_hi, PP_H5_U32, "channel", "behind the last output channel"),
    PP_H5_COLUMN(tile_row, rows_used, PP_H5_U32, "", "rows of the crossbar in use"),
    PP_H5_COLUMN(tile_row, cols_used, PP_H5_U32, "", "columns of the crossbar in use"),
    PP_H5_COLUMN(tile_row, core, PP_H5_U32, "", "core (row of /fabric/cores)"),
    PP_H5_COLUMN(tile_row, cells_useful, PP_H5_U64, "", "cells that hold a weight"),
    PP_H5_COLUMN(tile_row, head, PP_H5_BOOL, "", "1: sums, activates and emits"),
};

static pp_status write_tiles(hid_t file, const pp_mapping *m)
{
    tile_row *rows = pp_calloc(m->n_tiles, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < m->n_tiles; i++) {
        const pp_tile *t = &m->tile[i];
        rows[i] = (tile_row){i, t->stage, t->copy, t->col, t->row, t->in_lo, t->in_hi, t->out_lo, t->out_hi, t->rows_used,
                             t->cols_used, t->core, t->cells_useful, t->head};
    }
    pp_status status = pp_h5_table(file, "/mapping/tiles", "crossbars and their cores", tile_columns,
                                   sizeof tile_columns / sizeof *tile_columns, rows, sizeof *rows, m->n_tiles);
    free(rows);
    return status;
}

typedef struct flow_row {
    uint32_t flow, src, dst, stream, ch_lo, ch_hi, bits_per_pixel, positions, hops, net, buffer_min, buffer;
    uint64_t bits;
    char kind[12];
} flow_row;

static const pp_h5_column flow_columns[] = {
    PP_H5_COLUMN(flow_row, flow, PP_H5_U32, "", "flow"),
    PP_H5_COLUMN(flow_row, src, PP_H5_U32, "", "tile that sends"),
    PP_H5_COLUMN(flow_row, dst, PP_H5_U32, "", "tile that receives"),
    PP_H5_COLUMN(flow_row, stream, PP_H5_U32, "", "stream that it carries"),
    PP_H5_COLUMN(flow_row, ch_lo, PP_H5_U32, "channel", "first channel"),
    PP_H5_COLUMN(flow_row, ch_hi, PP_H5_U32, "channel", "behind the last channel"),
    PP_H5_COLUMN(flow_row, bits_per_pixel, PP_H5_U32, "bit", "payload a pixel"),
    PP_H5_COLUMN(flow_row, positions, PP_H5_U32, "", "packets an inference"),
    PP_H5_COLUMN(flow_row, hops, PP_H5_U32, "", "network channels of its way (/mapping/hops, in order of flows)"),
    PP_H5_COLUMN(flow_row, net, PP_H5_U32, "", "multicast that it belongs to"),
    PP_H5_COLUMN(flow_row, buffer_min, PP_H5_U32, "position", "smallest buffer without deadlock"),
    PP_H5_COLUMN(flow_row, buffer, PP_H5_U32, "position", "buffer given; 0: unlimited"),
    PP_H5_COLUMN(flow_row, bits, PP_H5_U64, "bit", "payload an inference"),
    PP_H5_COLUMN(flow_row, kind, PP_H5_TEXT, "", "activation, residual or psum"),
};

typedef struct hop_row {
    uint32_t flow, hop, channel;
} hop_row;

static const pp_h5_column hop_columns[] = {
    PP_H5_COLUMN(hop_row, flow, PP_H5_U32, "", "flow"),
    PP_H5_COLUMN(hop_row, hop, PP_H5_U32, "", "place on its way, from 0"),
    PP_H5_COLUMN(hop_row, channel, PP_H5_U32, "", "network channel"),
};

static pp_status write_hops(hid_t file, const pp_mapping *m)
{
    hop_row *rows = pp_calloc(m->n_hops, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_flows; i++) {
        for (uint32_t h = 0; h < m->flow[i].hops; h++)
            rows[n++] = (hop_row){i, h, m->hop[m->flow[i].first_hop + h]};
    }
    pp_status status = pp_h5_table(file, "/mapping/hops", "ways of the flows", hop_columns, 3, rows, sizeof *rows, n);
    free(rows);
    return status;
}

static pp_status write_flows(hid_t file, const pp_mapping *m)
{
    static const char *const kinds[] = {"activation", "residual", "psum"};
    flow_row *rows = pp_calloc(m->n_flows, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < m->n_flows; i++) {
        const pp_flow *f = &m->flow[i];
        rows[i] = (flow_row){.flow = i, .src = f->src, .dst = f->dst, .stream = f->stream, .ch_lo = f->ch_lo, .ch_hi = f->ch_hi,
                             .bits_per_pixel = f->bits_per_pixel, .positions = f->positions, .hops = f->hops, .net = f->net,
                             .buffer_min = f->buffer_min, .buffer = f->buffer, .bits = f->bits};
        PP_PUT(rows[i].kind, kinds[f->kind]);
    }
    pp_status status = pp_h5_table(file, "/mapping/flows", "flows between tiles", flow_columns,
                                   sizeof flow_columns / sizeof *flow_columns, rows, sizeof *rows, m->n_flows);
    free(rows);
    return status;
}

/* ---- /bandwidth ---- */

typedef struct bandwidth_row {
    uint32_t channel, nets;
    uint64_t bits;
    double required_gbps, share;
} bandwidth_row;

static const pp_h5_column bandwidth_columns[] = {
    PP_H5_COLUMN(bandwidth_row, channel, PP_H5_U32, "", "channel (row of /fabric/channels)"),
    PP_H5_COLUMN(bandwidth_row, nets, PP_H5_U32, "", "multicasts on it"),
    PP_H5_COLUMN(bandwidth_row, bits, PP_H5_U64, "bit", "payload and headers an inference"),
    PP_H5_COLUMN(bandwidth_row, required_gbps, PP_H5_F64, "Gbit/s", "rate needed at the bound of the interval"),
    PP_H5_COLUMN(bandwidth_row, share, PP_H5_F64, "", "of the channel's rate"),
};

static pp_status write_bandwidth(hid_t file, const pp_report_input *in)
{
    const pp_mapping *m = in->mapping;
    bandwidth_row *rows = pp_calloc(m->n_channels, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < m->n_channels; i++) {
        double gbps = (double)m->channel_bits[i] * 1000.0 / (double)m->bounds.interval_ps;
        rows[i] = (bandwidth_row){i, m->channel_flows[i], m->channel_bits[i], gbps,
                                  gbps / pp_channel_rate_gbps(&in->fabric->channel[i])};
    }
    pp_status status = pp_h5_table(file, "/bandwidth/channels", "static analysis of every channel and port", bandwidth_columns,
                                   sizeof bandwidth_columns / sizeof *bandwidth_columns, rows, sizeof *rows, m->n_channels);
    free(rows);
    return status;
}

pp_status pp_write_mapping_tables(hid_t file, const pp_report_input *in)
{
    PP_TRY(write_plan(file, in));
    PP_TRY(write_tiles(file, in->mapping));
    PP_TRY(write_flows(file, in->mapping));
    PP_TRY(write_hops(file, in->mapping));
    return write_bandwidth(file, in);
}
