/* Networks under construction. */
#include "workloads/network_internal.h"

#include <stdlib.h>
#include <string.h>

struct pp_builder {
    pp_network *net; /* ops stay in `ops` until finish */
    pp_network_owner *owner;
    PP_VEC(pp_op) ops;
    uint32_t *named; /* [n_named]: hash table of operator index + 1; 0: free */
    size_t n_named;
};

/* Place of a name: where it stands, or the free one where it would. */
static size_t slot_of(const pp_builder *b, const char *name)
{
    size_t at = (size_t)pp_fnv1a(PP_FNV_START, name, strlen(name)) & (b->n_named - 1);
    while (b->named[at] && strcmp(b->ops.data[b->named[at] - 1].name, name) != 0)
        at = (at + 1) & (b->n_named - 1);
    return at;
}

/* Twice as many places as operators at least. */
static pp_status index_names(pp_builder *b)
{
    if (b->n_named < 2 * b->ops.len + 2) {
        size_t n = b->n_named ? 2 * b->n_named : 64;
        uint32_t *grown = pp_calloc(n, sizeof *grown);
        if (!grown)
            return PP_ENOMEM;
        free(b->named);
        b->named = grown;
        b->n_named = n;
        for (uint32_t i = 0; i + 1 < b->ops.len; i++)
            b->named[slot_of(b, b->ops.data[i].name)] = i + 1;
    }
    b->named[slot_of(b, b->ops.data[b->ops.len - 1].name)] = (uint32_t)b->ops.len;
    return PP_OK;
}

static pp_status add_input(pp_builder *b, const char *name, pp_shape input)
{
    b->net->name = pp_arena_strdup(b->owner->arena, name);
    b->net->weights_file = b->net->note = "";
    if (!b->net->name)
        return PP_ENOMEM;
    for (size_t i = 0; i < 4; i++)
        b->net->std[i] = 1;
    pp_op op = {.name = "input", .kind = PP_OP_INPUT, .groups = 1, .in = input, .out = input};
    op.window = (pp_window){.kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
    PP_TRY(pp_op_infer_(&op, NULL));
    return pp_push(&b->ops, op) ? index_names(b) : PP_ENOMEM;
}

pp_status pp_builder_new(pp_builder **out, const char *name, pp_shape input)
{
    *out = NULL;
    pp_status status = PP_ENOMEM;
    pp_builder *b = pp_calloc(1, sizeof *b);
    if (!b)
        return PP_ENOMEM;
    b->net = pp_calloc(1, sizeof *b->net);
    b->owner = pp_calloc(1, sizeof *b->owner);
    if (!b->net || !b->owner)
        goto fail;
    b->net->owner = b->owner;
    PP_GOTO(fail, status, pp_arena_new(&b->owner->arena));
    PP_GOTO(fail, status, add_input(b, name, input));
    *out = b;
    return PP_OK;
fail:
    pp_builder_free(b);
    return status;
}

void pp_builder_free(pp_builder *b)
{
    if (!b)
        return;
    if (b->net)
        b->net->owner = b->owner; /* also when only one of the two was made */
    if (b->net)
        pp_network_free(b->net);
    else
        free(b->owner);
    free(b->ops.data);
    free(b->named);
    free(b);
}

void pp_builder_take_file_(pp_builder *b, void *file, void (*close_file)(void *file))
{
    b->owner->file = file;
    b->owner->close_file = close_file;
}

pp_status pp_builder_source_(pp_builder *b, const char *weights_file, const char *sha256)
{
    b->net->weights_file = pp_arena_strdup(b->owner->arena, weights_file);
    if (!b->net->weights_file) {
        b->net->weights_file = "";
        return PP_ENOMEM;
    }
    memcpy(b->net->weights_sha256, sha256, sizeof b->net->weights_sha256);
    return PP_OK;
}

void pp_builder_normalise(pp_builder *b, const float *mean, const float *std)
{
    for (uint32_t i = 0; i < b->ops.data[0].out.c && i < 4; i++) {
        b->net->mean[i] = mean[i];
        b->net->std[i] = std[i];
    }
}

uint32_t pp_builder_find_(const pp_builder *b, const char *name)
{
    uint32_t found = b->n_named ? b->named[slot_of(b, name)] : 0;
    return found ? found - 1 : PP_NONE;
}

const pp_op *pp_builder_op_(const pp_builder *b, uint32_t op)
{
    return &b->ops.data[op];
}

pp_arena *pp_builder_arena_(pp_builder *b)
{
    return b->owner->arena;
}

pp_status pp_builder_annotate_(pp_builder *b, const char *note)
{
    b->net->note = pp_arena_strdup(b->owner->arena, note);
    if (b->net->note)
        return PP_OK;
    b->net->note = "";
    return PP_ENOMEM;
}

pp_status pp_builder_fold_(pp_builder *b, uint32_t op, const double *scale, const double *shift)
{
    pp_op *o = &b->ops.data[op];
    uint32_t n = o->out.c;
    float *rows = pp_arena_get(b->owner->arena, n, sizeof *rows), *bias = pp_arena_get(b->owner->arena, n, sizeof *bias);
    if (!rows || !bias)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < n; c++) {
        double before = o->bias.ndim ? (double)pp_tensor_f32(&o->bias, c) : 0;
        rows[c] = (float)((o->weight.row_scale ? (double)o->weight.row_scale[c] : 1) * scale[c]);
        bias[c] = (float)(before * scale[c] + shift[c]);
    }
    o->weight.row_scale = rows;
    o->bias = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {n}, .data = bias};
    return PP_OK;
}

void pp_builder_times_(pp_builder *b, uint32_t op, double times)
{
    b->ops.data[op].factor *= times;
}

static pp_status keep_ops(pp_builder *b, const bool *needed, uint32_t *now)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->ops.len; i++) {
        if (!needed[i])
            continue;
        pp_op *op = &b->ops.data[i];
        uint32_t *inputs = pp_arena_get(b->owner->arena, op->n_inputs, sizeof *inputs);
        if (!inputs)
            return PP_ENOMEM;
        for (uint32_t k = 0; k < op->n_inputs; k++)
            inputs[k] = now[op->inputs[k]];
        op->inputs = inputs;
        now[i] = n;
        b->ops.data[n++] = *op;
    }
    b->ops.len = n;
    return PP_OK;
}

pp_status pp_builder_prune_(pp_builder *b, uint32_t output)
{
    bool *needed = pp_calloc(b->ops.len, sizeof *needed);
    uint32_t *now = pp_calloc(b->ops.len, sizeof *now);
    pp_status status = needed && now ? PP_OK : PP_ENOMEM;
    if (status == PP_OK) {
        needed[0] = needed[output] = true;
        for (uint32_t i = output + 1; i-- > 0;)
            for (uint32_t k = 0; needed[i] && k < b->ops.data[i].n_inputs; k++)
                needed[b->ops.data[i].inputs[k]] = true;
        status = keep_ops(b, needed, now);
        free(b->named); /* indices have changed; nothing is added any more */
        b->named = NULL;
        b->n_named = 0;
    }
    free(needed);
    free(now);
    return status;
}

/* Whether a slice takes channels only. */
static bool takes_channels(const pp_op *op)
{
    return op->kind == PP_OP_SLICE && op->offset.h == 0 && op->offset.w == 0 && op->out.h == op->in.h && op->out.w == op->in.w;
}

/* How an operator is read: by how many, by how many slices, and how many channels these take. */
typedef struct reading {
    uint32_t all, slices;
    uint64_t channels;
} reading;

static bool is_cut(const pp_op *op, const reading *r)
{
    return op->kind == PP_OP_CONV && op->groups == 1 && op->absent == 0 && r->slices > 1 && r->slices == r->all &&
           r->channels <= op->out.c;
}

pp_status pp_builder_split_(pp_builder *b)
{
    reading *read = pp_calloc(b->ops.len, sizeof *read);
    if (!read)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < b->ops.len; i++) {
        const pp_op *op = &b->ops.data[i];
        for (uint32_t k = 0; k < op->n_inputs; k++) {
            reading *r = &read[op->inputs[k]];
            r->all++;
            r->slices += takes_channels(op);
            r->channels += takes_channels(op) ? op->out.c : 0;
        }
    }
    for (uint32_t i = 0; i < b->ops.len; i++) {
        pp_op *slice = &b->ops.data[i];
        if (!takes_channels(slice) || !is_cut(&b->ops.data[slice->inputs[0]], &read[slice->inputs[0]]))
            continue;
        pp_op part = b->ops.data[slice->inputs[0]];
        part.name = slice->name;
        part.out = slice->out;
        part.weight = pp_tensor_rows_(&part.weight, slice->offset.c, slice->out.c);
        if (part.bias.ndim > 0)
            part.bias = pp_tensor_rows_(&part.bias, slice->offset.c, slice->out.c);
        *slice = part;
    }
    free(read);
    return pp_builder_prune_(b, (uint32_t)b->ops.len - 1);
}

pp_shape pp_builder_shape(const pp_builder *b, uint32_t op)
{
    return b->ops.data[op].out;
}

/* Copies name and inputs, checks what does not depend on the kind, finds the shape, appends. */
static pp_status append(pp_builder *b, pp_op *op, const char *name, const uint32_t *inputs, uint32_t n, uint32_t *out)
{
    if (pp_builder_find_(b, name) != PP_NONE)
        return pp_fail(PP_EEXIST, "operator '%s' is defined twice", name);
    if (b->ops.len >= PP_NONE - 1)
        return pp_fail(PP_ERANGE, "operator '%s': too many operators", name);
    for (uint32_t k = 0; k < n; k++)
        if (inputs[k] >= b->ops.len)
            return pp_fail(PP_EINVAL, "operator '%s': input %u is operator %u, which is not defined yet", name, k,
                           inputs[k]);
    uint32_t *copy = pp_arena_get(b->owner->arena, n, sizeof *copy);
    op->name = pp_arena_strdup(b->owner->arena, name);
    if (!copy || !op->name)
        return PP_ENOMEM;
    memcpy(copy, inputs, n * sizeof *copy);
    op->inputs = copy;
    op->n_inputs = n;
    op->groups = op->groups ? op->groups : 1;
    if (op->window.kh == 0)
        op->window = (pp_window){.kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
    PP_TRY(pp_op_infer_(op, b->ops.data));
    if (!pp_push(&b->ops, *op))
        return PP_ENOMEM;
    PP_TRY(index_names(b));
    if (out)
        *out = (uint32_t)b->ops.len - 1;
    return PP_OK;
}

/* The view that the operator keeps: the given one when its shape is right, else the bare shape. */
static pp_status set_tensor(pp_tensor *slot, const char *op, const char *what, const pp_tensor *given, uint32_t ndim,
                            const uint64_t *dim)
{
    *slot = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = ndim};
    memcpy(slot->dim, dim, ndim * sizeof *dim);
    if (!given)
        return PP_OK;
    bool same = given->ndim == ndim;
    for (uint32_t i = 0; same && i < ndim; i++)
        same = given->dim[i] == dim[i];
    if (!same) {
        char have[96], want[96];
        pp_tensor_shape_text_(have, sizeof have, given);
        pp_tensor_shape_text_(want, sizeof want, slot);
        return pp_fail(PP_EINVAL, "operator '%s': its %s has shape %s; expected %s", op, what, have, want);
    }
    if (!pp_tensor_is_real_(given))
        return pp_fail(PP_EUNSUPPORTED, "operator '%s': its %s is %s; expected F32, F16 or BF16", op, what,
                       pp_dtype_name_(given->dtype));
    *slot = *given;
    return PP_OK;
}

static pp_status known_input(const pp_builder *b, const char *name, uint32_t input)
{
    if (input >= b->ops.len)
        return pp_fail(PP_EINVAL, "operator '%s': its input is operator %u, which is not defined yet", name, input);
    return PP_OK;
}

pp_status pp_build_conv(pp_builder *b, const char *name, uint32_t input, uint32_t cout, const pp_window *window,
                        uint32_t groups, bool has_bias, bool batch_norm, const pp_tensor *weight,
                        const pp_tensor *bias, uint32_t *out)
{
    PP_TRY(known_input(b, name, input));
    pp_op op = {.kind = PP_OP_CONV, .window = *window, .groups = groups, .batch_norm = batch_norm, .out = {.c = cout}};
    uint32_t cin = groups ? b->ops.data[input].out.c / groups : 0;
    uint64_t dim[4] = {cout, cin, window->kh, window->kw};
    if (groups == 0 || window->kh == 0 || window->kw == 0)
        return pp_fail(PP_ERANGE, "operator '%s': groups and kernel must be at least 1", name);
    PP_TRY(set_tensor(&op.weight, name, "weight", weight, 4, dim));
    if (has_bias)
        PP_TRY(set_tensor(&op.bias, name, "bias", bias, 1, dim));
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_linear(pp_builder *b, const char *name, uint32_t input, uint32_t features, bool has_bias,
                          const pp_tensor *weight, const pp_tensor *bias, uint32_t *out)
{
    PP_TRY(known_input(b, name, input));
    pp_op op = {.kind = PP_OP_LINEAR, .out = {.c = features}};
    pp_shape in = b->ops.data[input].out;
    uint64_t dim[2] = {features, (uint64_t)in.h * in.w * in.c};
    PP_TRY(set_tensor(&op.weight, name, "weight", weight, 2, dim));
    if (has_bias)
        PP_TRY(set_tensor(&op.bias, name, "bias", bias, 1, dim));
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_pool(pp_builder *b, const char *name, pp_op_kind kind, uint32_t input, const pp_window *window,
                        uint32_t *out)
{
    pp_op op = {.kind = kind};
    if (!pp_op_traits_(kind)->pool)
        return pp_fail(PP_EINVAL, "operator '%s': '%s' is not a pooling", name, pp_op_kind_name(kind));
    if (kind != PP_OP_GLOBAL_POOL) {
        if (!window || window->kh == 0 || window->kw == 0)
            return pp_fail(PP_EINVAL, "operator '%s': a pooling needs a window of at least 1x1", name);
        op.window = *window;
    }
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_join(pp_builder *b, const char *name, pp_op_kind kind, const uint32_t *inputs, uint32_t n,
                        uint32_t *out)
{
    pp_op op = {.kind = kind};
    const pp_op_traits *t = pp_op_traits_(kind);
    if (t->min_in < 2)
        return pp_fail(PP_EINVAL, "operator '%s': '%s' does not join streams", name, t->name);
    if (n < t->min_in || n > t->max_in)
        return pp_fail(PP_EINVAL, "operator '%s': %u inputs, '%s' takes %s", name, n, t->name,
                       t->max_in == 2 ? "2" : "at least 2");
    return append(b, &op, name, inputs, n, out);
}

pp_status pp_build_subsample(pp_builder *b, const char *name, uint32_t input, uint32_t stride, uint32_t channels,
                             uint32_t *out)
{
    pp_op op = {.kind = PP_OP_SUBSAMPLE, .out = {.c = channels}};
    op.window = (pp_window){.kh = 1, .kw = 1, .sh = stride, .sw = stride, .dh = 1, .dw = 1};
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_act(pp_builder *b, const char *name, uint32_t input, pp_act act, uint32_t *out)
{
    pp_op op = {.kind = PP_OP_ACT, .act = act};
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_flatten(pp_builder *b, const char *name, uint32_t input, uint32_t *out)
{
    pp_op op = {.kind = PP_OP_FLATTEN};
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_scale(pp_builder *b, const char *name, uint32_t input, const pp_tensor *weight,
                         const pp_tensor *bias, uint32_t *out)
{
    PP_TRY(known_input(b, name, input));
    pp_op op = {.kind = PP_OP_SCALE};
    uint64_t channels = b->ops.data[input].out.c;
    PP_TRY(set_tensor(&op.weight, name, "weight", weight, 1, &channels));
    PP_TRY(set_tensor(&op.bias, name, "bias", bias, 1, &channels));
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_norm(pp_builder *b, const char *name, uint32_t input, double epsilon, const pp_tensor *weight,
                        const pp_tensor *bias, uint32_t *out)
{
    PP_TRY(known_input(b, name, input));
    pp_op op = {.kind = PP_OP_NORM, .epsilon = epsilon};
    uint64_t channels = b->ops.data[input].out.c;
    PP_TRY(set_tensor(&op.weight, name, "weight", weight, 1, &channels));
    PP_TRY(set_tensor(&op.bias, name, "bias", bias, 1, &channels));
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_group_norm(pp_builder *b, const char *name, uint32_t input, uint32_t groups, double epsilon,
                              const pp_tensor *weight, const pp_tensor *bias, uint32_t *out)
{
    PP_TRY(known_input(b, name, input));
    pp_op op = {.kind = PP_OP_GROUP_NORM, .epsilon = epsilon, .groups = groups};
    uint64_t channels = b->ops.data[input].out.c;
    PP_TRY(set_tensor(&op.weight, name, "weight", weight, 1, &channels));
    PP_TRY(set_tensor(&op.bias, name, "bias", bias, 1, &channels));
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_response_norm(pp_builder *b, const char *name, uint32_t input, const pp_response *response, uint32_t *out)
{
    pp_op op = {.kind = PP_OP_RESPONSE_NORM, .response = *response};
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_softmax(pp_builder *b, const char *name, uint32_t input, uint32_t groups, uint32_t *out)
{
    pp_op op = {.kind = PP_OP_SOFTMAX, .groups = groups};
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_product(pp_builder *b, const char *name, uint32_t left, uint32_t right, const pp_op *like,
                           uint32_t *out)
{
    pp_op op = {.kind = PP_OP_PRODUCT,
                .groups = like->groups,
                .transposed = like->transposed,
                .whole = like->whole,
                .factor = like->factor};
    return append(b, &op, name, (const uint32_t[]){left, right}, 2, out);
}

pp_status pp_build_offset(pp_builder *b, const char *name, uint32_t input, const pp_tensor *weight, uint32_t *out)
{
    PP_TRY(known_input(b, name, input));
    pp_op op = {.kind = PP_OP_OFFSET};
    const pp_shape s = b->ops.data[input].out;
    PP_TRY(set_tensor(&op.weight, name, "weight", weight, 2, (const uint64_t[]){(uint64_t)s.h * s.w, s.c}));
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_arrange(pp_builder *b, const char *name, const uint32_t *inputs, uint32_t n, uint32_t h, uint32_t w,
                           const pp_source *from, const pp_tensor *weight, uint32_t *out)
{
    pp_op op = {.kind = PP_OP_ARRANGE, .out = {.h = h, .w = w}};
    if (h < 1 || w < 1 || (uint64_t)h * w > PP_ELEMENTS_MAX)
        return pp_fail(PP_ERANGE, "operator '%s': a result of %ux%u pixels is empty or too large", name, h, w);
    pp_source *copy = pp_arena_get(b->owner->arena, (size_t)h * w, sizeof *copy);
    if (!copy)
        return PP_ENOMEM;
    memcpy(copy, from, (size_t)h * w * sizeof *copy);
    op.from = copy;
    if (weight)
        op.weight = *weight;
    return append(b, &op, name, inputs, n, out);
}

pp_status pp_build_shuffle(pp_builder *b, const char *name, uint32_t input, uint32_t groups, uint32_t *out)
{
    pp_op op = {.kind = PP_OP_SHUFFLE, .groups = groups};
    if (groups == 0)
        return pp_fail(PP_ERANGE, "operator '%s': groups must be at least 1", name);
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_slice(pp_builder *b, const char *name, uint32_t input, pp_shape offset, pp_shape size,
                         uint32_t *out)
{
    pp_op op = {.kind = PP_OP_SLICE, .offset = offset, .out = size};
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_upsample(pp_builder *b, const char *name, uint32_t input, uint32_t factor_y, uint32_t factor_x,
                            uint32_t *out)
{
    pp_op op = {.kind = PP_OP_UPSAMPLE};
    op.window = (pp_window){.kh = 1, .kw = 1, .sh = factor_y, .sw = factor_x, .dh = 1, .dw = 1};
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_pixel_shuffle(pp_builder *b, const char *name, uint32_t input, uint32_t factor_y, uint32_t factor_x,
                                 uint32_t *out)
{
    pp_op op = {.kind = PP_OP_PIXEL_SHUFFLE};
    op.window = (pp_window){.kh = 1, .kw = 1, .sh = factor_y, .sw = factor_x, .dh = 1, .dw = 1};
    return append(b, &op, name, &input, 1, out);
}

pp_status pp_build_task(pp_builder *b, const char *name, const uint32_t *inputs, const uint32_t (*part)[2], uint32_t n,
                        uint32_t units, const pp_task_work *work, uint32_t *out)
{
    pp_op op = {.kind = PP_OP_TASK, .work = *work, .out = {1, 1, units}};
    uint32_t (*copy)[2] = pp_arena_get(b->owner->arena, n, sizeof *copy);
    if (!copy)
        return PP_ENOMEM;
    memcpy(copy, part, n * sizeof *copy);
    op.part = (const uint32_t (*)[2])copy;
    return append(b, &op, name, inputs, n, out);
}

void pp_build_note_weights(pp_builder *b, uint32_t op, uint64_t absent, bool fixed)
{
    b->ops.data[op].absent = absent;
    b->ops.data[op].fixed = fixed;
}

/* Every operator with weights has its values, or none has. */
static pp_status weights_whole(pp_network *net)
{
    const pp_op *with = NULL, *without = NULL;
    for (uint32_t i = 0; i < net->n_ops; i++) {
        const pp_op *op = &net->ops[i];
        if (op->kind == PP_OP_TASK) /* work, no values */
            without = op;
        if (!pp_op_traits_(op->kind)->learned)
            continue;
        if (op->weight.data && (op->bias.ndim == 0 || op->bias.data))
            with = op;
        else
            without = op;
        if (op->bias.data && !op->weight.data)
            with = op;
    }
    if (with && without)
        return pp_fail(PP_EINVAL, "operator '%s' has no weights or no bias, operator '%s' has", without->name,
                       with->name);
    net->has_weights = without == NULL;
    return PP_OK;
}

static pp_status finish(pp_builder *b)
{
    pp_network *net = b->net;
    net->ops = pp_arena_get(b->owner->arena, b->ops.len, sizeof *net->ops);
    if (!net->ops)
        return PP_ENOMEM;
    net->n_ops = (uint32_t)b->ops.len;
    memcpy(net->ops, b->ops.data, b->ops.len * sizeof *net->ops);
    net->output = net->n_ops - 1;
    PP_TRY(weights_whole(net));
    return pp_network_check(net);
}

pp_status pp_builder_finish(pp_network **out, pp_builder *b)
{
    *out = NULL;
    pp_status status = finish(b);
    if (status == PP_OK) {
        *out = b->net;
        b->net = NULL;
        b->owner = NULL;
    }
    pp_builder_free(b);
    return status;
}
