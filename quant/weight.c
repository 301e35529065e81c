/* Symmetric weight quantization of one output channel.
 * PAPER: gptq2022, quarot2024: clip search in shrink steps of 1 %, error norm 2.4. */
#include "quant/quant_internal.h"

#include <math.h>

enum { CLIP_STEPS = 80 };

static int8_t round_code(float w, float inverse, float top)
{
    float v = rintf(w * inverse);
    return (int8_t)(v > top ? top : v < -top ? -top : v);
}

/* Sum of |error|^norm; gives up (returns more than `limit`) as soon as it exceeds the limit. */
static double clip_error(const float *w, size_t n, float scale, float top, float norm, double limit)
{
    float inverse = 1 / scale;
    double sum = 0;
    for (size_t i = 0; i < n && sum <= limit; i++) {
        float v = rintf(w[i] * inverse);
        v = v > top ? top : v < -top ? -top : v;
        sum += powf(fabsf(w[i] - v * scale), norm);
    }
    return sum;
}

double pp_quantize_row(const float *w, size_t n, uint32_t bits, int method, double norm, int8_t *code)
{
    float top = (float)pp_wmax(bits), most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(w[i]));
    float scale = most / top, best_scale = scale;
    if (!(scale >= 0x1p-100f)) { /* all zero, or too small for its reciprocal */
        for (size_t i = 0; i < n; i++)
            code[i] = 0;
        return 0;
    }
    double best = INFINITY;
    for (int step = 0; method != PP_WQUANT_MAX && step < CLIP_STEPS; step++) {
        float s = scale * (1 - (float)step / 100);
        double error = clip_error(w, n, s, top, (float)norm, best);
        if (error < best) {
            best = error;
            best_scale = s;
        }
    }
    for (size_t i = 0; i < n; i++)
        code[i] = round_code(w[i], 1 / best_scale, top);
    return best_scale;
}
