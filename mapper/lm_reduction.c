/* How the partial sums of each matrix come together: the quickest way that leaves the busiest channel as it is.
 *
 * A chain loads each channel once and takes a step for each row tile; a tree takes steps for the logarithm, a star one, and
 * both bring several sums to one core. Places do not depend on it, so all ways are routed where the tiles lie, in one of all
 * instances that lie alike. */
#include "mapper/lm_internal.h"

#include <stdlib.h>
#include <string.h>

enum { WAYS = 3 };
static const uint32_t way_of[WAYS] = {PP_REDUCE_CHAIN, PP_REDUCE_TREE, PP_REDUCE_STAR};

typedef struct choice {
    uint32_t part, op;            /* op: index in the part */
    uint64_t sum_ps[WAYS];        /* from the first result to the whole sum, on an idle fabric */
    uint64_t adder_ps[WAYS];
    pp_lm_usages usage[WAYS];     /* of all instances looked at */
    double share;
} choice;

typedef struct chooser {
    pp_lm_build *b;
    bool *seen;                   /* [instances] is looked at */
    double *busy;                 /* [channels] a token, chosen ways and all other edges */
    PP_VEC(choice) choices;
    double channel_ps, stage_ps;  /* what must not become more */
} chooser;

/* Whether two instances lie alike, relative to their first core and its place in the innermost group. */
static bool alike(const pp_lm_build *b, uint32_t i, uint32_t j)
{
    const uint32_t *x = &b->m->order[b->cuts.first[i]], *y = &b->m->order[b->cuts.first[j]];
    const uint64_t n = b->cuts.first[i + 1] - b->cuts.first[i];
    const uint32_t group = b->m->fabric->n_levels > 1 ? (uint32_t)b->m->fabric->level[0].cores : 1;
    if (b->x.graph->instance[i] != b->x.graph->instance[j] || b->cuts.first[j + 1] - b->cuts.first[j] != n || x[0] % group != y[0] % group)
        return false;
    for (uint64_t p = 1; p < n; p++)
        if (x[p] - x[0] != y[p] - y[0])
            return false;
    return true;
}

/* Of instances that lie alike, with neighbours that do, one; and its neighbours. */
static pp_status pick_instances(chooser *c)
{
    const uint32_t n = c->b->x.graph->n_instances;
    uint32_t *like = pp_alloc(n, sizeof *like);
    if (!like)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        like[i] = 0;
        while (!alike(c->b, like[i], i))
            like[i]++;
    }
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t before = (i + n - 1) % n, behind = (i + 1) % n;
        bool first = true;
        for (uint32_t j = 0; j < i && first; j++)
            first = like[j] != like[i] || like[(j + n - 1) % n] != like[before] || like[(j + 1) % n] != like[behind];
        if (first)
            c->seen[before] = c->seen[i] = c->seen[behind] = true;
    }
    free(like);
    return PP_OK;
}

static bool chooses(const chooser *c, uint32_t part, uint32_t k)
{
    const pp_lm_ctx *x = &c->b->x;
    return pp_lm_op_of(x, part, k)->kind == PP_LM_OP_LINEAR && pp_lm_plan_of(x, part, k)->row_tiles > 2;
}

/* As the bounds count: bits a token over the channel's rate. */
static void load(const chooser *c, const pp_lm_usages *u, double sign)
{
    for (size_t i = 0; i < u->len; i++) {
        const pp_lm_usage *x = &u->data[i];
        c->busy[x->channel] += sign * x->bits * 1000.0 / pp_channel_rate_gbps(pp_hier_channel(c->b->m->fabric, x->channel));
    }
}

/* Every edge but the sums that are chosen. */
static pp_status load_others(chooser *c, uint32_t instance)
{
    const pp_lm_ctx *x = &c->b->x;
    const pp_lm_where w = pp_lm_where_of(c->b, instance);
    const uint32_t n_links = x->graph->part[w.part].n_links;
    pp_lm_usages u = {0};
    pp_status status = PP_OK;
    for (uint32_t e = 0; e < pp_lm_edges(x, w.part) && status == PP_OK; e++) {
        pp_lm_edge_times t;
        if (e >= n_links && chooses(c, w.part, e - n_links))
            continue;
        u.len = 0;
        status = pp_lm_route_edge(c->b->router, &w, e, &u, &t);
        load(c, &u, 1.0);
        c->stage_ps = (double)t.adder_ps > c->stage_ps ? (double)t.adder_ps : c->stage_ps;
    }
    free(u.data);
    return status;
}

/* A matrix's sums one way, in all instances of its part that are looked at. */
static pp_status route_sums(chooser *c, choice *m, uint32_t way)
{
    const pp_lm_ctx *x = &c->b->x;
    pp_lm_plan_of(x, m->part, m->op)->reduction = way_of[way];
    for (uint32_t i = 0; i < x->graph->n_instances; i++) {
        pp_lm_edge_times t;
        if (!c->seen[i] || x->graph->instance[i] != m->part)
            continue;
        const pp_lm_where w = pp_lm_where_of(c->b, i);
        PP_TRY(pp_lm_route_edge(c->b->router, &w, x->graph->part[m->part].n_links + m->op, &m->usage[way], &t));
        for (uint32_t k = 0; k < t.n_reach; k++)
            m->sum_ps[way] = t.reach[k].total_ps > m->sum_ps[way] ? t.reach[k].total_ps : m->sum_ps[way];
        m->adder_ps[way] = t.adder_ps > m->adder_ps[way] ? t.adder_ps : m->adder_ps[way];
    }
    return PP_OK;
}

static pp_status list_choices(chooser *c)
{
    const pp_lm_ctx *x = &c->b->x;
    for (uint32_t part = 0; part < x->graph->n_parts; part++)
        for (uint32_t k = 0; k < x->graph->part[part].n_ops; k++) {
            if (!chooses(c, part, k))
                continue;
            if (!pp_push(&c->choices, ((choice){.part = part, .op = k,
                                                .share = pp_lm_graph_share(x->graph, pp_lm_op_of(x, part, k)->expert)})))
                return PP_ENOMEM;
            for (uint32_t way = 0; way < WAYS; way++)
                PP_TRY(route_sums(c, &c->choices.data[c->choices.len - 1], way));
        }
    return PP_OK;
}

/* With chains everywhere: the busiest channel, matrix or adder. */
static void find_limits(chooser *c)
{
    const pp_lm_ctx *x = &c->b->x;
    for (size_t i = 0; i < c->choices.len; i++) {
        const choice *m = &c->choices.data[i];
        const pp_lm_op_plan *p = pp_lm_plan_of(x, m->part, m->op);
        const pp_mvm_time t = pp_lm_op_mvm(x, pp_lm_op_of(x, m->part, m->op), p);
        const double own = m->share * (double)(t.interval_ps > m->adder_ps[0] ? t.interval_ps : m->adder_ps[0]) / p->copies;
        c->stage_ps = own > c->stage_ps ? own : c->stage_ps;
        load(c, &m->usage[0], 1.0);
    }
    for (uint32_t ch = 0; ch < c->b->m->fabric->n_channels; ch++)
        c->channel_ps = c->busy[ch] > c->channel_ps ? c->busy[ch] : c->channel_ps;
}

static bool fits(const chooser *c, const choice *m, uint32_t way)
{
    const double limit = c->channel_ps > c->stage_ps ? c->channel_ps : c->stage_ps;
    const uint32_t copies = pp_lm_plan_of(&c->b->x, m->part, m->op)->copies;
    for (size_t i = 0; i < m->usage[way].len; i++)
        if (c->busy[m->usage[way].data[i].channel] > limit * (1.0 + 1e-9))
            return false;
    return m->share * (double)m->adder_ps[way] / copies <= limit;
}

/* The quickest way that fits; the chain does. Of equally quick ones the chain, then the tree. */
static void choose(chooser *c, const choice *m)
{
    uint32_t order[WAYS] = {0, 1, 2};
    for (uint32_t k = 1; k < WAYS; k++)
        for (uint32_t i = k; i > 0 && m->sum_ps[order[i]] < m->sum_ps[order[i - 1]]; i--) {
            const uint32_t swap = order[i];
            order[i] = order[i - 1];
            order[i - 1] = swap;
        }
    load(c, &m->usage[0], -1.0);
    for (uint32_t k = 0; k < WAYS; k++) {
        const uint32_t way = order[k];
        load(c, &m->usage[way], 1.0);
        if (way == 0 || fits(c, m, way)) {
            pp_lm_plan_of(&c->b->x, m->part, m->op)->reduction = way_of[way];
            return;
        }
        load(c, &m->usage[way], -1.0);
    }
}

static uint64_t gain(const choice *m)
{
    uint64_t least = m->sum_ps[0];
    for (uint32_t way = 1; way < WAYS; way++)
        least = m->sum_ps[way] < least ? m->sum_ps[way] : least;
    return m->sum_ps[0] - least;
}

static int by_gain(const void *left, const void *right)
{
    const choice *a = left, *b = right;
    if (gain(a) != gain(b))
        return gain(a) > gain(b) ? -1 : 1;
    if (a->part != b->part)
        return a->part < b->part ? -1 : 1;
    return a->op < b->op ? -1 : a->op > b->op;
}

static pp_status run(chooser *c)
{
    const uint32_t n = c->b->x.graph->n_instances;
    c->seen = pp_calloc(n, sizeof *c->seen);
    c->busy = pp_calloc(c->b->m->fabric->n_channels, sizeof *c->busy);
    if (!c->seen || !c->busy)
        return PP_ENOMEM;
    PP_TRY(pick_instances(c));
    for (uint32_t i = 0; i < n; i++)
        if (c->seen[i])
            PP_TRY(load_others(c, i));
    PP_TRY(list_choices(c));
    find_limits(c);
    if (c->choices.len > 0)
        qsort(c->choices.data, c->choices.len, sizeof *c->choices.data, by_gain);
    for (size_t i = 0; i < c->choices.len; i++)
        choose(c, &c->choices.data[i]);
    c->b->chain_ps = c->channel_ps > c->stage_ps ? c->channel_ps : c->stage_ps;
    return PP_OK;
}

pp_status pp_lm_choose_reductions(pp_lm_build *b)
{
    chooser c = {.b = b};
    if (b->x.in->map->reduction != PP_REDUCE_AUTO)
        return PP_OK;
    const pp_status status = run(&c);
    for (size_t i = 0; i < c.choices.len; i++)
        for (uint32_t way = 0; way < WAYS; way++)
            free(c.choices.data[i].usage[way].data);
    free(c.choices.data);
    free(c.seen);
    free(c.busy);
    return status;
}
