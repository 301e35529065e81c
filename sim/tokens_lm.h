/* From a language model's mapping to a network of actors.
 *
 * Lockstep: tiles of a stage and instance that are done together when one token is alone are an actor (several may have the
 * same stage); packets ask for the channels that matter when they did so then. Tile by tile: an actor a stage and tile. */
#ifndef PP_SIM_TOKENS_LM_H
#define PP_SIM_TOKENS_LM_H

#include "mapper/lm_map.h"
#include "sim/tokens.h"

typedef struct pp_lm_actor {
    uint32_t instance;
    uint32_t stage;             /* in mapping.stage[]; PP_NONE: source, sink, additions of partial sums on their own */
} pp_lm_actor;

#define PP_LM_GRAINS 15

/* One of those who use a channel's server. */
typedef struct pp_lm_channel_user {
    uint32_t channel, instance;
    uint32_t from, to;          /* mapping.stage[]; equal: partial sums; to PP_NONE: the end */
} pp_lm_channel_user;

typedef struct pp_lm_actors {
    pp_token_net net;
    pp_lm_actor *actor;         /* [net.n_actors] */
    uint32_t *server_instance;  /* [net.n_servers] */
    uint32_t *first_server;     /* [instances + 1] servers of instance i, as numbered in its template, from here on */
    uint32_t *server_channel;   /* [net.n_servers] tile by tile: channel of the fabric, PP_NONE: none; NULL in lockstep */
    pp_lm_channel_user *user;   /* [n_channels] servers from first_channel on are channels; NULL: see first_server */
    uint32_t first_channel, n_channels;
    uint32_t grain;             /* how fine lockstep is, 0 (finest) .. PP_LM_GRAINS - 1 */
    double hops_token;          /* of net's hops a token takes so many, on average; lockstep from a replay, else 0 */
    double margin;              /* lockstep: all times are longer by as much */
    uint32_t exact_edges, bound_edges; /* edges of all instances on which no packets meet, and the others */
    char tier[16];              /* memory of keys and values; "" without attention */
} pp_lm_actors;

/* How fine lockstep is. */
typedef struct pp_lm_lockstep_options {
    uint32_t grain;             /* 1 + pp_lm_actors.grain that is wanted; 0: by hops_most */
    uint64_t hops_most;         /* of a token, at the price of a coarser model, as far as the coarsest goes; 0: the finest */
    double margin;              /* all times are longer by as much: 0.01 is 1 % */
    uint64_t window_cores;      /* the model is taken tile by tile in parts of at most so many cores, but two instances;
                                   0: 16,384. Less memory, the same result but where instances further apart meet */
} pp_lm_lockstep_options;

/* Lockstep. One copy of each operator: from tokens that go through all tiles alone, one for each expert
 * (sim/tokens_lockstep.c), O(n log n) in their packets' channels. Else from the mapping's edges and shares, O(stages +
 * shares of all instances). max_context 0: that of the model. Memory for keys and values: kv_tokens_max is what the
 * smallest unit holds. options NULL: the finest. *out is the caller's. */
pp_status pp_lm_actors_lockstep(pp_lm_actors **out, const pp_lm_mapping *m, uint32_t max_context,
                                const pp_lm_lockstep_options *options);
pp_status pp_lm_actors_new(pp_lm_actors **out, const pp_lm_mapping *m, uint32_t max_context); /* the finest */
/* The same tile by tile and channel by channel, for small models: one actor for each stage on each of its tiles, one
 * server for each channel, additions of partial sums where they happen. Labels of additions, source and sink have no
 * stage; first_server is NULL, no edge is counted. arch and psum_bits as the mapping was made with. PP_ERANGE beyond
 * max_tiles cores (0: 262,144), PP_EUNSUPPORTED with several copies of a stage. */
pp_status pp_lm_actors_exact(pp_lm_actors **out, const pp_lm_mapping *m, const pp_arch *arch, uint32_t psum_bits,
                             uint32_t max_context, uint64_t max_tiles);
void pp_lm_actors_free(pp_lm_actors *x); /* NULL allowed */

/* Shared by both builders: contexts, attention's rows and memory. row[parts] is the caller's. */
pp_status pp_lm_actors_attention(pp_lm_actors *x, const pp_lm_mapping *m, uint32_t max_context, uint32_t **row);

#endif
