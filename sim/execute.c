/* Execution-driven mode: what a firing computes from its buffers, and what leaves with its packets.
 * docs/quantization.md is the arithmetic, docs/timing.md the rules of the buffers. */
#include "quant/rotate_stage.h"
#include "quant/scale_stage.h"
#include "sim/execute_internal.h"

#include "sim/execute_buffer_internal.h"

#include <stdlib.h>
#include <string.h>

/* Records of one tile, values [pixel][column]. */
typedef struct pp_exec_tile {
    pp_sim_ring pending; /* started firings: accumulators, then residual codes */
    pp_sim_ring out;     /* joined, waiting to be emitted: codes, or partial sums */
    size_t patch_values; /* pixels of the firing patch x columns */
    size_t out_values;   /* pixels of an emitted patch x columns */
    int64_t *act;        /* pooled stages: [fire.h x fire.w][columns] */
    uint32_t *act_image; /* inference + 1 that act holds of each pixel; 0: none */
    uint32_t next_out;   /* position of the stream that comes next, in its inference */
    int16_t **map;       /* stages without a matrix: [n_inputs] whole maps that hold what a firing gathered */
} pp_exec_tile;

struct pp_exec {
    const pp_sim *s;
    uint32_t images, classes;
    pp_exec_buffers *buffers;
    pp_exec_tile *tile;
    int64_t *window; /* gathered inputs of one firing */
    size_t window_values;
    int64_t *sum, *act; /* [widest cout] */
    uint32_t *factor;   /* [widest cout] m of a firing's groups */
    int16_t *residual;  /* [widest cout] */
    double *logits;
};

/* ---- making and freeing ---- */

static uint32_t columns_of(const pp_sim *s, uint32_t tile)
{
    return s->m->tile[tile].out_hi - s->m->tile[tile].out_lo;
}

static uint32_t pixels_of(pp_shape map, pp_patch patch)
{
    return (patch.y < map.h ? patch.y : map.h) * (patch.x < map.w ? patch.x : map.w);
}

static pp_status maps_new(const pp_sim *s, const pp_stage *stage, pp_exec_tile *t)
{
    t->map = pp_calloc(stage->n_inputs, sizeof *t->map);
    for (uint32_t k = 0; t->map && k < stage->n_inputs; k++) {
        pp_shape shape = pp_stream_shape(s->q->net, s->q->stages, stage->inputs[k].stream);
        t->map[k] = pp_calloc((size_t)shape.h * shape.w * shape.c, sizeof *t->map[k]);
        if (!t->map[k])
            return PP_ENOMEM;
    }
    return t->map ? PP_OK : PP_ENOMEM;
}

static void maps_free(const pp_sim *s, uint32_t tile, pp_exec_tile *t)
{
    for (uint32_t k = 0; t->map && k < s->q->stages->stage[s->tile[tile].stage].n_inputs; k++)
        free(t->map[k]);
    free(t->map);
}

static pp_status tile_new(pp_exec *x, uint32_t index)
{
    const pp_sim *s = x->s;
    const pp_stage *stage = &s->q->stages->stage[s->tile[index].stage];
    const pp_plan *plan = &s->m->plan[s->tile[index].stage];
    uint32_t columns = columns_of(s, index);
    pp_exec_tile *t = &x->tile[index];
    t->patch_values = (size_t)pixels_of(stage->fire, plan->patch) * columns;
    t->out_values = s->tile[index].head ? (size_t)pixels_of(stage->out, plan->out_patch) * columns : t->patch_values;
    pp_sim_ring_init(&t->pending, 2 * t->patch_values * sizeof(int64_t));
    pp_sim_ring_init(&t->out, t->out_values * sizeof(int64_t));
    if (stage->matrix == PP_NONE)
        PP_TRY(maps_new(s, stage, t));
    if (stage->pool == PP_NONE || !s->tile[index].head)
        return PP_OK;
    size_t pixels = (size_t)stage->fire.h * stage->fire.w;
    t->act = pp_calloc(pixels * columns, sizeof *t->act);
    t->act_image = pp_calloc(pixels, sizeof *t->act_image);
    return t->act && t->act_image ? PP_OK : PP_ENOMEM;
}

static pp_status scratch_new(pp_exec *x)
{
    const pp_sim *s = x->s;
    size_t widest = 1;
    for (uint32_t i = 0; i < s->m->n_stages; i++) {
        const pp_stage *stage = &s->q->stages->stage[i];
        widest = stage->fire.c > widest ? stage->fire.c : widest;
        for (uint32_t k = 0; k < stage->n_inputs; k++) {
            pp_shape in = pp_stream_shape(s->q->net, s->q->stages, stage->inputs[k].stream);
            size_t values = (size_t)in.h * in.w * in.c;
            x->window_values = values > x->window_values ? values : x->window_values;
        }
    }
    pp_shape logits = s->q->stages->stage[s->q->stages->output].out;
    x->classes = logits.h * logits.w * logits.c;
    x->window = pp_calloc(x->window_values, sizeof *x->window);
    x->sum = pp_calloc(widest, sizeof *x->sum);
    x->factor = pp_calloc(widest, sizeof *x->factor);
    x->act = pp_calloc(widest, sizeof *x->act);
    x->residual = pp_calloc(widest, sizeof *x->residual);
    x->logits = pp_calloc((size_t)x->images * x->classes, sizeof *x->logits);
    return x->window && x->sum && x->factor && x->act && x->residual && x->logits ? PP_OK : PP_ENOMEM;
}

pp_status pp_exec_new(pp_exec **out, const pp_sim *s, const pp_dataset *data, uint32_t images)
{
    pp_exec *x = pp_calloc(1, sizeof *x);
    if (!x)
        return PP_ENOMEM;
    *out = x; /* the caller frees it also when the rest fails */
    x->s = s;
    x->images = images;
    PP_TRY(scratch_new(x));
    PP_TRY(pp_exec_buffers_new(&x->buffers, s, data, images));
    x->tile = pp_calloc(s->m->n_tiles, sizeof *x->tile);
    if (!x->tile)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < s->m->n_tiles; i++)
        PP_TRY(tile_new(x, i));
    return PP_OK;
}

void pp_exec_free(pp_exec *x)
{
    if (!x)
        return;
    for (uint32_t i = 0; x->tile && i < x->s->m->n_tiles; i++) {
        free(x->tile[i].pending.data);
        free(x->tile[i].out.data);
        free(x->tile[i].act);
        free(x->tile[i].act_image);
        maps_free(x->s, i, &x->tile[i]);
    }
    free(x->tile);
    pp_exec_buffers_free(x->buffers);
    free(x->window);
    free(x->sum);
    free(x->factor);
    free(x->act);
    free(x->residual);
    free(x->logits);
    free(x);
}

const double *pp_exec_logits(const pp_exec *x, uint32_t *images, uint32_t *classes)
{
    *images = x->images;
    *classes = x->classes;
    return x->logits;
}

/* A new record, zero: patches at the edges do not fill theirs. */
static pp_status push(pp_sim_ring *ring, int64_t **record)
{
    if (pp_sim_ring_full(ring))
        PP_TRY(pp_sim_ring_grow(ring));
    *record = memset(pp_sim_ring_at(ring, ring->tail++), 0, ring->size);
    return PP_OK;
}

/* ---- firing: accumulators from the buffers ---- */

static pp_rect patch_rect(pp_shape map, pp_patch patch, uint32_t p)
{
    uint32_t columns = (map.w + patch.x - 1) / patch.x;
    uint32_t y0 = p / columns * patch.y, x0 = p % columns * patch.x;
    uint32_t y1 = y0 + patch.y - 1, x1 = x0 + patch.x - 1;
    return (pp_rect){y0, x0, y1 < map.h ? y1 : map.h - 1, x1 < map.w ? x1 : map.w - 1};
}

/* One output channel at one output pixel: the weights of the tile's rows times the gathered window. */
typedef struct pp_dot {
    const pp_op *op;
    const int8_t *code; /* [cout][Cin / groups][kh][kw] */
    uint32_t cout, cpg; /* output channels; input channels a group */
    uint32_t kh, kw, in_lo, in_hi;
    uint32_t held_lo, held_hi; /* channels in the window */
    pp_rect in; /* that the window holds */
} pp_dot;

static bool tap_inside(uint32_t at, uint32_t before, uint32_t lo, uint32_t hi, uint32_t *out)
{
    if (at < before + lo || at - before > hi)
        return false;
    *out = at - before - lo;
    return true;
}

static int64_t dot(const pp_exec *x, const pp_dot *d, uint32_t o, uint32_t oy, uint32_t ox)
{
    const pp_window *w = &d->op->window;
    bool map = d->op->kind == PP_OP_LINEAR; /* reads the whole map: one window */
    uint32_t group_lo = o / (d->cout / (map ? 1 : d->op->groups)) * d->cpg;
    uint32_t lo = d->in_lo > group_lo ? d->in_lo : group_lo;
    uint32_t hi = d->in_hi < group_lo + d->cpg ? d->in_hi : group_lo + d->cpg;
    uint32_t channels = d->held_hi - d->held_lo, width = d->in.x1 - d->in.x0 + 1, iy, ix;
    int64_t acc = 0;
    for (uint32_t ky = 0; ky < d->kh; ky++) {
        if (!tap_inside(map ? ky : oy * w->sh + ky * w->dh, map ? 0 : w->top, d->in.y0, d->in.y1, &iy))
            continue;
        for (uint32_t kx = 0; kx < d->kw; kx++) {
            if (!tap_inside(map ? kx : ox * w->sw + kx * w->dw, map ? 0 : w->left, d->in.x0, d->in.x1, &ix))
                continue;
            const int64_t *pixel = x->window + ((size_t)iy * width + ix) * channels;
            for (uint32_t c = lo; c < hi; c++) {
                size_t at = (((size_t)o * d->cpg + c - group_lo) * d->kh + ky) * d->kw + kx;
                acc += d->code[at] * pixel[c - d->held_lo];
            }
        }
    }
    return acc;
}

static pp_dot dot_of(const pp_exec *x, const pp_tile *tile, pp_rect in)
{
    const pp_stage *stage = &x->s->q->stages->stage[tile->stage];
    const pp_op *op = &x->s->q->net->ops[stage->matrix];
    bool map = op->kind == PP_OP_LINEAR;
    return (pp_dot){.op = op,
                    .code = x->s->q->stage[tile->stage].code,
                    .cout = stage->fire.c,
                    .cpg = map ? stage->in.c : stage->in.c / op->groups,
                    .kh = map ? stage->in.h : op->window.kh,
                    .kw = map ? stage->in.w : op->window.kw,
                    .in_lo = tile->in_lo,
                    .in_hi = tile->in_hi,
                    .in = in};
}

/* ---- codes made anew (quant/scale_stage.h) ---- */

/* Largest |value| in the window that the output pixels `out` read, channels [lo, hi). */
static int64_t largest(const pp_exec *x, const pp_dot *d, pp_rect out, uint32_t lo, uint32_t hi)
{
    const pp_window *w = &d->op->window;
    const bool map = d->op->kind == PP_OP_LINEAR;
    const uint32_t channels = d->held_hi - d->held_lo, width = d->in.x1 - d->in.x0 + 1;
    uint32_t iy, ix;
    int64_t most = 1;
    for (uint32_t oy = out.y0; oy <= out.y1; oy++)
        for (uint32_t ky = 0; ky < d->kh; ky++) {
            if (!tap_inside(map ? ky : oy * w->sh + ky * w->dh, map ? 0 : w->top, d->in.y0, d->in.y1, &iy))
                continue;
            for (uint32_t ox = out.x0; ox <= out.x1; ox++)
                for (uint32_t kx = 0; kx < d->kw; kx++) {
                    if (!tap_inside(map ? kx : ox * w->sw + kx * w->dw, map ? 0 : w->left, d->in.x0, d->in.x1, &ix))
                        continue;
                    const int64_t *pixel = x->window + ((size_t)iy * width + ix) * channels;
                    for (uint32_t c = lo; c < hi; c++)
                        most = llabs(pixel[c - d->held_lo]) > most ? llabs(pixel[c - d->held_lo]) : most;
                }
        }
    return most;
}

/* Codes of the tile's rows of one group in place; returns m. */
static uint32_t make_codes(pp_exec *x, uint32_t tile, const pp_dot *d, pp_rect out, uint32_t group)
{
    const pp_qnetwork *q = x->s->q;
    const pp_tile *t = &x->s->m->tile[tile];
    const pp_qformat dac = pp_qstage_dac(q, t->stage);
    const uint32_t first = group * d->cpg, end = first + d->cpg;
    const bool all = q->options.activation_scale == PP_QSCALE_TOKEN;
    const uint32_t lo = all || d->in_lo < first ? first : d->in_lo, hi = all || d->in_hi > end ? end : d->in_hi;
    const uint32_t m = q->options.activation_scale == PP_QSCALE_STATIC ? q->stage[t->stage].factor : (uint32_t)largest(x, d, out, lo, hi);
    const uint32_t channels = d->held_hi - d->held_lo;
    const size_t pixels = (size_t)(d->in.y1 - d->in.y0 + 1) * (d->in.x1 - d->in.x0 + 1);
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t c = lo; c < hi; c++) {
            int64_t *v = &x->window[p * channels + c - d->held_lo];
            *v = pp_qrescale_code(&dac, (int32_t)*v, m);
        }
    return m;
}

static pp_status accumulate(pp_exec *x, uint32_t tile, uint32_t image, pp_rect out, int64_t *acc)
{
    const pp_qnetwork *q = x->s->q;
    const pp_tile *t = &x->s->m->tile[tile];
    const pp_stage *stage = &q->stages->stage[t->stage];
    pp_rect in = {0, 0, stage->in.h - 1, stage->in.w - 1};
    bool reads = q->net->ops[stage->matrix].kind == PP_OP_LINEAR || pp_op_reads(q->net, stage->matrix, 0, out, &in);
    pp_dot d = dot_of(x, t, in);
    pp_tile_needs(q, t, 0, &d.held_lo, &d.held_hi);
    if (reads)
        PP_TRY(pp_exec_gather(x->buffers, tile, 0, image, in, d.held_lo, d.held_hi, x->window));
    if (reads && pp_qrotates_here(q, t->stage))
        PP_TRY(pp_qrotate_span(q, t->stage, d.held_lo, d.held_hi, x->window,
                               (size_t)(in.y1 - in.y0 + 1) * (in.x1 - in.x0 + 1)));
    const uint32_t groups = d.op->kind == PP_OP_LINEAR ? 1 : d.op->groups, each = d.cout / groups;
    const bool rescales = reads && pp_qrescales(q, t->stage);
    for (uint32_t g = d.held_lo / d.cpg; rescales && g * d.cpg < d.held_hi; g++)
        x->factor[g] = make_codes(x, tile, &d, out, g);
    for (uint32_t y = out.y0; y <= out.y1; y++)
        for (uint32_t xx = out.x0; xx <= out.x1; xx++)
            for (uint32_t o = t->out_lo; o < t->out_hi; o++)
                *acc++ = reads ? pp_qstage_psum_scaled(q, t->stage, dot(x, &d, o, y, xx), rescales ? x->factor[o / each] : 1) : 0;
    return PP_OK;
}

/* Part `r` of input k in its whole map: read (put), or poisoned again so that no later firing finds it. */
static void map_part(const pp_exec *x, uint32_t tile, uint32_t k, pp_rect r, bool put)
{
    const pp_stage *stage = &x->s->q->stages->stage[x->s->tile[tile].stage];
    pp_shape shape = pp_stream_shape(x->s->q->net, x->s->q->stages, stage->inputs[k].stream);
    const int64_t *from = x->window;
    for (uint32_t y = r.y0; y <= r.y1; y++)
        for (uint32_t xx = r.x0; xx <= r.x1; xx++)
            for (uint32_t c = 0; c < shape.c; c++, from++)
                x->tile[tile].map[k][((size_t)y * shape.w + xx) * shape.c + c] = put ? (int16_t)*from : INT16_MIN;
}

/* Stages without a matrix: all their work is digital and done at the firing. */
static pp_status compute_data(pp_exec *x, uint32_t tile, uint32_t image, pp_rect out, int64_t *act)
{
    const pp_sim *s = x->s;
    uint32_t index = s->tile[tile].stage;
    const pp_stage *stage = &s->q->stages->stage[index];
    for (uint32_t y = out.y0; y <= out.y1; y++)
        for (uint32_t xx = out.x0; xx <= out.x1; xx++, act += stage->fire.c) {
            pp_rect pixel = {y, xx, y, xx}, in;
            for (uint32_t k = 0; k < stage->n_inputs; k++) {
                uint32_t channels = pp_stream_shape(s->q->net, s->q->stages, stage->inputs[k].stream).c;
                if (!pp_op_reads(s->q->net, stage->first_op, k, pixel, &in))
                    continue;
                PP_TRY(pp_exec_gather(x->buffers, tile, k, image, in, 0, channels, x->window));
                map_part(x, tile, k, in, true);
            }
            pp_qstage_data_pixel(s->q, index, y, xx, (const int16_t *const *)x->tile[tile].map, act);
            for (uint32_t k = 0; k < stage->n_inputs; k++)
                if (pp_op_reads(s->q->net, stage->first_op, k, pixel, &in))
                    map_part(x, tile, k, in, false);
        }
    return PP_OK;
}

pp_status pp_exec_fire(pp_exec *x, uint32_t tile, uint32_t image, uint32_t position)
{
    if (image >= x->images)
        return PP_OK;
    const pp_tile *t = &x->s->m->tile[tile];
    const pp_stage *stage = &x->s->q->stages->stage[t->stage];
    pp_rect out = patch_rect(stage->fire, x->s->m->plan[t->stage].patch, position);
    int64_t *record;
    PP_TRY(push(&x->tile[tile].pending, &record));
    if (stage->matrix == PP_NONE)
        return compute_data(x, tile, image, out, record);
    PP_TRY(accumulate(x, tile, image, out, record));
    if (stage->add == PP_NONE || !t->head)
        return PP_OK;
    return pp_exec_gather(x->buffers, tile, 1, image, out, t->out_lo, t->out_hi, record + x->tile[tile].patch_values);
}

/* ---- joining: the digital unit ---- */

/* Sum of one pixel's columns -> activated values in psum units, in place. */
static void activate(pp_exec *x, uint32_t tile, int64_t *values, const int64_t *residual)
{
    const pp_tile *t = &x->s->m->tile[tile];
    uint32_t columns = t->out_hi - t->out_lo;
    bool add = x->s->q->stages->stage[t->stage].add != PP_NONE;
    for (uint32_t c = 0; c < columns; c++) {
        x->sum[t->out_lo + c] = pp_saturate(values[c], x->s->q->psum_bits);
        x->residual[t->out_lo + c] = add ? (int16_t)residual[c] : 0;
    }
    pp_qstage_digital_pixel(x->s->q, t->stage, x->sum, add ? x->residual : NULL, x->act);
    for (uint32_t c = 0; c < columns; c++)
        values[c] = x->act[t->out_lo + c];
}

/* Pooling that ends in this stage's stream: fused, or the stage itself; NULL: none. */
static const pp_op *pool_of(const pp_exec *x, const pp_stage *stage)
{
    const pp_op *op = &x->s->q->net->ops[stage->pool == PP_NONE ? stage->first_op : stage->pool];
    bool pools = op->kind == PP_OP_MAX_POOL || op->kind == PP_OP_AVG_POOL || op->kind == PP_OP_GLOBAL_POOL;
    return pools ? op : NULL;
}

/* Taps of a window along one axis that lie inside the map. */
static uint32_t taps_inside(uint32_t out, uint32_t stride, uint32_t taps, uint32_t step, uint32_t before, uint32_t size)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < taps; k++) {
        uint32_t at = out * stride + k * step;
        n += at >= before && at - before < size;
    }
    return n;
}

/* What an average divides by at (y, x) of the stream, and with a full window. */
static uint32_t divisor_at(const pp_op *pool, uint32_t y, uint32_t x, uint32_t *full)
{
    const pp_window *w = &pool->window;
    *full = 1;
    if (pool->kind == PP_OP_MAX_POOL)
        return 1;
    *full = pool->kind == PP_OP_GLOBAL_POOL ? pool->in.h * pool->in.w : w->kh * w->kw;
    if (pool->kind == PP_OP_GLOBAL_POOL || w->count_padding)
        return *full;
    uint32_t valid = taps_inside(y, w->sh, w->kh, w->dh, w->top, pool->in.h) *
                     taps_inside(x, w->sw, w->kw, w->dw, w->left, pool->in.w);
    return valid ? valid : *full;
}

/* Code of a channel at pixel (y, x) of the stream; on the last stage the logit. */
static int64_t finish_value(pp_exec *x, uint32_t tile, uint32_t image, uint32_t y, uint32_t xx, uint32_t column,
                            int64_t pooled)
{
    const pp_tile *t = &x->s->m->tile[tile];
    const pp_stage *stage = &x->s->q->stages->stage[t->stage];
    uint32_t channel = t->out_lo + column, full = 1, divisor = 1;
    const pp_op *op = pool_of(x, stage);
    if (op)
        divisor = divisor_at(op, y, xx, &full);
    if (t->stage != x->s->q->stages->output)
        return pp_qstage_requant_partial(x->s->q, t->stage, channel, pooled, full, divisor);
    size_t at = ((size_t)y * stage->out.w + xx) * stage->out.c + channel;
    x->logits[(size_t)image * x->classes + at] = (double)pooled * x->s->q->stage[t->stage].unit[channel] / divisor;
    return pooled;
}

/* Words of one pixel's channels -> codes, where the stream is rotated; no block reaches beyond a column tile. */
static void rotate_out(const pp_exec *x, uint32_t tile, int64_t *values)
{
    const pp_tile *t = &x->s->m->tile[tile];
    if (x->s->q->stage[t->stage].rotate_out != NULL)
        pp_qrotate_out(x->s->q, t->stage, t->out_lo, t->out_hi, values);
}

/* Without pooling the firing's pixels are the position. */
static pp_status emit_plain(pp_exec *x, uint32_t tile, uint32_t image, pp_rect r, const int64_t *act)
{
    uint32_t columns = columns_of(x->s, tile);
    int64_t *out;
    PP_TRY(push(&x->tile[tile].out, &out));
    for (uint32_t y = r.y0; y <= r.y1; y++)
        for (uint32_t xx = r.x0; xx <= r.x1; xx++, out += columns) {
            for (uint32_t c = 0; c < columns; c++)
                out[c] = finish_value(x, tile, image, y, xx, c, *act++);
            rotate_out(x, tile, out);
        }
    return PP_OK;
}

/* Fused pooling of one channel at pixel (y, x) of the stream; an empty window gives 0. */
static pp_status pool_value(const pp_exec *x, uint32_t tile, uint32_t image, uint32_t y, uint32_t xx, uint32_t column,
                            int64_t *out)
{
    const pp_exec_tile *t = &x->tile[tile];
    const pp_stage *stage = &x->s->q->stages->stage[x->s->m->tile[tile].stage];
    const pp_op *op = &x->s->q->net->ops[stage->pool];
    bool global = op->kind == PP_OP_GLOBAL_POOL, max = op->kind == PP_OP_MAX_POOL, any = false;
    uint32_t kh = global ? stage->fire.h : op->window.kh, kw = global ? stage->fire.w : op->window.kw, iy, ix;
    uint32_t columns = columns_of(x->s, tile);
    *out = 0;
    for (uint32_t ky = 0; ky < kh; ky++)
        for (uint32_t kx = 0; kx < kw; kx++) {
            uint32_t ay = global ? ky : y * op->window.sh + ky * op->window.dh;
            uint32_t ax = global ? kx : xx * op->window.sw + kx * op->window.dw;
            if (!tap_inside(ay, global ? 0 : op->window.top, 0, stage->fire.h - 1, &iy) ||
                !tap_inside(ax, global ? 0 : op->window.left, 0, stage->fire.w - 1, &ix))
                continue;
            size_t pixel = (size_t)iy * stage->fire.w + ix;
            if (t->act_image[pixel] != image + 1)
                return pp_fail(PP_EINTERNAL, "stage '%s': pooling reads pixel (%u,%u) before it is computed",
                               stage->name, iy, ix);
            int64_t v = t->act[pixel * columns + column];
            *out = !max ? *out + v : !any || v > *out ? v : *out;
            any = true;
        }
    return PP_OK;
}

static pp_status emit_pooled(pp_exec *x, uint32_t tile, uint32_t image, uint32_t position)
{
    const pp_stage *stage = &x->s->q->stages->stage[x->s->m->tile[tile].stage];
    uint32_t y = position / stage->out.w, xx = position % stage->out.w, columns = columns_of(x->s, tile);
    int64_t *out, pooled;
    PP_TRY(push(&x->tile[tile].out, &out));
    for (uint32_t c = 0; c < columns; c++) {
        PP_TRY(pool_value(x, tile, image, y, xx, c, &pooled));
        out[c] = finish_value(x, tile, image, y, xx, c, pooled);
    }
    rotate_out(x, tile, out);
    return PP_OK;
}

/* Keeps the pixels of a firing for pooling, and pools what is complete with it. */
static pp_status pool(pp_exec *x, uint32_t tile, uint32_t image, uint32_t firing, pp_rect r, const int64_t *act)
{
    const pp_sim_tile *st = &x->s->tile[tile];
    const pp_stage *stage = &x->s->q->stages->stage[st->stage];
    pp_exec_tile *t = &x->tile[tile];
    uint32_t columns = columns_of(x->s, tile);
    for (uint32_t y = r.y0; y <= r.y1; y++)
        for (uint32_t xx = r.x0; xx <= r.x1; xx++) {
            size_t pixel = (size_t)y * stage->fire.w + xx;
            t->act_image[pixel] = image + 1;
            for (uint32_t c = 0; c < columns; c++)
                t->act[pixel * columns + c] = *act++;
        }
    for (uint32_t i = 0; i < st->emission[firing]; i++)
        PP_TRY(emit_pooled(x, tile, image, t->next_out++));
    if (firing + 1 == st->firings)
        t->next_out = 0;
    return PP_OK;
}

/* A head finishes the sums of a firing. */
static pp_status finish(pp_exec *x, uint32_t tile, uint32_t image, uint32_t firing, int64_t *sums,
                        const int64_t *residual)
{
    const pp_sim_tile *st = &x->s->tile[tile];
    const pp_stage *stage = &x->s->q->stages->stage[st->stage];
    uint32_t columns = columns_of(x->s, tile);
    pp_rect r = patch_rect(stage->fire, x->s->m->plan[st->stage].patch, st->copy + firing * st->copies);
    uint32_t pixels = (r.y1 - r.y0 + 1) * (r.x1 - r.x0 + 1);
    for (uint32_t i = 0; i < pixels && stage->matrix != PP_NONE; i++)
        activate(x, tile, sums + (size_t)i * columns, residual + (size_t)i * columns);
    return stage->pool == PP_NONE ? emit_plain(x, tile, image, r, sums) : pool(x, tile, image, firing, r, sums);
}

pp_status pp_exec_join(pp_exec *x, uint32_t tile, uint64_t firing)
{
    const pp_sim_tile *st = &x->s->tile[tile];
    uint32_t image = (uint32_t)(firing / st->firings), own = (uint32_t)(firing % st->firings);
    if (image >= x->images)
        return PP_OK;
    pp_exec_tile *t = &x->tile[tile];
    if (t->pending.head == t->pending.tail)
        return pp_fail(PP_EINTERNAL, "stage '%s': a result without a firing", x->s->q->stages->stage[st->stage].name);
    int64_t *sums = pp_sim_ring_at(&t->pending, t->pending.head++);
    for (uint32_t i = 0; i < st->n_psum; i++) {
        uint32_t flow = x->s->psum_flow[st->first_psum + i];
        const int64_t *more;
        PP_TRY(pp_exec_read(x->buffers, flow, firing, &more));
        for (size_t v = 0; v < t->patch_values; v++)
            sums[v] += more[v];
        pp_exec_buffers_release(x->buffers, flow, firing + 1);
    }
    if (st->head)
        return finish(x, tile, image, own, sums, sums + t->patch_values);
    int64_t *out;
    PP_TRY(push(&t->out, &out));
    for (size_t v = 0; v < t->patch_values; v++)
        out[v] = sums[v];
    return PP_OK;
}

/* ---- packets ---- */

pp_status pp_exec_emit(pp_exec *x, uint32_t tile, uint32_t image)
{
    if (image >= x->images)
        return PP_OK;
    const pp_sim *s = x->s;
    const pp_sim_tile *st = &s->tile[tile];
    pp_exec_tile *t = &x->tile[tile];
    if (t->out.head == t->out.tail)
        return pp_fail(PP_EINTERNAL, "stage '%s': a packet without values", s->q->stages->stage[st->stage].name);
    const int64_t *values = pp_sim_ring_at(&t->out, t->out.head++);
    uint32_t columns = columns_of(s, tile);
    for (uint32_t n = 0; n < st->n_net; n++) {
        const pp_net *net = &s->m->net[s->m->net_of_tile[st->first_net + n]];
        for (uint32_t i = 0; i < net->n_flows; i++)
            PP_TRY(pp_exec_depart(x->buffers, s->m->net_flow[net->first_flow + i], values, columns,
                                  s->m->tile[tile].out_lo, t->out_values / columns));
    }
    return PP_OK;
}

pp_status pp_exec_arrive(pp_exec *x, uint32_t flow, uint64_t packet)
{
    return packet / x->s->flow[flow].positions < x->images ? pp_exec_buffers_arrive(x->buffers, flow) : PP_OK;
}

void pp_exec_release(pp_exec *x, uint32_t flow, uint64_t until)
{
    uint64_t most = (uint64_t)x->images * x->s->flow[flow].positions;
    pp_exec_buffers_release(x->buffers, flow, until < most ? until : most);
}
