/* Reads a quantized network back. Everything is checked: a file of another network, a damaged pair of
 * files, numbers out of range. */
#include "quant/file_internal.h"
#include "quant/rotate_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pp_status need_i64(const pp_node *map, const char *key, int64_t min, int64_t max, int64_t *out)
{
    const pp_node *node;
    PP_TRY(pp_node_need(map, key, &node));
    return pp_node_i64(node, key, min, max, out);
}

static pp_status need_u32(const pp_node *map, const char *key, uint32_t max, uint32_t *out)
{
    int64_t v = 0;
    PP_TRY(need_i64(map, key, 0, max, &v));
    *out = (uint32_t)v;
    return PP_OK;
}

static pp_status need_f64(const pp_node *map, const char *key, double *out)
{
    const pp_node *node;
    PP_TRY(pp_node_need(map, key, &node));
    return pp_node_f64(node, key, out);
}

static pp_status need_bool(const pp_node *map, const char *key, bool *out)
{
    const pp_node *node;
    PP_TRY(pp_node_need(map, key, &node));
    return pp_node_bool(node, key, out);
}

static pp_status need_text(const pp_node *map, const char *key, const char **out)
{
    const pp_node *node;
    PP_TRY(pp_node_need(map, key, &node));
    return pp_node_text(node, key, out);
}

/* Text that must equal what this network says. */
static pp_status need_same(const pp_node *map, const char *key, const char *want)
{
    const char *text = "";
    PP_TRY(need_text(map, key, &text));
    if (strcmp(text, want) != 0)
        return pp_fail_at(PP_EFORMAT, map->file, map->line, "%s is '%s', expected '%s'", key, text, want);
    return PP_OK;
}

static pp_status need_choice(const pp_node *map, const char *key, const char *(*name)(int), int n, int *out)
{
    const char *text = "";
    PP_TRY(need_text(map, key, &text));
    for (*out = 0; *out < n; ++*out)
        if (strcmp(text, name(*out)) == 0)
            return PP_OK;
    return pp_fail_at(PP_EFORMAT, map->file, map->line, "unknown value '%s' of %s", text, key);
}

pp_status pp_qoptions_read(const pp_node *root, pp_quant_options *o)
{
    const pp_node *map;
    PP_TRY(pp_node_need(root, "options", &map));
    PP_TRY(need_i64(map, "wbits", 2, 8, &o->wbits));
    PP_TRY(need_i64(map, "abits", 4, 8, &o->abits));
    PP_TRY(need_choice(map, "weights", pp_wquant_name, PP_WQUANT_OUTPUT + 1, &o->weights));
    PP_TRY(need_choice(map, "activations", pp_aquant_name, PP_AQUANT_MSE + 1, &o->activations));
    PP_TRY(need_f64(map, "percentile", &o->percentile));
    PP_TRY(need_i64(map, "calib_images", 1, UINT32_MAX, &o->calib_images));
    PP_TRY(need_text(map, "calib", &o->calib));
    PP_TRY(need_bool(map, "bias_correction", &o->bias_correction));
    PP_TRY(need_i64(map, "psum_bits", 8, 32, &o->psum_bits));
    o->rotate = o->rotate_at = 0;
    o->rotation_block = "full";
    o->rotate_layers = "";
    o->rotation_rows = 256;
    o->rotation_cols = 0;
    o->activation_scale = PP_QSCALE_STATIC;
    o->stream_bits = o->abits;
    if (pp_node_get(map, "activation_scale")) {
        PP_TRY(need_choice(map, "activation_scale", pp_qscale_name, PP_QSCALE_TOKEN + 1, &o->activation_scale));
        PP_TRY(need_i64(map, "stream_bits", o->abits, 8, &o->stream_bits));
    }
    if (!pp_node_get(map, "rotate")) /* written before there were rotations */
        return PP_OK;
    PP_TRY(need_choice(map, "rotate", pp_rotate_name, PP_ROTATE_INPUT + 1, &o->rotate));
    if (pp_node_get(map, "rotate_at")) /* not written when there was only the consumer */
        PP_TRY(need_choice(map, "rotate_at", pp_rotate_at_name, PP_ROTATE_PRODUCER + 1, &o->rotate_at));
    PP_TRY(need_text(map, "rotation_block", &o->rotation_block));
    PP_TRY(need_text(map, "rotate_layers", &o->rotate_layers));
    if (o->rotate_at == PP_ROTATE_PRODUCER || pp_node_get(map, "rotation_cols")) /* the producer's blocks follow it */
        PP_TRY(need_i64(map, "rotation_cols", 0, 65536, &o->rotation_cols));
    return need_i64(map, "rotation_rows", 0, 65536, &o->rotation_rows);
}

static pp_status need_list(const pp_node *root, const char *key, size_t n, const pp_node **out)
{
    PP_TRY(pp_node_need(root, key, out));
    if ((*out)->kind != PP_DOC_LIST || (*out)->n != n)
        return pp_fail_at(PP_EFORMAT, root->file, (*out)->line, "%s: expected a list of %zu", key, n);
    return PP_OK;
}

static pp_status read_streams(const pp_node *root, pp_qnetwork *q)
{
    const pp_node *list;
    PP_TRY(need_list(root, "streams", (size_t)q->stages->n + 1, &list));
    for (uint32_t i = 0; i <= q->stages->n; i++) {
        uint32_t bits = 0;
        bool is_signed = false;
        PP_TRY(need_u32(list->child[i], "bits", 8, &bits));
        PP_TRY(need_bool(list->child[i], "signed", &is_signed));
        if (bits < 4)
            return pp_fail_at(PP_EFORMAT, root->file, list->child[i]->line, "bits is %u, expected 4 to 8", bits);
        pp_format_set(&q->stream[i], bits, is_signed);
        PP_TRY(need_f64(list->child[i], "scale", &q->stream[i].scale));
    }
    return PP_OK;
}

static pp_status read_rotation(const pp_node *map, pp_qnetwork *q, uint32_t stage)
{
    pp_qrotate *r = q->stage[stage].rotate;
    const pp_node *node;
    double scale = 0;
    PP_TRY(pp_node_need(map, "rotation", &node));
    PP_TRY(need_f64(node, "scale", &scale));
    if (!(scale > 0 && isfinite(scale)))
        return pp_fail_at(PP_EFORMAT, map->file, node->line, "scale is %g, expected a positive number", scale);
    PP_TRY(need_f64(node, "plain_max_rms", &r->plain_max_rms));
    PP_TRY(need_f64(node, "plain_sqnr_db", &r->plain_sqnr_db));
    PP_TRY(need_f64(node, "kurtosis", &r->rotated_kurtosis));
    PP_TRY(need_f64(node, "max_rms", &r->rotated_max_rms));
    PP_TRY(need_f64(node, "sqnr_db", &r->rotated_sqnr_db));
    PP_TRY(pp_qrotate_scale(q, stage, scale));
    return pp_qrotate_load_weights(q, stage);
}

static pp_status read_stage(const pp_node *map, pp_qstage *s, const char *name, bool rescales)
{
    uint32_t wbits = 0, cout = 0, rows = 0;
    PP_TRY(need_same(map, "name", name));
    PP_TRY(need_u32(map, "wbits", 8, &wbits));
    PP_TRY(need_u32(map, "cout", UINT32_MAX, &cout));
    PP_TRY(need_u32(map, "rows", UINT32_MAX, &rows));
    if (wbits != s->wbits || cout != s->cout || rows != s->krows)
        return pp_fail_at(PP_EFORMAT, map->file, map->line,
                          "stage '%s' is %u x %u with %u bits, expected %u x %u with %u", name, cout, rows, wbits,
                          s->cout, s->krows, s->wbits);
    PP_TRY(need_u32(map, "psum_shift", 31, &s->psum_shift));
    PP_TRY(need_u32(map, "add_shift", PP_SHIFT_MAX, &s->add_shift));
    PP_TRY(need_u32(map, "in_shift", PP_SHIFT_MAX, &s->in_shift));
    PP_TRY(need_u32(map, "out_shift", PP_SHIFT_MAX, &s->out_shift));
    if (rescales && s->code)
        PP_TRY(need_u32(map, "factor", 255, &s->factor));
    if (s->scale_mult)
        PP_TRY(need_u32(map, "scale_shift", PP_SHIFT_MAX, &s->scale_shift));
    PP_TRY(need_f64(map, "weight_sqnr_db", &s->weight_sqnr_db));
    PP_TRY(need_f64(map, "out_sqnr_db", &s->out_sqnr_db));
    PP_TRY(need_f64(map, "kurtosis", &s->kurtosis));
    s->acc_rms = 0;
    if (pp_node_get(map, "acc_rms"))
        PP_TRY(need_f64(map, "acc_rms", &s->acc_rms));
    return need_f64(map, "acc_max", &s->acc_max);
}

static pp_status read_stages(const pp_node *root, pp_qnetwork *q)
{
    const pp_node *list;
    PP_TRY(need_list(root, "stages", q->stages->n, &list));
    for (uint32_t i = 0; i < q->stages->n; i++) {
        PP_TRY(read_stage(list->child[i], &q->stage[i], q->stages->stage[i].name, q->rescales));
        if (q->stage[i].rotate)
            PP_TRY(read_rotation(list->child[i], q, i));
    }
    return PP_OK;
}

static pp_status read_calibration(const pp_node *root, pp_qnetwork *q)
{
    const char *name = "", *hash = "";
    PP_TRY(need_text(root, "calibration", &name));
    PP_TRY(need_text(root, "calibration_sha256", &hash));
    PP_TRY(need_u32(root, "calibration_images", UINT32_MAX, &q->calib_images));
    snprintf(q->calib_name, sizeof q->calib_name, "%s", name);
    snprintf(q->calib_sha256, sizeof q->calib_sha256, "%s", hash);
    return PP_OK;
}

/* Copies a tensor of the file to the array of the entry. The view may be unaligned. */
static void decode(const pp_tensor *from, const pp_qentry *to, pp_qstage *s)
{
    void *array = (void *)(uintptr_t)to->tensor.data; /* an array of q, which is ours to write */
    uint64_t n = pp_tensor_count(from);
    if (from->dtype == PP_DTYPE_U8)
        pp_unpack_codes(from->data, s->cout, s->krows, s->code);
    else if (from->dtype == PP_DTYPE_F32)
        for (uint64_t i = 0; i < n; i++)
            s->w_scale[i] = (double)pp_tensor_f32(from, i);
    else
        memcpy(array, from->data, n * pp_dtype_size(from->dtype));
}

static pp_status read_tensors(pp_qnetwork *q, const pp_safetensors *file, const char *path)
{
    size_t total = 0;
    for (uint32_t i = 0; i < q->stages->n; i++) {
        pp_qentry list[PP_QENTRIES];
        size_t n = pp_qstage_entries(q, i, list);
        for (size_t k = 0; k < n; k++) {
            pp_tensor t;
            PP_TRY(pp_safetensors_get(file, list[k].name, &t));
            const pp_tensor *want = &list[k].tensor;
            if (t.dtype != want->dtype || t.ndim != want->ndim || memcmp(t.dim, want->dim, t.ndim * sizeof *t.dim) != 0)
                return pp_fail(PP_EFORMAT, "%s: tensor '%s' has another type or shape than its stage", path,
                               list[k].name);
            decode(&t, &list[k], &q->stage[i]);
        }
        total += n;
    }
    if (total != pp_safetensors_count(file))
        return pp_fail(PP_EFORMAT, "%s: %zu tensors, expected %zu", path, pp_safetensors_count(file), total);
    return PP_OK;
}

static pp_status read_model(pp_qnetwork *q, const pp_node *root, const char *path)
{
    char hash[65];
    pp_safetensors *file = NULL;
    PP_TRY(pp_qfile_hash(path, hash));
    PP_TRY(need_same(root, "model_sha256", hash));
    PP_TRY(pp_safetensors_open(&file, path));
    pp_status status = read_tensors(q, file, path);
    pp_safetensors_close(file);
    for (uint32_t i = 0; i < q->stages->n && status == PP_OK; i++)
        pp_qstage_units(q, i);
    return status;
}

static pp_status read_all(pp_qnetwork **out, const pp_network *net, const pp_stages *stages, const pp_node *root,
                          const char *model)
{
    pp_quant_options options;
    PP_TRY(need_same(root, "format", PP_QUANT_FORMAT));
    PP_TRY(need_same(root, "network", net->name));
    PP_TRY(need_same(root, "weights_sha256", net->weights_sha256));
    PP_TRY(pp_qoptions_read(root, &options));
    PP_TRY(pp_qnetwork_layout(out, net, stages, &options, true));
    PP_TRY(read_calibration(root, *out));
    PP_TRY(read_streams(root, *out));
    PP_TRY(read_stages(root, *out));
    PP_TRY(read_model(*out, root, model));
    pp_status status = pp_qnetwork_check(*out);
    return status == PP_OK ? PP_OK : pp_fail_in(PP_EFORMAT, model);
}

pp_status pp_qnetwork_read(pp_qnetwork **out, const pp_network *net, const pp_stages *stages, const char *dir)
{
    *out = NULL;
    pp_doc *doc = NULL;
    pp_qnetwork *q = NULL;
    pp_status status = PP_ENOMEM;
    char *json = pp_path_join(dir, PP_QUANT_JSON), *model = pp_path_join(dir, PP_QUANT_TENSORS);
    if (!json || !model)
        goto done;
    PP_GOTO(done, status, pp_doc_read_json(&doc, json));
    PP_GOTO(done, status, read_all(&q, net, stages, pp_doc_root(doc), model));
    *out = q;
    q = NULL;
done:
    pp_qnetwork_free(q);
    pp_doc_free(doc);
    free(json);
    free(model);
    return status;
}
