/* What the events read of a network, laid out in the order in which they read it.
 *
 * A network of a whole model does not fit the caches: what a packet does next stands behind what it does now (a tree of hops
 * with its siblings side by side, then what is below the first of them), and an actor's state is one line of memory. */
#include "sim/tokens_internal.h"

#include <stdlib.h>

/* ---- servers ---- */

/* Two users share a server. */
static pp_status find_shared(pp_token_sim *s)
{
    const pp_token_net *net = s->net;
    bool *used = pp_calloc(net->n_servers, sizeof *used);
    s->shared = pp_calloc(net->n_servers, sizeof *s->shared);
    if (used == NULL || s->shared == NULL) {
        free(used);
        return PP_ENOMEM;
    }
    for (uint32_t i = 0; i < net->n_actors; i++) {
        const uint32_t server = net->actor[i].server;
        s->shared[server] |= used[server];
        used[server] = true;
    }
    for (uint32_t h = 0; h < net->n_hops; h++) {
        const uint32_t server = net->hop[h].server;
        if (server == PP_NONE)
            continue;
        s->shared[server] |= used[server];
        used[server] = true;
    }
    free(used);
    return PP_OK;
}

/* ---- steps ---- */

/* The request behind hop h is the next thing that happens when h's packet does not wait. */
static bool chained(const pp_token_sim *s, const pp_token_hop *h)
{
    if (s->net->together)
        return pp_token_chained(s->net, h);
    if (h->n_children != 1 || h->to != PP_NONE || h->latency_ps > 0)
        return false;
    const pp_token_hop *next = &s->net->hop[h->child_first];
    return next->server != PP_NONE && next->expert == PP_NONE && s->shared[next->server];
}

static void put_step(pp_token_sim *s, uint32_t at, uint32_t hop)
{
    const pp_token_hop *h = &s->net->hop[hop];
    const bool chain = chained(s, h);
    pp_token_step *x = &s->step[at];
    *x = (pp_token_step){.busy_ps = h->busy_ps, .go_ps = h->latency_ps, .tail_ps = h->tail_ps, .server = h->server, .to = h->to,
                         .child = PP_NONE, .n_children = h->n_children & PP_TOKEN_STEPS_MAX};
    x->expert = h->expert != PP_NONE;
    x->chained = chain;
    x->event = h->server != PP_NONE && (s->shared[h->server] || (s->net->together && chain));
    if (chain && s->net->together)
        x->go_ps = s->net->hop[h->child_first].after_ps;
    s->step_hop[at] = hop;
}

/* n hops from `first` on side by side, then what is below each. */
static uint32_t put_steps(pp_token_sim *s, uint32_t first, uint32_t n, uint32_t *made)
{
    const uint32_t at = *made;
    *made += n;
    for (uint32_t i = 0; i < n; i++)
        put_step(s, at + i, first + i);
    for (uint32_t i = 0; i < n; i++) {
        const pp_token_hop *h = &s->net->hop[first + i];
        if (h->n_children > 0)
            s->step[at + i].child = put_steps(s, h->child_first, h->n_children, made);
    }
    return at;
}

static pp_status new_steps(pp_token_sim *s)
{
    const pp_token_net *net = s->net;
    uint32_t made = 0;
    if (net->n_hops > PP_TOKEN_STEPS_MAX)
        return pp_fail(PP_ERANGE, "network of actors: %u hops, at most %u", net->n_hops, PP_TOKEN_STEPS_MAX);
    s->step = pp_alloc_aligned((size_t)net->n_hops + PP_TOKEN_STEPS_AHEAD, sizeof *s->step);
    s->step_hop = pp_alloc(net->n_hops, sizeof *s->step_hop);
    if (s->step == NULL || s->step_hop == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < PP_TOKEN_STEPS_AHEAD; i++)
        s->step[net->n_hops + i] = (pp_token_step){.server = PP_NONE, .to = PP_NONE};
    for (uint32_t a = 0; a < net->n_actors; a++) {
        s->actor[a].n_steps = net->actor[a].n_hops;
        s->actor[a].step_first = put_steps(s, net->actor[a].hop_first, net->actor[a].n_hops, &made);
    }
    s->back_first = put_steps(s, net->back_first, net->n_back, &made);
    return PP_OK;
}

/* ---- actors ---- */

/* Actors in order to which tokens come by several ways: those that pass a head wait there for the first one of their sequence. */
static bool *find_meetings(const pp_token_net *net)
{
    bool *meets = pp_calloc(net->n_actors, sizeof *meets);
    for (uint32_t h = 0; meets != NULL && h < net->n_hops; h++) {
        const uint32_t to = net->hop[h].to;
        if (to < net->n_actors && net->hop[h].expert != PP_NONE && net->actor[to].order == PP_TOKEN_IN_ORDER)
            meets[to] = true;
    }
    return meets;
}

/* Tokens leave in the order in which they entered, too. */
static bool keeps_slots(const pp_token_sim *s, uint32_t actor)
{
    const pp_token_actor *def = &s->net->actor[actor];
    return def->inputs > 1 || def->order == PP_TOKEN_WHOLE_SEQUENCE || (actor == s->net->sink && s->net->first_token);
}

static void fill_actors(pp_token_sim *s, const bool *meets)
{
    for (uint32_t i = 0; i < s->net->n_actors; i++) {
        const pp_token_actor *d = &s->net->actor[i];
        pp_token_actor_state *a = &s->actor[i];
        a->inputs = d->inputs;
        a->order = d->order;
        a->server = d->server;
        if (!keeps_slots(s, i) && !meets[i])
            continue;
        a->mask = PP_TOKEN_SLOTS - 1;
        a->slot = s->slots + (size_t)i * PP_TOKEN_SLOTS;
    }
}

static pp_status new_actors(pp_token_sim *s)
{
    bool *meets = find_meetings(s->net);
    s->actor = pp_alloc_aligned(s->net->n_actors, sizeof *s->actor);
    s->slots = pp_alloc_aligned(s->net->n_actors, PP_TOKEN_SLOTS * sizeof *s->slots);
    const bool ok = s->actor != NULL && s->slots != NULL && meets != NULL;
    if (ok)
        fill_actors(s, meets);
    free(meets);
    return ok ? PP_OK : PP_ENOMEM;
}

pp_status pp_token_sim_steps_new(pp_token_sim *s)
{
    PP_TRY(new_actors(s));
    PP_TRY(find_shared(s));
    return new_steps(s);
}

void pp_token_sim_steps_free(pp_token_sim *s)
{
    for (uint32_t i = 0; s->actor != NULL && i < s->net->n_actors; i++)
        pp_token_sim_slots_free(&s->actor[i]);
    free(s->actor);
    free(s->slots);
    free(s->shared);
    free(s->step);
    free(s->step_hop);
}
