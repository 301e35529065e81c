/* Codes and scales that minimise the error of a stage's output rather than that of its weights.
 *
 * The output error of one channel is e' H e with e = w - scale code and H the second moments of the
 * stage's (quantized) inputs. Coordinate descent: one code after the other moves to its best integer, then
 * the scale to its best value, until nothing moves. Every move lowers the error, so it ends. */
#include "quant/rotate_internal.h"
#include "quant/scale_stage.h"
#include "workloads/cpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sampled input windows, more do not help; SLICE of them at a time keep the rows in the cache and the sums
 * of products of bytes below 2^31. */
enum { SAMPLES = 4096, SLICE = 1024, CHUNK = 64, ROUNDS = 4, SWEEPS = 4 };
/* Added to the diagonal, as a share of its mean: keeps rows without input near their weights.
 * PAPER: gptq2022: 1 % damping. */
static const double damping = 0.01;

/* One sweep over the codes; gradient = target - scale H code. Whether a code moved. */
static bool sweep(const double *moment, size_t n, int32_t top, double scale, int8_t *code, double *gradient)
{
    bool moved = false;
    for (size_t j = 0; j < n; j++) {
        const double *row = moment + j * n;
        int32_t best = (int32_t)nearbyint(fmin(fmax(code[j] + gradient[j] / (scale * row[j]), -top), top));
        int32_t step = best - code[j];
        if (step == 0)
            continue;
        moved = true;
        code[j] = (int8_t)best;
        double move = scale * step;
        for (size_t i = 0; i < n; i++)
            gradient[i] -= move * row[i];
    }
    return moved;
}

static void times_codes(const double *moment, size_t n, const int8_t *code, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = 0;
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; code[j] != 0 && i < n; i++)
            out[i] += moment[j * n + i] * code[j];
}

void pp_refine_row(const double *moment, const double *target, size_t n, uint32_t bits, double *scale, int8_t *code,
                   double *work)
{
    double *gradient = work, *product = work + n;
    for (int round = 0; round < ROUNDS; round++) {
        times_codes(moment, n, code, product);
        double along = 0, square = 0;
        for (size_t i = 0; i < n; i++) {
            along += code[i] * target[i];
            square += code[i] * product[i];
        }
        if (!(along > 0 && square > 0))
            return; /* no weight left */
        *scale = along / square;
        for (size_t i = 0; i < n; i++)
            gradient[i] = target[i] - *scale * product[i];
        bool moved = false;
        for (int i = 0; i < SWEEPS && sweep(moment, n, pp_wmax(bits), *scale, code, gradient); i++)
            moved = true;
        if (!moved)
            return;
    }
}

/* ---- second moments ---- */

/* Integer dot product, one source for all levels of processor. */
static inline __attribute__((always_inline)) int32_t dot_body(const int16_t *a, const int16_t *b, uint32_t n)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

typedef int32_t (*dot_fn)(const int16_t *a, const int16_t *b, uint32_t n);

static int32_t dot_plain(const int16_t *a, const int16_t *b, uint32_t n)
{
    return dot_body(a, b, n);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static int32_t dot_avx2(const int16_t *a, const int16_t *b, uint32_t n)
{
    return dot_body(a, b, n);
}

__attribute__((target("avx512f,avx512bw,avx512vl" PP_CPU_WIDE))) static int32_t
dot_avx512(const int16_t *a, const int16_t *b, uint32_t n)
{
    return dot_body(a, b, n);
}
#endif

static dot_fn choose_dot(void)
{
#if defined(__x86_64__)
    pp_cpu level = pp_cpu_level();
    if (level >= PP_CPU_AVX2)
        return level >= PP_CPU_AVX512 ? dot_avx512 : dot_avx2;
#endif
    return dot_plain;
}

typedef struct moment_job {
    const pp_qrun *run;
    uint32_t stage, group, per_image, samples;
    uint32_t first, count; /* slice of the samples */
    pp_qgeom geom;
    size_t n;           /* krows */
    int16_t *window;    /* [n][samples] codes */
    double *moment;     /* [n][n] */
    const float *weight;
    double **work;      /* [workers][3 n] */
    dot_fn dot;
} moment_job;

/* One matrix row of `n` windows at pixels (y[i], x[i]). */
static void sample_row(const moment_job *j, const uint8_t *map, int32_t zero, uint32_t c, uint32_t ky, uint32_t kx,
                       const uint32_t *y, const uint32_t *x, uint32_t n, int16_t *out)
{
    const pp_qgeom *g = &j->geom;
    size_t channel = (size_t)j->group * g->cin_g + c;
    for (uint32_t i = 0; i < n; i++) {
        int64_t iy = (int64_t)y[i] * g->win.sh + (int64_t)ky * g->win.dh - g->win.top;
        int64_t ix = (int64_t)x[i] * g->win.sw + (int64_t)kx * g->win.dw - g->win.left;
        bool inside = iy >= 0 && ix >= 0 && iy < g->in.h && ix < g->in.w;
        out[i] = (int16_t)(inside ? map[((size_t)iy * g->in.w + (size_t)ix) * g->in.c + channel] - zero : 0);
    }
}

/* The stage's input as its matrix takes it: new memory, or NULL when nothing is rotated. */
static pp_status rotate_map(const pp_qnetwork *q, uint32_t stage, const uint8_t *map, uint8_t **out)
{
    const pp_shape in = q->stages->stage[stage].in;
    *out = NULL;
    if (!pp_qrotates_here(q, stage))
        return PP_OK;
    int32_t *work = pp_alloc(2 * (size_t)in.c, sizeof *work);
    *out = pp_alloc(pp_shape_count(in), 1);
    if (work && *out)
        pp_qrotate_map(q, stage, map, *out, (size_t)in.h * in.w, work);
    free(work);
    return work && *out ? PP_OK : PP_ENOMEM;
}

/* Codes that are made anew: n windows, as what their codes stand for, in codes of the stream. */
static void rescale_windows(const moment_job *j, int16_t *at, uint32_t n)
{
    const pp_qnetwork *q = j->run->q;
    const pp_qformat dac = pp_qstage_dac(q, j->stage);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t m = 1;
        for (size_t r = 0; r < j->n; r++)
            m = (uint32_t)abs(at[r * j->samples + i]) > m ? (uint32_t)abs(at[r * j->samples + i]) : m;
        if (q->options.activation_scale == PP_QSCALE_STATIC)
            m = q->stage[j->stage].factor;
        for (size_t r = 0; r < j->n; r++) {
            int16_t *v = &at[r * j->samples + i];
            *v = (int16_t)nearbyint((double)pp_qrescale_code(&dac, *v, m) * m / dac.qmax);
        }
    }
}

/* Windows of one image at positions drawn from a stream of their own, CHUNK at a time. */
static pp_status sample_image(void *payload, size_t image, unsigned worker)
{
    (void)worker;
    const moment_job *j = payload;
    const pp_qgeom *g = &j->geom;
    const pp_qnetwork *q = j->run->q;
    uint32_t stream = q->stages->stage[j->stage].inputs[0].stream, y[CHUNK], x[CHUNK];
    const uint8_t *map = j->run->stream[stream][image];
    int32_t zero = pp_format_zero(pp_qstage_input(q, j->stage));
    uint8_t *rotated = NULL;
    PP_TRY(rotate_map(q, j->stage, map, &rotated));
    map = rotated ? rotated : map;
    pp_rng rng = pp_rng_make(j->stage, image);
    for (uint32_t first = 0; first < j->per_image; first += CHUNK) {
        uint32_t n = j->per_image - first < CHUNK ? j->per_image - first : CHUNK;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t p = pp_rng_below(&rng, g->fire.h * g->fire.w);
            y[i] = p / g->fire.w;
            x[i] = p % g->fire.w;
        }
        int16_t *out = j->window + image * j->per_image + first;
        for (uint32_t c = 0; c < g->cin_g; c++)
            for (uint32_t ky = 0; ky < g->win.kh; ky++)
                for (uint32_t kx = 0; kx < g->win.kw; kx++, out += j->samples)
                    sample_row(j, map, zero, c, ky, kx, y, x, n, out);
        if (pp_qrescales(q, j->stage))
            rescale_windows(j, j->window + image * j->per_image + first, n);
    }
    free(rotated);
    return PP_OK;
}

/* Adds a slice of samples to row i of the moments, up to the diagonal; integers below 2^53, exact. */
static pp_status moment_row(void *payload, size_t i, unsigned worker)
{
    (void)worker;
    const moment_job *j = payload;
    for (size_t k = 0; k <= i; k++)
        j->moment[i * j->n + k] += j->dot(j->window + i * j->samples + j->first,
                                          j->window + k * j->samples + j->first, j->count);
    return PP_OK;
}

static void complete(const moment_job *j)
{
    double mean = 0;
    for (size_t i = 0; i < j->n; i++)
        mean += j->moment[i * j->n + i] / (double)j->n;
    for (size_t i = 0; i < j->n; i++) {
        for (size_t k = 0; k < i; k++)
            j->moment[k * j->n + i] = j->moment[i * j->n + k];
        j->moment[i * j->n + i] += mean > 0 ? damping * mean : 1;
    }
}

static pp_status refine_channel(void *payload, size_t index, unsigned worker)
{
    const moment_job *j = payload;
    pp_qstage *s = &j->run->q->stage[j->stage];
    size_t c = (size_t)j->group * j->geom.cout_g + index;
    double *target = j->work[worker];
    const float *w = j->weight + c * j->n;
    for (size_t i = 0; i < j->n; i++) {
        target[i] = 0;
        for (size_t k = 0; k < j->n; k++)
            target[i] += j->moment[i * j->n + k] * (double)w[k];
    }
    pp_refine_row(j->moment, target, j->n, s->wbits, &s->w_scale[c], s->code + c * j->n, target + j->n);
    return PP_OK;
}

static pp_status refine_group(moment_job *j)
{
    pp_pool *pool = j->run->pool;
    PP_TRY(pp_pool_run(pool, j->run->images, sample_image, j));
    memset(j->moment, 0, j->n * j->n * sizeof *j->moment);
    for (j->first = 0; j->first < j->samples; j->first += SLICE) {
        j->count = j->samples - j->first < SLICE ? j->samples - j->first : SLICE;
        PP_TRY(pp_pool_run(pool, j->n, moment_row, j));
    }
    complete(j);
    return pp_pool_run(pool, j->geom.cout_g, refine_channel, j);
}

pp_status pp_refine_stage(const pp_qrun *run, uint32_t stage, const float *weight)
{
    const pp_stage *st = &run->q->stages->stage[stage];
    moment_job j = {.run = run, .stage = stage, .geom = pp_qgeom_of(run->q->net, st), .weight = weight,
                    .n = run->q->stage[stage].krows, .dot = choose_dot()};
    unsigned workers = pp_pool_threads(run->pool);
    uint32_t positions = j.geom.fire.h * j.geom.fire.w;
    if (j.n > PP_REFINE_ROWS) {
        pp_warn("stage '%s': %zu rows are too many for quant.weights=output, clip search instead", st->name, j.n);
        return PP_OK;
    }
    j.per_image = SAMPLES / run->images;
    j.per_image = j.per_image < 1 ? 1 : j.per_image > positions ? positions : j.per_image;
    j.samples = j.per_image * run->images;
    pp_status status = PP_ENOMEM;
    j.window = pp_alloc(j.n * j.samples, sizeof *j.window);
    j.moment = pp_alloc(j.n * j.n, sizeof *j.moment);
    j.work = pp_calloc(workers, sizeof *j.work);
    if (!j.window || !j.moment || !j.work)
        goto done;
    for (unsigned i = 0; i < workers; i++)
        if (!(j.work[i] = pp_alloc(3 * j.n, sizeof **j.work)))
            goto done;
    status = PP_OK;
    for (j.group = 0; j.group < j.geom.groups && status == PP_OK; j.group++)
        status = refine_group(&j);
done:
    for (unsigned i = 0; j.work && i < workers; i++)
        free(j.work[i]);
    free(j.work);
    free(j.window);
    free(j.moment);
    return status;
}
