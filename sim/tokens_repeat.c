/* A token pipeline that repeats itself: found by its whole state, never assumed.
 *
 * Looked for at two kinds of moments, always before a token enters:
 *   rounds     the lowest sequence that is not done lets a token in, again. Homologous tokens belong to the
 *              same sequence, some positions on; attention takes the same time for both (work is a step
 *              function of the context). Jumps end where a step, a prompt or a sequence would end.
 *   sequences  a new sequence of the same lengths begins its prompt. Homologous tokens have the same
 *              position in sequences that follow each other. Jumps end with the last sequence that waits.
 * The state is written down as words relative to now, to the number of tokens entered and to the sequence: if
 * they are the same as at the moment before (and nothing arrives meanwhile), what follows is the same, too.
 * A jump leaves events and times of the state as they are and moves the origin of time instead; positions,
 * sequences, counters and the list of tokens that left move on. */
#include "sim/tokens_internal.h"

#include <stdlib.h>
#include <string.h>

typedef PP_VEC(uint64_t) words;

typedef enum moment { ROUND, SEQUENCE, MOMENTS } moment;

/* Everything that is compared or counted between two moments. */
typedef struct snapshot {
    bool valid;
    words state;
    uint64_t *counters;      /* [n_counters] */
    uint64_t time_ps;        /* of results */
    uint64_t entered, services;
    size_t leaves;
    uint32_t sequence;       /* that lets a token in */
    uint32_t lowest, waiting;
    words next;              /* of sequences [lowest, waiting) */
} snapshot;

typedef struct pending {
    uint64_t time_ps, payload;
    uint32_t target, order;
} pending;

struct pp_token_repeat {
    snapshot last[MOMENTS], now;
    size_t n_counters;
    uint32_t *same_from;     /* [n_sequences] first of the sequences in a row that have its lengths */
    PP_VEC(pending) pending;
};

/* ---- the state in words ---- */

typedef struct writer {
    const pp_token_sim *s;
    words *to;
    uint32_t base;           /* sequence that counts as 0 */
    bool by_position;        /* positions as they are; else by what they decide */
    bool ok;
} writer;

static void put(writer *w, uint64_t v)
{
    w->ok = w->ok && pp_push(w->to, v);
}

/* A time that only matters when it is still to come. */
static void put_future(writer *w, uint64_t time_ps)
{
    put(w, time_ps > w->s->now_ps ? time_ps - w->s->now_ps : 0);
}

static void put_sequence(writer *w, uint32_t i)
{
    put(w, (uint64_t)i - w->base);
}

/* What a position decides: attention's time, whether a token is sampled behind it, whether it is the last. */
static void put_position(writer *w, uint32_t sequence, uint32_t position)
{
    const pp_token_sim *s = w->s;
    const pp_token_sequence *q = &s->setup->sequence[sequence];
    if (w->by_position) {
        put(w, position);
        return;
    }
    put(w, (uint64_t)(position + 1 >= q->prompt) << 1 | (position + 1 >= q->prompt + q->decode));
    for (uint32_t i = 0; i < s->net->n_works; i++) {
        const size_t row = (size_t)i * (s->net->max_context + 1);
        put(w, position < s->net->max_context ? s->net->work_ps[row + position + 1] : 0);
    }
}

static void put_servers(writer *w)
{
    for (uint32_t i = 0; i < w->s->net->n_servers; i++) {
        const pp_token_copies *v = w->s->copies != NULL ? &w->s->copies[i] : NULL;
        if (v == NULL || v->free_ps == NULL)
            put_future(w, w->s->server[i].free_ps);
        for (uint32_t c = 0; v != NULL && v->free_ps != NULL && c < v->copies; c++)
            put_future(w, v->free_ps[(v->turn + c) % v->copies]);
    }
}

static void put_actors(writer *w)
{
    const pp_token_sim *s = w->s;
    for (uint32_t i = 0; i < s->net->n_actors; i++) {
        const pp_token_actor_state *a = &s->actor[i];
        put_future(w, a->done_ps);
        if (a->slot == NULL)
            continue;
        put_future(w, a->ready_ps);
        put(w, s->entered - a->next);
        for (uint64_t n = a->next; n < s->entered; n++) {
            const bool there = n - a->next <= a->mask;
            const pp_token_slot slot = there ? a->slot[n & a->mask] : (pp_token_slot){0};
            put(w, slot.arrived);
            put_future(w, slot.arrived > 0 ? slot.time_ps : 0);
        }
    }
}

static void put_tokens(writer *w)
{
    const pp_token_sim *s = w->s;
    put(w, s->entered - s->left);
    for (uint64_t n = s->left; n < s->entered; n++) {
        const pp_token_flight f = pp_token_sim_flight(s, n);
        put_sequence(w, f.sequence);
        put_position(w, f.sequence, f.position);
    }
}

static void put_fifo(writer *w, const pp_token_fifo *q)
{
    put(w, q->len);
    for (uint32_t i = 0; i < q->len; i++)
        put_sequence(w, pp_token_sim_fifo_at(q, i));
}

static void put_source(writer *w)
{
    const pp_token_sim *s = w->s;
    put_fifo(w, &s->ready);
    put_fifo(w, &s->prefill);
    put(w, s->waking);
    put_future(w, s->next_entry_ps);
    put(w, s->chunk_left);
    put(w, s->active);
    put(w, s->kv_reserved);
    if (w->by_position)
        put(w, s->kv_tokens);
    put_sequence(w, s->lowest);
    put_sequence(w, s->waiting);
    for (uint32_t i = s->lowest; i < s->waiting; i++) {
        put(w, s->seq[i].phase);
        put_position(w, i, s->seq[i].next);
    }
}

/* ---- pending events, in the order in which they will fire ---- */

static int fires_before(const void *a, const void *b)
{
    const pending *x = a, *y = b;
    if (x->time_ps != y->time_ps)
        return x->time_ps < y->time_ps ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Calls `visit` on every waiting event; those of one time in the order in which they fire. */
static bool each_event(pp_queue *q, bool (*visit)(void *arg, pp_event *e), void *arg)
{
    for (unsigned level = 0; level < PP_QUEUE_LEVELS; level++) {
        for (unsigned digit = 0; digit < PP_QUEUE_SLOTS; digit++) {
            if (!(q->used[level] >> digit & 1))
                continue;
            for (uint32_t i = q->slot[level][digit].head;; i = q->event[i].next) {
                if (!visit(arg, &q->event[i]))
                    return false;
                if (i == q->slot[level][digit].tail)
                    break;
            }
        }
    }
    return true;
}

static bool collect(void *arg, pp_event *e)
{
    pp_token_repeat *r = arg;
    const pending p = {e->time_ps, e->payload, e->target, (uint32_t)r->pending.len};
    return pp_push(&r->pending, p);
}

/* Whether the payload names a sequence on its way back rather than a token. */
static bool names_sequence(uint32_t target, uint64_t payload)
{
    return PP_TARGET_HANDLER(target) == PP_TOKEN_RETURN || (payload & PP_TOKEN_RETURNS) != 0;
}

static void put_events(writer *w, pp_token_sim *s, pp_token_repeat *r)
{
    r->pending.len = 0;
    w->ok = w->ok && each_event(&s->queue, collect, r);
    if (r->pending.len > 0)
        qsort(r->pending.data, r->pending.len, sizeof *r->pending.data, fires_before);
    for (size_t i = 0; i < r->pending.len; i++) {
        const pending *p = &r->pending.data[i];
        put_future(w, p->time_ps);
        put(w, p->target);
        if (names_sequence(p->target, p->payload))
            put_sequence(w, (uint32_t)p->payload);
        else
            put(w, PP_TARGET_HANDLER(p->target) == PP_TOKEN_WAKE ? 0 : s->entered - p->payload);
    }
}

/* ---- snapshots ---- */

/* Events stand for services: there are at least as many of these. */
static uint64_t services_of(const pp_token_sim *s)
{
    return s->events + s->starts;
}

static void copy_counters(const pp_token_sim *s, uint64_t *out)
{
    memcpy(out, s->result->actor, s->net->n_actors * sizeof *s->result->actor);
    out += s->net->n_actors * (sizeof *s->result->actor / sizeof *out);
    for (uint32_t i = 0; i < s->net->n_servers; i++, out += 3)
        memcpy(out, &s->server[i].counters, sizeof s->server[i].counters);
}

static pp_status take(pp_token_sim *s, moment m, uint32_t sequence)
{
    pp_token_repeat *r = s->repeat;
    snapshot *to = &r->now;
    to->state.len = to->next.len = 0;
    writer w = {s, &to->state, m == SEQUENCE ? sequence : 0, m == SEQUENCE, true};
    put_source(&w);
    put_tokens(&w);
    put_servers(&w);
    put_actors(&w);
    put_events(&w, s, r);
    for (uint32_t i = s->lowest; i < s->waiting; i++)
        w.ok = w.ok && pp_push(&to->next, s->seq[i].next);
    if (!w.ok)
        return PP_ENOMEM;
    copy_counters(s, to->counters);
    to->valid = true;
    to->time_ps = s->now_ps + s->skipped_ps;
    to->entered = s->entered;
    to->services = services_of(s);
    to->leaves = s->leave.len;
    to->sequence = sequence;
    to->lowest = s->lowest;
    to->waiting = s->waiting;
    return PP_OK;
}

static bool same_state(const snapshot *a, const snapshot *b)
{
    return a->valid && a->state.len == b->state.len &&
           memcmp(a->state.data, b->state.data, a->state.len * sizeof *a->state.data) == 0;
}

/* ---- how far a jump may go ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Periods before the next arrival. */
static uint64_t until_arrival(const pp_token_sim *s, uint64_t period_ps)
{
    if (s->arrived == s->setup->n_sequences)
        return UINT64_MAX;
    const uint64_t arrival_ps = s->setup->sequence[s->arrived].arrival_ps, now_ps = s->now_ps + s->skipped_ps;
    return arrival_ps > now_ps ? (arrival_ps - now_ps - 1) / period_ps : 0;
}

/* Last context, at most `limit`, with the same attention times. */
static uint64_t same_work_until(const pp_token_net *net, uint64_t context, uint64_t limit)
{
    for (; context < limit; context++) {
        for (uint32_t i = 0; i < net->n_works; i++) {
            const uint64_t *ps = net->work_ps + (size_t)i * (net->max_context + 1);
            if (ps[context] != ps[context + 1])
                return context;
        }
    }
    return context;
}

/* Lowest position of a sequence that was or is in the pipeline since the last snapshot. */
static uint32_t lowest_position(const pp_token_sim *s, uint32_t sequence, uint32_t first)
{
    for (uint64_t n = s->left; n < s->entered; n++) {
        const pp_token_flight f = pp_token_sim_flight(s, n);
        if (f.sequence == sequence && f.position < first)
            first = f.position;
    }
    return first;
}

/* Periods that one sequence may go on: within its prompt or its decoding, all tokens with the same attention times. */
static uint64_t rounds_of(const pp_token_sim *s, uint32_t i, uint32_t before)
{
    const uint32_t next = s->seq[i].next, moves = next - before;
    if (moves == 0)
        return UINT64_MAX;
    const pp_token_sequence *q = &s->setup->sequence[i];
    const uint32_t end = s->seq[i].phase == PP_SEQ_PREFILL ? q->prompt : q->prompt + q->decode;
    const uint64_t room = (end - next - 1) / moves;
    /* contexts are positions + 1; those in flight at the last snapshot were up to one period lower */
    const uint32_t low = lowest_position(s, i, before), lowest = low > moves ? low - moves : 0;
    const uint64_t until = same_work_until(s->net, lowest + 1, next + room * moves);
    return until >= next ? least(room, (until - next) / moves) : 0;
}

static uint64_t rounds(const pp_token_sim *s, const snapshot *a)
{
    uint64_t k = UINT64_MAX;
    if (s->net->encoder || a->lowest != s->lowest || a->waiting != s->waiting)
        return 0;
    for (uint32_t i = s->lowest; i < s->waiting; i++) {
        if (s->seq[i].phase != PP_SEQ_DONE)
            k = least(k, rounds_of(s, i, (uint32_t)a->next.data[i - a->lowest]));
    }
    return k;
}

static uint64_t sequences(const pp_token_sim *s, const pp_token_repeat *r, const snapshot *a, uint32_t sequence)
{
    const uint32_t step = sequence - a->sequence;
    uint64_t k = (s->arrived - 1 - sequence) / step;
    while (k > 0 && r->same_from[sequence + k * step] > a->lowest)
        k--;
    return k;
}

/* ---- the jump ---- */

typedef struct leap {
    uint64_t times, period_ps;
    uint64_t entered;        /* tokens a period */
    uint32_t sequences;      /* a period; 0: rounds */
    const snapshot *from;
} leap;

static void add_counters(pp_token_counters *c, const uint64_t *before, uint64_t times)
{
    c->served += times * (c->served - before[0]);
    c->busy_ps += times * (c->busy_ps - before[1]);
    c->wait_ps += times * (c->wait_ps - before[2]);
}
static_assert(sizeof(pp_token_counters) == 3 * sizeof(uint64_t), "counters are copied as words");

static uint32_t moves_of(const pp_token_sim *s, const leap *l, uint32_t sequence)
{
    return l->sequences > 0 ? 0 : s->seq[sequence].next - (uint32_t)l->from->next.data[sequence - l->from->lowest];
}

/* The tokens that left in the last period, again and again. */
static pp_status repeat_leaves(pp_token_sim *s, const leap *l)
{
    const size_t first = l->from->leaves, n = s->leave.len - first;
    for (uint64_t k = 1; k <= l->times; k++) {
        for (size_t i = 0; i < n; i++) {
            pp_token_leave leave = s->leave.data[first + i];
            leave.time_ps += k * l->period_ps;
            leave.position += (uint32_t)k * moves_of(s, l, leave.sequence);
            leave.sequence += (uint32_t)k * l->sequences;
            leave.kv_tokens += l->sequences > 0 ? 0 : (uint32_t)(k * l->entered);
            if (!pp_push(&s->leave, leave))
                return PP_ENOMEM;
        }
    }
    s->result->extrapolated_tokens += l->times * n;
    if (s->setup->progress != NULL)
        pp_progress_step(s->setup->progress, l->times * n);
    return PP_OK;
}

static void move_rounds(pp_token_sim *s, const leap *l)
{
    for (uint64_t n = s->left; n < s->entered; n++) {
        pp_token_flight *f = &s->flight[n & s->flight_mask];
        f->position += (uint32_t)l->times * moves_of(s, l, f->sequence);
    }
    for (uint32_t i = s->lowest; i < s->waiting; i++) {
        if (s->seq[i].phase != PP_SEQ_DONE)
            s->seq[i].next += (uint32_t)l->times * moves_of(s, l, i);
    }
    s->kv_tokens += l->times * l->entered;
    s->kv_high = s->kv_tokens > s->kv_high ? s->kv_tokens : s->kv_high;
}

static bool shift_event(void *arg, pp_event *e)
{
    if (names_sequence(e->target, e->payload))
        e->payload += *(const uint32_t *)arg;
    return true;
}

static void shift_fifo(pp_token_fifo *q, uint32_t by)
{
    for (uint32_t i = 0; i < q->len; i++)
        q->data[(q->head + i) % q->cap] += by;
}

static void move_sequences(pp_token_sim *s, const leap *l)
{
    uint32_t by = (uint32_t)l->times * l->sequences;
    for (uint32_t i = l->from->sequence; i < s->waiting - 1; i++) {
        for (uint64_t k = 1; k <= l->times; k++)
            s->result->sequence[i + k * l->sequences].enter_ps = s->result->sequence[i].enter_ps + k * l->period_ps;
    }
    for (uint64_t n = s->left; n < s->entered; n++)
        s->flight[n & s->flight_mask].sequence += by;
    for (uint32_t i = s->waiting; i-- > s->lowest;)
        s->seq[i + by] = s->seq[i];
    for (uint32_t i = s->lowest; i < s->lowest + by; i++)
        s->seq[i].phase = PP_SEQ_DONE;
    s->lowest += by;
    s->waiting += by;
    shift_fifo(&s->ready, by);
    shift_fifo(&s->prefill, by);
    each_event(&s->queue, shift_event, &by);
}

static pp_status jump(pp_token_sim *s, const leap *l)
{
    const uint64_t *before = l->from->counters;
    for (uint32_t i = 0; i < s->net->n_actors; i++, before += 3)
        add_counters(&s->result->actor[i], before, l->times);
    for (uint32_t i = 0; i < s->net->n_servers; i++, before += 3)
        add_counters(&s->server[i].counters, before, l->times);
    PP_TRY(repeat_leaves(s, l));
    if (l->sequences > 0)
        move_sequences(s, l);
    else
        move_rounds(s, l);
    s->skipped_ps += l->times * l->period_ps;
    s->result->jumps++;
    return PP_OK;
}

/* ---- looking ---- */

static pp_status compare(pp_token_sim *s, moment m, uint32_t sequence)
{
    pp_token_repeat *r = s->repeat;
    snapshot *a = &r->last[m], swap;
    PP_TRY(take(s, m, sequence));
    const bool same = same_state(a, &r->now) && r->now.time_ps > a->time_ps;
    if (same) {
        leap l = {.period_ps = r->now.time_ps - a->time_ps, .entered = r->now.entered - a->entered, .from = a};
        l.sequences = m == SEQUENCE ? sequence - a->sequence : 0;
        l.times = m == SEQUENCE ? sequences(s, r, a, sequence) : rounds(s, a);
        l.times = least(l.times, until_arrival(s, l.period_ps));
        if (l.times > 0) {
            PP_TRY(jump(s, &l));
            r->last[ROUND].valid = r->last[SEQUENCE].valid = false;
            return PP_OK;
        }
    }
    swap = *a;
    *a = r->now;
    r->now = swap;
    return PP_OK;
}

pp_status pp_token_sim_repeat_look(pp_token_sim *s, uint32_t sequence)
{
    pp_token_repeat *r = s->repeat;
    if (s->setup->prefill_chunk == 0 && s->seq[sequence].phase == PP_SEQ_PREFILL && s->seq[sequence].next == 0)
        return compare(s, SEQUENCE, sequence);
    /* Where attention takes longer with every token nothing repeats. Elsewhere: not more words written down than a few
     * times the services since the last time. */
    const uint64_t context = s->seq[sequence].next + UINT64_C(1);
    if (sequence != s->lowest || s->net->encoder || context >= s->net->max_context ||
        same_work_until(s->net, context, context + 1) == context)
        return PP_OK;
    if (services_of(s) - r->last[ROUND].services < r->last[ROUND].state.len / 8)
        return PP_OK;
    return compare(s, ROUND, sequence);
}

/* ---- */

static pp_status new_snapshot(snapshot *a, size_t counters)
{
    a->counters = pp_calloc(counters, sizeof *a->counters);
    return a->counters != NULL ? PP_OK : PP_ENOMEM;
}

pp_status pp_token_sim_repeat_new(pp_token_sim *s)
{
    pp_token_repeat *r = s->repeat = pp_calloc(1, sizeof *r);
    if (r == NULL)
        return PP_ENOMEM;
    const pp_token_sequence *q = s->setup->sequence;
    r->n_counters = 3 * ((size_t)s->net->n_actors + s->net->n_servers);
    r->same_from = pp_calloc(s->setup->n_sequences, sizeof *r->same_from);
    for (uint32_t i = 1; r->same_from != NULL && i < s->setup->n_sequences; i++) {
        const bool same = q[i].prompt == q[i - 1].prompt && q[i].decode == q[i - 1].decode;
        r->same_from[i] = same ? r->same_from[i - 1] : i;
    }
    for (int m = 0; m < MOMENTS; m++)
        PP_TRY(new_snapshot(&r->last[m], r->n_counters));
    PP_TRY(new_snapshot(&r->now, r->n_counters));
    return r->same_from != NULL ? PP_OK : PP_ENOMEM;
}

static void free_snapshot(snapshot *a)
{
    free(a->state.data);
    free(a->next.data);
    free(a->counters);
}

void pp_token_sim_repeat_free(pp_token_repeat *r)
{
    if (r == NULL)
        return;
    for (int m = 0; m < MOMENTS; m++)
        free_snapshot(&r->last[m]);
    free_snapshot(&r->now);
    free(r->pending.data);
    free(r->same_from);
    free(r);
}
