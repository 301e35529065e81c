/* Fabrics as GraphML (docs/fabrics.md), with all that the reader needs to build an equal one. Ports are
 * not edges: their number is an attribute of the graph. */
#include "topology/topology_internal.h"

static void add_keys(pp_text *t, const pp_fabric *f)
{
    static const struct {
        const char *on, *name, *type;
        bool grid; /* line grids only */
    } keys[] = {
        {"graph", "fabric", "string", false},   {"graph", "ports", "int", false},
        {"graph", "rows", "int", true},         {"graph", "cols", "int", true},
        {"graph", "reach", "int", true},        {"graph", "wrap", "int", true},
        {"graph", "row_direction", "string", true},
        {"node", "kind", "string", false},      {"node", "row", "int", false},
        {"node", "col", "int", false},          {"node", "plane", "int", false},
        {"node", "x", "double", false},         {"node", "y", "double", false},
        {"node", "switch", "string", false},    {"node", "port_length", "double", false},
        {"edge", "lanes", "int", false},        {"edge", "lane_gbps", "double", false},
        {"edge", "latency_ps", "double", false}, {"edge", "length", "double", false},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!keys[i].grid || f->rows > 0)
            pp_text_add(t, "  <key id=\"%s_%s\" for=\"%s\" attr.name=\"%s\" attr.type=\"%s\"/>\n", keys[i].on,
                        keys[i].name, keys[i].on, keys[i].name, keys[i].type);
}

static void add_graph_data(pp_text *t, const pp_fabric *f)
{
    pp_text_add(t, "    <data key=\"graph_fabric\">");
    pp_text_add_xml(t, f->name);
    pp_text_add(t, "</data>\n    <data key=\"graph_ports\">%u</data>\n", f->ports);
    if (f->rows > 0)
        pp_text_add(t,
                    "    <data key=\"graph_rows\">%u</data>\n    <data key=\"graph_cols\">%u</data>\n"
                    "    <data key=\"graph_reach\">%u</data>\n    <data key=\"graph_wrap\">%d</data>\n"
                    "    <data key=\"graph_row_direction\">%s</data>\n",
                    f->rows, f->cols, f->reach, f->wrap, pp_row_direction_name((pp_row_direction)f->row_direction));
}

static void add_id(pp_text *t, const pp_fabric *f, uint32_t v)
{
    char label[64];
    pp_text_add_xml(t, f->vertex[v].name ? f->vertex[v].name : pp_vertex_label(f, v, label, sizeof label));
}

static void add_node(pp_text *t, const pp_fabric *f, uint32_t i)
{
    static const char *const kinds[] = {
        [PP_VERTEX_BOTH] = "both", [PP_VERTEX_CORE] = "core", [PP_VERTEX_SWITCH] = "switch"};
    const pp_vertex *v = &f->vertex[i];
    pp_text_add(t, "    <node id=\"");
    add_id(t, f, i);
    pp_text_add(t,
                "\"><data key=\"node_kind\">%s</data><data key=\"node_row\">%d</data>"
                "<data key=\"node_col\">%d</data><data key=\"node_plane\">%d</data>"
                "<data key=\"node_x\">%.9g</data><data key=\"node_y\">%.9g</data>",
                kinds[v->kind], v->coord[0], v->coord[1], v->coord[2], (double)v->x, (double)v->y);
    if (v->core != PP_NO_VERTEX && f->core_switch[v->core] != i) {
        pp_text_add(t, "<data key=\"node_switch\">");
        add_id(t, f, f->core_switch[v->core]);
        pp_text_add(t, "</data><data key=\"node_port_length\">%.9g</data>",
                    (double)f->channel[f->inject[(size_t)v->core * f->ports]].length);
    }
    pp_text_add(t, "</node>\n");
}

static void add_edge(pp_text *t, const pp_fabric *f, const pp_channel *c)
{
    pp_text_add(t, "    <edge source=\"");
    add_id(t, f, c->src);
    pp_text_add(t, "\" target=\"");
    add_id(t, f, c->dst);
    pp_text_add(t,
                "\"><data key=\"edge_lanes\">%u</data><data key=\"edge_lane_gbps\">%.17g</data>"
                "<data key=\"edge_latency_ps\">%u</data><data key=\"edge_length\">%.9g</data></edge>\n",
                c->lanes, c->lane_gbps, c->latency_ps, (double)c->length);
}

pp_status pp_fabric_write_graphml(const pp_fabric *fabric, const char *path, bool force)
{
    const pp_fabric_kind_row *row = NULL;
    PP_TRY(pp_kind_find(&row, fabric->kind));
    pp_text t = {0};
    pp_text_add(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    if (row->caption)
        pp_text_add(&t, "<!-- %s -->\n", row->caption);
    pp_text_add(&t, "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n");
    add_keys(&t, fabric);
    pp_text_add(&t, "  <graph id=\"fabric\" edgedefault=\"directed\">\n");
    add_graph_data(&t, fabric);
    for (uint32_t v = 0; v < fabric->n_vertices; v++)
        add_node(&t, fabric, v);
    for (uint32_t c = 0; c < fabric->n_network; c++)
        add_edge(&t, fabric, &fabric->channel[c]);
    pp_text_add(&t, "  </graph>\n</graphml>\n");
    return pp_text_write(&t, path, force);
}
