/* The network's input: pixels that enter one by one at channel rate.
 *
 * It needs no events. Without a capacity pixel i is there at (i + 1) x pixel_ps. With one, a pixel
 * starts when the one before it is in and every tap has room; a release tells at once when the pixels
 * that it lets in will be there, so arrivals are known ahead. */
#include "sim/pipeline_internal.h"

/* Gives a time to every pixel that has room. */
static bool grant(pp_sim *s)
{
    pp_sim_feed *f = &s->feed;
    uint64_t until = f->released + f->capacity, total = (uint64_t)s->images * f->pixels;
    until = until < total ? until : total;
    bool more = f->granted < until;
    if (more && f->last_ps < s->now_ps)
        f->last_ps = s->now_ps;
    for (; f->granted < until; f->granted++) {
        f->last_ps += f->pixel_ps;
        f->arrival_ps[f->granted & f->mask] = f->last_ps;
    }
    return more;
}

void pp_sim_feed_start(pp_sim *s)
{
    if (s->feed.capacity)
        grant(s);
}

static uint64_t tap_time(const pp_sim_feed *f, const pp_sim_tap *tap, uint32_t next)
{
    uint64_t need = tap->base + tap->step[next].need;
    if (!f->capacity)
        return need * f->pixel_ps;
    if (need <= f->released)
        return 0; /* long gone by: some tap has even released it */
    return need <= f->granted ? f->arrival_ps[(need - 1) & f->mask] : PP_TIME_NEVER;
}

uint64_t pp_sim_feed_time(const pp_sim *s, const pp_sim_tile *t)
{
    uint64_t latest = 0;
    for (uint32_t i = 0; i < t->n_tap; i++) {
        uint64_t at = tap_time(&s->feed, &s->feed.tap[t->first_tap + i], t->next);
        latest = at > latest ? at : latest;
    }
    return latest;
}

static uint64_t least_released(const pp_sim_feed *f)
{
    uint64_t least = f->tap[0].released;
    for (uint32_t i = 1; i < f->n_taps; i++)
        least = f->tap[i].released < least ? f->tap[i].released : least;
    return least;
}

void pp_sim_feed_advance(pp_sim *s, pp_sim_tile *t)
{
    pp_sim_feed *f = &s->feed;
    for (uint32_t i = 0; i < t->n_tap; i++) {
        pp_sim_tap *tap = &f->tap[t->first_tap + i];
        tap->released = tap->base + tap->step[t->next].drop;
        if (t->next + 1 == t->firings)
            tap->base += f->pixels;
    }
    if (!f->capacity)
        return;
    f->released = least_released(f);
    if (!grant(s))
        return;
    for (uint32_t i = 0; i < f->n_taps; i++)
        if (s->tile[f->tap[i].tile].wants_feed)
            pp_sim_look(s, f->tap[i].tile);
}
