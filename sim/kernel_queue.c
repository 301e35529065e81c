#include "sim/kernel_queue_internal.h"

#include "base/mem.h"

#include <stdlib.h>

#define FIRST_CAP 256u

void pp_queue_init(pp_queue *q)
{
    q->free_head = PP_QUEUE_NONE;
}

void pp_queue_free(pp_queue *q)
{
    free(q->event);
    q->event = NULL;
}

pp_status pp_queue_grow(pp_queue *q)
{
    if (q->cap == PP_QUEUE_NONE)
        return pp_fail(PP_ENOMEM, "more than %u events are pending", PP_QUEUE_NONE);
    const uint32_t cap = q->cap == 0 ? FIRST_CAP : q->cap > PP_QUEUE_NONE / 2 ? PP_QUEUE_NONE : q->cap * 2;
    pp_event *const grown = pp_realloc(q->event, cap, sizeof *grown);
    if (!grown)
        return PP_ENOMEM;
    q->event = grown;
    q->cap = cap;
    return PP_OK;
}
