/* MODEL of the command line, for language models: names of the zoo, folders, llama2.c files. */
#include "workloads/lm_internal.h"
#include "workloads/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *name, *summary;
} zoo[] = {{"bytellama-7m", "byte-level Llama, 6.4 M parameters, trained (1.5609 bits per byte)"},
           {"bytellama-odd", "byte-level Llama of odd sizes, 1.5 M parameters, trained (1.6789 bits per byte)"}};
#define N_ZOO (sizeof zoo / sizeof *zoo)

static bool in_zoo(const char *model)
{
    for (size_t i = 0; i < N_ZOO; i++)
        if (strcmp(zoo[i].name, model) == 0)
            return true;
    return false;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static bool holds(const char *folder, const char *name)
{
    char *path = pp_path_join(folder, name);
    const bool there = path != NULL && pp_file_exists(path);
    free(path);
    return there;
}

/* A convolutional network that `quantize` wrote has one of the two, a language model both, or neither. */
static bool is_network(const char *folder)
{
    return holds(folder, "quant.json") && !holds(folder, "settings.json") && !holds(folder, "config.json");
}

bool pp_lm_is_model(const char *model)
{
    return in_zoo(model) || (is_folder(model) && !is_network(model)) || ends_in(model, ".bin");
}

const char *pp_lm_name(size_t i, const char **summary, bool *has_weights)
{
    if (has_weights)
        *has_weights = i < N_ZOO;
    if (i >= N_ZOO)
        return pp_lm_shape_name(i - N_ZOO, summary);
    if (summary)
        *summary = zoo[i].summary;
    return zoo[i].name;
}

static bool is_shape(const char *model)
{
    const char *name;
    for (size_t i = 0; (name = pp_lm_shape_name(i, NULL)) != NULL; i++)
        if (strcmp(name, model) == 0)
            return true;
    return false;
}

/* People keep a config.json under other names, too: the key that decides is in it, and in no model card. */
static bool says_model_type(const char *path)
{
    pp_doc *doc = NULL;
    if (pp_doc_read_json(&doc, path) != PP_OK)
        return false;
    const bool found = pp_node_get(pp_doc_root(doc), "model_type") != NULL;
    pp_doc_free(doc);
    return found;
}

static bool is_config(const char *model)
{
    return strcmp(model, "config.json") == 0 || ends_in(model, "/config.json") ||
           (ends_in(model, ".json") && says_model_type(model));
}

bool pp_lm_is_known(const char *model)
{
    return is_shape(model) || pp_lm_is_model(model) || is_config(model);
}

/* A folder that `quantize` wrote: quant/ reads its weights, its shape is known here. New path, or NULL. */
static char *quantized(const char *model)
{
    char *settings = is_folder(model) ? pp_path_join(model, "settings.json") : NULL;
    char *whole = settings != NULL && pp_file_exists(settings) ? pp_path_join(model, "quant.json") : NULL;
    free(settings);
    return whole;
}

static pp_status find_quantized(pp_lm_config *out, const char *model, const char *path)
{
    pp_doc *doc = NULL;
    const pp_node *config = NULL;
    if (!pp_file_exists(path))
        return pp_fail(PP_ENOTFOUND, "%s: the quantized model is not finished (no quant.json): run quantize again with the same settings", model);
    PP_TRY(pp_doc_read_json(&doc, path));
    pp_status status = pp_node_need(pp_doc_root(doc), "config", &config);
    if (status == PP_OK)
        status = pp_lm_config_parse(out, config);
    pp_doc_free(doc);
    return status;
}

/* Last component of the path, without slashes at its end. */
static void name_from_path(char *name, size_t size, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t begin = n;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    snprintf(name, size, "%.*s", (int)(n - begin), path + begin);
}

/* The shape of a folder whose weights cannot be read: of a family that is timed only, or because there are none. */
static pp_status find_shape(pp_lm_config *out, bool *only, const char *model)
{
    pp_doc *doc = NULL;
    pp_lm_config config = {0};
    char *path = is_folder(model) && holds(model, "config.json") ? pp_path_join(model, "config.json") : NULL;
    *only = false;
    if (path == NULL)
        return PP_OK;
    name_from_path(config.name, sizeof config.name, model);
    pp_status status = pp_doc_read_json(&doc, path);
    if (status == PP_OK)
        status = pp_hf_config_(&config, pp_doc_root(doc));
    *only = config.shapes_only || !(holds(model, "model.safetensors") || holds(model, "model.safetensors.index.json"));
    pp_doc_free(doc);
    free(path);
    if (status == PP_OK && *only)
        *out = config;
    return status;
}

pp_status pp_lm_find(pp_lm_config *out, bool *has_weights, const char *model)
{
    pp_lm *lm = NULL;
    if (has_weights)
        *has_weights = pp_lm_is_model(model);
    if (is_config(model))
        return pp_lm_config_read(out, model);
    if (!pp_lm_is_model(model))
        return pp_lm_shape(out, model);
    char *path = quantized(model);
    if (path != NULL) {
        const pp_status status = find_quantized(out, model, path);
        free(path);
        return status;
    }
    bool only = false;
    PP_TRY(find_shape(out, &only, model));
    if (only) {
        if (has_weights)
            *has_weights = false;
        return PP_OK;
    }
    PP_TRY(pp_lm_open(&lm, model));
    *out = lm->config;
    pp_lm_close(lm);
    return PP_OK;
}

const pp_lm_config *pp_lm_config_of(const pp_lm *lm)
{
    return &lm->config;
}

const char *pp_lm_folder(const pp_lm *lm)
{
    return lm->folder;
}

pp_status pp_lm_make_views_(pp_lm *lm)
{
    lm->views = pp_calloc((size_t)(lm->config.layers + 1) * PP_LM_KIND_COUNT, sizeof *lm->views);
    return lm->views ? PP_OK : PP_ENOMEM;
}

static pp_status open_path(pp_lm *lm, const char *path)
{
    name_from_path(lm->config.name, sizeof lm->config.name, path);
    if (is_folder(path)) {
        char *own = quantized(path);
        free(own);
        if (own != NULL)
            return pp_fail(PP_EUNSUPPORTED, "%s: a quantized model, where one in float is expected", path);
        if (!(lm->folder = pp_strdup(path)))
            return PP_ENOMEM;
        return pp_lm_open_hf_(lm, path);
    }
    if (is_shape(path) || is_config(path))
        return pp_fail(PP_ENOTFOUND, "%s has a shape only, no weights; expected %s, %s, or a folder with config.json and weights", path,
                       zoo[0].name, zoo[1].name);
    if (!ends_in(path, ".bin"))
        return pp_fail(PP_ENOTFOUND, "model '%s' is neither a built-in language model (%s, %s), a folder with a "
                       "config.json nor a .bin file", path, zoo[0].name, zoo[1].name);
    if (!(lm->folder = pp_path_dir(path)))
        return PP_ENOMEM;
    return pp_lm_open_bin_(lm, path);
}

static pp_status open_model(pp_lm *lm, const char *model)
{
    if (!in_zoo(model))
        return open_path(lm, model);
    char *path = NULL;
    PP_TRY(pp_zoo_path(&path, model));
    pp_status status = open_path(lm, path);
    free(path);
    return status;
}

pp_status pp_lm_open(pp_lm **out, const char *model)
{
    *out = NULL;
    pp_lm *lm = pp_calloc(1, sizeof *lm);
    if (!lm)
        return PP_ENOMEM;
    pp_status status = pp_arena_new(&lm->arena);
    if (status == PP_OK)
        status = open_model(lm, model);
    if (status != PP_OK) {
        pp_lm_close(lm);
        return status;
    }
    *out = lm;
    return PP_OK;
}

void pp_lm_close(pp_lm *lm)
{
    if (!lm)
        return;
    for (size_t i = 0; i < lm->n_shards; i++)
        pp_safetensors_close(lm->shards[i]);
    free(lm->shards);
    free(lm->shard_names);
    pp_file_unmap(lm->bin);
    free(lm->views);
    free(lm->folder);
    pp_arena_free(lm->arena);
    free(lm);
}

/* By reading, not through the map: the file need not become resident. */
static pp_status hash_file(pp_sha256 *h, const char *path)
{
    static const size_t size = 1u << 18;
    uint8_t *buffer = pp_alloc(size, 1);
    FILE *f = fopen(path, "rb");
    pp_status status = PP_OK;
    if (!buffer)
        status = PP_ENOMEM;
    else if (!f)
        status = pp_fail(PP_EIO, "%s: cannot be read", path);
    for (size_t n; status == PP_OK && (n = fread(buffer, 1, size, f)) > 0;)
        pp_sha256_add(h, buffer, n);
    if (status == PP_OK && ferror(f))
        status = pp_fail(PP_EIO, "%s: cannot be read", path);
    if (f)
        fclose(f);
    free(buffer);
    return status;
}

static pp_status hash_shard(const pp_lm *lm, size_t i, pp_sha256 *all)
{
    char hex[65];
    pp_sha256 h;
    char *path = pp_path_join(lm->folder, lm->shard_names[i]);
    if (!path)
        return PP_ENOMEM;
    pp_sha256_begin(&h);
    pp_status status = hash_file(&h, path);
    pp_sha256_end(&h, hex);
    pp_sha256_add(all, lm->shard_names[i], strlen(lm->shard_names[i]) + 1);
    pp_sha256_add(all, hex, 64);
    free(path);
    return status;
}

pp_status pp_lm_sha256(const pp_lm *lm, char hex[65])
{
    pp_sha256 all;
    pp_sha256_begin(&all);
    pp_status status = PP_OK;
    if (lm->bin)
        status = hash_file(&all, lm->bin->path);
    for (size_t i = 0; i < lm->n_shards && status == PP_OK; i++)
        status = hash_shard(lm, i, &all);
    pp_sha256_end(&all, hex);
    return status;
}
