/* Freedom from deadlock of a routing function, by its channel dependency graph.
 * PAPER: dally1987, theorem: a deterministic routing function on a connected network is free from
 * deadlock if and only if its channel dependency graph has no cycle. */
#include "topology/topology_internal.h"

#include <stdlib.h>
#include <string.h>

/* All ordered pairs are routed; beyond this it would take minutes. */
#define MAX_CORES 4096

/* The dependency c -> k-th channel out of c's end is flag[first[c] + k]. */
typedef struct dependencies {
    const pp_fabric *f;
    size_t *first; /* [n_network + 1] */
    uint8_t *flag;
} dependencies;

static pp_status init(dependencies *d, const pp_fabric *f)
{
    *d = (dependencies){.f = f, .first = pp_calloc((size_t)f->n_network + 1, sizeof *d->first)};
    if (!d->first)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < f->n_network; c++) {
        const uint32_t v = f->channel[c].dst;
        d->first[c + 1] = d->first[c] + (f->out_first[v + 1] - f->out_first[v]);
    }
    d->flag = pp_calloc(d->first[f->n_network], 1);
    return d->flag ? PP_OK : PP_ENOMEM;
}

static void mark(dependencies *d, uint32_t from, uint32_t to)
{
    const pp_fabric *f = d->f;
    const uint32_t v = f->channel[from].dst;
    for (uint32_t i = f->out_first[v]; i < f->out_first[v + 1]; i++)
        if (f->out_channel[i] == to)
            d->flag[d->first[from] + (i - f->out_first[v])] = 1;
}

/* Pairs without a way add no dependency. */
static pp_status mark_pair(dependencies *d, pp_routing routing, uint32_t src, uint32_t dst, uint32_t *path)
{
    size_t n = 0;
    const pp_status status = pp_route(d->f, routing, src, dst, path, d->f->n_vertices, &n);
    if (status == PP_EINFEASIBLE)
        return PP_OK;
    for (size_t i = 1; status == PP_OK && i < n; i++)
        mark(d, path[i - 1], path[i]);
    return status;
}

static pp_status mark_all(dependencies *d, pp_routing routing)
{
    const pp_fabric *f = d->f;
    pp_status status = PP_OK;
    uint32_t *path = pp_alloc(f->n_vertices, sizeof *path);
    if (!path)
        return PP_ENOMEM;
    for (uint32_t s = 0; status == PP_OK && s < f->n_cores; s++)
        for (uint32_t t = 0; status == PP_OK && t < f->n_cores; t++)
            status = mark_pair(d, routing, f->core_vertex[s], f->core_vertex[t], path);
    free(path);
    return status;
}

/* Depth-first search with its own stack; the stack is the path from the root. */
typedef struct search {
    uint8_t *colour; /* 0 new, 1 on the stack, 2 done */
    uint32_t *stack;
    size_t *next;    /* of the channel on the stack: its next dependency */
    size_t depth;
} search;

/* Searches from `root`; true when the top of the stack depends on *back, which stands below it. */
static bool search_from(const dependencies *d, search *s, uint32_t root, uint32_t *back)
{
    const pp_fabric *f = d->f;
    s->depth = 1;
    s->stack[0] = root;
    s->colour[root] = 1;
    s->next[root] = d->first[root];
    while (s->depth > 0) {
        const uint32_t c = s->stack[s->depth - 1];
        if (s->next[c] == d->first[c + 1]) {
            s->colour[c] = 2;
            s->depth--;
            continue;
        }
        const size_t i = s->next[c]++;
        if (!d->flag[i])
            continue;
        const uint32_t to = f->out_channel[f->out_first[f->channel[c].dst] + (i - d->first[c])];
        if (s->colour[to] == 1) {
            *back = to;
            return true;
        }
        if (s->colour[to] == 0) {
            s->colour[to] = 1;
            s->next[to] = d->first[to];
            s->stack[s->depth++] = to;
        }
    }
    return false;
}

static pp_status find_cycle(const dependencies *d, uint32_t **cycle, uint32_t *n_cycle)
{
    const uint32_t n = d->f->n_network;
    search s = {.colour = pp_calloc(n, 1), .stack = pp_alloc(n, sizeof *s.stack), .next = pp_alloc(n, sizeof *s.next)};
    pp_status status = s.colour && s.stack && s.next ? PP_OK : PP_ENOMEM;
    uint32_t back = PP_NO_CHANNEL;
    for (uint32_t c = 0; status == PP_OK && back == PP_NO_CHANNEL && c < n; c++)
        if (s.colour[c] == 0)
            (void)search_from(d, &s, c, &back);
    if (back != PP_NO_CHANNEL) {
        size_t begin = s.depth;
        while (s.stack[begin - 1] != back)
            begin--;
        begin--;
        *cycle = pp_alloc(s.depth - begin, sizeof **cycle);
        if (*cycle) {
            memcpy(*cycle, s.stack + begin, (s.depth - begin) * sizeof **cycle);
            *n_cycle = (uint32_t)(s.depth - begin);
        } else {
            status = PP_ENOMEM;
        }
    }
    free(s.colour);
    free(s.stack);
    free(s.next);
    return status;
}

pp_status pp_route_check(const pp_fabric *fabric, pp_routing routing, uint32_t **cycle, uint32_t *n_cycle)
{
    *cycle = NULL;
    *n_cycle = 0;
    if (fabric->n_cores > MAX_CORES)
        return pp_fail(PP_EUNSUPPORTED, "fabric %s: the dependency check routes all pairs; it takes at most %d cores",
                       fabric->name, MAX_CORES);
    dependencies d = {0};
    pp_status status = init(&d, fabric);
    if (status == PP_OK)
        status = mark_all(&d, routing);
    if (status == PP_OK)
        status = find_cycle(&d, cycle, n_cycle);
    free(d.first);
    free(d.flag);
    return status;
}
