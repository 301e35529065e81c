/* Life and invariants of a network. */
#include "workloads/network_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void pp_network_free(pp_network *net)
{
    if (!net)
        return;
    pp_network_owner *owner = net->owner;
    if (owner) {
        if (owner->close_file)
            owner->close_file(owner->file);
        pp_arena_free(owner->arena);
        free(owner);
    }
    free(net);
}

/* Whether all floats are small: then no row's factor can make one infinite. Bits alone, several a step. */
static bool all_small(const pp_tensor *t, uint64_t n)
{
    const uint8_t *data = t->data;
    uint32_t most = 0;
    if (t->dtype != PP_DTYPE_F32 || t->row_zero || t->pitch) /* the rows between are another's */
        return false;
    for (uint64_t r = 0; t->row_scale && r < t->dim[0]; r++)
        if (!(fabsf(t->row_scale[r]) < 0x1p60f))
            return false;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, data + 4 * i, sizeof bits);
        bits &= 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    return most < 0x5d800000u; /* 2^60 */
}

bool pp_tensor_not_finite_(const pp_tensor *t, uint64_t *index, float *value)
{
    uint64_t n = t->data ? pp_tensor_count(t) : 0;
    if (n > 0 && all_small(t, n))
        return false;
    for (uint64_t i = 0; i < n; i++) {
        float v = pp_tensor_f32(t, i);
        if (!isfinite(v)) {
            *index = i;
            *value = v;
            return true;
        }
    }
    return false;
}

static bool same_shape(pp_shape a, pp_shape b)
{
    return a.h == b.h && a.w == b.w && a.c == b.c;
}

static pp_status check_tensor(const pp_op *op, const char *what, const pp_tensor *t, uint32_t ndim,
                              const uint64_t *dim)
{
    bool same = t->ndim == ndim;
    for (uint32_t i = 0; same && i < ndim; i++)
        same = t->dim[i] == dim[i];
    if (!same)
        return pp_fail(PP_EINVAL, "operator '%s': the shape of its %s does not fit its input and output", op->name,
                       what);
    if (!pp_tensor_is_real_(t))
        return pp_fail(PP_EUNSUPPORTED, "operator '%s': its %s is not of a floating-point type", op->name, what);
    uint64_t at;
    float value;
    if (pp_tensor_not_finite_(t, &at, &value))
        return pp_fail(PP_ERANGE, "operator '%s': %s[%llu] is %s", op->name, what, (unsigned long long)at,
                       isnan(value) ? "NaN" : "infinite");
    return PP_OK;
}

static pp_status check_weights(const pp_network *net, const pp_op *op)
{
    if (op->kind == PP_OP_ARRANGE && op->weight.ndim > 0) {
        if (net->has_weights && !op->weight.data)
            return pp_fail(PP_EINVAL, "operator '%s' has no weights", op->name);
        return check_tensor(op, "weight", &op->weight, 2, op->weight.dim);
    }
    if (!pp_op_traits_(op->kind)->learned)
        return PP_OK;
    if (net->has_weights && (!op->weight.data || (op->bias.ndim > 0 && !op->bias.data)))
        return pp_fail(PP_EINVAL, "operator '%s' has no weights", op->name);
    uint64_t conv[4] = {op->out.c, op->in.c / op->groups, op->window.kh, op->window.kw};
    uint64_t linear[2] = {op->out.c, (uint64_t)op->in.h * op->in.w * op->in.c};
    bool is_conv = op->kind == PP_OP_CONV;
    if (op->kind == PP_OP_OFFSET)
        PP_TRY(check_tensor(op, "weight", &op->weight, 2, (const uint64_t[]){(uint64_t)op->out.h * op->out.w, op->out.c}));
    else if (op->kind == PP_OP_SCALE || op->kind == PP_OP_NORM || op->kind == PP_OP_GROUP_NORM)
        PP_TRY(check_tensor(op, "weight", &op->weight, 1, conv));
    else
        PP_TRY(check_tensor(op, "weight", &op->weight, is_conv ? 4 : 2, is_conv ? conv : linear));
    if ((op->kind == PP_OP_NORM || op->kind == PP_OP_GROUP_NORM) && !(op->epsilon >= 0 && isfinite(op->epsilon)))
        return pp_fail(PP_ERANGE, "operator '%s': epsilon is %g", op->name, op->epsilon);
    if (op->absent > pp_tensor_count(&op->weight))
        return pp_fail(PP_ERANGE, "operator '%s': more weights are absent than there are", op->name);
    return op->bias.ndim == 0 ? PP_OK : check_tensor(op, "bias", &op->bias, 1, conv);
}

static pp_status check_op(const pp_network *net, uint32_t i)
{
    const pp_op *op = &net->ops[i];
    if (!op->name || op->kind < 0 || op->kind >= PP_OP_KIND_COUNT || op->act < 0 || op->act >= PP_ACT_COUNT)
        return pp_fail(PP_EINVAL, "operator %u has no name or no valid kind", i);
    const pp_op_traits *t = pp_op_traits_(op->kind);
    if ((i == 0) != (op->kind == PP_OP_INPUT))
        return pp_fail(PP_EINVAL, "operator '%s': the input stands first and only there", op->name);
    if (op->n_inputs < t->min_in || op->n_inputs > t->max_in)
        return pp_fail(PP_EINVAL, "operator '%s': %u inputs do not fit its kind '%s'", op->name, op->n_inputs, t->name);
    for (uint32_t k = 0; k < op->n_inputs; k++)
        if (op->inputs[k] >= i)
            return pp_fail(PP_EINVAL, "operator '%s' reads an operator that does not stand before it", op->name);
    pp_op again = *op;
    PP_TRY(pp_op_infer_(&again, net->ops));
    if (!same_shape(again.in, op->in) || !same_shape(again.out, op->out))
        return pp_fail(PP_EINVAL, "operator '%s': its shape %ux%ux%u should be %ux%ux%u", op->name, op->out.h,
                       op->out.w, op->out.c, again.out.h, again.out.w, again.out.c);
    return check_weights(net, op);
}

static pp_status check_used(const pp_network *net)
{
    bool *used = pp_calloc(net->n_ops, sizeof *used);
    if (!used)
        return PP_ENOMEM;
    used[net->output] = true;
    for (uint32_t i = 0; i < net->n_ops; i++)
        for (uint32_t k = 0; k < net->ops[i].n_inputs; k++)
            used[net->ops[i].inputs[k]] = true;
    pp_status status = PP_OK;
    for (uint32_t i = 0; i < net->n_ops && status == PP_OK; i++)
        if (!used[i])
            status = pp_fail(PP_EINVAL, "operator '%s': nothing reads its result, and it is not the output",
                             net->ops[i].name);
    free(used);
    return status;
}

pp_status pp_network_check(const pp_network *net)
{
    if (!net->name || net->n_ops < 2 || net->output == 0 || net->output >= net->n_ops)
        return pp_fail(PP_EINVAL, "network '%s' needs at least one operator behind its input, and an output",
                       net->name ? net->name : "");
    for (uint32_t i = 0; i < net->n_ops; i++)
        PP_TRY(check_op(net, i));
    for (size_t c = 0; c < 4; c++)
        if (!isfinite(net->mean[c]) || !isfinite(net->std[c]) || net->std[c] <= 0)
            return pp_fail(PP_ERANGE, "network '%s': mean and std of input channel %zu must be finite, std above 0",
                           net->name, c);
    return check_used(net);
}
