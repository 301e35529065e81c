/* Finite fields of prime power order, for Paley's matrices: elements are polynomials over the integers
 * mod p, numbered by their digits in base p. */
#include "quant/rotation_internal.h"

#include <stdlib.h>
#include <string.h>

enum { DEGREE_MAX = 20 };

typedef struct field {
    uint32_t p, k, q;
    uint32_t modulus[DEGREE_MAX + 1]; /* monic, irreducible, lowest coefficient first */
} field;

bool pp_prime_power_(uint32_t q, uint32_t *p, uint32_t *k)
{
    if (q < 2)
        return false;
    uint32_t f = 2;
    while ((uint64_t)f * f <= q && q % f != 0)
        f++;
    *p = q % f == 0 ? f : q;
    *k = 0;
    for (; q > 1 && q % *p == 0; q /= *p)
        (*k)++;
    return q == 1;
}

static void digits(const field *f, uint32_t a, uint32_t d[DEGREE_MAX])
{
    for (uint32_t i = 0; i < f->k; i++, a /= f->p)
        d[i] = a % f->p;
}

static uint32_t number(const field *f, const uint32_t *d)
{
    uint32_t a = 0;
    for (uint32_t i = f->k; i-- > 0;)
        a = a * f->p + d[i];
    return a;
}

/* Rest of a (degree < 2 k, in place) by the monic polynomial m of degree n. */
static void reduce(uint32_t p, uint32_t *a, uint32_t top, const uint32_t *m, uint32_t n)
{
    for (uint32_t i = top; i + 1 > n; i--) {
        const uint32_t c = a[i];
        for (uint32_t j = 0; c != 0 && j <= n; j++)
            a[i - n + j] = (uint32_t)((a[i - n + j] + (uint64_t)(p - c) * m[j]) % p);
    }
}

static uint32_t square(const field *f, uint32_t a)
{
    uint32_t d[DEGREE_MAX] = {0}, product[2 * DEGREE_MAX] = {0};
    digits(f, a, d);
    for (uint32_t i = 0; i < f->k; i++)
        for (uint32_t j = 0; j < f->k; j++)
            product[i + j] = (uint32_t)((product[i + j] + (uint64_t)d[i] * d[j]) % f->p);
    reduce(f->p, product, 2 * f->k - 2, f->modulus, f->k);
    return number(f, product);
}

static uint32_t subtract(const field *f, uint32_t a, uint32_t b)
{
    uint32_t x[DEGREE_MAX] = {0}, y[DEGREE_MAX] = {0};
    digits(f, a, x);
    digits(f, b, y);
    for (uint32_t i = 0; i < f->k; i++)
        x[i] = (x[i] + f->p - y[i]) % f->p;
    return number(f, x);
}

/* Monic polynomial of degree n whose lower coefficients are the digits of `code`. */
static void monic(uint32_t p, uint32_t n, uint32_t code, uint32_t *m)
{
    for (uint32_t i = 0; i < n; i++, code /= p)
        m[i] = code % p;
    m[n] = 1;
}

static bool divides(uint32_t p, const uint32_t *m, uint32_t n, const uint32_t *a, uint32_t k)
{
    uint32_t rest[2 * DEGREE_MAX] = {0};
    memcpy(rest, a, (k + 1) * sizeof *rest);
    reduce(p, rest, k, m, n);
    for (uint32_t i = 0; i < n; i++)
        if (rest[i] != 0)
            return false;
    return true;
}

static bool irreducible(uint32_t p, const uint32_t *a, uint32_t k)
{
    uint32_t m[DEGREE_MAX + 1], count = 1;
    for (uint32_t n = 1; n <= k / 2; n++) {
        count *= p;
        for (uint32_t code = 0; code < count; code++) {
            monic(p, n, code, m);
            if (divides(p, m, n, a, k))
                return false;
        }
    }
    return true;
}

pp_status pp_field_character_(int8_t **chi, uint32_t p, uint32_t k)
{
    field f = {.p = p, .k = k, .q = 1};
    for (uint32_t i = 0; i < k; i++)
        f.q *= p;
    for (uint32_t code = 0; code < f.q; code++) {
        monic(p, k, code, f.modulus);
        if (irreducible(p, f.modulus, k))
            break; /* there is one for every degree */
    }
    int8_t *is_square = pp_calloc(f.q, 1);
    int8_t *out = pp_alloc((size_t)f.q * f.q, 1);
    if (is_square == NULL || out == NULL) {
        free(is_square);
        free(out);
        return PP_ENOMEM;
    }
    for (uint32_t a = 1; a < f.q; a++)
        is_square[square(&f, a)] = 1;
    for (uint32_t i = 0; i < f.q; i++)
        for (uint32_t j = 0; j < f.q; j++)
            out[(size_t)i * f.q + j] = i == j ? 0 : is_square[subtract(&f, i, j)] ? 1 : -1;
    free(is_square);
    *chi = out;
    return PP_OK;
}
