/* Rotary positions and their scaled variants. */
#include "workloads/lm_internal.h"

#include <math.h>
#include <stdlib.h>

#define TWO_PI 6.28318530717958647692

/* PAPER: su2021 sec. 3.2.2: theta_i = base^(-2 i / dim). */
static double frequency(double base, uint32_t i, uint32_t dim)
{
    return 1.0 / pow(base, 2.0 * i / dim);
}

/* Wave lengths beyond original / low_freq_factor are stretched by the factor, those below original /
 * high_freq_factor kept, and a straight line between in original / wave length. */
static double llama3_frequency(const pp_lm_rope *r, double f)
{
    const double turns = r->original_positions * f / TWO_PI; /* original / wave length */
    if (turns < r->low_freq_factor)
        return f / r->factor;
    if (turns > r->high_freq_factor)
        return f;
    const double smooth = (turns - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
    return (1 - smooth) * f / r->factor + smooth * f;
}

/* Dimension whose wave turns `turns` times over the original context. PAPER: yarn2023 sec. 3.2. */
static double yarn_dimension(const pp_lm_rope *r, double turns)
{
    return r->rotary_dim * log(r->original_positions / (turns * TWO_PI)) / (2 * log(r->theta));
}

static double yarn_frequency(const pp_lm_rope *r, uint32_t i, double f)
{
    double low = yarn_dimension(r, r->beta_fast), high = yarn_dimension(r, r->beta_slow);
    if (r->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = low < 0 ? 0 : low;
    high = high > r->rotary_dim - 1 ? r->rotary_dim - 1 : high;
    if (low == high)
        high += 0.001;
    double ramp = (i - low) / (high - low);
    ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
    return f / r->factor * ramp + f * (1 - ramp);
}

bool pp_lm_rope_by_length_(const pp_lm_config *c, uint32_t n)
{
    return c->position_kind == PP_LM_POSITIONS_ROPE && c->rope.kind == PP_LM_ROPE_DYNAMIC &&
           n > c->rope.original_positions;
}

static double scaled_frequency(const pp_lm_rope *r, uint32_t i, uint32_t n)
{
    double base = r->theta;
    if (r->kind == PP_LM_ROPE_DYNAMIC && n > r->original_positions)
        base *= pow(r->factor * n / r->original_positions - (r->factor - 1),
                    (double)r->rotary_dim / (r->rotary_dim - 2.0));
    const double f = frequency(base, i, r->rotary_dim);
    switch (r->kind) {
    case PP_LM_ROPE_LINEAR:
        return f / r->factor;
    case PP_LM_ROPE_LLAMA3:
        return llama3_frequency(r, f);
    case PP_LM_ROPE_YARN:
        return yarn_frequency(r, i, f);
    default:
        return f;
    }
}

pp_status pp_lm_rope_table_(pp_lm_rope_table *out, const pp_lm_config *c, uint32_t n)
{
    const uint32_t half = c->rope.rotary_dim / 2;
    pp_lm_rope_free_(out);
    out->cos = pp_alloc((size_t)n * half, sizeof *out->cos);
    out->sin = pp_alloc((size_t)n * half, sizeof *out->sin);
    if (!out->cos || !out->sin)
        return PP_ENOMEM;
    out->n = n;
    out->half = half;
    const double scale = c->rope.attention_factor;
    for (uint32_t i = 0; i < half; i++) {
        /* Frequencies and angles are rounded to float, as in the code that models are trained with. */
        const float f = (float)scaled_frequency(&c->rope, i, n);
        for (uint32_t p = 0; p < n; p++) {
            const double angle = (double)((float)p * f);
            out->cos[(size_t)p * half + i] = (float)(scale * cos(angle));
            out->sin[(size_t)p * half + i] = (float)(scale * sin(angle));
        }
    }
    return PP_OK;
}

void pp_lm_rope_free_(pp_lm_rope_table *t)
{
    free(t->cos);
    free(t->sin);
    *t = (pp_lm_rope_table){0};
}

static void rotate_halves(float *x, const float *cosine, const float *sine, uint32_t half)
{
    for (uint32_t i = 0; i < half; i++) {
        const float a = x[i], b = x[i + half];
        x[i] = a * cosine[i] - b * sine[i];
        x[i + half] = b * cosine[i] + a * sine[i];
    }
}

static void rotate_pairs(float *x, const float *cosine, const float *sine, uint32_t half)
{
    for (uint32_t i = 0; i < half; i++) {
        const float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosine[i] - b * sine[i];
        x[2 * i + 1] = b * cosine[i] + a * sine[i];
    }
}

void pp_lm_rope_apply_(const pp_lm_rope_table *t, const pp_lm_config *c, float *x, uint32_t rows, uint32_t heads)
{
    for (uint32_t p = 0; p < rows; p++) {
        const float *cosine = t->cos + (size_t)p * t->half, *sine = t->sin + (size_t)p * t->half;
        for (uint32_t h = 0; h < heads; h++) {
            float *head = x + ((size_t)p * heads + h) * c->head_dim;
            if (c->rope.interleaved)
                rotate_pairs(head, cosine, sine, t->half);
            else
                rotate_halves(head, cosine, sine, t->half);
        }
    }
}
