/* Tables of /timing and /accuracy. */
#include "report/tables_internal.h"

#include <stdlib.h>

typedef struct image_row {
    uint32_t inference;
    uint64_t done_ps, interval_ps;
} image_row;

static const pp_h5_column image_columns[] = {
    PP_H5_COLUMN(image_row, inference, PP_H5_U32, "", "inference"),
    PP_H5_COLUMN(image_row, done_ps, PP_H5_U64, "ps", "when its last output was complete"),
    PP_H5_COLUMN(image_row, interval_ps, PP_H5_U64, "ps", "time since the one before (0 for the first)"),
};

static pp_status write_images(hid_t file, const pp_run_result *r)
{
    image_row *rows = pp_calloc(r->images, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < r->images; i++)
        rows[i] = (image_row){i, r->done_ps[i], i > 0 ? r->done_ps[i] - r->done_ps[i - 1] : 0};
    pp_status status = pp_h5_table(file, "/timing/inferences", "inferences in order", image_columns, 3, rows, sizeof *rows, r->images);
    free(rows);
    return status;
}

typedef struct stage_time_row {
    const char *stage;
    uint64_t firings, first_fire_ps, first_done_ps, last_done_ps, busy_ps, wait_input_ps, wait_room_ps;
    double utilisation;
} stage_time_row;

static const pp_h5_column stage_time_columns[] = {
    PP_H5_STRING_COLUMN(stage_time_row, stage, 64, "stage"),
    PP_H5_COLUMN(stage_time_row, firings, PP_H5_U64, "", "firings, all copies and inferences"),
    PP_H5_COLUMN(stage_time_row, first_fire_ps, PP_H5_U64, "ps", "first inference: first firing starts"),
    PP_H5_COLUMN(stage_time_row, first_done_ps, PP_H5_U64, "ps", "first inference: first result"),
    PP_H5_COLUMN(stage_time_row, last_done_ps, PP_H5_U64, "ps", "first inference: last result"),
    PP_H5_COLUMN(stage_time_row, busy_ps, PP_H5_U64, "ps", "its busiest core computed"),
    PP_H5_COLUMN(stage_time_row, wait_input_ps, PP_H5_U64, "ps", "that core waited for inputs"),
    PP_H5_COLUMN(stage_time_row, wait_room_ps, PP_H5_U64, "ps", "that core waited for room in a consumer's buffer"),
    PP_H5_COLUMN(stage_time_row, utilisation, PP_H5_F64, "", "busy share of that core, steady state"),
};

static pp_status write_stage_times(hid_t file, const pp_report_input *in)
{
    const pp_run_result *r = in->run;
    stage_time_row *rows = pp_calloc(r->n_stages, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < r->n_stages; i++) {
        const pp_stage_result *s = &r->stage[i];
        rows[i] = (stage_time_row){.firings = s->firings, .first_fire_ps = s->first_fire_ps, .first_done_ps = s->first_done_ps,
                                   .last_done_ps = s->last_done_ps, .busy_ps = s->busy_ps, .wait_input_ps = s->wait_input_ps,
                                   .wait_room_ps = s->wait_room_ps, .utilisation = s->utilisation};
        rows[i].stage = in->stages->stage[i].name;
    }
    pp_status status = pp_h5_table(file, "/timing/stages", "what each stage did", stage_time_columns,
                                   sizeof stage_time_columns / sizeof *stage_time_columns, rows, sizeof *rows, r->n_stages);
    free(rows);
    return status;
}

typedef struct span_row {
    uint32_t inference, stage;
    uint64_t first_fire_ps, first_done_ps, last_done_ps;
} span_row;

static const pp_h5_column span_columns[] = {
    PP_H5_COLUMN(span_row, inference, PP_H5_U32, "", "inference"),
    PP_H5_COLUMN(span_row, stage, PP_H5_U32, "", "stage (row of /workload/stages)"),
    PP_H5_COLUMN(span_row, first_fire_ps, PP_H5_U64, "ps", "its first firing for that inference starts"),
    PP_H5_COLUMN(span_row, first_done_ps, PP_H5_U64, "ps", "its first result"),
    PP_H5_COLUMN(span_row, last_done_ps, PP_H5_U64, "ps", "its last result"),
};

static pp_status write_spans(hid_t file, const pp_run_result *r)
{
    size_t n = (size_t)r->span_images * r->n_stages;
    span_row *rows = pp_calloc(n > 0 ? n : 1, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const pp_stage_span *s = &r->span[i];
        rows[i] = (span_row){(uint32_t)(i / r->n_stages), (uint32_t)(i % r->n_stages), s->first_fire_ps, s->first_done_ps,
                             s->last_done_ps};
    }
    pp_status status = pp_h5_table(file, "/timing/spans", "when each stage worked on each of the first inferences", span_columns,
                                   sizeof span_columns / sizeof *span_columns, rows, sizeof *rows, n);
    free(rows);
    return status;
}

static const pp_h5_column core_time_columns[] = {
    PP_H5_COLUMN(pp_core_result, tile, PP_H5_U32, "", "tile (row of /mapping/tiles)"),
    PP_H5_COLUMN(pp_core_result, core, PP_H5_U32, "", "core (row of /fabric/cores)"),
    PP_H5_COLUMN(pp_core_result, firings, PP_H5_U64, "", "firings"),
    PP_H5_COLUMN(pp_core_result, busy_ps, PP_H5_U64, "ps", "time computing"),
    PP_H5_COLUMN(pp_core_result, utilisation, PP_H5_F64, "", "busy share, steady state"),
    PP_H5_COLUMN(pp_core_result, memory_high_bytes, PP_H5_U64, "byte", "most local memory in use at once"),
};

typedef struct channel_time_row {
    uint32_t channel, queue_high;
    uint64_t packets, bits, busy_ps, wait_ps;
    double utilisation;
    uint64_t blocked_ps;
    uint32_t vc_high;
    double vc_mean;
} channel_time_row; /* in the order of the columns: HDF5 lists the members by offset */

static const pp_h5_column channel_time_columns[] = {
    PP_H5_COLUMN(channel_time_row, channel, PP_H5_U32, "", "channel (row of /fabric/channels)"),
    PP_H5_COLUMN(channel_time_row, queue_high, PP_H5_U32, "", "most packets waiting"),
    PP_H5_COLUMN(channel_time_row, packets, PP_H5_U64, "", "packets carried"),
    PP_H5_COLUMN(channel_time_row, bits, PP_H5_U64, "bit", "payload and headers carried"),
    PP_H5_COLUMN(channel_time_row, busy_ps, PP_H5_U64, "ps", "time busy"),
    PP_H5_COLUMN(channel_time_row, wait_ps, PP_H5_U64, "ps", "time that packets waited for it, summed"),
    PP_H5_COLUMN(channel_time_row, utilisation, PP_H5_F64, "", "busy share, steady state"),
    PP_H5_COLUMN(channel_time_row, blocked_ps, PP_H5_U64, "ps", "of wait_ps: the channel was free, but nothing behind it had room (head of line)"),
    PP_H5_COLUMN(channel_time_row, vc_high, PP_H5_U32, "flit", "flit switching: most flits in one virtual channel at its far side"),
    PP_H5_COLUMN(channel_time_row, vc_mean, PP_H5_F64, "flit", "flit switching: mean flits in the buffers at its far side"),
};

static pp_status write_channel_times(hid_t file, const pp_run_result *r)
{
    channel_time_row *rows = pp_calloc(r->n_channels, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < r->n_channels; i++) {
        const pp_channel_result *c = &r->channel[i];
        rows[i] = (channel_time_row){.channel = i, .queue_high = c->queue_high, .packets = c->packets, .bits = c->bits,
                                     .busy_ps = c->busy_ps, .wait_ps = c->wait_ps, .blocked_ps = c->blocked_ps,
                                     .utilisation = c->utilisation, .vc_mean = c->vc_mean, .vc_high = c->vc_high};
    }
    pp_status status = pp_h5_table(file, "/timing/channels", "what each channel and port carried", channel_time_columns,
                                   sizeof channel_time_columns / sizeof *channel_time_columns, rows, sizeof *rows, r->n_channels);
    free(rows);
    return status;
}

typedef struct congestion_row {
    uint32_t channel;
    const char *stage;
    uint64_t bits, waited_ps, caused_ps;
    double caused_share;
} congestion_row;

static const pp_h5_column congestion_columns[] = {
    PP_H5_COLUMN(congestion_row, channel, PP_H5_U32, "", "channel (row of /fabric/channels)"),
    PP_H5_STRING_COLUMN(congestion_row, stage, 64, "stage whose packets these are"),
    PP_H5_COLUMN(congestion_row, bits, PP_H5_U64, "bit", "that it puts on the channel, an inference"),
    PP_H5_COLUMN(congestion_row, waited_ps, PP_H5_U64, "ps", "its packets waited for the channel"),
    PP_H5_COLUMN(congestion_row, caused_ps, PP_H5_U64, "ps", "packets waited while the channel served its packets"),
    PP_H5_COLUMN(congestion_row, caused_share, PP_H5_F64, "", "of all waiting for this channel"),
};

static int by_channel_and_stage(const void *a, const void *b)
{
    const pp_congestion *x = a, *y = b;
    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    return (x->stage > y->stage) - (x->stage < y->stage);
}

pp_status pp_congestion_of(pp_congestion **out, size_t *n, const pp_report_input *in)
{
    const pp_mapping *m = in->mapping;
    pp_congestion *c = *out = pp_calloc(m->n_edges, sizeof *c);
    *n = 0;
    if (c == NULL)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < m->n_nets; k++)
        for (uint32_t e = m->net[k].first_edge; e < m->net[k].first_edge + m->net[k].n_edges; e++)
            c[e] = (pp_congestion){m->edge[e].channel, m->tile[m->net[k].src].stage, m->edge[e].bits,
                                   in->run->edge[e].waited_ps, in->run->edge[e].caused_ps};
    qsort(c, m->n_edges, sizeof *c, by_channel_and_stage);
    for (uint32_t e = 0; e < m->n_edges; e++) {
        if (*n > 0 && c[*n - 1].channel == c[e].channel && c[*n - 1].stage == c[e].stage) {
            c[*n - 1].bits += c[e].bits;
            c[*n - 1].waited_ps += c[e].waited_ps;
            c[*n - 1].caused_ps += c[e].caused_ps;
        } else {
            c[(*n)++] = c[e];
        }
    }
    return PP_OK;
}

/* Only channels that somebody waited for. */
static pp_status write_congestion(hid_t file, const pp_report_input *in)
{
    pp_congestion *c = NULL;
    size_t n = 0, kept = 0;
    pp_status status = pp_congestion_of(&c, &n, in);
    congestion_row *rows = status == PP_OK ? pp_calloc(n, sizeof *rows) : NULL;
    for (size_t i = 0; rows != NULL && i < n; i++) {
        const uint64_t wait_ps = in->run->channel[c[i].channel].wait_ps;
        if (wait_ps == 0)
            continue;
        rows[kept] = (congestion_row){.channel = c[i].channel, .bits = c[i].bits, .waited_ps = c[i].waited_ps,
                                      .caused_ps = c[i].caused_ps, .caused_share = (double)c[i].caused_ps / (double)wait_ps};
        rows[kept].stage = in->stages->stage[c[i].stage].name;
        kept++;
    }
    if (status == PP_OK)
        status = rows != NULL ? pp_h5_table(file, "/timing/congestion", "who waits for whom, channel by channel", congestion_columns,
                                            sizeof congestion_columns / sizeof *congestion_columns, rows, sizeof *rows, kept)
                              : PP_ENOMEM;
    free(rows);
    free(c);
    return status;
}

typedef struct flow_time_row {
    uint32_t flow, buffer_high;
    uint64_t packets, latency_max_ps;
    double latency_mean_ps;
} flow_time_row;

static const pp_h5_column flow_time_columns[] = {
    PP_H5_COLUMN(flow_time_row, flow, PP_H5_U32, "", "flow (row of /mapping/flows)"),
    PP_H5_COLUMN(flow_time_row, buffer_high, PP_H5_U32, "position", "most positions in its buffer at once"),
    PP_H5_COLUMN(flow_time_row, packets, PP_H5_U64, "", "packets delivered"),
    PP_H5_COLUMN(flow_time_row, latency_max_ps, PP_H5_U64, "ps", "longest time from ready to delivered"),
    PP_H5_COLUMN(flow_time_row, latency_mean_ps, PP_H5_F64, "ps", "mean of that time"),
};

static pp_status write_flow_times(hid_t file, const pp_run_result *r)
{
    flow_time_row *rows = pp_calloc(r->n_flows, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < r->n_flows; i++) {
        const pp_flow_result *f = &r->flow[i];
        double mean = f->packets > 0 ? (double)f->latency_sum_ps / (double)f->packets : 0;
        rows[i] = (flow_time_row){i, f->buffer_high, f->packets, f->latency_max_ps, mean};
    }
    pp_status status = pp_h5_table(file, "/timing/flows", "what each flow's buffer held", flow_time_columns,
                                   sizeof flow_time_columns / sizeof *flow_time_columns, rows, sizeof *rows, r->n_flows);
    free(rows);
    return status;
}

pp_status pp_write_timing_tables(hid_t file, const pp_report_input *in)
{
    const pp_run_result *r = in->run;
    PP_TRY(write_images(file, r));
    PP_TRY(write_stage_times(file, in));
    PP_TRY(write_spans(file, in->run));
    PP_TRY(pp_h5_table(file, "/timing/cores", "what each core did", core_time_columns,
                       sizeof core_time_columns / sizeof *core_time_columns, r->core, sizeof *r->core, r->n_tiles));
    PP_TRY(write_channel_times(file, r));
    PP_TRY(write_congestion(file, in));
    return write_flow_times(file, r);
}

/* ---- /accuracy ---- */

typedef struct adc_row {
    uint32_t tile;
    double full_scale_min, full_scale_max, clipped_share, sqnr_db;
} adc_row;

static const pp_h5_column adc_columns[] = {
    PP_H5_COLUMN(adc_row, tile, PP_H5_U32, "", "tile (row of /mapping/tiles)"),
    PP_H5_COLUMN(adc_row, full_scale_min, PP_H5_F64, "", "smallest full scale of its columns, accumulator units"),
    PP_H5_COLUMN(adc_row, full_scale_max, PP_H5_F64, "", "largest full scale of its columns, accumulator units"),
    PP_H5_COLUMN(adc_row, clipped_share, PP_H5_F64, "", "clipped share of conversions, calibration images"),
    PP_H5_COLUMN(adc_row, sqnr_db, PP_H5_F64, "dB", "signal to conversion noise, calibration images"),
};

pp_status pp_write_accuracy_tables(hid_t file, const pp_report_input *in)
{
    const pp_accuracy *a = in->accuracy;
    PP_TRY(pp_h5_text(file, "/accuracy/data_sha256", a->data_sha256, "SHA-256 of the images"));
    if (a->adc == NULL || in->mapping == NULL)
        return PP_OK;
    adc_row *rows = pp_calloc(in->mapping->n_tiles, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < in->mapping->n_tiles; i++) {
        const pp_tile_adc *t = &a->adc[i];
        rows[i] = (adc_row){i, t->full_scale_min, t->full_scale_max, t->clipped_share, t->sqnr_db};
    }
    pp_status status = pp_h5_table(file, "/accuracy/adc", "converters of each tile", adc_columns, 5, rows, sizeof *rows,
                                   in->mapping->n_tiles);
    free(rows);
    return status;
}
