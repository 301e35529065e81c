/* Small networks of actors, and a slow reference of the token simulator. */
#ifndef PP_TESTS_SIM_TOKENS_FIXTURE_H
#define PP_TESTS_SIM_TOKENS_FIXTURE_H

#include "sim/tokens.h"
#include "workloads/network.h"

#include <stdlib.h>

#define MAX_ACTORS 64
#define MAX_HOPS 512

typedef struct builder {
    pp_token_actor actor[MAX_ACTORS];
    pp_token_hop hop[MAX_HOPS];
    uint32_t copies[MAX_ACTORS + MAX_HOPS];
    uint32_t n_actors, n_hops, n_servers, n_works, max_context;
    uint64_t *work_ps;
} builder;

/* An actor with a server of its own. */
static inline uint32_t add_actor(builder *b, uint64_t interval_ps, uint64_t latency_ps, uint32_t copies)
{
    b->copies[b->n_servers] = copies;
    b->actor[b->n_actors] = (pp_token_actor){.interval_ps = interval_ps, .latency_ps = latency_ps, .work = PP_NONE,
                                             .server = b->n_servers++, .label = b->n_actors};
    return b->n_actors++;
}

/* All hops of an actor are added before those of the next one. server PP_NONE: one of its own. */
static inline uint32_t add_hop(builder *b, uint32_t from, uint32_t to, uint64_t busy_ps, uint64_t latency_ps, uint32_t server)
{
    if (server == PP_NONE) {
        b->copies[b->n_servers] = 1;
        server = b->n_servers++;
    }
    b->hop[b->n_hops] = (pp_token_hop){busy_ps, latency_ps, busy_ps, server, to, b->n_hops, 0, PP_NONE, 0, 0};
    if (b->actor[from].n_hops++ == 0)
        b->actor[from].hop_first = b->n_hops;
    if (to < MAX_ACTORS)
        b->actor[to].inputs++;
    return b->n_hops++;
}

/* Row of attention times: ceil(context / lanes) steps. */
static inline uint32_t add_work(builder *b, uint64_t step_ps, uint32_t lanes)
{
    b->work_ps = realloc(b->work_ps, (size_t)(b->n_works + 1) * (b->max_context + 1) * sizeof *b->work_ps);
    uint64_t *row = b->work_ps + (size_t)b->n_works * (b->max_context + 1);
    for (uint32_t c = 0; c <= b->max_context; c++)
        row[c] = step_ps * ((c + lanes - 1) / lanes);
    return b->n_works++;
}

/* Borrows from the builder. */
static inline pp_token_net net_of(builder *b, uint32_t sink)
{
    return (pp_token_net){.n_actors = b->n_actors, .n_hops = b->n_hops, .n_servers = b->n_servers, .actor = b->actor,
                          .hop = b->hop, .server_copies = b->copies, .source = 0, .sink = sink, .n_works = b->n_works,
                          .max_context = b->max_context, .work_ps = b->work_ps, .kv_bytes_token = 64};
}

/* The model of docs/llm-timing.md: embedding, two blocks of qkv, attention, o, ffn with the residual around each
 * half, head. All latencies in nanoseconds x 1000; attention: step_ps for each `lanes` tokens of context. */
enum { HAND_EMBED_PS = 10000, HAND_LINEAR_PS = 100000, HAND_LATENCY_PS = 130000, HAND_HOP_PS = 20000, HAND_WIRE_PS = 5000,
       HAND_ADD_PS = 4000, HAND_HEAD_PS = 100000, HAND_BACK_PS = 7000 };

static inline uint32_t hand_block(builder *b, uint32_t in, uint32_t work)
{
    const uint32_t qkv = add_actor(b, HAND_LINEAR_PS, HAND_LATENCY_PS, 1);
    const uint32_t attention = add_actor(b, 0, 0, 1);
    const uint32_t o = add_actor(b, HAND_LINEAR_PS, HAND_LATENCY_PS, 1);
    const uint32_t add = add_actor(b, HAND_ADD_PS, HAND_ADD_PS, 1);
    const uint32_t ffn = add_actor(b, HAND_LINEAR_PS, HAND_LATENCY_PS, 1);
    const uint32_t add2 = add_actor(b, HAND_ADD_PS, HAND_ADD_PS, 1);
    b->actor[attention].work = work;
    add_hop(b, in, qkv, HAND_HOP_PS, HAND_WIRE_PS, PP_NONE);
    add_hop(b, in, add, HAND_HOP_PS, HAND_WIRE_PS, PP_NONE);
    add_hop(b, qkv, attention, HAND_HOP_PS, HAND_WIRE_PS, PP_NONE);
    add_hop(b, attention, o, HAND_HOP_PS, HAND_WIRE_PS, PP_NONE);
    add_hop(b, o, add, HAND_HOP_PS, HAND_WIRE_PS, PP_NONE);
    add_hop(b, add, ffn, HAND_HOP_PS, HAND_WIRE_PS, PP_NONE);
    add_hop(b, add, add2, HAND_HOP_PS, HAND_WIRE_PS, PP_NONE);
    add_hop(b, ffn, add2, HAND_HOP_PS, HAND_WIRE_PS, PP_NONE);
    return add2;
}

static inline void hand_model(builder *b, pp_token_net *net, uint64_t step_ps, uint32_t lanes, uint32_t max_context)
{
    *b = (builder){.max_context = max_context};
    const uint32_t work = add_work(b, step_ps, lanes);
    const uint32_t embed = add_actor(b, HAND_EMBED_PS, HAND_EMBED_PS, 1);
    const uint32_t second = hand_block(b, hand_block(b, embed, work), work);
    const uint32_t head = add_actor(b, HAND_HEAD_PS, HAND_LATENCY_PS, 1);
    add_hop(b, second, head, HAND_HOP_PS, HAND_WIRE_PS, PP_NONE);
    *net = net_of(b, head);
    b->hop[b->n_hops] = (pp_token_hop){0, HAND_BACK_PS, 0, PP_NONE, PP_TOKEN_BACK, b->n_hops, 0, PP_NONE, 0, 0};
    net->back_first = b->n_hops++;
    net->n_back = 1;
    net->n_hops = b->n_hops;
}

/* ---- random networks ---- */

typedef struct random_spec {
    uint32_t blocks, max_context;
    bool shared;   /* some hops share servers, with each other and with actors */
    bool trees;    /* results branch on their way */
    bool copies;
    bool encoder;
} random_spec;

static inline uint32_t random_server(builder *b, pp_rng *r, const random_spec *spec, uint32_t first)
{
    if (!spec->shared || b->n_servers == first || pp_rng_below(r, 3) > 0)
        return PP_NONE;
    const uint32_t s = first + pp_rng_below(r, b->n_servers - first);
    return b->copies[s] == 1 ? s : PP_NONE;
}

/* Chain of blocks; in each a diamond with attention on one side. Times are small multiples, so that ties occur. */
static inline void random_model(builder *b, pp_token_net *net, const random_spec *spec, uint64_t seed)
{
    pp_rng r = pp_rng_make(seed, 77);
    *b = (builder){.max_context = spec->max_context};
    add_work(b, 30 * (1 + pp_rng_below(&r, 8)), 1 + pp_rng_below(&r, 12));
    uint32_t last = add_actor(b, 10 * pp_rng_below(&r, 6), 10 * pp_rng_below(&r, 6), 1);
    for (uint32_t k = 0; k < spec->blocks; k++) {
        const uint32_t first = b->n_servers;
        uint32_t a[4];
        for (int i = 0; i < 4; i++) {
            const uint64_t interval = 10 * (1 + pp_rng_below(&r, 20));
            a[i] = add_actor(b, interval, interval + 10 * pp_rng_below(&r, 10), spec->copies ? 1 + pp_rng_below(&r, 3) : 1);
        }
        b->actor[a[1]].work = 0;
        b->actor[a[1]].order = spec->encoder ? PP_TOKEN_WHOLE_SEQUENCE : PP_TOKEN_IN_ORDER;
        add_hop(b, last, a[0], 10 * (1 + pp_rng_below(&r, 9)), 5, random_server(b, &r, spec, first));
        add_hop(b, last, a[2], 10 * (1 + pp_rng_below(&r, 9)), 5, random_server(b, &r, spec, first));
        const uint32_t trunk = add_hop(b, a[0], a[1], 10 * (1 + pp_rng_below(&r, 9)), 15, random_server(b, &r, spec, first));
        if (spec->trees) { /* the same packet goes on to the join */
            const uint32_t child = b->n_hops;
            add_hop(b, a[0], a[3], 10 * (1 + pp_rng_below(&r, 9)), 5, random_server(b, &r, spec, first));
            b->actor[a[0]].n_hops--;
            b->hop[trunk].child_first = child;
            b->hop[trunk].n_children = 1;
        }
        add_hop(b, a[1], a[3], 10 * (1 + pp_rng_below(&r, 9)), 5, random_server(b, &r, spec, first));
        add_hop(b, a[2], a[3], 10 * (1 + pp_rng_below(&r, 9)), 5, random_server(b, &r, spec, first));
        last = a[3];
    }
    const uint32_t sink = add_actor(b, 10 * (1 + pp_rng_below(&r, 9)), 100, 1);
    add_hop(b, last, sink, 10, 5, PP_NONE);
    *net = net_of(b, sink);
    net->encoder = spec->encoder;
}

/* ---- slow and obvious: token by token, actor by actor; no server is shared, prompts or one sequence alone ---- */

/* done_ps[n_tokens] when each token has left. Actors stand in the order of their data; tokens enter one after the
 * other as soon as the source is free, or (decode) when the one before has left and come back. */
static inline void slow_tokens(const pp_token_net *net, const uint32_t *context, uint32_t n_tokens, bool decode,
                               uint64_t *done_ps)
{
    uint64_t *ready = calloc(net->n_actors, sizeof *ready);
    uint64_t(*free_at)[8] = calloc(net->n_servers, sizeof *free_at);
    uint64_t *last = calloc(net->n_actors, sizeof *last), *was_ready = calloc(net->n_actors, sizeof *was_ready);
    for (uint32_t t = 0; t < n_tokens; t++) {
        for (uint32_t a = 0; a < net->n_actors; a++)
            ready[a] = 0;
        if (decode && t > 0)
            ready[0] = done_ps[t - 1];
        for (uint32_t a = 0; a < net->n_actors; a++) {
            const pp_token_actor *d = &net->actor[a];
            const uint64_t work = d->work == PP_NONE ? 0 : net->work_ps[d->work * (net->max_context + 1) + context[t]];
            was_ready[a] = ready[a] > was_ready[a] ? ready[a] : was_ready[a]; /* in order */
            uint64_t *copy = &free_at[d->server][t % net->server_copies[d->server]];
            const uint64_t start = was_ready[a] > *copy ? was_ready[a] : *copy;
            *copy = start + d->interval_ps + work;
            const uint64_t done = start + d->latency_ps + work;
            last[a] = done > last[a] ? done : last[a];
            for (uint32_t h = d->hop_first; h < d->hop_first + d->n_hops; h++) {
                uint64_t head = last[a];
                for (const pp_token_hop *hop = &net->hop[h];; hop = &net->hop[hop->child_first]) {
                    uint64_t *channel = &free_at[hop->server][0];
                    const uint64_t begin = head > *channel ? head : *channel;
                    *channel = begin + hop->busy_ps;
                    head = begin + hop->latency_ps;
                    ready[hop->to] = head + hop->tail_ps > ready[hop->to] ? head + hop->tail_ps : ready[hop->to];
                    if (hop->n_children == 0)
                        break;
                }
            }
            if (a == net->sink)
                done_ps[t] = last[a];
        }
    }
    free(ready);
    free(free_at);
    free(last);
    free(was_ready);
}

#endif
