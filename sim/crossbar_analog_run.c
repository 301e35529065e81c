/* The analog engine: reads of arrays, stages, images. No allocation in any of it. */
#include "quant/rotate_stage.h"
#include "quant/scale_stage.h"
#include "sim/crossbar_analog_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- inputs on rows ---- */

static void map_codes(int zero, float *restrict to, const uint8_t *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)((int)from[i] - zero);
}

static void map_plane(const pp_aplane *p, float *restrict to, const uint8_t *restrict from, size_t n)
{
    if (p->identity) {
        map_codes((int)p->zero, to, from, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        to[i] = p->lut[from[i]];
}

/* Channels [lo, hi) of a group that row tile `row` has. */
static void row_channels(const pp_analog *x, uint32_t stage, uint32_t row, uint32_t *lo, uint32_t *hi)
{
    const pp_astage *s = &x->stage[stage];
    const pp_tile *t = &x->m->tile[x->m->plan[stage].first_tile + row];
    *lo = s->row_tiles == 1 ? 0 : t->in_lo;
    *hi = s->row_tiles == 1 ? s->cin_g : t->in_hi;
}

static size_t firing_scales(const pp_analog *x, uint32_t stage)
{
    const pp_shape fire = x->q->stages->stage[stage].fire;
    return (size_t)fire.h * fire.w * x->stage[stage].groups;
}

static void scales_of_firings(const pp_analog *x, uint32_t stage, const uint8_t *codes, pp_ascratch *w)
{
    const pp_astage *s = &x->stage[stage];
    const uint32_t patch[2] = {s->patch.y, s->patch.x};
    for (uint32_t row = 0; row < s->row_tiles; row++) {
        uint32_t lo, hi;
        row_channels(x, stage, row, &lo, &hi);
        pp_qrescale_factors(x->q, stage, patch, lo, hi, codes, w->largest, w->m + row * firing_scales(x, stage));
    }
}

void pp_analog_map_(const pp_analog *x, uint32_t stage, const uint8_t *codes, pp_ascratch *w)
{
    const pp_astage *s = &x->stage[stage];
    const pp_shape in = x->q->stages->stage[stage].in;
    const size_t row = (size_t)s->map_w * in.c, line = (size_t)in.w * in.c;
    if (pp_qrotates_here(x->q, stage)) {
        pp_qrotate_map(x->q, stage, codes, w->rotated, (size_t)in.h * in.w, w->turn);
        codes = w->rotated;
    }
    if (s->rescales)
        scales_of_firings(x, stage, codes, w);
    for (uint32_t k = 0; k < (s->rescales ? 1 : s->n_planes); k++) {
        float *map = w->map + k * x->map_floats;
        memset(map, 0, (size_t)s->map_h * row * sizeof *map);
        for (uint32_t y = 0; y < in.h; y++) {
            float *to = map + (y + s->window.top) * row + (size_t)s->window.left * in.c;
            if (s->rescales)
                map_codes(s->zero, to, codes + y * line, line);
            else
                map_plane(&s->plane[k], to, codes + y * line, line);
        }
    }
}

static uint32_t firing_of(const pp_astage *s, const pp_aarray *a, uint32_t group, uint32_t i)
{
    const uint32_t index = group * PP_AGROUP + i;
    return index < a->firings ? a->copy + index * s->copies : PP_NONE;
}

/* m of all groups at a firing of an array. */
static const uint8_t *scales_at(const pp_analog *x, const pp_aarray *a, const pp_ascratch *w, uint32_t firing)
{
    const pp_astage *s = &x->stage[a->stage];
    const pp_shape fire = x->q->stages->stage[a->stage].fire;
    const size_t pixel = (size_t)(firing / s->grid_w * s->patch.y) * fire.w + firing % s->grid_w * s->patch.x;
    return w->m + x->m->tile[a->tile].row * firing_scales(x, a->stage) + pixel * s->groups;
}

/* Codes of the stream on the rows of one firing -> values of one slice of the codes made anew. */
static void make_codes(const pp_analog *x, const pp_aarray *a, const uint8_t *m, const pp_aplane *plane, float *panel)
{
    const pp_astage *s = &x->stage[a->stage];
    const uint32_t width = a->in_hi - a->in_lo;
    for (uint32_t r = 0; r < a->n_runs; r++)
        for (uint32_t c = 0; c < width; c++, panel++) {
            const uint8_t *table = pp_qrescale_table(x->q, a->stage, m[(a->in_lo + c) / s->cin_g]);
            *panel = plane->lut[table[(int)*panel + s->zero]];
        }
}

/* m of the sums of one group of firings; 1 where nothing is. */
static void column_scales(const pp_analog *x, const pp_aarray *a, pp_ascratch *w, uint32_t group)
{
    const pp_astage *s = &x->stage[a->stage];
    const uint32_t couts = a->out_hi - a->out_lo;
    for (uint32_t i = 0; i < PP_AGROUP; i++) {
        const uint32_t f = firing_of(s, a, group, i);
        const uint8_t *m = f == PP_NONE ? NULL : scales_at(x, a, w, f);
        float *to = w->m_columns + (size_t)i * a->padded;
        for (uint32_t c = 0; c < a->padded; c++)
            to[c] = m != NULL && c < a->cols ? (float)m[(a->out_lo + c % couts) / s->cout_g] : 1;
    }
}

/* Rows of a group of firings: runs of channels from the padded map; rows without a firing are zero. */
static void gather(const pp_analog *x, const pp_aarray *a, const pp_ascratch *w, uint32_t plane, uint32_t group)
{
    const pp_astage *s = &x->stage[a->stage];
    const uint32_t depth = x->q->stages->stage[a->stage].in.c, width = a->in_hi - a->in_lo;
    const float *map = w->map + (s->rescales ? 0 : plane * x->map_floats);
    for (uint32_t i = 0; i < PP_AGROUP; i++) {
        float *to = w->panel + (size_t)i * a->rows;
        const uint32_t f = firing_of(s, a, group, i);
        if (f == PP_NONE) {
            memset(to, 0, a->rows * sizeof *to);
            continue;
        }
        const float *from = map + ((size_t)(f / s->grid_w) * s->patch.y * s->window.sh * s->map_w +
                                   (size_t)(f % s->grid_w) * s->patch.x * s->window.sw) * depth;
        for (uint32_t r = 0; r < a->n_runs; r++, to += width) {
            const float *run = from + a->run[r];
            for (uint32_t c = 0; c < width; c++)
                to[c] = run[c];
        }
        if (s->rescales)
            make_codes(x, a, scales_at(x, a, w, f), &s->plane[plane], w->panel + (size_t)i * a->rows);
    }
}

static void square(pp_ascratch *w, size_t n)
{
    float *restrict to = w->square;
    const float *restrict from = w->panel;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] * from[i];
}

/* ---- one read ---- */

void pp_analog_counter_(const pp_analog *x, const pp_aarray *a, const pp_aread *r, uint32_t read, uint32_t key[2],
                        uint32_t counter[4])
{
    uint64_t bits;
    memcpy(&bits, &x->t, sizeof bits);
    const uint32_t reads = x->stage[a->stage].n_planes * x->n_blocks;
    const uint32_t blocks = (PP_AGROUP * a->padded + 63) / 64 * 16;
    key[0] = (uint32_t)x->seed;
    key[1] = (uint32_t)(x->seed >> 32) ^ pp_analog_key_(bits);
    counter[0] = (r->group * reads + read) * blocks;
    counter[1] = r->image;
    counter[2] = a->tile;
    counter[3] = r->known >= 0 ? UINT32_C(0x6b6e6f77) : UINT32_C(0x72656164);
}

static void fresh_noise(const pp_analog *x, const pp_aarray *a, pp_ascratch *w, const pp_aread *r, uint32_t plane, uint32_t block)
{
    uint32_t key[2], counter[4];
    const float *var = NULL;
    if (a->s2 != NULL) {
        x->kernel.product(w->var, w->square, a->s2 + (size_t)block * a->padded * a->rows, a->rows, a->vectors);
        var = w->var;
    }
    pp_analog_counter_(x, a, r, plane * x->n_blocks + block, key, counter);
    x->kernel.normals(w->z, (size_t)PP_AGROUP * a->padded, key, counter);
    x->kernel.add_noise(w->acc, var, a->extra + (size_t)block * a->padded, w->z, a->padded);
}

static void convert(const pp_analog *x, const pp_aarray *a, pp_ascratch *w, uint32_t plane, uint32_t block)
{
    const size_t at = (size_t)block * a->padded;
    const pp_aconvert k = {.inverse = a->inverse + at, .offset = a->offset + at, .gain = (x->exact ? a->plain_gain : a->gain) + at,
                           .m = x->stage[a->stage].rescales ? w->m_columns : NULL,
                           .code_max = x->exact ? 0 : x->code_max, .psum_low = -x->psum_max - 1, .psum_high = x->psum_max,
                           .plane = x->stage[a->stage].plane[plane].weight, .padded = a->padded};
    x->kernel.convert(&k, w->acc, w->psum, w->sum_f);
}

/* Ideal converters: one rounding for all slices of inputs and weights, then the width of a partial sum. */
static void round_sums(const pp_analog *x, const pp_aarray *a, pp_ascratch *w)
{
    const float high = x->psum_max, low = -high - 1, unit = (float)exp2(-(double)x->q->stage[a->stage].psum_shift);
    const size_t n = (size_t)PP_AGROUP * a->padded;
    const bool rescales = x->stage[a->stage].rescales;
    for (size_t i = 0; i < n; i++) { /* with a scale the product may have more bits than a float */
        float v = rescales ? (float)rint((double)w->sum_f[i] * (double)unit * (double)w->m_columns[i]) : rintf(w->sum_f[i] * unit);
        v = v > high ? high : v < low ? low : v;
        w->psum[i] = (int32_t)v;
    }
}

/* Offset cells: what the digital unit takes off, for the sum of all input slices. */
static void take_offset(const pp_analog *x, const pp_aarray *a, pp_ascratch *w, const float *inputs)
{
    const bool ideal = x->exact || x->code_max == 0;
    const double unit = exp2(-(double)x->q->stage[a->stage].psum_shift);
    for (uint32_t i = 0; i < PP_AGROUP; i++) {
        for (uint32_t c = 0; c < a->cols; c++) {
            const float v = a->digital[c] * inputs[i];
            if (ideal)
                w->sum_f[(size_t)i * a->padded + c] -= v;
            else
                w->psum[(size_t)i * a->padded + c] -= (int32_t)nearbyint(
                    x->stage[a->stage].rescales ? (double)v * unit * (double)w->m_columns[(size_t)i * a->padded + c] : (double)v * unit);
        }
    }
}

static void add_inputs(const pp_analog *x, const pp_aarray *a, const pp_ascratch *w, uint32_t plane, float *inputs)
{
    for (uint32_t i = 0; i < PP_AGROUP; i++) {
        float sum = 0;
        for (uint32_t k = 0; k < a->rows; k++)
            sum += w->panel[(size_t)i * a->rows + k];
        inputs[i] += sum * x->stage[a->stage].plane[plane].weight;
    }
}

void pp_analog_read_(const pp_analog *x, const pp_aarray *a, pp_ascratch *w, const pp_aread *r, unsigned worker)
{
    const pp_astage *s = &x->stage[a->stage];
    const bool ideal = x->exact || x->code_max == 0, noisy = x->fresh && !x->exact && x->ideal_stage != a->stage;
    const float *weights = x->exact ? a->ideal : a->w;
    float inputs[PP_AGROUP] = {0};
    memset(w->psum, 0, (size_t)PP_AGROUP * a->padded * sizeof *w->psum);
    if (ideal)
        memset(w->sum_f, 0, (size_t)PP_AGROUP * a->padded * sizeof *w->sum_f);
    if (s->rescales && r->known >= 0)
        memcpy(w->m_columns, a->known_m + (size_t)r->known * a->padded, (size_t)PP_AGROUP * a->padded * sizeof *w->m_columns);
    else if (s->rescales)
        column_scales(x, a, w, r->group);
    for (uint32_t k = 0; k < s->n_planes; k++) {
        if (r->known >= 0)
            memcpy(w->panel, a->known + ((size_t)k * x->known + (size_t)r->known) * a->rows,
                   (size_t)PP_AGROUP * a->rows * sizeof *w->panel);
        else
            gather(x, a, w, k, r->group);
        if (x->counting && r->known < 0)
            pp_analog_known_(x, a, k, w, r->image, r->group);
        if (noisy && a->s2 != NULL)
            square(w, (size_t)PP_AGROUP * a->rows);
        if (a->digital != NULL)
            add_inputs(x, a, w, k, inputs);
        for (uint32_t b = 0; b < x->n_blocks; b++) {
            x->kernel.product(w->acc, w->panel, weights + (size_t)b * a->padded * a->rows, a->rows, a->vectors);
            if (x->counting && r->known < 0)
                pp_analog_counted_(x, a, b, w->acc, a->firings - r->group * PP_AGROUP, worker);
            if (noisy)
                fresh_noise(x, a, w, r, k, b);
            convert(x, a, w, k, b);
        }
    }
    if (a->digital != NULL)
        take_offset(x, a, w, inputs);
    if (ideal)
        round_sums(x, a, w);
}

/* ---- stages ---- */

/* Columns [pixel of the patch][channel] into the map of sums; pixels beyond the map are dropped. */
static void scatter(const pp_analog *x, const pp_aarray *a, pp_ascratch *w, uint32_t group)
{
    const pp_astage *s = &x->stage[a->stage];
    const pp_shape fire = x->q->stages->stage[a->stage].fire;
    const uint32_t couts = a->out_hi - a->out_lo;
    for (uint32_t i = 0; i < PP_AGROUP; i++) {
        const uint32_t f = firing_of(s, a, group, i);
        for (uint32_t u = 0; f != PP_NONE && u < s->patch.y * s->patch.x; u++) {
            const uint32_t y = f / s->grid_w * s->patch.y + u / s->patch.x, px = f % s->grid_w * s->patch.x + u % s->patch.x;
            if (y >= fire.h || px >= fire.w)
                continue;
            int32_t *restrict to = w->sum + ((size_t)y * fire.w + px) * fire.c + a->out_lo;
            const int32_t *restrict from = w->psum + (size_t)i * a->padded + (size_t)u * couts;
            for (uint32_t c = 0; c < couts; c++)
                to[c] += from[c];
        }
    }
}

static void settle_sums(const pp_analog *x, uint32_t stage, int32_t *sum, size_t pixels)
{
    const pp_astage *s = &x->stage[stage];
    const uint32_t cout = x->q->stage[stage].cout;
    const int32_t high = (int32_t)((INT64_C(1) << (x->q->psum_bits - 1)) - 1), low = -high - 1;
    const bool update = s->a != NULL && !x->exact;
    for (size_t i = 0; i < pixels * cout; i++)
        sum[i] = sum[i] > high ? high : sum[i] < low ? low : sum[i];
    for (size_t p = 0; update && p < pixels; p++) {
        for (uint32_t c = 0; c < cout; c++) {
            float v = rintf((float)sum[p * cout + c] * s->a[c] + s->b[c]);
            v = v > x->psum_max ? x->psum_max : v < -x->psum_max - 1 ? -x->psum_max - 1 : v;
            sum[p * cout + c] = (int32_t)v;
        }
    }
}

void pp_analog_sums_(const pp_analog *x, uint32_t stage, pp_ascratch *w, const uint8_t *in, uint32_t image, unsigned worker)
{
    const pp_astage *s = &x->stage[stage];
    const pp_shape fire = x->q->stages->stage[stage].fire;
    const size_t pixels = (size_t)fire.h * fire.w;
    pp_analog_map_(x, stage, in, w);
    memset(w->sum, 0, pixels * fire.c * sizeof *w->sum);
    for (uint32_t i = 0; i < s->n_arrays; i++) {
        const pp_aarray *a = &x->array[s->first_array + i];
        for (uint32_t g = 0; g * PP_AGROUP < a->firings; g++) {
            const pp_aread r = {image, g, -1};
            pp_analog_read_(x, a, w, &r, worker);
            scatter(x, a, w, g);
        }
    }
    settle_sums(x, stage, w->sum, pixels);
}

void pp_analog_finish_(const pp_analog *x, uint32_t stage, pp_ascratch *w, const pp_aslot *slot, double *logits)
{
    const pp_stage *s = &x->q->stages->stage[stage];
    double *out = stage == x->q->stages->output ? logits : NULL;
    if (!x->stage[stage].matrix) {
        for (uint32_t k = 0; k < s->n_inputs; k++)
            w->in[k] = slot->stream[s->inputs[k].stream];
        pp_qstage_data(x->q, stage, w->in, slot->stream[stage + 1], out, w->finish);
        return;
    }
    const uint8_t *residual = NULL;
    for (uint32_t k = 1; k < s->n_inputs; k++)
        if (s->inputs[k].role == PP_ROLE_ADD)
            residual = slot->stream[s->inputs[k].stream];
    pp_qstage_finish(x->q, stage, w->sum, residual, slot->stream[stage + 1], out, w->finish);
}

void pp_analog_stage_(const pp_analog *x, uint32_t stage, pp_ascratch *w, const pp_aslot *slot, uint32_t image,
                      unsigned worker, double *logits)
{
    if (x->stage[stage].matrix)
        pp_analog_sums_(x, stage, w, slot->stream[x->q->stages->stage[stage].inputs[0].stream], image, worker);
    pp_analog_finish_(x, stage, w, slot, logits);
}

void pp_analog_input_(const pp_analog *x, pp_ascratch *w, const pp_dataset *data, uint32_t image, const pp_aslot *slot)
{
    const pp_qformat *f = &x->q->stream[0];
    const pp_shape in = x->q->net->ops[0].out;
    const size_t n = (size_t)in.h * in.w * in.c;
    pp_dataset_normalise(data, x->q->net, image, w->image);
    pp_quantize_input(x->q, w->image, w->input);
    for (size_t i = 0; i < n; i++)
        slot->stream[0][i] = (uint8_t)(w->input[i] + (f->is_signed ? 128 : 0));
}

/* ---- images ---- */

typedef struct batch {
    pp_analog *x;
    const pp_dataset *data;
    uint32_t first, classes;
    float *logits;
} batch;

static pp_status run_image(void *payload, size_t index, unsigned worker)
{
    const batch *b = payload;
    pp_ascratch *w = &b->x->scratch[worker];
    const uint32_t image = b->first + (uint32_t)index;
    pp_analog_input_(b->x, w, b->data, image, &w->slot);
    for (uint32_t s = 0; s < b->x->q->stages->n; s++)
        pp_analog_stage_(b->x, s, w, &w->slot, image, worker, w->logits);
    for (uint32_t c = 0; c < b->classes; c++)
        b->logits[index * b->classes + c] = (float)w->logits[c];
    return PP_OK;
}

pp_status pp_analog_run(pp_analog *x, pp_pool *pool, const pp_dataset *data, uint32_t first, uint32_t n, float *logits)
{
    if (first > data->n || n > data->n - first)
        return pp_fail(PP_ERANGE, "data '%s': %u images from image %u on, it has %u", data->name, n, first, data->n);
    PP_TRY(pp_analog_scratch_(x, pp_pool_threads(pool)));
    const pp_shape out = x->q->stages->stage[x->q->stages->output].out;
    batch b = {x, data, first, out.h * out.w * out.c, logits};
    return pp_pool_run(pool, n, run_image, &b);
}
