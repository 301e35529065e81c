/* MODEL of the command line: built-in names and paths. */
#include "workloads/lm.h"
#include "workloads/maker_internal.h"
#include "workloads/relay_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const pp_model zoo[] = {
    {.name = "resnet32-cifar10", .summary = "ResNet-32, widths 16-28-56, trained on CIFAR-10 (93.87 % top-1)"},
    {.name = "resnet32-cifar10-noise", .summary = "the same, fine-tuned under weight noise (93.22 % top-1)"},
    {.name = NULL},
};

/* In the order in which they are listed. */
static const pp_model *const tables[] = {zoo, pp_models_cnn_};
#define N_TABLES (sizeof tables / sizeof *tables)

static const pp_model *model_at(size_t i)
{
    for (size_t t = 0; t < N_TABLES; t++)
        for (const pp_model *m = tables[t]; m->name; m++)
            if (i-- == 0)
                return m;
    return NULL;
}

static const pp_model *find_model(const char *name, size_t length)
{
    const pp_model *m;
    for (size_t i = 0; (m = model_at(i)) != NULL; i++)
        if (strlen(m->name) == length && memcmp(m->name, name, length) == 0)
            return m;
    return NULL;
}

const char *pp_model_name(size_t i, const char **summary, bool *has_weights)
{
    const pp_model *m = model_at(i);
    if (!m)
        return NULL;
    if (summary)
        *summary = m->summary;
    if (has_weights)
        *has_weights = m->build == NULL;
    return m->name;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

#define PP_PACKAGE_ZOO "/usr/share/pentaprism/zoo"

/* The zoo of the tree that this program is installed in, wherever the tree was moved; *out NULL: there is none. */
static pp_status zoo_beside_program(char **out)
{
    char program[4096];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    *out = NULL;
    if (n <= 0)
        return PP_OK;
    program[n] = '\0';
    char *bin = pp_path_dir(program), *folder = bin ? pp_path_join(bin, PP_RELATIVE_ZOO) : NULL;
    free(bin);
    if (!folder)
        return PP_ENOMEM;
    if (is_folder(folder))
        *out = folder;
    else
        free(folder);
    return PP_OK;
}

pp_status pp_zoo_path(char **out, const char *file)
{
    const char *dir = getenv("PENTAPRISM_ZOO");
    char *beside = NULL;
    *out = NULL;
    if (!dir || !*dir) {
        PP_TRY(zoo_beside_program(&beside));
        dir = beside ? beside : is_folder(PP_SOURCE_ZOO) ? PP_SOURCE_ZOO : PP_INSTALL_ZOO;
        if (!is_folder(dir) && is_folder(PP_PACKAGE_ZOO)) /* Debian's package, where /proc is not mounted */
            dir = PP_PACKAGE_ZOO;
    }
    *out = pp_path_join(dir, file);
    free(beside);
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
    const char *names[256];
    size_t n = 0;
    while (n < sizeof names / sizeof *names && (names[n] = pp_model_name(n, NULL, NULL)) != NULL)
        n++;
    for (size_t i = 0; n < sizeof names / sizeof *names && (names[n] = pp_lm_name(i, NULL, NULL)) != NULL; i++)
        n++;
    if (pp_lm_is_known(name))
        return pp_fail(PP_EUNSUPPORTED, "model '%s' is a language model; expected a network of images", name);
    const char *near = pp_nearest(name, names, n);
    if (near)
        return pp_fail(PP_ENOTFOUND, "model '%s' is not known; did you mean '%s'?", name, near);
    return pp_fail(PP_ENOTFOUND, "model '%s' is neither a built-in name nor an .onnx, .tflite, .safetensors, .json or .graphml file%s", name,
                   pp_near_file(name, (char[PP_NEAR_FILE_MAX]){0}));
}

/* ---- NAME:input=HxWxC,classes=N,relays=N ---- */

/* Digits up to `end`; false: none, or above PP_DIM_MAX. */
static bool read_number(const char **at, uint32_t *out)
{
    uint64_t v = 0;
    const char *p = *at;
    while (*p >= '0' && *p <= '9' && v <= PP_DIM_MAX)
        v = v * 10 + (uint64_t)(*p++ - '0');
    bool good = p != *at && v >= 1 && v <= PP_DIM_MAX;
    *at = p;
    *out = (uint32_t)v;
    return good;
}

static bool read_shape(const char **at, pp_shape *out)
{
    if (!read_number(at, &out->h) || *(*at)++ != 'x' || !read_number(at, &out->w))
        return false;
    return *(*at)++ == 'x' && read_number(at, &out->c);
}

static bool starts(const char **at, const char *word)
{
    size_t n = strlen(word);
    bool same = strncmp(*at, word, n) == 0;
    *at += same ? n : 0;
    return same;
}

static pp_status read_options(const char *text, const char *name, pp_model_options *o)
{
    const char *at = text;
    do {
        bool good = false;
        if (o->input.h == 0 && starts(&at, "input="))
            good = read_shape(&at, &o->input);
        else if (o->classes == 0 && starts(&at, "classes="))
            good = read_number(&at, &o->classes);
        else if (o->relays == 0 && starts(&at, "relays="))
            good = read_number(&at, &o->relays) && o->relays >= 3;
        if (!good || (*at && *at != ','))
            return pp_fail(PP_EINVAL, "model '%s': expected input=HxWxC, classes=N and relays=N (from 3) behind the colon, "
                           "each at most once, sizes from 1 to %u", name, PP_DIM_MAX);
    } while (*at++ == ',');
    return PP_OK;
}

/* The name that a network carries opens it again: options that change nothing are left out. */
static char *full_name(const pp_model *m, pp_model_options *o)
{
    pp_shape i = o->input;
    if (i.h == m->input.h && i.w == m->input.w && i.c == m->input.c)
        o->input = (pp_shape){0};
    if (o->classes == m->classes)
        o->classes = 0;
    char input[48] = "", classes[32] = "", relays[32] = "";
    if (o->input.h)
        snprintf(input, sizeof input, ":input=%ux%ux%u", i.h, i.w, i.c);
    if (o->classes)
        snprintf(classes, sizeof classes, "%sclasses=%u", o->input.h ? "," : ":", o->classes);
    if (o->relays)
        snprintf(relays, sizeof relays, "%srelays=%u", o->input.h || o->classes ? "," : ":", o->relays);
    return pp_strf("%s%s%s%s", m->name, input, classes, relays);
}

static pp_status build_relayed(pp_network **out, const pp_model *m, const pp_model_options *o, uint32_t relays)
{
    PP_TRY(m->build(out, m, m->name, o));
    pp_status status = relays ? pp_network_relay_(*out, relays) : PP_OK;
    if (status != PP_OK) {
        pp_network_free(*out);
        *out = NULL;
    }
    return status;
}

/* One network has one name: relays that change nothing are left out, and N is the most neighbours that some stage
 * has in the end where that makes the same network. */
static pp_status settle_relays(const pp_model *m, pp_model_options *o, const pp_network *net)
{
    pp_network *other = NULL;
    uint32_t most = pp_network_neighbours_(net);
    if (!most)
        return PP_ENOMEM;
    PP_TRY(build_relayed(&other, m, o, 0));
    bool idle = other->n_ops == net->n_ops;
    pp_network_free(other);
    if (idle)
        o->relays = 0;
    if (idle || most >= o->relays || most < 3)
        return PP_OK;
    PP_TRY(build_relayed(&other, m, o, most));
    if (other->n_ops == net->n_ops)
        o->relays = most;
    pp_network_free(other);
    return PP_OK;
}

static pp_status build_named(pp_network **out, const pp_model *m, pp_model_options *o)
{
    PP_TRY(build_relayed(out, m, o, o->relays));
    pp_status status = o->relays ? settle_relays(m, o, *out) : PP_OK;
    char *full = status == PP_OK ? full_name(m, o) : NULL;
    if (status == PP_OK)
        status = full ? pp_network_rename_(*out, full) : PP_ENOMEM;
    free(full);
    if (status != PP_OK) {
        pp_network_free(*out);
        *out = NULL;
    }
    return status;
}

static pp_status open_built_in(pp_network **out, const pp_model *m, const char *name)
{
    pp_model_options o = {0};
    size_t length = strlen(m->name);
    if (name[length] == ':' && !m->build)
        return pp_fail(PP_EINVAL, "model '%s': %s has weights, its shapes are given", name, m->name);
    if (name[length] == ':')
        PP_TRY(read_options(name + length + 1, name, &o));
    if (!m->build)
        return open_zoo(out, name);
    return build_named(out, m, &o);
}

pp_status pp_model_open(pp_network **out, const char *name)
{
    *out = NULL;
    const pp_model *m = find_model(name, strcspn(name, ":"));
    if (m)
        return open_built_in(out, m, name);
    if (pp_model_is_onnx(name))
        return pp_network_from_onnx(out, name);
    if (ends_in(name, ".graphml"))
        return pp_network_from_tasks(out, name);
    if (ends_in(name, ".safetensors"))
        return open_safetensors(out, name);
    if (ends_in(name, ".json"))
        return pp_network_from_card(out, name);
    return unknown(name);
}
