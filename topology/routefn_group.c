/* Routings on dragonfly, Kautz digraph and star: computed from the vertices' numbers. */
#include "topology/routefn_internal.h"

/* ---- Dragonfly ---- */

/* Number of the router that has the link to take from group g to the destination's: one that leads right to the
 * destination from here, any from here, one that leads right to the destination, or that of the destination's
 * number. */
static uint32_t gateway(const pp_fabric_shape *s, uint32_t at, uint32_t dst, uint32_t *end)
{
    const uint32_t g = at / s->routers, t = dst / s->routers, links = pp_dragonfly_links(s);
    uint32_t best = dst % links, rank = 0;
    for (uint32_t copy = 0; copy < links; copy++) {
        const bool here = pp_dragonfly_router(s, g, t, copy) == at, there = pp_dragonfly_router(s, t, g, copy) == dst;
        const uint32_t value = 2U * here + there;
        if (value > rank) {
            rank = value;
            best = copy;
        }
    }
    *end = pp_dragonfly_router(s, t, g, best);
    return pp_dragonfly_router(s, g, t, best);
}

/* Local, global, local: local channels of the first group in class 0, of the last one in class 1.
 * PAPER: kim2008 sec. 4. */
uint32_t pp_next_dragonfly(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const pp_fabric_shape *s = &fn->f->shape;
    const uint32_t base = fn->f->n_cores, at = h->at - base, dst = h->dst - base;
    uint32_t to = dst, end = 0, classes = h->channel == PP_NO_CHANNEL ? 3 : 2;
    if (at == dst)
        return 0;
    if (at / s->routers != dst / s->routers) {
        to = gateway(s, at, dst, &end);
        classes = to == at ? 3 : 1;
        to = to == at ? end : to;
    }
    *hop = (pp_hop){.channel = pp_channel_between(fn->f, h->at, base + to), .classes = classes};
    return hop->channel != PP_NO_CHANNEL;
}

/* ---- Kautz ---- */

/* Shifts in what is missing behind the longest tail of this word that begins the destination's. Classes: as
 * pp_next_shortest. */
uint32_t pp_next_kautz(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const pp_fabric_shape *s = &fn->f->shape;
    uint32_t here[PP_FABRIC_MAX_LEVELS + 1], there[PP_FABRIC_MAX_LEVELS + 1], common = s->diameter - 1;
    if (h->at == h->dst)
        return 0;
    pp_kautz_word(s, h->at, here);
    pp_kautz_word(s, h->dst, there);
    for (bool equal = false; common > 0; common--) {
        equal = true;
        for (uint32_t i = 0; i < common && equal; i++)
            equal = here[s->diameter - common + i] == there[i];
        if (equal)
            break;
    }
    here[s->diameter] = there[common];
    const uint32_t letter = here[s->diameter] - (here[s->diameter] > here[s->diameter - 1]);
    const uint32_t channel = h->at * s->degree + letter; /* channels stand in the order of the letters */
    *hop = (pp_hop){.channel = channel, .classes = 1U << pp_turn_class(fn, h, channel)};
    return 1;
}

/* ---- Star ---- */

uint32_t pp_next_star(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    if (h->at == h->dst)
        return 0;
    *hop = (pp_hop){.channel = h->at == fn->f->n_cores ? 2 * h->dst + 1 : 2 * h->at, .classes = 1};
    return 1;
}
