/* Writing safetensors. */
#include "workloads/network_internal.h"
#include "workloads/workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Header text with tensors one after the other in the given order. */
static pp_status make_header(char **out, const char *const *names, const pp_tensor *tensors, size_t n,
                             const char *const (*metadata)[2], size_t n_metadata)
{
    pp_json *root = pp_json_object();
    uint64_t at = 0;
    if (n_metadata > 0) {
        pp_json *meta = pp_json_add_object(root, "__metadata__");
        for (size_t i = 0; i < n_metadata; i++)
            pp_json_add_text(meta, metadata[i][0], metadata[i][1]);
    }
    for (size_t i = 0; i < n; i++) {
        pp_json *t = pp_json_add_object(root, names[i]);
        uint64_t end = at + pp_tensor_count(&tensors[i]) * pp_dtype_size(tensors[i].dtype);
        pp_json_add_text(t, "dtype", pp_dtype_name_(tensors[i].dtype));
        pp_json *shape = pp_json_add_list(t, "shape");
        for (uint32_t d = 0; d < tensors[i].ndim; d++)
            pp_json_add_i64(shape, NULL, (int64_t)tensors[i].dim[d]);
        pp_json *offsets = pp_json_add_list(t, "data_offsets");
        pp_json_add_i64(offsets, NULL, (int64_t)at);
        pp_json_add_i64(offsets, NULL, (int64_t)end);
        at = end;
    }
    pp_status status = pp_json_print(out, root, false);
    pp_json_free(root);
    return status;
}

static bool put(FILE *f, const void *data, size_t size)
{
    return size == 0 || fwrite(data, 1, size, f) == size;
}

static bool put_all(FILE *f, const char *header, const pp_tensor *tensors, size_t n)
{
    /* Spaces bring the data to a multiple of 8 bytes. */
    size_t length = strlen(header), padding = (8 - length % 8) % 8;
    uint8_t prefix[8];
    for (unsigned i = 0; i < 8; i++)
        prefix[i] = (uint8_t)((uint64_t)(length + padding) >> (8 * i));
    bool ok = put(f, prefix, sizeof prefix) && put(f, header, length) && put(f, "        ", padding);
    for (size_t i = 0; ok && i < n; i++)
        ok = put(f, tensors[i].data, (size_t)pp_tensor_count(&tensors[i]) * pp_dtype_size(tensors[i].dtype));
    return ok;
}

pp_status pp_safetensors_write(const char *path, const char *const *names, const pp_tensor *tensors, size_t n,
                               const char *const (*metadata)[2], size_t n_metadata, bool force)
{
    char *header = NULL;
    pp_output o = {0};
    pp_status status;
    PP_GOTO(done, status, make_header(&header, names, tensors, n, metadata, n_metadata));
    PP_GOTO(done, status, pp_output_begin(&o, path, force));
    FILE *f = fopen(o.temporary, "wb");
    bool ok = f && put_all(f, header, tensors, n);
    ok = f && fclose(f) == 0 && ok; /* a full disk may show only here */
    if (!ok) {
        status = pp_fail(PP_EIO, "%s: cannot write", path);
        goto done;
    }
    status = pp_output_commit(&o);
done:
    pp_output_abort(&o);
    free(header);
    return status;
}
