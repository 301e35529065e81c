/* Thread pool with a static split, so that results never depend on the number of threads. */
#ifndef PP_BASE_POOL_H
#define PP_BASE_POOL_H

#include "base/status.h"

#include <stddef.h>

typedef struct pp_pool pp_pool;

/* Work on item `index` (0 .. n-1) by `worker` (0 .. threads-1). Items may run in any order. Writes
 * must go to places of that item (or scratch of that worker); reductions are done by the caller in
 * item order. The first failing item by index decides the status and text of pp_pool_run. */
typedef pp_status (*pp_pool_fn)(void *payload, size_t index, unsigned worker);

/* Upper limit of threads, against slips like -j 100000. */
#define PP_POOL_MAX 1024

/* threads from 1 to PP_POOL_MAX, else PP_ERANGE. The caller of pp_pool_run is worker 0, so a pool of
 * 1 starts no thread. */
pp_status pp_pool_new(pp_pool **out, unsigned threads);
void pp_pool_free(pp_pool *pool);              /* NULL allowed */
unsigned pp_pool_threads(const pp_pool *pool); /* NULL pool: 1 */
/* Runs n items and waits; pool NULL: in the caller. Not reentrant: fn must not use the same pool.
 * When an item fails, items after it may be left out, items before it are not. */
pp_status pp_pool_run(pp_pool *pool, size_t n, pp_pool_fn fn, void *payload);
/* Processors available to this process, at least 1. */
unsigned pp_cpu_count(void);

#endif
