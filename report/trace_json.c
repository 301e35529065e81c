/* Chrome's trace event format, which ui.perfetto.dev and chrome://tracing open. Times are microseconds; six
 * digits behind the point keep them exact. */
#include "base/doc.h"
#include "report/trace_internal.h"

#include <inttypes.h>
#include <string.h>

enum { CORES = 1, CHANNELS = 2, QUEUES = 3, TRANSFERS = 4 }; /* "processes": groups of tracks */

/* Control characters are escaped; what is no UTF-8 is U+FFFD. */
void trace_put_text(FILE *f, const char *text)
{
    for (size_t left = strlen(text), n; left > 0; left -= n, text += n) {
        const unsigned char c = (unsigned char)*text;
        n = pp_utf8_length((const unsigned char *)text, left);
        if (n != 1) {
            fwrite(n > 0 ? text : "\xEF\xBF\xBD", 1, n > 0 ? n : 3, f);
            n += n == 0;
        } else if (c < 0x20) {
            fprintf(f, "\\u%04x", c);
        } else {
            fprintf(f, c == '"' || c == '\\' ? "\\%c" : "%c", c);
        }
    }
}

void trace_put_us(FILE *f, const char *key, uint64_t ps)
{
    fprintf(f, ",\"%s\":%" PRIu64 ".%06" PRIu64, key, ps / 1000000, ps % 1000000);
}

/* Name of a group (thread NULL) or of a track in it. */
static void put_name(FILE *f, int pid, uint32_t tid, const char *label, const char *layer, bool group)
{
    fprintf(f, "{\"ph\":\"M\",\"pid\":%d,\"tid\":%u,\"name\":\"%s\",\"args\":{\"name\":\"", pid, tid,
            group ? "process_name" : "thread_name");
    trace_put_text(f, label);
    if (layer != NULL) {
        fputs(": ", f);
        trace_put_text(f, layer);
    }
    fputs("\"}},\n", f);
}

/* Tracks of a channel: one, or one a virtual channel, whose packets follow each other. */
static void put_channel(FILE *f, const trace_view *v, uint32_t channel, uint32_t lanes)
{
    char label[TRACE_LABEL_MAX], lane[24];
    trace_channel_label(v, channel, label);
    for (uint32_t k = 0; k < lanes; k++) {
        (void)snprintf(lane, sizeof lane, "vc %u", k);
        put_name(f, CHANNELS, channel * lanes + k, label, lanes > 1 ? lane : NULL, false);
    }
}

static bool has_transfers(const trace_view *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->event[i].flow)
            return true;
    return false;
}

/* Ideal switching: a track a flow in place of the channels. */
static void put_flows(FILE *f, const trace_view *v)
{
    char label[TRACE_LABEL_MAX];
    put_name(f, TRANSFERS, 0, "transfers", NULL, true);
    for (uint32_t k = 0; k < v->in->mapping->n_flows; k++) {
        trace_flow_label(v, k, label);
        put_name(f, TRANSFERS, k, label, NULL, false);
    }
}

/* Track names of all tiles and of the channels that carry something. */
static void put_tracks(FILE *f, const trace_view *v, uint32_t lanes)
{
    const pp_mapping *m = v->in->mapping;
    char label[TRACE_LABEL_MAX];
    put_name(f, CORES, 0, "cores", NULL, true);
    if (has_transfers(v))
        put_flows(f, v);
    else
        put_name(f, CHANNELS, 0, "channels", NULL, true);
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        trace_core_label(v, t, label);
        put_name(f, CORES, t, label, v->in->stages->stage[m->tile[t].stage].name, false);
    }
    for (uint32_t c = 0; c < v->in->fabric->n_channels && !has_transfers(v); c++)
        if (v->in->run == NULL || v->in->run->channel[c].packets > 0)
            put_channel(f, v, c, lanes);
}

static void put_slice(FILE *f, const trace_view *v, const pp_trace_event *e, uint32_t lanes)
{
    if (e->net == PP_NONE || e->flow)
        fprintf(f, "{\"ph\":\"X\",\"pid\":%d,\"tid\":%u", e->flow ? TRANSFERS : CORES, e->object);
    else
        fprintf(f, "{\"ph\":\"X\",\"pid\":%d,\"tid\":%u", CHANNELS, e->object * lanes + e->copy);
    trace_put_us(f, "ts", e->start_ps);
    trace_put_us(f, "dur", e->end_ps - e->start_ps);
    fputs(",\"name\":\"", f);
    trace_put_text(f, trace_layer(v, e));
    fprintf(f, " %u/%u\",\"args\":{\"inference\":%u,\"position\":%u,\"waited_ps\":%" PRIu64 "}}", e->inference, e->position,
            e->inference, e->position, e->start_ps - e->ready_ps);
}

static void put_depths(FILE *f, const trace_view *v, const trace_depth *depth, size_t n)
{
    char label[TRACE_LABEL_MAX] = "";
    if (n > 0)
        put_name(f, QUEUES, 0, "packets that wait", NULL, true);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || depth[i].channel != depth[i - 1].channel)
            trace_channel_label(v, depth[i].channel, label);
        fprintf(f, "{\"ph\":\"C\",\"pid\":%d,\"tid\":0,\"name\":\"", QUEUES);
        trace_put_text(f, label);
        fputc('"', f);
        trace_put_us(f, "ts", depth[i].time_ps);
        fprintf(f, ",\"args\":{\"packets\":%u}},\n", depth[i].depth);
    }
}

void trace_write_json(FILE *f, const trace_view *v, const trace_depth *depth, size_t n_depth)
{
    fputs("{\"displayTimeUnit\":\"ns\",\n\"otherData\":{\"network\":\"", f);
    trace_put_text(f, v->in->net->name);
    fputs("\",\"fabric\":\"", f);
    trace_put_text(f, v->in->fabric->name);
    fprintf(f, "\",\"events\":%" PRIu64 ",\"kept\":%" PRIu64 ",\"every\":%u,\"statement\":\"", v->stats.events, v->stats.kept,
            v->stats.every);
    trace_put_text(f, v->statement);
    fputs("\"},\n\"traceEvents\":[\n", f);
    const uint32_t lanes = trace_lanes(v);
    put_tracks(f, v, lanes);
    put_depths(f, v, depth, n_depth);
    for (size_t i = 0; i < v->n; i++) {
        put_slice(f, v, &v->event[i], lanes);
        fputs(i + 1 < v->n ? ",\n" : "\n", f);
    }
    if (v->n == 0) /* the list ends without a comma */
        fputs("{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_labels\",\"args\":{\"labels\":\"no events\"}}\n", f);
    fputs("]}\n", f);
}
