/* FABRIC strings: "kind[:key=value,...]" and "file:PATH". */
#include "topology/topology_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum key_type { KEY_SIZE, KEY_INT, KEY_FLAG, KEY_BOOL, KEY_DIRECTION } key_type;

/* Keys that give a fabric its shape; all other settings are knobs. */
typedef struct shape_key {
    const char *name;
    key_type type;
    size_t offset;
    int64_t max, def; /* sizes have no default: they always stand in the canonical string */
} shape_key;

#define KEY(field, type_, max_, def_) {#field, type_, offsetof(pp_fabric_options, field), max_, def_}
static const shape_key keys[] = {
    KEY(rows, KEY_SIZE, PP_FABRIC_MAX_CORES, 0),
    KEY(cols, KEY_SIZE, PP_FABRIC_MAX_CORES, 0),
    KEY(planes, KEY_SIZE, PP_FABRIC_MAX_CORES, 0),
    KEY(cores, KEY_SIZE, PP_FABRIC_MAX_CORES, 0),
    KEY(nodes, KEY_SIZE, PP_FABRIC_MAX_RADIX, 0),
    KEY(arity, KEY_SIZE, PP_FABRIC_MAX_RADIX, 0),
    KEY(levels, KEY_SIZE, PP_FABRIC_MAX_LEVELS, 0),
    KEY(taper, KEY_INT, PP_FABRIC_MAX_RADIX, 1),
    KEY(interval, KEY_SIZE, PP_FABRIC_MAX_REACH, 0),
    KEY(express, KEY_FLAG, 1, 0),
    KEY(routers, KEY_SIZE, PP_FABRIC_MAX_RADIX, 0),
    KEY(global, KEY_SIZE, PP_FABRIC_MAX_RADIX, 0),
    KEY(groups, KEY_SIZE, PP_FABRIC_MAX_CORES, 0),
    KEY(degree, KEY_SIZE, PP_FABRIC_MAX_RADIX, 0),
    KEY(diameter, KEY_SIZE, PP_FABRIC_MAX_LEVELS, 0),
    KEY(reach, KEY_INT, PP_FABRIC_MAX_REACH, 2),
    KEY(row_direction, KEY_DIRECTION, 0, 0),
    KEY(wrap, KEY_BOOL, 1, 0),
};
#define N_KEYS (sizeof keys / sizeof keys[0])
#define WORD_MAX 64

/* Whether the comma-separated `list` has the word. */
static bool listed(const char *list, const char *word)
{
    const size_t length = strlen(word);
    for (const char *c = list; *c != '\0';) {
        const size_t span = strcspn(c, ",");
        if (span == length && memcmp(c, word, length) == 0)
            return true;
        c += span + (c[span] == ',');
    }
    return false;
}

static const shape_key *find_key(const pp_fabric_kind_row *row, const char *word)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (strcmp(keys[i].name, word) == 0 && listed(row->keys, word))
            return &keys[i];
    return NULL;
}

static pp_status unknown_key(const pp_fabric_kind_row *row, const char *text, const char *word)
{
    const char *names[N_KEYS];
    size_t n = 0;
    for (size_t i = 0; i < N_KEYS; i++)
        if (listed(row->keys, keys[i].name))
            names[n++] = keys[i].name;
    const char *near = pp_nearest(word, names, n);
    if (near)
        return pp_fail(PP_EINVAL, "fabric %.120s: unknown key %s; did you mean %s?", text, word, near);
    return pp_fail(PP_EINVAL, "fabric %.120s: unknown key %s; %s has %s", text, word, row->name, row->keys);
}

static pp_status set_int(pp_fabric_options *options, const shape_key *key, const char *text, const char *value)
{
    int64_t number = 0;
    const int64_t least = key->type == KEY_FLAG ? 0 : 1;
    if (!pp_parse_i64(value, &number) || number < least || number > key->max)
        return pp_fail(PP_ERANGE, "fabric %.120s: %s: expected an integer from %lld to %lld, found %s", text, key->name,
                       (long long)least, (long long)key->max, value);
    memcpy((char *)options + key->offset, &number, sizeof number);
    return PP_OK;
}

static pp_status set_bool(pp_fabric_options *options, const shape_key *key, const char *text, const char *value)
{
    const bool yes = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
    if (!yes && strcmp(value, "0") != 0 && strcmp(value, "false") != 0)
        return pp_fail(PP_EINVAL, "fabric %.120s: %s: expected 0 or 1, found %s", text, key->name, value);
    memcpy((char *)options + key->offset, &yes, sizeof yes);
    return PP_OK;
}

static pp_status set_direction(pp_fabric_options *options, const shape_key *key, const char *value)
{
    pp_row_direction d = PP_ROWS_BOTH;
    PP_TRY(pp_row_direction_parse(&d, value));
    const char *name = pp_row_direction_name(d); /* static: nothing to own */
    memcpy((char *)options + key->offset, &name, sizeof name);
    return PP_OK;
}

static pp_status set_key(pp_fabric_options *options, const shape_key *key, const char *text, const char *value)
{
    switch (key->type) {
    case KEY_BOOL:
        return set_bool(options, key, text, value);
    case KEY_DIRECTION:
        return set_direction(options, key, value);
    default:
        return set_int(options, key, text, value);
    }
}

/* One "key=value" of `span` bytes at `c`; `seen` has a bit for each key. */
static pp_status parse_item(pp_fabric_options *options, const pp_fabric_kind_row *row, const char *text,
                            const char *c, size_t span, unsigned *seen)
{
    char item[WORD_MAX];
    if (span >= WORD_MAX)
        return pp_fail(PP_EINVAL, "fabric %.120s: %.*s... is too long", text, 20, c);
    memcpy(item, c, span);
    item[span] = '\0';
    char *equals = strchr(item, '=');
    if (!equals || equals == item)
        return pp_fail(PP_EINVAL, "fabric %.120s: expected key=value, found \"%s\"", text, item);
    *equals = '\0';
    const shape_key *key = find_key(row, item);
    if (!key)
        return unknown_key(row, text, item);
    const unsigned bit = 1U << (unsigned)(key - keys);
    if (*seen & bit)
        return pp_fail(PP_EINVAL, "fabric %.120s: %s is given twice", text, key->name);
    *seen |= bit;
    return set_key(options, key, text, equals + 1);
}

static pp_status parse_items(pp_fabric_options *options, const pp_fabric_kind_row *row, const char *text,
                             const char *items)
{
    unsigned seen = 0;
    for (const char *c = items;;) {
        const size_t span = strcspn(c, ",");
        PP_TRY(parse_item(options, row, text, c, span, &seen));
        if (c[span] == '\0')
            return PP_OK;
        c += span + 1;
    }
}

/* fabric.levels as a number, once: what the text says comes later and wins. */
static pp_status take_levels(pp_fabric_options *options)
{
    const pp_node *node = options->level_list;
    if (!node || node->kind == PP_DOC_LIST)
        return PP_OK;
    options->level_list = NULL;
    return pp_node_i64(node, "fabric.levels, a number or a list of fabrics", 0, PP_FABRIC_MAX_LEVELS, &options->levels);
}

/* Parses `text`; a file's path points into it. Leaves options alone on errors. */
static pp_status parse(pp_fabric_options *options, const char *text)
{
    if (pp_hier_text(text)) {
        options->kind = text;
        return PP_OK;
    }
    const size_t span = strcspn(text, ":");
    char name[WORD_MAX];
    (void)snprintf(name, sizeof name, "%.*s", (int)(span < WORD_MAX ? span : WORD_MAX - 1), text);
    const pp_fabric_kind_row *row = NULL;
    PP_TRY(pp_kind_find(&row, name));
    pp_fabric_options parsed = *options;
    PP_TRY(take_levels(&parsed));
    parsed.kind = row->name;
    if (strcmp(row->name, "file") == 0) {
        if (text[span] == ':')
            parsed.file = text + span + 1;
        if (!parsed.file || parsed.file[0] == '\0')
            return pp_fail(PP_EINVAL, "fabric file: expected file:PATH");
    } else if (text[span] == ':') {
        PP_TRY(parse_items(&parsed, row, text, text + span + 1));
    }
    *options = parsed;
    return PP_OK;
}

pp_status pp_fabric_parse(pp_fabric_options *options, pp_arena *arena, const char *text)
{
    const char *own = pp_arena_strdup(arena, text);
    return own ? parse(options, own) : PP_ENOMEM;
}

/* Levels set apart by "/"; a file's path may have some, too, also one whose "file:" was forgotten. */
bool pp_hier_text(const char *text)
{
    return strncmp(text, "file:", 5) != 0 && strchr(text, '/') != NULL && !pp_file_exists(text);
}

bool pp_fabric_is_hier(const pp_fabric_options *options)
{
    return (options->level_list && options->level_list->kind == PP_DOC_LIST) || pp_hier_text(options->kind);
}

pp_status pp_fabric_expand(pp_fabric_options *options)
{
    if (pp_fabric_is_hier(options))
        return pp_fail(PP_EUNSUPPORTED, "fabric of several levels: language models alone are laid on it (map, run); "
                       "give one fabric.kind here");
    return parse(options, options->kind);
}

pp_status pp_fabric_set_shape(pp_fabric_options *options, const pp_fabric_kind_row *row, const char *key,
                              const char *value, bool *known)
{
    const shape_key *k = find_key(row, key);
    *known = k != NULL;
    return k ? set_key(options, k, row->name, value) : PP_OK;
}

/* ",key=value" (or ":" before the first) behind `name`; returns the new text and frees the old one. */
static char *append(char *name, const shape_key *key, const pp_fabric_options *options)
{
    char value[WORD_MAX];
    const char *field = (const char *)options + key->offset;
    if (key->type == KEY_BOOL) {
        bool yes = false;
        memcpy(&yes, field, sizeof yes);
        (void)snprintf(value, sizeof value, "%d", yes);
        if (!yes)
            return name;
    } else if (key->type == KEY_DIRECTION) {
        const char *text = NULL;
        memcpy(&text, field, sizeof text);
        (void)snprintf(value, sizeof value, "%.32s", text);
        if (strcmp(text, pp_row_direction_name(PP_ROWS_BOTH)) == 0)
            return name;
    } else {
        int64_t number = 0;
        memcpy(&number, field, sizeof number);
        (void)snprintf(value, sizeof value, "%lld", (long long)number);
        if (number == key->def)
            return name;
    }
    char *longer = pp_strf("%s%c%s=%s", name, strchr(name, ':') ? ',' : ':', key->name, value);
    free(name);
    return longer;
}

char *pp_fabric_name(const pp_fabric_kind_row *row, const pp_fabric_options *options)
{
    if (strcmp(row->name, "file") == 0) {
        /* The file's own name: a folder would make reports differ from machine to machine. */
        char *base = pp_path_base(options->file);
        char *name = base ? pp_strf("file:%s", base) : NULL;
        free(base);
        return name;
    }
    char *name = pp_strdup(row->name);
    for (size_t i = 0; name && i < N_KEYS; i++)
        if (listed(row->keys, keys[i].name))
            name = append(name, &keys[i], options);
    return name;
}
