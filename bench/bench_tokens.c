/* The token simulator: services (starts of actors, packets on servers) per second against the same model on pp_kernel, and what repetition saves.
 *
 * Blocks of nine actors, eleven edges and three shared channels; prompts, decoding and both. Each scenario runs with
 * extrapolation, without, and on the native kernel; leaves must be the same. Times are CPU time, the
 * best of three.
 *
 * usage: pp_bench_tokens [BLOCKS [SEQUENCES]] */
#include "sim/tokens.h"
#include "workloads/network.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ACTORS = 9, EDGES = 11, SHARED = 3, CONTEXT = 4096, LANES = 32 };

typedef struct model {
    pp_token_net net;
    uint32_t hops, servers;
} model;

static uint32_t own_server(model *m)
{
    m->net.server_copies[m->servers] = 1;
    return m->servers++;
}

static void put_edge(model *m, uint32_t from, uint32_t to, uint32_t server)
{
    pp_token_actor *a = &m->net.actor[from];
    if (a->n_hops++ == 0)
        a->hop_first = m->hops;
    m->net.hop[m->hops++] = (pp_token_hop){20000, 5000, 20000, server, to, 0, 0, PP_NONE, 0, 0};
    m->net.actor[to].inputs++;
}

/* norm and q, k, v in front of attention; o, add, up, down, add behind it. `in` is the block's first actor - 1. */
static void put_block(model *m, uint32_t first)
{
    static const uint8_t from[EDGES] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7}, to[EDGES] = {1, 2, 3, 6, 4, 4, 4, 5, 6, 7, 8};
    uint32_t shared[SHARED];
    for (int i = 0; i < SHARED; i++)
        shared[i] = own_server(m);
    for (uint32_t i = 0; i < ACTORS; i++) {
        const bool matrix = i == 1 || i == 2 || i == 3 || i == 5 || i == 7;
        m->net.actor[first + i] = (pp_token_actor){.interval_ps = matrix ? 100000 : 8000, .latency_ps = matrix ? 130000 : 8000,
                                                   .work = i == 4 ? 0 : PP_NONE, .server = own_server(m)};
    }
    if (first > 0)
        put_edge(m, first - 1, first, own_server(m));
    for (int e = 0; e < EDGES; e++)
        put_edge(m, first + from[e], first + to[e], e % 3 == 0 ? shared[e / 3 % SHARED] : own_server(m));
}

static pp_status make(model *m, uint32_t blocks)
{
    pp_token_net *net = &m->net;
    net->n_actors = blocks * ACTORS;
    net->actor = pp_calloc(net->n_actors, sizeof *net->actor);
    net->hop = pp_calloc((size_t)blocks * (EDGES + 1), sizeof *net->hop);
    net->server_copies = pp_calloc((size_t)blocks * (ACTORS + EDGES + 1 + SHARED), sizeof *net->server_copies);
    net->work_ps = pp_calloc(CONTEXT + 1, sizeof *net->work_ps);
    if (!net->actor || !net->hop || !net->server_copies || !net->work_ps)
        return PP_ENOMEM;
    net->n_works = 1;
    net->max_context = CONTEXT;
    for (uint32_t c = 1; c <= CONTEXT; c++)
        net->work_ps[c] = 1000 * (uint64_t)((c + LANES - 1) / LANES);
    for (uint32_t b = 0; b < blocks; b++)
        put_block(m, b * ACTORS);
    net->sink = net->n_actors - 1;
    net->n_hops = m->hops;
    net->n_servers = m->servers;
    return pp_token_net_check(net);
}

/* Best of three. */
static pp_status timed(pp_token_result **out, const pp_token_net *net, const pp_token_setup *setup)
{
    *out = NULL;
    for (int i = 0; i < 3; i++) {
        pp_token_result *r = NULL;
        const clock_t start = clock();
        PP_TRY(pp_simulate_tokens(&r, net, setup));
        r->simulate_s = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (*out != NULL && (*out)->simulate_s < r->simulate_s)
            r->simulate_s = (*out)->simulate_s;
        pp_token_result_free(*out);
        *out = r;
    }
    return PP_OK;
}

static pp_status bench(const char *name, const pp_token_net *net, pp_token_setup setup)
{
    pp_token_result *fast = NULL, *full = NULL, *kernel = NULL;
    pp_status status;
    PP_GOTO(done, status, timed(&fast, net, &setup));
    setup.exact = true;
    PP_GOTO(done, status, timed(&full, net, &setup));
    setup.kernel = 1;
    PP_GOTO(done, status, timed(&kernel, net, &setup));
    if (fast->trace_hash != full->trace_hash || full->trace_hash != kernel->trace_hash)
        status = pp_fail(PP_EINTERNAL, "%s: results differ", name);
    printf("%-8s %9" PRIu64 " %12" PRIu64 " %12" PRIu64 " %9.1f %9.1f %7.2f %11.1f %%  %8.3f %8.3f %7.1f\n", name, full->n_leaves, full->events,
           full->services, (double)full->services / full->simulate_s * 1e-6, (double)kernel->services / kernel->simulate_s * 1e-6,
           kernel->simulate_s / full->simulate_s, 100 * fast->extrapolated_share, full->simulate_s, fast->simulate_s,
           full->simulate_s / fast->simulate_s);
done:
    pp_token_result_free(fast);
    pp_token_result_free(full);
    pp_token_result_free(kernel);
    return status;
}

static pp_status run(uint32_t blocks, uint32_t n)
{
    model m = {0};
    pp_token_sequence *q = pp_calloc(n, sizeof *q);
    pp_status status = q != NULL ? make(&m, blocks) : PP_ENOMEM;
    static const struct {
        const char *name;
        int scenario;
        uint32_t prompt, decode;
    } cases[] = {{"prefill", PP_SCENARIO_PREFILL, 512, 0}, {"decode", PP_SCENARIO_DECODE, 512, 512}, {"mixed", PP_SCENARIO_MIXED, 256, 256}};
    printf("%u blocks, %u actors, %u sequences; attention in steps of %d tokens\n\n", blocks, m.net.n_actors, n, LANES);
    printf("scenario    tokens       events     services   M sv/s   kernel   ratio   repeated    all s   jumps s   ratio\n");
    for (size_t c = 0; c < sizeof cases / sizeof *cases && status == PP_OK; c++) {
        for (uint32_t i = 0; i < n; i++)
            q[i] = (pp_token_sequence){0, cases[c].prompt, cases[c].decode};
        status = bench(cases[c].name, &m.net, (pp_token_setup){.sequence = q, .n_sequences = n, .scenario = cases[c].scenario});
    }
    pp_token_net_free(&m.net);
    free(q);
    return status;
}

int main(int argc, char **argv)
{
    const uint32_t blocks = argc > 1 ? (uint32_t)atoi(argv[1]) : 16, n = argc > 2 ? (uint32_t)atoi(argv[2]) : 16;
    if (blocks < 1 || blocks > 1000 || n < 1 || n > 10000) {
        fprintf(stderr, "usage: pp_bench_tokens [BLOCKS [SEQUENCES]]\n");
        return 2;
    }
    if (run(blocks, n) == PP_OK)
        return 0;
    fprintf(stderr, "pp_bench_tokens: %s\n", pp_error_text());
    return 1;
}
