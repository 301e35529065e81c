/* The loops of the digital end over flat arrays. One source, compiled for each level of processor: the
 * results cannot differ. */
#include "quant/quant_internal.h"
#include "workloads/cpu.h"

#define BODY static inline __attribute__((always_inline))

/* p / 2^shift half to even for |p| < 2^62, 1 <= shift <= 61. Adding 2^62 (an even number of 2^shift) lets
 * a logical shift do, which every vector unit has for 64 bits. */
BODY int64_t round_shift(int64_t p, uint32_t shift)
{
    uint64_t u = (uint64_t)p + (UINT64_C(1) << 62);
    uint64_t odd = u >> shift & 1;
    return (int64_t)((u + (UINT64_C(1) << (shift - 1)) - 1 + odd) >> shift) - (INT64_C(1) << (62 - shift));
}

BODY int32_t clamp32(int32_t v, int32_t lo, int32_t hi)
{
    v = v < lo ? lo : v;
    return v > hi ? hi : v;
}

BODY void act_body(const pp_qflat *f, const int32_t *restrict sum, const uint8_t *restrict residual,
                   int32_t *restrict act, size_t n)
{
    const int32_t *restrict bias = f->bias, *restrict mult = f->add_mult;
    const int32_t *restrict lo = f->floor, *restrict hi = f->ceiling;
    const uint32_t shift = f->add_shift;
    const int32_t zero = f->residual_zero;
    for (size_t base = 0; base < n; base += f->period) {
        size_t m = n - base < f->period ? n - base : f->period;
        if (residual)
            for (size_t j = 0; j < m; j++) {
                int64_t product = (int64_t)(residual[base + j] - zero) * mult[j];
                act[base + j] = clamp32(sum[base + j] + bias[j] + (int32_t)round_shift(product, shift), lo[j], hi[j]);
            }
        else
            for (size_t j = 0; j < m; j++)
                act[base + j] = clamp32(sum[base + j] + bias[j], lo[j], hi[j]);
    }
}

BODY void requant_body(const pp_qflat *f, const int32_t *restrict act, uint8_t *restrict out, size_t n)
{
    const int32_t *restrict mult = f->out_mult;
    const uint32_t shift = f->out_shift;
    const int32_t lo = f->out_min, hi = f->out_max, zero = f->out_zero;
    for (size_t base = 0; base < n; base += f->period) {
        size_t m = n - base < f->period ? n - base : f->period;
        for (size_t j = 0; j < m; j++) {
            int32_t v = (int32_t)round_shift((int64_t)act[base + j] * mult[j], shift);
            out[base + j] = (uint8_t)(clamp32(v, lo, hi) + zero);
        }
    }
}

BODY void psum_body(int32_t *restrict acc, size_t n, uint32_t shift, int32_t top)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << shift) - 1), half = shift ? (int32_t)1 << (shift - 1) : INT32_MAX;
    const int by = (int)shift; /* the type that the vectoriser knows a shift by */
    for (size_t i = 0; i < n; i++) {
        int32_t low = acc[i] >> by, rest = acc[i] & mask;
        int32_t up = rest > half ? 1 : rest == half ? low & 1 : 0;
        acc[i] = clamp32(low + up, -top - 1, top);
    }
}

#define LEVEL(name, attribute)                                                                                   \
    attribute static void act_##name(const pp_qflat *f, const int32_t *sum, const uint8_t *residual, int32_t *act, \
                                     size_t n)                                                                   \
    {                                                                                                            \
        act_body(f, sum, residual, act, n);                                                                      \
    }                                                                                                            \
    attribute static void requant_##name(const pp_qflat *f, const int32_t *act, uint8_t *out, size_t n)           \
    {                                                                                                            \
        requant_body(f, act, out, n);                                                                            \
    }                                                                                                            \
    attribute static void psum_##name(int32_t *acc, size_t n, uint32_t shift, int32_t top)                        \
    {                                                                                                            \
        psum_body(acc, n, shift, top);                                                                           \
    }                                                                                                            \
    static const pp_qfinish_ops ops_##name = {act_##name, requant_##name, psum_##name};

LEVEL(plain, )
#if defined(__x86_64__)
LEVEL(avx2, __attribute__((target("avx2"))))
LEVEL(avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl" PP_CPU_WIDE))))
#endif

const pp_qfinish_ops *pp_qfinish_ops_get(void)
{
#if defined(__x86_64__)
    pp_cpu level = pp_cpu_level();
    return level >= PP_CPU_AVX512 ? &ops_avx512 : level >= PP_CPU_AVX2 ? &ops_avx2 : &ops_plain;
#else
    return &ops_plain;
#endif
}
