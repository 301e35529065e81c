/* Goethals' and Seidel's array: four circulants A, B, C, D of order m with entries +-1 whose periodic
 * autocorrelations add up to 0 at every shift give a Hadamard matrix of order 4 m,
 *
 *     A    B R    C R    D R
 *   -B R    A    D' R  -C' R
 *   -C R  -D' R    A    B' R
 *   -D R   C' R  -B' R    A          R: the reversal of columns
 *
 * For the orders that no search of a second finds, A to D are made of T-sequences of length t (of four, one is +-1
 * and three are 0 at each place, and the autocorrelations of the four cancel) and Williamson's symmetric circulants
 * W of order w without a common divisor: m = t w, entry i of each is the sign and the W that place i mod t of the
 * T-sequences selects, at i mod w. t = 3: Baumert and Hall's way to 156. w = 1: T-sequences alone.
 * Two orders come from a search over quadruples whose entries but the first are alike on the orbits of a multiplier g
 * modulo the prime m (each value of the autocorrelation has to vanish on few shifts then): found here, by chance, with
 * pairs matched by their autocorrelations. PAPER: hadamard-matrices. Tests multiply every matrix out. */
#include "quant/rotation_internal.h"

#include <stdio.h>

enum { ORDER_MAX = 93 };

typedef struct quadruple {
    uint32_t t, w;
    const char *sequence;   /* place i belongs to T-sequence a to d, +1, or A to D, -1 */
    uint32_t row[4];        /* of W: bit i - 1 set: entries i and w - i are -1; entry 0 is 1 */
} quadruple;

static const quadruple known[] = {
    {1, 29, "a", {0xb11, 0x30a6, 0x6bb, 0x2f3}},
    {3, 13, "abc", {0x2f, 0x1a, 0x7, 0xd}},
    {5, 13, "aabBc", {0x2f, 0x1a, 0x7, 0xd}},
    {3, 31, "abc", {0x6298, 0x1d67, 0xdbd, 0xdbd}},
    {47, 1, "aAABbAaABBBbbbbbaAAbBAAbddCDcDddDcCcccDdDDcDCDd", {0}},
};

typedef struct orbit_quadruple {
    uint32_t m, g;
    uint32_t row[4]; /* bit k set: entries on orbit k, in the order of their least elements, are -1; entry 0 is 1 */
} orbit_quadruple;

static const orbit_quadruple searched[] = {
    {67, 29, {0x1cd224, 0x1a16ac, 0x328a7d, 0x3c8557}}, /* orbits of 3 */
    {73, 2, {0xf, 0x2b, 0x3c, 0xa7}},                    /* of 9 */
};

static void orbit_row(const orbit_quadruple *q, uint32_t mask, int8_t *row)
{
    uint32_t orbit = 0;
    for (uint32_t i = 0; i < q->m; i++)
        row[i] = 0;
    row[0] = 1;
    for (uint32_t i = 1; i < q->m; i++) {
        if (row[i] != 0)
            continue;
        for (uint32_t x = i; row[x] == 0; x = x * q->g % q->m)
            row[x] = mask >> orbit & 1 ? -1 : 1;
        orbit++;
    }
}

static int8_t symmetric_entry(uint32_t mask, uint32_t w, uint32_t i)
{
    return i > 0 && mask >> ((i < w - i ? i : w - i) - 1) & 1 ? -1 : 1;
}

/* First row of A, B, C or D. */
static void first_row(const quadruple *q, unsigned which, int8_t *row)
{
    /* T-sequences a to d select these: a Hadamard matrix of order 4 in four letters */
    static const struct { int8_t sign, w; } of[4][4] = {{{1, 0}, {1, 1}, {1, 2}, {1, 3}},
                                                        {{-1, 1}, {1, 0}, {1, 3}, {-1, 2}},
                                                        {{-1, 2}, {-1, 3}, {1, 0}, {1, 1}},
                                                        {{-1, 3}, {1, 2}, {-1, 1}, {1, 0}}};
    for (uint32_t i = 0; i < q->t * q->w; i++) {
        const char letter = q->sequence[i % q->t];
        const unsigned s = (unsigned)(letter >= 'a' ? letter - 'a' : letter - 'A');
        const int8_t sign = (int8_t)(letter >= 'a' ? of[which][s].sign : -of[which][s].sign);
        row[i] = (int8_t)(sign * symmetric_entry(q->row[of[which][s].w], q->w, i % q->w));
    }
}

/* Entry of a block: X itself, X R, or X' R. */
typedef enum form { PLAIN, REVERSED, TURNED } form;

static int8_t entry(const int8_t *x, uint32_t m, form f, uint32_t i, uint32_t j)
{
    switch (f) {
    case PLAIN:
        return x[(j + m - i) % m];
    case REVERSED:
        return x[(2 * m - 1 - j - i) % m];
    default:
        return x[(i + j + 1) % m];
    }
}

static void assemble(int8_t row[4][ORDER_MAX], uint32_t m, int8_t *h)
{
    static const struct { int8_t sign, row; form f; } block[4][4] = {
        {{1, 0, PLAIN}, {1, 1, REVERSED}, {1, 2, REVERSED}, {1, 3, REVERSED}},
        {{-1, 1, REVERSED}, {1, 0, PLAIN}, {1, 3, TURNED}, {-1, 2, TURNED}},
        {{-1, 2, REVERSED}, {-1, 3, TURNED}, {1, 0, PLAIN}, {1, 1, TURNED}},
        {{-1, 3, REVERSED}, {1, 2, TURNED}, {-1, 1, TURNED}, {1, 0, PLAIN}}};
    const uint32_t n = 4 * m;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            h[(size_t)i * n + j] = (int8_t)(block[i / m][j / m].sign *
                                            entry(row[block[i / m][j / m].row], m, block[i / m][j / m].f, i % m, j % m));
}

static const orbit_quadruple *find_searched(uint32_t n)
{
    for (size_t i = 0; i < sizeof searched / sizeof *searched; i++)
        if (4 * searched[i].m == n)
            return &searched[i];
    return NULL;
}

pp_status pp_goethals_(int8_t **out, uint32_t n, char how[64])
{
    int8_t row[4][ORDER_MAX];
    const quadruple *q = NULL;
    const orbit_quadruple *found = find_searched(n);
    *out = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (4 * known[i].t * known[i].w == n)
            q = &known[i];
    if (q == NULL && found == NULL)
        return PP_OK;
    *out = pp_alloc((size_t)n * n, 1);
    if (*out == NULL)
        return PP_ENOMEM;
    for (unsigned k = 0; k < 4; k++) {
        if (q != NULL)
            first_row(q, k, row[k]);
        else
            orbit_row(found, found->row[k], row[k]);
    }
    assemble(row, n / 4, *out);
    if (q != NULL)
        snprintf(how, 64, "Goethals-Seidel, 4 x %u x %u", q->t, q->w);
    else
        snprintf(how, 64, "Goethals-Seidel, 4 x %u, multiplier %u", found->m, found->g);
    return PP_OK;
}
