/* Packs the weights of a convolution or linear operator for a kernel, and starts the kernel. */
#include "workloads/exec_internal.h"

#include <math.h>
#include <stdlib.h>

static const struct {
    pp_conv_kernel kernel;
    uint32_t lanes, block; /* floats of a vector, vectors of a block at most */
} kernels[] = {
    [PP_CPU_PLAIN] = {pp_conv_plain_, 8, 1},
    [PP_CPU_AVX2] = {pp_conv_avx2_, 8, 3},
    [PP_CPU_AVX512] = {pp_conv_avx512_, 16, 3},
};

/* Weight of tap (ky, kx, ci) for output channel co; linear weights lie as those of a convolution
 * whose kernel is the map: [Cout][C][H][W]. */
static float weight_at(const pp_conv_plan *p, const pp_op *op, uint64_t co, uint32_t ci, uint32_t ky, uint32_t kx)
{
    return pp_tensor_f32(&op->weight, ((co * p->cin + ci) * p->window.kh + ky) * p->window.kw + kx);
}

static float *pack_block(const pp_conv_plan *p, const pp_op *op, uint32_t group, uint32_t first, uint32_t width,
                         float *to)
{
    for (uint32_t ky = 0; ky < p->window.kh; ky++)
        for (uint32_t kx = 0; kx < p->window.kw; kx++)
            for (uint32_t ci = 0; ci < p->cin; ci++)
                for (uint32_t j = 0; j < width; j++, to++)
                    *to = first + j < p->cout
                              ? weight_at(p, op, (uint64_t)group * p->cout + first + j, ci, ky, kx)
                              : 0;
    return to;
}

static void pack(pp_conv_plan *p, const pp_op *op)
{
    float *to = p->weight;
    uint32_t padded = p->vectors * p->lanes;
    for (uint32_t g = 0; g < p->groups; g++) {
        uint32_t first = 0;
        for (uint32_t b = 0; b < p->blocks; b++) {
            uint32_t width = (p->vectors / p->blocks + (b < p->vectors % p->blocks)) * p->lanes;
            to = pack_block(p, op, g, first, width, to);
            first += width;
        }
        for (uint32_t co = 0; co < p->cout && op->bias.ndim; co++)
            p->bias[(size_t)g * padded + co] = pp_tensor_f32(&op->bias, (uint64_t)g * p->cout + co);
    }
}

static size_t packed_weights(const pp_conv_plan *p)
{
    return (size_t)p->window.kh * p->window.kw * p->cin * p->vectors * p->lanes;
}

pp_status pp_conv_plan_make_(pp_conv_plan *plan, const pp_op *op, pp_shape in, pp_cpu level)
{
    pp_cpu use = op->groups > 1 ? PP_CPU_PLAIN : level;
    *plan = (pp_conv_plan){.kernel = kernels[use].kernel, .window = op->window, .groups = op->groups,
                           .cin = in.c / op->groups, .cout = op->out.c / op->groups, .lanes = kernels[use].lanes};
    if (op->kind == PP_OP_LINEAR)
        plan->window = (pp_window){.kh = in.h, .kw = in.w, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
    plan->vectors = (plan->cout + plan->lanes - 1) / plan->lanes;
    plan->blocks = (plan->vectors + kernels[use].block - 1) / kernels[use].block;
    plan->weight = pp_alloc_aligned(packed_weights(plan) * plan->groups, sizeof *plan->weight);
    plan->bias = pp_alloc_aligned((size_t)plan->vectors * plan->lanes * plan->groups, sizeof *plan->bias);
    if (!plan->weight || !plan->bias)
        return PP_ENOMEM;
    pack(plan, op);
    return PP_OK;
}

void pp_conv_plan_free_(pp_conv_plan *plan)
{
    free(plan->weight);
    free(plan->bias);
}

void pp_conv_run_(const pp_conv_plan *plan, pp_view in, pp_view out, const pp_view *add, pp_act act)
{
    const pp_window *w = &plan->window;
    pp_conv_job job = {.in_row = in.row, .in_pixel = in.pixel, .out_row = out.row, .out_pixel = out.pixel,
                       .add_row = add ? add->row : 0, .add_pixel = add ? add->pixel : 0,
                       .out_h = out.shape.h, .out_w = out.shape.w, .cin = plan->cin, .cout = plan->cout,
                       .kh = w->kh, .kw = w->kw, .dh = w->dh, .dw = w->dw, .sh = w->sh, .sw = w->sw,
                       .vectors = plan->vectors, .blocks = plan->blocks,
                       .lo = act == PP_ACT_NONE ? -INFINITY : 0, .hi = act == PP_ACT_RELU6 ? 6 : INFINITY};
    const float *corner = in.at - (size_t)w->top * in.row - (size_t)w->left * in.pixel;
    for (uint32_t g = 0; g < plan->groups; g++) {
        job.in = corner + (size_t)g * plan->cin;
        job.out = out.at + (size_t)g * plan->cout;
        job.add = add ? add->at + (size_t)g * plan->cout : NULL;
        job.weight = plan->weight + g * packed_weights(plan);
        job.bias = plan->bias + (size_t)g * plan->vectors * plan->lanes;
        plan->kernel(&job);
    }
}
