/* Convolution in plain C: 4 pixels by one vector of 8 channels. Also does grouped convolutions, whose
 * groups need not be whole vectors: it writes real channels only. */
#include "workloads/exec_internal.h"

enum { LANES = 8, PIXELS = 4 };

static float clamp(float v, float lo, float hi)
{
    v = v > lo ? v : lo;
    return v < hi ? v : hi;
}

/* `p` neighbouring output pixels of vector `bias`, `weight` point to; `n` of its channels are real.
 * Inlined with p constant, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void tile(const pp_conv_job *job, const float *in, float *out,
                                                       const float *add, const float *weight, const float *bias,
                                                       uint32_t n, const int p)
{
    float sum[PIXELS][LANES];
    const size_t step = (size_t)job->sw * job->in_pixel;
    for (int i = 0; i < p; i++)
        for (int j = 0; j < LANES; j++)
            sum[i][j] = bias[j];
    for (uint32_t ky = 0; ky < job->kh; ky++)
        for (uint32_t kx = 0; kx < job->kw; kx++) {
            const float *tap = in + (size_t)ky * job->dh * job->in_row + (size_t)kx * job->dw * job->in_pixel;
            for (uint32_t c = 0; c < job->cin; c++, weight += LANES)
                for (int i = 0; i < p; i++)
                    for (int j = 0; j < LANES; j++)
                        sum[i][j] += tap[(size_t)i * step + c] * weight[j];
        }
    for (int i = 0; i < p; i++)
        for (uint32_t j = 0; j < n; j++) {
            float r = add ? sum[i][j] + add[(size_t)i * job->add_pixel + j] : sum[i][j];
            out[(size_t)i * job->out_pixel + j] = clamp(r, job->lo, job->hi);
        }
}

/* Vector `v` of the channels of output row y. */
static void row(const pp_conv_job *job, const float *weight, uint32_t v, uint32_t y)
{
    size_t channel = (size_t)v * LANES;
    uint32_t n = job->cout - v * LANES < LANES ? job->cout - v * LANES : LANES, x = 0;
    const float *in = job->in + (size_t)y * job->sh * job->in_row, *bias = job->bias + channel;
    float *out = job->out + (size_t)y * job->out_row + channel;
    const float *add = job->add ? job->add + (size_t)y * job->add_row + channel : NULL;
    for (; x < job->out_w; x += job->out_w - x < PIXELS ? 1 : PIXELS) {
        const float *from = in + (size_t)x * job->sw * job->in_pixel;
        const float *plus = add ? add + (size_t)x * job->add_pixel : NULL;
        float *to = out + (size_t)x * job->out_pixel;
        if (job->out_w - x < PIXELS)
            tile(job, from, to, plus, weight, bias, n, 1);
        else
            tile(job, from, to, plus, weight, bias, n, PIXELS);
    }
}

void pp_conv_plain_(const pp_conv_job *job)
{
    size_t taps = (size_t)job->kh * job->kw * job->cin;
    for (uint32_t v = 0; v < job->vectors; v++) /* here a block is one vector */
        for (uint32_t y = 0; y < job->out_h; y++)
            row(job, job->weight + v * taps * LANES, v, y);
}
