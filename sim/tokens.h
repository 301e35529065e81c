/* Time of language models: tokens as a stream through actors (docs/llm-timing.md).
 *
 * An actor is an operator of one block (a lockstep group: tiles that fire together), or, expanded, one tile.
 * A token passes all actors that it needs in the order in which it entered; attention takes longer with the
 * context. A pp_token_net says who feeds whom; sim/tokens_lm.h builds it from a mapping. The simulation is
 * driven by events; where the pipeline repeats itself, found by its whole state, the repetitions are put in
 * without being simulated, and every figure is the same as if they had been. */
#ifndef PP_SIM_TOKENS_H
#define PP_SIM_TOKENS_H

#include "base/base.h"

/* ---- the network of actors ---- */

typedef enum pp_token_order {
    PP_TOKEN_IN_ORDER,     /* takes tokens in the order in which they entered */
    PP_TOKEN_SUBSTREAM,    /* takes those that come (an expert), in the order in which they come */
    PP_TOKEN_WHOLE_SEQUENCE /* starts with a sequence when its last token is there (attention of encoders) */
} pp_token_order;

typedef struct pp_token_actor {
    uint64_t interval_ps; /* its server is taken that long for a token */
    uint64_t latency_ps;  /* start to result */
    uint32_t work;        /* row of work_ps: added to interval and latency; PP_NONE: none */
    uint32_t server;      /* actors (and hops) with the same server share it, first come first served */
    uint32_t inputs;      /* arrivals that make a token ready (experts: of the chosen ones); 0: the source */
    uint32_t order;       /* pp_token_order */
    uint32_t hop_first, n_hops; /* its result leaves on these roots */
    uint32_t label;       /* what it belongs to in reports; the simulation does not read it */
} pp_token_actor;

/* A step on the way of a result; the steps of one result form trees. The head of the packet waits for the
 * server, which is then taken for busy_ps; it comes to the hop's end latency_ps after it got the server; the
 * packet is complete there tail_ps later. Example, virtual cut-through: busy = tail = serialisation. */
typedef struct pp_token_hop {
    uint64_t busy_ps, latency_ps, tail_ps;
    uint32_t server;      /* PP_NONE: nothing to wait for */
    uint32_t to;          /* actor that receives the packet at this hop's end; PP_NONE; PP_TOKEN_BACK */
    uint32_t child_first, n_children; /* hops that go on from here */
    uint32_t expert;      /* taken only by tokens that chose this expert in `block`; PP_NONE: by all */
    uint32_t block;
    uint64_t after_ps;    /* behind another hop of a chain (net.together): asked that much later than that one */
} pp_token_hop;
#define PP_TOKEN_BACK (UINT32_MAX - 1) /* the sampled token is back at the source */

typedef struct pp_token_net {
    uint32_t n_actors, n_hops, n_servers;
    pp_token_actor *actor;
    pp_token_hop *hop;
    uint32_t *server_copies; /* [n_servers] >= 1: takes that many at once, in turn */
    uint32_t source, sink;  /* tokens enter at source; when sink has finished one it has left */
    uint32_t back_first, n_back; /* roots that bring a sampled token to the source; n_back 0: it is there at once */
    uint32_t n_works, max_context;
    uint64_t *work_ps;      /* [n_works][max_context + 1]: by context (tokens attended to), 1 .. max_context;
                               does not fall with the context */
    uint32_t experts, experts_per_token; /* 0: none */
    double *expert_weight;  /* [experts] > 0: how often one is chosen */
    bool first_token;       /* not drawn: the first token of a sequence takes expert 0, the others 1 */
    bool together;          /* hops of servers right behind each other (no latency, nothing beside them) are a chain: each is
                               asked after_ps after the one before it was asked, got or not; what follows goes on when each
                               has been got for tail_ps */
    bool encoder;           /* no decoding; the context of every token is its sequence */
    uint64_t kv_bytes_token;   /* keys and values of one token, everywhere together */
    uint64_t kv_tokens_max;    /* tokens for which there is room; 0: no limit */
} pp_token_net;

/* Every index in range, trees are trees, no cycle, every actor fed. */
pp_status pp_token_net_check(const pp_token_net *net);
void pp_token_net_free(pp_token_net *net); /* what it points to; NULL allowed */

/* What no simulation beats, for tokens with `context` tokens to attend to. O(actors + hops). */
typedef struct pp_token_bounds {
    uint64_t interval_ps; /* busy time a token of the busiest server, over its copies */
    uint32_t server;      /* that one */
    uint64_t latency_ps;  /* longest path, source to sink: a token alone in the pipeline */
    uint64_t back_ps;     /* way of a sampled token back; latency + back: decode time per token of one sequence */
} pp_token_bounds;
pp_status pp_token_bounds_at(pp_token_bounds *out, const pp_token_net *net, uint32_t context);

/* ---- the scenario: knobs of section "workload" ---- */

typedef enum pp_token_scenario {
    PP_SCENARIO_MIXED,   /* prompts, then decoding */
    PP_SCENARIO_PREFILL, /* prompts alone */
    PP_SCENARIO_DECODE   /* prompts are in the KV cache when the time begins */
} pp_token_scenario;
typedef enum pp_token_arrivals { PP_ARRIVE_AT_ONCE, PP_ARRIVE_POISSON, PP_ARRIVE_TRACE } pp_token_arrivals;

/* Paced: not more often than the interval that the busiest server allows at one token of context. Free: as soon as the
 * source takes one; queues then form where the pipeline is slow. */
typedef enum pp_token_entry { PP_ENTRY_PACED, PP_ENTRY_FREE } pp_token_entry;

typedef struct pp_token_options {
    int scenario;           /* pp_token_scenario */
    int64_t sequences, prompt_tokens, decode_tokens;
    int arrivals;           /* pp_token_arrivals */
    double arrival_rate;    /* sequences a second */
    const char *trace;      /* CSV: arrival in seconds, prompt tokens, decode tokens */
    int64_t prefill_chunk;  /* prompt tokens of one sequence before the next one's turn; 0: all */
    int entry;              /* pp_token_entry */
    int64_t in_flight;      /* most tokens in the pipeline; 0: pp_token_fill_loaded */
} pp_token_options;
pp_knob_table pp_token_knobs(void);

typedef struct pp_token_sequence {
    uint64_t arrival_ps;
    uint32_t prompt, decode;
} pp_token_sequence;
/* The sequences of a scenario, by time of arrival; new array of *n. Poisson times come from `seed`. A bad
 * trace is PP_EFORMAT with file and line. */
pp_status pp_token_sequences(pp_token_sequence **out, uint32_t *n, const pp_token_options *options, uint64_t seed);

/* ---- the simulation ---- */

/* Who was busy with what: an actor with a token, or a server (a channel) with a packet of it. */
typedef struct pp_token_busy {
    uint64_t ready_ps;      /* inputs complete; packet asked for the server */
    uint64_t start_ps, end_ps; /* server taken: [start, end) */
    uint64_t token;         /* number in the order of entry */
    uint32_t actor;         /* that fires; PP_NONE: a packet */
    uint32_t hop;           /* packet: the step that it takes; PP_NONE: a firing */
    uint32_t server, copy;  /* copy: of the server, in turn */
    uint32_t sequence, position; /* of the token; of a packet on the way back: the token that it was sampled behind */
} pp_token_busy;

typedef struct pp_token_setup {
    const pp_token_sequence *sequence;
    uint32_t n_sequences;
    int scenario;           /* pp_token_scenario */
    uint32_t prefill_chunk; /* 0: all */
    uint64_t in_flight;     /* 0: pp_token_fill and an eighth */
    uint64_t entry_ps;      /* least time between tokens that enter, beside what the source takes */
    uint64_t seed;          /* of the choice of experts */
    uint32_t expert;        /* 1 + the one that tokens of sequence 0 take in every block, and no other; of the next sequence the
                               next one, round and round. The net's inputs must be for one. 0: drawn */
    bool exact;             /* true: nothing is extrapolated */
    int kernel;             /* 0: own loop; 1 + pp_kernel_kind: that kernel, never extrapolates */
    pp_progress *progress;  /* NULL allowed; a step a token */
    /* Called when an actor has all inputs of a token, in the order of events (NULL allowed); needs `exact`. */
    pp_status (*fired)(void *payload, uint32_t actor, uint32_t sequence, uint32_t position);
    void (*left)(void *payload, uint32_t sequence, uint32_t position); /* as it leaves; its sequence's memory is free after the last */
    void *payload;
    /* Called for every firing and packet of the tokens [watch_from, watch_to) when its start is known, which may be
     * ahead of time (NULL allowed). What is extrapolated is not seen: `exact` to see all. */
    void (*watch)(void *watcher, const pp_token_busy *busy);
    void *watcher;
    uint64_t watch_from, watch_to;
} pp_token_setup;

/* Tokens that fill the pipeline: smallest number with which the busiest resource never waits, the largest
 * over contexts 1 .. max_context (sampled at powers of two and at max_context). At least one sequence for
 * encoders. */
pp_status pp_token_fill(uint64_t *out, const pp_token_net *net, uint32_t max_context);

/* Tokens that fill it under load, too, where tokens wait for each other: the fewest of 1, 1.25, 1.5, 2 and 3 times
 * pp_token_fill and an eighth with which prompts are within 2 % as quick as with the most. Tried with the first sequences
 * of the setup (all there at once; prompts of twice the tokens of the longest one, but 6 to 48 fillings of the pipeline, and 16
 * decoded tokens of each at most). Decoding alone: the most, since nobody's prompt is delayed by it.
 * 0 for setups that cannot be simulated. */
pp_status pp_token_fill_loaded(uint64_t *out, const pp_token_net *net, const pp_token_setup *setup);

/* Adds to count[max_context + 1] how many tokens of the setup attend to how many. */
void pp_token_contexts(uint64_t *count, const pp_token_net *net, const pp_token_setup *setup);

typedef struct pp_token_leave {
    uint64_t time_ps;
    uint32_t sequence, position;
    uint32_t in_flight;     /* tokens in the pipeline just before */
    uint32_t kv_tokens;     /* in the cache just before */
} pp_token_leave;

typedef struct pp_token_counters {
    uint64_t served, busy_ps, wait_ps; /* wait_ps: ready and the server not free, summed */
} pp_token_counters;

typedef struct pp_token_spread {
    double mean, p50, p95, p99, max;
} pp_token_spread;

typedef struct pp_token_times {
    uint64_t enter_ps;       /* its first token enters */
    uint64_t first_token_ps; /* its first sampled token is there */
    uint64_t done_ps;
} pp_token_times;

typedef struct pp_token_result {
    uint32_t n_actors, n_servers, n_sequences;
    pp_token_counters *actor, *server; /* actors' servers count in both */
    pp_token_times *sequence;   /* in the order of the setup */
    pp_token_leave *leave;      /* every token, in the order in which they leave */
    uint64_t n_leaves;
    uint64_t prefill_tokens, decode_tokens;
    uint64_t first_arrival_ps, end_ps;
    uint64_t in_flight_limit, in_flight_high;
    double tokens_s;            /* all tokens / (end - first arrival) */
    double prefill_tokens_s;    /* prompt tokens / (last prompt token left - first arrival); 0: none */
    double decode_tokens_s;     /* decoded tokens / (end - first sampled token); 0: none */
    pp_token_spread first_token_s;  /* time to first token: arrival to first sampled token, over sequences */
    pp_token_spread output_token_s; /* time per output token: (done - first token) / tokens after it */
    uint64_t kv_tokens_high, kv_tokens_end; /* most; before the last token leaves */
    uint32_t sequences_high;    /* most sequences at work at once */
    uint64_t bound_ps;          /* no run of these tokens ends earlier than this after the first arrival */
    uint64_t events;            /* simulated ones */
    uint64_t services;          /* starts of actors and packets on servers, extrapolated ones included; many need no event */
    uint64_t trace_hash;        /* of the leaves */
    uint64_t extrapolated_tokens;
    double extrapolated_share;  /* of all tokens */
    uint32_t jumps;             /* how often repetition was found */
    double simulate_s;          /* wall clock; never in reports */
} pp_token_result;

/* PP_EINFEASIBLE: a sequence that does not fit the KV memory or is longer than max_context, or fewer tokens
 * in flight than an encoder's sequence. PP_EINVAL: no sequence, decoding by an encoder. *out is the caller's. */
pp_status pp_simulate_tokens(pp_token_result **out, const pp_token_net *net, const pp_token_setup *setup);
void pp_token_result_free(pp_token_result *r); /* NULL allowed */

/* The experts of a token, distinct, ascending: chosen[experts_per_token]. Without replacement, by weight; or by the
 * token's position. */
void pp_token_experts(uint32_t *chosen, const pp_token_net *net, uint64_t seed, uint32_t block, uint32_t sequence,
                      uint32_t position);

#endif
