/* How nets run: trees, exact bits by the union of ranges, ports, fixed routes, negotiated routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mapper/place_internal.h"
#include "tests/mapper/fabrics.h"
#include "tests/mapper/synthetic.h"

static pp_status place(pp_synthetic *s, const pp_fabric *fabric, const char *placement)
{
    const pp_map_options options = {.placement = placement, .effort = 0};
    return pp_map_place(&s->m, fabric, &options, 1, NULL);
}

/* ---- a slow second opinion on everything that placement fills ---- */

/* Whether flow f's packets pass channel c, by its hops. */
static bool passes(const pp_mapping *m, uint32_t f, uint32_t c)
{
    for (uint32_t h = 0; h < m->flow[f].hops; h++)
        if (m->hop[m->flow[f].first_hop + h] == c)
            return true;
    return false;
}

/* Bits of net n on network channel c: one by one, is channel x of the stream needed by a flow behind c? */
static uint64_t bits_of(const pp_mapping *m, const pp_fabric *fabric, uint32_t n, uint32_t c)
{
    const pp_net *net = &m->net[n];
    uint64_t needed = 0, bits = 0;
    bool any = false;
    for (uint32_t x = 0; x < 64; x++) {
        bool want = false;
        for (uint32_t i = 0; i < net->n_flows; i++) {
            uint32_t f = m->net_flow[net->first_flow + i];
            want = want || (m->flow[f].ch_lo <= x && x < m->flow[f].ch_hi && passes(m, f, c));
        }
        needed += want;
        any = any || want;
    }
    const pp_flow *flow = &m->flow[m->net_flow[net->first_flow]];
    bits = needed * (flow->bits / (flow->ch_hi - flow->ch_lo));
    return any ? bits + (uint64_t)fabric->header_bits * flow->positions : 0;
}

static void check_loads(const pp_mapping *m, const pp_fabric *fabric)
{
    for (uint32_t c = 0; c < fabric->n_network; c++) {
        uint64_t bits = 0;
        uint32_t nets = 0;
        for (uint32_t n = 0; n < m->n_nets; n++) {
            uint64_t more = bits_of(m, fabric, n, c);
            bits += more;
            nets += more > 0;
        }
        assert_int_equal(m->channel_bits[c], bits);
        assert_int_equal(m->channel_flows[c], nets);
    }
}

static void check_ways(const pp_mapping *m, const pp_fabric *fabric)
{
    for (uint32_t f = 0; f < m->n_flows; f++) {
        const pp_flow *flow = &m->flow[f];
        uint32_t at = fabric->core_vertex[m->tile[flow->src].core];
        for (uint32_t h = 0; h < flow->hops; h++) {
            const pp_channel *c = &fabric->channel[m->hop[flow->first_hop + h]];
            assert_int_equal(c->kind, PP_CHANNEL_NETWORK);
            assert_int_equal(c->src, at);
            at = c->dst;
        }
        assert_int_equal(at, fabric->core_vertex[m->tile[flow->dst].core]);
    }
}

/* Parents first, one way into each vertex, each flow ends once, at its own core, and belongs to its net. */
static void check_trees(const pp_mapping *m, const pp_fabric *fabric)
{
    uint32_t ends = 0;
    for (uint32_t n = 0; n < m->n_nets; n++) {
        const pp_net *net = &m->net[n];
        for (uint32_t e = net->first_edge; e < net->first_edge + net->n_edges; e++) {
            const pp_net_edge *edge = &m->edge[e];
            const pp_channel *c = &fabric->channel[edge->channel];
            uint32_t from = fabric->core_vertex[m->tile[net->src].core];
            if (edge->parent != PP_NONE) {
                assert_true(edge->parent >= net->first_edge && edge->parent < e);
                from = fabric->channel[m->edge[edge->parent].channel].dst;
            }
            assert_int_equal(c->src, from);
            for (uint32_t other = net->first_edge; other < e; other++)
                assert_true(c->kind != PP_CHANNEL_NETWORK ||
                            fabric->channel[m->edge[other].channel].kind != PP_CHANNEL_NETWORK ||
                            fabric->channel[m->edge[other].channel].dst != c->dst);
            for (uint32_t i = 0; i < edge->n_end; i++, ends++) {
                const pp_flow *flow = &m->flow[m->edge_end[edge->first_end + i]];
                assert_int_equal(flow->net, n);
                assert_int_equal(flow->src, net->src);
                assert_int_equal(c->dst, fabric->core_vertex[m->tile[flow->dst].core]);
                assert_true(!fabric->ports || c->kind == PP_CHANNEL_EJECT);
            }
        }
    }
    assert_int_equal(ends, m->n_flows);
    for (uint32_t t = 0; t < m->n_tiles; t++)
        for (uint32_t i = m->net_of_tile_first[t]; i < m->net_of_tile_first[t + 1]; i++)
            assert_int_equal(m->net[m->net_of_tile[i]].src, t);
    assert_int_equal(m->net_of_tile_first[m->n_tiles], m->n_nets);
}

/* Ports: all bits that leave and enter a core pass them, and no port could give an edge to a lighter one. */
static void check_ports(const pp_mapping *m, const pp_fabric *fabric)
{
    uint64_t *sum = calloc(fabric->n_channels, sizeof *sum);
    assert_non_null(sum);
    for (uint32_t e = 0; e < m->n_edges; e++) {
        const pp_net_edge *edge = &m->edge[e];
        bool network = fabric->channel[edge->channel].kind == PP_CHANNEL_NETWORK;
        if (fabric->ports)
            assert_true((edge->parent == PP_NONE) == (fabric->channel[edge->channel].kind == PP_CHANNEL_INJECT));
        if (!network)
            sum[edge->channel] += edge->bits;
    }
    for (uint32_t c = fabric->n_network; c < fabric->n_channels; c++)
        assert_int_equal(m->channel_bits[c], sum[c]);
    for (uint32_t e = 0; e < m->n_edges; e++) {
        const pp_net_edge *edge = &m->edge[e];
        const pp_channel *c = &fabric->channel[edge->channel];
        if (c->kind == PP_CHANNEL_NETWORK)
            continue;
        const uint32_t *port = c->kind == PP_CHANNEL_INJECT ? fabric->inject : fabric->eject;
        uint32_t core = fabric->vertex[c->src].core;
        for (uint32_t p = 0; p < fabric->ports; p++)
            assert_true(sum[edge->channel] - edge->bits <= sum[port[core * fabric->ports + p]]);
    }
    free(sum);
}

static void check_all(const pp_mapping *m, const pp_fabric *fabric)
{
    check_ways(m, fabric);
    check_trees(m, fabric);
    check_loads(m, fabric);
    check_ports(m, fabric);
}

static void test_brute_force(void **state)
{
    static const char *const kind[] = {"5pp", "mesh", "torus"};
    static const char *const routing[] = {"auto", "xy", "yx", "shortest"};
    static const char *const placement[] = {"linear", "snake", "zigzag"};
    static const char *const ports[] = {"per_link", "1", "2"};
    (void)state;
    for (uint32_t i = 0; i < 108; i++) {
        pp_synthetic s;
        pp_fabric *fabric = test_fabric(kind[i % 3], 7, 7, ports[i / 36], routing[i / 3 % 4]);
        synthetic_resnet32(&s, i % 2);
        assert_int_equal(place(&s, fabric, placement[i / 12 % 3]), PP_OK);
        check_all(&s.m, fabric);
        synthetic_free(&s);
        pp_fabric_free(fabric);
    }
}

/* ---- slices: a source whose consumers take different channels ---- */

/* Tile 0 sends channels 0-8, 4-12 and 20-24 (pixels x 8 bits) to tiles 1, 2, 3 on a line of four. */
static void slices(pp_synthetic *s)
{
    memset(s, 0, sizeof *s);
    pp_layer a = synthetic_layer(s, 1, 24, 10);
    for (uint32_t i = 0; i < 3; i++)
        synthetic_layer(s, 1, 8, 10);
    synthetic_flow(s, a.first, 1, PP_FLOW_ACTIVATION, 1, 0, 8, 10);
    synthetic_flow(s, a.first, 2, PP_FLOW_RESIDUAL, 1, 4, 12, 10);
    synthetic_flow(s, a.first, 3, PP_FLOW_ACTIVATION, 1, 20, 24, 10);
    synthetic_finish(s);
}

static void test_union_of_slices(void **state)
{
    pp_synthetic s;
    pp_fabric *fabric = test_fabric("mesh", 1, 4, "1", "shortest");
    (void)state;
    slices(&s);
    assert_int_equal(place(&s, fabric, "linear"), PP_OK);
    check_all(&s.m, fabric);
    assert_int_equal(s.m.n_nets, 1);
    assert_int_equal(s.m.net[0].kind, PP_FLOW_ACTIVATION);
    assert_int_equal(s.m.net[0].packets, 10);
    assert_int_equal(s.m.n_edges, 1 + 3 + 3);
    static const uint32_t channels[] = {16, 16, 12, 4}; /* 0-12 and 20-24; then 4-12 and 20-24; then 20-24 */
    for (uint32_t e = 0; e < 4; e++) {
        assert_int_equal(s.m.edge[e].bits_per_pixel, 8 * channels[e]);
        assert_int_equal(s.m.edge[e].bits, 10 * (8 * channels[e] + 24));
    }
    assert_int_equal(s.m.certificate, PP_CERT_DISJOINT);
    synthetic_free(&s);
    pp_fabric_free(fabric);
}

/* More ranges than a search mask has bits: loads stay exact. */
static void test_many_slices(void **state)
{
    pp_synthetic s;
    pp_fabric *fabric = test_fabric("mesh", 7, 7, "per_link", "auto");
    (void)state;
    memset(&s, 0, sizeof s);
    pp_layer a = synthetic_layer(&s, 1, 64, 3);
    for (uint32_t i = 0; i < 45; i++)
        synthetic_flow(&s, a.first, synthetic_layer(&s, 1, 1, 3).first, PP_FLOW_ACTIVATION, 1, i, i + 1 + i % 19, 3);
    synthetic_finish(&s);
    assert_int_equal(place(&s, fabric, "snake"), PP_OK);
    check_all(&s.m, fabric);
    synthetic_free(&s);
    pp_fabric_free(fabric);
}

/* ---- nets ---- */

/* Two inputs of one tile from one stream are one packet; two partial sums never are. */
static void test_what_makes_a_net(void **state)
{
    pp_synthetic s;
    pp_fabric *fabric = test_fabric("5pp", 1, 4, "per_link", "auto");
    (void)state;
    memset(&s, 0, sizeof s);
    pp_layer a = synthetic_layer(&s, 1, 8, 4);
    synthetic_layer(&s, 1, 8, 4);
    synthetic_layer(&s, 1, 8, 4);
    synthetic_flow(&s, a.first, 1, PP_FLOW_ACTIVATION, 1, 0, 8, 4);
    synthetic_flow(&s, a.first, 1, PP_FLOW_RESIDUAL, 1, 0, 8, 4);
    synthetic_flow(&s, a.first, 1, PP_FLOW_PSUM, 1, 0, 8, 4);
    synthetic_flow(&s, a.first, 2, PP_FLOW_PSUM, 1, 0, 8, 4);
    synthetic_finish(&s);
    assert_int_equal(place(&s, fabric, "linear"), PP_OK);
    check_ways(&s.m, fabric);
    check_trees(&s.m, fabric);
    assert_int_equal(s.m.n_nets, 3);
    assert_int_equal(s.m.flow[0].net, s.m.flow[1].net);
    assert_int_equal(s.m.net[s.m.flow[2].net].kind, PP_FLOW_PSUM);
    synthetic_free(&s);
    pp_fabric_free(fabric);
}

/* ---- negotiation ---- */

/* On a 2 x 2 mesh, a ring, each flow has two simple ways: bit d of `ways` is the direction of flow d. True when
 * no channel has two of them. */
static bool ring_disjoint(const pp_flow *flow, uint32_t n, uint32_t ways)
{
    static const uint32_t place[4] = {0, 1, 3, 2}; /* of vertices 0, 1, 2, 3 along the ring */
    bool used[4][2] = {{false}};
    for (uint32_t f = 0; f < n; f++) {
        uint32_t back = ways >> f & 1, at = place[flow[f].src];
        while (at != place[flow[f].dst]) {
            if (used[at][back])
                return false;
            used[at][back] = true;
            at = (at + (back ? 3 : 1)) % 4;
        }
    }
    return true;
}

/* All sets of up to three flows between different cores: the router finds disjoint ways exactly when
 * trying all of them does. */
static void test_ways_around(void **state)
{
    pp_fabric *fabric = test_fabric("mesh", 2, 2, "per_link", "auto");
    uint32_t found = 0;
    (void)state;
    for (uint32_t pattern = 0; pattern < 12 * 12 * 12; pattern++) {
        pp_synthetic s;
        bool possible = false;
        memset(&s, 0, sizeof s);
        for (uint32_t i = 0; i < 4; i++)
            synthetic_layer(&s, 1, 8, 4);
        for (uint32_t i = 0, rest = pattern; i < 3; i++, rest /= 12) {
            uint32_t src = rest % 12 / 3, dst = (src + 1 + rest % 3) % 4;
            synthetic_flow(&s, src, dst, PP_FLOW_PSUM, src + 1, 0, 8, 4);
        }
        synthetic_finish(&s);
        for (uint32_t ways = 0; ways < 8; ways++)
            possible = possible || ring_disjoint(s.flow, 3, ways);
        assert_int_equal(place(&s, fabric, "linear"), PP_OK);
        check_ways(&s.m, fabric);
        assert_int_equal(s.m.certificate <= PP_CERT_DISJOINT, possible);
        found += possible;
        synthetic_free(&s);
    }
    assert_true(found > 0 && found < 12 * 12 * 12);
    pp_fabric_free(fabric);
}

/* Where sharing cannot be avoided, the light nets share: one heavy and two light from a corner. */
static void test_lowest_load_when_shared(void **state)
{
    pp_synthetic s;
    pp_fabric *fabric = test_fabric("mesh", 2, 2, "per_link", "auto");
    (void)state;
    memset(&s, 0, sizeof s);
    for (uint32_t i = 0; i < 4; i++)
        synthetic_layer(&s, 1, 8, 4);
    synthetic_flow(&s, 0, 3, PP_FLOW_PSUM, 1, 0, 8, 400);
    synthetic_flow(&s, 0, 1, PP_FLOW_PSUM, 1, 0, 8, 100);
    synthetic_flow(&s, 0, 2, PP_FLOW_PSUM, 1, 0, 8, 100);
    synthetic_finish(&s);
    assert_int_equal(place(&s, fabric, "linear"), PP_OK);
    check_ways(&s.m, fabric);
    uint64_t max = 0;
    for (uint32_t c = 0; c < fabric->n_network; c++)
        max = s.m.channel_bits[c] > max ? s.m.channel_bits[c] : max;
    assert_int_equal(max, 400 * (8 * 16 + 24)); /* the heavy one has a channel to itself */
    synthetic_free(&s);
    pp_fabric_free(fabric);
}

/* ---- accounts ---- */

static void assert_same_accounts(pp_layout *layout)
{
    int64_t energy = layout->energy;
    pp_layout_price(layout, layout->congestion);
    assert_int_equal(layout->energy, energy);
    for (uint32_t c = 0; c < layout->task->fabric->n_network; c++) {
        int64_t load = 0;
        uint32_t count = 0;
        for (uint32_t n = 0; n < layout->task->n_nets; n++)
            for (size_t e = 0; e < layout->tree[n].len; e++)
                if (layout->tree[n].data[e].channel == c) {
                    load += layout->tree[n].data[e].weight;
                    count++;
                }
        assert_int_equal(layout->load[c], load);
        assert_int_equal(layout->count[c], count);
    }
}

/* The energy kept step by step is the energy computed anew, and a search never ends worse than it began. */
static void test_incremental_energy(void **state)
{
    pp_synthetic s;
    pp_fabric *fabric = test_fabric("mesh", 7, 7, "per_link", "auto");
    pp_task *task = NULL;
    pp_layout *layout = NULL;
    uint32_t core[64];
    (void)state;
    synthetic_resnet32(&s, true);
    assert_int_equal(pp_task_new(&task, &s.m, fabric), PP_OK);
    assert_int_equal(pp_layout_new(&layout, task), PP_OK);
    assert_int_equal(pp_start_cores(fabric, PP_START_LINEAR, 0, task->n_tiles, core), PP_OK);
    pp_layout_put(layout, core);
    assert_int_equal(pp_layout_route_all(layout), PP_OK);
    pp_score before = layout->score;
    for (uint64_t object = 0; object < 4; object++) {
        assert_int_equal(pp_layout_anneal(layout, 500, 3, object), PP_OK);
        pp_score after = pp_layout_score(layout);
        assert_true(pp_score_compare(&after, &before) <= 0);
        pp_layout_price(layout, layout->congestion);
        for (uint32_t n = 0; n < task->n_nets; n += 3) {
            pp_layout_rip(layout, n);
            assert_int_equal(pp_layout_route(layout, n), PP_OK);
        }
        assert_same_accounts(layout);
        assert_int_equal(pp_layout_route_all(layout), PP_OK);
        before = layout->score;
    }
    pp_layout_free(layout);
    pp_task_free(task);
    synthetic_free(&s);
    pp_fabric_free(fabric);
}

/* A fabric whose rows run one way only: what looks back has no way. */
static void test_no_way(void **state)
{
    pp_synthetic s;
    const pp_fabric_options options = {.kind = "5pp",
                                       .rows = 1,
                                       .cols = 4,
                                       .reach = 2,
                                       .row_direction = "forward",
                                       .width_bits = 8,
                                       .clock_hz = 1e9,
                                       .lanes = 1,
                                       .local_ports = "per_link",
                                       .routing = "auto"};
    pp_fabric *fabric = NULL;
    (void)state;
    assert_int_equal(pp_fabric_build(&fabric, &options), PP_OK);
    memset(&s, 0, sizeof s);
    synthetic_layer(&s, 1, 8, 4);
    synthetic_layer(&s, 1, 8, 4);
    synthetic_flow(&s, 1, 0, PP_FLOW_ACTIVATION, 2, 0, 8, 4);
    synthetic_finish(&s);
    assert_int_equal(place(&s, fabric, "linear"), PP_EINFEASIBLE);
    assert_non_null(strstr(pp_error_text(), "no way from r0c1 to r0c0"));
    synthetic_free(&s);
    pp_fabric_free(fabric);
}

int main(void)
{
    const struct CMUnitTest mapper_route[] = {
        cmocka_unit_test(test_brute_force),        cmocka_unit_test(test_union_of_slices),
        cmocka_unit_test(test_many_slices),        cmocka_unit_test(test_what_makes_a_net),
        cmocka_unit_test(test_ways_around),        cmocka_unit_test(test_lowest_load_when_shared),
        cmocka_unit_test(test_incremental_energy), cmocka_unit_test(test_no_way),
    };
    return cmocka_run_group_tests(mapper_route, NULL, NULL);
}
