/* The registry of fabric kinds: one row each. */
#include "topology/topology_internal.h"

#include <string.h>

static const pp_fabric_kind_row kinds[] = {
    {.name = "5pp",
     .text = "5 Parallel Prism: each core reaches the next columns of its row (reach) and the next rows.",
     .keys = "rows,cols,reach,row_direction,wrap",
     .ports = 0,
     .routing = "balanced",
     .caption = PP_5PP_CAPTION,
     .build = pp_build_5pp,
     .fit = pp_fit_5pp,
     .bisection = pp_bisection_5pp},
    {.name = "mesh",
     .text = "2D mesh of routers, one core each.",
     .keys = "rows,cols",
     .ports = 1,
     .routing = "balanced",
     .build = pp_build_mesh,
     .fit = pp_fit_grid,
     .bisection = pp_bisection_mesh},
    {.name = "torus",
     .text = "2D torus of routers, one core each, laid out folded (links of 2 pitches).",
     .keys = "rows,cols",
     .ports = 1,
     .routing = "balanced",
     .build = pp_build_torus,
     .fit = pp_fit_grid,
     .bisection = pp_bisection_torus},
    {.name = "ring",
     .text = "Ring of routers, one core each, laid out as a loop of two rows.",
     .keys = "cores",
     .ports = 1,
     .routing = "balanced",
     .build = pp_build_ring,
     .fit = pp_fit_ring,
     .bisection = pp_bisection_torus},
    {.name = "file",
     .text = "Any directed graph from a GraphML file (docs/fabrics.md).",
     .keys = "",
     .ports = 0,
     .routing = "balanced",
     .build = pp_build_file},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

const pp_fabric_kind_row *pp_kind_row(size_t i)
{
    return i < N_KINDS ? &kinds[i] : NULL;
}

const char *pp_fabric_kind(size_t i, const char **text)
{
    const pp_fabric_kind_row *row = pp_kind_row(i);
    if (text)
        *text = row ? row->text : NULL;
    return row ? row->name : NULL;
}

pp_status pp_kind_find(const pp_fabric_kind_row **out, const char *name)
{
    const char *names[N_KINDS];
    for (size_t i = 0; i < N_KINDS; i++) {
        names[i] = kinds[i].name;
        if (strcmp(name, kinds[i].name) == 0) {
            *out = &kinds[i];
            return PP_OK;
        }
    }
    const char *near = pp_nearest(name, names, N_KINDS);
    if (near)
        return pp_fail(PP_EINVAL, "fabric %.80s: unknown kind; did you mean %s?", name, near);
    return pp_fail(PP_EINVAL, "fabric %.80s: unknown kind; expected 5pp, mesh, torus, ring or file", name);
}

pp_status pp_fabric_fit(pp_fabric_options *options, uint32_t cores)
{
    const pp_fabric_kind_row *row = NULL;
    PP_TRY(pp_fabric_expand(options));
    PP_TRY(pp_kind_find(&row, options->kind));
    if (cores > PP_FABRIC_MAX_CORES)
        return pp_fail(PP_EINFEASIBLE, "fabric %s: %u cores are needed, at most %d can be built", row->name, cores,
                       PP_FABRIC_MAX_CORES);
    return row->fit ? row->fit(options, cores) : PP_OK;
}
