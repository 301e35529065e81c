/* Private to the GraphML reader. */
#ifndef PP_TOPOLOGY_GRAPHML_INTERNAL_H
#define PP_TOPOLOGY_GRAPHML_INTERNAL_H

#include "topology/topology_internal.h"

#include <igraph.h>

typedef struct pp_graphml_name {
    igraph_attribute_elemtype_t on;
    const char *name;
} pp_graphml_name;

/* PP_EFORMAT when the graph has an attribute that is nearly, but not quite, one of known[n]. Between pp_igraph_enter and
 * pp_igraph_leave. */
pp_status pp_graphml_check_names(const igraph_t *graph, const pp_graphml_name *known, size_t n, const char *path);

#endif
