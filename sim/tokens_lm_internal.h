/* What the lockstep and the exact actors of a language model share. */
#ifndef PP_SIM_TOKENS_LM_INTERNAL_H
#define PP_SIM_TOKENS_LM_INTERNAL_H

#include "sim/tokens_lm.h"

/* Experts of a mixture, their number a token and their shares; the caller frees net->expert_weight. */
pp_status pp_token_net_experts(pp_token_net *net, const pp_lm_graph *graph);

/* ---- tile by tile, some instances at a time (tokens_exact.c) ---- */

/* Whose work an actor of one tile is: additions of partial sums are their operator's. */
typedef struct pp_lm_tile_actor {
    uint32_t instance;
    uint32_t stage;           /* in mapping.stage[]; PP_NONE: source, sink */
    uint32_t tile;            /* expanded; PP_NONE: source, sink */
} pp_lm_tile_actor;

/* When a core has the result of the instance before the first one. */
typedef struct pp_lm_released {
    uint32_t core;
    uint64_t time_ps;
} pp_lm_released;

typedef struct pp_lm_tile_net {
    pp_lm_actors *x;          /* contexts of one token */
    pp_lm_expanded *expanded;
    pp_lm_tile_actor *owner;  /* [x->net.n_actors] */
} pp_lm_tile_net;

/* Instances [first, first + n) as pp_lm_actors_exact has them, for tokens that take one expert; results of the instance before
 * leave its cores when released[] says. Freed also after an error. */
pp_status pp_lm_tile_net_new(pp_lm_tile_net *out, const pp_lm_mapping *m, uint32_t first, uint32_t n,
                             const pp_lm_released *released, uint32_t n_released);
void pp_lm_tile_net_free(pp_lm_tile_net *t);

/* ---- lockstep (tokens_lockstep.c) ---- */

/* Groups, hops, source and sink of x, which has its operators as actors [0, first_actor[instances]), their servers, and the
 * experts. One copy of each operator. */
pp_status pp_lm_lockstep(pp_lm_actors *x, const pp_lm_mapping *m, const uint32_t *first_actor, const pp_lm_lockstep_options *options);

#endif
