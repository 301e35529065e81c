#include "base/doc_internal.h"

#include <stdlib.h>
#include <string.h>

pp_status pp_doc_builder_begin(pp_doc_builder *b, const char *name)
{
    *b = (pp_doc_builder){0};
    b->doc = pp_calloc(1, sizeof *b->doc);
    if (!b->doc || pp_arena_new(&b->doc->arena) != PP_OK)
        return PP_ENOMEM;
    b->doc->file = pp_arena_strdup(b->doc->arena, name);
    return b->doc->file ? PP_OK : PP_ENOMEM;
}

pp_status pp_doc_builder_end(pp_doc_builder *b, pp_status status, const pp_node *root, pp_doc **out)
{
    free(b->open.data);
    if (status != PP_OK) {
        pp_doc_free(b->doc);
        return status;
    }
    b->doc->root = root;
    *out = b->doc;
    return PP_OK;
}

pp_node *pp_doc_builder_node(pp_doc_builder *b, pp_doc_kind kind, unsigned line)
{
    pp_node *node = pp_arena_get(b->doc->arena, 1, sizeof *node);
    if (!node)
        return NULL;
    node->kind = kind;
    node->line = node->key_line = line;
    node->file = b->doc->file;
    return node;
}

char *pp_doc_builder_text(pp_doc_builder *b, const char *text, size_t size)
{
    char *copy = pp_arena_get(b->doc->arena, size + 1, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

pp_status pp_doc_builder_push(pp_doc_builder *b, const char *key, unsigned key_line, pp_node *node)
{
    if (key)
        node->key_line = key_line;
    return pp_push(&b->open, (pp_doc_entry){key, node}) ? PP_OK : PP_ENOMEM;
}

typedef struct ranked {
    const char *key;
    size_t index;
} ranked;

static int by_key_then_index(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    const int order = strcmp(x->key, y->key);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static pp_status check_unique(const pp_node *map, const ranked *sorted)
{
    size_t second = SIZE_MAX, first = 0; /* the first key in the file that repeats another */
    for (size_t i = 1; i < map->n; i++) {
        if (strcmp(sorted[i - 1].key, sorted[i].key) == 0 && sorted[i].index < second) {
            second = sorted[i].index;
            first = sorted[i - 1].index;
        }
    }
    if (second == SIZE_MAX)
        return PP_OK;
    return pp_fail_at(PP_EFORMAT, map->file, map->child[second]->key_line, "%.80s: given twice (first on line %u)",
                      map->key[second], map->child[first]->key_line);
}

/* Sorted ranks find duplicates and serve pp_node_get; both must not be quadratic, as vocabularies
 * have hundreds of thousands of keys. */
static pp_status rank_keys(pp_doc_builder *b, pp_node *map)
{
    map->by_key = pp_arena_get(b->doc->arena, map->n, sizeof *map->by_key);
    ranked *sorted = pp_alloc(map->n, sizeof *sorted);
    pp_status status = PP_ENOMEM;
    if (!map->by_key || !sorted)
        goto done;
    for (size_t i = 0; i < map->n; i++)
        sorted[i] = (ranked){map->key[i], i};
    qsort(sorted, map->n, sizeof *sorted, by_key_then_index);
    for (size_t i = 0; i < map->n; i++)
        map->by_key[i] = sorted[i].index;
    status = check_unique(map, sorted);
done:
    free(sorted);
    return status;
}

pp_status pp_doc_builder_close(pp_doc_builder *b, pp_node *container, size_t first)
{
    const size_t n = b->open.len - first;
    b->open.len = first;
    if (n == 0)
        return PP_OK;
    const pp_doc_entry *entries = b->open.data + first;
    container->child = pp_arena_get(b->doc->arena, n, sizeof *container->child);
    if (!container->child)
        return PP_ENOMEM;
    container->n = n;
    for (size_t i = 0; i < n; i++)
        container->child[i] = entries[i].node;
    if (container->kind != PP_DOC_MAP)
        return PP_OK;
    container->key = pp_arena_get(b->doc->arena, n, sizeof *container->key);
    if (!container->key)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        container->key[i] = entries[i].key;
    return rank_keys(b, container);
}

const pp_node *pp_doc_root(const pp_doc *doc)
{
    return doc->root;
}

void pp_doc_free(pp_doc *doc)
{
    if (!doc)
        return;
    pp_arena_free(doc->arena);
    free(doc);
}
