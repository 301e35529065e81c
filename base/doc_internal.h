/* How the YAML and the JSON reader build a document. */
#ifndef PP_BASE_DOC_INTERNAL_H
#define PP_BASE_DOC_INTERNAL_H

#include "base/doc.h"
#include "base/mem.h"

#define PP_DOC_MAX_DEPTH 64 /* containers within each other */
#define PP_YAML_MAX_BYTES ((size_t)64 << 20)
#define PP_JSON_MAX_BYTES ((size_t)128 << 20)

struct pp_doc {
    pp_arena *arena; /* nodes and all their texts */
    const char *file;
    const pp_node *root;
};

/* A child waiting for the end of its container. */
typedef struct pp_doc_entry {
    const char *key; /* NULL in lists */
    pp_node *node;
} pp_doc_entry;

/* Containers are filled from a stack: the children of the innermost open one lie on top, and move
 * into arrays of the right size when it ends. */
typedef struct pp_doc_builder {
    pp_doc *doc;
    PP_VEC(pp_doc_entry) open;
} pp_doc_builder;

pp_status pp_doc_builder_begin(pp_doc_builder *b, const char *name);
/* Frees what is left; on PP_OK the document, with `root`, goes to *out. Returns `status`. */
pp_status pp_doc_builder_end(pp_doc_builder *b, pp_status status, const pp_node *root, pp_doc **out);
/* New node without children or text; NULL when memory ran out. */
pp_node *pp_doc_builder_node(pp_doc_builder *b, pp_doc_kind kind, unsigned line);
/* `size` bytes of `text` as a string of the document; NULL when memory ran out. */
char *pp_doc_builder_text(pp_doc_builder *b, const char *text, size_t size);
/* Puts a child on the stack; key NULL in lists. */
pp_status pp_doc_builder_push(pp_doc_builder *b, const char *key, unsigned key_line, pp_node *node);
/* Moves the entries from `first` on into `container`; a key that is there twice is an error. */
pp_status pp_doc_builder_close(pp_doc_builder *b, pp_node *container, size_t first);

#endif
