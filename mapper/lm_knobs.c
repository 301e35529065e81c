/* Knobs of section "mapping" for language models. */
#include "mapper/lm_map.h"

static const pp_knob knobs[] = {
    {"mapping", "walk", PP_KNOB_CHOICE, "", "auto", 0, 0, "auto|raster|snake",
     "language models: how tiles walk through the cores of a group: row by row, back and forth, or the better of the two",
     offsetof(pp_lm_map_options, walk)},
    {"mapping", "chip_cut", PP_KNOB_CHOICE, "", "traffic", 0, 0, "traffic|filled",
     "language models: a group below the top level (a chip) ends where the least traffic crosses, or when it is full",
     offsetof(pp_lm_map_options, chip_cut)},
    {"mapping", "attention_context", PP_KNOB_INT, "tokens", "2048", 1, 16777216, NULL,
     "language models: tokens before a token at which bounds and mapping.core_budget take the attention units",
     offsetof(pp_lm_map_options, attention_context)},
    {"mapping", "attention_split", PP_KNOB_TEXT, "", "auto", 0, 0, NULL,
     "language models: units that share the context of a key and value head, 1 to 64; auto: as many as mapping.core_budget buys",
     offsetof(pp_lm_map_options, attention_split)},
};

pp_knob_table pp_lm_map_knobs(void)
{
    return (pp_knob_table){knobs, sizeof knobs / sizeof *knobs};
}
