/* The transform in front of a stage's DACs: blocks, the fast integer transform, the slow one, weights. */
#include "quant/quant_internal.h"
#include "quant/rotate_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const pp_qformat *pp_qstage_input(const pp_qnetwork *q, uint32_t stage)
{
    const pp_qrotate *r = q->stage[stage].rotate;
    return r ? &r->format : &q->stream[q->stages->stage[stage].inputs[0].stream];
}

/* ---- blocks ---- */

/* Largest order up to n that has a matrix: n itself, or the next smaller even number. */
static uint32_t largest_order(uint32_t n)
{
    for (uint32_t k = n; k > 2; k--) {
        pp_hadamard *h = NULL;
        if (k % 4 == 0 && pp_hadamard_new(&h, k) == PP_OK) {
            pp_hadamard_free(h);
            return k;
        }
    }
    return n < 2 ? 1 : 2;
}

static bool block_width(const char *how, uint32_t channels, uint32_t *width)
{
    char *end = NULL;
    unsigned long v = strtoul(how, &end, 10);
    if (strcmp(how, "full") == 0 || strcmp(how, "array_rows") == 0) {
        *width = channels;
        return true;
    }
    *width = v > channels ? channels : (uint32_t)v;
    return how[0] >= '0' && how[0] <= '9' && *end == '\0' && v >= 2 && v <= PP_HADAMARD_MAX;
}

pp_status pp_qrotate_blocks(const char *how, uint32_t channels, uint32_t taps, uint32_t rows, uint32_t **sizes,
                            uint32_t *n)
{
    uint32_t width, tiles = 1;
    *sizes = NULL;
    *n = 0;
    if (!block_width(how, channels, &width))
        return pp_fail(PP_EINVAL, "quant.rotation_block is '%s', expected full, array_rows or a number from 2 on", how);
    if (strcmp(how, "array_rows") == 0 && rows >= taps)
        tiles = (channels + rows / taps - 1) / (rows / taps);
    uint32_t *list = pp_alloc(channels, sizeof *list);
    if (!list)
        return PP_ENOMEM;
    for (uint32_t t = 0; t < tiles; t++) {
        uint32_t at = (uint32_t)((uint64_t)channels * t / tiles), end = (uint32_t)((uint64_t)channels * (t + 1) / tiles);
        while (at < end)
            at += list[(*n)++] = largest_order(end - at < width ? end - at : width);
    }
    *sizes = list;
    return PP_OK;
}

static pp_status add_block(pp_qrotate *r, uint32_t first, uint32_t size)
{
    uint32_t i = 0;
    while (i < r->n_orders && r->order[i].h->n != size)
        i++;
    r->block[r->n_blocks++] = (pp_qblock){first, i};
    if (i < r->n_orders)
        return PP_OK;
    PP_TRY(pp_hadamard_new(&r->order[i].h, size));
    r->n_orders++;
    return PP_OK;
}

static pp_status make_blocks(pp_qrotate *r, const pp_quant_options *o, uint32_t taps)
{
    uint32_t *sizes = NULL, n = 0, first = 0;
    /* The cores that write have one tap a channel and as many channels as columns. */
    const bool writer = o->rotate_at == PP_ROTATE_PRODUCER;
    PP_TRY(pp_qrotate_blocks(o->rotation_block, r->channels, writer ? 1 : taps,
                             (uint32_t)(!writer ? o->rotation_rows : o->rotation_cols > 0 ? o->rotation_cols : INT32_MAX), &sizes, &n));
    r->order = pp_calloc(n, sizeof *r->order);
    r->block = pp_calloc(n, sizeof *r->block);
    pp_status status = r->order && r->block ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; i < n && status == PP_OK; i++) {
        status = add_block(r, first, sizes[i]);
        first += sizes[i];
    }
    free(sizes);
    return status;
}

/* Name among the commas of quant.rotate_layers; an empty list takes all. */
static bool listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    if (!list || list[0] == '\0')
        return true;
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))
            return true;
    }
    return false;
}

bool pp_stage_rotates(const pp_qnetwork *q, uint32_t stage, const char **why)
{
    const pp_stage *st = &q->stages->stage[stage];
    *why = NULL;
    if (q->options.rotate != PP_ROTATE_INPUT || st->matrix == PP_NONE || !listed(q->options.rotate_layers, st->name))
        return false;
    if (pp_qgeom_of(q->net, st).groups != 1)
        *why = "a grouped convolution, whose groups do not mix";
    else if (st->in.c < 4)
        *why = "fewer than 4 input channels";
    return *why == NULL;
}

static bool has_matrix(const pp_stages *stages, const char *name, size_t n)
{
    for (uint32_t s = 0; s < stages->n; s++)
        if (stages->stage[s].matrix != PP_NONE && strlen(stages->stage[s].name) == n && strncmp(stages->stage[s].name, name, n) == 0)
            return true;
    return false;
}

pp_status pp_qrotate_check_names(const pp_qnetwork *q)
{
    const char *at = q->options.rotate_layers;
    while (q->options.rotate == PP_ROTATE_INPUT && at && *at) {
        const size_t n = strcspn(at, ",");
        if (!has_matrix(q->stages, at, n))
            return pp_fail(PP_EINVAL, "quant.rotate_layers: %s has no layer with a matrix named '%.*s'", q->net->name, (int)n, at);
        at += n + (at[n] == ',');
    }
    return PP_OK;
}

pp_status pp_qrotate_new(pp_qrotate **out, const pp_qnetwork *q, uint32_t stage)
{
    const pp_stage *st = &q->stages->stage[stage];
    pp_qgeom g = pp_qgeom_of(q->net, st);
    pp_qrotate *r = pp_calloc(1, sizeof *r);
    *out = r;
    if (!r)
        return PP_ENOMEM;
    r->channels = st->in.c;
    r->stage = stage;
    pp_format_set(&r->format, (uint32_t)q->options.stream_bits, true);
    return make_blocks(r, &q->options, g.win.kh * g.win.kw);
}

void pp_qrotate_free(pp_qrotate *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n_orders; i++) {
        pp_hadamard_free(r->order[i].h);
        free(r->order[i].byte);
    }
    free(r->order);
    free(r->block);
    free(r->weight);
    free(r);
}

/* ---- the scale, and what follows from it ---- */

static int32_t code_of(const pp_qrotate *r, const pp_qorder *o, int64_t sum)
{
    int64_t v = pp_rescale(sum, o->mult, r->shift);
    return (int32_t)(v > r->format.qmax ? r->format.qmax : v < r->format.qmin ? r->format.qmin : v);
}

static pp_status fill_table(const pp_qrotate *r, pp_qorder *o, const pp_qformat *in)
{
    o->top = (int32_t)o->h->n * in->qmax;
    free(o->byte);
    if (!(o->byte = pp_alloc(2 * (size_t)o->top + 1, 1)))
        return PP_ENOMEM;
    for (int32_t v = -o->top; v <= o->top; v++)
        o->byte[v + o->top] = (uint8_t)(code_of(r, o, v) + PP_ZERO_BYTE);
    return PP_OK;
}

pp_status pp_qrotate_scale(const pp_qnetwork *q, uint32_t stage, double scale)
{
    pp_qrotate *r = q->stage[stage].rotate;
    const pp_qformat *in = &q->stream[q->stages->stage[stage].inputs[0].stream];
    double *ratio = pp_alloc(r->n_orders, sizeof *ratio);
    int64_t *mult = pp_alloc(r->n_orders, sizeof *mult);
    pp_status status = ratio && mult ? PP_OK : PP_ENOMEM;
    r->format.scale = scale;
    for (uint32_t i = 0; status == PP_OK && i < r->n_orders; i++)
        ratio[i] = r->at_producer ? ldexp(1, -PP_ROTATE_FRACTION) / sqrt((double)r->order[i].h->n)
                                  : in->scale / (sqrt((double)r->order[i].h->n) * scale);
    if (status == PP_OK)
        status = pp_multipliers(ratio, r->n_orders, mult, &r->shift);
    for (uint32_t i = 0; status == PP_OK && i < r->n_orders; i++) {
        r->order[i].mult = mult[i];
        if (!r->at_producer)
            status = fill_table(r, &r->order[i], in);
    }
    free(ratio);
    free(mult);
    return status;
}

/* ---- the fast transform ---- */

static void sylvester(int32_t *x, uint32_t n)
{
    for (uint32_t half = 1; half < n; half *= 2)
        for (uint32_t i = 0; i < n; i += 2 * half)
            for (uint32_t k = i; k < i + half; k++) {
                int32_t a = x[k], b = x[k + half];
                x[k] = a + b;
                x[k + half] = a - b;
            }
}

/* out[j][b] = sum over a of core[a][j] x[a][b]. */
static void core_sums(const pp_hadamard *h, const int32_t *x, int32_t *out)
{
    for (uint32_t j = 0; j < h->core_n; j++) {
        int32_t *to = out + (size_t)j * h->chunk;
        memset(to, 0, h->chunk * sizeof *to);
        for (uint32_t a = 0; a < h->core_n; a++) {
            const int32_t *from = x + (size_t)a * h->chunk, sign = h->core[(size_t)a * h->core_n + j];
            for (uint32_t b = 0; b < h->chunk; b++)
                to[b] += sign * from[b];
        }
    }
}

const int32_t *pp_qrotate_sums(const pp_hadamard *h, int32_t *x, int32_t *spare)
{
    for (uint32_t a = 0; a < h->core_n; a++)
        sylvester(x + (size_t)a * h->chunk, h->chunk);
    if (h->core_n == 1 && h->core[0] == 1)
        return x;
    core_sums(h, x, spare);
    return spare;
}

void pp_qrotate_map(const pp_qnetwork *q, uint32_t stage, const uint8_t *x, uint8_t *out, size_t pixels, int32_t *work)
{
    const pp_qrotate *r = q->stage[stage].rotate;
    int32_t zero = pp_format_zero(&q->stream[q->stages->stage[stage].inputs[0].stream]);
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t i = 0; i < r->n_blocks; i++) {
            const pp_qorder *o = &r->order[r->block[i].order];
            size_t at = p * r->channels + r->block[i].first;
            for (uint32_t c = 0; c < o->h->n; c++)
                work[c] = x[at + c] - zero;
            const int32_t *sum = pp_qrotate_sums(o->h, work, work + r->channels);
            for (uint32_t c = 0; c < o->h->n; c++)
                out[at + c] = o->byte[sum[c] + o->top];
        }
}

/* ---- by the definition ---- */

pp_status pp_qrotate_reference(const pp_qnetwork *q, uint32_t stage, const int16_t *x, size_t pixels, int16_t **out)
{
    const pp_qrotate *r = q->stage[stage].rotate;
    int16_t *codes = *out = pp_alloc(pixels * r->channels, sizeof *codes);
    if (!codes)
        return PP_ENOMEM;
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t i = 0; i < r->n_blocks; i++) {
            const pp_qorder *o = &r->order[r->block[i].order];
            size_t at = p * r->channels + r->block[i].first;
            for (uint32_t j = 0; j < o->h->n; j++) {
                int64_t sum = 0;
                for (uint32_t c = 0; c < o->h->n; c++)
                    sum += x[at + c] * pp_hadamard_at(o->h, c, j);
                codes[at + j] = (int16_t)code_of(r, o, sum);
            }
        }
    return PP_OK;
}

pp_status pp_qrotate_span(const pp_qnetwork *q, uint32_t stage, uint32_t lo, uint32_t hi, int64_t *x, size_t pixels)
{
    const pp_qrotate *r = q->stage[stage].rotate;
    if (!pp_qrotate_fits(r, lo, hi))
        return pp_fail(PP_EINVAL, "stage '%s': channels %u to %u cut a block of its rotation",
                       q->stages->stage[stage].name, lo, hi);
    int64_t *sum = pp_alloc(r->channels, sizeof *sum);
    if (!sum)
        return PP_ENOMEM;
    for (size_t p = 0; p < pixels; p++, x += hi - lo)
        for (uint32_t i = 0; i < r->n_blocks; i++) {
            const pp_qorder *o = &r->order[r->block[i].order];
            if (r->block[i].first < lo || r->block[i].first >= hi)
                continue;
            int64_t *at = x + (r->block[i].first - lo);
            for (uint32_t j = 0; j < o->h->n; j++) {
                sum[j] = 0;
                for (uint32_t c = 0; c < o->h->n; c++)
                    sum[j] += at[c] * pp_hadamard_at(o->h, c, j);
            }
            for (uint32_t j = 0; j < o->h->n; j++)
                at[j] = code_of(r, o, sum[j]);
        }
    free(sum);
    return PP_OK;
}

/* ---- weights ---- */

static void rotate_block(const pp_hadamard *h, float *w, uint32_t taps, double *line)
{
    double norm = 1 / sqrt((double)h->n);
    for (uint32_t j = 0; j < h->n; j++) {
        line[j] = 0;
        for (uint32_t c = 0; c < h->n; c++)
            line[j] += (double)w[(size_t)c * taps] * pp_hadamard_at(h, c, j);
    }
    for (uint32_t j = 0; j < h->n; j++)
        w[(size_t)j * taps] = (float)(line[j] * norm);
}

pp_status pp_qrotate_weights(const pp_qrotate *r, float *weight, uint32_t cout, uint32_t taps)
{
    double *line = pp_alloc(r->channels, sizeof *line);
    if (!line)
        return PP_ENOMEM;
    for (uint32_t out = 0; out < cout; out++)
        for (uint32_t tap = 0; tap < taps; tap++)
            for (uint32_t i = 0; i < r->n_blocks; i++)
                rotate_block(r->order[r->block[i].order].h,
                             weight + ((size_t)out * r->channels + r->block[i].first) * taps + tap, taps, line);
    free(line);
    return PP_OK;
}

pp_status pp_qrotate_load_weights(const pp_qnetwork *q, uint32_t stage)
{
    const pp_stage *st = &q->stages->stage[stage];
    const pp_op *op = &q->net->ops[st->matrix];
    const pp_qstage *s = &q->stage[stage];
    pp_qgeom g = pp_qgeom_of(q->net, st);
    if (!(s->rotate->weight = pp_alloc(pp_tensor_count(&op->weight), sizeof *s->rotate->weight)))
        return PP_ENOMEM;
    pp_tensor_read_f32(&op->weight, s->rotate->weight);
    return pp_qrotate_weights(s->rotate, s->rotate->weight, s->cout, g.win.kh * g.win.kw);
}

/* ---- costs ---- */

static uint32_t log2_of(uint32_t n)
{
    uint32_t m = 0;
    while (n >>= 1)
        m++;
    return m;
}

uint64_t pp_qrotate_adds(const pp_qrotate *r, uint32_t lo, uint32_t hi)
{
    uint64_t adds = 0;
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        const pp_hadamard *h = r->order[r->block[i].order].h;
        if (r->block[i].first >= lo && r->block[i].first < hi)
            adds += (uint64_t)h->n * (h->core_n - 1 + log2_of(h->chunk));
    }
    return adds;
}

bool pp_qrotate_fits(const pp_qrotate *r, uint32_t lo, uint32_t hi)
{
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        uint32_t first = r->block[i].first, end = first + r->order[r->block[i].order].h->n;
        if (first < hi && end > lo && (first < lo || end > hi))
            return false;
    }
    return true;
}
