/* Routings on trees. Leaf switches are numbered from 0; a switch of height h (leaves: 1) covers the leaves whose
 * numbers agree when divided by arity^(h - 1). Channels of a switch stand in the order down, then up. */
#include "topology/routefn_internal.h"

/* Where a switch is. */
typedef struct tree_place {
    uint32_t height, number, span; /* span: arity^(height - 1) leaves below */
} tree_place;

static tree_place place_of(const pp_routefn *fn, uint32_t vertex, bool fat)
{
    const uint32_t a = fn->f->shape.arity, leaves = fn->f->n_cores / a;
    tree_place p = {.height = 1, .number = vertex - fn->f->n_cores, .span = 1};
    for (uint32_t here = leaves; p.number >= here; here = fat ? leaves : here / a) {
        p.number -= here;
        p.span *= a;
        p.height++;
    }
    return p;
}

static uint32_t channel_at(const pp_routefn *fn, uint32_t vertex, uint32_t port)
{
    return fn->f->out_channel[fn->f->out_first[vertex] + port];
}

static uint32_t down(const pp_routefn *fn, const pp_route_head *h, uint32_t span, pp_hop *hop)
{
    const uint32_t a = fn->f->shape.arity, leaf = h->dst - fn->f->n_cores;
    *hop = (pp_hop){.channel = channel_at(fn, h->at, leaf / (span / a) % a), .classes = 1};
    return 1;
}

/* Never up after down: the channels are ordered by height, up ones rising, down ones falling behind them. */
uint32_t pp_next_tree(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const tree_place p = place_of(fn, h->at, false);
    const uint32_t leaf = h->dst - fn->f->n_cores;
    if (h->at == h->dst)
        return 0;
    if (leaf / p.span == p.number)
        return down(fn, h, p.span, hop);
    *hop = (pp_hop){.channel = channel_at(fn, h->at, p.height > 1 ? fn->f->shape.arity : 0), .classes = 1};
    return 1;
}

uint32_t pp_next_fattree(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const tree_place p = place_of(fn, h->at, true);
    const uint32_t a = fn->f->shape.arity, leaf = h->dst - fn->f->n_cores, ups = p.height > 1 ? a : 0;
    if (h->at == h->dst)
        return 0;
    if (leaf / p.span == p.number / p.span)
        return down(fn, h, p.span, hop);
    if (!fn->spread) { /* the destination's digit of this height: PAPER: zahavi2012 (d-mod-k) */
        *hop = (pp_hop){.channel = channel_at(fn, h->at, ups + leaf / p.span % a), .classes = 1};
        return 1;
    }
    for (uint32_t u = 0; u < a; u++)
        hop[u] = (pp_hop){.channel = channel_at(fn, h->at, ups + u), .classes = 1};
    return a;
}
