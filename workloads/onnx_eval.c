/* ONNX nodes by their definition: attributes, results, the table of operators, whole graphs. */
#include "workloads/onnx_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pp_status pp_onnx_fail(const char *path, const pp_onnx_node *node, pp_status status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return pp_fail_at(status, path, 0, "node '%s' (%s): %s", node->name, node->op, text);
}

const pp_onnx_attr *pp_onnx_attr_find(const pp_onnx_node *node, const char *name)
{
    for (uint32_t i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attr[i].name, name) == 0)
            return &node->attr[i];
    return NULL;
}

int64_t pp_onnx_attr_i(const pp_onnx_node *node, const char *name, int64_t absent)
{
    const pp_onnx_attr *a = pp_onnx_attr_find(node, name);
    return a ? a->i : absent;
}

double pp_onnx_attr_f(const pp_onnx_node *node, const char *name, double absent)
{
    const pp_onnx_attr *a = pp_onnx_attr_find(node, name);
    return a ? (double)a->f : absent;
}

const char *pp_onnx_attr_s(const pp_onnx_node *node, const char *name, const char *absent)
{
    const pp_onnx_attr *a = pp_onnx_attr_find(node, name);
    return a && a->s ? a->s : absent;
}

const pp_onnx_tensor *pp_onnx_in(const pp_onnx_call *c, uint32_t k)
{
    return k < c->node->n_in ? c->in[k] : NULL;
}

pp_status pp_onnx_axis(const pp_onnx_call *c, int64_t axis, uint32_t ndim, uint32_t *out)
{
    if (axis < -(int64_t)ndim || axis >= (int64_t)ndim)
        return pp_onnx_fail(c->path, c->node, PP_ERANGE, "axis %lld of a tensor of %u dimensions", (long long)axis,
                            ndim);
    *out = (uint32_t)(axis < 0 ? axis + ndim : axis);
    return PP_OK;
}

pp_status pp_onnx_charge(pp_onnx_call *c, uint64_t n)
{
    if (n > c->work)
        return pp_onnx_fail(c->path, c->node, PP_ERANGE, "too much to compute for a file of this size");
    c->work -= n;
    return PP_OK;
}

pp_status pp_onnx_result(pp_onnx_call *c, uint32_t k, pp_onnx_type type, uint32_t ndim, const uint64_t *dim,
                         void **data)
{
    pp_onnx_tensor *t = &c->out[k];
    uint64_t bytes = pp_onnx_type_size(type);
    if (ndim > PP_ONNX_DIMS)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "a result of %u dimensions", ndim);
    for (uint32_t i = 0; i < ndim; i++) {
        uint64_t d = dim[i] ? dim[i] : 1;
        if (bytes > c->room / d)
            return pp_onnx_fail(c->path, c->node, PP_ERANGE, "its result is too large for a file of this size");
        bytes *= d;
    }
    PP_TRY(pp_onnx_charge(c, bytes));
    c->room -= bytes;
    *t = (pp_onnx_tensor){.name = "", .type = type, .ndim = ndim};
    for (uint32_t i = 0; i < ndim; i++)
        t->dim[i] = dim[i];
    *data = pp_arena_get(c->arena, bytes ? bytes : 1, 1);
    t->data = *data;
    return *data ? PP_OK : PP_ENOMEM;
}

pp_status pp_onnx_ints(pp_onnx_call *c, const char *name, uint32_t k, const int64_t **list, uint32_t *n)
{
    const pp_onnx_attr *a = pp_onnx_attr_find(c->node, name);
    const pp_onnx_tensor *t = k == PP_NONE ? NULL : pp_onnx_in(c, k);
    *list = a ? a->ints : NULL;
    *n = a ? a->n : 0;
    if (!t)
        return PP_OK;
    if (t->ndim > 1 || pp_onnx_is_float(t->type) || pp_onnx_count(t) > PP_ONNX_DIMS * 128)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "its %s must be a short list of integers", name);
    *n = (uint32_t)pp_onnx_count(t);
    int64_t *copy = pp_arena_get(c->arena, (size_t)*n + 1, sizeof *copy);
    if (!copy)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < *n; i++)
        copy[i] = pp_onnx_i64(t, i);
    *list = copy;
    return PP_OK;
}

pp_onnx_op pp_onnx_find_op(const char *op)
{
    static const pp_onnx_row *const tables[] = {pp_onnx_ops_math_, pp_onnx_ops_matrix_, pp_onnx_ops_shape_,
                                                pp_onnx_ops_move_, pp_onnx_ops_window_, pp_onnx_ops_reduce_, pp_onnx_ops_einsum_};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const pp_onnx_row *r = tables[t]; r->name; r++)
            if (strcmp(r->name, op) == 0)
                return r->run;
    return NULL;
}

pp_status pp_onnx_eval(pp_onnx_call *c)
{
    pp_onnx_op run = *c->node->domain ? NULL : pp_onnx_find_op(c->node->op);
    if (*c->node->domain)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "operators of '%s' are not known", c->node->domain);
    if (!run)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "this operator is not supported");
    for (uint32_t k = 0; k < c->node->n_in; k++) {
        if (!c->in[k])
            continue;
        if (!c->in[k]->data)
            return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "input '%s' is %s, which is not read here",
                                c->in[k]->name, pp_onnx_type_name(c->in[k]->type));
        PP_TRY(pp_onnx_charge(c, pp_onnx_count(c->in[k])));
    }
    return run(c);
}

/* ---- a whole graph ---- */

struct pp_onnx_run {
    const pp_onnx *m;
    pp_arena *arena;
    const pp_onnx_tensor **value; /* [n_values]; NULL: not made yet */
    uint64_t room;
};

static pp_status take_input(pp_onnx_run *run, const pp_onnx_array *from, const pp_onnx_info *info)
{
    pp_onnx_tensor *t = pp_arena_get(run->arena, 1, sizeof *t);
    if (!t)
        return PP_ENOMEM;
    *t = (pp_onnx_tensor){.name = run->m->value[info->value].name,
                          .type = (pp_onnx_type)from->type,
                          .ndim = from->ndim,
                          .data = from->data};
    memcpy(t->dim, from->dim, sizeof t->dim);
    if (from->ndim > PP_ONNX_DIMS || pp_onnx_type_size(t->type) == 0)
        return pp_fail_at(PP_EINVAL, run->m->path, 0, "input '%s': type or dimensions are not supported", t->name);
    run->value[info->value] = t;
    return PP_OK;
}

static pp_status run_node(pp_onnx_run *run, const pp_onnx_node *n)
{
    const pp_onnx_tensor **in = pp_arena_get(run->arena, n->n_in, sizeof *in);
    pp_onnx_tensor *out = pp_arena_get(run->arena, n->n_out, sizeof *out);
    if (!in || !out)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < n->n_in; k++)
        in[k] = n->in[k] == PP_NONE ? NULL : run->value[n->in[k]];
    pp_onnx_call c = {.arena = run->arena,
                      .path = run->m->path,
                      .node = n,
                      .opset = run->m->opset,
                      .in = in,
                      .out = out,
                      .room = run->room,
                      .work = UINT64_MAX};
    PP_TRY(pp_onnx_eval(&c));
    run->room = c.room;
    for (uint32_t k = 0; k < n->n_out; k++) {
        if (n->out[k] == PP_NONE)
            continue;
        if (!out[k].data)
            return pp_onnx_fail(run->m->path, n, PP_EUNSUPPORTED, "its result %u is not computed here", k);
        run->value[n->out[k]] = &out[k];
    }
    return PP_OK;
}

/* A result with an order or a scale of its own is written out: callers see plain arrays. */
static pp_status write_out(pp_onnx_run *run, uint32_t value)
{
    const pp_onnx_tensor *t = run->value[value];
    if (pp_onnx_is_plain(t))
        return PP_OK;
    pp_onnx_tensor *plain = pp_arena_get(run->arena, 1, sizeof *plain);
    uint64_t n = pp_onnx_count(t);
    void *data = pp_arena_get(run->arena, n ? n : 1, pp_onnx_type_size(t->type));
    if (!plain || !data)
        return PP_ENOMEM;
    *plain = (pp_onnx_tensor){.name = t->name, .type = t->type, .ndim = t->ndim, .data = data};
    memcpy(plain->dim, t->dim, sizeof plain->dim);
    for (uint64_t i = 0; i < n; i++)
        pp_onnx_store(data, t->type, i, pp_onnx_f64(t, i));
    run->value[value] = plain;
    return PP_OK;
}

static pp_status run_graph(pp_onnx_run *run, const pp_onnx_array *inputs, uint32_t n)
{
    const pp_onnx *m = run->m;
    if (n != m->n_inputs)
        return pp_fail_at(PP_EINVAL, m->path, 0, "%u inputs given, the graph has %u", n, m->n_inputs);
    run->value = pp_arena_get(run->arena, m->n_values, sizeof *run->value);
    if (!run->value)
        return PP_ENOMEM;
    for (uint32_t v = 0; v < m->n_values; v++)
        run->value[v] = m->value[v].init;
    for (uint32_t i = 0; i < n; i++)
        PP_TRY(take_input(run, &inputs[i], &m->input[i]));
    for (uint32_t i = 0; i < m->n_nodes; i++)
        PP_TRY(run_node(run, &m->node[i]));
    for (uint32_t i = 0; i < m->n_outputs; i++)
        PP_TRY(write_out(run, m->output[i].value));
    return PP_OK;
}

pp_status pp_onnx_run_new(pp_onnx_run **out, const pp_onnx *m, const pp_onnx_array *inputs, uint32_t n, uint64_t room)
{
    *out = NULL;
    pp_onnx_run *run = pp_calloc(1, sizeof *run);
    if (!run)
        return PP_ENOMEM;
    *run = (pp_onnx_run){.m = m, .room = room};
    pp_status status = pp_arena_new(&run->arena);
    if (status == PP_OK)
        status = run_graph(run, inputs, n);
    if (status == PP_OK)
        *out = run;
    else
        pp_onnx_run_free(run);
    return status;
}

void pp_onnx_run_free(pp_onnx_run *run)
{
    if (!run)
        return;
    pp_arena_free(run->arena);
    free(run);
}

bool pp_onnx_run_output(const pp_onnx_run *run, uint32_t i, pp_onnx_array *out)
{
    if (i >= run->m->n_outputs)
        return false;
    const pp_onnx_tensor *t = run->value[run->m->output[i].value];
    *out = (pp_onnx_array){.type = (int)t->type, .ndim = t->ndim, .data = t->data};
    memcpy(out->dim, t->dim, sizeof out->dim);
    return true;
}
