/* The buffers of execution-driven mode: packets under way and positions held, with their values. */
#ifndef PP_SIM_EXECUTE_BUFFER_H
#define PP_SIM_EXECUTE_BUFFER_H

#include "sim/pipeline_internal.h"

typedef struct pp_exec_buffers pp_exec_buffers;
pp_status pp_exec_buffers_new(pp_exec_buffers **out, const pp_sim *s, const pp_dataset *data, uint32_t images);
void pp_exec_buffers_free(pp_exec_buffers *b); /* NULL allowed */

/* A packet leaves: channels of the flow out of values[pixels][columns], whose first column is channel
 * `column_lo`. */
pp_status pp_exec_depart(pp_exec_buffers *b, uint32_t flow, const int64_t *values, uint32_t columns, uint32_t column_lo,
                         size_t pixels);
/* The oldest packet under way goes into the buffer; more than its capacity is an internal error. */
pp_status pp_exec_buffers_arrive(pp_exec_buffers *b, uint32_t flow);
/* Positions below `until` are poisoned and forgotten. */
void pp_exec_buffers_release(pp_exec_buffers *b, uint32_t flow, uint64_t until);
/* Values of packet n: [pixels][channels of the flow]. Not held: an internal error that names it. */
pp_status pp_exec_read(const pp_exec_buffers *b, uint32_t flow, uint64_t packet, const int64_t **values);
/* Channels [c_lo, c_hi) of the pixels in `r` of the tile's input k: out[pixel of r][c - c_lo]. */
pp_status pp_exec_gather(const pp_exec_buffers *b, uint32_t tile, uint32_t k, uint32_t image, pp_rect r, uint32_t c_lo,
                         uint32_t c_hi, int64_t *out);

#endif
