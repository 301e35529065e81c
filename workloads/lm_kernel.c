/* Arithmetic of transformers on rows of floats: products and norms. Softmax and activations, which take
 * more time, are in lm_simd_*.c. */
#include "workloads/lm_internal.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#define LANES 16u

void pp_lm_product_(const float *w, const float *x, uint32_t rows, uint32_t in, uint32_t out, float *y, size_t ldy)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)out, (blasint)in, 1.0f, x,
                (blasint)in, w, (blasint)in, 0.0f, y, (blasint)ldy);
}

static inline double add_lanes(const double *lane)
{
    double sum = 0;
    for (uint32_t i = 0; i < LANES; i++)
        sum += lane[i];
    return sum;
}

static double sum_squares(const float *x, uint32_t n, float mean)
{
    double lane[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (uint32_t k = 0; k < LANES; k++) {
            const double d = (double)(x[i + k] - mean);
            lane[k] += d * d;
        }
    }
    for (; i < n; i++) {
        const double d = (double)(x[i] - mean);
        lane[i % LANES] += d * d;
    }
    return add_lanes(lane);
}

static double sum(const float *x, uint32_t n)
{
    double lane[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t k = 0; k < LANES; k++)
            lane[k] += (double)x[i + k];
    for (; i < n; i++)
        lane[i % LANES] += (double)x[i];
    return add_lanes(lane);
}

void pp_lm_rms_norm_(double eps, const float *weight, const float *x, size_t rows, uint32_t width, float *out)
{
    for (size_t r = 0; r < rows; r++) {
        const float *from = x + r * width;
        float *to = out + r * width;
        const float scale = (float)(1.0 / sqrt(sum_squares(from, width, 0) / width + eps));
        for (uint32_t i = 0; i < width; i++)
            to[i] = from[i] * scale * weight[i];
    }
}

static void layer_norm(double eps, const float *weight, const float *bias, const float *x, uint32_t rows,
                       uint32_t width, float *out)
{
    for (size_t r = 0; r < rows; r++) {
        const float *from = x + r * width;
        float *to = out + r * width;
        const float mean = (float)(sum(from, width) / width);
        const float scale = (float)(1.0 / sqrt(sum_squares(from, width, mean) / width + eps));
        for (uint32_t i = 0; i < width; i++)
            to[i] = (from[i] - mean) * scale * weight[i] + bias[i];
    }
}

void pp_lm_norm_(const pp_lm_config *config, const float *weight, const float *bias, const float *x, uint32_t rows,
                 uint32_t width, float *out)
{
    if (config->norm == PP_LM_NORM_RMS)
        pp_lm_rms_norm_(config->norm_eps, weight, x, rows, width, out);
    else
        layer_norm(config->norm_eps, weight, bias, x, rows, width, out);
}

void pp_lm_add_bias_(const float *bias, float *x, uint32_t rows, uint32_t width)
{
    for (size_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < width; i++)
            x[r * width + i] += bias[i];
}

static float maximum(const float *x, size_t n)
{
    float top = -INFINITY;
    for (size_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

void pp_lm_log_sum_(const float *x, size_t n, float *max, double *total)
{
    const float top = maximum(x, n);
    const float both = top > *max ? top : *max;
    double here = 0;
    for (size_t i = 0; i < n; i++)
        here += exp((double)(x[i] - both));
    *total = *total * exp((double)(*max - both)) + here;
    *max = both;
}

const pp_lm_simd *pp_lm_simd_(pp_cpu level)
{
    return level == PP_CPU_PLAIN ? &pp_lm_simd_plain_ : level == PP_CPU_AVX2 ? &pp_lm_simd_avx2_ : &pp_lm_simd_avx512_;
}
