/* Which way a language model's time is found: every tile on its own, or in lockstep.
 *
 * Tile by tile is exact and costs a service (a tile that starts, a packet that takes a channel) for each tile, channel and
 * token; lockstep costs a tenth of that and less. */
#ifndef PP_SIM_TOKENS_WAY_H
#define PP_SIM_TOKENS_WAY_H

#include "mapper/lm_map.h"
#include "sim/sim.h"

/* Services with which tile by tile is still taken without being asked for: 1.5 to 3.5 s of CPU time at some 14 million a
 * second of models whose tiles stay in the cache, or some 6 million of those whose do not (docs/llm-timing.md, Size and speed). */
#define PP_LM_SERVICES_MAX 2e7
/* Cores for which every tile is held in memory, about 1 kB each. */
#define PP_LM_TILES_MAX 262144

typedef struct pp_lm_way {
    bool tiles;             /* every tile on its own */
    double services;        /* expected, of all tokens tile by tile */
    char why[192];          /* one clause, for reports */
} pp_lm_way;

/* Services of a token tile by tile, from one instance of each kind; experts by the tokens that they take. O(tiles + hops of
 * these). */
pp_status pp_lm_services(double *out, const pp_lm_mapping *m);
/* asked: pp_exact. True is taken as it is; what cannot be done then is said where it is tried. */
pp_status pp_lm_choose_way(pp_lm_way *out, const pp_lm_mapping *m, int asked, uint64_t tokens);

#endif
