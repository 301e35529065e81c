#include "base/pool.h"

#include "base/base_internal.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct worker {
    pp_pool *pool;
    unsigned index;
    pthread_t thread; /* of workers 1 and up; worker 0 is the caller of pp_pool_run */
} worker;

struct pp_pool {
    unsigned threads;
    worker *workers;
    unsigned started; /* threads to join: workers 1 .. started */

    pthread_mutex_t lock; /* guards all that follows but failed_at */
    pthread_cond_t work_ready, work_done;
    uint64_t round; /* counts calls of pp_pool_run; workers wait for a new one */
    unsigned busy;  /* workers that have not finished the round */
    bool stop;

    size_t n;
    pp_pool_fn fn;
    void *payload;

    /* The lowest failing item so far. Atomic, so that workers can skip later items unlocked. */
    atomic_size_t failed_at;
    pp_status status;
    char *text; /* of the failing item; NULL when it could not be kept */
};

static void record_failure(pp_pool *pool, size_t index, pp_status status)
{
    char *text = pp_strdup(pp_error_text());
    pthread_mutex_lock(&pool->lock);
    if (index < atomic_load(&pool->failed_at)) {
        atomic_store(&pool->failed_at, index);
        pool->status = status;
        char *old = pool->text;
        pool->text = text;
        text = old;
    }
    pthread_mutex_unlock(&pool->lock);
    free(text);
}

/* Items w, w + threads, w + 2 threads ...: neighbours, which often cost the same, spread over the
 * workers. Items after a failing one need not run, those before it must: one may fail, too. */
static void run_share(pp_pool *pool, unsigned w)
{
    for (size_t i = w; i < pool->n; i += pool->threads) {
        if (i > atomic_load_explicit(&pool->failed_at, memory_order_relaxed))
            return;
        const pp_status status = pool->fn(pool->payload, i, w);
        if (status != PP_OK) {
            record_failure(pool, i, status);
            return;
        }
        if (pool->n - i <= pool->threads)
            return; /* also keeps i from wrapping */
    }
}

static void *worker_main(void *argument)
{
    const worker *self = argument;
    pp_pool *pool = self->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && pool->round == seen)
            pthread_cond_wait(&pool->work_ready, &pool->lock);
        if (pool->stop)
            break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->lock);
        run_share(pool, self->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->work_done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static pp_status start_workers(pp_pool *pool)
{
    for (unsigned i = 1; i < pool->threads; i++) {
        pool->workers[i] = (worker){.pool = pool, .index = i};
        const int error = pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]);
        if (error != 0) {
            char reason[PP_REASON_MAX];
            return pp_fail(PP_EIO, "thread %u of %u cannot be started: %s", i + 1, pool->threads,
                           pp_reason(error, reason));
        }
        pool->started = i;
    }
    return PP_OK;
}

/* Locks of the default kind need no memory of their own on the systems we know; still checked. */
static pp_status make_locks(pp_pool *pool)
{
    if (pthread_mutex_init(&pool->lock, NULL) != 0)
        goto no_lock;
    if (pthread_cond_init(&pool->work_ready, NULL) != 0)
        goto no_ready;
    if (pthread_cond_init(&pool->work_done, NULL) == 0)
        return PP_OK;
    pthread_cond_destroy(&pool->work_ready);
no_ready:
    pthread_mutex_destroy(&pool->lock);
no_lock:
    return pp_fail(PP_ENOMEM, "a thread pool's locks cannot be made");
}

pp_status pp_pool_new(pp_pool **out, unsigned threads)
{
    *out = NULL;
    if (threads < 1 || threads > PP_POOL_MAX)
        return pp_fail(PP_ERANGE, "expected 1 to %d threads, found %u", PP_POOL_MAX, threads);
    pp_pool *pool = pp_calloc(1, sizeof *pool);
    worker *workers = pp_calloc(threads, sizeof *workers);
    if (!pool || !workers || make_locks(pool) != PP_OK) {
        free(workers);
        free(pool);
        return PP_ENOMEM;
    }
    pool->threads = threads;
    pool->workers = workers;
    const pp_status status = start_workers(pool);
    if (status != PP_OK)
        pp_pool_free(pool);
    else
        *out = pool;
    return status;
}

void pp_pool_free(pp_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 1; i <= pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->work_done);
    pthread_cond_destroy(&pool->work_ready);
    pthread_mutex_destroy(&pool->lock);
    free(pool->text);
    free(pool->workers);
    free(pool);
}

unsigned pp_pool_threads(const pp_pool *pool)
{
    return pool ? pool->threads : 1;
}

static pp_status run_in_caller(size_t n, pp_pool_fn fn, void *payload)
{
    for (size_t i = 0; i < n; i++)
        PP_TRY(fn(payload, i, 0));
    return PP_OK;
}

static pp_status take_failure(pp_pool *pool)
{
    if (pool->status != PP_OK)
        (void)pp_fail(pool->status, "%s", pool->text ? pool->text : pp_status_text(pool->status));
    free(pool->text);
    pool->text = NULL;
    return pool->status;
}

pp_status pp_pool_run(pp_pool *pool, size_t n, pp_pool_fn fn, void *payload)
{
    if (!pool || pool->threads == 1 || n <= 1)
        return run_in_caller(n, fn, payload);
    pthread_mutex_lock(&pool->lock);
    assert(pool->busy == 0); /* not reentrant */
    pool->n = n;
    pool->fn = fn;
    pool->payload = payload;
    pool->status = PP_OK;
    atomic_store(&pool->failed_at, SIZE_MAX);
    pool->busy = pool->threads - 1;
    pool->round++;
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);

    run_share(pool, 0);

    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->work_done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return take_failure(pool);
}
