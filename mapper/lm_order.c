/* From places to cores: where the groups below the top level end, and which core each place is.
 *
 * A group (a chip) may end before it is full, where little traffic crosses. The cost of an end is what crosses it; ends
 * at most a group apart with the least sum are found by dynamic programming with a sliding minimum, O(places). */
#include "mapper/lm_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void pp_lm_cuts_free(pp_lm_cuts *c)
{
    free(c->at);
    free(c->first);
    *c = (pp_lm_cuts){0};
}

/* ---- what crosses each place ---- */

typedef struct crossing {
    const pp_lm_ctx *x;
    uint32_t part;
    double *step;   /* [n_places + 2]: sums up to the bits that cross a cut in front of a place */
} crossing;

static double expert_share(const pp_lm_ctx *x, uint32_t part, uint32_t edge)
{
    const pp_lm_part *p = &x->graph->part[part];
    const uint32_t expert = edge < p->n_links ? x->graph->link[p->first_link + edge].expert
                                              : pp_lm_op_of(x, part, edge - p->n_links)->expert;
    return pp_lm_graph_share(x->graph, expert);
}

static pp_status add_crossing(void *payload, const pp_lm_net_view *net)
{
    crossing *c = payload;
    uint64_t lo = net->src, hi = net->src;
    for (uint32_t i = 0; i < net->n_ends; i++) {
        lo = net->end[i].place < lo ? net->end[i].place : lo;
        hi = net->end[i].place > hi ? net->end[i].place : hi;
    }
    const double bits = net->bits * expert_share(c->x, c->part, net->edge) / net->phases;
    c->step[lo + 1] += bits;
    c->step[hi + 1] -= bits;
    return PP_OK;
}

static pp_status add_instance(crossing *c, const pp_lm_cuts *cuts, uint32_t i)
{
    const pp_lm_graph *g = c->x->graph;
    const pp_lm_where w = {.part = g->instance[i], .previous = i > 0 ? g->instance[i - 1] : PP_NONE,
                           .first = cuts->first[i], .first_previous = i > 0 ? cuts->first[i - 1] : 0};
    c->part = w.part;
    for (uint32_t e = 0; e < pp_lm_edges(c->x, w.part); e++)
        PP_TRY(pp_lm_visit_edge(c->x, &w, e, add_crossing, c));
    return PP_OK;
}

static pp_status crossings(double **out, const pp_lm_ctx *x, const pp_lm_cuts *cuts)
{
    crossing c = {.x = x, .step = pp_calloc(cuts->n_places + 2, sizeof *c.step)};
    pp_status status = c.step ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; status == PP_OK && i < x->graph->n_instances; i++)
        status = add_instance(&c, cuts, i);
    for (uint64_t p = 1; status == PP_OK && p < cuts->n_places + 2; p++)
        c.step[p] += c.step[p - 1];
    if (status != PP_OK)
        free(c.step);
    *out = status == PP_OK ? c.step : NULL;
    return status;
}

/* ---- cuts ---- */

typedef struct chain {
    double *cost;     /* [n] least sum of cuts when a group begins here */
    uint64_t *before; /* [n] where the group before it begins */
    uint64_t *window; /* places whose cost may still be the least, costs ascending */
} chain;

/* Least cost of each beginning; `crossing` of place 0 is free. Of equally good ones the farthest: fewer groups. */
static void least_costs(chain *k, const double *cross, uint64_t n, uint64_t group)
{
    uint64_t head = 0, tail = 0;
    k->cost[0] = 0.0;
    k->window[tail++] = 0;
    for (uint64_t p = 1; p < n; p++) {
        while (k->window[head] + group < p)
            head++;
        k->before[p] = k->window[head];
        k->cost[p] = k->cost[k->window[head]] + cross[p];
        while (tail > head && k->cost[k->window[tail - 1]] > k->cost[p])
            tail--;
        k->window[tail++] = p;
    }
}

static pp_status trace(pp_lm_cuts *c, const chain *k, uint64_t group)
{
    const uint64_t n = c->n_places;
    uint64_t last = n > group ? n - group : 0, count = 0;
    for (uint64_t p = last; p < n; p++)
        if (k->cost[p] < k->cost[last])
            last = p;
    for (uint64_t p = last; p > 0; p = k->before[p])
        count++;
    c->at = pp_alloc(count, sizeof *c->at);
    if (!c->at)
        return PP_ENOMEM;
    c->n = count;
    for (uint64_t p = last; p > 0; p = k->before[p])
        c->at[--count] = p;
    return PP_OK;
}

static pp_status best_cuts(pp_lm_cuts *c, const double *cross, uint64_t group)
{
    const uint64_t n = c->n_places;
    chain k = {.cost = pp_alloc(n, sizeof *k.cost), .before = pp_calloc(n, sizeof *k.before),
               .window = pp_alloc(n, sizeof *k.window)};
    pp_status status = k.cost && k.before && k.window ? PP_OK : PP_ENOMEM;
    if (status == PP_OK) {
        least_costs(&k, cross, n, group);
        status = trace(c, &k, group);
    }
    free(k.cost);
    free(k.before);
    free(k.window);
    return status;
}

static pp_status filled_cuts(pp_lm_cuts *c, uint64_t group)
{
    free(c->at);
    c->n = (c->n_places - 1) / group;
    c->at = pp_alloc(c->n, sizeof *c->at);
    for (uint64_t i = 0; c->at && i < c->n; i++)
        c->at[i] = (i + 1) * group;
    return c->at ? PP_OK : PP_ENOMEM;
}

static double cut_bits(const pp_lm_cuts *c, const double *cross)
{
    double bits = 0.0;
    for (uint64_t i = 0; i < c->n; i++)
        bits += cross[c->at[i]];
    return bits;
}

pp_status pp_lm_find_cuts(pp_lm_cuts *c, const pp_lm_ctx *x, uint64_t group, uint64_t groups_max, bool filled)
{
    const pp_lm_graph *g = x->graph;
    double *cross = NULL;
    *c = (pp_lm_cuts){.first = pp_calloc((size_t)g->n_instances + 1, sizeof *c->first)};
    if (!c->first)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < g->n_instances; i++)
        c->first[i + 1] = c->first[i] + x->layout[g->instance[i]].length;
    c->n_places = c->first[g->n_instances];
    if (group == 0 || c->n_places <= group)
        return PP_OK;
    PP_TRY(crossings(&cross, x, c));
    pp_status status = filled_cuts(c, group);
    c->filled_bits = cut_bits(c, cross);
    if (status == PP_OK && !filled) {
        pp_lm_cuts best = {.n_places = c->n_places};
        status = best_cuts(&best, cross, group);
        if (status == PP_OK && (groups_max == 0 || best.n + 1 <= groups_max)) {
            free(c->at);
            c->at = best.at;
            c->n = best.n;
        } else {
            free(best.at);
        }
    }
    c->bits = cut_bits(c, cross);
    free(cross);
    return status;
}

/* ---- cores ---- */

/* Walk of every level: members in the order in which they are used. */
static pp_status level_walks(uint32_t **out, const pp_hier *h, pp_lm_walk walk, uint32_t block)
{
    for (uint32_t l = 0; l < h->n_levels; l++)
        PP_TRY(pp_lm_walk_members(&out[l], h->level[l].unit, l == 0 ? walk : PP_LM_WALK_SNAKE, l == 0 ? block : UINT32_MAX / 2));
    return PP_OK;
}

/* Core of a position inside a group of level `level`. */
static uint32_t core_at(const pp_hier *h, uint32_t *const *walks, uint32_t level, uint64_t position)
{
    uint64_t core = 0, below = 1;
    for (uint32_t l = 0; l <= level; l++) {
        core += walks[l][position % h->level[l].size] * below;
        position /= h->level[l].size;
        below = h->level[l].cores;
    }
    return (uint32_t)core;
}

static void fill_order(uint32_t *order, const pp_lm_cuts *c, const pp_hier *h, uint32_t *const *walks)
{
    const uint32_t top = h->n_levels - 1;
    uint64_t group = 0, begin = 0;
    for (uint64_t p = 0; p < c->n_places; p++) {
        if (group < c->n && p == c->at[group]) {
            begin = p;
            group++;
        }
        const uint64_t base = top > 0 ? walks[top][group] * h->level[top - 1].cores : 0;
        order[p] = (uint32_t)base + core_at(h, walks, top > 0 ? top - 1 : 0, p - begin);
    }
}

pp_status pp_lm_order_cores(uint32_t **out, const pp_lm_cuts *c, const pp_hier *h, pp_lm_walk walk, uint32_t block)
{
    uint32_t *walks[PP_HIER_MAX_LEVELS] = {NULL};
    const uint32_t top = h->n_levels - 1;
    const uint64_t have = h->level[top].size, need = top > 0 ? c->n + 1 : c->n_places;
    *out = NULL;
    if (need > have)
        return pp_fail(PP_EINFEASIBLE, "fabric %s has %" PRIu64 " %s, %" PRIu64 " are needed", h->name, have,
                       top > 0 ? "groups on its top level" : "cores", need);
    pp_status status = level_walks(walks, h, walk, block);
    uint32_t *order = status == PP_OK ? pp_alloc(c->n_places, sizeof *order) : NULL;
    if (status == PP_OK && !order)
        status = PP_ENOMEM;
    if (status == PP_OK)
        fill_order(order, c, h, walks);
    for (uint32_t l = 0; l < h->n_levels; l++)
        free(walks[l]);
    *out = order;
    return status;
}
