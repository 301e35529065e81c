/* ModelProto: nodes, values, initialisers, inputs and outputs. Two passes over each message: count, then fill. */
#include "base/doc.h"
#include "workloads/onnx_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    pp_onnx *m;
    pp_wire graph;
    uint32_t n_nodes, n_inits, n_inputs, n_outputs;
    pp_onnx_node *node;
    pp_onnx_tensor *init;
    pp_onnx_info *input, *output;
    const char **input_name, **output_name;
    const char ***in_name, ***out_name; /* [node][k] until they are values */
    bool sparse;
} reader;

const char *pp_onnx_text_(pp_arena *arena, const pp_wire *bytes)
{
    size_t n = pp_wire_left(bytes);
    char *text = pp_arena_get(arena, n + 1, 1);
    if (text)
        pp_utf8_clean(text, bytes->at, n);
    return text;
}

static pp_status read_text(pp_onnx *m, const pp_field *f, const char *what, const char **out)
{
    PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, what));
    *out = pp_onnx_text_(m->arena, &f->bytes);
    return *out ? PP_OK : PP_ENOMEM;
}

/* Runs `see` over the fields of a message. */
typedef pp_status (*see_field)(void *payload, const pp_field *f);

static pp_status each_field(pp_wire w, see_field see, void *payload)
{
    bool more;
    pp_field f;
    for (;;) {
        PP_TRY(pp_wire_next(&w, &f, &more));
        if (!more)
            return PP_OK;
        PP_TRY(see(payload, &f));
    }
}

/* ---- attributes ---- */

typedef struct attr_reader {
    pp_onnx *m;
    pp_onnx_attr *a;
    uint32_t ints, floats; /* counted */
    int64_t *int_to;
    float *float_to;
} attr_reader;

static pp_status count_list(const pp_field *f, bool ints, uint32_t *n)
{
    if (f->type != PP_WIRE_BYTES) {
        ++*n;
        return pp_wire_expect(f, ints ? PP_WIRE_VARINT : PP_WIRE_32, "list of an attribute");
    }
    if (!ints && pp_wire_left(&f->bytes) % 4 != 0)
        return pp_wire_fail(&f->bytes, "a packed list of numbers is truncated");
    if (!ints)
        *n += (uint32_t)(pp_wire_left(&f->bytes) / 4);
    for (const uint8_t *b = f->bytes.at; ints && b < f->bytes.end; b++)
        *n += *b < 0x80;
    return PP_OK;
}

static pp_status see_attr(void *payload, const pp_field *f)
{
    attr_reader *r = payload;
    pp_onnx_tensor *t;
    switch (f->number) {
    case 1:
        return read_text(r->m, f, "name of an attribute", &r->a->name);
    case 2:
        r->a->f = pp_wire_float(f->value);
        return pp_wire_expect(f, PP_WIRE_32, "float of an attribute");
    case 3:
        r->a->i = (int64_t)f->value;
        return pp_wire_expect(f, PP_WIRE_VARINT, "integer of an attribute");
    case 4:
        return read_text(r->m, f, "text of an attribute", &r->a->s);
    case 5:
        PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, "tensor of an attribute"));
        if (!(t = pp_arena_get(r->m->arena, 1, sizeof *t)))
            return PP_ENOMEM;
        r->a->t = t;
        return pp_onnx_read_tensor_(r->m, f->bytes, t);
    case 7:
        return count_list(f, false, &r->floats);
    case 8:
        return count_list(f, true, &r->ints);
    default:
        return PP_OK;
    }
}

static pp_status fill_attr(void *payload, const pp_field *f)
{
    attr_reader *r = payload;
    pp_wire w = f->bytes;
    uint64_t v = 0;
    if (f->number == 7 && f->type != PP_WIRE_BYTES)
        *r->float_to++ = pp_wire_float(f->value);
    else if (f->number == 8 && f->type != PP_WIRE_BYTES)
        *r->int_to++ = (int64_t)f->value;
    else if (f->number == 7)
        for (; pp_wire_left(&w) > 0; w.at += 4)
            memcpy(r->float_to++, w.at, 4);
    else if (f->number == 8)
        while (pp_wire_left(&w) > 0) {
            PP_TRY(pp_wire_varint(&w, &v));
            *r->int_to++ = (int64_t)v;
        }
    return PP_OK;
}

static pp_status read_attr(pp_onnx *m, pp_wire w, pp_onnx_attr *a)
{
    attr_reader r = {.m = m, .a = a};
    a->name = "";
    PP_TRY(each_field(w, see_attr, &r));
    a->n = r.ints + r.floats;
    if (r.ints && r.floats)
        return pp_wire_fail(&w, "an attribute with integers and floats");
    if (!a->n)
        return PP_OK;
    if (r.ints)
        a->ints = r.int_to = pp_arena_get(m->arena, r.ints, sizeof *r.int_to);
    else
        a->floats = r.float_to = pp_arena_get(m->arena, r.floats, sizeof *r.float_to);
    if (!r.int_to && !r.float_to)
        return PP_ENOMEM;
    return each_field(w, fill_attr, &r);
}

/* ---- nodes ---- */

typedef struct node_reader {
    pp_onnx *m;
    pp_onnx_node *n;
    const char **in, **out;
    pp_onnx_attr *attr;
    uint32_t in_at, out_at, attr_at;
} node_reader;

static pp_status count_node(void *payload, const pp_field *f)
{
    node_reader *r = payload;
    r->n->n_in += f->number == 1;
    r->n->n_out += f->number == 2;
    r->n->n_attrs += f->number == 5;
    return PP_OK;
}

static pp_status fill_node(void *payload, const pp_field *f)
{
    node_reader *r = payload;
    switch (f->number) {
    case 1:
        return read_text(r->m, f, "input of a node", &r->in[r->in_at++]);
    case 2:
        return read_text(r->m, f, "output of a node", &r->out[r->out_at++]);
    case 3:
        return read_text(r->m, f, "name of a node", &r->n->name);
    case 4:
        return read_text(r->m, f, "op_type of a node", &r->n->op);
    case 5:
        PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, "attribute of a node"));
        return read_attr(r->m, f->bytes, &r->attr[r->attr_at++]);
    case 7:
        return read_text(r->m, f, "domain of a node", &r->n->domain);
    default:
        return PP_OK;
    }
}

static pp_status read_node(reader *g, uint32_t i, pp_wire w)
{
    pp_arena *arena = g->m->arena;
    pp_onnx_node *n = &g->node[i];
    node_reader r = {.m = g->m, .n = n};
    n->name = n->op = n->domain = "";
    PP_TRY(each_field(w, count_node, &r));
    r.in = pp_arena_get(arena, n->n_in, sizeof *r.in);
    r.out = pp_arena_get(arena, n->n_out, sizeof *r.out);
    r.attr = pp_arena_get(arena, n->n_attrs, sizeof *r.attr);
    if (!r.in || !r.out || !r.attr)
        return PP_ENOMEM;
    g->in_name[i] = r.in;
    g->out_name[i] = r.out;
    n->attr = r.attr;
    PP_TRY(each_field(w, fill_node, &r));
    if (!*n->op || n->n_out == 0)
        return pp_fail_at(PP_EFORMAT, g->m->path, 0, "node %u ('%s') has no operator or no result", i, n->name);
    if (!*n->name)
        n->name = *r.out[0] ? r.out[0] : n->op;
    if (strcmp(n->domain, "ai.onnx") == 0)
        n->domain = "";
    return PP_OK;
}

/* ---- inputs and outputs ---- */

typedef struct info_reader {
    pp_onnx *m;
    pp_onnx_info *info;
    const char **name;
    int64_t dim; /* of the Dimension being read */
} info_reader;

static pp_status see_dimension(void *payload, const pp_field *f)
{
    info_reader *r = payload;
    if (f->number != 1)
        return PP_OK;
    r->dim = (int64_t)f->value;
    return pp_wire_expect(f, PP_WIRE_VARINT, "dim_value");
}

static pp_status see_shape(void *payload, const pp_field *f)
{
    info_reader *r = payload;
    if (f->number != 1)
        return PP_OK;
    PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, "dim"));
    if (r->info->ndim == PP_ONNX_DIMS)
        return pp_fail_at(PP_EUNSUPPORTED, r->m->path, 0, "'%s' has more than %u dimensions", *r->name, PP_ONNX_DIMS);
    r->dim = -1;
    PP_TRY(each_field(f->bytes, see_dimension, r));
    r->info->dim[r->info->ndim++] = r->dim;
    return PP_OK;
}

static pp_status see_tensor_type(void *payload, const pp_field *f)
{
    info_reader *r = payload;
    if (f->number == 1) {
        r->info->type = f->value < 1024 ? (pp_onnx_type)f->value : PP_ONNX_NO_TYPE;
        return pp_wire_expect(f, PP_WIRE_VARINT, "elem_type");
    }
    if (f->number != 2)
        return PP_OK;
    PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, "shape"));
    r->info->has_shape = true;
    return each_field(f->bytes, see_shape, r);
}

static pp_status see_type(void *payload, const pp_field *f)
{
    if (f->number != 1)
        return PP_OK;
    PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, "tensor_type"));
    return each_field(f->bytes, see_tensor_type, payload);
}

static pp_status see_info(void *payload, const pp_field *f)
{
    info_reader *r = payload;
    if (f->number == 1)
        return read_text(r->m, f, "name of an input or output", r->name);
    if (f->number != 2)
        return PP_OK;
    PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, "type"));
    return each_field(f->bytes, see_type, payload);
}

static pp_status read_info(reader *g, pp_wire w, pp_onnx_info *info, const char **name)
{
    info_reader r = {.m = g->m, .info = info, .name = name};
    *name = "";
    return each_field(w, see_info, &r);
}

/* ---- the graph ---- */

static pp_status count_graph(void *payload, const pp_field *f)
{
    reader *g = payload;
    g->n_nodes += f->number == 1;
    g->n_inits += f->number == 5;
    g->n_inputs += f->number == 11;
    g->n_outputs += f->number == 12;
    g->sparse |= f->number == 15;
    if (f->number == 1 || f->number == 5 || f->number == 11 || f->number == 12)
        return pp_wire_expect(f, PP_WIRE_BYTES, "of the graph");
    return PP_OK;
}

static pp_status fill_graph(void *payload, const pp_field *f)
{
    reader *g = payload;
    switch (f->number) {
    case 1:
        return read_node(g, g->n_nodes++, f->bytes);
    case 2:
        return read_text(g->m, f, "name of the graph", &g->m->graph);
    case 5:
        return pp_onnx_read_tensor_(g->m, f->bytes, &g->init[g->n_inits++]);
    case 11:
        g->n_inputs++;
        return read_info(g, f->bytes, &g->input[g->n_inputs - 1], &g->input_name[g->n_inputs - 1]);
    case 12:
        g->n_outputs++;
        return read_info(g, f->bytes, &g->output[g->n_outputs - 1], &g->output_name[g->n_outputs - 1]);
    default:
        return PP_OK;
    }
}

static pp_status read_graph(reader *g)
{
    pp_arena *a = g->m->arena;
    g->m->graph = "";
    PP_TRY(each_field(g->graph, count_graph, g));
    if (g->sparse)
        return pp_fail_at(PP_EUNSUPPORTED, g->m->path, 0, "sparse initialisers are not supported");
    g->node = pp_arena_get(a, g->n_nodes, sizeof *g->node);
    g->in_name = pp_arena_get(a, g->n_nodes, sizeof *g->in_name);
    g->out_name = pp_arena_get(a, g->n_nodes, sizeof *g->out_name);
    g->init = pp_arena_get(a, g->n_inits, sizeof *g->init);
    g->input = pp_arena_get(a, g->n_inputs, sizeof *g->input);
    g->input_name = pp_arena_get(a, g->n_inputs, sizeof *g->input_name);
    g->output = pp_arena_get(a, g->n_outputs, sizeof *g->output);
    g->output_name = pp_arena_get(a, g->n_outputs, sizeof *g->output_name);
    if (!g->node || !g->in_name || !g->out_name || !g->init || !g->input || !g->input_name || !g->output ||
        !g->output_name)
        return PP_ENOMEM;
    g->n_nodes = g->n_inits = g->n_inputs = g->n_outputs = 0;
    return each_field(g->graph, fill_graph, g);
}

/* ---- names become values ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_name(const void *key, const void *value)
{
    return strcmp(key, ((const pp_onnx_value *)value)->name);
}

static uint32_t value_of(const pp_onnx *m, const char *name)
{
    const pp_onnx_value *v = m->n_values ? bsearch(name, m->value, m->n_values, sizeof *v, by_name) : NULL;
    return v ? (uint32_t)(v - m->value) : PP_NONE;
}

/* All names that something defines or reads, sorted, each once. */
static pp_status collect_names(reader *g)
{
    PP_VEC(const char *) names = {0};
    bool good = true;
    for (uint32_t i = 0; i < g->n_nodes && good; i++) {
        for (uint32_t k = 0; k < g->node[i].n_in && good; k++)
            good = !*g->in_name[i][k] || pp_push(&names, g->in_name[i][k]);
        for (uint32_t k = 0; k < g->node[i].n_out && good; k++)
            good = !*g->out_name[i][k] || pp_push(&names, g->out_name[i][k]);
    }
    for (uint32_t i = 0; i < g->n_inits && good; i++)
        good = pp_push(&names, g->init[i].name);
    for (uint32_t i = 0; i < g->n_inputs && good; i++)
        good = pp_push(&names, g->input_name[i]);
    for (uint32_t i = 0; i < g->n_outputs && good; i++)
        good = pp_push(&names, g->output_name[i]);
    if (names.len)
        qsort(names.data, names.len, sizeof *names.data, by_text);
    g->m->value = pp_arena_get(g->m->arena, names.len, sizeof *g->m->value);
    good = good && g->m->value && names.len < PP_NONE;
    for (size_t i = 0; i < names.len && good; i++)
        if (i == 0 || strcmp(names.data[i], names.data[i - 1]) != 0)
            g->m->value[g->m->n_values++].name = names.data[i];
    free(names.data);
    return good ? PP_OK : PP_ENOMEM;
}

static pp_status define(reader *g, uint32_t *maker, uint32_t value, uint32_t by)
{
    if (maker[value] != PP_NONE)
        return pp_fail_at(PP_EFORMAT, g->m->path, 0, "'%s' is defined twice", g->m->value[value].name);
    maker[value] = by;
    return PP_OK;
}

/* Nodes count from 0; what is there from the start is made by `n_nodes`. */
static pp_status resolve_node(reader *g, uint32_t i, uint32_t *maker)
{
    pp_onnx_node *n = &g->node[i];
    uint32_t *in = pp_arena_get(g->m->arena, n->n_in, sizeof *in);
    uint32_t *out = pp_arena_get(g->m->arena, n->n_out, sizeof *out);
    if (!in || !out)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < n->n_in; k++) {
        in[k] = *g->in_name[i][k] ? value_of(g->m, g->in_name[i][k]) : PP_NONE;
        if (in[k] != PP_NONE)
            g->m->value[in[k]].uses++;
    }
    for (uint32_t k = 0; k < n->n_out; k++) {
        out[k] = *g->out_name[i][k] ? value_of(g->m, g->out_name[i][k]) : PP_NONE;
        if (out[k] != PP_NONE)
            PP_TRY(define(g, maker, out[k], i));
    }
    n->in = in;
    n->out = out;
    return PP_OK;
}

static pp_status resolve(reader *g, uint32_t *maker)
{
    pp_onnx *m = g->m;
    for (uint32_t i = 0; i < m->n_values; i++)
        maker[i] = PP_NONE;
    for (uint32_t i = 0; i < g->n_inits; i++) {
        uint32_t v = value_of(m, g->init[i].name);
        PP_TRY(define(g, maker, v, g->n_nodes));
        m->value[v].init = &g->init[i];
    }
    m->n_inputs = 0;
    for (uint32_t i = 0; i < g->n_inputs; i++) { /* an input with an initialiser is a constant here */
        uint32_t v = value_of(m, g->input_name[i]);
        if (m->value[v].init)
            continue;
        PP_TRY(define(g, maker, v, g->n_nodes));
        g->input[i].value = v;
        g->input[m->n_inputs++] = g->input[i];
    }
    for (uint32_t i = 0; i < g->n_nodes; i++)
        PP_TRY(resolve_node(g, i, maker));
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        g->output[i].value = value_of(m, g->output_name[i]);
        m->value[g->output[i].value].uses++;
        if (maker[g->output[i].value] == PP_NONE)
            return pp_fail_at(PP_EFORMAT, m->path, 0, "nothing makes the graph's output '%s'", g->output_name[i]);
    }
    m->input = g->input;
    m->output = g->output;
    m->n_outputs = g->n_outputs;
    return PP_OK;
}

/* ---- order ---- */

static pp_status cycle(const reader *g, const uint32_t *missing)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (missing[i])
            return pp_fail_at(PP_EFORMAT, g->m->path, 0,
                              "node '%s' (%s): it reads its own result, directly or not; "
                              "the graph has a cycle",
                              g->node[i].name, g->node[i].op);
    return PP_OK;
}

/* Nodes in an order of execution: the given one where it is right already. missing[i]: inputs of node i that are not
 * made yet; readers of value v: reader[first[v] .. first[v + 1]). */
static pp_status sort_nodes(reader *g, const uint32_t *maker, uint32_t *missing, uint32_t *first, uint32_t *readers,
                            uint32_t *queue)
{
    const pp_onnx *m = g->m;
    uint32_t done = 0, head = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->node[i].n_in; k++) {
            uint32_t v = g->node[i].in[k];
            if (v == PP_NONE)
                continue;
            if (maker[v] == PP_NONE)
                return pp_fail_at(PP_EFORMAT, m->path, 0,
                                  "node '%s' (%s): nothing makes its input '%s'; an "
                                  "initialiser is missing",
                                  g->node[i].name, g->node[i].op, m->value[v].name);
            missing[i] += maker[v] != g->n_nodes;
            first[v + 1]++;
        }
    for (uint32_t v = 0; v < m->n_values; v++)
        first[v + 1] += first[v];
    first[m->n_values + 1] = first[m->n_values];
    for (uint32_t i = g->n_nodes; i-- > 0;)
        for (uint32_t k = 0; k < g->node[i].n_in; k++)
            if (g->node[i].in[k] != PP_NONE)
                readers[--first[g->node[i].in[k] + 1]] = i; /* first[v + 1] is now where v begins */
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (missing[i] == 0)
            queue[done++] = i;
    while (head < done) {
        const pp_onnx_node *n = &g->node[queue[head++]];
        for (uint32_t k = 0; k < n->n_out; k++) {
            uint32_t v = n->out[k];
            for (uint32_t r = v == PP_NONE ? 0 : first[v + 1]; v != PP_NONE && r < first[v + 2]; r++)
                if (--missing[readers[r]] == 0)
                    queue[done++] = readers[r];
        }
    }
    return done == g->n_nodes ? PP_OK : cycle(g, missing);
}

static bool in_order(const reader *g, const uint32_t *maker)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->node[i].n_in; k++) {
            uint32_t v = g->node[i].in[k];
            if (v != PP_NONE && (maker[v] == PP_NONE || (maker[v] != g->n_nodes && maker[v] >= i)))
                return false;
        }
    return true;
}

static pp_status order_nodes(reader *g, const uint32_t *maker)
{
    pp_onnx *m = g->m;
    uint64_t reads = 0;
    m->node = g->node;
    m->n_nodes = g->n_nodes;
    if (in_order(g, maker))
        return PP_OK;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        reads += g->node[i].n_in;
    pp_status status = PP_ENOMEM;
    uint32_t *missing = pp_calloc(g->n_nodes, sizeof *missing), *queue = pp_calloc(g->n_nodes, sizeof *queue);
    uint32_t *first = pp_calloc((size_t)m->n_values + 2, sizeof *first), *readers = pp_calloc(reads, sizeof *readers);
    pp_onnx_node *sorted = pp_arena_get(m->arena, g->n_nodes, sizeof *sorted);
    if (!missing || !queue || !first || !readers || !sorted)
        goto done;
    PP_GOTO(done, status, sort_nodes(g, maker, missing, first, readers, queue));
    for (uint32_t i = 0; i < g->n_nodes; i++)
        sorted[i] = g->node[queue[i]];
    m->node = sorted;
done:
    free(missing);
    free(queue);
    free(first);
    free(readers);
    return status;
}

/* ---- the model ---- */

typedef struct model_reader {
    pp_onnx *m;
    pp_wire graph;
    bool has_graph;
    uint32_t n_metadata;
    const char *(*metadata)[2];
} model_reader;

typedef struct opset_reader {
    pp_onnx *m;
    const char *domain;
    int64_t version;
} opset_reader;

static pp_status see_opset(void *payload, const pp_field *f)
{
    opset_reader *r = payload;
    if (f->number == 1)
        return read_text(r->m, f, "domain of an operator set", &r->domain);
    if (f->number != 2)
        return PP_OK;
    r->version = (int64_t)f->value;
    return pp_wire_expect(f, PP_WIRE_VARINT, "version of an operator set");
}

static pp_status read_opset(pp_onnx *m, const pp_field *f)
{
    opset_reader r = {.m = m, .domain = ""};
    PP_TRY(pp_wire_expect(f, PP_WIRE_BYTES, "opset_import"));
    PP_TRY(each_field(f->bytes, see_opset, &r));
    if (*r.domain == '\0' || strcmp(r.domain, "ai.onnx") == 0)
        m->opset = r.version;
    return PP_OK;
}

typedef struct pair_reader {
    pp_onnx *m;
    const char **pair;
} pair_reader;

static pp_status see_pair(void *payload, const pp_field *f)
{
    pair_reader *r = payload;
    if (f->number < 1 || f->number > 2)
        return PP_OK;
    return read_text(r->m, f, "metadata_props", &r->pair[f->number - 1]);
}

static pp_status see_model(void *payload, const pp_field *f)
{
    model_reader *r = payload;
    switch (f->number) {
    case 1:
        r->m->ir_version = (int64_t)f->value;
        return pp_wire_expect(f, PP_WIRE_VARINT, "ir_version");
    case 7:
        r->graph = f->bytes;
        r->has_graph = true;
        return pp_wire_expect(f, PP_WIRE_BYTES, "graph");
    case 8:
        return read_opset(r->m, f);
    case 14:
        r->n_metadata++;
        return pp_wire_expect(f, PP_WIRE_BYTES, "metadata_props");
    case 25:
        r->m->has_functions = true;
        return PP_OK;
    default:
        return PP_OK;
    }
}

static pp_status fill_metadata(void *payload, const pp_field *f)
{
    model_reader *r = payload;
    if (f->number != 14)
        return PP_OK;
    pair_reader p = {r->m, r->metadata[r->n_metadata++]};
    p.pair[0] = p.pair[1] = "";
    return each_field(f->bytes, see_pair, &p);
}

static pp_status read_model(model_reader *r)
{
    pp_onnx *m = r->m;
    pp_wire w = {.file = m->path, .base = m->file->data, .at = m->file->data, .end = m->file->data + m->file->size};
    PP_TRY(each_field(w, see_model, r));
    if (!r->has_graph)
        return pp_fail_at(PP_EFORMAT, m->path, 0, "holds no graph; not an ONNX model");
    if (m->opset < 1)
        return pp_fail_at(PP_EFORMAT, m->path, 0, "names no version of the standard operators");
    if (m->opset > 23) /* 22 and 23 changed types of operators that are known here, nothing else */
        return pp_fail_at(PP_EUNSUPPORTED, m->path, 0, "operator set %lld; versions up to 23 are known",
                          (long long)m->opset);
    r->metadata = pp_arena_get(m->arena, r->n_metadata, sizeof *r->metadata);
    if (!r->metadata)
        return PP_ENOMEM;
    m->metadata = (const char *const(*)[2])r->metadata;
    m->n_metadata = r->n_metadata;
    r->n_metadata = 0;
    return each_field(w, fill_metadata, r);
}

static pp_status read_file(pp_onnx *m, const char *path)
{
    PP_TRY(pp_arena_new(&m->arena));
    if (!(m->path = pp_arena_strdup(m->arena, path)))
        return PP_ENOMEM;
    PP_TRY(pp_file_map(&m->file, path));
    if (m->file->size == 0)
        return pp_fail_at(PP_EFORMAT, path, 0, "empty; not an ONNX model");
    model_reader r = {.m = m};
    PP_TRY(read_model(&r));
    reader g = {.m = m, .graph = r.graph};
    PP_TRY(read_graph(&g));
    PP_TRY(collect_names(&g));
    uint32_t *maker = pp_calloc((size_t)m->n_values + 1, sizeof *maker);
    if (!maker)
        return PP_ENOMEM;
    pp_status status = resolve(&g, maker);
    if (status == PP_OK)
        status = order_nodes(&g, maker);
    free(maker);
    return status;
}

pp_status pp_onnx_open_by_(pp_onnx **out, const char *path, pp_onnx_reader *read)
{
    *out = NULL;
    pp_onnx *m = pp_calloc(1, sizeof *m);
    if (!m)
        return PP_ENOMEM;
    pp_status status = read(m, path);
    if (status == PP_OK)
        *out = m;
    else
        pp_onnx_close(m);
    return status;
}

pp_status pp_onnx_open(pp_onnx **out, const char *path)
{
    return pp_onnx_open_by_(out, path, read_file);
}

void pp_onnx_close(pp_onnx *m)
{
    if (!m)
        return;
    pp_onnx_files_free_(m->external);
    pp_file_unmap(m->file);
    pp_arena_free(m->arena);
    free(m);
}

int64_t pp_onnx_opset(const pp_onnx *m)
{
    return m->opset;
}
