/* Levels of a hierarchical fabric from a YAML list or from "A/B/C". */
#include "topology/topology_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One setting of a level as text, and the words in front of an error about it. */
typedef struct setting {
    const char *key, *value, *where;
} setting;

/* Knobs of section fabric that a level may have for itself; the others are the whole fabric's. */
static const char *const own_knobs[] = {"width_bits", "clock_hz",  "rate_gbps",   "lanes",       "header_bits",
                                        "wire_ps",    "router_ps", "local_ports", "local_lanes", "file"};
#define N_OWN (sizeof own_knobs / sizeof *own_knobs)

static const pp_knob *own_knob(const char *key)
{
    const pp_knob_table table = pp_fabric_knobs();
    bool own = false;
    for (size_t i = 0; i < N_OWN; i++)
        own = own || strcmp(own_knobs[i], key) == 0;
    for (size_t i = 0; own && i < table.n; i++)
        if (strcmp(table.knobs[i].name, key) == 0)
            return &table.knobs[i];
    return NULL;
}

static pp_status set_text(pp_arena *arena, const char **out, const char *value)
{
    *out = pp_arena_strdup(arena, value);
    return *out ? PP_OK : PP_ENOMEM;
}

static pp_status set_number(void *field, const pp_knob *knob, const setting *s)
{
    double real = 0.0;
    int64_t whole = 0;
    const bool is_int = knob->type == PP_KNOB_INT;
    const bool form = is_int ? pp_parse_i64(s->value, &whole) : pp_parse_f64(s->value, &real);
    if (is_int)
        real = (double)whole;
    if (!form || real < knob->min || real > knob->max)
        return pp_fail(PP_ERANGE, "%s: %s: expected %s from %.10g to %.10g, found %.40s", s->where, s->key,
                       is_int ? "an integer" : "a number", knob->min, knob->max, s->value);
    memcpy(field, is_int ? (const void *)&whole : (const void *)&real, 8);
    return PP_OK;
}

static pp_status set_knob(pp_fabric_options *o, pp_arena *arena, const pp_knob *knob, const setting *s)
{
    void *field = (char *)o + knob->offset;
    if (knob->type != PP_KNOB_TEXT)
        return set_number(field, knob, s);
    const char *text = NULL;
    PP_TRY(set_text(arena, &text, s->value));
    memcpy(field, &text, sizeof text);
    return PP_OK;
}

static pp_status set_channel(pp_fabric_options *o, const setting *s)
{
    const bool llm = strcmp(s->value, "llm") == 0;
    if (!llm && strcmp(s->value, "5g") != 0)
        return pp_fail(PP_EFORMAT, "%s: channel: expected 5g or llm, found %.40s", s->where, s->value);
    o->width_bits = llm ? 64 : 8;
    o->clock_hz = 625e6;
    o->rate_gbps = 0.0;
    return PP_OK;
}

static pp_status unknown(const pp_fabric_kind_row *row, const setting *s)
{
    return pp_fail(PP_EFORMAT, "%s: unknown key %.40s; a level of kind %s has name, gateways, channel%s%s, and width_bits, "
                   "clock_hz, rate_gbps, lanes, header_bits, wire_ps, router_ps, local_ports, local_lanes", s->where,
                   s->key, row->name, row->keys[0] ? ", " : "", row->keys);
}

/* Any setting but the kind. */
static pp_status set(pp_hier_options *h, uint32_t l, pp_arena *arena, const setting *s)
{
    pp_fabric_options *o = &h->level[l];
    const pp_fabric_kind_row *row = NULL;
    bool known = false;
    PP_TRY(pp_kind_find(&row, o->kind));
    if (strcmp(s->key, "name") == 0) {
        h->name[l] = pp_arena_strdup(arena, s->value);
        return h->name[l] ? PP_OK : PP_ENOMEM;
    }
    if (strcmp(s->key, "gateways") == 0) {
        static const pp_knob knob = {.type = PP_KNOB_INT, .min = 1, .max = 4096};
        return set_number(&h->gateways[l], &knob, s);
    }
    if (strcmp(s->key, "channel") == 0)
        return set_channel(o, s);
    const pp_status status = pp_fabric_set_shape(o, row, s->key, s->value, &known);
    if (status != PP_OK)
        return pp_fail_in(status, s->where);
    const pp_knob *knob = known ? NULL : own_knob(s->key);
    return known ? PP_OK : knob ? set_knob(o, arena, knob, s) : unknown(row, s);
}

/* Sizes of the section are those of a plain fabric: a level begins without any. */
static pp_fabric_options blank(const pp_fabric_options *options)
{
    pp_fabric_options o = *options;
    o.rows = o.cols = o.cores = o.planes = o.nodes = o.arity = o.levels = o.taper = o.interval = o.express = 0;
    o.routers = o.global = o.groups = o.degree = o.diameter = 0;
    o.level_list = NULL;
    return o;
}

static pp_status set_kind(pp_fabric_options *o, const char *where, const char *kind)
{
    const pp_fabric_kind_row *row = NULL;
    const pp_status status = pp_kind_find(&row, kind);
    if (status != PP_OK)
        return pp_fail_in(status, where);
    o->kind = row->name;
    return PP_OK;
}

/* ---- a YAML list ---- */

static pp_status level_value(const pp_node *value, const char *key, const char *where, setting *s)
{
    if (value->kind != PP_DOC_SCALAR)
        return pp_fail(PP_EFORMAT, "%s: %.40s: expected a value, found %s", where, key, pp_node_kind_text(value));
    *s = (setting){.key = key, .value = value->text, .where = where};
    return PP_OK;
}

static pp_status level_settings(pp_hier_options *h, uint32_t l, pp_arena *arena, const pp_node *node)
{
    for (int pass = 0; pass < 2; pass++) /* the channel's preset comes first: other keys change it */
        for (size_t i = 0; i < node->n; i++) {
            const bool preset = strcmp(node->key[i], "channel") == 0;
            if (strcmp(node->key[i], "kind") == 0 || preset != (pass == 0))
                continue;
            char *where = pp_strf("%s:%u: fabric.levels[%u]", node->file, node->child[i]->key_line, l);
            setting s = {0};
            pp_status status = where ? level_value(node->child[i], node->key[i], where, &s) : PP_ENOMEM;
            if (status == PP_OK)
                status = set(h, l, arena, &s);
            free(where);
            PP_TRY(status);
        }
    return PP_OK;
}

static pp_status level_of_map(pp_hier_options *h, uint32_t l, pp_arena *arena, const pp_node *node)
{
    const pp_node *kind = NULL;
    const char *text = NULL;
    if (node->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, node->file, node->line, "fabric.levels[%u]: expected a map such as "
                          "{kind: mesh, rows: 4, cols: 4}, found %s", l, pp_node_kind_text(node));
    PP_TRY(pp_node_need(node, "kind", &kind));
    PP_TRY(pp_node_text(kind, "kind", &text));
    char *where = pp_strf("%s:%u: fabric.levels[%u]", node->file, kind->line, l);
    const pp_status status = where ? set_kind(&h->level[l], where, text) : PP_ENOMEM;
    free(where);
    PP_TRY(status);
    return level_settings(h, l, arena, node);
}

static pp_status too_many(const char *where)
{
    return pp_fail(PP_EFORMAT, "%s: expected 1 to %d levels", where, PP_HIER_MAX_LEVELS);
}

static pp_status from_list(pp_hier_options *h, pp_arena *arena, const pp_fabric_options *options)
{
    const pp_node *list = options->level_list;
    char where[32] = "fabric.levels";
    if (list->n == 0 || list->n > PP_HIER_MAX_LEVELS)
        return pp_fail_in(too_many(where), list->file);
    for (uint32_t l = 0; l < list->n; l++) {
        h->level[l] = blank(options);
        PP_TRY(level_of_map(h, l, arena, list->child[l]));
    }
    h->n_levels = (uint32_t)list->n;
    return PP_OK;
}

/* ---- "kind:key=value,.../kind:..." ---- */

static pp_status level_of_text(pp_hier_options *h, uint32_t l, pp_arena *arena, char *text)
{
    char *items = strchr(text, ':'), *save = NULL;
    char where[160];
    (void)snprintf(where, sizeof where, "fabric %.100s, level %u", text, l);
    if (items)
        *items++ = '\0';
    PP_TRY(set_kind(&h->level[l], where, text));
    for (char *item = items ? strtok_r(items, ",", &save) : NULL; item; item = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(item, '=');
        if (!equals)
            return pp_fail(PP_EFORMAT, "%s: expected key=value, found %.40s", where, item);
        *equals = '\0';
        const setting s = {.key = item, .value = equals + 1, .where = where};
        PP_TRY(set(h, l, arena, &s));
    }
    return PP_OK;
}

static pp_status from_text(pp_hier_options *h, pp_arena *arena, const pp_fabric_options *options)
{
    char *text = pp_arena_strdup(arena, options->kind);
    if (!text)
        return PP_ENOMEM;
    while (text) {
        char *next = strchr(text, '/');
        if (next)
            *next++ = '\0';
        if (h->n_levels == PP_HIER_MAX_LEVELS)
            return too_many(options->kind);
        h->level[h->n_levels] = blank(options);
        PP_TRY(level_of_text(h, h->n_levels, arena, text));
        h->n_levels++;
        text = next;
    }
    return PP_OK;
}

pp_status pp_hier_parse(pp_hier_options *out, pp_arena *arena, const pp_fabric_options *options)
{
    *out = (pp_hier_options){0};
    if (options->level_list && options->level_list->kind == PP_DOC_LIST)
        return from_list(out, arena, options);
    if (pp_hier_text(options->kind))
        return from_text(out, arena, options);
    out->n_levels = 1;
    out->level[0] = *options;
    return pp_fabric_expand(&out->level[0]);
}
