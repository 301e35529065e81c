/* Language models in integers: codes of inputs, sums by plain loops or by what stands in for them, values. */
#include "quant/lmq_integer.h"

#include "quant/lmq_internal.h"
#include "quant/quant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the inputs of one place are for the worker that runs the window. */
typedef struct stash {
    uint8_t *code;   /* [rows, rounded up to blocks][width] */
    float *scale;    /* [rows][tiles] */
    int32_t *psum;   /* [tiles][PP_LMQ_BLOCK][out], largest */
    size_t bytes, scales;
    size_t first;
} stash;

struct pp_lmq_integer {
    const pp_lmq *q;
    pp_lmq_integer_options o;
    pp_lmq_matrix *matrix;   /* [n] in the order of layers and kinds */
    size_t n;
    uint32_t *index;         /* [layers][PP_LMQ_KINDS] */
    stash *stash;            /* [workers] */
    unsigned workers;
    pp_lmq_sums sums, see;
    void *payload;
};

/* ---- matrices ---- */

static pp_status cut_rows(pp_lmq_matrix *m, uint32_t rows)
{
    m->tiles = rows > 0 ? (m->in + rows - 1) / rows : 1;
    m->edge = pp_calloc(m->tiles + 1, sizeof *m->edge);
    if (m->edge == NULL)
        return PP_ENOMEM;
    for (uint32_t t = 0; t <= m->tiles; t++)
        m->edge[t] = (uint32_t)((uint64_t)m->in * t / m->tiles);
    return PP_OK;
}

static pp_status read_codes(pp_lmq_matrix *m, const pp_lmq_tensor *t)
{
    const pp_number_traits *f = pp_number_traits_of(t->w.format);
    if (!f->integer || pp_weight_groups(&t->w, t->cols) != 1)
        return pp_fail(PP_EUNSUPPORTED, "%s: weights in %s with %u scales a row: an array holds integers with one scale a column",
                       m->name, f->name, pp_weight_groups(&t->w, t->cols));
    const size_t n = (size_t)m->out * m->in;
    m->code = pp_alloc(n, 1);
    if (m->code == NULL)
        return PP_ENOMEM;
    m->wbits = f->bits;
    for (size_t i = 0; i < n; i++)
        m->code[i] = (int8_t)pp_number_decode(t->w.format, t->code[i]);
    for (uint32_t c = 0; c < m->out; c++)
        m->scale[c] = (double)t->scale[c];
    return PP_OK;
}

static pp_status read_floats(pp_lmq_matrix *m, const pp_lmq *q)
{
    const pp_lm_source source = pp_lmq_source(q);
    m->weight = pp_alloc((size_t)m->out * m->in, sizeof *m->weight);
    if (m->weight == NULL)
        return PP_ENOMEM;
    m->wbits = 8;
    PP_TRY(source.load(source.payload, m->layer, m->kind, 0, m->out, m->weight));
    for (uint32_t c = 0; c < m->out; c++) {
        float most = 0;
        for (uint32_t k = 0; k < m->in; k++)
            most = fmaxf(most, fabsf(m->weight[(size_t)c * m->in + k]));
        m->scale[c] = most > 0 ? (double)most / 127 : 1;
    }
    return PP_OK;
}

/* Largest sum that inputs of abits can make in a column. */
static double largest_sum(const pp_lmq_matrix *m)
{
    double most = 0;
    for (uint32_t c = 0; c < m->out; c++) {
        double sum = 0;
        for (uint32_t k = 0; k < m->in; k++) {
            const size_t at = (size_t)c * m->in + k;
            sum += m->code != NULL ? abs(m->code[at]) : fabs((double)m->weight[at]) / m->scale[c];
        }
        most = fmax(most, sum);
    }
    return most * ldexp(1, (int)m->abits - 1);
}

static pp_status choose_shift(pp_lmq_matrix *m, uint32_t psum_bits)
{
    const double room = ldexp(1, (int)psum_bits - 1) - 1, most = largest_sum(m);
    m->psum_shift = 0;
    while (most / ldexp(1, (int)m->psum_shift) > room)
        m->psum_shift++;
    for (uint32_t c = 0; c < m->out; c++)
        m->unit[c] = m->scale[c] * ldexp(1, (int)m->psum_shift);
    return PP_OK;
}

static pp_status read_matrix(pp_lmq_integer *x, pp_lmq_matrix *m, uint32_t layer, unsigned k)
{
    pp_lmq *q = (pp_lmq *)(uintptr_t)x->q;
    const pp_lmq_tensor *t = &q->tensor[(size_t)layer * PP_LMQ_KINDS + k];
    *m = (pp_lmq_matrix){.layer = layer, .kind = pp_lmq_kind_[k], .in = (uint32_t)t->cols, .out = (uint32_t)t->rows};
    (void)snprintf(m->name, sizeof m->name, "%u.%s", layer, pp_lm_kind_name(m->kind));
    m->abits = pp_lmq_act_options_(q, layer, pp_lmq_place_(m->kind)).bits;
    m->scale = pp_calloc(m->out, sizeof *m->scale);
    m->unit = pp_calloc(m->out, sizeof *m->unit);
    if (m->scale == NULL || m->unit == NULL)
        return PP_ENOMEM;
    PP_TRY(cut_rows(m, x->o.rows));
    if (q->lm == NULL && t->code == NULL && !x->o.float_weights)
        PP_TRY(pp_lmq_read_layer_(q, layer));
    if (!x->o.float_weights && t->code == NULL)
        return pp_fail(PP_EUNSUPPORTED, "%s: weights of 16 bits are no codes (arch.weights: float programs them as they are)", m->name);
    PP_TRY(x->o.float_weights ? read_floats(m, q) : read_codes(m, t));
    return choose_shift(m, x->o.psum_bits);
}

static pp_status read_all(pp_lmq_integer *x)
{
    const pp_lmq *q = x->q;
    const uint32_t layers = q->config.layers;
    x->matrix = pp_calloc((size_t)layers * PP_LMQ_KINDS, sizeof *x->matrix);
    x->index = pp_calloc((size_t)layers * PP_LMQ_KINDS, sizeof *x->index);
    if (x->matrix == NULL || x->index == NULL)
        return PP_ENOMEM;
    for (uint32_t l = 0; l < layers; l++) {
        for (unsigned k = 0; k < PP_LMQ_KINDS; k++) {
            if (q->tensor[(size_t)l * PP_LMQ_KINDS + k].rows == 0)
                continue;
            x->index[(size_t)l * PP_LMQ_KINDS + k] = (uint32_t)x->n;
            PP_TRY(read_matrix(x, &x->matrix[x->n++], l, k));
        }
        if (q->lm == NULL)
            pp_lmq_forget_layer_((pp_lmq *)(uintptr_t)q, l);
    }
    return PP_OK;
}

/* ---- making one ---- */

static pp_status check(const pp_lmq *q, const pp_lmq_integer_options *o)
{
    const pp_lmq_options *a = &q->o;
    const char *name = q->config.name;
    if (a->abits == 16)
        return pp_fail(PP_EUNSUPPORTED, "%s: activations are float; converters need 2 to 8 bits (quant.abits)", name);
    if (a->act_asymmetric)
        return pp_fail(PP_EUNSUPPORTED, "%s: activations with a zero point do not go through the converters; symmetric ones do", name);
    if (a->agroup > 0)
        return pp_fail(PP_EUNSUPPORTED, "%s: activations share scales in groups of %u; quant.activation_scale=tile has one for the rows of an array",
                       name, a->agroup);
    if (o->float_weights && (a->wbits != 16 || a->format != NULL))
        return pp_fail(PP_EINVAL, "%s: arch.weights is float, but the model holds codes of %u bits", name, a->wbits);
    if ((o->act_scale == PP_ACT_SCALE_STATIC) != a->act_static && o->act_scale != PP_ACT_SCALE_AUTO)
        return pp_fail(PP_EINVAL, "%s: quant.activation_scale: the model has %s ranges of activations", name,
                       a->act_static ? "static" : "no static");
    return PP_OK;
}

pp_status pp_lmq_integer_new(pp_lmq_integer **out, const pp_lmq *q, const pp_lmq_integer_options *o, unsigned workers)
{
    *out = NULL;
    PP_TRY(check(q, o));
    pp_lmq_integer *x = pp_calloc(1, sizeof *x);
    if (x == NULL)
        return PP_ENOMEM;
    *x = (pp_lmq_integer){.q = q, .o = *o, .workers = workers};
    if (o->act_scale == PP_ACT_SCALE_AUTO)
        x->o.act_scale = q->o.act_static ? PP_ACT_SCALE_STATIC : PP_ACT_SCALE_TOKEN;
    x->stash = pp_calloc(workers, sizeof *x->stash);
    const pp_status status = x->stash != NULL ? read_all(x) : PP_ENOMEM;
    if (status == PP_OK)
        *out = x;
    else
        pp_lmq_integer_free(x);
    return status;
}

void pp_lmq_integer_free(pp_lmq_integer *x)
{
    if (x == NULL)
        return;
    for (size_t i = 0; i < x->n; i++) {
        free(x->matrix[i].code);
        free(x->matrix[i].weight);
        free(x->matrix[i].scale);
        free(x->matrix[i].unit);
        free(x->matrix[i].edge);
    }
    for (unsigned w = 0; x->stash != NULL && w < x->workers; w++) {
        free(x->stash[w].code);
        free(x->stash[w].scale);
        free(x->stash[w].psum);
    }
    free(x->matrix);
    free(x->index);
    free(x->stash);
    free(x);
}

size_t pp_lmq_integer_n(const pp_lmq_integer *x)
{
    return x->n;
}

const pp_lmq_matrix *pp_lmq_integer_matrix(const pp_lmq_integer *x, size_t i)
{
    return i < x->n ? &x->matrix[i] : NULL;
}

int pp_lmq_integer_scale(const pp_lmq_integer *x)
{
    return x->o.act_scale;
}

uint32_t pp_lmq_integer_psum_bits(const pp_lmq_integer *x)
{
    return x->o.psum_bits;
}

void pp_lmq_integer_set(pp_lmq_integer *x, pp_lmq_sums sums, pp_lmq_sums see, void *payload)
{
    x->sums = sums;
    x->see = see;
    x->payload = payload;
}

/* ---- inputs ---- */

static const pp_lmq_matrix *matrix_of(const pp_lmq_integer *x, uint32_t layer, unsigned place)
{
    static const unsigned first[PP_LMQ_PLACES] = {0, 3, 5, 6}; /* q, o, up, down: one of each place that every model has */
    return &x->matrix[x->index[(size_t)layer * PP_LMQ_KINDS + first[place]]];
}

/* psum for the largest matrix: once a worker. */
static pp_status make_sums(const pp_lmq_integer *x, stash *s)
{
    size_t most = 1;
    if (s->psum != NULL)
        return PP_OK;
    for (size_t i = 0; i < x->n; i++) {
        const size_t n = (size_t)x->matrix[i].tiles * PP_LMQ_BLOCK * x->matrix[i].out;
        most = n > most ? n : most;
    }
    s->psum = pp_alloc_aligned(most, sizeof *s->psum);
    return s->psum != NULL ? PP_OK : PP_ENOMEM;
}

static pp_status make_room(stash *s, size_t bytes, size_t scales)
{
    if (bytes > s->bytes) {
        free(s->code);
        s->code = pp_alloc_aligned(bytes, 1);
        s->bytes = s->code != NULL ? bytes : 0;
    }
    if (scales > s->scales) {
        free(s->scale);
        s->scale = pp_alloc(scales, sizeof *s->scale);
        s->scales = s->scale != NULL ? scales : 0;
    }
    return s->code != NULL && s->scale != NULL ? PP_OK : PP_ENOMEM;
}

static pp_status take_inputs(pp_lmq_integer *x, const pp_lm_activation *a, unsigned place)
{
    stash *s = &x->stash[a->worker];
    const pp_lmq_matrix *m = matrix_of(x, a->layer, place);
    const pp_act_options o = pp_lmq_act_options_(x->q, a->layer, place);
    const size_t padded = (a->rows + PP_LMQ_BLOCK - 1) / PP_LMQ_BLOCK * PP_LMQ_BLOCK;
    const uint32_t parts = x->o.act_scale == PP_ACT_SCALE_TILE ? m->tiles : 1;
    PP_TRY(make_room(s, padded * m->in, (size_t)a->rows * parts));
    PP_TRY(make_sums(x, s));
    s->first = a->row;
    for (uint32_t r = 0; r < a->rows; r++) {
        for (uint32_t t = 0; t < parts; t++) {
            const uint32_t lo = parts > 1 ? m->edge[t] : 0, hi = parts > 1 ? m->edge[t + 1] : m->in;
            s->scale[(size_t)r * parts + t] = pp_code_row(&o, a->x + (size_t)r * m->in + lo, hi - lo, s->code + (size_t)r * m->in + lo);
        }
    }
    memset(s->code + (size_t)a->rows * m->in, 128, (padded - a->rows) * m->in);
    return PP_OK;
}

static pp_status inputs(void *payload, const pp_lm_activation *a)
{
    pp_lmq_integer *x = payload;
    const pp_lm_hooks rotate = pp_lmq_hooks_(x->q, false);
    PP_TRY(rotate.activation(rotate.payload, a));
    switch (a->site) {
    case PP_LM_SITE_K_CACHE:
    case PP_LM_SITE_V_CACHE:
        pp_lmq_cache_(x->q, a);
        return PP_OK;
    case PP_LM_SITE_ATTN_IN:
        return take_inputs(x, a, 0);
    case PP_LM_SITE_O_IN:
        return take_inputs(x, a, 1);
    case PP_LM_SITE_FFN_IN:
        return take_inputs(x, a, 2);
    case PP_LM_SITE_DOWN_IN:
        return take_inputs(x, a, 3);
    default:
        return PP_OK;
    }
}

/* ---- products ---- */

static int64_t dot(const int8_t *w, const uint8_t *x, uint32_t lo, uint32_t hi)
{
    int64_t sum = 0;
    for (uint32_t k = lo; k < hi; k++)
        sum += w[k] * ((int)x[k] - 128);
    return sum;
}

static pp_status plain_sums(const pp_lmq_integer *x, const pp_lmq_block *b)
{
    const pp_lmq_matrix *m = b->matrix;
    if (m->code == NULL)
        return pp_fail(PP_EINVAL, "%s: float weights have no integer sums", m->name);
    for (uint32_t t = 0; t < m->tiles; t++)
        for (uint32_t r = 0; r < b->rows; r++)
            for (uint32_t c = 0; c < m->out; c++) {
                const int64_t acc = dot(m->code + (size_t)c * m->in, b->codes + (size_t)r * m->in, m->edge[t], m->edge[t + 1]);
                b->psum[((size_t)t * PP_LMQ_BLOCK + r) * m->out + c] =
                    (int32_t)pp_saturate(pp_rshift_even(acc, m->psum_shift), x->o.psum_bits);
            }
    return PP_OK;
}

static void values(const pp_lmq_integer *x, const pp_lmq_block *b, const float *scale, float *y)
{
    const pp_lmq_matrix *m = b->matrix;
    const bool apart = x->o.act_scale == PP_ACT_SCALE_TILE;
    for (uint32_t r = 0; r < b->rows; r++) {
        for (uint32_t c = 0; c < m->out; c++) {
            const int32_t *psum = b->psum + (size_t)r * m->out + c;
            const size_t next = (size_t)PP_LMQ_BLOCK * m->out;
            int64_t sum = 0;
            double value = 0;
            for (uint32_t t = 0; t < m->tiles && !apart; t++)
                sum += psum[t * next];
            for (uint32_t t = 0; t < m->tiles && apart; t++)
                value += (double)psum[t * next] * (double)scale[(size_t)r * m->tiles + t];
            if (!apart)
                value = (double)pp_saturate(sum, x->o.psum_bits) * (double)scale[r];
            y[(size_t)r * m->out + c] = (float)(value * m->unit[c]);
        }
    }
}

static pp_status product(void *payload, uint32_t layer, pp_lm_kind kind, unsigned worker, const float *ignored, uint32_t rows,
                         float *y)
{
    pp_lmq_integer *x = payload;
    stash *s = &x->stash[worker];
    const uint32_t index = x->index[(size_t)layer * PP_LMQ_KINDS + (size_t)pp_lmq_index_(kind)];
    const pp_lmq_matrix *m = &x->matrix[index];
    const uint32_t parts = x->o.act_scale == PP_ACT_SCALE_TILE ? m->tiles : 1;
    (void)ignored; /* the place's codes are in the worker's stash */
    for (uint32_t r = 0; r < rows; r += PP_LMQ_BLOCK) {
        const pp_lmq_block b = {.matrix = m, .index = index, .rows = rows - r < PP_LMQ_BLOCK ? rows - r : PP_LMQ_BLOCK,
                                .first = s->first + r, .codes = s->code + (size_t)r * m->in, .worker = worker, .psum = s->psum,
                                .y = y + (size_t)r * m->out};
        PP_TRY(x->sums != NULL ? x->sums(x->payload, &b) : plain_sums(x, &b));
        values(x, &b, s->scale + (size_t)r * parts, y + (size_t)r * m->out);
        if (x->see != NULL)
            PP_TRY(x->see(x->payload, &b));
    }
    return PP_OK;
}

pp_lm_hooks pp_lmq_integer_hooks(pp_lmq_integer *x)
{
    pp_lm_hooks h = pp_lmq_hooks(x->q);
    h.activation = inputs;
    h.product = product;
    h.payload = x;
    for (unsigned k = 0; k < PP_LMQ_KINDS; k++)
        h.products |= PP_LM_KIND_BIT(pp_lmq_kind_[k]);
    return h;
}
