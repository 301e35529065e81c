/* Fusion: which operators one pass of a core's datapath computes. */
#include "workloads/network_internal.h"

#include <stdlib.h>

typedef struct fusion {
    const pp_network *net;
    pp_stages *stages;
    pp_arena *arena;
    uint32_t *uses;     /* [n_ops] readers of the result; the network's output has one more */
    uint32_t *consumer; /* [n_ops] a reader of the result (the one, when uses is 1) */
    bool *only_linear;  /* [n_ops] every reader is a linear operator */
    bool *done;         /* [n_ops] belongs to a stage (or is the input) */
} fusion;

static pp_shape result_shape(const pp_network *net, uint32_t op)
{
    return net->ops[op].out;
}

/* A flatten needs no work of its own when there is one pixel, or when only linear operators read
 * it: they take their stream in C,H,W order whatever its shape. */
static bool is_view(const fusion *f, uint32_t op)
{
    const pp_op *o = &f->net->ops[op];
    if (o->kind != PP_OP_FLATTEN)
        return false;
    return (o->in.h == 1 && o->in.w == 1) || (op != f->net->output && f->only_linear[op]);
}

static void count_uses(fusion *f)
{
    const pp_network *net = f->net;
    for (uint32_t i = 0; i < net->n_ops; i++)
        f->only_linear[i] = true;
    for (uint32_t i = 0; i < net->n_ops; i++) {
        const pp_op *op = &net->ops[i];
        for (uint32_t k = 0; k < op->n_inputs; k++) {
            f->uses[op->inputs[k]]++;
            f->consumer[op->inputs[k]] = i;
            if (op->kind != PP_OP_LINEAR)
                f->only_linear[op->inputs[k]] = false;
        }
    }
    f->uses[net->output]++;
}

static uint32_t stream_of(const fusion *f, uint32_t op)
{
    uint32_t stage = f->stages->stage_of_op[op];
    return stage == PP_NONE ? 0 : stage + 1;
}

static uint32_t other_operand(const pp_op *add, uint32_t op)
{
    return add->inputs[0] == op ? add->inputs[1] : add->inputs[0];
}

/* Whether the datapath of `s`, whose last operator so far is `cur`, can go on with `next`; notes it. */
static bool take(const fusion *f, pp_stage *s, uint32_t cur, uint32_t next, bool *acted)
{
    const pp_op *op = &f->net->ops[next];
    const bool begun = s->scale != PP_NONE || *acted || s->pool != PP_NONE || s->softmax != PP_NONE;
    if (op->kind == PP_OP_OFFSET) {
        if (s->matrix != PP_NONE || s->offset != PP_NONE || begun)
            return false;
        s->offset = next;
        return true;
    }
    if (op->kind == PP_OP_SOFTMAX) {
        if (f->net->ops[s->first_op].kind != PP_OP_PRODUCT || begun)
            return false;
        s->softmax = next;
        return true;
    }
    if (s->softmax != PP_NONE)
        return false;
    if (op->kind == PP_OP_SCALE) {
        if (s->matrix != PP_NONE || s->scale != PP_NONE || *acted || s->pool != PP_NONE)
            return false;
        s->scale = next;
        return true;
    }
    if (op->kind == PP_OP_ADD) {
        if (s->matrix == PP_NONE)
            return false;
        if (s->add != PP_NONE || *acted || s->pool != PP_NONE || !f->done[other_operand(op, cur)])
            return false;
        s->add = next;
        return true;
    }
    if (op->kind == PP_OP_ACT) {
        if (*acted || s->pool != PP_NONE)
            return false;
        *acted = true;
        s->act = op->act;
        return true;
    }
    if (pp_op_traits_(op->kind)->pool) {
        if (s->pool != PP_NONE)
            return false;
        s->pool = next;
        return true;
    }
    return is_view(f, next) && op->in.h == 1 && op->in.w == 1;
}

static void take_chain(fusion *f, pp_stage *s, uint32_t index)
{
    bool acted = s->act != PP_ACT_NONE;
    uint32_t cur = s->first_op;
    while (f->uses[cur] == 1 && cur != f->net->output && take(f, s, cur, f->consumer[cur], &acted)) {
        if (f->net->ops[f->consumer[cur]].kind == PP_OP_ADD)
            s->inputs[1] = (pp_stage_input){stream_of(f, other_operand(&f->net->ops[s->add], cur)), PP_ROLE_ADD};
        cur = f->consumer[cur];
        f->done[cur] = true;
        f->stages->stage_of_op[cur] = index;
    }
    s->result = cur;
    if (s->add != PP_NONE)
        s->n_inputs = 2;
}

/* Whether operators behind `op` may join its stage. What only hands values on (pooling, subsampling,
 * flatten, activation alone) stands for itself. */
static bool takes_others(const pp_op *op)
{
    switch (op->kind) {
    case PP_OP_ADD:
    case PP_OP_CONCAT:
    case PP_OP_SCALE:
    case PP_OP_MUL:
    case PP_OP_SHUFFLE:
    case PP_OP_SLICE:
    case PP_OP_UPSAMPLE:
    case PP_OP_PIXEL_SHUFFLE:
    case PP_OP_PRODUCT:
    case PP_OP_OFFSET:
    case PP_OP_ARRANGE:
        return true;
    default:
        return pp_op_traits_(op->kind)->matrix;
    }
}

static pp_status make_stage(fusion *f, uint32_t first_op)
{
    const pp_op *op = &f->net->ops[first_op];
    uint32_t index = f->stages->n;
    pp_stage *s = &f->stages->stage[index];
    bool matrix = pp_op_traits_(op->kind)->matrix;
    *s = (pp_stage){.name = pp_arena_strdup(f->arena, op->name), .matrix = matrix ? first_op : PP_NONE,
                    .first_op = first_op, .add = PP_NONE, .scale = op->kind == PP_OP_SCALE ? first_op : PP_NONE,
                    .offset = op->kind == PP_OP_OFFSET ? first_op : PP_NONE, .softmax = PP_NONE,
                    .pool = PP_NONE, .result = first_op,
                    .n_inputs = op->n_inputs};
    s->act = op->kind == PP_OP_ACT ? op->act : PP_ACT_NONE;
    s->inputs = pp_arena_get(f->arena, matrix ? 2 : op->n_inputs, sizeof *s->inputs);
    if (!s->name || !s->inputs)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < op->n_inputs; k++)
        s->inputs[k] = (pp_stage_input){stream_of(f, op->inputs[k]), matrix ? PP_ROLE_MATRIX : PP_ROLE_DATA};
    f->done[first_op] = true;
    f->stages->stage_of_op[first_op] = index;
    if (takes_others(op))
        take_chain(f, s, index);
    f->stages->n++;
    s->in = pp_stream_shape(f->net, f->stages, s->inputs[0].stream);
    s->fire = result_shape(f->net, first_op);
    s->out = s->pool == PP_NONE ? s->fire : result_shape(f->net, s->pool);
    return PP_OK;
}

static pp_status fuse(fusion *f)
{
    f->done[0] = true;
    for (uint32_t i = 1; i < f->net->n_ops; i++) {
        if (f->done[i])
            continue;
        if (is_view(f, i)) {
            f->done[i] = true;
            f->stages->stage_of_op[i] = f->stages->stage_of_op[f->net->ops[i].inputs[0]];
            continue;
        }
        PP_TRY(make_stage(f, i));
    }
    f->stages->output = f->stages->stage_of_op[f->net->output];
    if (f->stages->output == PP_NONE)
        return pp_fail(PP_EINVAL, "network '%s' computes nothing", f->net->name);
    return PP_OK;
}

pp_status pp_stages_build(pp_stages **out, const pp_network *net)
{
    fusion f = {.net = net};
    *out = NULL;
    pp_status status = PP_ENOMEM;
    f.stages = pp_calloc(1, sizeof *f.stages);
    if (!f.stages)
        goto done;
    PP_GOTO(done, status, pp_arena_new(&f.arena));
    f.stages->owner = f.arena;
    status = PP_ENOMEM;
    f.stages->stage = pp_arena_get(f.arena, net->n_ops, sizeof *f.stages->stage);
    f.stages->stage_of_op = pp_arena_get(f.arena, net->n_ops, sizeof *f.stages->stage_of_op);
    f.uses = pp_calloc(net->n_ops, sizeof *f.uses);
    f.consumer = pp_calloc(net->n_ops, sizeof *f.consumer);
    f.only_linear = pp_calloc(net->n_ops, sizeof *f.only_linear);
    f.done = pp_calloc(net->n_ops, sizeof *f.done);
    if (!f.stages->stage || !f.stages->stage_of_op || !f.uses || !f.consumer || !f.only_linear || !f.done)
        goto done;
    for (uint32_t i = 0; i < net->n_ops; i++)
        f.stages->stage_of_op[i] = PP_NONE;
    count_uses(&f);
    PP_GOTO(done, status, fuse(&f));
    *out = f.stages;
    f.stages = NULL;
done:
    free(f.uses);
    free(f.consumer);
    free(f.only_linear);
    free(f.done);
    pp_stages_free(f.stages);
    return status;
}

void pp_stages_free(pp_stages *stages)
{
    if (!stages)
        return;
    pp_arena_free(stages->owner);
    free(stages);
}

pp_shape pp_stream_shape(const pp_network *net, const pp_stages *stages, uint32_t stream)
{
    return stream == 0 ? net->ops[0].out : stages->stage[stream - 1].out;
}
