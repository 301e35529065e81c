/* IDX, the format of MNIST and Fashion-MNIST: a big-endian magic (0x08 bytes, number of dimensions),
 * the dimensions, the bytes; plain or gzip. */
#include "workloads/dataset_internal.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define BYTES_MAX (UINT64_C(1) << 31)

/* Content of a file, inflated when it is gzip. */
typedef struct blob {
    pp_file *file;
    uint8_t *inflated; /* NULL: the file itself */
    const uint8_t *data;
    size_t size;
} blob;

static void blob_free(blob *b)
{
    free(b->inflated);
    pp_file_unmap(b->file);
}

static pp_status inflate_all(blob *b, z_stream *z, const char *path)
{
    size_t capacity = 1 << 20;
    int rc = Z_OK;
    while (rc == Z_OK) {
        if (b->size == capacity || !b->inflated) {
            capacity = b->inflated ? capacity * 2 : capacity;
            if (capacity > BYTES_MAX)
                return pp_fail_at(PP_ERANGE, path, 0, "inflates to more than 2 GiB");
            uint8_t *grown = pp_realloc(b->inflated, capacity, 1);
            if (!grown)
                return PP_ENOMEM;
            b->inflated = grown;
        }
        z->next_out = b->inflated + b->size;
        z->avail_out = (uInt)(capacity - b->size);
        rc = inflate(z, Z_NO_FLUSH);
        b->size = capacity - z->avail_out;
    }
    if (rc != Z_STREAM_END)
        return pp_fail_at(PP_EFORMAT, path, 0, "%s gzip data", rc == Z_BUF_ERROR ? "truncated" : "damaged");
    b->data = b->inflated;
    return PP_OK;
}

static pp_status blob_read(blob *b, const char *path)
{
    PP_TRY(pp_file_map(&b->file, path));
    b->data = b->file->data;
    b->size = b->file->size;
    if (b->size < 2 || b->data[0] != 0x1f || b->data[1] != 0x8b)
        return PP_OK;
    if (b->file->size > BYTES_MAX)
        return pp_fail_at(PP_ERANGE, path, 0, "larger than 2 GiB");
    z_stream z = {.next_in = (z_const Bytef *)b->file->data, .avail_in = (uInt)b->file->size};
    b->size = 0;
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: gzip header */
        return pp_fail(PP_ENOMEM, "%s: cannot start zlib", path);
    pp_status status = inflate_all(b, &z, path);
    inflateEnd(&z);
    return status;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Checks the header against the size; gives the dimensions and where the bytes begin. */
static pp_status read_header(const blob *b, const char *path, uint32_t ndim, uint32_t *dim, const uint8_t **bytes)
{
    size_t header = 4 + 4 * (size_t)ndim;
    if (b->size < header || be32(b->data) != (0x0800u | ndim))
        return pp_fail_at(PP_EFORMAT, path, 0, "not an IDX file of bytes with %u dimension%s", ndim,
                          ndim == 1 ? "" : "s");
    uint64_t count = 1;
    for (uint32_t i = 0; i < ndim; i++) {
        dim[i] = be32(b->data + 4 + 4 * (size_t)i);
        if (dim[i] == 0 || dim[i] > BYTES_MAX || count * dim[i] > BYTES_MAX)
            return pp_fail_at(PP_ERANGE, path, 0, "dimension %u is %u: empty or too large", i, dim[i]);
        count *= dim[i];
    }
    if (b->size - header != count)
        return pp_fail_at(PP_EFORMAT, path, 0, "holds %zu bytes of data, its header says %llu", b->size - header,
                          (unsigned long long)count);
    *bytes = b->data + header;
    return PP_OK;
}

static pp_status fill(pp_dataset *data, const blob *images, const blob *labels, const char *path,
                      const char *labels_path, uint32_t limit)
{
    uint32_t dim[3] = {0}, n_labels = 0;
    const uint8_t *pixels = NULL, *classes = NULL;
    PP_TRY(read_header(images, path, 3, dim, &pixels));
    PP_TRY(read_header(labels, labels_path, 1, &n_labels, &classes));
    if (n_labels != dim[0])
        return pp_fail_at(PP_EFORMAT, labels_path, 0, "%u labels, %u images", n_labels, dim[0]);
    data->h = dim[1];
    data->w = dim[2];
    data->c = 1;
    for (uint32_t i = 0; i < n_labels; i++)
        data->classes = classes[i] >= data->classes ? classes[i] + 1u : data->classes;
    PP_TRY(pp_dataset_allocate_(data, path, limit && limit < dim[0] ? limit : dim[0]));
    memcpy(data->pixels, pixels, (size_t)data->n * data->h * data->w);
    for (uint32_t i = 0; i < data->n; i++)
        data->labels[i] = classes[i];
    pp_sha256 h;
    pp_sha256_begin(&h);
    pp_sha256_add(&h, images->file->data, images->file->size);
    pp_sha256_add(&h, labels->file->data, labels->file->size);
    pp_sha256_end(&h, data->sha256);
    return PP_OK;
}

/* ".../t10k-images-idx3-ubyte.gz" -> ".../t10k-labels-idx1-ubyte.gz", or without .gz, as exists. */
static pp_status labels_path(char **out, const char *path)
{
    static const char from[] = "images-idx3", to[] = "labels-idx1";
    const char *at = NULL;
    for (const char *p = strstr(path, from); p; p = strstr(p + 1, from))
        at = p;
    if (!at)
        return pp_fail_at(PP_EINVAL, path, 0, "the name of an IDX image file must hold 'images-idx3', so that its "
                                              "labels can be found");
    char *first = pp_strf("%.*s%s%s", (int)(at - path), path, to, at + strlen(from));
    if (!first)
        return PP_ENOMEM;
    size_t n = strlen(first);
    bool gz = n > 3 && strcmp(first + n - 3, ".gz") == 0;
    char *second = pp_strf("%.*s%s", (int)(gz ? n - 3 : n), first, gz ? "" : ".gz");
    if (second && !pp_file_exists(first) && pp_file_exists(second)) {
        *out = second;
        second = first;
    } else {
        *out = first;
    }
    free(second);
    return PP_OK;
}

pp_status pp_idx_read_(pp_dataset *data, const char *path, uint32_t limit)
{
    blob images = {0}, labels = {0};
    char *beside = NULL;
    pp_status status;
    PP_GOTO(done, status, labels_path(&beside, path));
    PP_GOTO(done, status, blob_read(&images, path));
    PP_GOTO(done, status, blob_read(&labels, beside));
    status = fill(data, &images, &labels, path, beside, limit);
done:
    blob_free(&images);
    blob_free(&labels);
    free(beside);
    return status;
}
