/* Second moments in blocks, and the inverse factor that GPTQ uses: against double precision, and what failure leaves. */
#include "test_workloads.h"
#include "workloads/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 300, ROWS = 40 }; /* two blocks of the moments, the last one partial */

static float *noise(size_t n, uint64_t seed)
{
    float *x = malloc(n * sizeof *x);
    pp_rng rng = pp_rng_make(seed, 3);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)pp_rng_normal(&rng);
    return x;
}

static void moments_in_blocks(void **state)
{
    (void)state;
    float *x = noise(2 * ROWS * N, 1), *h = malloc(N * N * sizeof *h), *again = malloc(N * N * sizeof *h);
    pp_pool *pool;
    memset(h, 0xff, N * N * sizeof *h); /* NaN: beta 0 reads nothing */
    memset(again, 0xff, N * N * sizeof *h);
    assert_int_equal(pp_dense_gram(NULL, x, ROWS, N, 2, 0, h), PP_OK);
    assert_int_equal(pp_dense_gram(NULL, x + ROWS * N, ROWS, N, 2, 1, h), PP_OK);
    assert_true(isnan(h[(N - 1) * N])); /* below the diagonal blocks nothing is touched */
    pp_dense_mirror(h, N);
    for (size_t i = 0; i < N; i += 7)
        for (size_t j = 0; j < N; j++) {
            double want = 0;
            for (size_t r = 0; r < 2 * ROWS; r++)
                want += 2 * (double)x[r * N + i] * (double)x[r * N + j];
            assert_true(fabs((double)h[i * N + j] - want) < 1e-3);
            assert_true(h[i * N + j] == h[j * N + i]);
        }
    assert_int_equal(pp_pool_new(&pool, 3), PP_OK);
    assert_int_equal(pp_dense_gram(pool, x, ROWS, N, 2, 0, again), PP_OK);
    assert_int_equal(pp_dense_gram(pool, x + ROWS * N, ROWS, N, 2, 1, again), PP_OK);
    pp_dense_mirror(again, N);
    assert_memory_equal(h, again, N * N * sizeof *h);
    pp_pool_free(pool);
    free(x);
    free(h);
    free(again);
}

static void inverse_factor(void **state)
{
    (void)state;
    float *x = noise(2 * N * N, 2), *h = malloc(N * N * sizeof *h), *u = malloc(N * N * sizeof *u);
    assert_int_equal(pp_dense_gram(NULL, x, 2 * N, N, 1, 0, h), PP_OK);
    pp_dense_mirror(h, N);
    memcpy(u, h, N * N * sizeof *u);
    assert_int_equal(pp_dense_inverse_cholesky(u, N), PP_OK);
    for (size_t i = 0; i < N; i += 11) /* u^T u h = 1 */
        for (size_t j = 0; j < N; j += 3) {
            double sum = 0;
            for (size_t k = 0; k <= i; k++) {
                double uh = 0;
                for (size_t m = k; m < N; m++)
                    uh += (double)u[k * N + m] * (double)h[m * N + j];
                sum += (double)u[k * N + i] * uh;
            }
            assert_true(fabs(sum - (i == j)) < 1e-3);
        }
    free(x);
    free(h);
    free(u);
}

/* Fewer rows than columns, no damping: no factor, and the matrix is what it was. */
static void failure_gives_the_matrix_back(void **state)
{
    (void)state;
    float *x = noise(ROWS * N, 3), *h = malloc(N * N * sizeof *h), *keep = malloc(N * N * sizeof *h);
    assert_int_equal(pp_dense_gram(NULL, x, ROWS, N, 1, 0, h), PP_OK);
    pp_dense_mirror(h, N);
    h[150 * N + 150] = -1;
    memcpy(keep, h, N * N * sizeof *h);
    assert_int_equal(pp_dense_inverse_cholesky(h, N), PP_ERANGE);
    assert_memory_equal(h, keep, N * N * sizeof *h);
    free(x);
    free(h);
    free(keep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(moments_in_blocks), cmocka_unit_test(inverse_factor),
                                       cmocka_unit_test(failure_gives_the_matrix_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
