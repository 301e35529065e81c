/* Knobs of section "quant" that quantize language models (widths and scales: quant/knobs.c, workloads/lm_graph_knobs.c). */
#include "quant/lmq.h"

#include <stddef.h>

#define FIELD(name) offsetof(pp_lmq_settings, name)

static const pp_knob knobs[] = {
    {"quant", "method", PP_KNOB_TEXT, "", "kurtail", 0, 0, NULL,
     "language models: rtn, gptq, quarot, kurtail, quarot-gptq or kurtail-gptq (docs/rotations.md)", FIELD(method)},
    {"quant", "learn_steps", PP_KNOB_INT, "", "300", 0, 1000000, NULL, "language models: steps in which kurtail learns its rotations",
     FIELD(learn_steps)},
};

pp_knob_table pp_lmq_knobs(void)
{
    return (pp_knob_table){knobs, sizeof knobs / sizeof *knobs};
}
