/* Trees of hops in the making: channels, delays and arrivals below an actor or a node. */
#include "sim/tokens_lockstep_internal.h"

#include <stdlib.h>

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
pp_status pp_lockstep_end_node(pp_lockstep *l, uint32_t actor, uint32_t parent, uint32_t to, uint64_t after_ps, pp_lockstep_label label)
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
    const pp_token_hop h = {.latency_ps = after_ps, .server = PP_NONE, .to = to, .expert = label.expert, .block = label.block};
    return pp_lockstep_add_node(l, actor, parent, h) != PP_NONE ? PP_OK : PP_ENOMEM;
}

/* ---- what comes from experts ---- */

/* Experts have groups, and packets, in different numbers: their targets count experts. */
pp_status pp_lockstep_join_of(pp_lockstep *l, pp_lockstep_label label, uint32_t to, uint32_t *out)
{
    for (size_t i = l->joins.len; i-- > 0;) { /* the last ones are of the same block */
        const pp_lockstep_join *j = &l->joins.data[i];
        if (j->block != label.block)
            break;
        if (j->expert == label.expert && j->to == to) {
            *out = j->actor;
            return PP_OK;
        }
    }
    const pp_token_actor a = {.work = PP_NONE, .server = PP_NONE, .order = PP_TOKEN_SUBSTREAM};
    PP_TRY(pp_lockstep_add_actor(l, a, (pp_lm_actor){label.block, PP_NONE}, out));
    return pp_push(&l->joins, ((pp_lockstep_join){label.expert, label.block, to, *out})) ? PP_OK : PP_ENOMEM;
}

pp_status pp_lockstep_put_joins(pp_lockstep *l)
{
    const uint32_t choices = l->m->graph->choices, chosen = l->m->graph->choices_per_token;
    uint32_t *joins = pp_calloc(l->actors.len, sizeof *joins);
    pp_status status = joins != NULL ? PP_OK : PP_ENOMEM;
    for (size_t i = 0; i < l->joins.len && status == PP_OK; i++) {
        const pp_lockstep_join *j = &l->joins.data[i];
        joins[j->to]++;
        status = pp_lockstep_end_node(l, j->actor, PP_NONE, j->to, 0, (pp_lockstep_label){j->expert, j->block});
    }
    for (size_t a = 0; a < l->actors.len && status == PP_OK; a++) {
        if (joins[a] > 0 && joins[a] != choices)
            status = pp_fail(PP_EINTERNAL, "lockstep: %u of %u experts send to an operator of all tokens", joins[a], choices);
        else if (joins[a] > 0)
            l->actors.data[a].inputs -= choices - chosen;
    }
    free(joins);
    return status;
}
