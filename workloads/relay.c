/* Relays: stages that only hand a stream on, put where a stage would have more neighbours than a core has.
 *
 * A network is a graph of stages; on a fabric that embeds it each stage is a core and each stream to a reader
 * a channel. A stage with too many readers and sources together gets a relay behind it, which then serves the
 * readers; a concatenation of too many sources is made of smaller
 * ones. Values stay what they are: a relay is a subsampling by one. */
#include "workloads/relay_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct pp_relayer {
    pp_network *net;
    pp_stages *stages;
    pp_arena *arena;
    uint32_t limit;
    PP_VEC(pp_op) op;
    uint32_t *at; /* [n_ops] new index of an operator's result for its next reader */
} pp_relayer;

/* ---- counting neighbours ---- */

/* Stage that makes what operator `op` gives, PP_NONE: the input. */
static uint32_t maker(const pp_relayer *r, uint32_t op)
{
    return r->stages->stage_of_op[op];
}

static uint32_t readers_of(const pp_relayer *r, uint32_t stage)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < r->stages->n; s++)
        for (uint32_t k = 0; k < r->stages->stage[s].n_inputs; k++)
            if (r->stages->stage[s].inputs[k].stream == stage + 1) {
                n++;
                break;
            }
    return n;
}

static uint32_t sources_of(const pp_relayer *r, uint32_t stage)
{
    const pp_stage *s = &r->stages->stage[stage];
    uint32_t n = 0;
    for (uint32_t k = 0; k < s->n_inputs; k++) {
        bool again = s->inputs[k].stream == 0;
        for (uint32_t j = 0; j < k; j++)
            again = again || s->inputs[j].stream == s->inputs[k].stream;
        n += !again;
    }
    return n;
}

/* ---- new operators ---- */

static pp_status append(pp_relayer *r, pp_op op, const uint32_t *inputs, uint32_t *index)
{
    uint32_t *copy = pp_arena_get(r->arena, op.n_inputs, sizeof *copy);
    if (!copy)
        return PP_ENOMEM;
    if (op.n_inputs)
        memcpy(copy, inputs, op.n_inputs * sizeof *copy);
    op.inputs = copy;
    *index = (uint32_t)r->op.len;
    return pp_push(&r->op, op) ? PP_OK : PP_ENOMEM;
}

static pp_status named(pp_relayer *r, pp_op *op, const char *name, const char *end, uint32_t number)
{
    char *text = pp_strf("%s.%s%u", name, end, number);
    op->name = text ? pp_arena_strdup(r->arena, text) : NULL;
    free(text);
    return op->name ? PP_OK : PP_ENOMEM;
}

static pp_status add_relay(pp_relayer *r, const char *name, uint32_t number, uint32_t input, uint32_t *index)
{
    pp_shape shape = r->op.data[input].out;
    pp_op op = {.kind = PP_OP_SUBSAMPLE, .n_inputs = 1, .groups = 1, .in = shape, .out = shape};
    op.window = (pp_window){.kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
    PP_TRY(named(r, &op, name, "relay", number));
    return append(r, op, &input, index);
}

/* The last `n` inputs become one. */
static pp_status join_last(pp_relayer *r, const pp_op *concat, uint32_t *inputs, uint32_t *n_inputs, uint32_t n,
                           uint32_t number)
{
    pp_op op = {.kind = PP_OP_CONCAT, .n_inputs = n, .groups = 1, .window = concat->window};
    const uint32_t *last = inputs + *n_inputs - n;
    op.in = op.out = r->op.data[last[0]].out;
    for (uint32_t k = 1; k < n; k++)
        op.out.c += r->op.data[last[k]].out.c;
    PP_TRY(named(r, &op, concat->name, "part", number));
    uint32_t index;
    PP_TRY(append(r, op, last, &index));
    *n_inputs -= n - 1;
    inputs[*n_inputs - 1] = index;
    return PP_OK;
}

/* Inputs as they are numbered now; a concatenation leaves one neighbour for its reader. */
static pp_status copy_op(pp_relayer *r, uint32_t i, uint32_t *inputs, uint32_t *index)
{
    pp_op op = r->net->ops[i];
    for (uint32_t k = 0; k < op.n_inputs; k++)
        inputs[k] = r->at[op.inputs[k]];
    uint32_t most = r->limit - 1, number = 0;
    while (op.kind == PP_OP_CONCAT && op.n_inputs > most) {
        uint32_t n = op.n_inputs - most + 1;
        PP_TRY(join_last(r, &op, inputs, &op.n_inputs, n < most ? n : most, number++));
    }
    return append(r, op, inputs, index);
}

/* Operators in their order; behind the last one of a stage with too many neighbours its relay, which
 * whoever comes later reads instead. */
static pp_status copy_all(pp_relayer *r)
{
    uint32_t *inputs = pp_alloc(r->net->n_ops, sizeof *inputs);
    pp_status status = inputs ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; i < r->net->n_ops && status == PP_OK; i++) {
        uint32_t index = 0, stage = maker(r, i);
        status = copy_op(r, i, inputs, &index);
        r->at[i] = index;
        if (status != PP_OK || stage == PP_NONE || r->stages->stage[stage].result != i)
            continue;
        uint32_t readers = readers_of(r, stage), sources = sources_of(r, stage);
        sources = sources < r->limit ? sources : r->limit - 1;
        if (readers > 1 && readers + sources > r->limit)
            status = add_relay(r, r->net->ops[i].name, 0, index, &r->at[i]);
    }
    free(inputs);
    return status;
}

/* One relay has one source, so it serves all that a core has neighbours for but one. */
static pp_status check_relays(const pp_relayer *r)
{
    for (uint32_t s = 0; s < r->stages->n; s++)
        if (readers_of(r, s) + 1 > r->limit)
            return pp_fail(PP_EUNSUPPORTED, "relays=%u: stage '%s' has %u readers, a relay serves %u at most", r->limit,
                           r->stages->stage[s].name, readers_of(r, s), r->limit - 1);
    return PP_OK;
}

pp_status pp_network_relay_(pp_network *net, uint32_t limit)
{
    pp_relayer r = {.net = net, .limit = limit, .arena = ((pp_network_owner *)net->owner)->arena};
    pp_status status;
    PP_GOTO(done, status, pp_stages_build(&r.stages, net));
    PP_GOTO(done, status, check_relays(&r));
    r.at = pp_calloc(net->n_ops, sizeof *r.at);
    status = r.at ? copy_all(&r) : PP_ENOMEM;
    pp_op *ops = status == PP_OK ? pp_arena_get(r.arena, r.op.len, sizeof *ops) : NULL;
    if (status == PP_OK && !ops)
        status = PP_ENOMEM;
    if (status == PP_OK) {
        memcpy(ops, r.op.data, r.op.len * sizeof *ops);
        net->output = r.at[net->output];
        net->ops = ops;
        net->n_ops = (uint32_t)r.op.len;
        status = pp_network_check(net);
    }
done:
    pp_stages_free(r.stages);
    free(r.op.data);
    free(r.at);
    return status;
}
