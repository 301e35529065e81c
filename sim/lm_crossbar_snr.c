/* Signal-to-noise ratios of a language model's layers: a pass on exact devices, in which each block goes through the noisy
 * arrays as well, then one on the noisy arrays alone. */
#include "sim/lm_crossbar_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct power {
    double signal[2], error[2]; /* local, total */
} power;

typedef struct snr_run {
    pp_lm_crossbars *x;
    pp_analog exact;
    size_t tokens;
    power *power;     /* [tokens][matrices]: of the block that begins with the token */
    float **value;    /* [matrices] outputs on exact devices, [tokens][out] */
    int32_t **noisy;  /* [workers] sums of one block */
    bool second;
} snr_run;

static power *power_of(const snr_run *r, const pp_lmq_block *b)
{
    return &r->power[b->first * r->x->bank.n + b->index];
}

/* Sums over the row tiles, in psum units of the column: the tiles of one token share a scale, or nearly so. */
static void add_local(const snr_run *r, const pp_lmq_block *b, const int32_t *clean, const int32_t *noisy)
{
    power *p = power_of(r, b);
    const pp_lmq_matrix *m = b->matrix;
    for (uint32_t row = 0; row < b->rows; row++) {
        for (uint32_t c = 0; c < m->out; c++) {
            double want = 0, got = 0;
            for (uint32_t t = 0; t < m->tiles; t++) {
                const size_t at = ((size_t)t * PP_LMQ_BLOCK + row) * m->out + c;
                want += clean[at];
                got += noisy[at];
            }
            p->signal[0] += want * want * m->unit[c] * m->unit[c];
            p->error[0] += (got - want) * (got - want) * m->unit[c] * m->unit[c];
        }
    }
}

static pp_status sums(void *payload, const pp_lmq_block *b)
{
    snr_run *r = payload;
    if (r->second)
        return pp_lm_read_block_(r->x->analog, b);
    pp_lmq_block other = *b;
    other.psum = r->noisy[b->worker];
    PP_TRY(pp_lm_read_block_(r->x->analog, &other));
    PP_TRY(pp_lm_read_block_(&r->exact, b));
    add_local(r, b, b->psum, other.psum);
    return PP_OK;
}

static pp_status see(void *payload, const pp_lmq_block *b)
{
    snr_run *r = payload;
    const size_t n = (size_t)b->rows * b->matrix->out;
    float *value = r->value[b->index] + b->first * b->matrix->out;
    if (!r->second) {
        memcpy(value, b->y, n * sizeof *value);
        return PP_OK;
    }
    power *p = power_of(r, b);
    for (size_t i = 0; i < n; i++) {
        const double want = (double)value[i], error = (double)b->y[i] - want;
        p->signal[1] += want * want;
        p->error[1] += error * error;
    }
    return PP_OK;
}

static pp_status make(snr_run *r, size_t tokens, unsigned workers)
{
    const pp_lm_crossbars *x = r->x;
    size_t most = 1;
    r->tokens = tokens;
    r->power = pp_calloc(tokens * x->bank.n, sizeof *r->power);
    r->value = pp_calloc(x->bank.n, sizeof *r->value);
    r->noisy = pp_calloc(workers, sizeof *r->noisy);
    if (r->power == NULL || r->value == NULL || r->noisy == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < x->bank.n; i++) {
        const pp_lmq_matrix *m = pp_lmq_integer_matrix(x->integer, i);
        const size_t n = (size_t)m->tiles * PP_LMQ_BLOCK * m->out;
        most = n > most ? n : most;
        if ((r->value[i] = pp_alloc(tokens * m->out, sizeof **r->value)) == NULL)
            return PP_ENOMEM;
    }
    for (unsigned w = 0; w < workers; w++)
        if ((r->noisy[w] = pp_alloc_aligned(most, sizeof **r->noisy)) == NULL)
            return PP_ENOMEM;
    return PP_OK;
}

static void free_run(snr_run *r, unsigned workers)
{
    for (uint32_t i = 0; r->value != NULL && i < r->x->bank.n; i++)
        free(r->value[i]);
    for (unsigned w = 0; r->noisy != NULL && w < workers; w++)
        free(r->noisy[w]);
    free(r->value);
    free(r->noisy);
    free(r->power);
}

static double decibel(double signal, double error)
{
    return error > 0 && signal > 0 ? 10 * log10(signal / error) : error > 0 ? 0 : 200;
}

static void result(const snr_run *r, pp_analog_snr *out)
{
    for (uint32_t i = 0; i < r->x->bank.n; i++) {
        power sum = {{0, 0}, {0, 0}};
        for (size_t b = 0; b < r->tokens; b++) {
            for (int k = 0; k < 2; k++) {
                sum.signal[k] += r->power[b * r->x->bank.n + i].signal[k];
                sum.error[k] += r->power[b * r->x->bank.n + i].error[k];
            }
        }
        out[i] = (pp_analog_snr){decibel(sum.signal[0], sum.error[0]), decibel(sum.signal[1], sum.error[1])};
    }
}

pp_status pp_lm_crossbars_snr(pp_lm_crossbars *x, pp_analog_snr *out, uint32_t tokens)
{
    const unsigned workers = pp_pool_threads(x->in.pool);
    const size_t n = tokens < x->tokens ? tokens : x->tokens;
    snr_run r = {.x = x, .exact = *x->analog};
    r.exact.exact = true;
    pp_status status = make(&r, n, workers);
    pp_lmq_integer_set(x->integer, sums, see, &r);
    if (status == PP_OK)
        status = pp_lm_walk_(x, n);
    r.second = true;
    if (status == PP_OK)
        status = pp_lm_walk_(x, n);
    pp_lm_attach_(x);
    if (status == PP_OK)
        result(&r, out);
    free_run(&r, workers);
    return status;
}
