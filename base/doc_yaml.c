#include "base/doc_internal.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

typedef struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one, owned; .type YAML_NO_EVENT: none */
    pp_doc_builder build;
    const char *file;
    const char *text;
    size_t size;
    unsigned depth;
} reader;

static unsigned line_of(yaml_mark_t mark)
{
    return (unsigned)mark.line + 1;
}

static pp_status fail_here(const reader *r, const char *message)
{
    return pp_fail_at(PP_EFORMAT, r->file, line_of(r->event.start_mark), "%s", message);
}

/* Errors of the byte reader have an offset, all others a mark. */
static unsigned error_line(const reader *r)
{
    if (r->parser.error != YAML_READER_ERROR)
        return line_of(r->parser.problem_mark);
    unsigned line = 1;
    for (size_t i = 0; i < r->parser.problem_offset && i < r->size; i++)
        line += r->text[i] == '\n';
    return line;
}

static pp_status fail_parser(const reader *r)
{
    if (r->parser.error == YAML_MEMORY_ERROR)
        return pp_fail(PP_ENOMEM, "%s: out of memory", r->file);
    const char *problem = r->parser.problem ? r->parser.problem : "malformed YAML";
    const char *context = r->parser.context ? r->parser.context : "";
    return pp_fail_at(PP_EFORMAT, r->file, error_line(r), "%s%s%s", problem, context[0] ? " " : "", context);
}

static pp_status next_event(reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return fail_parser(r);
    return PP_OK;
}

static pp_status refuse_anchor_and_tag(const reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return fail_here(r, "anchors are not supported");
    if (tag)
        return fail_here(r, "tags are not supported");
    return PP_OK;
}

static bool is_null_word(const char *text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static pp_status copy_scalar(reader *r, const char **text)
{
    const char *value = (const char *)r->event.data.scalar.value;
    const size_t length = r->event.data.scalar.length;
    PP_TRY(refuse_anchor_and_tag(r, r->event.data.scalar.anchor, r->event.data.scalar.tag));
    if (memchr(value, '\0', length))
        return fail_here(r, "texts with a NUL character are not supported");
    *text = pp_doc_builder_text(&r->build, value, length);
    return *text ? PP_OK : PP_ENOMEM;
}

static pp_status read_scalar(reader *r, pp_node **out)
{
    const char *text = NULL;
    PP_TRY(copy_scalar(r, &text));
    const bool quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    const bool none = !quoted && is_null_word(text);
    pp_node *node = pp_doc_builder_node(&r->build, none ? PP_DOC_NULL : PP_DOC_SCALAR, line_of(r->event.start_mark));
    if (!node)
        return PP_ENOMEM;
    node->quoted = quoted;
    node->text = none ? NULL : text;
    *out = node;
    return PP_OK;
}

static pp_status read_key(reader *r, const char **key)
{
    if (r->event.type == YAML_ALIAS_EVENT)
        return fail_here(r, "aliases are not supported");
    if (r->event.type != YAML_SCALAR_EVENT)
        return fail_here(r, "expected a word as key");
    PP_TRY(copy_scalar(r, key));
    if ((*key)[0] == '\0')
        return fail_here(r, "expected a key before ':'");
    return PP_OK;
}

static pp_status read_node(reader *r, pp_node **out);

/* Children up to the end event; the current event is the start. */
static pp_status read_children(reader *r, pp_node *container)
{
    const bool map = container->kind == PP_DOC_MAP;
    const yaml_event_type_t end = map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    const size_t first = r->build.open.len;
    for (;;) {
        const char *key = NULL;
        unsigned key_line = 0;
        pp_node *child = NULL;
        PP_TRY(next_event(r));
        if (r->event.type == end)
            return pp_doc_builder_close(&r->build, container, first);
        if (map) {
            key_line = line_of(r->event.start_mark);
            PP_TRY(read_key(r, &key));
            PP_TRY(next_event(r));
        }
        PP_TRY(read_node(r, &child));
        PP_TRY(pp_doc_builder_push(&r->build, key, key_line, child));
    }
}

static pp_status read_container(reader *r, pp_doc_kind kind, pp_node **out)
{
    if (r->depth == PP_DOC_MAX_DEPTH)
        return fail_here(r, "nested too deeply");
    pp_node *node = pp_doc_builder_node(&r->build, kind, line_of(r->event.start_mark));
    if (!node)
        return PP_ENOMEM;
    r->depth++;
    PP_TRY(read_children(r, node));
    r->depth--;
    *out = node;
    return PP_OK;
}

/* The node that begins with the current event. */
static pp_status read_node(reader *r, pp_node **out)
{
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, out);
    case YAML_SEQUENCE_START_EVENT:
        PP_TRY(refuse_anchor_and_tag(r, r->event.data.sequence_start.anchor, r->event.data.sequence_start.tag));
        return read_container(r, PP_DOC_LIST, out);
    case YAML_MAPPING_START_EVENT:
        PP_TRY(refuse_anchor_and_tag(r, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag));
        return read_container(r, PP_DOC_MAP, out);
    case YAML_ALIAS_EVENT:
        return fail_here(r, "aliases are not supported");
    default:
        return fail_here(r, "expected a value");
    }
}

static pp_status read_stream(reader *r, pp_node **root)
{
    PP_TRY(next_event(r)); /* stream start */
    PP_TRY(next_event(r));
    if (r->event.type != YAML_DOCUMENT_START_EVENT)
        return pp_fail_at(PP_EFORMAT, r->file, 1, "expected a YAML document, found nothing");
    PP_TRY(next_event(r));
    PP_TRY(read_node(r, root));
    PP_TRY(next_event(r)); /* document end */
    PP_TRY(next_event(r));
    if (r->event.type != YAML_STREAM_END_EVENT)
        return fail_here(r, "expected one document, found a second one");
    return PP_OK;
}

pp_status pp_doc_parse_yaml(pp_doc **out, const char *name, const char *text, size_t size)
{
    *out = NULL;
    if (size > PP_YAML_MAX_BYTES)
        return pp_fail(PP_ERANGE, "%s: larger than %zu bytes", name, PP_YAML_MAX_BYTES);
    reader r = {.file = name, .text = text, .size = size};
    pp_node *root = NULL;
    if (!yaml_parser_initialize(&r.parser))
        return pp_fail(PP_ENOMEM, "%s: out of memory", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    pp_status status = pp_doc_builder_begin(&r.build, name);
    if (status == PP_OK)
        status = read_stream(&r, &root);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return pp_doc_builder_end(&r.build, status, root, out);
}

pp_status pp_doc_read_yaml(pp_doc **out, const char *path)
{
    *out = NULL;
    char *text = NULL;
    size_t size = 0;
    PP_TRY(pp_file_read_text(&text, &size, path, PP_YAML_MAX_BYTES));
    const pp_status status = pp_doc_parse_yaml(out, path, text, size);
    free(text);
    return status;
}
