/* The conformance suite of the event kernel: one list of tests, run over each back end, and then what
 * holds between them. A new back end is one more row of `kinds`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "sim/kernel.h"
#include "sim/kernel_systemc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pp_kernel_kind kinds[] = {PP_KERNEL_NATIVE, PP_KERNEL_SYSTEMC};

/* ---- a model that writes down what fires ---- */

typedef struct fired {
    uint64_t time_ps, payload;
    uint32_t index;
} fired;

typedef struct log_model {
    PP_VEC(fired) log;
    uint32_t stop_at, fail_at; /* number of the firing, from 1, that does so; 0: none */
} log_model;

enum { NOTE, CHAIN, NEST, PAST, HANDLERS };

static pp_status note(void *model, pp_kernel *k, uint32_t index, uint64_t payload)
{
    log_model *const m = model;
    if (!pp_push(&m->log, (fired){pp_kernel_now(k), payload, index}))
        return PP_ENOMEM;
    if (m->log.len == m->stop_at)
        pp_kernel_stop(k);
    if (m->log.len == m->fail_at)
        return pp_fail(PP_EDEADLOCK, "firing %zu fails", m->log.len);
    return PP_OK;
}

/* Schedules itself at the same time, payload times. */
static pp_status chain(void *model, pp_kernel *k, uint32_t index, uint64_t payload)
{
    PP_TRY(note(model, k, index, payload));
    return payload > 0 ? pp_kernel_schedule(k, pp_kernel_now(k), PP_TARGET(CHAIN, index), payload - 1) : PP_OK;
}

static pp_status nest(void *model, pp_kernel *k, uint32_t index, uint64_t payload)
{
    (void)model, (void)index, (void)payload;
    return pp_kernel_run(k, PP_TIME_NEVER);
}

static pp_status schedule_in_the_past(void *model, pp_kernel *k, uint32_t index, uint64_t payload)
{
    (void)model, (void)index;
    return pp_kernel_schedule(k, payload, PP_TARGET(NOTE, 0), 0);
}

static const pp_handler handlers[HANDLERS] = {
    [NOTE] = note, [CHAIN] = chain, [NEST] = nest, [PAST] = schedule_in_the_past};

typedef struct fixture {
    log_model model;
    pp_kernel *k;
} fixture;

static fixture open_fixture(void **state)
{
    fixture f = {0};
    assert_int_equal(pp_kernel_new(&f.k, *(const pp_kernel_kind *)*state, NULL, handlers, HANDLERS), PP_OK);
    return f;
}

static void close_fixture(fixture *f)
{
    pp_kernel_free(f->k);
    free(f->model.log.data);
}

static void put(fixture *f, uint64_t time_ps, uint32_t index)
{
    f->k->model = &f->model;
    assert_int_equal(pp_kernel_schedule(f->k, time_ps, PP_TARGET(NOTE, index), 1000 + index), PP_OK);
}

static void run_ok(fixture *f, uint64_t until_ps)
{
    f->k->model = &f->model;
    assert_int_equal(pp_kernel_run(f->k, until_ps), PP_OK);
}

/* The n-th firing was event `index` at that time. */
static void check_fired(const fixture *f, size_t n, uint64_t time_ps, uint32_t index)
{
    assert_true(n < f->model.log.len);
    assert_int_equal(f->model.log.data[n].time_ps, time_ps);
    assert_int_equal(f->model.log.data[n].index, index);
}

/* ---- order ---- */

static void events_fire_in_order_of_time(void **state)
{
    static const uint64_t time_ps[] = {700, 3, 65, 64, 63, 4096, 0, 1, 262144, 4095, UINT64_C(1) << 40, 130};
    static const uint32_t order[] = {6, 7, 1, 4, 3, 2, 11, 0, 9, 5, 8, 10};
    fixture f = open_fixture(state);
    for (uint32_t i = 0; i < 12; i++)
        put(&f, time_ps[i], i);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, 12);
    for (size_t n = 0; n < 12; n++) {
        check_fired(&f, n, time_ps[order[n]], order[n]);
        assert_int_equal(f.model.log.data[n].payload, 1000 + order[n]);
    }
    assert_int_equal(pp_kernel_now(f.k), UINT64_C(1) << 40);
    close_fixture(&f);
}

static void equal_times_fire_first_in_first_out(void **state)
{
    fixture f = open_fixture(state);
    for (uint32_t i = 0; i < 300; i++)
        put(&f, i % 3 == 0 ? 5000 : 100000, i);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, 300);
    for (uint32_t n = 0; n < 100; n++)
        check_fired(&f, n, 5000, 3 * n);
    for (uint32_t n = 0; n < 200; n++)
        check_fired(&f, 100 + n, 100000, n / 2 * 3 + n % 2 + 1);
    close_fixture(&f);
}

/* The same instant, scheduled from far away and from ever nearer: still in schedule order. */
static void equal_times_keep_order_when_scheduled_from_different_times(void **state)
{
    static const uint64_t from_ps[] = {0, 1, 500000, 999000, 999900, 999990, 999999};
    fixture f = open_fixture(state);
    for (uint32_t i = 0; i < 7; i++) {
        run_ok(&f, from_ps[i]);
        put(&f, 1000000, 2 * i);
        put(&f, 1000000, 2 * i + 1);
    }
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, 14);
    for (uint32_t n = 0; n < 14; n++)
        check_fired(&f, n, 1000000, n);
    close_fixture(&f);
}

static void an_event_for_now_fires_after_those_that_wait_for_now(void **state)
{
    fixture f = open_fixture(state);
    f.k->model = &f.model;
    assert_int_equal(pp_kernel_schedule(f.k, 50, PP_TARGET(CHAIN, 7), 2), PP_OK);
    put(&f, 50, 1);
    put(&f, 50, 2);
    put(&f, 51, 3);
    run_ok(&f, PP_TIME_NEVER);
    static const uint32_t order[] = {7, 1, 2, 7, 7, 3};
    assert_int_equal(f.model.log.len, 6);
    for (size_t n = 0; n < 6; n++)
        check_fired(&f, n, n < 5 ? 50 : 51, order[n]);
    close_fixture(&f);
}

static void a_deep_chain_without_delay_stays_at_its_time(void **state)
{
    fixture f = open_fixture(state);
    f.k->model = &f.model;
    assert_int_equal(pp_kernel_schedule(f.k, 123, PP_TARGET(CHAIN, 0), 100000), PP_OK);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, 100001);
    check_fired(&f, 100000, 123, 0);
    assert_int_equal(f.model.log.data[100000].payload, 0);
    assert_int_equal(pp_kernel_get_stats(f.k).max_pending, 1);
    close_fixture(&f);
}

static void times_reach_to_the_last_picosecond(void **state)
{
    fixture f = open_fixture(state);
    put(&f, PP_TIME_NEVER - 1, 2);
    put(&f, UINT64_C(1) << 63, 1);
    put(&f, 0, 0);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, 3);
    check_fired(&f, 0, 0, 0);
    check_fired(&f, 1, UINT64_C(1) << 63, 1);
    check_fired(&f, 2, PP_TIME_NEVER - 1, 2);
    close_fixture(&f);
}

/* ---- runs ---- */

static void a_run_ends_with_the_events_of_its_last_time(void **state)
{
    fixture f = open_fixture(state);
    static const uint64_t time_ps[] = {10, 20, 20, 21, 90000};
    for (uint32_t i = 0; i < 5; i++)
        put(&f, time_ps[i], i);
    run_ok(&f, 9);
    assert_int_equal(f.model.log.len, 0);
    assert_int_equal(pp_kernel_now(f.k), 9);
    run_ok(&f, 20);
    assert_int_equal(f.model.log.len, 3);
    assert_int_equal(pp_kernel_now(f.k), 20);
    run_ok(&f, 20);
    run_ok(&f, 5); /* before now: nothing */
    assert_int_equal(f.model.log.len, 3);
    assert_int_equal(pp_kernel_now(f.k), 20);
    run_ok(&f, 89999);
    assert_int_equal(f.model.log.len, 4);
    assert_int_equal(pp_kernel_now(f.k), 89999);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, 5);
    assert_int_equal(pp_kernel_now(f.k), 90000);
    close_fixture(&f);
}

static void an_event_at_time_zero_fires_in_a_run_until_zero(void **state)
{
    fixture f = open_fixture(state);
    put(&f, 0, 0);
    put(&f, 1, 1);
    run_ok(&f, 0);
    assert_int_equal(f.model.log.len, 1);
    put(&f, 0, 2); /* once more for the time that is now */
    run_ok(&f, 0);
    assert_int_equal(f.model.log.len, 2);
    check_fired(&f, 1, 0, 2);
    close_fixture(&f);
}

static void a_run_without_events_moves_only_the_time(void **state)
{
    fixture f = open_fixture(state);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(pp_kernel_now(f.k), 0);
    run_ok(&f, 77);
    assert_int_equal(pp_kernel_now(f.k), 77);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(pp_kernel_now(f.k), 77);
    put(&f, 77, 4);
    run_ok(&f, PP_TIME_NEVER);
    check_fired(&f, 0, 77, 4);
    close_fixture(&f);
}

/* Between runs an event can come before all that wait. */
static void events_can_be_added_before_those_that_wait(void **state)
{
    fixture f = open_fixture(state);
    put(&f, 100000, 0);
    put(&f, 100001, 1);
    run_ok(&f, 60000);
    put(&f, 60001, 2);
    put(&f, 99999, 3);
    put(&f, 60000, 4);
    run_ok(&f, PP_TIME_NEVER);
    static const uint32_t order[] = {4, 2, 3, 0, 1};
    assert_int_equal(f.model.log.len, 5);
    for (size_t n = 0; n < 5; n++)
        assert_int_equal(f.model.log.data[n].index, order[n]);
    close_fixture(&f);
}

static void a_stop_takes_effect_at_once_and_the_next_run_goes_on(void **state)
{
    fixture f = open_fixture(state);
    for (uint32_t i = 0; i < 5; i++)
        put(&f, 40, i);
    put(&f, 41, 5);
    f.model.stop_at = 2;
    run_ok(&f, 1000);
    assert_int_equal(f.model.log.len, 2);
    assert_int_equal(pp_kernel_now(f.k), 40);
    put(&f, 40, 6);
    run_ok(&f, 1000);
    static const uint32_t order[] = {0, 1, 2, 3, 4, 6, 5};
    assert_int_equal(f.model.log.len, 7);
    for (size_t n = 0; n < 7; n++)
        check_fired(&f, n, order[n] == 5 ? 41 : 40, order[n]);
    assert_int_equal(pp_kernel_now(f.k), 1000);
    close_fixture(&f);
}

static void a_stop_between_runs_does_nothing(void **state)
{
    fixture f = open_fixture(state);
    put(&f, 1, 0);
    pp_kernel_stop(f.k);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, 1);
    close_fixture(&f);
}

static void an_error_of_a_handler_ends_the_run_with_it(void **state)
{
    fixture f = open_fixture(state);
    for (uint32_t i = 0; i < 4; i++)
        put(&f, 10 + i / 2, i);
    f.model.fail_at = 1;
    assert_int_equal(pp_kernel_run(f.k, PP_TIME_NEVER), PP_EDEADLOCK);
    assert_string_equal(pp_error_text(), "firing 1 fails");
    assert_int_equal(f.model.log.len, 1);
    assert_int_equal(pp_kernel_now(f.k), 10);
    run_ok(&f, PP_TIME_NEVER); /* the others have waited */
    assert_int_equal(f.model.log.len, 4);
    for (uint32_t n = 0; n < 4; n++)
        check_fired(&f, n, 10 + n / 2, n);
    close_fixture(&f);
}

/* ---- what is refused ---- */

static void events_in_the_past_are_refused(void **state)
{
    fixture f = open_fixture(state);
    run_ok(&f, 100);
    assert_int_equal(pp_kernel_schedule(f.k, 99, PP_TARGET(NOTE, 0), 0), PP_EINTERNAL);
    assert_string_equal(pp_error_text(), "an event for 99 ps is scheduled at 100 ps, which is later");
    assert_int_equal(pp_kernel_schedule(f.k, 200, PP_TARGET(PAST, 0), 199), PP_OK);
    assert_int_equal(pp_kernel_run(f.k, PP_TIME_NEVER), PP_EINTERNAL);
    assert_string_equal(pp_error_text(), "an event for 199 ps is scheduled at 200 ps, which is later");
    assert_int_equal(pp_kernel_get_stats(f.k).scheduled, 1);
    close_fixture(&f);
}

static void an_event_that_never_comes_is_refused(void **state)
{
    fixture f = open_fixture(state);
    assert_int_equal(pp_kernel_schedule(f.k, PP_TIME_NEVER, PP_TARGET(NOTE, 0), 0), PP_ERANGE);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, 0);
    close_fixture(&f);
}

static void a_target_without_handler_is_refused(void **state)
{
    fixture f = open_fixture(state);
    assert_int_equal(pp_kernel_schedule(f.k, 1, PP_TARGET(HANDLERS, 0), 0), PP_EINTERNAL);
    assert_string_equal(pp_error_text(), "an event is scheduled for handler 4 of 4");
    close_fixture(&f);
}

static void a_run_within_a_run_is_refused(void **state)
{
    fixture f = open_fixture(state);
    assert_int_equal(pp_kernel_schedule(f.k, 5, PP_TARGET(NEST, 0), 0), PP_OK);
    assert_int_equal(pp_kernel_run(f.k, PP_TIME_NEVER), PP_EINTERNAL);
    assert_string_equal(pp_error_text(), "the event kernel is running already");
    put(&f, 6, 0);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, 1);
    close_fixture(&f);
}

static void bad_handler_tables_are_refused(void **state)
{
    static const pp_handler gap[] = {note, NULL};
    const pp_kernel_kind kind = *(const pp_kernel_kind *)*state;
    pp_kernel *k = NULL;
    assert_int_equal(pp_kernel_new(&k, kind, NULL, gap, 2), PP_EINVAL);
    assert_string_equal(pp_error_text(), "event kernel: handler 1 is missing");
    assert_int_equal(pp_kernel_new(&k, kind, NULL, gap, 17), PP_EINVAL);
    assert_null(k);
    pp_kernel_free(NULL);
}

/* When the queue cannot grow, the event is refused and all others are still there. */
static void running_out_of_memory_loses_no_event(void **state)
{
    fixture f = open_fixture(state);
    uint32_t n = 0;
    pp_status status = PP_OK;
    f.k->model = &f.model;
    pp_alloc_fail_after(1); /* the first growth succeeds, the second does not */
    while (status == PP_OK && n < 100000) {
        status = pp_kernel_schedule(f.k, 7 * (n % 5), PP_TARGET(NOTE, n), 0);
        n += status == PP_OK;
    }
    pp_alloc_fail_after(-1);
    assert_int_equal(status, PP_ENOMEM);
    assert_true(n > 0);
    assert_int_equal(pp_kernel_schedule(f.k, 28, PP_TARGET(NOTE, n), 0), PP_OK);
    run_ok(&f, PP_TIME_NEVER);
    assert_int_equal(f.model.log.len, n + 1);
    check_fired(&f, n, 28, n);
    close_fixture(&f);
}

/* ---- statistics ---- */

static void statistics_count(void **state)
{
    fixture f = open_fixture(state);
    for (uint32_t i = 0; i < 10; i++)
        put(&f, 10 * i, i);
    run_ok(&f, 45); /* 0 ... 40 */
    put(&f, 46, 10);
    const pp_kernel_stats stats = pp_kernel_get_stats(f.k);
    assert_int_equal(stats.scheduled, 11);
    assert_int_equal(stats.fired, 5);
    assert_int_equal(stats.max_pending, 10);
    close_fixture(&f);
}

static uint64_t hash_of(void **state, uint64_t first_ps, uint32_t handler, uint32_t first, uint64_t payload)
{
    fixture f = open_fixture(state);
    f.k->model = &f.model;
    assert_int_equal(pp_kernel_schedule(f.k, first_ps, PP_TARGET(handler, first), payload), PP_OK);
    assert_int_equal(pp_kernel_schedule(f.k, 5, PP_TARGET(NOTE, 1 - first), 0), PP_OK);
    run_ok(&f, PP_TIME_NEVER);
    const uint64_t hash = pp_kernel_get_stats(f.k).trace_hash;
    close_fixture(&f);
    return hash;
}

static void the_trace_hash_sees_time_target_payload_and_order(void **state)
{
    const uint64_t hash = hash_of(state, 5, NOTE, 0, 0);
    assert_true(hash == hash_of(state, 5, NOTE, 0, 0));
    assert_true(hash != hash_of(state, 4, NOTE, 0, 0));  /* time */
    assert_true(hash != hash_of(state, 5, CHAIN, 0, 0)); /* handler */
    assert_true(hash != hash_of(state, 5, NOTE, 0, 1));  /* payload */
    assert_true(hash != hash_of(state, 5, NOTE, 1, 0));  /* the same two events, the other way round */
}

/* ---- random events against a sorted list ---- */

/* What happens at a firing depends on the number of firings before it and on the event alone, so two
 * queues agree on it exactly as long as they agree on the order. */
typedef struct random_model {
    pp_status (*schedule)(void *queue, uint64_t time_ps, uint32_t target, uint64_t payload);
    pp_rng rng;
    PP_VEC(fired) log;
    size_t pending, budget; /* budget: events that may still be scheduled */
} random_model;

/* Many at once, a few picoseconds, one matrix-vector product, hours. */
static uint64_t random_delay_ps(pp_rng *rng)
{
    static const unsigned bits[] = {0, 0, 2, 6, 7, 10, 12, 17, 17, 17, 24, 50};
    const unsigned width = bits[pp_rng_below(rng, sizeof bits / sizeof *bits)];
    return pp_rng_u64(rng) & ((UINT64_C(1) << width) - 1);
}

static pp_status spawn(random_model *m, void *queue, uint64_t now_ps)
{
    if (m->budget == 0)
        return PP_OK;
    m->budget--;
    m->pending++;
    const uint32_t index = pp_rng_below(&m->rng, 1000);
    return m->schedule(queue, now_ps + random_delay_ps(&m->rng), PP_TARGET(0, index), pp_rng_u64(&m->rng));
}

static pp_status random_fire(random_model *m, void *queue, uint64_t now_ps, uint32_t index, uint64_t payload)
{
    if (!pp_push(&m->log, (fired){now_ps, payload, index}))
        return PP_ENOMEM;
    m->pending--;
    const uint32_t children = m->pending > 400 ? 0 : m->pending < 50 ? 2 : pp_rng_below(&m->rng, 3);
    for (uint32_t i = 0; i < children; i++)
        PP_TRY(spawn(m, queue, now_ps));
    return PP_OK;
}

static pp_status random_handler(void *model, pp_kernel *k, uint32_t index, uint64_t payload)
{
    return random_fire(model, k, pp_kernel_now(k), index, payload);
}

static pp_status schedule_in_kernel(void *queue, uint64_t time_ps, uint32_t target, uint64_t payload)
{
    return pp_kernel_schedule(queue, time_ps, target, payload);
}

/* The slow reference: a list in firing order; a new event goes behind all that are not later. */
typedef struct list_event {
    uint64_t time_ps, payload;
    uint32_t index;
} list_event;
typedef struct sorted_list {
    PP_VEC(list_event) at;
} sorted_list;

static pp_status schedule_in_list(void *queue, uint64_t time_ps, uint32_t target, uint64_t payload)
{
    sorted_list *const list = queue;
    const list_event e = {time_ps, payload, PP_TARGET_INDEX(target)};
    if (!pp_push(&list->at, e))
        return PP_ENOMEM;
    size_t i = list->at.len - 1;
    for (; i > 0 && list->at.data[i - 1].time_ps > time_ps; i--)
        list->at.data[i] = list->at.data[i - 1];
    list->at.data[i] = e;
    return PP_OK;
}

static void run_list(random_model *m, sorted_list *list)
{
    while (list->at.len > 0) {
        const list_event e = list->at.data[0];
        memmove(list->at.data, list->at.data + 1, --list->at.len * sizeof e);
        assert_int_equal(random_fire(m, list, e.time_ps, e.index, e.payload), PP_OK);
    }
}

static random_model new_random_model(uint64_t seed, bool in_kernel)
{
    random_model m = {.rng = pp_rng_make(seed, 1), .budget = 100000};
    m.schedule = in_kernel ? schedule_in_kernel : schedule_in_list;
    return m;
}

/* Runs the random model on a kernel, in slices so that runs end at arbitrary times. */
static pp_kernel_stats run_random(random_model *m, pp_kernel_kind kind, uint64_t seed)
{
    static const pp_handler handler[] = {random_handler};
    pp_kernel *k = NULL;
    *m = new_random_model(seed, true);
    assert_int_equal(pp_kernel_new(&k, kind, m, handler, 1), PP_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal(spawn(m, k, 0), PP_OK);
    for (uint64_t until_ps = 1; until_ps < UINT64_C(1) << 45; until_ps = until_ps * 2 + 1)
        assert_int_equal(pp_kernel_run(k, until_ps), PP_OK);
    assert_int_equal(pp_kernel_run(k, PP_TIME_NEVER), PP_OK);
    const pp_kernel_stats stats = pp_kernel_get_stats(k);
    pp_kernel_free(k);
    return stats;
}

static void random_events_fire_as_from_a_sorted_list(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        random_model slow = new_random_model(seed, false), fast;
        sorted_list list = {0};
        for (int i = 0; i < 100; i++)
            assert_int_equal(spawn(&slow, &list, 0), PP_OK);
        run_list(&slow, &list);
        const pp_kernel_stats stats = run_random(&fast, *(const pp_kernel_kind *)*state, seed);
        assert_int_equal(slow.log.len, 100000);
        assert_int_equal(stats.fired, 100000);
        assert_int_equal(fast.log.len, slow.log.len);
        for (size_t i = 0; i < slow.log.len; i++) {
            const fired a = slow.log.data[i], b = fast.log.data[i];
            assert_true(a.time_ps == b.time_ps && a.index == b.index && a.payload == b.payload);
        }
        free(list.at.data);
        free(slow.log.data);
        free(fast.log.data);
    }
}

static void many_kernels_one_after_another_give_one_trace(void **state)
{
    uint64_t first = 0;
    for (int i = 0; i < 500; i++) {
        fixture f = open_fixture(state);
        f.k->model = &f.model;
        for (uint32_t e = 0; e < 20; e++)
            put(&f, e * e % 7, e);
        if (i % 3 == 1) { /* given up half way, or never begun: nothing is left behind */
            run_ok(&f, 3);
        } else if (i % 3 == 2) {
            run_ok(&f, PP_TIME_NEVER);
            const uint64_t hash = pp_kernel_get_stats(f.k).trace_hash;
            assert_true(first == 0 || hash == first);
            first = hash;
        }
        close_fixture(&f);
    }
}

/* ---- between the back ends ---- */

static void all_back_ends_give_the_same_statistics(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 13; seed++) {
        random_model a, b;
        const pp_kernel_stats native = run_random(&a, PP_KERNEL_NATIVE, seed);
        const pp_kernel_stats systemc = run_random(&b, PP_KERNEL_SYSTEMC, seed);
        assert_true(native.trace_hash == systemc.trace_hash);
        assert_int_equal(native.fired, systemc.fired);
        assert_int_equal(native.scheduled, systemc.scheduled);
        assert_int_equal(native.max_pending, systemc.max_pending);
        free(a.log.data);
        free(b.log.data);
    }
}

static void a_second_systemc_kernel_is_refused_while_one_lives(void **state)
{
    (void)state;
    pp_kernel *first = NULL, *second = NULL, *native = NULL;
    assert_int_equal(pp_kernel_new(&first, PP_KERNEL_SYSTEMC, NULL, handlers, HANDLERS), PP_OK);
    assert_int_equal(pp_kernel_new(&second, PP_KERNEL_SYSTEMC, NULL, handlers, HANDLERS), PP_EUNSUPPORTED);
    assert_string_equal(pp_error_text(), "a SystemC kernel lives in this process already, and SystemC allows only one");
    assert_null(second);
    assert_int_equal(pp_kernel_new(&native, PP_KERNEL_NATIVE, NULL, handlers, HANDLERS), PP_OK);
    pp_kernel_free(first);
    assert_int_equal(pp_kernel_new(&second, PP_KERNEL_SYSTEMC, NULL, handlers, HANDLERS), PP_OK);
    pp_kernel_free(second);
    pp_kernel_free(native);
}

static void modules_and_kinds_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    pp_kernel *k = NULL;
    assert_int_equal(pp_kernel_new(&k, (pp_kernel_kind)9, NULL, handlers, HANDLERS), PP_EINVAL);
    assert_null(k);
    assert_int_equal(pp_kernel_new(&k, PP_KERNEL_NATIVE, NULL, handlers, HANDLERS), PP_OK);
    assert_int_equal(pp_kernel_attach(k, NULL), PP_EUNSUPPORTED);
    assert_string_equal(pp_error_text(), "the native event kernel takes no modules");
    pp_kernel_free(k);
}

/* A value that changes at 5 and 9 ps, and what SystemC wrote of it. */
static pp_status count_up(void *model, pp_kernel *k, uint32_t index, uint64_t payload)
{
    (void)index, (void)k;
    *(uint64_t *)model = payload;
    return PP_OK;
}

static void systemc_writes_vcd(void **state)
{
    (void)state;
    uint64_t value = 0;
    const pp_handler counter[] = {count_up};
    const pp_systemc_signal signal = {"scope.value", &value, 8};
    pp_kernel *k, *native;
    assert_int_equal(pp_kernel_new(&native, PP_KERNEL_NATIVE, &value, counter, 1), PP_OK);
    assert_int_equal(pp_systemc_trace(native, "test_kernel", &signal, 1), PP_EUNSUPPORTED);
    pp_kernel_free(native);
    assert_int_equal(pp_kernel_new(&k, PP_KERNEL_SYSTEMC, &value, counter, 1), PP_OK);
    assert_int_equal(pp_systemc_trace(k, "test_kernel", &signal, 1), PP_OK);
    assert_int_equal(pp_systemc_trace(k, "test_kernel", &signal, 1), PP_EINVAL);
    assert_int_equal(pp_kernel_schedule(k, 5, PP_TARGET(0, 0), 3), PP_OK);
    assert_int_equal(pp_kernel_schedule(k, 9, PP_TARGET(0, 0), 200), PP_OK);
    assert_int_equal(pp_kernel_run(k, 20), PP_OK);
    assert_int_equal(pp_systemc_trace(k, "late", &signal, 1), PP_EINVAL);
    pp_kernel_free(k);
    char *text;
    assert_int_equal(pp_file_read_text(&text, NULL, "test_kernel.vcd", 100000), PP_OK);
    assert_non_null(strstr(text, "#5\nb11 "));
    assert_non_null(strstr(text, "#9\nb11001000 "));
    assert_null(strstr(text, "#20\nb"));
    free(text);
    assert_int_equal(remove("test_kernel.vcd"), 0);
    /* a folder that is not there */
    assert_int_equal(pp_kernel_new(&k, PP_KERNEL_SYSTEMC, &value, counter, 1), PP_OK);
    assert_int_equal(pp_systemc_trace(k, "no/such/folder", &signal, 1), PP_EIO);
    assert_int_equal(pp_kernel_run(k, 20), PP_OK);
    pp_kernel_free(k);
    /* never run */
    assert_int_equal(pp_kernel_new(&k, PP_KERNEL_SYSTEMC, &value, counter, 1), PP_OK);
    assert_int_equal(pp_systemc_trace(k, "test_kernel", &signal, 1), PP_OK);
    pp_kernel_free(k);
    assert_int_equal(remove("test_kernel.vcd"), 0);
}

static void the_version_of_systemc_is_known(void **state)
{
    (void)state;
    unsigned major, minor, patch;
    assert_int_equal(sscanf(pp_systemc_version(), "%u.%u.%u", &major, &minor, &patch), 3);
    assert_true(major == 2 && minor == 3 && patch >= 4);
}

/* ---- running it all ---- */

#define ROW(test)                                                                                                      \
    {                                                                                                                  \
#test, test, NULL, NULL, NULL                                                                                  \
    }
static const struct CMUnitTest suite[] = {
    ROW(events_fire_in_order_of_time),
    ROW(equal_times_fire_first_in_first_out),
    ROW(equal_times_keep_order_when_scheduled_from_different_times),
    ROW(an_event_for_now_fires_after_those_that_wait_for_now),
    ROW(a_deep_chain_without_delay_stays_at_its_time),
    ROW(times_reach_to_the_last_picosecond),
    ROW(a_run_ends_with_the_events_of_its_last_time),
    ROW(an_event_at_time_zero_fires_in_a_run_until_zero),
    ROW(a_run_without_events_moves_only_the_time),
    ROW(events_can_be_added_before_those_that_wait),
    ROW(a_stop_takes_effect_at_once_and_the_next_run_goes_on),
    ROW(a_stop_between_runs_does_nothing),
    ROW(an_error_of_a_handler_ends_the_run_with_it),
    ROW(events_in_the_past_are_refused),
    ROW(an_event_that_never_comes_is_refused),
    ROW(a_target_without_handler_is_refused),
    ROW(a_run_within_a_run_is_refused),
    ROW(bad_handler_tables_are_refused),
    ROW(running_out_of_memory_loses_no_event),
    ROW(statistics_count),
    ROW(the_trace_hash_sees_time_target_payload_and_order),
    ROW(random_events_fire_as_from_a_sorted_list),
    ROW(many_kernels_one_after_another_give_one_trace),
};
#define SUITE_LEN (sizeof suite / sizeof *suite)

static int run_suite(const char *name, pp_kernel_kind *kind)
{
    struct CMUnitTest tests[SUITE_LEN];
    memcpy(tests, suite, sizeof suite);
    for (size_t i = 0; i < SUITE_LEN; i++)
        tests[i].initial_state = kind;
    return _cmocka_run_group_tests(name, tests, SUITE_LEN, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest between[] = {
        cmocka_unit_test(all_back_ends_give_the_same_statistics),
        cmocka_unit_test(a_second_systemc_kernel_is_refused_while_one_lives),
        cmocka_unit_test(modules_and_kinds_that_do_not_exist_are_refused),
        cmocka_unit_test(systemc_writes_vcd),
        cmocka_unit_test(the_version_of_systemc_is_known),
    };
    int failed = 0;
    failed += run_suite("kernel: native", &kinds[0]);
    failed += run_suite("kernel: systemc", &kinds[1]);
    failed += cmocka_run_group_tests_name("kernel: between", between, NULL, NULL);
    return failed;
}
