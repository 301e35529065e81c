/* The numeric path in plain loops, tile by tile as the mapping stands: what the fast path must equal. */
#include "quant/rotate_stage.h"
#include "quant/scale_stage.h"
#include "sim/crossbar_internal.h"

#include <stdlib.h>

typedef struct layer {
    const pp_crossbar *x;
    uint32_t stage;
    const pp_stage *s;
    const pp_op *op;
    const int16_t *in;
    int64_t *sum; /* [fire.h][fire.w][cout] */
} layer;

/* Kernel extent: a linear operator reads its whole map. */
static pp_window window_of(const layer *l)
{
    if (l->op->kind == PP_OP_CONV)
        return l->op->window;
    return (pp_window){.kh = l->s->in.h, .kw = l->s->in.w, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
}

/* m of the firing of output pixel (y, x) for output channel c: rows are input channels [lo, hi). 0: codes as they are. */
static uint32_t factor_of(const layer *l, uint32_t y, uint32_t x, uint32_t c, uint32_t lo, uint32_t hi)
{
    const pp_patch patch = l->x->m->plan[l->stage].patch;
    const uint32_t groups = l->op->kind == PP_OP_CONV ? l->op->groups : 1, depth = l->s->in.c / groups;
    if (!pp_qrescales(l->x->q, l->stage))
        return 0;
    pp_qfiring f = pp_qfiring_at(l->x->q, l->stage, (const uint32_t[]){patch.y, patch.x}, y, x);
    f.group = c / (l->s->fire.c / groups);
    const uint32_t first = f.group * depth;
    f.lo = lo > first ? lo - first : 0;
    f.hi = hi < first + depth ? hi - first : depth;
    return pp_qrescale_factor(l->x->q, l->stage, &f, l->in);
}

/* Sum of one column of a tile at output pixel (y, x): rows are input channels [lo, hi). m: of codes made anew, or 0. */
static int64_t column(const layer *l, const pp_window *w, uint32_t y, uint32_t x, uint32_t c, uint32_t lo, uint32_t hi, uint32_t m)
{
    const pp_qformat dac = pp_qstage_dac(l->x->q, l->stage);
    const pp_qstage *q = &l->x->q->stage[l->stage];
    uint32_t groups = l->op->kind == PP_OP_CONV ? l->op->groups : 1, depth = l->s->in.c / groups;
    uint32_t base = c / (q->cout / groups) * depth;
    int64_t acc = 0;
    for (uint32_t i = 0; i < depth; i++) {
        if (base + i < lo || base + i >= hi)
            continue;
        for (uint32_t ky = 0; ky < w->kh; ky++) {
            for (uint32_t kx = 0; kx < w->kw; kx++) {
                int64_t iy = (int64_t)y * w->sh + (int64_t)ky * w->dh - w->top;
                int64_t ix = (int64_t)x * w->sw + (int64_t)kx * w->dw - w->left;
                if (iy < 0 || ix < 0 || iy >= l->s->in.h || ix >= l->s->in.w)
                    continue;
                int64_t code = q->code[((c * (size_t)depth + i) * w->kh + ky) * w->kw + kx];
                const int32_t in = l->in[((size_t)iy * l->s->in.w + (size_t)ix) * l->s->in.c + base + i];
                acc += code * (m > 0 ? pp_qrescale_code(&dac, in, m) : in);
            }
        }
    }
    return acc;
}

static void add_tile(const layer *l, const pp_tile *t)
{
    pp_window w = window_of(l);
    const pp_xrow *row = &l->x->stage[l->stage].row[t->row];
    uint32_t cout = l->x->q->stage[l->stage].cout;
    for (uint32_t y = 0; y < l->s->fire.h; y++) {
        for (uint32_t x = 0; x < l->s->fire.w; x++) {
            for (uint32_t c = t->out_lo; c < t->out_hi; c++) {
                const uint32_t m = factor_of(l, y, x, c, t->in_lo, t->in_hi);
                int64_t acc = column(l, &w, y, x, c, t->in_lo, t->in_hi, m);
                l->sum[((size_t)y * l->s->fire.w + x) * cout + c] +=
                    pp_xconvert_one(l->x, l->stage, row, l->x->code_max == 0, c, (int32_t)acc, m > 0 ? m : 1);
            }
        }
    }
}

/* Sums of all tiles (those of one copy: copies compute the same) and the digital end of every pixel. */
static void matrix_stage(const layer *l, const int16_t *residual, int64_t *act)
{
    const pp_plan *plan = &l->x->m->plan[l->stage];
    uint32_t cout = l->x->q->stage[l->stage].cout;
    size_t pixels = (size_t)l->s->fire.h * l->s->fire.w;
    for (uint32_t t = 0; t < plan->row_tiles * plan->col_tiles; t++)
        add_tile(l, &l->x->m->tile[plan->first_tile + t]);
    for (size_t p = 0; p < pixels; p++) {
        for (uint32_t c = 0; c < cout; c++)
            l->sum[p * cout + c] = pp_saturate(l->sum[p * cout + c], l->x->q->psum_bits);
        pp_qstage_digital_pixel(l->x->q, l->stage, l->sum + p * cout, residual != NULL ? residual + p * cout : NULL,
                                act + p * cout);
    }
}

static pp_status run_stage(const pp_crossbar *x, uint32_t stage, int16_t **streams, double *logits)
{
    const pp_stage *s = &x->q->stages->stage[stage];
    size_t n = (size_t)s->fire.h * s->fire.w * s->fire.c;
    int64_t *sum = pp_calloc(n, sizeof *sum), *act = pp_calloc(n, sizeof *act);
    const int16_t **in = pp_calloc(s->n_inputs, sizeof *in);
    pp_status status = sum != NULL && act != NULL && in != NULL ? PP_OK : PP_ENOMEM;
    if (status == PP_OK) {
        const int16_t *residual = NULL;
        for (uint32_t k = 0; k < s->n_inputs; k++) {
            in[k] = streams[s->inputs[k].stream];
            residual = s->inputs[k].role == PP_ROLE_ADD ? in[k] : residual;
        }
        layer l = {x, stage, s, s->matrix != PP_NONE ? &x->q->net->ops[s->matrix] : NULL, in[0], sum};
        int16_t *rotated = NULL;
        if (l.op != NULL && pp_qrotates_here(x->q, stage))
            status = pp_qrotate_reference(x->q, stage, in[0], (size_t)s->in.h * s->in.w, &rotated);
        l.in = rotated != NULL ? rotated : in[0];
        if (l.op != NULL && status == PP_OK)
            matrix_stage(&l, residual, act);
        free(rotated);
        for (uint32_t p = 0; l.op == NULL && p < s->fire.h * s->fire.w; p++)
            pp_qstage_data_pixel(x->q, stage, p / s->fire.w, p % s->fire.w, in, act + (size_t)p * s->fire.c);
        bool last = stage == x->q->stages->output;
        pp_qstage_tail(x->q, stage, act, last ? NULL : streams[stage + 1], last ? logits : NULL);
    }
    free(sum);
    free(act);
    free(in);
    return status;
}

pp_status pp_crossbar_reference(const pp_crossbar *x, const int16_t *input, double *logits)
{
    uint32_t n = x->q->stages->n;
    int16_t **streams = pp_calloc(n + 1, sizeof *streams);
    pp_status status = streams != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t s = 0; s <= n && status == PP_OK; s++) {
        pp_shape shape = pp_stream_shape(x->q->net, x->q->stages, s);
        size_t count = (size_t)shape.h * shape.w * shape.c;
        streams[s] = pp_calloc(count, sizeof **streams);
        status = streams[s] != NULL ? PP_OK : PP_ENOMEM;
        for (size_t i = 0; s == 0 && status == PP_OK && i < count; i++)
            streams[0][i] = input[i];
    }
    for (uint32_t s = 0; s < n && status == PP_OK; s++)
        status = run_stage(x, s, streams, logits);
    for (uint32_t s = 0; streams != NULL && s <= n; s++)
        free(streams[s]);
    free(streams);
    return status;
}
