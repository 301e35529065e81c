/* Fabrics for Graphviz: positions are fixed (neato -n). */
#include "topology/topology_internal.h"

#include <string.h>

#define POINTS_A_PITCH 72.0

/* A quoted DOT id; only the quote and the backslash mean something inside one. */
static void add_id(pp_text *t, const pp_fabric *f, uint32_t v)
{
    char label[64];
    const char *name = f->vertex[v].name ? f->vertex[v].name : pp_vertex_label(f, v, label, sizeof label);
    pp_text_add(t, "\"");
    for (const char *c = name; *c != '\0'; c++)
        pp_text_add(t, "%s%c", strchr("\"\\", *c) ? "\\" : "", *c);
    pp_text_add(t, "\"");
}

pp_status pp_fabric_write_dot(const pp_fabric *fabric, const char *path, bool force)
{
    const pp_fabric_kind_row *row = NULL;
    PP_TRY(pp_kind_find(&row, fabric->kind));
    pp_text t = {0};
    if (row->caption)
        pp_text_add(&t, "// %s\n", row->caption);
    pp_text_add(&t, "digraph fabric {\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    for (uint32_t v = 0; v < fabric->n_vertices; v++) {
        const pp_vertex *p = &fabric->vertex[v];
        pp_text_add(&t, "  ");
        add_id(&t, fabric, v);
        /* DOT's y points up, rows count downwards. */
        pp_text_add(&t, " [pos=\"%.6g,%.6g\"%s];\n", (double)p->x * POINTS_A_PITCH, -(double)p->y * POINTS_A_PITCH,
                    p->kind == PP_VERTEX_SWITCH ? ", shape=circle" : "");
    }
    for (uint32_t c = 0; c < fabric->n_network; c++) {
        pp_text_add(&t, "  ");
        add_id(&t, fabric, fabric->channel[c].src);
        pp_text_add(&t, " -> ");
        add_id(&t, fabric, fabric->channel[c].dst);
        pp_text_add(&t, " [lanes=%u, length=%.9g];\n", fabric->channel[c].lanes, (double)fabric->channel[c].length);
    }
    for (uint32_t i = 0; i < fabric->n_cores; i++)
        if (fabric->core_switch[i] != fabric->core_vertex[i]) {
            pp_text_add(&t, "  ");
            add_id(&t, fabric, fabric->core_vertex[i]);
            pp_text_add(&t, " -> ");
            add_id(&t, fabric, fabric->core_switch[i]);
            pp_text_add(&t, " [dir=both, style=dotted, ports=%u];\n", fabric->ports);
        }
    pp_text_add(&t, "}\n");
    return pp_text_write(&t, path, force);
}
