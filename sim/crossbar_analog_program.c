/* The analog engine: weights to targets, targets to devices, devices to packed matrices. */
#include "quant/rotate_stage.h"
#include "sim/crossbar_analog_internal.h"
#include "sim/irdrop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- weights ---- */

/* Kernel position of input line `line` for output `u` of the patch; -1: not read by it. */
static int64_t tap_of(uint32_t line, uint32_t u, uint32_t stride, uint32_t dilation, uint32_t k)
{
    const int64_t at = (int64_t)line - (int64_t)u * stride;
    return at >= 0 && at % dilation == 0 && at / dilation < k ? at / dilation : -1;
}

double pp_analog_weight_(const pp_analog *x, const pp_aarray *a, uint32_t row, uint32_t col, bool *exists)
{
    const pp_astage *s = &x->stage[a->stage];
    const pp_stage *st = &x->q->stages->stage[a->stage];
    const pp_qstage *q = &x->q->stage[a->stage];
    const pp_op *op = &x->q->net->ops[st->matrix];
    const uint32_t width = a->in_hi - a->in_lo, couts = a->out_hi - a->out_lo;
    const uint32_t run = row / width, ci = a->in_lo + row % width, co = a->out_lo + col % couts, u = col / couts;
    const int64_t ky = tap_of(s->line_y[run / s->n_lines_x], u / s->patch.x, s->window.sh, s->window.dh, s->window.kh);
    const int64_t kx = tap_of(s->line_x[run % s->n_lines_x], u % s->patch.x, s->window.sw, s->window.dw, s->window.kw);
    const uint32_t groups = s->is_linear ? 1 : op->groups, depth = st->in.c / groups;
    *exists = ky >= 0 && kx >= 0 && ci / depth == co / (q->cout / groups);
    if (!*exists)
        return 0;
    const size_t at = ((((size_t)co * depth + ci % depth) * s->window.kh) + (size_t)ky) * s->window.kw + (size_t)kx;
    if (x->arch->weights == PP_WEIGHTS_FLOAT)
        return (q->rotate != NULL ? (double)q->rotate->weight[at] : (double)pp_tensor_f32(&op->weight, at)) / q->w_scale[co];
    return q->code[at];
}

static double column_max(const pp_analog *x, const pp_aarray *a, uint32_t col)
{
    const pp_qstage *q = &x->q->stage[a->stage];
    const uint32_t co = a->out_lo + col % (a->out_hi - a->out_lo);
    double most = 0;
    bool exists;
    for (uint32_t r = 0; r < a->rows; r++)
        most = fmax(most, fabs(pp_analog_weight_(x, a, r, col, &exists)) * q->w_scale[co]);
    return most;
}

/* Code units of one conductance range (g_max) in each column. */
static void set_scales(pp_analog *x, uint32_t stage, double *columns)
{
    const pp_astage *s = &x->stage[stage];
    const pp_qstage *q = &x->q->stage[stage];
    double layer = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < s->n_arrays; i++) {
            pp_aarray *a = &x->array[s->first_array + i];
            double tile = 0;
            for (uint32_t c = 0; c < a->cols; c++) {
                columns[c] = column_max(x, a, c);
                tile = fmax(tile, columns[c]);
            }
            layer = fmax(layer, tile);
            for (uint32_t c = 0; c < a->cols && pass == 1; c++) {
                const int scaling = x->arch->weight_scaling;
                const double most = scaling == PP_SCALE_LAYER ? layer : scaling == PP_SCALE_TILE ? tile : columns[c];
                const double unit = q->w_scale[a->out_lo + c % (a->out_hi - a->out_lo)];
                a->scale[c] = x->cell_levels > 0 ? (float)x->cell_levels : most > 0 ? (float)(most / unit) : 1.0f;
            }
        }
    }
}

/* ---- targets: what the devices of a cell should be ---- */

static uint32_t digit(const pp_analog *x, uint32_t value, uint32_t slice)
{
    return (value >> (slice * (uint32_t)x->arch->cell_bits)) & x->cell_levels;
}

/* Added to a weight so that one device carries it; in code units. */
static double bias_of(const pp_analog *x, const pp_aarray *a, uint32_t col)
{
    if (x->arch->cells == PP_CELLS_DIFFERENTIAL)
        return 0;
    return x->cell_levels > 0 ? ldexp(1, (int)x->q->stage[a->stage].wbits - 1) : (double)a->scale[col];
}

/* Targets in [0, 1] of both sides, before gmin. */
static void target(const pp_analog *x, const pp_aarray *a, const pp_ablock *b, double weight, uint32_t col, double *plus,
                   double *minus)
{
    const bool pair = x->arch->cells == PP_CELLS_DIFFERENTIAL;
    *minus = 0;
    if (x->cell_levels == 0) {
        const double scale = (double)a->scale[col];
        if (pair) {
            *plus = fmax(weight / scale, 0);
            *minus = fmax(-weight / scale, 0);
        } else {
            *plus = (weight / scale + 1) / 2;
            *minus = 0.5;
        }
        return;
    }
    const double levels = x->cell_levels;
    if (pair) {
        *plus = weight > 0 ? digit(x, (uint32_t)weight, b->slice) / levels : 0;
        *minus = weight < 0 ? digit(x, (uint32_t)-weight, b->slice) / levels : 0;
    } else {
        const double bias = bias_of(x, a, col);
        *plus = digit(x, (uint32_t)(weight + bias), b->slice) / levels;
        *minus = digit(x, (uint32_t)bias, b->slice) / levels;
    }
}

/* Code units of a normalised conductance difference. */
static double unit_of(const pp_analog *x, const pp_aarray *a, uint32_t col)
{
    const double whole = x->cell_levels == 0 && x->arch->cells != PP_CELLS_DIFFERENTIAL ? 2 : 1;
    return whole * (double)a->scale[col] / (1 - x->arch->gmin_ratio);
}

/* The exact weight of a block: what the array should give. */
static double exact(const pp_analog *x, const pp_aarray *a, const pp_ablock *b, double weight, uint32_t col)
{
    const bool pair = x->arch->cells == PP_CELLS_DIFFERENTIAL;
    if (x->cell_levels == 0 && pair)
        return b->side == 0 ? weight : b->side == 1 ? fmax(weight, 0) : fmax(-weight, 0);
    double plus, minus;
    target(x, a, b, weight, col, &plus, &minus);
    const double levels = x->cell_levels > 0 ? x->cell_levels : 2 * (double)a->scale[col];
    plus = x->cell_levels > 0 ? nearbyint(plus * levels) : plus * levels;
    minus = x->cell_levels > 0 ? nearbyint(minus * levels) : minus * levels;
    if (x->arch->cells == PP_CELLS_OFFSET)
        return plus;
    return b->side == 0 ? plus - minus : b->side == 1 ? plus : minus;
}

/* Offset cells: the digital unit takes bias x (sum of the inputs) off each column. */
static void digital_offset(const pp_analog *x, pp_aarray *a)
{
    for (uint32_t c = 0; c < a->cols && a->digital != NULL; c++)
        a->digital[c] = (float)bias_of(x, a, c);
}

static pp_status targets_of(void *payload, size_t index, unsigned worker)
{
    pp_analog *x = payload;
    pp_aarray *a = &x->array[index];
    (void)worker;
    for (uint32_t b = 0; b < x->n_blocks; b++) {
        for (uint32_t c = 0; c < a->cols; c++) {
            for (uint32_t r = 0; r < a->rows; r++) {
                bool exists;
                const double weight = pp_analog_weight_(x, a, r, c, &exists);
                a->ideal[pp_apacked(a, b, r, c)] =
                    exists || x->arch->cells == PP_CELLS_OFFSET ? (float)exact(x, a, &x->block[b], weight, c) : 0.0f;
            }
        }
    }
    digital_offset(x, a);
    return PP_OK;
}

pp_status pp_analog_targets_(pp_analog *x)
{
    size_t most = 1;
    for (uint32_t i = 0; i < x->n_arrays; i++)
        most = x->array[i].cols > most ? x->array[i].cols : most;
    double *columns = pp_calloc(most, sizeof *columns);
    if (columns == NULL)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < x->q->stages->n; s++)
        if (x->stage[s].matrix)
            set_scales(x, s, columns);
    free(columns);
    return pp_pool_run(NULL, x->n_arrays, targets_of, x);
}

/* ---- devices ---- */

typedef struct cell {
    double mean, var; /* normalised: frozen value, variance of a read */
} cell;

/* A device at the present time, as its column sees it. */
static cell device(const pp_analog *x, const pp_aarray *a, uint32_t index, double wanted)
{
    const double gmin = x->arch->gmin_ratio, g = gmin + (1 - gmin) * wanted;
    const int read = x->noise->read;
    pp_device_state d;
    pp_device_state_of(&d, x->device, x->seed, a->tile, index, g, x->t);
    cell c = {.mean = read == PP_READ_ACCUMULATED || read == PP_READ_BOTH ? d.read : d.drifted};
    if ((read == PP_READ_PER_READ || read == PP_READ_BOTH) && d.read_std > 0) {
        double std;
        pp_clamped_normal(c.mean, d.read_std, &c.mean, &std);
        c.var = std * std;
    }
    return c;
}

/* Conductances of one block of an array into plus, minus (normalised) and the variance of both together. */
static void draw(const pp_analog *x, const pp_aarray *a, uint32_t block, float *plus, float *minus, float *var)
{
    const pp_ablock *b = &x->block[block];
    const bool both_sides = x->arch->cells != PP_CELLS_OFFSET;
    for (uint32_t r = 0; r < a->rows; r++) {
        for (uint32_t c = 0; c < a->cols; c++) {
            const size_t at = (size_t)r * a->cols + c;
            bool exists;
            double want_plus, want_minus;
            const double weight = pp_analog_weight_(x, a, r, c, &exists);
            plus[at] = minus[at] = var[at] = 0;
            if (!exists && x->arch->zero_cells == PP_ZERO_UNPROGRAMMED && x->arch->cells != PP_CELLS_OFFSET)
                continue;
            target(x, a, b, weight, c, &want_plus, &want_minus);
            /* A reference column is one for all columns: its devices are those of column 0. */
            const uint32_t index = ((b->slice * 2) * a->cols + c) * a->rows + r;
            const uint32_t mirror = ((b->slice * 2 + 1) * a->cols + (x->arch->cells == PP_CELLS_REFERENCE_COLUMN ? 0 : c)) * a->rows + r;
            if (x->device->kind->on_weight) {
                /* The error belongs to the weight: one draw, added to whichever side stands. */
                pp_device_state d;
                pp_device_state_of(&d, x->device, x->seed, a->tile, index, want_plus - want_minus, x->t);
                plus[at] = (float)d.read;
                continue;
            }
            if (b->side != 2) {
                const cell p = device(x, a, index, want_plus);
                plus[at] = (float)p.mean;
                var[at] += (float)p.var;
            }
            if (b->side != 1 && both_sides) {
                const cell m = device(x, a, mirror, want_minus);
                minus[at] = (float)m.mean;
                var[at] += (float)m.var;
            }
        }
    }
}

/* Wires: normalised conductances become effective ones. */
static pp_status drop(const pp_analog *x, const pp_aarray *a, float *plus, float *minus)
{
    const size_t n = (size_t)a->rows * a->cols;
    const float unit = (float)x->device->g_max_us;
    const pp_ir_wires wires = pp_ir_wires_of(x->arch);
    for (size_t i = 0; i < n; i++) {
        plus[i] *= unit;
        minus[i] *= unit;
    }
    PP_TRY(pp_ir_effective_pair(plus, minus, a->rows, a->cols, &wires, (pp_ir_model)x->arch->ir_drop));
    for (size_t i = 0; i < n; i++) {
        plus[i] /= unit;
        minus[i] /= unit;
    }
    return PP_OK;
}

static void pack(const pp_analog *x, pp_aarray *a, uint32_t block, const float *plus, const float *minus, const float *var)
{
    const int side = x->block[block].side;
    const double short_term = x->noise->read_std * (side == 0 || x->device->kind->on_weight ? 1 : 0.5);
    for (uint32_t c = 0; c < a->cols; c++) {
        const double unit = unit_of(x, a, c), gmin = x->arch->gmin_ratio;
        for (uint32_t r = 0; r < a->rows; r++) {
            const size_t at = (size_t)r * a->cols + c;
            double g = (double)plus[at] - (double)minus[at];
            g = side == 2 ? -g : g;
            if (side != 0 || x->arch->cells == PP_CELLS_OFFSET)
                g -= gmin; /* the conductance of a zero, taken off digitally */
            a->w[pp_apacked(a, block, r, c)] = (float)(g * unit);
            if (a->s2 != NULL)
                a->s2[pp_apacked(a, block, r, c)] = (float)(((double)var[at] + short_term * short_term) * unit * unit);
        }
    }
}

static pp_status program_array(void *payload, size_t index, unsigned worker)
{
    pp_analog *x = payload;
    pp_aarray *a = &x->array[index];
    pp_ascratch *w = &x->scratch[worker];
    const size_t n = (size_t)x->n_blocks * a->padded * a->rows;
    if (x->only_stale && !a->stale)
        return PP_OK;
    const bool ideal = x->ideal_devices && x->arch->ir_drop == PP_IR_DROP_NONE && x->noise->read_std == 0;
    if (ideal || x->ideal_stage == a->stage) {
        memcpy(a->w, a->ideal, n * sizeof *a->w);
        if (a->s2 != NULL)
            memset(a->s2, 0, n * sizeof *a->s2);
        return PP_OK;
    }
    for (uint32_t b = 0; b < x->n_blocks; b++) {
        draw(x, a, b, w->plus, w->minus, w->s2);
        if (x->arch->ir_drop != PP_IR_DROP_NONE)
            PP_TRY(drop(x, a, w->plus, w->minus));
        pack(x, a, b, w->plus, w->minus, w->s2);
    }
    return PP_OK;
}

pp_status pp_analog_set_weights_(pp_analog *x, uint64_t seed, double t, pp_pool *pool)
{
    x->seed = seed;
    x->t = t;
    return pp_pool_run(pool, x->n_arrays, program_array, x);
}
