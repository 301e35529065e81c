#include "topology/topology.h"

#include <igraph.h>

const char *pp_igraph_version(void)
{
    const char *text = "";
    igraph_version(&text, NULL, NULL, NULL);
    return text;
}
