/* What both back ends share: the queue, the order of firing, the statistics. A back end adds only who
 * moves the time, so traces are equal by construction. Private to sim/; read by the C++ shim too. */
#ifndef PP_SIM_KERNEL_INTERNAL_H
#define PP_SIM_KERNEL_INTERNAL_H

#include "sim/kernel.h"
#include "sim/kernel_queue_internal.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pp_loop {
    pp_kernel face; /* first: a pp_kernel * of these back ends points to a pp_loop */
    pp_queue queue;
    uint64_t now_ps;
    bool running, stopped;
    pp_kernel_stats stats; /* max_pending: see pp_loop_stats */
} pp_loop;

/* From all zero bytes to a loop with face.ops set. */
void pp_loop_init(pp_loop *loop, const pp_kernel_ops *ops);
void pp_loop_free(pp_loop *loop); /* what it owns, not itself */

/* Start of a run: refuses a run within a run, clears the stop. pp_loop_end closes it. */
pp_status pp_loop_begin(pp_loop *loop);
void pp_loop_end(pp_loop *loop);
/* Moves to next_ps (from pp_queue_next) and fires all events of that time, those included that are
 * scheduled for it meanwhile, until stop or error. */
pp_status pp_loop_fire(pp_loop *loop, uint64_t next_ps);

/* ops that are the same in both back ends */
pp_status pp_loop_schedule(pp_kernel *k, uint64_t time_ps, uint32_t target, uint64_t payload);
void pp_loop_stop(pp_kernel *k);
void pp_loop_stats(const pp_kernel *k, pp_kernel_stats *out);

pp_status pp_kernel_native_new(pp_kernel **out);
pp_status pp_kernel_systemc_new(pp_kernel **out);

#ifdef __cplusplus
}
#endif
#endif
