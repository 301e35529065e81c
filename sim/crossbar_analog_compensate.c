/* The analog engine: drift factors and the update of batch-norm statistics. */
#include "sim/crossbar_analog_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- drift ---- */

/* Mean |sum| of each column over the known inputs, as converted. */
static pp_status measure_array(void *payload, size_t index, unsigned worker)
{
    const pp_analog *x = payload;
    const pp_aarray *a = &x->array[index];
    pp_ascratch *w = &x->scratch[worker];
    if (x->only_stale && !a->stale)
        return PP_OK;
    memset(a->now, 0, a->cols * sizeof *a->now);
    for (uint32_t j = 0; j < x->known; j += PP_AGROUP) {
        const pp_aread r = {0, j / PP_AGROUP, j};
        pp_analog_read_(x, a, w, &r, worker);
        for (uint32_t i = 0; i < PP_AGROUP; i++)
            for (uint32_t c = 0; c < a->cols; c++)
                a->now[c] += fabs((double)w->psum[(size_t)i * a->padded + c]);
    }
    return PP_OK;
}

static void reset_factors(pp_analog *x)
{
    for (uint32_t i = 0; i < x->n_arrays; i++)
        for (uint32_t c = 0; c < x->array[i].padded; c++)
            x->array[i].factor[c] = 1;
    for (uint32_t s = 0; s < x->q->stages->n; s++) {
        free(x->stage[s].a);
        free(x->stage[s].b);
        x->stage[s].a = x->stage[s].b = NULL;
    }
    pp_analog_gains_(x);
}

static pp_status take_reference(pp_analog *x, uint64_t seed, pp_pool *pool)
{
    PP_TRY(pp_analog_set_weights_(x, seed, x->device->t0_s, pool));
    reset_factors(x);
    PP_TRY(pp_pool_run(pool, x->n_arrays, measure_array, x));
    for (uint32_t i = 0; i < x->n_arrays; i++)
        if (!x->only_stale || x->array[i].stale)
            memcpy(x->array[i].reference, x->array[i].now, x->array[i].cols * sizeof *x->array[i].now);
    x->seeded = true;
    return PP_OK;
}

/* Arrays of stages that became ideal or noisy, at the present seed and time. */
static pp_status refresh(pp_analog *x, pp_pool *pool)
{
    const double t = x->t;
    x->only_stale = true;
    pp_status status = take_reference(x, x->seed, pool);
    if (status == PP_OK)
        status = pp_analog_set_weights_(x, x->seed, t, pool);
    x->only_stale = false;
    return status;
}

static bool any_stale(const pp_analog *x)
{
    for (uint32_t i = 0; i < x->n_arrays; i++)
        if (x->array[i].stale)
            return true;
    return false;
}

pp_status pp_analog_program(pp_analog *x, uint64_t seed, double t, pp_pool *pool)
{
    PP_TRY(pp_analog_scratch_(x, pp_pool_threads(pool)));
    pp_analog_first_ranges_(x);
    if (!x->seeded || seed != x->seed)
        PP_TRY(take_reference(x, seed, pool));
    else if (any_stale(x))
        PP_TRY(refresh(x, pool));
    for (uint32_t i = 0; i < x->n_arrays; i++)
        x->array[i].stale = false;
    if (x->t != t)
        PP_TRY(pp_analog_set_weights_(x, seed, t, pool));
    reset_factors(x);
    return PP_OK;
}

typedef struct ratio {
    double before, now;
} ratio;

/* In units of values, so that columns of a layer can be added. */
static ratio sum_columns(const pp_analog *x, const pp_aarray *a, uint32_t lo, uint32_t hi)
{
    ratio r = {0, 0};
    for (uint32_t c = lo; c < hi; c++) {
        const double unit = x->q->stage[a->stage].unit[a->out_lo + c % (a->out_hi - a->out_lo)];
        r.before += unit * a->reference[c];
        r.now += unit * a->now[c];
    }
    return r;
}

static double factor_of(ratio r)
{
    return r.before > 0 && r.now > 0 ? r.before / r.now : 1;
}

static void set_factor(pp_aarray *a, uint32_t lo, uint32_t hi, double factor)
{
    for (uint32_t c = lo; c < hi; c++)
        a->factor[c] = (float)factor;
}

static void factors_of_stage(pp_analog *x, const pp_astage *s, pp_compensation how)
{
    ratio layer = {0, 0};
    for (uint32_t i = 0; i < s->n_arrays; i++) {
        pp_aarray *a = &x->array[s->first_array + i];
        const ratio tile = sum_columns(x, a, 0, a->cols);
        layer.before += tile.before;
        layer.now += tile.now;
        if (how == PP_COMPENSATE_TILE)
            set_factor(a, 0, a->cols, factor_of(tile));
        for (uint32_t c = 0; c < a->cols && how == PP_COMPENSATE_COLUMN; c++)
            set_factor(a, c, c + 1, factor_of(sum_columns(x, a, c, c + 1)));
    }
    for (uint32_t i = 0; i < s->n_arrays && how == PP_COMPENSATE_LAYER; i++)
        set_factor(&x->array[s->first_array + i], 0, x->array[s->first_array + i].cols, factor_of(layer));
}

/* One factor for the network: the mean of the tiles' factors. */
static void factors_of_network(pp_analog *x)
{
    double sum = 0;
    for (uint32_t i = 0; i < x->n_arrays; i++)
        sum += factor_of(sum_columns(x, &x->array[i], 0, x->array[i].cols));
    for (uint32_t i = 0; i < x->n_arrays; i++)
        set_factor(&x->array[i], 0, x->array[i].cols, sum / x->n_arrays);
}

pp_status pp_analog_compensate(pp_analog *x, pp_compensation how, pp_pool *pool)
{
    reset_factors(x);
    if (how == PP_COMPENSATE_NONE)
        return PP_OK;
    PP_TRY(pp_pool_run(pool, x->n_arrays, measure_array, x));
    if (how == PP_COMPENSATE_GLOBAL)
        factors_of_network(x);
    else
        for (uint32_t s = 0; s < x->q->stages->n; s++)
            factors_of_stage(x, &x->stage[s], how);
    pp_analog_gains_(x);
    return PP_OK;
}

/* ---- statistics of channels ---- */

/* Images side by side, stage by stage: a layer's statistics are taken with the layers before it corrected. */
typedef struct update {
    pp_analog *x;
    const pp_analog *view; /* x, or a copy with exact devices */
    uint32_t stage;
    pp_aslot *slot;      /* [n_calib] */
    int32_t **sum;       /* [n_calib] sums of the present stage */
    int64_t *total;      /* [n_calib][2][cout] of one image */
} update;

static size_t fired(const pp_analog *x, uint32_t stage)
{
    const pp_shape f = x->q->stages->stage[stage].fire;
    return (size_t)f.h * f.w;
}

static pp_status load_slot(void *payload, size_t image, unsigned worker)
{
    const update *u = payload;
    pp_analog_input_(u->view, &u->x->scratch[worker], u->x->calib, (uint32_t)image, &u->slot[image]);
    return PP_OK;
}

static pp_status sum_slot(void *payload, size_t image, unsigned worker)
{
    const update *u = payload;
    pp_ascratch *w = &u->x->scratch[worker];
    const uint32_t cout = u->x->q->stage[u->stage].cout;
    const size_t pixels = fired(u->x, u->stage);
    int64_t *sum = u->total + image * 2 * cout, *square = sum + cout;
    pp_analog_sums_(u->view, u->stage, w, u->slot[image].stream[u->x->q->stages->stage[u->stage].inputs[0].stream],
                    (uint32_t)image | UINT32_C(0x80000000), worker);
    memcpy(u->sum[image], w->sum, pixels * cout * sizeof *w->sum);
    memset(sum, 0, 2 * cout * sizeof *sum);
    for (size_t p = 0; p < pixels; p++) {
        for (uint32_t c = 0; c < cout; c++) {
            const int64_t v = w->sum[p * cout + c];
            sum[c] += v;
            square[c] += v * v;
        }
    }
    return PP_OK;
}

static pp_status finish_slot(void *payload, size_t image, unsigned worker)
{
    const update *u = payload;
    pp_ascratch *w = &u->x->scratch[worker];
    const pp_astage *s = &u->x->stage[u->stage];
    const uint32_t cout = u->x->q->stage[u->stage].cout;
    const size_t n = fired(u->x, u->stage) * cout;
    for (size_t i = 0; s->matrix && i < n; i++) {
        float v = (float)u->sum[image][i];
        if (s->a != NULL && !u->view->exact)
            v = rintf(v * s->a[i % cout] + s->b[i % cout]);
        v = v > u->x->psum_max ? u->x->psum_max : v < -u->x->psum_max - 1 ? -u->x->psum_max - 1 : v;
        w->sum[i] = (int32_t)v;
    }
    pp_analog_finish_(u->view, u->stage, w, &u->slot[image], w->logits);
    return PP_OK;
}

static void moments(const update *u, uint32_t c, double *mean, double *std)
{
    const uint32_t cout = u->x->q->stage[u->stage].cout;
    const double n = (double)fired(u->x, u->stage) * u->x->n_calib;
    double sum = 0, square = 0;
    for (uint32_t i = 0; i < u->x->n_calib; i++) {
        sum += (double)u->total[(size_t)i * 2 * cout + c];
        square += (double)u->total[(size_t)i * 2 * cout + cout + c];
    }
    *mean = sum / n;
    *std = sqrt(fmax(square / n - *mean * *mean, 0));
}

static pp_status new_update(update *u, pp_analog *x)
{
    size_t most = 1, cout = 1;
    for (uint32_t s = 0; s < x->q->stages->n; s++) {
        const size_t n = fired(x, s) * x->q->stage[s].cout;
        most = n > most ? n : most;
        cout = x->q->stage[s].cout > cout ? x->q->stage[s].cout : cout;
    }
    u->slot = pp_calloc(x->n_calib, sizeof *u->slot);
    u->sum = pp_calloc(x->n_calib, sizeof *u->sum);
    u->total = pp_calloc((size_t)x->n_calib * 2 * cout, sizeof *u->total);
    if (u->slot == NULL || u->sum == NULL || u->total == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < x->n_calib; i++) {
        PP_TRY(pp_aslot_new_(x, &u->slot[i]));
        u->sum[i] = pp_calloc(most, sizeof **u->sum);
        if (u->sum[i] == NULL)
            return PP_ENOMEM;
    }
    return PP_OK;
}

static void free_update(update *u)
{
    for (uint32_t i = 0; i < u->x->n_calib; i++) {
        if (u->slot != NULL)
            pp_aslot_free_(u->x, &u->slot[i]);
        if (u->sum != NULL)
            free(u->sum[i]);
    }
    free(u->slot);
    free(u->sum);
    free(u->total);
}

/* Runs the images through the network stage by stage; exact: notes each channel's mean and spread in `want`, else sets
 * scale and offset so that they come out. want[stage]: [2][cout]. */
static pp_status walk(update *u, double **want, bool exact, pp_pool *pool)
{
    pp_analog *x = u->x;
    PP_TRY(pp_pool_run(pool, x->n_calib, load_slot, u));
    for (u->stage = 0; u->stage < x->q->stages->n; u->stage++) {
        pp_astage *s = &x->stage[u->stage];
        const uint32_t cout = x->q->stage[u->stage].cout;
        if (s->matrix)
            PP_TRY(pp_pool_run(pool, x->n_calib, sum_slot, u));
        float *a = s->matrix && !exact ? pp_calloc(cout, sizeof *a) : NULL, *b = a != NULL ? pp_calloc(cout, sizeof *b) : NULL;
        for (uint32_t c = 0; s->matrix && c < cout; c++) {
            double mean, std;
            moments(u, c, &mean, &std);
            if (exact) {
                want[u->stage][c] = mean;
                want[u->stage][cout + c] = std;
            } else if (b != NULL) {
                const double scale = std > 0 ? want[u->stage][cout + c] / std : 1;
                a[c] = (float)scale;
                b[c] = (float)(want[u->stage][c] - scale * mean);
            }
        }
        s->a = exact ? s->a : a;
        s->b = exact ? s->b : b;
        if (s->matrix && !exact && b == NULL)
            return PP_ENOMEM;
        PP_TRY(pp_pool_run(pool, x->n_calib, finish_slot, u));
    }
    return PP_OK;
}

pp_status pp_analog_batch_norm(pp_analog *x, pp_pool *pool)
{
    update u = {.x = x};
    pp_analog as_exact = *x;
    as_exact.exact = true;
    double **want = pp_calloc(x->q->stages->n, sizeof *want);
    pp_status status = want != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t s = 0; s < x->q->stages->n && status == PP_OK; s++) {
        free(x->stage[s].a);
        free(x->stage[s].b);
        x->stage[s].a = x->stage[s].b = NULL;
        want[s] = pp_calloc(2 * (size_t)x->q->stage[s].cout, sizeof **want);
        status = want[s] != NULL ? PP_OK : PP_ENOMEM;
    }
    if (status == PP_OK)
        status = new_update(&u, x);
    u.view = &as_exact;
    if (status == PP_OK)
        status = walk(&u, want, true, pool);
    u.view = x;
    if (status == PP_OK)
        status = walk(&u, want, false, pool);
    free_update(&u);
    for (uint32_t s = 0; want != NULL && s < x->q->stages->n; s++)
        free(want[s]);
    free(want);
    return status;
}
