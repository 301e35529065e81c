/* Verifier: reads a certificate, opens what it names, and judges it. */
#include "mapper/verify_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ERRORS = 50 };

/* ---- notes ---- */

bool pp_verify_no_memory(pp_verifier *v)
{
    v->status = PP_ENOMEM;
    return false;
}

bool pp_verify_note(pp_verifier *v, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (v->error.len >= MAX_ERRORS) {
        v->unlisted++;
        return false;
    }
    char *copy = pp_strdup(text);
    if (!copy || !pp_push(&v->error, copy)) {
        free(copy);
        pp_verify_no_memory(v);
    }
    return false;
}

/* The text of the last error as a note. */
static bool note_last(pp_verifier *v)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s", pp_error_text());
    return pp_verify_note(v, "%s", text);
}

/* ---- typed reading ---- */

bool pp_verify_keys(pp_verifier *v, const pp_node *node, const char *what, const char *const *key, size_t n)
{
    if (!node || node->kind != PP_DOC_MAP)
        return pp_verify_note(v, "%s: expected an object", what);
    bool ok =
        node->n == n || pp_verify_note(v, "line %u: %s: expected %zu keys, found %zu", node->line, what, n, node->n);
    for (size_t i = 0; i < n; i++)
        if (!pp_node_get(node, key[i]))
            ok = pp_verify_note(v, "line %u: %s: key '%s' is missing", node->line, what, key[i]);
    return ok;
}

bool pp_verify_item(pp_verifier *v, const pp_node *node, const char *what, uint32_t *out)
{
    int64_t value = 0;
    *out = 0;
    if (pp_node_i64(node, what, 0, UINT32_MAX - 1, &value) != PP_OK)
        return note_last(v);
    *out = (uint32_t)value;
    return true;
}

bool pp_verify_u32(pp_verifier *v, const pp_node *map, const char *key, uint32_t *out)
{
    return pp_verify_item(v, pp_node_get(map, key), key, out);
}

bool pp_verify_text(pp_verifier *v, const pp_node *map, const char *key, const char **out)
{
    const pp_node *node = pp_node_get(map, key);
    *out = "";
    if (!node || node->kind != PP_DOC_SCALAR || !node->quoted)
        return pp_verify_note(v, "line %u: %s: expected a string", map->line, key);
    *out = node->text;
    return true;
}

const pp_node *pp_verify_list(pp_verifier *v, const pp_node *map, const char *key)
{
    const pp_node *node = pp_node_get(map, key);
    if (node && node->kind == PP_DOC_LIST)
        return node;
    pp_verify_note(v, "line %u: %s: expected a list", map->line, key);
    return NULL;
}

bool pp_verify_pair(pp_verifier *v, const pp_node *map, const char *key, uint32_t out[2])
{
    const pp_node *node = pp_verify_list(v, map, key);
    if (!node)
        return false;
    if (node->n != 2)
        return pp_verify_note(v, "line %u: %s: expected two numbers", node->line, key);
    return pp_verify_item(v, node->child[0], key, &out[0]) && pp_verify_item(v, node->child[1], key, &out[1]);
}

bool pp_verify_equal(pp_verifier *v, const pp_node *map, const char *key, uint64_t expected)
{
    int64_t found = 0;
    if (pp_node_i64(pp_node_get(map, key), key, 0, INT64_MAX, &found) != PP_OK)
        return note_last(v);
    if ((uint64_t)found == expected)
        return true;
    return pp_verify_note(v, "line %u: %s is %lld, the rules give %llu", pp_node_get(map, key)->line, key,
                          (long long)found, (unsigned long long)expected);
}

bool pp_verify_equal_text(pp_verifier *v, const pp_node *map, const char *key, const char *expected)
{
    const char *found;
    if (!pp_verify_text(v, map, key, &found))
        return false;
    if (strcmp(found, expected) == 0)
        return true;
    return pp_verify_note(v, "line %u: %s is '%s', expected '%s'", pp_node_get(map, key)->line, key, found, expected);
}

/* ---- the header ---- */

static bool is_built_in(const char *model)
{
    const char *name = "", *summary;
    bool weights;
    size_t length = strcspn(model, ":"); /* options may follow */
    for (size_t i = 0; name && (strlen(name) != length || strncmp(name, model, length) != 0); i++)
        name = pp_model_name(i, &summary, &weights);
    return name != NULL;
}

/* A path as written, or beside the certificate when there is a file: new string. */
static char *locate(const pp_verifier *v, const char *name)
{
    char *dir = pp_path_dir(v->path), *beside = dir ? pp_path_join(dir, name) : NULL;
    free(dir);
    if (beside && pp_file_exists(beside))
        return beside;
    free(beside);
    return pp_strdup(name);
}

static bool open_network(pp_verifier *v)
{
    static const char *const key[] = {"model", "weights_sha256"};
    const pp_node *node = pp_node_get(v->root, "network");
    const char *model;
    if (!pp_verify_keys(v, node, "network", key, 2) || !pp_verify_text(v, node, "model", &model))
        return false;
    char *place = is_built_in(model) ? pp_strdup(model) : locate(v, model);
    if (!place)
        return pp_verify_no_memory(v);
    pp_status status = pp_model_open(&v->net, place);
    free(place);
    if (status == PP_OK)
        status = pp_stages_build(&v->stages, v->net);
    if (status == PP_ENOMEM)
        return pp_verify_no_memory(v);
    if (status != PP_OK)
        return note_last(v);
    /* A built-in network has one name. */
    if (is_built_in(model) && strcmp(model, v->net->name) != 0 && !v->net->has_weights)
        return pp_verify_note(v, "network is '%s', its canonical name is '%s'", model, v->net->name);
    return pp_verify_equal_text(v, node, "weights_sha256", v->net->weights_sha256);
}

/* Options with every knob at its default: nothing but the name may shape the fabric. `config` owns texts. */
static pp_status build_fabric(pp_fabric **out, const char *text)
{
    const pp_knob_table table = pp_fabric_knobs();
    pp_fabric_options options;
    pp_config *config = NULL;
    pp_arena *arena = NULL;
    pp_status status;
    PP_GOTO(done, status, pp_config_new(&config, &table, 1));
    PP_GOTO(done, status, pp_config_bind(config, &table, &options));
    PP_GOTO(done, status, pp_arena_new(&arena));
    PP_GOTO(done, status, pp_fabric_parse(&options, arena, text));
    status = pp_fabric_build(out, &options);
done:
    pp_config_free(config);
    pp_arena_free(arena);
    return status;
}

/* A canonical name has one spelling; a file's canonical name is without its folder. */
static bool check_fabric_name(pp_verifier *v, const char *name)
{
    char *base = strncmp(name, "file:", 5) == 0 ? pp_path_base(name + 5) : pp_strdup(name);
    char *canonical = base && base[0] && strncmp(name, "file:", 5) == 0 ? pp_strf("file:%s", base) : pp_strdup(name);
    bool ok = canonical && base;
    if (!ok)
        pp_verify_no_memory(v);
    else if (strcmp(canonical, v->fabric->name) != 0)
        ok = pp_verify_note(v, "fabric is '%s', its canonical name is '%s'", name, v->fabric->name);
    free(base);
    free(canonical);
    return ok;
}

static bool open_fabric(pp_verifier *v)
{
    static const char *const key[] = {"name", "sha256", "cores", "channels"};
    const pp_node *node = pp_node_get(v->root, "fabric");
    const char *name;
    if (!pp_verify_keys(v, node, "fabric", key, 4) || !pp_verify_text(v, node, "name", &name))
        return false;
    bool file = strncmp(name, "file:", 5) == 0;
    char *place = file ? locate(v, name + 5) : NULL;
    char *text = file ? (place ? pp_strf("file:%s", place) : NULL) : pp_strdup(name);
    pp_status status = text ? build_fabric(&v->fabric, text) : PP_ENOMEM;
    free(place);
    free(text);
    if (status == PP_ENOMEM)
        return pp_verify_no_memory(v);
    if (status != PP_OK)
        return note_last(v);
    bool ok = check_fabric_name(v, name);
    ok = pp_verify_equal_text(v, node, "sha256", v->fabric->source_sha256) && ok;
    ok = pp_verify_equal(v, node, "cores", v->fabric->n_cores) && ok;
    return pp_verify_equal(v, node, "channels", v->fabric->n_network) && ok;
}

static bool check_arrays(pp_verifier *v)
{
    static const char *const key[] = {"rows", "cols", "weights"};
    const pp_node *node = pp_node_get(v->root, "arrays");
    if (!pp_verify_keys(v, node, "arrays", key, 3) || !pp_verify_u32(v, node, "rows", &v->rows) ||
        !pp_verify_u32(v, node, "cols", &v->cols))
        return false;
    return pp_verify_equal(v, node, "weights", (uint64_t)v->rows * v->cols);
}

static void judge(pp_verifier *v)
{
    static const char *const key[] = {"format", "certificate", "network", "arrays", "fabric",
                                      "stages", "tiles",       "flows",   "loads"};
    if (!pp_verify_keys(v, v->root, "certificate", key, 9) ||
        !pp_verify_equal_text(v, v->root, "format", "pentaprism-certificate/1"))
        return;
    if (check_arrays(v) && open_network(v) && open_fabric(v) && pp_verify_stages(v) && pp_verify_tiles(v))
        (void)pp_verify_flows(v);
}

/* ---- the verdict ---- */

static void release(pp_verifier *v)
{
    pp_network_free(v->net);
    pp_stages_free(v->stages);
    pp_fabric_free(v->fabric);
    free(v->stage);
    free(v->tile);
}

static void free_errors(pp_verifier *v)
{
    for (size_t i = 0; i < v->error.len; i++)
        free(v->error.data[i]);
    free(v->error.data);
}

static pp_status hand_over(pp_verifier *v, bool *valid, char ***errors, size_t *n_errors)
{
    if (v->unlisted && v->status == PP_OK) {
        free(v->error.data[MAX_ERRORS - 1]);
        v->error.data[MAX_ERRORS - 1] = pp_strf("and %zu more", v->unlisted + 1);
        if (!v->error.data[MAX_ERRORS - 1])
            v->status = PP_ENOMEM;
    }
    if (v->status != PP_OK) {
        free_errors(v);
        return v->status;
    }
    *valid = v->error.len == 0;
    *errors = v->error.data;
    *n_errors = v->error.len;
    return PP_OK;
}

pp_status pp_certificate_verify(const char *path, bool *valid, char ***errors, size_t *n_errors)
{
    pp_verifier v = {.path = path};
    pp_doc *doc = NULL;
    *valid = false;
    *errors = NULL;
    *n_errors = 0;
    PP_TRY(pp_doc_read_json(&doc, path));
    v.root = pp_doc_root(doc);
    judge(&v);
    release(&v);
    pp_status status = hand_over(&v, valid, errors, n_errors);
    pp_doc_free(doc);
    return status;
}
