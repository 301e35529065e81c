/* How the tokens of a mixture spread over its experts. */
#include "workloads/lm_graph_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Exponential variates: shares of a uniformly random split. */
static void seeded(double *share, uint32_t n, uint64_t seed)
{
    pp_rng rng = pp_rng_make(seed, UINT64_C(0x65787065727473)); /* "experts" */
    for (uint32_t i = 0; i < n; i++)
        share[i] = -log(1.0 - pp_rng_uniform(&rng));
}

/* One number of the list behind *c; *c moves behind its comma. */
static bool next_number(const char **c, double *out)
{
    char text[64];
    const size_t span = strcspn(*c, ",");
    if (span == 0 || span >= sizeof text)
        return false;
    memcpy(text, *c, span);
    text[span] = '\0';
    *c += span + ((*c)[span] == ',');
    return pp_parse_f64(text, out) && *out >= 0.0;
}

static pp_status given(double *share, const pp_lm_config *c, const char *text)
{
    uint32_t n = 0;
    double value = 0.0;
    for (const char *at = text; *at != '\0'; n++) {
        if (!next_number(&at, &value))
            return pp_fail(PP_EFORMAT, "workload.experts: expected uniform, seeded or numbers set apart by commas, found "
                           "%.60s", text);
        if (n < c->experts)
            share[n] = value;
    }
    if (n != c->experts)
        return pp_fail(PP_EFORMAT, "workload.experts: %u numbers, but %s has %u experts", n, c->name, c->experts);
    return PP_OK;
}

static double total(const double *share, uint32_t n)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++)
        sum += share[i];
    return sum;
}

/* An expert is chosen once by a token at most: no share above 1/k. Seeded shares are drawn towards the mean until
 * that holds; given ones are refused. */
static pp_status cap(double *share, const pp_lm_config *c, bool draw)
{
    const uint32_t n = c->experts;
    const double most = 1.0 / c->experts_per_token, mean = 1.0 / n;
    double top = 0.0;
    for (uint32_t i = 0; i < n; i++)
        top = share[i] > top ? share[i] : top;
    if (top <= most * (1.0 + 1e-12))
        return PP_OK;
    if (!draw)
        return pp_fail(PP_EFORMAT, "workload.experts: one expert has %.4g of all choices, but each token chooses %u "
                       "different ones: at most %.4g", top, c->experts_per_token, most);
    const double pull = (most - mean) / (top - mean);
    for (uint32_t i = 0; i < n; i++)
        share[i] = mean + pull * (share[i] - mean);
    return PP_OK;
}

pp_status pp_lm_expert_shares(double *share, const pp_lm_config *c, const char *text, uint64_t seed)
{
    const bool draw = text && strcmp(text, "seeded") == 0;
    if (draw)
        seeded(share, c->experts, seed);
    else if (!text || strcmp(text, "uniform") == 0)
        for (uint32_t i = 0; i < c->experts; i++)
            share[i] = 1.0;
    else
        PP_TRY(given(share, c, text));
    const double sum = total(share, c->experts);
    if (!(sum > 0.0) || !isfinite(sum))
        return pp_fail(PP_EFORMAT, "workload.experts: the numbers add up to %g", sum);
    for (uint32_t i = 0; i < c->experts; i++)
        share[i] /= sum;
    return cap(share, c, draw);
}
