/* Energy of language models: actions counted from a mapping and a run of its tokens, priced by the cost table.
 *
 * A stage's firing does the same whatever the values: MVMs of its crossbars, its digital operations (priced as
 * additions), its stream in and out of memory. Attention: a product is a SCALE and an ADD, a score an ACTIVATION; keys
 * and values are read once a step and unit and written once a token, at the KV tier's energy a bit. Packets: bits of
 * every network channel and millimetre of wire. */
#ifndef PP_SIM_TOKENS_ENERGY_H
#define PP_SIM_TOKENS_ENERGY_H

#include "arch/cost.h"
#include "sim/tokens_lm.h"

typedef struct pp_lm_energy {
    const pp_cost *cost;                /* borrowed */
    uint32_t n_stages;
    double *stage_fj;                   /* [n_stages] of mapping.stage: all its instances, all tokens; KV included */
    double count[PP_ACTION_COUNT];      /* of the whole run */
    double class_fj[PP_CLASS_COUNT];    /* inside the boundary, without KV memory */
    double kv_bits_read, kv_bits_written;
    double kv_fj;                       /* 0 when the KV tier lies outside the boundary */
    double total_fj, token_fj;          /* everything inside the boundary; of a token */
    double power_w;                     /* total / time of the run */
    double macs;                        /* useful, linear layers and attention */
    bool unpriced[PP_ACTION_COUNT];
} pp_lm_energy;

/* arch: of the mapping; wbits: of a weight. *out is the caller's. O(channels + stages x tiles + contexts). */
pp_status pp_lm_energy_new(pp_lm_energy **out, const pp_cost *cost, const pp_arch *arch, uint32_t wbits,
                           const pp_lm_mapping *m, const pp_lm_actors *x, const pp_token_setup *setup,
                           const pp_token_result *r);
void pp_lm_energy_free(pp_lm_energy *e); /* NULL allowed */

#endif
