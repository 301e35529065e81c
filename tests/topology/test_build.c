/* Options to channels, ports and indices. */
#include "test_topology.h"

static void test_rate_latency_lanes(void **state)
{
    (void)state;
    bench b = bench_new();
    b.options.lanes = 4;
    b.options.wire_ps = 30;
    b.options.router_ps = 500;
    pp_fabric *f = bench_build(&b, "5pp:rows=1,cols=3");
    for (uint32_t c = 0; c < f->n_network; c++) {
        const pp_channel *ch = &f->channel[c];
        const uint32_t step = ch->src > ch->dst ? ch->src - ch->dst : ch->dst - ch->src;
        assert_int_equal(ch->latency_ps, 500 + 30 * step);
        assert_int_equal(ch->lanes, 4);
        assert_true(ch->lane_gbps == 5.0); /* default: 8 bit x 625 MHz */
    }
    pp_fabric_free(f);
    b.options.rate_gbps = 3.2;
    f = bench_build(&b, "5pp:rows=1,cols=3");
    assert_true(f->channel[0].lane_gbps == 3.2);
    pp_fabric_free(f);
    bench_free(&b);
}

static uint32_t ports_of(const char *text, const char *local_ports)
{
    bench b = bench_new();
    b.options.local_ports = local_ports;
    pp_fabric *f = bench_build(&b, text);
    const uint32_t ports = f->ports;
    assert_int_equal(f->n_channels, f->n_network + 2 * ports * f->n_cores);
    assert_true((f->inject == NULL) == (ports == 0));
    pp_fabric_free(f);
    bench_free(&b);
    return ports;
}

static void test_port_models(void **state)
{
    (void)state;
    assert_int_equal(ports_of("5pp:rows=2,cols=3", "auto"), 0);
    assert_int_equal(ports_of("mesh:rows=2,cols=3", "auto"), 1);
    assert_int_equal(ports_of("torus:rows=2,cols=3", "auto"), 1);
    assert_int_equal(ports_of("ring:cores=3", "auto"), 1);
    assert_int_equal(ports_of("mesh:rows=2,cols=3", "per_link"), 0);
    assert_int_equal(ports_of("5pp:rows=2,cols=3", "3"), 3);
}

static void test_port_channels(void **state)
{
    (void)state;
    bench b = bench_new();
    b.options.local_ports = "2";
    b.options.lanes = 3;
    b.options.wire_ps = 10;
    b.options.router_ps = 20;
    pp_fabric *f = bench_build(&b, "mesh:rows=2,cols=2");
    assert_int_equal(f->n_network, 8);
    assert_int_equal(f->n_channels, 8 + 16);
    for (uint32_t core = 0; core < 4; core++)
        for (uint32_t p = 0; p < 2; p++) {
            const pp_channel *in = &f->channel[f->inject[core * 2 + p]], *out = &f->channel[f->eject[core * 2 + p]];
            assert_int_equal(in->kind, PP_CHANNEL_INJECT);
            assert_int_equal(out->kind, PP_CHANNEL_EJECT);
            assert_int_equal(in->src, f->core_vertex[core]);
            assert_int_equal(in->dst, in->src);
            assert_int_equal(out->port, p);
            assert_int_equal(in->lanes, 3);
            assert_int_equal(in->latency_ps, 0);
        }
    pp_fabric_free(f);
    b.options.local_lanes = 7;
    f = bench_build(&b, "mesh:rows=2,cols=2");
    assert_int_equal(f->channel[f->eject[3]].lanes, 7);
    assert_int_equal(f->channel[0].lanes, 3);
    pp_fabric_free(f);
    bench_free(&b);
}

static void refuse(bench *b, pp_status status, const char *part)
{
    pp_fabric *f = NULL;
    assert_failed_with(pp_fabric_build(&f, &b->options), status, part);
    assert_null(f);
}

static void test_bad_options(void **state)
{
    (void)state;
    bench b = bench_new();
    b.options.kind = "mesh:rows=2,cols=2";
    b.options.local_ports = "many";
    refuse(&b, PP_ERANGE, "fabric.local_ports: expected auto, per_link or an integer from 1 to 64, found many");
    b.options.local_ports = "0";
    refuse(&b, PP_ERANGE, "fabric.local_ports");
    b.options.local_ports = "65";
    refuse(&b, PP_ERANGE, "fabric.local_ports");
    b.options.local_ports = "auto";
    b.options.routing = "zigzag";
    refuse(&b, PP_EINVAL, "native or balanced, found zigzag");
    b.options.routing = "auto";
    b.options.wire_ps = 1000000000;
    b.options.kind = "5pp:rows=1,cols=64,reach=64";
    refuse(&b, PP_ERANGE, "takes more than 4 ms");
    b.options.wire_ps = 0;
    b.options.rate_gbps = -1.0;
    b.options.clock_hz = 0.0;
    refuse(&b, PP_ERANGE, "expected a rate above 0");
    bench_free(&b);
}

static void test_routing_is_resolved(void **state)
{
    (void)state;
    bench b = bench_new();
    pp_fabric *f = bench_build(&b, "mesh:rows=2,cols=2");
    assert_string_equal(f->routing, "balanced");
    pp_fabric_free(f);
    b.options.routing = "yx";
    f = bench_build(&b, "mesh:rows=2,cols=2");
    assert_string_equal(f->routing, "yx");
    pp_fabric_free(f);
    bench_free(&b);
}

/* Every allocation in turn fails: an error comes back and nothing leaks (the sanitizers look). */
static void test_out_of_memory(void **state)
{
    (void)state;
    bench b = bench_new();
    b.options.kind = "5pp:rows=2,cols=3";
    b.options.local_ports = "1";
    pp_status status = PP_ENOMEM;
    long n = 0;
    for (; status != PP_OK && n < 1000; n++) {
        pp_fabric *f = NULL;
        pp_alloc_fail_after(n);
        status = pp_fabric_build(&f, &b.options);
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK || (status == PP_ENOMEM && !f));
        pp_fabric_free(f);
    }
    assert_true(n > 5 && n < 1000);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest topology_build[] = {
        cmocka_unit_test(test_rate_latency_lanes), cmocka_unit_test(test_port_models),
        cmocka_unit_test(test_port_channels),      cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_routing_is_resolved), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(topology_build, NULL, NULL);
}
