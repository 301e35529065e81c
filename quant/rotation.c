/* Rotations: Hadamard with random signs, random orthogonal, dense. */
#include "quant/rotation_internal.h"

#include "workloads/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Columns that apply_left turns into rows at a time, and rows of one item of the pool. */
enum { COLUMNS = 32, ROWS = 64 };

void pp_rotation_free(pp_rotation *r)
{
    if (r == NULL)
        return;
    pp_hadamard_free(r->hadamard);
    free(r->sign);
    free(r->dense);
    free(r);
}

static pp_status new_rotation(pp_rotation **out, uint32_t n)
{
    *out = pp_calloc(1, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    (*out)->n = n;
    return PP_OK;
}

pp_status pp_rotation_random_hadamard(pp_rotation **out, uint32_t n, uint64_t seed, uint64_t object)
{
    pp_hadamard *h = NULL;
    *out = NULL;
    pp_status status = pp_hadamard_new(&h, n);
    if (status == PP_ENOTFOUND)
        return pp_rotation_random_orthogonal(out, n, seed, object);
    PP_TRY(status);
    float *sign = pp_alloc(n, sizeof *sign);
    status = sign != NULL ? new_rotation(out, n) : PP_ENOMEM;
    if (status != PP_OK) {
        free(sign);
        pp_hadamard_free(h);
        return status;
    }
    pp_rng rng = pp_rng_make(seed, object);
    for (uint32_t i = 0; i < n; i++)
        sign[i] = pp_rng_u32(&rng) >> 31 ? -1.0f : 1.0f;
    (*out)->hadamard = h;
    (*out)->sign = sign;
    return PP_OK;
}

pp_status pp_rotation_random_orthogonal(pp_rotation **out, uint32_t n, uint64_t seed, uint64_t object)
{
    PP_TRY(new_rotation(out, n));
    float *q = pp_alloc((size_t)n * n, sizeof *q);
    pp_rng rng = pp_rng_make(seed, object);
    for (size_t i = 0; q != NULL && i < (size_t)n * n; i++)
        q[i] = (float)pp_rng_normal(&rng);
    (*out)->dense = q;
    const pp_status status = q != NULL ? pp_dense_qr(q, n) : PP_ENOMEM;
    if (status != PP_OK) {
        pp_rotation_free(*out);
        *out = NULL;
    }
    return status;
}

pp_status pp_rotation_from_dense(pp_rotation **out, uint32_t n, const float *dense)
{
    PP_TRY(new_rotation(out, n));
    (*out)->dense = pp_alloc((size_t)n * n, sizeof *dense);
    if ((*out)->dense == NULL) {
        pp_rotation_free(*out);
        *out = NULL;
        return PP_ENOMEM;
    }
    memcpy((*out)->dense, dense, (size_t)n * n * sizeof *dense);
    return PP_OK;
}

pp_status pp_rotation_to_dense(const pp_rotation *r, float **out)
{
    float *d = pp_calloc((size_t)r->n * r->n, sizeof *d);
    *out = d;
    if (d == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < r->n; i++)
        d[(size_t)i * r->n + i] = 1;
    return pp_rotation_apply(r, NULL, d, r->n, false);
}

/* ---- application ---- */

typedef struct rows_pass {
    const pp_rotation *r;
    float *x;
    size_t rows;
    bool transposed;
} rows_pass;

static void sign_rows(const pp_rotation *r, float *x, size_t rows)
{
    for (size_t i = 0; r->sign != NULL && i < rows; i++)
        for (uint32_t j = 0; j < r->n; j++)
            x[i * r->n + j] *= r->sign[j];
}

static pp_status fast_rows(void *payload, size_t item, unsigned worker)
{
    const rows_pass *p = payload;
    (void)worker;
    const size_t rows = p->rows - item * ROWS < ROWS ? p->rows - item * ROWS : ROWS;
    float *x = p->x + item * ROWS * p->r->n;
    if (!p->transposed)
        sign_rows(p->r, x, rows);
    pp_hadamard_apply(p->r->hadamard, x, rows, p->transposed);
    if (p->transposed)
        sign_rows(p->r, x, rows);
    return PP_OK;
}

/* In slices of rows, so that the copy of the input stays small beside a large matrix. */
static pp_status dense_rows(const pp_rotation *r, pp_pool *pool, float *x, size_t rows, bool transposed)
{
    const size_t n = r->n, slice = rows < 2048 ? rows : 2048;
    float *copy = pp_alloc(slice * n, sizeof *copy);
    pp_status status = copy != NULL ? PP_OK : PP_ENOMEM;
    for (size_t i = 0; i < rows && status == PP_OK; i += slice) {
        const size_t m = rows - i < slice ? rows - i : slice;
        memcpy(copy, x + i * n, m * n * sizeof *copy);
        status = pp_dense_product(pool, false, transposed, m, n, n, 1, copy, n, r->dense, n, 0, x + i * n, n);
    }
    free(copy);
    return status;
}

pp_status pp_rotation_apply(const pp_rotation *r, pp_pool *pool, float *x, size_t rows, bool transposed)
{
    if (r->dense != NULL)
        return dense_rows(r, pool, x, rows, transposed);
    rows_pass p = {r, x, rows, transposed};
    return pp_pool_run(pool, (rows + ROWS - 1) / ROWS, fast_rows, &p);
}

typedef struct left_pass {
    const pp_rotation *r;
    float *w;
    size_t cols;
} left_pass;

/* R^T w = (w^T R)^T: COLUMNS columns of w as rows. */
static pp_status fast_columns(void *payload, size_t item, unsigned worker)
{
    const left_pass *p = payload;
    (void)worker;
    const size_t n = p->r->n, first = item * COLUMNS;
    const size_t m = p->cols - first < COLUMNS ? p->cols - first : COLUMNS;
    float *rows = pp_alloc(m * n, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            rows[j * n + i] = p->w[i * p->cols + first + j];
    sign_rows(p->r, rows, m);
    pp_hadamard_apply(p->r->hadamard, rows, m, false);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            p->w[i * p->cols + first + j] = rows[j * n + i];
    free(rows);
    return PP_OK;
}

static pp_status dense_columns(const pp_rotation *r, pp_pool *pool, float *w, size_t cols)
{
    const size_t n = r->n, slice = cols < 2048 ? cols : 2048;
    float *copy = pp_alloc(slice * n, sizeof *copy);
    pp_status status = copy != NULL ? PP_OK : PP_ENOMEM;
    for (size_t j = 0; j < cols && status == PP_OK; j += slice) {
        const size_t m = cols - j < slice ? cols - j : slice;
        for (size_t i = 0; i < n; i++)
            memcpy(copy + i * m, w + i * cols + j, m * sizeof *copy);
        status = pp_dense_product(pool, true, false, n, m, n, 1, r->dense, n, copy, m, 0, w + j, cols);
    }
    free(copy);
    return status;
}

pp_status pp_rotation_apply_left(const pp_rotation *r, pp_pool *pool, float *w, size_t cols)
{
    if (r->dense != NULL)
        return dense_columns(r, pool, w, cols);
    left_pass p = {r, w, cols};
    return pp_pool_run(pool, (cols + COLUMNS - 1) / COLUMNS, fast_columns, &p);
}

pp_status pp_rotation_defect(const pp_rotation *r, pp_pool *pool, double *out)
{
    const size_t n = r->n;
    float *d = NULL, *gram = pp_alloc(n * n, sizeof *gram);
    pp_status status = gram != NULL ? pp_rotation_to_dense(r, &d) : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_dense_product(pool, true, false, n, n, n, 1, d, n, d, n, 0, gram, n);
    *out = 0;
    for (size_t i = 0; status == PP_OK && i < n * n; i++)
        *out = fmax(*out, fabs((double)gram[i] - (i % (n + 1) == 0)));
    free(d);
    free(gram);
    return status;
}
