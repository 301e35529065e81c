/* Execution-driven simulation of a language model: values move with the tokens of the timing model.
 *
 * Whenever an actor of the token simulator has all inputs of a token, its operator is computed (workloads/lm_step.h): the
 * matrices in integers, row tile by row tile of the mapping's arrays (quant/lmq_integer.h), keys and values rounded to
 * kvbits as they enter the cache, the largest logit back as the next token. A schedule that used a value before it was
 * there, or keys of a token that is not cached yet, is an internal error that names operator and token. Afterwards every
 * sequence is run once more by the quantized executor, token after token: logits must be equal to the bit. Keys and values
 * are held as codes. With crossbars, the matrices are read from their devices, noise and all, and so are the executor's. */
#ifndef PP_SIM_LM_EXECUTE_H
#define PP_SIM_LM_EXECUTE_H

#include "quant/lmq_integer.h"
#include "sim/lm_crossbar.h"
#include "sim/tokens_lm.h"

typedef struct pp_lm_execute_input {
    const pp_lmq *q;
    const pp_lm_mapping *m;      /* its graph is that of q's configuration, without experts */
    const pp_lm_actors *actors;  /* of m */
    const pp_token_sequence *sequence;
    uint32_t n_sequences;
    const uint32_t *text;        /* prompts: one behind the other, from its beginning, again and again */
    size_t n_text;
    int scenario;                /* pp_token_scenario; DECODE: prompts are run before the time begins */
    uint32_t prefill_chunk;
    uint64_t in_flight, entry_ps; /* as pp_token_setup */
    int act_scale;               /* pp_act_scale */
    uint32_t rows, psum_bits;    /* of the arrays */
    uint64_t seed;
    pp_lm_crossbars *crossbars;  /* NULL: exact integers; else of q and these arrays, programmed */
} pp_lm_execute_input;

typedef struct pp_lm_execution {
    uint64_t tokens, generated;  /* of all sequences; of these sampled here */
    uint64_t executed;           /* that went through the pipeline: without prompts in scenario DECODE */
    uint64_t operators;          /* computed while time went by */
    uint64_t kv_code_bytes;      /* most bytes of codes that keys and values took at once: the timing model's kv_cache_bytes
                                    (decoding alone: at most that); 0 where kvbits is 16 */
    uint64_t kv_scale_bytes;     /* scales and zero points beside them */
    uint32_t vocab;
    uint32_t n_sequences;
    uint32_t *first;             /* [n_sequences + 1] first token of each in ids and logits */
    uint32_t *ids;               /* prompts and what was generated */
    float *logits;               /* [tokens][vocab] */
    pp_token_result *timing;     /* of the same run */
} pp_lm_execution;

/* PP_EINTERNAL when a logit differs from the quantized executor's. */
pp_status pp_lm_execute(pp_lm_execution **out, const pp_lm_execute_input *in);
void pp_lm_execution_free(pp_lm_execution *x); /* NULL allowed */

#endif
