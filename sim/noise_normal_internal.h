/* Standard normal numbers, 64 at a time, for one vector extension. The including file defines the name NORMALS,
 * the function attribute TARGET, the types VF and VU (WIDTH floats, WIDTH 32-bit words) and the operations used
 * below. No include guard: a template. Each floating-point operation is one correctly rounded IEEE operation, so that
 * all versions give the same bits as the plain one (noise_normal.c), which is the reading to begin with. */

#define K(c) F_SET(c)
#define STEP(p, t, c) p = F_FMA(p, t, K(c))

TARGET static inline __attribute__((always_inline)) void philox7(VU w[4], uint32_t k0, uint32_t k1)
{
    const VU m0 = U_SET(PP_PHILOX_M0), m1 = U_SET(PP_PHILOX_M1);
    for (int round = 0; round < PP_PHILOX_ROUNDS; round++) {
        VU hi0, lo0, hi1, lo1;
        U_MUL(w[0], m0, &hi0, &lo0);
        U_MUL(w[2], m1, &hi1, &lo1);
        w[0] = U_XOR(U_XOR(hi1, w[1]), U_SET(k0));
        w[1] = lo1;
        w[2] = U_XOR(U_XOR(hi0, w[3]), U_SET(k1));
        w[3] = lo0;
        k0 += PP_PHILOX_W0;
        k1 += PP_PHILOX_W1;
    }
}

TARGET static inline __attribute__((always_inline)) VF minus_two_ln(VU w)
{
    const VF u = F_FROM(U_ADD(U_SHR(w, 8), U_SET(1)));
    const VU bits = F_BITS(u);
    const VU e = U_SAR(U_SUB(bits, U_SET(UINT32_C(0x3F3504F3))), 23);
    const VF t = F_SUB(U_FLOAT(U_SUB(bits, U_SHL(e, 23))), K(1.0f));
    VF p = K(PP_LN_7);
    STEP(p, t, PP_LN_6);
    STEP(p, t, PP_LN_5);
    STEP(p, t, PP_LN_4);
    STEP(p, t, PP_LN_3);
    STEP(p, t, PP_LN_2);
    STEP(p, t, PP_LN_1);
    STEP(p, t, PP_LN_0);
    const VF ln = F_FMA(F_FROM(U_SUB(e, U_SET(24))), K(PP_LN2), F_MUL(p, t));
    return F_MAX(F_MUL(K(-2.0f), ln), K(0.0f));
}

TARGET static inline __attribute__((always_inline)) void turn(VU w, VF r, VF *a, VF *b)
{
    const VU quarter = U_SHR(U_ADD(w, U_SET(UINT32_C(0x20000000))), 30);
    const VF f = F_MUL(F_FROM(U_SUB(w, U_SHL(quarter, 30))), K(PP_TURN));
    const VF q = F_MUL(f, f);
    VF s = K(PP_SIN_3);
    STEP(s, q, PP_SIN_2);
    STEP(s, q, PP_SIN_1);
    STEP(s, q, PP_SIN_0);
    s = F_MUL(s, f);
    VF c = K(PP_COS_3);
    STEP(c, q, PP_COS_2);
    STEP(c, q, PP_COS_1);
    STEP(c, q, PP_COS_0);
    VF x, y;
    F_SWAP(quarter, c, s, &x, &y);
    /* Signs by the quarter: bit 1 of quarter + 1, bit 1 of quarter. */
    const VU sign_x = U_SHL(U_SHR(U_ADD(quarter, U_SET(1)), 1), 31), sign_y = U_SHL(U_SHR(quarter, 1), 31);
    *a = F_MUL(U_FLOAT(U_XOR(F_BITS(x), sign_x)), r);
    *b = F_MUL(U_FLOAT(U_XOR(F_BITS(y), sign_y)), r);
}

TARGET void NORMALS(float *out, size_t n, const uint32_t key[2], const uint32_t counter[4])
{
    for (size_t at = 0; at < n; at += 4 * PP_NORMAL_LANES) {
        for (int half = 0; half < PP_NORMAL_LANES; half += WIDTH) {
            VU w[4] = {U_ADD(U_SET(counter[0] + (uint32_t)(at / 4) + (uint32_t)half), U_IOTA()), U_SET(counter[1]),
                       U_SET(counter[2]), U_SET(counter[3])};
            philox7(w, key[0], key[1]);
            VF a, b;
            float *z = out + at + half;
            turn(w[1], F_SQRT(minus_two_ln(w[0])), &a, &b);
            F_STORE(z, a);
            F_STORE(z + PP_NORMAL_LANES, b);
            turn(w[3], F_SQRT(minus_two_ln(w[2])), &a, &b);
            F_STORE(z + 2 * PP_NORMAL_LANES, a);
            F_STORE(z + 3 * PP_NORMAL_LANES, b);
        }
    }
}
