/* How much the input buffer of a flow must hold.
 *
 * buffer_min: the stages are run in the order in which the output asks for them (a firing happens only
 * when something needs what it emits), without time; the most positions that wait in a flow's buffer is
 * its minimum. One order of firings that fits its buffers is enough: with these buffers no order of
 * events can deadlock. docs/mapping.md sec. 6. */
#include "mapper/mapper_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* One input of one stage, seen from its stream. */
typedef struct pp_reader {
    uint32_t stage, k;
    const uint32_t *last, *first;
    uint32_t *most; /* [source copies x copies] most positions waiting */
} pp_reader;

typedef struct pp_lazy {
    const pp_mapping *m;
    const pp_qnetwork *q;
    pp_reader *reader;        /* grouped by stream */
    uint32_t *reader_first;   /* [n_stages + 2] readers of stream s */
    uint32_t *reader_of;      /* [inputs of all stages] reader of (stage, k), at input_first[stage] + k */
    uint32_t *input_first;    /* [n_stages + 1] */
    uint32_t *fired, *sent;   /* [n_stages] firings done, positions emitted */
    const uint32_t **emitted; /* [n_stages] */
    pp_arena *arena;
} pp_lazy;

/* ---- setting up ---- */

static uint32_t copies_of_stream(const pp_mapping *m, uint32_t stream)
{
    return stream ? m->plan[stream - 1].copies : 1;
}

static pp_status add_reader(pp_lazy *z, pp_tables *tables, uint32_t stage, uint32_t k, uint32_t at)
{
    const pp_plan *plan = &z->m->plan[stage];
    uint32_t stream = z->q->stages->stage[stage].inputs[k].stream;
    pp_reader *r = &z->reader[at];
    *r = (pp_reader){.stage = stage, .k = k};
    r->most = pp_arena_get(z->arena, (size_t)copies_of_stream(z->m, stream) * plan->copies, sizeof *r->most);
    if (!r->most)
        return PP_ENOMEM;
    z->reader_of[z->input_first[stage] + k] = at;
    return pp_tables_get(tables, stage, k, plan->patch, pp_stream_patch(z->m, stream), &r->last, &r->first);
}

static pp_status add_readers(pp_lazy *z, pp_tables *tables)
{
    uint32_t n = z->m->n_stages, *first = z->reader_first;
    for (uint32_t s = 0; s < n; s++)
        for (uint32_t k = 0; k < z->q->stages->stage[s].n_inputs; k++)
            first[z->q->stages->stage[s].inputs[k].stream + 1]++;
    for (uint32_t s = 0; s <= n; s++)
        first[s + 1] += first[s];
    for (uint32_t s = 0; s < n; s++) {
        PP_TRY(pp_tables_emission(tables, s, z->m->plan[s].patch, &z->emitted[s]));
        for (uint32_t k = 0; k < z->q->stages->stage[s].n_inputs; k++)
            PP_TRY(add_reader(z, tables, s, k, first[z->q->stages->stage[s].inputs[k].stream]++));
    }
    for (uint32_t s = n + 1; s > 0; s--)
        first[s] = first[s - 1];
    first[0] = 0;
    return PP_OK;
}

static pp_status set_up(pp_lazy *z, pp_tables *tables)
{
    uint32_t n = z->m->n_stages, inputs = 0;
    PP_TRY(pp_arena_new(&z->arena));
    z->input_first = pp_arena_get(z->arena, n + 1u, sizeof *z->input_first);
    if (!z->input_first)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < n; s++)
        z->input_first[s + 1] = inputs += z->q->stages->stage[s].n_inputs;
    z->reader = pp_arena_get(z->arena, inputs, sizeof *z->reader);
    z->reader_of = pp_arena_get(z->arena, inputs, sizeof *z->reader_of);
    z->reader_first = pp_arena_get(z->arena, n + 2u, sizeof *z->reader_first);
    z->fired = pp_arena_get(z->arena, n, sizeof *z->fired);
    z->sent = pp_arena_get(z->arena, n, sizeof *z->sent);
    z->emitted = pp_arena_get(z->arena, n, sizeof *z->emitted);
    if (!z->reader || !z->reader_of || !z->reader_first || !z->fired || !z->sent || !z->emitted)
        return PP_ENOMEM;
    return add_readers(z, tables);
}

/* ---- running without time ---- */

/* First position that copy j of the reading stage still needs: that of its next firing. */
static uint32_t still_needed(const pp_lazy *z, const pp_reader *r, uint32_t j, uint32_t sent)
{
    const pp_plan *plan = &z->m->plan[r->stage];
    uint32_t fired = z->fired[r->stage], next = fired + (j + plan->copies - fired % plan->copies) % plan->copies;
    if (next >= plan->positions)
        return sent;
    return r->first[next] < sent ? r->first[next] : sent;
}

static void note_waiting(pp_lazy *z, uint32_t stream)
{
    uint32_t sources = copies_of_stream(z->m, stream), sent = z->sent[stream - 1];
    for (uint32_t i = z->reader_first[stream]; i < z->reader_first[stream + 1]; i++) {
        const pp_reader *r = &z->reader[i];
        uint32_t copies = z->m->plan[r->stage].copies;
        for (uint32_t j = 0; j < copies; j++) {
            uint32_t from = still_needed(z, r, j, sent);
            for (uint32_t c = 0; c < sources; c++) {
                uint32_t waiting = pp_copy_count(sent, c, sources) - pp_copy_count(from, c, sources);
                uint32_t *most = &r->most[c * copies + j];
                *most = waiting > *most ? waiting : *most;
            }
        }
    }
}

/* Fires `stage` until `firings` are done, and before each what it needs. Depth: the longest path. */
static void demand(pp_lazy *z, uint32_t stage, uint32_t firings)
{
    const pp_stage *s = &z->q->stages->stage[stage];
    while (z->fired[stage] < firings) {
        uint32_t p = z->fired[stage];
        for (uint32_t k = 0; k < s->n_inputs; k++) {
            const pp_reader *r = &z->reader[z->reader_of[z->input_first[stage] + k]];
            uint32_t source = s->inputs[k].stream;
            while (source && z->sent[source - 1] <= r->last[p])
                demand(z, source - 1, z->fired[source - 1] + 1);
        }
        z->fired[stage]++;
        z->sent[stage] = z->emitted[stage][p];
        note_waiting(z, stage + 1);
    }
}

/* One inference: the output stage to its end, then what nobody asked for. */
static void run_lazily(pp_lazy *z)
{
    demand(z, z->q->stages->output, z->m->plan[z->q->stages->output].positions);
    for (uint32_t s = 0; s < z->m->n_stages; s++)
        demand(z, s, z->m->plan[s].positions);
}

static pp_status fill_minimum(pp_mapping *m, const pp_qnetwork *q, pp_tables *tables)
{
    pp_lazy z = {.m = m, .q = q};
    pp_status status = set_up(&z, tables);
    if (status == PP_OK)
        run_lazily(&z);
    for (uint32_t f = 0; f < m->n_flows && status == PP_OK; f++) {
        pp_flow *flow = &m->flow[f];
        const pp_tile *src = &m->tile[flow->src], *dst = &m->tile[flow->dst];
        flow->buffer_min = 1; /* partial sums: summed firing by firing */
        if (flow->kind == PP_FLOW_PSUM)
            continue;
        const pp_reader *r = &z.reader[z.reader_of[z.input_first[dst->stage] + flow->input]];
        uint32_t most = r->most[src->copy * m->plan[dst->stage].copies + dst->copy];
        flow->buffer_min = most > 1 ? most : 1;
    }
    pp_arena_free(z.arena);
    return status;
}

/* ---- buffers that keep the interval ---- */

#define MAX_INFERENCES 128u

/* Runs the recurrence with one inference each interval until everything repeats, and as long again as an
 * inference is under way: then the most places held is that of the periodic schedule. */
static pp_status fill_auto(pp_mapping *m, const pp_timing_input *base)
{
    uint64_t period = m->bounds.interval_ps ? m->bounds.interval_ps : 1;
    uint64_t under_way = m->bounds.latency_ps / period + 2;
    pp_timing_input in = *base;
    pp_timing timing = {.buffer = pp_calloc(m->n_flows, sizeof *timing.buffer)};
    pp_status status = timing.buffer ? PP_OK : PP_ENOMEM;
    in.period_ps = period;
    in.inferences = (uint32_t)(2 * under_way < MAX_INFERENCES ? 2 * under_way : MAX_INFERENCES);
    while (status == PP_OK) {
        status = pp_timing_run(&timing, &in);
        if (in.inferences >= MAX_INFERENCES || timing.settled + under_way <= in.inferences)
            break;
        in.inferences = 2 * in.inferences < MAX_INFERENCES ? 2 * in.inferences : MAX_INFERENCES;
    }
    for (uint32_t f = 0; f < m->n_flows && status == PP_OK; f++)
        m->flow[f].buffer = timing.buffer[f] > m->flow[f].buffer_min ? timing.buffer[f] : m->flow[f].buffer_min;
    free(timing.buffer);
    return status;
}

/* auto: -1, unlimited: 0. */
static bool parse(const char *buffers, int64_t *out)
{
    *out = strcmp(buffers, "auto") == 0 ? -1 : 0;
    if (*out || strcmp(buffers, "unlimited") == 0)
        return true;
    return pp_parse_i64(buffers, out) && *out >= 1 && *out <= INT32_MAX;
}

pp_status pp_buffers_check(const char *buffers)
{
    int64_t value;
    if (!parse(buffers, &value))
        return pp_fail(PP_EINVAL,
                       "mapping.buffers: expected auto, unlimited or a number of positions from 1, found '%s'%s",
                       buffers, pp_hint(buffers, "auto unlimited", (char[PP_HINT_MAX]){0}));
    return PP_OK;
}

pp_status pp_buffers_fill(pp_mapping *m, const pp_timing_input *in, const char *buffers)
{
    int64_t value = 0;
    PP_TRY(pp_buffers_check(buffers));
    (void)parse(buffers, &value);
    PP_TRY(fill_minimum(m, in->q, in->tables));
    if (value < 0)
        return fill_auto(m, in);
    for (uint32_t f = 0; f < m->n_flows; f++)
        m->flow[f].buffer = (uint32_t)value;
    return PP_OK;
}

void pp_buffers_limit_psums(pp_mapping *m, int64_t window)
{
    for (uint32_t f = 0; window > 0 && f < m->n_flows; f++) {
        pp_flow *flow = &m->flow[f];
        if (flow->kind == PP_FLOW_PSUM && (flow->buffer == 0 || flow->buffer > window))
            flow->buffer = (uint32_t)window;
    }
}
