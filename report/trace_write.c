/* Files of traces: names of tracks, depths of queues, CSV; the choice of the format. */
#include "report/trace_internal.h"

#include "base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void trace_core_label(const trace_view *v, uint32_t tile, char label[TRACE_LABEL_MAX])
{
    const pp_fabric *f = v->in->fabric;
    pp_vertex_label(f, f->core_vertex[v->in->mapping->tile[tile].core], label, TRACE_LABEL_MAX);
}

void trace_channel_label(const trace_view *v, uint32_t channel, char label[TRACE_LABEL_MAX])
{
    const pp_channel *c = &v->in->fabric->channel[channel];
    char from[256], to[256];
    pp_vertex_label(v->in->fabric, c->src, from, sizeof from);
    pp_vertex_label(v->in->fabric, c->dst, to, sizeof to);
    if (c->kind == PP_CHANNEL_NETWORK)
        (void)snprintf(label, TRACE_LABEL_MAX, "%s -> %s", from, to);
    else
        (void)snprintf(label, TRACE_LABEL_MAX, "%s %u of %s", c->kind == PP_CHANNEL_INJECT ? "inject" : "eject", c->port,
                       c->kind == PP_CHANNEL_INJECT ? from : to);
}

void trace_flow_label(const trace_view *v, uint32_t flow, char label[TRACE_LABEL_MAX])
{
    const pp_mapping *m = v->in->mapping;
    const pp_flow *f = &m->flow[flow];
    (void)snprintf(label, TRACE_LABEL_MAX, "%.256s -> %.256s", v->in->stages->stage[m->tile[f->src].stage].name,
                   v->in->stages->stage[m->tile[f->dst].stage].name);
}

void trace_event_label(const trace_view *v, const pp_trace_event *e, char label[TRACE_LABEL_MAX])
{
    if (e->net == PP_NONE)
        trace_core_label(v, e->object, label);
    else if (e->flow)
        trace_flow_label(v, e->object, label);
    else
        trace_channel_label(v, e->object, label);
}

uint32_t trace_lanes(const trace_view *v)
{
    uint32_t most = 0;
    for (size_t i = 0; i < v->n; i++)
        if (v->event[i].net != PP_NONE && v->event[i].copy > most)
            most = v->event[i].copy;
    return most + 1;
}

const char *trace_layer(const trace_view *v, const pp_trace_event *e)
{
    const pp_mapping *m = v->in->mapping;
    const uint32_t tile = e->net == PP_NONE ? e->object : m->net[e->net].src;
    return v->in->stages->stage[m->tile[tile].stage].name;
}

/* ---- queues ---- */

typedef struct change {
    uint64_t time_ps;
    uint32_t channel;
    int32_t by;
} change;

static int by_channel(const void *left, const void *right)
{
    const change *a = left, *b = right;
    if (a->channel != b->channel)
        return a->channel < b->channel ? -1 : 1;
    if (a->time_ps != b->time_ps)
        return a->time_ps < b->time_ps ? -1 : 1;
    return 0; /* changes of one moment are summed: their order does not matter */
}

/* Sums changes into depths, in place of the list; gives their number. */
static size_t sum_changes(trace_depth *depth, const change *c, size_t n_changes)
{
    size_t n = 0;
    for (size_t i = 0; i < n_changes; i++) {
        const bool same = i > 0 && c[i].channel == c[i - 1].channel;
        const uint32_t before = same ? depth[n - 1].depth : 0;
        if (!same || c[i].time_ps != c[i - 1].time_ps)
            n++;
        depth[n - 1] = (trace_depth){c[i].time_ps, c[i].channel, (uint32_t)((int32_t)before + c[i].by)};
    }
    return n;
}

pp_status trace_depths(trace_depth **out, size_t *n, const trace_view *v)
{
    change *c = pp_alloc(2 * v->n, sizeof *c);
    *out = pp_alloc(2 * v->n, sizeof **out);
    size_t n_changes = 0;
    *n = 0;
    if (c == NULL || *out == NULL) {
        free(c);
        return PP_ENOMEM;
    }
    for (size_t i = 0; i < v->n && trace_is_complete(v); i++) {
        const pp_trace_event *e = &v->event[i];
        if (e->net == PP_NONE || e->flow || e->ready_ps == e->start_ps)
            continue;
        c[n_changes++] = (change){e->ready_ps, e->object, 1};
        c[n_changes++] = (change){e->start_ps, e->object, -1};
    }
    qsort(c, n_changes, sizeof *c, by_channel);
    *n = sum_changes(*out, c, n_changes);
    free(c);
    return PP_OK;
}

/* ---- CSV ---- */

void trace_put_field(FILE *f, const char *text)
{
    if (strpbrk(text, ",\"\n\r") == NULL) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text != 0; text++)
        fprintf(f, *text == '"' ? "\"\"" : "%c", *text);
    fputc('"', f);
}

void trace_write_csv(FILE *f, const trace_view *v)
{
    char label[TRACE_LABEL_MAX];
    fprintf(f, "# %s: %s\n", v->in->net->name, v->statement);
    fputs("kind,start_ps,end_ps,ready_ps,object,where,layer,inference,position,vc\n", f);
    for (size_t i = 0; i < v->n; i++) {
        const pp_trace_event *e = &v->event[i];
        trace_event_label(v, e, label);
        fprintf(f, "%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u,", e->net == PP_NONE ? "fire" : e->flow ? "transfer" : "packet",
                e->start_ps, e->end_ps, e->ready_ps, e->object);
        trace_put_field(f, label);
        fputc(',', f);
        trace_put_field(f, trace_layer(v, e));
        fprintf(f, ",%u,%u,%u\n", e->inference, e->position, e->copy);
    }
}

/* ---- files ---- */

static const char *ending_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL ? dot : "";
}

pp_status pp_trace_check_path(const char *path)
{
    const char *ending = ending_of(path);
    if (strcmp(ending, ".json") == 0 || strcmp(ending, ".csv") == 0 || strcmp(ending, ".vcd") == 0)
        return PP_OK;
    return pp_fail(PP_EUSAGE, "--trace %s: expected a name that ends in .json, .csv or .vcd", path);
}

static pp_status write_text(const char *path, const char *name, const trace_view *v, const trace_depth *depth, size_t n_depth, bool json)
{
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return pp_fail(PP_EIO, "%s: %s", name, strerror(errno));
    if (json)
        trace_write_json(f, v, depth, n_depth);
    else
        trace_write_csv(f, v);
    const bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad)
        return pp_fail(PP_EIO, "%s: the trace cannot be written (disk full?)", name);
    return PP_OK;
}

static pp_status write_view(const char *path, const trace_view *v, bool force)
{
    const char *ending = ending_of(path);
    pp_output o;
    trace_depth *depth = NULL;
    size_t n_depth = 0;
    pp_status status = pp_output_begin(&o, path, force);
    if (status == PP_OK)
        status = trace_depths(&depth, &n_depth, v);
    if (status == PP_OK && strcmp(ending, ".vcd") == 0)
        status = trace_write_vcd(o.temporary, path, v, depth, n_depth);
    else if (status == PP_OK)
        status = write_text(o.temporary, path, v, depth, n_depth, strcmp(ending, ".json") == 0);
    if (status == PP_OK)
        status = pp_output_commit(&o);
    pp_output_abort(&o);
    free(depth);
    return status;
}

pp_status pp_trace_write(pp_trace *t, const char *path, const pp_report_input *in, bool force)
{
    trace_view v = {.in = in, .stats = pp_trace_get_stats(t)};
    PP_TRY(pp_trace_check_path(path));
    PP_TRY(pp_trace_events(t, &v.event, &v.n));
    char *statement = pp_trace_statement(t);
    v.statement = statement;
    pp_status status = statement != NULL ? write_view(path, &v, force) : PP_ENOMEM;
    free(statement);
    return status;
}
