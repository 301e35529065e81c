/* GraphML files as fabrics. The page docs/fabrics.md says what each attribute means. */
#include "topology/topology_internal.h"

#include <igraph.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)256 << 20)
#define ELEMENT_MAX 160

/* A graph being read. Attributes are looked up by name each time: files are small beside what is
 * done with them. */
typedef struct reader {
    pp_fabric_builder *b;
    const char *path;
    igraph_t graph;
    bool has_place; /* vertices have coordinates or positions */
} reader;

/* ---- Attributes ---- */

typedef enum presence { ABSENT, NUMBER, TEXT } presence;

/* Whether the graph declares an attribute, and of which type. */
static pp_status find_attribute(const reader *r, igraph_attribute_elemtype_t element, const char *name,
                                presence *out)
{
    static const igraph_attribute_elemtype_t order[] = {IGRAPH_ATTRIBUTE_GRAPH, IGRAPH_ATTRIBUTE_VERTEX,
                                                        IGRAPH_ATTRIBUTE_EDGE};
    igraph_strvector_t names[3];
    igraph_vector_int_t types[3];
    *out = ABSENT;
    int made = 0, code = IGRAPH_SUCCESS;
    for (; made < 3 && code == IGRAPH_SUCCESS; made++) {
        code = igraph_strvector_init(&names[made], 0);
        if (code == IGRAPH_SUCCESS && (code = igraph_vector_int_init(&types[made], 0)) != IGRAPH_SUCCESS)
            igraph_strvector_destroy(&names[made]);
        if (code != IGRAPH_SUCCESS)
            break;
    }
    if (code == IGRAPH_SUCCESS)
        code = igraph_cattribute_list(&r->graph, &names[0], &types[0], &names[1], &types[1], &names[2], &types[2]);
    for (int k = 0; code == IGRAPH_SUCCESS && k < 3; k++)
        for (igraph_integer_t i = 0; order[k] == element && i < igraph_strvector_size(&names[k]); i++)
            if (strcmp(igraph_strvector_get(&names[k], i), name) == 0)
                *out = VECTOR(types[k])[i] == IGRAPH_ATTRIBUTE_STRING ? TEXT : NUMBER;
    for (int k = 0; k < made; k++) {
        igraph_strvector_destroy(&names[k]);
        igraph_vector_int_destroy(&types[k]);
    }
    return code == IGRAPH_SUCCESS ? PP_OK : pp_igraph_fail(PP_EINTERNAL, code, r->path);
}

static const char *vertex_id(const reader *r, igraph_integer_t v)
{
    const char *id = igraph_cattribute_has_attr(&r->graph, IGRAPH_ATTRIBUTE_VERTEX, "id") ? VAS(&r->graph, "id", v) : "";
    return id ? id : "";
}

/* "vertex r0c1" or "edge 3 (r0c1 -> r0c2)". */
static const char *element_text(const reader *r, igraph_attribute_elemtype_t element, igraph_integer_t i,
                                char text[ELEMENT_MAX])
{
    if (element == IGRAPH_ATTRIBUTE_VERTEX) {
        (void)snprintf(text, ELEMENT_MAX, "vertex %.60s", vertex_id(r, i));
    } else if (element == IGRAPH_ATTRIBUTE_EDGE) {
        (void)snprintf(text, ELEMENT_MAX, "edge %ld (%.50s -> %.50s)", (long)i, vertex_id(r, IGRAPH_FROM(&r->graph, i)),
                       vertex_id(r, IGRAPH_TO(&r->graph, i)));
    } else {
        (void)snprintf(text, ELEMENT_MAX, "graph");
    }
    return text;
}

/* What a numeric attribute must be. */
typedef struct number_rule {
    const char *name;
    double min, max;
    bool integer, above_min; /* above_min: min itself is refused */
} number_rule;

static const number_rule rule_row = {"row", -2147483648.0, 2147483647.0, true, false},
                         rule_col = {"col", -2147483648.0, 2147483647.0, true, false},
                         rule_plane = {"plane", -2147483648.0, 2147483647.0, true, false},
                         rule_x = {"x", -1e9, 1e9, false, false}, rule_y = {"y", -1e9, 1e9, false, false},
                         rule_lanes = {"lanes", 1, 4096, true, false},
                         rule_rate = {"lane_gbps", 0, 1e6, false, true},
                         rule_latency = {"latency_ps", 0, 4294967295.0, true, false},
                         rule_length = {"length", 0, 1e6, false, false},
                         rule_rows = {"rows", 1, PP_FABRIC_MAX_CORES, true, false},
                         rule_cols = {"cols", 1, PP_FABRIC_MAX_CORES, true, false},
                         rule_reach = {"reach", 1, PP_FABRIC_MAX_REACH, true, false},
                         rule_wrap = {"wrap", 0, 1, true, false},
                         rule_ports = {"ports", 0, PP_FABRIC_MAX_PORTS, true, false};

/* Reads element `i`'s number into *value. An attribute that the file does not declare leaves *value
 * alone (*given = false, which may be NULL); one that it declares must be there on every element. */
static pp_status read_number(const reader *r, igraph_attribute_elemtype_t element, igraph_integer_t i,
                             const number_rule *rule, double *value, bool *given)
{
    if (given)
        *given = false;
    if (!igraph_cattribute_has_attr(&r->graph, element, rule->name))
        return PP_OK;
    const double v = element == IGRAPH_ATTRIBUTE_VERTEX ? VAN(&r->graph, rule->name, i)
                     : element == IGRAPH_ATTRIBUTE_EDGE ? EAN(&r->graph, rule->name, i)
                                                        : GAN(&r->graph, rule->name);
    char text[ELEMENT_MAX];
    if (isnan(v))
        return pp_fail(PP_EFORMAT, "%s: %s: %s is missing", r->path, element_text(r, element, i, text), rule->name);
    const bool inside = v >= rule->min && v <= rule->max && !(rule->above_min && v <= rule->min);
    if (!inside || (rule->integer && v != floor(v)))
        return pp_fail(PP_ERANGE, "%s: %s: %s: expected %s %s %.10g to %.10g, found %.10g", r->path,
                       element_text(r, element, i, text), rule->name, rule->integer ? "an integer" : "a number",
                       rule->above_min ? "above" : "from", rule->min, rule->max, v);
    *value = v;
    if (given)
        *given = true;
    return PP_OK;
}

/* Numbers that are declared as texts would read as missing everywhere: say what is wrong instead. */
static pp_status check_types(const reader *r)
{
    static const struct {
        igraph_attribute_elemtype_t element;
        const number_rule *rule;
        const char *word;
    } all[] = {
        {IGRAPH_ATTRIBUTE_VERTEX, &rule_row, "vertex"},     {IGRAPH_ATTRIBUTE_VERTEX, &rule_col, "vertex"},
        {IGRAPH_ATTRIBUTE_VERTEX, &rule_plane, "vertex"},   {IGRAPH_ATTRIBUTE_VERTEX, &rule_x, "vertex"},
        {IGRAPH_ATTRIBUTE_VERTEX, &rule_y, "vertex"},       {IGRAPH_ATTRIBUTE_EDGE, &rule_lanes, "edge"},
        {IGRAPH_ATTRIBUTE_EDGE, &rule_rate, "edge"},        {IGRAPH_ATTRIBUTE_EDGE, &rule_latency, "edge"},
        {IGRAPH_ATTRIBUTE_EDGE, &rule_length, "edge"},      {IGRAPH_ATTRIBUTE_GRAPH, &rule_rows, "graph"},
        {IGRAPH_ATTRIBUTE_GRAPH, &rule_cols, "graph"},      {IGRAPH_ATTRIBUTE_GRAPH, &rule_reach, "graph"},
        {IGRAPH_ATTRIBUTE_GRAPH, &rule_wrap, "graph"},      {IGRAPH_ATTRIBUTE_GRAPH, &rule_ports, "graph"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        presence p = ABSENT;
        PP_TRY(find_attribute(r, all[i].element, all[i].rule->name, &p));
        if (p == TEXT)
            return pp_fail(PP_EFORMAT, "%s: %s attribute %s: expected a number type (int, double), found string",
                           r->path, all[i].word, all[i].rule->name);
    }
    presence kind = ABSENT;
    PP_TRY(find_attribute(r, IGRAPH_ATTRIBUTE_VERTEX, "kind", &kind));
    if (kind == NUMBER)
        return pp_fail(PP_EFORMAT, "%s: vertex attribute kind: expected type string", r->path);
    return PP_OK;
}

/* ---- Vertices ---- */

static pp_status read_kind(const reader *r, igraph_integer_t v, pp_vertex_kind *out)
{
    static const char *const names[] = {
        [PP_VERTEX_BOTH] = "both", [PP_VERTEX_CORE] = "core", [PP_VERTEX_SWITCH] = "switch"};
    const bool declared = igraph_cattribute_has_attr(&r->graph, IGRAPH_ATTRIBUTE_VERTEX, "kind");
    const char *text = declared ? VAS(&r->graph, "kind", v) : "";
    char element[ELEMENT_MAX];
    element_text(r, IGRAPH_ATTRIBUTE_VERTEX, v, element);
    if (!text || text[0] == '\0')
        return pp_fail(PP_EFORMAT, "%s: %s: kind is missing; expected core, switch or both", r->path, element);
    for (int k = 0; k < 3; k++)
        if (strcmp(text, names[k]) == 0) {
            *out = (pp_vertex_kind)k;
            return PP_OK;
        }
    return pp_fail(PP_EFORMAT, "%s: %s: kind: expected core, switch or both, found %.40s", r->path, element, text);
}

/* Vertices without coordinates stand on a square, in the order of the file. */
static igraph_integer_t square_side(igraph_integer_t n)
{
    igraph_integer_t side = 1;
    while (side * side < n)
        side++;
    return side;
}

static pp_status read_vertex(reader *r, igraph_integer_t v, igraph_integer_t side)
{
    const igraph_attribute_elemtype_t on_vertex = IGRAPH_ATTRIBUTE_VERTEX;
    pp_vertex_kind kind = PP_VERTEX_BOTH;
    double row = (double)(v / side), col = (double)(v % side), plane = 0.0;
    bool has_row = false, has_col = false, has_x = false, has_y = false;
    PP_TRY(read_kind(r, v, &kind));
    PP_TRY(read_number(r, on_vertex, v, &rule_row, &row, &has_row));
    PP_TRY(read_number(r, on_vertex, v, &rule_col, &col, &has_col));
    PP_TRY(read_number(r, on_vertex, v, &rule_plane, &plane, NULL));
    double x = col, y = row;
    PP_TRY(read_number(r, on_vertex, v, &rule_x, &x, &has_x));
    PP_TRY(read_number(r, on_vertex, v, &rule_y, &y, &has_y));
    r->has_place = (has_row && has_col) || (has_x && has_y);
    const int32_t coord[3] = {(int32_t)row, (int32_t)col, (int32_t)plane};
    return pp_builder_vertex(r->b, kind, coord, (float)x, (float)y);
}

/* The vertices' ids in one block that the fabric will own. */
static pp_status read_names(reader *r)
{
    const igraph_integer_t n = igraph_vcount(&r->graph);
    size_t bytes = 0, at = 0;
    for (igraph_integer_t v = 0; v < n; v++)
        bytes += strlen(vertex_id(r, v)) + 1;
    r->b->names = pp_alloc(bytes, 1);
    if (!r->b->names)
        return PP_ENOMEM;
    for (igraph_integer_t v = 0; v < n; v++) {
        const char *id = vertex_id(r, v);
        const size_t size = strlen(id) + 1;
        memcpy(r->b->names + at, id, size);
        if (size > 1)
            r->b->vertices.data[v].name = r->b->names + at;
        at += size;
    }
    return PP_OK;
}

static pp_status read_vertices(reader *r)
{
    const igraph_integer_t n = igraph_vcount(&r->graph), side = square_side(n);
    for (igraph_integer_t v = 0; v < n; v++)
        PP_TRY(read_vertex(r, v, side));
    return read_names(r);
}

/* ---- Edges ---- */

static double distance(const reader *r, igraph_integer_t u, igraph_integer_t v)
{
    const pp_vertex *a = &r->b->vertices.data[u], *c = &r->b->vertices.data[v];
    return fabs((double)a->x - (double)c->x) + fabs((double)a->y - (double)c->y);
}

static pp_status read_edge(reader *r, igraph_integer_t e, uint32_t u, uint32_t v)
{
    const igraph_attribute_elemtype_t on_edge = IGRAPH_ATTRIBUTE_EDGE;
    char element[ELEMENT_MAX];
    if (u == v)
        return pp_fail(PP_EFORMAT, "%s: %s: an edge must lead to another vertex", r->path,
                       element_text(r, on_edge, e, element));
    double length = r->has_place ? distance(r, u, v) : 1.0, lanes = 0.0, rate = 0.0, latency = 0.0;
    bool has_lanes = false, has_rate = false, has_latency = false;
    PP_TRY(read_number(r, on_edge, e, &rule_length, &length, NULL));
    PP_TRY(read_number(r, on_edge, e, &rule_lanes, &lanes, &has_lanes));
    PP_TRY(read_number(r, on_edge, e, &rule_rate, &rate, &has_rate));
    PP_TRY(read_number(r, on_edge, e, &rule_latency, &latency, &has_latency));
    PP_TRY(pp_builder_channel(r->b, u, v, (float)length));
    pp_channel *c = &r->b->channels.data[r->b->channels.len - 1];
    if (has_lanes)
        c->lanes = (uint32_t)lanes;
    if (has_rate)
        c->lane_gbps = rate;
    if (has_latency)
        c->latency_ps = (uint32_t)latency;
    return PP_OK;
}

/* An undirected edge is a channel each way. */
static pp_status read_edges(reader *r)
{
    const bool directed = igraph_is_directed(&r->graph);
    for (igraph_integer_t e = 0; e < igraph_ecount(&r->graph); e++) {
        const uint32_t u = (uint32_t)IGRAPH_FROM(&r->graph, e), v = (uint32_t)IGRAPH_TO(&r->graph, e);
        /* igraph keeps the larger end of an undirected edge as its source. */
        PP_TRY(read_edge(r, e, directed ? u : v, directed ? v : u));
        if (!directed)
            PP_TRY(read_edge(r, e, u, v));
    }
    return PP_OK;
}

/* ---- Graph ---- */

/* Files that we wrote of grids say so, and then dimension-order routing works on them too. */
static pp_status read_grid(reader *r)
{
    const igraph_attribute_elemtype_t on_graph = IGRAPH_ATTRIBUTE_GRAPH;
    double rows = 0.0, cols = 0.0, reach = 1.0, wrap = 0.0;
    bool has_rows = false, has_cols = false;
    PP_TRY(read_number(r, on_graph, 0, &rule_rows, &rows, &has_rows));
    PP_TRY(read_number(r, on_graph, 0, &rule_cols, &cols, &has_cols));
    PP_TRY(read_number(r, on_graph, 0, &rule_reach, &reach, NULL));
    PP_TRY(read_number(r, on_graph, 0, &rule_wrap, &wrap, NULL));
    if (!has_rows || !has_cols)
        return PP_OK;
    pp_row_direction direction = PP_ROWS_BOTH;
    if (igraph_cattribute_has_attr(&r->graph, on_graph, "row_direction") &&
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
    r->b->grid = (pp_grid){.rows = (uint32_t)rows, .cols = (uint32_t)cols, .reach = (uint32_t)reach,
                           .row_direction = direction, .wrap = wrap > 0.0};
    return PP_OK;
}

static pp_status read_graph(reader *r)
{
    if (igraph_vcount(&r->graph) == 0)
        return pp_fail(PP_EFORMAT, "%s: the graph has no vertices", r->path);
    PP_TRY(check_types(r));
    PP_TRY(read_vertices(r));
    PP_TRY(read_edges(r));
    PP_TRY(read_grid(r));
    double ports = (double)r->b->ports;
    PP_TRY(read_number(r, IGRAPH_ATTRIBUTE_GRAPH, 0, &rule_ports, &ports, NULL));
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
