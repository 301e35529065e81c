/* Layer norms that exporters write in parts: mean, difference, square, mean, epsilon, root, quotient. */
#include "workloads/onnx_net_internal.h"

#include <string.h>

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
