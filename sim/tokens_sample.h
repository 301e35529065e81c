/* How far lockstep is from every tile, measured on a sample of the run that it is used for.
 *
 * The sample is the front of the same mapping, its first instances (the embedding and some blocks), and as many tokens of
 * the run's scenario as some million services allow; both ways take the same tokens at the same pace. Behind the last of
 * its instances a token has left. */
#ifndef PP_SIM_TOKENS_SAMPLE_H
#define PP_SIM_TOKENS_SAMPLE_H

#include "base/pool.h"
#include "sim/tokens_lm.h"

typedef struct pp_lm_sample {
    uint32_t instances, tokens;    /* 0: not sampled */
    uint32_t instances_of;         /* of the model */
    uint64_t tiles_ps, lockstep_ps; /* first arrival to last token */
    double deviation;              /* of lockstep's time, of that tile by tile: 0.01 is 1 % longer */
    char why_not[160];             /* not sampled: why; else "" */
} pp_lm_sample;

typedef struct pp_lm_sample_input {
    const pp_lm_mapping *m;
    const pp_token_setup *setup;   /* of the run: scenario, sequences, tokens under way */
    bool paced;                    /* tokens enter at the interval that the sample's busiest server allows, else as they can */
    double services_token;         /* of the whole model tile by tile (pp_lm_services) */
    double services_most;          /* of the sample tile by tile; 0: 24 million a case */
    pp_pool *pool;                 /* NULL: in the caller; results are the same */
} pp_lm_sample_input;

/* Cases of the front tile by tile: one token alone, and, where the front is the whole model, as many tokens of the run as are
 * allowed with as many under way (all: the run itself); of a part prompts with more under way than it needs, and what the run
 * consists of with half more than fill it. */
typedef struct pp_lm_sampler pp_lm_sampler;
/* PP_OK also where nothing can be sampled: pp_lm_sampler_take says why. */
pp_status pp_lm_sampler_new(pp_lm_sampler **out, const pp_lm_sample_input *in);
/* Lockstep of the whole model; o->grain and o->margin say which: the grain whose cases are nearest to those of the tiles when all
 * times are longer by the margin, with which none is below; of grains nearly as near the cheapest. None with which the run's first
 * tokens take longer than with `coarsest`, the coarsest grain's net. o->hops_most: of a token of the whole model (0: any); the
 * coarsest may have more. Where nothing is sampled o as it is. *out is the caller's. */
pp_status pp_lm_sampler_lockstep(pp_lm_actors **out, pp_lm_lockstep_options *o, pp_lm_sampler *s, const pp_token_net *coarsest);
/* The case that is most like the run. o: as the run's lockstep was made. */
pp_status pp_lm_sampler_take(pp_lm_sample *out, const pp_lm_sampler *s, const pp_lm_lockstep_options *o);
void pp_lm_sampler_free(pp_lm_sampler *s); /* NULL allowed */

#endif
