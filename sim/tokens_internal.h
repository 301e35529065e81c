/* The token simulator's parts, seen by sim/tokens*.c alone. */
#ifndef PP_SIM_TOKENS_INTERNAL_H
#define PP_SIM_TOKENS_INTERNAL_H

#include "sim/kernel.h"
#include "sim/kernel_queue_internal.h"
#include "sim/tokens.h"
#include "workloads/network.h" /* PP_NONE */

#include <stdlib.h>

/* Events: target = handler and index, payload = token number (arrival: sequence). */
enum { PP_TOKEN_FIRE, PP_TOKEN_HOP, PP_TOKEN_LEAVE, PP_TOKEN_WAKE, PP_TOKEN_RETURN, PP_TOKEN_ARRIVE, PP_TOKEN_HANDLERS };
/* On its way back a packet's payload is its sequence with this bit: its token number is free by then. */
#define PP_TOKEN_RETURNS (UINT64_C(1) << 63)

/* What has come for a token at an actor with several inputs. */
typedef struct pp_token_slot {
    uint64_t time_ps; /* latest arrival so far */
    uint32_t arrived;
} pp_token_slot;

/* One line of memory. */
typedef struct pp_token_actor_state {
    pp_token_slot *slot;   /* [mask + 1] by token number; NULL when one input is all it needs and order comes by itself */
    uint64_t mask;
    uint64_t next;         /* in order: token that is to become ready next */
    uint64_t ready_ps;     /* when the token before it did */
    uint64_t done_ps;      /* results leave in order */
    uint32_t inputs, order, server;  /* as of the network's actor */
    uint32_t step_first, n_steps;    /* its result leaves on these */
} pp_token_actor_state;

/* 32 bytes: most of the work is to take servers. */
typedef struct pp_token_server_state {
    uint64_t free_ps;  /* of its one copy */
    pp_token_counters counters;
} pp_token_server_state;

/* Of servers with several copies. */
typedef struct pp_token_copies {
    uint64_t *free_ps; /* [copies]; NULL when there is one */
    uint32_t copies, turn;
} pp_token_copies;

enum { PP_TOKEN_SLOTS = 4 };       /* of an actor at first: a line of memory */
enum { PP_TOKEN_STEPS_AHEAD = 6 }; /* what is read so many steps later is asked for */
#define PP_TOKEN_STEPS_MAX ((UINT32_C(1) << 29) - 1)

/* A hop as the events take it. */
typedef struct pp_token_step {
    uint64_t busy_ps, tail_ps;
    uint64_t go_ps;        /* latency; of one that is chained in lockstep: the next one is asked that much later */
    uint32_t server, to;
    uint32_t child;        /* step */
    uint32_t n_children : 29;
    uint32_t expert : 1;   /* not of all tokens */
    uint32_t event : 1;    /* its request is one; else it is served when it is known */
    uint32_t chained : 1;  /* its child asks for a server behind no latency, and nothing else happens between the two */
} pp_token_step;

/* Whose choice of experts is kept: draws are many times as dear as what they decide. */
enum { PP_TOKEN_CHOICES = 4096 };
typedef struct pp_token_choice {
    uint64_t token;
    uint32_t block;
    bool drawn;
} pp_token_choice;

typedef struct pp_token_flight {
    uint32_t sequence, position;
} pp_token_flight;

typedef enum pp_token_phase { PP_SEQ_WAITING, PP_SEQ_PREFILL, PP_SEQ_BUSY, /* its token is in the pipeline */ PP_SEQ_READY, PP_SEQ_DONE } pp_token_phase;

typedef struct pp_token_seq_state {
    uint32_t next;  /* position that enters next */
    uint32_t phase;
    uint64_t token; /* number of the one that entered last */
} pp_token_seq_state;

/* Sequence numbers, first in, first out. */
typedef struct pp_token_fifo {
    uint32_t *data; /* [cap], cap = sequences: none is in twice */
    uint32_t head, len, cap;
} pp_token_fifo;

typedef struct pp_token_repeat pp_token_repeat;

typedef struct pp_token_sim {
    const pp_token_net *net;
    const pp_token_setup *setup;
    pp_kernel *kernel;      /* NULL: own loop over queue */
    pp_queue queue;
    uint64_t now_ps;        /* of the events; time in results is now_ps + skipped_ps */
    uint64_t skipped_ps;
    uint64_t events, starts; /* starts: of actors */
    uint32_t depth;         /* of actors started by one event, each by the one before */
    pp_token_actor_state *actor;
    pp_token_server_state *server;
    pp_token_copies *copies; /* [n_servers]; NULL: each server has one */
    uint64_t *server_free;  /* all copies, one after the other */
    bool *shared;           /* [n_servers] requests are events; others come in order by themselves */
    pp_token_slot *slots;   /* [n_actors][PP_TOKEN_SLOTS] until an actor has more */
    pp_token_step *step;    /* [n_hops + PP_TOKEN_STEPS_AHEAD] */
    uint32_t *step_hop;     /* [n_hops] hop of each */
    uint32_t back_first;    /* step */
    pp_token_flight *flight; /* [flight_mask + 1] by token number */
    uint64_t flight_mask, limit, entered, left, high;
    bool waking;
    uint64_t next_entry_ps;
    pp_token_seq_state *seq;
    pp_token_fifo ready, prefill;
    uint32_t chunk_left;
    uint32_t waiting, arrived; /* sequences [waiting, arrived) wait for admission */
    uint32_t active, active_high, lowest; /* lowest: first sequence that is not done */
    uint64_t kv_tokens, kv_high, kv_reserved;
    uint32_t *chosen;       /* [PP_TOKEN_CHOICES][experts_per_token] as drawn last, by token and block */
    pp_token_choice *choice; /* [PP_TOKEN_CHOICES] */
    pp_token_result *result;
    PP_VEC(pp_token_leave) leave;
    pp_token_repeat *repeat; /* NULL: exact */
} pp_token_sim;

/* Whether the hop's one child is the next of a chain (net->together). */
static inline bool pp_token_chained(const pp_token_net *net, const pp_token_hop *h)
{
    if (h->n_children != 1 || h->to != PP_NONE || h->latency_ps > 0 || h->server == PP_NONE)
        return false;
    const pp_token_hop *next = &net->hop[h->child_first];
    return next->server != PP_NONE && next->expert == h->expert;
}

/* All times of the network longer by a share of themselves. */
void pp_token_net_lengthen(pp_token_net *net, double margin);

pp_status pp_token_sim_schedule(pp_token_sim *s, uint64_t time_ps, uint32_t handler, uint32_t index, uint64_t payload);
/* Starts `actor` with `token`, whose inputs are there from time_ps on. */
pp_status pp_token_sim_fire(pp_token_sim *s, uint32_t actor, uint64_t token, uint64_t time_ps);

/* Actors, and hops as the events take them (tokens_steps.c). */
pp_status pp_token_sim_steps_new(pp_token_sim *s);
void pp_token_sim_steps_free(pp_token_sim *s);

/* Of an actor that has more than the first ones. */
static inline void pp_token_sim_slots_free(pp_token_actor_state *a)
{
    if (a->mask + 1 > PP_TOKEN_SLOTS)
        free(a->slot);
}

/* Sequences: arrival, admission, entry, exit (tokens_source.c). */
pp_status pp_token_sim_source_new(pp_token_sim *s);
void pp_token_sim_source_free(pp_token_sim *s);
void pp_token_sim_arrive(pp_token_sim *s, uint32_t sequence);
/* Lets tokens enter as long as there are some, the pipeline has room and the source is free. */
pp_status pp_token_sim_enter(pp_token_sim *s);
pp_status pp_token_sim_left(pp_token_sim *s, uint64_t token);
/* The sampled token of `sequence` is back at the source. */
pp_status pp_token_sim_returned(pp_token_sim *s, uint32_t sequence);
pp_status pp_token_sim_request(pp_token_sim *s, uint32_t step, uint64_t payload, uint64_t time_ps);

/* Context that a token attends to. */
static inline uint32_t pp_token_sim_context(const pp_token_sim *s, pp_token_flight f)
{
    return s->net->encoder ? s->setup->sequence[f.sequence].prompt : f.position + 1;
}
/* When the copy of a server that is next is free. */
static inline uint64_t *pp_token_sim_free(const pp_token_sim *s, uint32_t server)
{
    if (s->copies != NULL && s->copies[server].free_ps != NULL)
        return &s->copies[server].free_ps[s->copies[server].turn];
    return &s->server[server].free_ps;
}
static inline pp_token_flight pp_token_sim_flight(const pp_token_sim *s, uint64_t token)
{
    return s->flight[token & s->flight_mask];
}
static inline uint32_t pp_token_sim_fifo_at(const pp_token_fifo *q, uint32_t i)
{
    return q->data[(q->head + i) % q->cap];
}
static inline void pp_token_sim_fifo_push(pp_token_fifo *q, uint32_t v)
{
    q->data[(q->head + q->len++) % q->cap] = v;
}
static inline uint32_t pp_token_sim_fifo_pop(pp_token_fifo *q)
{
    const uint32_t v = q->data[q->head];
    q->head = (q->head + 1) % q->cap;
    q->len--;
    return v;
}

/* Repetition (tokens_repeat.c): `sequence` is about to let a token enter; may move the run ahead in time. */
pp_status pp_token_sim_repeat_new(pp_token_sim *s);
void pp_token_sim_repeat_free(pp_token_repeat *r);
pp_status pp_token_sim_repeat_look(pp_token_sim *s, uint32_t sequence);

/* pp_token_fill and an eighth (tokens_fill.c). */
pp_status pp_token_sim_idle_limit(uint64_t *out, const pp_token_net *net, const pp_token_setup *setup);

/* Figures from the leaves (tokens_result.c). */
pp_status pp_token_sim_finish(pp_token_sim *s);
/* Busy time that all tokens of the setup put on the busiest actor or server. */
pp_status pp_token_sim_bound(uint64_t *out, const pp_token_net *net, const pp_token_setup *setup);

#endif
