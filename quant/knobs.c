/* Knobs of section "quant". */
#include "quant/quant_internal.h"

#define FIELD(name) offsetof(pp_quant_options, name)

static const pp_knob knobs[] = {
    {"quant", "wbits", PP_KNOB_INT, "bit", "4", 2, 8, NULL, "bits of a weight, symmetric per output channel",
     FIELD(wbits)},
    {"quant", "abits", PP_KNOB_INT, "bit", "8", 4, 8, NULL, "bits of an activation, one scale per stream",
     FIELD(abits)},
    {"quant", "stream_bits", PP_KNOB_INT, "bit", "0", 0, 8, NULL,
     "networks: bits of an activation on channels and in residual sums, from abits to 8; 0: abits, with an activation_scale of "
     "tile or token 8", FIELD(stream_bits)},
    {"quant", "weights", PP_KNOB_CHOICE, "", "output", 0, 0, "max|mse|output",
     "scales by the largest weight, by clip search, or clip search and then codes and scales by the output's error",
     FIELD(weights)},
    {"quant", "activations", PP_KNOB_CHOICE, "", "mse", 0, 0, "minmax|percentile|mse",
     "range of a stream: all of it, a percentile, or clip search by squared error", FIELD(activations)},
    {"quant", "percentile", PP_KNOB_REAL, "%", "99.99", 90, 100, NULL,
     "share of the values that the range holds (activations: percentile)", FIELD(percentile)},
    {"quant", "calib_images", PP_KNOB_INT, "", "256", 1, 1024, NULL, "images that the calibration runs on",
     FIELD(calib_images)},
    {"quant", "calib", PP_KNOB_TEXT, "", "cifar10-calib", 0, 0, NULL, "dataset of the calibration images",
     FIELD(calib)},
    {"quant", "bias_correction", PP_KNOB_BOOL, "", "true", 0, 0, NULL,
     "shift biases by the mean error that quantization causes on the calibration images", FIELD(bias_correction)},
    {"quant", "psum_bits", PP_KNOB_INT, "bit", "16", 8, 32, NULL, "width of partial sums", FIELD(psum_bits)},
    {"quant", "rotate", PP_KNOB_CHOICE, "", "none", 0, 0, "none|input",
     "input: Hadamard transform over the channels in front of the DACs, its inverse in the programmed matrix", FIELD(rotate)},
    {"quant", "rotate_at", PP_KNOB_CHOICE, "", "consumer", 0, 0, "consumer|producer",
     "where it is done: in the cores of the layer that reads, or in the digital unit of the one layer that writes, before its "
     "requantization: channels carry rotated codes, nothing else may read them", FIELD(rotate_at)},
    {"quant", "rotation_block", PP_KNOB_TEXT, "", "array_rows", 0, 0, NULL,
     "channels that are mixed: full, array_rows (those on the rows, at the producer the columns, of one array) or a number",
     FIELD(rotation_block)},
    {"quant", "rotate_layers", PP_KNOB_TEXT, "", "", 0, 0, NULL,
     "names of the layers to rotate, separated by commas; empty: all that can be (the others are listed with the reason)", FIELD(rotate_layers)},
    {"quant", "rotation_rows", PP_KNOB_INT, "", "256", 1, 65536, NULL,
     "rows of an array, for rotation_block=array_rows; arch.rows unless set", FIELD(rotation_rows)},
    {"quant", "rotation_cols", PP_KNOB_INT, "", "256", 1, 65536, NULL,
     "channels that an array writes, for rotation_block=array_rows at the producer; what arch.cols holds unless set", FIELD(rotation_cols)},
};

pp_knob_table pp_quant_knobs(void)
{
    return (pp_knob_table){knobs, sizeof knobs / sizeof *knobs};
}

const char *pp_rotate_name(int rotate)
{
    return rotate == PP_ROTATE_INPUT ? "input" : "none";
}

const char *pp_rotate_at_name(int at)
{
    return at == PP_ROTATE_PRODUCER ? "producer" : "consumer";
}

const char *pp_wquant_name(int weights)
{
    static const char *const name[] = {[PP_WQUANT_MAX] = "max", [PP_WQUANT_MSE] = "mse", [PP_WQUANT_OUTPUT] = "output"};
    return name[weights];
}

const char *pp_aquant_name(int activations)
{
    static const char *const name[] = {[PP_AQUANT_MINMAX] = "minmax", [PP_AQUANT_PERCENTILE] = "percentile",
                                       [PP_AQUANT_MSE] = "mse"};
    return name[activations];
}

const char *pp_qscale_name(int scale)
{
    static const char *const name[] = {[PP_QSCALE_STATIC] = "static", [PP_QSCALE_TILE] = "tile", [PP_QSCALE_TOKEN] = "token"};
    return name[scale];
}
