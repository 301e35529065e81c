#include "base/base_internal.h"
#include "base/doc.h"
#include "base/mem.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A container. Handles of the inner ones hang on a list at the root, which frees them. */
struct pp_json {
    cJSON *item;
    pp_json *root;
    pp_json *next;
    bool failed; /* of the root: an allocation failed */
};

static pp_json *make_root(cJSON *item)
{
    pp_json *json = pp_calloc(1, sizeof *json);
    if (!json || !item) {
        cJSON_Delete(item);
        free(json);
        return NULL;
    }
    json->item = item;
    json->root = json;
    return json;
}

pp_json *pp_json_object(void)
{
    return make_root(cJSON_CreateObject());
}

pp_json *pp_json_list(void)
{
    return make_root(cJSON_CreateArray());
}

void pp_json_free(pp_json *json)
{
    if (!json)
        return;
    cJSON_Delete(json->item);
    while (json) {
        pp_json *next = json->next;
        free(json);
        json = next;
    }
}

/* Copy of `text` in well-formed UTF-8: every byte that is not becomes U+FFFD. */
static char *clean_copy(const char *text)
{
    const size_t size = strlen(text);
    char *copy = pp_alloc(size + 1, 3);
    if (!copy)
        return NULL;
    char *to = copy;
    for (size_t i = 0; i < size;) {
        const size_t length = pp_utf8_length((const unsigned char *)text + i, size - i);
        const char *from = length > 0 ? text + i : "\xEF\xBF\xBD";
        const size_t bytes = length > 0 ? length : 3;
        memcpy(to, from, bytes);
        to += bytes;
        i += length > 0 ? length : 1;
    }
    *to = '\0';
    return copy;
}

static bool attach(pp_json *parent, const char *key, cJSON *item)
{
    if (!key)
        return cJSON_AddItemToArray(parent->item, item) != 0;
    char *name = clean_copy(key);
    const bool added = name && cJSON_AddItemToObject(parent->item, name, item);
    free(name);
    return added;
}

/* Takes `item`; NULL stands for a failed allocation. */
static bool add(pp_json *parent, const char *key, cJSON *item)
{
    if (parent && item && attach(parent, key, item))
        return true;
    cJSON_Delete(item);
    if (parent)
        parent->root->failed = true;
    return false;
}

static pp_json *add_container(pp_json *parent, const char *key, cJSON *item)
{
    pp_json *json = parent ? pp_calloc(1, sizeof *json) : NULL;
    if (!json) {
        cJSON_Delete(item);
        item = NULL;
    }
    if (!add(parent, key, item)) {
        free(json);
        return NULL;
    }
    *json = (pp_json){.item = item, .root = parent->root, .next = parent->root->next};
    parent->root->next = json;
    return json;
}

pp_json *pp_json_add_object(pp_json *parent, const char *key)
{
    return add_container(parent, key, cJSON_CreateObject());
}

pp_json *pp_json_add_list(pp_json *parent, const char *key)
{
    return add_container(parent, key, cJSON_CreateArray());
}

void pp_json_add_text(pp_json *parent, const char *key, const char *value)
{
    if (!value) {
        add(parent, key, cJSON_CreateNull());
        return;
    }
    char *copy = clean_copy(value);
    add(parent, key, copy ? cJSON_CreateString(copy) : NULL);
    free(copy);
}

/* Numbers go in as text: cJSON's own are doubles with up to 17 digits, also for 0.1. */
void pp_json_add_f64(pp_json *parent, const char *key, double value)
{
    char text[PP_F64_TEXT_MAX] = "null";
    if (isfinite(value))
        pp_f64_text(value, text);
    add(parent, key, cJSON_CreateRaw(text));
}

void pp_json_add_i64(pp_json *parent, const char *key, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    add(parent, key, cJSON_CreateRaw(text));
}

void pp_json_add_bool(pp_json *parent, const char *key, bool value)
{
    add(parent, key, cJSON_CreateBool(value));
}

/* cJSON indents with tabs and puts one after each colon; tabs in strings are escaped, so every tab
 * is one of these. `to` NULL only counts. Returns the length. */
static size_t replace_tabs(char *to, const char *from)
{
    size_t n = 0;
    for (const char *c = from; *c != '\0'; c++) {
        const bool tab = *c == '\t';
        const bool after_colon = tab && c > from && c[-1] == ':';
        if (to)
            to[n] = tab ? ' ' : *c;
        n++;
        if (tab && !after_colon) {
            if (to)
                to[n] = ' ';
            n++;
        }
    }
    return n;
}

pp_status pp_json_print(char **out, const pp_json *json, bool pretty)
{
    *out = NULL;
    if (!json || json->root->failed)
        return pp_fail(PP_ENOMEM, "out of memory for a JSON text");
    char *raw = pretty ? cJSON_Print(json->item) : cJSON_PrintUnformatted(json->item);
    if (!raw)
        return pp_fail(PP_ENOMEM, "out of memory for a JSON text");
    if (pretty) {
        *out = pp_calloc(replace_tabs(NULL, raw) + 1, 1);
        if (*out)
            (void)replace_tabs(*out, raw);
    } else {
        *out = pp_strdup(raw);
    }
    cJSON_free(raw);
    return *out ? PP_OK : PP_ENOMEM;
}
