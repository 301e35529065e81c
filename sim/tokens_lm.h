/* From a language model's mapping to a network of actors.
 *
 * Lockstep: an actor a stage and instance; its tiles fire together, its edges are those of the mapping (mapper/lm_map.h),
 * exact or an upper bound as marked there. */
#ifndef PP_SIM_TOKENS_LM_H
#define PP_SIM_TOKENS_LM_H

#include "mapper/lm_map.h"
#include "sim/tokens.h"

typedef struct pp_lm_actor {
    uint32_t instance;
    uint32_t stage;             /* in mapping.stage[]; PP_NONE: a source that several first stages share */
} pp_lm_actor;

typedef struct pp_lm_actors {
    pp_token_net net;
    pp_lm_actor *actor;         /* [net.n_actors] */
    uint32_t *server_instance;  /* [net.n_servers] */
    uint32_t *first_server;     /* [instances + 1] servers of instance i, as numbered in its template, from here on */
    uint32_t exact_edges, bound_edges; /* edges of all instances that are exact, and those marked as upper bound */
    char tier[16];              /* memory of keys and values; "" without attention */
} pp_lm_actors;

/* O(stages + shares of all instances + max_context). max_context 0: that of the model. Memory for keys and values:
 * kv_tokens_max is what the smallest unit holds. *out is the caller's. */
pp_status pp_lm_actors_new(pp_lm_actors **out, const pp_lm_mapping *m, uint32_t max_context);
void pp_lm_actors_free(pp_lm_actors *x); /* NULL allowed */

#endif
