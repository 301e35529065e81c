/* How far lockstep is from every tile, measured on a sample of the run that it is used for.
 *
 * The sample is the front of the same mapping, its first instances (the embedding and some blocks), and as many tokens of
 * the run's scenario as some million services allow; both ways take the same tokens at the same pace. Behind the last of
 * its instances a token has left. */
#ifndef PP_SIM_TOKENS_SAMPLE_H
#define PP_SIM_TOKENS_SAMPLE_H

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
    const pp_token_setup *setup;   /* of the run: scenario and sequences */
    bool paced;                    /* tokens enter at the interval that the sample's busiest server allows, else as they can */
    double services_token;         /* of the whole model tile by tile (pp_lm_services) */
    double services_most;          /* of the sample tile by tile; 0: 8 million */
} pp_lm_sample_input;

/* The front tile by tile, at two loads: nearly too few tokens under way, and more than enough. */
typedef struct pp_lm_sampler pp_lm_sampler;
/* PP_OK also where nothing can be sampled: pp_lm_sampler_take says why. */
pp_status pp_lm_sampler_new(pp_lm_sampler **out, const pp_lm_sample_input *in);
/* The grain (pp_lm_lockstep_options.grain) that is nearest on the sample without being below; of those nearly as near the
 * cheapest. hops_most: of a token of the whole model (0: any); the coarsest may have more. 0: nothing to choose by. */
pp_status pp_lm_sampler_choose(uint32_t *grain, pp_lm_sampler *s, uint64_t hops_most);
/* As many tokens under way as the run has in `net`, the whole model's, in proportion to those that fill either. */
pp_status pp_lm_sampler_take(pp_lm_sample *out, pp_lm_sampler *s, uint32_t grain, const pp_token_net *net, const pp_token_setup *run);
void pp_lm_sampler_free(pp_lm_sampler *s); /* NULL allowed */

#endif
