/* GraphML task graphs: nodes with work, edges with bits. docs/task-graphs.md says what each attribute means. */
#include "workloads/network_internal.h"
#include "workloads/workloads.h"
#include "workloads/xml_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_BYTES = 64 << 20 };

typedef struct task {
    const char *id;
    unsigned line;
    double ops, ps; /* below 0: not given */
    uint64_t units; /* that leave it */
    uint32_t n_in, n_out, missing, op;
} task;

typedef struct edge {
    const char *source, *target, *data; /* data: edges of one source that carry the same; NULL: its own */
    unsigned line;
    double bits;
    uint32_t from, to;
    uint64_t lo, hi; /* units of what leaves the source */
} edge;

/* <key>: what a <data> is. */
typedef enum meaning { NOTHING, OPS, PS, BITS, DATA } meaning;
typedef struct key {
    const char *id, *what;
    meaning meaning;
} key;

typedef struct graph {
    const char *path;
    pp_arena *arena;
    PP_VEC(key) keys;
    PP_VEC(task) tasks;
    PP_VEC(edge) edges;
    bool in_node, in_edge, in_graph, done;
    const char *data_key;
    uint64_t unit;   /* bits */
    uint32_t *by_id; /* tasks sorted by id */
} graph;

/* ---- reading ---- */

static pp_status add_key(graph *g, const pp_xml_element *e)
{
    static const char *const names[] = {"", "ops", "ps", "bits", "data"};
    const char *name = pp_xml_get(e, "attr.name"), *id = pp_xml_get(e, "id"), *what = pp_xml_get(e, "for");
    key k = {.id = id, .what = what ? what : "all", .meaning = NOTHING};
    if (!id)
        return pp_fail_at(PP_EFORMAT, g->path, e->line, "<key> without an id");
    for (int i = OPS; name && i <= DATA; i++) {
        if (strcmp(name, names[i]) == 0)
            k.meaning = (meaning)i;
        else if (strcasecmp(name, names[i]) == 0)
            return pp_fail_at(PP_EFORMAT, g->path, e->line, "attribute %.60s: unknown; did you mean %s?", name, names[i]);
    }
    return pp_push(&g->keys, k) ? PP_OK : PP_ENOMEM;
}

static pp_status add_node(graph *g, const pp_xml_element *e)
{
    task t = {.id = pp_xml_get(e, "id"), .line = e->line, .ops = -1, .ps = -1};
    if (!t.id || !*t.id)
        return pp_fail_at(PP_EFORMAT, g->path, e->line, "<node> without an id");
    g->in_node = true;
    return pp_push(&g->tasks, t) ? PP_OK : PP_ENOMEM;
}

static pp_status add_edge(graph *g, const pp_xml_element *e)
{
    edge t = {.source = pp_xml_get(e, "source"), .target = pp_xml_get(e, "target"), .line = e->line, .bits = -1};
    const char *directed = pp_xml_get(e, "directed");
    if (!t.source || !t.target)
        return pp_fail_at(PP_EFORMAT, g->path, e->line, "<edge> without source or target");
    if (directed && strcmp(directed, "false") == 0)
        return pp_fail_at(PP_EFORMAT, g->path, e->line, "an edge without direction; data flow one way");
    g->in_edge = true;
    return pp_push(&g->edges, t) ? PP_OK : PP_ENOMEM;
}

static pp_status start(void *payload, const pp_xml_element *e)
{
    graph *g = payload;
    if (strcmp(e->name, "key") == 0)
        return add_key(g, e);
    if (strcmp(e->name, "graph") == 0) {
        const char *way = pp_xml_get(e, "edgedefault");
        if (g->in_graph || g->done)
            return pp_fail_at(PP_EUNSUPPORTED, g->path, e->line, "more than one graph");
        if (!way || strcmp(way, "directed") != 0)
            return pp_fail_at(PP_EFORMAT, g->path, e->line,
                              "expected <graph edgedefault=\"directed\">: data flow one way");
        g->in_graph = true;
        return PP_OK;
    }
    if (!g->in_graph)
        return PP_OK;
    if (strcmp(e->name, "node") == 0)
        return add_node(g, e);
    if (strcmp(e->name, "edge") == 0)
        return add_edge(g, e);
    if (strcmp(e->name, "data") == 0)
        g->data_key = pp_xml_get(e, "key");
    return PP_OK;
}

static meaning meaning_of(const graph *g, const char *what)
{
    for (size_t i = 0; g->data_key && i < g->keys.len; i++) {
        const key *k = &g->keys.data[i];
        if (strcmp(k->id, g->data_key) == 0 && (strcmp(k->what, "all") == 0 || strcmp(k->what, what) == 0))
            return k->meaning;
    }
    return NOTHING;
}

static pp_status number(const graph *g, const char *text, unsigned line, const char *name, double least, double *out)
{
    char *end = NULL;
    double v = strtod(text, &end);
    if (end == text || *end || !(v >= least) || v > 1e15 || v != floor(v))
        return pp_fail_at(PP_ERANGE, g->path, line, "%s: expected a whole number from %g to 1e15, found '%.40s'", name,
                          least, text);
    *out = v;
    return PP_OK;
}

static pp_status end_data(graph *g, const char *text, unsigned line)
{
    if (g->in_node && g->tasks.len) {
        task *t = &g->tasks.data[g->tasks.len - 1];
        meaning m = meaning_of(g, "node");
        if (m == OPS)
            return number(g, text, line, "ops", 0, &t->ops);
        return m == PS ? number(g, text, line, "ps", 0, &t->ps) : PP_OK;
    }
    if (!g->in_edge)
        return PP_OK;
    edge *e = &g->edges.data[g->edges.len - 1];
    meaning m = meaning_of(g, "edge");
    if (m == DATA)
        e->data = *text ? text : NULL;
    return m == BITS ? number(g, text, line, "bits", 1, &e->bits) : PP_OK;
}

static pp_status end(void *payload, const char *name, const char *text, unsigned line)
{
    graph *g = payload;
    if (strcmp(name, "data") == 0)
        return end_data(g, text, line);
    if (strcmp(name, "node") == 0)
        g->in_node = false;
    else if (strcmp(name, "edge") == 0)
        g->in_edge = false;
    else if (strcmp(name, "graph") == 0) {
        g->done = true;
        g->in_graph = false;
    }
    return PP_OK;
}

/* ---- checking ---- */

typedef struct named {
    const char *id;
    uint32_t index;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->id, ((const named *)b)->id);
}

static pp_status find_task(const graph *g, const named *sorted, const char *id, unsigned line, uint32_t *out)
{
    named want = {.id = id};
    const named *found = bsearch(&want, sorted, g->tasks.len, sizeof *sorted, by_name);
    if (!found)
        return pp_fail_at(PP_ENOTFOUND, g->path, line, "no node '%.60s'", id);
    *out = found->index;
    return PP_OK;
}

static pp_status resolve(graph *g, named *sorted)
{
    for (uint32_t i = 0; i < g->tasks.len; i++) {
        const task *t = &g->tasks.data[i];
        sorted[i] = (named){t->id, i};
        if ((t->ops < 0) == (t->ps < 0))
            return pp_fail_at(PP_EFORMAT, g->path, t->line, "node '%.60s': give its work as either ops or ps", t->id);
    }
    qsort(sorted, g->tasks.len, sizeof *sorted, by_name);
    for (uint32_t i = 1; i < g->tasks.len; i++)
        if (strcmp(sorted[i].id, sorted[i - 1].id) == 0)
            return pp_fail_at(PP_EFORMAT, g->path, g->tasks.data[sorted[i].index].line, "node '%.60s' is defined twice",
                              sorted[i].id);
    for (uint32_t i = 0; i < g->edges.len; i++) {
        edge *e = &g->edges.data[i];
        PP_TRY(find_task(g, sorted, e->source, e->line, &e->from));
        PP_TRY(find_task(g, sorted, e->target, e->line, &e->to));
        if (e->bits < 0)
            return pp_fail_at(PP_EFORMAT, g->path, e->line, "edge '%.60s' -> '%.60s': bits are missing", e->source,
                              e->target);
        g->tasks.data[e->to].n_in++;
        g->tasks.data[e->from].n_out++;
    }
    return PP_OK;
}

static uint64_t common(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int by_source(const void *a, const void *b)
{
    const edge *x = *(edge *const *)a, *y = *(edge *const *)b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (!x->data != !y->data)
        return x->data ? -1 : 1;
    int order = x->data ? strcmp(x->data, y->data) : 0;
    return order ? order : x->line < y->line ? -1 : x->line > y->line ? 1 : x < y ? -1 : x > y;
}

/* What leaves a task, in units of the largest common size: each edge its own part, edges of the same data one. */
static pp_status share_out(graph *g)
{
    edge **sorted = pp_alloc(g->edges.len, sizeof *sorted);
    pp_status status = sorted ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; i < g->edges.len; i++)
        g->unit = common(g->unit, (uint64_t)g->edges.data[i].bits);
    if (g->unit > UINT32_MAX / 2)
        g->unit = common(g->unit, 1 << 20); /* units of a network are small */
    for (uint32_t i = 0; i < g->edges.len && sorted; i++)
        sorted[i] = &g->edges.data[i];
    if (sorted && g->edges.len)
        qsort(sorted, g->edges.len, sizeof *sorted, by_source);
    for (uint32_t i = 0; i < g->edges.len && status == PP_OK; i++) {
        edge *e = sorted[i], *last = i ? sorted[i - 1] : NULL;
        task *t = &g->tasks.data[e->from];
        uint64_t units = (uint64_t)e->bits / g->unit;
        bool same = last && last->from == e->from && e->data && last->data && strcmp(e->data, last->data) == 0;
        if (same && last->hi - last->lo != units)
            status = pp_fail_at(PP_EINVAL, g->path, e->line, "data '%.60s' of node '%.60s' has %g bits here, %g before",
                                e->data, t->id, e->bits, last->bits);
        e->lo = same ? last->lo : t->units;
        e->hi = e->lo + units;
        t->units = e->hi;
        if (t->units > PP_DIM_MAX && status == PP_OK)
            status = pp_fail_at(PP_ERANGE, g->path, t->line,
                                "node '%.60s' sends more than %u times the common unit of %llu "
                                "bits; round the sizes of edges",
                                t->id, PP_DIM_MAX, (unsigned long long)g->unit);
    }
    free(sorted);
    return status;
}

/* ---- the network ---- */

typedef struct maker {
    graph *g;
    pp_builder *b;
    uint32_t *first, *list; /* edges into each task */
    uint32_t *op;           /* of inputs */
    uint32_t (*part)[2];
} maker;

static pp_status add_task(maker *m, uint32_t index)
{
    graph *g = m->g;
    task *t = &g->tasks.data[index];
    uint32_t n = 0;
    for (uint32_t i = m->first[index]; i < m->first[index + 1]; i++, n++) {
        const edge *e = &g->edges.data[m->list[i]];
        m->op[n] = g->tasks.data[e->from].op;
        m->part[n][0] = (uint32_t)e->lo;
        m->part[n][1] = (uint32_t)e->hi;
    }
    if (n == 0) { /* starts with each inference */
        m->op[0] = 0;
        m->part[0][0] = 0;
        m->part[0][1] = 1;
        n = 1;
    }
    pp_task_work work = {.ops = t->ops >= 0 ? (uint64_t)t->ops : 0,
                         .ps = t->ps >= 0 ? (uint64_t)t->ps : 0,
                         .unit_bits = (uint32_t)g->unit};
    uint32_t units = t->units ? (uint32_t)t->units : 1;
    return pp_build_task(m->b, t->id, m->op, (const uint32_t(*)[2])m->part, n, units, &work, &t->op);
}

/* Tasks whose inputs are all made, in the order of the file; false progress: a cycle. */
static pp_status add_tasks(maker *m, uint32_t *queue)
{
    graph *g = m->g;
    uint32_t done = 0, head = 0, n = (uint32_t)g->tasks.len;
    uint32_t *out_first = pp_calloc((size_t)n + 2, sizeof *out_first), *out = pp_calloc(g->edges.len, sizeof *out);
    pp_status status = out_first && out ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; i < g->edges.len && status == PP_OK; i++)
        out_first[g->edges.data[i].from + 2]++;
    for (uint32_t i = 0; i < n && status == PP_OK; i++)
        out_first[i + 2] += out_first[i + 1];
    for (uint32_t i = 0; i < g->edges.len && status == PP_OK; i++)
        out[out_first[g->edges.data[i].from + 1]++] = g->edges.data[i].to;
    for (uint32_t i = 0; i < n && status == PP_OK; i++)
        if ((g->tasks.data[i].missing = g->tasks.data[i].n_in) == 0)
            queue[done++] = i;
    while (head < done && status == PP_OK) {
        uint32_t i = queue[head++];
        status = add_task(m, i);
        for (uint32_t k = out_first[i]; k < out_first[i + 1]; k++)
            if (--g->tasks.data[out[k]].missing == 0)
                queue[done++] = out[k];
    }
    free(out_first);
    free(out);
    for (uint32_t i = 0; i < n && status == PP_OK && done < n; i++)
        if (g->tasks.data[i].missing)
            status = pp_fail_at(PP_EFORMAT, g->path, g->tasks.data[i].line,
                                "node '%.60s' waits for itself: the graph has a "
                                "cycle",
                                g->tasks.data[i].id);
    return status;
}

/* One result leaves: several last tasks meet in a task without work. */
static pp_status add_end(maker *m)
{
    const graph *g = m->g;
    const pp_task_work none = {.unit_bits = (uint32_t)g->unit};
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->tasks.len; i++) {
        if (g->tasks.data[i].n_out)
            continue;
        m->op[n] = g->tasks.data[i].op;
        m->part[n][0] = 0;
        m->part[n++][1] = 1;
    }
    if (n == 1)
        return pp_builder_prune_(m->b, m->op[0]);
    const char *name = pp_builder_find_(m->b, "end") == PP_NONE ? "end" : "(end)";
    return pp_build_task(m->b, name, m->op, (const uint32_t(*)[2])m->part, n, 1, &none, NULL);
}

static pp_status make(graph *g, pp_network **out)
{
    uint32_t n = (uint32_t)g->tasks.len, room = n + (uint32_t)g->edges.len + 1;
    char *base = pp_path_base(g->path), *dot = base ? strrchr(base, '.') : NULL;
    maker m = {.g = g,
               .first = pp_calloc((size_t)n + 2, sizeof *m.first),
               .list = pp_calloc(g->edges.len, sizeof *m.list),
               .op = pp_calloc(room, sizeof *m.op),
               .part = pp_calloc(room, sizeof *m.part)};
    uint32_t *queue = pp_calloc(n, sizeof *queue);
    pp_status status = PP_ENOMEM;
    if (!base || !m.first || !m.list || !m.op || !m.part || !queue)
        goto done;
    if (dot && dot != base)
        *dot = '\0';
    for (uint32_t i = 0; i < g->edges.len; i++)
        m.first[g->edges.data[i].to + 2]++;
    for (uint32_t i = 0; i < n; i++)
        m.first[i + 2] += m.first[i + 1];
    for (uint32_t i = 0; i < g->edges.len; i++)
        m.list[m.first[g->edges.data[i].to + 1]++] = i;
    PP_GOTO(done, status, pp_builder_new(&m.b, base, (pp_shape){1, 1, 1}));
    PP_GOTO(done, status, add_tasks(&m, queue));
    PP_GOTO(done, status, add_end(&m));
    pp_builder *b = m.b;
    m.b = NULL;
    status = pp_builder_finish(out, b);
done:
    pp_builder_free(m.b);
    free(base);
    free(m.first);
    free(m.list);
    free(m.op);
    free(m.part);
    free(queue);
    return status;
}

static pp_status read_graph(graph *g, const char *text, size_t size, pp_network **out)
{
    const pp_xml_handler h = {start, end, g};
    PP_TRY(pp_xml_read(g->path, text, size, g->arena, &h));
    if (!g->done || g->tasks.len == 0 || g->tasks.len >= PP_NONE / 4 || g->edges.len >= PP_NONE / 4)
        return pp_fail_at(PP_EFORMAT, g->path, 0, "holds no graph of nodes");
    named *sorted = pp_alloc(g->tasks.len, sizeof *sorted);
    pp_status status = sorted ? resolve(g, sorted) : PP_ENOMEM;
    free(sorted);
    if (g->edges.len == 0)
        g->unit = 1;
    if (status == PP_OK)
        status = share_out(g);
    if (status != PP_OK)
        return status;
    status = make(g, out);
    if (status != PP_OK && strncmp(pp_error_text(), g->path, strlen(g->path)) != 0)
        pp_fail_in(status, g->path);
    return status;
}

pp_status pp_network_from_tasks(pp_network **out, const char *path)
{
    graph g = {.path = path};
    char *text = NULL;
    size_t size = 0;
    pp_status status;
    *out = NULL;
    PP_GOTO(done, status, pp_file_read_text(&text, &size, path, MAX_BYTES));
    PP_GOTO(done, status, pp_arena_new(&g.arena));
    status = read_graph(&g, text, size, out);
done:
    free(text);
    pp_arena_free(g.arena);
    free(g.keys.data);
    free(g.tasks.data);
    free(g.edges.data);
    return status;
}
