/* What network builders are written in. */
#include "workloads/maker_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void pp_maker_begin_(pp_maker *mk, const char *name, const pp_model *m, const pp_model_options *o)
{
    *mk = (pp_maker){0};
    mk->status = pp_builder_new(&mk->b, name, o->input.h ? o->input : m->input);
}

uint32_t pp_maker_classes_(const pp_model *m, const pp_model_options *o)
{
    return o->classes ? o->classes : m->classes;
}

pp_status pp_maker_end_(pp_maker *mk, pp_network **out)
{
    *out = NULL;
    if (mk->status == PP_OK)
        return pp_builder_finish(out, mk->b);
    pp_builder_free(mk->b);
    return mk->status;
}

void pp_mk_scope_(pp_maker *mk, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(mk->scope, sizeof mk->scope, format, args);
    va_end(args);
}

pp_shape pp_mk_shape_(const pp_maker *mk, uint32_t op)
{
    return mk->status == PP_OK ? pp_builder_shape(mk->b, op) : (pp_shape){1, 1, 1};
}

/* "SCOPEname", and whether there is anything to do with it. */
static bool begin(pp_maker *mk, const char *name, char full[128])
{
    snprintf(full, 128, "%s%s", mk->scope, name);
    return mk->status == PP_OK;
}

static uint32_t end(pp_maker *mk, pp_status status, const uint32_t *op)
{
    mk->status = status;
    return status == PP_OK ? *op : 0;
}

/* Zeros before and behind of TensorFlow's "same". */
static void same_padding(uint32_t size, uint32_t k, uint32_t s, uint32_t *before, uint32_t *behind)
{
    uint32_t need = ((size + s - 1) / s - 1) * s + k, pad = need > size ? need - size : 0;
    *before = pad / 2;
    *behind = pad - pad / 2;
}

static pp_window window_of(pp_shape in, const pp_mk_conv *c)
{
    uint32_t s = c->s ? c->s : 1;
    pp_window w = {.kh = c->kh ? c->kh : c->k, .kw = c->kw ? c->kw : c->k, .sh = s, .sw = s, .dh = 1, .dw = 1};
    if (c->pad == PP_PAD_HALF) {
        w.top = w.bottom = w.kh / 2;
        w.left = w.right = w.kw / 2;
    } else if (c->pad == PP_PAD_TWO) {
        w.top = w.bottom = w.left = w.right = 2;
    } else if (c->pad == PP_PAD_SAME) {
        same_padding(in.h, w.kh, s, &w.top, &w.bottom);
        same_padding(in.w, w.kw, s, &w.left, &w.right);
    }
    return w;
}

uint32_t pp_mk_act_(pp_maker *mk, const char *name, uint32_t input, pp_act act)
{
    char full[128];
    uint32_t op = 0;
    if (act == PP_ACT_NONE || !begin(mk, name, full))
        return input;
    return end(mk, pp_build_act(mk->b, full, input, act, &op), &op);
}

static uint32_t act_behind(pp_maker *mk, const char *name, uint32_t op, pp_act act)
{
    char own[128];
    snprintf(own, sizeof own, "%s.act", name);
    return pp_mk_act_(mk, own, op, act);
}

uint32_t pp_mk_conv_(pp_maker *mk, const char *name, uint32_t input, pp_mk_conv conv)
{
    char full[128];
    uint32_t op = 0;
    if (!begin(mk, name, full))
        return 0;
    pp_window w = window_of(pp_builder_shape(mk->b, input), &conv);
    op = end(mk, pp_build_conv(mk->b, full, input, conv.out, &w, conv.groups ? conv.groups : 1, conv.bias, conv.bn, NULL,
                               NULL, &op), &op);
    return act_behind(mk, name, op, conv.act);
}

uint32_t pp_mk_linear_(pp_maker *mk, const char *name, uint32_t input, uint32_t features, bool bias, pp_act act)
{
    char full[128];
    uint32_t op = 0;
    if (!begin(mk, name, full))
        return 0;
    op = end(mk, pp_build_linear(mk->b, full, input, features, bias, NULL, NULL, &op), &op);
    return act_behind(mk, name, op, act);
}

/* Padding behind with which floor division counts as many windows as PyTorch's ceil_mode: the last one begins
 * inside the map or its padding before. */
static uint32_t ceil_behind(uint32_t size, uint32_t k, uint32_t s, uint32_t pad)
{
    uint32_t n = (size + 2 * pad - k + s - 1) / s + 1;
    if ((n - 1) * s >= size + pad)
        n--;
    uint32_t extent = (n - 1) * s + k;
    return extent > size + pad ? extent - size - pad : 0;
}

static pp_window pool_window(pp_shape in, const pp_mk_pool *p)
{
    uint32_t s = p->s ? p->s : p->k;
    pp_window w = {.kh = p->k, .kw = p->k, .sh = s, .sw = s, .dh = 1, .dw = 1, .top = p->pad, .left = p->pad,
                   .bottom = p->pad, .right = p->pad, .count_padding = p->count_padding};
    if (p->same) {
        same_padding(in.h, p->k, s, &w.top, &w.bottom);
        same_padding(in.w, p->k, s, &w.left, &w.right);
    } else if (p->ceil && in.h + 2 * p->pad >= p->k && in.w + 2 * p->pad >= p->k) {
        w.bottom = ceil_behind(in.h, p->k, s, p->pad);
        w.right = ceil_behind(in.w, p->k, s, p->pad);
    }
    return w;
}

static uint32_t pool(pp_maker *mk, const char *name, pp_op_kind kind, uint32_t input, pp_mk_pool p)
{
    char full[128];
    uint32_t op = 0;
    if (!begin(mk, name, full))
        return 0;
    pp_window w = pool_window(pp_builder_shape(mk->b, input), &p);
    return end(mk, pp_build_pool(mk->b, full, kind, input, &w, &op), &op);
}

uint32_t pp_mk_max_(pp_maker *mk, const char *name, uint32_t input, pp_mk_pool p)
{
    return pool(mk, name, PP_OP_MAX_POOL, input, p);
}

uint32_t pp_mk_avg_(pp_maker *mk, const char *name, uint32_t input, pp_mk_pool p)
{
    return pool(mk, name, PP_OP_AVG_POOL, input, p);
}

uint32_t pp_mk_global_(pp_maker *mk, const char *name, uint32_t input)
{
    char full[128];
    uint32_t op = 0;
    if (!begin(mk, name, full))
        return 0;
    return end(mk, pp_build_pool(mk->b, full, PP_OP_GLOBAL_POOL, input, NULL, &op), &op);
}

uint32_t pp_mk_scale_(pp_maker *mk, const char *name, uint32_t input)
{
    char full[128];
    uint32_t op = 0;
    if (!begin(mk, name, full))
        return 0;
    return end(mk, pp_build_scale(mk->b, full, input, NULL, NULL, &op), &op);
}

static uint32_t join(pp_maker *mk, const char *name, pp_op_kind kind, const uint32_t *inputs, uint32_t n)
{
    char full[128];
    uint32_t op = 0;
    if (!begin(mk, name, full))
        return 0;
    return end(mk, pp_build_join(mk->b, full, kind, inputs, n, &op), &op);
}

uint32_t pp_mk_add_(pp_maker *mk, const char *name, uint32_t a, uint32_t b)
{
    return join(mk, name, PP_OP_ADD, (uint32_t[]){a, b}, 2);
}

uint32_t pp_mk_mul_(pp_maker *mk, const char *name, uint32_t a, uint32_t b)
{
    return join(mk, name, PP_OP_MUL, (uint32_t[]){a, b}, 2);
}

uint32_t pp_mk_concat_(pp_maker *mk, const char *name, uint32_t n, const uint32_t *inputs)
{
    return join(mk, name, PP_OP_CONCAT, inputs, n);
}

uint32_t pp_mk_shuffle_(pp_maker *mk, const char *name, uint32_t input, uint32_t groups)
{
    char full[128];
    uint32_t op = 0;
    if (!begin(mk, name, full))
        return 0;
    return end(mk, pp_build_shuffle(mk->b, full, input, groups, &op), &op);
}

uint32_t pp_mk_slice_(pp_maker *mk, const char *name, uint32_t input, pp_shape offset, pp_shape size)
{
    char full[128];
    uint32_t op = 0;
    if (!begin(mk, name, full))
        return 0;
    return end(mk, pp_build_slice(mk->b, full, input, offset, size, &op), &op);
}

uint32_t pp_mk_upsample_(pp_maker *mk, const char *name, uint32_t input, uint32_t factor)
{
    char full[128];
    uint32_t op = 0;
    if (!begin(mk, name, full))
        return 0;
    return end(mk, pp_build_upsample(mk->b, full, input, factor, factor, &op), &op);
}
