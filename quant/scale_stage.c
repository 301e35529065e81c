/* Codes made anew in front of the DACs: the definition, and the loops of the fast path. */
#include "quant/scale_stage.h"
#include "quant/rotate_internal.h"

#include <math.h>
#include <stdlib.h>

bool pp_qrescales(const pp_qnetwork *q, uint32_t stage)
{
    return q->rescales && q->stages->stage[stage].matrix != PP_NONE;
}

pp_qformat pp_qstage_dac(const pp_qnetwork *q, uint32_t stage)
{
    const pp_qformat *in = pp_qstage_input(q, stage);
    pp_qformat f = *in;
    if (!pp_qrescales(q, stage))
        return f;
    pp_format_set(&f, (uint32_t)q->options.abits, in->is_signed);
    f.scale = in->scale / f.qmax;
    return f;
}

int32_t pp_qrescale_code(const pp_qformat *dac, int32_t x, uint32_t m)
{
    const int32_t twice = 2 * dac->qmax * (x < 0 ? -x : x), d = (int32_t)m;
    int32_t code = (twice + d) / (2 * d);
    if ((twice + d) % (2 * d) == 0 && code % 2 != 0)
        code--; /* exactly between two: the even one */
    code = code > dac->qmax ? dac->qmax : code;
    return x < 0 ? -code : code;
}

pp_status pp_qrescale_tables(pp_qnetwork *q)
{
    pp_qowner *owner = q->owner;
    for (int is_signed = 0; is_signed < 2 && q->rescales; is_signed++) {
        pp_qformat dac;
        const int32_t zero = is_signed ? PP_ZERO_BYTE : 0;
        pp_format_set(&dac, (uint32_t)q->options.abits, is_signed);
        uint8_t *to = pp_arena_get(owner->arena, 256 * 256, 1);
        if (!to)
            return PP_ENOMEM;
        for (uint32_t m = 1; m < 256; m++)
            for (int32_t b = 0; b < 256; b++)
                to[m * 256 + (uint32_t)b] = (uint8_t)(pp_qrescale_code(&dac, b - zero, m) + zero);
        owner->rescale[is_signed] = to;
    }
    return PP_OK;
}

const uint8_t *pp_qrescale_table(const pp_qnetwork *q, uint32_t stage, uint32_t m)
{
    const pp_qowner *owner = q->owner;
    return owner->rescale[pp_qstage_input(q, stage)->is_signed] + (size_t)m * 256;
}

int64_t pp_qstage_psum_scaled(const pp_qnetwork *q, uint32_t stage, int64_t acc, uint32_t m)
{
    return pp_qstage_psum(q, stage, acc * (int64_t)m);
}

/* ---- the definition of m ---- */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

pp_qfiring pp_qfiring_at(const pp_qnetwork *q, uint32_t stage, const uint32_t *patch, uint32_t y, uint32_t x)
{
    const pp_shape fire = q->stages->stage[stage].fire;
    const uint32_t py = patch ? patch[0] : 1, px = patch ? patch[1] : 1;
    pp_qfiring f = {.y0 = y / py * py, .x0 = x / px * px};
    f.y1 = smaller(f.y0 + py, fire.h);
    f.x1 = smaller(f.x0 + px, fire.w);
    return f;
}

/* Largest |code| that one pixel's window reads. */
static uint32_t window_largest(const pp_qgeom *g, const pp_qfiring *f, uint32_t y, uint32_t x, const int16_t *in)
{
    uint32_t most = 0;
    for (uint32_t ky = 0; ky < g->win.kh; ky++)
        for (uint32_t kx = 0; kx < g->win.kw; kx++) {
            const int64_t iy = (int64_t)y * g->win.sh + (int64_t)ky * g->win.dh - g->win.top;
            const int64_t ix = (int64_t)x * g->win.sw + (int64_t)kx * g->win.dw - g->win.left;
            if (iy < 0 || ix < 0 || iy >= g->in.h || ix >= g->in.w)
                continue;
            const int16_t *at = in + ((size_t)iy * g->in.w + (size_t)ix) * g->in.c + (size_t)f->group * g->cin_g;
            for (uint32_t c = f->lo; c < f->hi; c++)
                most = (uint32_t)abs(at[c]) > most ? (uint32_t)abs(at[c]) : most;
        }
    return most;
}

uint32_t pp_qrescale_factor(const pp_qnetwork *q, uint32_t stage, const pp_qfiring *f, const int16_t *in)
{
    const pp_qgeom g = pp_qgeom_of(q->net, &q->stages->stage[stage]);
    pp_qfiring all = *f;
    uint32_t most = 1;
    if (q->options.activation_scale == PP_QSCALE_STATIC)
        return q->stage[stage].factor;
    if (q->options.activation_scale == PP_QSCALE_TOKEN) {
        all.lo = 0;
        all.hi = g.cin_g;
    }
    for (uint32_t y = f->y0; y < f->y1; y++)
        for (uint32_t x = f->x0; x < f->x1; x++) {
            const uint32_t here = window_largest(&g, &all, y, x, in);
            most = here > most ? here : most;
        }
    return most;
}

/* ---- m of a whole map ---- */

static void pixel_largest(const pp_qgeom *g, int32_t zero, uint32_t lo, uint32_t hi, const uint8_t *x, uint8_t *out)
{
    const size_t n = (size_t)g->in.h * g->in.w * g->groups;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = x + i * g->cin_g;
        int32_t most = 0;
        for (uint32_t c = lo; c < hi; c++) {
            const int32_t v = at[c] - zero, a = v < 0 ? -v : v;
            most = a > most ? a : most;
        }
        out[i] = (uint8_t)most;
    }
}

static void raise(uint8_t *to, const uint8_t *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = from[i] > to[i] ? from[i] : to[i];
}

/* m[groups] of one pixel's window into `to`, which holds what other pixels of its firing have. */
static void raise_window(const pp_qgeom *g, const uint8_t *largest, uint32_t y, uint32_t x, uint8_t *to)
{
    for (uint32_t ky = 0; ky < g->win.kh; ky++)
        for (uint32_t kx = 0; kx < g->win.kw; kx++) {
            const int64_t iy = (int64_t)y * g->win.sh + (int64_t)ky * g->win.dh - g->win.top;
            const int64_t ix = (int64_t)x * g->win.sw + (int64_t)kx * g->win.dw - g->win.left;
            if (iy >= 0 && ix >= 0 && iy < g->in.h && ix < g->in.w)
                raise(to, largest + ((size_t)iy * g->in.w + (size_t)ix) * g->groups, g->groups);
        }
}

void pp_qrescale_factors(const pp_qnetwork *q, uint32_t stage, const uint32_t *patch, uint32_t lo, uint32_t hi,
                         const uint8_t *x, uint8_t *largest, uint8_t *out)
{
    const pp_qgeom g = pp_qgeom_of(q->net, &q->stages->stage[stage]);
    const bool fixed = q->options.activation_scale == PP_QSCALE_STATIC, all = q->options.activation_scale == PP_QSCALE_TOKEN;
    const uint32_t py = patch ? patch[0] : 1, px = patch ? patch[1] : 1;
    const size_t n = (size_t)g.fire.h * g.fire.w * g.groups;
    for (size_t i = 0; i < n; i++)
        out[i] = fixed ? (uint8_t)q->stage[stage].factor : 1;
    if (fixed)
        return;
    pixel_largest(&g, pp_format_zero(pp_qstage_input(q, stage)), all ? 0 : lo, all ? g.cin_g : hi, x, largest);
    /* The first pixel of a patch gathers for all, the others copy. */
    for (uint32_t y = 0; y < g.fire.h; y++)
        for (uint32_t xx = 0; xx < g.fire.w; xx++)
            raise_window(&g, largest, y, xx, out + ((size_t)(y / py * py) * g.fire.w + xx / px * px) * g.groups);
    for (uint32_t y = 0; y < g.fire.h; y++)
        for (uint32_t xx = 0; xx < g.fire.w; xx++)
            for (uint32_t i = 0; i < g.groups; i++)
                out[((size_t)y * g.fire.w + xx) * g.groups + i] =
                    out[((size_t)(y / py * py) * g.fire.w + xx / px * px) * g.groups + i];
}

void pp_qstage_psum_scaled_map(const pp_qnetwork *q, uint32_t stage, int32_t *acc, const uint8_t *m, size_t pixels)
{
    const pp_qgeom g = pp_qgeom_of(q->net, &q->stages->stage[stage]);
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t i = 0; i < g.groups; i++)
            for (uint32_t c = 0; c < g.cout_g; c++, acc++)
                *acc = (int32_t)pp_qstage_psum(q, stage, (int64_t)*acc * m[p * g.groups + i]);
}

void pp_qrescale_choose(pp_qnetwork *q, uint32_t stage, const pp_histogram *h)
{
    const double step = pp_qstage_input(q, stage)->scale, most = pp_qstage_input(q, stage)->qmax;
    const pp_qformat dac = pp_qstage_dac(q, stage);
    if (!pp_qrescales(q, stage))
        return;
    const double scale = pp_activation_scale(h, &dac, q->options.activations, q->options.percentile);
    q->stage[stage].factor = (uint32_t)fmin(fmax(nearbyint(scale * dac.qmax / step), 1), most);
}

/* ---- costs ---- */

pp_qrescale_work pp_qrescale_count(const pp_qnetwork *q, uint32_t stage, uint32_t rows, uint32_t row_channels, uint32_t cols)
{
    pp_qrescale_work w = {0};
    if (!pp_qrescales(q, stage))
        return w;
    const pp_shape in = q->stages->stage[stage].in;
    w.rescaled = rows;
    if (q->options.activation_scale == PP_QSCALE_STATIC)
        return w; /* its factor lies in the digital unit's constants */
    w.compared = rows;
    w.scaled = cols;
    if (q->options.activation_scale == PP_QSCALE_TOKEN && pp_qgeom_of(q->net, &q->stages->stage[stage]).groups == 1)
        w.compared = (uint64_t)rows / row_channels * in.c;
    return w;
}
