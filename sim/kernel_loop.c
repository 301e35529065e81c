#include "sim/kernel_internal.h"

#include <inttypes.h>

/* Odd constants with well mixed bits; any would do. */
#define MIX_TIME UINT64_C(0x9e3779b97f4a7c15)
#define MIX_PAYLOAD UINT64_C(0xc2b2ae3d27d4eb4f)
#define MIX_TARGET UINT64_C(0x165667b19e3779f9)
#define MIX_CHAIN UINT64_C(0x100000001b3)

/* One link of the trace hash. FNV-1a byte by byte would cost more than the queue (20 dependent
 * multiplications); here an event is mixed by itself, and one multiplication hangs on the event before. */
static inline uint64_t chain(uint64_t hash, const pp_event *e)
{
    const uint64_t mixed = e->time_ps * MIX_TIME + e->payload * MIX_PAYLOAD + e->target * MIX_TARGET;
    return ((hash << 25 | hash >> 39) ^ mixed) * MIX_CHAIN;
}

void pp_loop_init(pp_loop *loop, const pp_kernel_ops *ops)
{
    loop->face.ops = ops;
    loop->stats.trace_hash = MIX_CHAIN;
    pp_queue_init(&loop->queue);
}

void pp_loop_free(pp_loop *loop)
{
    pp_queue_free(&loop->queue);
}

pp_status pp_loop_begin(pp_loop *loop)
{
    if (loop->running)
        return pp_fail(PP_EINTERNAL, "the event kernel is running already");
    loop->running = true;
    loop->stopped = false;
    return PP_OK;
}

void pp_loop_end(pp_loop *loop)
{
    loop->running = false;
}

pp_status pp_loop_fire(pp_loop *loop, uint64_t next_ps)
{
    pp_kernel *const k = &loop->face;
    pp_event e = pp_queue_advance(&loop->queue, next_ps);
    loop->now_ps = next_ps;
    do {
        loop->stats.fired++;
        loop->stats.trace_hash = chain(loop->stats.trace_hash, &e);
        PP_TRY(k->handler[PP_TARGET_HANDLER(e.target)](k->model, k, PP_TARGET_INDEX(e.target), e.payload));
    } while (!loop->stopped && pp_queue_pop(&loop->queue, &e));
    return PP_OK;
}

/* Why an event cannot be scheduled; apart, because it is never needed. */
static pp_status refuse(const pp_loop *loop, uint64_t time_ps, uint32_t target)
{
    if (time_ps < loop->now_ps)
        return pp_fail(PP_EINTERNAL, "an event for %" PRIu64 " ps is scheduled at %" PRIu64 " ps, which is later",
                       time_ps, loop->now_ps);
    if (time_ps == PP_TIME_NEVER)
        return pp_fail(PP_ERANGE, "an event lies beyond the last time, %" PRIu64 " ps", PP_TIME_NEVER - 1);
    return pp_fail(PP_EINTERNAL, "an event is scheduled for handler %u of %u", PP_TARGET_HANDLER(target),
                   loop->face.n_handlers);
}

pp_status pp_loop_schedule(pp_kernel *k, uint64_t time_ps, uint32_t target, uint64_t payload)
{
    pp_loop *const loop = (pp_loop *)k;
    if (time_ps < loop->now_ps || time_ps == PP_TIME_NEVER || PP_TARGET_HANDLER(target) >= k->n_handlers)
        return refuse(loop, time_ps, target);
    PP_TRY(pp_queue_push(&loop->queue, time_ps, target, payload));
    loop->stats.scheduled++;
    return PP_OK;
}

void pp_loop_stop(pp_kernel *k)
{
    ((pp_loop *)k)->stopped = true;
}

void pp_loop_stats(const pp_kernel *k, pp_kernel_stats *out)
{
    const pp_loop *const loop = (const pp_loop *)k;
    *out = loop->stats;
    out->max_pending = loop->queue.made;
}
