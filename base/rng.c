#include "base/rng.h"

#include <math.h>
#include <string.h>

/* PAPER: salmon2011 sec. 3.3 and table 2: multipliers, and Weyl increments of the key. */
#define MULTIPLIER_0 UINT32_C(0xD2511F53)
#define MULTIPLIER_1 UINT32_C(0xCD9E8D57)
#define WEYL_0 UINT32_C(0x9E3779B9)
#define WEYL_1 UINT32_C(0xBB67AE85)
#define ROUNDS 10

#define TWO_PI 6.283185307179586476925286766559

void pp_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t p0 = (uint64_t)MULTIPLIER_0 * c0;
        const uint64_t p1 = (uint64_t)MULTIPLIER_1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += WEYL_0;
        k1 += WEYL_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

pp_rng pp_rng_make(uint64_t seed, uint64_t object)
{
    pp_rng r;
    memset(&r, 0, sizeof r);
    r.key[0] = (uint32_t)seed;
    r.key[1] = (uint32_t)(seed >> 32);
    r.counter[2] = (uint32_t)object;
    r.counter[3] = (uint32_t)(object >> 32);
    r.used = 4;
    return r;
}

uint32_t pp_rng_u32(pp_rng *r)
{
    if (r->used == 4) {
        pp_philox(r->block, r->counter, r->key);
        if (++r->counter[0] == 0)
            r->counter[1]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

uint64_t pp_rng_u64(pp_rng *r)
{
    const uint64_t low = pp_rng_u32(r);
    const uint64_t high = pp_rng_u32(r);
    return high << 32 | low;
}

/* The high word of a product with n is nearly uniform; low words under 2^32 mod n are the surplus
 * and are drawn again. PAPER: lemire2019 ("Fast random integer generation in an interval"), alg. 5. */
uint32_t pp_rng_below(pp_rng *r, uint32_t n)
{
    uint64_t product = (uint64_t)pp_rng_u32(r) * n;
    if ((uint32_t)product < n) {
        const uint32_t surplus = (0 - n) % n;
        while ((uint32_t)product < surplus)
            product = (uint64_t)pp_rng_u32(r) * n;
    }
    return (uint32_t)(product >> 32);
}

double pp_rng_uniform(pp_rng *r)
{
    return (double)(pp_rng_u64(r) >> 11) * 0x1p-53;
}

double pp_rng_normal(pp_rng *r)
{
    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    const double u = 1.0 - pp_rng_uniform(r); /* (0, 1]: its logarithm is finite */
    const double angle = TWO_PI * pp_rng_uniform(r);
    const double radius = sqrt(-2.0 * log(u));
    r->spare = radius * sin(angle);
    r->has_spare = 1;
    return radius * cos(angle);
}
