/* Integer arithmetic of the datapath: shifts and multipliers that round half to even. */
#include "quant/quant_internal.h"

#include <assert.h>
#include <math.h>

int64_t pp_rshift_even(int64_t v, uint32_t shift)
{
    assert(shift < 63);
    if (shift == 0)
        return v;
    /* Floor and remainder; the remainder is never negative, so the tie test holds for both signs. */
    int64_t low = v >> shift, rest = v - low * (INT64_C(1) << shift), half = INT64_C(1) << (shift - 1);
    return low + (rest > half || (rest == half && (low & 1)));
}

/* floor(v x mult / 2^shift) and the rounding, without a 128-bit type: |v| is split into 32-bit halves. */
static uint64_t scaled_magnitude(uint64_t v, uint64_t mult, uint32_t shift)
{
    uint64_t a = (v & UINT32_MAX) * (mult & UINT32_MAX), b = (v >> 32) * (mult & UINT32_MAX);
    uint64_t c = (v & UINT32_MAX) * (mult >> 32), d = (v >> 32) * (mult >> 32);
    uint64_t middle = (a >> 32) + (b & UINT32_MAX) + (c & UINT32_MAX);
    uint64_t low = (middle << 32) | (a & UINT32_MAX), high = d + (b >> 32) + (c >> 32) + (middle >> 32);
    if (shift == 0)
        return low;
    uint64_t quotient = high << (64 - shift) | low >> shift;
    uint64_t rest = low & ((UINT64_C(1) << shift) - 1), half = UINT64_C(1) << (shift - 1);
    return quotient + (rest > half || (rest == half && (quotient & 1)));
}

/* Half to even is symmetric about zero, so magnitude and sign part. */
int64_t pp_rescale(int64_t v, int64_t mult, uint32_t shift)
{
    assert(shift < 63 && mult >= 0);
    uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    int64_t scaled = (int64_t)scaled_magnitude(magnitude, (uint64_t)mult, shift);
    return v < 0 ? -scaled : scaled;
}

int64_t pp_saturate(int64_t v, uint32_t bits)
{
    assert(bits >= 1 && bits <= 63);
    int64_t top = (INT64_C(1) << (bits - 1)) - 1;
    return v > top ? top : v < -top - 1 ? -top - 1 : v;
}

pp_status pp_multipliers(const double *ratio, size_t n, int64_t *mult, uint32_t *shift)
{
    double top = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(ratio[i]) || ratio[i] < 0)
            return pp_fail(PP_ERANGE, "scale ratio %g is not a finite number >= 0", ratio[i]);
        top = fmax(top, ratio[i]);
    }
    int exponent = 0;
    if (top > 0)
        frexp(top, &exponent); /* top = f 2^exponent, f in [0.5, 1) */
    int s = PP_MULT_BITS - exponent;
    if (top > 0 && nearbyint(ldexp(top, s)) >= ldexp(1, PP_MULT_BITS))
        s--; /* rounding reached 2^30 */
    if (s < 0)
        return pp_fail(PP_ERANGE, "scale ratio %g is too large for a multiplier (limit 2^%d)", top, PP_MULT_BITS);
    if (s > PP_SHIFT_MAX)
        s = PP_SHIFT_MAX;
    for (size_t i = 0; i < n; i++)
        mult[i] = (int64_t)nearbyint(ldexp(ratio[i], s));
    *shift = (uint32_t)s;
    return PP_OK;
}
