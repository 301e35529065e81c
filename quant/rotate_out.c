/* The transform at the producer: who does it, and the two ways to do it. */
#include "quant/rotate_internal.h"

#include <stdio.h>
#include <stdlib.h>
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

/* Why the writer of a stage's input cannot transform it: new memory; NULL with PP_OK: it can. */
static pp_status obstacle(const pp_qnetwork *q, uint32_t stage, char **why)
{
    const pp_stage *st = &q->stages->stage[stage];
    const uint32_t stream = st->inputs[0].stream;
    const pp_stage *from = stream > 0 ? &q->stages->stage[stream - 1] : NULL;
    char names[256];
    *why = NULL;
    if (from == NULL)
        *why = pp_strf("it reads the network's input");
    else if (from->matrix == PP_NONE)
        *why = pp_strf("it reads '%s' (%s), which has no matrix", from->name, pp_op_kind_name(q->net->ops[from->first_op].kind));
    else if (other_readers(q->stages, stream, stage, names, sizeof names))
        *why = pp_strf("it is not alone in reading '%s', %s does too", from->name, names);
    else if (from->out.c != st->in.c || st->in.c > PP_ROTATE_OUT_MAX)
        *why = pp_strf("it has %u input channels, '%s' writes %u: expected the same number, at most %d", st->in.c, from->name,
                       from->out.c, PP_ROTATE_OUT_MAX);
    else
        return PP_OK;
    return *why ? PP_OK : PP_ENOMEM;
}

static void give_to_writer(pp_qnetwork *q, uint32_t stage)
{
    const uint32_t stream = q->stages->stage[stage].inputs[0].stream;
    pp_qrotate *r = q->stage[stage].rotate;
    r->at_producer = true;
    r->plain_signed = q->stream[stream].is_signed;
    q->stage[stream - 1].rotate_out = r;
    q->stream[stream] = r->format;
}

static pp_status place(pp_qnetwork *q, uint32_t stage)
{
    char *why;
    pp_status status = PP_OK;
    PP_TRY(obstacle(q, stage, &why));
    if (why == NULL) {
        give_to_writer(q, stage);
    } else if (q->options.rotate_layers[0] != '\0') {
        status = pp_fail(PP_EUNSUPPORTED, "quant.rotate_layers: layer '%s' cannot be rotated by its writer (quant.rotate_at=producer): %s",
                         q->stages->stage[stage].name, why);
    } else {
        pp_qrotate_free(q->stage[stage].rotate);
        q->stage[stage].rotate = NULL;
        q->stage[stage].not_rotated = pp_arena_strdup(((pp_qowner *)q->owner)->arena, why);
        status = q->stage[stage].not_rotated ? PP_OK : PP_ENOMEM;
    }
    free(why);
    return status;
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
