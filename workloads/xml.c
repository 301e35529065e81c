/* A reader of plain XML, forward over the text once. */
#include "workloads/xml_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *path, *at, *end;
    unsigned line, depth;
    pp_arena *arena;
    const pp_xml_handler *h;
    const char *open[PP_XML_DEPTH];
    PP_VEC(char) text;
    size_t text_at[PP_XML_DEPTH]; /* where the text of an open element begins */
} reader;

static pp_status fail(const reader *r, const char *says)
{
    return pp_fail_at(PP_EFORMAT, r->path, r->line, "%s", says);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':' || (unsigned char)c >= 0x80;
}

static void step(reader *r)
{
    r->line += *r->at == '\n';
    r->at++;
}

static void skip_space(reader *r)
{
    while (r->at < r->end && is_space(*r->at))
        step(r);
}

static bool here(const reader *r, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(r->end - r->at) >= n && memcmp(r->at, word, n) == 0;
}

/* Up to and over `word`. */
static pp_status skip_to(reader *r, const char *word)
{
    while (r->at < r->end && !here(r, word))
        step(r);
    if (r->at == r->end)
        return fail(r, "the file ends inside a comment or an instruction");
    r->at += strlen(word);
    return PP_OK;
}

static pp_status read_name(reader *r, const char **out)
{
    const char *from = r->at;
    while (r->at < r->end && is_name(*r->at))
        r->at++;
    size_t n = (size_t)(r->at - from);
    char *name = n ? pp_arena_get(r->arena, n + 1, 1) : NULL;
    if (!n)
        return fail(r, "a name is missing");
    if (!name)
        return PP_ENOMEM;
    memcpy(name, from, n);
    *out = name;
    return PP_OK;
}

/* "&lt;" and such, or a number of an ASCII character. */
static pp_status read_entity(reader *r, char *out)
{
    static const struct {
        const char *name;
        char c;
    } known[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (here(r, known[i].name)) {
            r->at += strlen(known[i].name);
            *out = known[i].c;
            return PP_OK;
        }
    }
    unsigned v = 0;
    const char *at = r->at + 2;
    for (; here(r, "&#") && at < r->end && *at >= '0' && *at <= '9' && v < 1000; at++)
        v = v * 10 + (unsigned)(*at - '0');
    if (!here(r, "&#") || at >= r->end || *at != ';' || v < 32 || v > 126)
        return fail(r, "only &lt; &gt; &amp; &quot; &apos; and numbers of ASCII characters are read");
    r->at = at + 1;
    *out = (char)v;
    return PP_OK;
}

/* Text up to one of the two ends; control characters become spaces. */
static pp_status read_text(reader *r, char end)
{
    while (r->at < r->end && *r->at != end) {
        char c = *r->at;
        if (c == '&')
            PP_TRY(read_entity(r, &c));
        else
            step(r);
        if (!pp_push(&r->text, (unsigned char)c < 32 || c == 127 ? ' ' : c))
            return PP_ENOMEM;
    }
    return PP_OK;
}

/* Text from `from` on, without the space around it, taken from the reader. */
static pp_status take_text(reader *r, size_t from, const char **out)
{
    size_t end = r->text.len;
    r->text.len = from;
    while (from < end && r->text.data[from] == ' ')
        from++;
    while (end > from && r->text.data[end - 1] == ' ')
        end--;
    char *copy = pp_arena_get(r->arena, end - from + 1, 1);
    if (!copy)
        return PP_ENOMEM;
    if (end > from)
        memcpy(copy, r->text.data + from, end - from);
    *out = copy;
    return PP_OK;
}

static pp_status read_attribute(reader *r, pp_xml_element *e)
{
    size_t from = r->text.len;
    if (e->n == PP_XML_ATTRIBUTES)
        return fail(r, "more than 16 attributes");
    PP_TRY(read_name(r, &e->key[e->n]));
    skip_space(r);
    if (r->at == r->end || *r->at != '=')
        return fail(r, "'=' is missing behind the name of an attribute");
    r->at++;
    skip_space(r);
    if (r->at == r->end || (*r->at != '"' && *r->at != '\''))
        return fail(r, "the value of an attribute must stand in quotes");
    char quote = *r->at++;
    PP_TRY(read_text(r, quote));
    if (r->at == r->end)
        return fail(r, "the file ends inside a value");
    r->at++;
    return take_text(r, from, &e->value[e->n++]);
}

static pp_status close_element(reader *r, const char *name)
{
    const char *text = NULL;
    if (r->depth == 0 || strcmp(r->open[r->depth - 1], name) != 0)
        return pp_fail_at(PP_EFORMAT, r->path, r->line, "</%.60s> closes what is not open", name);
    r->depth--;
    PP_TRY(take_text(r, r->text_at[r->depth], &text));
    return r->h->end(r->h->payload, name, text, r->line);
}

static pp_status read_start(reader *r)
{
    pp_xml_element e = {.line = r->line};
    PP_TRY(read_name(r, &e.name));
    for (skip_space(r); r->at < r->end && *r->at != '>' && *r->at != '/'; skip_space(r))
        PP_TRY(read_attribute(r, &e));
    bool empty = here(r, "/>");
    if (!empty && !here(r, ">"))
        return fail(r, "an element does not end in '>'");
    r->at += empty ? 2 : 1;
    if (r->depth == PP_XML_DEPTH)
        return fail(r, "elements inside each other more than 64 deep");
    r->open[r->depth] = e.name;
    r->text_at[r->depth++] = r->text.len;
    PP_TRY(r->h->start(r->h->payload, &e));
    return empty ? close_element(r, e.name) : PP_OK;
}

static pp_status read_end(reader *r)
{
    const char *name = NULL;
    r->at += 2;
    PP_TRY(read_name(r, &name));
    skip_space(r);
    if (!here(r, ">"))
        return fail(r, "an end does not end in '>'");
    r->at++;
    return close_element(r, name);
}

static pp_status read_markup(reader *r)
{
    if (here(r, "<!--"))
        return skip_to(r, "-->");
    if (here(r, "<?"))
        return skip_to(r, "?>");
    if (here(r, "<!"))
        return fail(r, "document types and CDATA are not read");
    if (here(r, "</"))
        return read_end(r);
    r->at++;
    return read_start(r);
}

static pp_status read_all(reader *r)
{
    bool any = false;
    while (r->at < r->end) {
        if (r->depth == 0)
            skip_space(r);
        if (r->at == r->end)
            break;
        if (*r->at == '<') {
            PP_TRY(read_markup(r));
            any = true;
        } else if (r->depth == 0) {
            return fail(r, "text outside of all elements; not an XML file");
        } else {
            PP_TRY(read_text(r, '<'));
        }
    }
    if (r->depth > 0)
        return pp_fail_at(PP_EFORMAT, r->path, r->line, "the file ends inside <%.60s>", r->open[r->depth - 1]);
    return any ? PP_OK : fail(r, "empty; not an XML file");
}

const char *pp_xml_get(const pp_xml_element *e, const char *key)
{
    for (uint32_t i = 0; i < e->n; i++)
        if (strcmp(e->key[i], key) == 0)
            return e->value[i];
    return NULL;
}

pp_status pp_xml_read(const char *path, const char *text, size_t size, pp_arena *arena, const pp_xml_handler *h)
{
    reader r = {.path = path, .at = text, .end = text + size, .line = 1, .arena = arena, .h = h};
    pp_status status = read_all(&r);
    free(r.text.data);
    return status;
}
