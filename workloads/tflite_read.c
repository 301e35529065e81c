/* TensorFlow Lite files: buffers, tensors, operators. */
#include "base/doc.h"
#include "workloads/tflite_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MODEL_CODES = 1, MODEL_GRAPHS = 2, MODEL_BUFFERS = 4 };
enum { CODE_OLD = 0, CODE_CUSTOM = 1, CODE_BUILTIN = 3 };
enum { GRAPH_TENSORS = 0, GRAPH_INPUTS = 1, GRAPH_OUTPUTS = 2, GRAPH_OPERATORS = 3, GRAPH_NAME = 4 };
enum {
    TENSOR_SHAPE = 0,
    TENSOR_TYPE = 1,
    TENSOR_BUFFER = 2,
    TENSOR_NAME = 3,
    TENSOR_QUANTIZATION = 4,
    TENSOR_VARIABLE = 5,
    TENSOR_SPARSITY = 6,
    TENSOR_OPEN_SHAPE = 7
};
enum { QUANT_SCALE = 2, QUANT_ZERO = 3, QUANT_AXIS = 6 };
enum { BUFFER_DATA = 0, BUFFER_OFFSET = 1, BUFFER_SIZE = 2 };
enum { OPERATOR_CODE = 0, OPERATOR_INPUTS = 1, OPERATOR_OUTPUTS = 2, OPERATOR_OPTIONS = 4, OPERATOR_CUSTOM = 5 };

static pp_status fail(const pp_lite *l, pp_status status, const char *name, const char *says)
{
    return pp_fail_at(status, l->m->path, 0, "tensor '%s': %s", name, says);
}

/* A name, at most 255 bytes of it, its control characters and what is no UTF-8 as '?'. */
static const char *text_of(pp_lite *l, const pp_flat_list *s)
{
    uint32_t n = s->n < 255 ? s->n : 255;
    char *text = pp_lite_get(l, (uint64_t)n + 1, 1);
    if (text && n > 0)
        pp_utf8_clean(text, s->flat->data + s->at, n);
    return text;
}

/* ---- tensors ---- */

static pp_onnx_type type_of(uint8_t code)
{
    static const pp_onnx_type types[] = {PP_ONNX_FLOAT,   PP_ONNX_FLOAT16, PP_ONNX_INT32,   PP_ONNX_UINT8,   PP_ONNX_INT64,
                                         PP_ONNX_NO_TYPE, PP_ONNX_BOOL,    PP_ONNX_INT16,   PP_ONNX_NO_TYPE, PP_ONNX_INT8,
                                         PP_ONNX_DOUBLE,  PP_ONNX_NO_TYPE, PP_ONNX_UINT64,  PP_ONNX_NO_TYPE, PP_ONNX_NO_TYPE,
                                         PP_ONNX_UINT32,  PP_ONNX_UINT16,  PP_ONNX_INT4};
    return code < sizeof types / sizeof *types ? types[code] : PP_ONNX_NO_TYPE;
}

static pp_status read_shape(pp_lite *l, const pp_flat_table *from, pp_lite_tensor *t)
{
    pp_flat_list shape = pp_flat_vector(from, TENSOR_SHAPE, 4), open = pp_flat_vector(from, TENSOR_OPEN_SHAPE, 4);
    uint64_t count = 1;
    PP_TRY(pp_flat_status(&l->flat));
    if (shape.n > PP_ONNX_DIMS)
        return fail(l, PP_EUNSUPPORTED, t->name, "more than 8 dimensions");
    t->ndim = t->t.ndim = shape.n;
    for (uint32_t i = 0; i < shape.n; i++) {
        t->dim[i] = pp_flat_i32_at(&shape, i);
        t->open[i] = open.n == shape.n && pp_flat_i32_at(&open, i) < 0 ? -1 : t->dim[i];
        if (t->dim[i] < 0 || (t->dim[i] > 0 && count > (UINT64_C(1) << 48) / (uint64_t)t->dim[i]))
            return fail(l, PP_ERANGE, t->name, "a negative or too large shape");
        count *= t->dim[i] ? (uint64_t)t->dim[i] : 1;
        t->t.dim[i] = (uint64_t)t->dim[i];
    }
    return PP_OK;
}

/* A list of n numbers that scales or zero points are. */
static pp_onnx_tensor *list_of(pp_lite *l, uint32_t n, pp_onnx_type type, void **data)
{
    pp_onnx_tensor *t = pp_lite_get(l, 1, sizeof *t);
    *data = t ? pp_lite_get(l, n, pp_onnx_type_size(type)) : NULL;
    if (!*data)
        return NULL;
    *t = (pp_onnx_tensor){.name = "scale", .type = type, .ndim = 1, .dim = {n}, .data = *data};
    return t;
}

/* Codes with a scale, or one for each slice of an axis, stand for numbers. */
static pp_status read_quantization(pp_lite *l, const pp_flat_table *from, pp_lite_tensor *t)
{
    pp_flat_table q = pp_flat_sub(from, TENSOR_QUANTIZATION);
    pp_flat_list scale = pp_flat_vector(&q, QUANT_SCALE, 4), zero = pp_flat_vector(&q, QUANT_ZERO, 8);
    int64_t axis = pp_flat_i32(&q, QUANT_AXIS, 0);
    void *data;
    PP_TRY(pp_flat_status(&l->flat));
    if (scale.n == 0 || pp_onnx_is_float(t->t.type) || t->t.type == PP_ONNX_NO_TYPE)
        return PP_OK;
    if (scale.n > 1 && (axis < 0 || axis >= (int64_t)t->ndim || t->dim[axis] != (int64_t)scale.n))
        return fail(l, PP_EFORMAT, t->name, "as many scales as no axis has elements");
    if (zero.n > 1 && zero.n != scale.n)
        return fail(l, PP_EFORMAT, t->name, "scales and zero points differ in number");
    t->t.codes = t->t.type;
    t->t.type = PP_ONNX_FLOAT;
    t->t.axis = scale.n > 1 ? (uint32_t)axis : 0;
    pp_onnx_tensor *list = list_of(l, scale.n, PP_ONNX_FLOAT, &data);
    if (!list)
        return l->why;
    for (uint32_t i = 0; i < scale.n; i++)
        ((float *)data)[i] = pp_flat_f32_at(&scale, i);
    t->t.scale = list;
    bool any = false;
    for (uint32_t i = 0; i < zero.n; i++)
        any |= pp_flat_i64_at(&zero, i) != 0;
    if (!any)
        return PP_OK;
    if (!(list = list_of(l, zero.n, PP_ONNX_INT64, &data)))
        return l->why;
    for (uint32_t i = 0; i < zero.n; i++)
        ((int64_t *)data)[i] = pp_flat_i64_at(&zero, i);
    t->t.zero = list;
    return PP_OK;
}

/* Two codes a byte, the lower half first, as bytes. */
static pp_status unpack(pp_lite *l, const uint8_t *from, uint64_t n, pp_lite_tensor *t)
{
    int8_t *bytes = pp_lite_get(l, n, 1);
    if (!bytes)
        return l->why;
    for (uint64_t i = 0; i < n; i++) {
        int code = from[i / 2] >> (i % 2 ? 4 : 0) & 15;
        bytes[i] = (int8_t)(code < 8 ? code : code - 16);
    }
    t->t.data = bytes;
    return PP_OK;
}

static pp_status read_data(pp_lite *l, const pp_flat_table *from, const pp_flat_list *buffers, pp_lite_tensor *t)
{
    uint32_t index = (uint32_t)pp_flat_i32(from, TENSOR_BUFFER, 0);
    if (index >= buffers->n)
        return index == 0 ? PP_OK : fail(l, PP_EFORMAT, t->name, "its buffer is not in the file");
    pp_flat_table buffer = pp_flat_table_at(buffers, index);
    pp_flat_list bytes = pp_flat_vector(&buffer, BUFFER_DATA, 1);
    uint64_t at = bytes.at, size = bytes.n, beyond = pp_flat_u64(&buffer, BUFFER_OFFSET);
    PP_TRY(pp_flat_status(&l->flat));
    if (beyond > 1) { /* behind the tables of a large file */
        at = beyond;
        size = pp_flat_u64(&buffer, BUFFER_SIZE);
        if (at > l->flat.size || size > l->flat.size - at)
            return fail(l, PP_EFORMAT, t->name, "its data end behind the file");
    }
    if (size == 0)
        return PP_OK;
    pp_onnx_type stored = t->t.scale ? t->t.codes : t->t.type;
    uint64_t n = pp_onnx_count(&t->t), each = stored == PP_ONNX_INT4 ? 1 : pp_onnx_type_size(stored);
    if (each == 0)
        return PP_OK; /* texts and such: whoever reads them refuses */
    if (size != (stored == PP_ONNX_INT4 ? (n + 1) / 2 : n * each))
        return fail(l, PP_EFORMAT, t->name, "the size of its data is not that of its shape");
    t->t.data = l->flat.data + at;
    return stored == PP_ONNX_INT4 ? unpack(l, l->flat.data + at, n, t) : PP_OK;
}

static pp_status read_tensor(pp_lite *l, const pp_flat_table *from, const pp_flat_list *buffers, uint32_t k)
{
    pp_lite_tensor *t = &l->tensor[k];
    pp_flat_list name = pp_flat_vector(from, TENSOR_NAME, 1);
    char *number = NULL;
    t->twin = PP_NONE;
    if (name.n == 0 && !(number = pp_strf("tensor %u", k)))
        return PP_ENOMEM;
    t->name = number ? pp_arena_strdup(l->m->arena, number) : text_of(l, &name);
    free(number);
    if (!t->name)
        return number ? PP_ENOMEM : l->why;
    t->t.name = t->name;
    t->t.type = type_of(pp_flat_u8(from, TENSOR_TYPE, 0));
    t->variable = pp_flat_u8(from, TENSOR_VARIABLE, 0) != 0;
    t->sparse = pp_flat_sub(from, TENSOR_SPARSITY).at != 0;
    PP_TRY(pp_flat_status(&l->flat));
    PP_TRY(read_shape(l, from, t));
    PP_TRY(read_quantization(l, from, t));
    return t->sparse ? PP_OK : read_data(l, from, buffers, t);
}

static pp_status read_tensors(pp_lite *l, const pp_flat_table *graph, const pp_flat_list *buffers)
{
    pp_flat_list list = pp_flat_vector(graph, GRAPH_TENSORS, 4);
    PP_TRY(pp_flat_status(&l->flat));
    if (!(l->tensor = pp_lite_get(l, (uint64_t)list.n + 1, sizeof *l->tensor)))
        return l->why;
    l->n_tensors = list.n;
    for (uint32_t k = 0; k < list.n; k++) {
        pp_flat_table t = pp_flat_table_at(&list, k);
        uint32_t value;
        PP_TRY(read_tensor(l, &t, buffers, k));
        PP_TRY(pp_lite_value(l, l->tensor[k].name, l->tensor[k].t.data ? &l->tensor[k].t : NULL, &value));
        l->tensor[k].made = l->tensor[k].t.data != NULL;
    }
    return PP_OK;
}

/* ---- inputs and outputs ---- */

static pp_status read_ends(pp_lite *l, const pp_flat_table *graph, uint32_t id, const pp_onnx_info **out, uint32_t *n)
{
    pp_flat_list list = pp_flat_vector(graph, id, 4);
    PP_TRY(pp_flat_status(&l->flat));
    pp_onnx_info *info = pp_lite_get(l, (uint64_t)list.n + 1, sizeof *info);
    if (!info)
        return l->why;
    for (uint32_t i = 0; i < list.n; i++) {
        uint32_t k = (uint32_t)pp_flat_i32_at(&list, i);
        if (k >= l->n_tensors)
            return pp_fail_at(PP_EFORMAT, l->m->path, 0, "an input or output of the graph is no tensor of it");
        pp_lite_tensor *t = &l->tensor[k];
        if (id == GRAPH_INPUTS && t->made)
            return fail(l, PP_EFORMAT, t->name, "an input of the graph that is constant or there twice");
        t->made |= id == GRAPH_INPUTS;
        info[i] = (pp_onnx_info){.value = k, .type = t->t.type, .has_shape = true, .ndim = t->ndim};
        for (uint32_t d = 0; d < t->ndim; d++)
            info[i].dim[d] = t->open[d];
    }
    *out = info;
    *n = list.n;
    return PP_OK;
}

/* ---- operators ---- */

static pp_status read_tensor_list(pp_lite *l, const pp_flat_table *op, uint32_t id, uint32_t *out, uint32_t *n)
{
    pp_flat_list list = pp_flat_vector(op, id, 4);
    PP_TRY(pp_flat_status(&l->flat));
    if (list.n > PP_LITE_INPUTS)
        return pp_lite_fail(l, PP_EUNSUPPORTED, "%u inputs or results; at most %u are read", list.n, PP_LITE_INPUTS);
    for (uint32_t i = 0; i < list.n; i++) {
        int32_t k = pp_flat_i32_at(&list, i);
        if (k < -1 || k >= (int64_t)l->n_tensors)
            return pp_lite_fail(l, PP_EFORMAT, "tensor %d of %u", k, l->n_tensors);
        out[i] = k < 0 ? PP_NONE : (uint32_t)k;
    }
    *n = list.n;
    return PP_OK;
}

/* Operators stand in an order of execution, and each result has one maker. */
static pp_status check_order(pp_lite *l)
{
    for (uint32_t i = 0; i < l->n_in; i++) {
        pp_lite_tensor *t = l->in[i] == PP_NONE ? NULL : &l->tensor[l->in[i]];
        if (t && !t->made && pp_onnx_count(&t->t) == 0) { /* a constant of no elements has no data */
            t->made = true;
            t->t.data = l->flat.data;
            l->value.data[l->in[i]].init = &t->t;
        }
        if (t && t->sparse)
            return pp_lite_fail(l, PP_EUNSUPPORTED, "its weights '%s' are stored sparse; convert the model without that",
                                t->name);
        if (t && t->variable)
            return pp_lite_fail(l, PP_EUNSUPPORTED, "'%s' is a state that is kept from call to call", t->name);
        if (t && !t->made)
            return pp_lite_fail(l, PP_EFORMAT, "its input '%s' has neither data nor an operator before this one", t->name);
    }
    for (uint32_t i = 0; i < l->n_out; i++) {
        if (l->out[i] == PP_NONE)
            continue;
        if (l->tensor[l->out[i]].made)
            return pp_lite_fail(l, PP_EFORMAT, "its result '%s' is constant, an input, or made twice",
                                l->tensor[l->out[i]].name);
        l->tensor[l->out[i]].made = true;
    }
    return PP_OK;
}

/* Which operator it is, by the list of codes. */
static pp_status read_code(pp_lite *l, const pp_flat_list *codes, uint32_t index, pp_lite_op *run)
{
    if (index >= codes->n)
        return pp_lite_fail(l, PP_EFORMAT, "its code is not in the list");
    pp_flat_table code = pp_flat_table_at(codes, index);
    int64_t old = (int8_t)pp_flat_u8(&code, CODE_OLD, 0), builtin = pp_flat_i32(&code, CODE_BUILTIN, 0);
    pp_flat_list custom = pp_flat_vector(&code, CODE_CUSTOM, 1);
    PP_TRY(pp_flat_status(&l->flat));
    builtin = builtin > old ? builtin : old; /* small codes may stand in the old field only */
    *run = pp_lite_find(builtin, &l->kind);
    if (builtin == 32) {
        if (!(l->kind = text_of(l, &custom)))
            return l->why;
        *run = pp_lite_find_custom(l->kind);
    }
    if (!l->kind) {
        char *text = pp_strf("BUILTIN_%lld", (long long)builtin);
        l->kind = text ? pp_arena_strdup(l->m->arena, text) : NULL;
        free(text);
    }
    return l->kind ? PP_OK : PP_ENOMEM;
}

/* A node of a name that nothing knows: whoever needs its results refuses them. */
static pp_status unknown(pp_lite *l)
{
    pp_lite_node n = {.op = l->kind, .n_in = l->n_in, .n_out = l->n_out};
    memcpy(n.in, l->in, sizeof n.in);
    memcpy(n.out, l->out, sizeof n.out);
    return pp_lite_add(l, &n);
}

static pp_status read_operator(pp_lite *l, const pp_flat_table *op, const pp_flat_list *codes)
{
    pp_lite_op run = NULL;
    l->kind = "?";
    l->n_in = l->n_out = 0;
    PP_TRY(read_tensor_list(l, op, OPERATOR_OUTPUTS, l->out, &l->n_out));
    if (l->n_out == 0)
        return pp_lite_fail(l, PP_EUNSUPPORTED, "it has no result");
    PP_TRY(read_code(l, codes, (uint32_t)pp_flat_i32(op, OPERATOR_CODE, 0), &run));
    PP_TRY(read_tensor_list(l, op, OPERATOR_INPUTS, l->in, &l->n_in));
    l->options = pp_flat_sub(op, OPERATOR_OPTIONS);
    l->custom = pp_flat_vector(op, OPERATOR_CUSTOM, 1);
    PP_TRY(check_order(l));
    PP_TRY(run ? run(l) : unknown(l));
    return pp_flat_status(&l->flat);
}

static pp_status read_operators(pp_lite *l, const pp_flat_table *graph, const pp_flat_list *codes)
{
    pp_flat_list list = pp_flat_vector(graph, GRAPH_OPERATORS, 4);
    PP_TRY(pp_flat_status(&l->flat));
    for (l->index = 0; l->index < list.n; l->index++) {
        pp_flat_table op = pp_flat_table_at(&list, l->index);
        PP_TRY(pp_flat_status(&l->flat));
        PP_TRY(read_operator(l, &op, codes));
    }
    l->n_out = 0;
    return PP_OK;
}

/* ---- the file ---- */

static pp_status take_over(pp_lite *l)
{
    pp_onnx *m = l->m;
    m->node = pp_arena_get(m->arena, l->node.len, sizeof *m->node);
    m->value = pp_arena_get(m->arena, l->value.len, sizeof *m->value);
    if (!m->node || !m->value)
        return PP_ENOMEM;
    if (l->node.len)
        memcpy((void *)(uintptr_t)m->node, l->node.data, l->node.len * sizeof *m->node);
    if (l->value.len)
        memcpy(m->value, l->value.data, l->value.len * sizeof *m->value);
    m->n_nodes = (uint32_t)l->node.len;
    m->n_values = (uint32_t)l->value.len;
    for (uint32_t i = 0; i < m->n_nodes; i++)
        for (uint32_t k = 0; k < m->node[i].n_in; k++)
            if (m->node[i].in[k] != PP_NONE)
                m->value[m->node[i].in[k]].uses++;
    for (uint32_t i = 0; i < m->n_outputs; i++)
        m->value[m->output[i].value].uses++;
    return PP_OK;
}

static pp_status read_graph(pp_lite *l)
{
    pp_flat_table model = pp_flat_root(&l->flat);
    pp_flat_list graphs = pp_flat_vector(&model, MODEL_GRAPHS, 4), buffers = pp_flat_vector(&model, MODEL_BUFFERS, 4);
    pp_flat_list codes = pp_flat_vector(&model, MODEL_CODES, 4);
    PP_TRY(pp_flat_status(&l->flat));
    if (graphs.n == 0)
        return pp_fail_at(PP_EFORMAT, l->m->path, 0, "holds no graph");
    pp_flat_table graph = pp_flat_table_at(&graphs, 0);
    pp_flat_list name = pp_flat_vector(&graph, GRAPH_NAME, 1);
    if (!(l->m->graph = text_of(l, &name)))
        return l->why;
    PP_TRY(read_tensors(l, &graph, &buffers));
    PP_TRY(read_ends(l, &graph, GRAPH_INPUTS, &l->m->input, &l->m->n_inputs));
    PP_TRY(read_operators(l, &graph, &codes));
    PP_TRY(read_ends(l, &graph, GRAPH_OUTPUTS, &l->m->output, &l->m->n_outputs));
    for (uint32_t i = 0; i < l->m->n_outputs; i++)
        if (!l->tensor[l->m->output[i].value].made)
            return fail(l, PP_EFORMAT, l->tensor[l->m->output[i].value].name, "nothing makes this output of the graph");
    return take_over(l);
}

static pp_status read_file(pp_onnx *m, const char *path)
{
    PP_TRY(pp_arena_new(&m->arena));
    if (!(m->path = pp_arena_strdup(m->arena, path)))
        return PP_ENOMEM;
    PP_TRY(pp_file_map(&m->file, path));
    if (m->file->size < 8 || memcmp(m->file->data + 4, "TFL3", 4) != 0)
        return pp_fail_at(PP_EFORMAT, path, 0, "not a TensorFlow Lite file (no mark TFL3 at byte 4)");
    m->opset = 13;
    m->channels_last = true;
    pp_lite l = {.m = m, .flat = {.file = m->path, .data = m->file->data, .size = m->file->size}};
    l.left = 64 * (uint64_t)m->file->size + (UINT64_C(1) << 16);
    pp_status status = read_graph(&l);
    free(l.node.data);
    free(l.value.data);
    return status;
}

pp_status pp_tflite_open(pp_onnx **out, const char *path)
{
    return pp_onnx_open_by_(out, path, read_file);
}
