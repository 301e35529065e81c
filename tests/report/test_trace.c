/* The collector of traces: bounds, sampling, order, and the errors of its files. The files themselves are read in
 * tests/e2e/test_traces.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/trace.h"

#include <stdlib.h>
#include <string.h>

static void fire(pp_trace *t, uint64_t start, uint32_t tile, uint32_t inference)
{
    pp_trace_sink.fire(t, &(pp_trace_event){.ready_ps = start, .start_ps = start, .end_ps = start + 10, .object = tile, .net = PP_NONE, .inference = inference});
}

static pp_trace *open_trace(uint64_t limit, uint32_t every)
{
    pp_trace_options o = pp_trace_defaults();
    o.limit = limit;
    o.every = every;
    pp_trace *t;
    assert_int_equal(pp_trace_new(&t, &o), PP_OK);
    return t;
}

static const pp_trace_event *kept(pp_trace *t, size_t expected)
{
    const pp_trace_event *e;
    size_t n;
    assert_int_equal(pp_trace_events(t, &e, &n), PP_OK);
    assert_int_equal(n, expected);
    return e;
}

static void says(const pp_trace *t, const char *words)
{
    char *statement = pp_trace_statement(t);
    if (strstr(statement, words) == NULL)
        fail_msg("'%s' lacks '%s'", statement, words);
    free(statement);
}

static void order(void **state)
{
    (void)state;
    pp_trace *t = open_trace(10, 1);
    pp_trace_sink.packet(t, &(pp_trace_event){.ready_ps = 3, .start_ps = 5, .end_ps = 9, .net = 7});
    fire(t, 5, 1, 0);
    fire(t, 4, 9, 0);
    fire(t, 5, 0, 0);
    const pp_trace_event *e = kept(t, 4);
    assert_int_equal(e[0].start_ps, 4);
    assert_int_equal(e[1].object, 0);
    assert_int_equal(e[1].net, PP_NONE); /* firings before packets of the same moment */
    assert_int_equal(e[2].object, 1);
    assert_int_equal(e[3].net, 7);
    says(t, "all 4 events");
    pp_trace_free(t);
}

/* Ten events an inference, in order. */
static void limit_doubles_every(void **state)
{
    (void)state;
    pp_trace *t = open_trace(100, 1);
    for (uint32_t i = 0; i < 400; i++)
        fire(t, i, i % 10, i / 10);
    const pp_trace_stats s = pp_trace_get_stats(t);
    assert_int_equal(s.events, 400);
    assert_int_equal(s.every, 4); /* 40 inferences, of which 10 fit */
    const pp_trace_event *e = kept(t, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(e[i].start_ps, i / 10 * 40 + i % 10); /* whole inferences 0, 4, 8 ... */
    assert_true(s.cut_ps == PP_TIME_NEVER);
    says(t, "100 of 400 events; of inferences 0, 4, 8");
    pp_trace_free(t);
}

static void one_inference_too_many(void **state)
{
    (void)state;
    pp_trace *t = open_trace(100, 1);
    for (uint32_t i = 0; i < 300; i++)
        fire(t, i, 0, 0);
    kept(t, 100);
    assert_int_equal(pp_trace_get_stats(t).cut_ps, 100);
    says(t, "ends at 0.000100 us, where the limit of 100 events was full");
    pp_trace_free(t);
}

/* A cut inference that goes later leaves no cut behind that speaks of others wrongly: the cut stays, because nothing
 * from there on is known to be whole. */
static void cut_then_thinned(void **state)
{
    (void)state;
    pp_trace *t = open_trace(10, 1);
    for (uint32_t i = 0; i < 12; i++)
        fire(t, i, 0, 0);
    fire(t, 20, 0, 3); /* another inference: every can double now, but inference 0 alone fills the limit */
    assert_int_equal(pp_trace_get_stats(t).cut_ps, 10);
    kept(t, 10);
    pp_trace_free(t);
}

static void window_and_every(void **state)
{
    (void)state;
    pp_trace *t;
    const pp_trace_options o = {.from_ps = 10, .to_ps = 20, .limit = 100, .every = 3};
    assert_int_equal(pp_trace_new(&t, &o), PP_OK);
    for (uint32_t i = 0; i < 30; i++)
        fire(t, i, 0, i);
    const pp_trace_event *e = kept(t, 3);
    assert_int_equal(e[0].start_ps, 12);
    assert_int_equal(e[2].start_ps, 18);
    says(t, "3 of 30 events; from 0.000010 us; before 0.000020 us; of inferences 0, 3, 6");
    pp_trace_free(t);
}

static void bad_options(void **state)
{
    (void)state;
    static const pp_trace_options bad[] = {{0, 10, 0, 1, false}, {0, 10, 10, 0, false}, {10, 10, 10, 1, false}, {0, 10, PP_TRACE_LIMIT_MAX + 1, 1, true}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pp_trace *t;
        assert_int_equal(pp_trace_new(&t, &bad[i]), PP_ERANGE);
        assert_null(t);
    }
    assert_int_equal(pp_trace_check_path("a.JSON"), PP_EUSAGE);
    assert_int_equal(pp_trace_check_path("trace"), PP_EUSAGE);
    assert_int_equal(pp_trace_check_path("a.b.vcd"), PP_OK);
    pp_trace_free(NULL);
}

static void out_of_memory(void **state)
{
    (void)state;
    pp_trace *t;
    pp_trace_options o = pp_trace_defaults();
    pp_alloc_fail_after(0);
    assert_int_equal(pp_trace_new(&t, &o), PP_ENOMEM);
    pp_alloc_fail_after(-1);
    t = open_trace(10, 1);
    pp_alloc_fail_after(0);
    fire(t, 0, 0, 0);
    pp_alloc_fail_after(-1);
    const pp_trace_event *e;
    size_t n;
    assert_int_equal(pp_trace_events(t, &e, &n), PP_ENOMEM);
    pp_trace_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test(limit_doubles_every),
        cmocka_unit_test(one_inference_too_many),
        cmocka_unit_test(cut_then_thinned),
        cmocka_unit_test(window_and_every),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
