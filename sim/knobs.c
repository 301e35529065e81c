/* Knobs of section "simulate". */
#include "sim/sim.h"

#include <stddef.h>

#define ROW(field) offsetof(pp_sim_options, field)

static const pp_knob knobs[] = {
    {"simulate", "images", PP_KNOB_INT, "", "100", 1, 1000000, NULL, "inferences that go through the pipeline",
     ROW(images)},
    {"simulate", "kernel", PP_KNOB_CHOICE, "", "native", 0, 0, "native|systemc",
     "event kernel; both give the same events in the same order", ROW(kernel)},
    {"simulate", "switching", PP_KNOB_CHOICE, "", "vct", 0, 0, "ideal|saf|vct|flit",
     "how a packet takes several channels: ideal (a private path for each flow), saf (store and forward) or vct "
     "(virtual cut-through), or flit (wormhole with virtual channels, cycle by cycle)",
     ROW(switching)},
    {"simulate", "execute", PP_KNOB_INT, "", "0", 0, 1000000, NULL,
     "inferences whose real values move through the simulated buffers; language models: not 0: all tokens of the scenario", ROW(execute)},
    {"simulate", "exact", PP_KNOB_CHOICE, "", "auto", 0, 0, "auto|true|false",
     "true: simulates every inference, also when the pipeline repeats itself (auto and false: continues it, equal to the bit); "
     "language models: every tile and channel on its own (true), in lockstep (false), or whichever a few seconds allow (auto)",
     ROW(exact)},
    {"simulate", "router", PP_KNOB_TEXT, "", "", 0, 0, NULL,
     "flit: delays and allocators of a router, for instance booksim or booksim:rd=1,cd=2; empty: the default router",
     ROW(router)},
    {"simulate", "vcs", PP_KNOB_INT, "", "0", 0, 64, NULL,
     "flit: virtual channels a port; 0: 4, or as many as keep the routes of the mapping free from deadlock", ROW(vcs)},
    {"simulate", "buffer_flits", PP_KNOB_INT, "flit", "0", 0, 65536, NULL,
     "flit: buffer of a virtual channel; 0: the longest packet, at least 8", ROW(buffer_flits)},
    {"simulate", "flit_bits", PP_KNOB_INT, "bit", "8", 1, 65536, NULL,
     "flit: bits that a lane carries in one cycle of the network", ROW(flit_bits)},
};

pp_knob_table pp_sim_knobs(void)
{
    return (pp_knob_table){knobs, sizeof knobs / sizeof knobs[0]};
}
