/* Where tokens come from: sequences arrive, are admitted when the KV memory holds them to their end, give
 * their prompt and then one token after the other.
 *
 * A decoding sequence whose sampled token is back goes before prompts; prompts go in the order of arrival,
 * prefill_chunk tokens at a time. */
#include "sim/tokens_internal.h"

#include <stdlib.h>

static uint32_t length(const pp_token_sim *s, uint32_t sequence)
{
    return s->setup->sequence[sequence].prompt + s->setup->sequence[sequence].decode;
}

static bool decodes_only(const pp_token_sim *s)
{
    return s->setup->scenario == PP_SCENARIO_DECODE;
}

/* ---- checks and room ---- */

static pp_status check_sequence(const pp_token_net *net, const pp_token_setup *setup, uint32_t i)
{
    const pp_token_sequence *q = &setup->sequence[i];
    const uint64_t tokens = (uint64_t)q->prompt + q->decode;
    if (q->prompt == 0 || (setup->scenario == PP_SCENARIO_DECODE && q->decode == 0))
        return pp_fail(PP_EINVAL, "sequence %u has no %s token", i, q->prompt == 0 ? "prompt" : "decoded");
    if (net->encoder && (q->decode > 0 || setup->scenario == PP_SCENARIO_DECODE))
        return pp_fail(PP_EINVAL, "an encoder decodes nothing: set workload.scenario: prefill");
    if (tokens > net->max_context)
        return pp_fail(PP_EINFEASIBLE, "sequence %u has %llu tokens; the model's context ends at %u", i,
                       (unsigned long long)tokens, net->max_context);
    if (net->kv_tokens_max > 0 && tokens > net->kv_tokens_max)
        return pp_fail(PP_EINFEASIBLE, "the KV memory holds %llu tokens; sequence %u needs %llu",
                       (unsigned long long)net->kv_tokens_max, i, (unsigned long long)tokens);
    if (i > 0 && q->arrival_ps < q[-1].arrival_ps)
        return pp_fail(PP_EINVAL, "sequence %u arrives before the one in front of it", i);
    return PP_OK;
}

static pp_status check_setup(const pp_token_net *net, const pp_token_setup *setup)
{
    if (setup->n_sequences == 0)
        return pp_fail(PP_EINVAL, "no sequence to simulate");
    for (uint32_t i = 0; i < setup->n_sequences; i++)
        PP_TRY(check_sequence(net, setup, i));
    return PP_OK;
}

static uint32_t longest(const pp_token_setup *setup)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < setup->n_sequences; i++) {
        const uint32_t n = setup->sequence[i].prompt + setup->sequence[i].decode;
        most = n > most ? n : most;
    }
    return most;
}

static pp_status set_limit(pp_token_sim *s)
{
    const uint32_t most = longest(s->setup);
    s->limit = s->setup->in_flight;
    if (s->limit == 0)
        PP_TRY(pp_token_sim_idle_limit(&s->limit, s->net, s->setup));
    if (s->net->encoder && s->limit < most)
        return pp_fail(PP_EINFEASIBLE,
                       "workload.in_flight: %llu tokens never complete a sequence of %u that attention waits for",
                       (unsigned long long)s->limit, most);
    s->result->in_flight_limit = s->limit;
    s->flight_mask = 1;
    while (s->flight_mask < s->limit)
        s->flight_mask = 2 * s->flight_mask + 1;
    s->flight = pp_calloc(s->flight_mask + 1, sizeof *s->flight);
    return s->flight != NULL ? PP_OK : PP_ENOMEM;
}

static pp_status new_fifo(pp_token_fifo *q, uint32_t cap)
{
    q->cap = cap;
    q->data = pp_calloc(cap, sizeof *q->data);
    return q->data != NULL ? PP_OK : PP_ENOMEM;
}

pp_status pp_token_sim_source_new(pp_token_sim *s)
{
    PP_TRY(check_setup(s->net, s->setup));
    PP_TRY(set_limit(s));
    s->seq = pp_calloc(s->setup->n_sequences, sizeof *s->seq);
    PP_TRY(new_fifo(&s->ready, s->setup->n_sequences));
    PP_TRY(new_fifo(&s->prefill, s->setup->n_sequences));
    return s->seq != NULL ? PP_OK : PP_ENOMEM;
}

void pp_token_sim_source_free(pp_token_sim *s)
{
    free(s->flight);
    free(s->seq);
    free(s->ready.data);
    free(s->prefill.data);
}

/* ---- admission ---- */

static void admit(pp_token_sim *s)
{
    const uint32_t i = s->waiting++;
    s->kv_reserved += length(s, i);
    s->active++;
    s->active_high = s->active > s->active_high ? s->active : s->active_high;
    if (decodes_only(s)) {
        s->seq[i] = (pp_token_seq_state){.next = s->setup->sequence[i].prompt, .phase = PP_SEQ_READY};
        s->kv_tokens += s->setup->sequence[i].prompt;
        pp_token_sim_fifo_push(&s->ready, i);
    } else {
        s->seq[i] = (pp_token_seq_state){.phase = PP_SEQ_PREFILL};
        pp_token_sim_fifo_push(&s->prefill, i);
    }
}

static bool can_admit(const pp_token_sim *s)
{
    const uint64_t room = s->net->kv_tokens_max;
    return s->waiting < s->arrived && (room == 0 || s->kv_reserved + length(s, s->waiting) <= room);
}

/* Prompts are admitted when one is wanted, so that waiting sequences hold no memory; sequences that only
 * decode as soon as they fit. */
static void admit_decoding(pp_token_sim *s)
{
    while (decodes_only(s) && can_admit(s))
        admit(s);
}

void pp_token_sim_arrive(pp_token_sim *s, uint32_t sequence)
{
    s->arrived = sequence + 1;
    admit_decoding(s);
}

/* ---- entry ---- */

/* The sequence that goes next; PP_NONE when there is none. Only looks, but for admission. */
static uint32_t pick(pp_token_sim *s)
{
    if (s->ready.len > 0)
        return pp_token_sim_fifo_at(&s->ready, 0);
    if (s->prefill.len == 0 && can_admit(s)) {
        admit(s);
        s->chunk_left = s->setup->prefill_chunk;
    }
    return s->prefill.len > 0 ? pp_token_sim_fifo_at(&s->prefill, 0) : PP_NONE;
}

/* The prompt in front has given a token: it ends, or its chunk does and another one's turn comes. */
static void turn_prompts(pp_token_sim *s, uint32_t i)
{
    const bool ended = s->seq[i].next == s->setup->sequence[i].prompt;
    if (!ended && (s->setup->prefill_chunk == 0 || --s->chunk_left > 0))
        return;
    s->chunk_left = s->setup->prefill_chunk;
    pp_token_sim_fifo_pop(&s->prefill);
    if (s->setup->prefill_chunk > 0 && can_admit(s))
        admit(s);
    if (ended)
        s->seq[i].phase = PP_SEQ_BUSY;
    else
        pp_token_sim_fifo_push(&s->prefill, i);
}

static pp_status enter_one(pp_token_sim *s, uint32_t i)
{
    const uint64_t token = s->entered++;
    s->next_entry_ps = s->now_ps + s->setup->entry_ps;
    s->flight[token & s->flight_mask] = (pp_token_flight){i, s->seq[i].next};
    s->seq[i].token = token;
    if (token == 0 || s->seq[i].next == 0 || (decodes_only(s) && s->seq[i].next == s->setup->sequence[i].prompt))
        s->result->sequence[i].enter_ps = s->now_ps + s->skipped_ps;
    s->seq[i].next++;
    s->kv_tokens++;
    s->kv_high = s->kv_tokens > s->kv_high ? s->kv_tokens : s->kv_high;
    s->high = s->entered - s->left > s->high ? s->entered - s->left : s->high;
    if (s->seq[i].phase == PP_SEQ_PREFILL) {
        turn_prompts(s, i);
    } else {
        pp_token_sim_fifo_pop(&s->ready);
        s->seq[i].phase = PP_SEQ_BUSY;
    }
    return pp_token_sim_fire(s, s->net->source, token, s->now_ps);
}

pp_status pp_token_sim_enter(pp_token_sim *s)
{
    const uint32_t source = s->net->actor[s->net->source].server;
    while (s->entered - s->left < s->limit) {
        const uint32_t i = pick(s);
        if (i == PP_NONE)
            return PP_OK;
        const uint64_t server_ps = *pp_token_sim_free(s, source);
        const uint64_t free_ps = server_ps > s->next_entry_ps ? server_ps : s->next_entry_ps;
        if (free_ps > s->now_ps) {
            if (s->waking)
                return PP_OK;
            s->waking = true;
            return pp_token_sim_schedule(s, free_ps, PP_TOKEN_WAKE, 0, 0);
        }
        if (s->repeat != NULL)
            PP_TRY(pp_token_sim_repeat_look(s, i));
        PP_TRY(enter_one(s, s->repeat != NULL ? pick(s) : i));
    }
    return PP_OK;
}

/* ---- exit ---- */

static void finish(pp_token_sim *s, uint32_t i)
{
    s->seq[i].phase = PP_SEQ_DONE;
    s->kv_reserved -= length(s, i);
    s->kv_tokens -= length(s, i);
    s->active--;
    while (s->lowest < s->setup->n_sequences && s->seq[s->lowest].phase == PP_SEQ_DONE)
        s->lowest++;
    admit_decoding(s);
}

pp_status pp_token_sim_returned(pp_token_sim *s, uint32_t sequence)
{
    s->seq[sequence].phase = PP_SEQ_READY;
    pp_token_sim_fifo_push(&s->ready, sequence);
    return pp_token_sim_enter(s);
}

static pp_status go_back(pp_token_sim *s, uint32_t sequence)
{
    if (s->net->n_back == 0)
        return pp_token_sim_returned(s, sequence);
    for (uint32_t i = 0; i < s->net->n_back; i++)
        PP_TRY(pp_token_sim_request(s, s->back_first + i, sequence | PP_TOKEN_RETURNS, s->now_ps));
    return pp_token_sim_enter(s);
}

pp_status pp_token_sim_left(pp_token_sim *s, uint64_t token)
{
    const pp_token_flight f = pp_token_sim_flight(s, token);
    const pp_token_leave leave = {s->now_ps + s->skipped_ps, f.sequence, f.position, (uint32_t)(s->entered - s->left),
                                  (uint32_t)s->kv_tokens};
    if (!pp_push(&s->leave, leave))
        return PP_ENOMEM;
    s->left++;
    if (s->setup->progress != NULL)
        pp_progress_step(s->setup->progress, 1);
    if (s->setup->left != NULL)
        s->setup->left(s->setup->payload, f.sequence, f.position);
    if (f.position + 1 == length(s, f.sequence))
        finish(s, f.sequence);
    else if (f.position + 1 >= s->setup->sequence[f.sequence].prompt)
        return go_back(s, f.sequence);
    return pp_token_sim_enter(s);
}
