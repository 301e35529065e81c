/* Kurtosis of activations and its gradient.
 *
 * With c = z - mean and m_k the mean of c^k: kurtosis = m4 / m2^2, and
 *   d kurtosis / d z_i = (4 / n) ((c_i^3 - m3) / m2^2 - kurtosis c_i / m2)        [derived] */
#include "quant/rotation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 8, ROWS = 64 };

typedef struct moments {
    double n, s1, s2, s3, s4; /* raw sums */
} moments;

/* Fixed lanes: the same sum whatever the vector unit. */
static moments sum_powers(const float *x, size_t n)
{
    double lane[4][LANES] = {{0}};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (unsigned k = 0; k < LANES; k++) {
            const double v = (double)x[i + k], w = v * v;
            lane[0][k] += v;
            lane[1][k] += w;
            lane[2][k] += w * v;
            lane[3][k] += w * w;
        }
    moments m = {.n = (double)n};
    for (unsigned k = 0; k < LANES; k++) {
        m.s1 += lane[0][k];
        m.s2 += lane[1][k];
        m.s3 += lane[2][k];
        m.s4 += lane[3][k];
    }
    for (; i < n; i++) {
        const double v = (double)x[i], w = v * v;
        m.s1 += v;
        m.s2 += w;
        m.s3 += w * v;
        m.s4 += w * w;
    }
    return m;
}

typedef struct central {
    double mean, m2, m3, kurtosis;
} central;

static central to_central(const moments *s)
{
    const double a = s->s1 / s->n, r2 = s->s2 / s->n, r3 = s->s3 / s->n, r4 = s->s4 / s->n;
    central c = {.mean = a, .m2 = r2 - a * a, .m3 = r3 - 3 * a * r2 + 2 * a * a * a};
    const double m4 = r4 - 4 * a * r3 + 6 * a * a * r2 - 3 * a * a * a * a;
    c.kurtosis = c.m2 > 0 ? m4 / (c.m2 * c.m2) : 0; /* all equal: nothing to learn */
    return c;
}

double pp_kurtosis(const float *x, size_t n)
{
    const moments m = sum_powers(x, n);
    return to_central(&m).kurtosis;
}

double pp_max_over_rms(const float *x, size_t rows, size_t width)
{
    double sum = 0;
    for (size_t r = 0; r < rows; r++, x += width) {
        double most = 0, squares = 0;
        for (size_t i = 0; i < width; i++) {
            most = fmax(most, fabs((double)x[i]));
            squares += (double)x[i] * (double)x[i];
        }
        sum += squares > 0 ? most / sqrt(squares / (double)width) : 0;
    }
    return rows > 0 ? sum / (double)rows : 0;
}

typedef struct job {
    pp_kurtosis_kind kind;
    double target, weight; /* weight: 1 / groups */
    float *z;
    size_t rows, width;
    moments *part;    /* [blocks] pooled; [blocks][width] by channel */
    central *channel; /* [width] */
    central pooled;
    double *loss, *mean; /* [blocks] by token */
} job;

static double sign_of(double v)
{
    return v > 0 ? 1 : v < 0 ? -1 : 0;
}

/* d |kurtosis - target| / d z of one group of n values in place of z, stride 1. */
static void gradient(const central *c, double target, double weight, double n, float *z, size_t count)
{
    if (!(c->m2 > 0)) {
        memset(z, 0, count * sizeof *z);
        return;
    }
    const double f = 4 * weight * sign_of(c->kurtosis - target) / n;
    const float mean = (float)c->mean, m3 = (float)c->m3;
    const float cubic = (float)(f / (c->m2 * c->m2)), linear = (float)(f * c->kurtosis / c->m2);
    for (size_t i = 0; i < count; i++) {
        const float d = z[i] - mean;
        z[i] = cubic * (d * d * d - m3) - linear * d;
    }
}

static size_t rows_of(const job *j, size_t item, float **z)
{
    *z = j->z + item * ROWS * j->width;
    return j->rows - item * ROWS < ROWS ? j->rows - item * ROWS : ROWS;
}

static pp_status pooled_moments(void *payload, size_t item, unsigned worker)
{
    job *j = payload;
    float *z;
    (void)worker;
    const size_t rows = rows_of(j, item, &z);
    j->part[item] = sum_powers(z, rows * j->width);
    return PP_OK;
}

static pp_status pooled_gradient(void *payload, size_t item, unsigned worker)
{
    job *j = payload;
    float *z;
    (void)worker;
    const size_t rows = rows_of(j, item, &z);
    gradient(&j->pooled, j->target, j->weight, (double)j->rows * (double)j->width, z, rows * j->width);
    return PP_OK;
}

static pp_status token_rows(void *payload, size_t item, unsigned worker)
{
    job *j = payload;
    float *z;
    (void)worker;
    const size_t rows = rows_of(j, item, &z);
    j->loss[item] = j->mean[item] = 0;
    for (size_t r = 0; r < rows; r++, z += j->width) {
        const moments m = sum_powers(z, j->width);
        const central c = to_central(&m);
        j->loss[item] += fabs(c.kurtosis - j->target);
        j->mean[item] += c.kurtosis;
        gradient(&c, j->target, j->weight, (double)j->width, z, j->width);
    }
    return PP_OK;
}

static pp_status channel_moments(void *payload, size_t item, unsigned worker)
{
    job *j = payload;
    float *z;
    (void)worker;
    const size_t rows = rows_of(j, item, &z);
    moments *m = j->part + item * j->width;
    memset(m, 0, j->width * sizeof *m);
    for (size_t r = 0; r < rows; r++, z += j->width)
        for (size_t i = 0; i < j->width; i++) {
            const double v = (double)z[i], w = v * v;
            m[i].n += 1;
            m[i].s1 += v;
            m[i].s2 += w;
            m[i].s3 += w * v;
            m[i].s4 += w * w;
        }
    return PP_OK;
}

static pp_status channel_gradient(void *payload, size_t item, unsigned worker)
{
    job *j = payload;
    float *z;
    (void)worker;
    const size_t rows = rows_of(j, item, &z);
    for (size_t r = 0; r < rows; r++, z += j->width)
        for (size_t i = 0; i < j->width; i++)
            gradient(&j->channel[i], j->target, j->weight, (double)j->rows, z + i, 1);
    return PP_OK;
}

static void add(moments *a, const moments *b)
{
    a->n += b->n;
    a->s1 += b->s1;
    a->s2 += b->s2;
    a->s3 += b->s3;
    a->s4 += b->s4;
}

static pp_status pooled(job *j, pp_pool *pool, size_t blocks, double *loss, double *mean)
{
    moments all = {0};
    j->weight = 1;
    PP_TRY(pp_pool_run(pool, blocks, pooled_moments, j));
    for (size_t b = 0; b < blocks; b++)
        add(&all, &j->part[b]);
    j->pooled = to_central(&all);
    *mean = j->pooled.kurtosis;
    *loss = fabs(*mean - j->target);
    return pp_pool_run(pool, blocks, pooled_gradient, j);
}

static pp_status by_token(job *j, pp_pool *pool, size_t blocks, double *loss, double *mean)
{
    j->weight = 1 / (double)j->rows;
    PP_TRY(pp_pool_run(pool, blocks, token_rows, j));
    *loss = *mean = 0;
    for (size_t b = 0; b < blocks; b++) {
        *loss += j->loss[b] * j->weight;
        *mean += j->mean[b] * j->weight;
    }
    return PP_OK;
}

static pp_status by_channel(job *j, pp_pool *pool, size_t blocks, double *loss, double *mean)
{
    j->weight = 1 / (double)j->width;
    PP_TRY(pp_pool_run(pool, blocks, channel_moments, j));
    *loss = *mean = 0;
    for (size_t i = 0; i < j->width; i++) {
        moments all = {0};
        for (size_t b = 0; b < blocks; b++)
            add(&all, &j->part[b * j->width + i]);
        j->channel[i] = to_central(&all);
        *loss += fabs(j->channel[i].kurtosis - j->target) * j->weight;
        *mean += j->channel[i].kurtosis * j->weight;
    }
    return pp_pool_run(pool, blocks, channel_gradient, j);
}

pp_status pp_kurtosis_gradient(pp_kurtosis_kind kind, double target, pp_pool *pool, float *z, size_t rows,
                               size_t width, double *loss, double *mean)
{
    const size_t blocks = (rows + ROWS - 1) / ROWS;
    const size_t parts = kind == PP_KURTOSIS_CHANNEL ? blocks * width : blocks;
    double ignored;
    job j = {.kind = kind, .target = target, .z = z, .rows = rows, .width = width};
    j.part = pp_alloc(parts, sizeof *j.part);
    j.channel = pp_alloc(width, sizeof *j.channel);
    j.loss = pp_alloc(2 * blocks, sizeof *j.loss);
    j.mean = j.loss + blocks;
    mean = mean != NULL ? mean : &ignored;
    pp_status status = PP_ENOMEM;
    if (j.part != NULL && j.channel != NULL && j.loss != NULL)
        status = kind == PP_KURTOSIS_POOLED  ? pooled(&j, pool, blocks, loss, mean)
                 : kind == PP_KURTOSIS_TOKEN ? by_token(&j, pool, blocks, loss, mean)
                                             : by_channel(&j, pool, blocks, loss, mean);
    free(j.part);
    free(j.channel);
    free(j.loss);
    return status;
}
