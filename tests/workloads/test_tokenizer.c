/* Tokenizers: splits and merges against results worked out by hand and a naive merger, round trips, bad
 * files, SentencePiece models trained on the spot. */
#include "test_lm_models.h"

#include "workloads/tokenizer.h"

#define GPT2 "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}"
#define BYTES_ONLY "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define SPLIT(regex) "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Isolated\",\"invert\":false}"
#define LLAMA3                                                                                                         \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+"   \
    "[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define QWEN2                                                                                                          \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+"        \
    "[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

int spm_train(const char *text, const char *prefix, const char *type);

/* ---- files ---- */

/* JSON text of the character that stands for a byte (U+0000 .. U+01FF as \uXXXX). */
static void byte_text(char out[16], int byte)
{
    int next = 0x100, c = byte;
    for (int b = 0; b <= byte; b++) {
        const bool visible = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        c = visible ? b : next++;
    }
    snprintf(out, 16, "\\u%04x", (unsigned)c);
}

static void append(char **text, char *more)
{
    char *both = pp_strf("%s%s", *text, more);
    free(*text);
    free(more);
    *text = both;
}

/* All bytes are ids 0 .. 255; piece i of `merged` (left and right, ended by NULL) is 256 + i. Spaces
 * of the pieces are written as byte-level files write them. */
static void write_byte_level(const char *path, const char *pre, const char *const (*merged)[2], const char *more)
{
    char *vocab = pp_strdup(""), *merges = pp_strdup("");
    for (int b = 0; b < 256; b++) {
        char name[16];
        byte_text(name, b);
        append(&vocab, pp_strf("%s\"%s\":%d", b ? "," : "", name, b));
    }
    for (int i = 0; merged && merged[i][0]; i++) {
        append(&vocab, pp_strf(",\"%s%s\":%d", merged[i][0], merged[i][1], 256 + i));
        append(&merges, pp_strf("%s\"%s %s\"", i ? "," : "", merged[i][0], merged[i][1]));
    }
    char *json = pp_strf("{\"version\":\"1.0\",%s\"pre_tokenizer\":%s,\"model\":{\"type\":\"BPE\",\"vocab\":{%s},"
                         "\"merges\":[%s]}}", more, pre, vocab, merges);
    write_file(path, json, strlen(json));
    free(json);
    free(vocab);
    free(merges);
}

/* ---- words ---- */

/* Without merges each word is its bytes, so words cannot be seen from ids; with every pair of bytes of a
 * space and letter merged they can. Here the split itself is checked through whole words: ignore_merges
 * and a vocabulary that holds the expected words. */
static void check_words(const char *pre, const char *const *words, size_t n)
{
    char *vocab = pp_strdup(""), *text = pp_strdup("");
    for (int b = 0; b < 256; b++) {
        char name[16];
        byte_text(name, b);
        append(&vocab, pp_strf("%s\"%s\":%d", b ? "," : "", name, b));
    }
    for (size_t i = 0; i < n; i++) {
        append(&text, pp_strf("%s", words[i]));
        if (strlen(words[i]) < 2)
            continue;
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= strcmp(words[k], words[i]) == 0;
        if (seen)
            continue;
        append(&vocab, pp_strf(",\""));
        for (const char *c = words[i]; *c; c++) {
            char name[16];
            byte_text(name, (uint8_t)*c);
            append(&vocab, pp_strf("%s", name));
        }
        append(&vocab, pp_strf("\":%zu", 1000 + i));
    }
    char *json = pp_strf("{\"pre_tokenizer\":%s,\"model\":{\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{%s},"
                         "\"merges\":[]}}", pre, vocab);
    write_file("words.json", json, strlen(json));
    pp_tokenizer *t = NULL;
    pp_tokens tokens;
    char *back = NULL;
    assert_ok(pp_tokenizer_open(&t, "words.json"));
    assert_ok(pp_tokenizer_encode(t, &tokens, text, strlen(text)));
    size_t at = 0;
    for (size_t i = 0; i < tokens.n && i < n; i++) {
        if (tokens.bytes[i] != strlen(words[i]))
            fail_msg("word %zu: expected '%s', found '%.*s'", i, words[i], (int)tokens.bytes[i], text + at);
        at += tokens.bytes[i];
    }
    assert_int_equal(tokens.n, n);
    assert_ok(pp_tokenizer_decode(t, &back, NULL, tokens.ids, tokens.n));
    assert_string_equal(back, text);
    free(back);
    pp_tokens_free(&tokens);
    pp_tokenizer_free(t);
    free(json);
    free(vocab);
    free(text);
}
#define WORDS(pre, ...)                                                                                                \
    do {                                                                                                               \
        static const char *const words[] = {__VA_ARGS__};                                                              \
        check_words(pre, words, sizeof words / sizeof *words);                                                         \
    } while (0)

static void words_of_gpt2(void **state)
{
    (void)state;
    WORDS(GPT2, "Hello", " world", ",", " it", "'s", " 2024", "!!", "\n", "\n", "x");
    WORDS(GPT2, "a", "  ", " b", "   ");
    WORDS(GPT2, "don", "'t", " DON", "'", "T", " ", "\t", "tab");
    WORDS(GPT2, "\xc3\xa9t\xc3\xa9", " \xd0\xb4\xd0\xb0", "\xe2\x82\xac", "5", " \xd9\xa3", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
    WORDS(GPT2, "a", "\xc2\xa0", "b", " \xff\xfe", "c"); /* no-break space; bytes that are no UTF-8 */
    WORDS(GPT2, "we", "'ve", "'ll", "'", "x");
}

static void words_of_llama3(void **state)
{
    (void)state;
#define PRE "{\"type\":\"Sequence\",\"pretokenizers\":[" SPLIT(LLAMA3) "," BYTES_ONLY "]}"
    WORDS(PRE, "Hello", " world", ",", " it", "'S", " ", "202", "4", "!!\n\n", "x");
    WORDS(PRE, "a", " \n  \n", " ", " b", "(c", "\tt", "   ");
    WORDS(PRE, "don", "'T", " \"", "quoted", ".\"\n\r\n", "end");
    WORDS(PRE, "x", "=", "123", "456", "7", " +", " ", "8");
#undef PRE
}

static void words_of_qwen_and_smollm(void **state)
{
    (void)state;
    WORDS("{\"type\":\"Sequence\",\"pretokenizers\":[" SPLIT(QWEN2) "," BYTES_ONLY "]}", "in", " ", "2", "0", "2", "4",
          ",", " we", "'re", " ok", ".\n");
    WORDS("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true}," GPT2 "]}", "in",
          " ", "2", "0", "2", "4", ",", " we", "'re", "   ", "7");
}

/* ---- merges ---- */

/* Merges lowest rank first, by scanning all pairs again and again. */
static size_t naive(const char *const (*merged)[2], const char *text, uint32_t *ids)
{
    char part[64][16];
    size_t n = strlen(text);
    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++)
        snprintf(part[i], 16, "%c", text[i]);
    for (;;) {
        size_t best = SIZE_MAX, where = 0;
        for (size_t i = 0; i + 1 < n; i++)
            for (size_t r = 0; merged[r][0]; r++)
                if (r < best && strcmp(part[i], merged[r][0]) == 0 && strcmp(part[i + 1], merged[r][1]) == 0) {
                    best = r;
                    where = i;
                }
        if (best == SIZE_MAX)
            break;
        char both[16];
        snprintf(both, 16, "%.7s%.7s", part[where], part[where + 1]);
        memcpy(part[where], both, 16);
        memmove(part[where + 1], part[where + 2], (n - where - 2) * sizeof part[0]);
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        ids[i] = (uint8_t)part[i][0];
        for (uint32_t r = 0; merged[r][0]; r++) {
            char both[16];
            snprintf(both, 16, "%.7s%.7s", merged[r][0], merged[r][1]);
            if (strcmp(both, part[i]) == 0)
                ids[i] = 256 + r;
        }
    }
    return n;
}

static const char *const merges[][2] = {{"a", "b"},  {"b", "a"},   {"ab", "c"}, {"c", "c"},   {"ab", "ab"},
                                        {"c", "ab"}, {"ba", "ba"}, {"a", "a"},  {"abc", "c"}, {NULL, NULL}};

static void merges_equal_those_of_the_naive_way(void **state)
{
    (void)state;
    pp_tokenizer *t = NULL;
    write_byte_level("merges.json", GPT2, merges, "");
    assert_ok(pp_tokenizer_open(&t, "merges.json"));
    assert_string_equal(pp_tokenizer_kind(t), "byte-level bpe");
    assert_int_equal(pp_tokenizer_size(t), 265);
    pp_rng rng = pp_rng_make(1, 2);
    for (int i = 0; i < 500; i++) {
        char text[64] = {0};
        uint32_t want[64];
        pp_tokens got;
        for (uint32_t k = 0, n = 1 + pp_rng_below(&rng, 60); k < n; k++)
            text[k] = "abc"[pp_rng_below(&rng, 3)];
        const size_t n = naive(merges, text, want);
        assert_ok(pp_tokenizer_encode(t, &got, text, strlen(text)));
        assert_int_equal(got.n, n);
        assert_memory_equal(got.ids, want, n * sizeof *want);
        size_t bytes = 0;
        for (size_t k = 0; k < n; k++)
            bytes += got.bytes[k];
        assert_int_equal(bytes, strlen(text));
        pp_tokens_free(&got);
    }
    pp_tokenizer_free(t);
}

static void added_tokens_are_matched_as_they_stand(void **state)
{
    (void)state;
    pp_tokenizer *t = NULL;
    pp_tokens got;
    write_byte_level("added.json", GPT2, merges,
                     "\"added_tokens\":[{\"id\":300,\"content\":\"<|a|>\",\"special\":true,\"lstrip\":false},"
                     "{\"id\":301,\"content\":\"<|a|>b\"}],");
    assert_ok(pp_tokenizer_open(&t, "added.json"));
    assert_ok(pp_tokenizer_encode(t, &got, "ab<|a|>b<|a|>c", 14));
    static const uint32_t want[] = {256, 301, 300, 'c'};
    assert_int_equal(got.n, 4);
    assert_memory_equal(got.ids, want, sizeof want);
    pp_tokens_free(&got);
    char *text = NULL;
    assert_ok(pp_tokenizer_decode(t, &text, NULL, want, 4));
    assert_string_equal(text, "ab<|a|>b<|a|>c");
    free(text);
    assert_fails(pp_tokenizer_decode(t, &text, NULL, (const uint32_t[]){280}, 1), "token 280 at position 0");
    assert_fails(pp_tokenizer_decode(t, &text, NULL, (const uint32_t[]){999}, 1), "token 999");
    pp_tokenizer_free(t);
}

/* ---- characters with bytes to fall back on ---- */

#define LLAMA2                                                                                                         \
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"},"      \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}]},\"pre_tokenizer\":null"

static void write_llama2(const char *settings)
{
    char *vocab = pp_strf("\"<unk>\":0,\"<s>\":1,\"</s>\":2");
    for (int b = 0; b < 256; b++)
        append(&vocab, pp_strf(",\"<0x%02X>\":%d", b, 3 + b));
    append(&vocab, pp_strf(",\"\xe2\x96\x81\":259,\"a\":260,\"b\":261,\"ab\":262,\"\xe2\x96\x81"
                           "ab\":263,\"\xc3\xa9\":264,\"\xe2\x96\x81\xe2\x96\x81\":265"));
    char *json = pp_strf("{%s,\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true,"
                         "\"byte_fallback\":true,\"vocab\":{%s},\"merges\":[[\"a\",\"b\"],\"\xe2\x96\x81 ab\","
                         "\"\xe2\x96\x81 \xe2\x96\x81\"]}}", settings, vocab);
    write_file("llama2.json", json, strlen(json));
    free(json);
    free(vocab);
}

static void check_ids(const pp_tokenizer *t, const char *text, const uint32_t *ids, const uint16_t *bytes, size_t n)
{
    pp_tokens got;
    char *back = NULL;
    assert_ok(pp_tokenizer_encode(t, &got, text, strlen(text)));
    assert_int_equal(got.n, n);
    assert_memory_equal(got.ids, ids, n * sizeof *ids);
    assert_memory_equal(got.bytes, bytes, n * sizeof *bytes);
    assert_ok(pp_tokenizer_decode(t, &back, NULL, got.ids, got.n));
    assert_string_equal(back, text);
    free(back);
    pp_tokens_free(&got);
}

static void characters_and_fallback_bytes(void **state)
{
    (void)state;
    pp_tokenizer *t = NULL;
    write_llama2(LLAMA2);
    assert_ok(pp_tokenizer_open(&t, "llama2.json"));
    assert_string_equal(pp_tokenizer_kind(t), "character bpe");
    check_ids(t, "ab ab", (const uint32_t[]){263, 263}, (const uint16_t[]){2, 3}, 2);
    check_ids(t, "ba  \xc3\xa9z", (const uint32_t[]){259, 261, 260, 265, 264, 3 + 'z'},
              (const uint16_t[]){0, 1, 1, 2, 2, 1}, 6);
    check_ids(t, "\xe2\x82\xac", (const uint32_t[]){259, 3 + 0xe2, 3 + 0x82, 3 + 0xac}, (const uint16_t[]){0, 1, 1, 1},
              4);
    pp_tokenizer_free(t);
    write_llama2("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"first\","
                 "\"split\":true}");
    assert_ok(pp_tokenizer_open(&t, "llama2.json")); /* words are cut before each space: none merge */
    check_ids(t, "ab  a", (const uint32_t[]){263, 259, 259, 260}, (const uint16_t[]){2, 1, 1, 1}, 4);
    pp_tokenizer_free(t);
}

/* ---- refusals ---- */

static void json_refused(const char *json, const char *says)
{
    pp_tokenizer *t = NULL;
    write_file("bad.json", json, strlen(json));
    assert_fails(pp_tokenizer_open(&t, "bad.json"), says);
    assert_null(t);
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    pp_tokenizer *t = NULL;
    assert_fails(pp_tokenizer_open(&t, "none.json"), "none.json");
    assert_fails(pp_tokenizer_open(&t, "tokenizer.bin"), "expected a tokenizer.json");
    json_refused("{", "bad.json:1");
    json_refused("{}", "model");
    json_refused("{\"model\":{\"type\":\"WordPiece\"}}", "tokenizer model 'WordPiece' is not supported");
    json_refused("{\"model\":{\"vocab\":{},\"merges\":[]}}", "vocabulary is empty");
    json_refused("{\"model\":{\"vocab\":{\"a\":1,\"b\":1},\"merges\":[]}}", "has id 1, which is another's");
    json_refused("{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}", "a");
    json_refused("{\"model\":{\"vocab\":{\"a\":99999999},\"merges\":[]}}", "a");
    json_refused("{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "'b' of a merge is not in the vocabulary");
    json_refused("{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"ab\"]}}", "expected two pieces");
    json_refused("{\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"continuing_subword_prefix\":\"##\"}}", "'##'");
    json_refused("{\"model\":{\"byte_fallback\":true,\"vocab\":{\"a\":0},\"merges\":[]}}", "no token for byte 0x00");
    json_refused("{\"pre_tokenizer\":" GPT2 ",\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "no token for byte 0x00");
    json_refused("{\"pre_tokenizer\":" SPLIT("x+") ",\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}",
                 "pattern 'x+' is not supported");
    json_refused("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x\"},\"behavior\":\"Removed\"},\"model\":{"
                 "\"vocab\":{\"a\":0},\"merges\":[]}}", "behavior 'Removed' is not supported");
    json_refused("{\"normalizer\":{\"type\":\"Lowercase\"},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}",
                 "normalizer 'Lowercase' is not supported");
    json_refused("{\"added_tokens\":[{\"id\":0,\"content\":\"x\",\"rstrip\":true}],\"model\":{\"vocab\":{\"a\":0},"
                 "\"merges\":[]}}", "rstrip 'x' is not supported");
    write_file("bad.model", "not a model", 11);
    assert_fails(pp_tokenizer_open(&t, "bad.model"), "bad.model: not a SentencePiece model");
}

static void texts_that_cannot_be_encoded_are_refused(void **state)
{
    (void)state;
    pp_tokenizer *t = NULL;
    pp_tokens got;
    write_byte_level("nfc.json", GPT2, merges, "\"normalizer\":{\"type\":\"NFC\"},");
    assert_ok(pp_tokenizer_open(&t, "nfc.json"));
    assert_fails(pp_tokenizer_encode(t, &got, "e\xcc\x81", 3), "U+0301 at byte 1");
    assert_fails(pp_tokenizer_encode(t, &got, "", 0), "the text is empty");
    write_file("empty.txt", "", 0);
    assert_fails(pp_tokenizer_encode_file(t, &got, "empty.txt"), "empty.txt: the text is empty");
    pp_tokenizer_free(t);
    static const char ab[] = "{\"model\":{\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}}";
    write_file("ab.json", ab, strlen(ab));
    assert_ok(pp_tokenizer_open(&t, "ab.json"));
    assert_fails(pp_tokenizer_encode(t, &got, "abc", 3), "no token for U+0063");
    pp_tokenizer_free(t);
}

static void tokenizers_must_fit_the_vocabulary(void **state)
{
    (void)state;
    pp_tokenizer *t = NULL;
    pp_lm *lm = NULL;
    pp_lm_config c = small_llama("llama");
    c.vocab = 256;
    lm_tensors tensors = {0};
    char *json = lm_llama_json(&c, "");
    lm_llama_tensors(&tensors, &c, PP_DTYPE_F32, "model.");
    lm_write("lm_tok", json, &tensors, 1);
    remove("lm_tok/tokenizer.json");
    assert_ok(pp_lm_open(&lm, "lm_tok"));
    assert_ok(pp_tokenizer_for(&t, lm));
    assert_string_equal(pp_tokenizer_kind(t), "bytes");
    pp_tokenizer_free(t);
    write_byte_level("lm_tok/tokenizer.json", GPT2, merges, "");
    assert_fails(pp_tokenizer_for(&t, lm), "has 265 tokens, the model a vocabulary of 256; they do not belong together");
    assert_null(t);
    assert_ok(pp_tokenizer_bytes(&t));
    c.vocab = 32000;
    assert_fails(pp_tokenizer_fits(t, &c), "256 tokens, the model a vocabulary of 32000");
    c.vocab = 300; /* padded */
    assert_ok(pp_tokenizer_fits(t, &c));
    pp_tokenizer_free(t);
    pp_lm_close(lm);
    assert_ok(pp_lm_open(&lm, "bytellama-odd"));
    assert_ok(pp_tokenizer_for(&t, lm));
    pp_tokenizer_free(t);
    pp_lm_close(lm);
    lm_tensors_free(&tensors);
    free(json);
}

/* ---- SentencePiece ---- */

static void sentencepiece_models(void **state)
{
    (void)state;
    static const char *const types[] = {"bpe", "unigram"};
    char *text_path = NULL, *back = NULL;
    pp_file *map = NULL;
    size_t size = 0;
    assert_ok(pp_zoo_path(&text_path, "text-valid.txt"));
    assert_ok(pp_file_map(&map, text_path));
    write_file("train.txt", map->data, 20000);
    for (size_t i = 0; i < 2; i++) {
        pp_tokenizer *t = NULL;
        pp_tokens got;
        size_t bytes = 0;
        assert_true(spm_train("train.txt", "small", types[i]));
        assert_ok(pp_tokenizer_open(&t, "small.model"));
        assert_string_equal(pp_tokenizer_kind(t), "sentencepiece");
        assert_int_equal(pp_tokenizer_size(t), 400);
        assert_ok(pp_tokenizer_encode(t, &got, (const char *)map->data + 30000, 5000));
        for (size_t k = 0; k < got.n; k++)
            bytes += got.bytes[k];
        assert_int_equal(bytes, 5000);
        assert_true(got.n > 1000 && got.n < 4000);
        assert_ok(pp_tokenizer_decode(t, &back, &size, got.ids, got.n));
        assert_int_equal(size, 5000);
        assert_memory_equal(back, map->data + 30000, 5000);
        free(back);
        assert_fails(pp_tokenizer_decode(t, &back, NULL, (const uint32_t[]){400}, 1), "token 400");
        pp_tokens_free(&got);
        pp_tokenizer_free(t);
    }
    pp_file_unmap(map);
    free(text_path);
}

static void bytes_are_themselves(void **state)
{
    (void)state;
    pp_tokenizer *t = NULL;
    pp_tokens got;
    assert_ok(pp_tokenizer_bytes(&t));
    assert_ok(pp_tokenizer_encode(t, &got, "a\xff", 2));
    assert_int_equal(got.n, 2);
    assert_int_equal(got.ids[1], 255);
    pp_tokens_free(&got);
    pp_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_themselves),
        cmocka_unit_test(words_of_gpt2),
        cmocka_unit_test(words_of_llama3),
        cmocka_unit_test(words_of_qwen_and_smollm),
        cmocka_unit_test(merges_equal_those_of_the_naive_way),
        cmocka_unit_test(added_tokens_are_matched_as_they_stand),
        cmocka_unit_test(characters_and_fallback_bytes),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(texts_that_cannot_be_encoded_are_refused),
        cmocka_unit_test(tokenizers_must_fit_the_vocabulary),
        cmocka_unit_test(sentencepiece_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
