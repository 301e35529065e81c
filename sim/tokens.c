/* The token simulator's events: actors fire, packets take hops, tokens leave.
 *
 * Results of an actor leave in the order of its tokens. So a server that only one actor or hop uses needs no
 * event: its requests come in order and are served when they are known, be it ahead of time. Where several
 * share a server, each request is an event. The loop is the kernel's queue without its table of handlers; with setup->kernel the same
 * functions run on pp_kernel (the tests compare both). */
#include "sim/tokens_internal.h"

#include <stdlib.h>
#include <string.h>

pp_status pp_token_sim_schedule(pp_token_sim *s, uint64_t time_ps, uint32_t handler, uint32_t index, uint64_t payload)
{
    const uint32_t target = PP_TARGET(handler, index);
    if (handler == PP_TOKEN_HOP)
        __builtin_prefetch(&s->step[index]);
    return s->kernel != NULL ? pp_kernel_schedule(s->kernel, time_ps, target, payload)
                             : pp_queue_push(&s->queue, time_ps, target, payload);
}

/* ---- inputs of an actor ---- */

/* Doubles the slots until `token` has one of its own beside those from `oldest` on. */
static pp_status grow_slots(pp_token_actor_state *a, uint64_t oldest, uint64_t token)
{
    uint64_t mask = a->mask;
    while (token - oldest > mask)
        mask = 2 * mask + 1;
    pp_token_slot *grown = pp_calloc(mask + 1, sizeof *grown);
    if (grown == NULL)
        return PP_ENOMEM;
    for (uint64_t n = oldest; n <= oldest + a->mask; n++)
        grown[n & mask] = a->slot[n & a->mask];
    pp_token_sim_slots_free(a);
    a->slot = grown;
    a->mask = mask;
    return PP_OK;
}

/* Now if its server is its own, else by an event. Chains of such starts are cut where they get deep. */
static pp_status start(pp_token_sim *s, uint32_t actor, uint64_t token, uint64_t time_ps)
{
    enum { DEEPEST = 256 };
    if (s->shared[s->actor[actor].server] || s->depth == DEEPEST)
        return pp_token_sim_schedule(s, time_ps, PP_TOKEN_FIRE, actor, token);
    s->depth++;
    const pp_status status = pp_token_sim_fire(s, actor, token, time_ps);
    s->depth--;
    return status;
}

static pp_status ready(pp_token_sim *s, uint32_t actor, uint64_t token, uint64_t time_ps)
{
    pp_token_actor_state *a = &s->actor[actor];
    a->slot[token & a->mask].arrived = 0;
    a->ready_ps = time_ps > a->ready_ps ? time_ps : a->ready_ps;
    return start(s, actor, token, a->ready_ps);
}

static bool complete(const pp_token_sim *s, uint32_t actor, uint64_t token)
{
    const pp_token_actor_state *a = &s->actor[actor];
    return token < s->entered && token - a->next <= a->mask &&
           a->slot[token & a->mask].arrived == a->inputs;
}

/* Tokens that are complete become ready in order, each not before the one ahead of it. */
static pp_status ready_in_order(pp_token_sim *s, uint32_t actor)
{
    pp_token_actor_state *a = &s->actor[actor];
    for (; complete(s, actor, a->next); a->next++)
        PP_TRY(ready(s, actor, a->next, a->slot[a->next & a->mask].time_ps));
    return PP_OK;
}

/* The tokens of a sequence become ready together, when its last one is complete. */
static pp_status ready_sequence(pp_token_sim *s, uint32_t actor)
{
    pp_token_actor_state *a = &s->actor[actor];
    for (uint64_t n = a->next; complete(s, actor, n); n++) {
        const pp_token_flight f = pp_token_sim_flight(s, n);
        if (f.position + 1 != s->setup->sequence[f.sequence].prompt)
            continue;
        const uint64_t time_ps = a->slot[n & a->mask].time_ps;
        for (; a->next <= n; a->next++)
            PP_TRY(ready(s, actor, a->next, time_ps));
    }
    return PP_OK;
}

/* A packet of `token` is there from time_ps (now or later) on. */
static pp_status arrive(pp_token_sim *s, uint32_t actor, uint64_t token, uint64_t time_ps)
{
    pp_token_actor_state *a = &s->actor[actor];
    if (a->slot == NULL)
        return start(s, actor, token, time_ps);
    const uint64_t oldest = a->order == PP_TOKEN_SUBSTREAM ? s->left : a->next;
    if (token - oldest > a->mask)
        PP_TRY(grow_slots(a, oldest, token));
    pp_token_slot *slot = &a->slot[token & a->mask];
    slot->time_ps = slot->arrived == 0 || time_ps > slot->time_ps ? time_ps : slot->time_ps;
    if (++slot->arrived < a->inputs)
        return PP_OK;
    if (a->order == PP_TOKEN_SUBSTREAM)
        return ready(s, actor, token, slot->time_ps);
    return a->order == PP_TOKEN_IN_ORDER ? ready_in_order(s, actor) : ready_sequence(s, actor);
}

/* ---- servers ---- */

/* Takes the server from time_ps or when it is free; when that is. */
static inline uint64_t take(pp_token_sim *s, uint32_t server, uint64_t time_ps, uint64_t busy_ps)
{
    pp_token_server_state *v = &s->server[server];
    uint64_t *free_ps = &v->free_ps;
    if (s->copies != NULL && s->copies[server].free_ps != NULL) {
        pp_token_copies *c = &s->copies[server];
        free_ps = &c->free_ps[c->turn];
        c->turn = c->turn + 1 == c->copies ? 0 : c->turn + 1;
    }
    const uint64_t start_ps = *free_ps > time_ps ? *free_ps : time_ps;
    *free_ps = start_ps + busy_ps;
    v->counters.served++;
    v->counters.busy_ps += busy_ps;
    v->counters.wait_ps += start_ps - time_ps;
    return start_ps;
}

/* ---- observation ---- */

static void tell(const pp_token_sim *s, pp_token_busy *b, uint64_t start_ps, uint64_t busy_ps)
{
    const pp_token_copies *c = s->copies != NULL ? &s->copies[b->server] : NULL;
    if (c != NULL && c->free_ps != NULL) /* its turn has gone on already */
        b->copy = c->turn > 0 ? c->turn - 1 : c->copies - 1;
    b->ready_ps += s->skipped_ps;
    b->start_ps = start_ps + s->skipped_ps;
    b->end_ps = b->start_ps + busy_ps;
    s->setup->watch(s->setup->watcher, b);
}

static bool watched(const pp_token_sim *s, uint64_t token)
{
    return s->setup->watch != NULL && token - s->setup->watch_from < s->setup->watch_to - s->setup->watch_from;
}

/* A packet on its way back has no token number any more: the last one of its sequence. */
static void tell_packet(const pp_token_sim *s, uint32_t hop, uint64_t payload, uint64_t ready_ps, uint64_t start_ps)
{
    const pp_token_hop *h = &s->net->hop[hop];
    pp_token_busy b = {.ready_ps = ready_ps, .token = payload, .actor = PP_NONE, .hop = hop, .server = h->server};
    if (payload & PP_TOKEN_RETURNS) {
        b.sequence = (uint32_t)payload;
        b.token = s->seq[b.sequence].token;
        b.position = s->seq[b.sequence].next - 1;
    } else {
        const pp_token_flight f = pp_token_sim_flight(s, payload);
        b.sequence = f.sequence;
        b.position = f.position;
    }
    if (watched(s, b.token))
        tell(s, &b, start_ps, h->busy_ps);
}

/* Takes the server of a step for a packet. */
static inline uint64_t take_step(pp_token_sim *s, const pp_token_step *x, uint64_t payload, uint64_t time_ps)
{
    const uint64_t start_ps = take(s, x->server, time_ps, x->busy_ps);
    if (s->setup->watch != NULL && (watched(s, payload) || (payload & PP_TOKEN_RETURNS)))
        tell_packet(s, s->step_hop[x - s->step], payload, time_ps, start_ps);
    return start_ps;
}

/* ---- hops ---- */

static pp_status deliver(pp_token_sim *s, uint32_t to, uint64_t payload, uint64_t time_ps)
{
    return to == PP_TOKEN_BACK ? pp_token_sim_schedule(s, time_ps, PP_TOKEN_RETURN, 0, payload)
                               : arrive(s, to, payload, time_ps);
}

/* What stands at a step's end, when its head is there. */
static pp_status go_on(pp_token_sim *s, const pp_token_step *x, uint64_t payload, uint64_t head_ps)
{
    if (x->to != PP_NONE)
        PP_TRY(deliver(s, x->to, payload, head_ps + x->tail_ps));
    for (uint32_t i = x->child; i < x->child + x->n_children; i++)
        PP_TRY(pp_token_sim_request(s, i, payload, head_ps));
    return PP_OK;
}

static pp_status pass(pp_token_sim *s, const pp_token_step *x, uint64_t payload, uint64_t time_ps)
{
    const uint64_t start_ps = x->server == PP_NONE ? time_ps : take_step(s, x, payload, time_ps);
    const uint64_t held_ps = s->net->together && x->server != PP_NONE && x->to == PP_NONE ? x->tail_ps : 0;
    return go_on(s, x, payload, start_ps + held_ps + x->go_ps);
}

/* Whether an event for now would be the next one to fire. */
static bool nothing_else_now(const pp_token_sim *s)
{
    return s->kernel == NULL && !(s->queue.used[0] >> (s->now_ps & (PP_QUEUE_SLOTS - 1)) & 1);
}

/* A chain of servers that one result needs side by side: all are asked here, those that it needs later ahead of time. */
static pp_status pass_together(pp_token_sim *s, const pp_token_step *x, uint64_t payload)
{
    uint64_t ask_ps = s->now_ps, latest_ps = s->now_ps;
    for (;; x = &s->step[x->child]) {
        const uint64_t done_ps = take_step(s, x, payload, ask_ps) + x->tail_ps;
        latest_ps = done_ps > latest_ps ? done_ps : latest_ps;
        if (!x->chained)
            return go_on(s, x, payload, latest_ps + x->go_ps);
        ask_ps += x->go_ps;
    }
}

/* A step's event. Where the next step's request would be the next event, it is served at once. */
static pp_status pass_now(pp_token_sim *s, const pp_token_step *x, uint64_t payload)
{
    const uint64_t now_ps = s->now_ps;
    for (;; x = &s->step[x->child]) {
        const uint64_t start_ps = take_step(s, x, payload, now_ps);
        if (!x->chained || start_ps != now_ps || !nothing_else_now(s))
            return go_on(s, x, payload, start_ps + x->go_ps);
        s->events++;
    }
}

static const uint32_t *choice_of(pp_token_sim *s, uint64_t token, uint32_t block)
{
    const uint64_t at = s->net->first_token ? 0 : (token + UINT64_C(0x9e3779b1) * block) % PP_TOKEN_CHOICES;
    uint32_t *chosen = s->chosen + at * s->net->experts_per_token;
    pp_token_choice *c = &s->choice[at];
    if (!c->drawn || c->token != token || c->block != block) {
        const pp_token_flight f = pp_token_sim_flight(s, token);
        pp_token_experts(chosen, s->net, s->setup->seed, block, f.sequence, f.position);
        *c = (pp_token_choice){token, block, !s->net->first_token}; /* where it is cheap, and repetition renumbers tokens, not kept */
    }
    return chosen;
}

static bool chose(pp_token_sim *s, uint64_t token, uint32_t block, uint32_t expert)
{
    if (s->setup->expert > 0)
        return expert == (s->setup->expert - 1 + pp_token_sim_flight(s, token).sequence) % s->net->experts;
    const uint32_t *chosen = choice_of(s, token, block);
    for (uint32_t k = 0; k < s->net->experts_per_token; k++) {
        if (chosen[k] == expert)
            return true;
    }
    return false;
}

/* What a step will touch. */
static inline void prefetch(const pp_token_sim *s, const pp_token_step *x)
{
    if (x->server != PP_NONE)
        __builtin_prefetch(&s->server[x->server], 1);
    if (x->to < s->net->n_actors) {
        __builtin_prefetch(&s->actor[x->to], 1);
        __builtin_prefetch(&s->slots[(size_t)x->to * PP_TOKEN_SLOTS], 1);
    }
}

static bool wanted(pp_token_sim *s, uint32_t step, uint64_t token)
{
    const pp_token_hop *h = &s->net->hop[s->step_hop[step]];
    return chose(s, token, h->block, h->expert);
}

pp_status pp_token_sim_request(pp_token_sim *s, uint32_t step, uint64_t payload, uint64_t time_ps)
{
    const pp_token_step *x = &s->step[step];
    prefetch(s, x + PP_TOKEN_STEPS_AHEAD);
    if (x->expert && !wanted(s, step, payload))
        return PP_OK;
    return x->event ? pp_token_sim_schedule(s, time_ps, PP_TOKEN_HOP, step, payload) : pass(s, x, payload, time_ps);
}

/* ---- actors ---- */

static uint64_t work_ps(const pp_token_sim *s, const pp_token_actor *def, uint64_t token)
{
    if (def->work == PP_NONE)
        return 0;
    const size_t row = (size_t)def->work * (s->net->max_context + 1);
    return s->net->work_ps[row + pp_token_sim_context(s, pp_token_sim_flight(s, token))];
}

pp_status pp_token_sim_fire(pp_token_sim *s, uint32_t actor, uint64_t token, uint64_t time_ps)
{
    const pp_token_actor *def = &s->net->actor[actor];
    pp_token_actor_state *a = &s->actor[actor];
    const uint64_t work = work_ps(s, def, token);
    const uint64_t start_ps = take(s, def->server, time_ps, def->interval_ps + work);
    const uint64_t done_ps = start_ps + def->latency_ps + work;
    s->starts++;
    pp_token_counters *c = &s->result->actor[actor];
    c->served++;
    c->busy_ps += def->interval_ps + work;
    c->wait_ps += start_ps - time_ps;
    a->done_ps = done_ps > a->done_ps ? done_ps : a->done_ps;
    if (watched(s, token)) {
        const pp_token_flight f = pp_token_sim_flight(s, token);
        pp_token_busy b = {.ready_ps = time_ps, .token = token, .actor = actor, .hop = PP_NONE, .server = def->server,
                           .sequence = f.sequence, .position = f.position};
        tell(s, &b, start_ps, def->interval_ps + work);
    }
    if (s->setup->fired != NULL) {
        const pp_token_flight f = pp_token_sim_flight(s, token);
        PP_TRY(s->setup->fired(s->setup->payload, actor, f.sequence, f.position));
    }
    if (actor == s->net->sink)
        return pp_token_sim_schedule(s, a->done_ps, PP_TOKEN_LEAVE, 0, token);
    for (uint32_t i = 0; i < a->n_steps; i++)
        PP_TRY(pp_token_sim_request(s, a->step_first + i, token, a->done_ps));
    return PP_OK;
}

/* ---- the loop ---- */

static pp_status handle(pp_token_sim *s, uint32_t handler, uint32_t index, uint64_t payload)
{
    s->events++;
    switch (handler) {
    case PP_TOKEN_FIRE:
        return pp_token_sim_fire(s, index, payload, s->now_ps);
    case PP_TOKEN_HOP:
        return s->net->together ? pass_together(s, &s->step[index], payload) : pass_now(s, &s->step[index], payload);
    case PP_TOKEN_LEAVE:
        return pp_token_sim_left(s, payload);
    case PP_TOKEN_WAKE:
        s->waking = false;
        return pp_token_sim_enter(s);
    case PP_TOKEN_RETURN:
        return pp_token_sim_returned(s, (uint32_t)payload);
    default:
        pp_token_sim_arrive(s, (uint32_t)payload);
        return pp_token_sim_enter(s);
    }
}

/* Large networks do not fit the caches: what the events of the slot that is dealt out next will read is asked for. */
static void prefetch_events(const pp_token_sim *s)
{
    const pp_queue *q = &s->queue;
    if (q->levels == 0 || (q->levels & 1))
        return;
    const unsigned level = (unsigned)__builtin_ctzll(q->levels);
    if (level > 1)
        return;
    const unsigned digit = (unsigned)__builtin_ctzll(q->used[level]);
    const uint32_t tail = q->slot[level][digit].tail;
    for (uint32_t i = q->slot[level][digit].head;; i = q->event[i].next) {
        const uint32_t index = PP_TARGET_INDEX(q->event[i].target);
        if (PP_TARGET_HANDLER(q->event[i].target) == PP_TOKEN_HOP)
            prefetch(s, &s->step[index]);
        if (i == tail)
            return;
    }
}

/* Arrivals wait beside the queue: theirs is absolute time, which a jump must not move. They come before
 * other events of the same time. */
static pp_status own_loop(pp_token_sim *s)
{
    const pp_token_setup *setup = s->setup;
    for (;;) {
        prefetch_events(s);
        uint64_t next_ps = pp_queue_next(&s->queue);
        if (s->arrived < setup->n_sequences) {
            const uint64_t absolute_ps = setup->sequence[s->arrived].arrival_ps;
            const uint64_t arrival_ps = absolute_ps > s->skipped_ps ? absolute_ps - s->skipped_ps : 0;
            if (arrival_ps <= next_ps) {
                s->now_ps = arrival_ps > s->now_ps ? arrival_ps : s->now_ps;
                PP_TRY(handle(s, PP_TOKEN_ARRIVE, 0, s->arrived));
                continue;
            }
        }
        if (next_ps == PP_TIME_NEVER)
            return PP_OK;
        s->now_ps = next_ps;
        pp_event e = pp_queue_advance(&s->queue, next_ps);
        do
            PP_TRY(handle(s, PP_TARGET_HANDLER(e.target), PP_TARGET_INDEX(e.target), e.payload));
        while (pp_queue_pop(&s->queue, &e));
    }
}

#define KERNEL_HANDLER(name, handler)                                                    \
    static pp_status name(void *model, pp_kernel *k, uint32_t index, uint64_t payload)   \
    {                                                                                    \
        pp_token_sim *s = model;                                                            \
        s->now_ps = pp_kernel_now(k);                                                    \
        return handle(s, handler, index, payload);                                       \
    }
KERNEL_HANDLER(on_fire, PP_TOKEN_FIRE)
KERNEL_HANDLER(on_hop, PP_TOKEN_HOP)
KERNEL_HANDLER(on_leave, PP_TOKEN_LEAVE)
KERNEL_HANDLER(on_wake, PP_TOKEN_WAKE)
KERNEL_HANDLER(on_return, PP_TOKEN_RETURN)
KERNEL_HANDLER(on_arrive, PP_TOKEN_ARRIVE)

static pp_status kernel_loop(pp_token_sim *s)
{
    static const pp_handler handlers[PP_TOKEN_HANDLERS] = {on_fire, on_hop, on_leave, on_wake, on_return, on_arrive};
    PP_TRY(pp_kernel_new(&s->kernel, (pp_kernel_kind)(s->setup->kernel - 1), s, handlers, PP_TOKEN_HANDLERS));
    for (uint32_t i = 0; i < s->setup->n_sequences; i++)
        PP_TRY(pp_token_sim_schedule(s, s->setup->sequence[i].arrival_ps, PP_TOKEN_ARRIVE, 0, i));
    return pp_kernel_run(s->kernel, PP_TIME_NEVER - 1);
}

/* ---- setting up ---- */

static pp_status new_copies(pp_token_sim *s, size_t copies)
{
    const pp_token_net *net = s->net;
    s->copies = pp_calloc(net->n_servers, sizeof *s->copies);
    s->server_free = pp_calloc(copies, sizeof *s->server_free);
    if (s->copies == NULL || s->server_free == NULL)
        return PP_ENOMEM;
    copies = 0;
    for (uint32_t i = 0; i < net->n_servers; i++) {
        s->copies[i].free_ps = net->server_copies[i] > 1 ? s->server_free + copies : NULL;
        s->copies[i].copies = net->server_copies[i];
        copies += net->server_copies[i];
    }
    return PP_OK;
}

static pp_status new_servers(pp_token_sim *s)
{
    const pp_token_net *net = s->net;
    size_t copies = 0;
    for (uint32_t i = 0; i < net->n_servers; i++)
        copies += net->server_copies[i];
    s->server = pp_alloc_aligned(net->n_servers, sizeof *s->server);
    if (s->server == NULL)
        return PP_ENOMEM;
    return copies > net->n_servers ? new_copies(s, copies) : PP_OK;
}

static pp_status new_result(pp_token_sim *s)
{
    pp_token_result *r = s->result = pp_calloc(1, sizeof *r);
    if (r == NULL)
        return PP_ENOMEM;
    r->n_actors = s->net->n_actors;
    r->n_servers = s->net->n_servers;
    r->n_sequences = s->setup->n_sequences;
    r->actor = pp_calloc(r->n_actors, sizeof *r->actor);
    r->server = pp_calloc(r->n_servers, sizeof *r->server);
    r->sequence = pp_calloc(r->n_sequences, sizeof *r->sequence);
    return r->actor != NULL && r->server != NULL && r->sequence != NULL ? PP_OK : PP_ENOMEM;
}

static void free_state(pp_token_sim *s)
{
    pp_token_sim_steps_free(s);
    pp_kernel_free(s->kernel);
    pp_queue_free(&s->queue);
    pp_token_sim_source_free(s);
    pp_token_sim_repeat_free(s->repeat);
    free(s->server);
    free(s->copies);
    free(s->server_free);
    free(s->chosen);
    free(s->choice);
    free(s->leave.data);
}

static pp_status simulate(pp_token_sim *s)
{
    PP_TRY(new_result(s));
    PP_TRY(pp_token_sim_source_new(s));
    PP_TRY(new_servers(s));
    PP_TRY(pp_token_sim_steps_new(s));
    if (s->net->experts > 0) {
        s->chosen = pp_calloc((size_t)PP_TOKEN_CHOICES * s->net->experts_per_token, sizeof *s->chosen);
        s->choice = pp_calloc(PP_TOKEN_CHOICES, sizeof *s->choice);
    }
    if (s->net->experts > 0 && (s->chosen == NULL || s->choice == NULL))
        return PP_ENOMEM;
    if (!s->setup->exact && s->setup->kernel == 0 && (s->net->experts == 0 || s->net->first_token))
        PP_TRY(pp_token_sim_repeat_new(s));
    PP_TRY(s->setup->kernel == 0 ? own_loop(s) : kernel_loop(s));
    return pp_token_sim_finish(s);
}

pp_status pp_simulate_tokens(pp_token_result **out, const pp_token_net *net, const pp_token_setup *setup)
{
    pp_token_sim s = {.net = net, .setup = setup};
    const double start_s = pp_clock_s();
    *out = NULL;
    pp_queue_init(&s.queue);
    pp_status status = simulate(&s);
    if (status == PP_OK) {
        s.result->simulate_s = pp_clock_s() - start_s;
        *out = s.result;
        s.result = NULL;
    }
    pp_token_result_free(s.result);
    free_state(&s);
    return status;
}

void pp_token_result_free(pp_token_result *r)
{
    if (r == NULL)
        return;
    free(r->actor);
    free(r->server);
    free(r->sequence);
    free(r->leave);
    free(r);
}
