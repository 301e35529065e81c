/* Softmax and activations, compiled once for each vector unit: TARGET and TABLE are set by the file that
 * includes this. Sums run in 16 lanes that are added in a fixed order and nothing is fused, so each unit
 * gives the same bits. */
#include "workloads/lm_internal.h"

#include <math.h>
#include <string.h>

#define LANES 16u

/* exp by 2^n times a polynomial of degree 6 in the rest, |rest| <= ln 2 / 2; relative error below 2e-7.
 * Below -87 the result is 0. Coefficients: Taylor series of exp. */
static inline TARGET float exp_fast(float x)
{
    const float n_real = x * 1.44269504f;
    const float shifted = n_real + 12582912.0f; /* 1.5 2^23: rounds to a whole number */
    const float n = shifted - 12582912.0f;
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    const uint32_t power = ((uint32_t)bits - 0x4b400000u + 127u) << 23;
    float scale;
    memcpy(&scale, &power, sizeof scale);
    return x < -87.0f ? 0.0f : p * scale;
}

/* Values enter exp clamped to +-87, where a sigmoid is 0 or 1 to float precision. */
static inline TARGET float sigmoid(float x)
{
    const float low = x < -87.0f ? -87.0f : x, both = low > 87.0f ? 87.0f : low;
    return 1.0f / (1.0f + exp_fast(-both));
}

static inline TARGET float act_silu(float x)
{
    return x * sigmoid(x);
}

static inline TARGET float act_gelu(float x)
{
    return (float)(0.5 * (double)x * (1.0 + erf((double)x * 0.70710678118654752440)));
}

/* 0.5 x (1 + tanh u) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
static inline TARGET float act_gelu_tanh(float x)
{
    return x * sigmoid(2 * 0.7978845608028654f * (x + 0.044715f * x * x * x));
}

static inline TARGET float act_relu(float x)
{
    return x > 0 ? x : 0;
}

#define ACTIVATE(function)                                                                                             \
    if (gate)                                                                                                          \
        for (size_t i = 0; i < n; i++)                                                                                 \
            up[i] = function(gate[i]) * up[i];                                                                         \
    else                                                                                                               \
        for (size_t i = 0; i < n; i++)                                                                                 \
            up[i] = function(up[i]);

static TARGET void activate(pp_lm_act act, const float *restrict gate, float *restrict up, size_t n)
{
    switch (act) {
    case PP_LM_ACT_SILU:
        ACTIVATE(act_silu)
        return;
    case PP_LM_ACT_GELU:
        ACTIVATE(act_gelu)
        return;
    case PP_LM_ACT_GELU_TANH:
        ACTIVATE(act_gelu_tanh)
        return;
    case PP_LM_ACT_RELU:
        ACTIVATE(act_relu)
        return;
    case PP_LM_ACT_COUNT:
        return;
    }
}

static TARGET float maximum(const float *x, size_t n)
{
    float lane[LANES];
    for (uint32_t k = 0; k < LANES; k++)
        lane[k] = -INFINITY;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t k = 0; k < LANES; k++)
            lane[k] = x[i + k] > lane[k] ? x[i + k] : lane[k];
    for (; i < n; i++)
        lane[0] = x[i] > lane[0] ? x[i] : lane[0];
    for (uint32_t k = 1; k < LANES; k++)
        lane[0] = lane[k] > lane[0] ? lane[k] : lane[0];
    return lane[0];
}

/* x <- exp(scale (x - max)), and the sum. */
static TARGET float exponentials(float *x, size_t n, float max, float scale)
{
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (uint32_t k = 0; k < LANES; k++) {
            x[i + k] = exp_fast(scale * (x[i + k] - max));
            lane[k] += x[i + k];
        }
    }
    for (; i < n; i++) {
        x[i] = exp_fast(scale * (x[i] - max));
        lane[0] += x[i];
    }
    float total = 0;
    for (uint32_t k = 0; k < LANES; k++)
        total += lane[k];
    return total;
}

static TARGET void softmax(float *x, uint32_t n, float scale)
{
    const float inverse = 1.0f / exponentials(x, n, maximum(x, n), scale);
    for (uint32_t i = 0; i < n; i++)
        x[i] *= inverse;
}

const pp_lm_simd TABLE = {softmax, activate};
