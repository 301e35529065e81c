/* Tables of /accuracy that a study fills: rows, draws, signal-to-noise ratios, leave-one-layer-ideal, devices. */
#include "report/tables_internal.h"
#include "sim/noise_study.h"

#include <stdlib.h>

static const pp_h5_column row_columns[] = {
    PP_H5_TEXT_COLUMN(pp_study_row, model, 64, "network"),
    PP_H5_COLUMN(pp_study_row, time_s, PP_H5_F64, "s", "time of the evaluation, from device.time_origin"),
    PP_H5_COLUMN(pp_study_row, compensation, PP_H5_TEXT, "", "drift compensation"),
    PP_H5_COLUMN(pp_study_row, seeds, PP_H5_U32, "", "draws of all devices"),
    PP_H5_COLUMN(pp_study_row, images, PP_H5_U32, "", "images (language models: tokens) of each draw"),
    PP_H5_COLUMN(pp_study_row, mean, PP_H5_F64, "", "mean over the draws of top-1 (language models: bits per byte)"),
    PP_H5_COLUMN(pp_study_row, std, PP_H5_F64, "", "standard deviation over the draws"),
    PP_H5_COLUMN(pp_study_row, ci95, PP_H5_F64, "", "half width of the mean's 95 % confidence interval over draws; 0 of one draw"),
    PP_H5_COLUMN(pp_study_row, images_std, PP_H5_F64, "", "standard error from the number of images"),
};

static const pp_h5_column draw_columns[] = {
    PP_H5_COLUMN(pp_study_draw, row, PP_H5_U32, "", "row of /accuracy/rows"),
    PP_H5_COLUMN(pp_study_draw, seed, PP_H5_U64, "", "seed of the devices"),
    PP_H5_COLUMN(pp_study_draw, value, PP_H5_F64, "", "top-1 (language models: bits per byte)"),
};

static const pp_h5_column snr_columns[] = {
    PP_H5_TEXT_COLUMN(pp_study_snr, model, 64, "network"),
    PP_H5_TEXT_COLUMN(pp_study_snr, layer, 64, "layer"),
    PP_H5_COLUMN(pp_study_snr, time_s, PP_H5_F64, "s", "time of the evaluation"),
    PP_H5_COLUMN(pp_study_snr, local_db, PP_H5_F64, "dB", "signal to noise of its sums, inputs exact"),
    PP_H5_COLUMN(pp_study_snr, total_db, PP_H5_F64, "dB", "signal to noise of its stream, all layers before it noisy"),
};

static const pp_h5_column clip_columns[] = {
    PP_H5_TEXT_COLUMN(pp_study_clip, model, 64, "network"),
    PP_H5_TEXT_COLUMN(pp_study_clip, layer, 64, "layer"),
    PP_H5_COLUMN(pp_study_clip, clipped_share, PP_H5_F64, "", "conversions beyond the range, of all on the calibration data"),
};

static const pp_h5_column leave_columns[] = {
    PP_H5_TEXT_COLUMN(pp_study_leave, model, 64, "network"),
    PP_H5_TEXT_COLUMN(pp_study_leave, layer, 64, "layer on ideal devices; none: no layer"),
    PP_H5_COLUMN(pp_study_leave, time_s, PP_H5_F64, "s", "time of the evaluation"),
    PP_H5_COLUMN(pp_study_leave, top1, PP_H5_F64, "", "top-1 (language models: bits per byte)"),
    PP_H5_COLUMN(pp_study_leave, gain, PP_H5_F64, "", "gained over no layer ideal: top-1, or fewer bits per byte"),
};

typedef struct model_row {
    char model[256];
    double top1_float, quantized;
    uint64_t arrays, cells, useful_cells, devices, reads, conversions, compensation_reads;
} model_row;

static const pp_h5_column model_columns[] = {
    PP_H5_TEXT_COLUMN(model_row, model, 64, "network"),
    PP_H5_COLUMN(model_row, top1_float, PP_H5_F64, "", "with float weights and activations (language models: bits per byte)"),
    PP_H5_COLUMN(model_row, quantized, PP_H5_F64, "", "language models: bits per byte of the quantized executor without crossbars"),
    PP_H5_COLUMN(model_row, arrays, PP_H5_U64, "", "crossbars"),
    PP_H5_COLUMN(model_row, cells, PP_H5_U64, "", "programmed cells"),
    PP_H5_COLUMN(model_row, useful_cells, PP_H5_U64, "", "cells that hold a weight"),
    PP_H5_COLUMN(model_row, devices, PP_H5_U64, "", "devices"),
    PP_H5_COLUMN(model_row, reads, PP_H5_U64, "", "reads of crossbars, an inference (language models: a token)"),
    PP_H5_COLUMN(model_row, conversions, PP_H5_U64, "", "conversions, an inference"),
    PP_H5_COLUMN(model_row, compensation_reads, PP_H5_U64, "", "reads that measure drift, each time"),
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static pp_status write_models(hid_t file, const pp_study *st)
{
    model_row *rows = pp_calloc(st->models.len, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < st->models.len; i++) {
        const pp_study_model *m = &st->models.data[i];
        const pp_analog_counts *n = &m->counts;
        rows[i] = (model_row){.top1_float = m->top1_float, .quantized = m->quantized, .arrays = n->arrays, .cells = n->cells,
                              .useful_cells = n->useful_cells, .devices = n->devices, .reads = n->reads,
                              .conversions = n->conversions, .compensation_reads = n->compensation_reads};
        PP_PUT(rows[i].model, m->model);
    }
    pp_status status = pp_h5_table(file, "/accuracy/models", "what each network takes", model_columns, COUNT(model_columns), rows,
                                   sizeof *rows, st->models.len);
    free(rows);
    return status;
}

pp_status pp_write_study_tables(hid_t file, const pp_study *st)
{
    PP_TRY(pp_h5_text(file, "/accuracy/device", st->device, "device model"));
    PP_TRY(write_models(file, st));
    PP_TRY(pp_h5_table(file, "/accuracy/rows", "accuracy of each model, time and compensation", row_columns, COUNT(row_columns),
                       st->rows.data, sizeof *st->rows.data, st->rows.len));
    PP_TRY(pp_h5_table(file, "/accuracy/draws", "accuracy of each draw of the devices", draw_columns, COUNT(draw_columns),
                       st->draws.data, sizeof *st->draws.data, st->draws.len));
    PP_TRY(pp_h5_table(file, "/accuracy/snr", "signal to noise of each layer", snr_columns, COUNT(snr_columns), st->snr.data,
                       sizeof *st->snr.data, st->snr.len));
    PP_TRY(pp_h5_table(file, "/accuracy/converters", "converters of each layer, before the first draw", clip_columns,
                       COUNT(clip_columns), st->clip.data, sizeof *st->clip.data, st->clip.len));
    return pp_h5_table(file, "/accuracy/leave_one_ideal", "accuracy with one layer on ideal devices", leave_columns,
                       COUNT(leave_columns), st->leave.data, sizeof *st->leave.data, st->leave.len);
}
