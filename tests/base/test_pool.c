#include "test_base.h"

#include <stdatomic.h>

enum { ITEMS = 1000 };

typedef struct job {
    unsigned threads;
    atomic_uint runs[ITEMS];
    uint64_t result[ITEMS];
    size_t fail_a, fail_b; /* items that fail */
    atomic_bool bad_worker;
} job;

static pp_status work(void *payload, size_t index, unsigned worker)
{
    job *j = payload;
    if (worker >= j->threads)
        atomic_store(&j->bad_worker, true);
    atomic_fetch_add(&j->runs[index], 1);
    pp_rng r = pp_rng_make(1, index);
    for (size_t i = 0; i <= index % 64; i++) /* uneven on purpose */
        j->result[index] = pp_rng_u64(&r);
    if (index == j->fail_a || index == j->fail_b)
        return pp_fail(index == j->fail_a ? PP_EIO : PP_ERANGE, "item %zu", index);
    return PP_OK;
}

static job *new_job(unsigned threads)
{
    job *j = calloc(1, sizeof *j);
    assert_non_null(j);
    j->threads = threads;
    j->fail_a = j->fail_b = SIZE_MAX;
    return j;
}

static void every_item_runs_once_with_any_number_of_threads(void **state)
{
    (void)state;
    job *reference = new_job(1);
    assert_int_equal(pp_pool_run(NULL, ITEMS, work, reference), PP_OK);
    for (unsigned threads = 1; threads <= 8; threads++) {
        pp_pool *pool = NULL;
        job *j = new_job(threads);
        assert_int_equal(pp_pool_new(&pool, threads), PP_OK);
        assert_int_equal(pp_pool_threads(pool), threads);
        assert_int_equal(pp_pool_run(pool, ITEMS, work, j), PP_OK);
        for (size_t i = 0; i < ITEMS; i++)
            assert_int_equal(j->runs[i], 1);
        assert_memory_equal(j->result, reference->result, sizeof j->result);
        assert_false(j->bad_worker);
        pp_pool_free(pool);
        free(j);
    }
    free(reference);
}

static void a_pool_serves_many_runs_of_any_length(void **state)
{
    (void)state;
    pp_pool *pool = NULL;
    assert_int_equal(pp_pool_new(&pool, 4), PP_OK);
    job *j = new_job(4);
    unsigned expected = 0;
    for (size_t n = 0; n < 200; n++) {
        assert_int_equal(pp_pool_run(pool, n % 11, work, j), PP_OK);
        expected += n % 11 > 0;
        assert_int_equal(j->runs[0], expected);
        assert_int_equal(j->runs[10], 0);
    }
    free(j);
    pp_pool_free(pool);
}

/* Whatever the timing, the first item by index wins and all before it have run. */
static void the_first_failing_item_decides(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 5; threads++) {
        pp_pool *pool = NULL;
        assert_int_equal(pp_pool_new(&pool, threads), PP_OK);
        for (size_t round = 0; round < 50; round++) {
            job *j = new_job(threads);
            j->fail_a = 300 + round;
            j->fail_b = 301 + 2 * round;
            char text[32];
            (void)snprintf(text, sizeof text, "item %zu", j->fail_a);
            assert_failed(pp_pool_run(pool, ITEMS, work, j), PP_EIO, text);
            for (size_t i = 0; i <= j->fail_a; i++)
                assert_int_equal(j->runs[i], 1);
            free(j);
        }
        job *good = new_job(threads); /* the failure is forgotten */
        assert_int_equal(pp_pool_run(pool, ITEMS, work, good), PP_OK);
        free(good);
        pp_pool_free(pool);
    }
}

static void odd_numbers_of_threads_are_refused(void **state)
{
    (void)state;
    pp_pool *pool = NULL;
    assert_failed(pp_pool_new(&pool, 0), PP_ERANGE, "expected 1 to 1024 threads, found 0");
    assert_failed(pp_pool_new(&pool, 100000), PP_ERANGE, "expected 1 to 1024 threads, found 100000");
    assert_null(pool);
    for (long n = 0; n < 2; n++) {
        pp_alloc_fail_after(n);
        assert_int_equal(pp_pool_new(&pool, 3), PP_ENOMEM);
    }
    pp_alloc_fail_after(-1);
    assert_null(pool);
    pp_pool_free(NULL);
    assert_int_equal(pp_pool_threads(NULL), 1);
    assert_in_range(pp_cpu_count(), 1, 100000);
}

/* Nothing to keep the text in: the status stays, with its generic text. */
static void a_failure_without_memory_keeps_its_status(void **state)
{
    (void)state;
    pp_pool *pool = NULL;
    assert_int_equal(pp_pool_new(&pool, 2), PP_OK);
    job *j = new_job(2);
    j->fail_a = 5;
    pp_alloc_fail_after(0);
    assert_failed(pp_pool_run(pool, ITEMS, work, j), PP_EIO, "input or output failed");
    pp_alloc_fail_after(-1);
    free(j);
    pp_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_once_with_any_number_of_threads),
        cmocka_unit_test(a_pool_serves_many_runs_of_any_length),
        cmocka_unit_test(the_first_failing_item_decides),
        cmocka_unit_test(odd_numbers_of_threads_are_refused),
        cmocka_unit_test(a_failure_without_memory_keeps_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
