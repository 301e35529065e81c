/* The sample of a lockstep run on several threads: the grain, the margin and all times are those of one. */
#include "lm_fixture.h"
#include "sim/tokens_sample.h"
#include "sim/tokens_way.h"

typedef struct outcome {
    uint32_t grain;
    double margin;
    pp_lm_sample sample;
} outcome;

static outcome with_threads(const pp_lm_mapping *m, const pp_token_setup *setup, double services_most, unsigned threads)
{
    const pp_lm_lockstep_options last = {.grain = PP_LM_GRAINS};
    pp_lm_sample_input in = {.m = m, .setup = setup, .paced = true, .services_most = services_most};
    pp_lm_lockstep_options o = {0};
    pp_lm_actors *coarsest = NULL, *x = NULL;
    pp_lm_sampler *s = NULL;
    outcome out = {0};
    if (threads > 0)
        assert_int_equal(pp_pool_new(&in.pool, threads), PP_OK);
    assert_int_equal(pp_lm_services(&in.services_token, m), PP_OK);
    assert_int_equal(pp_lm_sampler_new(&s, &in), PP_OK);
    assert_int_equal(pp_lm_actors_lockstep(&coarsest, m, 64, &last), PP_OK);
    assert_int_equal(pp_lm_sampler_lockstep(&x, &o, s, &coarsest->net), PP_OK);
    assert_int_equal(pp_lm_sampler_take(&out.sample, s, &o), PP_OK);
    out.grain = o.grain;
    out.margin = o.margin;
    pp_lm_actors_free(coarsest);
    pp_lm_actors_free(x);
    pp_lm_sampler_free(s);
    pp_pool_free(in.pool);
    return out;
}

static void threads_change_nothing(void **state)
{
    (void)state;
    pp_lm_config c = small("gpt2");
    const pp_token_sequence q[] = {{0, 20, 4}, {0, 20, 4}};
    const pp_token_setup setup = {.sequence = q, .n_sequences = 2, .scenario = PP_SCENARIO_MIXED, .in_flight = 30};
    c.layers = 9;
    pp_lm_mapping *m = map_on(&c, "mesh", SETS(CHEAP));
    for (int part = 0; part < 2; part++) {
        const double most = part ? 3e5 : 1e9; /* the front of the model, or all of it */
        const outcome one = with_threads(m, &setup, most, 0), three = with_threads(m, &setup, most, 3);
        assert_true((one.sample.instances < m->n_instances) == (part == 1) && one.sample.tokens > 0);
        assert_int_equal(one.grain, three.grain);
        assert_true(one.margin == three.margin && one.sample.deviation == three.sample.deviation);
        assert_int_equal(one.sample.tiles_ps, three.sample.tiles_ps);
        assert_int_equal(one.sample.lockstep_ps, three.sample.lockstep_ps);
    }
    pp_lm_mapping_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
