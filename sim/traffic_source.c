/* When a core creates packets: Bernoulli, Poisson, on-off, traces. Gaps are drawn instead of cycles. */
#include "sim/traffic_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pp_status pp_traffic_sizes(pp_traffic_options *o, const char *text)
{
    double sum = 0;
    o->n_sizes = 0;
    for (const char *at = text;;) {
        char *end;
        const unsigned long flits = strtoul(at, &end, 10);
        double share = 1;
        if (end == at || *at == '-' || flits < 1 || flits > 1000000 || o->n_sizes == 16)
            break;
        if (*end == ':') {
            at = end + 1;
            share = strtod(at, &end);
            if (end == at || !(share > 0) || !isfinite(share))
                break;
        }
        o->flits[o->n_sizes] = (uint32_t)flits;
        o->share[o->n_sizes++] = share;
        sum += share;
        if (*end == '\0') {
            for (uint32_t i = 0; i < o->n_sizes; i++)
                o->share[i] /= sum;
            return PP_OK;
        }
        if (*end != ',')
            break;
        at = end + 1;
    }
    return pp_fail(PP_EINVAL, "packet flits %.60s: expected a size from 1 to 1000000, or sizes with shares as in "
                              "1:0.6,8:0.4", text);
}

void pp_traffic_defaults(pp_traffic_options *o)
{
    *o = (pp_traffic_options){.rate = 0.1, .peak = 1, .burst = 50, .n_sizes = 1, .flits = {1}, .share = {1},
                              .seed = 1, .seeds = 1, .warmup = UINT64_MAX, .precision = 0.01, .latency_limit = 500};
}

static pp_status check(const pp_traffic_options *o)
{
    if (!(o->rate > 0) || o->rate > 1)
        return pp_fail(PP_ERANGE, "rate: expected flits a core and cycle above 0 and up to 1, found %g", o->rate);
    if (o->arrival == PP_ARRIVAL_ONOFF && (!(o->peak >= o->rate) || o->peak > 1 || !(o->burst >= 1)))
        return pp_fail(PP_ERANGE, "on-off injection: expected a peak from the rate (%g) to 1 and bursts of at least a "
                                  "cycle, found %g and %g", o->rate, o->peak, o->burst);
    return PP_OK;
}

pp_status pp_sources_new(pp_sources *s, const pp_fabric *fabric, const pp_pattern *pattern,
                         const pp_traffic_options *o, uint64_t seed)
{
    *s = (pp_sources){.pattern = pattern, .o = o, .n_cores = fabric->n_cores};
    if (pattern->kind != PP_PATTERN_TRACE)
        PP_TRY(check(o));
    for (uint32_t i = 0; i < o->n_sizes; i++)
        s->mean_flits += o->share[i] * o->flits[i];
    s->of_core = pp_calloc(s->n_cores, sizeof *s->of_core);
    if (!s->of_core)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < s->n_cores; c++) {
        pp_generator *g = &s->of_core[c];
        const double load = o->rate * pp_pattern_weight(pattern, c);
        if (load > 1 && pattern->kind != PP_PATTERN_TRACE)
            return pp_fail(PP_ERANGE, "rate %g: core %u would have to send %.4g flits a cycle", o->rate, c, load);
        g->rng = pp_rng_make(seed, c);
        g->p = (o->arrival == PP_ARRIVAL_ONOFF && load > 0 ? o->peak : load) / s->mean_flits;
        g->inverse_log = g->p < 1 && g->p > 0 ? 1 / log1p(-g->p) : 0;
    }
    return PP_OK;
}

void pp_sources_free(pp_sources *s)
{
    free(s->of_core);
    s->of_core = NULL;
}

/* Failures before the first success of probability p. */
static uint64_t failures(pp_rng *rng, double inverse_log)
{
    if (inverse_log == 0)
        return 0;
    const double k = log(1 - pp_rng_uniform(rng)) * inverse_log; /* the difference is exact, and log the faster one */
    return k < 1e15 ? (uint64_t)k : UINT64_C(1000000000000000);
}

/* On-off: `next` moves over the silences into the burst that holds the packet. */
static void step_on_off(pp_generator *g, const pp_traffic_options *o, double load)
{
    const double off = o->burst * (o->peak - load) / load;
    for (;;) {
        const uint64_t at = g->next + failures(&g->rng, g->inverse_log);
        if (at < g->on_end) {
            g->next = at;
            return;
        }
        uint64_t start = g->on_end;
        if (off > 0)
            start += off > 1 ? 1 + failures(&g->rng, 1 / log1p(-1 / off))
                             : (uint64_t)(pp_rng_uniform(&g->rng) < off);
        g->next = start;
        g->on_end = start + 1 + (o->burst > 1 ? failures(&g->rng, 1 / log1p(-1 / o->burst)) : 0);
    }
}

static uint64_t arrival(pp_sources *s, pp_generator *g, uint32_t core)
{
    if (s->o->arrival == PP_ARRIVAL_POISSON) {
        g->clock += -log(1 - pp_rng_uniform(&g->rng)) / g->p;
        return (uint64_t)ceil(g->clock);
    }
    if (s->o->arrival == PP_ARRIVAL_ONOFF)
        step_on_off(g, s->o, s->o->rate * pp_pattern_weight(s->pattern, core));
    else
        g->next += failures(&g->rng, g->inverse_log);
    return g->next++;
}

static uint32_t size_of(const pp_traffic_options *o, pp_rng *rng)
{
    if (o->n_sizes == 1)
        return o->flits[0];
    double u = pp_rng_uniform(rng);
    for (uint32_t i = 0; i + 1 < o->n_sizes; i++) {
        if (u < o->share[i])
            return o->flits[i];
        u -= o->share[i];
    }
    return o->flits[o->n_sizes - 1];
}

static bool next_of_trace(pp_sources *s, pp_generator *g, uint32_t core, pp_noc_packet *p)
{
    const pp_pattern *t = s->pattern;
    if (g->trace_at == t->first[core + 1] - t->first[core]) {
        g->at = UINT64_MAX;
        return false;
    }
    const pp_trace_packet *line = &t->packet[t->first[core] + g->trace_at++];
    *p = (pp_noc_packet){.time = line->time, .src = core, .dst = line->dst, .tree = PP_NOC_TREE_NONE,
                         .flits = line->flits};
    g->at = p->time;
    return true;
}

bool pp_sources_next(pp_sources *s, uint32_t core, pp_noc_packet *p)
{
    pp_generator *g = &s->of_core[core];
    if (s->pattern->kind == PP_PATTERN_TRACE)
        return next_of_trace(s, g, core, p);
    g->at = UINT64_MAX;
    if (g->p <= 0)
        return false;
    const uint64_t time = arrival(s, g, core);
    const uint32_t dst = pp_pattern_destination(s->pattern, core, &g->rng);
    if (dst == PP_NOC_TREE_NONE)
        return false;
    *p = (pp_noc_packet){.time = time, .src = core, .dst = dst, .tree = PP_NOC_TREE_NONE,
                         .flits = size_of(s->o, &g->rng)};
    g->at = time;
    return true;
}
