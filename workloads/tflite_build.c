/* Nodes and values of the ONNX graph that a TensorFlow Lite graph becomes. */
#include "workloads/tflite_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

pp_status pp_lite_fail(const pp_lite *l, pp_status status, const char *format, ...)
{
    char text[512];
    const char *name = l->n_out && l->out[0] != PP_NONE ? l->tensor[l->out[0]].name : "";
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return pp_fail_at(status, l->m->path, 0, "operator %u '%s' (%s): %s", l->index, name, l->kind, text);
}

void *pp_lite_get(pp_lite *l, uint64_t count, uint64_t size)
{
    uint64_t bytes = count > UINT64_MAX / (size ? size : 1) ? UINT64_MAX : count * size;
    if (bytes > l->left) {
        l->why = pp_fail_at(PP_ERANGE, l->m->path, 0, "its tables make too much for a file of this size");
        return NULL;
    }
    l->left -= bytes;
    l->why = PP_ENOMEM;
    return pp_arena_get(l->m->arena, (size_t)count, (size_t)size);
}

/* For a row of a table that is copied once when the table is whole. */
static pp_status charge(pp_lite *l, uint64_t bytes)
{
    if (2 * bytes > l->left)
        return pp_fail_at(PP_ERANGE, l->m->path, 0, "its tables make too much for a file of this size");
    l->left -= 2 * bytes;
    return PP_OK;
}

bool pp_lite_has(const pp_lite *l, uint32_t k)
{
    return k < l->n_in && l->in[k] != PP_NONE;
}

pp_status pp_lite_input(pp_lite *l, uint32_t k, pp_lite_tensor **out)
{
    if (!pp_lite_has(l, k))
        return pp_lite_fail(l, PP_EFORMAT, "it has no input %u", k);
    *out = &l->tensor[l->in[k]];
    return PP_OK;
}

pp_status pp_lite_ints(pp_lite *l, uint32_t k, uint32_t most, int64_t *out, uint32_t *n)
{
    pp_lite_tensor *t;
    PP_TRY(pp_lite_input(l, k, &t));
    if (!t->t.data || pp_onnx_is_float(t->t.type) || pp_onnx_count(&t->t) > most)
        return pp_lite_fail(l, PP_EUNSUPPORTED, "input '%s' must be constant, at most %u whole numbers", t->name, most);
    *n = (uint32_t)pp_onnx_count(&t->t);
    for (uint32_t i = 0; i < *n; i++)
        out[i] = pp_onnx_i64(&t->t, i);
    return PP_OK;
}

/* ---- values and nodes ---- */

pp_status pp_lite_value(pp_lite *l, const char *name, const pp_onnx_tensor *init, uint32_t *value)
{
    *value = (uint32_t)l->value.len;
    PP_TRY(charge(l, sizeof *l->value.data));
    return pp_push(&l->value, (pp_onnx_value){.name = name, .init = init}) ? PP_OK : PP_ENOMEM;
}

static pp_status constant(pp_lite *l, const pp_onnx_tensor *t, uint32_t *value)
{
    pp_onnx_tensor *copy = pp_lite_get(l, 1, sizeof *copy);
    if (!copy)
        return l->why;
    *copy = *t;
    return pp_lite_value(l, t->name, copy, value);
}

pp_status pp_lite_list(pp_lite *l, const int64_t *list, uint32_t n, uint32_t *value)
{
    int64_t *copy = pp_lite_get(l, (uint64_t)n + 1, sizeof *copy);
    if (!copy)
        return l->why;
    memcpy(copy, list, n * sizeof *copy);
    const pp_onnx_tensor t = {.name = "list", .type = PP_ONNX_INT64, .ndim = 1, .dim = {n}, .data = copy};
    return constant(l, &t, value);
}

pp_status pp_lite_number(pp_lite *l, float number, uint32_t *value)
{
    float *copy = pp_lite_get(l, 1, sizeof *copy);
    if (!copy)
        return l->why;
    *copy = number;
    const pp_onnx_tensor t = {.name = "number", .type = PP_ONNX_FLOAT, .data = copy};
    return constant(l, &t, value);
}

pp_onnx_attr pp_lite_int(const char *name, int64_t v)
{
    return (pp_onnx_attr){.name = name, .i = v};
}

pp_onnx_attr pp_lite_float(const char *name, float v)
{
    return (pp_onnx_attr){.name = name, .f = v};
}

pp_onnx_attr pp_lite_text(const char *name, const char *v)
{
    return (pp_onnx_attr){.name = name, .s = v};
}

pp_onnx_attr pp_lite_numbers(const char *name, const int64_t *list, uint32_t n)
{
    return (pp_onnx_attr){.name = name, .ints = list, .n = n};
}

/* The attributes, with lists of their own. */
static pp_onnx_attr *attributes(pp_lite *l, const pp_lite_node *n)
{
    pp_onnx_attr *attr = pp_lite_get(l, (uint64_t)n->n_attrs + 1, sizeof *attr);
    for (uint32_t i = 0; attr && i < n->n_attrs; i++) {
        attr[i] = n->attr[i];
        if (!attr[i].ints)
            continue;
        int64_t *list = pp_lite_get(l, (uint64_t)attr[i].n + 1, sizeof *list);
        if (!list)
            return NULL;
        memcpy(list, n->attr[i].ints, attr[i].n * sizeof *list);
        attr[i].ints = list;
    }
    return attr;
}

pp_status pp_lite_add(pp_lite *l, const pp_lite_node *n)
{
    uint32_t *in = pp_lite_get(l, (uint64_t)n->n_in + n->n_out + 1, sizeof *in), *out = in ? in + n->n_in : NULL;
    pp_onnx_attr *attr = in ? attributes(l, n) : NULL;
    if (!attr)
        return l->why;
    PP_TRY(charge(l, sizeof *l->node.data));
    memcpy(in, n->in, n->n_in * sizeof *in);
    memcpy(out, n->out, n->n_out * sizeof *out);
    const char *name = l->n_out && l->out[0] != PP_NONE ? l->tensor[l->out[0]].name : n->op;
    const pp_onnx_node node = {.name = name, .op = n->op, .domain = "", .n_in = n->n_in, .n_out = n->n_out,
                               .n_attrs = n->n_attrs, .in = in, .out = out, .attr = attr};
    return pp_push(&l->node, node) ? PP_OK : PP_ENOMEM;
}

pp_status pp_lite_apply(pp_lite *l, const char *op, const uint32_t *in, uint32_t n, uint32_t *value)
{
    pp_lite_node node = {.op = op, .n_in = n, .n_out = 1};
    memcpy(node.in, in, n * sizeof *in);
    PP_TRY(pp_lite_value(l, op, NULL, value));
    node.out[0] = *value;
    return pp_lite_add(l, &node);
}

/* ---- maps ---- */

bool pp_lite_is_map(const pp_lite_tensor *t)
{
    return t->ndim == 4;
}

uint32_t pp_lite_axis(uint32_t a)
{
    static const uint32_t to[4] = {0, 2, 3, 1};
    return to[a];
}

static pp_status transposed(pp_lite *l, uint32_t from, uint32_t to, bool first)
{
    static const int64_t forward[4] = {0, 3, 1, 2}, back[4] = {0, 2, 3, 1};
    pp_lite_node n = {.op = "Transpose", .n_in = 1, .n_out = 1, .n_attrs = 1, .in = {from}, .out = {to}};
    n.attr[0] = pp_lite_numbers("perm", first ? forward : back, 4);
    return pp_lite_add(l, &n);
}

/* A constant of few dimensions, or with one that is not 1: the same elements in either order. */
static bool reordered(const pp_lite_tensor *t, pp_onnx_tensor *out)
{
    uint32_t wide = 0;
    *out = t->t;
    out->ndim = 4;
    for (uint32_t a = 0; a < 4; a++) {
        uint64_t size = a < 4 - t->ndim ? 1 : t->t.dim[a - (4 - t->ndim)];
        wide += size != 1;
        out->dim[pp_lite_axis(a)] = size;
    }
    if (t->ndim > 0)
        out->axis = pp_lite_axis(t->t.axis + 4 - t->ndim);
    return wide <= 1;
}

pp_status pp_lite_map(pp_lite *l, uint32_t tensor, uint32_t *value)
{
    pp_lite_tensor *t = &l->tensor[tensor];
    pp_onnx_tensor view;
    if (t->twin != PP_NONE)
        return *value = t->twin, PP_OK;
    if (t->ndim > 4 || (t->ndim < 4 && !t->t.data))
        return pp_lite_fail(l, PP_EUNSUPPORTED, "'%s' has %u dimensions, no map [N,H,W,C]", t->name, t->ndim);
    if (t->t.data && reordered(t, &view)) {
        PP_TRY(constant(l, &view, value));
    } else {
        uint32_t from = tensor;
        if (t->ndim < 4) {
            int64_t dim[4];
            uint32_t in[2] = {tensor};
            for (uint32_t a = 0; a < 4; a++)
                dim[a] = a < 4 - t->ndim ? 1 : t->dim[a - (4 - t->ndim)];
            PP_TRY(pp_lite_list(l, dim, 4, &in[1]));
            PP_TRY(pp_lite_apply(l, "Reshape", in, 2, &from));
        }
        PP_TRY(pp_lite_value(l, t->name, NULL, value));
        PP_TRY(transposed(l, from, *value, true));
    }
    t->twin = *value;
    return PP_OK;
}

static pp_status activated(pp_lite *l, uint8_t act, uint32_t *value)
{
    uint32_t in[3] = {*value};
    switch (act) {
    case 0:
        return PP_OK;
    case 1:
        return pp_lite_apply(l, "Relu", in, 1, value);
    case 2:
    case 3:
        PP_TRY(pp_lite_number(l, act == 3 ? 0 : -1, &in[1]));
        PP_TRY(pp_lite_number(l, act == 3 ? 6 : 1, &in[2]));
        return pp_lite_apply(l, "Clip", in, 3, value);
    case 4:
        return pp_lite_apply(l, "Tanh", in, 1, value);
    default:
        return pp_lite_fail(l, PP_EUNSUPPORTED, "activation %u", act);
    }
}

pp_status pp_lite_give(pp_lite *l, uint32_t k, uint32_t value, bool map, uint8_t act)
{
    if (k >= l->n_out || l->out[k] == PP_NONE)
        return pp_lite_fail(l, PP_EFORMAT, "it has no result %u", k);
    pp_lite_tensor *t = &l->tensor[l->out[k]];
    PP_TRY(activated(l, act, &value));
    if (map)
        t->twin = value;
    if (map)
        return transposed(l, value, l->out[k], false);
    pp_onnx_node *last = l->node.len ? &l->node.data[l->node.len - 1] : NULL;
    if (last && last->n_out == 1 && last->out[0] == value && value >= l->n_tensors) {
        *(uint32_t *)(uintptr_t)last->out = l->out[k]; /* it makes the tensor itself */
        return PP_OK;
    }
    const pp_lite_node n = {.op = "Identity", .n_in = 1, .n_out = 1, .in = {value}, .out = {l->out[k]}};
    return pp_lite_add(l, &n);
}
