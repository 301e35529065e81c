/* Products, QR and Cholesky by OpenBLAS. */
#include "workloads/dense.h"

#include "workloads/blas.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fortran's interface: the header of LAPACKE is not part of OpenBLAS's package. Matrices are column-major
 * there, so a row-major matrix is seen transposed. */
void sgeqrf_(const int *m, const int *n, float *a, const int *lda, float *tau, float *work, const int *lwork,
             int *info);
void sorgqr_(const int *m, const int *n, const int *k, float *a, const int *lda, const float *tau, float *work,
             const int *lwork, int *info);
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info, size_t uplo_length);
void strtri_(const char *uplo, const char *diag, const int *n, float *a, const int *lda, int *info,
             size_t uplo_length, size_t diag_length);

enum { ROWS_MIN = 64, ITEMS = 16, ROWS_MAX = 1024, GRAM_BLOCK = 256, MIRROR_BLOCK = 64 };

typedef struct product {
    bool ta, tb;
    size_t m, n, k, rows;
    float alpha, beta;
    const float *a, *b;
    size_t lda, ldb, ldc;
    float *c;
} product;

static pp_status product_block(void *payload, size_t item, unsigned worker)
{
    const product *p = payload;
    (void)worker;
    const size_t first = item * p->rows, rows = p->m - first < p->rows ? p->m - first : p->rows;
    cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans, (blasint)rows,
                (blasint)p->n, (blasint)p->k, p->alpha, p->a + first * (p->ta ? 1 : p->lda), (blasint)p->lda, p->b,
                (blasint)p->ldb, p->beta, p->c + first * p->ldc, (blasint)p->ldc);
    return PP_OK;
}

static size_t block_rows(size_t m)
{
    size_t rows = (m + ITEMS - 1) / ITEMS;
    rows = (rows + ROWS_MIN - 1) / ROWS_MIN * ROWS_MIN;
    return rows > ROWS_MAX ? ROWS_MAX : rows;
}

pp_status pp_dense_product(pp_pool *pool, bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k,
                           float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                           size_t ldc)
{
    if (m == 0 || n == 0)
        return PP_OK;
    (void)pp_blas_prepare();
    product p = {.ta = a_transposed, .tb = b_transposed, .m = m, .n = n, .k = k, .rows = block_rows(m),
                 .alpha = alpha, .beta = beta, .a = a, .b = b, .lda = lda, .ldb = ldb, .ldc = ldc, .c = c};
    return pp_pool_run(pool, (m + p.rows - 1) / p.rows, product_block, &p);
}

static void transpose(float *a, size_t n)
{
    for (size_t i0 = 0; i0 < n; i0 += 32)
        for (size_t j0 = 0; j0 <= i0; j0 += 32)
            for (size_t i = i0; i < n && i < i0 + 32; i++)
                for (size_t j = j0; j < i && j < j0 + 32; j++) {
                    const float t = a[i * n + j];
                    a[i * n + j] = a[j * n + i];
                    a[j * n + i] = t;
                }
}

static pp_status qr_columns(float *a, int n, float *tau, float *diagonal)
{
    int info = 0, query = -1;
    float want = 0;
    sgeqrf_(&n, &n, a, &n, tau, &want, &query, &info);
    const int size = (int)want > n ? (int)want : n;
    float *work = pp_alloc((size_t)size, sizeof *work);
    if (work == NULL)
        return PP_ENOMEM;
    sgeqrf_(&n, &n, a, &n, tau, work, &size, &info);
    for (size_t i = 0; i < (size_t)n; i++)
        diagonal[i] = a[i * (size_t)n + i];
    if (info == 0)
        sorgqr_(&n, &n, &n, a, &n, tau, work, &size, &info);
    free(work);
    return info == 0 ? PP_OK : pp_fail(PP_EINTERNAL, "QR decomposition of order %d failed (%d)", n, info);
}

pp_status pp_dense_qr(float *a, size_t n)
{
    (void)pp_blas_prepare();
    float *tau = pp_alloc(2 * n, sizeof *tau);
    if (tau == NULL)
        return PP_ENOMEM;
    transpose(a, n);
    pp_status status = qr_columns(a, (int)n, tau, tau + n);
    /* Columns of Q are the rows here, before they are put back. */
    for (size_t i = 0; i < n && status == PP_OK; i++)
        for (size_t j = 0; j < n && tau[n + i] < 0; j++)
            a[i * n + j] = -a[i * n + j];
    transpose(a, n);
    free(tau);
    return status;
}

/* Row-major lower triangle of `a` <- L with a = L L^T. */
static pp_status cholesky_lower(float *a, size_t n)
{
    int order = (int)n, info = 0;
    spotrf_("U", &order, a, &order, &info, 1);
    return info == 0 ? PP_OK : pp_fail(PP_ERANGE, "matrix of order %zu is not positive definite (row %d)", n, info);
}

/* Row-major upper triangle of `a` <- U with a = U^T U. */
static pp_status cholesky_upper(float *a, size_t n)
{
    int order = (int)n, info = 0;
    spotrf_("L", &order, a, &order, &info, 1);
    return info == 0 ? PP_OK : pp_fail(PP_ERANGE, "matrix of order %zu is not positive definite (row %d)", n, info);
}

void pp_dense_solve_right_upper(const float *r, size_t n, bool transposed, float *x, size_t rows)
{
    (void)pp_blas_prepare();
    cblas_strsm(CblasRowMajor, CblasRight, CblasUpper, transposed ? CblasTrans : CblasNoTrans, CblasNonUnit, (blasint)rows, (blasint)n, 1.0f, r,
                (blasint)n, x, (blasint)n);
}

typedef struct solve {
    const float *r;
    float *x;
    size_t n, rows;
} solve;

static pp_status solve_block(void *payload, size_t item, unsigned worker)
{
    const solve *s = payload;
    (void)worker;
    const size_t first = item * s->rows, rows = s->n - first < s->rows ? s->n - first : s->rows;
    pp_dense_solve_right_upper(s->r, s->n, false, s->x + first * s->n, rows);
    return PP_OK;
}

/* a <- a U^-1 with a^T a = U^T U. */
static pp_status cholesky_qr(pp_pool *pool, float *a, float *gram, size_t n)
{
    PP_TRY(pp_dense_product(pool, true, false, n, n, n, 1, a, n, a, n, 0, gram, n));
    PP_TRY(cholesky_upper(gram, n));
    solve s = {gram, a, n, block_rows(n)};
    return pp_pool_run(pool, (n + s.rows - 1) / s.rows, solve_block, &s);
}

pp_status pp_dense_qr_near(pp_pool *pool, float *a, size_t n, unsigned passes)
{
    float *gram = pp_alloc(n * n, sizeof *gram);
    if (gram == NULL)
        return PP_ENOMEM;
    pp_status status = PP_OK;
    for (unsigned i = 0; i < passes && status == PP_OK; i++)
        status = cholesky_qr(pool, a, gram, n);
    free(gram);
    return status;
}

static void reverse(float *a, size_t n)
{
    const size_t count = n * n;
    for (size_t i = 0; i < count / 2; i++) {
        const float t = a[i];
        a[i] = a[count - 1 - i];
        a[count - 1 - i] = t;
    }
}

/* Reversed h, whose row-major lower triangle was overwritten, as it was. */
static void bring_back(float *h, size_t n, const float *diagonal)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++)
            h[i * n + j] = h[j * n + i];
        h[i * n + i] = diagonal[i];
    }
    reverse(h, n);
}

static pp_status invert_factor(float *h, size_t n)
{
    int order = (int)n, info = 0;
    PP_TRY(cholesky_lower(h, n));
    strtri_("U", "N", &order, h, &order, &info, 1, 1);
    return info == 0 ? PP_OK : pp_fail(PP_ERANGE, "triangular matrix of order %zu is singular (row %d)", n, info);
}

pp_status pp_dense_inverse_cholesky(float *h, size_t n)
{
    (void)pp_blas_prepare();
    float *diagonal = pp_alloc(n, sizeof *diagonal);
    if (diagonal == NULL)
        return PP_ENOMEM;
    /* P h P = L L^T, so h^-1 = (P L^-1 P)^T (P L^-1 P), and P L^-1 P is upper triangular. */
    reverse(h, n);
    for (size_t i = 0; i < n; i++)
        diagonal[i] = h[i * n + i];
    const pp_status status = invert_factor(h, n);
    if (status == PP_OK)
        reverse(h, n);
    else
        bring_back(h, n, diagonal);
    for (size_t i = 1; i < n && status == PP_OK; i++)
        memset(h + i * n, 0, i * sizeof *h);
    free(diagonal);
    return status;
}

typedef struct gram {
    const float *x;
    float *h;
    size_t rows, n;
    float alpha, beta;
} gram;

/* Rows [first, first + GRAM_BLOCK) of h, from their diagonal block on. */
static pp_status gram_block(void *payload, size_t item, unsigned worker)
{
    const gram *g = payload;
    (void)worker;
    const size_t first = item * GRAM_BLOCK, m = g->n - first < GRAM_BLOCK ? g->n - first : GRAM_BLOCK;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)m, (blasint)(g->n - first), (blasint)g->rows, g->alpha, g->x + first,
                (blasint)g->n, g->x + first, (blasint)g->n, g->beta, g->h + first * g->n + first, (blasint)g->n);
    return PP_OK;
}

pp_status pp_dense_gram(pp_pool *pool, const float *x, size_t rows, size_t n, float alpha, float beta, float *h)
{
    (void)pp_blas_prepare();
    gram g = {x, h, rows, n, alpha, beta};
    return pp_pool_run(pool, (n + GRAM_BLOCK - 1) / GRAM_BLOCK, gram_block, &g);
}

void pp_dense_mirror(float *h, size_t n)
{
    for (size_t bi = 0; bi < n; bi += MIRROR_BLOCK)
        for (size_t bj = bi; bj < n; bj += MIRROR_BLOCK)
            for (size_t i = bi; i < n && i < bi + MIRROR_BLOCK; i++)
                for (size_t j = bj > i ? bj : i + 1; j < n && j < bj + MIRROR_BLOCK; j++)
                    h[j * n + i] = h[i * n + j];
}
