/* Sizes: tiles of every operator of a language model. */
#include "mapper/lm_internal.h"

#include <inttypes.h>
#include <stdlib.h>

static uint32_t divide_up(uint64_t a, uint64_t b)
{
    return (uint32_t)(a / b + (a % b != 0));
}

pp_mvm_time pp_lm_op_mvm(const pp_lm_ctx *x, const pp_lm_op *op, const pp_lm_op_plan *plan)
{
    const uint32_t slices = pp_arch_slices(x->in->arch, (uint32_t)x->in->quant->wbits);
    const uint32_t outs = plan->col_tiles > 1 ? x->slice : op->out;
    return pp_arch_mvm(x->in->arch, outs * slices, (uint32_t)x->in->quant->abits, (uint32_t)x->in->quant->wbits);
}

static void plan_linear(const pp_lm_ctx *x, const pp_lm_op *op, pp_lm_op_plan *p)
{
    p->row_tiles = divide_up(op->in, (uint64_t)x->in->arch->rows);
    p->col_tiles = divide_up(op->out, x->slice);
    p->copies = 1;
    p->units = p->col_tiles;
    p->slot_width = x->slice;
    p->tiles = p->row_tiles * p->col_tiles;
    p->reduction = p->row_tiles == 1 || x->in->map->reduction == PP_REDUCE_AUTO ? PP_REDUCE_CHAIN
                                                                                : (uint32_t)x->in->map->reduction;
}

static void plan_own_digital(const pp_lm_ctx *x, const pp_lm_op *op, pp_lm_op_plan *p)
{
    p->units = op->units > 0 ? op->units : divide_up(op->out > op->in ? op->out : op->in, x->slice);
    p->slot_width = op->units > 0 ? 0 : x->slice;
    p->row_tiles = p->copies = 1;
    p->col_tiles = p->tiles = p->units;
    p->reduction = PP_REDUCE_TREE;
}

/* In the cores of another operator: at its outputs as they are, or at its inputs. */
static void plan_guest(const pp_lm_ctx *x, uint32_t part, uint32_t k)
{
    const pp_lm_op *op = pp_lm_op_of(x, part, k);
    pp_lm_op_plan *p = pp_lm_plan_of(x, part, k);
    const pp_lm_op_plan *at = pp_lm_plan_of(x, part, op->at);
    p->host = at->host;
    p->at_inputs = op->at_inputs || at->at_inputs;
    const pp_lm_op_plan *host = pp_lm_plan_of(x, part, p->host);
    p->units = p->at_inputs ? host->row_tiles : host->units;
    p->slot_width = p->at_inputs ? (uint32_t)x->in->arch->rows : host->slot_width;
    p->reduction = PP_REDUCE_TREE;
}

static pp_status too_large(const pp_lm_ctx *x)
{
    return pp_fail(PP_ERANGE, "%s: more than %u cores", x->graph->config.name, PP_HIER_MAX_CORES);
}

static pp_status plan_part(pp_lm_ctx *x, uint32_t part)
{
    const uint32_t n = x->graph->part[part].n_ops;
    uint64_t tiles = 0;
    for (uint32_t k = 0; k < n; k++) {
        const pp_lm_op *op = pp_lm_op_of(x, part, k);
        pp_lm_op_plan *p = pp_lm_plan_of(x, part, k);
        p->host = k;
        if (op->kind == PP_LM_OP_LINEAR)
            plan_linear(x, op, p);
        else if (op->at == PP_NONE)
            plan_own_digital(x, op, p);
        tiles += p->tiles;
    }
    if (tiles * x->graph->part[part].instances > PP_HIER_MAX_CORES)
        return too_large(x);
    /* A guest's host may stand behind it in the list (RoPE at the attention units), its `at` be a guest itself. */
    for (int pass = 0; pass < 3; pass++)
        for (uint32_t k = 0; k < n; k++)
            if (pp_lm_op_of(x, part, k)->kind != PP_LM_OP_LINEAR && pp_lm_op_of(x, part, k)->at != PP_NONE)
                plan_guest(x, part, k);
    return PP_OK;
}

uint64_t pp_lm_cores(const pp_lm_ctx *x)
{
    uint64_t n = 0;
    for (uint32_t part = 0; part < x->graph->n_parts; part++)
        for (uint32_t k = 0; k < x->graph->part[part].n_ops; k++)
            n += (uint64_t)pp_lm_plan_of(x, part, k)->tiles * x->graph->part[part].instances;
    return n;
}

pp_status pp_lm_plan_ops(pp_lm_ctx *x)
{
    const uint32_t slices = pp_arch_slices(x->in->arch, (uint32_t)x->in->quant->wbits);
    if (slices > x->in->arch->cols)
        return pp_fail(PP_EINFEASIBLE, "arch.cols: a weight of %" PRId64 " bits takes %u columns, a crossbar has %" PRId64,
                       x->in->quant->wbits, slices, x->in->arch->cols);
    x->slice = (uint32_t)x->in->arch->cols / slices;
    x->psum_bits = (uint32_t)x->in->quant->psum_bits;
    x->plan = pp_calloc(x->graph->n_ops, sizeof *x->plan);
    if (!x->plan)
        return PP_ENOMEM;
    for (uint32_t part = 0; part < x->graph->n_parts; part++)
        PP_TRY(plan_part(x, part));
    PP_TRY(pp_lm_plan_copies(x));
    return pp_lm_cores(x) <= PP_HIER_MAX_CORES ? PP_OK : too_large(x);
}

void pp_lm_ctx_free(pp_lm_ctx *x)
{
    for (uint32_t p = 0; x->layout && p < x->graph->n_parts; p++)
        free(x->layout[p].place);
    free(x->layout);
    free(x->plan);
    x->layout = NULL;
    x->plan = NULL;
}
