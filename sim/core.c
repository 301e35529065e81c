/* Tiles: when they fire, what they join, and what they emit. */
#include "sim/execute_internal.h"
#include "sim/pipeline_internal.h"

void pp_sim_look(pp_sim *s, uint32_t tile)
{
    if (s->tile[tile].queued)
        return;
    s->tile[tile].queued = true;
    uint32_t at = s->work_head + s->work_n++;
    s->work[at < s->m->n_tiles ? at : at - s->m->n_tiles] = tile;
}

/* ---- completing a firing ---- */

static void finish_image(pp_sim *s, uint32_t image)
{
    if (--s->image_left[image])
        return;
    s->done_ps[image] = s->now_ps;
    s->images_done++;
    pp_progress_step(&s->bar, 1);
    for (uint32_t i = s->options->images > 1 ? 0 : 1; i < 2; i++)
        if (image + s->jumped == s->window[i])
            pp_sim_snapshot_take(s, &s->shot[i]);
}

static void note_result(pp_sim *s, const pp_sim_tile *t)
{
    pp_stage_span *span = &s->span[(size_t)t->done_image * s->m->n_stages + t->stage];
    span->first_done_ps = s->now_ps < span->first_done_ps ? s->now_ps : span->first_done_ps;
    span->last_done_ps = s->now_ps > span->last_done_ps ? s->now_ps : span->last_done_ps;
}

static pp_status emit(pp_sim *s, uint32_t tile)
{
    pp_sim_tile *t = &s->tile[tile];
    uint32_t count = t->emission ? t->emission[t->done_next] : 1;
    for (uint32_t i = 0; i < count; i++) {
        if (s->exec)
            PP_TRY(pp_exec_emit(s->exec, tile, t->done_image));
        for (uint32_t n = 0; n < t->n_net; n++)
            PP_TRY(pp_sim_send(s, s->m->net_of_tile[t->first_net + n]));
    }
    if (t->head && t->done_image < s->span_images)
        note_result(s, t);
    t->completed++;
    uint32_t image = t->done_image;
    if (++t->done_next < t->firings)
        return PP_OK;
    t->done_next = 0;
    t->done_image++;
    if (t->output)
        finish_image(s, image);
    return PP_OK;
}

static void release(pp_sim *s, pp_sim_flow *f, uint64_t until)
{
    if (until == f->released)
        return;
    /* A stride may release positions that are still to come: only those that came hold memory. */
    uint64_t held = f->arrived > f->released ? f->arrived - f->released : 0;
    uint64_t stays = f->arrived > until ? f->arrived - until : 0;
    f->released = until;
    s->tile[f->dst].in_bytes -= (held - stays) * f->bytes;
    if (f->capacity)
        pp_sim_look(s, f->src);
}

static pp_status join_one(pp_sim *s, uint32_t tile)
{
    pp_sim_tile *t = &s->tile[tile];
    if (s->exec)
        PP_TRY(pp_exec_join(s->exec, tile, t->joined));
    t->joined++;
    for (uint32_t i = 0; i < t->n_psum; i++)
        release(s, &s->flow[s->psum_flow[t->first_psum + i]], t->joined);
    if (t->window)
        pp_sim_look(s, tile);
    if (t->n_psum && t->digital_ps)
        return pp_sim_schedule(s, s->now_ps + t->digital_ps, PP_SIM_EV_EMIT, tile, 0);
    return emit(s, tile);
}

/* Completes, in order, the firings whose own result and partial sums are all there. */
static pp_status join(pp_sim *s, uint32_t tile)
{
    const pp_sim_tile *t = &s->tile[tile];
    while (t->joined < t->results) {
        for (uint32_t i = 0; i < t->n_psum; i++)
            if (s->flow[s->psum_flow[t->first_psum + i]].arrived <= t->joined)
                return PP_OK;
        PP_TRY(join_one(s, tile));
    }
    return PP_OK;
}

/* ---- firing ---- */

bool pp_sim_has_room(const pp_sim_tile *t, const pp_sim_flow *f)
{
    uint64_t more = t->emission ? t->emission[t->next] : 1;
    return more == 0 || f->reserved + more <= f->released + f->capacity;
}

static bool room_everywhere(const pp_sim *s, const pp_sim_tile *t)
{
    if (t->window && t->fired - t->joined >= t->window)
        return false;
    for (uint32_t i = 0; i < t->n_room; i++)
        if (!pp_sim_has_room(t, &s->flow[s->room_flow[t->first_room + i]]))
            return false;
    return true;
}

static void reserve(pp_sim *s, const pp_sim_tile *t)
{
    for (uint32_t i = 0; i < t->n_room; i++) {
        pp_sim_flow *f = &s->flow[s->room_flow[t->first_room + i]];
        f->reserved += t->emission ? t->emission[t->next] : 1;
    }
}

static void count_waiting(pp_sim_tile *t, uint64_t now, uint64_t inputs)
{
    uint64_t from = t->free_ps;
    if (inputs > from) {
        t->wait_input_ps += inputs - from;
        from = inputs;
    }
    t->wait_room_ps += now - from;
}

/* Releases what the firing that starts now read last, and moves the tile to its next firing. */
static void advance(pp_sim *s, uint32_t tile)
{
    pp_sim_tile *t = &s->tile[tile];
    bool wraps = t->next + 1 == t->firings;
    uint32_t next = wraps ? 0 : t->next + 1;
    t->missing = 0;
    for (uint32_t i = 0; i < t->n_in; i++) {
        pp_sim_flow *f = &s->flow[s->in_flow[t->first_in + i]];
        uint64_t until = f->base + f->step[t->next].drop;
        if (s->exec)
            pp_exec_release(s->exec, s->in_flow[t->first_in + i], until);
        release(s, f, until);
        if (wraps)
            f->base += f->positions;
        f->need = f->base + f->step[next].need;
        t->missing += f->arrived < f->need;
    }
    if (t->n_tap)
        pp_sim_feed_advance(s, t);
    t->next = next;
    t->image += wraps;
    t->inputs_ps = s->now_ps;
}

static void note_firing(pp_sim *s, const pp_sim_tile *t)
{
    pp_stage_span *span = &s->span[(size_t)t->image * s->m->n_stages + t->stage];
    span->first_fire_ps = s->now_ps < span->first_fire_ps ? s->now_ps : span->first_fire_ps;
}

static pp_status fire(pp_sim *s, uint32_t tile, uint64_t inputs_ps)
{
    pp_sim_tile *t = &s->tile[tile];
    uint64_t now = s->now_ps;
    uint32_t position = t->copy + t->next * t->copies;
    count_waiting(t, now, inputs_ps);
    reserve(s, t);
    if (s->exec)
        PP_TRY(pp_exec_fire(s->exec, tile, t->image, position));
    if (t->image < s->span_images)
        note_firing(s, t);
    t->fired++;
    t->busy_ps += t->interval_ps;
    t->free_ps = now + t->interval_ps;
    const bool guest = s->guest && s->guest->tile == tile;
    /* A result comes with a look at the tile: no wake of its own when both fall together. */
    t->wake_ps = t->result_ps == t->interval_ps && !guest ? t->free_ps : PP_TIME_NEVER;
    if (s->trace)
        s->trace->fire(s->sink, &(pp_trace_event){.ready_ps = inputs_ps, .start_ps = now, .end_ps = t->free_ps, .object = tile,
                                                  .net = PP_NONE, .inference = t->image, .position = position});
    if (guest)
        PP_TRY(s->guest->fire(s->guest->user, s->kernel, PP_TARGET(PP_SIM_EV_RESULT, tile), t->image, position));
    else
        PP_TRY(pp_sim_schedule(s, now + t->result_ps, PP_SIM_EV_RESULT, tile, 0));
    advance(s, tile);
    return PP_OK;
}

static pp_status try_fire(pp_sim *s, uint32_t tile)
{
    pp_sim_tile *t = &s->tile[tile];
    while (!t->missing && t->image < s->images) {
        uint64_t inputs = t->inputs_ps;
        if (t->n_tap) {
            uint64_t pixels = pp_sim_feed_time(s, t);
            t->wants_feed = pixels == PP_TIME_NEVER;
            if (t->wants_feed)
                return PP_OK;
            inputs = pixels > inputs ? pixels : inputs;
        }
        uint64_t at = inputs > t->free_ps ? inputs : t->free_ps;
        if (at > s->now_ps) {
            if (t->wake_ps == at)
                return PP_OK;
            t->wake_ps = at;
            return pp_sim_schedule(s, at, PP_SIM_EV_WAKE, tile, 0);
        }
        if (!room_everywhere(s, t))
            return PP_OK;
        PP_TRY(fire(s, tile, inputs));
    }
    return PP_OK;
}

pp_status pp_sim_settle(pp_sim *s)
{
    while (s->work_n) {
        uint32_t tile = s->work[s->work_head];
        s->work_head = s->work_head + 1 < s->m->n_tiles ? s->work_head + 1 : 0;
        s->work_n--;
        s->tile[tile].queued = false;
        PP_TRY(try_fire(s, tile));
    }
    if (s->repeat && s->images_looked < s->images_done)
        pp_sim_repeat_look(s);
    return PP_OK;
}

/* ---- arrivals and events ---- */

static void count_arrival(pp_sim *s, pp_sim_flow *f)
{
    pp_sim_net *net = &s->net[f->net];
    uint64_t latency = s->now_ps - *(const uint64_t *)pp_sim_ring_at(&net->ready, f->arrived);
    f->latency_sum_ps += latency;
    f->latency_max_ps = latency > f->latency_max_ps ? latency : f->latency_max_ps;
    f->arrived++;
    if (f->arrived <= f->released)
        return; /* nobody reads it */
    uint64_t held = f->arrived - f->released;
    f->high = held > f->high ? (uint32_t)held : f->high;
    pp_sim_tile *t = &s->tile[f->dst];
    t->in_bytes += f->bytes;
    if (t->in_bytes + t->out_bytes > t->high_bytes) {
        pp_sim_flush_outputs(s, t);
        uint64_t bytes = t->in_bytes + t->out_bytes;
        t->high_bytes = bytes > t->high_bytes ? bytes : t->high_bytes;
    }
}

pp_status pp_sim_deliver(pp_sim *s, uint32_t flow)
{
    pp_sim_flow *f = &s->flow[flow];
    if (s->exec)
        PP_TRY(pp_exec_arrive(s->exec, flow, f->arrived));
    count_arrival(s, f);
    if (f->psum)
        return join(s, f->dst);
    pp_sim_tile *t = &s->tile[f->dst];
    if (f->arrived == f->need && --t->missing == 0) {
        t->inputs_ps = s->now_ps;
        pp_sim_look(s, f->dst);
    }
    return PP_OK;
}

pp_status pp_sim_on_wake(void *model, pp_kernel *k, uint32_t tile, uint64_t payload)
{
    pp_sim *s = model;
    (void)payload;
    s->now_ps = pp_kernel_now(k);
    pp_sim_look(s, tile);
    return pp_sim_settle(s);
}

pp_status pp_sim_on_result(void *model, pp_kernel *k, uint32_t tile, uint64_t payload)
{
    pp_sim *s = model;
    (void)payload;
    s->now_ps = pp_kernel_now(k);
    s->tile[tile].results++;
    PP_TRY(join(s, tile));
    pp_sim_look(s, tile);
    return pp_sim_settle(s);
}

pp_status pp_sim_on_emit(void *model, pp_kernel *k, uint32_t tile, uint64_t payload)
{
    pp_sim *s = model;
    (void)payload;
    s->now_ps = pp_kernel_now(k);
    PP_TRY(emit(s, tile));
    return pp_sim_settle(s);
}
