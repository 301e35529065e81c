/* What one instance puts on each channel, edge by edge: the loads of the mapping, taken apart again. */
#include "mapper/lm_internal.h"

#include <stdlib.h>

typedef struct taking {
    const pp_lm_mapping *m;
    pp_lm_router *router;
    PP_VEC(pp_lm_flow) flows;
    PP_VEC(pp_lm_flow_use) uses;
} taking;

static pp_status take_edge(taking *t, const pp_lm_where *w, uint32_t instance, uint32_t local)
{
    const uint32_t edge = pp_lm_edge_index(t->m, instance, local);
    pp_lm_usages usages = {0};
    pp_lm_edge_times times;
    if (edge == PP_NONE)
        return PP_OK;
    pp_status status = pp_lm_route_edge(t->router, w, local, &usages, &times);
    if (status == PP_OK && !pp_push(&t->flows, (pp_lm_flow){.edge = edge, .instance = instance}))
        status = PP_ENOMEM;
    for (size_t i = 0; i < usages.len && status == PP_OK; i++) {
        const pp_lm_flow_use use = {(uint32_t)t->flows.len - 1, usages.data[i].channel, usages.data[i].bits};
        status = pp_push(&t->uses, use) ? PP_OK : PP_ENOMEM;
    }
    free(usages.data);
    return status;
}

/* Edges that come from the instance before, alone or with those inside. */
static pp_status take_instance(taking *t, uint32_t instance, bool inside)
{
    const pp_lm_ctx *x = &t->m->store->x;
    const pp_lm_where w = pp_lm_where_in(t->m, instance);
    for (uint32_t local = 0; local < pp_lm_edges(x, w.part); local++)
        if (inside || pp_lm_edge_is_in(x, w.part, local))
            PP_TRY(take_edge(t, &w, instance, local));
    return PP_OK;
}

pp_status pp_lm_mapping_traffic(pp_lm_traffic **out, const pp_lm_mapping *m, uint32_t instance)
{
    taking t = {.m = m};
    *out = pp_calloc(1, sizeof **out);
    pp_status status = *out != NULL ? pp_lm_router_new(&t.router, &m->store->x, m->fabric, m->order) : PP_ENOMEM;
    if (status == PP_OK)
        status = take_instance(&t, instance, true);
    if (status == PP_OK)
        status = take_instance(&t, (instance + 1) % m->n_instances, false);
    pp_lm_router_free(t.router);
    if (*out == NULL)
        return status;
    (*out)->flow = t.flows.data;
    (*out)->n_flows = (uint32_t)t.flows.len;
    (*out)->use = t.uses.data;
    (*out)->n_uses = t.uses.len;
    if (status != PP_OK) {
        pp_lm_traffic_free(*out);
        *out = NULL;
    }
    return status;
}

void pp_lm_traffic_free(pp_lm_traffic *t)
{
    if (t == NULL)
        return;
    free(t->flow);
    free(t->use);
    free(t);
}
