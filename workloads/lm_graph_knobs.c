/* Knobs of a language model's operators. */
#include "workloads/lm_graph.h"

static const pp_knob knobs[] = {
    {"quant", "kvbits", PP_KNOB_INT, "bit", "4", 2, 16, NULL,
     "language models: bits of a cached key or value", offsetof(pp_lm_graph_options, kvbits)},
    {"quant", "residual_bits", PP_KNOB_INT, "bit", "16", 4, 32, NULL,
     "language models: bits of a value of the residual stream on channels", offsetof(pp_lm_graph_options, residual_bits)},
    {"quant", "online_rotations", PP_KNOB_CHOICE, "", "none", 0, 0, "none|r3|r4|both",
     "language models: Hadamard transforms at run time, R3 on the heads of queries and keys, R4 in front of down_proj",
     offsetof(pp_lm_graph_options, online)},
    {"quant", "online_block", PP_KNOB_TEXT, "", "array_rows", 0, 0, NULL,
     "language models: values that R4 mixes: array_rows (those of one core), head, full or a number",
     offsetof(pp_lm_graph_options, online_block)},
    {"quant", "activation_scale", PP_KNOB_CHOICE, "", "static", 0, 0, "static|tile|token",
     "scale of a matrix's inputs: fixed, one a row tile, or one a token (its largest value is looked for first); of a network: one a "
     "row tile and firing, or one a firing for all row tiles",
     offsetof(pp_lm_graph_options, act_scale)},
    {"workload", "experts", PP_KNOB_TEXT, "", "uniform", 0, 0, NULL,
     "mixture of experts: how often each is chosen: uniform, seeded, or a list of numbers, one an expert",
     offsetof(pp_lm_graph_options, experts)},
};

pp_knob_table pp_lm_graph_knobs(void)
{
    return (pp_knob_table){knobs, sizeof knobs / sizeof *knobs};
}
