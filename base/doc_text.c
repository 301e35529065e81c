/* A node back as text: canonical JSON on one line. */
#include "base/doc.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool is_bare(const pp_node *node)
{
    double value;
    return !node->quoted && (pp_parse_f64(node->text, &value) || strcmp(node->text, "true") == 0 ||
                             strcmp(node->text, "false") == 0);
}

/* Numbers go through the JSON writer as numbers, so that 1e3 and 1000 read alike. */
static void add_scalar(pp_json *parent, const char *key, const pp_node *node)
{
    int64_t whole;
    double real;
    if (!is_bare(node))
        pp_json_add_text(parent, key, node->text);
    else if (pp_parse_i64(node->text, &whole))
        pp_json_add_i64(parent, key, whole);
    else if (pp_parse_f64(node->text, &real))
        pp_json_add_f64(parent, key, real);
    else
        pp_json_add_bool(parent, key, node->text[0] == 't');
}

/* Depth is bounded by the reader's. */
static void add(pp_json *parent, const char *key, const pp_node *node)
{
    if (node->kind == PP_DOC_SCALAR) {
        add_scalar(parent, key, node);
    } else if (node->kind == PP_DOC_NULL) {
        pp_json_add_text(parent, key, NULL);
    } else {
        pp_json *own = node->kind == PP_DOC_MAP ? pp_json_add_object(parent, key) : pp_json_add_list(parent, key);
        for (size_t i = 0; i < node->n; i++)
            add(own, node->kind == PP_DOC_MAP ? node->key[i] : NULL, node->child[i]);
    }
}

/* The writer begins with a container: the node is put into a list and taken out of its text again. */
pp_status pp_node_json(char **out, const pp_node *node)
{
    char *text = NULL;
    *out = NULL;
    pp_json *list = pp_json_list();
    if (list)
        add(list, NULL, node);
    pp_status status = list ? pp_json_print(&text, list, false) : PP_ENOMEM;
    pp_json_free(list);
    if (status != PP_OK)
        return status;
    const size_t n = strlen(text);
    memmove(text, text + 1, n - 2);
    text[n - 2] = '\0';
    *out = text;
    return PP_OK;
}
