/* How many tokens fill a pipeline: without waiting from its bounds, with waiting by trying. */
#include "base/term.h"
#include "sim/tokens_internal.h"

#include <stdlib.h>

/* Of what is tried: quarters of the tokens that fill the pipeline, ascending; the last is the most that is ever allowed. */
static const uint32_t quarters[] = {4, 5, 6, 8, 12};
enum { TRIES = sizeof quarters / sizeof *quarters, WITHIN_PERCENT = 2 };
enum { LEAST = 6, MOST = 48 }; /* tokens of prompts sent, in fillings of the pipeline; two prompts when that lies between */
enum { PROBES = 4 };        /* at most: the last, the first, and halves between */
enum { DECODED = 16 };         /* tokens of each that are decoded, at most: they go between the prompts behind */

/* Some slack, or small gaps go round for ever. */
static pp_status filled(uint64_t *fill, uint64_t *with_slack, const pp_token_net *net, uint32_t longest)
{
    PP_TRY(pp_token_fill(fill, net, longest));
    *with_slack = *fill + (*fill + 7) / 8;
    return PP_OK;
}

/* Two prompts: where one ends and the next begins, what attention has fallen behind meets tokens that it is quick with. */
static uint64_t tokens_sent(const pp_token_setup *setup, uint64_t fill)
{
    uint64_t prompt = 0;
    for (uint32_t i = 0; i < setup->n_sequences; i++)
        prompt = setup->sequence[i].prompt > prompt ? setup->sequence[i].prompt : prompt;
    return 2 * prompt < LEAST * fill ? LEAST * fill : 2 * prompt > MOST * fill ? MOST * fill : 2 * prompt;
}

static uint32_t longest_of(const pp_token_setup *setup)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < setup->n_sequences; i++) {
        const uint32_t n = setup->sequence[i].prompt + setup->sequence[i].decode;
        most = n > most ? n : most;
    }
    return most;
}

pp_status pp_token_sim_idle_limit(uint64_t *out, const pp_token_net *net, const pp_token_setup *setup)
{
    uint64_t fill;
    return filled(&fill, out, net, longest_of(setup));
}

/* Sequences of the setup, all there at once, up to `tokens` of their prompts; encoders get whole ones. */
static pp_status probe_sequences(pp_token_sequence **out, uint32_t *n, uint64_t *sent, const pp_token_net *net,
                                 const pp_token_setup *setup, uint64_t tokens)
{
    *n = 0;
    *sent = 0;
    *out = pp_calloc(setup->n_sequences, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    while (*n < setup->n_sequences && *sent < tokens) {
        const uint32_t prompt = setup->sequence[*n].prompt;
        const uint64_t left = tokens - *sent;
        (*out)[*n].prompt = net->encoder || prompt < left ? prompt : (uint32_t)left;
        const uint32_t decode = (*out)[*n].prompt == prompt ? setup->sequence[*n].decode : 0;
        (*out)[*n].decode = decode < DECODED ? decode : DECODED;
        *sent += (*out)[(*n)++].prompt;
    }
    return PP_OK;
}

/* Time from the first token that leaves to the last one of a prompt, with so many under way. */
static pp_status probe_ps(uint64_t *out, const pp_token_net *net, pp_token_setup *probe, uint64_t in_flight)
{
    pp_token_result *r = NULL;
    probe->in_flight = in_flight;
    PP_TRY(pp_simulate_tokens(&r, net, probe));
    uint64_t last = r->n_leaves - 1;
    while (last > 0 && r->leave[last].position >= probe->sequence[r->leave[last].sequence].prompt)
        last--;
    *out = r->leave[last].time_ps - r->leave[0].time_ps;
    pp_token_result_free(r);
    return PP_OK;
}

/* The fewest of the tries that are nearly as quick as the last. Time falls with the tokens under way, nearly always: halves. */
static pp_status fewest(uint32_t *best, const pp_token_net *net, pp_token_setup *probe, uint64_t one)
{
    uint64_t quickest, ps;
    uint32_t low = 0, high = TRIES - 1;
    PP_TRY(probe_ps(&quickest, net, probe, one * quarters[TRIES - 1] / 4));
    for (uint32_t at = 0; low < high; at = (low + high) / 2) {
        PP_TRY(probe_ps(&ps, net, probe, one * quarters[at] / 4));
        if (ps <= quickest + quickest / 100 * WITHIN_PERCENT)
            high = at;
        else
            low = at + 1;
    }
    *best = high;
    return PP_OK;
}

pp_status pp_token_fill_loaded(uint64_t *out, const pp_token_net *net, const pp_token_setup *setup)
{
    const uint32_t longest = longest_of(setup);
    pp_token_setup probe = {.scenario = setup->scenario, .prefill_chunk = setup->prefill_chunk, .entry_ps = setup->entry_ps,
                            .seed = setup->seed};
    pp_token_sequence *sequence = NULL;
    uint64_t fill, one, sent;
    uint32_t best = 0;
    *out = 0;
    if (longest == 0 || longest > net->max_context || (net->kv_tokens_max > 0 && longest > net->kv_tokens_max))
        return PP_OK; /* refused by the simulator, in its words */
    PP_TRY(filled(&fill, &one, net, longest));
    *out = one * quarters[TRIES - 1] / 4;
    if (setup->scenario == PP_SCENARIO_DECODE)
        return PP_OK;
    pp_status status = probe_sequences(&sequence, &probe.n_sequences, &sent, net, setup, tokens_sent(setup, fill));
    probe.sequence = sequence;
    if (status == PP_OK && sent > one) {
        pp_progress bar;
        pp_progress_begin(&bar, "tokens under way", (uint64_t)PROBES * sent);
        probe.progress = &bar;
        status = fewest(&best, net, &probe, one);
        pp_progress_end(&bar);
    }
    free(sequence);
    *out = one * quarters[best] / 4;
    return status;
}
