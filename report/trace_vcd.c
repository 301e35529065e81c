/* VCD: the events of the trace happen once more, as events of a SystemC kernel that sets values; SystemC's own
 * writer notes the values as they change. So any simulation can be traced, whichever kernel it ran on. */
#include "report/trace_internal.h"

#include "base/file.h"
#include "sim/kernel_systemc.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Values of a tile: busy, inference, position. Of a channel: packets on it (one, or one a virtual channel), packets that
 * wait. Of a flow: busy. */
enum { BUSY, INFERENCE, POSITION, TILE_VALUES };
enum { WAITING = 1, CHANNEL_VALUES };
#define QUEUE_BITS 32

typedef struct step {
    uint64_t time_ps, value;
    uint32_t slot;
    int8_t by;     /* 0: the value is set; else it grows by this */
    uint32_t rank; /* at one moment: what ends comes before what begins */
} step;

typedef struct replay {
    const trace_view *v;
    uint64_t *value;     /* [n_slots] what SystemC watches: of every tile, then of every channel */
    uint8_t *bits;       /* [n_slots] 0: nobody sets it, no signal */
    uint32_t n_slots, first_channel, first_flow;
    uint8_t busy_bits;   /* of a channel */
    PP_VEC(step) steps;  /* ordered */
    size_t next;
    pp_arena *names;
    pp_systemc_signal *signal;
    size_t n_signals;
} replay;

/* ---- steps ---- */

static pp_status set(replay *r, uint64_t time_ps, uint32_t slot, uint64_t value, uint8_t bits, uint32_t rank)
{
    r->bits[slot] = bits;
    return pp_push(&r->steps, (step){time_ps, value, slot, 0, rank}) ? PP_OK : PP_ENOMEM;
}

/* A packet on a channel, or a transfer of a flow, for a while. */
static pp_status hold(replay *r, const pp_trace_event *e, uint32_t slot, uint8_t bits)
{
    r->bits[slot] = bits;
    return pp_push(&r->steps, (step){e->start_ps, 0, slot, 1, 1}) && pp_push(&r->steps, (step){e->end_ps, 0, slot, -1, 0}) ? PP_OK
                                                                                                                          : PP_ENOMEM;
}

static pp_status add_event(replay *r, const pp_trace_event *e)
{
    if (e->flow)
        return hold(r, e, r->first_flow + e->object, 1);
    if (e->net != PP_NONE)
        return hold(r, e, r->first_channel + e->object * CHANNEL_VALUES + BUSY, r->busy_bits);
    const uint32_t slot = e->object * TILE_VALUES;
    PP_TRY(set(r, e->start_ps, slot + BUSY, 1, 1, 1));
    PP_TRY(set(r, e->end_ps, slot + BUSY, 0, 1, 0));
    PP_TRY(set(r, e->start_ps, slot + INFERENCE, e->inference, 32, 1));
    return set(r, e->start_ps, slot + POSITION, e->position, 32, 1);
}

static int by_moment(const void *left, const void *right)
{
    const step *a = left, *b = right;
    if (a->time_ps != b->time_ps)
        return a->time_ps < b->time_ps ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return a->slot < b->slot ? -1 : a->slot > b->slot;
}

static pp_status add_steps(replay *r, const trace_depth *depth, size_t n_depth)
{
    for (size_t i = 0; i < r->v->n; i++)
        PP_TRY(add_event(r, &r->v->event[i]));
    for (size_t i = 0; i < n_depth; i++) {
        const uint32_t slot = r->first_channel + depth[i].channel * CHANNEL_VALUES + WAITING;
        PP_TRY(set(r, depth[i].time_ps, slot, depth[i].depth, QUEUE_BITS, 0));
    }
    if (r->steps.len > 0)
        qsort(r->steps.data, r->steps.len, sizeof *r->steps.data, by_moment);
    for (size_t i = 0; i < r->steps.len; i++) {
        step *s = &r->steps.data[i];
        if (s->by != 0)
            s->value = r->value[s->slot] += (uint64_t)(int64_t)s->by;
    }
    memset(r->value, 0, r->n_slots * sizeof *r->value);
    return PP_OK;
}

/* ---- signals ---- */

/* A name for VCD: what is no letter or digit becomes _. */
static void clean(char *name)
{
    for (; *name != 0; name++)
        if (!isalnum((unsigned char)*name))
            *name = '_';
}

static char *slot_name(const replay *r, uint32_t slot)
{
    static const char *const of_tile[] = {"busy", "inference", "position"}, *const of_channel[] = {"busy", "waiting"};
    char label[TRACE_LABEL_MAX];
    if (slot >= r->first_flow) {
        trace_flow_label(r->v, slot - r->first_flow, label);
        clean(label);
        return pp_strf("transfers.f%u_%s.busy", slot - r->first_flow, label);
    }
    const bool channel = slot >= r->first_channel;
    const uint32_t at = channel ? slot - r->first_channel : slot, values = channel ? CHANNEL_VALUES : TILE_VALUES;
    const uint32_t object = at / values;
    (channel ? trace_channel_label : trace_core_label)(r->v, object, label);
    clean(label);
    if (channel)
        return pp_strf("channels.c%u_%s.%s", object, label, of_channel[at % values]);
    char layer[64];
    (void)snprintf(layer, sizeof layer, "%s", r->v->in->stages->stage[r->v->in->mapping->tile[object].stage].name);
    clean(layer);
    return pp_strf("cores.t%u_%s_%s.%s", object, label, layer, of_tile[at % values]);
}

static pp_status add_signals(replay *r)
{
    for (uint32_t i = 0; i < r->n_slots; i++) {
        if (r->bits[i] == 0)
            continue;
        char *name = slot_name(r, i), *kept = name != NULL ? pp_arena_strdup(r->names, name) : NULL;
        free(name);
        if (kept == NULL)
            return PP_ENOMEM;
        r->signal[r->n_signals++] = (pp_systemc_signal){kept, &r->value[i], r->bits[i]};
    }
    return PP_OK;
}

static pp_status open_replay(replay *r, const trace_depth *depth, size_t n_depth)
{
    r->first_channel = r->v->in->mapping->n_tiles * TILE_VALUES;
    r->first_flow = r->first_channel + r->v->in->fabric->n_channels * CHANNEL_VALUES;
    r->n_slots = r->first_flow + r->v->in->mapping->n_flows;
    r->busy_bits = trace_lanes(r->v) > 1 ? 8 : 1;
    r->value = pp_calloc(r->n_slots, sizeof *r->value);
    r->bits = pp_calloc(r->n_slots, sizeof *r->bits);
    r->signal = pp_calloc(r->n_slots, sizeof *r->signal);
    if (r->value == NULL || r->bits == NULL || r->signal == NULL)
        return PP_ENOMEM;
    PP_TRY(pp_arena_new(&r->names));
    PP_TRY(add_steps(r, depth, n_depth));
    return add_signals(r);
}

static void close_replay(replay *r)
{
    free(r->value);
    free(r->bits);
    free(r->signal);
    free(r->steps.data);
    pp_arena_free(r->names);
}

/* ---- running ---- */

static pp_status on_step(void *model, pp_kernel *k, uint32_t index, uint64_t payload)
{
    replay *r = model;
    (void)index;
    (void)payload;
    while (r->next < r->steps.len && r->steps.data[r->next].time_ps == pp_kernel_now(k)) {
        r->value[r->steps.data[r->next].slot] = r->steps.data[r->next].value;
        r->next++;
    }
    return r->next < r->steps.len ? pp_kernel_schedule(k, r->steps.data[r->next].time_ps, PP_TARGET(0, 0), 0) : PP_OK;
}

static pp_status run(replay *r, const char *stem)
{
    static const pp_handler handler[] = {on_step};
    pp_kernel *k = NULL;
    PP_TRY(pp_kernel_new(&k, PP_KERNEL_SYSTEMC, r, handler, 1));
    pp_status status = pp_systemc_trace(k, stem, r->signal, r->n_signals);
    if (status == PP_OK && r->steps.len > 0)
        status = pp_kernel_schedule(k, r->steps.data[0].time_ps, PP_TARGET(0, 0), 0);
    /* one moment more, so that the last values are written */
    if (status == PP_OK)
        status = pp_kernel_run(k, r->steps.len > 0 ? r->steps.data[r->steps.len - 1].time_ps + 1 : 1);
    pp_kernel_free(k);
    return status;
}

/* ---- the file ---- */

/* SystemC says nothing when a write fails; then the last moment is not there. */
static bool is_whole(const replay *r, const char *text, size_t size)
{
    char last[40];
    const uint64_t end_ps = r->steps.len > 0 ? r->steps.data[r->steps.len - 1].time_ps : 0;
    const int n = snprintf(last, sizeof last, "\n#%" PRIu64 "\n", end_ps);
    for (size_t i = size; end_ps > 0 && i-- > 0;)
        if (text[i] == '\n' && size - i >= (size_t)n && memcmp(text + i, last, (size_t)n) == 0)
            return size > 0 && text[size - 1] == '\n';
    return end_ps == 0;
}

/* Behind the $end of the date, which comes first; NULL: there is none. */
static const char *behind_date(const char *text, size_t size)
{
    static const char end[] = "$end";
    for (size_t i = 0; i + sizeof end - 1 <= size; i++)
        if (memcmp(text + i, end, sizeof end - 1) == 0)
            return text + i + sizeof end - 1;
    return NULL;
}

/* The same without the date, and with what the trace holds. */
static pp_status copy(const replay *r, const char *path, const char *name, const char *raw)
{
    pp_file *file = NULL;
    PP_TRY(pp_file_map(&file, raw));
    const char *text = (const char *)file->data;
    const char *body = behind_date(text, file->size);
    FILE *out = NULL;
    pp_status status = PP_OK;
    if (body == NULL || !is_whole(r, text, file->size))
        status = pp_fail(PP_EIO, "%s: the trace cannot be written (disk full?)", name);
    else if ((out = fopen(path, "w")) == NULL)
        status = pp_fail(PP_EIO, "%s: %s", name, strerror(errno));
    else {
        fprintf(out, "$comment %s: %s $end\n", r->v->in->net->name, r->v->statement);
        fwrite(body, 1, file->size - (size_t)(body - text), out);
        const bool bad = ferror(out) != 0;
        if (fclose(out) != 0 || bad)
            status = pp_fail(PP_EIO, "%s: the trace cannot be written (disk full?)", name);
    }
    pp_file_unmap(file);
    return status;
}

pp_status trace_write_vcd(const char *path, const char *shown, const trace_view *v, const trace_depth *depth, size_t n_depth)
{
    replay r = {.v = v};
    char *raw = pp_strf("%s.vcd", path);
    pp_status status = raw != NULL ? open_replay(&r, depth, n_depth) : PP_ENOMEM;
    pp_temporary_add(raw);
    if (status == PP_OK) {
        status = run(&r, path);
        if (status == PP_OK)
            status = copy(&r, path, shown, raw);
        (void)remove(raw);
    }
    pp_temporary_drop(raw);
    free(raw);
    close_replay(&r);
    return status;
}
