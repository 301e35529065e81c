/* Standard normal numbers by counter: the plain version, which says what the vector versions compute. */
#include "sim/noise_normal_constants_internal.h"
#include "sim/noise.h"
#include "workloads/cpu.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static void philox7(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < PP_PHILOX_ROUNDS; round++) {
        const uint64_t p0 = (uint64_t)PP_PHILOX_M0 * c[0], p1 = (uint64_t)PP_PHILOX_M1 * c[2];
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)p0;
        k0 += PP_PHILOX_W0;
        k1 += PP_PHILOX_W1;
    }
}

/* -2 ln u for u = (w / 2^8 + 1) 2^-24, in (0, 1]. */
static float minus_two_ln(uint32_t w)
{
    const float u = (float)(int32_t)((w >> 8) + 1); /* times 2^24 */
    uint32_t bits;
    memcpy(&bits, &u, sizeof bits);
    /* u = 2^e (1 + t) with 1 + t in [sqrt(1/2), sqrt(2)) */
    const int32_t e = (int32_t)(bits - UINT32_C(0x3F3504F3)) >> 23;
    bits -= (uint32_t)e << 23;
    float m;
    memcpy(&m, &bits, sizeof m);
    const float t = m - 1.0f;
    static const float c[] = {PP_LN_6, PP_LN_5, PP_LN_4, PP_LN_3, PP_LN_2, PP_LN_1, PP_LN_0};
    float p = PP_LN_7;
    for (int i = 0; i < 7; i++)
        p = fmaf(p, t, c[i]);
    const float ln = fmaf((float)(e - 24), PP_LN2, p * t);
    return -2.0f * ln > 0.0f ? -2.0f * ln : 0.0f; /* rounding may lift ln 1 above zero */
}

/* r cos and r sin of a turn of w / 2^32. */
static void turn(uint32_t w, float r, float *a, float *b)
{
    const uint32_t quarter = (w + UINT32_C(0x20000000)) >> 30; /* nearest quarter turn, mod 4 */
    const float f = (float)(int32_t)(w - (quarter << 30)) * PP_TURN;
    const float q = f * f;
    float s = fmaf(fmaf(fmaf(PP_SIN_3, q, PP_SIN_2), q, PP_SIN_1), q, PP_SIN_0) * f;
    float c = fmaf(fmaf(fmaf(PP_COS_3, q, PP_COS_2), q, PP_COS_1), q, PP_COS_0);
    const float x = (quarter & 1) != 0 ? s : c, y = (quarter & 1) != 0 ? c : s;
    *a = (((quarter + 1) & 2) != 0 ? -x : x) * r;
    *b = ((quarter & 2) != 0 ? -y : y) * r;
}

void pp_normals_plain_(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4])
{
    for (size_t at = 0; at < n; at += 4 * PP_NORMAL_LANES) {
        for (uint32_t i = 0; i < PP_NORMAL_LANES; i++) {
            uint32_t w[4] = {counter[0] + (uint32_t)(at / 4) + i, counter[1], counter[2], counter[3]};
            float *z = out + at + i;
            philox7(w, key[0], key[1]);
            turn(w[1], sqrtf(minus_two_ln(w[0])), &z[0], &z[PP_NORMAL_LANES]);
            turn(w[3], sqrtf(minus_two_ln(w[2])), &z[2 * PP_NORMAL_LANES], &z[3 * PP_NORMAL_LANES]);
        }
    }
}

float pp_normal_at(uint64_t index, const uint32_t key[2], const uint32_t counter[4])
{
    float z[4 * PP_NORMAL_LANES];
    const uint64_t call = index / (4 * PP_NORMAL_LANES);
    const uint32_t c[4] = {counter[0] + (uint32_t)(call * PP_NORMAL_LANES), counter[1], counter[2], counter[3]};
    pp_normals_plain_(z, 4 * PP_NORMAL_LANES, key, c);
    return z[index % (4 * PP_NORMAL_LANES)];
}

static pp_normals_fn choose(void)
{
    switch (pp_cpu_level()) {
    case PP_CPU_AVX512:
        return pp_normals_avx512_;
    case PP_CPU_AVX2:
        return pp_normals_avx2_;
    default:
        return pp_normals_plain_;
    }
}

void pp_normals(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4])
{
    choose()(out, n, key, counter);
}

pp_normal_source pp_normals_choose(void)
{
    return choose();
}
