/* Loops of the analog engine for one vector extension. The including file defines the suffix of the names by NAME(x), the
 * function attribute TARGET, and PRODUCT_TILE (groups of firings by vectors of columns, in registers). The loops behind
 * it are plain C that the compiler turns into vectors. No include guard: a template. Each operation is one correctly
 * rounded IEEE operation in a fixed order, so that all versions give the same bits. */

TARGET static void NAME(add_noise)(float *restrict acc, const float *restrict var, const float *restrict extra,
                                   const float *restrict z, uint32_t padded)
{
    for (uint32_t i = 0; i < PP_AGROUP; i++) {
        float *restrict a = acc + (size_t)i * padded;
        const float *restrict n = z + (size_t)i * padded;
        if (var == NULL) {
            for (uint32_t c = 0; c < padded; c++)
                a[c] = fmaf(sqrtf(extra[c]), n[c], a[c]);
            continue;
        }
        const float *restrict v = var + (size_t)i * padded;
        for (uint32_t c = 0; c < padded; c++)
            a[c] = fmaf(sqrtf(v[c] + extra[c]), n[c], a[c]);
    }
}

/* Codes with scales of their own: a product more. */
TARGET static void NAME(convert_scaled)(const pp_aconvert *k, const float *restrict acc, int32_t *restrict psum)
{
    const float high = k->code_max, low = -high, plane = k->plane, psum_high = k->psum_high, psum_low = k->psum_low;
    for (uint32_t i = 0; i < PP_AGROUP; i++) {
        const float *restrict a = acc + (size_t)i * k->padded, *restrict m = k->m + (size_t)i * k->padded;
        const float *restrict inverse = k->inverse, *restrict offset = k->offset, *restrict gain = k->gain;
        int32_t *restrict p = psum + (size_t)i * k->padded;
        for (uint32_t c = 0; c < k->padded; c++) {
            float v = a[c] * inverse[c] + offset[c];
            v = v > high ? high : v < low ? low : v;
            v = rintf(v) * (gain[c] * plane) * m[c];
            v = v > psum_high ? psum_high : v < psum_low ? psum_low : v;
            p[c] += (int32_t)rintf(v);
        }
    }
}

TARGET static void NAME(convert)(const pp_aconvert *k, const float *restrict acc, int32_t *restrict psum,
                                 float *restrict sum_f)
{
    const float high = k->code_max, low = -high, plane = k->plane, psum_high = k->psum_high, psum_low = k->psum_low;
    if (k->m != NULL && high > 0) {
        NAME(convert_scaled)(k, acc, psum);
        return;
    }
    for (uint32_t i = 0; i < PP_AGROUP; i++) {
        const float *restrict a = acc + (size_t)i * k->padded;
        const float *restrict inverse = k->inverse, *restrict offset = k->offset, *restrict gain = k->gain;
        if (high == 0) {
            float *restrict s = sum_f + (size_t)i * k->padded;
            for (uint32_t c = 0; c < k->padded; c++)
                s[c] += a[c] * (gain[c] * plane);
            continue;
        }
        int32_t *restrict p = psum + (size_t)i * k->padded;
        for (uint32_t c = 0; c < k->padded; c++) {
            float v = a[c] * inverse[c] + offset[c];
            v = v > high ? high : v < low ? low : v;
            v = rintf(v) * (gain[c] * plane);
            v = v > psum_high ? psum_high : v < psum_low ? psum_low : v;
            p[c] += (int32_t)rintf(v);
        }
    }
}

TARGET static void NAME(product)(float *out, const float *x, const float *w, uint32_t rows, uint32_t vectors)
{
    PRODUCT(out, x, w, rows, vectors);
}

const pp_akernel NAME(pp_akernel_) = {.product = NAME(product), .add_noise = NAME(add_noise), .convert = NAME(convert)};
