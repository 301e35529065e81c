/* A folder of images as a data set: a folder a class, or images alone. */
#include "workloads/dataset_internal.h"
#include "workloads/image_internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

typedef PP_VEC(char *) names;

enum { CLASSES = 65535 };

static void free_names(names *n)
{
    for (size_t i = 0; i < n->len; i++)
        free(n->data[i]);
    free(n->data);
}

static bool is_image(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".ppm", ".pgm", ".pnm"};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof endings / sizeof *endings; i++)
        if (ending > name && strcasecmp(ending, endings[i]) == 0)
            return true;
    return false;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Paths in a folder, sorted by their bytes: folders, or images. */
static pp_status list(const char *path, bool folders, names *out)
{
    DIR *dir = opendir(path);
    pp_status status = PP_OK;
    if (!dir)
        return pp_fail(PP_EIO, "%s: the folder cannot be read", path);
    for (const struct dirent *e; status == PP_OK && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || (!folders && !is_image(e->d_name)))
            continue;
        char *inside = pp_path_join(path, e->d_name);
        if (!inside)
            status = PP_ENOMEM;
        else if (is_folder(inside) != folders)
            free(inside);
        else if (!pp_push(out, inside)) {
            free(inside);
            status = PP_ENOMEM;
        }
    }
    closedir(dir);
    if (status == PP_OK && out->len > 1)
        qsort(out->data, out->len, sizeof *out->data, compare);
    return status;
}

/* ---- classes ---- */

typedef struct classes {
    names folder;
    names *image;    /* [folder.len] */
    uint16_t *label; /* [folder.len] */
    uint32_t n;      /* labels are below it */
    size_t images;
} classes;

static void free_classes(classes *c)
{
    for (size_t i = 0; c->image && i < c->folder.len; i++)
        free_names(&c->image[i]);
    free(c->image);
    free(c->label);
    free_names(&c->folder);
}

/* The number that a folder's name is; false: none up to 65,534. */
static bool number_of(const char *path, uint32_t *out)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    *out = 0;
    for (const char *c = name; *c; c++) {
        if (*c < '0' || *c > '9' || c - name > 5)
            return false;
        *out = *out * 10 + (uint32_t)(*c - '0');
    }
    return *name && *out < CLASSES;
}

/* Folders that are all called by numbers are those classes, else each is the next one in the order of names. */
static void number_classes(classes *c)
{
    bool numbers = true;
    uint32_t k;
    for (size_t i = 0; i < c->folder.len; i++)
        numbers = numbers && number_of(c->folder.data[i], &k);
    for (size_t i = 0; i < c->folder.len; i++) {
        k = (uint32_t)i;
        if (numbers)
            (void)number_of(c->folder.data[i], &k);
        c->label[i] = (uint16_t)k;
        c->n = k >= c->n ? k + 1 : c->n;
    }
}

static pp_status find_images(classes *c, const char *path)
{
    PP_TRY(list(path, true, &c->folder));
    bool flat = c->folder.len == 0;
    char *self = flat ? pp_strdup(path) : NULL;
    if (flat && (!self || !pp_push(&c->folder, self))) {
        free(self);
        return PP_ENOMEM;
    }
    if (c->folder.len >= CLASSES)
        return pp_fail(PP_ERANGE, "%s: %zu folders; at most %d classes", path, c->folder.len, CLASSES - 1);
    c->image = pp_calloc(c->folder.len, sizeof *c->image);
    c->label = pp_calloc(c->folder.len, sizeof *c->label);
    if (!c->image || !c->label)
        return PP_ENOMEM;
    for (size_t i = 0; i < c->folder.len; i++) {
        PP_TRY(list(c->folder.data[i], false, &c->image[i]));
        c->images += c->image[i].len;
    }
    if (!flat)
        number_classes(c);
    return c->images ? PP_OK
                     : pp_fail(PP_ENOTFOUND,
                               "%s: holds no test_batch.bin and no images (.png, .jpg, .ppm, .pgm), neither itself nor in "
                               "folders, one a class",
                               path);
}

/* ---- images ---- */

/* Image as bytes of the data set; the first says what they look like. */
static pp_status take(pp_dataset *data, uint32_t i, const char *path, pp_image *image, const pp_shape *size)
{
    if (size->h)
        PP_TRY(pp_image_resize_(image, size->h, size->w));
    if (image->h != data->h || image->w != data->w)
        return pp_fail_at(PP_EINVAL, path, 0, "%ux%u pixels, the first image has %ux%u; DATA:size=HxW brings all to one size",
                          image->h, image->w, data->h, data->w);
    if (image->c > data->c)
        return pp_fail_at(PP_EINVAL, path, 0, "in colour, the first image is gray");
    size_t pixels = (size_t)data->h * data->w;
    uint8_t *to = data->pixels + i * pixels * data->c;
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t c = 0; c < data->c; c++)
            to[p * data->c + c] = image->pixels[p * image->c + (image->c > 1 ? c : 0)];
    return PP_OK;
}

static pp_status start(pp_dataset *data, const char *path, const pp_image *first, const pp_shape *size, uint32_t n)
{
    data->h = size->h ? size->h : first->h;
    data->w = size->h ? size->w : first->w;
    data->c = first->c;
    if ((uint64_t)data->h * data->w * data->c * n > UINT64_C(1) << 34)
        return pp_fail(PP_ERANGE, "%s: %u images of %ux%u are more than 16 GiB", path, n, data->h, data->w);
    return pp_dataset_allocate_(data, path, n);
}

static pp_status add(pp_dataset *data, const char *path, uint32_t i, const char *file, const pp_shape *size, uint32_t n,
                     pp_sha256 *h)
{
    pp_image image = {0};
    pp_status status = pp_image_read_(&image, file);
    if (status == PP_OK && i == 0)
        status = start(data, path, &image, size, n);
    if (status == PP_OK)
        status = take(data, i, file, &image, size);
    pp_image_free_(&image);
    if (status == PP_OK)
        pp_sha256_add(h, data->pixels + (size_t)i * data->h * data->w * data->c, (size_t)data->h * data->w * data->c);
    return status;
}

/* One of each class in turn, so that the first images are of all of them. */
static pp_status read_images(pp_dataset *data, const char *path, const classes *c, const pp_shape *size, uint32_t limit)
{
    uint32_t n = limit && limit < c->images ? limit : (uint32_t)c->images, i = 0;
    pp_sha256 h;
    pp_sha256_begin(&h);
    for (size_t round = 0; i < n; round++)
        for (size_t k = 0; k < c->folder.len && i < n; k++) {
            if (round >= c->image[k].len)
                continue;
            PP_TRY(add(data, path, i, c->image[k].data[round], size, n, &h));
            data->labels[i++] = c->label[k];
        }
    pp_sha256_add(&h, data->labels, n * sizeof *data->labels);
    pp_sha256_end(&h, data->sha256);
    return PP_OK;
}

pp_status pp_folder_read_(pp_dataset *data, const char *path, const pp_shape *size, uint32_t limit)
{
    classes c = {0};
    pp_status status = find_images(&c, path);
    if (status == PP_OK && c.images > 10000000)
        status = pp_fail(PP_ERANGE, "%s: %zu images; at most 10,000,000", path, c.images);
    data->classes = c.n;
    if (status == PP_OK)
        status = read_images(data, path, &c, size, limit);
    free_classes(&c);
    return status;
}
