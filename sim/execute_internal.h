/* Execution-driven mode: real values move through the simulated buffers.
 *
 * The timing model calls these hooks where its packets, firings and releases happen; nothing flows
 * back, so times are the same with and without values. Every buffer knows which positions it holds: a
 * firing that reads one which has not arrived or is gone is an internal error that names it. */
#ifndef PP_SIM_EXECUTE_INTERNAL_H
#define PP_SIM_EXECUTE_INTERNAL_H

#include "sim/pipeline_internal.h"

typedef struct pp_exec pp_exec;

/* Values for the first `images` inferences, from `data`. `s` must be built; it is read for the feed. */
pp_status pp_exec_new(pp_exec **out, const pp_sim *s, const pp_dataset *data, uint32_t images);
void pp_exec_free(pp_exec *x); /* NULL allowed */

/* Tile starts firing p of an inference: reads its buffers, keeps the accumulators. */
pp_status pp_exec_fire(pp_exec *x, uint32_t tile, uint32_t image, uint32_t position);
/* Packet n (from the start of the run) of the flow is in its buffer. */
pp_status pp_exec_arrive(pp_exec *x, uint32_t flow, uint64_t packet);
/* Packets below `until` are no longer needed. */
void pp_exec_release(pp_exec *x, uint32_t flow, uint64_t until);
/* Firing n (of this tile, from the start of the run) has its own result and all partial sums. */
pp_status pp_exec_join(pp_exec *x, uint32_t tile, uint64_t firing);
/* The tile's next packet of inference `image` is handed to its nets. */
pp_status pp_exec_emit(pp_exec *x, uint32_t tile, uint32_t image);
/* [images][classes] of the output stage; owned by x. */
const double *pp_exec_logits(const pp_exec *x, uint32_t *images, uint32_t *classes);

#endif
