/* The default back end: time jumps to the next event. */
#include "sim/kernel_internal.h"

#include "base/mem.h"

#include <stdlib.h>

static uint64_t native_now(const pp_kernel *k)
{
    return ((const pp_loop *)k)->now_ps;
}

static pp_status native_run(pp_kernel *k, uint64_t until_ps)
{
    pp_loop *const loop = (pp_loop *)k;
    pp_status status = PP_OK;
    PP_TRY(pp_loop_begin(loop));
    while (status == PP_OK && !loop->stopped) {
        const uint64_t next_ps = pp_queue_next(&loop->queue);
        if (next_ps == PP_TIME_NEVER || next_ps > until_ps)
            break;
        status = pp_loop_fire(loop, next_ps);
    }
    const bool reached = status == PP_OK && !loop->stopped && until_ps != PP_TIME_NEVER;
    if (reached && until_ps > loop->now_ps)
        loop->now_ps = until_ps;
    pp_loop_end(loop);
    return status;
}

static void native_free(pp_kernel *k)
{
    pp_loop *const loop = (pp_loop *)k;
    pp_loop_free(loop);
    free(loop);
}

static const pp_kernel_ops native_ops = {
    .name = "native",
    .schedule = pp_loop_schedule,
    .now = native_now,
    .run = native_run,
    .stop = pp_loop_stop,
    .stats = pp_loop_stats,
    .free = native_free,
};

pp_status pp_kernel_native_new(pp_kernel **out)
{
    pp_loop *const loop = pp_calloc(1, sizeof *loop);
    if (!loop)
        return PP_ENOMEM;
    pp_loop_init(loop, &native_ops);
    *out = &loop->face;
    return PP_OK;
}
