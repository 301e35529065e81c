/* The pipeline in time: against the published case, the recurrence, hand-computed times, its bounds and
 * itself (kernels, switching, finite FIFOs, extrapolation). */
#include "sim_fixture.h"

/* ---- the published case ---- */

/* PAPER: joshi2020 p. 11, conditions and latencies of an independent recurrence, exact to the picosecond. */
static void published_case(void **state)
{
    (void)state;
    static const struct {
        const char *unroll;
        int64_t lanes;
        uint64_t latency_ps, interval_ps;
    } row[] = {
        {"32:1x4,16:1x4", 4, 51698000, 25600000},
        {"auto", 4, 35184000, 12800000},
        {"32:1x4,16:1x2", 1, 57824000, 26214400},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        mapped x = {.arch = fixture_arch(512)};
        fixture_resnet32(&x.f);
        pp_map_options options = fixture_options(row[i].unroll, "1");
        options.buffers = "unlimited";
        sim_map(&x, sim_fabric("5pp", 0, 0, row[i].lanes), &options);
        pp_sim_options o = sim_options(20, PP_SWITCH_VCT);
        pp_run_result *r = sim_run(&x, &o);
        assert_int_equal(x.m->certificate, PP_CERT_EMBEDDING);
        assert_true(r->latency_first_ps / 1000 == row[i].latency_ps / 1000);
        assert_int_equal(r->interval_ps, row[i].interval_ps);
        sim_conserves(&x, r, o.switching == PP_SWITCH_IDEAL);
        pp_run_result_free(r);
        sim_unmap(&x);
    }
}

/* ---- random small mappings ---- */

typedef struct dice {
    uint64_t x;
} dice;

static uint32_t throw(dice * d, uint32_t sides)
{
    d->x = d->x * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(d->x >> 33) % sides;
}

static const char *pick(dice *d, const char *const *list, uint32_t n)
{
    return list[throw(d, n)];
}

static pp_shape random_shape(dice *d)
{
    static const pp_shape shape[] = {{8, 8, 3}, {7, 5, 3}, {9, 7, 2}};
    return shape[throw(d, 3)];
}

/* Patches for the maps of full height, some of which do not divide them. */
static void random_unroll(char *out, size_t size, const mapped *x, dice *d)
{
    static const char *const patch[] = {"1x1", "1x2", "1x4", "2x2", "3x3", "2x3"};
    snprintf(out, size, "%u:%s", x->f.net->ops[0].out.h, pick(d, patch, 6));
}

/* One layer a core in one row of 5pp: every flow has a channel to itself. Rates and latencies differ. */
static void random_embedding(mapped *x, dice *d)
{
    char unroll[32];
    fixture_residual(&x->f, random_shape(d));
    x->arch = fixture_arch(512);
    x->arch.mvm_ps = 20000;
    x->arch.pipeline_ps = throw(d, 2) * 13000;
    x->arch.digital_ps = throw(d, 2) * 7000;
    random_unroll(unroll, sizeof unroll, x, d);
    pp_map_options options = fixture_options(unroll, "1");
    options.buffers = "unlimited";
    sim_map(x, sim_fabric("5pp", 0, 0, 1 + throw(d, 3)), &options);
    for (uint32_t c = 0; c < x->fabric->n_channels; c++) {
        x->fabric->channel[c].lane_gbps = 1 + throw(d, 5);
        x->fabric->channel[c].latency_ps = throw(d, 3000);
    }
}

/* A network, arrays that may split rows and columns, patches, copies, a fabric. False: does not fit. */
static bool random_mapped(mapped *x, dice *d, const char *buffers, uint32_t fifo)
{
    static const char *const copies[] = {"1", "2", "3", "1"};
    static const char *const kind[] = {"5pp", "mesh", "mesh", "torus"};
    static const int64_t rows[] = {512, 64, 30, 20}, cols[] = {512, 64, 12, 4};
    (throw(d, 2) ? fixture_inception : fixture_residual)(&x->f, random_shape(d));
    x->arch = fixture_arch(512);
    x->arch.rows = rows[throw(d, 4)];
    x->arch.cols = cols[throw(d, 4)];
    x->arch.mvm_ps = 20000;
    x->arch.pipeline_ps = throw(d, 2) ? 13000 : 0;
    x->arch.digital_ps = throw(d, 2) ? 7000 : 0;
    x->arch.digital_interval_ps = 11000;
    char unroll[32];
    random_unroll(unroll, sizeof unroll, x, d);
    pp_map_options options = fixture_options(unroll, pick(d, copies, 4));
    options.buffers = buffers;
    options.effort = 2;
    options.reduction = (int) throw(d, 4);
    int64_t side = 8;
    pp_fabric_options fabric = sim_fabric(pick(d, kind, 4), side, side, 1 + throw(d, 3));
    fabric.header_bits = throw(d, 2) * 11;
    fabric.wire_ps = throw(d, 2) * 300;
    fabric.router_ps = throw(d, 2) * 1000;
    fabric.local_ports = throw(d, 2) ? "per_link" : "1";
    fabric.fifo_packets = fifo;
    fabric.credit_ps = fifo ? 500 : 0;
    if (pp_map(&x->m, &x->fabric, &x->f.q, &x->arch, &fabric, &options, 1, NULL) == PP_OK)
        return true;
    fixture_free(&x->f);
    return false;
}

/* Times of completion by the recurrence, one call an inference. */
static void equals_recurrence(const mapped *x, const pp_run_result *r)
{
    uint64_t done = 0;
    for (uint32_t n = 1; n <= r->images; n++) {
        pp_recurrence_result rec;
        must(pp_recurrence(&rec, x->m, &x->f.q, &x->arch, x->fabric, NULL, n, 0));
        done = n == 1 ? rec.latency_ps : done + rec.interval_ps;
        assert_int_equal(r->done_ps[n - 1], done);
        free(rec.buffer);
    }
}

/* Without sharing the simulation is the recurrence: on private paths always, on channels when every flow
 * has one to itself. */
static void recurrence(void **state)
{
    (void)state;
    dice d = {1};
    uint32_t runs = 0;
    while (runs < 60) {
        mapped x;
        if (!random_mapped(&x, &d, "unlimited", 0))
            continue;
        runs++;
        pp_sim_options o = sim_options(4, PP_SWITCH_IDEAL);
        pp_run_result *r = sim_run(&x, &o);
        equals_recurrence(&x, r);
        sim_conserves(&x, r, o.switching == PP_SWITCH_IDEAL);
        pp_run_result_free(r);
        sim_unmap(&x);
    }
    for (runs = 0; runs < 20; runs++) {
        mapped x;
        random_embedding(&x, &d);
        assert_int_equal(x.m->certificate, PP_CERT_EMBEDDING);
        for (int switching = PP_SWITCH_IDEAL; switching <= PP_SWITCH_VCT; switching++) {
            pp_sim_options o = sim_options(4, switching);
            pp_run_result *r = sim_run(&x, &o);
            equals_recurrence(&x, r);
            pp_run_result_free(r);
        }
        sim_unmap(&x);
    }
}

/* Buffers, sharing, finite FIFOs: everything arrives, no bound is beaten. */
static void bounds(void **state)
{
    (void)state;
    static const char *const buffers[] = {"auto", "unlimited", "200"};
    dice d = {2};
    for (uint32_t runs = 0; runs < 120;) {
        mapped x;
        uint32_t fifo = throw(&d, 3) ? 0 : 64;
        if (!random_mapped(&x, &d, pick(&d, buffers, 3), fifo))
            continue;
        runs++;
        pp_sim_options o = sim_options(12, (int) throw(&d, 3));
        pp_run_result *r = sim_run(&x, &o);
        sim_conserves(&x, r, o.switching == PP_SWITCH_IDEAL);
        pp_run_result_free(r);
        sim_unmap(&x);
    }
}

/* ---- the same twice ---- */

static void same_result(const pp_run_result *a, const pp_run_result *b)
{
    assert_int_equal(a->images, b->images);
    assert_memory_equal(a->done_ps, b->done_ps, a->images * sizeof *a->done_ps);
    assert_int_equal(a->interval_ps, b->interval_ps);
    assert_int_equal(a->end_ps, b->end_ps);
    assert_true(a->max_channel_utilisation == b->max_channel_utilisation);
    for (uint32_t i = 0; i < a->n_stages; i++) {
        const pp_stage_result *p = &a->stage[i], *q = &b->stage[i];
        assert_true(p->firings == q->firings && p->first_fire_ps == q->first_fire_ps);
        assert_true(p->first_done_ps == q->first_done_ps && p->last_done_ps == q->last_done_ps);
        assert_true(p->utilisation == q->utilisation && p->busy_ps == q->busy_ps);
        assert_true(p->wait_input_ps == q->wait_input_ps && p->wait_room_ps == q->wait_room_ps);
    }
    for (uint32_t i = 0; i < a->n_tiles; i++) {
        const pp_core_result *p = &a->core[i], *q = &b->core[i];
        assert_true(p->firings == q->firings && p->busy_ps == q->busy_ps && p->utilisation == q->utilisation);
        assert_int_equal(p->memory_high_bytes, q->memory_high_bytes);
    }
    for (uint32_t i = 0; i < a->n_channels; i++) {
        const pp_channel_result *p = &a->channel[i], *q = &b->channel[i];
        assert_true(p->packets == q->packets && p->bits == q->bits && p->busy_ps == q->busy_ps);
        assert_true(p->utilisation == q->utilisation && p->wait_ps == q->wait_ps && p->queue_high == q->queue_high);
        assert_int_equal(p->blocked_ps, q->blocked_ps);
    }
    for (uint32_t i = 0; i < a->n_edges; i++) {
        assert_int_equal(a->edge[i].waited_ps, b->edge[i].waited_ps);
        assert_int_equal(a->edge[i].caused_ps, b->edge[i].caused_ps);
    }
    for (uint32_t i = 0; i < a->n_flows; i++) {
        const pp_flow_result *p = &a->flow[i], *q = &b->flow[i];
        assert_true(p->packets == q->packets && p->buffer_high == q->buffer_high);
        assert_true(p->latency_sum_ps == q->latency_sum_ps && p->latency_max_ps == q->latency_max_ps);
    }
}

static void kernels(void **state)
{
    (void)state;
    dice d = {3};
    for (uint32_t runs = 0; runs < 6;) {
        mapped x;
        if (!random_mapped(&x, &d, "auto", runs % 2 ? 3 : 0))
            continue;
        runs++;
        pp_sim_options o = sim_options(5, PP_SWITCH_VCT);
        pp_run_result *a = sim_run(&x, &o), *b;
        o.kernel = PP_KERNEL_SYSTEMC;
        b = sim_run(&x, &o);
        same_result(a, b);
        assert_int_equal(a->events, b->events);
        assert_int_equal(a->trace_hash, b->trace_hash);
        pp_run_result_free(a);
        pp_run_result_free(b);
        sim_unmap(&x);
    }
}

/* Every figure of a run that jumps ahead is that of the run that does not. */
static void extrapolation(void **state)
{
    (void)state;
    dice d = {4};
    uint32_t jumped = 0;
    for (uint32_t runs = 0; runs < 40;) {
        mapped x;
        if (!random_mapped(&x, &d, "auto", throw(&d, 3) ? 0 : 4))
            continue;
        runs++;
        pp_sim_options o = sim_options(10 + throw(&d, 50), (int) throw(&d, 3));
        pp_run_result *a = sim_run(&x, &o), *b;
        assert_true(a->extrapolated_share == 0);
        o.exact = false;
        b = sim_run(&x, &o);
        same_result(a, b);
        jumped += b->extrapolated_share > 0;
        pp_run_result_free(a);
        pp_run_result_free(b);
        sim_unmap(&x);
    }
    assert_true(jumped >= 10);
}

/* Uneven latencies: packets from different channels then hardly ever come at the same time. Ties go by
 * the order of scheduling, and that is one when a packet starts and another when it asks. */
static void no_ties(const mapped *x)
{
    for (uint32_t c = 0; c < x->fabric->n_channels; c++)
        x->fabric->channel[c].latency_ps = c * 7919 % 3001;
}

/* FIFOs that are never full cost events and nothing else. */
static void deep_fifos(void **state)
{
    (void)state;
    for (uint64_t seed = 5; seed < 25; seed++) {
        mapped x, y;
        dice d = {seed}, same = {seed};
        if (!random_mapped(&x, &d, "auto", 0))
            continue;
        assert_true(random_mapped(&y, &same, "auto", 100));
        y.fabric->credit_ps = 0;
        for (uint32_t f = 0; f < x.m->n_flows; f++) /* the mapper's buffers allow for credits */
            y.m->flow[f].buffer = x.m->flow[f].buffer;
        no_ties(&x);
        no_ties(&y);
        for (int switching = PP_SWITCH_SAF; switching <= PP_SWITCH_VCT; switching++) {
            pp_sim_options o = sim_options(4, switching);
            pp_run_result *a = sim_run(&x, &o), *b = sim_run(&y, &o);
            assert_memory_equal(a->done_ps, b->done_ps, 4 * sizeof *a->done_ps);
            for (uint32_t i = 0; i < a->n_channels; i++)
                assert_int_equal(a->channel[i].wait_ps, b->channel[i].wait_ps);
            pp_run_result_free(a);
            pp_run_result_free(b);
        }
        sim_unmap(&x);
        sim_unmap(&y);
    }
}

/* ---- by hand ---- */

/* Two 1x1 convolutions on a 1 x 4 map of 2 channels: stage u reads the input, v reads u. */
static void two_stages(mapped *x, int64_t digital_ps)
{
    pp_builder *b;
    pp_network *net;
    must(pp_builder_new(&b, "two", (pp_shape){1, 4, 2}));
    uint32_t u = fixture_conv(b, "u", 0, 3, 1, 1, 1, true);
    fixture_conv(b, "v", u, 2, 1, 1, 1, false);
    must(pp_builder_finish(&net, b));
    fixture_quantize(&x->f, net);
    x->arch = fixture_arch(64);
    x->arch.mvm_ps = 10000;
    x->arch.digital_ps = digital_ps;
    pp_map_options options = fixture_options("none", "1");
    options.buffers = "unlimited";
    sim_map(x, sim_fabric("5pp", 1, 2, 1), &options);
}

/* Pixels of 16 bits at 5 Gbit/s come every 3.2 ns; u fires at 3.2, 13.2, 23.2, 33.2 ns, its packets of 24
 * bits take 4.8 ns; v fires at 18, 28, 38, 48 ns and is done at 58 ns, with 2 ns of digital unit twice
 * at 62 ns. The second inference is 40 ns later. */
static void by_hand(void **state)
{
    (void)state;
    for (uint64_t digital = 0; digital <= 2000; digital += 2000) {
        mapped x;
        two_stages(&x, (int64_t)digital);
        pp_sim_options o = sim_options(2, PP_SWITCH_VCT);
        pp_run_result *r = sim_run(&x, &o);
        assert_int_equal(r->done_ps[0], 58000 + 2 * digital);
        assert_int_equal(r->done_ps[1], 98000 + 2 * digital);
        assert_int_equal(r->stage[0].first_fire_ps, 3200);
        assert_int_equal(r->stage[0].last_done_ps, 43200 + digital);
        assert_int_equal(r->stage[1].first_fire_ps, 18000 + digital);
        assert_int_equal(r->stage[1].first_done_ps, 28000 + 2 * digital);
        assert_int_equal(r->stage[1].wait_input_ps, 18000 + digital);
        assert_int_equal(r->flow[0].latency_sum_ps, 8 * 4800);
        assert_int_equal(r->flow[0].latency_max_ps, 4800);
        assert_int_equal(r->flow[0].buffer_high, 1);
        assert_int_equal(r->core[0].busy_ps, 80000);
        pp_run_result_free(r);
        sim_unmap(&x);
    }
}

/* A consumer that takes 4 times as long and holds one position: u fires when v has taken the one before.
 * v's array is busy 40 ns: v at 18, 58, 98, 138; u at 3.2, 18, 58, 98. */
static void back_pressure(void **state)
{
    (void)state;
    mapped x;
    two_stages(&x, 0);
    x.m->flow[0].buffer = 1;
    x.m->plan[1].mvm.interval_ps = x.m->plan[1].mvm.latency_ps = 40000;
    pp_sim_options o = sim_options(1, PP_SWITCH_VCT);
    pp_run_result *r = sim_run(&x, &o);
    assert_int_equal(r->done_ps[0], 178000);
    assert_int_equal(r->stage[0].last_done_ps, 108000);
    assert_int_equal(r->stage[0].wait_room_ps, (18000 - 13200) + (58000 - 28000) + (98000 - 68000));
    assert_int_equal(r->flow[0].buffer_high, 1);
    pp_run_result_free(r);
    sim_unmap(&x);
}

static uint32_t channel_between(const pp_fabric *fabric, uint32_t src, uint32_t dst)
{
    for (uint32_t c = 0; c < fabric->n_network; c++)
        if (fabric->channel[c].src == src && fabric->channel[c].dst == dst)
            return c;
    fail();
    return PP_NO_CHANNEL;
}

/* The one net takes two channels by way of a third core, each with 1 ns of latency. */
static void two_hops(mapped *x, double first_gbps, double second_gbps)
{
    pp_fabric_options row = sim_fabric("mesh", 1, 3, 1);
    row.local_ports = "per_link";
    two_stages(x, 0);
    pp_fabric_free(x->fabric);
    must(pp_fabric_build(&x->fabric, &row));
    pp_net_edge *edge = calloc(2, sizeof *edge);
    edge[0] = (pp_net_edge){.channel = channel_between(x->fabric, 0, 1), .parent = PP_NONE, .bits_per_pixel = 24};
    edge[1] = (pp_net_edge){.channel = channel_between(x->fabric, 1, 2), .bits_per_pixel = 24, .n_end = 1};
    free(x->m->edge);
    x->m->edge = edge;
    x->m->n_edges = x->m->net[0].n_edges = 2;
    for (uint32_t c = 1; c < x->fabric->n_channels; c++) /* channel 0 also paces the pixels */
        x->fabric->channel[c].lane_gbps = 5;
    x->fabric->channel[edge[0].channel].lane_gbps = first_gbps;
    x->fabric->channel[edge[1].channel].lane_gbps = second_gbps;
    x->fabric->channel[edge[0].channel].latency_ps = x->fabric->channel[edge[1].channel].latency_ps = 1000;
}

/* u's first result is there at 13.2 ns (16.4 when a slow channel 0 paces the pixels, too). 24 bits take 4.8
 * ns on the fast channel and 9.6 on the slow one. Cut through they arrive 2 + 9.6 ns later whichever comes
 * first, stored 4.8 + 1 + 9.6 + 1. v then fires every 10 ns and ends 40 ns after its start. */
static void rates_differ(void **state)
{
    (void)state;
    for (uint32_t slow = 0; slow < 2; slow++) {
        mapped x;
        two_hops(&x, slow == 0 ? 2.5 : 5, slow == 1 ? 2.5 : 5);
        uint64_t ready = x.fabric->channel[0].lane_gbps < 5 ? 16400 : 13200;
        static const uint64_t travel[] = {[PP_SWITCH_IDEAL] = 11600, [PP_SWITCH_SAF] = 16400, [PP_SWITCH_VCT] = 11600};
        for (int switching = PP_SWITCH_IDEAL; switching <= PP_SWITCH_VCT; switching++) {
            pp_sim_options o = sim_options(1, switching);
            pp_run_result *r = sim_run(&x, &o);
            assert_int_equal(r->done_ps[0], ready + travel[switching] + 40000);
            assert_int_equal(r->flow[0].latency_max_ps, travel[switching]);
            pp_run_result_free(r);
        }
        sim_unmap(&x);
    }
}

/* One slot behind each channel and 50 ns until its sender knows that it is free: the second packet waits
 * for the first one's credit, the first channel's slot being free when the tail leaves on the second. */
static void credits(void **state)
{
    (void)state;
    mapped x;
    two_hops(&x, 5, 5);
    x.fabric->fifo_packets = 1;
    x.fabric->credit_ps = 50000;
    pp_sim_options o = sim_options(1, PP_SWITCH_VCT);
    pp_run_result *r = sim_run(&x, &o);
    /* First packet: 13.2 -> 18 on channel one, 14.2 -> 19 on two, there at 20. Credits: one at 19 + 50, two
     * at 20 + 50. Second: one at 69, two at 70 (credit just back), there at 75.8. So each packet comes 55.8
     * ns after the one before: 20, 75.8, 131.6, 187.4. */
    assert_int_equal(r->done_ps[0], 187400 + 10000);
    uint32_t first = x.m->edge[0].channel;
    assert_int_equal(r->channel[first].wait_ps, (69000 - 23200) + (124800 - 33200) + (180600 - 43200));
    assert_int_equal(r->channel[first].queue_high, 3);
    sim_waiting_adds_up(&x, r);
    /* two wait while it serves the second packet, one while it serves the third; nobody behind first and last */
    assert_int_equal(r->edge[0].caused_ps, 2 * 4800 + 4800);
    pp_run_result_free(r);
    sim_unmap(&x);
}

/* ---- the observer ---- */

typedef struct watch {
    uint64_t fires, packets, fire_ps, packet_ps, last_ps, wait_ps;
} watch;

static void watch_fire(void *sink, const pp_trace_event *e)
{
    watch *w = sink;
    assert_true(e->start_ps >= w->last_ps && e->ready_ps <= e->start_ps && e->inference < 3 && e->position < 64);
    assert_int_equal(e->net, PP_NONE);
    w->last_ps = e->start_ps;
    w->fires++;
    w->fire_ps += e->end_ps - e->start_ps;
}

static void watch_packet(void *sink, const pp_trace_event *e)
{
    watch *w = sink;
    assert_true(e->end_ps > e->start_ps && e->ready_ps <= e->start_ps && e->inference < 3 && e->position < 64);
    w->packets++;
    w->packet_ps += e->end_ps - e->start_ps;
    w->wait_ps += e->start_ps - e->ready_ps;
}

/* The observer sees each firing and each packet on each channel once, whatever room is behind the channels. */
static void trace_with(uint32_t fifo)
{
    static const pp_trace_ops ops = {watch_fire, watch_packet};
    dice d = {9};
    mapped x;
    while (!random_mapped(&x, &d, "auto", fifo))
        ;
    pp_sim_options o = sim_options(3, PP_SWITCH_VCT);
    watch seen = {0}, counted = {0};
    pp_run_result *r;
    must(pp_simulate(&r, &x.f.q, &x.arch, x.fabric, x.m, &o, NULL, &ops, &seen));
    for (uint32_t i = 0; i < r->n_tiles; i++) {
        counted.fires += r->core[i].firings;
        counted.fire_ps += r->core[i].busy_ps;
    }
    for (uint32_t i = 0; i < r->n_channels; i++) {
        counted.packets += r->channel[i].packets;
        counted.packet_ps += r->channel[i].busy_ps;
        counted.wait_ps += r->channel[i].wait_ps;
    }
    assert_true(counted.packets > 0);
    assert_int_equal(seen.fires, counted.fires);
    assert_int_equal(seen.fire_ps, counted.fire_ps);
    assert_int_equal(seen.packets, counted.packets);
    assert_int_equal(seen.packet_ps, counted.packet_ps);
    assert_int_equal(seen.wait_ps, counted.wait_ps);
    pp_run_result_free(r);
    sim_unmap(&x);
}

static void trace(void **state)
{
    (void)state;
    trace_with(0);
    trace_with(3);
}

/* ---- a core model from outside ---- */

typedef struct guest {
    uint64_t latency_ps; /* 0: never replies */
    uint32_t attached, fired;
} guest;

static pp_status guest_attach(void *user, pp_kernel *k)
{
    guest *g = user;
    assert_int_equal(pp_kernel_now(k), 0);
    g->attached++;
    return PP_OK;
}

static pp_status guest_fire(void *user, pp_kernel *k, uint32_t reply, uint32_t inference, uint32_t position)
{
    guest *g = user;
    assert_true(inference < 3 && position < 64);
    g->fired++;
    return g->latency_ps ? pp_kernel_schedule(k, pp_kernel_now(k) + g->latency_ps, reply, 0) : PP_OK;
}

static void core_from_outside(void **state)
{
    (void)state;
    mapped x;
    two_stages(&x, 0);
    pp_sim_options o = sim_options(3, PP_SWITCH_VCT);
    pp_run_result *plain, *r;
    must(pp_simulate(&plain, &x.f.q, &x.arch, x.fabric, x.m, &o, NULL, NULL, NULL));
    guest g = {.latency_ps = x.m->plan[x.m->tile[1].stage].mvm.latency_ps};
    pp_core_guest described = {1, guest_attach, guest_fire, &g};
    must(pp_simulate_guest(&r, &x.f.q, &x.arch, x.fabric, x.m, &o, &described));
    assert_int_equal(g.attached, 1);
    assert_int_equal(g.fired, plain->core[1].firings);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(r->done_ps[i], plain->done_ps[i]);
    pp_run_result_free(r);
    g.latency_ps += 5000;
    must(pp_simulate_guest(&r, &x.f.q, &x.arch, x.fabric, x.m, &o, &described));
    assert_int_equal(r->done_ps[2], plain->done_ps[2] + 5000); /* tile 1 comes last */
    pp_run_result_free(r);
    g.latency_ps = 0;
    assert_int_equal(pp_simulate_guest(&r, &x.f.q, &x.arch, x.fabric, x.m, &o, &described), PP_EDEADLOCK);
    described.tile = x.m->n_tiles;
    assert_int_equal(pp_simulate_guest(&r, &x.f.q, &x.arch, x.fabric, x.m, &o, &described), PP_EINVAL);
    assert_null(r);
    pp_run_result_free(plain);
    sim_unmap(&x);
}

/* ---- bad arguments, knobs ---- */

static void bad_options(void **state)
{
    (void)state;
    mapped x;
    two_stages(&x, 0);
    pp_sim_options o = sim_options(0, PP_SWITCH_VCT);
    pp_run_result *r;
    assert_int_equal(pp_simulate(&r, &x.f.q, &x.arch, x.fabric, x.m, &o, NULL, NULL, NULL), PP_ERANGE);
    assert_null(r);
    o = sim_options(3, PP_SWITCH_VCT);
    o.execute = 1; /* no values here */
    assert_int_equal(pp_simulate(&r, &x.f.q, &x.arch, x.fabric, x.m, &o, NULL, NULL, NULL), PP_EINVAL);
    pp_run_result_free(NULL);
    sim_unmap(&x);
}

static void no_memory(void **state)
{
    (void)state;
    mapped x;
    two_stages(&x, 0);
    pp_sim_options o = sim_options(3, PP_SWITCH_VCT);
    o.exact = false;
    pp_status status = PP_ENOMEM;
    long n;
    for (n = 0; status == PP_ENOMEM; n++) {
        pp_run_result *r;
        pp_alloc_fail_after(n);
        status = pp_simulate(&r, &x.f.q, &x.arch, x.fabric, x.m, &o, NULL, NULL, NULL);
        pp_alloc_fail_after(-1);
        pp_run_result_free(r);
    }
    assert_int_equal(status, PP_OK);
    assert_true(n > 5);
    sim_unmap(&x);
}

static void knobs(void **state)
{
    (void)state;
    pp_knob_table table = pp_sim_knobs();
    pp_config *config;
    pp_sim_options o;
    must(pp_config_new(&config, &table, 1));
    must(pp_config_bind(config, &table, &o));
    assert_int_equal(o.images, 100);
    assert_int_equal(o.kernel, PP_KERNEL_NATIVE);
    assert_int_equal(o.switching, PP_SWITCH_VCT);
    assert_int_equal(o.execute, 0);
    assert_false(o.exact);
    must(pp_config_set(config, "simulate.switching=saf"));
    must(pp_config_bind(config, &table, &o));
    assert_int_equal(o.switching, PP_SWITCH_SAF);
    pp_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_differ),  cmocka_unit_test(credits),        cmocka_unit_test(by_hand),
        cmocka_unit_test(back_pressure), cmocka_unit_test(published_case), cmocka_unit_test(recurrence),
        cmocka_unit_test(bounds),        cmocka_unit_test(kernels),        cmocka_unit_test(trace),
        cmocka_unit_test(core_from_outside),
        cmocka_unit_test(extrapolation), cmocka_unit_test(deep_fifos),     cmocka_unit_test(bad_options),
        cmocka_unit_test(no_memory),     cmocka_unit_test(knobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
