/* Routings on any graph, by tables: shortest ways, and up*-down*. */
#include "topology/routefn_internal.h"

#include <stdlib.h>
#include <string.h>

/* A table of this many squared entries of 2 bytes: 128 MB. */
#define TABLE_MAX 8192
#define NO_PORT UINT16_MAX

static uint32_t rank_of(const pp_routefn *fn, uint32_t v)
{
    return fn->rank ? fn->rank[v] : v;
}

static bool rises(const pp_routefn *fn, uint32_t channel)
{
    return rank_of(fn, fn->f->channel[channel].dst) > rank_of(fn, fn->f->channel[channel].src);
}

/* Vertices are ranked; a channel rises or falls. The class grows where a way that has fallen rises again. Within a
 * class rising channels come first, ordered by rank, and falling ones behind them: no cycle. */
uint32_t pp_turn_class(const pp_routefn *fn, const pp_route_head *h, uint32_t channel)
{
    if (h->channel == PP_NO_CHANNEL)
        return 0;
    return h->vc_class + (rises(fn, channel) && !rises(fn, h->channel));
}

static bool passes(const pp_fabric *f, uint32_t v, uint32_t dst)
{
    return v == dst || f->vertex[v].kind != PP_VERTEX_CORE;
}

/* Lowest channel of `at` that leads one hop nearer to dst, by its place among those of `at`. */
static uint16_t nearer_port(const pp_fabric *f, const uint32_t *distance, uint32_t at, uint32_t dst)
{
    for (uint32_t i = f->out_first[at]; i < f->out_first[at + 1]; i++) {
        const uint32_t next = f->channel[f->out_channel[i]].dst;
        if (passes(f, next, dst) && distance[next] != UINT32_MAX && distance[next] + 1 == distance[at])
            return (uint16_t)(i - f->out_first[at]);
    }
    return NO_PORT;
}

static pp_status table_new(uint16_t **out, const pp_fabric *f)
{
    if (f->n_vertices > TABLE_MAX)
        return pp_fail(PP_EUNSUPPORTED, "fabric %s: a routing by table takes at most %d vertices", f->name, TABLE_MAX);
    *out = pp_alloc((size_t)f->n_vertices * f->n_vertices, sizeof **out);
    return *out ? PP_OK : PP_ENOMEM;
}

/* ---- Ranks ---- */

/* Breadth-first order from the vertex with the most channels, over channels both ways. */
static pp_status rank_by_search(pp_routefn *fn)
{
    const pp_fabric *f = fn->f;
    uint32_t *queue = pp_alloc(f->n_vertices, sizeof *queue), root = 0, n = 0;
    fn->rank = pp_alloc(f->n_vertices, sizeof *fn->rank);
    if (!queue || !fn->rank) {
        free(queue);
        return PP_ENOMEM;
    }
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        fn->rank[v] = UINT32_MAX;
        if (f->out_first[v + 1] - f->out_first[v] > f->out_first[root + 1] - f->out_first[root])
            root = v;
    }
    for (uint32_t next = 0, start = root; n < f->n_vertices; start = next++) {
        if (fn->rank[start] != UINT32_MAX)
            continue;
        uint32_t head = n;
        fn->rank[start] = n;
        queue[n++] = start;
        for (; head < n; head++)
            for (uint32_t i = f->out_first[queue[head]]; i < f->out_first[queue[head] + 1]; i++) {
                const uint32_t to = f->channel[f->out_channel[i]].dst;
                if (fn->rank[to] == UINT32_MAX) {
                    fn->rank[to] = n;
                    queue[n++] = to;
                }
            }
    }
    free(queue);
    return PP_OK;
}

/* ---- Shortest ---- */

uint32_t pp_next_shortest(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const uint16_t port = fn->table[0][(size_t)h->dst * fn->f->n_vertices + h->at];
    if (h->at == h->dst || port == NO_PORT)
        return 0;
    const uint32_t channel = fn->f->out_channel[fn->f->out_first[h->at] + port];
    *hop = (pp_hop){.channel = channel, .classes = 1U << pp_turn_class(fn, h, channel)};
    return 1;
}

/* Most classes that a way needs under the present ranks. */
static uint32_t classes_needed(const pp_routefn *fn)
{
    uint32_t most = 1;
    for (uint32_t s = 0; s < fn->n_ends; s++)
        for (uint32_t t = 0; t < fn->n_ends; t++) {
            pp_route_head h = {.at = fn->end[s], .channel = PP_NO_CHANNEL, .src = fn->end[s], .dst = fn->end[t]};
            const uint16_t *port = fn->table[0] + (size_t)h.dst * fn->f->n_vertices;
            while (h.at != h.dst && port[h.at] != NO_PORT) {
                const uint32_t channel = fn->f->out_channel[fn->f->out_first[h.at] + port[h.at]];
                h.vc_class = pp_turn_class(fn, &h, channel);
                h.channel = channel;
                h.at = fn->f->channel[channel].dst;
            }
            most = h.vc_class + 1 > most ? h.vc_class + 1 : most;
        }
    return most;
}

/* Ranks by number or by search, whichever needs fewer classes. */
static pp_status choose_ranks(pp_routefn *fn)
{
    const uint32_t by_number = classes_needed(fn);
    PP_TRY(rank_by_search(fn));
    fn->base_classes = classes_needed(fn);
    if (by_number <= fn->base_classes) {
        free(fn->rank);
        fn->rank = NULL;
        fn->base_classes = by_number;
    }
    if (fn->base_classes > PP_ROUTE_MAX_CLASSES)
        return pp_fail(PP_EUNSUPPORTED, "fabric %s: shortest ways would need %u classes of virtual channels, at most %d",
                       fn->f->name, fn->base_classes, PP_ROUTE_MAX_CLASSES);
    return PP_OK;
}

pp_status pp_table_shortest(pp_routefn *fn)
{
    const pp_fabric *f = fn->f;
    PP_TRY(table_new(&fn->table[0], f));
    uint32_t *distance = pp_alloc((size_t)2 * f->n_vertices, sizeof *distance);
    if (!distance)
        return PP_ENOMEM;
    memset(fn->table[0], 0xff, (size_t)f->n_vertices * f->n_vertices * sizeof *fn->table[0]);
    for (uint32_t t = 0; t < fn->n_ends; t++) {
        const uint32_t dst = fn->end[t];
        pp_bfs(f, dst, true, PP_NO_VERTEX, distance, distance + f->n_vertices);
        for (uint32_t v = 0; v < f->n_vertices; v++)
            if (v != dst && distance[v] != UINT32_MAX)
                fn->table[0][(size_t)dst * f->n_vertices + v] = nearer_port(f, distance, v, dst);
    }
    free(distance);
    return choose_ranks(fn);
}

/* ---- Up*-down* ---- */

/* Up leads to lower ranks. A way may go down from anywhere, up only while it has not gone down: the second table
 * holds the ways down. PAPER: schroeder1991. */
uint32_t pp_next_updown(const pp_routefn *fn, const pp_route_head *h, pp_hop *hop)
{
    const bool down = h->channel != PP_NO_CHANNEL && rises(fn, h->channel);
    const uint16_t port = fn->table[down][(size_t)h->dst * fn->f->n_vertices + h->at];
    if (h->at == h->dst || port == NO_PORT)
        return 0;
    *hop = (pp_hop){.channel = fn->f->out_channel[fn->f->out_first[h->at] + port], .classes = 1};
    return 1;
}

/* Distances to dst by channels down only, then by any legal way, and the ports that begin them. `order` lists the
 * vertices by rank. */
static void fill_updown(pp_routefn *fn, const uint32_t *order, uint32_t dst, uint32_t *down, uint32_t *any)
{
    const pp_fabric *f = fn->f;
    const uint32_t n = f->n_vertices;
    uint16_t *to_down = fn->table[1] + (size_t)dst * n, *to_any = fn->table[0] + (size_t)dst * n;
    for (uint32_t v = 0; v < n; v++)
        down[v] = any[v] = v == dst ? 0 : UINT32_MAX;
    for (uint32_t k = n; k-- > 0;) { /* channels down lead to higher ranks: those are done */
        const uint32_t v = order[k];
        for (uint32_t i = f->out_first[v]; v != dst && i < f->out_first[v + 1]; i++) {
            const uint32_t c = f->out_channel[i], to = f->channel[c].dst;
            if (rises(fn, c) && passes(f, to, dst) && down[to] != UINT32_MAX && down[to] + 1 < down[v]) {
                down[v] = down[to] + 1;
                to_down[v] = (uint16_t)(i - f->out_first[v]);
            }
        }
    }
    for (uint32_t k = 0; k < n; k++) { /* channels up lead to lower ranks: those are done */
        const uint32_t v = order[k];
        any[v] = down[v];
        to_any[v] = to_down[v];
        for (uint32_t i = f->out_first[v]; v != dst && i < f->out_first[v + 1]; i++) {
            const uint32_t c = f->out_channel[i], to = f->channel[c].dst;
            if (!rises(fn, c) && passes(f, to, dst) && any[to] != UINT32_MAX && any[to] + 1 < any[v]) {
                any[v] = any[to] + 1;
                to_any[v] = (uint16_t)(i - f->out_first[v]);
            }
        }
    }
}

pp_status pp_table_updown(pp_routefn *fn)
{
    const uint32_t n = fn->f->n_vertices;
    PP_TRY(table_new(&fn->table[0], fn->f));
    PP_TRY(table_new(&fn->table[1], fn->f));
    PP_TRY(rank_by_search(fn));
    uint32_t *order = pp_alloc((size_t)3 * n, sizeof *order);
    if (!order)
        return PP_ENOMEM;
    memset(fn->table[0], 0xff, (size_t)n * n * sizeof *fn->table[0]);
    memset(fn->table[1], 0xff, (size_t)n * n * sizeof *fn->table[1]);
    for (uint32_t v = 0; v < n; v++)
        order[fn->rank[v]] = v;
    for (uint32_t t = 0; t < fn->n_ends; t++)
        fill_updown(fn, order, fn->end[t], order + n, order + 2 * n);
    free(order);
    return PP_OK;
}
