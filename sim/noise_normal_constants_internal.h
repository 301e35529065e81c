/* Constants of the normal generator, shared by its plain and its vector versions.
 *
 * PAPER: salmon2011 sec. 3.3: multipliers and Weyl increments; 7 rounds, the fewest that pass all tests (table 2).
 * Polynomials: Chebyshev interpolation of ln(1 + t) / t on [sqrt(1/2) - 1, sqrt(2) - 1] (relative error 2.6e-7), of
 * sin(2 pi f) / f and cos(2 pi f) in f^2 for |f| <= 1/8 (2.2e-7, 5.4e-8): at the rounding of float. */
#ifndef PP_SIM_NOISE_NORMAL_CONSTANTS_INTERNAL_H
#define PP_SIM_NOISE_NORMAL_CONSTANTS_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#define PP_NORMAL_LANES 16 /* Philox blocks that are made together */
#define PP_PHILOX_ROUNDS 7
#define PP_PHILOX_M0 UINT32_C(0xD2511F53)
#define PP_PHILOX_M1 UINT32_C(0xCD9E8D57)
#define PP_PHILOX_W0 UINT32_C(0x9E3779B9)
#define PP_PHILOX_W1 UINT32_C(0xBB67AE85)
#define PP_LN2 0.69314718056f
#define PP_LN_0 0.9999999403953552f
#define PP_LN_1 (-0.5000037550926208f)
#define PP_LN_2 0.33334606885910034f
#define PP_LN_3 (-0.24968907237052917f)
#define PP_LN_4 0.1991334855556488f
#define PP_LN_5 (-0.1727820634841919f)
#define PP_LN_6 0.16126248240470886f
#define PP_LN_7 (-0.09895350784063339f)
#define PP_TURN 2.3283064365386963e-10f /* 2^-32 */
#define PP_SIN_0 6.2831854820251465f
#define PP_SIN_1 (-41.3416633605957f)
#define PP_SIN_2 81.59254455566406f
#define PP_SIN_3 (-75.401611328125f)
#define PP_COS_0 1.0f
#define PP_COS_1 (-19.739152908325195f)
#define PP_COS_2 64.92123413085938f
#define PP_COS_3 (-83.5918197631836f)

typedef void (*pp_normals_fn)(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4]);
void pp_normals_plain_(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4]);
void pp_normals_avx2_(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4]);
void pp_normals_avx512_(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4]);

#endif
