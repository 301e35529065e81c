/* Mapping a language model: graph, tiles, fabric, order of cores, templates of what lies alike, loads and bounds. */
#include "mapper/lm_internal.h"

#include <stdlib.h>
#include <string.h>

void pp_lm_mapping_free(pp_lm_mapping *m)
{
    if (!m)
        return;
    if (m->store)
        pp_lm_ctx_free(&m->store->x);
    free(m->store);
    pp_lm_graph_free(m->graph);
    pp_hier_free(m->fabric);
    free(m->template_);
    free(m->stage);
    free(m->edge);
    free(m->target);
    free(m->share);
    free(m->instance);
    free(m->attention);
    free(m->order);
    free(m->load);
    free(m->placement);
    free(m);
}

static void free_build(pp_lm_build *b)
{
    for (size_t i = 0; i < b->frames.len; i++) {
        free(b->frames.data[i].own.data);
        free(b->frames.data[i].edge_at);
    }
    for (uint32_t i = 0; b->in && b->x.graph && i < b->x.graph->n_instances; i++)
        free(b->in[i].data);
    pp_lm_ctx_free(&b->x);
    pp_lm_cuts_free(&b->cuts);
    pp_lm_router_free(b->router);
    free(b->templates.data);
    free(b->frames.data);
    free(b->stages.data);
    free(b->edges.data);
    free(b->targets.data);
    free(b->shares.data);
    free(b->in);
    free(b->in_local);
    free(b->packets);
}

/* ---- instances ---- */

pp_lm_where pp_lm_where_of(const pp_lm_build *b, uint32_t i)
{
    const pp_lm_graph *g = b->x.graph;
    const uint32_t before = i > 0 ? i - 1 : g->n_instances - 1; /* the end hands the next token to the embedding */
    return (pp_lm_where){.part = g->instance[i], .previous = g->instance[before], .first = b->cuts.first[i],
                         .first_previous = b->cuts.first[before]};
}

/* The smallest group that holds all cores of an instance. */
static uint32_t holding_level(const pp_lm_build *b, uint32_t i, uint32_t *group)
{
    const pp_hier *h = b->m->fabric;
    const uint32_t *core = &b->m->order[b->cuts.first[i]];
    const uint64_t n = b->cuts.first[i + 1] - b->cuts.first[i];
    uint32_t level = 0;
    for (uint64_t p = 1; p < n; p++)
        while (pp_hier_group(h, level, core[p]) != pp_hier_group(h, level, core[0]))
            level++;
    *group = pp_hier_group(h, level, core[0]);
    return level;
}

int64_t pp_lm_delta(const pp_lm_build *b, uint32_t i)
{
    const pp_lm_frame *f = &b->frames.data[b->m->instance[i].template_];
    return (int64_t)pp_hier_group(b->m->fabric, f->level, b->m->order[b->cuts.first[i]]) - (int64_t)f->group;
}

uint32_t pp_lm_translate(const pp_hier *h, const pp_lm_frame *f, int64_t delta, uint32_t channel)
{
    if (delta == 0)
        return channel;
    const pp_hier_place p = pp_hier_place_of(h, channel);
    const int64_t groups = (int64_t)(h->level[f->level].cores / h->level[p.level].cores);
    return (uint32_t)((int64_t)channel + delta * groups * h->level[p.level].channels);
}

static bool lies_alike(const pp_lm_build *b, const pp_lm_frame *f, uint32_t i, uint32_t level, uint32_t group)
{
    const uint64_t first = b->cuts.first[i], n = b->cuts.first[i + 1] - first, like = b->cuts.first[f->instance];
    const uint64_t cores = b->m->fabric->level[level].cores;
    if (f->level != level || b->x.graph->instance[f->instance] != b->x.graph->instance[i])
        return false;
    for (uint64_t p = 0; p < n; p++)
        if (b->m->order[first + p] - group * cores != b->m->order[like + p] - f->group * cores)
            return false;
    return true;
}

static pp_status find_template(pp_lm_build *b, uint32_t i, uint32_t *out)
{
    uint32_t group = 0;
    const uint32_t level = holding_level(b, i, &group);
    for (uint32_t t = 0; t < b->frames.len; t++)
        if (lies_alike(b, &b->frames.data[t], i, level, group)) {
            *out = t;
            return PP_OK;
        }
    *out = (uint32_t)b->frames.len;
    return pp_lm_make_template(b, i, level, group);
}

static pp_status make_in_edges(pp_lm_build *b, uint32_t i)
{
    pp_lm_instance *x = &b->m->instance[i];
    const pp_lm_where w = pp_lm_where_of(b, i);
    const pp_lm_instance *before = &b->m->instance[i > 0 ? i - 1 : b->m->n_instances - 1];
    const pp_lm_template *t = &b->templates.data[x->template_];
    const uint32_t from = b->templates.data[before->template_].first_stage + b->x.graph->part[before->part].result;
    x->first_in = (uint32_t)b->edges.len;
    for (uint32_t e = 0; e < pp_lm_edges(&b->x, x->part); e++) {
        pp_lm_edge_times times;
        uint32_t index;
        if (!pp_lm_edge_is_in(&b->x, x->part, e))
            continue;
        PP_TRY(pp_lm_route_edge(b->router, &w, e, &b->in[i], &times));
        PP_TRY(pp_lm_append_edge(b, x->part, t->first_stage, from, e, &times, &index));
        b->m->flows += times.flows;
        b->m->single_channel_flows += times.single;
    }
    x->n_in = (uint32_t)b->edges.len - x->first_in;
    return PP_OK;
}

/* Templates first, edges between instances behind them: those need both ends. */
static pp_status make_instances(pp_lm_build *b)
{
    const pp_lm_graph *g = b->x.graph;
    b->m->n_instances = g->n_instances;
    b->m->instance = pp_calloc(g->n_instances, sizeof *b->m->instance);
    b->in = pp_calloc(g->n_instances, sizeof *b->in);
    if (!b->m->instance || !b->in)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < g->n_instances; i++) {
        pp_lm_instance *x = &b->m->instance[i];
        x->part = g->instance[i];
        x->layer = g->part[x->part].kind == PP_LM_PART_BLOCK ? i - 1 : PP_NONE;
        x->first_place = (uint32_t)b->cuts.first[i];
        x->n_places = (uint32_t)(b->cuts.first[i + 1] - b->cuts.first[i]);
        PP_TRY(find_template(b, i, &x->template_));
        b->templates.data[x->template_].instances++;
        b->m->flows += b->frames.data[x->template_].flows;
        b->m->single_channel_flows += b->frames.data[x->template_].single;
        if (b->x.in->progress)
            pp_progress_step(b->x.in->progress, 1);
    }
    for (uint32_t i = 0; i < g->n_instances; i++)
        PP_TRY(make_in_edges(b, i));
    return PP_OK;
}

/* Local numbers of the edges between instances, in the order in which they were made. */
static pp_status number_in_edges(pp_lm_build *b)
{
    b->in_local = pp_calloc(b->edges.len, sizeof *b->in_local);
    for (uint32_t i = 0; b->in_local && i < b->m->n_instances; i++) {
        const pp_lm_instance *x = &b->m->instance[i];
        const uint32_t first_link = b->x.graph->part[x->part].first_link;
        for (uint32_t k = 0; k < x->n_in; k++)
            b->in_local[x->first_in + k] = b->edges.data[x->first_in + k].link - first_link;
    }
    return b->in_local ? PP_OK : PP_ENOMEM;
}

/* ---- fabric and order ---- */

/* How tiles are laid on a fabric: a walk in blocks, columns in step with its rows or not. */
typedef struct style {
    pp_lm_walk walk;
    uint32_t block, align;
} style;

#define BLOCK 16 /* side of a block of a large grid */

/* Side of the blocks that the walk through level 0 takes: its grid as a whole when it is small. */
static pp_status block_side(uint32_t *out, const pp_hier_options *o)
{
    pp_fabric *unit = NULL;
    *out = BLOCK;
    if (o->n_levels == 1)
        return PP_OK;
    PP_TRY(pp_fabric_build(&unit, &o->level[0]));
    const uint32_t side = unit->core_rows > unit->core_cols ? unit->core_rows : unit->core_cols;
    if (side > 0 && side <= 2 * BLOCK)
        *out = side;
    pp_fabric_free(unit);
    return PP_OK;
}

static pp_status group_cores(uint64_t *out, const pp_hier_options *o)
{
    *out = o->n_levels > 1 ? 1 : 0;
    for (uint32_t l = 0; l + 1 < o->n_levels; l++) {
        pp_fabric *unit = NULL;
        PP_TRY(pp_fabric_build(&unit, &o->level[l]));
        *out *= unit->n_cores;
        pp_fabric_free(unit);
    }
    return PP_OK;
}

/* Groups that the top level has when its size is given; 0: it is free. */
static uint64_t given_groups(const pp_hier_options *o)
{
    pp_hier *h = NULL;
    if (o->n_levels < 2 || pp_hier_build(&h, o) != PP_OK)
        return 0;
    const uint64_t n = h->level[o->n_levels - 1].size;
    pp_hier_free(h);
    return n;
}

static pp_status lay_out(pp_lm_build *b, const pp_hier_options *options, const style *s)
{
    pp_hier_options o = *options;
    uint64_t group = 0;
    b->x.align = s->align;
    pp_lm_cuts_free(&b->cuts);
    pp_hier_free(b->m->fabric);
    free(b->m->order);
    b->m->fabric = NULL;
    b->m->order = NULL;
    PP_TRY(group_cores(&group, &o));
    PP_TRY(pp_lm_layout_parts(&b->x));
    PP_TRY(pp_lm_find_cuts(&b->cuts, &b->x, group, given_groups(&o), b->x.in->lm.chip_cut == PP_LM_CUT_FILLED));
    if (b->cuts.n_places >= PP_HIER_MAX_CORES)
        return pp_fail(PP_ERANGE, "%s: more than %u cores", b->x.graph->config.name, PP_HIER_MAX_CORES);
    PP_TRY(pp_hier_fit(&o, group > 0 ? (b->cuts.n + 1) * group : b->cuts.n_places));
    PP_TRY(pp_hier_build(&b->m->fabric, &o));
    PP_TRY(pp_lm_order_cores(&b->m->order, &b->cuts, b->m->fabric, s->walk, s->block));
    b->m->n_places = (uint32_t)b->cuts.n_places;
    pp_lm_router_free(b->router);
    b->router = NULL;
    return pp_lm_router_new(&b->router, &b->x, b->m->fabric, b->m->order);
}

/* Columns that keep step leave cores free: where these are not there, they follow each other at once. */
static pp_status lay_out_or_pack(pp_lm_build *b, const pp_hier_options *o, style *s)
{
    const pp_status status = lay_out(b, o, s);
    if (status != PP_EINFEASIBLE || s->align == 1)
        return status;
    s->align = 1;
    return lay_out(b, o, s);
}

/* Busiest channel of the part with the most instances, and the sum of its edges' slowest ways. */
typedef struct merit {
    uint64_t channel_ps, way_ps;
} merit;

static pp_status judge(pp_lm_build *b, merit *out)
{
    const pp_lm_graph *g = b->x.graph;
    const uint32_t i = g->n_instances > 3 ? 2 : 1; /* a block behind a block */
    const pp_lm_where w = pp_lm_where_of(b, i);
    pp_lm_usages all = {0};
    pp_status status = PP_OK;
    uint64_t *busy = pp_calloc(b->m->fabric->n_channels, sizeof *busy);
    *out = (merit){0};
    for (uint32_t e = 0; busy && status == PP_OK && e < pp_lm_edges(&b->x, w.part); e++) {
        pp_lm_edge_times t;
        status = pp_lm_route_edge(b->router, &w, e, &all, &t);
        for (uint32_t k = 0; status == PP_OK && k < t.n_reach; k++)
            out->way_ps += t.reach[k].total_ps;
    }
    for (size_t k = 0; busy && k < all.len; k++) {
        busy[all.data[k].channel] += all.data[k].busy_ps;
        out->channel_ps = busy[all.data[k].channel] > out->channel_ps ? busy[all.data[k].channel] : out->channel_ps;
    }
    free(all.data);
    free(busy);
    return busy ? status : PP_ENOMEM;
}

static bool better(const merit *a, const merit *b)
{
    return a->channel_ps != b->channel_ps ? a->channel_ps < b->channel_ps : a->way_ps < b->way_ps;
}

static pp_status choose_layout(pp_lm_build *b, const pp_hier_options *o)
{
    uint32_t side = 0;
    PP_TRY(block_side(&side, o));
    style styles[] = {{PP_LM_WALK_RASTER, side, side}, {PP_LM_WALK_SNAKE, side, 1}};
    const int wanted = b->x.in->lm.walk;
    uint32_t best = wanted == PP_LM_WALK_SNAKE ? 1 : 0;
    if (wanted == PP_LM_WALK_AUTO) {
        merit m[2];
        for (uint32_t k = 0; k < 2; k++) {
            PP_TRY(lay_out_or_pack(b, o, &styles[k]));
            PP_TRY(judge(b, &m[k]));
        }
        best = better(&m[1], &m[0]) ? 1 : 0;
        if (best == 1) /* it is the one that lies there */
            goto done;
    }
    PP_TRY(lay_out_or_pack(b, o, &styles[best]));
done:
    b->m->placement = pp_strf("%s in blocks of %u, %s%s", best == 1 ? "snake" : "raster", side,
                              styles[best].align > 1 ? "columns in step" : "columns packed",
                              b->cuts.n == 0 ? "" : b->cuts.bits < b->cuts.filled_bits ? ", groups end where least crosses"
                                                                                       : ", groups filled");
    return b->m->placement ? PP_OK : PP_ENOMEM;
}

/* ---- the whole ---- */

static pp_status make_attention(pp_lm_build *b)
{
    const pp_lm_graph *g = b->x.graph;
    b->m->n_attention = g->n_parts;
    b->m->attention = pp_calloc(g->n_parts, sizeof *b->m->attention);
    for (uint32_t p = 0; b->m->attention && p < g->n_parts; p++)
        if (g->part[p].attention != PP_NONE)
            b->m->attention[p] = pp_lm_attention_of(&b->x, p, pp_lm_plan_of(&b->x, p, g->part[p].attention)->row_tiles);
    return b->m->attention ? PP_OK : PP_ENOMEM;
}

static void count_tiles(pp_lm_build *b)
{
    pp_lm_mapping *m = b->m;
    for (uint32_t i = 0; i < m->n_instances; i++) {
        const pp_lm_template *t = &m->template_[m->instance[i].template_];
        m->cores_used += t->cores;
        for (uint32_t k = 0; k < t->n_stages; k++) {
            const pp_lm_stage *s = &m->stage[t->first_stage + k];
            m->tiles += s->tiles;
            m->copies_max = s->copies > m->copies_max ? s->copies : m->copies_max;
            if (m->graph->op[s->op].weight == PP_LM_HEAD)
                m->tiles_head += s->tiles;
        }
    }
}

/* Groups with at least one core that works. */
static pp_status count_groups(pp_lm_build *b)
{
    pp_lm_mapping *m = b->m;
    for (uint32_t l = 0; l < m->fabric->n_levels; l++) {
        bool *used = pp_calloc(m->fabric->level[l].groups, sizeof *used);
        if (!used)
            return PP_ENOMEM;
        for (uint32_t i = 0; i < m->n_instances; i++) {
            const pp_lm_layout *y = &b->x.layout[m->instance[i].part];
            for (uint32_t t = 0; t < y->n_tiles; t++)
                used[pp_hier_group(m->fabric, l, m->order[b->cuts.first[i] + y->place[t]])] = true;
        }
        for (uint32_t g = 0; g < m->fabric->level[l].groups; g++)
            m->groups_used[l] += used[g];
        free(used);
    }
    return PP_OK;
}

static pp_certificate certificate_of(const pp_lm_mapping *m)
{
    bool exact = true;
    for (uint32_t e = 0; e < m->n_edges; e++)
        exact = exact && m->edge[e].exact;
    return m->single_channel_flows == m->flows ? PP_CERT_EMBEDDING : exact ? PP_CERT_DISJOINT : PP_CERT_ROUTED;
}

#define TAKE(field, list)                 \
    do {                                  \
        m->field = b->list.data;          \
        m->n_##list = (uint32_t)b->list.len; \
        b->list.data = NULL;              \
        b->list.len = b->list.cap = 0;    \
    } while (0)

static void take_arrays(pp_lm_build *b)
{
    pp_lm_mapping *m = b->m;
    TAKE(template_, templates);
    TAKE(stage, stages);
    TAKE(edge, edges);
    TAKE(target, targets);
    TAKE(share, shares);
}

/* Plan and layout stay with the mapping, and copies of what they point to. */
static pp_status keep_store(pp_lm_build *b)
{
    struct pp_lm_store *s = pp_calloc(1, sizeof *s);
    b->m->store = s;
    if (!s)
        return PP_ENOMEM;
    s->arch = *b->x.in->arch;
    s->quant = *b->x.in->quant;
    s->map = *b->x.in->map;
    s->in = (pp_lm_map_input){.config = &b->m->graph->config, .arch = &s->arch, .quant = &s->quant, .map = &s->map,
                              .graph.act_scale = b->x.in->graph.act_scale, .lm = b->x.in->lm};
    s->x = b->x;
    s->x.in = &s->in;
    b->x.plan = NULL;
    b->x.layout = NULL;
    return PP_OK;
}

static pp_status analyse(pp_lm_build *b)
{
    pp_lm_mapping *m = b->m;
    m->load = pp_calloc(m->fabric->n_channels, sizeof *m->load);
    if (!m->load)
        return PP_ENOMEM;
    PP_TRY(make_instances(b));
    PP_TRY(number_in_edges(b));
    PP_TRY(pp_lm_make_shares(b));
    take_arrays(b);
    count_tiles(b);
    PP_TRY(count_groups(b));
    m->cut_bits = b->cuts.bits;
    m->cut_bits_filled = b->cuts.filled_bits;
    m->bounds.attention_context = (uint64_t)b->x.in->lm.attention_context;
    m->certificate = certificate_of(m);
    PP_TRY(pp_lm_make_bounds(b));
    return keep_store(b);
}

static pp_status plan(pp_lm_build *b, const pp_lm_map_input *in)
{
    pp_lm_graph_options g = in->graph;
    const uint32_t slices = pp_arch_slices(in->arch, (uint32_t)in->quant->wbits);
    g.abits = in->quant->abits;
    g.slice = in->arch->cols / slices > 0 ? in->arch->cols / slices : 1;
    PP_TRY(pp_lm_graph_new(&b->m->graph, in->config, &g, in->seed));
    b->x.graph = b->m->graph;
    PP_TRY(pp_lm_plan_ops(&b->x));
    return make_attention(b);
}

static pp_status map_once(pp_lm_mapping **out, const pp_lm_map_input *in, double *chain_ps)
{
    pp_lm_build b = {.x = {.in = in}, .m = pp_calloc(1, sizeof *b.m)};
    pp_arena *arena = NULL;
    pp_hier_options o;
    pp_status status = b.m ? pp_arena_new(&arena) : PP_ENOMEM;
    *out = NULL;
    if (status == PP_OK)
        status = plan(&b, in);
    if (status == PP_OK)
        status = pp_hier_parse(&o, arena, in->fabric);
    if (status == PP_OK)
        status = choose_layout(&b, &o);
    if (status == PP_OK)
        status = pp_lm_choose_reductions(&b);
    if (status == PP_OK)
        status = analyse(&b);
    *chain_ps = b.chain_ps;
    pp_arena_free(arena);
    free_build(&b);
    if (status == PP_OK)
        *out = b.m;
    else
        pp_lm_mapping_free(b.m);
    return status;
}

/* What was chosen instead of chains must not cost throughput, wherever instances that were not looked at lie otherwise. */
pp_status pp_lm_map(pp_lm_mapping **out, const pp_lm_map_input *in)
{
    double chain_ps;
    PP_TRY(map_once(out, in, &chain_ps));
    if (chain_ps <= 0.0 || (double)(*out)->bounds.interval_ps <= chain_ps * (1.0 + 1e-6) + 1.0)
        return PP_OK;
    pp_map_options map = *in->map;
    pp_lm_map_input again = *in;
    pp_lm_mapping *chains = NULL;
    map.reduction = PP_REDUCE_CHAIN;
    again.map = &map;
    again.progress = NULL;
    const pp_status status = map_once(&chains, &again, &chain_ps);
    if (status == PP_OK && chains->bounds.interval_ps >= (*out)->bounds.interval_ps) {
        pp_lm_mapping_free(chains);
        return PP_OK;
    }
    pp_lm_mapping_free(*out);
    *out = chains;
    return status;
}
