/* A language model one token and one operator at a time, with a KV cache: what a pipeline of cores computes, in whatever
 * order its operators are ready.
 *
 * Each step checks that what it needs has been done for this token, and that keys and values of all tokens before are
 * cached: an order that no pipeline may take is PP_EINTERNAL and names operator, token and what is missing. Results
 * equal those of pp_lm_exec with options.stepwise to the bit, hooks included, in any order that passes. */
#ifndef PP_WORKLOADS_LM_STEP_H
#define PP_WORKLOADS_LM_STEP_H

#include "workloads/lm.h"

typedef enum pp_lm_step {
    PP_LM_STEP_EMBED,
    PP_LM_STEP_Q, /* norm, hook of the site, matrix; so are the other matrices */
    PP_LM_STEP_K,
    PP_LM_STEP_V,
    PP_LM_STEP_ATTENTION, /* norms of q and k, RoPE, hooks, the cache, attention */
    PP_LM_STEP_O,
    PP_LM_STEP_ATTN_ADD,
    PP_LM_STEP_GATE,
    PP_LM_STEP_UP,
    PP_LM_STEP_ACT,
    PP_LM_STEP_DOWN,
    PP_LM_STEP_FFN_ADD,
    PP_LM_STEP_HEAD, /* final norm and head */
    PP_LM_STEP_COUNT
} pp_lm_step;
const char *pp_lm_step_name(pp_lm_step step); /* "q_proj", "attention" ... */

/* Keys and values of one sequence, as they are behind the *_CACHE hooks: as floats, or as codes. */
typedef struct pp_lm_cache pp_lm_cache;
/* How the keys (or values) of one token in one block are kept: what decode gives must be what the *_CACHE hooks leave of the
 * same input, to the bit. */
typedef struct pp_lm_cache_codec {
    size_t bytes;      /* of codes and their scales together */
    size_t code_bytes; /* of these the codes' */
    void (*encode)(const void *payload, const float *x, uint8_t *to);
    void (*decode)(const void *payload, const uint8_t *from, float *x);
    const void *payload;
} pp_lm_cache_codec;
/* codec NULL: floats. Borrowed is its payload alone. */
pp_status pp_lm_cache_new(pp_lm_cache **out, const pp_lm_config *config, uint32_t tokens, const pp_lm_cache_codec *codec);
/* Bytes that hold the codes of `tokens` tokens in all blocks, scales not counted; 0 of floats. */
size_t pp_lm_cache_code_bytes(const pp_lm_cache *cache, uint32_t tokens);
void pp_lm_cache_free(pp_lm_cache *cache); /* NULL allowed */

/* A token on its way. id: of the vocabulary; sequence: shown to hooks as the window; row: shown as the row. */
typedef struct pp_lm_token pp_lm_token;
pp_status pp_lm_token_new(pp_lm_token **out, const pp_lm_exec *exec, uint32_t id, uint32_t sequence, uint32_t position,
                          size_t row);
void pp_lm_token_free(pp_lm_token *token); /* NULL allowed */
/* One operator of block `layer` (EMBED, HEAD: ignored). Not thread-safe: one executor, one caller. PP_EUNSUPPORTED for
 * models whose weights do not stay in memory and for RoPE that depends on the length of the window. */
pp_status pp_lm_token_step(pp_lm_exec *exec, pp_lm_token *token, pp_lm_cache *cache, uint32_t layer, pp_lm_step step);
/* [vocab], behind HEAD; NULL before. */
const float *pp_lm_token_logits(const pp_lm_token *token);

#endif
