/* Tables of /run, /workload and /quant. */
#include "quant/rotate_stage.h"
#include "report/tables_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pp_put_text(char *field, size_t size, const char *text)
{
    memset(field, 0, size);
    const int n = snprintf(field, size, "%s", text != NULL ? text : "");
    if (n >= 0 && (size_t)n < size)
        return;
    size_t at = size - 4; /* a cut is seen: it ends in ..., behind a whole character */
    while (at > 0 && ((unsigned char)field[at] & 0xc0) == 0x80)
        at--;
    memset(field + at, 0, size - at);
    memcpy(field + at, "...", 3);
}

/* ---- /run/config ---- */

typedef struct config_row {
    const char *section, *name, *unit, *value;
} config_row;

static const pp_h5_column config_columns[] = {
    PP_H5_STRING_COLUMN(config_row, section, 16, "section of the run file"),
    PP_H5_STRING_COLUMN(config_row, name, 32, "setting"),
    PP_H5_STRING_COLUMN(config_row, unit, 16, "unit of the value"),
    PP_H5_STRING_COLUMN(config_row, value, 256, "resolved value; files by name without their folder"),
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

/* "file:a/b.graphml" -> "file:b.graphml", "a/b.json" -> "b.json"; in the arena where it is not a part of `value`. */
static const char *without_folder(const char *value, pp_arena *arena)
{
    const char *slash = strrchr(value, '/');
    if (slash == NULL || strncmp(value, "file:", 5) != 0)
        return slash != NULL ? slash + 1 : value;
    char *text = pp_strf("file:%s", slash + 1);
    const char *kept = text != NULL ? pp_arena_strdup(arena, text) : NULL;
    free(text);
    return kept;
}

pp_status pp_write_config_table(hid_t file, const pp_report_input *in)
{
    size_t n = pp_config_count(in->config);
    config_row *rows = pp_calloc(n, sizeof *rows);
    pp_arena *arena = NULL;
    pp_status status = rows != NULL ? pp_arena_new(&arena) : PP_ENOMEM;
    for (size_t i = 0; i < n && status == PP_OK; i++) {
        const pp_knob *k = pp_config_knob(in->config, i);
        const char *value = pp_config_text(in->config, k->section, k->name);
        if (may_be_path(k) && value != NULL)
            value = without_folder(value, arena);
        rows[i] = (config_row){k->section, k->name, k->unit, value};
        status = may_be_path(k) && value == NULL ? PP_ENOMEM : PP_OK;
    }
    if (status == PP_OK)
        status = pp_h5_table(file, "/run/config", "every setting of the run, resolved", config_columns,
                                   sizeof config_columns / sizeof *config_columns, rows, sizeof *rows, n);
    pp_arena_free(arena);
    free(rows);
    return status;
}

/* ---- /workload ---- */

typedef struct operator_row {
    const char *name, *kind;
    uint32_t in_h, in_w, in_c, out_h, out_w, out_c;
    uint64_t parameters, macs;
} operator_row;

static const pp_h5_column operator_columns[] = {
    PP_H5_STRING_COLUMN(operator_row, name, 64, "operator"),
    PP_H5_STRING_COLUMN(operator_row, kind, 16, "kind"),
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
        rows[i].name = op->name;
        rows[i].kind = pp_op_kind_name(op->kind);
    }
    pp_status status = pp_h5_table(file, "/workload/operators", "operators of the network, in order", operator_columns,
                                   sizeof operator_columns / sizeof *operator_columns, rows, sizeof *rows, net->n_ops);
    free(rows);
    return status;
}

typedef struct stage_row {
    const char *name, *activation;
    uint32_t fire_h, fire_w, fire_c, out_h, out_w, out_c, inputs;
    uint8_t matrix, add, pool;
} stage_row;

static const pp_h5_column stage_columns[] = {
    PP_H5_STRING_COLUMN(stage_row, name, 64, "stage: named by its matrix operator"),
    PP_H5_STRING_COLUMN(stage_row, activation, 8, "activation at the end of its datapath"),
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
        rows[i].name = s->name;
        rows[i].activation = pp_act_name(s->act);
    }
    pp_status status = pp_h5_table(file, "/workload/stages", "stages, in order; stage s makes stream s + 1", stage_columns,
                                   sizeof stage_columns / sizeof *stage_columns, rows, sizeof *rows, stages->n);
    free(rows);
    return status;
}

pp_status pp_write_workload_tables(hid_t file, const pp_report_input *in)
{
    pp_arena *arena = NULL;
    PP_TRY(pp_arena_new(&arena));
    const char *model = without_folder(in->model, arena);
    const pp_status status = model != NULL ? pp_h5_text(file, "/workload/model", model, "network as the run file names it, without folders") : PP_ENOMEM;
    pp_arena_free(arena);
    PP_TRY(status);
    PP_TRY(pp_h5_text(file, "/workload/weights_file", in->net->weights_file, "file of the weights"));
    PP_TRY(pp_h5_text(file, "/workload/weights_sha256", in->net->weights_sha256, "SHA-256 of that file"));
    PP_TRY(write_operators(file, in->net));
    return write_stages(file, in->stages);
}

/* ---- /quant ---- */

typedef struct quant_row {
    const char *name;
    uint32_t wbits, psum_shift;
    double weight_sqnr_db, out_sqnr_db, kurtosis, acc_max, acc_rms;
    uint8_t rotated;
    char not_rotated[160];
    uint32_t rotation_blocks;
    double plain_max_rms, plain_sqnr_db, rotated_kurtosis, rotated_max_rms, rotated_sqnr_db;
} quant_row;

static const pp_h5_column quant_columns[] = {
    PP_H5_STRING_COLUMN(quant_row, name, 64, "stage"),
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
        rows[i].name = q->stages->stage[i].name;
    }
    pp_status status = pp_h5_table(file, "/quant/stages", "quantization of each stage", quant_columns,
                                   sizeof quant_columns / sizeof *quant_columns, rows, sizeof *rows, n);
    free(rows);
    return status == PP_OK ? write_streams(file, q) : status;
}
