/* Model cards: JSON beside the weights that says how they make a network.
 *
 *   name     network's name
 *   file     safetensors file in the folder of the card; absent: shapes only
 *   input    shape [1, C, H, W]; mean, std: one number a channel (default 0, 1)
 *   layers   in order of execution, see card_layers.c
 *
 * Other fields (training, accuracy, licence ...) are for people. */
#include "workloads/card_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void close_weights(void *file)
{
    pp_safetensors_close(file);
}

static pp_status read_shape(const pp_node *input, pp_shape *shape)
{
    const pp_node *node = NULL;
    int64_t dim[4] = {0};
    PP_TRY(pp_node_need(input, "shape", &node));
    if (node->kind != PP_DOC_LIST || node->n != 4)
        return pp_fail_at(PP_EFORMAT, node->file, node->line, "input.shape must be a list [1, C, H, W]");
    for (size_t i = 0; i < 4; i++)
        PP_TRY(pp_node_i64(node->child[i], "input.shape", 1, i == 0 ? 1 : PP_DIM_MAX, &dim[i]));
    *shape = (pp_shape){.h = (uint32_t)dim[2], .w = (uint32_t)dim[3], .c = (uint32_t)dim[1]};
    return PP_OK;
}

pp_status pp_card_scale_(const pp_node *input, const char *key, uint32_t channels, double above, float out[4])
{
    const pp_node *node = pp_node_get(input, key);
    if (!node)
        return PP_OK;
    if (node->kind != PP_DOC_LIST || node->n != channels || channels > 4)
        return pp_fail_at(PP_EFORMAT, node->file, node->line,
                          "input.%s must be a list of one number for each of at most 4 channels", key);
    for (size_t i = 0; i < channels; i++) {
        double v = 0;
        PP_TRY(pp_node_f64(node->child[i], key, &v));
        out[i] = (float)v;
        if (!(v > above) || !isfinite(out[i]))
            return pp_fail_at(PP_ERANGE, node->file, node->child[i]->line, "input.%s: %g is out of range", key, v);
    }
    return PP_OK;
}

static pp_status start_network(pp_card *card, const pp_node *root)
{
    const pp_node *input = NULL, *name_node = NULL;
    const char *name = NULL;
    pp_shape shape;
    float mean[4] = {0}, std[4] = {1, 1, 1, 1};
    PP_TRY(pp_node_need(root, "name", &name_node));
    PP_TRY(pp_node_text(name_node, "name", &name));
    PP_TRY(pp_node_need(root, "input", &input));
    PP_TRY(read_shape(input, &shape));
    PP_TRY(pp_card_scale_(input, "mean", shape.c, -HUGE_VAL, mean));
    PP_TRY(pp_card_scale_(input, "std", shape.c, 0, std));
    PP_TRY(pp_builder_new(&card->b, name, shape));
    pp_builder_normalise(card->b, mean, std);
    return PP_OK;
}

/* Opens the weights and hands them to the builder. */
static pp_status open_weights(pp_card *card, const pp_node *root, const char *weights_path)
{
    const pp_node *node = pp_node_get(root, "file");
    const char *file = NULL;
    char *path = NULL, *dir = NULL, *base = NULL, sha256[65];
    pp_safetensors *st = NULL;
    pp_status status = PP_ENOMEM;
    if (!weights_path && !node)
        return PP_OK;
    if (weights_path) {
        path = pp_strdup(weights_path);
    } else {
        PP_GOTO(done, status, pp_node_text(node, "file", &file));
        status = PP_ENOMEM;
        dir = pp_path_dir(card->path);
        path = dir ? pp_path_join(dir, file) : NULL;
    }
    base = path ? pp_path_base(path) : NULL;
    if (!base)
        goto done;
    PP_GOTO(done, status, pp_safetensors_open(&st, path));
    pp_builder_take_file_(card->b, st, close_weights);
    card->weights = st;
    pp_safetensors_sha256(st, sha256);
    status = pp_builder_source_(card->b, base, sha256);
done:
    free(base);
    free(path);
    free(dir);
    return status;
}

static pp_status read_layers(pp_card *card, const pp_node *root)
{
    PP_TRY(pp_node_need(root, "layers", &card->layers));
    if (card->layers->kind != PP_DOC_LIST || card->layers->n == 0)
        return pp_fail_at(PP_EFORMAT, card->layers->file, card->layers->line, "layers must be a list of layers");
    card->n_layers = card->layers->n;
    card->layer_name = pp_calloc(card->n_layers, sizeof *card->layer_name);
    card->layer_op = pp_calloc(card->n_layers, sizeof *card->layer_op);
    if (!card->layer_name || !card->layer_op)
        return PP_ENOMEM;
    for (size_t i = 0; i < card->n_layers; i++) {
        const pp_node *name = NULL;
        PP_TRY(pp_node_need(card->layers->child[i], "name", &name));
        PP_TRY(pp_node_text(name, "name", &card->layer_name[i]));
    }
    while (card->n_built < card->n_layers)
        PP_TRY(pp_card_layer_(card));
    return PP_OK;
}

static pp_status read_card(pp_network **out, pp_card *card, const pp_node *root, const char *weights_path)
{
    if (root->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, card->path, root->line, "a model card must be a map");
    PP_TRY(start_network(card, root));
    PP_TRY(open_weights(card, root, weights_path));
    PP_TRY(read_layers(card, root));
    pp_builder *b = card->b;
    card->b = NULL;
    pp_status status = pp_builder_finish(out, b);
    return status == PP_OK ? status : pp_fail_in(status, card->path);
}

pp_status pp_network_from_card_weights(pp_network **out, const char *card_path, const char *weights_path)
{
    *out = NULL;
    pp_doc *doc = NULL;
    pp_card card = {.path = card_path};
    pp_status status;
    PP_GOTO(done, status, pp_doc_read_json(&doc, card_path));
    status = read_card(out, &card, pp_doc_root(doc), weights_path);
done:
    free(card.layer_name);
    free(card.layer_op);
    pp_builder_free(card.b);
    pp_doc_free(doc);
    return status;
}

pp_status pp_network_from_card(pp_network **out, const char *card_path)
{
    return pp_network_from_card_weights(out, card_path, NULL);
}
