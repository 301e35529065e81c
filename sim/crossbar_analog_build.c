/* The analog engine: arrays from the tiles of a mapping, scratch, freeing. */
#include "quant/rotate_stage.h"
#include "quant/scale_stage.h"
#include "sim/crossbar_analog_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- input slices ---- */

static uint32_t input_bits(const pp_qformat *f)
{
    return f->bits;
}

/* Code of byte `b`; those that no stream holds are clamped, so that tables have no wild entries. */
static int code_of(const pp_qformat *f, int b)
{
    const int code = f->is_signed ? b - 128 : b;
    return code < f->qmin ? f->qmin : code > f->qmax ? f->qmax : code;
}

/* The DAC of fewer bits than its stream: rounds to its steps and clips. */
static double through_dac(const pp_analog *x, const pp_astage *s, const pp_qformat *f, int code)
{
    if (x->arch->dac_levels_bits == 0 || s->dac_step <= 0)
        return code;
    const double most = ldexp(1, (int)x->arch->dac_levels_bits - (f->is_signed ? 1 : 0)) - 1;
    double level = nearbyint(code / (double)s->dac_step);
    level = level > most ? most : level < -most ? -most : level;
    return level * (double)s->dac_step;
}

/* Parallel and pulse-width inputs: one slice with all of the value, or one for each sign. */
static void whole_planes(const pp_analog *x, pp_astage *s, const pp_qformat *f, int64_t phases)
{
    const bool split = f->is_signed && phases >= 2;
    s->n_planes = split ? 2 : 1;
    for (uint32_t k = 0; k < s->n_planes; k++) {
        pp_aplane *p = &s->plane[k];
        p->weight = k == 0 ? 1.0f : -1.0f;
        p->zero = f->is_signed ? 128 : 0;
        p->identity = !split && x->arch->dac_levels_bits == 0;
        for (int b = 0; b < 256; b++) {
            double v = through_dac(x, s, f, code_of(f, b));
            if (split)
                v = k == 0 ? fmax(v, 0) : fmax(-v, 0);
            p->lut[b] = (float)v;
        }
    }
}

/* Bit-serial inputs: slices of dac_bits, lowest first. Signed codes in two's complement, whose top slice counts below
 * zero; with two phases magnitudes, once for each sign. */
static void serial_planes(const pp_analog *x, pp_astage *s, const pp_qformat *f, int64_t phases)
{
    const uint32_t step = (uint32_t)x->arch->dac_bits, bits = input_bits(f);
    const bool split = f->is_signed && phases >= 2;
    const uint32_t slices = (bits + step - 1) / step;
    s->n_planes = 0;
    for (uint32_t sign = 0; sign < (split ? 2u : 1u); sign++) {
        for (uint32_t k = 0; k < slices; k++) {
            pp_aplane *p = &s->plane[s->n_planes++];
            const uint32_t low = k * step, width = low + step > bits ? bits - low : step;
            p->weight = (float)ldexp(sign == 0 ? 1 : -1, (int)low);
            p->identity = false;
            for (int b = 0; b < 256; b++) {
                const int code = code_of(f, b);
                const int magnitude = split ? (sign == 0 ? (code > 0 ? code : 0) : (code < 0 ? -code : 0)) : code;
                int digit = (int)(((uint32_t)magnitude >> low) & ((UINT32_C(1) << width) - 1));
                if (!split && f->is_signed && k + 1 == slices && (digit >> (width - 1)) != 0)
                    digit -= 1 << width;
                p->lut[b] = (float)digit;
            }
        }
    }
}

void pp_analog_planes_(pp_analog *x, uint32_t stage)
{
    pp_astage *s = &x->stage[stage];
    const pp_qformat dac = pp_qstage_dac(x->q, stage), *f = &dac;
    const int64_t phases = x->q->stage[stage].rotate != NULL ? pp_arch_rotated(x->arch).phases : x->arch->phases;
    if (x->arch->input == PP_INPUT_BIT_SERIAL)
        serial_planes(x, s, f, phases);
    else
        whole_planes(x, s, f, phases);
    s->full_input = 0;
    for (uint32_t k = 0; k < s->n_planes; k++)
        for (int b = 0; b < 256; b++)
            s->full_input = fmaxf(s->full_input, fabsf(s->plane[k].lut[b]));
}

/* ---- geometry ---- */

/* Input lines that `u` outputs touch, as the mapper counts them. */
static pp_status lines(uint32_t **out, uint32_t *n, uint32_t u, uint32_t k, uint32_t stride, uint32_t dilation)
{
    const uint32_t end = (u - 1) * stride + (k - 1) * dilation + 1;
    *n = 0;
    *out = pp_calloc(end, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    for (uint32_t line = 0; line < end; line++) {
        bool hit = false;
        for (uint32_t tap = 0; tap < k && !hit; tap++)
            hit = line >= tap * dilation && (line - tap * dilation) % stride == 0 && (line - tap * dilation) / stride < u;
        if (hit)
            (*out)[(*n)++] = line;
    }
    return PP_OK;
}

static uint32_t padded_size(uint32_t grid, uint32_t patch, uint32_t stride, uint32_t last_line, uint32_t before, uint32_t size)
{
    const uint32_t reach = (grid - 1) * patch * stride + last_line + 1;
    return reach > before + size ? reach : before + size;
}

static pp_status build_stage(pp_analog *x, uint32_t stage)
{
    pp_astage *s = &x->stage[stage];
    const pp_stage *st = &x->q->stages->stage[stage];
    if (st->matrix == PP_NONE)
        return PP_OK;
    const pp_op *op = &x->q->net->ops[st->matrix];
    const pp_plan *plan = &x->m->plan[stage];
    s->matrix = true;
    s->is_linear = op->kind != PP_OP_CONV;
    s->window = s->is_linear ? (pp_window){.kh = st->in.h, .kw = st->in.w, .sh = 1, .sw = 1, .dh = 1, .dw = 1} : op->window;
    s->patch = (pp_patch){plan->patch.y < st->fire.h ? plan->patch.y : st->fire.h, plan->patch.x < st->fire.w ? plan->patch.x : st->fire.w};
    s->grid_h = (st->fire.h + s->patch.y - 1) / s->patch.y;
    s->grid_w = (st->fire.w + s->patch.x - 1) / s->patch.x;
    s->copies = plan->copies;
    s->rescales = pp_qrescales(x->q, stage);
    s->row_tiles = plan->row_tiles;
    s->groups = s->is_linear ? 1 : op->groups;
    s->cin_g = st->in.c / s->groups;
    s->cout_g = st->fire.c / s->groups;
    s->zero = pp_qstage_input(x->q, stage)->is_signed ? 128 : 0;
    const pp_window *w = &s->window;
    PP_TRY(lines(&s->line_y, &s->n_lines_y, s->patch.y, w->kh, w->sh, w->dh));
    PP_TRY(lines(&s->line_x, &s->n_lines_x, s->patch.x, w->kw, w->sw, w->dw));
    s->map_h = padded_size(s->grid_h, s->patch.y, w->sh, s->line_y[s->n_lines_y - 1], w->top, st->in.h);
    s->map_w = padded_size(s->grid_w, s->patch.x, w->sw, s->line_x[s->n_lines_x - 1], w->left, st->in.w);
    s->plane = pp_calloc(PP_APLANES, sizeof *s->plane);
    if (s->plane == NULL)
        return PP_ENOMEM;
    pp_analog_planes_(x, stage);
    const size_t floats = (size_t)s->map_h * s->map_w * st->in.c;
    x->map_floats = floats > x->map_floats ? floats : x->map_floats;
    return PP_OK;
}

static pp_status build_runs(const pp_analog *x, pp_aarray *a)
{
    const pp_astage *s = &x->stage[a->stage];
    const uint32_t depth = x->q->stages->stage[a->stage].in.c;
    a->n_runs = s->n_lines_y * s->n_lines_x;
    a->run = pp_calloc(a->n_runs, sizeof *a->run);
    if (a->run == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < a->n_runs; i++)
        a->run[i] = (s->line_y[i / s->n_lines_x] * s->map_w + s->line_x[i % s->n_lines_x]) * depth + a->in_lo;
    return PP_OK;
}

static pp_status build_array(pp_analog *x, pp_aarray *a, uint32_t tile)
{
    const pp_tile *t = &x->m->tile[tile];
    const pp_astage *s = &x->stage[t->stage];
    const uint32_t patches = s->grid_h * s->grid_w;
    *a = (pp_aarray){.stage = t->stage, .tile = tile, .copy = t->copy, .in_lo = t->in_lo, .in_hi = t->in_hi,
                     .out_lo = t->out_lo, .out_hi = t->out_hi};
    a->rows = s->n_lines_y * s->n_lines_x * (t->in_hi - t->in_lo);
    a->cols = s->patch.y * s->patch.x * (t->out_hi - t->out_lo);
    a->vectors = (a->cols + PP_ALANES - 1) / PP_ALANES;
    a->padded = a->vectors * PP_ALANES;
    a->firings = patches > t->copy ? (patches - t->copy + s->copies - 1) / s->copies : 0;
    PP_TRY(build_runs(x, a));
    const size_t cells = (size_t)x->n_blocks * a->padded * a->rows, columns = (size_t)x->n_blocks * a->padded;
    a->w = pp_alloc_aligned(cells, sizeof *a->w);
    a->ideal = pp_alloc_aligned(cells, sizeof *a->ideal);
    a->scale = pp_alloc_aligned(a->padded, sizeof *a->scale);
    a->inverse = pp_alloc_aligned(columns, sizeof *a->inverse);
    a->offset = pp_alloc_aligned(columns, sizeof *a->offset);
    a->gain = pp_alloc_aligned(columns, sizeof *a->gain);
    a->extra = pp_alloc_aligned(columns, sizeof *a->extra);
    a->full_scale = pp_alloc_aligned(columns, sizeof *a->full_scale);
    a->plain_gain = pp_alloc_aligned(columns, sizeof *a->plain_gain);
    a->factor = pp_alloc_aligned(a->padded, sizeof *a->factor);
    a->known = pp_alloc_aligned((size_t)s->n_planes * x->known * a->rows, sizeof *a->known);
    a->known_m = s->rescales ? pp_alloc_aligned((size_t)x->known * a->padded, sizeof *a->known_m) : NULL;
    a->reference = pp_calloc(a->cols, sizeof *a->reference);
    a->now = pp_calloc(a->cols, sizeof *a->now);
    if (!a->w || !a->ideal || !a->scale || !a->inverse || !a->offset || !a->gain || !a->extra || !a->full_scale || !a->plain_gain ||
        !a->factor || !a->known || (s->rescales && !a->known_m) || !a->reference || !a->now)
        return PP_ENOMEM;
    if (x->arch->cells == PP_CELLS_OFFSET && (a->digital = pp_alloc_aligned(a->padded, sizeof *a->digital)) == NULL)
        return PP_ENOMEM;
    if (x->fresh_devices && (a->s2 = pp_alloc_aligned(cells, sizeof *a->s2)) == NULL)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < a->padded; c++)
        a->factor[c] = 1;
    for (size_t i = 0; i < columns; i++)
        a->plain_gain[i] = x->block[i / a->padded].weight;
    return PP_OK;
}

static pp_status build_blocks(pp_analog *x)
{
    const pp_arch *arch = x->arch;
    uint32_t wbits = 8, slices = 1, step = (uint32_t)arch->cell_bits;
    bool first = true;
    for (uint32_t s = 0; s < x->q->stages->n; s++) {
        if (x->q->stages->stage[s].matrix == PP_NONE)
            continue;
        if (!first && x->q->stage[s].wbits != wbits && arch->cell_bits > 0)
            return pp_fail(PP_EINVAL, "layer %s: sliced cells need one weight width for all layers (%u and %u bits)",
                           x->q->stages->stage[s].name, wbits, x->q->stage[s].wbits);
        wbits = x->q->stage[s].wbits;
        first = false;
    }
    slices = pp_arch_slices(arch, wbits);
    const bool pair = arch->cells == PP_CELLS_DIFFERENTIAL;
    const uint32_t sides = pair && (arch->subtract == PP_SUBTRACT_DIGITAL || arch->phases >= 4) ? 2 : 1;
    x->n_blocks = slices * sides;
    x->cell_levels = arch->cell_bits > 0 ? (UINT32_C(1) << step) - 1 : 0;
    x->block = pp_calloc(x->n_blocks, sizeof *x->block);
    if (x->block == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < x->n_blocks; i++) {
        const uint32_t slice = i / sides;
        const int side = sides == 1 ? 0 : 1 + (int)(i % sides);
        x->block[i] = (pp_ablock){slice, side, (float)ldexp(side == 2 ? -1 : 1, (int)(slice * step))};
    }
    return PP_OK;
}

static pp_status build_arrays(pp_analog *x)
{
    x->array_of_tile = pp_calloc(x->m->n_tiles, sizeof *x->array_of_tile);
    x->array = pp_calloc(x->m->n_tiles, sizeof *x->array);
    if (x->array_of_tile == NULL || x->array == NULL)
        return PP_ENOMEM;
    for (uint32_t t = 0; t < x->m->n_tiles; t++) {
        x->array_of_tile[t] = PP_NONE;
        pp_astage *s = &x->stage[x->m->tile[t].stage];
        if (!s->matrix)
            continue;
        if (s->n_arrays == 0)
            s->first_array = x->n_arrays;
        s->n_arrays++;
        x->array_of_tile[t] = x->n_arrays;
        PP_TRY(build_array(x, &x->array[x->n_arrays++], t));
    }
    return PP_OK;
}

pp_status pp_analog_build_(pp_analog *x)
{
    x->stage = pp_calloc(x->q->stages->n, sizeof *x->stage);
    if (x->stage == NULL)
        return PP_ENOMEM;
    PP_TRY(build_blocks(x));
    for (uint32_t s = 0; s < x->q->stages->n; s++)
        PP_TRY(build_stage(x, s));
    return build_arrays(x);
}

/* ---- scratch ---- */

static size_t map_size(pp_shape s)
{
    return (size_t)s.h * s.w * s.c;
}

pp_status pp_aslot_new_(const pp_analog *x, pp_aslot *slot)
{
    const pp_stages *stages = x->q->stages;
    slot->stream = pp_calloc(stages->n + 1, sizeof *slot->stream);
    if (slot->stream == NULL)
        return PP_ENOMEM;
    for (uint32_t s = 0; s <= stages->n; s++) {
        slot->stream[s] = pp_alloc_aligned(map_size(pp_stream_shape(x->q->net, stages, s)) + 64, 1);
        if (slot->stream[s] == NULL)
            return PP_ENOMEM;
    }
    return PP_OK;
}

void pp_aslot_free_(const pp_analog *x, pp_aslot *slot)
{
    for (uint32_t s = 0; slot->stream != NULL && s <= x->q->stages->n; s++)
        free(slot->stream[s]);
    free(slot->stream);
    slot->stream = NULL;
}

static pp_status new_scratch(const pp_analog *x, pp_ascratch *w)
{
    const pp_stages *stages = x->q->stages;
    size_t rows = 1, padded = PP_ALANES, cells = 1, map = 1, finish = 1, inputs = 1, planes = 1, rotated = 0, depth = 0, scales = 0, largest = 0;
    PP_TRY(pp_aslot_new_(x, &w->slot));
    for (uint32_t i = 0; i < x->n_arrays; i++) {
        const pp_aarray *a = &x->array[i];
        rows = a->rows > rows ? a->rows : rows;
        padded = a->padded > padded ? a->padded : padded;
        cells = (size_t)a->rows * a->cols > cells ? (size_t)a->rows * a->cols : cells;
    }
    for (uint32_t s = 0; s < stages->n; s++) {
        const bool matrix = x->stage[s].matrix;
        const size_t f = matrix ? pp_qstage_finish_scratch(x->q, s) : pp_qstage_data_scratch(x->q, s);
        finish = f > finish ? f : finish;
        map = map_size(stages->stage[s].fire) > map ? map_size(stages->stage[s].fire) : map;
        inputs = stages->stage[s].n_inputs > inputs ? stages->stage[s].n_inputs : inputs;
        if (x->q->stage[s].rotate != NULL) {
            rotated = map_size(stages->stage[s].in) > rotated ? map_size(stages->stage[s].in) : rotated;
            depth = stages->stage[s].in.c > depth ? stages->stage[s].in.c : depth;
        }
        if (x->stage[s].rescales) {
            const pp_astage *a = &x->stage[s];
            const size_t here = (size_t)a->row_tiles * map_size(stages->stage[s].fire) / a->cout_g;
            const size_t in_here = map_size(stages->stage[s].in) / a->cin_g;
            scales = here > scales ? here : scales;
            largest = in_here > largest ? in_here : largest;
        }
        planes = x->stage[s].n_planes > planes ? x->stage[s].n_planes : planes;
    }
    const size_t in = map_size(x->q->net->ops[0].out);
    if (scales > 0) {
        w->m = pp_alloc_aligned(scales, 1);
        w->largest = pp_alloc_aligned(largest, 1);
        w->m_columns = pp_alloc_aligned(PP_AGROUP * padded, sizeof *w->m_columns);
        if (!w->m || !w->largest || !w->m_columns)
            return PP_ENOMEM;
    }
    w->map = pp_alloc_aligned(planes * x->map_floats + 16, sizeof *w->map);
    w->rotated = pp_alloc_aligned(rotated + 64, 1);
    w->turn = pp_alloc_aligned(2 * depth + 16, sizeof *w->turn);
    w->panel = pp_alloc_aligned(PP_AGROUP * rows + 16, sizeof *w->panel);
    w->square = pp_alloc_aligned(PP_AGROUP * rows + 16, sizeof *w->square);
    w->acc = pp_alloc_aligned(PP_AGROUP * padded, sizeof *w->acc);
    w->var = pp_alloc_aligned(PP_AGROUP * padded, sizeof *w->var);
    w->z = pp_alloc_aligned(PP_AGROUP * padded + 64, sizeof *w->z);
    w->sum_f = pp_alloc_aligned(PP_AGROUP * padded, sizeof *w->sum_f);
    w->psum = pp_alloc_aligned(PP_AGROUP * padded, sizeof *w->psum);
    w->sum = pp_alloc_aligned(map + 16, sizeof *w->sum);
    w->finish = pp_alloc_aligned(finish + 64, 1);
    w->image = pp_alloc_aligned(in, sizeof *w->image);
    w->input = pp_alloc_aligned(in, sizeof *w->input);
    w->in = pp_calloc(inputs, sizeof *w->in);
    w->logits = pp_calloc(map_size(stages->stage[stages->output].out), sizeof *w->logits);
    w->plus = pp_alloc_aligned(cells, sizeof *w->plus);
    w->minus = pp_alloc_aligned(cells, sizeof *w->minus);
    w->s2 = pp_alloc_aligned(cells, sizeof *w->s2);
    const bool ok = w->rotated && w->turn && w->map && w->panel && w->square && w->acc && w->var && w->z && w->sum_f && w->psum && w->sum &&
                    w->finish && w->image && w->input && w->in && w->logits && w->plus && w->minus && w->s2;
    return ok ? PP_OK : PP_ENOMEM;
}

pp_status pp_analog_scratch_(pp_analog *x, unsigned workers)
{
    if (workers <= x->n_scratch)
        return PP_OK;
    pp_ascratch *grown = pp_realloc(x->scratch, workers, sizeof *grown);
    if (grown == NULL)
        return PP_ENOMEM;
    x->scratch = grown;
    while (x->n_scratch < workers) {
        x->scratch[x->n_scratch] = (pp_ascratch){0};
        x->n_scratch++;
        PP_TRY(new_scratch(x, &x->scratch[x->n_scratch - 1]));
    }
    return PP_OK;
}

static void free_scratch(const pp_analog *x, pp_ascratch *w)
{
    pp_aslot_free_(x, &w->slot);
    void *all[] = {w->map, w->panel, w->square, w->acc, w->var, w->z, w->sum_f, w->psum, w->sum, w->finish,
                   w->image, w->input, (void *)w->in, w->logits, w->plus, w->minus, w->s2, w->rotated, w->turn, w->m, w->largest, w->m_columns};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void free_array(pp_aarray *a)
{
    void *all[] = {a->run, a->w, a->s2, a->ideal, a->scale, a->inverse, a->offset, a->gain, a->extra, a->full_scale, a->plain_gain,
                   a->factor, a->digital, a->known, a->known_m, a->reference, a->now, a->count, a->first_scale};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

void pp_analog_free(pp_analog *x)
{
    if (x == NULL)
        return;
    for (uint32_t i = 0; i < x->n_scratch; i++)
        free_scratch(x, &x->scratch[i]);
    free(x->scratch);
    for (uint32_t i = 0; i < x->n_arrays; i++)
        free_array(&x->array[i]);
    free(x->array);
    free(x->array_of_tile);
    for (uint32_t s = 0; x->stage != NULL && s < x->q->stages->n; s++) {
        pp_astage *st = &x->stage[s];
        free(st->plane);
        free(st->line_y);
        free(st->line_x);
        free(st->a);
        free(st->b);
    }
    free(x->stage);
    free(x->block);
    for (size_t i = 0; i < x->warning.len; i++)
        free(x->warning.data[i]);
    free(x->warning.data);
    free(x);
}
