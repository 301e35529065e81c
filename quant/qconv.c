/* Packed convolution: raw sums of a stage's matrix, or of a range of its input channels.
 *
 * The input range is copied into a padded map [h + padding][w + padding][groups][channels rounded up to 4],
 * whose border holds the zero byte. Then every window lies inside the map, its inputs stand at fixed
 * offsets, and a kernel is a loop over steps of four input bytes (two 16-bit inputs in the wide kernel, one
 * in the plain one).
 * Codes that are made anew for each firing (quant/scale_stage.h) have no common map: a row of output pixels at a time, their
 * windows go side by side into a panel, where the same kernels read them.
 * Signed inputs come as code + 128; the sums start at -128 x sum of the weights, which takes that out. */
#include "quant/rotate_internal.h"
#include "quant/scale_stage.h"
#include "workloads/cpu.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct pp_qconv {
    pp_qgeom geom;
    const pp_qnetwork *q;
    uint32_t stage;
    bool rescales;                  /* codes are made anew, a panel takes the place of the padded map */
    uint32_t patch[2];              /* pixels that fire together, y and x */
    bool rotates;                   /* inputs are rotated first, behind the padded map in the scratch */
    uint32_t c_lo, width;           /* channels of each group that are read */
    uint32_t map_h, map_w, map_c;   /* padded map; map_c channels of one group, a multiple of 4 */
    uint32_t element;               /* bytes of one padded input: 1, wide and plain kernel 2 */
    uint8_t zero;
    pp_qkernel_fn kernel;
    pp_qpack *pack;                 /* [groups] */
    uint32_t *offset;
    void *weight;
    int32_t *start;
};

/* vector: outputs of one vector; lane: inputs of one step; weight_size: bytes of a weight (and input). */
typedef struct traits {
    pp_qkernel_fn run;
    uint32_t vector, lane, weight_size;
} traits;

static const traits kernels[] = {
    [PP_QKERNEL_PLAIN] = {pp_qkernel_plain, 64, 1, 2},
#if defined(__x86_64__)
    [PP_QKERNEL_AVX2] = {pp_qkernel_avx2, 8, 4, 1},
    [PP_QKERNEL_AVX2_WIDE] = {pp_qkernel_avx2_wide, 8, 2, 2},
    [PP_QKERNEL_VNNI] = {pp_qkernel_vnni, 16, 4, 1},
#endif
};

/* Steps whose products two by two (vpmaddubsw) add up in 16 bits without overflow. */
static uint32_t safe_steps(int32_t wmax, int32_t top)
{
    return (uint32_t)(INT16_MAX / (2 * wmax * top));
}

static pp_qkernel choose(int32_t wmax, int32_t top)
{
#if defined(__x86_64__)
    pp_cpu level = pp_cpu_level();
    if (level >= PP_CPU_AVX512 && __builtin_cpu_supports("avx512vnni"))
        return PP_QKERNEL_VNNI;
    if (level >= PP_CPU_AVX2)
        return safe_steps(wmax, top) > 0 ? PP_QKERNEL_AVX2 : PP_QKERNEL_AVX2_WIDE;
#endif
    (void)wmax;
    (void)top;
    return PP_QKERNEL_PLAIN;
}

static uint32_t round_up(uint32_t n, uint32_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* Padded size along one axis: what the last window reads, at least the map with its leading border. */
static uint32_t padded_size(uint32_t out, uint32_t stride, uint32_t taps, uint32_t step, uint32_t before,
                            uint32_t size)
{
    uint32_t reach = (out - 1) * stride + (taps - 1) * step + 1;
    return reach > before + size ? reach : before + size;
}

static uint32_t kernel_steps(const pp_qconv *conv, const traits *t)
{
    return conv->geom.win.kh * conv->geom.win.kw * (conv->map_c / t->lane);
}

static void fill_offsets(pp_qconv *conv, const traits *t)
{
    const pp_window *w = &conv->geom.win;
    uint32_t pixel = conv->map_c * conv->geom.groups * conv->element, at = 0;
    const uint32_t down = conv->rescales ? w->kw : w->dh * conv->map_w, across = conv->rescales ? 1 : w->dw;
    for (uint32_t ky = 0; ky < w->kh; ky++)
        for (uint32_t kx = 0; kx < w->kw; kx++)
            for (uint32_t c = 0; c < conv->map_c; c += t->lane)
                conv->offset[at++] = (ky * down + kx * across) * pixel + c * conv->element;
}

static int32_t weight_at(const pp_qconv *conv, const int8_t *code, uint32_t out, uint32_t c, uint32_t tap)
{
    const pp_qgeom *g = &conv->geom;
    uint32_t taps = g->win.kh * g->win.kw;
    return c < conv->width ? code[((size_t)out * g->cin_g + conv->c_lo + c) * taps + tap] : 0;
}

/* Weights of one group in kernel order and the first value of each sum. */
static void fill_weights(pp_qconv *conv, const traits *t, const int8_t *code, uint32_t group)
{
    pp_qpack *p = &conv->pack[group];
    int8_t *narrow = (int8_t *)conv->weight + (size_t)group * p->padded * p->steps * t->lane * t->weight_size;
    int16_t *wide = (int16_t *)(void *)narrow;
    int32_t *start = conv->start + (size_t)group * p->padded;
    uint32_t per_tap = conv->map_c / t->lane;
    for (uint32_t out = 0; out < p->cout; out++) {
        for (uint32_t step = 0; step < p->steps; step++) {
            for (uint32_t l = 0; l < t->lane; l++) {
                int32_t w = weight_at(conv, code, group * p->cout + out, step % per_tap * t->lane + l, step / per_tap);
                size_t at = (((size_t)(out / t->vector) * p->steps + step) * t->vector + out % t->vector) * t->lane + l;
                if (t->weight_size == 1)
                    narrow[at] = (int8_t)w;
                else
                    wide[at] = (int16_t)w;
                start[out] -= w * conv->zero;
            }
        }
    }
    p->offset = conv->offset;
    p->weight = narrow;
    p->start = start;
}

static pp_status fill(pp_qconv *conv, const traits *t, const int8_t *code, uint32_t safe)
{
    const pp_qgeom *g = &conv->geom;
    uint32_t steps = kernel_steps(conv, t), padded = round_up(g->cout_g, t->vector);
    conv->pack = pp_calloc(g->groups, sizeof *conv->pack);
    conv->offset = pp_alloc_aligned(steps, sizeof *conv->offset);
    conv->weight = pp_alloc_aligned((size_t)g->groups * padded * steps, (size_t)t->lane * t->weight_size);
    conv->start = pp_alloc_aligned((size_t)g->groups * padded, sizeof *conv->start);
    if (!conv->pack || !conv->offset || !conv->weight || !conv->start)
        return PP_ENOMEM;
    fill_offsets(conv, t);
    for (uint32_t i = 0; i < g->groups; i++) {
        conv->pack[i] = (pp_qpack){.steps = steps, .safe = safe, .cout = g->cout_g, .padded = padded};
        fill_weights(conv, t, code, i);
    }
    return PP_OK;
}

pp_status pp_qconv_new(pp_qconv **out, const pp_qnetwork *q, uint32_t stage, uint32_t c_lo, uint32_t c_hi)
{
    const pp_stage *st = &q->stages->stage[stage];
    *out = NULL;
    if (!q->has_values || st->matrix == PP_NONE)
        return pp_fail(PP_EINVAL, "stage '%s' has no matrix of codes", st->name);
    pp_qgeom g = pp_qgeom_of(q->net, st);
    if (c_lo >= c_hi || c_hi > g.cin_g)
        return pp_fail(PP_ERANGE, "stage '%s': channels %u to %u of %u", st->name, c_lo, c_hi, g.cin_g);
    const pp_qformat format = pp_qstage_dac(q, stage);
    int32_t wmax = pp_wmax(q->stage[stage].wbits), top = pp_format_top(&format);
    const traits *t = &kernels[choose(wmax, top)];
    pp_qconv *conv = pp_calloc(1, sizeof *conv);
    if (!conv)
        return PP_ENOMEM;
    *conv = (pp_qconv){.geom = g, .q = q, .stage = stage, .rotates = pp_qrotates_here(q, stage),
                       .rescales = pp_qrescales(q, stage), .patch = {1, 1}, .c_lo = c_lo, .width = c_hi - c_lo, .map_c = round_up(c_hi - c_lo, 4),
                       .element = t->weight_size, .zero = (uint8_t)pp_format_zero(&format), .kernel = t->run};
    conv->map_h = padded_size(g.fire.h, g.win.sh, g.win.kh, g.win.dh, g.win.top, g.in.h);
    conv->map_w = padded_size(g.fire.w, g.win.sw, g.win.kw, g.win.dw, g.win.left, g.in.w);
    pp_status status = fill(conv, t, q->stage[stage].code, safe_steps(wmax, top));
    if (status == PP_OK)
        *out = conv;
    else
        pp_qconv_free(conv);
    return status;
}

void pp_qconv_free(pp_qconv *conv)
{
    if (!conv)
        return;
    free(conv->pack);
    free(conv->offset);
    free(conv->weight);
    free(conv->start);
    free(conv);
}

typedef struct space {
    uint8_t *map, *rotated, *factor, *largest;
    int32_t *work;
} space;

static size_t take_space(const pp_qconv *conv, void *scratch, space *sp)
{
    const pp_shape in = conv->geom.in;
    pp_carve c = {.base = scratch};
    const size_t slots = (size_t)conv->map_c * conv->geom.groups, taps = (size_t)conv->geom.win.kh * conv->geom.win.kw;
    if (conv->rescales) {
        const pp_shape fire = conv->geom.fire;
        sp->factor = pp_carve_take(&c, (size_t)fire.h * fire.w * conv->geom.groups, 1);
        sp->largest = pp_carve_take(&c, (size_t)in.h * in.w * conv->geom.groups, 1);
        sp->map = pp_carve_take(&c, fire.w * taps * slots, conv->element);
    } else {
        sp->map = pp_carve_take(&c, (size_t)conv->map_h * conv->map_w * slots, conv->element);
    }
    if (conv->rotates) {
        sp->rotated = pp_carve_take(&c, pp_shape_count(in), 1);
        sp->work = pp_carve_take(&c, 2 * (size_t)in.c, sizeof *sp->work);
    }
    return c.used;
}

size_t pp_qconv_scratch(const pp_qconv *conv)
{
    space sp;
    return take_space(conv, NULL, &sp);
}

/* One input row into the padded map; dst is its first pixel after the left border. */
static void copy_row(const pp_qconv *conv, const uint8_t *x, uint8_t *dst)
{
    const pp_qgeom *g = &conv->geom;
    uint32_t slots = g->in.w * g->groups;
    if (conv->element == 1 && conv->width == g->cin_g && conv->width == conv->map_c) {
        memcpy(dst, x, (size_t)slots * conv->map_c);
        return;
    }
    for (uint32_t i = 0; i < slots; i++) {
        const uint8_t *from = x + (size_t)i * g->cin_g + conv->c_lo;
        if (conv->element == 1) {
            memcpy(dst + (size_t)i * conv->map_c, from, conv->width);
            continue;
        }
        uint16_t *to = (uint16_t *)(void *)dst + (size_t)i * conv->map_c;
        for (uint32_t c = 0; c < conv->width; c++)
            to[c] = from[c];
    }
}

static void copy_map(const pp_qconv *conv, const uint8_t *x, uint8_t *map)
{
    const pp_qgeom *g = &conv->geom;
    size_t pixel = (size_t)conv->map_c * g->groups * conv->element, row = pixel * conv->map_w;
    if (conv->element == 1 || conv->zero == 0) {
        memset(map, conv->zero, row * conv->map_h);
    } else {
        uint16_t *wide = (uint16_t *)(void *)map;
        for (size_t i = 0; i < row * conv->map_h / 2; i++)
            wide[i] = conv->zero;
    }
    for (uint32_t y = 0; y < g->in.h; y++)
        copy_row(conv, x + (size_t)y * g->in.w * g->in.c, map + (y + g->win.top) * row + g->win.left * pixel);
}

void pp_qconv_patch(pp_qconv *conv, uint32_t y, uint32_t x)
{
    conv->patch[0] = y;
    conv->patch[1] = x;
}

const uint8_t *pp_qconv_factors(const pp_qconv *conv, void *scratch)
{
    space sp = {0};
    take_space(conv, scratch, &sp);
    return sp.factor;
}

/* ---- codes made anew ---- */

/* One tap of one output pixel into the panel, m of each group. x NULL: padding. */
static void code_tap(const pp_qconv *conv, const uint8_t *x, const uint8_t *m, uint8_t *to)
{
    const pp_qgeom *g = &conv->geom;
    for (uint32_t i = 0; i < g->groups; i++, to += (size_t)conv->map_c * conv->element) {
        const uint8_t *table = pp_qrescale_table(conv->q, conv->stage, m[i]), *from = x ? x + (size_t)i * g->cin_g + conv->c_lo : NULL;
        uint16_t *wide = (uint16_t *)(void *)to;
        for (uint32_t c = 0; c < conv->width; c++) {
            const uint8_t code = from ? table[from[c]] : conv->zero;
            if (conv->element == 1)
                to[c] = code;
            else
                wide[c] = code;
        }
    }
}

/* Windows of the output pixels of row y, side by side. Channels that fill a step up have no weight. */
static void code_row(const pp_qconv *conv, const uint8_t *x, const uint8_t *m, uint32_t y, uint8_t *to)
{
    const pp_qgeom *g = &conv->geom;
    const size_t pixel = (size_t)conv->map_c * g->groups * conv->element;
    for (uint32_t ox = 0; ox < g->fire.w; ox++, m += g->groups)
        for (uint32_t ky = 0; ky < g->win.kh; ky++)
            for (uint32_t kx = 0; kx < g->win.kw; kx++, to += pixel) {
                const int64_t iy = (int64_t)y * g->win.sh + (int64_t)ky * g->win.dh - g->win.top;
                const int64_t ix = (int64_t)ox * g->win.sw + (int64_t)kx * g->win.dw - g->win.left;
                const bool inside = iy >= 0 && ix >= 0 && iy < g->in.h && ix < g->in.w;
                code_tap(conv, inside ? x + ((size_t)iy * g->in.w + (size_t)ix) * g->in.c : NULL, m, to);
            }
}

static void run_rescaled(const pp_qconv *conv, const uint8_t *x, int32_t *acc, const space *sp)
{
    const pp_qgeom *g = &conv->geom;
    const size_t slot = (size_t)conv->map_c * conv->element, stride = slot * g->groups * g->win.kh * g->win.kw;
    pp_qrescale_factors(conv->q, conv->stage, conv->patch, conv->c_lo, conv->c_lo + conv->width, x, sp->largest, sp->factor);
    memset(sp->map, 0, stride * g->fire.w);
    for (uint32_t y = 0; y < g->fire.h; y++) {
        code_row(conv, x, sp->factor + (size_t)y * g->fire.w * g->groups, y, sp->map);
        for (uint32_t i = 0; i < g->groups; i++)
            conv->kernel(&conv->pack[i], sp->map + i * slot, stride, g->fire.w,
                         acc + (size_t)y * g->fire.w * g->fire.c + i * g->cout_g, g->fire.c);
    }
}

void pp_qconv_run(const pp_qconv *conv, const uint8_t *x, int32_t *acc, void *scratch)
{
    const pp_qgeom *g = &conv->geom;
    space sp = {0};
    take_space(conv, scratch, &sp);
    uint8_t *map = sp.map;
    if (conv->rotates) {
        pp_qrotate_map(conv->q, conv->stage, x, sp.rotated, (size_t)g->in.h * g->in.w, sp.work);
        x = sp.rotated;
    }
    if (conv->rescales) {
        run_rescaled(conv, x, acc, &sp);
        return;
    }
    size_t slot = (size_t)conv->map_c * conv->element, pixel = slot * g->groups, row = pixel * conv->map_w;
    copy_map(conv, x, map);
    for (uint32_t y = 0; y < g->fire.h; y++)
        for (uint32_t i = 0; i < g->groups; i++)
            conv->kernel(&conv->pack[i], map + (size_t)y * g->win.sh * row + i * slot, pixel * g->win.sw, g->fire.w,
                         acc + (size_t)y * g->fire.w * g->fire.c + i * g->cout_g, g->fire.c);
}
