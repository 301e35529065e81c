/* Norms and softmax over the channels, or those of a group; layer norms in parts. */
#include "workloads/onnx_net_internal.h"

#include <string.h>

/* ---- in parts: mean, difference, square, mean, epsilon, root, quotient ---- */

/* The node that reads `value` as its input k; PP_NONE: there is none of that operator behind the node at hand. */
static uint32_t reader(const pp_onnx_net *v, uint32_t value, const char *op, uint32_t k)
{
    for (uint32_t i = (uint32_t)(v->node - v->m->node) + 1; i < v->m->n_nodes; i++) {
        const pp_onnx_node *n = &v->m->node[i];
        if (k < n->n_in && n->in[k] == value && strcmp(n->op, op) == 0)
            return i;
    }
    return PP_NONE;
}

/* Result of node i when exactly `uses` inputs read it. */
static uint32_t result(const pp_onnx_net *v, uint32_t i, uint32_t uses)
{
    uint32_t value = i == PP_NONE ? PP_NONE : v->m->node[i].out[0];
    return value != PP_NONE && v->m->value[value].uses == uses ? value : PP_NONE;
}

/* Number that input k of node i is; false: no constant number. */
static bool number(const pp_onnx_net *v, uint32_t i, uint32_t k, double *out)
{
    const pp_onnx_node *n = &v->m->node[i];
    const pp_onnx_tensor *t = k < n->n_in && n->in[k] != PP_NONE ? v->value[n->in[k]].constant : NULL;
    if (!t || !t->data || pp_onnx_count(t) != 1)
        return false;
    *out = pp_onnx_f64(t, 0);
    return true;
}

/* d^2 as Pow(d, 2) or Mul(d, d); the quotient reads d once more. */
static uint32_t square_of(const pp_onnx_net *v, uint32_t sub)
{
    double two = 0;
    uint32_t d = result(v, sub, 2), power = d == PP_NONE ? PP_NONE : reader(v, d, "Pow", 0);
    if (power != PP_NONE)
        return number(v, power, 1, &two) && two >= 2 && two <= 2 ? power : PP_NONE;
    d = result(v, sub, 3);
    power = d == PP_NONE ? PP_NONE : reader(v, d, "Mul", 0);
    return power != PP_NONE && v->m->node[power].in[1] == d ? power : PP_NONE;
}

static bool same_axes(const pp_onnx_net *v, uint32_t a, uint32_t b)
{
    const pp_onnx_attr *x = pp_onnx_attr_find(&v->m->node[a], "axes"), *y = pp_onnx_attr_find(&v->m->node[b], "axes");
    if (x && y)
        return x->n == 1 && y->n == 1 && x->ints && y->ints && x->ints[0] == y->ints[0];
    double p = 0, q = 1;
    return !x && !y && number(v, a, 1, &p) && number(v, b, 1, &q) && p >= q && p <= q;
}

/* d / r, or d times 1 / r: the nodes from part[6] on; 0: neither. */
static uint32_t quotient(const pp_onnx_net *v, uint32_t d, uint32_t root, uint32_t *part)
{
    uint32_t value = result(v, root, 1);
    part[0] = value == PP_NONE ? PP_NONE : reader(v, value, "Div", 1);
    if (part[0] != PP_NONE)
        return v->m->node[part[0]].in[0] == d ? 1 : 0;
    part[0] = value == PP_NONE ? PP_NONE : reader(v, value, "Reciprocal", 0);
    value = result(v, part[0], 1);
    for (uint32_t k = 0; k < 2; k++) {
        part[1] = value == PP_NONE ? PP_NONE : reader(v, value, "Mul", k);
        if (part[1] != PP_NONE)
            return v->m->node[part[1]].in[1 - k] == d ? 2 : 0;
    }
    return 0;
}

uint32_t pp_net_match_norm(const pp_onnx_net *v, uint32_t part[8], double *epsilon)
{
    uint32_t x = v->node->in[0], mean = v->node->out[0], value;
    part[0] = (uint32_t)(v->node - v->m->node);
    if (v->m->value[mean].uses != 1 || pp_onnx_attr_i(v->node, "keepdims", 1) == 0)
        return 0;
    part[1] = reader(v, mean, "Sub", 1);
    if (part[1] == PP_NONE || v->m->node[part[1]].in[0] != x)
        return 0;
    part[2] = square_of(v, part[1]);
    value = result(v, part[2], 1);
    part[3] = value == PP_NONE ? PP_NONE : reader(v, value, "ReduceMean", 0);
    value = result(v, part[3], 1);
    part[4] = value == PP_NONE ? PP_NONE : reader(v, value, "Add", 0);
    uint32_t constant = 1;
    if (part[4] == PP_NONE && value != PP_NONE) {
        part[4] = reader(v, value, "Add", 1);
        constant = 0;
    }
    value = result(v, part[4], 1);
    part[5] = value == PP_NONE ? PP_NONE : reader(v, value, "Sqrt", 0);
    uint32_t n = quotient(v, v->m->node[part[1]].out[0], part[5], part + 6);
    return n > 0 && same_axes(v, part[0], part[3]) && number(v, part[4], constant, epsilon) && *epsilon >= 0 ? 6 + n : 0;
}

/* ---- whole ---- */

bool pp_net_are_channels(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t first, uint32_t end)
{
    uint64_t covered = 1;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        bool inside = s->f[i].dim >= first && s->f[i].dim < end;
        if (inside != (s->f[i].axis == PP_ONNX_C))
            return false;
        covered *= inside ? s->f[i].size : 1;
    }
    return covered == pp_net_shape(v, s).c;
}

static pp_status axis_of(pp_onnx_net *v, const pp_onnx_stream *x, int64_t axis, uint32_t *out)
{
    if (axis < -(int64_t)x->ndim || axis >= (int64_t)x->ndim)
        return pp_net_fail(v, PP_ERANGE, "axis %lld of %u dimensions", (long long)axis, x->ndim);
    *out = (uint32_t)(axis < 0 ? axis + x->ndim : axis);
    return PP_OK;
}

static bool is_output(const pp_onnx_net *v)
{
    return v->node->out[0] == v->output && v->m->value[v->output].uses == 1;
}

/* Dimension `axis`, the last when `last`, is the fast part of the channels: those of one of *groups heads. */
static bool is_part_of_channels(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t axis, bool last, uint32_t *groups)
{
    const uint32_t c = pp_net_shape(v, s).c;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        if (s->f[i].dim != axis)
            continue;
        if (n++ || s->f[i].axis != PP_ONNX_C || s->f[i].stride != 1 || c % s->f[i].size != 0)
            return false;
        *groups = c / s->f[i].size;
    }
    return n == 1 && (!last || axis + 1 == s->ndim);
}

/* At the end of a network it is left to the reader of the logits. */
static pp_status convert_softmax(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    uint32_t axis = 0, op = 0;
    bool old = v->m->opset < 13;
    PP_TRY(pp_net_stream(v, 0, &x));
    pp_onnx_stream out = *x;
    PP_TRY(axis_of(v, x, pp_onnx_attr_i(v->node, "axis", old ? 1 : -1), &axis));
    if (is_output(v)) {
        out.probabilities = true;
        return pp_net_give_view(v, out);
    }
    uint32_t groups = 1;
    if (v->node->op[0] == 'L' || (!pp_net_are_channels(v, x, axis, old ? x->ndim : axis + 1) &&
                                  !is_part_of_channels(v, x, axis, old, &groups)))
        return pp_net_refuse(v, "inside a network only Softmax over the channels, or those of each head");
    if (groups == 1)
        PP_TRY(pp_net_settle(v, &out));
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_softmax(v->b, name, out.op, groups, &op));
    out = pp_net_after(v, &out, op);
    return pp_net_give(v, 0, &out);
}

/* n numbers of a constant, or `absent` for each. */
static pp_status list_of(pp_onnx_net *v, const pp_onnx_tensor *t, uint32_t n, float absent, pp_tensor *out)
{
    float *list = pp_arena_get(v->m->arena, n, sizeof *list);
    if (!list)
        return PP_ENOMEM;
    if (t && (!t->data || pp_onnx_count(t) != n))
        return pp_net_fail(v, PP_EUNSUPPORTED, "scale and bias must be constant, one number a channel");
    for (uint32_t i = 0; i < n; i++)
        list[i] = t ? (float)pp_onnx_f64(t, i) : absent;
    *out = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {n}, .data = list};
    return PP_OK;
}

pp_status pp_net_give_norm(pp_onnx_net *v, const pp_onnx_stream *x, double epsilon, const pp_onnx_tensor *scale,
                           const pp_onnx_tensor *bias)
{
    pp_tensor w, b;
    uint32_t op = 0, n = pp_net_shape(v, x).c;
    pp_onnx_stream s = *x;
    if (n > 1) /* pixels of the only channel are no vector here */
        PP_TRY(pp_net_settle(v, &s));
    PP_TRY(list_of(v, scale, n, 1, &w));
    PP_TRY(list_of(v, bias, n, 0, &b));
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_norm(v->b, name, s.op, epsilon, &w, &b, &op));
    s = pp_net_after(v, &s, op);
    return pp_net_give(v, 0, &s);
}

/* Groups of channels that dimension 1 counts, all else behind it; 0: it is not like that. */
static uint32_t groups_of(const pp_onnx_net *v, const pp_onnx_stream *x)
{
    const uint32_t c = pp_net_shape(v, x).c;
    uint64_t stride = c;
    if (x->ndim < 2 || x->dim[0] != 1 || x->dim[1] > c || c % x->dim[1] != 0)
        return 0;
    for (uint32_t i = 0; i < x->n_factors; i++) {
        if (x->f[i].dim != 1)
            continue;
        stride /= x->f[i].size;
        if (x->f[i].axis != PP_ONNX_C || x->f[i].stride != stride)
            return 0;
    }
    return stride * x->dim[1] == c ? (uint32_t)x->dim[1] : 0;
}

/* InstanceNormalization (also of a map cut into groups: how group norms are exported), GroupNormalization. */
static pp_status convert_group_norm(pp_onnx_net *v)
{
    const bool given = v->node->op[0] == 'G';
    const pp_onnx_tensor *scale = pp_net_constant(v, 1), *bias = pp_net_constant(v, 2);
    const pp_onnx_stream *x;
    pp_tensor w, b;
    uint32_t op = 0;
    PP_TRY(pp_net_stream(v, 0, &x));
    pp_onnx_stream s = *x;
    const int64_t asked = pp_onnx_attr_i(v->node, "num_groups", 0);
    uint32_t n = pp_net_shape(v, &s).c, parts = groups_of(v, &s), groups = parts;
    if (given)
        groups = parts == n && asked > 0 && asked <= n && n % asked == 0 ? (uint32_t)asked : 0;
    if (groups == 0)
        return pp_net_refuse(v, "only of maps [N,C,...], or those cut into groups of channels");
    const uint64_t have = scale && scale->data ? pp_onnx_count(scale) : 0; /* one a channel, or a group */
    if (!bias || !bias->data || have == 0 || n % have != 0 || (have != groups && have != n) || pp_onnx_count(bias) != have)
        return pp_net_fail(v, PP_EUNSUPPORTED, "scale and bias must be constant, one number a channel or group");
    float *list = pp_arena_get(v->m->arena, 2 * (size_t)n, sizeof *list);
    const char *name = pp_net_name(v);
    if (!list || !name)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < n; c++) {
        list[c] = (float)pp_onnx_f64(scale, c / (n / have));
        list[n + c] = (float)pp_onnx_f64(bias, c / (n / have));
    }
    w = b = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {n}, .data = list};
    b.data = list + n;
    PP_TRY(pp_build_group_norm(v->b, name, s.op, groups, pp_onnx_attr_f(v->node, "epsilon", 1e-5), &w, &b, &op));
    s = pp_net_after(v, &s, op);
    return pp_net_give(v, 0, &s);
}

static pp_status convert_layer_norm(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    uint32_t axis = 0;
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(axis_of(v, x, pp_onnx_attr_i(v->node, "axis", -1), &axis));
    if (!pp_net_are_channels(v, x, axis, x->ndim))
        return pp_net_fail(v, PP_EUNSUPPORTED, "only over the channels");
    for (uint32_t k = 1; k < 3; k++)
        if (k < v->node->n_in && v->node->in[k] != PP_NONE && !pp_net_constant(v, k))
            return pp_net_fail(v, PP_EUNSUPPORTED, "scale and bias must be constant");
    for (uint32_t k = 1; k < v->node->n_out; k++)
        if (v->node->out[k] != PP_NONE && v->m->value[v->node->out[k]].uses > 0)
            return pp_net_fail(v, PP_EUNSUPPORTED, "mean and deviation as results");
    return pp_net_give_norm(v, x, pp_onnx_attr_f(v->node, "epsilon", 1e-5), pp_net_constant(v, 1),
                            pp_net_constant(v, 2));
}

static pp_status convert_lrn(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    const int64_t size = pp_onnx_attr_i(v->node, "size", 0);
    uint32_t op = 0;
    PP_TRY(pp_net_stream(v, 0, &x));
    if (size < 1 || size > PP_DIM_MAX)
        return pp_net_fail(v, PP_ERANGE, "size %lld, expected 1 to %u", (long long)size, (unsigned)PP_DIM_MAX);
    if (x->ndim < 2 || !pp_net_are_channels(v, x, 1, 2))
        return pp_net_refuse(v, "only over the channels");
    const pp_response r = {(uint32_t)size, pp_onnx_attr_f(v->node, "alpha", 1e-4), pp_onnx_attr_f(v->node, "beta", 0.75), pp_onnx_attr_f(v->node, "bias", 1)};
    pp_onnx_stream s = *x;
    PP_TRY(pp_net_settle(v, &s));
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_response_norm(v->b, name, s.op, &r, &op));
    s = pp_net_after(v, &s, op);
    return pp_net_give(v, 0, &s);
}

const pp_net_row pp_net_ops_norm_[] = {
    {"LRN", convert_lrn},
    {"LayerNormalization", convert_layer_norm},
    {"InstanceNormalization", convert_group_norm},
    {"GroupNormalization", convert_group_norm},
    {"Softmax", convert_softmax},
    {"LogSoftmax", convert_softmax},
    {NULL, NULL},
};
