/* Trees of hops in the making: channels, delays and arrivals below an actor or a node. */
#include "sim/tokens_lockstep_internal.h"

uint32_t pp_lockstep_add_node(pp_lockstep *l, uint32_t actor, uint32_t parent, pp_token_hop hop)
{
    const uint32_t n = (uint32_t)l->nodes.len;
    hop.child_first = hop.n_children = 0;
    if (!pp_push(&l->nodes, (pp_lockstep_node){.hop = hop, .child = PP_NONE, .last = PP_NONE, .next = PP_NONE}))
        return PP_NONE;
    uint32_t *first = parent == PP_NONE ? &l->roots.data[actor].first : &l->nodes.data[parent].child;
    uint32_t *last = parent == PP_NONE ? &l->roots.data[actor].last : &l->nodes.data[parent].last;
    if (*last == PP_NONE)
        *first = n;
    else
        l->nodes.data[*last].next = n;
    *last = n;
    return n;
}

/* The node `delay` behind parent (PP_NONE: the actor): one for all that leave then. Behind a channel there is one even for no
 * delay, or what follows would be of the same chain and not wait for it. */
pp_status pp_lockstep_delay_node(pp_lockstep *l, uint32_t actor, uint32_t parent, uint64_t delay_ps, uint32_t *out)
{
    *out = parent;
    if (delay_ps == 0 && (parent == PP_NONE || l->nodes.data[parent].hop.server == PP_NONE))
        return PP_OK;
    const uint32_t last = parent == PP_NONE ? l->roots.data[actor].last : l->nodes.data[parent].last;
    if (last != PP_NONE) {
        const pp_token_hop *h = &l->nodes.data[last].hop;
        if (h->server == PP_NONE && h->to == PP_NONE && h->latency_ps == delay_ps) {
            *out = last;
            return PP_OK;
        }
    }
    *out = pp_lockstep_add_node(l, actor, parent, (pp_token_hop){.latency_ps = delay_ps, .server = PP_NONE, .to = PP_NONE, .expert = PP_NONE});
    return *out != PP_NONE ? PP_OK : PP_ENOMEM;
}

/* An arrival at `to`; of several from the same node the last one counts. */
pp_status pp_lockstep_end_node(pp_lockstep *l, uint32_t actor, uint32_t parent, uint32_t to, uint64_t after_ps)
{
    const uint32_t first = parent == PP_NONE ? l->roots.data[actor].first : l->nodes.data[parent].child;
    for (uint32_t n = first; n != PP_NONE; n = l->nodes.data[n].next) {
        pp_token_hop *h = &l->nodes.data[n].hop;
        if (h->server == PP_NONE && h->to == to) {
            h->latency_ps = after_ps > h->latency_ps ? after_ps : h->latency_ps;
            return PP_OK;
        }
    }
    l->actors.data[to].inputs++;
    const pp_token_hop h = {.latency_ps = after_ps, .server = PP_NONE, .to = to, .expert = PP_NONE};
    return pp_lockstep_add_node(l, actor, parent, h) != PP_NONE ? PP_OK : PP_ENOMEM;
}
