/* PAPER: RFC 8259. A reader of our own and not cJSON's: cJSON keeps no lines, and takes control
 * characters, malformed UTF-8 and numbers such as 01. */
#include "base/base_internal.h"
#include "base/doc_internal.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *at, *end;
    unsigned line; /* of `at` */
    unsigned depth;
    const char *file;
    pp_doc_builder build;
} reader;

static bool at_end(const reader *r)
{
    return r->at == r->end;
}

static bool is_digit_at(const reader *r)
{
    return !at_end(r) && *r->at >= '0' && *r->at <= '9';
}

static pp_status fail_text(const reader *r, const char *message)
{
    return pp_fail_at(PP_EFORMAT, r->file, r->line, "%s", message);
}

static pp_status fail_expected(const reader *r, const char *expected)
{
    if (at_end(r))
        return pp_fail_at(PP_EFORMAT, r->file, r->line, "expected %s, found the end of the text", expected);
    const unsigned char c = (unsigned char)*r->at;
    if (c < 0x20 || c >= 0x7F)
        return pp_fail_at(PP_EFORMAT, r->file, r->line, "expected %s, found byte 0x%02X", expected, c);
    return pp_fail_at(PP_EFORMAT, r->file, r->line, "expected %s, found '%c'", expected, c);
}

static void skip_space(reader *r)
{
    for (; !at_end(r); r->at++) {
        if (*r->at == '\n')
            r->line++;
        else if (*r->at != ' ' && *r->at != '\t' && *r->at != '\r')
            return;
    }
}

static bool take(reader *r, char c)
{
    if (at_end(r) || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* The four digits of \uXXXX; `at` is behind the u. */
static bool take_hex4(reader *r, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        if (at_end(r))
            return false;
        const char c = *r->at;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            value = value << 4 | (uint32_t)(c - 'A' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}

/* Code point of \uXXXX or of a pair \uXXXX\uXXXX (RFC 8259 sec. 7). */
static pp_status take_code_point(reader *r, uint32_t *out)
{
    uint32_t low = 0;
    if (!take_hex4(r, out))
        return fail_text(r, "expected four hexadecimal digits after \\u");
    if (*out == 0)
        return fail_text(r, "texts with a NUL character are not supported");
    if (*out < 0xD800 || *out > 0xDFFF)
        return PP_OK;
    if (*out > 0xDBFF || !take(r, '\\') || !take(r, 'u') || !take_hex4(r, &low) || low < 0xDC00 || low > 0xDFFF)
        return fail_text(r, "half of a surrogate pair");
    *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
    return PP_OK;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xE0 | c >> 12);
        } else {
            *to++ = (char)(0xF0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (c & 0x3F));
    return to;
}

/* Behind a backslash. Every escape is at least as long as what it stands for. */
static pp_status take_escape(reader *r, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    uint32_t code = 0;
    if (take(r, 'u')) {
        PP_TRY(take_code_point(r, &code));
        *to = put_utf8(*to, code);
        return PP_OK;
    }
    const char *name = at_end(r) || *r->at == '\0' ? NULL : strchr(names, *r->at);
    if (!name)
        return fail_text(r, "unknown escape in a text");
    r->at++;
    *(*to)++ = values[name - names];
    return PP_OK;
}

/* Behind the opening quote: where the closing one stands, NULL when there is none. */
static const char *find_quote(const reader *r)
{
    for (const char *c = r->at; c < r->end; c++) {
        if (*c == '"')
            return c;
        if (*c == '\\')
            c++;
    }
    return NULL;
}

/* A text with its quotes; `at` is behind the opening one. */
static pp_status take_text(reader *r, const char **out)
{
    const char *quote = find_quote(r);
    if (!quote)
        return fail_text(r, "a text that does not end");
    char *to = pp_arena_get(r->build.doc->arena, (size_t)(quote - r->at) + 1, 1);
    if (!to)
        return PP_ENOMEM;
    *out = to;
    while (r->at < quote) {
        const size_t length = pp_utf8_length((const unsigned char *)r->at, (size_t)(quote - r->at));
        if (length == 0)
            return fail_text(r, "malformed UTF-8 in a text");
        if ((unsigned char)*r->at < 0x20)
            return fail_text(r, "control character in a text");
        if (take(r, '\\')) {
            PP_TRY(take_escape(r, &to));
            continue;
        }
        memcpy(to, r->at, length);
        to += length;
        r->at += length;
    }
    r->at = quote + 1;
    return PP_OK;
}

static pp_status take_digits(reader *r)
{
    if (!is_digit_at(r))
        return fail_expected(r, "a digit");
    while (is_digit_at(r))
        r->at++;
    return PP_OK;
}

/* RFC 8259 sec. 6; checks the form, the text is kept. */
static pp_status skip_number(reader *r)
{
    (void)take(r, '-');
    if (take(r, '0')) {
        if (is_digit_at(r))
            return fail_text(r, "a number with leading zeros");
    } else {
        PP_TRY(take_digits(r));
    }
    if (take(r, '.'))
        PP_TRY(take_digits(r));
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            (void)take(r, '-');
        PP_TRY(take_digits(r));
    }
    return PP_OK;
}

static bool take_word(reader *r, const char *word)
{
    const size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
        return false;
    r->at += length;
    return true;
}

static pp_status read_scalar(reader *r, pp_node *node)
{
    const char *start = r->at;
    node->kind = PP_DOC_SCALAR;
    if (take(r, '"')) {
        node->quoted = true;
        return take_text(r, &node->text);
    }
    if (take_word(r, "null")) {
        node->kind = PP_DOC_NULL;
        return PP_OK;
    }
    if (!take_word(r, "true") && !take_word(r, "false")) {
        if (!is_digit_at(r) && (at_end(r) || *r->at != '-'))
            return fail_expected(r, "a value");
        PP_TRY(skip_number(r));
    }
    node->text = pp_doc_builder_text(&r->build, start, (size_t)(r->at - start));
    return node->text ? PP_OK : PP_ENOMEM;
}

static pp_status read_value(reader *r, pp_node **out);

static pp_status read_member(reader *r, bool map)
{
    const char *key = NULL;
    pp_node *child = NULL;
    skip_space(r);
    const unsigned line = r->line;
    if (map) {
        if (!take(r, '"'))
            return fail_expected(r, "a key in quotes");
        PP_TRY(take_text(r, &key));
        skip_space(r);
        if (!take(r, ':'))
            return fail_expected(r, "':' after the key");
    }
    PP_TRY(read_value(r, &child));
    return pp_doc_builder_push(&r->build, key, line, child);
}

/* Behind the opening bracket. */
static pp_status read_members(reader *r, pp_node *container)
{
    const bool map = container->kind == PP_DOC_MAP;
    const char close = map ? '}' : ']';
    const size_t first = r->build.open.len;
    skip_space(r);
    if (take(r, close))
        return PP_OK;
    for (;;) {
        PP_TRY(read_member(r, map));
        skip_space(r);
        if (take(r, close))
            return pp_doc_builder_close(&r->build, container, first);
        if (!take(r, ','))
            return fail_expected(r, map ? "',' or '}'" : "',' or ']'");
    }
}

static pp_status read_value(reader *r, pp_node **out)
{
    skip_space(r);
    pp_node *node = pp_doc_builder_node(&r->build, PP_DOC_NULL, r->line);
    if (!node)
        return PP_ENOMEM;
    *out = node;
    const bool map = take(r, '{');
    if (!map && !take(r, '['))
        return read_scalar(r, node);
    if (r->depth == PP_DOC_MAX_DEPTH)
        return fail_text(r, "nested too deeply");
    node->kind = map ? PP_DOC_MAP : PP_DOC_LIST;
    r->depth++;
    PP_TRY(read_members(r, node));
    r->depth--;
    return PP_OK;
}

static pp_status read_document(reader *r, pp_node **root)
{
    PP_TRY(read_value(r, root));
    skip_space(r);
    return at_end(r) ? PP_OK : fail_expected(r, "the end of the text");
}

pp_status pp_doc_parse_json(pp_doc **out, const char *name, const char *text, size_t size)
{
    *out = NULL;
    if (size > PP_JSON_MAX_BYTES)
        return pp_fail(PP_ERANGE, "%s: larger than %zu bytes", name, PP_JSON_MAX_BYTES);
    reader r = {.at = text, .end = text + size, .line = 1, .file = name};
    pp_node *root = NULL;
    pp_status status = pp_doc_builder_begin(&r.build, name);
    if (status == PP_OK)
        status = read_document(&r, &root);
    return pp_doc_builder_end(&r.build, status, root, out);
}

pp_status pp_doc_read_json(pp_doc **out, const char *path)
{
    *out = NULL;
    char *text = NULL;
    size_t size = 0;
    PP_TRY(pp_file_read_text(&text, &size, path, PP_JSON_MAX_BYTES));
    const pp_status status = pp_doc_parse_json(out, path, text, size);
    free(text);
    return status;
}
