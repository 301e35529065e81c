/* The transform at the producer: who does it, and the two ways to do it. */
#include "quant/rotate_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- which stage ---- */

/* Names of the stages that read `stream` besides `stage`'s matrix, with commas; 0: none. */
static uint32_t other_readers(const pp_stages *stages, uint32_t stream, uint32_t stage, char *names, size_t size)
{
    uint32_t n = 0;
    size_t used = 0;
    names[0] = '\0';
    for (uint32_t s = 0; s < stages->n; s++)
        for (uint32_t k = 0; k < stages->stage[s].n_inputs; k++) {
            if (stages->stage[s].inputs[k].stream != stream || (s == stage && k == 0))
                continue;
            int m = snprintf(names + used, size - used, "%s'%s'", n++ ? ", " : "", stages->stage[s].name);
            used += m > 0 && (size_t)m < size - used ? (size_t)m : 0;
            names[used] = '\0';
        }
    return n;
}

static pp_status place(pp_qnetwork *q, uint32_t stage)
{
    const pp_stage *st = &q->stages->stage[stage];
    const uint32_t stream = st->inputs[0].stream;
    static const char rule[] = "quant.rotate_at=producer needs one matrix layer that writes and one that reads "
                               "(quant.rotate_layers names the layers to rotate)";
    char names[256];
    if (stream == 0)
        return pp_fail(PP_EUNSUPPORTED, "layer '%s' reads the network's input: %s", st->name, rule);
    const pp_stage *from = &q->stages->stage[stream - 1];
    if (from->matrix == PP_NONE)
        return pp_fail(PP_EUNSUPPORTED, "layer '%s' reads '%s' (%s), which would see rotated values: %s", st->name, from->name,
                       pp_op_kind_name(q->net->ops[from->first_op].kind), rule);
    if (other_readers(q->stages, stream, stage, names, sizeof names))
        return pp_fail(PP_EUNSUPPORTED, "layer '%s' is not alone in reading '%s', %s does too: %s", st->name, from->name, names,
                       rule);
    if (from->out.c != st->in.c || st->in.c > PP_ROTATE_OUT_MAX)
        return pp_fail(PP_EUNSUPPORTED, "layer '%s' has %u input channels, '%s' writes %u: quant.rotate_at=producer needs the same number, at most %d",
                       st->name, st->in.c, from->name, from->out.c, PP_ROTATE_OUT_MAX);
    pp_qrotate *r = q->stage[stage].rotate;
    r->at_producer = true;
    r->plain_signed = q->stream[stream].is_signed;
    q->stage[stream - 1].rotate_out = r;
    q->stream[stream] = r->format;
    return PP_OK;
}

pp_status pp_qrotate_place(pp_qnetwork *q)
{
    for (uint32_t s = 0; s < q->stages->n && q->options.rotate_at == PP_ROTATE_PRODUCER; s++)
        if (q->stage[s].rotate)
            PP_TRY(place(q, s));
    return PP_OK;
}

/* ---- the transform ---- */

static int64_t code_of(const pp_qrotate *r, const pp_qorder *o, int64_t sum)
{
    int64_t v = pp_rescale(sum, o->mult, r->shift);
    return v > r->format.qmax ? r->format.qmax : v < r->format.qmin ? r->format.qmin : v;
}

static void block_slow(const pp_hadamard *h, int64_t *x)
{
    int64_t sum[PP_ROTATE_OUT_MAX];
    for (uint32_t j = 0; j < h->n; j++) {
        sum[j] = 0;
        for (uint32_t c = 0; c < h->n; c++)
            sum[j] += x[c] * pp_hadamard_at(h, c, j);
    }
    memcpy(x, sum, h->n * sizeof *x);
}

/* Words of 24 bits in 64: no sum overflows. */
static void butterflies(int64_t *x, uint32_t n)
{
    for (uint32_t half = 1; half < n; half *= 2)
        for (uint32_t i = 0; i < n; i += 2 * half)
            for (uint32_t k = i; k < i + half; k++) {
                int64_t a = x[k], b = x[k + half];
                x[k] = a + b;
                x[k + half] = a - b;
            }
}

static void block_fast(const pp_hadamard *h, int64_t *x)
{
    int64_t sum[PP_ROTATE_OUT_MAX];
    for (uint32_t a = 0; a < h->core_n; a++)
        butterflies(x + (size_t)a * h->chunk, h->chunk);
    memset(sum, 0, h->n * sizeof *sum);
    for (uint32_t j = 0; j < h->core_n; j++)
        for (uint32_t a = 0; a < h->core_n; a++) {
            const int64_t sign = h->core[(size_t)a * h->core_n + j];
            for (uint32_t b = 0; b < h->chunk; b++)
                sum[(size_t)j * h->chunk + b] += sign * x[(size_t)a * h->chunk + b];
        }
    memcpy(x, sum, h->n * sizeof *x);
}

static void rotate_span(const pp_qnetwork *q, uint32_t stage, uint32_t lo, uint32_t hi, int64_t *x,
                        void (*transform)(const pp_hadamard *, int64_t *))
{
    const pp_qrotate *r = q->stage[stage].rotate_out;
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        const pp_qorder *o = &r->order[r->block[i].order];
        if (r->block[i].first < lo || r->block[i].first + o->h->n > hi)
            continue;
        int64_t *at = x + (r->block[i].first - lo);
        transform(o->h, at);
        for (uint32_t j = 0; j < o->h->n; j++)
            at[j] = code_of(r, o, at[j]);
    }
}

void pp_qrotate_out(const pp_qnetwork *q, uint32_t stage, uint32_t lo, uint32_t hi, int64_t *x)
{
    rotate_span(q, stage, lo, hi, x, block_slow);
}

void pp_qrotate_out_fast(const pp_qnetwork *q, uint32_t stage, uint32_t lo, uint32_t hi, int64_t *x)
{
    rotate_span(q, stage, lo, hi, x, block_fast);
}
