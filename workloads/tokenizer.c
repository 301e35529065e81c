/* Tokenizers: which one, and the common ground of encoding. */
#include "workloads/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 30)

struct pp_tokenizer {
    uint32_t size;
    pp_bpe *bpe; /* one of the two, or none: bytes */
    void *spm;
};

pp_status pp_tokenizer_bytes(pp_tokenizer **out)
{
    *out = pp_calloc(1, sizeof **out);
    if (!*out)
        return PP_ENOMEM;
    (*out)->size = 256;
    return PP_OK;
}

static bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static pp_status open_spm(pp_tokenizer *t, const char *path)
{
    char error[256] = "";
    pp_file *file = NULL;
    PP_TRY(pp_file_map(&file, path));
    t->spm = pp_spm_open_((const char *)file->data, file->size, error);
    pp_file_unmap(file);
    if (!t->spm)
        return pp_fail(PP_EFORMAT, "%s: not a SentencePiece model: %s", path, error);
    t->size = pp_spm_size_(t->spm);
    return PP_OK;
}

static pp_status open_into(pp_tokenizer *t, const char *path)
{
    if (ends_in(path, ".model"))
        return open_spm(t, path);
    if (!ends_in(path, ".json"))
        return pp_fail(PP_EINVAL, "%s: expected a tokenizer.json or a tokenizer.model", path);
    PP_TRY(pp_bpe_read_(&t->bpe, path));
    t->size = t->bpe->size;
    return PP_OK;
}

pp_status pp_tokenizer_open(pp_tokenizer **out, const char *path)
{
    *out = NULL;
    pp_tokenizer *t = pp_calloc(1, sizeof *t);
    if (!t)
        return PP_ENOMEM;
    pp_status status = open_into(t, path);
    if (status == PP_OK)
        *out = t;
    else
        pp_tokenizer_free(t);
    return status;
}

static pp_status open_in(pp_tokenizer **out, const char *folder, const char *name)
{
    char *path = pp_path_join(folder, name);
    if (!path)
        return PP_ENOMEM;
    pp_status status = pp_file_exists(path) ? pp_tokenizer_open(out, path) : PP_ENOTFOUND;
    free(path);
    return status;
}

static pp_status find(pp_tokenizer **out, const pp_lm *lm)
{
    pp_status status = open_in(out, pp_lm_folder(lm), "tokenizer.json");
    if (status == PP_ENOTFOUND)
        status = open_in(out, pp_lm_folder(lm), "tokenizer.model");
    if (status != PP_ENOTFOUND)
        return status;
    if (pp_lm_config_of(lm)->vocab == 256)
        return pp_tokenizer_bytes(out);
    return pp_fail(PP_ENOTFOUND, "%s: holds neither tokenizer.json nor tokenizer.model, and a vocabulary of %u is not "
                   "one of bytes", *pp_lm_folder(lm) ? pp_lm_folder(lm) : ".", pp_lm_config_of(lm)->vocab);
}

pp_status pp_tokenizer_for(pp_tokenizer **out, const pp_lm *lm)
{
    *out = NULL;
    PP_TRY(find(out, lm));
    pp_status status = pp_tokenizer_fits(*out, pp_lm_config_of(lm));
    if (status != PP_OK) {
        pp_tokenizer_free(*out);
        *out = NULL;
    }
    return status;
}

void pp_tokenizer_free(pp_tokenizer *t)
{
    if (!t)
        return;
    pp_bpe_free_(t->bpe);
    if (t->spm)
        pp_spm_close_(t->spm);
    free(t);
}

uint32_t pp_tokenizer_size(const pp_tokenizer *t)
{
    return t->size;
}

const char *pp_tokenizer_kind(const pp_tokenizer *t)
{
    if (t->spm)
        return "sentencepiece";
    return !t->bpe ? "bytes" : t->bpe->byte_level ? "byte-level bpe" : "character bpe";
}

pp_status pp_tokenizer_fits(const pp_tokenizer *t, const pp_lm_config *c)
{
    if (t->size <= c->vocab && c->vocab - t->size <= c->vocab / 16 + 64)
        return PP_OK;
    return pp_fail(PP_EFORMAT, "%s: the tokenizer (%s) has %u tokens, the model a vocabulary of %u; they do not belong "
                   "together", c->name, pp_tokenizer_kind(t), t->size, c->vocab);
}

/* ---- encoding ---- */

pp_status pp_token_add_(pp_token_list *list, uint32_t id, size_t bytes)
{
    if (bytes > UINT16_MAX)
        return pp_fail(PP_ERANGE, "a token stands for %zu bytes of the text; expected at most %d", bytes, UINT16_MAX);
    return pp_push(&list->ids, id) && pp_push(&list->bytes, (uint32_t)bytes) ? PP_OK : PP_ENOMEM;
}

static pp_status encode_bytes(pp_token_list *list, const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        PP_TRY(pp_token_add_(list, text[i], 1));
    return PP_OK;
}

typedef struct spm_sink {
    pp_token_list *list;
    pp_status status;
} spm_sink;

static int take_token(void *payload, uint32_t id, size_t bytes)
{
    spm_sink *sink = payload;
    sink->status = pp_token_add_(sink->list, id, bytes);
    return sink->status == PP_OK;
}

static pp_status encode_spm(const pp_tokenizer *t, pp_token_list *list, const char *text, size_t size)
{
    char error[256] = "";
    spm_sink sink = {list, PP_OK};
    const int done = pp_spm_encode_(t->spm, text, size, take_token, &sink, error);
    if (done || sink.status != PP_OK)
        return sink.status;
    return pp_fail(PP_EFORMAT, "SentencePiece cannot encode the text: %s", error);
}

/* Takes the ids; the byte counts shrink to 16 bits. */
static pp_status finish(pp_tokens *out, pp_token_list *list)
{
    out->bytes = pp_alloc(list->ids.len, sizeof *out->bytes);
    if (!out->bytes)
        return PP_ENOMEM;
    for (size_t i = 0; i < list->ids.len; i++)
        out->bytes[i] = (uint16_t)list->bytes.data[i];
    out->ids = list->ids.data;
    out->n = list->ids.len;
    list->ids.data = NULL;
    return PP_OK;
}

pp_status pp_tokenizer_encode(const pp_tokenizer *t, pp_tokens *out, const char *text, size_t size)
{
    pp_token_list list = {0};
    pp_status status;
    *out = (pp_tokens){0};
    if (size == 0)
        return pp_fail(PP_EINVAL, "the text is empty");
    if (size > TEXT_MAX)
        return pp_fail(PP_ERANGE, "the text has %zu bytes; expected at most %zu", size, TEXT_MAX);
    if (t->bpe)
        status = pp_bpe_encode_(t->bpe, &list, (const uint8_t *)text, size);
    else
        status = t->spm ? encode_spm(t, &list, text, size) : encode_bytes(&list, (const uint8_t *)text, size);
    if (status == PP_OK)
        status = finish(out, &list);
    free(list.ids.data);
    free(list.bytes.data);
    return status;
}

pp_status pp_tokenizer_encode_file(const pp_tokenizer *t, pp_tokens *out, const char *path)
{
    pp_file *file = NULL;
    *out = (pp_tokens){0};
    PP_TRY(pp_file_map(&file, path));
    pp_status status = pp_tokenizer_encode(t, out, (const char *)file->data, file->size);
    pp_file_unmap(file);
    return status == PP_OK ? PP_OK : pp_fail_in(status, path);
}

void pp_tokens_free(pp_tokens *tokens)
{
    free(tokens->ids);
    free(tokens->bytes);
    *tokens = (pp_tokens){0};
}

/* ---- decoding ---- */

typedef struct text_sink {
    char *text;
    size_t size;
} text_sink;

static int take_text(void *payload, const char *data, size_t size)
{
    text_sink *sink = payload;
    sink->text = pp_alloc(size + 1, 1);
    if (!sink->text)
        return 0;
    memcpy(sink->text, data, size);
    sink->text[size] = '\0';
    sink->size = size;
    return 1;
}

static pp_status decode_spm(const pp_tokenizer *t, text_sink *sink, const uint32_t *ids, size_t n)
{
    char error[256] = "";
    if (pp_spm_decode_(t->spm, ids, n, take_text, sink, error))
        return PP_OK;
    return *error ? pp_fail(PP_EFORMAT, "SentencePiece cannot decode the tokens: %s", error) : PP_ENOMEM;
}

static pp_status decode_bytes(text_sink *sink, const uint32_t *ids, size_t n)
{
    sink->text = pp_alloc(n + 1, 1);
    if (!sink->text)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        sink->text[i] = (char)(uint8_t)ids[i];
    sink->text[n] = '\0';
    sink->size = n;
    return PP_OK;
}

pp_status pp_tokenizer_decode(const pp_tokenizer *t, char **text, size_t *size, const uint32_t *ids, size_t n)
{
    text_sink sink = {0};
    *text = NULL;
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= t->size)
            return pp_fail(PP_ERANGE, "token %u at position %zu: the tokenizer has %u", ids[i], i, t->size);
    pp_status status;
    if (t->bpe)
        status = pp_bpe_decode_(t->bpe, &sink.text, &sink.size, ids, n);
    else
        status = t->spm ? decode_spm(t, &sink, ids, n) : decode_bytes(&sink, ids, n);
    if (status != PP_OK)
        return status;
    *text = sink.text;
    if (size)
        *size = sink.size;
    return PP_OK;
}
