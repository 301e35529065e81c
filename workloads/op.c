/* Operator kinds: one row each, and what follows from a row. */
#include "workloads/network_internal.h"

#include <math.h>

typedef struct span {
    uint32_t lo, hi;
} span;

/* Coordinates of [0, size) along one axis that outputs [out.lo, out.hi] read: the smallest and the
 * largest tap that is not padding. (Between them there may be coordinates that no tap reads.) */
static bool window_span(span out, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t pad, uint32_t size,
                        span *in)
{
    int64_t lo = INT64_MAX, hi = -1;
    for (uint32_t o = out.lo; o <= out.hi; o++) {
        int64_t start = (int64_t)o * stride - pad, d = dilation ? dilation : 1;
        int64_t first = start < 0 ? (-start + d - 1) / d : 0, last = start < size ? (size - 1 - start) / d : -1;
        last = last < (int64_t)kernel - 1 ? last : (int64_t)kernel - 1;
        if (first > last)
            continue;
        lo = start + first * d < lo ? start + first * d : lo;
        hi = start + last * d > hi ? start + last * d : hi;
    }
    if (hi < 0)
        return false;
    *in = (span){(uint32_t)lo, (uint32_t)hi};
    return true;
}

static bool reads_window(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    (void)k;
    const pp_window *w = &op->window;
    span y, x;
    if (!window_span((span){out.y0, out.y1}, w->kh, w->sh, w->dh, w->top, in.h, &y) ||
        !window_span((span){out.x0, out.x1}, w->kw, w->sw, w->dw, w->left, in.w, &x))
        return false;
    *rect = (pp_rect){.y0 = y.lo, .x0 = x.lo, .y1 = y.hi, .x1 = x.hi};
    return true;
}

static bool reads_all(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    (void)k;
    (void)op;
    (void)out;
    *rect = (pp_rect){.y0 = 0, .x0 = 0, .y1 = in.h - 1, .x1 = in.w - 1};
    return true;
}

static bool reads_same(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    (void)k;
    (void)op;
    (void)in;
    *rect = out;
    return true;
}

/* The second factor may be one pixel that counts for the whole map. */
static bool reads_factor(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    (void)k;
    (void)op;
    *rect = in.h == 1 && in.w == 1 ? (pp_rect){0} : out;
    return true;
}

static bool reads_part(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    (void)k;
    (void)in;
    *rect = (pp_rect){.y0 = out.y0 + op->offset.h, .x0 = out.x0 + op->offset.w, .y1 = out.y1 + op->offset.h,
                      .x1 = out.x1 + op->offset.w};
    return true;
}

static bool reads_nearest(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    (void)k;
    const pp_window *w = &op->window;
    (void)in;
    *rect = (pp_rect){.y0 = out.y0 / w->sh, .x0 = out.x0 / w->sw, .y1 = out.y1 / w->sh, .x1 = out.x1 / w->sw};
    return true;
}

/* The right factor of a product: its row, or all of it. */
static bool reads_sequence(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    *rect = out;
    if (k == 1)
        *rect = (pp_rect){.y0 = op->whole ? 0 : out.y0, .y1 = op->whole ? in.h - 1 : out.y1, .x1 = in.w - 1};
    return true;
}

/* What lies around the pixels that come from input k. */
static bool reads_places(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    bool any = false;
    for (uint32_t y = out.y0; y <= out.y1; y++)
        for (uint32_t x = out.x0; x <= out.x1; x++) {
            const pp_source *s = &op->from[(size_t)y * op->out.w + x];
            if (s->input != k)
                continue;
            const uint32_t iy = s->pixel / in.w, ix = s->pixel % in.w;
            if (!any)
                *rect = (pp_rect){iy, ix, iy, ix};
            rect->y0 = iy < rect->y0 ? iy : rect->y0;
            rect->x0 = ix < rect->x0 ? ix : rect->x0;
            rect->y1 = iy > rect->y1 ? iy : rect->y1;
            rect->x1 = ix > rect->x1 ? ix : rect->x1;
            any = true;
        }
    return any;
}

static bool reads_nothing(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    (void)k;
    (void)op;
    (void)in;
    (void)out;
    (void)rect;
    return false;
}

static const pp_op_traits traits[PP_OP_KIND_COUNT] = {
    [PP_OP_INPUT] = {.name = "input", .reads = reads_nothing},
    [PP_OP_CONV] = {.name = "conv", .matrix = true, .learned = true, .window = true, .min_in = 1, .max_in = 1,
                   .reads = reads_window},
    [PP_OP_LINEAR] = {.name = "linear", .matrix = true, .learned = true, .min_in = 1, .max_in = 1, .reads = reads_all},
    [PP_OP_MAX_POOL] = {.name = "max_pool", .pool = true, .window = true, .min_in = 1, .max_in = 1,
                        .reads = reads_window},
    [PP_OP_AVG_POOL] = {.name = "avg_pool", .pool = true, .window = true, .min_in = 1, .max_in = 1,
                        .reads = reads_window},
    [PP_OP_GLOBAL_POOL] = {.name = "global_pool", .pool = true, .min_in = 1, .max_in = 1, .reads = reads_all},
    [PP_OP_ADD] = {.name = "add", .min_in = 2, .max_in = 2, .reads = reads_same},
    [PP_OP_CONCAT] = {.name = "concat", .min_in = 2, .max_in = PP_DIM_MAX, .reads = reads_same},
    [PP_OP_FLATTEN] = {.name = "flatten", .min_in = 1, .max_in = 1, .reads = reads_all},
    [PP_OP_ACT] = {.name = "act", .min_in = 1, .max_in = 1, .reads = reads_same},
    [PP_OP_SUBSAMPLE] = {.name = "subsample", .window = true, .min_in = 1, .max_in = 1, .reads = reads_window},
    [PP_OP_SCALE] = {.name = "scale", .learned = true, .min_in = 1, .max_in = 1, .reads = reads_same},
    [PP_OP_MUL] = {.name = "mul", .min_in = 2, .max_in = 2, .reads = reads_factor},
    [PP_OP_SHUFFLE] = {.name = "shuffle", .min_in = 1, .max_in = 1, .reads = reads_same},
    [PP_OP_SLICE] = {.name = "slice", .min_in = 1, .max_in = 1, .reads = reads_part},
    [PP_OP_NORM] = {.name = "norm", .learned = true, .min_in = 1, .max_in = 1, .reads = reads_same},
    [PP_OP_GROUP_NORM] = {.name = "group_norm", .learned = true, .min_in = 1, .max_in = 1, .reads = reads_all},
    [PP_OP_RESPONSE_NORM] = {.name = "response_norm", .min_in = 1, .max_in = 1, .reads = reads_same},
    [PP_OP_SOFTMAX] = {.name = "softmax", .min_in = 1, .max_in = 1, .reads = reads_same},
    [PP_OP_PRODUCT] = {.name = "product", .min_in = 2, .max_in = 2, .reads = reads_sequence},
    [PP_OP_OFFSET] = {.name = "offset", .learned = true, .min_in = 1, .max_in = 1, .reads = reads_same},
    [PP_OP_ARRANGE] = {.name = "arrange", .min_in = 1, .max_in = PP_DIM_MAX, .reads = reads_places},
    [PP_OP_TASK] = {.name = "task", .min_in = 1, .max_in = PP_DIM_MAX, .reads = reads_all},
    [PP_OP_UPSAMPLE] = {.name = "upsample", .window = true, .min_in = 1, .max_in = 1, .reads = reads_nearest},
    [PP_OP_PIXEL_SHUFFLE] = {.name = "pixel_shuffle", .window = true, .min_in = 1, .max_in = 1,
                             .reads = reads_nearest},
};

void pp_response_window(const pp_response *r, uint32_t c, uint32_t n, uint32_t *from, uint32_t *to)
{
    const uint32_t before = (r->size - 1) / 2, behind = r->size - before; /* c among the latter */
    *from = c > before ? c - before : 0;
    *to = behind < n - c ? c + behind : n;
}

double pp_response_factor(const pp_response *r, double squares)
{
    return pow(r->bias + r->alpha / r->size * squares, -r->beta);
}

const pp_op_traits *pp_op_traits_(pp_op_kind kind)
{
    return &traits[kind];
}

const char *pp_op_kind_name(pp_op_kind kind)
{
    return traits[kind].name;
}

bool pp_op_reads(const pp_network *net, uint32_t op, uint32_t k, pp_rect out, pp_rect *in)
{
    const pp_op *o = &net->ops[op];
    return k < o->n_inputs && traits[o->kind].reads(o, k, net->ops[o->inputs[k]].out, out, in);
}

uint64_t pp_op_parameters(const pp_op *op)
{
    if (op->kind == PP_OP_ARRANGE) /* tokens of the network's own */
        return op->weight.ndim ? pp_tensor_count(&op->weight) - op->absent : 0;
    if (!traits[op->kind].learned || op->fixed)
        return 0;
    uint64_t n = pp_tensor_count(&op->weight) - op->absent;
    if (op->bias.ndim > 0)
        n += pp_tensor_count(&op->bias);
    if (op->batch_norm)
        n += 2 * (uint64_t)op->out.c;
    return n;
}

uint64_t pp_op_macs(const pp_op *op)
{
    if (op->kind == PP_OP_PRODUCT) /* as many as an element of its left factor has channels of one head */
        return (uint64_t)op->out.h * op->out.w * op->out.c * (op->in.c / op->groups);
    /* Every weight is used once an output position. */
    return traits[op->kind].matrix ? (pp_tensor_count(&op->weight) - op->absent) * op->out.h * op->out.w : 0;
}

uint64_t pp_network_parameters(const pp_network *net)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < net->n_ops; i++)
        n += pp_op_parameters(&net->ops[i]);
    return n;
}

uint64_t pp_network_macs(const pp_network *net)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < net->n_ops; i++)
        n += pp_op_macs(&net->ops[i]);
    return n;
}
