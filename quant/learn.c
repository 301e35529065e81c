/* KurTail: a rotation that gives the rows x R the kurtosis of a uniform distribution.
 *
 * Gradient of the loss: G = X^T (d loss / d Z), Z = X R: two products a step and nothing of the model.
 * PAPER: kurtail2025; the Cayley step spinquant2024 (Li et al. 2020), the QR parametrisation DartQuant. */
#include "quant/rotation_internal.h"

#include "workloads/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct learner {
    const pp_learn_options *o;
    pp_pool *pool;
    size_t n, rows, batch;
    const float *x;
    float *xb, *z;          /* [batch][n]; xb NULL: x itself */
    float *r, *g, *m, *t, *s, *free_z; /* [n][n]; free_z: QR's parameter */
    float *upper;           /* QR: R factor of free_z */
    double second;          /* Cayley: running |G|^2 */
} learner;

pp_learn_options pp_learn_defaults(void)
{
    return (pp_learn_options){.learner = PP_LEARNER_SGD, .loss = PP_KURTOSIS_POOLED, .steps = 300, .rate = 0.05,
                              .momentum = 0.9, .target = 1.8, .batch = 8192};
}

static const float *draw(const learner *l, int64_t step)
{
    if (l->xb == NULL)
        return l->x;
    pp_rng rng = pp_rng_make(l->o->seed, l->o->object + ((uint64_t)step << 32));
    for (size_t i = 0; i < l->batch; i++)
        memcpy(l->xb + i * l->n, l->x + pp_rng_below(&rng, (uint32_t)l->rows) * l->n, l->n * sizeof *l->x);
    return l->xb;
}

/* g <- d loss / d r on this step's rows. */
static pp_status gradient(learner *l, int64_t step, double *loss, double *kurtosis)
{
    const size_t n = l->n, b = l->batch;
    const float *x = draw(l, step);
    PP_TRY(pp_dense_product(l->pool, false, false, b, n, n, 1, x, n, l->r, n, 0, l->z, n));
    PP_TRY(pp_kurtosis_gradient((pp_kurtosis_kind)l->o->loss, l->o->target, l->pool, l->z, b, n, loss, kurtosis));
    return pp_dense_product(l->pool, true, false, n, n, b, 1, x, n, l->z, n, 0, l->g, n);
}

static double norm(const float *a, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)a[i];
    return sqrt(sum);
}

/* m <- momentum m + (1 - momentum) g sqrt(n) / |g|: a step of rate `rate` turns by that angle. */
static void accumulate(learner *l)
{
    const size_t count = l->n * l->n;
    const float keep = (float)l->o->momentum;
    const float f = (float)((1 - l->o->momentum) * sqrt((double)l->n) / (norm(l->g, count) + 1e-30));
    for (size_t i = 0; i < count; i++)
        l->m[i] = keep * l->m[i] + f * l->g[i];
}

static void antisymmetric(const float *a, size_t n, float factor, float *out)
{
    for (size_t i0 = 0; i0 < n; i0 += 32)
        for (size_t j0 = 0; j0 < n; j0 += 32)
            for (size_t i = i0; i < n && i < i0 + 32; i++)
                for (size_t j = j0; j < n && j < j0 + 32; j++)
                    out[i * n + j] = factor * (a[i * n + j] - a[j * n + i]);
}

static pp_status step_sgd(learner *l, double rate)
{
    const size_t n = l->n;
    /* tangent part of g at r: r (r^T g - g^T r) / 2 */
    PP_TRY(pp_dense_product(l->pool, true, false, n, n, n, 1, l->r, n, l->g, n, 0, l->t, n));
    antisymmetric(l->t, n, 0.5f, l->s);
    PP_TRY(pp_dense_product(l->pool, false, false, n, n, n, 1, l->r, n, l->s, n, 0, l->g, n));
    accumulate(l);
    for (size_t i = 0; i < n * n; i++)
        l->r[i] -= (float)rate * l->m[i];
    return pp_dense_qr_near(l->pool, l->r, n, 1);
}

static double norm_one(const float *a, size_t n)
{
    double most = 0;
    double *column = pp_calloc(n, sizeof *column);
    if (column == NULL)
        return INFINITY;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            column[j] += fabs((double)a[i * n + j]);
    for (size_t j = 0; j < n; j++)
        most = fmax(most, column[j]);
    free(column);
    return most;
}

/* Cayley Adam with X = r: t = X m' X-like skew matrix W in t; r <- Cayley(-alpha W) r by fixed point. */
static pp_status step_cayley(learner *l, int64_t step, double rate)
{
    const size_t n = l->n, count = n * n;
    const double b1 = l->o->momentum, b2 = 0.99, size = norm(l->g, count);
    for (size_t i = 0; i < count; i++)
        l->m[i] = (float)(b1 * (double)l->m[i] + (1 - b1) * (double)l->g[i]);
    l->second = b2 * l->second + (1 - b2) * size * size;
    const double bias1 = 1 - pow(b1, (double)(step + 1)), bias2 = 1 - pow(b2, (double)(step + 1));
    const double scale = sqrt((double)n) / bias1 / sqrt(l->second / bias2 + 1e-30);
    /* W^ = m r^T - r (r^T m) r^T / 2, W = W^ - W^T, here for square r where both terms are skew parts of m r^T */
    PP_TRY(pp_dense_product(l->pool, false, true, n, n, n, (float)scale, l->m, n, l->r, n, 0, l->t, n));
    antisymmetric(l->t, n, 0.5f, l->s);
    const double alpha = fmin(rate, 1 / (norm_one(l->s, n) + 1e-8));
    /* y = r - alpha W (r + y) / 2, five iterations */
    memcpy(l->t, l->r, count * sizeof *l->t);
    for (unsigned k = 0; k < 5; k++) {
        for (size_t i = 0; i < count; i++)
            l->g[i] = 0.5f * (l->r[i] + l->t[i]);
        memcpy(l->t, l->r, count * sizeof *l->t);
        PP_TRY(pp_dense_product(l->pool, false, false, n, n, n, (float)-alpha, l->s, n, l->g, n, 1, l->t, n));
    }
    memcpy(l->r, l->t, count * sizeof *l->t);
    return step % 50 == 49 ? pp_dense_qr_near(l->pool, l->r, n, 1) : PP_OK;
}

/* r <- Q of QR(free_z), upper <- Q^T free_z. */
static pp_status factor(learner *l)
{
    const size_t n = l->n;
    memcpy(l->r, l->free_z, n * n * sizeof *l->r);
    PP_TRY(pp_dense_qr(l->r, n));
    return pp_dense_product(l->pool, true, false, n, n, n, 1, l->r, n, l->free_z, n, 0, l->upper, n);
}

/* d loss / d Z = (G + Q copyltu(-G^T Q)) R^-T, copyltu: the lower triangle mirrored into the upper. */
static pp_status step_qr(learner *l, double rate)
{
    const size_t n = l->n;
    PP_TRY(pp_dense_product(l->pool, true, false, n, n, n, -1, l->g, n, l->r, n, 0, l->t, n));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            l->s[i * n + j] = i >= j ? l->t[i * n + j] : l->t[j * n + i];
    PP_TRY(pp_dense_product(l->pool, false, false, n, n, n, 1, l->r, n, l->s, n, 1, l->g, n));
    pp_dense_solve_right_upper(l->upper, n, true, l->g, n);
    accumulate(l);
    for (size_t i = 0; i < n * n; i++)
        l->free_z[i] -= (float)rate * l->m[i];
    return factor(l);
}

static pp_status step(learner *l, int64_t i)
{
    const double rate = l->o->rate * (1 - (double)i / (double)l->o->steps);
    switch (l->o->learner) {
    case PP_LEARNER_CAYLEY:
        return step_cayley(l, i, rate);
    case PP_LEARNER_QR:
        return step_qr(l, rate);
    default:
        return step_sgd(l, rate);
    }
}

static pp_status make(learner *l)
{
    const size_t count = l->n * l->n;
    const bool qr = l->o->learner == PP_LEARNER_QR;
    if (l->batch < l->rows && (l->xb = pp_alloc(l->batch * l->n, sizeof *l->xb)) == NULL)
        return PP_ENOMEM;
    l->z = pp_alloc(l->batch * l->n, sizeof *l->z);
    l->g = pp_alloc(count, sizeof *l->g);
    l->m = pp_calloc(count, sizeof *l->m);
    l->t = pp_alloc(count, sizeof *l->t);
    l->s = pp_alloc(count, sizeof *l->s);
    l->free_z = pp_alloc(qr ? count : 0, sizeof *l->free_z);
    l->upper = pp_alloc(qr ? count : 0, sizeof *l->upper);
    if (!l->z || !l->g || !l->m || !l->t || !l->s || !l->free_z || !l->upper)
        return PP_ENOMEM;
    if (qr)
        memcpy(l->free_z, l->r, count * sizeof *l->r);
    return qr ? factor(l) : PP_OK;
}

static void release(learner *l)
{
    free(l->xb);
    free(l->z);
    free(l->g);
    free(l->m);
    free(l->t);
    free(l->s);
    free(l->free_z);
    free(l->upper);
}

static pp_status check(const learner *l)
{
    if (l->rows == 0 || l->n == 0)
        return pp_fail(PP_EINVAL, "learning a rotation: no rows to learn from");
    if (l->o->steps < 0 || l->o->batch < 1 || !(l->o->rate > 0) || l->rows > UINT32_MAX)
        return pp_fail(PP_ERANGE, "learning a rotation: expected steps >= 0, batch >= 1, rate > 0");
    const double s = norm(l->x, l->rows * l->n);
    if (!isfinite(s) || s == 0)
        return pp_fail(PP_EINVAL, "learning a rotation: the activations are %s", s == 0 ? "all zero" : "not finite");
    return PP_OK;
}

static pp_status run(learner *l, pp_progress *progress, pp_learn_result *result)
{
    double loss = 0, kurtosis = 0;
    for (int64_t i = 0; i < l->o->steps; i++) {
        PP_TRY(gradient(l, i, &loss, &kurtosis));
        if (i == 0) {
            result->loss_before = loss;
            result->kurtosis_before = kurtosis;
        }
        PP_TRY(step(l, i));
        if (progress != NULL)
            pp_progress_step(progress, 1);
    }
    PP_TRY(pp_dense_qr_near(l->pool, l->r, l->n, 2));
    PP_TRY(gradient(l, l->o->steps, &result->loss_after, &result->kurtosis_after));
    if (l->o->steps == 0) {
        result->loss_before = result->loss_after;
        result->kurtosis_before = result->kurtosis_after;
    }
    return PP_OK;
}

pp_status pp_rotation_learn(float *r, uint32_t n, const float *x, size_t rows, const pp_learn_options *options,
                            pp_pool *pool, pp_progress *progress, pp_learn_result *result)
{
    learner l = {.o = options, .pool = pool, .n = n, .rows = rows, .x = x, .r = r};
    const pp_rotation view = {.n = n, .dense = r};
    pp_learn_result ignored;
    result = result != NULL ? result : &ignored;
    PP_TRY(check(&l));
    l.batch = (size_t)options->batch < rows ? (size_t)options->batch : rows;
    pp_status status = make(&l);
    if (status == PP_OK)
        status = run(&l, progress, result);
    if (status == PP_OK)
        status = pp_rotation_defect(&view, pool, &result->defect);
    release(&l);
    return status;
}
