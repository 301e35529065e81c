/* Tokenizers: text to token ids and back.
 *
 *   bytes                one token a byte, 256 of them
 *   tokenizer.json       byte-pair encoding: on bytes (GPT-2, Llama 3, Qwen, SmolLM) or on characters with
 *                        bytes to fall back on (Llama 2, TinyLlama, Mistral)
 *   tokenizer.model      SentencePiece, through libsentencepiece
 *
 * No token is added that the text does not hold (no beginning-of-sequence). */
#ifndef PP_WORKLOADS_TOKENIZER_H
#define PP_WORKLOADS_TOKENIZER_H

#include "workloads/lm.h"

typedef struct pp_tokenizer pp_tokenizer;

pp_status pp_tokenizer_bytes(pp_tokenizer **out);
/* A tokenizer.json or tokenizer.model, told apart by the end of the name. */
pp_status pp_tokenizer_open(pp_tokenizer **out, const char *path);
/* That of a model: tokenizer.json in its folder, else tokenizer.model, else bytes when the vocabulary is
 * 256. Refused unless it fits the vocabulary. */
pp_status pp_tokenizer_for(pp_tokenizer **out, const pp_lm *lm);
void pp_tokenizer_free(pp_tokenizer *t); /* NULL allowed */

/* Largest token id + 1; "bytes", "byte-level bpe", "character bpe" or "sentencepiece". */
uint32_t pp_tokenizer_size(const pp_tokenizer *t);
const char *pp_tokenizer_kind(const pp_tokenizer *t);
/* No id may lie outside the vocabulary of the model, and the vocabulary may exceed the tokenizer by
 * padding only (a sixteenth and 64). */
pp_status pp_tokenizer_fits(const pp_tokenizer *t, const pp_lm_config *config);

/* ids[i] stands for bytes[i] bytes of the text (their sum is its size); arrays owned by the caller. */
typedef struct pp_tokens {
    uint32_t *ids;
    uint16_t *bytes;
    size_t n;
} pp_tokens;
void pp_tokens_free(pp_tokens *tokens);

/* Text is UTF-8 for all but byte tokenizers; stray bytes are kept as bytes where the tokenizer has them.
 * An empty text is refused. O(size log size). */
pp_status pp_tokenizer_encode(const pp_tokenizer *t, pp_tokens *out, const char *text, size_t size);
/* The text of a file (any size up to 1 GiB). */
pp_status pp_tokenizer_encode_file(const pp_tokenizer *t, pp_tokens *out, const char *path);
/* New string with a NUL behind it; `size` (bytes without the NUL) may be NULL. */
pp_status pp_tokenizer_decode(const pp_tokenizer *t, char **text, size_t *size, const uint32_t *ids, size_t n);

#endif
