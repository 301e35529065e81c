/* Layers of a model card. Each is a map:
 *
 *   name, type     unique name; conv2d, linear, global_average_pool, max_pool2d, avg_pool2d, add,
 *                  concat, flatten, relu, activation, batch_norm, multiply, channel_shuffle, slice,
 *                  upsample, pixel_shuffle
 *   input          name of an earlier layer, or "input"; add, concat, multiply: inputs, a list of them
 *   weight, bias   conv2d, linear: names of tensors (bias optional; without a weights file any text);
 *                  batch_norm: scale and shift [C] that stay a layer of their own, both needed
 *   shape          conv2d [Cout, Cin/groups, kh, kw], linear [out, in]: shape of the weight
 *   kernel         max_pool2d, avg_pool2d: number or [y, x]
 *   stride         number or [y, x]; default 1, pooling: the kernel
 *   padding        number, [y, x] or [top, left, bottom, right]; default 0
 *   dilation       conv2d: number or [y, x]; default 1
 *   groups         conv2d: default 1; channel_shuffle: [groups][n] channels become [n][groups]
 *   offset, size   slice: [c, y, x] of its first element, and of how many
 *   factor         upsample: number or [y, x]; nearest. pixel_shuffle: y x channels become y x pixels
 *   count_padding  avg_pool2d: whether the divisor counts padding; default true
 *   add            conv2d, linear: name of an earlier layer that is added to the result
 *   activation     none (default), relu, relu6, leaky_relu (slope 0.1), sigmoid, hard_sigmoid,
 *                  hard_swish, silu or tanh, on the result; type activation: needed, all there is
 *   activation_after  "add": states that the activation follows the addition, which it always does */
#include "workloads/card_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef pp_status (*layer_fn)(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);

static pp_status add_conv(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_linear(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_global_pool(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_max_pool(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_avg_pool(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_add(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_concat(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_flatten(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_relu(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_act(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_batch_norm(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_multiply(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_shuffle(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_slice(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_upsample(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);
static pp_status add_pixel_shuffle(pp_card *card, const pp_node *layer, const char *name, uint32_t *op);

#define COMMON "|name|type|activation|activation_after"

static const struct {
    const char *type;
    layer_fn fn;
    const char *fields; /* allowed, each behind a bar */
} types[] = {
    {"conv2d", add_conv, COMMON "|input|weight|bias|shape|stride|padding|dilation|groups|add|"},
    {"linear", add_linear, COMMON "|input|weight|bias|shape|add|"},
    {"global_average_pool", add_global_pool, COMMON "|input|"},
    {"max_pool2d", add_max_pool, COMMON "|input|kernel|stride|padding|"},
    {"avg_pool2d", add_avg_pool, COMMON "|input|kernel|stride|padding|count_padding|"},
    {"add", add_add, COMMON "|inputs|"},
    {"concat", add_concat, COMMON "|inputs|"},
    {"flatten", add_flatten, COMMON "|input|"},
    {"relu", add_relu, COMMON "|input|"},
    {"activation", add_act, COMMON "|input|"},
    {"batch_norm", add_batch_norm, COMMON "|input|weight|bias|"},
    {"multiply", add_multiply, COMMON "|inputs|"},
    {"channel_shuffle", add_shuffle, COMMON "|input|groups|"},
    {"slice", add_slice, COMMON "|input|offset|size|"},
    {"upsample", add_upsample, COMMON "|input|factor|"},
    {"pixel_shuffle", add_pixel_shuffle, COMMON "|input|factor|"},
};
#define N_TYPES (sizeof types / sizeof *types)

/* ---- names of layers ---- */

static pp_status find_layer(const pp_card *card, const pp_node *node, const char *reader, uint32_t *op)
{
    const char *name = NULL;
    PP_TRY(pp_node_text(node, reader, &name));
    *op = 0;
    if (strcmp(name, "input") == 0)
        return PP_OK;
    for (size_t i = 0; i < card->n_layers; i++) {
        if (strcmp(card->layer_name[i], name) != 0)
            continue;
        *op = card->layer_op[i];
        if (i < card->n_built)
            return PP_OK;
        return pp_fail_at(PP_EINVAL, card->path, node->line,
                          "layer '%s' reads '%s', which does not stand before it: a cycle, or not in order of "
                          "execution",
                          reader, name);
    }
    return pp_fail_at(PP_ENOTFOUND, card->path, node->line, "layer '%s' reads '%s', which is no layer", reader, name);
}

static pp_status input_of(const pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    const pp_node *node = NULL;
    PP_TRY(pp_node_need(layer, "input", &node));
    return find_layer(card, node, name, op);
}

/* ---- numbers ---- */

/* A number for both axes, or [y, x]. */
static pp_status read_pair(const pp_node *layer, const char *key, uint32_t min, uint32_t *y, uint32_t *x)
{
    const pp_node *node = pp_node_get(layer, key);
    int64_t a = 0, b = 0;
    if (!node)
        return PP_OK;
    if (node->kind == PP_DOC_LIST && node->n == 2) {
        PP_TRY(pp_node_i64(node->child[0], key, min, PP_DIM_MAX, &a));
        PP_TRY(pp_node_i64(node->child[1], key, min, PP_DIM_MAX, &b));
    } else {
        PP_TRY(pp_node_i64(node, key, min, PP_DIM_MAX, &a));
        b = a;
    }
    *y = (uint32_t)a;
    *x = (uint32_t)b;
    return PP_OK;
}

static pp_status read_padding(const pp_node *layer, pp_window *w)
{
    const pp_node *node = pp_node_get(layer, "padding");
    if (node && node->kind == PP_DOC_LIST && node->n == 4) {
        uint32_t *side[4] = {&w->top, &w->left, &w->bottom, &w->right};
        for (size_t i = 0; i < 4; i++) {
            int64_t v = 0;
            PP_TRY(pp_node_i64(node->child[i], "padding", 0, PP_DIM_MAX, &v));
            *side[i] = (uint32_t)v;
        }
        return PP_OK;
    }
    PP_TRY(read_pair(layer, "padding", 0, &w->top, &w->left));
    w->bottom = w->top;
    w->right = w->left;
    return PP_OK;
}

static pp_status read_shape(const pp_node *layer, const char *name, size_t ndim, uint64_t dim[4])
{
    const pp_node *node = NULL;
    PP_TRY(pp_node_need(layer, "shape", &node));
    if (node->kind != PP_DOC_LIST || node->n != ndim)
        return pp_fail_at(PP_EFORMAT, node->file, node->line, "layer '%s': shape must be a list of %zu numbers", name,
                          ndim);
    for (size_t i = 0; i < ndim; i++) {
        int64_t v = 0;
        PP_TRY(pp_node_i64(node->child[i], "shape", 1, PP_DIM_MAX, &v));
        dim[i] = (uint64_t)v;
    }
    return PP_OK;
}

/* ---- tensors ---- */

static pp_status check_finite(const pp_card *card, const pp_node *node, const char *name, const pp_tensor *t)
{
    uint64_t at;
    float value;
    if (!pp_tensor_not_finite_(t, &at, &value))
        return PP_OK;
    return pp_fail_at(PP_ERANGE, card->path, node->line, "tensor '%s': element %llu is %s", name,
                      (unsigned long long)at, isnan(value) ? "NaN" : "infinite");
}

/* The layer's tensor `key` of the given shape; without a weights file only that shape. */
static pp_status read_tensor(const pp_card *card, const pp_node *layer, const char *key, size_t ndim,
                             const uint64_t *dim, pp_tensor *out)
{
    const pp_node *node = NULL;
    const char *name = NULL;
    *out = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = (uint32_t)ndim};
    memcpy(out->dim, dim, ndim * sizeof *dim);
    if (!card->weights)
        return PP_OK;
    PP_TRY(pp_node_need(layer, key, &node));
    PP_TRY(pp_node_text(node, key, &name));
    PP_TRY(pp_safetensors_get(card->weights, name, out));
    bool same = out->ndim == ndim;
    for (size_t i = 0; same && i < ndim; i++)
        same = out->dim[i] == dim[i];
    if (!same) {
        char have[96], want[96];
        pp_tensor wanted = {.ndim = (uint32_t)ndim};
        memcpy(wanted.dim, dim, ndim * sizeof *dim);
        pp_tensor_shape_text_(have, sizeof have, out);
        pp_tensor_shape_text_(want, sizeof want, &wanted);
        return pp_fail_at(PP_EINVAL, card->path, node->line, "tensor '%s' has shape %s; the layer needs %s", name, have,
                          want);
    }
    if (out->dtype != PP_DTYPE_F32 && out->dtype != PP_DTYPE_F16 && out->dtype != PP_DTYPE_BF16)
        return pp_fail_at(PP_EUNSUPPORTED, card->path, node->line, "tensor '%s' is %s; expected F32, F16 or BF16",
                          name, pp_dtype_name_(out->dtype));
    return check_finite(card, node, name, out);
}

/* ---- one function a type ---- */

/* `add` of a conv2d or linear layer, as an operator of its own behind *op. */
static pp_status add_residual(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    const pp_node *node = pp_node_get(layer, "add");
    uint32_t other = 0;
    if (!node)
        return PP_OK;
    PP_TRY(find_layer(card, node, name, &other));
    char *full = pp_strf("%s.add", name);
    if (!full)
        return PP_ENOMEM;
    pp_status status = pp_build_join(card->b, full, PP_OP_ADD, (uint32_t[]){*op, other}, 2, op);
    free(full);
    return status;
}

static pp_status add_conv(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    pp_window w = {.sh = 1, .sw = 1, .dh = 1, .dw = 1};
    pp_tensor weight, bias;
    uint64_t dim[4];
    int64_t groups = 1;
    uint32_t input = 0;
    const pp_node *group_node = pp_node_get(layer, "groups");
    bool has_bias = pp_node_get(layer, "bias") != NULL;
    PP_TRY(input_of(card, layer, name, &input));
    PP_TRY(read_shape(layer, name, 4, dim));
    PP_TRY(read_pair(layer, "stride", 1, &w.sh, &w.sw));
    PP_TRY(read_pair(layer, "dilation", 1, &w.dh, &w.dw));
    PP_TRY(read_padding(layer, &w));
    if (group_node)
        PP_TRY(pp_node_i64(group_node, "groups", 1, PP_DIM_MAX, &groups));
    PP_TRY(read_tensor(card, layer, "weight", 4, dim, &weight));
    if (has_bias)
        PP_TRY(read_tensor(card, layer, "bias", 1, dim, &bias));
    w.kh = (uint32_t)dim[2];
    w.kw = (uint32_t)dim[3];
    if (pp_builder_shape(card->b, input).c != dim[1] * (uint64_t)groups)
        return pp_fail_at(PP_EINVAL, card->path, layer->line,
                          "layer '%s': its shape takes %llu channels in each of %lld groups, its input has %u", name,
                          (unsigned long long)dim[1], (long long)groups, pp_builder_shape(card->b, input).c);
    PP_TRY(pp_build_conv(card->b, name, input, (uint32_t)dim[0], &w, (uint32_t)groups, has_bias, false, &weight,
                         has_bias ? &bias : NULL, op));
    return add_residual(card, layer, name, op);
}

static pp_status add_linear(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    pp_tensor weight, bias;
    uint64_t dim[4];
    uint32_t input = 0;
    bool has_bias = pp_node_get(layer, "bias") != NULL;
    PP_TRY(input_of(card, layer, name, &input));
    PP_TRY(read_shape(layer, name, 2, dim));
    PP_TRY(read_tensor(card, layer, "weight", 2, dim, &weight));
    if (has_bias)
        PP_TRY(read_tensor(card, layer, "bias", 1, dim, &bias));
    PP_TRY(pp_build_linear(card->b, name, input, (uint32_t)dim[0], has_bias, &weight, has_bias ? &bias : NULL, op));
    return add_residual(card, layer, name, op);
}

static pp_status add_global_pool(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    uint32_t input = 0;
    PP_TRY(input_of(card, layer, name, &input));
    return pp_build_pool(card->b, name, PP_OP_GLOBAL_POOL, input, NULL, op);
}

static pp_status add_pool(pp_card *card, const pp_node *layer, const char *name, pp_op_kind kind, uint32_t *op)
{
    pp_window w = {.dh = 1, .dw = 1, .count_padding = kind == PP_OP_AVG_POOL};
    const pp_node *node = NULL, *count = pp_node_get(layer, "count_padding");
    uint32_t input = 0;
    PP_TRY(input_of(card, layer, name, &input));
    PP_TRY(pp_node_need(layer, "kernel", &node));
    PP_TRY(read_pair(layer, "kernel", 1, &w.kh, &w.kw));
    w.sh = w.kh;
    w.sw = w.kw;
    PP_TRY(read_pair(layer, "stride", 1, &w.sh, &w.sw));
    PP_TRY(read_padding(layer, &w));
    if (count)
        PP_TRY(pp_node_bool(count, "count_padding", &w.count_padding));
    return pp_build_pool(card->b, name, kind, input, &w, op);
}

static pp_status add_max_pool(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    return add_pool(card, layer, name, PP_OP_MAX_POOL, op);
}

static pp_status add_avg_pool(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    return add_pool(card, layer, name, PP_OP_AVG_POOL, op);
}

static pp_status add_join(pp_card *card, const pp_node *layer, const char *name, pp_op_kind kind, uint32_t *op)
{
    const pp_node *list = NULL;
    PP_TRY(pp_node_need(layer, "inputs", &list));
    if (list->kind != PP_DOC_LIST || list->n < 2)
        return pp_fail_at(PP_EFORMAT, card->path, list->line, "layer '%s': inputs must be a list of at least 2 names",
                          name);
    uint32_t *inputs = pp_calloc(list->n, sizeof *inputs);
    if (!inputs)
        return PP_ENOMEM;
    pp_status status = PP_OK;
    for (size_t i = 0; i < list->n && status == PP_OK; i++)
        status = find_layer(card, list->child[i], name, &inputs[i]);
    if (status == PP_OK)
        status = pp_build_join(card->b, name, kind, inputs, (uint32_t)list->n, op);
    free(inputs);
    return status;
}

static pp_status add_add(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    return add_join(card, layer, name, PP_OP_ADD, op);
}

static pp_status add_concat(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    return add_join(card, layer, name, PP_OP_CONCAT, op);
}

static pp_status add_flatten(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    uint32_t input = 0;
    PP_TRY(input_of(card, layer, name, &input));
    return pp_build_flatten(card->b, name, input, op);
}

static pp_status add_relu(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    uint32_t input = 0;
    PP_TRY(input_of(card, layer, name, &input));
    return pp_build_act(card->b, name, input, PP_ACT_RELU, op);
}

static pp_status find_act(const pp_card *card, const pp_node *node, const char *name, const char *text, pp_act *out)
{
    char known[160] = "";
    for (int act = PP_ACT_NONE; act < PP_ACT_COUNT; act++) {
        strcat(strcat(known, act ? ", " : ""), pp_act_name((pp_act)act)); /* all names are shorter than `known` */
        if (strcmp(text, pp_act_name((pp_act)act)) == 0) {
            *out = (pp_act)act;
            return PP_OK;
        }
    }
    return pp_fail_at(PP_EUNSUPPORTED, card->path, node->line, "layer '%s': activation '%s'; known: %s", name, text,
                      known);
}

/* The activation that other layers may have behind them is all there is. */
static pp_status add_act(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    const pp_node *node = NULL;
    const char *text = NULL;
    uint32_t input = 0;
    pp_act act = PP_ACT_NONE;
    PP_TRY(input_of(card, layer, name, &input));
    PP_TRY(pp_node_need(layer, "activation", &node));
    PP_TRY(pp_node_text(node, "activation", &text));
    PP_TRY(find_act(card, node, name, text, &act));
    return pp_build_act(card->b, name, input, act, op);
}

static pp_status add_batch_norm(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    uint32_t input = 0;
    pp_tensor weight, bias;
    PP_TRY(input_of(card, layer, name, &input));
    const uint64_t channels = pp_builder_shape(card->b, input).c;
    PP_TRY(read_tensor(card, layer, "weight", 1, &channels, &weight));
    PP_TRY(read_tensor(card, layer, "bias", 1, &channels, &bias));
    return pp_build_scale(card->b, name, input, &weight, &bias, op);
}

static pp_status add_multiply(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    return add_join(card, layer, name, PP_OP_MUL, op);
}

static pp_status add_shuffle(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    const pp_node *node = NULL;
    uint32_t input = 0;
    int64_t groups = 1;
    PP_TRY(input_of(card, layer, name, &input));
    PP_TRY(pp_node_need(layer, "groups", &node));
    PP_TRY(pp_node_i64(node, "groups", 1, PP_DIM_MAX, &groups));
    return pp_build_shuffle(card->b, name, input, (uint32_t)groups, op);
}

/* [c, y, x]. */
static pp_status read_place(const pp_node *layer, const char *name, const char *key, int64_t min, pp_shape *out)
{
    const pp_node *node = NULL;
    uint32_t *slot[3] = {&out->c, &out->h, &out->w};
    PP_TRY(pp_node_need(layer, key, &node));
    if (node->kind != PP_DOC_LIST || node->n != 3)
        return pp_fail_at(PP_EFORMAT, node->file, node->line, "layer '%s': %s must be a list [c, y, x]", name, key);
    for (size_t i = 0; i < 3; i++) {
        int64_t v = 0;
        PP_TRY(pp_node_i64(node->child[i], key, min, PP_DIM_MAX, &v));
        *slot[i] = (uint32_t)v;
    }
    return PP_OK;
}

static pp_status add_slice(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    uint32_t input = 0;
    pp_shape offset = {0}, size = {0};
    PP_TRY(input_of(card, layer, name, &input));
    PP_TRY(read_place(layer, name, "offset", 0, &offset));
    PP_TRY(read_place(layer, name, "size", 1, &size));
    return pp_build_slice(card->b, name, input, offset, size, op);
}

static pp_status add_upsample(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    const pp_node *node = NULL;
    uint32_t input = 0, y = 1, x = 1;
    PP_TRY(input_of(card, layer, name, &input));
    PP_TRY(pp_node_need(layer, "factor", &node));
    PP_TRY(read_pair(layer, "factor", 1, &y, &x));
    return pp_build_upsample(card->b, name, input, y, x, op);
}

static pp_status add_pixel_shuffle(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    const pp_node *node = NULL;
    uint32_t input = 0, y = 1, x = 1;
    PP_TRY(input_of(card, layer, name, &input));
    PP_TRY(pp_node_need(layer, "factor", &node));
    PP_TRY(read_pair(layer, "factor", 1, &y, &x));
    return pp_build_pixel_shuffle(card->b, name, input, y, x, op);
}

/* ---- a whole layer ---- */

static pp_status add_activation(pp_card *card, const pp_node *layer, const char *name, uint32_t *op)
{
    const pp_node *node = pp_node_get(layer, "activation"), *after = pp_node_get(layer, "activation_after");
    const char *text = "none";
    if (after) {
        PP_TRY(pp_node_text(after, "activation_after", &text));
        if (strcmp(text, "add") != 0)
            return pp_fail_at(PP_EUNSUPPORTED, card->path, after->line,
                              "layer '%s': activation_after '%s'; expected add", name, text);
    }
    text = "none";
    if (node)
        PP_TRY(pp_node_text(node, "activation", &text));
    pp_act act = PP_ACT_NONE;
    if (node)
        PP_TRY(find_act(card, node, name, text, &act));
    if (act == PP_ACT_NONE)
        return PP_OK;
    char *full = pp_strf("%s.%s", name, text);
    if (!full)
        return PP_ENOMEM;
    pp_status status = pp_build_act(card->b, full, *op, act, op);
    free(full);
    return status;
}

static pp_status check_fields(const pp_card *card, const pp_node *layer, const char *name, size_t type)
{
    for (size_t i = 0; i < layer->n; i++) {
        char *key = pp_strf("|%s|", layer->key[i]);
        if (!key)
            return PP_ENOMEM;
        bool known = strstr(types[type].fields, key) != NULL;
        free(key);
        if (!known)
            return pp_fail_at(PP_EFORMAT, card->path, layer->child[i]->line,
                              "layer '%s': a %s has no field '%s'", name, types[type].type, layer->key[i]);
    }
    return PP_OK;
}

static pp_status find_type(const pp_card *card, const pp_node *layer, const char *name, size_t *out)
{
    const pp_node *node = NULL;
    const char *type = NULL;
    PP_TRY(pp_node_need(layer, "type", &node));
    PP_TRY(pp_node_text(node, "type", &type));
    for (size_t i = 0; i < N_TYPES; i++) {
        if (strcmp(type, types[i].type) == 0) {
            *out = i;
            return PP_OK;
        }
    }
    char known[256] = "";
    for (size_t i = 0; i < N_TYPES; i++)
        strcat(strcat(known, i ? ", " : ""), types[i].type); /* the table is shorter than `known` */
    return pp_fail_at(PP_EUNSUPPORTED, card->path, node->line, "layer '%s': type '%s' is not known; known: %s", name,
                      type, known);
}

pp_status pp_card_layer_(pp_card *card)
{
    size_t i = card->n_built, type = 0;
    const pp_node *layer = card->layers->child[i];
    const char *name = card->layer_name[i];
    uint32_t op = PP_NONE;
    if (strcmp(name, "input") == 0 || pp_builder_find_(card->b, name) != PP_NONE)
        return pp_fail_at(PP_EEXIST, card->path, layer->line, "layer '%s' is defined twice", name);
    PP_TRY(find_type(card, layer, name, &type));
    PP_TRY(check_fields(card, layer, name, type));
    pp_status status = types[type].fn(card, layer, name, &op);
    if (status == PP_OK && types[type].fn != add_act)
        status = add_activation(card, layer, name, &op);
    if (status != PP_OK) {
        /* Errors of the builder and of the weights file do not know the card. */
        return strstr(pp_error_text(), card->path) ? status : pp_fail_in(status, card->path);
    }
    card->layer_op[i] = op;
    card->n_built++;
    return PP_OK;
}
