/* Text of a graph: one line an operator, in order. */
#include "workloads/network_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef PP_VEC(char) text;

static pp_status put(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static pp_status put(text *t, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (int i = 0; i < n && i < (int)sizeof line - 1; i++)
        if (!pp_push(t, line[i]))
            return PP_ENOMEM;
    return PP_OK;
}

static pp_status put_window(text *t, const pp_op *op)
{
    const pp_window *w = &op->window;
    if (!pp_op_traits_(op->kind)->window)
        return PP_OK;
    PP_TRY(put(t, " k%ux%u s%ux%u d%ux%u p%u,%u,%u,%u", w->kh, w->kw, w->sh, w->sw, w->dh, w->dw, w->top, w->left,
               w->bottom, w->right));
    if (op->kind == PP_OP_AVG_POOL && w->count_padding)
        PP_TRY(put(t, " count_padding"));
    return op->groups > 1 ? put(t, " groups %u", op->groups) : PP_OK;
}

static pp_status put_op(text *t, const pp_network *net, uint32_t i)
{
    const pp_op *op = &net->ops[i];
    PP_TRY(put(t, "%u %s %s", i, op->name, pp_op_kind_name(op->kind)));
    for (uint32_t k = 0; k < op->n_inputs; k++)
        PP_TRY(put(t, "%s%u", k ? "," : " <- ", op->inputs[k]));
    PP_TRY(put(t, " -> %ux%ux%u", op->out.h, op->out.w, op->out.c));
    if (op->kind == PP_OP_ACT)
        PP_TRY(put(t, " %s", pp_act_name(op->act)));
    PP_TRY(put_window(t, op));
    if (op->kind == PP_OP_SLICE)
        PP_TRY(put(t, " from %u,%u,%u", op->offset.h, op->offset.w, op->offset.c));
    if (op->kind == PP_OP_TASK)
        PP_TRY(put(t, " ops %llu ps %llu unit_bits %u", (unsigned long long)op->work.ops, (unsigned long long)op->work.ps,
                   op->work.unit_bits));
    for (uint32_t k = 0; op->part && k < op->n_inputs; k++)
        PP_TRY(put(t, " part %u,%u", op->part[k][0], op->part[k][1]));
    if (op->kind == PP_OP_PRODUCT)
        PP_TRY(put(t, "%s%s times %.9g", op->transposed ? " transposed" : "", op->whole ? " whole" : "", op->factor));
    for (size_t p = 0; op->from && p < (size_t)op->out.h * op->out.w; p++)
        PP_TRY(put(t, " %u:%u", op->from[p].input, op->from[p].pixel));
    if (op->kind == PP_OP_SHUFFLE || op->kind == PP_OP_PRODUCT || op->kind == PP_OP_SOFTMAX ||
        op->kind == PP_OP_GROUP_NORM)
        PP_TRY(put(t, " groups %u", op->groups));
    if (pp_op_traits_(op->kind)->learned)
        PP_TRY(put(t, " %s%s%s", pp_dtype_name_(op->weight.dtype), op->bias.ndim ? " bias" : "",
                   op->batch_norm ? " batch_norm" : ""));
    return put(t, "\n");
}

static pp_status put_network(text *t, const pp_network *net)
{
    PP_TRY(put(t, "network %s ops %u output %u weights %s %s\n", net->name, net->n_ops, net->output,
               net->has_weights ? net->weights_file : "none", net->weights_sha256));
    PP_TRY(put(t, "mean"));
    for (uint32_t c = 0; c < net->ops[0].out.c && c < 4; c++)
        PP_TRY(put(t, " %.9g", (double)net->mean[c]));
    PP_TRY(put(t, " std"));
    for (uint32_t c = 0; c < net->ops[0].out.c && c < 4; c++)
        PP_TRY(put(t, " %.9g", (double)net->std[c]));
    PP_TRY(put(t, "\n"));
    for (uint32_t i = 0; i < net->n_ops; i++)
        PP_TRY(put_op(t, net, i));
    return pp_push(t, '\0') ? PP_OK : PP_ENOMEM;
}

pp_status pp_network_dump(char **out, const pp_network *net)
{
    text t = {0};
    *out = NULL;
    pp_status status = put_network(&t, net);
    if (status == PP_OK)
        *out = t.data;
    else
        free(t.data);
    return status;
}
