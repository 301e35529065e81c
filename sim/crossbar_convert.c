/* The converter: accumulator -> ADC code -> partial sum, in single precision. Every operation is one
 * correctly rounded IEEE operation, so that plain and vector code agree to the bit. */
#include "quant/scale_stage.h"
#include "sim/crossbar_internal.h"
#include "workloads/cpu.h"

/* Half to even, for |v| < 2^22: adding 1.5 x 2^23 leaves no fraction. */
static inline float round_even(float v)
{
    const float magic = 12582912.0f;
    volatile float shifted = v + magic;
    return shifted - magic;
}

static inline float clamp(float v, float low, float high)
{
    return v > high ? high : v < low ? low : v;
}

/* ADC code = round(acc / step) within the code range; psum = round(code x gain x m) within psum_bits. */
static inline int32_t convert(const pp_crossbar *x, const pp_xrow *row, uint32_t c, int32_t acc, float m)
{
    float code = round_even(clamp((float)acc * row->inverse[c], -x->code_max, x->code_max));
    return (int32_t)round_even(clamp(code * row->gain[c] * m, -x->psum_max - 1, x->psum_max));
}

int32_t pp_xconvert_one(const pp_crossbar *x, uint32_t stage, const pp_xrow *row, bool ideal, uint32_t c, int32_t acc, uint32_t m)
{
    return ideal ? (int32_t)pp_qstage_psum_scaled(x->q, stage, acc, m) : convert(x, row, c, acc, (float)m);
}

static void convert_plain(const pp_crossbar *x, const pp_xrow *row, uint32_t cout, const int32_t *acc, int32_t *sum,
                          size_t pixels)
{
    for (size_t p = 0; p < pixels; p++) {
        for (uint32_t c = 0; c < cout; c++)
            sum[p * cout + c] += convert(x, row, c, acc[p * cout + c], 1);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static inline __m256 clamp8(__m256 v, __m256 low, __m256 high)
{
    return _mm256_max_ps(_mm256_min_ps(v, high), low);
}

__attribute__((target("avx2"))) static void convert_avx2(const pp_crossbar *x, const pp_xrow *row, uint32_t cout,
                                                         const int32_t *acc, int32_t *sum, size_t pixels)
{
    const __m256 code_high = _mm256_set1_ps(x->code_max), code_low = _mm256_set1_ps(-x->code_max);
    const __m256 psum_high = _mm256_set1_ps(x->psum_max), psum_low = _mm256_set1_ps(-x->psum_max - 1);
    enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    for (size_t p = 0; p < pixels; p++) {
        const int32_t *a = acc + p * cout;
        int32_t *s = sum + p * cout;
        uint32_t c = 0;
        for (; c + 8 <= cout; c += 8) {
            __m256 v = _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(const void *)(a + c)));
            v = clamp8(_mm256_mul_ps(v, _mm256_loadu_ps(row->inverse + c)), code_low, code_high);
            v = _mm256_mul_ps(_mm256_round_ps(v, NEAREST), _mm256_loadu_ps(row->gain + c));
            v = clamp8(v, psum_low, psum_high);
            __m256i before = _mm256_loadu_si256((const __m256i *)(const void *)(s + c));
            _mm256_storeu_si256((__m256i *)(void *)(s + c), _mm256_add_epi32(before, _mm256_cvtps_epi32(v)));
        }
        for (; c < cout; c++)
            s[c] += convert(x, row, c, a[c], 1);
    }
}
#endif

static void add_ideal(const pp_crossbar *x, uint32_t stage, int32_t *acc, const uint8_t *m, int32_t *sum, size_t pixels)
{
    const size_t n = pixels * x->q->stage[stage].cout;
    if (m != NULL)
        pp_qstage_psum_scaled_map(x->q, stage, acc, m, pixels);
    else
        pp_qstage_psum_map(x->q, stage, acc, n);
    for (size_t i = 0; i < n; i++)
        sum[i] += acc[i];
}

static void convert_scaled(const pp_crossbar *x, uint32_t stage, const pp_xrow *row, const int32_t *acc, const uint8_t *m,
                           int32_t *sum, size_t pixels)
{
    const pp_op *op = &x->q->net->ops[x->q->stages->stage[stage].matrix];
    const uint32_t cout = x->q->stage[stage].cout, groups = op->kind == PP_OP_CONV ? op->groups : 1, each = cout / groups;
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t g = 0; g < groups; g++)
            for (uint32_t c = g * each; c < (g + 1) * each; c++)
                sum[p * cout + c] += convert(x, row, c, acc[p * cout + c], (float)m[p * groups + g]);
}

void pp_xconvert(const pp_crossbar *x, uint32_t stage, const pp_xrow *row, bool ideal, int32_t *acc, const uint8_t *m,
                 int32_t *sum, size_t pixels)
{
    uint32_t cout = x->q->stage[stage].cout;
    if (ideal) {
        add_ideal(x, stage, acc, m, sum, pixels);
        return;
    }
    if (m != NULL) {
        convert_scaled(x, stage, row, acc, m, sum, pixels);
        return;
    }
#if defined(__x86_64__)
    if (pp_cpu_level() >= PP_CPU_AVX2) {
        convert_avx2(x, row, cout, acc, sum, pixels);
        return;
    }
#endif
    convert_plain(x, row, cout, acc, sum, pixels);
}
