/* Dense linear algebra on row-major float matrices. OpenBLAS and its LAPACK stand behind this header.
 *
 * Work is split over the pool into blocks that depend on the shape alone and each block is one
 * single-threaded BLAS call, so results do not depend on the number of threads. */
#ifndef PP_WORKLOADS_DENSE_H
#define PP_WORKLOADS_DENSE_H

#include "base/base.h"

#include <stddef.h>

/* c[m][n] = alpha op(a) op(b) + beta c, op(a) [m][k], op(b) [k][n]; ld: floats from row to row as stored. */
pp_status pp_dense_product(pp_pool *pool, bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k,
                           float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                           size_t ldc);
/* a[n][n] <- the Q of a = Q R with R's diagonal positive. Any regular matrix, by Householder reflections. */
pp_status pp_dense_qr(float *a, size_t n);
/* The same for matrices near an orthogonal one (condition below about 100): Cholesky QR, several times
 * faster. One pass leaves an error of about 1e-7 times the square of the condition, the second removes it.
 * PP_ERANGE when the matrix is too far. */
pp_status pp_dense_qr_near(pp_pool *pool, float *a, size_t n, unsigned passes);
/* Symmetric positive definite h[n][n] -> upper triangular u (in place, zeros below) with
 * h^-1 = u^T u, as GPTQ uses it. One Cholesky of the matrix in reverse order and one triangular inverse.
 * PP_ERANGE when h is not positive definite: h is as it was. No memory beyond n floats. */
pp_status pp_dense_inverse_cholesky(float *h, size_t n);
/* Second moments h[n][n] <- beta h + alpha x^T x of x[rows][n], in blocks: on and above the diagonal blocks of 256 alone.
 * The rest of h is not touched (untouched pages of a large new array are no memory); beta 0 does not read h. Same bits for
 * any number of threads. */
pp_status pp_dense_gram(pp_pool *pool, const float *x, size_t rows, size_t n, float alpha, float beta, float *h);
/* Lower triangle <- upper triangle. */
void pp_dense_mirror(float *h, size_t n);
/* x <- x r^-1, or x r^-T when transposed, for x[rows][n] and upper triangular r[n][n]. */
void pp_dense_solve_right_upper(const float *r, size_t n, bool transposed, float *x, size_t rows);

#endif
