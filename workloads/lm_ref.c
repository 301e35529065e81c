/* The slow reference of the executor: every formula in double, one token and one head at a time. Shares
 * only pp_lm_dims and the source of the weights with the fast path. */
#include "workloads/lm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct ref {
    const pp_lm_config *c;
    const pp_lm_source *source;
    uint32_t n;
    double *x; /* [n][hidden] */
} ref;

static pp_status load(const ref *r, uint32_t layer, pp_lm_kind kind, double **out)
{
    uint64_t rows, cols;
    *out = NULL;
    if (!pp_lm_dims(r->c, kind, &rows, &cols))
        return PP_OK;
    float *f = pp_alloc(rows * cols, sizeof *f);
    *out = pp_alloc(rows * cols, sizeof **out);
    pp_status status = f && *out ? r->source->load(r->source->payload, layer, kind, 0, rows, f) : PP_ENOMEM;
    for (uint64_t i = 0; status == PP_OK && i < rows * cols; i++)
        (*out)[i] = (double)f[i];
    free(f);
    return status;
}

static void normalise(double eps, bool centre, const double *weight, const double *bias, const double *x, uint32_t n,
                      double *y)
{
    double mean = 0, square = 0;
    for (uint32_t i = 0; i < n && centre; i++)
        mean += x[i] / n;
    for (uint32_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / n;
    for (uint32_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrt(square + eps) * weight[i] + (bias ? bias[i] : 0);
}

/* y[n][out] = W x + b for all tokens; new array. */
static pp_status linear(const ref *r, uint32_t layer, pp_lm_kind kind, const double *x, double **y)
{
    double *w = NULL, *b = NULL;
    uint64_t out, in;
    pp_status status;
    pp_lm_dims(r->c, kind, &out, &in);
    *y = pp_alloc(r->n * out, sizeof **y);
    PP_GOTO(done, status, *y ? PP_OK : PP_ENOMEM);
    PP_GOTO(done, status, load(r, layer, kind, &w));
    PP_GOTO(done, status, load(r, layer, pp_lm_bias_of(kind), &b));
    for (uint32_t t = 0; t < r->n; t++) {
        for (uint64_t o = 0; o < out; o++) {
            double sum = b ? b[o] : 0;
            for (uint64_t i = 0; i < in; i++)
                sum += w[o * in + i] * x[t * in + i];
            (*y)[t * out + o] = sum;
        }
    }
done:
    free(w);
    free(b);
    return status;
}

static pp_status norm_all(const ref *r, uint32_t layer, pp_lm_kind weight, pp_lm_kind bias, double **y)
{
    double *w = NULL, *b = NULL;
    const uint32_t d = r->c->hidden;
    pp_status status;
    *y = pp_alloc((size_t)r->n * d, sizeof **y);
    PP_GOTO(done, status, *y ? PP_OK : PP_ENOMEM);
    PP_GOTO(done, status, load(r, layer, weight, &w));
    PP_GOTO(done, status, load(r, layer, bias, &b));
    for (size_t t = 0; t < r->n; t++)
        normalise(r->c->norm_eps, r->c->norm == PP_LM_NORM_LAYER, w, b, r->x + t * d, d, *y + t * d);
done:
    free(w);
    free(b);
    return status;
}

/* ---- positions ---- */

static double ramp(double low, double high, double i)
{
    const double x = (i - low) / (low == high ? 0.001 : high - low);
    return fmin(fmax(x, 0), 1);
}

static double frequency(const ref *r, uint32_t i)
{
    const pp_lm_rope *p = &r->c->rope;
    const double dim = p->rotary_dim, pi = acos(-1);
    double base = p->theta;
    if (p->kind == PP_LM_ROPE_DYNAMIC && r->n > p->original_positions)
        base = p->theta * pow(p->factor * r->n / p->original_positions - p->factor + 1, dim / (dim - 2));
    const double f = pow(base, -2.0 * i / dim), wave = 2 * pi / f;
    if (p->kind == PP_LM_ROPE_LINEAR)
        return f / p->factor;
    if (p->kind == PP_LM_ROPE_LLAMA3) {
        if (wave < p->original_positions / p->high_freq_factor)
            return f;
        if (wave > p->original_positions / p->low_freq_factor)
            return f / p->factor;
        const double s = (p->original_positions / wave - p->low_freq_factor) / (p->high_freq_factor - p->low_freq_factor);
        return f / p->factor + s * (f - f / p->factor);
    }
    if (p->kind == PP_LM_ROPE_YARN) {
        double low = dim * log(p->original_positions / p->beta_fast / 2 / pi) / 2 / log(p->theta);
        double high = dim * log(p->original_positions / p->beta_slow / 2 / pi) / 2 / log(p->theta);
        low = fmax(p->truncate ? floor(low) : low, 0);
        high = fmin(p->truncate ? ceil(high) : high, dim - 1);
        const double stretched = ramp(low, high, i);
        return stretched * f / p->factor + (1 - stretched) * f;
    }
    return f;
}

static void rotate(const ref *r, double *x, uint32_t heads)
{
    const pp_lm_rope *p = &r->c->rope;
    const uint32_t half = p->rotary_dim / 2;
    for (uint32_t t = 0; t < r->n; t++) {
        for (uint32_t h = 0; h < heads; h++) {
            double *head = x + ((size_t)t * heads + h) * r->c->head_dim;
            for (uint32_t i = 0; i < half; i++) {
                const double angle = t * frequency(r, i), cs = cos(angle) * p->attention_factor,
                             sn = sin(angle) * p->attention_factor;
                double *a = &head[p->interleaved ? 2 * i : i], *b = &head[p->interleaved ? 2 * i + 1 : i + half];
                const double x0 = *a, x1 = *b;
                *a = x0 * cs - x1 * sn;
                *b = x0 * sn + x1 * cs;
            }
        }
    }
}

static pp_status norm_heads(const ref *r, uint32_t layer, pp_lm_kind kind, double *x, uint32_t heads)
{
    double *w = NULL;
    pp_status status = load(r, layer, kind, &w);
    for (size_t i = 0; status == PP_OK && w && i < (size_t)r->n * heads; i++)
        normalise(r->c->norm_eps, false, w, NULL, x + i * r->c->head_dim, r->c->head_dim, x + i * r->c->head_dim);
    free(w);
    return status;
}

/* ---- a layer ---- */

static void attend(const ref *r, uint32_t layer, uint32_t t, uint32_t h, const double *q, const double *k,
                   const double *v, double *score, double *out)
{
    const pp_lm_config *c = r->c;
    const size_t kv = h / (c->heads / c->kv_heads), d = c->head_dim;
    const double *mine = q + ((size_t)t * c->heads + h) * d;
    const uint32_t window = layer >= c->window_first_layer ? c->window : 0;
    double sum = 0;
    memset(out, 0, d * sizeof *out);
    for (uint32_t s = 0; s <= t; s++) {
        double dot = 0;
        for (size_t i = 0; i < d; i++)
            dot += mine[i] * k[((size_t)s * c->kv_heads + kv) * d + i];
        score[s] = window > 0 && t - s >= window ? 0 : exp(dot / sqrt((double)d));
        sum += score[s];
    }
    for (uint32_t s = 0; s <= t; s++)
        for (size_t i = 0; i < d; i++)
            out[i] += score[s] / sum * v[((size_t)s * c->kv_heads + kv) * d + i];
}

static void add_to_stream(const ref *r, const double *y)
{
    for (size_t i = 0; i < (size_t)r->n * r->c->hidden; i++)
        r->x[i] += y[i];
}

static pp_status attention(const ref *r, uint32_t layer)
{
    const pp_lm_config *c = r->c;
    double *in = NULL, *q = NULL, *k = NULL, *v = NULL, *y = NULL;
    const size_t d = c->head_dim;
    double *mix = pp_alloc((size_t)r->n * c->heads * d, sizeof *mix), *score = pp_alloc(r->n, sizeof *score);
    pp_status status;
    PP_GOTO(done, status, mix && score ? PP_OK : PP_ENOMEM);
    PP_GOTO(done, status, norm_all(r, layer, PP_LM_ATTN_NORM, PP_LM_ATTN_NORM_BIAS, &in));
    PP_GOTO(done, status, linear(r, layer, PP_LM_Q, in, &q));
    PP_GOTO(done, status, linear(r, layer, PP_LM_K, in, &k));
    PP_GOTO(done, status, linear(r, layer, PP_LM_V, in, &v));
    PP_GOTO(done, status, norm_heads(r, layer, PP_LM_Q_NORM, q, c->heads));
    PP_GOTO(done, status, norm_heads(r, layer, PP_LM_K_NORM, k, c->kv_heads));
    if (c->position_kind == PP_LM_POSITIONS_ROPE) {
        rotate(r, q, c->heads);
        rotate(r, k, c->kv_heads);
    }
    for (uint32_t t = 0; t < r->n; t++)
        for (uint32_t h = 0; h < c->heads; h++)
            attend(r, layer, t, h, q, k, v, score, mix + ((size_t)t * c->heads + h) * d);
    PP_GOTO(done, status, linear(r, layer, PP_LM_O, mix, &y));
    add_to_stream(r, y);
done:
    free(in);
    free(q);
    free(k);
    free(v);
    free(y);
    free(mix);
    free(score);
    return status;
}

static double activate(pp_lm_act act, double x)
{
    switch (act) {
    case PP_LM_ACT_SILU:
        return x / (1 + exp(-x));
    case PP_LM_ACT_GELU:
        return x / 2 * (1 + erf(x / sqrt(2)));
    case PP_LM_ACT_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    default:
        return fmax(x, 0);
    }
}

static pp_status feed_forward(const ref *r, uint32_t layer)
{
    const pp_lm_config *c = r->c;
    double *in = NULL, *gate = NULL, *up = NULL, *y = NULL;
    pp_status status;
    PP_GOTO(done, status, norm_all(r, layer, PP_LM_FFN_NORM, PP_LM_FFN_NORM_BIAS, &in));
    if (c->gated)
        PP_GOTO(done, status, linear(r, layer, PP_LM_GATE, in, &gate));
    PP_GOTO(done, status, linear(r, layer, PP_LM_UP, in, &up));
    for (size_t i = 0; i < (size_t)r->n * c->ffn; i++)
        up[i] = gate ? activate(c->act, gate[i]) * up[i] : activate(c->act, up[i]);
    PP_GOTO(done, status, linear(r, layer, PP_LM_DOWN, up, &y));
    add_to_stream(r, y);
done:
    free(in);
    free(gate);
    free(up);
    free(y);
    return status;
}

static pp_status embed(const ref *r, const uint32_t *tokens)
{
    double *table = NULL, *position = NULL;
    const size_t d = r->c->hidden;
    pp_status status;
    PP_GOTO(done, status, load(r, 0, PP_LM_EMBED, &table));
    PP_GOTO(done, status, load(r, 0, PP_LM_POSITION, &position));
    for (size_t t = 0; t < r->n; t++)
        for (size_t i = 0; i < d; i++)
            r->x[t * d + i] = table[tokens[t] * d + i] + (position ? position[t * d + i] : 0);
done:
    free(table);
    free(position);
    return status;
}

pp_status pp_lm_ref_logits(const pp_lm_config *config, const pp_lm_source *source, const uint32_t *tokens, uint32_t n,
                           float *logits)
{
    ref r = {config, source, n, pp_alloc((size_t)n * config->hidden, sizeof *r.x)};
    double *in = NULL, *y = NULL;
    pp_status status;
    PP_GOTO(done, status, r.x ? PP_OK : PP_ENOMEM);
    PP_GOTO(done, status, embed(&r, tokens));
    for (uint32_t l = 0; l < config->layers; l++) {
        PP_GOTO(done, status, attention(&r, l));
        PP_GOTO(done, status, feed_forward(&r, l));
    }
    PP_GOTO(done, status, norm_all(&r, 0, PP_LM_FINAL_NORM, PP_LM_FINAL_NORM_BIAS, &in));
    PP_GOTO(done, status, linear(&r, 0, PP_LM_HEAD, in, &y));
    for (size_t i = 0; i < (size_t)n * config->vocab; i++)
        logits[i] = (float)y[i];
done:
    free(r.x);
    free(in);
    free(y);
    return status;
}
