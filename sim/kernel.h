/* The event kernel: one interface, two back ends (native, SystemC).
 *
 * An event is (time, target, payload). Same-time events fire in schedule order, in every back end, so
 * the same model gives the same trace. The kernel owns no model: a fired event is handed to the
 * handler that its target names. An event takes 24 bytes while it waits; nothing is allocated in the
 * loop once the queue has grown to the most events that wait at once. docs/kernel.md tells the rest.
 *
 * A kernel belongs to one thread. C and C++ may include this file. */
#ifndef PP_SIM_KERNEL_H
#define PP_SIM_KERNEL_H

#include "base/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* target = handler (4 bits) and object index (28 bits). */
#define PP_TARGET(handler, index) (((uint32_t)(handler) << 28) | (uint32_t)(index))
#define PP_TARGET_HANDLER(target) ((target) >> 28)
#define PP_TARGET_INDEX(target) ((target)&0x0fffffffu)
#define PP_HANDLER_MAX 16u
/* Later than every event: "run until nothing is left". No event may be scheduled for it. */
#define PP_TIME_NEVER UINT64_MAX

typedef struct pp_kernel pp_kernel;

/* Called for a fired event, at pp_kernel_now(k). It may schedule (at now, too) and stop; it may not run
 * or free the kernel. Anything but PP_OK ends the run, which returns it. A handler written in C++ must
 * not let an exception out. */
typedef pp_status (*pp_handler)(void *model, pp_kernel *k, uint32_t index, uint64_t payload);

typedef struct pp_kernel_stats {
    uint64_t fired, scheduled;
    uint64_t max_pending; /* most events that waited at once */
    uint64_t trace_hash;  /* of (time, target, payload) of every fired event, in order */
} pp_kernel_stats;

/* What a back end provides. */
typedef struct pp_kernel_ops {
    /* REQUIRED */
    const char *name;
    /* PP_EINTERNAL for a time before now or a target without handler, PP_ERANGE for PP_TIME_NEVER,
     * PP_ENOMEM; the event is not scheduled then. */
    pp_status (*schedule)(pp_kernel *k, uint64_t time_ps, uint32_t target, uint64_t payload);
    /* Time of the event being fired; between runs the time of the last fired event, or `until_ps` when
     * the last run went that far. */
    uint64_t (*now)(const pp_kernel *k);
    /* Fires events with time <= until_ps; returns when none is left, on stop, or on a handler's error.
     * What has not fired stays scheduled: a later run goes on with it. */
    pp_status (*run)(pp_kernel *k, uint64_t until_ps);
    /* From a handler: run returns PP_OK after this event. Between runs: nothing. */
    void (*stop)(pp_kernel *k);
    void (*stats)(const pp_kernel *k, pp_kernel_stats *out);
    void (*free)(pp_kernel *k);
    /* OPTIONAL: adds a module of the back end, before the first run (SystemC: a pp_systemc_module of
     * kernel_systemc.h); NULL: not supported. */
    pp_status (*attach)(pp_kernel *k, void *module);
} pp_kernel_ops;

struct pp_kernel {
    const pp_kernel_ops *ops;
    void *model;               /* handed to handlers, borrowed */
    const pp_handler *handler; /* [n_handlers], borrowed */
    uint32_t n_handlers;
};

typedef enum pp_kernel_kind { PP_KERNEL_NATIVE, PP_KERNEL_SYSTEMC } pp_kernel_kind;

/* The caller frees *out. handler[n_handlers] (at most PP_HANDLER_MAX, none NULL) and the model must
 * outlive it. PP_EINVAL for a bad table or kind, PP_ENOMEM; PP_EUNSUPPORTED for a second SystemC kernel
 * while one lives in the process (one after another is fine). */
pp_status pp_kernel_new(pp_kernel **out, pp_kernel_kind kind, void *model, const pp_handler *handler,
                        uint32_t n_handlers);
void pp_kernel_free(pp_kernel *k); /* NULL allowed */
/* PP_EUNSUPPORTED when the back end takes no modules. */
pp_status pp_kernel_attach(pp_kernel *k, void *module);

static inline pp_status pp_kernel_schedule(pp_kernel *k, uint64_t time_ps, uint32_t target, uint64_t payload)
{
    return k->ops->schedule(k, time_ps, target, payload);
}
static inline uint64_t pp_kernel_now(const pp_kernel *k)
{
    return k->ops->now(k);
}
static inline pp_status pp_kernel_run(pp_kernel *k, uint64_t until_ps)
{
    return k->ops->run(k, until_ps);
}
static inline void pp_kernel_stop(pp_kernel *k)
{
    k->ops->stop(k);
}
static inline pp_kernel_stats pp_kernel_get_stats(const pp_kernel *k)
{
    pp_kernel_stats stats;
    k->ops->stats(k, &stats);
    return stats;
}

/* Version text of SystemC ("2.3.4"). */
const char *pp_systemc_version(void);

#ifdef __cplusplus
}
#endif
#endif
