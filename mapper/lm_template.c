/* Stages and edges of one template, from the first instance that lies like it. */
#include "mapper/lm_internal.h"

#include <stdlib.h>
#include <string.h>

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* Servers of a template: three for each operator, for those that have cores of their own: what they compute with, the
 * digital units at their outputs, and at their inputs. Channels follow. */
static uint32_t server_of(const pp_lm_op *op, const pp_lm_op_plan *p, uint32_t k)
{
    if (op->kind == PP_LM_OP_LINEAR || op->kind == PP_LM_OP_ATTENTION)
        return 3 * k;
    return 3 * p->host + (p->at_inputs ? 2 : 1);
}

static uint64_t pass_ops(const pp_lm_ctx *x, const pp_lm_op *op)
{
    /* One scale a row tile: a product for every partial sum. */
    const bool tile_scale = op->kind == PP_LM_OP_LINEAR && x->in->graph.act_scale == PP_LM_SCALE_TILE;
    return op->ops + (tile_scale ? (uint64_t)op->out * divide_up(op->in, (uint64_t)x->in->arch->rows) : 0);
}

static void fill_times(const pp_lm_ctx *x, const pp_lm_op *op, const pp_lm_op_plan *p, pp_lm_stage *s)
{
    const pp_arch *arch = x->in->arch;
    const uint64_t ops = pass_ops(x, op), columns = op->kind == PP_LM_OP_LINEAR ? op->out : s->merge_ops * p->col_tiles;
    const uint64_t additions = columns > 0 ? (p->row_tiles - 1) * columns : 0;
    const uint64_t digital_ps = pp_arch_digital_ps(arch, divide_up(ops, s->units > 0 ? s->units : 1));
    s->digital_ops = ops + additions;
    if (op->kind == PP_LM_OP_LINEAR) {
        s->mvm = pp_lm_op_mvm(x, op, p);
        s->interval_ps = s->mvm.interval_ps;
        s->latency_ps = s->mvm.latency_ps + (uint64_t)arch->digital_ps + digital_ps;
    } else if (op->kind != PP_LM_OP_ATTENTION) {
        s->interval_ps = s->latency_ps = digital_ps;
    }
}

static pp_lm_stage make_stage(const pp_lm_build *b, uint32_t part, uint32_t k, uint32_t first_stage)
{
    const pp_lm_ctx *x = &b->x;
    const pp_lm_op *op = pp_lm_op_of(x, part, k);
    const pp_lm_op_plan *p = pp_lm_plan_of(x, part, k);
    const bool linear = op->kind == PP_LM_OP_LINEAR, split = pp_lm_is_split(op, p);
    pp_lm_stage s = {.name = op->name,
                     .op = x->graph->part[part].first_op + k,
                     .kind = op->kind,
                     .reduction = (uint8_t)p->reduction,
                     .expert = op->expert,
                     .share = pp_lm_graph_share(x->graph, op->expert),
                     .row_tiles = linear || split ? p->row_tiles : 0,
                     .col_tiles = linear || split ? p->col_tiles : 0,
                     .copies = linear ? p->copies : 1,
                     .tiles = linear ? p->tiles : 0,
                     .units = split ? p->tiles : p->units,
                     .merge_ops = split ? pp_lm_merge_ops(x->graph) : 0,
                     .cores = p->tiles,
                     .at = p->host == k ? PP_NONE : first_stage + p->host,
                     .server = server_of(op, p, k),
                     .psum_edge = PP_NONE,
                     .macs = op->macs};
    fill_times(x, op, p, &s);
    return s;
}

pp_status pp_lm_append_edge(pp_lm_build *b, uint32_t part, uint32_t first_stage, uint32_t from, uint32_t local,
                            const pp_lm_edge_times *t, uint32_t *index)
{
    const pp_lm_part *p = &b->x.graph->part[part];
    const bool link = local < p->n_links;
    *index = PP_NONE;
    if (t->n_reach == 0)
        return PP_OK;
    pp_lm_edge e = {.from = from,
                    .link = link ? p->first_link + local : PP_NONE,
                    .first_target = (uint32_t)b->targets.len,
                    .n_targets = t->n_reach,
                    .expert = link ? b->x.graph->link[p->first_link + local].expert
                                   : pp_lm_op_of(&b->x, part, local - p->n_links)->expert,
                    .packets = t->packets,
                    .bits = t->bits,
                    .serialisation_ps = t->serialisation_ps,
                    .channel = t->channel,
                    .exact = true};
    for (uint32_t i = 0; i < t->n_reach; i++) {
        const pp_lm_target target = {.stage = first_stage + t->reach[i].op, .hops = t->reach[i].hops,
                                     .latency_ps = t->reach[i].total_ps, .least_ps = t->reach[i].least_ps};
        if (!pp_push(&b->targets, target))
            return PP_ENOMEM;
    }
    *index = (uint32_t)b->edges.len;
    b->m->max_hops = t->max_hops > b->m->max_hops ? t->max_hops : b->m->max_hops;
    return pp_push(&b->edges, e) ? PP_OK : PP_ENOMEM;
}

/* Additions of partial sums take the digital units at the stage's outputs. */
static pp_status share_adders(pp_lm_build *b, uint32_t edge, uint32_t part, uint32_t k, uint64_t adder_ps)
{
    const pp_lm_op_plan *p = pp_lm_plan_of(&b->x, part, k);
    pp_lm_edge *e = &b->edges.data[edge];
    e->first_share = (uint32_t)b->shares.len;
    if (adder_ps == 0)
        return PP_OK;
    e->n_shares = 1;
    const pp_lm_share share = {.server = 3 * p->host + (p->at_inputs ? 2u : 1u), .busy_ps = adder_ps};
    return pp_push(&b->shares, share) ? PP_OK : PP_ENOMEM;
}

static pp_status make_edges(pp_lm_build *b, pp_lm_frame *f, const pp_lm_template *t, uint32_t instance)
{
    const pp_lm_part *part = &b->x.graph->part[t->part];
    const pp_lm_where w = pp_lm_where_of(b, instance);
    for (uint32_t e = 0; e < pp_lm_edges(&b->x, t->part); e++) {
        pp_lm_edge_times times;
        f->edge_at[e] = PP_NONE;
        if (pp_lm_edge_is_in(&b->x, t->part, e))
            continue;
        PP_TRY(pp_lm_route_edge(b->router, &w, e, &f->own, &times));
        const bool link = e < part->n_links;
        const uint32_t from = link ? b->x.graph->link[part->first_link + e].from : e - part->n_links;
        PP_TRY(pp_lm_append_edge(b, t->part, t->first_stage, t->first_stage + from, e, &times, &f->edge_at[e]));
        if (!link && f->edge_at[e] != PP_NONE) {
            b->stages.data[t->first_stage + from].psum_edge = f->edge_at[e];
            PP_TRY(share_adders(b, f->edge_at[e], t->part, from, times.adder_ps));
        }
        f->flows += times.flows;
        f->single += times.single;
    }
    return PP_OK;
}

pp_status pp_lm_make_template(pp_lm_build *b, uint32_t instance, uint32_t level, uint32_t group)
{
    const uint32_t part = b->x.graph->instance[instance], n = b->x.graph->part[part].n_ops;
    pp_lm_template t = {.part = part, .first_stage = (uint32_t)b->stages.len, .n_stages = n,
                        .first_edge = (uint32_t)b->edges.len, .n_servers = 3 * n};
    pp_lm_frame f = {.level = level, .group = group, .instance = instance};
    for (uint32_t k = 0; k < n; k++) {
        const pp_lm_stage s = make_stage(b, part, k, t.first_stage);
        t.cores += s.cores;
        if (!pp_push(&b->stages, s))
            return PP_ENOMEM;
    }
    f.edge_at = pp_alloc(pp_lm_edges(&b->x, part), sizeof *f.edge_at);
    pp_status status = f.edge_at ? make_edges(b, &f, &t, instance) : PP_ENOMEM;
    t.n_edges = (uint32_t)b->edges.len - t.first_edge;
    if (status == PP_OK && !pp_push(&b->templates, t))
        status = PP_ENOMEM;
    if (status == PP_OK && !pp_push(&b->frames, f))
        status = PP_ENOMEM;
    if (status != PP_OK) {
        free(f.own.data);
        free(f.edge_at);
    }
    return status;
}
