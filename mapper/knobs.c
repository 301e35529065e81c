/* Knobs of section "mapping". */
#include "mapper/mapper.h"

#include <stddef.h>

#define ROW(field) offsetof(pp_map_options, field)

static const pp_knob knobs[] = {
    {"mapping", "placement", PP_KNOB_TEXT, "", "auto", 0, 0, NULL,
     "which core takes which tile: auto, linear, snake, zigzag, bisection or search (annealing from the best of these)",
     ROW(placement)},
    {"mapping", "unroll", PP_KNOB_TEXT, "", "auto", 0, 0, NULL,
     "output pixels that one MVM computes: auto, none, or patches by height of the output map (32:1x4,16:1x1)",
     ROW(unroll)},
    {"mapping", "copies", PP_KNOB_TEXT, "", "auto", 0, 0, NULL,
     "cores that take a layer's positions in turn: auto, a number, or numbers by height of the output map "
     "(32:2,16:1). Language models: by operator (up_proj:3,down_proj:2)",
     ROW(copies)},
    {"mapping", "core_budget", PP_KNOB_INT, "cores", "0", 0, 16777216, NULL,
     "cores that unrolling and copies may use; 0: as many as the network needs at one pixel an MVM and one copy",
     ROW(core_budget)},
    {"mapping", "reduction", PP_KNOB_CHOICE, "", "auto", 0, 0, "star|chain|tree|auto",
     "how partial sums of row tiles come together", ROW(reduction)},
    {"mapping", "buffers", PP_KNOB_TEXT, "positions", "auto", 0, 0, NULL,
     "what the input buffer of a flow holds: auto (enough for the bound of the interval), unlimited, or a number",
     ROW(buffers)},
    {"mapping", "effort", PP_KNOB_INT, "moves/tile", "200", 0, 1000000, NULL,
     "moves of the annealing that places tiles, for each tile; 0: constructive starts only", ROW(effort)},
    {"mapping", "psum_window", PP_KNOB_INT, "firings", "0", 0, 1000000, NULL,
     "firings that a row tile may be ahead of its unfinished sums; 0: unlimited", ROW(psum_window)},
};

pp_knob_table pp_map_knobs(void)
{
    return (pp_knob_table){knobs, sizeof knobs / sizeof knobs[0]};
}
