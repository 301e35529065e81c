/* Bounds and bandwidth of placed mappings, and pp_map as a whole. */
#include "fixture.h"

#include <math.h>

typedef struct mapped {
    fixture f;
    pp_arch arch;
    pp_mapping *m;
    pp_fabric *fabric;
} mapped;

static pp_fabric_options fabric_options(const char *kind, int64_t rows, int64_t cols, int64_t lanes)
{
    return (pp_fabric_options){.kind = kind,
                               .file = "",
                               .rows = rows,
                               .cols = cols,
                               .reach = 2,
                               .row_direction = "both",
                               .width_bits = 8,
                               .clock_hz = 625e6,
                               .lanes = lanes,
                               .local_ports = "auto",
                               .routing = "auto"};
}

static void map_resnet32(mapped *x, int64_t size, pp_fabric_options fabric, const char *unroll, const char *placement)
{
    pp_map_options options = fixture_options(unroll, "1");
    options.placement = placement;
    fixture_resnet32(&x->f);
    x->arch = fixture_arch(size);
    must(pp_map(&x->m, &x->fabric, &x->f.q, &x->arch, &fabric, &options, 1, NULL));
    must(pp_mapping_check(x->m, &x->f.q, &x->arch, x->fabric));
}

static void unmap(mapped *x)
{
    pp_mapping_free(x->m);
    pp_fabric_free(x->fabric);
    fixture_free(&x->f);
}

/* PAPER: joshi2020 p. 11: 38,600 images/s and 52 us; one row of 34 cores, every flow on one channel. */
static void published_case(void **state)
{
    (void)state;
    mapped x;
    map_resnet32(&x, 512, fabric_options("5pp", 0, 0, 4), "32:1x4,16:1x4", "auto");
    const pp_bounds *b = &x.m->bounds;
    assert_int_equal(x.fabric->n_cores, 34);
    assert_int_equal(x.m->certificate, PP_CERT_EMBEDDING);
    assert_int_equal(b->interval_ps, 25600000);
    assert_int_equal(b->core_ps, 25600000);
    assert_int_equal(b->latency_ps, 51698000);
    assert_int_equal(b->channel_ps, 6553600);   /* 131,072 bits at 20 Gbit/s */
    assert_int_equal(b->input_ps, 1024 * 1200); /* 24 bits a pixel */
    assert_true(fabs(b->max_channel_gbps - 131072.0 / 25600.0) < 1e-9);
    assert_true(fabs(b->max_port_gbps - b->max_channel_gbps) < 1e-9);
    assert_true(fabs(b->max_channel_utilisation - 6.5536 / 25.6) < 1e-9);
    unmap(&x);
}

/* One lane: the channel is the bound. With one port a core it is the residual core's ejection port, which
 * takes in two maps of 131,072 bits: 52.4 us, 19,073 images/s, on any fabric. */
static void channel_and_port_bounds(void **state)
{
    (void)state;
    mapped x;
    map_resnet32(&x, 512, fabric_options("5pp", 0, 0, 1), "32:1x4,16:1x2", "auto");
    assert_int_equal(x.m->bounds.interval_ps, 26214400);
    assert_int_equal(x.m->bounds.channel_ps, 26214400);
    assert_int_equal(x.m->bounds.port_ps, 0);
    assert_int_equal(x.m->bounds.latency_ps, 57824000);
    unmap(&x);
    pp_fabric_options one_port = fabric_options("5pp", 0, 0, 1);
    one_port.local_ports = "1";
    map_resnet32(&x, 512, one_port, "32:1x4,16:1x2", "auto");
    assert_int_equal(x.m->bounds.port_ps, 52428800);
    assert_int_equal(x.m->bounds.interval_ps, 52428800);
    assert_true(fabs(x.m->bounds.max_port_gbps - 5) < 1e-9);
    unmap(&x);
}

/* Patches are chosen for the fabric's channels: the best for four lanes, still an embedding. */
static void plans_for_the_fabric(void **state)
{
    (void)state;
    mapped x;
    map_resnet32(&x, 512, fabric_options("5pp", 0, 0, 4), "auto", "auto");
    assert_int_equal(x.m->certificate, PP_CERT_EMBEDDING);
    assert_int_equal(x.m->bounds.interval_ps, 12800000);
    assert_int_equal(x.m->bounds.latency_ps, 35184400);
    unmap(&x);
}

/* Headers count in time and bits. */
static void headers(void **state)
{
    (void)state;
    mapped x;
    pp_fabric_options o = fabric_options("5pp", 0, 0, 1);
    o.header_bits = 32;
    map_resnet32(&x, 512, o, "32:1x4", "auto");
    assert_int_equal(x.m->bounds.channel_ps, (131072 + 256 * 32) * 200);
    unmap(&x);
}

/* Sum over packets, one by one, of what every channel carries. */
static void loads_by_packets(void **state)
{
    (void)state;
    mapped x;
    map_resnet32(&x, 256, fabric_options("5pp", 8, 8, 1), "none", "auto");
    assert_int_equal(x.m->n_tiles, 43);
    uint64_t total = 0, sum = 0;
    for (uint32_t e = 0; e < x.m->n_edges; e++)
        total += x.m->edge[e].bits;
    for (uint32_t c = 0; c < x.m->n_channels; c++)
        sum += x.m->channel_bits[c];
    assert_int_equal(total, sum);
    double mean = (double)sum / x.fabric->n_network / (double)x.m->bounds.interval_ps * 1000;
    assert_true(fabs(x.m->bounds.mean_channel_gbps - mean) < 1e-9 * mean);
    unmap(&x);
}

/* Two flows on one channel on a mesh in snake order: the published factor of two. */
static void mesh_penalty(void **state)
{
    (void)state;
    mapped x;
    pp_fabric_options o = fabric_options("mesh", 6, 6, 1);
    o.routing = "xy";
    o.local_ports = "per_link";
    map_resnet32(&x, 512, o, "32:1x4,16:1x4", "snake");
    assert_int_equal(x.m->certificate, PP_CERT_ROUTED);
    assert_int_equal(x.m->bounds.channel_ps, 2 * 26214400);
    unmap(&x);
}

static void too_small(void **state)
{
    (void)state;
    fixture f;
    fixture_resnet32(&f);
    pp_arch arch = fixture_arch(512);
    pp_map_options options = fixture_options("none", "1");
    pp_fabric_options o = fabric_options("5pp", 4, 4, 1);
    pp_mapping *m;
    pp_fabric *fabric;
    assert_int_equal(pp_map(&m, &fabric, &f.q, &arch, &o, &options, 1, NULL), PP_EINFEASIBLE);
    assert_null(m);
    assert_null(fabric);
    assert_non_null(strstr(pp_error_text(), "has 16 cores, 34 are needed"));
    fixture_free(&f);
}

static void memory_runs_out(void **state)
{
    (void)state;
    mapped x;
    map_resnet32(&x, 256, fabric_options("5pp", 8, 8, 1), "none", "snake");
    pp_map_options options = fixture_options("none", "1");
    pp_status status = PP_ENOMEM;
    pp_bounds before = x.m->bounds;
    for (long n = 0; status != PP_OK; n++) {
        pp_alloc_fail_after(n);
        status = pp_map_analyse(x.m, &x.f.q, &x.arch, x.fabric, &options);
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK || status == PP_ENOMEM);
        assert_true(n < 10000);
    }
    assert_int_equal(before.interval_ps, x.m->bounds.interval_ps); /* the same again */
    assert_int_equal(before.latency_ps, x.m->bounds.latency_ps);
    unmap(&x);
}

static void knobs(void **state)
{
    (void)state;
    pp_knob_table table = pp_map_knobs();
    pp_config *config;
    pp_map_options o;
    must(pp_config_new(&config, &table, 1));
    must(pp_config_set(config, "mapping.reduction=tree"));
    must(pp_config_bind(config, &table, &o));
    assert_int_equal(o.reduction, PP_REDUCE_TREE);
    assert_string_equal(o.unroll, "auto");
    assert_string_equal(o.buffers, "auto");
    assert_int_equal(o.core_budget, 0);
    assert_int_equal(pp_config_set(config, "mapping.effort=-1"), PP_ERANGE);
    pp_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_case),
        cmocka_unit_test(channel_and_port_bounds),
        cmocka_unit_test(plans_for_the_fabric),
        cmocka_unit_test(headers),
        cmocka_unit_test(loads_by_packets),
        cmocka_unit_test(mesh_penalty),
        cmocka_unit_test(too_small),
        cmocka_unit_test(knobs),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
