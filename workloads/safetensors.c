/* Safetensors files: 8 bytes of header length (little-endian), a JSON header that gives each tensor's
 * type, shape and byte range, then the bytes. The format allows neither holes nor overlaps. */
#include "workloads/network_internal.h"
#include "workloads/workloads.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    const char *name; /* owned by the header document */
    pp_tensor tensor;
    uint64_t begin, end;
} entry;

struct pp_safetensors {
    pp_file *file;
    pp_doc *header;
    size_t n;
    entry *entries;      /* in header order */
    entry **by_name;     /* sorted */
    const pp_node *metadata;
};

static pp_status read_shape(const pp_node *node, const char *what, pp_tensor *t)
{
    const pp_node *shape = NULL;
    PP_TRY(pp_node_need(node, "shape", &shape));
    if (shape->kind != PP_DOC_LIST || shape->n > 4)
        return pp_fail_at(PP_EFORMAT, node->file, 0, "tensor '%s': its shape must be a list of at most 4 numbers", what);
    t->ndim = (uint32_t)shape->n;
    uint64_t count = 1;
    for (uint32_t i = 0; i < t->ndim; i++) {
        int64_t d = 0;
        PP_TRY(pp_node_i64(shape->child[i], what, 0, INT64_C(1) << 40, &d));
        t->dim[i] = (uint64_t)d;
        if (d > 0 && count > (UINT64_C(1) << 56) / (uint64_t)d)
            return pp_fail_at(PP_ERANGE, node->file, 0, "tensor '%s': its shape is too large", what);
        count *= (uint64_t)d;
    }
    return PP_OK;
}

static pp_status read_dtype(const pp_node *node, const char *what, pp_tensor *t)
{
    const pp_node *dtype = NULL;
    const char *text = NULL;
    PP_TRY(pp_node_need(node, "dtype", &dtype));
    PP_TRY(pp_node_text(dtype, what, &text));
    if (!pp_dtype_find_(text, &t->dtype))
        return pp_fail_at(PP_EUNSUPPORTED, node->file, 0,
                          "tensor '%s': dtype '%s' is not known; expected F32, F16, BF16, I8, U8, I32 or I64", what,
                          text);
    return PP_OK;
}

static pp_status read_offsets(const pp_node *node, uint64_t data_size, entry *e)
{
    const pp_node *offsets = NULL;
    int64_t begin = 0, end = 0;
    PP_TRY(pp_node_need(node, "data_offsets", &offsets));
    if (offsets->kind != PP_DOC_LIST || offsets->n != 2)
        return pp_fail_at(PP_EFORMAT, node->file, 0, "tensor '%s': data_offsets must be a list of 2 numbers", e->name);
    PP_TRY(pp_node_i64(offsets->child[0], e->name, 0, INT64_MAX, &begin));
    PP_TRY(pp_node_i64(offsets->child[1], e->name, 0, INT64_MAX, &end));
    e->begin = (uint64_t)begin;
    e->end = (uint64_t)end;
    if (e->begin > e->end || e->end > data_size)
        return pp_fail_at(PP_EFORMAT, node->file, 0,
                          "tensor '%s': bytes %lld to %lld are outside the file, which holds %llu bytes of tensors",
                          e->name, (long long)begin, (long long)end, (unsigned long long)data_size);
    uint64_t want = pp_tensor_count(&e->tensor) * pp_dtype_size(e->tensor.dtype);
    if (e->end - e->begin != want)
        return pp_fail_at(PP_EFORMAT, node->file, 0, "tensor '%s': %llu bytes, its shape and dtype %s need %llu",
                          e->name, (unsigned long long)(e->end - e->begin), pp_dtype_name_(e->tensor.dtype),
                          (unsigned long long)want);
    return PP_OK;
}

static pp_status read_metadata(const pp_node *node)
{
    if (node->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, node->file, 0, "__metadata__ must be a map of strings");
    for (size_t i = 0; i < node->n; i++)
        if (node->child[i]->kind != PP_DOC_SCALAR || !node->child[i]->quoted)
            return pp_fail_at(PP_EFORMAT, node->file, 0, "__metadata__ entry '%s' must be a string", node->key[i]);
    return PP_OK;
}

static pp_status read_entries(pp_safetensors *st, const uint8_t *data, uint64_t data_size)
{
    const pp_node *root = pp_doc_root(st->header);
    if (root->kind != PP_DOC_MAP)
        return pp_fail_at(PP_EFORMAT, root->file, 0, "the header must be a map of tensors");
    st->entries = pp_calloc(root->n, sizeof *st->entries);
    if (!st->entries)
        return PP_ENOMEM;
    for (size_t i = 0; i < root->n; i++) {
        const pp_node *node = root->child[i];
        if (strcmp(root->key[i], "__metadata__") == 0) {
            PP_TRY(read_metadata(node));
            st->metadata = node;
            continue;
        }
        entry *e = &st->entries[st->n];
        e->name = root->key[i];
        if (node->kind != PP_DOC_MAP)
            return pp_fail_at(PP_EFORMAT, root->file, 0, "tensor '%s' must be a map of dtype, shape, data_offsets",
                              e->name);
        PP_TRY(read_dtype(node, e->name, &e->tensor));
        PP_TRY(read_shape(node, e->name, &e->tensor));
        PP_TRY(read_offsets(node, data_size, e));
        e->tensor.data = data + e->begin;
        st->n++;
    }
    return PP_OK;
}

static int by_offset(const void *a, const void *b)
{
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(entry *const *)a)->name, (*(entry *const *)b)->name);
}

/* Sorts twice: by offset to see that the tensors tile the data, by name for later searches. */
static pp_status index_entries(pp_safetensors *st, uint64_t data_size)
{
    st->by_name = pp_alloc(st->n, sizeof *st->by_name);
    if (!st->by_name)
        return PP_ENOMEM;
    for (size_t i = 0; i < st->n; i++)
        st->by_name[i] = &st->entries[i];
    qsort(st->by_name, st->n, sizeof *st->by_name, by_offset);
    uint64_t at = 0;
    for (size_t i = 0; i < st->n; i++) {
        const entry *e = st->by_name[i];
        if (e->begin < at)
            return pp_fail_at(PP_EFORMAT, st->file->path, 0, "tensors '%s' and '%s' overlap", st->by_name[i - 1]->name,
                              e->name);
        if (e->begin > at)
            return pp_fail_at(PP_EFORMAT, st->file->path, 0, "%llu bytes before tensor '%s' belong to no tensor",
                              (unsigned long long)(e->begin - at), e->name);
        at = e->end;
    }
    if (at != data_size)
        return pp_fail_at(PP_EFORMAT, st->file->path, 0, "%llu bytes at the end belong to no tensor",
                          (unsigned long long)(data_size - at));
    qsort(st->by_name, st->n, sizeof *st->by_name, by_name);
    return PP_OK;
}

static pp_status read_file(pp_safetensors *st, const char *path)
{
    PP_TRY(pp_file_map(&st->file, path));
    if (st->file->size < 8)
        return pp_fail_at(PP_EFORMAT, path, 0, "%zu bytes, too short for a safetensors file", st->file->size);
    uint64_t length = 0;
    for (unsigned i = 0; i < 8; i++)
        length |= (uint64_t)st->file->data[i] << (8 * i);
    if (length > st->file->size - 8)
        return pp_fail_at(PP_EFORMAT, path, 0, "truncated: a header of %llu bytes, %zu bytes follow",
                          (unsigned long long)length, st->file->size - 8);
    PP_TRY(pp_doc_parse_json(&st->header, path, (const char *)st->file->data + 8, (size_t)length));
    uint64_t data_size = st->file->size - 8 - length;
    PP_TRY(read_entries(st, st->file->data + 8 + length, data_size));
    return index_entries(st, data_size);
}

pp_status pp_safetensors_open(pp_safetensors **out, const char *path)
{
    *out = NULL;
    pp_safetensors *st = pp_calloc(1, sizeof *st);
    if (!st)
        return PP_ENOMEM;
    pp_status status = read_file(st, path);
    if (status == PP_OK)
        *out = st;
    else
        pp_safetensors_close(st);
    return status;
}

void pp_safetensors_close(pp_safetensors *st)
{
    if (!st)
        return;
    free(st->by_name);
    free(st->entries);
    pp_doc_free(st->header);
    pp_file_unmap(st->file);
    free(st);
}

size_t pp_safetensors_count(const pp_safetensors *st)
{
    return st->n;
}

const char *pp_safetensors_name(const pp_safetensors *st, size_t i)
{
    return st->entries[i].name;
}

pp_status pp_safetensors_get(const pp_safetensors *st, const char *name, pp_tensor *out)
{
    entry key = {.name = name};
    entry *pkey = &key, **found = NULL;
    if (st->n > 0)
        found = bsearch(&pkey, st->by_name, st->n, sizeof *st->by_name, by_name);
    if (!found)
        return pp_fail_at(PP_ENOTFOUND, st->file->path, 0, "holds no tensor '%s'", name);
    *out = (*found)->tensor;
    return PP_OK;
}

const char *pp_safetensors_metadata(const pp_safetensors *st, const char *key)
{
    const pp_node *node = st->metadata ? pp_node_get(st->metadata, key) : NULL;
    return node ? node->text : NULL;
}

void pp_safetensors_sha256(const pp_safetensors *st, char hex[65])
{
    pp_sha256 h;
    pp_sha256_begin(&h);
    pp_sha256_add(&h, st->file->data, st->file->size);
    pp_sha256_end(&h, hex);
}
