/* Every tile, net and way of a small model. */
#include "mapper/lm_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#define TILES_MAX 262144

typedef struct expansion {
    pp_lm_expanded *x;
    const pp_lm_mapping *m;
    const pp_lm_ctx *ctx;
    uint32_t *tile_of_core;
    uint32_t first, n;        /* instances */
    uint32_t instance, edge;
    pp_hier_tree tree;
    PP_VEC(pp_lm_tile) tiles;
    PP_VEC(pp_lm_net) nets;
    PP_VEC(pp_lm_hop) hops;
    PP_VEC(pp_lm_end) ends;
    PP_VEC(uint32_t) dst;
    PP_VEC(uint32_t) reached;
} expansion;

void pp_lm_expanded_free(pp_lm_expanded *x)
{
    if (!x)
        return;
    free(x->tile);
    free(x->net);
    free(x->hop);
    free(x->end);
    free(x->tile_first);
    free(x);
}

uint32_t pp_lm_expanded_tile(const pp_lm_expanded *x, const pp_lm_mapping *m, uint32_t instance, uint32_t k, uint32_t copy,
                             uint32_t col, uint32_t row)
{
    const pp_lm_stage *s = &m->stage[m->template_[m->instance[instance].template_].first_stage + k];
    const bool columns = s->row_tiles > 0; /* a matrix, or attention whose context is split */
    const uint32_t cols = columns ? s->col_tiles : s->units, rows = columns ? s->row_tiles : 1;
    const uint32_t first = x->tile_first[(size_t)instance * x->stages_max + k];
    return first == PP_NONE ? PP_NONE : first + (copy * cols + col) * rows + row;
}

pp_status pp_lm_mapping_operators(const pp_lm_mapping *m, uint32_t instance, uint32_t *out)
{
    const pp_lm_ctx *x = &m->store->x;
    const uint32_t part = m->instance[instance].part;
    for (uint32_t p = 0; p < m->instance[instance].n_places; p++)
        out[p] = PP_NONE;
    for (uint32_t k = 0; k < m->graph->part[part].n_ops; k++) {
        const pp_lm_op_plan *plan = pp_lm_plan_of(x, part, k);
        for (uint32_t t = 0; t < plan->tiles; t++)
            out[x->layout[part].place[plan->first_place + t]] = k;
    }
    return PP_OK;
}

/* ---- tiles ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool add_tile(expansion *e, uint32_t part, uint32_t k, uint32_t t)
{
    const pp_lm_op *op = pp_lm_op_of(e->ctx, part, k);
    const pp_lm_op_plan *p = pp_lm_plan_of(e->ctx, part, k);
    const pp_lm_instance *i = &e->m->instance[e->instance];
    const uint32_t row = t % p->row_tiles, col = t / p->row_tiles % p->col_tiles, rows = (uint32_t)e->ctx->in->arch->rows;
    pp_lm_tile tile = {.instance = e->instance,
                       .stage = e->m->template_[i->template_].first_stage + k,
                       .copy = t / p->row_tiles / p->col_tiles,
                       .col = col,
                       .row = row,
                       .core = e->m->order[i->first_place + e->ctx->layout[part].place[p->first_place + t]]};
    if (op->kind == PP_LM_OP_LINEAR) {
        tile.in_lo = row * rows;
        tile.in_hi = least(op->in, tile.in_lo + rows);
        tile.out_lo = col * e->ctx->slice;
        tile.out_hi = least(op->out, tile.out_lo + e->ctx->slice);
    } else {
        tile.out_lo = (uint32_t)((uint64_t)op->out * col / p->col_tiles);
        tile.out_hi = (uint32_t)((uint64_t)op->out * (col + 1) / p->col_tiles);
    }
    e->tile_of_core[tile.core] = (uint32_t)e->tiles.len;
    return pp_push(&e->tiles, tile);
}

static pp_status add_tiles(expansion *e)
{
    const pp_lm_graph *g = e->m->graph;
    for (uint32_t i = e->first > 0 ? e->first - 1 : 0; i < e->first + e->n; i++) {
        const uint32_t part = e->m->instance[i].part;
        e->instance = i;
        for (uint32_t k = 0; k < e->x->stages_max; k++) {
            uint32_t *first = &e->x->tile_first[(size_t)i * e->x->stages_max + k];
            *first = PP_NONE;
            if (k >= g->part[part].n_ops || pp_lm_plan_of(e->ctx, part, k)->tiles == 0)
                continue;
            *first = (uint32_t)e->tiles.len;
            for (uint32_t t = 0; t < pp_lm_plan_of(e->ctx, part, k)->tiles; t++)
                if (!add_tile(e, part, k, t))
                    return PP_ENOMEM;
        }
    }
    return PP_OK;
}

/* ---- nets ---- */

static pp_status add_net(void *payload, const pp_lm_net_view *v)
{
    expansion *e = payload;
    const pp_lm_instance *i = &e->m->instance[e->instance];
    const uint32_t first_stage = e->m->template_[i->template_].first_stage, first_hop = (uint32_t)e->hops.len;
    const uint32_t src = e->m->order[v->src];
    e->dst.len = 0;
    for (uint32_t k = 0; k < v->n_ends; k++)
        if (!pp_push(&e->dst, e->m->order[v->end[k].place]))
            return PP_ENOMEM;
    while (e->reached.len < v->n_ends)
        if (!pp_push(&e->reached, 0))
            return PP_ENOMEM;
    PP_TRY(pp_hier_route_tree(&e->tree, e->m->fabric, src, e->dst.data, v->n_ends, e->reached.data));
    const pp_lm_net net = {.instance = e->instance, .edge = e->edge, .phase = v->phase, .phases = v->phases,
                           .src = e->tile_of_core[src], .bits = v->bits, .first_hop = first_hop, .n_hops = e->tree.n,
                           .first_end = (uint32_t)e->ends.len, .n_ends = v->n_ends, .sum = v->src_node != PP_NONE};
    for (uint32_t h = 0; h < e->tree.n; h++) {
        const uint32_t parent = e->tree.parent[h];
        if (!pp_push(&e->hops, (pp_lm_hop){.channel = e->tree.edge[h],
                                           .parent = parent == PP_NO_EDGE ? PP_NONE : first_hop + parent}))
            return PP_ENOMEM;
    }
    for (uint32_t k = 0; k < v->n_ends; k++) {
        const uint32_t hop = e->reached.data[k];
        if (!pp_push(&e->ends, (pp_lm_end){.tile = e->tile_of_core[e->dst.data[k]],
                                           .hop = hop == PP_NO_EDGE ? PP_NONE : first_hop + hop,
                                           .stage = first_stage + v->end[k].op}))
            return PP_ENOMEM;
    }
    return pp_push(&e->nets, net) ? PP_OK : PP_ENOMEM;
}

uint32_t pp_lm_edge_index(const pp_lm_mapping *m, uint32_t instance, uint32_t local)
{
    const pp_lm_instance *i = &m->instance[instance];
    const pp_lm_template *t = &m->template_[i->template_];
    const pp_lm_part *part = &m->graph->part[i->part];
    if (local >= part->n_links)
        return m->stage[t->first_stage + local - part->n_links].psum_edge;
    for (uint32_t e = 0; e < t->n_edges + i->n_in; e++) {
        const uint32_t index = e < t->n_edges ? t->first_edge + e : i->first_in + e - t->n_edges;
        if (m->edge[index].link == part->first_link + local)
            return index;
    }
    return PP_NONE;
}

pp_lm_where pp_lm_where_in(const pp_lm_mapping *m, uint32_t instance)
{
    const uint32_t before = instance > 0 ? instance - 1 : m->n_instances - 1;
    return (pp_lm_where){.part = m->instance[instance].part, .previous = m->instance[before].part,
                         .first = m->instance[instance].first_place, .first_previous = m->instance[before].first_place};
}

static pp_status add_nets(expansion *e)
{
    const pp_lm_mapping *m = e->m;
    for (uint32_t i = e->first; i < e->first + e->n; i++) {
        const pp_lm_where w = pp_lm_where_in(m, i);
        e->instance = i;
        for (uint32_t local = 0; local < pp_lm_edges(e->ctx, w.part); local++) {
            e->edge = pp_lm_edge_index(m, i, local);
            const bool back = i == 0 && pp_lm_edge_is_in(e->ctx, w.part, local);
            if (e->edge != PP_NONE && !(back && e->n < m->n_instances))
                PP_TRY(pp_lm_visit_edge(e->ctx, &w, local, add_net, e));
        }
    }
    return PP_OK;
}

static pp_status prepare(expansion *e)
{
    const pp_lm_graph *g = e->m->graph;
    for (uint32_t p = 0; p < g->n_parts; p++)
        e->x->stages_max = g->part[p].n_ops > e->x->stages_max ? g->part[p].n_ops : e->x->stages_max;
    e->x->tile_first = pp_calloc((size_t)e->m->n_instances * e->x->stages_max, sizeof *e->x->tile_first);
    e->tile_of_core = pp_calloc(e->m->fabric->n_cores, sizeof *e->tile_of_core);
    return e->x->tile_first && e->tile_of_core ? PP_OK : PP_ENOMEM;
}

static void take(expansion *e)
{
    pp_lm_expanded *x = e->x;
    x->tile = e->tiles.data;
    x->n_tiles = (uint32_t)e->tiles.len;
    x->net = e->nets.data;
    x->n_nets = (uint32_t)e->nets.len;
    x->hop = e->hops.data;
    x->n_hops = (uint32_t)e->hops.len;
    x->end = e->ends.data;
    x->n_ends = (uint32_t)e->ends.len;
}

pp_status pp_lm_mapping_expand_some(pp_lm_expanded **out, const pp_lm_mapping *m, uint32_t first, uint32_t n)
{
    expansion e = {.m = m, .ctx = &m->store->x, .first = first, .n = n};
    *out = NULL;
    e.x = pp_calloc(1, sizeof *e.x);
    pp_status status = e.x ? prepare(&e) : PP_ENOMEM;
    if (status == PP_OK)
        status = add_tiles(&e);
    if (status == PP_OK)
        status = add_nets(&e);
    if (e.x)
        take(&e);
    free(e.tile_of_core);
    pp_hier_tree_free(&e.tree);
    free(e.dst.data);
    free(e.reached.data);
    if (status == PP_OK)
        *out = e.x;
    else
        pp_lm_expanded_free(e.x);
    return status;
}

pp_status pp_lm_mapping_expand(pp_lm_expanded **out, const pp_lm_mapping *m, uint64_t max_tiles)
{
    const uint64_t most = max_tiles > 0 ? max_tiles : TILES_MAX;
    *out = NULL;
    if (m->cores_used > most)
        return pp_fail(PP_ERANGE, "%s: %u cores are too many to take one by one; at most %" PRIu64, m->graph->config.name,
                       m->cores_used, most);
    return pp_lm_mapping_expand_some(out, m, 0, m->n_instances);
}

const pp_arch *pp_lm_mapping_arch(const pp_lm_mapping *m)
{
    return &m->store->arch;
}

uint32_t pp_lm_mapping_psum_bits(const pp_lm_mapping *m)
{
    return m->store->x.psum_bits;
}
