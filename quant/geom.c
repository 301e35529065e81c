/* Shapes of a stage as the datapath sees them. */
#include "quant/quant_internal.h"

#include <math.h>

pp_qgeom pp_qgeom_of(const pp_network *net, const pp_stage *stage)
{
    const pp_op *op = &net->ops[stage->matrix];
    pp_qgeom g = {.in = stage->in, .fire = stage->fire, .groups = 1};
    if (op->kind == PP_OP_CONV) {
        g.win = op->window;
        g.groups = op->groups;
    } else {
        g.win = (pp_window){.kh = g.in.h, .kw = g.in.w, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
    }
    g.cin_g = g.in.c / g.groups;
    g.cout_g = g.fire.c / g.groups;
    return g;
}

uint32_t pp_stage_residual(const pp_stage *stage)
{
    for (uint32_t k = 0; k < stage->n_inputs; k++)
        if (stage->inputs[k].role == PP_ROLE_ADD)
            return k;
    return PP_NONE;
}

const pp_op *pp_stage_tail_pool(const pp_network *net, const pp_stage *stage)
{
    return stage->pool == PP_NONE || stage->pool == stage->first_op ? NULL : &net->ops[stage->pool];
}

const pp_op *pp_stage_any_pool(const pp_network *net, const pp_stage *stage)
{
    pp_op_kind kind = net->ops[stage->first_op].kind;
    if (kind == PP_OP_MAX_POOL || kind == PP_OP_AVG_POOL || kind == PP_OP_GLOBAL_POOL)
        return &net->ops[stage->first_op];
    return pp_stage_tail_pool(net, stage);
}

bool pp_stage_selects(const pp_network *net, const pp_stage *stage)
{
    pp_op_kind kind = net->ops[stage->first_op].kind;
    bool picks = kind == PP_OP_MAX_POOL || kind == PP_OP_SUBSAMPLE || kind == PP_OP_FLATTEN || kind == PP_OP_SHUFFLE ||
                 kind == PP_OP_SLICE || kind == PP_OP_UPSAMPLE || kind == PP_OP_PIXEL_SHUFFLE ||
                 (kind == PP_OP_ARRANGE && stage->n_inputs == 1 && net->ops[stage->first_op].weight.ndim == 0);
    return stage->matrix == PP_NONE && picks && !pp_stage_tail_pool(net, stage) && stage->scale == PP_NONE && stage->offset == PP_NONE &&
           stage->act == PP_ACT_NONE;
}

/* Taps of one axis: first and end of the valid ones, given where the window begins. */
static uint32_t clip(int64_t start, uint32_t taps, uint32_t step, uint32_t size, uint32_t *lo, uint32_t *hi)
{
    uint32_t n = 0;
    *lo = *hi = 0;
    for (uint32_t k = 0; k < taps; k++) {
        int64_t at = start + (int64_t)k * step;
        if (at < 0 || at >= size)
            continue;
        if (n++ == 0)
            *lo = (uint32_t)at;
        *hi = (uint32_t)at + 1;
    }
    return n;
}

pp_qwindow pp_pool_window(const pp_op *pool, pp_shape map, uint32_t y, uint32_t x)
{
    const pp_window *w = &pool->window;
    if (pool->kind == PP_OP_GLOBAL_POOL)
        return (pp_qwindow){.y1 = map.h, .x1 = map.w, .step_y = 1, .step_x = 1, .valid = map.h * map.w, .divisor = map.h * map.w};
    pp_qwindow q = {.step_y = w->dh, .step_x = w->dw};
    uint32_t ny = clip((int64_t)y * w->sh - w->top, w->kh, w->dh, map.h, &q.y0, &q.y1);
    uint32_t nx = clip((int64_t)x * w->sw - w->left, w->kw, w->dw, map.w, &q.x0, &q.x1);
    q.valid = ny * nx;
    q.divisor = pool->kind == PP_OP_AVG_POOL && !w->count_padding ? q.valid : w->kh * w->kw;
    return q;
}

uint32_t pp_pool_full(const pp_op *pool)
{
    if (pool->kind == PP_OP_GLOBAL_POOL)
        return pool->in.h * pool->in.w;
    return pool->kind == PP_OP_AVG_POOL ? pool->window.kh * pool->window.kw : 1;
}

int64_t pp_act_units(pp_act act, int64_t pre, double unit)
{
    double v = nearbyint(pp_act_value(act, (double)pre * unit) / unit);
    return v < -0x1p62 ? INT64_MIN / 2 : v > 0x1p62 ? INT64_MAX / 2 : (int64_t)v;
}

int64_t pp_act_ceiling(pp_act act, double unit)
{
    double top = 6 / unit;
    return act == PP_ACT_RELU6 && top < 0x1p62 ? (int64_t)nearbyint(top) : INT64_MAX;
}
