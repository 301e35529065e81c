/* External data files of ONNX models: in the model's folder or below it, and nowhere else. */
#include "workloads/onnx_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    const char *location;
    pp_file *file;
} entry;

struct pp_onnx_files {
    PP_VEC(entry) list;
};

void pp_onnx_files_free_(pp_onnx_files *files)
{
    if (!files)
        return;
    for (size_t i = 0; i < files->list.len; i++)
        pp_file_unmap(files->list.data[i].file);
    free(files->list.data);
    free(files);
}

const pp_file *pp_onnx_file_(const pp_onnx *m, size_t i)
{
    return m->external && i < m->external->list.len ? m->external->list.data[i].file : NULL;
}

static bool climbs(const char *location)
{
    for (const char *at = location; *at;) {
        size_t n = strcspn(at, "/");
        if (n == 2 && at[0] == '.' && at[1] == '.')
            return true;
        at += n + (at[n] == '/');
    }
    return location[0] == '/' || location[0] == '\0';
}

/* Links may not lead out either: both paths with all links followed. */
static pp_status inside(const char *folder, const char *path, const char *tensor, const char *model)
{
    char *top = realpath(*folder ? folder : ".", NULL), *real = realpath(path, NULL);
    size_t n = top ? strlen(top) : 0;
    bool missing = !real, within = top && real && strncmp(real, top, n) == 0 && (real[n] == '/' || n == 1);
    free(top);
    free(real);
    if (missing)
        return pp_fail_at(PP_ENOTFOUND, model, 0, "tensor '%s': its external data '%s' cannot be found", tensor, path);
    if (!within)
        return pp_fail_at(PP_EINVAL, model, 0, "tensor '%s': its external data '%s' lies outside the model's folder",
                          tensor, path);
    return PP_OK;
}

static pp_status open_file(pp_onnx *m, const char *tensor, const char *location, pp_file **out)
{
    pp_status status = PP_ENOMEM;
    char *folder = pp_path_dir(m->path), *path = folder ? pp_path_join(folder, location) : NULL;
    if (!path)
        goto done;
    PP_GOTO(done, status, inside(folder, path, tensor, m->path));
    PP_GOTO(done, status, pp_file_map(out, path));
    if (!pp_push(&m->external->list, (entry){location, *out})) {
        pp_file_unmap(*out);
        status = PP_ENOMEM;
    }
done:
    free(path);
    free(folder);
    return status;
}

pp_status pp_onnx_external_(pp_onnx *m, const char *tensor, const char *location, uint64_t offset, uint64_t *size,
                            const uint8_t **data)
{
    pp_file *file = NULL;
    if (climbs(location))
        return pp_fail_at(PP_EINVAL, m->path, 0,
                          "tensor '%s': external data '%s' must be a path below the model's folder", tensor, location);
    if (!m->external && !(m->external = pp_calloc(1, sizeof *m->external)))
        return PP_ENOMEM;
    for (size_t i = m->external->list.len; i-- > 0 && !file;)
        if (strcmp(m->external->list.data[i].location, location) == 0)
            file = m->external->list.data[i].file;
    if (!file)
        PP_TRY(open_file(m, tensor, location, &file));
    if (offset > file->size || *size > file->size - offset)
        return pp_fail_at(PP_EFORMAT, m->path, 0, "tensor '%s': bytes %llu to %llu of '%s', which has %zu", tensor,
                          (unsigned long long)offset, (unsigned long long)(offset + *size), location, file->size);
    *data = *size ? file->data + offset : NULL;
    return PP_OK;
}
