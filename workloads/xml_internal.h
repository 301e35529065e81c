/* The part of XML that data files use: elements, attributes, text, comments. No document types, so nothing is expanded
 * but the five named characters and numbers. */
#ifndef PP_WORKLOADS_XML_H
#define PP_WORKLOADS_XML_H

#include "base/base.h"

enum { PP_XML_ATTRIBUTES = 16, PP_XML_DEPTH = 64 };

typedef struct pp_xml_element {
    const char *name;
    unsigned line;
    uint32_t n;
    const char *key[PP_XML_ATTRIBUTES], *value[PP_XML_ATTRIBUTES];
} pp_xml_element;

/* Value of an attribute; NULL: not given. */
const char *pp_xml_get(const pp_xml_element *e, const char *key);

/* Called at each start of an element, and at its end with the text that it holds directly. Names and values live as
 * long as the arena. */
typedef struct pp_xml_handler {
    pp_status (*start)(void *payload, const pp_xml_element *e);
    pp_status (*end)(void *payload, const char *name, const char *text, unsigned line);
    void *payload;
} pp_xml_handler;

/* Reads a whole document; errors name file and line. Depth at most 64, 16 attributes an element. */
pp_status pp_xml_read(const char *path, const char *text, size_t size, pp_arena *arena, const pp_xml_handler *h);

#endif
