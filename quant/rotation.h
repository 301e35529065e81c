/* quant/rotation.h: orthogonal transforms in front of quantizers.
 *
 * A row x of activations becomes x R, the weights behind it W R; the product W x stays what it was and
 * both sides are easier to quantize. R is a Hadamard matrix (fast, any size), one with random signs, a
 * random orthogonal matrix, or one learned by KurTail. docs/rotations.md has the whole picture. */
#ifndef PP_QUANT_ROTATION_H
#define PP_QUANT_ROTATION_H

#include "base/base.h"

#include <stddef.h>

/* ---- Hadamard matrices ---- */

/* H = I_blocks (x) core (x) Sylvester(chunk), entries +-1, H H^T = size I on each block of `size` =
 * core_n x chunk. blocks > 1: no matrix of the whole order is known, the transform mixes inside blocks. */
typedef struct pp_hadamard {
    uint32_t n, blocks, size;
    uint32_t core_n, chunk;
    int8_t *core;   /* [core_n][core_n] */
    uint8_t *signs; /* [2][core_n][core_n / 4]: for output j, 4 coefficients a nibble, bit set: -1; of H, of H^T */
    char how[64];   /* "Paley I, q = 43; x 2^8" */
    int level;      /* pp_cpu: which kernel runs */
} pp_hadamard;

/* Largest order that is built. */
#define PP_HADAMARD_MAX (1u << 20)

/* The smallest core for which an order K 2^m = n is constructed: Sylvester; Paley I (order q + 1) and
 * II (2 q + 2) over fields of prime power order q; Williamson (order 4 k) by search; Goethals-Seidel
 * for 116, 156, 188, 260, 372; Kronecker products of these. PP_ENOTFOUND, naming n, when there is none. O(core^2) to O(core^3). */
pp_status pp_hadamard_new(pp_hadamard **out, uint32_t n);
/* The same, but a size without one is cut into the largest blocks that have one: how many is in
 * `blocks`; the caller warns. Odd n give blocks of 1, the identity. */
pp_status pp_hadamard_new_blocks(pp_hadamard **out, uint32_t n);
void pp_hadamard_free(pp_hadamard *h); /* NULL allowed */
/* Smallest N >= n with a Hadamard matrix (padding: PAPER: expansion2025). 0 beyond PP_HADAMARD_MAX. */
uint32_t pp_hadamard_padded(uint32_t n);
/* Entry of H, +-1 (0 between blocks). */
int pp_hadamard_at(const pp_hadamard *h, uint32_t row, uint32_t col);
/* x[rows][n] <- x H / sqrt(size), or x H^T / sqrt(size). In place, in the calling thread; n (core + log
 * chunk) operations a row. The vector kernel and the plain one give the same bits. */
void pp_hadamard_apply(const pp_hadamard *h, float *x, size_t rows, bool transposed);
void pp_hadamard_apply_plain(const pp_hadamard *h, float *x, size_t rows, bool transposed);
/* By the definition: dense product in double. For tests and benchmarks. */
pp_status pp_hadamard_apply_dense(const pp_hadamard *h, float *x, size_t rows, bool transposed);

/* ---- rotations ---- */

/* R [n][n]: a Hadamard matrix with random signs, diag(sign) H / sqrt(size), or dense. */
typedef struct pp_rotation {
    uint32_t n;
    pp_hadamard *hadamard; /* NULL: dense */
    float *sign;           /* [n] +-1; NULL: all 1 */
    float *dense;          /* [n][n] row-major; NULL: Hadamard */
} pp_rotation;

void pp_rotation_free(pp_rotation *r); /* NULL allowed */
/* Random signs from (seed, object) in front of the Hadamard matrix of n. Where there is none: a random
 * orthogonal matrix, which serves as well when nothing has to be transformed online. */
pp_status pp_rotation_random_hadamard(pp_rotation **out, uint32_t n, uint64_t seed, uint64_t object);
/* Uniform over the orthogonal group: QR of a Gaussian matrix with positive diagonal. O(n^3). */
pp_status pp_rotation_random_orthogonal(pp_rotation **out, uint32_t n, uint64_t seed, uint64_t object);
/* Takes a copy of dense[n][n]. */
pp_status pp_rotation_from_dense(pp_rotation **out, uint32_t n, const float *dense);
/* New array [n][n]. */
pp_status pp_rotation_to_dense(const pp_rotation *r, float **out);
/* x[rows][n] <- x R or x R^T. */
pp_status pp_rotation_apply(const pp_rotation *r, pp_pool *pool, float *x, size_t rows, bool transposed);
/* w[n][cols] <- R^T w. */
pp_status pp_rotation_apply_left(const pp_rotation *r, pp_pool *pool, float *w, size_t cols);
/* Largest |R^T R - I|. O(n^3). */
pp_status pp_rotation_defect(const pp_rotation *r, pp_pool *pool, double *out);

/* ---- kurtosis ---- */

/* What is averaged: all values of all rows together; each row (token), then |kurtosis - target| over
 * rows; each column (channel), then over columns. */
typedef enum pp_kurtosis_kind { PP_KURTOSIS_POOLED, PP_KURTOSIS_TOKEN, PP_KURTOSIS_CHANNEL } pp_kurtosis_kind;

/* Fourth central moment over the squared second, of n values. 3: Gaussian, 1.8: uniform, >= 1. */
double pp_kurtosis(const float *x, size_t n);
/* Mean over rows of max |x| / rms. */
double pp_max_over_rms(const float *x, size_t rows, size_t width);
/* loss = mean |kurtosis - target| of z[rows][width]; z is overwritten by d loss / d z. mean: the mean
 * kurtosis (NULL allowed). Same bits for any number of threads. */
pp_status pp_kurtosis_gradient(pp_kurtosis_kind kind, double target, pp_pool *pool, float *z, size_t rows,
                               size_t width, double *loss, double *mean);

/* ---- KurTail: learning on the orthogonal group. PAPER: kurtail2025 ---- */

typedef enum pp_learner {
    PP_LEARNER_SGD,    /* Riemannian gradient with momentum, QR retraction */
    PP_LEARNER_CAYLEY, /* Cayley Adam. PAPER: spinquant2024, li2020 */
    PP_LEARNER_QR      /* R = Q of QR(Z), Z free */
} pp_learner;

typedef struct pp_learn_options {
    int learner;       /* pp_learner */
    int loss;          /* pp_kurtosis_kind */
    int64_t steps;     /* default 300 */
    double rate;       /* angle of a step, falls linearly to 0; default 0.05 */
    double momentum;   /* default 0.9 */
    double target;     /* default 1.8: uniform */
    int64_t batch;     /* rows a step; all when there are no more. Default 8192 */
    uint64_t seed, object;
} pp_learn_options;
pp_learn_options pp_learn_defaults(void);

typedef struct pp_learn_result {
    double kurtosis_before, kurtosis_after; /* of the first and after the last step, on its batch */
    double loss_before, loss_after;
    double defect; /* largest |R^T R - I| of the result */
} pp_learn_result;

/* r[n][n], orthogonal, is improved in place for the rows x[rows][n]. Memory: 2 batch x n + 6 n^2 floats.
 * Deterministic. progress (NULL allowed) is stepped once a step. */
pp_status pp_rotation_learn(float *r, uint32_t n, const float *x, size_t rows, const pp_learn_options *options,
                            pp_pool *pool, pp_progress *progress, pp_learn_result *result);

#endif
