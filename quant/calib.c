/* What the float network does on the calibration images: histograms and mean maps of all streams, and the
 * streams themselves of a few images. All sums are integer sums, so threads cannot change them. */
#include "quant/quant_internal.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Fixed point of the mean maps: 2^-20 with values up to 2^31, room for 2^10 images (and counts for 2^22 values each). */
enum { MEAN_FRACTION = 20, IMAGES_MAX = 1024, KEPT_MAX = 16 };
static const size_t keep_bytes_max = (size_t)256 << 20;
static const float value_max = 0x1p31f;

/* Sums of the images of one worker; taken for each call of the tap. */
typedef struct sums {
    atomic_flag busy;
    pp_histogram *stream;
    int64_t **total; /* [streams][h][w][c] */
} sums;

typedef struct collector {
    const pp_network *net;
    const pp_stages *stages;
    pp_calibration *calib;
    sums *part;
    unsigned n_parts;
} collector;

static size_t stream_size(const collector *c, uint32_t stream)
{
    return pp_shape_count(pp_stream_shape(c->net, c->stages, stream));
}

pp_status pp_histogram_make(pp_histogram *h)
{
    h->bin[0] = pp_calloc(PP_BINS, sizeof **h->bin);
    h->bin[1] = pp_calloc(PP_BINS, sizeof **h->bin);
    h->min = INFINITY;
    h->max = -INFINITY;
    return h->bin[0] && h->bin[1] ? PP_OK : PP_ENOMEM;
}

void pp_histograms_free(pp_histogram *h, uint32_t n)
{
    for (uint32_t i = 0; h && i < n; i++) {
        free(h[i].bin[0]);
        free(h[i].bin[1]);
    }
    free(h);
}

static pp_status make_part(const collector *c, sums *s)
{
    uint32_t n = c->calib->n_streams;
    atomic_flag_clear(&s->busy);
    s->stream = pp_calloc(n, sizeof *s->stream);
    s->total = pp_calloc(n, sizeof *s->total);
    if (!s->stream || !s->total)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        PP_TRY(pp_histogram_make(&s->stream[i]));
        if (!(s->total[i] = pp_calloc(stream_size(c, i), sizeof **s->total)))
            return PP_ENOMEM;
    }
    return PP_OK;
}

static void free_parts(collector *c)
{
    for (unsigned p = 0; c->part && p < c->n_parts; p++) {
        pp_histograms_free(c->part[p].stream, c->calib->n_streams);
        for (uint32_t i = 0; c->part[p].total && i < c->calib->n_streams; i++)
            free(c->part[p].total[i]);
        free(c->part[p].total);
    }
    free(c->part);
}

/* Bin of a positive value: exponent and leading bits of the mantissa. */
static uint32_t bin_of(float magnitude)
{
    uint32_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    return (bits >> (23 - PP_BIN_MANTISSA)) - ((127u - 31u) << PP_BIN_MANTISSA);
}

void pp_histogram_add(pp_histogram *h, float v)
{
    float magnitude = fabsf(v);
    h->min = fminf(h->min, v);
    h->max = fmaxf(h->max, v);
    if (magnitude >= 0x1p-31f)
        h->bin[v < 0][bin_of(magnitude)]++;
    h->n++;
}

static bool add_stream(sums *s, uint32_t stream, const float *data, size_t n)
{
    pp_histogram *h = &s->stream[stream];
    int64_t *total = s->total[stream];
    float lo = h->min, hi = h->max;
    for (size_t i = 0; i < n; i++) {
        float v = data[i], magnitude = fabsf(v);
        if (!(magnitude < value_max))
            return false;
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
        total[i] += (int64_t)(v * (float)(1 << MEAN_FRACTION));
        if (magnitude >= 0x1p-31f)
            h->bin[v < 0][bin_of(magnitude)]++;
    }
    h->min = lo;
    h->max = hi;
    h->n += n;
    return true;
}

static sums *take_part(collector *c)
{
    for (;;)
        for (unsigned p = 0; p < c->n_parts; p++)
            if (!atomic_flag_test_and_set_explicit(&c->part[p].busy, memory_order_acquire))
                return &c->part[p];
}

static pp_status tap(void *payload, uint32_t stream, uint32_t image, const float *data)
{
    collector *c = payload;
    size_t n = stream_size(c, stream);
    sums *s = take_part(c);
    bool good = add_stream(s, stream, data, n);
    atomic_flag_clear_explicit(&s->busy, memory_order_release);
    if (!good)
        return pp_fail(PP_ERANGE, "calibration image %u: stream %u holds values that are not finite or above 2^31",
                       image, stream);
    if (image < c->calib->kept)
        memcpy(c->calib->keep[image][stream], data, n * sizeof *data);
    return PP_OK;
}

void pp_histogram_merge(pp_histogram *to, const pp_histogram *from)
{
    for (int side = 0; side < 2; side++)
        for (uint32_t b = 0; b < PP_BINS; b++)
            to->bin[side][b] += from->bin[side][b];
    to->n += from->n;
    to->min = fminf(to->min, from->min);
    to->max = fmaxf(to->max, from->max);
}

/* Parts into the first one, which becomes the result. */
static void merge(collector *c)
{
    pp_calibration *calib = c->calib;
    for (uint32_t i = 0; i < calib->n_streams; i++) {
        size_t n = stream_size(c, i);
        for (unsigned p = 1; p < c->n_parts; p++) {
            pp_histogram_merge(&c->part[0].stream[i], &c->part[p].stream[i]);
            for (size_t k = 0; k < n; k++)
                c->part[0].total[i][k] += c->part[p].total[i][k];
        }
        double unit = ldexp(1.0 / calib->images, -MEAN_FRACTION);
        for (size_t k = 0; k < n; k++)
            calib->mean[i][k] = (double)c->part[0].total[i][k] * unit;
    }
    calib->stream = c->part[0].stream;
    c->part[0].stream = NULL;
}

/* Images whose streams are kept: at most KEPT_MAX, within a fixed amount of memory. */
static uint32_t images_to_keep(const collector *c)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < c->calib->n_streams; i++)
        bytes += stream_size(c, i) * sizeof(float);
    size_t n = bytes ? keep_bytes_max / bytes : 1;
    n = n > KEPT_MAX ? KEPT_MAX : n < 1 ? 1 : n;
    return n < c->calib->images ? (uint32_t)n : c->calib->images;
}

static pp_status make_results(collector *c)
{
    pp_calibration *calib = c->calib;
    uint32_t kept = images_to_keep(c);
    calib->mean = pp_calloc(calib->n_streams, sizeof *calib->mean);
    calib->keep = pp_calloc(kept, sizeof *calib->keep);
    if (!calib->mean || !calib->keep)
        return PP_ENOMEM;
    calib->kept = kept;
    for (uint32_t i = 0; i < calib->n_streams; i++)
        if (!(calib->mean[i] = pp_alloc(stream_size(c, i), sizeof **calib->mean)))
            return PP_ENOMEM;
    for (uint32_t k = 0; k < kept; k++) {
        if (!(calib->keep[k] = pp_calloc(calib->n_streams, sizeof **calib->keep)))
            return PP_ENOMEM;
        for (uint32_t i = 0; i < calib->n_streams; i++)
            if (!(calib->keep[k][i] = pp_alloc(stream_size(c, i), sizeof ***calib->keep)))
                return PP_ENOMEM;
    }
    return PP_OK;
}

static pp_status run_float(collector *c, const pp_dataset *data, pp_pool *pool)
{
    pp_float_exec *exec = NULL;
    const pp_shape out = c->stages->stage[c->stages->output].out;
    float *logits = pp_alloc((size_t)c->calib->images * pp_shape_count(out), sizeof *logits);
    pp_status status = PP_ENOMEM;
    if (!logits)
        goto done;
    PP_GOTO(done, status, pp_float_exec_new(&exec, c->net, c->stages));
    PP_GOTO(done, status, pp_float_exec_run(exec, pool, data, 0, c->calib->images, logits, tap, c));
done:
    pp_float_exec_free(exec);
    free(logits);
    return status;
}

pp_status pp_calibrate(pp_calibration **out, const pp_network *net, const pp_stages *stages, const pp_dataset *data,
                       uint32_t images, pp_pool *pool)
{
    *out = NULL;
    if (images < 1 || images > IMAGES_MAX || images > data->n)
        return pp_fail(PP_ERANGE, "calibration on %u images: expected 1 to %d, '%s' has %u", images, IMAGES_MAX,
                       data->name, data->n);
    collector c = {.net = net, .stages = stages, .n_parts = pp_pool_threads(pool)};
    pp_status status = PP_ENOMEM;
    c.calib = pp_calloc(1, sizeof *c.calib);
    c.part = pp_calloc(c.n_parts, sizeof *c.part);
    if (!c.calib || !c.part)
        goto done;
    c.calib->n_streams = stages->n + 1;
    c.calib->images = images;
    PP_GOTO(done, status, make_results(&c));
    for (unsigned p = 0; p < c.n_parts; p++)
        PP_GOTO(done, status, make_part(&c, &c.part[p]));
    PP_GOTO(done, status, run_float(&c, data, pool));
    merge(&c);
done:
    if (c.calib)
        free_parts(&c);
    if (status == PP_OK)
        *out = c.calib;
    else
        pp_calibration_free(c.calib);
    return status;
}

void pp_calibration_free(pp_calibration *c)
{
    if (!c)
        return;
    pp_histograms_free(c->stream, c->n_streams);
    for (uint32_t i = 0; c->mean && i < c->n_streams; i++)
        free(c->mean[i]);
    free(c->mean);
    for (uint32_t k = 0; k < c->kept; k++) {
        for (uint32_t i = 0; c->keep[k] && i < c->n_streams; i++)
            free(c->keep[k][i]);
        free(c->keep[k]);
    }
    free(c->keep);
    free(c);
}
