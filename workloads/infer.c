/* Shapes: what an operator makes of its inputs, and whether they fit it. */
#include "workloads/network_internal.h"

#include <math.h>

static bool sizes_fit(pp_shape s)
{
    return s.h >= 1 && s.w >= 1 && s.c >= 1 && s.h <= PP_DIM_MAX && s.w <= PP_DIM_MAX && s.c <= PP_DIM_MAX &&
           (uint64_t)s.h * s.w <= PP_ELEMENTS_MAX && (uint64_t)s.h * s.w * s.c <= PP_ELEMENTS_MAX;
}

static pp_status axis(const pp_op *op, const char *which, uint32_t size, uint32_t kernel, uint32_t stride,
                      uint32_t dilation, uint32_t before, uint32_t after, uint32_t *out)
{
    if (kernel < 1 || stride < 1 || dilation < 1 || kernel > PP_DIM_MAX || stride > PP_DIM_MAX ||
        dilation > PP_DIM_MAX || before > PP_DIM_MAX || after > PP_DIM_MAX)
        return pp_fail(PP_ERANGE, "operator '%s': kernel %u, stride %u, dilation %u along %s must be from 1 to %u",
                       op->name, kernel, stride, dilation, which, PP_DIM_MAX);
    uint64_t extent = (uint64_t)dilation * (kernel - 1) + 1, padded = (uint64_t)size + before + after;
    if (extent > padded)
        return pp_fail(PP_ERANGE, "operator '%s': a window of %llu does not fit a padded map of %llu along %s",
                       op->name, (unsigned long long)extent, (unsigned long long)padded, which);
    *out = (uint32_t)((padded - extent) / stride + 1);
    return PP_OK;
}

static pp_status windowed(const pp_op *op, pp_shape *out)
{
    const pp_window *w = &op->window;
    PP_TRY(axis(op, "y", op->in.h, w->kh, w->sh, w->dh, w->top, w->bottom, &out->h));
    return axis(op, "x", op->in.w, w->kw, w->sw, w->dw, w->left, w->right, &out->w);
}

/* A pooling window of padding alone has no maximum and no mean. */
static pp_status no_empty_window(const pp_op *op, const pp_op *ops)
{
    (void)ops;
    bool (*reads)(const pp_op *, uint32_t, pp_shape, pp_rect, pp_rect *) = pp_op_traits_(op->kind)->reads;
    pp_rect unused;
    for (uint32_t i = 0; i < op->out.h; i++)
        if (!reads(op, 0, op->in, (pp_rect){.y0 = i, .y1 = i}, &unused))
            return pp_fail(PP_ERANGE, "operator '%s': its window at (%u, 0) reads padding only", op->name, i);
    for (uint32_t i = 0; i < op->out.w; i++)
        if (!reads(op, 0, op->in, (pp_rect){.x0 = i, .x1 = i}, &unused))
            return pp_fail(PP_ERANGE, "operator '%s': its window at (0, %u) reads padding only", op->name, i);
    return PP_OK;
}

static pp_status infer_conv(pp_op *op, const pp_op *ops)
{
    (void)ops;
    if (op->groups < 1 || op->in.c % op->groups != 0 || op->out.c % op->groups != 0)
        return pp_fail(PP_EINVAL, "operator '%s': %u groups do not divide %u input and %u output channels", op->name,
                       op->groups, op->in.c, op->out.c);
    return windowed(op, &op->out);
}

static pp_status infer_linear(pp_op *op, const pp_op *ops)
{
    (void)ops;
    op->out.h = op->out.w = 1;
    return PP_OK;
}

static pp_status infer_pool(pp_op *op, const pp_op *ops)
{
    op->out.c = op->in.c;
    PP_TRY(windowed(op, &op->out));
    return no_empty_window(op, ops);
}

static pp_status infer_global(pp_op *op, const pp_op *ops)
{
    (void)ops;
    op->out = (pp_shape){1, 1, op->in.c};
    return PP_OK;
}

static pp_status infer_add(pp_op *op, const pp_op *ops)
{
    const pp_op *a = &ops[op->inputs[0]], *b = &ops[op->inputs[1]];
    if (a->out.h != b->out.h || a->out.w != b->out.w || a->out.c != b->out.c)
        return pp_fail(PP_EINVAL, "operator '%s' adds '%s' (%ux%ux%u) and '%s' (%ux%ux%u): shapes differ", op->name,
                       a->name, a->out.h, a->out.w, a->out.c, b->name, b->out.h, b->out.w, b->out.c);
    op->out = op->in;
    return PP_OK;
}

static pp_status infer_concat(pp_op *op, const pp_op *ops)
{
    uint64_t channels = 0;
    for (uint32_t k = 0; k < op->n_inputs; k++) {
        const pp_op *from = &ops[op->inputs[k]];
        if (from->out.h != op->in.h || from->out.w != op->in.w)
            return pp_fail(PP_EINVAL, "operator '%s' joins '%s' (%ux%u) with maps of %ux%u", op->name, from->name,
                           from->out.h, from->out.w, op->in.h, op->in.w);
        channels += from->out.c;
    }
    op->out = op->in;
    op->out.c = channels > PP_DIM_MAX ? PP_DIM_MAX + 1 : (uint32_t)channels;
    return PP_OK;
}

static pp_status infer_flatten(pp_op *op, const pp_op *ops)
{
    (void)ops;
    op->out = (pp_shape){1, 1, op->in.h * op->in.w * op->in.c};
    return PP_OK;
}

static pp_status infer_act(pp_op *op, const pp_op *ops)
{
    (void)ops;
    op->out = op->in;
    return PP_OK;
}

static pp_status infer_subsample(pp_op *op, const pp_op *ops)
{
    (void)ops;
    if (op->out.c < op->in.c)
        return pp_fail(PP_EINVAL, "operator '%s': %u channels, its input has %u already", op->name, op->out.c,
                       op->in.c);
    return windowed(op, &op->out);
}

static pp_status infer_mul(pp_op *op, const pp_op *ops)
{
    const pp_op *a = &ops[op->inputs[0]], *b = &ops[op->inputs[1]];
    bool pixel = b->out.h == 1 && b->out.w == 1, same = b->out.h == a->out.h && b->out.w == a->out.w;
    if (a->out.c != b->out.c || (!pixel && !same))
        return pp_fail(PP_EINVAL, "operator '%s' multiplies '%s' (%ux%ux%u) by '%s' (%ux%ux%u); expected its shape or "
                       "1x1x%u", op->name, a->name, a->out.h, a->out.w, a->out.c, b->name, b->out.h, b->out.w,
                       b->out.c, a->out.c);
    op->out = op->in;
    return PP_OK;
}

static pp_status infer_shuffle(pp_op *op, const pp_op *ops)
{
    (void)ops;
    if (op->groups < 1 || op->in.c % op->groups != 0)
        return pp_fail(PP_EINVAL, "operator '%s': %u groups do not divide %u channels", op->name, op->groups, op->in.c);
    op->out = op->in;
    return PP_OK;
}

static pp_status infer_slice(pp_op *op, const pp_op *ops)
{
    const pp_shape *o = &op->offset, *s = &op->out, *in = &op->in;
    (void)ops;
    if ((uint64_t)o->h + s->h > in->h || (uint64_t)o->w + s->w > in->w || (uint64_t)o->c + s->c > in->c)
        return pp_fail(PP_ERANGE, "operator '%s': a part of %ux%ux%u from (%u, %u, %u) on leaves its input of %ux%ux%u",
                       op->name, s->h, s->w, s->c, o->h, o->w, o->c, in->h, in->w, in->c);
    return PP_OK;
}

static pp_status infer_upsample(pp_op *op, const pp_op *ops)
{
    const pp_window *w = &op->window;
    (void)ops;
    if (w->sh < 1 || w->sw < 1 || (uint64_t)op->in.h * w->sh > PP_DIM_MAX || (uint64_t)op->in.w * w->sw > PP_DIM_MAX)
        return pp_fail(PP_ERANGE, "operator '%s': factor %ux%u must be at least 1 and the map at most %u", op->name,
                       w->sh, w->sw, PP_DIM_MAX);
    op->out = (pp_shape){op->in.h * w->sh, op->in.w * w->sw, op->in.c};
    return PP_OK;
}

static pp_status infer_pixel_shuffle(pp_op *op, const pp_op *ops)
{
    const pp_window *w = &op->window;
    PP_TRY(infer_upsample(op, ops));
    if (op->in.c % ((uint64_t)w->sh * w->sw) != 0)
        return pp_fail(PP_ERANGE, "operator '%s': %u channels do not make %ux%u pixels", op->name, op->in.c, w->sh,
                       w->sw);
    op->out.c = op->in.c / (w->sh * w->sw);
    return PP_OK;
}

static pp_status infer_softmax(pp_op *op, const pp_op *ops)
{
    return infer_shuffle(op, ops); /* parts of one size */
}

static pp_status infer_product(pp_op *op, const pp_op *ops)
{
    const pp_op *a = &ops[op->inputs[0]], *b = &ops[op->inputs[1]];
    const uint64_t tokens = op->whole ? (uint64_t)b->out.h * b->out.w : b->out.w, inner = a->out.c / (op->groups ? op->groups : 1);
    const bool heads = op->groups >= 1 && a->out.c % op->groups == 0 && b->out.c % op->groups == 0;
    if (!heads || (!op->whole && a->out.h != b->out.h) || (op->transposed ? a->out.c != b->out.c : inner != tokens))
        return pp_fail(PP_EINVAL, "operator '%s' multiplies '%s' (%ux%ux%u) by '%s' (%ux%ux%u%s) in %u heads: shapes do not fit",
                       op->name, a->name, a->out.h, a->out.w, a->out.c, b->name, b->out.h, b->out.w, b->out.c,
                       op->transposed ? ", transposed" : "", op->groups);
    if (!(op->factor > 0 && op->factor < 1e30))
        return pp_fail(PP_ERANGE, "operator '%s': factor %g, expected above 0", op->name, op->factor);
    const uint64_t channels = op->transposed ? op->groups * tokens : b->out.c;
    op->out = (pp_shape){op->in.h, op->in.w, channels > PP_DIM_MAX ? PP_DIM_MAX + 1 : (uint32_t)channels};
    return PP_OK;
}

static pp_status infer_arrange(pp_op *op, const pp_op *ops)
{
    op->out.c = op->in.c;
    for (uint32_t k = 0; k < op->n_inputs; k++)
        if (ops[op->inputs[k]].out.c != op->in.c)
            return pp_fail(PP_EINVAL, "operator '%s': '%s' has %u channels, its first input %u", op->name,
                           ops[op->inputs[k]].name, ops[op->inputs[k]].out.c, op->in.c);
    if (!op->from || (op->weight.ndim > 0 && (op->weight.ndim != 2 || op->weight.dim[1] != op->in.c)))
        return pp_fail(PP_EINVAL, "operator '%s': its own pixels do not have %u channels", op->name, op->in.c);
    for (size_t p = 0; sizes_fit(op->out) && p < (size_t)op->out.h * op->out.w; p++) {
        const pp_source *s = &op->from[p];
        const pp_shape in = s->input < op->n_inputs ? ops[op->inputs[s->input]].out : op->in;
        const uint64_t have = s->input < op->n_inputs ? (uint64_t)in.h * in.w : op->weight.ndim ? op->weight.dim[0] : 0;
        if (s->input > op->n_inputs || s->pixel >= have)
            return pp_fail(PP_ERANGE, "operator '%s': pixel %zu comes from pixel %u of input %u, which is not there",
                           op->name, p, s->pixel, s->input);
    }
    return PP_OK;
}

static pp_status infer_task(pp_op *op, const pp_op *ops)
{
    for (uint32_t k = 0; op->part && k < op->n_inputs; k++)
        if (op->part[k][0] >= op->part[k][1] || op->part[k][1] > ops[op->inputs[k]].out.c)
            return pp_fail(PP_ERANGE, "operator '%s': channels %u to %u of '%s', which has %u", op->name, op->part[k][0],
                           op->part[k][1], ops[op->inputs[k]].name, ops[op->inputs[k]].out.c);
    if (op->work.unit_bits < 1)
        return pp_fail(PP_ERANGE, "operator '%s': its channels have no bits", op->name);
    return PP_OK;
}

static pp_status infer_response(pp_op *op, const pp_op *ops)
{
    const pp_response *r = &op->response;
    if (r->size < 1 || r->size > PP_DIM_MAX || !(r->alpha >= 0) || !isfinite(r->alpha) || !(r->bias > 0) || !isfinite(r->bias) || !isfinite(r->beta))
        return pp_fail(PP_ERANGE, "operator '%s': size %u, alpha %g, beta %g, bias %g; expected a size of 1 to %u, alpha of at least 0, "
                       "bias above 0", op->name, r->size, r->alpha, r->beta, r->bias, (unsigned)PP_DIM_MAX);
    return infer_act(op, ops);
}

static pp_status (*const infer[PP_OP_KIND_COUNT])(pp_op *op, const pp_op *ops) = {
    [PP_OP_CONV] = infer_conv,         [PP_OP_LINEAR] = infer_linear,   [PP_OP_MAX_POOL] = infer_pool,
    [PP_OP_AVG_POOL] = infer_pool,     [PP_OP_GLOBAL_POOL] = infer_global, [PP_OP_ADD] = infer_add,
    [PP_OP_CONCAT] = infer_concat,     [PP_OP_FLATTEN] = infer_flatten, [PP_OP_ACT] = infer_act,
    [PP_OP_SUBSAMPLE] = infer_subsample, [PP_OP_SCALE] = infer_act,     [PP_OP_MUL] = infer_mul,
    [PP_OP_SHUFFLE] = infer_shuffle,   [PP_OP_SLICE] = infer_slice,     [PP_OP_UPSAMPLE] = infer_upsample,
    [PP_OP_NORM] = infer_act,          [PP_OP_SOFTMAX] = infer_softmax,     [PP_OP_TASK] = infer_task,
    [PP_OP_PIXEL_SHUFFLE] = infer_pixel_shuffle, [PP_OP_PRODUCT] = infer_product,
    [PP_OP_OFFSET] = infer_act,        [PP_OP_RESPONSE_NORM] = infer_response,
    [PP_OP_GROUP_NORM] = infer_softmax, [PP_OP_ARRANGE] = infer_arrange,
};

pp_status pp_op_infer_(pp_op *op, const pp_op *ops)
{
    if (op->kind != PP_OP_INPUT) {
        op->in = ops[op->inputs[0]].out;
        PP_TRY(infer[op->kind](op, ops));
    }
    if (!sizes_fit(op->out))
        return pp_fail(PP_ERANGE, "operator '%s': a result of %ux%ux%u is empty or too large", op->name, op->out.h,
                       op->out.w, op->out.c);
    return PP_OK;
}
