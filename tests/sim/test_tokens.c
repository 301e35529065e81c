/* The token simulator: figures worked out by hand (docs/llm-timing.md), a slow reference, bounds, repetition. */
#include "tokens_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static pp_token_sequence *equal_sequences(uint32_t n, uint32_t prompt, uint32_t decode)
{
    pp_token_sequence *q = calloc(n, sizeof *q);
    for (uint32_t i = 0; i < n; i++)
        q[i] = (pp_token_sequence){0, prompt, decode};
    return q;
}

static void assert_near(double a, double b, double within)
{
    if (!(fabs(a - b) <= within))
        fail_msg("%.17g is not %.17g within %g", a, b, within);
}

static pp_token_result *run(const pp_token_net *net, const pp_token_setup *setup)
{
    pp_token_result *r = NULL;
    const pp_status status = pp_simulate_tokens(&r, net, setup);
    if (status != PP_OK)
        fail_msg("%s", pp_error_text());
    return r;
}

/* Latency of a token alone, from the parts: embedding; in each block qkv, attention, o, add, ffn, add2; head. */
static uint64_t hand_latency(uint64_t work_ps)
{
    const uint64_t hop = HAND_HOP_PS + HAND_WIRE_PS;
    const uint64_t block = 3 * HAND_LATENCY_PS + work_ps + 2 * HAND_ADD_PS + 6 * hop;
    return HAND_EMBED_PS + 2 * block + hop + HAND_LATENCY_PS;
}

/* ---- figures by hand ---- */

static void prompt_goes_at_the_linear_interval(void **state)
{
    (void)state;
    builder b;
    pp_token_net net;
    hand_model(&b, &net, 1000, 4, 64);
    pp_token_sequence *q = equal_sequences(1, 64, 0);
    const pp_token_setup setup = {.sequence = q, .n_sequences = 1, .scenario = PP_SCENARIO_PREFILL, .in_flight = 1000, .exact = true};
    pp_token_result *r = run(&net, &setup);
    assert_int_equal(r->leave[0].time_ps, hand_latency(1000));
    assert_int_equal(hand_latency(1000), 1263000); /* docs/llm-timing.md */
    for (uint32_t i = 1; i < 64; i++) {
        /* 100 ns of the slowest matrix; a step of attention comes later by itself, twice */
        const uint64_t step = 2 * (b.work_ps[i + 1] - b.work_ps[i]);
        assert_int_equal(r->leave[i].time_ps - r->leave[i - 1].time_ps, HAND_LINEAR_PS + step);
    }
    pp_token_result_free(r);
    free(q);
    free(b.work_ps);
}

static void prompt_goes_at_the_sum_of_attention(void **state)
{
    (void)state;
    builder b;
    pp_token_net net;
    hand_model(&b, &net, 150000, 1, 40); /* from the first token on slower than any matrix */
    pp_token_sequence *q = equal_sequences(1, 40, 0);
    const pp_token_setup setup = {.sequence = q, .n_sequences = 1, .scenario = PP_SCENARIO_PREFILL, .in_flight = 1000, .exact = true};
    pp_token_result *r = run(&net, &setup);
    uint64_t sum = 0;
    for (uint32_t c = 1; c <= 40; c++)
        sum += b.work_ps[c];
    assert_int_equal(sum, 150000 * 820);
    /* Attention of the first block works without a pause; the last token then goes on alone. */
    assert_int_equal(r->end_ps, hand_latency(0) + sum + b.work_ps[40]);
    assert_true(r->bound_ps == sum);
    assert_true(r->end_ps - r->first_arrival_ps >= r->bound_ps);
    pp_token_result_free(r);
    free(q);
    free(b.work_ps);
}

static void decoding_takes_the_sum_of_latencies(void **state)
{
    (void)state;
    builder b;
    pp_token_net net;
    hand_model(&b, &net, 3000, 16, 200);
    pp_token_sequence *q = equal_sequences(1, 100, 60);
    const pp_token_setup setup = {.sequence = q, .n_sequences = 1, .scenario = PP_SCENARIO_DECODE};
    pp_token_result *r = run(&net, &setup);
    uint64_t time_ps = 0;
    for (uint32_t i = 0; i < 60; i++) {
        time_ps += hand_latency(b.work_ps[101 + i]);
        assert_int_equal(r->leave[i].time_ps, time_ps);
        time_ps += HAND_BACK_PS;
    }
    pp_token_bounds bounds;
    assert_int_equal(pp_token_bounds_at(&bounds, &net, 101), PP_OK);
    assert_int_equal(bounds.latency_ps, hand_latency(b.work_ps[101]));
    assert_int_equal(bounds.back_ps, HAND_BACK_PS);
    assert_int_equal(bounds.interval_ps, HAND_LINEAR_PS);
    assert_true(r->extrapolated_share > 0); /* steps of 16 tokens */
    pp_token_result_free(r);
    free(q);
    free(b.work_ps);
}

static void sequences_fill_the_pipeline(void **state)
{
    (void)state;
    builder b;
    pp_token_net net;
    hand_model(&b, &net, 1000, 400, 400); /* attention: 1 ns whatever the context */
    uint64_t fill;
    assert_int_equal(pp_token_fill(&fill, &net, 400), PP_OK);
    const uint64_t turn = hand_latency(1000) + HAND_BACK_PS;
    assert_int_equal(fill, (hand_latency(1000) + HAND_LINEAR_PS - 1) / HAND_LINEAR_PS + 1);
    const uint32_t n[] = {1, 4, 15, 16, 20};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        pp_token_sequence *q = equal_sequences(n[i], 1, 200);
        const pp_token_setup setup = {.sequence = q, .n_sequences = n[i], .scenario = PP_SCENARIO_DECODE, .in_flight = 100};
        pp_token_result *r = run(&net, &setup);
        /* n tokens go round in the time of one until the slowest stage is always busy */
        const uint64_t round = n[i] * (uint64_t)HAND_LINEAR_PS > turn ? n[i] * (uint64_t)HAND_LINEAR_PS : turn;
        assert_near(r->output_token_s.p50, (double)round * 1e-12, 1e-15);
        assert_true(r->extrapolated_share > 0.9);
        pp_token_result_free(r);
        free(q);
    }
    free(b.work_ps);
}

static uint64_t span_ps(const pp_token_net *net, pp_token_setup setup, uint64_t in_flight)
{
    setup.in_flight = in_flight;
    pp_token_result *r = run(net, &setup);
    uint64_t ps = 0;
    for (uint64_t i = 0; i < r->n_leaves; i++)
        if (r->leave[i].position < setup.sequence[r->leave[i].sequence].prompt)
            ps = r->leave[i].time_ps - r->leave[0].time_ps;
    pp_token_result_free(r);
    return ps;
}

/* Nothing is shared by the model by hand: what fills it idle fills it under load. Where hops share servers tokens wait, and
 * what is chosen is nearly as quick as three times as many, and more than nearly every smaller try. */
static void as_many_as_fill_it_under_load(void **state)
{
    (void)state;
    static const uint32_t quarters[] = {4, 5, 6, 8, 12};
    uint32_t more = 0;
    for (uint64_t seed = 0; seed < 41; seed++) {
        builder b;
        pp_token_net net;
        uint64_t fill, limit, one;
        const random_spec spec = {.blocks = 2 + (uint32_t)(seed % 2), .max_context = 128, .trees = seed % 2, .shared = true};
        if (seed == 40)
            hand_model(&b, &net, 1000, 400, 128);
        else
            random_model(&b, &net, &spec, seed);
        assert_int_equal(pp_token_fill(&fill, &net, 100), PP_OK);
        one = fill + (fill + 7) / 8;
        pp_token_sequence *q = equal_sequences(30, 99, 1);
        pp_token_setup setup = {.sequence = q, .n_sequences = 30};
        assert_int_equal(pp_token_fill_loaded(&limit, &net, &setup), PP_OK);
        uint32_t k = 0;
        while (k < 5 && one * quarters[k] / 4 != limit)
            k++;
        assert_true(k < 5);
        assert_true(seed < 40 || k == 0);
        more += k > 0;
        /* the same prompts, one by one: two of them, or as many as fill it six times; what is cut off decodes nothing */
        const uint64_t tokens = 198 < 6 * fill ? 6 * fill : 198 > 48 * fill ? 48 * fill : 198;
        uint32_t n = 0;
        for (uint64_t sent = 0; sent < tokens && n < 30; n++) {
            q[n].prompt = 99 < tokens - sent ? 99 : (uint32_t)(tokens - sent);
            q[n].decode = q[n].prompt == 99;
            sent += q[n].prompt;
        }
        setup.n_sequences = n;
        const uint64_t quickest = span_ps(&net, setup, 3 * one), within = quickest + quickest / 100 * 2;
        assert_true(span_ps(&net, setup, limit) <= within);
        assert_true(k == 0 || span_ps(&net, setup, one * quarters[k - 1] / 4) > within);
        setup.scenario = PP_SCENARIO_DECODE;
        q[0].decode = 1;
        assert_int_equal(pp_token_fill_loaded(&limit, &net, &setup), PP_OK);
        assert_true(limit >= one * 3 - 3 || n == 1);
        q[0].prompt = 1000; /* longer than the context */
        assert_int_equal(pp_token_fill_loaded(&limit, &net, &setup), PP_OK);
        assert_int_equal(limit, 0);
        free(q);
        free(b.work_ps);
    }
    assert_true(more > 1);
}

/* ---- the slow reference ---- */

static void equals_token_by_token(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        const random_spec spec = {.blocks = 1 + (uint32_t)(seed % 4), .max_context = 60, .trees = seed % 2, .copies = seed % 3 == 0};
        builder b;
        pp_token_net net;
        random_model(&b, &net, &spec, seed);
        assert_int_equal(pp_token_net_check(&net), PP_OK);
        for (int decode = 0; decode < 2; decode++) {
            uint32_t context[50];
            uint64_t slow[50];
            for (uint32_t i = 0; i < 50; i++)
                context[i] = decode ? i + 2 : i + 1;
            slow_tokens(&net, context, 50, decode, slow);
            pp_token_sequence *q = equal_sequences(1, decode ? 1 : 50, decode ? 50 : 0);
            const pp_token_setup setup = {.sequence = q, .n_sequences = 1, .in_flight = 64,
                                          .scenario = decode ? PP_SCENARIO_DECODE : PP_SCENARIO_PREFILL};
            pp_token_result *r = run(&net, &setup);
            for (uint32_t i = 0; i < 50; i++)
                assert_int_equal(r->leave[i].time_ps, slow[i]);
            pp_token_result_free(r);
            free(q);
        }
        free(b.work_ps);
    }
}

/* ---- repetition: the same figures as without ---- */

static void same_results(const pp_token_result *a, const pp_token_result *b)
{
    assert_int_equal(a->n_leaves, b->n_leaves);
    for (uint64_t i = 0; i < a->n_leaves; i++)
        assert_memory_equal(&a->leave[i], &b->leave[i], sizeof *a->leave);
    assert_memory_equal(a->actor, b->actor, a->n_actors * sizeof *a->actor);
    assert_memory_equal(a->server, b->server, a->n_servers * sizeof *a->server);
    assert_memory_equal(a->sequence, b->sequence, a->n_sequences * sizeof *a->sequence);
    assert_memory_equal(&a->first_token_s, &b->first_token_s, sizeof a->first_token_s);
    assert_memory_equal(&a->output_token_s, &b->output_token_s, sizeof a->output_token_s);
    assert_int_equal(a->kv_tokens_high, b->kv_tokens_high);
    assert_int_equal(a->kv_tokens_end, b->kv_tokens_end);
    assert_int_equal(a->in_flight_high, b->in_flight_high);
    assert_int_equal(a->sequences_high, b->sequences_high);
    assert_int_equal(a->trace_hash, b->trace_hash);
}

/* Runs with and without extrapolation; the share that was left out. */
static double compare(const pp_token_net *net, pp_token_setup setup)
{
    pp_token_result *fast = run(net, &setup);
    setup.exact = true;
    pp_token_result *full = run(net, &setup);
    same_results(fast, full);
    assert_true(full->extrapolated_share == 0);
    assert_true(full->end_ps - full->first_arrival_ps >= full->bound_ps);
    const double share = fast->extrapolated_share;
    assert_true(share == 0 || fast->events < full->events);
    pp_token_result_free(fast);
    pp_token_result_free(full);
    return share;
}

static void extrapolated_equals_simulated(void **state)
{
    (void)state;
    double share[3] = {0};
    for (uint64_t seed = 0; seed < 60; seed++) {
        const random_spec spec = {.blocks = 1 + (uint32_t)(seed % 3), .max_context = 128, .trees = seed % 2, .copies = seed % 3 == 0,
                                  .shared = seed % 5 < 3};
        builder b;
        pp_token_net net;
        random_model(&b, &net, &spec, seed);
        for (int scenario = 0; scenario < 3; scenario++) {
            const uint32_t decode = (uint32_t[]){4, 0, 60}[scenario];
            pp_token_sequence *q = equal_sequences(20, 40, decode);
            const pp_token_setup setup = {.sequence = q, .n_sequences = 20, .scenario = scenario, .entry_ps = seed % 4 == 1 ? 200 : 0};
            share[scenario] += compare(&net, setup) / 60;
            free(q);
        }
        free(b.work_ps);
    }
    assert_true(share[PP_SCENARIO_PREFILL] > 0.3);
    assert_true(share[PP_SCENARIO_DECODE] > 0.1);
    assert_true(share[PP_SCENARIO_MIXED] > 0.05);
}

static void extrapolated_equals_simulated_when_arrivals_are_uneven(void **state)
{
    (void)state;
    double share = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        const random_spec spec = {.blocks = 2, .max_context = 128, .shared = seed % 2};
        builder b;
        pp_token_net net;
        random_model(&b, &net, &spec, seed);
        const pp_token_options o = {.scenario = (int)(seed % 3), .sequences = 10, .prompt_tokens = 30,
                                    .decode_tokens = 90, .arrivals = PP_ARRIVE_POISSON, .arrival_rate = 2e7};
        pp_token_sequence *q;
        uint32_t n;
        assert_int_equal(pp_token_sequences(&q, &n, &o, seed), PP_OK);
        if (seed % 4 == 0)
            q[5].prompt += 3; /* not all alike */
        net.kv_tokens_max = seed % 5 == 0 ? 260 : 0; /* two at a time */
        const pp_token_setup setup = {.sequence = q, .n_sequences = n, .scenario = o.scenario,
                                      .prefill_chunk = seed % 3 == 2 ? 7 : 0, .in_flight = seed % 7 == 0 ? 9 : 0,
                                      .entry_ps = seed % 3 == 0 ? 170 : 0};
        share += compare(&net, setup) / 40;
        free(q);
        free(b.work_ps);
    }
    assert_true(share > 0.1);
}

static void encoders_wait_for_their_sequence(void **state)
{
    (void)state;
    double share = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        const random_spec spec = {.blocks = 2, .max_context = 32, .encoder = true, .shared = seed % 2};
        builder b;
        pp_token_net net;
        random_model(&b, &net, &spec, seed);
        pp_token_sequence *q = equal_sequences(24, 20, 0);
        const pp_token_setup setup = {.sequence = q, .n_sequences = 24, .scenario = PP_SCENARIO_PREFILL};
        share += compare(&net, setup) / 12;
        pp_token_result *r = run(&net, &setup);
        /* no token of a sequence leaves before its last one has gone through the first matrix */
        const uint64_t first = b.actor[1].latency_ps + 20 * b.actor[1].interval_ps / b.copies[b.actor[1].server];
        assert_true(r->leave[0].time_ps >= first);
        pp_token_result_free(r);
        free(q);
        free(b.work_ps);
    }
    assert_true(share > 0.3);
}

static void kernels_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        const random_spec spec = {.blocks = 2, .max_context = 128, .shared = true, .trees = true, .copies = seed % 2};
        builder b;
        pp_token_net net;
        random_model(&b, &net, &spec, seed);
        pp_token_sequence *q = equal_sequences(5, 20, 30);
        for (uint32_t i = 0; i < 5; i++)
            q[i].arrival_ps = i * 900;
        pp_token_setup setup = {.sequence = q, .n_sequences = 5, .exact = true};
        pp_token_result *own = run(&net, &setup);
        for (setup.kernel = 1; setup.kernel <= 2; setup.kernel++) {
            pp_token_result *r = run(&net, &setup);
            same_results(own, r);
            assert_int_equal(own->events, r->events);
            pp_token_result_free(r);
        }
        pp_token_result_free(own);
        free(q);
        free(b.work_ps);
    }
}

/* ---- KV memory, experts, arrivals ---- */

static void kv_memory_limits_admission(void **state)
{
    (void)state;
    builder b;
    pp_token_net net;
    hand_model(&b, &net, 1000, 4, 200);
    net.kv_tokens_max = 3 * 120 + 5;
    pp_token_sequence *q = equal_sequences(8, 100, 20);
    const pp_token_setup setup = {.sequence = q, .n_sequences = 8};
    pp_token_result *r = run(&net, &setup);
    assert_int_equal(r->sequences_high, 3);
    assert_true(r->kv_tokens_high <= 360 && r->kv_tokens_high > 240);
    pp_token_result_free(r);
    q[7].decode = 300;
    assert_int_equal(pp_simulate_tokens(&r, &net, &setup), PP_EINFEASIBLE);
    assert_string_equal(pp_error_text(), "sequence 7 has 400 tokens; the model's context ends at 200");
    q[7].decode = 100;
    net.kv_tokens_max = 150;
    assert_int_equal(pp_simulate_tokens(&r, &net, &setup), PP_EINFEASIBLE);
    assert_string_equal(pp_error_text(), "the KV memory holds 150 tokens; sequence 7 needs 200");
    free(q);
    free(b.work_ps);
}

/* Source -> router -> 4 experts (two stages each, a join inside) -> sum -> sink. */
static void experts_serve_their_share(void **state)
{
    (void)state;
    builder b = {.max_context = 600};
    double weight[4] = {0.4, 0.3, 0.2, 0.1};
    const uint32_t source = add_actor(&b, 10, 10, 1), router = add_actor(&b, 50, 50, 1);
    uint32_t up[4], down[4];
    for (uint32_t e = 0; e < 4; e++) {
        up[e] = add_actor(&b, 100, 130, 1);
        down[e] = add_actor(&b, 100, 130, 1);
        b.actor[up[e]].order = b.actor[down[e]].order = PP_TOKEN_SUBSTREAM;
    }
    const uint32_t sum = add_actor(&b, 10, 10, 1);
    add_hop(&b, source, router, 10, 5, PP_NONE);
    for (uint32_t e = 0; e < 4; e++)
        b.hop[add_hop(&b, router, up[e], 10, 5, PP_NONE)].expert = e;
    add_hop(&b, router, sum, 10, 5, PP_NONE);
    for (uint32_t e = 0; e < 4; e++) {
        add_hop(&b, up[e], down[e], 10, 5, PP_NONE);
        add_hop(&b, up[e], down[e], 20, 5, PP_NONE);
        add_hop(&b, down[e], sum, 10, 5, PP_NONE);
    }
    b.actor[sum].inputs = 1 + 2;
    pp_token_net net = net_of(&b, sum);
    net.experts = 4;
    net.experts_per_token = 2;
    net.expert_weight = weight;
    assert_int_equal(pp_token_net_check(&net), PP_OK);
    pp_token_sequence *q = equal_sequences(1, 500, 0);
    const pp_token_setup setup = {.sequence = q, .n_sequences = 1, .scenario = PP_SCENARIO_PREFILL, .seed = 3};
    pp_token_result *r = run(&net, &setup);
    uint64_t served[4] = {0}, all = 0;
    for (uint32_t p = 0; p < 500; p++) {
        uint32_t chosen[2];
        pp_token_experts(chosen, &net, 3, 0, 0, p);
        assert_true(chosen[0] < chosen[1] && chosen[1] < 4);
        served[chosen[0]]++;
        served[chosen[1]]++;
    }
    for (uint32_t e = 0; e < 4; e++) {
        assert_int_equal(r->actor[up[e]].served, served[e]);
        assert_int_equal(r->actor[down[e]].served, served[e]);
        all += served[e];
        assert_true(e == 0 || served[e] < served[e - 1]);
    }
    assert_int_equal(all, 1000);
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(r->leave[i].position, i); /* in order behind the experts */
    pp_token_result_free(r);
    free(q);
}

/* A head that reads the first token of a sequence takes longer than the way past it, and than many tokens do to enter: they
 * wait at the sink, so that what counts tokens under way knows which ones these are. */
static void who_passes_a_head_leaves_behind_it(void **state)
{
    (void)state;
    builder b = {.max_context = 64};
    const uint32_t source = add_actor(&b, 10, 10, 1), head = add_actor(&b, 20, 3000, 1), sum = add_actor(&b, 5, 5, 1);
    const uint32_t sink = add_actor(&b, 1, 1, 1);
    b.actor[head].order = b.actor[sum].order = PP_TOKEN_SUBSTREAM;
    b.hop[add_hop(&b, source, head, 10, 5, PP_NONE)].expert = 0;
    b.hop[add_hop(&b, source, sink, 10, 5, PP_NONE)].expert = 1;
    const uint32_t first = add_hop(&b, head, sum, 10, 5, PP_NONE);
    add_hop(&b, head, sum, 20, 5, b.hop[first].server); /* shared: asked for when it is time, others have gone by then */
    add_hop(&b, sum, sink, 10, 5, PP_NONE);
    b.actor[sink].inputs = 1; /* of the two that lead there */
    double share[2] = {1, 1};
    pp_token_net net = net_of(&b, sink);
    net.encoder = net.first_token = true;
    net.experts = 2;
    net.experts_per_token = 1;
    net.expert_weight = share;
    pp_token_sequence *q = equal_sequences(5, 40, 0);
    for (int kernel = 0; kernel < 2; kernel++) {
        const pp_token_setup setup = {.sequence = q, .n_sequences = 5, .scenario = PP_SCENARIO_PREFILL, .in_flight = 60, .exact = true,
                                      .kernel = kernel};
        pp_token_result *r = run(&net, &setup);
        assert_int_equal(r->n_leaves, 200);
        for (uint32_t i = 0; i < r->n_leaves; i++) {
            assert_int_equal(r->leave[i].sequence, i / 40);
            assert_int_equal(r->leave[i].position, i % 40);
        }
        assert_int_equal(r->actor[head].served, 5);
        assert_true(r->leave[0].time_ps > 3000 && r->leave[39].time_ps < r->leave[40].time_ps);
        pp_token_result_free(r);
    }
    free(q);
}

static void poisson_arrivals(void **state)
{
    (void)state;
    const pp_token_options o = {.sequences = 4000, .prompt_tokens = 5, .decode_tokens = 2, .arrivals = PP_ARRIVE_POISSON,
                                .arrival_rate = 1000};
    pp_token_sequence *q, *again;
    uint32_t n;
    assert_int_equal(pp_token_sequences(&q, &n, &o, 9), PP_OK);
    assert_int_equal(pp_token_sequences(&again, &n, &o, 9), PP_OK);
    assert_int_equal(n, 4000);
    assert_memory_equal(q, again, n * sizeof *q);
    double mean = (double)q[n - 1].arrival_ps * 1e-12 / n, square = 0;
    for (uint32_t i = 1; i < n; i++) {
        const double gap = (double)(q[i].arrival_ps - q[i - 1].arrival_ps) * 1e-12;
        square += gap * gap / n;
    }
    assert_near(mean, 1e-3, 5e-5);
    assert_near(square, 2e-6, 2e-7); /* second moment of an exponential */
    free(q);
    free(again);
}

static void bad_setups_are_refused(void **state)
{
    (void)state;
    builder b;
    pp_token_net net;
    hand_model(&b, &net, 1000, 4, 200);
    pp_token_sequence *q = equal_sequences(2, 10, 5);
    pp_token_setup setup = {.sequence = q, .n_sequences = 0};
    pp_token_result *r;
    assert_int_equal(pp_simulate_tokens(&r, &net, &setup), PP_EINVAL);
    setup.n_sequences = 2;
    net.encoder = true;
    assert_int_equal(pp_simulate_tokens(&r, &net, &setup), PP_EINVAL);
    q[0].decode = q[1].decode = 0;
    setup.in_flight = 9;
    assert_int_equal(pp_simulate_tokens(&r, &net, &setup), PP_EINFEASIBLE);
    net.encoder = false;
    net.hop[0].to = 99;
    assert_int_equal(pp_token_net_check(&net), PP_EINVAL);
    net.hop[0].to = 7; /* the second block feeds itself no more: qkv of the first starves */
    assert_int_equal(pp_token_net_check(&net), PP_EINVAL);
    free(q);
    free(b.work_ps);
}

/* Two channels side by side, the second asked 8 later than the first, whether that one was got or not; what follows waits
 * until both have been got for their time. */
static void a_chain_asks_ahead_of_time(void **state)
{
    (void)state;
    builder b = {.max_context = 8};
    const uint32_t from = add_actor(&b, 10, 10, 1), to = add_actor(&b, 7, 7, 1);
    b.hop[0] = (pp_token_hop){.busy_ps = 30, .tail_ps = 5, .server = 2, .to = PP_NONE, .child_first = 1, .n_children = 1, .expert = PP_NONE};
    b.hop[1] = (pp_token_hop){.busy_ps = 12, .tail_ps = 20, .server = 3, .to = PP_NONE, .child_first = 2, .n_children = 1,
                              .expert = PP_NONE, .after_ps = 8};
    b.hop[2] = (pp_token_hop){.latency_ps = 3, .server = PP_NONE, .to = to, .expert = PP_NONE};
    b.copies[2] = b.copies[3] = 1;
    b.n_servers = 4;
    b.n_hops = 3;
    b.actor[from].n_hops = 1;
    b.actor[to].inputs = 1;
    pp_token_net net = net_of(&b, to);
    net.together = true;
    pp_token_bounds bounds;
    assert_int_equal(pp_token_bounds_at(&bounds, &net, 1), PP_OK);
    assert_int_equal(bounds.latency_ps, 10 + 8 + 20 + 3 + 7);
    assert_int_equal(bounds.interval_ps, 30);
    pp_token_sequence *q = equal_sequences(1, 3, 0);
    for (int kernel = 0; kernel < 2; kernel++) {
        const pp_token_setup setup = {.sequence = q, .n_sequences = 1, .scenario = PP_SCENARIO_PREFILL, .in_flight = 9, .exact = true,
                                      .kernel = kernel}; /* 1: pp_kernel, native */
        pp_token_result *r = run(&net, &setup);
        assert_int_equal(r->leave[0].time_ps, 48);
        assert_int_equal(r->leave[1].time_ps, 30 + 20 + 3 + 7); /* second channel: asked at 28, free at 30; first: 40 + 5 */
        assert_int_equal(r->leave[2].time_ps, 70 + 5 + 3 + 7);  /* first channel: free at 70 */
        pp_token_result_free(r);
    }
    free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_asks_ahead_of_time),
        cmocka_unit_test(prompt_goes_at_the_linear_interval),
        cmocka_unit_test(prompt_goes_at_the_sum_of_attention),
        cmocka_unit_test(decoding_takes_the_sum_of_latencies),
        cmocka_unit_test(sequences_fill_the_pipeline),
        cmocka_unit_test(as_many_as_fill_it_under_load),
        cmocka_unit_test(equals_token_by_token),
        cmocka_unit_test(extrapolated_equals_simulated),
        cmocka_unit_test(extrapolated_equals_simulated_when_arrivals_are_uneven),
        cmocka_unit_test(encoders_wait_for_their_sequence),
        cmocka_unit_test(kernels_agree),
        cmocka_unit_test(kv_memory_limits_admission),
        cmocka_unit_test(experts_serve_their_share),
        cmocka_unit_test(who_passes_a_head_leaves_behind_it),
        cmocka_unit_test(poisson_arrivals),
        cmocka_unit_test(bad_setups_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
