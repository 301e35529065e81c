/* ONNX graphs as networks: input, nodes in order, output. */
#include "workloads/card_internal.h"
#include "workloads/onnx_net_internal.h"
#include "workloads/tflite.h"
#include "workloads/workloads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static const pp_onnx_slot *slot(const pp_onnx_net *v, uint32_t k)
{
    return k < v->node->n_in && v->node->in[k] != PP_NONE ? &v->value[v->node->in[k]] : NULL;
}

const pp_onnx_tensor *pp_net_constant(const pp_onnx_net *v, uint32_t k)
{
    const pp_onnx_slot *s = slot(v, k);
    return s ? s->constant : NULL;
}

const pp_onnx_stream *pp_net_any(const pp_onnx_net *v, uint32_t k)
{
    const pp_onnx_slot *s = slot(v, k);
    return s ? s->stream : NULL;
}

static bool is_padded(const pp_onnx_stream *s)
{
    return s->pad[0] || s->pad[1] || s->pad[2] || s->pad[3];
}

static pp_status need(pp_onnx_net *v, uint32_t k, const pp_onnx_stream **out)
{
    *out = pp_net_any(v, k);
    if (!*out)
        return pp_net_fail(v, PP_EUNSUPPORTED, "input %u must come from the network's input", k);
    if ((*out)->gelu)
        return pp_net_fail(v, PP_EUNSUPPORTED, "it reads a part of Gelu (an Erf or a cube) or an IsNaN, which are supported within Gelu and Where only");
    return PP_OK;
}

static pp_status no_padding(const pp_onnx_net *v, const pp_onnx_stream *s)
{
    return !is_padded(s) ? PP_OK
                         : pp_net_fail(v, PP_EUNSUPPORTED,
                                       "it reads a Pad, which is supported in front of Conv "
                                       "and pools only");
}

static pp_status no_probabilities(const pp_onnx_net *v, const pp_onnx_stream *s)
{
    return !s->probabilities ? PP_OK
                             : pp_net_fail(v, PP_EUNSUPPORTED,
                                           "it reads a Softmax, which is supported at the end "
                                           "of a network only");
}

pp_status pp_net_view(pp_onnx_net *v, uint32_t k, const pp_onnx_stream **out)
{
    PP_TRY(need(v, k, out));
    return no_padding(v, *out);
}

pp_status pp_net_padded(pp_onnx_net *v, uint32_t k, const pp_onnx_stream **out)
{
    PP_TRY(need(v, k, out));
    return no_probabilities(v, *out);
}

pp_status pp_net_stream(pp_onnx_net *v, uint32_t k, const pp_onnx_stream **out)
{
    PP_TRY(need(v, k, out));
    PP_TRY(no_padding(v, *out));
    PP_TRY(no_probabilities(v, *out));
    if ((*out)->coded)
        return pp_net_fail(v, PP_EUNSUPPORTED,
                           "it computes on codes; only DequantizeLinear, MaxPool and views may read "
                           "a QuantizeLinear");
    return PP_OK;
}

bool pp_net_sole(const pp_onnx_net *v, uint32_t k)
{
    const pp_onnx_stream *s = pp_net_any(v, k);
    return s && !s->shared && v->m->value[v->node->in[k]].uses == 1;
}

pp_status pp_net_give_view(pp_onnx_net *v, pp_onnx_stream s)
{
    s.shared = !pp_net_sole(v, 0);
    return pp_net_give(v, 0, &s);
}

pp_status pp_net_give(pp_onnx_net *v, uint32_t output, const pp_onnx_stream *s)
{
    pp_onnx_stream *copy = pp_arena_get(v->arena, 1, sizeof *copy);
    if (!copy)
        return PP_ENOMEM;
    *copy = *s;
    if (output < v->node->n_out && v->node->out[output] != PP_NONE)
        v->value[v->node->out[output]] = (pp_onnx_slot){.stream = copy};
    return PP_OK;
}

const char *pp_net_name(pp_onnx_net *v)
{
    const char *name = v->node->name;
    if (v->made++ == 0 && pp_builder_find_(v->b, name) == PP_NONE)
        return name;
    for (;; v->made++) {
        size_t size = strlen(name) + 16;
        char *text = pp_arena_get(v->arena, size, 1);
        if (!text)
            return NULL;
        snprintf(text, size, "%s/%u", name, v->made);
        if (pp_builder_find_(v->b, text) == PP_NONE)
            return text;
    }
}

pp_status pp_net_ints(pp_onnx_net *v, const char *name, uint32_t k, const int64_t **list, uint32_t *n)
{
    if (k != PP_NONE && slot(v, k) && !pp_net_constant(v, k))
        return pp_net_fail(v, PP_EUNSUPPORTED, "its %s are computed from the network's input", name);
    const pp_onnx_tensor *in[8] = {0};
    for (uint32_t i = 0; i < v->node->n_in && i < 8; i++)
        in[i] = pp_net_constant(v, i);
    pp_onnx_node node = *v->node;
    node.n_in = node.n_in < 8 ? node.n_in : 8;
    pp_onnx_call c = {.arena = v->arena, .path = v->m->path, .node = &node, .opset = v->m->opset, .in = in};
    if (k != PP_NONE && pp_onnx_in(&c, k) && !pp_onnx_in(&c, k)->data)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its %s are of a type that is not read", name);
    return pp_onnx_ints(&c, name, k, list, n);
}

/* ---- nodes ---- */

static bool all_constant(const pp_onnx_net *v)
{
    for (uint32_t k = 0; k < v->node->n_in; k++)
        if (slot(v, k) && !pp_net_constant(v, k))
            return false;
    return true;
}

static pp_status fold(pp_onnx_net *v)
{
    const pp_onnx_node *n = v->node;
    const pp_onnx_tensor **in = pp_arena_get(v->arena, n->n_in, sizeof *in);
    pp_onnx_tensor *out = pp_arena_get(v->m->arena, n->n_out, sizeof *out);
    if (!in || !out)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < n->n_in; k++)
        in[k] = pp_net_constant(v, k);
    pp_onnx_call c = {.arena = v->m->arena,
                      .path = v->m->path,
                      .node = n,
                      .opset = v->m->opset,
                      .in = in,
                      .out = out,
                      .room = v->room,
                      .work = v->work};
    PP_TRY(pp_onnx_eval(&c));
    v->room = c.room;
    v->work = c.work;
    for (uint32_t k = 0; k < n->n_out; k++)
        if (n->out[k] != PP_NONE && out[k].data) {
            out[k].name = v->m->value[n->out[k]].name;
            v->value[n->out[k]].constant = &out[k];
        }
    return PP_OK;
}

/* The shape of a stream is known without its elements: the operator runs on a tensor that has none. */
static pp_status fold_shape(pp_onnx_net *v)
{
    const pp_onnx_stream *s = slot(v, 0)->stream;
    pp_onnx_tensor in = {.name = "", .type = PP_ONNX_FLOAT, .ndim = s->ndim, .data = ""}, *out;
    const pp_onnx_tensor *list[1] = {&in};
    memcpy(in.dim, s->dim, sizeof in.dim);
    for (uint32_t side = 0; side < 4; side++) /* a Pad in front counts; its axes are the last two */
        if (s->pad[side])
            in.dim[s->ndim - (side % 2 ? 1 : 2)] += s->pad[side];
    out = pp_arena_get(v->m->arena, v->node->n_out, sizeof *out);
    if (!out)
        return PP_ENOMEM;
    pp_onnx_call c = {.arena = v->m->arena,
                      .path = v->m->path,
                      .node = v->node,
                      .opset = v->m->opset,
                      .in = list,
                      .out = out,
                      .room = v->room,
                      .work = v->work};
    PP_TRY(pp_onnx_find_op(v->node->op)(&c));
    if (v->node->out[0] != PP_NONE)
        v->value[v->node->out[0]].constant = out;
    return PP_OK;
}

static pp_net_op find_op(const char *op)
{
    static const pp_net_row *const tables[] = {pp_net_ops_matrix_, pp_net_ops_element_, pp_net_ops_act_,
                                               pp_net_ops_norm_, pp_net_ops_quantize_, pp_net_ops_move_,
                                               pp_net_ops_window_, pp_net_ops_up_};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const pp_net_row *r = tables[t]; r->name; r++)
            if (strcmp(r->name, op) == 0)
                return r->convert;
    return NULL;
}

/* Why an operator has no place in a network. */
static const char *reason(const pp_onnx_net *v)
{
    static const char *const list[][2] = {
        {"LSTM", "recurrent layers are not simulated"},
        {"GRU", "recurrent layers are not simulated"},
        {"RNN", "recurrent layers are not simulated"},
        {"UNIDIRECTIONAL_SEQUENCE_LSTM", "recurrent layers are not simulated"},
        {"SVDF", "recurrent layers are not simulated"},
        {"IF", "branches and loops are not simulated"},
        {"WHILE", "branches and loops are not simulated"},
        {"TFLite_Detection_PostProcess", "the search for boxes is not simulated"},
        {"TOPK_V2", "sorting is not simulated"},
        {"ARG_MAX", "the largest result is found by whoever reads the results"},
        {"DENSIFY", "weights that are stored sparse are not read"},
        {"If", "branches and loops are not simulated"},
        {"Loop", "branches and loops are not simulated"},
        {"Scan", "branches and loops are not simulated"},
        {"NonMaxSuppression", "the search for boxes is not simulated"},
        {"TopK", "sorting is not simulated"},
        {"ArgMax", "the largest result is found by whoever reads the results"},
        {"Attention", "export attention in parts (MatMul, Softmax, MatMul: operator sets below 23)"},
        {"QLinearConv", "integer operators are not read; export the quantized model in QDQ form"},
        {"QLinearMatMul", "integer operators are not read; export the quantized model in QDQ form"},
        {"ConvInteger", "integer operators are not read; export the model without dynamic quantization"},
        {"MatMulInteger", "integer operators are not read; export the model without dynamic quantization"},
        {"DynamicQuantizeLinear", "integer operators are not read; export the model without dynamic quantization"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (strcmp(list[i][0], v->node->op) == 0)
            return list[i][1];
    return pp_onnx_find_op(v->node->op) ? "this operator has no place in a network of the simulator; constants alone may "
                                          "go through it"
                                        : "this operator has no place in a network of the simulator";
}

/* Node that makes a value; NULL: none. */
static const pp_onnx_node *maker_of(const pp_onnx *m, uint32_t value)
{
    for (uint32_t i = 0; i < m->n_nodes; i++)
        for (uint32_t k = 0; k < m->node[i].n_out; k++)
            if (m->node[i].out[k] == value)
                return &m->node[i];
    return NULL;
}

/* What heads of attention are cut out of. */
static uint32_t behind_views(const pp_onnx *m, uint32_t value)
{
    static const char *const views[] = {"Transpose", "Reshape", "Slice", "Squeeze", "Unsqueeze",
                                        "Split",     "Gather",  "Mul",   "Div"};
    for (uint32_t step = 0; step < 16; step++) {
        const pp_onnx_node *n = maker_of(m, value);
        bool view = false;
        if (!n || n->n_in == 0 || n->in[0] == PP_NONE)
            break;
        for (size_t i = 0; i < sizeof views / sizeof *views; i++)
            view |= strcmp(n->op, views[i]) == 0;
        if (!view)
            break;
        value = n->in[0];
    }
    return value;
}

pp_status pp_net_refuse(pp_onnx_net *v, const char *why)
{
    for (uint32_t k = 0; k < v->node->n_in; k++)
        if (pp_net_any(v, k) && pp_net_any(v, k)->op != 0)
            return pp_net_fail(v, PP_EUNSUPPORTED, "%s (MODEL:output=%s takes the part before it)", why,
                               v->m->value[behind_views(v->m, v->node->in[k])].name);
    return pp_net_fail(v, PP_EUNSUPPORTED, "%s", why);
}

static pp_status convert(pp_onnx_net *v)
{
    const char *op = v->node->op;
    if (*v->node->domain)
        return pp_net_fail(v, PP_EUNSUPPORTED,
                           "operators of '%s' are not known; export the model without %s", v->node->domain,
                           v->m->has_functions ? "functions of its own (onnx.inliner expands them)" : "an optimiser's fused operators");
    if (all_constant(v))
        return fold(v);
    if ((strcmp(op, "Shape") == 0 || strcmp(op, "Size") == 0) && slot(v, 0) && v->node->n_in == 1)
        return fold_shape(v);
    pp_net_op f = find_op(op);
    return f ? f(v) : pp_net_refuse(v, reason(v));
}

/* Whether the network needs a result of the node: not the one that it begins with. */
static bool is_wanted(const pp_onnx_net *v, const pp_onnx_node *n, const bool *needed)
{
    for (uint32_t k = 0; k < n->n_out; k++)
        if (n->out[k] != PP_NONE && n->out[k] != v->from && needed[n->out[k]])
            return true;
    return false;
}

/* needed[v]: the output depends on value v. */
static bool *find_needed(const pp_onnx_net *v, uint32_t output)
{
    const pp_onnx *m = v->m;
    bool *needed = pp_calloc((size_t)m->n_values + 1, sizeof *needed);
    if (!needed)
        return NULL;
    needed[output] = true;
    for (uint32_t i = m->n_nodes; i-- > 0;) {
        const pp_onnx_node *n = &m->node[i];
        const bool any = is_wanted(v, n, needed);
        for (uint32_t k = 0; any && k < n->n_in; k++)
            if (n->in[k] != PP_NONE)
                needed[n->in[k]] = true;
    }
    return needed;
}

/* Readers that nothing needs do not count: what is fused depends on who reads. */
static void count_uses(const pp_onnx_net *v, const bool *needed, uint32_t output)
{
    pp_onnx *m = v->m;
    for (uint32_t i = 0; i < m->n_values; i++)
        m->value[i].uses = i == output;
    for (uint32_t i = 0; i < m->n_nodes; i++) {
        const pp_onnx_node *n = &m->node[i];
        const bool any = is_wanted(v, n, needed);
        for (uint32_t k = 0; any && k < n->n_in; k++)
            if (n->in[k] != PP_NONE)
                m->value[n->in[k]].uses++;
    }
}

/* The builder does not know the file and the kind of node. */
static pp_status placed(const pp_onnx_net *v, pp_status status)
{
    if (status == PP_ENOMEM || strncmp(pp_error_text(), v->m->path, strlen(v->m->path)) == 0)
        return status;
    char *place = pp_strf("%s: node '%s' (%s)", v->m->path, v->node->name, v->node->op);
    if (place)
        pp_fail_in(status, place);
    free(place);
    return status;
}

/* Nodes that write constants down, or pass them on. */
static bool writes_constant(const pp_onnx_net *v)
{
    static const char *const list[] = {"Constant", "Cast", "Identity", "Unsqueeze"};
    const char *op = v->node->op;
    bool any = false;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        any |= strcmp(op, list[i]) == 0;
    return any && !*v->node->domain && all_constant(v) && (v->node->n_in > 0 || op[0] == 'C');
}

/* Constants written as nodes, all before the rest: patterns look ahead. */
static pp_status fold_constants(pp_onnx_net *v, const bool *needed)
{
    for (uint32_t i = 0; i < v->m->n_nodes; i++) {
        v->node = &v->m->node[i];
        v->skip[i] = writes_constant(v);
        if (v->skip[i] && v->node->out[0] != PP_NONE && needed[v->node->out[0]])
            PP_TRY(fold(v));
    }
    return PP_OK;
}

static pp_status convert_all(pp_onnx_net *v, const bool *needed)
{
    PP_TRY(fold_constants(v, needed));
    for (uint32_t i = 0; i < v->m->n_nodes; i++) {
        v->node = &v->m->node[i];
        v->made = 0;
        if (v->skip[i] || !is_wanted(v, v->node, needed))
            continue;
        pp_status status = convert(v);
        if (status != PP_OK)
            return placed(v, status);
    }
    return PP_OK;
}

/* ---- file, scaling of the input, names ---- */

static void close_model(void *m)
{
    pp_onnx_close(m);
}

/* What a path of n characters ends with: ".onnx" or ".tflite"; "": neither. */
static const char *ending(const char *path, size_t n)
{
    static const char *const known[] = {".onnx", ".tflite"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t end = strlen(known[i]);
        if (n > end && strncmp(path + n - end, known[i], end) == 0)
            return known[i];
    }
    return "";
}

/* Length of a path without its ending. */
static size_t stem(const char *path)
{
    size_t n = strlen(path);
    return n - strlen(ending(path, n));
}

/* mean and std of the input, of the card beside the model. */
static pp_status read_scaling(pp_onnx_net *v, uint32_t channels)
{
    float mean[4] = {0}, std[4] = {1, 1, 1, 1};
    char *path = pp_strf("%.*s.json", (int)stem(v->m->path), v->m->path);
    pp_doc *doc = NULL;
    pp_status status = PP_ENOMEM;
    if (!path)
        return PP_ENOMEM;
    if (!pp_file_exists(path)) {
        free(path);
        return PP_OK;
    }
    PP_GOTO(done, status, pp_doc_read_json(&doc, path));
    const pp_node *root = pp_doc_root(doc), *input = root->kind == PP_DOC_MAP ? pp_node_get(root, "input") : NULL;
    if (input && input->kind == PP_DOC_MAP) {
        PP_GOTO(done, status, pp_card_scale_(input, "mean", channels, -HUGE_VAL, mean));
        PP_GOTO(done, status, pp_card_scale_(input, "std", channels, 0, std));
        pp_builder_normalise(v->b, mean, std);
    }
done:
    pp_doc_free(doc);
    free(path);
    return status;
}

static pp_status name_source(pp_onnx_net *v)
{
    pp_sha256 h;
    char hex[65], *base = pp_path_base(v->m->path);
    const pp_file *file;
    if (!base)
        return PP_ENOMEM;
    pp_sha256_begin(&h);
    pp_sha256_add(&h, v->m->file->data, v->m->file->size);
    for (size_t i = 0; (file = pp_onnx_file_(v->m, i)) != NULL; i++)
        pp_sha256_add(&h, file->data, file->size);
    pp_sha256_end(&h, hex);
    pp_status status = pp_builder_source_(v->b, base, hex);
    free(base);
    return status;
}

static pp_status start(pp_onnx_net *v, const pp_onnx_options *o, const pp_onnx_info *in)
{
    pp_shape shape = {0};
    pp_onnx_stream *s = pp_arena_get(v->arena, 1, sizeof *s);
    if (!s)
        return PP_ENOMEM;
    PP_TRY(pp_net_input(v->m, in, o, &shape, s));
    char *base = pp_path_base(v->m->path);
    if (!base)
        return PP_ENOMEM;
    base[stem(base)] = '\0';
    pp_status status = pp_builder_new(&v->b, base, shape);
    free(base);
    if (status != PP_OK)
        return pp_fail_in(status, v->m->path);
    pp_builder_take_file_(v->b, v->m, close_model);
    v->value[in->value].stream = s;
    v->batched = in->dim[0] != 1;
    v->images = in->dim[0] > 1 ? (uint64_t)in->dim[0] : 0;
    return shape.c <= 4 ? read_scaling(v, shape.c) : PP_OK;
}

/* Axes of the elements, the slowest first, when each is one whole axis and all stand in one dimension of the result. */
static bool one_vector(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t axis[PP_ONNX_AXES])
{
    const pp_shape shape = pp_net_shape(v, s);
    const uint32_t size[PP_ONNX_AXES] = {shape.h, shape.w, shape.c};
    for (uint32_t i = 0; i < s->n_factors; i++) {
        if (s->n_factors > PP_ONNX_AXES || s->f[i].dim != s->f[0].dim || s->f[i].stride != 1 ||
            s->f[i].size != size[s->f[i].axis])
            return false;
        axis[i] = s->f[i].axis;
    }
    return s->n_factors > 1;
}

/* A map that was turned before it was flattened is turned, so that results (classes, say) come in the file's order. Maps
 * give their elements as [H][W][C]. */
static pp_status settle_results(pp_onnx_net *v, pp_onnx_stream *s)
{
    uint32_t axis[PP_ONNX_AXES];
    uint64_t dim[PP_ONNX_AXES + 1] = {1, 1, 1, 1};
    bool sorted = true, done;
    PP_TRY(pp_net_settle(v, s));
    if (!one_vector(v, s, axis))
        return PP_OK;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        dim[i + 1] = s->f[i].size;
        sorted &= i == 0 || axis[i] > axis[i - 1];
    }
    if (sorted)
        return PP_OK;
    pp_onnx_stream map = *s;
    if (s->n_factors == PP_ONNX_AXES && axis[1] == PP_ONNX_C)
        return pp_fail_at(PP_EUNSUPPORTED, v->m->path, 0,
                          "its output '%s' has the channels between rows and columns; MODEL:output=NAME takes what is before that",
                          v->m->value[v->output].name);
    if (!pp_net_reshape(&map, s->n_factors + 1, dim))
        return PP_OK;
    PP_TRY(pp_net_arrange(v, &map, PP_NONE, &done));
    if (pp_net_reshape(&map, s->ndim, s->dim))
        *s = map;
    return pp_net_settle(v, s);
}

static pp_status finish(pp_onnx_net *v, uint32_t output, pp_network **out)
{
    if (!v->value[output].stream)
        return pp_fail_at(PP_EINVAL, v->m->path, 0, "its output '%s' does not depend on its input",
                          v->m->value[output].name);
    pp_onnx_stream s = *v->value[output].stream;
    v->node = &v->m->node[v->m->n_nodes - 1];
    if (s.gelu || s.coded || is_padded(&s))
        return pp_fail_at(PP_EUNSUPPORTED, v->m->path, 0,
                          "its output '%s' is a part of Gelu, a Pad or a QuantizeLinear that "
                          "nothing follows",
                          v->m->value[output].name);
    PP_TRY(settle_results(v, &s));
    PP_TRY(pp_builder_prune_(v->b, s.op));
    PP_TRY(pp_builder_split_(v->b));
    PP_TRY(name_source(v));
    if (s.probabilities)
        PP_TRY(pp_builder_annotate_(v->b, "the Softmax at its end is left out: results are logits"));
    pp_builder *b = v->b;
    const char *path = pp_arena_strdup(v->arena, v->m->path);
    v->b = NULL;
    v->m = NULL;
    pp_status status = pp_builder_finish(out, b);
    return status == PP_OK ? status : pp_fail_in(status, path ? path : "");
}

static pp_status choose_output(const pp_onnx *m, const pp_onnx_options *o, uint32_t *output)
{
    if (m->n_outputs == 0 || m->n_nodes == 0)
        return pp_fail_at(PP_EINVAL, m->path, 0, "the graph has no output or no nodes");
    *output = m->output[0].value;
    if (!o->output && m->n_outputs == 1)
        return PP_OK;
    for (uint32_t i = 0; o->output && i < m->n_nodes; i++)
        for (uint32_t k = 0; k < m->node[i].n_out; k++) {
            uint32_t value = m->node[i].out[k];
            if (value != PP_NONE && strcmp(m->value[value].name, o->output) == 0) {
                *output = value;
                return PP_OK;
            }
        }
    if (o->output)
        return pp_fail_at(PP_EINVAL, m->path, 0, "no node of the graph makes a value '%s'; its first output is '%s'",
                          o->output, m->value[m->output[0].value].name);
    return pp_fail_at(PP_EINVAL, m->path, 0, "the graph has %u outputs ('%s', '%s' ...); choose one: MODEL:output=NAME",
                      m->n_outputs, m->value[m->output[0].value].name,
                      m->value[m->output[m->n_outputs > 1 ? 1 : 0].value].name);
}

static pp_status build(pp_onnx_net *v, const pp_onnx_options *o, pp_network **out)
{
    pp_onnx *m = v->m;
    pp_onnx_info input = {0};
    uint32_t output = 0;
    bool *needed = NULL;
    pp_status status = PP_ENOMEM;
    v->value = pp_arena_get(v->arena, m->n_values, sizeof *v->value);
    v->skip = pp_arena_get(v->arena, m->n_nodes, sizeof *v->skip);
    if (!v->value || !v->skip)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < m->n_values; i++)
        v->value[i].constant = m->value[i].init;
    PP_TRY(choose_output(m, o, &output));
    v->output = output;
    PP_TRY(pp_net_from(m, o, &v->from));
    if (!(needed = find_needed(v, output)))
        return PP_ENOMEM;
    count_uses(v, needed, output);
    PP_GOTO(done, status, pp_net_choose_input(v, o, needed, &input));
    PP_GOTO(done, status, start(v, o, &input));
    PP_GOTO(done, status, convert_all(v, needed));
    status = finish(v, output, out);
done:
    free(needed);
    return status;
}

/* ---- MODEL ---- */

static bool begins_option(const char *text)
{
    static const char *const known[] = {"input=", "output=", "from=", "ones="};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(text, known[i], strlen(known[i])) == 0)
            return true;
    return false;
}

/* Where the options begin: the first colon behind the ending of a file that either an option follows (whose names may
 * hold slashes) or no folder; NULL: there are none. */
static const char *find_options(const char *model)
{
    for (const char *at = model; (at = strchr(at, ':')) != NULL; at++) {
        bool file = *ending(model, (size_t)(at - model)) != '\0';
        if (file && (!strchr(at, '/') || begins_option(at + 1)))
            return at;
    }
    return NULL;
}

bool pp_model_is_onnx(const char *model)
{
    return *ending(model, strlen(model)) != '\0' || find_options(model) != NULL;
}

static bool read_size(const char **at, char end, uint32_t *out)
{
    char *stop = NULL;
    unsigned long v = **at >= '0' && **at <= '9' ? strtoul(*at, &stop, 10) : 0;
    if (v < 1 || v > PP_DIM_MAX || (end ? *stop != end : *stop && *stop != ','))
        return false;
    *at = stop + (end != 0);
    *out = (uint32_t)v;
    return true;
}

/* "output=NAME" and such, once; leaves *at where it is when it is another one. */
static pp_status read_name(const char **at, const char *key, char **name, bool *good)
{
    const size_t n = strlen(key);
    if (*good || *name || strncmp(*at, key, n) != 0)
        return PP_OK;
    const size_t length = strcspn(*at + n, ",");
    *good = length > 0;
    *name = pp_strf("%.*s", (int)length, *at + n);
    *at += n + length;
    return *name ? PP_OK : PP_ENOMEM;
}

static pp_status read_options(pp_onnx_options *o, const char *model)
{
    const char *at = find_options(model);
    o->path = at ? pp_strf("%.*s", (int)(at - model), model) : pp_strdup(model);
    if (!o->path)
        return PP_ENOMEM;
    while (at && *at) {
        bool good = false;
        at++; /* colon or comma */
        if (!o->input.h && strncmp(at, "input=", 6) == 0) {
            at += 6;
            good =
                read_size(&at, 'x', &o->input.h) && read_size(&at, 'x', &o->input.w) && read_size(&at, 0, &o->input.c);
        } else {
            PP_TRY(read_name(&at, "output=", &o->output, &good));
            PP_TRY(read_name(&at, "from=", &o->from, &good));
            PP_TRY(read_name(&at, "ones=", &o->ones, &good));
        }
        if (!good || (*at && *at != ','))
            return pp_fail(PP_EINVAL,
                           "model '%s': expected input=HxWxC, output=NAME, from=NAME and ones=NAME behind the colon, each at most once",
                           model);
    }
    return PP_OK;
}

pp_status pp_network_from_onnx(pp_network **out, const char *model)
{
    pp_onnx_options o = {0};
    pp_onnx_net v = {0};
    pp_onnx *m = NULL;
    pp_status status;
    *out = NULL;
    PP_GOTO(done, status, read_options(&o, model));
    PP_GOTO(done, status, pp_arena_new(&v.arena));
    PP_GOTO(done, status, strcmp(ending(o.path, strlen(o.path)), ".tflite") == 0 ? pp_tflite_open(&m, o.path) : pp_onnx_open(&m, o.path));
    v.m = m;
    v.from = PP_NONE;
    v.room = 16 * (uint64_t)m->file->size + (UINT64_C(1) << 20);
    v.work = 64 * (uint64_t)m->file->size + (UINT64_C(1) << 27);
    status = build(&v, &o, out);
    if (v.b || !v.m)
        m = NULL; /* the builder, or the network, closes it */
done:
    pp_builder_free(v.b);
    pp_onnx_close(m);
    pp_arena_free(v.arena);
    free(o.path);
    free(o.output);
    free(o.from);
    free(o.ones);
    return status;
}
