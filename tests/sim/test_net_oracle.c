/* The network engines against what can be worked out by hand. */
#include "tests/sim/net_fixture.h"

#include "topology/routefn.h"

/* ---- zero load ---- */

/* Cycles of a lone packet through H routers. PAPER: booksim2013, dally2004 sec. 3.3 */
static uint64_t lone_latency(const pp_noc_options *o, uint64_t routers, uint64_t flits)
{
    const uint64_t stages = (uint64_t)o->routing_delay + o->vc_alloc_delay + o->sw_alloc_delay + o->switch_delay;
    const uint64_t head = o->local_delay + 1 + routers * stages + (routers - 1) * o->link_delay + o->local_delay;
    return head + (flits - 1) * (o->switching == PP_NOC_SAF ? routers + 1 : 1);
}

static void lone_pairs(net_case *c, uint32_t flits)
{
    const pp_fabric *f = c->fabric;
    uint32_t *distance = calloc(f->n_vertices, sizeof *distance);
    pp_noc *n = NULL;
    must(pp_noc_new(&n, f, &c->o, &c->routing));
    for (uint32_t s = 0; s < f->n_cores; s += 1 + f->n_cores / 7) {
        must(pp_distances(f, f->core_switch[s], distance));
        for (uint32_t d = 0; d < f->n_cores; d++) {
            pp_noc_delivery got;
            const pp_noc_packet p = packet_of(pp_noc_now(n) + 50, s, d, flits);
            must(pp_noc_inject(n, &p));
            must(pp_noc_run(n, PP_NOC_NEVER, true));
            assert_true(pp_noc_pop(n, &got));
            /* A dragonfly's way takes one global channel even where two would be shorter. */
            if (strcmp(f->kind, "dragonfly") == 0)
                assert_true(got.routers > distance[f->core_switch[d]]);
            else
                assert_int_equal(got.routers, distance[f->core_switch[d]] + 1);
            assert_int_equal(got.time - got.created, lone_latency(&c->o, got.routers, flits));
            must(pp_noc_run(n, got.time + 40, false));
        }
    }
    pp_noc_free(n);
    free(distance);
}

static void zero_load(void **state)
{
    static const char *const fabrics[] = {
        "5pp:rows=3,cols=5", "mesh:rows=4,cols=4", "torus:rows=4,cols=4", "ring:cores=8", "cmesh:rows=2,cols=2,nodes=4",
        "flatfly:rows=2,cols=3,nodes=2", "hypercube:cores=16", "htree:levels=2", "fattree:arity=2,levels=3",
        "tree:arity=3,levels=2", "k5prism:rows=5,cols=2", "dragonfly:nodes=2", "star:cores=6", "full:cores=5",
        "mesh3d:rows=2,cols=2,planes=3", "torus3d:rows=3,cols=2,planes=2", "kautz:degree=2,diameter=3"};
    (void)state;
    for (size_t i = 0; i < sizeof fabrics / sizeof *fabrics; i++)
        for (int s = PP_NOC_IDEAL; s <= PP_NOC_FLIT; s++) {
            net_case c;
            case_open(&c, fabrics[i], "auto");
            c.o.switching = (pp_noc_switching)s;
            lone_pairs(&c, 1);
            c.o.routing_delay = 1;
            c.o.link_delay = 3;
            c.o.buffer_flits = 16;
            lone_pairs(&c, 5);
            case_close(&c);
        }
}

/* Buffers shorter than the credit loop stall a long packet: 8 flits through 4 take exactly 2 cycles more. */
static void credit_stalls(void **state)
{
    net_case c;
    (void)state;
    case_open(&c, "mesh:rows=1,cols=7", "xy");
    c.o.vcs = 1;
    c.o.buffer_flits = 4;
    for (uint32_t d = 0; d < 7; d++) {
        pp_noc *n = NULL;
        pp_noc_delivery got;
        const pp_noc_packet p = packet_of(3, 0, d, 8);
        must(pp_noc_new(&n, c.fabric, &c.o, &c.routing));
        must(pp_noc_inject(n, &p));
        must(pp_noc_run(n, PP_NOC_NEVER, false));
        assert_true(pp_noc_pop(n, &got));
        assert_int_equal(got.time - 3, 2 + 4 * (d + 1) + 7 + 2);
        pp_noc_free(n);
    }
    case_close(&c);
}

/* ---- queues ---- */

/* Waiting time of one flow from core 0 to 1 at a load; packets of P flits. */
static void single_channel(pp_noc_switching switching, pp_arrival arrival, double load, uint32_t flits, double *wait, double *error)
{
    net_case c;
    pp_pattern *pattern = NULL;
    pp_traffic_options t;
    pp_traffic_point point;
    const uint32_t src = 0, dst = 1;
    const double weight = 1;
    case_open(&c, "mesh:rows=1,cols=2", "xy");
    must(pp_pattern_matrix(&pattern, c.fabric, "one flow", &src, &dst, &weight, 1));
    c.o.switching = switching;
    c.o.buffer_flits = 16;
    pp_traffic_defaults(&t);
    t.arrival = arrival;
    t.rate = load / 2; /* of two cores only one sends */
    t.n_sizes = 1;
    t.flits[0] = flits;
    t.share[0] = 1;
    t.warmup = 5000;
    t.period = 2500;
    t.max_cycles = load > 0.8 ? 1500000 : 300000;
    t.precision = 1e-9;
    t.latency_limit = 1e9;
    must(pp_traffic_run(&point, c.fabric, &c.o, &c.routing, pattern, &t, NULL));
    assert_false(point.saturated);
    *wait = point.packet_latency - (double)lone_latency(&c.o, 2, flits);
    *error = point.ci95 / 2;
    pp_pattern_free(pattern);
    case_close(&c);
}

static void queueing_theory(void **state)
{
    const uint32_t P = 6;
    (void)state;
    for (int i = 0; i < 3; i++) {
        const double load = 0.3 * (i + 1);
        double wait, error;
        single_channel(PP_NOC_VCT, PP_ARRIVAL_POISSON, load, P, &wait, &error);
        const double md1 = load * P / (2 * (1 - load)), geo = load * (P - 1) / (2 * (1 - load));
        assert_true(fabs(wait - md1) <= fmax(0.02 * md1, 3 * error));
        single_channel(PP_NOC_FLIT, PP_ARRIVAL_BERNOULLI, load, P, &wait, &error);
        assert_true(fabs(wait - geo) <= fmax(0.02 * geo, 3 * error));
    }
}

/* Little's law, exactly: flit-cycles spent inside, cycle by cycle, are the sum of the packets' times. And flits in =
 * flits out + flits inside in every cycle. */
static void little_and_conservation(void **state)
{
    (void)state;
    for (int s = PP_NOC_IDEAL; s <= PP_NOC_FLIT; s++) {
        net_case c;
        pp_noc *n = NULL;
        pp_noc_delivery d;
        pp_noc_stats stats;
        int count;
        uint64_t inside = 0, spent = 0;
        case_open(&c, "torus:rows=3,cols=3", "xy");
        c.o.switching = (pp_noc_switching)s;
        pp_noc_packet *p = random_packets(c.fabric, 0.4, 200, 1, 3, &count);
        must(pp_noc_new(&n, c.fabric, &c.o, &c.routing));
        for (int i = 0; i < count; i++)
            must(pp_noc_inject(n, &p[i]));
        for (uint64_t t = 1; pp_noc_next(n) != PP_NOC_NEVER; t++) {
            must(pp_noc_run(n, t, false));
            pp_noc_get_stats(n, &stats);
            assert_int_equal(stats.injected_flits + stats.copied_flits, stats.ejected_flits + stats.flits_inside);
            inside += stats.flits_inside;
        }
        while (pp_noc_pop(n, &d))
            spent += d.time - d.entered;
        assert_int_equal(inside, spent);
        pp_noc_free(n);
        free(p);
        case_close(&c);
    }
}

static void no_overtaking(void **state)
{
    net_case c;
    pp_noc *n = NULL;
    pp_noc_delivery d;
    int count;
    uint64_t last[16 * 16] = {0};
    (void)state;
    case_open(&c, "mesh:rows=4,cols=4", "xy");
    c.o.vcs = 1;
    c.o.buffer_flits = 3;
    pp_noc_packet *p = random_packets(c.fabric, 0.5, 200, 5, 9, &count);
    must(pp_noc_new(&n, c.fabric, &c.o, &c.routing));
    for (int i = 0; i < count; i++)
        must(pp_noc_inject(n, &p[i]));
    must(pp_noc_run(n, PP_NOC_NEVER, false));
    for (int i = 0; pp_noc_pop(n, &d); i++) {
        uint64_t *flow = &last[d.src * 16 + d.dst];
        assert_true(d.tag + 1 > *flow);
        *flow = d.tag + 1;
    }
    pp_noc_free(n);
    free(p);
    case_close(&c);
}

/* ---- deadlock ---- */

/* The torus' routing without its classes. */
static uint32_t no_dateline(const void *context, const pp_noc_head *head, pp_noc_hop hop[PP_NOC_HOPS_MAX])
{
    const pp_noc_routing *inner = context;
    const uint32_t n = inner->route(inner->context, head, hop);
    for (uint32_t i = 0; i < n; i++)
        hop[i].classes = 1;
    return n;
}

static pp_status flood(const net_case *c, const pp_noc_routing *routing)
{
    pp_noc *n = NULL;
    must(pp_noc_new(&n, c->fabric, &c->o, routing));
    for (uint32_t k = 0; k < 12; k++)
        for (uint32_t s = 0; s < c->fabric->n_cores; s++) {
            const pp_noc_packet p = packet_of(k, s, s / 5 * 5 + (s % 5 + 2) % 5, 8);
            must(pp_noc_inject(n, &p));
        }
    const pp_status status = pp_noc_run(n, PP_NOC_NEVER, false);
    pp_noc_free(n);
    return status;
}

static void torus_without_datelines_deadlocks(void **state)
{
    net_case c;
    uint32_t n_cycle = 0;
    pp_routefn *fn = NULL;
    pp_route_state *states = NULL;
    (void)state;
    case_open(&c, "torus:rows=5,cols=5", "xy");
    must(pp_routefn_new(&fn, c.fabric, "xy"));
    must(pp_routefn_check(fn, true, &states, &n_cycle));
    assert_true(n_cycle > 0); /* proved cyclic */
    free(states);
    const pp_noc_routing bare = {no_dateline, &c.routing, 1};
    c.o.vcs = 1;
    c.o.buffer_flits = 4;
    assert_int_equal(flood(&c, &bare), PP_EDEADLOCK);
    assert_non_null(strstr(pp_error_text(), "cycle of 5 packets"));
    assert_non_null(strstr(pp_error_text(), "->"));
    assert_non_null(strstr(pp_error_text(), " at r"));
    c.o.vcs = 2;
    must(flood(&c, &c.routing));
    must(pp_routefn_check(fn, false, &states, &n_cycle));
    assert_int_equal(n_cycle, 0); /* with its classes the relation is free */
    free(states);
    pp_routefn_free(fn);
    c.o.switching = PP_NOC_VCT;
    c.o.vcs = 1;
    c.o.buffer_flits = 8;
    assert_int_equal(flood(&c, &bare), PP_EDEADLOCK);
    case_close(&c);
}

/* ---- multicast ---- */

static void multicast(pp_noc_switching switching, bool tree_on)
{
    static const uint32_t dst[] = {0, 3, 5, 10, 12, 15};
    net_case c;
    pp_noc *n = NULL;
    pp_tree tree;
    uint32_t id, vertex[6], got[16] = {0};
    pp_noc_delivery d;
    pp_noc_stats stats;
    case_open(&c, "mesh:rows=4,cols=4", "xy");
    c.o.switching = switching;
    for (int i = 0; i < 6; i++)
        vertex[i] = c.fabric->core_vertex[dst[i]];
    must(pp_route_tree(&tree, c.fabric, PP_ROUTING_XY, c.fabric->core_vertex[5], vertex, 6));
    must(pp_noc_new(&n, c.fabric, &c.o, &c.routing));
    must(pp_noc_add_tree(n, &id, 5, PP_NO_CHANNEL, &tree, dst, NULL, 6));
    for (uint32_t k = 0; k < 20; k++) {
        pp_noc_packet p = packet_of(2 * k, 5, 0, 1 + k % 8);
        p.tree = tree_on ? id : PP_NOC_TREE_NONE;
        for (int i = 0; i < (tree_on ? 1 : 6); i++) {
            p.dst = dst[i];
            must(pp_noc_inject(n, &p));
        }
        const pp_noc_packet other = packet_of(2 * k, 9, 6, 3);
        must(pp_noc_inject(n, &other));
    }
    if (switching == PP_NOC_FLIT) { /* too late */
        assert_int_equal(pp_noc_add_tree(n, &id, 5, PP_NO_CHANNEL, &tree, dst, NULL, 6), PP_EINVAL);
        assert_non_null(strstr(pp_error_text(), "before the first packet"));
    }
    must(pp_noc_run(n, PP_NOC_NEVER, false));
    while (pp_noc_pop(n, &d))
        got[d.dst]++;
    for (int i = 0; i < 6; i++)
        assert_int_equal(got[dst[i]], 20);
    assert_int_equal(got[6], 20);
    pp_noc_get_stats(n, &stats);
    assert_int_equal(stats.injected_flits + stats.copied_flits, stats.ejected_flits);
    assert_int_equal(stats.flits_inside, 0);
    assert_int_equal(stats.copied_flits > 0, tree_on);
    pp_noc_free(n);
    pp_tree_free(&tree);
    case_close(&c);
}

static void trees_and_copies(void **state)
{
    (void)state;
    for (int s = PP_NOC_IDEAL; s <= PP_NOC_FLIT; s++) {
        multicast((pp_noc_switching)s, true);
        multicast((pp_noc_switching)s, false);
    }
}

/* ---- packets against flits ---- */

static double mean_latency(net_case *c, pp_noc_switching switching, double rate)
{
    pp_pattern *pattern = NULL;
    pp_traffic_options t;
    pp_traffic_point p;
    c->o.switching = switching;
    pp_traffic_defaults(&t);
    t.rate = rate;
    must(pp_traffic_sizes(&t, "4"));
    t.warmup = 1000;
    t.max_cycles = 12000;
    must(pp_pattern_new(&pattern, c->fabric, "uniform", 1));
    must(pp_traffic_run(&p, c->fabric, &c->o, &c->routing, pattern, &t, NULL));
    pp_pattern_free(pattern);
    return p.packet_latency;
}

static void packet_level_is_near(void **state)
{
    net_case c;
    (void)state;
    case_open(&c, "mesh:rows=4,cols=4", "xy");
    const double flit = mean_latency(&c, PP_NOC_FLIT, 0.15), vct = mean_latency(&c, PP_NOC_VCT, 0.15);
    const double ideal = mean_latency(&c, PP_NOC_IDEAL, 0.15), saf = mean_latency(&c, PP_NOC_SAF, 0.15);
    assert_true(fabs(vct - flit) < 0.06 * flit);
    assert_true(ideal < vct && vct < saf);
    case_close(&c);
}

/* ---- bad input ---- */

static void refuse(const char *fabric, void (*spoil)(pp_noc_options *o), const char *words)
{
    net_case c;
    pp_noc *n = NULL;
    case_open(&c, fabric, "auto");
    spoil(&c.o);
    assert_int_not_equal(pp_noc_new(&n, c.fabric, &c.o, &c.routing), PP_OK);
    assert_null(n);
    assert_non_null(strstr(pp_error_text(), words));
    case_close(&c);
}

static void no_vcs(pp_noc_options *o) { o->vcs = 0; }
static void many_vcs(pp_noc_options *o) { o->vcs = 65; }
static void one_vc(pp_noc_options *o) { o->vcs = 1; }
static void no_buffer(pp_noc_options *o) { o->buffer_flits = 0; }
static void no_stage(pp_noc_options *o) { o->switch_delay = 0; }
static void no_threads(pp_noc_options *o) { o->threads = 0; }
static void slow_speculation(pp_noc_options *o)
{
    o->speculative = true;
    o->sw_alloc_delay = 2;
}

static uint32_t lost(const void *context, const pp_noc_head *head, pp_noc_hop hop[PP_NOC_HOPS_MAX])
{
    (void)context, (void)head, (void)hop;
    return 0;
}

static void bad_input(void **state)
{
    net_case c;
    pp_noc *n = NULL;
    (void)state;
    refuse("mesh:rows=2,cols=2", no_vcs, "1 to 64 VCs");
    refuse("mesh:rows=2,cols=2", many_vcs, "1 to 64 VCs");
    refuse("torus:rows=3,cols=3", one_vc, "2 VCs");
    refuse("mesh:rows=2,cols=2", no_buffer, "1 flit");
    refuse("mesh:rows=2,cols=2", no_stage, "at least 1 cycle");
    refuse("mesh:rows=2,cols=2", no_threads, "threads");
    refuse("mesh:rows=2,cols=2", slow_speculation, "sa=1");
    case_open(&c, "mesh:rows=2,cols=2", "xy");
    c.o.switching = PP_NOC_VCT;
    must(pp_noc_new(&n, c.fabric, &c.o, &c.routing));
    pp_noc_packet p = packet_of(0, 0, 1, 9);
    assert_int_equal(pp_noc_inject(n, &p), PP_EINVAL);
    assert_non_null(strstr(pp_error_text(), "cannot hold a packet of 9"));
    p = packet_of(0, 4, 1, 1);
    assert_int_equal(pp_noc_inject(n, &p), PP_EINVAL);
    p = packet_of(0, 0, 1, 0);
    assert_int_equal(pp_noc_inject(n, &p), PP_EINVAL);
    pp_noc_free(n);
    const pp_noc_routing nowhere = {lost, NULL, 1};
    for (int s = PP_NOC_SAF; s <= PP_NOC_FLIT; s++) {
        c.o.switching = (pp_noc_switching)s;
        must(pp_noc_new(&n, c.fabric, &c.o, &nowhere));
        p = packet_of(0, 0, 3, 1);
        must(pp_noc_inject(n, &p));
        assert_int_equal(pp_noc_run(n, PP_NOC_NEVER, false), PP_EINFEASIBLE);
        assert_non_null(strstr(pp_error_text(), "no way from core 0 to core 3"));
        pp_noc_free(n);
    }
    assert_int_equal(pp_noc_preset(&c.o, "booksim:rd=x"), PP_ERANGE);
    assert_int_equal(pp_noc_preset(&c.o, "booksim:zz=1"), PP_EINVAL);
    assert_int_equal(pp_noc_preset(&c.o, "noxim"), PP_EINVAL);
    case_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_load),
        cmocka_unit_test(credit_stalls),
        cmocka_unit_test(queueing_theory),
        cmocka_unit_test(little_and_conservation),
        cmocka_unit_test(no_overtaking),
        cmocka_unit_test(torus_without_datelines_deadlocks),
        cmocka_unit_test(trees_and_copies),
        cmocka_unit_test(packet_level_is_near),
        cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests_name("net_oracle", tests, NULL, NULL);
}
