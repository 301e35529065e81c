/* Attributes of a GraphML file that are nearly those of a fabric. Others are the file's own business and are passed over;
 * these would be passed over, too, and a length or a rate silently be the default. */
#include "topology/graphml_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LETTERS 16

static bool is_known(const pp_graphml_name *known, size_t n, igraph_attribute_elemtype_t on, const char *name)
{
    for (size_t k = 0; k < n; k++)
        if (known[k].on == on && strcmp(known[k].name, name) == 0)
            return true;
    return false;
}

static pp_status look(const igraph_t *graph, const pp_graphml_name *known, size_t n, size_t k, const char *near, const char *path)
{
    static const char *const elements[] = {
        [IGRAPH_ATTRIBUTE_GRAPH] = "graph", [IGRAPH_ATTRIBUTE_VERTEX] = "node", [IGRAPH_ATTRIBUTE_EDGE] = "edge"};
    if (!igraph_cattribute_has_attr(graph, known[k].on, near) || is_known(known, n, known[k].on, near))
        return PP_OK;
    return pp_fail(PP_EFORMAT, "%s: %s attribute %s: unknown; did you mean %s?", path, elements[known[k].on], near, known[k].name);
}

/* Two letters swapped, one left out, the first or all of them large; one unit is read alone. Short words have too many neighbours. */
static pp_status look_around(const igraph_t *graph, const pp_graphml_name *known, size_t n, size_t k, const char *path)
{
    const char *name = known[k].name;
    const size_t length = strlen(name);
    char near[NAME_MAX_LETTERS + 1];
    if (length < 5 || length > NAME_MAX_LETTERS)
        return PP_OK;
    for (size_t i = 0; i + 1 < length; i++) {
        memcpy(near, name, length + 1);
        near[i] = name[i + 1];
        near[i + 1] = name[i];
        PP_TRY(look(graph, known, n, k, near, path));
    }
    for (size_t i = 0; length > 5 && i < length; i++) {
        memcpy(near, name, i);
        memcpy(near + i, name + i + 1, length - i);
        PP_TRY(look(graph, known, n, k, near, path));
    }
    memcpy(near, name, length + 1);
    for (size_t i = 0; i < length; i++) {
        near[i] = (char)toupper((unsigned char)near[i]);
        if (i == 0 || i + 1 == length)
            PP_TRY(look(graph, known, n, k, near, path));
    }
    return PP_OK;
}

pp_status pp_graphml_check_names(const igraph_t *graph, const pp_graphml_name *known, size_t n, const char *path)
{
    static const char *const units[] = {"latency_ns", "latency_us"};
    for (size_t k = 0; k < n; k++) {
        PP_TRY(look_around(graph, known, n, k, path));
        for (size_t u = 0; u < 2 && strcmp(known[k].name, "latency_ps") == 0; u++)
            PP_TRY(look(graph, known, n, k, units[u], path));
    }
    return PP_OK;
}
