/* Hadamard matrices of every order that these constructions reach. */
#include "quant/rotation_internal.h"

#include "workloads/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Largest core: K x K is kept whole. */
enum { CORE_MAX = 4096 };

static pp_status make_core(int8_t **out, uint32_t n, char how[64]);

static pp_status kronecker(int8_t **out, uint32_t a, uint32_t b, char how[64])
{
    int8_t *x = NULL, *y = NULL;
    char left[64], right[64];
    const uint32_t n = a * b;
    pp_status status = make_core(&x, a, left);
    if (status == PP_OK && x != NULL)
        status = make_core(&y, b, right);
    if (status == PP_OK && x != NULL && y != NULL) {
        *out = pp_alloc((size_t)n * n, 1);
        status = *out != NULL ? PP_OK : PP_ENOMEM;
        for (uint32_t i = 0; *out != NULL && i < n; i++)
            for (uint32_t j = 0; j < n; j++)
                (*out)[(size_t)i * n + j] =
                    (int8_t)(x[(size_t)(i / b) * a + j / b] * y[(size_t)(i % b) * b + j % b]);
        snprintf(how, 64, "(%.28s) x (%.28s)", left, right);
    }
    free(x);
    free(y);
    return status;
}

/* *out NULL: none known. */
static pp_status make_core(int8_t **out, uint32_t n, char how[64])
{
    *out = NULL;
    if (n == 1) {
        *out = pp_alloc(1, 1);
        if (*out == NULL)
            return PP_ENOMEM;
        **out = 1;
        how[0] = '\0';
        return PP_OK;
    }
    if (n % 4 != 0 || n > CORE_MAX)
        return PP_OK;
    PP_TRY(pp_paley_(out, n, how));
    if (*out == NULL)
        PP_TRY(pp_goethals_(out, n, how));
    if (*out == NULL)
        PP_TRY(pp_twin_primes_(out, n, how));
    if (*out == NULL)
        PP_TRY(pp_williamson_(out, n, how));
    for (uint32_t a = 12; *out == NULL && a * a <= n; a += 4)
        if (n % a == 0 && (n / a) % 4 == 0)
            PP_TRY(kronecker(out, a, n / a, how));
    return PP_OK;
}

static pp_status finish(pp_hadamard *h)
{
    const uint32_t k = h->core_n;
    h->signs = pp_calloc(2 * (size_t)k * (k / 4), 1);
    if (h->signs == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < k / 4 * 4; i++)
        for (uint32_t j = 0; j < k; j++)
            if (h->core[(size_t)i * k + j] < 0) {
                /* x H: input i counts for output j; x H^T: input j counts for output i */
                h->signs[(size_t)j * (k / 4) + i / 4] |= (uint8_t)(1u << i % 4);
                h->signs[((size_t)k + i) * (k / 4) + j / 4] |= (uint8_t)(1u << j % 4);
            }
    if (h->chunk > 1) {
        unsigned m = 0;
        while (1u << m < h->chunk)
            m++;
        const size_t at = strlen(h->how);
        snprintf(h->how + at, sizeof h->how - at, "%s2^%u", at > 0 ? "; x " : "Sylvester ", m);
    }
    return PP_OK;
}

/* h->core stays NULL when there is no matrix of this size. */
static pp_status build(pp_hadamard *h, uint32_t size)
{
    uint32_t odd = size;
    while (odd % 2 == 0)
        odd /= 2;
    h->size = size;
    if (odd > 1 && odd == size)
        return PP_OK;
    for (uint32_t k = odd; k <= size && h->core == NULL; k *= 2) {
        PP_TRY(make_core(&h->core, k, h->how));
        h->core_n = k;
        h->chunk = size / k;
        if (k > CORE_MAX)
            break;
    }
    return h->core != NULL ? finish(h) : PP_OK;
}

static pp_status check_order(uint32_t n)
{
    if (n == 0 || n > PP_HADAMARD_MAX)
        return pp_fail(PP_ERANGE, "Hadamard matrix of order %u: expected 1 to %u", n, PP_HADAMARD_MAX);
    return PP_OK;
}

void pp_hadamard_free(pp_hadamard *h)
{
    if (h == NULL)
        return;
    free(h->core);
    free(h->signs);
    free(h);
}

/* *out NULL without an error: there is none of this size. */
static pp_status try_size(pp_hadamard **out, uint32_t n, uint32_t size)
{
    *out = NULL;
    pp_hadamard *h = pp_calloc(1, sizeof *h);
    if (h == NULL)
        return PP_ENOMEM;
    h->n = n;
    h->level = (int)pp_cpu_level();
    h->blocks = n / size;
    pp_status status = build(h, size);
    if (status == PP_OK && h->core != NULL)
        *out = h;
    else
        pp_hadamard_free(h);
    return status;
}

pp_status pp_hadamard_new(pp_hadamard **out, uint32_t n)
{
    *out = NULL;
    PP_TRY(check_order(n));
    PP_TRY(try_size(out, n, n));
    if (*out == NULL)
        return pp_fail(PP_ENOTFOUND, "no Hadamard matrix of order %u is known here: it would need %s", n,
                       n % 4 != 0 ? "a multiple of 4" : "a construction beyond Paley, Williamson and products");
    return PP_OK;
}

pp_status pp_hadamard_new_blocks(pp_hadamard **out, uint32_t n)
{
    *out = NULL;
    PP_TRY(check_order(n));
    for (uint32_t blocks = 1; blocks <= n && *out == NULL; blocks++)
        if (n % blocks == 0)
            PP_TRY(try_size(out, n, n / blocks));
    return PP_OK;
}

uint32_t pp_hadamard_padded(uint32_t n)
{
    for (uint32_t size = n; size > 0 && size <= PP_HADAMARD_MAX; size++) {
        pp_hadamard *h = NULL;
        if (size > 2 && size % 4 != 0)
            continue;
        if (try_size(&h, size, size) != PP_OK)
            return 0;
        pp_hadamard_free(h);
        if (h != NULL)
            return size;
    }
    return 0;
}

int pp_hadamard_at(const pp_hadamard *h, uint32_t row, uint32_t col)
{
    if (row / h->size != col / h->size)
        return 0;
    const uint32_t r = row % h->size, c = col % h->size;
    const int core = h->core[(size_t)(r / h->chunk) * h->core_n + c / h->chunk];
    return __builtin_parity(r % h->chunk & c % h->chunk) ? -core : core;
}
