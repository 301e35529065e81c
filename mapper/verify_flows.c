/* What flows a network must have, whether the certificate has exactly these, whether each has a way, and
 * which certificate the ways deserve. */
#include "mapper/verify_internal.h"

#include <stdlib.h>
#include <string.h>

enum { KIND_ACTIVATION, KIND_RESIDUAL, KIND_PSUM, KINDS };
static const char *const kind_name[KINDS] = {"activation", "residual", "psum"};

/* A flow that the network asks for. */
typedef struct pp_vneed {
    uint32_t from, to, input, stream, kind, channels[2];
    bool met;
} pp_vneed;

/* A flow of the certificate. */
typedef struct pp_vflow {
    uint32_t from, to, input, stream, kind, channels[2];
    uint32_t first_hop, hops;
} pp_vflow;

typedef struct pp_vflows {
    PP_VEC(pp_vneed) need;
    PP_VEC(pp_vflow) flow;
    PP_VEC(uint32_t) hop; /* channels */
    uint32_t *sums_to;    /* [n_tiles] tile that takes this one's partial sums, PP_NONE before one is seen */
    bool parallel;        /* some channels share both ends */
} pp_vflows;

/* ---- what must be there ---- */

static bool is_head(const pp_verifier *v, const pp_vtile *t)
{
    return t->row + 1 == v->stage[t->stage].rows;
}

/* Channels of input k that a tile needs; false when it needs none. */
static bool needs(const pp_verifier *v, const pp_vtile *t, uint32_t k, uint32_t range[2])
{
    const pp_stage_input *input = &v->stages->stage[t->stage].inputs[k];
    range[0] = input->role == PP_ROLE_MATRIX ? t->in[0] : input->role == PP_ROLE_ADD ? t->out[0] : 0;
    range[1] = input->role == PP_ROLE_MATRIX ? t->in[1]
               : input->role == PP_ROLE_ADD  ? t->out[1]
                                             : pp_stream_shape(v->net, v->stages, input->stream).c;
    const pp_op *op = &v->net->ops[v->stages->stage[t->stage].first_op];
    if (op->kind == PP_OP_TASK && op->part) {
        range[0] = op->part[k][0];
        range[1] = op->part[k][1];
    }
    return input->stream != 0 && (input->role != PP_ROLE_ADD || is_head(v, t));
}

/* From each copy and column of the stage that makes the stream, what overlaps. */
static bool list_input(pp_verifier *v, pp_vflows *f, uint32_t to, uint32_t k)
{
    uint32_t range[2];
    const pp_stage_input *input = &v->stages->stage[v->tile[to].stage].inputs[k];
    if (!needs(v, &v->tile[to], k, range))
        return true;
    const pp_vstage *maker = &v->stage[input->stream - 1];
    for (uint32_t i = 0; i < maker->copies * maker->cols; i++) {
        uint32_t from = maker->first + i * maker->rows + maker->rows - 1;
        const uint32_t *slice = v->tile[from].out;
        pp_vneed n = {.from = from, .to = to, .input = k, .stream = input->stream};
        n.kind = input->role == PP_ROLE_ADD ? KIND_RESIDUAL : KIND_ACTIVATION;
        n.channels[0] = slice[0] > range[0] ? slice[0] : range[0];
        n.channels[1] = slice[1] < range[1] ? slice[1] : range[1];
        if (n.channels[0] < n.channels[1] && !pp_push(&f->need, n))
            return pp_verify_no_memory(v);
    }
    return true;
}

static int by_ends(const void *a, const void *b)
{
    const pp_vneed *x = a, *y = b;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (x->input > y->input) - (x->input < y->input);
}

static bool list_needs(pp_verifier *v, pp_vflows *f)
{
    for (uint32_t t = 0; t < v->n_tiles; t++)
        for (uint32_t k = 0; k < v->stages->stage[v->tile[t].stage].n_inputs; k++)
            if (!list_input(v, f, t, k))
                return false;
    if (f->need.len)
        qsort(f->need.data, f->need.len, sizeof *f->need.data, by_ends);
    f->sums_to = pp_alloc(v->n_tiles, sizeof *f->sums_to);
    if (!f->sums_to)
        return pp_verify_no_memory(v);
    for (uint32_t t = 0; t < v->n_tiles; t++)
        f->sums_to[t] = PP_NONE;
    return true;
}

/* ---- one flow against it ---- */

static bool match_stream(pp_verifier *v, pp_vflows *f, const pp_vflow *flow, unsigned line)
{
    pp_vneed key = {.from = flow->from, .to = flow->to, .input = flow->input};
    pp_vneed *n = f->need.len ? bsearch(&key, f->need.data, f->need.len, sizeof key, by_ends) : NULL;
    if (!n || n->stream != flow->stream || n->kind != flow->kind)
        return pp_verify_note(v, "line %u: the network has no %s flow of stream %u from tile %u to input %u of tile %u",
                              line, kind_name[flow->kind], flow->stream, flow->from, flow->input, flow->to);
    if (n->channels[0] != flow->channels[0] || n->channels[1] != flow->channels[1])
        return pp_verify_note(v, "line %u: channels %u, %u, the network needs %u, %u", line, flow->channels[0],
                              flow->channels[1], n->channels[0], n->channels[1]);
    if (n->met)
        return pp_verify_note(v, "line %u: the flow from tile %u to input %u of tile %u stands here twice", line,
                              flow->from, flow->input, flow->to);
    n->met = true;
    return true;
}

/* Partial sums go from a row tile to another one of its own column; the whole is judged by check_sums. */
static bool match_sums(pp_verifier *v, pp_vflows *f, const pp_vflow *flow, unsigned line)
{
    const pp_vtile *from = &v->tile[flow->from], *to = &v->tile[flow->to];
    if (from->stage != to->stage || from->copy != to->copy || from->col != to->col || flow->from == flow->to ||
        is_head(v, from))
        return pp_verify_note(v, "line %u: tile %u has no partial sums for tile %u", line, flow->from, flow->to);
    if (flow->stream != from->stage + 1 || flow->input != 0)
        return pp_verify_note(v, "line %u: partial sums of tile %u belong to stream %u, input 0", line, flow->from,
                              from->stage + 1);
    if (flow->channels[0] != from->out[0] || flow->channels[1] != from->out[1])
        return pp_verify_note(v, "line %u: partial sums of tile %u are channels %u to %u", line, flow->from,
                              from->out[0], from->out[1]);
    if (f->sums_to[flow->from] != PP_NONE)
        return pp_verify_note(v, "line %u: tile %u sends its partial sums twice", line, flow->from);
    f->sums_to[flow->from] = flow->to;
    return true;
}

/* Channel number `which` of those from a to b, or PP_NO_CHANNEL. */
static uint32_t channel_between(const pp_fabric *fabric, uint32_t a, uint32_t b, uint32_t which)
{
    for (uint32_t i = fabric->out_first[a]; i < fabric->out_first[a + 1]; i++)
        if (fabric->channel[fabric->out_channel[i]].dst == b && which-- == 0)
            return fabric->out_channel[i];
    return PP_NO_CHANNEL;
}

static bool read_way(pp_verifier *v, pp_vflows *f, const pp_node *node, pp_vflow *flow)
{
    const pp_fabric *fabric = v->fabric;
    const pp_node *way = pp_verify_list(v, node, "way");
    const pp_node *which = f->parallel ? pp_verify_list(v, node, "parallel") : NULL;
    /* A core on a switch of its own begins and ends its ways there. */
    uint32_t at = fabric->core_switch[v->tile[flow->from].core], vertex = PP_NONE;
    const uint32_t end = fabric->core_switch[v->tile[flow->to].core];
    if (!way || (f->parallel && !which))
        return false;
    if (way->n < 1 || (way->n < 2 && at != end) || (which && which->n != way->n - 1))
        return pp_verify_note(v, "line %u: expected a way of at least two vertices", way->line);
    if (!pp_verify_item(v, way->child[0], "way", &vertex))
        return false;
    if (vertex != at)
        return pp_verify_note(v, "line %u: the way begins at vertex %u, tile %u sits at %u", way->line, vertex,
                              flow->from, at);
    flow->first_hop = (uint32_t)f->hop.len;
    for (size_t i = 1; i < way->n; i++) {
        uint32_t k = 0;
        if (!pp_verify_item(v, way->child[i], "way", &vertex) ||
            (which && !pp_verify_item(v, which->child[i - 1], "parallel", &k)))
            return false;
        uint32_t channel = vertex < fabric->n_vertices ? channel_between(fabric, at, vertex, k) : PP_NO_CHANNEL;
        if (channel == PP_NO_CHANNEL)
            return pp_verify_note(v, "line %u: no channel from vertex %u to vertex %u", way->line, at, vertex);
        if (at != fabric->core_switch[v->tile[flow->from].core] && fabric->vertex[at].kind == PP_VERTEX_CORE)
            return pp_verify_note(v, "line %u: the way passes through vertex %u, which is a core without a switch",
                                  way->line, at);
        if (!pp_push(&f->hop, channel))
            return pp_verify_no_memory(v);
        at = vertex;
    }
    flow->hops = (uint32_t)(way->n - 1);
    if (at != end)
        return pp_verify_note(v, "line %u: the way ends at vertex %u, tile %u sits at %u", way->line, at, flow->to,
                              end);
    return true;
}

static bool read_flow(pp_verifier *v, pp_vflows *f, const pp_node *node)
{
    static const char *const key[] = {"kind", "from", "to", "input", "stream", "channels", "way", "parallel"};
    const char *kind;
    pp_vflow flow = {.kind = KINDS};
    if (!pp_verify_keys(v, node, "flow", key, f->parallel ? 8 : 7) || !pp_verify_text(v, node, "kind", &kind) ||
        !pp_verify_u32(v, node, "from", &flow.from) || !pp_verify_u32(v, node, "to", &flow.to) ||
        !pp_verify_u32(v, node, "input", &flow.input) || !pp_verify_u32(v, node, "stream", &flow.stream) ||
        !pp_verify_pair(v, node, "channels", flow.channels))
        return false;
    for (uint32_t i = 0; i < KINDS; i++)
        if (strcmp(kind, kind_name[i]) == 0)
            flow.kind = i;
    if (flow.kind == KINDS)
        return pp_verify_note(v, "line %u: kind '%s', expected activation, residual or psum", node->line, kind);
    if (flow.from >= v->n_tiles || flow.to >= v->n_tiles)
        return pp_verify_note(v, "line %u: from tile %u to tile %u, there are %u", node->line, flow.from, flow.to,
                              v->n_tiles);
    if (!(flow.kind == KIND_PSUM ? match_sums : match_stream)(v, f, &flow, node->line) || !read_way(v, f, node, &flow))
        return false;
    return pp_push(&f->flow, flow) || pp_verify_no_memory(v);
}

/* ---- all flows together ---- */

static bool check_missing(pp_verifier *v, const pp_vflows *f)
{
    bool ok = true;
    for (size_t i = 0; i < f->need.len; i++)
        if (!f->need.data[i].met)
            ok =
                pp_verify_note(v, "the flow of stream %u from tile %u to input %u of tile %u is missing",
                               f->need.data[i].stream, f->need.data[i].from, f->need.data[i].input, f->need.data[i].to);
    return ok;
}

/* Every row tile's sums must reach the head, in at most as many steps as there are row tiles. */
static bool check_sums(pp_verifier *v, const pp_vflows *f)
{
    bool ok = true;
    for (uint32_t t = 0; t < v->n_tiles; t++) {
        uint32_t at = t, steps = v->stage[v->tile[t].stage].rows;
        while (at != PP_NONE && !is_head(v, &v->tile[at]) && steps--)
            at = f->sums_to[at];
        if (at == PP_NONE || !is_head(v, &v->tile[at]))
            ok = pp_verify_note(v, "the partial sums of tile %u do not reach the head of its column", t);
    }
    return ok;
}

/* Flows of one multicast: one source tile and stream; every partial sum by itself. */
static int by_net(const void *a, const void *b)
{
    const pp_vflow *x = a, *y = b;
    bool px = x->kind == KIND_PSUM, py = y->kind == KIND_PSUM;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (px != py)
        return px ? 1 : -1;
    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return (x->input > y->input) - (x->input < y->input);
}

static bool one_net(const pp_vflow *a, const pp_vflow *b)
{
    return a->from == b->from && a->kind != KIND_PSUM && b->kind != KIND_PSUM && a->stream == b->stream;
}

/* Marks of one net, by number of the net: the channel that enters a vertex, and channels counted. */
typedef struct pp_vtree {
    uint32_t *net_of_vertex, *entered_by, *net_of_channel, *nets; /* nets: [n_network] on each channel */
} pp_vtree;

static bool add_to_tree(pp_verifier *v, const pp_vflows *f, const pp_vflow *flow, uint32_t net, pp_vtree *tree)
{
    for (uint32_t h = 0; h < flow->hops; h++) {
        uint32_t c = f->hop.data[flow->first_hop + h], to = v->fabric->channel[c].dst;
        if (tree->net_of_vertex[to] == net && tree->entered_by[to] != c)
            return pp_verify_note(v, "the ways of stream %u from tile %u are no tree: two of them meet at vertex %u",
                                  flow->stream, flow->from, to);
        tree->net_of_vertex[to] = net;
        tree->entered_by[to] = c;
        if (tree->net_of_channel[c] != net)
            tree->nets[c]++;
        tree->net_of_channel[c] = net;
    }
    return true;
}

/* A way that passes a vertex twice enters it by two channels, or comes back to the source. */
static bool grow_trees(pp_verifier *v, pp_vflows *f, pp_vtree *tree)
{
    uint32_t net = 0;
    bool ok = true;
    qsort(f->flow.data, f->flow.len, sizeof *f->flow.data, by_net);
    for (size_t i = 0; i < f->flow.len; i++) {
        const pp_vflow *flow = &f->flow.data[i];
        if (i == 0 || !one_net(flow, flow - 1)) {
            uint32_t root = v->fabric->core_vertex[v->tile[flow->from].core];
            tree->net_of_vertex[root] = ++net;
            tree->entered_by[root] = PP_NO_CHANNEL;
        }
        ok = add_to_tree(v, f, flow, net, tree) && ok;
    }
    return ok;
}

static bool check_certificate(pp_verifier *v, const pp_vflows *f, const pp_vtree *tree)
{
    bool disjoint = true, single = true;
    for (uint32_t c = 0; c < v->fabric->n_network; c++)
        disjoint = disjoint && tree->nets[c] <= 1;
    for (size_t i = 0; i < f->flow.len; i++)
        single = single && f->flow.data[i].hops == 1;
    return pp_verify_equal_text(v, v->root, "certificate", !disjoint ? "routed" : single ? "embedding" : "disjoint");
}

static bool check_load(pp_verifier *v, const pp_node *node, uint32_t channel, uint32_t nets)
{
    const uint32_t expected[3] = {v->fabric->channel[channel].src, v->fabric->channel[channel].dst, nets};
    uint32_t found;
    if (node->kind != PP_DOC_LIST || node->n != 3)
        return pp_verify_note(v, "line %u: loads: expected two vertices and a number", node->line);
    for (size_t i = 0; i < 3; i++) {
        if (!pp_verify_item(v, node->child[i], "loads", &found))
            return false;
        if (found != expected[i])
            return pp_verify_note(v, "line %u: loads: found %u, the ways give %u nets from vertex %u to %u", node->line,
                                  found, nets, expected[0], expected[1]);
    }
    return true;
}

/* Every used channel in the fabric's order, with the nets that the ways put on it. */
static bool check_loads(pp_verifier *v, const pp_vtree *tree)
{
    const pp_node *list = pp_verify_list(v, v->root, "loads");
    size_t n = 0;
    bool ok = list != NULL;
    for (uint32_t c = 0; list && c < v->fabric->n_network; c++) {
        if (tree->nets[c] && n < list->n)
            ok = check_load(v, list->child[n], c, tree->nets[c]) && ok;
        n += tree->nets[c] > 0;
    }
    if (list && list->n != n)
        ok = pp_verify_note(v, "line %u: %zu loads, the ways use %zu channels", list->line, list->n, n);
    return ok;
}

static bool check_ways(pp_verifier *v, pp_vflows *f)
{
    uint32_t vertices = v->fabric->n_vertices, channels = v->fabric->n_network;
    pp_vtree tree = {.net_of_vertex = pp_calloc(vertices, sizeof(uint32_t)),
                     .entered_by = pp_calloc(vertices, sizeof(uint32_t)),
                     .net_of_channel = pp_calloc(channels, sizeof(uint32_t)),
                     .nets = pp_calloc(channels, sizeof(uint32_t))};
    bool ok = (tree.net_of_vertex && tree.entered_by && tree.net_of_channel && tree.nets) || pp_verify_no_memory(v);
    if (ok && f->flow.len)
        ok = grow_trees(v, f, &tree);
    if (ok)
        ok = check_loads(v, &tree) && check_certificate(v, f, &tree);
    free(tree.net_of_vertex);
    free(tree.entered_by);
    free(tree.net_of_channel);
    free(tree.nets);
    return ok;
}

static bool has_parallel(const pp_fabric *fabric)
{
    for (uint32_t c = 0; c < fabric->n_network; c++)
        if (channel_between(fabric, fabric->channel[c].src, fabric->channel[c].dst, 1) != PP_NO_CHANNEL)
            return true;
    return false;
}

static bool check_flows(pp_verifier *v, pp_vflows *f)
{
    const pp_node *list = pp_verify_list(v, v->root, "flows");
    bool ok = true;
    if (!list || !list_needs(v, f))
        return false;
    f->parallel = has_parallel(v->fabric);
    for (size_t i = 0; i < list->n; i++)
        ok = read_flow(v, f, list->child[i]) && ok;
    ok = check_missing(v, f) && ok;
    ok = check_sums(v, f) && ok;
    return ok && check_ways(v, f);
}

bool pp_verify_flows(pp_verifier *v)
{
    pp_vflows f = {0};
    bool ok = check_flows(v, &f);
    free(f.need.data);
    free(f.flow.data);
    free(f.hop.data);
    free(f.sums_to);
    return ok;
}
