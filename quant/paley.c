/* Paley's two constructions. With Q[i][j] = chi(a_i - a_j) over GF(q):
 *   q = 3 mod 4:  Q is skew; I + S of order q + 1, S = Q bordered by a row of 1 and a column of -1.
 *   q = 1 mod 4:  Q is symmetric; of order 2 (q + 1): each entry +-1 of Q bordered by 1 becomes +-A, each
 *                 zero of the diagonal B, A = [[1, 1], [1, -1]], B = [[1, -1], [-1, -1]]. */
#include "quant/rotation_internal.h"

#include <stdio.h>
#include <stdlib.h>

static void paley_one(int8_t *h, const int8_t *chi, uint32_t q)
{
    const uint32_t n = q + 1;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            int8_t v = 1;
            if (i > 0)
                v = j == 0 ? -1 : i == j ? 1 : chi[(size_t)(i - 1) * q + j - 1];
            h[(size_t)i * n + j] = v;
        }
}

static void paley_two(int8_t *h, const int8_t *chi, uint32_t q)
{
    static const int8_t a[2][2] = {{1, 1}, {1, -1}}, b[2][2] = {{1, -1}, {-1, -1}};
    const uint32_t n = 2 * (q + 1);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            const uint32_t r = i / 2, c = j / 2;
            const int8_t s = r == 0 || c == 0 ? 1 : chi[(size_t)(r - 1) * q + c - 1];
            h[(size_t)i * n + j] = r == c ? b[i % 2][j % 2] : (int8_t)(s * a[i % 2][j % 2]);
        }
}

pp_status pp_paley_(int8_t **out, uint32_t n, char how[64])
{
    uint32_t p, k;
    *out = NULL;
    const bool one = n % 4 == 0 && pp_prime_power_(n - 1, &p, &k) && (n - 1) % 4 == 3;
    const uint32_t q = one ? n - 1 : n / 2 - 1;
    if (!one && (n % 4 != 0 || n < 8 || q % 4 != 1 || !pp_prime_power_(q, &p, &k)))
        return PP_OK;
    int8_t *chi = NULL;
    PP_TRY(pp_field_character_(&chi, p, k));
    int8_t *h = pp_alloc((size_t)n * n, 1);
    if (h != NULL && one)
        paley_one(h, chi, q);
    else if (h != NULL)
        paley_two(h, chi, q);
    free(chi);
    snprintf(how, 64, "Paley %s, q = %u", one ? "I" : "II", q);
    *out = h;
    return h != NULL ? PP_OK : PP_ENOMEM;
}
