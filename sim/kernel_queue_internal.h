/* The queue of pending events: a radix heap with 64 slots a level. Private to the kernel.
 *
 * Time only moves forward, so a full order is never needed. `base_ps` is a time that is not after any
 * event in the queue. Read times as 11 digits of 6 bits: an event lies on the level of the highest
 * digit in which it differs from the base, in the slot of its own digit there:
 *
 *     level 10 ... level 2   level 1             level 0
 *     far away               within 4096 ps      within 64 ps: a slot holds one single time
 *
 * The lowest used slot of the lowest used level holds the earliest events. When time moves to the
 * earliest of them, the base follows and the slot's events drop to lower levels; no other slot is
 * touched, because all others still differ from the new base in the same digit as before. An event
 * drops at most 10 times, in practice once or twice, whatever the number of pending events.
 *
 * First in, first out for equal times needs no sequence number: at any moment events of one time are in
 * one slot; a slot is a list that grows at its end and is dealt out from its front.
 *
 * PAPER: ahuja1990 (Ahuja, Mehlhorn, Orlin, Tarjan, "Faster algorithms for the shortest path problem",
 * J. ACM 37): the radix heap; differs in 64 slots a level in place of one bucket a bit. */
#ifndef PP_SIM_KERNEL_QUEUE_INTERNAL_H
#define PP_SIM_KERNEL_QUEUE_INTERNAL_H

#include "base/status.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PP_QUEUE_DIGIT_BITS 6u
#define PP_QUEUE_SLOTS 64u
#define PP_QUEUE_LEVELS 11u /* 64 bits of time in digits of 6 */
#define PP_QUEUE_NONE UINT32_MAX

typedef struct pp_event {
    uint64_t time_ps, payload;
    uint32_t target;
    uint32_t next; /* of the slot's list, or of the free list: an index into pp_queue.event */
} pp_event;
static_assert(sizeof(pp_event) == 24, "an event takes 24 bytes");

typedef struct pp_queue {
    uint64_t base_ps;
    uint64_t levels;                /* bit l: used[l] != 0 */
    uint64_t used[PP_QUEUE_LEVELS]; /* bit s: slot s of that level has events */
    struct {
        uint32_t head, tail; /* valid while the slot's bit is set */
    } slot[PP_QUEUE_LEVELS][PP_QUEUE_SLOTS];
    pp_event *event;    /* [cap], of which the first `made` are in slots or in the free list */
    uint32_t made, cap; /* made: also the most events that were pending at once */
    uint32_t free_head;
} pp_queue;

/* From all zero bytes to an empty queue. */
void pp_queue_init(pp_queue *q);
void pp_queue_free(pp_queue *q);
/* Doubles the room for events. PP_ENOMEM: the queue is as it was. */
pp_status pp_queue_grow(pp_queue *q);

/* Puts event i into the slot of its time. */
static inline void pp_queue_place(pp_queue *q, uint32_t i)
{
    const uint64_t time_ps = q->event[i].time_ps;
    assert(time_ps >= q->base_ps);
    const unsigned top_bit = 63u - (unsigned)__builtin_clzll((time_ps ^ q->base_ps) | 1);
    const unsigned level = top_bit / PP_QUEUE_DIGIT_BITS;
    const unsigned digit = (unsigned)(time_ps >> (level * PP_QUEUE_DIGIT_BITS)) & (PP_QUEUE_SLOTS - 1);
    const bool extends = q->used[level] >> digit & 1;
    uint32_t *const link = extends ? &q->event[q->slot[level][digit].tail].next : &q->slot[level][digit].head;
    *link = i;
    q->slot[level][digit].tail = i;
    q->used[level] |= UINT64_C(1) << digit;
    q->levels |= UINT64_C(1) << level;
}

static inline void pp_queue_clear_slot(pp_queue *q, unsigned level, unsigned digit)
{
    q->used[level] &= ~(UINT64_C(1) << digit);
    if (q->used[level] == 0)
        q->levels &= ~(UINT64_C(1) << level);
}

/* time_ps must not be before base_ps, nor PP_TIME_NEVER. PP_ENOMEM: the queue is as it was. */
static inline pp_status pp_queue_push(pp_queue *q, uint64_t time_ps, uint32_t target, uint64_t payload)
{
    uint32_t i = q->free_head;
    if (i != PP_QUEUE_NONE) {
        q->free_head = q->event[i].next;
    } else {
        if (q->made == q->cap)
            PP_TRY(pp_queue_grow(q));
        i = q->made++;
    }
    q->event[i].time_ps = time_ps;
    q->event[i].payload = payload;
    q->event[i].target = target;
    pp_queue_place(q, i);
    return PP_OK;
}

/* Time of the earliest event, UINT64_MAX when empty. Above level 0 it walks one slot, which
 * pp_queue_advance then deals out: the walk at most doubles that cost. */
static inline uint64_t pp_queue_next(const pp_queue *q)
{
    if (q->levels == 0)
        return UINT64_MAX;
    const unsigned level = (unsigned)__builtin_ctzll(q->levels);
    const unsigned digit = (unsigned)__builtin_ctzll(q->used[level]);
    uint32_t i = q->slot[level][digit].head;
    const uint32_t tail = q->slot[level][digit].tail;
    uint64_t next_ps = q->event[i].time_ps;
    if (level == 0)
        return next_ps;
    while (i != tail) {
        i = q->event[i].next;
        next_ps = q->event[i].time_ps < next_ps ? q->event[i].time_ps : next_ps;
    }
    return next_ps;
}

/* Takes the first event of a used slot. */
static inline pp_event pp_queue_take(pp_queue *q, unsigned level, unsigned digit)
{
    const uint32_t i = q->slot[level][digit].head;
    const pp_event taken = q->event[i];
    if (i == q->slot[level][digit].tail)
        pp_queue_clear_slot(q, level, digit);
    else
        q->slot[level][digit].head = taken.next;
    q->event[i].next = q->free_head;
    q->free_head = i;
    return taken;
}

/* Deals the events of a slot above level 0 out to lower levels, after a move of the base. */
static inline void pp_queue_deal(pp_queue *q, unsigned level, unsigned digit)
{
    const uint32_t tail = q->slot[level][digit].tail;
    pp_queue_clear_slot(q, level, digit);
    for (uint32_t i = q->slot[level][digit].head, following;; i = following) {
        following = q->event[i].next; /* placing an event behind i overwrites it */
        pp_queue_place(q, i);
        if (i == tail)
            return;
    }
}

/* Moves the base to next_ps, which pp_queue_next gave, and takes the first event of that time. */
static inline pp_event pp_queue_advance(pp_queue *q, uint64_t next_ps)
{
    const unsigned level = (unsigned)__builtin_ctzll(q->levels);
    const unsigned digit = (unsigned)__builtin_ctzll(q->used[level]);
    q->base_ps = next_ps;
    /* a lone event needs no dealing: the common case when few are pending */
    if (level == 0 || q->slot[level][digit].head == q->slot[level][digit].tail)
        return pp_queue_take(q, level, digit);
    pp_queue_deal(q, level, digit);
    return pp_queue_take(q, 0, (unsigned)next_ps & (PP_QUEUE_SLOTS - 1));
}

/* Takes the next event whose time is the base; false when there is none. */
static inline bool pp_queue_pop(pp_queue *q, pp_event *out)
{
    const unsigned digit = (unsigned)q->base_ps & (PP_QUEUE_SLOTS - 1);
    if (!(q->used[0] >> digit & 1))
        return false;
    *out = pp_queue_take(q, 0, digit);
    return true;
}

#ifdef __cplusplus
}
#endif
#endif
