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
    const pp_network *net;
    pp_stages *stages;
    pp_arena *arena;
    uint32_t limit;
    bool pad; /* second round: branches; first: neighbours */
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

/* The only stage that `stage` reads; PP_NONE: it reads several, or the input. */
static uint32_t only_source(const pp_relayer *r, uint32_t stage)
{
    const pp_stage *s = &r->stages->stage[stage];
    for (uint32_t k = 0; k < s->n_inputs; k++)
        if (s->inputs[k].stream == 0 || s->inputs[k].stream != s->inputs[0].stream)
            return PP_NONE;
    return s->inputs[0].stream - 1;
}

/* ---- branches ---- */

/* From where branches part to where they are joined. A branch of n stages that runs along a lane of its own
 * gets on by at most 2 (n - 1) columns (a core reaches the next two), by one less for each pair of
 * stages side by side in it. */
typedef struct pp_branch_walk {
    uint32_t fork; /* stage where it parts, PP_NONE: no such branch */
    uint32_t length, columns, pads;
} pp_branch_walk;

/* The stage before two that stand side by side in front of `stage`; PP_NONE when they do not. */
static uint32_t before_pair(const pp_relayer *r, uint32_t stage)
{
    const pp_stage *s = &r->stages->stage[stage];
    if (s->n_inputs != 2 || s->inputs[0].stream == 0 || s->inputs[1].stream == 0)
        return PP_NONE;
    uint32_t a = s->inputs[0].stream - 1, b = s->inputs[1].stream - 1, before = only_source(r, a);
    bool pair = a != b && before != PP_NONE && before == only_source(r, b);
    return pair && readers_of(r, a) == 1 && readers_of(r, b) == 1 && readers_of(r, before) == 2 ? before : PP_NONE;
}

static pp_branch_walk walk_branch(const pp_relayer *r, uint32_t last)
{
    pp_branch_walk w = {.fork = PP_NONE, .length = 1};
    uint32_t at = last;
    for (;;) {
        uint32_t source = only_source(r, at), before = source == PP_NONE ? before_pair(r, at) : PP_NONE;
        if (before != PP_NONE) {
            w.length += 2;
            w.columns += 3;
            at = before;
            continue;
        }
        if (source == PP_NONE)
            return w;
        if (readers_of(r, source) != 1) {
            w.fork = source;
            return w;
        }
        w.length++;
        w.columns += 2;
        at = source;
    }
}

/* Branches between a fork and a join go side by side in three rows when the shortest two fill the odd and the
 * even columns between them, w - 1 and w stages, and the others run 2w columns above and below. Short ones
 * are padded with relays. Gives w. */
static uint32_t pad_branches(pp_branch_walk *branch, uint32_t n)
{
    pp_branch_walk *b[4];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = i;
        for (; at && b[at - 1]->length > branch[i].length; at--)
            b[at] = b[at - 1];
        b[at] = &branch[i];
    }
    uint32_t w = b[0]->length + 1 > b[1]->length ? b[0]->length + 1 : b[1]->length;
    b[0]->pads = w - 1 - b[0]->length;
    b[1]->pads = w - b[1]->length;
    for (uint32_t i = 2; i < n; i++)
        while (b[i]->columns + 2 * b[i]->pads < 2 * w)
            b[i]->pads++;
    return w;
}

/* The branches that `concat` joins, all from one fork; false when they are not such. */
static bool walk_branches(const pp_relayer *r, uint32_t concat, pp_branch_walk *branch)
{
    const pp_op *op = &r->net->ops[concat];
    if (op->kind != PP_OP_CONCAT || op->n_inputs > 4)
        return false;
    for (uint32_t k = 0; k < op->n_inputs; k++) {
        uint32_t stage = maker(r, op->inputs[k]);
        if (stage == PP_NONE || r->stages->stage[stage].result != op->inputs[k] || readers_of(r, stage) != 1)
            return false;
        branch[k] = walk_branch(r, stage);
        if (branch[k].fork == PP_NONE || branch[k].fork != branch[0].fork)
            return false;
    }
    return true;
}

/* The stage that adds to what it makes of the join in `stage` what the branches part from: a fourth branch
 * without stages. PP_NONE: there is none. */
static uint32_t adds_fork(const pp_relayer *r, uint32_t stage, uint32_t fork)
{
    for (uint32_t s = 0; s < r->stages->n; s++) {
        const pp_stage *t = &r->stages->stage[s];
        if (t->add != PP_NONE && t->n_inputs == 2 && t->inputs[0].stream == stage + 1 && t->inputs[1].stream == fork + 1)
            return s;
    }
    return PP_NONE;
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

static pp_status add_relays(pp_relayer *r, const char *name, uint32_t n, uint32_t *number, uint32_t *input)
{
    for (; n; n--)
        PP_TRY(add_relay(r, name, ++*number, *input, input));
    return PP_OK;
}

/* Relays in front of a join of four branches, or of three and one that is added later. */
static pp_status pad_join(pp_relayer *r, uint32_t i, uint32_t *inputs)
{
    const pp_op *op = &r->net->ops[i];
    pp_branch_walk branch[4];
    uint32_t number = 0;
    if (op->n_inputs < 3 || !walk_branches(r, i, branch) ||
        (op->n_inputs == 3 && adds_fork(r, maker(r, i), branch[0].fork) == PP_NONE))
        return PP_OK;
    (void)pad_branches(branch, op->n_inputs);
    for (uint32_t k = 0; k < op->n_inputs; k++)
        PP_TRY(add_relays(r, op->name, branch[k].pads, &number, &inputs[k]));
    return PP_OK;
}

/* Relays in front of the operand of an addition that comes past such a join of three. */
static pp_status pad_add(pp_relayer *r, uint32_t i, uint32_t *inputs)
{
    const pp_stage *s = &r->stages->stage[maker(r, i)];
    pp_branch_walk branch[4];
    uint32_t number = 0;
    if (s->matrix == PP_NONE || s->add != i || s->inputs[0].stream == 0 || s->inputs[1].stream == 0)
        return PP_OK;
    uint32_t join = s->inputs[0].stream - 1, fork = s->inputs[1].stream - 1;
    uint32_t concat = r->stages->stage[join].first_op, operand = maker(r, r->net->ops[i].inputs[0]) == fork ? 0 : 1;
    if (r->net->ops[concat].n_inputs != 3 || !walk_branches(r, concat, branch) || branch[0].fork != fork)
        return PP_OK;
    return add_relays(r, r->net->ops[i].name, pad_branches(branch, 3) + 2, &number, &inputs[operand]);
}

/* Neighbours in the list that read one and the same stage are joined first; then the last ones, until a
 * concatenation leaves one neighbour for its reader. */
static pp_status split_concat(pp_relayer *r, const pp_op *old, pp_op *op, uint32_t *inputs)
{
    uint32_t most = r->limit - 1, number = 0;
    for (uint32_t k = op->n_inputs - 1; k > 0 && op->n_inputs > most; k--) {
        uint32_t a = maker(r, old->inputs[k - 1]), b = maker(r, old->inputs[k]), n = op->n_inputs;
        if (a == PP_NONE || b == PP_NONE || only_source(r, a) == PP_NONE || only_source(r, a) != only_source(r, b))
            continue;
        uint32_t count = k + 1;
        PP_TRY(join_last(r, old, inputs, &count, 2, number++));
        memmove(&inputs[count], &inputs[k + 1], (n - k - 1) * sizeof *inputs);
        op->n_inputs = n - 1;
    }
    while (op->n_inputs > most) {
        uint32_t n = op->n_inputs - most + 1;
        PP_TRY(join_last(r, old, inputs, &op->n_inputs, n < most ? n : most, number++));
    }
    return PP_OK;
}

/* Inputs as they are numbered now. */
static pp_status copy_op(pp_relayer *r, uint32_t i, uint32_t *inputs, uint32_t *index)
{
    pp_op op = r->net->ops[i];
    for (uint32_t k = 0; k < op.n_inputs; k++)
        inputs[k] = r->at[op.inputs[k]];
    if (op.kind == PP_OP_ADD && r->pad)
        PP_TRY(pad_add(r, i, inputs));
    else if (op.kind == PP_OP_CONCAT && r->pad)
        PP_TRY(pad_join(r, i, inputs));
    else if (op.kind == PP_OP_CONCAT)
        PP_TRY(split_concat(r, &r->net->ops[i], &op, inputs));
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
        if (!r->pad && readers > 1 && readers + sources > r->limit)
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

static pp_status relay(pp_network *net, uint32_t limit, bool pad)
{
    pp_relayer r = {.net = net, .limit = limit, .pad = pad, .arena = ((pp_network_owner *)net->owner)->arena};
    pp_status status;
    pp_op *ops = NULL;
    PP_GOTO(done, status, pp_stages_build(&r.stages, net));
    PP_GOTO(done, status, check_relays(&r));
    r.at = pp_calloc(net->n_ops, sizeof *r.at);
    PP_GOTO(done, status, r.at ? copy_all(&r) : PP_ENOMEM);
    ops = pp_arena_get(r.arena, r.op.len, sizeof *ops);
    if (!ops) {
        status = PP_ENOMEM;
        goto done;
    }
    memcpy(ops, r.op.data, r.op.len * sizeof *ops);
    net->output = r.at[net->output];
    net->ops = ops;
    net->n_ops = (uint32_t)r.op.len;
    status = pp_network_check(net);
done:
    pp_stages_free(r.stages);
    free(r.op.data);
    free(r.at);
    return status;
}

pp_status pp_network_relay_(pp_network *net, uint32_t limit)
{
    PP_TRY(relay(net, limit, false));
    return relay(net, limit, true);
}

uint32_t pp_network_neighbours_(const pp_network *net)
{
    pp_relayer r = {.net = net};
    uint32_t most = 0;
    if (pp_stages_build(&r.stages, net) != PP_OK)
        return 0;
    for (uint32_t s = 0; s < r.stages->n; s++) {
        uint32_t n = sources_of(&r, s) + readers_of(&r, s);
        most = n > most ? n : most;
    }
    pp_stages_free(r.stages);
    return most;
}

pp_status pp_network_rename_(pp_network *net, const char *name)
{
    net->name = pp_arena_strdup(((pp_network_owner *)net->owner)->arena, name);
    return net->name ? PP_OK : PP_ENOMEM;
}
