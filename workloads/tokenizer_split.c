/* Where byte-level tokenizers cut text into words. The patterns that are in use are alternatives in one
 * order: contraction, letters, numbers, the rest, white space; they differ in a few details, which
 * pp_bpe_split names. */
#include "workloads/tokenizer_internal.h"

#include <string.h>

uint32_t pp_utf8_next_(const uint8_t *text, size_t size, size_t *length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t a = text[0];
    const size_t n = a < 0x80 ? 1 : a >= 0xc2 && a < 0xe0 ? 2 : a >= 0xe0 && a < 0xf0 ? 3 : a >= 0xf0 && a < 0xf5 ? 4 : 0;
    uint32_t c = n <= 1 ? a : a & (0x7fu >> n);
    *length = 1;
    if (n == 0 || n > size)
        return 0xfffd;
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0xfffd;
        c = c << 6 | (text[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0xfffd;
    *length = n;
    return c;
}

size_t pp_utf8_put_(uint8_t out[4], uint32_t c)
{
    const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(n == 1 ? c : (0xf00u >> n & 0xffu) | c);
    return n;
}

typedef struct cursor {
    const uint8_t *text;
    size_t size, at;
} cursor;

enum {
    LETTER = 1,
    NUMBER = 2,
    SPACE = 4,
    LINE_END = 8, /* beside SPACE */
    OTHER = 16,
    END = 32,
};

static unsigned class_at(const cursor *c, size_t *length)
{
    *length = 0;
    if (c->at >= c->size)
        return END;
    const uint32_t u = pp_utf8_next_(c->text + c->at, c->size - c->at, length);
    if (u == '\r' || u == '\n')
        return SPACE | LINE_END;
    return pp_unicode_space_(u) ? SPACE : pp_unicode_letter_(u) ? LETTER : pp_unicode_number_(u) ? NUMBER : OTHER;
}

/* Moves over characters of any of the classes, at most `max`; how many. */
static size_t skip(cursor *c, unsigned classes, size_t max)
{
    size_t n = 0, length;
    while (n < max && (class_at(c, &length) & classes)) {
        c->at += length;
        n++;
    }
    return n;
}

/* 's 't 're 've 'm 'll 'd */
static size_t contraction(const pp_bpe_split *s, const uint8_t *text, size_t size)
{
    static const char *const ends[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (text[0] != '\'')
        return 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t n = strlen(ends[i]);
        bool same = size >= n + 1;
        for (size_t k = 0; same && k < n; k++) {
            const uint8_t x = text[1 + k];
            same = (s->any_case && x >= 'A' && x <= 'Z' ? x + 32 : x) == (uint8_t)ends[i][k];
        }
        if (same)
            return n + 1;
    }
    return 0;
}

/* An optional character before a run of `classes`. */
static size_t run_with_lead(const uint8_t *text, size_t size, unsigned lead, bool space_only, unsigned classes,
                            size_t max)
{
    cursor c = {text, size, 0};
    size_t length;
    if ((class_at(&c, &length) & lead) && (!space_only || text[0] == ' '))
        c.at = length;
    if (skip(&c, classes, max) > 0)
        return c.at;
    c.at = 0; /* without it */
    return skip(&c, classes, max) > 0 ? c.at : 0;
}

/* White space up to its last line end; else all but the last character when something follows. */
static size_t white_space(const pp_bpe_split *s, const uint8_t *text, size_t size)
{
    cursor c = {text, size, 0};
    size_t length, last = 0, line_end = 0;
    unsigned kind;
    while ((kind = class_at(&c, &length)) & SPACE) {
        last = c.at;
        c.at += length;
        if (kind & LINE_END)
            line_end = c.at;
    }
    if (s->line_ends && line_end > 0)
        return line_end;
    return kind == END || last == 0 ? c.at : last;
}

static size_t by_pattern(const pp_bpe_split *s, const uint8_t *text, size_t size)
{
    size_t n = contraction(s, text, size);
    if (n > 0)
        return n;
    const unsigned lead = s->lead_any ? SPACE | OTHER : SPACE;
    const bool line_end = text[0] == '\r' || text[0] == '\n';
    n = run_with_lead(text, size, line_end ? 0 : lead, !s->lead_any, LETTER, SIZE_MAX);
    if (n > 0)
        return n;
    n = run_with_lead(text, size, s->digits > 0 ? 0 : SPACE, true, NUMBER, s->digits > 0 ? s->digits : SIZE_MAX);
    if (n > 0)
        return n;
    n = run_with_lead(text, size, SPACE, true, OTHER, SIZE_MAX);
    if (n == 0)
        return white_space(s, text, size);
    cursor c = {text, size, n};
    if (s->line_ends)
        skip(&c, LINE_END, SIZE_MAX);
    return c.at;
}

/* Up to the next U+2581 behind the first character. */
static size_t to_next_meta(const uint8_t *text, size_t size)
{
    for (size_t i = 1; i + 3 <= size; i++)
        if (memcmp(text + i, "\xe2\x96\x81", 3) == 0)
            return i;
    return size;
}

/* Up to the next number, or one number. */
static size_t to_next_number(const uint8_t *text, size_t size)
{
    cursor c = {text, size, 0};
    size_t length;
    if (class_at(&c, &length) == NUMBER)
        return length;
    skip(&c, LETTER | SPACE | OTHER, SIZE_MAX);
    return c.at;
}

static pp_status cut_by_pattern(const pp_bpe_split *s, const uint8_t *text, size_t size, pp_bpe_word_fn word,
                                void *payload)
{
    for (size_t at = 0, n; at < size; at += n) {
        n = s->regex ? by_pattern(s, text + at, size - at) : size;
        PP_TRY(word(payload, text + at, n));
    }
    return PP_OK;
}

pp_status pp_bpe_split_(const pp_bpe_split *s, const uint8_t *text, size_t size, pp_bpe_word_fn word, void *payload)
{
    if (!s->spaces && !s->single_digits)
        return cut_by_pattern(s, text, size, word, payload);
    for (size_t at = 0, n; at < size; at += n) {
        n = s->spaces ? to_next_meta(text + at, size - at) : to_next_number(text + at, size - at);
        PP_TRY(s->spaces ? word(payload, text + at, n) : cut_by_pattern(s, text + at, n, word, payload));
    }
    return PP_OK;
}
