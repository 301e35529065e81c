/* Patterns, arrivals, files, measuring; an excerpt of curves measured with BookSim2. */
#include "tests/sim/net_fixture.h"

/* ---- patterns ---- */

static uint32_t destination(const char *fabric, const char *text, uint32_t src)
{
    net_case c;
    pp_pattern *p = NULL;
    pp_rng rng = pp_rng_make(1, 2);
    case_open(&c, fabric, "auto");
    must(pp_pattern_new(&p, c.fabric, text, 1));
    const uint32_t dst = pp_pattern_destination(p, src, &rng);
    pp_pattern_free(p);
    case_close(&c);
    return dst;
}

static void permutations(void **state)
{
    const char *mesh = "mesh:rows=8,cols=8";
    (void)state;
    assert_int_equal(destination(mesh, "transpose", 011), 011);
    assert_int_equal(destination(mesh, "transpose", 017), 071);
    assert_int_equal(destination(mesh, "bitcomp", 0), 63);
    assert_int_equal(destination(mesh, "bitrev", 1), 32);
    assert_int_equal(destination(mesh, "shuffle", 33), 3);
    assert_int_equal(destination(mesh, "tornado", 0), 3 * 8 + 3);
    assert_int_equal(destination(mesh, "tornado", 63), 2 * 8 + 2);
    assert_int_equal(destination(mesh, "neighbor", 63), 0);
    assert_int_equal(destination(mesh, "neighbor", 7), 8);
    assert_int_equal(destination(mesh, "hotspot1", 5), 27);
    assert_int_equal(destination(mesh, "hotspot:9", 5), 9);
    assert_int_equal(destination("cmesh:rows=4,cols=4,nodes=4", "tornado", 0), 3 * 8 + 3);
    assert_int_equal(destination("tree:arity=2,levels=3", "tornado", 0), 3);
}

static void refuse(const char *fabric, const char *text, const char *words)
{
    net_case c;
    pp_pattern *p = NULL;
    case_open(&c, fabric, "auto");
    assert_int_not_equal(pp_pattern_new(&p, c.fabric, text, 1), PP_OK);
    assert_null(p);
    if (!strstr(pp_error_text(), words))
        print_error("%s\n", pp_error_text());
    assert_non_null(strstr(pp_error_text(), words));
    case_close(&c);
}

static const char *file_with(char path[64], const char *text)
{
    snprintf(path, 64, "/tmp/pp_traffic_XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fputs(text, f);
    fclose(f);
    return path;
}

static void refuse_file(const char *kind, const char *text, const char *words)
{
    char path[64], pattern[128];
    snprintf(pattern, sizeof pattern, "%s:%s", kind, file_with(path, text));
    refuse("mesh:rows=2,cols=2", pattern, words);
    remove(path);
}

static void bad_patterns(void **state)
{
    (void)state;
    refuse("mesh:rows=3,cols=3", "transpose", "power of two");
    refuse("mesh:rows=3,cols=3", "bitcomp", "power of two");
    refuse("mesh:rows=2,cols=4", "transpose", "square");
    refuse("mesh:rows=2,cols=2", "unifrom", "did you mean uniform");
    refuse("mesh:rows=2,cols=2", "hotspot:4", "cores below 4");
    refuse("mesh:rows=2,cols=2", "hotspot:1@2", "share");
    refuse_file("permutation", "src,dst\n0,1\n0,2\n", ":3: core 0 has a destination");
    refuse_file("permutation", "0,9\n", "core 9");
    refuse_file("trace", "time,src,dst,flits\n5,0,1,1\n4,0,1,1\n", ":3: time 4: times must not decrease");
    refuse_file("trace", "5,0,7,1\n", "core 7");
    refuse_file("trace", "5,0,1\n", "expected time,src,dst,flits");
    refuse_file("trace", "5,0,1,0\n", "flits");
    refuse_file("trace", "# nothing\n", "empty");
}

static void bad_loads(void **state)
{
    static const double rates[] = {0, -1, 1.5, NAN};
    net_case c;
    pp_pattern *p = NULL;
    pp_traffic_options t;
    pp_traffic_point point;
    const uint32_t src = 0, dst = 1;
    const double weight = 1;
    (void)state;
    case_open(&c, "mesh:rows=2,cols=2", "xy");
    must(pp_pattern_new(&p, c.fabric, "uniform", 1));
    pp_traffic_defaults(&t);
    for (int i = 0; i < 4; i++) {
        t.rate = rates[i];
        assert_int_equal(pp_traffic_run(&point, c.fabric, &c.o, &c.routing, p, &t, NULL), PP_ERANGE);
    }
    t.rate = 0.3;
    t.arrival = PP_ARRIVAL_ONOFF;
    t.peak = 0.2;
    assert_int_equal(pp_traffic_run(&point, c.fabric, &c.o, &c.routing, p, &t, NULL), PP_ERANGE);
    pp_pattern_free(p);
    pp_traffic_defaults(&t);
    must(pp_pattern_matrix(&p, c.fabric, "one", &src, &dst, &weight, 1));
    t.rate = 0.5; /* the one sender would send 2 */
    assert_int_equal(pp_traffic_run(&point, c.fabric, &c.o, &c.routing, p, &t, NULL), PP_ERANGE);
    pp_pattern_free(p);
    assert_int_equal(pp_traffic_sizes(&t, "0"), PP_EINVAL);
    assert_int_equal(pp_traffic_sizes(&t, "1:x"), PP_EINVAL);
    assert_int_equal(pp_traffic_sizes(&t, ""), PP_EINVAL);
    case_close(&c);
}

/* ---- arrivals and files ---- */

static pp_traffic_point measure(net_case *c, const char *pattern, pp_traffic_options *t)
{
    pp_pattern *p = NULL;
    pp_traffic_point point;
    must(pp_pattern_new(&p, c->fabric, pattern, 1));
    must(pp_traffic_run(&point, c->fabric, &c->o, &c->routing, p, t, NULL));
    pp_pattern_free(p);
    return point;
}

static void loads_are_as_offered(void **state)
{
    net_case c;
    (void)state;
    case_open(&c, "mesh:rows=4,cols=4", "xy");
    for (int a = PP_ARRIVAL_BERNOULLI; a <= PP_ARRIVAL_ONOFF; a++) {
        pp_traffic_options t;
        pp_traffic_defaults(&t);
        t.arrival = (pp_arrival)a;
        t.peak = 0.5;
        t.burst = 10;
        t.rate = 0.2;
        must(pp_traffic_sizes(&t, "1:0.5,5:0.5"));
        t.warmup = 2000;
        t.max_cycles = 40000;
        t.precision = 1e-9;
        t.period = 1000;
        const pp_traffic_point p = measure(&c, "uniform", &t);
        if (fabs(p.accepted - 0.2) >= 0.2 * 0.04)
            print_error("arrival %d: %g accepted\n", a, p.accepted);
        assert_true(fabs(p.accepted - 0.2) < 0.2 * 0.04);
        assert_true(fabs(p.routers - 3.5) < 0.05);
        assert_true(p.p50 <= p.p95 && p.p95 <= p.p99 && p.p99 <= p.latency_max);
        assert_true(p.latency_min >= 6 && p.ci95 > 0);
    }
    case_close(&c);
}

static void request_reply(void **state)
{
    net_case c;
    pp_traffic_options t;
    (void)state;
    case_open(&c, "torus:rows=3,cols=3", "xy");
    pp_traffic_defaults(&t);
    t.rate = 0.05;
    t.reply_flits = 5;
    t.warmup = 500;
    t.max_cycles = 10000;
    const pp_traffic_point p = measure(&c, "uniform", &t);
    assert_true(fabs(p.accepted - 0.05 * 6) < 0.03);
    c.o.vcs = 2; /* two message classes of one VC, the torus needs two in each */
    pp_pattern *pattern = NULL;
    pp_traffic_point point;
    must(pp_pattern_new(&pattern, c.fabric, "uniform", 1));
    assert_int_equal(pp_traffic_run(&point, c.fabric, &c.o, &c.routing, pattern, &t, NULL), PP_ERANGE);
    pp_pattern_free(pattern);
    case_close(&c);
}

static void traces_and_permutations(void **state)
{
    char path[64], text[96];
    net_case c;
    pp_traffic_options t;
    (void)state;
    case_open(&c, "mesh:rows=2,cols=2", "xy");
    for (int s = PP_NOC_IDEAL; s <= PP_NOC_FLIT; s++) {
        c.o.switching = (pp_noc_switching)s;
        pp_traffic_defaults(&t);
        snprintf(text, sizeof text, "trace:%s", file_with(path, "time,src,dst,flits\n0,0,3,1\n100,1,1,4\n100,2,1,2\n900,3,2,8\n"));
        const pp_traffic_point p = measure(&c, text, &t);
        assert_int_equal(p.packets, 4);
        assert_true(fabs(p.routers - 2.25) < 1e-12);
        remove(path);
    }
    c.o.switching = PP_NOC_FLIT;
    pp_traffic_defaults(&t);
    t.max_cycles = 2000;
    snprintf(text, sizeof text, "permutation:%s", file_with(path, "0,3\n3,0\n"));
    const pp_traffic_point p = measure(&c, text, &t);
    assert_true(fabs(p.routers - 3) < 1e-12 && p.packets > 0);
    remove(path);
    case_close(&c);
}

static void threads_and_seeds_change_nothing(void **state)
{
    net_case c;
    pp_traffic_options t;
    pp_pool *pool = NULL;
    pp_pattern *pattern = NULL;
    pp_traffic_point a, b;
    (void)state;
    case_open(&c, "mesh:rows=4,cols=4", "xy");
    must(pp_pool_new(&pool, 3));
    must(pp_pattern_new(&pattern, c.fabric, "uniform", 1));
    pp_traffic_defaults(&t);
    t.rate = 0.25;
    t.max_cycles = 3000;
    must(pp_traffic_run(&a, c.fabric, &c.o, &c.routing, pattern, &t, NULL));
    c.o.threads = 3; /* one seed: three partitions */
    must(pp_traffic_run(&b, c.fabric, &c.o, &c.routing, pattern, &t, pool));
    assert_true(a.packet_latency == b.packet_latency && a.flit_hops == b.flit_hops && a.cycles == b.cycles);
    t.seeds = 3; /* seeds side by side */
    must(pp_traffic_run(&b, c.fabric, &c.o, &c.routing, pattern, &t, pool));
    must(pp_traffic_run(&a, c.fabric, &c.o, &c.routing, pattern, &t, NULL));
    assert_true(a.packet_latency == b.packet_latency && a.ci95 == b.ci95 && a.batches == 3);
    pp_pattern_free(pattern);
    pp_pool_free(pool);
    case_close(&c);
}

static void saturation(void **state)
{
    net_case c;
    pp_traffic_options t;
    pp_pattern *pattern = NULL;
    double rate;
    (void)state;
    case_open(&c, "mesh:rows=3,cols=3", "xy");
    must(pp_pattern_new(&pattern, c.fabric, "hotspot1", 1));
    pp_traffic_defaults(&t);
    t.latency_limit = 200;
    must(pp_traffic_saturation(&rate, 0.05, c.fabric, &c.o, &c.routing, pattern, &t, NULL));
    assert_true(rate > 0.09 && rate <= 1.05 / 9); /* one ejection port for nine cores */
    pp_pattern_free(pattern);
    case_close(&c);
}

/* ---- measured with BookSim2 (commit 28f43299, 4 VCs of 8 flits unless said, mean and standard deviation over three
 * seeds); whole curves: bench/booksim_curves ---- */

typedef struct measured {
    const char *fabric, *routing, *pattern, *flits, *router;
    uint32_t vcs, buffer;
    double rate, latency, sd, accepted;
} measured;

static const measured excerpt[] = {
    {"mesh:rows=8,cols=8", "xy", "uniform", "1", "booksim", 4, 8, 0.175, 27.6193, 0.05, 0.175275},
    {"mesh:rows=4,cols=4", "xy", "uniform", "8", "booksim", 1, 4, 0.119, 29.9803, 0.37, 0.119004},
    {"torus:rows=8,cols=8", "xy", "uniform", "8", "booksim", 4, 8, 0.213, 35.2687, 0.3, 0.213421},
    {"ring:cores=16", "shortest", "uniform", "1", "booksim", 4, 8, 0.288, 24.7263, 0.15, 0.288976},
    {"flatfly:rows=4,cols=4,nodes=4", "xy", "uniform", "1", "booksim", 4, 8, 0.275, 12.5965, 0.0108, 0.27599},
    {"fattree:arity=4,levels=3", "nca", "uniform", "1", "booksim", 4, 8, 0.288, 20.4142, 0.0285, 0.289011},
    {"tree:arity=4,levels=3", "nca", "uniform", "1", "booksim", 4, 8, 0.0375, 20.4718, 0.0206, 0.0375315},
    {"cmesh:rows=4,cols=4,nodes=4", "xy", "transpose", "1", "booksim", 4, 8, 0.0562, 16.52, 0.0697, 0.0566615},
    {"mesh:rows=8,cols=8", "xy", "uniform", "1", "booksim:rd=1,cd=2", 4, 8, 0.175, 34.7287, 0.05, 0.175517},
};

static void booksim_excerpt(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof excerpt / sizeof *excerpt; i++) {
        const measured *m = &excerpt[i];
        net_case c;
        pp_traffic_options t;
        case_open(&c, m->fabric, m->routing);
        must(pp_noc_preset(&c.o, m->router));
        c.o.vcs = m->vcs;
        c.o.buffer_flits = m->buffer;
        pp_traffic_defaults(&t);
        t.booksim = true;
        t.rate = m->rate;
        t.period = c.fabric->n_cores >= 64 ? 1000 : 3000;
        must(pp_traffic_sizes(&t, m->flits));
        const pp_traffic_point p = measure(&c, m->pattern, &t);
        const double error = 3 * hypot(m->sd / sqrt(3), p.ci95 / 2);
        if (!(fabs(p.packet_latency - m->latency) <= fmax(0.03 * m->latency, error)))
            print_error("%s: %g against %g\n", m->fabric, p.packet_latency, m->latency);
        assert_true(fabs(p.packet_latency - m->latency) <= fmax(0.03 * m->latency, error));
        assert_true(fabs(p.accepted - m->accepted) < 0.05 * m->accepted);
        assert_false(p.saturated);
        case_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permutations),
        cmocka_unit_test(bad_patterns),
        cmocka_unit_test(bad_loads),
        cmocka_unit_test(loads_are_as_offered),
        cmocka_unit_test(request_reply),
        cmocka_unit_test(traces_and_permutations),
        cmocka_unit_test(threads_and_seeds_change_nothing),
        cmocka_unit_test(saturation),
        cmocka_unit_test(booksim_excerpt),
    };
    return cmocka_run_group_tests_name("net_traffic", tests, NULL, NULL);
}
