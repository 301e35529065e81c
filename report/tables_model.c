/* Tables of /run, /workload and /quant. */
#include "quant/rotate_stage.h"
#include "report/tables_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pp_put_text(char *field, size_t size, const char *text)
{
    memset(field, 0, size);
    snprintf(field, size, "%s", text != NULL ? text : "");
}

/* ---- /run/config ---- */

typedef struct config_row {
    char section[16], name[32], unit[16], value[256];
} config_row;

static const pp_h5_column config_columns[] = {
    PP_H5_COLUMN(config_row, section, PP_H5_TEXT, "", "section of the run file"),
    PP_H5_COLUMN(config_row, name, PP_H5_TEXT, "", "setting"),
    PP_H5_COLUMN(config_row, unit, PP_H5_TEXT, "", "unit of the value"),
    PP_H5_COLUMN(config_row, value, PP_H5_TEXT, "", "resolved value; files by name without their folder"),
};

/* Settings that may name a file. In reports they stand without the folder: the content hash identifies
 * the file, and the same run from another folder gives the same report. */
static bool may_be_path(const pp_knob *k)
{
    static const char *const names[][2] = {
        {"workload", "model"}, {"workload", "data"}, {"quant", "calib"}, {"fabric", "kind"}, {"fabric", "file"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(k->section, names[i][0]) == 0 && strcmp(k->name, names[i][1]) == 0)
            return true;
    }
    return false;
}

/* "file:a/b.graphml" -> "file:b.graphml", "a/b.json" -> "b.json". */
static void put_path(char *field, size_t size, const char *value)
{
    const char *slash = strrchr(value, '/');
    bool prefixed = strncmp(value, "file:", 5) == 0;
    char text[256];
    snprintf(text, sizeof text, "%s%s", slash != NULL && prefixed ? "file:" : "", slash != NULL ? slash + 1 : value);
    pp_put_text(field, size, text);
}

static void put_value(config_row *row, const pp_knob *k, const char *value)
{
    if (may_be_path(k))
        put_path(row->value, sizeof row->value, value);
    else
        PP_PUT(row->value, value);
}

pp_status pp_write_config_table(hid_t file, const pp_report_input *in)
{
    size_t n = pp_config_count(in->config);
    config_row *rows = pp_calloc(n, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const pp_knob *k = pp_config_knob(in->config, i);
        PP_PUT(rows[i].section, k->section);
        PP_PUT(rows[i].name, k->name);
        PP_PUT(rows[i].unit, k->unit);
        put_value(&rows[i], k, pp_config_text(in->config, k->section, k->name));
    }
    pp_status status = pp_h5_table(file, "/run/config", "every setting of the run, resolved", config_columns,
                                   sizeof config_columns / sizeof *config_columns, rows, sizeof *rows, n);
    free(rows);
    return status;
}

/* ---- /workload ---- */

typedef struct operator_row {
    char name[64], kind[16];
    uint32_t in_h, in_w, in_c, out_h, out_w, out_c;
    uint64_t parameters, macs;
} operator_row;

static const pp_h5_column operator_columns[] = {
    PP_H5_COLUMN(operator_row, name, PP_H5_TEXT, "", "operator"),
    PP_H5_COLUMN(operator_row, kind, PP_H5_TEXT, "", "kind"),
    PP_H5_COLUMN(operator_row, in_h, PP_H5_U32, "pixel", "height of its first input"),
    PP_H5_COLUMN(operator_row, in_w, PP_H5_U32, "pixel", "width of its first input"),
    PP_H5_COLUMN(operator_row, in_c, PP_H5_U32, "channel", "channels of its first input"),
    PP_H5_COLUMN(operator_row, out_h, PP_H5_U32, "pixel", "height of its result"),
    PP_H5_COLUMN(operator_row, out_w, PP_H5_U32, "pixel", "width of its result"),
    PP_H5_COLUMN(operator_row, out_c, PP_H5_U32, "channel", "channels of its result"),
    PP_H5_COLUMN(operator_row, parameters, PP_H5_U64, "", "learned parameters"),
    PP_H5_COLUMN(operator_row, macs, PP_H5_U64, "", "multiply-accumulates an inference"),
};

static pp_status write_operators(hid_t file, const pp_network *net)
{
    operator_row *rows = pp_calloc(net->n_ops, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < net->n_ops; i++) {
        const pp_op *op = &net->ops[i];
        rows[i] = (operator_row){.in_h = op->in.h, .in_w = op->in.w, .in_c = op->in.c, .out_h = op->out.h,
                                 .out_w = op->out.w, .out_c = op->out.c, .parameters = pp_op_parameters(op),
                                 .macs = pp_op_macs(op)};
        PP_PUT(rows[i].name, op->name);
        PP_PUT(rows[i].kind, pp_op_kind_name(op->kind));
    }
    pp_status status = pp_h5_table(file, "/workload/operators", "operators of the network, in order", operator_columns,
                                   sizeof operator_columns / sizeof *operator_columns, rows, sizeof *rows, net->n_ops);
    free(rows);
    return status;
}

typedef struct stage_row {
    char name[64], activation[8];
    uint32_t fire_h, fire_w, fire_c, out_h, out_w, out_c, inputs;
    uint8_t matrix, add, pool;
} stage_row;

static const pp_h5_column stage_columns[] = {
    PP_H5_COLUMN(stage_row, name, PP_H5_TEXT, "", "stage: named by its matrix operator"),
    PP_H5_COLUMN(stage_row, activation, PP_H5_TEXT, "", "activation at the end of its datapath"),
    PP_H5_COLUMN(stage_row, fire_h, PP_H5_U32, "pixel", "height of the map that it fires over"),
    PP_H5_COLUMN(stage_row, fire_w, PP_H5_U32, "pixel", "width of the map that it fires over"),
    PP_H5_COLUMN(stage_row, fire_c, PP_H5_U32, "channel", "channels of that map"),
    PP_H5_COLUMN(stage_row, out_h, PP_H5_U32, "pixel", "height of its stream's map"),
    PP_H5_COLUMN(stage_row, out_w, PP_H5_U32, "pixel", "width of its stream's map"),
    PP_H5_COLUMN(stage_row, out_c, PP_H5_U32, "channel", "channels of its stream"),
    PP_H5_COLUMN(stage_row, inputs, PP_H5_U32, "", "streams that it reads"),
    PP_H5_COLUMN(stage_row, matrix, PP_H5_BOOL, "", "1: runs on crossbars; 0: digital"),
    PP_H5_COLUMN(stage_row, add, PP_H5_BOOL, "", "1: adds a residual"),
    PP_H5_COLUMN(stage_row, pool, PP_H5_BOOL, "", "1: pools before its stream leaves"),
};

static pp_status write_stages(hid_t file, const pp_stages *stages)
{
    stage_row *rows = pp_calloc(stages->n, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < stages->n; i++) {
        const pp_stage *s = &stages->stage[i];
        rows[i] = (stage_row){.fire_h = s->fire.h, .fire_w = s->fire.w, .fire_c = s->fire.c, .out_h = s->out.h,
                              .out_w = s->out.w, .out_c = s->out.c, .inputs = s->n_inputs,
                              .matrix = s->matrix != PP_NONE, .add = s->add != PP_NONE, .pool = s->pool != PP_NONE};
        PP_PUT(rows[i].name, s->name);
        PP_PUT(rows[i].activation, pp_act_name(s->act));
    }
    pp_status status = pp_h5_table(file, "/workload/stages", "stages, in order; stage s makes stream s + 1", stage_columns,
                                   sizeof stage_columns / sizeof *stage_columns, rows, sizeof *rows, stages->n);
    free(rows);
    return status;
}

pp_status pp_write_workload_tables(hid_t file, const pp_report_input *in)
{
    char model[256];
    put_path(model, sizeof model, in->model);
    PP_TRY(pp_h5_text(file, "/workload/model", model, "network as the run file names it, without folders"));
    PP_TRY(pp_h5_text(file, "/workload/weights_file", in->net->weights_file, "file of the weights"));
    PP_TRY(pp_h5_text(file, "/workload/weights_sha256", in->net->weights_sha256, "SHA-256 of that file"));
    PP_TRY(write_operators(file, in->net));
    return write_stages(file, in->stages);
}

/* ---- /quant ---- */

typedef struct quant_row {
    char name[64];
    uint32_t wbits, psum_shift;
    double weight_sqnr_db, out_sqnr_db, kurtosis, acc_max, acc_rms;
    uint8_t rotated;
    char not_rotated[160];
    uint32_t rotation_blocks;
    double plain_max_rms, plain_sqnr_db, rotated_kurtosis, rotated_max_rms, rotated_sqnr_db;
} quant_row;

static const pp_h5_column quant_columns[] = {
    PP_H5_COLUMN(quant_row, name, PP_H5_TEXT, "", "stage"),
    PP_H5_COLUMN(quant_row, wbits, PP_H5_U32, "bit", "bits of a weight"),
    PP_H5_COLUMN(quant_row, psum_shift, PP_H5_U32, "bit", "right shift of accumulators to partial sums"),
    PP_H5_COLUMN(quant_row, weight_sqnr_db, PP_H5_F64, "dB", "signal to quantization noise of the weights"),
    PP_H5_COLUMN(quant_row, out_sqnr_db, PP_H5_F64, "dB", "signal to quantization noise of its stream, calibration images"),
    PP_H5_COLUMN(quant_row, kurtosis, PP_H5_F64, "", "kurtosis of its float input, calibration images"),
    PP_H5_COLUMN(quant_row, acc_max, PP_H5_F64, "", "largest accumulator seen, calibration images"),
    PP_H5_COLUMN(quant_row, acc_rms, PP_H5_F64, "", "root mean square of accumulators, calibration images"),
    PP_H5_COLUMN(quant_row, rotated, PP_H5_BOOL, "", "1: inputs are rotated in front of the DACs"),
    PP_H5_COLUMN(quant_row, not_rotated, PP_H5_TEXT, "", "why its input is not rotated, where quant.rotate asks for it; else empty"),
    PP_H5_COLUMN(quant_row, rotation_blocks, PP_H5_U32, "", "blocks of the rotation; this and the next are 0 without one"),
    PP_H5_COLUMN(quant_row, plain_max_rms, PP_H5_F64, "", "largest |value| / rms of the input before the rotation"),
    PP_H5_COLUMN(quant_row, plain_sqnr_db, PP_H5_F64, "dB", "signal to quantization noise of the input before the rotation"),
    PP_H5_COLUMN(quant_row, rotated_kurtosis, PP_H5_F64, "", "kurtosis of the input behind the rotation"),
    PP_H5_COLUMN(quant_row, rotated_max_rms, PP_H5_F64, "", "largest |value| / rms behind the rotation"),
    PP_H5_COLUMN(quant_row, rotated_sqnr_db, PP_H5_F64, "dB", "signal to quantization noise of the rotated codes"),
};

typedef struct stream_row {
    uint32_t stream, bits;
    int64_t qmin, qmax;
    double scale;
    uint8_t is_signed;
} stream_row;

static const pp_h5_column stream_columns[] = {
    PP_H5_COLUMN(stream_row, stream, PP_H5_U32, "", "stream: 0 is the input, s + 1 the result of stage s"),
    PP_H5_COLUMN(stream_row, bits, PP_H5_U32, "bit", "bits of a code"),
    PP_H5_COLUMN(stream_row, qmin, PP_H5_I64, "", "smallest code"),
    PP_H5_COLUMN(stream_row, qmax, PP_H5_I64, "", "largest code"),
    PP_H5_COLUMN(stream_row, scale, PP_H5_F64, "", "value = code x scale"),
    PP_H5_COLUMN(stream_row, is_signed, PP_H5_BOOL, "", "1: signed codes"),
};

static pp_status write_streams(hid_t file, const pp_qnetwork *q)
{
    uint32_t n = q->has_values ? q->stages->n + 1 : 0;
    stream_row *rows = pp_calloc(n, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const pp_qformat *f = &q->stream[i];
        rows[i] = (stream_row){.stream = i, .bits = f->bits, .qmin = f->qmin, .qmax = f->qmax, .scale = f->scale,
                               .is_signed = f->is_signed};
    }
    pp_status status = pp_h5_table(file, "/quant/streams", "number format of each stream", stream_columns,
                                   sizeof stream_columns / sizeof *stream_columns, rows, sizeof *rows, n);
    free(rows);
    return status;
}

static void put_rotation(quant_row *row, const pp_qrotate *r)
{
    row->rotated = 1;
    row->rotation_blocks = r->n_blocks;
    row->plain_max_rms = r->plain_max_rms;
    row->plain_sqnr_db = r->plain_sqnr_db;
    row->rotated_kurtosis = r->rotated_kurtosis;
    row->rotated_max_rms = r->rotated_max_rms;
    row->rotated_sqnr_db = r->rotated_sqnr_db;
}

pp_status pp_write_quant_tables(hid_t file, const pp_report_input *in)
{
    const pp_qnetwork *q = in->q;
    PP_TRY(pp_h5_text(file, "/quant/calibration_data", q->calib_name, "calibration images"));
    PP_TRY(pp_h5_text(file, "/quant/calibration_sha256", q->calib_sha256, "SHA-256 of their file"));
    uint32_t n = q->has_values ? q->stages->n : 0; /* timing alone: nothing was quantized */
    quant_row *rows = pp_calloc(n, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const pp_qstage *s = &q->stage[i];
        rows[i] = (quant_row){.wbits = s->wbits, .psum_shift = s->psum_shift, .weight_sqnr_db = s->weight_sqnr_db,
                              .out_sqnr_db = s->out_sqnr_db, .kurtosis = s->kurtosis, .acc_max = s->acc_max, .acc_rms = s->acc_rms};
        if (s->not_rotated)
            PP_PUT(rows[i].not_rotated, s->not_rotated);
        if (s->rotate)
            put_rotation(&rows[i], s->rotate);
        PP_PUT(rows[i].name, q->stages->stage[i].name);
    }
    pp_status status = pp_h5_table(file, "/quant/stages", "quantization of each stage", quant_columns,
                                   sizeof quant_columns / sizeof *quant_columns, rows, sizeof *rows, n);
    free(rows);
    return status == PP_OK ? write_streams(file, q) : status;
}
