/* Rotations against their yardsticks, each in the same process:
 *   fast Hadamard     against the dense product in sgemm and against a plain copy of the same rows
 *   learning R1       time of a step against the same number of floating-point operations in sgemm
 *   GPTQ              against Cholesky, triangular inverse and updates of the same sizes in BLAS
 *
 * usage: pp_bench_rotations [THREADS [D [ROWS]]]   (1, 4096, 8192) */
#include "quant/number.h"
#include "quant/rotation.h"

#include "workloads/dense.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pp_pool *pool;

static void stop(const char *what)
{
    fprintf(stderr, "pp_bench_rotations: %s: %s\n", what, pp_error_text());
    exit(1);
}

static float *fill(size_t count)
{
    float *x = pp_alloc_aligned(count, sizeof *x);
    uint32_t s = 1;
    if (x == NULL)
        stop("memory");
    for (size_t i = 0; i < count; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = (float)(s >> 8) * 0x1p-24f - 0.5f;
    }
    return x;
}

static double fastest(double best, double begin)
{
    const double t = pp_clock_s() - begin;
    return t < best ? t : best;
}

static void bench_hadamard(uint32_t n)
{
    const size_t rows = ((size_t)192 << 20) / sizeof(float) / n, dense_rows = 256;
    pp_hadamard *h;
    if (pp_hadamard_new(&h, n) != PP_OK)
        stop("hadamard");
    float *x = fill(rows * n), *y = fill(rows * n), *matrix = fill((size_t)n * n);
    double fast = 1e9, copy = 1e9, dense = 1e9;
    for (unsigned i = 0; i < 3; i++) {
        double t = pp_clock_s();
        pp_hadamard_apply(h, x, rows, false);
        fast = fastest(fast, t);
        t = pp_clock_s();
        memcpy(y, x, rows * n * sizeof *x);
        copy = fastest(copy, t);
    }
    for (unsigned i = 0; i < 2; i++) {
        const double t = pp_clock_s();
        if (pp_dense_product(NULL, false, false, dense_rows, n, n, 1, x, n, matrix, n, 0, y, n) != PP_OK)
            stop("product");
        dense = fastest(dense, t);
    }
    dense *= (double)rows / (double)dense_rows;
    const double gb = (double)(rows * n * sizeof *x) / 1e9;
    printf("hadamard n=%u (%s): %.2f GB/s; dense product / fast = %.1f (>= 20); fast bandwidth / copy = %.2f (>= %.2f)\n",
           n, h->how, gb / fast, dense / fast, copy / fast, n == 4096 ? 0.5 : 0.25);
    free(x);
    free(y);
    free(matrix);
    pp_hadamard_free(h);
}

/* Multiply-add pairs of one step. */
static double learn_flops(int learner, double b, double n)
{
    const double gradient = 4 * b * n * n, cube = n * n * n;
    if (learner == PP_LEARNER_SGD)
        return gradient + 4 * cube + 2 * cube + cube / 3 + cube; /* tangent; Gram, Cholesky, solve */
    if (learner == PP_LEARNER_CAYLEY)
        return gradient + 2 * cube + 10 * cube;
    return gradient + 4 * cube + cube + 2 * cube + 8 * cube / 3;
}

static void bench_learn(int learner, const char *name, uint32_t n, size_t rows, int64_t steps)
{
    float *x = fill(rows * n), *r = NULL;
    pp_rotation *start;
    pp_learn_options o = pp_learn_defaults();
    pp_learn_result result;
    o.learner = learner;
    o.batch = (int64_t)rows;
    if (pp_rotation_random_hadamard(&start, n, 1, 1) != PP_OK || pp_rotation_to_dense(start, &r) != PP_OK)
        stop("rotation");
    double time[2];
    const int64_t count[2] = {1, 1 + steps}; /* what is not a step cancels */
    for (unsigned i = 0; i < 2; i++) {
        o.steps = count[i];
        const double t = pp_clock_s();
        if (pp_rotation_learn(r, n, x, rows, &o, pool, NULL, &result) != PP_OK)
            stop("learn");
        time[i] = pp_clock_s() - t;
    }
    const double step = (time[1] - time[0]) / (double)steps;
    float *z = fill(rows * n);
    double product = 1e9;
    for (unsigned i = 0; i < 3; i++) {
        const double t = pp_clock_s();
        if (pp_dense_product(pool, false, false, rows, n, n, 1, x, n, r, n, 0, z, n) != PP_OK)
            stop("product");
        product = fastest(product, t);
    }
    const double b = (double)rows, d = n, rate = 2 * b * d * d / product;
    printf("learn %s d=%u rows=%zu: %.2f s a step (%lld steps), sgemm %.1f GFLOP/s, step / same flops in sgemm = %.2f (<= 2)\n",
           name, n, rows, step, (long long)steps, rate / 1e9, step * rate / learn_flops(learner, b, d));
    free(x);
    free(r);
    free(z);
    pp_rotation_free(start);
}

static void bench_gptq(size_t n)
{
    float *x = fill(2 * n * n), *h = fill(n * n), *w = fill(n * n), *copy = fill(n * n), *e = fill(n * 128);
    float *scale = fill(n);
    uint8_t *code = pp_alloc(n * n, 1);
    const pp_weight_options o = {.format = PP_INT4, .clip = true, .norm = 2.4};
    const pp_gptq_options g = pp_gptq_defaults();
    if (code == NULL || pp_dense_product(pool, true, false, n, n, 2 * n, 1, x, n, x, n, 0, h, n) != PP_OK)
        stop("hessian");
    memcpy(copy, h, n * n * sizeof *h);
    double t = pp_clock_s();
    if (pp_quantize_gptq(&o, &g, pool, w, n, n, copy, code, scale) != PP_OK)
        stop("gptq");
    const double gptq = pp_clock_s() - t;
    memcpy(copy, h, n * n * sizeof *h);
    for (size_t i = 0; i < n; i++)
        copy[i * n + i] *= 1.01f;
    t = pp_clock_s();
    if (pp_dense_inverse_cholesky(copy, n) != PP_OK)
        stop("cholesky");
    for (size_t c = 0; c < n; c += 128) { /* the triangle inside a block, and what lies behind it */
        const size_t m = n - c < 128 ? n - c : 128;
        if (pp_dense_product(pool, false, false, n, m, m, -1, e, 128, copy + c * n + c, n, 1, w + c, n) != PP_OK ||
            pp_dense_product(pool, false, false, n, n - c - m, m, -1, e, 128, copy + c * n + c + m, n, 1, w + c + m, n) != PP_OK)
            stop("update");
    }
    const double blas = pp_clock_s() - t;
    printf("gptq %zux%zu: %.2f s, Cholesky and updates alone %.2f s, ratio = %.2f (<= 3)\n", n, n, gptq, blas, gptq / blas);
    free(x);
    free(h);
    free(w);
    free(copy);
    free(e);
    free(scale);
    free(code);
}

/* Upper factor of the inverse in double, from the last row up: h^-1 = u^T u. */
static void inverse_in_double(double *h, double *u, size_t n)
{
    /* P h P = L L^T in place, then rows of L^-1. */
    double *l = pp_calloc(n * n, sizeof *l);
    if (l == NULL)
        stop("memory");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = h[(n - 1 - i) * n + (n - 1 - j)];
            for (size_t k = 0; k < j; k++)
                sum -= l[i * n + k] * l[j * n + k];
            l[i * n + j] = i == j ? sqrt(sum) : sum / l[j * n + j];
        }
    for (size_t c = 0; c < n; c++) /* column c of L^-1, turned */
        for (size_t i = c; i < n; i++) {
            double sum = i == c;
            for (size_t k = c; k < i; k++)
                sum -= l[i * n + k] * u[(n - 1 - k) * n + (n - 1 - c)];
            u[(n - 1 - i) * n + (n - 1 - c)] = sum / l[i * n + i];
        }
    free(l);
}

/* The factor in single precision, in one buffer, against double: inputs as correlated as neighbours 0.99 apart. */
static void bench_factor(size_t n)
{
    float *x = fill(2 * n * n), *h = fill(n * n);
    double *wide = pp_calloc(n * n, sizeof *wide), *u = pp_calloc(n * n, sizeof *u), worst = 0, mean = 0;
    if (wide == NULL || u == NULL)
        stop("memory");
    for (size_t r = 0; r < 2 * n; r++)
        for (size_t i = 1; i < n; i++)
            x[r * n + i] += 0.99f * x[r * n + i - 1];
    if (pp_dense_gram(pool, x, 2 * n, n, 1, 0, h) != PP_OK)
        stop("hessian");
    pp_dense_mirror(h, n);
    for (size_t i = 0; i < n; i++)
        mean += (double)h[i * n + i] / (double)n;
    for (size_t i = 0; i < n; i++)
        h[i * n + i] += (float)(0.01 * mean);
    for (size_t i = 0; i < n * n; i++)
        wide[i] = (double)h[i];
    inverse_in_double(wide, u, n);
    if (pp_dense_inverse_cholesky(h, n) != PP_OK)
        stop("cholesky");
    for (size_t i = 0; i < n; i++) /* against the diagonal, which errors are divided by */
        for (size_t j = i; j < n; j++)
            worst = fmax(worst, fabs((double)h[i * n + j] - u[i * n + j]) / u[i * n + i]);
    printf("gptq's factor of order %zu in single precision: largest error against double, over the row's diagonal: %.1e\n", n, worst);
    free(x);
    free(h);
    free(wide);
    free(u);
}

int main(int argc, char **argv)
{
    const unsigned threads = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    const uint32_t d = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 4096;
    const size_t rows = argc > 3 ? strtoul(argv[3], NULL, 10) : 8192;
    if (pp_pool_new(&pool, threads) != PP_OK)
        stop("threads");
    bench_hadamard(4096);
    bench_hadamard(14336);
    bench_gptq(d);
    bench_factor(d < 768 ? d : 768);
    bench_learn(PP_LEARNER_SGD, "sgd", d, rows, 3);
    bench_learn(PP_LEARNER_CAYLEY, "cayley", d, rows, 3);
    pp_pool_free(pool);
    return 0;
}
