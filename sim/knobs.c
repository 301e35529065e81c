/* Knobs of section "simulate". */
#include "sim/sim.h"

#include <stddef.h>

#define ROW(field) offsetof(pp_sim_options, field)

static const pp_knob knobs[] = {
    {"simulate", "images", PP_KNOB_INT, "", "100", 1, 1000000, NULL, "inferences that go through the pipeline",
     ROW(images)},
    {"simulate", "kernel", PP_KNOB_CHOICE, "", "native", 0, 0, "native|systemc",
     "event kernel; both give the same events in the same order", ROW(kernel)},
    {"simulate", "switching", PP_KNOB_CHOICE, "", "vct", 0, 0, "ideal|saf|vct",
     "how a packet takes several channels: ideal (a private path for each flow), saf (store and forward) or vct "
     "(virtual cut-through)",
     ROW(switching)},
    {"simulate", "execute", PP_KNOB_INT, "", "0", 0, 1000000, NULL,
     "inferences whose real values move through the simulated buffers", ROW(execute)},
    {"simulate", "exact", PP_KNOB_BOOL, "", "false", 0, 0, NULL,
     "simulates every inference, also when the pipeline repeats itself", ROW(exact)},
};

pp_knob_table pp_sim_knobs(void)
{
    return (pp_knob_table){knobs, sizeof knobs / sizeof knobs[0]};
}
