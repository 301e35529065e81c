/* Language models on cores: published counts, a two-layer model by hand, and small models of every kind taken apart
 * tile by tile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mapper/lm_map.h"
#include "tests/size.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Settings of all rooms at their defaults, changed by "section.key=value". */
typedef struct world {
    pp_config *config;
    pp_arena *arena;
    pp_arch arch;
    pp_quant_options quant;
    pp_fabric_options fabric;
    pp_map_options map;
    pp_lm_map_input input;
} world;

static void bind(const pp_config *c, pp_knob_table table, void *out)
{
    if (pp_config_bind(c, &table, out) != PP_OK)
        fail_msg("%s", pp_error_text());
}

/* `sets`: NULL-terminated. */
static void world_open(world *w, const pp_lm_config *config, const char *const *sets)
{
    const pp_knob_table tables[] = {pp_arch_knobs(), pp_quant_knobs(), pp_fabric_knobs(), pp_map_knobs(),
                                    pp_lm_graph_knobs(), pp_lm_map_knobs()};
    *w = (world){0};
    assert_int_equal(pp_config_new(&w->config, tables, 6), PP_OK);
    assert_int_equal(pp_arena_new(&w->arena), PP_OK);
    for (; *sets; sets++)
        if (pp_config_set(w->config, *sets) != PP_OK)
            fail_msg("%s", pp_error_text());
    assert_int_equal(pp_arch_resolve(&w->arch, w->config), PP_OK);
    bind(w->config, pp_quant_knobs(), &w->quant);
    bind(w->config, pp_fabric_knobs(), &w->fabric);
    bind(w->config, pp_map_knobs(), &w->map);
    bind(w->config, pp_lm_graph_knobs(), &w->input.graph);
    bind(w->config, pp_lm_map_knobs(), &w->input.lm);
    assert_int_equal(pp_fabric_parse(&w->fabric, w->arena, w->fabric.kind), PP_OK);
    w->input.config = config;
    w->input.arch = &w->arch;
    w->input.quant = &w->quant;
    w->input.fabric = &w->fabric;
    w->input.map = &w->map;
    w->input.seed = 3;
}

static void world_close(world *w)
{
    pp_config_free(w->config);
    pp_arena_free(w->arena);
}

static pp_lm_mapping *map_model(const pp_lm_config *config, const char *const *sets)
{
    world w;
    pp_lm_mapping *m = NULL;
    world_open(&w, config, sets);
    const pp_status status = pp_lm_map(&m, &w.input);
    world_close(&w);
    if (status != PP_OK)
        fail_msg("%s", pp_error_text());
    return m;
}

#define SETS(...) (const char *const[]){__VA_ARGS__, NULL}

/* A small Llama: 3 blocks, odd sizes. */
static pp_lm_config small(void)
{
    pp_lm_config c;
    assert_int_equal(pp_lm_shape(&c, "llama3-8b"), PP_OK);
    c.layers = 3;
    c.hidden = 72;
    c.ffn = 160;
    c.heads = 6;
    c.kv_heads = 2;
    c.head_dim = c.rope.rotary_dim = 12;
    c.vocab = 100;
    return c;
}

/* ---- loads taken apart ---- */

/* What the edges of all instances put on each channel is the mapping's load; the next instance's edges are the same twice. */
static void assert_traffic_is_the_load(const pp_lm_mapping *m)
{
    double *load = calloc(m->fabric->n_channels, sizeof *load), *next = calloc(m->fabric->n_channels, sizeof *next);
    assert_true(load != NULL && next != NULL);
    for (uint32_t i = 0; i < m->n_instances; i++) {
        pp_lm_traffic *t = NULL;
        assert_int_equal(pp_lm_mapping_traffic(&t, m, i), PP_OK);
        for (size_t u = 0; u < t->n_uses; u++) {
            const pp_lm_flow *f = &t->flow[t->use[u].flow];
            assert_true(f->instance == i || f->instance == (i + 1) % m->n_instances);
            if (f->instance == i)
                load[t->use[u].channel] += t->use[u].bits;
            else
                next[t->use[u].channel] += t->use[u].bits;
        }
        pp_lm_traffic_free(t);
    }
    for (uint32_t c = 0; c < m->fabric->n_channels; c++) {
        assert_true(fabs(load[c] - m->load[c]) <= 1e-9 * (m->load[c] + 1.0));
        assert_true(next[c] <= load[c] * (1 + 1e-9));
    }
    free(load);
    free(next);
}

/* ---- published counts ---- */

static void assert_servers_are_channels(const pp_lm_mapping *m);

static void llama3_8b_has_106496_tiles(void **state)
{
    (void)state;
    pp_lm_config c;
    assert_int_equal(pp_lm_shape(&c, "llama3-8b"), PP_OK);
    pp_lm_mapping *m = map_model(&c, SETS("fabric.kind=mesh:rows=16,cols=16,gateways=8/mesh:rows=4,cols=4,gateways=4/mesh",
                                          "fabric.channel=llm"));
    assert_int_equal(m->tiles - m->tiles_head, 106496);
    assert_int_equal(m->tiles, 114512);
    assert_int_equal(m->cores_used, 114512 + 32 * 8 + 16); /* attention units, slices of the embedding */
    assert_true(m->cut_bits <= m->cut_bits_filled);
    assert_true(m->n_templates < 8);
    assert_servers_are_channels(m);
    assert_int_equal(pp_lm_mapping_check(m), PP_OK);
    pp_lm_mapping_free(m);
}

/* Matrices on crossbars, tables, vectors: together the published number of parameters. */
static void parameters_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t published, others; /* others: parameters that pp_lm_kind has no name for and that are no matrix */
    } row[] = {{"bert-base", 109482240, 2 * 768 + 768},      /* token types, pooler's bias */
               {"vit-b16", 86567656, 768 + 768 + 1000},      /* class token, biases of patches and classifier */
               {"gpt2", 124439808, 0}, {"llama3-8b", 8030261248, 0}, {"llama3.2-1b", 1235814400, 0}, {"mixtral-8x7b", 46702792704, 0}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pp_lm_config c;
        pp_lm_graph *g = NULL;
        const pp_lm_graph_options o = {.abits = 8, .slice = 256, .kvbits = 8, .residual_bits = 16, .experts = "uniform"};
        assert_int_equal(pp_lm_shape(&c, row[i].name), PP_OK);
        assert_int_equal(pp_lm_graph_new(&g, &c, &o, 1), PP_OK);
        uint64_t n = row[i].others, rows, cols;
        for (uint32_t k = 0; k < g->n_instances; k++)
            for (uint32_t p = 0; p < g->part[g->instance[k]].n_ops; p++) {
                const pp_lm_op *op = &g->op[g->part[g->instance[k]].first_op + p];
                n += op->kind == PP_LM_OP_ROUTER || (op->kind == PP_LM_OP_LINEAR && !(c.tied && op->weight == PP_LM_HEAD)) ? op->macs : 0;
            }
        for (pp_lm_kind k = 0; k < PP_LM_KIND_COUNT; k++)
            if (!pp_lm_is_linear(k) && pp_lm_dims(&c, k, &rows, &cols))
                n += rows * cols * (pp_lm_is_global(k) ? 1 : c.layers);
        assert_int_equal(n, row[i].published);
        assert_int_equal(n, pp_lm_parameters(&c));
        pp_lm_graph_free(g);
    }
}

/* ---- a two-layer model by hand (docs/llm-mapping.md) ---- */

static pp_lm_config two_layers(void)
{
    pp_lm_config c = small();
    c.layers = 2;
    c.hidden = c.ffn = c.vocab = 32;
    c.heads = 2;
    c.kv_heads = 1;
    c.head_dim = c.rope.rotary_dim = 16;
    return c;
}

static void two_layers_by_hand(void **state)
{
    (void)state;
    const pp_lm_config c = two_layers();
    pp_lm_mapping *m = map_model(&c, SETS("fabric.kind=mesh:rows=1,cols=18", "fabric.local_ports=per_link", "arch.rows=32",
                                          "arch.cols=32", "fabric.rate_gbps=10", "fabric.router_ps=1000", "mapping.walk=snake",
                                          "mapping.attention_context=100"));
    /* embedding 0; blocks 1-8 and 9-16: q k v attention o gate up down; head 17 */
    assert_int_equal(m->cores_used, 18);
    for (uint32_t p = 0; p < 18; p++)
        assert_int_equal(m->order[p], p);
    assert_int_equal(m->template_[m->instance[1].template_].latency_ps, 595600);
    assert_int_equal(m->bounds.latency_ps, 2 * 595600 + 127600);
    assert_int_equal(m->bounds.alone_ps, 2 * 595600 + 127600);
    assert_int_equal(m->bounds.attention_ps, 25000);
    assert_int_equal(m->bounds.stage_ps, 100000);
    assert_int_equal(m->bounds.interval_ps, 118400);
    const pp_channel *busiest = pp_hier_channel(m->fabric, m->bounds.channel);
    assert_true(busiest->src == 2 && busiest->dst == 3);
    assert_true(m->load[m->bounds.channel] == 1184.0);
    assert_int_equal(pp_lm_mapping_check(m), PP_OK);
    pp_lm_mapping_free(m);
}

/* The same with two units for the key and value head, each with every other token: embedding 0; a block's q k v, attention on 4
 * and 5, o gate up down; queries and keys are turned on 5 and go to both units. In ns from the result of the block before:
 *
 *   q 25.6 + 1 hop, MVM 100                                              126.6
 *   RoPE at core 5: 25.6 + 4 hops, 4 cycles                              160.2
 *   to core 4: 48 values, 38.4 + 1 hop                                   199.6
 *   50 tokens: compute 2 x 2 + 7 cycles = 11, 6,400 bits at 512 Gbit/s   212.1
 *   merge on core 5: 2 heads x (16 x 16 + 64) bits, 64 + 1 hop; 2 x (12 + 3 x 16) = 120 operations, 2 cycles   279.1
 *   o: 25.6 + 1, 100; addition 1                                         406.7
 *   up, gate, down as before: 283.8                                      690.5
 *
 * The bound takes every edge by its quickest packet: RoPE's is that to its own core, 39.4 sooner. */
static void split_contexts_by_hand(void **state)
{
    (void)state;
    const pp_lm_config c = two_layers();
    pp_lm_mapping *m = map_model(&c, SETS("fabric.kind=mesh:rows=1,cols=20", "fabric.local_ports=per_link", "arch.rows=32",
                                          "arch.cols=32", "fabric.rate_gbps=10", "fabric.router_ps=1000", "mapping.walk=snake",
                                          "mapping.attention_context=100", "mapping.attention_split=2"));
    const pp_lm_template *t = &m->template_[m->instance[1].template_];
    const pp_lm_stage *a = &m->stage[t->first_stage + m->graph->part[t->part].attention];
    assert_int_equal(m->cores_used, 20);
    assert_int_equal(t->latency_ps, 690500);
    assert_int_equal(m->bounds.alone_ps, 2 * 690500 + 127600);
    assert_int_equal(m->bounds.latency_ps, 2 * (690500 - 39400) + 127600);
    assert_int_equal(m->bounds.attention_ps, 12500);
    assert_true(a->units == 2 && a->row_tiles == 2 && a->col_tiles == 1 && a->merge_ops == 120 && a->digital_ops == 120);
    assert_int_equal(m->edge[a->psum_edge].bits, 640);
    assert_int_equal(m->attention[t->part].split, 2);
    assert_int_equal(pp_lm_mapping_check(m), PP_OK);
    pp_lm_mapping_free(m);
}

/* The fullest unit's work is that of a whole one with its share of the tokens; together they do what one would. */
static void a_split_shares_the_context(void **state)
{
    (void)state;
    const pp_lm_attention whole = {.units = 4, .group = 2, .head_dim = 16, .window = 150, .causal = true, .macs = 64,
                                   .softmax_lanes = 4, .clock_hz = 1e9, .kv_gbps = 100, .kv_bits_token = 128};
    for (uint32_t split = 2; split < 9; split++) {
        pp_lm_attention a = whole;
        a.split = split;
        a.units *= split;
        for (uint64_t c = 1; c < 300; c++) {
            uint64_t held = 0, seen = c < 150 ? c : 150;
            for (uint64_t t = c - seen; t < c; t++)
                held += t % split == (c - seen) % split; /* the unit that has the first of them has the most */
            const pp_lm_attention_time one = pp_lm_attention_work(&a, c, 1), same = pp_lm_attention_work(&whole, held, 1);
            assert_memory_equal(&one, &same, sizeof one);
        }
        const pp_lm_attention all = pp_lm_attention_whole(&a);
        assert_true(all.units == 4 && all.split == 1);
    }
}

static void attention_by_hand(void **state)
{
    (void)state;
    const pp_lm_attention a = {.units = 1, .group = 2, .head_dim = 16, .causal = true, .macs = 1024, .softmax_lanes = 16,
                               .clock_hz = 1e9, .kv_gbps = 512, .kv_bytes = 1 << 20, .kv_bits_token = 128};
    pp_lm_attention_time t = pp_lm_attention_work(&a, 100, 1);
    assert_int_equal(t.compute_ps, 21000); /* 2 x ceil(100 x 32 / 1024) + ceil(200 / 16) cycles */
    assert_int_equal(t.memory_ps, 25000);
    assert_int_equal(t.total_ps, 25000);
    t = pp_lm_attention_work(&a, 100, 4); /* queries that see 97, 98, 99, 100 */
    assert_int_equal(t.scores, 2 * (97 + 98 + 99 + 100));
    assert_int_equal(t.memory_ps, 25000);
    pp_lm_attention slow = a;
    slow.kv_gbps = 1e6;
    for (uint64_t c = 1; c < 200; c++) {
        uint64_t last = c;
        while (pp_lm_attention_work(&slow, last + 1, 1).total_ps == pp_lm_attention_work(&slow, c, 1).total_ps)
            last++;
        assert_int_equal(pp_lm_attention_step(&slow, c), last);
    }
    slow.window = 64;
    assert_true(pp_lm_attention_step(&slow, 64) == UINT64_MAX);
    assert_int_equal(pp_lm_attention_work(&slow, 500, 1).total_ps, pp_lm_attention_work(&slow, 64, 1).total_ps);
}

/* ---- small models, tile by tile ---- */

/* Values of input [0, in) that reach a matrix tile, summed over nets: each exactly once. */
static void assert_inputs_arrive(const pp_lm_mapping *m, const pp_lm_expanded *x)
{
    double *bits = calloc(x->n_tiles, sizeof *bits);
    for (uint32_t n = 0; n < x->n_nets; n++) {
        const pp_lm_net *net = &x->net[n];
        const uint32_t link = m->edge[net->edge].link;
        if (link == PP_NONE || m->graph->link[link].scalar)
            continue;
        for (uint32_t e = net->first_end; e < net->first_end + net->n_ends; e++) {
            const pp_lm_tile *t = &x->tile[x->end[e].tile];
            if (t->stage == x->end[e].stage && m->stage[t->stage].tiles > 0)
                bits[x->end[e].tile] += (double)net->bits * m->stage[t->stage].copies / net->phases;
        }
    }
    for (uint32_t t = 0; t < x->n_tiles; t++) {
        const pp_lm_tile *tile = &x->tile[t];
        const bool fed = tile->instance > 0 || m->graph->part[m->instance[0].part].attention != PP_NONE;
        if (m->stage[tile->stage].tiles > 0 && fed)
            assert_int_equal(llround(bits[t]), (uint64_t)(tile->in_hi - tile->in_lo) * m->graph->abits);
    }
    free(bits);
}

/* Partial sums of every column reach its last row tile. */
static void assert_sums_meet(const pp_lm_mapping *m, const pp_lm_expanded *x)
{
    uint32_t *sum = malloc(x->n_tiles * sizeof *sum);
    for (uint32_t t = 0; t < x->n_tiles; t++)
        sum[t] = 1;
    for (uint32_t n = 0; n < x->n_nets; n++) {
        const pp_lm_net *net = &x->net[n];
        if (m->edge[net->edge].link == PP_NONE && net->sum && m->stage[x->tile[net->src].stage].tiles > 0 &&
            x->end[net->first_end].stage == x->tile[net->src].stage)
            sum[x->end[net->first_end].tile] += sum[net->src];
    }
    for (uint32_t t = 0; t < x->n_tiles; t++) {
        const pp_lm_stage *s = &m->stage[x->tile[t].stage];
        if (s->tiles > 0 && x->tile[t].row == s->row_tiles - 1)
            assert_int_equal(sum[t], s->row_tiles);
    }
    free(sum);
}

/* Packets on every channel, one by one: loads, and which edges meet nobody. */
static void assert_loads(const pp_lm_mapping *m, const pp_lm_expanded *x)
{
    double *load = calloc(m->fabric->n_channels, sizeof *load);
    uint32_t *phase_max = calloc(m->fabric->n_channels, sizeof *phase_max);
    bool *meets = calloc(m->n_edges, sizeof *meets);
    for (uint32_t n = 0; n < x->n_nets; n++) {
        const pp_lm_net *net = &x->net[n];
        const uint32_t expert = m->edge[net->edge].expert;
        const double share = pp_lm_graph_share(m->graph, expert);
        for (uint32_t h = 0; h < net->n_hops; h++) {
            const uint32_t c = x->hop[net->first_hop + h].channel;
            load[c] += share / net->phases * (net->bits + pp_hier_header_bits(m->fabric, c));
            phase_max[c] += net->phases == 1;
        }
    }
    for (uint32_t c = 0; c < m->fabric->n_channels; c++)
        assert_true(fabs(load[c] - m->load[c]) <= 1e-9 * (1.0 + load[c]));
    if (m->copies_max == 1)
        for (uint32_t n = 0; n < x->n_nets; n++)
            for (uint32_t h = 0; h < x->net[n].n_hops; h++)
                meets[x->net[n].edge] = meets[x->net[n].edge] || phase_max[x->hop[x->net[n].first_hop + h].channel] > 1;
    for (uint32_t e = 0; m->copies_max == 1 && e < m->n_edges; e++)
        assert_int_equal(m->edge[e].exact, !meets[e]);
    free(load);
    free(phase_max);
    free(meets);
}

/* A packet's way with nobody else on it: latencies, and serialisation on its slowest channel. */
static uint64_t way_ps(const pp_lm_mapping *m, const pp_lm_expanded *x, const pp_lm_net *net, uint32_t hop)
{
    uint64_t way = 0, slowest = 0;
    for (uint32_t h = hop; h != PP_NONE; h = x->hop[h].parent) {
        const pp_channel *c = pp_hier_channel(m->fabric, x->hop[h].channel);
        const uint64_t ser = pp_channel_serialise_ps(c, net->bits + pp_hier_header_bits(m->fabric, x->hop[h].channel));
        way += c->latency_ps;
        slowest = ser > slowest ? ser : slowest;
    }
    return way + slowest;
}

/* An exact edge takes as long as its slowest packet, another one at least that; the least is the quickest packet's. */
static void assert_times(const pp_lm_mapping *m, const pp_lm_expanded *x)
{
    uint64_t *most = calloc(m->n_targets + 1u, sizeof *most), *least = calloc(m->n_targets + 1u, sizeof *least);
    bool *seen = calloc(m->n_targets + 1u, sizeof *seen);
    assert_true(most != NULL && least != NULL && seen != NULL);
    for (uint32_t n = 0; n < x->n_nets; n++) {
        const pp_lm_edge *e = &m->edge[x->net[n].edge];
        for (uint32_t k = x->net[n].first_end; k < x->net[n].first_end + x->net[n].n_ends; k++)
            for (uint32_t t = e->first_target; e->link != PP_NONE && t < e->first_target + e->n_targets; t++) {
                if (m->target[t].stage != x->end[k].stage)
                    continue;
                const uint64_t ps = way_ps(m, x, &x->net[n], x->end[k].hop);
                most[t] = ps > most[t] ? ps : most[t];
                least[t] = !seen[t] || ps < least[t] ? ps : least[t];
                seen[t] = true;
            }
    }
    for (uint32_t i = 0; i < m->n_edges; i++)
        for (uint32_t t = m->edge[i].first_target; t < m->edge[i].first_target + m->edge[i].n_targets; t++) {
            if (!seen[t])
                continue;
            assert_int_equal(m->target[t].least_ps, least[t]);
            if (m->edge[i].exact)
                assert_int_equal(m->target[t].latency_ps, most[t]);
            else
                assert_true(m->target[t].latency_ps >= most[t]);
        }
    assert_true(m->bounds.latency_ps <= m->bounds.alone_ps);
    free(most);
    free(least);
    free(seen);
}

/* Every channel has a server of its instance that asks at least as much of each of its edges. */
static void assert_servers_cover(const pp_lm_mapping *m, const pp_lm_expanded *x)
{
    for (uint32_t i = 0; m->copies_max == 1 && i < m->n_instances; i++) {
        const pp_lm_template *t = &m->template_[m->instance[i].template_];
        uint64_t *busy = calloc((size_t)m->fabric->n_channels * t->n_edges + 1, sizeof *busy);
        for (uint32_t n = 0; n < x->n_nets; n++) {
            const pp_lm_net *net = &x->net[n];
            if (net->instance != i || net->edge < t->first_edge || net->edge >= t->first_edge + t->n_edges)
                continue;
            for (uint32_t h = net->first_hop; h < net->first_hop + net->n_hops; h++) {
                const uint32_t c = x->hop[h].channel;
                busy[(size_t)c * t->n_edges + net->edge - t->first_edge] += pp_channel_serialise_ps(
                    pp_hier_channel(m->fabric, c), net->bits + pp_hier_header_bits(m->fabric, c));
            }
        }
        uint64_t *asked = calloc((size_t)t->n_servers * t->n_edges + 1, sizeof *asked);
        for (uint32_t e = 0; e < t->n_edges; e++)
            for (uint32_t s = 0; s < m->edge[t->first_edge + e].n_shares; s++) {
                const pp_lm_share *share = &m->share[m->edge[t->first_edge + e].first_share + s];
                asked[(size_t)share->server * t->n_edges + e] = share->busy_ps;
            }
        for (uint32_t c = 0; c < m->fabric->n_channels; c++) {
            bool found = false;
            for (uint32_t s = 0; s < t->n_servers && !found; s++) {
                found = true;
                for (uint32_t e = 0; e < t->n_edges; e++)
                    found = found && asked[(size_t)s * t->n_edges + e] >= busy[(size_t)c * t->n_edges + e];
            }
            assert_true(found);
        }
        free(busy);
        free(asked);
    }
}

/* Busy time of an instance's servers of channels, its own edges and those to and from its neighbours. */
static void add_busy(double *busy, const pp_lm_mapping *m, uint32_t first, uint32_t n, bool previous)
{
    for (uint32_t e = first; e < first + n; e++)
        for (uint32_t k = 0; k < m->edge[e].n_shares; k++) {
            const pp_lm_share *s = &m->share[m->edge[e].first_share + k];
            if (s->previous == previous)
                busy[s->server] += (double)s->busy_ps;
        }
}

/* No server of channels asks for more than the busiest channel has: servers are channels, not sums of several. */
static void assert_servers_are_channels(const pp_lm_mapping *m)
{
    const double most = 1.0 + (double)(m->bounds.channel_ps > m->bounds.port_ps ? m->bounds.channel_ps : m->bounds.port_ps);
    for (uint32_t i = 0; m->copies_max == 1 && m->graph->config.experts == 0 && i < m->n_instances; i++) {
        const pp_lm_template *t = &m->template_[m->instance[i].template_];
        double *busy = calloc(t->n_servers, sizeof *busy);
        add_busy(busy, m, t->first_edge, t->n_edges, false);
        add_busy(busy, m, m->instance[i].first_in, m->instance[i].n_in, false);
        if (i + 1 < m->n_instances)
            add_busy(busy, m, m->instance[i + 1].first_in, m->instance[i + 1].n_in, true);
        for (uint32_t s = 3 * t->n_stages; s < t->n_servers; s++)
            if (busy[s] > most * (1.0 + 1e-6) + 64.0) /* each packet's time is rounded up */
                fail_msg("instance %u server %u: %.0f ps, the busiest channel has %.0f", i, s, busy[s], most);
        free(busy);
    }
}

static void take_apart(const pp_lm_config *c, const char *const *sets)
{
    pp_lm_mapping *m = map_model(c, sets);
    pp_lm_expanded *x = NULL;
    assert_traffic_is_the_load(m);
    if (pp_lm_mapping_check(m) != PP_OK || pp_lm_mapping_expand(&x, m, 0) != PP_OK)
        fail_msg("%s", pp_error_text());
    assert_int_equal(x->n_tiles, m->cores_used);
    assert_inputs_arrive(m, x);
    assert_sums_meet(m, x);
    assert_loads(m, x);
    assert_times(m, x);
    assert_servers_cover(m, x);
    assert_servers_are_channels(m);
    pp_lm_expanded_free(x);
    pp_lm_mapping_free(m);
}

#define SMALL_ARCH "arch.rows=24", "arch.cols=24", "fabric.router_ps=500"

static void small_llamas_on_many_fabrics(void **state)
{
    (void)state;
    const pp_lm_config c = small();
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=5pp", "mapping.walk=raster"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=torus", "fabric.header_bits=16"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=hypercube"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh:rows=4,cols=4,gateways=4/mesh"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=5pp:rows=6,cols=6,gateways=3/ring:cores=4,gateways=2/mesh", "fabric.header_bits=8"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=flatfly:rows=2,cols=4,nodes=4/tree", "mapping.chip_cut=filled"));
}

static void reductions_and_copies(void **state)
{
    (void)state;
    const pp_lm_config c = small();
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.reduction=star"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh:rows=4,cols=4,gateways=4/mesh", "mapping.reduction=tree"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.core_budget=600"));
    pp_lm_mapping *m = map_model(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.core_budget=600", "mapping.attention_split=1"));
    assert_int_equal(m->copies_max, 2);
    assert_true(m->cores_used <= 600);
    pp_lm_mapping_free(m);
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.copies=3"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=5pp:rows=6,cols=6,gateways=3/mesh", "mapping.copies=q_proj:2,k_proj:3,up_proj:3,down_proj:4"));
    m = map_model(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.core_budget=900", "mapping.attention_context=8"));
    assert_int_equal(m->copies_max, 3);
    assert_true(m->cores_used <= 900);
    pp_lm_mapping_free(m);
}

/* Against chains everywhere: the interval is never longer, no token alone is later, and on most fabrics one is sooner. Stars
 * and trees everywhere are no better in both. */
static void sums_meet_the_quickest_way_that_costs_no_interval(void **state)
{
    (void)state;
    static const char *const fabrics[] = {"fabric.kind=full", "fabric.kind=mesh", "fabric.kind=5pp", "fabric.kind=hypercube", "fabric.kind=cmesh",
                                          "fabric.kind=tree", "fabric.kind=ring", "fabric.kind=mesh:rows=4,cols=4,gateways=4/mesh",
                                          "fabric.kind=5pp:rows=6,cols=6,gateways=3/ring:cores=4,gateways=2/mesh"};
    uint32_t sooner = 0, ways[4] = {0};
    pp_lm_config c = small();
    for (int experts = 0; experts < 2; experts++) {
        c.experts = experts ? 4 : 0;
        c.experts_per_token = experts ? 2 : 0;
        for (size_t f = 0; f < sizeof fabrics / sizeof *fabrics; f++) {
            pp_lm_mapping *m[4];
            if (PP_SMALL_TESTS && (f + (size_t)experts) % 2 > 0)
                continue; /* each fabric with experts or without */
            static const char *const way[] = {"mapping.reduction=auto", "mapping.reduction=chain", "mapping.reduction=tree",
                                              "mapping.reduction=star"};
            for (int k = 0; k < 4; k++)
                m[k] = map_model(&c, SETS("arch.rows=12", "arch.cols=12", "fabric.router_ps=500", fabrics[f], way[k]));
            assert_true(m[0]->bounds.interval_ps <= m[1]->bounds.interval_ps);
            assert_true(m[0]->bounds.alone_ps <= m[1]->bounds.alone_ps);
            for (int k = 2; k < 4; k++)
                assert_true(m[0]->bounds.interval_ps < m[k]->bounds.interval_ps || m[0]->bounds.alone_ps <= m[k]->bounds.alone_ps);
            sooner += m[0]->bounds.alone_ps < m[1]->bounds.alone_ps;
            for (uint32_t s = 0; s < m[0]->n_stages; s++)
                if (m[0]->stage[s].row_tiles > 2)
                    ways[m[0]->stage[s].reduction]++;
            for (int k = 0; k < 4; k++)
                pp_lm_mapping_free(m[k]);
        }
    }
    assert_true(sooner > (PP_SMALL_TESTS ? 2 : 4));
    assert_true(ways[PP_REDUCE_CHAIN] > 0 && ways[PP_REDUCE_TREE] > 0 && ways[PP_REDUCE_STAR] > 0);
}

static void other_kinds_of_models(void **state)
{
    (void)state;
    pp_lm_config c = small();
    c.experts = 4;
    c.experts_per_token = 2;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "workload.experts=seeded"));
    c = small();
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "quant.online_rotations=both", "quant.online_block=full",
                        "quant.activation_scale=token"));
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "arch.cell_bits=2", "quant.activation_scale=tile"));
    c.norm = PP_LM_NORM_LAYER;
    c.position_kind = PP_LM_POSITIONS_LEARNED;
    c.gated = false;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=5pp"));
    c.causal = false;
    c.norm_place = PP_LM_NORMS_AFTER;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=5pp"));
    c.pooler = true;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=5pp", "quant.activation_scale=token"));
    c.classes = 30;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh"));
    c.classify_each = true;
    c.pooler = false;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh"));
    c.classify_each = false;
    c.vocab = 0;
    c.patch_values = 48;
    c.classes = 30;
    c.norm_place = PP_LM_NORMS_BEFORE;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh:rows=4,cols=4/mesh"));
}

/* Norms of what is added, halves side by side, shared experts, narrow embeddings, words behind masks. */
static void variants_of_families(void **state)
{
    (void)state;
    pp_lm_config c = small();
    c.layers = 2;
    c.norm_place = PP_LM_NORMS_SANDWICH; /* and windows in every other layer */
    c.window = 40;
    c.window_period = 2;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "quant.activation_scale=token", "mapping.attention_split=3"));
    c.norm_place = PP_LM_NORMS_BRANCH;
    c.qk_norm = c.qk_norm_whole = true;
    c.window = c.window_period = 0;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=5pp", "quant.online_rotations=r3"));
    c = small();
    c.layers = 2;
    c.experts = 3;
    c.experts_per_token = 1;
    c.shared_ffn = 48;
    c.shared_gate = true;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh"));
    c = small();
    c.layers = 2;
    c.norm = PP_LM_NORM_LAYER;
    c.parallel = PP_LM_PARALLEL;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh", "quant.activation_scale=token"));
    c.parallel = PP_LM_PARALLEL_TWO_NORMS;
    c.position_kind = PP_LM_POSITIONS_ALIBI;
    c.embed_norm = true;
    c.gated = false;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=5pp:rows=4,cols=4,gateways=3/mesh", "mapping.attention_split=4", "mapping.copies=2"));
    c.parallel = PP_LM_SERIAL;
    c.causal = c.embed_norm = false;
    c.norm_place = PP_LM_NORMS_AFTER;
    c.embed_width = 20;
    c.masked_head = c.tied = true;
    take_apart(&c, SETS(SMALL_ARCH, "fabric.kind=mesh"));
}

/* ---- where groups end ---- */

/* Least sum of cuts at most `group` apart, by trying every beginning of every group. */
static double least_cuts(const double *cross, uint32_t n, uint32_t group)
{
    double *cost = calloc(n + 1, sizeof *cost), best = INFINITY;
    for (uint32_t p = 1; p < n; p++) {
        cost[p] = INFINITY;
        for (uint32_t q = p > group ? p - group : 0; q < p; q++)
            cost[p] = cost[q] + cross[p] < cost[p] ? cost[q] + cross[p] : cost[p];
    }
    for (uint32_t p = n > group ? n - group : 0; p < n; p++)
        best = cost[p] < best ? cost[p] : best;
    free(cost);
    return best;
}

static void groups_end_where_least_crosses(void **state)
{
    (void)state;
    const pp_lm_config c = small();
    static const char *const fabrics[] = {"fabric.kind=mesh:rows=4,cols=4/mesh", "fabric.kind=mesh:rows=5,cols=7/mesh",
                                          "fabric.kind=mesh:rows=8,cols=8/mesh"};
    for (size_t f = 0; f < 3; f++) {
        pp_lm_mapping *m = map_model(&c, SETS(SMALL_ARCH, fabrics[f]));
        pp_lm_expanded *x = NULL;
        assert_int_equal(pp_lm_mapping_expand(&x, m, 0), PP_OK);
        const uint32_t n = m->n_places;
        uint32_t *place = calloc(m->fabric->n_cores, sizeof *place);
        double *cross = calloc(n + 1, sizeof *cross);
        for (uint32_t p = 0; p < n; p++)
            place[m->order[p]] = p;
        for (uint32_t k = 0; k < x->n_nets; k++) {
            const pp_lm_net *net = &x->net[k];
            uint32_t lo = place[x->tile[net->src].core], hi = lo;
            for (uint32_t e = net->first_end; e < net->first_end + net->n_ends; e++) {
                const uint32_t p = place[x->tile[x->end[e].tile].core];
                lo = p < lo ? p : lo;
                hi = p > hi ? p : hi;
            }
            const bool comes_back = net->instance == 0 && m->edge[net->edge].link != PP_NONE;
            for (uint32_t p = lo + 1; !comes_back && p <= hi; p++)
                cross[p] += net->bits;
        }
        assert_true(fabs(m->cut_bits - least_cuts(cross, n, m->fabric->level[0].size)) < 0.5);
        assert_true(m->cut_bits <= m->cut_bits_filled);
        free(place);
        free(cross);
        pp_lm_expanded_free(x);
        pp_lm_mapping_free(m);
    }
}

/* ---- the same whoever asks, and what cannot be ---- */

static void mappings_are_deterministic(void **state)
{
    (void)state;
    const pp_lm_config c = small();
    char *text[2] = {NULL};
    for (int k = 0; k < 2; k++) {
        pp_lm_mapping *m = map_model(&c, SETS(SMALL_ARCH, "fabric.kind=mesh:rows=4,cols=4,gateways=4/mesh"));
        assert_int_equal(pp_lm_mapping_dump(&text[k], m), PP_OK);
        pp_lm_mapping_free(m);
    }
    assert_string_equal(text[0], text[1]);
    free(text[0]);
    free(text[1]);
}

static void refused(const char *const *sets, const char *message)
{
    const pp_lm_config c = small();
    world w;
    pp_lm_mapping *m = NULL;
    world_open(&w, &c, sets);
    assert_int_not_equal(pp_lm_map(&m, &w.input), PP_OK);
    assert_null(m);
    assert_string_equal(pp_error_text(), message);
    world_close(&w);
}

static void wrong_input_is_one_line(void **state)
{
    (void)state;
    refused(SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.core_budget=100"),
            "mapping.core_budget: one copy of llama3-8b takes 285 cores, the budget is 100");
    for (int i = 0; i < 4; i++) {
        static const char *const bad[] = {"0", "65", "-2", "two"};
        char set[64], line[128];
        snprintf(set, sizeof set, "mapping.attention_split=%s", bad[i]);
        snprintf(line, sizeof line, "mapping.attention_split: expected auto or a number from 1 to 64, got '%s'", bad[i]);
        refused(SETS(SMALL_ARCH, "fabric.kind=mesh", set), line);
    }
    refused(SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.core_budget=300", "mapping.copies=2"),
            "mapping.core_budget: with mapping.copies=2 llama3-8b takes 561 cores, the budget is 300");
    refused(SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.copies=0"),
            "mapping.copies: expected auto, a number from 1 to 64, or operators with numbers (up_proj:3,down_proj:2), got '0'");
    refused(SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.copies=up_proj:3,"),
            "mapping.copies: expected auto, a number from 1 to 64, or operators with numbers (up_proj:3,down_proj:2), got 'up_proj:3,'");
    refused(SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.copies=attention:3"),
            "mapping.copies: llama3-8b has no matrix named 'attention'");
    refused(SETS(SMALL_ARCH, "fabric.kind=mesh", "mapping.copies=q_proj:64,k_proj:63,v_proj:61"),
            "mapping.copies: operators that send to each other are the same copies again after more than 4096 tokens only: give them "
            "numbers with common factors");
    refused(SETS(SMALL_ARCH, "fabric.kind=mesh:rows=4,cols=4"), "fabric mesh:rows=4,cols=4 has 16 cores, 285 are needed");
    refused(SETS(SMALL_ARCH, "fabric.kind=mesh:rows=4,cols=4/mesh:rows=2,cols=2"),
            "groups on the top level: fabric mesh:rows=2,cols=2 has 4 cores, 18 are needed");
    refused(SETS("arch.cell_bits=1", "arch.cols=2", "fabric.kind=mesh"),
            "arch.cols: a weight of 4 bits takes 3 columns, a crossbar has 2");
}

/* Whatever allocation fails: an error, nothing leaks (sanitizers look), nothing is half made. */
static void memory_may_run_out(void **state)
{
    (void)state;
    pp_lm_config c = small();
    c.layers = 1;
    world w;
    world_open(&w, &c, SETS(SMALL_ARCH, "fabric.kind=mesh:rows=4,cols=4,gateways=4/mesh"));
    pp_status status = PP_ENOMEM;
    for (long n = 0; status != PP_OK; n += n < 300 ? 1 : n / 20) {
        pp_lm_mapping *m = NULL;
        pp_alloc_fail_after(n);
        status = pp_lm_map(&m, &w.input);
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK ? m != NULL : status == PP_ENOMEM && m == NULL);
        pp_lm_mapping_free(m);
    }
    pp_lm_mapping *m = map_model(&c, SETS(SMALL_ARCH, "fabric.kind=mesh:rows=4,cols=4,gateways=4/mesh"));
    status = PP_ENOMEM;
    for (long n = 0; status != PP_OK; n += n < 100 ? 1 : n / 10) {
        pp_lm_expanded *x = NULL;
        pp_alloc_fail_after(n);
        status = pp_lm_mapping_expand(&x, m, 0);
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK ? x != NULL : x == NULL);
        pp_lm_expanded_free(x);
    }
    pp_lm_mapping_free(m);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_layers_by_hand), cmocka_unit_test(split_contexts_by_hand), cmocka_unit_test(a_split_shares_the_context),         cmocka_unit_test(attention_by_hand),
        cmocka_unit_test(small_llamas_on_many_fabrics), cmocka_unit_test(parameters_are_the_published_ones), cmocka_unit_test(reductions_and_copies), cmocka_unit_test(sums_meet_the_quickest_way_that_costs_no_interval),
        cmocka_unit_test(other_kinds_of_models), cmocka_unit_test(variants_of_families),      cmocka_unit_test(groups_end_where_least_crosses),
        cmocka_unit_test(mappings_are_deterministic), cmocka_unit_test(wrong_input_is_one_line),
        cmocka_unit_test(memory_may_run_out),        cmocka_unit_test(llama3_8b_has_106496_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
