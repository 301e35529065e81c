/* Tables of quantized language models. */
#include "report/tables_quant.h"

#include "report/h5_internal.h"

#define ROW(field, kind, units, text) PP_H5_COLUMN(pp_quant_row, field, kind, units, text)
#define LAYER(field, kind_, units_, text) \
    {.name = #field, .kind = kind_, .offset = offsetof(pp_quant_layer, mean.field), .size = sizeof((pp_quant_layer *)0)->mean.field, \
     .units = units_, .description = text}

static const pp_h5_column row_columns[] = {
    ROW(method, PP_H5_TEXT, "", "rotation and quantizer of weights"),
    ROW(wbits, PP_H5_U32, "bit", "of a weight"),
    ROW(abits, PP_H5_U32, "bit", "of an activation"),
    ROW(kvbits, PP_H5_U32, "bit", "of a cached key or value"),
    ROW(seeds, PP_H5_U32, "", "rotations tried; 1 where nothing is random"),
    ROW(bits_per_byte, PP_H5_F64, "bit", "mean over seeds, validation text"),
    ROW(bits_per_byte_std, PP_H5_F64, "bit", "standard deviation over seeds"),
    ROW(bits_per_byte_min, PP_H5_F64, "bit", "best seed"),
    ROW(bits_per_byte_max, PP_H5_F64, "bit", "worst seed"),
    ROW(bits_per_byte_float, PP_H5_F64, "bit", "of the float model"),
    ROW(perplexity, PP_H5_F64, "", "mean over seeds, a token"),
    ROW(perplexity_std, PP_H5_F64, "", "standard deviation over seeds"),
    ROW(perplexity_float, PP_H5_F64, "", "of the float model"),
    ROW(kurtosis_before, PP_H5_F64, "", "of the inputs of all blocks, pooled, calibration text"),
    ROW(kurtosis_after, PP_H5_F64, "", "the same after R1, mean over seeds"),
    ROW(invariance_error, PP_H5_F64, "", "largest change of float logits by all rotations, over the largest logit"),
};

static const pp_h5_column layer_columns[] = {
    PP_H5_COLUMN(pp_quant_layer, method, PP_H5_TEXT, "", "method; means over its seeds"),
    LAYER(layer, PP_H5_U32, "", "index of the layer"),
    LAYER(name, PP_H5_TEXT, "", "matrix"),
    LAYER(bits, PP_H5_U32, "bit", "of a weight"),
    LAYER(kurtosis_before, PP_H5_F64, "", "of its input"),
    LAYER(kurtosis_after, PP_H5_F64, "", "of its rotated input"),
    LAYER(max_over_rms_before, PP_H5_F64, "", "mean over tokens, of its input"),
    LAYER(max_over_rms_after, PP_H5_F64, "", "mean over tokens, of its rotated input"),
    LAYER(input_sqnr_db, PP_H5_F64, "dB", "signal to quantization noise of its input"),
    LAYER(weight_sqnr_db, PP_H5_F64, "dB", "signal to quantization noise of its weights"),
    LAYER(weight_error, PP_H5_F64, "", "sum of squared errors of its weights"),
};

typedef struct content {
    const char *command, *model;
    const pp_quant_row *rows;
    size_t n;
    const pp_quant_layer *layers;
    size_t n_layers;
} content;

static pp_status write_all(hid_t file, const void *what)
{
    const content *c = what;
    PP_TRY(pp_h5_text_attribute(file, "schema", "pentaprism-quantize/1"));
    PP_TRY(pp_h5_group(file, "quantize", "language models in few bits"));
    PP_TRY(pp_h5_text(file, "quantize/command", c->command, "command that makes this file again"));
    PP_TRY(pp_h5_text(file, "quantize/model", c->model, "model that was quantized"));
    PP_TRY(pp_h5_table(file, "quantize/methods", "one row a method", row_columns,
                       sizeof row_columns / sizeof *row_columns, c->rows, sizeof *c->rows, c->n));
    if (c->n_layers == 0)
        return PP_OK;
    return pp_h5_table(file, "quantize/layers", "one row a matrix", layer_columns,
                       sizeof layer_columns / sizeof *layer_columns, c->layers, sizeof *c->layers, c->n_layers);
}

pp_status pp_quant_report_write(const char *path, const char *command, const char *model, const pp_quant_row *rows, size_t n,
                                const pp_quant_layer *layers, size_t n_layers, bool force)
{
    const content all = {command, model, rows, n, layers, n_layers};
    return pp_h5_write(path, force, write_all, &all);
}
