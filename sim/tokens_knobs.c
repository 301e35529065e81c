/* Knobs of language models' scenarios, in section "workload". */
#include "sim/tokens.h"

#include <stddef.h>

#define ROW(field) offsetof(pp_token_options, field)

static const pp_knob knobs[] = {
    {"workload", "scenario", PP_KNOB_CHOICE, "", "mixed", 0, 0, "mixed|prefill|decode",
     "language models: prompts and decoding (mixed), prompts alone, or decoding with the prompts in the KV cache",
     ROW(scenario)},
    {"workload", "sequences", PP_KNOB_INT, "", "8", 1, 1000000, NULL, "language models: sequences that arrive",
     ROW(sequences)},
    {"workload", "prompt_tokens", PP_KNOB_INT, "token", "128", 1, 1048576, NULL,
     "language models: prompt of each sequence", ROW(prompt_tokens)},
    {"workload", "decode_tokens", PP_KNOB_INT, "token", "32", 0, 1048576, NULL,
     "language models: sampled tokens of each sequence that go through the pipeline; 0 with scenario prefill",
     ROW(decode_tokens)},
    {"workload", "arrivals", PP_KNOB_CHOICE, "", "at_once", 0, 0, "at_once|poisson|trace",
     "language models: when sequences arrive", ROW(arrivals)},
    {"workload", "arrival_rate", PP_KNOB_REAL, "1/s", "100", 1e-9, 1e12, NULL,
     "language models: sequences a second with workload.arrivals: poisson", ROW(arrival_rate)},
    {"workload", "trace", PP_KNOB_TEXT, "", "", 0, 0, NULL,
     "language models: CSV with arrival_s, prompt_tokens, decode_tokens a line; alone it makes workload.arrivals: trace",
     ROW(trace)},
    {"workload", "prefill_chunk", PP_KNOB_INT, "token", "0", 0, 1048576, NULL,
     "language models: prompt tokens of a sequence before another one's turn; 0: the whole prompt",
     ROW(prefill_chunk)},
    {"workload", "entry", PP_KNOB_CHOICE, "", "paced", 0, 0, "paced|free",
     "language models: tokens enter at the interval that the busiest stage or channel allows, or as soon as the first stage takes them",
     ROW(entry)},
    {"workload", "in_flight", PP_KNOB_INT, "token", "0", 0, 1073741824, NULL,
     "language models: most tokens in the pipeline at once; 0: as many as fill it under load, found by trying", ROW(in_flight)},
};

pp_knob_table pp_token_knobs(void)
{
    return (pp_knob_table){knobs, sizeof knobs / sizeof knobs[0]};
}
