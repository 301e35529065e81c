/* The collector: keeps events within a bound. */
#include "report/trace_internal.h"

#include <inttypes.h>
#include <stdlib.h>

struct pp_trace {
    pp_trace_options options;
    PP_VEC(pp_trace_event) kept;
    uint64_t events, cut_ps;
    uint32_t every, latest; /* latest inference seen */
    bool failed, sorted;
};

pp_trace_options pp_trace_defaults(void)
{
    return (pp_trace_options){.to_ps = PP_TIME_NEVER, .limit = 250000, .every = 1};
}

pp_status pp_trace_new(pp_trace **out, const pp_trace_options *o)
{
    *out = NULL;
    if (o->limit < 1 || o->limit > PP_TRACE_LIMIT_MAX)
        return pp_fail(PP_ERANGE, "trace: a limit of %" PRIu64 " events, expected 1 to %" PRIu64, o->limit,
                       PP_TRACE_LIMIT_MAX);
    if (o->every < 1 || o->from_ps >= o->to_ps)
        return pp_fail(PP_ERANGE, "trace: expected every at least 1, and from before to");
    *out = pp_calloc(1, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    (*out)->options = *o;
    (*out)->every = o->every;
    (*out)->cut_ps = PP_TIME_NEVER;
    return PP_OK;
}

void pp_trace_free(pp_trace *t)
{
    if (t == NULL)
        return;
    free(t->kept.data);
    free(t);
}

/* Doubles `every` until something goes; false when only one inference is left to keep. */
static bool thin(pp_trace *t)
{
    const size_t before = t->kept.len;
    while (t->kept.len == before && t->every <= t->latest) {
        size_t n = 0;
        t->every *= 2;
        for (size_t i = 0; i < before; i++)
            if (t->kept.data[i].inference % t->every == 0)
                t->kept.data[n++] = t->kept.data[i];
        t->kept.len = n;
    }
    return t->kept.len < before;
}

static void take(void *sink, const pp_trace_event *e)
{
    pp_trace *t = sink;
    t->events++;
    t->latest = e->inference > t->latest ? e->inference : t->latest;
    if (e->start_ps < t->options.from_ps || e->start_ps >= t->options.to_ps || e->inference % t->every != 0)
        return;
    if (t->kept.len >= t->options.limit && (!thin(t) || e->inference % t->every != 0)) {
        if (e->inference % t->every == 0 && e->start_ps < t->cut_ps)
            t->cut_ps = e->start_ps;
        return;
    }
    if (!pp_push(&t->kept, *e))
        t->failed = true;
}

void pp_trace_token(void *trace, const pp_token_busy *b)
{
    const bool fires = b->actor != PP_NONE;
    take(trace, &(pp_trace_event){.ready_ps = b->ready_ps, .start_ps = b->start_ps, .end_ps = b->end_ps,
                                  .object = fires ? b->actor : b->server, .net = fires ? PP_NONE : b->hop,
                                  .inference = b->token < PP_NONE ? (uint32_t)b->token : PP_NONE, .position = b->position,
                                  .sequence = b->sequence, .copy = b->copy});
}

const pp_trace_ops pp_trace_sink = {.fire = take, .packet = take};

#define ORDER(a, b)                                                                                                    \
    if ((a) != (b))                                                                                                    \
    return (a) < (b) ? -1 : 1

static int by_time(const void *left, const void *right)
{
    const pp_trace_event *a = left, *b = right;
    ORDER(a->start_ps, b->start_ps);
    ORDER(a->net == PP_NONE ? 0 : 1, b->net == PP_NONE ? 0 : 1);
    ORDER(a->object, b->object);
    ORDER(a->end_ps, b->end_ps);
    ORDER(a->net, b->net);
    ORDER(a->inference, b->inference);
    ORDER(a->position, b->position);
    return 0;
}

pp_status pp_trace_events(pp_trace *t, const pp_trace_event **event, size_t *n)
{
    if (t->failed)
        return pp_fail(PP_ENOMEM, "trace: out of memory after %zu events; --trace-limit bounds them", t->kept.len);
    if (!t->sorted && t->kept.len > 0)
        qsort(t->kept.data, t->kept.len, sizeof *t->kept.data, by_time);
    t->sorted = true;
    *event = t->kept.data;
    *n = t->kept.len;
    return PP_OK;
}

pp_trace_stats pp_trace_get_stats(const pp_trace *t)
{
    return (pp_trace_stats){.events = t->events, .kept = t->kept.len, .every = t->every, .cut_ps = t->cut_ps};
}

static char *append(char *text, char *more)
{
    char *both = text != NULL && more != NULL ? pp_strf("%s%s", text, more) : NULL;
    free(text);
    free(more);
    return both;
}

char *pp_trace_statement(const pp_trace *t)
{
    const pp_trace_options *o = &t->options;
    if (t->kept.len == t->events)
        return pp_strf("all %" PRIu64 " events", t->events);
    char *text = pp_strf("%zu of %" PRIu64 " events", t->kept.len, t->events);
    if (o->from_ps > 0)
        text = append(text, pp_strf("; from %.6f us", (double)o->from_ps * 1e-6));
    if (o->to_ps != PP_TIME_NEVER)
        text = append(text, pp_strf("; before %.6f us", (double)o->to_ps * 1e-6));
    if (t->every > 1)
        text = append(text, pp_strf("; of %s 0, %" PRIu32 ", %" PRIu64 " and so on alone",
                                    o->tokens ? "tokens" : "inferences", t->every, (uint64_t)t->every * 2));
    if (t->cut_ps != PP_TIME_NEVER)
        text = append(text, pp_strf("; ends at %.6f us, where the limit of %" PRIu64 " events was full",
                                    (double)t->cut_ps * 1e-6, o->limit));
    return text;
}
