/* A pipeline that repeats itself: found by its whole state, never assumed.
 *
 * At the completion of an inference everything that decides the future is hashed (128 bit) relative
 * to that moment and that inference: progress of tiles, flows, nets and edges, times at which tiles
 * and channels are free, what waits, and what the feed has promised. Events that are still pending are
 * covered by the hash of everything scheduled since the last completion (relative times, targets,
 * payloads), provided that none from before is left. When the state equals the one at the completion
 * before, the next inferences go the same way, until the input's end comes into sight. So the run
 * simply goes on with fewer inferences to come; afterwards times and counters of those left out are
 * put in, each a period like the last. */
#include "sim/pipeline_internal.h"

#include <stdlib.h>

/* All counters that grow; [i] of now, of the completion before, and the growth of a period. */
typedef struct pp_repeat {
    uint64_t hash[2], state[2]; /* schedule hash, state hash of the completion before */
    uint64_t horizon_ps;        /* latest event scheduled before the last completion */
    bool known;
    size_t n;
    uint64_t *now, *before;
    uint32_t jump_after; /* inference after which the jump was made */
    uint64_t period_ps;
} pp_repeat;

/* ---- counters as one list ---- */

enum { TILE_COUNTERS = 6, CHANNEL_COUNTERS = 5, FLOW_COUNTERS = 2, EDGE_COUNTERS = 2 };

static void tile_counters(pp_sim_tile *t, uint64_t *list[TILE_COUNTERS])
{
    list[0] = &t->fired;
    list[1] = &t->busy_ps;
    list[2] = &t->wait_input_ps;
    list[3] = &t->wait_room_ps;
    list[4] = &t->joined;
    list[5] = &t->completed;
}

static void channel_counters(pp_sim_channel *c, uint64_t *list[CHANNEL_COUNTERS])
{
    list[0] = &c->packets;
    list[1] = &c->bits;
    list[2] = &c->busy_ps;
    list[3] = &c->wait_ps;
    list[4] = &c->blocked_ps;
}

static void flow_counters(pp_sim_flow *f, uint64_t *list[FLOW_COUNTERS])
{
    list[0] = &f->arrived;
    list[1] = &f->latency_sum_ps;
}

/* Calls `visit` on every counter in a fixed order. */
static void each_counter(pp_sim *s, void (*visit)(uint64_t *counter, uint64_t *stored, uint64_t times),
                         uint64_t *stored, uint64_t times)
{
    uint64_t *list[TILE_COUNTERS];
    for (uint32_t i = 0; i < s->m->n_tiles; i++) {
        tile_counters(&s->tile[i], list);
        for (uint32_t k = 0; k < TILE_COUNTERS; k++)
            visit(list[k], stored++, times);
    }
    for (uint32_t i = 0; i < s->fabric->n_channels; i++) {
        channel_counters(&s->channel[i], list);
        for (uint32_t k = 0; k < CHANNEL_COUNTERS; k++)
            visit(list[k], stored++, times);
    }
    for (uint32_t i = 0; i < s->m->n_flows; i++) {
        flow_counters(&s->flow[i], list);
        for (uint32_t k = 0; k < FLOW_COUNTERS; k++)
            visit(list[k], stored++, times);
    }
    for (uint32_t i = 0; i < s->m->n_edges; i++) {
        visit(&s->edge[i].waited_ps, stored++, times);
        visit(&s->edge[i].caused_ps, stored++, times);
    }
}

static void store(uint64_t *counter, uint64_t *stored, uint64_t times)
{
    (void)times;
    *stored = *counter;
}

static void add_times(uint64_t *counter, uint64_t *stored, uint64_t times)
{
    *counter += *stored * times;
}

/* ---- the state, relative to now and to the inference just completed ---- */

typedef struct pp_state {
    uint64_t h[2];
    uint64_t now_ps, image; /* inferences completed */
} pp_state;

static void put(pp_state *st, uint64_t v)
{
    st->h[0] = pp_sim_mix(st->h[0], v);
    st->h[1] = pp_sim_mix(st->h[1] + 0x632be59bd9b4e019u, v);
}

/* A time that only matters when it is still to come. */
static void put_future(pp_state *st, uint64_t time_ps)
{
    put(st, time_ps == PP_TIME_NEVER ? PP_TIME_NEVER : time_ps > st->now_ps ? time_ps - st->now_ps : 0);
}

static void put_tiles(pp_state *st, const pp_sim *s)
{
    for (uint32_t i = 0; i < s->m->n_tiles; i++) {
        const pp_sim_tile *t = &s->tile[i];
        uint64_t done = st->image * t->firings;
        put(st, t->fired - done);
        put(st, t->results - done);
        put(st, t->joined - done);
        put(st, t->completed - done);
        put(st, t->missing);
        put(st, (uint64_t)t->wants_feed << 1 | t->queued);
        put_future(st, t->wake_ps);
        /* Also past ones: the waiting times of the next firing count from them. */
        put(st, st->now_ps - t->free_ps);
        put(st, st->now_ps - t->inputs_ps);
        put(st, t->in_bytes);
    }
}

static void put_flows(pp_state *st, const pp_sim *s)
{
    for (uint32_t i = 0; i < s->m->n_flows; i++) {
        const pp_sim_flow *f = &s->flow[i];
        uint64_t done = st->image * f->positions;
        put(st, f->arrived - done);
        put(st, f->released - done);
        put(st, f->capacity ? f->reserved - done : 0);
        put_future(st, f->path_free_ps);
        const pp_sim_ring *ready = &s->net[f->net].ready;
        for (uint64_t n = f->arrived; n < ready->tail; n++)
            put(st, st->now_ps - *(const uint64_t *)pp_sim_ring_at(ready, n));
    }
}

static void put_channels(pp_state *st, const pp_sim *s)
{
    for (uint32_t i = 0; i < s->m->n_edges; i++)
        put(st, s->edge[i].sent - st->image * s->edge[i].packets);
    for (uint32_t i = 0; i < s->fabric->n_channels; i++) {
        const pp_sim_channel *c = &s->channel[i];
        put_future(st, c->free_ps);
        put_future(st, c->wake_ps);
        put(st, c->credits);
        put(st, c->queue.head < c->queue.tail ? c->serving : PP_NONE);
        bool finite = s->fifo_packets > 0;
        for (uint64_t n = c->queue.head; n < c->queue.tail; n++) {
            const pp_sim_waiting *w = pp_sim_ring_at(&c->queue, n);
            if (!finite && w->time_ps <= st->now_ps)
                continue; /* has started: drained at the next look */
            put(st, w->edge);
            put(st, w->time_ps - st->now_ps);
            put(st, finite ? w->tail_ps - st->now_ps : 0);
        }
    }
    size_t slots = (size_t)s->m->n_edges * s->fifo_packets;
    for (size_t i = 0; i < slots; i++) {
        put(st, s->slot[i].branches);
        put_future(st, s->slot[i].tail_ps);
    }
}

/* Without a capacity the feed is a function of absolute time: only its own pace repeats it. */
static void put_feed(pp_state *st, const pp_sim *s)
{
    const pp_sim_feed *f = &s->feed;
    uint64_t done = st->image * f->pixels;
    if (!f->capacity) {
        put(st, done * f->pixel_ps - st->now_ps);
        return;
    }
    put(st, f->granted - done);
    put(st, f->released - done);
    put_future(st, f->last_ps);
    for (uint32_t i = 0; i < f->n_taps; i++)
        put(st, f->tap[i].released - done);
    for (uint64_t n = f->granted > f->mask ? f->granted - f->mask : 0; n < f->granted; n++)
        put_future(st, f->arrival_ps[n & f->mask]);
}

/* Slots are indexed by packet modulo depth; a period that is no multiple of the depth turns them. Such a
 * repetition is not recognised, which costs time and nothing else. */
static void state_hash(const pp_sim *s, uint64_t out[2])
{
    pp_state st = {.h = {1, 2}, .now_ps = s->now_ps, .image = s->images_done};
    put_tiles(&st, s);
    put_flows(&st, s);
    put_channels(&st, s);
    put_feed(&st, s);
    out[0] = st.h[0];
    out[1] = st.h[1];
}

/* ---- the jump ---- */

pp_status pp_sim_repeat_new(pp_sim *s)
{
    s->repeat = pp_calloc(1, sizeof *s->repeat);
    if (!s->repeat)
        return PP_ENOMEM;
    pp_repeat *r = s->repeat;
    r->n = (size_t)s->m->n_tiles * TILE_COUNTERS + (size_t)s->fabric->n_channels * CHANNEL_COUNTERS +
           (size_t)s->m->n_flows * FLOW_COUNTERS + (size_t)s->m->n_edges * EDGE_COUNTERS;
    r->now = pp_calloc(r->n, sizeof *r->now);
    r->before = pp_calloc(r->n, sizeof *r->before);
    return r->now && r->before ? PP_OK : PP_ENOMEM;
}

void pp_sim_repeat_free(pp_repeat *r)
{
    if (!r)
        return;
    free(r->now);
    free(r->before);
    free(r);
}

/* Inferences that some part of the pipeline has begun: the end of the input is beyond them. */
static uint32_t inferences_begun(const pp_sim *s)
{
    uint32_t begun = s->feed.capacity ? (uint32_t)(s->feed.granted / s->feed.pixels) + 1 : 0;
    for (uint32_t i = 0; i < s->m->n_tiles; i++)
        begun = s->tile[i].image + 1 > begun ? s->tile[i].image + 1 : begun;
    return begun;
}

/* Busy times at an end of the steady window that is jumped over. */
static void jump_snapshot(pp_sim *s, const pp_repeat *r, uint32_t image, uint32_t end)
{
    if (s->window[end] <= image || s->window[end] > image + s->jumped)
        return;
    uint64_t times = s->window[end] - image;
    pp_sim_snapshot *shot = &s->shot[end];
    pp_sim_snapshot_take(s, shot);
    for (uint32_t i = 0; i < s->m->n_tiles; i++)
        shot->tile_busy_ps[i] += times * r->now[(size_t)i * TILE_COUNTERS + 1];
    size_t channels = (size_t)s->m->n_tiles * TILE_COUNTERS;
    for (uint32_t i = 0; i < s->fabric->n_channels; i++)
        shot->channel_busy_ps[i] += times * r->now[channels + (size_t)i * CHANNEL_COUNTERS + 2];
}

static void jump(pp_sim *s, uint32_t image)
{
    pp_repeat *r = s->repeat;
    uint32_t begun = inferences_begun(s) + 1;
    if (begun >= s->images)
        return;
    s->jumped = s->images - begun;
    s->images = begun;
    r->jump_after = image;
    r->period_ps = s->done_ps[image] - s->done_ps[image - 1];
    for (size_t i = 0; i < r->n; i++)
        r->now[i] -= r->before[i];
    jump_snapshot(s, r, image, 0);
    jump_snapshot(s, r, image, 1);
}

void pp_sim_repeat_look(pp_sim *s)
{
    pp_repeat *r = s->repeat;
    uint32_t image = s->images_done - 1;
    s->images_looked = s->images_done;
    if (s->jumped)
        return;
    uint64_t state[2];
    pp_sim_charge_all(s);
    state_hash(s, state);
    uint64_t *swap = r->before;
    r->before = r->now;
    r->now = swap;
    each_counter(s, store, r->now, 0);
    bool same = r->known && state[0] == r->state[0] && state[1] == r->state[1] && s->schedule_hash[0] == r->hash[0] &&
                s->schedule_hash[1] == r->hash[1] && r->horizon_ps < s->now_ps && image >= s->options->execute;
    for (uint32_t i = 0; i < 2; i++) {
        r->state[i] = state[i];
        r->hash[i] = s->schedule_hash[i];
        s->schedule_hash[i] = 0;
    }
    r->known = true;
    r->horizon_ps = s->horizon_ps;
    if (same)
        jump(s, image);
}

/* ---- afterwards ---- */

static void apply_times(pp_sim *s)
{
    const pp_repeat *r = s->repeat;
    for (uint32_t i = s->images; i-- > r->jump_after + 1;)
        s->done_ps[i + s->jumped] = s->done_ps[i] + s->jumped * r->period_ps;
    for (uint32_t i = 1; i <= s->jumped; i++)
        s->done_ps[r->jump_after + i] = s->done_ps[r->jump_after] + i * r->period_ps;
}

/* An end of the steady window that was passed after the jump lacks the inferences before it. */
static void apply_snapshot(pp_sim *s, uint32_t end)
{
    const pp_repeat *r = s->repeat;
    size_t channels = (size_t)s->m->n_tiles * TILE_COUNTERS;
    if (s->window[end] <= r->jump_after + s->jumped)
        return;
    for (uint32_t i = 0; i < s->m->n_tiles; i++)
        s->shot[end].tile_busy_ps[i] += s->jumped * r->now[(size_t)i * TILE_COUNTERS + 1];
    for (uint32_t i = 0; i < s->fabric->n_channels; i++)
        s->shot[end].channel_busy_ps[i] += s->jumped * r->now[channels + (size_t)i * CHANNEL_COUNTERS + 2];
}

void pp_sim_repeat_apply(pp_sim *s)
{
    if (!s->jumped)
        return;
    apply_times(s);
    apply_snapshot(s, 0);
    apply_snapshot(s, 1);
    each_counter(s, add_times, s->repeat->now, s->jumped);
    s->images += s->jumped;
    /* Later ones stand for the last inferences, or for none. */
    uint32_t whole = s->repeat->jump_after + 1;
    s->span_images = whole < s->span_images ? whole : s->span_images;
}
