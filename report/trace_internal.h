/* What the writers of traces share. Private to report/. */
#ifndef PP_REPORT_TRACE_INTERNAL_H
#define PP_REPORT_TRACE_INTERNAL_H

#include "report/trace.h"

#include <stdio.h>

typedef struct trace_view {
    const pp_report_input *in;
    const pp_trace_event *event; /* [n], ordered */
    size_t n;
    pp_trace_stats stats;
    const char *statement;
} trace_view;

/* Whether nothing was left out, so that queues can be counted. */
static inline bool trace_is_complete(const trace_view *v)
{
    return v->stats.kept == v->stats.events;
}

#define TRACE_LABEL_MAX 600
/* "r0c3": core of a tile; "r0c1 -> r0c2", "inject 0 of r0c1": a channel. */
void trace_core_label(const trace_view *v, uint32_t tile, char label[TRACE_LABEL_MAX]);
void trace_channel_label(const trace_view *v, uint32_t channel, char label[TRACE_LABEL_MAX]);
/* "conv1 -> conv2", the flow of a transfer; and of the tile or channel or flow that an event tells of. */
void trace_flow_label(const trace_view *v, uint32_t flow, char label[TRACE_LABEL_MAX]);
void trace_event_label(const trace_view *v, const pp_trace_event *e, char label[TRACE_LABEL_MAX]);
/* Virtual channels of a channel that events name: 1 but with flit switching. */
uint32_t trace_lanes(const trace_view *v);
/* Layer of the tile that fires, or that sends the packet. */
const char *trace_layer(const trace_view *v, const pp_trace_event *e);

/* Packets that wait for a channel: +1 when one asks, -1 when it starts. Ordered by channel, time; changes of
 * one moment are one. Caller frees. */
typedef struct trace_depth {
    uint64_t time_ps;
    uint32_t channel, depth;
} trace_depth;
pp_status trace_depths(trace_depth **out, size_t *n, const trace_view *v);

void trace_write_json(FILE *f, const trace_view *v, const trace_depth *depth, size_t n_depth);
void trace_write_csv(FILE *f, const trace_view *v);
/* Writes `path`, which must not be there or may be overwritten; messages name `shown`. */
pp_status trace_write_vcd(const char *path, const char *shown, const trace_view *v, const trace_depth *depth, size_t n_depth);
/* Pieces of both JSON writers: text between quotes; ,"key":microseconds. */
void trace_put_text(FILE *f, const char *text);
void trace_put_us(FILE *f, const char *key, uint64_t ps);
/* A field of CSV, quoted where it must be. */
void trace_put_field(FILE *f, const char *text);

#endif
