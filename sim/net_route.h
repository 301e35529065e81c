/* Routing functions for the network engines. */
#ifndef PP_SIM_NET_ROUTE_H
#define PP_SIM_NET_ROUTE_H

#include "sim/net.h"

typedef struct pp_noc_router pp_noc_router;
/* `name`: those of pp_routefn_new; "auto" takes what suits the fabric. On meshes, tori and rings `xy` and `yx` (and
 * `shortest` on rings) break ties by a coin a packet and dimension and give dateline classes on entering a dimension,
 * as booksim2013 does. The fabric must outlive it. */
pp_status pp_noc_router_new(pp_noc_router **out, const pp_fabric *fabric, const char *name);
const char *pp_noc_router_name(const pp_noc_router *r); /* what auto became; static */
void pp_noc_router_free(pp_noc_router *r);
pp_noc_routing pp_noc_router_function(const pp_noc_router *r);

#endif
