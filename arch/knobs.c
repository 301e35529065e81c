#include "arch/arch_internal.h"

#define ROW(field, kind, unit_, def_, lo, hi, text_)                                          \
    {.section = "arch", .name = #field, .type = kind, .unit = unit_, .def = def_, .min = lo,  \
     .max = hi, .text = text_, .offset = offsetof(pp_arch, field)}
#define INT(field, unit_, def_, lo, hi, text_) ROW(field, PP_KNOB_INT, unit_, def_, lo, hi, text_)
#define REAL(field, unit_, def_, lo, hi, text_) ROW(field, PP_KNOB_REAL, unit_, def_, lo, hi, text_)
#define CHOICE(field, def_, choices_, text_)                                                  \
    {.section = "arch", .name = #field, .type = PP_KNOB_CHOICE, .unit = "", .def = def_,      \
     .choices = choices_, .text = text_, .offset = offsetof(pp_arch, field)}
#define MAX_PS 1000000000000.0 /* one second */

/* Defaults: the core of joshi2020's estimate (one 100 ns read, every column with a converter of its
 * own), with the 256 x 256 arrays of legallo2023. */
static const pp_knob knobs[] = {
    {.section = "arch", .name = "preset", .type = PP_KNOB_TEXT, .unit = "", .def = "none",
     .text = "published hardware whose figures are the defaults: none, 5pp-2019, hermes64, hermes64-4phase, bruschi2023, isaac",
     .offset = offsetof(pp_arch, preset)},
    INT(rows, "weights", "256", 1, 65536, "rows of a crossbar: inputs of one MVM"),
    INT(cols, "weights", "256", 1, 65536, "columns of a crossbar, each as wide as the devices of one weight or slice"),
    CHOICE(cells, "differential", "differential|offset|reference_column", "how a cell carries the sign of a weight"),
    INT(cell_bits, "bit", "0", 0, 8, "bits that a device holds; 0: analog, any value"),
    CHOICE(weights, "codes", "codes|float", "what is programmed: quantized codes or the float weights"),
    CHOICE(input, "parallel", "parallel|pwm|bit_serial", "how inputs reach the rows: all bits at once, as pulse widths, or bit by bit"),
    INT(mvm_ps, "ps", "100000", 1, MAX_PS, "time of one read with parallel inputs"),
    INT(t_lsb_ps, "ps", "1000", 1, MAX_PS, "pulse width of one input step (pwm)"),
    INT(t_fix_ps, "ps", "0", 0, MAX_PS, "time of a read besides its pulses (pwm)"),
    INT(bit_ps, "ps", "100000", 1, MAX_PS, "time of one input slice (bit_serial)"),
    INT(dac_bits, "bit", "1", 1, 16, "input bits of a slice (bit_serial)"),
    INT(phases, "reads", "1", 1, 8, "reads for each MVM: 1, 2 for signed inputs on unipolar rows, 4 as on legallo2023"),
    INT(adcs, "ADCs", "0", 0, 65536, "converters of a crossbar, shared by its columns; 0: one a column"),
    INT(adc_ps, "ps", "0", 0, MAX_PS, "time of one conversion; it overlaps the next read"),
    INT(adc_bits, "bit", "8", 0, 24, "resolution of the converters; 0: ideal"),
    CHOICE(adc_range, "percentile", "max|percentile|mse", "how the converters' range is calibrated"),
    CHOICE(adc_scope, "tile", "tile|column", "what shares one converter range"),
    REAL(adc_percentile, "%", "99.995", 50.0, 100.0, "share of column sums inside the range (percentile)"),
    INT(pipeline_ps, "ps", "0", 0, MAX_PS, "latency of the tile's other pipeline stages (sample and hold, registers, shift and add)"),
    INT(psum_bits, "bit", "16", 4, 32, "width of a partial sum behind the converters and on channels"),
    INT(digital_ps, "ps", "0", 0, MAX_PS, "latency of the digital unit from the end of an MVM to the packet"),
    INT(digital_interval_ps, "ps", "1000", 1, MAX_PS, "time that a position keeps the digital unit busy in stages without a matrix"),
    INT(memory_bytes, "B", "0", 0, 1e15, "local memory of a core; 0: unlimited"),
    CHOICE(ir_drop, "none", "none|first_order|lines|nodal", "voltage lost along the wires of a crossbar with devices: model of it"),
    REAL(wire_row_ohm, "ohm", "0.35", 0.0, 1e6, "wire resistance of one cell along a row"),
    REAL(wire_col_ohm, "ohm", "0.35", 0.0, 1e6, "wire resistance of one cell along a column"),
    REAL(driver_ohm, "ohm", "0", 0.0, 1e6, "resistance in series with the driver of a row"),
    REAL(sense_ohm, "ohm", "0", 0.0, 1e6, "resistance in series with the sensed end of a column"),
    CHOICE(weight_scaling, "layer", "layer|tile|column", "whose largest weight takes the largest conductance"),
    CHOICE(subtract, "analog", "analog|digital", "where the sides of a pair are subtracted: before or behind the converter"),
    CHOICE(zero_cells, "programmed", "programmed|unprogrammed", "cells that no weight needs (unrolling, groups): devices at zero with their noise, or none"),
    REAL(gmin_ratio, "", "0", 0.0, 0.99, "smallest conductance of a device as a share of the largest"),
    INT(dac_levels_bits, "bit", "0", 0, 16, "resolution of the DACs; 0: that of the activations"),
    REAL(dac_percentile, "%", "100", 50.0, 100.0, "share of a layer's input values inside its DACs' range; the rest is clipped"),
    REAL(core_pitch_mm, "mm", "1", 1e-6, 1000.0, "distance of neighbouring cores"),
    INT(rotated_phases, "reads", "2", 1, 2, "reads of an MVM behind a rotation, whose inputs are signed: 2 on unipolar rows, 1 on rows that take both signs"),
    INT(rotate_lanes, "adders", "64", 1, 65536, "adders for rotations in a core's digital unit (quant.rotate)"),
    INT(digital_lanes, "ops/cycle", "64", 1, 65536, "operations a clock cycle of a core's digital unit: norms, activations, additions of partial sums of language models"),
    INT(attention_macs, "MACs/cycle", "1024", 1, 1048576, "products a clock cycle of an attention unit, one unit for each key and value head"),
    INT(attention_softmax_lanes, "scores/cycle", "16", 1, 65536, "scores that the softmax of an attention unit takes in a clock cycle"),
    CHOICE(attention_memory, "edram", "sram|edram|dram", "where an attention unit keeps keys and values; it gives bandwidth, capacity and energy that are not set"),
    REAL(attention_kv_gbps, "Gbit/s", "0", 0.0, 1e6, "bandwidth of an attention unit's KV memory; 0: the tier's (sram 1024, edram 512, dram 64)"),
    INT(attention_kv_bytes, "B", "0", 0, 1e15, "capacity of an attention unit's KV memory; 0: the tier's (sram 1 MiB, edram 16 MiB, dram 256 MiB)"),
    REAL(attention_kv_fj_bit, "fJ/bit", "0", 0.0, 1e9, "energy of a bit read from or written to KV memory; 0: the tier's"),
    REAL(clock_hz, "Hz", "1000000000", 1.0, 1e12, "clock of the digital units, for cycles in reports"),
};

pp_knob_table pp_arch_knobs(void)
{
    return (pp_knob_table){.knobs = knobs, .n = sizeof knobs / sizeof knobs[0]};
}
