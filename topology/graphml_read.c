/* GraphML files as fabrics. The page docs/fabrics.md says what each attribute means. */
#include "topology/graphml_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)256 << 20)
#define ELEMENT_MAX 160

/* ---- Attributes ---- */

/* What a numeric attribute must be. */
typedef struct number_rule {
    igraph_attribute_elemtype_t on;
    const char *name;
    double min, max;
    bool integer, above_min; /* above_min: min itself is refused */
} number_rule;

typedef enum rule_id {
    ROW, COL, PLANE, X, Y, PORT_LENGTH, LANES, RATE, LATENCY, LENGTH, ROWS, COLS, REACH, WRAP, PORTS, N_RULES
} rule_id;

#define VERTEX IGRAPH_ATTRIBUTE_VERTEX
#define EDGE IGRAPH_ATTRIBUTE_EDGE
#define GRAPH IGRAPH_ATTRIBUTE_GRAPH
static const number_rule rules[N_RULES] = {
    [ROW] = {VERTEX, "row", INT32_MIN, INT32_MAX, true, false},
    [COL] = {VERTEX, "col", INT32_MIN, INT32_MAX, true, false},
    [PLANE] = {VERTEX, "plane", INT32_MIN, INT32_MAX, true, false},
    [X] = {VERTEX, "x", -1e9, 1e9, false, false},
    [Y] = {VERTEX, "y", -1e9, 1e9, false, false},
    [PORT_LENGTH] = {VERTEX, "port_length", 0, 1e6, false, false},
    [LANES] = {EDGE, "lanes", 1, 4096, true, false},
    [RATE] = {EDGE, "lane_gbps", 0, 1e6, false, true},
    [LATENCY] = {EDGE, "latency_ps", 0, UINT32_MAX, true, false},
    [LENGTH] = {EDGE, "length", 0, 1e6, false, false},
    [ROWS] = {GRAPH, "rows", 1, PP_FABRIC_MAX_CORES, true, false},
    [COLS] = {GRAPH, "cols", 1, PP_FABRIC_MAX_CORES, true, false},
    [REACH] = {GRAPH, "reach", 1, PP_FABRIC_MAX_REACH, true, false},
    [WRAP] = {GRAPH, "wrap", 0, 1, true, false},
    [PORTS] = {GRAPH, "ports", 0, PP_FABRIC_MAX_PORTS, true, false},
};

/* A graph being read. */
typedef struct reader {
    pp_fabric_builder *b;
    const char *path;
    igraph_t graph;
    bool given[N_RULES]; /* some element has it: then all must */
    igraph_integer_t side; /* of the square on which vertices without coordinates stand */
} reader;

static double get_number(const reader *r, rule_id k, igraph_integer_t i)
{
    const char *name = rules[k].name;
    return rules[k].on == VERTEX ? VAN(&r->graph, name, i)
           : rules[k].on == EDGE ? EAN(&r->graph, name, i)
                                 : GAN(&r->graph, name);
}

static const char *vertex_id(const reader *r, igraph_integer_t v)
{
    const char *id = igraph_cattribute_has_attr(&r->graph, VERTEX, "id") ? VAS(&r->graph, "id", v) : "";
    return id ? id : "";
}

/* Ends of an edge in the order of the file: igraph keeps the larger end of an undirected one first. */
static void edge_ends(const reader *r, igraph_integer_t e, igraph_integer_t *u, igraph_integer_t *v)
{
    const bool directed = igraph_is_directed(&r->graph);
    *u = directed ? IGRAPH_FROM(&r->graph, e) : IGRAPH_TO(&r->graph, e);
    *v = directed ? IGRAPH_TO(&r->graph, e) : IGRAPH_FROM(&r->graph, e);
}

/* "vertex r0c1" or "edge 3 (r0c1 -> r0c2)". */
static const char *element_text(const reader *r, igraph_attribute_elemtype_t on, igraph_integer_t i,
                                char text[ELEMENT_MAX])
{
    igraph_integer_t u = 0, v = 0;
    if (on == VERTEX) {
        (void)snprintf(text, ELEMENT_MAX, "vertex %.60s", vertex_id(r, i));
    } else if (on == EDGE) {
        edge_ends(r, i, &u, &v);
        (void)snprintf(text, ELEMENT_MAX, "edge %ld (%.50s -> %.50s)", (long)i, vertex_id(r, u), vertex_id(r, v));
    } else {
        (void)snprintf(text, ELEMENT_MAX, "graph");
    }
    return text;
}

/* Reads element `i`'s number into *value, or leaves *value alone when no element has the attribute. */
static pp_status read_number(const reader *r, rule_id k, igraph_integer_t i, double *value)
{
    if (!r->given[k])
        return PP_OK;
    const number_rule *rule = &rules[k];
    const double v = get_number(r, k, i);
    char text[ELEMENT_MAX];
    if (isnan(v))
        return pp_fail(PP_EFORMAT, "%s: %s: %s is missing", r->path, element_text(r, rule->on, i, text), rule->name);
    const bool inside = v >= rule->min && v <= rule->max && !(rule->above_min && v <= rule->min);
    if (!inside || (rule->integer && v != floor(v)))
        return pp_fail(PP_ERANGE, "%s: %s: %s: expected %s %s %.10g to %.10g, found %.10g", r->path,
                       element_text(r, rule->on, i, text), rule->name, rule->integer ? "an integer" : "a number",
                       rule->above_min ? "above" : "from", rule->min, rule->max, v);
    *value = v;
    return PP_OK;
}

/* Whether the declared attribute is a number's. */
static int is_number(const reader *r, rule_id k, bool *number)
{
    igraph_attribute_type_t type = IGRAPH_ATTRIBUTE_UNSPECIFIED;
    const int code = igraph_cattribute_table.gettype(&r->graph, &type, rules[k].on, rules[k].name);
    *number = type == IGRAPH_ATTRIBUTE_NUMERIC;
    return code;
}

static pp_status check_names(const reader *r)
{
    pp_graphml_name known[N_RULES];
    for (int k = 0; k < N_RULES; k++)
        known[k] = (pp_graphml_name){rules[k].on, rules[k].name};
    return pp_graphml_check_names(&r->graph, known, N_RULES, r->path);
}

/* Attributes that are texts: igraph reads a number's column as texts without asking. */
static pp_status check_texts(const reader *r)
{
    static const struct {
        igraph_attribute_elemtype_t on;
        const char *name;
    } texts[] = {{VERTEX, "id"}, {VERTEX, "kind"}, {VERTEX, "switch"}, {GRAPH, "row_direction"}};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        igraph_attribute_type_t type = IGRAPH_ATTRIBUTE_STRING;
        if (!igraph_cattribute_has_attr(&r->graph, texts[k].on, texts[k].name))
            continue;
        const int code = igraph_cattribute_table.gettype(&r->graph, &type, texts[k].on, texts[k].name);
        if (code != IGRAPH_SUCCESS)
            return pp_igraph_fail(PP_EINTERNAL, code, r->path);
        if (type != IGRAPH_ATTRIBUTE_STRING)
            return pp_fail(PP_EFORMAT, "%s: attribute %s: expected type string", r->path, texts[k].name);
    }
    return PP_OK;
}

/* Which attributes the file gives. One that is declared but stands nowhere counts as absent. */
static pp_status find_given(reader *r)
{
    for (int k = 0; k < N_RULES; k++) {
        const number_rule *rule = &rules[k];
        if (!igraph_cattribute_has_attr(&r->graph, rule->on, rule->name))
            continue;
        bool number = false;
        const int code = is_number(r, (rule_id)k, &number);
        if (code != IGRAPH_SUCCESS)
            return pp_igraph_fail(PP_EINTERNAL, code, r->path);
        if (!number)
            return pp_fail(PP_EFORMAT, "%s: attribute %s: expected a number type (int, double)", r->path, rule->name);
        const igraph_integer_t n = rule->on == VERTEX ? igraph_vcount(&r->graph)
                                   : rule->on == EDGE ? igraph_ecount(&r->graph)
                                                      : 1;
        for (igraph_integer_t i = 0; i < n && !r->given[k]; i++)
            r->given[k] = !isnan(get_number(r, (rule_id)k, i));
    }
    return PP_OK;
}

/* ---- Vertices ---- */

static pp_status read_kind(const reader *r, igraph_integer_t v, pp_vertex_kind *out)
{
    static const char *const names[] = {
        [PP_VERTEX_BOTH] = "both", [PP_VERTEX_CORE] = "core", [PP_VERTEX_SWITCH] = "switch"};
    const bool declared = igraph_cattribute_has_attr(&r->graph, VERTEX, "kind");
    const char *text = declared ? VAS(&r->graph, "kind", v) : "";
    char element[ELEMENT_MAX];
    element_text(r, VERTEX, v, element);
    if (!text || text[0] == '\0')
        return pp_fail(PP_EFORMAT, "%s: %s: kind is missing; expected core, switch or both", r->path, element);
    for (int k = 0; k < 3; k++)
        if (strcmp(text, names[k]) == 0) {
            *out = (pp_vertex_kind)k;
            return PP_OK;
        }
    return pp_fail(PP_EFORMAT, "%s: %s: kind: expected core, switch or both, found %.40s", r->path, element, text);
}

static pp_status read_vertex(const reader *r, igraph_integer_t v)
{
    pp_vertex_kind kind = PP_VERTEX_BOTH;
    double row = (double)(v / r->side), col = (double)(v % r->side), plane = 0.0;
    PP_TRY(read_kind(r, v, &kind));
    PP_TRY(read_number(r, ROW, v, &row));
    PP_TRY(read_number(r, COL, v, &col));
    PP_TRY(read_number(r, PLANE, v, &plane));
    double x = col, y = row;
    PP_TRY(read_number(r, X, v, &x));
    PP_TRY(read_number(r, Y, v, &y));
    const int32_t coord[3] = {(int32_t)row, (int32_t)col, (int32_t)plane};
    return pp_builder_vertex(r->b, kind, coord, (float)x, (float)y);
}

/* Copies an id; returns its size with the NUL. In attributes libxml2 hands "&amp;" on as "&#38;". */
static size_t copy_id(char *to, const char *id)
{
    size_t n = 0;
    for (const char *c = id; *c != '\0'; n++) {
        to[n] = *c;
        c += strncmp(c, "&#38;", 5) == 0 ? 5 : 1;
    }
    to[n] = '\0';
    return n + 1;
}

/* The vertices' ids in one block that the fabric will own. */
static pp_status read_names(const reader *r)
{
    const igraph_integer_t n = igraph_vcount(&r->graph);
    size_t bytes = 0, at = 0;
    for (igraph_integer_t v = 0; v < n; v++)
        bytes += strlen(vertex_id(r, v)) + 1;
    r->b->names = pp_alloc(bytes, 1);
    if (!r->b->names)
        return PP_ENOMEM;
    for (igraph_integer_t v = 0; v < n; v++) {
        const size_t size = copy_id(r->b->names + at, vertex_id(r, v));
        if (size > 1)
            r->b->vertices.data[v].name = r->b->names + at;
        at += size;
    }
    return PP_OK;
}

static pp_status read_vertices(reader *r)
{
    const igraph_integer_t n = igraph_vcount(&r->graph);
    for (r->side = 1; r->side * r->side < n; r->side++)
        ;
    for (igraph_integer_t v = 0; v < n; v++)
        PP_TRY(read_vertex(r, v));
    return read_names(r);
}

/* ---- Edges ---- */

/* Manhattan distance of the ends where the file places its vertices, else a pitch. */
static double default_length(const reader *r, uint32_t u, uint32_t v)
{
    const pp_vertex *a = &r->b->vertices.data[u], *c = &r->b->vertices.data[v];
    if (!(r->given[X] && r->given[Y]) && !(r->given[ROW] && r->given[COL]))
        return 1.0;
    return fabs((double)a->x - (double)c->x) + fabs((double)a->y - (double)c->y);
}

static pp_status read_edge(const reader *r, igraph_integer_t e, uint32_t u, uint32_t v)
{
    char element[ELEMENT_MAX];
    if (u == v)
        return pp_fail(PP_EFORMAT, "%s: %s: an edge must lead to another vertex", r->path,
                       element_text(r, EDGE, e, element));
    double length = default_length(r, u, v), lanes = 0.0, rate = 0.0, latency = 0.0;
    PP_TRY(read_number(r, LENGTH, e, &length));
    PP_TRY(read_number(r, LANES, e, &lanes));
    PP_TRY(read_number(r, RATE, e, &rate));
    PP_TRY(read_number(r, LATENCY, e, &latency));
    PP_TRY(pp_builder_channel(r->b, u, v, (float)length));
    pp_channel *c = &r->b->channels.data[r->b->channels.len - 1];
    if (r->given[LANES])
        c->lanes = (uint32_t)lanes;
    if (r->given[RATE])
        c->lane_gbps = rate;
    if (r->given[LATENCY])
        c->latency_ps = (uint32_t)latency;
    return PP_OK;
}

/* An undirected edge is a channel each way. */
static pp_status read_edges(const reader *r)
{
    for (igraph_integer_t e = 0; e < igraph_ecount(&r->graph); e++) {
        igraph_integer_t u = 0, v = 0;
        edge_ends(r, e, &u, &v);
        PP_TRY(read_edge(r, e, (uint32_t)u, (uint32_t)v));
        if (!igraph_is_directed(&r->graph))
            PP_TRY(read_edge(r, e, (uint32_t)v, (uint32_t)u));
    }
    return PP_OK;
}

/* ---- Ports ---- */

/* A vertex by its id. */
typedef struct named {
    const char *name;
    uint32_t vertex;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static pp_status attach(const reader *r, igraph_integer_t v, const named *all, size_t n)
{
    const char *text = VAS(&r->graph, "switch", v);
    char element[ELEMENT_MAX];
    double length = 0.0;
    if (!text || text[0] == '\0')
        return PP_OK;
    element_text(r, VERTEX, v, element);
    const named key = {.name = text};
    const named *to = bsearch(&key, all, n, sizeof *all, by_name);
    if (!to || r->b->vertices.data[to->vertex].kind != PP_VERTEX_SWITCH)
        return pp_fail(PP_EFORMAT, "%s: %s: switch: expected the id of a switch, found %.40s", r->path, element, text);
    if (r->b->vertices.data[v].kind != PP_VERTEX_CORE)
        return pp_fail(PP_EFORMAT, "%s: %s: only a vertex of kind core has a switch", r->path, element);
    if (r->given[PORT_LENGTH] && isnan(get_number(r, PORT_LENGTH, v)))
        return pp_fail(PP_EFORMAT, "%s: %s: port_length is missing", r->path, element);
    if (r->given[PORT_LENGTH])
        PP_TRY(read_number(r, PORT_LENGTH, v, &length));
    return pp_builder_attach(r->b, (uint32_t)v, to->vertex, (float)length);
}

/* Attribute "switch" of cores that have ports in place of edges. */
static pp_status read_switches(const reader *r)
{
    const size_t n = r->b->vertices.len;
    if (!igraph_cattribute_has_attr(&r->graph, VERTEX, "switch"))
        return PP_OK;
    named *all = pp_alloc(n, sizeof *all);
    pp_status status = all ? PP_OK : PP_ENOMEM;
    for (uint32_t v = 0; all && v < n; v++)
        all[v] = (named){r->b->vertices.data[v].name ? r->b->vertices.data[v].name : "", v};
    if (all)
        qsort(all, n, sizeof *all, by_name);
    for (uint32_t v = 0; status == PP_OK && v < n; v++)
        status = attach(r, (igraph_integer_t)v, all, n);
    free(all);
    return status;
}

/* An attached core has no edges: its ports are its only way. */
static pp_status check_attached(const reader *r)
{
    bool *attached = pp_calloc(r->b->vertices.len, sizeof *attached);
    if (!attached)
        return PP_ENOMEM;
    for (size_t i = 0; i < r->b->homes.len; i++)
        attached[r->b->homes.data[i].core] = true;
    pp_status status = PP_OK;
    for (size_t e = 0; status == PP_OK && e < r->b->channels.len; e++) {
        const pp_channel *c = &r->b->channels.data[e];
        const uint32_t v = attached[c->src] ? c->src : c->dst;
        if (attached[v])
            status = pp_fail(PP_EFORMAT, "%s: vertex %.60s: a core with a switch has no edges", r->path,
                             r->b->vertices.data[v].name ? r->b->vertices.data[v].name : "");
    }
    free(attached);
    return status;
}

/* ---- Graph ---- */

/* Files that we wrote of grids say so, and then dimension-order routing works on them too. */
static pp_status read_grid(const reader *r)
{
    double rows = 0.0, cols = 0.0, reach = 1.0, wrap = 0.0;
    PP_TRY(read_number(r, ROWS, 0, &rows));
    PP_TRY(read_number(r, COLS, 0, &cols));
    PP_TRY(read_number(r, REACH, 0, &reach));
    PP_TRY(read_number(r, WRAP, 0, &wrap));
    if (!r->given[ROWS] || !r->given[COLS])
        return PP_OK;
    pp_row_direction direction = PP_ROWS_BOTH;
    if (igraph_cattribute_has_attr(&r->graph, GRAPH, "row_direction") &&
        pp_row_direction_parse(&direction, GAS(&r->graph, "row_direction")) != PP_OK)
        return pp_fail_in(PP_EFORMAT, r->path);
    for (size_t v = 0; v < r->b->vertices.len; v++) {
        const pp_vertex *p = &r->b->vertices.data[v];
        if (p->coord[0] != (int32_t)(v / (size_t)cols) || p->coord[1] != (int32_t)(v % (size_t)cols))
            return pp_fail(PP_EFORMAT, "%s: vertex %.60s: a graph with rows and cols has its vertices row by row",
                           r->path, p->name ? p->name : "");
    }
    if ((double)r->b->vertices.len != rows * cols)
        return pp_fail(PP_EFORMAT, "%s: graph: %.0f rows and %.0f cols, but %zu vertices", r->path, rows, cols,
                       r->b->vertices.len);
    r->b->core_rows = (uint32_t)rows;
    r->b->core_cols = (uint32_t)cols;
    r->b->grid = (pp_grid){.rows = (uint32_t)rows, .cols = (uint32_t)cols, .reach = (uint32_t)reach,
                           .row_direction = direction, .wrap = wrap > 0.0};
    return PP_OK;
}

static pp_status read_graph(reader *r)
{
    if (igraph_vcount(&r->graph) == 0)
        return pp_fail(PP_EFORMAT, "%s: the graph has no vertices", r->path);
    PP_TRY(check_names(r));
    PP_TRY(check_texts(r));
    PP_TRY(find_given(r));
    PP_TRY(read_vertices(r));
    PP_TRY(read_edges(r));
    PP_TRY(read_switches(r));
    PP_TRY(check_attached(r));
    PP_TRY(read_grid(r));
    double ports = (double)r->b->ports;
    PP_TRY(read_number(r, PORTS, 0, &ports));
    r->b->ports = (int64_t)ports;
    return PP_OK;
}

static void hash(pp_fabric_builder *b, const char *text, size_t size)
{
    pp_sha256 h;
    pp_sha256_begin(&h);
    pp_sha256_add(&h, text, size);
    pp_sha256_end(&h, b->sha256);
}

/* igraph says "Line 12: words"; a number that is none ends its parser in the middle of an element, and
 * its words then blame the element. */
static pp_status unreadable(const char *path, int code)
{
    const char *words = pp_igraph_reason();
    unsigned line = 0;
    int n = 0;
    if (code == IGRAPH_ENOMEM)
        return pp_igraph_fail(PP_ENOMEM, code, path);
    if (strncmp(words, "Graph index", 11) == 0 || words[0] == '\0')
        return pp_fail(PP_EFORMAT, "%s: expected GraphML with a graph", path);
    if (sscanf(words, "Line %u: %n", &line, &n) == 1)
        words += n;
    return pp_fail_at(PP_EFORMAT, path, line, "expected GraphML, with numbers where its keys declare them (%s)", words);
}

static pp_status read_stream(pp_fabric_builder *b, FILE *stream)
{
    reader r = {.b = b, .path = b->options->file};
    pp_igraph_enter();
    const igraph_error_t code = igraph_read_graph_graphml(&r.graph, stream, 0);
    pp_status status = PP_OK;
    if (code != IGRAPH_SUCCESS) {
        status = unreadable(r.path, code);
    } else {
        status = read_graph(&r);
        igraph_destroy(&r.graph);
    }
    pp_igraph_leave();
    return status;
}

pp_status pp_build_file(pp_fabric_builder *b)
{
    const char *path = b->options->file;
    char *text = NULL;
    size_t size = 0;
    PP_TRY(pp_file_read_text(&text, &size, path, MAX_BYTES));
    hash(b, text, size);
    pp_status status = PP_OK;
    FILE *stream = size > 0 ? fmemopen(text, size, "r") : NULL;
    if (stream) {
        status = read_stream(b, stream);
        (void)fclose(stream);
    } else {
        status = size > 0 ? pp_fail(PP_ENOMEM, "%s: out of memory", path)
                          : pp_fail(PP_EFORMAT, "%s: expected GraphML, found an empty file", path);
    }
    free(text);
    return status;
}
