/* Shared by the files of tokenizers. */
#ifndef PP_WORKLOADS_TOKENIZER_INTERNAL_H
#define PP_WORKLOADS_TOKENIZER_INTERNAL_H

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
extern "C" {
#else
#include "workloads/tokenizer.h"
#endif

/* ---- SentencePiece, behind a C interface (tokenizer_spm.cpp). Functions that can fail return 0 and
 * leave a line in error[256]; no exception leaves them. */
void *pp_spm_open_(const char *data, size_t size, char error[256]);
void pp_spm_close_(void *spm);
uint32_t pp_spm_size_(const void *spm);
/* Calls `token` for each piece with the bytes of the text that it stands for; stops when it returns 0. */
int pp_spm_encode_(const void *spm, const char *text, size_t size,
                   int (*token)(void *payload, uint32_t id, size_t bytes), void *payload, char error[256]);
/* Calls `text` once with the result. */
int pp_spm_decode_(const void *spm, const uint32_t *ids, size_t n,
                   int (*text)(void *payload, const char *data, size_t size), void *payload, char error[256]);

#ifdef __cplusplus
}
#else

/* ---- Unicode ---- */

bool pp_unicode_letter_(uint32_t c);
bool pp_unicode_number_(uint32_t c);
bool pp_unicode_space_(uint32_t c);
/* Code point at text[0 .. size), size > 0, and its length. A byte that begins no valid sequence is code
 * point 0xfffd of length 1. */
uint32_t pp_utf8_next_(const uint8_t *text, size_t size, size_t *length);
size_t pp_utf8_put_(uint8_t out[4], uint32_t c);

/* ---- byte-pair encoding ---- */

typedef struct pp_bpe_piece {
    const uint8_t *text; /* of byte-level tokenizers the bytes themselves; NULL: no token has this id */
    uint32_t size;
    bool added; /* matched in the text as it stands */
} pp_bpe_piece;

/* How text is cut into words, within which pairs are merged. */
typedef struct pp_bpe_split {
    bool regex;            /* one of the patterns below; else no cut */
    bool any_case;         /* contractions in any case */
    bool lead_any;         /* a word of letters may begin with any one character but letter, number, line end;
                            * else with one space */
    uint32_t digits;       /* numbers: at most that many digits, without space; 0: any, one space before */
    bool line_ends;        /* line ends stick to punctuation, and to spaces before them */
    bool single_digits;    /* each number stands alone, before the pattern is used */
    bool spaces;           /* a cut before each U+2581 (Metaspace with split) */
} pp_bpe_split;

typedef enum pp_bpe_prefix {
    PP_BPE_PREFIX_NONE,
    PP_BPE_PREFIX_EACH,   /* before each part between added tokens */
    PP_BPE_PREFIX_FIRST,  /* before the text, unless it begins with a space */
    PP_BPE_PREFIX_ALWAYS, /* before each part, unless it begins with a space */
} pp_bpe_prefix;

typedef struct pp_bpe {
    pp_arena *arena;
    uint32_t size;
    pp_bpe_piece *pieces;
    bool byte_level, byte_fallback, whole_words, fuse_unknown, meta; /* meta: spaces become U+2581 */
    bool nfc; /* the file asks for it: texts with combining marks are refused */
    pp_bpe_prefix prefix;
    pp_bpe_split split;
    uint32_t unknown;       /* PP_NONE: none */
    uint32_t byte_id[256];  /* token of a byte; PP_NONE */
    uint32_t *added;        /* ids, longest text first */
    size_t n_added;
    uint32_t *slots;        /* open addressing: text -> id + 1 */
    size_t n_slots;
    struct pp_bpe_merge {
        uint64_t pair; /* left << 32 | right; UINT64_MAX: free */
        uint32_t rank, id;
    } *merges;
    size_t n_merge_slots;
} pp_bpe;

/* A token under construction. */
typedef PP_VEC(uint32_t) pp_id_list;
typedef struct pp_token_list {
    pp_id_list ids, bytes;
} pp_token_list;
pp_status pp_token_add_(pp_token_list *list, uint32_t id, size_t bytes);

pp_status pp_bpe_read_(pp_bpe **out, const char *path);
void pp_bpe_free_(pp_bpe *bpe);
/* Tables of hashes, for the reader. */
pp_status pp_bpe_index_(pp_bpe *bpe);
pp_status pp_bpe_merge_room_(pp_bpe *bpe, size_t n);
void pp_bpe_merge_put_(pp_bpe *bpe, uint32_t left, uint32_t right, uint32_t rank, uint32_t id);
uint32_t pp_bpe_find_(const pp_bpe *bpe, const uint8_t *text, size_t size); /* PP_NONE */
pp_status pp_bpe_encode_(const pp_bpe *bpe, pp_token_list *out, const uint8_t *text, size_t size);
pp_status pp_bpe_decode_(const pp_bpe *bpe, char **text, size_t *size, const uint32_t *ids, size_t n);
/* Calls `word` for each word of the text, in order. */
typedef pp_status (*pp_bpe_word_fn)(void *payload, const uint8_t *text, size_t size);
pp_status pp_bpe_split_(const pp_bpe_split *split, const uint8_t *text, size_t size, pp_bpe_word_fn word,
                        void *payload);

#endif
#endif
