/* Which experts a token takes: drawn by weight, without replacement, keyed by block, sequence and position. */
#include "sim/tokens_internal.h"

static bool is_chosen(const uint32_t *chosen, uint32_t n, uint32_t expert)
{
    for (uint32_t i = 0; i < n; i++) {
        if (chosen[i] == expert)
            return true;
    }
    return false;
}

/* One expert of those left; the last of them catches rounding. */
static uint32_t draw(const pp_token_net *net, const uint32_t *chosen, uint32_t n, double uniform)
{
    double sum = 0;
    uint32_t last = 0;
    for (uint32_t e = 0; e < net->experts; e++)
        sum += is_chosen(chosen, n, e) ? 0 : net->expert_weight[e];
    double at = uniform * sum;
    for (uint32_t e = 0; e < net->experts; e++) {
        if (is_chosen(chosen, n, e))
            continue;
        last = e;
        at -= net->expert_weight[e];
        if (at < 0)
            return e;
    }
    return last;
}

void pp_token_experts(uint32_t *chosen, const pp_token_net *net, uint64_t seed, uint32_t block, uint32_t sequence,
                      uint32_t position)
{
    if (net->first_token) {
        chosen[0] = position > 0;
        return;
    }
    const uint64_t key = seed * UINT64_C(0x9e3779b97f4a7c15) + block + UINT64_C(0x6d6f65);
    pp_rng rng = pp_rng_make(key, (uint64_t)sequence << 32 | position);
    for (uint32_t k = 0; k < net->experts_per_token; k++)
        chosen[k] = draw(net, chosen, k, pp_rng_uniform(&rng));
    for (uint32_t k = 1; k < net->experts_per_token; k++) { /* ascending: few, so insertion */
        for (uint32_t i = k; i > 0 && chosen[i] < chosen[i - 1]; i--) {
            const uint32_t swap = chosen[i];
            chosen[i] = chosen[i - 1];
            chosen[i - 1] = swap;
        }
    }
}
