/* Documents: a tree read from YAML or JSON with the line of every node, and JSON for output.
 * libyaml and cJSON are seen only behind this header. */
#ifndef PP_BASE_DOC_H
#define PP_BASE_DOC_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed UTF-8 character at `text` (1 to 4, Unicode table 3-7), 0 when there is
 * none within `size` bytes. */
size_t pp_utf8_length(const unsigned char *text, size_t size);
/* Copies n bytes of text: control characters, those that turn the direction of writing, and bytes that are no UTF-8, become '?'. `to` has room for n + 1. */
void pp_utf8_clean(char *to, const unsigned char *text, size_t n);

typedef enum pp_doc_kind { PP_DOC_NULL, PP_DOC_SCALAR, PP_DOC_LIST, PP_DOC_MAP } pp_doc_kind;

/* A node; owned by its document, valid until pp_doc_free. */
typedef struct pp_node {
    pp_doc_kind kind;
    unsigned line;     /* where it begins, from 1 */
    unsigned key_line; /* child of a map: line of its key; else as `line` */
    bool quoted;       /* scalar was a quoted string ("3" is not a number then) */
    const char *text;  /* scalar: its text, UTF-8; else NULL */
    size_t n;          /* list, map: number of children */
    struct pp_node **child;
    const char **key; /* map: n keys, in file order */
    size_t *by_key;   /* map: indices of the children in the order of their keys' bytes */
    const char *file; /* for messages */
} pp_node;

typedef struct pp_doc pp_doc;

/* Reads one YAML document (anchors, aliases, tags and several documents are refused; duplicate keys
 * are errors; depth <= 64; size <= 64 MiB). Errors: "FILE:LINE: ...". An empty file is an error. The
 * caller frees *out, which is NULL after an error. */
pp_status pp_doc_read_yaml(pp_doc **out, const char *path);
/* The same from memory; `name` stands for the file in messages. */
pp_status pp_doc_parse_yaml(pp_doc **out, const char *name, const char *text, size_t size);
/* JSON (strict RFC 8259 in UTF-8; duplicate keys, lone surrogates and \u0000 are errors; depth <= 64;
 * size <= 128 MiB). Numbers, true and false are unquoted scalars with their text. */
pp_status pp_doc_read_json(pp_doc **out, const char *path);
pp_status pp_doc_parse_json(pp_doc **out, const char *name, const char *text, size_t size);
const pp_node *pp_doc_root(const pp_doc *doc);
void pp_doc_free(pp_doc *doc);

/* Child of a map; NULL when absent or `node` is not a map (or NULL). O(log n). */
const pp_node *pp_node_get(const pp_node *node, const char *key);
/* "a map", "a number", "nothing" ...: what a node is, for "found ..." in messages. */
const char *pp_node_kind_text(const pp_node *node);
/* Typed readers: fail with file, line, key and what was expected (PP_EFORMAT); *out is then left
 * alone. `what` names the node; a node NULL is reported as missing. Text is any scalar. */
pp_status pp_node_i64(const pp_node *node, const char *what, int64_t min, int64_t max, int64_t *out);
pp_status pp_node_f64(const pp_node *node, const char *what, double *out);
pp_status pp_node_bool(const pp_node *node, const char *what, bool *out);
pp_status pp_node_text(const pp_node *node, const char *what, const char **out);
/* Child `key` of map `node`, required: fails when absent. */
pp_status pp_node_need(const pp_node *node, const char *key, const pp_node **out);

/* The node as JSON on one line: unquoted scalars that are numbers, true or false as such, all others as
 * strings. New string. */
pp_status pp_node_json(char **out, const pp_node *node);

/* Number parsing shared with the knob tables: the whole text must be the (decimal) number. Expects
 * LC_NUMERIC to be "C", as it is in programs that do not call setlocale. */
bool pp_parse_i64(const char *text, int64_t *out);
bool pp_parse_f64(const char *text, double *out); /* refuses nan and inf */

/* JSON for output. Building never fails half-way: an allocation failure is remembered and reported
 * by pp_json_print (containers may then be NULL, which all functions take). Added containers belong
 * to the root and live as long. Keys and strings are copied; bytes in them that are not UTF-8 become
 * U+FFFD. Not for several threads at once. */
typedef struct pp_json pp_json;
pp_json *pp_json_object(void);
pp_json *pp_json_list(void);
void pp_json_free(pp_json *json);                              /* roots only */
pp_json *pp_json_add_object(pp_json *parent, const char *key); /* key NULL: parent is a list */
pp_json *pp_json_add_list(pp_json *parent, const char *key);
void pp_json_add_text(pp_json *parent, const char *key, const char *value); /* NULL value: null */
void pp_json_add_f64(pp_json *parent, const char *key, double value);       /* not finite: null */
void pp_json_add_i64(pp_json *parent, const char *key, int64_t value);      /* exact, all 64 bits */
void pp_json_add_bool(pp_json *parent, const char *key, bool value);
/* Text in a new string, two-space indent when `pretty`, no final newline. */
pp_status pp_json_print(char **out, const pp_json *json, bool pretty);

#endif
