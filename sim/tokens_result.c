/* Figures of a run, all from the list of tokens that left. */
#include "sim/tokens_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nearest rank. */
static double percentile(const double *sorted, size_t n, double share)
{
    const size_t rank = (size_t)ceil(share * (double)n);
    return sorted[rank > 0 ? rank - 1 : 0];
}

/* Sorts v. */
static pp_token_spread spread_of(double *v, size_t n)
{
    pp_token_spread s = {0};
    if (n == 0)
        return s;
    qsort(v, n, sizeof *v, ascending);
    for (size_t i = 0; i < n; i++)
        s.mean += v[i];
    s.mean /= (double)n;
    s.p50 = percentile(v, n, 0.50);
    s.p95 = percentile(v, n, 0.95);
    s.p99 = percentile(v, n, 0.99);
    s.max = v[n - 1];
    return s;
}

/* First sampled token: that of the prompt's last one, or of the first decoded where prompts were cached. */
static void fill_sequences(pp_token_sim *s)
{
    pp_token_result *r = s->result;
    const bool cached = s->setup->scenario == PP_SCENARIO_DECODE;
    for (uint64_t i = 0; i < r->n_leaves; i++) {
        const pp_token_leave *l = &r->leave[i];
        const pp_token_sequence *q = &s->setup->sequence[l->sequence];
        pp_token_times *t = &r->sequence[l->sequence];
        const bool prompt = l->position < q->prompt;
        r->prefill_tokens += prompt;
        r->decode_tokens += !prompt;
        if (l->position == q->prompt - (cached ? 0 : 1))
            t->first_token_ps = l->time_ps;
        if (l->position + 1 == q->prompt + q->decode)
            t->done_ps = l->time_ps;
        r->end_ps = l->time_ps > r->end_ps ? l->time_ps : r->end_ps;
    }
}

static pp_status fill_spreads(pp_token_sim *s)
{
    pp_token_result *r = s->result;
    const uint32_t cached = s->setup->scenario == PP_SCENARIO_DECODE;
    double *first = pp_calloc(r->n_sequences, sizeof *first), *output = pp_calloc(r->n_sequences, sizeof *output);
    size_t n = 0;
    for (uint32_t i = 0; first != NULL && output != NULL && i < r->n_sequences; i++) {
        const pp_token_times *t = &r->sequence[i];
        first[i] = (double)(t->first_token_ps - s->setup->sequence[i].arrival_ps) * 1e-12;
        if (s->setup->sequence[i].decode > cached)
            output[n++] = (double)(t->done_ps - t->first_token_ps) * 1e-12 / (s->setup->sequence[i].decode - cached);
    }
    const bool ok = first != NULL && output != NULL;
    if (ok) {
        r->first_token_s = spread_of(first, r->n_sequences);
        r->output_token_s = spread_of(output, n);
    }
    free(first);
    free(output);
    return ok ? PP_OK : PP_ENOMEM;
}

static double rate(uint64_t tokens, uint64_t from_ps, uint64_t to_ps)
{
    return to_ps > from_ps ? (double)tokens / ((double)(to_ps - from_ps) * 1e-12) : 0;
}

static void fill_rates(pp_token_sim *s)
{
    pp_token_result *r = s->result;
    uint64_t prompts_ps = 0, sampled_ps = UINT64_MAX;
    for (uint64_t i = 0; i < r->n_leaves; i++) {
        const pp_token_leave *l = &r->leave[i];
        if (l->position < s->setup->sequence[l->sequence].prompt)
            prompts_ps = l->time_ps;
    }
    for (uint32_t i = 0; i < r->n_sequences; i++)
        sampled_ps = r->sequence[i].first_token_ps < sampled_ps ? r->sequence[i].first_token_ps : sampled_ps;
    /* Cached prompts: the first sampled token is a decoded one, and the clock runs from the beginning. */
    if (s->setup->scenario == PP_SCENARIO_DECODE)
        sampled_ps = r->first_arrival_ps;
    r->tokens_s = rate(r->n_leaves, r->first_arrival_ps, r->end_ps);
    r->prefill_tokens_s = r->prefill_tokens > 0 ? rate(r->prefill_tokens, r->first_arrival_ps, prompts_ps) : 0;
    r->decode_tokens_s = r->decode_tokens > 0 ? rate(r->decode_tokens, sampled_ps, r->end_ps) : 0;
}

pp_status pp_token_sim_finish(pp_token_sim *s)
{
    pp_token_result *r = s->result;
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < r->n_sequences; i++)
        wanted += s->setup->sequence[i].decode + (s->setup->scenario == PP_SCENARIO_DECODE ? 0 : s->setup->sequence[i].prompt);
    if (s->leave.len != wanted)
        return pp_fail(PP_EDEADLOCK, "%zu of %llu tokens left the pipeline", s->leave.len, (unsigned long long)wanted);
    r->leave = s->leave.data;
    r->n_leaves = s->leave.len;
    s->leave.data = NULL;
    r->first_arrival_ps = s->setup->sequence[0].arrival_ps;
    fill_sequences(s);
    PP_TRY(fill_spreads(s));
    fill_rates(s);
    r->in_flight_high = s->high;
    r->sequences_high = s->active_high;
    r->kv_tokens_high = s->kv_high;
    r->kv_tokens_end = r->leave[r->n_leaves - 1].kv_tokens;
    uint64_t services = 0;
    for (uint32_t i = 0; i < r->n_servers; i++) {
        r->server[i] = s->server[i].counters;
        services += r->server[i].served;
    }
    r->events = s->events;
    r->services = services;
    r->trace_hash = pp_fnv1a(PP_FNV_START, r->leave, r->n_leaves * sizeof *r->leave);
    r->extrapolated_share = (double)r->extrapolated_tokens / (double)r->n_leaves;
    return pp_token_sim_bound(&r->bound_ps, s->net, s->setup);
}
