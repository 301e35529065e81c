#include "sim/tokens_sample.h"

#include "sim/tokens_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOKENS = 256 };         /* enough for queues at full channels to grow; more of the model rather than more tokens */
enum { TOKENS_LEAST = 16 };
enum { INSTANCES_LEAST = 5 };  /* the embedding and four blocks: what one sends the next is part of it */
#define SERVICES_MOST 8e6      /* less than a second of CPU time, three times */
#define NEARLY 0.003           /* a cheaper grain is taken that is farther off by as little */

/* Tokens under way with which grains are tried, of those that fill the front: nearly too few, and more than enough. */
enum { LOADS = 2 };
static const double loads[LOADS] = {1.25, 2};

struct pp_lm_sampler {
    pp_lm_sample_input in;
    pp_lm_mapping front;       /* borrows from in.m, but for its instances */
    pp_lm_instance *instance;
    pp_token_sequence *sequence;
    pp_token_setup setup;
    double share;              /* of the model's cores */
    pp_lm_actors *tiles;
    uint64_t tokens, fill;
    uint64_t tiles_ps[LOADS];
    uint32_t longest;          /* sequence */
    char why_not[160];
};

/* ---- how much of the model, how many tokens ---- */

static uint64_t cores_of(const pp_lm_mapping *m, uint32_t instances)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < instances; i++)
        n += m->template_[m->instance[i].template_].cores;
    return n;
}

static uint64_t tokens_of(const pp_token_setup *setup)
{
    uint64_t prompts = 0, decoded = 0;
    for (uint32_t i = 0; i < setup->n_sequences; i++) {
        prompts += setup->sequence[i].prompt;
        decoded += setup->sequence[i].decode;
    }
    return setup->scenario == PP_SCENARIO_DECODE ? decoded : prompts;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static double services_of(const pp_lm_sampler *s, uint32_t instances)
{
    const uint64_t all = cores_of(s->in.m, s->in.m->n_instances);
    return s->in.services_token * (double)cores_of(s->in.m, instances) / (double)(all > 0 ? all : 1);
}

static uint32_t choose_size(pp_lm_sampler *s)
{
    const pp_lm_mapping *m = s->in.m;
    const double most = s->in.services_most > 0 ? s->in.services_most : SERVICES_MOST;
    const uint64_t wanted = least(tokens_of(s->in.setup), TOKENS);
    uint32_t n = m->n_instances;
    while (n > INSTANCES_LEAST && services_of(s, n) * (double)wanted > most)
        n--;
    const double can = services_of(s, n) > 0 ? most / services_of(s, n) : TOKENS;
    s->tokens = can < (double)wanted ? (uint64_t)can : wanted;
    s->share = services_of(s, n) / services_of(s, m->n_instances);
    if (s->tokens < least(wanted, TOKENS_LEAST))
        (void)snprintf(s->why_not, sizeof s->why_not, "tile by tile a token takes %.3g million starts of tiles and packets in %u parts of the model alone",
                       services_of(s, n) * 1e-6, n);
    return n;
}

static pp_status make_front(pp_lm_sampler *s, uint32_t n)
{
    const pp_lm_mapping *m = s->in.m;
    s->instance = pp_calloc(n, sizeof *s->instance);
    if (s->instance == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        s->instance[i] = m->instance[i];
    s->instance[0].n_in = 0; /* nobody sends a sampled token back */
    s->front = *m;
    s->front.instance = s->instance;
    s->front.n_instances = n;
    s->front.cores_used = (uint32_t)cores_of(m, n);
    return PP_OK;
}

/* ---- what is sent through ---- */

/* Prompts of the run, the last one cut; of decoding alone as many sequences as there are tokens of it in the sample's part. */
static void choose_sequences(pp_lm_sampler *s)
{
    const pp_token_setup *run = s->in.setup;
    const bool decode = run->scenario == PP_SCENARIO_DECODE;
    const uint64_t under_way = (uint64_t)ceil(run->n_sequences * s->share);
    uint64_t left = s->tokens;
    uint32_t n = 0;
    for (; n < run->n_sequences && left > 0 && (!decode || n < under_way); n++) {
        pp_token_sequence *q = &s->sequence[n];
        *q = (pp_token_sequence){0, run->sequence[n].prompt, 0};
        if (decode)
            q->decode = (uint32_t)least(run->sequence[n].decode, (s->tokens + under_way - 1) / under_way);
        else
            q->prompt = (uint32_t)least(q->prompt, left);
        left -= least(left, decode ? q->decode : q->prompt);
    }
    s->tokens -= left;
    s->setup.n_sequences = n;
}

/* Tokens that fill the front, and an eighth. */
static pp_status find_fill(pp_lm_sampler *s)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < s->setup.n_sequences; i++) {
        const uint32_t n = s->sequence[i].prompt + s->sequence[i].decode;
        longest = n > longest ? n : longest;
    }
    s->longest = longest;
    if (longest > s->tiles->net.max_context)
        return pp_fail(PP_EINFEASIBLE, "a sequence of %u tokens; the model's context ends at %u", longest, s->tiles->net.max_context);
    return pp_token_sim_idle_limit(&s->fill, &s->tiles->net, &s->setup);
}

/* Time of the sample with so many times the tokens under way that fill the front. */
static pp_status time_of(uint64_t *out, const pp_lm_sampler *s, const pp_token_net *net, double load)
{
    pp_token_setup setup = s->setup;
    setup.in_flight = (uint64_t)(load * (double)s->fill + 0.5);
    if (net->encoder && setup.in_flight < s->longest)
        setup.in_flight = s->longest;
    setup.in_flight = setup.in_flight > 0 ? setup.in_flight : 1;
    pp_token_result *r = NULL;
    pp_token_bounds b;
    PP_TRY(pp_token_bounds_at(&b, net, 1));
    setup.entry_ps = s->in.paced ? b.interval_ps : 0;
    PP_TRY(pp_simulate_tokens(&r, net, &setup));
    *out = r->end_ps;
    pp_token_result_free(r);
    return PP_OK;
}

static pp_status simulate_tiles(pp_lm_sampler *s)
{
    PP_TRY(pp_lm_actors_exact(&s->tiles, &s->front, pp_lm_mapping_arch(s->in.m), pp_lm_mapping_psum_bits(s->in.m), 0, UINT32_MAX));
    PP_TRY(find_fill(s));
    for (int k = 0; k < LOADS; k++)
        PP_TRY(time_of(&s->tiles_ps[k], s, &s->tiles->net, loads[k]));
    return PP_OK;
}

/* What the simulator refuses, in its words. */
static bool refused(const pp_lm_mapping *m, const pp_token_setup *run)
{
    for (uint32_t i = 0; i < run->n_sequences; i++)
        if ((uint64_t)run->sequence[i].prompt + run->sequence[i].decode > m->graph->config.positions)
            return true;
    return run->n_sequences == 0 || tokens_of(run) == 0;
}

static pp_status prepare(pp_lm_sampler *s)
{
    const pp_token_setup *run = s->in.setup;
    if (refused(s->in.m, run)) {
        (void)snprintf(s->why_not, sizeof s->why_not, "no token to send");
        return PP_OK;
    }
    if (s->in.m->copies_max > 1) {
        (void)snprintf(s->why_not, sizeof s->why_not, "operators have copies, which lockstep alone takes in turn");
        return PP_OK;
    }
    const uint32_t n = choose_size(s);
    if (s->why_not[0] != 0)
        return PP_OK;
    PP_TRY(make_front(s, n));
    s->sequence = pp_calloc(run->n_sequences, sizeof *s->sequence);
    if (s->sequence == NULL)
        return PP_ENOMEM;
    s->setup = (pp_token_setup){.sequence = s->sequence, .seed = run->seed, .prefill_chunk = run->prefill_chunk,
                                .scenario = run->scenario == PP_SCENARIO_DECODE ? PP_SCENARIO_DECODE : PP_SCENARIO_PREFILL};
    choose_sequences(s);
    return simulate_tiles(s);
}

pp_status pp_lm_sampler_new(pp_lm_sampler **out, const pp_lm_sample_input *in)
{
    pp_lm_sampler *s = *out = pp_calloc(1, sizeof *s);
    if (s == NULL)
        return PP_ENOMEM;
    s->in = *in;
    const pp_status status = prepare(s);
    if (status != PP_OK) {
        pp_lm_sampler_free(s);
        *out = NULL;
    }
    return status;
}

/* ---- lockstep ---- */

static double more(uint64_t lockstep_ps, uint64_t tiles_ps)
{
    return ((double)lockstep_ps - (double)tiles_ps) / (double)tiles_ps;
}

static pp_status lockstep_of(pp_lm_actors **out, const pp_lm_sampler *s, uint32_t grain)
{
    const pp_lm_lockstep_options o = {.grain = grain};
    return pp_lm_actors_lockstep(out, &s->front, 0, &o);
}

/* A grain as it does on the sample. */
typedef struct candidate {
    double least, most;        /* deviations at the loads that are tried */
    uint32_t grain;
} candidate;

static pp_status try_grain(candidate *out, const pp_lm_sampler *s, uint32_t grain, double *hops)
{
    pp_lm_actors *x = NULL;
    PP_TRY(lockstep_of(&x, s, grain));
    *out = (candidate){1e9, -1e9, grain};
    *hops = x->hops_token / s->share;
    pp_status status = PP_OK;
    for (int k = 0; k < LOADS && status == PP_OK; k++) {
        uint64_t ps = 0;
        status = time_of(&ps, s, &x->net, loads[k]);
        out->least = fmin(out->least, more(ps, s->tiles_ps[k]));
        out->most = fmax(out->most, more(ps, s->tiles_ps[k]));
    }
    pp_lm_actors_free(x);
    return status;
}

/* How far off: what is below counts four times. */
static double off(const candidate *c)
{
    return fmax(c->most, -4 * c->least);
}

pp_status pp_lm_sampler_choose(uint32_t *grain, pp_lm_sampler *s, uint64_t hops_most)
{
    candidate all[PP_LM_GRAINS];
    double nearest = INFINITY;
    uint32_t n = 0;
    *grain = 0;
    if (s->why_not[0] != 0)
        return PP_OK;
    for (uint32_t g = 1; g <= PP_LM_GRAINS; g++) {
        double hops;
        PP_TRY(try_grain(&all[n], s, g, &hops));
        if (hops_most > 0 && hops > (double)hops_most && g < PP_LM_GRAINS)
            continue;
        nearest = fmin(nearest, off(&all[n++]));
    }
    for (uint32_t i = 0; i < n; i++) /* the last of them is the cheapest; where one is equal, so must it be */
        if (off(&all[i]) <= nearest + (nearest > 0 ? NEARLY : 0))
            *grain = all[i].grain;
    return PP_OK;
}

/* Tokens under way in the run, of those that fill the whole pipeline and an eighth. */
static pp_status load_of(double *out, const pp_token_net *net, const pp_token_setup *run)
{
    uint64_t limit;
    PP_TRY(pp_token_sim_idle_limit(&limit, net, run));
    *out = run->in_flight > 0 ? (double)run->in_flight / (double)limit : 1;
    return PP_OK;
}

pp_status pp_lm_sampler_take(pp_lm_sample *out, pp_lm_sampler *s, uint32_t grain, const pp_token_net *net, const pp_token_setup *run)
{
    pp_lm_actors *lockstep = NULL;
    double load;
    *out = (pp_lm_sample){.instances_of = s->in.m->n_instances};
    (void)snprintf(out->why_not, sizeof out->why_not, "%s", s->why_not);
    if (s->why_not[0] != 0)
        return PP_OK;
    PP_TRY(load_of(&load, net, run));
    PP_TRY(time_of(&out->tiles_ps, s, &s->tiles->net, load));
    PP_TRY(lockstep_of(&lockstep, s, grain));
    const pp_status status = time_of(&out->lockstep_ps, s, &lockstep->net, load);
    pp_lm_actors_free(lockstep);
    out->instances = s->front.n_instances;
    out->tokens = (uint32_t)s->tokens;
    out->deviation = more(out->lockstep_ps, out->tiles_ps);
    return status;
}

void pp_lm_sampler_free(pp_lm_sampler *s)
{
    if (s == NULL)
        return;
    pp_lm_actors_free(s->tiles);
    free(s->instance);
    free(s->sequence);
    free(s);
}
