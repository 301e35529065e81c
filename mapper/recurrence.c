/* The pipeline by max-plus algebra: no sharing, no events. docs/mapping.md has the equations; the
 * simulator without sharing must equal this.
 *
 * With unlimited buffers nothing ever waits for its consumers, so that tiles can be computed one after
 * the other in their order (sources first), each for all inferences. */
#include "mapper/mapper_internal.h"

#include <stdlib.h>
#include <string.h>

/* What a tile sends, in order, over all inferences. */
typedef struct pp_sent {
    uint64_t *ready; /* when the packet may enter the channel */
    uint64_t *fired; /* start of the firing that made it; only when buffers are recorded */
    uint32_t n;      /* packets an inference */
    uint8_t *kind;   /* [n] size of packet (pp_packet_kind); NULL: all whole */
} pp_sent;

/* A flow while its consumer is computed: packets taken so far and places held. */
typedef struct pp_cursor {
    const pp_sent *from;
    const uint32_t *last, *first;      /* of the input; NULL for partial sums */
    uint32_t copy, copies;             /* of the source */
    uint64_t serial_ps[4], latency_ps; /* by packet size; sum over the way */
    uint64_t taken;                    /* packets whose arrival is known */
    uint32_t phase;                    /* taken modulo the packets of an inference */
    uint64_t free_ps, arrival_ps;      /* channel's entry; of the last packet taken */
    uint64_t reserved, released, most; /* packets counted into the buffer, out of it; most at once */
    uint32_t flow;
} pp_cursor;

/* Input 0's pixels that feed a tile directly. */
typedef struct pp_feed {
    const uint32_t *last;
} pp_feed;

typedef struct pp_run {
    const pp_timing_input *in;
    pp_timing *out;
    pp_sent *sent;     /* [n_tiles] */
    uint32_t *end;     /* [n_flows] last edge of its way, with a fabric */
    pp_cursor *cursor; /* of the tile at hand: first those that firings wait for, then sums */
    pp_feed *feed;
    uint32_t n_wait, n_cursors, n_feeds;
    uint64_t *start;     /* of the tile at hand, all inferences */
    uint64_t *feed_base; /* [inferences] when the first pixel begins to enter */
    uint64_t *done;      /* [inferences] of the output stage */
    uint64_t pixel_ps, credit_ps;
} pp_run;

/* ---- ways ---- */

/* Edge at whose far end each flow ends; PP_NONE when it takes no channel. */
static pp_status find_ends(pp_run *r)
{
    const pp_mapping *m = r->in->m;
    if (!r->in->fabric)
        return PP_OK;
    r->end = pp_alloc(m->n_flows, sizeof *r->end);
    if (!r->end)
        return PP_ENOMEM;
    for (uint32_t f = 0; f < m->n_flows; f++)
        r->end[f] = PP_NONE;
    for (uint32_t e = 0; e < m->n_edges; e++)
        for (uint32_t i = 0; i < m->edge[e].n_end; i++)
            r->end[m->edge_end[m->edge[e].first_end + i]] = e;
    return PP_OK;
}

static void add_channel(pp_cursor *c, const pp_channel *channel, const uint32_t *pixels, uint32_t bits_per_pixel,
                        uint32_t header_bits)
{
    c->latency_ps += channel->latency_ps;
    for (uint32_t kind = 0; kind < 4; kind++) {
        uint64_t ps = pp_channel_serialise_ps(channel, (uint64_t)pixels[kind] * bits_per_pixel + header_bits);
        c->serial_ps[kind] = ps > c->serial_ps[kind] ? ps : c->serial_ps[kind];
    }
}

/* Cut-through: the head pays every latency, the packet is serialised once, on the slowest channel. */
static void find_way(const pp_run *r, pp_cursor *c)
{
    const pp_timing_input *in = r->in;
    const pp_flow *flow = &in->m->flow[c->flow];
    pp_shape map;
    pp_patch patch;
    pp_packet_sizes sizes;
    pp_flow_cut(in->m, in->q, flow, &map, &patch);
    pp_packet_sizes_of(&sizes, map, patch, 0, 1);
    if (in->fabric)
        for (uint32_t e = r->end[c->flow]; e != PP_NONE; e = in->m->edge[e].parent)
            add_channel(c, &in->fabric->channel[in->m->edge[e].channel], sizes.pixels, flow->bits_per_pixel,
                        in->header_bits);
    else if (in->channel)
        add_channel(c, in->channel, sizes.pixels, flow->bits_per_pixel, in->header_bits);
}

/* ---- a tile's inputs ---- */

static pp_status add_cursor(pp_run *r, uint32_t flow_index)
{
    const pp_mapping *m = r->in->m;
    const pp_flow *flow = &m->flow[flow_index];
    const pp_tile *src = &m->tile[flow->src];
    pp_cursor *c = &r->cursor[r->n_cursors++];
    *c = (pp_cursor){.from = &r->sent[flow->src], .flow = flow_index, .copy = src->copy};
    c->copies = m->plan[src->stage].copies;
    find_way(r, c);
    if (flow->kind == PP_FLOW_PSUM)
        return PP_OK;
    uint32_t stage = m->tile[flow->dst].stage;
    return pp_tables_get(r->in->tables, stage, flow->input, m->plan[stage].patch, pp_stream_patch(m, flow->stream),
                         &c->last, &c->first);
}

static pp_status add_feeds(pp_run *r, uint32_t tile)
{
    const pp_mapping *m = r->in->m;
    uint32_t stage = m->tile[tile].stage;
    const pp_stage *s = &r->in->q->stages->stage[stage];
    r->n_feeds = 0;
    for (uint32_t k = 0; k < s->n_inputs; k++) {
        const uint32_t *first;
        if (s->inputs[k].stream != 0 || (s->inputs[k].role == PP_ROLE_ADD && !m->tile[tile].head))
            continue;
        PP_TRY(pp_tables_get(r->in->tables, stage, k, m->plan[stage].patch, (pp_patch){1, 1},
                             &r->feed[r->n_feeds++].last, &first));
    }
    return PP_OK;
}

static pp_status open_inputs(pp_run *r, uint32_t tile)
{
    const pp_mapping *m = r->in->m;
    uint32_t begin = m->flow_of_tile_first[tile], end = m->flow_of_tile_first[tile + 1];
    r->n_cursors = 0;
    for (uint32_t i = begin; i < end; i++)
        if (m->flow[m->flow_of_tile[i]].kind != PP_FLOW_PSUM)
            PP_TRY(add_cursor(r, m->flow_of_tile[i]));
    r->n_wait = r->n_cursors;
    for (uint32_t i = begin; i < end; i++)
        if (m->flow[m->flow_of_tile[i]].kind == PP_FLOW_PSUM)
            PP_TRY(add_cursor(r, m->flow_of_tile[i]));
    return add_feeds(r, tile);
}

/* ---- time ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Arrival of packet `count` - 1 (counted over all inferences). */
static uint64_t arrival(pp_cursor *c, uint64_t count)
{
    while (c->taken < count) {
        uint64_t serial = c->serial_ps[c->from->kind ? c->from->kind[c->phase] : 0];
        uint64_t enter = later(c->from->ready[c->taken], c->free_ps);
        c->free_ps = enter + serial;
        c->arrival_ps = enter + serial + c->latency_ps;
        c->taken++;
        c->phase = c->phase + 1 == c->from->n ? 0 : c->phase + 1;
    }
    return c->arrival_ps;
}

/* When all that firing p of this inference waits for has arrived. */
static uint64_t inputs_there(pp_run *r, uint32_t inference, uint32_t p)
{
    uint64_t t = 0;
    for (uint32_t i = 0; i < r->n_feeds; i++)
        t = later(t, r->feed_base[inference] + (r->feed[i].last[p] + UINT64_C(1)) * r->pixel_ps);
    for (uint32_t i = 0; i < r->n_wait; i++) {
        pp_cursor *c = &r->cursor[i];
        uint32_t need = pp_copy_count(c->last[p] + 1, c->copy, c->copies);
        if (need)
            t = later(t, arrival(c, (uint64_t)inference * c->from->n + need));
    }
    return t;
}

/* ---- places in buffers ---- */

/* A packet holds its place from the start of the firing that makes it (`fired`) to `at`, when the
 * consumer gives back all before `released`. */
static void release(pp_cursor *c, uint64_t released, uint64_t at, uint64_t total)
{
    while (c->reserved < total && c->from->fired[c->reserved] < at) {
        c->reserved++;
        if (c->reserved > c->released && c->reserved - c->released > c->most)
            c->most = c->reserved - c->released;
    }
    c->released = released;
}

/* After firing f (of `firings` an inference, position p): the array has read its inputs when it is free
 * again, the digital unit residuals and sums when it is through with p. */
static void release_inputs(pp_run *r, const pp_plan *plan, uint32_t inference, uint32_t f, uint32_t firings, uint32_t p,
                           uint64_t read, uint64_t finished)
{
    bool last_one = f + 1 == firings;
    for (uint32_t i = 0; i < r->n_cursors; i++) {
        pp_cursor *c = &r->cursor[i];
        uint64_t base = (uint64_t)inference * c->from->n, total = (uint64_t)r->in->inferences * c->from->n;
        uint32_t n = c->from->n;
        if (!last_one)
            n = c->first ? pp_copy_count(c->first[p + plan->copies], c->copy, c->copies) : f + 1;
        bool digital = r->in->m->flow[c->flow].kind != PP_FLOW_ACTIVATION;
        release(c, base + n, (digital ? finished : read) + r->credit_ps, total);
    }
}

static void note_buffers(pp_run *r)
{
    for (uint32_t i = 0; i < r->n_cursors; i++) {
        pp_cursor *c = &r->cursor[i];
        release(c, c->released, UINT64_MAX, (uint64_t)r->in->inferences * c->from->n);
        r->out->buffer[c->flow] = (uint32_t)later(c->most, 1);
    }
}

/* ---- one tile ---- */

static pp_status open_sent(pp_run *r, uint32_t tile, uint32_t firings)
{
    const pp_mapping *m = r->in->m;
    const pp_tile *t = &m->tile[tile];
    const pp_plan *plan = &m->plan[t->stage];
    const pp_stage *s = &r->in->q->stages->stage[t->stage];
    pp_sent *sent = &r->sent[tile];
    pp_shape map = t->head ? s->out : s->fire;
    pp_patch patch = t->head ? plan->out_patch : plan->patch;
    sent->n = t->head ? pp_copy_count(plan->out_positions, t->copy, plan->copies) : firings;
    sent->ready = pp_alloc((size_t)sent->n * r->in->inferences, sizeof *sent->ready);
    if (!sent->ready)
        return PP_ENOMEM;
    if (r->out->buffer) {
        sent->fired = pp_alloc((size_t)sent->n * r->in->inferences, sizeof *sent->fired);
        if (!sent->fired)
            return PP_ENOMEM;
    }
    if (map.h % patch.y == 0 && map.w % patch.x == 0)
        return PP_OK;
    sent->kind = pp_alloc(sent->n, sizeof *sent->kind);
    if (!sent->kind)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < sent->n; i++)
        sent->kind[i] = (uint8_t)pp_packet_kind(map, patch, t->copy + i * plan->copies);
    return PP_OK;
}

/* Inference from which on start and packets repeat after the period. */
static void note_settled(pp_run *r, const pp_sent *sent, uint32_t firings)
{
    uint64_t period = r->in->period_ps;
    for (uint32_t i = r->in->inferences - 1; i > r->out->settled; i--) {
        bool same = true;
        const uint64_t *now = &r->start[(size_t)i * firings], *out = &sent->ready[(size_t)i * sent->n];
        for (uint32_t f = 0; f < firings && same; f++)
            same = now[f] - *(now + f - firings) == period;
        for (uint32_t e = 0; e < sent->n && same; e++)
            same = out[e] - *(out + e - sent->n) == period;
        if (!same) {
            r->out->settled = i;
            return;
        }
    }
}

/* What stays the same over the firings of a tile. */
typedef struct pp_firing {
    const pp_tile *tile;
    const pp_plan *plan;
    const uint32_t *emitted; /* NULL: one packet a firing */
    pp_sent *sent;
    uint32_t firings; /* an inference */
    size_t packets;   /* sent so far */
    uint64_t free_ps;
} pp_firing;

/* Firing f of an inference; returns when its result is complete. */
static uint64_t fire(pp_run *r, pp_firing *t, uint32_t inference, uint32_t f)
{
    uint32_t p = t->tile->copy + f * t->plan->copies;
    uint64_t start = later(t->free_ps, inputs_there(r, inference, p));
    uint64_t done = start + t->plan->mvm.latency_ps;
    for (uint32_t i = r->n_wait; i < r->n_cursors; i++)
        done = later(done, arrival(&r->cursor[i], (uint64_t)inference * t->firings + f + 1));
    if (t->tile->head)
        done += (uint64_t)r->in->arch->digital_ps;
    t->free_ps = start + t->plan->mvm.interval_ps;
    size_t upto = (size_t)inference * t->sent->n + (t->emitted ? t->emitted[p] : f + 1);
    for (; t->packets < upto; t->packets++) {
        t->sent->ready[t->packets] = done;
        if (t->sent->fired)
            t->sent->fired[t->packets] = start;
    }
    if (r->out->buffer) {
        r->start[(size_t)inference * t->firings + f] = start;
        release_inputs(r, t->plan, inference, f, t->firings, p, t->free_ps, done);
    }
    return done;
}

static pp_status run_tile(pp_run *r, uint32_t tile)
{
    pp_firing t = {.tile = &r->in->m->tile[tile], .sent = &r->sent[tile]};
    t.plan = &r->in->m->plan[t.tile->stage];
    t.firings = pp_copy_count(t.plan->positions, t.tile->copy, t.plan->copies);
    PP_TRY(open_inputs(r, tile));
    PP_TRY(open_sent(r, tile, t.firings));
    /* Stages that pool have one copy, so there `emitted` counts the tile's own packets. */
    if (t.tile->head && t.plan->copies == 1)
        PP_TRY(pp_tables_emission(r->in->tables, t.tile->stage, t.plan->patch, &t.emitted));
    for (uint32_t inference = 0; inference < r->in->inferences; inference++) {
        uint64_t done = 0;
        for (uint32_t f = 0; f < t.firings; f++)
            done = fire(r, &t, inference, f);
        if (t.tile->stage == r->in->q->stages->output)
            r->done[inference] = later(r->done[inference], done);
    }
    if (r->out->buffer) {
        note_buffers(r);
        note_settled(r, t.sent, t.firings);
    }
    return PP_OK;
}

/* ---- the run ---- */

/* Pixels enter one after the other at channel rate; an inference not before its turn. */
static void fill_feed(pp_run *r)
{
    uint64_t t = 0;
    for (uint32_t i = 0; i < r->in->inferences; i++) {
        r->feed_base[i] = later(t, i * r->in->period_ps);
        t = r->feed_base[i] + pp_feed_pixels(r->in->q) * r->pixel_ps;
    }
}

static pp_status allocate(pp_run *r)
{
    const pp_mapping *m = r->in->m;
    uint32_t cursors = 0, feeds = 0, positions = 0;
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        uint32_t n = m->flow_of_tile_first[t + 1] - m->flow_of_tile_first[t];
        cursors = n > cursors ? n : cursors;
    }
    for (uint32_t s = 0; s < m->n_stages; s++) {
        uint32_t n = r->in->q->stages->stage[s].n_inputs;
        feeds = n > feeds ? n : feeds;
        positions = m->plan[s].positions > positions ? m->plan[s].positions : positions;
    }
    r->sent = pp_calloc(m->n_tiles, sizeof *r->sent);
    r->cursor = pp_calloc(cursors, sizeof *r->cursor);
    r->feed = pp_calloc(feeds, sizeof *r->feed);
    r->feed_base = pp_calloc(r->in->inferences, sizeof *r->feed_base);
    r->done = pp_calloc(r->in->inferences, sizeof *r->done);
    r->start = pp_alloc(r->out->buffer ? (size_t)positions * r->in->inferences : 1, sizeof *r->start);
    if (!r->sent || !r->cursor || !r->feed || !r->feed_base || !r->done || !r->start)
        return PP_ENOMEM;
    return find_ends(r);
}

static void clear(pp_run *r)
{
    for (uint32_t t = 0; r->sent && t < r->in->m->n_tiles; t++) {
        free(r->sent[t].ready);
        free(r->sent[t].fired);
        free(r->sent[t].kind);
    }
    free(r->sent);
    free(r->end);
    free(r->cursor);
    free(r->feed);
    free(r->feed_base);
    free(r->done);
    free(r->start);
}

pp_status pp_timing_run(pp_timing *out, const pp_timing_input *in)
{
    pp_run r = {.in = in, .out = out};
    pp_status status;
    uint32_t n = in->inferences;
    out->latency_ps = out->interval_ps = 0;
    out->settled = 0;
    PP_GOTO(done, status, allocate(&r));
    r.pixel_ps = pp_feed_pixel_ps(in->q, in->channel);
    r.credit_ps = in->fabric ? in->fabric->credit_ps : 0;
    fill_feed(&r);
    for (uint32_t t = 0; t < in->m->n_tiles; t++)
        PP_GOTO(done, status, run_tile(&r, t));
    out->latency_ps = r.done[0];
    out->interval_ps = n > 1 ? r.done[n - 1] - r.done[n - 2] : 0;
done:
    clear(&r);
    return status;
}

pp_status pp_recurrence(pp_recurrence_result *out, const pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch,
                        const pp_fabric *fabric, const pp_channel *channel, uint32_t inferences, uint64_t period_ps)
{
    pp_timing_input in = {.m = m,
                          .q = q,
                          .arch = arch,
                          .fabric = fabric,
                          .channel = channel,
                          .inferences = inferences,
                          .period_ps = period_ps};
    pp_timing timing = {0};
    pp_status status;
    *out = (pp_recurrence_result){0};
    if (inferences < 1)
        return pp_fail(PP_EINVAL, "the recurrence needs at least one inference");
    if (fabric && !m->net)
        return pp_fail(PP_EINVAL, "the recurrence on a fabric needs a mapping that is placed");
    if (fabric)
        in.header_bits = fabric->header_bits;
    if (!channel && fabric && fabric->n_channels)
        in.channel = &fabric->channel[0];
    PP_TRY(pp_tables_new(&in.tables, q));
    timing.buffer = pp_calloc(m->n_flows, sizeof *timing.buffer);
    status = timing.buffer ? pp_timing_run(&timing, &in) : PP_ENOMEM;
    pp_tables_free(in.tables);
    if (status != PP_OK) {
        free(timing.buffer);
        return status;
    }
    *out = (pp_recurrence_result){timing.latency_ps, timing.interval_ps, timing.buffer};
    return PP_OK;
}
