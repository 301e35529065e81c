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
    {.name = "cmesh",
     .text = "Concentrated mesh: a mesh of routers with several cores each.",
     .keys = "rows,cols,nodes,express",
     .ports = 1,
     .routing = "balanced",
     .defaults = pp_defaults_router,
     .build = pp_build_cmesh,
     .fit = pp_fit_cmesh,
     .bisection = pp_bisection_cmesh},
    {.name = "flatfly",
     .text = "Flattened butterfly: routers with several cores; rows and columns are complete graphs.",
     .keys = "rows,cols,nodes",
     .ports = 1,
     .routing = "balanced",
     .defaults = pp_defaults_router,
     .build = pp_build_flatfly,
     .fit = pp_fit_flatfly,
     .bisection = pp_bisection_flatfly},
    {.name = "hypercube",
     .text = "Hypercube: cores whose numbers differ in one bit are linked.",
     .keys = "cores",
     .ports = 1,
     .routing = "balanced",
     .build = pp_build_hypercube,
     .fit = pp_fit_hypercube,
     .bisection = pp_bisection_hypercube},
    {.name = "htree",
     .text = "H-tree: binary tree of switches laid out as nested Hs, cores at its leaves.",
     .keys = "levels,taper",
     .ports = 1,
     .routing = "balanced",
     .defaults = pp_defaults_htree,
     .build = pp_build_htree,
     .fit = pp_fit_htree,
     .bisection = pp_bisection_tree},
    {.name = "fattree",
     .text = "Fat tree: k-ary n-tree of switches, as many links up as down.",
     .keys = "arity,levels",
     .ports = 1,
     .routing = "balanced",
     .defaults = pp_defaults_tree,
     .build = pp_build_fattree,
     .fit = pp_fit_fattree,
     .bisection = pp_bisection_fattree},
    {.name = "tree",
     .text = "Tree of switches with one link up, whose lanes may grow towards the root (taper).",
     .keys = "arity,levels,taper",
     .ports = 1,
     .routing = "balanced",
     .defaults = pp_defaults_tree,
     .build = pp_build_tree,
     .fit = pp_fit_tree,
     .bisection = pp_bisection_tree},
    {.name = "k5prism",
     .text = "Prism over a complete graph: K_n x path, n = rows (5).",
     .keys = "rows,cols",
     .ports = 0,
     .routing = "balanced",
     .defaults = pp_defaults_k5prism,
     .build = pp_build_k5prism,
     .fit = pp_fit_k5prism,
     .bisection = pp_bisection_k5prism},
    {.name = "dragonfly",
     .text = "Dragonfly: groups of fully connected routers, the groups fully connected.",
     .keys = "nodes,routers,global,groups",
     .ports = 1,
     .routing = "balanced",
     .defaults = pp_defaults_dragonfly,
     .build = pp_build_dragonfly,
     .fit = pp_fit_dragonfly},
    {.name = "express",
     .text = "Express mesh: a mesh with longer channels between every interval-th router.",
     .keys = "rows,cols,interval",
     .ports = 1,
     .routing = "balanced",
     .defaults = pp_defaults_express,
     .build = pp_build_express,
     .fit = pp_fit_express},
    {.name = "mesh3d",
     .text = "3D mesh of routers, one core each, its planes side by side.",
     .keys = "rows,cols,planes",
     .ports = 1,
     .routing = "balanced",
     .build = pp_build_mesh3d,
     .fit = pp_fit_mesh3d,
     .bisection = pp_bisection_cube},
    {.name = "torus3d",
     .text = "3D torus of routers, one core each, its planes side by side.",
     .keys = "rows,cols,planes",
     .ports = 1,
     .routing = "balanced",
     .build = pp_build_torus3d,
     .fit = pp_fit_torus3d,
     .bisection = pp_bisection_cube},
    {.name = "kautz",
     .text = "Kautz digraph: one-way channels, the most cores for a degree and diameter.",
     .keys = "degree,diameter",
     .ports = 1,
     .routing = "balanced",
     .defaults = pp_defaults_kautz,
     .build = pp_build_kautz,
     .fit = pp_fit_kautz},
    {.name = "star",
     .text = "Star: every core is linked to one hub.",
     .keys = "cores",
     .ports = 1,
     .routing = "balanced",
     .build = pp_build_star,
     .fit = pp_fit_star,
     .bisection = pp_bisection_star},
    {.name = "full",
     .text = "Fully connected: a channel from each core to each other.",
     .keys = "cores",
     .ports = 0,
     .routing = "balanced",
     .build = pp_build_full,
     .fit = pp_fit_full,
     .bisection = pp_bisection_full},
    {.name = "hex",
     .text = "Hexagonal lattice: routers of degree 3, one core each.",
     .keys = "rows,cols",
     .ports = 1,
     .routing = "balanced",
     .build = pp_build_hex,
     .fit = pp_fit_hex},
    {.name = "tri",
     .text = "Triangular lattice: routers of degree 6, one core each.",
     .keys = "rows,cols",
     .ports = 1,
     .routing = "balanced",
     .build = pp_build_tri,
     .fit = pp_fit_tri},
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
    if (pp_file_exists(name))
        return pp_fail(PP_EINVAL, "fabric %.80s: unknown kind; did you mean file:%.80s?", name, name);
    return pp_fail(PP_EINVAL, "fabric %.80s: unknown kind; `pentaprism fabric list` names them all", name);
}

pp_status pp_fabric_fit(pp_fabric_options *options, uint32_t cores)
{
    const pp_fabric_kind_row *row = NULL;
    PP_TRY(pp_fabric_expand(options));
    PP_TRY(pp_kind_find(&row, options->kind));
    if (row->defaults && row->fit != pp_fit_dragonfly) /* its defaults follow from the nodes, which are free */
        row->defaults(options);
    if (cores > PP_FABRIC_MAX_CORES)
        return pp_fail(PP_EINFEASIBLE, "fabric %s: %u cores are needed, at most %d can be built", row->name, cores,
                       PP_FABRIC_MAX_CORES);
    return row->fit ? row->fit(options, cores) : PP_OK;
}
