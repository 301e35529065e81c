/* MODEL of the command line: built-in names and paths. */
#include "workloads/network_internal.h"
#include "workloads/workloads.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A network family builds from its row; NULL: weights of the zoo, NAME.json there. */
typedef struct model {
    const char *name, *summary;
    pp_status (*build)(pp_network **out, const struct model *m);
    uint32_t depth;
} model;

/* Option A shortcuts, widths of the paper: the published parameter counts. PAPER: he2015 sec. 4.2. */
static pp_status build_resnet(pp_network **out, const model *m)
{
    static const uint32_t widths[3] = {16, 32, 64};
    return pp_resnet_cifar(out, m->name, m->depth, widths, false, true);
}

static const model models[] = {
    {"resnet32-cifar10", "ResNet-32, widths 16-28-56, trained on CIFAR-10 (93.87 % top-1)", NULL, 0},
    {"resnet20", "ResNet-20 for CIFAR, widths 16-32-64, shapes only", build_resnet, 20},
    {"resnet32", "ResNet-32 for CIFAR, widths 16-32-64, shapes only", build_resnet, 32},
    {"resnet44", "ResNet-44 for CIFAR, widths 16-32-64, shapes only", build_resnet, 44},
    {"resnet56", "ResNet-56 for CIFAR, widths 16-32-64, shapes only", build_resnet, 56},
    {"resnet110", "ResNet-110 for CIFAR, widths 16-32-64, shapes only", build_resnet, 110},
};
#define N_MODELS (sizeof models / sizeof *models)

const char *pp_model_name(size_t i, const char **summary, bool *has_weights)
{
    if (i >= N_MODELS)
        return NULL;
    if (summary)
        *summary = models[i].summary;
    if (has_weights)
        *has_weights = models[i].build == NULL;
    return models[i].name;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

pp_status pp_zoo_path(char **out, const char *file)
{
    const char *dir = getenv("PENTAPRISM_ZOO");
    if (!dir || !*dir)
        dir = is_folder(PP_SOURCE_ZOO) ? PP_SOURCE_ZOO : PP_INSTALL_ZOO;
    *out = pp_path_join(dir, file);
    return *out ? PP_OK : PP_ENOMEM;
}

static pp_status open_zoo(pp_network **out, const char *name)
{
    char *path = NULL, *card = pp_strf("%s.json", name);
    if (!card)
        return PP_ENOMEM;
    pp_status status = pp_zoo_path(&path, card);
    if (status == PP_OK)
        status = pp_network_from_card(out, path);
    free(path);
    free(card);
    return status;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* The card of NAME.safetensors is NAME.json beside it; the named file wins over the card's `file`. */
static pp_status open_safetensors(pp_network **out, const char *path)
{
    size_t stem = strlen(path) - strlen(".safetensors");
    pp_file *file = NULL;
    PP_TRY(pp_file_map(&file, path)); /* a missing file is named before its card is */
    pp_file_unmap(file);
    char *card = pp_strf("%.*s.json", (int)stem, path);
    if (!card)
        return PP_ENOMEM;
    pp_status status;
    if (pp_file_exists(card))
        status = pp_network_from_card_weights(out, card, path);
    else
        status = pp_fail(PP_ENOTFOUND, "%s: no model card %s beside it", path, card);
    free(card);
    return status;
}

static pp_status unknown(const char *name)
{
    const char *names[N_MODELS];
    for (size_t i = 0; i < N_MODELS; i++)
        names[i] = models[i].name;
    const char *near = pp_nearest(name, names, N_MODELS);
    if (near)
        return pp_fail(PP_ENOTFOUND, "model '%s' is not known; did you mean '%s'?", name, near);
    return pp_fail(PP_ENOTFOUND, "model '%s' is neither a built-in name nor a .safetensors or .json file", name);
}

pp_status pp_model_open(pp_network **out, const char *name)
{
    *out = NULL;
    for (size_t i = 0; i < N_MODELS; i++)
        if (strcmp(models[i].name, name) == 0)
            return models[i].build ? models[i].build(out, &models[i]) : open_zoo(out, name);
    if (ends_in(name, ".safetensors"))
        return open_safetensors(out, name);
    if (ends_in(name, ".json"))
        return pp_network_from_card(out, name);
    return unknown(name);
}
