/* No event is left and inferences are unfinished: who waits for whom. */
#include "sim/pipeline_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum pp_wait_kind { PP_WAIT_NOTHING, PP_WAIT_DATA, PP_WAIT_ROOM, PP_WAIT_NETWORK, PP_WAIT_PIXELS } pp_wait_kind;

typedef struct pp_wait {
    pp_wait_kind kind;
    uint32_t tile; /* that it waits for */
    uint32_t flow; /* PP_NONE for pixels */
} pp_wait;

static pp_wait wait_for_packets(const pp_sim *s, uint32_t flow)
{
    const pp_sim_flow *f = &s->flow[flow];
    bool on_the_way = s->net[f->net].emitted > f->arrived;
    return (pp_wait){on_the_way ? PP_WAIT_NETWORK : PP_WAIT_DATA, f->src, flow};
}

static pp_wait wait_for_sum(const pp_sim *s, const pp_sim_tile *t)
{
    for (uint32_t i = 0; i < t->n_psum; i++) {
        uint32_t flow = s->psum_flow[t->first_psum + i];
        if (s->flow[flow].arrived <= t->joined)
            return wait_for_packets(s, flow);
    }
    return (pp_wait){PP_WAIT_NOTHING, 0, PP_NONE};
}

static pp_wait wait_for_pixels(const pp_sim *s)
{
    const pp_sim_tap *slowest = &s->feed.tap[0];
    for (uint32_t i = 1; i < s->feed.n_taps; i++)
        if (s->feed.tap[i].released < slowest->released)
            slowest = &s->feed.tap[i];
    return (pp_wait){PP_WAIT_PIXELS, slowest->tile, PP_NONE};
}

static pp_wait reason(const pp_sim *s, uint32_t tile)
{
    const pp_sim_tile *t = &s->tile[tile];
    if (t->image >= s->images || (t->window && t->fired - t->joined >= t->window))
        return wait_for_sum(s, t);
    for (uint32_t i = 0; i < t->n_in; i++) {
        uint32_t flow = s->in_flow[t->first_in + i];
        if (s->flow[flow].arrived < s->flow[flow].need)
            return wait_for_packets(s, flow);
    }
    if (t->wants_feed)
        return wait_for_pixels(s);
    for (uint32_t i = 0; i < t->n_room; i++) {
        uint32_t flow = s->room_flow[t->first_room + i];
        if (!pp_sim_has_room(t, &s->flow[flow]))
            return (pp_wait){PP_WAIT_ROOM, s->flow[flow].dst, flow};
    }
    return (pp_wait){PP_WAIT_NOTHING, 0, PP_NONE};
}

/* ---- the text ---- */

typedef struct pp_line {
    char text[1400];
    size_t used;
} pp_line;

static void say(pp_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(pp_line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof line->text - line->used;
    int n = vsnprintf(line->text + line->used, room, format, args);
    va_end(args);
    if (n > 0)
        line->used += (size_t)n < room ? (size_t)n : room - 1;
}

static const char *name_of(const pp_sim *s, uint32_t tile)
{
    return s->q->stages->stage[s->tile[tile].stage].name;
}

static void say_wait(pp_line *line, const pp_sim *s, uint32_t tile, const pp_wait *w)
{
    const char *me = name_of(s, tile), *other = name_of(s, w->tile);
    switch (w->kind) {
    case PP_WAIT_DATA:
        say(line, "'%s' waits for %s from '%s'", me, s->flow[w->flow].psum ? "partial sums" : "data", other);
        break;
    case PP_WAIT_NETWORK:
        say(line, "'%s' waits for packets from '%s' that are stuck in the network's FIFOs", me, other);
        break;
    case PP_WAIT_ROOM:
        say(line, "'%s' waits for room in the buffer of flow '%s' -> '%s' (%u positions)", me, me, other,
            s->flow[w->flow].capacity);
        break;
    case PP_WAIT_PIXELS:
        say(line, "'%s' waits for pixels held up by '%s'", me, other);
        break;
    case PP_WAIT_NOTHING:
        break;
    }
}

/* Of the full buffers, one that is known to be too small; else the smallest. */
static uint32_t culprit(const pp_sim *s, const pp_wait *wait, uint32_t n)
{
    uint32_t best = PP_NONE;
    for (uint32_t i = 0; i < n; i++) {
        if (wait[i].kind != PP_WAIT_ROOM)
            continue;
        const pp_flow *f = &s->m->flow[wait[i].flow];
        if (f->buffer < f->buffer_min)
            return wait[i].flow;
        if (best == PP_NONE || f->buffer < s->m->flow[best].buffer)
            best = wait[i].flow;
    }
    return best;
}

static void say_cure(pp_line *line, const pp_sim *s, const pp_wait *wait, uint32_t n)
{
    uint32_t flow = culprit(s, wait, n);
    if (flow == PP_NONE)
        return;
    const pp_flow *f = &s->m->flow[flow];
    if (f->buffer < f->buffer_min)
        say(line, "; a buffer of %u positions for flow '%s' -> '%s' frees them", f->buffer_min, name_of(s, f->src),
            name_of(s, f->dst));
    else
        say(line, "; more than %u positions for flow '%s' -> '%s' may free them", f->buffer, name_of(s, f->src),
            name_of(s, f->dst));
}

/* Follows the reasons from `tile` until one comes up again. order[i] waits by wait[i]; `*from` is where the
 * cycle begins. */
static uint32_t follow(const pp_sim *s, uint32_t tile, uint32_t *order, pp_wait *wait, uint32_t *seen, uint32_t *from)
{
    uint32_t n = 0;
    *from = 0;
    for (;;) {
        seen[tile] = n + 1;
        order[n] = tile;
        wait[n] = reason(s, tile);
        if (wait[n].kind == PP_WAIT_NOTHING)
            return n;
        tile = wait[n++].tile;
        if (seen[tile]) {
            *from = seen[tile] - 1;
            return n;
        }
    }
}

static uint32_t unfinished_output(const pp_sim *s)
{
    for (uint32_t i = 0; i < s->m->n_tiles; i++)
        if (s->tile[i].output && s->tile[i].done_image < s->images)
            return i;
    return 0;
}

pp_status pp_sim_deadlock(const pp_sim *s)
{
    enum { MOST = 8 }; /* operators spelled out in one line */
    pp_status status = PP_ENOMEM;
    uint32_t n_tiles = s->m->n_tiles, from;
    uint32_t *order = pp_calloc(n_tiles, sizeof *order), *seen = pp_calloc(n_tiles, sizeof *seen);
    pp_wait *wait = pp_calloc(n_tiles, sizeof *wait);
    pp_line line = {.used = 0};
    if (!order || !seen || !wait)
        goto done;
    uint32_t n = follow(s, unfinished_output(s), order, wait, seen, &from);
    say(&line, "deadlock at %llu ps in inference %u: ", (unsigned long long)s->now_ps, s->images_done);
    for (uint32_t i = from; i < n && i < from + MOST; i++) {
        say(&line, "%s", i > from ? ", " : "");
        say_wait(&line, s, order[i], &wait[i]);
    }
    if (n > from + MOST)
        say(&line, ", and %u more", n - from - MOST);
    say_cure(&line, s, wait + from, n - from);
    status = pp_fail(PP_EDEADLOCK, "%s", line.text);
done:
    free(order);
    free(seen);
    free(wait);
    return status;
}
