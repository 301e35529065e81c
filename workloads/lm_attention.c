/* Attention of one window, a block of queries at a time, so that the scores stay in the cache. */
#include "workloads/lm_internal.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

/* Queries [begin, begin + rows) of one head against keys [0, begin + rows); `low`: first key that any
 * of them sees. */
static void attend(const pp_lm_config *c, const pp_lm_simd *simd, uint32_t window, uint32_t begin, uint32_t rows,
                   const float *q, const float *k, const float *v, float *scores, float *mix)
{
    const blasint ldq = (blasint)(c->heads * c->head_dim), ldk = (blasint)(c->kv_heads * c->head_dim);
    const blasint d = (blasint)c->head_dim;
    const uint32_t low = window > 0 && begin + 1 > window ? begin + 1 - window : 0;
    const uint32_t keys = begin + rows - low;
    const float scale = (float)(1.0 / sqrt((double)c->head_dim));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)keys, d, 1.0f, q, ldq,
                k + (size_t)low * (size_t)ldk, ldk, 0.0f, scores, (blasint)keys);
    for (uint32_t r = 0; r < rows; r++) {
        float *line = scores + (size_t)r * keys;
        const uint32_t end = begin + r + 1 - low; /* keys 0 .. itself */
        const uint32_t first = window > 0 && begin + r + 1 > window + low ? begin + r + 1 - window - low : 0;
        memset(line, 0, first * sizeof *line);
        simd->softmax(line + first, end - first, scale);
        memset(line + end, 0, (keys - end) * sizeof *line);
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)rows, d, (blasint)keys, 1.0f, scores,
                (blasint)keys, v + (size_t)low * (size_t)ldk, ldk, 0.0f, mix, ldq);
}

void pp_lm_attention_of_(const pp_lm_config *c, const pp_lm_simd *simd, uint32_t window, uint32_t begin, uint32_t rows,
                         const float *q, const float *k, const float *v, float *scores, float *mix)
{
    const size_t group = c->heads / c->kv_heads;
    for (uint32_t h = 0; h < c->heads; h++) {
        const size_t kv = h / group * c->head_dim, at = (size_t)h * c->head_dim;
        attend(c, simd, window, begin, rows, q + at, k + kv, v + kv, scores, mix + at);
    }
}

void pp_lm_attention_(const pp_lm_config *c, const pp_lm_simd *simd, uint32_t window, uint32_t n, const float *q,
                      const float *k, const float *v, float *scores, float *mix)
{
    const size_t width = (size_t)c->heads * c->head_dim, group = c->heads / c->kv_heads;
    for (uint32_t h = 0; h < c->heads; h++) {
        const size_t kv = h / group * c->head_dim;
        for (uint32_t begin = 0; begin < n; begin += PP_LM_ATTENTION_BLOCK) {
            const uint32_t rows = n - begin < PP_LM_ATTENTION_BLOCK ? n - begin : PP_LM_ATTENTION_BLOCK;
            const size_t at = begin * width + (size_t)h * c->head_dim;
            attend(c, simd, window, begin, rows, q + at, k + kv, v + kv, scores, mix + at);
        }
    }
}
