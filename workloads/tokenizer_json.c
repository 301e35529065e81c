/* tokenizer.json of Hugging Face's tokenizers: models of type BPE. Every setting that would change the
 * result is either followed or refused by its name. */
#include "workloads/tokenizer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX (1u << 24)

/* The patterns in use, and what they mean. */
static const struct {
    const char *pattern;
    pp_bpe_split split;
} patterns[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", {.regex = true}},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
     "\\s+(?!\\S)|\\s+",
     {.regex = true, .any_case = true, .lead_any = true, .digits = 3, .line_ends = true}},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
     "\\s+(?!\\S)|\\s+",
     {.regex = true, .any_case = true, .lead_any = true, .digits = 1, .line_ends = true}},
};

static bool absent(const pp_node *node)
{
    return !node || node->kind == PP_DOC_NULL;
}

static pp_status get_bool(const pp_node *map, const char *key, bool *out)
{
    const pp_node *node = pp_node_get(map, key);
    return absent(node) ? PP_OK : pp_node_bool(node, key, out);
}

static pp_status type_of(const pp_node *node, const char **type)
{
    const pp_node *t = NULL;
    PP_TRY(pp_node_need(node, "type", &t));
    return pp_node_text(t, "type", type);
}

static pp_status not_supported(const pp_node *node, const char *what, const char *name)
{
    return pp_fail_at(PP_EUNSUPPORTED, node->file, node->line, "%s '%s' is not supported", what, name);
}

/* ---- normalizer and pre_tokenizer ---- */

static pp_status read_text(const pp_node *map, const char *key, const char *want)
{
    const pp_node *node = NULL;
    const char *text = NULL;
    PP_TRY(pp_node_need(map, key, &node));
    if (node->kind == PP_DOC_MAP) /* {"String": " "} */
        PP_TRY(pp_node_need(node, "String", &node));
    PP_TRY(pp_node_text(node, key, &text));
    return strcmp(text, want) == 0 ? PP_OK : not_supported(node, key, text);
}

static pp_status read_normalizer(pp_bpe *b, const pp_node *node)
{
    const char *type = NULL;
    if (absent(node))
        return PP_OK;
    PP_TRY(type_of(node, &type));
    if (strcmp(type, "Sequence") == 0) {
        const pp_node *list = pp_node_get(node, "normalizers");
        for (size_t i = 0; list && i < list->n; i++)
            PP_TRY(read_normalizer(b, list->child[i]));
        return PP_OK;
    }
    if (strcmp(type, "NFC") == 0) {
        b->nfc = true;
        return PP_OK;
    }
    if (strcmp(type, "Prepend") == 0) {
        b->prefix = PP_BPE_PREFIX_EACH;
        return read_text(node, "prepend", "\xe2\x96\x81");
    }
    if (strcmp(type, "Replace") != 0)
        return not_supported(node, "normalizer", type);
    b->meta = true;
    PP_TRY(read_text(node, "pattern", " "));
    return read_text(node, "content", "\xe2\x96\x81");
}

static pp_status read_split(pp_bpe *b, const pp_node *node)
{
    const pp_node *pattern = NULL, *regex = NULL;
    const char *text = NULL;
    bool invert = false;
    PP_TRY(read_text(node, "behavior", "Isolated"));
    PP_TRY(pp_node_need(node, "pattern", &pattern));
    PP_TRY(pp_node_need(pattern, "Regex", &regex));
    PP_TRY(pp_node_text(regex, "Regex", &text));
    PP_TRY(get_bool(node, "invert", &invert));
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns && !invert; i++) {
        if (strcmp(patterns[i].pattern, text) == 0) {
            b->split = patterns[i].split;
            return PP_OK;
        }
    }
    return not_supported(regex, invert ? "inverted pattern" : "pattern", text);
}

static pp_status read_byte_level(pp_bpe *b, const pp_node *node)
{
    bool prefix = true, regex = true;
    PP_TRY(get_bool(node, "add_prefix_space", &prefix));
    PP_TRY(get_bool(node, "use_regex", &regex));
    b->byte_level = true;
    if (prefix)
        b->prefix = PP_BPE_PREFIX_ALWAYS;
    if (regex)
        b->split.regex = true;
    return PP_OK;
}

static pp_status read_metaspace(pp_bpe *b, const pp_node *node)
{
    const pp_node *scheme = pp_node_get(node, "prepend_scheme");
    const char *text = "always";
    bool add = true, split = true;
    PP_TRY(read_text(node, "replacement", "\xe2\x96\x81"));
    PP_TRY(get_bool(node, "add_prefix_space", &add));
    PP_TRY(get_bool(node, "split", &split));
    if (!absent(scheme))
        PP_TRY(pp_node_text(scheme, "prepend_scheme", &text));
    b->meta = true;
    b->split.spaces = split;
    b->prefix = !add || strcmp(text, "never") == 0  ? PP_BPE_PREFIX_NONE
                : strcmp(text, "first") == 0 ? PP_BPE_PREFIX_FIRST
                                             : PP_BPE_PREFIX_ALWAYS;
    return PP_OK;
}

static pp_status read_pre_tokenizer(pp_bpe *b, const pp_node *node)
{
    const char *type = NULL;
    if (absent(node))
        return PP_OK;
    PP_TRY(type_of(node, &type));
    if (strcmp(type, "Sequence") == 0) {
        const pp_node *list = pp_node_get(node, "pretokenizers");
        for (size_t i = 0; list && i < list->n; i++)
            PP_TRY(read_pre_tokenizer(b, list->child[i]));
        return PP_OK;
    }
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(b, node);
    if (strcmp(type, "Split") == 0)
        return read_split(b, node);
    if (strcmp(type, "Metaspace") == 0)
        return read_metaspace(b, node);
    if (strcmp(type, "Digits") == 0) {
        PP_TRY(get_bool(node, "individual_digits", &b->split.single_digits));
        return b->split.single_digits ? PP_OK : not_supported(node, "pre-tokenizer Digits with individual_digits", "false");
    }
    return not_supported(node, "pre-tokenizer", type);
}

/* ---- vocabulary ---- */

/* The visible character that stands for a byte in byte-level vocabularies: itself where it is visible,
 * else the next free one from U+0100 on. Fills byte_of[character], 0x200 entries, -1 where none. */
static void byte_characters(int16_t byte_of[0x200])
{
    int next = 0x100;
    for (int c = 0; c < 0x200; c++)
        byte_of[c] = -1;
    for (int b = 0; b < 256; b++) {
        const bool visible = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        byte_of[visible ? b : next++] = (int16_t)b;
    }
}

/* Bytes of a byte-level piece into out; 0 when a character stands for none. */
static size_t to_bytes(const int16_t byte_of[0x200], const char *text, uint8_t *out)
{
    const size_t size = strlen(text);
    size_t n = 0;
    for (size_t at = 0, length; at < size; at += length) {
        const uint32_t c = pp_utf8_next_((const uint8_t *)text + at, size - at, &length);
        if (c >= 0x200 || byte_of[c] < 0)
            return 0;
        out[n++] = (uint8_t)byte_of[c];
    }
    return n;
}

static pp_status set_piece(pp_bpe *b, uint32_t id, const char *text, const int16_t *byte_of)
{
    const size_t size = strlen(text);
    uint8_t *copy = pp_arena_get(b->arena, size + 1, 1);
    if (!copy)
        return PP_ENOMEM;
    const size_t n = byte_of ? to_bytes(byte_of, text, copy) : 0;
    if (n == 0)
        memcpy(copy, text, size);
    b->pieces[id].text = copy;
    b->pieces[id].size = (uint32_t)(n == 0 ? size : n);
    return PP_OK;
}

static pp_status read_id(const pp_node *node, const char *what, uint32_t *id)
{
    int64_t value = 0;
    PP_TRY(pp_node_i64(node, what, 0, TOKENS_MAX - 1, &value));
    *id = (uint32_t)value;
    return PP_OK;
}

/* Largest id + 1 of vocabulary and added tokens. */
static pp_status count_tokens(pp_bpe *b, const pp_node *vocab, const pp_node *added)
{
    uint32_t id = 0;
    for (size_t i = 0; i < vocab->n; i++) {
        PP_TRY(read_id(vocab->child[i], vocab->key[i], &id));
        b->size = id >= b->size ? id + 1 : b->size;
    }
    for (size_t i = 0; added && i < added->n; i++) {
        PP_TRY(read_id(pp_node_get(added->child[i], "id"), "id of an added token", &id));
        b->size = id >= b->size ? id + 1 : b->size;
    }
    if (b->size == 0)
        return pp_fail_at(PP_EFORMAT, vocab->file, vocab->line, "the vocabulary is empty");
    b->pieces = pp_calloc(b->size, sizeof *b->pieces);
    return b->pieces ? PP_OK : PP_ENOMEM;
}

static pp_status read_vocab(pp_bpe *b, const pp_node *vocab)
{
    int16_t byte_of[0x200];
    uint32_t id;
    byte_characters(byte_of);
    for (size_t i = 0; i < vocab->n; i++) {
        PP_TRY(read_id(vocab->child[i], vocab->key[i], &id));
        if (b->pieces[id].text)
            return pp_fail_at(PP_EFORMAT, vocab->file, vocab->child[i]->line, "'%s' has id %u, which is another's",
                              vocab->key[i], id);
        PP_TRY(set_piece(b, id, vocab->key[i], b->byte_level ? byte_of : NULL));
    }
    return PP_OK;
}

static pp_status read_added_token(pp_bpe *b, const pp_node *node)
{
    static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
    const pp_node *content = NULL;
    const char *text = NULL;
    uint32_t id = 0;
    PP_TRY(read_id(pp_node_get(node, "id"), "id of an added token", &id));
    PP_TRY(pp_node_need(node, "content", &content));
    PP_TRY(pp_node_text(content, "content", &text));
    for (size_t i = 0; i < 3; i++) {
        bool set = false;
        PP_TRY(get_bool(node, flags[i], &set));
        if (set)
            return not_supported(node, flags[i], text);
    }
    if (*text == '\0')
        return pp_fail_at(PP_EFORMAT, node->file, node->line, "an added token has no text");
    PP_TRY(set_piece(b, id, text, NULL)); /* as it stands, over an entry of the vocabulary */
    b->pieces[id].added = true;
    b->added[b->n_added++] = id;
    return PP_OK;
}

static pp_status read_added(pp_bpe *b, const pp_node *list)
{
    if (!list)
        return PP_OK;
    b->added = pp_alloc(list->n, sizeof *b->added);
    if (!b->added)
        return PP_ENOMEM;
    for (size_t i = 0; i < list->n; i++)
        PP_TRY(read_added_token(b, list->child[i]));
    for (size_t i = 1; i < b->n_added; i++) /* longest first; there are few */
        for (size_t k = i; k > 0 && b->pieces[b->added[k]].size > b->pieces[b->added[k - 1]].size; k--) {
            const uint32_t swap = b->added[k];
            b->added[k] = b->added[k - 1];
            b->added[k - 1] = swap;
        }
    return PP_OK;
}

/* ---- model ---- */

/* "left right", or a list of two. */
static pp_status merge_texts(const pp_node *node, char *line, size_t room, const char **left, const char **right)
{
    const char *text = NULL;
    if (node->kind == PP_DOC_LIST && node->n == 2) {
        PP_TRY(pp_node_text(node->child[0], "merge", left));
        return pp_node_text(node->child[1], "merge", right);
    }
    PP_TRY(pp_node_text(node, "merge", &text));
    const char *space = strchr(text, ' ');
    if (!space || strchr(space + 1, ' ') || strlen(text) >= room)
        return pp_fail_at(PP_EFORMAT, node->file, node->line, "merge '%s': expected two pieces with one space between",
                          text);
    memcpy(line, text, strlen(text) + 1);
    line[space - text] = '\0';
    *left = line;
    *right = line + (space - text) + 1;
    return PP_OK;
}

static pp_status piece_id(const pp_bpe *b, const pp_node *node, const int16_t *byte_of, const char *text, uint32_t *id)
{
    uint8_t raw[4096];
    size_t n = strlen(text);
    if (n >= sizeof raw)
        return pp_fail_at(PP_ERANGE, node->file, node->line, "a piece of a merge is longer than %zu bytes", sizeof raw);
    const size_t bytes = b->byte_level ? to_bytes(byte_of, text, raw) : 0;
    *id = pp_bpe_find_(b, bytes > 0 ? raw : (const uint8_t *)text, bytes > 0 ? bytes : n);
    if (*id == PP_NONE)
        return pp_fail_at(PP_EFORMAT, node->file, node->line, "'%s' of a merge is not in the vocabulary", text);
    return PP_OK;
}

static pp_status read_merges(pp_bpe *b, const pp_node *list)
{
    int16_t byte_of[0x200];
    byte_characters(byte_of);
    if (list->kind != PP_DOC_LIST)
        return pp_fail_at(PP_EFORMAT, list->file, list->line, "merges must be a list");
    PP_TRY(pp_bpe_merge_room_(b, list->n));
    for (size_t i = 0; i < list->n; i++) {
        char line[4096], both[8192];
        const char *left = NULL, *right = NULL;
        uint32_t ids[3];
        PP_TRY(merge_texts(list->child[i], line, sizeof line, &left, &right));
        PP_TRY(piece_id(b, list->child[i], byte_of, left, &ids[0]));
        PP_TRY(piece_id(b, list->child[i], byte_of, right, &ids[1]));
        snprintf(both, sizeof both, "%s%s", left, right);
        PP_TRY(piece_id(b, list->child[i], byte_of, both, &ids[2]));
        pp_bpe_merge_put_(b, ids[0], ids[1], (uint32_t)i, ids[2]);
    }
    return PP_OK;
}

static pp_status refuse_affix(const pp_node *model, const char *key)
{
    const pp_node *node = pp_node_get(model, key);
    const char *text = "";
    if (!absent(node))
        PP_TRY(pp_node_text(node, key, &text));
    return *text ? not_supported(node, key, text) : PP_OK;
}

static pp_status read_options(pp_bpe *b, const pp_node *model)
{
    const pp_node *unknown = pp_node_get(model, "unk_token");
    const char *text = NULL;
    PP_TRY(refuse_affix(model, "continuing_subword_prefix"));
    PP_TRY(refuse_affix(model, "end_of_word_suffix"));
    PP_TRY(get_bool(model, "fuse_unk", &b->fuse_unknown));
    PP_TRY(get_bool(model, "byte_fallback", &b->byte_fallback));
    PP_TRY(get_bool(model, "ignore_merges", &b->whole_words));
    b->unknown = PP_NONE;
    if (absent(unknown))
        return PP_OK;
    PP_TRY(pp_node_text(unknown, "unk_token", &text));
    b->unknown = pp_bpe_find_(b, (const uint8_t *)text, strlen(text));
    return PP_OK;
}

/* Tokens of the single bytes: all are needed where they are the symbols to begin with. */
static pp_status find_bytes(pp_bpe *b, const char *file)
{
    for (unsigned i = 0; i < 256; i++) {
        char name[8];
        const uint8_t byte = (uint8_t)i;
        snprintf(name, sizeof name, "<0x%02X>", i);
        b->byte_id[i] = b->byte_level ? pp_bpe_find_(b, &byte, 1) : pp_bpe_find_(b, (const uint8_t *)name, 6);
        if (b->byte_id[i] == PP_NONE && (b->byte_level || b->byte_fallback))
            return pp_fail_at(PP_EFORMAT, file, 0, "the vocabulary has no token for byte 0x%02X", i);
    }
    return PP_OK;
}

static pp_status read_model(pp_bpe *b, const pp_node *root)
{
    const pp_node *model = NULL, *vocab = NULL, *merges = NULL, *added = pp_node_get(root, "added_tokens");
    const char *type = "BPE";
    PP_TRY(pp_node_need(root, "model", &model));
    if (pp_node_get(model, "type"))
        PP_TRY(type_of(model, &type));
    if (strcmp(type, "BPE") != 0)
        return not_supported(model, "tokenizer model", type);
    PP_TRY(pp_node_need(model, "vocab", &vocab));
    PP_TRY(pp_node_need(model, "merges", &merges));
    if (vocab->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, vocab->file, vocab->line, "vocab must be a map from pieces to ids");
    PP_TRY(read_normalizer(b, pp_node_get(root, "normalizer")));
    PP_TRY(read_pre_tokenizer(b, pp_node_get(root, "pre_tokenizer")));
    PP_TRY(count_tokens(b, vocab, added));
    PP_TRY(read_vocab(b, vocab));
    PP_TRY(read_added(b, added));
    PP_TRY(pp_bpe_index_(b));
    PP_TRY(read_options(b, model));
    PP_TRY(find_bytes(b, root->file));
    return read_merges(b, merges);
}

pp_status pp_bpe_read_(pp_bpe **out, const char *path)
{
    pp_doc *doc = NULL;
    pp_bpe *b = pp_calloc(1, sizeof *b);
    pp_status status;
    *out = NULL;
    PP_GOTO(done, status, b ? PP_OK : PP_ENOMEM);
    PP_GOTO(done, status, pp_arena_new(&b->arena));
    PP_GOTO(done, status, pp_doc_read_json(&doc, path));
    PP_GOTO(done, status, read_model(b, pp_doc_root(doc)));
    *out = b;
    b = NULL;
done:
    pp_bpe_free_(b);
    pp_doc_free(doc);
    return status;
}
