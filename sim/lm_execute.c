/* Values that move with the tokens of the timing model, and the comparison with the executor. */
#include "sim/lm_execute.h"

#include "workloads/lm_step.h"

#include <stdlib.h>
#include <string.h>

typedef struct run {
    const pp_lm_execute_input *in;
    pp_lm_execution *x;
    pp_lmq_integer *integer;
    pp_lm_exec *exec;
    pp_lm_token **token;   /* [tokens] on their way */
    pp_lm_cache **cache;   /* [sequences] */
    bool *known;           /* [tokens] its id is there */
    size_t *window;        /* [sequences + 1] x->first, for the crossbars */
    pp_lm_cache_codec codec; /* of keys and values; bytes 0: floats */
    uint64_t kv_bytes;     /* codes of all that is cached now */
    uint32_t *first_op;    /* [instances + 1] operators of all instances, in a row */
    uint32_t *actors;      /* [operators] that work on one: groups of its tiles */
    uint32_t *fires;       /* [tokens][operators] of these have fired */
} run;

/* ---- operators of the graph ---- */

static pp_lm_step step_of_weight(unsigned weight)
{
    static const struct {
        pp_lm_kind kind;
        pp_lm_step step;
    } of[] = {{PP_LM_Q, PP_LM_STEP_Q}, {PP_LM_K, PP_LM_STEP_K}, {PP_LM_V, PP_LM_STEP_V}, {PP_LM_O, PP_LM_STEP_O},
              {PP_LM_GATE, PP_LM_STEP_GATE}, {PP_LM_UP, PP_LM_STEP_UP}, {PP_LM_DOWN, PP_LM_STEP_DOWN}, {PP_LM_HEAD, PP_LM_STEP_HEAD}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        if (of[i].kind == weight)
            return of[i].step;
    return PP_LM_STEP_COUNT;
}

/* What an operator computes; COUNT: nothing of its own (norms, RoPE and online Hadamards are computed where their
 * results are used). */
static pp_lm_step step_of(const pp_lm_op *op)
{
    switch (op->kind) {
    case PP_LM_OP_EMBED:
        return PP_LM_STEP_EMBED;
    case PP_LM_OP_LINEAR:
        return step_of_weight(op->weight);
    case PP_LM_OP_ATTENTION:
        return PP_LM_STEP_ATTENTION;
    case PP_LM_OP_ACT:
        return PP_LM_STEP_ACT;
    case PP_LM_OP_ADD:
        return strcmp(op->name, pp_lm_step_name(PP_LM_STEP_ATTN_ADD)) == 0 ? PP_LM_STEP_ATTN_ADD : PP_LM_STEP_FFN_ADD;
    default:
        return PP_LM_STEP_COUNT;
    }
}

static uint32_t largest(const float *logits, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

/* ---- tokens ---- */

static uint32_t length_of(const pp_lm_execute_input *in, uint32_t i)
{
    const pp_token_sequence *s = &in->sequence[i];
    return s->prompt + s->decode;
}

/* A token has its place in the cache from its entry until its sequence is done, as in the timing model. */
static void hold(run *r, uint32_t sequence, uint32_t tokens)
{
    r->kv_bytes += pp_lm_cache_code_bytes(r->cache[sequence], tokens);
    r->x->kv_code_bytes = r->kv_bytes > r->x->kv_code_bytes ? r->kv_bytes : r->x->kv_code_bytes;
}

static pp_status begin_token(run *r, uint32_t sequence, uint32_t position)
{
    const uint32_t at = r->x->first[sequence] + position;
    if (!r->known[at])
        return pp_fail(PP_EINTERNAL, "token %u of sequence %u entered before it was sampled", position, sequence);
    hold(r, sequence, 1);
    r->x->executed++;
    return pp_lm_token_new(&r->token[at], r->exec, r->x->ids[at], sequence, position, at);
}

static pp_status sample(run *r, uint32_t sequence, uint32_t position)
{
    const uint32_t at = r->x->first[sequence] + position, next = at + 1;
    const float *logits = r->token[at] != NULL ? pp_lm_token_logits(r->token[at]) : NULL;
    if (logits == NULL)
        return pp_fail(PP_EINTERNAL, "token %u of sequence %u was sampled before its logits were there", position, sequence);
    memcpy(r->x->logits + (size_t)at * r->x->vocab, logits, r->x->vocab * sizeof *logits);
    if (next < r->x->first[sequence + 1] && !r->known[next]) {
        r->x->ids[next] = largest(logits, r->x->vocab);
        r->known[next] = true;
        r->x->generated++;
    }
    pp_lm_token_free(r->token[at]);
    r->token[at] = NULL;
    return PP_OK;
}

/* Its last token has left, which is later than it was sampled: others enter in between. */
static void release(void *context, uint32_t sequence, uint32_t position)
{
    run *r = context;
    if (position + 1 == length_of(r->in, sequence))
        r->kv_bytes -= pp_lm_cache_code_bytes(r->cache[sequence], position + 1);
}

static uint32_t operator_of(const run *r, const pp_lm_actor *a)
{
    const pp_lm_mapping *m = r->in->m;
    return r->first_op[a->instance] + a->stage - m->template_[m->instance[a->instance].template_].first_stage;
}

/* An operator is computed when the last of its actors has the token. */
static bool is_last(const run *r, const pp_lm_actor *a, uint32_t token)
{
    const uint32_t op = operator_of(r, a);
    return ++r->fires[(size_t)token * r->first_op[r->in->m->n_instances] + op] >= r->actors[op];
}

static pp_status fired(void *payload, uint32_t actor, uint32_t sequence, uint32_t position)
{
    run *r = payload;
    const pp_lm_mapping *m = r->in->m;
    const pp_lm_actor *a = &r->in->actors->actor[actor];
    if (a->stage == PP_NONE || !is_last(r, a, r->x->first[sequence] + position))
        return PP_OK;
    const pp_lm_op *op = &m->graph->op[m->stage[a->stage].op];
    if (op->kind == PP_LM_OP_SAMPLE)
        return sample(r, sequence, position);
    const pp_lm_step step = step_of(op);
    if (step == PP_LM_STEP_COUNT)
        return PP_OK;
    if (step == PP_LM_STEP_EMBED)
        PP_TRY(begin_token(r, sequence, position));
    pp_lm_token *token = r->token[r->x->first[sequence] + position];
    if (token == NULL)
        return pp_fail(PP_EINTERNAL, "%s fired for token %u of sequence %u, which is not under way", op->name, position, sequence);
    r->x->operators++;
    return pp_lm_token_step(r->exec, token, r->cache[sequence], m->instance[a->instance].layer, step);
}

/* ---- setting up ---- */

/* Prompts from the text; what is sampled behind the last decoded token is not kept. */
static pp_status prompts(run *r)
{
    const pp_lm_execute_input *in = r->in;
    pp_lm_execution *x = r->x;
    x->first = pp_calloc(in->n_sequences + 1, sizeof *x->first);
    if (x->first == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < in->n_sequences; i++)
        x->first[i + 1] = x->first[i] + length_of(in, i);
    x->tokens = x->first[in->n_sequences];
    r->window = pp_calloc(in->n_sequences + 1, sizeof *r->window);
    for (uint32_t i = 0; r->window != NULL && i <= in->n_sequences; i++)
        r->window[i] = x->first[i];
    x->ids = pp_calloc(x->tokens, sizeof *x->ids);
    x->logits = pp_calloc(x->tokens * x->vocab, sizeof *x->logits);
    r->known = pp_calloc(x->tokens, sizeof *r->known);
    r->token = pp_calloc(x->tokens, sizeof(pp_lm_token *));
    if (x->ids == NULL || x->logits == NULL || r->known == NULL || r->token == NULL || r->window == NULL)
        return PP_ENOMEM;
    size_t at = 0;
    for (uint32_t i = 0; i < in->n_sequences; i++) {
        for (uint32_t p = 0; p < in->sequence[i].prompt; p++) {
            x->ids[x->first[i] + p] = in->text[at++ % in->n_text];
            r->known[x->first[i] + p] = true;
        }
    }
    return PP_OK;
}

static pp_status operators(run *r)
{
    const pp_lm_mapping *m = r->in->m;
    const pp_lm_actors *x = r->in->actors;
    r->first_op = pp_calloc((size_t)m->n_instances + 1, sizeof *r->first_op);
    if (r->first_op == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < m->n_instances; i++)
        r->first_op[i + 1] = r->first_op[i] + m->template_[m->instance[i].template_].n_stages;
    r->actors = pp_calloc(r->first_op[m->n_instances], sizeof *r->actors);
    r->fires = pp_calloc(r->x->tokens * r->first_op[m->n_instances], sizeof *r->fires);
    if (r->actors == NULL || r->fires == NULL)
        return PP_ENOMEM;
    for (uint32_t a = 0; a < x->net.n_actors; a++)
        if (x->actor[a].stage != PP_NONE)
            r->actors[operator_of(r, &x->actor[a])]++;
    return PP_OK;
}

static pp_status executors(run *r)
{
    const pp_lm_execute_input *in = r->in;
    const pp_lmq_integer_options o = {.rows = in->rows, .psum_bits = in->psum_bits, .act_scale = in->act_scale};
    const pp_lm_exec_options e = {.stepwise = true};
    const pp_lm_source source = pp_lmq_source(in->q);
    if (in->crossbars == NULL)
        PP_TRY(pp_lmq_integer_new(&r->integer, in->q, &o, 1));
    else
        pp_lm_crossbars_tokens(in->crossbars, r->window, in->n_sequences);
    const pp_lm_hooks hooks = in->crossbars != NULL ? pp_lm_crossbars_hooks(in->crossbars) : pp_lmq_integer_hooks(r->integer);
    pp_lmq_cache_codec(in->q, &r->codec);
    PP_TRY(pp_lm_exec_new(&r->exec, pp_lmq_config(in->q), &source, &hooks, &e));
    r->cache = pp_calloc(in->n_sequences, sizeof(pp_lm_cache *));
    pp_status status = r->cache != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; i < in->n_sequences && status == PP_OK; i++)
        status = pp_lm_cache_new(&r->cache[i], pp_lmq_config(in->q), length_of(in, i), r->codec.bytes > 0 ? &r->codec : NULL);
    return status;
}

/* One token through all blocks at once. */
static pp_status run_token(run *r, uint32_t sequence, uint32_t position)
{
    static const pp_lm_step steps[] = {PP_LM_STEP_Q, PP_LM_STEP_K, PP_LM_STEP_V, PP_LM_STEP_ATTENTION, PP_LM_STEP_O, PP_LM_STEP_ATTN_ADD,
                                       PP_LM_STEP_GATE, PP_LM_STEP_UP, PP_LM_STEP_ACT, PP_LM_STEP_DOWN, PP_LM_STEP_FFN_ADD};
    const pp_lm_config *c = pp_lmq_config(r->in->q);
    const uint32_t at = r->x->first[sequence] + position;
    PP_TRY(pp_lm_token_new(&r->token[at], r->exec, r->x->ids[at], sequence, position, at));
    PP_TRY(pp_lm_token_step(r->exec, r->token[at], r->cache[sequence], 0, PP_LM_STEP_EMBED));
    for (uint32_t l = 0; l < c->layers; l++)
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++)
            if (steps[k] != PP_LM_STEP_GATE || c->gated)
                PP_TRY(pp_lm_token_step(r->exec, r->token[at], r->cache[sequence], l, steps[k]));
    PP_TRY(pp_lm_token_step(r->exec, r->token[at], r->cache[sequence], 0, PP_LM_STEP_HEAD));
    return sample(r, sequence, position);
}

/* Before the time begins: keys and values of the prompts, and the tokens that are sampled behind them. */
static pp_status run_prompts(run *r)
{
    if (r->in->scenario != PP_SCENARIO_DECODE)
        return PP_OK;
    for (uint32_t i = 0; i < r->in->n_sequences; i++) {
        hold(r, i, r->in->sequence[i].prompt);
        for (uint32_t p = 0; p < r->in->sequence[i].prompt; p++)
            PP_TRY(run_token(r, i, p));
    }
    return PP_OK;
}

/* Codes of one token, and the most at once, are those that the timing model has counted. */
static pp_status check_bytes(run *r)
{
    pp_lm_execution *x = r->x;
    const uint64_t token = pp_lm_cache_code_bytes(r->cache[0], 1), counted = r->in->actors->net.kv_bytes_token;
    if (r->codec.bytes == 0)
        return PP_OK;
    /* Where a row of codes does not fill its last byte, it is a little more. */
    if (token < counted || token >= counted + 2 * pp_lmq_config(r->in->q)->layers)
        return pp_fail(PP_EINTERNAL, "execution-driven simulation: a token's keys and values take %llu bytes, the timing model has %llu",
                       (unsigned long long)token, (unsigned long long)counted);
    const uint64_t most = x->timing->kv_tokens_high * token;
    if (r->in->scenario == PP_SCENARIO_DECODE ? x->kv_code_bytes < most : x->kv_code_bytes != most)
        return pp_fail(PP_EINTERNAL, "execution-driven simulation: keys and values took %llu bytes, the timing model has %llu",
                       (unsigned long long)x->kv_code_bytes, (unsigned long long)most);
    x->kv_scale_bytes = x->kv_code_bytes / r->codec.code_bytes * (r->codec.bytes - r->codec.code_bytes);
    return PP_OK;
}

static pp_status simulate(run *r)
{
    const pp_lm_execute_input *in = r->in;
    const pp_token_setup setup = {.sequence = in->sequence, .n_sequences = in->n_sequences, .scenario = in->scenario,
                                  .prefill_chunk = in->prefill_chunk, .in_flight = in->in_flight, .entry_ps = in->entry_ps, .seed = in->seed,
                                  .exact = true, .fired = fired, .left = release, .payload = r};
    return pp_simulate_tokens(&r->x->timing, &in->actors->net, &setup);
}

/* ---- the executor ---- */

static pp_status compare(const run *r)
{
    const pp_lm_execution *x = r->x;
    float *want = pp_alloc(x->tokens * x->vocab, sizeof *want);
    pp_lm_window *windows = pp_calloc(x->n_sequences, sizeof *windows);
    pp_status status = want != NULL && windows != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; i < x->n_sequences && status == PP_OK; i++)
        windows[i] = (pp_lm_window){x->first[i], x->first[i], x->first[i + 1] - x->first[i]};
    const pp_lm_batch batch = {x->ids, windows, x->n_sequences, x->tokens};
    if (status == PP_OK)
        status = pp_lm_exec_logits(r->exec, &batch, want);
    for (size_t t = 0; t < x->tokens && status == PP_OK; t++)
        if (memcmp(want + t * x->vocab, x->logits + t * x->vocab, x->vocab * sizeof *want) != 0)
            status = pp_fail(PP_EINTERNAL, "execution-driven simulation: the logits of token %zu differ from the quantized executor's", t);
    free(want);
    free(windows);
    return status;
}

static pp_status check(const pp_lm_execute_input *in)
{
    const pp_lm_config *c = pp_lmq_config(in->q);
    if (c->experts > 0 || !c->causal)
        return pp_fail(PP_EUNSUPPORTED, "%s: values move through decoders without experts only", c->name);
    if (in->n_text == 0)
        return pp_fail(PP_EINVAL, "execution-driven simulation: no text for the prompts");
    for (uint32_t i = 0; i < in->n_text; i++)
        if (in->text[i] >= c->vocab)
            return pp_fail(PP_ERANGE, "token %u of the prompts is outside the vocabulary of %s, which has %u", in->text[i], c->name, c->vocab);
    return PP_OK;
}

pp_status pp_lm_execute(pp_lm_execution **out, const pp_lm_execute_input *in)
{
    run r = {.in = in};
    *out = NULL;
    PP_TRY(check(in));
    r.x = pp_calloc(1, sizeof *r.x);
    if (r.x == NULL)
        return PP_ENOMEM;
    r.x->vocab = pp_lmq_config(in->q)->vocab;
    r.x->n_sequences = in->n_sequences;
    pp_status status = prompts(&r);
    if (status == PP_OK)
        status = operators(&r);
    if (status == PP_OK)
        status = executors(&r);
    if (status == PP_OK)
        status = run_prompts(&r);
    if (status == PP_OK)
        status = simulate(&r);
    if (status == PP_OK)
        status = check_bytes(&r);
    if (status == PP_OK)
        status = compare(&r);
    for (size_t i = 0; r.token != NULL && i < r.x->tokens; i++)
        pp_lm_token_free(r.token[i]);
    for (uint32_t i = 0; r.cache != NULL && i < in->n_sequences; i++)
        pp_lm_cache_free(r.cache[i]);
    free(r.token);
    free(r.cache);
    free(r.known);
    if (in->crossbars != NULL)
        pp_lm_crossbars_tokens(in->crossbars, NULL, 0);
    free(r.window);
    free(r.first_op);
    free(r.actors);
    free(r.fires);
    pp_lm_exec_free(r.exec);
    pp_lmq_integer_free(r.integer);
    if (status == PP_OK)
        *out = r.x;
    else
        pp_lm_execution_free(r.x);
    return status;
}

void pp_lm_execution_free(pp_lm_execution *x)
{
    if (x == NULL)
        return;
    free(x->first);
    free(x->ids);
    free(x->logits);
    pp_token_result_free(x->timing);
    free(x);
}
