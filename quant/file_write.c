/* Writes a quantized network: model.safetensors and quant.json. */
#include "quant/file_internal.h"
#include "quant/rotate_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

pp_status pp_qfile_hash(const char *path, char hex[65])
{
    pp_file *file = NULL;
    PP_TRY(pp_file_map(&file, path));
    pp_sha256 h;
    pp_sha256_begin(&h);
    pp_sha256_add(&h, file->data, file->size);
    pp_sha256_end(&h, hex);
    pp_file_unmap(file);
    return PP_OK;
}

/* Content of an entry in the file's dtype, new memory; 64-bit numbers stay where they are (NULL). */
static pp_status encode(const pp_qentry *e, const pp_qstage *s, void **out)
{
    *out = NULL;
    const pp_tensor *t = &e->tensor;
    if (t->dtype == PP_DTYPE_U8) {
        uint8_t *bytes = pp_alloc(pp_tensor_count(t), 1);
        if (!bytes)
            return PP_ENOMEM;
        pp_pack_codes(s->code, s->cout, s->krows, bytes);
        *out = bytes;
    } else if (t->dtype == PP_DTYPE_F32) {
        float *scale = pp_alloc(t->dim[0], sizeof *scale);
        if (!scale)
            return PP_ENOMEM;
        for (uint64_t i = 0; i < t->dim[0]; i++)
            scale[i] = (float)s->w_scale[i];
        *out = scale;
    }
    return PP_OK;
}

static pp_status write_tensors(const pp_qnetwork *q, const char *path, bool force)
{
    size_t most = (size_t)q->stages->n * PP_QENTRIES, n = 0;
    pp_status status = PP_ENOMEM;
    pp_qentry *entry = pp_calloc(most, sizeof *entry);
    void **made = pp_calloc(most, sizeof *made);
    const char **names = pp_calloc(most, sizeof *names);
    pp_tensor *tensors = pp_calloc(most, sizeof *tensors);
    if (!entry || !made || !names || !tensors)
        goto done;
    for (uint32_t s = 0; s < q->stages->n; s++) {
        size_t end = n + pp_qstage_entries(q, s, entry + n);
        for (; n < end; n++) {
            PP_GOTO(done, status, encode(&entry[n], &q->stage[s], &made[n]));
            names[n] = entry[n].name;
            tensors[n] = entry[n].tensor;
            if (made[n])
                tensors[n].data = made[n];
        }
    }
    const char *const metadata[][2] = {{"format", PP_QUANT_FORMAT}, {"network", q->net->name}};
    status = pp_safetensors_write(path, names, tensors, n, metadata, 2, force);
done:
    for (size_t i = 0; made && i < most; i++)
        free(made[i]);
    free(made);
    free(entry);
    free(names);
    free(tensors);
    return status;
}

/* A file's path whole, so that the folder is found from anywhere; other names as they are. */
static void add_model(pp_json *root, const pp_qnetwork *q)
{
    char *whole = q->model && pp_file_exists(q->model) ? realpath(q->model, NULL) : NULL;
    pp_json_add_text(root, "model", whole ? whole : q->model ? q->model : q->net->name);
    free(whole);
}

static void add_options(pp_json *root, const pp_quant_options *o)
{
    pp_json *j = pp_json_add_object(root, "options");
    pp_json_add_i64(j, "wbits", o->wbits);
    pp_json_add_i64(j, "abits", o->abits);
    pp_json_add_text(j, "weights", pp_wquant_name(o->weights));
    pp_json_add_text(j, "activations", pp_aquant_name(o->activations));
    pp_json_add_f64(j, "percentile", o->percentile);
    pp_json_add_i64(j, "calib_images", o->calib_images);
    pp_json_add_text(j, "calib", o->calib);
    pp_json_add_bool(j, "bias_correction", o->bias_correction);
    pp_json_add_i64(j, "psum_bits", o->psum_bits);
    pp_json_add_text(j, "rotate", pp_rotate_name(o->rotate));
    pp_json_add_text(j, "rotate_at", pp_rotate_at_name(o->rotate_at));
    pp_json_add_text(j, "rotation_block", o->rotation_block);
    pp_json_add_text(j, "rotate_layers", o->rotate_layers);
    pp_json_add_i64(j, "rotation_rows", o->rotation_rows);
    pp_json_add_i64(j, "rotation_cols", o->rotation_cols);
    pp_json_add_text(j, "activation_scale", pp_qscale_name(o->activation_scale));
    pp_json_add_i64(j, "stream_bits", o->stream_bits);
}

static void add_streams(pp_json *root, const pp_qnetwork *q)
{
    pp_json *list = pp_json_add_list(root, "streams");
    for (uint32_t i = 0; i <= q->stages->n; i++) {
        pp_json *j = pp_json_add_object(list, NULL);
        pp_json_add_i64(j, "bits", q->stream[i].bits);
        pp_json_add_bool(j, "signed", q->stream[i].is_signed);
        pp_json_add_f64(j, "scale", q->stream[i].scale);
    }
}

static void add_rotation(pp_json *j, const pp_qrotate *r)
{
    pp_json_add_f64(j, "scale", r->format.scale);
    pp_json_add_f64(j, "plain_max_rms", r->plain_max_rms);
    pp_json_add_f64(j, "plain_sqnr_db", r->plain_sqnr_db);
    pp_json_add_f64(j, "kurtosis", r->rotated_kurtosis);
    pp_json_add_f64(j, "max_rms", r->rotated_max_rms);
    pp_json_add_f64(j, "sqnr_db", r->rotated_sqnr_db);
}

static void add_stages(pp_json *root, const pp_qnetwork *q)
{
    pp_json *list = pp_json_add_list(root, "stages");
    for (uint32_t i = 0; i < q->stages->n; i++) {
        const pp_qstage *s = &q->stage[i];
        pp_json *j = pp_json_add_object(list, NULL);
        pp_json_add_text(j, "name", q->stages->stage[i].name);
        pp_json_add_i64(j, "wbits", s->wbits);
        pp_json_add_i64(j, "cout", s->cout);
        pp_json_add_i64(j, "rows", s->krows);
        pp_json_add_i64(j, "psum_shift", s->psum_shift);
        pp_json_add_i64(j, "add_shift", s->add_shift);
        pp_json_add_i64(j, "in_shift", s->in_shift);
        pp_json_add_i64(j, "out_shift", s->out_shift);
        if (q->rescales && s->code)
            pp_json_add_i64(j, "factor", s->factor);
        if (s->scale_mult)
            pp_json_add_i64(j, "scale_shift", s->scale_shift);
        pp_json_add_f64(j, "weight_sqnr_db", s->weight_sqnr_db);
        pp_json_add_f64(j, "out_sqnr_db", s->out_sqnr_db);
        pp_json_add_f64(j, "kurtosis", s->kurtosis);
        pp_json_add_f64(j, "acc_max", s->acc_max);
        pp_json_add_f64(j, "acc_rms", s->acc_rms);
        if (s->rotate)
            add_rotation(pp_json_add_object(j, "rotation"), s->rotate);
    }
}

static pp_status write_json(const pp_qnetwork *q, const char *path, const char *tensors, bool force)
{
    char hash[65], *text = NULL;
    PP_TRY(pp_qfile_hash(tensors, hash));
    pp_json *root = pp_json_object();
    pp_json_add_text(root, "format", PP_QUANT_FORMAT);
    pp_json_add_text(root, "network", q->net->name);
    add_model(root, q);
    pp_json_add_text(root, "weights_sha256", q->net->weights_sha256);
    pp_json_add_text(root, "model_sha256", hash);
    pp_json_add_text(root, "calibration", q->calib_name);
    pp_json_add_text(root, "calibration_sha256", q->calib_sha256);
    pp_json_add_i64(root, "calibration_images", q->calib_images);
    add_options(root, &q->options);
    add_streams(root, q);
    add_stages(root, q);
    pp_status status = pp_json_print(&text, root, true);
    if (status == PP_OK)
        status = pp_output_write(path, text, strlen(text), force);
    free(text);
    pp_json_free(root);
    return status;
}

static pp_status make_folder(const char *dir, bool *made)
{
    *made = mkdir(dir, 0777) == 0;
    if (*made || errno == EEXIST)
        return PP_OK;
    return pp_fail(PP_EIO, "%s: cannot make the folder: %s", dir, strerror(errno));
}

static pp_status may_write(const char *tensors, const char *json, bool force)
{
    if (!force && (pp_file_exists(json) || pp_file_exists(tensors)))
        return pp_fail(PP_EEXIST, "%s exists already (--force replaces it)", pp_file_exists(json) ? json : tensors);
    return PP_OK;
}

pp_status pp_qnetwork_may_write(const char *dir, bool force)
{
    char *tensors = pp_path_join(dir, PP_QUANT_TENSORS), *json = pp_path_join(dir, PP_QUANT_JSON);
    const pp_status status = tensors && json ? may_write(tensors, json, force) : PP_ENOMEM;
    free(tensors);
    free(json);
    return status;
}

static pp_status write_both(const pp_qnetwork *q, const char *tensors, const char *json, bool force)
{
    PP_TRY(may_write(tensors, json, force));
    PP_TRY(write_tensors(q, tensors, force));
    pp_status status = write_json(q, json, tensors, force);
    if (status != PP_OK)
        unlink(tensors); /* codes without their description are no use */
    return status;
}

pp_status pp_qnetwork_write(const pp_qnetwork *q, const char *dir, bool force)
{
    bool made = false;
    if (!q->has_values)
        return pp_fail(PP_EINVAL, "network '%s' was quantized without values: nothing to write", q->net->name);
    char *tensors = pp_path_join(dir, PP_QUANT_TENSORS), *json = pp_path_join(dir, PP_QUANT_JSON);
    pp_status status = tensors && json ? make_folder(dir, &made) : PP_ENOMEM;
    if (status == PP_OK)
        status = write_both(q, tensors, json, force);
    if (status != PP_OK && made)
        rmdir(dir);
    free(tensors);
    free(json);
    return status;
}
