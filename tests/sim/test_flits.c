/* The pipeline on the flit network: layers, bounds, agreement with packets, order. */
#include "sim_fixture.h"

#include "sim/pipeline_internal.h"

#include <string.h>

/* ---- layers ---- */

/* Net i of a ring of n channels takes channels i and i + 1. */
static void ring_nets(pp_mapping *m, pp_net *net, pp_net_edge *edge, uint32_t n)
{
    *m = (pp_mapping){.n_nets = n, .n_edges = 2 * n, .net = net, .edge = edge};
    for (uint32_t i = 0; i < n; i++) {
        net[i] = (pp_net){.first_edge = 2 * i, .n_edges = 2};
        edge[2 * i] = (pp_net_edge){.channel = i, .parent = PP_NONE};
        edge[2 * i + 1] = (pp_net_edge){.channel = (i + 1) % n, .parent = 2 * i};
    }
}

static void a_cycle_takes_two_layers(void **state)
{
    (void)state;
    enum { N = 5 };
    pp_mapping m;
    pp_net net[N];
    pp_net_edge edge[2 * N];
    uint8_t layer[N];
    uint32_t layers;
    ring_nets(&m, net, edge, N);
    must(pp_flits_layers(&m, N, layer, &layers));
    assert_int_equal(layers, 2);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(layer[i], i == N - 1); /* the one that closes the ring */
    m.n_nets = N - 1; /* an open chain of conditions */
    must(pp_flits_layers(&m, N, layer, &layers));
    assert_int_equal(layers, 1);
}

/* ---- the pipeline ---- */

/* What holds for packets holds for flits, but for channels: their waiting is shared out. */
static void flits_conserve(const mapped *x, const pp_run_result *r)
{
    const uint64_t n = r->images;
    for (uint32_t f = 0; f < x->m->n_flows; f++)
        assert_int_equal(r->flow[f].packets, n * x->m->flow[f].positions);
    for (uint32_t c = 0; c < x->m->n_channels; c++) {
        assert_int_equal(r->channel[c].bits, n * x->m->channel_bits[c]);
        assert_true(r->channel[c].utilisation >= 0 && r->channel[c].utilisation <= 1);
        assert_true(r->channel[c].blocked_ps <= r->channel[c].wait_ps);
    }
    for (uint32_t s = 0; s < x->m->n_stages; s++)
        assert_int_equal(r->stage[s].firings, n * x->m->plan[s].positions);
    assert_true(r->latency_first_ps >= x->m->bounds.latency_ps);
    assert_true(r->interval_ps >= x->m->bounds.interval_ps);
}

typedef void (*make_fn)(fixture *f, pp_shape input);

/* Small networks on fabrics under both port models; row and column tiles, so that sums and multicasts ride, too. */
static void bounds_hold_and_nothing_is_lost(void **state)
{
    (void)state;
    static const make_fn make[] = {fixture_residual, fixture_inception};
    static const char *const kind[] = {"5pp", "mesh", "torus"}, *const ports[] = {"per_link", "1"};
    for (uint32_t i = 0; i < 12; i++) {
        mapped x = {.arch = fixture_arch(i % 3 == 0 ? 512 : 24)};
        make[i % 2](&x.f, (pp_shape){6, 6, 3});
        pp_map_options options = fixture_options("none", i % 4 == 3 ? "2" : "1");
        pp_fabric_options fabric = sim_fabric(kind[i % 3], 7, 7, 1 + i % 2);
        fabric.local_ports = ports[i / 2 % 2];
        fabric.wire_ps = i % 2 * 700;
        x.arch.mvm_ps = 20000;
        options.effort = 2;
        sim_map(&x, fabric, &options);
        pp_sim_options o = sim_options(4, PP_SWITCH_FLIT);
        o.flit_bits = 8;
        pp_run_result *r = sim_run(&x, &o);
        flits_conserve(&x, r);
        o.kernel = PP_KERNEL_SYSTEMC;
        pp_run_result *again = sim_run(&x, &o);
        assert_memory_equal(r->done_ps, again->done_ps, r->images * sizeof *r->done_ps);
        assert_int_equal(r->trace_hash, again->trace_hash);
        pp_run_result_free(r);
        pp_run_result_free(again);
        sim_unmap(&x);
    }
}

/* PAPER: joshi2020 p. 11, at one lane: with a receiver a link the interval is that of packets, to one part in a thousand
 * (whole cycles); with one ejection port it is the bound, but for the cycles that a port loses between packets. */
static void published_case(void **state)
{
    (void)state;
    static const char *const ports[] = {"per_link", "1"};
    for (uint32_t i = 0; i < 2; i++) {
        mapped x = {.arch = fixture_arch(512)};
        fixture_resnet32(&x.f);
        pp_map_options options = fixture_options("32:1x4,16:1x4", "1");
        pp_fabric_options fabric = sim_fabric("5pp", 0, 0, 1);
        options.buffers = "unlimited";
        fabric.local_ports = ports[i];
        sim_map(&x, fabric, &options);
        pp_sim_options o = sim_options(8, PP_SWITCH_FLIT);
        o.flit_bits = 8;
        pp_run_result *r = sim_run(&x, &o);
        flits_conserve(&x, r);
        assert_true((double)r->interval_ps < (i == 0 ? 1.001 : 1.01) * (double)x.m->bounds.interval_ps);
        assert_int_equal(x.m->bounds.interval_ps, i == 0 ? 26214400 : 52428800);
        pp_run_result_free(r);
        sim_unmap(&x);
    }
}

/* ---- bad input ---- */

static void routers_can_be_chosen(void **state)
{
    (void)state;
    mapped x = {.arch = fixture_arch(512)};
    pp_run_result *r;
    fixture_residual(&x.f, (pp_shape){6, 6, 3});
    pp_map_options options = fixture_options("none", "1");
    sim_map(&x, sim_fabric("5pp", 2, 4, 1), &options);
    pp_sim_options o = sim_options(1, PP_SWITCH_FLIT);
    o.flit_bits = 8;
    o.router = "nosuch";
    assert_int_not_equal(pp_simulate(&r, &x.f.q, &x.arch, x.fabric, x.m, &o, NULL, NULL, NULL), PP_OK);
    assert_null(r);
    o.router = "booksim:rd=1,cd=2";
    r = sim_run(&x, &o);
    const uint64_t slow = r->latency_first_ps;
    pp_run_result_free(r);
    o.router = "";
    r = sim_run(&x, &o);
    assert_true(r->latency_first_ps < slow);
    pp_run_result_free(r);
    sim_unmap(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle_takes_two_layers),
        cmocka_unit_test(bounds_hold_and_nothing_is_lost),
        cmocka_unit_test(published_case),
        cmocka_unit_test(routers_can_be_chosen),
    };
    return cmocka_run_group_tests_name("sim/flits", tests, NULL, NULL);
}
