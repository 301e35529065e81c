/* Counter-based random numbers: Philox4x32-10.
 *
 * A stream is keyed by (seed, object id); the n-th number of a stream does not depend on threads or
 * on the order in which streams are used.
 * PAPER: salmon2011 ("Parallel random numbers: as easy as 1, 2, 3", SC'11), Philox-4x32, 10 rounds. */
#ifndef PP_BASE_RNG_H
#define PP_BASE_RNG_H

#include <stdint.h>

typedef struct pp_rng {
    uint32_t key[2];
    uint32_t counter[4]; /* [0..1] block number, [2..3] object id */
    uint32_t block[4];
    unsigned used; /* numbers of `block` handed out, 4 = none left */
    double spare;  /* second normal of a pair */
    int has_spare;
} pp_rng;

/* One Philox block: out[4] from counter[4] and key[2]. Pure. */
void pp_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

pp_rng pp_rng_make(uint64_t seed, uint64_t object);
uint32_t pp_rng_u32(pp_rng *r);
uint64_t pp_rng_u64(pp_rng *r);
/* Uniform in [0, n) without bias; n > 0. */
uint32_t pp_rng_below(pp_rng *r, uint32_t n);
/* Uniform in [0, 1) with 53 bits. */
double pp_rng_uniform(pp_rng *r);
/* Standard normal (Box-Muller). */
double pp_rng_normal(pp_rng *r);

#endif
