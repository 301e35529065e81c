/* Data sets: from their names and paths, and scaled for a network. */
#include "workloads/dataset_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *name, *zoo, *path; /* a file of the zoo, or an absolute path */
} known[] = {
    {"cifar10-test-1000", "cifar10-test-1000.bin", NULL},
    {"cifar10-calib", "cifar10-calib-512.bin", NULL},
    {"fashion-mnist", NULL, PP_FASHION_MNIST "/t10k-images-idx3-ubyte.gz"},
    {"fashion-mnist-train", NULL, PP_FASHION_MNIST "/train-images-idx3-ubyte.gz"},
};

pp_status pp_dataset_allocate_(pp_dataset *data, const char *path, uint32_t n)
{
    data->n = n;
    data->name = pp_path_base(path);
    data->pixels = pp_alloc(n, (size_t)data->h * data->w * data->c);
    data->labels = pp_calloc(n, sizeof *data->labels);
    return data->name && data->pixels && data->labels ? PP_OK : PP_ENOMEM;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static pp_status read_folder(pp_dataset *data, const char *path, const pp_shape *size, uint32_t limit)
{
    char *file = pp_path_join(path, "test_batch.bin");
    pp_status status = PP_ENOMEM;
    if (file && pp_file_exists(file) && !size->h)
        status = pp_cifar_read_(data, file, limit);
    else if (file)
        status = pp_folder_read_(data, path, size, limit);
    free(file);
    return status;
}

/* FOLDER:size=HxW. *taken false: it is nothing of that kind. */
static pp_status read_sized(pp_dataset *data, const char *text, uint32_t limit, bool *taken)
{
    const char *at = strstr(text, ":size=");
    char *path = at ? pp_strf("%.*s", (int)(at - text), text) : NULL, *end = NULL;
    pp_status status = PP_OK;
    *taken = path && is_folder(path);
    if (*taken) {
        const char *h = at + strlen(":size=");
        unsigned long y = strtoul(h, &end, 10), x = *end == 'x' ? strtoul(end + 1, &end, 10) : 0;
        const pp_shape size = {.h = (uint32_t)y, .w = (uint32_t)x};
        bool good = *h >= '0' && *h <= '9' && *end == '\0' && y >= 1 && x >= 1 && y <= 4096 && x <= 4096;
        status = good ? read_folder(data, path, &size, limit)
                      : pp_fail(PP_EINVAL, "data '%s': expected size=HxW of 1 to 4096 behind the colon", text);
    }
    free(path);
    return at && !path ? PP_ENOMEM : status;
}

static pp_status read_path(pp_dataset *data, const char *path, uint32_t limit)
{
    bool taken = false;
    if (is_folder(path))
        return read_folder(data, path, &(const pp_shape){0}, limit);
    PP_TRY(read_sized(data, path, limit, &taken));
    if (taken)
        return PP_OK;
    if (strstr(path, "-idx3-") || strstr(path, "-idx1-"))
        return pp_idx_read_(data, path, limit);
    if (ends_in(path, ".bin"))
        return pp_cifar_read_(data, path, limit);
    return pp_fail(PP_EINVAL,
                   "data '%s' is neither cifar10-test-1000, cifar10-calib, fashion-mnist, fashion-mnist-train nor a "
                   "CIFAR-10 .bin file, a folder with test_batch.bin or images, or an IDX file (...-images-idx3-ubyte)%s",
                   path, pp_hint(path, "cifar10-test-1000 cifar10-calib fashion-mnist fashion-mnist-train", (char[PP_HINT_MAX]){0}));
}

static pp_status read_any(pp_dataset *data, const char *name, uint32_t limit)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) != 0)
            continue;
        char *zoo = NULL;
        if (known[i].zoo)
            PP_TRY(pp_zoo_path(&zoo, known[i].zoo));
        else if (!pp_file_exists(known[i].path))
            return pp_fail(PP_ENOTFOUND, "%s: no such file; Debian's package dataset-fashion-mnist holds it",
                           known[i].path);
        pp_status status = read_path(data, zoo ? zoo : known[i].path, limit);
        free(zoo);
        return status;
    }
    return read_path(data, name, limit);
}

pp_status pp_dataset_open(pp_dataset **out, const char *data, uint32_t limit)
{
    *out = NULL;
    pp_dataset *d = pp_calloc(1, sizeof *d);
    if (!d)
        return PP_ENOMEM;
    pp_status status = read_any(d, data, limit);
    if (status == PP_OK)
        *out = d;
    else
        pp_dataset_free(d);
    return status;
}

void pp_dataset_free(pp_dataset *data)
{
    if (!data)
        return;
    free(data->name);
    free(data->pixels);
    free(data->labels);
    free(data);
}

pp_status pp_dataset_feeds(const pp_dataset *data, const pp_network *net)
{
    pp_shape in = net->ops[0].out;
    if (data->h != in.h || data->w != in.w || data->c != in.c)
        return pp_fail(PP_EINVAL, "data '%s': images of %ux%ux%u, network '%s' takes %ux%ux%u", data->name, data->h,
                       data->w, data->c, net->name, in.h, in.w, in.c);
    if (in.c > 4)
        return pp_fail(PP_EUNSUPPORTED, "network '%s': %u input channels; images have at most 4", net->name, in.c);
    return PP_OK;
}

pp_status pp_dataset_fits(const pp_dataset *data, const pp_network *net)
{
    pp_shape out = net->ops[net->output].out;
    PP_TRY(pp_dataset_feeds(data, net));
    if (data->classes == 0)
        return pp_fail(PP_EINVAL, "data '%s' has no labels, so there is no accuracy: expected a folder for each class",
                       data->name);
    if (out.h != 1 || out.w != 1 || data->classes > out.c)
        return pp_fail(PP_EINVAL, "data '%s' has %u classes, network '%s' gives %ux%ux%u", data->name, data->classes,
                       net->name, out.h, out.w, out.c);
    return PP_OK;
}

void pp_dataset_normalise(const pp_dataset *data, const pp_network *net, uint32_t i, float *out)
{
    size_t pixels = (size_t)data->h * data->w, c = data->c;
    const uint8_t *in = data->pixels + i * pixels * c;
    for (size_t p = 0; p < pixels; p++)
        for (size_t k = 0; k < c; k++)
            out[p * c + k] = ((float)in[p * c + k] / 255.0f - net->mean[k]) / net->std[k];
}

double pp_top1(const float *logits, const uint16_t *labels, uint32_t n, uint32_t classes)
{
    uint32_t right = 0;
    for (uint32_t i = 0; i < n; i++) {
        const float *row = logits + (size_t)i * classes;
        uint32_t best = 0;
        for (uint32_t c = 1; c < classes; c++)
            best = row[c] > row[best] ? c : best;
        right += best == labels[i];
    }
    return n ? (double)right / n : 0;
}
