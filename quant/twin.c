/* Twin primes q and q + 2: pairs (x, y) of residues with y = 0, or both squares, or both not, are a difference set of
 * q (q + 2) = 4 t - 1 elements (2 t - 1 of them, every difference t - 1 times). Its +-1 circulant with a border of ones is
 * a Hadamard matrix of order (q + 1)^2: 324 among them. PAPER: hadamard-matrices. Tests multiply every matrix out. */
#include "quant/rotation_internal.h"

#include <stdio.h>

static bool is_prime(uint32_t n)
{
    for (uint32_t d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return n > 1;
}

/* 1: a square, -1: none, 0: zero. p is an odd prime. */
static int symbol(uint32_t a, uint32_t p)
{
    uint64_t power = 1, base = a % p;
    for (uint32_t e = (p - 1) / 2; e > 0; e /= 2) {
        if (e % 2 != 0)
            power = power * base % p;
        base = base * base % p;
    }
    return base == 0 && a % p == 0 ? 0 : power == 1 ? 1 : -1;
}

/* Whether element i, the pair (i mod q, i mod q + 2), is in the set. */
static bool in_set(uint32_t i, uint32_t q)
{
    const int x = symbol(i, q), y = symbol(i, q + 2);
    return y == 0 || (x != 0 && x == y);
}

pp_status pp_twin_primes_(int8_t **out, uint32_t n, char how[64])
{
    uint32_t q = 3;
    *out = NULL;
    while ((q + 1) * (q + 1) < n)
        q += 2;
    if ((q + 1) * (q + 1) != n || !is_prime(q) || !is_prime(q + 2))
        return PP_OK;
    *out = pp_alloc((size_t)n * n, 1);
    if (*out == NULL)
        return PP_ENOMEM;
    const uint32_t v = n - 1;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            (*out)[(size_t)i * n + j] = i == 0 || j == 0 || in_set((j + v - i) % v, q) ? 1 : -1;
    snprintf(how, 64, "twin primes %u and %u", q, q + 2);
    return PP_OK;
}
