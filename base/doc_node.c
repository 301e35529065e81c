#include "base/doc.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const pp_node *pp_node_get(const pp_node *node, const char *key)
{
    if (!node || node->kind != PP_DOC_MAP)
        return NULL;
    size_t low = 0, high = node->n; /* the key, if there, has its rank in [low, high) */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const size_t index = node->by_key[middle];
        const int order = strcmp(key, node->key[index]);
        if (order == 0)
            return node->child[index];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *pp_node_kind_text(const pp_node *node)
{
    double number = 0.0;
    switch (node->kind) {
    case PP_DOC_NULL:
        return "nothing";
    case PP_DOC_LIST:
        return "a list";
    case PP_DOC_MAP:
        return "a map";
    case PP_DOC_SCALAR:
        break;
    }
    if (!node->quoted && pp_parse_f64(node->text, &number))
        return "a number";
    return "a text";
}

#define SHOWN_MAX 64

/* What stands there, for "expected ..., found ...": short scalars in full. */
static const char *shown(const pp_node *node, char buffer[SHOWN_MAX])
{
    if (node->kind != PP_DOC_SCALAR || strlen(node->text) > SHOWN_MAX - 8)
        return pp_node_kind_text(node);
    (void)snprintf(buffer, SHOWN_MAX, node->quoted ? "\"%s\"" : "%s", node->text);
    return buffer;
}

static pp_status unexpected(const pp_node *node, const char *what, const char *expected)
{
    char found[SHOWN_MAX];
    if (!node)
        return pp_fail(PP_EFORMAT, "%s: missing, expected %s", what, expected);
    return pp_fail_at(PP_EFORMAT, node->file, node->line, "%s: expected %s, found %s", what, expected,
                      shown(node, found));
}

static bool is_plain(const pp_node *node)
{
    return node && node->kind == PP_DOC_SCALAR && !node->quoted;
}

pp_status pp_node_i64(const pp_node *node, const char *what, int64_t min, int64_t max, int64_t *out)
{
    int64_t value = 0;
    if (is_plain(node) && pp_parse_i64(node->text, &value) && value >= min && value <= max) {
        *out = value;
        return PP_OK;
    }
    char expected[80];
    if (max == INT64_MAX && min == INT64_MIN)
        (void)snprintf(expected, sizeof expected, "an integer");
    else if (max == INT64_MAX)
        (void)snprintf(expected, sizeof expected, "an integer of at least %" PRId64, min);
    else
        (void)snprintf(expected, sizeof expected, "an integer from %" PRId64 " to %" PRId64, min, max);
    return unexpected(node, what, expected);
}

pp_status pp_node_f64(const pp_node *node, const char *what, double *out)
{
    if (is_plain(node) && pp_parse_f64(node->text, out))
        return PP_OK;
    return unexpected(node, what, "a number");
}

pp_status pp_node_bool(const pp_node *node, const char *what, bool *out)
{
    const bool yes = is_plain(node) && strcmp(node->text, "true") == 0;
    if (!yes && !(is_plain(node) && strcmp(node->text, "false") == 0))
        return unexpected(node, what, "true or false");
    *out = yes;
    return PP_OK;
}

pp_status pp_node_text(const pp_node *node, const char *what, const char **out)
{
    if (!node || node->kind != PP_DOC_SCALAR)
        return unexpected(node, what, "a text");
    *out = node->text;
    return PP_OK;
}

pp_status pp_node_need(const pp_node *node, const char *key, const pp_node **out)
{
    assert(node);
    if (node->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, node->file, node->line, "expected a map with %s, found %s", key,
                          pp_node_kind_text(node));
    *out = pp_node_get(node, key);
    if (!*out)
        return pp_fail_at(PP_EFORMAT, node->file, node->line, "%s: missing", key);
    return PP_OK;
}
