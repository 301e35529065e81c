/* Traces of language models: a track an operator of a block (and copy), a track a channel that is shared; waiting as
 * spans of their own beside them, since several tokens wait at once. */
#include "report/lm_report_internal.h"
#include "report/trace_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct token_view {
    const trace_view *v;
    const pp_lm_run *run;
    uint32_t *sender;      /* [n_hops] actor whose result takes the hop; PP_NONE */
    uint32_t *actor_track; /* [n_actors + 1] copy c of actor a is track actor_track[a] + c; servers follow */
    uint32_t *server_track; /* [n_servers + 1] */
    char **label;           /* [tracks] made when first asked for */
} token_view;

/* ---- who sends what ---- */

static void mark_tree(const token_view *t, uint32_t hop, uint32_t actor)
{
    const pp_token_hop *h = &t->run->actors->net.hop[hop];
    for (;;) { /* long chains, short branches */
        t->sender[hop] = actor;
        h = &t->run->actors->net.hop[hop];
        if (h->n_children == 0)
            return;
        for (uint32_t i = 1; i < h->n_children; i++)
            mark_tree(t, h->child_first + i, actor);
        hop = h->child_first;
    }
}

static pp_status find_senders(token_view *t)
{
    const pp_token_net *net = &t->run->actors->net;
    t->sender = pp_alloc(net->n_hops, sizeof *t->sender);
    if (t->sender == NULL)
        return PP_ENOMEM;
    memset(t->sender, 0xff, net->n_hops * sizeof *t->sender);
    for (uint32_t a = 0; a < net->n_actors; a++)
        for (uint32_t i = 0; i < net->actor[a].n_hops; i++)
            mark_tree(t, net->actor[a].hop_first + i, a);
    for (uint32_t i = 0; i < net->n_back; i++)
        mark_tree(t, net->back_first + i, net->sink);
    return PP_OK;
}

static pp_status number_tracks(token_view *t)
{
    const pp_token_net *net = &t->run->actors->net;
    uint32_t at = 1;
    t->actor_track = pp_alloc((size_t)net->n_actors + 1, sizeof *t->actor_track);
    t->server_track = pp_alloc((size_t)net->n_servers + 1, sizeof *t->server_track);
    if (t->actor_track == NULL || t->server_track == NULL)
        return PP_ENOMEM;
    for (uint32_t a = 0; a < net->n_actors; a++) {
        t->actor_track[a] = at;
        at += net->server_copies[net->actor[a].server];
    }
    t->actor_track[net->n_actors] = at;
    for (uint32_t s = 0; s < net->n_servers; s++) {
        t->server_track[s] = at;
        at += net->server_copies[s];
    }
    t->server_track[net->n_servers] = at;
    t->label = pp_calloc(at, sizeof *t->label);
    return t->label != NULL ? PP_OK : PP_ENOMEM;
}

/* ---- names ---- */

static const char *operator_of(const token_view *t, uint32_t actor)
{
    const pp_lm_actors *x = t->run->actors;
    if (actor == PP_NONE)
        return "packet";
    if (x->actor[actor].stage != PP_NONE)
        return t->run->mapping->stage[x->actor[actor].stage].name;
    return actor == x->net.source ? "source" : actor == x->net.sink ? "sink" : "sum";
}

static bool fires(const pp_trace_event *e)
{
    return e->net == PP_NONE;
}

/* Operator that works, or whose packet it is. */
static const char *operator_at(const token_view *t, const pp_trace_event *e)
{
    return operator_of(t, fires(e) ? e->object : t->sender[e->net]);
}

static uint32_t instance_of(const token_view *t, const pp_trace_event *e)
{
    const pp_lm_actors *x = t->run->actors;
    if (fires(e))
        return x->actor[e->object].instance;
    const uint32_t sender = t->sender[e->net];
    return x->server_channel != NULL && sender != PP_NONE ? x->actor[sender].instance : x->server_instance[e->object];
}

static void instance_name(const token_view *t, uint32_t instance, char label[TRACE_LABEL_MAX])
{
    const pp_lm_instance *d = &t->run->mapping->instance[instance];
    if (d->layer != PP_NONE)
        snprintf(label, TRACE_LABEL_MAX, "block %u", d->layer);
    else
        snprintf(label, TRACE_LABEL_MAX, "%s", instance == 0 ? "embedding" : "end");
}

/* "q_proj", tile by tile "q_proj 17" with the actor's number; "channels: q_proj to attention, block 3", "r0c1 -> r0c2". */
static void make_name(const token_view *t, const pp_trace_event *e, char label[TRACE_LABEL_MAX])
{
    const pp_lm_actors *x = t->run->actors;
    if (fires(e) && x->server_channel == NULL)
        snprintf(label, TRACE_LABEL_MAX, "%s", operator_at(t, e));
    else if (fires(e))
        snprintf(label, TRACE_LABEL_MAX, "%s %u", operator_at(t, e), e->object);
    else if (x->server_channel == NULL)
        pp_lm_server_name(t->run, e->object, label, TRACE_LABEL_MAX);
    else if (x->server_channel[e->object] != PP_NONE)
        pp_hier_channel_label(t->run->mapping->fabric, x->server_channel[e->object], label, TRACE_LABEL_MAX);
    else
        snprintf(label, TRACE_LABEL_MAX, "adder %u", e->object);
    const uint32_t server = fires(e) ? x->net.actor[e->object].server : e->object;
    const size_t length = strlen(label);
    if (x->net.server_copies[server] > 1)
        snprintf(label + length, TRACE_LABEL_MAX - length, ", copy %u", e->copy);
}

static uint32_t track_of(const token_view *t, const pp_trace_event *e)
{
    return (fires(e) ? t->actor_track : t->server_track)[e->object] + e->copy;
}

static const char *track_name(const token_view *t, const pp_trace_event *e)
{
    char label[TRACE_LABEL_MAX], **name = &t->label[track_of(t, e)];
    if (*name == NULL) {
        make_name(t, e, label);
        *name = pp_strdup(label);
    }
    return *name != NULL ? *name : "";
}

/* Groups of tracks ("processes"): operators of an instance, then its channels. */
static uint32_t group_of(const token_view *t, const pp_trace_event *e)
{
    return 1 + 2 * instance_of(t, e) + !fires(e);
}

/* Tokens that the event's token attends to. */
static uint32_t context_of(const token_view *t, const pp_trace_event *e)
{
    return t->run->actors->net.encoder ? t->run->setup->sequence[e->sequence].prompt : e->position + 1;
}

/* ---- JSON ---- */

static void put_name(FILE *f, const char *what, uint32_t group, uint32_t track, const char *before, const char *label)
{
    fprintf(f, "{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"%s\",\"args\":{\"name\":\"%s", group, track, what, before);
    trace_put_text(f, label);
    fputs("\"}},\n", f);
}

static int by_number(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void put_group(FILE *f, const token_view *t, uint32_t group)
{
    char label[TRACE_LABEL_MAX];
    instance_name(t, (group - 1) / 2, label);
    put_name(f, "process_name", group, 0, group % 2 == 1 ? "" : "channels of ", label);
    fprintf(f, "{\"ph\":\"M\",\"pid\":%u,\"tid\":0,\"name\":\"process_sort_index\",\"args\":{\"sort_index\":%u}},\n", group, group);
}

/* Names of the groups and tracks that hold something, each once. Blocks share channels: such a track stands in several groups. */
static pp_status put_tracks(FILE *f, const token_view *t)
{
    const size_t n = t->v->n;
    uint64_t *key = pp_calloc(n + 1, sizeof *key), last = 0; /* group and track of each event; groups count from 1 */
    if (key == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const pp_trace_event *e = &t->v->event[i];
        key[i] = (uint64_t)group_of(t, e) << 32 | track_of(t, e);
        (void)track_name(t, e); /* made here, from any of its events */
    }
    qsort(key, n, sizeof *key, by_number);
    for (size_t i = 0; i < n; last = key[i++]) {
        const uint32_t group = (uint32_t)(key[i] >> 32), track = (uint32_t)key[i];
        if (group != (uint32_t)(last >> 32))
            put_group(f, t, group);
        if (key[i] != last)
            put_name(f, "thread_name", group, track, "", t->label[track] != NULL ? t->label[track] : "");
    }
    free(key);
    return PP_OK;
}

static void put_args(FILE *f, const token_view *t, const pp_trace_event *e)
{
    fprintf(f, "\"args\":{\"token\":%u,\"sequence\":%u,\"position\":%u,\"context\":%u,\"waited_ps\":%" PRIu64 "}}", e->inference,
            e->sequence, e->position, context_of(t, e), e->start_ps - e->ready_ps);
}

/* Spans that may overlap, one below the other: "b" and "e" with a number of their own. */
static void put_waiting(FILE *f, const token_view *t, const pp_trace_event *e, size_t id)
{
    for (int end = 0; end < 2; end++) {
        fprintf(f, "{\"ph\":\"%c\",\"cat\":\"wait\",\"id\":%zu,\"pid\":%u,\"tid\":%u", end ? 'e' : 'b', id, group_of(t, e), track_of(t, e));
        trace_put_us(f, "ts", end ? e->start_ps : e->ready_ps);
        fputs(",\"name\":\"wait for ", f);
        trace_put_text(f, track_name(t, e));
        fputs("\",", f);
        put_args(f, t, e);
        fputs(",\n", f);
    }
}

static void put_slice(FILE *f, const token_view *t, const pp_trace_event *e)
{
    fprintf(f, "{\"ph\":\"X\",\"pid\":%u,\"tid\":%u", group_of(t, e), track_of(t, e));
    trace_put_us(f, "ts", e->start_ps);
    trace_put_us(f, "dur", e->end_ps - e->start_ps);
    fputs(",\"name\":\"", f);
    trace_put_text(f, operator_at(t, e));
    fprintf(f, " %u/%u\",", e->sequence, e->position);
    put_args(f, t, e);
}

static pp_status write_json(FILE *f, const token_view *t)
{
    const trace_view *v = t->v;
    fputs("{\"displayTimeUnit\":\"ns\",\n\"otherData\":{\"network\":\"", f);
    trace_put_text(f, t->run->mapping->graph->config.name);
    fputs("\",\"fabric\":\"", f);
    trace_put_text(f, t->run->mapping->fabric->name);
    fprintf(f, "\",\"events\":%" PRIu64 ",\"kept\":%" PRIu64 ",\"every\":%u,\"statement\":\"", v->stats.events, v->stats.kept,
            v->stats.every);
    trace_put_text(f, v->statement);
    fputs("\"},\n\"traceEvents\":[\n", f);
    PP_TRY(put_tracks(f, t));
    for (size_t i = 0; i < v->n; i++) {
        if (v->event[i].start_ps > v->event[i].ready_ps)
            put_waiting(f, t, &v->event[i], i);
        put_slice(f, t, &v->event[i]);
        fputs(i + 1 < v->n ? ",\n" : "\n", f);
    }
    if (v->n == 0) /* the list ends without a comma */
        fputs("{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_labels\",\"args\":{\"labels\":\"no events\"}}\n", f);
    fputs("]}\n", f);
    return PP_OK;
}

/* ---- CSV ---- */

static pp_status write_csv(FILE *f, const token_view *t)
{
    char label[TRACE_LABEL_MAX];
    fprintf(f, "# %s: %s\n", t->run->mapping->graph->config.name, t->v->statement);
    fputs("kind,start_ps,end_ps,ready_ps,object,copy,part,where,operator,token,sequence,position,context\n", f);
    for (size_t i = 0; i < t->v->n; i++) {
        const pp_trace_event *e = &t->v->event[i];
        fprintf(f, "%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u,%u,", fires(e) ? "fire" : "packet", e->start_ps, e->end_ps, e->ready_ps,
                e->object, e->copy);
        instance_name(t, instance_of(t, e), label);
        trace_put_field(f, label);
        fputc(',', f);
        trace_put_field(f, track_name(t, e));
        fputc(',', f);
        trace_put_field(f, operator_at(t, e));
        fprintf(f, ",%u,%u,%u,%u\n", e->inference, e->sequence, e->position, context_of(t, e));
    }
    return PP_OK;
}

/* ---- files ---- */

static bool ends_in(const char *path, const char *ending)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && strcmp(dot, ending) == 0;
}

pp_status pp_trace_check_tokens(const char *path)
{
    if (ends_in(path, ".json") || ends_in(path, ".csv"))
        return PP_OK;
    return pp_fail(PP_EUSAGE, "--trace %s: a language model's trace has a name that ends in .json or .csv", path);
}

static pp_status write_open(FILE *f, const token_view *t, const char *path)
{
    const pp_status status = ends_in(path, ".json") ? write_json(f, t) : write_csv(f, t);
    const bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad)
        return pp_fail(PP_EIO, "%s: the trace cannot be written (disk full?)", path);
    return status;
}

static pp_status write_view(const token_view *t, const char *path, bool force)
{
    pp_output o;
    pp_status status = pp_output_begin(&o, path, force);
    if (status == PP_OK) {
        FILE *f = fopen(o.temporary, "w");
        status = f != NULL ? write_open(f, t, path) : pp_fail(PP_EIO, "%s: %s", path, strerror(errno));
    }
    if (status == PP_OK)
        status = pp_output_commit(&o);
    pp_output_abort(&o);
    return status;
}

pp_status pp_trace_write_tokens(pp_trace *trace, const char *path, const pp_lm_run *run, bool force)
{
    trace_view v = {.stats = pp_trace_get_stats(trace)};
    token_view t = {.v = &v, .run = run};
    PP_TRY(pp_trace_check_tokens(path));
    PP_TRY(pp_trace_events(trace, &v.event, &v.n));
    char *statement = pp_trace_statement(trace);
    v.statement = statement;
    pp_status status = statement != NULL ? find_senders(&t) : PP_ENOMEM;
    if (status == PP_OK)
        status = number_tracks(&t);
    if (status == PP_OK)
        status = write_view(&t, path, force);
    free(statement);
    for (uint32_t i = 0; t.label != NULL && i < t.server_track[run->actors->net.n_servers]; i++)
        free(t.label[i]);
    free(t.label);
    free(t.sender);
    free(t.actor_track);
    free(t.server_track);
    return status;
}
