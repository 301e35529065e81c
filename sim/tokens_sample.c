#include "sim/tokens_sample.h"

#include "base/term.h"
#include "sim/tokens_internal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOKENS = 384 };         /* enough for queues at full channels to grow; more of the model rather than more tokens */
enum { TOKENS_LEAST = 16 };
enum { INSTANCES_LEAST = 7 };  /* the embedding and six blocks: what one sends the next is part of it */
#define SERVICES_MOST 2.4e7    /* of a case: a second or two of CPU time */
#define NEARLY 0.002           /* a cheaper grain is taken that is farther off by as little */

/* Tokens under way in a part of the model, of those that fill it and an eighth: a part with nearly too few waits for them as the
 * whole, where they even out, does not. */
#define SOME 1.5
#define MANY 2.0
#define MOST 3.0               /* decoding alone has as much */
#define SLOWER 1.05            /* than the coarsest grain, of the whole model */
#define PART_MARGIN 0.01       /* for what is not sampled: as much as which packet of the same picosecond comes first changes */
#define PART_MARGIN_MOST 0.1   /* a part can be farther below than the whole, where waiting evens out */

/* What is sent through the front. */
typedef struct sample_case {
    pp_token_sequence *sequence;
    pp_token_setup setup;
    uint64_t in_flight, tokens;
    uint32_t longest;          /* sequence */
    uint64_t tiles_ps;
} sample_case;

/* A grain as it does on the sample. */
typedef struct candidate {
    double least, most;        /* deviations of the cases */
    uint32_t grain;            /* 0: tried on the whole model, and not taken */
} candidate;

enum { CASES = 3 };

struct pp_lm_sampler {
    pp_lm_sample_input in;
    pp_lm_mapping front;       /* borrows from in.m, but for its instances */
    pp_lm_instance *instance;
    sample_case cases[CASES];
    uint32_t n_cases;
    double share;              /* of the model's cores */
    bool whole;                /* the front is the model */
    pp_lm_actors *tiles;
    candidate grains[PP_LM_GRAINS]; /* few enough hops */
    uint32_t n_grains;
    uint64_t tokens;           /* at most, of a case */
    uint64_t coarsest_ps;      /* of some tokens through the whole model; 0: not yet known */
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
    return setup->scenario == PP_SCENARIO_DECODE ? decoded : setup->scenario == PP_SCENARIO_PREFILL ? prompts : prompts + decoded;
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
    if (n < m->n_instances)
        s->instance[0].n_in = 0; /* nobody sends a sampled token back */
    s->front = *m;
    s->front.instance = s->instance;
    s->front.n_instances = n;
    s->whole = n == m->n_instances;
    s->front.cores_used = (uint32_t)cores_of(m, n);
    return PP_OK;
}

/* ---- what is sent through ---- */

/* Prompts of the run, the last one cut. */
static void put_prompts(const pp_lm_sampler *s, sample_case *c)
{
    const pp_token_setup *run = s->in.setup;
    uint64_t left = s->tokens;
    uint32_t n = 0;
    for (; n < run->n_sequences && left > 0; n++) {
        c->sequence[n] = (pp_token_sequence){0, (uint32_t)least(run->sequence[n].prompt, left), 0};
        left -= c->sequence[n].prompt;
    }
    c->setup.n_sequences = n;
    c->setup.scenario = PP_SCENARIO_PREFILL;
}

/* As many sequences as there are tokens of them in the sample's part, each with its share of the tokens. */
static uint32_t sequences_in_part(const pp_lm_sampler *s)
{
    const uint32_t n = s->in.setup->n_sequences;
    return (uint32_t)least(least(n, s->tokens), (uint64_t)ceil(n * s->share));
}

static void put_decoding(const pp_lm_sampler *s, sample_case *c)
{
    const uint32_t n = sequences_in_part(s);
    for (uint32_t i = 0; i < n; i++) {
        const pp_token_sequence *q = &s->in.setup->sequence[i];
        c->sequence[i] = (pp_token_sequence){0, q->prompt, (uint32_t)least(q->decode, (s->tokens + n - 1) / n)};
    }
    c->setup.n_sequences = n;
    c->setup.scenario = PP_SCENARIO_DECODE;
}

/* Prompts and decoding of each as in the run, or in its proportion; of both some tokens where there are some. */
static void put_mixed(const pp_lm_sampler *s, sample_case *c)
{
    enum { DECODED_LEAST = 4 };
    const uint32_t n = sequences_in_part(s);
    for (uint32_t i = 0; i < n; i++) {
        const pp_token_sequence *q = &s->in.setup->sequence[i];
        const uint64_t all = (uint64_t)q->prompt + q->decode, each = least(all, (s->tokens + n - 1) / n);
        uint64_t decode = each * q->decode / all;
        if (decode < DECODED_LEAST)
            decode = least(q->decode, DECODED_LEAST);
        const uint64_t prompt = each > decode ? least(each - decode, q->prompt) : 1;
        c->sequence[i] = (pp_token_sequence){0, (uint32_t)(prompt > 0 ? prompt : 1), (uint32_t)decode};
    }
    c->setup.n_sequences = n;
    c->setup.scenario = PP_SCENARIO_MIXED;
}

static void put_one(const pp_lm_sampler *s, sample_case *c)
{
    (void)s;
    c->sequence[0] = (pp_token_sequence){0, 1, 0};
    c->setup.n_sequences = 1;
    c->setup.scenario = PP_SCENARIO_PREFILL;
}

static pp_status measure(const pp_lm_sampler *s, sample_case *c)
{
    for (uint32_t i = 0; i < c->setup.n_sequences; i++) {
        const uint32_t n = c->sequence[i].prompt + c->sequence[i].decode;
        c->longest = n > c->longest ? n : c->longest;
        c->tokens += c->setup.scenario == PP_SCENARIO_DECODE ? c->sequence[i].decode : n;
    }
    if (c->longest > s->tiles->net.max_context)
        return pp_fail(PP_EINFEASIBLE, "a sequence of %u tokens; the model's context ends at %u", c->longest, s->tiles->net.max_context);
    return PP_OK;
}

/* So many times those that fill the front; of the whole model as many as the run has; one at least, an encoder's sequence. */
static pp_status choose_in_flight(const pp_lm_sampler *s, sample_case *c, double load)
{
    uint64_t fill;
    PP_TRY(pp_token_sim_idle_limit(&fill, &s->tiles->net, &c->setup));
    const bool as_run = s->whole && load > 0 && s->in.setup->in_flight > 0;
    c->in_flight = as_run ? s->in.setup->in_flight : (uint64_t)(load * (double)fill + 0.5);
    if (s->tiles->net.encoder && c->in_flight < c->longest)
        c->in_flight = c->longest;
    c->in_flight = c->in_flight > 0 ? c->in_flight : 1;
    return PP_OK;
}

static pp_status time_of(uint64_t *out, const pp_lm_sampler *s, const sample_case *c, const pp_token_net *net, pp_progress *bar)
{
    pp_token_setup setup = c->setup;
    pp_token_result *r = NULL;
    pp_token_bounds b;
    PP_TRY(pp_token_bounds_at(&b, net, 1));
    setup.entry_ps = s->in.paced ? b.interval_ps : 0;
    setup.progress = bar;
    PP_TRY(pp_simulate_tokens(&r, net, &setup));
    *out = r->end_ps;
    pp_token_result_free(r);
    return PP_OK;
}

static pp_status add_case(pp_lm_sampler *s, void put(const pp_lm_sampler *, sample_case *), double load)
{
    const pp_token_setup *run = s->in.setup;
    sample_case *c = &s->cases[s->n_cases++];
    c->sequence = pp_calloc(run->n_sequences, sizeof *c->sequence);
    if (c->sequence == NULL)
        return PP_ENOMEM;
    c->setup = (pp_token_setup){.sequence = c->sequence, .seed = run->seed, .prefill_chunk = run->prefill_chunk};
    put(s, c);
    PP_TRY(measure(s, c));
    PP_TRY(choose_in_flight(s, c, load));
    c->setup.in_flight = c->in_flight;
    return PP_OK;
}

typedef struct timing {
    pp_lm_sampler *s;
    pp_progress bar;
} timing;

static pp_status time_tiles(void *payload, size_t k, unsigned worker)
{
    timing *t = payload;
    (void)worker;
    return time_of(&t->s->cases[k].tiles_ps, t->s, &t->s->cases[k], &t->s->tiles->net, &t->bar);
}

static uint64_t tokens_of_cases(const pp_lm_sampler *s)
{
    uint64_t n = 0;
    for (uint32_t k = 0; k < s->n_cases; k++)
        n += s->cases[k].tokens;
    return n;
}

static pp_status time_cases(pp_lm_sampler *s)
{
    timing t = {.s = s};
    pp_progress_begin(&t.bar, "sample of tiles", tokens_of_cases(s));
    const pp_status status = pp_pool_run(s->in.pool, s->n_cases, time_tiles, &t);
    pp_progress_end(&t.bar);
    return status;
}

static bool decodes(const pp_token_setup *run)
{
    for (uint32_t i = 0; i < run->n_sequences; i++)
        if (run->sequence[i].decode > 0)
            return true;
    return false;
}

/* One token, and what the run consists of; the last case is most like it. */
static pp_status add_cases(pp_lm_sampler *s)
{
    const pp_token_setup *run = s->in.setup;
    PP_TRY(pp_lm_actors_exact(&s->tiles, &s->front, pp_lm_mapping_arch(s->in.m), pp_lm_mapping_psum_bits(s->in.m), 0, UINT32_MAX));
    PP_TRY(add_case(s, put_one, 0));
    if (run->scenario == PP_SCENARIO_DECODE)
        return add_case(s, put_decoding, MOST);
    const bool mixed = run->scenario == PP_SCENARIO_MIXED && decodes(run);
    if (!s->whole)
        PP_TRY(add_case(s, put_prompts, MANY));
    return add_case(s, mixed ? put_mixed : put_prompts, SOME);
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
    PP_TRY(add_cases(s));
    return time_cases(s);
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

static pp_status lockstep_of(pp_lm_actors **out, const pp_lm_sampler *s, const pp_lm_lockstep_options *o)
{
    return pp_lm_actors_lockstep(out, &s->front, 0, o);
}

/* out->grain is 0 where a token of the model takes more hops than `hops_most` (0: any). */
static pp_status try_grain(candidate *out, const pp_lm_sampler *s, const pp_lm_lockstep_options *o, uint64_t hops_most,
                           pp_progress *bar)
{
    pp_lm_actors *x = NULL;
    PP_TRY(lockstep_of(&x, s, o));
    const bool few = hops_most == 0 || x->hops_token / s->share <= (double)hops_most;
    *out = (candidate){INFINITY, -INFINITY, few ? o->grain : 0};
    if (!few) {
        pp_progress_step(bar, tokens_of_cases(s));
        pp_lm_actors_free(x);
        return PP_OK;
    }
    pp_status status = PP_OK;
    for (uint32_t k = 0; k < s->n_cases && status == PP_OK; k++) {
        uint64_t ps = 0;
        status = time_of(&ps, s, &s->cases[k], &x->net, bar);
        out->least = fmin(out->least, more(ps, s->cases[k].tiles_ps));
        out->most = fmax(out->most, more(ps, s->cases[k].tiles_ps));
    }
    pp_lm_actors_free(x);
    return status;
}

/* Longer by so much no case is below. */
static double margin_of(const candidate *c)
{
    return c->least < 0 ? 1 / (1 + c->least) - 1 : 0;
}

/* How far above the case is that is farthest, then. What is below more than a part's margin can mend counts four times. */
static double off(const pp_lm_sampler *s, const candidate *c)
{
    const double margin = margin_of(c), most = s->whole ? margin : fmin(margin, PART_MARGIN_MOST - PART_MARGIN);
    return (1 + c->most) * (1 + most) - 1 + 4 * (margin - most) + (margin > 0 ? DBL_EPSILON : 0); /* equal is without a margin */
}

/* Other times, other packets that come first: a case may be below with the margin, too, by a little. */
static pp_status settle_margin(pp_lm_lockstep_options *o, const pp_lm_sampler *s, bool apart)
{
    enum { ROUNDS = 4 };
    if (!s->whole) {
        o->margin = apart ? fmin(o->margin + PART_MARGIN, PART_MARGIN_MOST) : 0;
        return PP_OK;
    }
    for (int k = 0; k < ROUNDS && o->margin > 0; k++) {
        candidate c;
        PP_TRY(try_grain(&c, s, o, 0, NULL));
        if (c.least >= 0)
            break;
        o->margin = (1 + o->margin) / (1 + c.least) - 1;
    }
    return PP_OK;
}

typedef struct trials {
    const pp_lm_sampler *s;
    uint64_t hops_most;
    candidate grain[PP_LM_GRAINS];
    pp_progress bar;
} trials;

static pp_status try_one(void *payload, size_t i, unsigned worker)
{
    trials *t = payload;
    const pp_lm_lockstep_options o = {.grain = (uint32_t)i + 1};
    (void)worker;
    return try_grain(&t->grain[i], t->s, &o, o.grain == PP_LM_GRAINS ? 0 : t->hops_most, &t->bar);
}

static pp_status try_grains(pp_lm_sampler *s, uint64_t hops_most)
{
    trials t = {.s = s, .hops_most = hops_most};
    pp_progress_begin(&t.bar, "lockstep on the sample", PP_LM_GRAINS * tokens_of_cases(s));
    const pp_status status = pp_pool_run(s->in.pool, PP_LM_GRAINS, try_one, &t);
    pp_progress_end(&t.bar);
    for (uint32_t i = 0; i < PP_LM_GRAINS; i++)
        if (t.grain[i].grain > 0)
            s->grains[s->n_grains++] = t.grain[i];
    return status;
}

static void take_nearest(pp_lm_lockstep_options *o, double *nearest, const pp_lm_sampler *s)
{
    *nearest = INFINITY;
    for (uint32_t i = 0; i < s->n_grains; i++)
        if (s->grains[i].grain > 0)
            *nearest = fmin(*nearest, off(s, &s->grains[i]));
    for (uint32_t i = 0; i < s->n_grains; i++) { /* the last of them is the cheapest; where one is equal, so must it be */
        const candidate *c = &s->grains[i];
        if (c->grain > 0 && off(s, c) <= *nearest + (*nearest > 0 ? NEARLY : 0)) {
            o->grain = c->grain;
            o->margin = margin_of(c);
        }
    }
}

/* ---- the whole model ---- */

/* Long contexts, and short ones behind them. */
static void put_borders(const pp_lm_sampler *s, sample_case *c)
{
    enum { SEQUENCES = 3, LENGTH = 1024 };
    const pp_token_setup *run = s->in.setup;
    c->setup.n_sequences = (uint32_t)least(run->n_sequences, SEQUENCES);
    for (uint32_t i = 0; i < c->setup.n_sequences; i++)
        c->sequence[i] = (pp_token_sequence){0, (uint32_t)least(run->sequence[i].prompt, LENGTH), 0};
    c->setup.scenario = PP_SCENARIO_PREFILL;
}

typedef struct whole_timing {
    const pp_lm_sampler *s;
    const sample_case *sent;
    const pp_token_net *net[2];
    uint64_t ps[2];
    pp_progress bar;
} whole_timing;

static pp_status time_whole(void *payload, size_t i, unsigned worker)
{
    whole_timing *t = payload;
    (void)worker;
    return time_of(&t->ps[i], t->s, t->sent, t->net[i], &t->bar);
}

/* Times of some of the run's tokens through the first `nets` of the whole model. */
static pp_status time_nets(whole_timing *t, size_t nets)
{
    sample_case c = {.setup = *t->s->in.setup};
    c.sequence = pp_calloc(c.setup.n_sequences, sizeof *c.sequence);
    if (c.sequence == NULL)
        return PP_ENOMEM;
    c.setup.sequence = c.sequence;
    (t->s->in.setup->scenario == PP_SCENARIO_DECODE ? put_decoding : put_borders)(t->s, &c);
    t->sent = &c;
    pp_progress_begin(&t->bar, "lockstep on the model", nets * tokens_of(&c.setup));
    const pp_status status = pp_pool_run(t->s->in.pool, nets, time_whole, t);
    pp_progress_end(&t->bar);
    free(c.sequence);
    return status;
}

/* Behind the end of a long sequence groups can come to wait for each other around many blocks, token after token (two grains of
 * Llama-3-70B take twice the time then), which no sample of some blocks shows: a finer grain is not slower than the coarsest. */
static pp_status fits(bool *out, pp_lm_sampler *s, const pp_token_net *net, const pp_token_net *coarsest)
{
    whole_timing t = {.s = s, .net = {net, coarsest}, .ps = {0, s->coarsest_ps}};
    PP_TRY(time_nets(&t, s->coarsest_ps > 0 ? 1 : 2));
    s->coarsest_ps = t.ps[1];
    *out = (double)t.ps[0] <= (double)t.ps[1] * SLOWER;
    return PP_OK;
}

static pp_status make_nearest(pp_lm_actors **out, pp_lm_lockstep_options *o, const pp_lm_sampler *s)
{
    double nearest;
    take_nearest(o, &nearest, s);
    PP_TRY(settle_margin(o, s, nearest > 0));
    return pp_lm_actors_lockstep(out, s->in.m, 0, o);
}

static void reject(pp_lm_sampler *s, uint32_t grain)
{
    for (uint32_t i = 0; i < s->n_grains; i++)
        if (s->grains[i].grain == grain)
            s->grains[i].grain = 0;
}

pp_status pp_lm_sampler_lockstep(pp_lm_actors **out, pp_lm_lockstep_options *o, pp_lm_sampler *s, const pp_token_net *coarsest)
{
    if (s->why_not[0] != 0)
        return pp_lm_actors_lockstep(out, s->in.m, 0, o);
    PP_TRY(try_grains(s, o->hops_most));
    for (uint32_t left = s->n_grains;; left--) {
        bool good = true;
        PP_TRY(make_nearest(out, o, s));
        if (left > 1 && !s->whole && s->in.setup->in_flight > 0)
            PP_TRY(fits(&good, s, &(*out)->net, coarsest)); /* *out is the caller's */
        if (good)
            return PP_OK;
        reject(s, o->grain);
        pp_lm_actors_free(*out);
        *out = NULL;
    }
}

pp_status pp_lm_sampler_take(pp_lm_sample *out, const pp_lm_sampler *s, const pp_lm_lockstep_options *o)
{
    pp_lm_actors *lockstep = NULL;
    *out = (pp_lm_sample){.instances_of = s->in.m->n_instances};
    (void)snprintf(out->why_not, sizeof out->why_not, "%s", s->why_not);
    if (s->why_not[0] != 0)
        return PP_OK;
    const sample_case *c = &s->cases[s->n_cases - 1];
    out->tiles_ps = c->tiles_ps;
    PP_TRY(lockstep_of(&lockstep, s, o));
    const pp_status status = time_of(&out->lockstep_ps, s, c, &lockstep->net, NULL);
    pp_lm_actors_free(lockstep);
    out->instances = s->front.n_instances;
    out->tokens = (uint32_t)c->tokens;
    out->deviation = more(out->lockstep_ps, out->tiles_ps);
    return status;
}

void pp_lm_sampler_free(pp_lm_sampler *s)
{
    if (s == NULL)
        return;
    pp_lm_actors_free(s->tiles);
    for (uint32_t k = 0; k < s->n_cases; k++)
        free(s->cases[k].sequence);
    free(s->instance);
    free(s);
}
