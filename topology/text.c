/* Text that grows, for the writers. */
#include "topology/topology_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool reserve(pp_text *t, size_t more)
{
    if (t->failed)
        return false;
    if (t->cap - t->len > more)
        return true;
    const size_t cap = 2 * (t->len + more) + 256;
    char *data = pp_realloc(t->data, cap, 1);
    t->failed = !data;
    if (data) {
        t->data = data;
        t->cap = cap;
    }
    return data != NULL;
}

void pp_text_add(pp_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && reserve(t, (size_t)n + 1)) {
        (void)vsnprintf(t->data + t->len, t->cap - t->len, format, again);
        t->len += (size_t)n;
    }
    va_end(again);
}

void pp_text_add_xml(pp_text *t, const char *word)
{
    for (const char *c = word; *c != '\0'; c++)
        switch (*c) {
        case '&':
            pp_text_add(t, "&amp;");
            break;
        case '<':
            pp_text_add(t, "&lt;");
            break;
        case '>':
            pp_text_add(t, "&gt;");
            break;
        case '"':
            pp_text_add(t, "&quot;");
            break;
        case '\'':
            pp_text_add(t, "&#39;");
            break;
        default:
            pp_text_add(t, "%c", *c);
        }
}

pp_status pp_text_write(pp_text *t, const char *path, bool force)
{
    const pp_status status = t->failed ? PP_ENOMEM : pp_output_write(path, t->data, t->len, force);
    free(t->data);
    *t = (pp_text){0};
    return status;
}
