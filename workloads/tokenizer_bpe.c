/* Byte-pair encoding: of the pairs of neighbours in a word, the one of lowest rank is merged, the first
 * of equals, until none is left. PAPER: sennrich2016 sec. 3.2. */
#include "workloads/tokenizer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

static size_t slots_for(size_t n)
{
    size_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

static uint64_t hash_pair(uint64_t pair)
{
    pair ^= pair >> 32;
    pair *= UINT64_C(0x9e3779b97f4a7c15);
    return pair ^ pair >> 29;
}

pp_status pp_bpe_merge_room_(pp_bpe *b, size_t n)
{
    b->n_merge_slots = slots_for(n);
    b->merges = pp_alloc(b->n_merge_slots, sizeof *b->merges);
    if (!b->merges)
        return PP_ENOMEM;
    for (size_t i = 0; i < b->n_merge_slots; i++)
        b->merges[i].pair = UINT64_MAX;
    return PP_OK;
}

static struct pp_bpe_merge *merge_slot(const pp_bpe *b, uint32_t left, uint32_t right)
{
    const uint64_t pair = (uint64_t)left << 32 | right;
    size_t i = hash_pair(pair) & (b->n_merge_slots - 1);
    while (b->merges[i].pair != UINT64_MAX && b->merges[i].pair != pair)
        i = (i + 1) & (b->n_merge_slots - 1);
    return &b->merges[i];
}

void pp_bpe_merge_put_(pp_bpe *b, uint32_t left, uint32_t right, uint32_t rank, uint32_t id)
{
    struct pp_bpe_merge *m = merge_slot(b, left, right);
    if (m->pair == UINT64_MAX) /* the first of two equal lines counts */
        *m = (struct pp_bpe_merge){(uint64_t)left << 32 | right, rank, id};
}

static size_t text_slot(const pp_bpe *b, const uint8_t *text, size_t size)
{
    size_t i = pp_fnv1a(PP_FNV_START, text, size) & (b->n_slots - 1);
    while (b->slots[i] != 0) {
        const pp_bpe_piece *p = &b->pieces[b->slots[i] - 1];
        if (p->size == size && memcmp(p->text, text, size) == 0)
            break;
        i = (i + 1) & (b->n_slots - 1);
    }
    return i;
}

uint32_t pp_bpe_find_(const pp_bpe *b, const uint8_t *text, size_t size)
{
    const uint32_t slot = b->slots[text_slot(b, text, size)];
    return slot == 0 ? PP_NONE : slot - 1;
}

pp_status pp_bpe_index_(pp_bpe *b)
{
    b->n_slots = slots_for(b->size);
    b->slots = pp_calloc(b->n_slots, sizeof *b->slots);
    if (!b->slots)
        return PP_ENOMEM;
    for (uint32_t id = 0; id < b->size; id++)
        if (b->pieces[id].text)
            b->slots[text_slot(b, b->pieces[id].text, b->pieces[id].size)] = id + 1;
    return PP_OK;
}

void pp_bpe_free_(pp_bpe *b)
{
    if (!b)
        return;
    free(b->pieces);
    free(b->added);
    free(b->slots);
    free(b->merges);
    pp_arena_free(b->arena);
    free(b);
}

/* ---- one word ---- */

typedef struct symbol {
    uint32_t id, bytes;  /* bytes of the source text */
    uint32_t prev, next; /* PP_NONE at the ends */
    bool gone;
} symbol;

typedef struct candidate {
    uint32_t rank, at, id; /* symbol `at` with its next becomes `id` */
    uint32_t left, right;  /* ids when it was put here */
} candidate;

typedef struct encoder {
    const pp_bpe *b;
    pp_token_list *out;
    const uint8_t *normal; /* the normalised text, and for each byte of it the bytes of source */
    const uint8_t *source;
    PP_VEC(symbol) symbols;
    PP_VEC(candidate) heap; /* least (rank, at) first */
} encoder;

static bool before(const candidate *x, const candidate *y)
{
    return x->rank != y->rank ? x->rank < y->rank : x->at < y->at;
}

static pp_status heap_push(encoder *e, candidate c)
{
    if (!pp_push(&e->heap, c))
        return PP_ENOMEM;
    size_t i = e->heap.len - 1;
    for (; i > 0 && before(&c, &e->heap.data[(i - 1) / 2]); i = (i - 1) / 2)
        e->heap.data[i] = e->heap.data[(i - 1) / 2];
    e->heap.data[i] = c;
    return PP_OK;
}

static candidate heap_pop(encoder *e)
{
    const candidate top = e->heap.data[0], last = e->heap.data[--e->heap.len];
    const size_t n = e->heap.len;
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < n && before(&e->heap.data[child + 1], &e->heap.data[child]))
            child++;
        if (child >= n || !before(&e->heap.data[child], &last))
            break;
        e->heap.data[i] = e->heap.data[child];
        i = child;
    }
    if (n > 0)
        e->heap.data[i] = last;
    return top;
}

static pp_status consider(encoder *e, uint32_t at)
{
    if (at == PP_NONE || e->symbols.data[at].next == PP_NONE)
        return PP_OK;
    const uint32_t left = e->symbols.data[at].id, right = e->symbols.data[e->symbols.data[at].next].id;
    const struct pp_bpe_merge *m = merge_slot(e->b, left, right);
    if (m->pair == UINT64_MAX)
        return PP_OK;
    return heap_push(e, (candidate){m->rank, at, m->id, left, right});
}

static bool stands(const encoder *e, const candidate *c)
{
    const symbol *s = &e->symbols.data[c->at];
    return !s->gone && s->id == c->left && s->next != PP_NONE && e->symbols.data[s->next].id == c->right;
}

static pp_status merge_all(encoder *e)
{
    symbol *s = e->symbols.data;
    for (uint32_t i = 0; i < e->symbols.len; i++)
        PP_TRY(consider(e, i));
    while (e->heap.len > 0) {
        const candidate c = heap_pop(e);
        if (!stands(e, &c))
            continue;
        symbol *left = &s[c.at], *right = &s[left->next];
        left->id = c.id;
        left->bytes += right->bytes;
        left->next = right->next;
        right->gone = true;
        if (left->next != PP_NONE)
            s[left->next].prev = c.at;
        PP_TRY(consider(e, left->prev));
        PP_TRY(consider(e, c.at));
    }
    return PP_OK;
}

static uint32_t source_bytes(const encoder *e, const uint8_t *text, size_t size)
{
    uint32_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += e->source[text - e->normal + (ptrdiff_t)i];
    return n;
}

static pp_status add_symbol(encoder *e, uint32_t id, uint32_t bytes)
{
    const uint32_t n = (uint32_t)e->symbols.len;
    if (n > 0 && id == e->b->unknown && e->b->fuse_unknown && e->symbols.data[n - 1].id == id) {
        e->symbols.data[n - 1].bytes += bytes;
        return PP_OK;
    }
    if (!pp_push(&e->symbols, (symbol){id, bytes, n == 0 ? PP_NONE : n - 1, PP_NONE, false}))
        return PP_ENOMEM;
    if (n > 0)
        e->symbols.data[n - 1].next = n;
    return PP_OK;
}

static pp_status add_bytes(encoder *e, const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        PP_TRY(add_symbol(e, e->b->byte_id[text[i]], source_bytes(e, text + i, 1)));
    return PP_OK;
}

static pp_status add_character(encoder *e, const uint8_t *text, size_t size, uint32_t c)
{
    const uint32_t id = pp_bpe_find_(e->b, text, size);
    if (id != PP_NONE)
        return add_symbol(e, id, source_bytes(e, text, size));
    if (e->b->byte_fallback)
        return add_bytes(e, text, size);
    if (e->b->unknown == PP_NONE)
        return pp_fail(PP_EFORMAT, "the tokenizer has no token for U+%04X and none for unknown characters", c);
    return add_symbol(e, e->b->unknown, source_bytes(e, text, size));
}

static pp_status add_characters(encoder *e, const uint8_t *text, size_t size)
{
    for (size_t at = 0, n; at < size; at += n) {
        const uint32_t c = pp_utf8_next_(text + at, size - at, &n);
        PP_TRY(add_character(e, text + at, n, c));
    }
    return PP_OK;
}

static pp_status encode_word(void *payload, const uint8_t *text, size_t size)
{
    encoder *e = payload;
    const uint32_t whole = e->b->whole_words ? pp_bpe_find_(e->b, text, size) : PP_NONE;
    if (whole != PP_NONE)
        return pp_token_add_(e->out, whole, source_bytes(e, text, size));
    e->symbols.len = 0;
    PP_TRY(e->b->byte_level ? add_bytes(e, text, size) : add_characters(e, text, size));
    PP_TRY(merge_all(e));
    for (size_t i = 0; i < e->symbols.len; i++)
        if (!e->symbols.data[i].gone)
            PP_TRY(pp_token_add_(e->out, e->symbols.data[i].id, e->symbols.data[i].bytes));
    return PP_OK;
}

/* ---- a text ---- */

static bool wants_prefix(const pp_bpe *b, const uint8_t *text, bool first)
{
    switch (b->prefix) {
    case PP_BPE_PREFIX_EACH:
        return true;
    case PP_BPE_PREFIX_FIRST:
        return first && text[0] != ' ';
    case PP_BPE_PREFIX_ALWAYS:
        return text[0] != ' ';
    default:
        return false;
    }
}

/* Normalised text (a space in front, spaces as U+2581) and its bytes of source. */
static size_t normalise(const pp_bpe *b, const uint8_t *text, size_t size, bool first, uint8_t *normal,
                        uint8_t *source)
{
    static const uint8_t meta[3] = {0xe2, 0x96, 0x81};
    size_t n = 0;
    const bool prefix = wants_prefix(b, text, first);
    for (size_t i = 0; i < size + prefix; i++) {
        const uint8_t c = prefix && i == 0 ? ' ' : text[i - prefix];
        const size_t length = b->meta && c == ' ' ? 3 : 1;
        memcpy(normal + n, length == 3 ? meta : &c, length);
        memset(source + n, 0, length);
        source[n] = !(prefix && i == 0);
        n += length;
    }
    return n;
}

static pp_status encode_part(encoder *e, const uint8_t *text, size_t size, bool first)
{
    if (size == 0)
        return PP_OK;
    uint8_t *normal = pp_alloc(3 * (size + 1), 1), *source = pp_alloc(3 * (size + 1), 1);
    pp_status status = normal && source ? PP_OK : PP_ENOMEM;
    if (status == PP_OK) {
        e->normal = normal;
        e->source = source;
        const size_t n = normalise(e->b, text, size, first, normal, source);
        status = pp_bpe_split_(&e->b->split, normal, n, encode_word, e);
    }
    free(normal);
    free(source);
    return status;
}

/* The longest added token that begins here. */
static uint32_t added_at(const pp_bpe *b, const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < b->n_added; i++) {
        const pp_bpe_piece *p = &b->pieces[b->added[i]];
        if (p->size <= size && p->text[0] == text[0] && memcmp(p->text, text, p->size) == 0)
            return b->added[i];
    }
    return PP_NONE;
}

/* Canonical composition is not carried out; text that could need it is refused rather than mistaken. */
static pp_status refuse_marks(const uint8_t *text, size_t size)
{
    for (size_t at = 0, n; at < size; at += n) {
        const uint32_t c = pp_utf8_next_(text + at, size - at, &n);
        if ((c >= 0x300 && c < 0x370) || (c >= 0x1100 && c < 0x1200))
            return pp_fail(PP_EUNSUPPORTED, "the text holds U+%04X at byte %zu, which normalisation to NFC may compose; "
                           "expected text in NFC", c, at);
    }
    return PP_OK;
}

pp_status pp_bpe_encode_(const pp_bpe *b, pp_token_list *out, const uint8_t *text, size_t size)
{
    encoder e = {.b = b, .out = out};
    pp_status status = b->nfc ? refuse_marks(text, size) : PP_OK;
    size_t begin = 0, at = 0;
    while (at < size && status == PP_OK) {
        const uint32_t id = added_at(b, text + at, size - at);
        if (id == PP_NONE) {
            at++;
            continue;
        }
        status = encode_part(&e, text + begin, at - begin, begin == 0);
        if (status == PP_OK)
            status = pp_token_add_(out, id, b->pieces[id].size);
        at += b->pieces[id].size;
        begin = at;
    }
    if (status == PP_OK)
        status = encode_part(&e, text + begin, size - begin, begin == 0);
    free(e.symbols.data);
    free(e.heap.data);
    return status;
}

/* ---- back ---- */

/* Bytes of a token; of a byte token the byte. */
static size_t piece_text(const pp_bpe *b, uint32_t id, uint8_t *byte, const uint8_t **text)
{
    const pp_bpe_piece *p = &b->pieces[id];
    unsigned value;
    char digits[8];
    *text = p->text;
    if (b->byte_fallback && p->size == 6 && memcmp(p->text, "<0x", 3) == 0) {
        memcpy(digits, p->text, 6);
        digits[6] = '\0';
        if (sscanf(digits, "<0x%2X>", &value) == 1) {
            *byte = (uint8_t)value;
            *text = byte;
            return 1;
        }
    }
    return p->size;
}

static size_t put_spaces(const pp_bpe *b, const uint8_t *text, size_t size, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        const bool meta = b->meta && i + 3 <= size && memcmp(text + i, "\xe2\x96\x81", 3) == 0;
        out[n++] = meta ? ' ' : (char)text[i];
        i += meta ? 2 : 0;
    }
    return n;
}

pp_status pp_bpe_decode_(const pp_bpe *b, char **out, size_t *size, const uint32_t *ids, size_t n)
{
    size_t room = 1, at = 0;
    uint8_t byte;
    const uint8_t *text;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= b->size || !b->pieces[ids[i]].text)
            return pp_fail(PP_ERANGE, "token %u at position %zu is not one of the tokenizer's", ids[i], i);
        room += b->pieces[ids[i]].size;
    }
    char *result = pp_alloc(room, 1);
    if (!result)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const size_t length = piece_text(b, ids[i], &byte, &text);
        at += put_spaces(b, text, length, result + at);
    }
    if (b->prefix != PP_BPE_PREFIX_NONE && at > 0 && result[0] == ' ')
        memmove(result, result + 1, --at);
    result[at] = '\0';
    *out = result;
    *size = at;
    return PP_OK;
}
