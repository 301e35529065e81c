/* The fast flit engine against the slow one, bit for bit; its own variants against each other. */
#include "tests/sim/net_fixture.h"
#include "tests/sim/net_reference.h"

/* Deliveries of the engine, by the packet's number. */
static void run_engine(const net_case *c, const pp_noc_packet *p, int count, pp_noc_delivery *out, pp_noc_stats *stats)
{
    pp_noc *n = NULL;
    pp_noc_delivery d;
    must(pp_noc_new(&n, c->fabric, &c->o, &c->routing));
    for (int i = 0; i < count; i++)
        must(pp_noc_inject(n, &p[i]));
    must(pp_noc_run(n, PP_NOC_NEVER, false));
    uint64_t last = 0;
    int seen = 0;
    for (; pp_noc_pop(n, &d); seen++) {
        assert_true(d.time >= last);
        last = d.time;
        out[d.tag] = d;
    }
    assert_int_equal(seen, count);
    pp_noc_get_stats(n, stats);
    assert_int_equal(stats->flits_inside, 0);
    assert_int_equal(stats->injected_flits, stats->ejected_flits);
    pp_noc_free(n);
}

static void assert_same(const pp_noc_delivery *a, const pp_noc_delivery *b, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(a[i].time, b[i].time);
        assert_int_equal(a[i].entered, b[i].entered);
        assert_int_equal(a[i].dst, b[i].dst);
        assert_int_equal(a[i].routers, b[i].routers);
    }
}

static uint32_t pick(pp_rng *rng, uint32_t lo, uint32_t hi)
{
    return lo + pp_rng_below(rng, hi - lo + 1);
}

static void one_config(pp_rng *rng, uint64_t seed)
{
    static const char *const fabrics[][2] = {
        {"mesh:rows=3,cols=3", "xy"}, {"torus:rows=3,cols=4", "xy"}, {"ring:cores=6", "auto"}, {"mesh:rows=1,cols=4", "xy"},
        {"cmesh:rows=2,cols=2,nodes=2", "auto"}, {"tree:arity=2,levels=3", "auto"}, {"fattree:arity=2,levels=2", "auto"},
        {"mesh:rows=4,cols=2", "yx"}, {"torus:rows=4,cols=1", "xy"}, {"torus:rows=4,cols=4", "yx"}};
    net_case c;
    const uint32_t which = pp_rng_below(rng, sizeof fabrics / sizeof *fabrics);
    case_open(&c, fabrics[which][0], fabrics[which][1]);
    c.o.vcs = pick(rng, c.routing.n_classes, 5);
    c.o.buffer_flits = pick(rng, 1, 9);
    c.o.routing_delay = pick(rng, 0, 2);
    c.o.vc_alloc_delay = pick(rng, 1, 2);
    c.o.sw_alloc_delay = pick(rng, 1, 2);
    c.o.switch_delay = pick(rng, 1, 3);
    c.o.link_delay = pick(rng, 1, 3);
    c.o.local_delay = pick(rng, 1, 2);
    c.o.credit_delay = pick(rng, 0, 2);
    c.o.iterations = pick(rng, 1, 2);
    if (pp_rng_below(rng, 4)) /* mostly what the fast path serves */
        c.o.sw_alloc_delay = c.o.iterations = 1;
    if (pp_rng_below(rng, 2))
        c.o.routing_delay = 0;
    c.o.seed = seed;
    int count;
    pp_noc_packet *p = random_packets(c.fabric, 0.05 + 0.5 * pp_rng_uniform(rng), 120, pick(rng, 1, 6), seed, &count);
    pp_noc_delivery *fast = calloc((size_t)count + 1, sizeof *fast), *other = calloc((size_t)count + 1, sizeof *other);
    pp_noc_stats a, b;
    ref_net ref;
    run_engine(&c, p, count, fast, &a);
    ref_new(&ref, c.fabric, &c.o, &c.routing, p, count);
    ref_run(&ref, 200000);
    assert_int_equal(ref.delivered, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(ref.packet[i].done, fast[i].time);
        assert_int_equal(ref.packet[i].entered, fast[i].entered);
    }
    c.o.general = true;
    run_engine(&c, p, count, other, &b);
    assert_same(fast, other, count);
    c.o.general = false;
    c.o.threads = 3;
    run_engine(&c, p, count, other, &b);
    assert_same(fast, other, count);
    assert_int_equal(a.flit_hops, b.flit_hops);
    c.o.threads = 1;
    c.o.observe = true;
    run_engine(&c, p, count, other, &b);
    assert_same(fast, other, count);
    ref_free(&ref);
    free(p);
    free(fast);
    free(other);
    case_close(&c);
}

static void random_configs(void **state)
{
    pp_rng rng = pp_rng_make(2024, 7);
    (void)state;
    for (uint64_t i = 0; i < 40; i++)
        one_config(&rng, 100 + i);
}

/* Options that the slow simulator does not model: every packet arrives, flits are conserved at every checkpoint,
 * packets of one flow on one VC do not overtake, threads change nothing. */
static void variant(const char *preset, const char *fabric, const char *routing)
{
    net_case c;
    case_open(&c, fabric, routing);
    must(pp_noc_preset(&c.o, preset));
    c.o.buffer_flits = 5;
    int count;
    pp_noc_packet *p = random_packets(c.fabric, 0.4, 150, 4, 5, &count);
    pp_noc_delivery *one = calloc((size_t)count, sizeof *one), *three = calloc((size_t)count, sizeof *three);
    pp_noc_stats a, b;
    run_engine(&c, p, count, one, &a);
    c.o.threads = 3;
    run_engine(&c, p, count, three, &b);
    assert_same(one, three, count);
    c.o.threads = 1;
    c.o.general = true;
    run_engine(&c, p, count, three, &b);
    assert_same(one, three, count);
    assert_int_equal(a.flit_hops, b.flit_hops);
    for (int i = 0; i < count; i++)
        assert_true(one[i].dst == p[i].dst && one[i].time > p[i].time);
    free(p);
    free(one);
    free(three);
    case_close(&c);
}

static void options_deliver_all(void **state)
{
    static const char *const presets[] = {"booksim:arbiter=matrix", "booksim:alloc=input", "booksim:iters=3",
                                          "booksim:spec=1", "booksim:insp=2", "booksim:intsp=2", "booksim:atomic=1",
                                          "booksim:shared=1", "booksim:arbiter=matrix,spec=1,insp=2,shared=1,atomic=1"};
    (void)state;
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        variant(presets[i], "mesh:rows=3,cols=3", "xy");
        variant(presets[i], "torus:rows=3,cols=3", "xy");
        variant(presets[i], "mesh:rows=3,cols=3", "adaptive");
    }
}

static void routings_deliver_all(void **state)
{
    static const char *const cases[][2] = {
        {"mesh:rows=4,cols=4", "odd_even"}, {"mesh:rows=4,cols=4", "west_first"}, {"mesh:rows=4,cols=4", "valiant"},
        {"mesh:rows=4,cols=4", "romm"},     {"mesh:rows=4,cols=4", "yx"},         {"5pp:rows=3,cols=4", "auto"},
        {"hypercube:cores=8", "auto"},      {"flatfly:rows=2,cols=2,nodes=2", "auto"}, {"htree:levels=2", "auto"},
        {"star:cores=5", "auto"},           {"full:cores=5", "auto"},             {"mesh3d:rows=2,cols=3,planes=2", "auto"},
        {"mesh:rows=3,cols=3", "adaptive"}, {"kautz:degree=2,diameter=2", "auto"}, {"k5prism:rows=5,cols=2", "auto"}, {"mesh:rows=3,cols=3", "updown"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        variant("booksim", cases[i][0], cases[i][1]);
}

/* A router beyond 64 VCs on a side takes the general allocator with sets of several words. */
static void large_router(void **state)
{
    (void)state;
    variant("booksim", "star:cores=70", "auto");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_configs),
        cmocka_unit_test(options_deliver_all),
        cmocka_unit_test(routings_deliver_all),
        cmocka_unit_test(large_router),
    };
    return cmocka_run_group_tests_name("net_reference", tests, NULL, NULL);
}
