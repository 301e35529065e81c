/* What the network takes: which dimensions of the file's input are the axes of a map, networks that begin inside the graph,
 * inputs that are constant. */
#include "workloads/onnx_net_internal.h"

#include <string.h>

static pp_status open_size(const pp_onnx *m, const pp_onnx_info *in)
{
    return pp_fail_at(PP_EINVAL, m->path, 0, "its input '%s' leaves sizes open; give them: MODEL:input=HxWxC",
                      m->value[in->value].name);
}

/* Whether a map comes as [N,H,W,C]: whatever reads it first, elementwise operators aside, moves C forward. */
static bool channels_last(const pp_onnx *m, const pp_onnx_info *in)
{
    uint32_t value = in->value;
    static const int64_t forward[] = {0, 3, 1, 2};
    for (uint32_t i = 0; i < m->n_nodes; i++) {
        const pp_onnx_node *n = &m->node[i];
        if (n->n_in == 0 || n->in[0] != value)
            continue;
        const pp_onnx_attr *perm = pp_onnx_attr_find(n, "perm");
        if (strcmp(n->op, "Reshape") == 0) /* [N,H,W,1] and [N,1,H,W] are one */
            return in->dim[3] == 1 && in->dim[1] > 1;
        if (strcmp(n->op, "Transpose") == 0)
            return perm && perm->n == 4 && perm->ints && memcmp(perm->ints, forward, sizeof forward) == 0;
        if (strcmp(n->op, "Sub") != 0 && strcmp(n->op, "Add") != 0 && strcmp(n->op, "Mul") != 0 &&
            strcmp(n->op, "Div") != 0 && strcmp(n->op, "Cast") != 0 && strcmp(n->op, "Identity") != 0 &&
            strcmp(n->op, "QuantizeLinear") != 0 && strcmp(n->op, "DequantizeLinear") != 0)
            return false;
        value = n->out[0];
    }
    return false;
}

/* Whether [N,T,C] are tokens (not a map [N,C,W]): whatever reads them first, elementwise operators aside, takes the last
 * dimension as channels. */
static bool tokens_first(const pp_onnx *m, const pp_onnx_info *in)
{
    uint32_t value = in->value;
    for (uint32_t i = 0; i < m->n_nodes; i++) {
        const pp_onnx_node *n = &m->node[i];
        const bool second = n->n_in > 1 && n->in[1] == value, sum = strcmp(n->op, "Add") == 0 || strcmp(n->op, "Mul") == 0;
        if (n->n_in == 0 || (n->in[0] != value && !(second && sum)))
            continue;
        const pp_onnx_attr *axes = pp_onnx_attr_find(n, "axes"), *perm = pp_onnx_attr_find(n, "perm");
        const int64_t axis = pp_onnx_attr_i(n, "axis", -1);
        if (strcmp(n->op, "MatMul") == 0 || strcmp(n->op, "Einsum") == 0)
            return true;
        if (strcmp(n->op, "LayerNormalization") == 0)
            return axis == -1 || axis == 2;
        if (strcmp(n->op, "ReduceMean") == 0) {
            const pp_onnx_tensor *t = n->n_in > 1 && n->in[1] != PP_NONE ? m->value[n->in[1]].init : NULL;
            const int64_t over = axes && axes->n == 1 && axes->ints ? axes->ints[0]
                                 : t && t->data && t->type == PP_ONNX_INT64 && pp_onnx_count(t) == 1 ? pp_onnx_i64(t, 0) : 1;
            return over == -1 || over == 2;
        }
        if (strcmp(n->op, "Transpose") == 0) /* tokens or channels first: what stays last, or comes from there */
            return perm && perm->n == 3 && perm->ints && perm->ints[0] == 1 && perm->ints[2] == 2;
        if (!sum && strcmp(n->op, "Sub") != 0 && strcmp(n->op, "Div") != 0 && strcmp(n->op, "Cast") != 0 &&
            strcmp(n->op, "Identity") != 0 && strcmp(n->op, "Dropout") != 0)
            return false;
        value = n->out[0];
    }
    return false;
}

/* Which dimension is which axis, by rank and order. */
static void input_axes(const pp_onnx *m, const pp_onnx_info *in, uint32_t axis[4])
{
    bool last = m->channels_last || (in->ndim == 4 && channels_last(m, in)) || (in->ndim == 3 && tokens_first(m, in));
    axis[0] = PP_ONNX_AXES;
    axis[1] = last && in->ndim > 2 ? in->ndim == 3 ? PP_ONNX_W : PP_ONNX_H : PP_ONNX_C;
    axis[2] = last && in->ndim == 3 ? PP_ONNX_C : last || in->ndim == 3 ? PP_ONNX_W : PP_ONNX_H;
    axis[3] = last ? PP_ONNX_C : PP_ONNX_W;
}

static pp_status no_map(const pp_onnx *m, const pp_onnx_info *in)
{
    const char *name = m->value[in->value].name;
    if (!in->has_shape)
        return pp_fail_at(PP_EINVAL, m->path, 0, "its input '%s' has no shape; give it: MODEL:input=HxWxC", name);
    return pp_fail_at(PP_EUNSUPPORTED, m->path, 0,
                      "its input '%s' is a tensor of rank %u, %s; expected a map [N,C,H,W], [N,C,W] or [N,C] of floating-point "
                      "numbers (MODEL:from=NAME,input=HxWxC begins behind it)",
                      name, in->ndim, pp_onnx_type_name(in->type));
}

/* One image at a time, whatever the batch is that the file was made for. */
static pp_status input_shape(const pp_onnx *m, const pp_onnx_info *in, const pp_onnx_options *o, const uint32_t axis[4],
                             pp_shape *shape)
{
    uint32_t given[3] = {o->input.h, o->input.w, o->input.c}, size[3] = {1, 1, 1};
    if (!in->has_shape || in->ndim < 2 || in->ndim > 4 || !pp_onnx_is_float(in->type))
        return no_map(m, in);
    for (uint32_t d = 1; d < in->ndim; d++) {
        int64_t have = in->dim[d];
        uint32_t want = given[axis[d]];
        if (have > PP_DIM_MAX || (have < 1 && !want))
            return have < 1
                       ? open_size(m, in)
                       : pp_fail_at(PP_ERANGE, m->path, 0, "its input '%s' is too large", m->value[in->value].name);
        if (have > 0 && want && have != want)
            return pp_fail_at(PP_EINVAL, m->path, 0, "its input '%s' has size %lld where input= says %u",
                              m->value[in->value].name, (long long)have, want);
        size[axis[d]] = have > 0 ? (uint32_t)have : want;
    }
    *shape = (pp_shape){size[PP_ONNX_H], size[PP_ONNX_W], size[PP_ONNX_C]};
    return PP_OK;
}

static void input_stream(const pp_onnx_info *in, const uint32_t axis[4], pp_shape shape, pp_onnx_stream *s)
{
    const uint32_t size[3] = {shape.h, shape.w, shape.c};
    *s = (pp_onnx_stream){.ndim = in->ndim, .dim = {1}};
    for (uint32_t d = 1; d < in->ndim; d++) {
        s->dim[d] = size[axis[d]];
        if (s->dim[d] > 1)
            s->f[s->n_factors++] =
                (pp_factor){.axis = (uint8_t)axis[d], .dim = (uint8_t)d, .size = size[axis[d]], .stride = 1};
    }
}

pp_status pp_net_input(const pp_onnx *m, const pp_onnx_info *in, const pp_onnx_options *o, pp_shape *shape,
                       pp_onnx_stream *s)
{
    uint32_t axis[4];
    input_axes(m, in, axis);
    PP_TRY(input_shape(m, in, o, axis, shape));
    input_stream(in, axis, *shape, s);
    return PP_OK;
}

/* ---- which value, and what the others are ---- */

pp_status pp_net_from(const pp_onnx *m, const pp_onnx_options *o, uint32_t *from)
{
    *from = PP_NONE;
    for (uint32_t i = 0; o->from && i < m->n_nodes; i++)
        for (uint32_t k = 0; k < m->node[i].n_out; k++)
            if (m->node[i].out[k] != PP_NONE && strcmp(m->value[m->node[i].out[k]].name, o->from) == 0)
                *from = m->node[i].out[k];
    if (!o->from || *from != PP_NONE)
        return o->from && !o->input.h ? pp_fail_at(PP_EINVAL, m->path, 0, "from=%s needs the shape of that value: input=HxWxC", o->from)
                                      : PP_OK;
    return pp_fail_at(PP_EINVAL, m->path, 0, "no node of the graph makes a value '%s' to begin with", o->from);
}

/* The value that the network begins with, as an input: [1,C,H,W], [1,C,W] (or [1,T,C]) or [1,C] by the sizes given. */
static void inner_input(const pp_onnx_net *v, const pp_onnx_options *o, pp_onnx_info *in)
{
    *in = (pp_onnx_info){.value = v->from, .type = PP_ONNX_FLOAT, .has_shape = true, .dim = {1}};
    in->ndim = o->input.h > 1 ? 4 : o->input.w > 1 ? 3 : 2;
}

/* An input all of whose elements are one: a mask that lets everything through. Sizes left open: a batch of one, tokens. */
static pp_status set_ones(pp_onnx_net *v, const pp_onnx_info *in, uint32_t tokens)
{
    pp_onnx_tensor *t = pp_arena_get(v->m->arena, 1, sizeof *t);
    uint64_t n = 1;
    if (!t)
        return PP_ENOMEM;
    *t = (pp_onnx_tensor){.name = v->m->value[in->value].name, .type = in->type, .ndim = in->ndim};
    for (uint32_t d = 0; d < in->ndim; d++) {
        t->dim[d] = in->dim[d] > 0 ? (uint64_t)in->dim[d] : d == 0 ? 1 : tokens;
        if (t->dim[d] > PP_DIM_MAX || n > PP_ELEMENTS_MAX / t->dim[d])
            return pp_fail_at(PP_ERANGE, v->m->path, 0, "its input '%s' is too large", t->name);
        n *= t->dim[d];
    }
    const size_t size = pp_onnx_type_size(in->type);
    if (size == 0 || !in->has_shape)
        return pp_fail_at(PP_EUNSUPPORTED, v->m->path, 0, "its input '%s' is of no type that can be ones", t->name);
    if (n * size > v->room)
        return pp_fail_at(PP_ERANGE, v->m->path, 0, "its input '%s' is too large", t->name);
    v->room -= n * size;
    void *data = pp_arena_get(v->m->arena, n, size);
    if (!data)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < n; i++)
        pp_onnx_store(data, in->type, i, 1);
    t->data = data;
    v->value[in->value].constant = t;
    return PP_OK;
}

/* Tokens of the network's input: those of a sequence, or W. */
static uint32_t tokens_of(const pp_onnx_options *o, const pp_onnx_info *in)
{
    if (o->input.w > 0)
        return o->input.w;
    return in->ndim > 1 && in->dim[1] > 0 && in->dim[1] <= PP_DIM_MAX ? (uint32_t)in->dim[1] : 1;
}

/* A file that gives its input no shape leaves it to input=. */
static void take_shape(const pp_onnx_options *o, pp_onnx_info *in)
{
    if (in->has_shape || !o->input.h)
        return;
    in->has_shape = true;
    in->ndim = o->input.h > 1 ? 4 : o->input.w > 1 ? 3 : 2;
    for (uint32_t d = 0; d < in->ndim; d++)
        in->dim[d] = -1;
}

pp_status pp_net_choose_input(pp_onnx_net *v, const pp_onnx_options *o, const bool *needed, pp_onnx_info *input)
{
    const pp_onnx *m = v->m;
    const pp_onnx_info *ones = NULL;
    bool found = v->from != PP_NONE && needed[v->from];
    if (found)
        inner_input(v, o, input);
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        const pp_onnx_info *in = &m->input[i];
        if (!needed[in->value])
            continue;
        if (o->ones && strcmp(m->value[in->value].name, o->ones) == 0) {
            ones = in;
            continue;
        }
        if (found)
            return pp_fail_at(PP_EUNSUPPORTED, m->path, 0,
                              "the output depends on two inputs, '%s' and '%s' (MODEL:ones=NAME fixes one that is a mask)",
                              m->value[input->value].name, m->value[in->value].name);
        *input = *in;
        take_shape(o, input);
        found = true;
    }
    if (o->ones && !ones)
        return pp_fail_at(PP_EINVAL, m->path, 0, "the output depends on no input '%s' that could be ones", o->ones);
    if (!found)
        return pp_fail_at(PP_EINVAL, m->path, 0, "the output depends on no input");
    return ones ? set_ones(v, ones, tokens_of(o, input)) : PP_OK;
}
